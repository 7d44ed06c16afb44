//! How long does it take to put a record into the journal?
//!
//! Goals: the append of a 256-byte record (sequence, stamp-free, CRC-32C, copy, commit) has a p50 of at most 1.0 times
//! and a p99.9 of at most 3 times the p50 of writing the same record to a file through a `BufWriter`, in the same run, at
//! a fixed rate, with segment rolls inside. Not a goal: throughput of the disk; the way to a reader.
//!
//! Both follow one fixed schedule, a thousand slots each in turn (a `write(2)` in one must not cool the caches of the
//! other), timed with the raw time-stamp counter; what reading it twice costs is measured alone (`base`) and part of both figures. NB: on some processors the counter moves in steps
//! of 10 ns, which is about what is measured, and 31 of 32 writes to a `BufWriter` only fill its buffer. So there is a
//! second table: bursts of 64 records timed as a whole and divided, its `write(2)` calls included. The goals are held
//! against the p50 of those; the bare copy is told beside them. `cargo bench --bench journal -- 2000000` takes
//! another number of records; under `cargo test --benches` it takes few. The last line is a digest of what was written,
//! so that nothing is optimised away.

use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use hdrhistogram::Histogram;
use hoga::journal::{Journal, JournalConfig, Start, Stream, StreamConfig, Tailer};
use hoga::tick::{RType, Trade, words_of};
use quanta::Clock;

const SLOT: Duration = Duration::from_micros(5);
/// Slots in turn.
const PHASE: u64 = 1000;
/// Records of a burst.
const BURST: u64 = 64;

fn main() {
    let bench = std::env::args().any(|argument| argument == "--bench");
    let count = std::env::args().filter_map(|argument| argument.parse::<u64>().ok()).next_back();
    let count = count.unwrap_or(if bench { 1_000_000 } else { 20_000 });
    let folder = tempfile::tempdir().expect("a scratch folder");
    let segment_bytes = if bench { 16 << 20 } else { 1 << 20 };
    let stream = StreamConfig { segment_bytes, ..StreamConfig::default() };
    let config = JournalConfig { ticks: stream, raw: None, ..JournalConfig::default() };
    let mut journal = Journal::open(&folder.path().join("journal"), config).expect("a journal");
    let mut plain = BufWriter::new(std::fs::File::create(folder.path().join("plain")).expect("a file"));

    let clock = Clock::new();
    let mut record = Trade::UNDEF;
    record.header.length = size_of::<Trade>() as u32;
    record.header.rtype = RType::Trade as u8;
    let histogram = || Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).expect("bounds");
    let (mut base, mut append, mut copy) = (histogram(), histogram(), histogram());
    let mut due = clock.raw();
    let slot = ticks_of(&clock, SLOT);
    for number in 0..count {
        due += slot;
        while clock.raw() < due {
            std::hint::spin_loop();
        }
        let begin = clock.raw();
        let end = clock.raw();
        let _ = base.record(clock.delta_as_nanos(begin, end).max(1));

        record.cum_qty = number;
        if (number / PHASE).is_multiple_of(2) {
            let begin = clock.raw();
            let appended = journal.ticks.append(words_of(black_box(&mut record)));
            let end = clock.raw();
            let _ = append.record(clock.delta_as_nanos(begin, end).max(1));
            appended.expect("append");
        } else {
            let begin = clock.raw();
            let written = plain.write_all(bytemuck::bytes_of(black_box(&record)));
            let end = clock.raw();
            let _ = copy.record(clock.delta_as_nanos(begin, end).max(1));
            written.expect("write");
        }
        if number % 16 == 0 {
            journal.ticks.batch_end();
        }
    }
    // Bursts: the same record again and again, one burst each 64 slots.
    let (mut append_burst, mut copy_burst) = (histogram(), histogram());
    due = clock.raw();
    for _ in 0..count / BURST {
        due += slot * BURST;
        while clock.raw() < due {
            std::hint::spin_loop();
        }
        let begin = clock.raw();
        for _ in 0..BURST {
            journal.ticks.append(words_of(black_box(&mut record))).expect("append");
        }
        let end = clock.raw();
        let _ = append_burst.record(clock.delta_as_nanos(begin, end) * 10 / BURST);
        let begin = clock.raw();
        for _ in 0..BURST {
            plain.write_all(bytemuck::bytes_of(black_box(&record))).expect("write");
        }
        let end = clock.raw();
        let _ = copy_burst.record(clock.delta_as_nanos(begin, end) * 10 / BURST);
        journal.ticks.batch_end();
    }
    let (rolls, stalls) = (journal.ticks.ordinal() - 1, journal.ticks.stalls());
    journal.close().expect("close");

    println!("{count} records of {} bytes, one each {SLOT:?}; {rolls} rolls, {stalls} stalls; ns:", size_of::<Trade>());
    println!("{:12} {:>8} {:>8} {:>8} {:>8} {:>10}", "", "p50", "p99", "p99.9", "p99.99", "max");
    for (name, times) in [("base", &base), ("append", &append), ("BufWriter", &copy)] {
        let at = |quantile| times.value_at_quantile(quantile);
        println!("{name:12} {:>8} {:>8} {:>8} {:>8} {:>10}", at(0.5), at(0.99), at(0.999), at(0.9999), times.max());
    }
    let tenths = |times: &Histogram<u64>, quantile| times.value_at_quantile(quantile) as f64 / 10.0;
    println!("bursts of {BURST}, ns a record: p50, p99");
    for (name, times) in [("append", &append_burst), ("BufWriter", &copy_burst)] {
        println!("{name:12} {:>8.1} {:>8.1}", tenths(times, 0.5), tenths(times, 0.99));
    }
    let yardstick = tenths(&copy_burst, 0.5);
    println!(
        "append / BufWriter's p50: p50 {:.2} (goal 1.0), p99.9 {:.2} (goal 3); p50 / that of a bare copy {:.2}",
        tenths(&append_burst, 0.5) / yardstick,
        append.value_at_quantile(0.999) as f64 / yardstick,
        append.value_at_quantile(0.5) as f64 / copy.value_at_quantile(0.5) as f64
    );
    let mut digest = 0_u32;
    let mut tailer = Tailer::open(&folder.path().join("journal"), Stream::Ticks, Start::Beginning).expect("open");
    tailer.poll(usize::MAX, |seen| digest = hoga::simd::crc32c::crc32c(digest, &seen.bytes[8..])).expect("read");
    println!("digest {digest:08x}");
}

/// A duration in ticks of the raw clock.
fn ticks_of(clock: &Clock, duration: Duration) -> u64 {
    let begin = clock.raw();
    std::thread::sleep(Duration::from_millis(20));
    let end = clock.raw();
    let nanos = clock.delta_as_nanos(begin, end).max(1);
    u64::try_from(u128::from(end - begin) * duration.as_nanos() / u128::from(nanos)).unwrap_or(1)
}
