//! Durability levels: how far the mark is, and what happens when the disk refuses or is slow.
//!
//! Method for the disk: this test binary runs itself again under `strace`, which lets chosen calls of `msync` fail or
//! take long; everything else is the real thing.

mod journal_support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hoga::journal::{
    AppendError, ControlReader, Durability, Journal, JournalConfig, Stream, StreamConfig, SyncState, Verdict, verify,
};
use hoga::tick::words_of;
use journal_support::*;

const FOLDER: &str = "HOGA_TEST_DURABILITY";

fn config(durability: Durability) -> JournalConfig {
    let stream = StreamConfig { segment_bytes: 4 << 20, touch_ahead_bytes: 64 << 10 };
    JournalConfig { ticks: stream, raw: Some(stream), durability, ..JournalConfig::default() }
}

fn control(dir: &Path, stream: Stream) -> ControlReader {
    ControlReader::open(&dir.join(stream.name()), stream).unwrap().unwrap()
}

/// Last durable sequence of a stream; 0 = none.
fn durable(dir: &Path, stream: Stream) -> u64 {
    control(dir, stream).durable().map_or(0, |slot| slot.sequence)
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    begin.elapsed()
}

#[test]
fn at_level_process_only_a_close_moves_the_mark() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, config(Durability::Process)).unwrap();
    for number in 1..=500 {
        append_pair(&mut journal, number);
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((durable(dir, Stream::Ticks), journal.ticks.sync_state()), (0, SyncState::Off));
    journal.close().unwrap();
    assert_eq!((durable(dir, Stream::Ticks), durable(dir, Stream::Raw)), (500, 500));
}

#[test]
fn at_level_periodic_every_record_gets_behind_the_mark_also_when_nothing_follows_it() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, config(Durability::Periodic(Duration::from_millis(40)))).unwrap();
    assert_eq!(control(dir, Stream::Ticks).durability(), Durability::Periodic(Duration::from_millis(40)));
    // One record alone in its page, then thousands, with rolls.
    for upto in [1_u64, 2, 40_000] {
        while journal.ticks.next_sequence() <= upto {
            let number = journal.ticks.next_sequence();
            append_pair(&mut journal, number);
        }
        wait_until("the mark follows", || durable(dir, Stream::Ticks) == upto && durable(dir, Stream::Raw) == upto);
    }
    assert!(journal.ticks.ordinal() > 2 && journal.ticks.sync_state() == SyncState::Good);
    drop(journal);
    assert_eq!(durable(dir, Stream::Ticks), 40_000, "the mark outlives the writer");
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
}

#[test]
fn at_level_group_the_mark_follows_at_once_and_no_durable_tick_is_without_its_frame() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, config(Durability::Group)).unwrap();
    for number in 1..=20_000 {
        append_pair(&mut journal, number);
        if number % 500 == 0 {
            // Tick n names frame n.
            let ticks = durable(dir, Stream::Ticks);
            assert!(durable(dir, Stream::Raw) >= ticks);
        }
    }
    wait_until("the mark follows", || durable(dir, Stream::Ticks) == 20_000);
    journal.close().unwrap();
    let mut journal = Journal::open(dir, config(Durability::Group)).unwrap();
    append_pair(&mut journal, 20_001);
    wait_until("the mark follows the next opening", || durable(dir, Stream::Ticks) == 20_001);
}

#[test]
fn segments_of_a_writer_that_crashed_are_durable_before_the_mark_passes_them() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, config(Durability::Process)).unwrap();
    for number in 1..=100 {
        append_pair(&mut journal, number);
    }
    drop(journal);
    assert_eq!(durable(dir, Stream::Ticks), 0);
    let synced = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let first = {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(segment(dir, Stream::Ticks, 1)).unwrap().ino()
    };
    let count = std::sync::Arc::clone(&synced);
    let _watching = hoga::sys::watch::watch(move |sync| {
        let whole = hoga::sys::watch::Sync::File { inode: first, from: 0, to: u64::MAX };
        count.fetch_add(usize::from(*sync == whole), std::sync::atomic::Ordering::Relaxed);
    });
    let mut journal = Journal::open(dir, config(Durability::Group)).unwrap();
    append_pair(&mut journal, 101);
    wait_until("the mark follows", || durable(dir, Stream::Ticks) == 101);
    assert_eq!(synced.load(std::sync::atomic::Ordering::Relaxed), 1, "the first segment was synced once, wholly");
}

