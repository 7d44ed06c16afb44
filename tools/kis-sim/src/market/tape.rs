//! The day's executions as REST shows them after the fact: what went out over the WebSocket, and what it adds up to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::market::book::{Depth, Ladder};
use crate::market::stock::{Execution, Expected, Side, Stock};

/// Executions kept for a symbol; beyond, the older half is forgotten, as a broker that serves a bounded day.
const PRINTS_MAX: usize = 1 << 18;

/// Where an execution belongs, as `FID_COND_MRKT_DIV_CODE` asks for it: KRX, NXT, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed(usize);

impl Feed {
    /// Executions of KRX alone.
    pub const KRX: Self = Self(0);

    /// Number of the feed: KRX, NXT, both.
    pub fn index(self) -> usize {
        self.0
    }

    /// `J`, `NX` or `UN`.
    pub fn of(code: &str) -> Option<Self> {
        ["J", "NX", "UN"].iter().position(|known| *known == code).map(Self)
    }

    fn shows(self, venue: u8) -> bool {
        self.0 == 2 || self.0 == usize::from(venue)
    }
}

/// One execution with what the market looked like right after it.
#[derive(Clone, Copy, Debug)]
pub struct Print {
    /// Second of the day.
    pub second: u32,
    venue: u8,
    /// Who came to whom.
    pub side: Side,
    /// Won.
    pub price: i64,
    /// Shares.
    pub quantity: i64,
    /// Best ask.
    pub ask: i64,
    /// Best bid.
    pub bid: i64,
    /// Cumulative shares on KRX, on NXT and on both.
    volumes: [i64; 3],
}

impl Print {
    /// Cumulative shares of a feed.
    pub fn volume(&self, feed: Feed) -> i64 {
        self.volumes[feed.0]
    }
}

/// A minute of executions.
#[derive(Clone, Copy, Debug)]
pub struct MinuteBar {
    /// Second of the day at which the minute begins.
    pub second: u32,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// Shares.
    pub volume: i64,
    /// Won, cumulative over the day.
    pub turnover: i64,
}

/// The book of a symbol after its last change.
#[derive(Clone, Debug)]
pub struct BookShot {
    /// Second of the day of the change.
    pub second: u32,
    /// Prices of the levels.
    pub ladder: Ladder,
    /// Quantities on KRX, on NXT and on both, as their feeds have them.
    pub depth: [Depth; 3],
    /// Expected price on KRX and NXT.
    pub expected: [Expected; 2],
}

/// The executions of all symbols; written by the market's thread, read by those of REST.
#[derive(Debug, Default)]
pub struct Tape {
    symbols: Vec<Mutex<Vec<Print>>>,
    books: Vec<Mutex<Option<BookShot>>>,
}

impl Tape {
    /// Nothing has traded.
    pub fn new(symbols: usize) -> Self {
        let books = (0..symbols).map(|_| Mutex::default()).collect();
        Self { symbols: (0..symbols).map(|_| Mutex::default()).collect(), books }
    }

