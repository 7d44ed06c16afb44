//! What `hoga fetch` downloads, held field by field against what the venue has.

mod fetch_rig;
mod rest_rig;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use fetch_rig::{Rig, ended, files, rows, won};
use hoga::feed::kis::masters::{Cache, Masters};
use hoga::feed::kis::rest::quotations::{Period, Prices, Venue as Market};
use hoga::journal::{Journal, JournalConfig};
use kis_sim::{Limits, RestFault, SimConfig, Venue};
use rest_rig::{fault, refuse, sim};

const MINUTES: &str = "inquire-time-dailychartprice";

/// All minutes of a past day, asked for hour by hour: no page is full.
fn minutes(rig: &Rig, symbol: &str, date: u32) -> Vec<[String; 7]> {
    let client = rig.client();
    let mut all = Vec::new();
    for hour in 9..=15_u32 {
        let mut page = client.past_minutes_until(Market::Krx, symbol, date, hour * 3600 + 3599).unwrap();
        page.retain(|bar| bar.date == date && bar.time / 3600 == hour);
        page.reverse();
        all.extend(page);
    }
    let row = |bar: &hoga::feed::kis::rest::quotations::MinuteBar| {
        let (h, m) = (bar.time / 3600, bar.time / 60 % 60);
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        [
            format!("{year}-{month:02}-{day:02}T{h:02}:{m:02}:00+09:00"),
            won(bar.open_px),
            won(bar.high_px),
            won(bar.low_px),
            won(bar.close_px),
            bar.volume.to_string(),
            (bar.turnover / 10_000).to_string(),
        ]
    };
    all.iter().map(row).collect()
}

