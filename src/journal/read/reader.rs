//! The tailer: reads a stream from any process, live or long after, in the same way.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::journal::control::ControlReader;
use crate::journal::format::{HeaderError, SEGMENT_HEADER_BYTES, SegmentHeader, Stream, padded, segment_name};
use crate::journal::index::SegmentIndex;
use crate::journal::record::{Instruments, Position, RecordRef, Selection};
use crate::journal::seek::{DurableMark, Seek};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Finding, Reason, Verdict, check_record, hole, is_unnumbered};
use crate::journal::{LOCK_NAME, list_segments};
use crate::sys::file::{is_locked, monotonic_ns};
use crate::tick::{EndReason, HEADER_BYTES, Header, Instrument, RType};

/// Between two looks at anything but the next record's own commit word.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A helper silent for so long means a process that hangs.
const SILENT_NS: u64 = 2_000_000_000;
/// Bytes mapped in ahead by one call: a fault for every few pages would cost more than reading what lies in them.
const STRIDE_BYTES: usize = 1 << 20;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The oldest record there is.
    Beginning,
    /// Behind the newest record committed.
    End,
    /// The record with this sequence, or the first after it that is there.
    Sequence(u64),
    /// The first record at which the running maximum of `ts_recv` (nanoseconds since the UNIX epoch) reaches this.
    Time(u64),
    /// Where a reader stood, by [`Tailer::position`], perhaps in another process and before the host died.
    Position(Position),
    /// The newest segments of a trading date, as far back as they are of that date.
    Day {
        /// Decimal YYYYMMDD.
        date: u32,
        /// Segments to go back, at most.
        segments_max: usize,
    },
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailState {
    /// `max` was reached: there may be more.
    More,
    /// Nothing more at present; a writer holds the journal.
    Live,
    /// Nothing more; a writer holds the journal, but shows no sign of life.
    Silent,
    /// Nothing more; the writer is gone without having closed the stream.
    Gone,
    /// Nothing more; the stream was closed.
    Closed,
}

/// What a poll did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// Records handed over.
    pub records: usize,
    /// How it ended.
    pub state: TailState,
}

/// Why reading can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TailError {
    /// There is no such stream, or nothing in it yet.
    #[error("no journal stream in {0}: expected segments as `hoga run` makes them")]
    NoJournal(PathBuf),
    /// A record or header is damaged.
    #[error("{} is corrupt at offset {}: {}; see `hoga verify`", .0.segment, .0.offset, .0.reason)]
    Corrupt(Finding),
    /// Written by a newer program.
    #[error("format {0} is newer than this program reads: use a newer hoga")]
    Version(u16),
    /// The segment that follows is gone (pruned), but later ones are there: open again from the beginning.
    #[error("segment {0} is gone, but later ones are there: it was pruned while this reader stood before it")]
    Missing(u64),
    /// Records that were read are no longer there: a recovery after the host's death cut them, since they had not
    /// reached the disk. What comes has the sequences behind `last` anew: take back what was concluded from the records
    /// cut, then go on by a seek to `last.sequence + 1`.
    #[error(
        "the records behind {sequence} were cut by a recovery after the host's death: this reader stood behind them",
        sequence = last.sequence
    )]
    Rewound {
        /// The last record that is still there; all zero when there is none.
        last: Position,
    },
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[derive(Debug)]
pub(in crate::journal) struct Current {
    pub(in crate::journal) reader: SegmentReader,
    pub(in crate::journal) header: SegmentHeader,
}

impl Current {
    pub(in crate::journal) fn base_sequence(&self) -> u64 {
        self.header.activation.map_or(0, |activation| activation.base_sequence)
    }

    pub(in crate::journal) fn ordinal(&self) -> u64 {
        self.header.prepared.ordinal
    }
}

