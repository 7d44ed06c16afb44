//! Records as typed columns: what CSV, Arrow and Parquet are made of.
//!
//! Each kind has a table of [`Column`]s with the names and the order of its JSON form ([`write_json`](super::write_json),
//! journal form), but for what is nested there:
//!
//! - A book's levels are flat, `bid_px_1`, `bid_qty_1`, `bid_count_1` .. `ask_count_10`: lists of structs are objects in
//!   pandas and need an explode in polars, where a spread is `ask_px_1 - bid_px_1`. Level 1 is the best; a level that the
//!   JSON form leaves out is null.
//! - Members are flat in the same way: `seller_code_1` .. `buyer_foreign_5`.
//! - Sets of names (`flags`, `findings`) are one text, joined by `|`; none is the empty text.
//! - `ts_event` is null where the feed gave a time without a date; then `time_event` has the time of day (the JSON form has
//!   it as `ts_event`).
//! - `type` is no column: a table is of one kind.
//!
//! A **row** is a record laid out as this build's struct ([`lay_out`]): what an older writer did not know is a sentinel,
//! what a newer one added is left out. Every column is a field at a fixed place of the row, so that a batch of rows is
//! turned into columns by loops without a branch on the kind.

mod tables;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Write as _;

use bytemuck::{bytes_of, pod_read_unaligned};

use super::flags::{Findings, Flags};
use super::header::{HEADER_BYTES, Header};
use super::instrument::text;
use super::json::write_kst;
use super::kinds::RType;
use super::market_data::{Book, BookBuffer, Level, Side, UNDEF_LEVEL};
use super::px::write_scaled;
use super::registry::{Publisher, tr_name};
use super::service::{EndReason, GapReason, HoleReason, RejectReason, SessionEvent};
use super::view::RecordView;
use super::{UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TS};

pub use tables::columns;

/// Nanoseconds of a day: no time of day reaches it.
const DAY_NS: u64 = 86_400_000_000_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// Signed, 1 unit = 1e-9; null where undefined.
    Px,
    /// Signed, 1 unit = 1e-4; null where undefined. Of one instrument: a day of it stays below 1e14.
    Turnover,
    /// As [`Turnover`](Self::Turnover), of a whole market.
    MarketTurnover,
    /// Unsigned, 64 bits; null where undefined.
    Qty,
    /// Signed, 64 bits; null where undefined.
    Change,
    /// Unsigned, 32 bits; null where undefined.
    Count,
    /// Unsigned, as wide as its field (8 to 64 bits); never null.
    Number,
    /// Nanoseconds since the UNIX epoch; null where undefined.
    Timestamp,
    /// As [`Timestamp`](Self::Timestamp); null, too, where the feed gave no date.
    EventTimestamp,
    /// Nanoseconds since local midnight where the feed gave no date; else null.
    EventTime,
    /// Decimal YYYYMMDD; null where 0.
    Date,
    /// One of a fixed list of names, stored as a number.
    Name(NameList),
    /// Symbol of the record's instrument; null where it has none.
    Symbol,
    /// Market of the record's instrument; null where it has none.
    Market,
    /// Names of the bits of [`Flags`], joined by `|`; never null.
    Flags,
    /// Names of the bits of [`Findings`], joined by `|`; never null.
    Findings,
    /// Zero-padded bytes, as text; null where empty.
    Code,
    /// The bytes behind the fixed part of the record; never null.
    Tail,
}

/// A fixed list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameList {
    /// Transactions, by [`tr_name`].
    Tr,
    /// Venues, by [`Publisher::venue`].
    Venue,
    /// [`Side`].
    Side,
    /// [`GapReason`].
    GapReason,
    /// [`RejectReason`].
    RejectReason,
    /// [`SessionEvent`].
    SessionEvent,
    /// [`EndReason`].
    EndReason,
    /// [`HoleReason`].
    HoleReason,
    /// [`StatusSource`](super::StatusSource).
    StatusSource,
    /// WebSocket opcode.
    Opcode,
}

impl NameList {
    /// The name of a number. Transactions and venues this build does not know have none, the others are `unknown`.
    pub fn name(self, number: u64) -> Option<&'static str> {
        let (byte, short) = (u8::try_from(number).unwrap_or(u8::MAX), u16::try_from(number).unwrap_or(u16::MAX));
        match self {
            NameList::Tr => tr_name(short),
            NameList::Venue => Publisher::from_number(short).map(Publisher::venue),
            NameList::Side => Some(Side::name(byte)),
            NameList::GapReason => Some(GapReason::from_number(byte).map_or("unknown", GapReason::name)),
            NameList::RejectReason => Some(RejectReason::from_number(byte).map_or("unknown", RejectReason::name)),
            NameList::SessionEvent => Some(SessionEvent::from_number(byte).map_or("unknown", SessionEvent::name)),
            NameList::EndReason => Some(EndReason::from_number(byte).map_or("unknown", EndReason::name)),
            NameList::HoleReason => Some(HoleReason::from_number(byte).map_or("unknown", HoleReason::name)),
            NameList::StatusSource => Some(if number == 0 { "feed" } else { "calendar" }),
            NameList::Opcode => Some(if number == 2 { "binary" } else { "text" }),
        }
    }

    /// Every name there is, each once.
    pub fn names(self) -> Vec<&'static str> {
        let mut names = Vec::new();
        // Numbers are dense from 0 or 1 and few.
        for name in (0..=255).filter_map(|number| self.name(number)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// A field of a kind's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name as in the JSON form.
    pub name: Cow<'static, str>,
    /// What it holds.
    pub ty: ColumnType,
    /// Offset of the field in a row.
    pub offset: usize,
    /// Bytes of the field.
    pub width: usize,
}

