//! The read side of the metrics file: from any process, at any time, whatever the file holds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::Duration;

use hdrhistogram::serialization::Deserializer;

use crate::sys::shared::{FileIdentity, ReadOnlyWords, SharedWords};

use super::connections::{CONNECTIONS, ConnectionLine, LINE_WORDS};
use super::counters::{BLOCK_BEAT, BLOCK_HEADER_WORDS, BLOCK_WORDS, CounterValues, NAME_BYTES};
use super::histogram::{Latency, LatencySet};
use super::layout::{
    self, CONNECTION_TABLE, COUNTER_BLOCKS, COUNTERS, FILE_NAME, FILE_WORDS, LATENCIES, LATENCY_BYTES_MAX, MAGIC,
    SECTIONS, TEXT, VERSION, WORD_BLOCKS, WORD_FILE_WORDS, WORD_HEARTBEAT, WORD_MAGIC, WORD_PID, WORD_PID_NAMESPACE,
    WORD_PID_START, WORD_SECTIONS, WORD_STARTED, WORD_STATE, WORD_STOPPED, WORD_VERSION, latency_slot,
};
use super::{EngineState, Health, MetricsError, hdr, health};

/// Tries at a publication before giving up; the writer holds it for some 20 µs each 250 ms.
const SEQLOCK_TRIES: usize = 200;

/// A metrics file mapped for reading. A checked header is what holding one proves.
#[derive(Debug)]
pub struct MetricsReader {
    words: ReadOnlyWords,
    path: PathBuf,
}

impl MetricsReader {
    /// Maps `metrics` in a journal's folder.
    ///
    /// # Errors
    /// [`MetricsError::Open`] when there is none or it can't be mapped, [`MetricsError::Malformed`] when it is none of
    /// ours, [`MetricsError::Version`] when another version of hoga wrote it.
    pub fn open(folder: &Path) -> Result<MetricsReader, MetricsError> {
        let path = folder.join(FILE_NAME);
        let words = match SharedWords::open_readonly(&path) {
            Ok(words) => words,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(MetricsError::Malformed { path, what: "it is too short or no plain file" });
            }
            Err(error) => return Err(MetricsError::Open { path, error }),
        };
        let reader = MetricsReader { words, path };
        reader.check_head()?;
        Ok(reader)
    }

    fn check_head(&self) -> Result<(), MetricsError> {
        let malformed = |what| Err(MetricsError::Malformed { path: self.path.clone(), what });
        if self.word(WORD_MAGIC) != MAGIC {
            return malformed("it does not begin with the magic");
        }
        if self.word(WORD_VERSION) != VERSION {
            let found = self.word(WORD_VERSION);
            return Err(MetricsError::Version { path: self.path.clone(), found, expected: VERSION });
        }
        if self.words.len() < FILE_WORDS || self.word(WORD_FILE_WORDS) != FILE_WORDS as u64 {
            return malformed("it is shorter than its header says");
        }
        for (index, section) in SECTIONS.iter().enumerate() {
            let entry = WORD_SECTIONS + 2 * index;
            if self.word(entry) != section.first as u64 || self.word(entry + 1) != section.words as u64 {
                return malformed("its section table is not that of its version");
            }
        }
        if EngineState::from_number(self.word(WORD_STATE)).is_none() {
            return malformed("it holds no known engine state");
        }
        Ok(())
    }

    /// Whether another file stands under the name now, or none: time to open anew.
    pub fn is_replaced(&self) -> bool {
        FileIdentity::of(&self.path).ok() != Some(self.words.identity())
    }

    /// Reads everything. Counters are each exact, but not all of one instant; latencies are one publication.
    ///
    /// # Errors
    /// [`MetricsError::Malformed`] when a part can't be read: text, blocks or a histogram out of range.
    pub fn snapshot(&self) -> Result<Snapshot, MetricsError> {
        let malformed = |what| MetricsError::Malformed { path: self.path.clone(), what };
        let state = EngineState::from_number(self.word(WORD_STATE)).ok_or(malformed("no known engine state"))?;
        let blocks = usize::try_from(self.word(WORD_BLOCKS)).unwrap_or(usize::MAX);
        if blocks > COUNTER_BLOCKS {
            return Err(malformed("it claims more counter blocks than there is room for"));
        }
        let threads: Vec<ThreadCounters> = (0..blocks).map(|block| self.block(block)).collect();
        let mut counters = CounterValues::zero();
        threads.iter().for_each(|thread| counters.merge(&thread.values));
        let (latencies, published_ns) = self.latencies()?;
        let connections = (0..CONNECTIONS).filter_map(|line| {
            let first = CONNECTION_TABLE.first + line * LINE_WORDS;
            ConnectionLine::from_words(u16::try_from(line).ok()?, |word| self.word(first + word))
        });
        Ok(Snapshot {
            state,
            pid: self.word(WORD_PID),
            pid_start: self.word(WORD_PID_START),
            pid_namespace: self.word(WORD_PID_NAMESPACE),
            started_ns: self.word(WORD_STARTED),
            stopped_ns: self.word(WORD_STOPPED),
            heartbeat_ns: self.word(WORD_HEARTBEAT),
            info: self.info().ok_or(malformed("its text is longer than its section"))?,
            connections: connections.collect(),
            counters,
            threads,
            latencies,
            published_ns,
        })
    }

    fn block(&self, block: usize) -> ThreadCounters {
        let first = COUNTERS.first + block * BLOCK_WORDS;
        ThreadCounters {
            name: layout::text_of((0..NAME_BYTES / 8).map(|word| self.word(first + word))),
            heartbeat_ns: self.word(first + BLOCK_BEAT),
            values: CounterValues::from_cells(|cell| self.word(first + BLOCK_HEADER_WORDS + cell)),
        }
    }

    fn info(&self) -> Option<Vec<(String, String)>> {
        let length = usize::try_from(self.word(TEXT.first)).ok().filter(|length| *length <= (TEXT.words - 1) * 8)?;
        let mut bytes = layout::bytes_of((1..=length.div_ceil(8)).map(|word| self.word(TEXT.first + word)));
        bytes.truncate(length);
        let pairs = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
            let line = layout::printable(line);
            line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()))
        });
        Some(pairs.collect())
    }

    /// Totals of one publication and its time; `None` when the writer died or stands in the middle of one.
    fn latencies(&self) -> Result<(Option<LatencySet>, u64), MetricsError> {
        let Some((published_ns, slots)) = self.publication() else { return Ok((None, 0)) };
        if published_ns == 0 {
            return Ok((Some(LatencySet::new()), 0));
        }
        let bad = || MetricsError::Malformed { path: self.path.clone(), what: "a histogram is out of range" };
        let mut set = LatencySet::new();
        let mut deserializer = Deserializer::new();
        for (latency, bytes) in Latency::ALL.into_iter().zip(slots) {
            let bytes = bytes.filter(|bytes| hdr::is_sound(bytes)).ok_or_else(bad)?;
            let histogram = deserializer.deserialize(&mut bytes.as_slice()).map_err(|_| bad())?;
            if !set.replace(latency, histogram) {
                return Err(bad());
            }
        }
        Ok((Some(set), published_ns))
    }

    /// The bytes of one whole publication (a slot whose length is impossible: `None` in its place).
    fn publication(&self) -> Option<(u64, [Option<Vec<u8>>; Latency::ALL.len()])> {
        for attempt in 0..SEQLOCK_TRIES {
            // Acquire: pairs with the writer's Release of the even version; the words below are at least as new.
            let before = self.words.load(LATENCIES.first, Ordering::Acquire)?;
            if before.is_multiple_of(2) {
                let published_ns = self.word(LATENCIES.first + 1);
                let slots = std::array::from_fn(|index| self.slot(latency_slot(index)));
                // Acquire fence: if a word above came from a later publication, the version below is seen to have moved.
                fence(Ordering::Acquire);
                if self.words.load(LATENCIES.first, Ordering::Relaxed)? == before {
                    return Some((published_ns, slots));
                }
            }
            if attempt > 10 {
                thread::sleep(Duration::from_micros(100));
            }
        }
        None
    }

    fn slot(&self, first: usize) -> Option<Vec<u8>> {
        let length = usize::try_from(self.word(first)).ok().filter(|length| *length <= LATENCY_BYTES_MAX)?;
        let mut bytes = layout::bytes_of((1..=length.div_ceil(8)).map(|word| self.word(first + word)));
        bytes.truncate(length);
        Some(bytes)
    }

    fn word(&self, index: usize) -> u64 {
        self.words.load(index, Ordering::Relaxed).unwrap_or(0)
    }
}

