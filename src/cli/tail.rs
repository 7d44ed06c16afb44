//! `hoga tail`: the newest records of a journal, and what comes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::dump::failed;
use super::output;
use super::records::{Form, Printer, StreamName, Wanted, open};
use crate::clock::wall_ns;
use crate::journal::{Filter, Polled, Seek, Start, TailError, TailState, Tailer};

/// Most records taken between two writes.
const BATCH: usize = 256;

/// Prints the last records of a journal; with --follow, each further one as it is committed.
///
/// Following outlives the recorder: when it ends or dies, this waits for it to come back. It reads the recorder's
/// memory-mapped file and never slows it down. Stop it with Ctrl-C.
///
/// With --from all records from there on are printed. With --to following ends, too: at that sequence, or a minute after
/// that time. Each record's checksum is checked.
///
/// Exit status: 0 printed, 1 a record is damaged (those before it were printed), 2 no journal there, or wrong use.
///
/// Examples:
///   hoga tail journal
///   hoga tail journal -f --symbol 005930 --kind trade
///   hoga tail journal -f --json | jq -c '[.symbol, .px, .qty]'
///   hoga tail journal --from 15:20 --kind expected --format csv
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Go on with what comes.
    #[arg(short, long)]
    follow: bool,
    /// Records to begin with.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    records: usize,
    #[command(flatten)]
    form: Form,
    /// Stream to read.
    #[arg(long, value_enum, default_value_t)]
    stream: StreamName,
    #[command(flatten)]
    wanted: Wanted,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let filter = match args.wanted.filter(&args.dir) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("hoga tail: {error}");
            return ExitCode::from(2);
        }
    };
    match print(&args, filter) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn print(args: &Args, filter: Filter) -> Result<(), ExitCode> {
    let stream = args.stream.into();
    let mut printer = Printer::new(args.form, args.wanted.kinds(), stream);
    let mut out = Vec::new();
    printer.head(&mut out);
    output::write(&out)?;
    out.clear();
    let mut tailer = if filter.from.is_some() {
        open(&args.dir, stream, filter.clone(), true).map_err(|error| failed(&error))?
    } else {
        let (tailer, last, damage) = last_records(args, &filter, &mut printer).map_err(|error| failed(&error))?;
        output::write(&last)?;
        if let Some(error) = damage {
            return Err(failed(&error));
        }
        if !args.follow {
            announce_pruned(&tailer, &mut 0);
            return Ok(());
        }
        tailer
    };
    let mut announced = TailState::Live;
    let mut pruned = 0;
    loop {
        // Before the poll: what was committed by then is read first.
        let is_over = filter.is_over(wall_ns());
        let polled = tailer.poll(BATCH, |record| printer.record(&mut out, &record));
        if !out.is_empty() {
            output::write(&out)?;
            out.clear();
        }
        let polled = polled.map_err(|error| failed(&error))?;
        announce_pruned(&tailer, &mut pruned);
        if tailer.is_past() || ((!args.follow || is_over) && polled.state != TailState::More) {
            return Ok(());
        }
        if polled.state != TailState::More {
            if polled.state != announced {
                announced = polled.state;
                announce(polled.state);
            }
            // Reading costs the recorder nothing, but polling costs this machine a processor.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The last records as printed, a tailer behind them, and what stopped it among them.
fn last_records(
    args: &Args,
    filter: &Filter,
    printer: &mut Printer,
) -> Result<(Tailer, Vec<u8>, Option<TailError>), TailError> {
    let stream = args.stream.into();
    // The end first: what is committed by now is the past, what comes after is followed.
    let next = Tailer::open(&args.dir, stream, Start::End)?.next_sequence();
    // A filter may pass one record in a thousand, or fewer: then look further back.
    let mut back = (args.records as u64).saturating_mul(if filter.is_empty() { 1 } else { 1000 });
    loop {
        let from = next.saturating_sub(back);
        let mut tailer = Tailer::open(&args.dir, stream, Start::End)?;
        // Sought, so that what lies before is neither read nor checked.
        tailer.seek(Seek::Sequence(from))?;
        let mut tailer = tailer.with_crc_check(true).with_filter(filter.clone());
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        let mut fresh = Vec::new();
        let mut damage = None;
        while tailer.next_sequence() < next && !tailer.is_past() {
            let polled = tailer.poll(BATCH, |record| {
                if record.position.sequence >= next {
                    // It came meanwhile: the first of what is followed.
                    printer.record(&mut fresh, &record);
                    return;
                }
                let mut line = Vec::new();
                printer.record(&mut line, &record);
                last.push_back(line);
                if last.len() > args.records {
                    last.pop_front();
                }
            });
            match polled {
                Ok(Polled { state: TailState::More, .. }) => {}
                Ok(_) => break,
                Err(error) => {
                    damage = Some(error);
                    break;
                }
            }
        }
        if last.len() < args.records && from > 1 && damage.is_none() {
            back = back.saturating_mul(16).max(1);
            continue;
        }
        let mut lines: Vec<u8> = last.into_iter().flatten().collect();
        if args.follow {
            lines.extend_from_slice(&fresh);
        }
        return Ok((tailer, lines, damage));
    }
}

/// Says what was gone past because retention deleted it, when that became more.
fn announce_pruned(tailer: &Tailer, told: &mut u64) {
    if tailer.pruned() > *told {
        let records = tailer.pruned() - *told;
        *told = tailer.pruned();
        eprintln!("hoga tail: {records} records on the way were deleted by retention, as audit.log says");
    }
}

fn announce(state: TailState) {
    match state {
        TailState::Closed => eprintln!("hoga tail: the journal was closed; waiting for the recorder to come back"),
        TailState::Gone => eprintln!("hoga tail: the recorder is gone; waiting for it to come back"),
        TailState::Silent => eprintln!("hoga tail: the recorder holds the journal, but shows no sign of life"),
        _ => eprintln!("hoga tail: the recorder is back"),
    }
}
