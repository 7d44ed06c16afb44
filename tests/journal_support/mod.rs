//! What the journal's tests share: small journals, records of any size, all records of a stream.
#![allow(dead_code)]

#[path = "../policy/mod.rs"]
pub mod policy;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hoga::journal::{Journal, JournalConfig, RawFrame, Start, Stream, StreamConfig, StreamWriter, Tailer};
use hoga::tick::{Flags, Instrument, InstrumentKey, RType, RawPrefix, Trade, words_of};

/// A scratch folder, in memory where there is such a place: these tests sync a lot.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a scratch folder")
}

/// A configuration with small segments.
pub fn small(segment_bytes: u64) -> JournalConfig {
    let stream = StreamConfig { segment_bytes, touch_ahead_bytes: 16 << 10 };
    JournalConfig {
        ticks: stream,
        raw: Some(stream),
        trading_date: 20_261_123,
        instruments_max: 64,
        stall_max: Duration::from_secs(20),
        ..JournalConfig::default()
    }
}

/// A trade whose fields follow from `number`, so that a reader can tell that it is whole.
pub fn trade(number: u64) -> Trade {
    let mut trade = Trade::UNDEF;
    trade.header.length = size_of::<Trade>() as u32;
    trade.header.rtype = RType::Trade as u8;
    trade.header.ts_recv = 1_700_000_000_000_000_000 + number;
    trade.header.instrument_id = (number % 7) as u32 + 1;
    trade.market.raw_sequence = number;
    trade.market.frame_count = 1;
    trade.qty = number;
    trade.px = number as i64 * 3;
    trade.cum_qty = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    trade
}

/// Appends one `raw` frame and the trade of it.
pub fn append_pair(journal: &mut Journal, number: u64) {
    if let Some(raw) = &mut journal.raw {
        append_raw(raw, format!("0|H0STCNT0|001|{number}").as_bytes());
    }
    journal.ticks.append(words_of(&mut trade(number))).expect("append");
}

/// Appends a frame.
pub fn append_raw(raw: &mut StreamWriter, payload: &[u8]) -> u64 {
    let mut prefix: RawPrefix = bytemuck::zeroed();
    prefix.header.rtype = RType::Raw as u8;
    prefix.payload_bytes = payload.len() as u32;
    prefix.opcode = 1;
    raw.append_with_tail(words_of(&mut prefix), payload).expect("append")
}

/// The definition of an instrument.
pub fn instrument(id: u32) -> Instrument {
    let mut record: Instrument = bytemuck::zeroed();
    record.header.length = size_of::<Instrument>() as u32;
    record.header.rtype = RType::Instrument as u8;
    record.header.instrument_id = id;
    record.key = InstrumentKey::new(b"KRX", format!("{id:06}").as_bytes()).expect("a key");
    record
}

/// Every numbered record of a stream, checked.
pub fn read_all(dir: &Path, stream: Stream) -> Vec<(u64, Vec<u8>)> {
    let mut records = Vec::new();
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).expect("open").with_crc_check(true);
    tailer.poll(usize::MAX, |record| records.push((record.position.sequence, record.bytes.to_vec()))).expect("poll");
    records
}

/// The frames that an opening found to be decoded again: sequence and bytes.
pub fn frames_again(journal: &Journal) -> Vec<(u64, Vec<u8>)> {
    let mut frames = Vec::new();
    let take = |frame: RawFrame<'_>| frames.push((frame.prefix.header.sequence, frame.payload.to_vec()));
    journal.recovery.raw_frames.for_each(take).expect("frames");
    frames
}

/// Path of a segment.
pub fn segment(dir: &Path, stream: Stream, ordinal: u64) -> PathBuf {
    dir.join(stream.name()).join(format!("{ordinal:010}.seg"))
}

/// Whether a record is a definition said again.
pub fn is_restated(bytes: &[u8]) -> bool {
    u32::from_le_bytes(bytes[28..32].try_into().unwrap()) & Flags::RESTATED != 0
}

/// Copies a journal.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Offsets of the records of a segment, and of the end of the last.
pub fn offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![4096];
    loop {
        let at = *offsets.last().unwrap();
        let length = bytes.get(at..at + 4).map_or(0, |word| u32::from_le_bytes(word.try_into().unwrap()) as usize);
        if length == 0 {
            return offsets;
        }
        offsets.push(at + length.next_multiple_of(8));
    }
}
