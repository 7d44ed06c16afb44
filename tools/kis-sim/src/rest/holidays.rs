//! The calendar as REST has it, and chk-holiday: the days from a date on, 25 a page.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::http::Request;
use super::quotations::missing;
use super::{Answer, Rest, output};
use crate::market::days::Day;

const PAGE_DAYS: i64 = 25;
/// Hours of an ordinary day.
const ORDINARY: (u32, u32) = (9 * 3600, 15 * 3600 + 1800);

impl Rest {
    /// Whether the market opens on a date.
    pub(super) fn is_open(&self, date: Date) -> bool {
        self.trading_days.contains(date)
    }

    /// What the venues do on a date.
    pub(super) fn day(&self, date: Date) -> Day {
        Day::of(date, &self.trading_days)
    }

    /// When KRX opens and closes on a date; on one without trading, as on others.
    pub(super) fn hours(&self, date: Date) -> (u32, u32) {
        self.day(date).regular().unwrap_or(ORDINARY)
    }

    /// Days from `BASS_DT` to the end of its year; the next page is asked for with `CTX_AREA_NK` and `tr_cont: N`.
    pub(super) fn chk_holiday(&self, request: &Request) -> Answer {
        let read = |text: &str| Date::strptime("%Y%m%d", text).ok();
        let Some(from) = request.query("BASS_DT").and_then(read) else { return missing("BASS_DT") };
        let next = request.query("CTX_AREA_NK").map(str::trim).filter(|_| request.header("tr_cont") == Some("N"));
        let first = next.and_then(read).unwrap_or(from);
        let mut rows = Vec::new();
        let mut date = first;
        while date.year() == from.year() && rows.len() < PAGE_DAYS as usize {
            let yes = |yes: bool| if yes { "Y" } else { "N" };
            let open = self.is_open(date);
            rows.push(json!({
                "bass_dt": date.strftime("%Y%m%d").to_string(),
                "wday_dvsn_cd": format!("{:02}", date.weekday().to_sunday_one_offset()),
                "bzdy_yn": yes(open),
                "tr_day_yn": yes(open),
                "opnd_yn": yes(open),
                "sttl_day_yn": yes(open),
            }));
            date = match date.checked_add(1.day()) {
                Ok(date) => date,
                Err(_) => break,
            };
        }
        let more = date.year() == from.year();
        let key = if more { date.strftime("%Y%m%d").to_string() } else { String::new() };
        let mut answer = output(json!({
            // Padded with blanks, as the real server does.
            "ctx_area_fk": format!("{:<20}", ""),
            "ctx_area_nk": format!("{key:<20}"),
            "output": Value::Array(rows),
        }));
        answer.tr_cont = match (more, next.is_some()) {
            (true, _) => "M",
            (false, true) => "E",
            (false, false) => "D",
        };
        answer
    }
}
