//! Bars and sampled books against a slow twin in polars, column by column: over a simulated run, and over a journal made by
//! hand with auctions, an after-market, a change of day, pauses, and records out of order.

#[path = "../../../tests/rig/mod.rs"]
mod rig;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use hoga::journal::{Journal, JournalConfig, Stream};
use hoga::tick::{
    BookBuffer, Findings, Flags, Header, Instrument, InstrumentKey, PX_SCALE, Publisher, RType, RecordView, Side,
    Trade, boxed_record, tr_name, tr_number,
};
use kis_sim::SimConfig;
use rig::{Record, policy, read, sim};
use serde_json::{Value, json};

/// The version the twin is written for.
const POLARS: &str = "polars==1.44.2";
const SECOND: u64 = 1_000_000_000;

/// A Python with polars, made once beside the build; `None`, said, where it can't be had.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-bars");
        let python = folder.join("bin/python");
        let has_polars = || {
            let version = POLARS.trim_start_matches("polars==");
            let text = format!("import polars, sys; sys.exit(polars.__version__ != '{version}')");
            python.exists() && Command::new(&python).args(["-c", &text]).status().is_ok_and(|status| status.success())
        };
        if !has_polars() {
            let did = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
            let made = did(Command::new("python3").args(["-m", "venv"]).arg(&folder));
            let installed = made && did(Command::new(&python).args(["-m", "pip", "install", "-q", POLARS]));
            if !installed || !has_polars() {
                return None;
            }
        }
        Some(python.clone())
    });
    if python.is_none() {
        policy::skip("bars beside those of polars", "there is no python3 with venv, or no registry of packages");
    }
    python.as_deref()
}

