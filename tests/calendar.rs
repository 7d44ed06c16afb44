//! `hoga calendar` as scripts see it, and its days beside those of exchange_calendars.

mod policy;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn calendar(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hoga")).arg("calendar").args(args).stdin(Stdio::null()).output().expect("hoga")
}

fn list(args: &[&str]) -> Vec<Value> {
    let output = calendar(&[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a JSON list")
}

fn days(from: &str, to: &str, venue: &str) -> Vec<Value> {
    list(&["--from", from, "--to", to, "--venue", venue])
}

/// `phase from to` of a day.
fn phases(day: &Value) -> Vec<String> {
    let text = |phase: &Value, key: &str| phase[key].as_str().expect("a text").to_owned();
    let line = |phase: &Value| ["phase", "from", "to"].map(|key| text(phase, key)).join(" ");
    day["phases"].as_array().expect("a list").iter().map(line).collect()
}

fn refusal(args: &[&str]) -> String {
    let output = calendar(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn the_list_has_its_keys_and_a_week_with_the_exam_its_hours() {
    let week = days("2026-11-16", "2026-11-22", "KRX");
    assert_eq!(week.len(), 7);
    for day in &week {
        let keys: Vec<&str> = day.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["date", "venue", "trading", "reason", "phases"]);
        for phase in day["phases"].as_array().expect("a list") {
            let keys: Vec<&str> = phase.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(keys, ["phase", "from", "to"]);
        }
    }
    let (ordinary, exam, saturday) = (&week[0], &week[3], &week[5]);
    assert_eq!(
        (&ordinary["date"], &ordinary["venue"], &ordinary["trading"]),
        (&"2026-11-16".into(), &"KRX".into(), &true.into())
    );
    assert!(ordinary["reason"].is_null());
    let after = [
        "opening_auction 08:30:00 09:00:00",
        "closing_price 08:30:00 08:40:00",
        "continuous 09:00:00 15:20:00",
        "closing_auction 15:20:00 15:30:00",
        "closing_price 15:40:00 16:00:00",
        "after_market 16:00:00 20:00:00",
    ];
    assert_eq!(phases(ordinary), after);
    assert_eq!(exam["reason"], "college entrance exam (CSAT)");
    assert_eq!(phases(exam)[2], "continuous 10:00:00 16:20:00");
    assert_eq!((&saturday["trading"], phases(saturday).len()), (&false.into(), 0));
    assert_eq!(saturday["reason"], "weekend");
    let before = days("20260911", "20260911", "krx");
    assert_eq!(phases(&before[0])[5], "single_price 16:00:00 18:00:00");
}

#[test]
fn each_venue_has_its_own_day() {
    let nxt = days("2026-11-20", "2026-11-20", "NXT");
    assert_eq!(phases(&nxt[0])[..2], ["pre_market 08:00:00 08:50:00", "continuous 09:00:30 15:20:00"]);
    let derivatives = days("2026-11-20", "2026-11-20", "KRX-DERIVATIVES");
    assert_eq!(phases(&derivatives[0]).last().expect("a night"), "night 18:00:00 06:00:00");
    let first = days("2026-01-01", "2026-01-02", "KRX,NXT");
    let told: Vec<(&str, bool)> =
        first.iter().map(|day| (day["venue"].as_str().expect("a text"), day["trading"] == true)).collect();
    assert_eq!(told, [("KRX", false), ("NXT", false), ("KRX", true), ("NXT", true)]);
    assert_eq!(first[0]["reason"], "New Year's Day");
    assert_eq!(phases(&first[2])[2], "continuous 10:00:00 15:20:00");
    assert_eq!(phases(&first[3])[0], "continuous 10:00:30 15:20:00");
    assert!(list(&["--from", "2026-11-20", "--to", "2026-11-20"]).iter().all(|day| day["venue"] == "KRX"));
}

#[test]
fn a_bad_date_is_refused_and_said_what_is_wrong_with_it() {
    assert!(refusal(&["--from", "2026-02-30", "--to", "2026-03-01"]).contains("2026-02-30"));
    assert!(refusal(&["--from", "23.11.2026", "--to", "2026-11-24"]).contains("2026-11-23 or 20261123"));
    assert!(refusal(&["--from", "2026-11-23"]).contains("--to"));
    assert!(
        refusal(&["--from", "2026-11-24", "--to", "2026-11-23"]).contains("--from 2026-11-24 is after --to 2026-11-23")
    );
    assert!(refusal(&["--from", "2027-12-31", "--to", "2028-01-03"]).contains("knows 2015-01-01 to 2027-12-31"));
    assert!(
        refusal(&["--from", "2014-12-31", "--to", "2015-01-02", "--json"]).contains("2014-12-31 is not among them")
    );
    assert!(refusal(&["--from", "2026-11-23", "--to", "9999-12-31"]).contains("9999-12-31"));
    assert!(refusal(&["--from", "2026-11-23", "--to", "2026-11-23", "--venue", "KSE"]).contains("KRX-DERIVATIVES"));
}

#[test]
fn corrections_are_applied_or_refused_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("calendar.toml");
    let path = file.to_str().expect("text");
    std::fs::write(&file, "[[close]]\ndate = 2026-11-24\nreason = \"storm\"\n").expect("written");
    let day = list(&["--from", "2026-11-24", "--to", "2026-11-24", "--overrides", path]);
    assert_eq!((&day[0]["trading"], &day[0]["reason"]), (&false.into(), &"storm".into()));
    std::fs::write(&file, "[[close]]\ndate = 2026-11-24\n").expect("written");
    let said = refusal(&["--from", "2026-11-24", "--to", "2026-11-24", "--overrides", path]);
    assert!(said.contains(path) && said.contains("line 1") && said.contains("`reason`"), "{said}");
}

#[test]
fn what_is_expected_or_assumed_is_said_beside_the_list_and_not_in_it() {
    let told = |from: &str, to: &str, venue: &str| {
        let output = calendar(&["--from", from, "--to", to, "--venue", venue, "--json"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(serde_json::from_slice::<Vec<Value>>(&output.stdout).is_ok());
        String::from_utf8(output.stderr).expect("text")
    };
    let exam = told("2026-11-19", "2026-11-19", "KRX");
    assert!(exam.contains("expected") && exam.contains("2026-11-19 KRX (college entrance exam (CSAT))"), "{exam}");
    assert!(exam.contains("assumed") && exam.contains("the after-market begins an hour later"), "{exam}");
    assert_eq!(exam.lines().count(), 2, "{exam}");
    assert_eq!(told("2026-11-20", "2026-11-20", "KRX,NXT,KRX-DERIVATIVES"), "");
    assert!(told("2026-09-23", "2026-09-23", "KRX-DERIVATIVES").contains("no night session"));
    assert!(told("2026-12-24", "2026-12-24", "KRX-DERIVATIVES").contains("a night session is held before a holiday"));
    assert!(
        told("2016-07-29", "2016-07-29", "KRX").contains("closing-price trading and auctions took as long as later")
    );
}

#[test]
fn the_table_is_for_people_and_a_projected_year_says_so() {
    let output = calendar(&["--from", "2027-02-08", "--to", "2027-02-10"]);
    let (said, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let words = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    assert!(
        said.lines().any(|line| words(line) == "2027-02-08 Mon KRX closed" && line.contains("(projected)")),
        "{said}"
    );
    assert!(said.contains("continuous 09:00-15:20"), "{said}");
    assert!(warned.contains("2027 is projected"), "{warned}");
    let now = calendar(&[]);
    let said = String::from_utf8_lossy(&now.stdout);
    assert_eq!(now.status.code(), Some(0), "{}", String::from_utf8_lossy(&now.stderr));
    for venue in ["KRX: ", "NXT: ", "KRX-DERIVATIVES: "] {
        assert!(said.lines().any(|line| line.starts_with(venue)), "{said}");
    }
}

/// The version that the differences below are those of.
const PACKAGE: &str = "exchange_calendars==4.13.2";

/// Dates that the package has open and that were, or will be, closed.
const CLOSED_HERE: [(&str, &str); 4] = [
    ("2026-06-03", "local elections; a later version of the package has them"),
    ("2026-07-17", "Constitution Day is a public holiday again; proposed to the package"),
    ("2027-05-03", "substitute for Labor Day on a Saturday; a later version of the package has the rule"),
    ("2027-07-19", "substitute for Constitution Day on a Saturday"),
];

/// Days of the college entrance exam that the package does not know to begin and end an hour later.
const EXAMS_MISSED: [&str; 7] =
    ["2021-11-18", "2022-11-17", "2023-11-16", "2024-11-14", "2025-11-13", "2026-11-19", "2027-11-18"];

/// A Python with the package, made once beside the build; `None`, said, where it can't be had.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-calendars");
    let (python, ready) = (folder.join("bin/python"), folder.join(PACKAGE));
    if ready.exists() {
        return Some(python);
    }
    let did = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let made = did(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && did(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]));
    if !made {
        policy::skip("the days beside exchange_calendars", "there is no python3 with venv, or no registry of packages");
        return None;
    }
    std::fs::write(&ready, "").expect("a mark");
    Some(python)
}

/// Opening and end of the regular session by date.
type Hours = BTreeMap<String, (String, String)>;

fn ours() -> Hours {
    let hours = |day: Value| {
        let end = |phase: &str, key: &str| {
            let found = day["phases"].as_array().expect("a list").iter().find(|found| found["phase"] == phase);
            found.expect("the phase")[key].as_str().expect("a time").to_owned()
        };
        let date = day["date"].as_str().expect("a date").to_owned();
        (date, (end("continuous", "from"), end("closing_auction", "to")))
    };
    days("2015-01-01", "2027-12-31", "KRX").into_iter().filter(|day| day["trading"] == true).map(hours).collect()
}

#[test]
fn the_days_are_those_of_exchange_calendars_but_for_the_differences_that_are_explained() {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchange_calendars_days.py");
    let output = Command::new(python).arg(script).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<(String, String, String)> = serde_json::from_slice(&output.stdout).expect("a list");
    let theirs: Hours = told.into_iter().map(|(date, open, close)| (date, (open, close))).collect();
    let ours = ours();
    assert!(theirs.len() > 3_000 && ours.len() > 3_000);

    let only = |some: &Hours, others: &Hours| -> Vec<String> {
        some.keys().filter(|date| !others.contains_key(*date)).cloned().collect()
    };
    assert_eq!(only(&ours, &theirs), [""; 0], "open here, closed there");
    assert_eq!(only(&theirs, &ours), CLOSED_HERE.map(|(date, _)| date), "closed here, open there");
    let parted: Vec<&String> = ours
        .iter()
        .filter(|(date, hours)| theirs.get(*date).is_some_and(|theirs| theirs != *hours))
        .map(|(date, _)| date)
        .collect();
    assert_eq!(parted, EXAMS_MISSED, "other hours");
    for date in EXAMS_MISSED {
        let hours = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            (&ours[date], &theirs[date]),
            (&hours("10:00:00", "16:30:00"), &hours("09:00:00", "15:30:00")),
            "{date}"
        );
    }
}
