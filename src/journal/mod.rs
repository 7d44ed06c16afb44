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
mod read;
#[allow(unsafe_code)]
mod segment;
mod write;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use self::archive::{manifest, packed, retention, seal, seal_verify};
use self::judge::{decision, examine, quarantine, recent, recovery, verify, walk};
pub use self::mend::{build, rebuild, repair, rescue};
use self::mend::{build_journal, salvage};
use self::read::{filter, follow, index, lines, reader, record, seek, visit};
use self::write::{dictionary, durability, helper, trouble, writer};

pub use self::control::{ControlError, ControlReader, SyncState, WriterState};
pub use self::decision::Case;
pub use self::durability::{BadDurability, Durability, Syncer};
pub(crate) use self::filter::date_of;
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
pub use self::seal::{PackedSegment, SealError, SealEvent, SealOptions, SealReport, seal, seal_with};
pub use self::seek::{Seek, Sought};
pub use self::segment::{BadLength, SegmentReader};
pub use self::trouble::{DiskSpace, Trouble, Watch};
pub use self::verify::{Report, StreamReport, VerifyError, is_live, verify};
pub use self::visit::Visit;
pub use self::walk::{Finding, Reason, Tail, Verdict, Walked, walk};
pub use self::writer::{AppendError, StreamWriter};

use self::control::Control;
use self::dictionary::Dictionary;
use self::durability::{StreamSync, SyncThread};
use self::format::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_GRAIN, segment_name, segment_ordinal};
use self::helper::{Disk, Maker, PreparedSegment, StreamHelper};
use self::recovery::{Recovered, recover};
use self::writer::Begin;
use crate::tick::{Flags, Instrument, RawPrefix, RecordView, view, words_of};

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

/// A frame of stream `raw` that did not reach stream `ticks`.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// Its stamps and sequence.
    pub prefix: RawPrefix,
    /// Its bytes.
    pub payload: Vec<u8>,
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
    /// The frames to decode again and append with flag RECOVERED, in order. When
    /// [`last_frame`](Self::last_frame) is partial it comes first, and its records with a place below `records_present`,
    /// the gaps before them and its first `rejects_present` rejects are there already; so is the gap before its next
    /// record when `is_gap_pending`. Empty after an orderly close. Frames kept only because they were rejected are not
    /// among them. Control frames are: they say nothing about the present connections.
    pub raw_frames: Vec<RawFrame>,
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

impl Journal {
    /// Opens the journal in a folder for writing, and makes it when there is none: takes the lock, puts both streams in
    /// order after whatever happened to the last writer, and begins a new segment in each with the next epoch.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. On [`OpenError::Corrupt`] nothing was changed in the stream named.
    pub fn open(dir: &Path, config: JournalConfig) -> Result<Journal, OpenError> {
        Journal::open_in_boot(dir, config, crate::sys::file::boot_id())
    }

    /// As [`open`](Self::open), as if this were the boot `boot_id`: for tests of what a host's death leaves.
    #[doc(hidden)]
    pub fn open_in_boot(dir: &Path, config: JournalConfig, boot_id: [u8; 16]) -> Result<Journal, OpenError> {
        let (mut journal, syncer) = Journal::open_unsynced(dir, config, boot_id)?;
        if config.durability != Durability::Process {
            let thread = SyncThread::spawn(syncer).map_err(|error| io_error(dir, error))?;
            journal.helper.attach(thread);
        }
        Ok(journal)
    }

