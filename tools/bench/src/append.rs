//! One record into the journal, on the schedule of a feed or flat out, beside the same bytes into a `BufWriter`, into
//! memory that is there, and beside a loop that does nothing but read the clock: what the machine itself takes away
//! shows there.
//!
//! The four run one after the other in the same process, each for the whole count. On a schedule two figures are
//! told: the call alone, and from the moment the record was due, which also counts the lateness that a slow append
//! before it caused.
//!
//! Flat out, memory for the whole run is made present and freed again before append and `BufWriter`: a virtual
//! machine may have given its free memory back to its host, and having it again takes longer than all the rest.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};

use hoga::clock::TickClock;
use hoga::journal::{Durability, Journal, JournalConfig, StreamConfig};
use hoga::tick::{HEADER_BYTES, Header, RType};
use serde::Serialize;

use crate::Error;
use crate::quantiles::{Quantiles, Recorder};
use crate::tail::Spinner;

/// Memory of the bare copy: more than the processor's caches hold.
const COPY_BYTES: usize = 256 << 20;

/// What is measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Parameters {
    /// Bytes of a record, header included; a multiple of eight.
    pub record_bytes: usize,
    /// Records of each of the four.
    pub count: u64,
    /// Records a second; 0 = flat out.
    pub rate: u64,
    /// MiB of a segment.
    pub segment_mib: u64,
    /// What survives the host's death.
    pub durability: Durability,
    /// Whether a tailer in another process spins on the records meanwhile.
    pub watched: bool,
    /// Whether the journal lies on the disk of the scratch folder, or in memory.
    pub disk: bool,
}

/// Figures of one of the four.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Timed {
    /// The call alone.
    pub call_ns: Quantiles,
    /// From the moment it was due; on a schedule only.
    pub due_ns: Option<Quantiles>,
}

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was asked.
    pub parameters: Parameters,
    /// Rolls inside the run.
    pub rolls: u64,
    /// Rolls that had to wait for the next segment.
    pub stalls: u64,
    /// Reading the clock twice and nothing between: part of the other figures.
    pub spin: Timed,
    /// The bare copy into memory that is there: the least an append can take.
    pub copy: Timed,
    /// The journal's append.
    pub append: Timed,
    /// The copy into a `BufWriter`, its `write(2)` calls included.
    pub bufwriter: Timed,
    /// What the watching process saw: from before the append to its hands.
    pub seen_ns: Option<Quantiles>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parameters { record_bytes, rate, watched, durability, .. } = self.parameters;
        let pace = if rate == 0 { "flat out".to_owned() } else { format!("{rate} records/s") };
        let watched = if watched { ", a tailer of another process spins on them" } else { "" };
        let (rolls, stalls) = (self.rolls, self.stalls);
        writeln!(
            f,
            "records of {record_bytes} bytes, level {durability}, {pace}, {rolls} rolls ({stalls} waited){watched}"
        )?;
        let all = [
            ("nothing", &self.spin),
            ("bare copy", &self.copy),
            ("append", &self.append),
            ("BufWriter", &self.bufwriter),
        ];
        for (name, timed) in all {
            writeln!(f, "{name:<10}      {}", timed.call_ns)?;
            if let Some(due) = &timed.due_ns {
                writeln!(f, "{name:<10} due  {due}")?;
            }
        }
        if let Some(seen) = &self.seen_ns {
            writeln!(f, "seen            {seen}")?;
        }
        write!(f, "append / bare copy: {}\nappend / BufWriter: {}", self.over(&self.copy), self.over(&self.bufwriter))
    }
}

impl Report {
    fn over(&self, other: &Timed) -> String {
        let ratio = |at: fn(&Quantiles) -> u64| at(&self.append.call_ns) as f64 / at(&other.call_ns).max(1) as f64;
        format!("p50 {:.2}, p99.9 {:.2}, p99.99 {:.2}", ratio(|q| q.p50), ratio(|q| q.p999), ratio(|q| q.p9999))
    }
}

