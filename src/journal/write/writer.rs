//! The writer of a stream: hot.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::journal::control::{Control, SyncState};
use crate::journal::dictionary::Dictionary;
use crate::journal::durability::{dirty_segments, sync_segments};
use crate::journal::format::{DurableSlot, END_BYTES, SEGMENT_HEADER_BYTES, Stream, padded};
use crate::journal::helper::PreparedSegment;
use crate::journal::segment::SegmentWriter;
use crate::journal::trouble::{Trouble, Watch};
use crate::sys::file::LockedFile;
use crate::tick::{End, EndReason, HEADER_BYTES, Header, Instrument, RECORD_VERSION, RType};

/// Bytes after which the position is published to the helper even without [`StreamWriter::batch_end`]: seldom enough
/// that one record of a thousand does not feel it.
const PUBLISH_BYTES: usize = 256 * 1024;
/// Word of a record that holds publisher, line, rtype and version.
const KIND_WORD: usize = std::mem::offset_of!(Header, publisher) / 8;
const RTYPE_SHIFT: u32 = 8 * (std::mem::offset_of!(Header, rtype) % 8) as u32;
const VERSION_SHIFT: u32 = 8 * (std::mem::offset_of!(Header, version) % 8) as u32;
const SEQUENCE_WORD: usize = std::mem::offset_of!(Header, sequence) / 8;
const HEADER_WORDS: usize = HEADER_BYTES / 8;

const _: () = assert!(std::mem::offset_of!(Header, length) == 0 && std::mem::offset_of!(Header, sequence) == 8);

/// Why a record was not appended. Nothing of it is visible then.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// `length` is less than a header or more than the words given, or the kind is the journal's own (`End`, `Hole`).
    #[error("not a record: its length or kind can't be")]
    BadRecord = 1,
    /// The record does not fit in a whole segment.
    #[error("the record does not fit in a segment")]
    TooLarge = 2,
    /// The segment is full and the next is not there; see [`StreamWriter::failure`].
    #[error("the segment is full and the next one could not be prepared")]
    NoSegment = 3,
    /// The dictionary of instruments is full.
    #[error("more instruments were declared than the journal was opened for")]
    InstrumentsFull = 4,
    /// The disk refuses to sync, see [`StreamWriter::sync_state`]: the journal is read-only until it is opened again.
    #[error("the disk refuses to sync the journal: it takes no more records until it is opened again")]
    SyncFailed = 5,
}

/// Appends records to one stream.
///
/// For one thread at a time: `Send`, not `Sync`. In the normal case an append allocates nothing, takes no lock, makes
/// no system call and never waits. (A burst after a quiet time wakes the helper: one system call.) When a segment is full the next one, prepared by the helper, is taken over; if it is
/// late the writer spins for at most `stall_max` (counted in [`stalls`](Self::stalls)), then the append fails and can
/// be tried again. A record is visible to every process as soon as `append` returns, and outlives the death of this one.
///
/// Dropped without [`close`](Self::close) the journal is left as by a crash: opening it again puts it in order.
#[derive(Debug)]
pub struct StreamWriter {
    segment: SegmentWriter,
    /// Where the next record goes.
    position: usize,
    /// Where `make_room` wants to be called: at most `limit`.
    soft_limit: usize,
    /// End of what records may take: room for an `End` behind it.
    limit: usize,
    next_sequence: u64,
    market_records: u64,
    trading_date: u32,
    beats: u64,
    stalls: u64,
    stall_max: Duration,
    stream: Stream,
    folder: PathBuf,
    control: Arc<Control>,
    dictionary: Arc<Dictionary>,
    prepared: rtrb::Consumer<PreparedSegment>,
    retired: rtrb::Producer<SegmentWriter>,
    helper: Arc<OnceLock<Thread>>,
    /// The journal's single-writer lock, shared with the helper and the other stream.
    _lock: Arc<LockedFile>,
    not_sync: PhantomData<Cell<()>>,
}

/// What a writer begins with.
#[derive(Debug)]
pub(in crate::journal) struct Begin {
    pub(in crate::journal) first: PreparedSegment,
    pub(in crate::journal) next_sequence: u64,
    pub(in crate::journal) trading_date: u32,
    pub(in crate::journal) stall_max: Duration,
    pub(in crate::journal) stream: Stream,
    pub(in crate::journal) folder: PathBuf,
    pub(in crate::journal) control: Arc<Control>,
    pub(in crate::journal) dictionary: Arc<Dictionary>,
    pub(in crate::journal) prepared: rtrb::Consumer<PreparedSegment>,
    pub(in crate::journal) retired: rtrb::Producer<SegmentWriter>,
    pub(in crate::journal) lock: Arc<LockedFile>,
    pub(in crate::journal) helper: Arc<OnceLock<Thread>>,
}

