//! Follows the best bid and ask of one instrument as it is recorded, and says how long each change took to get here.
//!
//! ```text
//! hoga demo --journal /tmp/demo --seconds 30 &        a market to look at
//! cargo run --release --example strategy -- /tmp/demo 005930
//! ```
//!
//! It spins: the latency printed, from the commit in the recorder to the hands of this program, is that of one cache line
//! between two processors, if there are two. With `yield` or `park` as third argument it shares the processor.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use hoga::clock::wall_ns;
use hoga::journal::{Follower, RecordRef, Start, Stream, TailError, TailState, Tailer, Visit};
use hoga::stage::WaitStrategy;
use hoga::tick::{Book, Flags, Hole, Level, UNDEF_PX, write_px};

/// Best prices and what is to be had there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    /// Best bid, 1e-9 of the currency.
    pub bid_px: i64,
    /// Shares bid there.
    pub bid_qty: u64,
    /// Best ask, 1e-9 of the currency.
    pub ask_px: i64,
    /// Shares asked there.
    pub ask_qty: u64,
}

/// Watches one symbol.
#[derive(Debug)]
pub struct Strategy<W> {
    symbol: String,
    best: Option<Best>,
    /// How many changes were seen.
    pub changes: u64,
    out: W,
}

impl<W: Write> Strategy<W> {
    /// Watches a symbol and prints to `out`.
    pub fn new(symbol: &str, out: W) -> Strategy<W> {
        Strategy { symbol: symbol.to_owned(), best: None, changes: 0, out }
    }

    /// The last best prices seen.
    pub fn best(&self) -> Option<Best> {
        self.best
    }

    fn changed(&mut self, best: Best, seen_ns: Option<u64>) -> std::io::Result<()> {
        let px = |px: i64| {
            let mut text = Vec::new();
            if px == UNDEF_PX {
                text.push(b'-')
            } else {
                write_px(&mut text, px)
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        let (bid, ask) = (px(best.bid_px), px(best.ask_px));
        write!(self.out, "{}  {bid} x {}  |  {ask} x {}", self.symbol, best.bid_qty, best.ask_qty)?;
        match seen_ns {
            Some(ns) => writeln!(self.out, "  seen {ns} ns after the commit"),
            None => writeln!(self.out),
        }
    }
}

impl<W: Write> Visit for Strategy<W> {
    fn book(&mut self, at: &RecordRef<'_>, book: &Book, levels: &[Level]) {
        // Before anything else: this is what is measured.
        let now = wall_ns();
        let Some(level) = levels.first() else { return };
        if at.instrument(book.header.instrument_id).is_none_or(|known| known.key.symbol() != self.symbol) {
            return;
        }
        let best = Best { bid_px: level.bid_px, bid_qty: level.bid_qty, ask_px: level.ask_px, ask_qty: level.ask_qty };
        if self.best.replace(best) == Some(best) {
            return;
        }
        self.changes += 1;
        // What was recovered after a death was committed long after it was received: it has no latency.
        let live = book.header.flags & Flags::RECOVERED == 0;
        let committed = book.header.ts_recv + u64::from(book.market.committed_ns);
        let seen = live.then(|| now.saturating_sub(committed));
        // A reader of ours that went away ends nothing but the printing.
        let _ = self.changed(best, seen);
    }

    fn hole(&mut self, _at: &RecordRef<'_>, hole: &Hole) {
        // What is not known any more must not be traded on.
        self.best = None;
        let _ = writeln!(self.out, "records {} to {} are lost", hole.first_sequence, hole.last_sequence);
    }
}

/// Follows a journal until its recorder closes it or dies.
///
/// # Errors
/// When the journal can't be read.
pub fn follow<W: Write>(
    dir: &Path,
    start: Start,
    wait: WaitStrategy,
    strategy: &mut Strategy<W>,
) -> Result<TailState, TailError> {
    let mut follower = Follower::new(Tailer::open(dir, Stream::Ticks, start)?, wait);
    loop {
        let polled = follower.visit_batch(256, None, strategy)?;
        if polled.records == 0 && matches!(polled.state, TailState::Closed | TailState::Gone) {
            return Ok(polled.state);
        }
    }
}

#[allow(dead_code)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(dir), Some(symbol)) = (arguments.first(), arguments.get(1)) else {
        eprintln!("strategy JOURNAL SYMBOL [spin|yield|park]");
        return ExitCode::from(2);
    };
    let wait = match arguments.get(2).map(String::as_str) {
        None | Some("spin") => WaitStrategy::Spin,
        Some("yield") => WaitStrategy::Yield,
        Some("park") => WaitStrategy::Park,
        Some(other) => {
            eprintln!("strategy: `{other}` is not spin, yield or park");
            return ExitCode::from(2);
        }
    };
    let mut strategy = Strategy::new(symbol, std::io::stdout());
    match follow(Path::new(dir), Start::End, wait, &mut strategy) {
        Ok(state) => {
            eprintln!("strategy: {} changes; the recorder is {state:?}", strategy.changes);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("strategy: {error}");
            ExitCode::FAILURE
        }
    }
}
