//! From history to live without hole or double, whoever joins when; and how far a slow reader is behind.

mod journal_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hoga::journal::{Follower, Journal, RecordRef, Start, Stream, TailState, Tailer, Visit};
use hoga::stage::WaitStrategy;
use hoga::tick::{Instrument, RawPrefix, Trade, words_of};
use journal_support::*;

const STRATEGIES: [WaitStrategy; 3] = [WaitStrategy::Spin, WaitStrategy::Yield, WaitStrategy::Park];

/// Reads to the end of the journal and asserts that every record from `first` on comes once, in order, whole.
fn follow(dir: &std::path::Path, start: Start, strategy: WaitStrategy, first: u64) -> u64 {
    let tailer = Tailer::open(dir, Stream::Ticks, start).unwrap().with_crc_check(true);
    let mut follower = Follower::new(tailer, strategy);
    let mut next = first;
    loop {
        let polled = follower.next_batch(97, Some(Duration::from_secs(60)), |record| {
            assert_eq!(record.position.sequence, next, "no hole and no double");
            let mut expected = trade(next);
            (expected.header.sequence, expected.header.version) = (next, 1);
            assert_eq!(record.bytes[8..], bytemuck::bytes_of(&expected)[8..]);
            next += 1;
        });
        let polled = polled.unwrap();
        if polled.records == 0 {
            assert_eq!(polled.state, TailState::Closed, "nothing else ends it");
            return next - 1;
        }
    }
}

#[test]
fn readers_that_join_at_any_time_get_history_and_what_comes_without_hole_or_double() {
    let folder = scratch();
    let dir = folder.path();
    let past = 2_000;
    let records = 12_000;
    // The past: written by two recorders that are gone, one in order and one not.
    let mut journal = Journal::open(dir, small(32 << 10)).unwrap();
    for number in 1..=past / 2 {
        journal.ticks.append(words_of(&mut trade(number))).unwrap();
    }
    journal.close().unwrap();
    let mut journal = Journal::open(dir, small(32 << 10)).unwrap();
    for number in past / 2 + 1..=past {
        journal.ticks.append(words_of(&mut trade(number))).unwrap();
    }
    drop(journal);
    let mut journal = Journal::open(dir, small(32 << 10)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for join in 0..6_u64 {
            let done = &done;
            readers.push(scope.spawn(move || {
                // Two that yield and park: on few processors, spinning readers only starve the writer.
                let start = match join % 3 {
                    0 => (Start::Beginning, 1),
                    _ => {
                        let from = 1 + join * 911 % past;
                        (Start::Sequence(from), from)
                    }
                };
                std::thread::sleep(Duration::from_millis(join * 7));
                let last = follow(dir, start.0, STRATEGIES[1 + join as usize % 2], start.1);
                assert!(done.load(Ordering::Acquire), "no reader ends before the writer");
                last
            }));
        }
        for number in past + 1..=records {
            journal.ticks.append(words_of(&mut trade(number))).unwrap();
            if number.is_multiple_of(64) {
                journal.ticks.batch_end();
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        done.store(true, Ordering::Release);
        journal.close().unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), records);
        }
    });
}

