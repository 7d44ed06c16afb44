//! Stream `raw` decoded again: what is the same, and what is said when it is not.

#[path = "../../../tests/rig/mod.rs"]
mod rig;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use hoga::feed::kis::LayoutTable;
use hoga::feed::kis::session::Leave;
use hoga::journal::{Journal, JournalConfig, Stream};
use hoga::tick::{GapReason, RType, RecordView, SessionEvent};
use hoga_replay::reparse::{Config, ReparseError, Report, reparse};
use kis_sim::{Fault, TimedFrame};
use rig::{Played, play, play_frames, read, sim};

const TRS: [&str; 3] = ["H0STCNT0", "H0STASP0", "H0UNCNT0"];

fn again(dir: &Path, out: &Path, layouts: Option<LayoutTable>) -> Report {
    let config = Config { dir: dir.to_owned(), out: out.to_owned(), layouts, examples_max: 5 };
    reparse(&config, |_, _| {}).expect("a journal that can be read")
}

fn of_kind(kind: &str, count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(kind.to_owned(), count)])
}

/// Records of a kind.
fn count(played: &[rig::Record], kind: RType) -> u64 {
    played.iter().filter(|record| record.header().rtype == kind as u8).count() as u64
}

fn recorded() -> Played {
    let mut sim = sim(4, 2.0, 600.0);
    sim.faults = vec![rig::at_frame(800, Fault::Drop { n: 20 })];
    play(sim, &TRS)
}

#[test]
fn a_journal_of_the_same_build_decodes_again_without_a_difference() {
    let played = recorded();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("again");
    let report = again(&played.dir, &out, None);
    assert!(!report.is_different(), "{report:?}");
    let of_frames = played.ticks.iter().filter(|record| {
        let kind = record.header().rtype;
        kind < RType::Instrument as u8 || kind == RType::Gap as u8 || kind == RType::Reject as u8
    });
    assert_eq!(report.records_old, of_frames.count() as u64);
    assert_eq!(report.records_new, report.records_old);
    assert_eq!(report.frames, played.raw.len() as u64);
    assert!(count(&played.ticks, RType::Gap) > 0, "dropped frames are a gap, and the new ticks have it too");

    // The frames are there verbatim, under their numbers; what no frame tells was copied.
    let (raw, ticks) = (read(&out, Stream::Raw), read(&out, Stream::Ticks));
    assert_eq!(raw.len(), played.raw.len());
    assert!(raw.iter().zip(&played.raw).all(|(a, b)| a.bytes == b.bytes));
    for kind in [RType::Session, RType::Clock, RType::Gap, RType::Instrument, RType::Trade, RType::Book] {
        assert_eq!(count(&ticks, kind), count(&played.ticks, kind), "{kind:?}");
    }
    let events = |records: &[rig::Record]| -> Vec<u8> { rig::sessions(records).iter().map(|s| s.event).collect() };
    assert_eq!(events(&ticks), events(&played.ticks), "sessions stand in their order");
    assert!(events(&ticks).contains(&(SessionEvent::Acked as u8)));
    let report = hoga::journal::verify(&out, |_, _, _, _| {}).expect("a journal");
    assert_eq!(report.state, hoga::journal::Verdict::Clean, "{report:?}");
    // It opens, and goes on, like any other.
    Journal::open(&out, JournalConfig::default()).expect("a journal").close().unwrap();
}

#[test]
fn altered_ticks_show_exactly_what_was_altered() {
    let played = recorded();
    let folder = tempfile::tempdir().unwrap();
    let (old, out) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::create_dir_all(old.join("raw")).unwrap();
    for entry in std::fs::read_dir(played.dir.join("raw")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().ends_with(".seg") {
            std::fs::copy(entry.path(), old.join("raw").join(entry.file_name())).unwrap();
        }
    }
    let (mut trades, mut altered, mut left_out) = (0, 0, 0);
    let mut journal = Journal::open(&old, JournalConfig { raw: None, ..JournalConfig::default() }).unwrap();
    for record in &played.ticks {
        let mut words = vec![0_u64; record.bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..record.bytes.len()].copy_from_slice(&record.bytes);
        if let RecordView::Trade(trade) = record.view() {
            trades += 1;
            if trades % 50 == 7 {
                left_out += 1;
                continue;
            }
            if trades % 10 == 3 {
                altered += 1;
                let mut trade = trade.into_owned();
                trade.px += 1;
                trade.bid_qty ^= 1;
                words.copy_from_slice(hoga::tick::words_of(&mut trade));
            }
        }
        journal.ticks.append(&mut words).unwrap();
    }
    journal.close().unwrap();
    assert!(altered > 5 && left_out > 1, "{altered} {left_out}");

    let report = again(&old, &out, None);
    assert_eq!(report.changed, of_kind("trade", altered));
    assert_eq!(report.extra, of_kind("trade", left_out));
    assert_eq!(report.missing, BTreeMap::new());
    let fields = BTreeMap::from([("bid_qty".to_owned(), altered), ("px".to_owned(), altered)]);
    assert_eq!(report.fields, BTreeMap::from([("trade".to_owned(), fields)]));
    assert_eq!(report.examples.len(), 5);
    let changed = report.examples.iter().find(|example| example.what == "changed").unwrap();
    assert_ne!(changed.fields["px"]["old"], changed.fields["px"]["new"]);
}

