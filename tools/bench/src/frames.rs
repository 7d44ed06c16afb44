//! A day's frames of a small market, from a seed: trades of 47 fields whose cumulative volumes add up, books of 63
//! fields, now and then several trades in a frame.

use std::fmt::Write as _;

/// Symbols that are traded.
pub const SYMBOLS: usize = 40;
/// What stands where an intended send time belongs until [`stamp`] writes it: the total quantity on the ask side.
const PLACEHOLDER: &str = "1000000000000000000";

/// The generator.
#[derive(Debug)]
pub struct Market {
    state: u64,
    number: u64,
    stocks: Vec<Stock>,
}

#[derive(Clone, Copy, Debug)]
struct Stock {
    px: u64,
    cum: u64,
    turnover: u64,
    sells: u64,
    buys: u64,
}

impl Market {
    /// A market whose frames follow from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Market {
        let stock =
            |index: u64| Stock { px: 20_000 + index * 1_700, cum: 1_000, turnover: 20_000_000, sells: 9, buys: 9 };
        Market { state: seed | 1, number: 0, stocks: (0..SYMBOLS as u64).map(stock).collect() }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % bound
    }

    /// Replaces `text` by the next frame; returns its records. With `stamped`, the first record has room for [`stamp`].
    pub fn next(&mut self, text: &mut String, stamped: bool) -> u64 {
        text.clear();
        let index = self.below(SYMBOLS as u64) as usize;
        self.number += 1;
        let kind = self.below(100);
        if kind < 40 {
            text.push_str("0|H0STASP0|001|");
            self.book(text, index, stamped);
            return 1;
        }
        let records = if kind < 96 { 1 } else { 2 + self.below(3) };
        let _ = write!(text, "0|H0STCNT0|{records:03}|");
        for place in 0..records {
            if place > 0 {
                text.push('^');
            }
            self.trade(text, index, stamped && place == 0);
        }
        records
    }

    fn time(&self) -> u64 {
        let second = 9 * 3600 + self.number / 2_000 % 20_000;
        second / 3600 * 10_000 + second / 60 % 60 * 100 + second % 60
    }

    fn trade(&mut self, text: &mut String, index: usize, stamped: bool) {
        let (step, qty, is_buy) = (self.below(3), 1 + self.below(400), self.below(2) == 0);
        let (ask_qty, bid_qty) = (self.below(9_000), self.below(9_000));
        let (total_ask, total_bid) = (500_000 + self.below(400_000), 500_000 + self.below(400_000));
        let time = self.time();
        let stock = &mut self.stocks[index];
        stock.px = (stock.px + 100 * step - 100).clamp(10_000, 200_000);
        stock.cum += qty;
        stock.turnover += qty * stock.px;
        if is_buy {
            stock.buys += 1
        } else {
            stock.sells += 1
        }
        let Stock { px, cum, turnover, sells, buys } = *stock;
        let side = if is_buy { 1 } else { 5 };
        let vwap = turnover as f64 / cum as f64;
        let _ = write!(
            text,
            "{code:06}^{time:06}^{px}^5^-100^-0.14^{vwap:.2}^{open}^{high}^{low}^{ask}^{px}^{qty}^{cum}^{turnover}\
             ^{sells}^{buys}^{net}^84.90^{sold}^{bought}^{side}^0.39^20.28^090020^5^-200^090820^5^-500^092619^2^200\
             ^20261120^20^N^{ask_qty}^{bid_qty}^",
            code = 5_930 + index * 10,
            open = px + 100,
            high = px + 400,
            low = px - 300,
            ask = px + 100,
            net = buys as i64 - sells as i64,
            sold = cum / 2,
            bought = cum - cum / 2,
        );
        if stamped {
            text.push_str(PLACEHOLDER);
        } else {
            let _ = write!(text, "{total_ask}");
        }
        let _ = write!(text, "^{total_bid}^0.05^2424142^125.92^0^^{vi}^2", vi = px + 2_000);
    }

    fn book(&mut self, text: &mut String, index: usize, stamped: bool) {
        let Stock { px, cum, .. } = self.stocks[index];
        let _ = write!(text, "{:06}^{:06}^0", 5_930 + index * 10, self.time());
        for level in 1..=10 {
            let _ = write!(text, "^{}", px + 100 * level);
        }
        for level in 0..10 {
            let _ = write!(text, "^{}", px - 100 * level);
        }
        for _ in 0..20 {
            let qty = self.below(200_000);
            let _ = write!(text, "^{qty}");
        }
        let total_bid = 500_000 + self.below(400_000);
        if stamped {
            let _ = write!(text, "^{PLACEHOLDER}");
        } else {
            let total_ask = 500_000 + self.below(400_000);
            let _ = write!(text, "^{total_ask}");
        }
        let _ = write!(text, "^{total_bid}^0^0^0^0^525579^-{px}^5^-100.00^{cum}^0^12^0^0^0^{mid}^0^0^2", mid = px + 50);
    }
}

