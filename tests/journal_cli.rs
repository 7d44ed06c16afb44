//! The subcommands `verify`, `dump` and `tail` on a small journal.

mod journal_support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hoga::journal::{Journal, JournalConfig, Position, Start, Stream, Tailer};
use hoga::tick::words_of;
use journal_support::*;
use serde_json::Value;

fn hoga(arguments: &[&str], dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hoga")).arg(arguments[0]).arg(dir).args(&arguments[1..]).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn journal(dir: &Path) -> Journal {
    let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
    for id in 1..=7 {
        journal.ticks.append(words_of(&mut instrument(id))).unwrap();
    }
    for number in 1..=93 {
        append_pair(&mut journal, number);
    }
    journal.ticks.batch_end();
    journal
}

#[test]
fn verify_says_clean_torn_corrupt_or_nothing_there_by_json_and_exit_status() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    assert_eq!(hoga(&["verify", "--json"], dir).status.code(), Some(2));
    journal(dir).close().unwrap();
    let output = hoga(&["verify", "--json"], dir);
    assert_eq!(output.status.code(), Some(0));
    let found: Value = serde_json::from_str(lines(&output).last().unwrap()).unwrap();
    assert_eq!(found["state"], "clean");
    let ticks = &found["streams"]["ticks"];
    assert_eq!(
        (&ticks["records"], &ticks["first_sequence"], &ticks["last_sequence"]),
        (&100.into(), &1.into(), &100.into())
    );
    assert_eq!(found["streams"]["raw"]["records"], 93);
    assert_eq!(found["streams"]["ticks"]["findings"], Value::Array(Vec::new()));

    let path = segment(dir, Stream::Ticks, 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let output = hoga(&["verify", "--json"], dir);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_str(lines(&output).last().unwrap()).unwrap();
    assert_eq!(found["state"], "corrupt");
    let finding = &found["streams"]["ticks"]["findings"][0];
    assert_eq!((&finding["segment"], &finding["verdict"]), (&"ticks/0000000001.seg".into(), &"corrupt".into()));
    assert!(String::from_utf8_lossy(&hoga(&["verify"], dir).stdout).contains("checksum"));
    assert_eq!(hoga(&["dump"], dir).status.code(), Some(1));
}

#[test]
fn dump_prints_what_is_asked_for_and_ends_quietly_when_nobody_reads() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    assert_eq!(hoga(&["dump"], dir).status.code(), Some(2));
    let mut written = journal(dir);
    assert_eq!(lines(&hoga(&["dump"], dir)).len(), 100);
    assert_eq!(lines(&hoga(&["dump", "--json", "--limit", "3"], dir)).len(), 3);
    let some = lines(&hoga(&["dump", "--json", "--kind", "trade", "--symbol", "000003"], dir));
    assert!(some.len() > 5);
    for line in some {
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&record["type"], &record["symbol"], &record["market"]),
            (&"trade".into(), &"000003".into(), &"KRX".into())
        );
    }
    let some = lines(&hoga(&["dump", "--from-sequence", "40", "--to-sequence", "42"], dir));
    assert_eq!(some.len(), 3);
    assert!(some[0].trim_start().starts_with("40  2023-11-15 07:13:20"), "{}", some[0]);
    assert!(lines(&hoga(&["dump", "--stream", "raw"], dir))[0].ends_with("0|H0STCNT0|001|1"));
    assert_eq!(hoga(&["dump", "--kind", "nonsense"], dir).status.code(), Some(2));

    for number in 94..=20_000 {
        append_pair(&mut written, number);
    }
    let command = &mut Command::new(env!("CARGO_BIN_EXE_hoga"));
    let mut child = command.arg("dump").arg(dir).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn tail_prints_the_last_records_and_follows_a_writer() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    let mut written = journal(dir);
    let last = lines(&hoga(&["tail", "-n", "3", "--json"], dir));
    let sequences: Vec<Value> =
        last.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].clone()).collect();
    assert_eq!(sequences, [98, 99, 100]);

    let command = &mut Command::new(env!("CARGO_BIN_EXE_hoga"));
    let mut child =
        command.arg("tail").arg(dir).args(["-f", "-n", "1", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["sequence"].as_u64().unwrap()
    };
    assert_eq!(next(), 100);
    for number in 94..=500 {
        append_pair(&mut written, number);
    }
    for sequence in 101..=507 {
        assert_eq!(next(), sequence);
    }
    drop(out);
    append_pair(&mut written, 501);
    assert_eq!(child.wait().unwrap().code(), Some(0), "a closed pipe ends it");
}

#[test]
fn tail_checks_what_it_prints_and_nothing_before_it() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    journal(dir).close().unwrap();
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Sequence(97)).unwrap();
    let mut place = Position::default();
    tailer.poll(1, |record| place = record.position).unwrap();
    let path = segment(dir, Stream::Ticks, place.ordinal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[place.offset as usize + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    for arguments in [&["tail", "--json"][..], &["tail", "--json", "--from", "91"]] {
        let output = hoga(arguments, dir);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("checksum"), "{output:?}");
        let shown: Vec<Value> = lines(&output)
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].clone())
            .collect();
        assert_eq!(shown, [91, 92, 93, 94, 95, 96], "{arguments:?}: those before it");
    }
    let behind = hoga(&["tail", "-n", "3"], dir);
    assert_eq!((behind.status.code(), lines(&behind).len()), (Some(0), 3));
}

#[test]
fn tail_finds_as_many_lines_as_asked_for_though_more_come_while_it_looks() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    // As many as a slow machine may append meanwhile.
    let mut journal = Journal::open(dir, JournalConfig { instruments_max: 20_000, ..small(4 << 20) }).unwrap();
    let mut definition = instrument(1);
    for _ in 0..20 {
        journal.ticks.append(words_of(&mut definition)).unwrap();
    }
    for _ in 0..3 {
        // Farther than the first look goes back.
        for number in 0..25_000 {
            journal.ticks.append(words_of(&mut trade(number))).unwrap();
        }
        let done = AtomicBool::new(false);
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    journal.ticks.append(words_of(&mut definition)).unwrap();
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            let output = hoga(&["tail", "-n", "20", "--kind", "instrument"], dir);
            done.store(true, Ordering::Relaxed);
            output
        });
        assert_eq!((output.status.code(), lines(&output).len()), (Some(0), 20));
    }
    journal.close().unwrap();
}

#[test]
fn following_to_a_time_that_is_over_ends_at_what_is_there() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    let written = journal(dir);
    // The records are of 2023-11-15, seven in the morning.
    for (arguments, count) in [
        (["tail", "-f", "-n", "5", "--to", "2023-11-16"], 5),
        (["tail", "-f", "--from", "1", "--to", "2023-11-16"], 100),
        (["tail", "-f", "--kind", "trade", "--to", "2023-11-15T07:00"], 0),
        (["dump", "--from", "1", "--to", "2023-11-16", "--json"], 100),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
        // Into a file: nobody reads while this waits.
        let out = folder.path().join("out");
        command.arg(arguments[0]).arg(dir).args(&arguments[1..]).stdout(std::fs::File::create(&out).unwrap());
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > Duration::from_secs(30) {
                child.kill().unwrap();
                panic!("{arguments:?} does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let printed = std::fs::read_to_string(&out).unwrap().lines().count();
        assert_eq!((child.wait().unwrap().code(), printed), (Some(0), count), "{arguments:?}");
    }
    drop(written);
}
