//! `hoga-replay reparse`: stream `raw` decoded again, and what is different.

use std::path::PathBuf;
use std::process::ExitCode;

use hoga::feed::kis::LayoutTable;
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Failure, print_line};
use crate::reparse::{Config, Report, reparse};

/// Decodes the frames of a journal again with this build's tables into a new journal, and reports every difference.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stamps of decoding and commit, sequences, gap numbers and flag RECOVERED differ always and are not compared.\n\
                        There is no --from or --to: continuity, dictionary and gap numbers follow from all frames before.\n\
                        Exit status: 0 no difference, 1 differences (or a damaged journal), 2 wrong use.\n\n\
                        Example:\n  hoga-replay reparse journal --out journal-again --json"
)]
pub struct Args {
    /// The journal; it is not changed
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Folder of the new journal; must not exist, or be empty
    #[arg(long, value_name = "DIR2")]
    out: PathBuf,
    /// Differences shown whole
    #[arg(long, value_name = "N", default_value_t = 20)]
    examples: usize,
    /// Decode by the layouts of this file instead of the built-in ones (the form of the engine's layouts.json)
    #[arg(long, value_name = "FILE")]
    layouts: Option<PathBuf>,
    /// The report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let layouts = args.layouts.as_deref().map(read_layouts).transpose()?;
    let progress = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} frames, {per_sec}, {eta} left") {
        progress.set_style(style);
    }
    let config = Config { dir: args.dir, out: args.out, layouts, examples_max: args.examples };
    let outcome = reparse(&config, |done, total| {
        progress.set_length(total);
        progress.set_position(done);
    });
    progress.finish_and_clear();
    let report = outcome?;
    print_line(if args.json { report.json().to_string() } else { text_of(&report) })?;
    Ok(ExitCode::from(u8::from(report.is_different())))
}

fn read_layouts(path: &std::path::Path) -> Result<LayoutTable, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let table = LayoutTable::from_json(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(table)
}

fn text_of(report: &Report) -> String {
    let mut lines = vec![format!(
        "{} frames decoded again: {} records before, {} now, {} the same",
        report.frames, report.records_old, report.records_new, report.equal
    )];
    if report.frames_absent > 0 {
        lines.push(format!(
            "{} records of frames that stream raw no longer holds were not compared",
            report.frames_absent
        ));
    }
    if !report.is_different() {
        lines.push("no difference".to_owned());
        return lines.join("\n");
    }
    for (what, counts) in [("only before", &report.missing), ("only now", &report.extra), ("changed", &report.changed)]
    {
        lines.extend(counts.iter().map(|(kind, count)| format!("{what:12} {kind:12} {count}")));
    }
    for (kind, fields) in &report.fields {
        lines.extend(fields.iter().map(|(field, count)| format!("field        {kind}.{field} {count}")));
    }
    for example in &report.examples {
        let what = match example.what {
            "missing" => "only before",
            "extra" => "only now",
            what => what,
        };
        let (frame, kind, index) = (example.raw_sequence, &example.kind, example.index);
        lines.push(format!("frame {frame} {kind} {index} {what}: {}", example.fields));
    }
    lines.join("\n")
}
