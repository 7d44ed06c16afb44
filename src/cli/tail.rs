//! `hoga tail`: the newest records of a journal, and what comes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::dump::failed;
use super::output;
use super::records::{Filter, StreamName, write_line};
use crate::journal::{Start, TailState, Tailer};

/// Most records taken between two writes.
const BATCH: usize = 256;

/// Prints the last records of a journal; with --follow, each further one as it is committed.
///
/// Following outlives the recorder: when it ends or dies, this waits for it to come back. It reads the recorder's
/// memory-mapped file and never slows it down. Stop it with Ctrl-C.
///
/// Exit status: 0 printed, 1 a record is damaged, 2 no journal there.
///
/// Examples:
///   hoga tail journal
///   hoga tail journal -f --symbol 005930 --kind trade
///   hoga tail journal -f --json | jq -c '[.symbol, .px, .qty]'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Go on with what comes.
    #[arg(short, long)]
    follow: bool,
    /// Records to begin with.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    records: usize,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// Stream to read.
    #[arg(long, value_enum, default_value_t)]
    stream: StreamName,
    #[command(flatten)]
    filter: Filter,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    // The end first: what is committed by now is the past, what comes after is followed.
    let opened = Tailer::open(&args.dir, args.stream.into(), Start::End);
    let next = match &opened {
        Ok(tailer) => tailer.next_sequence(),
        Err(error) => return failed(error),
    };
    // A filter may pass one record in a thousand: then look further back.
    let back = (args.records as u64).saturating_mul(if args.filter.is_empty() { 1 } else { 1000 });
    let start = Start::Sequence(next.saturating_sub(back));
    let mut tailer = match Tailer::open(&args.dir, args.stream.into(), start) {
        Ok(tailer) => tailer,
        Err(error) => return failed(&error),
    };
    let mut last = VecDeque::new();
    let mut out = Vec::new();
    let mut past = true;
    let mut announced = TailState::Live;
    loop {
        let polled = tailer.poll(BATCH, |record| {
            if !args.filter.takes(&record) {
                return;
            }
            if past && record.position.sequence < next {
                let mut line = Vec::new();
                write_line(&mut line, &record, args.json);
                last.push_back(line);
                if last.len() > args.records {
                    last.pop_front();
                }
            } else if args.follow {
                out.extend(last.drain(..).flatten());
                write_line(&mut out, &record, args.json);
            }
        });
        let polled = match polled {
            Ok(polled) => polled,
            Err(error) => return failed(&error),
        };
        if tailer.next_sequence() >= next || polled.state != TailState::More {
            past = false;
            out.extend(last.drain(..).flatten());
        }
        if !out.is_empty() {
            if let Err(code) = output::write(&out) {
                return code;
            }
            out.clear();
        }
        if !past && !args.follow {
            return ExitCode::SUCCESS;
        }
        if polled.state != TailState::More {
            if polled.state != announced {
                announced = polled.state;
                announce(polled.state);
            }
            // Reading costs the recorder nothing, but polling costs this machine a processor.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn announce(state: TailState) {
    match state {
        TailState::Closed => eprintln!("hoga tail: the journal was closed; waiting for the recorder to come back"),
        TailState::Gone => eprintln!("hoga tail: the recorder is gone; waiting for it to come back"),
        TailState::Silent => eprintln!("hoga tail: the recorder holds the journal, but shows no sign of life"),
        _ => eprintln!("hoga tail: the recorder is back"),
    }
}
