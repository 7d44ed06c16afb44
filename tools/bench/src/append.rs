//! One record into the journal, beside the same bytes into a `BufWriter` of a file: both in each slot of a fixed
//! schedule, with segment rolls inside.
//!
//! Either takes about as long as a step of the clock of many machines (10 ns), so the medians that are compared are
//! those of runs of [`BATCH`] in a row, a record's share each; the tails are those of single ones.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};

use hoga::clock::TickClock;
use hoga::journal::{Journal, JournalConfig, StreamConfig};
use hoga::tick::{RType, Trade, words_of};
use serde::Serialize;

use crate::Error;
use crate::quantiles::{Quantiles, Recorder};

/// Records of a run in a row: enough that each run of the copy has its share of flushes of the 8 KiB buffer.
pub const BATCH: u64 = 64;

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Bytes of a record.
    pub record_bytes: usize,
    /// Rolls inside the run.
    pub rolls: u64,
    /// Reading the clock twice: part of both figures.
    pub clock_ns: Quantiles,
    /// The journal's append.
    pub append_ns: Quantiles,
    /// The copy into a `BufWriter`.
    pub bufwriter_ns: Quantiles,
    /// Median share of a record of runs in a row, append and copy, ns.
    pub share_ns: [f64; 2],
    /// Of those, the append's over the copy's.
    pub p50_ratio: f64,
    /// 99.9 % of single appends over the median share of the copy.
    pub p999_ratio: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "records of {} bytes, {} rolls", self.record_bytes, self.rolls)?;
        writeln!(f, "clock      {}", self.clock_ns)?;
        writeln!(f, "append     {}", self.append_ns)?;
        writeln!(f, "BufWriter  {}", self.bufwriter_ns)?;
        let [append, copy] = self.share_ns;
        writeln!(f, "in runs of {BATCH}, a record's median share: append {append:.1} ns, BufWriter {copy:.1} ns")?;
        write!(f, "p50 ratio {:.2} (goal 1.0), p99.9 over its p50 {:.2} (goal 3)", self.p50_ratio, self.p999_ratio)
    }
}

/// Appends `count` records, one each `slot_ns`.
///
/// # Errors
/// When the journal or the file can't be made or written.
pub fn run(count: u64, slot_ns: u64, segment_mib: u64) -> Result<Report, Error> {
    let folder = tempfile::tempdir()?;
    let stream = StreamConfig { segment_bytes: segment_mib << 20, ..StreamConfig::default() };
    let config = JournalConfig { ticks: stream, raw: None, ..JournalConfig::default() };
    let mut journal = Journal::open(&folder.path().join("journal"), config)?;
    let mut plain = BufWriter::new(File::create(folder.path().join("plain"))?);
    let mut record = Trade::UNDEF;
    record.header.length = size_of::<Trade>() as u32;
    record.header.rtype = RType::Trade as u8;
    let clock = TickClock::new();
    let [mut base, mut append, mut copy] = [(); 3].map(|()| Recorder::new());
    let first = journal.ticks.ordinal();
    let began = clock.now();
    let [mut append_runs, mut copy_runs] = [(); 2].map(|()| Recorder::new());
    for number in 0..count {
        while clock.delta_ns(began, clock.now()) < number * slot_ns {
            std::hint::spin_loop();
        }
        let start = clock.now();
        base.record(clock.delta_ns(start, clock.now()));
        record.cum_qty = number;
        let single = number % 8 != 0;
        let records = if single { 1 } else { BATCH };
        let start = clock.now();
        for _ in 0..records {
            journal.ticks.append(words_of(black_box(&mut record)))?;
        }
        let end = clock.now();
        let taken = if single { &mut append } else { &mut append_runs };
        taken.record(clock.delta_ns(start, end));
        let start = clock.now();
        for _ in 0..records {
            plain.write_all(bytemuck::bytes_of(black_box(&record)))?;
        }
        let end = clock.now();
        let taken = if single { &mut copy } else { &mut copy_runs };
        taken.record(clock.delta_ns(start, end));
        if number % 16 == 0 {
            journal.ticks.batch_end();
        }
    }
    let rolls = journal.ticks.ordinal() - first;
    journal.close()?;
    let share_ns = [&append_runs, &copy_runs].map(|runs| runs.quantiles().p50 as f64 / BATCH as f64);
    let (append, copy) = (append.quantiles(), copy.quantiles());
    Ok(Report {
        record_bytes: size_of::<Trade>(),
        rolls,
        clock_ns: base.quantiles(),
        append_ns: append,
        bufwriter_ns: copy,
        share_ns,
        p50_ratio: share_ns[0] / share_ns[1],
        p999_ratio: append.p999 as f64 / share_ns[1],
    })
}
