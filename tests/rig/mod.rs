//! What the end-to-end tests share: a venue on loopback, an engine on it, the journal read back, the ledger.
//!
//! Deadlines here only keep a broken engine from hanging a test; nothing is judged by how long it took.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod compare;
pub mod disk;
pub mod ledger;
#[path = "../policy/mod.rs"]
pub mod policy;
pub mod reference;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hoga::clock::MarketClock;
use hoga::config::{Config, EngineSection, JournalSection, KisAccount, KisSection, KisSubscription, Placement};
use hoga::engine::{Engine, Options, Summary};
use hoga::feed::kis::environment::Environment;
use hoga::feed::kis::rest::RestSection;
use hoga::feed::kis::session::{Account, Leave, SessionSection};
use hoga::journal::{Start, Stream, Tailer};
use hoga::secret::{Credentials, Secret};
use hoga::stage::WaitStrategy;
use hoga::tick::{
    Flags, Gap, HEADER_BYTES, Header, MARKET_PREFIX_BYTES, Market, RType, RecordView, RejectPrefix, Session,
    SessionEvent, Trade, view,
};
use kis_sim::{AppKey, At, Fault, FaultSpec, IterSource, OpenWhen, SimConfig, Target, TimedFrame, Venue};
use tempfile::TempDir;

use self::ledger::Ledger;

/// Long enough for the slowest machine; reached only when something hangs.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `done`.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A record read back.
#[derive(Clone, Debug)]
pub struct Record {
    pub bytes: Vec<u8>,
    pub symbol: String,
}

impl Record {
    pub fn header(&self) -> Header {
        bytemuck::pod_read_unaligned(&self.bytes[..HEADER_BYTES])
    }

    /// The market prefix; `None` on service records.
    pub fn market(&self) -> Option<Market> {
        let kind = RType::from_number(self.header().rtype)?;
        kind.is_market()
            .then(|| bytemuck::pod_read_unaligned(&self.bytes[HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES]))
    }

    pub fn view(&self) -> RecordView<'_> {
        view(&self.bytes).expect("a record has a header")
    }

    pub fn has_flag(&self, flag: u32) -> bool {
        Flags(self.header().flags).has(flag)
    }
}

/// All records of a stream: checksums checked, sequences from 1 without a hole.
pub fn read(dir: &Path, stream: Stream) -> Vec<Record> {
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).expect("a journal").with_crc_check(true);
    let mut records = Vec::new();
    let polled = tailer.poll(usize::MAX, |record| {
        assert_eq!(record.position.sequence, records.len() as u64 + 1, "sequences have no hole");
        let symbol = record.instrument(record.header().instrument_id).map(|known| known.key.symbol().into_owned());
        records.push(Record { bytes: record.bytes.to_vec(), symbol: symbol.unwrap_or_default() });
    });
    polled.expect("every record is good");
    records
}

/// As [`read`]; nothing where there is no journal yet.
pub fn try_read(dir: &Path, stream: Stream) -> Vec<Record> {
    if Tailer::open(dir, stream, Start::Beginning).is_ok() { read(dir, stream) } else { Vec::new() }
}

/// A small venue for one app key. The market opens once every registration was answered with yes.
pub fn sim(symbols: usize, seconds: f64, rate: f64) -> SimConfig {
    SimConfig { app_keys: AppKey::generate(1), symbols, seconds, rate, wild_symbols: 0, ..SimConfig::default() }
}

/// A fault at the n-th data frame of the first connection.
pub fn at_frame(frame: u64, fault: Fault) -> FaultSpec {
    FaultSpec { at: At::Frame(frame), connection: Target::Number(1), fault }
}

/// A venue and where the journal of an engine on it is to be.
#[derive(Debug)]
pub struct Stage {
    pub folder: TempDir,
    pub venue: Venue,
    pub config: Config,
    pub accounts: Vec<Account>,
}

impl Stage {
    /// Starts a venue that writes a ledger; the configuration registers every symbol for every transaction.
    pub fn new(mut sim: SimConfig, trs: &[&str]) -> Stage {
        let folder = tempfile::tempdir().expect("a temporary folder");
        sim.ledger = Some(folder.path().join("ledger"));
        let venue = Venue::start(sim).expect("a venue");
        let keys = symbols(&venue);
        Stage::on(folder, venue, &keys, trs)
    }

