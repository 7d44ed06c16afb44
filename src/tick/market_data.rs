//! Market data: the kinds that carry the [`Market`] prefix.

use bytemuck::{Pod, Zeroable};

use super::flags::{Findings, Flags};
use super::header::{Header, Market};
use super::{UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// Most levels a [`Book`] holds a side.
pub const BOOK_LEVELS: usize = 10;

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

/// Resting interest at the mid price.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct MidPrice {
    /// Mid price.
    pub px: i64,
    /// Quantity resting there.
    pub qty: u64,
}

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

/// A [`Book`] with room for all its levels: what a decoder fills.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct BookBuffer {
    /// Fixed part.
    pub book: Book,
    /// Levels; those past `book.levels` are not part of the record.
    pub levels: [Level; BOOK_LEVELS],
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

/// Undefined book level.
pub(super) const UNDEF_LEVEL: Level = Level {
    bid_px: UNDEF_PX,
    ask_px: UNDEF_PX,
    bid_qty: UNDEF_QTY,
    ask_qty: UNDEF_QTY,
    bid_count: UNDEF_COUNT,
    ask_count: UNDEF_COUNT,
};

const UNDEF_HEADER: Header = Header {
    length: 0,
    crc32c: 0,
    sequence: 0,
    ts_recv: 0,
    instrument_id: 0,
    flags: 0,
    publisher: 0,
    line: 0,
    rtype: 0,
    version: 0,
    reserved: 0,
};

const UNDEF_MARKET: Market = Market {
    ts_event: super::UNDEF_TS,
    raw_sequence: 0,
    recv_window_ns: 0,
    read_ns: 0,
    decoded_ns: 0,
    committed_ns: 0,
    findings: 0,
    tr: 0,
    width: 0,
    frame_index: 0,
    frame_count: 0,
    reserved: 0,
};

const UNDEF_MEMBER_ENTRY: MemberEntry =
    MemberEntry { qty: UNDEF_QTY, qty_change: UNDEF_CHANGE, share: UNDEF_CHANGE, code: [0; 7], foreign: 0 };

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

impl BookBuffer {
    /// Every field undefined, prefixes empty: what a decoder starts from.
    pub const UNDEF: BookBuffer = BookBuffer { book: Book::UNDEF, levels: [UNDEF_LEVEL; BOOK_LEVELS] };
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
