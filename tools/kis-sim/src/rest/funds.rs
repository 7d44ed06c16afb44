//! Funds. The simulated market trades stocks alone, so any of them may be asked for as a fund: prices and volumes are those
//! traded, the net asset value is derived from the price of the same minute, within 0.3 % of it.

use jiff::civil::Date;
use serde_json::json;

use super::derived::{Walk, day_number, read_date, yyyymmdd};
use super::http::Request;
use super::quotations::{asked_market, hhmmss, missing};
use super::rows::{Fields, list};
use super::{Answer, Rest, Route, output, success};
use crate::market::SymbolInfo;
use crate::market::line::percent;
use crate::market::stock::Stats;
use crate::market::tape::Feed;

pub(super) const ROUTES: &[Route] = &[
    ("inquire-price", "FHPST02400000", false, Rest::fund_price),
    ("nav-comparison-trend", "FHPST02440000", false, Rest::nav_trend),
    ("nav-comparison-time-trend", "FHPST02440100", false, Rest::nav_time_trend),
    ("nav-comparison-daily-trend", "FHPST02440200", false, Rest::nav_daily_trend),
];

const ROWS: usize = 30;
const DAY_ROWS: usize = 100;
const PRICE: [&str; 3] = ["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"];
const NAV: [&str; 3] = ["nav_prdy_vrss", "nav_prdy_vrss_sign", "nav_prdy_ctrt"];
const UNIT_SHARES: i64 = 50_000;

/// A fund at a moment.
struct Fund<'a> {
    symbol: &'a SymbolInfo,
    index: usize,
    feed: Feed,
    walk: Walk,
    price: i64,
    stats: Stats,
    listed: i64,
    previous_volume: i64,
    /// Net asset value now and at the close before, in hundredths of a won.
    nav: i64,
    previous_nav: i64,
}

/// Net asset value at a price, in hundredths of a won; `moment` is a minute, or the day for a close.
fn value(walk: Walk, price: i64, moment: i64) -> i64 {
    price * 100 + price * (walk.draw(1, moment, 6_000) - 3_000) / 10_000
}

