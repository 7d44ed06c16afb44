//! `hoga fetch masters` and `hoga fetch holidays`.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Keys, shown};
use crate::cli::seal::day;
use crate::cli::units::bytes;
use crate::fetch::{Moment, holidays, masters};
use crate::market::kst;

/// Symbol masters: the broker's lists of all that is traded, unpacked and checked
///
/// A file that the folder has of today is not downloaded again. Text is in cp949, records have fixed widths in bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Masters {
    /// Folder of the files; made when it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Names, separated by commas [default: those of Korean stocks, indices and themes].
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    files: Vec<String>,
    /// Where they are.
    #[arg(long, value_name = "URL", default_value = masters::BASE_URL)]
    base_url: String,
    /// Download all again.
    #[arg(long)]
    restart: bool,
    /// End with one JSON object on the last line of stdout.
    #[arg(long)]
    json: bool,
}

/// The broker's holidays, held against the calendar
///
/// The broker asks for one such call a day: on one date a second download makes no call. Exit status 1 where the two part.
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

pub(super) fn masters(args: &Masters) -> ExitCode {
    let moment = Moment::now();
    let mut known = if args.restart { masters::Masters::new() } else { masters::known(&args.out) };
    let default = || masters::FILES.map(str::to_owned).to_vec();
    let names = if args.files.is_empty() { default() } else { args.files.clone() };
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for name in names {
        match masters::download(&args.base_url, &name, &args.out, &moment, &mut known) {
            Ok(is_new) => {
                let Some(master) = known.get(&name) else { continue };
                if !args.json {
                    let how = if is_new { "downloaded" } else { "there already" };
                    say!("{}: {}, {how}", shown(&args.out.join(&name)), bytes(master.bytes));
                }
                files.push(json!({ "file": name, "bytes": master.bytes, "sha256": master.sha256, "new": is_new }));
            }
            Err(error) => {
                eprintln!("hoga fetch: {error}");
                errors.push(json!({ "file": name, "error": error.to_string() }));
            }
        }
    }
    let is_good = errors.is_empty();
    if args.json {
        say!("{}", json!({ "what": "masters", "files": files, "errors": errors }));
    }
    ExitCode::from(if is_good { 0 } else { 1 })
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