/// Many frames as a server sends them.
#[derive(Debug, Default)]
pub struct Wire {
    /// WebSocket frames, one after the other.
    pub bytes: Vec<u8>,
    /// Offset behind each frame.
    pub ends: Vec<usize>,
    /// Records in all.
    pub records: u64,
    /// Payload bytes in all.
    pub payload_bytes: u64,
}

impl Wire {
    /// `frames` frames of the market of `seed`.
    #[must_use]
    pub fn new(seed: u64, frames: usize, stamped: bool) -> Wire {
        let mut market = Market::new(seed);
        let mut wire = Wire::default();
        let mut text = String::new();
        for _ in 0..frames {
            wire.records += market.next(&mut text, stamped);
            wire.payload_bytes += text.len() as u64;
            push_frame(&mut wire.bytes, text.as_bytes());
            wire.ends.push(wire.bytes.len());
        }
        wire
    }

    /// Frames.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Mean bytes of a payload.
    #[must_use]
    pub fn payload_bytes_mean(&self) -> f64 {
        self.payload_bytes as f64 / self.len().max(1) as f64
    }
}

/// A text frame as a server sends it: final, not masked.
fn push_frame(bytes: &mut Vec<u8>, payload: &[u8]) {
    bytes.push(0x81);
    match payload.len() {
        length @ 0..126 => bytes.push(length as u8),
        length @ 126..65_536 => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
}

/// Place of the stamp in a frame made with `stamped`.
#[must_use]
pub fn stamp_place(frame: &[u8]) -> Option<usize> {
    frame.windows(PLACEHOLDER.len()).position(|window| window == PLACEHOLDER.as_bytes())
}

/// Writes a time of 19 digits, ns since the UNIX epoch, at its place.
pub fn stamp(frame: &mut [u8], place: usize, mut ns: u64) {
    for digit in frame[place..place + PLACEHOLDER.len()].iter_mut().rev() {
        *digit = b'0' + (ns % 10) as u8;
        ns /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_width_of_the_broker() {
        let mut market = Market::new(7);
        let mut text = String::new();
        for _ in 0..2_000 {
            let records = market.next(&mut text, true) as usize;
            let fields = text.splitn(4, '|').nth(3).unwrap().split('^').count();
            assert_eq!(fields, if text.contains("ASP0") { 63 } else { 47 * records }, "{text}");
        }
    }

    #[test]
    fn a_stamp_is_the_total_quantity_of_the_asks() {
        let mut market = Market::new(3);
        let mut text = String::new();
        for _ in 0..100 {
            market.next(&mut text, true);
            let mut frame = text.clone().into_bytes();
            let place = stamp_place(&frame).unwrap();
            stamp(&mut frame, place, 1_763_000_000_123_456_789);
            let frame = String::from_utf8(frame).unwrap();
            let column = if frame.contains("ASP0") { 43 } else { 38 };
            let field = frame.splitn(4, '|').nth(3).unwrap().split('^').nth(column).unwrap();
            assert_eq!(field, "1763000000123456789");
        }
    }
}
