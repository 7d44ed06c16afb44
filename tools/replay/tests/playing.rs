//! `hoga-replay play`: order, range, pace and control.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{Line, MS, NINE, SECOND, command, journal, lines, prices, run, text};

const A: &str = "005930";
const B: &str = "000660";

#[test]
fn several_journals_are_merged_by_time_and_equal_times_keep_the_order_named() {
    let folder = tempfile::tempdir().unwrap();
    // The ids of the two symbols are exchanged in the second journal.
    let one =
        journal(&folder.path().join("one"), 0, &[(A, NINE, NINE, 1), (B, NINE + 20, NINE, 2), (A, NINE + 10, NINE, 3)]);
    let two = journal(
        &folder.path().join("two"),
        0,
        &[(B, NINE, NINE, 11), (A, NINE + 20, NINE, 12), (A, NINE + 30, NINE, 13)],
    );
    // The stamp that steps back (3) keeps its place behind 2: a journal's own order is that of its sequences.
    assert_eq!(prices(&["play", text(&one), text(&two)]), [1, 11, 2, 3, 12, 13]);
    assert_eq!(prices(&["play", text(&two), text(&one)]), [11, 1, 12, 2, 3, 13]);
    assert_eq!(prices(&["play", text(&one), text(&two), "--symbol", B]), [11, 2]);
    let symbols: Vec<_> = lines(&["play", text(&one), text(&two), "--kind", "trade"])
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["symbol"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(symbols, [A, B, B, A, A, A]);
}

#[test]
fn a_folder_of_days_is_its_journals_and_a_time_is_of_each_day() {
    let folder = tempfile::tempdir().unwrap();
    let day = 24 * 3600 * SECOND;
    for (name, date, at) in [("2026-11-23", 20_261_123, NINE), ("20261124", 20_261_124, NINE + day)] {
        let px = (date - 20_261_100) as i64;
        let trades: Vec<Line<'_>> =
            (0..3).map(|minute| (A, at + minute * 60 * SECOND, at, px * 10 + minute as i64)).collect();
        journal(&folder.path().join(name), date, &trades);
    }
    let days = text(folder.path());
    assert_eq!(prices(&["play", days]), [230, 231, 232, 240, 241, 242]);
    assert_eq!(prices(&["play", days, "--from", "2026-11-24"]), [240, 241, 242]);
    assert_eq!(prices(&["play", days, "--to", "2026-11-23"]), [230, 231, 232]);
    assert_eq!(prices(&["play", days, "--from", "09:01", "--to", "09:02"]), [231, 241]);
    assert_eq!(prices(&["play", days, "--from", "2026-11-23T09:02", "--to", "2026-11-24T09:00:00.5"]), [232, 240]);
    assert_eq!(prices(&["play", days, "--venue", "nxt"]), Vec::<i64>::new());
}

#[test]
fn by_event_time_a_late_record_takes_its_place_within_the_window_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let undef = u64::MAX;
    let dir = journal(
        &folder.path().join("journal"),
        0,
        &[
            (A, NINE, undef, 1),
            (A, NINE + 1, NINE + 2 * SECOND, 2),
            (B, NINE + 2, NINE + SECOND, 3),
            (A, NINE + 3, undef, 4),
            (A, NINE + 4, NINE + 20 * SECOND, 5),
            (A, NINE + 5, NINE + 2 * SECOND, 6),
        ],
    );
    assert_eq!(prices(&["play", text(&dir)]), [1, 2, 3, 4, 5, 6]);
    // 1 has no event time: the first that follows. 4 has that of the record before it of its instrument.
    assert_eq!(prices(&["play", text(&dir), "--by", "event"]), [3, 1, 2, 4, 6, 5]);

    let late: Vec<Line<'_>> = (0..1000)
        .map(|at| (A, NINE + at, NINE + at * SECOND, at as i64))
        .chain([(A, NINE + 1000, NINE, 9999)])
        .chain((1001..2000).map(|at| (A, NINE + at, NINE + at * SECOND, at as i64)))
        .collect();
    let dir = journal(&folder.path().join("late"), 0, &late);
    let order = prices(&["play", text(&dir), "--by", "event"]);
    let place = order.iter().position(|px| *px == 9999).unwrap();
    assert!(place > 700 && place <= 1000, "the window had long passed its time: {place}");
    assert_eq!(order.iter().filter(|px| **px != 9999).count(), 1999);
    assert!(order.iter().filter(|px| **px != 9999).is_sorted());
}

