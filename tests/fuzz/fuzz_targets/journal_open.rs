//! A small journal with any bytes changed, cut off or zeroed, or a file taken away: judging, reading and opening it
//! neither panic nor hang, and changed records are never called clean nor handed over as checked.
//!
//! Input: byte 0 chooses the journal (closed in order, or left as by a crash), then edits of seven bytes: file, kind,
//! place (4, little endian), value.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use hoga::journal::format::{SEGMENT_HEADER_BYTES, padded};
use hoga::journal::{Journal, JournalConfig, Start, Stream, StreamConfig, Tailer, Verdict, verify};
use hoga::tick::{Instrument, InstrumentKey, RType, RawPrefix, Trade, words_of};
use libfuzzer_sys::fuzz_target;

/// The files of a journal, by path inside it.
struct Image {
    files: Vec<(PathBuf, Vec<u8>)>,
    closed: bool,
}

/// Closed, and crashed.
static IMAGES: LazyLock<[Image; 2]> = LazyLock::new(|| [true, false].map(image));

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a scratch folder")
}

fn config() -> JournalConfig {
    let stream = StreamConfig { segment_bytes: 8192, touch_ahead_bytes: 4096 };
    JournalConfig {
        ticks: stream,
        raw: Some(stream),
        trading_date: 20_261_123,
        instruments_max: 16,
        stall_max: Duration::from_secs(5),
        ..JournalConfig::default()
    }
}

fn trade(number: u64) -> Trade {
    let mut trade = Trade::UNDEF;
    trade.header.length = size_of::<Trade>() as u32;
    trade.header.rtype = RType::Trade as u8;
    trade.header.ts_recv = 1_763_000_000_000_000_000 + number;
    trade.header.instrument_id = 1;
    trade.market.raw_sequence = number;
    trade.market.frame_count = 1;
    trade.qty = number;
    trade
}

fn append(journal: &mut Journal, numbers: std::ops::Range<u64>) {
    for number in numbers {
        if let Some(raw) = &mut journal.raw {
            let mut prefix: RawPrefix = bytemuck::zeroed();
            prefix.header.rtype = RType::Raw as u8;
            let payload = format!("0|H0STCNT0|001|005930^{number}");
            prefix.payload_bytes = payload.len() as u32;
            prefix.opcode = 1;
            raw.append_with_tail(words_of(&mut prefix), payload.as_bytes()).expect("append");
        }
        journal.ticks.append(words_of(&mut trade(number))).expect("append");
    }
}

fn image(closed: bool) -> Image {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), config()).expect("open");
    let mut definition: Instrument = bytemuck::zeroed();
    definition.header.length = size_of::<Instrument>() as u32;
    definition.header.rtype = RType::Instrument as u8;
    definition.header.instrument_id = 1;
    definition.key = InstrumentKey::new(b"KRX", b"005930").expect("a key");
    journal.ticks.append(words_of(&mut definition)).expect("append");
    append(&mut journal, 1..30);
    journal.close().expect("close");
    let mut journal = Journal::open(folder.path(), config()).expect("open again");
    append(&mut journal, 30..60);
    journal.ticks.batch_end();
    if closed {
        journal.close().expect("close");
    } else {
        drop(journal);
    }
    let mut files = Vec::new();
    read_files(folder.path(), Path::new(""), &mut files);
    files.sort();
    Image { files, closed }
}

fn read_files(root: &Path, inside: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(root.join(inside)).expect("read").map(|entry| entry.expect("entry")) {
        let path = inside.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            read_files(root, &path, files);
        } else {
            files.push((path.clone(), fs::read(root.join(&path)).expect("read")));
        }
    }
}

/// Places of the records of a segment: offset and length.
fn records(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = SEGMENT_HEADER_BYTES;
    while let Some(word) = bytes.get(at..at + 4) {
        let length = u32::from_le_bytes(word.try_into().expect("four bytes")) as usize;
        if length == 0 {
            break;
        }
        found.push((at, length));
        at += padded(length);
    }
    found
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "seg")
}

