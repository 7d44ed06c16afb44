//! Page by page backwards through one symbol's rows, and what of them is real.
//!
//! The broker's ways, and what becomes of them:
//!
//! - *Minutes of today*: a time to come yields minutes at the current price that never were; so only minutes that have ended
//!   are asked for. The minute that runs shows the volume of the one before until its first trade; it has not ended, and
//!   where the day's turnover did not advance in a minute, nothing traded in it whatever volume it shows.
//! - *Minutes without a trade* come as copies of the price before: they are no bars.
//! - *Minutes of past days* go on into the day before when a day has no more: rows of other days are left out.
//! - *Weeks and months* are named after one of their days, the broker doesn't say which: the next page ends before the week or
//!   month began, so that none comes twice, and the range is widened to whole ones, so that none is cut.
//! - *Trades* come some 30 a call, at or before a second. Pages overlap by that second; a trade is known by the volume of
//!   the day after it. Of a second with more trades than a page the broker shows the newest alone: what is missing is the
//!   difference of volumes, exact, and stands at the trade that follows ([`Tick::missing_before`]). They have no date: a
//!   minute of the same day tells that they are of today.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::plan::{Market, first_of, last_of};
use super::rows::{Day, Minute, Tick};
use super::{Moment, Request, Rows, Unit, What};
use crate::feed::kis::rest::codes::Reaction;
use crate::feed::kis::rest::quotations::{DailyBar, MinuteBar, Period, Prices, TimedTrade};
use crate::feed::kis::rest::{Client, RestError};
use crate::market::kst;
use crate::tick::{UNDEF_QTY, UNDEF_TURNOVER};

/// Most calls of a unit: 41 for a day of minutes, thousands for the trades of a busy stock.
const CALLS_MAX: u64 = 100_000;

/// The rows of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Oldest first.
    pub rows: Rows,
    /// Second of the day up to which they reach, while the day is not over.
    pub until: Option<u32>,
    /// Shares that the broker did not show, of trades.
    pub missing: u64,
}

/// Why a walk ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A call failed.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The broker has no such symbol.
    #[error("the broker knows no symbol {0}")]
    NoSymbol(String),
    /// Pages that don't lead on.
    #[error("the broker's pages don't go back in time: at {0}")]
    Stuck(String),
    /// The broker no longer has them.
    #[error("{0} is over, and the broker shows the trades of today alone")]
    Gone(Date),
    /// A date outside the calendar of instants.
    #[error("{0} is no date of a market")]
    Date(Date),
    /// Somebody wants the program to end.
    #[error("stopped")]
    Stopped,
}

/// Walks for one unit.
#[derive(Debug)]
pub struct Walker<'a> {
    /// Who calls.
    pub client: &'a Client,
    /// Which moment it is.
    pub moment: Moment,
    /// Set when the program is to end: looked at before each call.
    pub stop: &'a AtomicBool,
    calls: Cell<u64>,
}

