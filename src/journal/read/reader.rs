//! The tailer: reads a stream from any process, live or long after, in the same way.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::look::{DurableMark, Lookout};
use super::onward::Passed;
use super::start::Current;
pub use super::start::Start;
use crate::journal::format::{SEGMENT_HEADER_BYTES, SegmentHeader, Stream, padded};
use crate::journal::index::SegmentIndex;
use crate::journal::record::{Instruments, Position, RecordRef, Selection};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Finding, Reason, Verdict, check_record, hole, is_unnumbered};
use crate::tick::{HEADER_BYTES, Header, Instrument, RType};

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
    /// How it ended: as of the last look around, which is at most a millisecond ago, or some calls ago for who spins.
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
    /// The segment that follows is gone, but later ones are there, and the log of deletions does not say that retention
    /// deleted it: records are lost. A seek goes beyond.
    #[error(
        "segment {0} is missing, but later ones are there, and audit.log does not say that it was pruned: see \
         `hoga verify`"
    )]
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

/// Reads one stream.
///
/// Pull: [`poll`](Self::poll) hands over what is committed and returns. It never writes, takes no lock, and does not
/// slow the writer down. `Send`, not `Sync`. Records come in order, without a hole, but where a `Hole` record, handed
/// over like the others, says which were lost; `End` records and restated instruments are not handed over (but the
/// dictionary knows them). It follows rolls, the writer's death and its reopening. What retention deleted it goes past where
/// the log of deletions says so, and tells by [`pruned`](Self::pruned). It trusts the commit word; [`with_crc_check`](Self::with_crc_check) makes it check every record.
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
    pub(super) dir: PathBuf,
    pub(in crate::journal) folder: PathBuf,
    pub(in crate::journal) current: Current,
    /// The next segment, mapped early.
    pub(in crate::journal) next: Option<SegmentReader>,
    pub(in crate::journal) offset: usize,
    pub(in crate::journal) expected: u64,
    pub(in crate::journal) skip_below: u64,
    pub(in crate::journal) ended: Option<u8>,
    pub(in crate::journal) early_at: usize,
    pub(super) crc_check: bool,
    pub(in crate::journal) instruments: Instruments,
    pub(super) lookout: Lookout,
    pub(in crate::journal) selection: Option<Box<Selection>>,
    pub(in crate::journal) is_past: bool,
    pub(in crate::journal) durable: DurableMark,
    pub(in crate::journal) segments_read: u64,
    pub(super) passed: Passed,
    /// Opening and segment of which it is known that this place was not cut.
    pub(in crate::journal) uncut: (u64, u64),
    /// Indexes that were used, by ordinal; those of segments without a file beside them were made by a scan.
    pub(in crate::journal) indexes: BTreeMap<u64, SegmentIndex>,
    pub(super) not_sync: PhantomData<Cell<()>>,
}

impl Tailer {
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
                Ok(None) => return Ok(Polled { records, state: self.look_seldom()? }),
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
            if !self.durable.reaches(head.sequence, &self.lookout) {
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

    pub(super) fn corrupt(&self, reason: Reason) -> TailError {
        let ordinal = self.current.ordinal();
        TailError::Corrupt(Finding::new(self.stream, ordinal, self.offset, Verdict::Corrupt, reason))
    }
}

#[inline]
fn position_at(segment: &SegmentHeader, head: &Header, offset: usize) -> Position {
    let (epoch, ordinal) = (segment.prepared.epoch, segment.prepared.ordinal);
    Position { epoch, sequence: head.sequence, ordinal, offset: offset as u64 }
}
