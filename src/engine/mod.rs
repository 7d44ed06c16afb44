//! The engine: builds the stages, places them on threads, starts and stops them. It alone knows all other modules.
//!
//! ```text
//! socket ─► Intake (stream raw) ─► Parser ─► Committer (stream ticks) ─► any process
//!           └─ reader's thread      └─ parser's     └─ journal's thread     (one thread for all when fused)
//! ```
//!
//! Threads: the hot ones of the [`placement`] plan; the session manager; the metrics thread; the journal's helper, which
//! prepares segments. A clean stop goes with the data: the sockets are closed by the closing handshake, each stage ends
//! when its input is closed and empty, the journal is ended and closed last.

mod commit;
mod intake;
mod parser;
pub mod pipeline;
pub mod placement;
mod stages;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytemuck::Zeroable;
use crossbeam::queue::ArrayQueue;

use self::commit::{Committer, Inbox, ReadStamp};
use self::intake::{Intake, Keep};
use self::parser::{Parser, StampedSink};
use self::pipeline::{Pipeline, Wiring};
use self::placement::{Plan, available_cores, pin, plan};
use self::stages::{Fused, JournalStage, ParserStage, ReaderStage, frame_words_max};
use crate::clock::{MarketClock, TickClock, wall_ns};
use crate::config::{Config, ConfigError};
use crate::feed::RecordSink;
use crate::feed::kis::KisLine;
use crate::feed::kis::session::{Account, Cold, Leave, LineState, Notice, Progress, SessionManager};
use crate::journal::{
    AppendError, Helper, Journal, JournalConfig, LastFrame, OpenError, RawFrame, RecoveryReport, Start, Stream,
    StreamWriter, Tailer,
};
use crate::metrics::{
    Collector, ConnectionState, Counter, CounterValues, EngineState, Latency, LatencySet, LatencySummary, Metrics,
    MetricsError,
};
use crate::net::{Command, ConnectionConfig, FrameMeta, Reader, ReaderConfig};
use crate::ring::message_ring;
use crate::secret::Secret;
use crate::stage::{WaitStrategy, run};
use crate::tick::{
    Clock, Flags, Gap, HEADER_BYTES, Header, MARKET_PREFIX_BYTES, Market, Publisher, RType, RecordView, Session,
    SessionEvent, boxed_record, view, words_of,
};

/// Pause of the metrics thread.
const METRICS_PERIOD: Duration = Duration::from_millis(50);
/// Hour of KST at which a trading day begins: between the end of the night session and the first pre-market.
const TRADING_DAY_BEGINS_HOUR: i8 = 7;
/// Commands that may wait for the reader.
const COMMAND_SLOTS: usize = 4096;
/// Notices that may wait for the session manager.
const NOTICE_SLOTS: usize = 4096;
/// Rejected frames that may wait to be kept when stream `raw` does not keep all.
const REJECTED_SLOTS: usize = 256;
/// Segments of stream `raw` when it keeps rejected frames only.
const REJECTS_SEGMENT_BYTES: u64 = 8 << 20;
/// Segments read back at the start for the cumulative volumes of today: half a GiB, well under a second.
const RESUME_SEGMENTS_MAX: usize = 5;
/// Approval keys that may wait to be known to the reader's thread; beyond, the oldest is forgotten.
const SECRET_SLOTS: usize = 1024;

/// Why an engine can't start or had to stop; says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal can't be opened.
    #[error("journal {dir}: {source}")]
    Journal {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The journal takes no more records.
    #[error("journal {dir}, stream {stream}: {source}")]
    Append {
        /// Its folder.
        dir: PathBuf,
        /// Which stream.
        stream: &'static str,
        /// Why.
        source: AppendError,
    },
    /// The metrics file can't be made.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The system refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// A thread died by a fault of ours; what was committed is in the journal.
    #[error("the {0} thread died by a fault of the program; the journal holds what was committed before")]
    ThreadDied(&'static str),
}

/// What is not in the configuration file.
#[derive(Debug)]
pub struct Options {
    /// Market time; [`MarketClock::REAL`] in production.
    pub market: MarketClock,
    /// When the engine ends by itself.
    pub leave: Leave,
}

impl Default for Options {
    fn default() -> Self {
        Options { market: MarketClock::REAL, leave: Leave::WhenStopped }
    }
}

/// Figures of a run; exact once the engine has ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Counters of all threads.
    pub counters: CounterValues,
    /// Latency distributions, in the order of [`Latency::ALL`].
    pub latency: [(Latency, LatencySummary); 4],
    /// Of the records journaled, those decoded again from stream `raw` when the journal was opened.
    pub recovered_records: u64,
    /// What the session manager came to; all zero while it runs.
    pub sessions: Progress,
}

