//! Writers that are killed, and readers in another process.
//!
//! Method: this test binary runs itself again as the writer (`child_writer` with a folder in the environment). The
//! writer numbers its ticks so that tick n has sequence n and comes from frame n, whatever happened before; the parent
//! tails it live, kills it with SIGKILL at a random instant, verifies, and starts the next one on the same journal.
//! Frames are long, so that most kills hit a copy and leave a torn tail. Twenty-one kills, seven at each level of
//! durability; more than a thousand with `HOGA_LONG=1`.

mod journal_support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hoga::journal::{
    Case, ControlReader, Durability, Journal, JournalConfig, Start, Stream, StreamConfig, TailState, Tailer, Verdict,
    verify,
};
use hoga::tick::{Flags, RecordView, view, words_of};
use journal_support::*;

const FOLDER: &str = "HOGA_TEST_JOURNAL";
const LIMIT: &str = "HOGA_TEST_LIMIT";
const LEVEL: &str = "HOGA_TEST_LEVEL";
const LEVELS: [&str; 3] = ["process", "periodic:4", "group"];

/// The frame with a number, long but for the writer that only rolls; every byte follows from the number.
fn frame(number: u64, is_long: bool) -> Vec<u8> {
    let mut bytes = format!("0|H0STCNT0|001|{number}|").into_bytes();
    if !is_long {
        return bytes;
    }
    let length = 2_000 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % 30_000;
    bytes.resize(length, number as u8 | 1);
    bytes
}

/// Not a test: the writer, when the environment names a folder.
#[test]
fn child_writer() {
    let Ok(dir) = std::env::var(FOLDER) else { return };
    let limit = std::env::var(LIMIT).map_or(u64::MAX, |limit| limit.parse().unwrap());
    let level = std::env::var(LEVEL).ok();
    let is_long = level.is_some();
    let durability = level.map_or(Durability::Process, |level| level.try_into().unwrap());
    let raw = StreamConfig { segment_bytes: 16 << 20, touch_ahead_bytes: 4 << 20 };
    let config = JournalConfig { durability, raw: Some(raw), ..small(if is_long { 256 << 10 } else { 64 << 10 }) };
    let mut journal = Journal::open(Path::new(&dir), config).unwrap();
    for found in [Some(&journal.recovery.ticks), journal.recovery.raw.as_ref()].into_iter().flatten() {
        assert!(matches!(found.case, Case::Clean | Case::TornByProcessDeath), "{found:?}");
        assert_eq!(found.quarantined_bytes > 0, found.case == Case::TornByProcessDeath, "{found:?}");
    }
    let Journal { ticks, recovery, .. } = &mut journal;
    let decoded = recovery.raw_frames.for_each(|lost| {
        let number = lost.prefix.header.sequence;
        assert!(lost.payload == frame(number, is_long), "frame {number}");
        let mut again = trade(number);
        again.header.flags |= Flags::RECOVERED;
        assert_eq!(ticks.append(words_of(&mut again)).unwrap(), number);
    });
    decoded.unwrap();
    while journal.ticks.next_sequence() <= limit {
        for _ in 0..20 {
            let number = journal.ticks.next_sequence();
            assert_eq!(append_raw(journal.raw.as_mut().unwrap(), &frame(number, is_long)), number);
            assert_eq!(journal.ticks.append(words_of(&mut trade(number))).unwrap(), number);
        }
        journal.ticks.batch_end();
        if !is_long {
            // Else the scheduler takes the processor away where it likes, mostly inside a copy.
            std::thread::yield_now();
        }
    }
    journal.close().unwrap();
}

