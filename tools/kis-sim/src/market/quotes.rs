//! What is traded, and its last prices, for whoever asks from outside.

use std::sync::atomic::{AtomicI64, Ordering};

use super::VENUES;
use super::stock::Stock;
use crate::config::VenueName;

/// A symbol of the simulated market.
#[derive(Clone, Debug)]
pub struct SymbolInfo {
    /// Six characters, those of a note seven.
    pub code: String,
    /// Korean name, invented.
    pub name: String,
    /// `KOSPI` or `KOSDAQ`.
    pub market: &'static str,
    /// Previous close in won.
    pub base_px: i64,
    /// Lower limit of the day.
    pub lower_px: i64,
    /// Upper limit of the day.
    pub upper_px: i64,
    /// Venues that trade it.
    pub venues: Vec<VenueName>,
}

/// Last prices and volumes of all symbols, for the quotation calls of REST.
#[derive(Debug, Default)]
pub struct QuoteBoard {
    quotes: Vec<[AtomicI64; 2]>,
}

impl QuoteBoard {
    pub(super) fn new(symbols: usize) -> Self {
        Self { quotes: (0..symbols).map(|_| Default::default()).collect() }
    }

    /// Last price and cumulative volume of both venues. The two may be from neighbouring executions.
    pub fn get(&self, index: usize) -> Option<(i64, i64)> {
        let [price, volume] = self.quotes.get(index)?;
        Some((price.load(Ordering::Relaxed), volume.load(Ordering::Relaxed)))
    }

    pub(super) fn set(&self, index: usize, stock: &Stock) {
        let [price, volume] = &self.quotes[index];
        price.store(stock.last, Ordering::Relaxed);
        volume.store(stock.stats[2].volume, Ordering::Relaxed);
    }
}

/// The symbols as they are traded today.
pub(super) fn symbols_of(stocks: &[Stock]) -> Vec<SymbolInfo> {
    let info = |(i, s): (usize, &Stock)| SymbolInfo {
        market: if i % 2 == 0 { "KOSPI" } else { "KOSDAQ" },
        code: s.code.clone(),
        name: s.name.clone(),
        base_px: s.base,
        lower_px: s.lower,
        upper_px: s.upper,
        venues: (0..2).filter(|v| s.on[*v]).map(|v| VENUES[v]).collect(),
    };
    stocks.iter().enumerate().map(info).collect()
}
