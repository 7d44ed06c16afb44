//! Whether anything may come soon: what decides if hot threads wait as configured or park.

use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::market::calendar::Calendar;
use crate::market::kst;
use crate::tick::Publisher;

/// A venue's last word may come so long after its day is over.
const AFTER: Duration = Duration::from_secs(600);

/// Whether market time lies in the trading day of one of these feeds, breaks included, or at most `lead` before it. A feed
/// whose hours are not known may bring something at any time.
pub(super) fn is_near(
    calendar: &Calendar,
    publishers: impl IntoIterator<Item = Publisher>,
    market_ns: u64,
    lead: Duration,
) -> bool {
    let today = kst::civil(market_ns).date();
    let days = [-1, 0, 1].map(|days| today.checked_add(days.days()).unwrap_or(today));
    let (lead, after) = (lead.as_nanos() as u64, AFTER.as_nanos() as u64);
    publishers.into_iter().any(|publisher| {
        days.iter().any(|date| match calendar.hours(publisher, *date) {
            Ok(Some((from, to))) => (from.saturating_sub(lead)..to + after).contains(&market_ns),
            Ok(None) => false,
            // The other days only widen what is known of the trading day.
            Err(_) => *date == trading_day(publisher, market_ns),
        })
    })
}

/// The date whose hours hold for a feed at a moment: a night is that of the evening on which it began.
fn trading_day(publisher: Publisher, market_ns: u64) -> Date {
    let now = kst::civil(market_ns);
    let is_small_hour = publisher == Publisher::KisKrxNight && now.hour() < 7;
    if is_small_hour { now.date().yesterday().unwrap_or(now.date()) } else { now.date() }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn near(publisher: Publisher, day: jiff::civil::Date, hour: u32, minute: u32) -> bool {
        let at = kst::instant(day, hour * 3600 + minute * 60).unwrap();
        is_near(Calendar::shipped(), [publisher], at, Duration::from_secs(300))
    }

    #[test]
    fn a_trading_day_is_near_from_five_minutes_before_its_first_auction_to_ten_after_its_end() {
        let friday = date(2026, 11, 20);
        let told = [(8, 24, false), (8, 25, true), (15, 35, true), (20, 9, true), (20, 11, false), (3, 0, false)];
        for (hour, minute, expected) in told {
            assert_eq!(near(Publisher::KisKrx, friday, hour, minute), expected, "{hour}:{minute:02}");
        }
        assert!(near(Publisher::KisNxt, friday, 8, 52), "a break is no end of the day");
    }

    #[test]
    fn weekends_and_holidays_are_far_and_nights_belong_to_the_evening_before() {
        assert!(!near(Publisher::KisKrx, date(2026, 11, 21), 10, 0));
        assert!(!near(Publisher::KisNxt, date(2026, 12, 25), 10, 0));
        assert!(near(Publisher::KisKrxNight, date(2026, 11, 21), 5, 0), "the night of Friday ends on Saturday");
        assert!(!near(Publisher::KisKrxNight, date(2026, 11, 22), 5, 0));
    }

    #[test]
    fn a_night_that_is_only_expected_to_be_none_may_come_and_one_that_is_none_does_not() {
        let night = |day, hour| near(Publisher::KisKrxNight, day, hour, 0);
        assert!(night(date(2026, 9, 23), 20) && night(date(2026, 9, 24), 3));
        assert!(!night(date(2026, 9, 24), 8) && !night(date(2026, 9, 24), 20));
        assert!(!night(date(2026, 2, 13), 20) && !night(date(2026, 2, 14), 3));
    }

    #[test]
    fn what_is_not_known_may_always_come() {
        assert!(near(Publisher::KisOverseas, date(2026, 11, 21), 3, 0));
        assert!(near(Publisher::KisKrx, date(2031, 1, 4), 3, 0));
    }
}
