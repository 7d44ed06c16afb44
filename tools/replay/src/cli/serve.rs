//! `hoga-replay serve`: a recorded day for clients of the broker's protocol.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hoga::journal::{Filter, newest_day, parse_bound};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::failure::{Failure, print_line};
use super::filters::{kinds_of, venues_of};
use crate::pace::Speed;
use crate::serve::{Begin, Config, Outcome, Served, loopback};

/// Serves a recorded day by the broker's WebSocket protocol: an unmodified client sees it again.
///
/// Point the client's REST and WebSocket addresses at the two printed; any app key is accepted. The day begins when
/// registrations have paused, and ends with a Close on every connection.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A feed's times without a date are dated by the client's clock: it sees today where the recording says so only \
                  by the time of day.\n\nExample:\n  hoga-replay serve journal --port 21000 --speed 10"
)]
pub struct Args {
    /// The journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Port of the WebSocket server on 127.0.0.1; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Port of the REST server; 0 takes any [default: PORT + 1, or any]
    #[arg(long, value_name = "PORT")]
    rest_port: Option<u16>,
    /// Recorded seconds a second: 1, 10, 0.5; or max
    #[arg(long, value_name = "SPEED", default_value = "1")]
    speed: Speed,
    /// Only frames registered by this key, as a rule the symbol, e.g. 005930; may be given several times
    #[arg(long, value_name = "SYMBOL")]
    symbol: Vec<String>,
    /// Only frames of transactions of this kind, e.g. trade, book; may be given several times
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only frames of transactions of this venue, e.g. KRX, NXT; may be given several times
    #[arg(long, value_name = "VENUE")]
    venue: Vec<String>,
    /// From this time of receipt (KST: 2026-11-23T09:00, or 09:00 of the newest day), or this sequence of stream raw
    #[arg(long, value_name = "TIME|SEQUENCE")]
    from: Option<String>,
    /// To before this time, or to this sequence, itself included
    #[arg(long, value_name = "TIME|SEQUENCE")]
    to: Option<String>,
    /// Begin when no registration came for so many milliseconds after the first
    #[arg(long, value_name = "MS", default_value_t = 1000, conflicts_with = "registrations")]
    quiet: u64,
    /// Begin when so many registrations are in force
    #[arg(long, value_name = "COUNT")]
    registrations: Option<usize>,
    /// Go on listening when the day is over, until stopped
    #[arg(long)]
    stay: bool,
    /// One JSON object when ready, one at the end
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = config(&args)?;
    // Before the first client can be there.
    let stop = stop_flag();
    let served = Served::start(&config)?;
    print_ready(&args, &served)?;
    while !served.is_finished() {
        // Relaxed: a flag alone.
        if stop.load(Ordering::Relaxed) {
            served.stop();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let outcome = served.join();
    print_outcome(&args, &outcome)?;
    if let Some(failure) = &outcome.failure {
        eprintln!("hoga-replay serve: {}: {failure}", args.dir.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn config(args: &Args) -> Result<Config, String> {
    let day = newest_day(&args.dir);
    let bound = |text: &Option<String>, is_to| {
        text.as_deref().map(|text| parse_bound(text, day, is_to)).transpose().map_err(|error| error.to_string())
    };
    let rest_port = match (args.rest_port, args.port) {
        (Some(port), _) => port,
        (None, 0) => 0,
        (None, port) => {
            port.checked_add(1).ok_or("the port above 65535 for REST does not exist: name one by --rest-port")?
        }
    };
    Ok(Config {
        dir: args.dir.clone(),
        filter: Filter {
            symbols: args.symbol.clone(),
            kinds: kinds_of(&args.kind)?,
            venues: venues_of(&args.venue)?,
            from: bound(&args.from, false)?,
            to: bound(&args.to, true)?,
        },
        speed: args.speed,
        ws: loopback(args.port),
        rest: loopback(rest_port),
        begin: args.registrations.map_or(Begin::Quiet(args.quiet), Begin::Registrations),
        stay: args.stay,
    })
}

/// Set by SIGINT and SIGTERM; a second one ends the process at once.
fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}

fn print_ready(args: &Args, served: &Served) -> Result<(), Failure> {
    let market = served.market();
    // Whoever waits for this line reads a pipe: it is flushed.
    print_line(if args.json {
        let ready = json!({
            "state": "ready",
            "ws_url": served.ws_url(),
            "rest_url": served.rest_url(),
            "first_recv_ns": served.first_ns(),
            "first_market_ns": market.market_ns(served.first_ns()),
        });
        ready.to_string()
    } else {
        format!("serving {}: WebSocket {}  REST {}", args.dir.display(), served.ws_url(), served.rest_url())
    })
}

fn print_outcome(args: &Args, outcome: &Outcome) -> Result<(), Failure> {
    let Outcome { frames_read, control_frames, frames_unservable, summary, .. } = outcome;
    print_line(if args.json {
        let ended = json!({
            "state": "ended",
            "frames_read": frames_read,
            "control_frames": control_frames,
            "frames_unservable": frames_unservable,
            "frames_sent": summary.counts.frames_sent,
            "seconds": summary.seconds,
            "lateness_ns_p50": summary.lateness_ns_p50,
            "lateness_ns_p99": summary.lateness_ns_p99,
            "lateness_ns_max": summary.lateness_ns_max,
        });
        ended.to_string()
    } else {
        format!(
            "{frames_read} frames read, {} sent in {:.1} s; late by {} us at the 99th percentile",
            summary.counts.frames_sent,
            summary.seconds,
            summary.lateness_ns_p99 / 1000
        )
    })
}
