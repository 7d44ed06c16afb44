//! `recover` and `repair` after cuts and damage of every class of byte, one after the other: header fields, record
//! fields, padding, ends; of first, middle and newest segments of both streams.

mod journal_support;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;

use hoga::journal::build::{SegmentBuilder, SegmentSpec};
use hoga::journal::repair::{Policy, repair};
use hoga::journal::rescue::rescue;
use hoga::journal::{Journal, SealOptions, Start, Stream, Tailer, Verdict, seal, verify};
use hoga::tick::{EndReason, HoleReason, RType, words_of};
use journal_support::*;

const SEGMENT: u64 = 8 << 10;

fn journal(dir: &Path, close: bool) {
    let mut journal = Journal::open(dir, small(SEGMENT)).unwrap();
    for id in 1..=3 {
        journal.ticks.append(words_of(&mut instrument(id))).unwrap();
    }
    for number in 1..=50 {
        append_pair(&mut journal, number);
    }
    if close { journal.close().unwrap() } else { drop(journal) }
}

fn contents(dir: &Path, stream: Stream) -> BTreeMap<u64, Vec<u8>> {
    let mut records = BTreeMap::new();
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
    tailer
        .poll(usize::MAX, |record| {
            if record.header().rtype != RType::Hole as u8 {
                records.insert(record.position.sequence, record.bytes[8..].to_vec());
            }
        })
        .unwrap();
    records
}

fn segments(dir: &Path, stream: Stream) -> Vec<u64> {
    (1..100).filter(|ordinal| segment(dir, stream, *ordinal).exists()).collect()
}

/// A byte of each class of a segment: fields of the header, unused bytes between, fields of the first, a middle and the
/// last record (with `HOGA_LONG=1` of every one), its end, and far behind.
fn classes(bytes: &[u8]) -> Vec<usize> {
    let header =
        [0, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 72, 80, 84, 88, 92, 100, 128, 136, 140, 150, 192, 196, 4095];
    let records = offsets(bytes);
    let last = records.len().saturating_sub(2);
    let mut at = header.to_vec();
    let chosen = if policy::is_long() { (0..=last).collect() } else { vec![0, last / 2, last] };
    for index in chosen {
        let record = records[index];
        at.extend([0, 3, 4, 7, 8, 16, 24, 28, 32, 36, 37, 39, 40, 55].map(|field| record + field));
    }
    let end = records[records.len() - 1];
    at.extend([end.saturating_sub(1), end, end + 8, bytes.len() - 1]);
    at.retain(|at| *at < bytes.len());
    at.sort_unstable();
    at.dedup();
    at
}

/// Records of a segment that lie wholly outside a range.
fn outside(bytes: &[u8], from: usize, to: usize) -> Vec<u64> {
    let records = offsets(bytes);
    let whole = records.windows(2).filter(|pair| pair[1] <= from || pair[0] >= to);
    let sequence = |at: usize| u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
    whole.map(|pair| sequence(pair[0])).filter(|sequence| *sequence > 0).collect()
}

