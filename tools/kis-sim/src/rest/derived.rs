//! Prices of what the simulated market doesn't trade: days before the simulated one, derivatives' quantities, stocks of
//! overseas markets. A level depends on seed, name and moment alone, so that every call tells the same story, whatever was
//! asked before.

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::rng::Rng;

/// Seconds over which a part of the walk swings, and by how much, in parts per billion of the price.
const SWINGS: [(i64, i64); 6] = [
    (30 * 86_400, 60_000_000),
    (5 * 86_400, 25_000_000),
    (86_400, 8_000_000),
    (3_600, 4_000_000),
    (300, 1_500_000),
    (30, 500_000),
];
const BILLION: i64 = 1_000_000_000;

/// A price over all time, around its base.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk(u64);

/// First, highest, lowest and last price of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) open: i64,
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) close: i64,
}

impl Span {
    /// What prices of a span come to; `None` without any.
    pub(super) fn of(prices: impl IntoIterator<Item = i64>) -> Option<Self> {
        let mut prices = prices.into_iter();
        let open = prices.next()?;
        let first = Self { open, high: open, low: open, close: open };
        Some(prices.fold(first, |span, price| span.then(Self { open: price, high: price, low: price, close: price })))
    }

    /// This span and the one after it.
    pub(super) fn then(self, after: Self) -> Self {
        let (high, low) = (self.high.max(after.high), self.low.min(after.low));
        Self { open: self.open, high, low, close: after.close }
    }

    /// The same span of a price that follows from this one, rising with it.
    pub(super) fn map(self, price: impl Fn(i64) -> i64) -> Self {
        let Self { open, high, low, close } = self;
        Self { open: price(open), high: price(high), low: price(low), close: price(close) }
    }
}

impl Walk {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        Self(name.bytes().fold(seed ^ 0x57_A1C0, |sum, byte| Rng::new(sum ^ u64::from(byte)).next_u64()))
    }

    /// A number in `0 ..= most` that belongs to a moment and a purpose.
    pub(super) fn draw(self, purpose: u64, second: i64, most: i64) -> i64 {
        Rng::new(self.0 ^ purpose.wrapping_mul(0x9E6C_63D0_876A_68DE) ^ (second as u64)).between(0, most)
    }

    /// Price at a second since 1970 for a base, both in the same unit.
    pub(super) fn price(self, base: i64, second: i64) -> i64 {
        let swing = |(purpose, (period, reach)): (u64, (i64, i64))| {
            let (n, into) = (second.div_euclid(period), second.rem_euclid(period));
            let corner = |n| self.draw(100 + purpose, n, 2 * reach) - reach;
            corner(n) + (corner(n + 1) - corner(n)) * into / period
        };
        let factor = BILLION + (0..).zip(SWINGS).map(swing).sum::<i64>();
        (i128::from(base) * i128::from(factor) / i128::from(BILLION)) as i64
    }
}

/// Days of a date since 1970-01-01.
pub(super) fn day_number(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

/// The date of a day.
pub(super) fn date_of(day: i64) -> Date {
    Date::constant(1970, 1, 1).saturating_add(day.days())
}

pub(super) fn yyyymmdd(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

pub(super) fn read_date(text: &str) -> Option<Date> {
    Date::strptime("%Y%m%d", text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_the_same_in_any_order_and_stays_near_its_base() {
        let walk = Walk::new(7, "NAS/AAPL");
        let forth: Vec<i64> = (0..5_000).map(|n| walk.price(1_000_000, n * 60)).collect();
        let back: Vec<i64> = (0..5_000).rev().map(|n| walk.price(1_000_000, n * 60)).rev().collect();
        assert_eq!(forth, back);
        assert!(forth.iter().all(|price| (900_000..1_100_000).contains(price)));
        assert!(forth.iter().any(|price| *price != forth[0]));
        assert_ne!(forth[0], Walk::new(8, "NAS/AAPL").price(1_000_000, 0));
    }

    #[test]
    fn spans_join_and_dates_count() {
        let span = Span::of([3, 5, 1, 2]).unwrap();
        assert_eq!(span, Span { open: 3, high: 5, low: 1, close: 2 });
        assert_eq!(span.then(Span::of([9]).unwrap()), Span { open: 3, high: 9, low: 1, close: 9 });
        let date = jiff::civil::date(2026, 11, 20);
        assert_eq!(date_of(day_number(date)), date);
        assert_eq!(yyyymmdd(read_date("20261120").unwrap()), "20261120");
    }
}
