//! `hoga calendar`: trading days, why the others are none, and the phases of each.

use std::path::PathBuf;
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, TableStyle};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::output;
use super::seal::day;
use crate::clock::wall_ns;
use crate::market::calendar::{Calendar, Certainty, Day, Session, Unknown, Venue};
use crate::market::kst;

/// Shows which days are trading days, why the others are none, and the phases of each, in Korean time.
///
/// Known are the years 2015 to 2027, the last by rule alone: the exchange publishes its list each
/// December. What is projected, expected or assumed of the days shown is said on stderr. Without dates: today, and what each venue does at this moment. The regular session is
/// the phase `continuous`; a phase whose end is not after its beginning ends the next morning. Phases
/// stand by their beginning; closing-price trading may run beside another one, and stands behind it.
///
/// With --json: a list of {date, venue, trading, reason, phases: [{phase, from, to}]}, one line.
///
/// Exit status: 0 good, 2 a date that is none or outside the years known, or corrections that are
/// not in order.
///
/// Examples:
///   hoga calendar
///   hoga calendar --from 2026-11-16 --to 2026-11-20
///   hoga calendar --from 2026-01-01 --to 2026-12-31 --venue NXT --json
///   hoga calendar --from 2027-05-01 --to 2027-05-31 --overrides calendar.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// First date: 2026-11-23 or 20261123.
    #[arg(long, value_name = "DATE", value_parser = day, requires = "to")]
    from: Option<Date>,
    /// Last date.
    #[arg(long, value_name = "DATE", value_parser = day, requires = "from")]
    to: Option<Date>,
    /// KRX, NXT or KRX-DERIVATIVES (those on stock indices); may be given several times [default: KRX; without dates all].
    #[arg(long, value_name = "VENUE", value_delimiter = ',')]
    venue: Vec<Venue>,
    /// Corrections of an operator: a TOML file of [[close]], [[open]] and [[hours]] entries, each with date and reason.
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// Print a JSON list on one line instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    match show(&args) {
        Ok(text) => match output::write(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(code) => code,
        },
        Err(problem) => {
            eprintln!("hoga calendar: {problem}");
            ExitCode::from(2)
        }
    }
}

fn show(args: &Args) -> Result<String, String> {
    let corrected = match &args.overrides {
        Some(path) => Some(Calendar::shipped().with_overrides(path).map_err(|error| error.to_string())?),
        None => None,
    };
    let calendar = corrected.as_ref().unwrap_or(Calendar::shipped());
    let now = wall_ns();
    let (from, to, venues) = match (args.from, args.to) {
        (Some(from), Some(to)) => (from, to, [Venue::Krx].to_vec()),
        _ => (kst::civil(now).date(), kst::civil(now).date(), Venue::ALL.to_vec()),
    };
    let mut venues = if args.venue.is_empty() { venues } else { args.venue.clone() };
    venues.sort_unstable();
    venues.dedup();
    if from > to {
        return Err(format!("--from {from} is after --to {to}: exchange them"));
    }
    let mut days = Vec::new();
    // The end first: a range of centuries is refused at once.
    calendar.day(Venue::Krx, to).map_err(|error| error.to_string())?;
    for date in from.series(jiff::Span::new().days(1)).take_while(|date| *date <= to) {
        for venue in &venues {
            days.push(calendar.day(*venue, date).map_err(|error| error.to_string())?);
        }
    }
    tell_doubts(&days);
    if args.json {
        return Ok(format!("{}\n", Value::Array(days.iter().map(to_json).collect())));
    }
    let mut text = to_table(&days);
    if args.from.is_none() {
        for venue in venues {
            let line = moment(calendar, venue, now).unwrap_or_else(|unknown| unknown.to_string());
            text.push_str(&format!("{}: {line}\n", venue.name()));
        }
    }
    Ok(text)
}

/// Says on stderr what is not by a notice of the exchange.
fn tell_doubts(days: &[Day<'_>]) {
    if let Some(day) = days.iter().find(|day| day.certainty == Certainty::Projected) {
        eprintln!("{} is projected: the exchange publishes its list each December", day.date.year());
    }
    let expected: Vec<String> = days
        .iter()
        .filter(|day| day.certainty == Certainty::Expected)
        .map(|day| format!("{} {} ({})", day.date, day.venue.name(), day.reason.unwrap_or_default()))
        .collect();
    if !expected.is_empty() {
        eprintln!("expected, no notice of the exchange was seen: {}", expected.join(", "));
    }
    let mut assumed: Vec<&str> = days.iter().flat_map(|day| day.assumed.iter().copied()).collect();
    assumed.sort_unstable();
    assumed.dedup();
    if !assumed.is_empty() {
        eprintln!("assumed, no notice was found: {}", assumed.join("; "));
    }
}

fn to_json(day: &Day<'_>) -> Value {
    let phase = |session: &Session| {
        json!({
            "phase": session.phase.calendar_name(),
            "from": kst::time_text(session.from),
            "to": kst::time_text(session.to),
        })
    };
    json!({
        "date": day.date.to_string(),
        "venue": day.venue.name(),
        "trading": day.is_trading,
        "reason": day.reason,
        "phases": day.sessions.iter().map(phase).collect::<Vec<_>>(),
    })
}

fn to_table(days: &[Day<'_>]) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["date", "", "venue", "", "why", "phases"]);
    for day in days {
        let phases: Vec<String> = day.sessions.iter().map(session_text).collect();
        table.add_row([
            day.date.to_string(),
            day.date.strftime("%a").to_string(),
            day.venue.name().to_owned(),
            if day.is_trading { "open" } else { "closed" }.to_owned(),
            why(day),
            phases.join(", "),
        ]);
    }
    format!("{}\n", table.trim_fmt())
}

fn session_text(session: &Session) -> String {
    format!("{} {}-{}", session.phase.calendar_name(), short(session.from), short(session.to))
}

/// `HH:MM`, and the seconds where there are any.
fn short(second: u32) -> String {
    let text = kst::time_text(second);
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}

fn why(day: &Day<'_>) -> String {
    let reason = day.reason.unwrap_or_default();
    match day.certainty {
        Certainty::Projected if !reason.is_empty() => format!("{reason} (projected)"),
        Certainty::Expected => format!("{reason} (expected)"),
        _ => reason.to_owned(),
    }
}

/// What a venue does now, and until when or when it opens.
fn moment(calendar: &Calendar, venue: Venue, now: u64) -> Result<String, Unknown> {
    Ok(match calendar.session_at(venue, now)? {
        Some((_, session)) => format!("{} until {}", session.phase.calendar_name(), short(session.to)),
        None => {
            let opening = calendar.next_open(venue, now)?;
            let phase = opening.phase.calendar_name();
            format!("closed; {phase} begins {} {}", opening.date, short(opening.second))
        }
    })
}
