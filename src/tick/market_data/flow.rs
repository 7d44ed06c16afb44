//! Who trades: programs and members.

use bytemuck::{Pod, Zeroable};

use super::{UNDEF_HEADER, UNDEF_MARKET};
use crate::tick::header::{Header, Market};
use crate::tick::{UNDEF_CHANGE, UNDEF_QTY, UNDEF_TURNOVER};

/// Program trading of an instrument or an index; sums of the day.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Program {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Quantity sold.
    pub sell_qty: u64,
    /// Turnover sold.
    pub sell_turnover: i64,
    /// Quantity bought.
    pub buy_qty: u64,
    /// Turnover bought.
    pub buy_turnover: i64,
    /// Bought minus sold quantity.
    pub net_qty: i64,
    /// Bought minus sold turnover.
    pub net_turnover: i64,
    /// Quantity of resting sell orders.
    pub sell_resting_qty: u64,
    /// Quantity of resting buy orders.
    pub buy_resting_qty: u64,
    /// Net quantity of resting orders as sent (WHOL_NTBY_QTY of an instrument).
    pub resting_net_qty: i64,
    /// Index only: net quantity of index arbitrage.
    pub arbitrage_net_qty: i64,
    /// Index only: net turnover of index arbitrage.
    pub arbitrage_net_turnover: i64,
    /// Index only: net quantity of other programs.
    pub other_net_qty: i64,
    /// Index only: net turnover of other programs.
    pub other_net_turnover: i64,
    /// Index only: cumulative quantity of the market.
    pub cum_qty: u64,
    /// Index only: cumulative turnover of the market.
    pub cum_turnover: i64,
}

impl Program {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Program = Program {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        sell_qty: UNDEF_QTY,
        sell_turnover: UNDEF_TURNOVER,
        buy_qty: UNDEF_QTY,
        buy_turnover: UNDEF_TURNOVER,
        net_qty: UNDEF_CHANGE,
        net_turnover: UNDEF_CHANGE,
        sell_resting_qty: UNDEF_QTY,
        buy_resting_qty: UNDEF_QTY,
        resting_net_qty: UNDEF_CHANGE,
        arbitrage_net_qty: UNDEF_CHANGE,
        arbitrage_net_turnover: UNDEF_CHANGE,
        other_net_qty: UNDEF_CHANGE,
        other_net_turnover: UNDEF_CHANGE,
        cum_qty: UNDEF_QTY,
        cum_turnover: UNDEF_TURNOVER,
    };
}

/// One member (broker) of a [`Member`] record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct MemberEntry {
    /// Quantity of the day.
    pub qty: u64,
    /// Change of `qty` since the last record.
    pub qty_change: i64,
    /// Share of the day's volume in percent, 1 unit = 1e-9.
    pub share: i64,
    /// Member code as sent, zero padded.
    pub code: [u8; 7],
    /// Foreign house as sent: `Y` or `N`; 0 = none.
    pub foreign: u8,
}

const UNDEF_MEMBER_ENTRY: MemberEntry =
    MemberEntry { qty: UNDEF_QTY, qty_change: UNDEF_CHANGE, share: UNDEF_CHANGE, code: [0; 7], foreign: 0 };

/// The five most active members on each side. Names are in the raw frame, codes here.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Member {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: Market,
    /// Sellers, most active first.
    pub sellers: [MemberEntry; 5],
    /// Buyers, most active first.
    pub buyers: [MemberEntry; 5],
    /// Quantity sold by foreign houses.
    pub foreign_sell_qty: u64,
    /// Quantity bought by foreign houses.
    pub foreign_buy_qty: u64,
    /// Change of `foreign_sell_qty`.
    pub foreign_sell_change: i64,
    /// Change of `foreign_buy_qty`.
    pub foreign_buy_change: i64,
    /// Bought minus sold by foreign houses.
    pub foreign_net_qty: i64,
}

impl Member {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: Member = Member {
        header: UNDEF_HEADER,
        market: UNDEF_MARKET,
        sellers: [UNDEF_MEMBER_ENTRY; 5],
        buyers: [UNDEF_MEMBER_ENTRY; 5],
        foreign_sell_qty: UNDEF_QTY,
        foreign_buy_qty: UNDEF_QTY,
        foreign_sell_change: UNDEF_CHANGE,
        foreign_buy_change: UNDEF_CHANGE,
        foreign_net_qty: UNDEF_CHANGE,
    };
}
