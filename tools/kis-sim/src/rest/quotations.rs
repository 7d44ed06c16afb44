//! Prices and executions of the day.

use serde_json::{Map, Value, json};

use super::derived::yyyymmdd;
use super::http::Request;
use super::masters::isin;
use super::rows::{Fields, list};
use super::{Answer, Rest, failure, output, success};
use crate::config::VenueName;
use crate::market::SymbolInfo;
use crate::market::line::ratio;
use crate::market::stock::{Side, Stats};
use crate::market::tape::{Feed, Print};
use crate::market::tick::tick_size;

/// Rows of an answer that lists executions.
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

/// The market of a call, or its refusal.
pub(super) fn asked_market(market: Option<&str>) -> Result<Feed, Answer> {
    market.and_then(Feed::of).ok_or_else(|| failure(500, "OPSQ2001", "ERROR : INPUT INVALID_CHECK_MRKT_DIV_CODE"))
}

impl Rest {
    /// Symbol and feed of a call, or its refusal.
    pub(super) fn asked_symbol(&self, request: &Request) -> Result<(usize, &SymbolInfo, Feed), Answer> {
        let feed = asked_market(request.query("FID_COND_MRKT_DIV_CODE"))?;
        let (index, symbol) = self.symbol(request.query("FID_INPUT_ISCD")).ok_or_else(|| missing("FID_INPUT_ISCD"))?;
        Ok((index, symbol, feed))
    }