#[test]
fn paced_replay_keeps_the_recorded_spacing_and_says_how_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let trades: Vec<Line<'_>> = (0..20).map(|at| (A, NINE + at * 20 * MS, NINE, at as i64)).collect();
    let dir = journal(&folder.path().join("journal"), 0, &trades);
    for (speed, least_ms) in [("1", 380), ("4", 95)] {
        let started = Instant::now();
        let output = run(&["play", text(&dir), "--speed", speed, "--json", "--kind", "trade"]);
        assert!(started.elapsed() >= Duration::from_millis(least_ms), "{:?}", started.elapsed());
        let said: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(said["records"], 20);
        let error = |name: &str| said["pace_error_ns"][name].as_u64().unwrap();
        assert!(error("p50") <= error("p99") && error("p99") <= error("max"));
        assert!(said["seconds"].as_f64().unwrap() * 1e3 >= least_ms as f64);
    }
    let spoken = run(&["play", text(&dir), "--speed", "100"]);
    assert!(String::from_utf8_lossy(&spoken.stderr).contains("at p99"));
    let flat_out = run(&["play", text(&dir)]);
    assert!(flat_out.stderr.is_empty(), "no pace, no word");
}

#[test]
fn each_line_of_standard_input_is_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let trades: Vec<Line<'_>> = (0..9).map(|at| (A, NINE + at, NINE, at as i64)).collect();
    let dir = journal(&folder.path().join("journal"), 0, &trades);
    let mut child = command(&["play", text(&dir), "--speed", "step", "--kind", "trade"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for step in 0..2 {
        input.write_all(b"\n").unwrap();
        let line: serde_json::Value = serde_json::from_str(&output.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["px"], step);
    }
    input.write_all(b"\n").unwrap();
    drop(input);
    assert_eq!(output.count(), 1, "the third step, then no more");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_pauses_and_another_goes_on_and_the_end_is_orderly() {
    let folder = tempfile::tempdir().unwrap();
    let trades: Vec<Line<'_>> = (0..500).map(|at| (A, NINE + at * 20 * MS, NINE, at as i64)).collect();
    let dir = journal(&folder.path().join("journal"), 0, &trades);
    let mut child = command(&["play", text(&dir), "--speed", "1", "--json", "--kind", "trade"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    let signal =
        |name: &str| assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    let (send, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || output.lines().for_each(|line| drop(send.send(line))));
    lines.recv().unwrap().unwrap();
    signal("USR1");
    // What was on its way arrives; then nothing for longer than many records take.
    while lines.recv_timeout(Duration::from_secs(2)).is_ok() {}
    signal("USR2");
    lines.recv_timeout(Duration::from_secs(20)).expect("it goes on").unwrap();
    signal("TERM");
    let status = child.wait().unwrap();
    reader.join().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(status.success());
    assert_eq!(said["ended_early"], true);
    assert!(said["records"].as_u64().unwrap() < 500);
}

/// The program `hoga` beside this one, made of the present sources.
fn hoga() -> std::path::PathBuf {
    let replay = std::path::Path::new(env!("CARGO_BIN_EXE_hoga-replay"));
    let folder = replay.parent().expect("a folder of the profile");
    // A build of one package alone has other features of shared crates, and takes minutes where that of all is there.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let changed = ["src", "tools/table/src", "Cargo.toml", "Cargo.lock"].map(|name| newest(&root.join(name)));
    let built = replay.with_file_name("hoga");
    if built.metadata().and_then(|file| file.modified()).is_ok_and(|at| changed.iter().all(|change| *change < at)) {
        return built;
    }
    let profile = match folder.file_name().and_then(std::ffi::OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut build = std::process::Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "hoga", "--bin", "hoga", "--profile", profile]).arg("--target-dir");
    let built = build.arg(folder.parent().expect("a target folder")).status();
    assert!(built.is_ok_and(|status| status.success()), "hoga is built");
    replay.with_file_name("hoga")
}

/// When a file, or the newest file in a folder, was changed.
fn newest(path: &std::path::Path) -> std::time::SystemTime {
    let own = path.metadata().and_then(|file| file.modified()).expect("a file of the sources");
    let inside = std::fs::read_dir(path).into_iter().flatten().map(|entry| newest(&entry.expect("an entry").path()));
    inside.fold(own, std::cmp::Ord::max)
}

#[test]
fn speed_max_prints_what_hoga_dump_prints_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let trades: Vec<Line<'_>> =
        (0..700).map(|at| (if at % 3 == 0 { A } else { B }, NINE + at, NINE, at as i64)).collect();
    let dir = journal(&folder.path().join("journal"), 20_261_123, &trades);
    let (dir, hoga) = (text(&dir), hoga());
    for filter in [&[][..], &["--symbol", A], &["--kind", "trade", "--from", "100", "--to", "200"]] {
        for (form, as_dump) in [("jsonl", &["--json"][..]), ("csv", &["--format", "csv"])] {
            let played = run(&[&["play", dir, "--speed", "max", "--format", form], filter].concat());
            let dumped =
                std::process::Command::new(&hoga).args(["dump", dir]).args(as_dump).args(filter).output().unwrap();
            assert!(played.status.success() && dumped.status.success());
            assert!(played.stdout.len() > 1000);
            assert!(played.stdout == dumped.stdout, "{form} {filter:?}");
        }
    }
}

#[test]
fn wrong_use_is_said_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let dir = journal(&folder.path().join("journal"), 0, &[(A, NINE, NINE, 1)]);
    let empty = folder.path().join("nothing");
    std::fs::create_dir(&empty).unwrap();
    for (args, word) in [
        (vec!["play", text(&empty)], "holds no journal"),
        (vec!["play", text(&dir), "--kind", "trades"], "trade, book"),
        (vec!["play", text(&dir), "--venue", "NYSE"], "KRX, NXT"),
        (vec!["play", text(&dir), "--from", "nine"], "neither a sequence"),
        (vec!["play", text(&dir), "--speed", "0"], "above 0"),
    ] {
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

#[test]
fn what_retention_deleted_on_the_way_is_told_at_the_end() {
    use hoga::journal::{Journal, JournalConfig, Policy, SealOptions, hold, prune, seal};
    use hoga::tick::words_of;

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let config = JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(8 << 10) };
    let mut journal = Journal::open(dir, config).unwrap();
    for day in 21..=24 {
        journal.ticks.set_trading_date(20_261_100 + day).unwrap();
        for at in 0..10 {
            journal.ticks.append(words_of(&mut support::trade((A, NINE + at, NINE, 1), 1, 0))).unwrap();
        }
    }
    journal.close().unwrap();
    let day = |day: u32| format!("2026-11-{day}").parse().unwrap();
    seal(dir, day(23), SealOptions::default(), |_| {}).unwrap();
    hold(dir, day(21), "a case").unwrap();
    assert_eq!(prune(dir, Policy { keep_days: Some(1), ..Policy::default() }, false, |_| {}).unwrap().pruned.len(), 2);

    let played = run(&["play", text(dir), "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&played.stderr).unwrap();
    assert_eq!((said["records"].as_u64(), said["pruned"].as_u64()), (Some(20), Some(20)), "{said}");
    let said = String::from_utf8(run(&["play", text(dir)]).stderr).unwrap();
    assert!(said.contains("20 records on the way were deleted by retention"), "{said}");
}
