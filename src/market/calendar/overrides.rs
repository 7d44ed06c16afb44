//! An operator's corrections: what became known after the data was put together.
//!
//! ```toml
//! [[close]]                        # a day without trading
//! date = 2027-04-07
//! reason = "by-election, notice of the exchange of 2027-03-15"
//! venues = ["KRX", "NXT"]          # all when left out
//!
//! [[open]]                         # a day that the calendar takes for closed, refused on any other
//! date = 2027-05-03
//! reason = "no substitute holiday, list of the exchange of 2026-12-18"
//!
//! [[hours]]                        # a trading day of other hours, of a known kind ...
//! date = 2027-11-25
//! kind = "college_entrance_exam"   # or "first_trading_day", "ordinary"
//! reason = "the exam was moved by a week"
//!
//! [[hours]]                        # ... or phase by phase, for one venue
//! date = 2027-06-01
//! venues = ["KRX"]
//! reason = "late opening after a failure"
//! phases = [
//!   { phase = "opening_auction", from = 10:30:00, to = 11:00:00 },
//!   { phase = "continuous", from = 11:00:00, to = 15:20:00 },
//! ]
//! ```
//!
//! A phase whose end is not after its beginning ends the next morning. The kinds of entry may stand together for one date, but not
//! contradict each other.
//!
//! Where KRX's first trading day of a year becomes another, that one has its hours: trading begins at 10:00.
//!
//! Phases of KRX-DERIVATIVES are those of its day. Its night session remains as the calendar has it unless `night` is among the phases,
//! or an entry of [[hours]] says `night = false`, or `true`: alone, or beside `kind` or `phases`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::super::kst;
use super::super::phase::{DayKind, Phase};
use super::data::{date as date_of, second as second_of};
use super::{Calendar, Certainty, Entry, Note, State, Venue, slot};
use crate::tick::Publisher;

/// Why a file of corrections is refused; nothing of it is applied then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideError {
    /// The file can't be read.
    #[error("calendar overrides {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An entry is not in order.
    #[error("calendar overrides {path}, line {line}: {problem}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there, and what to do about it.
        problem: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    close: Vec<Change>,
    #[serde(default)]
    open: Vec<Change>,
    #[serde(default)]
    hours: Vec<Hours>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    date: Spanned<Datetime>,
    reason: Spanned<String>,
    venues: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    date: Spanned<Datetime>,
    reason: Spanned<String>,
    venues: Option<Vec<Spanned<String>>>,
    kind: Option<DayKind>,
    phases: Option<Vec<PhaseHours>>,
    /// Whether derivatives have a night session.
    night: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseHours {
    phase: Spanned<String>,
    from: Spanned<Datetime>,
    to: Spanned<Datetime>,
}

/// What an entry does to a day; two of one kind, or `Close` beside another, contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Close,
    Open,
    Hours,
}

impl Calendar {
    /// This calendar with the corrections of an operator's file.
    ///
    /// # Errors
    ///
    /// [`OverrideError`], with the line of the first entry that is not in order.
    pub fn with_overrides(&self, path: &Path) -> Result<Calendar, OverrideError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| OverrideError::Read { path: path.to_owned(), source })?;
        self.with_text(&text).map_err(|(offset, problem)| {
            let line = text[..offset.min(text.len())].matches('\n').count() + 1;
            OverrideError::Entry { path: path.to_owned(), line, problem }
        })
    }

    fn with_text(&self, text: &str) -> Result<Calendar, Problem> {
        let file: File = toml::from_str(text)
            .map_err(|error| (error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        let mut merge = Merge { calendar: self.clone(), seen: BTreeMap::new(), text };
        for change in &file.close {
            let (date, venues, note) =
                merge.place(Does::Close, &change.date, &change.reason, change.venues.as_deref())?;
            merge.set(date, &venues, note, Some(State::Closed));
        }
        for change in &file.open {
            let (date, venues, note) =
                merge.place(Does::Open, &change.date, &change.reason, change.venues.as_deref())?;
            let venues = merge.closed(date, venues, change)?;
            merge.set(date, &venues, note, Some(State::Trading(DayKind::Ordinary)));
        }
        merge.move_first_trading_days(self);
        for hours in &file.hours {
            merge.hours(hours)?;
        }
        Ok(merge.calendar)
    }
}

/// Of what the file says.
const SOURCE: &str = "the operator's overrides";

/// Where in the text, and what.
type Problem = (usize, String);

struct Merge<'a> {
    calendar: Calendar,
    /// Offset of what was said of a day before.
    seen: BTreeMap<(Date, Venue, Does), usize>,
    text: &'a str,
}

