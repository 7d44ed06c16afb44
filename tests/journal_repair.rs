//! Repairs of damaged journals: nothing valid is lost, no byte is destroyed, and the journal is good afterwards.

mod journal_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hoga::journal::format::Prepared;
use hoga::journal::repair::{ActionKind, Policy, RepairError, RepairReport, repair};
use hoga::journal::rescue::{RescueError, rescue};
use hoga::journal::{Journal, Start, Stream, Tailer, Verdict, verify};
use hoga::tick::{RecordView, view, words_of};
use journal_support::*;

const SEGMENT: u64 = 8 << 10;

/// Five segments or so of both streams, with instruments declared along the way; returns the last sequence of ticks.
fn journal(dir: &Path, pairs: u64, close: bool) -> u64 {
    let mut journal = Journal::open(dir, small(SEGMENT)).unwrap();
    for number in 1..=pairs {
        if number % 10 == 1 {
            journal.ticks.append(words_of(&mut instrument(number as u32 / 10 + 1))).unwrap();
        }
        append_pair(&mut journal, number);
    }
    let last = journal.ticks.next_sequence() - 1;
    if close {
        journal.close().unwrap()
    } else {
        drop(journal)
    }
    last
}

fn fix(dir: &Path, policy: Policy) -> RepairReport {
    repair(dir, policy, |_, _, _, _| {}).unwrap()
}

/// Records by sequence, and the holes: first and last sequence of each.
type Contents = (BTreeMap<u64, Vec<u8>>, Vec<(u64, u64)>);

/// What a reader finds. Every checksum is checked, every sequence is there or in a hole.
fn contents(dir: &Path, stream: Stream) -> Contents {
    let (mut records, mut holes) = (BTreeMap::new(), Vec::new());
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
    let mut next = None;
    let mut follow = |first: u64, after: u64| {
        assert_eq!(next.replace(after).unwrap_or(first), first, "no silent jump");
    };
    tailer
        .poll(usize::MAX, |record| match view(record.bytes).unwrap() {
            RecordView::Hole(hole) => {
                follow(hole.first_sequence, hole.last_sequence + 1);
                holes.push((hole.first_sequence, hole.last_sequence));
            }
            _ => {
                follow(record.position.sequence, record.position.sequence + 1);
                // Without the checksum, which depends on the segment.
                records.insert(record.position.sequence, record.bytes[8..].to_vec());
            }
        })
        .unwrap();
    (records, holes)
}

