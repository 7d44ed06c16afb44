//! `hoga fetch`: batch downloads of bars, days, trades, symbol masters and holidays.

mod lists;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::civil::{Date, DateTime};
use serde_json::json;

use super::run::stop_flag;
use super::seal::day;
use crate::config::Config;
use crate::feed::kis::environment::server_of;
use crate::feed::kis::rest::quotations::{Period, Prices};
use crate::feed::kis::rest::{Client, is_mock};
use crate::fetch::{Folder, Format, Job, Market, Moment, Plan, Request, What, work};
use crate::journal;
use crate::market::calendar::Calendar;

/// Downloads past bars, days, trades of today, symbol masters and the broker's holidays in one go.
///
/// What was stopped goes on where it was, however it ended (Ctrl-C, kill -9, power): run the same
/// command again. Nothing is lost, nothing comes twice. A folder holds one request.
///
/// Calls go out at the pace of their app keys, side by side over all of them, after those of
/// others; while `hoga run` records with the same configuration, at half of that pace.
///
/// With --json the last line is one object: {what, from, to, units, units_done, resumed, partial,
/// calls, rows, errors: [{symbol, units, error}], missing_qty, seconds, interrupted, fatal, ...};
/// where nothing could be begun, `fatal` says why.
///
/// Exit status: 0 good, 1 not all of it could be had or somebody stopped it, 2 wrong use.
///
/// Examples:
///   hoga fetch bars --config hoga.toml --symbols 005930,000660 --from 2026-11-02 --to 2026-11-20 --out minutes
///   hoga fetch bars --config hoga.toml --symbols @kospi200.txt --from 2025-12-01 --to 2026-11-20 --out year --dry-run
///   hoga fetch daily --config hoga.toml --symbols 005930 --from 2015-01-02 --to 2026-11-20 --prices adjusted --out days
///   hoga fetch ticks --config hoga.toml --symbols 005930 --out today --format journal
///   hoga fetch masters --config hoga.toml
///   hoga fetch holidays --config hoga.toml --out calendar
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    what: Fetch,
}

#[derive(Debug, Subcommand)]
enum Fetch {
    /// Bars of a minute: of today, and of past days for about a year
    Bars {
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        common: Common,
    },
    /// Bars of a day, week or month
    Daily {
        #[command(flatten)]
        range: Range,
        /// Length of a bar: D, W or M; weeks and months are whole ones, whatever the dates.
        #[arg(long, value_name = "PERIOD", default_value = "D", value_parser = period)]
        period: Period,
        /// `raw`: as they were paid; `adjusted`: comparable with today's, for splits and the like. Kept with the rows.
        #[arg(long, value_name = "PRICES", default_value = "raw", value_parser = prices)]
        prices: Prices,
        #[command(flatten)]
        common: Common,
    },
    /// Trades of today, one by one: 30 a call, so a busy stock takes more than a thousand
    ///
    /// The broker shows today's alone. Of a second with more trades than a call holds it shows the newest; the shares of the
    /// others are counted, exactly: column `missing_before`, in a journal a gap record.
    Ticks {
        #[command(flatten)]
        range: Today,
        #[command(flatten)]
        common: Common,
    },
    Masters(lists::MastersArgs),
    Holidays(lists::Holidays),
}

#[derive(Debug, clap::Args)]
struct Range {
    /// First date, in Korea: 2026-11-23 or 20261123.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Date,
    /// Last date.
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Date,
}

#[derive(Debug, clap::Args)]
struct Today {
    /// First date [default: today, or the day of which the folder has trades].
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<Date>,
    /// Last date: the same day, since the broker shows the trades of today alone. Those that the folder has of another day
    /// stay as they are.
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<Date>,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    keys: Keys,
    /// Codes, separated by commas, or @FILE with one or several on a line (# begins a comment).
    #[arg(long, value_name = "CODES")]
    symbols: String,
    /// Where it is traded: KRX, NXT, or UN for both as one.
    #[arg(long, value_name = "VENUE", default_value = "KRX")]
    venue: Market,
    /// Folder of the download; made when it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// csv or parquet: a file for each symbol and day (daily: for each symbol) in DIR/data; journal: records with flag
    /// BACKFILLED in DIR/journal.
    #[arg(long, value_name = "FORMAT", default_value = "csv")]
    format: Format,
    /// Begin anew: DELETE what an earlier download left in the folder.
    #[arg(long)]
    restart: bool,
    /// Only say how many units and calls it takes, and how long; nothing is asked, nothing written.
    #[arg(long)]
    dry_run: bool,
    /// Seconds for which the server may be out of reach until the download ends, to be resumed.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    patience: u64,
    /// End with one JSON object on the last line of stdout.
    #[arg(long)]
    json: bool,
}

