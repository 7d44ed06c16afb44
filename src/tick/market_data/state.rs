//! What state an instrument or the market is in: status, index levels, net asset values.

use bytemuck::{Pod, Zeroable};

use super::{UNDEF_HEADER, UNDEF_MARKET};
use crate::tick::header::{Header, Market};
use crate::tick::{UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// Where a [`Status`] comes from.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusSource {
    /// The broker's feed.
    Feed = 0,
    /// hoga's calendar.
    Calendar = 1,
}

/// Market operation: session, volatility interruption, halt. Codes as sent, zero padded.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Status {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Reason of a halt as sent (bytes, not necessarily UTF-8), zero padded, cut at 64.
    pub reason: [u8; 64],
    /// Market operation code (MKOP_CLS_CODE), e.g. `112`, `AB1`.
    pub mkop_cls: [u8; 4],
    /// Expected market operation code.
    pub expected_mkop_cls: [u8; 4],
    /// Time class of the market; 0 = none.
    pub time_cls: [u8; 2],
    /// Dividend or allotment class.
    pub allotment_cls: [u8; 2],
    /// Issue status (ISCD_STAT_CLS_CODE), e.g. `55`, `58` = halted.
    pub issue_status: [u8; 4],
    /// Exchange class; absent on the unified feed.
    pub exchange_cls: [u8; 4],
    /// Halt as sent: `Y` or `N`; 0 = none.
    pub halt: u8,
    /// Volatility interruption as sent; 0 = none.
    pub vi_cls: u8,
    /// Volatility interruption of the overtime session as sent; 0 = none.
    pub overtime_vi_cls: u8,
    /// See [`StatusSource`].
    pub source: u8,
}

impl Status {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Status = Status {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        reason: [0; 64],
        mkop_cls: [0; 4],
        expected_mkop_cls: [0; 4],
        time_cls: [0; 2],
        allotment_cls: [0; 2],
        issue_status: [0; 4],
        exchange_cls: [0; 4],
        halt: 0,
        vi_cls: 0,
        overtime_vi_cls: 0,
        source: 0,
    };
}

/// Value of an index.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Index {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Value.
    pub px: i64,
    /// First value of the day.
    pub open_px: i64,
    /// Highest value of the day.
    pub high_px: i64,
    /// Lowest value of the day.
    pub low_px: i64,
    /// Value minus the previous close, signed.
    pub change_px: i64,
    /// Cumulative quantity of the members, shares (the feed sends thousands).
    pub cum_qty: u64,
    /// Cumulative turnover of the members (the feed sends millions of won).
    pub cum_turnover: i64,
    /// Quantity since the last value, unit as sent.
    pub tick_qty: u64,
    /// Turnover since the last value, whole units as sent.
    pub tick_turnover: u64,
    /// Change since the last value as sent.
    pub tick_change_px: i64,
    /// Members at the upper limit.
    pub upper_limit_count: u32,
    /// Members up.
    pub up_count: u32,
    /// Members unchanged.
    pub unchanged_count: u32,
    /// Members down.
    pub down_count: u32,
    /// Members at the lower limit.
    pub lower_limit_count: u32,
    /// Business date as sent, decimal YYYYMMDD; 0 = none.
    pub business_date: u32,
    /// Sign code of the change as sent; 0 = none.
    pub sign: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl Index {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Index = Index {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        px: UNDEF_PX,
        open_px: UNDEF_PX,
        high_px: UNDEF_PX,
        low_px: UNDEF_PX,
        change_px: UNDEF_CHANGE,
        cum_qty: UNDEF_QTY,
        cum_turnover: UNDEF_TURNOVER,
        tick_qty: UNDEF_QTY,
        tick_turnover: UNDEF_QTY,
        tick_change_px: UNDEF_CHANGE,
        upper_limit_count: UNDEF_COUNT,
        up_count: UNDEF_COUNT,
        unchanged_count: UNDEF_COUNT,
        down_count: UNDEF_COUNT,
        lower_limit_count: UNDEF_COUNT,
        business_date: 0,
        sign: 0,
        reserved: [0; 7],
    };
}

/// Net asset value of a fund.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Nav {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Net asset value a unit.
    pub px: i64,
    /// First value of the day.
    pub open_px: i64,
    /// Highest value of the day.
    pub high_px: i64,
    /// Lowest value of the day.
    pub low_px: i64,
    /// Value minus the previous close, signed.
    pub change_px: i64,
    /// Sign code of the change as sent; 0 = none.
    pub sign: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

impl Nav {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Nav = Nav {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        px: UNDEF_PX,
        open_px: UNDEF_PX,
        high_px: UNDEF_PX,
        low_px: UNDEF_PX,
        change_px: UNDEF_CHANGE,
        sign: 0,
        reserved: [0; 7],
    };
}
