//! How often an app key may connect, over restarts of the program.
//!
//! The broker blocks an app key, or its address, that connects and closes in a loop. A program that dies at once and is
//! started again by its supervisor is such a loop, whatever it does in memory: so connects are kept in a file, and so is a
//! wait that has not passed. The file names app keys by a digest. It is replaced whole, written before each connect.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// Name of the file in the journal's folder.
pub const FILE_NAME: &str = "kis-sessions.json";
/// No wait in the file is longer, whatever the clock did meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Connects of each app key.
#[derive(Debug)]
pub struct Budget {
    path: PathBuf,
    connects_max: usize,
    window: Duration,
    keys: BTreeMap<String, History>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(default)]
struct History {
    /// Wall time of the connects within the window, ns, oldest first.
    connects_ns: Vec<u64>,
    /// Wall time before which the key is left alone, ns.
    not_before_ns: u64,
}

impl Budget {
    /// Reads what an earlier run left in `dir`. `connects_max` within `window` of wall time; 0 lets all through.
    ///
    /// A file that can't be read is set aside with a warning: what is in it is not known, so nothing is counted.
    pub fn open(dir: &Path, connects_max: usize, window: Duration) -> Budget {
        let path = dir.join(FILE_NAME);
        let keys = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                let path = path.display();
                tracing::warn!(%path, %error, "connects of earlier runs are not known: the file is damaged and begun anew");
                BTreeMap::new()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "connects of earlier runs are not known");
                }
                BTreeMap::new()
            }
        };
        Budget { path, connects_max, window, keys }
    }

    /// How an app key is named in the file.
    pub fn name(app_key: &Secret) -> String {
        let digest = Sha256::digest(app_key.expose().as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// How long the key must not connect yet, and why; `None` when it may.
    pub fn wait(&self, key: &str, now_ns: u64) -> Option<(Duration, &'static str)> {
        let history = self.keys.get(key).filter(|_| self.connects_max > 0)?;
        let until_free = match history.connects_ns.len().checked_sub(self.connects_max) {
            // The oldest of the last `connects_max` has to leave the window.
            Some(oldest) => history.connects_ns[oldest].saturating_add(self.window.as_nanos() as u64),
            None => 0,
        };
        let (until, why) = if until_free >= history.not_before_ns {
            (until_free, "connects used up")
        } else {
            (history.not_before_ns, "a wait goes on")
        };
        let wait = Duration::from_nanos(until.saturating_sub(now_ns)).min(WAIT_MAX.max(self.window));
        (!wait.is_zero()).then_some((wait, why))
    }

    /// The key connects now. On disk when it returns, but for a failure, which is logged.
    pub fn connects(&mut self, key: &str, now_ns: u64) {
        let begin = now_ns.saturating_sub(self.window.as_nanos() as u64);
        let history = self.keys.entry(key.to_owned()).or_default();
        // Times ahead of us are of a clock that was set back since.
        history.connects_ns.retain(|at| (begin..=now_ns).contains(at));
        history.connects_ns.push(now_ns);
        history.not_before_ns = 0;
        self.save();
    }

    /// The key is to be left alone until then, by whatever process.
    pub fn leave_alone(&mut self, key: &str, until_ns: u64) {
        self.keys.entry(key.to_owned()).or_default().not_before_ns = until_ns;
        self.save();
    }

    fn save(&self) {
        if self.connects_max == 0 {
            return;
        }
        let draft = self.path.with_extension(format!("json.{}", std::process::id()));
        let write = || -> io::Result<()> {
            let mut file = std::fs::File::create(&draft)?;
            file.write_all(&serde_json::to_vec(&self.keys)?)?;
            std::fs::rename(&draft, &self.path)
        };
        if let Err(error) = write() {
            let _ = std::fs::remove_file(&draft);
            tracing::warn!(path = %self.path.display(), %error, "connects can't be kept for the next run");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const WINDOW: Duration = Duration::from_secs(600);

    #[test]
    fn a_restart_forgets_no_connect() {
        let folder = tempfile::tempdir().unwrap();
        let mut now = 1_000_000 * SECOND;
        for _ in 0..10 {
            let mut budget = Budget::open(folder.path(), 10, WINDOW);
            assert_eq!(budget.wait("k", now), None);
            budget.connects("k", now);
            now += SECOND;
        }
        let budget = Budget::open(folder.path(), 10, WINDOW);
        let left = WINDOW - Duration::from_secs(10);
        assert_eq!(budget.wait("k", now), Some((left, "connects used up")), "until the first is out of the window");
        assert_eq!(budget.wait("other", now), None);
        assert_eq!(budget.wait("k", now + 590 * SECOND), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_wait_goes_on_in_the_next_process_and_ends_with_a_connect() {
        let folder = tempfile::tempdir().unwrap();
        let now = 1_000_000 * SECOND;
        Budget::open(folder.path(), 10, WINDOW).leave_alone("k", now + 20 * SECOND);
        let mut budget = Budget::open(folder.path(), 10, WINDOW);
        assert_eq!(budget.wait("k", now + SECOND), Some((Duration::from_secs(19), "a wait goes on")));
        budget.connects("k", now + 21 * SECOND);
        assert_eq!(budget.wait("k", now + 21 * SECOND), None);
    }

    #[test]
    fn a_damaged_file_and_a_clock_set_back_do_not_lock_a_key_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), b"{\"k\":").unwrap();
        let mut budget = Budget::open(folder.path(), 1, WINDOW);
        assert_eq!(budget.wait("k", 0), None);
        budget.leave_alone("k", u64::MAX);
        assert_eq!(budget.wait("k", SECOND).map(|(wait, _)| wait), Some(WAIT_MAX));
        budget.connects("k", 5000 * SECOND);
        budget.connects("k", SECOND);
        assert_eq!(budget.wait("k", 602 * SECOND), None, "the connect of the future is forgotten");
    }

    #[test]
    fn the_file_names_no_app_key() {
        let name = Budget::name(&Secret::new("PSabcdefghijklmnopqrstuvwxyz01234567"));
        assert_eq!(name.len(), 16);
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
