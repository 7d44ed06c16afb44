//! inquire-vi-status: the volatility interruptions of the simulated day, newest first.

use super::derived::yyyymmdd;
use super::http::Request;
use super::quotations::hhmmss;
use super::rows::{Fields, list};
use super::{Answer, Rest, Route, success};
use crate::market::chronicle::Interruption;

pub(super) const ROUTES: &[Route] = &[("inquire-vi-status", "FHPST01390000", false, Rest::inquire_vi_status)];

const ROWS: usize = 30;

impl Rest {
    /// The last 30 of a symbol, or of all when none is named, by market, direction and kind. All are of the simulated day:
    /// another date has none.
    fn inquire_vi_status(&self, request: &Request) -> Answer {
        let asked = |name| request.query(name).filter(|value| !matches!(*value, "" | "0"));
        let today = yyyymmdd(self.date);
        let of_day = request.query("FID_INPUT_DATE_1").is_none_or(|date| date.is_empty() || date == today);
        // Those of the simulated market are static.
        let of_kind = asked("FID_RANK_SORT_CLS_CODE").is_none_or(|kind| kind == "1");
        let wanted = |one: &Interruption| {
            let symbol = &self.symbols[one.symbol];
            let of_market = match asked("FID_MRKT_CLS_CODE") {
                Some("K") => symbol.market == "KOSPI",
                Some("Q") => symbol.market == "KOSDAQ",
                _ => true,
            };
            let of_side = match asked("FID_DIV_CLS_CODE") {
                Some("1") => one.price > one.reference,
                Some("2") => one.price < one.reference,
                _ => true,
            };
            of_market && of_side && asked("FID_INPUT_ISCD").is_none_or(|code| code == symbol.code)
        };
        let row = |one: Interruption| {
            let symbol = &self.symbols[one.symbol];
            Fields::new()
                .text("hts_kor_isnm", &symbol.name)
                .text("mksc_shrn_iscd", &symbol.code)
                .text("vi_cls_code", if one.ended.is_none() { "Y" } else { "N" })
                .text("bsop_date", &today)
                .text("cntg_vi_hour", hhmmss(one.begun))
                .text("vi_cncl_hour", one.ended.map(hhmmss).unwrap_or_default())
                .text("vi_kind_code", "1")
                .ints([("vi_prc", one.price), ("vi_stnd_prc", one.reference), ("vi_dmc_stnd_prc", 0)])
                .percent("vi_dprt", one.price - one.reference, one.reference)
                .text("vi_dmc_dprt", "0.00")
                .int("vi_count", one.count as i64)
        };
        let all = if of_day && of_kind { self.chronicle.interruptions() } else { Vec::new() };
        success(list(all.into_iter().rev().filter(wanted).take(ROWS).map(row)))
    }
}