/// What the twin reads: raw numbers, no meaning.
fn write_records(ticks: &[Record], path: &Path) {
    let venue = |header: &Header| Publisher::from_number(header.publisher).map(Publisher::venue);
    let code = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    let line = |record: &Record| -> Option<Value> {
        let market = record.market()?;
        let header = record.header();
        let base = json!({
            "ts": market.ts_event, "flags": header.flags, "findings": market.findings, "symbol": record.symbol,
            "market": "KRX", "venue": venue(&header), "tr": tr_name(market.tr),
        });
        let own = match record.view() {
            RecordView::Trade(trade) => json!({
                "type": "trade", "px": trade.px, "qty": trade.qty, "side": Side::name(trade.side),
                "mkop": code(&trade.mkop_cls), "market_cls": code(&[trade.market_cls]),
            }),
            RecordView::Book(book, levels) => json!({
                "type": "book", "total_bid": book.total_bid_qty, "total_ask": book.total_ask_qty,
                "levels": levels.iter().map(|l| json!([l.bid_px, l.bid_qty, l.ask_px, l.ask_qty])).collect::<Vec<_>>(),
            }),
            _ => return None,
        };
        let (Value::Object(mut base), Value::Object(own)) = (base, own) else { return None };
        base.extend(own);
        Some(Value::Object(base))
    };
    let lines: Vec<String> = ticks.iter().filter_map(line).map(|line| line.to_string()).collect();
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

fn bars(dirs: &[&Path], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hoga-replay")).arg("bars").args(dirs).args(arguments).output().unwrap()
}

/// Makes bars, lets the twin compare them, returns what it says and what the program says.
fn compared(python: &Path, dirs: &[&Path], ticks: &[Record], every: &str, late: &str) -> (Value, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (out, books, records) = (path("bars.parquet"), path("books.parquet"), path("records.jsonl"));
    let made = bars(
        dirs,
        &[
            "--every", every, "--format", "parquet", "--out", &out, "--books", &books, "--levels", "5", "--late", late,
            "--json",
        ],
    );
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    write_records(ticks, Path::new(&records));
    let seconds = match every {
        "day" => "day",
        "1s" => "1",
        "1m" => "60",
        "5m" => "300",
        other => panic!("{other}"),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bars_twin.py");
    let twin = Command::new(python).arg(script).args([&records, &out, &books, seconds, "5"]).output().unwrap();
    let text = String::from_utf8_lossy(&twin.stdout);
    assert!(twin.status.success(), "every {every}: {text}{}", String::from_utf8_lossy(&twin.stderr));
    (serde_json::from_str(&text).unwrap(), serde_json::from_slice(&made.stdout).unwrap())
}

#[test]
fn bars_of_a_simulated_day_equal_those_of_polars() {
    let Some(python) = python() else { return };
    // A whole day squeezed into some seconds: every session of both venues.
    let sim: SimConfig = sim(3, 6.0, 900.0).whole_day();
    let mut stage = rig::Stage::new(sim, &["H0STCNT0", "H0STASP0", "H0NXCNT0", "H0NXASP0", "H0UNCNT0", "H0UNASP0"]);
    stage.config.kis.max_registrations = 41;
    let engine = stage.engine(hoga::feed::kis::session::Leave::WhenClosed);
    rig::wait_until("the end of the run", || engine.is_finished());
    let played = stage.end(engine);
    // Books carry no date: with the market clock of the tests they are of the venue's day all the same.
    for every in ["1s", "1m", "5m", "day"] {
        let (twin, report) = compared(python, &[&played.dir], &played.ticks, every, "3600");
        assert_eq!((&twin["bars"], &twin["samples"]), (&report["bars"], &report["samples"]));
        let sessions = twin["sessions"].as_array().unwrap();
        for name in ["regular", "closing_auction", "after_market"] {
            assert!(sessions.contains(&name.into()), "{name} in {sessions:?}");
        }
    }
}

/// 2026-09-11T00:00:00 and 2026-09-14T00:00:00 in Korea: the last day of the old evening, the first of the new one.
const FRIDAY: u64 = 1_789_052_400 * SECOND;
const MONDAY: u64 = FRIDAY + 3 * 86_400 * SECOND;

struct Hand {
    journal: Journal,
    received: u64,
}

impl Hand {
    fn open(dir: &Path, midnight: u64) -> Hand {
        let mut journal =
            Journal::open(dir, JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) }).unwrap();
        for (id, symbol) in [(1, b"005930"), (2, b"000660")] {
            let mut instrument: Instrument = bytemuck::zeroed();
            (instrument.header.instrument_id, instrument.header.ts_recv) = (id, midnight);
            instrument.key = InstrumentKey::new(b"KRX", symbol).unwrap();
            journal.ticks.append(&mut boxed_record(instrument, RType::Instrument)).unwrap();
        }
        Hand { journal, received: 0 }
    }

    fn head(&mut self, midnight: u64, time: &str, id: u32, publisher: Publisher) -> (Header, u64) {
        let part = |at: usize| time[at..at + 2].parse::<u64>().unwrap();
        let event = midnight + (part(0) * 3600 + part(3) * 60 + part(6)) * SECOND;
        self.received = self.received.max(event) + 1;
        let header = Header {
            ts_recv: self.received,
            instrument_id: id,
            publisher: publisher as u16,
            flags: Flags::EVENT_TS_SECOND,
            ..bytemuck::Zeroable::zeroed()
        };
        (header, event)
    }

    fn trade(
        &mut self,
        midnight: u64,
        time: &str,
        publisher: Publisher,
        px_milli: i64,
        qty: u64,
        with: impl FnOnce(&mut Trade),
    ) {
        let (header, event) = self.head(midnight, time, 1 + (qty % 2) as u32, publisher);
        let mut trade = Trade::UNDEF;
        trade.header = header;
        trade.market.ts_event = event;
        trade.market.tr = tr_number("H0STCNT0").unwrap();
        (trade.px, trade.qty) = (px_milli * (PX_SCALE / 1000), qty);
        trade.side = if qty.is_multiple_of(3) { Side::Sell } else { Side::Buy } as u8;
        with(&mut trade);
        self.journal.ticks.append(&mut boxed_record(trade, RType::Trade)).unwrap();
    }

    fn book(&mut self, midnight: u64, time: &str, publisher: Publisher, bid: i64, levels: u8) {
        let (header, event) = self.head(midnight, time, 1 + (bid % 2) as u32, publisher);
        let mut buffer = BookBuffer::UNDEF;
        buffer.book.header = header;
        buffer.book.market.ts_event = event;
        buffer.book.levels = 10;
        (buffer.book.total_bid_qty, buffer.book.total_ask_qty) = (bid as u64, hoga::tick::UNDEF_QTY);
        for (index, level) in buffer.levels.iter_mut().enumerate() {
            let index = index as i64;
            let empty = index >= i64::from(levels);
            level.bid_px = if empty { 0 } else { (bid - index) * PX_SCALE };
            level.ask_px = if empty { 0 } else { (bid + 1 + index) * PX_SCALE };
            level.bid_qty = if empty { 0 } else { (bid * 7 % 13 + 1) as u64 };
            level.ask_qty = if empty { 0 } else { 3 };
        }
        self.journal.ticks.append(&mut boxed_record(buffer, RType::Book)).unwrap();
    }
}

fn auction(trade: &mut Trade) {
    trade.header.flags |= Flags::AUCTION;
    trade.side = Side::Auction as u8;
}

