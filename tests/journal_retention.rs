//! Retention: old sealed days go, oldest first, by policy alone, and the log says so before they do.

mod journal_support;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use hoga::journal::{
    Journal, JournalConfig, Policy, SealError, SealOptions, Seek, Sought, Start, Stream, TailError, Tailer, hold,
    prune, prune_with, release, seal, verify,
};
use journal_support::*;

const DAYS: u32 = 5;

fn day(number: u32) -> jiff::civil::Date {
    format!("2026-11-{number}").parse().unwrap()
}

/// Days 21 to 25, the last is being written; those before are sealed, the first two compressed.
fn days(dir: &Path) -> Journal {
    let mut journal = Journal::open(dir, JournalConfig { trading_date: 20_261_121, ..small(8 << 10) }).unwrap();
    for at in 0..DAYS {
        let date = 20_261_121 + at;
        journal.ticks.set_trading_date(date).unwrap();
        journal.raw.as_mut().unwrap().set_trading_date(date).unwrap();
        for number in 1..=60 {
            append_pair(&mut journal, u64::from(at) * 60 + number);
        }
    }
    seal(dir, day(24), SealOptions { compress_to: Some(day(22)) }, |_| {}).unwrap();
    journal
}

fn findings(dir: &Path) -> Vec<String> {
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    let findings = report.streams.into_iter().flat_map(|(_, found)| found.findings);
    findings.map(|finding| format!("{}: {}", finding.segment, finding.reason)).collect()
}

fn keep_days(days: u32) -> Policy {
    Policy { keep_days: Some(days), ..Policy::default() }
}

fn pruned(dir: &Path, policy: Policy, dry_run: bool) -> Vec<String> {
    let report = prune(dir, policy, dry_run, |_| {}).unwrap();
    report.pruned.iter().map(|day| day.day.to_string()).collect()
}

fn first(dir: &Path) -> u64 {
    let mut first = 0;
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    tailer.poll(1, |record| first = record.position.sequence).unwrap();
    first
}

#[test]
fn the_oldest_days_go_and_the_journal_verifies_as_long_as_the_log_says_so() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = days(dir);
    assert_eq!(pruned(dir, Policy::default(), false), [""; 0], "no policy deletes nothing");
    assert_eq!(pruned(dir, keep_days(3), true), ["2026-11-21", "2026-11-22"]);
    assert_eq!((first(dir), dir.join("audit.log").exists()), (1, false), "a dry run");
    let mut standing = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    standing.poll(10, |_| {}).unwrap();
    assert_eq!(pruned(dir, keep_days(3), false), ["2026-11-21", "2026-11-22"]);
    assert_eq!(first(dir), 121);
    assert_eq!(findings(dir), [""; 0]);
    // A reader in a deleted segment reads it to its end, goes on with what is left, and says what it went past.
    let mut read = Vec::new();
    standing.poll(usize::MAX, |record| read.push(record.position.sequence)).unwrap();
    let whole = read.iter().take_while(|sequence| **sequence < 121).count() as u64;
    assert!(read[0] == 11 && whole > 0 && read[whole as usize..] == (121..=300).collect::<Vec<_>>());
    assert_eq!(standing.pruned(), 120 - 10 - whole);
    assert_eq!(standing.seek(Seek::Sequence(1)).unwrap(), Sought::BeforeFirst { first: 121 });
    // Writing and reopening go on, also when the next boot can't be told from the first.
    append_pair(&mut journal, 301);
    drop(journal);
    let journal = Journal::open_in_boot(dir, small(8 << 10), [9; 16]).unwrap();
    assert_eq!(journal.recovery.ticks.last_sequence, 301);
    journal.close().unwrap();
    assert_eq!(findings(dir), [""; 0]);
    let log = fs::read_to_string(dir.join("audit.log")).unwrap();
    assert_eq!(log.lines().count(), 2);
    fs::write(dir.join("audit.log"), log.replacen("keep_days", "keep_dayz", 1)).unwrap();
    assert!(findings(dir)[0].contains("audit.log"), "a line that was changed");
    fs::remove_file(dir.join("audit.log")).unwrap();
    let found = findings(dir);
    assert!(found.contains(&"ticks/0000000001.seg: the segment is missing".to_owned()), "{found:?}");
    assert!(found.contains(&"raw/0000000001.seg: the segment is missing".to_owned()), "{found:?}");
}

