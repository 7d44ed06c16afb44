//! Real files for each case of the opening's decision table: what `verify` calls it, and what an opening does.

mod journal_support;

use std::fs;
use std::path::{Path, PathBuf};

use hoga::journal::{Case, Journal, OpenError, Stream, Verdict, verify};
use journal_support::*;
use serde_json::Value;

/// Boot of the writers whose host dies.
const BEFORE: [u8; 16] = [7; 16];

/// Three segments of 33 ticks, the last one open unless closed.
fn journal(dir: &Path, boot: Option<[u8; 16]>, close: bool) {
    let mut journal = match boot {
        Some(boot) => Journal::open_in_boot(dir, small(8 << 10), boot).unwrap(),
        None => Journal::open(dir, small(8 << 10)).unwrap(),
    };
    for number in 1..=33 {
        append_pair(&mut journal, number);
    }
    assert_eq!(journal.ticks.ordinal(), 3);
    if close {
        journal.close().unwrap();
    }
}

fn ticks(dir: &Path, ordinal: u64) -> PathBuf {
    segment(dir, Stream::Ticks, ordinal)
}

/// Offset behind the last record of a segment.
fn end_of(bytes: &[u8]) -> usize {
    let mut at = 4096;
    loop {
        match u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize {
            0 => return at,
            length => at += length.next_multiple_of(8),
        }
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// The case `verify` finds in stream `ticks`.
fn found(dir: &Path) -> Case {
    verify(dir, |_, _, _, _| {}).unwrap().streams[0].1.case()
}

/// Opens, says the case, and goes on; everything is clean then.
fn opens_as(dir: &Path, case: Case) -> u64 {
    assert_eq!(found(dir), case);
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    let recovery = journal.recovery.ticks.clone();
    assert_eq!((recovery.case, recovery.verdict), (case, case.verdict()), "{:?}", recovery.findings);
    let number = journal.ticks.next_sequence();
    assert_eq!(journal.ticks.append(hoga::tick::words_of(&mut trade(number))), Ok(recovery.last_sequence + 1));
    drop(journal);
    assert_eq!(found(dir), Case::Clean);
    let read = read_all(dir, Stream::Ticks);
    assert_eq!(read.len() as u64, number);
    recovery.last_sequence
}

/// Every byte of a stream's folder.
fn bytes_of(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir.join("ticks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Refuses to open, names the case, and changes nothing.
fn refused_as(dir: &Path, case: Case) {
    assert_eq!(found(dir), case);
    assert_eq!(case.verdict(), Verdict::Corrupt);
    let before = bytes_of(dir);
    match Journal::open(dir, small(8 << 10)) {
        Err(OpenError::Corrupt { finding }) => assert_eq!(finding.case, case),
        Err(OpenError::Version { .. }) => assert_eq!(case, Case::NewerVersion),
        other => panic!("{other:?}"),
    }
    assert!(bytes_of(dir) == before, "nothing was changed");
}

/// The reason beside the bytes put away.
fn about(dir: &Path, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(dir.join("quarantine").join(name)).unwrap()).unwrap()
}

#[test]
fn closed_or_left_between_two_records_is_clean() {
    for close in [true, false] {
        for boot in [None, Some(BEFORE)] {
            let folder = scratch();
            journal(folder.path(), boot, close);
            assert_eq!(opens_as(folder.path(), Case::Clean), 33);
            assert!(!folder.path().join("quarantine").exists());
        }
    }
}

#[test]
fn half_a_record_is_torn_by_process_death() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, None, false);
    let mut end = 0;
    change(&ticks(dir, 3), |bytes| {
        end = end_of(bytes);
        bytes[end + 8..end + 100].fill(0x5a);
    });
    assert_eq!(opens_as(dir, Case::TornByProcessDeath), 33);
    let about = about(dir, &format!("ticks-0000000003-{end}.json"));
    assert_eq!(about["case"], "torn_by_process_death");
    assert_eq!((&about["bytes"], &about["next_sequence"]), (&100.into(), &34.into()));
    assert_eq!(fs::read(dir.join(format!("quarantine/ticks-0000000003-{end}.bin"))).unwrap()[8..], [0x5a; 92]);
}

#[test]
fn a_death_while_definitions_are_restated_puts_the_next_segment_away() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, None, false);
    // As prepared by the helper, with half a definition in it.
    let mut next = fs::read(ticks(dir, 3)).unwrap();
    next[4096..].fill(0);
    next[4104..4150].fill(1);
    next[24..32].copy_from_slice(&4_u64.to_le_bytes());
    let crc = hoga::simd::crc32c::crc32c(0, &next[..92]);
    next[92..96].copy_from_slice(&crc.to_le_bytes());
    next[128..200].fill(0);
    next[192..196].copy_from_slice(b"PREP");
    fs::write(ticks(dir, 4), next).unwrap();
    assert_eq!(opens_as(dir, Case::TornByProcessDeath), 33);
    assert!(dir.join("quarantine/ticks-0000000004.seg").exists());
    assert_eq!(about(dir, "ticks-0000000004.json")["case"], "torn_by_process_death");
}