/// A running engine. Dropping it stops it.
#[derive(Debug)]
pub struct Engine {
    dir: PathBuf,
    plan: Plan,
    recovery: RecoveryReport,
    recovered_records: u64,
    stop: Arc<AtomicBool>,
    hot: Vec<JoinHandle<Ended>>,
    manager: Option<JoinHandle<Progress>>,
    metrics: Metrics,
    metrics_thread: Option<JoinHandle<Collector>>,
    metrics_stop: Arc<AtomicBool>,
    helper: Option<Helper>,
    live: Arc<ArrayQueue<LatencySet>>,
    latencies: LatencySet,
}

/// What a hot thread gives back when it ends.
enum Ended {
    Reader(Intake),
    Parser,
    Journal(Committer),
    All(Box<Fused>),
}

impl Engine {
    /// Opens the journal, decodes again what a dead writer left behind, and starts every thread.
    pub fn start(config: &Config, options: Options) -> Result<Engine, EngineError> {
        config.check()?;
        let mut accounts = Vec::new();
        for account in &config.kis.account {
            accounts.push(Account { name: account.name.clone(), credentials: account.credentials()? });
        }
        Self::start_with(config, accounts, options)
    }

    /// The same with credentials at hand (a simulated venue's).
    pub fn start_with(config: &Config, accounts: Vec<Account>, options: Options) -> Result<Engine, EngineError> {
        let dir = config.journal.dir.clone();
        let Journal { ticks, raw, helper, mut recovery } = Journal::open(&dir, journal_config(config, &options.market))
            .map_err(|source| EngineError::Journal { dir: dir.clone(), source })?;
        let placement = plan(&config.engine, available_cores());
        let system = |what| move |source| EngineError::System { what, source };

        let wait = format!("{:?}", config.engine.wait).to_lowercase();
        let (metrics, mut collector) =
            Metrics::create(&dir, &[("placement", &placement.text), ("wait_strategy", &wait)])?;
        let notices: Arc<ArrayQueue<Notice>> = Arc::new(ArrayQueue::new(NOTICE_SLOTS));
        let secrets = Arc::new(ArrayQueue::new(SECRET_SLOTS));
        let inbox: Inbox = Arc::new(ArrayQueue::new(config.engine.inbox_slots));
        let mut statuses = Vec::new();
        let mut traffic = Vec::new();
        let date = Arc::new(AtomicU32::new(trading_date(options.market.market_ns(wall_ns()))));
        let label = config.kis.ws_url.trim_start_matches("ws://").to_owned();
        for line in 1..=accounts.len() as u16 {
            let (status, received) = metrics.connection(line, &label)?;
            statuses.push(status);
            traffic.push(received);
        }
        let keep = if config.journal.raw { Keep::All } else { Keep::Rejected };
        let message_bytes_max = config.engine.max_message_kib as usize * 1024;
        let Pipeline { intake, mut parser, mut committer } = Pipeline::build(Wiring {
            metrics: &metrics,
            collector: &mut collector,
            ticks,
            raw,
            keep,
            recovery: &recovery,
            market: options.market,
            instruments_max: config.engine.max_instruments as usize,
            message_bytes_max,
            traffic,
            secrets: accounts.iter().flat_map(secrets_of).collect(),
            new_secrets: Arc::clone(&secrets),
            notices: Arc::clone(&notices),
            inbox: Arc::clone(&inbox),
            trading_date: Arc::clone(&date),
        })?;
        let said = resume_continuity(&dir, date.load(Ordering::Relaxed), &mut parser);
        // The clock by which dates are inferred comes first.
        committer.record(&mut boxed_record(clock_record(&options.market), RType::Clock));
        recover(&mut recovery, &said, &mut parser, &mut committer);
        let recovered_records = committer.counters.get(Counter::RecordsJournaled);

        let cold = Cold { inbox, counters: metrics.counters("session")? };
        let commands = Arc::new(ArrayQueue::new(COMMAND_SLOTS));
        let reader =
            Reader::new(reader_config(config), KisLine, commands).map_err(system("event queue of the reader"))?;
        let handle = reader.handle();
        // From here on hot threads run: who gives up now tells them.
        let closing = handle.clone();
        let unstarted = |what| {
            move |source| {
                let _ = closing.send(Command::Stop);
                EngineError::System { what, source }
            }
        };
        let wait = config.engine.wait;
        let hot = if placement.split {
            let frame_ring_bytes = config.engine.frame_ring_mib as usize * 1024 * 1024;
            let record_ring_words = config.engine.record_ring_mib as usize * 1024 * 1024 / 8;
            let (frames_in, frames_out) = message_ring(frame_ring_bytes, message_bytes_max);
            let (records_in, records_out) = message_ring(record_ring_words, frame_words_max(message_bytes_max));
            vec![
                spawn_hot(
                    "hoga-reader",
                    placement.cores[0],
                    wait,
                    ReaderStage::new(reader, intake, frames_in),
                    |stage| Ended::Reader(stage.intake),
                ),
                spawn_hot(
                    "hoga-parser",
                    placement.cores[1],
                    wait,
                    ParserStage::new(parser, frames_out, records_in, message_bytes_max),
                    |_| Ended::Parser,
                ),
                spawn_hot(
                    "hoga-journal",
                    placement.cores[2],
                    wait,
                    JournalStage::new(committer, records_out),
                    |stage| Ended::Journal(stage.committer),
                ),
            ]
        } else {
            let fused = Fused::new(reader, Pipeline { intake, parser, committer });
            vec![spawn_hot("hoga-fused", placement.cores[0], wait, fused, |stage| Ended::All(Box::new(stage)))]
        };
        let hot: Vec<JoinHandle<Ended>> = hot.into_iter().collect::<Result<_, _>>().map_err(system("a hot thread"))?;

        let stop = Arc::new(AtomicBool::new(false));
        let observer = Box::new(move |line: u16, state: LineState, wanted: usize, confirmed: usize| {
            if let Some(status) = statuses.get(usize::from(line) - 1) {
                status.set_state(connection_state(state), wall_ns());
                status.set_registrations(wanted as u64, confirmed as u64);
            }
        });
        let manager = SessionManager::new(
            &config.kis,
            accounts,
            ConnectionConfig { message_bytes_max, ..ConnectionConfig::default() },
            options.leave,
            handle,
            notices,
            secrets,
            cold,
            observer,
        );
        let manager_stop = Arc::clone(&stop);
        let manager = spawn("hoga-session", move || manager.run(&manager_stop))
            .map_err(unstarted.clone()("the session thread"))?;
        let metrics_stop = Arc::new(AtomicBool::new(false));
        let live = Arc::new(ArrayQueue::new(1));
        let (thread_stop, thread_live) = (Arc::clone(&metrics_stop), Arc::clone(&live));
        let market = options.market;
        metrics.set_state(EngineState::Running);
        let thread = spawn("hoga-metrics", move || {
            // Relaxed: a flag alone; the hot threads have handed over their figures before it is set.
            while !thread_stop.load(Ordering::Relaxed) {
                collector.poll();
                date.store(trading_date(market.market_ns(wall_ns())), Ordering::Relaxed);
                thread_live.force_push(collector.latencies().clone());
                std::thread::sleep(METRICS_PERIOD);
            }
            collector
        })
        .map_err(unstarted("the metrics thread"))?;
        Ok(Engine {
            dir,
            plan: placement,
            recovery,
            recovered_records,
            stop,
            hot,
            manager: Some(manager),
            metrics,
            metrics_thread: Some(thread),
            metrics_stop,
            helper: Some(helper),
            live,
            latencies: LatencySet::new(),
        })
    }

