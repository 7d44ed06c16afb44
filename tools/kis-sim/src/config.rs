//! Everything that can be set, with units and defaults; checked once by [`SimConfig::check`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, DateTime};
use serde::Deserialize;

use crate::ban::BanRules;
use crate::chaos::Chaos;
use crate::error::SimError;
use crate::fault::FaultScript;
use crate::notices::NoticeConfig;
use crate::rest::RestFaultSpec;
use crate::rng::Rng;

/// A venue: addresses, credentials, market, pace and faults.
///
/// Reads from TOML; unknown keys are refused. [`Default`] serves 100 symbols at 1,000 frames a second for 10 s.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// Address of the REST server; port 0 takes any free one. Default `127.0.0.1:0`.
    pub rest_listen: SocketAddr,
    /// Address of the WebSocket server; port 0 takes any free one. Default `127.0.0.1:0`.
    pub ws_listen: SocketAddr,
    /// Credentials the venue accepts; each may hold one WebSocket session. Default: two of [`AppKey::generate`].
    pub app_keys: Vec<AppKey>,
    /// Whom the venue serves, and what may be registered. Default: those of `app_keys`, for the TRs and keys that exist.
    pub accept: Accept,
    /// Number of symbols traded, `1 ..= 4000`. Default 100.
    pub symbols: usize,
    /// The symbols by their codes, six or seven letters and digits each, instead of as many invented ones. Default none.
    pub codes: Vec<String>,
    /// Length of the run in wall seconds from the opening of the market; infinity: until it is stopped. Default 10.
    pub seconds: f64,
    /// Average number of data frames per wall second over the run, over all connections. Default 1,000.
    pub rate: f64,
    /// How the frames are spread over the run. Default: evenly.
    pub burst: Burst,
    /// Seed of symbols, prices and the walk. Default 1.
    pub seed: u64,
    /// Width of the records. Default: as since 2026-09-14.
    pub widths: Widths,
    /// Width of H0NXASP0, on which KIS's own documents disagree. Default 65.
    pub nxt_book_width: NxtBookWidth,
    /// Most records in one trade frame, `1 ..= 20`. Default 20.
    pub max_records_per_frame: usize,
    /// Fewest records in a trade frame of continuous trading; an interruption may still cut one short. Default 1.
    pub min_records_per_frame: usize,
    /// Venues that trade. The unified feeds carry the sum of those. Default KRX and NXT.
    pub venues: Vec<VenueName>,
    /// Market time (KST) at the opening of the run. Default 2026-11-20 08:59:59: a second of opening auction, its
    /// print, then continuous trading. The date decides the hours: special days begin later, on weekends and holidays
    /// registrations are accepted and nothing is sent. A run may span days.
    pub market_start: DateTime,
    /// Market seconds per wall second. Default 1.
    pub time_scale: f64,
    /// Symbols whose price is driven up until volatility interruptions stop it: the last of the list, never the first,
    /// so that a market of one symbol trades on. Default 1.
    pub wild_symbols: usize,
    /// Symbols that KRX alone trades: the last of the list. Default 0.
    pub krx_only_symbols: usize,
    /// Symbols that are halted from 11:00 to 11:30 of each trading day: the last ones before the wild ones, never the first.
    /// Default 0.
    pub halted_symbols: usize,
    /// Length of the auction of a volatility interruption, in market seconds; up to a quarter is added at random. Default 120.
    pub vi_seconds: u32,
    /// When the market opens. Default: when no registration came for 300 ms after the first.
    pub open_when: OpenWhen,
    /// Wall seconds from the start, or from the last registration, after which a run whose market has not opened is over.
    /// Default infinity.
    pub opening_wait_s: f64,
    /// Idle seconds of a connection after which the venue sends PINGPONG. Default 10.
    pub ping_interval_s: f64,
    /// Seconds of silence of a client after an unanswered PINGPONG until it is cut. Default 100.
    pub silence_cut_s: f64,
    /// How many times faster than the wall the venue's own clock of keep-alive, token ages and rate limits runs. Default 1.
    pub clock_scale: f64,
    /// Seconds for which the slot of an app key stays taken after a connection died without a close handshake. Default 0.
    pub slot_linger_s: f64,
    /// Registrations a session may hold over all TRs. Default 41.
    pub max_registrations: usize,
    /// Behave as the mock server: only its five TRs. Default false.
    pub mock: bool,
    /// Limits of REST. Default: as the real server.
    pub limits: Limits,
    /// File that receives a line for each data frame sent. Default none: counting only.
    pub ledger: Option<PathBuf>,
    /// Bytes kept for a client that does not read; beyond, its connection is cut. Default 64 MiB.
    pub backlog_bytes_max: usize,
    /// With a client for which more bytes than this wait to be sent, the source is held until it has read them: frames
    /// come late instead of the client being cut. A client that never reads holds the run. Default none.
    pub hold_backlog_bytes: Option<usize>,
    /// Wall seconds for which the venue waits for a client's Close, or for it to take its last bytes. Default 5.
    pub close_wait_s: f64,
    /// Wall seconds for which a client may take over its handshake. Default 10.
    pub handshake_wait_s: f64,
    /// Spin for the last 60 us before a frame, so that it is on time. False sleeps instead: it frees the processor and
    /// sends frames up to 0.1 ms late, several at once at high rates. Default true.
    pub spin: bool,
    /// How often an app key, and an address, may connect before it is blocked for a while. Default: as often as it likes.
    pub ban: Option<BanRules>,
    /// Wall milliseconds that have to lie between two subscribe or unsubscribe messages of an app key: two shorter pauses in
    /// a row block it, for as long as `ban` says, else for an hour. Default: none.
    pub message_spacing_ms: Option<u64>,
    /// Each share was split in two on this date: daily prices before it are told as they were or adjusted, as asked for.
    /// Default: a year before the simulated day.
    pub split: Option<Date>,
    /// A client that pings by itself is cut, as some report of the real server. Default false.
    pub cut_on_client_ping: bool,
    /// Faults at random, beside those of the script. Default none.
    pub chaos: Option<Chaos>,
    /// Faults to inject. Default none.
    pub faults: FaultScript,
    /// Faults of REST, each counted in its own requests. Default none.
    pub rest_faults: Vec<RestFaultSpec>,
    /// Account notices. Default none: their registration is answered, and nothing comes.
    pub notices: Option<NoticeConfig>,
    /// Weekdays without trading beyond those of KRX from 2015 to 2027. Default none.
    pub closures: Vec<Date>,
    /// How many rows the master files have. Default: the traded symbols, and a few of every other kind.
    pub masters: MasterSizes,
    /// Dates on which the venues trade though they would be closed. Default none.
    pub openings: Vec<Date>,
}