#[test]
fn lost_pages_of_another_boot_are_torn_by_host_death() {
    let folder = scratch();
    let dir = &folder.path().join("hole");
    journal(dir, Some(BEFORE), false);
    change(&ticks(dir, 2), |bytes| bytes[5000..6000].fill(0));
    let last = opens_as(dir, Case::TornByHostDeath);
    assert!(0 < last && last < 33);
    assert!(dir.join("quarantine/ticks-0000000003.seg").exists());

    let dir = &folder.path().join("end");
    journal(dir, Some(BEFORE), false);
    change(&ticks(dir, 1), |bytes| {
        let end = end_of(bytes);
        bytes[end - 64..end].fill(0);
    });
    let last = opens_as(dir, Case::TornByHostDeath);
    assert!(0 < last && last < 20, "{last}");

    let dir = &folder.path().join("activation");
    journal(dir, Some(BEFORE), false);
    for ordinal in [2, 3] {
        change(&ticks(dir, ordinal), |bytes| {
            bytes[128..200].fill(0);
            bytes[192..196].copy_from_slice(b"PREP");
        });
    }
    assert_eq!(opens_as(dir, Case::TornByHostDeath), last, "the first segment is whole");
    assert!(
        dir.join("quarantine/ticks-0000000002.seg").exists() && dir.join("quarantine/ticks-0000000003.seg").exists()
    );
}

#[test]
fn a_lost_control_page_is_made_anew_and_the_damaged_one_kept() {
    let folder = scratch();
    for damaged in [true, false] {
        let dir = &folder.path().join(format!("{damaged}"));
        journal(dir, None, true);
        let page = dir.join("ticks/control");
        if damaged {
            change(&page, |bytes| bytes[3] ^= 1);
        } else {
            fs::remove_file(&page).unwrap();
        }
        assert_eq!(opens_as(dir, Case::TornByHostDeath), 33);
        assert_eq!(dir.join("quarantine/ticks-control.bin").exists(), damaged);
    }
    // What was durable is not known any more: then nothing may be cut on the word of a dead host.
    let dir = &folder.path().join("unmarked");
    journal(dir, Some(BEFORE), false);
    fs::remove_file(dir.join("ticks/control")).unwrap();
    change(&ticks(dir, 3), |bytes| bytes[4150..4300].fill(0));
    refused_as(dir, Case::CorruptMiddle);
}

