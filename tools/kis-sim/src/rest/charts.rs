//! Bars: minutes of the day from its executions, days before it from the seed.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::http::Request;
use super::periods::{Daily, asked_period, joined};
use super::quotations::{missing, second, text};
use super::rows::{Fields, list};
use super::{Answer, Rest, output, past, success};
use crate::market::SymbolInfo;
use crate::market::chronicle::{PastBar, PastDay};
use crate::market::tape::MinuteBar;
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

impl Daily for DayBar {
    fn date(&self) -> Date {
        self.date
    }

    fn take_earlier(&mut self, day: Self) {
        self.open = day.open;
        self.high = self.high.max(day.high);
        self.low = self.low.min(day.low);
        self.volume += day.volume;
    }
}

impl Rest {
    /// Minutes backwards from a time, 30 at most. A time to come yields bars without volume at the newest price, and the
    /// minute that runs shows the volume of the one before until its first trade, as the real server has it.
    pub(super) fn inquire_time_itemchartprice(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let Some(until) = request.query("FID_INPUT_HOUR_1").and_then(second) else {
            return missing("FID_INPUT_HOUR_1");
        };
        let bars = self.tape.minutes(index, feed);
        // The market's time, as far as its trades tell it.
        let running = self.tape.newest_second().map(|second| second / 60 * 60);
        let mut rows = Vec::new();
        let mut minute = until / 60 * 60;
        let first = bars.first().map_or(u32::MAX, |bar| bar.second);
        while rows.len() < ROWS && minute >= first {
            let at = bars.partition_point(|bar| bar.second <= minute);
            let bar = bars[at - 1];
            let shown = if bar.second == minute {
                bar
            } else {
                let volume = if Some(minute) == running { bar.volume } else { 0 };
                MinuteBar { second: minute, open: bar.close, high: bar.close, low: bar.close, volume, ..bar }
            };
            rows.push(past::row(self.date, &shown));
            let Some(earlier) = minute.checked_sub(60) else { break };
            minute = earlier;
        }
        output(json!({ "output1": self.minutes_head(index, symbol, feed), "output2": rows }))
    }

    /// Days, weeks, months or years between two dates, newest first, 100 at most.
    pub(super) fn inquire_daily_itemchartprice(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let date = |name| request.query(name).and_then(|text| Date::strptime("%Y%m%d", text).ok());
        let Some(from) = date("FID_INPUT_DATE_1") else { return missing("FID_INPUT_DATE_1") };
        let Some(to) = date("FID_INPUT_DATE_2") else { return missing("FID_INPUT_DATE_2") };
        let period = match asked_period(request, "DWMY") {
            Ok(period) => period,
            Err(refusal) => return refusal,
        };
        // Here 0 means adjusted.
        let raw = request.query("FID_ORG_ADJ_PRC") == Some("1");
        let mut days = Vec::new();
        if (from..=to).contains(&self.date)
            && let Some(newest) = self.tape.newest(index)
        {
            let minutes = self.tape.minutes(index, feed);
            if let (Some(first), Some(last)) = (minutes.first(), minutes.last()) {
                days.push(DayBar {
                    date: self.date,
                    open: first.open,
                    high: minutes.iter().map(|bar| bar.high).max().unwrap_or(0),
                    low: minutes.iter().map(|bar| bar.low).min().unwrap_or(0),
                    close: last.close,
                    volume: newest.volume(feed),
                });
            }
        }
        days.extend(self.days_before(symbol, from).into_iter().filter(|day| day.date <= to));
        let bars = joined(days.into_iter().map(|day| self.as_asked(day, raw)), period, DAY_ROWS);
        let rows: Vec<Value> = bars.iter().map(day_row).collect();
        output(json!({ "output1": self.day_head(index, symbol, feed), "output2": rows }))
    }

    /// The newest 30 days, weeks or months of the trading days before the simulated one, newest first.
    pub(super) fn inquire_daily_price(&self, request: &Request) -> Answer {
        let symbol = match self.asked_symbol(request) {
            Ok((_, symbol, _)) => symbol,
            Err(refusal) => return refusal,
        };
        let period = match asked_period(request, "DWM") {
            Ok(period) => period,
            Err(refusal) => return refusal,
        };
        // The month before the oldest is whole, too.
        let from = self.date.first_of_month().checked_sub((ROWS as i64 + 1).months()).unwrap_or(Date::MIN);
        // Here 1 means adjusted: the two calls contradict each other at the real server too.
        let raw = request.query("FID_ORG_ADJ_PRC") != Some("1");
        let days = self.days_before(symbol, from).into_iter().map(|day| self.as_asked(day, raw));
        // Each row is told against the one before it.
        let bars = joined(days, period, ROWS + 1);
        success(list(bars.windows(2).map(|pair| price_row(&pair[0], &pair[1]))))
    }

    /// A day before the split, in the prices of then.
    fn as_asked(&self, day: DayBar, raw: bool) -> DayBar {
        if !raw || day.date >= self.split {
            return day;
        }
        let DayBar { date, open, high, low, close, volume } = day;
        DayBar { date, open: 2 * open, high: 2 * high, low: 2 * low, close: 2 * close, volume: volume / 2 }
    }

    /// Trading days before the simulated one, newest first, down to `from`: those that the run has simulated, then a walk
    /// backwards from the base price of the first.
    pub(super) fn days_before(&self, symbol: &SymbolInfo, from: Date) -> Vec<DayBar> {
        let seed = symbol.code.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut rng = Rng::new(seed);
        let place = self.symbols.iter().position(|known| known.code == symbol.code).unwrap_or(0);
        let past = self.today.past.iter().rev().filter(|day| day.date >= from && self.is_open(day.date));
        let bar = |day: &PastDay| {
            let PastBar { open, high, low, close, volume, .. } = *day.symbols.get(place)?;
            Some(DayBar { date: day.date, open, high, low, close, volume })
        };
        let mut days: Vec<DayBar> = past.filter_map(bar).collect();
        let (mut date, mut close) = (self.first.date, self.first.symbols[place].base_px);
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

/// A period of inquire-daily-price, against the one before it.
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