    /// Where the stages run, for people.
    pub fn placement(&self) -> &str {
        &self.plan.text
    }

    /// What opening the journal found.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// The journal's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins a clean stop; [`join`](Self::join) waits for its end.
    pub fn stop(&self) {
        // Relaxed: a flag alone.
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the hot threads have ended, by a stop, the venue's leaving or a failure.
    pub fn is_finished(&self) -> bool {
        self.hot.iter().all(JoinHandle::is_finished)
    }

    /// The newest figures; latencies at most a few hundred milliseconds old.
    pub fn summary(&mut self) -> Summary {
        if let Some(latencies) = self.live.pop() {
            self.latencies = latencies;
        }
        let summary = summary_of(self.metrics.counter_values(), &self.latencies, Progress::default());
        Summary { recovered_records: self.recovered_records, ..summary }
    }

    /// Waits until all data is in the journal and the journal is closed; then every figure is exact.
    pub fn join(mut self) -> Result<Summary, EngineError> {
        self.end()
    }

    fn end(&mut self) -> Result<Summary, EngineError> {
        let mut failure = None;
        let mut intake = None;
        let mut committer = None;
        for thread in std::mem::take(&mut self.hot) {
            match thread.join() {
                Ok(Ended::Reader(ended)) => intake = Some(ended),
                Ok(Ended::Parser) => {}
                Ok(Ended::Journal(ended)) => committer = Some(ended),
                Ok(Ended::All(fused)) => {
                    intake = Some(fused.pipeline.intake);
                    committer = Some(fused.pipeline.committer);
                }
                Err(_) => failure = failure.or(Some(EngineError::ThreadDied("hot"))),
            }
        }
        self.stop();
        let sessions = match self.manager.take().map(JoinHandle::join) {
            Some(Ok(progress)) => progress,
            _ => {
                failure = failure.or(Some(EngineError::ThreadDied("session")));
                Progress::default()
            }
        };
        if let Some(mut committer) = committer {
            while committer.drain_inbox() > 0 {}
            failure = failure.or(committer.failure.take().map(|source| self.append_error("ticks", source)));
            committer.mirror_rolls();
            committer.latency.finish();
            // After a failure the stream is left as a dead writer leaves it: what is in `raw` and did not get here is
            // decoded when the journal is opened again. A closed stream would say that nothing is missing.
            if failure.is_none()
                && let Err(source) = committer.writer.close()
            {
                failure = Some(EngineError::System { what: "closing stream ticks", source });
            }
        }
        if let Some(mut intake) = intake {
            intake.keep_rejected();
            failure = failure.or(intake.failure.take().map(|source| self.append_error("raw", source)));
            if let Some(Err(source)) = intake.raw.map(StreamWriter::close) {
                failure = failure.or(Some(EngineError::System { what: "closing stream raw", source }));
            }
        }
        if let Some(helper) = self.helper.take() {
            helper.stop();
        }
        // Relaxed: the joins above order everything before it.
        self.metrics_stop.store(true, Ordering::Relaxed);
        let summary = match self.metrics_thread.take().map(JoinHandle::join) {
            Some(Ok(collector)) => {
                let totals = collector.finish();
                let summary = summary_of(totals.counters, &totals.latencies, sessions);
                Some(Summary { recovered_records: self.recovered_records, ..summary })
            }
            _ => None,
        };
        match (failure, summary) {
            (Some(failure), _) => Err(failure),
            (None, Some(summary)) => Ok(summary),
            (None, None) => Err(EngineError::ThreadDied("metrics")),
        }
    }

    fn append_error(&self, stream: &'static str, source: AppendError) -> EngineError {
        EngineError::Append { dir: self.dir.clone(), stream, source }
    }
}

impl Drop for Engine {
    /// A clean stop, as by [`stop`](Engine::stop) and [`join`](Engine::join), unless it has ended already.
    fn drop(&mut self) {
        if !self.hot.is_empty() {
            self.stop();
            // Nobody is left to be told; the journal says how it ended.
            let _ = self.end();
        }
    }
}

/// Tells the decoder where the cumulative volumes of today stood, so that what was traded while no engine ran is a gap.
///
/// Instruments that did not trade in the newest segments begin anew: opening must not take long while the market goes on.
///
/// Returns the changes of schema that were said today: transaction and width.
fn resume_continuity(dir: &Path, date: u32, parser: &mut Parser) -> Vec<(u16, u64)> {
    let mut said = Vec::new();
    let start = Start::Day { date, segments_max: RESUME_SEGMENTS_MAX };
    let resumed = Tailer::open(dir, Stream::Ticks, start).and_then(|mut tailer| {
        tailer.poll(usize::MAX, |record| {
            let rtype = record.header().rtype;
            if rtype != RType::Trade as u8 && rtype != RType::Session as u8 {
                return;
            }
            match view(record.bytes) {
                Some(RecordView::Trade(trade)) => parser.decoder.resume(&trade),
                Some(RecordView::Session(session)) => said.extend(schema_change(&session)),
                _ => {}
            }
        })
    });
    if let Err(error) = resumed {
        tracing::warn!(%error, "continuity starts anew: today's records could not be read");
    }
    parser.decoder.connection_lost();
    said
}

/// Transaction and width of a change of schema.
fn schema_change(session: &Session) -> Option<(u16, u64)> {
    (session.event == SessionEvent::SchemaChanged as u8).then_some((session.tr, session.value))
}

/// Decodes raw frames past the last committed tick again. Of a frame whose records were half committed only the missing
/// ones are appended. `said`: changes of schema that are in the journal.
///
/// That frame's trades are held against cumulative volume once more from the first, so the base is its last present trade
/// again when the first missing one comes.
fn recover(recovery: &mut RecoveryReport, said: &[(u16, u64)], parser: &mut Parser, committer: &mut Committer) {
    let last = recovery.last_frame;
    for RawFrame { prefix, payload } in std::mem::take(&mut recovery.raw_frames) {
        let meta = FrameMeta {
            ts_recv: prefix.header.ts_recv,
            recv_window_ns: prefix.recv_window_ns,
            read_ns: prefix.read_ns,
            read_ticks: 0,
            line: prefix.header.line,
            flags: prefix.header.flags & Flags::RECV_TS_USER,
            raw_sequence: prefix.header.sequence,
            opcode: prefix.opcode,
        };
        let is_last = last.is_partial() && prefix.header.sequence == last.raw_sequence;
        let last = if is_last { last } else { LastFrame::default() };
        let mut missing = Missing {
            committer,
            present: last.records_present,
            rejects: last.rejects_present,
            is_gap_pending: last.is_gap_pending,
            said,
            gap: None,
            gaps_present: (0, 0),
        };
        parser.recovered_frame(&meta, &payload, &mut missing);
        missing.end_gap(false);
        // An earlier run counted them.
        parser.mirrored.gaps += missing.gaps_present.0;
        parser.mirrored.gap_qty = parser.mirrored.gap_qty.saturating_add(missing.gaps_present.1);
    }
    committer.end_cycle(1);
}

/// Passes on the records of a frame but those that are in the journal already.
struct Missing<'a> {
    committer: &'a mut Committer,
    /// Market records present: those with a lower place.
    present: u16,
    /// Rejects present: the first.
    rejects: u16,
    /// Whether the gap before the first missing market record is present.
    is_gap_pending: bool,
    /// Changes of schema present.
    said: &'a [(u16, u64)],
    /// A gap whose trade comes next and tells whether it is present: it doesn't tell its place itself.
    gap: Option<Gap>,
    /// Gaps that were present, and what is missing by them.
    gaps_present: (u64, u64),
}