/// Recovers and repairs a damaged copy; what was not hit, of this segment and of all others, is there in both.
fn assert_saved(dir: &Path, out: &Path, stream: Stream, whole: &BTreeMap<u64, Vec<u8>>, hit: &[u64], what: &str) {
    rescue(dir, out, |_, _, _, _| {}).unwrap_or_else(|error| panic!("{what}: {error}"));
    let report = repair(dir, Policy::Skip, |_, _, _, _| {}).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(report.after.state, Verdict::Clean, "{what}: {report:#?}");
    for dir in [dir, out] {
        let found = verify(dir, |_, _, _, _| {}).unwrap();
        assert_eq!(found.state, Verdict::Clean, "{what}: {found:?}");
        let kept = contents(dir, stream);
        for (sequence, bytes) in whole.iter().filter(|(sequence, _)| !hit.contains(sequence)) {
            assert_eq!(kept.get(sequence), Some(bytes), "{what}: {sequence} of {}", dir.display());
        }
        let mut journal = Journal::open(dir, small(SEGMENT)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let next = journal.ticks.next_sequence();
        assert_eq!(journal.ticks.append(words_of(&mut trade(next))).unwrap(), next);
        journal.close().unwrap();
        let found = verify(dir, |_, _, _, _| {}).unwrap();
        assert_eq!(found.state, Verdict::Clean, "{what}: {found:?}");
    }
    fs::remove_dir_all(dir).unwrap();
    fs::remove_dir_all(out).unwrap();
}

fn each_class(change: impl Fn(&Path, usize) -> (usize, usize), name: &str) {
    let folder = scratch();
    let (dir, out) = (folder.path().join("damaged"), folder.path().join("out"));
    for close in [true, false] {
        let original = folder.path().join(format!("original-{close}"));
        journal(&original, close);
        for stream in [Stream::Ticks, Stream::Raw] {
            let whole = contents(&original, stream);
            let there = segments(&original, stream);
            let newest = there.iter().rev().find(|ordinal| {
                fs::read(segment(&original, stream, **ordinal)).is_ok_and(|bytes| &bytes[192..196] == b"ACTV")
            });
            let mut chosen = vec![1, 2, *newest.unwrap()];
            chosen.retain(|ordinal| there.contains(ordinal));
            chosen.dedup();
            for ordinal in chosen {
                let bytes = fs::read(segment(&original, stream, ordinal)).unwrap();
                for at in classes(&bytes) {
                    copy(&original, &dir);
                    let (from, to) = change(&segment(&dir, stream, ordinal), at);
                    let safe = outside(&bytes, from, to);
                    let own = outside(&bytes, 0, 0);
                    let hit: Vec<u64> = own.into_iter().filter(|sequence| !safe.contains(sequence)).collect();
                    let what = format!("{name} at {at} of {}/{ordinal}, closed {close}", stream.name());
                    assert_saved(&dir, &out, stream, &whole, &hit, &what);
                }
            }
        }
    }
}

#[test]
fn a_file_cut_at_every_class_of_byte_loses_only_what_was_cut_off() {
    let cut = |path: &Path, at: usize| {
        OpenOptions::new().write(true).open(path).unwrap().set_len(at as u64).unwrap();
        (at, usize::MAX)
    };
    each_class(cut, "cut");
}

#[test]
fn a_byte_of_every_class_changed_loses_at_most_its_own_record() {
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 0x41;
        fs::write(path, bytes).unwrap();
        (at, at + 1)
    };
    each_class(flip, "changed byte");
}

#[test]
fn records_behind_a_torn_place_are_saved_with_the_hole_before_them() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    // Of another boot: pages of the host that died came back in any order.
    let mut journal = Journal::open_in_boot(dir, small(64 << 10), [7; 16]).unwrap();
    for number in 1..=60 {
        append_pair(&mut journal, number);
    }
    drop(journal);
    let path = segment(dir, Stream::Ticks, 1);
    let mut bytes = fs::read(&path).unwrap();
    let places = offsets(&bytes);
    bytes[places[20]..places[40]].fill(0);
    fs::write(&path, bytes).unwrap();
    let out = &folder.path().join("out");
    let report = rescue(dir, out, |_, _, _, _| {}).unwrap();
    let ticks = &report.streams[0].1;
    assert_eq!((ticks.records, ticks.lost(), ticks.last_sequence), (40, 20, 60));
    assert_eq!((ticks.losses[0].first_sequence, ticks.losses[0].last_sequence), (21, 40));
    assert_eq!(contents(out, Stream::Ticks).len(), 40);
    assert_eq!(contents(out, Stream::Raw).len(), 60);
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Torn, "the damaged one is as it was");
}

