//! Prices and executions of the day.

use serde_json::{Map, Value, json};

use super::http::Request;
use super::{Answer, Rest, failure, output, success};
use crate::market::SymbolInfo;
use crate::market::stock::Side;
use crate::market::tape::{Feed, Print};
use crate::market::tick::tick_size;

/// Rows of an answer that lists executions, or ranks.
const ROWS: usize = 30;

pub(super) fn text(n: i64) -> Value {
    Value::String(n.to_string())
}

pub(super) fn hhmmss(second: u32) -> String {
    format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Second of the day from HHMMSS.
pub(super) fn second(hour: &str) -> Option<u32> {
    let number: u32 = hour.parse().ok().filter(|_| hour.len() == 6)?;
    let (h, m, s) = (number / 10_000, number / 100 % 100, number % 100);
    (h < 24 && m < 60 && s < 60).then_some(h * 3600 + m * 60 + s)
}

/// Change against the base: won, sign and percent.
pub(super) fn change(price: i64, base: i64) -> (Value, Value, Value) {
    let change = price - base;
    let sign = match change.signum() {
        1 => "2",
        0 => "3",
        _ => "5",
    };
    (text(change), Value::from(sign), Value::from(format!("{:.2}", change as f64 * 100.0 / base as f64)))
}

pub(super) fn missing(field: &str) -> Answer {
    failure(500, "OPSQ2001", &format!("ERROR : INPUT FIELD NOT FOUND [{field}]"))
}

impl Rest {
    /// Symbol and feed of a call, or its refusal.
    pub(super) fn asked_symbol(&self, request: &Request) -> Result<(usize, &SymbolInfo, Feed), Answer> {
        let feed = request.query("FID_COND_MRKT_DIV_CODE").and_then(Feed::of);
        let feed = feed.ok_or_else(|| failure(500, "OPSQ2001", "ERROR : INPUT INVALID_CHECK_MRKT_DIV_CODE"))?;
        let (index, symbol) = self.symbol(request.query("FID_INPUT_ISCD")).ok_or_else(|| missing("FID_INPUT_ISCD"))?;
        Ok((index, symbol, feed))
    }

    pub(super) fn inquire_price(&self, request: &Request) -> Answer {
        let Some((index, symbol)) = self.symbol(request.query("FID_INPUT_ISCD")) else {
            return missing("FID_INPUT_ISCD");
        };
        let (price, volume) = self.board.get(index).unwrap_or((symbol.base_px, 0));
        let (vrss, sign, rate) = change(price, symbol.base_px);
        success(json!({
            "iscd_stat_cls_code": "55",
            "temp_stop_yn": "N",
            "stck_shrn_iscd": symbol.code,
            "stck_prpr": text(price),
            "prdy_vrss": vrss,
            "prdy_vrss_sign": sign,
            "prdy_ctrt": rate,
            "acml_vol": text(volume),
            "stck_sdpr": text(symbol.base_px),
            "stck_mxpr": text(symbol.upper_px),
            "stck_llam": text(symbol.lower_px),
            "aspr_unit": text(tick_size(price)),
            "vi_cls_code": "N",
        }))
    }

    pub(super) fn search_info(&self, request: &Request) -> Answer {
        let Some((_, symbol)) = self.symbol(request.query("PDNO")) else {
            return failure(500, "KIOK0460", "조회할 자료가 없습니다.");
        };
        success(Value::Object(product(symbol)))
    }

    pub(super) fn search_stock_info(&self, request: &Request) -> Answer {
        let Some((_, symbol)) = self.symbol(request.query("PDNO")) else {
            return failure(500, "KIOK0460", "조회할 자료가 없습니다.");
        };
        let mut row = product(symbol);
        let yes = |yes: bool| Value::from(if yes { "Y" } else { "N" });
        row.insert("mket_id_cd".into(), Value::from(if symbol.market == "KOSPI" { "STK" } else { "KSQ" }));
        row.insert("cptt_trad_tr_psbl_yn".into(), yes(symbol.venues.contains(&crate::VenueName::Nxt)));
        row.insert("nxt_tr_stop_yn".into(), yes(false));
        row.insert("tr_stop_yn".into(), yes(false));
        row.insert("admn_item_yn".into(), yes(false));
        success(Value::Object(row))
    }

    /// The stocks traded most on both venues, 30 at most: by shares, or by won where the call asks for that order.
    pub(super) fn volume_rank(&self, request: &Request) -> Answer {
        let by_turnover = request.query("FID_BLNG_CLS_CODE") == Some("3");
        let mut traded: Vec<(i64, i64, i64, &SymbolInfo)> = (self.symbols.iter().enumerate())
            .map(|(index, symbol)| {
                let (price, volume) = self.board.get(index).unwrap_or((symbol.base_px, 0));
                (price, volume, self.board.turnover(index), symbol)
            })
            .collect();
        traded.sort_by_key(|(_, volume, turnover, _)| std::cmp::Reverse(if by_turnover { *turnover } else { *volume }));
        let row = |(rank, (price, volume, turnover, symbol)): (i64, &(i64, i64, i64, &SymbolInfo))| {
            let (vrss, sign, rate) = change(*price, symbol.base_px);
            json!({
                "hts_kor_isnm": symbol.name,
                "mksc_shrn_iscd": symbol.code,
                "data_rank": text(rank),
                "stck_prpr": text(*price),
                "prdy_vrss": vrss,
                "prdy_vrss_sign": sign,
                "prdy_ctrt": rate,
                "acml_vol": text(*volume),
                "acml_tr_pbmn": text(*turnover),
            })
        };
        success((1..).zip(traded.iter().take(ROWS)).map(row).collect())
    }

    /// The book after its last change, and the expected price.
    pub(super) fn inquire_asking_price(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let Some(shot) = self.tape.book(index) else { return missing("FID_INPUT_ISCD") };
        let depth = &shot.depth[feed.index()];
        let mut book = Map::new();
        book.insert("aspr_acpt_hour".into(), Value::from(hhmmss(shot.second)));
        for (side, prices, quantities) in
            [("askp", &shot.ladder.ask, &depth.ask), ("bidp", &shot.ladder.bid, &depth.bid)]
        {
            for (level, (price, quantity)) in (1..).zip(prices.iter().zip(quantities)) {
                book.insert(format!("{side}{level}"), text(*price));
                book.insert(format!("{side}_rsqn{level}"), text(*quantity));
                book.insert(format!("{side}_rsqn_icdc{level}"), text(0));
            }
        }
        let (ask, bid) = depth.totals();
        book.insert("total_askp_rsqn".into(), text(ask));
        book.insert("total_bidp_rsqn".into(), text(bid));
        // Both venues' auctions have one price.
        let expected = shot.expected[feed.index().min(1)];
        let mut more = json!({ "antc_cnpr": text(expected.price), "antc_vol": text(expected.volume) });
        more["stck_shrn_iscd"] = Value::from(symbol.code.as_str());
        more["stck_sdpr"] = text(symbol.base_px);
        output(json!({ "output1": book, "output2": more }))
    }

    /// The newest 30 executions, without cumulative volume.
    pub(super) fn inquire_ccnl(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let row = |print: Print| {
            let (vrss, sign, rate) = change(print.price, symbol.base_px);
            json!({
                "stck_cntg_hour": hhmmss(print.second),
                "stck_prpr": text(print.price),
                "prdy_vrss": vrss,
                "prdy_vrss_sign": sign,
                "cntg_vol": text(print.quantity),
                "tday_rltv": "100.00",
                "prdy_ctrt": rate,
            })
        };
        success(self.tape.before(index, feed, u32::MAX, ROWS).into_iter().map(row).collect())
    }

    /// Executions backwards from a time, 30 at most.
    pub(super) fn inquire_time_itemconclusion(&self, request: &Request) -> Answer {
        let (index, symbol, feed) = match self.asked_symbol(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let Some(until) = request.query("FID_INPUT_HOUR_1").and_then(second) else {
            return missing("FID_INPUT_HOUR_1");
        };
        let row = |print: Print| {
            let (vrss, sign, rate) = change(print.price, symbol.base_px);
            json!({
                "stck_cntg_hour": hhmmss(print.second),
                "stck_pbpr": text(print.price),
                "prdy_vrss": vrss,
                "prdy_vrss_sign": sign,
                "prdy_ctrt": rate,
                "askp": text(print.ask),
                "bidp": text(print.bid),
                "tday_rltv": if print.side == Side::Buy { "101.00" } else { "99.00" },
                "acml_vol": text(print.volume(feed)),
                "cnqn": text(print.quantity),
            })
        };
        let rows: Vec<Value> = self.tape.before(index, feed, until, ROWS).into_iter().map(row).collect();
        let head = self.day_head(index, symbol, feed);
        output(json!({ "output1": head, "output2": rows }))
    }

    /// What stands before the rows of charts and executions.
    pub(super) fn day_head(&self, index: usize, symbol: &SymbolInfo, feed: Feed) -> Value {
        let newest = self.tape.before(index, feed, u32::MAX, 1);
        let (price, volume) = newest.first().map_or((symbol.base_px, 0), |print| (print.price, print.volume(feed)));
        let (vrss, sign, rate) = change(price, symbol.base_px);
        json!({
            "stck_prpr": text(price),
            "prdy_vrss": vrss,
            "prdy_vrss_sign": sign,
            "prdy_ctrt": rate,
            "stck_prdy_clpr": text(symbol.base_px),
            "acml_vol": text(volume),
            "hts_kor_isnm": symbol.name,
            "stck_shrn_iscd": symbol.code,
            "rprs_mrkt_kor_name": symbol.market,
        })
    }

    /// Up to 30 symbols in one call; a code that isn't traded gives a row of blanks and zeros.
    pub(super) fn intstock_multprice(&self, request: &Request) -> Answer {
        let mut rows = Vec::new();
        for n in 1..=30 {
            let Some(code) = request.query(&format!("FID_INPUT_ISCD_{n}")).filter(|code| !code.is_empty()) else {
                continue;
            };
            let feed = request.query(&format!("FID_COND_MRKT_DIV_CODE_{n}")).and_then(Feed::of);
            let (Some((index, symbol)), Some(feed)) = (self.symbol(Some(code)), feed) else {
                rows.push(
                    json!({ "inter_shrn_iscd": code, "inter_kor_isnm": "", "inter2_prpr": "0", "acml_vol": "0" }),
                );
                continue;
            };
            let newest = self.tape.before(index, feed, u32::MAX, 1);
            let print = newest.first();
            let price = print.map_or(symbol.base_px, |print| print.price);
            let (vrss, sign, rate) = change(price, symbol.base_px);
            rows.push(json!({
                "kospi_kosdaq_cls_name": symbol.market,
                "inter_shrn_iscd": symbol.code,
                "inter_kor_isnm": symbol.name,
                "inter2_prpr": text(price),
                "inter2_prdy_vrss": vrss,
                "prdy_vrss_sign": sign,
                "prdy_ctrt": rate,
                "acml_vol": text(print.map_or(0, |print| print.volume(feed))),
                "inter2_askp": text(print.map_or(0, |print| print.ask)),
                "inter2_bidp": text(print.map_or(0, |print| print.bid)),
                "inter2_mxpr": text(symbol.upper_px),
                "inter2_llam": text(symbol.lower_px),
                "inter2_sdpr": text(symbol.base_px),
                "inter2_prdy_clpr": text(symbol.base_px),
            }));
        }
        if rows.is_empty() { missing("FID_INPUT_ISCD_1") } else { success(Value::Array(rows)) }
    }
}

fn product(symbol: &SymbolInfo) -> Map<String, Value> {
    let english = format!("SIMULATED {}", symbol.code);
    let fields = [
        ("pdno", format!("00000A{}", symbol.code)),
        ("shtn_pdno", symbol.code.clone()),
        ("std_pdno", format!("KR7{}003", symbol.code)),
        ("prdt_type_cd", "300".into()),
        ("prdt_name", symbol.name.clone()),
        ("prdt_name120", symbol.name.clone()),
        ("prdt_abrv_name", symbol.name.clone()),
        ("prdt_eng_name", english.clone()),
        ("prdt_eng_name120", english),
        ("prdt_eng_abrv_name", format!("SIM {}", symbol.code)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}
