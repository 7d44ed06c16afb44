//! A mapped segment: the one place where a journal's bytes are borrowed or written without atomics.
//!
//! The protocol by which both sides agree is [`commit`](super::commit): bytes below a nonzero length word never change
//! again, so they may be borrowed as `&[u8]`; bytes above the writer's position belong to the writer alone.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use super::commit::BadLength;
use super::commit::{self, Claim, Committed, Next, Words, WordsMut};
use super::format::{
    HeaderError, Prepared, SEGMENT_HEADER_BYTES, SegmentHeader, Stream, UncheckedHeader, crc_head, packed_name, padded,
    segment_name,
};
use super::packed::{Packed, PackedError};
use super::walk::Reason;
use crate::simd::Crc32c;
use crate::sys::map::{ReadMap, WriteMap};

/// A segment to read. Any thread, any process, while it is written or long after.
#[derive(Debug)]
pub struct SegmentReader {
    map: ReadMap,
    /// What fills the map on demand, when the file is a compressed one.
    packed: Option<Box<Packed>>,
}

/// The map of a segment as the commit protocol reads it.
impl Words for ReadMap {
    type Record<'a> = &'a [u8];

    #[inline]
    fn len(&self) -> usize {
        ReadMap::len(self)
    }

    #[inline]
    fn load_u32(&self, offset: usize, order: Ordering) -> u32 {
        ReadMap::load_u32(self, offset, order)
    }

    #[inline]
    fn load_u64(&self, offset: usize, order: Ordering) -> u64 {
        ReadMap::load_u64(self, offset, order)
    }

    #[inline]
    fn record(&self, committed: Committed) -> &[u8] {
        let (offset, bytes) = committed.range();
        borrow(self, offset, bytes)
    }
}

impl SegmentReader {
    /// Maps a file.
    ///
    /// # Errors
    ///
    /// Those of opening and mapping it.
    pub fn open(path: &Path) -> io::Result<SegmentReader> {
        Ok(SegmentReader { map: ReadMap::new(&File::open(path)?, usize::MAX)?, packed: None })
    }

    /// Opens a compressed segment (`.seg.zst`): it reads as the segment of full size, and is unpacked a frame at a time,
    /// as far as it is read. A damaged one opens, too, and says so where it is read.
    ///
    /// # Errors
    ///
    /// Those of opening the file and of having the memory.
    pub fn open_packed(path: &Path) -> io::Result<SegmentReader> {
        let (map, packed) = Packed::open(&File::open(path)?)?;
        Ok(SegmentReader { map, packed: Some(Box::new(packed)) })
    }

