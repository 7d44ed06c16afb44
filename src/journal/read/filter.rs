//! Which records a reader wants: by instrument, kind, venue, and a range of sequences or times.

use std::path::Path;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan as _};

use crate::journal::format::Stream;
use crate::journal::list_segments;
use crate::journal::record::RecordRef;
use crate::journal::segment::SegmentReader;
use crate::market::kst;
use crate::tick::{Publisher, RType};

/// Stamps of one stream step back by less than this while an engine runs: the connections are read in turn.
pub(in crate::journal) const STEP_BACK_NS: u64 = 60_000_000_000;

/// A record is taken when it passes every part that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Symbols as on the feed, e.g. `005930`; only records that carry an instrument can pass.
    pub symbols: Vec<String>,
    /// Kinds of record.
    pub kinds: Vec<RType>,
    /// Venues; a record's is its publisher's.
    pub venues: Vec<Venue>,
    /// First sequence, or earliest `ts_recv`, inclusive.
    pub from: Option<Bound>,
    /// Last sequence, inclusive; or the `ts_recv` at which it ends, exclusive.
    pub to: Option<Bound>,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Of a record in its stream.
    Sequence(u64),
    /// `ts_recv`, nanoseconds since the UNIX epoch.
    Time(u64),
}

impl Filter {
    /// Whether every record passes.
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
            && self.kinds.is_empty()
            && self.venues.is_empty()
            && self.from.is_none()
            && self.to.is_none()
    }

    /// Whether a record passes. A record outside the numbering has no sequence that a bound could exclude.
    pub fn takes(&self, record: &RecordRef<'_>) -> bool {
        self.takes_but_symbol(record)
            && (self.symbols.is_empty()
                || record
                    .instrument(record.header().instrument_id)
                    .is_some_and(|known| self.takes_symbol(known.key.symbol().as_ref())))
    }

    /// As [`takes`](Self::takes), but for the symbol.
    pub(in crate::journal) fn takes_but_symbol(&self, record: &RecordRef<'_>) -> bool {
        let header = record.header();
        let sequence = header.sequence;
        let after_from = match self.from {
            Some(Bound::Sequence(from)) => sequence >= from || sequence == 0,
            Some(Bound::Time(from)) => header.ts_recv >= from,
            None => true,
        };
        let before_to = match self.to {
            Some(Bound::Sequence(to)) => sequence <= to,
            Some(Bound::Time(to)) => header.ts_recv < to,
            None => true,
        };
        after_from
            && before_to
            && (self.kinds.is_empty() || self.kinds.iter().any(|kind| *kind as u8 == header.rtype))
            && (self.venues.is_empty() || self.venues.iter().any(|venue| venue.publisher() as u16 == header.publisher))
    }

    /// Whether records of an instrument with this symbol may pass.
    pub fn takes_symbol(&self, symbol: &str) -> bool {
        self.symbols.is_empty() || self.symbols.iter().any(|wanted| wanted == symbol)
    }

    /// Whether nothing behind a record can be taken.
    ///
    /// Exact for a sequence. Stamps are not quite in order, so for a time it is said once a record is a minute later;
    /// what an engine recovers after a death (flag RECOVERED) has older stamps still: who wants those too reads on to the
    /// end, as [`Tailer::with_filter`](crate::journal::Tailer::with_filter) does, and
    /// [`Tailer::with_slices`](crate::journal::Tailer::with_slices) where there can be such.
    pub fn is_past(&self, record: &RecordRef<'_>) -> bool {
        match self.to {
            Some(Bound::Sequence(to)) => record.header().sequence > to,
            Some(Bound::Time(_)) => self.is_over(record.header().ts_recv),
            None => false,
        }
    }

    /// Whether nothing received from this time (ns since the UNIX epoch) on can be taken: the end of the range is a minute
    /// ago. By the wall clock: one that follows a journal and has read all there is may stop.
    pub fn is_over(&self, now: u64) -> bool {
        matches!(self.to, Some(Bound::Time(to)) if now >= to.saturating_add(STEP_BACK_NS))
    }
}

