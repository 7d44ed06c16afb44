//! Compressed segments: packing a sealed one, and unpacking a frame at a time into memory that reads as the segment.
//!
//! Frames are cut at records, so that a record is there whole or not at all, and each record's checksum is held against
//! its bytes when its frame is unpacked: a damaged file is refused, never read. The seek table only says where the frames
//! lie: a damaged one is made anew by walking them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use zeekstd::{EncodeOptions, FrameSizePolicy, OffsetFrom, SeekTable, Seekable};
use zstd_safe::DCtx;

use crate::journal::format::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, padded, record_crc};
use crate::journal::segment::SegmentReader;
use crate::sys::map::{PAGE_BYTES, ReadMap};
use crate::tick::{HEADER_BYTES, Header, RType};

/// Bytes of records in a frame, about: small enough that a seek unpacks in a fraction of a millisecond, large enough to
/// compress well.
const FRAME_BYTES: usize = 256 << 10;
/// Level of zstd: packed once on a cold thread, kept for years.
const LEVEL: i32 = 9;
/// Bytes of the footer of a seek table: number of frames, a descriptor, a magic number.
const FOOTER_BYTES: u64 = 9;
/// How a frame of zstd begins; the seek table is in one of another magic, which decoders skip.
const FRAME_MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// What is wrong with a compressed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackedError {
    /// No seek table at the end: cut short, or not in the seekable form.
    #[error("the compressed file has no whole seek table at its end: it was cut short or is not in the seekable form")]
    SeekTable,
    /// Sizes that can't be.
    #[error("the compressed file's seek table tells of {frames} frames with {content_bytes} bytes: that is no segment")]
    Sizes {
        /// Frames.
        frames: u32,
        /// Bytes of all.
        content_bytes: u64,
    },
    /// A frame can't be unpacked.
    #[error("frame {frame} of the compressed file can't be unpacked")]
    Frame {
        /// Its index, from 0.
        frame: u32,
    },
    /// A frame holds what is no row of good records.
    #[error("frame {frame} of the compressed file holds a bad record at offset {offset} of the segment")]
    Record {
        /// Its index, from 0.
        frame: u32,
        /// Where, in the segment.
        offset: u64,
    },
}

/// Packs the first `end` bytes of a segment that ended, frame by frame at records.
pub(in crate::journal) fn pack(reader: &SegmentReader, end: usize, out: impl Write) -> io::Result<u64> {
    let other = |error: zeekstd::Error| io::Error::other(format!("zstd: {error}"));
    let options = EncodeOptions::new()
        // Frames are ended by hand; this is only a bound.
        .frame_size_policy(FrameSizePolicy::Uncompressed(1 << 30))
        .checksum_flag(true)
        .compression_level(LEVEL);
    let mut encoder = options.into_encoder(out).map_err(other)?;
    let (mut begin, mut offset) = (0, SEGMENT_HEADER_BYTES);
    while offset < end {
        let record = reader.record(offset).ok().flatten();
        let record = record.ok_or_else(|| io::Error::other(format!("no record at offset {offset}")))?;
        offset += padded(record.len());
        if offset - begin < FRAME_BYTES && offset < end {
            continue;
        }
        let bytes = reader.settled(begin, offset).ok_or_else(|| io::Error::other("the segment ended early"))?;
        let mut done = 0;
        while done < bytes.len() {
            match encoder.compress(&bytes[done..]).map_err(other)? {
                0 => return Err(io::Error::other("zstd made no progress")),
                taken => done += taken,
            }
        }
        begin = offset;
        if offset < end {
            // The last one is ended by `finish`.
            encoder.end_frame().map_err(other)?;
        }
    }
    encoder.finish().map_err(other)
}

/// Fills the map of a compressed segment.
pub(in crate::journal) struct Packed {
    inner: Mutex<Inner>,
    /// A number alone: it changes once at most, when the seek table turns out to be damaged.
    content_bytes: AtomicUsize,
    /// Why not even the header could be unpacked.
    opening_damage: Option<PackedError>,
}

