//! One symbol: its walk, its executions on both venues and what they add up to.

use crate::market::book::{Book, Depth};
use crate::market::tick::{down, price_limits, tick_size};
use crate::rng::Rng;

/// Index of KRX in pairs of venues.
pub const KRX: usize = 0;
/// Index of NXT in pairs of venues.
pub const NXT: usize = 1;

/// What executions of a venue, or of both, have added up to since the start of the day.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Shares.
    pub volume: i64,
    /// Won: the sum of price times quantity.
    pub turnover: i64,
    /// Executions in which a seller came to a resting bid, and their shares. Auctions count in neither.
    pub sell_count: i64,
    /// Shares of those.
    pub sell_volume: i64,
    /// Executions in which a buyer came to a resting ask.
    pub buy_count: i64,
    /// Shares of those.
    pub buy_volume: i64,
    /// First price, 0 before the first execution.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Second of the day of the first price.
    pub open_at: u32,
    /// Second of the day at which the highest price was first seen.
    pub high_at: u32,
    /// Second of the day at which the lowest price was first seen.
    pub low_at: u32,
}

impl Stats {
    fn add(&mut self, trade: &Execution) {
        self.volume += trade.quantity;
        self.turnover += trade.price * trade.quantity;
        match trade.side {
            Side::Buy => {
                self.buy_count += 1;
                self.buy_volume += trade.quantity;
            }
            Side::Sell => {
                self.sell_count += 1;
                self.sell_volume += trade.quantity;
            }
            Side::Auction => {}
        }
        if self.open == 0 {
            self.open = trade.price;
            self.open_at = trade.second;
        }
        if trade.price > self.high {
            self.high = trade.price;
            self.high_at = trade.second;
        }
        if self.low == 0 || trade.price < self.low {
            self.low = trade.price;
            self.low_at = trade.second;
        }
    }
}

/// Who came to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// CCLD_DVSN 1.
    Buy,
    /// CCLD_DVSN 5.
    Sell,
    /// CCLD_DVSN 3.
    Auction,
}

/// One execution.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    /// Won.
    pub price: i64,
    /// Shares.
    pub quantity: i64,
    /// Who came to whom.
    pub side: Side,
    /// Second of the day.
    pub second: u32,
}

/// Expected price of a running auction; zero when none runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// Won, 0 when no auction runs.
    pub price: i64,
    /// Shares that would trade.
    pub volume: i64,
    /// Growth of that since the last message.
    pub step: i64,
}

/// Totals in the book last sent, for the fields that say by how much they changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastTotals {
    /// Of the asks.
    pub ask: i64,
    /// Of the bids.
    pub bid: i64,
}

/// A symbol on both venues.
#[derive(Clone, Debug)]
pub struct Stock {
    /// Six characters, those of a note seven.
    pub code: String,
    /// Korean name, invented.
    pub name: String,
    /// Previous close, on the grid.
    pub base: i64,
    /// Lower limit of the day.
    pub lower: i64,
    /// Upper limit of the day.
    pub upper: i64,
    /// Yesterday's volume.
    pub previous_volume: i64,
    /// Shares in issue.
    pub listed: i64,
    /// The book.
    pub book: Book,
    /// Executions of KRX, of NXT and of both.
    pub stats: [Stats; 3],
    /// Price of the last execution on either venue, or the base.
    pub last: i64,
    /// Expected price on KRX and NXT.
    pub expected: [Expected; 2],
    /// Totals in the last book of KRX, NXT and both.
    pub last_totals: [LastTotals; 3],
    /// Static reference of volatility interruptions.
    pub vi_reference: i64,
    /// Second of the day at which a running interruption ends.
    pub vi_until: Option<u32>,
    /// Second of the day at which a halt ends.
    pub halt_until: Option<u32>,
    /// Whether KRX and NXT trade it.
    pub on: [bool; 2],
    /// Price of KRX's closing auction, 0 before it.
    pub close: i64,
    /// Programme trading.
    pub program: Program,
    /// Shares of members, five sellers then five buyers.
    pub members: [i64; 10],
    /// Buys in 1,000 executions.
    buy_per_mille: u64,
    rng: Rng,
}

/// Cumulative programme trading of a symbol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Program {
    /// Shares sold.
    pub sell_volume: i64,
    /// Won sold.
    pub sell_turnover: i64,
    /// Shares bought.
    pub buy_volume: i64,
    /// Won bought.
    pub buy_turnover: i64,
}

