//! The slow twin of the typed decoders: strings, names of fields instead of places, `Decimal` for numbers. And synthetic
//! frames for both.

use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::layout::{Form, Layout, LayoutTable};
use super::{Decoder, DecoderConfig};
use crate::feed::{FrameContext, RecordSink};
use crate::tick::*;

/// Records as bytes, in order.
#[derive(Debug, Default)]
pub struct Kept(pub Vec<Vec<u8>>);

impl RecordSink for Kept {
    fn record(&mut self, words: &mut [u64]) {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
        self.0.push(bytes[..header.length as usize].to_vec());
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        let bytes = [bytemuck::cast_slice(prefix), tail].concat();
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
        assert_eq!(header.length as usize, bytes.len());
        self.0.push(bytes);
    }
}

impl Kept {
    pub fn views(&self) -> Vec<RecordView<'_>> {
        self.0.iter().filter_map(|bytes| view(bytes)).collect()
    }

    /// Market records only.
    pub fn market(&self) -> Vec<&[u8]> {
        let is_market = |bytes: &&[u8]| RType::from_number(bytes[36]).is_some_and(RType::is_market);
        self.0.iter().map(Vec::as_slice).filter(is_market).collect()
    }

    pub fn reasons(&self) -> Vec<RejectReason> {
        let reason = |view: RecordView<'_>| match view {
            RecordView::Reject(reject, _) => RejectReason::from_number(reject.reason),
            _ => None,
        };
        self.views().into_iter().filter_map(reason).collect()
    }
}

/// Decodes one frame by a decoder of its own.
pub fn decoded(frame: &[u8]) -> Kept {
    let small = DecoderConfig { instruments_max: 64, fields_max: 4096, ..DecoderConfig::default() };
    let mut decoder = Decoder::new(small);
    let mut kept = Kept::default();
    decoder.decode(&FrameContext::default(), frame, || 0, &mut kept);
    kept
}

/// A frame of records.
pub fn frame(tr: &str, records: &[Vec<String>]) -> Vec<u8> {
    let records: Vec<String> = records.iter().map(|fields| fields.join("^")).collect();
    format!("0|{tr}|{:03}|{}", records.len(), records.join("^")).into_bytes()
}

/// The fields of a synthetic record: by its name each field is a key, a time, a date, a code or a number; `seed` decides
/// which, and some are empty or no number at all.
pub fn synthetic(layout: &Layout, width: usize, seed: u64) -> Vec<String> {
    let mut state = seed | 1;
    let mut next = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let overseas = layout.key == "SYMB";
    (0..width)
        .map(|place| {
            let name = layout.fields.get(place).map_or("", String::as_str);
            let is = |other: &Option<String>| other.as_deref() == Some(name);
            if name == "RSYM" {
                ["DNASAAPL", "RHKS00003", "DTSE7203"][(seed % 3) as usize].to_owned()
            } else if name == layout.key {
                if overseas { ["AAPL", "00003", "7203"][(seed % 3) as usize].to_owned() } else { "005930".to_owned() }
            } else if is(&layout.time) {
                format!("{:02}{:02}{:02}", next(24), next(60), next(60))
            } else if is(&layout.date) {
                format!("2026{:02}{:02}", 1 + next(12), 1 + next(28))
            } else if name.ends_with("_YN") || name.contains("VI_CLS") || name.contains("GLOB_YN") {
                ["Y", "N", ""][next(3) as usize].to_owned()
            } else if name == "HOUR_CLS_CODE" {
                ["0", "A", "B", "C", "D", ""][next(6) as usize].to_owned()
            } else if name.contains("SIGN") || name.contains("CLS") || name.contains("DVSN") || name == "MTYP" {
                ["1", "2", "3", "5", "20", ""][next(6) as usize].to_owned()
            } else if name.contains("NAME") {
                ["키움증권", "", "ABC"][next(3) as usize].to_owned()
            } else {
                match next(12) {
                    0 => String::new(),
                    1 => format!("-{}", next(1_000_000)),
                    2 => format!("{}.{:02}", next(100_000), next(100)),
                    3 => format!("{}", 100_000_000 + next(900_000_000)),
                    4 if next(4) == 0 => ["x", "1-", "12:5", "."][next(4) as usize].to_owned(),
                    5 => "0".to_owned(),
                    _ => next(10_000_000).to_string(),
                }
            }
        })
        .collect()
}

