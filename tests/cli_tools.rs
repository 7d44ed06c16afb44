//! The commands on damaged journals, and the forms and filters of `dump` and `tail`: what people and scripts see.

mod journal_support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::journal::{Journal, Stream};
use hoga::tick::{BookBuffer, PX_SCALE, Publisher, RType, Session, SessionEvent, Side, words_of};
use journal_support::*;
use serde_json::Value;

/// 2026-11-23T09:00:00 in Korea.
const NINE: u64 = 1_795_392_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn hoga(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
    command.arg(arguments[0]).arg(dir).args(&arguments[1..]).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    text(output).lines().map(str::to_owned).collect()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(text(output).lines().last().expect("a line")).expect("JSON")
}

/// Two instruments; then a trade of each second from nine, in turn of them and of two venues; a book; a session.
fn journal(dir: &Path, seconds: u64) {
    let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
    for id in [1, 2] {
        let mut record = instrument(id);
        record.header.ts_recv = NINE;
        journal.ticks.append(words_of(&mut record)).unwrap();
    }
    for second in 0..seconds {
        let mut record = trade(second);
        record.header.ts_recv = NINE + second * SECOND + 1_500_000;
        record.header.instrument_id = 1 + (second % 2) as u32;
        record.header.publisher = if second % 4 < 2 { Publisher::KisKrx } else { Publisher::KisNxt } as u16;
        record.px = (93_000 + second as i64) * PX_SCALE;
        (record.qty, record.cum_qty, record.side) = (1_234, 1_000_000 + second, Side::Buy as u8);
        journal.ticks.append(words_of(&mut record)).unwrap();
    }
    let mut book = BookBuffer::UNDEF;
    book.book.header.length = size_of::<BookBuffer>() as u32;
    book.book.header.rtype = RType::Book as u8;
    book.book.header.ts_recv = NINE + seconds * SECOND;
    book.book.header.instrument_id = 1;
    book.book.header.publisher = Publisher::KisKrx as u16;
    book.book.levels = 2;
    for (at, level) in book.levels.iter_mut().take(2).enumerate() {
        (level.bid_px, level.ask_px) = ((93_000 - at as i64) * PX_SCALE, (93_100 + at as i64) * PX_SCALE);
        (level.bid_qty, level.ask_qty) = (1_000, 2_000);
    }
    journal.ticks.append(words_of(&mut book)).unwrap();
    let mut session: Session = bytemuck::zeroed();
    session.header.length = size_of::<Session>() as u32;
    session.header.rtype = RType::Session as u8;
    session.header.ts_recv = NINE + seconds * SECOND;
    session.header.line = 3;
    session.event = SessionEvent::Resumed as u8;
    session.value = 1_200_000;
    journal.ticks.append(words_of(&mut session)).unwrap();
    journal.close().unwrap();
}

#[test]
fn dump_shows_people_prices_with_separators_korean_times_sides_books_and_services_in_words() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    journal(dir, 3);
    let shown = lines(&hoga(dir, &["dump"]));
    assert_eq!(shown.len(), 7);
    assert!(shown[0].contains("instrument") && shown[0].contains("id 1 stands for KRX 000001"), "{}", shown[0]);
    assert!(shown[2].contains("2026-11-23 09:00:00.001500  trade      000001    KRX"), "{}", shown[2]);
    assert!(shown[2].contains("93,000 x 1,234    buy     total 1,000,000"), "{}", shown[2]);
    assert!(
        shown[5].contains("bid 93,000 x 1,000, 92,999 x 1,000  | ask 93,100 x 2,000, 93,101 x 2,000"),
        "{}",
        shown[5]
    );
    assert!(shown[6].contains("line 3 goes on after 1.20 ms"), "{}", shown[6]);
}

