//! From an append to a tailer in another process: beside one bare cache line that the same two processes pass to and
//! fro, beside bare lines, one a record, at the records' own pace, and beside the same record through a pipe.
//!
//! Each record carries the time-stamp counter at the call; the reading process takes the difference. The line is the
//! yardstick because nothing that crosses processors can be faster than half its round trip, and because processors of
//! a virtual machine are sometimes siblings of one core and sometimes not: only the ratio holds. The reader of the
//! pipe blocks in `read`, the tailer spins, as each would be used.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;

use hoga::clock::TickClock;
use hoga::journal::{Journal, JournalConfig, Start, Stream, TailState, Tailer};
use hoga::sys::map::WriteMap;
use hoga::tick::{HEADER_BYTES, Header, RType};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::quantiles::{Quantiles, Recorder};

/// File of the bare line in the scratch folder; a journal ignores it.
const LINE_NAME: &str = "line";
/// Round trips of the bare line.
const ROUND_TRIPS: u64 = 200_000;
/// Lines used in turn for the stamps at the records' pace, behind the first page: enough for a reader that is away for
/// some seconds.
const LINES: u64 = 65_536;
/// Bytes of a line.
const LINE_BYTES: usize = 64;
/// Offset of the first of them.
const LINES_AT: usize = 4096;
/// Bytes of a record.
const RECORD_BYTES: usize = 128;

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Records a second.
    pub rate: u64,
    /// Round trip of one bare cache line between the same two processes, before and after the records.
    pub line_ns: [Quantiles; 2],
    /// One way of a bare line, each record's pace: what the machine takes from any two processes that spin.
    pub paced_line_ns: Quantiles,
    /// From before the append to the tailer's hands.
    pub tail_ns: Quantiles,
    /// From before the `write` to after the `read`.
    pub pipe_ns: Quantiles,
    /// Median of `tail_ns` over the median round trip; goal 0.9.
    pub p50_ratio: f64,
    /// 99 % of `tail_ns` over the median round trip; goal 3.
    pub p99_ratio: f64,
    /// 99 % of `tail_ns` over 99 % of `paced_line_ns`.
    pub p99_paced_ratio: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records/s of {RECORD_BYTES} bytes to another process", self.rate)?;
        writeln!(f, "bare line, round trip, before  {}", self.line_ns[0])?;
        writeln!(f, "bare line, round trip, after   {}", self.line_ns[1])?;
        writeln!(f, "bare lines, one way, at pace   {}", self.paced_line_ns)?;
        writeln!(f, "journal + tailer               {}", self.tail_ns)?;
        writeln!(f, "pipe                           {}", self.pipe_ns)?;
        writeln!(f, "over the line: p50 {:.2} (goal 0.9), p99 {:.2} (goal 3)", self.p50_ratio, self.p99_ratio)?;
        writeln!(f, "over bare lines at pace: p99 {:.2}", self.p99_paced_ratio)?;
        write!(f, "over the pipe: p50 {:.3}", self.tail_ns.p50 as f64 / self.pipe_ns.p50.max(1) as f64)
    }
}

/// Runs one reading process after the other, so that two readers never share a processor with the writer.
///
/// # Errors
/// When a journal or process can't be made, or ends early.
pub fn run(rate: u64, seconds: f64) -> Result<Report, Error> {
    let count = (rate as f64 * seconds) as u64;
    let (line_ns, [paced_line_ns, tail_ns]) = journal(rate, count)?;
    let line = line_ns.map(|line| line.p50).into_iter().sum::<u64>() as f64 / 2.0;
    Ok(Report {
        rate,
        line_ns,
        paced_line_ns,
        tail_ns,
        pipe_ns: pipe(rate, count)?,
        p50_ratio: tail_ns.p50 as f64 / line,
        p99_ratio: tail_ns.p99 as f64 / line,
        p99_paced_ratio: tail_ns.p99 as f64 / paced_line_ns.p99.max(1) as f64,
    })
}

/// A process that spins on the records of a journal and takes their times.
#[derive(Debug)]
pub struct Spinner(Child);

impl Spinner {
    /// Starts it; it follows from the end of the stream on when this returns.
    ///
    /// # Errors
    /// When it can't be started, or finds no journal.
    pub fn start(dir: &Path) -> Result<Spinner, Error> {
        reader("read-journal", dir).map(Spinner)
    }

    /// Waits for its end, which comes with the close of the journal: times from the stamp at offset 40 of each record to
    /// its hands.
    ///
    /// # Errors
    /// When it died.
    pub fn finish(self) -> Result<Quantiles, Error> {
        result(self.0)
    }
}

