//! Bars: minutes of the day from its executions, days before it from the seed.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::http::Request;
use super::quotations::{hhmmss, missing, second, text};
use super::rows::{Fields, list};
use super::{Answer, Rest, output, success};
use crate::market::SymbolInfo;
use crate::market::tick::tick_size;
use crate::rng::Rng;

const ROWS: usize = 30;
const DAY_ROWS: usize = 100;
/// Trading days before the simulated one that are known.
const DAYS_MAX: usize = 2_000;

#[derive(Clone, Copy, Debug)]
pub(super) struct DayBar {
    pub(super) date: Date,
    pub(super) open: i64,
    pub(super) high: i64,
    pub(super) low: i64,
    pub(super) close: i64,
    pub(super) volume: i64,
}

impl Rest {
    /// Minutes backwards from a time, 30 at most. A time after the newest execution yields bars without volume at its
    /// price, as the real server has it.
    pub(super) fn inquire_time_itemchartprice(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let Some(until) = request.query("FID_INPUT_HOUR_1").and_then(second) else {
            return missing("FID_INPUT_HOUR_1");
        };
        let bars = self.tape.minutes(index, feed);
        let date = self.date_text();
        let mut rows = Vec::new();
        let mut minute = until / 60 * 60;
        let first = bars.first().map_or(u32::MAX, |bar| bar.second);
        while rows.len() < ROWS && minute >= first {
            let at = bars.partition_point(|bar| bar.second <= minute);
            let bar = bars[at - 1];
            let traded = bar.second == minute;
            let flat = |price: i64| if traded { price } else { bar.close };
            rows.push(json!({
                "stck_bsop_date": date,
                "stck_cntg_hour": hhmmss(minute),
                "stck_prpr": text(bar.close),
                "stck_oprc": text(flat(bar.open)),
                "stck_hgpr": text(flat(bar.high)),
                "stck_lwpr": text(flat(bar.low)),
                "cntg_vol": text(if traded { bar.volume } else { 0 }),
                "acml_tr_pbmn": text(bar.turnover),
            }));
            let Some(earlier) = minute.checked_sub(60) else { break };
            minute = earlier;
        }
        output(json!({ "output1": self.minutes_head(index, symbol, feed), "output2": rows }))
    }

    /// Days between two dates, newest first, 100 at most.
    pub(super) fn inquire_daily_itemchartprice(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let date = |name| request.query(name).and_then(|text| Date::strptime("%Y%m%d", text).ok());
        let Some(from) = date("FID_INPUT_DATE_1") else { return missing("FID_INPUT_DATE_1") };
        let Some(to) = date("FID_INPUT_DATE_2") else { return missing("FID_INPUT_DATE_2") };
        if request.query("FID_PERIOD_DIV_CODE") != Some("D") {
            return missing("FID_PERIOD_DIV_CODE");
        }
        let mut rows = Vec::new();
        if (from..=to).contains(&self.date)
            && let Some(newest) = self.tape.newest(index)
        {
            let minutes = self.tape.minutes(index, feed);
            if let (Some(first), Some(last)) = (minutes.first(), minutes.last()) {
                rows.push(day_row(&DayBar {
                    date: self.date,
                    open: first.open,
                    high: minutes.iter().map(|bar| bar.high).max().unwrap_or(0),
                    low: minutes.iter().map(|bar| bar.low).min().unwrap_or(0),
                    close: last.close,
                    volume: newest.volume(feed),
                }));
            }
        }
        // Here 0 means adjusted.
        let raw = request.query("FID_ORG_ADJ_PRC") == Some("1");
        for day in self.days_before(symbol, from).into_iter().filter(|day| day.date <= to) {
            if rows.len() == DAY_ROWS {
                break;
            }
            rows.push(day_row(&self.as_asked(day, raw)));
        }
        output(json!({ "output1": self.day_head(index, symbol, feed), "output2": rows }))
    }

    /// The 30 trading days before the simulated one, newest first.
    pub(super) fn inquire_daily_price(&self, request: &Request) -> Answer {
        let symbol = match self.asked_symbol(request) {
            Ok((_, symbol, _)) => symbol,
            Err(refusal) => return refusal,
        };
        if request.query("FID_PERIOD_DIV_CODE") != Some("D") {
            return missing("FID_PERIOD_DIV_CODE");
        }
        let from = self.date.checked_sub(60.days()).unwrap_or(Date::MIN);
        // Here 1 means adjusted: the two calls contradict each other at the real server too.
        let raw = request.query("FID_ORG_ADJ_PRC") != Some("1");
        let days = self.days_before(symbol, from).into_iter().map(|day| self.as_asked(day, raw));
        let days: Vec<DayBar> = days.collect();
        success(list(days.windows(2).take(ROWS).map(|pair| price_row(&pair[0], &pair[1]))))
    }

    /// A day before the split, in the prices of then.
    fn as_asked(&self, day: DayBar, raw: bool) -> DayBar {
        if !raw || self.split.is_none_or(|split| day.date >= split) {
            return day;
        }
        let DayBar { date, open, high, low, close, volume } = day;
        DayBar { date, open: 2 * open, high: 2 * high, low: 2 * low, close: 2 * close, volume: volume / 2 }
    }

    /// Trading days before the simulated one, newest first, down to `from`: a walk backwards from the base price.
    pub(super) fn days_before(&self, symbol: &SymbolInfo, from: Date) -> Vec<DayBar> {
        let seed = symbol.code.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut rng = Rng::new(seed);
        let mut days = Vec::new();
        let (mut date, mut close) = (self.date, symbol.base_px);
        while days.len() < DAYS_MAX {
            date = match date.checked_sub(1.day()) {
                Ok(date) if date >= from => date,
                _ => break,
            };
            if !self.is_open(date) {
                continue;
            }
            let tick = tick_size(close);
            let mut step = |most: i64| rng.between(0, most) * tick;
            let open = (close + step(8) - step(8)).max(tick);
            let (high, low) = (open.max(close) + step(4), (open.min(close) - step(4)).max(tick));
            days.push(DayBar { date, open, high, low, close, volume: 1_000 + step(900) });
            // The close of the day before lies near this day's opening price.
            close = (open + step(3) - step(3)).max(tick);
        }
        days
    }
}

fn day_row(day: &DayBar) -> Value {
    json!({
        "stck_bsop_date": day.date.strftime("%Y%m%d").to_string(),
        "stck_clpr": text(day.close),
        "stck_oprc": text(day.open),
        "stck_hgpr": text(day.high),
        "stck_lwpr": text(day.low),
        "acml_vol": text(day.volume),
        "acml_tr_pbmn": text(day.volume * day.close),
        "flng_cls_code": "00",
        "prtt_rate": "0.00",
        "mod_yn": "N",
        "revl_issu_reas": "",
    })
}

/// A day of inquire-daily-price, against the one before it.
fn price_row(day: &DayBar, before: &DayBar) -> Fields {
    Fields::new()
        .text("stck_bsop_date", day.date.strftime("%Y%m%d").to_string())
        .ints([("stck_oprc", day.open), ("stck_hgpr", day.high), ("stck_lwpr", day.low), ("stck_clpr", day.close)])
        .int("acml_vol", day.volume)
        .percent("prdy_vrss_vol_rate", day.volume - before.volume, before.volume)
        .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], day.close, before.close, 0)
        .text("hts_frgn_ehrt", "0.00")
        .int("frgn_ntby_qty", 0)
        .text("flng_cls_code", "00")
        .text("acml_prtt_rate", "0.00")
}
