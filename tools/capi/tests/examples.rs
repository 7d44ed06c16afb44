//! The examples in C and C++ compile without a warning against the installed header and libraries, and print what the
//! Rust reader says of the same journal.

mod built;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use built::*;
use hoga_reader::journal::{Journal, Start, Stream, Tailer};
use hoga_reader::tick::{Findings, Flags, PX_SCALE, RType, RecordView, view, words_of, write_px};
use sha2::{Digest as _, Sha256};

const RECORDS: u64 = 2000;
/// What installs the libraries and compiles examples.
const TOOLS: [&str; 3] = ["bash", "gcc", "g++"];

fn text_of(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).expect("UTF-8")
}

/// Each record of a stream as the Rust reader gives it.
fn each(dir: &Path, stream: Stream, mut take: impl FnMut(u64, &[u8])) {
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
    tailer.poll(usize::MAX, |record| take(record.position.sequence, record.bytes)).unwrap();
}

/// The digest, taken at once and not record by record.
fn expected_digest(dir: &Path, stream: Stream) -> (u64, String) {
    let (mut bytes, mut count) = (Vec::new(), 0);
    each(dir, stream, |_, record| {
        bytes.extend_from_slice(&record[8..]);
        count += 1;
    });
    (count, Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn price(px: i64) -> String {
    let mut out = Vec::new();
    write_px(&mut out, px);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_digest_in_c_is_the_rust_readers_in_every_way_of_compiling_and_linking() {
    if !policy::has(&TOOLS, "the digest in C") {
        return;
    }
    let folder = scratch();
    let dir = folder.path().join("journal");
    journal(&dir, RECORDS);
    let source = package().join("examples/digest.c");
    for (standard, link) in [("c99", Link::Static), ("c11", Link::Shared), ("c17", Link::Static)] {
        let program = compile(&source, standard, link, folder.path());
        for stream in [Stream::Ticks, Stream::Raw] {
            let printed = text_of(Command::new(&program).arg(&dir).arg(stream.name()));
            let found: serde_json::Value = serde_json::from_str(&printed).unwrap();
            let (records, digest) = expected_digest(&dir, stream);
            assert_eq!(found["records"], records);
            assert_eq!(found["last_sequence"], records);
            assert_eq!(found["digest"], digest);
        }
    }
    let program = folder.path().join("digest-c99-Static");
    let nowhere = Command::new(&program).arg(folder.path().join("nowhere")).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("no journal"), "{nowhere:?}");
    // A damaged record is an error, not a digest.
    let segment = dir.join("ticks/0000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 200] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let damaged = Command::new(&program).arg(&dir).output().unwrap();
    assert_eq!(damaged.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&damaged.stderr).contains("corrupt at offset"), "{damaged:?}");
}

#[test]
fn best_bid_and_ask_in_c_are_those_of_the_books() {
    if !policy::has(&TOOLS, "the best prices in C") {
        return;
    }
    let folder = scratch();
    let dir = folder.path().join("journal");
    journal(&dir, RECORDS);
    let mut expected = String::new();
    let mut best = BTreeMap::new();
    each(&dir, Stream::Ticks, |sequence, record| {
        let Some(RecordView::Book(book, levels)) = view(record) else { return };
        let id = book.header.instrument_id;
        let top = (levels[0].bid_px, levels[0].ask_px);
        if id == 1 && best.insert(id, top) != Some(top) {
            writeln!(expected, "{sequence} 005930 bid {} ask {}", price(top.0), price(top.1)).unwrap();
        }
    });
    assert!(expected.lines().count() > 5 && expected.contains(".5 ask"), "{expected}");
    let program = compile(&package().join("examples/tail.c"), "c99", Link::Shared, folder.path());
    assert_eq!(text_of(Command::new(&program).arg(&dir).arg("005930")), expected);
}

/// One of each kind that is left out, and one that is asked for and fills a gap; at prices that would be seen.
fn append_trades_that_do_not_count(dir: &Path) {
    let mut journal = Journal::open(dir, small()).unwrap();
    let mut add = |findings, flags, counts| {
        let mut record = trade(1);
        record.px = 9_000_000 * PX_SCALE;
        record.market.findings |= findings;
        record.header.flags |= flags;
        assert_eq!(record.counts(), counts);
        journal.ticks.append(words_of(&mut record)).unwrap();
    };
    add(Findings::DUPLICATE, 0, false);
    add(0, Flags::POLLED, false);
    add(Findings::DUPLICATE, Flags::POLLED | Flags::BACKFILLED, false);
    add(0, Flags::POLLED | Flags::BACKFILLED, true);
    journal.close().unwrap();
}

#[test]
fn the_vwap_in_cpp_is_the_rust_readers() {
    if !policy::has(&TOOLS, "the average price in C++") {
        return;
    }
    let folder = scratch();
    let dir = folder.path().join("journal");
    journal(&dir, RECORDS);
    append_trades_that_do_not_count(&dir);
    let mut sums: BTreeMap<u32, (i128, u64)> = BTreeMap::new();
    each(&dir, Stream::Ticks, |_, record| {
        if let Some(RecordView::Trade(trade)) = view(record)
            && trade.counts()
        {
            let sum = sums.entry(trade.header.instrument_id).or_default();
            sum.0 += i128::from(trade.px) * i128::from(trade.qty);
            sum.1 += trade.qty;
        }
    });
    let expected = sums.iter().fold(String::new(), |mut text, (id, (turnover, qty))| {
        let symbol = ["005930", "000660"][*id as usize - 1];
        let vwap = *turnover as f64 / *qty as f64 / PX_SCALE as f64;
        writeln!(text, "{symbol} {vwap:.4} {qty}").unwrap();
        text
    });
    for (standard, link) in [("c++11", Link::Static), ("c++20", Link::Shared)] {
        let program = compile(&package().join("examples/vwap.cpp"), standard, link, folder.path());
        assert_eq!(text_of(Command::new(&program).arg(&dir)), expected);
    }
}

#[test]
fn the_examples_leak_nothing_and_touch_nothing_that_is_not_theirs() {
    if !policy::has(&TOOLS, "leaks of the examples") || !policy::has(&["valgrind"], "leaks of the examples") {
        return;
    }
    let folder = scratch();
    let dir = folder.path().join("journal");
    journal(&dir, 300);
    for (example, standard) in [("digest.c", "c99"), ("tail.c", "c99"), ("vwap.cpp", "c++11")] {
        let program = compile(&package().join("examples").join(example), standard, Link::Shared, folder.path());
        run(Command::new("valgrind")
            .args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"])
            .arg(&program)
            .arg(&dir));
    }
}

#[test]
fn pkg_config_gives_the_flags_of_both_languages() {
    if !policy::has(&["bash", "pkg-config"], "the flags that pkg-config gives") {
        return;
    }
    let prefix = installed();
    let ask = |what: &str| {
        text_of(Command::new("pkg-config").env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args([what, "hoga"]))
    };
    assert!(ask("--libs").contains("-lhoga"));
    assert!(ask("--cflags").contains("include"));
    assert_eq!(ask("--modversion").trim(), env!("CARGO_PKG_VERSION"));
    assert!(RType::ALL.len() > 10);
}
