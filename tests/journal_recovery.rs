//! What a death leaves, and what damage looks like.
//!
//! Goal: never a panic, never wrong data reported as good, and the verdict that the evidence allows. Method: a small
//! journal is copied, one thing is done to the copy (bytes zeroed from a place on, the file cut there, one byte
//! flipped), and the copy is verified, read and opened.

mod journal_support;

use std::fs::{self, OpenOptions};
use std::path::Path;

use hoga::journal::{Journal, OpenError, Reason, Start, Stream, Tailer, Verdict, VerifyError, verify};
use journal_support::*;

/// Three segments of ticks, the last one open with `open` records in it; returns how many records there are.
fn journal(dir: &Path, records: u64, close: bool) -> u64 {
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    for number in 1..=records {
        append_pair(&mut journal, number);
    }
    assert_eq!(journal.ticks.ordinal(), 3);
    if close {
        journal.close().unwrap()
    } else {
        drop(journal)
    }
    records
}

/// Offsets of the records of a segment, and of the end of the last.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![4096];
    loop {
        let at = *offsets.last().unwrap();
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if length == 0 {
            return offsets;
        }
        offsets.push(at + length.next_multiple_of(8));
    }
}

/// Reads as far as it goes and asserts that what is handed over is the first records, unchanged.
fn assert_only_good_records(dir: &Path, at_most: u64) -> u64 {
    let Ok(tailer) = Tailer::open(dir, Stream::Ticks, Start::Beginning) else { return 0 };
    let mut read = 0;
    let mut first = 0;
    let _ = tailer.with_crc_check(true).poll(usize::MAX, |record| {
        if read == 0 {
            first = record.position.sequence;
        }
        assert_eq!(record.position.sequence, first + read);
        let mut expected = trade(record.position.sequence);
        expected.header.sequence = record.position.sequence;
        expected.header.version = 1;
        assert_eq!(record.bytes[8..], bytemuck::bytes_of(&expected)[8..]);
        read += 1;
    });
    assert!(first + read <= at_most + 1);
    read
}

/// Opens a copy for writing and goes on; the records before the cut and those after are there.
fn assert_opens_and_goes_on(dir: &Path, records: u64, torn: bool) {
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    let recovery = &journal.recovery.ticks;
    assert_eq!(recovery.last_sequence, records);
    assert_eq!(recovery.verdict == Verdict::Torn, torn, "{:?}", recovery.findings);
    if recovery.quarantined_bytes > 0 {
        assert!(fs::read_dir(dir.join("quarantine")).unwrap().count() >= 2);
    }
    for number in records + 1..=records + 3 {
        assert_eq!(journal.ticks.append(hoga::tick::words_of(&mut trade(number))).unwrap(), number);
    }
    drop(journal);
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    assert_eq!(assert_only_good_records(dir, records + 3), records + 3);
}