impl StreamWriter {
    pub(in crate::journal) fn begin(begin: Begin) -> StreamWriter {
        let mut writer = StreamWriter {
            position: begin.first.position,
            soft_limit: 0,
            limit: begin.first.segment.len() - END_BYTES,
            segment: begin.first.segment,
            next_sequence: begin.next_sequence,
            market_records: 0,
            trading_date: begin.trading_date,
            beats: 0,
            stalls: 0,
            stall_max: begin.stall_max,
            stream: begin.stream,
            folder: begin.folder,
            control: begin.control,
            dictionary: begin.dictionary,
            prepared: begin.prepared,
            retired: begin.retired,
            _lock: begin.lock,
            helper: begin.helper,
            not_sync: PhantomData,
        };
        writer.segment.activate(writer.next_sequence, writer.trading_date);
        let prepared = writer.segment.prepared();
        let last_sequence = writer.next_sequence - 1;
        writer.control.opened(prepared.epoch, prepared.ordinal, last_sequence, writer.position as u64);
        writer
    }

    /// Appends a record: `words` is its memory, `header.length` its exact bytes.
    ///
    /// Writes `sequence` and `version` into the header, then copies and checksums each byte once, and commits by one
    /// Release store of the length. Returns the sequence.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]; nothing was appended and no sequence used.
    #[inline]
    pub fn append(&mut self, words: &mut [u64]) -> Result<u64, AppendError> {
        let length = words.first().map_or(0, |word| *word as u32 as usize);
        if length < HEADER_BYTES || length > 8 * words.len() {
            return Err(AppendError::BadRecord);
        }
        self.append_parts(words, length, &[])
    }