impl Default for SimConfig {
    fn default() -> Self {
        let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
        Self {
            rest_listen: loopback,
            ws_listen: loopback,
            app_keys: AppKey::generate(2),
            accept: Accept::Listed,
            symbols: 100,
            codes: Vec::new(),
            seconds: 10.0,
            rate: 1000.0,
            burst: Burst::None,
            seed: 1,
            widths: Widths::After20260914,
            nxt_book_width: NxtBookWidth::Wide65,
            max_records_per_frame: 20,
            min_records_per_frame: 1,
            venues: vec![VenueName::Krx, VenueName::Nxt],
            market_start: jiff::civil::date(2026, 11, 20).at(8, 59, 59, 0),
            time_scale: 1.0,
            wild_symbols: 1,
            krx_only_symbols: 0,
            halted_symbols: 0,
            vi_seconds: 120,
            open_when: OpenWhen::Quiet { ms: 300 },
            opening_wait_s: f64::INFINITY,
            ping_interval_s: 10.0,
            silence_cut_s: 100.0,
            clock_scale: 1.0,
            slot_linger_s: 0.0,
            max_registrations: 41,
            mock: false,
            limits: Limits::default(),
            ledger: None,
            backlog_bytes_max: 64 << 20,
            hold_backlog_bytes: None,
            close_wait_s: 5.0,
            handshake_wait_s: 10.0,
            spin: true,
            ban: None,
            message_spacing_ms: None,
            split: None,
            cut_on_client_ping: false,
            chaos: None,
            faults: FaultScript::default(),
            rest_faults: Vec::new(),
            notices: None,
            closures: Vec::new(),
            masters: MasterSizes::Small,
            openings: Vec::new(),
        }
    }
}

/// Ten years: what a run lasts that is to go on until it is stopped.
const ENDLESS_S: f64 = 10.0 * 365.0 * 86_400.0;

