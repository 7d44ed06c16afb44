//! Configuration: every field with unit, default and trade-off; checked once, then immutable.
//!
//! The file is TOML. Unknown keys are refused with a suggestion; secrets are named, never written: an environment
//! variable or a file of mode 0600 holds them. `examples/hoga.toml` shows every field.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::{MarketClock, wall_ns};
use crate::feed::kis::account::NoticesSection;
use crate::feed::kis::environment::{Environment, MOCK_TRS};
use crate::feed::kis::rest::{RestSection, is_mock};
use crate::feed::kis::session::SessionSection;
use crate::journal::Durability;
use crate::market::kst;
use crate::secret::{Credentials, SecretError};
use crate::stage::WaitStrategy;
use crate::tick::{Instrument, tr_number};

/// The whole configuration of an engine.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where and how ticks and frames are kept.
    pub journal: JournalSection,
    /// Threads, rings, limits.
    #[serde(default)]
    pub engine: EngineSection,
    /// What becomes of days that are over.
    #[serde(default)]
    pub retention: RetentionSection,
    /// Korea Investment & Securities.
    pub kis: KisSection,
}

/// `[retention]`: carried out by a thread of the lowest priority after the trading day has changed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    /// Whether days that are over are sealed (digests, summaries, manifest); default true. Off turns all of this off.
    pub seal: bool,
    /// Days after which sealed segments are compressed, at least 1; default never. Reading them costs more processor time,
    /// they take a fifth of the space.
    pub compress_after_days: Option<u32>,
    /// Trading days to keep, at least 2: older sealed ones are DELETED, but for those under legal hold; default all.
    pub keep_days: Option<u32>,
    /// Bytes of segment files to keep: the oldest sealed days beyond are DELETED, but for those under legal hold; default
    /// all.
    pub keep_bytes: Option<u64>,
}

impl Default for RetentionSection {
    fn default() -> Self {
        RetentionSection { seal: true, compress_after_days: None, keep_days: None, keep_bytes: None }
    }
}

/// `[journal]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct JournalSection {
    /// Folder of the journal; made when it is not there. One engine at a time writes to it.
    pub dir: PathBuf,
    /// MiB a segment file; default 128, 1 to 2047. Larger: fewer rolls; smaller: less space allocated ahead (the
    /// segment in use and the next one a stream, two where a segment lasts less than a second).
    #[serde(default = "default_segment_mib")]
    pub segment_mib: u32,
    /// Whether every inbound frame is kept verbatim in stream `raw`; default true. Off saves about half of the space and
    /// loses what a broker adds before this program knows it.
    #[serde(default = "default_true")]
    pub raw: bool,
    /// MiB free on the journal's file system below which a warning is given, in the log, in `hoga stat` and as a record;
    /// default 1024: four segments of 128 MiB for each stream. 0: never.
    #[serde(default = "default_low_space_mib")]
    pub low_space_mib: u64,
    /// Seconds that lines wait unread for a segment the disk is late with, before recording is stopped; default 30, 1 to
    /// 3600. Longer survives slower disks, but the broker gives a line up after some 100 s of silence.
    #[serde(default = "default_slow_disk_seconds")]
    pub slow_disk_seconds: u64,
    /// What survives the host's death: `process` (default), `periodic:MS` (on the disk at most that many milliseconds
    /// after the commit, 2 to 60000) or `group` (syncs without a pause). The writer waits for none of them; syncing more
    /// costs the disk, and page faults of the writer.
    #[serde(default)]
    pub durability: Durability,
}

impl Default for JournalSection {
    /// The defaults, in the folder `journal`.
    fn default() -> Self {
        JournalSection {
            dir: PathBuf::from("journal"),
            segment_mib: default_segment_mib(),
            raw: true,
            low_space_mib: default_low_space_mib(),
            slow_disk_seconds: default_slow_disk_seconds(),
            durability: Durability::Process,
        }
    }
}