fn spawn(dir: &Path, limit: Option<u64>, level: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child_writer", "--exact", "--nocapture"]).env(FOLDER, dir);
    if let Some(level) = level {
        command.env(LEVEL, level);
    }
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

/// The same for stream `raw`.
fn follow_raw(tailer: &mut Tailer, seen: &mut u64) -> TailState {
    let polled = tailer.poll(100, |record| {
        *seen += 1;
        assert_eq!(record.position.sequence, *seen);
        let Some(RecordView::Raw(_, payload)) = view(record.bytes) else { panic!("a frame") };
        assert!(payload == frame(*seen, true), "frame {seen}");
    });
    polled.unwrap().state
}

fn open_when_there(dir: &Path, stream: Stream) -> Tailer {
    let begin = Instant::now();
    loop {
        match Tailer::open(dir, stream, Start::Beginning) {
            Ok(tailer) => return tailer,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(20), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Several tailers that live through all deaths of the writers.
struct Tailers {
    fast: (Tailer, u64),
    checking: (Tailer, u64),
    raw: (Tailer, u64),
}

impl Tailers {
    fn open(dir: &Path) -> Tailers {
        Tailers {
            fast: (open_when_there(dir, Stream::Ticks), 0),
            checking: (open_when_there(dir, Stream::Ticks).with_crc_check(true), 0),
            raw: (open_when_there(dir, Stream::Raw).with_crc_check(true), 0),
        }
    }

    fn follow(&mut self) -> [TailState; 3] {
        [
            follow(&mut self.fast.0, &mut self.fast.1),
            follow(&mut self.checking.0, &mut self.checking.1),
            follow_raw(&mut self.raw.0, &mut self.raw.1),
        ]
    }

    /// Ticks and frames seen by anyone.
    fn seen(&self) -> [u64; 2] {
        [self.fast.1.max(self.checking.1), self.raw.1]
    }
}

/// Kills writers on one journal; returns how many torn tails that left.
fn kill_writers(level: &str, kills: usize, window_us: u64, random: &mut u64) -> usize {
    let folder = scratch();
    let dir = folder.path();
    let mut tailers: Option<Tailers> = None;
    let mut torn = 0;
    for round in 0..kills {
        let mut child = spawn(dir, None, Some(level));
        let tailers = tailers.get_or_insert_with(|| Tailers::open(dir));
        // From the first new record on, so that most kills hit a running writer.
        let before = tailers.seen();
        let begin = Instant::now();
        while tailers.seen() == before {
            tailers.follow();
            assert!(begin.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "round {round}");
        }
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let end = Instant::now() + Duration::from_micros(*random % window_us);
        while Instant::now() < end {
            tailers.follow();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let report = verify(dir, |_, _, _, _| {}).unwrap();
        let seen = tailers.seen();
        for ((stream, found), seen) in report.streams.iter().zip(seen) {
            let case = found.case();
            assert!(matches!(case, Case::Clean | Case::TornByProcessDeath), "{level}, round {round}: {report:?}");
            torn += usize::from(case == Case::TornByProcessDeath);
            let records = found.records;
            assert!(records >= seen, "{level}, round {round}: {records} records in {stream:?}, {seen} seen");
            let control = ControlReader::open(&dir.join(stream.name()), *stream).unwrap().unwrap();
            assert!(control.durable().is_none_or(|slot| slot.sequence <= records), "{level}, round {round}");
        }
        while tailers.follow().contains(&TailState::More) {}
        let records = [report.streams[0].1.records, report.streams[1].1.records];
        assert_eq!(tailers.seen(), records, "a tailer sees everything that is committed");
    }
    let seen = tailers.map_or([0; 2], |tailers| tailers.seen());
    let mut child = spawn(dir, Some(seen[1] + 100), Some(level));
    assert!(child.wait().unwrap().success());
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    let read = read_all(dir, Stream::Ticks);
    assert_eq!(read.len() as u64, read.last().unwrap().0, "no hole over all writers");
    assert_eq!(read_all(dir, Stream::Raw).len(), read.len(), "every frame became a tick");
    assert!(read.len() as u64 >= seen[0] + 100);
    torn
}

#[test]
fn a_writer_killed_at_any_instant_leaves_everything_a_tailer_saw_and_the_next_goes_on() {
    let long = policy::is_long();
    let mut random = u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15;
    let (journals, kills, window_us) = if long { (14, 24, 5_000) } else { (1, 7, 20_000) };
    println!("seed {random}");
    let mut torn = 0;
    for _ in 0..journals {
        for level in LEVELS {
            torn += kill_writers(level, kills, window_us, &mut random);
        }
    }
    println!("{torn} torn tails of {} kills", journals * kills * LEVELS.len());
    // Where the scheduler never took the processor away inside a copy, more of them.
    let more = (0..40).find(|_| torn > 0 || kill_writers(LEVELS[0], 7, window_us, &mut random) > 0);
    assert!(more.is_some(), "none of the kills hit a record: the test shows nothing");
}

#[test]
fn a_tailer_in_another_process_follows_rolls_to_the_close() {
    let folder = scratch();
    let dir = folder.path();
    let mut child = spawn(dir, Some(20_000), None);
    let mut tailer = open_when_there(dir, Stream::Ticks).with_crc_check(true);
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
