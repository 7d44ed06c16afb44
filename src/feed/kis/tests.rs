//! The traps of this feed, one sentence each.

use super::layout::{Form, Layout, LayoutTable};
use super::twin::{Kept, decoded, frame};
use super::{Decoder, DecoderConfig};
use crate::feed::FrameContext;
use crate::tick::*;

fn layout(tr: &str) -> Layout {
    LayoutTable::builtin().get(tr).unwrap().clone()
}

/// A record of a width with every field `1`, but for key, time and what is named.
fn record(tr: &str, width: usize, named: &[(&str, &str)]) -> Vec<String> {
    let layout = layout(tr);
    let mut fields = vec!["1".to_owned(); width];
    let dates = ["BSOP_DATE", "STND_DATE1", "TYMD", "KYMD", "BSNS_DATE", "RECV_DATE"].map(|name| (name, "20260914"));
    let time = layout.time.as_deref().map(|time| (time, "093000"));
    for (name, value) in
        dates.into_iter().chain([("MKSC_SHRN_ISCD", "005930")]).chain(time).chain(named.iter().copied())
    {
        if let Some(place) = layout.position(name).filter(|place| usize::from(*place) < width) {
            fields[usize::from(place)] = value.to_owned();
        }
    }
    fields
}

fn one(tr: &str, fields: Vec<String>) -> Kept {
    decoded(&frame(tr, &[fields]))
}

/// The one market record of a decoded frame, as a kind.
macro_rules! only {
    ($kept:expr, $kind:ident) => {
        match &$kept {
            kept => {
                let market = kept.market();
                assert_eq!(market.len(), 1, "{:?}", kept.reasons());
                let Some(RecordView::$kind(record, ..)) = view(market[0]) else { panic!("a {}", stringify!($kind)) };
                record.into_owned()
            }
        }
    };
}

fn flags(kept: &Kept) -> Flags {
    Flags(bytemuck::pod_read_unaligned::<Header>(&kept.market()[0][..HEADER_BYTES]).flags)
}

#[test]
fn every_record_of_a_frame_comes_out_in_order() {
    let records: Vec<Vec<String>> = (0..19)
        .map(|n| record("H0STCNT0", 47, &[("CNTG_VOL", "10"), ("ACML_VOL", &(1000 + n * 10).to_string())]))
        .collect();
    let kept = decoded(&frame("H0STCNT0", &records));
    let trades: Vec<Trade> = kept.market().iter().map(|bytes| bytemuck::pod_read_unaligned(bytes)).collect();
    assert_eq!(trades.len(), 19);
    for (n, trade) in trades.iter().enumerate() {
        assert_eq!(
            (trade.cum_qty, trade.market.frame_index, trade.market.frame_count),
            (1000 + n as u64 * 10, n as u16, 19)
        );
        assert!(Flags(trade.header.flags).has(Flags::BATCHED));
        assert_eq!((trade.market.findings, trade.market.width), (0, 47), "cumulative volume goes on inside a frame");
    }
    assert!(matches!(kept.views()[0], RecordView::Instrument(_)), "the instrument is declared first");
    assert_eq!(kept.0.len(), 20, "and once");
}

#[test]
fn a_field_more_or_less_changes_no_other_field() {
    for width in [46, 47, 48, 60] {
        let fields =
            record("H0STCNT0", width, &[("STCK_PRPR", "71900"), ("VI_STND_PRC", "72100"), ("MARKET_CLS_CODE", "3")]);
        let kept = one("H0STCNT0", fields);
        let trade = only!(kept, Trade);
        assert_eq!((trade.px, trade.vi_px), (71_900 * PX_SCALE, 72_100 * PX_SCALE));
        assert_eq!(trade.market_cls, if width > 46 { b'3' } else { 0 }, "{width}");
        assert_eq!(flags(&kept).has(Flags::SCHEMA_EXTRA), width > 47, "{width}");
    }
    for (tr, widths) in [("H0STASP0", [59, 62, 63, 64]), ("H0UNASP0", [59, 65, 66, 70])] {
        for width in widths {
            let kept = one(tr, record(tr, width, &[("ASKP1", "71900"), ("TOTAL_BIDP_RSQN", "77")]));
            let book = only!(kept, Book);
            assert_eq!(book.total_bid_qty, 77);
            assert_eq!(book.krx_mid.px != UNDEF_PX, width >= 62, "{tr} {width}");
            assert_eq!(flags(&kept).has(Flags::SCHEMA_EXTRA), width == widths[3], "{tr} {width}");
        }
    }
}

