//! `hoga run`: records until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::summary::{ProgressLine, latency_json, rejects_json, say_recorded};
use crate::config::Config;
use crate::engine::{Engine, EngineError, Options, Stop, Summary};
use crate::feed::kis::account::NoticesSection;
use crate::feed::kis::universe::{self, UniverseError};
use crate::journal::Verdict;
use crate::market::calendar::Calendar;
use crate::metrics::Counter;

/// Arguments of `hoga run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stop it with Ctrl-C or SIGTERM: connections are closed, what came is committed, the journal is \
                        closed.\nAfter a change of what to record ([[kis.subscribe]]), SIGHUP takes it over without a break.\nWatch it from another terminal with `hoga stat DIR` and `hoga tail DIR`.\n\nExamples:\n  \
                        hoga run --config hoga.toml --check\n  hoga run --config hoga.toml --seconds 30\n  \
                        KIS_APP_KEY=... KIS_APP_SECRET=... hoga run --config hoga.toml"
)]
pub struct Args {
    /// Configuration, TOML; `hoga init` writes one that explains every field
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration and where the secrets are, and say where the stages would run
    #[arg(long)]
    check: bool,
    /// Stop by itself after so many seconds
    #[arg(long, value_parser = positive)]
    seconds: Option<f64>,
    /// End with one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    super::keep_memory_private();
    if args.check {
        return check(&args.config);
    }
    // Before lists are looked up, which may take the broker a while: unheard, the signal would end the process.
    let hangup = hangup_flag();
    let config = match universe::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("hoga run: {error}");
            // What the broker does not tell is nobody's wrong use.
            return ExitCode::from(if matches!(error, UniverseError::Ranking { .. }) { 1 } else { 2 });
        }
    };
    let stop = stop_flag();
    let started = Instant::now();
    let mut placement = String::new();
    let watched = Engine::start(&config, Options::default()).and_then(|engine| {
        engine.placement().clone_into(&mut placement);
        watch(engine, &args, &stop, &hangup, started)
    });
    match watched {
        Ok(summary) => {
            print(&summary, None, &placement, started.elapsed(), args.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            if let EngineError::Stopped(stop) = &error {
                print(&stop.summary, Some(stop), &placement, started.elapsed(), args.json);
            }
            eprintln!("hoga run: {error}");
            // What --check finds, too.
            let is_wrong_use =
                matches!(error, EngineError::Config(_) | EngineError::Calendar(_) | EngineError::HtsId(_));
            ExitCode::from(if is_wrong_use { 2 } else { 1 })
        }
    }
}

/// Seconds and rates of the command line.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// Set by SIGINT and SIGTERM; a second one ends the process at once.
pub(super) fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered in this order: the first signal finds the flag unset and only sets it.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}

/// Set by SIGHUP.
fn hangup_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(SIGHUP, Arc::clone(&flag));
    flag
}

fn watch(
    mut engine: Engine,
    args: &Args,
    stop: &AtomicBool,
    hangup: &AtomicBool,
    started: Instant,
) -> Result<Summary, EngineError> {
    let placement = engine.placement();
    tracing::info!(placement, journal = %engine.dir().display(), "recording");
    tell_recovery(&engine);
    let mut line = ProgressLine::default();
    let mut loading: Option<Loading> = None;
    let is_over = || args.seconds.is_some_and(|seconds| started.elapsed().as_secs_f64() >= seconds);
    // Relaxed: a flag alone.
    while !stop.load(Ordering::Relaxed) && !engine.is_finished() && !is_over() {
        std::thread::sleep(Duration::from_millis(50));
        // Relaxed: a flag alone. One that comes while lists are looked up waits: the file may have changed since.
        if loading.is_none() && hangup.swap(false, Ordering::Relaxed) {
            let path = args.config.clone();
            loading = std::thread::Builder::new().name("hoga-lists".into()).spawn(move || universe::load(&path)).ok();
        }
        if let Some(loaded) = loading.take_if(|thread| thread.is_finished()) {
            reload(&mut engine, &args.config, loaded);
        }
        let elapsed = started.elapsed();
        let head = match args.seconds {
            Some(seconds) => format!("{:>5.1} / {seconds} s", elapsed.as_secs_f64()),
            None => format!("{:>6.0} s", elapsed.as_secs_f64()),
        };
        line.show(elapsed, &head, &engine.summary());
    }
    line.finish();
    engine.stop();
    engine.join()
}

