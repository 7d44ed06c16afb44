//! What each way of waiting for the next record costs a reader: from the commit to its hands, and of its processor.
//!
//! Records come at a fixed rate from this process; the reader is another one. Each carries the time-stamp counter at the
//! call of the append; the reading process takes the difference, and at its end says how much processor time it used.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hoga::clock::TickClock;
use hoga::journal::{Follower, Journal, JournalConfig, Start, Stream, TailState, Tailer};
use hoga::stage::WaitStrategy;
use hoga::tick::{RType, RecordView, Trade, view, words_of};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::quantiles::{Quantiles, Recorder};

/// What a reading process prints.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Read {
    /// From before the append to the reader's hands.
    pub seen_ns: Quantiles,
    /// Its processor time over the time it ran, 1 = a whole processor.
    pub processor: f64,
}

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Records a second.
    pub rate: u64,
    /// By strategy.
    pub reads: Vec<(String, Read)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records/s of {} bytes to another process", self.rate, size_of::<Trade>())?;
        for (name, read) in &self.reads {
            write!(f, "\n{name:<6} {}  {:>3.0} % of a processor", read.seen_ns, read.processor * 100.0)?;
        }
        Ok(())
    }
}

/// Runs one reading process after the other.
///
/// # Errors
/// When a journal or process can't be made, or ends early.
pub fn run(rate: u64, seconds: f64) -> Result<Report, Error> {
    let count = (rate as f64 * seconds) as u64;
    let strategies = ["spin", "yield", "park"];
    let reads = strategies.into_iter().map(|name| Ok((name.to_owned(), measure(name, rate, count)?)));
    Ok(Report { rate, reads: reads.collect::<Result<_, Error>>()? })
}

fn measure(strategy: &str, rate: u64, count: u64) -> Result<Read, Error> {
    let folder = crate::scratch()?;
    let mut journal = Journal::open(folder.path(), JournalConfig { raw: None, ..JournalConfig::default() })?;
    let mut record = Trade::UNDEF;
    record.header.length = size_of::<Trade>() as u32;
    record.header.rtype = RType::Trade as u8;
    journal.ticks.append(words_of(&mut record))?;
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg("read-waiting").arg(folder.path()).arg(strategy).stdout(Stdio::piped()).spawn()?;
    let mut ready = [0; 1];
    child.stdout.as_mut().ok_or("no output")?.read_exact(&mut ready)?;
    let clock = TickClock::new();
    let began = clock.now();
    for number in 0..count {
        let due = number * 1_000_000_000 / rate.max(1);
        while clock.delta_ns(began, clock.now()) < due {
            std::hint::spin_loop();
        }
        record.cum_qty = clock.now();
        journal.ticks.append(words_of(&mut record))?;
        journal.ticks.batch_end();
    }
    journal.close()?;
    let output = child.wait_with_output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The reading process: says that it is ready, waits for records until the journal is closed, prints its figures.
///
/// # Errors
/// When the journal can't be read.
pub fn read(dir: &Path, strategy: WaitStrategy) -> Result<(), Error> {
    let clock = TickClock::new();
    let mut follower = Follower::new(Tailer::open(dir, Stream::Ticks, Start::End)?, strategy);
    let mut times = Recorder::new();
    let (began, used) = (Instant::now(), processor_time()?);
    print!(" ");
    std::io::stdout().flush()?;
    loop {
        let polled = follower.next_batch(64, None, |record| {
            let now = clock.now();
            if let Some(RecordView::Trade(trade)) = view(record.bytes) {
                times.record(clock.delta_ns(trade.cum_qty, now));
            }
        })?;
        if polled.records == 0 && matches!(polled.state, TailState::Closed | TailState::Gone) {
            break;
        }
    }
    let processor = (processor_time()? - used).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string(&Read { seen_ns: times.quantiles(), processor })?);
    Ok(())
}

/// Processor time of this process by the scheduler's own count.
fn processor_time() -> Result<Duration, Error> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let ns = text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?;
    Ok(Duration::from_nanos(ns))
}
