//! The tailer: reads a stream from any process, live or long after, in the same way.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::control::ControlReader;
use super::filter::{Bound, Filter};
use super::format::{HeaderError, SEGMENT_HEADER_BYTES, STATE_ACTIVE, SegmentHeader, Stream, padded, segment_name};
use super::segment::{BadLength, SegmentReader};
use super::walk::{Finding, Reason, Verdict, check_record, hole, is_unnumbered};
use super::{LOCK_NAME, list_segments};
use crate::sys::file::{is_locked, monotonic_ns};
use crate::tick::{EndReason, HEADER_BYTES, Header, Instrument, RType};

/// Between two looks at anything but the next record's own commit word.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A helper silent for so long means a process that hangs.
const SILENT_NS: u64 = 2_000_000_000;
/// Bytes of the next segment mapped in ahead.
const POPULATE_BYTES: usize = 1 << 20;
/// Ids beyond this are not kept: damaged bytes must not make us allocate.
const INSTRUMENT_ID_MAX: u32 = 1 << 22;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The oldest record there is.
    Beginning,
    /// Behind the newest record committed.
    End,
    /// The record with this sequence, or the first after it that is there.
    Sequence(u64),
    /// The newest segments of a trading date, as far back as they are of that date.
    Day {
        /// Decimal YYYYMMDD.
        date: u32,
        /// Segments to go back, at most.
        segments_max: usize,
    },
}

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The record with this sequence.
    Sequence(u64),
    /// The first record at which the running maximum of `ts_recv` (nanoseconds since the UNIX epoch) reaches this.
    Time(u64),
}

/// What a seek found; the tailer stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// It stands before the record wanted.
    Exact,
    /// What was wanted lies before the oldest record that is there: it stands before that one.
    BeforeFirst {
        /// Its sequence.
        first: u64,
    },
    /// What was wanted is not there yet: it stands behind the newest record committed.
    AfterLast {
        /// Its sequence; 0 = there is none.
        last: u64,
    },
}

/// Place of a record. Ordered by (epoch, sequence).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Opening that wrote it.
    pub epoch: u64,
    /// Its sequence; 0 = a `Hole`.
    pub sequence: u64,
    /// Its segment.
    pub ordinal: u64,
    /// Its offset there.
    pub offset: u64,
}

/// A committed record, borrowed from the map.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// The record's exact bytes, the first at a multiple of eight. They never change.
    pub bytes: &'a [u8],
    /// Its place.
    pub position: Position,
    instruments: &'a Instruments,
}

impl<'a> RecordRef<'a> {
    /// The record's header.
    pub fn header(&self) -> &'a Header {
        // `SegmentReader::record` gives at least a header, aligned.
        bytemuck::from_bytes(&self.bytes[..HEADER_BYTES])
    }

    /// What an id stands for, if it was declared.
    pub fn instrument(&self, id: u32) -> Option<&'a Instrument> {
        self.instruments.get(id)
    }
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
struct Current {
    reader: SegmentReader,
    header: SegmentHeader,
}

impl Current {
    fn ordinal(&self) -> u64 {
        self.header.prepared.ordinal
    }
}