    /// As [`open_in_boot`](Self::open_in_boot), with the rounds of the sync thread in the caller's hand: for the
    /// simulation of power losses, which must know what was synced when.
    #[doc(hidden)]
    pub fn open_unsynced(dir: &Path, config: JournalConfig, boot_id: [u8; 16]) -> Result<(Journal, Syncer), OpenError> {
        for stream in [Some(config.ticks), config.raw].into_iter().flatten() {
            let bytes = stream.segment_bytes;
            if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(SEGMENT_GRAIN) {
                return Err(OpenError::SegmentBytes { segment_bytes: bytes });
            }
        }
        fs::create_dir_all(dir).map_err(|error| io_error(dir, error))?;
        let lock = Arc::new(take_lock(dir)?);

        let mut ticks = Opening::recover(dir, Stream::Ticks, config.ticks, boot_id)?;
        let raw = match config.raw {
            Some(stream) => Some(Opening::recover(dir, Stream::Raw, stream, boot_id)?),
            None => None,
        };
        let mut instruments = std::mem::take(&mut ticks.recovered.recent.instruments);
        let found = instruments.len();
        if found > config.instruments_max {
            return Err(OpenError::Instruments { found, instruments_max: config.instruments_max });
        }
        let has_frames = raw.as_ref().is_some_and(|raw| raw.recovered.next_sequence > 1);
        let last_frame = ticks.recovered.last_frame(&ticks.folder, Stream::Ticks, has_frames)?;
        let raw_frames = match &raw {
            Some(raw) if !ticks.recovered.report.was_closed => raw_frames_after(dir, raw, last_frame)?,
            _ => Vec::new(),
        };
        let epoch_max = raw.as_ref().map_or(0, |raw| raw.recovered.epoch_max).max(ticks.recovered.epoch_max);
        let epoch = epoch_max + 1;

        let dictionary = Arc::new(Dictionary::with_capacity(config.instruments_max));
        let instruments: Vec<Instrument> = std::mem::take(&mut instruments).into_values().collect();
        for mut definition in instruments.iter().copied() {
            dictionary.push(words_of(&mut definition));
        }
        let recovery = RecoveryReport {
            ticks: ticks.recovered.report.clone(),
            raw: raw.as_ref().map(|raw| raw.recovered.report.clone()),
            epoch,
            instruments,
            last_frame,
            raw_frames,
        };
        let shared = Shared { lock: Arc::clone(&lock), helper: Arc::default() };
        // Both have their first segment before either is begun: a program that is started again and again on a disk with
        // room for one only must not take that room too, one segment an attempt.
        let ticks = ticks.prepare(epoch, boot_id, dictionary, &lock)?;
        let raw = match raw.map(|raw| raw.prepare(epoch, boot_id, Arc::new(Dictionary::with_capacity(0)), &lock)) {
            Some(Err(error)) => {
                ticks.give_up();
                return Err(error);
            }
            Some(Ok(raw)) => Some(raw),
            None => None,
        };
        let (ticks, ticks_helper, ticks_sync) = ticks.begin(epoch, boot_id, &config, &shared);
        let mut helpers = vec![ticks_helper];
        let mut raw_sync = None;
        let raw = raw.map(|raw| {
            let (writer, helper, sync) = raw.begin(epoch, boot_id, &config, &shared);
            helpers.push(helper);
            raw_sync = Some(sync);
            writer
        });
        let helper = Helper::spawn(helpers, lock, &shared.helper).map_err(|error| io_error(dir, error))?;
        let syncer = Syncer::new(config.durability, raw_sync, ticks_sync);
        Ok((Journal { ticks, raw, helper, recovery }, syncer))
    }

    /// Closes both writers, then stops the helper.
    ///
    /// # Errors
    ///
    /// Those of [`StreamWriter::close`].
    pub fn close(self) -> io::Result<()> {
        let raw = self.raw.map_or(Ok(()), StreamWriter::close);
        let ticks = self.ticks.close();
        self.helper.stop();
        raw.and(ticks)
    }
}

/// What both writers and the helper hold.
struct Shared {
    lock: Arc<File>,
    helper: Arc<OnceLock<Thread>>,
}

/// A stream between its recovery and its first segment.
struct Opening {
    stream: Stream,
    config: StreamConfig,
    folder: PathBuf,
    control: Control,
    recovered: Recovered,
}

impl Opening {
    fn recover(dir: &Path, stream: Stream, config: StreamConfig, boot_id: [u8; 16]) -> Result<Opening, OpenError> {
        let folder = dir.join(stream.name());
        let made = fs::create_dir_all(&folder).and_then(|()| crate::sys::file::sync_folder(dir));
        made.map_err(|error| io_error(&folder, error))?;
        let (recovered, control) = recover(dir, stream, boot_id)?;
        Ok(Opening { stream, config, folder, control, recovered })
    }

