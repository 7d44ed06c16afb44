//! What the helper and the writer of a stream tell each other beside the control page, in memory of their own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Places ahead of the writer, each a segment and an offset in it.
///
/// All loads and stores are Relaxed: nobody concludes anything from them about other memory.
#[derive(Debug, Default)]
pub(in crate::journal) struct Ahead {
    /// Where the pages end that can be written; 0 = nowhere.
    wall: AtomicU64,
    /// From where on a sleeping helper is missed.
    wake_at: AtomicU64,
    is_asleep: AtomicBool,
}

/// One word of both. Offsets fit 32 bits, and of the ordinal as many tell one segment from its neighbours.
fn place(ordinal: u64, offset: usize) -> u64 {
    ordinal << 32 | offset as u64 & 0xffff_ffff
}

impl Ahead {
    /// The helper found that pages of that segment from `offset` on can't be had.
    pub(in crate::journal) fn set_wall(&self, ordinal: u64, offset: usize) {
        // The first one counts: pages behind it may fail, too, or not.
        if self.wall(ordinal).is_none_or(|wall| offset < wall) {
            self.wall.store(place(ordinal, offset), Ordering::Relaxed);
        }
    }

    /// Where the pages of a segment end that can be written; beyond waits a SIGBUS.
    pub(in crate::journal) fn wall(&self, ordinal: u64) -> Option<usize> {
        let wall = self.wall.load(Ordering::Relaxed);
        (wall != 0 && wall >> 32 == ordinal & 0xffff_ffff).then_some((wall & 0xffff_ffff) as usize)
    }

    /// The helper goes to sleep for long: to be woken when the writer gets to this place before.
    pub(in crate::journal) fn sleep(&self, ordinal: u64, offset: usize) {
        self.wake_at.store(place(ordinal, offset), Ordering::Relaxed);
        self.is_asleep.store(true, Ordering::Relaxed);
    }

    /// The helper is awake.
    pub(in crate::journal) fn awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    /// Whether the writer, at this place, must wake the helper: told once a sleep. A sleep that begins at the same moment
    /// may be missed, and is seen when the writer asks the next time.
    #[inline]
    pub(in crate::journal) fn is_missed(&self, ordinal: u64, offset: usize) -> bool {
        let is_missed =
            self.is_asleep.load(Ordering::Relaxed) && self.wake_at.load(Ordering::Relaxed) <= place(ordinal, offset);
        if is_missed {
            self.awake();
        }
        is_missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failing_page_of_a_segment_is_its_wall() {
        let ahead = Ahead::default();
        assert_eq!(ahead.wall(1), None);
        ahead.set_wall(1, 8192);
        ahead.set_wall(1, 12288);
        assert_eq!((ahead.wall(1), ahead.wall(2)), (Some(8192), None));
        ahead.set_wall(1, 4096);
        assert_eq!(ahead.wall(1), Some(4096));
        ahead.set_wall(2, 8192);
        assert_eq!((ahead.wall(1), ahead.wall(2)), (None, Some(8192)));
    }

    #[test]
    fn a_sleeping_helper_is_missed_once_at_its_place_or_beyond() {
        let ahead = Ahead::default();
        assert!(!ahead.is_missed(9, 9));
        ahead.sleep(3, 4096);
        assert!(!ahead.is_missed(3, 4095));
        assert!(!ahead.is_missed(2, 9000));
        assert!(ahead.is_missed(4, 0));
        assert!(!ahead.is_missed(4, 0));
        ahead.sleep(3, 4096);
        ahead.awake();
        assert!(!ahead.is_missed(3, 4096));
    }
}
