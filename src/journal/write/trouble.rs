//! What keeps a stream from going on, as the helper found it: said long before the writer is stopped by it.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::journal::control::{Control, SyncState};
use crate::journal::format::Stream;

/// What is wrong with the place a stream is written to. Each state ends by itself but [`Trouble::SyncFailed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Less room is left on the file system than was asked for; segments are prepared still.
    LowSpace {
        /// Bytes a process without privileges may take.
        free_bytes: u64,
        /// As configured; with an eighth more the state ends.
        watermark_bytes: u64,
    },
    /// The next segment can't be prepared. The present one still takes records, the helper keeps trying.
    NoSegment {
        /// What the system said, e.g. `ENOSPC`, `EIO`.
        errno: i32,
    },
    /// Writing back failed for good: what was committed since the last durable mark may not be on the disk.
    SyncFailed {
        /// What the system said.
        errno: i32,
    },
}

impl Trouble {
    /// Name as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Trouble::LowSpace { .. } => "low_space",
            Trouble::NoSegment { .. } => "no_segment",
            Trouble::SyncFailed { .. } => "sync_failed",
        }
    }

    /// What the system said, if it did.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Trouble::LowSpace { .. } => None,
            Trouble::NoSegment { errno } | Trouble::SyncFailed { errno } => Some(*errno),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        match self {
            Trouble::LowSpace { free_bytes, watermark_bytes } => {
                write!(f, "only {} MiB are free, fewer than {} MiB", mib(*free_bytes), mib(*watermark_bytes))
            }
            Trouble::NoSegment { errno } => {
                write!(f, "the next segment can't be prepared: {}", io::Error::from_raw_os_error(*errno))
            }
            Trouble::SyncFailed { errno } => {
                write!(f, "writing back to the disk failed: {}", io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

/// Room of the file system a stream lies on, as the helper saw it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes a process without privileges may take.
    pub free_bytes: u64,
    /// Below this the state is low; 0 = never.
    pub watermark_bytes: u64,
    /// Whether it is low: from below the watermark until an eighth more than it is free again.
    pub is_low: bool,
}

impl DiskSpace {
    /// The state that follows `was_low` at that many free bytes.
    pub(in crate::journal) fn judge(free_bytes: u64, watermark_bytes: u64, was_low: bool) -> DiskSpace {
        let enough = if was_low { watermark_bytes.saturating_add(watermark_bytes / 8) } else { watermark_bytes };
        DiskSpace { free_bytes, watermark_bytes, is_low: watermark_bytes > 0 && free_bytes < enough }
    }
}

/// Watches a stream's trouble from another thread than its writer's, as long as wanted; costs the writer nothing.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(in crate::journal) control: Arc<Control>,
    pub(in crate::journal) stream: Stream,
}

impl Watch {
    /// The stream.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// As [`StreamWriter::trouble`](crate::journal::StreamWriter::trouble).
    pub fn trouble(&self) -> Option<Trouble> {
        self.control.trouble()
    }

    /// Error of the preparation of the next segment; `None` when that goes well.
    pub fn segment_failure(&self) -> Option<i32> {
        self.control.failure()
    }

    /// How the syncs go; one that is tried again is no trouble yet.
    pub fn sync_state(&self) -> SyncState {
        self.control.sync_state()
    }

    /// Room of the file system; `None` when it doesn't say.
    pub fn space(&self) -> Option<DiskSpace> {
        self.control.space()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_space_ends_only_with_an_eighth_more_than_the_watermark() {
        let mut is_low = false;
        let mut seen = Vec::new();
        for free in [1000, 800, 799, 850, 899, 900, 801] {
            is_low = DiskSpace::judge(free, 800, is_low).is_low;
            seen.push(is_low);
        }
        assert_eq!(seen, [false, false, true, true, true, false, false]);
        assert!(!DiskSpace::judge(0, 0, true).is_low, "switched off");
    }
}
