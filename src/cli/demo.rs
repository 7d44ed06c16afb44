//! `hoga demo`: a simulated Korean market flowing through the true engine into a journal.
//!
//! The venue speaks the broker's protocol on loopback sockets; nothing of the engine is replaced. At the end what the
//! venue's ledger says was sent is compared with what is in the journal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kis_sim::{AppKey, Burst, OpenWhen, SimConfig, SymbolInfo, Venue};
use serde_json::json;

use super::run::{positive, stop_flag};
use super::summary::{ProgressLine, latency_json, rejects_json, say_recorded};
use super::units::count;
use crate::clock::{MarketClock, wall_ns};
use crate::config::{
    Config, EngineSection, JournalSection, KisAccount, KisSection, KisSubscription, Placement, RetentionSection,
};
use crate::engine::{Engine, EngineError, Options, Summary};
use crate::feed::kis::environment::Environment;
use crate::feed::kis::rest::RestSection;
use crate::feed::kis::session::{Account, Leave, SessionSection};
use crate::metrics::Counter;
use crate::secret::{Credentials, Secret};
use crate::stage::WaitStrategy;

/// Registrations one app key may hold.
const REGISTRATIONS_MAX: usize = 41;
/// Symbols recorded with every feed there is, not only trades and book of KRX.
const WIDE_SYMBOLS: usize = 10;
/// Feeds of such a symbol besides trades and book of KRX.
const WIDE_TRS: [&str; 10] = [
    "H0NXCNT0", "H0NXASP0", "H0UNCNT0", "H0UNASP0", "H0STANC0", "H0STMKO0", "H0UNMKO0", "H0NXMKO0", "H0STPGM0",
    "H0STMBC0",
];
/// Index codes: KOSPI and KOSDAQ.
const INDICES: [&str; 2] = ["0001", "1001"];
/// Share of the run in which the opening burst comes at ten times the rate.
const BURST_SHARE: f64 = 0.03;
/// Longest the engine may take from the venue's end to the end of every connection; then it closes them itself.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `hoga demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "While it runs, look at its journal from another terminal:\n  hoga stat DIR      rates, latencies, \
                        connections\n  hoga tail -f DIR   records the instant they are committed\n\nExamples:\n  hoga demo\n  \
                        hoga demo --seconds 60 --rate 20000 --symbols 200 --burst --journal demo.journal"
)]
pub struct Args {
    /// Seconds of simulated market, from its opening
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    seconds: f64,
    /// Average data frames a second over the run
    #[arg(long, default_value_t = 5000.0, value_parser = positive)]
    rate: f64,
    /// Symbols traded
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2000))]
    symbols: u32,
    /// Keep the journal in this folder (default: a temporary one, removed at the end)
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// MiB a segment file; two a stream are allocated ahead
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(3..=2047))]
    segment_mib: u32,
    /// An opening burst at ten times the rate; the average stays
    #[arg(long)]
    burst: bool,
    /// The venue writes each frame it sent to this file
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Seed of symbols, prices and trades
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the stages run: auto, fused (one thread) or split (a thread each)
    #[arg(long, default_value = "auto")]
    placement: Placement,
    /// What hot threads do without work: spin, yield or park
    #[arg(long, default_value = "yield")]
    wait: WaitStrategy,
    /// End with one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// What the venue sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    frames: u64,
    records: u64,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let scratch = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("hoga demo: no temporary folder: {error}; name one in TMPDIR");
            return ExitCode::FAILURE;
        }
    };
    let dir = args.journal.clone().unwrap_or_else(|| scratch.path().join("journal"));
    let stop = stop_flag();
    match play(&args, &dir, &scratch.path().join("keys"), &stop) {
        Ok((sent, summary, placement)) => report(&args, &dir, sent, &summary, &placement),
        Err(error) => {
            eprintln!("hoga demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(args: &Args, dir: &Path, keys: &Path, stop: &AtomicBool) -> Result<(Sent, Summary, String), DemoError> {
    let symbols = args.symbols as usize;
    let registrations = symbols * 2 + symbols.min(WIDE_SYMBOLS) * WIDE_TRS.len() + INDICES.len();
    let sim = SimConfig {
        app_keys: AppKey::generate(registrations.div_ceil(REGISTRATIONS_MAX)),
        symbols,
        seconds: args.seconds,
        rate: args.rate,
        seed: args.seed,
        burst: if args.burst { Burst::Opening { factor: 10.0, share: BURST_SHARE } } else { Burst::None },
        open_when: OpenWhen::Registrations { count: registrations },
        ledger: args.ledger.clone(),
        ..SimConfig::default()
    };
    let market_start = sim.market_start.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let anchor_market_ns = market_start.map_or(0, |zoned| zoned.timestamp().as_nanosecond() as u64);
    let market = MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale: sim.time_scale };
    let accounts = sim.app_keys.iter().enumerate().map(|(index, key)| Account {
        name: format!("demo-{}", index + 1),
        credentials: Credentials { app_key: Secret::new(&key.app_key), app_secret: Secret::new(&key.app_secret) },
    });
    let accounts: Vec<Account> = accounts.collect();
    let venue = Venue::start(sim)?;
    let config = config(args, dir, keys, &venue, &accounts);
    config.check().map_err(EngineError::from)?;
    let mut engine = Engine::start_with(&config, accounts, Options { market, leave: Leave::WhenClosed })?;
    let placement = engine.placement().to_owned();

    let started = Instant::now();
    let mut line = ProgressLine::default();
    let mut over_since: Option<Instant> = None;
    while !engine.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let elapsed = started.elapsed();
        let head = match venue.market_anchor() {
            Some(anchor) => {
                let seconds = wall_ns().saturating_sub(anchor.wall_ns) as f64 / 1e9;
                format!("{:>5.1} / {} s", seconds.min(args.seconds), args.seconds)
            }
            None => format!("subscribing, {} of {registrations}", venue.ledger().registrations),
        };
        line.show(elapsed, &head, &engine.summary());
        // Relaxed: a flag alone.
        if stop.load(Ordering::Relaxed) {
            venue.stop();
        }
        if venue.is_finished() && over_since.get_or_insert_with(Instant::now).elapsed() > END_TIMEOUT {
            engine.stop();
            break;
        }
    }
    line.finish();
    let summary = engine.join()?;
    let counts = venue.join().counts;
    Ok((Sent { frames: counts.frames_sent, records: counts.records_sent }, summary, placement))
}

