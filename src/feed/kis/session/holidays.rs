//! Our calendar against the broker's, once a day.
//!
//! The broker asks for one such call a day, which the [note](super::super::holiday_note) of the app key bears out. What was
//! told is kept, so that it is held against a calendar that was corrected meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError, bounded};
use jiff::civil::Date;

use super::super::holiday_note::{AskError, HolidayNote, NotedDay, is_unmade};
use super::super::rest::Client;
use crate::market::calendar::{Calendar, HolidayRow, compare};
use crate::market::kst;

/// Pause before a call that did not reach the server is made again.
const AGAIN: Duration = Duration::from_secs(600);

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// The broker was asked now: where the two part.
    Now(Vec<String>),
    /// It was asked before on that day: where the two part now.
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
    note: HolidayNote,
    done_for: Option<Date>,
    running: Option<(Date, Receiver<Checked>)>,
    not_before: Instant,
}

impl Holidays {
    /// A check whose calls are written down in `folder` under `name`.
    pub fn new(rest: Client, calendar: Arc<Calendar>, folder: &Path, name: &str) -> Holidays {
        let note = HolidayNote::new(folder, name);
        Holidays { rest, calendar, note, done_for: None, running: None, not_before: Instant::now() }
    }

    /// Begins the check of the Korean date at `market_ns` if it is due, on a thread of its own; what one came to, once.
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
        // The Korean date, as downloads count it: the note is common to all.
        let date = kst::civil(market_ns).date();
        if self.done_for == Some(date) || now < self.not_before {
            return None;
        }
        let (sender, receiver) = bounded(1);
        let (rest, calendar, note) = (self.rest.clone(), Arc::clone(&self.calendar), self.note.clone());
        let body = move || {
            let checked = check(&rest, &calendar, &note, date);
            let _ = sender.send(checked.unwrap_or_else(|error| Checked::Failed(error.to_string())));
        };
        // When no thread can be made the sender is dropped.
        let _ = std::thread::Builder::new().name("hoga-calendar".to_owned()).spawn(body);
        self.running = Some((date, receiver));
        None
    }
}

fn check(rest: &Client, calendar: &Calendar, note: &HolidayNote, date: Date) -> std::io::Result<Checked> {
    let Some(held) = note.take(Instant::now())? else {
        return Ok(Checked::Failed("another process is asking".to_owned()));
    };
    let parting = |days: &[NotedDay]| -> Vec<String> {
        let rows: Vec<HolidayRow> = days.iter().map(NotedDay::row).collect();
        compare(calendar, &rows).iter().map(ToString::to_string).collect()
    };
    let number = kst::number_of(date);
    if held.noted.asked_on == number {
        return Ok(match &held.noted.days {
            Some(days) => Checked::Before(parting(days)),
            None => Checked::Refused("the broker was asked before on this day, and nothing came of it".to_owned()),
        });
    }
    let asked = held.asking(number, |_| {
        NotedDay::of(&rest.call("domestic-stock/chk-holiday", &[("BASS_DT", &number.to_string())])?)
    });
    match asked {
        Ok(days) => Ok(Checked::Now(parting(&days))),
        Err(AskError::Note(error)) => Err(error),
        Err(AskError::Call(error)) if is_unmade(&error) => Ok(Checked::Failed(error.to_string())),
        Err(AskError::Call(error)) => Ok(Checked::Refused(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::feed::kis::rest::RestSection;
    use crate::feed::kis::session::Account;
    use crate::secret::{Credentials, Secret};

    #[test]
    fn before_seven_the_day_is_the_one_on_which_downloads_ask() {
        let folder = tempfile::tempdir().unwrap();
        let note = HolidayNote::new(folder.path(), "key");
        note.take(Instant::now()).unwrap().unwrap().asking(20_261_124, |_| Ok(Vec::new())).unwrap();
        let credentials = Credentials { app_key: Secret::new("key"), app_secret: Secret::new("secret") };
        let settings =
            RestSection { keys_dir: Some(folder.path().join("keys")), retry_delay_ms: 1, ..RestSection::default() };
        // Nothing listens there.
        let accounts = [Account { name: "a".to_owned(), credentials }];
        let rest = Client::new("http://127.0.0.1:1", &accounts, &settings).unwrap();
        let mut holidays = Holidays::new(rest, Arc::new(Calendar::shipped().clone()), folder.path(), "key");
        let at_two = kst::instant(date(2026, 11, 24), 2 * 3600).unwrap();
        let checked = loop {
            match holidays.look(Instant::now(), at_two) {
                Some(checked) => break checked,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        assert_eq!(checked, Checked::Before(Vec::new()));
    }
}
