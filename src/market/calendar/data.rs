//! The data file as a calendar.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::{Date, Weekday};
use serde::Deserialize;
use toml::value::Datetime;

use super::super::kst;
use super::super::phase::{DayKind, Phase, table};
use super::{Calendar, Entry, Note, State, Venue, slot};
use crate::tick::Publisher;

const FILE: &str = include_str!("krx.toml");

/// How far a day is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// By the exchange.
    #[default]
    Final,
    /// Announced, but not by a notice of the exchange that was seen.
    Expected,
    /// By rule: the exchange has not published its list for that year.
    Projected,
    /// By the operator's own file.
    Operator,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    from: Datetime,
    to: Datetime,
    /// When the facts were last checked; years after that one are projected.
    checked: Datetime,
    closures: Vec<Closure>,
    special_days: Vec<SpecialDay>,
    nights_off: Vec<Closure>,
    /// Texts of the sources by name.
    sources: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closure {
    date: Datetime,
    name: String,
    source: String,
    #[serde(default)]
    status: Certainty,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecialDay {
    date: Datetime,
    kind: DayKind,
    open: Datetime,
    close: Datetime,
    source: String,
    #[serde(default)]
    status: Certainty,
}

/// A local date of TOML; `None` for a date with a time, or a time.
pub(super) fn date(value: &Datetime) -> Option<Date> {
    let found = value.date.filter(|_| value.time.is_none() && value.offset.is_none())?;
    Date::new(i16::try_from(found.year).ok()?, i8::try_from(found.month).ok()?, i8::try_from(found.day).ok()?).ok()
}

/// A local time of TOML as a second since midnight; `None` for a date.
pub(super) fn second(value: &Datetime) -> Option<u32> {
    let time = value.time.filter(|_| value.date.is_none() && value.offset.is_none())?;
    Some(u32::from(time.hour) * 3600 + u32::from(time.minute) * 60 + u32::from(time.second.unwrap_or(0)))
}

/// The shipped calendar.
///
/// # Panics
///
/// When the data file is not in order, or contradicts the tables of phases, which every test would show.
pub(super) fn load() -> Calendar {
    let file: File = toml::from_str(FILE).expect("the calendar's own data");
    let own = |value| date(value).expect("a date of the calendar's own data");
    let place = |date| slot(kst::number_of(date)).expect("a date of the years known");
    let (first, last) = (own(&file.from), own(&file.to));
    let unknown = Entry { state: State::Unknown, has_night: true, certainty: Certainty::Final, note: 0 };
    let mut days = vec![unknown; place(last) + 1];
    // The exchange publishes the next year's list each December.
    let projected_after = own(&file.checked).last_of_year();
    for date in first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last) {
        let entry = &mut days[place(date)];
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        entry.state = if is_weekend { State::Closed } else { State::Trading(DayKind::Ordinary) };
        if date > projected_after && !is_weekend {
            entry.certainty = Certainty::Projected;
        }
    }
    let mut notes = Vec::new();
    let mut note = |reason: &str, source: &str| {
        notes.push(Note { reason: reason.to_owned(), source: file.sources[source].clone() });
        notes.len() as u16
    };
    for closure in &file.closures {
        let entry = &mut days[place(own(&closure.date))];
        let note = note(&closure.name, &closure.source);
        *entry = Entry { state: State::Closed, certainty: closure.status, note, ..*entry };
    }
    for special in &file.special_days {
        let date = own(&special.date);
        let table = table(Publisher::KisKrx, special.kind, kst::number_of(date)).expect("a table of KRX");
        let begins = |phase, at| table.contains(&(second(at).expect("a time of the calendar's own data"), phase));
        assert!(begins(Phase::Regular, &special.open) && begins(Phase::Closed, &special.close), "hours of {date}");
        let entry = &mut days[place(date)];
        let note = note("", &special.source);
        *entry = Entry { state: State::Trading(special.kind), certainty: special.status, note, ..*entry };
    }
    let mut days = Venue::ALL.map(|_| days.clone());
    for night in &file.nights_off {
        let entry = &mut days[Venue::KrxDerivatives as usize][place(own(&night.date))];
        let reason = format!("no night session: {}", night.name);
        *entry = Entry { has_night: false, note: note(&reason, &night.source), certainty: night.status, ..*entry };
    }
    Calendar { first, last, days, notes, own_hours: HashMap::new() }
}