#[test]
fn rejects_become_ticks_when_a_layout_is_added() {
    let played = recorded();
    let folder = tempfile::tempdir().unwrap();
    let (old, out) = (folder.path().join("old"), folder.path().join("new"));
    let mut before = LayoutTable::builtin();
    before.transactions.retain(|layout| layout.tr != "H0STASP0");
    // What a build without that layout would have recorded.
    again(&played.dir, &old, Some(before));
    let books = count(&played.ticks, RType::Book);
    assert!(books > 10);
    assert_eq!(count(&read(&old, Stream::Ticks), RType::Reject), books);

    let report = again(&old, &out, None);
    assert_eq!(report.missing, of_kind("reject", books));
    assert_eq!(report.extra, of_kind("book", books));
    assert_eq!(report.changed, BTreeMap::new());
    assert_eq!(count(&read(&out, Stream::Ticks), RType::Book), books);
}

#[test]
fn a_field_that_moved_in_the_table_is_the_only_one_reported() {
    let table = LayoutTable::builtin();
    let layout = table.get("H0IFCNT0").expect("futures");
    let frame = |at: u64| {
        let value = |(index, name): (usize, &String)| match name {
            name if *name == layout.key => "101W9000".to_owned(),
            name if Some(name) == layout.time.as_ref() => "090001".to_owned(),
            _ => (index as u64 + at).to_string(),
        };
        let values: Vec<String> = layout.fields.iter().enumerate().map(value).collect();
        TimedFrame::from_text(at * 1_000_000, format!("0|H0IFCNT0|001|{}", values.join("^")).as_bytes()).unwrap()
    };
    let played = play_frames((1..=20).map(frame).collect(), &["101W9000".to_owned()], &["H0IFCNT0"]);
    assert_eq!(count(&played.ticks, RType::Trade), 20);
    let folder = tempfile::tempdir().unwrap();
    let (old, out) = (folder.path().join("old"), folder.path().join("new"));
    let mut before = table.clone();
    let moved = before.transactions.iter_mut().find(|layout| layout.tr == "H0IFCNT0").unwrap();
    let (px, high) = (moved.map["px"].clone(), moved.map["high_px"].clone());
    assert_ne!(px, high);
    moved.map.insert("px".to_owned(), high);
    again(&played.dir, &old, Some(before));

    let report = again(&old, &out, None);
    assert_eq!(report.changed, of_kind("trade", 20));
    let fields = BTreeMap::from([("px".to_owned(), 20)]);
    assert_eq!(report.fields, BTreeMap::from([("trade".to_owned(), fields)]));
    assert!(report.missing.is_empty() && report.extra.is_empty());
}

#[test]
fn the_command_says_by_its_status_whether_anything_differs() {
    let played = recorded();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("again");
    let run = |out: &Path| {
        let program = env!("CARGO_BIN_EXE_hoga-replay");
        Command::new(program).arg("reparse").arg(&played.dir).arg("--out").arg(out).arg("--json").output().unwrap()
    };
    let first = run(&out);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let report: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!((&report["different"], &report["missing"]), (&false.into(), &serde_json::json!({})));
    let second = run(&out);
    assert_eq!(second.status.code(), Some(2), "the folder is in use");
    let config = Config { dir: played.dir.clone(), out, layouts: None, examples_max: 1 };
    assert!(matches!(reparse(&config, |_, _| {}), Err(ReparseError::NotEmpty(_))));
}

#[test]
fn a_journal_that_was_opened_twice_decodes_again_with_the_gap_between_its_openings() {
    let stage = rig::Stage::new(sim(4, 6.0, 400.0), &TRS);
    let dir = stage.dir();
    let engine = stage.engine(Leave::WhenStopped);
    rig::wait_until("some trades", || count(&rig::try_read(&dir, Stream::Ticks), RType::Trade) > 100);
    engine.stop();
    engine.join().expect("the engine ends well");
    let until = std::time::Instant::now() + std::time::Duration::from_millis(400);
    rig::wait_until("missed trades", || std::time::Instant::now() > until);
    let engine = stage.engine(Leave::WhenClosed);
    rig::wait_until("the end of the run", || engine.is_finished());
    let played = stage.end(engine);
    let disconnects = played.gaps().iter().filter(|(_, gap)| gap.reason == GapReason::Disconnect as u8).count();
    assert!(disconnects > 0, "what was traded between the openings is missing");

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("again");
    let report = again(&played.dir, &out, None);
    assert!(!report.is_different(), "{report:?}");
    let ids = |ticks: &[rig::Record]| -> Vec<u64> {
        let id = |record: &rig::Record| match record.view() {
            RecordView::Gap(gap) => Some(gap.gap_id),
            _ => None,
        };
        ticks.iter().filter_map(id).collect()
    };
    assert_eq!(ids(&read(&out, Stream::Ticks)), ids(&played.ticks), "gaps keep their numbers");
    assert_eq!(count(&read(&out, Stream::Ticks), RType::Clock), 2);
}

#[test]
fn a_table_of_layouts_from_a_file_is_checked_before_it_is_used() {
    let text = include_str!("../../../src/feed/kis/layouts.json");
    let table = LayoutTable::from_json(text.as_bytes()).expect("the built-in table");
    assert_eq!(table.transactions.len(), LayoutTable::builtin().transactions.len());
    for (from, to, expected) in [
        ("{", "[", "not a table"),
        ("\"tr\": \"H0STCNT0\"", "\"tr\": \"H0STASP0\"", "stands once"),
        ("\"publisher\": \"KRX-deriv\"", "\"publisher\": \"elsewhere\"", "elsewhere"),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from} is in the table");
        let error = LayoutTable::from_json(wrong.as_bytes()).expect_err("a wrong table").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