impl Missing<'_> {
    /// Passes on the gap that waits, unless it is present.
    fn end_gap(&mut self, is_present: bool) {
        let Some(mut gap) = self.gap.take() else { return };
        if is_present {
            self.gaps_present.0 += 1;
            self.gaps_present.1 = self.gaps_present.1.saturating_add(gap.missing_qty);
        } else {
            self.committer.record(words_of(&mut gap));
        }
    }

    /// Whether a record is in the journal already; a gap waits for its trade.
    fn is_held(&mut self, words: &[u64]) -> bool {
        match view(bytemuck::cast_slice(words)) {
            Some(RecordView::Gap(gap)) => {
                self.gap = Some(gap.into_owned());
                true
            }
            Some(RecordView::Session(session)) => {
                schema_change(&session).is_some_and(|change| self.said.contains(&change))
            }
            _ => self.is_present(words),
        }
    }

    fn is_present(&mut self, words: &[u64]) -> bool {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
        let is_market = RType::from_number(header.rtype).is_some_and(RType::is_market);
        if !is_market {
            let is_present = header.rtype == RType::Reject as u8 && self.rejects > 0;
            self.rejects -= u16::from(is_present);
            return is_present;
        }
        let market: Market = bytemuck::pod_read_unaligned(&bytes[HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES]);
        let is_present = market.frame_index < self.present;
        let is_gap_present = is_present || self.is_gap_pending;
        self.is_gap_pending &= is_present;
        self.end_gap(is_gap_present);
        is_present
    }
}

