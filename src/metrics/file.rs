//! The write side of the metrics file: header, text, the copy of the live memory, histograms under a seqlock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use hdrhistogram::serialization::{Serializer, V2Serializer};

use crate::sys::shared::SharedWords;

use super::connections::{CONNECTIONS, LINE_WORDS, STATE};
use super::counters::BLOCK_WORDS;
use super::histogram::{Latency, LatencySet};
use super::layout::{
    self, CONNECTION_TABLE, COUNTER_BLOCKS, COUNTERS, FILE_NAME, FILE_WORDS, LATENCIES, LIVE_WORDS, MAGIC, SECTIONS,
    TEXT, VERSION, WORD_BLOCKS, WORD_FILE_WORDS, WORD_HEARTBEAT, WORD_MAGIC, WORD_PID, WORD_PID_NAMESPACE,
    WORD_PID_START, WORD_SECTIONS, WORD_STARTED, WORD_STATE, WORD_STOPPED, WORD_VERSION, latency_slot,
};
use super::{EngineState, MetricsError, pid_namespace, process_start_ticks};
use crate::clock::wall_ns;

/// The live memory of counters and connections: hot threads store here, the collector copies it to the file.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) words: Arc<SharedWords>,
    pub(super) blocks: AtomicUsize,
}

impl Live {
    pub(super) fn new() -> io::Result<Live> {
        Ok(Live { words: Arc::new(SharedWords::anonymous(LIVE_WORDS)?), blocks: AtomicUsize::new(0) })
    }

    /// First live word of a counter block.
    pub(super) fn block_first(block: usize) -> usize {
        block * BLOCK_WORDS
    }

    /// First live word of a connection's line.
    pub(super) fn line_first(line: usize) -> usize {
        COUNTERS.words + line * LINE_WORDS
    }

    /// Blocks given out. Acquire: pairs with the Release of giving out, so that a block's name is seen with it.
    pub(super) fn blocks_used(&self) -> usize {
        self.blocks.load(Ordering::Acquire).min(COUNTER_BLOCKS)
    }
}

/// The mapped file; only the collector and, at start, the maker write it.
#[derive(Debug)]
pub(super) struct MetricsFile {
    words: SharedWords,
    path: PathBuf,
}

