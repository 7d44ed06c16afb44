//! `hoga doctor`: what would keep a recorder from recording, and what to do about it.

mod accounts;
mod kernel;
mod machine;
mod network;
mod storage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, TableStyle};
use serde::Serialize;

use super::output;
use crate::clock::wall_ns;
use crate::config::Config;
use crate::feed::kis::masters::Cache;
use crate::feed::kis::rest::is_mock;
use crate::feed::kis::universe;
use crate::market::calendar::Calendar;
use crate::market::kst;

/// Looks at all that recording depends on, and says what to do about what is not as it should be.
///
/// Without a configuration the machine alone: clock, limits, cores, kernel, calendar. With one also
/// app keys, lists, folders, and the broker: its names, one page, one WebSocket handshake without a
/// registration (none while a recorder is alive there), and a token for each app key that has none at hand (at most one a minute,
/// over all programs: each issue sends the customer a message). --offline asks nobody.
///
/// What the machine does not tell is `unknown` and a warning. No secret is shown.
///
/// With --json: a list of {check, state, found, advice}, one line; state is ok, warn or fail.
///
/// Exit status: 0 nothing fails, 1 something does, 2 wrong use.
///
/// Examples:
///   hoga doctor
///   hoga doctor --config hoga.toml
///   hoga doctor --config hoga.toml --offline --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Configuration of the recorder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print a JSON list on one line instead of a table.
    #[arg(long)]
    json: bool,
    /// Ask nobody: no name is looked up, no connection made, no token issued.
    #[arg(long)]
    offline: bool,
}

/// How a check came out; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: String,
    state: State,
    found: String,
    /// What to do; empty where nothing is to be done.
    advice: String,
}

impl Finding {
    fn new(state: State, check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { check: check.into(), state, found: found.into(), advice: advice.into() }
    }

    fn ok(check: impl Into<String>, found: impl Into<String>) -> Finding {
        Finding::new(State::Ok, check, found, "")
    }

    fn warn(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding::new(State::Warn, check, found, advice)
    }

    fn fail(check: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding::new(State::Fail, check, found, advice)
    }

    /// The machine does not say.
    fn unknown(check: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding::warn(check, "unknown", advice)
    }
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    super::keep_memory_private();
    if let Some(path) = args.config.as_ref().filter(|path| !path.is_file()) {
        eprintln!("hoga doctor: {} is no file; `hoga init` writes a configuration", path.display());
        return ExitCode::from(2);
    }
    let findings = look(&args);
    let text = if args.json {
        format!("{}\n", serde_json::json!(findings))
    } else {
        format!("{}\n{}\n", table(&findings), verdict(&findings))
    };
    match output::write(text.as_bytes()) {
        Err(code) => code,
        Ok(()) if findings.iter().any(|finding| finding.state == State::Fail) => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn look(args: &Args) -> Vec<Finding> {
    let mut findings = Vec::new();
    let config = args.config.as_deref().and_then(|path| configuration(path, &mut findings));
    if let Some(config) = &config {
        let accounts = accounts::credentials(config, &mut findings);
        findings.extend(accounts::notices(config));
        storage::look(config, &accounts, &mut findings);
        if !args.offline {
            let is_reached = network::look(config, &accounts, &mut findings);
            accounts::tokens(config, &accounts, is_reached, &mut findings);
        }
    }
    machine::look(Path::new("/"), config.as_ref(), &mut findings);
    kernel::look(Path::new("/"), &mut findings);
    findings.push(calendar());
    findings
}

/// The configuration with those of its lists that need no network.
fn configuration(path: &Path, findings: &mut Vec<Finding>) -> Option<Config> {
    const CHECK: &str = "configuration";
    let mut config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            findings.push(Finding::fail(
                CHECK,
                error.to_string(),
                "mend the line named; `hoga init` writes a good one",
            ));
            return None;
        }
    };
    findings.push(Finding::ok(CHECK, format!("{} is good", path.display())));
    findings.push(environment(&config));
    let resolved = universe::resolve(&mut config, &mut universe::Local);
    findings.push(match resolved {
        Err(error) => Finding::fail("lists", error.to_string(), "mend the list, or the configuration that names it"),
        Ok(()) => {
            let subscriptions = &config.kis.subscribe;
            let ranked: u32 = subscriptions.iter().filter_map(|subscription| subscription.top_by_turnover).sum();
            let keys: usize = subscriptions.iter().map(|subscription| subscription.keys.len()).sum();
            let (wanted, room) = (keys + ranked as usize, config.kis.account.len() * config.kis.max_registrations);
            let found = format!("{wanted} registrations for {room} places");
            if wanted > room {
                Finding::warn("lists", found, "the last ones are left out: add app keys, or shorten the lists")
            } else {
                Finding::ok("lists", found)
            }
        }
    });
    findings.extend(config.kis.calendar_overrides.as_deref().map(corrections));
    findings.extend(masters(&config));
    Some(config)
}

