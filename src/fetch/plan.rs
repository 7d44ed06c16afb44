//! What is to be downloaded: a request, checked, as units.

use std::path::PathBuf;
use std::str::FromStr;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::Moment;
use crate::feed::kis::rest::quotations::{Period, Prices, Venue};
use crate::market::calendar::{self, Calendar, Unknown};
use crate::market::kst;
use crate::tick::Publisher;

/// Days for which the broker keeps minutes: it says about a year.
const MINUTES_KEPT_DAYS: i32 = 366;
/// Rows of a call.
const PAST_MINUTE_ROWS: u64 = 120;
const MINUTE_ROWS: u64 = 30;
const DAY_ROWS: u64 = 100;

/// What is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Minutes of days.
    Bars,
    /// Days, weeks or months.
    Daily {
        /// How long a bar is.
        period: Period,
        /// Whether past prices are adjusted.
        prices: Prices,
    },
    /// Trades of today.
    Ticks,
}

impl What {
    /// Name as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            What::Bars => "bars",
            What::Daily { .. } => "daily",
            What::Ticks => "ticks",
        }
    }
}

/// Form of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A CSV file for each unit.
    Csv,
    /// A Parquet file for each unit.
    Parquet,
    /// One journal of records with flag BACKFILLED.
    Journal,
}

impl Format {
    /// Name as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Parquet => "parquet",
            Format::Journal => "journal",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        let all = [Format::Csv, Format::Parquet, Format::Journal];
        all.into_iter().find(|format| format.name() == text).ok_or("expected csv, parquet or journal".to_owned())
    }
}

/// Whose prices: KRX, NXT, or both as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market(pub Venue);

impl Market {
    /// Name as on the command line and in rows.
    pub fn name(self) -> &'static str {
        self.publisher().venue()
    }

    /// Whose records these are.
    pub fn publisher(self) -> Publisher {
        match self.0 {
            Venue::Krx => Publisher::KisKrx,
            Venue::Nxt => Publisher::KisNxt,
            Venue::Unified => Publisher::KisUn,
        }
    }

    fn days(self) -> &'static [calendar::Venue] {
        match self.0 {
            Venue::Krx => &[calendar::Venue::Krx],
            Venue::Nxt => &[calendar::Venue::Nxt],
            Venue::Unified => &[calendar::Venue::Krx, calendar::Venue::Nxt],
        }
    }

    /// First and last second in which something may trade on a date; `None` on a closed day.
    pub fn hours(self, calendar: &Calendar, date: Date) -> Result<Option<(u32, u32)>, Unknown> {
        let mut hours: Option<(u32, u32)> = None;
        for venue in self.days() {
            for session in calendar.day(*venue, date)?.sessions {
                let (from, to) = hours.unwrap_or((session.from, session.to));
                hours = Some((from.min(session.from), to.max(session.to)));
            }
        }
        Ok(hours.map(|(from, to)| (from, to.min(86_399))))
    }
}

impl FromStr for Market {
    type Err = String;

    fn from_str(text: &str) -> Result<Market, String> {
        let all = [Venue::Krx, Venue::Nxt, Venue::Unified].map(Market);
        let named = all.into_iter().find(|market| market.name().eq_ignore_ascii_case(text));
        named.ok_or_else(|| "expected KRX, NXT or UN (both as one)".to_owned())
    }
}

/// What somebody asks for. Two requests are the same when [`describe`](Self::describe) says the same.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of what.
    pub what: What,
    /// Of which symbols, each once.
    pub symbols: Vec<String>,
    /// First date.
    pub from: Date,
    /// Last date.
    pub to: Date,
    /// Where they trade.
    pub market: Market,
    /// How rows are kept.
    pub format: Format,
    /// Whose rows they are: real, mock, simulator, or another host.
    pub server: String,
}

/// Why a request can't be carried out; says what can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No symbol at all.
    #[error("no symbol: name some with --symbols, as 005930,000660 or @FILE")]
    NoSymbols,
    /// Not what a symbol looks like.
    #[error("`{0}` is no symbol: expected 1 to 12 letters and digits, as 005930 or 0074K0")]
    Symbol(String),
    /// From after to.
    #[error("--from {from} is after --to {to}: exchange them")]
    Range {
        /// First date.
        from: Date,
        /// Last date.
        to: Date,
    },
    /// A day to come.
    #[error("--to {to} is still to come: today is {today} in Korea")]
    Future {
        /// Last date.
        to: Date,
        /// The date in Korea.
        today: Date,
    },
    /// Older than what the broker keeps.
    #[error("--from {from}: the broker keeps minutes for about a year, since about {oldest}")]
    TooOld {
        /// First date.
        from: Date,
        /// The oldest that may be asked for.
        oldest: Date,
    },
    /// Trades of another day.
    #[error(
        "trades: the broker shows those of today ({today}) alone, not of {from} to {to}; `hoga run` records them as they come"
    )]
    TodayOnly {
        /// The date in Korea.
        today: Date,
        /// First date.
        from: Date,
        /// Last date.
        to: Date,
    },
    /// The mock server.
    #[error("the mock server has no minutes of past days: use the real server, or ask for today alone")]
    Mock,
    /// A form that can't hold it.
    #[error("a journal can't hold {0}: choose --format csv or parquet")]
    Format(&'static str),
    /// The calendar doesn't know.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

/// One file's worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Place of its symbol in the request.
    pub symbol: usize,
    /// Its day; `None` = the whole range.
    pub date: Option<Date>,
    /// The last day on which it may grow.
    pub last: Date,
    /// First and last second of that day in which something may trade.
    pub hours: (u32, u32),
}

