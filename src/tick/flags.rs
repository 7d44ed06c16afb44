//! Flags of a record and findings of the validator.

/// Bits of [`Header::flags`](crate::tick::Header). A bit is never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// `ts_event` has a resolution of a whole second; order within it is `sequence`.
    pub const EVENT_TS_SECOND: u32 = 1 << 0;
    /// The feed gave a time without a date; the date nearest to market time at receipt was taken.
    pub const EVENT_DATE_INFERRED: u32 = 1 << 1;
    /// `ts_recv` is a user-space stamp: the kernel gave none.
    pub const RECV_TS_USER: u32 = 1 << 2;
    /// One of several records of one frame.
    pub const BATCHED: u32 = 1 << 3;
    /// A `Gap` record of this instrument and venue stands before this record.
    pub const GAP_BEFORE: u32 = 1 << 4;
    /// The record had more fields than the table knows; the surplus is in the raw frame.
    pub const SCHEMA_EXTRA: u32 = 1 << 5;
    /// Traded or quoted in a call auction.
    pub const AUCTION: u32 = 1 << 6;
    /// Volatility interruption in force.
    pub const VI: u32 = 1 << 7;
    /// Trading of the instrument is halted.
    pub const HALT: u32 = 1 << 8;
    /// Executed at the mid price (half ticks are normal).
    pub const MID_PRICE: u32 = 1 << 9;
    /// The broker merges updates on this feed.
    pub const CONFLATED: u32 = 1 << 10;
    /// Asked for by REST, not pushed by the feed: where the instrument stood then, no execution, unless it fills a gap.
    pub const POLLED: u32 = 1 << 11;
    /// Filled in after a gap.
    pub const BACKFILLED: u32 = 1 << 12;
    /// Decoded again from the raw stream when the journal was opened.
    pub const RECOVERED: u32 = 1 << 13;
    /// Said again at the head of a segment (sequence 0).
    pub const RESTATED: u32 = 1 << 14;
    /// Secrets in the bytes were overwritten by `*`.
    pub const REDACTED: u32 = 1 << 15;
    /// `ts_event` is nanoseconds since local midnight: the date is not known.
    pub const EVENT_TIME_ONLY: u32 = 1 << 16;
    /// The feed is delayed by the exchange's rule (unpaid Asian markets: 15 minutes).
    pub const DELAYED: u32 = 1 << 17;
    /// A frame kept verbatim only because it was rejected, stream `raw` being switched off: it is not decoded again.
    pub const KEPT_REJECTED: u32 = 1 << 18;

    /// Name of each bit, lowest first.
    pub const NAMES: [&'static str; 19] = [
        "EVENT_TS_SECOND",
        "EVENT_DATE_INFERRED",
        "RECV_TS_USER",
        "BATCHED",
        "GAP_BEFORE",
        "SCHEMA_EXTRA",
        "AUCTION",
        "VI",
        "HALT",
        "MID_PRICE",
        "CONFLATED",
        "POLLED",
        "BACKFILLED",
        "RECOVERED",
        "RESTATED",
        "REDACTED",
        "EVENT_TIME_ONLY",
        "DELAYED",
        "KEPT_REJECTED",
    ];

    /// Whether every bit of `mask` is set.
    pub fn has(self, mask: u32) -> bool {
        self.0 & mask == mask
    }

    /// Names of the bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names(self.0, &Self::NAMES)
    }
}

/// Bits of [`Market::findings`](crate::tick::Market): one per quality rule. A bit is never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub u32);

impl Findings {
    /// Cumulative volume did not advance by the trade's quantity: volume is missing before this record.
    pub const VOLUME_GAP: u32 = 1 << 0;
    /// Cumulative volume went back on one trading date.
    pub const CUM_BACKWARDS: u32 = 1 << 1;
    /// The same trade (same cumulative volume and quantity) came again.
    pub const DUPLICATE: u32 = 1 << 2;
    /// `ts_event` is before that of the preceding record of this instrument and feed.
    pub const TIME_BACKWARDS: u32 = 1 << 3;
    /// Best bid at or above best ask outside an auction.
    pub const BOOK_CROSSED: u32 = 1 << 4;
    /// Levels are not in price order.
    pub const BOOK_UNORDERED: u32 = 1 << 5;
    /// A numeric field held no number; it is absent in the record, verbatim in the raw frame.
    pub const FIELD_UNREADABLE: u32 = 1 << 6;

    /// Name of each bit, lowest first.
    pub const NAMES: [&'static str; 7] = [
        "VOLUME_GAP",
        "CUM_BACKWARDS",
        "DUPLICATE",
        "TIME_BACKWARDS",
        "BOOK_CROSSED",
        "BOOK_UNORDERED",
        "FIELD_UNREADABLE",
    ];

    /// Names of the bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names(self.0, &Self::NAMES)
    }
}

fn names(bits: u32, table: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    table.iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| *name)
}
