//! The data path between socket and journal as a value: what [`Engine`](super::Engine) runs, without its sockets,
//! threads and sessions, so that it can be driven by a test, a measurement or a socket of one's own.
//!
//! [`Pipeline`] is the fused form: a frame goes from the receive buffer to both streams by calls on one thread. It is
//! the same object that the engine's fused stage polls, so what is measured here is what runs there.
//! [`SplitPipeline`] is the split form with its rings, its parts polled in turn by the thread that owns it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;

use super::commit::{Committer, Inbox, ReadStamp};
use super::ending::{Ending, Gate, Verdict, ticks_bytes_max};
use super::intake::{Intake, Keep, LineNote, Rejected};
use super::parser::Parser;
use super::stages::{FrameProducer, JournalStage, ParserStage, RingSink, frame_words_max};
use super::{EngineError, REJECTED_SLOTS, SECRET_SLOTS, Summary, summary_of};
use crate::clock::{MarketClock, TickClock};
use crate::feed::kis::account::PrivateQueue;
use crate::feed::kis::notices::Notices;
use crate::feed::kis::session::Progress;
use crate::feed::kis::snapshots::Snapshots;
use crate::feed::kis::{Decoder, DecoderConfig};
use crate::journal::{Helper, Journal, JournalConfig, RecoveryReport, StreamWriter};
use crate::metrics::{Collector, ConnectionTraffic, Metrics, MetricsError};
use crate::net::{FrameMeta, FrameSink, LineEvent};
use crate::ring::message_ring;
use crate::secret::Secret;
use crate::stage::Stage;

/// How a pipeline is built.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// The journal it writes; `raw: None` switches stream `raw` off.
    pub journal: JournalConfig,
    /// Most instruments.
    pub instruments_max: usize,
    /// Longest frame, bytes.
    pub message_bytes_max: usize,
    /// Lines counted in the connection table, numbered from 1.
    pub lines: u16,
    /// Market time.
    pub market: MarketClock,
}

impl Default for PipelineConfig {
    /// The journal's defaults, 16,384 instruments, frames of 1 MiB, one line, real time.
    fn default() -> Self {
        PipelineConfig {
            journal: JournalConfig::default(),
            instruments_max: 16_384,
            message_bytes_max: 1 << 20,
            lines: 1,
            market: MarketClock::REAL,
        }
    }
}

/// Frames in, records of both streams out: counted, kept verbatim, decoded, held against cumulative volume, stamped,
/// committed, timed. One thread.
///
/// [`feed`](Self::feed) and [`end_cycle`](Self::end_cycle) allocate nothing for market data, take no lock and make no
/// system call; control messages (answers of the broker) may allocate. A stream that can take no more closes the
/// pipeline ([`is_open`](Self::is_open)); frames fed after that are lost, so ask before.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) intake: Intake,
    pub(super) parser: Parser,
    pub(super) committer: Committer,
}

/// The cold side of a [`Pipeline`]: the journal's helper thread and the metrics. To be kept as long as the pipeline.
#[derive(Debug)]
pub struct Keeper {
    dir: PathBuf,
    helper: Helper,
    metrics: Metrics,
    collector: Collector,
}

/// What the cores are wired to.
pub(super) struct Wiring<'a> {
    pub metrics: &'a Metrics,
    pub collector: &'a mut Collector,
    pub ticks: StreamWriter,
    pub raw: Option<StreamWriter>,
    pub keep: Keep,
    pub recovery: &'a RecoveryReport,
    pub market: MarketClock,
    pub instruments_max: usize,
    pub message_bytes_max: usize,
    pub traffic: Vec<ConnectionTraffic>,
    pub secrets: Vec<Secret>,
    pub new_secrets: Arc<ArrayQueue<Secret>>,
    pub private: Option<Arc<PrivateQueue>>,
    pub notices: Arc<Notices>,
    pub snapshots: Arc<Snapshots>,
    pub inbox: Inbox,
    pub trading_date: Arc<AtomicU32>,
    /// Longest the lines wait for a late segment; `None`: no gates, whoever feeds the pipeline looks out himself.
    pub patience: Option<Duration>,
    pub ending: Arc<Ending>,
}

