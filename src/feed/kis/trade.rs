//! Executions of stocks: `H0STCNT0`, `H0UNCNT0`, `H0NXCNT0` (46 fields, 47 since 2026-09-14) and the overtime session's
//! `H0STOUP0` (43, the same ones). What was not sent is absent.

use super::Event;
use super::row::Row;
use crate::tick::{Flags, Side, Trade, UNDEF_PX, UNDEF_QTY};

/// Fields read at once: from the first price of the day to the totals by side, and those of the best quotes. Whole vectors.
pub(super) const NUMBERS: [(usize, usize); 2] = [(7, 16), (33, 8)];

/// Fills the body of `trade`, all of it. `None` when price or quantity holds no number: then the record is rejected.
#[inline]
pub(super) fn stock_trade(row: &mut Row<'_>, trade: &mut Trade) -> Option<Event> {
    trade.px = row.px_needed(2)?;
    [trade.qty, trade.cum_qty] = row.qtys(12);
    if trade.qty == UNDEF_QTY {
        return None;
    }
    trade.cum_turnover = row.turnover(14, 4);
    [trade.cum_sell_qty, trade.cum_buy_qty] = row.qtys(19);
    trade.vwap_px = row.px(6);
    trade.change_px = row.px(4);
    [trade.open_px, trade.high_px, trade.low_px, trade.ask_px, trade.bid_px] = row.pxs(7);
    [trade.ask_qty, trade.bid_qty, trade.total_ask_qty, trade.total_bid_qty] = row.qtys(36);
    trade.vi_px = row.px(45);
    trade.sell_count = row.count(15);
    trade.buy_count = row.count(16);
    trade.business_date = row.date(33);
    trade.sign = row.byte(3);
    trade.hour_cls = row.byte(43);
    trade.market_cls = row.byte(46);
    trade.mkop_cls = row.code(34);
    trade.halt = row.byte(35);
    trade.side_code = row.byte(21);
    trade.side = side(trade.side_code) as u8;
    trade.reserved = [0; 2];
    Some(Event { seconds: row.seconds(1), date: trade.business_date, flags: flags(trade) })
}

/// The aggressor by the code as sent.
#[inline]
pub(super) fn side(code: u8) -> Side {
    match code {
        b'1' => Side::Buy,
        b'5' => Side::Sell,
        b'3' => Side::Auction,
        _ => Side::Unknown,
    }
}

/// Flags that an hour class stands for: `0` is regular trading, `A` to `D` are call auctions, `C` the one after 09:00
/// that a volatility interruption brings about.
#[inline]
pub(super) fn hour_flags(hour_cls: u8) -> u32 {
    match hour_cls {
        b'A' | b'B' | b'D' => Flags::AUCTION,
        b'C' => Flags::AUCTION | Flags::VI,
        _ => 0,
    }
}

/// The flag of a halt as sent.
#[inline]
pub(super) fn halt_flag(halt: u8) -> u32 {
    if halt == b'Y' { Flags::HALT } else { 0 }
}

/// Flags of a trade by its codes and prices.
#[inline]
pub(super) fn flags(trade: &Trade) -> u32 {
    let auction = if trade.side_code == b'3' { Flags::AUCTION } else { 0 };
    hour_flags(trade.hour_cls) | halt_flag(trade.halt) | auction | mid_price(trade)
}

/// Whether an execution can only have been at the mid price: it is the mean of best bid and ask, and no tick of any
/// Korean table (stocks and funds: 1 won below 2,000, multiples of 5 from there). A price that some table has as a tick
/// is not flagged: whether it was the mid price then is not certain.
#[inline]
fn mid_price(trade: &Trade) -> u32 {
    let (px, bid, ask) = (trade.px, trade.bid_px, trade.ask_px);
    if bid <= 0 || px <= bid || ask <= px || ask == UNDEF_PX || ask - px != px - bid {
        return 0;
    }
    const WON: i64 = 1_000_000_000;
    let tick = if px < 2000 * WON { WON } else { 5 * WON };
    if px % tick == 0 { 0 } else { Flags::MID_PRICE }
}