/// The configuration read again; its lists may ask the broker, for which recording does not wait.
type Loading = JoinHandle<Result<Config, UniverseError>>;

/// Takes over the list of what to record of a configuration read again.
fn reload(engine: &mut Engine, path: &Path, loaded: Loading) {
    let taken = match loaded.join() {
        Ok(Ok(config)) => engine.reload(&config).map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("a fault of the program".to_owned()),
    };
    match taken {
        Ok(()) => tracing::info!(path = %path.display(), "the list of what to record is taken over"),
        Err(error) => tracing::error!(path = %path.display(), "the configuration is left as it was: {error}"),
    }
}

/// Says what a recorder that died left behind.
fn tell_recovery(engine: &Engine) {
    let recovery = engine.recovery();
    for (stream, found) in [("ticks", Some(&recovery.ticks)), ("raw", recovery.raw.as_ref())] {
        let Some(found) = found else { continue };
        if found.verdict != Verdict::Clean {
            let (bytes, last, case) = (found.quarantined_bytes, found.last_sequence, found.case.name());
            let meaning = found.case.explanation();
            tracing::warn!(stream, case, bytes, last, "{meaning}; what was torn is in quarantine/, recording goes on");
        } else if !found.was_closed {
            let last = found.last_sequence;
            tracing::warn!(
                stream,
                last,
                "the last recorder died without closing the journal; recording goes on behind it"
            );
        }
    }
}

fn check(path: &Path) -> ExitCode {
    use crate::engine::placement::{available_cores, plan};
    let config = match checked(path) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("hoga run: {error}");
            return ExitCode::from(2);
        }
    };
    if let Some(Err(error)) = config.kis.notices.as_ref().map(NoticesSection::hts_id) {
        eprintln!("hoga run: kis.notices: {error}");
        return ExitCode::from(2);
    }
    if let Some(path) = &config.kis.calendar_overrides
        && let Err(error) = Calendar::shipped().with_overrides(path)
    {
        eprintln!("hoga run: {error}");
        return ExitCode::from(2);
    }
    let subscriptions = &config.kis.subscribe;
    let registrations: usize = subscriptions.iter().map(|subscription| subscription.keys.len()).sum();
    let ranked: u32 = subscriptions.iter().filter_map(|subscription| subscription.top_by_turnover).sum();
    let ranked = if ranked > 0 { format!(" and up to {ranked} by the ranking at the start") } else { String::new() };
    let app_keys = config.kis.account.len();
    say!("configuration good: {registrations} registrations{ranked} on {app_keys} app keys");
    say!("placement: {}", plan(&config.engine, available_cores()).text);
    ExitCode::SUCCESS
}

/// All that can be checked without asking anybody.
fn checked(path: &Path) -> Result<Config, UniverseError> {
    let mut config = Config::load(path)?;
    universe::resolve(&mut config, &mut universe::Local)?;
    config.check()?;
    config.accounts()?;
    Ok(config)
}

fn print(summary: &Summary, stop: Option<&Stop>, placement: &str, elapsed: Duration, as_json: bool) {
    let frames = summary.get(Counter::FramesReceived);
    let records = summary.get(Counter::RecordsJournaled);
    if as_json {
        let object = json!({
            "seconds": elapsed.as_secs_f64(),
            "frames_received": frames,
            "records_journaled": records,
            "rejects": summary.get(Counter::Rejects),
            "rejects_by_reason": rejects_json(summary),
            "gaps": summary.get(Counter::Gaps),
            "missing_qty": summary.get(Counter::MissingQty),
            "registrations_wanted": summary.sessions.wanted,
            "registrations_confirmed": summary.sessions.confirmed_max,
            "registrations_refused": summary.sessions.refused,
            "disconnects": summary.sessions.disconnects,
            "stopped": stop.map(|stop| json!({
                "reason": stop.reason.name(),
                "stream": stop.stream.name(),
                "errno": stop.errno,
                "frames_left_out": stop.left_out,
                "is_unfinished": stop.is_unfinished,
            })),
            "placement": placement,
            "latency_ns": latency_json(summary),
        });
        say!("{object}");
        return;
    }
    say!(
        "{:.1} s, {} of {} registrations confirmed, {} refused, {} disconnects",
        elapsed.as_secs_f64(),
        summary.sessions.confirmed_max,
        summary.sessions.wanted,
        summary.sessions.refused,
        summary.sessions.disconnects,
    );
    say_recorded(summary, frames, records, placement);
}