fn record() -> [u64; RECORD_BYTES / 8] {
    let mut words = [0; RECORD_BYTES / 8];
    let header: &mut [Header] = bytemuck::cast_slice_mut(&mut words[..HEADER_BYTES / 8]);
    (header[0].length, header[0].rtype) = (RECORD_BYTES as u32, RType::Other as u8);
    words
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

fn result<T: for<'a> Deserialize<'a>>(child: Child) -> Result<T, Error> {
    let output = child.wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn open_line(dir: &Path) -> Result<WriteMap, Error> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(dir.join(LINE_NAME))?;
    file.set_len(LINES_AT as u64 + LINES * LINE_BYTES as u64)?;
    let lines = WriteMap::new(&file)?;
    lines.populate_write(0, lines.len())?;
    Ok(lines)
}

fn line_at(number: u64) -> usize {
    LINES_AT + (number % LINES) as usize * LINE_BYTES
}

/// Takes the times of the stamps that [`journal`] leaves in one line after the other; 1 ends them.
fn receive_lines(lines: &WriteMap) -> Recorder {
    let clock = TickClock::new();
    let mut times = Recorder::new();
    for number in 0.. {
        let stamp = loop {
            match lines.load_u64(line_at(number), Ordering::Acquire) {
                0 => std::hint::spin_loop(),
                stamp => break stamp,
            }
        };
        let now = clock.now();
        lines.store_u64(line_at(number), 0, Ordering::Relaxed);
        if stamp == 1 {
            break;
        }
        times.record(clock.delta_ns(stamp, now));
    }
    times
}

/// Passes the line to and fro; this side begins. The word only grows, odd numbers are this side's.
fn serve_line(line: &WriteMap, first: u64) -> Quantiles {
    let clock = TickClock::new();
    let mut times = Recorder::new();
    for round in first..first + ROUND_TRIPS {
        let begin = clock.now();
        line.store_u64(0, 2 * round + 1, Ordering::Release);
        while line.load_u64(0, Ordering::Acquire) != 2 * round + 2 {
            std::hint::spin_loop();
        }
        times.record(clock.delta_ns(begin, clock.now()));
    }
    times.quantiles()
}

fn return_line(line: &WriteMap, first: u64) {
    for round in first..first + ROUND_TRIPS {
        while line.load_u64(0, Ordering::Acquire) != 2 * round + 1 {
            std::hint::spin_loop();
        }
        line.store_u64(0, 2 * round + 2, Ordering::Release);
    }
}

fn journal(rate: u64, count: u64) -> Result<([Quantiles; 2], [Quantiles; 2]), Error> {
    let folder = crate::scratch()?;
    let mut journal = Journal::open(folder.path(), JournalConfig { raw: None, ..JournalConfig::default() })?;
    journal.ticks.append(&mut record())?;
    journal.ticks.batch_end();
    let line = open_line(folder.path())?;
    let child = reader("read-journal", folder.path())?;
    let before = serve_line(&line, 0);
    let mut number = 0;
    let mut leave = |ticks| {
        line.store_u64(line_at(number), ticks, Ordering::Release);
        number += 1;
        Ok(())
    };
    paced(rate, count, &mut leave)?;
    leave(1)?;
    let mut record = record();
    paced(rate, count, |ticks| {
        record[HEADER_BYTES / 8] = ticks;
        journal.ticks.append(&mut record)?;
        journal.ticks.batch_end();
        Ok(())
    })?;
    journal.close()?;
    let after = serve_line(&line, ROUND_TRIPS);
    Ok(([before, after], result(child)?))
}

fn pipe(rate: u64, count: u64) -> Result<Quantiles, Error> {
    let folder = crate::scratch()?;
    let mut child = reader("read-pipe", folder.path())?;
    let mut pipe = child.stdin.take().ok_or("no input")?;
    let mut record = record();
    paced(rate, count, |ticks| {
        record[HEADER_BYTES / 8] = ticks;
        Ok(pipe.write_all(bytemuck::bytes_of(&record))?)
    })?;
    drop(pipe);
    result(child)
}

/// The reading process: says that it is ready, reads to the end, prints its figures. Where the folder has a line, it is
/// passed to and fro before and after, and gives figures of its own.
///
/// # Errors
/// When the journal can't be read.
pub fn read_journal(dir: &Path) -> Result<(), Error> {
    let clock = TickClock::new();
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::End)?;
    let mut times = Recorder::new();
    let line = if dir.join(LINE_NAME).exists() { Some(open_line(dir)?) } else { None };
    ready()?;
    let lines = line.as_ref().map(|line| {
        return_line(line, 0);
        receive_lines(line)
    });
    loop {
        let polled = tailer.poll(64, |record| {
            let now = clock.now();
            if let Some(&stamp) = record.bytes[HEADER_BYTES..].as_chunks::<8>().0.first() {
                times.record(clock.delta_ns(u64::from_le_bytes(stamp), now));
            }
        })?;
        if polled.records == 0 && matches!(polled.state, TailState::Closed | TailState::Gone) {
            break;
        }
    }
    if let Some(line) = &line {
        return_line(line, ROUND_TRIPS);
    }
    match lines {
        Some(lines) => print(&[lines.quantiles(), times.quantiles()]),
        None => print(&times.quantiles()),
    }
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
    let mut record = record();
    while input.read_exact(bytemuck::bytes_of_mut(&mut record)).is_ok() {
        times.record(clock.delta_ns(record[HEADER_BYTES / 8], clock.now()));
    }
    print(&times.quantiles())
}

fn ready() -> Result<(), Error> {
    print!(" ");
    Ok(std::io::stdout().flush()?)
}

fn print<T: Serialize>(times: &T) -> Result<(), Error> {
    println!("{}", serde_json::to_string(times)?);
    Ok(())
}
