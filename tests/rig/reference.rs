//! A slow reader of KIS frames, for comparison only: `split` on `^`, field names in the order in which the broker
//! publishes them, numbers by hand. It shares nothing with the decoder it judges but the records' structs.

use hoga::tick::{Book, Expected as ExpectedTick, Flags, Index, Level, Member, Program, RecordView, Status, Trade};

use super::Record;

/// The simulated venue's day, decimal YYYYMMDD.
pub const MARKET_DATE: u32 = 20_261_120;

const TRADE: &str = "MKSC_SHRN_ISCD STCK_CNTG_HOUR STCK_PRPR PRDY_VRSS_SIGN PRDY_VRSS PRDY_CTRT WGHN_AVRG_STCK_PRC STCK_OPRC \
    STCK_HGPR STCK_LWPR ASKP1 BIDP1 CNTG_VOL ACML_VOL ACML_TR_PBMN SELN_CNTG_CSNU SHNU_CNTG_CSNU NTBY_CNTG_CSNU CTTR \
    SELN_CNTG_SMTN SHNU_CNTG_SMTN CCLD_DVSN SHNU_RATE PRDY_VOL_VRSS_ACML_VOL_RATE OPRC_HOUR OPRC_VRSS_PRPR_SIGN \
    OPRC_VRSS_PRPR HGPR_HOUR HGPR_VRSS_PRPR_SIGN HGPR_VRSS_PRPR LWPR_HOUR LWPR_VRSS_PRPR_SIGN LWPR_VRSS_PRPR BSOP_DATE \
    NEW_MKOP_CLS_CODE TRHT_YN ASKP_RSQN1 BIDP_RSQN1 TOTAL_ASKP_RSQN TOTAL_BIDP_RSQN VOL_TNRT \
    PRDY_SMNS_HOUR_ACML_VOL PRDY_SMNS_HOUR_ACML_VOL_RATE HOUR_CLS_CODE MRKT_TRTM_CLS_CODE VI_STND_PRC MARKET_CLS";
const BOOK_HEAD: &str = "MKSC_SHRN_ISCD BSOP_HOUR HOUR_CLS_CODE ASKP1 ASKP2 ASKP3 ASKP4 ASKP5 ASKP6 ASKP7 ASKP8 ASKP9 ASKP10 \
    BIDP1 BIDP2 BIDP3 BIDP4 BIDP5 BIDP6 BIDP7 BIDP8 BIDP9 BIDP10 ASKP_RSQN1 ASKP_RSQN2 ASKP_RSQN3 ASKP_RSQN4 ASKP_RSQN5 \
    ASKP_RSQN6 ASKP_RSQN7 ASKP_RSQN8 ASKP_RSQN9 ASKP_RSQN10 BIDP_RSQN1 BIDP_RSQN2 BIDP_RSQN3 BIDP_RSQN4 BIDP_RSQN5 \
    BIDP_RSQN6 BIDP_RSQN7 BIDP_RSQN8 BIDP_RSQN9 BIDP_RSQN10 TOTAL_ASKP_RSQN TOTAL_BIDP_RSQN OVTM_TOTAL_ASKP_RSQN \
    OVTM_TOTAL_BIDP_RSQN ANTC_CNPR ANTC_CNQN ANTC_VOL ANTC_CNTG_VRSS ANTC_CNTG_VRSS_SIGN ANTC_CNTG_PRDY_CTRT ACML_VOL \
    TOTAL_ASKP_RSQN_ICDC TOTAL_BIDP_RSQN_ICDC OVTM_TOTAL_ASKP_ICDC OVTM_TOTAL_BIDP_ICDC STCK_DEAL_CLS_CODE";
const STATUS: &str = "MKSC_SHRN_ISCD TRHT_YN TR_SUSP_REAS_CNTT MKOP_CLS_CODE ANTC_MKOP_CLS_CODE MRKT_TRTM_CLS_CODE \
    DIVI_APP_CLS_CODE ISCD_STAT_CLS_CODE VI_CLS_CODE OVTM_VI_CLS_CODE EXCH_CLS_CODE";
const PROGRAM: &str = "MKSC_SHRN_ISCD STCK_CNTG_HOUR SELN_CNQN SELN_TR_PBMN SHNU_CNQN SHNU_TR_PBMN NTBY_CNQN NTBY_TR_PBMN \
    SELN_RSQN SHNU_RSQN WHOL_NTBY_QTY";