impl Pipeline {
    /// Opens a journal of its own and builds everything.
    ///
    /// # Errors
    ///
    /// [`EngineError::Journal`], [`EngineError::Metrics`].
    pub fn open(dir: &Path, config: &PipelineConfig) -> Result<(Pipeline, Keeper), EngineError> {
        let Journal { ticks, raw, helper, recovery } = Journal::open(dir, config.journal)
            .map_err(|source| EngineError::Journal { dir: dir.to_owned(), source })?;
        let (metrics, mut collector) = Metrics::create(dir, &[("placement", "a pipeline of its own")])?;
        let mut traffic = Vec::new();
        for line in 1..=config.lines {
            traffic.push(metrics.connection(line, "")?.1);
        }
        let pipeline = Pipeline::build(Wiring {
            metrics: &metrics,
            collector: &mut collector,
            ticks,
            raw,
            keep: Keep::All,
            recovery: &recovery,
            market: config.market,
            instruments_max: config.instruments_max,
            message_bytes_max: config.message_bytes_max,
            traffic,
            secrets: Vec::new(),
            new_secrets: Arc::new(ArrayQueue::new(SECRET_SLOTS)),
            private: None,
            notices: Arc::new(Notices::new(config.lines)),
            snapshots: Arc::new(Snapshots::new(1)),
            inbox: Arc::new(ArrayQueue::new(1)),
            trading_date: Arc::new(AtomicU32::new(config.journal.trading_date)),
            patience: None,
            ending: Arc::new(Ending::new(Arc::default())),
        })?;
        Ok((pipeline, Keeper { dir: dir.to_owned(), helper, metrics, collector }))
    }

    /// The cores of an engine or of [`open`](Self::open).
    pub(super) fn build(wiring: Wiring<'_>) -> Result<Pipeline, MetricsError> {
        let Wiring { metrics, collector, recovery, .. } = wiring;
        let clock = TickClock::new();
        let rejected: Rejected = Arc::new(ArrayQueue::new(REJECTED_SLOTS));
        let gate = |writer: &StreamWriter| match wiring.patience {
            Some(patience) => Gate::new(writer.segment_bytes(), patience),
            None => Gate::open(),
        };
        let has_raw = wiring.keep == Keep::All && wiring.raw.is_some();
        let raw_gate = wiring.raw.as_ref().filter(|_| has_raw).map_or_else(Gate::open, gate);
        let ticks_gate = gate(&wiring.ticks);
        let intake = Intake {
            raw_first_ordinal: wiring.raw.as_ref().map_or(0, StreamWriter::ordinal),
            raw: wiring.raw,
            keep: wiring.keep,
            rejected: Arc::clone(&rejected),
            counters: metrics.counters("reader")?,
            latency: collector.stage_histogram(),
            traffic: wiring.traffic,
            scratch: Vec::with_capacity(wiring.message_bytes_max),
            secrets: wiring.secrets,
            new_secrets: wiring.new_secrets,
            private: wiring.private,
            trading_date: Arc::clone(&wiring.trading_date),
            failure: None,
            gate: raw_gate,
            ending: Arc::clone(&wiring.ending),
        };
        let mut decoder = Decoder::new(DecoderConfig {
            instruments_max: wiring.instruments_max,
            // Unique in the journal: each opening has numbers of its own.
            gap_id_first: recovery.epoch << 32 | 1,
            ..DecoderConfig::default()
        });
        decoder.seed_instruments(&recovery.instruments);
        let parser = Parser {
            decoder,
            counters: metrics.counters("parser")?,
            latency: collector.stage_histogram(),
            clock: clock.clone(),
            market: wiring.market,
            notices: wiring.notices,
            snapshots: wiring.snapshots,
            rejected: (wiring.keep == Keep::Rejected).then_some(rejected),
            mirrored: Default::default(),
        };
        let first_ordinal = wiring.ticks.ordinal();
        let committer = Committer {
            writer: wiring.ticks,
            counters: metrics.counters("journal")?,
            latency: collector.stage_histogram(),
            clock,
            inbox: wiring.inbox,
            trading_date: wiring.trading_date,
            first_ordinal,
            stamp: ReadStamp::Recovered,
            failure: None,
            gate: ticks_gate,
            ending: wiring.ending,
            has_raw,
            left_behind: false,
        };
        Ok(Pipeline { intake, parser, committer })
    }

    /// One frame: verbatim into `raw`, its records into `ticks`. Committed and visible when it returns.
    #[inline]
    pub fn feed(&mut self, meta: &FrameMeta, payload: &[u8]) {
        let (meta, payload) = self.intake.take(meta, payload);
        self.parser.frame(&meta, payload, &mut self.committer);
    }

    /// After each batch of `work` frames, also an empty one: takes in records of cold threads, tells watchers how far
    /// the streams are, answers the metrics thread. Returns the work in all.
    #[inline]
    pub fn end_cycle(&mut self, mut work: usize) -> usize {
        if !self.committer.inbox.is_empty() {
            work += self.committer.drain_inbox();
        }
        if !self.parser.snapshots.is_empty() && self.committer.is_open() {
            work += self.parser.take_snapshots(&mut self.committer);
        }
        self.intake.end_cycle(work);
        self.parser.end_cycle(work);
        self.committer.end_cycle(work);
        work
    }

    /// Whether a frame of so many bytes finds room in both streams.
    #[inline]
    fn verdict(&self, payload: usize) -> Verdict {
        let committer = &self.committer;
        let ticks = committer.gate.verdict(&committer.writer, ticks_bytes_max(payload), &committer.ending);
        self.intake.verdict(payload).max(ticks)
    }

