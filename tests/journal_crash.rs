//! Writers that are killed, and readers in another process.
//!
//! Method: this test binary runs itself again as the writer (`child_writer` with a folder in the environment). The
//! writer numbers its ticks so that tick n has sequence n and comes from frame n, whatever happened before; the parent
//! tails it live, kills it with SIGKILL at a random instant, verifies, and starts the next one on the same journal.

mod journal_support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hoga::journal::{Journal, Start, Stream, TailState, Tailer, Verdict, verify};
use hoga::tick::{Flags, words_of};
use journal_support::*;

const FOLDER: &str = "HOGA_TEST_JOURNAL";
const LIMIT: &str = "HOGA_TEST_LIMIT";

/// Not a test: the writer, when the environment names a folder.
#[test]
fn child_writer() {
    let Ok(dir) = std::env::var(FOLDER) else { return };
    let limit = std::env::var(LIMIT).map_or(u64::MAX, |limit| limit.parse().unwrap());
    let mut journal = Journal::open(Path::new(&dir), small(64 << 10)).unwrap();
    for frame in std::mem::take(&mut journal.recovery.raw_frames) {
        let number = frame.prefix.header.sequence;
        assert_eq!(frame.payload, format!("0|H0STCNT0|001|{number}").as_bytes());
        let mut again = trade(number);
        again.header.flags |= Flags::RECOVERED;
        assert_eq!(journal.ticks.append(words_of(&mut again)).unwrap(), number);
    }
    while journal.ticks.next_sequence() <= limit {
        for _ in 0..20 {
            let number = journal.ticks.next_sequence();
            assert_eq!(journal.raw.as_ref().unwrap().next_sequence(), number);
            append_pair(&mut journal, number);
        }
        journal.ticks.batch_end();
        std::thread::yield_now();
    }
    journal.close().unwrap();
}

fn spawn(dir: &Path, limit: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child_writer", "--exact", "--nocapture"]).env(FOLDER, dir);
    if let Some(limit) = limit {
        command.env(LIMIT, limit.to_string());
    }
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Polls once and checks that each record is whole and the next one; returns how the poll ended.
fn follow(tailer: &mut Tailer, seen: &mut u64) -> TailState {
    let polled = tailer.poll(1000, |record| {
        *seen += 1;
        assert_eq!(record.position.sequence, *seen);
        let mut expected = trade(*seen);
        expected.header.sequence = *seen;
        expected.header.version = 1;
        expected.header.flags = record.header().flags;
        assert_eq!(record.bytes[8..], bytemuck::bytes_of(&expected)[8..]);
    });
    polled.unwrap().state
}

fn open_when_there(dir: &Path) -> Tailer {
    let begin = Instant::now();
    loop {
        match Tailer::open(dir, Stream::Ticks, Start::Beginning) {
            Ok(tailer) => return tailer,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(20), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_writer_killed_at_any_instant_leaves_everything_a_tailer_saw_and_the_next_goes_on() {
    let folder = scratch();
    let dir = folder.path();
    let mut random = u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15;
    println!("seed {random}");
    let mut tailer: Option<Tailer> = None;
    let mut seen = 0;
    let mut torn = 0;
    for round in 0..20 {
        let mut child = spawn(dir, None);
        let tailer = tailer.get_or_insert_with(|| open_when_there(dir));
        // From the first new record on, so that most kills hit a running writer.
        let before = seen;
        let begin = Instant::now();
        while seen == before {
            follow(tailer, &mut seen);
            assert!(begin.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none(), "round {round}");
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let end = Instant::now() + Duration::from_micros(random % 60_000);
        while Instant::now() < end {
            follow(tailer, &mut seen);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let report = verify(dir, |_, _, _, _| {}).unwrap();
        assert_ne!(report.state, Verdict::Corrupt, "round {round}: {report:?}");
        torn += usize::from(report.state == Verdict::Torn);
        let records = report.streams[0].1.records;
        assert!(records >= seen && seen > 0, "round {round}: {records} records, {seen} seen");
        while follow(tailer, &mut seen) == TailState::More {}
        assert_eq!(seen, records, "the tailer sees everything that is committed");
    }
    let mut child = spawn(dir, Some(seen + 100));
    assert!(child.wait().unwrap().success());
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    let read = read_all(dir, Stream::Ticks);
    assert_eq!(read.len() as u64, read.last().unwrap().0, "no hole over twenty-one writers");
    assert_eq!(read_all(dir, Stream::Raw).len(), read.len(), "every frame became a tick");
    println!("{} records, {torn} of 20 torn", read.len());
}

#[test]
fn a_tailer_in_another_process_follows_rolls_to_the_close() {
    let folder = scratch();
    let dir = folder.path();
    let mut child = spawn(dir, Some(20_000));
    let mut tailer = open_when_there(dir).with_crc_check(true);
    let mut seen = 0;
    let begin = Instant::now();
    while follow(&mut tailer, &mut seen) != TailState::Closed {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::hint::spin_loop();
    }
    assert!(child.wait().unwrap().success());
    assert!(seen >= 20_000);
    assert!(dir.join("ticks/0000000050.seg").exists(), "there were rolls");
}
