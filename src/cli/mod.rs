//! The program's subcommands: arguments to calls of the library, results to text or JSON.
//!
//! Each file holds one subcommand: `Args` and `run(Args) -> ExitCode`. Exit status 0 good, 1 found bad, 2 wrong use.

/// A line on standard output, for reports: a reader that went away does not change the exit status.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod calendar;
mod decode;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod dump;
mod fetch;
mod init;
mod instruments;
mod output;
mod progress;
mod prune;
mod records;
mod recover;
mod repair;
mod run;
mod seal;
mod stat;
mod summary;
mod tail;
mod text;
mod units;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Records the Korean stock market off broker WebSocket feeds: every tick, provably complete or provably not.
#[derive(Debug, Parser)]
#[command(
    name = "hoga",
    version,
    after_help = "Start with `hoga demo`: a simulated market through the real engine. To record a broker: `hoga init`.\nExit status: 0 good, 1 found bad, 2 wrong use. Logs go to stderr; HOGA_LOG=debug shows more."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

// A comment on a variant would take the place of the text at its `Args`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Play a simulated market through the real engine into a journal, and compare
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    Init(init::Args),
    Doctor(doctor::Args),
    /// Record a broker's feed until told to stop
    Run(run::Args),
    Decode(decode::Args),
    Stat(stat::Args),
    Tail(tail::Args),
    Dump(dump::Args),
    Verify(verify::Args),
    Repair(repair::Args),
    Recover(recover::Args),
    Seal(seal::Args),
    Prune(prune::Args),
    Calendar(calendar::Args),
    Instruments(instruments::Args),
    Fetch(fetch::Args),
}

/// For a subcommand that holds secrets: neither a core file nor another program of the user shows them.
fn keep_memory_private() {
    if let Err(error) = crate::sys::process::keep_memory_private() {
        tracing::warn!(%error, "a core file of this process would show app keys and tokens");
    }
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("HOGA_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(args),
        Command::Init(args) => init::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Run(args) => run::run(args),
        Command::Decode(args) => decode::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Tail(args) => tail::run(args),
        Command::Dump(args) => dump::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Repair(args) => repair::run(args),
        Command::Recover(args) => recover::run(args),
        Command::Seal(args) => seal::run(args),
        Command::Prune(args) => prune::run(args),
        Command::Calendar(args) => calendar::run(args),
        Command::Instruments(args) => instruments::run(args),
        Command::Fetch(args) => fetch::run(args),
    }
}
