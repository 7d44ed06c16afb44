//! The single-price session from 16:00 to 18:00, which KRX held until 2026-09-11. The simulated market has the sessions of
//! after that day, so nothing of it is traded: calls answer as for a stock without an execution, with its limits and zeros,
//! and the list of days ends with the last day that had the session, at prices derived from that day's close.

use jiff::civil::{Date, date};
use serde_json::json;

use super::charts::DayBar;
use super::derived::{Walk, day_number, yyyymmdd};
use super::http::Request;
use super::quotations::missing;
use super::rows::{Fields, list};
use super::{Answer, Rest, Route, output, success};
use crate::market::SymbolInfo;
use crate::market::tick::{price_limits, tick_size};

pub(super) const ROUTES: &[Route] = &[
    ("inquire-overtime-price", "FHPST02300000", false, Rest::inquire_overtime_price),
    ("inquire-time-overtimeconclusion", "FHPST02310000", true, Rest::inquire_time_overtimeconclusion),
    ("inquire-daily-overtimeprice", "FHPST02320000", true, Rest::inquire_daily_overtimeprice),
];

const LAST: Date = date(2026, 9, 11);
const ROWS: usize = 30;

const CHANGE: [&str; 3] = ["ovtm_untp_prdy_vrss", "ovtm_untp_prdy_vrss_sign", "ovtm_untp_prdy_ctrt"];

/// What all three calls tell of a session without an execution: prices, volumes and expectations of zero.
fn idle(symbol: &SymbolInfo) -> Fields {
    // The session's limits are a tenth around the close, within those of the day.
    let base = symbol.base_px;
    let (lower, upper) = price_limits(base);
    let cut = |price: i64| price - price % tick_size(price);
    let (lower, upper) = (cut(base - base / 10).max(lower), cut(base + base / 10).min(upper));
    Fields::new()
        .each(&["ovtm_untp_prpr", "ovtm_untp_prdy_vrss", "ovtm_untp_vol", "ovtm_untp_tr_pbmn"], "0")
        .each(&["ovtm_untp_prdy_vrss_sign", "ovtm_untp_antc_cntg_vrss_sign"], "3")
        .each(&["ovtm_untp_prdy_ctrt", "ovtm_untp_antc_cntg_ctrt"], "0.00")
        .each(&["ovtm_untp_oprc", "ovtm_untp_hgpr", "ovtm_untp_lwpr", "ovtm_untp_antc_cnpr"], "0")
        .text("ovtm_untp_antc_cntg_vrss", "0")
        .ints([("ovtm_untp_mxpr", upper), ("ovtm_untp_llam", lower)])
}

impl Rest {
    /// The stock of a call.
    fn asked_stock(&self, request: &Request) -> Result<&SymbolInfo, Answer> {
        let found = self.symbol(request.query("FID_INPUT_ISCD"));
        found.map(|(_, symbol)| symbol).ok_or_else(|| missing("FID_INPUT_ISCD"))
    }

    fn inquire_overtime_price(&self, request: &Request) -> Answer {
        let symbol = match self.asked_stock(request) {
            Ok(symbol) => symbol,
            Err(refusal) => return refusal,
        };
        let row = idle(symbol)
            .each(&["bstp_kor_isnm", "mang_issu_cls_name", "new_lstn_cls_name", "vlnt_deal_cls_name"], "")
            .each(&["mrkt_warn_cls_name", "revl_issu_reas_name", "flng_cls_name"], "")
            .each(&["sltr_yn", "mang_issu_yn", "trht_yn", "insn_pbnt_yn", "ovtm_vi_cls_code"], "N")
            .text("crdt_able_yn", "Y")
            .text("mrkt_warn_cls_code", "00")
            .text("marg_rate", "30.00")
            .text("rprs_mrkt_kor_name", symbol.market)
            .ints([("ovtm_untp_sdpr", symbol.base_px), ("ovtm_untp_antc_cnqn", 0), ("bidp", 0), ("askp", 0)]);
        success(row.into())
    }

    fn inquire_time_overtimeconclusion(&self, request: &Request) -> Answer {
        let symbol = match self.asked_stock(request) {
            Ok(symbol) => symbol,
            Err(refusal) => return refusal,
        };
        let head = idle(symbol).text("ovtm_untp_antc_vol", "0").text("uplm_sign", "1").text("lslm_sign", "4");
        output(json!({ "output1": serde_json::Value::from(head), "output2": [] }))
    }

    /// The last 30 days that had the session.
    fn inquire_daily_overtimeprice(&self, request: &Request) -> Answer {
        let symbol = match self.asked_stock(request) {
            Ok(symbol) => symbol,
            Err(refusal) => return refusal,
        };
        let walk = Walk::new(self.seed, &symbol.code);
        let row = |pair: &[DayBar]| {
            let (day, before) = (&pair[0], &pair[1]);
            let moment = day_number(day.date);
            let price = day.close + (walk.draw(1, moment, 4) - 2) * tick_size(day.close);
            let volume = walk.draw(2, moment, 5_000);
            Fields::new()
                .text("stck_bsop_date", yyyymmdd(day.date))
                .int("ovtm_untp_prpr", price)
                .change(CHANGE, price, day.close, 0)
                .ints([("ovtm_untp_vol", volume), ("ovtm_untp_tr_pbmn", volume * price)])
                .int("stck_clpr", day.close)
                .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], day.close, before.close, 0)
                .int("acml_vol", day.volume)
        };
        let mut days = self.days_before(symbol, date(2026, 6, 1).min(self.date.first_of_year()));
        days.retain(|day| day.date <= LAST);
        let head = idle(symbol).text("ovtm_untp_antc_vol", "0");
        let rows = list(days.windows(2).take(ROWS).map(row));
        output(json!({ "output1": serde_json::Value::from(head), "output2": rows }))
    }
}