    fn lock(&self, index: usize) -> Option<MutexGuard<'_, Vec<Print>>> {
        self.symbols.get(index).map(|symbol| symbol.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A new trading day: what was executed before is forgotten.
    pub(crate) fn clear(&self) {
        for symbol in &self.symbols {
            symbol.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    pub(crate) fn push(&self, index: usize, venue: usize, trade: &Execution, stock: &Stock) {
        let Some(mut prints) = self.lock(index) else { return };
        if prints.len() >= PRINTS_MAX {
            prints.drain(..PRINTS_MAX / 2);
        }
        let mut volumes = prints.last().map_or([0; 3], |print| print.volumes);
        volumes[venue] += trade.quantity;
        volumes[2] += trade.quantity;
        let ladder = &stock.book.ladder;
        prints.push(Print {
            second: trade.second,
            venue: venue as u8,
            side: trade.side,
            price: trade.price,
            quantity: trade.quantity,
            ask: ladder.ask[0],
            bid: ladder.bid[0],
            volumes,
        });
    }

    /// Keeps the book of a symbol; `open` says which venues are.
    pub(crate) fn keep_book(&self, index: usize, second: u32, open: [bool; 2], stock: &Stock) {
        let depth = [0, 1, 2].map(|feed| stock.depth(feed, open));
        let shot = BookShot { second, ladder: stock.book.ladder.clone(), depth, expected: stock.expected };
        if let Some(book) = self.books.get(index) {
            *book.lock().unwrap_or_else(PoisonError::into_inner) = Some(shot);
        }
    }

    /// The book of a symbol, once it has changed in the run.
    pub fn book(&self, index: usize) -> Option<BookShot> {
        self.books.get(index)?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Up to `count` executions of a feed at or before `second`, newest first.
    pub fn before(&self, index: usize, feed: Feed, second: u32, count: usize) -> Vec<Print> {
        let Some(prints) = self.lock(index) else { return Vec::new() };
        let end = prints.partition_point(|print| print.second <= second);
        prints[..end].iter().rev().filter(|print| feed.shows(print.venue)).take(count).copied().collect()
    }

    /// Second of the newest execution of a symbol on any venue.
    pub fn newest(&self, index: usize) -> Option<Print> {
        self.lock(index)?.last().copied()
    }

    /// Second of the newest execution of all symbols.
    pub fn newest_second(&self) -> Option<u32> {
        (0..self.symbols.len()).filter_map(|index| self.newest(index)).map(|print| print.second).max()
    }

    /// All minutes of a feed in which it traded, oldest first.
    pub fn minutes(&self, index: usize, feed: Feed) -> Vec<MinuteBar> {
        let Some(prints) = self.lock(index) else { return Vec::new() };
        let mut bars: Vec<MinuteBar> = Vec::new();
        let mut turnover = 0;
        for print in prints.iter().filter(|print| feed.shows(print.venue)) {
            let second = print.second / 60 * 60;
            turnover += print.price * print.quantity;
            match bars.last_mut().filter(|bar| bar.second == second) {
                Some(bar) => {
                    bar.high = bar.high.max(print.price);
                    bar.low = bar.low.min(print.price);
                    bar.close = print.price;
                    bar.volume += print.quantity;
                    bar.turnover = turnover;
                }
                None => bars.push(MinuteBar {
                    second,
                    open: print.price,
                    high: print.price,
                    low: print.price,
                    close: print.price,
                    volume: print.quantity,
                    turnover,
                }),
            }
        }
        bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traded() -> Tape {
        let stock = Stock::new("000010".into(), 0, 1, false);
        let tape = Tape::new(1);
        for (venue, second, price, quantity) in [(0, 32_400, 100, 5), (1, 32_430, 110, 7), (0, 32_470, 90, 1)] {
            tape.push(0, venue, &Execution { price, quantity, side: Side::Buy, second }, &stock);
        }
        tape
    }

    #[test]
    fn executions_come_newest_first_with_the_volume_of_their_feed() {
        let tape = traded();
        let [krx, both] = ["J", "UN"].map(|code| Feed::of(code).unwrap());
        let volumes = |feed| tape.before(0, feed, 99_999, 30).iter().map(|p| p.volume(feed)).collect::<Vec<_>>();
        assert_eq!((volumes(krx), volumes(both)), (vec![6, 5], vec![13, 12, 5]));
        assert_eq!(tape.before(0, both, 32_430, 1)[0].price, 110);
        assert!(Feed::of("X").is_none());
    }

    #[test]
    fn a_minute_holds_its_own_executions_only() {
        let bars = traded().minutes(0, Feed::of("UN").unwrap());
        let shown: Vec<_> = bars.iter().map(|b| (b.second, b.open, b.high, b.low, b.close, b.volume)).collect();
        assert_eq!(shown, [(32_400, 100, 110, 100, 110, 12), (32_460, 90, 90, 90, 90, 1)]);
    }
}
