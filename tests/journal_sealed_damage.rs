//! Damage to what is sealed or compressed: never taken for what a host's death left, never put away unasked, and no reason
//! to stop sealing and pruning what is good.

mod journal_support;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hoga::journal::repair::{ActionKind, Policy as RepairPolicy, RepairReport, repair};
use hoga::journal::{
    Case, Journal, JournalConfig, Manifest, Policy, Reason, SealError, SealEvent, SealFault, SealOptions, Stream,
    Verdict, prune, seal, seal_with, verify,
};
use journal_support::*;

/// Boot of the writers whose host dies.
const BEFORE: [u8; 16] = [7; 16];
const DAYS: [u32; 3] = [20_261_123, 20_261_124, 20_261_125];

fn day(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

/// Three days of 100 pairs each, the third being written, by a host that died: its durable mark was never moved.
fn three_days(dir: &Path) -> Journal {
    let mut journal = Journal::open_in_boot(dir, small(8 << 10), BEFORE).unwrap();
    for (at, date) in DAYS.into_iter().enumerate() {
        journal.ticks.set_trading_date(date).unwrap();
        journal.raw.as_mut().unwrap().set_trading_date(date).unwrap();
        for number in 1..=100 {
            append_pair(&mut journal, at as u64 * 100 + number);
        }
    }
    journal
}

fn ticks(dir: &Path, ordinal: u64) -> PathBuf {
    segment(dir, Stream::Ticks, ordinal)
}

fn packed(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(format!("ticks/{ordinal:010}.seg.zst"))
}

fn flip(path: &Path, at: usize) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, &bytes).unwrap();
    bytes
}

fn case(dir: &Path) -> Case {
    verify(dir, |_, _, _, _| {}).unwrap().streams[0].1.case()
}

fn fix(dir: &Path) -> RepairReport {
    let report = repair(dir, RepairPolicy::Skip, |_, _, _, _| {}).unwrap();
    assert_eq!(report.after.state, Verdict::Clean, "{:#?}", report.after);
    let again = repair(dir, RepairPolicy::Skip, |_, _, _, _| {}).unwrap();
    assert_eq!(again.actions.len(), 0, "once is enough: {:?}", again.actions);
    report
}

/// The files of the stream `ticks` but its control page.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(dir.join("ticks")).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| !path.ends_with("control"));
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Opens again and again; every file there was is as it was, but the last, which the dead writer had open.
fn assert_nothing_moves(dir: &Path, before: &BTreeMap<PathBuf, Vec<u8>>) {
    for _ in 0..2 {
        Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    }
    let after = files(dir);
    let sealed = before.iter().filter(|(path, _)| path.extension().is_some_and(|form| form == "zst"));
    assert!(sealed.clone().count() > 2 && sealed.clone().all(|(path, bytes)| after.get(path) == Some(bytes)));
    let first = ticks(dir, 1);
    assert_eq!(after.get(&first), before.get(&first));
    assert!(!dir.join("quarantine").exists());
    assert_eq!(case(dir), Case::CorruptMiddle);
}

/// Compresses the first two days, killed when the first compressed segment has its name: it is there in both forms.
fn compress_killed(dir: &Path) -> u64 {
    let to = day("2026-11-24");
    let mut renamed = false;
    seal_with(dir, to, SealOptions { compress_to: Some(to) }, &mut |event| {
        renamed |= event == SealEvent::Step("renamed");
        if renamed { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    })
    .unwrap_err();
    let both = (1..100).find(|ordinal| packed(dir, *ordinal).exists()).unwrap();
    assert!(ticks(dir, both).exists());
    both
}

#[test]
fn a_rotten_bit_in_a_sealed_day_is_no_torn_tail_after_a_reboot() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    drop(journal);
    let whole = read_all(dir, Stream::Ticks).len();
    let damaged = flip(&ticks(dir, 2), 4200);
    assert_eq!(case(dir), Case::CorruptMiddle);
    // An opening needs nothing of it, and takes nothing away.
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    assert_eq!(journal.recovery.ticks.case, Case::Clean);
    append_pair(&mut journal, 301);
    journal.close().unwrap();
    assert!(!dir.join("quarantine").exists());
    assert_eq!(fs::read(ticks(dir, 2)).unwrap(), damaged);
    let report = fix(dir);
    assert_eq!(report.actions[0].losses.len(), 1);
    let lost: u64 = report.actions[0].losses.iter().map(|loss| loss.records()).sum();
    let kept = read_all(dir, Stream::Ticks).iter().filter(|(sequence, _)| *sequence > 0).count();
    assert_eq!(kept as u64 + lost, whole as u64 + 1, "only the damaged record is lost");
}

