//! `hoga fetch masters` and `hoga fetch holidays`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Keys, shown};
use crate::cli::seal::day;
use crate::config::Config;
use crate::feed::kis::environment::{is_brokers, server_of};
use crate::feed::kis::masters::{Cache, DOWNLOAD_URL, FileReport, Masters, MastersError, download_newest};
use crate::fetch::{Moment, holidays};
use crate::market::kst;

/// Master files: the broker's lists of all that is traded
///
/// They go where `hoga instruments` looks for them, as the files of today; what is there of today is not downloaded again.
/// They come whole, from one place for all app keys. Exit status 1 when a file is damaged or has rows that can't be read, or
/// one of --symbols is not listed.
#[derive(Debug, clap::Args)]
pub(super) struct MastersArgs {
    /// Configuration, as for `hoga run`: where it records a venue of its own, the files are that venue's.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Codes to look up in the lists, or @FILE: which of them are listed.
    #[arg(long, value_name = "CODES")]
    symbols: Option<String>,
    /// Accepted as elsewhere; the lists are those of today, whatever it says.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<Date>,
    /// Accepted as elsewhere; the lists are those of today, whatever it says.
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<Date>,
    /// Folder of the files, a folder a day in it [default: hoga/masters in the user's cache folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where they are [default: at the broker, or at the venue that the configuration names].
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
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
/// is noted in the folder of keys. Exit status 1 where the two part, and where the broker's list ends before --to.
///
/// With --json one object: {what, from, to, until, complete, days: [{date, open, ...}], calls, differences}.
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
    /// Accepted as elsewhere; the list is that of the market, whatever it says.
    #[arg(long, value_name = "CODES")]
    symbols: Option<String>,
    /// Ask though it was asked today.
    #[arg(long)]
    again: bool,
    /// End with one JSON object on the last line of stdout.
    #[arg(long)]
    json: bool,
}

pub(super) fn masters(args: &MastersArgs) -> ExitCode {
    let failed = |problem: &str| super::failed("masters", 2, problem, args.json);
    let Some(dir) = args.out.clone().or_else(Cache::default_dir) else {
        return failed("there is no home: name a folder with --out");
    };
    let named = args.symbols.as_deref().map_or(Ok(Vec::new()), super::symbols);
    let (base_url, named) = match base_url(args).and_then(|base_url| Ok((base_url, named?))) {
        Ok(found) => found,
        Err(problem) => return failed(&problem),
    };
    let today = Moment::now().date();
    let cache = Cache::new(&dir);
    let held = newest_of(&cache, today).and_then(|day| cache.origin(day));
    let origin = held.filter(|origin| !args.restart && *origin != server_of(&base_url));
    if let Some(origin) = origin {
        let (dir, server) = (shown(&dir), server_of(&base_url));
        let problem = format!(
            "{dir} has the files of today of the server `{origin}`, not those of `{server}`: name another folder with --out, \
             or replace them with --restart"
        );
        return failed(&problem);
    }
    if args.from.is_some_and(|from| from > today) || args.to.is_some_and(|to| to < today) {
        eprintln!("hoga fetch: the lists are those of today, {today}, whatever --from and --to say");
    }
    let (masters, is_new) = match todays(args, &base_url, &dir) {
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
    let missing = masters.missing().iter().map(|file| format!("{file}: missing, the server didn't have it"));
    let unlisted = named.iter().filter(|code| masters.get(code).is_none());
    let unlisted = unlisted.map(|code| format!("{code} is not listed"));
    let errors: Vec<String> = damaged.chain(unlisted).collect();
    errors.iter().cloned().chain(missing).for_each(|error| eprintln!("hoga fetch: {error}"));
    let rows = masters.all().len();
    if args.json {
        let file =
            |report: &FileReport| json!({ "file": report.file, "rows": report.rows, "rejected": report.rejected });
        let files: Vec<Value> = reports.iter().map(file).collect();
        let (date, dir) = (masters.date().to_string(), dir.display().to_string());
        let listed = named.iter().filter_map(|code| masters.get(code));
        let listed: Vec<Value> = listed.map(|one| json!({ "code": one.code, "name": one.name })).collect();
        let told = json!({
            "what": "masters", "date": date, "dir": dir, "new": is_new, "instruments": rows, "files": files, "symbols": listed,
            "missing": masters.missing(), "errors": errors,
        });
        say!("{told}");
    } else {
        let how = if is_new { "downloaded" } else { "there already" };
        say!("{}: {} files, {rows} instruments in {}, {how}", masters.date(), reports.len(), shown(&dir));
    }
    ExitCode::from(if errors.is_empty() && masters.missing().is_empty() { 0 } else { 1 })
}

/// Where the files are: at the broker, unless the configuration is of a venue of its own.
fn base_url(args: &MastersArgs) -> Result<String, String> {
    let config = args.config.as_deref().map(Config::load).transpose().map_err(|error| error.to_string())?;
    let of_venue = config.map(|config| config.kis.rest_url).filter(|url| !is_brokers(url));
    Ok(args.base_url.clone().or(of_venue).unwrap_or_else(|| DOWNLOAD_URL.to_owned()))
}

/// The newest day of a cache, if it is today's or was put in today.
fn newest_of(cache: &Cache, today: Date) -> Option<Date> {
    let newest = cache.days().ok()?.pop()?;
    (newest == today || cache.put_in_on(newest) == Some(today)).then_some(newest)
}

/// The master files of today, and whether they were downloaded now.
fn todays(args: &MastersArgs, base_url: &str, dir: &Path) -> Result<(Masters, bool), MastersError> {
    let today = Moment::now().date();
    let cache = Cache::new(dir);
    if let Some(day) = newest_of(&cache, today).filter(|_| !args.restart) {
        let there = cache.load(day)?;
        if there.missing().is_empty() && there.reports().iter().all(|report| report.damage.is_none()) {
            return Ok((there, false));
        }
    }
    Ok((download_newest(dir, today, base_url)?.masters, true))
}

pub(super) fn holidays(args: &Holidays) -> ExitCode {
    match list(args) {
        Ok(code) => code,
        Err((status, problem)) => super::failed("holidays", status, &problem, args.json),
    }
}

fn list(args: &Holidays) -> Result<ExitCode, (u8, String)> {
    let means = args.keys.means().map_err(|problem| (2, problem))?;
    if args.symbols.is_some() {
        eprintln!("hoga fetch: holidays are those of the market, whatever --symbols says");
    }
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
    let is_complete = last >= Some(to);
    if !is_complete {
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
        let told = json!({
            "what": "holidays", "from": from.to_string(), "to": to.to_string(), "until": last.map(|date| date.to_string()),
            "complete": is_complete, "days": days, "calls": calls, "differences": differences,
        });
        say!("{told}");
    } else {
        let how = if found.is_kept { "asked for earlier today" } else { "asked for now" };
        let parted = found.differences.len();
        say!("{} days, {closed} closed, {how}; the calendar says otherwise {parted} times", found.days.len());
    }
    Ok(ExitCode::from(if found.differences.is_empty() && is_complete { 0 } else { 1 }))
}
