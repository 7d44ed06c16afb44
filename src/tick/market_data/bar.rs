//! Bars of executions.

use bytemuck::{Pod, Zeroable};

use super::{UNDEF_HEADER, UNDEF_MARKET};
use crate::tick::header::{Header, Market};
use crate::tick::{UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// A bar from the broker's REST service.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Bar {
    /// Common header.
    pub header: Header,
    /// Common market prefix; `ts_event` is the bar's beginning.
    pub market: Market,
    /// Length of the bar, ns.
    pub interval_ns: u64,
    /// First price.
    pub open_px: i64,
    /// Highest price.
    pub high_px: i64,
    /// Lowest price.
    pub low_px: i64,
    /// Last price.
    pub close_px: i64,
    /// Quantity in the bar.
    pub qty: u64,
    /// Turnover in the bar.
    pub turnover: i64,
    /// Cumulative quantity of the day at the bar's end.
    pub cum_qty: u64,
    /// Cumulative turnover of the day at the bar's end.
    pub cum_turnover: i64,
}

impl Bar {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Bar = Bar {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        interval_ns: 0,
        open_px: UNDEF_PX,
        high_px: UNDEF_PX,
        low_px: UNDEF_PX,
        close_px: UNDEF_PX,
        qty: UNDEF_QTY,
        turnover: UNDEF_TURNOVER,
        cum_qty: UNDEF_QTY,
        cum_turnover: UNDEF_TURNOVER,
    };
}
