//! Price rules of Korea Exchange, by market and date: tick sizes, daily limits, volatility interruptions, circuit breakers.
//!
//! Prices are whole won, as stocks, funds and warrants have them. A rule that was not found is `None`, never a guess: dates before
//! [`KNOWN_FROM`], the days on which sources part, sessions whose rates were not published. Dates to come go by the newest rule.
//!
//! Nextrade takes over ticks and daily limits: its band is ±30% of the KRX previous close.

mod breaker;
mod limits;
#[cfg(test)]
mod tests;
mod tick;
mod vi;

pub use self::breaker::{BREAKERS, Breaker, SIDECARS, Sidecar, breaker_threshold};
pub use self::limits::{Limits, daily_limits, limit_percent, listing_limits};
pub use self::tick::TickTable;
pub use self::vi::{ViBand, ViClass, ViDay, ViKind, vi_band, vi_percent};

use jiff::civil::{Date, date};

/// First date the rules are known of.
pub const KNOWN_FROM: Date = date(2015, 1, 1);

/// What a security is, for the rules of its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Market {
    /// Stock of KOSPI.
    Kospi,
    /// Stock of KOSDAQ.
    Kosdaq,
    /// Stock of KONEX.
    Konex,
    /// Exchange-traded fund.
    Etf,
    /// Exchange-traded note.
    Etn,
    /// Equity-linked warrant.
    Elw,
}

impl Market {
    /// All of them.
    pub const ALL: [Market; 6] = [Market::Kospi, Market::Kosdaq, Market::Konex, Market::Etf, Market::Etn, Market::Elw];
}
