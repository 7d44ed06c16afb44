//! The control page of a stream: what a live writer tells those who watch. See the byte map in
//! [`format`](super::format).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytemuck::Zeroable as _;

use super::format::{CONTROL_BYTES, CONTROL_MAGIC, DurableSlot, FORMAT_MAJOR, FORMAT_MINOR, Stream};
use super::trouble::{DiskSpace, Trouble};
use crate::simd::crc32c::crc32c;
use crate::sys::file::{allocate, sync_folder};
use crate::sys::map::{ReadMap, WriteMap};

/// File name in the stream's folder.
pub const CONTROL_NAME: &str = "control";

const CRC: usize = 60;
const EPOCH: usize = 64;
const ACTIVE_ORDINAL: usize = 72;
const STATE: usize = 80;
const LAST_SEQUENCE: usize = 128;
const POSITION: usize = 136;
const BEATS: usize = 144;
const STALLS: usize = 152;
const HELPER_NS: usize = 192;
const WRITER_NS: usize = 200;
const PREPARED_ORDINAL: usize = 208;
const FAILURE: usize = 216;
const ERRNO: usize = 220;
const FREE_BYTES: usize = 224;
const LOW_SPACE_BYTES: usize = 232;
const SPACE_STATE: usize = 240;
const SLOTS: [usize; 2] = [256, 320];

const STATE_OPEN: u32 = 1;
const STATE_CLOSED: u32 = 2;

const SPACE_ENOUGH: u32 = 1;
const SPACE_LOW: u32 = 2;

/// Whether a writer has the stream open, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterState {
    /// Nobody ever wrote.
    New,
    /// Open; perhaps dead, see [`ControlReader::helper_age_ns`].
    Open,
    /// Closed in order.
    Closed,
}

/// Reads a control page.
#[derive(Debug)]
pub struct ControlReader {
    map: ReadMap,
}

/// Why a control page can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Wrong size, magic, stream or checksum.
    #[error("the control page is damaged")]
    Damaged,
    /// Written by a newer program.
    #[error("format {0} of the control page is newer than this program reads ({FORMAT_MAJOR})")]
    Version(u16),
}

impl ControlReader {
    /// Maps the page of a stream's folder.
    ///
    /// # Errors
    ///
    /// Those of the file; `Ok(Err(_))` when it is none that can be used.
    pub fn open(folder: &Path, stream: Stream) -> io::Result<Result<ControlReader, ControlError>> {
        let map = ReadMap::new(&File::open(folder.join(CONTROL_NAME))?, CONTROL_BYTES)?;
        Ok(check(&map, stream).map(|()| ControlReader { map }))
    }

    /// Epoch of the present or last writer.
    pub fn epoch(&self) -> u64 {
        self.map.load_u64(EPOCH, Ordering::Acquire)
    }

    /// Segment it writes or wrote last.
    pub fn active_ordinal(&self) -> u64 {
        self.map.load_u64(ACTIVE_ORDINAL, Ordering::Acquire)
    }

    /// Its state.
    pub fn state(&self) -> WriterState {
        match self.map.load_u32(STATE, Ordering::Acquire) {
            STATE_OPEN => WriterState::Open,
            STATE_CLOSED => WriterState::Closed,
            _ => WriterState::New,
        }
    }

    /// Last committed sequence as of its last batch.
    pub fn last_sequence(&self) -> u64 {
        self.map.load_u64(LAST_SEQUENCE, Ordering::Relaxed)
    }

    /// End of its last record in that segment, as of its last batch or thereabouts.
    pub fn position(&self) -> u64 {
        self.map.load_u64(POSITION, Ordering::Relaxed)
    }

