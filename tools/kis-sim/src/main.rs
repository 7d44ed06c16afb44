//! Arguments to a configuration, a venue, one summary line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use jiff::civil::DateTime;
use kis_sim::{
    Accept, AppKey, Burst, FaultFile, MasterSizes, OpenWhen, SCRIPTS, Script, SimConfig, SimError, Summary, Venue,
    Widths,
};

/// A KIS venue on loopback: REST and WebSocket, a consistent simulated market, scripted faults.
///
/// Point a client at the two addresses of its first line; the market opens when the client has subscribed. It runs until
/// it is told to stop (SIGINT, SIGTERM) or for --seconds, and ends with a Close to each connection. Any app key and secret
/// is taken unless --app-keys or a configuration file says whose. Flags override the configuration file.
#[derive(Parser, Debug)]
#[command(name = "kis-sim", version, after_help = after_help())]
struct Args {
    /// TOML file with any field of the configuration: app_keys, faults, limits, ... Unknown keys are refused.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Misbehave: a name of the list below, or a TOML file of `[[faults]]` and `[[rest_faults]]` and nothing else, which is
    /// for --config. May be given several times.
    #[arg(long, value_name = "NAME|FILE")]
    faults: Vec<String>,
    /// Symbols traded: how many, or their codes as 005930,0074K0 [default: 100].
    #[arg(long, value_name = "COUNT|LIST", value_parser = parse_symbols)]
    symbols: Option<Symbols>,
    /// Wall seconds from the opening of the market to the Close; without it, until told to stop. When the market doesn't open
    /// for so long, half a minute at least, because nobody registers, the run is over too.
    #[arg(long)]
    seconds: Option<f64>,
    /// Data frames a second, averaged over the run and summed over connections [default: 1000].
    #[arg(long)]
    rate: Option<f64>,
    /// Opening burst: so many times the average rate for this share of the run, as 10:0.05.
    #[arg(long, value_name = "FACTOR:SHARE", value_parser = parse_burst)]
    burst: Option<Burst>,
    /// Seed of symbols, prices and walk [default: 1].
    #[arg(long)]
    seed: Option<u64>,
    /// Fields of a trade: 47 as since 2026-09-14, or 46 with books of 59 as most published clients know them [default: 47].
    #[arg(long, value_name = "46|47", value_parser = parse_width)]
    width: Option<Widths>,
    /// Layout of the records by its time; what --width says and the one between [default: after].
    #[arg(long, conflicts_with = "width")]
    widths: Option<WidthsArg>,
    /// Market time at the opening, KST [default: 2026-11-20T08:59:59]; its date decides the hours: special days begin later,
    /// on weekends and holidays nothing is sent.
    #[arg(long, value_name = "DATETIME")]
    market_start: Option<DateTime>,
    /// Market seconds per wall second [default: 1].
    #[arg(long)]
    time_scale: Option<f64>,
    /// Squeeze a whole trading day, 07:50 to 20:10 with every phase of both venues, into the run.
    #[arg(long, conflicts_with = "time_scale")]
    day: bool,
    /// Open when so many registrations are active; without it, 300 ms after the last of the first ones.
    #[arg(long, value_name = "COUNT")]
    open_at: Option<usize>,
    /// Port of REST; 0 takes any free one [default: 0].
    #[arg(long)]
    rest_port: Option<u16>,
    /// Port of the WebSocket server; 0 takes any free one [default: 0].
    #[arg(long)]
    ws_port: Option<u16>,
    /// Take only so many app keys, always the same ones; each may hold one session of 41 registrations.
    #[arg(long, value_name = "COUNT")]
    app_keys: Option<usize>,
    /// Print the app keys and secrets, which are invented, one JSON object a line.
    #[arg(long)]
    show_keys: bool,
    /// Print the symbols, one a line.
    #[arg(long)]
    show_symbols: bool,
    /// Quotations a second that REST answers for one app key; 0: no limit [default: 18].
    #[arg(long, value_name = "COUNT")]
    rest_rate: Option<u32>,
    /// Rows of the master files, served below /common/master/ [default: small].
    #[arg(long, value_name = "SIZE")]
    masters: Option<MastersArg>,
    /// Behave as the mock server, which knows five TRs and answers one quotation a second.
    #[arg(long)]
    mock: bool,
    /// Write a line for each data frame sent: wall ns, connection, text.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Print the line of addresses and the final summary as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  kis-sim --rest-port 9443 --ws-port 21000 --symbols 005930,0074K0 --width 46
  kis-sim --symbols 200 --rate 20000 --seconds 8 --burst 10:0.05 --app-keys 10 --ledger sent.tsv --json
  kis-sim --config faults.toml        with, for example:
      seconds = 30
      [[faults]]
      at = { frame = 1000 }
      connection = 1
      fault = { kind = \"drop\", n = 3 }";

fn after_help() -> String {
    let width = SCRIPTS.iter().map(|script| script.name.len()).max().unwrap_or(0);
    let scripts: Vec<String> =
        SCRIPTS.iter().map(|script| format!("  {:width$}  {}", script.name, script.meaning)).collect();
    format!("{EXAMPLES}\n\nMisbehaviours (--faults):\n{}", scripts.join("\n"))
}

/// What `--faults` names: a script, or the faults of a file.
fn misbehave(config: &mut SimConfig, name: &str) -> Result<(), SimError> {
    match Script::find(name) {
        Some(script) => script.apply(config),
        None if std::path::Path::new(name).exists() => {
            FaultFile::from_toml_file(name.as_ref())?.apply(config);
        }
        None => {
            let known: Vec<&str> = SCRIPTS.iter().map(|script| script.name).collect();
            let expected = format!("--faults {name}: no such file, and none of {}", known.join(", "));
            return Err(SimError::Config(expected));
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WidthsArg {
    /// Trades 46 and KRX books 59 fields, as most published clients expect.
    Sample,
    /// Until 2026-09-11: 46 and 62.
    Before,
    /// Since 2026-09-14: 47 and 63.
    After,
}

/// What `--symbols` names.
#[derive(Clone, Debug)]
enum Symbols {
    Count(usize),
    Codes(Vec<String>),
}

/// A count has up to four digits, a code at least six characters.
fn parse_symbols(text: &str) -> Result<Symbols, String> {
    match text.parse() {
        Ok(count) if text.len() < 6 => Ok(Symbols::Count(count)),
        _ => Ok(Symbols::Codes(text.split(',').map(|code| code.trim().to_owned()).collect())),
    }
}

fn parse_width(text: &str) -> Result<Widths, String> {
    match text {
        "46" => Ok(Widths::Sample),
        "47" => Ok(Widths::After20260914),
        _ => Err("expected 46 or 47".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MastersArg {
    /// The traded symbols, and a few rows of every other kind.
    Small,
    /// As many as the real ones.
    Full,
}

fn parse_burst(text: &str) -> Result<Burst, String> {
    let wanted = || format!("expected FACTOR:SHARE as 10:0.05, found {text}");
    let (factor, share) = text.split_once(':').ok_or_else(wanted)?;
    Ok(Burst::Opening { factor: factor.parse().map_err(|_| wanted())?, share: share.parse().map_err(|_| wanted())? })
}

/// Seconds for which a run that has a length waits for its first registration at least.
const OPENING_WAIT_S: f64 = 30.0;

/// A file that names no length of the run means one without an end.
fn endless_unless_told(mut config: SimConfig, path: &std::path::Path) -> Result<SimConfig, SimError> {
    let told = std::fs::read_to_string(path)?.parse::<toml::Table>().is_ok_and(|table| table.contains_key("seconds"));
    config.seconds = if told { config.seconds } else { f64::INFINITY };
    Ok(config)
}

fn configuration(args: &Args) -> Result<SimConfig, SimError> {
    let mut config = match &args.config {
        Some(path) => endless_unless_told(SimConfig::from_toml_file(path)?, path)?,
        None if args.app_keys.is_some() => SimConfig { seconds: f64::INFINITY, ..SimConfig::default() },
        None => SimConfig { seconds: f64::INFINITY, accept: Accept::AnyKey, ..SimConfig::default() },
    };
    fn set<T: Clone>(field: &mut T, value: &Option<T>) {
        if let Some(value) = value {
            field.clone_from(value);
        }
    }
    match &args.symbols {
        Some(Symbols::Count(count)) => (config.symbols, config.codes) = (*count, Vec::new()),
        Some(Symbols::Codes(codes)) => config.codes.clone_from(codes),
        None => {}
    }
    set(&mut config.seconds, &args.seconds);
    set(&mut config.rate, &args.rate);
    set(&mut config.burst, &args.burst);
    set(&mut config.seed, &args.seed);
    set(&mut config.market_start, &args.market_start);
    set(&mut config.time_scale, &args.time_scale);
    set(&mut config.app_keys, &args.app_keys.map(AppKey::generate));
    set(&mut config.open_when, &args.open_at.map(|count| OpenWhen::Registrations { count }));
    let port = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    set(&mut config.rest_listen, &args.rest_port.map(port));
    set(&mut config.ws_listen, &args.ws_port.map(port));
    if let Some(widths) = args.widths {
        config.widths = match widths {
            WidthsArg::Sample => Widths::Sample,
            WidthsArg::Before => Widths::Before20260914,
            WidthsArg::After => Widths::After20260914,
        };
    }
    set(&mut config.widths, &args.width);
    set(
        &mut config.masters,
        &args.masters.map(|size| match size {
            MastersArg::Small => MasterSizes::Small,
            MastersArg::Full => MasterSizes::Full,
        }),
    );
    for name in &args.faults {
        misbehave(&mut config, name)?;
    }
    if args.mock {
        misbehave(&mut config, "mock")?;
    }
    set(&mut config.limits.requests_per_second, &args.rest_rate);
    if config.opening_wait_s.is_infinite() {
        config.opening_wait_s = config.seconds.max(OPENING_WAIT_S);
    }
    if args.ledger.is_some() {
        config.ledger.clone_from(&args.ledger);
    }
    for (name, given) in [("--day", args.day), ("--burst", args.burst.is_some())] {
        if given && config.seconds.is_infinite() {
            return Err(SimError::Config(format!("{name} is a share of the run: say how long it is by --seconds")));
        }
    }
    Ok(if args.day { config.whole_day() } else { config })
}

/// A line on standard output. A reader that went away does not stop the venue.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

fn run(args: &Args) -> Result<Summary, SimError> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let venue = Venue::start(configuration(args)?)?;
    if args.json {
        say!("{}", serde_json::json!({ "rest": venue.rest_url(), "ws": venue.ws_url() }));
    } else {
        say!("ready: REST {} WebSocket {}", venue.rest_url(), venue.ws_url());
    }
    if args.show_keys {
        for key in &venue.config().app_keys {
            say!("{}", serde_json::json!({ "app_key": key.app_key, "app_secret": key.app_secret }));
        }
    }
    if args.show_symbols {
        for symbol in venue.symbols() {
            say!("{} {} {}", symbol.code, symbol.base_px, symbol.name);
        }
    }
    while !venue.is_finished() {
        if interrupted.load(Ordering::Relaxed) {
            venue.stop();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(venue.join())
}

fn main() -> ExitCode {
    let args = Args::parse();
    let summary = match run(&args) {
        Ok(summary) => summary,
        Err(error) => {
            eprintln!("kis-sim: {error}");
            return ExitCode::FAILURE;
        }
    };
    if args.json {
        match serde_json::to_string(&summary) {
            Ok(line) => say!("{line}"),
            Err(error) => eprintln!("kis-sim: {error}"),
        }
    } else {
        let counts = &summary.counts;
        say!(
            "{} frames, {} records, {} bytes in {:.3} s: {:.0} frames/s; late by {} us at most, {} us at p99",
            counts.frames_sent,
            counts.records_sent,
            counts.bytes_sent,
            summary.seconds,
            summary.frames_per_second,
            summary.lateness_ns_max / 1000,
            summary.lateness_ns_p99 / 1000,
        );
        for (tr_id, frames) in &counts.frames_by_tr {
            say!("  {tr_id} {frames}");
        }
    }
    ExitCode::SUCCESS
}