#[test]
fn minutes_of_past_days_are_those_of_the_venue_and_closed_days_take_no_call() {
    let rig = Rig::new(sim(), 2, 400.0);
    let symbols = rig.symbols(40);
    // Of the codes of the venue one has letters.
    let lettered = symbols.iter().find(|code| code.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let codes = [&symbols[0], &symbols[1], lettered.expect("a code with letters")];
    let list = codes.map(String::as_str).join(",");
    let range = ["--symbols", &list, "--from", "2026-11-12", "--to", "2026-11-17"];
    let planned = rig.whole("bars", "out", &[&range[..], &["--dry-run"]].concat());
    assert_eq!((&planned["units"], &planned["closed_days"], &planned["open_days"]), (&12.into(), &2.into(), &4.into()));
    assert!(rig.venue.rest_counts().requests.is_empty() && !rig.path("out").exists());
    let told = rig.whole("bars", "out", &range);
    assert_eq!((&told["units_done"], &told["errors"].as_array().unwrap().len()), (&12.into(), &0));
    let calls = rig.venue.rest_counts().requests_of(MINUTES);
    assert!(calls <= planned["calls_max"].as_u64().unwrap(), "{calls} calls");
    assert_eq!(files(&rig.path("out/data")).len(), 12, "one file for each symbol and open day");
    let mut count = 0;
    for date in [20_261_112, 20_261_113, 20_261_116, 20_261_117] {
        for code in codes {
            let truth = minutes(&rig, code, date);
            let found = rows(&rig.path(&format!("out/data/{date}/{code}.csv")));
            let shown: Vec<[String; 7]> = found
                .iter()
                .map(|row| {
                    ["start", "open", "high", "low", "close", "volume", "day_turnover"].map(|name| row[name].clone())
                })
                .collect();
            assert!(truth.len() > 250, "{} minutes", truth.len());
            assert_eq!(shown, truth, "{code} on {date}");
            let sum: u64 = found.iter().map(|row| row["turnover"].parse::<u64>().unwrap()).sum();
            assert_eq!(sum.to_string(), truth.last().unwrap()[6], "turnovers of minutes add up to the day's");
            assert!(found.iter().all(|row| row["symbol"] == *code && row["venue"] == "KRX"));
            count += found.len() as u64;
        }
    }
    assert_eq!(told["rows"].as_u64(), Some(count));
    // Both app keys worked.
    assert_eq!(rig.venue.rest_counts().by_app.len(), 2);
    // A second run has nothing to do; a weekend never had.
    let before = rig.venue.rest_counts().requests_of(MINUTES);
    assert_eq!(rig.whole("bars", "out", &range)["resumed"], 12);
    let weekend = ["--symbols", &list, "--from", "2026-11-14", "--to", "2026-11-15"];
    assert_eq!(rig.whole("bars", "weekend", &weekend)["units"], 0);
    assert_eq!(rig.venue.rest_counts().requests_of(MINUTES), before);
}

#[test]
fn days_weeks_and_months_are_whole_and_raw_or_adjusted_as_asked() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    let client = rig.client();
    for (prices, name) in [(Prices::Raw, "raw"), (Prices::Adjusted, "adjusted")] {
        let mut truth = Vec::new();
        let mut month = jiff::civil::date(2025, 3, 1);
        while month < jiff::civil::date(2026, 12, 1) {
            // A page holds a month.
            let (first, last) = (month, month.last_of_month().min(jiff::civil::date(2026, 11, 19)));
            let number = hoga::market::kst::number_of;
            let mut page = client.days_between(Market::Krx, &code, number(first), number(last), prices).unwrap();
            page.reverse();
            truth.extend(page);
            month = month.last_of_month().tomorrow().unwrap();
        }
        let out = format!("days-{name}");
        rig.whole("daily", &out, &["--symbols", &code, "--from", "2025-03-01", "--to", "2026-11-19", "--prices", name]);
        let found = rows(&rig.path(&format!("{out}/data/{code}.csv")));
        assert!(found.len() > 400, "{} days", found.len());
        let shown: Vec<[String; 6]> = found
            .iter()
            .map(|row| ["date", "open", "high", "low", "close", "volume"].map(|name| row[name].replace('-', "")))
            .collect();
        let truth: Vec<[String; 6]> = truth
            .iter()
            .map(|bar| {
                [
                    bar.date.to_string(),
                    won(bar.open_px),
                    won(bar.high_px),
                    won(bar.low_px),
                    won(bar.close_px),
                    bar.volume.to_string(),
                ]
            })
            .collect();
        assert_eq!(shown, truth, "{name}");
        assert!(found.iter().all(|row| row["prices"] == name && row["period"] == "D"));
    }
    let raw = rows(&rig.path(&format!("days-raw/data/{code}.csv")));
    let adjusted = rows(&rig.path(&format!("days-adjusted/data/{code}.csv")));
    assert_ne!(raw[0]["close"], adjusted[0]["close"], "the venue splits a year ago");
    for (letter, period) in [("W", Period::Week), ("M", Period::Month)] {
        // From the middle of a period to the middle of another, over more pages than one.
        let range =
            ["--symbols", &code, "--from", "2020-05-13", "--to", "2026-11-11", "--prices", "raw", "--period", letter];
        rig.whole("daily", letter, &range);
        let found = rows(&rig.path(&format!("{letter}/data/{code}.csv")));
        let days: BTreeSet<&String> = found.iter().map(|row| &row["date"]).collect();
        assert_eq!(days.len(), found.len(), "no period twice");
        for row in [&found[0], &found[1], &found[found.len() - 2], &found[found.len() - 1]] {
            let date: jiff::civil::Date = row["date"].parse().unwrap();
            let (first, last) = match period {
                Period::Month => (date.first_of_month(), date.last_of_month()),
                _ => {
                    let monday = i32::from(date.weekday().to_monday_zero_offset());
                    (date - jiff::Span::new().days(monday), date + jiff::Span::new().days(6 - monday))
                }
            };
            let number = hoga::market::kst::number_of;
            let last = last.min(jiff::civil::date(2026, 11, 20));
            let alone =
                client.bars_between(Market::Krx, &code, period, number(first), number(last), Prices::Raw).unwrap();
            assert_eq!((alone.len(), alone[0].volume.to_string()), (1, row["volume"].clone()), "{letter} of {date}");
        }
        let expected = if period == Period::Month { 79 } else { 340 };
        assert_eq!(found.len(), expected, "{letter}");
    }
}

