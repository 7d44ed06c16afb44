//! Index futures and options, and the hours of their market. Their prices follow the levels of KOSPI 200 and KOSDAQ 150:
//! futures by the interest to their last day, options by Black's formula. Codes are those since 2026: `A01` (KOSPI 200), `A05`
//! (its mini) and `A06` (KOSDAQ 150) futures, `B01` and `C01` calls and puts, then the last digit of the year, the month,
//! and for options the strike, as `A01612` and `B01612550`. Other codes, and the night's, get blank fields, as an unknown
//! one does from the real server, which calls that a success.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::derived::{Span, Walk, day_number, read_date, yyyymmdd};
use super::http::Request;
use super::indices::{Bar, Series, interval, levels};
use super::quotations::{hhmmss, missing, second};
use super::rows::{Fields, list};
use super::{Answer, Rest, Route, output};

pub(super) const ROUTES: &[Route] = &[
    ("inquire-price", "FHMIF10000000", true, Rest::derivative_price),
    ("inquire-asking-price", "FHMIF10010000", true, Rest::derivative_book),
    ("inquire-time-fuopchartprice", "FHKIF03020200", false, Rest::derivative_bars),
];

const BAR_ROWS: usize = 102;
/// Seconds by which the market of derivatives opens before that of stocks, and closes after it.
const BESIDE_STOCKS: u32 = 900;
const INTEREST: f64 = 0.025;
const VOLATILITY: f64 = 0.22;
const CHANGE: [&str; 3] = ["futs_prdy_vrss", "prdy_vrss_sign", "futs_prdy_ctrt"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Future,
    Call,
    Put,
}

/// A contract, in hundredths of a point.
#[derive(Debug)]
struct Contract {
    code: String,
    name: String,
    kind: Kind,
    strike: i64,
    last_day: Date,
    underlying: Series,
    walk: Walk,
    tick: i64,
    today: Date,
}

impl Contract {
    fn days_left(&self, date: Date) -> i64 {
        day_number(self.last_day) - day_number(date) + 1
    }

    /// Price at a level of the underlying on a day; it may fall short of an option's tick, never of zero.
    fn price(&self, level: i64, date: Date) -> i64 {
        let exact = match self.kind {
            Kind::Future => self.forward(level, date),
            _ => self.black(level, date).0,
        };
        ((exact / self.tick as f64).round() as i64 * self.tick).max(self.tick)
    }

    fn forward(&self, level: i64, date: Date) -> f64 {
        level as f64 * (INTEREST * self.days_left(date) as f64 / 365.0).exp()
    }

    /// Price in hundredths, and delta, gamma, theta, vega and rho in the units that the broker has.
    fn black(&self, level: i64, date: Date) -> (f64, [f64; 5]) {
        let years = self.days_left(date).max(1) as f64 / 365.0;
        let (forward, strike, root) = (self.forward(level, date), self.strike as f64, years.sqrt() * VOLATILITY);
        let d1 = ((forward / strike).ln() + root * root / 2.0) / root;
        let discount = (-INTEREST * years).exp();
        let side = if self.kind == Kind::Put { -1.0 } else { 1.0 };
        let price = discount * side * (forward * normal(side * d1) - strike * normal(side * (d1 - root)));
        let density = (-d1 * d1 / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let points = level as f64 / 100.0;
        let delta = side * normal(side * d1);
        let gamma = density / (points * root);
        let vega = points * density * years.sqrt() / 100.0;
        let theta = -points * density * VOLATILITY / (2.0 * years.sqrt()) / 365.0;
        let rho = side * strike / 100.0 * years * discount * normal(side * (d1 - root)) / 100.0;
        (price, [delta, gamma, theta, vega, rho])
    }

    fn now(&self) -> i64 {
        self.price(self.underlying.level(), self.today)
    }

    fn span(&self, bar: &Bar) -> Span {
        // The price of a put falls when the level rises.
        let span = bar.span.map(|level| self.price(level, bar.date));
        Span { high: span.high.max(span.low), low: span.low.min(span.high), ..span }
    }

    fn open_interest(&self) -> i64 {
        5_000 + self.walk.draw(5, day_number(self.today), 200_000)
    }

    /// Contracts of the day: as many as the market's flow gives.
    fn volume(&self) -> i64 {
        self.underlying.ticks.last().map_or(0, |tick| contracts(tick.volume))
    }

    /// Limits of the day: a fifth around the base; an option's lower one is its tick.
    fn limits(&self, base: i64) -> (i64, i64) {
        let level = if self.kind == Kind::Future { base } else { self.underlying.previous };
        let step = level / 5 / self.tick * self.tick;
        ((base - step).max(self.tick), base + step)
    }
}

/// Contracts for thousands of shares of the underlying's stocks.
fn contracts(shares: i64) -> i64 {
    shares / 4 + i64::from(shares > 0)
}

/// The normal distribution, by the formula 26.2.17 of Abramowitz and Stegun.
fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series =
        t * (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series;
    if x < 0.0 { tail } else { 1.0 - tail }
}

impl Rest {
    /// Second Thursday of a month, or the last trading day before it.
    fn last_day(&self, year: i16, month: i8) -> Option<Date> {
        let thursday = Date::new(year, month, 1).ok()?.nth_weekday_of_month(2, Weekday::Thursday).ok()?;
        (0..14).map_while(|days: i64| thursday.checked_sub(days.days()).ok()).find(|date| self.is_open(*date))
    }

