//! How often an app key may connect, over restarts of the program and over all programs of a host.
//!
//! The broker blocks an app key, or its address, that connects and closes in a loop. A program that dies at once and is
//! started again by its supervisor is such a loop, whatever it does in memory: so each connect is in a file before it is made,
//! and how it ended is said there afterwards. Two bounds are kept to:
//!
//! - *A number within a window*, however the connects ended.
//! - *A floor that doubles*: with each connect of the last hour that nothing says ended in order, the next one has to be
//!   twice as long after the last. Who stops in order and starts again connects at once.
//!
//! A wait that was begun is in the file, too, and goes on in the next process. A file that can't be read stands for one connect
//! when it was written. What can't be written is not done.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// A wait that goes on longer was written by a clock that was set back since, and is not kept to.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Connects of so long count for the floor.
const HOUR: Duration = Duration::from_secs(3600);
/// The floor after one connect that did not end in order, and the highest it doubles to: as the longest wait of a line.
const FLOOR: Duration = Duration::from_secs(2);
const FLOOR_MAX: Duration = Duration::from_secs(128);
/// From so many on it is no bad hour but a loop, and the floor this one.
const LOOP_FROM: usize = 13;
const FLOOR_OF_LOOP: Duration = Duration::from_secs(300);
/// A file of connects is a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Connects within the window; 0: any number, and nothing is kept.
    pub connects_max: usize,
    /// The window, of the venue's clock.
    pub window: Duration,
    /// Seconds of the venue in a second of wall time.
    pub scale: f64,
}

impl Rules {
    fn wall_ns(&self, time: Duration) -> u64 {
        time.div_f64(self.scale).as_nanos() as u64
    }
}