#[test]
fn a_week_is_over_when_its_last_trading_day_is() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    for (at, (out, period, to, as_of, partial)) in [
        ("friday-noon", "W", "2026-11-20", "2026-11-20T12:00:00", 1),
        ("friday-night", "W", "2026-11-20", "2026-11-20T21:00:00", 0),
        ("midweek", "W", "2026-11-18", "2026-11-18T21:00:00", 1),
        ("saturday", "D", "2026-11-21", "2026-11-21T10:00:00", 0),
        ("decades", "D", "2026-11-20", "2026-11-20T21:00:00", 0),
    ]
    .into_iter()
    .enumerate()
    {
        let from = if at == 4 { "1999-12-20" } else { "2026-11-16" };
        let args = ["--symbols", &code, "--from", from, "--to", to, "--period", period, "--as-of", as_of];
        let told = rig.whole(
            "daily",
            out,
            &[&args[..], &["--format", if period == "D" { "journal" } else { "csv" }]].concat(),
        );
        assert_eq!(told["partial"], partial, "{out}: {told}");
        assert!(!rig.path(out).join("parts").exists(), "the journal has all of it");
    }
}

#[test]
fn faults_of_the_server_change_nothing_but_the_time_it_takes() {
    let limits = |per_second| Limits { requests_per_second: per_second, token_per_minute: false, ..Limits::default() };
    let rig = Rig::new(SimConfig { limits: limits(30), ..sim() }, 1, 60.0);
    let list = rig.symbols(4).join(",");
    let range = ["--symbols", &list, "--from", "2026-11-16", "--to", "2026-11-18"];
    rig.venue.script_rest(vec![
        fault(MINUTES, 2, refuse(500, "EGW00201")),
        kis_sim::RestFaultSpec { from: 9, ..fault(MINUTES, 2, RestFault::Page { status: 500 }) },
        kis_sim::RestFaultSpec { from: 14, ..fault(MINUTES, 1, RestFault::Cut { after: 40 }) },
        kis_sim::RestFaultSpec { from: 20, ..fault(MINUTES, 1, RestFault::ExpireTokens) },
        kis_sim::RestFaultSpec { from: 25, ..fault(MINUTES, 3, refuse(500, "EGW00201")) },
        kis_sim::RestFaultSpec { from: 32, ..fault(MINUTES, 12, RestFault::Page { status: 502 }) },
    ]);
    let clean = Rig::new(SimConfig { limits: limits(0), ..sim() }, 1, 400.0);
    clean.whole("bars", "out", &range);
    let (status, told, said) = rig.fetch("bars", "out", &range);
    assert_eq!(status, 0, "{said}{told}");
    assert!(told["too_fast"].as_u64().unwrap() > 4, "the pace was too fast and gave way: {told}");
    assert_eq!(files(&rig.path("out/data")), files(&clean.path("out/data")));
}

#[test]
fn a_symbol_that_is_not_there_fails_alone_and_is_named() {
    let rig = Rig::new(sim(), 2, 400.0);
    let known = rig.symbols(2);
    let list = format!("{},NOSUCH,{}", known[0], known[1]);
    let range = ["--symbols", &list, "--from", "2026-11-02", "--to", "2026-11-18"];
    let (status, told, said) = rig.fetch("bars", "out", &range);
    assert_eq!(status, 1, "{said}");
    let days = told["units"].as_u64().unwrap() / 3;
    assert_eq!(told["errors"].as_array().unwrap().len(), 1);
    assert_eq!((&told["errors"][0]["symbol"], told["errors"][0]["units"].as_u64()), (&"NOSUCH".into(), Some(days)));
    assert_eq!(told["units_done"].as_u64(), Some(2 * days));
    assert!(said.contains("NOSUCH") && said.contains("OPSQ2001"), "{said}");
    let of_it = rig.venue.rest_counts().refusals_of("OPSQ2001");
    assert!(of_it <= 6, "{of_it} calls for a symbol that is not there");
    // The next run tries it again, and nothing else.
    let (status, told, _) = rig.fetch("bars", "out", &range);
    assert_eq!((status, told["resumed"].as_u64()), (1, Some(2 * days)));
}

#[test]
fn a_server_that_stays_away_ends_the_download_which_goes_on_later() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    let range = ["--symbols", &code, "--from", "2026-11-16", "--to", "2026-11-18", "--patience", "2"];
    let away = kis_sim::RestFaultSpec { from: 3, ..fault(MINUTES, 1_000_000, RestFault::Cut { after: 0 }) };
    rig.venue.script_rest(vec![away]);
    let (status, told, said) = rig.fetch("bars", "out", &range);
    assert_eq!(status, 1, "{said}");
    assert!(told["fatal"].as_str().is_some() || told["errors"][0]["units"].as_u64() > Some(0), "{told}");
    rig.venue.script_rest(Vec::new());
    let told = rig.whole("bars", "out", &range);
    assert_eq!(told["units_done"], 3);
}

