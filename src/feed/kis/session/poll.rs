//! What is left when a line is down for long: its symbols are asked for by REST, thirty a call, behind all other calls.
//!
//! Snapshots, not ticks: what is traded between two of them is not seen, and no gap is filled by them. They are records of
//! kind `trade` without a quantity, flag `POLLED`, of no line and no transaction, which no sum counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::rest::quotations::{POLL_SYMBOLS_MAX, Polled, Venue};
use super::super::rest::{Client, Priority};
use super::super::snapshots::{Snapshot, Snapshots};
use super::ledger::Registration;
use crate::clock::wall_ns;
use crate::tick::{Publisher, SYMBOL_BYTES, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};

/// Longest a call may take its turn, before the patience of backfill.
const CALL_PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at whether there is something to poll.
const PAUSE: Duration = Duration::from_millis(20);

/// A symbol of a feed that can be polled.
pub(super) type Symbol = (Publisher, String);

/// Polls on a thread of its own while a line needs it.
#[derive(Debug)]
pub(super) struct Poller {
    shared: Arc<Shared>,
    /// Whether the thread was started.
    is_started: bool,
    rest: Client,
    snapshots: Arc<Snapshots>,
    every: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    /// By line.
    wanted: Mutex<BTreeMap<u16, LinePoll>>,
    failed: AtomicU64,
    lost: AtomicU64,
    is_over: AtomicBool,
}

#[derive(Clone, Debug, Default)]
struct LinePoll {
    symbols: Vec<Symbol>,
    taken: u64,
}

/// What polls came to since they were last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub failed: u64,
    pub lost: u64,
}

/// The symbol of a registration, if REST has a snapshot of it.
pub(super) fn pollable(pair: &Registration) -> Option<Symbol> {
    let publisher = match pair.tr_id.get(..4)? {
        "H0ST" => Publisher::KisKrx,
        "H0NX" => Publisher::KisNxt,
        "H0UN" => Publisher::KisUn,
        _ => return None,
    };
    // Indices and notices have keys of other lengths.
    ((6..=7).contains(&pair.tr_key.len()) && !pair.tr_id.contains("CNI")).then(|| (publisher, pair.tr_key.clone()))
}

impl Poller {
    /// `every`: wall time between two polls of a symbol, at best.
    pub fn new(rest: &Client, snapshots: Arc<Snapshots>, every: Duration) -> Poller {
        let rest = rest.with_priority(Priority::Backfill).with_patience(CALL_PATIENCE);
        Poller { shared: Arc::default(), is_started: false, rest, snapshots, every: every.max(PAUSE) }
    }

    /// The symbols of a line are polled from now on; false when they can't be.
    pub fn begin(&mut self, line: u16, symbols: Vec<Symbol>) -> bool {
        self.shared.wanted().insert(line, LinePoll { symbols, taken: 0 });
        if std::mem::replace(&mut self.is_started, true) {
            return true;
        }
        let (shared, rest, snapshots, every) =
            (Arc::clone(&self.shared), self.rest.clone(), Arc::clone(&self.snapshots), self.every);
        let body = move || shared.run(&rest, &snapshots, every);
        if let Err(error) = std::thread::Builder::new().name("hoga-poll".to_owned()).spawn(body) {
            tracing::warn!(%error, "lines that are down can't be polled");
            self.is_started = false;
            self.end(line);
        }
        self.is_started
    }

    /// Other symbols of a line that is polled.
    pub fn renew(&mut self, line: u16, symbols: Vec<Symbol>) {
        if let Some(poll) = self.shared.wanted().get_mut(&line) {
            poll.symbols = symbols;
        }
    }

    /// They are no longer; how many snapshots were taken, if they were.
    pub fn end(&mut self, line: u16) -> Option<u64> {
        self.shared.wanted().remove(&line).map(|poll| poll.taken)
    }

    /// Whether a line is polled.
    pub fn is_polled(&self, line: u16) -> bool {
        self.shared.wanted().contains_key(&line)
    }

    /// Lines polled now, snapshots taken for them.
    pub fn counts(&self) -> (usize, u64) {
        let wanted = self.shared.wanted();
        (wanted.len(), wanted.values().map(|poll| poll.taken).sum())
    }

    /// What failed since this was last asked.
    pub fn tally(&self) -> Tally {
        // Relaxed: numbers alone.
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Tally { failed: take(&self.shared.failed), lost: take(&self.shared.lost) }
    }
}

