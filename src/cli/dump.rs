//! `hoga dump`: the records of a journal as text or JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output;
use super::records::{Filter, StreamName, write_line};
use crate::journal::{Start, TailError, Tailer};

/// Records taken between two writes.
const BATCH: usize = 256;

/// Prints the records of a journal in their order, and ends behind the last one.
///
/// One record a line: sequence, time of receipt in Korea, kind, symbol, price and quantity; with --json everything the
/// record holds, one object a line, prices as exact numbers. Each record's checksum is checked. A journal that is being
/// written may be read: see `hoga tail` to follow it.
///
/// Exit status: 0 printed, 1 a record is damaged (those before it were printed), 2 no journal there.
///
/// Examples:
///   hoga dump journal --symbol 005930 --kind trade --limit 10
///   hoga dump journal --json | jq -c 'select(.type == "gap")'
///   hoga dump journal --stream raw --from-sequence 1000 --to-sequence 1010
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// Stream to read.
    #[arg(long, value_enum, default_value_t)]
    stream: StreamName,
    #[command(flatten)]
    filter: Filter,
    /// First sequence wanted.
    #[arg(long, value_name = "N")]
    from_sequence: Option<u64>,
    /// Last sequence wanted.
    #[arg(long, value_name = "N")]
    to_sequence: Option<u64>,
    /// Most records to print.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let start = args.from_sequence.map_or(Start::Beginning, Start::Sequence);
    let mut tailer = match Tailer::open(&args.dir, args.stream.into(), start) {
        Ok(tailer) => tailer.with_crc_check(true),
        Err(error) => return failed(&error),
    };
    let mut left = args.limit.unwrap_or(u64::MAX);
    let last = args.to_sequence.unwrap_or(u64::MAX);
    let mut out = Vec::new();
    let mut past = false;
    loop {
        let polled = tailer.poll(BATCH, |record| {
            past |= record.position.sequence > last;
            if !past && left > 0 && args.filter.takes(&record) {
                write_line(&mut out, &record, args.json);
                left -= 1;
            }
        });
        if let Err(code) = output::write(&out) {
            return code;
        }
        out.clear();
        match polled {
            Ok(polled) if polled.records < BATCH || past || left == 0 => return ExitCode::SUCCESS,
            Ok(_) => {}
            Err(error) => return failed(&error),
        }
    }
}

/// Says why, and the exit status that goes with it.
pub(super) fn failed(error: &TailError) -> ExitCode {
    eprintln!("hoga: {error}");
    ExitCode::from(if matches!(error, TailError::NoJournal(_)) { 2 } else { 1 })
}