/// `[engine]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// `fused`: reader, parser and journal on one thread, least latency for one core; `split`: a thread each, most
    /// throughput; `auto` (default): split where the process may use four cores or more.
    pub placement: Placement,
    /// What hot threads do without work: `spin`, `yield` (default) or `park`.
    pub wait: WaitStrategy,
    /// Cores to pin hot threads to, in the order reader, parser, journal; empty (default): not pinned. Name isolated cores
    /// where there are some.
    pub cores: Vec<usize>,
    /// MiB of the ring from reader to parser (split only); default 8. When it is full the reader leaves bytes in the
    /// socket.
    pub frame_ring_mib: u32,
    /// MiB of the ring from parser to journal (split only); default 8.
    pub record_ring_mib: u32,
    /// Instruments the journal can hold; default 16384. One more is rejected, and said so.
    pub max_instruments: u32,
    /// Largest message, KiB; default 1024. A larger one closes the connection with code 1009.
    pub max_message_kib: u32,
    /// Whether hot threads park while no venue subscribed to has a session or will soon, whatever `wait` says; default true.
    pub park_when_closed: bool,
    /// Seconds before a venue opens at which they wait as `wait` says again; default 300.
    pub wake_before_open_s: u64,
    /// Slots of the inbox of cold threads; default 1024. When it is full they wait
    /// a moment, then the record is left out and counted.
    pub inbox_slots: usize,
}

/// Where the stages run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// By the cores the process may use.
    #[default]
    Auto,
    /// All stages on one thread.
    Fused,
    /// One thread a stage.
    Split,
}

/// By the names of the configuration.
impl std::str::FromStr for Placement {
    type Err = serde::de::value::Error;

    fn from_str(name: &str) -> Result<Placement, Self::Err> {
        Placement::deserialize(serde::de::IntoDeserializer::into_deserializer(name))
    }
}

/// `[kis]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KisSection {
    /// `real` (default), `mock` or `simulator`: hosts, ports, TLS, pace, and what may be registered.
    #[serde(default)]
    pub environment: Environment,
    /// REST base address; default that of the environment, of the real server `https://openapi.koreainvestment.com:9443`.
    #[serde(default)]
    pub rest_url: String,
    /// WebSocket address; default that of the environment, of the real server `ws://ops.koreainvestment.com:21000`.
    #[serde(default)]
    pub ws_url: String,
    /// Milliseconds between two registrations on one connection; default 100 (KIS asks for pacing). At least 1.
    #[serde(default = "default_pace_ms")]
    pub subscribe_pace_ms: u64,
    /// Registrations one app key may hold; default 41 (the broker's limit).
    #[serde(default = "default_registrations")]
    pub max_registrations: usize,
    /// How REST is called.
    #[serde(default)]
    pub rest: RestSection,
    /// How sessions are watched and how often they may be begun.
    #[serde(default)]
    pub session: SessionSection,
    /// File of corrections of the calendar, as of `hoga calendar --overrides`; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar_overrides: Option<PathBuf>,
    /// Market time of a simulated venue; default none: market time is wall time. Refused with the broker's own hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market_time: Option<MarketTime>,
    /// Account notices; default none are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices: Option<NoticesSection>,
    /// App keys, one connection each. The subscriptions are spread over them.
    pub account: Vec<KisAccount>,
    /// What to record.
    pub subscribe: Vec<KisSubscription>,
}

/// `kis.market_time`: the day a simulated venue plays, for tests and trials alone.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct MarketTime {
    /// Market time (KST) when the engine starts, e.g. `2026-11-20T08:45:00`.
    pub start: String,
    /// Market seconds a wall second; default 1.
    #[serde(default = "default_scale")]
    pub scale: f64,
}

impl MarketTime {
    /// The clock that starts now; `None` when `start` is no date and time.
    pub fn clock(&self) -> Option<MarketClock> {
        let start: jiff::civil::DateTime = self.start.parse().ok()?;
        let anchor_market_ns = u64::try_from(kst::timestamp(start)?.as_nanosecond()).ok()?;
        Some(MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale: self.scale })
    }
}

/// `[[kis.account]]`: names where an app key is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct KisAccount {
    /// A name for logs; not the account number.
    pub name: String,
    /// Environment variable that holds the app key.
    pub app_key_env: Option<String>,
    /// Environment variable that holds the app secret.
    pub app_secret_env: Option<String>,
    /// File of mode 0600 with `app_key = "..."` and `app_secret = "..."`.
    pub credentials_file: Option<PathBuf>,
}

