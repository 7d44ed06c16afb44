//! Instruments: dense ids of a journal and what they stand for.

use bytemuck::{Pod, Zeroable};

use super::header::Header;

/// Bytes of a symbol in records.
pub const SYMBOL_BYTES: usize = 32;

/// What identifies an instrument across venues and brokers: market and symbol, zero padded.
///
/// One key for KRX, NXT and the unified feed: the venue is the publisher's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct InstrumentKey {
    /// Market, e.g. `KRX`, `KRX-deriv`, `NAS`.
    pub market: [u8; 16],
    /// Symbol as on the feed.
    pub symbol: [u8; SYMBOL_BYTES],
}

impl InstrumentKey {
    /// A key from text; `None` when either part is empty or does not fit.
    pub fn new(market: &[u8], symbol: &[u8]) -> Option<InstrumentKey> {
        if market.is_empty() || symbol.is_empty() || market.len() > 16 || symbol.len() > SYMBOL_BYTES {
            return None;
        }
        let mut key = InstrumentKey { market: [0; 16], symbol: [0; SYMBOL_BYTES] };
        key.market[..market.len()].copy_from_slice(market);
        key.symbol[..symbol.len()].copy_from_slice(symbol);
        Some(key)
    }

    /// Market as text.
    pub fn market(&self) -> std::borrow::Cow<'_, str> {
        text(&self.market)
    }

    /// Symbol as text.
    pub fn symbol(&self) -> std::borrow::Cow<'_, str> {
        text(&self.symbol)
    }
}

/// Zero-padded bytes as text; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
}

/// Declares an instrument id; precedes the first record that uses it and is restated at the head of each segment.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Instrument {
    /// Common header; `instrument_id` is the id declared.
    pub header: Header,
    /// Market and symbol.
    pub key: InstrumentKey,
    /// Currency, ISO 4217; zero = not told.
    pub currency: [u8; 4],
    /// Decimal places of quantities (0: whole units).
    pub qty_decimals: u8,
    /// Decimal places of prices as quoted; 255 = not told.
    pub px_decimals: u8,
    /// Tick-size rule: 0 = not known, 1 = KRX stock table, 2 = KRX fund table.
    pub tick_rule: u8,
    /// Zero.
    pub reserved: u8,
    /// Currency units in one unit of turnover on the feed (1, or 1,000,000 for feeds that send millions).
    pub turnover_unit: u64,
}
