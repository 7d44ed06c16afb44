//! From an append to a tailer in another process, beside the same record through a pipe, at a fixed rate.
//!
//! Each record carries the raw time-stamp counter at its intended moment's call; the reading process takes the
//! difference. Both ways are used one after the other in each slot. The reader of the pipe blocks in `read`, the tailer
//! spins, as each would be used.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hoga::clock::TickClock;
use hoga::journal::{Journal, JournalConfig, Start, Stream, TailState, Tailer};
use hoga::tick::{RType, RecordView, Trade, view, words_of};
use serde::Serialize;

use crate::Error;
use crate::quantiles::{Quantiles, Recorder};

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Records a second.
    pub rate: u64,
    /// From before the append to the tailer's hands.
    pub tail_ns: Quantiles,
    /// From before the `write` to after the `read`.
    pub pipe_ns: Quantiles,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records/s of {} bytes to another process", self.rate, size_of::<Trade>())?;
        writeln!(f, "journal + tailer  {}", self.tail_ns)?;
        writeln!(f, "pipe              {}", self.pipe_ns)?;
        write!(f, "p50 ratio {:.3}", self.tail_ns.p50 as f64 / self.pipe_ns.p50 as f64)
    }
}

/// Runs one reading process after the other, so that two readers never share a processor with the writer.
///
/// # Errors
/// When a journal or process can't be made, or ends early.
pub fn run(rate: u64, seconds: f64) -> Result<Report, Error> {
    let count = (rate as f64 * seconds) as u64;
    Ok(Report { rate, tail_ns: journal(rate, count)?, pipe_ns: pipe(rate, count)? })
}

fn record() -> Trade {
    let mut record = Trade::UNDEF;
    record.header.length = size_of::<Trade>() as u32;
    record.header.rtype = RType::Trade as u8;
    record
}

/// Calls `each` with the counter's value at each slot.
fn paced(rate: u64, count: u64, mut each: impl FnMut(u64) -> Result<(), Error>) -> Result<(), Error> {
    let clock = TickClock::new();
    let began = clock.now();
    for number in 0..count {
        let due = number * 1_000_000_000 / rate;
        while clock.delta_ns(began, clock.now()) < due {
            std::hint::spin_loop();
        }
        each(clock.now())?;
    }
    Ok(())
}

fn reader(kind: &str, dir: &Path) -> Result<Child, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(kind).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut ready = [0; 1];
    child.stdout.as_mut().ok_or("no output")?.read_exact(&mut ready)?;
    Ok(child)
}

fn result(child: Child) -> Result<Quantiles, Error> {
    let output = child.wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn journal(rate: u64, count: u64) -> Result<Quantiles, Error> {
    let folder = crate::scratch()?;
    let mut journal = Journal::open(folder.path(), JournalConfig { raw: None, ..JournalConfig::default() })?;
    journal.ticks.append(words_of(&mut record()))?;
    journal.ticks.batch_end();
    let child = reader("read-journal", folder.path())?;
    let mut record = record();
    paced(rate, count, |ticks| {
        record.cum_qty = ticks;
        journal.ticks.append(words_of(&mut record))?;
        journal.ticks.batch_end();
        Ok(())
    })?;
    journal.close()?;
    result(child)
}

fn pipe(rate: u64, count: u64) -> Result<Quantiles, Error> {
    let folder = crate::scratch()?;
    let mut child = reader("read-pipe", folder.path())?;
    let mut pipe = child.stdin.take().ok_or("no input")?;
    let mut record = record();
    paced(rate, count, |ticks| {
        record.cum_qty = ticks;
        Ok(pipe.write_all(bytemuck::bytes_of(&record))?)
    })?;
    drop(pipe);
    result(child)
}

/// The reading process: says that it is ready, reads to the end, prints its figures.
///
/// # Errors
/// When the journal can't be read.
pub fn read_journal(dir: &Path) -> Result<(), Error> {
    let clock = TickClock::new();
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::End)?;
    let mut times = Recorder::new();
    ready()?;
    loop {
        let polled = tailer.poll(64, |record| {
            let now = clock.now();
            if let Some(RecordView::Trade(trade)) = view(record.bytes) {
                times.record(clock.delta_ns(trade.cum_qty, now));
            }
        })?;
        if polled.records == 0 && matches!(polled.state, TailState::Closed | TailState::Gone) {
            break;
        }
    }
    print(&times)
}

/// The reading process of the pipe.
///
/// # Errors
/// When the input can't be read.
pub fn read_pipe() -> Result<(), Error> {
    let clock = TickClock::new();
    let mut times = Recorder::new();
    // Without the buffer of `stdin()`.
    let mut input = File::open("/dev/stdin")?;
    ready()?;
    let mut record = Trade::UNDEF;
    while input.read_exact(bytemuck::bytes_of_mut(&mut record)).is_ok() {
        times.record(clock.delta_ns(record.cum_qty, clock.now()));
    }
    print(&times)
}

fn ready() -> Result<(), Error> {
    print!(" ");
    Ok(std::io::stdout().flush()?)
}

fn print(times: &Recorder) -> Result<(), Error> {
    println!("{}", serde_json::to_string(&times.quantiles())?);
    Ok(())
}
