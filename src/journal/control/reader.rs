//! The control page as those who watch see it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::{
    ACTIVE_ORDINAL, CONTROL_NAME, EPOCH, HELPER_NS, LAST_SEQUENCE, LEVEL, PERIOD_MS, POSITION, STALLS, STATE,
    STATE_CLOSED, STATE_OPEN, SyncState, check, durable, has_sync_page, slots, space, sync_state, trouble,
};
use crate::journal::durability::Durability;
use crate::journal::format::{CONTROL_BYTES, DurableSlot, FORMAT_MAJOR, Stream};
use crate::journal::trouble::{DiskSpace, Trouble};
use crate::sys::map::ReadMap;

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
    pub(in crate::journal) fn has_broken_slot(&self) -> bool {
        let (old, new) = slots(&self.map);
        old.into_iter().chain(new).any(|slot| !slot.is_empty() && !slot.is_valid())
    }

    /// Whether there was a durable mark that can't be read any more. A slot is written where none counts, so beside a
    /// valid one a broken one is a mark that was never completed; and the first mark of all is none before its checksum,
    /// its last word, is there: who dies in the middle of it has promised nothing by it.
    pub(in crate::journal) fn has_lost_mark(&self) -> bool {
        let (old, new) = slots(&self.map);
        let mut all = old.into_iter().chain(new);
        self.durable().is_none() && all.any(|slot| !slot.is_empty() && slot.crc != 0)
    }
}
fn identity(meta: &fs::Metadata) -> (u64, u64, u64) {
    (meta.dev(), meta.ino(), meta.len())
}
