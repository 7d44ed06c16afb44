//! Our calendar against the broker's, once a day.
//!
//! The broker asks for one such call a day, so the call is written down before it is made, in the folder of keys: whoever
//! uses the same app keys, and whoever is started again, finds it done, with what it came to. A call that did not reach the
//! server is none.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError, bounded};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::super::rest::{Client, RestError};
use crate::market::calendar::{Calendar, HolidayRow, compare};
use crate::market::kst;

/// Pause before a call that did not reach the server is made again.
const AGAIN: Duration = Duration::from_secs(600);

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// The broker was asked now: where the two part.
    Now(Vec<String>),
    /// It was asked before on that day: where the two parted.
    Before(Vec<String>),
    /// It was asked and gave no calendar: not asked again on that day.
    Refused(String),
    /// It could not be asked; it is later.
    Failed(String),
}

/// The daily check.
pub(super) struct Holidays {
    rest: Client,
    calendar: Arc<Calendar>,
    file: PathBuf,
    done_for: Option<Date>,
    running: Option<(Date, Receiver<Checked>)>,
    not_before: Instant,
}

/// What is written down.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Kept {
    /// Decimal YYYYMMDD of the last call.
    date: u32,
    /// Where the calendars parted; `None`: the call came to nothing.
    differences: Option<Vec<String>>,
}

impl Holidays {
    /// A check whose calls are written down in `folder` under `name`.
    pub fn new(rest: Client, calendar: Arc<Calendar>, folder: &Path, name: &str) -> Holidays {
        let file = folder.join(format!("holidays-{name}.json"));
        Holidays { rest, calendar, file, done_for: None, running: None, not_before: Instant::now() }
    }

    /// Begins the check of the day at `market_ns` if it is due, on a thread of its own; what one came to, once.
    pub fn look(&mut self, now: Instant, market_ns: u64) -> Option<Checked> {
        if let Some((date, receiver)) = &self.running {
            let checked = match receiver.try_recv() {
                Ok(checked) => checked,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => Checked::Failed("its thread could not be made".to_owned()),
            };
            match checked {
                Checked::Failed(_) => self.not_before = now + AGAIN,
                _ => self.done_for = Some(*date),
            }
            self.running = None;
            return Some(checked);
        }
        let date = kst::trading_date(market_ns);
        if self.done_for == Some(date) || now < self.not_before {
            return None;
        }
        let (sender, receiver) = bounded(1);
        let (rest, calendar, file) = (self.rest.clone(), Arc::clone(&self.calendar), self.file.clone());
        let body = move || {
            let checked = check(&rest, &calendar, &file, date);
            let _ = sender.send(checked.unwrap_or_else(|error| Checked::Failed(error.to_string())));
        };
        // When no thread can be made the sender is dropped.
        let _ = std::thread::Builder::new().name("hoga-calendar".to_owned()).spawn(body);
        self.running = Some((date, receiver));
        None
    }
}

fn check(rest: &Client, calendar: &Calendar, path: &Path, date: Date) -> std::io::Result<Checked> {
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).mode(0o600).open(path.with_extension("lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Checked::Failed("another process is asking".to_owned())),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let number = kst::number_of(date);
    // A file that can't be read as such was written by nobody: the call is made.
    let kept: Kept = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if kept.date == number {
        return Ok(match kept.differences {
            Some(differences) => Checked::Before(differences),
            None => Checked::Refused("the broker was asked before on this day, and nothing came of it".to_owned()),
        });
    }
    write(path, &Kept { date: number, differences: None })?;
    let answer = rest.call("domestic-stock/chk-holiday", &[("BASS_DT", &number.to_string())]);
    let rows = match answer.and_then(|answer| answer.rows("output")) {
        Ok(rows) => rows,
        Err(error) => {
            let is_unmade = matches!(
                error,
                RestError::Transport { .. }
                    | RestError::CircuitOpen { .. }
                    | RestError::TooSlow { .. }
                    | RestError::Keys(_)
            );
            if is_unmade {
                write(path, &kept)?;
                return Ok(Checked::Failed(error.to_string()));
            }
            return Ok(Checked::Refused(error.to_string()));
        }
    };
    let text = |row: &super::super::rest::Row, field| row.get(field).unwrap_or_default().to_owned();
    let rows: Vec<HolidayRow> =
        rows.iter().map(|row| HolidayRow { bass_dt: text(row, "bass_dt"), opnd_yn: text(row, "opnd_yn") }).collect();
    let differences: Vec<String> = compare(calendar, &rows).iter().map(ToString::to_string).collect();
    write(path, &Kept { date: number, differences: Some(differences.clone()) })?;
    Ok(Checked::Now(differences))
}

/// Replaces the file whole.
fn write(path: &Path, kept: &Kept) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    std::fs::write(&draft, serde_json::to_vec(kept)?)?;
    File::open(&draft)?.sync_all()?;
    std::fs::rename(&draft, path)
}