#[test]
fn a_folder_holds_one_request_until_it_is_begun_anew() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    let of = |to: &'static str| ["--symbols", &code, "--from", "2026-11-16", "--to", to].map(str::to_owned);
    let args = |to| of(to).to_vec();
    let run = |to: &'static str, more: &[&str]| {
        let args = args(to);
        let all: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        rig.fetch("bars", "out", &all)
    };
    assert_eq!(run("2026-11-17", &[]).0, 0);
    let (status, _, said) = run("2026-11-18", &[]);
    assert!(status == 2 && said.contains("to was 2026-11-17, now 2026-11-18") && said.contains("--restart"), "{said}");
    let (status, told, said) = run("2026-11-18", &["--restart"]);
    assert_eq!((status, &told["units_done"], &told["resumed"]), (0, &3.into(), &0.into()), "{said}");
    // A file that was taken away is downloaded again.
    fs::remove_file(rig.path(&format!("out/data/20261117/{code}.csv"))).unwrap();
    let (_, told, _) = run("2026-11-18", &[]);
    assert_eq!((&told["resumed"], told["rows"].as_u64() > Some(0)), (&2.into(), true));
    fs::create_dir(rig.path("mine")).unwrap();
    fs::write(rig.path("mine/notes.txt"), "x").unwrap();
    let args = of("2026-11-18");
    let (status, _, said) = rig.fetch("bars", "mine", &args.each_ref().map(String::as_str));
    assert!(status == 2 && said.contains("holds no download"), "{said}");
}

#[test]
fn every_kind_of_download_takes_a_configuration_symbols_and_dates() {
    let rig = Rig::new(sim(), 1, 400.0);
    let list = rig.symbols(2).join(",");
    let args = ["--symbols", &list, "--from", "2026-11-20", "--to", "2026-11-20"];
    for what in ["bars", "daily", "ticks", "holidays"] {
        let told = rig.whole(what, what, &args);
        assert_eq!((&told["what"], &told["from"], &told["to"]), (&what.into(), &args[3].into(), &args[5].into()));
        assert_eq!(told["prices"] == "raw", what == "daily", "{told}");
    }
    let masters = |list: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
        command.args(["fetch", "masters", "--json", "--symbols", list, "--config"]).arg(&rig.config);
        command.args(["--from", "2026-11-20", "--to", "2026-11-20", "--out"]).arg(rig.path("masters"));
        ended(command.output().unwrap())
    };
    let (status, told, said) = masters(&list);
    assert_eq!((status, told["symbols"].as_array().map(Vec::len)), (0, Some(2)), "of the venue itself: {said}");
    let (status, told, said) = masters("NOSUCH");
    assert!(status == 1 && said.contains("NOSUCH is not listed"), "{said}{told}");
}

#[test]
fn a_list_of_holidays_that_ends_early_says_so() {
    let rig = Rig::new(sim(), 1, 400.0);
    let (status, told, said) = rig.fetch("holidays", "calendar", &["--from", "2026-12-20", "--to", "2027-01-10"]);
    assert_eq!((&told["until"], &told["complete"]), (&"2026-12-31".into(), &false.into()), "{told}");
    assert!(status == 1 && said.contains("days up to 2026-12-31"), "{said}");
}

#[test]
fn days_that_the_configurations_corrections_open_are_downloaded() {
    let rig = Rig::new(sim(), 1, 400.0);
    let corrections = rig.path("calendar.toml");
    fs::write(&corrections, "[[open]]\ndate = 2026-11-14\nreason = \"a Saturday, for once\"\n").unwrap();
    let units = || {
        let range = ["--symbols", "005930", "--from", "2026-11-14", "--to", "2026-11-15", "--dry-run"];
        rig.whole("bars", "out", &range)["units"].clone()
    };
    assert_eq!(units(), 0);
    let text = fs::read_to_string(&rig.config).unwrap();
    fs::write(&rig.config, text.replace("[kis]\n", &format!("[kis]\ncalendar_overrides = {corrections:?}\n"))).unwrap();
    assert_eq!(units(), 1);
    fs::remove_file(corrections).unwrap();
    let (status, _, said) =
        rig.fetch("bars", "out", &["--symbols", "005930", "--from", "2026-11-14", "--to", "2026-11-15"]);
    assert!(status == 2 && said.contains("calendar.toml"), "{said}");
}

