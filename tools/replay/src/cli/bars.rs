//! `hoga-replay bars`: bars and sampled books.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hoga::journal::{Start, Stream, TailError, TailState, Tailer};
use hoga::market::calendar::Calendar;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::failure::{Failure, print_line};
use super::filters::filter_of;
use super::source::Source;
use crate::bars::{Bar, BarBuilder, BarConfig, BookSample, Every, Format, Nowhere, RowSink, Table, Totals, open_table};
use crate::control::{Controls, listen_to_signals};
use crate::journals::find_journals;
use crate::merge::ReadError;

/// Records between two looks at what can be closed.
const BATCH: usize = 4096;
/// Records looked at, wanted or not, between two looks at what can be closed and whether the end was asked for.
const SLICE: usize = 65_536;
const NANOS: u64 = 1_000_000_000;

/// Makes bars (open, high, low, close, volume, turnover, VWAP, trades, volume by aggressor) and sampled books.
///
/// One row for an interval, instrument, venue and session in which something was traded: auctions, continuous trading,
/// pre-market, after-market and single price are apart, KRX, NXT and the unified feed (UN) are never added together.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status 1: a trade came after its bar was closed (see --late) or the journal is damaged; 2: wrong use.\n\n\
                  Examples:\n  hoga-replay bars journal --every 1m --format parquet --out bars.parquet\n  \
                  hoga-replay bars days/ --every 1s --symbol 005930 --venue KRX --books books.csv"
)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Length of a bar: 1s, 30s, 1m, 5m, 1h (what divides a day), or day (a trading day, from 07:00)
    #[arg(long, value_name = "LENGTH", default_value = "1m")]
    every: Every,
    /// Form of the rows: csv, jsonl or parquet
    #[arg(long, value_name = "FORM", default_value = "csv")]
    format: Format,
    /// Where the bars go; - is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Also the newest book at each interval's end, to this file, in the same form
    #[arg(long, value_name = "FILE")]
    books: Option<PathBuf>,
    /// Levels a side of those books, 1 to 10
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=10))]
    levels: u8,
    /// Corrections of the calendar, as of `hoga calendar --overrides`: they decide the sessions
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// Seconds of event time for which an interval waits for late trades
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    late: u64,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Say what was done as one JSON object (on stderr when the bars go to stdout)
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(args: Args) -> Result<ExitCode, Failure> {
    let totals = make(&args)?;
    report(&args, &totals)?;
    Ok(ExitCode::from(u8::from(totals.late + totals.unnamed > 0)))
}

fn wrong(text: &str) -> Failure {
    Failure::Wrong(text.to_owned())
}

/// A journal and the range of its records.
struct Input {
    path: PathBuf,
    first_ns: u64,
    last_ns: u64,
    records: u64,
}

fn make(args: &Args) -> Result<Totals, Failure> {
    if !args.source.kind.is_empty() {
        return Err(wrong("--kind does not apply: bars are made of trades, sampled books of books"));
    }
    if args.books.as_deref() == Some(args.out.as_path()) {
        return Err(wrong("--books and --out name the same file"));
    }
    let inputs = inputs(&args.source.dirs)?;
    let filters = inputs.iter().map(|input| filter_of(&args.source, &input.path)).collect::<Result<Vec<_>, _>>();
    let filters = filters?;
    let calendar = match &args.overrides {
        Some(path) => Calendar::shipped().with_overrides(path).map_err(|error| Failure::Wrong(error.to_string()))?,
        None => Calendar::shipped().clone(),
    };
    if !args.force {
        let out = Some(&args.out).filter(|out| out.as_path() != Path::new("-"));
        if let Some(file) = out.into_iter().chain(&args.books).find(|file| file.exists()) {
            return Err(Failure::Exists(file.clone()));
        }
    }
    let controls = Controls::default();
    listen_to_signals(&controls).map_err(|error| Failure::Wrong(format!("signals: {error}")))?;

    let notes = [
        ("hoga.every_ns", args.every.ns().to_string()),
        ("hoga.sessions", "auctions, continuous trading, pre-market and after-market are rows of their own".to_owned()),
        ("hoga.vwap", "sum of price x quantity / volume, rounded once to 1e-9, half away from zero".to_owned()),
    ];
    let mut bars = open_table(&args.out, args.format, Bar::columns(), &notes)?;
    let depth = usize::from(args.levels);
    let books = args.books.as_deref().map(|path| open_table(path, args.format, BookSample::columns(depth), &notes));
    let mut books: Option<Table> = books.transpose()?;

    let book_levels = if books.is_some() { depth } else { 0 };
    let progress = ProgressBar::new(inputs.iter().map(|input| input.records).sum());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} records, {per_sec}, {eta} left") {
        progress.set_style(style);
    }
    if args.out == Path::new("-") && std::io::stdout().is_terminal() {
        // Rows on the same terminal are progress enough.
        progress.set_draw_target(ProgressDrawTarget::hidden());
    }
    let late_ns = args.late.saturating_mul(NANOS);
    let mut builder = BarBuilder::new(BarConfig { every: args.every, late_ns, book_levels }, calendar);
    let mut nowhere = Nowhere;
    for (input, filter) in inputs.iter().zip(filters) {
        let fail = |source: TailError| ReadError { dir: input.path.clone(), source };
        let filter = {
            let books: &mut dyn RowSink<BookSample> = books.as_mut().map_or(&mut nowhere, |table| table);
            builder.begin(filter, &mut bars, books)?
        };
        let tailer = Tailer::open(&input.path, Stream::Ticks, Start::Beginning).map_err(fail)?;
        let mut tailer = tailer.with_crc_check(true).with_filter(filter).with_slices(SLICE);
        loop {
            let before = tailer.next_sequence();
            let polled = tailer.poll(BATCH, |record| builder.record(&record)).map_err(fail)?;
            progress.inc(tailer.next_sequence().saturating_sub(before));
            let books: &mut dyn RowSink<BookSample> = books.as_mut().map_or(&mut nowhere, |table| table);
            builder.close_passed(&mut bars, books)?;
            if controls.has_quit() {
                return Err(Failure::Ended);
            }
            if polled.state != TailState::More || tailer.is_past() {
                break;
            }
        }
    }
    let books_rest: &mut dyn RowSink<BookSample> = books.as_mut().map_or(&mut nowhere, |table| table);
    builder.finish(&mut bars, books_rest)?;
    progress.finish_and_clear();
    bars.finish()?;
    books.map(Table::finish).transpose()?;
    Ok(builder.totals())
}

