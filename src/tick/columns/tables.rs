//! The table of each kind, in the order of its JSON form.

use std::borrow::Cow;
use std::mem::offset_of;
use std::sync::LazyLock;

use super::ColumnType::*;
use super::{Column, ColumnType, NameList};
use crate::tick::Instrument;
use crate::tick::header::{HEADER_BYTES, Header, Market as MarketPrefix};
use crate::tick::instrument::InstrumentKey;
use crate::tick::kinds::RType;
use crate::tick::market_data::{
    BOOK_LEVELS, Bar, Book, BookBuffer, Expected, Index, Level, Member, MemberEntry, Nav, Program, Status, Trade,
};
use crate::tick::service::{Clock, End, Gap, Hole, OtherPrefix, RawPrefix, RejectPrefix, Repair, Session};

/// Bytes of the field that a function points to.
const fn width_of<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Appends columns `name: type` of fields of a struct; `name = path: type` where the field is called otherwise.
macro_rules! push {
    ($out:expr, $base:expr, $kind:ty; $($name:ident $(= $($path:ident).+)?: $ty:expr),* $(,)?) => {
        $( push!(@one $out, $base, $kind, $name, ($($($path).+)?), $ty); )*
    };
    (@one $out:expr, $base:expr, $kind:ty, $name:ident, (), $ty:expr) => {
        push!(@one $out, $base, $kind, $name, ($name), $ty)
    };
    (@one $out:expr, $base:expr, $kind:ty, $name:ident, ($($path:ident).+), $ty:expr) => {
        $out.push(Column {
            name: Cow::Borrowed(stringify!($name)),
            ty: $ty,
            offset: $base + offset_of!($kind, $($path).+),
            width: width_of(|record: &$kind| &record.$($path).+),
        })
    };
}

/// Columns with those of a struct that begins `base` bytes into the row behind them.
macro_rules! table_at {
    ($head:expr, $base:expr, $kind:ty; $($fields:tt)*) => {{
        let mut out = $head;
        push!(out, $base, $kind; $($fields)*);
        out
    }};
}

/// Columns with those of a struct that is the row behind them.
macro_rules! table {
    ($head:expr, $kind:ty; $($fields:tt)*) => {
        table_at!($head, 0, $kind; $($fields)*)
    };
}

type Columns = Vec<Column>;

static TABLES: LazyLock<Vec<(RType, usize, Columns)>> = LazyLock::new(|| {
    let mut tables: Vec<_> = RType::ALL.into_iter().map(|kind| (kind, bytes_of_kind(kind), table_of(kind))).collect();
    tables.sort_by_key(|(kind, ..)| *kind as u8);
    tables
});

/// The columns of a kind, in the order of its JSON form.
pub fn columns(kind: RType) -> &'static [Column] {
    find(kind).map_or(&[], |(_, _, columns)| columns)
}

pub(super) fn row_bytes(kind: RType) -> usize {
    find(kind).map_or(0, |(_, bytes, _)| *bytes)
}

fn find(kind: RType) -> Option<&'static (RType, usize, Columns)> {
    TABLES.binary_search_by_key(&(kind as u8), |(kind, ..)| *kind as u8).ok().map(|at| &TABLES[at])
}

fn bytes_of_kind(kind: RType) -> usize {
    match kind {
        RType::Trade => size_of::<Trade>(),
        RType::Book => size_of::<BookBuffer>(),
        RType::Expected => size_of::<Expected>(),
        RType::Status => size_of::<Status>(),
        RType::Index => size_of::<Index>(),
        RType::Nav => size_of::<Nav>(),
        RType::Program => size_of::<Program>(),
        RType::Member => size_of::<Member>(),
        RType::Bar => size_of::<Bar>(),
        RType::Other => size_of::<OtherPrefix>(),
        RType::Instrument => size_of::<Instrument>(),
        RType::Gap => size_of::<Gap>(),
        RType::Repair => size_of::<Repair>(),
        RType::Reject => size_of::<RejectPrefix>(),
        RType::Session => size_of::<Session>(),
        RType::Clock => size_of::<Clock>(),
        RType::End => size_of::<End>(),
        RType::Hole => size_of::<Hole>(),
        RType::Raw => size_of::<RawPrefix>(),
    }
}