#[test]
fn a_file_of_symbols_may_begin_with_a_mark() {
    let rig = Rig::new(sim(), 1, 400.0);
    let list = rig.path("list.txt");
    fs::write(&list, "\u{feff}005930\r\n# none\r\n000660\r\n").unwrap();
    let named = format!("@{}", list.display());
    let range = ["--symbols", &named, "--from", "2026-11-20", "--to", "2026-11-20", "--dry-run"];
    assert_eq!(rig.whole("bars", "out", &range)["units"], 2);
}

#[test]
fn what_a_simulator_made_up_is_not_taken_for_the_brokers() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    let args = ["--symbols", &code, "--from", "2026-11-16", "--to", "2026-11-16"];
    rig.whole("daily", "out", &args);
    let masters = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
        command.args(["fetch", "masters", "--json", "--out"]).arg(rig.path("masters")).args(more);
        // Nobody is asked: nothing listens there.
        ended(command.env("HTTPS_PROXY", "http://127.0.0.1:1").output().unwrap())
    };
    let config = rig.config.to_str().unwrap();
    assert_eq!(masters(&["--config", config]).0, 0);
    let text = fs::read_to_string(&rig.config).unwrap();
    let of_venue = format!("rest_url = {:?}\n", rig.venue.rest_url());
    assert!(text.contains(&of_venue));
    let real =
        text.replace(&of_venue, "").replace("calls_per_second = 400.0\n", "").replace("token_interval_s = 1\n", "");
    fs::write(&rig.config, real).unwrap();
    let (status, told, said) = rig.fetch("daily", "out", &args);
    assert!(status == 2 && said.contains("server was simulator, now real"), "{said}{told}");
    for more in [&["--config", config][..], &[]] {
        let (status, told, said) = masters(more);
        assert!(status == 2 && said.contains("of the server `simulator`, not those of `real`"), "{said}{told}");
    }
    let (status, _, said) = masters(&["--restart"]);
    assert!(status == 1 && said.contains("nothing was changed"), "{said}");
}

#[test]
fn what_can_not_be_had_is_wrong_use() {
    let rig = Rig::new(sim(), 1, 400.0);
    for (what, args, word) in [
        ("bars", &["--symbols", "005930", "--from", "2026-11-16", "--to", "2026-11-30"][..], "still to come"),
        ("bars", &["--symbols", "005930", "--from", "2024-11-16", "--to", "2026-11-18"], "about a year"),
        ("bars", &["--symbols", "삼성", "--from", "2026-11-16", "--to", "2026-11-18"], "no symbol"),
        ("bars", &["--symbols", "@nowhere", "--from", "2026-11-16", "--to", "2026-11-18"], "nowhere"),
        ("ticks", &["--symbols", "005930", "--from", "2026-11-16", "--to", "2026-11-20"], "today (2026-11-20) alone"),
        ("ticks", &["--symbols", "005930", "--from", "2026-11-19"], "today (2026-11-20) alone"),
        ("holidays", &["--from", "2026-11-16", "--to", "2026-11-15"], "exchange them"),
        (
            "daily",
            &[
                "--symbols",
                "005930",
                "--from",
                "2026-11-16",
                "--to",
                "2026-11-18",
                "--prices",
                "adjusted",
                "--format",
                "journal",
            ],
            "adjusted",
        ),
    ] {
        let (status, told, said) = rig.fetch(what, "out", args);
        assert!(status == 2 && said.contains(word), "{what}: {said}");
        assert!(told["what"] == what && told["fatal"].as_str().is_some_and(|why| why.contains(word)), "{told}");
    }
    assert!(!rig.path("out").exists() && rig.venue.rest_counts().requests.is_empty());
}

#[test]
fn a_recorder_that_is_alive_has_half_of_the_pace() {
    let rig = Rig::new(sim(), 2, 10.0);
    let range = ["--symbols", "005930", "--from", "2026-11-16", "--to", "2026-11-18", "--dry-run"];
    assert_eq!(rig.whole("bars", "out", &range)["calls_per_second"], 20.0);
    let config = JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) };
    let _journal = Journal::open(&rig.path("recorder"), config).unwrap();
    assert_eq!(rig.whole("bars", "out", &range)["calls_per_second"], 10.0);
}

