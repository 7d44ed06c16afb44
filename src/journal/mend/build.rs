//! Writing journals offline: whole segments with given sequences, by repairs, salvages and exports.
//!
//! Nothing here is hot and nothing is live: a segment is filled under another name, synced, and renamed when it is
//! complete, so that its name never stands for half of one. Each ends with an `End`. Where the sequences of the records
//! given jump, a [`Hole`] record says so.
//!
//! ```
//! use hoga::journal::build::{JournalBuilder, JournalSpec};
//! use hoga::journal::{Journal, JournalConfig, Start, Stream, Tailer};
//! use hoga::tick::{RType, Trade};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path().join("journal");
//! let mut journal = JournalBuilder::create(&dir, JournalSpec { segment_bytes: 1 << 20, ..JournalSpec::default() })?;
//! let mut trade = Trade::UNDEF;
//! trade.header.length = size_of::<Trade>() as u32;
//! trade.header.rtype = RType::Trade as u8;
//! for sequence in [7, 8, 12] {
//!     trade.header.sequence = sequence;
//!     journal.append(Stream::Ticks, bytemuck::bytes_of(&trade))?;
//! }
//! journal.finish()?;
//!
//! let mut kinds = Vec::new();
//! Tailer::open(&dir, Stream::Ticks, Start::Beginning)?.poll(9, |record| kinds.push(record.header().rtype))?;
//! assert_eq!(kinds, [1, 1, RType::Hole as u8, 1], "9, 10 and 11 are said to be missing");
//! let config = JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) };
//! assert_eq!(Journal::open(&dir, config)?.ticks.next_sequence(), 13);
//! # Ok(())
//! # }
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytemuck::Zeroable as _;

use crate::clock::wall_ns;
use crate::journal::format::{
    END_BYTES, FORMAT_MAJOR, FORMAT_MINOR, Prepared, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_GRAIN,
    SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, STATE_OFFSET, STATE_PREPARED, Stream, padded, segment_name,
};
use crate::journal::segment::SegmentWriter;
use crate::journal::walk::{hole, is_unnumbered};
use crate::journal::writer::end_record;
use crate::sys::file::{allocate, monotonic_ns, random_u32, sync_file, sync_folder};
use crate::sys::map::WriteMap;
use crate::tick::{EndReason, Flags, HEADER_BYTES, Header, Hole, HoleReason, Instrument, RECORD_VERSION, RType};

pub use crate::journal::build_journal::{JournalBuilder, JournalSpec, StreamBuilder};

/// Bytes of a `Hole` in a segment.
pub const HOLE_BYTES: usize = padded(size_of::<Hole>());

/// Why an offline writer can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The record does not fit behind the others; a [`StreamBuilder`] goes on in a new segment by itself.
    #[error("the segment is full")]
    Full,
    /// The record does not fit in a whole segment.
    #[error("a record of {bytes} bytes does not fit in a segment of {segment_bytes}: choose larger segments")]
    TooLarge {
        /// Of the record.
        bytes: usize,
        /// Of a segment.
        segment_bytes: u64,
    },
    /// Less than a header, or its length word is not its length, or an `End`, which the builder writes itself.
    #[error("not a record: its length or kind can't be")]
    BadRecord,
    /// The sequence was there already.
    #[error("record {found} comes where {expected} or a later one follows")]
    Sequence {
        /// Of the record.
        found: u64,
        /// The lowest that may come.
        expected: u64,
    },
    /// A size segments can't have.
    #[error("segments of {0} bytes can't be: choose a multiple of 4096 from 8192 to 2147483648")]
    SegmentBytes(u64),
    /// There is something in the folder already.
    #[error("{0} exists and is not empty: name a new folder")]
    Exists(PathBuf),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

pub(in crate::journal) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    |source| BuildError::Io { path: path.to_owned(), source }
}

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpec {
    /// Its stream.
    pub stream: Stream,
    /// Its number in the stream, from 1.
    pub ordinal: u64,
    /// Opening of the journal it belongs to, from 1.
    pub epoch: u64,
    /// Boot of the kernel under which its records were written.
    pub boot_id: [u8; 16],
    /// Decimal YYYYMMDD; 0 = not told.
    pub trading_date: u32,
    /// Sequence of its first numbered record, or of the first one lost.
    pub base_sequence: u64,
    /// Bytes of the file: a multiple of 4096 from 8192 to 2^31.
    pub segment_bytes: u64,
}

/// Writes one segment file. Dropped before [`finish`](Self::finish) nothing of it stays.
#[derive(Debug)]
pub struct SegmentBuilder {
    spec: SegmentSpec,
    segment: SegmentWriter,
    file: File,
    folder: PathBuf,
    fresh: PathBuf,
    position: usize,
    next_sequence: u64,
    market_records: u64,
    restated_bytes: usize,
    restated_count: u32,
    hole_reason: HoleReason,
    finished: bool,
}