    /// The contract of a market and a code, when it is listed: futures for the next quarters, others for the next months.
    fn contract(&self, market: &str, code: &str) -> Option<Contract> {
        let (letters, rest) = code.split_at_checked(3)?;
        let (kind, index, months, tick) = match (market, letters) {
            ("F", "A01") => (Kind::Future, "2001", 3, 5),
            ("F", "A05") => (Kind::Future, "2001", 1, 2),
            ("F", "A06") => (Kind::Future, "3003", 3, 10),
            ("O", "B01") => (Kind::Call, "2001", 1, 1),
            ("O", "C01") => (Kind::Put, "2001", 1, 1),
            _ => return None,
        };
        let digits = |range| rest.get::<std::ops::Range<usize>>(range)?.parse::<i16>().ok();
        let (digit, month) = (digits(0..1)?, digits(1..3)? as i8);
        // The digit's next year that is not over.
        let year = (self.date.year()..).find(|year| year % 10 == digit)?;
        let strike = match kind {
            Kind::Future => rest.len() == 3,
            _ => rest.len() == 6,
        };
        let last_day = self.last_day(year, month).filter(|date| strike && *date >= self.date && month % months == 0)?;
        let ahead = (year - self.date.year()) * 12 + i16::from(month) - i16::from(self.date.month());
        let strike = if kind == Kind::Future { 0 } else { i64::from(digits(3..6).filter(|strike| *strike > 0)?) * 100 };
        let letter = match kind {
            Kind::Future => "F",
            Kind::Call => "C",
            Kind::Put => "P",
        };
        let name = match kind {
            Kind::Future => format!("{letter} {year}{month:02}"),
            _ => format!("{letter} {year}{month:02} {}.0", strike / 100),
        };
        let (code, walk) = (code.to_owned(), Walk::new(self.seed, code));
        let underlying = self.series(index).filter(|_| ahead <= 36)?;
        Some(Contract { code, name, kind, strike, last_day, underlying, walk, tick, today: self.date })
    }

    /// The contract of a call, `None` when there is no such one; or the refusal.
    fn asked_contract(&self, request: &Request) -> Result<Option<Contract>, Answer> {
        let market = request.query("FID_COND_MRKT_DIV_CODE").unwrap_or_default();
        if !["F", "O", "JF", "JO", "CF", "CM", "EU"].contains(&market) {
            return Err(super::failure(500, "OPSQ2001", "ERROR : INPUT INVALID_CHECK_MRKT_DIV_CODE"));
        }
        let code = request.query("FID_INPUT_ISCD").ok_or_else(|| missing("FID_INPUT_ISCD"))?;
        Ok(self.contract(market, code))
    }

    /// Rows of a contract, or the same ones blank.
    fn filled<T>(&self, asked: Option<Contract>, rows: impl Fn(&Contract) -> T, blank: impl Fn(T) -> T) -> Option<T> {
        if let Some(contract) = asked {
            return Some(rows(&contract));
        }
        // Any listed one has the fields: the mini's next month.
        let next = (0..3).map_while(|months: i64| self.date.checked_add(months.months()).ok());
        let codes = next.map(|date| format!("A05{}{:02}", date.year() % 10, date.month()));
        let any = codes.filter_map(|code| self.contract("F", &code)).next()?;
        Some(blank(rows(&any)))
    }

