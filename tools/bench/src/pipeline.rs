//! Flat out over bytes in memory: the engine's one-thread pipeline with everything on, beside the idiomatic client.
//!
//! Goal: at least three times the baseline's frames a second, on one thread, in the same run, with stream `raw`, both
//! checksums, continuity and the four histograms on, and segment rolls inside. Method: the same WebSocket frames in
//! memory stand for the socket; both are given a read at a time (64 KiB) and run alternately, and the medians count. A
//! second pass gives one frame a read and times each from the read to the committed record. Not goals: the kernel.
//!
//! The journal's helper and the metrics thread run beside ours as in the engine; the baseline has no other thread.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hoga::clock::{TickClock, wall_ns};
use hoga::engine::Summary;
use hoga::engine::pipeline::{Pipeline, PipelineConfig};
use hoga::journal::{JournalConfig, StreamConfig};
use hoga::metrics::{Counter, Latency};
use hoga::net::FrameMeta;
use hoga::net::frames::{Event, FrameBuffer};
use hoga::tick::RejectReason;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::Error;
use crate::baseline::Client;
use crate::frames::Wire;
use crate::quantiles::{Quantiles, Recorder, median};

/// Most bytes of a read, for both.
const READ_BYTES: usize = 64 << 10;

/// Bytes ahead of the writers kept present.
const TOUCH_AHEAD_BYTES: u64 = 16 << 20;

/// Sizes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Frames of a round.
    pub frames: usize,
    /// Rounds of each, alternately.
    pub rounds: usize,
    /// Seed of the market.
    pub seed: u64,
    /// MiB of a segment.
    pub segment_mib: u64,
}

/// One client over the whole wire.
#[derive(Clone, Copy, Debug)]
struct Round {
    elapsed: Duration,
    records: u64,
    times: Quantiles,
    rolls: u64,
    stalls: u64,
}

/// What a run gives.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Frames of a round.
    pub frames: usize,
    /// Records of a round.
    pub records: u64,
    /// Mean bytes of a payload.
    pub payload_bytes_mean: f64,
    /// Rolls of both streams in a round of ours.
    pub rolls: u64,
    /// Of those, how many had to wait for the helper.
    pub stalls: u64,
    /// Frames a second of ours, a round each.
    pub hoga_fps: Vec<f64>,
    /// Frames a second of the baseline, a round each.
    pub baseline_fps: Vec<f64>,
    /// Median of ours over median of the baseline.
    pub ratio: f64,
    /// From read to committed record, one frame a read, ours.
    pub hoga_ns: Quantiles,
    /// From read to written record, one frame a read, the baseline.
    pub baseline_ns: Quantiles,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ours, theirs) = (median(self.hoga_fps.iter().copied()), median(self.baseline_fps.iter().copied()));
        writeln!(
            f,
            "{} frames, {} records, {:.0} bytes a payload; {} rounds each; {} rolls, {} waited",
            self.frames,
            self.records,
            self.payload_bytes_mean,
            self.hoga_fps.len(),
            self.rolls,
            self.stalls
        )?;
        writeln!(f, "hoga      {ours:>12.0} frames/s   {}", self.hoga_ns)?;
        writeln!(f, "baseline  {theirs:>12.0} frames/s   {}", self.baseline_ns)?;
        write!(f, "ratio {:.2} (goal 3)", self.ratio)
    }
}

/// Runs both.
///
/// # Errors
/// When a journal or file can't be made or written, or records are missing.
pub fn run(parameters: Parameters) -> Result<Report, Error> {
    let wire = Wire::new(parameters.seed, parameters.frames, false);
    let sample = Wire::new(parameters.seed, parameters.frames / 4, false);
    let mut report = Report {
        frames: wire.len(),
        records: wire.records,
        payload_bytes_mean: wire.payload_bytes_mean(),
        rolls: 0,
        stalls: 0,
        hoga_fps: Vec::new(),
        baseline_fps: Vec::new(),
        ratio: 0.0,
        hoga_ns: Quantiles::default(),
        baseline_ns: Quantiles::default(),
    };
    let fps = |round: &Round| wire.len() as f64 / round.elapsed.as_secs_f64();
    for _ in 0..parameters.rounds {
        let theirs = baseline(&wire, false)?;
        let ours = hoga(&wire, parameters.segment_mib, false)?;
        for (name, records) in [("hoga", ours.records), ("baseline", theirs.records)] {
            if records != wire.records {
                return Err(format!("{name}: {records} records of {}", wire.records).into());
            }
        }
        (report.rolls, report.stalls) = (ours.rolls, ours.stalls);
        report.hoga_fps.push(fps(&ours));
        report.baseline_fps.push(fps(&theirs));
    }
    report.baseline_ns = baseline(&sample, true)?.times;
    report.hoga_ns = hoga(&sample, parameters.segment_mib, true)?.times;
    report.ratio = median(report.hoga_fps.iter().copied()) / median(report.baseline_fps.iter().copied());
    Ok(report)
}

/// Bytes of the next read: all there is room for, or up to the end of the next frame.
fn next_read(wire: &Wire, at: usize, frame: &mut usize, room: usize, single: bool) -> usize {
    if !single {
        return room.min(READ_BYTES).min(wire.bytes.len() - at);
    }
    let end = wire.ends[*frame];
    let len = room.min(end - at);
    *frame += usize::from(at + len == end);
    len
}