/// A segment that is complete and durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltSegment {
    /// Its number.
    pub ordinal: u64,
    /// Sequence that follows its last record.
    pub next_sequence: u64,
    /// Offset behind its `End`.
    pub position: u64,
}

impl SegmentBuilder {
    /// Makes the file, allocated for real, under a temporary name in the stream's folder. The caller holds the
    /// journal's lock, or the journal is not there for anyone else yet.
    ///
    /// # Errors
    ///
    /// [`BuildError::SegmentBytes`], [`BuildError::Io`].
    pub fn create(folder: &Path, spec: SegmentSpec) -> Result<SegmentBuilder, BuildError> {
        let bytes = spec.segment_bytes;
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(SEGMENT_GRAIN) {
            return Err(BuildError::SegmentBytes(bytes));
        }
        let fresh = folder.join(segment_name(spec.ordinal)).with_extension("seg.tmp");
        let open = || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh)?;
            allocate(&file, bytes)?;
            let map = Arc::new(WriteMap::new(&file)?);
            let prepared = Prepared {
                magic: SEGMENT_MAGIC,
                format_major: FORMAT_MAJOR,
                format_minor: FORMAT_MINOR,
                header_bytes: SEGMENT_HEADER_BYTES as u32,
                stream: spec.stream.number(),
                salt: random_u32()?,
                ordinal: spec.ordinal,
                epoch: spec.epoch,
                segment_bytes: bytes,
                boot_id: spec.boot_id,
                anchor_realtime_ns: wall_ns(),
                anchor_monotonic_ns: monotonic_ns(),
                ..Prepared::zeroed()
            };
            Ok((file, SegmentWriter::new(map, prepared)))
        };
        let (file, segment) = open().map_err(|source| {
            // The room it took may be what is missing.
            let _ = fs::remove_file(&fresh);
            BuildError::Io { path: fresh.clone(), source }
        })?;
        Ok(SegmentBuilder {
            spec,
            segment,
            file,
            folder: folder.to_owned(),
            fresh,
            position: SEGMENT_HEADER_BYTES,
            next_sequence: spec.base_sequence,
            market_records: 0,
            restated_bytes: 0,
            restated_count: 0,
            hole_reason: HoleReason::Damaged,
            finished: false,
        })
    }

    /// What holes say that [`append`](Self::append) writes where sequences jump; at first [`HoleReason::Damaged`].
    pub fn with_hole_reason(mut self, reason: HoleReason) -> SegmentBuilder {
        self.hole_reason = reason;
        self
    }

    /// The sequence the next numbered record has, if nothing is lost before it.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Whether a record of that many bytes fits, with a hole before it.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.position + padded(bytes) + HOLE_BYTES + END_BYTES <= self.segment.len()
    }

    /// Says a definition again that was declared before this segment.
    ///
    /// # Errors
    ///
    /// [`BuildError::Full`].
    pub fn restate(&mut self, definition: &Instrument) -> Result<(), BuildError> {
        let mut record = *definition;
        record.header.length = size_of::<Instrument>() as u32;
        record.header.sequence = 0;
        record.header.flags |= Flags::RESTATED;
        record.header.rtype = RType::Instrument as u8;
        let at_front = self.position == SEGMENT_HEADER_BYTES + self.restated_bytes;
        self.commit(bytemuck::bytes_of(&record))?;
        if at_front {
            self.restated_count += 1;
            self.restated_bytes = self.position - SEGMENT_HEADER_BYTES;
        }
        Ok(())
    }

    /// Appends a record with the sequence it has; a [`Hole`] comes before it where that is not the next. Restated
    /// definitions and holes given are taken as they are. The checksum is computed anew.
    ///
    /// # Errors
    ///
    /// [`BuildError::Full`], [`BuildError::BadRecord`], [`BuildError::Sequence`]; then nothing was appended.
    pub fn append(&mut self, record: &[u8]) -> Result<(), BuildError> {
        let Some(head) = record.get(..HEADER_BYTES) else { return Err(BuildError::BadRecord) };
        let head: Header = bytemuck::pod_read_unaligned(head);
        if head.length as usize != record.len() || head.rtype == RType::End as u8 {
            return Err(BuildError::BadRecord);
        }
        if !self.has_room(record.len()) {
            return Err(BuildError::Full);
        }
        if is_unnumbered(&head) {
            if let (true, Some(hole)) = (head.rtype == RType::Hole as u8, hole(record)) {
                return self.hole_of(hole);
            }
            return self.commit(record);
        }
        if head.sequence < self.next_sequence {
            return Err(BuildError::Sequence { found: head.sequence, expected: self.next_sequence });
        }
        if head.sequence > self.next_sequence {
            self.hole(head.sequence - 1, 0, self.hole_reason)?;
        }
        self.commit(record)?;
        self.next_sequence = head.sequence + 1;
        self.market_records += u64::from(head.rtype < RType::Instrument as u8);
        Ok(())
    }

    /// Says that the records from the next sequence to `last_sequence`, which took `bytes` bytes (0: not known), are
    /// lost. `last_sequence` = the next sequence - 1: bytes are, but no record is known to be.
    ///
    /// # Errors
    ///
    /// [`BuildError::Full`], [`BuildError::Sequence`].
    pub fn hole(&mut self, last_sequence: u64, bytes: u64, reason: HoleReason) -> Result<(), BuildError> {
        let mut hole = Hole::zeroed();
        hole.header.ts_recv = wall_ns();
        hole.header.version = RECORD_VERSION;
        (hole.first_sequence, hole.last_sequence) = (self.next_sequence, last_sequence);
        (hole.bytes, hole.reason) = (bytes, reason as u8);
        self.hole_of(hole)
    }

    fn hole_of(&mut self, mut hole: Hole) -> Result<(), BuildError> {
        let next = hole.last_sequence.checked_add(1).filter(|next| *next >= self.next_sequence);
        let Some(next) = next.filter(|_| hole.first_sequence >= self.next_sequence) else {
            return Err(BuildError::Sequence { found: hole.first_sequence, expected: self.next_sequence });
        };
        // What is missing before a hole is missing with it.
        hole.first_sequence = self.next_sequence;
        hole.header.length = size_of::<Hole>() as u32;
        hole.header.sequence = 0;
        hole.header.rtype = RType::Hole as u8;
        self.commit(bytemuck::bytes_of(&hole))?;
        self.next_sequence = next;
        Ok(())
    }

    fn commit(&mut self, record: &[u8]) -> Result<(), BuildError> {
        if self.position + padded(record.len()) + END_BYTES > self.segment.len() {
            return Err(BuildError::Full);
        }
        self.position = self.segment.commit(self.position, record, &[]);
        Ok(())
    }

    /// Ends the segment, waits for the disk and gives it its name, in the place of a file that has it.
    /// `next_ordinal` as in [`End`](crate::tick::End): 0 when the stream is closed with it.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`]; nothing of it stays then.
    pub fn finish(self, reason: EndReason, next_ordinal: u64) -> Result<BuiltSegment, BuildError> {
        self.finish_with(reason, next_ordinal, &mut |_, _| Ok(()))
    }

    /// As [`finish`](Self::finish); `before` is told the file, complete and on the disk, and the bytes in it, before it
    /// gets its name.
    pub(in crate::journal) fn finish_with(
        mut self,
        reason: EndReason,
        next_ordinal: u64,
        before: &mut dyn FnMut(&Path, u64) -> io::Result<()>,
    ) -> Result<BuiltSegment, BuildError> {
        let end = end_record(next_ordinal, self.market_records, reason);
        // Room for it was kept by every commit.
        self.position = self.segment.commit(self.position, bytemuck::bytes_of(&end), &[]);
        let mut prepared = *self.segment.prepared();
        prepared.restated_bytes = self.restated_bytes as u32;
        prepared.restated_count = self.restated_count;
        prepared.prepared_crc = prepared.crc();
        let map = Arc::clone(self.segment.map());
        map.copy_from(0, bytemuck::bytes_of(&prepared));
        map.store_u32(STATE_OFFSET, STATE_PREPARED, Ordering::Release);
        self.segment = SegmentWriter::new(Arc::clone(&map), prepared);
        self.segment.activate(self.spec.base_sequence, self.spec.trading_date);
        let path = self.folder.join(segment_name(self.spec.ordinal));
        let mut durable = || {
            map.sync(0, map.len())?;
            sync_file(&self.file)?;
            before(&self.fresh, self.position as u64)?;
            fs::rename(&self.fresh, &path)?;
            sync_folder(&self.folder)
        };
        durable().map_err(io_at(&path))?;
        self.finished = true;
        let (ordinal, next_sequence) = (self.spec.ordinal, self.next_sequence);
        Ok(BuiltSegment { ordinal, next_sequence, position: self.position as u64 })
    }
}

impl Drop for SegmentBuilder {
    fn drop(&mut self) {
        if !self.finished {
            // If it stays, the next opening of the journal removes it.
            let _ = fs::remove_file(&self.fresh);
        }
    }
}
