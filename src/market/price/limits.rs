//! Daily limits: the highest and the lowest price of a day.
//!
//! KRX GLB0602010201T5 and GLB0602020202T2: the base price times the rate, less what is below the tick of the base price; that
//! amount added to and taken from the base price, less what is below the tick of the price it gives. The rate is 30% since
//! 2015-06-15, 15% before; KONEX 15% throughout. Funds that follow a multiple of their index, negative ones too, have the multiple of
//! the rate; notes are taken to have it as well. No limits: ELW, subscription rights and warrants, issues in liquidation trading
//! before delisting.

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

/// Limits of a day with a base price in won. `leverage_percent` is 100 for all but funds and notes of a multiple: 200 for twice
/// the index, and 200 for its inverse.
///
/// `None` where there is no limit, where a rule is not known, when the base price is not on a tick, and when the rate of it is
/// below a tick: what holds then was not found.
pub fn daily_limits(market: Market, on: Date, base: u64, leverage_percent: u32) -> Option<Limits> {
    let ticks = TickTable::of(market, on)?;
    let percent = u64::from(limit_percent(market, on)?).checked_mul(u64::from(leverage_percent))?;
    if !ticks.is_on_tick(base) {
        return None;
    }
    let tick = ticks.size(base)?;
    let amount = u64::try_from(u128::from(base) * u128::from(percent) / 10_000).ok()?;
    let amount = amount - amount % tick;
    if amount == 0 {
        return None;
    }
    let lower = ticks.floor(base.checked_sub(amount)?)?;
    let upper = ticks.floor(base.checked_add(amount)?)?;
    (lower > 0).then_some(Limits { lower, upper })
}