#[test]
fn a_new_width_is_reported_once() {
    let mut decoder = Decoder::new(DecoderConfig::default());
    let mut kept = Kept::default();
    for width in [47, 46, 48, 48, 49, 48] {
        let frame = frame("H0STCNT0", &[record("H0STCNT0", width, &[])]);
        decoder.decode(&FrameContext::default(), &frame, || 0, &mut kept);
    }
    let views = kept.views();
    let reported: Vec<u64> = views
        .iter()
        .filter_map(|view| match view {
            RecordView::Session(session) => {
                assert_eq!((session.event, tr_name(session.tr)), (SessionEvent::SchemaChanged as u8, Some("H0STCNT0")));
                Some(session.value)
            }
            _ => None,
        })
        .collect();
    assert_eq!(reported, [48, 49]);
    assert_eq!((decoder.counters().schema_changes, decoder.counters().schema_extra), (2, 4));
}

#[test]
fn the_unified_status_has_its_symbol_first() {
    let kept = decoded(b"0|H0UNMKO0|001|003160^N^(null)^AB1^311^^^55^Y^");
    let status = only!(kept, Status);
    assert_eq!((status.halt, status.vi_cls, status.overtime_vi_cls), (b'N', b'Y', 0));
    assert_eq!((&status.mkop_cls, &status.issue_status, status.reason[0]), (b"AB1\0", b"55\0\0", 0));
    assert!(flags(&kept).has(Flags::VI) && !flags(&kept).has(Flags::HALT));
    assert!(!flags(&decoded(b"0|H0UNMKO0|001|003160^N^(null)^AB1^112^^^55^N^")).has(Flags::VI));
}

#[test]
fn a_status_laid_out_as_the_published_table_is_rejected_not_misread() {
    let kept = decoded(b"0|H0UNMKO0|001|N^(null)^AB1^311^^^55^Y^N^1");
    assert_eq!(kept.reasons(), [RejectReason::BadKey]);
    assert!(kept.market().is_empty());
}

#[test]
fn a_status_may_have_its_exchange_or_not() {
    let status = only!(decoded(b"0|H0STMKO0|001|396300^Y^^112^311^^^58^N^N"), Status);
    assert_eq!(status.exchange_cls, [0; 4]);
    let kept = decoded(b"0|H0STMKO0|001|396300^N^^112^311^^^58^N^N^1");
    assert_eq!(&only!(kept, Status).exchange_cls, b"1\0\0\0");
    assert!(flags(&kept).has(Flags::HALT), "by its issue status");
}

#[test]
fn a_nav_is_eight_fields_and_an_expected_index_fifteen() {
    let nav = only!(decoded(b"0|H0STNAV0|001|069500^37235.46^5^-381.26^-1.01^37646.25^37646.25^37202.10"), Nav);
    assert_eq!((nav.px, nav.change_px, nav.low_px), (37_235_460_000_000, -381_260_000_000, 37_202_100_000_000));
    let expected = only!(
        decoded(b"0|H0UPANC0|001|0001^085910^2607.71^2^15.85^5424^192338^5424^192338^0.61^0^439^201^251^201"),
        Expected
    );
    assert_eq!(
        (expected.px, expected.cum_qty, expected.cum_turnover),
        (2_607_710_000_000, 5_424_000, 192_338_000_000 * TURNOVER_SCALE)
    );
    let mut wide = record("H0UPANC0", 15, &[("PRPR_NMIX", "2607.71")]);
    wide.resize(30, "7".to_owned());
    assert_eq!(only!(one("H0UPANC0", wide), Expected).px, 2_607_710_000_000);
}