    /// Nanoseconds since the helper was last awake, by the monotonic clock `now_ns` of this boot.
    pub fn helper_age_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.map.load_u64(HELPER_NS, Ordering::Relaxed))
    }

    /// Rolls that had to wait for the helper.
    pub fn stalls(&self) -> u64 {
        self.map.load_u64(STALLS, Ordering::Relaxed)
    }

    /// What was wrong with the place it is written to, when the helper looked last.
    pub fn trouble(&self) -> Option<Trouble> {
        trouble(&self.map)
    }

    /// Room of the file system when the helper looked last; `None` when it did not, or was not told.
    pub fn space(&self) -> Option<DiskSpace> {
        space(&self.map)
    }

    /// The two durable slots as they are.
    pub fn slots(&self) -> [DurableSlot; 2] {
        SLOTS.map(|offset| read_slot(&self.map, offset))
    }

    /// The slot that counts.
    pub fn durable(&self) -> Option<DurableSlot> {
        durable(&self.map)
    }
}

fn check(map: &ReadMap, stream: Stream) -> Result<(), ControlError> {
    if map.len() < CONTROL_BYTES {
        return Err(ControlError::Damaged);
    }
    let mut head = [0; 64];
    map.copy_to(0, &mut head);
    let crc = u32::from_le_bytes([head[CRC], head[CRC + 1], head[CRC + 2], head[CRC + 3]]);
    if head[..8] != CONTROL_MAGIC || crc != crc32c(0, &head[..CRC]) || head[12..16] != stream.number().to_le_bytes() {
        return Err(ControlError::Damaged);
    }
    let major = u16::from_le_bytes([head[8], head[9]]);
    if major > FORMAT_MAJOR { Err(ControlError::Version(major)) } else { Ok(()) }
}

fn read_slot(map: &ReadMap, offset: usize) -> DurableSlot {
    let mut slot = DurableSlot::zeroed();
    map.copy_to(offset, bytemuck::bytes_of_mut(&mut slot));
    slot
}

/// The slot that counts: the newest valid one.
fn durable(map: &ReadMap) -> Option<DurableSlot> {
    let slots = SLOTS.map(|offset| read_slot(map, offset));
    slots.into_iter().filter(DurableSlot::is_valid).max_by_key(|slot| (slot.epoch, slot.sequence))
}

fn failure(map: &ReadMap) -> Option<i32> {
    let failed = map.load_u32(FAILURE, Ordering::Acquire) != 0;
    failed.then(|| map.load_u32(ERRNO, Ordering::Relaxed).cast_signed())
}

fn space(map: &ReadMap) -> Option<DiskSpace> {
    let state = map.load_u32(SPACE_STATE, Ordering::Acquire);
    (state == SPACE_ENOUGH || state == SPACE_LOW).then(|| DiskSpace {
        free_bytes: map.load_u64(FREE_BYTES, Ordering::Relaxed),
        watermark_bytes: map.load_u64(LOW_SPACE_BYTES, Ordering::Relaxed),
        is_low: state == SPACE_LOW,
    })
}

/// The worst first.
fn trouble(map: &ReadMap) -> Option<Trouble> {
    if let Some(errno) = failure(map) {
        return Some(Trouble::NoSegment { errno });
    }
    let space = space(map).filter(|space| space.is_low)?;
    Some(Trouble::LowSpace { free_bytes: space.free_bytes, watermark_bytes: space.watermark_bytes })
}

/// The page to write: one value for writer and helper, each storing in its own lines only.
#[derive(Debug)]
pub(super) struct Control {
    map: WriteMap,
    /// Between helper and writer alone: see [`Control::wall`].
    wall: AtomicU64,
}