/// All units of a request, in the order in which they are downloaded: day by day.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The units.
    pub units: Vec<Unit>,
    /// Days in the range on which the market opens. Of years that the calendar doesn't know all but weekends, which is enough to
    /// count calls by.
    pub open_days: Vec<Date>,
    /// Days in the range on which it does not.
    pub closed_days: usize,
}

impl Request {
    /// The request as it is kept and compared.
    pub fn describe(&self) -> Value {
        let mut said = json!({
            "what": self.what.name(),
            "from": self.from.to_string(),
            "to": self.to.to_string(),
            "venue": self.market.name(),
            "format": self.format.name(),
            "server": self.server,
        });
        if let What::Daily { period, prices } = self.what {
            said["period"] = period.code().into();
            said["prices"] = prices_name(prices).into();
        }
        said["symbols"] = self.symbols.clone().into();
        said
    }

    /// Checks the request and makes units of it. Nothing is asked of the broker. What was begun in time (`is_begun`) may be
    /// ended when the broker no longer has all of it: units that can't be had fail one by one.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn plan(&self, calendar: &Calendar, moment: &Moment, is_mock: bool, is_begun: bool) -> Result<Plan, PlanError> {
        self.check(moment.date(), is_mock, is_begun)?;
        let (mut open_days, mut closed_days, mut units) = (Vec::new(), 0, Vec::new());
        // Days of decades: the broker tells which there were, and the calendar only how many to expect.
        let is_daily = matches!(self.what, What::Daily { .. });
        let hours_of = |date: Date| match self.market.hours(calendar, date) {
            Err(_) if is_daily => Ok((date.weekday().to_monday_zero_offset() < 5).then_some((0, 86_399))),
            hours => hours,
        };
        // The end first: a range of centuries is refused at once.
        hours_of(self.to)?;
        for date in self.from.series(1.day()).take_while(|date| *date <= self.to) {
            let Some(hours) = hours_of(date)? else {
                closed_days += 1;
                continue;
            };
            open_days.push(date);
            if !is_daily {
                units.extend((0..self.symbols.len()).map(|symbol| Unit {
                    symbol,
                    date: Some(date),
                    last: date,
                    hours,
                }));
            }
        }
        if let What::Daily { period, .. } = self.what
            && let Some(mut last) = open_days.last().copied()
        {
            let mut hours = hours_of(last)?.unwrap_or((0, 86_399));
            // Whole weeks and months: they grow until their own last day.
            for date in self.to.series(1.day()).skip(1).take_while(|date| *date <= last_of(period, self.to)) {
                if let Some(later) = hours_of(date)? {
                    (last, hours) = (date, later);
                }
            }
            units.extend((0..self.symbols.len()).map(|symbol| Unit { symbol, date: None, last, hours }));
        }
        Ok(Plan { units, open_days, closed_days })
    }

    fn check(&self, today: Date, is_mock: bool, is_begun: bool) -> Result<(), PlanError> {
        let (from, to) = (self.from, self.to);
        if self.symbols.is_empty() {
            return Err(PlanError::NoSymbols);
        }
        let is_symbol = |text: &str| (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(wrong) = self.symbols.iter().find(|symbol| !is_symbol(symbol)) {
            return Err(PlanError::Symbol(wrong.clone()));
        }
        if from > to {
            return Err(PlanError::Range { from, to });
        }
        if to > today {
            return Err(PlanError::Future { to, today });
        }
        match self.what {
            What::Ticks if from != to || (from != today && !is_begun) => Err(PlanError::TodayOnly { today, from, to }),
            What::Bars => {
                let oldest = today.checked_sub(MINUTES_KEPT_DAYS.days()).unwrap_or(Date::MIN);
                if from < oldest && !is_begun {
                    return Err(PlanError::TooOld { from, oldest });
                }
                if is_mock && from < today && !is_begun { Err(PlanError::Mock) } else { Ok(()) }
            }
            What::Daily { period, prices } if self.format == Format::Journal => match (period, prices) {
                (Period::Day, Prices::Raw) => Ok(()),
                (Period::Day, Prices::Adjusted) => Err(PlanError::Format(
                    "adjusted prices, since its records don't say that they are (those of --prices raw it can)",
                )),
                _ => Err(PlanError::Format("weeks or months, since the broker doesn't say when they begin")),
            },
            _ => Ok(()),
        }
    }
}

