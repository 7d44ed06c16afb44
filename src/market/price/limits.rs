//! Daily limits: the highest and the lowest price of a day.
//!
//! KRX GLB0602010201T5 and GLB0602020202T2: the base price times the rate, less what is below the tick of the base price; that
//! amount added to and taken from the base price, less what is below the tick of the price it gives. The rate is 30% since
//! 2015-06-15, 15% before; KONEX 15% throughout. Funds that follow a multiple of their index, negative ones too, have the multiple of
//! the rate; notes are taken to have it as well. No limits: ELW, subscription rights and warrants, issues in liquidation trading
//! before delisting.
//!
//! On the first trading day of a stock of KOSPI or KOSDAQ, since 2023-06-26, the base price is that of the offering, and prices go
//! from 60% to 400% of it (ajunews 20230413111611111; alphabiz 1065592919093766); taken to be rounded as on other days. Before, and on
//! KONEX still, the base of that day comes of its first auction, which no list tells.

use jiff::civil::{Date, date};

use super::{KNOWN_FROM, Market, TickTable};

/// Bounds of the prices of a day, both allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lowest price, won.
    pub lower: u64,
    /// Highest price, won.
    pub upper: u64,
}

/// The rate in percent of the base price, of a fund or note that follows once its index; `None` where there is no limit, or before
/// [`KNOWN_FROM`].
pub fn limit_percent(market: Market, on: Date) -> Option<u32> {
    let percent = match market {
        Market::Elw => return None,
        Market::Konex => 15,
        _ if on < date(2015, 6, 15) => 15,
        _ => 30,
    };
    (on >= KNOWN_FROM).then_some(percent)
}

/// Limits of a stock's first trading day, with the price of the offering in won; `None` where that is not what they are counted
/// from, for what is no stock, and when the price is not on a tick.
pub fn listing_limits(market: Market, on: Date, offering: u64) -> Option<Limits> {
    if !matches!(market, Market::Kospi | Market::Kosdaq) || on < date(2023, 6, 26) {
        return None;
    }
    within(TickTable::of(market, on)?, offering, 4_000, 30_000)
}

/// Limits of a day with a base price in won. `leverage_percent` is 100 for all but funds and notes of a multiple: 200 for twice
/// the index, and 200 for its inverse.
///
/// `None` where there is no limit, where a rule is not known, when the base price is not on a tick, and when the rate of it is
/// below a tick: what holds then was not found.
pub fn daily_limits(market: Market, on: Date, base: u64, leverage_percent: u32) -> Option<Limits> {
    let percent = limit_percent(market, on)?;
    let rate = u64::from(percent).checked_mul(u64::from(leverage_percent))?;
    within(TickTable::of(market, on)?, base, rate, rate)
}

/// Limits that far below and above a base price, in hundredths of a percent of it.
fn within(ticks: TickTable, base: u64, below: u64, above: u64) -> Option<Limits> {
    if !ticks.is_on_tick(base) {
        return None;
    }
    let tick = ticks.size(base)?;
    let amount = |rate: u64| {
        let amount = u64::try_from(u128::from(base) * u128::from(rate) / 10_000).ok()?;
        Some(amount - amount % tick).filter(|amount| *amount > 0)
    };
    let lower = ticks.floor(base.checked_sub(amount(below)?)?)?;
    let upper = ticks.floor(base.checked_add(amount(above)?)?)?;
    (lower > 0).then_some(Limits { lower, upper })
}