/// A venue, or a market where one feed serves a whole one. By name as in JSON (`venue`), letters of either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Venue {
    /// `hoga`: records of the engine itself.
    Hoga,
    /// `KRX`: Korea Exchange stocks, ELW and indices.
    Krx,
    /// `NXT`: Nextrade.
    Nxt,
    /// `UN` or `unified`: KRX and NXT unified.
    Unified,
    /// `KRX-deriv`: derivatives, day session.
    Deriv,
    /// `KRX-night`: derivatives, night session.
    Night,
    /// `KRX-bond`.
    Bond,
    /// `overseas`: stocks.
    Overseas,
    /// `overseas-deriv`.
    OverseasDeriv,
    /// `account`: notices.
    Account,
}

impl Venue {
    /// All venues.
    pub const ALL: [Venue; 10] = [
        Venue::Hoga,
        Venue::Krx,
        Venue::Nxt,
        Venue::Unified,
        Venue::Deriv,
        Venue::Night,
        Venue::Bond,
        Venue::Overseas,
        Venue::OverseasDeriv,
        Venue::Account,
    ];

    /// The publisher whose records are of this venue.
    pub fn publisher(self) -> Publisher {
        match self {
            Venue::Hoga => Publisher::Hoga,
            Venue::Krx => Publisher::KisKrx,
            Venue::Nxt => Publisher::KisNxt,
            Venue::Unified => Publisher::KisUn,
            Venue::Deriv => Publisher::KisKrxDeriv,
            Venue::Night => Publisher::KisKrxNight,
            Venue::Bond => Publisher::KisKrxBond,
            Venue::Overseas => Publisher::KisOverseas,
            Venue::OverseasDeriv => Publisher::KisOverseasDeriv,
            Venue::Account => Publisher::KisAccount,
        }
    }

    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        self.publisher().venue()
    }
}

/// Not the name of a venue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no venue: one of {names}", names = Venue::ALL.map(Venue::name).join(", "))]
pub struct UnknownVenue(pub String);

impl FromStr for Venue {
    type Err = UnknownVenue;

    fn from_str(text: &str) -> Result<Venue, UnknownVenue> {
        if text.eq_ignore_ascii_case("unified") {
            return Ok(Venue::Unified);
        }
        let known = Venue::ALL.into_iter().find(|venue| venue.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| UnknownVenue(text.to_owned()))
    }
}

/// Why a text is no bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundError {
    /// None of the forms.
    #[error(
        "`{0}` is neither a sequence (1234) nor a time of Korea (2026-11-23T09:00:00, 2026-11-23, 09:00) \
         nor one with an offset (2026-11-23T00:00:00Z)"
    )]
    Form(String),
    /// A time alone, and no day it could be of.
    #[error("`{0}` is a time without a date, and the journal has no trading date yet: write 2026-11-23T09:00")]
    NoDay(String),
    /// Before 1970 or after 2554.
    #[error("`{0}` is outside the times a journal can hold")]
    Range(String),
}

/// What a user writes: `1234` (a sequence); `2026-11-23T09:00:00.5` or with a space (Korean time); `2026-11-23` (its
/// midnight in Korea; as the end of a range: the end of that day); `09:00`, `09:00:00.5` (on `day`); or RFC 3339 with an
/// offset (`2026-11-23T00:00:00Z`).
///
/// # Errors
///
/// See [`BoundError`].
pub fn parse_bound(text: &str, day: Option<Date>, is_to: bool) -> Result<Bound, BoundError> {
    let text = text.trim();
    let range = || BoundError::Range(text.to_owned());
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Bound::Sequence).map_err(|_| range());
    }
    let form = || BoundError::Form(text.to_owned());
    let stamp = if let Ok(stamp) = text.parse::<Timestamp>() {
        stamp
    } else if text.len() <= 10 && text.parse::<Date>().is_ok() {
        let date: Date = text.parse().map_err(|_| form())?;
        let date = if is_to { date.checked_add(1.day()).map_err(|_| range())? } else { date };
        kst::timestamp(date.to_datetime(Time::midnight())).ok_or_else(range)?
    } else if let (true, Ok(time)) = (text.as_bytes().get(2) == Some(&b':'), text.parse::<Time>()) {
        let day = day.ok_or_else(|| BoundError::NoDay(text.to_owned()))?;
        kst::timestamp(day.to_datetime(time)).ok_or_else(range)?
    } else {
        kst::timestamp(text.parse::<DateTime>().map_err(|_| form())?).ok_or_else(range)?
    };
    u64::try_from(stamp.as_nanosecond()).map(Bound::Time).map_err(|_| range())
}