impl Rest {
    /// The fund of a call, or its refusal.
    fn asked_fund(&self, request: &Request) -> Result<Fund<'_>, Answer> {
        // The broker's own example asks for minutes with E.
        let market = request.query("FID_COND_MRKT_DIV_CODE").map(|market| if market == "E" { "J" } else { market });
        let feed = asked_market(market)?;
        let (index, symbol) = self.symbol(request.query("FID_INPUT_ISCD")).ok_or_else(|| missing("FID_INPUT_ISCD"))?;
        let (stats, listed, previous_volume) = self.sums(index, Some(feed));
        let newest = self.tape.before(index, feed, u32::MAX, 1);
        let walk = Walk::new(self.seed, &symbol.code);
        let previous_nav = value(walk, symbol.base_px, self.day_before());
        let (price, nav) = newest.first().map_or((symbol.base_px, previous_nav), |print| {
            (print.price, value(walk, print.price, self.minute(print.second)))
        });
        Ok(Fund { symbol, index, feed, walk, price, stats, listed, previous_volume, nav, previous_nav })
    }

    /// A minute of the simulated day, over all days.
    fn minute(&self, second: u32) -> i64 {
        day_number(self.date) * 1_440 + i64::from(second / 60)
    }

    fn day_before(&self) -> i64 {
        self.days_back().next().map_or(0, day_number)
    }

    /// Price and net asset value now.
    fn fund_price(&self, request: &Request) -> Answer {
        let fund = match self.asked_fund(request) {
            Ok(fund) => fund,
            Err(refusal) => return refusal,
        };
        let (symbol, stats, price, base) = (fund.symbol, &fund.stats, fund.price, fund.symbol.base_px);
        let (high, low) = (stats.high.max(base * 11 / 10), (base * 8 / 10).min(price));
        let assets = fund.nav * fund.listed / 100 / 100_000_000;
        let since = |price: i64| if price == 0 { 0 } else { price - base };
        let opened = yyyymmdd(self.date.first_of_year());
        let row = Fields::new()
            .int("stck_prpr", price)
            .change(PRICE, price, base, 0)
            .ints([("acml_vol", stats.volume), ("prdy_vol", fund.previous_volume)])
            .ints([("stck_mxpr", symbol.upper_px), ("stck_llam", symbol.lower_px), ("stck_prdy_clpr", base)])
            .ints([("stck_oprc", stats.open), ("stck_hgpr", stats.high), ("stck_lwpr", stats.low)])
            .percent("prdy_clpr_vrss_oprc_rate", since(stats.open), base)
            .percent("prdy_clpr_vrss_hgpr_rate", since(stats.high), base)
            .percent("prdy_clpr_vrss_lwpr_rate", since(stats.low), base)
            .decimals(2, [("prdy_last_nav", fund.previous_nav), ("nav", fund.nav)])
            .change(NAV, fund.nav, fund.previous_nav, 2)
            .percent("dprt", price * 100 - fund.nav, fund.nav)
            .ints([("stck_sdpr", base), ("stck_sspr", base * 8 / 10), ("lstn_stcn", fund.listed)])
            .ints([("etf_crcl_stcn", fund.listed), ("etf_ntas_ttam", assets), ("etf_crcl_ntas_ttam", assets)])
            .ints([
                ("etf_cu_unit_scrt_cnt", UNIT_SHARES),
                ("etf_cnfg_issu_cnt", 50),
                ("frgn_oder_able_qty", fund.listed),
            ])
            .ints([("stck_dryy_hgpr", high), ("stck_dryy_lwpr", low), ("frgn_hldn_qty", 0), ("lp_hldn_vol", 0)])
            .percent("dryy_hgpr_vrss_prpr_rate", price - high, high)
            .percent("dryy_lwpr_vrss_prpr_rate", price - low, low)
            .each(&["dryy_hgpr_date", "dryy_lwpr_date", "stck_lstn_date"], &opened)
            .each(&["trc_errt", "nmix_ctrt", "frgn_hldn_qty_rate", "lp_hldn_rate"], "0.00")
            .each(&["etf_frcr_ntas_ttam", "etf_frcr_crcl_ntas_ttam", "etf_frcr_last_ntas_wrth_val"], "0.00")
            .each(&["bstp_kor_isnm", "mbcr_name", "mtrt_date", "etf_dvdn_cycl", "etf_div_name"], "")
            .each(&["etf_rprs_bstp_kor_isnm", "etf_trgt_nmix_bstp_code", "shrg_type_code"], "")
            .text("frgn_limt_rate", "100.00")
            .text("crcd", "KRW")
            .text("lp_oder_able_cls_code", "Y")
            .text("etf_trc_ert_mltp", "1.00")
            .text("vi_cls_code", "N");
        success(row.into())
    }

    /// Price and net asset value over the day.
    fn nav_trend(&self, request: &Request) -> Answer {
        let fund = match self.asked_fund(request) {
            Ok(fund) => fund,
            Err(refusal) => return refusal,
        };
        let (symbol, stats) = (fund.symbol, &fund.stats);
        let prices = Fields::new()
            .int("stck_prpr", fund.price)
            .change(PRICE, fund.price, symbol.base_px, 0)
            .ints([("acml_vol", stats.volume), ("acml_tr_pbmn", stats.turnover), ("stck_prdy_clpr", symbol.base_px)])
            .ints([("stck_oprc", stats.open), ("stck_hgpr", stats.high), ("stck_lwpr", stats.low)])
            .ints([("stck_mxpr", symbol.upper_px), ("stck_llam", symbol.lower_px)]);
        let navs: Vec<i64> = self
            .tape
            .minutes(fund.index, fund.feed)
            .iter()
            .map(|bar| value(fund.walk, bar.close, self.minute(bar.second)))
            .collect();
        let nav = Fields::new()
            .decimal("nav", fund.nav, 2)
            .change(NAV, fund.nav, fund.previous_nav, 2)
            .decimal("prdy_clpr_nav", fund.previous_nav, 2)
            .decimal("oprc_nav", navs.first().copied().unwrap_or(0), 2)
            .decimal("hprc_nav", navs.iter().copied().max().unwrap_or(0), 2)
            .decimal("lprc_nav", navs.iter().copied().min().unwrap_or(0), 2);
        output(json!({ "output1": serde_json::Value::from(prices), "output2": serde_json::Value::from(nav) }))
    }

    /// The newest 30 intervals of the day, of `FID_HOUR_CLS_CODE` seconds.
    fn nav_time_trend(&self, request: &Request) -> Answer {
        let fund = match self.asked_fund(request) {
            Ok(fund) => fund,
            Err(refusal) => return refusal,
        };
        let seconds = request.query("FID_HOUR_CLS_CODE").and_then(|text| text.parse::<u32>().ok());
        let Some(seconds) = seconds.filter(|seconds| *seconds >= 60 && seconds % 60 == 0) else {
            return missing("FID_HOUR_CLS_CODE");
        };
        // Second of the interval, last price, its net asset value, volume of the interval and of the day.
        let mut intervals: Vec<(u32, i64, i64, i64, i64)> = Vec::new();
        let mut day = 0;
        for bar in self.tape.minutes(fund.index, fund.feed) {
            day += bar.volume;
            let (second, nav) = (bar.second / seconds * seconds, value(fund.walk, bar.close, self.minute(bar.second)));
            let before = intervals.pop_if(|interval| interval.0 == second).map_or(0, |interval| interval.3);
            intervals.push((second, bar.close, nav, before + bar.volume, day));
        }
        let row = |(second, price, nav, volume, day): (u32, i64, i64, i64, i64)| {
            against_nav(price, nav, fund.previous_nav)
                .text("bsop_hour", hhmmss(second))
                .int("stck_prpr", price)
                .change(PRICE, price, fund.symbol.base_px, 0)
                .ints([("acml_vol", day), ("cntg_vol", volume)])
        };
        success(list(intervals.into_iter().rev().take(ROWS).map(row)))
    }

    /// Days between two dates, newest first, 100 at most.
    fn nav_daily_trend(&self, request: &Request) -> Answer {
        let fund = match self.asked_fund(request) {
            Ok(fund) => fund,
            Err(refusal) => return refusal,
        };
        let Some(from) = request.query("FID_INPUT_DATE_1").and_then(read_date) else {
            return missing("FID_INPUT_DATE_1");
        };
        let Some(to) = request.query("FID_INPUT_DATE_2").and_then(read_date) else {
            return missing("FID_INPUT_DATE_2");
        };
        // Date, close, net asset value, volume.
        let mut days: Vec<(Date, i64, i64, i64)> = Vec::new();
        if fund.stats.volume > 0 {
            days.push((self.date, fund.price, fund.nav, fund.stats.volume));
        }
        // A day more than asked for: the oldest one has a day before it, too.
        let earlier = from.saturating_sub(jiff::Span::new().days(14));
        days.extend(
            self.days_before(fund.symbol, earlier)
                .iter()
                .map(|day| (day.date, day.close, value(fund.walk, day.close, day_number(day.date)), day.volume)),
        );
        let row = |pair: &[(Date, i64, i64, i64)]| {
            let ((date, close, nav, volume), (_, close_before, nav_before, _)) = (pair[0], pair[1]);
            against_nav(close, nav, nav_before)
                .text("stck_bsop_date", yyyymmdd(date))
                .int("stck_clpr", close)
                .change(PRICE, close, close_before, 0)
                .ints([("acml_vol", volume), ("cntg_vol", volume)])
        };
        let wanted = days.windows(2).filter(|pair| (from..=to).contains(&pair[0].0)).take(DAY_ROWS);
        success(list(wanted.map(row)))
    }
}

/// A net asset value, its change, and how far the price is from it.
fn against_nav(price: i64, nav: i64, nav_before: i64) -> Fields {
    Fields::new()
        .decimals(2, [("nav", nav), ("nav_vrss_prpr", price * 100 - nav), ("dprt", percent(price * 100 - nav, nav))])
        .change(NAV, nav, nav_before, 2)
}