/// What begins every table of market data.
fn market() -> Columns {
    let mut out = Columns::new();
    push!(out, HEADER_BYTES, MarketPrefix; tr_id = tr: Name(NameList::Tr));
    push!(out, 0, Header; venue = publisher: Name(NameList::Venue), symbol = instrument_id: Symbol, market = instrument_id: Market);
    push!(out, HEADER_BYTES, MarketPrefix; ts_event: EventTimestamp, time_event = ts_event: EventTime);
    push!(out, 0, Header; flags: Flags);
    push!(out, HEADER_BYTES, MarketPrefix; findings: Findings);
    push!(out, 0, Header; sequence: Qty, ts_recv: Timestamp);
    push!(out, HEADER_BYTES, MarketPrefix; raw_sequence: Qty);
    push!(out, 0, Header; line: Number);
    push!(out, HEADER_BYTES, MarketPrefix;
        recv_window_ns: Number, read_ns: Number, decoded_ns: Number, committed_ns: Number,
        width: Number, frame_index: Number, frame_count: Number);
    out
}

/// What begins every other table.
fn service() -> Columns {
    table!(Columns::new(), Header;
        sequence: Qty, ts_recv: Timestamp, symbol = instrument_id: Symbol, venue = publisher: Name(NameList::Venue), flags: Flags)
}

fn table_of(kind: RType) -> Columns {
    match kind {
        RType::Trade => table!(market(), Trade;
            px: Px, qty: Qty, cum_qty: Qty, cum_turnover: Turnover, side: Name(NameList::Side),
            bid_px: Px, ask_px: Px, bid_qty: Qty, ask_qty: Qty,
            open_px: Px, high_px: Px, low_px: Px, vwap_px: Px,
            change_px: Px, cum_sell_qty: Qty, cum_buy_qty: Qty, sell_count: Count, buy_count: Count,
            total_bid_qty: Qty, total_ask_qty: Qty, vi_px: Px,
            business_date: Date, sign: Code, hour_cls: Code,
            market_cls: Code, mkop_cls: Code, halt: Code, side_code: Code),
        RType::Book => book(),
        RType::Expected => table!(market(), Expected;
            px: Px, qty: Qty, cum_qty: Qty, cum_turnover: Turnover, change_px: Px, bid_px: Px, ask_px: Px,
            bid_qty: Qty, ask_qty: Qty, total_bid_qty: Qty, total_ask_qty: Qty, vi_px: Px,
            business_date: Date, sign: Code, hour_cls: Code, market_cls: Code, mkop_cls: Code, halt: Code),
        RType::Status => table!(market(), Status;
            halt: Code, reason: Code, mkop_cls: Code, expected_mkop_cls: Code, time_cls: Code, allotment_cls: Code,
            issue_status: Code, vi_cls: Code, overtime_vi_cls: Code, exchange_cls: Code,
            source: Name(NameList::StatusSource)),
        RType::Index => table!(market(), Index;
            px: Px, open_px: Px, high_px: Px, low_px: Px, change_px: Px,
            cum_qty: Qty, cum_turnover: MarketTurnover, tick_qty: Qty, tick_turnover: Qty, tick_change_px: Px,
            upper_limit_count: Count, up_count: Count, unchanged_count: Count, down_count: Count,
            lower_limit_count: Count, business_date: Date, sign: Code),
        RType::Nav => table!(market(), Nav;
            px: Px, open_px: Px, high_px: Px, low_px: Px, change_px: Px, sign: Code),
        RType::Program => table!(market(), Program;
            sell_qty: Qty, sell_turnover: MarketTurnover, buy_qty: Qty, buy_turnover: MarketTurnover,
            net_qty: Change, net_turnover: MarketTurnover, sell_resting_qty: Qty, buy_resting_qty: Qty,
            resting_net_qty: Change, arbitrage_net_qty: Change, arbitrage_net_turnover: MarketTurnover,
            other_net_qty: Change, other_net_turnover: MarketTurnover, cum_qty: Qty, cum_turnover: MarketTurnover),
        RType::Member => member(),
        RType::Bar => table!(market(), Bar;
            interval_ns: Qty, open_px: Px, high_px: Px, low_px: Px, close_px: Px, qty: Qty, turnover: Turnover,
            cum_qty: Qty, cum_turnover: Turnover),
        RType::Other => with_tail(market(), "record", size_of::<OtherPrefix>()),
        RType::Instrument => {
            let mut out = table!(service(), Header; instrument_id: Number);
            push!(out, offset_of!(Instrument, key), InstrumentKey; market: Code);
            table!(out, Instrument; currency: Code, qty_decimals: Number, tick_rule: Number, turnover_unit: Qty)
        }
        RType::Gap => table!(service(), Gap;
            gap_id: Qty, reason: Name(NameList::GapReason), cum_qty_before: Qty, cum_qty_after: Qty, missing_qty: Qty,
            missing_turnover: Turnover, missing_trades: Qty, from_ts: Timestamp, to_ts: Timestamp, raw_sequence: Qty),
        RType::Repair => table!(service(), Repair;
            gap_id: Qty, cum_qty_before: Qty, cum_qty_after: Qty, filled_qty: Qty, filled_turnover: Turnover,
            filled_trades: Qty, from_ts: Timestamp, to_ts: Timestamp, missing_qty: Qty),
        RType::Reject => {
            let out = table!(service(), RejectPrefix;
                reason: Name(NameList::RejectReason), raw_sequence: Qty, frame_bytes: Number, tr_id = tr: Name(NameList::Tr));
            with_tail(out, "bytes", size_of::<RejectPrefix>())
        }
        RType::Session => {
            let out = table!(service(), Header; line: Number);
            table!(out, Session;
                event: Name(NameList::SessionEvent), reason: Number, close_code: Number, tr_id = tr: Name(NameList::Tr),
                tr_key: Code, code: Code, text: Code, value: Qty)
        }
        RType::Clock => table!(service(), Clock;
            offset_ns: Change, error_ns: Qty, anchor_wall = anchor_wall_ns: Timestamp,
            anchor_market = anchor_market_ns: Timestamp, scale_ppb: Qty, source: Number),
        RType::End => table!(service(), End;
            reason: Name(NameList::EndReason), next_ordinal: Qty, market_records: Qty),
        RType::Hole => table!(service(), Hole; reason: Name(NameList::HoleReason),
            first_sequence: Qty, last_sequence: Qty, lost_bytes = bytes: Qty),
        RType::Raw => {
            let out = table!(service(), Header; line: Number);
            let out = table!(out, RawPrefix; recv_window_ns: Number, read_ns: Number, opcode: Name(NameList::Opcode));
            with_tail(out, "payload", size_of::<RawPrefix>())
        }
    }
}