impl Stock {
    /// The symbol number `index` of a seed; `wild` ones rise until stopped.
    pub fn new(code: String, index: usize, seed: u64, wild: bool) -> Self {
        let mut rng = Rng::new(seed ^ (index as u64 + 1).wrapping_mul(0xA24B_AED4_963E_E407));
        // Prices spread over all bands, as on the market: few below 2,000, most between.
        let band = [(900, 5_000), (5_000, 20_000), (20_000, 50_000), (50_000, 200_000), (200_000, 900_000)];
        let (low, high) = band[rng.below(band.len() as u64) as usize];
        let raw = rng.between(low, high - 1);
        let base = raw - raw % tick_size(raw);
        let (lower, upper) = price_limits(base);
        let scale = (20_000_000 / base).clamp(20, 20_000);
        let book = Book::around(down(base), lower, upper, scale, &mut rng);
        Self {
            name: format!("모의종목{index:04}"),
            code,
            base,
            lower,
            upper,
            previous_volume: scale * rng.between(2_000, 20_000),
            listed: scale * rng.between(100_000, 400_000),
            book,
            stats: Default::default(),
            last: base,
            expected: Default::default(),
            last_totals: Default::default(),
            vi_reference: base,
            vi_until: None,
            halt_until: None,
            on: [true; 2],
            close: 0,
            program: Program::default(),
            members: first_members(),
            buy_per_mille: if wild { 960 } else { 500 },
            rng,
        }
    }

    /// Takes the totals of now as those of the book last sent, before the first one is.
    pub fn remember_totals(&mut self, open: [bool; 2]) {
        for feed in 0..3 {
            let (ask, bid) = self.depth(feed, open).totals();
            self.last_totals[feed] = LastTotals { ask, bid };
        }
    }

    /// Pretends that a venue has traded before the run: cumulative figures that fit together.
    pub fn seed_history(&mut self, venue: usize, second: u32) -> [Execution; 2] {
        let volume = self.book.scale * 500;
        let trades = [(Side::Sell, volume * 2 / 5), (Side::Buy, volume * 3 / 5)].map(|(side, quantity)| Execution {
            price: self.base,
            quantity,
            side,
            second,
        });
        for trade in &trades {
            self.stats[venue].add(trade);
            self.stats[2].add(trade);
        }
        trades
    }

    /// A new trading day: what counts from its morning on begins anew, limits lie around yesterday's close.
    pub fn begin_day(&mut self) {
        let close = if self.close == 0 { self.last } else { self.close };
        self.base = close - close % tick_size(close);
        (self.lower, self.upper) = price_limits(self.base);
        self.previous_volume = self.stats[2].volume.max(1);
        (self.last, self.vi_reference, self.close) = (self.base, self.base, 0);
        self.stats = Default::default();
        self.program = Program::default();
        self.members = first_members();
        let price = down(self.base);
        self.book = Book::around(price, self.lower, self.upper, self.book.scale, &mut self.rng);
    }

    /// Quantities of a feed: KRX, NXT, or both where both are open.
    pub fn depth(&self, feed: usize, open: [bool; 2]) -> Depth {
        let open = [open[KRX] && self.on[KRX], open[NXT] && self.on[NXT]];
        match (feed, open) {
            (KRX, _) | (_, [_, false]) => self.book.depth[KRX].clone(),
            (NXT, _) | (_, [false, true]) => self.book.depth[NXT].clone(),
            _ => self.book.depth[KRX].merged(&self.book.depth[NXT]),
        }
    }

    /// One continuous execution on a venue.
    pub fn trade(&mut self, venue: usize, second: u32) -> Execution {
        let rng = &mut self.rng;
        let buy = rng.chance(self.buy_per_mille);
        let side = if buy { Side::Buy } else { Side::Sell };
        let depth = &self.book.depth[venue];
        let resting = depth.mid;
        let (price, quantity);
        if resting > 0 && rng.chance(300) {
            price = self.book.ladder.mid();
            quantity = rng.between(1, resting);
            self.book.take_mid(venue, quantity);
        } else {
            price = if buy { self.book.ladder.ask[0] } else { self.book.ladder.bid[0] };
            let there = if buy { depth.ask[0] } else { depth.bid[0] };
            let wanted = match rng.below(8) {
                0 => there,
                1..=4 => rng.between(1, 10),
                _ => rng.between(1, self.book.scale),
            };
            // Who drives a price takes whole levels.
            let wanted = if self.buy_per_mille > 900 && buy { there } else { wanted };
            quantity = wanted.min(there);
            self.book.take(venue, buy, quantity, rng);
        }
        let trade = Execution { price, quantity, side, second };
        self.apply(venue, &trade);
        trade
    }

