//! The control page as writer and helper have it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytemuck::Zeroable as _;

use super::{
    ACTIVE_ORDINAL, BEATS, CONTROL_NAME, CRC, EPOCH, ERRNO, FAILURE, FREE_BYTES, HELPER_NS, LAST_SEQUENCE, LEVEL,
    LOW_SPACE_BYTES, OLD_SLOTS, PERIOD_MS, POSITION, PREPARED_ORDINAL, SLOTS, SPACE_ENOUGH, SPACE_LOW, SPACE_STATE,
    STALLS, STATE, STATE_CLOSED, STATE_OPEN, SYNC_ERRNO, SYNC_FAILED, SYNC_GOOD, SYNC_NS, SYNC_PAGE, SYNC_RETRYING,
    SYNC_STATE, SYNCS, SyncState, WRITER_NS, check, durable, failure, read_slot, slots, space, sync_state, trouble,
};
use crate::journal::ahead::Ahead;
use crate::journal::durability::Durability;
use crate::journal::format::{
    CONTROL_BYTES, CONTROL_BYTES_MIN, CONTROL_MAGIC, DurableSlot, FORMAT_MAJOR, FORMAT_MINOR, Stream,
};
use crate::journal::trouble::{DiskSpace, Trouble};
use crate::simd::crc32c::crc32c;
use crate::sys::file::{allocate, sync_file, sync_folder};
use crate::sys::map::{ReadMap, WriteMap};

/// The page to write: one value for writer and helper, each storing in its own lines only.
#[derive(Debug)]
pub(in crate::journal) struct Control {
    map: WriteMap,
    /// The same as `SYNC_STATE` says, for the writer: near what it looks at anyway.
    is_read_only: AtomicBool,
    /// Between helper and writer alone.
    ahead: Ahead,
    /// Held while the durable mark is moved: by the sync thread, and at closing.
    marking: Mutex<()>,
}

