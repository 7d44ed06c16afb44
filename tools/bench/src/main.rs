//! `hoga-bench`: measurements of the whole path, each beside a baseline in the same run.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hoga::stage::WaitStrategy;
use hoga_bench::machine::Machine;
use hoga_bench::{Error, append, loopback, pipeline, tail};
use serde::Serialize;

/// Measures the whole path, each time beside a baseline in the same run.
///
/// Machines wander: compare figures within a run only. Latencies are nanoseconds, counted from the intended moment of an
/// open-loop sender. Let nothing else run, and give two processors.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// One JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    name: Name,
}

#[derive(Debug, Subcommand)]
enum Name {
    /// Flat out over bytes in memory: frames to both streams on one thread, beside tokio-tungstenite, split, serde and
    /// BufWriter.
    Pipeline {
        /// Frames of a round.
        #[arg(long, default_value_t = 1_000_000)]
        frames: usize,
        /// Rounds of each, alternately; medians count.
        #[arg(long, default_value_t = 9)]
        rounds: usize,
        /// Seed of the market.
        #[arg(long, default_value_t = 20_261_123)]
        seed: u64,
        /// MiB of a segment.
        #[arg(long, default_value_t = 32)]
        segment_mib: u64,
    },
    /// Over a socket: an open-loop sender in another process, latency from the intended send time.
    Loopback {
        /// Frames a second, one run each.
        #[arg(long, value_delimiter = ',', default_value = "1000,10000,50000")]
        rates: Vec<u64>,
        /// Seconds of each run.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// What our thread does without work.
        #[arg(long, default_value = "yield", value_parser = ["spin", "yield", "park"])]
        wait: String,
    },
    /// From an append to a tailer in another process, beside a pipe.
    Tail {
        /// Records a second.
        #[arg(long, default_value_t = 20_000)]
        rate: u64,
        /// Seconds of each run.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// One record into the journal, beside a BufWriter.
    Append {
        /// Records.
        #[arg(long, default_value_t = 1_000_000)]
        count: u64,
        /// Nanoseconds between two.
        #[arg(long, default_value_t = 5_000)]
        slot_ns: u64,
        /// MiB of a segment.
        #[arg(long, default_value_t = 16)]
        segment_mib: u64,
    },
    #[command(hide = true)]
    Send { rate: u64, frames: u64 },
    #[command(hide = true)]
    ReadJournal { dir: PathBuf },
    #[command(hide = true)]
    ReadPipe { dir: PathBuf },
}

/// The machine beside the figures.
#[derive(Serialize)]
struct Record<'a, T> {
    name: &'a str,
    machine: Machine,
    report: T,
}

fn show<T: Display + Serialize>(json: bool, name: &str, report: T) -> Result<(), Error> {
    let record = Record { name, machine: Machine::this(), report };
    if json {
        println!("{}", serde_json::to_string(&record)?);
    } else {
        println!("{name}: {}\n{}", record.machine, record.report);
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let json = arguments.json;
    match &arguments.name {
        &Name::Pipeline { frames, rounds, seed, segment_mib } => {
            let parameters = pipeline::Parameters { frames: frames.max(4), rounds: rounds.max(1), seed, segment_mib };
            show(json, "pipeline", pipeline::run(parameters)?)
        }
        Name::Loopback { rates, seconds, wait } => {
            let wait = match wait.as_str() {
                "spin" => WaitStrategy::Spin,
                "park" => WaitStrategy::Park,
                _ => WaitStrategy::Yield,
            };
            show(json, "loopback", loopback::run(rates, *seconds, wait)?)
        }
        Name::Tail { rate, seconds } => show(json, "tail", tail::run(*rate, *seconds)?),
        Name::Append { count, slot_ns, segment_mib } => {
            show(json, "append", append::run(*count, *slot_ns, *segment_mib)?)
        }
        Name::Send { rate, frames } => loopback::send(*rate, *frames),
        Name::ReadJournal { dir } => tail::read_journal(dir),
        Name::ReadPipe { .. } => tail::read_pipe(),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hoga-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
