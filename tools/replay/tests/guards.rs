//! What no command may do: overwrite what it did not make, pass damage over, end with the wrong status.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::journal::{Journal, JournalConfig, SegmentReader, Stream, Verdict, verify};
use hoga::tick::PX_SCALE;
use support::{Line, MS, NINE, SECOND, command, flip, journal, journal_with_frames, lines, prices, run, text, trade};

const A: &str = "005930";
const FRAMES: [&str; 3] = ["0|H0STCNT0|001|005930^1", "0|H0STASP0|001|005930^2", "0|H0STCNT0|001|000660^3"];

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_flipped_bit_ends_every_command_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ticks = journal_with_frames(&path("ticks-bad"), &FRAMES);
    flip(&ticks, Stream::Ticks, &(70_000 * PX_SCALE).to_le_bytes());
    let raw = journal_with_frames(&path("raw-bad"), &FRAMES);
    flip(&raw, Stream::Raw, b"H0STCNT0|001|005930");
    let (ticks, raw) = (text(&ticks), text(&raw));
    let out = |name: &str| path(name).to_str().unwrap().to_owned();
    for args in [
        vec!["play", ticks],
        vec!["export", ticks, "--format", "parquet", "--out", &out("columns")],
        vec!["export", ticks, "--format", "journal", "--out", &out("journal")],
        vec!["export", raw, "--format", "journal", "--out", &out("journal-raw")],
        vec!["bars", ticks],
        vec!["bars", ticks, "--out", &out("bars.csv")],
        vec!["reparse", raw, "--out", &out("again")],
        vec!["reparse", ticks, "--out", &out("again-ticks")],
        vec!["serve", raw],
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", said(&output));
        assert!(said(&output).contains("corrupt"), "{args:?}: {}", said(&output));
    }
    assert_eq!(names(&path("columns")), Vec::<String>::new(), "nothing half written stays");
    for gone in ["journal", "journal.tmp", "journal-raw", "journal-raw.tmp", "bars.csv", "bars.csv.tmp"] {
        assert!(!path(gone).exists(), "{gone}");
    }
}

#[test]
fn statuses_are_the_same_for_all_commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let good = path("good");
    journal_with_frames(Path::new(&good), &FRAMES);
    let (other, empty, absent) = (path("other"), path("empty"), path("absent"));
    journal(Path::new(&other), 0, &[(A, NINE, NINE, 1)]);
    fs::create_dir_all(Path::new(&empty).join("ticks")).unwrap();
    fs::write(path("there"), "x").unwrap();
    fs::create_dir(path("columns")).unwrap();
    fs::write(path("columns/trade.csv"), "x").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (there, columns, made) = (path("there"), path("columns"), path("made"));
    for dir in [empty.as_str(), absent.as_str()] {
        for args in [
            vec!["play", dir],
            vec!["export", dir, "--format", "csv", "--out", &made],
            vec!["export", dir, "--format", "journal", "--out", &made],
            vec!["bars", dir],
            vec!["reparse", dir, "--out", &made],
            vec!["serve", dir],
        ] {
            assert_eq!(run(&args).status.code(), Some(2), "{args:?}: {}", said(&run(&args)));
        }
    }
    for args in [
        vec!["export", &good, "--format", "csv", "--out", &columns],
        vec!["export", &good, &other, "--format", "journal", "--out", &made],
        vec!["export", &good, "--format", "journal", "--out", &good, "--force"],
        vec!["bars", &good, "--out", &there],
        vec!["bars", &good, "--kind", "book"],
        vec!["reparse", &good, "--out", &columns],
        vec!["reparse", &other, "--out", &made],
        vec!["serve", &good, "--port", &port],
        vec!["serve", &good, "--symbol", "999999"],
        vec!["serve", &good, "--kind", "trades"],
        vec!["serve", &good, "--speed", "step"],
        vec!["play", &good, "--speed", "0"],
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "x");
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let trades: Vec<Line<'_>> =
        (0..5000).map(|at| (A, NINE + at * MS, NINE + at * 60 * SECOND, at as i64 + 1)).collect();
    let dir = journal(&folder.path().join("journal"), 0, &trades);
    let out = folder.path().join("bars.csv");
    for args in [
        vec!["play", text(&dir)],
        vec!["bars", text(&dir)],
        vec!["bars", text(&dir), "--out", text(&out), "--json", "--late", "0"],
        vec!["export", text(&dir), "--format", "csv", "--out", text(folder.path())],
    ] {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let output = command(&args).stdout(Stdio::from(write)).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        assert!(!said(&output).contains("panicked"));
    }
}