impl RecordSink for Missing<'_> {
    fn record(&mut self, words: &mut [u64]) {
        if !self.is_held(words) {
            self.committer.record(words);
        }
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        if !self.is_present(prefix) {
            self.committer.record_with_tail(prefix, tail);
        }
    }
}

impl StampedSink for Missing<'_> {
    fn begin_frame(&mut self, stamp: ReadStamp) {
        self.committer.begin_frame(stamp);
    }
}

fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

fn spawn_hot<S: crate::stage::Stage + Send + 'static>(
    name: &'static str,
    core: Option<usize>,
    wait: WaitStrategy,
    mut stage: S,
    end: impl FnOnce(S) -> Ended + Send + 'static,
) -> std::io::Result<JoinHandle<Ended>> {
    spawn(name, move || {
        pin(core, name);
        run(&mut stage, wait, &TickClock::new());
        end(stage)
    })
}

fn journal_config(config: &Config, market: &MarketClock) -> JournalConfig {
    let segment_bytes = u64::from(config.journal.segment_mib) << 20;
    let sized = JournalConfig::with_segment_bytes(segment_bytes);
    let rejects = {
        let message_bytes_max = u64::from(config.engine.max_message_kib) << 10;
        JournalConfig::with_segment_bytes(
            segment_bytes.min(REJECTS_SEGMENT_BYTES.max((message_bytes_max * 2 + 65_536).next_multiple_of(4096))),
        )
    };
    JournalConfig {
        raw: if config.journal.raw { sized.raw } else { rejects.raw },
        trading_date: trading_date(market.market_ns(wall_ns())),
        instruments_max: config.engine.max_instruments as usize,
        durability: config.journal.durability,
        ..sized
    }
}

