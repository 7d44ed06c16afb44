//! The program's subcommands: arguments to calls of the library, results to text or JSON.
//!
//! Each file holds one subcommand: `Args` and `run(Args) -> ExitCode`. Exit status 0 good, 1 found bad, 2 wrong use.

pub mod dump;
mod output;
mod records;
pub mod tail;
pub mod verify;

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
    Verify(verify::Args),
    Dump(dump::Args),
    Tail(tail::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Verify(args) => verify::run(args),
        Command::Dump(args) => dump::run(args),
        Command::Tail(args) => tail::run(args),
    }
}