#[test]
fn a_damaged_compressed_segment_is_no_torn_one_even_without_its_manifest_and_nothing_is_moved() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    let to = day("2026-11-24");
    seal(dir, to, SealOptions { compress_to: Some(to) }, |_| {}).unwrap();
    drop(journal);
    fs::remove_dir_all(dir.join("seals")).unwrap();
    let at = fs::metadata(packed(dir, 2)).unwrap().len() as usize / 2;
    flip(&packed(dir, 2), at);
    let before = files(dir);
    assert_eq!(case(dir), Case::CorruptMiddle);
    assert_nothing_moves(dir, &before);
    fix(dir);
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    assert_eq!(case(dir), Case::Clean);
}

#[test]
fn a_compressed_segment_behind_a_torn_one_is_not_put_away() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    let to = day("2026-11-24");
    seal(dir, to, SealOptions { compress_to: Some(to) }, |_| {}).unwrap();
    drop(journal);
    // Somebody unpacked the first one, and lost the manifests.
    let other = folder.path().join("other");
    drop(three_days(&other));
    fs::copy(ticks(&other, 1), ticks(dir, 1)).unwrap();
    fs::remove_file(packed(dir, 1)).unwrap();
    fs::remove_dir_all(dir.join("seals")).unwrap();
    flip(&ticks(dir, 1), 4200);
    let before = files(dir);
    assert_eq!(case(dir), Case::CorruptMiddle);
    assert_nothing_moves(dir, &before);
    fix(dir);
}

#[test]
fn of_both_forms_the_compressed_one_stays_when_only_that_is_whole() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    let both = compress_killed(dir);
    drop(journal);
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    let whole = read_all(dir, Stream::Ticks);
    let good = fs::read(packed(dir, both)).unwrap();
    let damaged = flip(&ticks(dir, both), 4200);
    assert_eq!(case(dir), Case::CorruptMiddle);
    let report = fix(dir);
    assert_eq!((report.actions.len(), report.actions[0].kind), (1, ActionKind::KeepPacked), "{:?}", report.actions);
    let kept = dir.join(report.actions[0].quarantine.as_ref().unwrap());
    assert_eq!(fs::read(kept).unwrap(), damaged);
    assert_eq!(fs::read(packed(dir, both)).unwrap(), good);
    assert!(!ticks(dir, both).exists());
    assert!(read_all(dir, Stream::Ticks) == whole, "nothing is lost");
}

#[test]
fn of_both_forms_both_are_kept_when_both_are_damaged() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    let both = compress_killed(dir);
    drop(journal);
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    let damaged = flip(&ticks(dir, both), 4200);
    let at = fs::metadata(packed(dir, both)).unwrap().len() as usize / 2;
    let damaged_too = flip(&packed(dir, both), at);
    fix(dir);
    let quarantine = dir.join("quarantine");
    assert_eq!(fs::read(quarantine.join(format!("ticks-{both:010}.seg"))).unwrap(), damaged);
    assert_eq!(fs::read(quarantine.join(format!("ticks-{both:010}.seg.zst"))).unwrap(), damaged_too);
    assert!(ticks(dir, both).exists() && !packed(dir, both).exists());
}