/// Every plain transaction with a width it may have: around the known ones, from the narrowest accepted.
pub fn any_width() -> impl Strategy<Value = (Layout, usize)> {
    let table = LayoutTable::builtin();
    let layouts: Vec<Layout> = table.transactions.into_iter().filter(|l| l.form != Form::Notice).collect();
    (prop::sample::select(layouts), any::<prop::sample::Index>()).prop_map(|(layout, index)| {
        let (min, max) = (usize::from(layout.min_prefix), usize::from(layout.width_max()) + 4);
        (layout, min + index.index(max - min))
    })
}

/// What the twin makes of a record.
#[derive(Debug, PartialEq)]
pub enum Twin {
    /// The record's bytes behind the prefixes, and whether a field was unreadable.
    Body(RType, Vec<u8>, bool),
    /// No price or quantity.
    Reject,
    /// Kept as bytes.
    Other,
}

struct Slow<'a> {
    layout: &'a Layout,
    values: &'a [String],
    unreadable: bool,
}

impl Slow<'_> {
    fn text(&self, name: &str) -> &str {
        let place = self.layout.position(name).unwrap_or_else(|| panic!("{} has no {name}", self.layout.tr));
        self.values.get(usize::from(place)).map_or("", String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.layout.position(name).is_some()
    }

    fn number<T>(&mut self, name: &str, absent: T, convert: impl Fn(Decimal) -> Option<T>) -> T {
        let text = self.text(name).to_owned();
        if text.is_empty() {
            return absent;
        }
        match text.parse::<Decimal>().ok().and_then(convert) {
            Some(value) => value,
            None => {
                self.unreadable = true;
                absent
            }
        }
    }

    fn scaled(&mut self, name: &str, scale: i64) -> i64 {
        let whole = |value: Decimal| value.is_integer().then(|| value.to_i64()).flatten();
        self.number(name, UNDEF_PX, |value| whole(value * Decimal::from(scale)))
    }

    fn px(&mut self, name: &str) -> i64 {
        self.scaled(name, PX_SCALE)
    }

    fn turnover(&mut self, name: &str) -> i64 {
        self.scaled(name, TURNOVER_SCALE)
    }

    fn qty(&mut self, name: &str) -> u64 {
        self.number(name, UNDEF_QTY, |value| value.is_integer().then(|| value.to_u64()).flatten())
    }

    fn change(&mut self, name: &str) -> i64 {
        self.scaled(name, 1)
    }

    fn count(&mut self, name: &str) -> u32 {
        self.number(name, UNDEF_COUNT, |value| value.is_integer().then(|| value.to_u32()).flatten())
    }

    fn byte(&self, name: &str) -> u8 {
        match self.text(name).as_bytes() {
            [byte] => *byte,
            _ => 0,
        }
    }

    fn code<const N: usize>(&self, name: &str) -> [u8; N] {
        let mut code = [0; N];
        let text = self.text(name).as_bytes();
        let length = text.len().min(N);
        code[..length].copy_from_slice(&text[..length]);
        code
    }

    fn date(&mut self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or(0)
    }
}

