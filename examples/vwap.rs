//! Volume-weighted average price of every instrument of a journal, venue by venue.
//!
//! ```text
//! hoga demo --journal /tmp/demo --seconds 10
//! cargo run --release --example vwap -- /tmp/demo
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use hoga::journal::{RecordRef, Start, Stream, TailError, Tailer, Visit};
use hoga::tick::{Gap, Hole, Publisher, Trade, UNDEF_QTY, write_px};

/// What was traded of an instrument on a venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traded {
    /// Executions.
    pub trades: u64,
    /// Shares.
    pub qty: u64,
    /// Sum of price and quantity, 1e-9 of the currency.
    turnover: i128,
}

impl Traded {
    /// Average price, 1e-9 of the currency, rounded to the nearest unit; `None` when nothing was traded.
    pub fn vwap_px(&self) -> Option<i64> {
        let qty = i128::from(self.qty);
        if qty == 0 {
            return None;
        }
        i64::try_from((self.turnover + qty / 2).div_euclid(qty)).ok()
    }
}

/// Sums trades up.
#[derive(Debug, Default)]
pub struct Vwap {
    /// By symbol and venue.
    pub traded: BTreeMap<(String, &'static str), Traded>,
    /// Shares that the feed did not deliver: the averages lack them.
    pub missing_qty: u64,
    /// Records lost to damage: the averages may lack them.
    pub lost_records: u64,
}

impl Visit for Vwap {
    fn trade(&mut self, at: &RecordRef<'_>, trade: &Trade) {
        if !trade.counts() {
            return;
        }
        let Some(known) = at.instrument(trade.header.instrument_id) else { return };
        let venue = Publisher::from_number(trade.header.publisher).map_or("?", Publisher::venue);
        let traded = self.traded.entry((known.key.symbol().into_owned(), venue)).or_default();
        traded.trades += 1;
        traded.qty += trade.qty;
        traded.turnover += i128::from(trade.px) * i128::from(trade.qty);
    }

    fn gap(&mut self, _at: &RecordRef<'_>, gap: &Gap) {
        if gap.missing_qty != UNDEF_QTY {
            self.missing_qty += gap.missing_qty;
        }
    }

    fn hole(&mut self, _at: &RecordRef<'_>, hole: &Hole) {
        self.lost_records += (hole.last_sequence + 1).saturating_sub(hole.first_sequence);
    }
}

/// Reads what is in a journal by now.
///
/// # Errors
/// When it can't be read.
pub fn vwap(dir: &Path) -> Result<Vwap, TailError> {
    let mut sums = Vwap::default();
    Tailer::open(dir, Stream::Ticks, Start::Beginning)?.with_crc_check(true).visit(usize::MAX, &mut sums)?;
    Ok(sums)
}

#[allow(dead_code)]
fn main() -> ExitCode {
    let Some(dir) = std::env::args().nth(1) else {
        eprintln!("vwap JOURNAL");
        return ExitCode::from(2);
    };
    let sums = match vwap(Path::new(&dir)) {
        Ok(sums) => sums,
        Err(error) => {
            eprintln!("vwap: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{:<12} {:<10} {:>10} {:>14} {:>20}", "symbol", "venue", "trades", "volume", "vwap");
    for ((symbol, venue), traded) in &sums.traded {
        let mut px = Vec::new();
        if let Some(vwap) = traded.vwap_px() {
            write_px(&mut px, vwap);
        }
        let px = String::from_utf8_lossy(&px);
        println!("{symbol:<12} {venue:<10} {:>10} {:>14} {px:>20}", traded.trades, traded.qty);
    }
    if sums.missing_qty > 0 || sums.lost_records > 0 {
        println!("missing from the feed: {} shares; lost records: {}", sums.missing_qty, sums.lost_records);
    }
    ExitCode::SUCCESS
}
