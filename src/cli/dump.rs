//! `hoga dump`: the records of a journal as text, JSON or CSV.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output;
use super::records::{Form, Printer, StreamName, Wanted, open};
use crate::journal::TailError;

/// Records taken between two writes.
const BATCH: usize = 256;

/// Prints the records of a journal in their order, and ends behind the last one.
///
/// One record a line: sequence, time of receipt in Korea, kind, symbol, venue, and what it says; with --json everything
/// the record holds, one object a line, prices as exact numbers; or CSV. Each record's checksum is checked. A range is
/// sought, not read up to. A journal that is being written may be read: see `hoga tail` to follow it.
///
/// Exit status: 0 printed, 1 a record is damaged (those before it were printed), 2 no journal there, or wrong use.
///
/// Examples:
///   hoga dump journal --symbol 005930 --kind trade --limit 10
///   hoga dump journal --from 09:00 --to 09:01 --venue NXT
///   hoga dump journal --json | jq -c 'select(.type == "gap")'
///   hoga dump journal --kind trade --format csv > trades.csv
///   hoga dump journal --stream raw --from 1000 --to 1010
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    form: Form,
    /// Stream to read.
    #[arg(long, value_enum, default_value_t)]
    stream: StreamName,
    #[command(flatten)]
    wanted: Wanted,
    /// Most records to print.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let stream = args.stream.into();
    let filter = match args.wanted.filter(&args.dir) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("hoga dump: {error}");
            return ExitCode::from(2);
        }
    };
    let mut tailer = match open(&args.dir, stream, filter, true) {
        Ok(tailer) => tailer,
        Err(error) => return failed(&error),
    };
    let mut printer = Printer::new(args.form, args.wanted.kinds(), stream);
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut out = Vec::new();
    printer.head(&mut out);
    loop {
        let batch = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
        let polled = tailer.poll(batch, |record| printer.record(&mut out, &record));
        if let Err(code) = output::write(&out) {
            return code;
        }
        out.clear();
        match polled {
            Ok(polled) => {
                left -= polled.records as u64;
                if polled.records < BATCH || left == 0 || tailer.is_past() {
                    if tailer.pruned() > 0 {
                        let pruned = tailer.pruned();
                        eprintln!("hoga dump: {pruned} records in between were pruned and are not here, see audit.log");
                    }
                    return ExitCode::SUCCESS;
                }
            }
            Err(error) => return failed(&error),
        }
    }
}

/// Says why, and the exit status that goes with it.
pub(super) fn failed(error: &TailError) -> ExitCode {
    eprintln!("hoga: {error}");
    ExitCode::from(if matches!(error, TailError::NoJournal(_)) { 2 } else { 1 })
}
