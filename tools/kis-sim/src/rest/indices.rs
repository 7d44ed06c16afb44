//! Indices. The levels of the simulated day are those sent as H0UPCNT0; the days before it are derived, so that the last of
//! them closed where the day began. KOSPI 200 and KOSDAQ 150 follow their markets. An unknown index gets blank fields.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::derived::{Span, Walk, day_number, read_date, yyyymmdd};
use super::http::Request;
use super::periods::{Daily, asked_period, joined};
use super::quotations::{hhmmss, missing};
use super::rows::{Fields, list};
use super::{Answer, Rest, Route, failure, output, success};
use crate::market::chronicle::{IndexTick, STOCKS, UNCHANGED};

pub(super) const ROUTES: &[Route] = &[
    ("inquire-index-price", "FHPUP02100000", false, Rest::inquire_index_price),
    ("inquire-index-tickprice", "FHPUP02110100", false, Rest::inquire_index_tickprice),
    ("inquire-index-timeprice", "FHPUP02110200", false, Rest::inquire_index_timeprice),
    ("inquire-time-indexchartprice", "FHKUP03500200", false, Rest::inquire_time_indexchartprice),
    ("inquire-daily-indexchartprice", "FHKUP03500100", true, Rest::inquire_daily_indexchartprice),
];

/// Code, name, the market it follows (0 KOSPI, 1 KOSDAQ), and its level in thousandths of that one's.
const LISTED: [(&str, &str, usize, i64); 4] = [
    ("0001", "종합", 0, 1_000),
    ("1001", "KOSDAQ", 1, 1_000),
    ("2001", "KOSPI200", 0, 134),
    ("3003", "KOSDAQ150", 1, 1_610),
];

/// Rows of the newest levels.
const ROWS: usize = 30;
/// Rows of levels at intervals, and of bars.
const BAR_ROWS: usize = 102;
const DAY_ROWS: usize = 50;
/// Trading days before the simulated one that are known.
const DAYS_MAX: usize = 2_000;
/// Seconds between the levels of a derived day; all bars are made of whole ones.
const STEP: u32 = 30;

const CHANGE: [&str; 3] = ["bstp_nmix_prdy_vrss", "prdy_vrss_sign", "bstp_nmix_prdy_ctrt"];

/// An index over the simulated day and those before it, in hundredths of a point.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    /// Close of the day before.
    pub(super) previous: i64,
    /// Levels of the day, oldest first.
    pub(super) ticks: Vec<IndexTick>,
    walk: Walk,
    /// What brings the walk to `previous`.
    shift: i64,
}

/// Levels of an index over a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    pub(super) date: Date,
    /// Second of the day at which it begins.
    pub(super) second: u32,
    pub(super) span: Span,
    pub(super) volume: i64,
    /// Of the day up to its end.
    pub(super) turnover: i64,
}

impl Daily for Bar {
    fn date(&self) -> Date {
        self.date
    }

    fn take_earlier(&mut self, day: Self) {
        self.span = day.span.then(self.span);
        self.volume += day.volume;
        self.turnover += day.turnover;
    }
}

impl Series {
    pub(super) fn level(&self) -> i64 {
        self.ticks.last().map_or(self.previous, |tick| tick.value)
    }

    /// First, highest, lowest and last level of the day; that of the day before until the first.
    pub(super) fn day(&self) -> Span {
        let previous = Span { open: self.previous, high: self.previous, low: self.previous, close: self.previous };
        // The day opens at the close of the day before, as its records over the WebSocket have it.
        Span::of(self.ticks.iter().map(|tick| tick.value)).map_or(previous, |span| previous.then(span))
    }

    /// Bars of the simulated day, oldest first.
    fn bars(&self, date: Date, seconds: u32) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        for tick in &self.ticks {
            let second = tick.second / seconds * seconds;
            let point = Span { open: tick.value, high: tick.value, low: tick.value, close: tick.value };
            match bars.last_mut().filter(|bar| bar.second == second) {
                Some(bar) => {
                    bar.span = bar.span.then(point);
                    bar.volume += tick.volume_step;
                    bar.turnover = tick.turnover;
                }
                None => {
                    let (volume, turnover) = (tick.volume_step, tick.turnover);
                    bars.push(Bar { date, second, span: point, volume, turnover });
                }
            }
        }
        bars
    }

    /// Bars of a day before from its opening to its close, oldest first; `seconds` are a multiple of 30.
    fn past_bars(&self, date: Date, (opens, closes): (u32, u32), seconds: u32) -> Vec<Bar> {
        let midnight = day_number(date) * 86_400;
        let mut turnover = 0;
        let bar = |second: u32| {
            let steps =
                (second..(second + seconds).min(closes)).step_by(STEP as usize).map(|at| midnight + i64::from(at));
            let volume = steps.clone().map(|at| 50 + self.walk.draw(1, at, 400)).sum::<i64>();
            turnover += volume * 20;
            let span = Span::of(steps.map(|at| self.walk.price(self.previous, at) + self.shift))?;
            Some(Bar { date, second, span, volume, turnover })
        };
        (opens..closes).step_by(seconds as usize).map_while(bar).collect()
    }
}