    /// Opens a segment of a stream's folder, compressed or not.
    ///
    /// # Errors
    ///
    /// Those of opening and mapping it; `NotFound` when it is there in neither form.
    pub fn open_in(folder: &Path, ordinal: u64) -> io::Result<SegmentReader> {
        // The compressed form is complete before the other one goes, so looking in this order never misses both.
        match SegmentReader::open(&folder.join(segment_name(ordinal))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                SegmentReader::open_packed(&folder.join(packed_name(ordinal)))
            }
            opened => opened,
        }
    }

    /// Whether the file is a compressed one.
    pub fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// Bytes a compressed file unpacks to.
    pub(super) fn content_bytes(&self) -> Option<usize> {
        self.packed.as_ref().map(|packed| packed.content_bytes())
    }

    /// What is wrong with the compressed file, as far as it was read.
    pub fn damage(&self) -> Option<PackedError> {
        self.packed.as_ref()?.damage()
    }

    /// Whether the seek table of the compressed file was found damaged, as far as it was read: it was made anew of the
    /// frames, and nothing is lost.
    pub fn has_damaged_table(&self) -> bool {
        self.packed.as_ref().is_some_and(|packed| packed.is_table_mended())
    }

    /// What a length word that no writer wrote means here.
    pub(super) fn reason(&self, bad: BadLength) -> Reason {
        self.damage().map_or(Reason::Length(bad.0), Reason::Packed)
    }

    /// Reads the header as it is.
    ///
    /// # Errors
    ///
    /// When the file is too short to have one.
    pub fn header(&self) -> Result<UncheckedHeader, HeaderError> {
        if let Some(damage) = self.packed.as_ref().and_then(|packed| packed.opening_damage()) {
            return Err(HeaderError::Packed(damage));
        }
        if self.map.len() < SEGMENT_HEADER_BYTES {
            return Err(HeaderError::Short(self.map.len() as u64));
        }
        Ok(commit::header(&self.map))
    }

    /// Reads and checks the header.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn checked_header(&self, stream: Stream, ordinal: u64) -> Result<SegmentHeader, HeaderError> {
        self.header()?.check(stream, ordinal)
    }

    /// Bytes of the file when it was mapped.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether the file had no bytes.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The committed record at an offset: `None` when there is none (yet). Its CRC is not checked here.
    ///
    /// # Errors
    ///
    /// [`BadLength`] when the length word is less than a header or leads out of the file.
    #[inline]
    pub fn record(&self, offset: usize) -> Result<Option<&[u8]>, BadLength> {
        match commit::record(&self.map, offset) {
            Ok(None) => match &self.packed {
                None => Ok(None),
                Some(packed) => self.unpack(packed, offset),
            },
            found => found,
        }
    }

    /// Unpacks what lies at an offset, once. Records never straddle frames: a length word that is there means that its
    /// record is.
    #[cold]
    #[inline(never)]
    fn unpack(&self, packed: &Packed, offset: usize) -> Result<Option<&[u8]>, BadLength> {
        if !offset.is_multiple_of(8) || offset >= packed.content_bytes() {
            return Ok(None);
        }
        let filled = packed.fill_at(&self.map, offset);
        // Looked at again whatever came of it: another thread may have filled it, or the damage lies further on.
        if self.map.load_u32(offset, Ordering::Acquire) != 0 {
            return self.record(offset);
        }
        filled.map(|_| None).map_err(|_| BadLength(0))
    }

    /// Bytes of a segment that ended, where nobody writes any more: for digests and copies. `None` when they would lead
    /// out of it, or could not be unpacked.
    pub(super) fn settled(&self, from: usize, to: usize) -> Option<&[u8]> {
        if let Some(packed) = &self.packed {
            packed.fill_all(&self.map).ok()?;
        }
        (from <= to && to <= self.map.len()).then(|| borrow(&self.map, from, to - from))
    }

    /// Unpacks what can be of a compressed segment, so that what is good of a damaged one can be searched for.
    pub(super) fn unpack_what_can_be(&self) {
        if let Some(packed) = &self.packed {
            packed.fill_what_can_be(&self.map, true);
        }
    }

    /// Bytes of a record that may not be one: for the search behind a bad record in a segment nobody writes.
    /// `None` when they would lead out of the file.
    pub(super) fn candidate(&self, offset: usize, bytes: usize) -> Option<&[u8]> {
        (padded(bytes) <= self.map.len().checked_sub(offset)?).then(|| borrow(&self.map, offset, bytes))
    }

    /// The word at an offset, a multiple of eight inside the file.
    pub(super) fn word(&self, offset: usize) -> u64 {
        self.map.load_u64(offset, Ordering::Relaxed)
    }

    /// Tells the kernel that the segment will be read once, front to back.
    pub(super) fn advise_sequential(&self) {
        self.map.advise_sequential();
    }

    /// Maps pages in ahead of use.
    pub(super) fn populate(&self, offset: usize, bytes: usize) {
        // Of a compressed one nothing is there before it is unpacked.
        if self.packed.is_none() {
            // Advice: without it the first reads only fault.
            let _ = self.map.populate_read(offset, bytes);
        }
    }

    /// Offset behind the last word below `to` that is not zero, at least `from`, a multiple of eight.
    ///
    /// NB: from front to back, though the answer lies at the back: the kernel reads ahead in that direction only, and
    /// going backwards over pages never touched was measured at 100 µs a page.
    pub(super) fn last_nonzero(&self, from: usize, to: usize) -> usize {
        let mut end = from;
        let bytes = match &self.packed {
            None => to.min(self.map.len()),
            // Behind what is stored there is nothing. A damaged frame hides nothing that stands behind it.
            Some(packed) => {
                packed.fill_what_can_be(&self.map, false);
                packed.content_bytes().min(self.map.len())
            }
        };
        for offset in (from..bytes / 8 * 8).step_by(8) {
            if self.word(offset) != 0 {
                end = offset + 8;
            }
        }
        end
    }
}

#[inline]
fn borrow(map: &ReadMap, offset: usize, bytes: usize) -> &[u8] {
    debug_assert!(offset + bytes <= map.len());
    // SAFETY: callers keep the range inside the map.
    let start = unsafe { map.as_ptr().add(offset) };
    // SAFETY: the range is mapped as long as `map` is borrowed, and files never shrink. Below a nonzero length word
    // nobody writes any more (a `Committed` proves it); `candidate` is used where nobody writes at all.
    unsafe { std::slice::from_raw_parts(start, bytes) }
}