/// Goes on with a repaired journal.
fn assert_good(dir: &Path) {
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    let mut journal = Journal::open(dir, small(SEGMENT)).unwrap();
    let next = journal.ticks.next_sequence();
    for number in 0..3 {
        assert_eq!(journal.ticks.append(words_of(&mut trade(next + number))).unwrap(), next + number);
    }
    journal.close().unwrap();
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    contents(dir, Stream::Ticks);
    contents(dir, Stream::Raw);
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// All bytes of a folder's files, to tell that nothing changed.
fn bytes_of(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
        } else if !entry.file_name().to_string_lossy().ends_with("lock") {
            all.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn a_good_journal_is_left_as_it_is_by_every_policy() {
    for close in [true, false] {
        let folder = scratch();
        let dir = folder.path();
        journal(dir, 60, close);
        let before = bytes_of(dir);
        for policy in [Policy::Abort, Policy::Cut, Policy::Skip] {
            let report = fix(dir, policy);
            assert_eq!((report.after.state, report.actions.len()), (Verdict::Clean, 0));
            assert!(bytes_of(dir) == before, "{policy:?} changed something");
        }
        assert_good(dir);
    }
}

#[test]
fn a_torn_tail_is_cut_as_an_opening_would_and_its_bytes_are_kept() {
    let folder = scratch();
    let dir = folder.path();
    let last = journal(dir, 60, false);
    let ordinal = fs::read_dir(dir.join("ticks")).unwrap().count() as u64;
    let newest = (1..=ordinal).rev().find(|at| segment(dir, Stream::Ticks, *at).exists()).unwrap();
    let path = segment(dir, Stream::Ticks, newest);
    let end = *offsets(&fs::read(&path).unwrap()).last().unwrap();
    edit(&path, |bytes| bytes[end + 4..end + 100].fill(0x5a));
    let before = bytes_of(dir);
    let told = fix(dir, Policy::Abort);
    assert_eq!((told.after.state, told.actions[0].kind), (Verdict::Torn, ActionKind::Cut));
    assert!(bytes_of(dir) == before, "abort changes nothing");
    let report = fix(dir, Policy::Cut);
    assert_eq!(report.before.state, Verdict::Torn);
    assert_eq!((report.after.state, report.actions.len()), (Verdict::Clean, 1), "{:?}", report.actions);
    let kept = fs::read(dir.join(format!("quarantine/ticks-{newest:010}-{end}.bin"))).unwrap();
    assert_eq!(kept[4..100], [0x5a; 96]);
    assert_eq!(contents(dir, Stream::Ticks).0.len() as u64, last);
    assert_eq!(fix(dir, Policy::Cut).actions.len(), 0, "once is enough");
    assert_good(dir);
}

#[test]
fn a_damaged_record_becomes_a_hole_and_all_others_stay() {
    let folder = scratch();
    let dir = folder.path();
    let last = journal(dir, 60, true);
    let (whole, _) = contents(dir, Stream::Ticks);
    let path = segment(dir, Stream::Ticks, 2);
    let original = fs::read(&path).unwrap();
    let at = offsets(&original)[6];
    let lost = u64::from_le_bytes(original[at + 8..at + 16].try_into().unwrap());
    edit(&path, |bytes| bytes[at + 120] ^= 4);
    let damaged = fs::read(&path).unwrap();
    let cut = fix(dir, Policy::Cut);
    assert_eq!((cut.after.state, cut.actions.len()), (Verdict::Corrupt, 0), "cut leaves damage alone");
    assert_eq!(fs::read(&path).unwrap(), damaged);
    let told = fix(dir, Policy::Abort);
    assert_eq!(told.actions[0].kind, ActionKind::Rebuild);
    let report = fix(dir, Policy::Skip);
    assert_eq!(report.after.state, Verdict::Clean, "{report:?}");
    let action = &report.actions[0];
    assert_eq!((action.file.as_str(), action.kind), ("ticks/0000000002.seg", ActionKind::Rebuild));
    let loss = &action.losses[0];
    assert_eq!((loss.offset, loss.bytes), (Some(at as u64), 256));
    assert_eq!((loss.first_sequence, loss.last_sequence), (lost, lost));
    assert_eq!(loss.instruments, [format!("{:06}", trade(lost - lost.div_ceil(11)).header.instrument_id)]);
    assert_eq!(fs::read(dir.join(action.quarantine.as_ref().unwrap())).unwrap(), damaged, "kept whole");
    let (kept, holes) = contents(dir, Stream::Ticks);
    assert_eq!(holes, [(lost, lost)]);
    assert!((1..=last).filter(|sequence| *sequence != lost).all(|sequence| kept[&sequence] == whole[&sequence]));
    let after = bytes_of(dir);
    assert_eq!(fix(dir, Policy::Skip).actions.len(), 0);
    assert!(bytes_of(dir) == after, "once is enough");
    assert_good(dir);
}

#[test]
fn a_damaged_length_word_loses_nothing() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, 60, true);
    let (whole, _) = contents(dir, Stream::Ticks);
    let path = segment(dir, Stream::Ticks, 2);
    for word in [0_u32, 257, 39, 1 << 30] {
        let at = offsets(&fs::read(&path).unwrap())[6];
        edit(&path, |bytes| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes()));
        let report = fix(dir, Policy::Skip);
        assert_eq!((report.after.state, report.actions[0].mended), (Verdict::Clean, 1), "{word}");
        assert!(report.actions[0].losses.is_empty());
        assert_eq!(contents(dir, Stream::Ticks), (whole.clone(), vec![]), "{word}");
    }
    assert_good(dir);
}