    /// Whether the engine's end was asked for.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.committer.ending.is_requested()
    }

    /// Whether both streams take records.
    pub fn is_open(&self) -> bool {
        self.intake.is_open() && self.committer.is_open()
    }

    /// Ordinals of the segments written now, of both streams in sum: grows by one with each roll.
    pub fn ordinals(&self) -> u64 {
        self.committer.writer.ordinal() + self.intake.raw.as_ref().map_or(0, StreamWriter::ordinal)
    }

    /// Rolls of both streams that had to wait for the helper so far.
    pub fn stalls(&self) -> u64 {
        self.committer.writer.stalls() + self.intake.raw.as_ref().map_or(0, StreamWriter::stalls)
    }

    /// The split form of the same cores: rings of `frame_ring_bytes` and `record_ring_words` between them.
    ///
    /// # Panics
    ///
    /// When the rings can't hold the largest frame, or what it may become.
    pub fn split(self, frame_ring_bytes: usize, record_ring_words: usize, message_bytes_max: usize) -> SplitPipeline {
        let (frames_in, frames_out) = message_ring(frame_ring_bytes, message_bytes_max);
        let (records_in, records_out) = message_ring(record_ring_words, frame_words_max(message_bytes_max));
        SplitPipeline {
            intake: self.intake,
            ring: frames_in,
            pending: Vec::new(),
            parser: ParserStage::new(self.parser, frames_out, records_in, message_bytes_max),
            journal: JournalStage::new(self.committer, records_out),
        }
    }
}

impl FrameSink for Pipeline {
    #[inline]
    fn has_room(&self, len: usize) -> bool {
        if self.committer.gate.is_on() { self.verdict(len) != Verdict::Wait } else { self.is_open() }
    }

    #[inline]
    fn frame(&mut self, meta: &FrameMeta, payload: &[u8]) {
        if self.is_ending() && self.verdict(payload.len()) == Verdict::LeaveOut {
            self.intake.leave_out();
            return self.committer.gate.seal();
        }
        self.feed(meta, payload);
    }

    fn line_event(&mut self, line: u16, event: LineEvent) {
        self.intake.line_event(line, &event);
        if let Some(note) = LineNote::new(line, event) {
            self.parser.line_note(&note, &mut self.committer);
        }
    }
}

/// The split form of a [`Pipeline`]: the same cores with their rings between them. The engine gives each part a thread;
/// here one thread polls them in turn.
#[derive(Debug)]
pub struct SplitPipeline {
    intake: Intake,
    ring: FrameProducer,
    pending: Vec<LineNote>,
    parser: ParserStage,
    journal: JournalStage,
}

impl SplitPipeline {
    /// Takes a frame and pushes it into the first ring; `false`, and nothing taken, when that is full.
    #[inline]
    pub fn feed(&mut self, meta: &FrameMeta, payload: &[u8]) -> bool {
        let mut sink = RingSink { intake: &mut self.intake, ring: &mut self.ring, pending: &mut self.pending };
        let has_room = sink.has_room(payload.len());
        if has_room {
            sink.frame(meta, payload);
        }
        has_room
    }

    /// A cycle of each part; the work in all. 0: both rings are empty.
    pub fn poll(&mut self) -> usize {
        self.intake.end_cycle(1);
        self.parser.poll() + self.journal.poll()
    }

    /// The fused form again. What the rings still hold is lost: poll until there is no work.
    pub fn join(self) -> Pipeline {
        Pipeline { intake: self.intake, parser: self.parser.parser, committer: self.journal.committer }
    }
}

impl Keeper {
    /// A cycle of the metrics thread; each 10 to 50 ms, if the figures are wanted while it runs.
    pub fn poll(&mut self) -> usize {
        self.collector.poll()
    }

    /// Closes both streams in order and says what was counted and timed.
    ///
    /// # Errors
    ///
    /// Why a stream took no more, or could not be closed.
    pub fn close(self, mut pipeline: Pipeline) -> Result<Summary, EngineError> {
        let failed = |stream, failure: Option<_>| match failure {
            Some(source) => Err(EngineError::Append { dir: self.dir.clone(), stream, source }),
            None => Ok(()),
        };
        failed("raw", pipeline.intake.failure.take())?;
        failed("ticks", pipeline.committer.failure.take())?;
        let system = |what| move |source| EngineError::System { what, source };
        let Pipeline { intake, parser, committer } = pipeline;
        intake.mirror_rolls();
        intake.latency.finish();
        parser.latency.finish();
        committer.mirror_rolls();
        committer.latency.finish();
        committer.writer.close().map_err(system("closing stream ticks"))?;
        if let Some(raw) = intake.raw {
            raw.close().map_err(system("closing stream raw"))?;
        }
        self.helper.stop();
        drop(self.metrics);
        let totals = self.collector.finish();
        Ok(summary_of(totals.counters, &totals.latencies, Progress::default()))
    }
}
