//! `hoga instruments`: what can be recorded, from the broker's master files.

mod show;

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;

use super::output;
use super::seal::day;
use super::units::{bytes, count};
use crate::clock::wall_ns;
use crate::feed::kis::masters::{Cache, Changed, DOWNLOAD_URL, Masters, MastersError, Query, download_newest};
use crate::market::calendar::{Calendar, Venue};
use crate::market::kst;
use crate::market::security::{Board, Kind, Security};

/// Rows of a table unless told otherwise.
const LIMIT: usize = 50;
/// Rejects named on stderr, of each file.
const REJECTS_SHOWN: usize = 5;

/// Lists and searches instruments: stocks, funds, notes, warrants, indices, futures, options and
/// bonds of Korea, stocks abroad.
///
/// They come from the master files that the broker publishes each morning (no key is needed). Files
/// are kept by day; --download gets the newest, of the day on which the server made them, where it
/// says so, else of today. QUERY is a code or its beginning, an ISIN, or a
/// part of the Korean or English name, in any case; consonants stand for syllables: ㅅㅅㅈㅈ.
///
/// Base price, limits and tick are those of the day of the files. Limits are left out where there
/// are none, and where the files don't tell: funds of a multiple of their index. Where the list of what
/// Nextrade trades is missing or damaged, nxt is null (`?` in the table), and --nxt is refused. A day
/// is never replaced by one that lacks a file.
///
/// With --json: a list of {code, isin, name, name_en, market, kind, sector, base_px, upper_px,
/// lower_px, tick_size, halted, cautions, nxt} on one line; with --changes of {change, code, name,
/// market, from, to}.
///
/// Exit status: 0 good, 1 nothing was found, a file is missing, damaged or has rows that can't be read
/// (said on stderr), or a download failed, 2 no files there, or wrong use.
///
/// Examples:
///   hoga instruments --download
///   hoga instruments 삼성전자
///   hoga instruments --market KOSDAQ --kind stock --nxt --limit 0
///   hoga instruments --index KOSPI200 --json | jq -r '.[].code'
///   hoga instruments --changes
///   hoga instruments --changes 2026-11-20 2026-11-23 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Code, ISIN, part of a name, or initial consonants; all without it.
    #[arg(value_name = "QUERY")]
    query: Option<String>,
    /// Only these markets: KOSPI, KOSDAQ, KONEX, INDEX, DERIVATIVES, BONDS, NASDAQ, NYSE, ... (several with commas).
    #[arg(long, value_name = "MARKET", value_delimiter = ',')]
    market: Vec<Board>,
    /// Only these kinds: stock, etf, etn, elw, index, future, option, bond, ... (several with commas).
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<Kind>,
    /// Only what Nextrade trades, too.
    #[arg(long)]
    nxt: bool,
    /// Only members of an index: KOSPI200, KOSDAQ150, KRX300, ..., or the code of a sector's index; with --changes, of either day.
    #[arg(long, value_name = "INDEX")]
    index: Option<String>,
    /// Folder of the files, a folder a day in it [default: hoga/masters in the user's cache folder].
    #[arg(long, value_name = "CACHE")]
    dir: Option<PathBuf>,
    /// Day of the files [default: the newest there is].
    #[arg(long, value_name = "DATE", value_parser = day, conflicts_with_all = ["download", "changes"])]
    day: Option<Date>,
    /// Get the newest files first; what their day had is replaced as a whole.
    #[arg(long)]
    download: bool,
    /// Server to get them from.
    #[arg(long, value_name = "URL", requires = "download", default_value = DOWNLOAD_URL)]
    base_url: String,
    /// What changed between two days: listed, delisted, renamed, halted, cautions, indices, ticks, base prices [default: the
    /// newest two].
    #[arg(long, value_names = ["FROM", "TO"], num_args = 0..=2, value_parser = day)]
    changes: Option<Vec<Date>>,
    /// Print a JSON list on one line instead of a table.
    #[arg(long)]
    json: bool,
    /// Rows at most; 0 for all [default: 50, with --json all].
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Why there is nothing to show.
enum Problem {
    /// Exit status 2.
    WrongUse(String),
    /// Exit status 1.
    Bad(String),
}

