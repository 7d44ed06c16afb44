//! The broker's list of days, kept, and held against the calendar.
//!
//! The broker asks for one such call a day: what was asked for is kept in a file, and a second download on one Korean date
//! makes no call, nor does one after a recorder's call with the same app key.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hoga_table::Temporary;
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Moment;
use crate::feed::kis::holiday_note::{AskError, NotedDay};
use crate::feed::kis::rest::{Client, Priority, RestError};
use crate::market::calendar::{Calendar, Difference, HolidayRow, compare};
use crate::market::kst;
use crate::sys::file::sync_folder;

const FILE: &str = "holidays.json";
/// A page of the broker's holds some 25 days; more calls than for so few are no list of days.
const PAGE_DAYS_MIN: usize = 10;
/// How long another process may ask.
const NOTE_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolidayError {
    /// The call failed.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// It was asked for today, but of other days.
    #[error(
        "the broker asks for one such call a day, and was asked today for {from} to {to}: wait, or insist with --again"
    )]
    AskedToday {
        /// First date known.
        from: Date,
        /// Last date known.
        to: Date,
    },
    /// It was asked today, and what came is not known.
    #[error(
        "the broker asks for one such call a day, and was asked before on this day; nothing came of it: wait, or insist with \
         --again"
    )]
    NothingCame,
    /// Another process asks.
    #[error("another program with this app key asks the broker just now: try again when it is done")]
    Busy,
    /// The note of the day can't be read or written.
    #[error("note of the day's call in the folder of keys: {0}")]
    Note(io::Error),
    /// A day of the broker's that is none.
    #[error("the broker's day {bass_dt:?} is no date, or has columns that are neither Y nor N")]
    Day {
        /// Its date as it was told.
        bass_dt: String,
    },
    /// The kept list can't be read.
    #[error("{path}: {message}; remove it, and ask again")]
    Kept {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A day as it is kept.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct KeptDay {
    /// Decimal YYYYMMDD.
    pub date: u32,
    /// Whether banks work.
    pub business_day: bool,
    /// Whether orders are taken.
    pub trading_day: bool,
    /// Whether the market opens.
    pub open: bool,
    /// Whether trades are settled.
    pub settlement_day: bool,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Korean date of the last call, decimal YYYYMMDD.
    asked_on: u32,
    days: Vec<KeptDay>,
}

/// What the broker says, and where the calendar says otherwise.
#[derive(Debug)]
pub struct Holidays {
    /// Days of the range, by date.
    pub days: Vec<KeptDay>,
    /// Whether the list was there already.
    pub is_kept: bool,
    /// Where the two part.
    pub differences: Vec<Difference>,
}

/// The list from a date to another, from the folder if it was asked for today, else from the broker.
///
/// # Errors
///
/// See [`HolidayError`].
pub fn download(
    client: &Client,
    calendar: &Calendar,
    folder: &Path,
    (from, to): (Date, Date),
    moment: &Moment,
    again: bool,
) -> Result<Holidays, HolidayError> {
    fs::create_dir_all(folder).map_err(|source| HolidayError::Io { path: folder.to_owned(), source })?;
    let path = folder.join(FILE);
    let mut kept = read(&path)?;
    let today = kst::number_of(moment.date());
    let (first, last) = (kst::number_of(from), kst::number_of(to));
    let covers = |kept: &Kept| {
        let dates: Vec<u32> = kept.days.iter().map(|day| day.date).collect();
        let mut days = from.series(1.day()).take_while(|date| *date <= to);
        days.all(|date| dates.binary_search(&kst::number_of(date)).is_ok())
    };
    let mut is_kept = kept.asked_on == today && covers(&kept) && !again;
    if !is_kept {
        if kept.asked_on == today && !again {
            return Err(asked_today(&kept, from));
        }
        let note = client.holiday_note().take(Instant::now() + NOTE_PATIENCE).map_err(HolidayError::Note)?;
        let note = note.ok_or(HolidayError::Busy)?;
        let known = (note.noted.asked_on == today && !again).then(|| note.noted.days.clone());
        is_kept = known.is_some();
        let told = match known {
            Some(days) => days.ok_or(HolidayError::NothingCame)?,
            None => note.asking(today, |has_come| ask(client, (from, to), has_come)).map_err(|error| match error {
                AskError::Note(error) => HolidayError::Note(error),
                AskError::Call(error) => HolidayError::Rest(error),
            })?,
        };
        let mut days: BTreeMap<u32, KeptDay> = kept.days.into_iter().map(|day| (day.date, day)).collect();
        for day in &told {
            let day = keep(day).ok_or_else(|| HolidayError::Day { bass_dt: day.bass_dt.clone() })?;
            days.insert(day.date, day);
        }
        kept = Kept { asked_on: today, days: days.into_values().collect() };
        write(&path, &kept).map_err(|source| HolidayError::Io { path: path.clone(), source })?;
        if is_kept && !covers(&kept) {
            return Err(asked_today(&kept, from));
        }
    }
    let days: Vec<KeptDay> = kept.days.into_iter().filter(|day| (first..=last).contains(&day.date)).collect();
    let row = |day: &KeptDay| HolidayRow {
        bass_dt: day.date.to_string(),
        opnd_yn: if day.open { "Y" } else { "N" }.to_owned(),
    };
    let rows: Vec<HolidayRow> = days.iter().map(row).collect();
    Ok(Holidays { days, is_kept, differences: compare(calendar, &rows) })
}

/// What is known of today's call, for a message.
fn asked_today(kept: &Kept, from: Date) -> HolidayError {
    let at = |day: Option<&KeptDay>| day.and_then(|day| kst::date_of(day.date)).unwrap_or(from);
    HolidayError::AskedToday { from: at(kept.days.first()), to: at(kept.days.last()) }
}

/// Pages until the last date is told; the broker's answer may end with the year.
fn ask(client: &Client, (from, to): (Date, Date), has_come: &mut bool) -> Result<Vec<NotedDay>, RestError> {
    let client = client.with_priority(Priority::Backfill);
    let (first, last) = (kst::number_of(from), kst::number_of(to));
    let mut days: Vec<NotedDay> = Vec::new();
    let pages_max = from.series(1.day()).take_while(|date| *date <= to).count() / PAGE_DAYS_MIN + 2;
    for page in client.pages("domestic-stock/chk-holiday", &[("BASS_DT", &first.to_string())], pages_max)? {
        days.extend(NotedDay::of(&page?)?);
        *has_come = true;
        if days.last().and_then(keep).is_some_and(|day| day.date >= last) {
            break;
        }
    }
    Ok(days)
}

fn keep(day: &NotedDay) -> Option<KeptDay> {
    let yes = |text: &str| match text {
        "Y" | "y" => Some(true),
        "N" | "n" => Some(false),
        _ => None,
    };
    Some(KeptDay {
        date: day.bass_dt.parse().ok().filter(|date| kst::date_of(*date).is_some())?,
        business_day: yes(&day.bzdy_yn)?,
        trading_day: yes(&day.tr_day_yn)?,
        open: yes(&day.opnd_yn)?,
        settlement_day: yes(&day.sttl_day_yn)?,
    })
}

fn read(path: &Path) -> Result<Kept, HolidayError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(source) => Err(HolidayError::Io { path: path.to_owned(), source }),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| HolidayError::Kept { path: path.to_owned(), message: error.to_string() }),
    }
}

fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let (temporary, mut file) = Temporary::create(path)?;
    serde_json::to_writer(&mut file, kept)?;
    file.write_all(b"\n")?;
    temporary.sync()?;
    temporary.publish()?;
    path.parent().map_or(Ok(()), sync_folder)
}