#[test]
fn index_quantities_are_in_shares_and_won() {
    let index =
        only!(one("H0UPCNT0", record("H0UPCNT0", 30, &[("ACML_VOL", "63952"), ("ACML_TR_PBMN", "1650684")])), Index);
    assert_eq!((index.cum_qty, index.cum_turnover), (63_952_000, 1_650_684_000_000 * TURNOVER_SCALE));
}

#[test]
fn overseas_frames_begin_with_the_registered_key() {
    let trade = "DNASAAPL^AAPL^4^20230502^20230502^091912^20230502^221912^169.9200^170.1000^169.4200^169.7850^5^0.1950^-0.11^169.7700^169.7900^201^5^1^108464^18414163^24757^20513^82.86^1";
    let kept = decoded(format!("0|HDFSCNT0|001|{trade}").as_bytes());
    let Some(RecordView::Instrument(instrument)) = view(&kept.0[0]) else { panic!("an instrument") };
    assert_eq!((instrument.key.market().as_ref(), instrument.key.symbol().as_ref()), ("NAS", "AAPL"));
    assert_eq!(&instrument.currency, b"USD\0");
    let trade = only!(kept, Trade);
    assert_eq!(
        (trade.px, trade.qty, trade.change_px),
        (169_785_000_000, 1, -195_000_000),
        "the sign has the direction"
    );
    assert_eq!(trade.market.ts_event, 1_683_033_552_000_000_000, "Korean date and time");
    assert_eq!(trade.business_date, 20_230_502);
    assert!(!flags(&kept).has(Flags::DELAYED), "D is the free real-time feed in the United States");
    let without_key =
        decoded(b"0|HDFSCNT0|001|AAPL^4^20230502^20230502^091912^20230502^221912^1^1^1^1^2^1^1^1^1^1^1^1^1^1^1^1^1^1");
    assert_eq!(without_key.reasons(), [RejectReason::TooNarrow]);
}

#[test]
fn an_overseas_book_has_ten_levels_in_seventy_one_fields_and_one_in_seventeen() {
    let head = "DHKS00003^00003^3^20260710^105334^20260710^115334^1621^1950^-1200^-735";
    let level = |n: u32| format!("^{}.5^{}.7^{n}^{}^0^0", 700 - n, 700 + n, n + 100);
    let levels: String = (1..=10).map(level).collect();
    let kept = decoded(format!("0|HDFSASP0|001|{head}{levels}").as_bytes());
    let market = kept.market();
    let Some(RecordView::Book(book, levels)) = view(market[0]) else { panic!("a book") };
    assert_eq!((book.market.width, levels.len(), book.total_bid_qty, book.total_ask_change), (71, 10, 1621, -735));
    assert_eq!((levels[9].bid_px, levels[9].ask_qty), (690_500_000_000, 110));
    assert!(flags(&kept).has(Flags::DELAYED));
    for tr in ["HDFSASP0", "HDFSASP1"] {
        let kept = decoded(format!("0|{tr}|001|{head}{}", level(1)).as_bytes());
        let Some(RecordView::Book(book, levels)) = view(kept.market()[0]) else { panic!("a book") };
        assert_eq!((book.levels, levels.len(), levels[0].ask_px), (1, 1, 701_700_000_000));
        assert!(flags(&kept).has(Flags::DELAYED));
    }
}

#[test]
fn the_mid_price_of_a_nextrade_book_is_found_by_its_width() {
    for (width, krx, nxt) in
        [(59, None, None), (61, None, None), (62, None, Some(9)), (64, None, None), (65, Some(9), Some(12))]
    {
        let mut fields = record("H0NXASP0", width, &[]);
        for (place, value) in [(59, "9"), (62, "12")] {
            if place < width {
                fields[place] = value.to_owned();
            }
        }
        let book = only!(one("H0NXASP0", fields), Book);
        let px = |mid: MidPrice| (mid.px != UNDEF_PX).then_some(mid.px / PX_SCALE);
        assert_eq!((px(book.krx_mid), px(book.nxt_mid)), (krx, nxt), "{width}");
    }
}