impl Plan {
    /// Calls that units take at the most, without repetitions; `None` of trades, whose number nobody knows before.
    pub fn calls(&self, request: &Request, moment: &Moment, units: impl Iterator<Item = usize>) -> Option<u64> {
        let today = moment.date();
        let of_range = || {
            let What::Daily { period, .. } = request.what else { return None };
            let mut bars: Vec<Date> = self.open_days.iter().map(|date| first_of(period, *date)).collect();
            bars.dedup();
            // And an empty page, or the question whether there is such a symbol.
            Some((bars.len() as u64).div_ceil(DAY_ROWS).max(1) + 1)
        };
        let of_range = of_range();
        let of = |unit: &Unit| match (request.what, unit.date) {
            (What::Bars, Some(date)) => {
                let (from, to) = unit.hours;
                let to = if date == today { moment.settled(date).unwrap_or(0).min(to) } else { to };
                let minutes = u64::from(to.saturating_sub(from) / 60 + 1);
                let rows = if date == today { MINUTE_ROWS } else { PAST_MINUTE_ROWS };
                Some(minutes.div_ceil(rows) + 1)
            }
            _ => of_range,
        };
        units.filter_map(|at| self.units.get(at)).map(of).sum()
    }

    /// Where a unit's rows are, below the folder of all of them.
    pub fn path(&self, request: &Request, unit: &Unit) -> PathBuf {
        let symbol = request.symbols.get(unit.symbol).map_or("", String::as_str);
        let extension = if request.format == Format::Journal { "part" } else { request.format.name() };
        let name = format!("{symbol}.{extension}");
        match unit.date {
            Some(date) => PathBuf::from(kst::number_of(date).to_string()).join(name),
            None => PathBuf::from(name),
        }
    }
}

/// The day on which the week or month of a date begins.
pub(super) fn first_of(period: Period, date: Date) -> Date {
    match period {
        Period::Day => date,
        Period::Week => {
            let since_monday = i32::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(since_monday.days()).unwrap_or(Date::MIN)
        }
        Period::Month => date.first_of_month(),
    }
}

/// The last day of the week or month of a date.
pub(super) fn last_of(period: Period, date: Date) -> Date {
    match period {
        Period::Day => date,
        Period::Week => first_of(period, date).checked_add(6.days()).unwrap_or(Date::MAX),
        Period::Month => date.last_of_month(),
    }
}