    /// Price and limits; without a market, those of both venues.
    pub(super) fn inquire_price(&self, request: &Request) -> Answer {
        let Some((index, symbol)) = self.symbol(request.query("FID_INPUT_ISCD")) else {
            return missing("FID_INPUT_ISCD");
        };
        let feed = match request.query("FID_COND_MRKT_DIV_CODE").map(|market| asked_market(Some(market))).transpose() {
            Ok(feed) => feed,
            Err(refusal) => return refusal,
        };
        let newest = feed.and_then(|feed| self.tape.before(index, feed, u32::MAX, 1).pop());
        let (of_both, _) = self.board.get(index).unwrap_or((symbol.base_px, 0));
        let price = if feed.is_some() { newest.map_or(symbol.base_px, |print| print.price) } else { of_both };
        let (stats, listed, previous_volume) = self.sums(index, feed);
        let (base, high, low) = (symbol.base_px, stats.high.max(symbol.base_px), stats.low.min(symbol.base_px));
        let low = if stats.low == 0 { base } else { low };
        let opened = yyyymmdd(self.date.first_of_year());
        let pivot = (stats.high + stats.low + price) / 3;
        let interrupted = self.chronicle.interruptions().iter().any(|one| one.symbol == index && one.ended.is_none());
        let mut row = Fields::new()
            .text("iscd_stat_cls_code", "55")
            .text("marg_rate", "30.00")
            .text("rprs_mrkt_kor_name", symbol.market)
            .each(&["new_hgpr_lwpr_cls_code", "bstp_kor_isnm", "fcam_cnnm", "cpfn_cnnm"], "")
            .each(&["temp_stop_yn", "oprc_rang_cont_yn", "clpr_rang_cont_yn", "elw_pblc_yn", "invt_caful_yn"], "N")
            .each(&["short_over_yn", "sltr_yn", "mang_issu_cls_code", "ovtm_vi_cls_code"], "N")
            .each(&["crdt_able_yn", "ssts_yn"], "Y")
            .text("grmn_rate_cls_code", "40")
            .text("mrkt_warn_cls_code", "00")
            .int("stck_prpr", price)
            .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], price, base, 0)
            .ints([("acml_tr_pbmn", stats.turnover), ("acml_vol", stats.volume)])
            .percent("prdy_vrss_vol_rate", stats.volume, previous_volume)
            .ints([("stck_oprc", stats.open), ("stck_hgpr", stats.high), ("stck_lwpr", stats.low)])
            .ints([("stck_mxpr", symbol.upper_px), ("stck_llam", symbol.lower_px), ("stck_sdpr", base)])
            .decimal("wghn_avrg_stck_prc", ratio(stats.turnover, stats.volume), 2)
            .ints([("frgn_ntby_qty", 0), ("pgtr_ntby_qty", 0), ("frgn_hldn_qty", 0), ("last_ssts_cntg_qty", 0)])
            .ints([("pvt_pont_val", pivot), ("pvt_frst_dmrs_prc", 2 * pivot - stats.low)])
            .ints([
                ("pvt_scnd_dmrs_prc", pivot + stats.high - stats.low),
                ("pvt_frst_dmsp_prc", 2 * pivot - stats.high),
            ])
            .ints([("pvt_scnd_dmsp_prc", pivot - stats.high + stats.low), ("dmrs_val", pivot), ("dmsp_val", pivot)])
            .ints([
                ("cpfn", listed * 100 / 100_000_000),
                ("rstc_wdth_prc", symbol.upper_px - base),
                ("stck_sspr", base * 8 / 10),
            ])
            .text("stck_fcam", "100")
            .ints([("aspr_unit", tick_size(price)), ("hts_deal_qty_unit_val", 1), ("lstn_stcn", listed)])
            .int("hts_avls", listed * price / 100_000_000)
            .each(&["per", "pbr", "eps", "bps", "hts_frgn_ehrt", "whol_loan_rmnd_rate", "apprch_rate"], "0.00")
            .text("stac_month", "12")
            .percent("vol_tnrt", stats.volume, listed)
            .text("stck_shrn_iscd", &symbol.code)
            .text("vi_cls_code", if interrupted { "Y" } else { "N" });
        // What came before the simulated day lies between its base and today's prices.
        let extremes = [
            (["d250_hgpr", "d250_hgpr_date", "d250_hgpr_vrss_prpr_rate"], high),
            (["d250_lwpr", "d250_lwpr_date", "d250_lwpr_vrss_prpr_rate"], low),
            (["stck_dryy_hgpr", "dryy_hgpr_date", "dryy_hgpr_vrss_prpr_rate"], high),
            (["stck_dryy_lwpr", "dryy_lwpr_date", "dryy_lwpr_vrss_prpr_rate"], low),
            (["w52_hgpr", "w52_hgpr_date", "w52_hgpr_vrss_prpr_ctrt"], high),
            (["w52_lwpr", "w52_lwpr_date", "w52_lwpr_vrss_prpr_ctrt"], low),
        ];
        for ([name, date, rate], extreme) in extremes {
            row = row.int(name, extreme).text(date, &opened).percent(rate, price - extreme, extreme);
        }
        success(row.into())
    }

    /// What a symbol's executions on a market add up to, its shares in issue, and its volume of the day before.
    pub(super) fn sums(&self, index: usize, feed: Option<Feed>) -> (Stats, i64, i64) {
        let figures = self.chronicle.figures(index);
        let [krx, nxt, both] = figures.stats;
        let stats = [krx, nxt, both].into_iter().nth(feed.map_or(2, Feed::index)).unwrap_or_default();
        (stats, figures.listed, figures.previous_volume)
    }

    pub(super) fn search_info(&self, request: &Request) -> Answer {
        let Some((_, symbol)) = self.symbol(request.query("PDNO")) else {
            return failure(500, "KIOK0460", "조회할 자료가 없습니다.");
        };
        let mut row = product(symbol);
        for (name, value) in [("prdt_sale_stat_cd", ""), ("prdt_risk_grad_cd", ""), ("prdt_clsf_cd", "101301")] {
            row.insert(name.into(), Value::from(value));
        }
        for name in ["sale_strt_dt", "sale_end_dt", "wrap_asst_type_cd", "ivst_prdt_type_cd", "frst_erlm_dt"] {
            row.insert(name.into(), Value::from(""));
        }
        success(Value::Object(row))
    }

    pub(super) fn search_stock_info(&self, request: &Request) -> Answer {
        let Some((index, symbol)) = self.symbol(request.query("PDNO")) else {
            return failure(500, "KIOK0460", "조회할 자료가 없습니다.");
        };
        let mut row = product(symbol);
        row.remove("shtn_pdno");
        let (_, listed, _) = self.sums(index, None);
        for (name, value) in LISTING {
            row.insert(name.into(), Value::from(value));
        }
        for (name, value) in [("lstg_stqt", listed), ("thdt_clpr", 0), ("bfdy_clpr", symbol.base_px)] {
            row.insert(name.into(), text(value));
        }
        let yes = |yes: bool| Value::from(if yes { "Y" } else { "N" });
        row.insert("mket_id_cd".into(), Value::from(if symbol.market == "KOSPI" { "STK" } else { "KSQ" }));
        row.insert("cptt_trad_tr_psbl_yn".into(), yes(symbol.venues.contains(&VenueName::Nxt)));
        row.insert("nxt_tr_stop_yn".into(), yes(false));
        row.insert("tr_stop_yn".into(), yes(false));
        row.insert("admn_item_yn".into(), yes(false));
        success(Value::Object(row))
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
        book.insert("ntby_aspr_rsqn".into(), text(bid - ask));
        for name in ["total_askp_rsqn_icdc", "total_bidp_rsqn_icdc", "ovtm_total_askp_icdc", "ovtm_total_bidp_icdc"] {
            book.insert(name.into(), text(0));
        }
        for name in ["ovtm_total_askp_rsqn", "ovtm_total_bidp_rsqn"] {
            book.insert(name.into(), text(0));
        }
        let venue = if feed.index() == 1 { VenueName::Nxt } else { VenueName::Krx };
        let session = self.day(self.date).phase_at(venue, shot.second);
        book.insert("new_mkop_cls_code".into(), Value::from(String::from_utf8_lossy(session.session_code())));
        // Both venues' auctions have one price.
        let expected = shot.expected[feed.index().min(1)];
        let (stats, ..) = self.sums(index, Some(feed));
        let newest = self.tape.before(index, feed, u32::MAX, 1).pop();
        let against = if expected.price == 0 { symbol.base_px } else { expected.price };
        let changes = ["antc_cntg_vrss", "antc_cntg_vrss_sign", "antc_cntg_prdy_ctrt"];
        let interrupted = self.chronicle.interruptions().iter().any(|one| one.symbol == index && one.ended.is_none());
        let more = Fields::new()
            .text("antc_mkop_cls_code", if expected.price == 0 { "" } else { "311" })
            .int("stck_prpr", newest.map_or(symbol.base_px, |print| print.price))
            .ints([("stck_oprc", stats.open), ("stck_hgpr", stats.high), ("stck_lwpr", stats.low)])
            .ints([("stck_sdpr", symbol.base_px), ("antc_cnpr", expected.price), ("antc_vol", expected.volume)])
            .change(changes, against, symbol.base_px, 0)
            .text("stck_shrn_iscd", &symbol.code)
            .text("vi_cls_code", if interrupted { "Y" } else { "N" });
        let more = Value::from(more);
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
        let (.., previous_volume) = self.sums(index, Some(feed));
        let head = self.head(index, symbol, feed);
        let head = Value::from(head.int("prdy_vol", previous_volume).text("rprs_mrkt_kor_name", symbol.market));
        output(json!({ "output1": head, "output2": rows }))
    }

    /// Price, change and volume of the day.
    fn head(&self, index: usize, symbol: &SymbolInfo, feed: Feed) -> Fields {
        let newest = self.tape.before(index, feed, u32::MAX, 1);
        let (price, volume) = newest.first().map_or((symbol.base_px, 0), |print| (print.price, print.volume(feed)));
        Fields::new()
            .int("stck_prpr", price)
            .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], price, symbol.base_px, 0)
            .int("acml_vol", volume)
    }

    /// What stands before minutes.
    pub(super) fn minutes_head(&self, index: usize, symbol: &SymbolInfo, feed: Feed) -> Value {
        let (stats, ..) = self.sums(index, Some(feed));
        let head = self.head(index, symbol, feed).text("hts_kor_isnm", &symbol.name);
        head.ints([("stck_prdy_clpr", symbol.base_px), ("acml_tr_pbmn", stats.turnover)]).into()
    }

    /// What stands before days.
    pub(super) fn day_head(&self, index: usize, symbol: &SymbolInfo, feed: Feed) -> Value {
        let (stats, listed, previous_volume) = self.sums(index, Some(feed));
        let newest = self.tape.before(index, feed, u32::MAX, 1).pop();
        let price = newest.map_or(symbol.base_px, |print| print.price);
        let week_ago = self.date.saturating_sub(jiff::Span::new().days(14));
        let before = self.days_before(symbol, week_ago);
        let before = before.first().map_or([symbol.base_px; 3], |day| [day.open, day.high, day.low]);
        self.head(index, symbol, feed)
            .text("hts_kor_isnm", &symbol.name)
            .text("stck_shrn_iscd", &symbol.code)
            .ints([("stck_prdy_clpr", symbol.base_px), ("acml_tr_pbmn", stats.turnover), ("prdy_vol", previous_volume)])
            .ints([("stck_mxpr", symbol.upper_px), ("stck_llam", symbol.lower_px)])
            .ints([("stck_oprc", stats.open), ("stck_hgpr", stats.high), ("stck_lwpr", stats.low)])
            .ints(["stck_prdy_oprc", "stck_prdy_hgpr", "stck_prdy_lwpr"].into_iter().zip(before))
            .ints([("askp", newest.map_or(0, |print| print.ask)), ("bidp", newest.map_or(0, |print| print.bid))])
            .int("prdy_vrss_vol", stats.volume - previous_volume)
            .percent("vol_tnrt", stats.volume, listed)
            .ints([("stck_fcam", 100), ("lstn_stcn", listed), ("cpfn", listed * 100 / 100_000_000)])
            .int("hts_avls", listed * price / 100_000_000)
            .each(&["per", "eps", "pbr", "itewhol_loan_rmnd_ratem"], "0.00")
            .into()
    }

    /// Up to 30 symbols in one call; a code that isn't traded gives a row of blanks and zeros.
    pub(super) fn intstock_multprice(&self, request: &Request) -> Answer {
        let mut rows = Vec::new();
        for n in 1..=30 {
            let Some(code) = request.query(&format!("FID_INPUT_ISCD_{n}")).filter(|code| !code.is_empty()) else {
                continue;
            };
            let feed = match asked_market(request.query(&format!("FID_COND_MRKT_DIV_CODE_{n}"))) {
                Ok(feed) => feed,
                Err(refusal) => return refusal,
            };
            rows.push(
                self.symbol(Some(code)).map_or_else(|| poll_row_of_nothing(code), |(i, s)| self.poll_row(i, s, feed)),
            );
        }
        if rows.is_empty() { missing("FID_INPUT_ISCD_1") } else { success(list(rows)) }
    }

    fn poll_row(&self, index: usize, symbol: &SymbolInfo, feed: Feed) -> Fields {
        let newest = self.tape.before(index, feed, u32::MAX, 1).pop();
        let (stats, ..) = self.sums(index, Some(feed));
        let base = symbol.base_px;
        let shot = self.tape.book(index);
        let depth = shot.as_ref().map(|shot| &shot.depth[feed.index()]);
        let (ask, bid) = depth.map_or((0, 0), |depth| (depth.ask[0], depth.bid[0]));
        let (all_ask, all_bid) = depth.map_or((0, 0), |depth| depth.totals());
        let expected = shot.as_ref().map(|shot| shot.expected[feed.index().min(1)]).unwrap_or_default();
        let against = if expected.price == 0 { base } else { expected.price };
        Fields::new()
            .text("kospi_kosdaq_cls_name", symbol.market)
            .text("mrkt_trtm_cls_name", "")
            .text("hour_cls_code", "0")
            .text("inter_shrn_iscd", &symbol.code)
            .text("inter_kor_isnm", &symbol.name)
            .int("inter2_prpr", newest.map_or(base, |print| print.price))
            .change(
                ["inter2_prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"],
                newest.map_or(base, |print| print.price),
                base,
                0,
            )
            .ints([("acml_vol", stats.volume), ("acml_tr_pbmn", stats.turnover)])
            .ints([("inter2_oprc", stats.open), ("inter2_hgpr", stats.high), ("inter2_lwpr", stats.low)])
            .ints([("inter2_mxpr", symbol.upper_px), ("inter2_llam", symbol.lower_px)])
            .ints([
                ("inter2_askp", newest.map_or(0, |print| print.ask)),
                ("inter2_bidp", newest.map_or(0, |print| print.bid)),
            ])
            .ints([("seln_rsqn", ask), ("shnu_rsqn", bid), ("total_askp_rsqn", all_ask), ("total_bidp_rsqn", all_bid)])
            .ints([("inter2_sdpr", base), ("inter2_prdy_clpr", base)])
            .percent("oprc_vrss_hgpr_rate", stats.high - stats.open, stats.open)
            .change(["intr_antc_cntg_vrss", "intr_antc_cntg_vrss_sign", "intr_antc_cntg_prdy_ctrt"], against, base, 0)
            .int("intr_antc_vol", expected.volume)
    }
}

