//! `[kis]`, `[[kis.account]]` and `[[kis.subscribe]]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::clock::{MarketClock, wall_ns};
use crate::feed::kis::account::NoticesSection;
use crate::feed::kis::environment::Environment;
use crate::feed::kis::rest::RestSection;
use crate::feed::kis::session::SessionSection;
use crate::market::kst;
use crate::secret::Credentials;

/// `[kis]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KisSection {
    /// `real` (default), `mock` or `simulator`: hosts, ports, TLS, pace, and what may be registered.
    #[serde(default)]
    pub environment: Environment,
    /// REST base address, `http` for this host alone; default that of the environment, of the real server `https://openapi.koreainvestment.com:9443`.
    #[serde(default)]
    pub rest_url: String,
    /// WebSocket address; default that of the environment, of the real server `ws://ops.koreainvestment.com:21000`.
    #[serde(default)]
    pub ws_url: String,
    /// Milliseconds between two registrations on one connection; default 100 (KIS asks for pacing). At least 1, with the
    /// broker 50.
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

impl KisSection {
    /// Fills in what the environment says and the file leaves open.
    pub(super) fn complete(&mut self) {
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

impl KisSubscription {
    /// Whether some of its keys stand elsewhere.
    pub fn names_lists(&self) -> bool {
        self.file.is_some() || self.index.is_some() || self.top_by_turnover.is_some()
    }
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
