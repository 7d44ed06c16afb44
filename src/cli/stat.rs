//! `hoga stat DIR`: what a recording engine does, from its metrics file; the engine does not notice.

mod disk;
mod journal;
mod report;
mod text;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::metrics::{MetricsError, MetricsReader};

use journal::JournalLook;
use report::{Report, Sample};

/// How long rates are measured when figures are shown once.
const SAMPLE: Duration = Duration::from_millis(500);

/// Shows rates, latencies, ring occupancy, rejects and connections of an engine, from outside.
///
/// On a terminal the view refreshes until Ctrl-C or the engine's end; into a pipe or with --json it is shown once. Rates
/// and latencies are those between two looks; of an engine that no longer runs, those since its start, and what the
/// journal's files say of themselves: segments, sequences, dates, whether it was closed, and which are damaged. That is
/// shown alone where no engine left its figures.
///
/// Exit status: 0 shown, 1 shown and a file of the journal is damaged, 2 nothing there.
///
/// Examples:
///   hoga stat journal
///   hoga stat journal --json | jq .latencies_ns
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The journal's folder, in which the engine keeps its file `metrics`.
    folder: PathBuf,
    /// Look again every so many seconds [1 if none are given], until Ctrl-C or the engine's end.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "1",
          value_parser = parse_seconds, conflicts_with = "once")]
    watch: Option<Duration>,
    /// Look once, on a terminal too.
    #[arg(long)]
    once: bool,
    /// JSON: one object, with --watch one a line. Times are nanoseconds.
    #[arg(long)]
    json: bool,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if !(0.05..=86_400.0).contains(&seconds) {
        return Err("must be 0.05 to 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    match watch(&args) {
        Ok(is_damaged) => ExitCode::from(u8::from(is_damaged)),
        Err(Failure::Metrics(error)) => {
            eprintln!("hoga stat: {error}");
            eprintln!("{}", remedy(&error));
            ExitCode::from(2)
        }
        // Whoever read the output has enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Output(error)) => {
            eprintln!("hoga stat: can't write the output: {error}");
            ExitCode::from(2)
        }
    }
}

enum Failure {
    Metrics(MetricsError),
    Output(io::Error),
}

impl From<MetricsError> for Failure {
    fn from(error: MetricsError) -> Failure {
        Failure::Metrics(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

fn remedy(error: &MetricsError) -> &'static str {
    match error {
        MetricsError::Open { error, .. } if error.kind() == io::ErrorKind::NotFound => {
            "No engine has recorded into this folder. Give the journal's folder (the one that holds `ticks/`), or start \
             an engine on it."
        }
        MetricsError::Open { .. } => "Look at the permissions of the folder and the file.",
        MetricsError::Version { .. } => "Use the `hoga` that runs the engine.",
        _ => "The file is replaced when the engine is started the next time; it may be deleted.",
    }
}

/// Shows it; returns whether the journal is damaged.
fn watch(args: &Args) -> Result<bool, Failure> {
    let is_terminal = io::stdout().is_terminal();
    let is_watching = args.watch.is_some() || (is_terminal && !args.once && !args.json);
    let period = args.watch.unwrap_or(Duration::from_secs(1));

    let opened = MetricsReader::open(&args.folder).and_then(|reader| Ok((Sample::take(&reader)?, reader)));
    let (mut before, mut reader) = match opened {
        Ok(opened) => opened,
        Err(error) => return journal_alone(args, error),
    };
    let first_wait = if is_watching { period.min(SAMPLE) } else { SAMPLE };
    if before.is_alive() {
        thread::sleep(first_wait);
    }
    loop {
        // A new engine brings a new file. Until it can be opened the old one is still there to be read.
        if reader.is_replaced()
            && let Ok(fresh) = MetricsReader::open(&args.folder)
        {
            reader = fresh;
            before = Sample::take(&reader)?;
            thread::sleep(first_wait);
        }
        let now = Sample::take(&reader)?;
        let report = Report::new(&args.folder, &before, &now);
        // Of a live journal the engine knows better.
        let journal = if now.is_alive() { None } else { JournalLook::take(&args.folder) };
        let output = if args.json {
            let mut report = report.to_json();
            if let Some(journal) = &journal {
                report["journal"] = journal.to_json();
            }
            report.to_string()
        } else {
            let parts = [Some(text::render(&report)), journal.as_ref().map(JournalLook::to_text)];
            parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
        };
        show(&output, is_watching && is_terminal && !args.json)?;
        if !is_watching || !now.is_alive() {
            return Ok(journal.is_some_and(|journal| journal.is_damaged()));
        }
        before = now;
        thread::sleep(period);
    }
}

/// Shows what the journal says where the engine's figures are missing or can't be read.
fn journal_alone(args: &Args, error: MetricsError) -> Result<bool, Failure> {
    let Some(journal) = JournalLook::take(&args.folder) else { return Err(error.into()) };
    let output = if args.json {
        json!({ "folder": args.folder, "health": null, "why": error.to_string(), "journal": journal.to_json() })
            .to_string()
    } else {
        format!("no figures of an engine: {error}\n\n{}", journal.to_text())
    };
    show(&output, false)?;
    Ok(journal.is_damaged())
}

fn show(output: &str, in_place: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if in_place {
        // Home, write over what is there, clear what is left below: no flicker.
        let lines = output.replace('\n', "\x1b[K\n");
        write!(stdout, "\x1b[H{lines}\x1b[K\n\x1b[J")?;
    } else {
        writeln!(stdout, "{output}")?;
    }
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn watch_takes_seconds_or_none_and_never_the_folder() {
        let args = |words: &[&str]| Line::try_parse_from(words).map(|line| line.args);
        let none = args(&["stat", "--watch", "here"]).unwrap();
        assert_eq!((none.watch, none.folder), (Some(Duration::from_secs(1)), PathBuf::from("here")));
        assert_eq!(args(&["stat", "here", "--watch=2.5"]).unwrap().watch, Some(Duration::from_millis(2500)));
        assert!(args(&["stat", "here", "--watch=0"]).is_err());
        assert!(args(&["stat", "here", "--watch=NaN"]).is_err());
        assert!(args(&["stat", "here", "--watch", "--once"]).is_err());
    }
}
