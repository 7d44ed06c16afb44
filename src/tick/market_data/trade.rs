//! Executions.

use bytemuck::{Pod, Zeroable};

use super::{UNDEF_HEADER, UNDEF_MARKET};
use crate::tick::flags::{Findings, Flags};
use crate::tick::header::{Header, Market};
use crate::tick::{UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// Who took liquidity.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Not told by the feed.
    Unknown = 0,
    /// The buyer was the aggressor.
    Buy = 1,
    /// The seller was the aggressor.
    Sell = 2,
    /// Matched in a call auction: nobody was.
    Auction = 3,
}

impl Side {
    /// Name as in JSON; an unknown number is `unknown`.
    pub fn name(number: u8) -> &'static str {
        match number {
            1 => "buy",
            2 => "sell",
            3 => "auction",
            _ => "unknown",
        }
    }
}

/// An execution. 256 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Trade {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Execution price.
    pub px: i64,
    /// Executed quantity.
    pub qty: u64,
    /// Cumulative quantity of the day, this execution included.
    pub cum_qty: u64,
    /// Cumulative turnover of the day, this execution included.
    pub cum_turnover: i64,
    /// Cumulative quantity executed by sellers as aggressors.
    pub cum_sell_qty: u64,
    /// Cumulative quantity executed by buyers as aggressors.
    pub cum_buy_qty: u64,
    /// First price of the day.
    pub open_px: i64,
    /// Highest price of the day.
    pub high_px: i64,
    /// Lowest price of the day.
    pub low_px: i64,
    /// Volume-weighted average price of the day, as sent (off by up to 5 won from turnover / volume).
    pub vwap_px: i64,
    /// Price minus the previous close, signed.
    pub change_px: i64,
    /// Best bid after the execution.
    pub bid_px: i64,
    /// Best ask after the execution.
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
    /// Executions of the day by sellers.
    pub sell_count: u32,
    /// Executions of the day by buyers.
    pub buy_count: u32,
    /// Business date as sent, decimal YYYYMMDD; 0 = none.
    pub business_date: u32,
    /// Aggressor side, see [`Side`].
    pub side: u8,
    /// Sign code of the change as sent (`1` upper limit .. `5` down); 0 = none.
    pub sign: u8,
    /// Hour class as sent (`0` regular, `A`..`D`); 0 = none.
    pub hour_cls: u8,
    /// Market class as sent (`1` pre, `2` regular, `3` after, `5` closing); 0 = none.
    pub market_cls: u8,
    /// Session code as sent (NEW_MKOP_CLS_CODE), zero padded.
    pub mkop_cls: [u8; 4],
    /// Halt as sent: `Y` or `N`; 0 = none.
    pub halt: u8,
    /// Side code as sent (CCLD_DVSN); 0 = none.
    pub side_code: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

impl Trade {
    /// Whether this is an execution to be summed up: the one rule of what volumes, bars and averages count.
    ///
    /// Not counted: what came twice (finding DUPLICATE: sent again, or by a second line), what was only asked for by REST
    /// (flag POLLED) unless it fills a gap (BACKFILLED), and what has no price or no quantity. A trade whose cumulative
    /// volume went back (finding CUM_BACKWARDS) is an execution like any other. KRX, NXT and the unified feed are apart:
    /// the third has the trades of the other two again, so sums are by publisher.
    pub fn counts(&self) -> bool {
        let flags = self.header.flags;
        let only_asked_for = flags & Flags::POLLED != 0 && flags & Flags::BACKFILLED == 0;
        !only_asked_for
            && self.market.findings & Findings::DUPLICATE == 0
            && self.px != UNDEF_PX
            && self.qty != UNDEF_QTY
            && self.qty != 0
    }

    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Trade = Trade {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        px: UNDEF_PX,
        qty: UNDEF_QTY,
        cum_qty: UNDEF_QTY,
        cum_turnover: UNDEF_TURNOVER,
        cum_sell_qty: UNDEF_QTY,
        cum_buy_qty: UNDEF_QTY,
        open_px: UNDEF_PX,
        high_px: UNDEF_PX,
        low_px: UNDEF_PX,
        vwap_px: UNDEF_PX,
        change_px: UNDEF_CHANGE,
        bid_px: UNDEF_PX,
        ask_px: UNDEF_PX,
        bid_qty: UNDEF_QTY,
        ask_qty: UNDEF_QTY,
        total_bid_qty: UNDEF_QTY,
        total_ask_qty: UNDEF_QTY,
        vi_px: UNDEF_PX,
        sell_count: UNDEF_COUNT,
        buy_count: UNDEF_COUNT,
        business_date: 0,
        side: 0,
        sign: 0,
        hour_cls: 0,
        market_cls: 0,
        mkop_cls: [0; 4],
        halt: 0,
        side_code: 0,
        reserved: [0; 2],
    };
}

/// Resting interest at the mid price.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct MidPrice {
    /// Mid price.
    pub px: i64,
    /// Quantity resting there.
    pub qty: u64,
}
