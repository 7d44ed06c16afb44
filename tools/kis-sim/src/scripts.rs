//! Misbehaviours by name: what real sessions suffer, ready to be played.

use crate::ban::BanRules;
use crate::config::SimConfig;
use crate::fault::{At, Fault, FaultSpec, Target};

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

fn add(config: &mut SimConfig, at: At, connection: Target, fault: Fault) {
    config.faults.push(FaultSpec { at, connection, fault });
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
            config.ban = Some(BanRules { connects: 10, window_s: 600.0, for_s: 3600.0 });
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
    Script { name: "mock", meaning: "the mock server, which knows five TRs", apply: |config| config.mock = true },
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
