//! Layout tests: sizes, alignments, offsets. A change here is a change of the format.

use std::mem::{align_of, offset_of, size_of};

use super::*;

macro_rules! layout {
    ($($name:ident: $kind:ty = $size:literal { $($field:ident @ $offset:literal),* $(,)? })*) => {$(
        #[test]
        fn $name() {
            assert_eq!(size_of::<$kind>(), $size, "size of {}", stringify!($kind));
            assert_eq!(align_of::<$kind>(), 8);
            $(assert_eq!(offset_of!($kind, $field), $offset, "{}.{}", stringify!($kind), stringify!($field));)*
        }
    )*};
}

layout! {
    header: Header = 40 { length @ 0, crc32c @ 4, sequence @ 8, ts_recv @ 16, instrument_id @ 24, flags @ 28, publisher @ 32, line @ 34, rtype @ 36, version @ 37, reserved @ 38 }
    market: Market = 48 { ts_event @ 0, raw_sequence @ 8, recv_window_ns @ 16, read_ns @ 20, decoded_ns @ 24, committed_ns @ 28, findings @ 32, tr @ 36, width @ 38, frame_index @ 40, frame_count @ 42, reserved @ 44 }
    trade: Trade = 256 { header @ 0, market @ 40, px @ 88, qty @ 96, cum_qty @ 104, cum_turnover @ 112, cum_sell_qty @ 120, cum_buy_qty @ 128, open_px @ 136, high_px @ 144, low_px @ 152, vwap_px @ 160, change_px @ 168, bid_px @ 176, ask_px @ 184, bid_qty @ 192, ask_qty @ 200, total_bid_qty @ 208, total_ask_qty @ 216, vi_px @ 224, sell_count @ 232, buy_count @ 236, business_date @ 240, side @ 244, sign @ 245, hour_cls @ 246, market_cls @ 247, mkop_cls @ 248, halt @ 252, side_code @ 253, reserved @ 254 }
    book: Book = 256 { header @ 0, market @ 40, total_bid_qty @ 88, total_ask_qty @ 96, total_bid_change @ 104, total_ask_change @ 112, overtime_bid_qty @ 120, overtime_ask_qty @ 128, overtime_bid_change @ 136, overtime_ask_change @ 144, cum_qty @ 152, expected_px @ 160, expected_qty @ 168, expected_volume @ 176, expected_change_px @ 184, krx_mid @ 192, nxt_mid @ 208, reserved_words @ 224, krx_mid_cls @ 240, nxt_mid_cls @ 241, expected_sign @ 242, hour_cls @ 243, market_cls @ 244, expected_exchange @ 245, deal_cls @ 246, levels @ 247, reserved @ 248 }
    level: Level = 40 { bid_px @ 0, ask_px @ 8, bid_qty @ 16, ask_qty @ 24, bid_count @ 32, ask_count @ 36 }
    book_buffer: BookBuffer = 656 { book @ 0, levels @ 256 }
    expected: Expected = 200 { px @ 88, qty @ 96, cum_qty @ 104, cum_turnover @ 112, change_px @ 120, bid_px @ 128, ask_px @ 136, bid_qty @ 144, ask_qty @ 152, total_bid_qty @ 160, total_ask_qty @ 168, vi_px @ 176, business_date @ 184, sign @ 188, hour_cls @ 189, market_cls @ 190, halt @ 191, mkop_cls @ 192, reserved @ 196 }
    status: Status = 176 { reason @ 88, mkop_cls @ 152, expected_mkop_cls @ 156, time_cls @ 160, allotment_cls @ 162, issue_status @ 164, exchange_cls @ 168, halt @ 172, vi_cls @ 173, overtime_vi_cls @ 174, source @ 175 }
    index: Index = 200 { px @ 88, open_px @ 96, high_px @ 104, low_px @ 112, change_px @ 120, cum_qty @ 128, cum_turnover @ 136, tick_qty @ 144, tick_turnover @ 152, tick_change_px @ 160, upper_limit_count @ 168, up_count @ 172, unchanged_count @ 176, down_count @ 180, lower_limit_count @ 184, business_date @ 188, sign @ 192 }
    nav: Nav = 136 { px @ 88, open_px @ 96, high_px @ 104, low_px @ 112, change_px @ 120, sign @ 128 }
    program: Program = 208 { sell_qty @ 88, sell_turnover @ 96, buy_qty @ 104, buy_turnover @ 112, net_qty @ 120, net_turnover @ 128, sell_resting_qty @ 136, buy_resting_qty @ 144, resting_net_qty @ 152, arbitrage_net_qty @ 160, arbitrage_net_turnover @ 168, other_net_qty @ 176, other_net_turnover @ 184, cum_qty @ 192, cum_turnover @ 200 }
    member_entry: MemberEntry = 32 { qty @ 0, qty_change @ 8, share @ 16, code @ 24, foreign @ 31 }
    member: Member = 448 { sellers @ 88, buyers @ 248, foreign_sell_qty @ 408, foreign_buy_qty @ 416, foreign_sell_change @ 424, foreign_buy_change @ 432, foreign_net_qty @ 440 }
    bar: Bar = 160 { interval_ns @ 88, open_px @ 96, high_px @ 104, low_px @ 112, close_px @ 120, qty @ 128, turnover @ 136, cum_qty @ 144, cum_turnover @ 152 }
    other: OtherPrefix = 96 { stored @ 88, reserved @ 92 }
    instrument: Instrument = 104 { key @ 40, currency @ 88, qty_decimals @ 92, px_decimals @ 93, tick_rule @ 94, reserved @ 95, turnover_unit @ 96 }
    gap: Gap = 120 { gap_id @ 40, cum_qty_before @ 48, cum_qty_after @ 56, missing_qty @ 64, missing_turnover @ 72, missing_trades @ 80, from_ts @ 88, to_ts @ 96, raw_sequence @ 104, reason @ 112 }
    repair: Repair = 120 { gap_id @ 40, cum_qty_before @ 48, cum_qty_after @ 56, filled_qty @ 64, filled_turnover @ 72, filled_trades @ 80, from_ts @ 88, to_ts @ 96, missing_qty @ 104, reserved @ 112 }
    reject: RejectPrefix = 64 { raw_sequence @ 40, frame_bytes @ 48, stored @ 52, tr @ 54, reason @ 56 }
    session: Session = 168 { value @ 40, tr_key @ 48, code @ 80, text @ 96, tr @ 160, close_code @ 162, event @ 164, reason @ 165 }
    clock: Clock = 88 { offset_ns @ 40, error_ns @ 48, anchor_wall_ns @ 56, anchor_market_ns @ 64, scale_ppb @ 72, source @ 80 }
    end: End = 64 { next_ordinal @ 40, market_records @ 48, reason @ 56 }
    hole: Hole = 72 { first_sequence @ 40, last_sequence @ 48, bytes @ 56, reason @ 64, reserved @ 65 }
    raw: RawPrefix = 56 { recv_window_ns @ 40, read_ns @ 44, payload_bytes @ 48, opcode @ 52 }
}

#[test]
fn every_kind_and_publisher_keeps_its_number() {
    assert!(RType::ALL.iter().all(|kind| RType::from_number(*kind as u8) == Some(*kind)));
    assert!(Publisher::ALL.iter().all(|publisher| Publisher::from_number(*publisher as u16) == Some(*publisher)));
    assert_eq!((RType::Trade as u8, RType::Other as u8, RType::Instrument as u8, RType::Raw as u8), (1, 10, 32, 64));
    assert_eq!((tr_number("H0BICNT0"), tr_name(1)), (Some(1), Some("H0BICNT0")));
    assert_eq!(tr_number("HDFSCNT0"), Some(63));
    assert_eq!((tr_name(0), tr_name(64)), (None, None));
}