#[test]
fn sealed_and_compressed_segments_are_repaired_and_recovered_and_verify_says_so() {
    let folder = scratch();
    let original = &folder.path().join("original");
    let mut journal = Journal::open(original, small(512 << 10)).unwrap();
    for number in 1..=9000 {
        append_pair(&mut journal, number);
    }
    journal.close().unwrap();
    let day: jiff::civil::Date = "2026-11-23".parse().unwrap();
    seal(original, day, SealOptions { compress_to: Some(day) }, |_| {}).unwrap();
    let whole = contents(original, Stream::Ticks);
    let packed = |dir: &Path| dir.join("ticks/0000000002.seg.zst");
    assert!(packed(original).exists() && !segment(original, Stream::Ticks, 2).exists());
    let bytes = fs::read(packed(original)).unwrap();
    // In the seek table nothing is lost: the frames tell where they begin.
    let dir = &folder.path().join("table");
    copy(original, dir);
    let mut damaged = bytes.clone();
    damaged[bytes.len() - 2] ^= 0x55;
    fs::write(packed(dir), &damaged).unwrap();
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    assert_eq!((report.state, report.streams[0].1.findings.len()), (Verdict::Clean, 1));
    assert_eq!(contents(dir, Stream::Ticks), whole);
    // In the records, in the frame with the header.
    for at in [bytes.len() * 7 / 8, 10] {
        let (dir, out) = (&folder.path().join(format!("at-{at}")), &folder.path().join(format!("out-{at}")));
        copy(original, dir);
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        fs::write(packed(dir), &damaged).unwrap();
        assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt, "{at}");
        let rescued = rescue(dir, out, |_, _, _, _| {}).unwrap();
        let lost = rescued.streams[0].1.lost();
        let report = repair(dir, Policy::Skip, |_, _, _, _| {}).unwrap();
        assert_eq!(report.after.state, Verdict::Clean, "{at}: {:#?}", report.after);
        let said: Vec<String> =
            report.after.streams[0].1.findings.iter().map(|finding| finding.reason.to_string()).collect();
        assert!(said[0].contains("was repaired after it was sealed: quarantine/"), "{said:?}");
        assert_eq!(fs::read(dir.join("quarantine/ticks-0000000002.seg.zst")).unwrap(), damaged);
        for dir in [dir, out] {
            assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
            let kept = contents(dir, Stream::Ticks);
            assert_eq!(kept.len() as u64 + lost, whole.len() as u64, "{at}");
            assert!(kept.iter().all(|(sequence, bytes)| whole[sequence] == *bytes));
        }
        // A frame holds 256 KiB of records of 256 bytes, or the last one of it more.
        assert!((1..=1025).contains(&lost), "nothing of another frame is lost: {lost} at {at}");
        assert_eq!(repair(dir, Policy::Skip, |_, _, _, _| {}).unwrap().actions.len(), 0, "{at}: once is enough");
    }
}

#[test]
fn a_hole_that_begins_with_what_the_segment_before_has_is_shortened() {
    let folder = scratch();
    let dir = folder.path();
    let ticks = dir.join("ticks");
    fs::create_dir_all(&ticks).unwrap();
    let spec = |ordinal, base_sequence| SegmentSpec {
        stream: Stream::Ticks,
        ordinal,
        epoch: 1,
        boot_id: [7; 16],
        trading_date: 20_261_123,
        base_sequence,
        segment_bytes: SEGMENT,
    };
    let append = |segment: &mut SegmentBuilder, sequence| {
        let mut trade = trade(sequence);
        trade.header.sequence = sequence;
        segment.append(bytemuck::bytes_of(&trade)).unwrap();
    };
    let mut first = SegmentBuilder::create(&ticks, spec(1, 1)).unwrap();
    (1..=8).for_each(|sequence| append(&mut first, sequence));
    first.finish(EndReason::Recovered, 2).unwrap();
    let mut second = SegmentBuilder::create(&ticks, spec(2, 6)).unwrap();
    second.hole(10, 0, HoleReason::Damaged).unwrap();
    (11..=13).for_each(|sequence| append(&mut second, sequence));
    second.finish(EndReason::Closed, 0).unwrap();
    let report = repair(dir, Policy::Skip, |_, _, _, _| {}).unwrap();
    assert_eq!(report.after.state, Verdict::Clean, "{:#?}", report.after);
    let sequences: Vec<u64> = contents(dir, Stream::Ticks).into_keys().collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13]);
    assert_eq!((report.after.streams[0].1.holes, report.after.streams[0].1.lost), (1, 2));
}
