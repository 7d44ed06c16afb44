//! The single-price session of KRX, from the end of closing-price trading to 18:00, which it held until 2026-09-11.
//! Calls answer from the rounds that went over the WebSocket; what is expected of the running one is not told. Without
//! a round, on days after that date and for stocks that NXT trades, they answer with the stock's limits and zeros. The
//! list of days has what the run has played, and before it prices derived from each day's close.

use jiff::civil::{Date, date};
use serde_json::json;

use super::charts::DayBar;
use super::derived::{Walk, day_number, yyyymmdd};
use super::http::Request;
use super::quotations::{hhmmss, missing};
use super::rows::{Fields, list};
use super::{Answer, Rest, Route, output, success};
use crate::market::SymbolInfo;
use crate::market::chronicle::Rounds;
use crate::market::stock::Side;
use crate::market::tape::{Feed, Print};
use crate::market::tick::tick_size;

pub(super) const ROUTES: &[Route] = &[
    ("inquire-overtime-price", "FHPST02300000", false, Rest::inquire_overtime_price),
    ("inquire-time-overtimeconclusion", "FHPST02310000", true, Rest::inquire_time_overtimeconclusion),
    ("inquire-daily-overtimeprice", "FHPST02320000", true, Rest::inquire_daily_overtimeprice),
];

const LAST: Date = date(2026, 9, 11);
const ROWS: usize = 30;

const CHANGE: [&str; 3] = ["ovtm_untp_prdy_vrss", "ovtm_untp_prdy_vrss_sign", "ovtm_untp_prdy_ctrt"];

impl Rest {
    /// The stock of a call.
    fn asked_stock(&self, request: &Request) -> Result<(usize, &SymbolInfo), Answer> {
        self.symbol(request.query("FID_INPUT_ISCD")).ok_or_else(|| missing("FID_INPUT_ISCD"))
    }

    /// Executions of the day's rounds, newest first.
    fn rounds(&self, index: usize) -> Vec<Print> {
        let Some(begin) = self.day(self.date).single_price() else { return Vec::new() };
        let mut prints = self.tape.before(index, Feed::KRX, u32::MAX, ROWS);
        // A run that starts in the session has traded in the hours before it.
        prints.retain(|print| print.second >= begin && print.side == Side::Auction);
        prints
    }

    /// The price that the session goes by: the day's close, before it that of the day before.
    fn reference(&self, index: usize, symbol: &SymbolInfo) -> i64 {
        let begin = self.day(self.date).single_price().filter(|begin| *begin <= self.chronicle.second());
        let close = begin.and_then(|begin| self.tape.before(index, Feed::KRX, begin - 1, 1).pop());
        close.map_or(symbol.base_px, |print| print.price)
    }

    /// What all three calls tell of the session.
    fn session(&self, index: usize, symbol: &SymbolInfo) -> Fields {
        let Rounds { open, high, low, last, volume, turnover } = self.chronicle.figures(index).rounds;
        // The session's limits are a tenth around the close, within those of the day.
        let base = self.reference(index, symbol);
        let cut = |price: i64| price - price % tick_size(price);
        let (lower, upper) = (cut(base - base / 10).max(symbol.lower_px), cut(base + base / 10).min(symbol.upper_px));
        Fields::new()
            .ints([("ovtm_untp_prpr", last), ("ovtm_untp_vol", volume), ("ovtm_untp_tr_pbmn", turnover)])
            .change(CHANGE, if volume == 0 { base } else { last }, base, 0)
            .ints([("ovtm_untp_oprc", open), ("ovtm_untp_hgpr", high), ("ovtm_untp_lwpr", low)])
            .each(&["ovtm_untp_antc_cnpr", "ovtm_untp_antc_cntg_vrss"], "0")
            .text("ovtm_untp_antc_cntg_vrss_sign", "3")
            .text("ovtm_untp_antc_cntg_ctrt", "0.00")
            .ints([("ovtm_untp_mxpr", upper), ("ovtm_untp_llam", lower)])
    }