/// The journals in the order of their time. Two that overlap would count trades twice.
fn inputs(dirs: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let journals = find_journals(dirs)?;
    let mut inputs = Vec::new();
    for journal in journals {
        if let Some(input) = range_of(&journal.path)? {
            inputs.push(input);
        }
    }
    inputs.sort_by_key(|input| input.first_ns);
    for pair in inputs.windows(2) {
        if pair[1].first_ns < pair[0].last_ns {
            return Err(Failure::Wrong(format!(
                "{} and {} were recorded at the same time: trades would count twice; make bars of each",
                pair[0].path.display(),
                pair[1].path.display()
            )));
        }
    }
    Ok(inputs)
}

/// Receive times of the first and last record; `None` when there is none.
fn range_of(path: &Path) -> Result<Option<Input>, Failure> {
    let fail = |source: TailError| ReadError { dir: path.to_owned(), source };
    let mut stamp = None;
    let mut first = Tailer::open(path, Stream::Ticks, Start::Beginning).map_err(fail)?.with_crc_check(true);
    first.poll(1, |record| stamp = Some((record.header().ts_recv, record.position.sequence))).map_err(fail)?;
    let Some((first_ns, first_sequence)) = stamp else { return Ok(None) };
    let end = Tailer::open(path, Stream::Ticks, Start::End).map_err(fail)?.next_sequence();
    let mut last_ns = first_ns;
    let mut last = Tailer::open(path, Stream::Ticks, Start::Sequence(end.saturating_sub(1))).map_err(fail)?;
    last.poll(1, |record| last_ns = record.header().ts_recv).map_err(fail)?;
    Ok(Some(Input { path: path.to_owned(), first_ns, last_ns, records: end - first_sequence }))
}

fn report(args: &Args, totals: &Totals) -> Result<(), Failure> {
    let Totals { trades, trades_left_out, late, unnamed, books, bars, samples, open_max, .. } = *totals;
    if args.json {
        let report = json!({
            "out": args.out,
            "books_out": args.books,
            "bars": bars,
            "trades": trades,
            "trades_left_out": trades_left_out,
            "late": late,
            "unnamed": unnamed,
            "books": books,
            "samples": samples,
            "open_max": open_max,
        });
        if args.out == Path::new("-") {
            eprintln!("{report}");
        } else {
            print_line(report)?;
        }
    } else if args.out != Path::new("-") {
        print_line(format!(
            "{bars} bars of {trades} trades, {samples} sampled books; {trades_left_out} trades left out"
        ))?;
    }
    if late > 0 {
        eprintln!(
            "hoga-replay bars: {late} records came after their interval was closed and are in no row: raise --late"
        );
    }
    if unnamed > 0 {
        eprintln!("hoga-replay bars: {unnamed} records are of instruments the journal does not declare");
    }
    Ok(())
}
