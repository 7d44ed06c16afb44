//! Intervals: their length, and where they begin.

use std::str::FromStr;

use hoga::market::kst::{self, DAY_NS, KST_NS, TRADING_DAY_NS};

const SECOND_NS: u64 = 1_000_000_000;

/// Length of the intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    ns: u64,
    is_day: bool,
}

/// Why a text names no length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no length of a bar: expected seconds, minutes or hours that divide a day (1s, 30s, 1m, 5m, 1h), or `day`"
)]
pub struct EveryError(String);

impl FromStr for Every {
    type Err = EveryError;

    fn from_str(text: &str) -> Result<Every, EveryError> {
        let wrong = || EveryError(text.to_owned());
        if matches!(text, "day" | "1d") {
            return Ok(Every { ns: DAY_NS, is_day: true });
        }
        let unit = match text.as_bytes().last() {
            Some(b's') => SECOND_NS,
            Some(b'm') => 60 * SECOND_NS,
            Some(b'h') => 3600 * SECOND_NS,
            _ => return Err(wrong()),
        };
        let digits = &text[..text.len() - 1];
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let count: u64 = if plain { digits.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
        let ns = count.checked_mul(unit).filter(|ns| *ns > 0 && DAY_NS.is_multiple_of(*ns) && *ns < DAY_NS);
        Ok(Every { ns: ns.ok_or_else(wrong)?, is_day: false })
    }
}

impl Every {
    /// Nanoseconds.
    pub fn ns(self) -> u64 {
        self.ns
    }

    /// Beginning of the interval that holds an instant, both in nanoseconds since the UNIX epoch. That of a day is 07:00.
    pub(super) fn start_of(self, ts: u64) -> u64 {
        let shift = if self.is_day { KST_NS - TRADING_DAY_NS } else { KST_NS };
        let local = ts.saturating_add(shift);
        (local - local % self.ns).saturating_sub(shift)
    }

    /// End of the last interval whose beginning, as it is shown, lies before an instant.
    pub(super) fn last_end(self, to: u64) -> u64 {
        let shift = if self.is_day { TRADING_DAY_NS } else { 0 };
        self.start_of(to.saturating_add(shift).saturating_sub(1)).saturating_add(self.ns)
    }

    /// The beginning as it is shown: of a day, its midnight.
    pub(super) fn shown(self, start: u64) -> u64 {
        if self.is_day { start.saturating_sub(TRADING_DAY_NS) } else { start }
    }
}

/// The number of the trading day that holds an instant.
pub(super) fn trading_day(ts: u64) -> u64 {
    (ts.saturating_add(KST_NS - TRADING_DAY_NS)) / DAY_NS
}

/// Korean date (decimal YYYYMMDD) and second since midnight of an instant. Remembers the last date: records of one date
/// come in millions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KoreanTime {
    day: u64,
    date: u32,
}

impl KoreanTime {
    pub(super) fn of(&mut self, ts: u64) -> (u32, u32) {
        let local = ts.saturating_add(KST_NS);
        let (day, second) = (local / DAY_NS, (local % DAY_NS / SECOND_NS) as u32);
        if day != self.day || self.date == 0 {
            self.date = kst::number_of(kst::civil(ts).date());
            self.day = day;
        }
        (self.date, second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T00:00:00 in Korea.
    const MIDNIGHT: u64 = 1_795_100_400 * SECOND_NS;

    #[test]
    fn intervals_are_cut_at_korean_wall_time() {
        let at = |every: &str, ns| every.parse::<Every>().unwrap().start_of(ns);
        let nine = MIDNIGHT + 9 * 3600 * SECOND_NS;
        assert_eq!(at("1m", nine + 61 * SECOND_NS + 5), nine + 60 * SECOND_NS);
        assert_eq!(at("5m", nine + 299 * SECOND_NS), nine);
        assert_eq!(at("1h", nine - 1), nine - 3600 * SECOND_NS);
        assert_eq!(at("6h", nine), MIDNIGHT + 6 * 3600 * SECOND_NS);
    }

    #[test]
    fn a_day_bar_is_of_the_trading_day_and_shows_its_midnight() {
        let day: Every = "day".parse().unwrap();
        for hour in [7, 9, 20, 23, 24 + 6] {
            let start = day.start_of(MIDNIGHT + hour * 3600 * SECOND_NS);
            assert_eq!(day.shown(start), MIDNIGHT, "{hour}");
        }
        assert_eq!(day.shown(day.start_of(MIDNIGHT + 6 * 3600 * SECOND_NS)), MIDNIGHT - DAY_NS);
    }

    #[test]
    fn a_range_ends_with_the_last_interval_that_begins_in_it() {
        let end = |every: &str, to| every.parse::<Every>().unwrap().last_end(to);
        let nine = MIDNIGHT + 9 * 3600 * SECOND_NS;
        assert_eq!(end("1m", nine), nine);
        assert_eq!(end("1m", nine + 1), nine + 60 * SECOND_NS);
        assert_eq!(end("day", MIDNIGHT), MIDNIGHT + 7 * 3600 * SECOND_NS);
        assert_eq!(end("day", MIDNIGHT + 1), MIDNIGHT + 31 * 3600 * SECOND_NS);
    }

    #[test]
    fn a_length_that_does_not_divide_a_day_is_refused() {
        for wrong in ["7s", "0s", "24h", "m", "1", "1w", "+5m", "", "99999999999999999999s"] {
            assert!(wrong.parse::<Every>().is_err(), "{wrong}");
        }
        assert_eq!("90m".parse::<Every>().unwrap().ns(), 5400 * SECOND_NS);
    }

    #[test]
    fn korean_dates_and_seconds() {
        let mut korean = KoreanTime::default();
        assert_eq!(korean.of(MIDNIGHT), (20_261_120, 0));
        assert_eq!(korean.of(MIDNIGHT - 1), (20_261_119, 86_399));
    }
}
