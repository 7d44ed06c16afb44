//! Metrics: what the engine counts and how long things take, readable by any process while it runs and after it died.
//!
//! ```text
//!  hot threads                          metrics thread              any process
//!  Counters, ConnectionTraffic ──────►  Collector::poll ──mmap──►  MetricsReader::snapshot   (hoga stat)
//!      (words of memory, one writer each)      ▲   │
//!  StageHistogram ──── full sets, a ring ──────┘   │
//!         ▲─────────── empty sets, a ring ─────────┘
//! ```
//!
//! The promise to hot threads: counting is a load and a store, timing a few nanoseconds; nothing allocates, locks, waits
//! or calls the system, whether anybody listens or not. The promise to readers: every figure is whole, latencies are of
//! one publication, a file of another version or with damage is refused with a word, never a panic. What a file looks
//! like is told in `layout.rs`. Counters in the file are as old as the last poll, latencies at most two periods.
//!
//! ```
//! use hoga::metrics::{Counter, EngineState, Latency, Metrics, MetricsReader};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let folder = folder.path();
//! let (metrics, mut collector) = Metrics::create(folder, &[("placement", "one thread")])?;
//! // One of each per hot thread:
//! let counters = metrics.counters("reader")?;
//! let mut histogram = collector.stage_histogram();
//! metrics.set_state(EngineState::Running);
//!
//! counters.add(Counter::FramesReceived, 1);
//! histogram.record(Latency::KernelToRead, 4_800);
//! histogram.exchange(); // once per duty cycle
//! histogram.finish(); // when the thread stops
//!
//! collector.poll(); // every 10 to 50 ms on a cold thread
//! let totals = collector.finish();
//! assert_eq!(totals.summary(Latency::KernelToRead).count, 1);
//!
//! // In any process:
//! let snapshot = MetricsReader::open(folder)?.snapshot()?;
//! assert_eq!(snapshot.counters.get(Counter::FramesReceived), 1);
//! # Ok::<(), hoga::metrics::MetricsError>(())
//! ```

mod collector;
mod connections;
mod counters;
mod file;
mod hdr;
mod health;
mod histogram;
mod layout;
mod reader;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

pub use collector::{Collector, PERIOD, Totals};
pub use connections::{
    CONNECTIONS, ConnectionLine, ConnectionState, ConnectionStatus, ConnectionTraffic, ConnectionWatch, LABEL_BYTES,
};
pub use counters::{CELLS, Counter, CounterValues, Counters, Kind, Unit};
pub use health::Health;
pub use histogram::{
    LATENCY_DIGITS, LATENCY_NS_MAX, LATENCY_NS_MIN, Latency, LatencySet, LatencySummary, StageHistogram,
};
pub use layout::{COUNTER_BLOCKS, FILE_NAME};
pub use reader::{MetricsReader, Snapshot, ThreadCounters};

use file::{Live, MetricsFile};
use health::{pid_namespace, process_start_ticks};

/// What an engine says of itself. Numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EngineState {
    /// It prepares; nothing is recorded yet.
    Starting = 1,
    /// It records.
    Running = 2,
    /// It stopped in order; figures are final.
    Stopped = 3,
}

impl EngineState {
    fn from_number(number: u64) -> Option<EngineState> {
        match number {
            1 => Some(EngineState::Starting),
            2 => Some(EngineState::Running),
            3 => Some(EngineState::Stopped),
            _ => None,
        }
    }
}

/// Why metrics could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The file could not be made: look at permissions and space of the folder.
    #[error("can't make {path}: {error}", path = path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Live memory could not be had.
    #[error("no memory for metrics: {0}")]
    Memory(io::Error),
    /// The file could not be opened; `NotFound` means that no engine ever ran on this folder.
    #[error("can't open {path}: {error}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not one of ours, or damaged. The engine's next start replaces it.
    #[error("{path} is no sound metrics file: {what}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Written by another version of hoga: read it with the program that runs the engine.
    #[error("{path} has layout version {found}, this program reads {expected}", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: u64,
        /// Of this program.
        expected: u64,
    },
    /// More writers of counters than [`COUNTER_BLOCKS`].
    #[error("no counter block left for {name}: there are {COUNTER_BLOCKS}")]
    TooManyWriters {
        /// Who asked.
        name: String,
    },
    /// The line is past [`CONNECTIONS`] or already taken.
    #[error("connection line {line} is taken or past the last, {last}", last = CONNECTIONS - 1)]
    Line {
        /// The line asked for.
        line: u16,
    },
}

