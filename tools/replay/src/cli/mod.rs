//! The program's subcommands: arguments to calls of the library, results to text or JSON.
//!
//! Each file holds one subcommand: `Args` and `run(Args)`. Exit status 0 good, 1 found bad, 2 wrong use.

mod bars;
mod export;
mod failure;
mod filters;
mod play;
mod reparse;
mod serve;
mod source;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Plays recorded journals again: records to a terminal or a program, columns to files for research.
#[derive(Debug, Parser)]
#[command(
    name = "hoga-replay",
    version,
    after_help = "Start with `hoga-replay play DIR --speed 10`.\nExit status: 0 good, 1 found bad, 2 wrong use."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// A comment on a variant would take the place of the text at its `Args`.
#[derive(Debug, Subcommand)]
enum Command {
    Play(play::Args),
    Export(export::Args),
    Bars(bars::Args),
    Serve(serve::Args),
    Reparse(reparse::Args),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Play(args) => failure::ended("play", play::run(args)),
        Command::Export(args) => failure::ended("export", export::run(args)),
        Command::Bars(args) => failure::ended("bars", bars::run(args)),
        Command::Serve(args) => failure::ended("serve", serve::run(args)),
        Command::Reparse(args) => failure::ended("reparse", reparse::run(args)),
    }
}