impl Merge<'_> {
    /// Checks what all entries have; returns the date, the venues and the number of the reason's note.
    fn place(
        &mut self,
        does: Does,
        date: &Spanned<Datetime>,
        reason: &Spanned<String>,
        venues: Option<&[Spanned<String>]>,
    ) -> Result<(Date, Vec<Venue>, u16), Problem> {
        let place = date.span().start;
        let day = date_of(date.get_ref()).ok_or_else(|| {
            (place, format!("`{}` is no date: write it as 2027-05-03, without a time", date.get_ref()))
        })?;
        let (first, last) = self.calendar.range();
        if !(first..=last).contains(&day) {
            return Err((
                place,
                format!("{day} is outside the calendar, {first} to {last}: correct or remove the entry"),
            ));
        }
        if reason.get_ref().trim().is_empty() {
            return Err((
                reason.span().start,
                format!("say why {day} is other than the calendar says: fill in `reason`"),
            ));
        }
        let mut named = Vec::new();
        for venue in venues.unwrap_or_default() {
            let parsed: Venue = venue.get_ref().parse().map_err(|error| (venue.span().start, format!("{error}")))?;
            if named.contains(&parsed) {
                return Err((venue.span().start, format!("{} is named twice: remove one", parsed.name())));
            }
            named.push(parsed);
        }
        match venues {
            None => named.extend(Venue::ALL),
            Some([]) => return Err((place, "`venues` is empty: name one, or leave it out for all".to_owned())),
            Some(_) => {}
        }
        for venue in &named {
            for other in [Does::Close, Does::Open, Does::Hours] {
                let Some(before) = self.seen.get(&(day, *venue, other)) else { continue };
                if other == does || other == Does::Close || does == Does::Close {
                    let line = self.text[..*before].matches('\n').count() + 1;
                    let problem = format!(
                        "{day} of {} is told in line {line} already: keep the entry that holds, remove the other",
                        venue.name()
                    );
                    return Err((place, problem));
                }
            }
            self.seen.insert((day, *venue, does), place);
        }
        let (reason, source) = (reason.get_ref().clone(), SOURCE.to_owned());
        self.calendar.notes.push(Note { reason, source });
        let note = u16::try_from(self.calendar.notes.len()).map_err(|_| (place, "too many entries".to_owned()))?;
        Ok((day, named, note))
    }

    /// The venues that an entry of [[open]] opens: all must be closed; one that had not begun must not be named.
    fn closed(&self, date: Date, venues: Vec<Venue>, change: &Change) -> Result<Vec<Venue>, Problem> {
        let place = change.date.span().start;
        let begun = |venue: &Venue| self.calendar.has_begun(*venue, date);
        if let Some(venue) = venues.iter().find(|venue| !begun(venue)).filter(|_| change.venues.is_some()) {
            return Err((place, format!("{} had not begun on {date}: take it out of `venues`", venue.name())));
        }
        let venues: Vec<Venue> = venues.into_iter().filter(begun).collect();
        for venue in &venues {
            let day = self.calendar.day(*venue, date).map_err(|error| (place, error.to_string()))?;
            if day.is_trading {
                let kind = day.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                let problem = format!(
                    "{date} is a trading day of {} already{kind}: remove the entry; [[hours]] changes its hours",
                    venue.name()
                );
                return Err((place, problem));
            }
        }
        Ok(venues)
    }

    /// The opening ceremony is held on the first day on which KRX trades: where that is another than it was, its hours go along.
    fn move_first_trading_days(&mut self, before: &Calendar) {
        let first_of = |calendar: &Calendar, year: i16| {
            let eve = Date::new(year, 1, 1).ok()?.yesterday().ok()?;
            calendar.next_trading_day(Venue::Krx, eve).ok().filter(|date| date.year() == year)
        };
        for year in before.first.year()..=before.last.year() {
            let (Some(was), Some(is)) = (first_of(before, year), first_of(&self.calendar, year)) else { continue };
            if was == is {
                continue;
            }
            self.calendar.notes.push(Note { reason: String::new(), source: SOURCE.to_owned() });
            let note = self.calendar.notes.len() as u16;
            for (date, from, to) in
                [(was, DayKind::FirstTradingDay, DayKind::Ordinary), (is, DayKind::Ordinary, DayKind::FirstTradingDay)]
            {
                for venue in Venue::ALL {
                    let index = slot(kst::number_of(date)).expect("a date of the years known");
                    let entry = &mut self.calendar.days[venue as usize][index];
                    if entry.state != State::Trading(from) {
                        continue;
                    }
                    entry.state = State::Trading(to);
                    // What the operator said of a day stays.
                    if entry.certainty != Certainty::Operator {
                        *entry = Entry { note, certainty: Certainty::Operator, ..*entry };
                    }
                }
            }
        }
    }

    /// A state, or what it was.
    fn set(&mut self, date: Date, venues: &[Venue], note: u16, state: Option<State>) {
        for venue in venues {
            let index = slot(kst::number_of(date)).expect("the date was checked");
            let entry = &mut self.calendar.days[*venue as usize][index];
            let state = state.unwrap_or(entry.state);
            *entry = Entry { state, note, certainty: Certainty::Operator, has_night: entry.has_night };
        }
    }

    fn hours(&mut self, hours: &Hours) -> Result<(), Problem> {
        let place = hours.date.span().start;
        let (date, venues, note) = self.place(Does::Hours, &hours.date, &hours.reason, hours.venues.as_deref())?;
        for venue in &venues {
            let day = self.calendar.day(*venue, date).map_err(|error| (place, error.to_string()))?;
            if !day.is_trading {
                let why = day.reason.unwrap_or_default();
                let name = venue.name();
                let problem =
                    format!("{name} is closed on {date} ({why}): add an [[open]] entry for it, or correct the date");
                return Err((place, problem));
            }
        }
        let derivatives = Venue::KrxDerivatives;
        if let Some(night) = &hours.night {
            let alone = hours.kind.is_none() && hours.phases.is_none();
            if !venues.contains(&derivatives) || (alone && venues.len() > 1) {
                let problem = "`night` is of derivatives: name them, venues = [\"KRX-DERIVATIVES\"]".to_owned();
                return Err((night.span().start, problem));
            }
            let index = slot(kst::number_of(date)).expect("the date was checked");
            self.calendar.days[derivatives as usize][index].has_night = *night.get_ref();
        }
        match (&hours.kind, &hours.phases) {
            (None, None) if hours.night.is_some() => self.set(date, &venues, note, None),
            (Some(kind), None) => self.set(date, &venues, note, Some(State::Trading(*kind))),
            (None, Some(phases)) => {
                let [venue] = venues[..] else {
                    return Err((place, "phases are of one venue: name it, venues = [\"KRX\"]".to_owned()));
                };
                let stretches = own_stretches(phases, place)?;
                let (night, day): (Vec<Stretch>, Vec<Stretch>) =
                    stretches.into_iter().partition(|(phase, ..)| venue == derivatives && *phase == Phase::Night);
                if let Some(no) = hours.night.as_ref().filter(|told| !told.get_ref() && !night.is_empty()) {
                    return Err((no.span().start, "`phases` has a night: leave one of them out".to_owned()));
                }
                let own_hours = &mut self.calendar.own_hours;
                own_hours.insert((date, venue.publishers()[0]), own_table(&day));
                if !night.is_empty() {
                    own_hours.insert((date, Publisher::KisKrxNight), own_table(&night));
                }
                self.set(date, &venues, note, None);
            }
            _ => return Err((place, "give either `kind` or `phases`, or for derivatives `night`".to_owned())),
        }
        Ok(())
    }
}

