//! What the engine makes of each fault in the frames of a feed: dropped, doubled, damaged, cut into pieces, late.
//!
//! Method: a simulated venue on loopback with one scripted fault, the engine in this process, the journal read back and
//! held against the venue's ledger. Trades come one a frame, so that a fault hits a known record. Faults of connections
//! are in `engine_lines.rs`.

mod rig;

use hoga::config::Placement;
use hoga::metrics::Counter;
use hoga::tick::{Findings, Flags, GapReason, REJECT_BYTES, RecordView, RejectReason, SessionEvent, UNDEF_TS};
use kis_sim::{CorruptPlace, Fault, SimConfig, unescape};
use rig::{Played, at_frame, play, play_placed, reference, sim};

const TRADES: &[&str] = &["H0STCNT0"];
const BOTH: &[&str] = &["H0STCNT0", "H0STASP0"];

/// Trades of two symbols, one a frame, continuous trading from the start.
fn trades(fault: Fault) -> SimConfig {
    SimConfig {
        max_records_per_frame: 1,
        market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
        faults: vec![at_frame(40, fault)],
        ..sim(2, 0.6, 400.0)
    }
}

/// The frame with which the fault came, as it was meant.
fn struck(played: &Played, kind: &str) -> Vec<u8> {
    let faults = played.ledger.faults(kind);
    assert_eq!(faults.len(), 1, "the fault was done once");
    faults[0]["frame"].as_str().expect("its frame").as_bytes().to_vec()
}

/// Symbol, quantity and cumulative quantity of a frame's only trade.
fn volume(frame: &[u8]) -> (String, u64, u64) {
    let text = String::from_utf8_lossy(frame).into_owned();
    let fields: Vec<&str> = text.split('|').nth(3).expect("a payload").split('^').collect();
    (fields[0].to_owned(), fields[12].parse().expect("a quantity"), fields[13].parse().expect("a sum"))
}

/// The one reject, with its reason, and the frame in `raw` that it points to.
fn only_reject(played: &Played, reason: RejectReason) -> (Vec<u8>, Vec<u8>) {
    let rejects = played.rejects();
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    let (prefix, bytes) = &rejects[0];
    assert_eq!(RejectReason::from_number(prefix.reason), Some(reason));
    assert_eq!(played.summary.counters.rejects(reason), 1);
    let frame = played.raw_payload(prefix.raw_sequence);
    assert_eq!(prefix.frame_bytes as usize, frame.len());
    (bytes.clone(), frame)
}

fn dropped_frames(placement: Placement) {
    let played = play_placed(trades(Fault::Drop { n: 7 }), TRADES, placement);
    let dropped: Vec<_> = played.ledger.dropped().iter().map(|frame| volume(frame)).collect();
    assert_eq!(dropped.len(), 7);
    let journaled = played.trades();
    // What was dropped before a symbol's first or behind its last trade shows in no sum.
    let surrounded = |(symbol, _, cum): &&(String, u64, u64)| {
        let own: Vec<u64> =
            journaled.iter().filter(|(name, _)| name == symbol).map(|(_, trade)| trade.cum_qty).collect();
        own.first().is_some_and(|first| first < cum) && own.last().is_some_and(|last| last > cum)
    };
    let missing: u64 = dropped.iter().filter(surrounded).map(|(_, qty, _)| qty).sum();
    let gaps = played.gaps();
    assert!(!gaps.is_empty() && missing > 0);
    assert_eq!(gaps.iter().map(|(_, gap)| gap.missing_qty).sum::<u64>(), missing);
    assert_eq!(played.summary.get(Counter::MissingQty), missing);
    assert_eq!(played.summary.get(Counter::Gaps), gaps.len() as u64);
    assert!(gaps.iter().all(|(_, gap)| gap.reason == GapReason::VolumeJump as u8));
    let trades: u64 = gaps.iter().map(|(_, gap)| gap.missing_trades).sum();
    assert_eq!(trades, dropped.iter().filter(surrounded).count() as u64);
    // The gap stands right before the trade that showed it, and that trade says so.
    for (place, record) in played.ticks.iter().enumerate() {
        let after_gap = place > 0 && matches!(played.ticks[place - 1].view(), RecordView::Gap(_));
        if let RecordView::Trade(trade) = record.view() {
            assert_eq!(record.has_flag(Flags::GAP_BEFORE), after_gap);
            assert_eq!(trade.market.findings, if after_gap { Findings::VOLUME_GAP } else { 0 });
        }
    }
    played.assert_volume_is_accounted_for();
    assert_eq!(played.summary.get(Counter::FramesReceived), played.venue.counts.frames_sent);
}