#[test]
fn filters_take_symbols_kinds_venues_times_and_sequences_in_every_form() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    journal(dir, 400);
    let dump = |arguments: &[&str]| {
        let output = hoga(dir, &[&["dump"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output)
    };
    assert_eq!(dump(&["--kind", "trade"]).len(), 400);
    assert_eq!(dump(&["--kind", "trade", "--kind", "book"]).len(), 401);
    assert_eq!(dump(&["--kind", "trade", "--symbol", "000002"]).len(), 200);
    assert_eq!(dump(&["--kind", "trade", "--venue", "nxt"]).len(), 200);
    assert_eq!(dump(&["--venue", "NXT", "--symbol", "000001"]).len(), 100);
    assert_eq!(dump(&["--from", "100", "--to", "109"]).len(), 10);
    assert_eq!(dump(&["--from-sequence", "100", "--to-sequence", "109"]).len(), 10);
    // Ten seconds, whichever way they are written.
    for (from, to) in [
        ("09:01", "09:01:10"),
        ("2026-11-23T09:01:00", "2026-11-23 09:01:10"),
        ("2026-11-23T00:01:00Z", "2026-11-23T00:01:10Z"),
    ] {
        let seconds = dump(&["--from", from, "--to", to, "--json"]);
        let of = |line: &String| serde_json::from_str::<Value>(line).unwrap()["ts_recv"].as_str().unwrap().to_owned();
        assert_eq!(seconds.len(), 10, "{from}");
        assert_eq!(of(&seconds[0]), "2026-11-23T09:01:00.001500000+09:00");
        assert_eq!(of(&seconds[9]), "2026-11-23T09:01:09.001500000+09:00");
    }
    assert_eq!(dump(&["--from", "2026-11-23", "--to", "2026-11-23"]).len(), 404);
    assert_eq!(dump(&["--from", "2026-11-24"]).len(), 0);
    assert_eq!(dump(&["--kind", "trade", "--limit", "300", "--from", "09:00:10"]).len(), 300);

    let csv = dump(&["--kind", "trade", "--format", "csv", "--from", "09:00:00", "--to", "09:00:02"]);
    assert_eq!(csv.len(), 3);
    let names: Vec<&str> = csv[0].split(',').collect();
    let cell = |row: &str, name: &str| {
        let at = names.iter().position(|known| *known == name).unwrap();
        row.split(',').nth(at).unwrap().to_owned()
    };
    assert_eq!((cell(&csv[1], "type"), cell(&csv[1], "px")), ("trade".to_owned(), "93000".to_owned()));
    assert_eq!((cell(&csv[2], "symbol"), cell(&csv[2], "qty")), ("000002".to_owned(), "1234".to_owned()));

    let tail = |arguments: &[&str]| lines(&hoga(dir, &[&["tail"], arguments].concat()));
    assert_eq!(tail(&["-n", "5", "--kind", "trade"]).len(), 5);
    assert_eq!(tail(&["-n", "1", "--kind", "instrument", "--json"]).len(), 1, "far back");
    assert_eq!(tail(&["--from", "09:06:30", "--kind", "trade", "--format", "csv"]).len(), 11);
    for wrong in
        [&["dump", "--from", "tomorrow"][..], &["tail", "--venue", "NYSE"], &["dump", "--json", "--format", "csv"]]
    {
        let output = hoga(dir, wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn verify_repair_and_recover_say_what_is_wrong_where_and_what_was_done() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    journal(dir, 400);
    assert!(text(&hoga(dir, &["repair"])).contains("nothing to do"));
    let path = segment(dir, Stream::Ticks, 2);
    let mut bytes = fs::read(&path).unwrap();
    // Behind the two restated definitions, in the second trade.
    let at = 4096 + 2 * 104 + 256;
    let lost = u64::from_le_bytes(bytes[at + 8..at + 16].try_into().unwrap());
    bytes[at + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let verify = hoga(dir, &["verify"]);
    assert_eq!(verify.status.code(), Some(1));
    assert!(text(&verify).contains(&format!("corrupt: ticks/0000000002.seg at {at}: checksum")), "{}", text(&verify));
    assert!(text(&verify).contains("hoga repair --policy abort"));
    let told = hoga(dir, &["repair", "--policy", "abort", "--json"]);
    assert_eq!((told.status.code(), &json(&told)["actions"][0]["action"]), (Some(1), &"rebuild".into()));
    let cut = hoga(dir, &["repair"]);
    assert_eq!(cut.status.code(), Some(1), "damage remains");
    assert!(text(&cut).contains("remains: ticks/0000000002.seg") && text(&cut).contains("--policy skip"));

    let out = folder.path().join("saved");
    let out_text = out.to_str().unwrap();
    let saved = hoga(dir, &["recover", "--out", out_text, "--json"]);
    assert_eq!(saved.status.code(), Some(0), "{}", String::from_utf8_lossy(&saved.stderr));
    let ticks = &json(&saved)["streams"]["ticks"];
    assert_eq!((&ticks["lost_records"], &ticks["records"]), (&1.into(), &403.into()));
    assert_eq!(ticks["losses"][0]["first_sequence"], lost);
    assert_eq!(ticks["losses"][0]["instruments"].as_array().unwrap().len(), 1);
    let again = hoga(dir, &["recover", "--out", out_text]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"));
    assert_eq!(hoga(&out, &["verify"]).status.code(), Some(0));

    let skip = hoga(dir, &["repair", "--policy", "skip"]);
    assert_eq!(skip.status.code(), Some(0));
    let said = text(&skip);
    assert!(said.contains("ticks/0000000002.seg: written anew"), "{said}");
    assert!(said.contains(&format!("lost: record {lost} (256 B of ticks/0000000002.seg at {at}, damaged)")), "{said}");
    assert!(said.contains("quarantine/ticks-0000000002.seg") && said.ends_with("clean\n"), "{said}");
    assert_eq!(fs::read(dir.join("quarantine/ticks-0000000002.seg")).unwrap(), bytes);
    let verify = hoga(dir, &["verify", "--json"]);
    let ticks = &json(&verify)["streams"]["ticks"];
    assert_eq!((&ticks["state"], &ticks["holes"], &ticks["lost_records"]), (&"clean".into(), &1.into(), &1.into()));
    for dir in [dir, &out] {
        let shown = lines(&hoga(dir, &["dump", "--kind", "hole"]));
        assert_eq!(shown.len(), 1);
        assert!(shown[0].ends_with(&format!("record {lost} is lost (damaged), 256 B")), "{}", shown[0]);
        assert_eq!(lines(&hoga(dir, &["dump", "--json"])).len(), 404);
    }
}

#[test]
fn wrong_use_of_repair_and_recover_is_status_2_and_makes_nothing() {
    let folder = scratch();
    let missing = folder.path().join("missing");
    let out = folder.path().join("out");
    let recover = hoga(&missing, &["recover", "--out", out.to_str().unwrap()]);
    assert_eq!(recover.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&recover.stderr).contains("no journal"));
    assert!(!out.exists() && !missing.exists());
    let dir = &folder.path().join("journal");
    let held = Journal::open(dir, small(16 << 10)).unwrap();
    for arguments in [&["repair"][..], &["repair", "--policy", "abort"], &["recover", "--out", out.to_str().unwrap()]] {
        let output = hoga(dir, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("stop the recorder"), "{arguments:?}");
    }
    held.close().unwrap();
}

#[test]
fn stat_of_a_journal_without_an_engine_says_what_its_files_say() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    journal(dir, 400);
    let stat = hoga(dir, &["stat", "--json"]);
    assert_eq!(stat.status.code(), Some(0));
    let ticks = &json(&stat)["journal"]["streams"]["ticks"];
    assert_eq!((&ticks["state"], &ticks["last_sequence"]), (&"closed".into(), &404.into()));
    assert_eq!((&ticks["first_date"], &ticks["durable_sequence"]), (&20_261_123.into(), &404.into()));
    assert!(text(&hoga(dir, &["stat"])).contains("ticks: closed, "));

    fs::remove_file(segment(dir, Stream::Ticks, 3)).unwrap();
    let path = segment(dir, Stream::Ticks, 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[30] ^= 1;
    fs::write(&path, bytes).unwrap();
    let stat = hoga(dir, &["stat"]);
    assert_eq!(stat.status.code(), Some(1));
    let said = text(&stat);
    assert!(said.contains("damaged: ticks/segment 2: header checksum"), "{said}");
    assert!(said.contains("damaged: ticks/segments 3 to 3: missing") && said.contains("hoga repair"), "{said}");
}

#[test]
fn a_journal_made_of_a_part_says_what_was_left_out() {
    let folder = scratch();
    let dir = folder.path().join("part");
    let mut part = JournalBuilder::create(&dir, JournalSpec { segment_bytes: 16 << 10, ..Default::default() }).unwrap();
    for sequence in [10, 11, 20] {
        let mut record = trade(sequence);
        record.header.sequence = sequence;
        part.append(Stream::Ticks, bytemuck::bytes_of(&record)).unwrap();
    }
    part.finish().unwrap();
    let shown = lines(&hoga(&dir, &["dump"]));
    assert!(shown[2].contains("8 records are lost, 12 to 19 (left out of this journal)"), "{}", shown[2]);
    let shown = lines(&hoga(&dir, &["dump", "--json"]));
    let hole: Value = serde_json::from_str(&shown[2]).unwrap();
    assert_eq!((&hole["type"], &hole["sequence"], &hole["reason"]), (&"hole".into(), &0.into(), &"left_out".into()));
    assert_eq!((&hole["first_sequence"], &hole["last_sequence"]), (&12.into(), &19.into()));
}