impl Control {
    /// Opens the page of a stream's folder, made anew when there is none or a damaged one. The caller holds the lock.
    pub(super) fn open_or_create(folder: &Path, stream: Stream) -> io::Result<Result<Control, ControlError>> {
        let path = folder.join(CONTROL_NAME);
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) if file.metadata()?.len() >= CONTROL_BYTES as u64 => {
                // A copy may have lost its blocks, and a store to a hole on a full disk is a signal.
                allocate(&file, CONTROL_BYTES as u64)?;
                let map = WriteMap::new(&file)?;
                match check(&map, stream) {
                    Ok(()) => return Ok(Ok(Control { map, wall: AtomicU64::new(0) })),
                    Err(ControlError::Damaged) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Whole under another name first, so that nobody ever sees half a page.
        let fresh = folder.join("control.tmp");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh)?;
        allocate(&file, CONTROL_BYTES as u64)?;
        let map = WriteMap::new(&file)?;
        let mut head = [0; 64];
        head[..8].copy_from_slice(&CONTROL_MAGIC);
        head[8..10].copy_from_slice(&FORMAT_MAJOR.to_le_bytes());
        head[10..12].copy_from_slice(&FORMAT_MINOR.to_le_bytes());
        head[12..16].copy_from_slice(&stream.number().to_le_bytes());
        let crc = crc32c(0, &head[..CRC]);
        head[CRC..].copy_from_slice(&crc.to_le_bytes());
        map.copy_from(0, &head);
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        sync_folder(folder)?;
        Ok(Ok(Control { map, wall: AtomicU64::new(0) }))
    }

    pub(super) fn epoch(&self) -> u64 {
        self.map.load_u64(EPOCH, Ordering::Relaxed)
    }

    pub(super) fn durable(&self) -> Option<DurableSlot> {
        durable(&self.map)
    }

    /// A writer takes the stream, after its first segment was activated.
    pub(super) fn opened(&self, epoch: u64, ordinal: u64, last_sequence: u64, position: u64) {
        self.map.store_u64(LAST_SEQUENCE, last_sequence, Ordering::Relaxed);
        self.map.store_u64(POSITION, position, Ordering::Relaxed);
        self.map.store_u64(STALLS, 0, Ordering::Relaxed);
        self.map.store_u64(ACTIVE_ORDINAL, ordinal, Ordering::Release);
        self.map.store_u32(STATE, STATE_OPEN, Ordering::Release);
        // Last: who waits for another epoch finds the rest there (partner: `ControlReader::epoch`).
        self.map.store_u64(EPOCH, epoch, Ordering::Release);
    }

    /// The position first: who sees the new ordinal must not take the old segment's position for its own.
    pub(super) fn rolled(&self, ordinal: u64, position: u64) {
        self.map.store_u64(POSITION, position, Ordering::Relaxed);
        self.map.store_u64(ACTIVE_ORDINAL, ordinal, Ordering::Release);
    }

    pub(super) fn closed(&self) {
        self.map.store_u32(STATE, STATE_CLOSED, Ordering::Release);
    }

    /// The writer's hint; Relaxed: nobody concludes anything from it about other memory.
    #[inline]
    pub(super) fn hint(&self, last_sequence: u64, position: u64, beats: u64) {
        self.map.store_u64(LAST_SEQUENCE, last_sequence, Ordering::Relaxed);
        self.map.store_u64(POSITION, position, Ordering::Relaxed);
        self.map.store_u64(BEATS, beats, Ordering::Relaxed);
    }

    pub(super) fn stalled(&self, stalls: u64) {
        self.map.store_u64(STALLS, stalls, Ordering::Relaxed);
    }

    pub(super) fn active_ordinal(&self) -> u64 {
        self.map.load_u64(ACTIVE_ORDINAL, Ordering::Acquire)
    }

    pub(super) fn position(&self) -> u64 {
        self.map.load_u64(POSITION, Ordering::Relaxed)
    }

    pub(super) fn beats(&self) -> u64 {
        self.map.load_u64(BEATS, Ordering::Relaxed)
    }

    pub(super) fn helper_awake(&self, now_ns: u64, writer_beat: bool) {
        self.map.store_u64(HELPER_NS, now_ns, Ordering::Relaxed);
        if writer_beat {
            self.map.store_u64(WRITER_NS, now_ns, Ordering::Relaxed);
        }
    }

    pub(super) fn prepared(&self, ordinal: u64) {
        self.map.store_u64(PREPARED_ORDINAL, ordinal, Ordering::Relaxed);
    }

    pub(super) fn set_failure(&self, errno: Option<i32>) {
        self.map.store_u32(ERRNO, errno.unwrap_or(0).unsigned_abs(), Ordering::Relaxed);
        self.map.store_u32(FAILURE, u32::from(errno.is_some()), Ordering::Release);
    }