#[test]
fn missing_and_headerless_segments_become_holes_or_are_read_without_their_header() {
    let folder = scratch();
    let original = folder.path().join("original");
    journal(&original, 90, true);
    let (whole, _) = contents(&original, Stream::Ticks);
    for (name, missing, headerless) in [
        ("one", &[3][..], &[][..]),
        ("two", &[3, 4], &[]),
        ("header", &[], &[3]),
        ("first", &[], &[1]),
        ("both", &[2], &[3]),
    ] {
        let dir = &folder.path().join(name);
        copy(&original, dir);
        let mut gone = BTreeMap::new();
        for ordinal in missing {
            let path = segment(dir, Stream::Ticks, *ordinal);
            let bytes = fs::read(&path).unwrap();
            for at in offsets(&bytes).windows(2).map(|pair| pair[0]) {
                gone.insert(u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap()), ());
            }
            fs::remove_file(path).unwrap();
        }
        gone.remove(&0);
        for ordinal in headerless {
            edit(&segment(dir, Stream::Ticks, *ordinal), |bytes| bytes[..4096].fill(0xee));
        }
        assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt, "{name}");
        let out = &folder.path().join(format!("{name}-out"));
        let rescued = rescue(dir, out, |_, _, _, _| {}).unwrap();
        assert_eq!(rescued.streams[0].1.lost(), gone.len() as u64, "{name}: {rescued:?}");
        let report = fix(dir, Policy::Skip);
        assert_eq!(report.after.state, Verdict::Clean, "{name}: {report:?}");
        for dir in [dir, out] {
            let (kept, holes) = contents(dir, Stream::Ticks);
            let expected: BTreeMap<u64, Vec<u8>> = whole
                .iter()
                .filter(|(sequence, _)| !gone.contains_key(sequence))
                .map(|(a, b)| (*a, b.clone()))
                .collect();
            assert!(kept == expected, "{name}: {:?} of {:?}", kept.keys().count(), expected.keys().count());
            assert_eq!(holes.len(), usize::from(!gone.is_empty()), "{name}: {holes:?}");
            assert_good(dir);
        }
    }
}

#[test]
fn records_marked_durable_that_are_not_there_become_a_hole() {
    let folder = scratch();
    let dir = folder.path();
    let last = journal(dir, 60, true);
    let count = (1..).take_while(|at| segment(dir, Stream::Ticks, *at).exists()).count() as u64;
    let path = segment(dir, Stream::Ticks, count);
    let places = offsets(&fs::read(&path).unwrap());
    let at = places[places.len() - 4];
    edit(&path, |bytes| bytes[at..].fill(0));
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt);
    let report = fix(dir, Policy::Skip);
    assert_eq!(report.after.state, Verdict::Clean, "{report:?}");
    let (_, holes) = contents(dir, Stream::Ticks);
    assert_eq!(holes, [(last - 1, last)]);
    assert_good(dir);
    // And the whole newest segment gone.
    let dir = &folder.path().join("second");
    journal(dir, 60, true);
    fs::remove_file(segment(dir, Stream::Ticks, count)).unwrap();
    let report = fix(dir, Policy::Skip);
    assert_eq!(report.after.state, Verdict::Clean, "{report:?}");
    assert_eq!(contents(dir, Stream::Ticks).1[0].1, last);
    assert_good(dir);
}