/// Runs the four.
///
/// # Errors
/// When the journal or the file can't be made or written.
pub fn run(parameters: Parameters) -> Result<Report, Error> {
    let Parameters { record_bytes, segment_mib, watched, disk, durability, .. } = parameters;
    if record_bytes < HEADER_BYTES || !record_bytes.is_multiple_of(8) {
        return Err(format!("a record has at least {HEADER_BYTES} bytes, a multiple of eight").into());
    }
    let folder = if disk { tempfile::tempdir()? } else { crate::scratch()? };
    let dir = folder.path().join("journal");
    let stream = StreamConfig { segment_bytes: segment_mib << 20, ..StreamConfig::default() };
    let config = JournalConfig { ticks: stream, raw: None, durability, ..JournalConfig::default() };
    let mut record = vec![0_u64; record_bytes / 8];
    let header: &mut [Header] = bytemuck::cast_slice_mut(&mut record[..HEADER_BYTES / 8]);
    (header[0].length, header[0].rtype) = (record_bytes as u32, RType::Other as u8);
    let clock = TickClock::new();

    let stamp = HEADER_BYTES / 8;

    let spin = paced(&clock, &parameters, |_, _| Ok(()))?;

    let mut memory = vec![1_u64; (COPY_BYTES / record_bytes).max(1) * record_bytes / 8];
    let mut at = 0;
    let copy = paced(&clock, &parameters, |_, now| {
        record[stamp] = now;
        black_box(&mut memory[at..at + record.len()]).copy_from_slice(black_box(&record));
        at = (at + record.len()) % memory.len();
        Ok(())
    })?;
    drop(memory);

    make_memory_present(&parameters);
    let mut journal = Journal::open(&dir, config)?;
    journal.ticks.append(&mut record)?;
    let spinner = if watched { Some(Spinner::start(&dir)?) } else { None };
    let first = journal.ticks.ordinal();
    let append = paced(&clock, &parameters, |number, now| {
        record[stamp] = now;
        journal.ticks.append(black_box(&mut record))?;
        if number % 16 == 0 {
            journal.ticks.batch_end();
        }
        Ok(())
    })?;
    let (rolls, stalls) = (journal.ticks.ordinal() - first, journal.ticks.stalls());
    journal.close()?;
    let seen_ns = spinner.map(Spinner::finish).transpose()?;
    std::fs::remove_dir_all(&dir)?;

    make_memory_present(&parameters);
    let mut plain = BufWriter::new(File::create(folder.path().join("plain"))?);
    let bufwriter = paced(&clock, &parameters, |_, now| {
        record[stamp] = now;
        Ok(plain.write_all(bytemuck::cast_slice(black_box(&record)))?)
    })?;
    Ok(Report { parameters, rolls, stalls, spin, copy, append, bufwriter, seen_ns })
}

fn make_memory_present(parameters: &Parameters) {
    if parameters.rate == 0 {
        let bytes = parameters.count * parameters.record_bytes as u64 + 4 * (parameters.segment_mib << 20);
        // Ones: zeros would be promised, not made.
        drop(black_box(vec![1_u8; usize::try_from(bytes).unwrap_or(0)]));
    }
}

/// Calls `each` with its number and the clock on the schedule, and times it.
fn paced(
    clock: &TickClock,
    parameters: &Parameters,
    mut each: impl FnMut(u64, u64) -> Result<(), Error>,
) -> Result<Timed, Error> {
    let [mut call, mut from_due] = [(); 2].map(|()| Recorder::new());
    let began = clock.now();
    for number in 0..parameters.count {
        let due = (number * 1_000_000_000).checked_div(parameters.rate);
        if let Some(due) = due {
            while clock.delta_ns(began, clock.now()) < due {
                std::hint::spin_loop();
            }
        }
        let start = clock.now();
        each(number, start)?;
        let end = clock.now();
        call.record(clock.delta_ns(start, end));
        if let Some(due) = due {
            from_due.record(clock.delta_ns(began, end).saturating_sub(due));
        }
    }
    Ok(Timed { call_ns: call.quantiles(), due_ns: (parameters.rate > 0).then(|| from_due.quantiles()) })
}
