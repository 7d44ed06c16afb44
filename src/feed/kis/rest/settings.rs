//! `[kis.rest]`: how REST is called.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[kis.rest]`: pace, patience and where keys are kept. Every field has a default.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RestSection {
    /// Calls a second and app key; default 15 on the real server (it allows 18), 0.95 on the mock server (it allows 1), 2.85 for
    /// a new customer (who is allowed 3). More than the broker allows is for simulated venues.
    /// All programs that use an app key share the broker's allowance; those that share `keys_dir` share the pace.
    pub calls_per_second: Option<f64>,
    /// Whether the app keys are in their first three days, in which the broker allows 3 calls a second; default false.
    pub new_customer: bool,
    /// Milliseconds for TCP and TLS to connect; default 3000.
    pub connect_timeout_ms: u64,
    /// Milliseconds from sending a request to the last byte of its answer; default 10000.
    pub answer_timeout_ms: u64,
    /// Seconds that a call may take in all, with its waits for a turn and its retries; default 60. Backfill waits ten times
    /// as long, since others go first.
    pub call_timeout_s: u64,
    /// Times that a call is repeated where the table of codes says so; default 4.
    pub retries_max: u32,
    /// Milliseconds before the first repetition; default 200. It doubles each time, and of each wait a random part is waited.
    pub retry_delay_ms: u64,
    /// Failures in a row to reach the server, after which calls are refused at once; default 5.
    pub breaker_failures: u32,
    /// Milliseconds until one call tries the server again; default 5000. It doubles up to 60000 while that fails.
    pub breaker_pause_ms: u64,
    /// Folder of tokens, approval keys and connects of app keys, mode 0700; default `hoga/keys` in the user's state directory. Programs that share
    /// app keys should share it.
    pub keys_dir: Option<PathBuf>,
    /// Seconds between two issues of a token; default 60 (the broker's limit, and each one sends the customer a message).
    pub token_interval_s: u64,
    /// Seconds between two issues of an approval key; default 60, with the broker at least so many.
    pub approval_interval_s: u64,
    /// Seconds before its expiry from which a key is renewed; default 3600.
    pub renew_before_s: u64,
}

impl Default for RestSection {
    fn default() -> Self {
        RestSection {
            calls_per_second: None,
            new_customer: false,
            connect_timeout_ms: 3_000,
            answer_timeout_ms: 10_000,
            call_timeout_s: 60,
            retries_max: 4,
            retry_delay_ms: 200,
            breaker_failures: 5,
            breaker_pause_ms: 5_000,
            keys_dir: None,
            token_interval_s: 60,
            approval_interval_s: 60,
            renew_before_s: 3_600,
        }
    }
}

/// Calls a second on the real server, below its 18: its second isn't aligned with ours, and a call that was held up on its way
/// comes closer to the next one than it was sent.
const REAL_PER_SECOND: f64 = 15.0;
/// Of 1.
const MOCK_PER_SECOND: f64 = 0.95;
/// Of 3.
const NEW_CUSTOMER_PER_SECOND: f64 = 2.85;

impl RestSection {
    /// Which field is out of its range, what it is, and what it may be.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        if let Some(rate) = self.calls_per_second.filter(|rate| !(0.01..=1_000.0).contains(rate)) {
            return Err(("kis.rest.calls_per_second", rate.to_string(), "0.01 to 1000"));
        }
        let ranges = [
            ("kis.rest.connect_timeout_ms", self.connect_timeout_ms, 1, 600_000, "1 to 600000"),
            ("kis.rest.answer_timeout_ms", self.answer_timeout_ms, 1, 600_000, "1 to 600000"),
            ("kis.rest.call_timeout_s", self.call_timeout_s, 1, 86_400, "1 to 86400"),
            ("kis.rest.retries_max", u64::from(self.retries_max), 0, 20, "0 to 20"),
            ("kis.rest.retry_delay_ms", self.retry_delay_ms, 1, 60_000, "1 to 60000"),
            ("kis.rest.breaker_failures", u64::from(self.breaker_failures), 1, 1_000, "1 to 1000"),
            ("kis.rest.breaker_pause_ms", self.breaker_pause_ms, 1, 60_000, "1 to 60000"),
            ("kis.rest.token_interval_s", self.token_interval_s, 1, 86_400, "1 to 86400, with the broker at least 60"),
            (
                "kis.rest.approval_interval_s",
                self.approval_interval_s,
                1,
                86_400,
                "1 to 86400, with the broker at least 60",
            ),
            ("kis.rest.renew_before_s", self.renew_before_s, 0, 43_200, "0 to 43200"),
        ];
        match ranges.iter().find(|(_, value, least, most, _)| !(least..=most).contains(&value)) {
            Some((field, value, _, _, expected)) => Err((field, value.to_string(), expected)),
            None => Ok(()),
        }
    }

    /// Calls a second and app key on a server.
    pub fn pace(&self, rest_url: &str) -> f64 {
        let usual = if is_mock(rest_url) { MOCK_PER_SECOND } else { REAL_PER_SECOND };
        let least = if self.new_customer { usual.min(NEW_CUSTOMER_PER_SECOND) } else { usual };
        self.calls_per_second.unwrap_or(least)
    }

    /// The folder of the keys.
    pub fn keys_folder(&self) -> Option<PathBuf> {
        let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = || set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        self.keys_dir.clone().or_else(|| Some(state()?.join("hoga/keys")))
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }
}

/// Whether an address is the broker's server for paper trading.
pub fn is_mock(rest_url: &str) -> bool {
    rest_url.contains("openapivts.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_server_and_customer_unless_it_is_set() {
        let section = RestSection::default();
        let (real, mock) = ("https://openapi.koreainvestment.com:9443", "https://openapivts.koreainvestment.com:29443");
        assert_eq!((section.pace(real), section.pace(mock)), (15.0, 0.95));
        let new = RestSection { new_customer: true, ..RestSection::default() };
        assert_eq!((new.pace(real), new.pace(mock)), (2.85, 0.95));
        assert_eq!(RestSection { calls_per_second: Some(7.5), ..new }.pace(real), 7.5);
    }

    #[test]
    fn a_value_out_of_its_range_is_named() {
        assert_eq!(RestSection::default().check(), Ok(()));
        let wrong = RestSection { breaker_failures: 0, ..RestSection::default() };
        assert_eq!(wrong.check().unwrap_err().0, "kis.rest.breaker_failures");
        let wrong = RestSection { calls_per_second: Some(f64::NAN), ..RestSection::default() };
        assert_eq!(wrong.check().unwrap_err().0, "kis.rest.calls_per_second");
    }
}
