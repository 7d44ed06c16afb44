//! Frames of stream `raw` that did not reach stream `ticks`: found by the opening, walked by whoever decodes them again.

use std::io;
use std::path::{Path, PathBuf};

use crate::journal::examine::open_segment;
use crate::journal::format::Stream;
use crate::journal::reader::{Start, TailError, TailState, Tailer};
use crate::journal::recent::LastFrame;
use crate::journal::record::RecordRef;
use crate::journal::{OpenError, io_error, list_segments};
use crate::tick::{Flags, RawPrefix, RecordView, view};

/// Frames between two looks at whether the last one was reached.
const BATCH: usize = 1024;

/// A frame of stream `raw` that did not reach stream `ticks`, or not with all its records.
#[derive(Clone, Copy, Debug)]
pub struct RawFrame<'a> {
    /// Its stamps and sequence.
    pub prefix: &'a RawPrefix,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Whether records of it are in `ticks`, as [`LastFrame`] tells.
    pub is_partial: bool,
}

/// The frames of stream `raw` to decode again and append with flag RECOVERED: where they lie, not their bytes. After a
/// host's death they may be gigabytes.
///
/// When [`last_frame`](crate::journal::RecoveryReport::last_frame) is partial it comes first, and its records with a place
/// below `records_present`, the gaps before them and its first `rejects_present` rejects are there already; so is the gap
/// before its next record when `is_gap_pending`. None after an orderly close. Frames kept only because they were rejected
/// are not among them. Control frames are: they say nothing about the present connections.
#[derive(Clone, Debug, Default)]
pub struct RawFrames {
    dir: PathBuf,
    /// Where the first may stand.
    from: u64,
    /// The first sequence behind all of them.
    until: u64,
    partial: Option<u64>,
    count: u64,
    payload_bytes: u64,
}

impl RawFrames {
    /// Those behind the last that reached `ticks`, and that one if records of it are missing. `until`: the sequence at
    /// which stream `raw` goes on. Each is read and checked, so that an opening is refused before it changes anything.
    pub(in crate::journal) fn after(dir: &Path, last: LastFrame, until: u64) -> Result<RawFrames, OpenError> {
        let folder = dir.join(Stream::Raw.name());
        // NB: a host's death cuts each stream at a place of its own: below what `ticks` names, the numbers of `raw` are
        // used again. What `raw` got in a later opening than that of the last tick is later, whatever its number.
        let later = begin_of_later(&folder, last.epoch).map_err(|error| io_error(&folder, error))?.unwrap_or(until);
        let partial = (last.is_partial() && last.raw_sequence < later).then_some(last.raw_sequence);
        let from = partial.unwrap_or(last.raw_sequence + 1).min(later);
        let mut frames = RawFrames { dir: dir.to_owned(), from, until, partial, count: 0, payload_bytes: 0 };
        if from >= until {
            return Ok(frames);
        }
        let (mut count, mut payload_bytes) = (0, 0);
        frames.walk(true, &mut |frame| {
            count += 1;
            payload_bytes += frame.payload.len() as u64;
        })?;
        (frames.count, frames.payload_bytes) = (count, payload_bytes);
        Ok(frames)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of their payloads.
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Hands over each, in order, read from the journal as it comes: one is lent at a time.
    ///
    /// # Errors
    ///
    /// [`OpenError::Io`]: stream `raw` could not be read on. The frames before were handed over.
    pub fn for_each(&self, mut on_frame: impl FnMut(RawFrame<'_>)) -> Result<(), OpenError> {
        // The opening has checked them.
        if self.is_empty() { Ok(()) } else { self.walk(false, &mut on_frame) }
    }

    fn walk(&self, crc_check: bool, on_frame: &mut dyn FnMut(RawFrame<'_>)) -> Result<(), OpenError> {
        let fail = |error: TailError| io_error(&self.dir.join(Stream::Raw.name()), io::Error::other(error));
        let start = Start::Sequence(self.from);
        let mut tailer = Tailer::open(&self.dir, Stream::Raw, start).map_err(fail)?.with_crc_check(crc_check);
        let mut take = |record: RecordRef<'_>| {
            if let Some(RecordView::Raw(prefix, payload)) = view(record.bytes)
                && prefix.header.flags & Flags::KEPT_REJECTED == 0
                && prefix.header.sequence < self.until
            {
                let is_partial = self.partial == Some(prefix.header.sequence);
                on_frame(RawFrame { prefix: &prefix, payload, is_partial });
            }
        };
        while tailer.next_sequence() < self.until {
            if tailer.poll(BATCH, &mut take).map_err(fail)?.state != TailState::More {
                break;
            }
        }
        Ok(())
    }
}

/// The first sequence that stream `raw` gave out in an opening later than that one; `None` = there was no later one.
fn begin_of_later(folder: &Path, epoch: u64) -> io::Result<Option<u64>> {
    let mut first = None;
    for ordinal in list_segments(folder)?.into_iter().rev() {
        // What is damaged is found where it is read.
        let Ok(header) = open_segment(folder, ordinal)?.0.checked_header(Stream::Raw, ordinal) else { break };
        if header.prepared.epoch <= epoch {
            break;
        }
        first = header.activation.map(|activation| activation.base_sequence).or(first);
    }
    Ok(first)
}