#[test]
fn an_overtime_book_narrower_than_captured_counts_only_if_its_totals_are_sums() {
    let totals = [("TOTAL_ASKP_RSQN", "10"), ("TOTAL_BIDP_RSQN", "10")];
    assert_eq!(only!(one("H0STOAA0", record("H0STOAA0", 54, &totals)), Book).total_ask_qty, 10);
    let kept = one("H0STOAA0", record("H0STOAA0", 54, &[]));
    assert!(matches!(view(kept.market()[0]), Some(RecordView::Other(..))));
    assert_eq!(only!(one("H0STOAA0", record("H0STOAA0", 58, &[])), Book).levels, 10);
}

#[test]
fn a_layout_that_sources_contradict_each_other_on_is_kept_as_bytes() {
    for width in [38, 68] {
        let fields = record("H0ZFASP0", width, &[]);
        let kept = one("H0ZFASP0", fields.clone());
        let Some(RecordView::Other(other, bytes)) = view(kept.market()[0]) else { panic!("other") };
        assert_eq!(bytes, fields.join("^").as_bytes());
        assert_eq!((other.market.width, other.market.ts_event), (width as u16, 34_200_000_000_000));
    }
}

#[test]
fn bytes_that_are_no_utf8_spoil_nothing() {
    let frame = [&b"0|H0STMKO0|001|396300^Y^\xb0\xc5\xb7\xa1^112^311^^^58^N^N"[..]].concat();
    let status = only!(decoded(&frame), Status);
    assert_eq!(&status.reason[..5], b"\xb0\xc5\xb7\xa1\0");
    let mut frame = frame_of_trade();
    let place = frame.iter().rposition(|byte| *byte == b'^').unwrap();
    frame.splice(place.., b"^\xff\xfe".iter().copied());
    let trade = only!(decoded(&frame), Trade);
    assert_eq!((trade.px, trade.market_cls), (PX_SCALE, 0));
}

fn frame_of_trade() -> Vec<u8> {
    frame("H0STCNT0", &[record("H0STCNT0", 47, &[])])
}

#[test]
fn empty_fields_at_the_end_are_fields() {
    let mut fields = record("H0STMBC0", 78, &[]);
    for field in &mut fields[68..] {
        field.clear();
    }
    assert_eq!(only!(one("H0STMBC0", fields), Member).market.width, 78);
    let fields: Vec<String> = record("H0STANC0", 45, &[("MRKT_TRTM_CLS_CODE", "")]);
    assert_eq!(only!(one("H0STANC0", fields), Expected).vi_px, UNDEF_PX);
}

#[test]
fn a_frame_that_cannot_be_split_is_rejected_with_its_bytes() {
    use RejectReason::*;
    let trade = record("H0STCNT0", 47, &[]).join("^");
    for (frame, reason) in [
        ("hello".to_owned(), UnknownMessage),
        ("2|H0STCNT0|001|x".to_owned(), UnknownMessage),
        ("0|H0STCNT0".to_owned(), BadFrame),
        ("0|H0STCNT0|001".to_owned(), BadFrame),
        ("0||001|x".to_owned(), BadFrame),
        (format!("0|H0STCNT0|000|{trade}"), BadCount),
        (format!("0|H0STCNT0|abc|{trade}"), BadCount),
        (format!("0|H0STCNT9|001|{trade}"), UnknownTr),
        (format!("0|H0STCNT0|002|{trade}"), CountMismatch),
        (format!("0|H0STCNT0|002|{trade}^{trade}^"), CountMismatch),
        ("0|H0STCNT0|001|005930^093000^1".to_owned(), TooNarrow),
        (format!("0|H0STCNT0|001|{}", trade.replacen("005930", "", 1)), BadKey),
        (format!("0|H0STCNT0|001|{}", trade.replacen("005930", &"9".repeat(33), 1)), BadKey),
        (format!("0|H0STCNT0|001|{}", "1^".repeat(5000)), TooManyFields),
    ] {
        let kept = decoded(frame.as_bytes());
        assert_eq!(kept.0.len(), 1, "{frame}");
        let Some(RecordView::Reject(reject, bytes)) = view(&kept.0[0]) else { panic!("a reject") };
        assert_eq!(RejectReason::from_number(reject.reason), Some(reason), "{frame}");
        assert_eq!(bytes, &frame.as_bytes()[..frame.len().min(REJECT_BYTES)]);
        assert_eq!(reject.frame_bytes as usize, frame.len());
    }
}