/// A row and what it does not hold itself.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// As [`lay_out`] wrote it.
    pub bytes: &'a [u8],
    /// What [`lay_out`] returned.
    pub tail: &'a [u8],
    /// Symbol of its instrument; empty = none.
    pub symbol: &'a str,
    /// Market of its instrument; empty = none.
    pub market: &'a str,
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `units` × 10^-`decimals`.
    Decimal {
        /// Scaled value.
        units: i64,
        /// Decimal places.
        decimals: u32,
    },
    /// A whole number.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// Nanoseconds since the UNIX epoch.
    Timestamp(u64),
    /// Nanoseconds since midnight.
    Time(u64),
    /// Decimal YYYYMMDD, as sent: not necessarily a date there is.
    Date(u32),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes as on the wire.
    Bytes(&'a [u8]),
}

impl Column {
    /// The field as an unsigned number of its width (at most 8 bytes).
    #[inline]
    pub fn unsigned(&self, row: &[u8]) -> u64 {
        let at = self.offset;
        match self.width {
            1 => u64::from(row[at]),
            2 => u64::from(pod_read_unaligned::<u16>(&row[at..at + 2])),
            4 => u64::from(pod_read_unaligned::<u32>(&row[at..at + 4])),
            _ => pod_read_unaligned(&row[at..at + 8]),
        }
    }

    /// The value in a row; `None` = null.
    pub fn value<'a>(&self, row: &Row<'a>) -> Option<Value<'a>> {
        let number = || self.unsigned(row.bytes);
        let decimal = |units: u64, decimals| Value::Decimal { units: units as i64, decimals };
        let known = |text: &'a str| (!text.is_empty()).then_some(Value::Text(Cow::Borrowed(text)));
        match self.ty {
            ColumnType::Px => defined(number(), UNDEF_PX as u64).map(|px| decimal(px, 9)),
            ColumnType::Turnover | ColumnType::MarketTurnover => {
                defined(number(), super::UNDEF_TURNOVER as u64).map(|turnover| decimal(turnover, 4))
            }
            ColumnType::Qty => defined(number(), UNDEF_QTY).map(Value::Unsigned),
            ColumnType::Change => defined(number(), UNDEF_CHANGE as u64).map(|change| Value::Signed(change as i64)),
            ColumnType::Count => defined(number(), u64::from(UNDEF_COUNT)).map(Value::Unsigned),
            ColumnType::Number => Some(Value::Unsigned(number())),
            ColumnType::Timestamp => defined(number(), UNDEF_TS).map(Value::Timestamp),
            ColumnType::EventTimestamp if is_time_only(row.bytes) => None,
            ColumnType::EventTimestamp => defined(number(), UNDEF_TS).map(Value::Timestamp),
            ColumnType::EventTime => {
                Some(number()).filter(|ns| is_time_only(row.bytes) && *ns < DAY_NS).map(Value::Time)
            }
            ColumnType::Date => defined(number(), 0).map(|date| Value::Date(date as u32)),
            ColumnType::Name(list) => list.name(number()).map(|name| Value::Text(Cow::Borrowed(name))),
            ColumnType::Symbol => known(row.symbol),
            ColumnType::Market => known(row.market),
            ColumnType::Flags => Some(Value::Text(Cow::Owned(joined(Flags(number() as u32).names())))),
            ColumnType::Findings => Some(Value::Text(Cow::Owned(joined(Findings(number() as u32).names())))),
            ColumnType::Code => {
                let code = text(&row.bytes[self.offset..self.offset + self.width]);
                (!code.is_empty()).then_some(Value::Text(code))
            }
            ColumnType::Tail => Some(Value::Bytes(row.tail)),
        }
    }

    /// Appends the value as text: numbers and times as in the JSON form, without quotes; nothing for null. Bytes that
    /// are not UTF-8 become U+FFFD.
    pub fn write_text(&self, row: &Row<'_>, out: &mut Vec<u8>) {
        // Writing to a `Vec` can't fail.
        match self.value(row) {
            None => {}
            Some(Value::Decimal { units, decimals }) => write_scaled(out, units, decimals),
            Some(Value::Unsigned(number)) => drop(write!(out, "{number}")),
            Some(Value::Signed(number)) => drop(write!(out, "{number}")),
            Some(Value::Timestamp(ns)) => write_kst(out, ns),
            Some(Value::Time(ns)) => {
                let second = ns / 1_000_000_000;
                let _ = write!(out, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
            }
            Some(Value::Date(date)) => {
                let _ = write!(out, "{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100);
            }
            Some(Value::Text(text)) => out.extend_from_slice(text.as_bytes()),
            Some(Value::Bytes(bytes)) => out.extend_from_slice(String::from_utf8_lossy(bytes).as_bytes()),
        }
    }
}

/// Lays a record out as a row of its kind: appends the words of its fixed part and returns the bytes behind it (of kinds
/// that have a [`ColumnType::Tail`]). `None`, and nothing appended, for a kind that has no columns.
///
/// A book's row has room for all levels; a level without price and quantity is undefined, and of the two mid prices the
/// first is that of the venue itself, as in the JSON form.
pub fn lay_out<'a>(record: &RecordView<'a>, out: &mut Vec<u64>) -> Option<&'a [u8]> {
    let mut tail: &[u8] = &[];
    match record {
        RecordView::Trade(r) => append(bytes_of(&**r), out),
        RecordView::Book(book, levels) => append(bytes_of(&whole_book(book, levels)), out),
        RecordView::Expected(r) => append(bytes_of(&**r), out),
        RecordView::Status(r) => append(bytes_of(&**r), out),
        RecordView::Index(r) => append(bytes_of(&**r), out),
        RecordView::Nav(r) => append(bytes_of(&**r), out),
        RecordView::Program(r) => append(bytes_of(&**r), out),
        RecordView::Member(r) => append(bytes_of(&**r), out),
        RecordView::Bar(r) => append(bytes_of(&**r), out),
        RecordView::Instrument(r) => append(bytes_of(&**r), out),
        RecordView::Gap(r) => append(bytes_of(&**r), out),
        RecordView::Repair(r) => append(bytes_of(&**r), out),
        RecordView::Session(r) => append(bytes_of(&**r), out),
        RecordView::Clock(r) => append(bytes_of(&**r), out),
        RecordView::End(r) => append(bytes_of(&**r), out),
        RecordView::Hole(r) => append(bytes_of(&**r), out),
        RecordView::Other(r, bytes) => {
            append(bytes_of(&**r), out);
            tail = bytes;
        }
        RecordView::Reject(r, bytes) => {
            append(bytes_of(&**r), out);
            tail = bytes;
        }
        RecordView::Raw(r, bytes) => {
            append(bytes_of(&**r), out);
            tail = bytes;
        }
        RecordView::Unknown(_) => return None,
    }
    Some(tail)
}

