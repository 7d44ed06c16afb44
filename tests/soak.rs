//! A venue that misbehaves every few seconds, at random by a seed, and the engine that records it: at the end every record
//! is accounted for.
//!
//! Method: two app keys, thirty symbols with trades and books, the broker's own limits and waits on a clock that runs faster
//! (a floor of the broker's seconds is never shortened against the venue, which counts by the same clock). The venue is the
//! judge: it knows what it sent, frame by frame, and punishes what a broker would. Then its ledger is held against the
//! journal:
//!
//! - of each connection the journal holds a first part of what was sent, each frame once and in order; less than all only
//!   where the line broke in a way that loses what is under way;
//! - each frame's records are in `ticks` exactly once, but for the frames that were damaged, which are rejects;
//! - of each symbol, what was traded is journaled or is missing by `Gap` records, to the last share, up to the last trade;
//! - each connection has its session records from beginning to end;
//! - no app key ever had two sessions, no limit was exceeded, nobody was banned.
//!
//! `HOGA_SOAK_SECONDS` (default 8) and `HOGA_SOAK_SEED` (default: drawn, and printed) are taken from the environment.

mod rig;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use hoga::clock::{MarketClock, wall_ns};
use hoga::engine::{Engine, Options};
use hoga::feed::kis::session::{Leave, SessionSection};
use hoga::journal::{Start, Stream, Tailer};
use hoga::net::DisconnectReason;
use hoga::tick::{Findings, Flags, RecordView, SessionEvent};
use kis_sim::{AppKey, BanRules, Chaos, Limits, OpenWhen, RestFault, RestFaultSpec, SimConfig};
use rig::ledger::Ledger;
use rig::{Record, Stage, reference, sim, wait_until};

const FEEDS: &[&str] = &["H0STCNT0", "H0STASP0"];
const SYMBOLS: usize = 30;
const WANTED: u64 = (SYMBOLS * FEEDS.len()) as u64;

/// Pace of registrations, ms. The venue bans far below it alone, since it may read one message late and the next in time.
const PACE_MS: u64 = 50;

/// What a run is made of.
struct Plan {
    seconds: f64,
    seed: u64,
    /// Seconds of the venue and of the engine a second of the wall.
    scale: f64,
}

impl Plan {
    fn from_environment() -> Plan {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
        let seconds = number("HOGA_SOAK_SECONDS").unwrap_or(8) as f64;
        let seed = number("HOGA_SOAK_SEED").unwrap_or_else(|| wall_ns() / 1_000 % 1_000_000);
        // The session of a day, from half past nine on, is long enough for any run.
        Plan { seconds, seed, scale: (20_000.0 / seconds).min(60.0) }
    }