    fn apply(&mut self, venue: usize, trade: &Execution) {
        self.stats[venue].add(trade);
        self.stats[2].add(trade);
        self.last = trade.price;
    }

    /// Whether the last price is 10 % or more away from the reference.
    pub fn exceeds_vi(&self) -> bool {
        (self.last - self.vi_reference).abs() * 10 >= self.vi_reference
    }

    /// Starts an interruption that lasts `seconds` and up to a quarter more.
    pub fn start_vi(&mut self, second: u32, seconds: u32) {
        self.vi_until = Some(second + seconds + self.rng.below(u64::from(seconds / 4) + 1) as u32);
    }

    /// Orders come and go.
    pub fn stir(&mut self, venue: usize) {
        self.book.stir(venue, &mut self.rng);
    }

    /// One step of a running auction: the expected volume grows, now and then the price moves.
    pub fn expect(&mut self, venue: usize) {
        if self.expected[venue].price == 0 || self.rng.chance(50) {
            if self.rng.chance(300) {
                let upward = self.rng.chance(self.buy_per_mille);
                self.book.shift(upward, &mut self.rng);
            }
            let ladder = &self.book.ladder;
            let price = if self.rng.chance(500) { ladder.bid[0] } else { ladder.ask[0] };
            self.expected[venue].price = price;
            let other = &mut self.expected[1 - venue];
            if other.price != 0 {
                other.price = price;
            }
        }
        let step = self.rng.quantity(self.book.scale);
        let expected = &mut self.expected[venue];
        expected.volume += step;
        expected.step = step;
    }

    /// An execution at the closing price of KRX.
    pub fn trade_at_close(&mut self, second: u32) -> Execution {
        let side = if self.rng.chance(500) { Side::Buy } else { Side::Sell };
        let price = if self.close == 0 { self.base } else { self.close };
        let trade = Execution { price, quantity: self.rng.quantity(self.book.scale), side, second };
        self.apply(KRX, &trade);
        trade
    }

    /// The auction of a venue executes at its expected price, which becomes the reference of interruptions.
    pub fn print(&mut self, venue: usize, second: u32) -> Execution {
        if self.expected[venue].price == 0 {
            self.expect(venue);
        }
        let Expected { price, volume, .. } = std::mem::take(&mut self.expected[venue]);
        let trade = Execution { price, quantity: volume, side: Side::Auction, second };
        self.apply(venue, &trade);
        self.vi_reference = price;
        self.book.recentre(price, &mut self.rng);
        trade
    }

    /// Programme trading and members' shares move on a little.
    pub fn advance_flows(&mut self) {
        let quantity = self.rng.quantity(self.book.scale);
        let program = &mut self.program;
        if self.rng.chance(500) {
            program.buy_volume += quantity;
            program.buy_turnover += quantity * self.last;
        } else {
            program.sell_volume += quantity;
            program.sell_turnover += quantity * self.last;
        }
        for shares in &mut self.members {
            *shares += self.rng.between(0, self.book.scale);
        }
    }

    /// How many records the next trade frame holds: mostly one, each further one with a chance of 2 in 5 once a sweep
    /// has begun.
    pub fn sweep_length(&mut self, most: usize) -> usize {
        if most == 1 || !self.rng.chance(80) {
            return 1;
        }
        let mut length = 2;
        while length < most && self.rng.chance(600) {
            length += 1;
        }
        length
    }
}

/// Shares of members as a day begins.
fn first_members() -> [i64; 10] {
    std::array::from_fn(|i| 1_000 * (10 - (i as i64) % 5))
}

/// Six-character codes: mostly digits ending in 0, every ninth alphanumeric as `0074K0`.
pub fn codes(count: usize, seed: u64) -> Vec<String> {
    let mut rng = Rng::new(seed ^ 0xC0DE);
    let mut codes = Vec::with_capacity(count);
    let mut seen = std::collections::HashSet::new();
    while codes.len() < count {
        let number = rng.between(10, 99_999);
        let code = if codes.len() % 9 == 8 {
            let letter = b"ABCDFGHJKLMNPQRSTVWXYZ"[rng.below(22) as usize];
            format!("{:04}{}0", number % 10_000, char::from(letter))
        } else {
            format!("{number:05}0")
        };
        if seen.insert(code.clone()) {
            codes.push(code);
        }
    }
    codes
}
