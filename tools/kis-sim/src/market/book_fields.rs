//! Records of order books: KRX 59, 62 or 63 fields, NXT 62 or 65, unified 65 or 66.

use crate::config::{NxtBookWidth, Widths};
use crate::market::book::{Depth, LEVELS};
use crate::market::line::{Line, percent};
use crate::market::phases::Phase;
use crate::market::stock::{KRX, LastTotals, NXT, Stock};
use crate::market::trade_fields::{Context, hour_class, price_sign};

/// Levels that carry a value in a closing auction; the rest is 0.
const CLOSING_AUCTION_LEVELS: usize = 3;

/// One record of H0STASP0, H0NXASP0 or H0UNASP0; remembers the totals it has sent.
pub fn book(line: &mut Line<'_>, stock: &mut Stock, venue: usize, nxt: NxtBookWidth, cx: &Context) {
    let mut depth = stock.depth(cx.feed, cx.open);
    let (mut asks, mut bids) = (stock.book.ladder.ask, stock.book.ladder.bid);
    if cx.phase == Phase::ClosingAuction {
        for level in CLOSING_AUCTION_LEVELS..LEVELS {
            (asks[level], bids[level], depth.ask[level], depth.bid[level]) = (0, 0, 0, 0);
        }
    }
    let (total_ask, total_bid) = depth.totals();
    line.text(stock.code.as_bytes());
    line.time(cx.second);
    line.code(hour_class(stock, cx.phase));
    line.ints(&asks);
    line.ints(&bids);
    line.ints(&depth.ask);
    line.ints(&depth.bid);
    line.ints(&[total_ask, total_bid, 0, 0]);
    expected(line, stock, venue);
    line.int(stock.stats[cx.feed].volume);
    let last = std::mem::replace(&mut stock.last_totals[cx.feed], LastTotals { ask: total_ask, bid: total_bid });
    line.ints(&[total_ask - last.ask, total_bid - last.bid, 0, 0]);
    line.code(b'0');
    tail(line, stock, venue, nxt, cx);
}

/// ANTC_*: outside auctions price 0 with the change of a price of 0, which is minus the previous close and -100 %.
fn expected(line: &mut Line<'_>, stock: &Stock, venue: usize) {
    let expected = stock.expected[venue];
    line.ints(&[expected.price, expected.volume, expected.volume]);
    let change = expected.price - stock.base;
    line.int(change);
    line.code(if expected.price == 0 { b'5' } else { price_sign(stock, expected.price) });
    line.hundredths(percent(change, stock.base));
}

fn tail(line: &mut Line<'_>, stock: &Stock, venue: usize, nxt: NxtBookWidth, cx: &Context) {
    let mid = |line: &mut Line<'_>, depth: &Depth, venue: usize| {
        let open = cx.open[venue] && cx.phase.is_continuous() && stock.vi_until.is_none();
        if open {
            line.ints(&[stock.book.ladder.mid(), depth.mid]);
            line.code(depth.mid_class);
        } else {
            line.ints(&[0, 0, 0]);
        }
    };
    let [krx, next] = &stock.book.depth;
    match cx.feed {
        KRX if cx.widths == Widths::Sample => {}
        KRX => {
            mid(line, krx, KRX);
            if cx.widths == Widths::After20260914 {
                line.code(cx.phase.market_class());
            }
        }
        NXT => {
            if nxt == NxtBookWidth::Wide65 {
                mid(line, krx, KRX);
            }
            mid(line, next, NXT);
        }
        _ => {
            mid(line, krx, KRX);
            mid(line, next, NXT);
            if cx.widths == Widths::After20260914 {
                line.code(if venue == KRX { b'1' } else { b'2' });
            }
        }
    }
}
