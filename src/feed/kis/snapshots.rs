//! Snapshots of symbols whose line is down: asked for by REST, made records by the parser, which alone knows instruments.

use crossbeam::queue::ArrayQueue;

use crate::tick::{Publisher, SYMBOL_BYTES, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// Snapshots that may wait for the parser: several times the symbols a hundred app keys hold.
const SLOTS: usize = 16_384;

/// Where a symbol stands, as the broker tells it when it is asked. Prices are in units of 1e-9; what it does not tell is
/// undefined.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Wall time of the answer, ns.
    pub ts_recv: u64,
    /// Whose feed it stands in for.
    pub publisher: Publisher,
    /// Zero padded.
    pub symbol: [u8; SYMBOL_BYTES],
    /// Last price.
    pub px: i64,
    /// Shares traded on the day.
    pub cum_qty: u64,
    /// Won traded on the day, in units of 1e-4.
    pub cum_turnover: i64,
    /// First price of the day.
    pub open_px: i64,
    /// Highest price of the day.
    pub high_px: i64,
    /// Lowest price of the day.
    pub low_px: i64,
    /// Best bid.
    pub bid_px: i64,
    /// Best ask.
    pub ask_px: i64,
    /// Quantity of all bids.
    pub total_bid_qty: u64,
    /// Quantity of all asks.
    pub total_ask_qty: u64,
}

impl Snapshot {
    /// Nothing told.
    pub const UNDEF: Snapshot = Snapshot {
        ts_recv: 0,
        publisher: Publisher::Hoga,
        symbol: [0; SYMBOL_BYTES],
        px: UNDEF_PX,
        cum_qty: UNDEF_QTY,
        cum_turnover: UNDEF_TURNOVER,
        open_px: UNDEF_PX,
        high_px: UNDEF_PX,
        low_px: UNDEF_PX,
        bid_px: UNDEF_PX,
        ask_px: UNDEF_PX,
        total_bid_qty: UNDEF_QTY,
        total_ask_qty: UNDEF_QTY,
    };
}

/// The way from the poller to the parser. What finds it full is lost, and counted by the poller.
pub type Snapshots = ArrayQueue<Snapshot>;

/// An empty way.
pub fn snapshots() -> Snapshots {
    ArrayQueue::new(SLOTS)
}