struct Inner {
    file: File,
    /// `None` when the file can't be used at all.
    table: Option<SeekTable>,
    /// Whether the table was held against the frames.
    is_table_checked: bool,
    /// Whether the file's own table is damaged, and this one made of the frames.
    is_table_mended: bool,
    decompressor: DCtx<'static>,
    filled: Vec<bool>,
    packed: Vec<u8>,
    frame: Vec<u8>,
    /// `None`: the header that tells it can't be unpacked.
    salt: Option<u32>,
    /// What is wrong with frames that were looked at.
    faults: BTreeMap<u32, PackedError>,
    /// What was found first.
    damage: Option<PackedError>,
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("content_bytes", &self.content_bytes).finish_non_exhaustive()
    }
}

impl Packed {
    /// Reads the seek table and unpacks the first frame, the header in it.
    pub(in crate::journal) fn open(file: &File) -> io::Result<(ReadMap, Packed)> {
        let mut inner = Inner {
            file: file.try_clone()?,
            table: None,
            is_table_checked: false,
            is_table_mended: false,
            decompressor: DCtx::create(),
            filled: Vec::new(),
            packed: Vec::new(),
            frame: Vec::new(),
            salt: None,
            faults: BTreeMap::new(),
            damage: None,
        };
        let opened = inner.begin()?;
        // Without its header nobody reads the segment, but what is good in the other frames can be searched for.
        let content_bytes = inner.content_bytes();
        let segment_bytes = opened.unwrap_or(content_bytes.next_multiple_of(PAGE_BYTES).max(PAGE_BYTES));
        let map = ReadMap::anonymous(segment_bytes)?;
        let opening_damage = match opened {
            Ok(_) => {
                // A bad record in the first frame is found again where it is read.
                let _ = inner.note(0, inner.publish(&map, 0));
                None
            }
            Err(damage) => {
                inner.damage = Some(damage);
                Some(damage)
            }
        };
        let content_bytes = AtomicUsize::new(content_bytes);
        Ok((map, Packed { inner: Mutex::new(inner), content_bytes, opening_damage }))
    }

    pub(in crate::journal) fn content_bytes(&self) -> usize {
        self.content_bytes.load(Ordering::Relaxed)
    }

    pub(in crate::journal) fn opening_damage(&self) -> Option<PackedError> {
        self.opening_damage
    }

    pub(in crate::journal) fn damage(&self) -> Option<PackedError> {
        self.locked().damage
    }

    /// Whether the seek table was found damaged, and made anew of the frames to read on: nothing is lost.
    pub(in crate::journal) fn is_table_mended(&self) -> bool {
        self.locked().is_table_mended
    }

    /// Unpacks the frame an offset lies in: `false` when nothing new came of it.
    pub(in crate::journal) fn fill_at(&self, map: &ReadMap, offset: usize) -> Result<bool, PackedError> {
        if offset >= self.content_bytes() {
            return Ok(false);
        }
        let mut inner = self.locked();
        let filled = inner.fill_at(map, offset);
        self.content_bytes.store(inner.content_bytes(), Ordering::Relaxed);
        filled
    }

    /// Unpacks everything.
    pub(in crate::journal) fn fill_all(&self, map: &ReadMap) -> Result<(), PackedError> {
        let mut inner = self.locked();
        let mut frame = 0;
        while (frame as usize) < inner.filled.len() {
            inner.fill(map, frame)?;
            frame += 1;
        }
        self.content_bytes.store(inner.content_bytes(), Ordering::Relaxed);
        inner.damage.map_or(Ok(()), Err)
    }