/// Reads one stream.
///
/// Pull: [`poll`](Self::poll) hands over what is committed and returns. It never writes, takes no lock, and does not
/// slow the writer down. `Send`, not `Sync`. Records come in order, without a hole, but where a `Hole` record, handed
/// over like the others, says which were lost; `End` records and restated instruments are not handed over (but the
/// dictionary knows them). It follows rolls, the writer's death and its reopening. It trusts the commit word; [`with_crc_check`](Self::with_crc_check) makes it check every record.
///
/// The way from history to live is the same call: a record is handed over once, in its place, whether it was written last
/// week or this microsecond. [`Follower`](crate::journal::Follower) waits for what is not there yet, [`Visit`](crate::journal::Visit) gives
/// records by kind, [`lag`](Self::lag) says how far behind one is.
///
/// A tailer belongs to one thread at a time:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<hoga::journal::Tailer>();
/// ```
///
/// ```
/// fn moved<T: Send>() {}
/// moved::<hoga::journal::Tailer>();
/// ```
#[derive(Debug)]
pub struct Tailer {
    pub(in crate::journal) stream: Stream,
    dir: PathBuf,
    pub(in crate::journal) folder: PathBuf,
    pub(in crate::journal) current: Current,
    /// The next segment, mapped early.
    pub(in crate::journal) next: Option<SegmentReader>,
    pub(in crate::journal) offset: usize,
    pub(in crate::journal) expected: u64,
    pub(in crate::journal) skip_below: u64,
    pub(in crate::journal) ended: Option<u8>,
    pub(in crate::journal) early_at: usize,
    crc_check: bool,
    pub(in crate::journal) instruments: Instruments,
    looked_at: Option<Instant>,
    state: TailState,
    pub(in crate::journal) selection: Option<Box<Selection>>,
    pub(in crate::journal) is_past: bool,
    pub(in crate::journal) durable: DurableMark,
    pub(in crate::journal) segments_read: u64,
    /// Opening and segment of which it is known that this place was not cut.
    pub(in crate::journal) uncut: (u64, u64),
    /// Indexes that were used, by ordinal; those of segments without a file beside them were made by a scan.
    pub(in crate::journal) indexes: BTreeMap<u64, SegmentIndex>,
    not_sync: PhantomData<Cell<()>>,
}