    /// Makes the first segment of this opening.
    fn prepare(
        self,
        epoch: u64,
        boot_id: [u8; 16],
        dictionary: Arc<Dictionary>,
        lock: &Arc<File>,
    ) -> Result<Beginning, OpenError> {
        let maker = Maker {
            folder: self.folder.clone(),
            stream: self.stream,
            epoch,
            boot_id,
            segment_bytes: self.config.segment_bytes,
            dictionary,
            _lock: Arc::clone(lock),
        };
        let first = maker.prepare(self.recovered.next_ordinal).map_err(|error| io_error(&self.folder, error))?;
        Ok(Beginning { opening: self, maker, first })
    }
}

/// A stream with its first segment made, before anybody is told.
struct Beginning {
    opening: Opening,
    maker: Maker,
    first: PreparedSegment,
}

impl Beginning {
    /// Removes the segment again.
    fn give_up(self) {
        // If it stays the next opening removes it.
        let _ = fs::remove_file(self.opening.folder.join(segment_name(self.first.segment.prepared().ordinal)));
    }

    fn begin(
        self,
        epoch: u64,
        boot_id: [u8; 16],
        config: &JournalConfig,
        shared: &Shared,
    ) -> (StreamWriter, StreamHelper, StreamSync) {
        let Beginning { opening, maker, first } = self;
        let dictionary = Arc::clone(&maker.dictionary);
        let ordinal = first.segment.prepared().ordinal;
        let control = Arc::new(opening.control);
        control.set_failure(None);
        control.set_space(None);
        control.set_durability(config.durability);
        control.set_sync_state(SyncState::Off);
        let (ready, prepared) = rtrb::RingBuffer::new(1);
        let (retired, to_unmap) = rtrb::RingBuffer::new(4);
        let active = Arc::clone(first.segment.map());
        let writer = StreamWriter::begin(Begin {
            first,
            next_sequence: opening.recovered.next_sequence,
            trading_date: config.trading_date,
            stall_max: config.stall_max,
            stream: opening.stream,
            folder: opening.folder,
            control: Arc::clone(&control),
            dictionary,
            prepared,
            retired,
            lock: Arc::clone(&shared.lock),
            helper: Arc::clone(&shared.helper),
        });
        let next_sequence = opening.recovered.next_sequence;
        let sync = StreamSync::new(&maker.folder, opening.stream, &control, epoch, boot_id, ordinal, next_sequence);
        let window = usize::try_from(opening.config.touch_ahead_bytes).unwrap_or(usize::MAX / 2).max(4096);
        let disk = Disk::new(config.low_space_bytes);
        (writer, StreamHelper::new(maker, control, disk, active, ordinal, window, ready, to_unmap), sync)
    }
}

fn take_lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join(LOCK_NAME);
    let fail = |error| io_error(&path, error);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(fail)?;
    if !crate::sys::file::try_lock(&file).map_err(fail)? {
        let mut holder = String::new();
        // Only for the message.
        let _ = file.read_to_string(&mut holder);
        return Err(OpenError::Locked { dir: dir.to_owned(), holder: holder.trim().to_owned() });
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fail)?;
    Ok(file)
}

/// Frames of `raw` behind the last that reached `ticks`, and that one if records of it are missing.
fn raw_frames_after(dir: &Path, raw: &Opening, last: LastFrame) -> Result<Vec<RawFrame>, OpenError> {
    let from = if last.is_partial() { last.raw_sequence } else { last.raw_sequence + 1 };
    let mut frames = Vec::new();
    if from >= raw.recovered.next_sequence {
        return Ok(frames);
    }
    let fail = |error: TailError| io_error(&raw.folder, io::Error::other(error));
    let mut tailer = Tailer::open(dir, Stream::Raw, Start::Sequence(from)).map_err(fail)?.with_crc_check(true);
    let take = |record: RecordRef<'_>| {
        if let Some(RecordView::Raw(prefix, payload)) = view(record.bytes)
            && prefix.header.flags & Flags::KEPT_REJECTED == 0
        {
            frames.push(RawFrame { prefix: *prefix, payload: payload.to_vec() });
        }
    };
    tailer.poll(usize::MAX, take).map_err(fail)?;
    Ok(frames)
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