/// What all downloads with app keys take.
#[derive(Debug, clap::Args)]
struct Keys {
    /// Configuration that names app keys and server, as for `hoga run`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Corrections of the calendar, as for `hoga calendar` [default: those that the configuration names].
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// Go by this Korean time instead of the clock, for a simulated venue: 2026-11-20T21:00:00.
    #[arg(long, value_name = "TIME")]
    as_of: Option<DateTime>,
}

fn period(text: &str) -> Result<Period, String> {
    match text {
        "D" | "d" => Ok(Period::Day),
        "W" | "w" => Ok(Period::Week),
        "M" | "m" => Ok(Period::Month),
        _ => Err("expected D, W or M".to_owned()),
    }
}

fn prices(text: &str) -> Result<Prices, String> {
    match text {
        "raw" => Ok(Prices::Raw),
        "adjusted" => Ok(Prices::Adjusted),
        _ => Err("expected raw or adjusted".to_owned()),
    }
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    super::keep_memory_private();
    let (what, from, to, common) = match args.what {
        Fetch::Bars { range, common } => (What::Bars, Some(range.from), Some(range.to), common),
        Fetch::Daily { range, period, prices, common } => {
            (What::Daily { period, prices }, Some(range.from), Some(range.to), common)
        }
        Fetch::Ticks { range, common } => (What::Ticks, range.from, range.to, common),
        Fetch::Masters(args) => return lists::masters(&args),
        Fetch::Holidays(args) => return lists::holidays(&args),
    };
    match download(what, from, to, &common) {
        Ok(code) => code,
        Err(problem) => failed(what.name(), 2, &problem, common.json),
    }
}

/// Says why nothing could be begun: on stderr, and as the object that scripts read.
fn failed(what: &str, status: u8, problem: &str, as_json: bool) -> ExitCode {
    eprintln!("hoga fetch: {problem}");
    if as_json {
        say!("{}", json!({ "what": what, "errors": [], "fatal": problem }));
    }
    ExitCode::from(status)
}

/// App keys, server, calendar and moment of a download.
struct Means {
    config: Config,
    moment: Moment,
    calendar: Calendar,
}

impl Keys {
    fn means(&self) -> Result<Means, String> {
        let config = Config::load(&self.config).map_err(|error| error.to_string())?;
        let calendar = match self.overrides.as_ref().or(config.kis.calendar_overrides.as_ref()) {
            Some(path) => Calendar::shipped().with_overrides(path).map_err(|error| error.to_string())?,
            None => Calendar::shipped().clone(),
        };
        let moment = match self.as_of {
            Some(time) => Moment::simulated(time).ok_or_else(|| format!("--as-of {time} is no time of a market"))?,
            None => Moment::now(),
        };
        Ok(Means { config, moment, calendar })
    }
}

impl Means {
    /// The part of the pace that downloads keep to: half of it while a recorder uses the same app keys.
    fn part(&self) -> f64 {
        if journal::is_live(&self.config.journal.dir) {
            tracing::info!("a recorder is alive: half of the pace is its");
            return 0.5;
        }
        1.0
    }

    /// Calls a second and app key.
    fn pace(&self) -> f64 {
        self.config.kis.rest.pace(&self.config.kis.rest_url) * self.part()
    }

    fn client(&self) -> Result<Client, String> {
        let accounts = self.config.accounts().map_err(|error| error.to_string())?;
        let kis = &self.config.kis;
        Client::with_part(&kis.rest_url, &accounts, &kis.rest, self.part()).map_err(|error| error.to_string())
    }
}

/// Symbols of a list or a file, each once, in their order.
fn symbols(text: &str) -> Result<Vec<String>, String> {
    let listed = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("--symbols {text}: {error}"))?,
        None => text.to_owned(),
    };
    // Editors of some systems begin a file with a mark.
    let codes = listed
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.split_once('#').map_or(line, |(codes, _)| codes))
        .flat_map(|line| line.split(|c: char| c == ',' || c.is_whitespace()))
        .filter(|code| !code.is_empty());
    let mut known = std::collections::HashSet::new();
    Ok(codes.map(str::to_ascii_uppercase).filter(|code| known.insert(code.clone())).collect())
}