#[test]
fn parquet_files_are_whole() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    let range = ["--symbols", &code, "--from", "2026-11-16", "--to", "2026-11-17", "--format", "parquet"];
    rig.whole("bars", "out", &range);
    for (name, bytes) in files(&rig.path("out/data")) {
        assert!(name.extension().is_some_and(|extension| extension == "parquet"));
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1") && bytes.len() > 1000);
    }
}

#[test]
fn holidays_are_asked_for_once_a_day_and_held_against_the_calendar() {
    let rig = Rig::new(sim(), 1, 400.0);
    let args = ["--from", "2026-12-01", "--to", "2026-12-31"];
    let told = rig.whole("holidays", "calendar", &args);
    assert_eq!((told["days"].as_array().unwrap().len(), told["calls"].as_u64()), (31, Some(2)));
    let told = rig.whole("holidays", "calendar", &args);
    assert_eq!((told["days"].as_array().unwrap().len(), told["calls"].as_u64()), (31, Some(0)), "kept");
    let (status, _, said) = rig.fetch("holidays", "calendar", &["--from", "2026-11-20", "--to", "2026-12-31"]);
    assert!(status == 1 && said.contains("--again"), "{said}");
    rig.whole("holidays", "calendar", &["--from", "2026-11-20", "--to", "2026-12-31", "--again"]);
    let tomorrow = ["--from", "2026-12-01", "--to", "2026-12-31", "--as-of", "2026-11-21T09:00:00"];
    assert!(rig.whole("holidays", "calendar", &tomorrow)["calls"].as_u64() > Some(0));
    let other = Rig::new(SimConfig { closures: vec![jiff::civil::date(2026, 12, 10)], ..sim() }, 1, 400.0);
    let (status, told, said) = other.fetch("holidays", "calendar", &args);
    assert!(status == 1 && said.contains("2026-12-10: closed at the broker"), "{said}{told}");
}

#[test]
fn the_one_call_of_the_day_for_the_calendar_is_noted_where_all_programs_look() {
    let rig = Rig::new(sim(), 1, 400.0);
    let december = ["--from", "2026-12-01", "--to", "2026-12-31"];
    rig.whole("holidays", "one", &december);
    let asked = || rig.venue.rest_counts().requests_of("chk-holiday");
    let before = asked();
    let told = rig.whole("holidays", "other", &december);
    assert_eq!((told["days"].as_array().unwrap().len(), asked()), (31, before), "from the note");
    let (status, _, said) = rig.fetch("holidays", "third", &["--from", "2026-11-20", "--to", "2026-12-31"]);
    assert!(status == 1 && said.contains("--again") && asked() == before, "{said}");
    // A call that failed at the broker was one; the next start doesn't make it again.
    let tomorrow = [&december[..], &["--as-of", "2026-11-21T09:00:00"]].concat();
    rig.venue.script_rest(vec![fault("chk-holiday", 9, refuse(500, "EGW00206"))]);
    for word in ["EGW00206", "nothing came of it"] {
        let (status, _, said) = rig.fetch("holidays", "fourth", &tomorrow);
        assert!(status == 1 && said.contains(word), "{said}");
    }
    assert_eq!(asked(), before + 1);
    // One that did not reach the broker was none.
    let later = [&december[..], &["--as-of", "2026-11-22T09:00:00"]].concat();
    rig.venue.script_rest(vec![fault("chk-holiday", 5, RestFault::Cut { after: 0 })]);
    assert_eq!(rig.fetch("holidays", "fourth", &later).0, 1);
    rig.venue.script_rest(Vec::new());
    rig.whole("holidays", "fourth", &later);
}

#[test]
fn where_a_symbol_can_not_be_looked_up_days_without_rows_are_not_taken_for_its_absence() {
    // The mock server has no search-stock-info.
    let rig = Rig::new(SimConfig { mock: true, ..sim() }, 1, 400.0);
    let none = r#"{"rt_cd":"0","msg_cd":"MCA00000","msg1":"ok","output1":{},"output2":[]}"#;
    let none = RestFault::Answer { status: 200, body: none.to_owned(), more: false };
    rig.venue.script_rest(vec![fault("inquire-daily-itemchartprice", 9, none)]);
    let code = rig.symbols(1).remove(0);
    let told = rig.whole(
        "daily",
        "out",
        &["--symbols", &code, "--from", "2026-11-02", "--to", "2026-11-19", "--prices", "raw"],
    );
    assert_eq!((&told["units_done"], &told["rows"]), (&1.into(), &0.into()));
}