/// Applies the edits; `None` stands for a file taken away.
fn edited(image: &Image, mut edits: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut files: Vec<Option<Vec<u8>>> = image.files.iter().map(|(_, bytes)| Some(bytes.clone())).collect();
    let mut left = 16;
    while let [file, kind, a, b, c, d, value, rest @ ..] = edits
        && left > 0
    {
        left -= 1;
        edits = rest;
        let count = files.len();
        let slot = &mut files[usize::from(*file) % count];
        let Some(bytes) = slot else { continue };
        let place = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let at = place % bytes.len().max(1);
        match kind % 8 {
            0..4 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= value;
                }
            }
            4 => bytes.truncate(at),
            5 => {
                let end = (at + usize::from(*value) * 8).min(bytes.len());
                bytes[at..end].fill(0);
            }
            // A word, as a length or a sequence would be.
            6 => {
                let at = at & !7;
                if let Some(word) = bytes.get_mut(at..at + 4) {
                    word.copy_from_slice(&(u32::from(*value) * 8).to_le_bytes());
                }
            }
            _ if *value == 0 => *slot = None,
            // Longer than it was.
            _ => bytes.extend(std::iter::repeat_n(*value, usize::from(*value) * 16)),
        }
    }
    files
}

/// Whether bytes under a checksum changed, so that no verdict but the worse ones will do. After a crash a record
/// whose length word changed may be taken for the end, so then only changes behind intact lengths count.
fn must_not_be_clean(image: &Image, files: &[Option<Vec<u8>>]) -> bool {
    let mut changed = false;
    for ((path, before), after) in image.files.iter().zip(files) {
        if !is_segment(path) {
            continue;
        }
        let Some(after) = after else { return false };
        if after == before {
            continue;
        }
        let places = records(before);
        let lengths_intact = records(after) == places;
        let header_intact =
            before.len() == after.len() && before[..SEGMENT_HEADER_BYTES] == after[..SEGMENT_HEADER_BYTES];
        if !header_intact || !(lengths_intact || image.closed) {
            return false;
        }
        changed |= places.iter().any(|(at, length)| before[*at..at + length] != after[*at..at + length]);
    }
    changed
}

fn tail(dir: &Path, stream: Stream, checked: bool, mut each: impl FnMut(u64, &[u8])) {
    for start in [Start::Beginning, Start::End, Start::Sequence(31)] {
        let Ok(tailer) = Tailer::open(dir, stream, start) else { continue };
        let mut tailer = tailer.with_crc_check(checked);
        for _ in 0..1000 {
            match tailer.poll(64, |record| each(record.header().sequence, record.bytes)) {
                Ok(polled) if polled.records == 64 => {}
                _ => break,
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, edits)) = input.split_first() else { return };
    let image = &IMAGES[usize::from(choice % 2)];
    let files = edited(image, edits);
    let folder = scratch();
    let dir = folder.path();
    for ((path, _), bytes) in image.files.iter().zip(&files) {
        fs::create_dir_all(dir.join(path).parent().expect("inside")).expect("folder");
        if let Some(bytes) = bytes {
            fs::write(dir.join(path), bytes).expect("write");
        }
    }

    if let Ok(report) = verify(dir, |_, _, _, _| {}) {
        if must_not_be_clean(image, &files) {
            assert_ne!(report.state, Verdict::Clean, "changed records called clean");
        }
        if image.files.iter().zip(&files).all(|((_, before), after)| Some(before) == after.as_ref()) {
            assert_eq!(report.state, Verdict::Clean, "an untouched journal is clean: {report:?}");
        }
    }
    for stream in [Stream::Ticks, Stream::Raw] {
        tail(dir, stream, false, |_, _| {});
        let originals: Vec<&[u8]> = image
            .files
            .iter()
            .filter(|(path, _)| is_segment(path) && path.starts_with(stream.name()))
            .flat_map(|(_, bytes)| records(bytes).into_iter().map(|(at, length)| &bytes[at..at + length]))
            .collect();
        tail(dir, stream, true, |sequence, bytes| {
            assert!(originals.contains(&bytes), "record {sequence} passed its check and was never written");
        });
    }
    if let Ok(mut journal) = Journal::open(dir, config()) {
        if journal.ticks.append(words_of(&mut trade(1000))).is_ok() {
            let _ = journal.close();
        }
        for stream in [Stream::Ticks, Stream::Raw] {
            tail(dir, stream, true, |_, _| {});
        }
        let _ = verify(dir, |_, _, _, _| {});
    }
});