    pub(super) fn failure(&self) -> Option<i32> {
        failure(&self.map)
    }

    /// Room of the file system, by the helper; `None`: it doesn't say.
    pub(super) fn set_space(&self, space: Option<DiskSpace>) {
        if let Some(space) = space {
            self.map.store_u64(FREE_BYTES, space.free_bytes, Ordering::Relaxed);
            self.map.store_u64(LOW_SPACE_BYTES, space.watermark_bytes, Ordering::Relaxed);
        }
        let state = space.map_or(0, |space| if space.is_low { SPACE_LOW } else { SPACE_ENOUGH });
        self.map.store_u32(SPACE_STATE, state, Ordering::Release);
    }

    pub(super) fn space(&self) -> Option<DiskSpace> {
        space(&self.map)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        trouble(&self.map)
    }

    /// The helper found that pages of that segment from `offset` on can't be had.
    pub(super) fn set_wall(&self, ordinal: u64, offset: usize) {
        self.wall.store(ordinal << 32 | offset as u64, Ordering::Relaxed);
    }

    /// Where the pages of a segment end that can be written; beyond waits a SIGBUS. Offsets fit 32 bits, and of the
    /// ordinal as many tell one segment from its neighbours.
    pub(super) fn wall(&self, ordinal: u64) -> Option<usize> {
        let wall = self.wall.load(Ordering::Relaxed);
        (wall != 0 && wall >> 32 == ordinal & 0xffff_ffff).then_some((wall & 0xffff_ffff) as usize)
    }

    /// Writes the durable slot that does not count at present, and waits for the disk.
    pub(super) fn write_durable(&self, mut slot: DurableSlot) -> io::Result<()> {
        slot.crc = slot.expected_crc();
        let current = self.durable();
        let first = read_slot(&self.map, SLOTS[0]);
        let offset = if current == Some(first) { SLOTS[1] } else { SLOTS[0] };
        self.map.copy_from(offset, bytemuck::bytes_of(&slot));
        self.sync()
    }

    /// Clears durable slots that are damaged: the other one, or none, counts then.
    pub(super) fn clear_damaged(&self) -> io::Result<()> {
        for offset in SLOTS {
            if !read_slot(&self.map, offset).is_valid() {
                self.map.copy_from(offset, bytemuck::bytes_of(&DurableSlot::zeroed()));
            }
        }
        self.sync()
    }

    /// Forgets the durable slots for one that says where the records are now, after a repair moved them. A death in
    /// between leaves none, which claims nothing that is not so.
    pub(super) fn reset_durable(&self, slot: DurableSlot) -> io::Result<()> {
        for offset in SLOTS {
            self.map.copy_from(offset, bytemuck::bytes_of(&DurableSlot::zeroed()));
        }
        self.sync()?;
        self.write_durable(slot)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.map.sync(0, CONTROL_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durable_slots_alternate_and_the_newest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_or_create(folder.path(), Stream::Ticks).unwrap().unwrap();
        let reader = ControlReader::open(folder.path(), Stream::Ticks).unwrap().unwrap();
        assert_eq!((reader.durable(), reader.state()), (None, WriterState::New));
        for sequence in 1..=3 {
            control.write_durable(DurableSlot { epoch: 1, sequence, ..DurableSlot::zeroed() }).unwrap();
            assert_eq!(reader.durable().unwrap().sequence, sequence);
        }
        assert_eq!(reader.slots().map(|slot| slot.sequence), [3, 2]);
        assert!(ControlReader::open(folder.path(), Stream::Raw).unwrap().is_err());
    }

    #[test]
    fn a_damaged_page_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        Control::open_or_create(folder.path(), Stream::Ticks).unwrap().unwrap().opened(7, 1, 0, 0);
        let path = folder.path().join(CONTROL_NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes[9] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(ControlReader::open(folder.path(), Stream::Ticks).unwrap().is_err());
        assert_eq!(Control::open_or_create(folder.path(), Stream::Ticks).unwrap().unwrap().epoch(), 0);
    }
}