/// `[[kis.subscribe]]`: one transaction and its keys, which may come from several lists at once; a code named twice is one.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KisSubscription {
    /// Transaction, e.g. `H0STCNT0` (trades on KRX) or `H0STASP0` (books on KRX).
    pub tr: String,
    /// Keys: symbols, index codes; one registration each. May be called `symbols`.
    #[serde(default, alias = "symbols")]
    pub keys: Vec<String>,
    /// File of codes, one a line, comments after `#`; seen from the working directory.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Members of an index, e.g. `KOSPI200`.
    #[serde(default)]
    pub index: Option<String>,
    /// So many of the stocks that turned over most won, by the broker's ranking when the recorder starts or reads its
    /// configuration again. The ranking has 30 rows.
    #[serde(default)]
    pub top_by_turnover: Option<u32>,
    /// Whether `keys` holds the codes of all lists.
    #[serde(skip)]
    pub is_resolved: bool,
    /// 0 (default) to 255: what is higher is registered first, and stays when there is no room for all.
    #[serde(default)]
    pub priority: u8,
}

fn default_segment_mib() -> u32 {
    128
}
fn default_low_space_mib() -> u64 {
    1024
}
fn default_slow_disk_seconds() -> u64 {
    30
}
fn default_true() -> bool {
    true
}
fn default_pace_ms() -> u64 {
    100
}
fn default_scale() -> f64 {
    1.0
}
fn default_registrations() -> usize {
    41
}

impl Default for EngineSection {
    fn default() -> Self {
        EngineSection {
            placement: Placement::Auto,
            wait: WaitStrategy::Yield,
            cores: Vec::new(),
            frame_ring_mib: 8,
            record_ring_mib: 8,
            max_instruments: 16_384,
            max_message_kib: 1024,
            park_when_closed: true,
            wake_before_open_s: 300,
            inbox_slots: 1024,
        }
    }
}

