//! `hoga run`: records until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::summary::{ProgressLine, latency_json, latency_table, rejects_json};
use super::units::count;
use crate::config::Config;
use crate::engine::{Engine, EngineError, Options, ReloadError, Stop, Summary};
use crate::feed::kis::account::NoticesSection;
use crate::journal::Verdict;
use crate::market::calendar::Calendar;
use crate::metrics::Counter;

/// Arguments of `hoga run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stop it with Ctrl-C or SIGTERM: connections are closed, what came is committed, the journal is \
                        closed.\nAfter a change of what to record ([[kis.subscribe]]), SIGHUP takes it over without a break.\nWatch it from another terminal with `hoga stat DIR` and `hoga tail DIR`.\n\nExample:\n  \
                        KIS_APP_KEY=... KIS_APP_SECRET=... hoga run --config examples/hoga.toml"
)]
pub struct Args {
    /// Configuration, TOML; examples/hoga.toml explains every field
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration and where the secrets are, and say where the stages would run
    #[arg(long)]
    check: bool,
    /// End with one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("hoga run: {error}");
            return ExitCode::from(2);
        }
    };
    if args.check {
        return check(&config);
    }
    let stop = stop_flag();
    let started = Instant::now();
    let mut placement = String::new();
    let watched = Engine::start(&config, Options::default()).and_then(|engine| {
        engine.placement().clone_into(&mut placement);
        watch(engine, &args.config, &stop, started)
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
            ExitCode::from(if matches!(error, EngineError::Config(_)) { 2 } else { 1 })
        }
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

fn watch(mut engine: Engine, path: &Path, stop: &AtomicBool, started: Instant) -> Result<Summary, EngineError> {
    let hangup = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(SIGHUP, Arc::clone(&hangup));
    let placement = engine.placement();
    tracing::info!(placement, journal = %engine.dir().display(), "recording");
    tell_recovery(&engine);
    let mut line = ProgressLine::default();
    // Relaxed: a flag alone.
    while !stop.load(Ordering::Relaxed) && !engine.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        // Relaxed: a flag alone.
        if hangup.swap(false, Ordering::Relaxed) {
            reload(&mut engine, path);
        }
        let elapsed = started.elapsed();
        line.show(elapsed, &format!("{:>6.0} s", elapsed.as_secs_f64()), &engine.summary());
    }
    line.finish();
    engine.stop();
    engine.join()
}

/// Reads the configuration again, for its list of what to record.
fn reload(engine: &mut Engine, path: &Path) {
    match Config::load(path).map_err(ReloadError::from).and_then(|config| engine.reload(&config)) {
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

fn check(config: &Config) -> ExitCode {
    use crate::engine::placement::{available_cores, plan};
    for account in &config.kis.account {
        if let Err(error) = account.credentials() {
            eprintln!("hoga run: {error}");
            return ExitCode::from(2);
        }
    }
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
    let registrations: usize = config.kis.subscribe.iter().map(|subscription| subscription.keys.len()).sum();
    say!("configuration good: {registrations} registrations on {} app keys", config.kis.account.len());
    say!("placement: {}", plan(&config.engine, available_cores()).text);
    ExitCode::SUCCESS
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
        "{} frames, {} records in {:.1} s; {} rejects, {} gaps; {} of {} registrations confirmed, {} disconnects",
        count(frames),
        count(records),
        elapsed.as_secs_f64(),
        summary.get(Counter::Rejects),
        summary.get(Counter::Gaps),
        summary.sessions.confirmed_max,
        summary.sessions.wanted,
        summary.sessions.disconnects,
    );
    say!("placement: {placement}");
    say!("{}", latency_table(summary));
}