impl Tailer {
    /// Opens a stream of the journal in a folder.
    ///
    /// # Errors
    ///
    /// See [`TailError`]; [`NoJournal`](TailError::NoJournal) also when a journal is there and nothing was ever written.
    pub fn open(dir: &Path, stream: Stream, start: Start) -> Result<Tailer, TailError> {
        let folder = dir.join(stream.name());
        let ordinals = match list_segments(&folder) {
            Ok(ordinals) => ordinals,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TailError::NoJournal(folder)),
            Err(source) => return Err(TailError::Io { path: folder, source }),
        };
        let mut found = None;
        let newest_first: Box<dyn Iterator<Item = &u64>> = match start {
            Start::Beginning | Start::Time(_) => Box::new(ordinals.iter()),
            Start::End | Start::Sequence(_) | Start::Position(_) | Start::Day { .. } => Box::new(ordinals.iter().rev()),
        };
        let mut seen = 0;
        for &ordinal in newest_first {
            let Some(current) = open_active(&folder, stream, ordinal)? else { continue };
            let base = current.base_sequence();
            let date = current.header.activation.map_or(0, |activation| activation.trading_date);
            if let Start::Day { date: wanted, segments_max } = start
                && seen > 0
                && (date != wanted || seen >= segments_max)
            {
                break;
            }
            found = Some(current);
            seen += 1;
            let goes_back = match start {
                Start::Sequence(sequence) => base > sequence,
                Start::Day { .. } => true,
                Start::Beginning | Start::Time(_) | Start::Position(_) | Start::End => false,
            };
            if !goes_back {
                break;
            }
        }
        let Some(current) = found else { return Err(TailError::NoJournal(folder)) };
        let mut tailer = Tailer {
            stream,
            dir: dir.to_owned(),
            folder,
            expected: 0,
            current,
            next: None,
            offset: 0,
            skip_below: if let Start::Sequence(sequence) = start { sequence } else { 0 },
            ended: None,
            early_at: 0,
            crc_check: false,
            instruments: Instruments::default(),
            looked_at: None,
            state: TailState::Live,
            selection: None,
            is_past: false,
            durable: DurableMark::Unlimited,
            segments_read: 0,
            uncut: (0, 0),
            indexes: BTreeMap::new(),
            not_sync: PhantomData,
        };
        tailer.enter();
        match start {
            Start::End => {
                tailer.skip_below = u64::MAX;
                tailer.poll(usize::MAX, |_| {})?;
                tailer.skip_below = 0;
            }
            Start::Time(time) => {
                tailer.seek(Seek::Time(time))?;
            }
            Start::Position(position) => tailer.resume(position)?,
            Start::Beginning | Start::Sequence(_) | Start::Day { .. } => {}
        }
        Ok(tailer)
    }

    /// Checks the CRC, sequence and padding of every record from here on.
    pub fn with_crc_check(mut self, check: bool) -> Tailer {
        self.crc_check = check;
        self
    }

    /// Place of the next record: where it is, or will be.
    pub fn position(&self) -> Position {
        let prepared = &self.current.header.prepared;
        Position {
            epoch: prepared.epoch,
            sequence: self.next_sequence(),
            ordinal: prepared.ordinal,
            offset: self.offset as u64,
        }
    }

    /// The stream read.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    pub(in crate::journal) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of the segment read.
    pub(in crate::journal) fn segment_bytes(&self) -> u64 {
        self.current.header.prepared.segment_bytes
    }

    /// `ts_recv` of the next record that would be looked at, if it is there.
    pub(in crate::journal) fn next_ts(&self) -> Option<u64> {
        let stamp = |segment: &SegmentReader, mut offset| {
            loop {
                let record = segment.record(offset).ok()??;
                let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
                if head.rtype == RType::End as u8 {
                    return None;
                }
                if !is_unnumbered(head) {
                    return Some(head.ts_recv);
                }
                offset += padded(record.len());
            }
        };
        stamp(&self.current.reader, self.offset).or_else(|| {
            let next = SegmentReader::open_in(&self.folder, self.current.ordinal() + 1).ok()?;
            stamp(&next, SEGMENT_HEADER_BYTES)
        })
    }

    /// What an id stands for, as far as read.
    pub fn instrument(&self, id: u32) -> Option<&Instrument> {
        self.instruments.get(id)
    }

    /// Sequence of the next record.
    pub fn next_sequence(&self) -> u64 {
        self.expected.max(self.skip_below)
    }

    /// Hands over at most `max` records that are committed by now.
    ///
    /// # Errors
    ///
    /// See [`TailError`]; the records before were handed over, and the tailer stands where it stopped.
    pub fn poll(&mut self, max: usize, mut on_record: impl FnMut(RecordRef<'_>)) -> Result<Polled, TailError> {
        let mut records = 0;
        if let Some(selection) = &mut self.selection {
            selection.looks = 0;
        }
        while records < max {
            if self.is_past {
                return Ok(Polled { records, state: self.look()? });
            }
            if self.ended.is_some() {
                if self.advance()? {
                    continue;
                }
                return Ok(Polled { records, state: self.look()? });
            }
            let bytes = match self.current.reader.record(self.offset) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(Polled { records, state: self.look()? }),
                Err(bad) => return Err(self.corrupt(self.current.reader.reason(bad))),
            };
            if self.crc_check {
                let checked =
                    check_record(&self.current.reader, &self.current.header, self.offset, bytes, self.expected);
                if let Err(reason) = checked {
                    return Err(self.corrupt(reason));
                }
            }
            let head: &Header = bytemuck::from_bytes(&bytes[..HEADER_BYTES]);
            if !self.durable.reaches(head.sequence) {
                return Ok(Polled { records, state: self.look()? });
            }
            let offset = self.offset;
            self.offset += padded(bytes.len());
            let mut reach = head.sequence;
            let mut is_slice_full = false;
            if head.rtype >= RType::Instrument as u8 {
                if head.rtype == RType::Instrument as u8 {
                    self.instruments.note(head.instrument_id, bytes);
                } else if head.rtype == RType::End as u8 {
                    self.ended = Some(bytes.get(56).copied().unwrap_or(0));
                    continue;
                }
                if is_unnumbered(head) {
                    let Some(hole) = hole(bytes).filter(|_| head.rtype == RType::Hole as u8) else { continue };
                    self.expected = hole.last_sequence.wrapping_add(1);
                    // Wanted when something of it is: one without a known record counts as the place it stands at.
                    reach = hole.last_sequence.max(hole.first_sequence);
                } else {
                    self.expected = reach.wrapping_add(1);
                }
            } else {
                self.expected = reach.wrapping_add(1);
            }
            if reach >= self.skip_below {
                let position = position_at(&self.current.header, head, offset);
                let record = RecordRef { bytes, position, instruments: &self.instruments };
                let taken = match &mut self.selection {
                    None => true,
                    Some(selection) => {
                        self.is_past = selection.is_past(head);
                        is_slice_full = selection.counts_full();
                        selection.takes(&record)
                    }
                };
                if taken {
                    records += 1;
                    on_record(record);
                }
            }
            if self.offset >= self.early_at {
                self.map_early();
            }
            if is_slice_full {
                break;
            }
        }
        Ok(Polled { records, state: TailState::More })
    }

    /// The next record, lent until the next call; `None` and the state when there is none at present. For callers that
    /// can't give a closure; a poll of many costs less a record.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
    #[inline]
    pub fn next_record(&mut self) -> Result<(Option<RecordRef<'_>>, TailState), TailError> {
        let mut place = None;
        let polled = self.poll(1, |record| place = Some((record.position, record.bytes.len())))?;
        let Some((position, length)) = place else { return Ok((None, polled.state)) };
        // A poll of one record ends with it: its segment is still the current one.
        match self.current.reader.record(position.offset as usize) {
            Ok(Some(bytes)) if bytes.len() == length => {
                Ok((Some(RecordRef { bytes, position, instruments: &self.instruments }), polled.state))
            }
            _ => Err(self.corrupt(Reason::Length(0))),
        }
    }

    /// Begins at the front of the current segment.
    pub(in crate::journal) fn enter(&mut self) {
        self.segments_read += 1;
        self.offset = SEGMENT_HEADER_BYTES;
        self.ended = None;
        self.expected = self.current.base_sequence();
        self.early_at = 0;
    }

    /// Goes on to the next segment if it is in use, past those that hold nothing the filter takes.
    fn advance(&mut self) -> Result<bool, TailError> {
        let mut ordinal = self.current.ordinal() + 1;
        let mut expected = self.expected;
        loop {
            let next = match self.next.take() {
                Some(next) => next,
                None => match SegmentReader::open_in(&self.folder, ordinal) {
                    Ok(next) => next,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                    Err(source) => return Err(TailError::Io { path: self.folder.clone(), source }),
                },
            };
            let header = next.header().map_err(|error| header_error(self.stream, ordinal, error))?;
            let header = self.checked(&header, ordinal)?;
            if header.activation.is_none() {
                self.next = Some(next);
                return Ok(false);
            }
            let next = Current { reader: next, header };
            if next.base_sequence() < expected && next.header.prepared.epoch > self.current.header.prepared.epoch {
                return Err(self.rewound()?);
            }
            if let Some(follows) = self.passed_over(&next)? {
                (ordinal, expected) = (ordinal + 1, follows);
                continue;
            }
            self.current = next;
            self.enter();
            if self.crc_check && self.expected != expected {
                return Err(self.corrupt(Reason::Sequence { found: self.expected, expected }));
            }
            return Ok(true);
        }
    }

    fn checked(
        &self,
        header: &crate::journal::format::UncheckedHeader,
        ordinal: u64,
    ) -> Result<SegmentHeader, TailError> {
        header.check(self.stream, ordinal).map_err(|error| header_error(self.stream, ordinal, error))
    }

    #[cold]
    fn map_early(&mut self) {
        let len = self.current.reader.len();
        self.current.reader.populate(self.offset, STRIDE_BYTES);
        self.early_at = self.offset + STRIDE_BYTES;
        if self.next.is_none()
            && self.offset >= len / 4 * 3
            && let Ok(next) = SegmentReader::open_in(&self.folder, self.current.ordinal() + 1)
        {
            next.populate(0, STRIDE_BYTES);
            self.next = Some(next);
        }
        if self.offset < len / 4 * 3 {
            self.early_at = self.early_at.min(len / 4 * 3);
        }
    }

    /// Looks around, at most once a millisecond: is there still a writer?
    fn look(&mut self) -> Result<TailState, TailError> {
        let now = Instant::now();
        if self.looked_at.is_some_and(|at| now.duration_since(at) < LOOK_EVERY) {
            return Ok(self.state);
        }
        self.looked_at = Some(now);
        // A prepared segment is removed when its writer ends and made anew by the next one: not to wait for a dead file.
        self.next = None;
        let live = File::open(self.dir.join(LOCK_NAME)).and_then(|file| is_locked(&file)).unwrap_or(false);
        if !live && self.has_more() {
            // Committed by a writer that ended between the look at the record and the look at its lock.
            self.looked_at = None;
            self.state = TailState::Live;
            return Ok(self.state);
        }
        let closed = self.ended.is_some_and(EndReason::is_closing);
        self.state = match ControlReader::open(&self.folder, self.stream) {
            _ if !live && closed => TailState::Closed,
            _ if !live => TailState::Gone,
            // Closed by a writer that still lives, or that closes the other stream just now.
            _ if closed => TailState::Closed,
            Ok(Ok(control)) if control.helper_age_ns(monotonic_ns()) > SILENT_NS => TailState::Silent,
            _ => TailState::Live,
        };
        if self.is_cut()? {
            return Err(self.rewound()?);
        }
        if self.ended.is_some() {
            let ordinal = self.current.ordinal() + 1;
            let ordinals = list_segments(&self.folder).unwrap_or_default();
            if !ordinals.contains(&ordinal) && ordinals.last().is_some_and(|last| *last > ordinal) {
                return Err(TailError::Missing(ordinal));
            }
        }
        Ok(self.state)
    }

    /// Whether something stands where nothing was a moment ago.
    fn has_more(&mut self) -> bool {
        if self.ended.is_some() {
            let next = SegmentReader::open_in(&self.folder, self.current.ordinal() + 1);
            return next.is_ok_and(|next| {
                next.header().is_ok_and(|header| header.state == crate::journal::format::STATE_ACTIVE)
            });
        }
        let here = self.current.reader.record(self.offset).ok().flatten();
        let sequence = here.map(|record| bytemuck::from_bytes::<Header>(&record[..HEADER_BYTES]).sequence);
        sequence.is_some_and(|sequence| !self.is_past && self.durable.reaches(sequence))
    }

    fn corrupt(&self, reason: Reason) -> TailError {
        let ordinal = self.current.ordinal();
        TailError::Corrupt(Finding::new(self.stream, ordinal, self.offset, Verdict::Corrupt, reason))
    }
}

#[inline]
fn position_at(segment: &SegmentHeader, head: &Header, offset: usize) -> Position {
    let (epoch, ordinal) = (segment.prepared.epoch, segment.prepared.ordinal);
    Position { epoch, sequence: head.sequence, ordinal, offset: offset as u64 }
}

/// Opens a segment; `None` when it is only prepared, or went away meanwhile.
pub(in crate::journal) fn open_active(
    folder: &Path,
    stream: Stream,
    ordinal: u64,
) -> Result<Option<Current>, TailError> {
    let path = folder.join(segment_name(ordinal));
    let reader = match SegmentReader::open_in(folder, ordinal) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TailError::Io { path, source }),
    };
    let header = reader.checked_header(stream, ordinal).map_err(|error| header_error(stream, ordinal, error))?;
    Ok(header.activation.is_some().then_some(Current { reader, header }))
}

fn header_error(stream: Stream, ordinal: u64, error: HeaderError) -> TailError {
    match error {
        HeaderError::Version(major) => TailError::Version(major),
        error => TailError::Corrupt(Finding::new(stream, ordinal, 0, Verdict::Corrupt, Reason::Header(error))),
    }
}
