//! Ranges of the values, and how they must agree.

use super::{Config, ConfigError, KisSubscription, RetentionSection, broker};
use crate::feed::kis::control::is_notice;
use crate::feed::kis::environment::{Environment, MOCK_TRS, is_brokers};
use crate::feed::kis::rest::{check_address, is_mock, is_websocket};
use crate::feed::kis::universe::is_code;
use crate::tick::{Instrument, tr_number};

impl Config {
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
        if let Err(expected) = check_address(&self.kis.rest_url) {
            return refuse("kis.rest_url", self.kis.rest_url.clone(), expected);
        }
        if !is_websocket(&self.kis.ws_url) {
            let expected = "an address as ws://ops.koreainvestment.com:21000: the broker offers no TLS there";
            return refuse("kis.ws_url", self.kis.ws_url.clone(), expected);
        }
        if let Err((field, value, expected)) = broker::check(&self.kis) {
            return refuse(field, value, expected);
        }
        if let Some(time) = &self.kis.market_time {
            if is_brokers(&self.kis.rest_url) || is_brokers(&self.kis.ws_url) {
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
        if let Some(notices) = self.kis.subscribe.iter().find(|subscription| is_notice(&subscription.tr)) {
            let expected = "a transaction of market data: account notices are set up in [kis.notices]";
            return refuse("kis.subscribe.tr", notices.tr.clone(), expected);
        }
        if let Some(wrong) =
            self.kis.subscribe.iter().flat_map(|subscription| &subscription.keys).find(|key| !is_code(key))
        {
            let expected =
                "codes of letters and digits, each by itself, as 005930 or 0074K0; `hoga instruments NAME` finds them";
            return refuse("kis.subscribe.keys", format!("{wrong:?}"), expected);
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
