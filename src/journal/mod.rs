//! The journal: ticks and raw frames in mapped files that any process can read while they are written.
//!
//! What this folder promises:
//!
//! - A record is visible to every process when [`StreamWriter::append`] returns, by one Release store.
//! - What is visible outlives the death of the process, at every level of [`Durability`]. What survives the host's:
//!   - `process` (default): what the durable mark covers, which only an orderly [`StreamWriter::close`] moves; of what
//!     came later, whatever the kernel had written back, cut at the first hole.
//!   - `periodic(ms)`: besides, every record at the latest `ms` after its commit, as long as a sync takes less than a
//!     third of that; the mark tells how far that is.
//!   - `group`: besides, every record one to two syncs after its commit; syncs follow each other without a pause, and
//!     the writer waits for none of them.
//! - With `periodic` and `group` a durable tick's frame in stream `raw` is durable, too. Above the mark, and at level
//!   `process`, a host's death may keep ticks and lose their frames: then `raw_sequence` names a frame that is gone, and
//!   the number is used again by one of a later epoch. A tick's frame is never of a later epoch than the tick.
//! - A sync that fails is tried again over pages made dirty again, visibly ([`ControlReader::sync_state`]). When it keeps
//!   failing the mark moves no more in this epoch, and appends end with [`AppendError::SyncFailed`]: the records that are
//!   there stay readable, none is added that the disk may never see.
//! - A segment has all its blocks before it is used: a full disk is an error of the segment that comes next, told while the
//!   present one still has room ([`Trouble`]), and never a signal.
//! - One writer: a second [`Journal::open`] is refused.
//! - After any death [`Journal::open`] finds the last good record, puts a torn tail into `quarantine/`, says so, and
//!   numbering goes on without a hole. Damage to committed records is never "repaired" by itself: it refuses.
//! - Readers ([`Tailer`]) never write, never slow the writer down, and are the same for live and replay.
//!
//! The bytes are specified in [`format`](mod@format).
//!
//! ```
//! use hoga::journal::{Journal, JournalConfig, Start, Stream, Tailer};
//! use hoga::tick::{RType, Trade, words_of};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path();
//! let mut journal = Journal::open(dir, JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) })?;
//! let mut trade = Trade::UNDEF;
//! trade.header.length = size_of::<Trade>() as u32;
//! trade.header.rtype = RType::Trade as u8;
//! trade.px = 93_000 * hoga::tick::PX_SCALE;
//! assert_eq!(journal.ticks.append(words_of(&mut trade))?, 1);
//! journal.ticks.batch_end();
//!
//! let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning)?;
//! let polled = tailer.poll(100, |record| assert_eq!(record.position.sequence, 1))?;
//! assert_eq!(polled.records, 1);
//! assert!(Journal::open(dir, JournalConfig::default()).is_err(), "one writer");
//! journal.close()?;
//! # Ok(())
//! # }
//! ```

mod archive;
mod commit;
mod control;
pub mod format;
mod judge;
mod mend;
mod open;
mod read;
#[allow(unsafe_code)]
mod segment;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use self::archive::{compress, manifest, packed, retention, seal, seal_verify};
use self::judge::{decision, examine, quarantine, recent, recovery, undecoded, verify, walk};
pub use self::mend::{build, rebuild, repair, rescue};
use self::mend::{build_journal, salvage, source};
use self::read::{filter, follow, index, lines, reader, record, seek, visit};
use self::write::{ahead, dictionary, durability, helper, trouble, writer};

pub use self::control::{ControlError, ControlReader, SyncState, WriterState};
pub use self::decision::Case;
pub use self::durability::{BadDurability, Durability, Syncer};
pub use self::filter::{Bound, BoundError, Filter, UnknownVenue, Venue, newest_day, parse_bound};
pub use self::follow::{Follower, Lag};
pub use self::format::Stream;
pub use self::helper::Helper;
pub use self::index::Summary;
pub use self::lines::{CsvTable, write_json_line};
pub use self::manifest::{Manifest, SealFault, SealedSegment};
pub use self::packed::PackedError;
pub use self::reader::{Polled, Start, TailError, TailState, Tailer};
pub use self::record::{Position, RecordRef};
pub use self::recovery::{LastFrame, StreamRecovery};
pub use self::retention::{Policy, PruneReport, PrunedDay, hold, holds, prune, prune_with, release};
pub use self::seal::{PackedSegment, SealError, SealEvent, SealOptions, SealReport, seal, seal_into, seal_with};
pub use self::seek::{Seek, Sought};
pub use self::segment::{BadLength, SegmentReader};
pub use self::trouble::{DiskSpace, Trouble, Watch};
pub use self::undecoded::{RawFrame, RawFrames};
pub use self::verify::{Report, StreamReport, VerifyError, is_live, verify};
pub use self::visit::Visit;
pub use self::walk::{Finding, Reason, Tail, Verdict, Walked, walk};
pub use self::writer::{AppendError, StreamWriter};

use self::format::segment_ordinal;
use self::open::take_lock;
use crate::tick::Instrument;

