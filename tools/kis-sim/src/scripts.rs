//! Misbehaviours by name: what real sessions suffer, ready to be played.

use std::path::Path;

use jiff::ToSpan as _;
use serde::Deserialize;

use crate::ban::BanRules;
use crate::chaos::Chaos;
use crate::config::{SimConfig, read_toml};
use crate::error::SimError;
use crate::fault::{At, Fault, FaultScript, FaultSpec, Target};
use crate::notices::NoticeConfig;
use crate::rest::{RestFault, RestFaultSpec};

/// A misbehaviour that has a name.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Name on the command line.
    pub name: &'static str,
    /// What goes wrong.
    pub meaning: &'static str,
    apply: fn(&mut SimConfig),
}

impl Script {
    /// Adds the misbehaviour to a configuration.
    pub fn apply(&self, config: &mut SimConfig) {
        (self.apply)(config);
    }

    /// The script of a name.
    pub fn find(name: &str) -> Option<&'static Script> {
        SCRIPTS.iter().find(|script| script.name == name)
    }
}

/// Faults of a file of their own, as `kis-sim --faults FILE` takes it. Other fields are refused: they would change nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultFile {
    /// Faults of sessions.
    pub faults: FaultScript,
    /// Faults of REST.
    pub rest_faults: Vec<RestFaultSpec>,
}

impl FaultFile {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`SimError::Read`] or [`SimError::Parse`], the latter with line and the keys that exist.
    pub fn from_toml_file(path: &Path) -> Result<Self, SimError> {
        read_toml(path)
    }

    /// Adds the faults to a configuration.
    pub fn apply(self, config: &mut SimConfig) {
        config.faults.extend(self.faults);
        config.rest_faults.extend(self.rest_faults);
    }
}

fn add(config: &mut SimConfig, at: At, connection: Target, fault: Fault) {
    config.faults.push(FaultSpec { at, connection, fault });
}

fn rest(config: &mut SimConfig, path: &str, times: u64, fault: RestFault) {
    config.rest_faults.push(RestFaultSpec { path: path.to_owned(), from: 1, times, fault });
}

fn refusal(status: u16, code: &str) -> RestFault {
    RestFault::Refuse { status, code: code.to_owned(), text: String::new() }
}

/// On the first connection, with its hundredth frame.
fn first(config: &mut SimConfig, fault: Fault) {
    add(config, At::Frame(100), Target::Number(1), fault);
}