/// The trading date of a market time, decimal YYYYMMDD: the KST date, a day beginning at 07:00.
fn trading_date(market_ns: u64) -> u32 {
    let Ok(stamp) = jiff::Timestamp::from_nanosecond(i128::from(market_ns)) else { return 0 };
    let shifted = jiff::tz::offset(9 - TRADING_DAY_BEGINS_HOUR).to_datetime(stamp);
    shifted.year() as u32 * 10_000 + shifted.month() as u32 * 100 + shifted.day() as u32
}

fn reader_config(config: &Config) -> ReaderConfig {
    // Asking for events first lets a parked thread sleep; a spinning one reads a few sockets straight away.
    let direct_reads_max =
        if config.engine.wait == WaitStrategy::Park { 0 } else { ReaderConfig::default().direct_reads_max };
    ReaderConfig { direct_reads_max, ..ReaderConfig::default() }
}

fn secrets_of(account: &Account) -> [Secret; 2] {
    [account.credentials.app_key.clone(), account.credentials.app_secret.clone()]
}

fn connection_state(state: LineState) -> ConnectionState {
    match state {
        LineState::Backoff => ConnectionState::BackingOff,
        LineState::Connecting => ConnectionState::Connecting,
        LineState::Subscribing | LineState::Live => ConnectionState::Live,
        LineState::Closed => ConnectionState::Closed,
    }
}

fn clock_record(market: &MarketClock) -> Clock {
    let now = wall_ns();
    Clock {
        header: Header { ts_recv: now, publisher: Publisher::Hoga as u16, ..Header::zeroed() },
        offset_ns: 0,
        error_ns: u64::MAX,
        anchor_wall_ns: now,
        anchor_market_ns: market.market_ns(now),
        scale_ppb: market.scale_ppb(),
        source: 0,
        reserved: [0; 7],
    }
}

fn summary_of(counters: CounterValues, latencies: &LatencySet, sessions: Progress) -> Summary {
    let latency = Latency::ALL.map(|latency| (latency, latencies.summary(latency)));
    Summary { counters, latency, recovered_records: 0, sessions }
}

impl Summary {
    /// A counter's figure.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }
}
