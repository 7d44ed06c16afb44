//! Opening a stream at a place.

use std::collections::BTreeMap;
use std::io;
use std::marker::PhantomData;
use std::path::Path;

use super::look::{DurableMark, Lookout};
use super::onward::Passed;
use crate::journal::format::{HeaderError, SegmentHeader, Stream, segment_name};
use crate::journal::list_segments;
use crate::journal::reader::{TailError, Tailer};
use crate::journal::record::{Instruments, Position};
use crate::journal::seek::Seek;
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Finding, Reason, Verdict};

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

/// The segment read.
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
            lookout: Lookout::default(),
            selection: None,
            is_past: false,
            durable: DurableMark::Unlimited,
            segments_read: 0,
            passed: Passed::default(),
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

pub(super) fn header_error(stream: Stream, ordinal: u64, error: HeaderError) -> TailError {
    match error {
        HeaderError::Version(major) => TailError::Version(major),
        error => TailError::Corrupt(Finding::new(stream, ordinal, 0, Verdict::Corrupt, Reason::Header(error))),
    }
}
