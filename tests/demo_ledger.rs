//! What the venue's ledger says was sent is in the journal, record for record and field for field, and a second process
//! that tails meanwhile sees the same.
//!
//! Method: the true program, `hoga demo`, with ledger and journal kept; beside it another process (this test's own
//! binary, started again) follows the journal from the first moment and digests each record it sees; and `hoga tail -f`
//! prints. Afterwards the ledger is split by a slow reference (`rig/reference.rs`) and compared, the digest is compared
//! with that of a reading after the end, and the followed lines with those of `hoga dump`.
//!
//! `HOGA_LONG=1` plays 60 seconds of 200 symbols at 20,000 frames a second.

mod rig;

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hoga::journal::{Start, Stream, TailState, Tailer};
use rig::compare::compare;
use rig::ledger::Ledger;
use rig::wait_until;
use serde_json::Value;

/// Folder that the process started again is to follow, and the file for what it saw.
const FOLLOW_DIR: &str = "HOGA_TEST_FOLLOW_DIR";
const FOLLOW_OUT: &str = "HOGA_TEST_FOLLOW_OUT";

/// Records and a digest of their bytes behind length and checksum.
#[derive(Default)]
struct Seen {
    records: u64,
    digest: DefaultHasher,
}

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        self.records += 1;
        self.digest.write_usize(bytes.len());
        self.digest.write(&bytes[8..]);
    }

    fn text(&self) -> String {
        format!("{} records, digest {:016x}", self.records, self.digest.finish())
    }
}

/// Not a test of its own: the body of the second process.
#[test]
fn the_second_process_follows_when_asked_to() {
    let (Some(dir), Some(out)) = (std::env::var_os(FOLLOW_DIR), std::env::var_os(FOLLOW_OUT)) else { return };
    let mut tailer = None;
    wait_until("a journal", || {
        tailer = Tailer::open(Path::new(&dir), Stream::Ticks, Start::Beginning).ok();
        tailer.is_some()
    });
    let mut tailer = tailer.expect("a journal");
    let mut seen = Seen::default();
    loop {
        let polled = tailer.poll(4096, |record| seen.take(record.bytes)).expect("a good journal");
        match polled.state {
            TailState::Closed => break,
            TailState::More => {}
            _ => std::thread::sleep(std::time::Duration::from_micros(200)),
        }
    }
    std::fs::write(out, seen.text()).expect("the result is written");
}

fn follow(dir: &Path, out: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_second_process_follows_when_asked_to"])
        .env(FOLLOW_DIR, dir)
        .env(FOLLOW_OUT, out)
        .stdout(Stdio::null())
        .spawn()
        .expect("a second process")
}

/// `hoga tail -f` from the first record on; ends it when it says that the journal was closed.
fn tail(dir: &Path, out: &Path) -> std::thread::JoinHandle<()> {
    let (dir, out) = (dir.to_owned(), out.to_owned());
    std::thread::spawn(move || {
        wait_until("a journal", || Tailer::open(&dir, Stream::Ticks, Start::Beginning).is_ok());
        let mut child = Command::new(env!("CARGO_BIN_EXE_hoga"))
            .arg("tail")
            .arg(&dir)
            .args(["--follow", "--records", "100000000", "--json"])
            .stdout(File::create(out).expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("hoga tail");
        let said = BufReader::new(child.stderr.take().expect("its errors"));
        let closed = said.lines().map_while(Result::ok).any(|line| line.contains("the journal was closed"));
        child.kill().expect("it waits for the recorder to come back");
        child.wait().expect("it ends");
        assert!(closed, "hoga tail says that the journal was closed");
    })
}

struct Demo<'a> {
    seconds: f64,
    rate: f64,
    symbols: u32,
    placement: &'a str,
    wait: &'a str,
    tails: bool,
}