#[test]
fn dropped_frames_become_gap_records_with_the_exact_missing_quantity() {
    dropped_frames(Placement::Fused);
}

#[test]
fn dropped_frames_become_the_same_gap_records_when_each_stage_has_a_thread() {
    dropped_frames(Placement::Split);
}

#[test]
fn duplicates_are_kept_and_flagged_and_are_no_gap() {
    let played = play(trades(Fault::Duplicate { n: 2 }), TRADES);
    let doubled = struck(&played, "duplicate");
    let (symbol, _, cum) = volume(&doubled);
    let same = played.trades().into_iter().filter(|(name, trade)| *name == symbol && trade.cum_qty == cum);
    let findings: Vec<u32> = same.map(|(_, trade)| trade.market.findings).collect();
    assert_eq!(findings, [0, Findings::DUPLICATE, Findings::DUPLICATE]);
    assert_eq!(played.trades().iter().filter(|(_, trade)| trade.market.findings != 0).count(), 2);
    assert!(played.gaps().is_empty() && played.rejects().is_empty());
    assert_eq!(played.summary.get(Counter::RecordsJournaled), played.venue.counts.records_sent);
}

#[test]
fn a_wrong_count_is_a_reject_with_its_bytes_and_its_volume_a_gap() {
    let played = play(trades(Fault::WrongCount), TRADES);
    let (symbol, qty, _) = volume(&struck(&played, "wrong_count"));
    let (bytes, frame) = only_reject(&played, RejectReason::CountMismatch);
    assert!(frame.starts_with(b"0|H0STCNT0|002|"));
    assert_eq!(bytes, frame[..frame.len().min(REJECT_BYTES)]);
    let gaps = played.gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!((&gaps[0].0, gaps[0].1.missing_qty), (&symbol, qty));
    played.assert_volume_is_accounted_for();
}

#[test]
fn a_damaged_transaction_id_is_a_reject_with_its_bytes() {
    let played = play(trades(Fault::Corrupt { place: CorruptPlace::Header }), TRADES);
    let meant = struck(&played, "corrupt");
    let (bytes, frame) = only_reject(&played, RejectReason::UnknownTr);
    assert!(frame.starts_with(b"0|H0?TCNT0|"), "{}", frame.escape_ascii());
    assert_eq!(frame[10..], meant[10..]);
    assert_eq!(bytes, frame[..frame.len().min(REJECT_BYTES)]);
    played.assert_volume_is_accounted_for();
    assert_eq!(played.gaps().len(), 1);
}

#[test]
fn a_damaged_separator_is_a_reject_with_its_bytes() {
    let played = play(trades(Fault::Corrupt { place: CorruptPlace::Separator }), TRADES);
    let (bytes, frame) = only_reject(&played, RejectReason::BadKey);
    assert!(frame.contains(&b' '), "{}", frame.escape_ascii());
    assert_eq!(bytes, frame[..frame.len().min(REJECT_BYTES)]);
    played.assert_volume_is_accounted_for();
    assert_eq!(played.gaps().len(), 1);
}

#[test]
fn a_damaged_digit_leaves_that_field_absent_and_the_record_says_so() {
    let played = play(trades(Fault::Corrupt { place: CorruptPlace::Digits }), TRADES);
    let (symbol, qty, cum) = volume(&struck(&played, "corrupt"));
    let damaged: Vec<_> = played.trades().into_iter().filter(|(_, trade)| trade.market.findings != 0).collect();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    let (name, trade) = &damaged[0];
    assert_eq!((name, trade.qty, trade.cum_qty), (&symbol, qty, cum));
    // The first digit behind the symbol is the time's.
    assert_eq!((trade.market.findings, trade.market.ts_event), (Findings::FIELD_UNREADABLE, UNDEF_TS));
    assert!(played.gaps().is_empty() && played.rejects().is_empty());
    assert_eq!(played.summary.get(Counter::RecordsJournaled), played.venue.counts.records_sent);
}