#[test]
fn a_split_whose_later_records_have_no_key_is_no_split() {
    let first = record("H0STCNT0", 47, &[]);
    for (key, time, good) in [
        ("005930", "093000", true),
        ("000660", "093000", true),
        ("0074K0", "093000", true),
        ("308000", "5", false),
        ("093000", "71900", false),
        ("61000", "093000", false),
        ("", "093000", false),
        ("-10000", "093000", false),
    ] {
        let second = record("H0STCNT0", 47, &[("MKSC_SHRN_ISCD", key), ("STCK_CNTG_HOUR", time)]);
        let kept = decoded(&frame("H0STCNT0", &[first.clone(), second]));
        let want: &[RejectReason] = if good { &[] } else { &[RejectReason::KeyMismatch] };
        assert_eq!((kept.reasons(), kept.market().len()), (want.to_vec(), if good { 2 } else { 0 }), "{key}");
    }
    // A value more in the first record and one less in the second: the count divides, the split is wrong.
    let shifted = format!("{}^1^{}", first.join("^"), first[..46].join("^"));
    let kept = decoded(format!("0|H0STCNT0|002|{shifted}").as_bytes());
    assert_eq!(kept.reasons(), [RejectReason::KeyMismatch]);
}

#[test]
fn a_trade_without_price_or_quantity_is_rejected_alone() {
    for (name, value) in [("STCK_PRPR", ""), ("STCK_PRPR", "x"), ("CNTG_VOL", ""), ("CNTG_VOL", "-5")] {
        let good = record("H0STCNT0", 47, &[]);
        let bad = record("H0STCNT0", 47, &[(name, value)]);
        let kept = decoded(&frame("H0STCNT0", &[good.clone(), bad.clone(), good]));
        assert_eq!((kept.reasons(), kept.market().len()), (vec![RejectReason::BadNumber], 2), "{name} {value}");
        let views = kept.views();
        let Some(RecordView::Reject(_, bytes)) = views.iter().find(|view| matches!(view, RecordView::Reject(..)))
        else {
            panic!("a reject")
        };
        assert_eq!(*bytes, bad.join("^").as_bytes());
    }
    let kept = one("H0STCNT0", record("H0STCNT0", 47, &[("WGHN_AVRG_STCK_PRC", "x"), ("ACML_TR_PBMN", "")]));
    let trade = only!(kept, Trade);
    assert_eq!((trade.vwap_px, trade.cum_turnover), (UNDEF_PX, UNDEF_TURNOVER));
    assert_eq!(trade.market.findings, Findings::FIELD_UNREADABLE);
}

#[test]
fn account_notices_leave_nothing_but_their_length() {
    for frame in
        ["1|H0STCNI0|001|c2VjcmV0", "0|H0STCNI0|001|someone^c2VjcmV0", "1|H0STCNT0|001|c2VjcmV0", "1|X|001|c2VjcmV0"]
    {
        let kept = decoded(frame.as_bytes());
        let Some(RecordView::Reject(reject, bytes)) = view(&kept.0[0]) else { panic!("a reject") };
        assert_eq!((kept.reasons(), bytes.len()), (vec![RejectReason::Encrypted], 0));
        assert_eq!(reject.frame_bytes as usize, frame.len());
    }
    let kept = decoded(b"1|H0STCNI0 c2VjcmV0");
    assert!(matches!(view(&kept.0[0]), Some(RecordView::Reject(_, []))));
}