    /// Appends a record that consists of a prefix (whole words, header first) and bytes, without a staging copy of
    /// them: `Raw`, `Reject`, `Other`. Writes `length` too.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    #[inline]
    pub fn append_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) -> Result<u64, AppendError> {
        let head = 8 * prefix.len();
        if head < HEADER_BYTES {
            return Err(AppendError::BadRecord);
        }
        let Ok(length) = u32::try_from(head + tail.len()) else { return Err(AppendError::TooLarge) };
        prefix[0] = u64::from(length);
        self.append_parts(prefix, head, tail)
    }

    #[inline]
    fn append_parts(&mut self, words: &mut [u64], head: usize, tail: &[u8]) -> Result<u64, AppendError> {
        debug_assert!(words.len() >= HEADER_WORDS);
        let bytes = padded(head + tail.len());
        if self.position + bytes > self.soft_limit {
            self.make_room(bytes)?;
        }
        let sequence = self.next_sequence;
        // NB: whole words, so that the copy's loads of eight bytes are forwarded from these stores.
        words[SEQUENCE_WORD] = sequence;
        words[KIND_WORD] = words[KIND_WORD] & !(0xff << VERSION_SHIFT) | u64::from(RECORD_VERSION) << VERSION_SHIFT;
        let rtype = (words[KIND_WORD] >> RTYPE_SHIFT) as u8;
        if rtype >= RType::Instrument as u8 && rtype < RType::Raw as u8 {
            self.note_service(rtype, words)?;
        }
        self.position = self.segment.commit(self.position, &bytemuck::cast_slice(words)[..head], tail);
        self.next_sequence = sequence + 1;
        self.market_records += u64::from(rtype < RType::Instrument as u8);
        Ok(sequence)
    }

    /// Tells watchers how far the stream is: after each cycle that appended. It is the writer's sign of life, too, so an
    /// idle writer calls it now and then, the engine at each exchange with the metrics thread (some four times a second).
    #[inline]
    pub fn batch_end(&mut self) {
        self.beats += 1;
        self.control.hint(self.next_sequence - 1, self.position as u64, self.beats);
        if self.control.is_read_only() {
            // The next append asks for room, and is told there.
            self.soft_limit = 0;
        }
    }

    /// Sequence the next record gets.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Ordinal of the segment written.
    pub fn ordinal(&self) -> u64 {
        self.segment.prepared().ordinal
    }

    /// Trading date of the segment written, decimal YYYYMMDD; 0 = not told.
    pub fn trading_date(&self) -> u32 {
        self.trading_date
    }

    /// The stream.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Rolls that had to wait for the helper.
    pub fn stalls(&self) -> u64 {
        self.stalls
    }

    /// Why the next segment can't be prepared at present: to be asked now and then, since the present segment still has
    /// room to say so. The helper keeps trying; `None` again when it succeeded.
    pub fn failure(&self) -> Option<io::Error> {
        self.control.failure().map(io::Error::from_raw_os_error)
    }

    /// What is wrong with the place the stream is written to, the worst first: to be asked now and then, some loads.
    pub fn trouble(&self) -> Option<Trouble> {
        self.control.trouble()
    }

    /// For another thread to watch that.
    pub fn watch(&self) -> Watch {
        Watch { control: Arc::clone(&self.control), stream: self.stream }
    }

    /// Bytes that records may still take in the present segment, padding included.
    #[inline]
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.position)
    }

    /// Bytes of the present segment.
    pub fn segment_bytes(&self) -> usize {
        self.segment.len()
    }

    /// Whether the next segment is prepared: an append that finds no room rolls then, and waits for nothing.
    pub fn has_next(&self) -> bool {
        self.prepared.slots() > 0
    }

    /// Counts that somebody waits for the next segment, and wakes the helper.
    pub fn stalled(&mut self) {
        self.stalls += 1;
        self.control.stalled(self.stalls);
        self.wake_helper();
    }

    fn wake_helper(&self) {
        if let Some(helper) = self.helper.get() {
            helper.unpark();
        }
    }

    /// How the syncs go, of this stream and the other one: to be asked now and then. While one that failed is tried
    /// again there is still time to say so in the journal.
    pub fn sync_state(&self) -> SyncState {
        self.control.sync_state()
    }

    /// The error of a sync that fails at present, or failed for good; `None` again when one succeeded.
    pub fn sync_failure(&self) -> Option<io::Error> {
        self.control.sync_failure().map(io::Error::from_raw_os_error)
    }

    /// Goes on in a new segment when the trading date (decimal YYYYMMDD) is another one.
    ///
    /// # Errors
    ///
    /// [`AppendError::NoSegment`]; the date is the old one then.
    pub fn set_trading_date(&mut self, trading_date: u32) -> Result<(), AppendError> {
        if trading_date == self.trading_date {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.trading_date, trading_date);
        self.roll(EndReason::DayChange).inspect_err(|_| self.trading_date = before)
    }

    /// Ends the segment and the stream, syncs what was written, and says so in the control page.
    ///
    /// # Errors
    ///
    /// When syncing fails. The records are committed all the same; only the durable mark is not moved. When it failed
    /// for good before, the stream is left as by a crash: no later reader may take it for complete.
    pub fn close(self) -> io::Result<()> {
        self.end(EndReason::Closed)
    }

    /// As [`close`](Self::close), but says that frames of stream `raw` have not reached this stream yet
    /// ([`EndReason::Unfinished`]): the next opening gives them out to be decoded.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub fn close_unfinished(self) -> io::Result<()> {
        self.end(EndReason::Unfinished)
    }

    fn end(mut self, reason: EndReason) -> io::Result<()> {
        if let SyncState::Failed(errno) = self.control.sync_state() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.commit_end(0, reason);
        self.batch_end();
        // Everything behind the last durable mark, the segments of this opening and of those that crashed.
        let ordinal = self.ordinal();
        let first = self.control.durable().map_or(1, |slot| slot.ordinal).min(ordinal);
        if let SyncState::Retrying(_) = self.control.sync_state() {
            // A sync that succeeds now would prove nothing of pages that failed before.
            dirty_segments(&self.folder, first, ordinal);
            self.segment.map().make_dirty(0, self.position);
        }
        sync_segments(&self.folder, first, ordinal)?;
        self.segment.map().sync(0, self.segment.len())?;
        let prepared = self.segment.prepared();
        self.control.write_durable(DurableSlot {
            epoch: prepared.epoch,
            sequence: self.next_sequence - 1,
            ordinal,
            position: self.position as u64,
            boot_id: prepared.boot_id,
            time_ns: crate::clock::wall_ns(),
            ..bytemuck::zeroed()
        })?;
        if matches!(self.control.sync_state(), SyncState::Retrying(_)) {
            self.control.set_sync_state(SyncState::Good);
        }
        self.control.closed();
        self.control.sync()
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, bytes: usize) -> Result<(), AppendError> {
        if self.control.is_read_only() {
            // So that the next one is told, too.
            self.soft_limit = 0;
            return Err(AppendError::SyncFailed);
        }
        if let Some(wall) = self.control.ahead().wall(self.ordinal()) {
            self.limit = self.limit.min(wall.saturating_sub(END_BYTES)).max(self.position);
        }
        if self.position + bytes > self.limit {
            if SEGMENT_HEADER_BYTES + bytes > self.limit {
                return Err(AppendError::TooLarge);
            }
            self.roll(EndReason::Full)?;
            if self.position + bytes > self.limit {
                return Err(AppendError::TooLarge);
            }
        }
        self.control.hint(self.next_sequence - 1, self.position as u64, self.beats);
        if self.control.ahead().is_missed(self.ordinal(), self.position) {
            self.wake_helper();
        }
        self.soft_limit = self.limit.min(self.position + bytes + PUBLISH_BYTES.min(self.segment.len() / 4));
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn note_service(&mut self, rtype: u8, words: &[u64]) -> Result<(), AppendError> {
        if rtype == RType::End as u8 || rtype == RType::Hole as u8 {
            return Err(AppendError::BadRecord);
        }
        if rtype == RType::Instrument as u8 && !self.dictionary.push(words) {
            return Err(AppendError::InstrumentsFull);
        }
        Ok(())
    }

    fn roll(&mut self, reason: EndReason) -> Result<(), AppendError> {
        if self.prepared.is_empty() {
            self.wait_for_segment()?;
        }
        // Definitions newer than the preparation, while nobody can see them: an active segment has all of them. Looked at
        // before it is taken: one that is too small for them stays prepared.
        let newer = |next: &PreparedSegment| {
            next.position + (self.dictionary.count() - next.restated) * padded(size_of::<Instrument>())
        };
        if self.prepared.peek().is_ok_and(|next| newer(next) > next.segment.len() - END_BYTES) {
            return Err(AppendError::NoSegment);
        }
        let Ok(mut next) = self.prepared.pop() else { return Err(AppendError::NoSegment) };
        let limit = next.segment.len() - END_BYTES;
        for index in next.restated..self.dictionary.count() {
            let record = self.dictionary.restated(index);
            next.position = next.segment.commit(next.position, bytemuck::bytes_of(&record), &[]);
        }
        let end = end_record(next.segment.prepared().ordinal, self.market_records, reason);
        let (base, date) = (self.next_sequence, self.trading_date);
        self.position = self.segment.roll(self.position, bytemuck::bytes_of(&end), &mut next.segment, base, date);
        self.control.rolled(next.segment.prepared().ordinal, next.position as u64);
        let old = std::mem::replace(&mut self.segment, next.segment);
        self.position = next.position;
        self.limit = limit;
        self.soft_limit = 0;
        self.market_records = 0;
        // The helper unmaps it; if its queue is full, that is done here.
        let _ = self.retired.push(old);
        Ok(())
    }

    fn wait_for_segment(&mut self) -> Result<(), AppendError> {
        self.stalled();
        let begin = Instant::now();
        while self.prepared.is_empty() {
            let hopeless = self.control.failure().is_some() || self.prepared.is_abandoned();
            if hopeless || begin.elapsed() > self.stall_max {
                // Once more: it may have come in between.
                return if self.prepared.is_empty() { Err(AppendError::NoSegment) } else { Ok(()) };
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    fn commit_end(&mut self, next_ordinal: u64, reason: EndReason) {
        let end = end_record(next_ordinal, self.market_records, reason);
        self.position = self.segment.commit(self.position, bytemuck::bytes_of(&end), &[]);
    }
}

/// An `End` as it is stored.
pub(in crate::journal) fn end_record(next_ordinal: u64, market_records: u64, reason: EndReason) -> End {
    let mut end: End = bytemuck::zeroed();
    end.header.length = END_BYTES as u32;
    end.header.ts_recv = crate::clock::wall_ns();
    end.header.rtype = RType::End as u8;
    end.header.version = RECORD_VERSION;
    end.next_ordinal = next_ordinal;
    end.market_records = market_records;
    end.reason = reason as u8;
    end
}