/// Reads a record by the names of its fields. `None` for forms the twin doesn't know.
pub fn twin(layout: &Layout, values: &[String]) -> Option<Twin> {
    let mut s = Slow { layout, values, unreadable: false };
    let (kind, body) = match layout.form {
        Form::StockTrade => {
            let mut t = Trade::UNDEF;
            (t.px, t.qty) = (s.px("STCK_PRPR"), s.qty("CNTG_VOL"));
            if t.px == UNDEF_PX || t.qty == UNDEF_QTY {
                return Some(Twin::Reject);
            }
            (t.cum_qty, t.cum_turnover) = (s.qty("ACML_VOL"), s.turnover("ACML_TR_PBMN"));
            (t.cum_sell_qty, t.cum_buy_qty) = (s.qty("SELN_CNTG_SMTN"), s.qty("SHNU_CNTG_SMTN"));
            (t.open_px, t.high_px, t.low_px) = (s.px("STCK_OPRC"), s.px("STCK_HGPR"), s.px("STCK_LWPR"));
            (t.vwap_px, t.change_px) = (s.px("WGHN_AVRG_STCK_PRC"), s.px("PRDY_VRSS"));
            (t.bid_px, t.ask_px) = (s.px("BIDP1"), s.px("ASKP1"));
            (t.bid_qty, t.ask_qty) = (s.qty("BIDP_RSQN1"), s.qty("ASKP_RSQN1"));
            (t.total_bid_qty, t.total_ask_qty) = (s.qty("TOTAL_BIDP_RSQN"), s.qty("TOTAL_ASKP_RSQN"));
            (t.sell_count, t.buy_count) = (s.count("SELN_CNTG_CSNU"), s.count("SHNU_CNTG_CSNU"));
            t.business_date = s.date("BSOP_DATE");
            (t.sign, t.halt, t.mkop_cls) = (s.byte("PRDY_VRSS_SIGN"), s.byte("TRHT_YN"), s.code("NEW_MKOP_CLS_CODE"));
            t.side_code = s.byte(if s.has("CCLD_DVSN") { "CCLD_DVSN" } else { "CNTG_CLS_CODE" });
            t.side = match t.side_code {
                b'1' => Side::Buy,
                b'5' => Side::Sell,
                b'3' => Side::Auction,
                _ => Side::Unknown,
            } as u8;
            if s.has("HOUR_CLS_CODE") {
                (t.hour_cls, t.vi_px) = (s.byte("HOUR_CLS_CODE"), s.px("VI_STND_PRC"));
                t.market_cls = s.byte("MARKET_CLS_CODE");
            } else if values.len() > 43 {
                // Surplus fields of an overtime trade stand where a regular one has its own.
                return None;
            }
            (RType::Trade, bytemuck::bytes_of(&t).to_vec())
        }
        Form::StockExpected => {
            let mut e = Expected::UNDEF;
            (e.px, e.qty) = (s.px("STCK_PRPR"), s.qty("CNTG_VOL"));
            (e.cum_qty, e.cum_turnover) = (s.qty("ACML_VOL"), s.turnover("ACML_TR_PBMN"));
            e.change_px = s.px("PRDY_VRSS");
            (e.bid_px, e.ask_px) = (s.px("BIDP1"), s.px("ASKP1"));
            (e.bid_qty, e.ask_qty) = (s.qty("BIDP_RSQN1"), s.qty("ASKP_RSQN1"));
            (e.total_bid_qty, e.total_ask_qty) = (s.qty("TOTAL_BIDP_RSQN"), s.qty("TOTAL_ASKP_RSQN"));
            e.business_date = s.date("BSOP_DATE");
            (e.sign, e.halt, e.mkop_cls) = (s.byte("PRDY_VRSS_SIGN"), s.byte("TRHT_YN"), s.code("NEW_MKOP_CLS_CODE"));
            if s.has("HOUR_CLS_CODE") {
                (e.hour_cls, e.vi_px) = (s.byte("HOUR_CLS_CODE"), s.px("VI_STND_PRC"));
            } else if values.len() > 43 {
                return None;
            }
            (RType::Expected, bytemuck::bytes_of(&e).to_vec())
        }
        Form::StockBook => return Some(book(&mut s)),
        Form::Status => {
            let mut r = Status::UNDEF;
            r.halt = s.byte("TRHT_YN");
            r.reason = if s.text("TR_SUSP_REAS_CNTT") == "(null)" { [0; 64] } else { s.code("TR_SUSP_REAS_CNTT") };
            (r.mkop_cls, r.expected_mkop_cls) = (s.code("MKOP_CLS_CODE"), s.code("ANTC_MKOP_CLS_CODE"));
            (r.time_cls, r.allotment_cls) = (s.code("MRKT_TRTM_CLS_CODE"), s.code("DIVI_APP_CLS_CODE"));
            r.issue_status = s.code("ISCD_STAT_CLS_CODE");
            (r.vi_cls, r.overtime_vi_cls) = (s.byte("VI_CLS_CODE"), s.byte("OVTM_VI_CLS_CODE"));
            if s.has("EXCH_CLS_CODE") {
                r.exchange_cls = s.code("EXCH_CLS_CODE");
            }
            (RType::Status, bytemuck::bytes_of(&r).to_vec())
        }
        Form::Member => {
            let mut m = Member::UNDEF;
            for (sell, entries) in [(true, &mut m.sellers), (false, &mut m.buyers)] {
                let side = if sell { "SELN" } else { "SHNU" };
                for (index, entry) in entries.iter_mut().enumerate() {
                    let n = index + 1;
                    entry.qty = s.qty(&format!("TOTAL_{side}_QTY{n}"));
                    entry.qty_change = s.change(&format!("{side}_QTY_ICDC{n}"));
                    entry.share = s.px(&format!("{side}_MBCR_RLIM{n}"));
                    entry.code = s.code(&format!("{side}_MBCR_NO{n}"));
                    entry.foreign = s.byte(&format!("{side}_MBCR_GLOB_YN_{n}"));
                }
            }
            (m.foreign_sell_qty, m.foreign_buy_qty) = (s.qty("GLOB_TOTAL_SELN_QTY"), s.qty("GLOB_TOTAL_SHNU_QTY"));
            m.foreign_sell_change = s.change("GLOB_TOTAL_SELN_QTY_ICDC");
            m.foreign_buy_change = s.change("GLOB_TOTAL_SHNU_QTY_ICDC");
            m.foreign_net_qty = s.change("GLOB_NTBY_QTY");
            (RType::Member, bytemuck::bytes_of(&m).to_vec())
        }
        Form::Program => {
            let mut p = Program::UNDEF;
            (p.sell_qty, p.sell_turnover) = (s.qty("SELN_CNQN"), s.turnover("SELN_TR_PBMN"));
            (p.buy_qty, p.buy_turnover) = (s.qty("SHNU_CNQN"), s.turnover("SHNU_TR_PBMN"));
            (p.net_qty, p.net_turnover) = (s.change("NTBY_CNQN"), s.turnover("NTBY_TR_PBMN"));
            (p.sell_resting_qty, p.buy_resting_qty) = (s.qty("SELN_RSQN"), s.qty("SHNU_RSQN"));
            p.resting_net_qty = s.change("WHOL_NTBY_QTY");
            (RType::Program, bytemuck::bytes_of(&p).to_vec())
        }
        Form::IndexProgram => {
            let mut p = Program::UNDEF;
            (p.sell_qty, p.sell_turnover) = (s.qty("TOTAL_SELN_QTY"), s.turnover("TOTAL_SELN_TR_PBMN"));
            (p.buy_qty, p.buy_turnover) = (s.qty("SHNU_CNTG_SMTN"), s.turnover("TOTAL_SHNU_TR_PBMN"));
            (p.net_qty, p.net_turnover) = (s.change("WHOL_NTBY_QTY"), s.turnover("WHOL_NTBY_TR_PBMN"));
            p.arbitrage_net_qty = s.change("ARBT_SMTN_NTBY_QTY");
            p.arbitrage_net_turnover = s.turnover("ARBT_SMTN_NTBY_TR_PBMN");
            p.other_net_qty = s.change("NABT_SMTN_NTBY_QTY");
            p.other_net_turnover = s.turnover("NABT_SMTN_NTBY_TR_PBMN");
            (p.cum_qty, p.cum_turnover) = (s.qty("ACML_VOL"), s.turnover("ACML_TR_PBMN"));
            (RType::Program, bytemuck::bytes_of(&p).to_vec())
        }
        Form::Index | Form::IndexExpected => {
            let cum_qty = s.qty("ACML_VOL");
            let cum_qty = if cum_qty == UNDEF_QTY { cum_qty } else { cum_qty * 1000 };
            let cum_turnover = s.scaled("ACML_TR_PBMN", TURNOVER_SCALE * 1_000_000);
            let (px, change_px, sign) = (s.px("PRPR_NMIX"), s.px("BSTP_NMIX_PRDY_VRSS"), s.byte("PRDY_VRSS_SIGN"));
            if layout.form == Form::IndexExpected {
                let e = Expected { px, change_px, sign, cum_qty, cum_turnover, ..Expected::UNDEF };
                (RType::Expected, bytemuck::bytes_of(&e).to_vec())
            } else {
                let mut i = Index { px, change_px, sign, cum_qty, cum_turnover, ..Index::UNDEF };
                (i.open_px, i.high_px, i.low_px) = (s.px("OPRC_NMIX"), s.px("NMIX_HGPR"), s.px("NMIX_LWPR"));
                (i.tick_qty, i.tick_turnover) = (s.qty("PCAS_VOL"), s.qty("PCAS_TR_PBMN"));
                i.tick_change_px = s.px("TICK_VRSS");
                (i.upper_limit_count, i.lower_limit_count) = (s.count("UPLM_ISSU_CNT"), s.count("LSLM_ISSU_CNT"));
                (i.up_count, i.down_count) = (s.count("ASCN_ISSU_CNT"), s.count("DOWN_ISSU_CNT"));
                i.unchanged_count = s.count("STNR_ISSU_CNT");
                (RType::Index, bytemuck::bytes_of(&i).to_vec())
            }
        }
        Form::Nav => {
            let mut n = Nav::UNDEF;
            (n.px, n.change_px, n.sign) = (s.px("NAV"), s.px("NAV_PRDY_VRSS"), s.byte("NAV_PRDY_VRSS_SIGN"));
            (n.open_px, n.high_px, n.low_px) = (s.px("OPRC_NAV"), s.px("HPRC_NAV"), s.px("LPRC_NAV"));
            (RType::Nav, bytemuck::bytes_of(&n).to_vec())
        }
        Form::Other => return Some(Twin::Other),
        Form::Table | Form::Notice => return None,
    };
    Some(Twin::Body(kind, body[HEADER_BYTES + MARKET_PREFIX_BYTES..].to_vec(), s.unreadable))
}

