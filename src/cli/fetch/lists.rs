//! `hoga fetch masters` and `hoga fetch holidays`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Keys, shown};
use crate::cli::seal::day;
use crate::feed::kis::masters::{Cache, DOWNLOAD_URL, FileReport, Masters, MastersError, download};
use crate::fetch::{Moment, holidays};
use crate::market::kst;

/// Master files: the broker's lists of all that is traded
///
/// They go where `hoga instruments` looks for them, as the files of today; what is there of today is not downloaded again.
/// Exit status 1 when a file is damaged or has rows that can't be read.
#[derive(Debug, clap::Args)]
pub(super) struct MastersArgs {
    /// Folder of the files, a folder a day in it [default: hoga/masters in the user's cache folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where they are.
    #[arg(long, value_name = "URL", default_value = DOWNLOAD_URL)]
    base_url: String,
    /// Download them again.
    #[arg(long)]
    restart: bool,
    /// End with one JSON object on the last line of stdout.
    #[arg(long)]
    json: bool,
}

/// The broker's holidays, held against the calendar
///
/// The broker asks for one such call a day: on one date a second download makes no call, nor does one after a recorder's, which
/// is noted in the folder of keys. Exit status 1 where the two part.
#[derive(Debug, clap::Args)]
pub(super) struct Holidays {
    #[command(flatten)]
    keys: Keys,
    /// Folder of the list; made when it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// First date [default: today].
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<Date>,
    /// Last date [default: 13 days after the first, which is one call].
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<Date>,
    /// Ask though it was asked today.
    #[arg(long)]
    again: bool,
    /// End with one JSON object on the last line of stdout.
    #[arg(long)]
    json: bool,
}

pub(super) fn masters(args: &MastersArgs) -> ExitCode {
    let Some(dir) = args.out.clone().or_else(Cache::default_dir) else {
        eprintln!("hoga fetch: there is no home: name a folder with --out");
        return ExitCode::from(2);
    };
    let (masters, is_new) = match todays(args, &dir) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("hoga fetch: {error}");
            if args.json {
                say!("{}", json!({ "what": "masters", "files": [], "errors": [error.to_string()] }));
            }
            return ExitCode::from(1);
        }
    };
    let reports = masters.reports();
    let damaged = reports.iter().filter(|report| !report.is_whole());
    let damaged = damaged.map(|report| match &report.damage {
        Some(damage) => format!("{}: {damage}", report.file),
        None => format!("{}: {} of {} rows can't be read", report.file, report.rejected, report.rows),
    });
    let missing = masters.missing().iter().map(|file| format!("{file}: the server doesn't have it"));
    let errors: Vec<String> = damaged.collect();
    errors.iter().cloned().chain(missing).for_each(|error| eprintln!("hoga fetch: {error}"));
    let rows = masters.all().len();
    if args.json {
        let file =
            |report: &FileReport| json!({ "file": report.file, "rows": report.rows, "rejected": report.rejected });
        let files: Vec<Value> = reports.iter().map(file).collect();
        let (date, dir) = (masters.date().to_string(), dir.display().to_string());
        let told = json!({
            "what": "masters", "date": date, "dir": dir, "new": is_new, "instruments": rows, "files": files,
            "missing": masters.missing(), "errors": errors,
        });
        say!("{told}");
    } else {
        let how = if is_new { "downloaded" } else { "there already" };
        say!("{}: {} files, {rows} instruments in {}, {how}", masters.date(), reports.len(), shown(&dir));
    }
    ExitCode::from(if errors.is_empty() { 0 } else { 1 })
}

/// The master files of today, and whether they were downloaded now.
fn todays(args: &MastersArgs, dir: &Path) -> Result<(Masters, bool), MastersError> {
    let today = Moment::now().date();
    let cache = Cache::new(dir);
    if !args.restart && cache.days()?.contains(&today) {
        let there = cache.load(today)?;
        if there.reports().iter().all(|report| report.damage.is_none()) {
            return Ok((there, false));
        }
    }
    Ok((download(dir, today, &args.base_url)?.masters, true))
}

pub(super) fn holidays(args: &Holidays) -> ExitCode {
    match list(args) {
        Ok(code) => code,
        Err((status, problem)) => {
            eprintln!("hoga fetch: {problem}");
            ExitCode::from(status)
        }
    }
}

fn list(args: &Holidays) -> Result<ExitCode, (u8, String)> {
    let means = args.keys.means().map_err(|problem| (2, problem))?;
    let from = args.from.unwrap_or(means.moment.date());
    let to = args.to.unwrap_or(from.checked_add(13.days()).unwrap_or(Date::MAX));
    if from > to {
        return Err((2, format!("--from {from} is after --to {to}: exchange them")));
    }
    let client = means.client().map_err(|problem| (2, problem))?;
    let found = holidays::download(&client, &means.calendar, &args.out, (from, to), &means.moment, args.again);
    let found = found.map_err(|error| (1, error.to_string()))?;
    for difference in &found.differences {
        eprintln!("hoga fetch: {difference}");
    }
    let last = found.days.last().and_then(|day| kst::date_of(day.date));
    if last < Some(to) {
        eprintln!(
            "hoga fetch: the broker tells of days up to {}",
            last.map_or("none".to_owned(), |day| day.to_string())
        );
    }
    let closed = found.days.iter().filter(|day| !day.open).count();
    if args.json {
        let differences: Vec<Value> =
            found.differences.iter().map(|difference| json!(difference.to_string())).collect();
        let days: Vec<Value> = found
            .days
            .iter()
            .map(|day| json!({ "date": day.date, "open": day.open, "business_day": day.business_day, "trading_day": day.trading_day, "settlement_day": day.settlement_day }))
            .collect();
        let calls = client.report().counts.requests;
        say!("{}", json!({ "what": "holidays", "days": days, "calls": calls, "differences": differences }));
    } else {
        let how = if found.is_kept { "asked for earlier today" } else { "asked for now" };
        let parted = found.differences.len();
        say!("{} days, {closed} closed, {how}; the calendar says otherwise {parted} times", found.days.len());
    }
    Ok(ExitCode::from(if found.differences.is_empty() { 0 } else { 1 }))
}