impl From<MastersError> for Problem {
    fn from(error: MastersError) -> Problem {
        match error {
            MastersError::Download { .. }
            | MastersError::Fewer { .. }
            | MastersError::Busy { .. }
            | MastersError::Io { .. } => Problem::Bad(error.to_string()),
            error => Problem::WrongUse(error.to_string()),
        }
    }
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let (text, is_good) = match show(&args) {
        Ok(shown) => shown,
        Err(problem) => {
            let (message, status) = match problem {
                Problem::WrongUse(message) => (message, 2),
                Problem::Bad(message) => (message, 1),
            };
            eprintln!("hoga instruments: {message}");
            return ExitCode::from(status);
        }
    };
    match output::write(text.as_bytes()) {
        Ok(()) => ExitCode::from(u8::from(!is_good)),
        Err(code) => code,
    }
}

/// What to print, and whether all is good.
fn show(args: &Args) -> Result<(String, bool), Problem> {
    let dir = args.dir.clone().or_else(Cache::default_dir);
    let dir = dir.ok_or_else(|| Problem::WrongUse("there is no home: name a folder with --dir".to_owned()))?;
    let downloaded = match args.download {
        true => {
            let today = kst::civil(wall_ns()).date();
            let downloaded = download_newest(&dir, today, &args.base_url)?;
            let masters = downloaded.masters;
            let date = masters.date();
            let (files, rows) = (masters.reports().len(), masters.all().len());
            let size = bytes(downloaded.bytes);
            eprintln!("{date}: {files} files, {size}, {} instruments in {}", count(rows as u64), dir.display());
            if date != today {
                eprintln!("the server made its lists on {date}, they are kept as those of that day");
            }
            if Calendar::shipped().is_trading_day(Venue::Krx, date) == Ok(false) {
                eprintln!("{date} is no trading day: base prices and limits are those of another");
            }
            Some(masters)
        }
        false => None,
    };
    if let Some(days) = &args.changes {
        return show_changes(args, &dir, days);
    }
    let masters = match (downloaded, args.day) {
        (Some(masters), _) => masters,
        (None, Some(day)) => Masters::load_day(&dir, day)?,
        (None, None) => Masters::load(&dir)?,
    };
    let is_whole = tell_reports(&masters);
    args.check_nextrade(&masters)?;
    let members = args.index.as_deref().map(|index| masters.members(index)).transpose()?;
    let found: Vec<&Security> = match (&args.query, &members) {
        (Some(query), _) => masters.search(query),
        (None, Some(members)) => members.clone(),
        (None, None) => masters.all().iter().collect(),
    };
    let is_member = |security: &Security| {
        members.as_ref().is_none_or(|members| members.iter().any(|member| std::ptr::eq(*member, security)))
    };
    let found: Vec<&Security> =
        found.into_iter().filter(|security| args.takes(security) && is_member(security)).collect();
    if found.is_empty() {
        eprintln!("hoga instruments: nothing of {} is like that", masters.date());
    }
    let (rows, left) = args.limited(&found);
    let text = if args.json { show::json(&masters, rows) } else { show::table(&masters, rows) };
    tell_left(left);
    Ok((text, is_whole && !found.is_empty()))
}

