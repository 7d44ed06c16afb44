//! `hoga seal`: a day that is over gets its seals.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::output;
use super::progress::JournalBar;
use crate::journal::{self, SealError, SealEvent, SealOptions, SealReport};

/// Seals a trading day that is over: checks every record, writes a summary and a digest of each segment in a chain, and
/// the day's manifest `seals/DAY.json`. Days before it that are not sealed yet are sealed first.
///
/// What is sealed may be compressed (--compress): readers see no difference. Nothing sealed changes; running it again
/// does only what is left to do. It may run while the journal is written; the segment being written is never touched.
///
/// Exit status: 0 sealed, 1 the day is not over, or damaged (what is good before it is sealed then, and told on stdout; why
/// not all is told on stderr, with --json also in `error`), 2 no journal or no such day.
///
/// Examples:
///   hoga seal journal --day 2026-11-23
///   hoga seal journal --day 20261123 --compress --json | jq .packed
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Trading day, YYYY-MM-DD or YYYYMMDD.
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: Date,
    /// Compress the sealed segments of that day and of those before.
    #[arg(long)]
    compress: bool,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// A day as people and as headers write it.
pub(super) fn day(text: &str) -> Result<Date, String> {
    let plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let format = if plain { "%Y%m%d" } else { "%Y-%m-%d" };
    Date::strptime(format, text).map_err(|_| "a day is written 2026-11-23 or 20261123".to_owned())
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let options = SealOptions { compress_to: args.compress.then_some(args.day) };
    let mut bar = JournalBar::new("seal");
    let mut report = SealReport::default();
    let sealed = journal::seal_into(&args.dir, args.day, options, &mut report, &mut |event| {
        if let SealEvent::Progress { stream, ordinal, done, total } = event {
            bar.at(stream, ordinal, done, total);
        }
        Ok(())
    });
    drop(bar);
    let error = sealed.err();
    // What was done is told whatever ended it; where there is nothing to seal there is nothing to tell.
    if !error.as_ref().is_some_and(is_wrong_use) {
        let text = match args.json {
            true => format!("{}\n", to_json(&args, &report, error.as_ref())),
            false => to_text(&args, &report),
        };
        if let Err(code) = output::write(text.as_bytes()) {
            return code;
        }
    }
    error.map_or(ExitCode::SUCCESS, |error| failed("seal", &error))
}

/// Whether there is nothing of what was asked for.
fn is_wrong_use(error: &SealError) -> bool {
    matches!(error, SealError::NoJournal(_) | SealError::NoSuchDay { .. })
}

/// Says why, and the exit status that goes with it.
pub(super) fn failed(name: &str, error: &SealError) -> ExitCode {
    eprintln!("hoga {name}: {error}");
    ExitCode::from(if is_wrong_use(error) { 2 } else { 1 })
}

fn to_json(args: &Args, report: &SealReport, error: Option<&SealError>) -> Value {
    let days: Vec<Value> = report
        .sealed
        .iter()
        .map(|(day, entries)| {
            let segments: Vec<Value> = entries
                .iter()
                .map(|entry| {
                    json!({
                        "stream": entry.stream,
                        "ordinal": entry.ordinal,
                        "first_sequence": entry.first_sequence,
                        "last_sequence": entry.last_sequence,
                        "records": entry.records,
                        "bytes": entry.bytes,
                        "digest": entry.digest,
                        "seal": entry.seal,
                    })
                })
                .collect();
            json!({ "day": day.to_string(), "manifest": format!("seals/{day}.json"), "segments": segments })
        })
        .collect();
    let packed: Vec<Value> = report
        .packed
        .iter()
        .map(|packed| json!({ "segment": packed.segment, "bytes": packed.bytes, "packed_bytes": packed.packed_bytes }))
        .collect();
    json!({
        "day": args.day.to_string(),
        "sealed": days,
        "already": report.already,
        "packed": packed,
        "damaged_manifests": report.damaged_manifests.iter().map(|(file, _)| file).collect::<Vec<_>>(),
        "error": error.map(ToString::to_string),
    })
}

fn to_text(args: &Args, report: &SealReport) -> String {
    let mut text = String::new();
    for (day, entries) in &report.sealed {
        let records: u64 = entries.iter().map(|entry| entry.records).sum();
        text.push_str(&format!("{day}: {} segments sealed, {records} records: seals/{day}.json\n", entries.len()));
    }
    if !report.sealed.contains_key(&args.day) && report.already > 0 {
        text.push_str(&format!("{}: sealed before, {} segments\n", args.day, report.already));
    }
    if !report.packed.is_empty() {
        let bytes: u64 = report.packed.iter().map(|packed| packed.bytes).sum();
        let packed: u64 = report.packed.iter().map(|packed| packed.packed_bytes).sum();
        text.push_str(&format!("{} segments compressed: {bytes} bytes are {packed} now\n", report.packed.len()));
    }
    for (file, fault) in &report.damaged_manifests {
        text.push_str(&format!("{file}: {fault}; that day is left alone\n"));
    }
    text
}
