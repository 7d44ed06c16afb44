//! A mapped segment: the one place where a journal's bytes are borrowed or written without atomics.
//!
//! The commit protocol. A record's bytes from offset 4 on are written while its length word is zero; then the length is
//! stored with Release (SYNC POINT A). A reader loads the length with Acquire (SYNC POINT B, partner of A): not zero
//! means that all bytes of the record are there and will never change again. So bytes below a nonzero length word may
//! be borrowed as `&[u8]`, and bytes above the writer's position belong to the writer alone. The same holds for the
//! state word of the header (SYNC POINT C and D), which publishes what activation wrote.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::format::{
    ACTIVATION_OFFSET, Activation, HeaderError, Prepared, SEGMENT_HEADER_BYTES, STATE_ACTIVE, STATE_OFFSET,
    SegmentHeader, Stream, UncheckedHeader, crc_head, padded,
};
use crate::simd::Crc32c;
use crate::sys::map::{ReadMap, WriteMap};
use crate::tick::HEADER_BYTES;

/// A segment to read. Any thread, any process, while it is written or long after.
#[derive(Debug)]
pub struct SegmentReader {
    map: ReadMap,
}

/// A length word that no writer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLength(pub u32);

impl SegmentReader {
    /// Maps a file.
    ///
    /// # Errors
    ///
    /// Those of opening and mapping it.
    pub fn open(path: &Path) -> io::Result<SegmentReader> {
        Ok(SegmentReader { map: ReadMap::new(&File::open(path)?, usize::MAX)? })
    }

    /// Reads the header as it is.
    ///
    /// # Errors
    ///
    /// When the file is too short to have one.
    pub fn header(&self) -> Result<UncheckedHeader, HeaderError> {
        if self.map.len() < SEGMENT_HEADER_BYTES {
            return Err(HeaderError::Short(self.map.len() as u64));
        }
        let mut prepared: Prepared = bytemuck::zeroed();
        let mut activation: Activation = bytemuck::zeroed();
        // SYNC POINT D, partner of C: an active segment's activation is there.
        let state = self.map.load_u32(STATE_OFFSET, Ordering::Acquire);
        self.map.copy_to(0, bytemuck::bytes_of_mut(&mut prepared));
        self.map.copy_to(ACTIVATION_OFFSET, bytemuck::bytes_of_mut(&mut activation));
        Ok(UncheckedHeader { prepared, activation, state })
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
        if !offset.is_multiple_of(8) || offset.saturating_add(HEADER_BYTES) > self.map.len() {
            return Ok(None);
        }
        // SYNC POINT B, partner of A: the record's bytes are there.
        let length = self.map.load_u32(offset, Ordering::Acquire);
        if length == 0 {
            return Ok(None);
        }
        let bytes = length as usize;
        if bytes < HEADER_BYTES || padded(bytes) > self.map.len() - offset {
            return Err(BadLength(length));
        }
        Ok(Some(self.borrow(offset, bytes)))
    }

    /// Bytes of a record that may not be one: for the search behind a bad record in a segment nobody writes.
    /// `None` when they would lead out of the file.
    pub(super) fn candidate(&self, offset: usize, bytes: usize) -> Option<&[u8]> {
        (padded(bytes) <= self.map.len().checked_sub(offset)?).then(|| self.borrow(offset, bytes))
    }

    /// The word at an offset, a multiple of eight inside the file.
    pub(super) fn word(&self, offset: usize) -> u64 {
        self.map.load_u64(offset, Ordering::Relaxed)
    }

    /// Tells the kernel that the segment will be read once, front to back.
    pub(super) fn advise_sequential(&self) {
        self.map.advise_sequential();
    }

    /// Maps the first pages in ahead of use.
    pub(super) fn populate_head(&self, bytes: usize) {
        // Advice: without it the first reads only fault.
        let _ = self.map.populate_read(0, bytes);
    }

    /// Offset behind the last word below `to` that is not zero, at least `from`, a multiple of eight.
    ///
    /// NB: from front to back, though the answer lies at the back: the kernel reads ahead in that direction only, and
    /// going backwards over pages never touched was measured at 100 µs a page.
    pub(super) fn last_nonzero(&self, from: usize, to: usize) -> usize {
        let mut end = from;
        for offset in (from..to.min(self.map.len()) / 8 * 8).step_by(8) {
            if self.word(offset) != 0 {
                end = offset + 8;
            }
        }
        end
    }

    #[inline]
    fn borrow(&self, offset: usize, bytes: usize) -> &[u8] {
        debug_assert!(offset + bytes <= self.map.len());
        // SAFETY: callers keep the range inside the map.
        let start = unsafe { self.map.as_ptr().add(offset) };
        // SAFETY: the range is mapped as long as `self` is borrowed, and files never shrink. Below a nonzero length word
        // nobody writes any more (module documentation); `candidate` is used where nobody writes at all.
        unsafe { std::slice::from_raw_parts(start, bytes) }
    }
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
        let bytes = head.len() + tail.len();
        let end = offset + padded(bytes);
        assert!(offset.is_multiple_of(8) && head.len() >= HEADER_BYTES && end <= self.map.len());
        let length = bytes as u32;
        let checksum = self.crc;
        let mut crc = checksum.checksum(0, &crc_head(self.prepared.salt, length));
        let (place_head, place_tail) = self.place(offset + 8, bytes - 8).split_at_mut(head.len() - 8);
        crc = checksum.copy_checksum(crc, &head[8..], place_head);
        if !tail.is_empty() {
            crc = checksum.copy_checksum(crc, tail, place_tail);
        }
        self.map.store_u32(offset + 4, crc, Ordering::Relaxed);
        // SYNC POINT A, partner of B: publishes the record.
        self.map.store_u32(offset, length, Ordering::Release);
        end
    }

    /// Writes what activation adds to the header and publishes the segment.
    pub(super) fn activate(&mut self, base_sequence: u64, trading_date: u32) {
        let mut activation = Activation { base_sequence, trading_date, activation_crc: 0 };
        activation.activation_crc = activation.crc(&self.prepared);
        self.map.copy_from(ACTIVATION_OFFSET, bytemuck::bytes_of(&activation));
        // SYNC POINT C, partner of D.
        self.map.store_u32(STATE_OFFSET, STATE_ACTIVE, Ordering::Release);
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
        // SAFETY: `commit` keeps the range inside the map.
        let start = unsafe { self.map.as_mut_ptr().add(offset) };
        // SAFETY: mapped as long as `self` is borrowed; no reader looks at bytes above a zero length word, no other
        // writer exists (this value is not `Clone`, the journal's lock keeps other processes out), and the helper's
        // page advice changes no byte.
        unsafe { std::slice::from_raw_parts_mut(start, bytes) }
    }
}