    /// Unpacks every frame that can be, whatever the others are. `unchecked`: for a search that checks each record
    /// itself; of a damaged frame what came out of it, be it no row of records.
    pub(in crate::journal) fn fill_what_can_be(&self, map: &ReadMap, unchecked: bool) {
        let mut inner = self.locked();
        let mut frame = 0;
        while (frame as usize) < inner.filled.len() {
            // The damage is remembered.
            if inner.fill(map, frame).is_err() && unchecked {
                inner.put_unchecked(map, frame);
            }
            frame += 1;
        }
        self.content_bytes.store(inner.content_bytes(), Ordering::Relaxed);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Whoever panicked in there left flags that are true at worst of frames that are not: those read as not there.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    /// Bytes of the content, as far as the seek table is there to tell.
    fn content_bytes(&self) -> usize {
        self.table.as_ref().map_or(0, |table| table.size_decomp() as usize)
    }

    /// Reads the seek table and the first frame; returns the bytes of the segment.
    fn begin(&mut self) -> io::Result<Result<usize, PackedError>> {
        let found = match table_of(&self.file)? {
            Ok(table) => {
                self.set_table(table);
                self.begin_segment()
            }
            Err(damage) => Err(damage),
        };
        match found {
            Err(_) if self.mend_table(usize::MAX) => Ok(self.begin_segment()),
            found => Ok(found),
        }
    }

    /// Unpacks the first frame: its header says how many bytes the segment has.
    fn begin_segment(&mut self) -> Result<usize, PackedError> {
        self.unpack(0)?;
        let content_bytes = self.content_bytes() as u64;
        let frames = self.filled.len() as u32;
        let sizes = PackedError::Sizes { frames, content_bytes };
        let word = |offset: usize| self.frame.get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok());
        let (Some(salt), Some(segment_bytes)) = (word(16), word(40)) else { return Err(sizes) };
        let salt = (u64::from_le_bytes(salt) >> 32) as u32;
        let segment_bytes = u64::from_le_bytes(segment_bytes);
        let fits = (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes) && content_bytes <= segment_bytes;
        if !fits || self.frame.len() < SEGMENT_HEADER_BYTES {
            return Err(sizes);
        }
        self.salt = Some(salt);
        Ok(segment_bytes as usize)
    }

    fn set_table(&mut self, table: SeekTable) {
        self.filled.resize(table.num_frames() as usize, false);
        self.table = Some(table);
    }

    /// Holds the seek table against the frames, once, and puts one made of them in its place if it is another. `false`
    /// when that changes nothing, when frames are damaged, too, or when something was read by the damaged table that lies
    /// elsewhere.
    fn mend_table(&mut self, content_bytes_max: usize) -> bool {
        if std::mem::replace(&mut self.is_table_checked, true) {
            return false;
        }
        let Some(table) = table_of_frames(&self.file, &mut self.decompressor) else { return false };
        if table.size_decomp() as usize > content_bytes_max || self.table.as_ref() == Some(&table) {
            return false;
        }
        let place =
            |table: &SeekTable, frame: u32| (table.frame_start_decomp(frame).ok(), table.frame_end_decomp(frame).ok());
        let is_read_well = |(frame, filled): (usize, &bool)| {
            let frame = frame as u32;
            !filled || self.table.as_ref().is_some_and(|read| place(read, frame) == place(&table, frame))
        };
        if !self.filled.iter().enumerate().all(is_read_well) {
            return false;
        }
        self.set_table(table);
        self.is_table_mended = true;
        true
    }

    fn fill_at(&mut self, map: &ReadMap, offset: usize) -> Result<bool, PackedError> {
        let Some(table) = &self.table else { return Err(PackedError::SeekTable) };
        let frame = table.frame_index_decomp(offset as u64);
        let filled = self.fill(map, frame)?;
        // By a table that was mended meanwhile it may lie in another one.
        match self.table.as_ref().map(|table| table.frame_index_decomp(offset as u64)) {
            Some(now) if now != frame => self.fill(map, now),
            _ => Ok(filled),
        }
    }

    fn fill(&mut self, map: &ReadMap, frame: u32) -> Result<bool, PackedError> {
        if self.filled[frame as usize] {
            return self.faults.get(&frame).map_or(Ok(false), |fault| Err(*fault));
        }
        let mut unpacked = self.unpack(frame);
        if unpacked.is_err() && self.mend_table(map.len()) && (frame as usize) < self.filled.len() {
            unpacked = self.unpack(frame);
        }
        let found = unpacked.and_then(|()| self.publish(map, frame));
        self.note(frame, found).map(|()| true)
    }

