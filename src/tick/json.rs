//! The JSON form of each kind: one object on one line, prices as exact numbers, undefined values `null`.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::flags::{Findings, Flags};
use super::header::{Header, Market};
use super::instrument::text;
use super::kinds::RType;
use super::market_data::{Level, MemberEntry, Side};
use super::px::write_scaled;
use super::registry::{Publisher, tr_name};
use super::service::{EndReason, GapReason, HoleReason, RejectReason, SessionEvent};
use super::view::RecordView;
use super::{UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TS};

/// Which keys a record's JSON has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonForm {
    /// A decoded frame that was in no journal: no `sequence`, no stamps.
    Decoded,
    /// A journal's record: `sequence`, `ts_recv`, `raw_sequence` and the stages' latencies.
    Journal,
}

/// What a record does not hold itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Symbol of `instrument_id`; empty = none.
    pub symbol: &'a str,
    /// Market of `instrument_id`; empty = none.
    pub market: &'a str,
}

/// Appends a record as one JSON object, without a newline.
pub fn write_json(out: &mut Vec<u8>, record: &RecordView<'_>, names: Names<'_>, form: JsonForm) {
    let mut o = Object::new(out);
    match record {
        RecordView::Trade(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.px("px", r.px).qty("qty", r.qty).qty("cum_qty", r.cum_qty).turnover("cum_turnover", r.cum_turnover);
            o.text("side", Side::name(r.side));
            o.px("bid_px", r.bid_px).px("ask_px", r.ask_px).qty("bid_qty", r.bid_qty).qty("ask_qty", r.ask_qty);
            o.px("open_px", r.open_px).px("high_px", r.high_px).px("low_px", r.low_px).px("vwap_px", r.vwap_px);
            o.px("change_px", r.change_px).qty("cum_sell_qty", r.cum_sell_qty).qty("cum_buy_qty", r.cum_buy_qty);
            o.count("sell_count", r.sell_count).count("buy_count", r.buy_count);
            o.qty("total_bid_qty", r.total_bid_qty).qty("total_ask_qty", r.total_ask_qty).px("vi_px", r.vi_px);
            o.date("business_date", r.business_date).code("sign", &[r.sign]).code("hour_cls", &[r.hour_cls]);
            o.code("market_cls", &[r.market_cls]).code("mkop_cls", &r.mkop_cls).code("halt", &[r.halt]);
            o.code("side_code", &[r.side_code]);
        }
        RecordView::Book(r, levels) => {
            o.market_head(&r.header, &r.market, names, form);
            o.levels("bids", levels, |level| (level.bid_px, level.bid_qty, level.bid_count));
            o.levels("asks", levels, |level| (level.ask_px, level.ask_qty, level.ask_count));
            o.qty("total_bid_qty", r.total_bid_qty).qty("total_ask_qty", r.total_ask_qty);
            // The one mid price of a venue's own book; the unified book has one of each exchange.
            let nxt = r.header.publisher == Publisher::KisNxt as u16 || r.krx_mid.px == UNDEF_PX;
            let own = if nxt { r.nxt_mid } else { r.krx_mid };
            o.px("mid_px", own.px).qty("mid_qty", own.qty);
            o.px("nxt_mid_px", r.nxt_mid.px).qty("nxt_mid_qty", r.nxt_mid.qty);
            o.code("mid_cls", &[r.krx_mid_cls]).code("nxt_mid_cls", &[r.nxt_mid_cls]);
            o.change("total_bid_change", r.total_bid_change).change("total_ask_change", r.total_ask_change);
            o.qty("overtime_bid_qty", r.overtime_bid_qty).qty("overtime_ask_qty", r.overtime_ask_qty);
            o.change("overtime_bid_change", r.overtime_bid_change).change("overtime_ask_change", r.overtime_ask_change);
            o.qty("cum_qty", r.cum_qty).px("expected_px", r.expected_px).qty("expected_qty", r.expected_qty);
            o.qty("expected_volume", r.expected_volume).px("expected_change_px", r.expected_change_px);
            o.code("expected_sign", &[r.expected_sign]).code("expected_exchange", &[r.expected_exchange]);
            o.code("hour_cls", &[r.hour_cls]).code("market_cls", &[r.market_cls]).code("deal_cls", &[r.deal_cls]);
        }
        RecordView::Expected(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.px("px", r.px).qty("qty", r.qty).qty("cum_qty", r.cum_qty).turnover("cum_turnover", r.cum_turnover);
            o.px("change_px", r.change_px).px("bid_px", r.bid_px).px("ask_px", r.ask_px);
            o.qty("bid_qty", r.bid_qty).qty("ask_qty", r.ask_qty);
            o.qty("total_bid_qty", r.total_bid_qty).qty("total_ask_qty", r.total_ask_qty).px("vi_px", r.vi_px);
            o.date("business_date", r.business_date).code("sign", &[r.sign]).code("hour_cls", &[r.hour_cls]);
            o.code("market_cls", &[r.market_cls]).code("mkop_cls", &r.mkop_cls).code("halt", &[r.halt]);
        }
        RecordView::Status(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.code("halt", &[r.halt]).code("reason", &r.reason).code("mkop_cls", &r.mkop_cls);
            o.code("expected_mkop_cls", &r.expected_mkop_cls).code("time_cls", &r.time_cls);
            o.code("allotment_cls", &r.allotment_cls).code("issue_status", &r.issue_status);
            o.code("vi_cls", &[r.vi_cls]).code("overtime_vi_cls", &[r.overtime_vi_cls]);
            o.code("exchange_cls", &r.exchange_cls);
            o.text("source", if r.source == 0 { "feed" } else { "calendar" });
        }
        RecordView::Index(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.px("px", r.px).px("open_px", r.open_px).px("high_px", r.high_px).px("low_px", r.low_px);
            o.px("change_px", r.change_px).qty("cum_qty", r.cum_qty).turnover("cum_turnover", r.cum_turnover);
            o.qty("tick_qty", r.tick_qty).qty("tick_turnover", r.tick_turnover).px("tick_change_px", r.tick_change_px);
            o.count("upper_limit_count", r.upper_limit_count).count("up_count", r.up_count);
            o.count("unchanged_count", r.unchanged_count).count("down_count", r.down_count);
            o.count("lower_limit_count", r.lower_limit_count).date("business_date", r.business_date);
            o.code("sign", &[r.sign]);
        }
        RecordView::Nav(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.px("px", r.px).px("open_px", r.open_px).px("high_px", r.high_px).px("low_px", r.low_px);
            o.px("change_px", r.change_px).code("sign", &[r.sign]);
        }
        RecordView::Program(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.qty("sell_qty", r.sell_qty).turnover("sell_turnover", r.sell_turnover);
            o.qty("buy_qty", r.buy_qty).turnover("buy_turnover", r.buy_turnover);
            o.change("net_qty", r.net_qty).turnover("net_turnover", r.net_turnover);
            o.qty("sell_resting_qty", r.sell_resting_qty).qty("buy_resting_qty", r.buy_resting_qty);
            o.change("resting_net_qty", r.resting_net_qty).change("arbitrage_net_qty", r.arbitrage_net_qty);
            o.turnover("arbitrage_net_turnover", r.arbitrage_net_turnover).change("other_net_qty", r.other_net_qty);
            o.turnover("other_net_turnover", r.other_net_turnover);
            o.qty("cum_qty", r.cum_qty).turnover("cum_turnover", r.cum_turnover);
        }
        RecordView::Member(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.members("sellers", &r.sellers).members("buyers", &r.buyers);
            o.qty("foreign_sell_qty", r.foreign_sell_qty).qty("foreign_buy_qty", r.foreign_buy_qty);
            o.change("foreign_sell_change", r.foreign_sell_change).change("foreign_buy_change", r.foreign_buy_change);
            o.change("foreign_net_qty", r.foreign_net_qty);
        }
        RecordView::Bar(r) => {
            o.market_head(&r.header, &r.market, names, form);
            o.qty("interval_ns", r.interval_ns).px("open_px", r.open_px).px("high_px", r.high_px);
            o.px("low_px", r.low_px).px("close_px", r.close_px).qty("qty", r.qty).turnover("turnover", r.turnover);
            o.qty("cum_qty", r.cum_qty).turnover("cum_turnover", r.cum_turnover);
        }
        RecordView::Other(r, bytes) => {
            o.market_head(&r.header, &r.market, names, form);
            o.bytes("record", bytes);
        }
        RecordView::Instrument(r) => {
            o.service_head(&r.header, names, form);
            o.number("instrument_id", r.header.instrument_id).text("market", &r.key.market());
            o.code("currency", &r.currency).number("qty_decimals", r.qty_decimals.into());
            o.number("tick_rule", r.tick_rule.into()).qty("turnover_unit", r.turnover_unit);
        }
        RecordView::Gap(r) => {
            o.service_head(&r.header, names, form);
            o.qty("gap_id", r.gap_id)
                .text("reason", GapReason::from_number(r.reason).map_or("unknown", GapReason::name));
            o.qty("cum_qty_before", r.cum_qty_before).qty("cum_qty_after", r.cum_qty_after);
            o.qty("missing_qty", r.missing_qty).turnover("missing_turnover", r.missing_turnover);
            o.qty("missing_trades", r.missing_trades).ts("from_ts", r.from_ts).ts("to_ts", r.to_ts);
            o.qty("raw_sequence", r.raw_sequence);
        }
        RecordView::Repair(r) => {
            o.service_head(&r.header, names, form);
            o.qty("gap_id", r.gap_id).qty("cum_qty_before", r.cum_qty_before).qty("cum_qty_after", r.cum_qty_after);
            o.qty("filled_qty", r.filled_qty).turnover("filled_turnover", r.filled_turnover);
            o.qty("filled_trades", r.filled_trades).ts("from_ts", r.from_ts).ts("to_ts", r.to_ts);
            o.qty("missing_qty", r.missing_qty);
        }
        RecordView::Reject(r, bytes) => {
            o.service_head(&r.header, names, form);
            let reason = RejectReason::from_number(r.reason).map_or("unknown", RejectReason::name);
            o.text("reason", reason).qty("raw_sequence", r.raw_sequence);
            o.number("frame_bytes", r.frame_bytes).optional_text("tr_id", tr_name(r.tr)).bytes("bytes", bytes);
        }
        RecordView::Session(r) => {
            o.service_head(&r.header, names, form);
            o.number("line", r.header.line.into());
            o.text("event", SessionEvent::from_number(r.event).map_or("unknown", SessionEvent::name));
            o.number("reason", r.reason.into()).number("close_code", r.close_code.into());
            o.optional_text("tr_id", tr_name(r.tr)).code("tr_key", &r.tr_key).code("code", &r.code);
            o.code("text", &r.text).qty("value", r.value);
        }
        RecordView::Clock(r) => {
            o.service_head(&r.header, names, form);
            o.change("offset_ns", r.offset_ns).qty("error_ns", r.error_ns).ts("anchor_wall", r.anchor_wall_ns);
            o.ts("anchor_market", r.anchor_market_ns).qty("scale_ppb", r.scale_ppb).number("source", r.source.into());
        }
        RecordView::End(r) => {
            o.service_head(&r.header, names, form);
            o.text("reason", EndReason::from_number(r.reason).map_or("unknown", EndReason::name));
            o.qty("next_ordinal", r.next_ordinal).qty("market_records", r.market_records);
        }
        RecordView::Hole(r) => {
            o.service_head(&r.header, names, form);
            o.text("reason", HoleReason::from_number(r.reason).map_or("unknown", HoleReason::name));
            o.qty("first_sequence", r.first_sequence).qty("last_sequence", r.last_sequence).qty("lost_bytes", r.bytes);
        }
        RecordView::Raw(r, bytes) => {
            o.service_head(&r.header, names, form);
            o.number("line", r.header.line.into()).number("recv_window_ns", r.recv_window_ns);
            o.number("read_ns", r.read_ns).text("opcode", if r.opcode == 2 { "binary" } else { "text" });
            o.bytes("payload", bytes);
        }
        RecordView::Unknown(header) => {
            o.service_head(header, names, form);
            o.number("rtype", header.rtype.into());
        }
    }
    o.close();
}

