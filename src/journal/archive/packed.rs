//! Compressed segments: packing a sealed one, and unpacking a frame at a time into memory that reads as the segment.
//!
//! Frames are cut at records, so that a record is there whole or not at all, and each record's checksum is held against
//! its bytes when its frame is unpacked: a damaged file is refused, never read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use zeekstd::{DecodeOptions, Decoder, EncodeOptions, FrameSizePolicy, OffsetFrom, SeekTable, Seekable};

use crate::journal::format::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, padded, record_crc};
use crate::journal::segment::SegmentReader;
use crate::sys::map::{PAGE_BYTES, ReadMap};
use crate::tick::{HEADER_BYTES, Header};

/// Bytes of records in a frame, about: small enough that a seek unpacks in a fraction of a millisecond, large enough to
/// compress well.
const FRAME_BYTES: usize = 256 << 10;
/// Level of zstd: packed once on a cold thread, kept for years.
const LEVEL: i32 = 9;
/// Bytes of the footer of a seek table: number of frames, a descriptor, a magic number.
const FOOTER_BYTES: u64 = 9;

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
    content_bytes: usize,
    /// Why not even the header could be unpacked.
    opening_damage: Option<PackedError>,
}

struct Inner {
    /// `None` when the file can't be used at all.
    decoder: Option<Decoder<'static, Source>>,
    filled: Vec<bool>,
    frame: Vec<u8>,
    /// `None`: the header that tells it can't be unpacked.
    salt: Option<u32>,
    /// Bytes of the content, as far as the seek table is there to tell.
    content_bytes: Option<usize>,
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
        let file = file.try_clone()?;
        let mut inner = Inner {
            decoder: None,
            filled: Vec::new(),
            frame: Vec::new(),
            salt: None,
            content_bytes: None,
            faults: BTreeMap::new(),
            damage: None,
        };
        let opened = inner.begin(file)?;
        // Without its header nobody reads the segment, but what is good in the other frames can be searched for.
        let room = inner.content_bytes.unwrap_or(0);
        let (content_bytes, segment_bytes) =
            opened.unwrap_or((room, room.next_multiple_of(PAGE_BYTES).max(PAGE_BYTES)));
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
        Ok((map, Packed { inner: Mutex::new(inner), content_bytes, opening_damage }))
    }

    pub(in crate::journal) fn content_bytes(&self) -> usize {
        self.content_bytes
    }

    pub(in crate::journal) fn opening_damage(&self) -> Option<PackedError> {
        self.opening_damage
    }

    pub(in crate::journal) fn damage(&self) -> Option<PackedError> {
        self.locked().damage
    }

    /// Unpacks the frame an offset lies in: `false` when nothing new came of it.
    pub(in crate::journal) fn fill_at(&self, map: &ReadMap, offset: usize) -> Result<bool, PackedError> {
        if offset >= self.content_bytes {
            return Ok(false);
        }
        self.locked().fill_at(map, offset)
    }

    /// Unpacks everything.
    pub(in crate::journal) fn fill_all(&self, map: &ReadMap) -> Result<(), PackedError> {
        let mut inner = self.locked();
        for frame in 0..inner.filled.len() as u32 {
            inner.fill(map, frame)?;
        }
        inner.damage.map_or(Ok(()), Err)
    }

    /// Unpacks every frame that can be, whatever the others are. `unchecked`: for a search that checks each record
    /// itself; of a damaged frame what came out of it, be it no row of records.
    pub(in crate::journal) fn fill_what_can_be(&self, map: &ReadMap, unchecked: bool) {
        let mut inner = self.locked();
        for frame in 0..inner.filled.len() as u32 {
            // The damage is remembered.
            if inner.fill(map, frame).is_err() && unchecked {
                inner.put_unchecked(map, frame);
            }
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Whoever panicked in there left flags that are true at worst of frames that are not: those read as not there.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    /// Reads the seek table and the first frame; returns the bytes stored and those of the segment.
    fn begin(&mut self, file: File) -> io::Result<Result<(usize, usize), PackedError>> {
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
        let sizes = PackedError::Sizes { frames: table.num_frames(), content_bytes };
        if table.num_frames() == 0
            || !(SEGMENT_HEADER_BYTES as u64..=SEGMENT_BYTES_MAX).contains(&content_bytes)
            || table.size_comp() > bytes
        {
            return Ok(Err(sizes));
        }
        self.filled = vec![false; table.num_frames() as usize];
        let Ok(decoder) = DecodeOptions::new(source).seek_table(table).into_decoder() else {
            return Ok(Err(PackedError::SeekTable));
        };
        self.decoder = Some(decoder);
        self.content_bytes = Some(content_bytes as usize);
        if let Err(damage) = self.unpack(0) {
            return Ok(Err(damage));
        }
        let word = |offset: usize| self.frame.get(offset..offset + 8).and_then(|bytes| bytes.try_into().ok());
        let (Some(salt), Some(segment_bytes)) = (word(16), word(40)) else { return Ok(Err(sizes)) };
        let salt = (u64::from_le_bytes(salt) >> 32) as u32;
        let segment_bytes = u64::from_le_bytes(segment_bytes);
        let fits = (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes) && content_bytes <= segment_bytes;
        if !fits || self.frame.len() < SEGMENT_HEADER_BYTES {
            return Ok(Err(sizes));
        }
        self.salt = Some(salt);
        Ok(Ok((content_bytes as usize, segment_bytes as usize)))
    }

    fn fill_at(&mut self, map: &ReadMap, offset: usize) -> Result<bool, PackedError> {
        let Some(decoder) = &self.decoder else { return Err(PackedError::SeekTable) };
        let frame = decoder.seek_table().frame_index_decomp(offset as u64);
        self.fill(map, frame)
    }

    fn fill(&mut self, map: &ReadMap, frame: u32) -> Result<bool, PackedError> {
        if self.filled[frame as usize] {
            return self.faults.get(&frame).map_or(Ok(false), |fault| Err(*fault));
        }
        let found = self.unpack(frame).and_then(|()| self.publish(map, frame));
        self.note(frame, found).map(|()| true)
    }

    /// Remembers what came of a frame.
    fn note(&mut self, frame: u32, found: Result<(), PackedError>) -> Result<(), PackedError> {
        self.filled[frame as usize] = true;
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
        let Some(decoder) = &self.decoder else { return };
        let Ok(start) = decoder.seek_table().frame_start_decomp(frame) else { return };
        let bytes = self.frame.len().min(map.len().saturating_sub(start as usize)) / 8 * 8;
        if start % 8 == 0 {
            map.fill(start as usize, &self.frame[..bytes]);
        }
    }

    /// Unpacks a frame into the buffer.
    fn unpack(&mut self, frame: u32) -> Result<(), PackedError> {
        let bad = PackedError::Frame { frame };
        let decoder = self.decoder.as_mut().ok_or(bad)?;
        let bytes = decoder.seek_table().frame_size_decomp(frame).map_err(|_| bad)?;
        self.frame.clear();
        self.frame.resize(bytes as usize, 0);
        decoder.reset();
        decoder.set_lower_frame(frame).map_err(|_| bad)?;
        decoder.set_upper_frame(frame).map_err(|_| bad)?;
        let mut done = 0;
        while done < self.frame.len() {
            match decoder.decompress(&mut self.frame[done..]) {
                Ok(0) | Err(_) => return Err(bad),
                Ok(taken) => done += taken,
            }
        }
        Ok(())
    }

    /// Checks the records of the frame in the buffer and puts them into the map, one by one, up to the first that is
    /// none.
    fn publish(&self, map: &ReadMap, frame: u32) -> Result<(), PackedError> {
        let bad = PackedError::Frame { frame };
        let (Some(decoder), Some(salt)) = (&self.decoder, self.salt) else { return Err(bad) };
        let start = decoder.seek_table().frame_start_decomp(frame).map_err(|_| bad)? as usize;
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

/// The compressed file as the decoder reads it.
struct Source {
    file: File,
    bytes: u64,
    position: u64,
}

impl Seekable for Source {
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
            // NB: an error, since the decoder asks for ever when it is told that there is nothing.
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
