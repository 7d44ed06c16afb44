//! Rows: what a bar and a sampled book hold, column by column.

use std::borrow::Cow;

use hoga::market::phase::Phase;
use hoga::tick::{InstrumentKey, Level, Publisher, UNDEF_PX, UNDEF_QTY};
use hoga_table::{Kind, Row, Value};

/// Decimal places of prices, turnover and imbalance.
const PX_PLACES: u8 = 9;
const TURNOVER_PLACES: u8 = 4;
const IMBALANCE_PLACES: u8 = 6;
const PX: Kind = Kind::Decimal(PX_PLACES);
const TURNOVER: Kind = Kind::Decimal(TURNOVER_PLACES);
const IMBALANCE: Kind = Kind::Decimal(IMBALANCE_PLACES);

/// What tells rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowKey {
    pub start: u64,
    pub instrument: InstrumentKey,
    pub publisher: u16,
    pub phase: Phase,
}

const KEY_COLUMNS: [(&str, Kind); 5] = [
    ("start", Kind::Time),
    ("symbol", Kind::Text),
    ("market", Kind::Text),
    ("venue", Kind::Text),
    ("session", Kind::Text),
];

impl RowKey {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        let venue = Publisher::from_number(self.publisher).map_or("unknown", Publisher::venue);
        out.push(Value::Time(self.start));
        out.push(Value::Text(self.instrument.symbol()));
        out.push(Value::Text(self.instrument.market()));
        out.push(Value::Text(venue.into()));
        out.push(Value::Text(self.phase.name().into()));
    }
}

/// A bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub(super) key: RowKey,
    /// Price of the first trade, 1 unit = 1e-9.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Price of the last trade.
    pub close: i64,
    /// Sum of quantities.
    pub volume: u64,
    /// Sum of price × quantity, 1 unit = 1e-9.
    pub cost: i128,
    /// Executions.
    pub trades: u64,
    /// Volume with the buyer as aggressor.
    pub buy_volume: u64,
    /// Volume with the seller as aggressor.
    pub sell_volume: u64,
    /// Trades before which volume is missing.
    pub gaps: u64,
}

impl Bar {
    /// The columns in order.
    pub fn columns() -> Vec<(Cow<'static, str>, Kind)> {
        let own = [
            ("open", PX),
            ("high", PX),
            ("low", PX),
            ("close", PX),
            ("volume", Kind::Count),
            ("turnover", TURNOVER),
            ("vwap", PX),
            ("trades", Kind::Count),
            ("buy_volume", Kind::Count),
            ("sell_volume", Kind::Count),
            ("gaps", Kind::Count),
        ];
        KEY_COLUMNS.into_iter().chain(own).map(|(name, kind)| (name.into(), kind)).collect()
    }

    /// Sum of price × quantity, 1 unit = 1e-4.
    pub fn turnover(&self) -> i128 {
        div_half_away(self.cost, 100_000)
    }

    /// Volume-weighted average price, 1 unit = 1e-9.
    pub fn vwap(&self) -> Option<i128> {
        (self.volume > 0).then(|| div_half_away(self.cost, i128::from(self.volume)))
    }
}

impl Row for Bar {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        self.key.values(out);
        out.extend([self.open, self.high, self.low, self.close].map(|px| Value::Decimal(px.into(), PX_PLACES)));
        out.push(Value::Count(self.volume));
        out.push(Value::Decimal(self.turnover(), TURNOVER_PLACES));
        out.push(self.vwap().map_or(Value::Null, |vwap| Value::Decimal(vwap, PX_PLACES)));
        out.extend([self.trades, self.buy_volume, self.sell_volume, self.gaps].map(Value::Count));
    }
}

/// A book at the end of an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookSample {
    pub(super) key: RowKey,
    /// Event time of the book, nanoseconds since the UNIX epoch.
    pub book_ts: u64,
    /// Quantity of all bids.
    pub total_bid_qty: u64,
    /// Quantity of all asks.
    pub total_ask_qty: u64,
    /// Levels, best first.
    pub levels: Vec<Level>,
    /// Levels a side that the row shows.
    pub(super) depth: usize,
}

