//! Expected executions of call auctions: `H0STANC0`, `H0UNANC0`, `H0NXANC0` (45 or 46 fields, laid out as trades), the
//! overtime session's `H0STOAC0` (43), and of indices `H0UPANC0`.

use super::Event;
use super::row::Row;
use super::trade::{halt_flag, hour_flags};
use crate::tick::{Expected, Flags, UNDEF_PX, UNDEF_QTY};

/// Fills the body of `expected`, all of it.
#[inline]
pub(super) fn stock_expected(row: &mut Row<'_>, expected: &mut Expected) -> Event {
    expected.px = row.px(2);
    expected.qty = row.qty(12);
    expected.cum_qty = row.qty(13);
    expected.cum_turnover = row.turnover(14, 4);
    expected.change_px = row.px(4);
    expected.bid_px = row.px(11);
    expected.ask_px = row.px(10);
    expected.bid_qty = row.qty(37);
    expected.ask_qty = row.qty(36);
    expected.total_bid_qty = row.qty(39);
    expected.total_ask_qty = row.qty(38);
    expected.vi_px = row.px(45);
    expected.business_date = row.date(33);
    expected.sign = row.byte(3);
    expected.hour_cls = row.byte(43);
    expected.market_cls = 0;
    expected.halt = row.byte(35);
    expected.mkop_cls = row.code(34);
    expected.reserved = 0;
    Event { seconds: row.seconds(1), date: expected.business_date, flags: flags(expected) }
}

/// An expected execution is of a call auction unless its hour class says regular trading.
#[inline]
pub(super) fn flags(expected: &Expected) -> u32 {
    let auction = if expected.hour_cls == b'0' { 0 } else { Flags::AUCTION };
    auction | hour_flags(expected.hour_cls) | halt_flag(expected.halt)
}

/// Fills the body of `expected`, all of it, with the expected value of an index. The first ten fields are the same at
/// 15 fields (as on the wire) and at 30 (as in the published table).
#[inline]
pub(super) fn index_expected(row: &mut Row<'_>, expected: &mut Expected) -> Event {
    let head = (expected.header, expected.market);
    *expected = Expected::UNDEF;
    (expected.header, expected.market) = head;
    expected.px = row.px(2);
    expected.sign = row.byte(3);
    expected.change_px = row.px(4);
    expected.cum_qty = row.qty_thousands(5);
    expected.cum_turnover = row.turnover(6, 10);
    debug_assert!(expected.qty == UNDEF_QTY && expected.bid_px == UNDEF_PX);
    Event { seconds: row.seconds(1), date: 0, flags: Flags::AUCTION }
}