#[test]
fn days_go_until_no_more_bytes_are_left_than_wanted_but_never_the_newest() {
    let folder = scratch();
    let dir = folder.path();
    let journal = days(dir);
    let all = prune(dir, Policy::default(), true, |_| {}).unwrap().bytes_left;
    let policy = |bytes| Policy { keep_bytes: Some(bytes), ..Policy::default() };
    assert_eq!(pruned(dir, policy(all), true), [""; 0]);
    assert_eq!(pruned(dir, policy(all - 1), true), ["2026-11-21"]);
    let report = prune(dir, policy(0), false, |_| {}).unwrap();
    assert_eq!(report.pruned.len(), 4);
    assert_eq!(first(dir), 241);
    assert!(report.bytes_left > 0);
    assert_eq!(findings(dir), [""; 0]);
    assert_eq!(pruned(dir, policy(0), false), [""; 0]);
    drop(journal);
}

#[test]
fn a_held_day_stays_amid_deleted_ones_and_the_journal_still_verifies() {
    let folder = scratch();
    let dir = folder.path();
    let journal = days(dir);
    hold(dir, day(22), "case 42").unwrap();
    let report = prune(dir, keep_days(1), false, |_| {}).unwrap();
    assert_eq!(report.held, [day(22)]);
    assert_eq!(report.pruned.iter().map(|pruned| pruned.day).collect::<Vec<_>>(), [day(21), day(23), day(24)]);
    assert_eq!(findings(dir), [""; 0]);
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    assert_eq!(tailer.seek(Seek::Sequence(60)).unwrap(), Sought::BeforeFirst { first: 61 });
    assert_eq!(tailer.seek(Seek::Sequence(61)).unwrap(), Sought::Exact);
    assert_eq!(tailer.seek(Seek::Sequence(130)).unwrap(), Sought::BeforeFirst { first: 241 }, "in the hole");
    // It is read through in one go, and what is not there is said.
    for (stream, batch) in [(Stream::Ticks, usize::MAX), (Stream::Raw, 7)] {
        let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
        let mut read = Vec::new();
        while tailer.poll(batch, |record| read.push(record.position.sequence)).unwrap().records == batch {}
        assert_eq!(read, (61..=120).chain(241..=300).collect::<Vec<_>>(), "{stream:?}");
        assert_eq!(tailer.pruned(), 120);
    }
    let dump =
        Command::new(env!("CARGO_BIN_EXE_hoga")).args(["dump", dir.to_str().unwrap(), "--json"]).output().unwrap();
    assert_eq!((dump.status.code(), dump.stdout.split(|byte| *byte == b'\n').count()), (Some(0), 121));
    assert!(String::from_utf8_lossy(&dump.stderr).contains("120 records"), "{dump:?}");
    let log = fs::read(dir.join("audit.log")).unwrap();
    fs::remove_file(dir.join("audit.log")).unwrap();
    let mut unexplained = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    let mut records = 0;
    let error = unexplained.poll(usize::MAX, |_| records += 1).unwrap_err();
    assert!(matches!(error, TailError::Missing(_)) && error.to_string().contains("audit.log"), "{error}");
    assert_eq!((records, unexplained.pruned()), (60, 0), "nothing is gone past that nobody explains");
    fs::write(dir.join("audit.log"), log).unwrap();
    assert_eq!(unexplained.poll(usize::MAX, |_| {}).unwrap().records, 60, "the log is there again");
    drop(journal);
    let journal = Journal::open_in_boot(dir, small(8 << 10), [9; 16]).unwrap();
    assert_eq!(journal.recovery.ticks.last_sequence, 300);
    assert_eq!(prune(dir, keep_days(1), false, |_| {}).unwrap().held, [day(22)]);
    assert!(release(dir, day(22), "closed").unwrap());
    assert!(!release(dir, day(22), "closed").unwrap());
    assert_eq!(pruned(dir, keep_days(1), false), ["2026-11-22"]);
    assert_eq!(findings(dir), [""; 0]);
    drop(journal);
}