impl<'a> Walker<'a> {
    /// A walker that has made no call.
    pub fn new(client: &'a Client, moment: Moment, stop: &'a AtomicBool) -> Walker<'a> {
        Walker { client, moment, stop, calls: Cell::new(0) }
    }

    /// Calls made, without repetitions.
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }

    /// Downloads a unit.
    ///
    /// # Errors
    ///
    /// See [`WalkError`]; nothing of the unit is kept then.
    pub fn walk(&self, request: &Request, unit: &Unit) -> Result<Walked, WalkError> {
        let symbol = request.symbols.get(unit.symbol).map_or("", String::as_str);
        let walked = match (request.what, unit.date) {
            (What::Bars, Some(date)) => self.minutes(request.market, symbol, date, unit.hours)?,
            (What::Ticks, Some(date)) => self.ticks(request.market, symbol, date, unit.hours)?,
            (What::Daily { period, prices }, _) => self.days(request, unit, period, prices)?,
            (What::Bars | What::Ticks, None) => return Err(WalkError::Date(request.from)),
        };
        // Nothing traded, or there is no such symbol: only this call tells them apart, which the mock server doesn't have.
        if walked.rows.is_empty() && !self.client.is_mock() {
            self.call()?;
            match self.client.stock_info(symbol) {
                Err(RestError::Refused { code, .. }) if Reaction::to(&code) == Reaction::GiveUp => {
                    // What the gateway refuses was not asked of whom knows symbols.
                    if !code.starts_with("EGW") {
                        return Err(WalkError::NoSymbol(symbol.to_owned()));
                    }
                    tracing::debug!(symbol, code, "no rows, and whether the symbol exists can't be asked");
                }
                Err(RestError::Field { .. }) | Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(walked)
    }

    fn call(&self) -> Result<(), WalkError> {
        // Relaxed: a flag alone.
        if self.stop.load(Ordering::Relaxed) {
            return Err(WalkError::Stopped);
        }
        self.calls.set(self.calls.get() + 1);
        if self.calls.get() > CALLS_MAX { Err(WalkError::Stuck(format!("{CALLS_MAX} calls"))) } else { Ok(()) }
    }

    fn minutes(&self, market: Market, symbol: &str, date: Date, hours: (u32, u32)) -> Result<Walked, WalkError> {
        let number = kst::number_of(date);
        let first = hours.0 / 60 * 60;
        let last = hours.1 / 60 * 60;
        // Minutes up to this one have ended.
        let ended =
            self.moment.settled(date).and_then(|second| (second + 1).checked_sub(60)).map(|second| second / 60 * 60);
        let is_over = ended.is_some_and(|ended| ended > last);
        let until = ended.map(|ended| ended.min(last));
        let mut found: BTreeMap<u32, MinuteBar> = BTreeMap::new();
        let mut next = until.filter(|until| *until >= first);
        while let Some(asked) = next {
            self.call()?;
            let is_today = date == self.moment.date();
            let page = if is_today {
                self.client.minutes_until(market.0, symbol, asked)?
            } else {
                self.client.past_minutes_until(market.0, symbol, number, asked)?
            };
            let goes_beyond = page.iter().any(|bar| bar.date != number);
            let of_day: Vec<MinuteBar> = page.into_iter().filter(|bar| bar.date == number).collect();
            let oldest = of_day.iter().map(|bar| bar.time).min();
            for bar in of_day.into_iter().filter(|bar| bar.time <= asked) {
                found.insert(bar.time, bar);
            }
            next = match oldest {
                Some(oldest) if oldest > asked => return Err(WalkError::Stuck(kst::time_text(oldest))),
                Some(oldest) if !goes_beyond => oldest.checked_sub(60).filter(|before| *before >= first),
                _ => None,
            };
        }
        let midnight = kst::instant(date, 0).ok_or(WalkError::Date(date))?;
        let rows = traded(found.into_values(), midnight);
        let until = if is_over { None } else { Some(until.map_or(0, |until| until + 59)) };
        Ok(Walked { rows: Rows::Minutes(rows), until, missing: 0 })
    }

    fn days(&self, request: &Request, unit: &Unit, period: Period, prices: Prices) -> Result<Walked, WalkError> {
        let symbol = request.symbols.get(unit.symbol).map_or("", String::as_str);
        let today = self.moment.date();
        let from = first_of(period, request.from);
        let mut to = last_of(period, request.to).min(today);
        let mut found: BTreeMap<Date, DailyBar> = BTreeMap::new();
        while to >= from {
            self.call()?;
            let (first, last) = (kst::number_of(from), kst::number_of(to));
            let page = self.client.bars_between(request.market.0, symbol, period, first, last, prices)?;
            let mut oldest: Option<Date> = None;
            for bar in page {
                let date = kst::date_of(bar.date)
                    .filter(|date| *date <= to)
                    .ok_or_else(|| WalkError::Stuck(format!("{} where days up to {to} were asked for", bar.date)))?;
                oldest = Some(oldest.map_or(date, |oldest| oldest.min(date)));
                // A broker that answers with more than was asked for is not believed to mean it.
                if date >= from {
                    found.insert(first_of(period, date), bar);
                }
            }
            let Some(oldest) = oldest else { break };
            to = first_of(period, oldest).checked_sub(1.day()).map_err(|_| WalkError::Date(oldest))?;
        }
        let day = |bar: DailyBar| -> Result<Day, WalkError> {
            let date = kst::date_of(bar.date).ok_or_else(|| WalkError::Stuck(bar.date.to_string()))?;
            let text = |field| bar.row.get(field).unwrap_or_default().to_owned();
            Ok(Day {
                date,
                prices: [bar.open_px, bar.high_px, bar.low_px, bar.close_px],
                volume: bar.volume,
                turnover: bar.turnover,
                ex_code: text("flng_cls_code"),
                split_rate: text("prtt_rate"),
            })
        };
        let rows = found.into_values().map(day).collect::<Result<Vec<Day>, WalkError>>()?;
        // The last bar grows until the last of its days on which something trades is over.
        let settled = self.moment.settled(today).unwrap_or(0);
        let grows = unit.last > today || (unit.last == today && settled <= unit.hours.1 + 60);
        Ok(Walked { rows: Rows::Days(rows), until: grows.then_some(settled), missing: 0 })
    }

    fn ticks(&self, market: Market, symbol: &str, date: Date, hours: (u32, u32)) -> Result<Walked, WalkError> {
        // A closing auction may end half a minute late.
        let last = (hours.1 + 60).min(86_399);
        let settled = self.moment.settled(date);
        if date != self.moment.date() {
            return Err(WalkError::Gone(date));
        }
        let until = settled.map(|second| second.min(last));
        // Trades have no date, and before the first one of a day the broker may show those of the day before: minutes have one.
        let number = kst::number_of(date);
        let begun = until.filter(|until| *until >= hours.0);
        let has_traded = match begun {
            None => false,
            Some(until) => {
                self.call()?;
                self.client.minutes_until(market.0, symbol, until)?.iter().any(|bar| bar.date == number)
            }
        };
        let mut found: BTreeMap<u64, TimedTrade> = BTreeMap::new();
        let mut next = begun.filter(|_| has_traded);
        while let Some(asked) = next {
            self.call()?;
            let page = self.client.trades_until(market.0, symbol, asked)?;
            let Some(oldest) = page.iter().map(|trade| trade.time).min() else { break };
            if oldest > asked {
                return Err(WalkError::Stuck(kst::time_text(oldest)));
            }
            let known = found.len();
            let is_first = page.iter().any(|trade| trade.volume == trade.quantity);
            for trade in page.into_iter().filter(|trade| trade.time <= asked && trade.volume != UNDEF_QTY) {
                found.entry(trade.volume).or_insert(trade);
            }
            // A page that brought nothing more and lies in one second: the broker shows no more of that second.
            let brought = found.len() > known;
            let before = if oldest < asked && brought { Some(oldest) } else { oldest.checked_sub(1) };
            next = before.filter(|before| !is_first && *before >= hours.0);
        }
        let midnight = kst::instant(date, 0).ok_or(WalkError::Date(date))?;
        let (rows, missing) = with_missing(found.into_values(), midnight);
        let is_over = settled.is_some_and(|settled| settled > last);
        Ok(Walked { rows: Rows::Ticks(rows), until: if is_over { None } else { Some(until.unwrap_or(0)) }, missing })
    }
}

/// The minutes in which something traded, of all in the order of time.
fn traded(bars: impl Iterator<Item = MinuteBar>, midnight: u64) -> Vec<Minute> {
    let mut before = 0;
    let mut rows = Vec::new();
    for bar in bars {
        let is_known = bar.turnover != UNDEF_TURNOVER && before != UNDEF_TURNOVER;
        let turnover = if is_known { bar.turnover - before } else { UNDEF_TURNOVER };
        before = bar.turnover;
        // Turnover that did not advance: the volume is of the minute before.
        if bar.volume == 0 || bar.volume == UNDEF_QTY || turnover == 0 {
            continue;
        }
        rows.push(Minute {
            start: midnight + u64::from(bar.time) * 1_000_000_000,
            prices: [bar.open_px, bar.high_px, bar.low_px, bar.close_px],
            volume: bar.volume,
            day_turnover: bar.turnover,
            turnover,
        });
    }
    rows
}

/// Trades in the order of their volume, with what is missing between them, and all of that.
fn with_missing(trades: impl Iterator<Item = TimedTrade>, midnight: u64) -> (Vec<Tick>, u64) {
    let (mut rows, mut volume, mut missing) = (Vec::new(), 0_u64, 0_u64);
    for trade in trades {
        let before = trade.volume.saturating_sub(trade.quantity).saturating_sub(volume);
        volume = trade.volume;
        missing += before;
        rows.push(Tick {
            ts: midnight + u64::from(trade.time) * 1_000_000_000,
            px: trade.px,
            qty: trade.quantity,
            cum_qty: trade.volume,
            ask_px: trade.ask_px,
            bid_px: trade.bid_px,
            missing_before: before,
        });
    }
    (rows, missing)
}
