//! Minutes of past days: a walk from symbol, feed and date, the same each time it is asked for.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::http::Request;
use super::quotations::{hhmmss, missing, second, text};
use super::{Answer, Rest, output};
use crate::market::SymbolInfo;
use crate::market::tape::{Feed, MinuteBar};
use crate::market::tick::tick_size;
use crate::rng::Rng;

const ROWS: usize = 120;
/// About a year is kept.
const DAYS_KEPT: i32 = 365;
const END_OF_DAY: u32 = 86_399;
/// Of ten minutes, so many have trades.
const TRADED_OF_TEN: i64 = 8;

impl Rest {
    /// Minutes backwards from a time of a past day, 120 at most. `FID_PW_DATA_INCU_YN` = `Y` goes on into the days before;
    /// `FID_FAKE_TICK_INCU_YN` = `Y` shows minutes without trades, too.
    pub(super) fn inquire_time_dailychartprice(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let date = request.query("FID_INPUT_DATE_1").and_then(|text| Date::strptime("%Y%m%d", text).ok());
        let Some(mut date) = date else { return missing("FID_INPUT_DATE_1") };
        let Some(mut until) = request.query("FID_INPUT_HOUR_1").and_then(second) else {
            return missing("FID_INPUT_HOUR_1");
        };
        let asked = |name| request.query(name) == Some("Y");
        let (earlier, all) = (asked("FID_PW_DATA_INCU_YN"), asked("FID_FAKE_TICK_INCU_YN"));
        let oldest = self.date.checked_sub(DAYS_KEPT.days()).unwrap_or(Date::MIN);
        let mut rows = Vec::new();
        while rows.len() < ROWS && date >= oldest {
            if date < self.date && self.is_open(date) {
                let minutes = past_minutes(&self.first.symbols[index], feed, date, self.hours(date));
                let shown = minutes.iter().rev().filter(|bar| bar.second <= until && (all || bar.volume > 0));
                rows.extend(shown.take(ROWS - rows.len()).map(|bar| row(date, bar)));
            }
            if !earlier {
                break;
            }
            until = END_OF_DAY;
            date = match date.yesterday() {
                Ok(date) => date,
                Err(_) => break,
            };
        }
        output(json!({ "output1": self.minutes_head(index, symbol, feed), "output2": rows }))
    }
}

/// All minutes of a day from its opening to its close, oldest first; those without trades stand at the price before.
fn past_minutes(symbol: &SymbolInfo, feed: Feed, date: Date, hours: (u32, u32)) -> Vec<MinuteBar> {
    let of_day = u64::from(date.year().unsigned_abs()) * 400 + u64::from(date.day_of_year().unsigned_abs());
    let start = of_day * 3 + feed.index() as u64;
    let seed = symbol.code.bytes().fold(start, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut rng = Rng::new(seed);
    let (opens, closes) = hours;
    let (mut close, mut turnover) = (symbol.base_px, 0);
    let mut minutes = Vec::new();
    for second in (opens..=closes).step_by(60) {
        let tick = tick_size(close);
        let mut step = |most: i64| rng.between(0, most) * tick;
        let open = (close + step(3) - step(3)).max(tick);
        let last = (open + step(3) - step(3)).max(tick);
        let (high, low) = (open.max(last) + step(2), (open.min(last) - step(2)).max(tick));
        let volume = 1 + rng.between(0, 5_000);
        if rng.between(0, 9) >= TRADED_OF_TEN {
            minutes.push(MinuteBar { second, open: close, high: close, low: close, close, volume: 0, turnover });
            continue;
        }
        turnover += volume * last;
        close = last;
        minutes.push(MinuteBar { second, open, high, low, close, volume, turnover });
    }
    minutes
}

/// A minute as charts show it.
pub(super) fn row(date: Date, bar: &MinuteBar) -> Value {
    json!({
        "stck_bsop_date": date.strftime("%Y%m%d").to_string(),
        "stck_cntg_hour": hhmmss(bar.second),
        "stck_prpr": text(bar.close),
        "stck_oprc": text(bar.open),
        "stck_hgpr": text(bar.high),
        "stck_lwpr": text(bar.low),
        "cntg_vol": text(bar.volume),
        "acml_tr_pbmn": text(bar.turnover),
    })
}