    /// Remembers what came of a frame.
    fn note(&mut self, frame: u32, found: Result<(), PackedError>) -> Result<(), PackedError> {
        if let Some(filled) = self.filled.get_mut(frame as usize) {
            *filled = true;
        }
        if let Err(fault) = found {
            self.damage.get_or_insert(fault);
            self.faults.insert(frame, fault);
        }
        found
    }

    /// Puts what came out of a damaged frame into the map as it is.
    fn put_unchecked(&mut self, map: &ReadMap, frame: u32) {
        // What is good of it was put there before, and is the same again.
        let _ = self.unpack(frame);
        let Some(Ok(start)) = self.table.as_ref().map(|table| table.frame_start_decomp(frame)) else { return };
        let bytes = self.frame.len().min(map.len().saturating_sub(start as usize)) / 8 * 8;
        if start % 8 == 0 {
            map.fill(start as usize, &self.frame[..bytes]);
        }
    }

    /// Unpacks a frame into the buffer: the frame and its content are as long as the seek table says, or it is bad.
    fn unpack(&mut self, frame: u32) -> Result<(), PackedError> {
        let bad = PackedError::Frame { frame };
        let table = self.table.as_ref().ok_or(bad)?;
        let start = table.frame_start_comp(frame).map_err(|_| bad)?;
        let (packed, bytes) = (table.frame_size_comp(frame), table.frame_size_decomp(frame));
        let (packed, bytes) = (packed.map_err(|_| bad)? as usize, bytes.map_err(|_| bad)? as usize);
        self.packed.resize(packed, 0);
        self.frame.clear();
        self.frame.resize(bytes, 0);
        self.file.read_exact_at(&mut self.packed, start).map_err(|_| bad)?;
        match self.decompressor.decompress(&mut self.frame[..], &self.packed) {
            Ok(unpacked) if unpacked == bytes => Ok(()),
            _ => Err(bad),
        }
    }

    /// Checks the records of the frame in the buffer and puts them into the map, one by one, up to the first that is
    /// none.
    fn publish(&self, map: &ReadMap, frame: u32) -> Result<(), PackedError> {
        let bad = PackedError::Frame { frame };
        let (Some(table), Some(salt)) = (&self.table, self.salt) else { return Err(bad) };
        let start = table.frame_start_decomp(frame).map_err(|_| bad)? as usize;
        let mut at = 0;
        if frame == 0 {
            map.fill(0, &self.frame[..SEGMENT_HEADER_BYTES]);
            at = SEGMENT_HEADER_BYTES;
        }
        while at < self.frame.len() {
            let rest = &self.frame[at..];
            let length = rest.first_chunk().map_or(0, |word| u32::from_le_bytes(*word)) as usize;
            let good = length >= HEADER_BYTES && padded(length) <= rest.len() && {
                let record = &rest[..length];
                let head: Header = bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]);
                head.crc32c == record_crc(salt, record, head.length)
            };
            if !good || start + at + padded(length) > map.len() {
                return Err(PackedError::Record { frame, offset: (start + at) as u64 });
            }
            map.fill(start + at, &rest[..padded(length)]);
            at += padded(length);
        }
        Ok(())
    }
}

/// The seek table at the end of the file.
fn table_of(file: &File) -> io::Result<Result<SeekTable, PackedError>> {
    let bytes = file.metadata()?.len();
    let mut footer = [0; FOOTER_BYTES as usize];
    if bytes < FOOTER_BYTES {
        return Ok(Err(PackedError::SeekTable));
    }
    file.read_exact_at(&mut footer, bytes - FOOTER_BYTES)?;
    // NB: checked here since the library takes memory for as many frames as the footer says.
    let frames = u32::from_le_bytes([footer[0], footer[1], footer[2], footer[3]]);
    if u64::from(frames) * 8 > bytes {
        return Ok(Err(PackedError::SeekTable));
    }
    let mut source = Source { file, bytes, position: 0 };
    let Ok(table) = SeekTable::from_seekable(&mut source) else { return Ok(Err(PackedError::SeekTable)) };
    let content_bytes = table.size_decomp();
    if table.num_frames() == 0
        || !(SEGMENT_HEADER_BYTES as u64..=SEGMENT_BYTES_MAX).contains(&content_bytes)
        || table.size_comp() > bytes
    {
        return Ok(Err(PackedError::Sizes { frames: table.num_frames(), content_bytes }));
    }
    Ok(Ok(table))
}