#[test]
fn auctions_interruptions_and_halts_are_flagged() {
    let of = |named: &[(&str, &str)]| flags(&one("H0STCNT0", record("H0STCNT0", 47, named))).0;
    let extra = Flags::AUCTION | Flags::VI | Flags::HALT;
    for (named, want) in [
        (&[("HOUR_CLS_CODE", "0")][..], 0),
        (&[("HOUR_CLS_CODE", "A")], Flags::AUCTION),
        (&[("HOUR_CLS_CODE", "B")], Flags::AUCTION),
        (&[("HOUR_CLS_CODE", "C")], Flags::AUCTION | Flags::VI),
        (&[("HOUR_CLS_CODE", "D")], Flags::AUCTION),
        (&[("CCLD_DVSN", "3")], Flags::AUCTION),
        (&[("TRHT_YN", "Y")], Flags::HALT),
    ] {
        assert_eq!(of(named) & extra, want, "{named:?}");
    }
    let side = |code| only!(one("H0STCNT0", record("H0STCNT0", 47, &[("CCLD_DVSN", code)])), Trade).side;
    assert_eq!(
        ["1", "5", "3", "", "9"].map(side),
        [Side::Buy, Side::Sell, Side::Auction, Side::Unknown, Side::Unknown].map(|side| side as u8)
    );
}

#[test]
fn only_a_price_off_every_tick_is_certainly_the_mid_price() {
    let of = |px: &str, bid: &str, ask: &str| {
        let kept = one("H0STCNT0", record("H0STCNT0", 47, &[("STCK_PRPR", px), ("BIDP1", bid), ("ASKP1", ask)]));
        flags(&kept).has(Flags::MID_PRICE)
    };
    assert!(of("4997.5", "4995", "5000"));
    assert!(of("1000.5", "1000", "1001"));
    assert!(!of("61050", "61000", "61100"), "a tick of the fund table");
    assert!(!of("4997.5", "4990", "5000"), "not the mean");
    assert!(!of("61000", "61000", "61100") && !of("1", "0", "2") && !of("-1", "1", ""));
}

#[test]
fn the_date_is_the_feeds_or_the_nearest() {
    let trade = only!(one("H0STCNT0", record("H0STCNT0", 47, &[])), Trade);
    assert_eq!((trade.market.ts_event, trade.business_date), (1_789_345_800_000_000_000, 20_260_914));
    let mut decoder = Decoder::new(DecoderConfig::default());
    let mut kept = Kept::default();
    let context = FrameContext { market_now_ns: Some(1_789_345_801_000_000_000), ..FrameContext::default() };
    decoder.decode(&context, &frame("H0STASP0", &[record("H0STASP0", 63, &[])]), || 0, &mut kept);
    assert_eq!(only!(kept, Book).market.ts_event, 1_789_345_800_000_000_000);
    assert!(flags(&kept).has(Flags::EVENT_DATE_INFERRED | Flags::EVENT_TS_SECOND));
    let kept = one("H0STASP0", record("H0STASP0", 63, &[("BSOP_HOUR", "999999")]));
    let book = only!(kept, Book);
    assert_eq!((book.market.ts_event, book.market.findings), (UNDEF_TS, Findings::FIELD_UNREADABLE));
}