impl Rest {
    /// The index that a code names.
    pub(super) fn series(&self, code: &str) -> Option<Series> {
        let (code, name, market, scale) = *LISTED.iter().find(|(known, ..)| *known == code)?;
        let scaled = |value: i64| value * scale / 1_000;
        let ticks: Vec<IndexTick> = self
            .chronicle
            .ticks(market)
            .into_iter()
            .map(|tick| IndexTick { value: scaled(tick.value), ..tick })
            .collect();
        let previous = scaled(self.chronicle.previous(market));
        let walk = Walk::new(self.seed, code);
        // The last level of the day before is the close which that day had.
        let last_of = |date| day_number(date) * 86_400 + i64::from(self.hours(date).1 - STEP);
        let last = self.days_back().next().map_or(0, last_of);
        let shift = previous - walk.price(previous, last);
        Some(Series { code, name, previous, ticks, walk, shift })
    }

    /// Trading days before the simulated one, newest first.
    pub(super) fn days_back(&self) -> impl Iterator<Item = Date> {
        let before = (1..).map_while(|days: i64| self.date.checked_sub(days.days()).ok());
        before.filter(|date| self.is_open(*date)).take(DAYS_MAX)
    }

    /// The index of a call, `None` for one that isn't known, or the refusal.
    fn asked_index(&self, request: &Request) -> Result<Option<Series>, Answer> {
        if request.query("FID_COND_MRKT_DIV_CODE") != Some("U") {
            return Err(failure(500, "OPSQ2001", "ERROR : INPUT INVALID_CHECK_MRKT_DIV_CODE"));
        }
        request.query("FID_INPUT_ISCD").map(|code| self.series(code)).ok_or_else(|| missing("FID_INPUT_ISCD"))
    }

    /// Bars of an index up to a moment, newest first: those of its day, and of the days before it when `past`.
    pub(super) fn index_bars(
        &self,
        series: &Series,
        seconds: u32,
        until: (Date, u32),
        past: bool,
        rows: usize,
    ) -> Vec<Bar> {
        let days = std::iter::once(self.date).chain(self.days_back()).skip_while(|date| *date > until.0);
        let days = days.take(if past { DAYS_MAX } else { 1 }).filter(|date| past || *date == until.0);
        let mut bars = Vec::new();
        for date in days {
            let of_day = match date == self.date {
                true => series.bars(date, seconds),
                false => series.past_bars(date, self.hours(date), seconds),
            };
            let reached = of_day.into_iter().rev().filter(|bar| (bar.date, bar.second) <= until);
            bars.extend(reached.take(rows - bars.len()));
            if bars.len() == rows {
                break;
            }
        }
        bars
    }

