//! Times of events: the feed gives HHMMSS of Korean time, and a date only on some transactions.

use super::row::NO_TIME;
use crate::market::kst::{DAY_NS, KST_NS};
use crate::tick::{Flags, UNDEF_TS};

const SECOND_NS: u64 = 1_000_000_000;

/// Turns times of day into instants. Remembers the last date, since records of one date come in millions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventClock {
    date: u32,
    midnight_ns: u64,
}

impl EventClock {
    /// The instant, and the flags that say how it was found.
    ///
    /// With a date: that date. Without one: the date that brings the time nearest to market time. Without either: the time
    /// of day, flagged. Without a time: [`UNDEF_TS`], whatever the date.
    #[inline]
    pub fn resolve(&mut self, seconds: u32, date: u32, market_now_ns: Option<u64>) -> (u64, u32) {
        if seconds == NO_TIME {
            return (UNDEF_TS, 0);
        }
        let time_ns = u64::from(seconds) * SECOND_NS;
        if date != 0 && (date == self.date || self.remember(date)) {
            return (self.midnight_ns + time_ns, Flags::EVENT_TS_SECOND);
        }
        match market_now_ns {
            Some(now) => (nearest(time_ns, now), Flags::EVENT_TS_SECOND | Flags::EVENT_DATE_INFERRED),
            None => (time_ns, Flags::EVENT_TS_SECOND | Flags::EVENT_TIME_ONLY),
        }
    }

    /// Computes the midnight of another date; false when it is no date of our times.
    #[cold]
    fn remember(&mut self, date: u32) -> bool {
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        if !(1971..2500).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return false;
        }
        self.date = date;
        self.midnight_ns = u64::from(days_since_epoch(year, month, day)) * DAY_NS - KST_NS;
        true
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, which must not be before it. By hand, since a feed whose records
/// change their date from one to the next calls it for each of them.
///
/// The year is taken to begin in March, so that the leap day is its last; months then have a regular pattern of days,
/// (153 m + 2) / 5.
fn days_since_epoch(year: u32, month: u32, day: u32) -> u32 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The instant at `time_ns` of a Korean day that is nearest to `now`.
fn nearest(time_ns: u64, now: u64) -> u64 {
    let since_midnight = (now % DAY_NS + KST_NS) % DAY_NS;
    // Half a day added first, so that the difference is in 0 .. a day.
    let ahead = (time_ns + DAY_NS + DAY_NS / 2 - since_midnight) % DAY_NS;
    now.saturating_add(ahead).saturating_sub(DAY_NS / 2)
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::*;

    use super::*;
    use crate::market::kst;

    fn kst_ns(date: Date, seconds: u32) -> u64 {
        kst::instant(date, seconds).unwrap()
    }

    #[test]
    fn a_date_and_a_time_are_an_instant_of_korean_time() {
        let mut clock = EventClock::default();
        let (ts, flags) = clock.resolve(12 * 3600 + 35 * 60 + 1, 20_221_202, Some(0));
        assert_eq!((ts, flags), (1_669_952_101_000_000_000, Flags::EVENT_TS_SECOND));
        assert_eq!(clock.resolve(NO_TIME, 20_221_202, Some(5)), (UNDEF_TS, 0));
    }

    #[test]
    fn a_time_alone_takes_the_nearest_date_or_stays_a_time() {
        let mut clock = EventClock::default();
        let noon = kst_ns(Date::constant(2026, 9, 14), 43_200);
        let inferred = Flags::EVENT_TS_SECOND | Flags::EVENT_DATE_INFERRED;
        let midnight = kst_ns(Date::constant(2026, 9, 15), 0);
        // Sent at 23:59:59, received just after midnight; and the other way about by a fast clock.
        assert_eq!(clock.resolve(86_399, 0, Some(midnight + 1)), (midnight - SECOND_NS, inferred));
        assert_eq!(clock.resolve(1, 0, Some(midnight - 1)), (midnight + SECOND_NS, inferred));
        assert_eq!(clock.resolve(43_200, 0, Some(noon)), (noon, inferred));
        let alone = Flags::EVENT_TS_SECOND | Flags::EVENT_TIME_ONLY;
        assert_eq!(clock.resolve(43_200, 0, None), (43_200 * SECOND_NS, alone));
        assert_eq!(clock.resolve(43_200, 10_101, None), (43_200 * SECOND_NS, alone), "the year 1 is no date of ours");
    }

    #[test]
    fn every_day_of_five_centuries_equals_the_calendar() {
        let mut clock = EventClock::default();
        let mut date = Date::constant(1971, 1, 1);
        while date.year() < 2500 {
            assert_eq!(clock.resolve(7, kst::number_of(date), None).0, kst_ns(date, 7), "{date}");
            date = date.tomorrow().unwrap();
        }
    }

    proptest! {
        #[test]
        fn the_inferred_instant_has_the_time_and_is_within_half_a_day(seconds in 0_u32..86_400, now in DAY_NS..u64::MAX / 2) {
            let ts = nearest(u64::from(seconds) * SECOND_NS, now);
            prop_assert!(ts.abs_diff(now) <= DAY_NS / 2);
            prop_assert_eq!((ts + KST_NS) % DAY_NS, u64::from(seconds) * SECOND_NS);
        }
    }
}