    /// Starts a venue that plays these frames, as [`new`](Self::new).
    pub fn with_frames(frames: Vec<TimedFrame>, keys: &[String], trs: &[&str]) -> Stage {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open_when = OpenWhen::Registrations { count: keys.len() * trs.len() };
        let ledger = Some(folder.path().join("ledger"));
        let sim = SimConfig { open_when, ledger, ..sim(1, 1.0, 1.0) };
        let venue = Venue::start_with(sim, Box::new(IterSource(frames.into_iter()))).expect("a venue");
        Stage::on(folder, venue, keys, trs)
    }

    fn on(folder: TempDir, venue: Venue, keys: &[String], trs: &[&str]) -> Stage {
        let accounts = accounts(&venue.config().app_keys);
        let config = config(folder.path(), &venue.rest_url(), &venue.ws_url(), keys, trs, accounts.len());
        Stage { folder, venue, config, accounts }
    }

    /// The journal's folder.
    pub fn dir(&self) -> PathBuf {
        self.config.journal.dir.clone()
    }

    pub fn engine(&self, leave: Leave) -> Engine {
        let options = Options { market: market(), leave };
        Engine::start_with(&self.config, self.accounts.clone(), options).expect("an engine")
    }

    /// Ends the venue, then the engine, and reads back what there is.
    pub fn end(self, engine: Engine) -> Played {
        self.venue.stop();
        wait_until("the venue's end", || self.venue.is_finished());
        engine.stop();
        wait_until("the engine's end", || engine.is_finished());
        let summary = engine.join().expect("the engine ends well");
        let dir = self.dir();
        let venue = self.venue.join();
        let ledger = Ledger::read(&self.folder.path().join("ledger"));
        let (ticks, raw) = (read(&dir, Stream::Ticks), read(&dir, Stream::Raw));
        Played { folder: self.folder, dir, summary, venue, ledger, ticks, raw }
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Played {
    pub folder: TempDir,
    pub dir: PathBuf,
    pub summary: Summary,
    pub venue: kis_sim::Summary,
    pub ledger: Ledger,
    pub ticks: Vec<Record>,
    pub raw: Vec<Record>,
}

/// Plays the venue to its end. The engine leaves when every line was closed.
pub fn play(sim: SimConfig, trs: &[&str]) -> Played {
    play_placed(sim, trs, Placement::Fused)
}

/// As [`play`], of these frames.
pub fn play_frames(frames: Vec<TimedFrame>, keys: &[String], trs: &[&str]) -> Played {
    let stage = Stage::with_frames(frames, keys, trs);
    let engine = stage.engine(Leave::WhenClosed);
    wait_until("the end of the run", || engine.is_finished());
    stage.end(engine)
}

/// As [`play`], with the stages placed so.
pub fn play_placed(sim: SimConfig, trs: &[&str], placement: Placement) -> Played {
    let mut stage = Stage::new(sim, trs);
    stage.config.engine.placement = placement;
    let engine = stage.engine(Leave::WhenClosed);
    wait_until("the end of the run", || engine.is_finished());
    stage.end(engine)
}

/// Plays with an engine whose lines come back, until `done`.
pub fn play_until(sim: SimConfig, trs: &[&str], done: impl Fn(&Stage, &[Record]) -> bool) -> Played {
    let stage = Stage::new(sim, trs);
    let engine = stage.engine(Leave::WhenStopped);
    let dir = stage.dir();
    wait_until("what the test waits for", || done(&stage, &read(&dir, Stream::Ticks)));
    stage.end(engine)
}

impl Played {
    pub fn sessions(&self) -> Vec<Session> {
        sessions(&self.ticks)
    }

    /// Sessions with this event.
    pub fn events(&self, event: SessionEvent) -> Vec<Session> {
        self.sessions().into_iter().filter(|session| session.event == event as u8).collect()
    }

    pub fn gaps(&self) -> Vec<(String, Gap)> {
        let gap = |record: &Record| match record.view() {
            RecordView::Gap(gap) => Some((record.symbol.clone(), gap.into_owned())),
            _ => None,
        };
        self.ticks.iter().filter_map(gap).collect()
    }

    pub fn rejects(&self) -> Vec<(RejectPrefix, Vec<u8>)> {
        let reject = |record: &Record| match record.view() {
            RecordView::Reject(prefix, bytes) => Some((prefix.into_owned(), bytes.to_vec())),
            _ => None,
        };
        self.ticks.iter().filter_map(reject).collect()
    }

    pub fn trades(&self) -> Vec<(String, Trade)> {
        trades(&self.ticks)
    }

    /// Every frame of the ledger is in `raw` and every record of it in `ticks`, nothing else, nothing missing.
    pub fn assert_nothing_is_lost(&self) {
        let compared = compare::compare(&self.ledger, &self.dir);
        assert_eq!(compared.frames, self.venue.counts.frames_sent);
        assert_eq!(compared.records, self.venue.counts.records_sent);
        assert!(compared.records > 0, "the venue sent something");
        assert!(self.gaps().is_empty() && self.rejects().is_empty());
    }

    /// The payload of a frame of stream `raw`.
    pub fn raw_payload(&self, sequence: u64) -> Vec<u8> {
        match self.raw[sequence as usize - 1].view() {
            RecordView::Raw(_, payload) => payload.to_vec(),
            other => panic!("stream raw holds {other:?}"),
        }
    }

    /// Of each symbol, what was traded between its first and last trade was journaled, or is missing by a `Gap`.
    pub fn assert_volume_is_accounted_for(&self) {
        let mut account = std::collections::BTreeMap::<String, (u64, u64)>::new();
        for record in &self.ticks {
            match record.view() {
                RecordView::Trade(trade) if trade.header.flags & Flags::POLLED == 0 => {
                    let (expected, _) =
                        account.entry(record.symbol.clone()).or_insert((trade.cum_qty - trade.qty, trade.cum_qty));
                    *expected += trade.qty;
                    assert_eq!(*expected, trade.cum_qty, "volume of {}", record.symbol);
                }
                RecordView::Gap(gap) => {
                    let (expected, _) = account.get_mut(&record.symbol).expect("a gap stands behind a trade");
                    assert_eq!(gap.cum_qty_before, *expected);
                    *expected += gap.missing_qty;
                    assert_eq!(gap.cum_qty_after, *expected);
                }
                _ => {}
            }
        }
        assert!(!account.is_empty(), "something was traded");
    }
}

pub fn sessions(ticks: &[Record]) -> Vec<Session> {
    let session = |record: &Record| match record.view() {
        RecordView::Session(session) => Some(session.into_owned()),
        _ => None,
    };
    ticks.iter().filter_map(session).collect()
}

/// Trades that were pushed; snapshots are none.
pub fn trades(ticks: &[Record]) -> Vec<(String, Trade)> {
    let trade = |record: &Record| match record.view() {
        RecordView::Trade(trade) if trade.header.flags & Flags::POLLED == 0 => {
            Some((record.symbol.clone(), trade.into_owned()))
        }
        _ => None,
    };
    ticks.iter().filter_map(trade).collect()
}

/// Market time of the venue's default day, told from now on.
pub fn market() -> MarketClock {
    let start = reference::kst_ns(reference::MARKET_DATE, 8 * 3600 + 59 * 60 + 59);
    MarketClock { anchor_wall_ns: hoga::clock::wall_ns(), anchor_market_ns: start, scale: 1.0 }
}

/// Accounts with a venue's credentials.
pub fn accounts(keys: &[AppKey]) -> Vec<Account> {
    let account = |(index, key): (usize, &AppKey)| Account {
        name: format!("test-{}", index + 1),
        credentials: Credentials { app_key: Secret::new(&key.app_key), app_secret: Secret::new(&key.app_secret) },
    };
    keys.iter().enumerate().map(account).collect()
}

pub fn symbols(venue: &Venue) -> Vec<String> {
    venue.symbols().iter().map(|symbol| symbol.code.clone()).collect()
}

/// A configuration for tests: small segments, one thread that sleeps when idle.
pub fn config(folder: &Path, rest: &str, ws: &str, keys: &[String], trs: &[&str], accounts: usize) -> Config {
    let subscription =
        |tr: &&str| KisSubscription { tr: (*tr).to_owned(), keys: keys.to_vec(), ..KisSubscription::default() };
    Config {
        journal: JournalSection { dir: folder.join("journal"), segment_mib: 4, ..JournalSection::default() },
        engine: EngineSection { placement: Placement::Fused, wait: WaitStrategy::Park, ..EngineSection::default() },
        retention: hoga::config::RetentionSection::default(),
        kis: KisSection {
            environment: Environment::Simulator,
            rest_url: rest.to_owned(),
            ws_url: ws.to_owned(),
            subscribe_pace_ms: 1,
            max_registrations: 41,
            rest: RestSection { keys_dir: Some(folder.join("keys")), approval_interval_s: 1, ..RestSection::default() },
            calendar_overrides: None,
            market_time: None,
            notices: None,
            session: SessionSection { connect_budget: 0, check_calendar: false, ..SessionSection::default() },
            account: vec![KisAccount::default(); accounts],
            subscribe: trs.iter().map(subscription).collect(),
        },
    }
}