#[test]
fn force_replaces_an_export_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let dir = journal(&path("journal"), 0, &[(A, NINE, NINE, 1)]);
    let export = |out: &Path| run(&["export", text(&dir), "--format", "journal", "--out", text(out), "--force"]);
    let inside = dir.join("copy");
    std::os::unix::fs::symlink(&dir, path("link")).unwrap();
    for out in [dir.as_path(), folder.path(), &inside, &path("link"), &dir.join("../journal")] {
        let output = export(out);
        assert_eq!(output.status.code(), Some(2), "{}: {}", out.display(), said(&output));
    }
    for foreign in ["seals", "holds", "quarantine", "audit.log", "notes"] {
        let out = path(&format!("with-{foreign}"));
        journal(&out, 0, &[(A, NINE, NINE, 2)]);
        fs::create_dir(out.join(foreign)).unwrap();
        let output = export(&out);
        assert_eq!(output.status.code(), Some(2), "{foreign}: {}", said(&output));
        assert!(said(&output).contains(foreign), "{}", said(&output));
        assert_eq!(prices(&["play", text(&out)]), [2]);
    }
    let live = path("live");
    let config = JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) };
    let writer = Journal::open(&live, config).unwrap();
    assert_eq!(export(&live).status.code(), Some(2));
    assert!(live.join("ticks").is_dir());
    writer.close().unwrap();

    // An export before is replaced, and what a killed one left does not block.
    let out = path("out");
    journal(&out, 0, &[(A, NINE, NINE, 3)]);
    fs::create_dir_all(path("out.tmp/ticks")).unwrap();
    let output = run(&["export", text(&dir), "--format", "journal", "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(2), "not without --force");
    assert_eq!(prices(&["play", text(&out)]), [3]);
    let output = export(&out);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(prices(&["play", text(&out)]), [1]);
    assert!(!path("out.tmp").exists() && !path("out.old.tmp").exists());
    assert_eq!(verify(&out, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    assert_eq!(prices(&["play", text(&dir)]), [1]);
}

#[test]
fn columns_of_an_export_before_stay_until_the_new_ones_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    journal(&good, 0, &[(A, NINE, NINE, 1)]);
    journal(&bad, 0, &[(A, NINE, NINE, 70_000)]);
    flip(&bad, Stream::Ticks, &(70_000 * PX_SCALE).to_le_bytes());
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("trade.csv.tmp"), "of a killed export").unwrap();
    let export = |dir: &Path, more: &[&str]| {
        run(&[&["export", text(dir), "--format", "csv", "--out", text(&out)], more].concat())
    };
    assert!(export(&good, &[]).status.success(), "a stale temporary file does not block");
    let before = fs::read(out.join("trade.csv")).unwrap();
    assert_eq!(names(&out), ["instrument.csv", "trade.csv"]);
    assert_eq!(export(&bad, &["--force"]).status.code(), Some(1));
    assert_eq!(names(&out), ["instrument.csv", "trade.csv"]);
    assert_eq!(fs::read(out.join("trade.csv")).unwrap(), before);
    assert!(export(&good, &["--force", "--kind", "trade", "--kind", "book"]).status.success());
    assert_eq!(names(&out), ["book.csv", "trade.csv"], "a kind asked for has a file, one not asked for none");
    let head = fs::read_to_string(out.join("book.csv")).unwrap();
    assert!(head.lines().count() == 1 && head.contains("bid_px_1"), "{head}");
}

#[test]
fn segments_of_a_new_journal_keep_their_trading_dates() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("days");
    let spec = JournalSpec { segment_bytes: 1 << 20, ..JournalSpec::default() };
    let mut builder = JournalBuilder::create(&dir, spec).unwrap();
    let dates = [20_261_123, 20_261_124, 20_261_125];
    for (at, date) in (0..).zip(dates) {
        let ticks = builder.stream(Stream::Ticks).unwrap();
        ticks.set_trading_date(date).unwrap();
        let ns = NINE + at * 24 * 3600 * SECOND;
        for sequence in [2 * at + 1, 2 * at + 2] {
            ticks.append(bytemuck::bytes_of(&trade((A, ns, ns, 1), 0, sequence))).unwrap();
        }
    }
    builder.finish().unwrap();
    let out = folder.path().join("out");
    assert!(run(&["export", text(&dir), "--format", "journal", "--out", text(&out)]).status.success());
    let date = |ordinal| {
        let segment = SegmentReader::open_in(&out.join("ticks"), ordinal).unwrap();
        segment.checked_header(Stream::Ticks, ordinal).unwrap().activation.unwrap().trading_date
    };
    assert_eq!([1, 2, 3].map(date), dates);
    assert_eq!(lines(&["play", text(&out)]), lines(&["play", text(&dir)]));
}