fn config(args: &Args, dir: &Path, keys: &Path, venue: &Venue, accounts: &[Account]) -> Config {
    Config {
        journal: JournalSection { dir: dir.to_owned(), segment_mib: args.segment_mib, ..JournalSection::default() },
        engine: EngineSection { placement: args.placement, wait: args.wait, ..EngineSection::default() },
        retention: RetentionSection::default(),
        kis: KisSection {
            environment: Environment::Simulator,
            rest_url: venue.rest_url(),
            ws_url: venue.ws_url(),
            subscribe_pace_ms: 1,
            max_registrations: REGISTRATIONS_MAX,
            rest: RestSection { keys_dir: Some(keys.to_owned()), ..RestSection::default() },
            calendar_overrides: None,
            market_time: None,
            notices: None,
            // A venue of our own bans nobody, and its app keys are the same in each demo.
            session: SessionSection { connect_budget: 0, check_calendar: false, ..SessionSection::default() },
            account: accounts
                .iter()
                .map(|account| KisAccount { name: account.name.clone(), ..KisAccount::default() })
                .collect(),
            subscribe: subscriptions(venue.symbols()),
        },
    }
}

/// Trades and books of all symbols on KRX; every feed of the first few; two indices.
fn subscriptions(symbols: &[SymbolInfo]) -> Vec<KisSubscription> {
    let codes: Vec<String> = symbols.iter().map(|symbol| symbol.code.clone()).collect();
    let wide = codes[..codes.len().min(WIDE_SYMBOLS)].to_vec();
    let of = |tr: &str, keys: &[String]| KisSubscription {
        tr: tr.to_owned(),
        keys: keys.to_vec(),
        ..KisSubscription::default()
    };
    let all = ["H0STCNT0", "H0STASP0"].map(|tr| of(tr, &codes));
    let wide = WIDE_TRS.map(|tr| of(tr, &wide));
    let indices = of("H0UPCNT0", &INDICES.map(str::to_owned));
    all.into_iter().chain(wide).chain([indices]).collect()
}

fn report(args: &Args, dir: &Path, sent: Sent, summary: &Summary, placement: &str) -> ExitCode {
    let received = summary.get(Counter::FramesReceived);
    // What a dead writer left half done was completed at the opening; this venue did not send it.
    let journaled = summary.get(Counter::RecordsJournaled) - summary.recovered_records;
    let complete = sent.frames == received && sent.records == journaled;
    if args.json {
        let object = json!({
            "frames_sent": sent.frames,
            "records_sent": sent.records,
            "frames_received": received,
            "records_journaled": journaled,
            "rejects": summary.get(Counter::Rejects),
            "rejects_by_reason": rejects_json(summary),
            "gaps": summary.get(Counter::Gaps),
            "placement": placement,
            "latency_ns": latency_json(summary),
        });
        say!("{object}");
    } else {
        say!("sent      {:>12} frames {:>12} records   (the venue's ledger)", count(sent.frames), count(sent.records));
        say_recorded(summary, received, journaled, placement);
        let verdict =
            if complete { "complete: every record sent is in the journal" } else { "NOT complete: the counts differ" };
        say!("{verdict}");
        if args.journal.is_some() {
            say!("look at it: hoga dump {0} --limit 20, hoga verify {0}, hoga stat {0}", dir.display());
        } else {
            say!("keep the journal with --journal DIR, then: hoga dump DIR, hoga verify DIR, hoga stat DIR");
        }
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why the demo could not be played.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// The venue.
    #[error("the simulated venue: {0}")]
    Venue(#[from] kis_sim::SimError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
