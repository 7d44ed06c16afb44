//! `hoga verify`: is every record there, and good?

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output;
use super::progress::JournalBar;
use super::units::{bytes, count};
use crate::journal::{self, Case, Report, StreamReport, Verdict, VerifyError};

/// Checks every record of a journal: length, checksum, sequence, and what stands behind the last one.
///
/// Says `clean` (every byte accounted for; a journal whose writer lives or died between two records is clean and open),
/// `torn` (the writer or the host died inside a record: the next opening moves those bytes to `quarantine/`), or
/// `corrupt` (committed records are damaged or missing). Changes nothing, and may be run while the journal is written:
/// then it judges what is committed.
///
/// Exit status: 0 clean or torn, 1 corrupt, 2 no journal there.
///
/// Examples:
///   hoga verify /var/lib/hoga/2026-11-23
///   hoga verify journal --json | tail -n 1 | jq .state
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let mut bar = JournalBar::new("verify");
    let report = journal::verify(&args.dir, |stream, ordinal, done, total| bar.at(stream, ordinal, done, total));
    drop(bar);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("hoga verify: {error}");
            return ExitCode::from(if is_wrong_use(&error) { 2 } else { 1 });
        }
    };
    let mut out = Vec::new();
    if args.json {
        out.extend_from_slice(to_json(&report).to_string().as_bytes());
        out.push(b'\n');
    } else {
        write_text(&mut out, &report);
    }
    if let Err(code) = output::write(&out) {
        return code;
    }
    ExitCode::from(u8::from(report.state == Verdict::Corrupt))
}

/// Whether the command was given a folder that is no journal.
pub(super) fn is_wrong_use(error: &VerifyError) -> bool {
    matches!(error, VerifyError::NoJournal(_))
}

/// The report as one JSON object.
pub(super) fn to_json(report: &Report) -> Value {
    let mut streams = serde_json::Map::new();
    for (stream, found) in &report.streams {
        streams.insert(stream.name().to_owned(), stream_json(found));
    }
    let case = report.streams.iter().map(|(_, found)| found.case()).max().unwrap_or(Case::Clean);
    json!({ "state": report.state.name(), "case": case.name(), "streams": streams })
}

fn stream_json(found: &StreamReport) -> Value {
    let findings: Vec<Value> = found
        .findings
        .iter()
        .map(|finding| {
            json!({
                "segment": finding.segment,
                "offset": finding.offset,
                "verdict": finding.verdict.name(),
                "case": finding.case.name(),
                "reason": finding.reason.to_string(),
            })
        })
        .collect();
    json!({
        "state": found.state.name(),
        "case": found.case().name(),
        "records": found.records,
        "holes": found.holes,
        "lost_records": found.lost,
        "first_sequence": found.first_sequence,
        "last_sequence": found.last_sequence,
        "bytes": found.bytes,
        "segments": found.segments,
        "open": found.open,
        "live": found.live,
        "findings": findings,
    })
}

fn write_text(out: &mut Vec<u8>, report: &Report) {
    for (stream, found) in &report.streams {
        let open = match (found.open, found.live) {
            (true, true) => ", being written",
            (true, false) => ", not closed",
            _ => "",
        };
        // Writing to a `Vec` can't fail.
        let _ = writeln!(
            out,
            "{}: {}{open}: {} records ({}..={}), {} in {} segments",
            stream.name(),
            found.state.name(),
            count(found.records),
            found.first_sequence,
            found.last_sequence,
            bytes(found.bytes),
            count(found.segments)
        );
        if found.holes > 0 {
            let _ = writeln!(out, "  {} holes, where {} records are lost", count(found.holes), count(found.lost));
        }
        for finding in &found.findings {
            let (verdict, case) = (finding.verdict.name(), finding.case.name());
            let (segment, offset, reason) = (&finding.segment, finding.offset, &finding.reason);
            let _ =
                writeln!(out, "  {verdict}: {segment} at {offset}: {reason} [{case}: {}]", finding.case.explanation());
        }
    }
    match report.state {
        Verdict::Clean => {}
        Verdict::Torn => {
            let _ = writeln!(out, "the next opening puts this in order, or `hoga repair` now");
        }
        Verdict::Corrupt => {
            let _ = writeln!(out, "see `hoga repair --policy abort` for what can be done, and `hoga recover`");
        }
    }
    let _ = writeln!(out, "{}", report.state.name());
}
