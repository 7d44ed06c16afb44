//! The control page of a stream: what a live writer tells those who watch. See the byte map in
//! [`format`](super::format).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytemuck::Zeroable as _;

use super::ahead::Ahead;
use super::durability::Durability;
use super::format::{CONTROL_BYTES, CONTROL_BYTES_MIN, CONTROL_MAGIC, DurableSlot, FORMAT_MAJOR, FORMAT_MINOR, Stream};
use super::trouble::{DiskSpace, Trouble};
use crate::simd::crc32c::crc32c;
use crate::sys::file::{allocate, sync_file, sync_folder};
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
/// Slots of a page before 1.1: read, no longer written.
const OLD_SLOTS: [usize; 2] = [256, 320];
/// Second page: what the sync thread writes.
const SYNC_PAGE: usize = 4096;
const SLOTS: [usize; 2] = [SYNC_PAGE, SYNC_PAGE + 64];
const LEVEL: usize = SYNC_PAGE + 128;
const PERIOD_MS: usize = SYNC_PAGE + 132;
const SYNC_STATE: usize = SYNC_PAGE + 136;
const SYNC_ERRNO: usize = SYNC_PAGE + 140;
const SYNCS: usize = SYNC_PAGE + 144;
const SYNC_NS: usize = SYNC_PAGE + 152;

const STATE_OPEN: u32 = 1;
const STATE_CLOSED: u32 = 2;

const SPACE_ENOUGH: u32 = 1;
const SPACE_LOW: u32 = 2;
const SYNC_GOOD: u32 = 1;
const SYNC_RETRYING: u32 = 2;
const SYNC_FAILED: u32 = 3;

/// How the syncs of a stream go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// Level `process`, or none tried yet.
    Off,
    /// The last one succeeded.
    Good,
    /// It failed with this error of the system, and is tried again.
    Retrying(i32),
    /// It failed with this error again and again: the durable mark moves no more in this epoch, and the journal takes
    /// no more records.
    Failed(i32),
}

impl SyncState {
    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            SyncState::Off => "off",
            SyncState::Good => "good",
            SyncState::Retrying(_) => "retrying",
            SyncState::Failed(_) => "failed",
        }
    }
}

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
    path: PathBuf,
    /// Device, inode and length when it was mapped.
    identity: (u64, u64, u64),
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
        let path = folder.join(CONTROL_NAME);
        let file = File::open(&path)?;
        // Before the map: one that became longer in between is found too short, never the other way round.
        let identity = identity(&file.metadata()?);
        let map = ReadMap::new(&file, CONTROL_BYTES)?;
        Ok(check(&map, stream).map(|()| ControlReader { map, path, identity }))
    }

    /// Whether the file of that name is still the one mapped, as long as it was: a damaged page is replaced, and one of
    /// before 1.1 becomes longer, when the journal is opened. Then this one tells nothing more: open it again. One
    /// question to the system, no allocation.
    pub fn is_current(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| identity(&meta) == self.identity)
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
        slots(&self.map).1
    }

    /// The slot that counts. Who reads it so slowly that both were written meanwhile finds none that is whole, and looks
    /// once more.
    pub fn durable(&self) -> Option<DurableSlot> {
        durable(&self.map).or_else(|| durable(&self.map))
    }

    /// Durability as the present or last writer was opened with.
    pub fn durability(&self) -> Durability {
        let word = |offset| if has_sync_page(&self.map) { self.map.load_u32(offset, Ordering::Relaxed) } else { 0 };
        Durability::from_words(word(LEVEL), word(PERIOD_MS))
    }

    /// How its syncs go.
    pub fn sync_state(&self) -> SyncState {
        sync_state(&self.map)
    }

    /// Whether a slot is neither valid nor empty: written halfway, or damaged.
    pub(super) fn has_broken_slot(&self) -> bool {
        let (old, new) = slots(&self.map);
        old.into_iter().chain(new).any(|slot| !slot.is_empty() && !slot.is_valid())
    }

    /// Whether there was a durable mark that can't be read any more. A slot is written where none counts, so beside a
    /// valid one a broken one is a mark that was never completed; and the first mark of all is none before its checksum,
    /// its last word, is there: who dies in the middle of it has promised nothing by it.
    pub(super) fn has_lost_mark(&self) -> bool {
        let (old, new) = slots(&self.map);
        let mut all = old.into_iter().chain(new);
        self.durable().is_none() && all.any(|slot| !slot.is_empty() && slot.crc != 0)
    }
}