/// `raw` or `adjusted`.
pub(super) fn prices_name(prices: Prices) -> &'static str {
    match prices {
        Prices::Raw => "raw",
        Prices::Adjusted => "adjusted",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn request(what: What, from: Date, to: Date) -> Request {
        let symbols = vec!["005930".to_owned(), "0074K0".to_owned()];
        Request { what, symbols, from, to, market: Market(Venue::Krx), format: Format::Csv, server: "real".to_owned() }
    }

    fn evening() -> Moment {
        Moment::simulated(date(2026, 11, 20).at(21, 0, 0, 0)).unwrap()
    }

    fn plan(request: &Request) -> Result<Plan, PlanError> {
        request.plan(Calendar::shipped(), &evening(), false, false)
    }

    #[test]
    fn closed_days_have_no_units() {
        // A Thursday to a Friday week after: Christmas is a Friday.
        let moment = Moment::simulated(date(2026, 12, 31).at(23, 0, 0, 0)).unwrap();
        let asked = request(What::Bars, date(2026, 12, 24), date(2026, 12, 31));
        let plan = asked.plan(Calendar::shipped(), &moment, false, false).unwrap();
        let days: Vec<i8> = plan.open_days.iter().map(|date| date.day()).collect();
        assert_eq!((days.as_slice(), plan.closed_days), (&[24, 28, 29, 30][..], 4));
        assert_eq!(plan.units.len(), 8);
        assert_eq!(plan.path(&asked, &plan.units[1]), PathBuf::from("20261224/0074K0.csv"));
        let weekend =
            request(What::Daily { period: Period::Day, prices: Prices::Raw }, date(2026, 11, 14), date(2026, 11, 15));
        assert!(plan_of(&weekend).units.is_empty());
    }

    fn plan_of(asked: &Request) -> Plan {
        plan(asked).unwrap()
    }

    #[test]
    fn days_of_decades_need_no_calendar_and_minutes_do() {
        let today = date(2026, 11, 20);
        let days = request(What::Daily { period: Period::Day, prices: Prices::Raw }, date(1999, 12, 20), today);
        let plan = plan_of(&days);
        assert_eq!(plan.units.len(), 2);
        let calls = plan.calls(&days, &evening(), 0..1).unwrap();
        assert!((67..=72).contains(&calls), "27 years of some 250 days: {calls}");
        let moment = Moment::simulated(date(2014, 12, 1).at(12, 0, 0, 0)).unwrap();
        let minutes = request(What::Bars, date(2014, 11, 3), date(2014, 11, 4));
        let refused = minutes.plan(Calendar::shipped(), &moment, false, false);
        assert!(matches!(refused, Err(PlanError::Unknown(_))), "{refused:?}");
    }

    #[test]
    fn a_unit_grows_until_the_last_day_on_which_its_market_opens() {
        // The 20th is a Friday, the 25th of December too, and closed like the 31st.
        let last = |period, to: Date, from: Date| {
            let moment = Moment::simulated(date(2026, 12, 31).at(23, 0, 0, 0)).unwrap();
            let asked = request(What::Daily { period, prices: Prices::Raw }, from, to);
            asked.plan(Calendar::shipped(), &moment, false, false).unwrap().units[0].last
        };
        let monday = date(2026, 11, 16);
        assert_eq!(last(Period::Day, date(2026, 11, 22), monday), date(2026, 11, 20));
        assert_eq!(last(Period::Week, date(2026, 11, 18), monday), date(2026, 11, 20));
        assert_eq!(last(Period::Week, date(2026, 11, 22), monday), date(2026, 11, 20));
        assert_eq!(last(Period::Week, date(2026, 12, 22), monday), date(2026, 12, 24));
        assert_eq!(last(Period::Month, date(2026, 12, 3), monday), date(2026, 12, 30));
    }

    #[test]
    fn calls_are_counted_by_the_rows_of_a_call() {
        let (moment, day) = (evening(), date(2026, 11, 17));
        let bars = request(What::Bars, day, day);
        let (from, to) = Market(Venue::Krx).hours(Calendar::shipped(), day).unwrap().unwrap();
        // One more: an empty page, or whether there is such a symbol.
        let a_day = u64::from((to - from) / 60 + 1).div_ceil(120) + 1;
        assert_eq!(plan_of(&bars).calls(&bars, &moment, 0..2), Some(2 * a_day));
        let days =
            request(What::Daily { period: Period::Day, prices: Prices::Raw }, date(2026, 1, 1), date(2026, 11, 20));
        assert_eq!(
            plan_of(&days).calls(&days, &moment, 0..2),
            Some(8),
            "217 days are three calls a symbol, and one more"
        );
        let weeks =
            request(What::Daily { period: Period::Week, prices: Prices::Raw }, date(2026, 1, 1), date(2026, 11, 20));
        assert_eq!(plan_of(&weeks).calls(&weeks, &moment, 0..1), Some(2));
        let ticks = request(What::Ticks, date(2026, 11, 20), date(2026, 11, 20));
        assert_eq!(plan_of(&ticks).calls(&ticks, &moment, 0..1), None);
    }

    #[test]
    fn what_the_broker_does_not_have_is_refused_before_it_is_asked() {
        let today = date(2026, 11, 20);
        assert!(matches!(plan(&request(What::Ticks, date(2026, 11, 19), today)), Err(PlanError::TodayOnly { .. })));
        assert!(matches!(plan(&request(What::Bars, date(2025, 10, 1), today)), Err(PlanError::TooOld { .. })));
        assert!(matches!(plan(&request(What::Bars, today, date(2026, 11, 21))), Err(PlanError::Future { .. })));
        assert!(matches!(plan(&request(What::Bars, today, date(2026, 11, 2))), Err(PlanError::Range { .. })));
        let past = request(What::Bars, date(2026, 11, 19), today);
        assert!(matches!(past.plan(Calendar::shipped(), &evening(), true, false), Err(PlanError::Mock)));
        assert!(past.plan(Calendar::shipped(), &evening(), true, true).is_ok(), "what was begun may be ended");
        let adjusted = What::Daily { period: Period::Day, prices: Prices::Adjusted };
        let journal = Request { format: Format::Journal, ..request(adjusted, date(2026, 11, 2), today) };
        assert!(matches!(plan(&journal), Err(PlanError::Format(_))));
        for wrong in ["00 5930", "", "../../x"] {
            let asked = Request { symbols: vec![wrong.to_owned()], ..request(What::Bars, today, today) };
            assert!(matches!(plan(&asked), Err(PlanError::Symbol(_))), "{wrong}");
        }
    }
}
