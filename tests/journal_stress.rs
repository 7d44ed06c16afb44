//! A writer flat out and readers in other processes that check every byte.
//!
//! Goal: whatever the interleaving of processes, rolls and page advice, a reader sees each record once, in order, whole.
//! Method: this program starts itself again as writer and readers. A record's size and bytes follow from its sequence
//! alone, so a reader knows them without being told. Segments are small: rolls are many. Seconds; with `HOGA_LONG=1`
//! minutes.

mod journal_support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hoga::journal::{Filter, Journal, Seek, Sought, Start, Stream, TailError, TailState, Tailer};
use hoga::tick::{Flags, HEADER_BYTES, Header, RType, words_of};
use journal_support::*;

const SEGMENT_BYTES: u64 = 256 << 10;
/// Largest record, words.
const WORDS_MAX: u64 = 90;
const ROLE: &str = "HOGA_STRESS_ROLE";
const DIR: &str = "HOGA_STRESS_DIR";
const SECONDS: &str = "HOGA_STRESS_SECONDS";

/// SplitMix64: noise that both sides know.
fn noise(seed: u64) -> u64 {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Bytes of the record with that sequence: from a bare header up, most of them not a multiple of eight.
fn length_of(sequence: u64) -> usize {
    HEADER_BYTES + (noise(sequence) % (8 * WORDS_MAX - HEADER_BYTES as u64)) as usize
}

fn kind_of(sequence: u64) -> RType {
    if sequence.is_multiple_of(16) { RType::Book } else { RType::Other }
}

/// The record with that sequence, as words to append.
fn fill(sequence: u64, words: &mut [u64]) {
    let length = length_of(sequence);
    let used = length.div_ceil(8);
    let mut header: Header = bytemuck::zeroed();
    header.length = length as u32;
    header.ts_recv = sequence;
    header.flags = (noise(sequence ^ 1) as u32) & !Flags::RESTATED;
    header.rtype = kind_of(sequence) as u8;
    words[..HEADER_BYTES / 8].copy_from_slice(words_of(&mut header));
    for (index, word) in words[..used].iter_mut().enumerate().skip(HEADER_BYTES / 8) {
        *word = noise(sequence << 8 | index as u64);
    }
}

/// Requires every byte behind the checksum to be the one written, and the length.
fn require(bytes: &[u8], sequence: u64, room: &mut [u64]) {
    fill(sequence, room);
    let head: &Header = bytemuck::from_bytes(&bytes[..HEADER_BYTES]);
    assert_eq!((bytes.len(), head.length as usize, head.sequence), (length_of(sequence), bytes.len(), sequence));
    assert_eq!((head.ts_recv, head.rtype), (sequence, kind_of(sequence) as u8), "record {sequence}");
    let expected: &[u8] = bytemuck::cast_slice(room);
    assert_eq!(head.flags.to_le_bytes(), expected[28..32], "flags of {sequence}");
    assert!(bytes[HEADER_BYTES..] == expected[HEADER_BYTES..bytes.len()], "body of {sequence}");
}

fn write(dir: &Path, duration: Duration) {
    let mut journal = Journal::open(dir, small(SEGMENT_BYTES)).expect("open");
    println!("ready");
    let mut words = [0; WORDS_MAX as usize + 1];
    let begin = Instant::now();
    let mut sequence = journal.ticks.next_sequence();
    while !sequence.is_multiple_of(64) || begin.elapsed() < duration {
        fill(sequence, &mut words);
        assert_eq!(journal.ticks.append(&mut words), Ok(sequence));
        sequence += 1;
        if sequence.is_multiple_of(32) {
            journal.ticks.batch_end();
        }
    }
    let rolls = journal.ticks.ordinal();
    journal.close().expect("close");
    println!("{} {rolls}", sequence - 1);
}

/// Reads on to the closing; returns how many records were seen and the last sequence.
fn follow(mut tailer: Tailer, step: u64) -> (u64, u64) {
    let mut room = [0; WORDS_MAX as usize + 1];
    let (mut count, mut last) = (0, 0);
    let mut idle = 0_u32;
    loop {
        let polled = tailer.poll(64, |record| {
            let sequence = record.position.sequence;
            assert!(last == 0 || sequence == last + step, "{sequence} after {last}");
            require(record.bytes, sequence, &mut room);
            (count, last) = (count + 1, sequence);
        });
        match polled.expect("a record is damaged") {
            polled if polled.records > 0 => idle = 0,
            polled if polled.state == TailState::Closed => return (count, last),
            polled => {
                assert_ne!(polled.state, TailState::Gone, "the writer died");
                // Spinning is the point, but there may be fewer processors than processes.
                idle += 1;
                if idle.is_multiple_of(256) {
                    std::thread::yield_now();
                }
            }
        }
    }
}

/// Joins again and again, by seek and by opening anew, and checks some records at each place.
fn join(dir: &Path) -> (u64, u64) {
    let mut room = [0; WORDS_MAX as usize + 1];
    let open = |start| Tailer::open(dir, Stream::Ticks, start).expect("open");
    let mut tailer = open(Start::Beginning);
    let (mut count, mut round, mut newest) = (0, 0, 0);
    loop {
        round += 1;
        // Of those known to be there; none at first.
        let wanted = noise(round) % newest.max(1) + 1;
        if round.is_multiple_of(2) {
            tailer = open(Start::Sequence(wanted));
        } else if newest > 0 {
            assert_eq!(tailer.seek(Seek::Sequence(wanted)).expect("seek"), Sought::Exact, "record {wanted}");
        }
        let mut expected = wanted;
        let check = |record: hoga::journal::RecordRef<'_>| {
            assert_eq!(record.position.sequence, expected, "joined at {wanted}");
            require(record.bytes, expected, &mut room);
            (count, expected) = (count + 1, expected + 1);
        };
        tailer.poll(500, check).expect("a record is damaged");
        newest = newest.max(expected - 1);
        // The newest there is, by opening behind it; records that follow it are right, too.
        let mut end = open(Start::End);
        newest = newest.max(end.next_sequence() - 1);
        let polled =
            end.poll(64, |record| require(record.bytes, record.position.sequence, &mut room)).expect("damaged");
        if polled.records == 0 && polled.state == TailState::Closed {
            return (count, newest);
        }
    }
}

