//! Whole journals written offline: streams that roll, restate what they know, and end closed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytemuck::Zeroable as _;

use crate::clock::wall_ns;
use crate::journal::build::{BuildError, BuiltSegment, SegmentBuilder, SegmentSpec, io_at};
use crate::journal::control::Control;
use crate::journal::format::{DurableSlot, END_BYTES, SEGMENT_HEADER_BYTES, Stream, padded};
use crate::journal::{OpenError, take_lock};
use crate::sys::file::{LockedFile, boot_id, sync_folder};
use crate::tick::{EndReason, HEADER_BYTES, Header, HoleReason, Instrument, RType};

/// What the segments of a journal written offline have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalSpec {
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// Trading date of the first segments, decimal YYYYMMDD; 0 = not told.
    pub trading_date: u32,
    /// What a hole says where sequences jump.
    pub hole_reason: HoleReason,
}

impl Default for JournalSpec {
    fn default() -> Self {
        JournalSpec { segment_bytes: 128 << 20, trading_date: 0, hole_reason: HoleReason::LeftOut }
    }
}

/// Writes one stream: rolls when a segment is full, restates every definition it has seen.
#[derive(Debug)]
pub struct StreamBuilder {
    folder: PathBuf,
    stream: Stream,
    spec: JournalSpec,
    segment: Option<SegmentBuilder>,
    next_ordinal: u64,
    next_sequence: u64,
    instruments: BTreeMap<u32, Instrument>,
}

impl StreamBuilder {
    fn create(dir: &Path, stream: Stream, spec: JournalSpec) -> Result<StreamBuilder, BuildError> {
        let folder = dir.join(stream.name());
        fs::create_dir(&folder).and_then(|()| sync_folder(dir)).map_err(io_at(&folder))?;
        Ok(StreamBuilder {
            folder,
            stream,
            spec,
            segment: None,
            next_ordinal: 1,
            next_sequence: 1,
            instruments: BTreeMap::new(),
        })
    }

    /// Sequence that follows the last record; 1 at first.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Makes a definition known that was declared before the first record, and is to be restated.
    pub fn know(&mut self, definition: &Instrument) {
        self.instruments.insert(definition.header.instrument_id, *definition);
    }

    /// Goes on in a new segment when the trading date (decimal YYYYMMDD) is another one.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`].
    pub fn set_trading_date(&mut self, trading_date: u32) -> Result<(), BuildError> {
        if std::mem::replace(&mut self.spec.trading_date, trading_date) != trading_date {
            self.end(EndReason::DayChange)?;
        }
        Ok(())
    }

    /// Appends a record with the sequence it has: the first decides where the stream begins, later jumps become holes.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]; then nothing was appended.
    pub fn append(&mut self, record: &[u8]) -> Result<(), BuildError> {
        let Some(head) = record.get(..HEADER_BYTES) else { return Err(BuildError::BadRecord) };
        let head: Header = bytemuck::pod_read_unaligned(head);
        if self.next_ordinal == 1 && self.segment.is_none() {
            let first = crate::journal::walk::hole(record).filter(|_| head.rtype == RType::Hole as u8);
            self.next_sequence = first.map_or(head.sequence, |hole| hole.first_sequence).max(1);
        }
        if self.segment.as_ref().is_some_and(|segment| !segment.has_room(record.len())) {
            self.end(EndReason::Full)?;
        }
        let segment = self.open()?;
        match segment.append(record) {
            Ok(()) => {}
            // Nothing but the restated definitions is in it.
            Err(BuildError::Full) => return Err(self.too_large(record.len())),
            Err(error) => return Err(error),
        }
        self.next_sequence = segment.next_sequence();
        if head.rtype == RType::Instrument as u8
            && let Some(definition) = record.get(..size_of::<Instrument>())
        {
            self.instruments.insert(head.instrument_id, bytemuck::pod_read_unaligned(definition));
        }
        Ok(())
    }

    /// Appends a record under the next sequence, whatever its own is; returns it.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]; then nothing was appended.
    pub fn append_next(&mut self, record: &[u8]) -> Result<u64, BuildError> {
        let mut renumbered = record.to_vec();
        let Some(place) = renumbered.get_mut(8..16) else { return Err(BuildError::BadRecord) };
        let sequence = self.next_sequence;
        place.copy_from_slice(&sequence.to_le_bytes());
        self.append(&renumbered)?;
        Ok(sequence)
    }

    fn too_large(&self, bytes: usize) -> BuildError {
        BuildError::TooLarge { bytes, segment_bytes: self.spec.segment_bytes }
    }