const INDEX: &str = "BSTP_CLS_CODE BSOP_HOUR PRPR_NMIX PRDY_VRSS_SIGN BSTP_NMIX_PRDY_VRSS ACML_VOL ACML_TR_PBMN PCAS_VOL \
    PCAS_TR_PBMN PRDY_CTRT OPRC_NMIX NMIX_HGPR NMIX_LWPR OPRC_VRSS_NMIX_PRPR OPRC_VRSS_NMIX_SIGN HGPR_VRSS_NMIX_PRPR \
    HGPR_VRSS_NMIX_SIGN LWPR_VRSS_NMIX_PRPR LWPR_VRSS_NMIX_SIGN PRDY_CLPR_VRSS_OPRC_RATE PRDY_CLPR_VRSS_HGPR_RATE \
    PRDY_CLPR_VRSS_LWPR_RATE UPLM_ISSU_CNT ASCN_ISSU_CNT STNR_ISSU_CNT DOWN_ISSU_CNT LSLM_ISSU_CNT QTQT_ASCN_ISSU_CNT \
    QTQT_DOWN_ISSU_CNT TICK_VRSS";

/// A record as the frame tells it.
#[derive(Clone, Debug)]
pub struct Expected {
    tr: String,
    place: u16,
    count: u16,
    values: Vec<String>,
}

/// Splits a frame into its records.
pub fn split(frame: &[u8]) -> Vec<Expected> {
    let text = String::from_utf8_lossy(frame);
    let mut head = text.splitn(4, '|');
    assert_eq!(head.next(), Some("0"), "a plain frame");
    let tr = head.next().expect("a transaction").to_owned();
    let count: u16 = head.next().expect("a count").parse().expect("digits");
    let values: Vec<&str> = head.next().expect("a payload").split('^').collect();
    let width = values.len() / usize::from(count);
    assert_eq!(width * usize::from(count), values.len(), "records of one width");
    let record = |(place, values): (usize, &[&str])| Expected {
        tr: tr.clone(),
        place: place as u16,
        count,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    values.chunks(width).enumerate().map(record).collect()
}

impl Expected {
    /// Holds a journaled record of that day, unless it tells another one, against this one; panics where they differ. Returns how many fields were
    /// compared.
    pub fn check(&self, record: &Record, date: u32) -> u64 {
        let header = record.header();
        let market = record.market().expect("market data");
        let about = format!(
            "{} {} record {} of {}, sequence {}",
            self.tr, self.values[0], self.place, self.count, header.sequence
        );
        assert_eq!(hoga::tick::tr_name(market.tr), Some(&*self.tr), "transaction of {about}");
        assert_eq!(record.symbol, self.values[0], "symbol of {about}");
        assert_eq!((market.frame_index, market.frame_count), (self.place, self.count), "place of {about}");
        assert_eq!(usize::from(market.width), self.values.len(), "width of {about}");
        assert_eq!(record.has_flag(Flags::BATCHED), self.count > 1, "BATCHED of {about}");
        let mut fields = 6;
        let mut compare = |name: &str, got: i128, wanted: i128| {
            assert_eq!(got, wanted, "{name} of {about}");
            fields += 1;
        };
        let values = Values { tr: &self.tr, values: &self.values, names: names(&self.tr) };
        let event = match values.time() {
            Some(seconds) => kst_ns(values.date().unwrap_or(date), seconds),
            None => hoga::tick::UNDEF_TS,
        };
        compare("ts_event", market.ts_event.into(), event.into());
        match record.view() {
            RecordView::Trade(trade) => check_trade(&values, &trade, &mut compare),
            RecordView::Book(book, levels) => check_book(&values, &book, &levels, &mut compare),
            RecordView::Expected(expected) => check_expected(&values, &expected, &mut compare),
            RecordView::Status(status) => check_status(&values, &status, &mut compare),
            RecordView::Program(program) => check_program(&values, &program, &mut compare),
            RecordView::Index(index) => check_index(&values, &index, &mut compare),
            RecordView::Member(member) => check_member(&values, &member, &mut compare),
            other => panic!("{about}: not expected: {other:?}"),
        }
        fields
    }
}

/// Names of a transaction's fields; what follows the last is not compared.
fn names(tr: &str) -> Vec<String> {
    let text = match &tr[4..] {
        "CNT0" if tr == "H0UPCNT0" => INDEX.to_owned(),
        "CNT0" | "ANC0" | "OUP0" | "OAC0" => TRADE.to_owned(),
        "ASP0" if tr == "H0STASP0" => format!("{BOOK_HEAD} KMID_PRC KMID_TOTAL_RSQN KMID_CLS_CODE MARKET_CLS"),
        "ASP0" => format!(
            "{BOOK_HEAD} KMID_PRC KMID_TOTAL_RSQN KMID_CLS_CODE NMID_PRC NMID_TOTAL_RSQN NMID_CLS_CODE ANTC_EXCH"
        ),
        "MKO0" => STATUS.to_owned(),
        "PGM0" => PROGRAM.to_owned(),
        "MBC0" => {
            let numbered = |name: &str| (1..=5).map(|n| format!("{name}{n} ")).collect::<String>();
            let parts = [
                "SELN_MBCR_NAME",
                "BYOV_MBCR_NAME",
                "TOTAL_SELN_QTY",
                "TOTAL_SHNU_QTY",
                "SELN_MBCR_GLOB_YN",
                "SHNU_MBCR_GLOB_YN",
                "SELN_MBCR_NO",
                "SHNU_MBCR_NO",
                "SELN_MBCR_RLIM",
                "SHNU_MBCR_RLIM",
                "SELN_QTY_ICDC",
                "SHNU_QTY_ICDC",
            ];
            let parts: String = parts.iter().map(|part| numbered(part)).collect();
            format!(
                "MKSC_SHRN_ISCD {parts}GLOB_TOTAL_SELN_QTY GLOB_TOTAL_SHNU_QTY GLOB_TOTAL_SELN_QTY_ICDC \
                     GLOB_TOTAL_SHNU_QTY_ICDC GLOB_NTBY_QTY"
            )
        }
        _ => panic!("{tr} is not in this table"),
    };
    text.split_whitespace().map(str::to_owned).collect()
}

struct Values<'a> {
    tr: &'a str,
    values: &'a [String],
    names: Vec<String>,
}

