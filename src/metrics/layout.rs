//! The metrics file, word by word.
//!
//! `metrics` in the journal's folder: 64-bit words in the order of a little-endian host, each stored and loaded whole.
//! One engine writes it, any process maps it for reading. It is made anew at each engine start under another name and
//! renamed over the old one, so a reader that holds the old file keeps a valid mapping, whose state says `stopped` or whose
//! heartbeat stands still, and finds another inode under the name.
//!
//! ```text
//! words            what
//!      0           magic "HOGAMTR1"
//!      1           version of this layout, 1; any change of a shape or number below raises it
//!      2           words of the file
//!      3           process id of the engine
//!      4           start time of that process, clock ticks since boot as in /proc/PID/stat; 0 = not known
//!      5           wall time of the engine's start, ns since the UNIX epoch
//!      6           state: 1 starting, 2 running, 3 stopped
//!      7           heartbeat of the metrics thread, wall ns
//!      8           wall time of the stop, ns; 0 = not stopped
//!      9           counter blocks in use
//!     10 .. 18     section table: first word and words of text, counters, connections, latencies
//!     18           inode of the engine's process id namespace; 0 = not known
//!     19 .. 32     zero
//!     32 .. 512    text: length in bytes, then `key=value` lines in UTF-8, written once at start
//!    512 .. 8704   counters: 32 blocks of 256 words: name (32 bytes), heartbeat (wall ns), 11 words of zero, 240 cells
//!   8704 .. 16896  connections: 256 lines of 32 words: state, since (wall ns), registrations wanted, confirmed,
//!                  reconnects, label (80 bytes), 1 word of zero; last message (wall ns), frames, bytes, 13 words of zero
//!  16896 .. 34320  latencies: seqlock version (odd while being written), wall time of publication (ns), number of
//!                  publications, 13 words of zero; then 4 slots of 4352 words: length in bytes, an HDR V2 histogram
//!  34320 .. 34816  zero
//! ```
//!
//! Cells of a block: the number of a [`Counter`](super::Counter); 128 + number of a reject reason; 192 + bit of a finding.
//!
//! Counters and connections live in memory of the engine's process; the metrics thread copies what changed to the file at
//! each poll. NB: stores into a file mapping meet the file system's write-back, which write-protects pages again: over
//! 75 s of stores at 150 k/s to 8 pages twice as many took more than 1 µs (442) as in anonymous memory (216). Hot threads
//! are spared that; the price is a view as old as one poll.

use std::sync::atomic::{AtomicU64, Ordering};

use super::connections::{CONNECTIONS, LINE_WORDS};
use super::counters::BLOCK_WORDS;
use super::histogram::Latency;

/// Name of the file in a journal's folder.
pub const FILE_NAME: &str = "metrics";
/// First word of the file.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"HOGAMTR1");
/// Version of the layout told above.
pub(super) const VERSION: u64 = 1;

/// Most writers of counters, one block each.
pub const COUNTER_BLOCKS: usize = 32;

// Words of the header.
pub(super) const WORD_MAGIC: usize = 0;
pub(super) const WORD_VERSION: usize = 1;
pub(super) const WORD_FILE_WORDS: usize = 2;
pub(super) const WORD_PID: usize = 3;
pub(super) const WORD_PID_START: usize = 4;
pub(super) const WORD_STARTED: usize = 5;
pub(super) const WORD_STATE: usize = 6;
pub(super) const WORD_HEARTBEAT: usize = 7;
pub(super) const WORD_STOPPED: usize = 8;
pub(super) const WORD_BLOCKS: usize = 9;
pub(super) const WORD_SECTIONS: usize = 10;
pub(super) const WORD_PID_NAMESPACE: usize = 18;

/// A range of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) first: usize,
    pub(super) words: usize,
}

impl Section {
    const fn after(before: Section, words: usize) -> Section {
        Section { first: before.first + before.words, words }
    }
}

/// Words of a latency's slot: its length, then at most [`LATENCY_BYTES_MAX`] bytes.
pub(super) const LATENCY_SLOT_WORDS: usize = 4352;
/// Most bytes of a serialised histogram: 40 of header, 9 for each of 3840 buckets.
pub(super) const LATENCY_BYTES_MAX: usize = 40 + 9 * 3840;
/// Words before the slots.
pub(super) const LATENCY_HEADER_WORDS: usize = 16;

pub(super) const TEXT: Section = Section { first: 32, words: 480 };
pub(super) const COUNTERS: Section = Section::after(TEXT, COUNTER_BLOCKS * BLOCK_WORDS);
pub(super) const CONNECTION_TABLE: Section = Section::after(COUNTERS, CONNECTIONS * LINE_WORDS);
pub(super) const LATENCIES: Section =
    Section::after(CONNECTION_TABLE, LATENCY_HEADER_WORDS + Latency::ALL.len() * LATENCY_SLOT_WORDS);
pub(super) const SECTIONS: [Section; 4] = [TEXT, COUNTERS, CONNECTION_TABLE, LATENCIES];
pub(super) const FILE_WORDS: usize = 34816;

/// Words of the live memory behind counters and connections, in the order of the file.
pub(super) const LIVE_WORDS: usize = COUNTERS.words + CONNECTION_TABLE.words;

const _: () = assert!(WORD_SECTIONS + 2 * SECTIONS.len() <= WORD_PID_NAMESPACE && WORD_PID_NAMESPACE < TEXT.first);
const _: () = assert!(COUNTERS.first == 512 && CONNECTION_TABLE.first == 8704 && LATENCIES.first == 16896);
const _: () = assert!(LATENCIES.first + LATENCIES.words == 34320 && FILE_WORDS >= 34320);
const _: () = assert!(LATENCY_BYTES_MAX.div_ceil(8) < LATENCY_SLOT_WORDS);

/// First word of a latency's slot in the file.
pub(super) const fn latency_slot(index: usize) -> usize {
    LATENCIES.first + LATENCY_HEADER_WORDS + index * LATENCY_SLOT_WORDS
}

/// Packs bytes into words, the first byte lowest; the last word is filled with zeros. Bytes past the words are cut.
pub(super) fn store_bytes(words: &[AtomicU64], bytes: &[u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks(8)) {
        let mut packed = [0; 8];
        packed[..chunk.len()].copy_from_slice(chunk);
        word.store(u64::from_le_bytes(packed), Ordering::Relaxed);
    }
}

/// Stores a text zero padded, cut at a character's boundary so that it fits.
pub(super) fn store_text(words: &[AtomicU64], text: &str) {
    let mut padded = text.as_bytes()[..text.floor_char_boundary(words.len() * 8)].to_vec();
    padded.resize(words.len() * 8, 0);
    store_bytes(words, &padded);
}

/// Bytes of words, as [`store_bytes`] packed them.
pub(super) fn bytes_of(words: impl Iterator<Item = u64>) -> Vec<u8> {
    words.flat_map(u64::to_le_bytes).collect()
}

/// A zero-padded text; what is not UTF-8 or not printable becomes `?`.
pub(super) fn text_of(words: impl Iterator<Item = u64>) -> String {
    let bytes = bytes_of(words);
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    printable(&bytes[..end])
}

/// Text safe to print on a terminal: no control characters but line ends are left to the caller.
pub(super) fn printable(bytes: &[u8]) -> String {
    let clean = |char: char| if char.is_control() || char == char::REPLACEMENT_CHARACTER { '?' } else { char };
    String::from_utf8_lossy(bytes).chars().map(clean).collect()
}