#[test]
fn a_mark_half_written_is_no_damage_and_a_lost_one_is_told_once() {
    let folder = scratch();
    // The first durable slot of a page, 64 bytes with the checksum in the last four.
    let slot = 4096;
    let copies = |dir: &Path| {
        let names = fs::read_dir(dir.join("quarantine")).into_iter().flatten().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("ticks-control")).count() / 2
    };
    for boot in [None, Some(BEFORE)] {
        // The first mark of all, by a writer that died inside it.
        let dir = &folder.path().join(format!("first-{}", boot.is_some()));
        journal(dir, boot, false);
        change(&dir.join("ticks/control"), |page| page[slot..slot + 40].fill(0x11));
        assert_eq!(opens_as(dir, Case::Clean), 33);
        assert_eq!(opens_as(dir, Case::Clean), 34);
        assert_eq!(copies(dir), 1, "what stood there is kept, once");
    }
    // The second one, beside the first.
    let dir = &folder.path().join("second");
    journal(dir, Some(BEFORE), true);
    change(&dir.join("ticks/control"), |page| {
        assert!(page[slot + 60..slot + 64] != [0; 4] && page[slot + 64..slot + 128] == [0; 64]);
        page[slot + 64..slot + 100].fill(0x11);
    });
    assert_eq!(opens_as(dir, Case::Clean), 33);
    assert_eq!(copies(dir), 1);
    // The only mark, complete once, is damaged.
    let dir = &folder.path().join("lost");
    journal(dir, Some(BEFORE), true);
    change(&dir.join("ticks/control"), |page| page[slot + 8] ^= 1);
    assert_eq!(opens_as(dir, Case::TornByHostDeath), 33);
    assert_eq!(opens_as(dir, Case::Clean), 34);
    assert_eq!(copies(dir), 1);
}

#[test]
fn a_damaged_record_before_good_ones_is_corrupt_middle() {
    let folder = scratch();
    for (name, boot, close, ordinal) in
        [("newest", None, true, 3), ("earlier", None, false, 2), ("durable", Some(BEFORE), true, 3)]
    {
        let dir = &folder.path().join(name);
        journal(dir, boot, close);
        change(&ticks(dir, ordinal), |bytes| bytes[4200] ^= 0x10);
        if name == "earlier" {
            // The opening of the same boot trusts what it wrote; the judge reads everything.
            assert_eq!(found(dir), Case::CorruptMiddle);
        } else {
            refused_as(dir, Case::CorruptMiddle);
        }
    }
}

#[test]
fn a_file_that_is_no_segment_is_foreign() {
    let folder = scratch();
    journal(folder.path(), None, true);
    fs::write(ticks(folder.path(), 4), vec![b'#'; 8192]).unwrap();
    refused_as(folder.path(), Case::Foreign);
}

#[test]
fn a_segment_or_control_page_of_a_higher_major_is_a_newer_version() {
    let folder = scratch();
    let dir = &folder.path().join("segment");
    journal(dir, None, true);
    change(&ticks(dir, 3), |bytes| bytes[8] = 2);
    refused_as(dir, Case::NewerVersion);
    let dir = &folder.path().join("control");
    journal(dir, None, true);
    change(&dir.join("ticks/control"), |bytes| {
        bytes[8] = 2;
        let crc = hoga::simd::crc32c::crc32c(0, &bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    });
    refused_as(dir, Case::NewerVersion);
}

#[test]
fn a_segment_that_is_not_there_is_missing() {
    let folder = scratch();
    let dir = &folder.path().join("middle");
    journal(dir, Some(BEFORE), false);
    fs::remove_file(ticks(dir, 2)).unwrap();
    refused_as(dir, Case::MissingSegment);
    let dir = &folder.path().join("marked");
    journal(dir, None, true);
    fs::remove_file(ticks(dir, 3)).unwrap();
    refused_as(dir, Case::MissingSegment);
}

#[test]
fn a_frame_of_a_later_epoch_is_later_whatever_its_number() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, Some(BEFORE), false);
    // The host died: ticks name frames that `raw` has lost, and their numbers are used again.
    change(&segment(dir, Stream::Raw, 1), |bytes| {
        let at = 4096 + 9 * u32::from_le_bytes(bytes[4096..4100].try_into().unwrap()).next_multiple_of(8) as usize;
        bytes[at..at + 300].fill(0);
    });
    let mut journal = Journal::open_in_boot(dir, small(8 << 10), [8; 16]).unwrap();
    assert_eq!((journal.recovery.ticks.last_sequence, journal.recovery.ticks.case), (33, Case::Clean));
    let lost_from = journal.raw.as_ref().unwrap().next_sequence();
    assert_eq!(journal.recovery.raw.as_ref().unwrap().case, Case::TornByHostDeath);
    assert!(lost_from < 30 && journal.recovery.raw_frames.is_empty());
    for number in lost_from..lost_from + 6 {
        append_raw(journal.raw.as_mut().unwrap(), b"frame");
        if number < lost_from + 3 {
            journal.ticks.append(hoga::tick::words_of(&mut trade(number))).unwrap();
        }
    }
    drop(journal);
    let journal = Journal::open_in_boot(dir, small(8 << 10), [9; 16]).unwrap();
    let again: Vec<u64> = frames_again(&journal).into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(again, [lost_from + 3, lost_from + 4, lost_from + 5], "frames that did not reach `ticks`");
}