/// A phase, from when to when.
type Stretch = (Phase, u32, u32);

/// Phases in order, none of which begins before the one above it ends.
fn own_stretches(phases: &[PhaseHours], place: usize) -> Result<Vec<Stretch>, Problem> {
    let mut stretches = Vec::new();
    let mut end = 0;
    for hours in phases {
        let phase = phase_named(hours.phase.get_ref())
            .ok_or_else(|| (hours.phase.span().start, unknown_phase(hours.phase.get_ref())))?;
        let (from, to) = (second(&hours.from)?, second(&hours.to)?);
        let to = if to <= from { to + 86_400 } else { to };
        if from < end {
            let problem =
                "the phase begins before the one above it ends: put them in order, without overlap".to_owned();
            return Err((hours.from.span().start, problem));
        }
        stretches.push((phase, from, to));
        end = to;
    }
    if stretches.is_empty() {
        return Err((place, "`phases` is empty: use [[close]] for a day without trading".to_owned()));
    }
    // The day after begins at 07:00.
    if end > 86_400 + super::super::phase::at(7, 0, 0) {
        return Err((place, "the last phase ends after 07:00 of the next day".to_owned()));
    }
    Ok(stretches)
}

/// As a table: beginnings, and `Closed` where none follows at once.
fn own_table(stretches: &[Stretch]) -> Vec<(u32, Phase)> {
    let mut table: Vec<(u32, Phase)> = Vec::new();
    for (phase, from, to) in stretches {
        if table.last().is_some_and(|(end, _)| end == from) {
            table.pop();
        }
        table.extend([(*from, *phase), (*to, Phase::Closed)]);
    }
    table
}

fn second(time: &Spanned<Datetime>) -> Result<u32, Problem> {
    let place = time.span().start;
    second_of(time.get_ref())
        .ok_or_else(|| (place, format!("`{}` is no time of day: write it as 09:30:00", time.get_ref())))
}

/// Phases that can be given hours.
fn phase_named(text: &str) -> Option<Phase> {
    scheduled().find(|phase| phase.calendar_name() == text)
}

fn scheduled() -> impl Iterator<Item = Phase> {
    let of_trades = [Phase::MiddayAuction, Phase::Block, Phase::Closed, Phase::Untold];
    Phase::ALL.into_iter().filter(move |phase| !of_trades.contains(phase))
}

fn unknown_phase(text: &str) -> String {
    let names: Vec<&str> = scheduled().map(Phase::calendar_name).collect();
    format!("`{text}` is no phase: use one of {}", names.join(", "))
}