    fn venue(&self) -> SimConfig {
        let limits = Limits { approval_burst: 10, ..Limits::default() };
        let approval = |from, fault| RestFaultSpec { path: "Approval".to_owned(), from, times: 1, fault };
        SimConfig {
            app_keys: AppKey::generate(2),
            seed: self.seed,
            market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
            time_scale: self.scale,
            clock_scale: self.scale,
            open_when: OpenWhen::Registrations { count: SYMBOLS },
            spin: false,
            slot_linger_s: 10.0,
            limits,
            ban: Some(BanRules { connects: 12, window_s: 600.0, for_s: 36_000.0, messages: Some(600) }),
            message_spacing_ms: Some(10),
            // As often as an app key bears: about half of them break a line, and it may connect ten times in ten minutes.
            chaos: Some(Chaos { every_s: (40.0 / self.scale).min(self.seconds / 16.0), for_s: self.seconds }),
            rest_faults: vec![
                approval(4, RestFault::Cut { after: 40 }),
                approval(6, RestFault::Page { status: 502 }),
                approval(8, RestFault::Slow { ms: 300 }),
            ],
            // A long run is kept in memory to be compared.
            ..sim(SYMBOLS, f64::INFINITY, if self.seconds > 900.0 { 150.0 } else { 400.0 })
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn each(dir: &Path, stream: Stream, mut take: impl FnMut(&Record)) {
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).expect("a journal").with_crc_check(true);
    let mut sequence = 0;
    let polled = tailer.poll(usize::MAX, |record| {
        sequence += 1;
        assert_eq!(record.position.sequence, sequence, "sequences have no hole");
        let symbol = record.instrument(record.header().instrument_id).map(|known| known.key.symbol().into_owned());
        take(&Record { bytes: record.bytes.to_vec(), symbol: symbol.unwrap_or_default() });
    });
    polled.expect("every record is good");
}

/// What the ledger says of a connection.
#[derive(Debug, Default)]
struct Connection {
    app: Option<u64>,
    sent: Vec<Vec<u8>>,
    /// Faults of the connection by kind, and what it was cut for.
    struck: Vec<String>,
    received: usize,
}

impl Connection {
    /// Whether its end loses what was under way to the engine.
    fn breaks(&self) -> bool {
        let breaking = ["rst", "masked", "reserved_bits", "half_open", "cut"];
        self.struck.iter().any(|kind| breaking.contains(&kind.as_str()))
    }
}

fn connections(ledger: Ledger) -> BTreeMap<u64, Connection> {
    let mut connections = BTreeMap::<u64, Connection>::new();
    for note in &ledger.notes {
        let connection = connections.entry(note["connection"].as_u64().expect("a number")).or_default();
        connection.app = note["app"].as_u64().or(connection.app);
        connection.struck.extend(note["fault"]["kind"].as_str().map(str::to_owned));
        connection.struck.extend(note.get("cut").map(|_| "cut".to_owned()));
    }
    for (number, frames) in ledger.frames {
        connections.entry(number).or_default().sent = frames;
    }
    connections
}

/// A frame of `raw` and what became of its records.
#[derive(Clone, Copy, Debug)]
struct Frame {
    count: u16,
    records: u16,
    rejected: bool,
}

/// The connections of one line, in the order in which they were made.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<u64>,
    current: Option<u64>,
}

/// Finds each data frame of `raw` in the ledger: of each connection a first part, in order. Gives the frames by sequence.
fn align(dir: &Path, connections: &mut BTreeMap<u64, Connection>) -> BTreeMap<u64, Frame> {
    let mut lines = BTreeMap::<u16, Line>::new();
    let mut frames = BTreeMap::new();
    each(dir, Stream::Raw, |record| {
        let RecordView::Raw(prefix, payload) = record.view() else { panic!("stream raw holds frames") };
        if payload.first() != Some(&b'0') {
            return;
        }
        let number = prefix.header.line;
        let line = lines.entry(number).or_insert_with(|| {
            let first = |connection: &&Connection| connection.sent.first().is_some_and(|sent| sent == payload);
            let app = connections.values().find(first).expect("a frame that the venue sent first").app;
            let waiting = connections.iter().filter(|(_, c)| c.app == app).map(|(number, _)| *number).collect();
            Line { waiting, current: None }
        });
        let next =
            |connection: &Connection| connection.sent.get(connection.received).is_some_and(|sent| sent == payload);
        while !line.current.is_some_and(|current| next(&connections[&current])) {
            line.current = line.waiting.pop_front();
            let shown = payload[..payload.len().min(80)].escape_ascii();
            assert!(line.current.is_some(), "line {number}: not sent then, or here twice: {shown}");
        }
        connections.get_mut(&line.current.expect("a connection")).expect("it is known").received += 1;
        let count = payload.get(11..14).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        frames.insert(prefix.header.sequence, Frame { count: count.unwrap_or(0), records: 0, rejected: false });
    });
    frames
}

/// Sum of a symbol's trades and gaps so far.
#[derive(Clone, Copy, Debug)]
struct Volume(u64);

/// What `ticks` holds.
#[derive(Debug, Default)]
struct Ticks {
    records: u64,
    gaps: u64,
    rejects: u64,
    duplicates: u64,
    polled: u64,
    steps_back: u64,
    volumes: BTreeMap<String, u64>,
    connected: BTreeMap<u16, usize>,
    /// Reasons of disconnects by line.
    ends: BTreeMap<u16, Vec<u8>>,
    waits: BTreeMap<String, u64>,
    left_out: Vec<String>,
}

fn read_ticks(dir: &Path, frames: &mut BTreeMap<u64, Frame>) -> Ticks {
    let mut ticks = Ticks::default();
    let mut volumes = BTreeMap::<String, Volume>::new();
    let mut last = (0, 0);
    each(dir, Stream::Ticks, |record| {
        // What was asked for while a line was down: no frame, and no trade.
        if record.header().flags & Flags::POLLED != 0 {
            ticks.polled += 1;
            return;
        }
        if let Some(market) = record.market() {
            let place = (market.raw_sequence, market.frame_index);
            assert!(last < place, "{place:?} stands behind {last:?}");
            last = place;
            frames.get_mut(&market.raw_sequence).expect("a frame of raw").records += 1;
            ticks.records += 1;
        }
        match record.view() {
            RecordView::Trade(trade) if trade.market.findings & Findings::DUPLICATE != 0 => ticks.duplicates += 1,
            // A frame with several trades that comes twice: its first one goes back, and is the new base.
            RecordView::Trade(trade) if trade.market.findings & Findings::CUM_BACKWARDS != 0 => {
                ticks.steps_back += 1;
                volumes.insert(record.symbol.clone(), Volume(trade.cum_qty));
            }
            RecordView::Trade(trade) => {
                let before = volumes.entry(record.symbol.clone()).or_insert(Volume(trade.cum_qty - trade.qty));
                before.0 += trade.qty;
                assert_eq!(before.0, trade.cum_qty, "volume of {}", record.symbol);
            }
            RecordView::Gap(gap) => {
                ticks.gaps += 1;
                let before = volumes.get_mut(&record.symbol).expect("a gap stands behind a trade");
                assert_eq!(gap.cum_qty_before, before.0);
                before.0 += gap.missing_qty;
                assert_eq!(gap.cum_qty_after, before.0);
            }
            RecordView::Reject(prefix, _) => {
                ticks.rejects += 1;
                frames.get_mut(&prefix.raw_sequence).expect("a frame of raw").rejected = true;
            }
            RecordView::Session(session) => {
                let line = session.header.line;
                match SessionEvent::from_number(session.event) {
                    Some(SessionEvent::Connected) => *ticks.connected.entry(line).or_default() += 1,
                    Some(SessionEvent::Disconnected) => ticks.ends.entry(line).or_default().push(session.reason),
                    Some(SessionEvent::BackingOff) => *ticks.waits.entry(text(&session.text)).or_default() += 1,
                    Some(SessionEvent::LeftOut) => {
                        ticks.left_out.push(format!("{}: {}", text(&session.tr_key), text(&session.text)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    });
    ticks.volumes = volumes.into_iter().map(|(symbol, volume)| (symbol, volume.0)).collect();
    ticks
}

/// Cumulative quantity of the last trade that was sent, by symbol.
fn last_volumes(connections: &BTreeMap<u64, Connection>, symbols: &[String]) -> BTreeMap<String, u64> {
    let mut last = BTreeMap::<String, u64>::new();
    for frame in connections.values().flat_map(|connection| &connection.sent) {
        if frame.starts_with(b"0|H0STCNT0|") && std::str::from_utf8(frame).is_ok() {
            let text = String::from_utf8_lossy(frame);
            let fields: Vec<&str> = text.split('|').nth(3).expect("a payload").split('^').collect();
            let count: usize = text[11..14].parse().expect("a count");
            let width = fields.len() / count.max(1);
            // A damaged count or separator shifts the fields.
            let Some(record) = fields.rchunks_exact(width.max(46)).next().filter(|_| width >= 46) else { continue };
            if let Some(symbol) = symbols.iter().find(|symbol| *symbol == record[0]) {
                let known = last.entry(symbol.clone()).or_default();
                *known = record[13].parse::<u64>().expect("a sum").max(*known);
            }
        }
    }
    last
}

/// Waits until every line is back for good.
fn until_whole(stage: &Stage, plan: &Plan) {
    // The longest that a line may need: silence that has to be noticed, connects used up, and the wait behind both.
    let patience = Duration::from_secs_f64(20.0 + 1_200.0 / plan.scale);
    let quiet = Instant::now();
    let mut whole_since = None;
    // A line that is silently gone still counts with the venue: it must stay whole for longer than that takes to notice.
    let noticed = Duration::from_secs_f64(2.0 + 200.0 / plan.scale);
    while whole_since.is_none_or(|since: Instant| since.elapsed() < noticed) {
        assert!(quiet.elapsed() < patience + noticed, "lines that do not come back: {:?}", stage.venue.ledger());
        let is_whole = stage.venue.ledger().registrations == WANTED;
        whole_since = if is_whole { whole_since.or_else(|| Some(Instant::now())) } else { None };
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_venue_that_misbehaves_at_random_is_recorded_to_the_last_share_and_never_provoked() {
    let plan = Plan::from_environment();
    eprintln!("soak: HOGA_SOAK_SECONDS={} HOGA_SOAK_SEED={}", plan.seconds, plan.seed);
    let mut stage = Stage::new(plan.venue(), FEEDS);
    stage.config.kis.session = SessionSection::default();
    stage.config.journal.segment_mib = 16;
    stage.config.kis.subscribe_pace_ms = PACE_MS;
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, 9 * 3600 + 1800);
    let market = MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale: plan.scale };
    let options = Options { market, leave: Leave::WhenStopped };
    let engine = Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine");
    wait_until("the market opens", || stage.venue.market_anchor().is_some());
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < plan.seconds {
        assert!(!engine.is_finished(), "the engine ended by itself");
        assert_eq!(stage.venue.ledger().bans, 0, "banned");
        std::thread::sleep(Duration::from_millis(100));
    }
    until_whole(&stage, &plan);
    let refusals = stage.venue.rest_counts().refusals;
    let symbols = rig::symbols(&stage.venue);
    stage.venue.stop();
    wait_until("the venue's end", || stage.venue.is_finished());
    engine.stop();
    wait_until("the engine's end", || engine.is_finished());
    let summary = engine.join().expect("the engine ends well");
    let dir = stage.dir();
    let venue = stage.venue.join();
    let ledger = Ledger::read(&stage.folder.path().join("ledger"));

    // Whom the venue would have punished.
    let counts = &venue.counts;
    assert_eq!((counts.bans, counts.two_sessions, counts.over_limit), (0, 0, 0), "{counts:?}");
    assert!(refusals.is_empty(), "REST refused: {refusals:?}");

    let damaged = ledger.faults("corrupt").len() + ledger.faults("wrong_count").len();
    let mut kinds = BTreeMap::<String, u64>::new();
    for note in &ledger.notes {
        if let Some(kind) = note["fault"]["kind"].as_str() {
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    let mut connections = connections(ledger);
    let mut frames = align(&dir, &mut connections);
    let ticks = read_ticks(&dir, &mut frames);
    let (sent, lost) =
        connections.values().fold((0, 0), |(sent, lost), c| (sent + c.sent.len(), lost + c.sent.len() - c.received));
    eprintln!(
        "soak: {sent} frames sent on {} connections, {lost} lost with a broken line; {} records, {} gaps, {} rejects, {} \
         duplicates; waits {:?}; faults {kinds:?}; market ran {:.0} times as fast",
        connections.len(),
        ticks.records,
        ticks.gaps,
        ticks.rejects,
        ticks.duplicates,
        ticks.waits,
        plan.scale
    );
    assert_eq!(sent as u64, counts.frames_sent);
    assert!(kinds.len() >= 3 && kinds.values().sum::<u64>() >= plan.seconds as u64 / 6, "too quiet a soak: {kinds:?}");

    // Each frame's records, exactly once.
    for (sequence, frame) in &frames {
        assert!(frame.rejected || frame.records == frame.count, "frame {sequence} of raw: {frame:?}");
    }
    assert!(ticks.rejects as usize <= damaged, "{} rejects of {damaged} damaged frames", ticks.rejects);

    let doubled = 3 * kinds.get("duplicate").copied().unwrap_or(0);
    assert!(ticks.steps_back <= doubled, "{} steps back of volume, {kinds:?}", ticks.steps_back);

    // Frames that did not arrive: only where the line broke, or the engine had given it up.
    let bare: Vec<u64> =
        connections.iter().filter(|(_, c)| c.received < c.sent.len() && !c.breaks()).map(|(n, _)| *n).collect();
    let clean = [DisconnectReason::PeerClosed, DisconnectReason::Eof].map(DisconnectReason::number);
    let given_up = ticks.ends.values().flatten().filter(|reason| !clean.contains(reason)).count();
    let broken = connections.values().filter(|c| c.breaks()).count();
    assert!(
        bare.len() <= given_up.saturating_sub(broken),
        "frames that were sent and lost on {bare:?}: {:?}",
        ticks.ends
    );

    // Each connection from beginning to end.
    for (line, connected) in &ticks.connected {
        assert_eq!(ticks.ends[line].len(), *connected, "line {line}: {:?}", ticks.ends);
    }
    assert_eq!(ticks.left_out, [""; 0], "nothing is given up");
    assert_eq!(summary.sessions.wanted as u64, WANTED);

    // To the last share.
    assert_eq!(
        ticks.volumes,
        last_volumes(&connections, &symbols),
        "journaled, or missing by a gap, up to the last trade"
    );
}
