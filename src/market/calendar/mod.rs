//! Which days are trading days, and what a venue does at an instant.
//!
//! The days of 2015 to 2027 are data with a source each (`krx.toml`): closures, the days of other hours, the evenings without a
//! night session. What a kind of day looks like, the tables of [`phase`](super::phase) know. An operator adds what became known
//! later by a file ([`Calendar::with_overrides`]), and [`compare`] holds the calendar against the broker's answer.
//!
//! A date outside those years is [`Unknown`]. 2027 is projected and some days are expected ([`Certainty`]), since the exchange
//! publishes its list each December, and hours by notice. Hours for which no notice was found follow its habit, and say so
//! ([`Day::assumed`]).
//!
//! ```
//! use hoga::market::calendar::{Calendar, Venue};
//! use hoga::market::{kst, phase::Phase};
//! use jiff::civil::date;
//!
//! let calendar = Calendar::shipped();
//! let exam = calendar.day(Venue::Krx, date(2026, 11, 19))?;
//! assert_eq!(exam.reason, Some("college entrance exam (CSAT)"));
//!
//! let friday_night = kst::instant(date(2026, 11, 20), 20 * 3600).unwrap();
//! assert_eq!(calendar.phase_at(Venue::Krx, friday_night)?, Phase::Closed);
//! let opening = calendar.next_open(Venue::Krx, friday_night)?;
//! assert_eq!((opening.date, opening.second), (date(2026, 11, 23), 8 * 3600 + 1800));
//! # Ok::<(), hoga::market::calendar::Unknown>(())
//! ```

mod broker;
mod data;
mod overrides;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::Date;

pub use self::broker::{Difference, HolidayRow, compare};
pub use self::data::Certainty;
pub use self::overrides::OverrideError;
use super::kst;
use super::phase::{DayKind, Phase, assumed, beside, table};
use crate::tick::Publisher;

/// A place of trading with a day of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Venue {
    /// Stocks of Korea Exchange.
    Krx,
    /// Nextrade.
    Nxt,
    /// Derivatives of Korea Exchange on its stock indices, day and night. Others may open later; see [`phase`](super::phase).
    KrxDerivatives,
}

impl Venue {
    /// All of them.
    pub const ALL: [Venue; 3] = [Venue::Krx, Venue::Nxt, Venue::KrxDerivatives];

    /// Name as on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Venue::Krx => "KRX",
            Venue::Nxt => "NXT",
            Venue::KrxDerivatives => "KRX-DERIVATIVES",
        }
    }

    /// Feeds whose tables make its day, in the order of their hours.
    const fn publishers(self) -> &'static [Publisher] {
        match self {
            Venue::Krx => &[Publisher::KisKrx],
            Venue::Nxt => &[Publisher::KisNxt],
            Venue::KrxDerivatives => &[Publisher::KisKrxDeriv, Publisher::KisKrxNight],
        }
    }
}

/// A text names no venue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no venue: expected KRX, NXT or KRX-DERIVATIVES")]
pub struct VenueError(String);

impl FromStr for Venue {
    type Err = VenueError;

    fn from_str(text: &str) -> Result<Venue, VenueError> {
        let named = Venue::ALL.into_iter().find(|venue| venue.name().eq_ignore_ascii_case(text));
        named.ok_or_else(|| VenueError(text.to_owned()))
    }
}

/// A date outside the years that the calendar knows: whether it is a trading day is not known, and not guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calendar knows {first} to {last}, {date} is not among them: nothing is known of that day")]
pub struct Unknown {
    /// The date asked for.
    pub date: Date,
    /// First date known.
    pub first: Date,
    /// Last date known.
    pub last: Date,
}

/// A stretch of a trading day in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// What the venue does; never `Closed`.
    pub phase: Phase,
    /// First second, since midnight of the day.
    pub from: u32,
    /// Second after the last; beyond 86,400 when it ends the next morning.
    pub to: u32,
}

/// What is known of a venue's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day<'a> {
    /// The date.
    pub date: Date,
    /// The venue.
    pub venue: Venue,
    /// Whether it trades that day.
    pub is_trading: bool,
    /// Why it does not, or why its hours are other than usual.
    pub reason: Option<&'a str>,
    /// From where that is known; `None` of an ordinary day and of a weekend.
    pub source: Option<&'a str>,
    /// How far it is known.
    pub certainty: Certainty,
    /// What of its phases is assumed, since no notice was found.
    pub assumed: Vec<&'static str>,
    /// Its phases by their beginning, without those in which it is closed; none on a closed day. Closing-price trading may run
    /// beside another phase, behind which it stands where both begin at once.
    pub sessions: Vec<Session>,
}