    fn inquire_overtime_price(&self, request: &Request) -> Answer {
        let (index, symbol) = match self.asked_stock(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let (bid, ask) = self.rounds(index).first().map_or((0, 0), |print| (print.bid, print.ask));
        let row = self
            .session(index, symbol)
            .each(&["bstp_kor_isnm", "mang_issu_cls_name", "new_lstn_cls_name", "vlnt_deal_cls_name"], "")
            .each(&["mrkt_warn_cls_name", "revl_issu_reas_name", "flng_cls_name"], "")
            .each(&["sltr_yn", "mang_issu_yn", "trht_yn", "insn_pbnt_yn", "ovtm_vi_cls_code"], "N")
            .text("crdt_able_yn", "Y")
            .text("mrkt_warn_cls_code", "00")
            .text("marg_rate", "30.00")
            .text("rprs_mrkt_kor_name", symbol.market)
            .ints([("ovtm_untp_sdpr", self.reference(index, symbol)), ("ovtm_untp_antc_cnqn", 0)])
            .ints([("bidp", bid), ("askp", ask)]);
        success(row.into())
    }

    /// The rounds of the day, newest first.
    fn inquire_time_overtimeconclusion(&self, request: &Request) -> Answer {
        let (index, symbol) = match self.asked_stock(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let row = |print: Print| {
            Fields::new()
                .text("stck_cntg_hour", hhmmss(print.second))
                .int("stck_prpr", print.price)
                .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], print.price, symbol.base_px, 0)
                .ints([("askp", print.ask), ("bidp", print.bid)])
                .ints([("acml_vol", print.volume(Feed::KRX)), ("cntg_vol", print.quantity)])
        };
        let head = self.session(index, symbol);
        let head = head.text("ovtm_untp_antc_vol", "0").text("uplm_sign", "1").text("lslm_sign", "4");
        let rows = list(self.rounds(index).into_iter().map(row));
        output(json!({ "output1": serde_json::Value::from(head), "output2": rows }))
    }

    /// The last 30 days before the simulated one that had the session.
    fn inquire_daily_overtimeprice(&self, request: &Request) -> Answer {
        let (index, symbol) = match self.asked_stock(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let walk = Walk::new(self.seed, &symbol.code);
        let row = |pair: &[DayBar]| {
            let (day, before) = (&pair[0], &pair[1]);
            let played = self.today.past.iter().find(|past| past.date == day.date);
            let (price, volume, turnover) = match played.and_then(|past| past.symbols.get(index)) {
                Some(bar) if bar.rounds.volume == 0 => (day.close, 0, 0),
                Some(bar) => (bar.rounds.last, bar.rounds.volume, bar.rounds.turnover),
                None => {
                    let moment = day_number(day.date);
                    let price = day.close + (walk.draw(1, moment, 4) - 2) * tick_size(day.close);
                    let volume = walk.draw(2, moment, 5_000);
                    (price, volume, volume * price)
                }
            };
            Fields::new()
                .text("stck_bsop_date", yyyymmdd(day.date))
                .int("ovtm_untp_prpr", price)
                .change(CHANGE, price, day.close, 0)
                .ints([("ovtm_untp_vol", volume), ("ovtm_untp_tr_pbmn", turnover)])
                .int("stck_clpr", day.close)
                .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], day.close, before.close, 0)
                .int("acml_vol", day.volume)
        };
        let mut days = self.days_before(symbol, date(2026, 6, 1).min(self.date.first_of_year()));
        days.retain(|day| day.date <= LAST);
        let head = self.session(index, symbol).text("ovtm_untp_antc_vol", "0");
        let rows = list(days.windows(2).take(ROWS).map(row));
        output(json!({ "output1": serde_json::Value::from(head), "output2": rows }))
    }
}