#[test]
fn a_jump_of_volume_leaves_a_gap_record_before_the_trade() {
    let mut decoder = Decoder::new(DecoderConfig::default());
    let mut kept = Kept::default();
    let context = FrameContext { raw_sequence: 7, line: 3, flags: Flags::RECOVERED, ..FrameContext::default() };
    for (qty, cum) in [("10", "1000"), ("10", "1050"), ("10", "1050")] {
        let named =
            [("STCK_PRPR", "100"), ("CNTG_VOL", qty), ("ACML_VOL", cum), ("ACML_TR_PBMN", &format!("{cum}00")[..])];
        decoder.decode(&context, &frame("H0UNCNT0", &[record("H0UNCNT0", 47, &named)]), || 5, &mut kept);
    }
    let views = kept.views();
    let [
        RecordView::Instrument(_),
        RecordView::Trade(_),
        RecordView::Gap(gap),
        RecordView::Trade(trade),
        RecordView::Trade(again),
    ] = &views[..]
    else {
        panic!("{views:?}")
    };
    assert_eq!((gap.missing_qty, gap.cum_qty_before, gap.cum_qty_after, gap.gap_id), (40, 1000, 1040, 1));
    assert_eq!(gap.missing_turnover, 40 * 100 * TURNOVER_SCALE);
    assert_eq!((gap.header.instrument_id, gap.header.publisher, gap.header.line), (1, Publisher::KisUn as u16, 3));
    assert_eq!(trade.market.findings, Findings::VOLUME_GAP);
    assert!(Flags(trade.header.flags).has(Flags::GAP_BEFORE | Flags::RECOVERED));
    assert_eq!((trade.market.raw_sequence, trade.market.decoded_ns, trade.header.version), (7, 5, RECORD_VERSION));
    assert_eq!(again.market.findings, Findings::DUPLICATE);
    assert_eq!((decoder.counters().gaps, decoder.counters().gap_qty, decoder.counters().duplicates), (1, 40, 1));
}

#[test]
fn one_instrument_has_one_id_on_all_venues_and_a_full_table_rejects() {
    let mut decoder = Decoder::new(DecoderConfig { instruments_max: 1, ..DecoderConfig::default() });
    let mut kept = Kept::default();
    for tr in ["H0STCNT0", "H0NXCNT0", "H0UNCNT0"] {
        decoder.decode(&FrameContext::default(), &frame(tr, &[record(tr, 47, &[])]), || 0, &mut kept);
    }
    let ids: Vec<u32> =
        kept.market().iter().map(|bytes| bytemuck::pod_read_unaligned::<Trade>(bytes).header.instrument_id).collect();
    assert_eq!(ids, [1, 1, 1]);
    let other = record("H0STCNT0", 47, &[("MKSC_SHRN_ISCD", "000660")]);
    decoder.decode(&FrameContext::default(), &frame("H0STCNT0", &[other]), || 0, &mut kept);
    assert_eq!(kept.reasons(), [RejectReason::InstrumentsFull]);
}

#[test]
fn control_frames_are_counted_and_left_alone() {
    let mut decoder = Decoder::new(DecoderConfig::default());
    let mut kept = Kept::default();
    for frame in [&b"{\"header\":{\"tr_id\":\"PINGPONG\"}}"[..], b" {}", b"{"] {
        decoder.decode(&FrameContext::default(), frame, || 0, &mut kept);
    }
    assert!(kept.0.is_empty());
    assert_eq!((decoder.counters().control_frames, decoder.counters().frames), (3, 0));
}

#[test]
fn every_transaction_decodes_a_frame_of_each_of_its_widths_into_its_kind() {
    for layout in LayoutTable::builtin().transactions.iter().filter(|layout| layout.form != Form::Notice) {
        for width in layout.widths.iter().map(|width| usize::from(width.width)) {
            for count in [1, 2, 5] {
                let named = [("RSYM", "DHKS00003"), ("SYMB", "00003")];
                let kept = decoded(&frame(&layout.tr, &vec![record(&layout.tr, width, &named); count]));
                let market = kept.market();
                assert_eq!((market.len(), kept.reasons()), (count, vec![]), "{} {width}", layout.tr);
                for bytes in market {
                    assert_eq!(RType::from_number(bytes[36]).unwrap().name(), layout.kind, "{}", layout.tr);
                    let market: Market = bytemuck::pod_read_unaligned(&bytes[HEADER_BYTES..][..MARKET_PREFIX_BYTES]);
                    assert_eq!((tr_name(market.tr), usize::from(market.width)), (Some(layout.tr.as_str()), width));
                    assert_eq!(market.findings & !Findings::DUPLICATE, 0, "{}", layout.tr);
                }
                assert!(!flags(&kept).has(Flags::SCHEMA_EXTRA), "{} {width}", layout.tr);
            }
        }
    }
}