impl Drop for Poller {
    /// The thread ends behind the call it makes.
    fn drop(&mut self) {
        // Relaxed: a flag alone.
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn wanted(&self) -> std::sync::MutexGuard<'_, BTreeMap<u16, LinePoll>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        // Relaxed: a flag alone.
        self.is_over.load(Ordering::Relaxed)
    }

    fn run(&self, rest: &Client, snapshots: &Snapshots, every: Duration) {
        let mut next = Instant::now();
        while !self.is_over() {
            if Instant::now() < next {
                std::thread::sleep(PAUSE);
                continue;
            }
            next = Instant::now() + every;
            let lines: Vec<(u16, Vec<Symbol>)> =
                self.wanted().iter().map(|(line, poll)| (*line, poll.symbols.clone())).collect();
            for (line, symbols) in lines {
                for chunk in symbols.chunks(POLL_SYMBOLS_MAX) {
                    if self.is_over() {
                        return;
                    }
                    self.poll(rest, snapshots, line, chunk);
                }
            }
        }
    }

    fn poll(&self, rest: &Client, snapshots: &Snapshots, line: u16, symbols: &[Symbol]) {
        let asked: Vec<(Venue, &str)> =
            symbols.iter().map(|(publisher, symbol)| (venue(*publisher), symbol.as_str())).collect();
        let polled = match rest.poll(&asked) {
            Ok(polled) => polled,
            Err(error) => {
                tracing::warn!(line, %error, "no snapshots of a line that is down");
                self.failed.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        let ts_recv = wall_ns();
        // The line may be back meanwhile, or the symbol on another: then what comes from it is newer.
        let mut wanted = self.wanted();
        let Some(poll) = wanted.get_mut(&line) else { return };
        for (asked, polled) in symbols.iter().zip(&polled) {
            let (publisher, symbol) = asked;
            // The broker answers in the order asked for, and with a row of zeros where it knows none.
            if polled.symbol != *symbol || polled.px == 0 || !poll.symbols.contains(asked) {
                continue;
            }
            match snapshots.push(snapshot(*publisher, polled, ts_recv)) {
                Ok(()) => poll.taken += 1,
                Err(_) => {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Where REST has the volumes of a feed.
pub(super) fn venue(publisher: Publisher) -> Venue {
    match publisher {
        Publisher::KisNxt => Venue::Nxt,
        Publisher::KisUn => Venue::Unified,
        _ => Venue::Krx,
    }
}

fn snapshot(publisher: Publisher, polled: &Polled, ts_recv: u64) -> Snapshot {
    let mut symbol = [0; SYMBOL_BYTES];
    for (to, from) in symbol.iter_mut().zip(polled.symbol.bytes()) {
        *to = from;
    }
    // What is blank or unreadable is not told.
    let px = |field| polled.row.px(field).unwrap_or(UNDEF_PX);
    let quantity = |field| polled.row.quantity(field).unwrap_or(UNDEF_QTY);
    Snapshot {
        ts_recv,
        publisher,
        symbol,
        px: polled.px,
        cum_qty: polled.volume,
        cum_turnover: polled.row.turnover("acml_tr_pbmn").unwrap_or(UNDEF_TURNOVER),
        open_px: px("inter2_oprc"),
        high_px: px("inter2_hgpr"),
        low_px: px("inter2_lwpr"),
        bid_px: polled.bid_px,
        ask_px: polled.ask_px,
        total_bid_qty: quantity("total_bidp_rsqn"),
        total_ask_qty: quantity("total_askp_rsqn"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stocks_of_three_feeds_can_be_polled_and_nothing_else() {
        let pair = |tr: &str, key: &str| Registration { tr_id: tr.to_owned(), tr_key: key.to_owned() };
        assert_eq!(pollable(&pair("H0STCNT0", "005930")), Some((Publisher::KisKrx, "005930".to_owned())));
        assert_eq!(pollable(&pair("H0UNASP0", "005930")), Some((Publisher::KisUn, "005930".to_owned())));
        for (tr, key) in [("H0UPCNT0", "0001"), ("H0STCNI0", "someone"), ("H0IFCNT0", "101W09"), ("X", "005930")] {
            assert_eq!(pollable(&pair(tr, key)), None, "{tr}");
        }
    }
}