fn identity(meta: &fs::Metadata) -> (u64, u64, u64) {
    (meta.dev(), meta.ino(), meta.len())
}

fn check(map: &ReadMap, stream: Stream) -> Result<(), ControlError> {
    if map.len() < CONTROL_BYTES_MIN {
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

fn has_sync_page(map: &ReadMap) -> bool {
    map.len() >= CONTROL_BYTES
}

/// Slots of a page before 1.1, and those written now.
fn slots(map: &ReadMap) -> ([DurableSlot; 2], [DurableSlot; 2]) {
    let now = if has_sync_page(map) { SLOTS.map(|offset| read_slot(map, offset)) } else { [DurableSlot::zeroed(); 2] };
    (OLD_SLOTS.map(|offset| read_slot(map, offset)), now)
}

/// The slot that counts: the newest valid one.
fn durable(map: &ReadMap) -> Option<DurableSlot> {
    let (old, now) = slots(map);
    old.into_iter().chain(now).filter(DurableSlot::is_valid).max_by_key(DurableSlot::order)
}

fn sync_state(map: &ReadMap) -> SyncState {
    if !has_sync_page(map) {
        return SyncState::Off;
    }
    // Acquire, partner of the Release in `set_sync_state`: the error belongs to the state.
    let state = map.load_u32(SYNC_STATE, Ordering::Acquire);
    let errno = map.load_u32(SYNC_ERRNO, Ordering::Relaxed).cast_signed();
    match state {
        SYNC_GOOD => SyncState::Good,
        SYNC_RETRYING => SyncState::Retrying(errno),
        SYNC_FAILED => SyncState::Failed(errno),
        _ => SyncState::Off,
    }
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
    if let SyncState::Failed(errno) = sync_state(map) {
        return Some(Trouble::SyncFailed { errno });
    }
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
    pub(super) fn open_or_create(folder: &Path, stream: Stream) -> io::Result<Control> {
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
    pub(super) fn note_epoch(&self, epoch: u64) -> io::Result<()> {
        if epoch > self.epoch() {
            self.map.store_u64(EPOCH, epoch, Ordering::Release);
        }
        self.map.sync(0, SYNC_PAGE)
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

    /// Moves the durable mark: into the slot that does not count at present, and waits for the disk. A mark that is not
    /// later than the present one changes nothing.
    pub(super) fn write_durable(&self, mut slot: DurableSlot) -> io::Result<()> {
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

    pub(super) fn set_durability(&self, durability: Durability) {
        let (level, period_ms) = durability.to_words();
        self.map.store_u32(PERIOD_MS, period_ms, Ordering::Relaxed);
        self.map.store_u32(LEVEL, level, Ordering::Relaxed);
    }

    /// A sync succeeded and the mark was moved.
    pub(super) fn synced(&self, now_ns: u64) {
        self.map.store_u64(SYNCS, self.map.load_u64(SYNCS, Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.map.store_u64(SYNC_NS, now_ns, Ordering::Relaxed);
    }

    pub(super) fn set_sync_state(&self, state: SyncState) {
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
    pub(super) fn sync_state(&self) -> SyncState {
        sync_state(&self.map)
    }

    /// The error of the sync that fails at present, or failed for good.
    pub(super) fn sync_failure(&self) -> Option<i32> {
        match self.sync_state() {
            SyncState::Retrying(errno) | SyncState::Failed(errno) => Some(errno),
            SyncState::Off | SyncState::Good => None,
        }
    }

    /// Whether syncing failed for good: nothing may be appended.
    #[inline]
    pub(super) fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::Relaxed)
    }

    /// What the helper has done ahead of the writer.
    pub(super) fn ahead(&self) -> &Ahead {
        &self.ahead
    }

    /// Clears durable slots that are damaged: the other one, or none, counts then.
    pub(super) fn clear_damaged(&self) -> io::Result<()> {
        for offset in OLD_SLOTS.into_iter().chain(SLOTS) {
            if !read_slot(&self.map, offset).is_valid() {
                self.map.copy_from(offset, bytemuck::bytes_of(&DurableSlot::zeroed()));
            }
        }
        self.sync()
    }

    /// Forgets the durable slots for one that says where the records are now, after a repair moved them. A death in
    /// between leaves none, which claims nothing that is not so.
    pub(super) fn reset_durable(&self, slot: DurableSlot) -> io::Result<()> {
        for offset in OLD_SLOTS.into_iter().chain(SLOTS) {
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