/// Why a configuration is refused; says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("configuration {path}: {source}; `hoga init` writes one to start from")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML of the expected shape.
    #[error("configuration {path}: {message}{suggestion}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        message: String,
        /// "did you mean", or empty.
        suggestion: String,
    },
    /// A value is out of its range.
    #[error("configuration: {field} = {value}: {expected}")]
    Value {
        /// Path of the field.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// Credentials can't be had.
    #[error("account {account}: {source}")]
    Secret {
        /// Name of the account.
        account: String,
        /// Why.
        source: SecretError,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what to do.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Config::parse(path, &text)
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what to do.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text).map_err(|error| parse_error(path, text, &error))?;
        config.kis.complete();
        config.check()?;
        Ok(config)
    }

    /// Checks that the lists that `[[kis.subscribe]]` names were looked up ([`universe::resolve`]).
    ///
    /// # Errors
    ///
    /// The first that wasn't.
    ///
    /// [`universe::resolve`]: crate::feed::kis::universe::resolve
    pub fn check_resolved(&self) -> Result<(), ConfigError> {
        match self.kis.subscribe.iter().find(|subscription| subscription.names_lists() && !subscription.is_resolved) {
            None => Ok(()),
            Some(subscription) => Err(ConfigError::Value {
                field: "kis.subscribe",
                value: subscription.tr.clone(),
                expected: "its lists must be looked up before it is recorded: feed::kis::universe::resolve".to_owned(),
            }),
        }
    }

    /// Checks the ranges and relations of the values.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, value: String, expected: &str| {
            Err(ConfigError::Value { field, value, expected: expected.to_owned() })
        };
        let engine = &self.engine;
        if !(1..=2047).contains(&self.journal.segment_mib) {
            return refuse("journal.segment_mib", self.journal.segment_mib.to_string(), "1 to 2047");
        }
        if self.journal.low_space_mib > 1 << 32 {
            return refuse("journal.low_space_mib", self.journal.low_space_mib.to_string(), "0 to 4294967296");
        }
        if !(1..=3600).contains(&self.journal.slow_disk_seconds) {
            return refuse("journal.slow_disk_seconds", self.journal.slow_disk_seconds.to_string(), "1 to 3600");
        }
        if !(64..=65_536).contains(&engine.max_message_kib) {
            return refuse("engine.max_message_kib", engine.max_message_kib.to_string(), "64 to 65536");
        }
        let message_kib = u64::from(engine.max_message_kib);
        if u64::from(engine.frame_ring_mib) * 1024 < message_kib * 2 || engine.frame_ring_mib > 4096 {
            let expected = "at least twice max_message_kib and at most 4096 MiB";
            return refuse("engine.frame_ring_mib", engine.frame_ring_mib.to_string(), expected);
        }
        // One frame may become as many words as it has bytes in a reject, or 999 records: just under 1 MiB of them.
        let record_ring_kib = u64::from(engine.record_ring_mib) * 1024;
        // A segment begins with all definitions, and the largest message must fit behind them.
        let definitions_kib = u64::from(engine.max_instruments) * size_of::<Instrument>() as u64 / 1024;
        let needed_kib = definitions_kib + u64::from(engine.max_message_kib) + 64;
        if u64::from(self.journal.segment_mib) * 1024 < needed_kib {
            let expected = format!(
                "at least {}, for engine.max_instruments definitions and a message of engine.max_message_kib",
                needed_kib.div_ceil(1024)
            );
            return refuse("journal.segment_mib", self.journal.segment_mib.to_string(), &expected);
        }
        if !(4..=4096).contains(&engine.record_ring_mib) || record_ring_kib < message_kib + 1024 {
            let expected = "4 to 4096, and at least 1 MiB more than max_message_kib";
            return refuse("engine.record_ring_mib", engine.record_ring_mib.to_string(), expected);
        }
        if engine.max_instruments == 0 || engine.inbox_slots == 0 {
            return refuse("engine.max_instruments, engine.inbox_slots", "0".to_owned(), "at least 1");
        }
        let retention = &self.retention;
        if retention.compress_after_days == Some(0) || retention.keep_days.is_some_and(|days| days < 2) {
            let expected = "compress_after_days at least 1, keep_days at least 2: the day recorded is among them";
            return refuse("retention", format!("{retention:?}"), expected);
        }
        if !retention.seal && *retention != (RetentionSection { seal: false, ..RetentionSection::default() }) {
            return refuse("retention.seal", "false".to_owned(), "true: only sealed days are compressed or deleted");
        }
        if self.kis.subscribe_pace_ms == 0 {
            return refuse(
                "kis.subscribe_pace_ms",
                "0".to_owned(),
                "at least 1: the broker blocks bursts of registrations",
            );
        }
        if let Err((field, value, expected)) = self.kis.rest.check() {
            return refuse(field, value, expected);
        }
        if let Err((field, value, expected)) = self.kis.session.check() {
            return refuse(field, value, expected);
        }
        if let Some(time) = &self.kis.market_time {
            let is_real = |url: &str| url.contains("koreainvestment.com");
            if is_real(&self.kis.rest_url) || is_real(&self.kis.ws_url) {
                let expected = "none: at the broker's hosts market time is wall time; this is for a simulated venue";
                return refuse("kis.market_time", time.start.clone(), expected);
            }
            if time.clock().is_none() {
                return refuse("kis.market_time.start", time.start.clone(), "a date and time as 2026-11-20T08:45:00");
            }
            if !(0.001..=100_000.0).contains(&time.scale) {
                return refuse("kis.market_time.scale", time.scale.to_string(), "0.001 to 100000");
            }
        }
        if engine.wake_before_open_s > 86_400 {
            return refuse("engine.wake_before_open_s", engine.wake_before_open_s.to_string(), "0 to 86400");
        }
        if self.kis.max_registrations == 0 {
            return refuse("kis.max_registrations", "0".to_owned(), "at least 1; the broker allows 41");
        }
        if self.kis.account.is_empty() {
            return refuse("kis.account", "[]".to_owned(), "at least one [[kis.account]]");
        }
        if let Some(unknown) = self.kis.subscribe.iter().find(|subscription| tr_number(&subscription.tr).is_none()) {
            return refuse("kis.subscribe.tr", unknown.tr.clone(), "a transaction of KIS, e.g. H0STCNT0 or H0STASP0");
        }
        if let Some(zero) = self.kis.subscribe.iter().find(|subscription| subscription.top_by_turnover == Some(0)) {
            return refuse("kis.subscribe.top_by_turnover", "0".to_owned(), &format!("at least 1, of {}", zero.tr));
        }
        if Environment::are_mixed(&self.kis.rest_url, &self.kis.ws_url) {
            let found = format!("{} and {}", self.kis.rest_url, self.kis.ws_url);
            return refuse("kis.rest_url, kis.ws_url", found, "both of the real server or both of the mock server");
        }
        if self.kis.environment == Environment::Mock || is_mock(&self.kis.rest_url) {
            let known = |subscription: &&KisSubscription| MOCK_TRS.contains(&subscription.tr.as_str());
            if let Some(unknown) = self.kis.subscribe.iter().find(|subscription| !known(subscription)) {
                let expected = format!("the mock server knows {} alone", MOCK_TRS.join(", "));
                return refuse("kis.subscribe.tr", unknown.tr.clone(), &expected);
            }
            if let Some(ranked) = self.kis.subscribe.iter().find_map(|subscription| subscription.top_by_turnover) {
                let expected = "keys, a file or an index: the mock server has no ranking";
                return refuse("kis.subscribe.top_by_turnover", ranked.to_string(), expected);
            }
        }
        if let Some(notices) = &self.kis.notices {
            let names: Vec<String> = self.kis.account.iter().map(|account| account.name.clone()).collect();
            if let Err((field, value, expected)) = notices.check(&names) {
                return refuse(field, value, expected);
            }
        }
        let wanted: usize = self.kis.subscribe.iter().map(|subscription| subscription.keys.len()).sum();
        let of_notices = self.kis.notices.as_ref().map_or(0, |notices| notices.trs.len().max(1));
        let room = (self.kis.account.len() * self.kis.max_registrations).saturating_sub(of_notices);
        let names_lists = self.kis.subscribe.iter().any(KisSubscription::names_lists);
        if wanted == 0 && !names_lists {
            return refuse("kis.subscribe", "[]".to_owned(), "at least one [[kis.subscribe]] with keys or a list");
        }
        // Of lists the first codes are kept: a ranking begins with the highest.
        let is_ranked = names_lists || self.kis.subscribe.iter().any(|subscription| subscription.priority > 0);
        if wanted > room && !is_ranked {
            let expected = format!(
                "at most {room} registrations ({} app keys x {}): add a [[kis.account]], drop keys, or say by `priority` \
                 which are kept",
                self.kis.account.len(),
                self.kis.max_registrations
            );
            return refuse("kis.subscribe", format!("{wanted} registrations"), &expected);
        }
        Ok(())
    }
}