type Compare<'a> = &'a mut dyn FnMut(&str, i128, i128);

impl Values<'_> {
    /// A field's text; empty where it was not sent.
    fn text(&self, name: &str) -> &str {
        let place =
            self.names.iter().position(|known| known == name).unwrap_or_else(|| panic!("{} has no {name}", self.tr));
        self.values.get(place).map_or("", String::as_str)
    }

    /// Time of day in seconds.
    fn time(&self) -> Option<u32> {
        let name =
            ["STCK_CNTG_HOUR", "BSOP_HOUR"].into_iter().find(|name| self.names.iter().any(|known| known == name))?;
        let text = self.text(name);
        let part = |from: usize| text[from..from + 2].parse::<u32>().expect("digits");
        Some(part(0) * 3600 + part(2) * 60 + part(4))
    }

    /// The date that the record itself tells.
    fn date(&self) -> Option<u32> {
        let is_told = self.names.iter().any(|known| known == "BSOP_DATE");
        is_told.then(|| self.text("BSOP_DATE").parse().ok()).flatten()
    }

    /// A number with so many decimal places as an integer; `none` where the field is empty.
    fn number(&self, name: &str, places: usize, none: i128) -> i128 {
        let text = self.text(name);
        if text.is_empty() {
            return none;
        }
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        assert!(part.len() <= places, "{name}: {text}");
        let scaled = format!("{whole}{part:0<places$}").parse::<i128>().unwrap_or_else(|_| panic!("{name}: {text}"));
        if negative { -scaled } else { scaled }
    }

    fn px(&self, name: &str) -> i128 {
        self.number(name, 9, i64::MAX.into())
    }

    fn qty(&self, name: &str) -> i128 {
        self.number(name, 0, u64::MAX.into())
    }

    fn change(&self, name: &str) -> i128 {
        self.number(name, 0, i64::MAX.into())
    }

    fn won(&self, name: &str) -> i128 {
        self.number(name, 4, i64::MAX.into())
    }

    fn count(&self, name: &str) -> i128 {
        self.number(name, 0, u32::MAX.into())
    }

    fn code(&self, name: &str) -> i128 {
        code(self.text(name).as_bytes())
    }
}

/// Bytes as a number, zero padding left out.
fn code(bytes: &[u8]) -> i128 {
    bytes.iter().rev().skip_while(|byte| **byte == 0).fold(0, |number, byte| number << 8 | i128::from(*byte))
}