/// A day with everything in it.
fn hand_made(dir: &Path, midnight: u64) {
    let (krx, nxt, un) = (Publisher::KisKrx, Publisher::KisNxt, Publisher::KisUn);
    let mut hand = Hand::open(dir, midnight);
    hand.trade(midnight, "08:00:03", nxt, 70_000_500, 12, |_| {});
    hand.trade(midnight, "08:35:00", krx, 69_900_000, 40, |trade| trade.mkop_cls = *b"11\0\0");
    hand.book(midnight, "08:59:59", krx, 70_000, 10);
    hand.trade(midnight, "09:00:00", krx, 70_000_000, 1_000_000, auction);
    hand.trade(midnight, "09:00:00", krx, 70_100_000, 5, |_| {});
    hand.trade(midnight, "09:00:00", un, 70_100_000, 5, |_| {});
    hand.book(midnight, "09:00:00", krx, 70_100, 10);
    hand.book(midnight, "09:00:01", krx, 70_200, 1);
    hand.trade(midnight, "09:00:59", krx, 70_300_000, 6, |trade| trade.header.flags |= Flags::GAP_BEFORE);
    // Out of order, over a minute's boundary, and within a second.
    hand.trade(midnight, "09:01:00", krx, 70_500_000, 7, |_| {});
    hand.trade(midnight, "09:00:58", krx, 70_400_000, 9, |_| {});
    hand.trade(midnight, "09:00:59", krx, 70_350_000, 11, |_| {});
    hand.book(midnight, "09:00:58", krx, 70_900, 10);
    // Left out: came twice, only asked for. A backfilled one counts.
    hand.trade(midnight, "09:01:01", krx, 99_000_000, 7, |trade| trade.market.findings |= Findings::DUPLICATE);
    hand.trade(midnight, "09:01:01", krx, 99_000_000, 8, |trade| trade.header.flags |= Flags::POLLED);
    hand.trade(midnight, "09:01:02", krx, 70_510_005, 3, |trade| {
        trade.header.flags |= Flags::POLLED | Flags::BACKFILLED
    });
    // A third of a won and no end: rounding of the average.
    for (px, qty) in [(1_000_000, 1), (1_000_010, 1), (1_000_010, 1)] {
        hand.trade(midnight, "10:10:10", nxt, px, qty, |_| {});
    }
    // A volatility interruption's auction within the regular session; then nothing for hours.
    hand.trade(midnight, "11:00:00", krx, 75_000_000, 300, auction);
    hand.trade(midnight, "11:00:00", krx, 75_100_000, 301, |_| {});
    hand.book(midnight, "15:19:59", un, 75_001, 3);
    hand.trade(midnight, "15:19:59", krx, 75_200_000, 2, |_| {});
    // Matched before the closing auction, stamped as it begins.
    hand.trade(midnight, "15:20:00", krx, 75_210_000, 6, |_| {});
    hand.trade(midnight, "15:30:21", krx, 75_250_000, 900_000_000, auction);
    hand.trade(midnight, "15:30:22", un, 75_250_000, 17, |trade| trade.market_cls = b'5');
    hand.trade(midnight, "15:30:22", un, 75_250_000, 19, |trade| trade.market_cls = b'3');
    hand.trade(midnight, "15:36:00", krx, 75_250_000, 4, |_| {});
    hand.trade(midnight, "15:40:02", nxt, 75_300_000, 20, auction);
    hand.trade(midnight, "15:45:00", krx, 75_250_000, 21, |trade| trade.mkop_cls = *b"31\0\0");
    hand.trade(midnight, "16:30:00", krx, 75_500_000, 22, |_| {});
    hand.trade(midnight, "17:00:00", krx, 75_600_000, 23, |trade| trade.mkop_cls = *b"40\0\0");
    hand.trade(midnight, "17:01:00", krx, 75_700_000, 24, |trade| trade.mkop_cls = *b"32\0\0");
    hand.trade(midnight, "20:00:00", krx, 75_800_000, 25, |_| {});
    hand.journal.close().unwrap();
}

#[test]
fn bars_of_a_day_made_by_hand_equal_those_of_polars_over_a_change_of_day_and_rules() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (friday, monday) = (folder.path().join("2026-09-11"), folder.path().join("2026-09-14"));
    hand_made(&friday, FRIDAY);
    hand_made(&monday, MONDAY);
    let mut ticks = read(&friday, Stream::Ticks);
    ticks.extend(read(&monday, Stream::Ticks));
    for every in ["1s", "1m", "5m", "day"] {
        // The folder of days, in the order of time whatever that of the arguments.
        let (twin, report) = compared(python, &[&monday, &friday], &ticks, every, "300");
        assert_eq!(report["trades_left_out"], 4);
        assert_eq!(twin["bars"], report["bars"]);
        let expected = [
            "after_auction",
            "after_market",
            "block",
            "closed",
            "closing_auction",
            "closing_price",
            "midday_auction",
            "opening_auction",
            "pre_market",
            "regular",
            "single_price",
        ];
        assert_eq!(twin["sessions"], json!(expected));
    }
}