fn download(what: What, from: Option<Date>, to: Option<Date>, common: &Common) -> Result<ExitCode, String> {
    let means = common.keys.means()?;
    let today = means.moment.date();
    let is_begun = Folder::is_begun(&common.out) && !common.restart;
    // Of trades the day may be left open: what was begun goes on, and is not taken for today's.
    let day = if is_begun { trades_of(&common.out).unwrap_or(today) } else { today };
    let is_of_before = from.is_none() && to.is_none() && day != today;
    let (from, to) = (from.or(to).unwrap_or(day), to.or(from).unwrap_or(day));
    let request = Request {
        what,
        symbols: symbols(&common.symbols)?,
        from,
        to,
        market: common.venue,
        format: common.format,
        server: server_of(&means.config.kis.rest_url),
    };
    let is_mock = is_mock(&means.config.kis.rest_url);
    let plan = request.plan(&means.calendar, &means.moment, is_mock, is_begun).map_err(|error| error.to_string())?;
    if common.format == Format::Parquet && !cfg!(feature = "fetch-parquet") {
        return Err("this program was built without the feature fetch-parquet: choose --format csv".to_owned());
    }
    if common.dry_run {
        return dry_run(&request, &plan, common, &means, is_begun);
    }
    let client = means.client()?;
    let mut folder = Folder::open(&common.out, &request.describe(), plan.units.len(), common.restart)
        .map_err(|error| error.to_string())?;
    let stop = stop_flag();
    let started = Instant::now();
    let job = Job {
        request: &request,
        plan: &plan,
        client: &client,
        workers: means.config.kis.account.len(),
        moment: means.moment,
        patience: Duration::from_secs(common.patience),
        stop: &stop,
    };
    let bar = super::progress::UnitBar::new(what.name(), plan.units.len());
    let outcome = work(&job, &mut folder, &|progress| bar.at(progress.units, progress.rows));
    drop(bar);
    let shown = show::Shown { request: &request, plan: &plan, outcome: &outcome, client: &client };
    if is_of_before {
        eprintln!(
            "hoga fetch: {} holds the trades of {from}, which stay as they are: the broker shows those of today alone; \
             name another folder for those of {today}",
            common.out.display()
        );
    }
    shown.print(started.elapsed(), &common.out, common.json);
    let is_good = outcome.fatal.is_none() && outcome.failures.is_empty() && !outcome.is_interrupted && !is_of_before;
    Ok(ExitCode::from(if is_good { 0 } else { 1 }))
}

/// The day of which a folder has trades.
fn trades_of(out: &Path) -> Option<Date> {
    let request = Folder::request(out)?;
    let day = request.get("from").filter(|_| request["what"] == What::Ticks.name())?;
    day.as_str()?.parse().ok()
}

fn dry_run(request: &Request, plan: &Plan, common: &Common, means: &Means, is_begun: bool) -> Result<ExitCode, String> {
    let pending: Vec<usize> = if is_begun {
        let folder = Folder::open(&common.out, &request.describe(), plan.units.len(), false);
        let folder = folder.map_err(|error| error.to_string())?;
        (0..plan.units.len()).filter(|unit| !folder.is_done(*unit)).collect()
    } else {
        (0..plan.units.len()).collect()
    };
    let calls = plan.calls(request, &means.moment, pending.iter().copied());
    let keys = means.config.kis.account.len();
    let pace = means.pace() * keys as f64;
    let seconds = calls.map(|calls| calls as f64 / pace);
    if common.json {
        let object = json!({
            "what": request.what.name(),
            "dry_run": true,
            "units": plan.units.len(),
            "units_left": pending.len(),
            "open_days": plan.open_days.len(),
            "closed_days": plan.closed_days,
            "calls_max": calls,
            "calls_per_second": pace,
            "seconds": seconds,
        });
        say!("{object}");
        return Ok(ExitCode::SUCCESS);
    }
    say!(
        "{} units, {} of them to do: {} symbols, {} open days ({} closed ones take no call)",
        plan.units.len(),
        pending.len(),
        request.symbols.len(),
        plan.open_days.len(),
        plan.closed_days,
    );
    match (calls, seconds) {
        (Some(calls), Some(seconds)) => say!(
            "at most {} calls, {} at {pace:.1} calls a second over {keys} app keys",
            super::units::count(calls),
            super::units::nanos((seconds * 1e9) as u64),
        ),
        _ => say!(
            "calls: one for 30 trades of a symbol, {pace:.1} a second over {keys} app keys; how many trades is not known before"
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a file of a list goes, for messages.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