    fn open(&mut self) -> Result<&mut SegmentBuilder, BuildError> {
        if self.segment.is_none() {
            let spec = SegmentSpec {
                stream: self.stream,
                ordinal: self.next_ordinal,
                epoch: 1,
                boot_id: boot_id(),
                trading_date: self.spec.trading_date,
                base_sequence: self.next_sequence,
                segment_bytes: self.spec.segment_bytes,
            };
            let mut segment = SegmentBuilder::create(&self.folder, spec)?.with_hole_reason(self.spec.hole_reason);
            let all = self.instruments.len() * padded(size_of::<Instrument>());
            if SEGMENT_HEADER_BYTES + all + END_BYTES > self.spec.segment_bytes as usize {
                return Err(self.too_large(all));
            }
            for definition in self.instruments.values() {
                segment.restate(definition)?;
            }
            self.next_ordinal += 1;
            self.segment = Some(segment);
        }
        // Just made, if it was not there.
        self.segment.as_mut().ok_or(BuildError::Full)
    }

    fn end(&mut self, reason: EndReason) -> Result<Option<BuiltSegment>, BuildError> {
        let next = if reason == EndReason::Closed { 0 } else { self.next_ordinal };
        self.segment.take().map(|segment| segment.finish(reason, next)).transpose()
    }

    /// Ends the stream as an orderly close does.
    fn finish(mut self) -> Result<(), BuildError> {
        self.open()?;
        let Some(last) = self.end(EndReason::Closed)? else { return Ok(()) };
        write_control(&self.folder, self.stream, 1, boot_id(), last)
    }
}

/// Writes a control page that says: closed, and durable up to the end of the last segment.
pub(in crate::journal) fn write_control(
    folder: &Path,
    stream: Stream,
    epoch: u64,
    boot_id: [u8; 16],
    last: BuiltSegment,
) -> Result<(), BuildError> {
    let fail = io_at(folder);
    let write = || {
        let control = Control::open_or_create(folder, stream)?;
        let sequence = last.next_sequence - 1;
        control.opened(epoch, last.ordinal, sequence, last.position);
        control.write_durable(DurableSlot {
            epoch,
            sequence,
            ordinal: last.ordinal,
            position: last.position,
            boot_id,
            time_ns: wall_ns(),
            ..DurableSlot::zeroed()
        })?;
        control.closed();
        control.sync()
    };
    write().map_err(fail)
}

/// Writes a new journal: records of both streams in any interleaving, each stream in the order of its sequences.
///
/// It is whole only after [`finish`](Self::finish): before, its control pages are not there, and `verify` says so.
#[derive(Debug)]
pub struct JournalBuilder {
    dir: PathBuf,
    spec: JournalSpec,
    ticks: StreamBuilder,
    raw: Option<StreamBuilder>,
    _lock: LockedFile,
}

impl JournalBuilder {
    /// Begins a journal in a folder that is not there yet, or is empty; takes the writer's lock.
    ///
    /// # Errors
    ///
    /// [`BuildError::Exists`], [`BuildError::SegmentBytes`], [`BuildError::Io`].
    pub fn create(dir: &Path, spec: JournalSpec) -> Result<JournalBuilder, BuildError> {
        let lock = new_folder(dir)?;
        let ticks = StreamBuilder::create(dir, Stream::Ticks, spec)?;
        Ok(JournalBuilder { dir: dir.to_owned(), spec, ticks, raw: None, _lock: lock })
    }

    /// The builder of a stream; `raw` comes into being when it is first asked for.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`].
    pub fn stream(&mut self, stream: Stream) -> Result<&mut StreamBuilder, BuildError> {
        match stream {
            Stream::Ticks => Ok(&mut self.ticks),
            Stream::Raw => {
                if self.raw.is_none() {
                    self.raw = Some(StreamBuilder::create(&self.dir, Stream::Raw, self.spec)?);
                }
                // Just made, if it was not there.
                self.raw.as_mut().ok_or(BuildError::Full)
            }
        }
    }

    /// Appends a record with the sequence it has, see [`StreamBuilder::append`].
    ///
    /// # Errors
    ///
    /// See [`BuildError`]; then nothing was appended.
    pub fn append(&mut self, stream: Stream, record: &[u8]) -> Result<(), BuildError> {
        self.stream(stream)?.append(record)
    }

    /// Ends both streams, waits for the disk, and writes the control pages: the journal is whole and closed, and may be
    /// opened and appended to.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`].
    pub fn finish(self) -> Result<(), BuildError> {
        self.raw.map_or(Ok(()), StreamBuilder::finish)?;
        self.ticks.finish()
    }
}

/// Makes a folder for a new journal and takes its lock; refuses one with anything in it.
pub(in crate::journal) fn new_folder(dir: &Path) -> Result<LockedFile, BuildError> {
    fs::create_dir_all(dir).map_err(io_at(dir))?;
    if fs::read_dir(dir).map_err(io_at(dir))?.next().is_some() {
        return Err(BuildError::Exists(dir.to_owned()));
    }
    take_lock(dir).map_err(|error| match error {
        OpenError::Io { path, source } => BuildError::Io { path, source },
        _ => BuildError::Exists(dir.to_owned()),
    })
}