/// When a venue opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The instant, ns since the UNIX epoch.
    pub ns: u64,
    /// Its trading day.
    pub date: Date,
    /// Second since midnight of that day.
    pub second: u32,
    /// What begins.
    pub phase: Phase,
}

/// The trading days of all venues. Cheap to share, never changes.
#[derive(Clone, Debug)]
pub struct Calendar {
    first: Date,
    last: Date,
    /// By venue and date; see [`slot`].
    days: [Vec<Entry>; Venue::ALL.len()],
    /// What an entry's `note` means, from 1.
    notes: Vec<Note>,
    /// Phases that an operator gave, in place of a feed's tables. Of derivatives the night is a feed of its own.
    own_hours: HashMap<(Date, Publisher), Vec<(u32, Phase)>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    state: State,
    has_night: bool,
    certainty: Certainty,
    /// Index into the notes plus one; 0 = none.
    note: u16,
}

#[derive(Clone, Debug)]
struct Note {
    /// Empty = the kind of day says it.
    reason: String,
    source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No date of the years known.
    Unknown,
    Trading(DayKind),
    Closed,
}

const WEEKEND: &str = "weekend";

/// What holds on a date for a feed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan<'a> {
    Untold,
    Closed,
    Table(&'a [(u32, Phase)]),
}

