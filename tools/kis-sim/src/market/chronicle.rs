//! What the day has come to, for REST: the market's time, the levels of its indices, its interruptions, the sums of each
//! symbol. Written by the market's thread, read by those of REST.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;

use crate::market::SymbolInfo;
use crate::market::stock::{Execution, Stats, Stock};

/// Levels kept for an index; beyond, the older half is forgotten.
const TICKS_MAX: usize = 1 << 17;

/// A level of an index, in hundredths of a point, as its record over the WebSocket has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexTick {
    /// Second of the day.
    pub second: u32,
    /// Level.
    pub value: i64,
    /// Thousands of shares of the day.
    pub volume: i64,
    /// Millions of won of the day.
    pub turnover: i64,
    /// Thousands of shares since the level before.
    pub volume_step: i64,
    /// Stocks that have risen, of [`STOCKS`].
    pub risen: i64,
}

/// Stocks that an index counts, and those of them whose price hasn't changed.
pub const STOCKS: i64 = 940;
/// Stocks whose price hasn't changed.
pub const UNCHANGED: i64 = 60;

/// A volatility interruption. Those of the simulated market are static: their reference is the price of the last auction.
#[derive(Clone, Copy, Debug)]
pub struct Interruption {
    /// Number of the symbol.
    pub symbol: usize,
    /// Second of the day at which it began.
    pub begun: u32,
    /// Second of the day at which it ended.
    pub ended: Option<u32>,
    /// Price that set it off.
    pub price: i64,
    /// Price it is measured from.
    pub reference: i64,
    /// How many the symbol has had, with this one.
    pub count: usize,
}

/// The day of a symbol so far.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Executions of KRX, of NXT and of both.
    pub stats: [Stats; 3],
    /// Shares in issue.
    pub listed: i64,
    /// Yesterday's volume.
    pub previous_volume: i64,
    /// Rounds of the single-price session.
    pub rounds: Rounds,
}

/// What a single-price session has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rounds {
    /// First price, 0 before the first round.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub last: i64,
    /// Shares.
    pub volume: i64,
    /// Won.
    pub turnover: i64,
}

impl Rounds {
    fn add(&mut self, trade: &Execution) {
        if self.volume == 0 {
            (self.open, self.high, self.low) = (trade.price, trade.price, trade.price);
        }
        (self.high, self.low, self.last) = (self.high.max(trade.price), self.low.min(trade.price), trade.price);
        self.volume += trade.quantity;
        self.turnover += trade.price * trade.quantity;
    }
}

/// What a day begins with.
#[derive(Clone, Debug)]
pub struct Morning {
    /// The day.
    pub date: Date,
    /// The symbols with the base prices and limits of the day.
    pub symbols: Vec<SymbolInfo>,
    /// Closes of KOSPI and KOSDAQ the day before.
    pub previous: [i64; 2],
    /// The days that the run has simulated before, oldest first.
    pub past: Vec<PastDay>,
}

/// A day of the run that is over.
#[derive(Clone, Debug)]
pub struct PastDay {
    /// The day.
    pub date: Date,
    /// What each symbol came to.
    pub symbols: Vec<PastBar>,
}

/// What a symbol came to on a day, on both venues together.
#[derive(Clone, Copy, Debug)]
pub struct PastBar {
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Base price of the day after.
    pub close: i64,
    /// Shares.
    pub volume: i64,
    /// Rounds of the single-price session.
    pub rounds: Rounds,
}