/// All of them.
pub const SCRIPTS: &[Script] = &[
    Script {
        name: "silent",
        meaning: "keep-alives go on, data of the first connection ends",
        apply: |config| first(config, Fault::Drop { n: u64::MAX }),
    },
    Script {
        name: "half_open",
        meaning: "the first connection is gone without a word",
        apply: |config| first(config, Fault::HalfOpen),
    },
    Script {
        name: "ack_lost",
        meaning: "the answer to each connection's first registration never comes",
        apply: |config| add(config, At::Registration(1), Target::All, Fault::LoseAck),
    },
    Script {
        name: "ack_late",
        meaning: "that answer comes behind data and behind other answers",
        apply: |config| add(config, At::Registration(1), Target::All, Fault::DelayAck { ms: 2500 }),
    },
    Script {
        name: "in_use",
        meaning: "the slot of an app key lingers for a minute after a reset",
        apply: |config| {
            config.slot_linger_s = 60.0;
            first(config, Fault::Rst);
        },
    },
    Script {
        name: "approval_expired",
        meaning: "approval keys become unknown, and the first connection is reset",
        apply: |config| {
            add(config, At::Seconds(2.0), Target::Number(1), Fault::ExpireApprovals);
            add(config, At::Seconds(3.0), Target::Number(1), Fault::Rst);
        },
    },
    Script {
        name: "forced_close",
        meaning: "the first connection is closed with code 1001",
        apply: |config| first(config, Fault::Close { code: 1001, reason: "maintenance".to_owned() }),
    },
    Script {
        name: "no_pingpong",
        meaning: "no keep-alive while data flows, nor later",
        apply: |config| add(config, At::Seconds(0.0), Target::All, Fault::StopPingpong),
    },
    Script {
        name: "max_over",
        meaning: "a session holds 20 registrations only",
        apply: |config| config.max_registrations = 20,
    },
    Script {
        name: "connect_loop",
        meaning: "each connection is reset at its first registration; more than 10 in 10 minutes are a ban of an hour",
        apply: |config| {
            config.ban = Some(BanRules { connects: 10, window_s: 600.0, for_s: 3600.0, messages: None });
            add(config, At::Registration(1), Target::All, Fault::Rst);
        },
    },
    Script {
        name: "cp949",
        meaning: "a text frame that is not UTF-8",
        apply: |config| first(config, Fault::InvalidUtf8),
    },
    Script {
        name: "large_message",
        meaning: "a message of 64 KiB",
        apply: |config| first(config, Fault::Oversize { bytes: 64 << 10 }),
    },
    Script {
        name: "mock",
        meaning: "the mock server, which knows five TRs and answers one quotation a second",
        apply: |config| {
            config.mock = true;
            config.limits.requests_per_second = 1;
        },
    },
    Script {
        name: "several_records",
        meaning: "no frame of trades has fewer than six records",
        apply: |config| config.min_records_per_frame = 6.min(config.max_records_per_frame),
    },
    Script {
        name: "widened",
        meaning: "records of the first connection get a field more while it runs",
        apply: |config| first(config, Fault::Widen { fields: 1 }),
    },
    Script {
        name: "lost_frames",
        meaning: "seven frames of the first connection are lost",
        apply: |config| first(config, Fault::Drop { n: 7 }),
    },
    Script {
        name: "dark",
        meaning: "each connection's first registration is confirmed, and nothing of it ever comes",
        apply: |config| add(config, At::Registration(1), Target::All, Fault::Dark),
    },
    Script {
        name: "pre_market",
        meaning: "08:30: NXT trades, KRX does not yet",
        apply: |config| config.market_start = config.market_start.date().at(8, 30, 0, 0),
    },
    Script {
        name: "after_market",
        meaning: "16:05: after-market trades on the regular TRs, the single-price TRs stay quiet",
        apply: |config| config.market_start = config.market_start.date().at(16, 5, 0, 0),
    },
    Script {
        name: "strict_ping",
        meaning: "keep-alives after a second of silence; who leaves one without an answer for five is cut",
        apply: |config| (config.ping_interval_s, config.silence_cut_s) = (1.0, 5.0),
    },
    Script {
        name: "client_ping",
        meaning: "a client that pings by itself is cut",
        apply: |config| config.cut_on_client_ping = true,
    },
    Script {
        name: "impatient",
        meaning: "a client behind by more than 256 KiB is cut",
        apply: |config| config.backlog_bytes_max = 256 << 10,
    },
    Script {
        name: "no_close_frame",
        meaning: "the first connection ends without a Close",
        apply: |config| first(config, Fault::End),
    },
    Script {
        name: "wrong_hts_id",
        meaning: "only the HTS id `owner` exists: notices of another end their connection without a Close",
        apply: |config| config.notices = Some(NoticeConfig { hts_id: "owner".to_owned(), ..NoticeConfig::default() }),
    },
    Script {
        name: "key_echoed",
        meaning: "the approval key is refused at the first connection's second registration, and echoed",
        apply: |config| add(config, At::Registration(2), Target::Number(1), Fault::ExpireApprovals),
    },
    Script {
        name: "approval_slow",
        meaning: "the first approval takes 30 seconds",
        apply: |config| rest(config, "Approval", 1, RestFault::Slow { ms: 30_000 }),
    },
    Script {
        name: "registration_loop",
        meaning: "more than 100 subscribe and unsubscribe messages in 10 minutes are a ban of an hour",
        apply: |config| {
            let loops = BanRules { connects: usize::MAX, window_s: 600.0, for_s: 3600.0, messages: None };
            config.ban.get_or_insert(loops).messages = Some(100);
        },
    },
    Script {
        name: "new_customer",
        meaning: "three quotations a second, as in a customer's first three days",
        apply: |config| config.limits.requests_per_second = 3,
    },
    Script {
        name: "rate_used_up",
        meaning: "the first three quotations of a price are refused with HTTP 500 and EGW00201: others use the app key too",
        apply: |config| rest(config, "inquire-price", 3, refusal(500, "EGW00201")),
    },
    Script {
        name: "split",
        meaning: "each share was split in two ten days ago, and the two calls for days mean the opposite by FID_ORG_ADJ_PRC",
        apply: |config| config.split = config.market_start.date().checked_sub(10.days()).ok(),
    },
    Script {
        name: "token_minute",
        meaning: "the first token is refused with HTTP 403 and EGW00133: another program has just asked",
        apply: |config| rest(config, "tokenP", 1, refusal(403, "EGW00133")),
    },
    Script {
        name: "chaos",
        meaning: "every three seconds or so one of 22 faults at random, by the seed",
        apply: |config| config.chaos = Some(Chaos::default()),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_a_name_of_its_own_and_changes_something() {
        for script in SCRIPTS {
            assert_eq!(Script::find(script.name).unwrap().meaning, script.meaning);
            let mut config = SimConfig::default();
            script.apply(&mut config);
            assert_ne!(format!("{config:?}"), format!("{:?}", SimConfig::default()), "{}", script.name);
            config.check().unwrap();
        }
        assert!(Script::find("nothing").is_none());
    }
}