/// Newest trading date of a journal: the day a time alone means. `None` when there is no segment in use.
pub fn newest_day(dir: &Path) -> Option<Date> {
    [Stream::Ticks, Stream::Raw].into_iter().find_map(|stream| {
        let folder = dir.join(stream.name());
        let ordinals = list_segments(&folder).ok()?;
        ordinals.into_iter().rev().find_map(|ordinal| {
            let header = SegmentReader::open_in(&folder, ordinal).ok()?.checked_header(stream, ordinal).ok()?;
            kst::date_of(header.activation?.trading_date).or_else(|| {
                // Told no trading date: the day on which it was made.
                Some(kst::trading_date(header.prepared.anchor_realtime_ns))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// 2026-11-23T00:00:00 in Korea.
    const MIDNIGHT: u64 = 1_795_359_600_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_bound_is_what_a_user_means_by_it() {
        let day = Some(date(2026, 11, 23));
        let from = |text| parse_bound(text, day, false).unwrap();
        let nine = Bound::Time(MIDNIGHT + 9 * 3600 * SECOND);
        assert_eq!(from("1234"), Bound::Sequence(1234));
        assert_eq!(from("2026-11-23"), Bound::Time(MIDNIGHT));
        for text in
            ["2026-11-23T09:00:00", "2026-11-23 09:00", "09:00", "09:00:00", "2026-11-23T00:00:00Z", " 09:00:00.000 "]
        {
            assert_eq!(from(text), nine, "{text}");
        }
        assert_eq!(from("2026-11-22T19:00:00.5-05:00"), Bound::Time(MIDNIGHT + 9 * 3600 * SECOND + SECOND / 2));
        assert_eq!(from("09:00:00.123456789"), Bound::Time(MIDNIGHT + 9 * 3600 * SECOND + 123_456_789));
    }

    #[test]
    fn a_date_as_the_end_of_a_range_includes_that_day() {
        let to = parse_bound("2026-11-23", None, true).unwrap();
        assert_eq!(to, Bound::Time(MIDNIGHT + 24 * 3600 * SECOND));
        assert_eq!(parse_bound("2026-11-23T09:00", None, true), parse_bound("2026-11-23T09:00", None, false));
    }

    #[test]
    fn what_is_no_bound_is_refused_with_the_forms_that_are() {
        for text in ["", "nine", "2026-13-01", "25:00", "09:00:61x", "-5", "1e3"] {
            let error = parse_bound(text, Some(date(2026, 11, 23)), false).unwrap_err();
            assert!(matches!(error, BoundError::Form(_)), "{text}: {error}");
        }
        assert!(matches!(parse_bound("09:00", None, false), Err(BoundError::NoDay(_))));
        assert!(matches!(parse_bound("99999999999999999999", None, false), Err(BoundError::Range(_))));
        assert!(matches!(parse_bound("1969-12-31", None, false), Err(BoundError::Range(_))));
    }

    #[test]
    fn venues_are_known_by_name_in_either_case() {
        for publisher in Publisher::ALL {
            let venue: Venue = publisher.venue().to_lowercase().parse().unwrap();
            assert_eq!(venue.publisher(), publisher);
        }
        assert_eq!("Unified".parse(), Ok(Venue::Unified));
        assert!("NYSE".parse::<Venue>().unwrap_err().to_string().contains("KRX, NXT"));
    }
}