fn show_changes(args: &Args, dir: &std::path::Path, days: &[Date]) -> Result<(String, bool), Problem> {
    let cache = Cache::new(dir);
    let (from, to) = match days {
        [from, to] => (*from, *to),
        [_] => return Err(Problem::WrongUse("--changes takes two days, or none for the newest two".to_owned())),
        _ => match cache.days()?.as_slice() {
            [.., from, to] => (*from, *to),
            [date] => return Err(MastersError::OneDay { dir: dir.to_owned(), date: *date }.into()),
            [] => return Err(MastersError::Empty { dir: dir.to_owned() }.into()),
        },
    };
    if from >= to {
        return Err(Problem::WrongUse(format!("--changes {from} {to}: the first day is to be the earlier one")));
    }
    let (earlier, later) = (cache.load(from)?, cache.load(to)?);
    let is_whole = tell_reports(&earlier) & tell_reports(&later);
    args.check_nextrade(&earlier)?;
    args.check_nextrade(&later)?;
    let changes = earlier.changes(&later);
    for board in &changes.left_out {
        eprintln!("{board} is not compared: a file of it is missing or damaged on one of the days");
    }
    if changes.rejected > 0 {
        eprintln!("{} rows could not be read: some of the listed and delisted may be those", changes.rejected);
    }
    let query = args.query.as_deref().map(Query::new);
    // Who left the index in between is told, too.
    let members = args.index.as_deref().map(|index| -> Result<HashSet<&str>, MastersError> {
        let before = earlier.members(index).unwrap_or_default();
        Ok(later.members(index)?.into_iter().chain(before).map(|member| &*member.code).collect())
    });
    let members = members.transpose()?;
    let takes = |changed: &&Changed<'_>| {
        let security = changed.security;
        args.takes(security)
            && query.as_ref().is_none_or(|query| query.finds(security))
            && members.as_ref().is_none_or(|codes| security.board.is_stocks() && codes.contains(&*security.code))
    };
    let found: Vec<&Changed<'_>> = changes.list.iter().filter(takes).collect();
    let (rows, left) = args.limited(&found);
    let text = if args.json {
        show::changes_json(rows)
    } else {
        format!("{from} to {to}: {}\n{}", show::change_counts(&found), show::changes_table(rows))
    };
    tell_left(left);
    Ok((text, is_whole && changes.left_out.is_empty()))
}

impl Args {
    /// Refuses --nxt where it isn't known what Nextrade trades.
    fn check_nextrade(&self, masters: &Masters) -> Result<(), Problem> {
        let asked = |board: &Board| self.market.is_empty() || self.market.contains(board);
        match [Board::Kospi, Board::Kosdaq].into_iter().find(|board| asked(board) && !masters.knows_nextrade(*board)) {
            Some(board) if self.nxt => Err(Problem::Bad(format!(
                "what Nextrade trades of {board} is not known on {}: its list is missing or damaged; leave --nxt out, or \
                 download again",
                masters.date()
            ))),
            _ => Ok(()),
        }
    }

    fn takes(&self, security: &Security) -> bool {
        (self.market.is_empty() || self.market.contains(&security.board))
            && (self.kind.is_empty() || self.kind.contains(&security.kind))
            && (security.is_nxt || !self.nxt)
    }

    /// The rows to show, and how many are left.
    fn limited<'a, T>(&self, rows: &'a [T]) -> (&'a [T], usize) {
        let limit = match self.limit {
            Some(0) => usize::MAX,
            Some(limit) => limit,
            None if self.json => usize::MAX,
            None => LIMIT,
        };
        let shown = &rows[..limit.min(rows.len())];
        (shown, rows.len() - shown.len())
    }
}

fn tell_left(left: usize) {
    if left > 0 {
        eprintln!("{} more; --limit 0 shows all", count(left as u64));
    }
}

/// Says on stderr what could not be read; whether nothing was.
fn tell_reports(masters: &Masters) -> bool {
    let date = masters.date();
    if !masters.missing().is_empty() {
        eprintln!("{date} has no {}", masters.missing().join(", "));
    }
    for report in masters.reports() {
        if let Some(damage) = &report.damage {
            eprintln!("{date} {}: {damage}", report.file);
        }
        report.rejects.iter().take(REJECTS_SHOWN).for_each(|reject| eprintln!("{date} {reject}"));
        if report.rejected > REJECTS_SHOWN as u64 {
            eprintln!("{date} {}: {} rows in all were not taken", report.file, count(report.rejected));
        }
    }
    masters.missing().is_empty() && masters.reports().iter().all(|report| report.is_whole())
}
