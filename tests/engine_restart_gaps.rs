//! What an engine makes of a journal whose writer died among gaps, rejects and changes of schema, and of one whose stream
//! `raw` was switched off in between: everything is said exactly once.
//!
//! Method: a venue plays handmade frames; the journal is written anew, short of its last records, for each number of
//! records kept, and opened.

mod rig;

use std::path::Path;

use hoga::config::Placement;
use hoga::engine::{Engine, Options};
use hoga::feed::kis::session::Leave;
use hoga::journal::{Journal, JournalConfig, Stream, StreamWriter};
use hoga::tick::{Flags, Gap, HEADER_BYTES, RType, RecordView, SessionEvent};
use kis_sim::TimedFrame;
use rig::{Played, Record, Stage, play_frames, read, wait_until};

const TRADES: &str = "H0STCNT0";
/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// A trade at 61,000 won: quantity, and the day's cumulative quantity with it.
fn trade(symbol: &str, qty: u64, cum_qty: u64) -> String {
    let turnover = cum_qty * 61_000;
    format!(
        "{symbol}^090501^61000^5^-1600^-2.56^61000.00^61000^61000^61000^61100^61000^{qty}^{cum_qty}^{turnover}\
         ^10^10^0^50.00^5^5^1^0.33^45.25^090004^5^-1500^090004^5^-1500^090004^2^100^20261120^20^N^10^10^100^100^0.13^1000\
         ^68.29^0^^62500^2"
    )
}

fn frame(records: &[String]) -> String {
    format!("0|{TRADES}|{:03}|{}", records.len(), records.join("^"))
}

fn frames(texts: &[String]) -> Vec<TimedFrame> {
    let frame = |(place, text): (usize, &String)| TimedFrame::from_text(place as u64 * 1_000_000, text.as_bytes());
    texts.iter().enumerate().filter_map(frame).collect()
}

fn keys() -> Vec<String> {
    vec!["005930".to_owned(), "000660".to_owned()]
}

/// A record without what differs when it is decoded again.
fn essence(record: &Record) -> Vec<u8> {
    let mut bytes = record.bytes.clone();
    bytes[4..16].fill(0);
    bytes[28..32].copy_from_slice(&(record.header().flags & !Flags::RECOVERED).to_le_bytes());
    if record.market().is_some() {
        bytes[HEADER_BYTES + 24..HEADER_BYTES + 32].fill(0);
    }
    if let RecordView::Gap(gap) = record.view() {
        // Its number, and whether a connection was lost: one was, if the engine ended before.
        let gap = Gap { gap_id: 0, reason: 0, header: bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]), ..*gap };
        bytes = bytemuck::bytes_of(&gap).to_vec();
    }
    bytes
}

/// What frames became: market records, rejects, gaps, definitions, changes of schema.
fn from_frames(ticks: &[Record]) -> Vec<Vec<u8>> {
    let is_of_frame = |record: &&Record| match record.view() {
        RecordView::Session(session) => session.event == SessionEvent::SchemaChanged as u8,
        _ => {
            let others = [RType::Reject, RType::Gap, RType::Instrument].map(|kind| kind as u8);
            record.market().is_some() || others.contains(&record.header().rtype)
        }
    };
    ticks.iter().filter(is_of_frame).map(essence).collect()
}

fn gaps(ticks: &[Record]) -> Vec<(u64, u64, u64)> {
    let gap = |record: &Record| match record.view() {
        RecordView::Gap(gap) => Some((gap.cum_qty_before, gap.cum_qty_after, gap.missing_qty)),
        _ => None,
    };
    ticks.iter().filter_map(gap).collect()
}

/// Writes a journal as an engine would that dies when these records are committed: no close.
fn write_unfinished(dir: &Path, raw: &[Record], ticks: &[Record]) {
    let config = JournalConfig { trading_date: 20_261_120, ..JournalConfig::with_segment_bytes(2 << 20) };
    let mut journal = Journal::open(dir, config).expect("a journal");
    let append = |writer: &mut StreamWriter, record: &Record| {
        let mut words = vec![0_u64; record.bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..record.bytes.len()].copy_from_slice(&record.bytes);
        writer.append(&mut words).expect("there is room");
    };
    let writer = journal.raw.as_mut().expect("stream raw");
    raw.iter().for_each(|record| append(writer, record));
    ticks.iter().for_each(|record| append(&mut journal.ticks, record));
}

/// An engine on this journal, on a venue that does not exist: opens, recovers, stops.
fn open_and_stop(stage: &Stage, dir: &Path, raw: bool, placement: Placement) -> Vec<Record> {
    let mut config = stage.config.clone();
    dir.clone_into(&mut config.journal.dir);
    config.journal.raw = raw;
    config.engine.placement = placement;
    (config.kis.rest_url, config.kis.ws_url) = (format!("http://{NOWHERE}"), format!("ws://{NOWHERE}"));
    let options = Options { market: rig::market(), leave: Leave::WhenStopped };
    let engine = Engine::start_with(&config, stage.accounts.clone(), options).expect("an engine");
    engine.stop();
    engine.join().expect("it ends well");
    read(dir, Stream::Ticks)
}