fn check_trade(v: &Values<'_>, t: &Trade, compare: Compare<'_>) {
    let side = match v.text("CCLD_DVSN") {
        "1" => 1,
        "5" => 2,
        "3" => 3,
        _ => 0,
    };
    let rows: [(&str, i128, i128); 31] = [
        ("px", t.px.into(), v.px("STCK_PRPR")),
        ("qty", t.qty.into(), v.qty("CNTG_VOL")),
        ("cum_qty", t.cum_qty.into(), v.qty("ACML_VOL")),
        ("cum_turnover", t.cum_turnover.into(), v.won("ACML_TR_PBMN")),
        ("cum_sell_qty", t.cum_sell_qty.into(), v.qty("SELN_CNTG_SMTN")),
        ("cum_buy_qty", t.cum_buy_qty.into(), v.qty("SHNU_CNTG_SMTN")),
        ("open_px", t.open_px.into(), v.px("STCK_OPRC")),
        ("high_px", t.high_px.into(), v.px("STCK_HGPR")),
        ("low_px", t.low_px.into(), v.px("STCK_LWPR")),
        ("vwap_px", t.vwap_px.into(), v.px("WGHN_AVRG_STCK_PRC")),
        ("change_px", t.change_px.into(), v.px("PRDY_VRSS")),
        ("bid_px", t.bid_px.into(), v.px("BIDP1")),
        ("ask_px", t.ask_px.into(), v.px("ASKP1")),
        ("bid_qty", t.bid_qty.into(), v.qty("BIDP_RSQN1")),
        ("ask_qty", t.ask_qty.into(), v.qty("ASKP_RSQN1")),
        ("total_bid_qty", t.total_bid_qty.into(), v.qty("TOTAL_BIDP_RSQN")),
        ("total_ask_qty", t.total_ask_qty.into(), v.qty("TOTAL_ASKP_RSQN")),
        ("vi_px", t.vi_px.into(), v.px("VI_STND_PRC")),
        ("sell_count", t.sell_count.into(), v.count("SELN_CNTG_CSNU")),
        ("buy_count", t.buy_count.into(), v.count("SHNU_CNTG_CSNU")),
        ("business_date", t.business_date.into(), v.number("BSOP_DATE", 0, 0)),
        ("side", t.side.into(), side),
        ("sign", t.sign.into(), v.code("PRDY_VRSS_SIGN")),
        ("hour_cls", t.hour_cls.into(), v.code("HOUR_CLS_CODE")),
        ("market_cls", t.market_cls.into(), v.code("MARKET_CLS")),
        ("mkop_cls", code(&t.mkop_cls), v.code("NEW_MKOP_CLS_CODE")),
        ("halt", t.halt.into(), v.code("TRHT_YN")),
        ("side_code", t.side_code.into(), v.code("CCLD_DVSN")),
        ("reserved", code(&t.reserved), 0),
        ("findings", t.market.findings.into(), 0),
        ("time", t.market.ts_event.into(), kst_ns(t.business_date, v.time().expect("a time")).into()),
    ];
    rows.into_iter().for_each(|(name, got, wanted)| compare(name, got, wanted));
}

fn check_expected(v: &Values<'_>, e: &ExpectedTick, compare: Compare<'_>) {
    let rows: [(&str, i128, i128); 17] = [
        ("px", e.px.into(), v.px("STCK_PRPR")),
        ("qty", e.qty.into(), v.qty("CNTG_VOL")),
        ("cum_qty", e.cum_qty.into(), v.qty("ACML_VOL")),
        ("cum_turnover", e.cum_turnover.into(), v.won("ACML_TR_PBMN")),
        ("change_px", e.change_px.into(), v.px("PRDY_VRSS")),
        ("bid_px", e.bid_px.into(), v.px("BIDP1")),
        ("ask_px", e.ask_px.into(), v.px("ASKP1")),
        ("bid_qty", e.bid_qty.into(), v.qty("BIDP_RSQN1")),
        ("ask_qty", e.ask_qty.into(), v.qty("ASKP_RSQN1")),
        ("total_bid_qty", e.total_bid_qty.into(), v.qty("TOTAL_BIDP_RSQN")),
        ("total_ask_qty", e.total_ask_qty.into(), v.qty("TOTAL_ASKP_RSQN")),
        ("vi_px", e.vi_px.into(), v.px("VI_STND_PRC")),
        ("business_date", e.business_date.into(), v.number("BSOP_DATE", 0, 0)),
        ("sign", e.sign.into(), v.code("PRDY_VRSS_SIGN")),
        ("hour_cls", e.hour_cls.into(), v.code("HOUR_CLS_CODE")),
        ("halt", e.halt.into(), v.code("TRHT_YN")),
        ("mkop_cls", code(&e.mkop_cls), v.code("NEW_MKOP_CLS_CODE")),
    ];
    rows.into_iter().for_each(|(name, got, wanted)| compare(name, got, wanted));
}