fn poll_row_of_nothing(code: &str) -> Fields {
    let names = ["kospi_kosdaq_cls_name", "mrkt_trtm_cls_name", "hour_cls_code", "inter_kor_isnm"];
    let prices = ["inter2_prpr", "inter2_oprc", "inter2_hgpr", "inter2_lwpr", "inter2_mxpr", "inter2_llam"];
    let quantities = ["acml_vol", "acml_tr_pbmn", "seln_rsqn", "shnu_rsqn", "total_askp_rsqn", "total_bidp_rsqn"];
    let others = ["inter2_askp", "inter2_bidp", "inter2_sdpr", "inter2_prdy_clpr", "intr_antc_vol"];
    let row = Fields::new().each(&names, "").each(&prices, "0").each(&quantities, "0").each(&others, "0");
    row.text("inter_shrn_iscd", code)
        .change(["inter2_prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], 0, 0, 0)
        .change(["intr_antc_cntg_vrss", "intr_antc_cntg_vrss_sign", "intr_antc_cntg_prdy_ctrt"], 0, 0, 0)
        .percent("oprc_vrss_hgpr_rate", 0, 0)
}

fn product(symbol: &SymbolInfo) -> Map<String, Value> {
    let english = format!("SIMULATED {}", symbol.code);
    let fields = [
        ("pdno", format!("00000A{}", symbol.code)),
        ("shtn_pdno", symbol.code.clone()),
        ("std_pdno", isin(&symbol.code)),
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

/// What search-stock-info tells of every stock.
const LISTING: [(&str, &str); 53] = [
    ("scty_grp_id_cd", "ST"),
    ("excg_dvsn_cd", "02"),
    ("setl_mmdd", "1231"),
    ("lstg_cptl_amt", "0"),
    ("cpta", "0"),
    ("papr", "100"),
    ("issu_pric", "0"),
    ("kospi200_item_yn", "N"),
    ("scts_mket_lstg_dt", ""),
    ("scts_mket_lstg_abol_dt", ""),
    ("kosdaq_mket_lstg_dt", ""),
    ("kosdaq_mket_lstg_abol_dt", ""),
    ("frbd_mket_lstg_dt", ""),
    ("frbd_mket_lstg_abol_dt", ""),
    ("reits_kind_cd", ""),
    ("etf_dvsn_cd", "0"),
    ("oilf_fund_yn", "N"),
    ("idx_bztp_lcls_cd", "002"),
    ("idx_bztp_mcls_cd", "013"),
    ("idx_bztp_scls_cd", "013"),
    ("idx_bztp_lcls_cd_name", ""),
    ("idx_bztp_mcls_cd_name", ""),
    ("idx_bztp_scls_cd_name", ""),
    ("stck_kind_cd", "101"),
    ("mfnd_opng_dt", ""),
    ("mfnd_end_dt", ""),
    ("dpsi_erlm_cncl_dt", ""),
    ("etf_cu_qty", "0"),
    ("dpsi_aptm_erlm_yn", "Y"),
    ("etf_txtn_type_cd", ""),
    ("etf_type_cd", ""),
    ("lstg_abol_dt", ""),
    ("nwst_odst_dvsn_cd", ""),
    ("sbst_pric", "0"),
    ("thco_sbst_pric", "0"),
    ("thco_sbst_pric_chng_dt", ""),
    ("clpr_chng_dt", ""),
    ("std_idst_clsf_cd", ""),
    ("std_idst_clsf_cd_name", ""),
    ("ocr_no", ""),
    ("crfd_item_yn", "N"),
    ("elec_scty_yn", "Y"),
    ("issu_istt_cd", ""),
    ("etf_chas_erng_rt_dbnb", "0"),
    ("etf_etn_ivst_heed_item_yn", "N"),
    ("stln_int_rt_dvsn_cd", ""),
    ("frnr_psnl_lmt_rt", "0.00"),
    ("lstg_rqsr_issu_istt_cd", ""),
    ("lstg_rqsr_item_cd", ""),
    ("trst_istt_issu_istt_cd", ""),
    ("cptt_trad_tr_psbl_yn", "N"),
    ("nxt_tr_stop_yn", "N"),
    ("tr_stop_yn", "N"),
];