#[test]
fn invalid_utf8_is_journaled_and_decoded() {
    let played = play(trades(Fault::InvalidUtf8), TRADES);
    let (symbol, qty, cum) = volume(&struck(&played, "invalid_utf8"));
    let payloads: Vec<Vec<u8>> = (1..=played.raw.len() as u64).map(|sequence| played.raw_payload(sequence)).collect();
    let odd: Vec<&Vec<u8>> = payloads.iter().filter(|payload| std::str::from_utf8(payload).is_err()).collect();
    assert_eq!(odd.len(), 1);
    let sent = played.ledger.frames.values().flatten().find(|frame| std::str::from_utf8(frame).is_err());
    assert_eq!(Some(odd[0]), sent, "verbatim in raw");
    assert!(played.trades().iter().any(|(name, trade)| (name, trade.qty, trade.cum_qty) == (&symbol, qty, cum)));
    assert!(played.gaps().is_empty() && played.rejects().is_empty());
    assert_eq!(played.events(SessionEvent::Disconnected).len(), 1, "only the venue's own close");
    assert_eq!(played.summary.get(Counter::RecordsJournaled), played.venue.counts.records_sent);
}

#[test]
fn a_fragmented_message_with_a_ping_inside_is_one_frame() {
    let mut sim = trades(Fault::Fragmented { parts: 4 });
    sim.max_records_per_frame = 20;
    let played = play(sim, BOTH);
    struck(&played, "fragmented");
    assert_eq!(played.summary.get(Counter::Pings), 1);
    played.assert_nothing_is_lost();
}

#[test]
fn a_slow_drip_loses_nothing() {
    let played = play(trades(Fault::SlowDrip { bytes: 13, every_ms: 2, for_ms: Some(400) }), BOTH);
    assert_eq!(played.ledger.faults("slow_drip").len(), 1);
    played.assert_nothing_is_lost();
}

#[test]
fn a_stall_loses_nothing_and_keeps_the_line() {
    let played = play(trades(Fault::Stall { ms: 300 }), BOTH);
    assert_eq!(played.ledger.faults("stall").len(), 1);
    played.assert_nothing_is_lost();
    assert_eq!(played.events(SessionEvent::Disconnected).len(), 1, "only the venue's own close");
}

#[test]
fn a_ping_is_counted_and_the_line_goes_on() {
    let played = play(trades(Fault::Ping { payload: "are you there".to_owned() }), BOTH);
    assert_eq!(played.summary.get(Counter::Pings), 1);
    played.assert_nothing_is_lost();
}

#[test]
fn a_pong_nobody_asked_for_changes_nothing() {
    let played = play(trades(Fault::Pong), BOTH);
    assert_eq!(played.ledger.faults("pong").len(), 1);
    played.assert_nothing_is_lost();
}

#[test]
fn every_kind_of_frame_arrives_whole_with_several_records_a_frame() {
    let trs =
        ["H0STCNT0", "H0STASP0", "H0UNCNT0", "H0UNASP0", "H0NXCNT0", "H0NXASP0", "H0STMBC0", "H0STPGM0", "H0UNMKO0"];
    let played = play(sim(3, 1.5, 800.0), &trs);
    played.assert_nothing_is_lost();
    assert!(played.ticks.iter().any(|record| record.has_flag(Flags::BATCHED)));
}

#[test]
fn the_smallest_rings_that_may_be_configured_lose_nothing() {
    for (message_kib, frame_ring_mib) in [(1024, 2), (3072, 6)] {
        let mut stage = rig::Stage::new(sim(8, 1.0, 8000.0), BOTH);
        stage.config.engine.placement = Placement::Split;
        stage.config.engine.max_message_kib = message_kib;
        stage.config.journal.segment_mib = 8;
        (stage.config.engine.frame_ring_mib, stage.config.engine.record_ring_mib) = (frame_ring_mib, 4);
        stage.config.check().expect("it may be configured");
        let engine = stage.engine(hoga::feed::kis::session::Leave::WhenClosed);
        rig::wait_until("the end of the run", || engine.is_finished());
        stage.end(engine).assert_nothing_is_lost();
    }
}

#[test]
fn the_ledgers_escapes_are_undone() {
    assert_eq!(unescape(b"a\\x5Cb\\xB0").as_deref(), Some(&b"a\\b\xB0"[..]));
    assert_eq!(reference::split(b"0|H0STASP0|002|1^2^3^4").len(), 2);
    assert_eq!(reference::kst_ns(19_700_102, 9 * 3600), 86_400_000_000_000);
}
