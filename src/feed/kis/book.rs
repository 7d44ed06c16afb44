//! Order books of stocks, ten levels: `H0STASP0`, `H0UNASP0`, `H0NXASP0`, and the overtime session's `H0STOAA0`.
//!
//! The first 58 fields are the same on all. What follows differs by venue and width:
//!
//! | transaction | 58 | 59..61 | 62..64 | 65 |
//! | --- | --- | --- | --- | --- |
//! | `H0STASP0` | deal class | KRX mid price, from 62 wide | 62: market class, from 63 wide | |
//! | `H0UNASP0` | deal class | KRX mid price | NXT mid price | exchange of the expected price |
//! | `H0NXASP0`, 62 wide | deal class | NXT mid price | | |
//! | `H0NXASP0`, from 65 wide | deal class | KRX mid price | NXT mid price | |

use super::Event;
use super::row::Row;
use super::trade::hour_flags;
use crate::tick::{BookBuffer, MidPrice, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY};

/// What follows field 57.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// `H0STASP0`.
    Krx,
    /// `H0UNASP0`.
    Unified,
    /// `H0NXASP0`.
    Nxt,
    /// `H0STOAA0`.
    Overtime,
}

/// Fields of an overtime book as captured; narrower ones are trusted by their sums only.
const OVERTIME_WIDTH: usize = 58;

const NO_MID: MidPrice = MidPrice { px: UNDEF_PX, qty: UNDEF_QTY };

/// Fields read at once: from the first level's price to the changes of the totals. Whole vectors.
pub(super) const NUMBERS: [(usize, usize); 1] = [(3, 56)];

/// Fills the body of `buffer`, all of it. `None` when the layout is not certain: then the record is kept as bytes.
#[inline]
pub(super) fn stock_book(row: &mut Row<'_>, tail: Tail, buffer: &mut BookBuffer) -> Option<Event> {
    let (px, qty) = (row.pxs::<20>(3), row.qtys::<20>(23));
    for (index, level) in buffer.levels.iter_mut().enumerate() {
        level.ask_px = px[index];
        level.bid_px = px[10 + index];
        level.ask_qty = qty[index];
        level.bid_qty = qty[10 + index];
        level.bid_count = UNDEF_COUNT;
        level.ask_count = UNDEF_COUNT;
    }
    let book = &mut buffer.book;
    [book.total_ask_qty, book.total_bid_qty, book.overtime_ask_qty, book.overtime_bid_qty] = row.qtys(43);
    book.expected_px = row.px(47);
    [book.expected_qty, book.expected_volume] = row.qtys(48);
    book.expected_change_px = row.px(50);
    book.expected_sign = row.byte(51);
    book.cum_qty = row.qty(53);
    book.total_ask_change = row.change(54);
    book.total_bid_change = row.change(55);
    book.overtime_ask_change = row.change(56);
    book.overtime_bid_change = row.change(57);
    book.deal_cls = row.byte(58);
    book.hour_cls = row.byte(2);
    book.levels = 10;
    book.reserved_words = [0; 2];
    book.reserved = [0; 1];
    (book.krx_mid, book.krx_mid_cls) = (NO_MID, 0);
    (book.nxt_mid, book.nxt_mid_cls) = (NO_MID, 0);
    (book.market_cls, book.expected_exchange) = (0, 0);
    match tail {
        Tail::Krx => {
            (book.krx_mid, book.krx_mid_cls) = mid(row, 59);
            book.market_cls = row.byte(62);
        }
        Tail::Unified => {
            (book.krx_mid, book.krx_mid_cls) = mid(row, 59);
            (book.nxt_mid, book.nxt_mid_cls) = mid(row, 62);
            book.expected_exchange = row.byte(65);
        }
        Tail::Nxt if row.width() == 62 => (book.nxt_mid, book.nxt_mid_cls) = mid(row, 59),
        Tail::Nxt if row.width() >= 65 => {
            (book.krx_mid, book.krx_mid_cls) = mid(row, 59);
            (book.nxt_mid, book.nxt_mid_cls) = mid(row, 62);
        }
        Tail::Nxt => {}
        Tail::Overtime if row.width() < OVERTIME_WIDTH && !sums_hold(buffer) => return None,
        Tail::Overtime => buffer.book.deal_cls = 0,
    }
    Some(Event { seconds: row.seconds(1), date: 0, flags: hour_flags(buffer.book.hour_cls) })
}

/// Price, quantity and side code of a mid price, all three or none.
#[inline(always)]
fn mid(row: &mut Row<'_>, field: usize) -> (MidPrice, u8) {
    if row.width() < field + 3 {
        return (NO_MID, 0);
    }
    (MidPrice { px: row.px(field), qty: row.qty(field + 1) }, row.byte(field + 2))
}

/// Whether the totals are the sums of the levels.
fn sums_hold(buffer: &BookBuffer) -> bool {
    let sum = |side: fn(&crate::tick::Level) -> u64| {
        buffer.levels.iter().map(side).filter(|qty| *qty != UNDEF_QTY).fold(0_u64, u64::saturating_add)
    };
    sum(|level| level.ask_qty) == buffer.book.total_ask_qty && sum(|level| level.bid_qty) == buffer.book.total_bid_qty
}