/// Reads one stream.
///
/// Pull: [`poll`](Self::poll) hands over what is committed and returns. It never writes, takes no lock, and does not
/// slow the writer down. `Send`, not `Sync`. Records come in order, without a hole, but where a `Hole` record, handed
/// over like the others, says which were lost; `End` records and restated instruments are not handed over (but the
/// dictionary knows them). It follows rolls, the writer's death and its reopening. It trusts the commit word; [`with_crc_check`](Self::with_crc_check) makes it check every record.
#[derive(Debug)]
pub struct Tailer {
    stream: Stream,
    dir: PathBuf,
    folder: PathBuf,
    current: Current,
    /// The next segment, mapped early.
    next: Option<SegmentReader>,
    offset: usize,
    expected: u64,
    skip_below: u64,
    ended: Option<u8>,
    early_at: usize,
    crc_check: bool,
    instruments: Instruments,
    looked_at: Option<Instant>,
    state: TailState,
    filter: Option<Box<Filter>>,
    is_past: bool,
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
            Start::Beginning => Box::new(ordinals.iter()),
            Start::End | Start::Sequence(_) | Start::Day { .. } => Box::new(ordinals.iter().rev()),
        };
        let mut seen = 0;
        for &ordinal in newest_first {
            let Some(current) = open_active(&folder, stream, ordinal)? else { continue };
            let (base, date) = match current.header.activation {
                Some(activation) => (activation.base_sequence, activation.trading_date),
                None => (0, 0),
            };
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
                Start::Beginning | Start::End => false,
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
            filter: None,
            is_past: false,
            not_sync: PhantomData,
        };
        tailer.enter();
        if start == Start::End {
            tailer.skip_below = u64::MAX;
            tailer.poll(usize::MAX, |_| {})?;
            tailer.skip_below = 0;
        }
        Ok(tailer)
    }

    /// Checks the CRC, sequence and padding of every record from here on.
    pub fn with_crc_check(mut self, check: bool) -> Tailer {
        self.crc_check = check;
        self
    }

    /// Hands over only what the filter takes from here on, beginning at its `from` if that lies ahead; a poll then counts
    /// what it hands over.
    pub fn with_filter(mut self, filter: Filter) -> Tailer {
        if let Some(Bound::Sequence(from)) = filter.from {
            self.skip_below = self.skip_below.max(from);
        }
        self.filter = (!filter.is_empty()).then(|| Box::new(filter));
        self
    }

    /// Whether the filter's end was passed: nothing more will be handed over.
    pub fn is_past(&self) -> bool {
        self.is_past
    }

    /// Goes to a record, backwards or forwards.
    ///
    /// # Errors
    ///
    /// See [`TailError`]; the tailer then stands somewhere before the place where it met the error.
    pub fn seek(&mut self, to: Seek) -> Result<Sought, TailError> {
        let filter = self.filter.take();
        let sought = self.seek_unfiltered(to);
        self.filter = filter;
        self.is_past = false;
        sought
    }

    fn seek_unfiltered(&mut self, to: Seek) -> Result<Sought, TailError> {
        let start = match to {
            Seek::Sequence(sequence) => Start::Sequence(sequence),
            Seek::Time(_) => Start::Beginning,
        };
        let crc_check = self.crc_check;
        let reopened =
            |start| Ok::<_, TailError>(Tailer::open(&self.dir, self.stream, start)?.with_crc_check(crc_check));
        let mut fresh = reopened(start)?;
        fresh.skip_below = 0;
        let mut first = None;
        let mut target = None;
        let mut last = fresh.expected.saturating_sub(1);
        while target.is_none() {
            let mut at = None;
            let polled = fresh.poll(1, |record| at = Some((record.position, record.header().ts_recv)))?;
            let Some((position, ts_recv)) = at else {
                debug_assert_eq!(polled.records, 0);
                break;
            };
            first.get_or_insert((position.sequence, ts_recv));
            last = position.sequence;
            let reached = match to {
                Seek::Sequence(sequence) => position.sequence >= sequence,
                Seek::Time(time) => ts_recv >= time,
            };
            target = reached.then_some(position.sequence);
        }
        let sought = match (to, first, target) {
            (Seek::Sequence(sequence), _, Some(at)) if at == sequence => Sought::Exact,
            (Seek::Time(time), Some((at, ts_recv)), Some(target)) if at != target || ts_recv == time => Sought::Exact,
            (_, _, Some(first)) => Sought::BeforeFirst { first },
            (_, _, None) => Sought::AfterLast { last },
        };
        let mut fresh = reopened(target.map_or(Start::End, Start::Sequence))?;
        fresh.filter = self.filter.take();
        *self = fresh;
        Ok(sought)
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
                Err(BadLength(length)) => return Err(self.corrupt(Reason::Length(length))),
            };
            if self.crc_check {
                let checked =
                    check_record(&self.current.reader, &self.current.header, self.offset, bytes, self.expected);
                if let Err(reason) = checked {
                    return Err(self.corrupt(reason));
                }
            }
            let head: &Header = bytemuck::from_bytes(&bytes[..HEADER_BYTES]);
            let offset = self.offset;
            self.offset += padded(bytes.len());
            let mut reach = head.sequence;
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
                let taken = match &self.filter {
                    None => true,
                    Some(filter) => {
                        self.is_past = matches!(filter.to, Some(Bound::Sequence(to)) if head.sequence > to);
                        filter.takes(&record)
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
    fn enter(&mut self) {
        self.offset = SEGMENT_HEADER_BYTES;
        self.ended = None;
        self.expected = self.current.header.activation.map_or(0, |activation| activation.base_sequence);
        self.early_at = self.current.reader.len() / 4 * 3;
    }

    /// Goes on to the next segment if it is in use.
    fn advance(&mut self) -> Result<bool, TailError> {
        let ordinal = self.current.ordinal() + 1;
        let next = match self.next.take() {
            Some(next) => next,
            None => match SegmentReader::open_in(&self.folder, ordinal) {
                Ok(next) => next,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(source) => return Err(TailError::Io { path: self.folder.clone(), source }),
            },
        };
        match next.header() {
            Ok(header) if header.state != STATE_ACTIVE && self.checked(&header, ordinal)?.activation.is_none() => {
                self.next = Some(next);
                Ok(false)
            }
            Ok(header) => {
                let header = self.checked(&header, ordinal)?;
                let expected = self.expected;
                self.current = Current { reader: next, header };
                self.enter();
                if self.crc_check && self.expected != expected {
                    return Err(self.corrupt(Reason::Sequence { found: self.expected, expected }));
                }
                Ok(true)
            }
            Err(error) => Err(header_error(self.stream, ordinal, error)),
        }
    }

    fn checked(&self, header: &super::format::UncheckedHeader, ordinal: u64) -> Result<SegmentHeader, TailError> {
        header.check(self.stream, ordinal).map_err(|error| header_error(self.stream, ordinal, error))
    }

    #[cold]
    fn map_early(&mut self) {
        self.early_at = usize::MAX;
        if self.next.is_none()
            && let Ok(next) = SegmentReader::open_in(&self.folder, self.current.ordinal() + 1)
        {
            next.populate_head(POPULATE_BYTES);
            self.next = Some(next);
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
        let closed = self.ended == Some(EndReason::Closed as u8);
        self.state = match ControlReader::open(&self.folder, self.stream) {
            _ if !live && closed => TailState::Closed,
            _ if !live => TailState::Gone,
            // Closed by a writer that still lives, or that closes the other stream just now.
            _ if closed => TailState::Closed,
            Ok(Ok(control)) if control.helper_age_ns(monotonic_ns()) > SILENT_NS => TailState::Silent,
            _ => TailState::Live,
        };
        if self.ended.is_some() {
            let ordinal = self.current.ordinal() + 1;
            let ordinals = list_segments(&self.folder).unwrap_or_default();
            if !ordinals.contains(&ordinal) && ordinals.last().is_some_and(|last| *last > ordinal) {
                return Err(TailError::Missing(ordinal));
            }
        }
        Ok(self.state)
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
fn open_active(folder: &Path, stream: Stream, ordinal: u64) -> Result<Option<Current>, TailError> {
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

/// Definitions by id.
#[derive(Debug, Default)]
struct Instruments {
    by_id: Vec<Instrument>,
}

impl Instruments {
    fn get(&self, id: u32) -> Option<&Instrument> {
        self.by_id.get(id as usize).filter(|definition| definition.header.instrument_id == id && id != 0)
    }

    fn note(&mut self, id: u32, record: &[u8]) {
        if id == 0 || id > INSTRUMENT_ID_MAX {
            return;
        }
        let at = id as usize;
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, bytemuck::zeroed());
        }
        let bytes = record.len().min(size_of::<Instrument>());
        bytemuck::bytes_of_mut(&mut self.by_id[at])[..bytes].copy_from_slice(&record[..bytes]);
    }
}