#[test]
fn frames_committed_again_under_numbers_that_ticks_name_already_are_decoded() {
    for (partial, tick) in [(false, 0), (true, 0), (false, 2)] {
        let folder = scratch();
        let dir = folder.path();
        journal(dir, Some(BEFORE), false);
        if partial {
            // The last tick is the first of three of its frame.
            let mut journal = Journal::open_in_boot(dir, small(8 << 10), BEFORE).unwrap();
            let mut half = trade(append_raw(journal.raw.as_mut().unwrap(), b"frame"));
            half.market.frame_count = 3;
            journal.ticks.append(hoga::tick::words_of(&mut half)).unwrap();
        }
        // The host died: `raw` is cut below the last frame that `ticks` names.
        change(&segment(dir, Stream::Raw, 1), |bytes| {
            let at = 4096 + 9 * u32::from_le_bytes(bytes[4096..4100].try_into().unwrap()).next_multiple_of(8) as usize;
            bytes[at..at + 300].fill(0);
        });
        let mut journal = Journal::open_in_boot(dir, small(8 << 10), [8; 16]).unwrap();
        let named = journal.recovery.last_frame;
        let again_from = journal.raw.as_ref().unwrap().next_sequence();
        assert!(again_from < named.raw_sequence && journal.recovery.raw_frames.is_empty(), "{named:?}");
        assert_eq!(named.is_partial(), partial);
        // Past the number that `ticks` names; the process dies before it got as far itself.
        let last = named.raw_sequence + 3;
        for number in again_from..=last {
            assert_eq!(append_raw(journal.raw.as_mut().unwrap(), b"again"), number);
        }
        for number in again_from..again_from + tick {
            journal.ticks.append(hoga::tick::words_of(&mut trade(number))).unwrap();
        }
        drop(journal);
        // The opening that finds them may itself be followed by others that decode nothing.
        for _ in 0..2 {
            let journal = Journal::open_in_boot(dir, small(8 << 10), [8; 16]).unwrap();
            let again: Vec<u64> = frames_again(&journal).into_iter().map(|(sequence, _)| sequence).collect();
            assert_eq!(again, (again_from + tick..=last).collect::<Vec<_>>(), "partial {partial}, ticks {tick}");
            let frames = &journal.recovery.raw_frames;
            frames.for_each(|frame| assert!(!frame.is_partial, "another frame of that number")).unwrap();
        }
    }
}

#[test]
fn the_command_line_names_the_case() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, None, false);
    change(&ticks(dir, 3), |bytes| {
        let end = end_of(bytes);
        bytes[end + 8..end + 100].fill(0x5a);
    });
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hoga")).args(arguments).arg(dir).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = run(&["verify", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["state"], &report["case"]), (Some(0), &"torn".into(), &"torn_by_process_death".into()));
    assert_eq!(report["streams"]["ticks"]["findings"][0]["case"], "torn_by_process_death");
    assert_eq!(report["streams"]["raw"]["case"], "clean");
    let (_, text) = run(&["verify"]);
    assert!(text.contains("torn_by_process_death: the writing process died inside a record"), "{text}");
}