impl SimConfig {
    /// Wall seconds of the run as the schedule counts them.
    pub(crate) fn run_seconds(&self) -> f64 {
        self.seconds.min(ENDLESS_S)
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`SimError::Read`] or [`SimError::Parse`], the latter with line and the keys that exist.
    pub fn from_toml_file(path: &Path) -> Result<Self, SimError> {
        read_toml(path)
    }

    /// Stretches the market clock so that the run spans a whole trading day, from 07:50, before the pre-market, to 20:10,
    /// after the end of the after-market; one symbol is halted for a while.
    pub fn whole_day(mut self) -> Self {
        self.market_start = self.market_start.date().at(7, 50, 0, 0);
        self.time_scale = f64::from(12 * 3600 + 20 * 60) / self.seconds;
        self.halted_symbols = self.halted_symbols.max(1);
        self
    }

    /// Checks the ranges named at the fields.
    ///
    /// # Errors
    /// [`SimError::Config`] with the field, what was found and what is allowed.
    pub fn check(&self) -> Result<(), SimError> {
        let fail = |text: String| Err(SimError::Config(text));
        if self.app_keys.is_empty() {
            return fail("app_keys: found none, expected at least one".into());
        }
        for key in &self.app_keys {
            if key.app_key.len() != 36 || key.app_secret.len() != 180 {
                return fail(format!(
                    "app_keys: found lengths {} and {}, expected 36 and 180",
                    key.app_key.len(),
                    key.app_secret.len()
                ));
            }
        }
        if !(1..=4000).contains(&self.symbols) {
            return fail(format!("symbols: found {}, expected 1 to 4000", self.symbols));
        }
        for (place, code) in self.codes.iter().enumerate() {
            if !(6..=7).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
                return fail(format!("codes: found {code:?}, expected six or seven digits and capital letters"));
            }
            if self.codes[..place].contains(code) {
                return fail(format!("codes: found {code} twice"));
            }
        }
        if !(1..=self.max_records_per_frame).contains(&self.min_records_per_frame) {
            return fail(format!(
                "min_records_per_frame: found {}, expected 1 to {}, as many as a frame has at most",
                self.min_records_per_frame, self.max_records_per_frame
            ));
        }
        if !(1..=20).contains(&self.max_records_per_frame) {
            return fail(format!("max_records_per_frame: found {}, expected 1 to 20", self.max_records_per_frame));
        }
        let positive = [
            ("seconds", self.seconds),
            ("rate", self.rate),
            ("time_scale", self.time_scale),
            ("clock_scale", self.clock_scale),
            ("ping_interval_s", self.ping_interval_s),
            ("silence_cut_s", self.silence_cut_s),
        ];
        for (name, value) in positive {
            let endless = name == "seconds" && value == f64::INFINITY;
            if !endless && (!value.is_finite() || value <= 0.0) {
                return fail(format!("{name}: found {value}, expected a number above 0"));
            }
        }
        if let Some(NoticeConfig { width, .. }) = self.notices
            && !(width == 23 || (26..=64).contains(&width))
        {
            return fail(format!("notices.width: found {width}, expected 23, or 26 to 64"));
        }
        if self.venues.is_empty() {
            return fail("venues: found none, expected krx, nxt or both".into());
        }
        if let Burst::Opening { factor, share } = self.burst
            && !(factor >= 1.0 && share > 0.0 && share < 1.0 && factor * share < 1.0)
        {
            return fail(format!(
                "burst: found factor {factor} over share {share} of the run, expected a factor of at least 1 whose \
                 product with the share stays under 1"
            ));
        }
        Ok(())
    }
}

/// A file's content, or what is wrong with it.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, SimError> {
    let text = std::fs::read_to_string(path).map_err(|source| SimError::Read { path: path.into(), source })?;
    toml::from_str(&text).map_err(|e| SimError::Parse { path: path.into(), message: e.to_string() })
}

/// Whom a venue serves.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// The listed app keys, the TRs that exist, keys of their shape.
    #[default]
    Listed,
    /// Any app key and secret (each key still has one session), for the TRs and keys that exist. Up to 1,024 app keys.
    AnyKey,
    /// Any app key and secret (each key still has one session), any TR id, any key of up to 20 printable characters: for
    /// a source whose symbols are its own. Up to 1,024 app keys.
    Any,
}

