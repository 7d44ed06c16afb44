//! Weeks, months and years out of days.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::Answer;
use super::http::Request;
use super::quotations::missing;

/// The first date of the period that a date lies in.
pub(super) type Period = fn(Date) -> Date;

/// A day, or days joined.
pub(super) trait Daily {
    /// The newest day.
    fn date(&self) -> Date;

    /// Takes an earlier day of the same period in.
    fn take_earlier(&mut self, day: Self);
}

/// The period of a call, one of the letters it knows; or the refusal.
pub(super) fn asked_period(request: &Request, known: &str) -> Result<Period, Answer> {
    let asked = request.query("FID_PERIOD_DIV_CODE").filter(|letter| known.contains(letter));
    match asked {
        Some("D") => Ok(|date| date),
        Some("W") => {
            Ok(|date| date.checked_sub(i32::from(date.weekday().to_monday_zero_offset()).days()).unwrap_or(date))
        }
        Some("M") => Ok(Date::first_of_month),
        Some("Y") => Ok(Date::first_of_year),
        _ => Err(missing("FID_PERIOD_DIV_CODE")),
    }
}

/// Days, newest first, joined into the newest `rows` periods. A period has the date of its last day, and holds the days
/// given alone.
pub(super) fn joined<T: Daily>(days: impl IntoIterator<Item = T>, period: Period, rows: usize) -> Vec<T> {
    let mut joined: Vec<T> = Vec::new();
    for day in days {
        let is_full = joined.len() == rows;
        match joined.last_mut().filter(|newer| period(newer.date()) == period(day.date())) {
            Some(newer) => newer.take_earlier(day),
            None if is_full => break,
            None => joined.push(day),
        }
    }
    joined
}