/// One writer's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadCounters {
    /// Name of the thread or stage.
    pub name: String,
    /// Its last heartbeat, wall ns; 0 = it gives none.
    pub heartbeat_ns: u64,
    /// Its figures.
    pub values: CounterValues,
}

/// What the file said at one time.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What the engine said of itself last; see [`health`](Self::health) for what to believe.
    pub state: EngineState,
    /// Process id of the engine.
    pub pid: u64,
    /// When that process was started, clock ticks since boot; 0 = not known.
    pub(super) pid_start: u64,
    /// Namespace of that id; 0 = not known.
    pub(super) pid_namespace: u64,
    /// Start of the engine, wall ns.
    pub started_ns: u64,
    /// Its stop, wall ns; 0 = not said.
    pub stopped_ns: u64,
    /// Last sign of life of the metrics thread, wall ns.
    pub heartbeat_ns: u64,
    /// Facts written at start, e.g. `placement` and `wait_strategy`, in their order.
    pub info: Vec<(String, String)>,
    /// All writers' counters in one.
    pub counters: CounterValues,
    /// Counters by writer.
    pub threads: Vec<ThreadCounters>,
    /// Connections ever used, by line.
    pub connections: Vec<ConnectionLine>,
    /// Latencies since the start; `None` when the engine died while publishing.
    pub latencies: Option<LatencySet>,
    /// When those were published, wall ns; 0 = never yet.
    pub published_ns: u64,
}

impl Snapshot {
    /// Whether the engine lives, judged at a wall time: by its state, heartbeat and process.
    pub fn health(&self, now_ns: u64) -> Health {
        health::judge(self, now_ns)
    }

    /// One of the facts written at start.
    pub fn info(&self, key: &str) -> Option<&str> {
        self.info.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}