impl MetricsFile {
    /// Makes the file complete under another name, then renames it over `metrics` in `folder`.
    pub(super) fn create(folder: &Path, info: &[(&str, &str)]) -> Result<MetricsFile, MetricsError> {
        let path = folder.join(FILE_NAME);
        let draft = folder.join(format!(".{FILE_NAME}.{}", std::process::id()));
        let failed = |error| MetricsError::Create { path: path.clone(), error };
        // A draft of this name can only be the leaving of a dead process of the same id.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let words = SharedWords::create(&draft, FILE_WORDS).map_err(|error| {
            // The room it took may be what is missing.
            let _ = fs::remove_file(&draft);
            failed(error)
        })?;
        let file = MetricsFile { words, path: path.clone() };
        file.write_head(info);
        fs::rename(&draft, &path).map_err(failed)?;
        Ok(file)
    }

    /// Where it stands.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write_head(&self, info: &[(&str, &str)]) {
        let one_line = |text: &str| text.replace(['\n', '\r'], " ");
        let text: String = info.iter().map(|(key, value)| format!("{}={}\n", one_line(key), one_line(value))).collect();
        let room = (TEXT.words - 1) * 8;
        let text = &text[..text.floor_char_boundary(room)];
        self.store(TEXT.first, text.len() as u64);
        layout::store_bytes(&self.words.words()[TEXT.first + 1..TEXT.first + TEXT.words], text.as_bytes());

        for (index, section) in SECTIONS.iter().enumerate() {
            self.store(WORD_SECTIONS + 2 * index, section.first as u64);
            self.store(WORD_SECTIONS + 2 * index + 1, section.words as u64);
        }
        let now = wall_ns();
        let pid = std::process::id();
        self.store(WORD_FILE_WORDS, FILE_WORDS as u64);
        self.store(WORD_PID, u64::from(pid));
        self.store(WORD_PID_START, process_start_ticks(pid).unwrap_or(0));
        self.store(WORD_PID_NAMESPACE, pid_namespace());
        self.store(WORD_STARTED, now);
        self.store(WORD_HEARTBEAT, now);
        self.store(WORD_STATE, EngineState::Starting as u64);
        self.store(WORD_VERSION, VERSION);
        self.store(WORD_MAGIC, MAGIC);
    }

    /// State of the engine, with the time when it is the last.
    pub(super) fn set_state(&self, state: EngineState) {
        if state == EngineState::Stopped {
            self.store(WORD_STOPPED, wall_ns());
        }
        self.store(WORD_STATE, state as u64);
    }

    /// Copies what changed of the live memory, then the heartbeat. Returns the number of words that had changed.
    pub(super) fn mirror(&self, live: &Live) -> usize {
        let blocks = live.blocks_used();
        let mut changed = self.mirror_range(live, 0, COUNTERS.first, blocks * BLOCK_WORDS);
        for line in 0..CONNECTIONS {
            let first = Live::line_first(line);
            if live.words.words()[first + STATE].load(Ordering::Relaxed) != 0 {
                changed += self.mirror_range(live, first, CONNECTION_TABLE.first + line * LINE_WORDS, LINE_WORDS);
            }
        }
        self.store(WORD_BLOCKS, blocks as u64);
        self.store(WORD_HEARTBEAT, wall_ns());
        changed
    }

    fn mirror_range(&self, live: &Live, from: usize, to: usize, words: usize) -> usize {
        let source = &live.words.words()[from..from + words];
        let target = &self.words.words()[to..to + words];
        let mut changed = 0;
        for (source, target) in source.iter().zip(target) {
            let value = source.load(Ordering::Relaxed);
            if target.load(Ordering::Relaxed) != value {
                target.store(value, Ordering::Relaxed);
                changed += 1;
            }
        }
        changed
    }

    /// Publishes totals: everything between an odd and the next even version belongs together.
    pub(super) fn publish(&self, encoded: &EncodedSet) {
        let words = self.words.words();
        let version = &words[LATENCIES.first];
        let before = version.load(Ordering::Relaxed);
        version.store(before.wrapping_add(1), Ordering::Relaxed);
        // Release fence: the odd version is visible before any word below. Pairs with the reader's Acquire fence.
        fence(Ordering::Release);
        words[LATENCIES.first + 1].store(wall_ns(), Ordering::Relaxed);
        super::counters::add(&words[LATENCIES.first + 2], 1);
        for (index, bytes) in encoded.slots.iter().enumerate() {
            let slot = latency_slot(index);
            words[slot].store(bytes.len() as u64, Ordering::Relaxed);
            layout::store_bytes(&words[slot + 1..], bytes);
        }
        // Release: all words above are visible before the even version. Pairs with the reader's first Acquire load.
        version.store(before.wrapping_add(2), Ordering::Release);
    }

    fn store(&self, index: usize, value: u64) {
        self.cell(index).store(value, Ordering::Relaxed);
    }

    fn cell(&self, index: usize) -> &AtomicU64 {
        &self.words.words()[index]
    }
}

/// Histograms in HDR V2 form, with buffers kept from one publication to the next.
pub(super) struct EncodedSet {
    serializer: V2Serializer,
    slots: [Vec<u8>; Latency::ALL.len()],
}

impl std::fmt::Debug for EncodedSet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("EncodedSet").finish_non_exhaustive()
    }
}

impl EncodedSet {
    pub(super) fn new() -> EncodedSet {
        EncodedSet { serializer: V2Serializer::new(), slots: std::array::from_fn(|_| Vec::new()) }
    }

    pub(super) fn encode(&mut self, set: &LatencySet) {
        for (latency, bytes) in Latency::ALL.into_iter().zip(&mut self.slots) {
            bytes.clear();
            self.serializer.serialize(set.histogram(latency), bytes).expect("writing to memory of a fixed range");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::layout::LATENCY_BYTES_MAX;

    #[test]
    fn a_slot_has_room_for_the_largest_histogram() {
        let set = LatencySet::new();
        for latency in Latency::ALL {
            assert!(40 + 9 * set.histogram(latency).distinct_values() <= LATENCY_BYTES_MAX);
        }
    }
}
