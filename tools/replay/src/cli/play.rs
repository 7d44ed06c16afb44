//! `hoga-replay play`: the records of journals, at the pace they came or at another.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hoga::market::kst;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::failure::Failure;
use super::filters::filter_of;
use super::source::Source;
use crate::control::{Controls, listen};
use crate::journals::find_journals;
use crate::merge::{By, Merge};
use crate::pace::Speed;
use crate::play::{Format, Lines, PlayError, Played, play};

/// Between two looks of a person at the progress.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Prints the records of journals in the order of their time, at the pace they came or at another.
///
/// One record a line, in the form of `hoga dump --json` (or as CSV). Several journals are merged by time; of one time the
/// journal named first comes first. A folder of days is all of its journals; --from and --to choose among them, and a time
/// without a date is of each journal's own day.
///
/// The pace is that of the first record on: what is late does not make the rest late. How exactly it went is said on
/// stderr at the end. By event time, records that have none come with the record before them, and one that is later than 5
/// seconds takes its place at once. Overnight gaps between journals are kept: use --speed max or play a day at a time.
///
/// Keys, where there is a pace or steps: space pauses and resumes, s or enter steps, q ends. Signals: SIGUSR1 pauses, SIGUSR2 resumes. With --speed step
/// and standard input no terminal, each line of it is a step.
///
/// Exit status: 0 printed, 1 a record is damaged (those before it were printed), 2 wrong use.
///
/// Examples:
///   hoga-replay play journal --from 09:00 --to 09:10 --symbol 005930
///   hoga-replay play journal --speed 1 --kind trade | strategy
///   hoga-replay play days --from 2026-11-23 --to 2026-11-27 --format csv --kind trade > week.csv
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Times the recorded speed (1, 10, 0.5), or max, or step.
    #[arg(long, value_name = "N|max|step", default_value = "max")]
    speed: Speed,
    /// Time that orders and paces the records.
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// Form of the records.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Say how it went as one JSON object on stderr.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let journals = find_journals(&args.source.dirs)?;
    let mut inputs = Vec::new();
    let mut kinds = Vec::new();
    for journal in &journals {
        let filter = filter_of(&args.source, &journal.path)?;
        kinds.clone_from(&filter.kinds);
        inputs.push((journal.path.as_path(), filter));
    }
    let controls = Controls::default();
    let keys = listen(&controls, args.speed).map_err(|error| Failure::Wrong(format!("signals and keys: {error}")))?;
    let mut merge = Merge::open_with(inputs, args.by, &controls)?;
    // Lines on the same terminal are progress enough.
    let bar = progress(!io::stdout().is_terminal());
    let mut shown = Instant::now();
    let mut count = 0_u64;
    let played = Lines::new(io::stdout().lock(), args.format, &kinds).map_err(PlayError::from).and_then(|mut lines| {
        play(&mut merge, &mut lines, args.speed, &controls, |record| {
            count += 1;
            // The clock is not looked at for every record of a flat-out replay.
            if (args.speed != Speed::Max || count.is_multiple_of(1024)) && shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                bar.set_position(count);
                let paused = if controls.is_paused() { "  paused" } else { "" };
                bar.set_message(format!("{} KST{paused}", kst::text(record.time)));
            }
        })
    });
    bar.finish_and_clear();
    drop(keys);
    say(&played?, args.json);
    Ok(ExitCode::SUCCESS)
}

fn progress(is_wanted: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{spinner} {msg}  {human_pos} records  {per_sec}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    // Indicatif draws on a terminal only.
    bar.set_draw_target(if is_wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
    bar
}

/// Says how it went: as an object when asked to, else a line where there is a pace to speak of.
fn say(played: &Played, json: bool) {
    let seconds = played.elapsed.as_secs_f64();
    if json {
        let late = played.lateness.map(|late| json!({"p50": late.p50_ns, "p99": late.p99_ns, "max": late.max_ns}));
        let object = json!({
            "records": played.records, "seconds": seconds, "ended_early": played.was_ended,
            "first_time_ns": played.first_time, "last_time_ns": played.last_time, "pace_error_ns": late,
            "pruned": played.pruned,
        });
        eprintln!("{object}");
        return;
    }
    if played.pruned > 0 {
        eprintln!("{} records on the way were deleted by retention, as audit.log says", played.pruned);
    }
    if let Some(late) = played.lateness {
        eprintln!(
            "{} records in {seconds:.3} s; behind their moment by {:.1} µs at p50, {:.1} µs at p99, {:.1} µs at most",
            played.records,
            late.p50_ns as f64 / 1e3,
            late.p99_ns as f64 / 1e3,
            late.max_ns as f64 / 1e3
        );
    }
}