/// The part of this program in another process; does nothing when it is not asked to.
#[test]
fn part_in_another_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let dir = std::env::var(DIR).expect("a folder");
    let dir = Path::new(&dir);
    if role == "write" {
        let seconds: f64 = std::env::var(SECONDS).expect("a duration").parse().expect("seconds");
        return write(dir, Duration::from_secs_f64(seconds));
    }
    let begin = Instant::now();
    let tailer = loop {
        assert!(begin.elapsed() < Duration::from_secs(60), "nobody writes");
        match Tailer::open(dir, Stream::Ticks, Start::Beginning) {
            Ok(tailer) => break tailer,
            Err(TailError::NoJournal(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let (count, last) = match role.as_str() {
        "spin" => follow(tailer, 1),
        "check" => follow(tailer.with_crc_check(true), 1),
        "filter" => {
            let filter = Filter { kinds: vec![RType::Book], ..Filter::default() };
            follow(tailer.with_filter(filter), 16)
        }
        "join" => join(dir),
        other => panic!("no part {other}"),
    };
    println!("{count} {last}");
}

fn start(role: &str, dir: &Path, seconds: f64) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "part_in_another_process", "--nocapture"])
        .env(ROLE, role)
        .env(DIR, dir)
        .env(SECONDS, seconds.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process")
}

/// The two numbers a part prints at its end.
fn finish(role: &str, child: Child) -> (u64, u64) {
    let output = child.wait_with_output().expect("its output");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{role}: {}\n{out}\n{err}", output.status);
    let numbers = out.lines().find_map(|line| {
        let (first, second) = line.split_once(' ')?;
        Some((first.parse().ok()?, second.parse().ok()?))
    });
    numbers.unwrap_or_else(|| panic!("{role} printed no numbers: {out}"))
}

#[test]
fn readers_in_other_processes_see_every_byte_of_every_record_once_while_it_is_written() {
    let seconds = if policy::is_long() { 120.0 } else { 2.0 };
    let folder = if seconds > 10.0 { tempfile::tempdir().expect("a folder") } else { scratch() };
    let dir = folder.path();
    let roles = ["spin", "check", "filter", "join"];
    let readers = roles.map(|role| (role, start(role, dir, seconds)));
    let (written, rolls) = finish("write", start("write", dir, seconds));
    let mut seen = Vec::new();
    for (role, child) in readers {
        let (count, last) = finish(role, child);
        match role {
            "spin" | "check" => assert_eq!((count, last), (written, written), "{role}"),
            "filter" => assert_eq!((count, last), (written / 16, written / 16 * 16), "{role}"),
            _ => assert!(last == written && count > 0, "{role}: {count} up to {last}"),
        }
        seen.push(format!("{role} {count}"));
    }
    assert!(rolls > 4, "{rolls} segments");
    eprintln!("{written} records in {rolls} segments; seen: {}", seen.join(", "));
}