impl KisSection {
    /// Fills in what the environment says and the file leaves open.
    fn complete(&mut self) {
        let environment = self.environment;
        for (url, usual) in [(&mut self.rest_url, environment.rest_url()), (&mut self.ws_url, environment.ws_url())] {
            if url.is_empty() {
                usual.clone_into(url);
            }
        }
        if environment == Environment::Mock && self.rest.calls_per_second.is_none() {
            self.rest.calls_per_second = Some(self.rest.pace(environment.rest_url()));
        }
    }
}

impl KisSubscription {
    /// Whether some of its keys stand elsewhere.
    pub fn names_lists(&self) -> bool {
        self.file.is_some() || self.index.is_some() || self.top_by_turnover.is_some()
    }
}

impl KisAccount {
    /// Fetches the credentials from where they are kept.
    pub fn credentials(&self) -> Result<Credentials, ConfigError> {
        let refused = |source| ConfigError::Secret { account: self.name.clone(), source };
        match (&self.app_key_env, &self.app_secret_env, &self.credentials_file) {
            (Some(key), Some(secret), None) => Credentials::from_env(key, secret).map_err(refused),
            (None, None, Some(file)) => Credentials::from_file(file).map_err(refused),
            _ => Err(ConfigError::Value {
                field: "kis.account",
                value: self.name.clone(),
                expected: "either app_key_env and app_secret_env, or credentials_file".to_owned(),
            }),
        }
    }
}

