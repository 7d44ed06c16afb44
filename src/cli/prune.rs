//! `hoga prune`: old days go, by an explicit policy alone.

use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::ProgressBar;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::output;
use super::seal::{day, failed};
use crate::journal::{self, Policy, PruneReport};

/// Deletes old sealed days of a journal, oldest first.
///
/// Kept are the newest N trading days recorded (--keep-days), and of the rest as many of the newest as fit
/// (--keep-bytes). Never deleted: the newest day, a day that is not sealed, a day under legal hold (--hold). Every
/// deletion is written to `audit.log` with the digests before the first file goes; the day's manifest stays.
///
/// Exit status: 0 done, 1 could not be done, 2 no journal there or nothing said of what to keep.
///
/// Examples:
///   hoga prune journal --keep-days 30 --dry-run
///   hoga prune journal --keep-bytes 500000000000 --json
///   hoga prune journal --hold 2026-11-23 --reason "case 42"
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Trading days to keep, at least 1.
    #[arg(long, value_name = "N", group = "what", value_parser = clap::value_parser!(u32).range(1..))]
    keep_days: Option<u32>,
    /// Bytes of segment files to keep.
    #[arg(long, value_name = "B", group = "what")]
    keep_bytes: Option<u64>,
    /// Put a day under legal hold: it is never deleted until it is released.
    #[arg(long, value_name = "DAY", group = "what", value_parser = day, conflicts_with_all = ["keep_days", "keep_bytes", "release"])]
    hold: Option<Date>,
    /// Take a hold away.
    #[arg(long, value_name = "DAY", group = "what", value_parser = day, conflicts_with_all = ["keep_days", "keep_bytes"])]
    release: Option<Date>,
    /// Why a day is held or released, for the log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only say what would be deleted; not with --hold or --release, which delete nothing and are done at once.
    #[arg(long, conflicts_with_all = ["hold", "release"])]
    dry_run: bool,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let (dir, reason) = (&args.dir, &args.reason);
    let done = if let Some(day) = args.hold {
        journal::hold(dir, day, reason).map(|()| held(&args, "held", day, true))
    } else if let Some(day) = args.release {
        journal::release(dir, day, reason).map(|was_held| held(&args, "released", day, was_held))
    } else {
        let policy = Policy { keep_days: args.keep_days, keep_bytes: args.keep_bytes };
        // Hidden by itself where stderr is no terminal.
        let spinner = ProgressBar::new_spinner();
        let pruned = journal::prune(dir, policy, args.dry_run, |path| {
            spinner.set_message(format!("prune {}", path.display()));
            spinner.tick();
        });
        spinner.finish_and_clear();
        pruned.map(|report| if args.json { to_json(&args, &report) } else { to_text(&args, &report) })
    };
    match done {
        Ok(text) => match output::write(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => code,
        },
        Err(error) => failed("prune", &error),
    }
}

fn held(args: &Args, what: &str, day: Date, changed: bool) -> String {
    if args.json {
        return format!("{}\n", json!({ what: day.to_string(), "changed": changed }));
    }
    match changed {
        true => format!("{day} is {what}\n"),
        false => format!("{day} was not held\n"),
    }
}

fn to_json(args: &Args, report: &PruneReport) -> String {
    let pruned: Vec<Value> = report
        .pruned
        .iter()
        .map(|day| json!({ "day": day.day.to_string(), "segments": day.segments, "bytes": day.bytes, "why": day.why }))
        .collect();
    let names = |days: &[Date]| days.iter().map(Date::to_string).collect::<Vec<_>>();
    let object = json!({
        "dry_run": args.dry_run,
        "pruned": pruned,
        "held": names(&report.held),
        "unsealed": names(&report.unsealed),
        "damaged_manifests": report.damaged_manifests.iter().map(|(file, _)| file).collect::<Vec<_>>(),
        "bytes_freed": report.pruned.iter().map(|day| day.bytes).sum::<u64>(),
        "bytes_left": report.bytes_left,
    });
    format!("{object}\n")
}

fn to_text(args: &Args, report: &PruneReport) -> String {
    let verb = if args.dry_run { "would be deleted" } else { "deleted" };
    let mut text = String::new();
    for day in &report.pruned {
        text.push_str(&format!("{}: {} segments, {} bytes {verb} ({})\n", day.day, day.segments, day.bytes, day.why));
    }
    for day in &report.held {
        text.push_str(&format!("{day}: kept, under legal hold\n"));
    }
    for day in &report.unsealed {
        text.push_str(&format!("{day}: kept, not sealed; see `hoga seal`\n"));
    }
    for (file, fault) in &report.damaged_manifests {
        text.push_str(&format!("{file}: {fault}; that day is left alone\n"));
    }
    let freed: u64 = report.pruned.iter().map(|day| day.bytes).sum();
    text.push_str(&format!("{freed} bytes {verb}, {} left\n", report.bytes_left));
    text
}