/// All of it.
#[derive(Debug)]
pub struct Chronicle {
    second: AtomicU32,
    morning: Mutex<Arc<Morning>>,
    indices: [Mutex<Vec<IndexTick>>; 2],
    interruptions: Mutex<Vec<Interruption>>,
    symbols: Vec<Mutex<Figures>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chronicle {
    /// The first day as it begins.
    pub fn new(second: u32, morning: Morning) -> Self {
        Self {
            second: AtomicU32::new(second),
            symbols: morning.symbols.iter().map(|_| Mutex::default()).collect(),
            morning: Mutex::new(Arc::new(morning)),
            indices: Default::default(),
            interruptions: Mutex::default(),
        }
    }

    /// What the present day began with.
    pub fn morning(&self) -> Arc<Morning> {
        Arc::clone(&lock(&self.morning))
    }

    /// A new trading day: what the one before came to is one of the past.
    pub(crate) fn begin_day(&self, date: Date, symbols: Vec<SymbolInfo>, previous: [i64; 2]) {
        let before = self.morning();
        let bar = |(index, (was, is)): (usize, (&SymbolInfo, &SymbolInfo))| {
            let Figures { stats: [.., both], rounds, .. } = self.figures(index);
            let or_base = |price: i64| if both.volume == 0 { was.base_px } else { price };
            let (open, high, low) = (or_base(both.open), or_base(both.high), or_base(both.low));
            PastBar { open, high, low, close: is.base_px, volume: both.volume, rounds }
        };
        let bars = before.symbols.iter().zip(&symbols).enumerate().map(bar).collect();
        let mut past = before.past.clone();
        past.push(PastDay { date: before.date, symbols: bars });
        self.second.store(0, Ordering::Relaxed);
        self.indices.iter().for_each(|ticks| lock(ticks).clear());
        lock(&self.interruptions).clear();
        self.symbols.iter().for_each(|figures| lock(figures).rounds = Rounds::default());
        *lock(&self.morning) = Arc::new(Morning { date, symbols, previous, past });
    }

    /// Second of the day; stands still before the market opens.
    pub fn second(&self) -> u32 {
        self.second.load(Ordering::Relaxed)
    }

    pub(crate) fn advance_to(&self, second: u32) {
        self.second.store(second, Ordering::Relaxed);
    }

    /// Close of KOSPI (0) or KOSDAQ (1) the day before.
    pub fn previous(&self, index: usize) -> i64 {
        lock(&self.morning).previous[index]
    }

    /// Levels of KOSPI (0) or KOSDAQ (1) so far, oldest first.
    pub fn ticks(&self, index: usize) -> Vec<IndexTick> {
        lock(&self.indices[index]).clone()
    }

    pub(crate) fn push_tick(&self, index: usize, tick: IndexTick) {
        let mut ticks = lock(&self.indices[index]);
        if ticks.len() >= TICKS_MAX {
            ticks.drain(..TICKS_MAX / 2);
        }
        ticks.push(tick);
    }

    /// The interruptions so far, oldest first.
    pub fn interruptions(&self) -> Vec<Interruption> {
        lock(&self.interruptions).clone()
    }

    pub(crate) fn interrupted(&self, symbol: usize, second: u32, stock: &Stock) {
        let mut all = lock(&self.interruptions);
        let count = 1 + all.iter().filter(|one| one.symbol == symbol).count();
        let (price, reference) = (stock.last, stock.vi_reference);
        all.push(Interruption { symbol, begun: second, ended: None, price, reference, count });
    }

    pub(crate) fn released(&self, symbol: usize, second: u32) {
        let mut all = lock(&self.interruptions);
        if let Some(running) = all.iter_mut().rev().find(|one| one.symbol == symbol) {
            running.ended.get_or_insert(second);
        }
    }

    /// The day of a symbol so far.
    pub fn figures(&self, symbol: usize) -> Figures {
        self.symbols.get(symbol).map(|figures| lock(figures).clone()).unwrap_or_default()
    }

    pub(crate) fn keep(&self, symbol: usize, stock: &Stock) {
        let Some(figures) = self.symbols.get(symbol) else { return };
        let mut figures = lock(figures);
        figures.stats.clone_from(&stock.stats);
        (figures.listed, figures.previous_volume) = (stock.listed, stock.previous_volume);
    }

    pub(crate) fn keep_round(&self, symbol: usize, trade: &Execution) {
        let Some(figures) = self.symbols.get(symbol) else { return };
        lock(figures).rounds.add(trade);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_ends_once_and_counts_per_symbol() {
        let date = jiff::civil::date(2026, 11, 20);
        let morning = Morning { date, symbols: Vec::new(), previous: [100, 100], past: Vec::new() };
        let chronicle = Chronicle::new(32_400, morning);
        let stock = Stock::new("000010".into(), 0, 1, false);
        chronicle.interrupted(0, 32_500, &stock);
        chronicle.released(0, 32_620);
        chronicle.released(0, 32_700);
        chronicle.interrupted(1, 32_800, &stock);
        chronicle.interrupted(0, 32_900, &stock);
        let told: Vec<_> =
            chronicle.interruptions().iter().map(|one| (one.symbol, one.begun, one.ended, one.count)).collect();
        assert_eq!(told, [(0, 32_500, Some(32_620), 1), (1, 32_800, None, 1), (0, 32_900, None, 2)]);
    }
}