#[test]
fn an_answer_without_a_verdict_is_no_day_without_rows() {
    let rig = Rig::new(sim(), 1, 400.0);
    let code = rig.symbols(1).remove(0);
    let range = ["--symbols", &code, "--from", "2026-11-02", "--to", "2026-11-19", "--prices", "raw"];
    let empty = RestFault::Answer { status: 200, body: "{}".to_owned(), more: false };
    rig.venue.script_rest(vec![fault("inquire-daily-itemchartprice", 99, empty)]);
    let (status, told, said) = rig.fetch("daily", "out", &range);
    assert!(status == 1 && told["units_done"] == 0 && said.contains("neither that the call succeeded"), "{said}{told}");
    // A page that refuses ends it: it would refuse all others.
    rig.venue.script_rest(vec![fault("inquire-daily-itemchartprice", 99, RestFault::Page { status: 403 })]);
    let before = rig.venue.rest_counts().requests_of("inquire-daily-itemchartprice");
    let (status, told, _) = rig.fetch("daily", "out", &range);
    assert!(status == 1 && told["fatal"].as_str().is_some_and(|fatal| fatal.contains("403")), "{told}");
    assert_eq!(rig.venue.rest_counts().requests_of("inquire-daily-itemchartprice") - before, 1);
}

#[test]
fn a_server_that_is_away_while_a_token_is_needed_is_waited_for() {
    let mut rig = Rig::new(sim(), 1, 400.0);
    let address = rig.venue.rest_url().trim_start_matches("http://").parse().unwrap();
    let code = rig.symbols(1).remove(0);
    rig.venue = Venue::start(sim()).unwrap();
    let range = ["--symbols", &code, "--from", "2026-11-16", "--to", "2026-11-18", "--patience", "2"];
    let (status, told, _) = rig.fetch("bars", "out", &range);
    assert!(status == 1 && told["fatal"].as_str().is_some_and(|fatal| fatal.contains("out of reach")), "{told}");
    let patient = rig.command("bars", "out", &[&range[..6], &["--patience", "60"]].concat()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(3));
    rig.venue = Venue::start(SimConfig { rest_listen: address, ..sim() }).unwrap();
    let (status, told, said) = ended(patient.wait_with_output().unwrap());
    assert_eq!((status, &told["units_done"]), (0, &3.into()), "{said}{told}");
    assert_eq!(rig.venue.rest_counts().requests_of("tokenP"), 1);
}

#[test]
fn masters_go_where_instruments_are_looked_for_and_are_kept_for_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { symbols: 5, ..SimConfig::default() }).unwrap();
    let url = venue.rest_url();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
        command.args(["fetch", "masters", "--json", "--base-url", &url, "--out"]).arg(folder.path());
        ended(command.args(args).output().unwrap())
    };
    let (status, told, said) = run(&[]);
    assert_eq!((status, &told["new"]), (0, &true.into()), "{said}");
    assert!(told["files"].as_array().unwrap().iter().any(|file| file["file"] == "kospi_code.mst"), "{told}");
    assert_eq!(run(&[]).1["new"], false);
    assert_eq!(run(&["--restart"]).1["new"], true);
    let masters = Masters::load(folder.path()).unwrap();
    assert!(venue.symbols().iter().all(|symbol| masters.get(&symbol.code).is_some()));
    // One damaged on the disk is downloaded again.
    let archive = Cache::new(folder.path()).folder(masters.date()).join("kospi_code.mst.zip");
    fs::write(&archive, "x").unwrap();
    assert_eq!(run(&[]).1["new"], true);
    drop(venue);
    let (status, told, said) = run(&["--restart"]);
    assert!(
        status == 1 && said.contains("nothing was changed") && told["errors"].as_array().unwrap().len() == 1,
        "{said}"
    );
    assert!(Masters::load(folder.path()).is_ok(), "what was there is still there");
}
