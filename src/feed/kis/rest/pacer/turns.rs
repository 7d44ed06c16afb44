//! The turns of an app key over all processes: a small file beside its keys says when the next one may be taken.
//!
//! Who may call holds the file's lock, sees that the time has come, and writes the time of the turn after. Nobody waits with
//! the lock held, and nothing is taken ahead, so that in each process the most urgent call goes first.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::sys::file::{boot_id, monotonic_ns};

/// Boot in which the time is valid, then nanoseconds of its monotonic clock.
const FILE_BYTES: usize = 24;
/// A turn that comes by so much too early is taken: clocks are read, and threads woken, no more exactly.
const EARLY: Duration = Duration::from_micros(500);
/// A time further ahead was never written by a pace that can be set (at least 0.01 calls a second, slowed to a tenth).
const AHEAD_MAX: Duration = Duration::from_secs(1_100);
/// Longest that the lock is waited for: its holders read and write 24 bytes.
const LOCK_PATIENCE: Duration = Duration::from_millis(200);

/// The file of turns.
#[derive(Debug)]
pub(super) struct Turns {
    file: File,
    boot: [u8; 16],
}

/// The right to take a turn.
#[derive(Debug)]
pub(super) struct Held<'a> {
    turns: &'a Turns,
    now: u64,
    next: u64,
}

impl Turns {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Turns> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)?;
        Ok(Turns { file, boot: boot_id() })
    }

    /// Takes the lock and looks at the time of the next turn.
    pub(super) fn lock(&self) -> io::Result<Held<'_>> {
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            match self.file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_micros(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the file of turns is held by another process",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let now = monotonic_ns();
        let mut held = Held { turns: self, now, next: 0 };
        let mut bytes = [0; FILE_BYTES];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            // Fresh, or what a full disk left of it: nobody has taken a turn.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(held),
            Err(error) => return Err(error),
        }
        let [boot, next] = [&bytes[..16], &bytes[16..]];
        let next = next.try_into().map_or(0, u64::from_le_bytes);
        if boot == self.boot && next.saturating_sub(now) <= AHEAD_MAX.as_nanos() as u64 {
            held.next = next;
        }
        Ok(held)
    }
}

impl Held<'_> {
    /// Until the turn; zero: it may be taken.
    pub(super) fn wait(&self) -> Duration {
        let wait = Duration::from_nanos(self.next.saturating_sub(self.now));
        if wait <= EARLY { Duration::ZERO } else { wait }
    }

    /// Takes the turn; the one after it comes a period later.
    pub(super) fn take(self, period: Duration) -> io::Result<()> {
        let next = self.next.max(self.now) + period.as_nanos() as u64;
        let mut bytes = [0; FILE_BYTES];
        bytes[..16].copy_from_slice(&self.turns.boot);
        bytes[16..].copy_from_slice(&next.to_le_bytes());
        self.turns.file.write_all_at(&bytes, 0)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Fails only for a file that is no file any more.
        let _ = self.turns.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_taken_by_one_is_waited_for_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let [one, other] = [Turns::open(&path).unwrap(), Turns::open(&path).unwrap()];
        let held = one.lock().unwrap();
        assert_eq!(held.wait(), Duration::ZERO);
        let busy = other.lock().unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::TimedOut);
        held.take(Duration::from_secs(10)).unwrap();
        let wait = other.lock().unwrap().wait();
        assert!(wait > Duration::from_secs(9) && wait <= Duration::from_secs(10), "{wait:?}");
    }

    #[test]
    fn what_another_boot_or_nobody_wrote_is_no_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let turns = Turns::open(&path).unwrap();
        let soon = monotonic_ns() + 10_000_000_000;
        let file = |boot: [u8; 16], next: u64| [&boot[..], &next.to_le_bytes()].concat();
        for (bytes, is_turn) in [
            (file(boot_id(), soon), true),
            (file([9; 16], soon), false),
            (file(boot_id(), u64::MAX), false),
            (vec![7; 5], false),
            (Vec::new(), false),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(!turns.lock().unwrap().wait().is_zero(), is_turn, "{bytes:?}");
        }
    }
}
