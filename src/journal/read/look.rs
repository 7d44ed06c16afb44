//! What a tailer with nothing to read looks at: whether there is still a writer, how far the disk is, and whether the
//! place where it stands was cut.
//!
//! Who spins looks a thousand times a second. So the control page stays mapped and the lock file open, and both are
//! asked for only when the page shows no fresh sign of life, or now and then.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::journal::LOCK_NAME;
use crate::journal::control::ControlReader;
use crate::journal::format::{SEGMENT_HEADER_BYTES, STATE_ACTIVE, SegmentHeader, Stream, padded};
use crate::journal::index::SegmentIndex;
use crate::journal::reader::{TailError, TailState, Tailer};
use crate::journal::record::Position;
use crate::journal::segment::SegmentReader;
use crate::sys::file::{is_locked, monotonic_ns};
use crate::tick::{EndReason, HEADER_BYTES, Header};

/// Between two looks at anything but the next record's own commit word.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Most calls between two that read the clock, for a caller that spins: reading it takes longer than all the rest.
const SKIP_MAX: u32 = 32;
/// Longest time in which the lock and the names of the files are not looked at, however fresh the sign of life.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A sign of life older than this is not believed without a look at the lock; the helper gives one every 50 ms or so.
const FRESH_NS: u64 = 100_000_000;
/// A helper silent for so long means a process that hangs.
const SILENT_NS: u64 = 2_000_000_000;

/// What is known of the writer.
#[derive(Debug)]
pub(super) struct Lookout {
    looked_at: Option<Instant>,
    /// When the clock was read last.
    read_at: Option<Instant>,
    /// Calls until it is read again, and from one time to the next.
    skip: u32,
    stride: u32,
    state: TailState,
    control: Option<ControlReader>,
    lock: Option<LockFile>,
    is_locked: bool,
    asked_at: Option<Instant>,
}

/// The lock file, held open: opening it takes no lock.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
}

impl LockFile {
    fn open(path: PathBuf) -> io::Result<LockFile> {
        let file = File::open(&path)?;
        let meta = file.metadata()?;
        Ok(LockFile { path, file, identity: (meta.dev(), meta.ino()) })
    }

    fn is_current(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity)
    }
}

impl Default for Lookout {
    fn default() -> Self {
        Lookout {
            looked_at: None,
            read_at: None,
            skip: 0,
            stride: 1,
            state: TailState::Live,
            control: None,
            lock: None,
            is_locked: false,
            asked_at: None,
        }
    }
}

impl Lookout {
    /// Whether the clock is to be read: at each call by who calls seldom, at some of many by who spins.
    #[inline]
    fn is_due(&mut self) -> bool {
        let is_due = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        is_due
    }

    /// The time, when it is time to look around.
    fn due(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let is_spinning = self.read_at.replace(now).is_some_and(|at| now.duration_since(at) < LOOK_EVERY / 8);
        self.stride = if is_spinning { (2 * self.stride).min(SKIP_MAX) } else { 1 };
        self.skip = self.stride - 1;
        self.looked_at.is_none_or(|at| now.duration_since(at) >= LOOK_EVERY).then_some(now)
    }

    /// Whether a writer holds the journal.
    fn is_live(&mut self, dir: &Path, folder: &Path, stream: Stream, now: Instant) -> bool {
        // The sign is of this opening's helper: the lock was seen held, at the latest so long ago.
        let is_fresh = self.is_locked
            && self.asked_at.is_some_and(|at| now.duration_since(at) < ASK_EVERY)
            && self.sign_age_ns().is_some_and(|age| age <= FRESH_NS);
        if !is_fresh {
            self.asked_at = Some(now);
            self.renew_control(folder, stream);
            if !self.lock.as_ref().is_some_and(LockFile::is_current) {
                self.lock = LockFile::open(dir.join(LOCK_NAME)).ok();
            }
            self.is_locked = self.lock.as_ref().is_some_and(|lock| is_locked(&lock.file).unwrap_or(false));
        }
        self.is_locked
    }

    /// Maps the control page anew when it is another file by now, or became longer.
    pub(super) fn renew_control(&mut self, folder: &Path, stream: Stream) {
        if !self.control.as_ref().is_some_and(ControlReader::is_current) {
            self.control = ControlReader::open(folder, stream).ok().and_then(Result::ok);
        }
    }

    /// The control page that is mapped, while it is the one of the journal.
    pub(super) fn current_control(&self) -> Option<&ControlReader> {
        self.control.as_ref().filter(|control| control.is_current())
    }

    /// Epoch of the present or last writer.
    fn epoch(&self) -> Option<u64> {
        self.control.as_ref().map(ControlReader::epoch)
    }

    fn sign_age_ns(&self) -> Option<u64> {
        self.control.as_ref().map(|control| control.helper_age_ns(monotonic_ns()))
    }
}

/// How far a tailer may go.
#[derive(Debug)]
pub(in crate::journal) enum DurableMark {
    /// To the newest record committed.
    Unlimited,
    /// To the newest record known to be on the disk, as of the last question.
    Durable { sequence: u64 },
}

