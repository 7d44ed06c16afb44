//! Behind a socket: an open-loop sender in another process at a fixed rate, each frame carrying the moment at which it
//! was to be sent, and the engine's reader and pipeline on one thread, with the wait strategy asked for, or the idiomatic
//! client, at the other end. On a shared machine a thread that spins is put aside when its time is up and one that
//! sleeps is not: there `park` is the fair opponent of a client that sleeps in `epoll`.
//!
//! Latency counts from the intended moment, whether the sender or the receiver was late: what a stall holds up is in the
//! figures. How late the sender itself was is shown beside them. Ours ends when the record is committed, visible to
//! every process; the baseline's when the line is in its `BufWriter`, visible to nobody yet.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use futures_util::StreamExt as _;
use hoga::clock::{TickClock, wall_ns};
use hoga::engine::pipeline::Pipeline;
use hoga::feed::kis::KisLine;
use hoga::journal::{Start, Stream, Tailer};
use hoga::metrics::Counter;
use hoga::net::{Command as LineCommand, Connection, ConnectionConfig, Reader, ReaderConfig, connect};
use hoga::stage::{Stage, WaitStrategy};
use hoga::tick::{RecordView, view};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Message;

use crate::Error;
use crate::baseline::Client;
use crate::frames::{Wire, stamp, stamp_place};
use crate::pipeline::{pipeline_config, rejects};
use crate::quantiles::{Quantiles, Recorder};

/// From the handshake to the first frame.
const LEAD_NS: u64 = 300_000_000;
/// The sender sleeps until so long before the moment of a frame, then yields.
const SLEEP_MARGIN: Duration = Duration::from_micros(150);
/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Frames that begin each run and are not counted: pages and caches are cold.
const WARM_UP_SECONDS: f64 = 0.3;
/// Largest time in a frame taken for a time.
const STAMP_MIN: u64 = 1_500_000_000_000_000_000;

/// Figures at one rate.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    /// Frames a second intended.
    pub rate: u64,
    /// Ours, from the intended moment to the commit.
    pub hoga_ns: Quantiles,
    /// Ours, from the kernel's receive stamp to the commit.
    pub kernel_to_commit_ns: Quantiles,
    /// The baseline, from the intended moment to the line in its buffer.
    pub baseline_ns: Quantiles,
    /// How late the sender was, under ours and under the baseline.
    pub sender_late_ns: [Quantiles; 2],
}

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// By rate.
    pub rates: Vec<Rate>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rate) in self.rates.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{} frames/s, from the intended send time", rate.rate)?;
            writeln!(f, "  hoga, committed      {}", rate.hoga_ns)?;
            writeln!(f, "  baseline, buffered   {}", rate.baseline_ns)?;
            writeln!(f, "  hoga, kernel→commit  {}", rate.kernel_to_commit_ns)?;
            writeln!(f, "  sender late (hoga)   {}", rate.sender_late_ns[0])?;
            writeln!(f, "  sender late (base)   {}", rate.sender_late_ns[1])?;
            let ratio = |ours: u64, theirs: u64| theirs as f64 / ours.max(1) as f64;
            write!(
                f,
                "  baseline / hoga: p50 {:.2}, p99 {:.2}, p99.9 {:.2}",
                ratio(rate.hoga_ns.p50, rate.baseline_ns.p50),
                ratio(rate.hoga_ns.p99, rate.baseline_ns.p99),
                ratio(rate.hoga_ns.p999, rate.baseline_ns.p999)
            )?;
        }
        Ok(())
    }
}

/// What the sender prints at its end.
#[derive(Debug, Deserialize, Serialize)]
struct Sent {
    late_ns: Quantiles,
}

/// Runs both at each rate.
///
/// # Errors
/// When a process, socket or journal fails, or frames are missing.
pub fn run(rates: &[u64], seconds: f64, wait: WaitStrategy) -> Result<Report, Error> {
    let mut report = Report { rates: Vec::new() };
    for &rate in rates {
        let frames = ((rate as f64 * seconds) as u64).max(1);
        let skip = ((rate as f64 * WARM_UP_SECONDS.min(seconds / 4.0)) as u64).min(frames - 1);
        let (hoga_ns, kernel_to_commit_ns, late) = with_sender(rate, frames, |url| hoga(url, frames, skip, wait))?;
        let (baseline_ns, (), base_late) =
            with_sender(rate, frames, |url| baseline(url, frames, skip).map(|times| (times, ())))?;
        report.rates.push(Rate { rate, hoga_ns, kernel_to_commit_ns, baseline_ns, sender_late_ns: [late, base_late] });
    }
    Ok(report)
}

fn with_sender<A, B>(
    rate: u64,
    frames: u64,
    receive: impl FnOnce(&str) -> Result<(A, B), Error>,
) -> Result<(A, B, Quantiles), Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["send", &rate.to_string(), &frames.to_string()]).stdout(Stdio::piped());
    let mut child: Child = command.spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut port = String::new();
    output.read_line(&mut port)?;
    let received = receive(&format!("ws://127.0.0.1:{}/", port.trim()));
    if received.is_err() {
        // It may wait for a client for ever.
        let _ = child.kill();
    }
    let mut rest = String::new();
    output.read_to_string(&mut rest)?;
    child.wait()?;
    let (first, second) = received?;
    let sent: Sent = serde_json::from_str(rest.trim())?;
    Ok((first, second, sent.late_ns))
}