    /// Price, sensitivities, and the levels of KOSPI and KOSPI 200.
    fn derivative_price(&self, request: &Request) -> Answer {
        let asked = match self.asked_contract(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let rows = |contract: &Contract| {
            let series = &contract.underlying;
            let (price, level) = (contract.now(), series.level());
            let base = contract.price(series.previous, contract.today);
            let day =
                contract.span(&Bar { date: contract.today, second: 0, span: series.day(), volume: 0, turnover: 0 });
            let (lower, upper) = contract.limits(base);
            let theory = match contract.kind {
                Kind::Future => contract.forward(level, contract.today).round() as i64,
                _ => contract.black(level, contract.today).0.round() as i64,
            };
            let (delta, others) = match contract.kind {
                Kind::Future => (1.0, [0.0; 4]),
                _ => {
                    let (_, [delta, others @ ..]) = contract.black(level, contract.today);
                    (delta, others)
                }
            };
            let option = contract.kind != Kind::Future;
            let volatility = if option { format!("{:.4}", VOLATILITY * 100.0) } else { "0.0000".into() };
            let names = ["gama", "theta", "vega", "rho"];
            let row = Fields::new()
                .text("hts_kor_isnm", &contract.name)
                .decimals(2, [("futs_prpr", price), ("futs_prdy_clpr", base), ("futs_sdpr", base)])
                .change(CHANGE, price, base, 2)
                .ints([("acml_vol", contract.volume()), ("acml_tr_pbmn", contract.volume() * price * 25 / 10)])
                .ints([("hts_otst_stpl_qty", contract.open_interest()), ("otst_stpl_qty_icdc", 0)])
                .decimals(2, [("futs_oprc", day.open), ("futs_hgpr", day.high), ("futs_lwpr", day.low)])
                .decimals(2, [("futs_mxpr", upper), ("futs_llam", lower), ("hts_thpr", theory)])
                .decimals(2, [("basis", theory - level), ("mrkt_basis", price - level), ("acpr", contract.strike)])
                .percent("dprt", price - theory, theory)
                .each(&["crbr_aply_mxpr", "crbr_aply_llam"], "0.00")
                .text("futs_last_tr_date", yyyymmdd(contract.last_day))
                .int("hts_rmnn_dynu", contract.days_left(contract.today))
                .decimals(
                    2,
                    [("futs_lstn_medm_hgpr", upper.max(day.high)), ("futs_lstn_medm_lwpr", lower.min(day.low))],
                )
                .text("delta_val", format!("{delta:.4}"))
                .each(&["hist_vltl", "hts_ints_vltl"], &volatility);
            names.into_iter().zip(others).fold(row, |row, (name, value)| row.text(name, format!("{value:.4}")))
        };
        let row = self.filled(asked, rows, Fields::blank).unwrap_or_default();
        let index = |code: &str| {
            self.series(code).map_or_else(Fields::new, |series| {
                Fields::new()
                    .text("bstp_cls_code", series.code)
                    .text("hts_kor_isnm", series.name)
                    .decimal("bstp_nmix_prpr", series.level(), 2)
                    .change(
                        ["bstp_nmix_prdy_vrss", "prdy_vrss_sign", "bstp_nmix_prdy_ctrt"],
                        series.level(),
                        series.previous,
                        2,
                    )
            })
        };
        let [first, second, third] = [row, index("0001"), index("2001")].map(Value::from);
        output(json!({ "output1": first, "output2": second, "output3": third }))
    }

    /// Five levels on each side, one tick apart.
    fn derivative_book(&self, request: &Request) -> Answer {
        let asked = match self.asked_contract(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let now = self.chronicle.second();
        let rows = |contract: &Contract| {
            let (price, base) = (contract.now(), contract.price(contract.underlying.previous, contract.today));
            let head = Fields::new()
                .text("hts_kor_isnm", &contract.name)
                .text("futs_shrn_iscd", &contract.code)
                .decimals(2, [("futs_prpr", price), ("futs_prdy_clpr", base)])
                .change(CHANGE, price, base, 2)
                .int("acml_vol", contract.volume());
            let mut book = Fields::new().text("aspr_acpt_hour", hhmmss(now));
            for (purpose, side, count) in [(6, "ask", 1), (7, "bid", -1)] {
                let (mut shares, mut orders) = (0, 0);
                for level in 1..=5 {
                    let at = (price + count * level * contract.tick).max(0);
                    let quantity = 1 + contract.walk.draw(purpose * 10 + level as u64, i64::from(now), 200);
                    let of_level = if at == 0 { 0 } else { quantity };
                    (shares, orders) = (shares + of_level, orders + (of_level + 2) / 3);
                    book = book
                        .decimal(&format!("futs_{side}p{level}"), at, 2)
                        .int(&format!("{side}p_rsqn{level}"), of_level)
                        .int(&format!("{side}p_csnu{level}"), (of_level + 2) / 3);
                }
                book = book.int(&format!("total_{side}p_rsqn"), shares).int(&format!("total_{side}p_csnu"), orders);
            }
            [head, book]
        };
        let [head, book] =
            self.filled(asked, rows, |rows| rows.map(Fields::blank)).unwrap_or_default().map(Value::from);
        output(json!({ "output1": head, "output2": book }))
    }

    /// Bars at or before a moment, newest first, 102 at most; with `FID_PW_DATA_INCU_YN` on over the days before.
    fn derivative_bars(&self, request: &Request) -> Answer {
        let asked = match self.asked_contract(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let Some(seconds) = interval(request, "FID_HOUR_CLS_CODE", &[30, 60, 180, 300, 600, 1_800, 3_600]) else {
            return missing("FID_HOUR_CLS_CODE");
        };
        let given = |name| request.query(name).filter(|text| !text.is_empty());
        let date = given("FID_INPUT_DATE_1").and_then(read_date).unwrap_or(self.date);
        let until = given("FID_INPUT_HOUR_1").and_then(second).unwrap_or(86_399);
        let past = request.query("FID_PW_DATA_INCU_YN") == Some("Y");
        let known = asked.is_some();
        let rows = |contract: &Contract| {
            let row = |bar: &Bar| {
                let span = contract.span(bar);
                Fields::new()
                    .text("stck_bsop_date", yyyymmdd(bar.date))
                    .text("stck_cntg_hour", hhmmss(bar.second))
                    .with(levels(span, ["futs_oprc", "futs_hgpr", "futs_lwpr", "futs_prpr"]))
                    .ints([("cntg_vol", contracts(bar.volume)), ("acml_tr_pbmn", contracts(bar.turnover) * 100)])
            };
            let bars = self.index_bars(&contract.underlying, seconds, (date, until), past, BAR_ROWS);
            (self.bars_head(contract), bars.iter().map(row).collect::<Vec<_>>())
        };
        let (head, bars) = self.filled(asked, rows, |(head, _)| (head.blank(), Vec::new())).unwrap_or_default();
        let bars = if known { list(bars) } else { json!([]) };
        output(json!({ "output1": Value::from(head), "output2": bars }))
    }

    fn bars_head(&self, contract: &Contract) -> Fields {
        let series = &contract.underlying;
        let (price, level) = (contract.now(), series.level());
        let base = contract.price(series.previous, contract.today);
        let day = contract.span(&Bar { date: contract.today, second: 0, span: series.day(), volume: 0, turnover: 0 });
        let before =
            self.days_back().next().and_then(|date| self.whole_day(series, date)).map(|bar| contract.span(&bar));
        let before = before.unwrap_or(day);
        let (lower, upper) = contract.limits(base);
        let theory = contract.price(level, contract.today);
        Fields::new()
            .change(CHANGE, price, base, 2)
            .decimals(2, [("futs_prdy_clpr", base), ("prdy_nmix", base), ("futs_prpr", price), ("hts_thpr", theory)])
            .ints([("acml_vol", contract.volume()), ("acml_tr_pbmn", contract.volume() * price * 25 / 10)])
            .text("hts_kor_isnm", &contract.name)
            .text("futs_shrn_iscd", &contract.code)
            .int("prdy_vol", 1_000 + contract.walk.draw(8, 0, 200_000))
            .decimals(2, [("futs_mxpr", upper), ("futs_llam", lower)])
            .decimals(2, [("futs_oprc", day.open), ("futs_hgpr", day.high), ("futs_lwpr", day.low)])
            .decimals(
                2,
                [("futs_prdy_oprc", before.open), ("futs_prdy_hgpr", before.high), ("futs_prdy_lwpr", before.low)],
            )
            .decimals(2, [("futs_askp", price + contract.tick), ("futs_bidp", (price - contract.tick).max(0))])
            .decimals(2, [("basis", theory - level), ("kospi200_nmix", level)])
            .change(["kospi200_prdy_vrss", "kospi200_prdy_vrss_sign", "kospi200_prdy_ctrt"], level, series.previous, 2)
            .ints([("hts_otst_stpl_qty", contract.open_interest()), ("otst_stpl_qty_icdc", 0)])
            .text("tday_rltv", "100.00")
            .percent("dprt", price - theory, theory)
    }

    /// Five business days around the simulated one, its time, and the hours of the market: a quarter of an hour beyond
    /// those of stocks on either side.
    pub(super) fn market_time(&self, _: &Request) -> Answer {
        let mut before: Vec<Date> = self.days_back().take(2).collect();
        before.reverse();
        let from_today = (0..).map_while(|days: i64| self.date.checked_add(days.days()).ok());
        let ahead = from_today.filter(|date| self.is_open(*date)).take(3);
        let names = ["date1", "date2", "date3", "date4", "date5"];
        let days = names.into_iter().zip(before.into_iter().chain(ahead));
        let row = days.fold(Fields::new(), |row, (name, date)| row.text(name, yyyymmdd(date)));
        let (opens, closes) = self.hours(self.date);
        let row = row
            .text("today", self.date.strftime("%Y%m%d").to_string())
            .text("time", hhmmss(self.chronicle.second()))
            .text("s_time", hhmmss(opens - BESIDE_STOCKS))
            .text("e_time", hhmmss(closes + BESIDE_STOCKS));
        output(json!({ "output1": Value::from(row) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (x, expected) in [(0.0, 0.5), (1.0, 0.841_345), (-1.96, 0.024_998), (3.0, 0.998_650)] {
            assert!((normal(x) - expected).abs() < 1e-5, "{x}");
        }
    }
}
