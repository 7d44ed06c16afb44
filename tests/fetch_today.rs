//! Trades and minutes of the day that runs: what the venue sent over its WebSocket, downloaded after the fact.

mod fetch_rig;
mod rest_rig;

use std::collections::BTreeMap;
use std::fs;

use fetch_rig::{Rig, files, rows, won};
use hoga::feed::kis::rest::quotations::Venue as Market;
use hoga::journal::{Start, Stream, Tailer, Verdict, verify};
use hoga::tick::{Flags, RecordView, view};
use kis_sim::{OpenWhen, SimConfig};
use rest_rig::{record_trades, sim, trades_of};

/// From 10:00, two market minutes in two seconds.
fn trading(symbols: usize, rate: f64) -> SimConfig {
    SimConfig {
        symbols,
        seconds: 2.0,
        rate,
        time_scale: 60.0,
        wild_symbols: 0,
        max_records_per_frame: 3,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 1 },
        spin: false,
        ..sim()
    }
}

fn at(hour: &str) -> String {
    format!("2026-11-20T{}:{}:{}+09:00", &hour[..2], &hour[2..4], &hour[4..])
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

#[test]
fn trades_of_today_are_those_that_were_sent() {
    let rig = Rig::new(trading(2, 200.0), 2, 400.0);
    let symbols = rig.symbols(2);
    let frames = record_trades(&rig.venue, &[&symbols[0], &symbols[1]]);
    let list = symbols.join(",");
    let told = rig.whole("ticks", "out", &["--symbols", &list]);
    assert_eq!((&told["missing_qty"], &told["partial"], &told["units"]), (&0.into(), &0.into(), &2.into()), "{told}");
    for symbol in &symbols {
        let sent = trades_of(&frames, symbol);
        let found = rows(&rig.path(&format!("out/data/20261120/{symbol}.csv")));
        let by_volume: BTreeMap<u64, _> = found.iter().map(|row| (number(&row["cum_volume"]), row)).collect();
        assert!(sent.len() > 100 && by_volume.len() == found.len(), "none twice");
        for (hour, px, quantity, volume) in &sent {
            let row = by_volume[volume];
            assert_eq!(
                (&row["time"], &row["price"], &row["quantity"], &row["missing_before"]),
                (&at(hour), &px.to_string(), &quantity.to_string(), &"0".to_owned())
            );
            assert!(number(&row["bid"]) < number(&row["ask"]));
        }
        // Two more: what the venue says was traded before its run.
        assert_eq!(found.len(), sent.len() + 2);
    }
    // On a later day the venue still shows those, which have no date: they are not taken for that day's.
    let later = rig.whole("ticks", "later", &["--symbols", &list, "--as-of", "2026-11-23T18:00:00"]);
    assert_eq!(later["rows"], 0);
}

#[test]
fn trades_of_a_day_that_is_over_stay_as_they_are_and_are_not_taken_for_todays() {
    let rig = Rig::new(trading(2, 200.0), 2, 400.0);
    let symbols = rig.symbols(2);
    record_trades(&rig.venue, &[&symbols[0], &symbols[1]]);
    let list = symbols.join(",");
    let (undated, dated) = (
        ["--symbols", &list, "--as-of"],
        ["--symbols", &list, "--from", "2026-11-20", "--to", "2026-11-20", "--as-of"],
    );
    for format in ["csv", "journal"] {
        let run = |args: &[&str], time: &str| rig.fetch("ticks", format, &[args, &[time, "--format", format]].concat());
        let (status, told, said) = run(&undated, "2026-11-20T10:01:00");
        assert_eq!((status, &told["partial"]), (0, &2.into()), "{said}");
        let kept = [files(&rig.path(format).join("data")), files(&rig.path(format).join("journal/ticks"))];
        assert!(kept.iter().any(|files| !files.is_empty()));
        let calls = rig.venue.rest_counts().requests_of("inquire-time-itemconclusion");
        for args in [&undated[..], &dated] {
            let (status, told, said) = run(args, "2026-11-23T18:00:00");
            assert_eq!((status, told["errors"].as_array().map(Vec::len)), (1, Some(2)), "{said}{told}");
            assert_eq!((&told["from"], &told["partial"]), (&"2026-11-20".into(), &0.into()), "{told}");
            assert!(said.contains("those up to 10:00:5") && !said.contains("DELETES"), "{said}");
            assert_eq!(said.contains("name another folder for those of 2026-11-23"), args.len() == 3, "{said}");
        }
        assert_eq!(kept, [files(&rig.path(format).join("data")), files(&rig.path(format).join("journal/ticks"))]);
        assert_eq!(rig.venue.rest_counts().requests_of("inquire-time-itemconclusion"), calls);
    }
}

/// Goal: a kill between a unit's file and its note costs nothing of the file. Method: the files of a later run, in the place of
/// those that an earlier one noted, and without any notes.
#[test]
fn trades_that_were_kept_and_not_noted_are_in_the_journal_that_is_made_on_a_later_day() {
    let rig = Rig::new(trading(2, 200.0), 2, 400.0);
    let symbols = rig.symbols(2);
    record_trades(&rig.venue, &[&symbols[0], &symbols[1]]);
    let list = symbols.join(",");
    let run = |out: &str, time: &str| {
        let (status, told, said) =
            rig.fetch("ticks", out, &["--symbols", &list, "--format", "journal", "--as-of", time]);
        (status, told["journal_records"].as_u64(), said)
    };
    let part = |out: &str, symbol: &str| rig.path(&format!("{out}/parts/20261120/{symbol}.part"));
    let (_, all, said) = run("later", "2026-11-20T10:05:00");
    for (out, kept) in [("noted", "those up to 10:00:5"), ("unnoted", "those of an earlier run are kept")] {
        let (status, early, _) = run(out, "2026-11-20T10:01:00");
        assert!(status == 0 && early.is_some() && early < all, "{early:?} of {all:?}: {said}");
        for symbol in &symbols {
            fs::copy(part("later", symbol), part(out, symbol)).unwrap();
        }
        if out == "unnoted" {
            let state = rig.path("unnoted/fetch.state");
            let text = fs::read_to_string(&state).unwrap();
            fs::write(state, format!("{}\n", text.lines().next().unwrap())).unwrap();
            fs::remove_dir_all(rig.path("unnoted/journal")).unwrap();
        }
        let (status, records, said) = run(out, "2026-11-23T18:00:00");
        assert!((status, records) == (1, all) && said.contains(kept), "{records:?} of {all:?}: {said}");
        assert_eq!(run(out, "2026-11-23T18:01:00").1, None, "the journal has all of it");
    }
}

#[test]
fn of_a_second_with_more_trades_than_a_page_the_rest_is_counted_and_marked() {
    let rig = Rig::new(SimConfig { seconds: 3.0, time_scale: 1.0, ..trading(1, 300.0) }, 1, 400.0);
    let symbol = rig.symbols(1).remove(0);
    let sent = trades_of(&record_trades(&rig.venue, &[&symbol]), &symbol);
    let truth: BTreeMap<u64, (i64, u64)> =
        sent.iter().map(|(_, px, quantity, volume)| (*volume, (*px, *quantity))).collect();
    let volume = sent.last().unwrap().3;
    let told = rig.whole("ticks", "csv", &["--symbols", &symbol]);
    let missing = told["missing_qty"].as_u64().unwrap();
    let found = rows(&rig.path(&format!("csv/data/20261120/{symbol}.csv")));
    let shown: u64 = found.iter().map(|row| number(&row["quantity"])).sum();
    assert!(missing > 0 && shown + missing == volume, "{missing} missing of {volume}");
    assert_eq!(found.iter().map(|row| number(&row["missing_before"])).sum::<u64>(), missing);
    for row in found.iter().filter(|row| row["time"].as_str() >= "2026-11-20T10:00:00") {
        let (px, quantity) = truth[&number(&row["cum_volume"])];
        assert_eq!((number(&row["price"]), number(&row["quantity"])), (px as u64, quantity));
    }
    let told = rig.whole("ticks", "journal", &["--symbols", &symbol, "--format", "journal"]);
    let journal = rig.path("journal/journal");
    assert_eq!(verify(&journal, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    let (mut trades, mut gaps, mut before) = (Vec::new(), 0, 0);
    let mut tailer = Tailer::open(&journal, Stream::Ticks, Start::Beginning).unwrap();
    tailer
        .poll(usize::MAX, |record| match view(record.bytes) {
            Some(RecordView::Gap(gap)) => {
                assert_eq!(gap.cum_qty_after - gap.cum_qty_before, gap.missing_qty);
                before = gap.missing_qty;
                gaps += gap.missing_qty;
            }
            Some(RecordView::Trade(trade)) => {
                let flags = Flags(trade.header.flags);
                assert!(flags.has(Flags::BACKFILLED | Flags::POLLED) && trade.header.instrument_id == 1);
                assert_eq!(flags.has(Flags::GAP_BEFORE), std::mem::take(&mut before) > 0);
                trades.push((won(trade.px), trade.qty.to_string(), trade.cum_qty.to_string()));
            }
            _ => {}
        })
        .unwrap();
    let rows: Vec<_> =
        found.iter().map(|row| (row["price"].clone(), row["quantity"].clone(), row["cum_volume"].clone())).collect();
    assert_eq!((trades, gaps), (rows, missing));
    assert_eq!(told["journal_records"].as_u64(), Some(found.len() as u64));
}

/// Minutes of trades: start, open, high, low, close, volume.
fn minutes(trades: &[BTreeMap<String, String>]) -> Vec<[String; 6]> {
    let mut bars: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for trade in trades {
        let (px, quantity) = (number(&trade["price"]), number(&trade["quantity"]));
        let start = format!("{}:00+09:00", &trade["time"][..16]);
        let bar = bars.entry(start).or_insert([px, px, px, px, 0]);
        *bar = [bar[0], bar[1].max(px), bar[2].min(px), px, bar[4] + quantity];
    }
    bars.into_iter()
        .map(|(start, bar)| {
            let [open, high, low, close, volume] = bar.map(|number| number.to_string());
            [start, open, high, low, close, volume]
        })
        .collect()
}

fn bars(rig: &Rig, out: &str, symbol: &str) -> Vec<[String; 6]> {
    let found = rows(&rig.path(&format!("{out}/data/20261120/{symbol}.csv")));
    found.iter().map(|row| ["start", "open", "high", "low", "close", "volume"].map(|name| row[name].clone())).collect()
}

#[test]
fn filled_up_and_stale_minutes_are_not_kept_and_a_day_that_runs_is_completed_later() {
    let rig = Rig::new(trading(30, 12.0), 2, 500.0);
    let symbols = rig.symbols(30);
    let keys: Vec<&str> = symbols.iter().map(String::as_str).collect();
    record_trades(&rig.venue, &keys);
    let list = symbols.join(",");
    rig.whole("ticks", "ticks", &["--symbols", &list]);
    // The traps are there.
    let client = rig.client();
    let is_stale = |symbol: &String| {
        let page = client.minutes_until(Market::Krx, symbol, 10 * 3600 + 300).unwrap();
        assert!(page.iter().any(|bar| bar.volume == 0), "a minute to come is filled up");
        page.windows(2).any(|pair| pair[0].volume > 0 && pair[0].turnover == pair[1].turnover)
    };
    let stale = symbols.iter().filter(|symbol| is_stale(symbol)).count();
    assert!(stale > 0, "no symbol shows the volume of the minute before");
    let range = ["--symbols", &list, "--from", "2026-11-20", "--to", "2026-11-20"];
    let early = rig.whole("bars", "bars", &[&range[..], &["--as-of", "2026-11-20T10:01:20"]].concat());
    assert_eq!((&early["partial"], &early["units_done"]), (&30.into(), &30.into()));
    let truth = |symbol: &str| minutes(&rows(&rig.path(&format!("ticks/data/20261120/{symbol}.csv"))));
    for symbol in &symbols {
        let mut expected = truth(symbol);
        expected.retain(|bar| bar[0].as_str() < "2026-11-20T10:01");
        assert_eq!(bars(&rig, "bars", symbol), expected, "{symbol}: up to the last minute that has ended");
    }
    let evening = rig.whole("bars", "bars", &range);
    assert_eq!((&evening["partial"], &evening["resumed"]), (&0.into(), &0.into()));
    for symbol in &symbols {
        assert_eq!(bars(&rig, "bars", symbol), truth(symbol), "{symbol}");
    }
    assert_eq!(rig.whole("bars", "bars", &range)["resumed"], 30);
}