impl Calendar {
    /// The calendar as it comes with the program.
    pub fn shipped() -> &'static Calendar {
        static SHIPPED: LazyLock<Calendar> = LazyLock::new(data::load);
        &SHIPPED
    }

    /// First and last date known.
    pub fn range(&self) -> (Date, Date) {
        (self.first, self.last)
    }

    /// Whether a venue trades on a date.
    ///
    /// # Errors
    ///
    /// [`Unknown`] outside the years known.
    pub fn is_trading_day(&self, venue: Venue, date: Date) -> Result<bool, Unknown> {
        let entry = self.entry(venue, date)?;
        Ok(matches!(entry.state, State::Trading(_)) && self.has_begun(venue, date))
    }

    /// The first trading day after a date.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when the years known end before there is one.
    pub fn next_trading_day(&self, venue: Venue, after: Date) -> Result<Date, Unknown> {
        let mut date = after;
        loop {
            date = date.tomorrow().map_err(|_| self.unknown(date))?;
            if self.is_trading_day(venue, date)? {
                return Ok(date);
            }
        }
    }

    /// All there is to say of a venue's day.
    ///
    /// # Errors
    ///
    /// [`Unknown`] outside the years known.
    pub fn day(&self, venue: Venue, date: Date) -> Result<Day<'_>, Unknown> {
        let entry = self.entry(venue, date)?;
        let is_trading = self.is_trading_day(venue, date)?;
        let note = (entry.note as usize).checked_sub(1).map(|index| &self.notes[index]);
        let noted = note.map(|note| note.reason.as_str()).filter(|reason| !reason.is_empty());
        let source = note.map(|note| note.source.as_str());
        let reason = match entry.state {
            State::Trading(_) if !is_trading => Some("the venue had not begun"),
            State::Trading(kind) => noted.or_else(|| kind.reason()),
            _ => noted.or(Some(WEEKEND)),
        };
        let mut sessions = if is_trading { self.sessions_of(venue, date) } else { Vec::new() };
        if let State::Trading(kind) = entry.state
            && is_trading
            && !self.has_own_hours(venue, date)
            && let Some((from, to)) = beside(venue.publishers()[0], kind, kst::number_of(date))
        {
            // What the table has of it is a part.
            sessions.retain(|session| session.phase != Phase::ClosingPrice || session.from < from || session.to > to);
            sessions.push(Session { phase: Phase::ClosingPrice, from, to });
        }
        sessions.sort_by_key(|session| session.from);
        let assumed = if is_trading { self.assumed(venue, date, entry) } else { Vec::new() };
        Ok(Day { date, venue, is_trading, reason, source, certainty: entry.certainty, assumed, sessions })
    }

    /// The phases of a venue's day by their beginning, as [`Day::sessions`]; none on a closed day.
    ///
    /// # Errors
    ///
    /// [`Unknown`] outside the years known.
    pub fn sessions(&self, venue: Venue, date: Date) -> Result<Vec<Session>, Unknown> {
        Ok(self.day(venue, date)?.sessions)
    }

    /// What a venue does at an instant (ns since the UNIX epoch): one phase at a time, that of its auctions and continuous trading
    /// before closing-price trading beside them.
    ///
    /// # Errors
    ///
    /// [`Unknown`] outside the years known.
    pub fn phase_at(&self, venue: Venue, ns: u64) -> Result<Phase, Unknown> {
        Ok(self.session_at(venue, ns)?.map_or(Phase::Closed, |(_, session)| session.phase))
    }

    /// The session that runs at an instant, and its trading day; `None` while the venue is closed.
    ///
    /// # Errors
    ///
    /// [`Unknown`] outside the years known.
    pub fn session_at(&self, venue: Venue, ns: u64) -> Result<Option<(Date, Session)>, Unknown> {
        let (today, second) = date_and_second(ns);
        let of_day = |date, second| {
            let sessions = self.chain(venue, date)?;
            Ok(sessions
                .into_iter()
                .find(|session| (session.from..session.to).contains(&second))
                .map(|found| (date, found)))
        };
        if let Some(found) = of_day(today, second)? {
            return Ok(Some(found));
        }
        match today.yesterday() {
            Ok(yesterday) if yesterday >= self.first => of_day(yesterday, second + 86_400),
            _ => Ok(None),
        }
    }

    /// When a venue opens next: the first instant after `ns` at which it goes from closed to a phase. Breaks within a day count as
    /// closed.
    ///
    /// # Errors
    ///
    /// [`Unknown`] when the years known end before it opens.
    pub fn next_open(&self, venue: Venue, ns: u64) -> Result<Opening, Unknown> {
        let (mut date, _) = date_and_second(ns);
        if let Ok(yesterday) = date.yesterday()
            && yesterday >= self.first
        {
            date = yesterday;
        }
        loop {
            let mut end = None;
            for session in self.chain(venue, date)? {
                let opens = end != Some(session.from);
                end = Some(session.to);
                if let Some(at) = kst::instant(date, session.from)
                    && opens
                    && at > ns
                {
                    return Ok(Opening { ns: at, date, second: session.from, phase: session.phase });
                }
            }
            date = date.tomorrow().map_err(|_| self.unknown(date))?;
        }
    }

    /// From when to when a feed may bring something on a trading day: the first instant of its first phase and the one after
    /// its last, ns since the UNIX epoch, breaks included; `None` on a day without.
    ///
    /// # Errors
    ///
    /// [`Unknown`] outside the years known, and where a feed's hours are not known.
    pub fn hours(&self, publisher: Publisher, date: Date) -> Result<Option<(u64, u64)>, Unknown> {
        match self.plan(publisher, kst::number_of(date)) {
            Plan::Untold => Err(self.unknown(date)),
            Plan::Closed => Ok(None),
            Plan::Table(table) => {
                let first = table.iter().find(|(_, phase)| *phase != Phase::Closed);
                // Tables end closed.
                let hours = first.zip(table.last()).map(|((from, _), (to, _))| (*from, *to));
                Ok(hours.and_then(|(from, to)| Some((kst::instant(date, from)?, kst::instant(date, to)?))))
            }
        }
    }

    /// What holds on a date (decimal YYYYMMDD) for a feed.
    pub(super) fn plan(&self, publisher: Publisher, number: u32) -> Plan<'_> {
        let venue = match publisher {
            Publisher::KisKrx | Publisher::KisUn => Venue::Krx,
            Publisher::KisNxt => Venue::Nxt,
            Publisher::KisKrxDeriv | Publisher::KisKrxNight => Venue::KrxDerivatives,
            _ => return Plan::Untold,
        };
        let Some(entry) = slot(number).and_then(|slot| self.days[venue as usize].get(slot)) else {
            return Plan::Untold;
        };
        let kind = match entry.state {
            State::Unknown => return Plan::Untold,
            State::Closed if table(publisher, DayKind::Ordinary, number).is_none() => return Plan::Untold,
            State::Closed => return Plan::Closed,
            State::Trading(kind) => kind,
        };
        if !self.own_hours.is_empty()
            && let Some(date) = kst::date_of(number)
        {
            // What both exchanges do together is not told by the hours of one.
            if publisher == Publisher::KisUn && [Venue::Krx, Venue::Nxt].iter().any(|of| self.has_own_hours(*of, date))
            {
                return Plan::Untold;
            }
            if let Some(hours) = self.own_hours.get(&(date, publisher)) {
                return Plan::Table(hours);
            }
        }
        match table(publisher, kind, number) {
            None => Plan::Untold,
            Some(_) if publisher == Publisher::KisKrxNight && !entry.has_night => match entry.certainty {
                Certainty::Final | Certainty::Operator => Plan::Closed,
                // A feed may bring something: it is neither parked nor awaited.
                Certainty::Expected | Certainty::Projected => Plan::Untold,
            },
            Some(table) => Plan::Table(table),
        }
    }

    fn assumed(&self, venue: Venue, date: Date, entry: Entry) -> Vec<&'static str> {
        let mut found = Vec::new();
        if let State::Trading(kind) = entry.state
            && !self.has_own_hours(venue, date)
        {
            found.extend(assumed(venue.publishers()[0], kind, kst::number_of(date)));
        }
        if venue == Venue::KrxDerivatives
            && matches!(self.plan(Publisher::KisKrxNight, kst::number_of(date)), Plan::Table(_))
            && entry.certainty != Certainty::Operator
            && self.is_holiday_ahead(venue, date)
        {
            found.push("a night session is held before a holiday");
        }
        found
    }

    /// Whether a weekday without trading lies before the next trading day.
    fn is_holiday_ahead(&self, venue: Venue, date: Date) -> bool {
        let is_holiday = |entry: &Entry| entry.state == State::Closed && entry.note != 0;
        let days = date.series(jiff::Span::new().days(1)).skip(1).map_while(|date| self.entry(venue, date).ok());
        days.take_while(|entry| entry.state == State::Closed).any(|entry| is_holiday(&entry))
    }

    /// The phases of a venue's day, one behind the other; none on a closed day.
    fn chain(&self, venue: Venue, date: Date) -> Result<Vec<Session>, Unknown> {
        Ok(if self.is_trading_day(venue, date)? { self.sessions_of(venue, date) } else { Vec::new() })
    }

    fn sessions_of(&self, venue: Venue, date: Date) -> Vec<Session> {
        let mut sessions = Vec::new();
        for publisher in venue.publishers() {
            let Plan::Table(table) = self.plan(*publisher, kst::number_of(date)) else { continue };
            // Tables end closed.
            for pair in table.windows(2) {
                let [(from, phase), (to, _)] = [pair[0], pair[1]];
                if phase != Phase::Closed {
                    sessions.push(Session { phase, from, to });
                }
            }
        }
        sessions
    }

    fn has_begun(&self, venue: Venue, date: Date) -> bool {
        self.has_own_hours(venue, date)
            || table(venue.publishers()[0], DayKind::Ordinary, kst::number_of(date)).is_some()
    }

    fn has_own_hours(&self, venue: Venue, date: Date) -> bool {
        venue.publishers().iter().any(|publisher| self.own_hours.contains_key(&(date, *publisher)))
    }

    fn entry(&self, venue: Venue, date: Date) -> Result<Entry, Unknown> {
        let entry = slot(kst::number_of(date)).and_then(|slot| self.days[venue as usize].get(slot));
        entry.copied().filter(|entry| entry.state != State::Unknown).ok_or_else(|| self.unknown(date))
    }

    fn unknown(&self, date: Date) -> Unknown {
        Unknown { date, first: self.first, last: self.last }
    }
}

/// First year of the days' tables.
const FIRST_YEAR: u32 = 2015;

/// Place of a date (decimal YYYYMMDD) in the days: months of 31 days, years of 12 months, so that no calendar is asked.
fn slot(number: u32) -> Option<usize> {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let year = year.checked_sub(FIRST_YEAR)?;
    let of_year = ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| (month - 1) * 31 + day - 1)?;
    Some((year * 372 + of_year) as usize)
}

fn date_and_second(ns: u64) -> (Date, u32) {
    let time = kst::civil(ns);
    (time.date(), time.hour() as u32 * 3600 + time.minute() as u32 * 60 + time.second() as u32)
}
