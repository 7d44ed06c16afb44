//! The broker's own calendar beside ours: rows of its holiday query (`chk-holiday`), once a day.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::Deserialize;

use super::super::kst;
use super::{Calendar, Venue};

/// A row of the query's answer, as it comes: `bass_dt` is decimal YYYYMMDD, the others `Y` or `N`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HolidayRow {
    /// The date.
    #[serde(alias = "BASS_DT")]
    pub bass_dt: String,
    /// Whether the exchange is open: the only column that is compared. The others (`bzdy_yn` business day of banks, `tr_day_yn`
    /// day on which orders are taken, `sttl_day_yn` settlement day) answer other questions.
    #[serde(alias = "OPND_YN")]
    pub opnd_yn: String,
}

/// Where the broker and the calendar part. Both are data: which of them is wrong, an operator finds out, and an override says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The broker has the exchange closed, the calendar open.
    ClosedAtBroker {
        /// The date.
        date: Date,
    },
    /// The broker has the exchange open, the calendar closed.
    OpenAtBroker {
        /// The date.
        date: Date,
        /// Why the calendar has it closed.
        reason: String,
    },
    /// The calendar does not know the date.
    Unknown {
        /// The date.
        date: Date,
        /// Whether the exchange is open, as the broker says.
        is_open: bool,
    },
    /// The broker says two things of one date.
    Contradiction {
        /// The date.
        date: Date,
    },
    /// The broker's rows leave out a date between their first and last.
    Missing {
        /// The date.
        date: Date,
    },
    /// A row can't be read.
    Unreadable {
        /// Its place in the answer, from 0.
        row: usize,
        /// What it holds.
        text: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::ClosedAtBroker { date } => {
                write!(out, "{date}: closed at the broker, a trading day in the calendar")
            }
            Difference::OpenAtBroker { date, reason } => {
                write!(out, "{date}: open at the broker, closed in the calendar ({reason})")
            }
            Difference::Unknown { date, is_open } => {
                let state = if *is_open { "open" } else { "closed" };
                write!(out, "{date}: {state} at the broker, unknown to the calendar")
            }
            Difference::Contradiction { date } => write!(out, "{date}: the broker says both open and closed"),
            Difference::Missing { date } => write!(out, "{date}: left out by the broker"),
            Difference::Unreadable { row, text } => write!(out, "row {row} of the broker can't be read: {text}"),
        }
    }
}

/// Holds the broker's rows against the calendar of KRX: rows that can't be read first, then differences by date. Empty = they
/// agree on every day told.
pub fn compare(calendar: &Calendar, rows: &[HolidayRow]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut told: BTreeMap<Date, (bool, bool)> = BTreeMap::new();
    for (row, said) in rows.iter().enumerate() {
        let number = Some(said.bass_dt.trim()).filter(|text| text.len() == 8).and_then(|text| text.parse().ok());
        let is_open = match said.opnd_yn.trim() {
            "Y" => Some(true),
            "N" => Some(false),
            _ => None,
        };
        let (Some(date), Some(is_open)) = (number.and_then(kst::date_of), is_open) else {
            let text = format!("bass_dt `{}`, opnd_yn `{}`", said.bass_dt, said.opnd_yn);
            found.push(Difference::Unreadable { row, text });
            continue;
        };
        let (open, closed) = told.entry(date).or_default();
        *(if is_open { open } else { closed }) = true;
    }
    let mut expected = None;
    for (date, (open, closed)) in told {
        while let Some(missing) = expected.filter(|expected| *expected < date) {
            found.push(Difference::Missing { date: missing });
            expected = missing.tomorrow().ok();
        }
        expected = date.tomorrow().ok();
        if open && closed {
            found.push(Difference::Contradiction { date });
            continue;
        }
        match calendar.day(Venue::Krx, date) {
            Err(_) => found.push(Difference::Unknown { date, is_open: open }),
            Ok(day) if day.is_trading && closed => found.push(Difference::ClosedAtBroker { date }),
            Ok(day) if !day.is_trading && open => {
                found.push(Difference::OpenAtBroker { date, reason: day.reason.unwrap_or_default().to_owned() });
            }
            Ok(_) => {}
        }
    }
    found
}