impl DurableMark {
    /// Whether a record may be handed over.
    #[inline]
    pub(super) fn reaches(&mut self, sequence: u64, lookout: &Lookout) -> bool {
        match self {
            DurableMark::Unlimited => true,
            DurableMark::Durable { sequence: durable } if sequence <= *durable => true,
            DurableMark::Durable { sequence: durable } => {
                // What was durable stays so where nothing can be read at present.
                if let Some(slot) = lookout.control.as_ref().and_then(ControlReader::durable) {
                    *durable = slot.sequence;
                }
                sequence <= *durable
            }
        }
    }
}

impl Tailer {
    /// As [`look`](Self::look), for who waits in the middle of a segment, where the commit word tells what matters: the
    /// state may be up to [`SKIP_MAX`] calls old, when these come within microseconds.
    #[inline]
    pub(super) fn look_seldom(&mut self) -> Result<TailState, TailError> {
        if self.lookout.is_due() { self.look() } else { Ok(self.lookout.state) }
    }

    /// Looks around, at most once a millisecond: is there still a writer?
    pub(super) fn look(&mut self) -> Result<TailState, TailError> {
        match self.lookout.due() {
            None => Ok(self.lookout.state),
            Some(now) => self.look_around(now),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_around(&mut self, now: Instant) -> Result<TailState, TailError> {
        self.lookout.looked_at = Some(now);
        self.passed.last_at = None;
        let live = self.lookout.is_live(&self.dir, &self.folder, self.stream, now);
        self.drop_stale_next(live);
        if !live && self.has_more() {
            // Committed by a writer that ended between the look at the record and the look at its lock.
            (self.lookout.looked_at, self.lookout.skip) = (None, 0);
            self.lookout.state = TailState::Live;
            return Ok(self.lookout.state);
        }
        let closed = self.ended.is_some_and(EndReason::is_closing);
        self.lookout.state = match self.lookout.sign_age_ns() {
            _ if !live && closed => TailState::Closed,
            _ if !live => TailState::Gone,
            // Closed by a writer that still lives, or that closes the other stream just now.
            _ if closed => TailState::Closed,
            Some(age) if age > SILENT_NS => TailState::Silent,
            _ => TailState::Live,
        };
        if self.is_cut()? {
            return Err(self.rewound()?);
        }
        Ok(self.lookout.state)
    }

    /// A prepared segment is removed when its writer ends and made anew by the next one: not to wait for a dead file,
    /// nor to keep its room. The one mapped early stays as long as its writer does.
    fn drop_stale_next(&mut self, live: bool) {
        let Some(next) = &self.next else { return };
        let epoch = next.header().ok().map(|header| header.prepared.epoch);
        if !live || epoch.is_none() || epoch != self.lookout.epoch() {
            self.next = None;
            if self.ended.is_none() {
                // Should this segment go on after all.
                self.early_at = self.early_at.min(self.offset);
            }
        }
    }

    /// Whether something stands where nothing was a moment ago.
    fn has_more(&mut self) -> bool {
        if self.ended.is_some() {
            let next = SegmentReader::open_in(&self.folder, self.current.ordinal() + 1);
            return next.is_ok_and(|next| next.header().is_ok_and(|header| header.state == STATE_ACTIVE));
        }
        let here = self.current.reader.record(self.offset).ok().flatten();
        let sequence = here.map(|record| bytemuck::from_bytes::<Header>(&record[..HEADER_BYTES]).sequence);
        sequence.is_some_and(|sequence| !self.is_past && self.durable.reaches(sequence, &self.lookout))
    }

    /// Whether a recovery has cut the place where this tailer stands. Asked while nothing comes.
    ///
    /// Once an opening: it looks at the whole segment.
    pub(in crate::journal) fn is_cut(&mut self) -> Result<bool, TailError> {
        let prepared = &self.current.header.prepared;
        let Some(epoch) = self.lookout.epoch() else { return Ok(false) };
        if epoch <= prepared.epoch || self.current.reader.is_packed() || (epoch, prepared.ordinal) == self.uncut {
            return Ok(false);
        }
        let ordinal = prepared.ordinal;
        let reader = match SegmentReader::open_in(&self.folder, ordinal) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // With later ones there it was pruned, else put away.
                return Ok(self.ordinals()?.last().is_none_or(|last| *last < ordinal));
            }
            Err(source) => return Err(TailError::Io { path: self.folder.clone(), source }),
        };
        let Ok(header) = reader.checked_header(self.stream, ordinal) else { return Ok(false) };
        if header.prepared.salt != prepared.salt {
            return Ok(true);
        }
        let mut index = SegmentIndex::new(&header);
        let _ = index.extend(&reader);
        let is_cut = index.ended && (index.summary.bytes as usize) < self.offset;
        if !is_cut {
            self.uncut = (epoch, ordinal);
        }
        Ok(is_cut)
    }

    /// The error that tells what is left.
    pub(in crate::journal) fn rewound(&self) -> Result<TailError, TailError> {
        let own = self.current.header.prepared;
        let last = self.last_before(|header| {
            header.prepared.epoch <= own.epoch
                && (header.prepared.ordinal < own.ordinal || header.prepared.salt == own.salt)
        })?;
        Ok(TailError::Rewound { last })
    }

