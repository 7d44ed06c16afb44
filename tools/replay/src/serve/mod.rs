//! Serves a recorded day again: the broker's WebSocket protocol from stream `raw`, to clients that know nothing of it.
//!
//! - The venue is `kis-sim`'s, which knows nothing of journals: approval keys over REST, registrations, answers, PINGPONG and
//!   closing are its own. Any app key, transaction and key is accepted. Control frames of the recording are not sent: the
//!   venue answers for itself.
//! - A data frame goes, byte for byte, to those who registered its transaction and its key (the first field of its first
//!   record), frames of several records whole. What nobody registered is passed over. Frames that name no transaction and key
//!   that text could name, and account frames, of which the journal keeps only the head, are served to nobody and counted.
//! - Frames keep their recorded order. Their moments are those of receipt, from the first frame on, divided by the speed;
//!   where receipts step back (another connection's), the frame goes out at once.
//! - The day begins when registrations have paused ([`Config::begin`]) and ends with Close 1000 on every connection, unless it
//!   [stays](Config::stay).
//! - A client that reads more slowly than the day goes on holds it: nothing is dropped.

mod source;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hoga::clock::MarketClock;
use hoga::journal::{Filter, Start, Stream, TailError, TailState, Tailer};
use hoga::tick::{RType, RecordView, view};
use kis_sim::{Accept, Limits, OpenWhen, SimConfig, SimError, Summary, Venue};

pub use self::source::SourceCounts;
use self::source::{RawSource, Wanted};

/// Bytes waiting for one client at which the day waits for it.
const HOLD_BYTES: usize = 4 << 20;
/// Registrations of one session: the broker has 41, a replay has no reason to.
const REGISTRATIONS_MAX: usize = 100_000;
/// Frames looked at in one go.
const SLICE: usize = 65_536;

pub use crate::pace::Speed;

/// What is served, where and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The journal.
    pub dir: PathBuf,
    /// Which frames: bounds are sequences of stream `raw` or times of receipt; a frame's symbol is the key it is registered
    /// by, its kind and venue are those of its transaction.
    pub filter: Filter,
    /// Speed.
    pub speed: Speed,
    /// Address of the WebSocket server; port 0 takes any.
    pub ws: SocketAddr,
    /// Address of the REST server; port 0 takes any.
    pub rest: SocketAddr,
    /// When the day begins.
    pub begin: Begin,
    /// Whether the venue goes on listening, with PINGPONG alone, when the day is over.
    pub stay: bool,
}

/// When a served day begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// When no registration came for so many milliseconds after the first.
    Quiet(u64),
    /// When so many registrations are in force.
    Registrations(usize),
}

