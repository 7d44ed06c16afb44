//! A running venue: starts its threads, answers what others ask about it, ends it.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use serde::Serialize;

use crate::auth::Auth;
use crate::config::SimConfig;
use crate::error::SimError;
use crate::event_loop::EventLoop;
use crate::ledger::{Ledger, LedgerCounts, Shared};
use crate::market::chronicle::Chronicle;
use crate::market::tape::Tape;
use crate::market::{QuoteBoard, SimMarket, SymbolInfo};
use crate::rest::{Rest, RestCounts, RestFaultSpec, RestServer, Shared as RestShared};
use crate::source::FrameSource;

/// Where market time stands against the wall: market time = `market_ns` + (wall − `wall_ns`) × `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MarketAnchor {
    /// Market time at the opening, in nanoseconds since the UNIX epoch.
    pub market_ns: u64,
    /// Wall time at the opening, in nanoseconds since the UNIX epoch.
    pub wall_ns: u64,
    /// Market seconds per wall second.
    pub scale: f64,
    /// Market time at the opening as KST civil time.
    pub market_civil: DateTime,
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Final counts.
    #[serde(flatten)]
    pub counts: LedgerCounts,
    /// Wall seconds from the opening of the market to its last frame; 0 when it never opened.
    pub seconds: f64,
    /// Frames a second over that time.
    pub frames_per_second: f64,
    /// Most nanoseconds by which a frame was handed to its socket after its intended moment.
    pub lateness_ns_max: u64,
    /// Median of the same, from a power-of-two histogram: the upper edge of its bucket.
    pub lateness_ns_p50: u64,
    /// 99th percentile of the same.
    pub lateness_ns_p99: u64,
    /// Connections whose Close handshake was complete at the end.
    pub closed_cleanly: u64,
}

/// What the event loop and the handle share.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) stop: AtomicBool,
    pub(crate) anchor: OnceLock<MarketAnchor>,
}

/// A venue that runs on threads of its own.
///
/// Dropping it stops it and waits. [`Venue::join`] waits for the end of the run instead.
#[derive(Debug)]
pub struct Venue {
    rest_addr: SocketAddr,
    ws_addr: SocketAddr,
    config: SimConfig,
    symbols: Vec<SymbolInfo>,
    control: Arc<Control>,
    shared: Arc<Shared>,
    auth: Arc<Auth>,
    rest_shared: Arc<RestShared>,
    rest: Option<RestServer>,
    thread: Option<JoinHandle<Summary>>,
}

impl Venue {
    /// Starts a venue with the simulated market and returns at once; both servers listen when it does.
    ///
    /// # Errors
    /// A value out of range, an address that cannot be bound, a ledger that cannot be created.
    pub fn start(config: SimConfig) -> Result<Self, SimError> {
        config.check()?;
        let market = SimMarket::new(&config);
        let quotes = Quotes::of(&market);
        Self::run(config, Box::new(market), quotes)
    }

    /// Starts a venue that plays `source` instead of the simulated market: frames go to the connections registered
    /// for them at their moments. Symbols, for quotations over REST, stay those of the configuration; rate, burst and
    /// seconds are the source's affair.
    ///
    /// # Errors
    /// As [`Venue::start`].
    pub fn start_with(config: SimConfig, source: Box<dyn FrameSource>) -> Result<Self, SimError> {
        config.check()?;
        let market = SimMarket::new(&config);
        let quotes = Quotes::of(&market);
        Self::run(config, source, quotes)
    }

