//! `hoga-bench`: measurements of the whole path, each beside a baseline in the same run.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hoga::journal::Durability;
use hoga::stage::WaitStrategy;
use hoga_bench::machine::Machine;
use hoga_bench::{Error, append, export, loopback, masters, pipeline, recovery, scan, tail, wait};
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
        /// What our thread does without work: spin, yield or park.
        #[arg(long, default_value = "yield")]
        wait: WaitStrategy,
    },
    /// From an append to a tailer in another process, beside a bare cache line and a pipe.
    Tail {
        /// Records a second.
        #[arg(long, default_value_t = 20_000)]
        rate: u64,
        /// Seconds of each run.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// From an append to a follower in another process by each wait strategy, and what that costs of a processor.
    Wait {
        /// Records a second.
        #[arg(long, default_value_t = 1_000)]
        rate: u64,
        /// Seconds of each run.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// One record into the journal, beside a BufWriter and beside nothing at all.
    Append {
        /// Records.
        #[arg(long, default_value_t = 5_000_000)]
        count: u64,
        /// Records a second; 0 = flat out.
        #[arg(long, default_value_t = 0)]
        rate: u64,
        /// Bytes of a record.
        #[arg(long, default_value_t = 128)]
        record_bytes: usize,
        /// MiB of a segment.
        #[arg(long, default_value_t = 64)]
        segment_mib: u64,
        /// Let a tailer in another process spin on the records.
        #[arg(long)]
        watched: bool,
        /// Level of durability: process, periodic:MS or group.
        #[arg(long, default_value = "process")]
        durability: Durability,
        /// On the disk of the folder for temporary files instead of in memory.
        #[arg(long)]
        disk: bool,
    },
    /// A whole journal read warm on one core, beside a BufReader.
    Scan {
        /// Records.
        #[arg(long, default_value_t = 5_000_000)]
        records: u64,
        /// Bytes of a record.
        #[arg(long, default_value_t = 128)]
        record_bytes: usize,
        /// Rounds of each; medians count.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Trades to Parquet, beside CSV, beside a builder row by row, beside reading alone.
    Export {
        /// Trades.
        #[arg(long, default_value_t = 2_000_000)]
        records: u64,
        /// Rounds of each; medians count.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// The broker's master files of a day to the list of instruments, beside decoding them whole, beside touching every byte.
    Masters {
        /// Rounds of each; medians count.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// A journal opened after a death of process or host, beside reading it once.
    Recovery {
        /// MiB of records.
        #[arg(long, default_value_t = 1024)]
        mib: u64,
        /// MiB of a segment.
        #[arg(long, default_value_t = 128)]
        segment_mib: u64,
        /// Rounds of each; medians count.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    #[command(hide = true)]
    WriteAndDie { dir: PathBuf, mib: u64, segment_mib: u64 },
    #[command(hide = true)]
    Send { rate: u64, frames: u64 },
    #[command(hide = true)]
    ReadJournal { dir: PathBuf },
    #[command(hide = true)]
    ReadWaiting { dir: PathBuf, strategy: WaitStrategy },
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
        Name::Loopback { rates, seconds, wait } => show(json, "loopback", loopback::run(rates, *seconds, *wait)?),
        Name::Tail { rate, seconds } => show(json, "tail", tail::run(*rate, *seconds)?),
        Name::Wait { rate, seconds } => show(json, "wait", wait::run(*rate, *seconds)?),
        Name::ReadWaiting { dir, strategy } => wait::read(dir, *strategy),
        &Name::Append { count, rate, record_bytes, segment_mib, watched, durability, disk } => {
            let parameters = append::Parameters { record_bytes, count, rate, segment_mib, watched, durability, disk };
            show(json, "append", append::run(parameters)?)
        }
        &Name::Scan { records, record_bytes, rounds } => {
            show(json, "scan", scan::run(records, record_bytes.max(48), rounds.max(1))?)
        }
        &Name::Export { records, rounds } => show(json, "export", export::run(records.max(1), rounds.max(1))?),
        &Name::Masters { rounds } => show(json, "masters", masters::run(rounds.max(1))?),
        &Name::Recovery { mib, segment_mib, rounds } => {
            show(json, "recovery", recovery::run(mib, segment_mib, rounds.max(1))?)
        }
        Name::WriteAndDie { dir, mib, segment_mib } => recovery::write_and_die(dir, *mib, *segment_mib),
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