#[test]
fn a_tail_zeroed_at_every_byte_of_the_last_records_is_torn_or_clean_and_opens() {
    let folder = scratch();
    let original = folder.path().join("original");
    let records = journal(&original, 33, false);
    let whole = fs::read(segment(&original, Stream::Ticks, 3)).unwrap();
    let ends = offsets(&whole);
    let end = *ends.last().unwrap();
    for at in ends[ends.len() - 3]..=end {
        let dir = folder.path().join(format!("zeroed-{at}"));
        copy(&original, &dir);
        let mut bytes = whole.clone();
        bytes[at..].fill(0);
        fs::write(segment(&dir, Stream::Ticks, 3), &bytes).unwrap();
        // Records end in zeros, so a cut in those loses nothing of that record.
        let intact = ends.iter().rfind(|offset| bytes[..**offset] == whole[..**offset]).unwrap();
        let good = records - ends.iter().filter(|offset| *offset > intact).count() as u64;
        let boundary = bytes[*intact..].iter().all(|byte| *byte == 0);
        let report = verify(&dir, |_, _, _, _| {}).unwrap();
        assert_eq!(report.state, if boundary { Verdict::Clean } else { Verdict::Torn }, "cut at {at}");
        assert_eq!(report.streams[0].1.records, good, "cut at {at}");
        assert!(report.streams[0].1.open);
        assert_eq!(assert_only_good_records(&dir, good), good);
        assert_opens_and_goes_on(&dir, good, !boundary);
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn an_uncommitted_record_is_a_torn_tail() {
    let folder = scratch();
    let dir = folder.path();
    let records = journal(dir, 33, false);
    let path = segment(dir, Stream::Ticks, 3);
    let mut bytes = fs::read(&path).unwrap();
    let end = *offsets(&bytes).last().unwrap();
    bytes[end + 4..end + 200].fill(0xab);
    fs::write(&path, bytes).unwrap();
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    assert_eq!((report.state, report.streams[0].1.records), (Verdict::Torn, records));
    assert_eq!(report.streams[0].1.findings[0].offset, end as u64);
    assert_opens_and_goes_on(dir, records, true);
    let kept = fs::read(dir.join(format!("quarantine/ticks-0000000003-{end}.bin"))).unwrap();
    assert_eq!(kept[4..200], [0xab; 196]);
    let about = fs::read_to_string(dir.join(format!("quarantine/ticks-0000000003-{end}.json"))).unwrap();
    assert!(about.contains("never committed"), "{about}");
}

#[test]
fn a_file_cut_short_at_any_byte_never_panics_and_loses_only_what_is_behind() {
    let folder = scratch();
    let original = folder.path().join("original");
    let records = journal(&original, 33, false);
    let whole = fs::read(segment(&original, Stream::Ticks, 3)).unwrap();
    let ends = offsets(&whole);
    for at in (0..4096).step_by(37).chain(ends[ends.len() - 3]..whole.len().min(ends[ends.len() - 1] + 64)) {
        let dir = folder.path().join(format!("short-{at}"));
        copy(&original, &dir);
        OpenOptions::new().write(true).open(segment(&dir, Stream::Ticks, 3)).unwrap().set_len(at as u64).unwrap();
        let report = verify(&dir, |_, _, _, _| {}).unwrap();
        if at < 4096 {
            assert_eq!(report.state, Verdict::Corrupt, "no header at {at}");
            assert!(matches!(Journal::open(&dir, small(8 << 10)), Err(OpenError::Corrupt { .. })));
        } else {
            let good = records - ends.iter().filter(|offset| **offset > at).count() as u64;
            assert_eq!((report.state, report.streams[0].1.records), (Verdict::Torn, good), "cut at {at}");
            assert_only_good_records(&dir, good);
            let journal = Journal::open(&dir, small(8 << 10)).unwrap();
            assert_eq!(journal.recovery.ticks.last_sequence, good);
            drop(journal);
            assert_eq!(verify(&dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean, "cut at {at}");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}

/// Flips every byte of every segment of a stream, one at a time; `verdict` says what must come of it.
fn flip_each(original: &Path, scratch: &Path, mask: u8, verdict: impl Fn(u64, usize) -> Verdict) {
    copy(original, scratch);
    let clean = verify(scratch, |_, _, _, _| {}).unwrap().streams[0].1.records;
    for ordinal in 1..=3 {
        let path = segment(scratch, Stream::Ticks, ordinal);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            // The unused middle of the header and the zeros far behind are all alike, and so are the first segments.
            let sample = ordinal < 3 && at >= 320 && !at.is_multiple_of(11);
            if sample || (320..4000).contains(&at) && !at.is_multiple_of(97) || at > 7200 && !at.is_multiple_of(31) {
                continue;
            }
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            fs::write(&path, &bytes).unwrap();
            let report = verify(scratch, |_, _, _, _| {}).unwrap();
            assert_eq!(report.state, verdict(ordinal, at), "segment {ordinal}, byte {at}: {:?}", report.streams[0].1);
            assert!(report.streams[0].1.records <= clean);
            assert_only_good_records(scratch, clean);
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn every_flipped_byte_of_a_closed_journal_is_corrupt() {
    let folder = scratch();
    let original = folder.path().join("original");
    journal(&original, 33, true);
    flip_each(&original, &folder.path().join("flipped"), 0x01, |_, _| Verdict::Corrupt);
}

#[test]
fn every_flipped_byte_of_an_open_journal_is_corrupt_but_in_or_behind_its_last_record() {
    let folder = scratch();
    let original = folder.path().join("original");
    journal(&original, 33, false);
    let ends = offsets(&fs::read(segment(&original, Stream::Ticks, 3)).unwrap());
    let last = ends[ends.len() - 2];
    let verdict = move |ordinal, at| if ordinal == 3 && at >= last { Verdict::Torn } else { Verdict::Corrupt };
    flip_each(&original, &folder.path().join("flipped"), 0xff, verdict);
}

#[test]
fn damage_before_a_valid_record_is_refused_with_place_reason_and_remedy() {
    let folder = scratch();
    let dir = folder.path();
    journal(dir, 33, false);
    let path = segment(dir, Stream::Ticks, 3);
    let mut bytes = fs::read(&path).unwrap();
    let at = offsets(&bytes)[1];
    bytes[at + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let Err(error) = Journal::open(dir, small(8 << 10)) else { panic!("refused") };
    let message = error.to_string();
    assert!(message.contains(&format!("ticks/0000000003.seg is corrupt at offset {at}: checksum")), "{message}");
    assert!(message.contains("record into another folder and keep this one"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing was changed");
}

#[test]
fn a_dead_host_may_leave_holes_behind_the_durable_mark_and_is_cut_at_the_first() {
    let folder = scratch();
    let dir = folder.path();
    let other_boot = [7; 16];
    let mut journal = Journal::open_in_boot(dir, small(8 << 10), other_boot).unwrap();
    for number in 1..=33 {
        append_pair(&mut journal, number);
    }
    drop(journal);
    let path = segment(dir, Stream::Ticks, 2);
    let mut bytes = fs::read(&path).unwrap();
    let hole = offsets(&bytes)[2];
    bytes[hole..hole + 256].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Torn);
    let base = u64::from_le_bytes(fs::read(&path).unwrap()[128..136].try_into().unwrap());
    assert_opens_and_goes_on(dir, base + 1, true);
    assert!(dir.join("quarantine/ticks-0000000003.seg").exists());
}

#[test]
fn a_durable_mark_makes_a_loss_corrupt_even_on_another_boot() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open_in_boot(dir, small(8 << 10), [7; 16]).unwrap();
    for number in 1..=33 {
        append_pair(&mut journal, number);
    }
    journal.close().unwrap();
    let path = segment(dir, Stream::Ticks, 3);
    let mut bytes = fs::read(&path).unwrap();
    let at = offsets(&bytes)[1];
    bytes[at..].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt);
    assert!(matches!(Journal::open(dir, small(8 << 10)), Err(OpenError::Corrupt { .. })));
}

#[test]
fn a_missing_segment_is_corrupt_also_at_the_beginning_where_no_log_tells_of_its_deletion() {
    let folder = scratch();
    let dir = folder.path();
    let records = journal(dir, 33, true);
    fs::remove_file(segment(dir, Stream::Ticks, 1)).unwrap();
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    let findings = &report.streams[0].1.findings;
    assert_eq!((findings.len(), &findings[0].reason), (1, &Reason::Missing));
    assert_eq!(findings[0].segment, "ticks/0000000001.seg");
    assert_eq!(report.streams[0].1.last_sequence, records);
    assert!(report.streams[0].1.first_sequence > 1);
    fs::copy(segment(dir, Stream::Ticks, 3), segment(dir, Stream::Ticks, 1)).unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt, "a segment under another's name");
    fs::remove_file(segment(dir, Stream::Ticks, 1)).unwrap();
    fs::remove_file(segment(dir, Stream::Ticks, 3)).unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt, "the durable mark is in it");
}

#[test]
fn a_live_journal_is_judged_by_what_is_committed_only() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(64 << 10)).unwrap();
    for number in 1..=10 {
        append_pair(&mut journal, number);
    }
    let path = segment(dir, Stream::Ticks, 1);
    let write_at = |at: usize, bytes: &[u8]| {
        use std::os::unix::fs::FileExt as _;
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(bytes, at as u64).unwrap();
    };
    let end = *offsets(&fs::read(&path).unwrap()).last().unwrap();
    write_at(end + 8, &[9; 50]);
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    assert_eq!((report.state, report.streams[0].1.records), (Verdict::Clean, 10), "a record being written");
    write_at(end - 100, &[9]);
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt, "a committed record changed");
}

#[test]
fn there_is_no_journal_where_there_is_none() {
    let folder = scratch();
    assert!(matches!(verify(folder.path(), |_, _, _, _| {}), Err(VerifyError::NoJournal(_))));
}