/// Not a test: the writer under `strace`, when the environment names a folder. Appends and reports how that went.
#[test]
fn child_writer() {
    let Ok(dir) = std::env::var(FOLDER) else { return };
    let dir = Path::new(&dir);
    let mut journal = Journal::open(dir, config(Durability::Periodic(Duration::from_millis(10)))).unwrap();
    let begin = Instant::now();
    let (mut slowest, mut was_retrying, mut refused) = (Duration::ZERO, false, None);
    while begin.elapsed() < Duration::from_secs(4) && refused.is_none() {
        for _ in 0..20 {
            let number = journal.ticks.next_sequence();
            let before = Instant::now();
            append_raw(journal.raw.as_mut().unwrap(), b"frame");
            match journal.ticks.append(words_of(&mut trade(number))) {
                Ok(_) => slowest = slowest.max(before.elapsed()),
                Err(error) => refused = Some(error),
            }
            if refused.is_some() {
                break;
            }
        }
        journal.ticks.batch_end();
        was_retrying |= matches!(journal.ticks.sync_state(), SyncState::Retrying(_));
        std::thread::sleep(Duration::from_millis(2));
    }
    let last = journal.ticks.next_sequence() - 1;
    println!("slowest_us={}", slowest.as_micros());
    println!("was_retrying={was_retrying}");
    println!("refused={refused:?}");
    println!("state={:?}", journal.ticks.sync_state());
    println!("last={last} durable={}", durable(dir, Stream::Ticks));
    if refused.is_some() {
        assert_eq!(refused, Some(AppendError::SyncFailed));
        assert_eq!(journal.ticks.append(words_of(&mut trade(last + 1))), Err(AppendError::SyncFailed));
        assert_eq!(journal.ticks.sync_failure().and_then(|error| error.raw_os_error()), Some(5));
        assert_eq!(journal.close().unwrap_err().raw_os_error(), Some(5));
    } else {
        journal.close().unwrap();
    }
}

/// Runs the writer with `msync` tampered with; `None` where `strace` can't be had or may not trace.
fn run_with(dir: &Path, inject: &str) -> Option<Output> {
    let probe = Command::new("strace").args(["-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        policy::skip("disks that fail a sync", "no `strace` works here (Debian: apt-get install strace)");
        return None;
    }
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "--seccomp-bpf",
        "-o",
        "/dev/null",
        "-e",
        "trace=msync",
        "-e",
        &format!("inject=msync:{inject}"),
    ]);
    command.arg(std::env::current_exe().unwrap()).args(["child_writer", "--exact", "--nocapture"]);
    let output = command.env(FOLDER, dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

fn value(output: &Output, name: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.split_whitespace().find_map(|word| word.strip_prefix(&format!("{name}=")).map(str::to_owned));
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn a_sync_that_keeps_failing_makes_the_journal_read_only_and_the_mark_stays() {
    let folder = scratch();
    let dir = folder.path();
    let Some(output) = run_with(dir, "error=EIO:when=40+") else { return };
    assert_eq!(value(&output, "was_retrying"), "true", "the state is visible before it is final");
    assert_eq!(value(&output, "refused"), "Some(SyncFailed)");
    assert_eq!(value(&output, "state"), "Failed(5)");
    let (last, mark): (u64, u64) =
        (value(&output, "last").parse().unwrap(), value(&output, "durable").parse().unwrap());
    assert!(0 < mark && mark < last, "{mark} of {last}");
    assert_eq!((durable(dir, Stream::Ticks), control(dir, Stream::Ticks).sync_state()), (mark, SyncState::Failed(5)));
    // What was committed is all there; the stream was not closed, and a new opening starts afresh.
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    assert_eq!(
        (report.state, report.streams[0].1.last_sequence, report.streams[0].1.open),
        (Verdict::Clean, last, true)
    );
    let mut journal = Journal::open(dir, config(Durability::Group)).unwrap();
    assert_eq!(journal.ticks.append(words_of(&mut trade(last + 1))), Ok(last + 1));
    wait_until("the mark moves again", || durable(dir, Stream::Ticks) == last + 1);
    journal.close().unwrap();
}

#[test]
fn a_sync_that_fails_and_then_succeeds_leaves_nothing_behind() {
    let folder = scratch();
    let Some(output) = run_with(folder.path(), "error=EIO:when=40..41") else { return };
    assert_eq!((value(&output, "refused"), value(&output, "state")), ("None".to_owned(), "Good".to_owned()));
    let last: u64 = value(&output, "last").parse().unwrap();
    assert_eq!(durable(folder.path(), Stream::Ticks), last, "closed in order");
}

#[test]
fn appends_do_not_wait_for_a_slow_disk() {
    let folder = scratch();
    let Some(output) = run_with(folder.path(), "delay_enter=300000:when=20+") else { return };
    assert_eq!(value(&output, "refused"), "None");
    let slowest: u64 = value(&output, "slowest_us").parse().unwrap();
    // Two processors and other tests: the scheduler may take the thread away, but not for as long as a sync takes.
    assert!(slowest < 250_000, "an append took {slowest} us while each sync took 300,000");
}