#[test]
fn a_wait_ends_with_a_record_a_change_of_state_or_its_time() {
    for strategy in STRATEGIES {
        let folder = scratch();
        let mut journal = Journal::open(folder.path(), small(32 << 10)).unwrap();
        journal.ticks.append(words_of(&mut trade(1))).unwrap();
        let tailer = Tailer::open(folder.path(), Stream::Ticks, Start::Beginning).unwrap();
        let mut follower = Follower::new(tailer, strategy);
        let wait = Some(Duration::from_millis(30));
        assert_eq!(follower.next_batch(8, wait, |_| {}).unwrap().records, 1);
        let began = Instant::now();
        let polled = follower.next_batch(8, wait, |_| {}).unwrap();
        assert_eq!((polled.records, polled.state), (0, TailState::Live));
        assert!(began.elapsed() >= Duration::from_millis(30));
        journal.close().unwrap();
        let began = Instant::now();
        let long = Some(Duration::from_secs(60));
        assert_eq!(follower.next_batch(8, long, |_| {}).unwrap().state, TailState::Closed);
        assert!(began.elapsed() < Duration::from_secs(20), "at once, not when the time is over");
        // Told once: then it waits for the next recorder.
        let mut journal = Journal::open(folder.path(), small(32 << 10)).unwrap();
        journal.ticks.append(words_of(&mut trade(2))).unwrap();
        let mut seen = 0;
        while seen == 0 {
            let polled = follower.next_batch(8, long, |record| assert_eq!(record.position.sequence, 2)).unwrap();
            seen = polled.records;
        }
    }
}

#[test]
fn a_slow_reader_is_told_how_far_it_is_behind() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(8 << 10)).unwrap();
    journal.ticks.append(words_of(&mut trade(1))).unwrap();
    journal.ticks.batch_end();
    let mut tailer = Tailer::open(folder.path(), Stream::Ticks, Start::Beginning).unwrap();
    let lag = tailer.lag();
    assert_eq!((lag.records, lag.bytes, lag.segments), (1, 256, 0));
    tailer.poll(9, |_| {}).unwrap();
    let lag = tailer.lag();
    assert_eq!((lag.records, lag.bytes, lag.segments, lag.ns), (0, 0, 0, 0));
    for number in 2..=60 {
        journal.ticks.append(words_of(&mut trade(number))).unwrap();
    }
    journal.ticks.batch_end();
    let lag = tailer.lag();
    assert_eq!(lag.records, 59);
    assert!(lag.segments >= 3 && lag.bytes >= 59 * 256 && lag.bytes <= 59 * 256 + lag.segments * 600, "{lag:?}");
    assert!(lag.ns > 1_000_000_000, "the stamps of these records are of 2023");
    let before = lag.records;
    tailer.poll(20, |_| {}).unwrap();
    assert_eq!(tailer.lag().records, before - 20);
    tailer.poll(usize::MAX, |_| {}).unwrap();
    assert_eq!(tailer.lag().records, 0);
}

#[derive(Default)]
struct Counts {
    trades: u64,
    instruments: u64,
    payload: Vec<u8>,
}

impl Visit for Counts {
    fn trade(&mut self, at: &RecordRef<'_>, trade: &Trade) {
        assert!(std::ptr::eq(at.bytes.as_ptr(), std::ptr::from_ref(trade).cast()), "borrowed, not copied");
        self.trades += 1;
    }

    fn instrument(&mut self, at: &RecordRef<'_>, instrument: &Instrument) {
        assert_eq!(at.instrument(instrument.header.instrument_id).unwrap().key, instrument.key);
        self.instruments += 1;
    }

    fn raw(&mut self, _at: &RecordRef<'_>, _raw: &RawPrefix, payload: &[u8]) {
        self.payload.extend_from_slice(payload);
    }
}

#[test]
fn a_visitor_gets_each_kind_borrowed_from_the_map() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(32 << 10)).unwrap();
    journal.ticks.append(words_of(&mut instrument(1))).unwrap();
    for number in 1..=5 {
        append_pair(&mut journal, number);
    }
    journal.close().unwrap();
    let mut counts = Counts::default();
    for stream in [Stream::Ticks, Stream::Raw] {
        let mut tailer = Tailer::open(folder.path(), stream, Start::Beginning).unwrap();
        assert_eq!(tailer.visit(3, &mut counts).unwrap().state, TailState::More);
        tailer.visit(usize::MAX, &mut counts).unwrap();
    }
    assert_eq!((counts.trades, counts.instruments), (5, 1));
    assert!(counts.payload.starts_with(b"0|H0STCNT0|001|10|H0STCNT0|001|2"));
}