/// The configuration of a measured pipeline.
#[must_use]
pub fn pipeline_config(segment_mib: u64) -> PipelineConfig {
    // Flat out a stream grows by a gigabyte in two seconds: more pages ahead than everyday traffic needs.
    let stream = StreamConfig { segment_bytes: segment_mib << 20, touch_ahead_bytes: TOUCH_AHEAD_BYTES };
    let journal = JournalConfig { ticks: stream, raw: Some(stream), ..JournalConfig::default() };
    PipelineConfig { journal, ..PipelineConfig::default() }
}

fn hoga(wire: &Wire, segment_mib: u64, single: bool) -> Result<Round, Error> {
    let folder = crate::scratch()?;
    let (mut pipeline, mut keeper) = Pipeline::open(folder.path(), &pipeline_config(segment_mib))?;
    let first = pipeline.ordinals();
    let clock = TickClock::new();
    let mut buffer = FrameBuffer::new(1 << 20, READ_BYTES);
    let mut times = Recorder::new();
    let stop = AtomicBool::new(false);
    let (elapsed, keeper) = std::thread::scope(|scope| {
        let metrics = scope.spawn(|| {
            // Relaxed: a flag alone.
            while !stop.load(Ordering::Relaxed) {
                keeper.poll();
                std::thread::sleep(Duration::from_millis(20));
            }
            keeper
        });
        let began = Instant::now();
        let (mut at, mut frame) = (0, 0);
        while at < wire.bytes.len() {
            let begin = clock.now();
            let space = buffer.space();
            let len = next_read(wire, at, &mut frame, space.len(), single);
            space[..len].copy_from_slice(&wire.bytes[at..at + len]);
            buffer.fill(len);
            at += len;
            let meta = FrameMeta {
                ts_recv: wall_ns(),
                recv_window_ns: 0,
                read_ns: 1_000,
                read_ticks: clock.now(),
                line: 1,
                flags: 0,
                raw_sequence: 0,
                opcode: 1,
            };
            let mut work = 0;
            while let Ok(Some(event)) = buffer.next() {
                if let Event::Message { payload, .. } = event {
                    pipeline.feed(&meta, payload);
                    work += 1;
                }
            }
            pipeline.end_cycle(work);
            if single {
                times.record(clock.delta_ns(begin, clock.now()));
            }
        }
        let elapsed = began.elapsed();
        stop.store(true, Ordering::Relaxed);
        (elapsed, metrics.join())
    });
    let keeper = keeper.map_err(|_| "the metrics thread died")?;
    let (rolls, stalls) = (pipeline.ordinals() - first, pipeline.stalls());
    let summary = keeper.close(pipeline)?;
    check(&summary, wire)?;
    let records = summary.get(Counter::RecordsJournaled);
    Ok(Round { elapsed, records, times: times.quantiles(), rolls, stalls })
}

/// Frames and records that could not be read.
pub(crate) fn rejects(summary: &Summary) -> u64 {
    RejectReason::ALL.iter().map(|reason| summary.counters.rejects(*reason)).sum()
}

/// Nothing may have been lost, rejected or taken for a gap: else something else than the usual path was measured.
fn check(summary: &Summary, wire: &Wire) -> Result<(), Error> {
    let odd = [
        rejects(summary) != 0,
        summary.get(Counter::Gaps) != 0,
        summary.get(Counter::RawJournaled) != wire.len() as u64,
        summary.latency.iter().any(|(latency, seen)| *latency != Latency::KernelToRead && seen.count != wire.records),
    ];
    if odd.contains(&true) { Err(format!("not the usual path: {odd:?}").into()) } else { Ok(()) }
}

/// The wire as a socket that is always ready.
struct Memory<'a> {
    wire: &'a Wire,
    at: usize,
    frame: usize,
    single: bool,
    clock: TickClock,
    /// When the last read began.
    read: Rc<Cell<u64>>,
}

impl AsyncRead for Memory<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.single {
            this.read.set(this.clock.now());
        }
        if this.at < this.wire.bytes.len() {
            let len = next_read(this.wire, this.at, &mut this.frame, into.remaining(), this.single);
            into.put_slice(&this.wire.bytes[this.at..this.at + len]);
            this.at += len;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn baseline(wire: &Wire, single: bool) -> Result<Round, Error> {
    let folder = crate::scratch()?;
    let mut client = Client::new(&folder.path().join("records.jsonl"))?;
    let clock = TickClock::new();
    let read = Rc::new(Cell::new(0));
    let memory = Memory { wire, at: 0, frame: 0, single, clock: clock.clone(), read: Rc::clone(&read) };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut times = Recorder::new();
    let elapsed = runtime.block_on(async {
        let mut socket = WebSocketStream::from_raw_socket(memory, Role::Client, None).await;
        let began = Instant::now();
        for _ in 0..wire.len() {
            if let Some(Message::Text(text)) = socket.next().await.transpose()? {
                client.message(text.as_str())?;
            }
            if single {
                times.record(clock.delta_ns(read.get(), clock.now()));
            }
        }
        client.flush()?;
        Ok::<Duration, Error>(began.elapsed())
    })?;
    Ok(Round { elapsed, records: client.records, times: times.quantiles(), rolls: 0, stalls: 0 })
}
