//! What the tests share: the program, and small journals written record by record.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hoga::journal::Stream;
use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::tick::{Instrument, InstrumentKey, PX_SCALE, Publisher, RType, RawPrefix, Trade};

/// 2026-11-23T09:00:00 in Korea.
pub const NINE: u64 = 1_795_392_000_000_000_000;
pub const SECOND: u64 = 1_000_000_000;
pub const MS: u64 = 1_000_000;

/// A trade of a crafted journal: symbol, `ts_recv`, `ts_event`, price in won.
pub type Line<'a> = (&'a str, u64, u64, i64);

pub fn trade((_, ts_recv, ts_event, px): Line<'_>, id: u32, sequence: u64) -> Trade {
    let mut trade = Trade::UNDEF;
    trade.header.length = size_of::<Trade>() as u32;
    trade.header.rtype = RType::Trade as u8;
    trade.header.publisher = Publisher::KisKrx as u16;
    trade.header.sequence = sequence;
    trade.header.ts_recv = ts_recv;
    trade.header.instrument_id = id;
    trade.market.ts_event = ts_event;
    trade.px = px * PX_SCALE;
    trade.qty = 1;
    trade
}

/// Writes a journal: an instrument where a symbol first comes, then its trades. Sequences from 1.
pub fn journal(dir: &Path, date: u32, trades: &[Line<'_>]) -> PathBuf {
    let spec = JournalSpec { segment_bytes: 1 << 20, trading_date: date, ..JournalSpec::default() };
    let mut journal = JournalBuilder::create(dir, spec).expect("a new journal");
    let mut symbols: Vec<&str> = Vec::new();
    let mut sequence = 0;
    for line in trades {
        let known = symbols.iter().position(|symbol| *symbol == line.0);
        let id = known.unwrap_or_else(|| {
            symbols.push(line.0);
            let mut instrument: Instrument = bytemuck::Zeroable::zeroed();
            instrument.header.length = size_of::<Instrument>() as u32;
            instrument.header.rtype = RType::Instrument as u8;
            instrument.header.instrument_id = symbols.len() as u32;
            instrument.header.ts_recv = line.1;
            sequence += 1;
            instrument.header.sequence = sequence;
            instrument.key = InstrumentKey::new(b"KRX", line.0.as_bytes()).expect("a key");
            journal.append(Stream::Ticks, bytemuck::bytes_of(&instrument)).expect("it fits");
            symbols.len() - 1
        }) as u32
            + 1;
        sequence += 1;
        journal.append(Stream::Ticks, bytemuck::bytes_of(&trade(*line, id, sequence))).expect("it fits");
    }
    journal.finish().expect("a whole journal");
    dir.to_owned()
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga-replay"));
    command.args(args);
    command
}

pub fn run(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

/// What it prints; it must end well.
pub fn lines(args: &[&str]) -> Vec<String> {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

/// Prices of the trades it prints.
pub fn prices(args: &[&str]) -> Vec<i64> {
    let px = |line: &String| {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        record["px"].as_i64()
    };
    lines(args).iter().filter_map(px).collect()
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// Writes a journal of one trade and of these frames, received a millisecond apart from nine o'clock on.
pub fn journal_with_frames(dir: &Path, frames: &[&str]) -> PathBuf {
    let spec = JournalSpec { segment_bytes: 1 << 20, trading_date: 20_261_123, ..JournalSpec::default() };
    let mut journal = JournalBuilder::create(dir, spec).expect("a new journal");
    let mut instrument: Instrument = bytemuck::Zeroable::zeroed();
    instrument.header.length = size_of::<Instrument>() as u32;
    instrument.header.rtype = RType::Instrument as u8;
    (instrument.header.instrument_id, instrument.header.ts_recv, instrument.header.sequence) = (1, NINE, 1);
    instrument.key = InstrumentKey::new(b"KRX", b"005930").expect("a key");
    journal.append(Stream::Ticks, bytemuck::bytes_of(&instrument)).expect("it fits");
    journal.append(Stream::Ticks, bytemuck::bytes_of(&trade(("005930", NINE, NINE, 70_000), 1, 2))).expect("it fits");
    for (at, frame) in (0..).zip(frames) {
        let mut prefix: RawPrefix = bytemuck::Zeroable::zeroed();
        prefix.header.length = (size_of::<RawPrefix>() + frame.len()) as u32;
        prefix.header.rtype = RType::Raw as u8;
        (prefix.header.sequence, prefix.header.ts_recv) = (at + 1, NINE + at * MS);
        (prefix.payload_bytes, prefix.opcode) = (frame.len() as u32, 1);
        let record = [bytemuck::bytes_of(&prefix), frame.as_bytes()].concat();
        journal.append(Stream::Raw, &record).expect("it fits");
    }
    journal.finish().expect("a whole journal");
    dir.to_owned()
}

/// Flips a bit of what stands in the first segment of a stream, behind its header.
pub fn flip(dir: &Path, stream: Stream, wanted: &[u8]) {
    let path = dir.join(stream.name()).join("0000000001.seg");
    let mut bytes = std::fs::read(&path).expect("a segment");
    let at = bytes[4096..].windows(wanted.len()).position(|window| window == wanted).expect("it is there");
    bytes[4096 + at] ^= 1;
    std::fs::write(path, bytes).expect("it can be written");
}
