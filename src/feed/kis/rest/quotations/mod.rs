//! Typed calls. Prices are in units of 1e-9, turnovers in 1e-4, times are seconds of the day (KST), dates YYYYMMDD as a
//! number, as in the records; what a row holds besides stays in its [`Row`].
//!
//! Two calls give the same parameter opposite meanings, by the broker's own documents: `FID_ORG_ADJ_PRC` 0 is *adjusted*
//! for `inquire-daily-itemchartprice` and *raw* for `inquire-daily-price`. [`Prices`] hides that.

mod bars;
mod derivatives;
mod funds;
mod markets;
mod others;
mod overseas;
mod rankings;
mod stock;

pub use self::bars::{DailyBar, MinuteBar, Period, Prices};
pub use self::derivatives::{DerivativeBar, DerivativeBook, DerivativeQuote};
pub use self::funds::{FundDay, FundQuote, NavPoint};
pub use self::markets::{IndexBar, IndexLevel, OvertimeDay};
pub use self::others::{Holiday, RankedStock, StockInfo, VolatilityEvent};
pub use self::overseas::{OverseasBook, OverseasDay, OverseasMinutes, OverseasQuote, OverseasTrade};
pub use self::stock::{BookSide, BookSnapshot, LatestTrade, Polled, Quote, TimedTrade};

use super::Row;
use super::error::RestError;

/// Most symbols of one [`poll`](super::Client::poll).
pub const POLL_SYMBOLS_MAX: usize = 30;

/// Which venue's market is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Venue {
    /// Korea Exchange.
    Krx,
    /// Nextrade.
    Nxt,
    /// Both as one.
    Unified,
}

impl Venue {
    /// The broker's code, `FID_COND_MRKT_DIV_CODE`.
    pub fn code(self) -> &'static str {
        match self {
            Venue::Krx => "J",
            Venue::Nxt => "NX",
            Venue::Unified => "UN",
        }
    }
}

/// HHMMSS of a second of the day.
fn hhmmss(second: u32) -> String {
    format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

fn second_of_day(what: &'static str, second: u32) -> Result<String, RestError> {
    let wrong = || RestError::Argument { what, field: "time", value: second.to_string(), expected: "below 86400" };
    (second < 86_400).then(|| hhmmss(second)).ok_or_else(wrong)
}

fn yyyymmdd(what: &'static str, field: &'static str, date: u32) -> Result<String, RestError> {
    let (month, day) = (date / 100 % 100, date % 100);
    let is_date = (19_000_000..100_000_000).contains(&date) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let wrong = || RestError::Argument { what, field, value: date.to_string(), expected: "a date as 20261120" };
    is_date.then(|| date.to_string()).ok_or_else(wrong)
}

fn each<T>(rows: Vec<Row>, read: impl Fn(Row) -> Result<T, RestError>) -> Result<Vec<T>, RestError> {
    rows.into_iter().map(read).collect()
}