fn check_book(v: &Values<'_>, b: &Book, levels: &[Level], compare: Compare<'_>) {
    compare("levels", levels.len() as i128, 10);
    for (level, n) in levels.iter().zip(1..) {
        compare("bid_px", level.bid_px.into(), v.px(&format!("BIDP{n}")));
        compare("ask_px", level.ask_px.into(), v.px(&format!("ASKP{n}")));
        compare("bid_qty", level.bid_qty.into(), v.qty(&format!("BIDP_RSQN{n}")));
        compare("ask_qty", level.ask_qty.into(), v.qty(&format!("ASKP_RSQN{n}")));
    }
    let rows: [(&str, i128, i128); 20] = [
        ("total_bid_qty", b.total_bid_qty.into(), v.qty("TOTAL_BIDP_RSQN")),
        ("total_ask_qty", b.total_ask_qty.into(), v.qty("TOTAL_ASKP_RSQN")),
        ("total_bid_change", b.total_bid_change.into(), v.change("TOTAL_BIDP_RSQN_ICDC")),
        ("total_ask_change", b.total_ask_change.into(), v.change("TOTAL_ASKP_RSQN_ICDC")),
        ("overtime_bid_qty", b.overtime_bid_qty.into(), v.qty("OVTM_TOTAL_BIDP_RSQN")),
        ("overtime_ask_qty", b.overtime_ask_qty.into(), v.qty("OVTM_TOTAL_ASKP_RSQN")),
        ("overtime_bid_change", b.overtime_bid_change.into(), v.change("OVTM_TOTAL_BIDP_ICDC")),
        ("overtime_ask_change", b.overtime_ask_change.into(), v.change("OVTM_TOTAL_ASKP_ICDC")),
        ("cum_qty", b.cum_qty.into(), v.qty("ACML_VOL")),
        ("expected_px", b.expected_px.into(), v.px("ANTC_CNPR")),
        ("expected_qty", b.expected_qty.into(), v.qty("ANTC_CNQN")),
        ("expected_volume", b.expected_volume.into(), v.qty("ANTC_VOL")),
        ("expected_change_px", b.expected_change_px.into(), v.px("ANTC_CNTG_VRSS")),
        ("expected_sign", b.expected_sign.into(), v.code("ANTC_CNTG_VRSS_SIGN")),
        ("hour_cls", b.hour_cls.into(), v.code("HOUR_CLS_CODE")),
        ("deal_cls", b.deal_cls.into(), v.code("STCK_DEAL_CLS_CODE")),
        ("krx_mid.px", b.krx_mid.px.into(), v.px("KMID_PRC")),
        ("krx_mid.qty", b.krx_mid.qty.into(), v.qty("KMID_TOTAL_RSQN")),
        ("krx_mid_cls", b.krx_mid_cls.into(), v.code("KMID_CLS_CODE")),
        ("findings", b.market.findings.into(), 0),
    ];
    rows.into_iter().for_each(|(name, got, wanted)| compare(name, got, wanted));
    if v.tr == "H0STASP0" {
        compare("market_cls", b.market_cls.into(), v.code("MARKET_CLS"));
        compare("nxt_mid.px", b.nxt_mid.px.into(), i64::MAX.into());
    } else {
        compare("nxt_mid.px", b.nxt_mid.px.into(), v.px("NMID_PRC"));
        compare("nxt_mid.qty", b.nxt_mid.qty.into(), v.qty("NMID_TOTAL_RSQN"));
        compare("nxt_mid_cls", b.nxt_mid_cls.into(), v.code("NMID_CLS_CODE"));
        compare("expected_exchange", b.expected_exchange.into(), v.code("ANTC_EXCH"));
    }
}

fn check_status(v: &Values<'_>, s: &Status, compare: Compare<'_>) {
    compare("halt", s.halt.into(), v.code("TRHT_YN"));
    compare("mkop_cls", code(&s.mkop_cls), v.code("MKOP_CLS_CODE"));
    compare("expected_mkop_cls", code(&s.expected_mkop_cls), v.code("ANTC_MKOP_CLS_CODE"));
    compare("issue_status", code(&s.issue_status), v.code("ISCD_STAT_CLS_CODE"));
    compare("vi_cls", s.vi_cls.into(), v.code("VI_CLS_CODE"));
    compare("overtime_vi_cls", s.overtime_vi_cls.into(), v.code("OVTM_VI_CLS_CODE"));
    compare("exchange_cls", code(&s.exchange_cls), v.code("EXCH_CLS_CODE"));
}