fn book(s: &mut Slow<'_>) -> Twin {
    let mut b = BookBuffer::UNDEF;
    for (index, level) in b.levels.iter_mut().enumerate() {
        let n = index + 1;
        (level.ask_px, level.bid_px) = (s.px(&format!("ASKP{n}")), s.px(&format!("BIDP{n}")));
        (level.ask_qty, level.bid_qty) = (s.qty(&format!("ASKP_RSQN{n}")), s.qty(&format!("BIDP_RSQN{n}")));
    }
    let width = s.values.len();
    let sum = |side: fn(&Level) -> u64| b.levels.iter().map(side).filter(|qty| *qty != UNDEF_QTY).sum::<u64>();
    let (asks, bids) = (sum(|level| level.ask_qty), sum(|level| level.bid_qty));
    let book = &mut b.book;
    (book.total_ask_qty, book.total_bid_qty) = (s.qty("TOTAL_ASKP_RSQN"), s.qty("TOTAL_BIDP_RSQN"));
    if s.layout.tr == "H0STOAA0" && width < 58 && (asks, bids) != (book.total_ask_qty, book.total_bid_qty) {
        return Twin::Other;
    }
    (book.overtime_ask_qty, book.overtime_bid_qty) = (s.qty("OVTM_TOTAL_ASKP_RSQN"), s.qty("OVTM_TOTAL_BIDP_RSQN"));
    (book.expected_px, book.expected_qty) = (s.px("ANTC_CNPR"), s.qty("ANTC_CNQN"));
    (book.expected_volume, book.expected_change_px) = (s.qty("ANTC_VOL"), s.px("ANTC_CNTG_VRSS"));
    (book.expected_sign, book.cum_qty) = (s.byte("ANTC_CNTG_VRSS_SIGN"), s.qty("ACML_VOL"));
    (book.total_ask_change, book.total_bid_change) =
        (s.change("TOTAL_ASKP_RSQN_ICDC"), s.change("TOTAL_BIDP_RSQN_ICDC"));
    book.overtime_ask_change = s.change("OVTM_TOTAL_ASKP_ICDC");
    book.overtime_bid_change = s.change("OVTM_TOTAL_BIDP_ICDC");
    (book.hour_cls, book.levels) = (s.byte("HOUR_CLS_CODE"), 10);
    if s.has("STCK_DEAL_CLS_CODE") {
        book.deal_cls = s.byte("STCK_DEAL_CLS_CODE");
    }
    let mid = |s: &mut Slow<'_>, name: &str| {
        let names = [format!("{name}_PRC"), format!("{name}_TOTAL_RSQN"), format!("{name}_CLS_CODE")];
        if usize::from(s.layout.position(&names[2]).unwrap()) >= width {
            return (MidPrice { px: UNDEF_PX, qty: UNDEF_QTY }, 0);
        }
        (MidPrice { px: s.px(&names[0]), qty: s.qty(&names[1]) }, s.byte(&names[2]))
    };
    match s.layout.tr.as_str() {
        "H0STASP0" => {
            // The first name of the three is MID_PRC, the others begin with MIDP.
            if width >= 62 {
                book.krx_mid = MidPrice { px: s.px("MID_PRC"), qty: s.qty("MIDP_TOTAL_RSQN") };
                book.krx_mid_cls = s.byte("MIDP_CLS_CODE");
            }
            book.market_cls = s.byte("MARKET_CLS_CODE");
        }
        "H0UNASP0" => {
            (book.krx_mid, book.krx_mid_cls) = mid(s, "KMID");
            (book.nxt_mid, book.nxt_mid_cls) = mid(s, "NMID");
            book.expected_exchange = s.byte("ANTC_EXCH_CLS_CODE");
        }
        "H0NXASP0" if width == 62 => (book.nxt_mid, book.nxt_mid_cls) = mid(s, "KMID"),
        "H0NXASP0" if width >= 65 => {
            (book.krx_mid, book.krx_mid_cls) = mid(s, "KMID");
            (book.nxt_mid, book.nxt_mid_cls) = mid(s, "NMID");
        }
        _ => {}
    }
    let body = bytemuck::bytes_of(&b)[HEADER_BYTES + MARKET_PREFIX_BYTES..].to_vec();
    Twin::Body(RType::Book, body, s.unreadable)
}