impl BookSample {
    /// The columns in order, with so many levels a side beside the best.
    pub fn columns(depth: usize) -> Vec<(Cow<'static, str>, Kind)> {
        let own = [
            ("book_ts", Kind::Time),
            ("bid_px", PX),
            ("ask_px", PX),
            ("bid_qty", Kind::Count),
            ("ask_qty", Kind::Count),
            ("spread", PX),
            ("mid", PX),
            ("imbalance", IMBALANCE),
            ("total_bid_qty", Kind::Count),
            ("total_ask_qty", Kind::Count),
        ];
        let mut columns: Vec<(Cow<'static, str>, Kind)> =
            KEY_COLUMNS.into_iter().chain(own).map(|(name, kind)| (name.into(), kind)).collect();
        for level in 2..=depth {
            for (name, kind) in [("bid_px", PX), ("ask_px", PX), ("bid_qty", Kind::Count), ("ask_qty", Kind::Count)] {
                columns.push((format!("{name}_{level}").into(), kind));
            }
        }
        columns
    }

    fn level(&self, index: usize) -> ([Option<i64>; 2], [Option<u64>; 2]) {
        let Some(level) = self.levels.get(index) else { return ([None; 2], [None; 2]) };
        let px = [level.bid_px, level.ask_px].map(|px| Some(px).filter(|px| *px != UNDEF_PX));
        let qty = [level.bid_qty, level.ask_qty].map(|qty| Some(qty).filter(|qty| *qty != UNDEF_QTY));
        // An empty level is sent as price 0 and quantity 0.
        let is_empty = |side: usize| px[side].unwrap_or(0) == 0 && qty[side].unwrap_or(0) == 0;
        let empty = [is_empty(0), is_empty(1)];
        ([0, 1].map(|side| px[side].filter(|_| !empty[side])), [0, 1].map(|side| qty[side].filter(|_| !empty[side])))
    }
}

impl Row for BookSample {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        let px = |px: Option<i64>| px.map_or(Value::Null, |px| Value::Decimal(px.into(), PX_PLACES));
        let qty = |qty: Option<u64>| qty.map_or(Value::Null, Value::Count);
        let total = |total: u64| qty(Some(total).filter(|total| *total != UNDEF_QTY));
        self.key.values(out);
        out.push(Value::Time(self.book_ts));
        let ([bid, ask], [bid_qty, ask_qty]) = self.level(0);
        out.extend([px(bid), px(ask), qty(bid_qty), qty(ask_qty)]);
        out.push(px(bid.zip(ask).map(|(bid, ask)| ask - bid)));
        let mid = bid.zip(ask).map(|(bid, ask)| div_half_away(i128::from(bid) + i128::from(ask), 2));
        out.push(mid.map_or(Value::Null, |mid| Value::Decimal(mid, PX_PLACES)));
        let imbalance = bid_qty.zip(ask_qty).filter(|(bid, ask)| bid | ask != 0).map(|(bid, ask)| {
            let (bid, ask) = (i128::from(bid), i128::from(ask));
            div_half_away((bid - ask) * 1_000_000, bid + ask)
        });
        out.push(imbalance.map_or(Value::Null, |imbalance| Value::Decimal(imbalance, IMBALANCE_PLACES)));
        out.extend([total(self.total_bid_qty), total(self.total_ask_qty)]);
        for index in 1..self.depth {
            let ([bid, ask], [bid_qty, ask_qty]) = self.level(index);
            out.extend([px(bid), px(ask), qty(bid_qty), qty(ask_qty)]);
        }
    }
}

/// Quotient rounded to the nearest whole number, halves away from zero; `divisor` above 0.
pub(super) fn div_half_away(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    if rest.abs() * 2 >= divisor { quotient + dividend.signum() } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_away_from_zero() {
        for (dividend, divisor, expected) in
            [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (-4, 3, -1), (0, 7, 0), (6, 3, 2), (5, 3, 2)]
        {
            assert_eq!(div_half_away(dividend, divisor), expected, "{dividend} / {divisor}");
        }
    }
}