    /// The index now.
    fn inquire_index_price(&self, request: &Request) -> Answer {
        let series = match self.asked_index(request) {
            Ok(series) => series,
            Err(refusal) => return refusal,
        };
        let row = |series: &Series| {
            let (level, day, previous) = (series.level(), series.day(), series.previous);
            let tick = series.ticks.last().copied().unwrap_or_default();
            let risen = if series.ticks.is_empty() { 0 } else { tick.risen };
            let fallen = if series.ticks.is_empty() { 0 } else { STOCKS - UNCHANGED - risen };
            let (asks, bids) = (400_000 + series.walk.draw(2, 0, 90_000), 400_000 + series.walk.draw(3, 0, 90_000));
            let year =
                Span { open: previous, high: day.high.max(previous * 11 / 10), low: previous * 8 / 10, close: level };
            let year_low = year.low.min(day.low);
            Fields::new()
                .decimal("bstp_nmix_prpr", level, 2)
                .change(CHANGE, level, previous, 2)
                .ints([("acml_vol", tick.volume), ("prdy_vol", 550_000), ("acml_tr_pbmn", tick.turnover)])
                .int("prdy_tr_pbmn", 11_000_000)
                .decimal("bstp_nmix_oprc", day.open, 2)
                .change(
                    ["prdy_nmix_vrss_nmix_oprc", "oprc_vrss_prpr_sign", "bstp_nmix_oprc_prdy_ctrt"],
                    day.open,
                    previous,
                    2,
                )
                .decimal("bstp_nmix_hgpr", day.high, 2)
                .change(
                    ["prdy_nmix_vrss_nmix_hgpr", "hgpr_vrss_prpr_sign", "bstp_nmix_hgpr_prdy_ctrt"],
                    day.high,
                    previous,
                    2,
                )
                .decimal("bstp_nmix_lwpr", day.low, 2)
                .change(
                    ["prdy_clpr_vrss_lwpr", "lwpr_vrss_prpr_sign", "prdy_clpr_vrss_lwpr_rate"],
                    day.low,
                    previous,
                    2,
                )
                .ints([("ascn_issu_cnt", risen), ("uplm_issu_cnt", i64::from(risen > 0)), ("lslm_issu_cnt", 0)])
                .ints([("stnr_issu_cnt", if risen > 0 { UNCHANGED } else { 0 }), ("down_issu_cnt", fallen)])
                .decimals(2, [("dryy_bstp_nmix_hgpr", year.high), ("dryy_bstp_nmix_lwpr", year_low)])
                .percent("dryy_hgpr_vrss_prpr_rate", level - year.high, year.high)
                .percent("dryy_lwpr_vrss_prpr_rate", level - year_low, year_low)
                .text("dryy_bstp_nmix_hgpr_date", yyyymmdd(self.date.first_of_year()))
                .text("dryy_bstp_nmix_lwpr_date", yyyymmdd(self.date.first_of_year()))
                .ints([("total_askp_rsqn", asks), ("total_bidp_rsqn", bids), ("ntby_rsqn", bids - asks)])
                .percent("seln_rsqn_rate", asks, asks + bids)
                .percent("shnu_rsqn_rate", bids, asks + bids)
        };
        let known = series.as_ref().map(row);
        success(known.unwrap_or_else(|| self.series("0001").as_ref().map(row).unwrap_or_default().blank()).into())
    }

    /// The newest levels.
    fn inquire_index_tickprice(&self, request: &Request) -> Answer {
        let series = match self.asked_index(request) {
            Ok(series) => series,
            Err(refusal) => return refusal,
        };
        let rows = series.iter().flat_map(|series| {
            series.ticks.iter().rev().take(ROWS).map(|tick| moment(series, "stck_cntg_hour", tick.second, tick))
        });
        success(list(rows))
    }

    /// Levels at the end of each minute, five minutes or ten minutes, and the volume since.
    fn inquire_index_timeprice(&self, request: &Request) -> Answer {
        let series = match self.asked_index(request) {
            Ok(series) => series,
            Err(refusal) => return refusal,
        };
        let Some(seconds) = interval(request, "FID_INPUT_HOUR_1", &[60, 300, 600]) else {
            return missing("FID_INPUT_HOUR_1");
        };
        let rows = series.iter().flat_map(|series| {
            let mut volume = 0;
            let bars = series.bars(self.date, seconds);
            let mut rows: Vec<Fields> = bars
                .iter()
                .map(|bar| {
                    volume += bar.volume;
                    let (value, turnover, volume_step) = (bar.span.close, bar.turnover, bar.volume);
                    let tick = IndexTick { second: bar.second, value, volume, turnover, volume_step, risen: 0 };
                    moment(series, "bsop_hour", bar.second, &tick)
                })
                .collect();
            rows.reverse();
            rows.truncate(BAR_ROWS);
            rows
        });
        success(list(rows))
    }

    /// Bars of the day, and with `FID_PW_DATA_INCU_YN` of the days before it, newest first.
    fn inquire_time_indexchartprice(&self, request: &Request) -> Answer {
        let series = match self.asked_index(request) {
            Ok(series) => series,
            Err(refusal) => return refusal,
        };
        let Some(seconds) = interval(request, "FID_INPUT_HOUR_1", &[30, 60, 120, 300, 600, 3_600]) else {
            return missing("FID_INPUT_HOUR_1");
        };
        let past = request.query("FID_PW_DATA_INCU_YN") == Some("Y");
        let row = |bar: &Bar| {
            Fields::new()
                .text("stck_bsop_date", yyyymmdd(bar.date))
                .text("stck_cntg_hour", hhmmss(bar.second))
                .with(levels(bar.span, ["bstp_nmix_oprc", "bstp_nmix_hgpr", "bstp_nmix_lwpr", "bstp_nmix_prpr"]))
                .ints([("cntg_vol", bar.volume), ("acml_tr_pbmn", bar.turnover)])
        };
        let bars = series.as_ref().map(|series| self.index_bars(series, seconds, (self.date, 86_399), past, BAR_ROWS));
        let rows = list(bars.unwrap_or_default().iter().map(row));
        output(json!({ "output1": self.chart_head(series.as_ref()), "output2": rows }))
    }