/// Name of the lock file.
pub(crate) const LOCK_NAME: &str = "lock";
/// Name of the folder of torn tails.
pub(crate) const QUARANTINE_NAME: &str = "quarantine";

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Size of a segment, bytes: a multiple of 4096 from 8192 to 2^31. Larger: fewer rolls; smaller: finer pruning.
    /// Default 128 MiB.
    pub segment_bytes: u64,
    /// Bytes ahead of the writer kept present and writable. Larger survives longer bursts without page faults, but what
    /// is touched long before use is write-protected again. Default 4 MiB.
    pub touch_ahead_bytes: u64,
}

impl Default for StreamConfig {
    fn default() -> Self {
        StreamConfig { segment_bytes: 128 << 20, touch_ahead_bytes: 4 << 20 }
    }
}

/// How a journal is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalConfig {
    /// Stream `ticks`.
    pub ticks: StreamConfig,
    /// Stream `raw`; `None` = frames are not kept.
    pub raw: Option<StreamConfig>,
    /// Trading date of the first segment, decimal YYYYMMDD; 0 = not told.
    pub trading_date: u32,
    /// Most definitions of instruments, those of earlier openings included; the room is taken at once (104 bytes each).
    pub instruments_max: usize,
    /// Longest time an append waits for a segment the helper is late with.
    pub stall_max: Duration,
    /// Free bytes of the file system below which [`Trouble::LowSpace`] is told, so that somebody can make room long before
    /// the next segment finds none. 0: never. Default 1 GiB: four segments of each stream.
    pub low_space_bytes: u64,
    /// What survives the host's death, see [`Durability`]. Default `process`.
    pub durability: Durability,
}

impl Default for JournalConfig {
    fn default() -> Self {
        JournalConfig {
            ticks: StreamConfig::default(),
            raw: Some(StreamConfig::default()),
            trading_date: 0,
            instruments_max: 65_536,
            stall_max: Duration::from_secs(2),
            low_space_bytes: 1 << 30,
            durability: Durability::Process,
        }
    }
}

impl JournalConfig {
    /// The defaults with segments of another size in both streams.
    pub fn with_segment_bytes(segment_bytes: u64) -> JournalConfig {
        let stream = StreamConfig { segment_bytes, ..StreamConfig::default() };
        JournalConfig { ticks: stream, raw: Some(stream), ..JournalConfig::default() }
    }
}

/// Why a journal could not be opened for writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Someone writes it.
    #[error("{dir} is written by process {holder}: stop it first, or record into another folder")]
    Locked {
        /// The journal.
        dir: PathBuf,
        /// What the lock file says of the holder.
        holder: String,
    },
    /// Committed records are damaged: nothing is cut by itself.
    #[error(
        "{segment} is corrupt at offset {offset}: {finding_reason} ({case}: {meaning}). Nothing was changed. See \
         `hoga verify` and `hoga repair --policy abort`; or record into another folder and keep this one",
        segment = finding.segment, offset = finding.offset, finding_reason = finding.reason,
        case = finding.case.name(), meaning = finding.case.explanation()
    )]
    Corrupt {
        /// Where and what.
        finding: Finding,
    },
    /// Written by a newer program.
    #[error("{path}: format {major} is newer than this program writes: use a newer hoga")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its major number.
        major: u16,
    },
    /// A configuration that can't be.
    #[error("segments of {segment_bytes} bytes can't be: choose a multiple of 4096 from 8192 to 2147483648")]
    SegmentBytes {
        /// As configured.
        segment_bytes: u64,
    },
    /// The dictionary found is larger than configured.
    #[error("the journal knows {found} instruments, but was opened for {instruments_max}: raise instruments_max")]
    Instruments {
        /// In the newest segment.
        found: usize,
        /// As configured.
        instruments_max: usize,
    },
    /// The system refused something; a full disk shows here.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

/// What an opening found and did.
#[derive(Debug)]
pub struct RecoveryReport {
    /// Stream `ticks`.
    pub ticks: StreamRecovery,
    /// Stream `raw`, if it is on.
    pub raw: Option<StreamRecovery>,
    /// Number of this opening, from 1.
    pub epoch: u64,
    /// The dictionary, by id.
    pub instruments: Vec<Instrument>,
    /// The last frame that reached `ticks`.
    pub last_frame: LastFrame,
    /// The frames to decode again and append with flag RECOVERED.
    pub raw_frames: RawFrames,
}

/// An open journal: the writers are taken out and given to their threads.
#[derive(Debug)]
pub struct Journal {
    /// Writer of stream `ticks`.
    pub ticks: StreamWriter,
    /// Writer of stream `raw`, if it is on.
    pub raw: Option<StreamWriter>,
    /// The helper thread; to be dropped after the writers.
    pub helper: Helper,
    /// What was found.
    pub recovery: RecoveryReport,
}

/// Ordinals of the segments of a folder, ascending, whatever their state.
pub(crate) fn list_segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut ordinals = Vec::new();
    for entry in fs::read_dir(folder)? {
        ordinals.extend(entry?.file_name().to_str().and_then(segment_ordinal));
    }
    ordinals.sort_unstable();
    // For a moment a segment is there in both forms.
    ordinals.dedup();
    Ok(ordinals)
}