#[test]
fn what_is_not_sealed_or_being_written_is_never_deleted() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = days(dir);
    journal.ticks.set_trading_date(20_261_126).unwrap();
    append_pair(&mut journal, 301);
    // Day 25 is over in `ticks` alone, and not sealed; `raw` still writes it.
    let report = prune(dir, Policy { keep_days: Some(1), keep_bytes: Some(0) }, false, |_| {}).unwrap();
    assert_eq!((report.pruned.len(), report.unsealed), (4, vec![day(25)]));
    assert_eq!(first(dir), 241);
    assert_eq!(findings(dir), [""; 0]);
    drop(journal);
}

#[test]
fn a_pruning_killed_before_any_file_leaves_a_journal_that_verifies_and_the_next_run_ends_it() {
    let folder = scratch();
    let whole = folder.path().join("whole");
    let journal = days(&whole);
    journal.close().unwrap();
    let mut files = 0;
    let copied = folder.path().join("copied");
    copy(&whole, &copied);
    prune(&copied, keep_days(3), false, |_| files += 1).unwrap();
    assert!(files > 8, "{files}");
    for at in 0..files {
        let dir = folder.path().join("copy");
        copy(&whole, &dir);
        let mut left = at;
        let died = prune_with(&dir, keep_days(3), false, &mut |_| {
            left -= 1;
            if left < 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        });
        assert!(matches!(died, Err(SealError::Io { .. })), "file {at}");
        assert_eq!(findings(&dir), [""; 0], "file {at}");
        // A line cut short by the death of its writer.
        let mut log = fs::OpenOptions::new().append(true).open(dir.join("audit.log")).unwrap();
        io::Write::write_all(&mut log, b"{\"time\":").unwrap();
        prune(&dir, keep_days(3), false, |_| {}).unwrap();
        assert_eq!(first(&dir), 121);
        assert_eq!(findings(&dir), [""; 0], "file {at}");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn the_command_says_what_it_would_delete_and_keeps_what_is_held() {
    let folder = scratch();
    let dir = folder.path().to_str().unwrap();
    let nothing =
        Command::new(env!("CARGO_BIN_EXE_hoga")).args(["prune", dir, "--hold", "2026-11-21"]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2), "no journal");
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "and none is made");
    let journal = days(folder.path());
    let hoga =
        |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_hoga")).arg("prune").arg(dir).args(args).output().unwrap();
    let json = |args: &[&str]| -> serde_json::Value {
        let output = hoga(args);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(hoga(&[]).status.code(), Some(2), "nothing said of what to keep");
    assert_eq!(hoga(&["--keep-days", "0"]).status.code(), Some(2));
    assert_eq!(hoga(&["--hold", "2026-11-21", "--dry-run"]).status.code(), Some(2), "a hold can't be tried out");
    let said = json(&["--keep-days", "3", "--dry-run", "--json"]);
    assert_eq!(said["held"].as_array().map(Vec::len), Some(0), "and none was put");
    assert_eq!(json(&["--hold", "2026-11-21", "--reason", "case 42", "--json"])["held"], "2026-11-21");
    assert_eq!(hoga(&["--release", "2026-11-21", "--dry-run"]).status.code(), Some(2), "nor a release");
    let said = json(&["--keep-days", "3", "--dry-run", "--json"]);
    assert_eq!((&said["dry_run"], &said["held"][0]), (&true.into(), &"2026-11-21".into()));
    assert_eq!(said["pruned"][0]["day"], "2026-11-22");
    assert_eq!(first(folder.path()), 1);
    let text = String::from_utf8(hoga(&["--keep-days", "3"]).stdout).unwrap();
    assert!(text.contains("2026-11-22") && text.contains("legal hold"), "{text}");
    // Who prints over the hole says how many are not there.
    let tail = Command::new(env!("CARGO_BIN_EXE_hoga")).args(["tail", dir, "-n", "1000"]).output().unwrap();
    let said = String::from_utf8(tail.stderr).unwrap();
    assert!(said.contains("60 records on the way were deleted by retention"), "{said}");
    assert_eq!(findings(folder.path()), [""; 0]);
    drop(journal);
}