/// The sending process: takes one client, sends `frames` frames at `rate`, says how late it was.
///
/// # Errors
/// When the socket fails.
pub fn send(rate: u64, frames: u64) -> Result<(), Error> {
    let mut wire = Wire::new(20_261_123, usize::try_from(frames)?, true);
    let mut begin = 0;
    let mut places = Vec::with_capacity(wire.len());
    for &end in &wire.ends {
        places.push(begin + stamp_place(&wire.bytes[begin..end]).ok_or("a frame without room for a stamp")?);
        begin = end;
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let stream: TcpStream = listener.accept()?.0;
    stream.set_nodelay(true)?;
    let mut socket = tungstenite::accept(stream)?;
    let mut late = Recorder::new();
    let start = wall_ns() + LEAD_NS;
    let mut begin = 0;
    for (number, (&end, &place)) in wire.ends.iter().zip(&places).enumerate() {
        let intended = start + number as u64 * 1_000_000_000 / rate;
        stamp(&mut wire.bytes, place, intended);
        let mut now = wall_ns();
        while now < intended {
            match Duration::from_nanos(intended - now).checked_sub(SLEEP_MARGIN) {
                Some(sleep) if !sleep.is_zero() => std::thread::sleep(sleep),
                _ => std::thread::yield_now(),
            }
            now = wall_ns();
        }
        late.record(now - intended);
        socket.get_mut().write_all(&wire.bytes[begin..end])?;
        begin = end;
    }
    // The receiver closes when it has all.
    while socket.read().is_ok() {}
    println!("{}", serde_json::to_string(&Sent { late_ns: late.quantiles() })?);
    Ok(())
}

/// Reader and pipeline as the engine's fused stage has them, until all frames are there or none come.
struct Receiving {
    reader: Reader<KisLine>,
    pipeline: Pipeline,
    frames: u64,
    last: Instant,
    silent: bool,
}

impl Stage for Receiving {
    fn poll(&mut self) -> usize {
        let work = self.reader.poll(&mut self.pipeline);
        let work = self.pipeline.end_cycle(work);
        if work > 0 {
            self.last = Instant::now();
        } else {
            self.silent = self.last.elapsed() > SILENCE_MAX;
        }
        work
    }

    fn is_done(&self) -> bool {
        self.silent || self.reader.is_done() || self.reader.counters().frames >= self.frames
    }

    fn park(&mut self, timeout: Duration) {
        self.reader.park(timeout);
    }
}

fn hoga(url: &str, frames: u64, skip: u64, wait: WaitStrategy) -> Result<(Quantiles, Quantiles), Error> {
    let folder = crate::scratch()?;
    let (pipeline, keeper) = Pipeline::open(folder.path(), &pipeline_config(64))?;
    // As the engine: one that parks asks for events first.
    let direct_reads_max = if wait == WaitStrategy::Park { 0 } else { ReaderConfig::default().direct_reads_max };
    let config = ReaderConfig { direct_reads_max, ..ReaderConfig::default() };
    let reader = Reader::new(config, KisLine, Arc::new(ArrayQueue::new(4)))?;
    let connection = connect(url, &[], Duration::from_secs(10))?;
    let connection = Connection::prepare(connection, &ConnectionConfig::default())?;
    let handle = reader.handle();
    let refused = |_| "the reader takes no commands";
    handle.send(LineCommand::Add { line: 1, connection }).map_err(refused)?;
    let mut receiving = Receiving { reader, pipeline, frames, last: Instant::now(), silent: false };
    hoga::stage::run(&mut receiving, wait, &TickClock::new());
    if receiving.silent {
        return Err(format!("{} frames of {frames} came", receiving.reader.counters().frames).into());
    }
    handle.send(LineCommand::Stop).map_err(refused)?;
    while !receiving.reader.is_done() {
        receiving.poll();
    }
    let pipeline = receiving.pipeline;
    let summary = keeper.close(pipeline)?;
    if summary.get(Counter::FramesReceived) != frames || rejects(&summary) != 0 {
        return Err(format!("{} frames of {frames}", summary.get(Counter::FramesReceived)).into());
    }
    let (mut whole, mut ours, mut seen) = (Recorder::new(), Recorder::new(), 0);
    Tailer::open(folder.path(), Stream::Ticks, Start::Beginning)?.poll(usize::MAX, |record| {
        let (header, market, total) = match view(record.bytes) {
            Some(RecordView::Trade(trade)) => (trade.header, trade.market, trade.total_ask_qty),
            Some(RecordView::Book(book, _)) => (book.header, book.market, book.total_ask_qty),
            _ => return,
        };
        // The first record of a frame carries the time.
        if total >= STAMP_MIN {
            seen += 1;
            if seen > skip {
                whole.record((header.ts_recv + u64::from(market.committed_ns)).saturating_sub(total));
                ours.record(market.committed_ns.into());
            }
        }
    })?;
    if seen != frames {
        Err(format!("{seen} frames of {frames} in the journal").into())
    } else {
        Ok((whole.quantiles(), ours.quantiles()))
    }
}

fn baseline(url: &str, frames: u64, skip: u64) -> Result<Quantiles, Error> {
    let folder = crate::scratch()?;
    let mut client = Client::new(&folder.path().join("records.jsonl"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
        let mut times = Recorder::new();
        let mut seen = 0;
        while seen < frames {
            let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await?;
            if let Some(Message::Text(text)) = message.transpose()? {
                let intended = client.message(text.as_str())?;
                seen += 1;
                if seen > skip {
                    times.record(wall_ns().saturating_sub(intended));
                }
            }
        }
        client.flush()?;
        socket.close(None).await?;
        Ok(times.quantiles())
    })
}