/// A segment to write: the one value that may write its records. It can't be cloned; the helper shares only the map,
/// for page advice.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    map: Arc<WriteMap>,
    crc: Crc32c,
    prepared: Prepared,
}

impl SegmentWriter {
    /// Takes over a map of a whole segment whose header says `prepared`. The caller made the file or holds the
    /// journal's lock, and makes one `SegmentWriter` of it.
    pub(super) fn new(map: Arc<WriteMap>, prepared: Prepared) -> SegmentWriter {
        SegmentWriter { map, crc: Crc32c::new(), prepared }
    }

    /// The part of the header written when the segment was made.
    pub(super) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Bytes of the segment.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// The map, for page advice and sync.
    pub(super) fn map(&self) -> &Arc<WriteMap> {
        &self.map
    }

    /// Writes and commits the record that consists of `head` (from its header on, the words `length` and `crc32c` not
    /// looked at) and `tail`, at an offset where nothing is committed. Returns the offset behind it.
    ///
    /// Each byte is read once from the source, never from the segment.
    ///
    /// # Panics
    ///
    /// When the record does not fit, or `offset` is no multiple of eight, or `head` is shorter than a header.
    #[inline]
    pub(super) fn commit(&mut self, offset: usize, head: &[u8], tail: &[u8]) -> usize {
        let salt = self.prepared.salt;
        commit::commit(self, salt, offset, head, tail)
    }

    /// Writes what activation adds to the header and publishes the segment.
    pub(super) fn activate(&mut self, base_sequence: u64, trading_date: u32) {
        let prepared = self.prepared;
        commit::activate(self, &prepared, base_sequence, trading_date);
    }

    /// Commits `end`, the last record of this segment, at an offset, then publishes the next segment, which goes on
    /// with `base_sequence`. Returns the offset behind the end.
    pub(super) fn roll(
        &mut self,
        offset: usize,
        end: &[u8],
        next: &mut SegmentWriter,
        base_sequence: u64,
        trading_date: u32,
    ) -> usize {
        let (salt, prepared) = (self.prepared.salt, next.prepared);
        commit::roll(self, salt, offset, end, next, Next { prepared: &prepared, base_sequence, trading_date })
    }

    /// Sets a range to zero: a torn tail, after it was copied away. The caller holds the journal's lock.
    pub(super) fn zero(&mut self, from: usize, to: usize) {
        for offset in (from..to).step_by(8) {
            self.map.store_u64(offset, 0, Ordering::Relaxed);
        }
    }

    #[inline]
    fn place(&mut self, offset: usize, bytes: usize) -> &mut [u8] {
        debug_assert!(offset + bytes <= self.map.len());
        // SAFETY: a `Claim` lies inside the map.
        let start = unsafe { self.map.as_mut_ptr().add(offset) };
        // SAFETY: mapped as long as `self` is borrowed; no reader looks at bytes above a zero length word, no other
        // writer exists (this value is not `Clone`, the journal's lock keeps other processes out), and the helper's
        // page advice changes no byte.
        unsafe { std::slice::from_raw_parts_mut(start, bytes) }
    }
}

/// The map of a segment as the commit protocol writes it.
impl WordsMut for SegmentWriter {
    #[inline]
    fn len(&self) -> usize {
        self.map.len()
    }

    #[inline]
    fn store_u32(&mut self, offset: usize, value: u32, order: Ordering) {
        self.map.store_u32(offset, value, order);
    }

    #[inline]
    fn store_u64(&mut self, offset: usize, value: u64, order: Ordering) {
        self.map.store_u64(offset, value, order);
    }

    /// Each byte is read once from the source, never from the segment.
    #[inline]
    fn fill(&mut self, claim: Claim, salt: u32, head: &[u8], tail: &[u8]) -> u32 {
        let (offset, bytes) = claim.range();
        let checksum = self.crc;
        let mut crc = checksum.checksum(0, &crc_head(salt, bytes as u32));
        let (place_head, place_tail) = self.place(offset + 8, bytes - 8).split_at_mut(head.len() - 8);
        crc = checksum.copy_checksum(crc, &head[8..], place_head);
        if !tail.is_empty() {
            crc = checksum.copy_checksum(crc, tail, place_tail);
        }
        crc
    }
}
