//! How long an opening takes, in milliseconds and per GiB of journal. A measurement, so run by hand:
//! `cargo test --release --test journal_open_speed -- --ignored --nocapture`. Goal: 1 GiB in at most 300 ms.

mod journal_support;

use std::path::Path;
use std::time::{Duration, Instant};

use hoga::journal::{Durability, Journal, JournalConfig, StreamConfig};
use hoga::tick::words_of;
use journal_support::*;

const BYTES: u64 = 1 << 30;

fn config(segment_bytes: u64, durability: Durability) -> JournalConfig {
    let stream = StreamConfig { segment_bytes, ..StreamConfig::default() };
    JournalConfig { ticks: stream, raw: None, durability, ..JournalConfig::default() }
}

/// Writes a GiB of trades and dies; `boot` = the boot it is written in.
fn write(dir: &Path, config: JournalConfig, boot: [u8; 16]) {
    let mut journal = Journal::open_in_boot(dir, config, boot).unwrap();
    for number in 1..=BYTES / size_of::<hoga::tick::Trade>() as u64 {
        journal.ticks.append(words_of(&mut trade(number))).unwrap();
        if number % 1024 == 0 {
            journal.ticks.batch_end();
        }
    }
    std::thread::sleep(if config.durability == Durability::Process { Duration::ZERO } else { Duration::from_secs(2) });
}

#[test]
#[ignore = "a measurement"]
fn opening_a_journal_of_one_gib() {
    let here = hoga::sys::file::boot_id();
    let periodic = Durability::Periodic(Duration::from_millis(100));
    for (what, segment_bytes, durability, boot) in [
        ("process died, segments of 128 MiB", 128 << 20, Durability::Process, here),
        ("process died, one segment", 1280 << 20, Durability::Process, here),
        ("host died, level periodic(100), segments of 128 MiB", 128 << 20, periodic, [7; 16]),
        ("host died, level process (no mark: all of it is read)", 128 << 20, Durability::Process, [7; 16]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(segment_bytes, durability);
        write(folder.path(), config, boot);
        let begin = Instant::now();
        let journal =
            Journal::open(folder.path(), JournalConfig { durability: Durability::Process, ..config }).unwrap();
        let took = begin.elapsed().as_secs_f64() * 1e3;
        let (case, last) = (journal.recovery.ticks.case, journal.recovery.ticks.last_sequence);
        println!("{what}: {took:.0} ms for 1 GiB ({last} records, {})", case.name());
    }
}
