//! The turns of an app key over all processes: a small file beside its keys says when the next one may be taken.
//!
//! Who may call holds the file's lock, sees that the time has come, and writes the time of the turn after. Nobody waits with
//! the lock held, and nothing is taken ahead, so that in each process the most urgent call goes first. How far the broker has
//! slowed the pace stands there too: its refusals are of the app key, not of one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::sys::file::{boot_id, monotonic_ns};

/// Boot in which the times are valid; by its monotonic clock the next turn and since when the pace is what it is, ns; the
/// pace in millionths of the full one.
const FILE_BYTES: usize = 40;
const MILLION: f64 = 1e6;
/// A turn that comes by so much too early is taken: clocks are read, and threads woken, no more exactly.
const EARLY: Duration = Duration::from_micros(500);
/// A time further ahead was never written by a pace that can be set (at least 0.01 calls a second, slowed to a tenth).
const AHEAD_MAX: Duration = Duration::from_secs(1_100);
/// A change further ahead than the broker's second is none.
const CHANGE_AHEAD_MAX: Duration = Duration::from_secs(2);

/// How far refusals have slowed the pace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slowed {
    /// Of the full pace.
    pub(super) part: f64,
    /// Since when, ns of the monotonic clock: while it is to come, no turn is given.
    pub(super) since: u64,
}

impl Slowed {
    /// The full pace.
    pub(super) const NOT: Slowed = Slowed { part: 1.0, since: 0 };
}

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
    slowed: Slowed,
}

impl Turns {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Turns> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)?;
        Ok(Turns { file, boot: boot_id() })
    }

    /// Takes the lock and looks at the time of the next turn; `None` when another process keeps it so long.
    pub(super) fn lock(&self, patience: Duration) -> io::Result<Option<Held<'_>>> {
        let until = Instant::now() + patience;
        loop {
            match self.file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_micros(50));
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        let now = monotonic_ns();
        let mut held = Held { turns: self, now, next: 0, slowed: Slowed::NOT };
        let mut bytes = [0; FILE_BYTES];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            // Fresh, or what a full disk left of it: nobody has taken a turn.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(held)),
            Err(error) => return Err(error),
        }
        let number = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let (next, since, part) = (number(16), number(24), number(32) as f64 / MILLION);
        if bytes[..16] == self.boot {
            let is_near = |at: u64, most: Duration| at.saturating_sub(now) <= most.as_nanos() as u64;
            if is_near(next, AHEAD_MAX) {
                held.next = next;
            }
            if is_near(since, CHANGE_AHEAD_MAX) && (0.0..=1.0).contains(&part) && part > 0.0 {
                held.slowed = Slowed { part, since };
            }
        }
        Ok(Some(held))
    }
}

impl Held<'_> {
    /// Until the turn; zero: it may be taken.
    pub(super) fn wait(&self) -> Duration {
        let wait = Duration::from_nanos(self.next.saturating_sub(self.now));
        if wait <= EARLY { Duration::ZERO } else { wait }
    }

    /// When the lock was taken, ns of the monotonic clock.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// How far the pace is slowed, as far as other processes know.
    pub(super) fn slowed(&self) -> Slowed {
        self.slowed
    }

    /// Takes the turn; the one after it comes a period later.
    pub(super) fn take(self, period: Duration, slowed: Slowed) -> io::Result<()> {
        let next = self.next.max(self.now) + period.as_nanos() as u64;
        self.write(next, slowed)
    }

    /// Slows the pace of all, after a pause for all.
    pub(super) fn slow(self, slowed: Slowed) -> io::Result<()> {
        self.write(self.next.max(slowed.since), slowed)
    }

    fn write(&self, next: u64, slowed: Slowed) -> io::Result<()> {
        let mut bytes = [0; FILE_BYTES];
        bytes[..16].copy_from_slice(&self.turns.boot);
        bytes[16..24].copy_from_slice(&next.to_le_bytes());
        bytes[24..32].copy_from_slice(&slowed.since.to_le_bytes());
        bytes[32..].copy_from_slice(&((slowed.part * MILLION) as u64).to_le_bytes());
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

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn a_turn_taken_by_one_is_waited_for_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let [one, other] = [Turns::open(&path).unwrap(), Turns::open(&path).unwrap()];
        let held = one.lock(SOON).unwrap().unwrap();
        assert_eq!(held.wait(), Duration::ZERO);
        assert!(other.lock(SOON).unwrap().is_none(), "it is held");
        let slowed = Slowed { part: 0.7, since: monotonic_ns() };
        held.take(Duration::from_secs(10), slowed).unwrap();
        let held = other.lock(SOON).unwrap().unwrap();
        assert!(held.wait() > Duration::from_secs(9) && held.wait() <= Duration::from_secs(10), "{:?}", held.wait());
        assert_eq!(held.slowed(), slowed);
    }

    #[test]
    fn what_another_boot_or_nobody_wrote_is_no_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let turns = Turns::open(&path).unwrap();
        let now = monotonic_ns();
        let file = |boot: [u8; 16], next: u64, since: u64, part: u64| {
            [&boot[..], &next.to_le_bytes(), &since.to_le_bytes(), &part.to_le_bytes()].concat()
        };
        let soon = now + 10_000_000_000;
        for (bytes, is_turn, is_slow) in [
            (file(boot_id(), soon, now, 500_000), true, true),
            (file([9; 16], soon, now, 500_000), false, false),
            (file(boot_id(), u64::MAX, u64::MAX, 500_000), false, false),
            (file(boot_id(), soon, now, 0), true, false),
            (file(boot_id(), soon, now, u64::MAX), true, false),
            (file(boot_id(), soon, now, 500_000)[..24].to_vec(), false, false),
            (vec![7; 5], false, false),
            (Vec::new(), false, false),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let held = turns.lock(SOON).unwrap().unwrap();
            assert_eq!((!held.wait().is_zero(), held.slowed() != Slowed::NOT), (is_turn, is_slow), "{bytes:?}");
        }
    }
}