#[test]
fn a_damaged_control_page_is_made_anew_and_kept() {
    let folder = scratch();
    for (at, bytes) in [(3, 1), (58, 1), (260, 4), (300, 200)] {
        let dir = &folder.path().join(format!("at-{at}"));
        journal(dir, 40, true);
        let path = dir.join("ticks/control");
        edit(&path, |page| page[at..at + bytes].iter_mut().for_each(|byte| *byte ^= 0x81));
        let damaged = fs::read(&path).unwrap();
        let found = verify(dir, |_, _, _, _| {}).unwrap().state;
        let report = fix(dir, Policy::Cut);
        assert_eq!(report.after.state, Verdict::Clean, "{at}: {report:?}");
        if found != Verdict::Clean {
            let kept = report.actions[0].quarantine.as_ref().unwrap();
            assert_eq!(fs::read(dir.join(kept)).unwrap(), damaged);
        }
        assert_good(dir);
    }
    let dir = &folder.path().join("gone");
    journal(dir, 40, true);
    fs::remove_file(dir.join("ticks/control")).unwrap();
    assert_eq!(fix(dir, Policy::Cut).after.state, Verdict::Clean);
    assert_good(dir);
}

#[test]
fn a_journal_being_written_or_not_there_is_refused() {
    let folder = scratch();
    assert!(matches!(repair(folder.path(), Policy::Cut, |_, _, _, _| {}), Err(RepairError::Verify(_))));
    let dir = &folder.path().join("journal");
    let out = &folder.path().join("out");
    let held = Journal::open(dir, small(SEGMENT)).unwrap();
    for policy in [Policy::Cut, Policy::Skip, Policy::Abort] {
        let error = repair(dir, policy, |_, _, _, _| {}).unwrap_err();
        assert!(matches!(error, RepairError::Live { .. }) && error.to_string().contains("stop the recorder"));
    }
    assert!(matches!(rescue(dir, out, |_, _, _, _| {}), Err(RescueError::Live { .. })));
    held.close().unwrap();
    fs::create_dir(out).unwrap();
    fs::write(out.join("something"), "else").unwrap();
    assert!(rescue(dir, out, |_, _, _, _| {}).unwrap_err().to_string().contains("not empty"));
}

#[test]
fn files_of_a_newer_format_are_left_alone() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, 60, true);
    edit(&segment(dir, Stream::Ticks, 2), |bytes| {
        let mut prepared: Prepared = bytemuck::pod_read_unaligned(&bytes[..size_of::<Prepared>()]);
        prepared.format_major = 9;
        prepared.prepared_crc = prepared.crc();
        bytes[..size_of::<Prepared>()].copy_from_slice(bytemuck::bytes_of(&prepared));
    });
    let before = bytes_of(dir);
    assert!(matches!(repair(dir, Policy::Skip, |_, _, _, _| {}), Err(RepairError::Version { major: 9, .. })));
    assert!(bytes_of(dir) == before);
}

/// A small generator of numbers, the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// One random damage to a file; returns what it was.
fn damage(random: &mut Random, path: &Path, hits: &mut Vec<(usize, usize)>) -> String {
    let mut bytes = fs::read(path).unwrap();
    let used = offsets(&bytes).last().copied().unwrap_or(bytes.len()).min(bytes.len()).max(1);
    let at = random.next(used + 40).min(bytes.len() - 1);
    let name = path.display();
    let (text, length) = match random.next(6) {
        0 => {
            bytes[at] ^= 1 << random.next(8);
            (format!("{name}: a bit at {at}"), 1)
        }
        1 => {
            let length = (1 + random.next(700)).min(bytes.len() - at);
            bytes[at..at + length].fill(0);
            (format!("{name}: {length} zeros at {at}"), length)
        }
        2 => {
            let length = (1 + random.next(700)).min(bytes.len() - at);
            bytes[at..at + length].iter_mut().for_each(|byte| *byte = random.next(256) as u8);
            (format!("{name}: {length} random at {at}"), length)
        }
        3 => {
            let length = bytes.len() - at;
            bytes.truncate(at);
            (format!("{name}: cut at {at}"), length)
        }
        4 => {
            let at = random.next(300).min(bytes.len() - 1);
            bytes[at] ^= 1 << random.next(8);
            (format!("{name}: a bit of the header at {at}"), 0)
        }
        _ => {
            let length = bytes.len() - at;
            bytes[at..].fill(0);
            (format!("{name}: zeros from {at}"), length)
        }
    };
    hits.push((at, length));
    fs::write(path, bytes).unwrap();
    text
}

