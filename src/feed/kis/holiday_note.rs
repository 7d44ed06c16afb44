//! The broker asks for one call for its calendar a day: a note in the folder of keys says that it was made, and what came.
//!
//! It is written before the call is made, under a lock, so that whoever uses the same app keys, and whoever is started again,
//! finds it. A call that did not reach the server is none.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::rest::{Answer, RestError, Row};
use crate::market::calendar::HolidayRow;
use crate::sys::file::sync_folder;

const LOCK_POLL: Duration = Duration::from_millis(20);

/// A day as the broker told it, text for text.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotedDay {
    /// The date, decimal YYYYMMDD.
    pub bass_dt: String,
    /// Whether banks work, `Y` or `N`.
    pub bzdy_yn: String,
    /// Whether orders are taken.
    pub tr_day_yn: String,
    /// Whether the market opens.
    pub opnd_yn: String,
    /// Whether trades are settled.
    pub sttl_day_yn: String,
}

impl NotedDay {
    /// The days of a page.
    ///
    /// # Errors
    ///
    /// There is no list of days.
    pub fn of(page: &Answer) -> Result<Vec<NotedDay>, RestError> {
        let day = |row: &Row| {
            let text = |field| row.get(field).unwrap_or_default().to_owned();
            NotedDay {
                bass_dt: text("bass_dt"),
                bzdy_yn: text("bzdy_yn"),
                tr_day_yn: text("tr_day_yn"),
                opnd_yn: text("opnd_yn"),
                sttl_day_yn: text("sttl_day_yn"),
            }
        };
        Ok(page.rows("output")?.iter().map(day).collect())
    }

    /// What is compared of it.
    pub fn row(&self) -> HolidayRow {
        HolidayRow { bass_dt: self.bass_dt.clone(), opnd_yn: self.opnd_yn.clone() }
    }
}

/// What is written down.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Noted {
    /// Decimal YYYYMMDD of the last call; 0: none.
    pub asked_on: u32,
    /// The days that it told; `None`: it came to nothing, or who made it died.
    pub days: Option<Vec<NotedDay>>,
}

/// The note of an app key.
#[derive(Clone, Debug)]
pub(crate) struct HolidayNote {
    path: PathBuf,
}

/// The right to ask; nobody else has it meanwhile.
#[derive(Debug)]
pub(crate) struct HeldNote {
    path: PathBuf,
    _lock: File,
    /// What was written down by whoever asked last.
    pub noted: Noted,
}

impl HolidayNote {
    /// The note of the app key that is called so in a folder of keys.
    pub fn new(folder: &Path, name: &str) -> HolidayNote {
        HolidayNote { path: folder.join(format!("holidays-{name}.json")) }
    }

    /// Takes the note; `None` when another process asks until then.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn take(&self, until: Instant) -> io::Result<Option<HeldNote>> {
        let mut options = OpenOptions::new();
        let lock =
            options.create(true).truncate(false).write(true).mode(0o600).open(self.path.with_extension("lock"))?;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        // A file that can't be read as such was written by nobody.
        let bytes = std::fs::read(&self.path).ok();
        let noted = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Some(HeldNote { path: self.path.clone(), _lock: lock, noted }))
    }
}

impl HeldNote {
    /// Notes what `ask` comes to on a day: before it, that it is made; after it, what it told. It gets a place to say that a
    /// page came, after which an error doesn't undo the call.
    ///
    /// # Errors
    ///
    /// The note can't be written; the call failed.
    pub fn asking(
        mut self,
        date: u32,
        ask: impl FnOnce(&mut bool) -> Result<Vec<NotedDay>, RestError>,
    ) -> Result<Vec<NotedDay>, AskError> {
        let before = std::mem::replace(&mut self.noted, Noted { asked_on: date, days: None });
        self.write().map_err(AskError::Note)?;
        let mut has_come = false;
        match ask(&mut has_come) {
            Ok(days) => {
                self.noted.days = Some(days.clone());
                self.write().map_err(AskError::Note)?;
                Ok(days)
            }
            Err(error) => {
                if is_unmade(&error) && !has_come {
                    self.noted = before;
                    self.write().map_err(AskError::Note)?;
                }
                Err(AskError::Call(error))
            }
        }
    }

    /// Replaces the file whole.
    fn write(&self) -> io::Result<()> {
        let draft = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(&self.noted)?)?;
        file.sync_all()?;
        std::fs::rename(&draft, &self.path)?;
        self.path.parent().map_or(Ok(()), sync_folder)
    }
}

/// Why there are no days.
#[derive(Debug)]
pub(crate) enum AskError {
    /// The note can't be written.
    Note(io::Error),
    /// The call failed.
    Call(RestError),
}

/// Whether a call that failed was none: the server was not reached.
pub(crate) fn is_unmade(error: &RestError) -> bool {
    matches!(
        error,
        RestError::Transport { .. } | RestError::CircuitOpen { .. } | RestError::TooSlow { .. } | RestError::Keys(_)
    )
}
