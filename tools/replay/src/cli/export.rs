//! `hoga-replay export`: the records of journals as typed columns, or as a new journal.

use std::process::ExitCode;

use super::source::Source;
use crate::journals::find_journals;

/// Writes the records of journals as typed columns, one file a kind.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    match find_journals(&args.source.dirs) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hoga-replay: {error}");
            ExitCode::from(2)
        }
    }
}
