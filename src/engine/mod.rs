//! The engine: builds the stages, places them on threads, starts and stops them. It alone knows all other modules.
//!
//! ```text
//! socket ─► Intake (stream raw) ─► Parser ─► Committer (stream ticks) ─► any process
//!           └─ reader's thread      └─ parser's     └─ journal's thread     (one thread for all when fused)
//! ```
//!
//! Threads: the hot ones of the [`placement`] plan; the session manager; the metrics thread; the journal's helper, which
//! prepares segments. A clean stop goes with the data: the sockets are closed by the closing handshake, each stage ends
//! when its input is closed and empty, the journal is ended and closed last. So it ends, too, when the disk gives no more
//! room ([`Stop`]): before the last bytes are gone, with the reason as the last record.

mod commit;
mod disk;
mod ending;
mod error;
mod intake;
mod maintenance;
mod parser;
pub mod pipeline;
pub mod placement;
pub mod redecode;
mod reload;
mod resume;
mod setup;
mod stages;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Sender, unbounded};
use crossbeam::queue::ArrayQueue;

use self::commit::{Committer, Inbox};
use self::disk::DiskWatch;
use self::ending::Ending;
pub use self::ending::Stop;
pub use self::error::EngineError;
use self::intake::{Intake, Keep};
use self::maintenance::Maintenance;
use self::pipeline::{Pipeline, Wiring};
use self::placement::{Plan, available_cores, pin, plan};
pub use self::reload::ReloadError;
use self::resume::{recover, resume_continuity};
use self::setup::{clock_record, connection_state, journal_config, reader_config, secrets_of, trading_date};
use self::stages::{Fused, JournalStage, ParserStage, ReaderStage, frame_words_max};
pub use self::summary::Summary;
use self::summary::summary_of;
use crate::clock::{MarketClock, TickClock, wall_ns};
use crate::config::{Config, KisSubscription, MarketTime};
use crate::feed::RecordSink;
use crate::feed::kis::KisLine;
use crate::feed::kis::account::{Keeper as NoticeKeeper, private_queue};
use crate::feed::kis::notices::Notices;
use crate::feed::kis::rest::Client;
use crate::feed::kis::session::{Account, Cold, Held, Leave, LineState, Progress, Seams, SessionManager};
use crate::feed::kis::snapshots::snapshots;
use crate::journal::{AppendError, Helper, Journal, RecoveryReport, StreamWriter};
use crate::market::calendar::Calendar;
use crate::metrics::{Collector, Counter, EngineState, LatencySet, Metrics};
use crate::net::{ConnectionConfig, Reader};
use crate::ring::message_ring;
use crate::secret::Secret;
use crate::stage::{Rest, Waiter, run_resting};
use crate::tick::{RType, boxed_record};

/// Pause of the metrics thread.
const METRICS_PERIOD: Duration = Duration::from_millis(50);
/// Pause of the maintenance thread between two looks at what is over.
const MAINTENANCE_PERIOD: Duration = Duration::from_secs(60);
/// Commands that may wait for the reader.
const COMMAND_SLOTS: usize = 4096;
/// Rejected frames that may wait to be kept when stream `raw` does not keep all.
const REJECTED_SLOTS: usize = 256;
/// Approval keys that may wait to be known to the reader's thread; beyond, the oldest is forgotten.
const SECRET_SLOTS: usize = 1024;

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