/// The file of the calendar's corrections.
fn corrections(path: &Path) -> Finding {
    const CHECK: &str = "calendar.overrides";
    match Calendar::shipped().with_overrides(path) {
        Ok(_) => Finding::ok(CHECK, format!("{} is good", path.display())),
        Err(error) => Finding::fail(
            CHECK,
            error.to_string(),
            "mend the file, or drop kis.calendar_overrides; `hoga calendar --overrides FILE` shows its days",
        ),
    }
}

/// The age of the master files, where members of an index are looked up in them.
fn masters(config: &Config) -> Option<Finding> {
    const CHECK: &str = "masters";
    config.kis.subscribe.iter().find_map(|subscription| subscription.index.as_ref())?;
    let days = universe::masters_age(&Cache::default_dir()?)?;
    let found = format!("{days} days old");
    Some(match days > universe::MASTERS_OLD_DAYS {
        true => Finding::warn(CHECK, found, "members of an index change: `hoga instruments --download` gets today's"),
        false => Finding::ok(CHECK, found),
    })
}

/// The servers beside the word that stands for them.
fn environment(config: &Config) -> Finding {
    let kis = &config.kis;
    let environment = kis.environment;
    let found = format!("{}: {}, {}", environment.name(), kis.rest_url, kis.ws_url);
    let differs = kis.rest_url != environment.rest_url() || kis.ws_url != environment.ws_url();
    if is_mock(&kis.rest_url) != is_mock(environment.rest_url()) {
        let advice = "app keys of the real server are unknown at the mock server and the other way about: \
                      set kis.environment, and drop kis.rest_url and kis.ws_url";
        Finding::warn("environment", found, advice)
    } else if differs {
        Finding::new(State::Ok, "environment", found, "addresses of their own, in place of the environment's")
    } else {
        Finding::ok("environment", found)
    }
}

/// Whether the calendar knows the next days.
fn calendar() -> Finding {
    let today = kst::trading_date(wall_ns());
    let (first, last) = Calendar::shipped().range();
    let found = format!("{first} to {last}");
    let soon = today.checked_add(jiff::Span::new().days(30)).unwrap_or(today);
    let advice = "take a newer hoga, or name the days in a file of corrections (hoga calendar --overrides)";
    if !(first..=last).contains(&today) {
        Finding::fail("calendar", format!("{found}, and today is {today}"), advice)
    } else if soon > last {
        Finding::warn("calendar", format!("{found}, less than 30 days ahead"), advice)
    } else {
        Finding::ok("calendar", found)
    }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["", "check", "found", "what to do"]);
    for finding in findings {
        let state = match finding.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "FAIL",
        };
        table.add_row([state, &finding.check, &finding.found, &finding.advice]);
    }
    table
}

fn verdict(findings: &[Finding]) -> String {
    let of = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    format!("{} ok, {} warnings, {} failures", of(State::Ok), of(State::Warn), of(State::Fail))
}