#[test]
fn csv_and_json_lines_hold_the_same_bars_and_the_forms_of_a_price_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    hand_made(folder.path(), MONDAY);
    let arguments = ["--every", "day", "--venue", "NXT", "--symbol", "000660"];
    let csv = bars(&[folder.path()], &arguments);
    assert_eq!(csv.status.code(), Some(0), "{}", String::from_utf8_lossy(&csv.stderr));
    let csv = String::from_utf8(csv.stdout).unwrap();
    let regular = csv.lines().find(|line| line.contains(",regular,")).unwrap_or_else(|| panic!("{csv}"));
    assert_eq!(
        regular,
        "2026-09-14T00:00:00+09:00,000660,KRX,NXT,regular,1000,1000.01,1000,1000.01,3,3000.02,1000.006666667,3,3,0,0"
    );
    let jsonl = bars(&[folder.path()], &[&arguments[..], &["--format", "jsonl"]].concat());
    let lines: Vec<Value> =
        String::from_utf8(jsonl.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), csv.lines().count() - 1);
    let regular = lines.iter().find(|line| line["session"] == "regular").unwrap();
    assert_eq!((&regular["vwap"], &regular["start"]), (&json!(1000.006666667), &json!("2026-09-14T00:00:00+09:00")));
}

#[test]
fn corrections_of_the_calendar_decide_the_sessions() {
    let folder = tempfile::tempdir().unwrap();
    hand_made(&folder.path().join("journal"), MONDAY);
    let corrections = folder.path().join("calendar.toml");
    std::fs::write(&corrections, "[[close]]\ndate = 2026-09-14\nreason = \"a snow storm\"\n").unwrap();
    let made = |arguments: &[&str]| bars(&[&folder.path().join("journal")], arguments);
    let csv = |arguments: &[&str]| String::from_utf8(made(arguments).stdout).unwrap();
    assert!(csv(&["--every", "day"]).contains(",regular,"));
    let closed = csv(&["--every", "day", "--overrides", corrections.to_str().unwrap()]);
    assert!(!closed.contains(",regular,") && closed.contains(",closed,"), "{closed}");
    std::fs::write(&corrections, "[[close]]\ndate = 2026-09-14\n").unwrap();
    let wrong = made(&["--overrides", corrections.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("reason"), "{wrong:?}");
}

#[test]
fn a_trade_that_comes_after_its_bar_was_closed_is_in_none_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut hand = Hand::open(folder.path(), MONDAY);
    hand.trade(MONDAY, "09:00:00", Publisher::KisKrx, 1_000, 2, |_| {});
    // More than a batch of records, minutes later.
    for _ in 0..5000 {
        hand.trade(MONDAY, "09:20:00", Publisher::KisKrx, 1_000, 2, |_| {});
    }
    hand.trade(MONDAY, "09:00:01", Publisher::KisKrx, 9_000, 2, |_| {});
    hand.journal.close().unwrap();
    let out = folder.path().join("bars.csv");
    let out = out.to_str().unwrap();
    let made = bars(&[folder.path()], &["--out", out, "--json"]);
    assert_eq!(made.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&report["late"], &report["trades"], &report["bars"]), (&json!(1), &json!(5001), &json!(2)));
    assert!(String::from_utf8_lossy(&made.stderr).contains("--late"));
    let made = bars(&[folder.path()], &["--out", out, "--json", "--force", "--late", "3600"]);
    assert_eq!(made.status.code(), Some(0));
    // One record dated years ahead closes nothing.
    let mut hand = Hand::open(&folder.path().join("ahead"), MONDAY);
    hand.trade(MONDAY, "09:00:00", Publisher::KisKrx, 1_000, 2, |_| {});
    hand.trade(MONDAY + 400 * 86_400 * SECOND, "09:00:00", Publisher::KisKrx, 1_000, 2, |_| {});
    for _ in 0..5000 {
        hand.trade(MONDAY, "09:00:30", Publisher::KisKrx, 1_000, 2, |_| {});
    }
    hand.journal.close().unwrap();
    let made = bars(&[&folder.path().join("ahead")], &["--out", out, "--json", "--force"]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn wrong_use_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    hand_made(&one, MONDAY);
    hand_made(&two, MONDAY);
    for (dirs, arguments, expected) in [
        (vec![one.as_path()], vec!["--every", "7s"], "divide a day"),
        (vec![one.as_path()], vec!["--kind", "book"], "--kind"),
        (vec![one.as_path(), two.as_path()], vec![], "count twice"),
        (vec![folder.path()], vec![], "holds no journal"),
    ] {
        let made = bars(&dirs, &arguments);
        let text = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.code() == Some(2) && text.contains(expected), "{text}");
    }
}
