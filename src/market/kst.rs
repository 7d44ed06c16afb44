//! Korean time: nine hours ahead of UTC, all year, and a trading day that begins at 07:00.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

const SECOND_NS: u64 = 1_000_000_000;
/// A day, ns.
pub const DAY_NS: u64 = 86_400 * SECOND_NS;
/// Hours ahead of UTC.
pub const KST_HOURS: i8 = 9;
/// What Korean time is ahead of UTC, ns.
pub const KST_NS: u64 = KST_HOURS as u64 * 3600 * SECOND_NS;
/// Hour at which a trading day begins: between the end of the night session and the first pre-market.
pub const TRADING_DAY_BEGINS_HOUR: i8 = 7;
/// That hour since midnight, ns.
pub const TRADING_DAY_NS: u64 = TRADING_DAY_BEGINS_HOUR as u64 * 3600 * SECOND_NS;

/// Korean date and time of an instant, ns since the UNIX epoch. Every `u64` is one: they end in the year 2554.
pub fn civil(ns: u64) -> DateTime {
    shifted(ns, KST_HOURS)
}

/// The trading day of an instant: its Korean date, a day beginning at 07:00.
pub fn trading_date(ns: u64) -> Date {
    shifted(ns, KST_HOURS - TRADING_DAY_BEGINS_HOUR).date()
}

fn shifted(ns: u64, hours: i8) -> DateTime {
    Offset::constant(hours).to_datetime(Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default())
}

/// The instant of a Korean date and a second since its midnight, which may lie beyond the day, in ns since the UNIX epoch;
/// `None` outside 1970 to 2554.
pub fn instant(date: Date, second: u32) -> Option<u64> {
    let midnight = timestamp(date.at(0, 0, 0, 0))?;
    u64::try_from(midnight.as_nanosecond() + i128::from(second) * i128::from(SECOND_NS)).ok()
}

/// The instant of a Korean date and time; `None` where the calendar of instants ends.
pub fn timestamp(time: DateTime) -> Option<Timestamp> {
    Offset::constant(KST_HOURS).to_timestamp(time).ok()
}

/// A date as decimal YYYYMMDD.
pub fn number_of(date: Date) -> u32 {
    // The feeds know no year before 1; `Date` does.
    date.year().max(0) as u32 * 10_000 + date.month() as u32 * 100 + date.day() as u32
}

/// A date from decimal YYYYMMDD; `None` when it is none (0 = not told).
pub fn date_of(number: u32) -> Option<Date> {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Date and time of day for people, whole seconds: `2026-11-23 09:00:00`.
pub fn text(ns: u64) -> String {
    civil(ns).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A second since midnight as `HH:MM:SS`; of one beyond the day, the time of day it is then.
pub fn time_text(second: u32) -> String {
    let second = second % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_trading_day_begins_at_seven() {
        let midnight = instant(date(2026, 11, 20), 0).unwrap();
        assert_eq!(midnight, 1_795_100_400 * SECOND_NS);
        assert_eq!(trading_date(midnight + TRADING_DAY_NS), date(2026, 11, 20));
        assert_eq!(trading_date(midnight + TRADING_DAY_NS - 1), date(2026, 11, 19));
        assert_eq!(text(midnight), "2026-11-20 00:00:00");
        assert_eq!(time_text(30 * 3600 + 61), "06:01:01");
    }

    #[test]
    fn numbers_are_dates_only_where_the_calendar_has_them() {
        assert_eq!(date_of(20_240_229), Some(date(2024, 2, 29)));
        for number in [0, 20_230_229, 20_231_301, 99_999_999, u32::MAX] {
            assert_eq!(date_of(number), None, "{number}");
        }
    }

    proptest! {
        #[test]
        fn an_instant_is_its_date_and_second(ns in 0_u64..u64::MAX - DAY_NS) {
            let time = civil(ns);
            let second = time.hour() as u32 * 3600 + time.minute() as u32 * 60 + time.second() as u32;
            // The epoch is 09:00 in Korea, so the midnight of its date lies before it, and the sum does not.
            prop_assert_eq!(instant(time.date(), second), Some(ns - ns % SECOND_NS));
            prop_assert_eq!(date_of(number_of(time.date())), Some(time.date()));
        }
    }
}
