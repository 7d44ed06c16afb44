//! Order books, and the expected execution of a call auction.

use bytemuck::{Pod, Zeroable};

use super::{MidPrice, UNDEF_HEADER, UNDEF_MARKET};
use crate::tick::header::{Header, Market};
use crate::tick::{UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// Most levels a [`Book`] holds a side.
pub const BOOK_LEVELS: usize = 10;

/// One level of a book, both sides.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Level {
    /// Bid price.
    pub bid_px: i64,
    /// Ask price.
    pub ask_px: i64,
    /// Bid quantity.
    pub bid_qty: u64,
    /// Ask quantity.
    pub ask_qty: u64,
    /// Orders at the bid; [`UNDEF_COUNT`].
    pub bid_count: u32,
    /// Orders at the ask; [`UNDEF_COUNT`].
    pub ask_count: u32,
}

/// Undefined book level.
pub(in crate::tick) const UNDEF_LEVEL: Level = Level {
    bid_px: UNDEF_PX,
    ask_px: UNDEF_PX,
    bid_qty: UNDEF_QTY,
    ask_qty: UNDEF_QTY,
    bid_count: UNDEF_COUNT,
    ask_count: UNDEF_COUNT,
};

/// A snapshot of the order book: this fixed part of 256 bytes, then [`levels`](Self::levels) × [`Level`], best first.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Book {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Quantity of all bids.
    pub total_bid_qty: u64,
    /// Quantity of all asks.
    pub total_ask_qty: u64,
    /// Change of `total_bid_qty` as sent.
    pub total_bid_change: i64,
    /// Change of `total_ask_qty` as sent.
    pub total_ask_change: i64,
    /// Quantity of all bids of the overtime session.
    pub overtime_bid_qty: u64,
    /// Quantity of all asks of the overtime session.
    pub overtime_ask_qty: u64,
    /// Change of `overtime_bid_qty` as sent.
    pub overtime_bid_change: i64,
    /// Change of `overtime_ask_qty` as sent.
    pub overtime_ask_change: i64,
    /// Cumulative traded quantity of the day.
    pub cum_qty: u64,
    /// Expected price of the call auction.
    pub expected_px: i64,
    /// Expected quantity of the call auction.
    pub expected_qty: u64,
    /// Expected volume as sent (ANTC_VOL).
    pub expected_volume: u64,
    /// Expected price minus the previous close.
    pub expected_change_px: i64,
    /// Mid price of KRX.
    pub krx_mid: MidPrice,
    /// Mid price of NXT.
    pub nxt_mid: MidPrice,
    /// Zero.
    pub reserved_words: [u64; 2],
    /// Side code of the KRX mid remainder as sent; 0 = none.
    pub krx_mid_cls: u8,
    /// Side code of the NXT mid remainder as sent; 0 = none.
    pub nxt_mid_cls: u8,
    /// Sign code of `expected_change_px` as sent; 0 = none.
    pub expected_sign: u8,
    /// Hour class as sent; 0 = none.
    pub hour_cls: u8,
    /// Market class as sent; 0 = none.
    pub market_cls: u8,
    /// Exchange of the expected price as sent (`1` KRX, `2` NXT); 0 = none.
    pub expected_exchange: u8,
    /// Deal class as sent (documented as unused); 0 = none.
    pub deal_cls: u8,
    /// Levels that follow, at most [`BOOK_LEVELS`].
    pub levels: u8,
    /// Zero.
    pub reserved: [u64; 1],
}

impl Book {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Book = Book {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        total_bid_qty: UNDEF_QTY,
        total_ask_qty: UNDEF_QTY,
        total_bid_change: UNDEF_CHANGE,
        total_ask_change: UNDEF_CHANGE,
        overtime_bid_qty: UNDEF_QTY,
        overtime_ask_qty: UNDEF_QTY,
        overtime_bid_change: UNDEF_CHANGE,
        overtime_ask_change: UNDEF_CHANGE,
        cum_qty: UNDEF_QTY,
        expected_px: UNDEF_PX,
        expected_qty: UNDEF_QTY,
        expected_volume: UNDEF_QTY,
        expected_change_px: UNDEF_CHANGE,
        krx_mid: MidPrice { px: UNDEF_PX, qty: UNDEF_QTY },
        nxt_mid: MidPrice { px: UNDEF_PX, qty: UNDEF_QTY },
        reserved_words: [0; 2],
        krx_mid_cls: 0,
        nxt_mid_cls: 0,
        expected_sign: 0,
        hour_cls: 0,
        market_cls: 0,
        expected_exchange: 0,
        deal_cls: 0,
        levels: 0,
        reserved: [0; 1],
    };
}

/// A [`Book`] with room for all its levels: what a decoder fills.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct BookBuffer {
    /// Fixed part.
    pub book: Book,
    /// Levels; those past `book.levels` are not part of the record.
    pub levels: [Level; BOOK_LEVELS],
}

impl BookBuffer {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: BookBuffer = BookBuffer { book: Book::UNDEF, levels: [UNDEF_LEVEL; BOOK_LEVELS] };
}

/// Expected execution of a call auction.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Expected {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Expected price (index value for an index).
    pub px: i64,
    /// Expected quantity.
    pub qty: u64,
    /// Cumulative quantity as sent.
    pub cum_qty: u64,
    /// Cumulative turnover as sent.
    pub cum_turnover: i64,
    /// Expected price minus the previous close, signed.
    pub change_px: i64,
    /// Best bid.
    pub bid_px: i64,
    /// Best ask.
    pub ask_px: i64,
    /// Quantity at the best bid.
    pub bid_qty: u64,
    /// Quantity at the best ask.
    pub ask_qty: u64,
    /// Quantity of all bids.
    pub total_bid_qty: u64,
    /// Quantity of all asks.
    pub total_ask_qty: u64,
    /// Reference price of the volatility interruption.
    pub vi_px: i64,
    /// Business date as sent, decimal YYYYMMDD; 0 = none.
    pub business_date: u32,
    /// Sign code of the change as sent; 0 = none.
    pub sign: u8,
    /// Hour class as sent; 0 = none.
    pub hour_cls: u8,
    /// Market class as sent; 0 = none.
    pub market_cls: u8,
    /// Halt as sent: `Y` or `N`; 0 = none.
    pub halt: u8,
    /// Session code as sent, zero padded.
    pub mkop_cls: [u8; 4],
    /// Zero.
    pub reserved: u32,
}

impl Expected {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Expected = Expected {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        px: UNDEF_PX,
        qty: UNDEF_QTY,
        cum_qty: UNDEF_QTY,
        cum_turnover: UNDEF_TURNOVER,
        change_px: UNDEF_CHANGE,
        bid_px: UNDEF_PX,
        ask_px: UNDEF_PX,
        bid_qty: UNDEF_QTY,
        ask_qty: UNDEF_QTY,
        total_bid_qty: UNDEF_QTY,
        total_ask_qty: UNDEF_QTY,
        vi_px: UNDEF_PX,
        business_date: 0,
        sign: 0,
        hour_cls: 0,
        market_cls: 0,
        halt: 0,
        mkop_cls: [0; 4],
        reserved: 0,
    };
}