fn run(demo: &Demo<'_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let dir = path("journal");
    let mut follower = follow(&dir, &path("followed"));
    let tailed = demo.tails.then(|| tail(&dir, &path("tailed")));
    let output = Command::new(env!("CARGO_BIN_EXE_hoga"))
        .args(["demo", "--json", "--burst", "--placement", demo.placement, "--wait", demo.wait])
        .args(["--seconds", &demo.seconds.to_string(), "--rate", &demo.rate.to_string()])
        .args(["--symbols", &demo.symbols.to_string()])
        .arg("--journal")
        .arg(&dir)
        .arg("--ledger")
        .arg(path("ledger"))
        .output()
        .expect("hoga demo");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let said: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");

    let compared = compare(&Ledger::read(&path("ledger")), &dir);
    assert_eq!(said["frames_sent"], compared.frames, "{said}");
    assert_eq!(said["frames_received"], compared.frames, "{said}");
    assert_eq!(said["records_sent"], compared.records, "{said}");
    assert_eq!(said["records_journaled"], compared.records, "{said}");
    assert_eq!((&said["rejects"], &said["gaps"]), (&Value::from(0), &Value::from(0)), "{said}");
    assert!(said["placement"].as_str().is_some_and(|text| text.contains(demo.placement)), "{said}");
    assert!(compared.records > 0 && compared.fields > compared.records * 10, "{compared:?}");

    assert!(follower.wait().expect("the second process").success());
    let mut seen = Seen::default();
    let mut tailer = Tailer::open(&dir, Stream::Ticks, Start::Beginning).expect("a journal");
    tailer.poll(usize::MAX, |record| seen.take(record.bytes)).expect("a good journal");
    assert_eq!(std::fs::read_to_string(path("followed")).expect("what it saw"), seen.text());

    if let Some(tailed) = tailed {
        tailed.join().expect("hoga tail");
        let mut dump = Command::new(env!("CARGO_BIN_EXE_hoga"));
        let dumped = dump.arg("dump").arg(&dir).arg("--json").stdout(File::create(path("dumped")).expect("a file"));
        assert!(dumped.status().expect("hoga dump").success());
        assert_same_lines(&path("tailed"), &path("dumped"));
    }
}

fn assert_same_lines(left: &Path, right: &Path) {
    let lines = |path: &Path| BufReader::new(File::open(path).expect("a file")).lines().map(|line| line.expect("text"));
    let (mut left, mut right) = (lines(left), lines(right));
    for number in 1.. {
        let (left, right) = (left.next(), right.next());
        assert_eq!(left, right, "line {number}");
        if left.is_none() {
            break;
        }
    }
}

fn whole(placement: &str, tails: bool) {
    let demo = Demo { seconds: 4.0, rate: 5000.0, symbols: 60, placement, wait: "yield", tails };
    let long = Demo { seconds: 60.0, rate: 20_000.0, symbols: 200, ..demo };
    run(if rig::policy::is_long() { &long } else { &demo });
}

fn short(placement: &str, wait: &str) {
    run(&Demo { seconds: 1.0, rate: 1000.0, symbols: 10, placement, wait, tails: false });
}

#[test]
fn what_was_sent_is_in_the_journal_and_other_processes_see_it_with_all_stages_on_one_thread() {
    whole("fused", true);
}

#[test]
fn what_was_sent_is_in_the_journal_and_other_processes_see_it_with_a_thread_for_each_stage() {
    whole("split", false);
}

#[test]
fn the_comparison_notices_one_changed_digit_and_one_missing_frame() {
    let sim = kis_sim::SimConfig {
        market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
        max_records_per_frame: 1,
        ..rig::sim(1, 0.3, 200.0)
    };
    let played = rig::play(sim, &["H0STCNT0"]);
    played.assert_nothing_is_lost();
    let differs = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut ledger = Ledger::read(&played.folder.path().join("ledger"));
        change(ledger.frames.get_mut(&1).expect("the connection"));
        std::panic::catch_unwind(|| compare(&ledger, &played.dir)).is_err()
    };
    assert!(!differs(&|_| {}));
    assert!(differs(&|frames| drop(frames.pop())));
    assert!(differs(&|frames| frames.push(frames[0].clone())));
    assert!(differs(&|frames| {
        let digit = frames[20].iter().rposition(u8::is_ascii_digit).expect("a digit");
        frames[20][digit] ^= 1;
    }));
    // The decoder against the reference, not only the frames against each other: the same record with another price.
    let expected = rig::reference::split(&played.ledger.frames[&1][20]).remove(0);
    let other = played.ticks.iter().filter(|record| record.market().is_some()).nth(25).expect("another record");
    let date = rig::reference::MARKET_DATE;
    assert!(std::panic::catch_unwind(|| expected.check(other, date)).is_err());
}

#[test]
fn nothing_is_lost_by_one_thread_that_spins() {
    short("fused", "spin");
}

#[test]
fn nothing_is_lost_by_one_thread_that_parks() {
    short("fused", "park");
}

#[test]
fn nothing_is_lost_by_three_threads_that_spin() {
    short("split", "spin");
}

#[test]
fn nothing_is_lost_by_three_threads_that_park() {
    short("split", "park");
}