/// Gaps before a frame, inside a frame and at its end, of two symbols; rejects among them; a width that is not known.
fn play_gaps() -> Played {
    let a = |qty, cum_qty| trade("005930", qty, cum_qty);
    let b = |qty, cum_qty| trade("000660", qty, cum_qty);
    let wider = |record: String| format!("{record}^1");
    let texts = [
        frame(&[a(10, 10)]),
        // One frame: no gap, 21 missing, the other symbol, 7 missing.
        frame(&[a(5, 15), a(4, 40), b(1, 1), a(3, 50)]),
        // A gap before a frame of one record: 9.
        frame(&[b(1, 11)]),
        // A record without a price is missing: 2, and 3 more before the last.
        frame(&[a(1, 51), a(2, 53).replacen("^61000^", "^?^", 1), a(1, 54), a(1, 58)]),
        // 100 before a frame's first, 30 in a width that is said once.
        frame(&[wider(a(1, 159)), wider(a(1, 190)), wider(b(1, 12))]),
        frame(&[wider(a(1, 191)), wider(b(1, 20))]),
    ];
    play_frames(frames(&texts), &keys(), &[TRADES])
}

const GAPS: [(u64, u64, u64); 7] =
    [(15, 36, 21), (40, 47, 7), (1, 10, 9), (51, 53, 2), (54, 57, 3), (58, 158, 100), (159, 189, 30)];

#[test]
fn a_gap_is_said_once_with_its_exact_quantity_wherever_the_writer_died() {
    let played = play_gaps();
    let whole = from_frames(&played.ticks);
    let expected: Vec<_> = GAPS.into_iter().chain([(12, 19, 7)]).collect();
    assert_eq!(gaps(&played.ticks), expected);
    assert_eq!((played.rejects().len(), played.events(SessionEvent::SchemaChanged).len()), (1, 1));
    let first = played.ticks.iter().position(|record| record.header().rtype == RType::Instrument as u8);
    let stage = Stage::with_frames(Vec::new(), &keys(), &[TRADES]);
    for kept in first.expect("a definition")..=played.ticks.len() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("journal");
        write_unfinished(&dir, &played.raw, &played.ticks[..kept]);
        let placement = if kept % 2 == 0 { Placement::Fused } else { Placement::Split };
        // Whether stream `raw` goes on is of no consequence for what is there.
        let ticks = open_and_stop(&stage, &dir, kept % 3 != 0, placement);
        assert_eq!(gaps(&ticks), expected, "{kept} of {} records kept", played.ticks.len());
        let found = from_frames(&ticks);
        let differs = found.iter().zip(&whole).position(|(found, whole)| found != whole);
        assert_eq!((found.len(), differs), (whole.len(), None), "{kept} of {} records kept", played.ticks.len());
        // The next one has nothing to do.
        assert_eq!(from_frames(&open_and_stop(&stage, &dir, true, placement)), whole);
    }
}

#[test]
fn with_raw_switched_off_frames_of_a_run_before_are_decoded_and_kept_rejects_are_not_decoded_again() {
    let played = play_gaps();
    let a = |qty, cum_qty| trade("005930", qty, cum_qty);
    let last = |ticks: &[Record]| ticks.iter().rposition(|record| record.market().is_some()).expect("a record");
    // The last frame in `raw` is the one with a reject: complete or not can't be told from it.
    let rejecting = played.ticks.iter().rposition(|record| record.header().rtype == RType::Reject as u8);
    let number = match played.ticks[rejecting.expect("a reject")].view() {
        RecordView::Reject(prefix, _) => prefix.raw_sequence as usize,
        other => panic!("{other:?}"),
    };
    let of_frames = |record: &Record| record.market().is_some_and(|market| market.raw_sequence <= number as u64);
    let end = played.ticks.iter().rposition(of_frames).expect("a record") + 1;
    let before = from_frames(&played.ticks[..end]).len();
    for kept in [rejecting.expect("a reject"), end - 2, end] {
        // The first run dies with `raw` on; the second has it off, rejects a record, and dies as well.
        let texts = [frame(&[a(2, 60)]), frame(&[a(1, 61), a(1, 62).replacen("^61000^", "^?^", 1), a(1, 63)])];
        let mut stage = Stage::with_frames(frames(&texts), &keys(), &[TRADES]);
        let dir = stage.dir();
        write_unfinished(&dir, &played.raw[..number], &played.ticks[..kept]);
        stage.config.journal.raw = false;
        let engine = stage.engine(Leave::WhenClosed);
        wait_until("the end of the run", || engine.is_finished());
        let second = stage.end(engine);
        let all = from_frames(&second.ticks);
        assert_eq!(all.len(), before + 5, "three trades, a reject and its gap: {kept} kept");
        assert_eq!(second.raw.len(), number + 1);
        assert!(second.raw[number].has_flag(Flags::KEPT_REJECTED));
        assert_eq!(gaps(&second.ticks).last(), Some(&(61, 62, 1)));

        for raw in [false, true] {
            let text = frame(&[a(1, 64)]);
            let mut stage = Stage::with_frames(frames(&[text]), &keys(), &[TRADES]);
            let dir = stage.dir();
            write_unfinished(&dir, &second.raw, &second.ticks[..=last(&second.ticks)]);
            stage.config.journal.raw = raw;
            let engine = stage.engine(Leave::WhenClosed);
            wait_until("the end of the run", || engine.is_finished());
            let third = stage.end(engine);
            assert_eq!(from_frames(&third.ticks)[..all.len()], all);
            assert_eq!(from_frames(&third.ticks).len(), all.len() + 1, "the trade follows on: no gap");
        }
    }
}