fn check_program(v: &Values<'_>, p: &Program, compare: Compare<'_>) {
    compare("sell_qty", p.sell_qty.into(), v.qty("SELN_CNQN"));
    compare("sell_turnover", p.sell_turnover.into(), v.won("SELN_TR_PBMN"));
    compare("buy_qty", p.buy_qty.into(), v.qty("SHNU_CNQN"));
    compare("buy_turnover", p.buy_turnover.into(), v.won("SHNU_TR_PBMN"));
    compare("net_qty", p.net_qty.into(), v.change("NTBY_CNQN"));
    compare("net_turnover", p.net_turnover.into(), v.won("NTBY_TR_PBMN"));
    compare("sell_resting_qty", p.sell_resting_qty.into(), v.qty("SELN_RSQN"));
    compare("buy_resting_qty", p.buy_resting_qty.into(), v.qty("SHNU_RSQN"));
    compare("resting_net_qty", p.resting_net_qty.into(), v.change("WHOL_NTBY_QTY"));
}

/// Volume comes in thousands of shares, turnover in millions of won.
fn check_index(v: &Values<'_>, i: &Index, compare: Compare<'_>) {
    compare("px", i.px.into(), v.px("PRPR_NMIX"));
    compare("open_px", i.open_px.into(), v.px("OPRC_NMIX"));
    compare("high_px", i.high_px.into(), v.px("NMIX_HGPR"));
    compare("low_px", i.low_px.into(), v.px("NMIX_LWPR"));
    compare("change_px", i.change_px.into(), v.px("BSTP_NMIX_PRDY_VRSS"));
    compare("cum_qty", i.cum_qty.into(), v.number("ACML_VOL", 3, u64::MAX.into()));
    compare("cum_turnover", i.cum_turnover.into(), v.number("ACML_TR_PBMN", 10, i64::MAX.into()));
    compare("tick_qty", i.tick_qty.into(), v.qty("PCAS_VOL"));
    compare("tick_turnover", i.tick_turnover.into(), v.qty("PCAS_TR_PBMN"));
    compare("tick_change_px", i.tick_change_px.into(), v.px("TICK_VRSS"));
    compare("up_count", i.up_count.into(), v.count("ASCN_ISSU_CNT"));
    compare("down_count", i.down_count.into(), v.count("DOWN_ISSU_CNT"));
    compare("sign", i.sign.into(), v.code("PRDY_VRSS_SIGN"));
}

fn check_member(v: &Values<'_>, m: &Member, compare: Compare<'_>) {
    for n in 0..5 {
        for (entry, total, side) in [(&m.sellers[n], "SELN", "SELN"), (&m.buyers[n], "SHNU", "SHNU")] {
            let at = n + 1;
            compare("qty", entry.qty.into(), v.qty(&format!("TOTAL_{total}_QTY{at}")));
            compare("qty_change", entry.qty_change.into(), v.change(&format!("{side}_QTY_ICDC{at}")));
            compare("share", entry.share.into(), v.px(&format!("{side}_MBCR_RLIM{at}")));
            compare("code", code(&entry.code), v.code(&format!("{side}_MBCR_NO{at}")));
            compare("foreign", entry.foreign.into(), v.code(&format!("{side}_MBCR_GLOB_YN{at}")));
        }
    }
    compare("foreign_sell_qty", m.foreign_sell_qty.into(), v.qty("GLOB_TOTAL_SELN_QTY"));
    compare("foreign_buy_qty", m.foreign_buy_qty.into(), v.qty("GLOB_TOTAL_SHNU_QTY"));
    compare("foreign_net_qty", m.foreign_net_qty.into(), v.change("GLOB_NTBY_QTY"));
}

/// A time of day in Korea (UTC+9 all year) as nanoseconds since the UNIX epoch.
pub fn kst_ns(date: u32, seconds: u32) -> u64 {
    let (year, month, day) = ((date / 10_000) as i16, (date / 100 % 100) as i8, (date % 100) as i8);
    let midnight = jiff::civil::date(year, month, day).to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let midnight = midnight.expect("a day of our time").timestamp().as_second();
    (midnight as u64 + u64::from(seconds)) * 1_000_000_000
}
