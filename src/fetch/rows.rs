//! Rows as they are kept, and their columns.

use std::borrow::Cow;

use hoga_table::{Columns, Kind, Row, Value};
use jiff::civil::Date;

use super::plan::{Request, What, prices_name};
use crate::tick::{UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// A minute in which something traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minute {
    /// Its beginning, ns since the UNIX epoch.
    pub start: u64,
    /// First, highest, lowest, last price.
    pub prices: [i64; 4],
    /// Shares.
    pub volume: u64,
    /// Turnover of the day up to its end.
    pub day_turnover: i64,
    /// Turnover of the minute; undefined where the broker left one of the day's out.
    pub turnover: i64,
}

/// A day, week or month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The date by which the broker names it.
    pub date: Date,
    /// First, highest, lowest, last price.
    pub prices: [i64; 4],
    /// Shares.
    pub volume: u64,
    /// Turnover.
    pub turnover: i64,
    /// The broker's code of ex-rights and the like, `flng_cls_code`.
    pub ex_code: String,
    /// The broker's ratio of a split, `prtt_rate`.
    pub split_rate: String,
}

/// A trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Its time, whole seconds, ns since the UNIX epoch.
    pub ts: u64,
    /// Price.
    pub px: i64,
    /// Shares.
    pub qty: u64,
    /// Shares of the day, these included.
    pub cum_qty: u64,
    /// Best ask after it.
    pub ask_px: i64,
    /// Best bid after it.
    pub bid_px: i64,
    /// Shares traded since the trade before that the broker did not show one by one.
    pub missing_before: u64,
}

/// The rows of a unit, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Of `bars`.
    Minutes(Vec<Minute>),
    /// Of `daily`.
    Days(Vec<Day>),
    /// Of `ticks`.
    Ticks(Vec<Tick>),
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Rows::Minutes(rows) => rows.len(),
            Rows::Days(rows) => rows.len(),
            Rows::Ticks(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const PX: Kind = Kind::Decimal(9);
const TURNOVER: Kind = Kind::Decimal(4);

/// The columns of a request's files.
pub(super) fn columns(what: What) -> Columns {
    let prices = [("open", PX), ("high", PX), ("low", PX), ("close", PX), ("volume", Kind::Count)];
    let names = [("symbol", Kind::Text), ("venue", Kind::Text)];
    let columns: Vec<(&'static str, Kind)> = match what {
        What::Bars => [("start", Kind::Time)]
            .into_iter()
            .chain(names)
            .chain(prices)
            .chain([("turnover", TURNOVER), ("day_turnover", TURNOVER)])
            .collect(),
        What::Daily { .. } => [("date", Kind::Date)]
            .into_iter()
            .chain(names)
            .chain([("period", Kind::Text), ("prices", Kind::Text)])
            .chain(prices)
            .chain([("turnover", TURNOVER), ("ex_code", Kind::Text), ("split_rate", Kind::Text)])
            .collect(),
        What::Ticks => [("time", Kind::Time)]
            .into_iter()
            .chain(names)
            .chain([
                ("price", PX),
                ("quantity", Kind::Count),
                ("cum_volume", Kind::Count),
                ("ask", PX),
                ("bid", PX),
                ("missing_before", Kind::Count),
            ])
            .collect(),
    };
    columns.into_iter().map(|(name, kind)| (name.into(), kind)).collect()
}

/// A row beside what it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'r, T> {
    pub row: &'r T,
    pub symbol: &'r str,
    pub request: &'r Request,
}

fn px(px: i64) -> Value<'static> {
    if px == UNDEF_PX { Value::Null } else { Value::Decimal(px.into(), 9) }
}

fn turnover(units: i64) -> Value<'static> {
    if units == UNDEF_TURNOVER { Value::Null } else { Value::Decimal(units.into(), 4) }
}

fn count(count: u64) -> Value<'static> {
    if count == UNDEF_QTY { Value::Null } else { Value::Count(count) }
}

fn text(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Null } else { Value::Text(Cow::Borrowed(text)) }
}

impl<T> Shown<'_, T> {
    fn names<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        out.extend([text(self.symbol), text(self.request.market.name())]);
    }
}

impl Row for Shown<'_, Minute> {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        out.push(Value::Time(self.row.start));
        self.names(out);
        out.extend(self.row.prices.map(px));
        out.extend([count(self.row.volume), turnover(self.row.turnover), turnover(self.row.day_turnover)]);
    }
}

impl Row for Shown<'_, Day> {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        out.push(Value::Date(self.row.date));
        self.names(out);
        if let What::Daily { period, prices } = self.request.what {
            out.extend([text(period.code()), text(prices_name(prices))]);
        }
        out.extend(self.row.prices.map(px));
        out.extend([count(self.row.volume), turnover(self.row.turnover)]);
        out.extend([text(&self.row.ex_code), text(&self.row.split_rate)]);
    }
}

impl Row for Shown<'_, Tick> {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        out.push(Value::Time(self.row.ts));
        self.names(out);
        out.extend([px(self.row.px), count(self.row.qty), count(self.row.cum_qty)]);
        out.extend([px(self.row.ask_px), px(self.row.bid_px), Value::Count(self.row.missing_before)]);
    }
}