#[derive(Debug)]
struct Shared {
    file: MetricsFile,
    live: Live,
    /// Lines given out; cold, taken only by `connection`.
    lines: Mutex<Vec<u16>>,
}

impl Shared {
    fn counter_values(&self) -> CounterValues {
        let words = self.live.words.words();
        let mut all = CounterValues::zero();
        for block in 0..self.live.blocks_used() {
            let first = Live::block_first(block) + counters::BLOCK_HEADER_WORDS;
            all.merge(&CounterValues::from_cells(|cell| words[first + cell].load(Ordering::Relaxed)));
        }
        all
    }
}

/// The handle of an engine's metrics: gives out counters and connection lines, at start and later, from any thread.
#[derive(Clone, Debug)]
pub struct Metrics {
    shared: Arc<Shared>,
}

impl Metrics {
    /// Makes the metrics file in a journal's folder, in the place of an older one, and what hot threads write to.
    /// `info` are facts for people, e.g. `placement` and `wait_strategy`; about 3,800 bytes are kept.
    ///
    /// # Errors
    /// [`MetricsError::Create`], [`MetricsError::Memory`].
    pub fn create(folder: &Path, info: &[(&str, &str)]) -> Result<(Metrics, Collector), MetricsError> {
        let live = Live::new().map_err(MetricsError::Memory)?;
        let file = MetricsFile::create(folder, info)?;
        let shared = Arc::new(Shared { file, live, lines: Mutex::new(Vec::new()) });
        Ok((Metrics { shared: Arc::clone(&shared) }, Collector::new(shared)))
    }

    /// A block of counters for one stage or thread, shown under `name` (32 bytes).
    ///
    /// # Errors
    /// [`MetricsError::TooManyWriters`].
    pub fn counters(&self, name: &str) -> Result<Counters, MetricsError> {
        let live = &self.shared.live;
        // Blocks are taken under the lock; the count is published after the name is in place.
        let _lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let block = live.blocks.load(Ordering::Relaxed);
        let words = if block < COUNTER_BLOCKS { live.words.block(Live::block_first(block)) } else { None };
        let counters =
            Counters::new(words.ok_or_else(|| MetricsError::TooManyWriters { name: name.to_owned() })?, name);
        // Release: pairs with the Acquire of `blocks_used`; publishes the name.
        live.blocks.store(block + 1, Ordering::Release);
        Ok(counters)
    }

    /// Both halves of a connection's line; `line` is the number in `Header::line` of its records, `label` says whereto
    /// (`host:port`, no secrets). The line appears once a state was set.
    ///
    /// # Errors
    /// [`MetricsError::Line`].
    pub fn connection(&self, line: u16, label: &str) -> Result<(ConnectionStatus, ConnectionTraffic), MetricsError> {
        let refused = MetricsError::Line { line };
        let mut lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if usize::from(line) >= CONNECTIONS || lines.contains(&line) {
            return Err(refused);
        }
        let words = &self.shared.live.words;
        let first = Live::line_first(usize::from(line));
        let (Some(status), Some(traffic)) = (words.block(first), words.block(first + connections::HALF_WORDS)) else {
            return Err(refused);
        };
        lines.push(line);
        Ok((ConnectionStatus::new(status, label), ConnectionTraffic::new(traffic)))
    }

    /// Says that the engine prepares or records; [`Collector::finish`] says that it stopped.
    pub fn set_state(&self, state: EngineState) {
        self.shared.file.set_state(state);
    }

    /// All writers' counters in one, straight from memory.
    pub fn counter_values(&self) -> CounterValues {
        self.shared.counter_values()
    }

    /// Where the metrics file stands.
    pub fn path(&self) -> &Path {
        self.shared.file.path()
    }
}
