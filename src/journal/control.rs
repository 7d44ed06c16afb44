//! The control page of a stream: what a live writer tells those who watch. See the byte map in
//! [`format`](super::format).

mod page;
mod reader;

use std::sync::atomic::Ordering;

use bytemuck::Zeroable as _;

pub(super) use self::page::Control;
pub use self::reader::{ControlError, ControlReader, WriterState};
use super::format::{CONTROL_BYTES, CONTROL_BYTES_MIN, CONTROL_MAGIC, DurableSlot, FORMAT_MAJOR, Stream};
use super::trouble::{DiskSpace, Trouble};
use crate::simd::crc32c::crc32c;
use crate::sys::map::ReadMap;

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