/// Appends nanoseconds since the UNIX epoch as ISO 8601 in Korean time; whole seconds without a fraction.
pub(super) fn write_kst(out: &mut Vec<u8>, ns: u64) {
    let stamp = i128::from(ns);
    let Ok(stamp) = Timestamp::from_nanosecond(stamp) else {
        let _ = write!(out, "{ns}");
        return;
    };
    let civil = Offset::constant(9).to_datetime(stamp);
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    );
    if civil.subsec_nanosecond() != 0 {
        let _ = write!(out, ".{:09}", civil.subsec_nanosecond());
    }
    out.extend_from_slice(b"+09:00");
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Object { out, empty: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn null_or(&mut self, key: &str, defined: bool, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let out = self.key(key);
        if defined {
            write(out)
        } else {
            out.extend_from_slice(b"null")
        }
        self
    }

    fn px(&mut self, key: &str, px: i64) -> &mut Self {
        self.null_or(key, px != UNDEF_PX, |out| write_scaled(out, px, 9))
    }

    fn turnover(&mut self, key: &str, turnover: i64) -> &mut Self {
        self.null_or(key, turnover != super::UNDEF_TURNOVER, |out| write_scaled(out, turnover, 4))
    }

    fn change(&mut self, key: &str, change: i64) -> &mut Self {
        self.null_or(key, change != UNDEF_CHANGE, |out| write_scaled(out, change, 0))
    }

    fn qty(&mut self, key: &str, qty: u64) -> &mut Self {
        self.null_or(key, qty != UNDEF_QTY, |out| {
            let _ = write!(out, "{qty}");
        })
    }

    fn count(&mut self, key: &str, count: u32) -> &mut Self {
        self.null_or(key, count != UNDEF_COUNT, |out| {
            let _ = write!(out, "{count}");
        })
    }

    fn number(&mut self, key: &str, number: u32) -> &mut Self {
        let _ = write!(self.key(key), "{number}");
        self
    }

    fn date(&mut self, key: &str, date: u32) -> &mut Self {
        self.null_or(key, date != 0, |out| {
            let _ = write!(out, "\"{:04}-{:02}-{:02}\"", date / 10_000, date / 100 % 100, date % 100);
        })
    }

    fn ts(&mut self, key: &str, ns: u64) -> &mut Self {
        self.null_or(key, ns != UNDEF_TS, |out| {
            out.push(b'"');
            write_kst(out, ns);
            out.push(b'"');
        })
    }

    fn text(&mut self, key: &str, text: &str) -> &mut Self {
        let out = self.key(key);
        write_string(out, text);
        self
    }

    fn optional_text(&mut self, key: &str, text: Option<&str>) -> &mut Self {
        self.null_or(key, text.is_some(), |out| write_string(out, text.unwrap_or_default()))
    }

    /// Zero-padded bytes as text; empty is `null`.
    fn code(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        let code = text(bytes);
        self.null_or(key, !code.is_empty(), |out| write_string(out, &code))
    }

    fn bytes(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        self.text(key, &String::from_utf8_lossy(bytes))
    }

    fn strings(&mut self, key: &str, strings: impl Iterator<Item = &'static str>) -> &mut Self {
        let out = self.key(key);
        out.push(b'[');
        for (index, string) in strings.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_string(out, string);
        }
        out.push(b']');
        self
    }

    /// Levels as `[px, qty]`, or `[px, qty, count]` where the feed tells the number of orders; empty levels left out.
    fn levels(&mut self, key: &str, levels: &[Level], side: impl Fn(&Level) -> (i64, u64, u32)) -> &mut Self {
        let out = self.key(key);
        out.push(b'[');
        let mut first = true;
        for (px, qty, count) in levels.iter().map(side) {
            let no_px = px == 0 || px == UNDEF_PX;
            let no_qty = qty == 0 || qty == UNDEF_QTY;
            if no_px && no_qty {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            out.push(b'[');
            write_scaled(out, if px == UNDEF_PX { 0 } else { px }, 9);
            let _ = write!(out, ",{}", if qty == UNDEF_QTY { 0 } else { qty });
            if count != UNDEF_COUNT {
                let _ = write!(out, ",{count}");
            }
            out.push(b']');
        }
        out.push(b']');
        self
    }

    fn members(&mut self, key: &str, members: &[MemberEntry]) -> &mut Self {
        let out = self.key(key);
        out.push(b'[');
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let mut entry = Object::new(out);
            entry.code("code", &member.code).qty("qty", member.qty).change("qty_change", member.qty_change);
            entry.px("share_percent", member.share).code("foreign", &[member.foreign]);
            entry.close();
        }
        out.push(b']');
        self
    }

    fn head(&mut self, header: &Header, names: Names<'_>, form: JsonForm) -> &mut Self {
        self.text("type", RType::from_number(header.rtype).map_or("unknown", RType::name));
        if form == JsonForm::Journal {
            self.qty("sequence", header.sequence).ts("ts_recv", header.ts_recv);
        }
        if !names.symbol.is_empty() {
            self.text("symbol", names.symbol);
        }
        self
    }

    fn service_head(&mut self, header: &Header, names: Names<'_>, form: JsonForm) {
        self.head(header, names, form);
        self.optional_text("venue", Publisher::from_number(header.publisher).map(Publisher::venue));
        self.strings("flags", Flags(header.flags).names());
    }

    fn market_head(&mut self, header: &Header, market: &Market, names: Names<'_>, form: JsonForm) {
        self.text("type", RType::from_number(header.rtype).map_or("unknown", RType::name));
        self.optional_text("tr_id", tr_name(market.tr));
        self.optional_text("venue", Publisher::from_number(header.publisher).map(Publisher::venue));
        self.text("symbol", names.symbol).text("market", names.market);
        if Flags(header.flags).has(Flags::EVENT_TIME_ONLY) {
            let second = market.ts_event / 1_000_000_000;
            let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
            let _ = write!(self.key("ts_event"), "\"{hour:02}:{minute:02}:{second:02}\"");
        } else {
            self.ts("ts_event", market.ts_event);
        }
        self.strings("flags", Flags(header.flags).names()).strings("findings", Findings(market.findings).names());
        if form == JsonForm::Journal {
            self.qty("sequence", header.sequence)
                .ts("ts_recv", header.ts_recv)
                .qty("raw_sequence", market.raw_sequence);
            self.number("line", header.line.into()).number("recv_window_ns", market.recv_window_ns);
            self.number("read_ns", market.read_ns).number("decoded_ns", market.decoded_ns);
            self.number("committed_ns", market.committed_ns);
        }
        self.number("width", market.width.into()).number("frame_index", market.frame_index.into());
        self.number("frame_count", market.frame_count.into());
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 | 0x7f => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::{Gap, Trade, view};

    fn json(record: &RecordView<'_>, form: JsonForm) -> serde_json::Value {
        let mut out = Vec::new();
        write_json(&mut out, record, Names { symbol: "005930", market: "KRX" }, form);
        serde_json::from_slice(&out).expect("valid JSON")
    }

    #[test]
    fn a_trade_says_exact_prices_nulls_and_korean_time() {
        let mut trade = Trade::UNDEF;
        trade.header.rtype = RType::Trade as u8;
        trade.header.publisher = Publisher::KisKrx as u16;
        trade.header.flags = Flags::EVENT_TS_SECOND | Flags::BATCHED;
        trade.market.ts_event = 1_669_952_101_000_000_000;
        trade.market.tr = crate::tick::tr_number("H0STCNT0").unwrap();
        trade.px = 61_050_500_000_000;
        trade.side = Side::Sell as u8;
        let value = json(&view(bytemuck::bytes_of(&trade)).unwrap(), JsonForm::Decoded);
        assert_eq!(value["type"], "trade");
        assert_eq!(value["tr_id"], "H0STCNT0");
        assert_eq!(value["venue"], "KRX");
        assert_eq!(value["ts_event"], "2022-12-02T12:35:01+09:00");
        assert_eq!(value["px"].to_string(), "61050.5");
        assert_eq!(value["side"], "sell");
        assert!(value["open_px"].is_null());
        assert_eq!(value["flags"], serde_json::json!(["EVENT_TS_SECOND", "BATCHED"]));
        assert!(value.get("sequence").is_none());
    }

    #[test]
    fn a_time_without_a_date_is_local_time() {
        let mut trade = Trade::UNDEF;
        trade.header.rtype = RType::Trade as u8;
        trade.header.flags = Flags::EVENT_TIME_ONLY;
        trade.market.ts_event = (11 * 3600 + 36 * 60 + 23) * 1_000_000_000;
        let value = json(&view(bytemuck::bytes_of(&trade)).unwrap(), JsonForm::Journal);
        assert_eq!(value["ts_event"], "11:36:23");
        assert_eq!(value["sequence"], 0);
    }

    #[test]
    fn every_kind_has_a_valid_json_form_even_of_hostile_bytes() {
        for kind in RType::ALL {
            for fill in [0_u8, 0x5c, 0x22, 0x7f, 0xff] {
                let mut bytes = vec![fill; 1024];
                bytes[36] = kind as u8;
                let value = json(&view(&bytes).unwrap(), JsonForm::Journal);
                assert_eq!(value["type"], kind.name());
            }
        }
        let gap: Gap = bytemuck::zeroed();
        assert!(view(bytemuck::bytes_of(&gap)).is_some());
    }
}