    fn run(config: SimConfig, source: Box<dyn FrameSource>, quotes: Quotes) -> Result<Self, SimError> {
        let rest_listener = listen(config.rest_listen)?;
        let ws_listener = listen(config.ws_listen)?;
        // Only who has the addresses may begin the file anew: it may be that of the venue that has them.
        let ledger = Ledger::new(config.ledger.as_deref())?;
        let (rest_addr, ws_addr) = (rest_listener.local_addr()?, ws_listener.local_addr()?);
        let auth = Arc::new(Auth::new(&config));
        let control = Arc::new(Control::default());
        let shared = Arc::clone(&ledger.shared);
        let event_loop =
            EventLoop::new(config.clone(), ws_listener, source, ledger, Arc::clone(&auth), Arc::clone(&control))?;
        let symbols = quotes.symbols.clone();
        let rest_shared = Arc::new(RestShared::new(config.rest_faults.clone()));
        let rest = Rest::new(&config, Arc::clone(&auth), quotes, Arc::clone(&rest_shared));
        let rest = RestServer::start(rest_listener, rest)?;
        let thread = std::thread::Builder::new().name("kis-sim".into()).spawn(move || event_loop.run())?;
        Ok(Self {
            rest_addr,
            ws_addr,
            config,
            symbols,
            control,
            shared,
            auth,
            rest_shared,
            rest: Some(rest),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:port`, without a path.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.rest_addr)
    }

    /// `ws://127.0.0.1:port`, without a path; any path may follow.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.ws_addr)
    }

    /// The configuration it runs with.
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// The symbols it trades.
    pub fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    /// What it has sent so far; never blocks the venue.
    pub fn ledger(&self) -> LedgerCounts {
        self.shared.counts()
    }

    /// Market time against the wall, once the market has opened.
    pub fn market_anchor(&self) -> Option<MarketAnchor> {
        self.control.anchor.get().copied()
    }

    /// What REST was asked and how it answered so far.
    pub fn rest_counts(&self) -> RestCounts {
        self.rest_shared.counts()
    }

    /// Replaces the faults of REST that have not happened yet; requests are counted anew.
    pub fn script_rest(&self, faults: Vec<RestFaultSpec>) {
        self.rest_shared.script(faults);
    }

    /// Makes every approval key unknown, as 24 hours do; open sessions stay.
    pub fn expire_approval_keys(&self) {
        self.auth.expire_approvals();
    }

    /// Makes every token expired, as 24 hours do.
    pub fn expire_tokens(&self) {
        self.auth.expire_tokens();
    }

    /// Ends the run early: what is queued is still written, then each connection gets Close 1000.
    pub fn stop(&self) {
        self.control.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the run is over.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end of the run, which comes by itself once the market has opened and its seconds have passed.
    ///
    /// # Panics
    /// When the venue's thread has panicked, which is an error of its own code.
    pub fn join(mut self) -> Summary {
        let thread = self.thread.take();
        let summary = thread.map(JoinHandle::join).and_then(Result::ok);
        summary.expect("the thread of the venue returns its summary")
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        drop(self.rest.take());
    }
}

/// What REST quotes from.
#[derive(Debug)]
pub(crate) struct Quotes {
    pub(crate) symbols: Vec<SymbolInfo>,
    pub(crate) board: Arc<QuoteBoard>,
    pub(crate) tape: Arc<Tape>,
    pub(crate) chronicle: Arc<Chronicle>,
}

impl Quotes {
    fn of(market: &SimMarket) -> Self {
        Self { symbols: market.symbols(), board: market.board(), tape: market.tape(), chronicle: market.chronicle() }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, SimError> {
    TcpListener::bind(address).map_err(|source| SimError::Listen { address: address.to_string(), source })
}

/// Nanoseconds since the UNIX epoch.
pub(crate) fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// The anchor of a configuration whose market opens at a wall time.
pub(crate) fn anchor(config: &SimConfig, wall_ns: u64) -> MarketAnchor {
    // KST is UTC+9 all year.
    let epoch = jiff::civil::date(1970, 1, 1).at(9, 0, 0, 0);
    let since = config.market_start.duration_since(epoch);
    let market_ns = u64::try_from(since.as_nanos()).unwrap_or(0);
    MarketAnchor { market_ns, wall_ns, scale: config.time_scale, market_civil: config.market_start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchor_is_kst() {
        let config = SimConfig { market_start: jiff::civil::date(2026, 11, 20).at(9, 0, 0, 0), ..Default::default() };
        // 2026-11-20 00:00:00 UTC.
        assert_eq!(anchor(&config, 1).market_ns, 1_795_132_800_000_000_000);
    }
}