fn book() -> Columns {
    let mut out = market();
    for side in ["bid", "ask"] {
        for level in 0..BOOK_LEVELS {
            let base = size_of::<Book>() + level * size_of::<Level>();
            let none = Columns::new();
            let fields = match side {
                "bid" => table_at!(none, base, Level; bid_px: Px, bid_qty: Qty, bid_count: Count),
                _ => table_at!(none, base, Level; ask_px: Px, ask_qty: Qty, ask_count: Count),
            };
            out.extend(numbered(fields, "", level));
        }
    }
    table!(out, Book;
        total_bid_qty: Qty, total_ask_qty: Qty, mid_px = krx_mid.px: Px, mid_qty = krx_mid.qty: Qty,
        nxt_mid_px = nxt_mid.px: Px, nxt_mid_qty = nxt_mid.qty: Qty,
        mid_cls = krx_mid_cls: Code, nxt_mid_cls: Code, total_bid_change: Change, total_ask_change: Change,
        overtime_bid_qty: Qty, overtime_ask_qty: Qty, overtime_bid_change: Change, overtime_ask_change: Change,
        cum_qty: Qty, expected_px: Px, expected_qty: Qty, expected_volume: Qty, expected_change_px: Px,
        expected_sign: Code, expected_exchange: Code, hour_cls: Code, market_cls: Code, deal_cls: Code)
}

fn member() -> Columns {
    let mut out = market();
    for (side, base) in [("seller_", offset_of!(Member, sellers)), ("buyer_", offset_of!(Member, buyers))] {
        for place in 0..5 {
            let mut fields = Columns::new();
            push!(fields, base + place * size_of::<MemberEntry>(), MemberEntry;
                code: Code, qty: Qty, qty_change: Change, share_percent = share: Px, foreign: Code);
            out.extend(numbered(fields, side, place));
        }
    }
    table!(out, Member;
        foreign_sell_qty: Qty, foreign_buy_qty: Qty, foreign_sell_change: Change, foreign_buy_change: Change,
        foreign_net_qty: Change)
}

/// Names as `prefix` + name + `_1` for the first place.
fn numbered(fields: Columns, prefix: &str, place: usize) -> impl Iterator<Item = Column> {
    let named = move |field: Column| Column { name: format!("{prefix}{}_{}", field.name, place + 1).into(), ..field };
    fields.into_iter().map(named).collect::<Vec<_>>().into_iter()
}

fn with_tail(mut out: Columns, name: &'static str, offset: usize) -> Columns {
    out.push(Column { name: Cow::Borrowed(name), ty: ColumnType::Tail, offset, width: 0 });
    out
}
