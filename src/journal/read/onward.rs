//! From one segment to the next, and past what retention deleted.

use std::io;

use super::start::{Current, header_error, open_active};
use crate::journal::format::SEGMENT_HEADER_BYTES;
use crate::journal::reader::{TailError, Tailer};
use crate::journal::retention::Pruned;
use crate::journal::segment::SegmentReader;
use crate::journal::walk::Reason;

/// Bytes mapped in ahead by one call: a fault for every few pages would cost more than reading what lies in them.
const STRIDE_BYTES: usize = 1 << 20;

/// What was gone past, and whether something is to be gone past here.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Records that retention deleted.
    records: u64,
    /// Ordinal of the segment that is not there, and of which it is known that no later one is. Forgotten with every
    /// look around.
    pub(super) last_at: Option<u64>,
}

impl Tailer {
    /// Records between those handed over that were not there any more: their days were deleted by retention, as the
    /// journal's `audit.log` says, while this reader stood before them or because an older day is under a legal hold.
    /// The sequences jump there. Those before the place where reading began are not counted.
    pub fn pruned(&self) -> u64 {
        self.passed.records
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
    pub(super) fn advance(&mut self) -> Result<bool, TailError> {
        let mut ordinal = self.current.ordinal() + 1;
        let mut expected = self.expected;
        loop {
            let next = match self.next.take() {
                Some(next) => next,
                None => match SegmentReader::open_in(&self.folder, ordinal) {
                    Ok(next) => next,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return self.advance_past_pruned(ordinal, expected);
                    }
                    Err(source) => return Err(TailError::Io { path: self.folder.clone(), source }),
                },
            };
            let header =
                next.checked_header(self.stream, ordinal).map_err(|error| header_error(self.stream, ordinal, error))?;
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
            return self.go_on(next, expected);
        }
    }

    fn go_on(&mut self, next: Current, expected: u64) -> Result<bool, TailError> {
        self.current = next;
        self.enter();
        if self.crc_check && self.expected != expected {
            return Err(self.corrupt(Reason::Sequence { found: self.expected, expected }));
        }
        Ok(true)
    }

    /// Where a segment is not there: goes on behind it if later ones are there and the log of deletions explains the
    /// gap. Once, then again after the next look around: it lists the folder.
    #[cold]
    fn advance_past_pruned(&mut self, ordinal: u64, expected: u64) -> Result<bool, TailError> {
        if self.passed.last_at == Some(ordinal) {
            return Ok(false);
        }
        let mut before = None;
        loop {
            let Some(found) = self.ordinals()?.into_iter().find(|at| *at >= ordinal) else {
                self.passed.last_at = Some(ordinal);
                return Ok(false);
            };
            if found == ordinal || before == Some(found) {
                // Made between the two looks, or not in use yet.
                return Ok(false);
            }
            let pruned = Pruned::read(&self.dir).map_err(|source| TailError::Io { path: self.dir.clone(), source })?;
            let (follows, sequence) = pruned.beyond(self.stream, (ordinal, expected), found);
            if follows != found {
                return Err(TailError::Missing(follows));
            }
            if let Some(next) = open_active(&self.folder, self.stream, found)? {
                self.go_on(next, sequence)?;
                self.passed.records += sequence.saturating_sub(expected);
                return Ok(true);
            }
            // Deleted meanwhile, too: what is there now?
            before = Some(found);
        }
    }

    /// Maps what comes next in ahead of reading: of this segment by strides, and near its end the front of the next.
    #[cold]
    pub(super) fn map_early(&mut self) {
        let len = self.current.reader.len();
        self.current.reader.populate(self.offset, STRIDE_BYTES);
        self.early_at = self.offset + STRIDE_BYTES;
        let near_end = len / 4 * 3;
        if self.offset < near_end {
            self.early_at = self.early_at.min(near_end);
            return;
        }
        if self.next.is_none() {
            match SegmentReader::open_in(&self.folder, self.current.ordinal() + 1) {
                Ok(next) => {
                    next.populate(0, STRIDE_BYTES);
                    self.next = Some(next);
                }
                // Not prepared yet: soon again.
                Err(_) => self.early_at = self.offset + STRIDE_BYTES.min(len / 64),
            }
        }
    }
}
