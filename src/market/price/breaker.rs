//! What stops a whole market: circuit breakers, and sidecars, which hold programme orders back.
//!
//! Since 2015-06-15 (seoulfn 528526, ajunews 20190805141612647, etoday 2387533), KOSPI and KOSDAQ alike, each level once a day.
//! Times of day are those since 2016-08-01 (wowtv X20160728181845) on ordinary days.

use jiff::civil::{Date, date};

use super::super::phase::at;

/// A level of the circuit breaker: the index has stood that far below its previous close for a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Percent below the previous close.
    pub percent: u32,
    /// Minutes without trading, then minutes of call auction; `None` when the day is over.
    pub halt_and_auction_minutes: Option<(u32, u32)>,
    /// Last second since midnight at which it can begin.
    pub until: u32,
}

/// The three levels.
pub const BREAKERS: [Breaker; 3] = [
    Breaker { percent: 8, halt_and_auction_minutes: Some((20, 10)), until: at(14, 50, 0) },
    Breaker { percent: 15, halt_and_auction_minutes: Some((20, 10)), until: at(14, 50, 0) },
    Breaker { percent: 20, halt_and_auction_minutes: None, until: at(15, 20, 0) },
];

/// What holds programme orders back for five minutes, once a day, until 14:50: a future stands that far from its previous close for
/// a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// The future.
    pub future: &'static str,
    /// Percent that the future is up or down.
    pub future_percent: u32,
    /// Percent that the index must be, the same way.
    pub index_percent: Option<u32>,
}

/// Those of KOSPI and KOSDAQ.
pub const SIDECARS: [Sidecar; 2] = [
    Sidecar { future: "KOSPI 200", future_percent: 5, index_percent: None },
    Sidecar { future: "KOSDAQ 150", future_percent: 6, index_percent: Some(3) },
];

/// The highest value of an index at which a level (1 to 3) begins. The second and third also ask for 1% below the value at which
/// the level before began, `before`. Values are of any one scale.
///
/// `None` for another level, for a higher one without `before`, and before 2015-06-15.
pub fn breaker_threshold(level: usize, on: Date, previous_close: u64, before: Option<u64>) -> Option<u64> {
    let breaker = BREAKERS.get(level.checked_sub(1)?).filter(|_| on >= date(2015, 6, 15))?;
    let less = |value: u64, percent: u32| (u128::from(value) * u128::from(100 - percent) / 100) as u64;
    let own = less(previous_close, breaker.percent);
    match level {
        1 => Some(own),
        _ => Some(own.min(less(before?, 1))),
    }
}
