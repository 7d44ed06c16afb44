//! `hoga-replay export`: the records of journals as typed columns, or as a new journal.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::failure::Failure;
use super::filters::filter_of;
use super::source::Source;
use crate::control::{Controls, listen_to_signals};
use crate::export::{Export, Exported, Format, export};
use crate::journals::find_journals;

/// Writes the records of journals as typed columns, one file a kind, or as a new journal.
///
/// Columns have the names of the JSON form. Prices are exact decimals, times are instants with the zone of Korea, symbols a
/// dictionary, what the feed did not give is null. A book's levels are columns: bid_px_1, bid_qty_1, .. ask_count_10. Files
/// are written under another name and renamed when complete.
///
/// Several journals go into the same files, by time; their instruments are the same where market and symbol are. A new
/// journal is made of one: records keep their sequences, and what a filter leaves out is said by `hole` records.
///
/// Exit status: 0 written, 1 a record is damaged or the disk is full, 2 wrong use.
///
/// Examples:
///   hoga-replay export journal --format parquet --out columns
///   hoga-replay export days --from 2026-11-23 --to 2026-11-27 --format arrow --kind trade --kind book --out week
///   hoga-replay export journal --format journal --from 09:00 --to 09:10 --out opening
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// What to write.
    #[arg(long, value_enum)]
    format: Format,
    /// Folder for the files, or of the new journal.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace an export that is there, when the new one is complete. A journal that records (or was sealed, held, mended)
    /// is never replaced.
    #[arg(long)]
    force: bool,
    /// Print what was written as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut inputs = Vec::new();
    for journal in find_journals(&args.source.dirs)? {
        let filter = filter_of(&args.source, &journal.path)?;
        inputs.push((journal.path, filter));
    }
    let controls = Controls::default();
    listen_to_signals(&controls).map_err(|error| Failure::Wrong(format!("signals: {error}")))?;
    let what = Export { journals: inputs, format: args.format, out: args.out, force: args.force };
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{spinner} {human_pos} records  {per_sec}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let started = Instant::now();
    let exported = export(&what, &controls, |records| bar.set_position(records));
    bar.finish_and_clear();
    say(&exported?, started.elapsed().as_secs_f64(), args.json);
    Ok(ExitCode::SUCCESS)
}

fn say(exported: &Exported, seconds: f64, json: bool) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A reader that went away does not change what was written.
    if json {
        let file = |file: &crate::export::ExportedFile| {
            json!({
                "kind": file.kind.map(|kind| kind.name()), "path": file.path, "rows": file.rows, "bytes": file.bytes,
            })
        };
        let files: Vec<_> = exported.files.iter().map(file).collect();
        let object = json!({
            "records": exported.records, "unknown": exported.unknown, "seconds": seconds, "files": files,
        });
        let _ = writeln!(out, "{object}");
        return;
    }
    for file in &exported.files {
        let _ = writeln!(out, "{:>12} records  {:>14} bytes  {}", file.rows, file.bytes, file.path.display());
    }
    if exported.unknown > 0 {
        let _ = writeln!(out, "{} records of kinds this version does not know were left out", exported.unknown);
    }
    let _ = writeln!(out, "{} records in {seconds:.3} s", exported.records);
}