/// Appends the bytes of a struct, whose size is a multiple of eight.
fn append(bytes: &[u8], out: &mut Vec<u64>) {
    match bytemuck::try_cast_slice(bytes) {
        Ok(words) => out.extend_from_slice(words),
        Err(_) => out.extend(bytes.chunks_exact(8).map(pod_read_unaligned::<u64>)),
    }
}

fn whole_book(book: &Book, levels: &[Level]) -> BookBuffer {
    let mut whole = BookBuffer { book: *book, ..BookBuffer::UNDEF };
    for (to, from) in whole.levels.iter_mut().zip(levels) {
        let bid = side((from.bid_px, from.bid_qty, from.bid_count));
        let ask = side((from.ask_px, from.ask_qty, from.ask_count));
        *to =
            Level { bid_px: bid.0, ask_px: ask.0, bid_qty: bid.1, ask_qty: ask.1, bid_count: bid.2, ask_count: ask.2 };
    }
    let nxt = book.header.publisher == Publisher::KisNxt as u16 || book.krx_mid.px == UNDEF_PX;
    if nxt {
        whole.book.krx_mid = book.nxt_mid;
    }
    whole
}

/// One side of a level, undefined where there is neither price nor quantity.
fn side((px, qty, count): (i64, u64, u32)) -> (i64, u64, u32) {
    let is_empty = (px == 0 || px == UNDEF_PX) && (qty == 0 || qty == UNDEF_QTY);
    if is_empty { (UNDEF_LEVEL.bid_px, UNDEF_LEVEL.bid_qty, UNDEF_LEVEL.bid_count) } else { (px, qty, count) }
}

/// Whether `ts_event` of a row is a time of day.
fn is_time_only(row: &[u8]) -> bool {
    let header: Header = pod_read_unaligned(&row[..HEADER_BYTES]);
    Flags(header.flags).has(Flags::EVENT_TIME_ONLY)
}

fn defined(value: u64, undefined: u64) -> Option<u64> {
    (value != undefined).then_some(value)
}

fn joined(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join("|")
}

/// Bytes of a row of a kind; 0 = the kind has no columns.
pub fn row_bytes(kind: RType) -> usize {
    tables::row_bytes(kind)
}