/// A running engine. Dropping it stops it.
#[derive(Debug)]
pub struct Engine {
    dir: PathBuf,
    /// As it runs now.
    config: Config,
    changes: Sender<Vec<KisSubscription>>,
    plan: Plan,
    recovery: RecoveryReport,
    recovered_records: u64,
    stop: Arc<AtomicBool>,
    ending: Arc<Ending>,
    hot: Vec<JoinHandle<Ended>>,
    manager: Option<JoinHandle<(Progress, Held)>>,
    metrics: Metrics,
    metrics_thread: Option<JoinHandle<Collector>>,
    metrics_stop: Arc<AtomicBool>,
    helper: Option<Helper>,
    notice_keeper: Option<NoticeKeeper>,
    maintenance: Option<Maintenance>,
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
        Self::start_with(config, config.accounts()?, options)
    }

    /// The same with credentials at hand (a simulated venue's).
    pub fn start_with(config: &Config, accounts: Vec<Account>, mut options: Options) -> Result<Engine, EngineError> {
        config.check_resolved()?;
        if let Some(clock) = config.kis.market_time.as_ref().and_then(MarketTime::clock) {
            options.market = clock;
        }
        let calendar = Arc::new(match &config.kis.calendar_overrides {
            Some(path) => Calendar::shipped().with_overrides(path)?,
            None => Calendar::shipped().clone(),
        });
        let rest = Client::new(&config.kis.rest_url, &accounts, &config.kis.rest)?;
        let hts_id = match &config.kis.notices {
            Some(section) => Some(section.hts_id()?),
            None => None,
        };
        let parking = Rest::default();
        let dir = config.journal.dir.clone();
        let Journal { ticks, raw, helper, recovery } = Journal::open(&dir, journal_config(config, &options.market))
            .map_err(|source| EngineError::Journal { dir: dir.clone(), source })?;
        let placement = plan(&config.engine, available_cores());
        let system = |what| move |source| EngineError::System { what, source };

        let wait = format!("{:?}", config.engine.wait).to_lowercase();
        let (metrics, mut collector) =
            Metrics::create(&dir, &[("placement", &placement.text), ("wait_strategy", &wait)])?;
        let notices = Arc::new(Notices::new(accounts.len() as u16));
        let snapshots = Arc::new(snapshots());
        let private = config.kis.notices.as_ref().map(|section| (section, Arc::new(private_queue())));
        let stop = Arc::new(AtomicBool::new(false));
        let ending = Arc::new(Ending::new(Arc::clone(&stop)));
        let secrets = Arc::new(ArrayQueue::new(SECRET_SLOTS));
        let inbox: Inbox = Arc::new(ArrayQueue::new(config.engine.inbox_slots));
        let mut statuses = Vec::new();
        let mut traffic = Vec::new();
        let mut watches = Vec::new();
        let date = Arc::new(AtomicU32::new(trading_date(options.market.market_ns(wall_ns()))));
        let label = config.kis.ws_url.trim_start_matches("ws://").to_owned();
        for line in 1..=accounts.len() as u16 {
            let (status, received) = metrics.connection(line, &label)?;
            statuses.push(status);
            watches.push(received.watch());
            traffic.push(received);
        }
        let keep = if config.journal.raw { Keep::All } else { Keep::Rejected };
        let message_bytes_max = config.engine.max_message_kib as usize * 1024;
        let streams = [Some(ticks.watch()), raw.as_ref().map(StreamWriter::watch)].into_iter().flatten();
        let mut disk = DiskWatch::new(streams, Arc::clone(&inbox));
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
            secrets: accounts.iter().flat_map(secrets_of).chain(hts_id.iter().filter(is_long).cloned()).collect(),
            private: private.as_ref().map(|(_, queue)| Arc::clone(queue)),
            new_secrets: Arc::clone(&secrets),
            notices: Arc::clone(&notices),
            snapshots: Arc::clone(&snapshots),
            inbox: Arc::clone(&inbox),
            trading_date: Arc::clone(&date),
            patience: Some(Duration::from_secs(config.journal.slow_disk_seconds)),
            ending: Arc::clone(&ending),
        })?;
        let said = resume_continuity(&dir, date.load(Ordering::Relaxed), &mut parser);
        // The clock by which dates are inferred comes first.
        committer.record(&mut boxed_record(clock_record(&options.market), RType::Clock));
        recover(&recovery, &said, &mut parser, &mut committer)
            .map_err(|source| EngineError::Journal { dir: dir.clone(), source })?;
        let recovered_records = committer.counters.get(Counter::RecordsJournaled);

        let cold = Cold { inbox, counters: metrics.counters("session")? };
        let maintenance_counters = metrics.counters("maintenance")?;
        let notice_keeper = match private {
            Some((section, queue)) => {
                let own = Cold { inbox: Arc::clone(&cold.inbox), counters: metrics.counters("notices")? };
                Some(NoticeKeeper::start(&section.folder(&dir), options.market, queue, own)?)
            }
            None => None,
        };
        let commands = Arc::new(ArrayQueue::new(COMMAND_SLOTS));
        let reader =
            Reader::new(reader_config(config), KisLine, commands).map_err(system("event queue of the reader"))?;
        let handle = reader.handle();
        // From here on hot threads run: who gives up now tells them.
        let closing = handle.clone();
        let unstarted = |what| {
            move |source| {
                closing.stop();
                EngineError::System { what, source }
            }
        };
        let wait = || Waiter::resting_by(config.engine.wait, parking.clone());
        let hot = if placement.split {
            let frame_ring_bytes = config.engine.frame_ring_mib as usize * 1024 * 1024;
            let record_ring_words = config.engine.record_ring_mib as usize * 1024 * 1024 / 8;
            let (frames_in, frames_out) = message_ring(frame_ring_bytes, message_bytes_max);
            let (records_in, records_out) = message_ring(record_ring_words, frame_words_max(message_bytes_max));
            vec![
                spawn_hot(
                    "hoga-reader",
                    placement.cores[0],
                    wait(),
                    ReaderStage::new(reader, intake, frames_in),
                    |stage| Ended::Reader(stage.intake),
                ),
                spawn_hot(
                    "hoga-parser",
                    placement.cores[1],
                    wait(),
                    ParserStage::new(parser, frames_out, records_in, message_bytes_max),
                    |_| Ended::Parser,
                ),
                spawn_hot(
                    "hoga-journal",
                    placement.cores[2],
                    wait(),
                    JournalStage::new(committer, records_out),
                    |stage| Ended::Journal(stage.committer),
                ),
            ]
        } else {
            let fused = Fused::new(reader, Pipeline { intake, parser, committer });
            vec![spawn_hot("hoga-fused", placement.cores[0], wait(), fused, |stage| Ended::All(Box::new(stage)))]
        };
        let hot: Vec<JoinHandle<Ended>> = hot.into_iter().collect::<Result<_, _>>().map_err(system("a hot thread"))?;

        let observer = Box::new(move |line: u16, state: LineState, wanted: usize, confirmed: usize| {
            if let Some(status) = statuses.get(usize::from(line) - 1) {
                status.set_state(connection_state(state), wall_ns());
                status.set_registrations(wanted as u64, confirmed as u64);
            }
        });
        let (changes, changed) = unbounded();
        let manager = SessionManager::new(
            config,
            accounts,
            ConnectionConfig { message_bytes_max, ..ConnectionConfig::default() },
            options.leave,
            Seams {
                reader: handle,
                rest,
                calendar,
                parking: parking.clone(),
                snapshots,
                hts_id,
                notices,
                secrets,
                cold,
                observer,
                traffic: watches,
                changes: changed,
                dir: dir.clone(),
                market: options.market,
            },
        );
        let manager_stop = Arc::clone(&stop);
        let manager = spawn("hoga-session", move || manager.run(&manager_stop))
            .map_err(unstarted.clone()("the session thread"))?;
        let metrics_stop = Arc::new(AtomicBool::new(false));
        let live = Arc::new(ArrayQueue::new(1));
        let maintenance = Maintenance::start(
            &dir,
            config.retention.clone(),
            Arc::clone(&date),
            MAINTENANCE_PERIOD,
            maintenance_counters,
        )
        .map_err(unstarted.clone()("the maintenance thread"))?;
        let (thread_stop, thread_live) = (Arc::clone(&metrics_stop), Arc::clone(&live));
        let market = options.market;
        let seen_ending = Arc::clone(&ending);
        metrics.set_state(EngineState::Running);
        let thread = spawn("hoga-metrics", move || {
            // Relaxed: a flag alone; the hot threads have handed over their figures before it is set.
            while !thread_stop.load(Ordering::Relaxed) {
                collector.poll();
                date.store(trading_date(market.market_ns(wall_ns())), Ordering::Relaxed);
                thread_live.force_push(collector.latencies().clone());
                disk.look(&seen_ending);
                std::thread::sleep(METRICS_PERIOD);
            }
            collector
        })
        .map_err(unstarted("the metrics thread"))?;
        Ok(Engine {
            dir,
            config: config.clone(),
            changes,
            plan: placement,
            recovery,
            recovered_records,
            stop,
            ending,
            hot,
            manager: Some(manager),
            metrics,
            metrics_thread: Some(thread),
            metrics_stop,
            helper: Some(helper),
            notice_keeper,
            maintenance,
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

    /// Takes over another list of what to record while it runs: what left is withdrawn, what came is registered, what stays
    /// is not touched. The session manager's thread does so by and by, paced, and journals it.
    ///
    /// # Errors
    ///
    /// A configuration that is wrong, or that changes anything else: then nothing is taken over.
    pub fn reload(&mut self, config: &Config) -> Result<(), ReloadError> {
        reload::check(&self.config, config)?;
        self.config.kis.subscribe.clone_from(&config.kis.subscribe);
        // The manager ends only when the engine does; then there is nothing to change.
        let _ = self.changes.send(config.kis.subscribe.clone());
        Ok(())
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
            Some(Ok((progress, held))) => {
                // The reader's thread is over, and with it each connection.
                if failure.is_none() {
                    held.closed();
                }
                progress
            }
            _ => {
                failure = failure.or(Some(EngineError::ThreadDied("session")));
                Progress::default()
            }
        };
        let cause = self.ending.cause();
        let mut is_unfinished = false;
        let mut close_error = None;
        // What it has to tell is taken with the last records.
        drop(self.notice_keeper.take());
        // Stream `raw` first: a tick marked durable names a frame that is.
        if let Some(mut intake) = intake {
            intake.keep_rejected();
            failure = failure.or(intake.failure.take().map(|source| self.append_error("raw", source)));
            if let Some(Err(error)) = intake.raw.map(StreamWriter::close) {
                close_error = Some(("closing stream raw", error));
            }
        }
        if let Some(mut committer) = committer {
            while committer.drain_inbox() > 0 {}
            if let Some(cause) = cause {
                committer.say_stopped(cause);
            }
            failure = committer.failure.take().map(|source| self.append_error("ticks", source)).or(failure);
            committer.mirror_rolls();
            committer.latency.finish();
            is_unfinished = committer.left_behind && committer.has_raw;
            if !matches!(failure, Some(EngineError::ThreadDied(_))) && close_error.is_none() {
                // A stream closed in order would say that nothing of `raw` is missing.
                let writer = committer.writer;
                let closed = if is_unfinished { writer.close_unfinished() } else { writer.close() };
                close_error = closed.err().map(|error| ("closing stream ticks", error));
            }
            // Else the stream is left as a dead writer leaves it: what is in `raw` and did not get here is decoded when
            // the journal is opened again.
        }
        if let Some(helper) = self.helper.take() {
            helper.stop();
        }
        drop(self.maintenance.take());
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
        if let Some(failure) = failure {
            return Err(failure);
        }
        let summary = summary.ok_or(EngineError::ThreadDied("metrics"))?;
        if let Some(cause) = cause {
            return Err(EngineError::Stopped(Box::new(Stop {
                dir: self.dir.clone(),
                reason: cause.reason,
                stream: cause.stream,
                errno: (cause.errno != 0).then_some(cause.errno),
                left_out: self.ending.left_out(),
                is_unfinished,
                close_error: close_error.map(|(what, error)| format!("{what}: {error}")),
                summary,
            })));
        }
        match close_error {
            Some((what, source)) => Err(EngineError::System { what, source }),
            None => Ok(summary),
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

fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

fn spawn_hot<S: crate::stage::Stage + Send + 'static>(
    name: &'static str,
    core: Option<usize>,
    waiter: Waiter,
    mut stage: S,
    end: impl FnOnce(S) -> Ended + Send + 'static,
) -> std::io::Result<JoinHandle<Ended>> {
    spawn(name, move || {
        pin(core, name);
        run_resting(&mut stage, waiter, &TickClock::new());
        end(stage)
    })
}

/// Whether an id is long enough to be looked for in every message: a short one would overwrite words.
fn is_long(id: &&Secret) -> bool {
    id.expose().len() >= 6
}