/// Credentials of one customer, invented.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppKey {
    /// 36 characters.
    pub app_key: String,
    /// 180 characters.
    pub app_secret: String,
}

impl AppKey {
    /// The first `n` of a fixed list of invented credentials: always the same, so that a client can be configured ahead.
    pub fn generate(n: usize) -> Vec<Self> {
        let text = |rng: &mut Rng, len: usize| -> String {
            const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
            (0..len).map(|_| char::from(LETTERS[rng.below(LETTERS.len() as u64) as usize])).collect()
        };
        (0..n)
            .map(|i| {
                let mut rng = Rng::new(0x5EED_0000 + i as u64);
                Self { app_key: format!("PSsim{}", text(&mut rng, 31)), app_secret: text(&mut rng, 180) }
            })
            .collect()
    }
}

/// Shows the end of the key only.
impl std::fmt::Debug for AppKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tail = self.app_key.get(self.app_key.len().saturating_sub(4)..).unwrap_or("");
        write!(f, "AppKey(..{tail})")
    }
}

/// How the frames of a run are spread over it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Burst {
    /// Evenly.
    None,
    /// From 09:00:00 market time, if that lies in the run, else from its start, frames come `factor` times as fast as
    /// the average for `share` of the run; the rest is slower, so that the average over the run holds.
    Opening {
        /// Multiple of the average rate, at least 1.
        factor: f64,
        /// Share of the run, `0 < share < 1 / factor`.
        share: f64,
    },
}

/// How many rows the master files have.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum MasterSizes {
    /// The traded symbols, and a few rows of every other kind.
    #[default]
    Small,
    /// As many as the real ones: about 80,000 in all.
    Full,
}

/// Which layout the records have.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Widths {
    /// Trades 46, KRX books 59: as the official samples and most clients know them.
    Sample,
    /// Trades 46, KRX books 62, unified books 65: until 2026-09-11.
    #[serde(rename = "before_2026_09_14")]
    Before20260914,
    /// Trades 47, KRX books 63, unified books 66: since 2026-09-14.
    #[serde(rename = "after_2026_09_14")]
    After20260914,
}

/// Width of the NXT book.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum NxtBookWidth {
    /// KRX and NXT mid prices.
    #[serde(rename = "65")]
    Wide65,
    /// NXT mid price only.
    #[serde(rename = "62")]
    Narrow62,
}

/// A venue that executes trades.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "snake_case")]
pub enum VenueName {
    /// Korea Exchange.
    Krx,
    /// Nextrade.
    Nxt,
}

/// When the simulated market opens.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OpenWhen {
    /// At start.
    Immediately,
    /// After a delay from start.
    AfterDelay {
        /// Milliseconds.
        ms: u64,
    },
    /// 100 ms after so many registrations are active over all connections.
    Registrations {
        /// How many.
        count: usize,
    },
    /// When no registration came for so long after the first.
    Quiet {
        /// Milliseconds.
        ms: u64,
    },
}

/// Limits of REST, each switchable; all on by default.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// One token a minute and app key, else HTTP 403 with EGW00133.
    pub token_per_minute: bool,
    /// Approvals that may be asked for at once; they come back at one a second. 0 switches the limit off. Default 100: some
    /// clients ask for one with each of 41 registrations and 41 withdrawals.
    pub approval_burst: u32,
    /// Quotation requests a second and app key, else HTTP 500 with EGW00201. 0 switches the limit off.
    pub requests_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { token_per_minute: true, approval_burst: 100, requests_per_second: 18 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_have_the_lengths_of_real_ones_and_differ() {
        let keys = AppKey::generate(3);
        assert!(keys.iter().all(|k| k.app_key.len() == 36 && k.app_secret.len() == 180));
        assert_ne!(keys[0].app_key, keys[1].app_key);
        assert_eq!(keys[2].app_key, AppKey::generate(3)[2].app_key);
    }

    #[test]
    fn an_unknown_key_is_refused_and_named() {
        let error = toml::from_str::<SimConfig>("ratte = 5").unwrap_err().to_string();
        assert!(error.contains("ratte") && error.contains("rate"), "{error}");
    }

    #[test]
    fn a_burst_that_would_use_more_than_all_frames_is_refused() {
        let config = SimConfig { burst: Burst::Opening { factor: 10.0, share: 0.2 }, ..SimConfig::default() };
        assert!(config.check().is_err());
    }
}