/// Why a day can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The journal can't be read.
    #[error("{dir}: {source}")]
    Journal {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        source: TailError,
    },
    /// No data frame in the range.
    #[error(
        "{0}: stream raw holds no data frame of those asked for (was it switched off when the journal was recorded?)"
    )]
    Nothing(PathBuf),
    /// A step is not a speed of a venue.
    #[error("a day can't be served step by step: choose a number above 0 (1, 10, 0.5), or max")]
    Step,
    /// The venue can't start.
    #[error(transparent)]
    Venue(#[from] SimError),
    /// The system refused something.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A day being served. Dropping it ends it.
#[derive(Debug)]
pub struct Served {
    venue: Venue,
    counts: Arc<SourceCounts>,
    first_ns: u64,
    market: MarketClock,
}

impl Served {
    /// Begins to listen; the day begins with its clients.
    ///
    /// # Errors
    ///
    /// See [`ServeError`].
    pub fn start(config: &Config) -> Result<Served, ServeError> {
        let journal = |source| ServeError::Journal { dir: config.dir.clone(), source };
        let filter = Filter { from: config.filter.from, to: config.filter.to, ..Filter::default() };
        let speed = match config.speed {
            Speed::Times(times) => Some(times),
            Speed::Max => None,
            Speed::Step => return Err(ServeError::Step),
        };
        let wanted = Wanted::new(&config.filter);
        let open = || {
            Tailer::open(&config.dir, Stream::Raw, Start::Beginning)
                .map(|tailer| tailer.with_crc_check(true).with_filter(filter.clone()).with_slices(SLICE))
        };
        let first_ns = first_data_frame(&mut open().map_err(journal)?, &wanted).map_err(journal)?;
        let first_ns = first_ns.ok_or_else(|| ServeError::Nothing(config.dir.clone()))?;
        let market = market_clock(&config.dir);
        let sim = SimConfig {
            rest_listen: config.rest,
            ws_listen: config.ws,
            accept: Accept::Any,
            // Its market is not played; the venue wants one.
            symbols: 1,
            market_start: market_start(&market, first_ns),
            time_scale: speed.unwrap_or(1.0) * market.scale,
            open_when: match config.begin {
                Begin::Quiet(ms) => OpenWhen::Quiet { ms },
                Begin::Registrations(count) => OpenWhen::Registrations { count },
            },
            max_registrations: REGISTRATIONS_MAX,
            limits: Limits { token_per_minute: false, approval_burst: 0, requests_per_second: 0 },
            hold_backlog_bytes: Some(HOLD_BYTES),
            // A replay shares its machine with what it feeds.
            spin: false,
            ..SimConfig::default()
        };
        let (source, counts) = RawSource::start(open().map_err(journal)?, wanted, first_ns, speed, config.stay)?;
        let venue = Venue::start_with(sim, Box::new(source))?;
        Ok(Served { venue, counts, first_ns, market })
    }

    /// `ws://127.0.0.1:port`; any path may follow.
    pub fn ws_url(&self) -> String {
        self.venue.ws_url()
    }

    /// `http://127.0.0.1:port`.
    pub fn rest_url(&self) -> String {
        self.venue.rest_url()
    }

    /// Receive time of the first data frame, nanoseconds since the UNIX epoch.
    pub fn first_ns(&self) -> u64 {
        self.first_ns
    }

    /// Market time of the recording: what dates were inferred by.
    pub fn market(&self) -> MarketClock {
        self.market
    }

    /// Whether the day is over.
    pub fn is_finished(&self) -> bool {
        self.venue.is_finished()
    }

    /// Ends the day: what is queued is still written, then each connection gets Close 1000.
    pub fn stop(&self) {
        self.venue.stop();
    }

    /// Waits for the end of the day.
    pub fn join(self) -> Outcome {
        let summary = self.venue.join();
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        Outcome {
            frames_read: count(&self.counts.data),
            control_frames: count(&self.counts.control),
            frames_unservable: count(&self.counts.unservable),
            failure: self.counts.failure.get().cloned(),
            summary,
        }
    }
}

/// What a served day came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Data frames read from the journal.
    pub frames_read: u64,
    /// Control frames in it, not sent.
    pub control_frames: u64,
    /// Data frames that can't be served: without a legible transaction and key, or account frames.
    pub frames_unservable: u64,
    /// Why the journal could not be read to its end.
    pub failure: Option<String>,
    /// The venue's own figures: frames sent (each copy counted), lateness against their moments.
    pub summary: Summary,
}

/// `127.0.0.1:port`.
pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn first_data_frame(tailer: &mut Tailer, wanted: &Wanted) -> Result<Option<u64>, TailError> {
    let mut first = None;
    loop {
        let polled = tailer.poll(1, |record| {
            if let Some(RecordView::Raw(prefix, payload)) = view(record.bytes)
                && source::is_data(payload)
                && wanted.takes(payload)
            {
                first = Some(prefix.header.ts_recv);
            }
        })?;
        if first.is_some() || polled.state != TailState::More || tailer.is_past() {
            return Ok(first);
        }
    }
}

/// Market time as the journal's first `Clock` record tells it; real time without one.
pub fn market_clock(dir: &Path) -> MarketClock {
    let filter = Filter { kinds: vec![RType::Clock], ..Filter::default() };
    let mut market = MarketClock::REAL;
    if let Ok(tailer) = Tailer::open(dir, Stream::Ticks, Start::Beginning) {
        // A journal whose ticks are damaged still has its frames.
        let _ = tailer.with_filter(filter).poll(1, |record| {
            if let Some(RecordView::Clock(clock)) = view(record.bytes) {
                market = MarketClock {
                    anchor_wall_ns: clock.anchor_wall_ns,
                    anchor_market_ns: clock.anchor_market_ns,
                    scale: clock.scale_ppb as f64 / 1e9,
                };
            }
        });
    }
    market
}

/// Market time of the first frame, as civil time of Korea.
fn market_start(market: &MarketClock, first_ns: u64) -> jiff::civil::DateTime {
    hoga::market::kst::civil(market.market_ns(first_ns))
}