    /// The last numbered record of the newest segment that will do and has one.
    pub(super) fn last_before(&self, wanted: impl Fn(&SegmentHeader) -> bool) -> Result<Position, TailError> {
        for ordinal in self.ordinals()?.into_iter().rev() {
            let Some(current) = self.open_at(ordinal)? else { continue };
            if !wanted(&current.header) {
                continue;
            }
            let mut index = SegmentIndex::new(&current.header);
            let _ = index.extend(&current.reader);
            if index.summary.records == 0 {
                continue;
            }
            let sequence = index.summary.last_sequence;
            let mut offset = index.entries.last().map_or(SEGMENT_HEADER_BYTES, |entry| entry.offset as usize);
            while let Ok(Some(record)) = current.reader.record(offset) {
                let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
                if head.sequence == sequence {
                    break;
                }
                offset += padded(record.len());
            }
            let epoch = current.header.prepared.epoch;
            return Ok(Position { epoch, sequence, ordinal, offset: offset as u64 });
        }
        Ok(Position::default())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use bytemuck::Zeroable as _;

    use super::*;
    use crate::journal::control::{CONTROL_NAME, Control};
    use crate::journal::format::DurableSlot;
    use crate::journal::{Journal, JournalConfig, Start};
    use crate::tick::{RType, Trade, words_of};

    fn append(journal: &mut Journal) {
        let mut trade = Trade::UNDEF;
        trade.header.length = size_of::<Trade>() as u32;
        trade.header.rtype = RType::Trade as u8;
        journal.ticks.append(words_of(&mut trade)).unwrap();
        journal.ticks.batch_end();
    }

    /// Polls that find nothing, `looks` milliseconds long; how often the lock was asked for.
    fn idle(tailer: &mut Tailer, looks: usize) -> usize {
        let mut asked = Vec::new();
        for _ in 0..looks {
            tailer.poll(usize::MAX, |_| panic!("nothing was written")).unwrap();
            asked.extend(tailer.lookout.asked_at);
            std::thread::sleep(LOOK_EVERY);
        }
        asked.dedup();
        asked.len()
    }

    #[test]
    fn the_segment_mapped_early_stays_while_its_writer_does_and_the_lock_is_asked_for_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let config = || JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(8 << 10) };
        let mut journal = Journal::open(folder.path(), config()).unwrap();
        let mut tailer = Tailer::open(folder.path(), Stream::Ticks, Start::Beginning).unwrap();
        while tailer.next.is_none() {
            std::thread::sleep(Duration::from_millis(5));
            append(&mut journal);
            tailer.poll(usize::MAX, |_| {}).unwrap();
        }
        assert!(tailer.offset >= 6 << 10, "mapped near the end of the segment");
        assert_eq!(tailer.current.ordinal(), 1);
        let asked = idle(&mut tailer, 100);
        assert!(asked < 60, "{asked} of 100 looks");
        assert!(tailer.next.is_some(), "an idle moment changes nothing");
        // The roll goes into the very segment that was mapped.
        let mapped = tailer.next.as_ref().map(|next| next.header().unwrap().prepared.salt);
        while tailer.current.ordinal() == 1 {
            append(&mut journal);
            tailer.poll(usize::MAX, |_| {}).unwrap();
        }
        assert_eq!(Some(tailer.current.header.prepared.salt), mapped);
        while tailer.next.is_none() {
            // A disk that syncs slowly prepares the next one late.
            std::thread::sleep(Duration::from_millis(5));
            append(&mut journal);
            tailer.poll(usize::MAX, |_| {}).unwrap();
        }
        drop(journal);
        std::thread::sleep(ASK_EVERY);
        idle(&mut tailer, 2);
        assert!(tailer.next.is_none(), "its writer is gone, and so is its file");
        assert_eq!(tailer.lookout.state, TailState::Gone);
        let mut journal = Journal::open(folder.path(), config()).unwrap();
        append(&mut journal);
        assert_eq!(tailer.poll(usize::MAX, |_| {}).unwrap().records, 1, "the one made anew");
    }

    #[test]
    fn a_mark_that_was_reached_stays_when_no_slot_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_or_create(folder.path(), Stream::Ticks).unwrap();
        let slot = |sequence| DurableSlot { epoch: 1, sequence, ..DurableSlot::zeroed() };
        control.write_durable(slot(4)).unwrap();
        control.write_durable(slot(5)).unwrap();
        let mut lookout = Lookout::default();
        lookout.renew_control(folder.path(), Stream::Ticks);
        let mut mark = DurableMark::Durable { sequence: 0 };
        assert!(mark.reaches(5, &lookout));
        // Both slots are being written while they are read.
        let page = fs::OpenOptions::new().write(true).open(folder.path().join(CONTROL_NAME)).unwrap();
        page.write_all_at(&[0x5a; 128], 4096).unwrap();
        assert!(lookout.control.as_ref().unwrap().durable().is_none());
        assert!(!mark.reaches(6, &lookout));
        assert!(mark.reaches(5, &lookout));
    }
}