/// A seek table made of the frames themselves, from the front of the file to what is no frame. `None` when one of them is
/// damaged, or when no `End` stands in the last: the file was cut short.
fn table_of_frames(file: &File, decompressor: &mut DCtx<'_>) -> Option<SeekTable> {
    let mut bytes = vec![0; usize::try_from(file.metadata().ok()?.len()).ok()?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let mut table = SeekTable::new();
    let (mut at, mut content, mut unpacked) = (0, vec![0; 2 * FRAME_BYTES], 0);
    while bytes[at..].starts_with(&FRAME_MAGIC) {
        let packed = zstd_safe::find_frame_compressed_size(&bytes[at..]).ok()?;
        let frame = bytes.get(at..at + packed)?;
        loop {
            match decompressor.decompress(&mut content[..], frame) {
                Ok(bytes) => {
                    unpacked = bytes;
                    break;
                }
                // Its size is told only by its end: a frame is longer than most where one record is.
                Err(code) if is_too_small(code) && (content.len() as u64) < SEGMENT_BYTES_MAX => {
                    content.resize(2 * content.len(), 0);
                }
                Err(_) => return None,
            }
        }
        table.log_frame(u32::try_from(packed).ok()?, u32::try_from(unpacked).ok()?).ok()?;
        at += packed;
    }
    let first = if table.num_frames() == 1 { SEGMENT_HEADER_BYTES } else { 0 };
    let is_whole = ends_with_end(content[..unpacked].get(first..)?) && table.size_decomp() <= SEGMENT_BYTES_MAX;
    is_whole.then_some(table)
}

/// Whether that is what zstd says when a frame needs more room than it was given.
fn is_too_small(code: usize) -> bool {
    zstd_safe::get_error_name(code) == "Destination buffer is too small"
}

/// Whether the last of a row of records is an `End`.
fn ends_with_end(records: &[u8]) -> bool {
    let (mut at, mut last) = (0, None);
    while let Some(head) = records.get(at..at + HEADER_BYTES) {
        let head: Header = bytemuck::pod_read_unaligned(head);
        if (head.length as usize) < HEADER_BYTES {
            return false;
        }
        last = Some(head.rtype);
        at += padded(head.length as usize);
    }
    last == Some(RType::End as u8)
}

/// The compressed file as its seek table is read.
struct Source<'a> {
    file: &'a File,
    bytes: u64,
    position: u64,
}

impl Seekable for Source<'_> {
    fn set_offset(&mut self, offset: OffsetFrom) -> zeekstd::Result<u64> {
        let position = match offset {
            OffsetFrom::Start(position) => Some(position),
            OffsetFrom::End(delta) => self.bytes.checked_add_signed(delta),
        };
        let position = position.filter(|position| *position <= self.bytes);
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }

    fn read(&mut self, buf: &mut [u8]) -> zeekstd::Result<usize> {
        let read = self.file.read_at(buf, self.position)?;
        if read == 0 {
            // NB: an error, since the reader asks for ever when it is told that there is nothing.
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.position += read as u64;
        Ok(read)
    }

    fn seek_table_integrity(&mut self, _: zeekstd::seek_table::Format) -> zeekstd::Result<[u8; 9]> {
        let mut footer = [0; FOOTER_BYTES as usize];
        self.file.read_exact_at(&mut footer, self.bytes.saturating_sub(FOOTER_BYTES))?;
        Ok(footer)
    }
}
