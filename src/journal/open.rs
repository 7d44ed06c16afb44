//! Opening a journal for writing: both streams are put in order, then each gets its first segment of the new epoch, its
//! writer, and its share of the cold threads.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use super::control::{Control, SyncState};
use super::dictionary::Dictionary;
use super::durability::{Durability, StreamSync, SyncThread, Syncer};
use super::format::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_GRAIN, Stream, segment_name};
use super::helper::{Disk, Helper, Maker, PreparedSegment, SEGMENTS_AHEAD, StreamHelper};
use super::recovery::{Recovered, recover};
use super::undecoded::RawFrames;
use super::writer::{Begin, StreamWriter};
use super::{Journal, JournalConfig, LOCK_NAME, OpenError, RecoveryReport, StreamConfig, io_error};
use crate::sys::file::LockedFile;
use crate::tick::{Instrument, words_of};

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
            // Also when only `raw` was left open: a host's death may have taken back the beginning of the last opening from
            // `ticks` alone.
            Some(raw) if !ticks.recovered.report.was_closed || !raw.recovered.report.was_closed => {
                RawFrames::after(dir, last_frame, raw.recovered.next_sequence)?
            }
            _ => RawFrames::default(),
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
        let ticks = ticks.prepare(epoch, boot_id, dictionary, config.durability, &lock)?;
        let raw = match raw
            .map(|raw| raw.prepare(epoch, boot_id, Arc::new(Dictionary::with_capacity(0)), config.durability, &lock))
        {
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
        // Stream `raw` first: a tick marked durable names a frame that is.
        let raw = self.raw.map_or(Ok(()), StreamWriter::close);
        let closed = raw.and_then(|()| self.ticks.close());
        self.helper.stop();
        closed
    }
}

/// What both writers and the helper hold.
struct Shared {
    lock: Arc<LockedFile>,
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
        durability: Durability,
        lock: &Arc<LockedFile>,
    ) -> Result<Beginning, OpenError> {
        let maker = Maker {
            folder: self.folder.clone(),
            stream: self.stream,
            epoch,
            boot_id,
            segment_bytes: self.config.segment_bytes,
            dictionary,
            is_synced: durability != Durability::Process,
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
        let (ready, prepared) = rtrb::RingBuffer::new(SEGMENTS_AHEAD);
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

pub(super) fn take_lock(dir: &Path) -> Result<LockedFile, OpenError> {
    let path = dir.join(LOCK_NAME);
    let fail = |error| io_error(&path, error);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut lock = match LockedFile::take(open.map_err(fail)?).map_err(fail)? {
        Ok(lock) => lock,
        Err(mut file) => {
            let mut holder = String::new();
            // Only for the message.
            let _ = file.read_to_string(&mut holder);
            return Err(OpenError::Locked { dir: dir.to_owned(), holder: holder.trim().to_owned() });
        }
    };
    let file = lock.file();
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fail)?;
    Ok(lock)
}
