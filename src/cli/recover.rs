//! `hoga recover`: a new journal of what is valid in a damaged one.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::output;
use super::progress::JournalBar;
use super::repair::{loss_json, write_loss};
use super::units::{bytes, count};
use super::verify::is_wrong_use;
use crate::journal::build::BuildError;
use crate::journal::rescue::{RescueError, RescueReport, RescuedStream, rescue};

/// Saves every valid record of a damaged journal into a new one, which opens, verifies clean and can be appended to.
///
/// The records keep their sequences; where some are lost a `hole` record says so. Read are also segments whose header is
/// damaged, what stands behind a torn tail, and records whose length word alone is wrong. The damaged journal is only
/// read. See `hoga repair` to put it in order in place.
///
/// Exit status: 0 saved, with or without losses, 1 it could not be written, 2 no journal there, it is being written, or
/// the folder for the new one is not empty.
///
/// Examples:
///   hoga recover journal --out saved
///   hoga recover journal --out saved --json | jq .streams.ticks.lost_records
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the damaged journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Folder of the new one: not there yet, or empty.
    #[arg(long, value_name = "DIR2")]
    out: PathBuf,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let mut bar = JournalBar::new("recover");
    let report = rescue(&args.dir, &args.out, |stream, ordinal, done, total| bar.at(stream, ordinal, done, total));
    drop(bar);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("hoga recover: {error}");
            let wrong_use = match &error {
                RescueError::Verify(error) => is_wrong_use(error),
                RescueError::Live { .. } | RescueError::Build(BuildError::Exists(_)) => true,
                _ => false,
            };
            return ExitCode::from(if wrong_use { 2 } else { 1 });
        }
    };
    let mut out = Vec::new();
    if args.json {
        out.extend_from_slice(to_json(&report).to_string().as_bytes());
        out.push(b'\n');
    } else {
        for (stream, rescued) in &report.streams {
            write_text(&mut out, stream.name(), rescued);
        }
    }
    output::write(&out).err().unwrap_or(ExitCode::SUCCESS)
}

fn to_json(report: &RescueReport) -> Value {
    let mut streams = Map::new();
    for (stream, rescued) in &report.streams {
        let unreadable: Vec<Value> =
            rescued.unreadable.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
        let stream_json = json!({
            "segments": rescued.segments,
            "records": rescued.records,
            "mended": rescued.mended,
            "lost_records": rescued.lost(),
            "last_sequence": rescued.last_sequence,
            "left_over_bytes": rescued.left_over,
            "losses": rescued.losses.iter().map(loss_json).collect::<Vec<_>>(),
            "unreadable": unreadable,
        });
        streams.insert(stream.name().to_owned(), stream_json);
    }
    json!({ "streams": streams })
}

fn write_text(out: &mut Vec<u8>, stream: &str, rescued: &RescuedStream) {
    // Writing to a `Vec` can't fail.
    let _ = writeln!(
        out,
        "{stream}: {} records saved, {} lost, {} segments, last sequence {}",
        count(rescued.records),
        count(rescued.lost()),
        rescued.segments,
        rescued.last_sequence
    );
    if rescued.mended > 0 {
        let _ = writeln!(out, "  {} records had a damaged length, told from their checksum", count(rescued.mended));
    }
    for loss in &rescued.losses {
        write_loss(out, loss);
    }
    for (file, reason) in &rescued.unreadable {
        let _ = writeln!(out, "  can't be read: {file}: {reason}");
    }
    if rescued.left_over > 0 {
        let _ = writeln!(out, "  {} of torn tails belong to no record", bytes(rescued.left_over));
    }
}
