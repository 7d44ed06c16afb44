//! The right to hold an app key's session, and the count of its connects.
//!
//! An app key has one session. Two programs that hold one each take it from one another, without end: so who connects holds
//! a lock in the folder of keys, from its first connect to its last, which the system takes back when the program dies,
//! whatever it dies of. Behind the lock lies the [`budget`](super::budget). Files are named by a digest of the app key and
//! its server, as those of tokens are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::rest::key_file_name;
use super::budget::{Budget, Rules};
use crate::config::Config;
use crate::secret::Secret;

/// One app key on one server.
#[derive(Debug)]
pub struct Slot {
    /// Of the lock, and with another ending of the connects.
    path: PathBuf,
    rules: Rules,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    budget: Budget,
    _lock: File,
}

/// Why a slot can't be used; says what to do.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path}: {source}; without it no connect is made, since the broker blocks app keys that connect too often: make room, or give this user the right to write"
)]
pub struct SlotError {
    path: PathBuf,
    source: io::Error,
}

impl Slot {
    /// That of an app key; nothing is touched yet.
    pub fn new(folder: &Path, rest_url: &str, app_key: &Secret, rules: Rules) -> Slot {
        let path = folder.join(key_file_name(rest_url, app_key)).with_extension("session");
        Slot { path, rules, held: Mutex::new(None) }
    }

    /// As a configuration says. `scale`: seconds of the venue in one of wall time.
    pub fn of(config: &Config, app_key: &Secret, scale: f64) -> Slot {
        let session = &config.kis.session;
        let window = Duration::from_secs(session.connect_window_s);
        let rules = Rules { connects_max: session.connect_budget, window, scale };
        // Without a folder of keys there are no keys, and nobody gets as far as to connect.
        let folder = config.kis.rest.keys_folder().unwrap_or_else(|| config.journal.dir.clone());
        Slot::new(&folder, &config.kis.rest_url, app_key, rules)
    }

    /// Takes the slot, unless it is held already; false while another program holds it.
    ///
    /// # Errors
    ///
    /// The lock or the file of connects can't be read.
    pub fn take(&self) -> Result<bool, SlotError> {
        let mut held = self.held();
        if held.is_some() {
            return Ok(true);
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let lock = options.open(&self.path).map_err(|source| self.failed(source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(source)) => return Err(self.failed(source)),
        }
        *held = Some(Held { budget: self.known()?, _lock: lock });
        Ok(true)
    }

    /// Gives the slot back; its session is closed.
    pub fn release(&self) {
        *self.held() = None;
    }

    /// How long the key must not connect yet, and why. Not held: by what is known without it.
    ///
    /// # Errors
    ///
    /// The file of connects can't be read.
    pub fn wait(&self, now_ns: u64) -> Result<Option<(Duration, &'static str)>, SlotError> {
        match &*self.held() {
            Some(held) => Ok(held.budget.wait(now_ns)),
            None => Ok(self.known()?.wait(now_ns)),
        }
    }

    /// The key connects now: on the disk when it returns.
    ///
    /// # Errors
    ///
    /// It could not be written, or the slot is not held: then no connect may be made.
    pub fn connects(&self, now_ns: u64) -> Result<(), SlotError> {
        self.change(|budget| budget.connects(now_ns))
    }

    /// The last connect ended in order.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub fn ended_well(&self) -> Result<(), SlotError> {
        self.change(Budget::ended_well)
    }

    /// The key is to be left alone until then.
    ///
    /// # Errors
    ///
    /// It could not be written.
    pub fn leave_alone(&self, until_ns: u64) -> Result<(), SlotError> {
        self.change(|budget| budget.leave_alone(until_ns))
    }

    fn change(&self, change: impl FnOnce(&mut Budget) -> io::Result<()>) -> Result<(), SlotError> {
        match &mut *self.held() {
            Some(held) => change(&mut held.budget),
            None => Err(io::Error::other("the session's lock is not held")),
        }
        .map_err(|source| self.failed(source))
    }

    fn known(&self) -> Result<Budget, SlotError> {
        Budget::read(self.path.with_extension("connects"), self.rules).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> SlotError {
        SlotError { path: self.path.clone(), source }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn slot(folder: &Path, app_key: &str) -> Slot {
        let rules = Rules { connects_max: 10, window: Duration::from_secs(600), scale: 1.0 };
        Slot::new(folder, "https://broker:9443", &Secret::new(app_key), rules)
    }

    #[test]
    fn one_holds_the_slot_of_an_app_key_and_others_have_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (slot(folder.path(), "key"), slot(folder.path(), "key"));
        assert!(first.take().unwrap() && first.take().unwrap());
        assert!(!second.take().unwrap());
        assert!(second.connects(SECOND).is_err(), "who doesn't hold it doesn't connect");
        assert!(slot(folder.path(), "other").take().unwrap());
        first.release();
        assert!(second.take().unwrap());
    }

    #[test]
    fn what_the_holder_counted_is_known_to_others_and_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (slot(folder.path(), "key"), slot(folder.path(), "key"));
        assert!(first.take().unwrap());
        first.connects(100 * SECOND).unwrap();
        let wait = Some((Duration::from_secs(1), "connects that did not end well"));
        assert_eq!(second.wait(101 * SECOND).unwrap(), wait);
        drop(first);
        assert!(second.take().unwrap());
        assert_eq!(second.wait(101 * SECOND).unwrap(), wait, "a program that died left it open");
        second.ended_well().unwrap();
        assert_eq!(second.wait(101 * SECOND).unwrap(), None);
    }

    #[test]
    fn files_name_no_app_key() {
        let folder = tempfile::tempdir().unwrap();
        let slot = slot(folder.path(), "PSabcdefghijklmnopqrstuvwxyz01234567");
        slot.take().unwrap();
        slot.connects(SECOND).unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
            assert!(!path.display().to_string().contains("PSabc") && !text.contains("PSabc"), "{path:?}");
        }
    }
}
