//! Records of trades (46 or 47 fields) and of expected executions (45 or 46), in the order of the wire.

use crate::config::Widths;
use crate::market::book::Depth;
use crate::market::line::{Line, percent, ratio, sign};
use crate::market::phases::Phase;
use crate::market::stock::{Execution, Side, Stock};

/// What a record needs beside the stock.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// KRX, NXT or both.
    pub feed: usize,
    /// Phase of the executing venue.
    pub phase: Phase,
    /// Second of the day.
    pub second: u32,
    /// YYYYMMDD.
    pub date: [u8; 8],
    /// Layout.
    pub widths: Widths,
    /// Venues open now, KRX and NXT.
    pub open: [bool; 2],
}

/// PRDY_VRSS_SIGN of a price: 1 and 4 at the limits.
pub fn price_sign(stock: &Stock, price: i64) -> u8 {
    if price == stock.upper {
        b'1'
    } else if price == stock.lower {
        b'4'
    } else {
        sign(price - stock.base)
    }
}

/// HOUR_CLS_CODE with regard to a running interruption.
pub fn hour_class(stock: &Stock, phase: Phase) -> u8 {
    if stock.vi_until.is_some() && phase.is_continuous() { b'C' } else { phase.hour_class() }
}

/// One record of H0STCNT0, H0NXCNT0 or H0UNCNT0, in the single-price session of H0STOUP0 (43 fields), after the execution has
/// been applied to the stock.
pub fn trade(line: &mut Line<'_>, stock: &Stock, trade: &Execution, cx: &Context) {
    let stats = &stock.stats[cx.feed];
    let depth = stock.depth(cx.feed, cx.open);
    let (price, change) = (trade.price, trade.price - stock.base);
    line.text(stock.code.as_bytes());
    line.time(trade.second);
    line.int(price);
    line.code(price_sign(stock, price));
    line.int(change);
    line.hundredths(percent(change, stock.base));
    line.hundredths(ratio(stats.turnover, stats.volume));
    line.ints(&[stats.open, stats.high, stats.low]);
    line.ints(&[stock.book.ladder.ask[0], stock.book.ladder.bid[0]]);
    line.ints(&[trade.quantity, stats.volume, stats.turnover]);
    line.ints(&[stats.sell_count, stats.buy_count, stats.buy_count - stats.sell_count]);
    line.hundredths(percent(stats.buy_volume, stats.sell_volume));
    line.ints(&[stats.sell_volume, stats.buy_volume]);
    line.code(match trade.side {
        Side::Buy => b'1',
        Side::Auction => b'3',
        Side::Sell => b'5',
    });
    line.hundredths(ratio(stats.buy_volume, stats.volume));
    line.hundredths(percent(stats.volume, stock.previous_volume));
    for (at, reference) in [(stats.open_at, stats.open), (stats.high_at, stats.high), (stats.low_at, stats.low)] {
        line.time(at);
        line.code(sign(price - reference));
        line.int(price - reference);
    }
    line.text(&cx.date);
    line.text(cx.phase.session_code());
    line.code(b'N');
    line.ints(&[depth.ask[0], depth.bid[0]]);
    totals(line, &depth);
    line.hundredths(percent(stats.volume, stock.listed));
    let same_hour = same_hour_volume(stock, cx.second);
    line.int(same_hour);
    line.hundredths(percent(stats.volume, same_hour));
    if cx.phase == Phase::SinglePrice {
        return;
    }
    line.code(hour_class(stock, cx.phase));
    line.empty();
    line.int(stock.vi_reference);
    if cx.widths == Widths::After20260914 {
        line.code(cx.phase.market_class());
    }
}

fn totals(line: &mut Line<'_>, depth: &Depth) {
    let (ask, bid) = depth.totals();
    line.ints(&[ask, bid]);
}

/// Yesterday's volume up to the same time, as if it had grown evenly from 08:00 to 20:00.
fn same_hour_volume(stock: &Stock, second: u32) -> i64 {
    let open_for = i64::from(second.saturating_sub(8 * 3600).min(12 * 3600));
    stock.previous_volume * open_for / (12 * 3600)
}

/// One record of H0STANC0, H0NXANC0 or H0UNANC0 for the auction that runs on `venue`, in the single-price session of
/// H0STOAC0 (43 fields).
pub fn expected(line: &mut Line<'_>, stock: &Stock, venue: usize, cx: &Context) {
    let expected = &stock.expected[venue];
    let stats = &stock.stats[cx.feed];
    let depth = stock.depth(cx.feed, cx.open);
    let (price, change) = (expected.price, expected.price - stock.base);
    line.text(stock.code.as_bytes());
    line.time(cx.second);
    line.int(price);
    line.code(price_sign(stock, price));
    line.int(change);
    line.hundredths(percent(change, stock.base));
    line.hundredths(ratio(stats.turnover, stats.volume));
    line.ints(&[stats.open, stats.high, stats.low]);
    line.ints(&[stock.book.ladder.ask[0], stock.book.ladder.bid[0]]);
    line.ints(&[expected.step, expected.volume, price * expected.volume]);
    line.ints(&[0, 0, 0]);
    line.hundredths(0);
    line.ints(&[0, 0, 1]);
    line.hundredths(0);
    line.hundredths(percent(expected.volume, stock.previous_volume));
    for (at, reference) in [(stats.open_at, stats.open), (stats.high_at, stats.high), (stats.low_at, stats.low)] {
        line.time(at);
        let distance = if reference == 0 { 0 } else { price - reference };
        line.code(sign(distance));
        line.int(distance);
    }
    line.text(&cx.date);
    line.text(cx.phase.session_code());
    line.code(b'N');
    line.ints(&[depth.ask[0], depth.bid[0]]);
    totals(line, &depth);
    line.hundredths(percent(expected.volume, stock.listed));
    line.int(0);
    line.hundredths(0);
    if cx.phase == Phase::SinglePrice {
        return;
    }
    line.code(hour_class(stock, cx.phase));
    line.empty();
    if cx.widths != Widths::Sample {
        line.int(stock.vi_reference);
    }
}