/// Connects of one app key, as far as is known.
#[derive(Debug)]
pub struct Budget {
    path: PathBuf,
    rules: Rules,
    history: History,
    is_damaged: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
struct History {
    /// Oldest first.
    connects: Vec<Connect>,
    /// Wall time before which the key is left alone, ns.
    not_before_ns: u64,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
struct Connect {
    /// Wall time, ns.
    at_ns: u64,
    /// It was closed by a program that ended in order.
    ended_well: bool,
}

impl Budget {
    /// How an app key is named where no more than its identity matters.
    pub fn name(app_key: &Secret) -> String {
        let digest = Sha256::digest(app_key.expose().as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What earlier runs left in a file. Nothing is written.
    ///
    /// # Errors
    ///
    /// The file is there and can't be read.
    pub fn read(path: PathBuf, rules: Rules) -> io::Result<Budget> {
        let mut budget = Budget { path, rules, history: History::default(), is_damaged: false };
        if rules.connects_max == 0 {
            return Ok(budget);
        }
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(&budget.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(budget),
            other => other?,
        };
        let written = file.metadata()?.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        match serde_json::from_slice(&bytes) {
            Ok(history) => budget.history = history,
            Err(error) => {
                tracing::warn!(path = %budget.path.display(), %error, "connects of earlier runs are not known: the file is damaged");
                let at_ns = written.map_or(0, |since| since.as_nanos() as u64);
                budget.history.connects.push(Connect { at_ns, ended_well: false });
                budget.is_damaged = true;
            }
        }
        Ok(budget)
    }

    /// How long the key must not connect yet, and why; `None` when it may.
    pub fn wait(&self, now_ns: u64) -> Option<(Duration, &'static str)> {
        let Rules { connects_max, window, .. } = self.rules;
        if connects_max == 0 {
            return None;
        }
        let connects = &self.history.connects;
        let in_time = |within: Duration| {
            let begin = now_ns.saturating_sub(self.rules.wall_ns(within));
            // Times ahead of us are of a clock that was set back since.
            connects.iter().filter(move |connect| (begin..=now_ns).contains(&connect.at_ns))
        };
        let counted: Vec<&Connect> = in_time(window).collect();
        let until_free = match counted.len().checked_sub(connects_max) {
            // The oldest of the last `connects_max` has to leave the window.
            Some(oldest) => counted[oldest].at_ns.saturating_add(self.rules.wall_ns(window)),
            None => 0,
        };
        let unclean: Vec<&Connect> = in_time(HOUR).filter(|connect| !connect.ended_well).collect();
        let until_floor = match unclean.last() {
            Some(last) => last.at_ns.saturating_add(self.rules.wall_ns(floor(unclean.len()))),
            None => 0,
        };
        let longest = WAIT_MAX.max(Duration::from_nanos(self.rules.wall_ns(WAIT_MAX.max(window))));
        let ahead = Duration::from_nanos(self.history.not_before_ns.saturating_sub(now_ns));
        let until_over = if ahead > longest { 0 } else { self.history.not_before_ns };
        let waits = [
            (until_free, "connects used up"),
            (until_floor, "connects that did not end well"),
            (until_over, "a wait goes on"),
        ];
        // Of equal ones the first.
        let (until, why) = waits.into_iter().rev().max_by_key(|(until, _)| *until)?;
        let wait = Duration::from_nanos(until.saturating_sub(now_ns));
        (!wait.is_zero()).then_some((wait, why))
    }

    /// The key connects now: on the disk when it returns.
    ///
    /// # Errors
    ///
    /// It could not be written: then no connect may be made.
    pub fn connects(&mut self, now_ns: u64) -> io::Result<()> {
        let kept = self.rules.wall_ns(self.rules.window).max(self.rules.wall_ns(HOUR));
        let begin = now_ns.saturating_sub(kept);
        let connects = &mut self.history.connects;
        connects.retain(|connect| (begin..=now_ns).contains(&connect.at_ns));
        connects.push(Connect { at_ns: now_ns, ended_well: false });
        self.history.not_before_ns = 0;
        self.save()
    }

    /// The last connect ended in order.
    ///
    /// # Errors
    ///
    /// It could not be written: the connect counts as one that didn't.
    pub fn ended_well(&mut self) -> io::Result<()> {
        if let Some(last) = self.history.connects.last_mut() {
            last.ended_well = true;
        }
        self.save()
    }

    /// The key is to be left alone until then, by whatever process.
    ///
    /// # Errors
    ///
    /// It could not be written: the next process doesn't know.
    pub fn leave_alone(&mut self, until_ns: u64) -> io::Result<()> {
        self.history.not_before_ns = until_ns;
        self.save()
    }

    /// Replaces the file: written beside it, synced, renamed. One that was damaged is set aside.
    fn save(&mut self) -> io::Result<()> {
        if self.rules.connects_max == 0 {
            return Ok(());
        }
        if self.is_damaged {
            std::fs::rename(&self.path, self.path.with_extension("connects-damaged"))?;
            self.is_damaged = false;
        }
        let draft = self.path.with_extension("connects-new");
        let written = write(&draft, &serde_json::to_vec(&self.history)?)
            .and_then(|()| std::fs::rename(&draft, &self.path))
            .and_then(|()| self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()));
        if written.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
        written
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a process that died has left.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// From one connect to the next, after so many that did not end in order.
fn floor(unclean: usize) -> Duration {
    match unclean {
        LOOP_FROM.. => FLOOR_OF_LOOP,
        _ => FLOOR.saturating_mul(1 << unclean.saturating_sub(1)).min(FLOOR_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const BEGUN: u64 = 1_000_000 * SECOND;
    const WINDOW: Duration = Duration::from_secs(600);

    fn open(folder: &Path, connects_max: usize) -> Budget {
        Budget::read(folder.join("k.connects"), Rules { connects_max, window: WINDOW, scale: 1.0 }).unwrap()
    }

    #[test]
    fn a_restart_in_order_connects_at_once_and_forgets_no_connect() {
        let folder = tempfile::tempdir().unwrap();
        let mut now = BEGUN;
        for _ in 0..10 {
            let mut budget = open(folder.path(), 10);
            assert_eq!(budget.wait(now), None);
            budget.connects(now).unwrap();
            now += SECOND;
            budget.ended_well().unwrap();
        }
        let budget = open(folder.path(), 10);
        let left = WINDOW - Duration::from_secs(10);
        assert_eq!(budget.wait(now), Some((left, "connects used up")), "until the first is out of the window");
        assert_eq!(budget.wait(now + 591 * SECOND), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_crash_loop_is_slowed_from_its_first_turn_and_comes_to_rest_at_a_dozen_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let mut now = BEGUN;
        let mut connects = Vec::new();
        // A supervisor that starts it again as soon as it is dead.
        while now < BEGUN + 24 * 3600 * SECOND {
            let mut budget = open(folder.path(), 10);
            match budget.wait(now) {
                Some((wait, _)) => now += wait.as_nanos() as u64,
                None => {
                    budget.connects(now).unwrap();
                    connects.push((now - BEGUN) / SECOND);
                    now += SECOND / 10;
                }
            }
        }
        assert_eq!(connects[..9], [0, 2, 6, 14, 30, 62, 126, 254, 382]);
        let in_an_hour = connects.iter().filter(|second| **second < 3600).count();
        assert!(in_an_hour <= 24, "{in_an_hour}");
        assert!(connects.len() <= 24 * 15, "{} a day", connects.len());
        // A day without it, and all is as at first.
        assert_eq!(open(folder.path(), 10).wait(now + 24 * 3600 * SECOND), None);
    }

    #[test]
    fn a_wait_goes_on_in_the_next_process_and_ends_with_a_connect() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), 10).leave_alone(BEGUN + 20 * SECOND).unwrap();
        let mut budget = open(folder.path(), 10);
        assert_eq!(budget.wait(BEGUN + SECOND), Some((Duration::from_secs(19), "a wait goes on")));
        budget.connects(BEGUN + 21 * SECOND).unwrap();
        budget.ended_well().unwrap();
        assert_eq!(budget.wait(BEGUN + 21 * SECOND), None);
    }

    #[test]
    fn a_damaged_file_stands_for_a_connect_and_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.connects");
        write(&path, b"{\"connects\":").unwrap();
        let written = path.metadata().unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
        let now = written.as_nanos() as u64 + SECOND / 2;
        let mut budget = open(folder.path(), 10);
        assert_eq!(budget.wait(now), Some((Duration::from_millis(1500), "connects that did not end well")));
        budget.connects(now + 2 * SECOND).unwrap();
        assert_eq!(std::fs::read(folder.path().join("k.connects-damaged")).unwrap(), b"{\"connects\":");
        assert_eq!(open(folder.path(), 10).wait(now + 3 * SECOND).unwrap().0, Duration::from_secs(3), "the second");
    }

    #[test]
    fn a_clock_set_back_does_not_lock_a_key_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut budget = open(folder.path(), 1);
        budget.leave_alone(u64::MAX).unwrap();
        assert_eq!(budget.wait(SECOND), None, "the wait is of a clock that was set back");
        budget.leave_alone(3601 * SECOND).unwrap();
        assert_eq!(budget.wait(SECOND), Some((WAIT_MAX, "a wait goes on")), "this one may be meant");
        budget.connects(50_000 * SECOND).unwrap();
        budget.connects(SECOND).unwrap();
        budget.ended_well().unwrap();
        assert_eq!(budget.wait(602 * SECOND), None, "the connect of the future is forgotten");
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_the_file_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let mut budget = open(folder.path(), 10);
        budget.connects(BEGUN).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &folder.path().join("k.connects").metadata().unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert!(budget.connects(BEGUN + SECOND).is_err());
    }
}