#[test]
fn whatever_is_damaged_repair_and_recover_keep_every_record_that_was_not_hit_and_leave_a_good_journal() {
    let rounds: u64 = if policy::is_long() { 4000 } else { 60 };
    let folder = scratch();
    let originals = [folder.path().join("closed"), folder.path().join("open")];
    journal(&originals[0], 90, true);
    journal(&originals[1], 90, false);
    for round in 0..rounds {
        let mut random = Random(round * 7919 + 1);
        let original = &originals[random.next(2)];
        let dir = &folder.path().join("damaged");
        let out = &folder.path().join("recovered");
        copy(original, dir);
        let mut what = Vec::new();
        // What no damage reached: it has to be in both outcomes.
        let mut safe: BTreeMap<(u32, u64), Vec<u8>> = BTreeMap::new();
        let mut files = Vec::new();
        for stream in [Stream::Ticks, Stream::Raw] {
            for ordinal in (1..20).filter(|ordinal| segment(original, stream, *ordinal).exists()) {
                files.push((stream, segment(original, stream, ordinal), segment(dir, stream, ordinal)));
            }
        }
        let mut hits: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for _ in 0..=random.next(4) {
            let which = random.next(files.len() + 1);
            match files.get(which) {
                Some((_, _, path)) => what.push(damage(&mut random, path, hits.entry(which).or_default())),
                None => what.push(damage(&mut random, &dir.join("ticks/control"), &mut Vec::new())),
            }
        }
        for (which, (stream, path, _)) in files.iter().enumerate() {
            let bytes = fs::read(path).unwrap();
            for pair in offsets(&bytes).windows(2) {
                let hit =
                    hits.get(&which).into_iter().flatten().any(|(at, length)| *at < pair[1] && at + length > pair[0]);
                let sequence = u64::from_le_bytes(bytes[pair[0] + 8..pair[0] + 16].try_into().unwrap());
                if !hit && sequence > 0 {
                    let length = u32::from_le_bytes(bytes[pair[0]..pair[0] + 4].try_into().unwrap()) as usize;
                    safe.insert((stream.number(), sequence), bytes[pair[0] + 8..pair[0] + length].to_vec());
                }
            }
        }
        let rescued = rescue(dir, out, |_, _, _, _| {}).unwrap_or_else(|error| panic!("{round}: {what:?}: {error}"));
        let cut = fix(dir, Policy::Cut);
        assert!(cut.after.state <= cut.before.state, "{round}: {what:?}");
        let report = fix(dir, Policy::Skip);
        assert_eq!(report.after.state, Verdict::Clean, "{round}: {what:?}: {report:#?}");
        for dir in [dir, out] {
            for stream in [Stream::Ticks, Stream::Raw] {
                let (kept, _) = contents(dir, stream);
                for ((number, sequence), bytes) in safe.iter().filter(|((number, _), _)| *number == stream.number()) {
                    assert_eq!(
                        kept.get(sequence),
                        Some(bytes),
                        "{round}: {number} {sequence} in {}: {what:?}\n{report:#?}\n{rescued:#?}",
                        dir.display()
                    );
                }
            }
            assert_good(dir);
        }
        assert_eq!(fix(dir, Policy::Skip).actions.len(), 0, "{round}: {what:?}");
        fs::remove_dir_all(dir).unwrap();
        fs::remove_dir_all(out).unwrap();
    }
}