#[test]
fn a_range_of_bars_is_of_event_time() {
    let folder = tempfile::tempdir().unwrap();
    // Received two minutes after they happened: the range by receipt would be another one.
    let trades: Vec<Line<'_>> = (0..10)
        .map(|minute| (A, NINE + (minute + 2) * 60 * SECOND, NINE + minute * 60 * SECOND, minute as i64 + 1))
        .collect();
    let dir = journal(&folder.path().join("journal"), 20_261_123, &trades);
    let starts = |args: &[&str]| -> Vec<String> {
        let lines = lines(&[&["bars", text(&dir)], args].concat());
        lines[1..].iter().map(|line| line[11..16].to_owned()).collect()
    };
    assert_eq!(starts(&["--from", "09:02", "--to", "09:05"]), ["09:02", "09:03", "09:04"]);
    assert_eq!(starts(&["--from", "09:08:30"]), ["09:09"], "whole intervals, by their beginning");
    assert_eq!(starts(&["--to", "2026-11-23"]).len(), 10);
    assert_eq!(starts(&["--every", "day", "--from", "2026-11-23", "--to", "2026-11-23"]).len(), 1);
}

#[test]
fn one_record_of_another_year_closes_no_bar_and_moves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let year = 365 * 24 * 3600 * SECOND;
    // Every twentieth second is told late by two; a wrong one lies in between.
    let trades: Vec<Line<'_>> = (0..6000)
        .map(|at: u64| {
            let event = if at == 3000 { NINE + year } else { NINE + (at / 10) * SECOND - (at % 20 / 19) * 2 * SECOND };
            (A, NINE + 3 * SECOND + at, event, at as i64 + 1)
        })
        .collect();
    let dir = journal(&folder.path().join("journal"), 0, &trades);
    let made = run(&["bars", text(&dir), "--late", "5", "--every", "1s"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let order = prices(&["play", text(&dir), "--by", "event"]);
    assert_eq!(order.last(), Some(&3001), "it takes its place, and drags nothing along");
    let mut sorted: Vec<(u64, i64)> = trades.iter().map(|line| (line.2, line.3)).collect();
    sorted.sort_unstable();
    let sorted: Vec<i64> = sorted.into_iter().map(|(_, px)| px).collect();
    assert_eq!(order, sorted);
}

#[test]
fn an_end_in_time_ends_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let trades: Vec<Line<'_>> =
        (0..100).map(|minute| (A, NINE + minute * 60 * SECOND, NINE, minute as i64 + 7)).collect();
    let dir = journal(&folder.path().join("journal"), 20_261_123, &trades);
    // What lies far behind the end is damaged, and not read.
    flip(&dir, Stream::Ticks, &(100 * PX_SCALE).to_le_bytes());
    assert_eq!(prices(&["play", text(&dir), "--to", "09:03"]), [7, 8, 9]);
    assert_eq!(run(&["play", text(&dir)]).status.code(), Some(1));
}
