//! The program's subcommands: arguments to calls of the library, results to text or JSON.
//!
//! Each file holds one subcommand: `Args` and `run(Args) -> ExitCode`. Exit status 0 good, 1 found bad, 2 wrong use.

mod stat;
mod units;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Records the Korean stock market off broker WebSocket feeds.
#[derive(Debug, Parser)]
#[command(name = "hoga", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Stat(stat::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Stat(args) => stat::run(args),
    }
}