/// The parser's error with its place, and the nearest known key where it met an unknown one.
///
/// The line itself is not quoted: somebody may have written a secret into it.
fn parse_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    let mut suggestion = String::new();
    if error.message().starts_with("unknown field")
        && let Some(unknown) = quoted.next()
    {
        let nearest = quoted
            .map(|known| (strsim::jaro_winkler(unknown, known), known))
            .max_by(|left, right| left.0.total_cmp(&right.0))
            .filter(|(likeness, _)| *likeness > 0.75);
        suggestion = match nearest {
            _ if unknown == "app_key" || unknown == "app_secret" => {
                "\nsecrets never stand in the configuration: name an environment variable (app_key_env, app_secret_env) \
                 or a credentials_file"
                    .to_owned()
            }
            Some((_, known)) => format!("\ndid you mean `{known}`?"),
            None => String::new(),
        };
    }
    let message = format!("line {line}: {}", error.message());
    ConfigError::Parse { path: path.to_owned(), message, suggestion }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(file.path())
    }

    const GOOD: &str = "[journal]\ndir = \"j\"\n[kis]\n[[kis.account]]\nname = \"a\"\ncredentials_file = \"f\"\n\
                        [[kis.subscribe]]\ntr = \"H0STCNT0\"\nkeys = [\"005930\"]\n";

    #[test]
    fn the_least_configuration_takes_every_default() {
        let config = load(GOOD).unwrap();
        assert_eq!(config.engine, EngineSection::default());
        assert_eq!(config.retention, RetentionSection::default());
        assert_eq!((config.journal.segment_mib, config.journal.raw, config.kis.max_registrations), (128, true, 41));
    }

    #[test]
    fn durability_is_a_word_and_a_wrong_one_says_what_it_may_be() {
        use std::time::Duration;
        let with = |word: &str| load(&GOOD.replace("dir = \"j\"", &format!("dir = \"j\"\ndurability = \"{word}\"")));
        for (word, durability) in [
            ("process", Durability::Process),
            ("periodic:100", Durability::Periodic(Duration::from_millis(100))),
            ("group", Durability::Group),
        ] {
            assert_eq!(with(word).unwrap().journal.durability, durability);
            assert_eq!(String::from(durability), word);
        }
        assert_eq!(load(GOOD).unwrap().journal.durability, Durability::Process);
        for wrong in ["periodic", "periodic:1", "periodic:60001", "fsync"] {
            let error = with(wrong).unwrap_err().to_string();
            assert!(error.contains("expected \"process\", \"periodic:MS\""), "{error}");
        }
    }

    #[test]
    fn one_word_sets_hosts_and_pace_and_a_host_that_is_named_stays() {
        let with = |lines: &str| load(&GOOD.replace("[kis]", &format!("[kis]\n{lines}"))).unwrap().kis;
        for (word, rest_url, ws_url, pace) in [
            ("real", "https://openapi.koreainvestment.com:9443", "ws://ops.koreainvestment.com:21000", 15.0),
            ("mock", "https://openapivts.koreainvestment.com:29443", "ws://ops.koreainvestment.com:31000", 1.0),
            ("simulator", "http://127.0.0.1:9443", "ws://127.0.0.1:21000", 15.0),
        ] {
            let kis = with(&format!("environment = \"{word}\""));
            assert_eq!((kis.rest_url.as_str(), kis.ws_url.as_str()), (rest_url, ws_url));
            assert_eq!(kis.rest.pace(&kis.rest_url), pace, "{word}");
        }
        assert_eq!(load(GOOD).unwrap().kis.environment, Environment::Real);
        let kis = with("environment = \"mock\"\nrest_url = \"http://10.0.0.1:1\"\nrest.calls_per_second = 2.0");
        assert_eq!((kis.rest_url.as_str(), kis.rest.pace(&kis.rest_url)), ("http://10.0.0.1:1", 2.0));
        assert_eq!(
            with("environment = \"mock\"\nrest_url = \"http://10.0.0.1:1\"").rest.pace("http://10.0.0.1:1"),
            1.0
        );
    }

    #[test]
    fn the_mock_server_is_not_asked_for_what_it_does_not_know() {
        let mock = GOOD.replace("[kis]", "[kis]\nenvironment = \"mock\"");
        load(&mock).unwrap();
        let error = load(&mock.replace("H0STCNT0", "H0NXCNT0")).unwrap_err().to_string();
        assert!(error.contains("the mock server knows H0STCNT0, H0STASP0"), "{error}");
        let error = load(&mock.replace("keys = [\"005930\"]", "top_by_turnover = 5")).unwrap_err().to_string();
        assert!(error.contains("no ranking"), "{error}");
    }

    #[test]
    fn lists_may_stand_in_place_of_keys_and_of_more_than_fit_the_first_are_kept() {
        let keys = "keys = [\"005930\"]";
        let symbols = load(&GOOD.replace(keys, "symbols = [\"005930\"]")).unwrap();
        assert_eq!(symbols, load(GOOD).unwrap());
        for list in ["file = \"watch.txt\"", "index = \"KOSPI200\"", "top_by_turnover = 30"] {
            let config = load(&GOOD.replace(keys, list)).unwrap();
            assert!(config.check_resolved().unwrap_err().to_string().contains("looked up"));
            let mut config = config;
            config.kis.subscribe[0].keys = (0..200).map(|code| format!("{code:06}")).collect();
            config.kis.subscribe[0].is_resolved = true;
            config.check().unwrap();
            config.check_resolved().unwrap();
        }
    }

    #[test]
    fn the_documented_example_loads() {
        Config::load(Path::new("examples/hoga.toml")).unwrap();
    }

    #[test]
    fn a_retention_that_would_delete_the_day_recorded_or_what_is_not_sealed_is_refused() {
        let with = |lines: &str| load(&GOOD.replace("[kis]", &format!("[retention]\n{lines}\n[kis]")));
        assert_eq!(with("keep_bytes = 3_000").unwrap().retention.keep_bytes, Some(3000));
        for wrong in ["keep_days = 1", "compress_after_days = 0", "seal = false\nkeep_days = 9"] {
            assert!(with(wrong).unwrap_err().to_string().contains("retention"), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let error = load(&GOOD.replace("dir = \"j\"", "dir = \"j\"\nsegmnt_mib = 4")).unwrap_err().to_string();
        assert!(error.contains("did you mean `segment_mib`?") && error.contains("line"), "{error}");
    }

    #[test]
    fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
        let error = load(&GOOD.replace("name = \"a\"", "name = \"a\"\napp_key = \"PShunter2\"")).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("app_key_env") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn rings_that_could_not_hold_the_largest_frame_are_refused() {
        for (ring, expected) in [
            ("frame_ring_mib = 4000000000", "at most 4096 MiB"),
            ("frame_ring_mib = 8\nrecord_ring_mib = 4\nmax_message_kib = 4096", "1 MiB more than max_message_kib"),
        ] {
            let error = load(&format!("{GOOD}[engine]\n{ring}\n")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        load(&format!("{GOOD}[engine]\nframe_ring_mib = 6\nrecord_ring_mib = 4\nmax_message_kib = 3072\n")).unwrap();
    }

    #[test]
    fn more_than_the_app_keys_hold_is_refused_unless_it_is_said_what_is_kept() {
        let crowded =
            GOOD.replace("[kis]", "[kis]\nmax_registrations = 1").replace("\"005930\"", "\"005930\", \"000660\"");
        let error = load(&crowded).unwrap_err().to_string();
        assert!(error.contains("at most 1 registrations") && error.contains("`priority`"), "{error}");
        load(&format!("{crowded}priority = 1\n")).unwrap();
    }

    #[test]
    fn values_out_of_range_say_what_they_may_be() {
        for (from, to, expected) in [
            ("dir = \"j\"", "dir = \"j\"\nsegment_mib = 0", "1 to 2047"),
            ("dir = \"j\"", "dir = \"j\"\nsegment_mib = 2", "at least 3"),
            ("\"H0STCNT0\"", "\"H0STCNT9\"", "transaction"),
            ("keys = [\"005930\"]", "keys = []", "at least one"),
            ("keys = [\"005930\"]", "top_by_turnover = 0", "at least 1"),
            ("[kis]", "[kis]\nenvironment = \"paper\"", "expected one of `real`, `mock`, `simulator`"),
            ("[kis]", "[kis]\nws_url = \"ws://ops.koreainvestment.com:31000\"", "both of the real server"),
            ("[kis]", "[kis]\nrest.retries_max = 99", "0 to 20"),
            ("[kis]", "[kis]\nmax_registrations = 0", "at least 1"),
            ("[kis]", "[kis]\nmarket_time = { start = \"2026-11-20T08:45:00\" }", "simulated venue"),
            (
                "[kis]",
                "[kis]\nrest_url = \"http://127.0.0.1:1\"\nws_url = \"ws://127.0.0.1:2\"\nmarket_time = { start = \"nine\" }",
                "2026-11-20T08:45:00",
            ),
            ("[\"005930\"]", "[\"005930\", \"000660\"]\n[kis.session]\nsilence_s = 5", "at least 15"),
        ] {
            let error = load(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