impl Control {
    /// Opens the page of a stream's folder, made anew when there is none or a damaged one, and made longer when it is
    /// one of before 1.1. The caller holds the lock, and knows that the page is of no newer program.
    pub(in crate::journal) fn open_or_create(folder: &Path, stream: Stream) -> io::Result<Control> {
        let path = folder.join(CONTROL_NAME);
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) if file.metadata()?.len() >= CONTROL_BYTES_MIN as u64 => {
                if check(&ReadMap::new(&file, CONTROL_BYTES_MIN)?, stream).is_ok() {
                    // A copy may have lost its blocks, and a store to a hole on a full disk is a signal.
                    allocate(&file, CONTROL_BYTES as u64)?;
                    return Ok(Control::new(WriteMap::new(&file)?));
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
        sync_file(&file)?;
        fs::rename(&fresh, &path)?;
        sync_folder(folder)?;
        Ok(Control::new(map))
    }

    fn new(map: WriteMap) -> Control {
        let is_read_only = AtomicBool::new(matches!(sync_state(&map), SyncState::Failed(_)));
        Control { map, is_read_only, ahead: Ahead::default(), marking: Mutex::new(()) }
    }

    /// Makes the highest epoch known durable.
    pub(in crate::journal) fn note_epoch(&self, epoch: u64) -> io::Result<()> {
        if epoch > self.epoch() {
            self.map.store_u64(EPOCH, epoch, Ordering::Release);
        }
        self.map.sync(0, SYNC_PAGE)
    }

    pub(in crate::journal) fn epoch(&self) -> u64 {
        self.map.load_u64(EPOCH, Ordering::Relaxed)
    }

    pub(in crate::journal) fn durable(&self) -> Option<DurableSlot> {
        durable(&self.map)
    }

    /// A writer takes the stream, after its first segment was activated.
    pub(in crate::journal) fn opened(&self, epoch: u64, ordinal: u64, last_sequence: u64, position: u64) {
        self.map.store_u64(LAST_SEQUENCE, last_sequence, Ordering::Relaxed);
        self.map.store_u64(POSITION, position, Ordering::Relaxed);
        self.map.store_u64(STALLS, 0, Ordering::Relaxed);
        self.map.store_u64(ACTIVE_ORDINAL, ordinal, Ordering::Release);
        self.map.store_u32(STATE, STATE_OPEN, Ordering::Release);
        // Last: who waits for another epoch finds the rest there (partner: `ControlReader::epoch`).
        self.map.store_u64(EPOCH, epoch, Ordering::Release);
    }

    /// The position first: who sees the new ordinal must not take the old segment's position for its own.
    pub(in crate::journal) fn rolled(&self, ordinal: u64, position: u64) {
        self.map.store_u64(POSITION, position, Ordering::Relaxed);
        self.map.store_u64(ACTIVE_ORDINAL, ordinal, Ordering::Release);
    }

    pub(in crate::journal) fn closed(&self) {
        self.map.store_u32(STATE, STATE_CLOSED, Ordering::Release);
    }

    /// The writer's hint; Relaxed: nobody concludes anything from it about other memory.
    #[inline]
    pub(in crate::journal) fn hint(&self, last_sequence: u64, position: u64, beats: u64) {
        self.map.store_u64(LAST_SEQUENCE, last_sequence, Ordering::Relaxed);
        self.map.store_u64(POSITION, position, Ordering::Relaxed);
        self.map.store_u64(BEATS, beats, Ordering::Relaxed);
    }

    pub(in crate::journal) fn stalled(&self, stalls: u64) {
        self.map.store_u64(STALLS, stalls, Ordering::Relaxed);
    }

    pub(in crate::journal) fn active_ordinal(&self) -> u64 {
        self.map.load_u64(ACTIVE_ORDINAL, Ordering::Acquire)
    }

    pub(in crate::journal) fn position(&self) -> u64 {
        self.map.load_u64(POSITION, Ordering::Relaxed)
    }

    pub(in crate::journal) fn beats(&self) -> u64 {
        self.map.load_u64(BEATS, Ordering::Relaxed)
    }

    pub(in crate::journal) fn helper_awake(&self, now_ns: u64, writer_beat: bool) {
        self.map.store_u64(HELPER_NS, now_ns, Ordering::Relaxed);
        if writer_beat {
            self.map.store_u64(WRITER_NS, now_ns, Ordering::Relaxed);
        }
    }

    pub(in crate::journal) fn prepared(&self, ordinal: u64) {
        self.map.store_u64(PREPARED_ORDINAL, ordinal, Ordering::Relaxed);
    }

    pub(in crate::journal) fn set_failure(&self, errno: Option<i32>) {
        self.map.store_u32(ERRNO, errno.unwrap_or(0).unsigned_abs(), Ordering::Relaxed);
        self.map.store_u32(FAILURE, u32::from(errno.is_some()), Ordering::Release);
    }

    pub(in crate::journal) fn failure(&self) -> Option<i32> {
        failure(&self.map)
    }

    /// Room of the file system, by the helper; `None`: it doesn't say.
    pub(in crate::journal) fn set_space(&self, space: Option<DiskSpace>) {
        if let Some(space) = space {
            self.map.store_u64(FREE_BYTES, space.free_bytes, Ordering::Relaxed);
            self.map.store_u64(LOW_SPACE_BYTES, space.watermark_bytes, Ordering::Relaxed);
        }
        let state = space.map_or(0, |space| if space.is_low { SPACE_LOW } else { SPACE_ENOUGH });
        self.map.store_u32(SPACE_STATE, state, Ordering::Release);
    }

    pub(in crate::journal) fn space(&self) -> Option<DiskSpace> {
        space(&self.map)
    }

    pub(in crate::journal) fn trouble(&self) -> Option<Trouble> {
        trouble(&self.map)
    }

    /// Moves the durable mark: into the slot that does not count at present, and waits for the disk. A mark that is not
    /// later than the present one changes nothing.
    pub(in crate::journal) fn write_durable(&self, mut slot: DurableSlot) -> io::Result<()> {
        let _marking = self.marking.lock().unwrap_or_else(PoisonError::into_inner);
        slot.crc = slot.expected_crc();
        if self.durable().is_some_and(|now| now.order() >= slot.order()) {
            return Ok(());
        }
        let [first, second] = slots(&self.map).1;
        let first_counts = first.is_valid() && (!second.is_valid() || first.order() > second.order());
        let offset = SLOTS[usize::from(first_counts)];
        self.map.copy_from(offset, bytemuck::bytes_of(&slot));
        let synced = self.map.sync(SYNC_PAGE, CONTROL_BYTES - SYNC_PAGE);
        if synced.is_err() {
            // The other slot still counts on the disk, and nobody may take this one for durable.
            self.map.copy_from(offset, bytemuck::bytes_of(&DurableSlot::zeroed()));
        }
        synced
    }

    pub(in crate::journal) fn set_durability(&self, durability: Durability) {
        let (level, period_ms) = durability.to_words();
        self.map.store_u32(PERIOD_MS, period_ms, Ordering::Relaxed);
        self.map.store_u32(LEVEL, level, Ordering::Relaxed);
    }

    /// A sync succeeded and the mark was moved.
    pub(in crate::journal) fn synced(&self, now_ns: u64) {
        self.map.store_u64(SYNCS, self.map.load_u64(SYNCS, Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.map.store_u64(SYNC_NS, now_ns, Ordering::Relaxed);
    }

    pub(in crate::journal) fn set_sync_state(&self, state: SyncState) {
        let (state, errno) = match state {
            SyncState::Off => (0, 0),
            SyncState::Good => (SYNC_GOOD, 0),
            SyncState::Retrying(errno) => (SYNC_RETRYING, errno),
            SyncState::Failed(errno) => (SYNC_FAILED, errno),
        };
        self.map.store_u32(SYNC_ERRNO, errno.cast_unsigned(), Ordering::Relaxed);
        // Release, partner of the Acquire in `sync_state`.
        self.map.store_u32(SYNC_STATE, state, Ordering::Release);
        self.is_read_only.store(state == SYNC_FAILED, Ordering::Relaxed);
    }

    /// How the syncs of this opening go.
    pub(in crate::journal) fn sync_state(&self) -> SyncState {
        sync_state(&self.map)
    }

    /// The error of the sync that fails at present, or failed for good.
    pub(in crate::journal) fn sync_failure(&self) -> Option<i32> {
        match self.sync_state() {
            SyncState::Retrying(errno) | SyncState::Failed(errno) => Some(errno),
            SyncState::Off | SyncState::Good => None,
        }
    }

    /// Whether syncing failed for good: nothing may be appended.
    #[inline]
    pub(in crate::journal) fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::Relaxed)
    }

    /// What the helper has done ahead of the writer.
    pub(in crate::journal) fn ahead(&self) -> &Ahead {
        &self.ahead
    }

    /// Clears durable slots that are damaged: the other one, or none, counts then.
    pub(in crate::journal) fn clear_damaged(&self) -> io::Result<()> {
        for offset in OLD_SLOTS.into_iter().chain(SLOTS) {
            if !read_slot(&self.map, offset).is_valid() {
                self.map.copy_from(offset, bytemuck::bytes_of(&DurableSlot::zeroed()));
            }
        }
        self.sync()
    }

    /// Forgets the durable slots for one that says where the records are now, after a repair moved them. A death in
    /// between leaves none, which claims nothing that is not so.
    pub(in crate::journal) fn reset_durable(&self, slot: DurableSlot) -> io::Result<()> {
        for offset in OLD_SLOTS.into_iter().chain(SLOTS) {
            self.map.copy_from(offset, bytemuck::bytes_of(&DurableSlot::zeroed()));
        }
        self.sync()?;
        self.write_durable(slot)
    }

    pub(in crate::journal) fn sync(&self) -> io::Result<()> {
        self.map.sync(0, CONTROL_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ControlReader, WriterState};
    use super::*;

    #[test]
    fn durable_slots_alternate_and_the_newest_counts() {
        let folder = tempfile::tempdir().unwrap();
        let control = Control::open_or_create(folder.path(), Stream::Ticks).unwrap();
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
        Control::open_or_create(folder.path(), Stream::Ticks).unwrap().opened(7, 1, 0, 0);
        let path = folder.path().join(CONTROL_NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes[9] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(ControlReader::open(folder.path(), Stream::Ticks).unwrap().is_err());
        assert_eq!(Control::open_or_create(folder.path(), Stream::Ticks).unwrap().epoch(), 0);
    }
}