#[test]
fn a_sealed_segment_is_replaced_only_after_it_is_noted_by_what() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    drop(journal);
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    let damaged = flip(&ticks(dir, 2), 4200);
    // The note can't be written: then nothing takes the segment's place.
    let blocked = dir.join("quarantine/ticks-0000000002.seg.json.part");
    fs::create_dir_all(&blocked).unwrap();
    repair(dir, RepairPolicy::Skip, |_, _, _, _| {}).unwrap_err();
    assert_eq!(fs::read(ticks(dir, 2)).unwrap(), damaged);
    fs::remove_dir(&blocked).unwrap();
    let report = fix(dir);
    let findings = &report.after.streams[0].1.findings;
    assert!(matches!(findings[0].reason, Reason::Seal(SealFault::Repaired { .. })), "{findings:?}");
    assert_eq!(fs::read(dir.join("quarantine/ticks-0000000002.seg")).unwrap(), damaged);
}

#[test]
fn a_sealed_segment_that_is_missing_is_filled_and_its_seal_explained() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    drop(journal);
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    fs::remove_file(ticks(dir, 2)).unwrap();
    let report = fix(dir);
    assert_eq!(report.actions[0].kind, ActionKind::Fill);
    assert!(report.actions[0].losses[0].records() > 0);
}

#[test]
fn a_damaged_day_stops_neither_the_days_before_it_nor_the_other_stream_nor_pruning() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir);
    let second_day = (1..100).find(|ordinal| {
        let bytes = fs::read(ticks(dir, *ordinal)).unwrap();
        u32::from_le_bytes(bytes[136..140].try_into().unwrap()) == DAYS[1]
    });
    let second_day = second_day.unwrap();
    flip(&ticks(dir, second_day), 4200);
    for _ in 0..2 {
        let error = seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap_err();
        assert!(matches!(&error, SealError::Damaged(_)), "{error}");
        let manifests = Manifest::read_all(dir).unwrap();
        let of = |at: usize, stream: &str| {
            let manifest = manifests[at].1.as_ref().unwrap();
            manifest.segments.iter().filter(|entry| entry.stream == stream).count()
        };
        assert!(of(0, "ticks") > 0 && of(0, "raw") > 0 && of(1, "raw") > 0);
        assert_eq!(of(1, "ticks"), 0);
    }
    let policy = Policy { keep_days: Some(1), keep_bytes: None };
    let report = prune(dir, policy, false, |_| {}).unwrap();
    assert_eq!(report.pruned.iter().map(|day| day.day).collect::<Vec<_>>(), [day("2026-11-23")]);
    assert_eq!(report.unsealed, [day("2026-11-24")]);
    drop(journal);
    fix(dir);
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    assert_eq!(case(dir), Case::Clean);
}

#[test]
fn a_stream_that_is_no_longer_written_keeps_its_newest_segment_and_no_more() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = three_days(dir);
    for number in 301..=320 {
        append_pair(&mut journal, number);
    }
    journal.close().unwrap();
    // From here on `raw` is switched off.
    let without = |date| JournalConfig { raw: None, trading_date: date, ..small(8 << 10) };
    for date in [20_261_126, 20_261_127] {
        let mut journal = Journal::open(dir, without(date)).unwrap();
        for number in 1..=60 {
            append_pair(&mut journal, number);
        }
        journal.close().unwrap();
    }
    seal(dir, day("2026-11-26"), SealOptions::default(), |_| {}).unwrap();
    let policy = Policy { keep_days: Some(1), keep_bytes: None };
    let report = prune(dir, policy, false, |_| {}).unwrap();
    assert_eq!((report.pruned.len(), report.unsealed.len()), (4, 0), "{report:?}");
    let raw = (1..100).filter(|ordinal| segment(dir, Stream::Raw, *ordinal).exists());
    let raw: Vec<u64> = raw.collect();
    assert_eq!(raw.len(), 1, "{raw:?}");
    let again = prune(dir, policy, false, |_| {}).unwrap();
    assert_eq!((again.pruned.len(), again.unsealed.len()), (0, 0));
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    // Its numbers go on.
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    assert_eq!(append_raw(journal.raw.as_mut().unwrap(), b"frame"), 321);
    journal.close().unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
}