    /// Days, weeks, months or years between two dates, newest first, 50 at most.
    fn inquire_daily_indexchartprice(&self, request: &Request) -> Answer {
        let series = match self.asked_index(request) {
            Ok(series) => series,
            Err(refusal) => return refusal,
        };
        let Some(from) = request.query("FID_INPUT_DATE_1").and_then(read_date) else {
            return missing("FID_INPUT_DATE_1");
        };
        let Some(to) = request.query("FID_INPUT_DATE_2").and_then(read_date) else {
            return missing("FID_INPUT_DATE_2");
        };
        let period = match asked_period(request, "DWMY") {
            Ok(period) => period,
            Err(refusal) => return refusal,
        };
        let rows = series.iter().flat_map(|series| {
            let today = (!series.ticks.is_empty()).then(|| {
                let tick = series.ticks.last().copied().unwrap_or_default();
                Bar { date: self.date, second: 0, span: series.day(), volume: tick.volume, turnover: tick.turnover }
            });
            let past =
                self.days_back().skip_while(move |date| *date > to).filter_map(|date| self.whole_day(series, date));
            let days = today.into_iter().chain(past).skip_while(move |bar| bar.date > to);
            joined(days.take_while(move |bar| bar.date >= from), period, DAY_ROWS)
        });
        let row = |bar: Bar| {
            Fields::new()
                .text("stck_bsop_date", yyyymmdd(bar.date))
                .with(levels(bar.span, ["bstp_nmix_oprc", "bstp_nmix_hgpr", "bstp_nmix_lwpr", "bstp_nmix_prpr"]))
                .ints([("acml_vol", bar.volume), ("acml_tr_pbmn", bar.turnover)])
                .text("mod_yn", "N")
        };
        let rows = list(rows.map(row));
        output(json!({ "output1": self.chart_head(series.as_ref()), "output2": rows }))
    }

    /// A day before the simulated one.
    pub(super) fn whole_day(&self, series: &Series, date: Date) -> Option<Bar> {
        let join = |day: Bar, bar: Bar| Bar {
            span: day.span.then(bar.span),
            volume: day.volume + bar.volume,
            turnover: bar.turnover,
            ..day
        };
        series.past_bars(date, self.hours(date), 1_800).into_iter().reduce(join)
    }

    /// What stands before the bars of an index.
    fn chart_head(&self, series: Option<&Series>) -> Value {
        let head = |series: &Series| {
            let (level, day) = (series.level(), series.day());
            let tick = series.ticks.last().copied().unwrap_or_default();
            let before = self.days_back().next().and_then(|date| self.whole_day(series, date));
            let before = before.map_or(day, |bar| bar.span);
            Fields::new()
                .change(CHANGE, level, series.previous, 2)
                .decimal("prdy_nmix", series.previous, 2)
                .ints([("acml_vol", tick.volume), ("acml_tr_pbmn", tick.turnover), ("prdy_vol", 550_000)])
                .text("hts_kor_isnm", series.name)
                .text("bstp_cls_code", series.code)
                .with(levels(day, ["bstp_nmix_oprc", "bstp_nmix_hgpr", "bstp_nmix_lwpr", "bstp_nmix_prpr"]))
                .decimals(2, [("futs_prdy_oprc", before.open), ("futs_prdy_hgpr", before.high)])
                .decimal("futs_prdy_lwpr", before.low, 2)
        };
        let unknown = || self.series("0001").as_ref().map(head).unwrap_or_default().blank();
        series.map(head).unwrap_or_else(unknown).into()
    }
}

/// First, highest, lowest and last level under four names.
pub(super) fn levels(span: Span, names: [&str; 4]) -> Fields {
    let values = [span.open, span.high, span.low, span.close];
    Fields::new().decimals(2, names.into_iter().zip(values))
}

fn moment(series: &Series, hour: &str, second: u32, tick: &IndexTick) -> Fields {
    Fields::new()
        .text(hour, hhmmss(second))
        .decimal("bstp_nmix_prpr", tick.value, 2)
        .change(CHANGE, tick.value, series.previous, 2)
        .ints([("acml_tr_pbmn", tick.turnover), ("acml_vol", tick.volume), ("cntg_vol", tick.volume_step)])
}

/// Seconds that a call asks for, when they are among those that exist.
pub(super) fn interval(request: &Request, name: &str, known: &[u32]) -> Option<u32> {
    request.query(name)?.parse().ok().filter(|seconds| known.contains(seconds))
}
