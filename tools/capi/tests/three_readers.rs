//! Independent readers agree: the Python script written from the byte map, the C example and the Rust reader print the
//! same digest of the same journal.
//!
//! Method: a journal of two days and many rolls, of trades and frames of any size, the first day sealed and compressed;
//! each reader takes the SHA-256 of the bytes 8..length of each numbered record, before and after. A few 100,000
//! records, with `HOGA_LONG=1` five million.

mod built;

use std::path::{Path, PathBuf};
use std::process::Command;

use built::*;
use hoga_reader::journal::{Journal, JournalConfig, RecordRef, SealOptions, Start, Stream, StreamConfig, Tailer, seal};
use hoga_reader::tick::words_of;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&run(command).stdout).expect("one JSON object")
}

/// A Python with what the script wants for compressed segments and for speed.
fn python(folder: &Path) -> Option<PathBuf> {
    let venv = folder.join("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
    if !made.is_ok_and(|made| made.status.success()) {
        policy::skip("the reader in Python", "`python3 -m venv` does not work");
        return None;
    }
    let python = venv.join("bin/python3");
    let install = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "zstandard", "google-crc32c"])
        .output();
    if !install.is_ok_and(|install| install.status.success()) {
        policy::skip("the reader in Python", "zstandard and google-crc32c are not to be had from the registry");
        return None;
    }
    Some(python)
}

/// Numbered records, last sequence, digest: of the Rust reader.
fn by_rust(dir: &Path, stream: Stream) -> (u64, u64, String) {
    let (mut records, mut last, mut hash) = (0_u64, 0, Sha256::new());
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
    let take = |record: RecordRef<'_>| {
        records += 1;
        last = record.position.sequence;
        hash.update(&record.bytes[8..]);
    };
    tailer.poll(usize::MAX, take).unwrap();
    (records, last, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Two openings, trades of two days, frames of any size up to a few hundred bytes.
fn write(dir: &Path, records: u64) {
    let segment_bytes = (records * 16).next_multiple_of(4096).clamp(64 << 10, 32 << 20);
    let stream = StreamConfig { segment_bytes, ..StreamConfig::default() };
    let payload: Vec<u8> = (0..700_u32).map(|at| (at * 7) as u8).collect();
    let mut number = 0;
    for trading_date in [20_261_123, 20_261_124] {
        let config = JournalConfig { ticks: stream, raw: Some(stream), trading_date, ..JournalConfig::default() };
        let mut journal = Journal::open(dir, config).unwrap();
        for _ in 0..records / 2 {
            number += 1;
            if number % (records / 8) == 1 {
                let id = (number / (records / 8)) as u32 + 1;
                journal.ticks.append(words_of(&mut instrument(id, &format!("{id:06}")))).unwrap();
            }
            if number % 4 == 0 {
                append_raw(journal.raw.as_mut().unwrap(), &payload[..number as usize * 31 % 700]);
            } else {
                journal.ticks.append(words_of(&mut trade(number))).unwrap();
            }
        }
        journal.close().unwrap();
    }
}

/// Seals both days and compresses the first: their segments get other files, not other records.
fn seal_first_day(dir: &Path) {
    let [first, second] = [23, 24].map(|day| jiff::civil::date(2026, 11, day));
    let report = seal(dir, second, SealOptions { compress_to: Some(first) }, |_| {}).unwrap();
    assert_eq!(report.sealed.len(), 2);
    assert!(report.packed.len() > 4, "{} compressed", report.packed.len());
}

#[test]
fn python_c_and_rust_print_the_same_digest_of_one_journal() {
    let records = if policy::is_long() { 5_000_000 } else { 200_000 };
    // Gigabytes in the long form: not in memory.
    let folder = if records > 1_000_000 { tempfile::tempdir().unwrap() } else { scratch() };
    let dir = folder.path().join("journal");
    write(&dir, records);
    let c = policy::has(&["bash", "gcc"], "the reader in C")
        .then(|| compile(&package().join("examples/digest.c"), "c99", Link::Static, folder.path()));
    let python = python(folder.path());
    let before = [Stream::Ticks, Stream::Raw].map(|stream| by_rust(&dir, stream));
    seal_first_day(&dir);
    for (stream, before) in [Stream::Ticks, Stream::Raw].into_iter().zip(before) {
        let (count, last, digest) = by_rust(&dir, stream);
        assert_eq!((count, last, digest.clone()), before, "sealing changed what is read");
        assert!(count >= records / 5 && last == count, "{count} records up to {last}");
        let mut agreed = 1;
        if let Some(c) = &c {
            let found = json(Command::new(c).arg(&dir).arg(stream.name()));
            assert_eq!((&found["records"], &found["last_sequence"]), (&count.into(), &last.into()), "in C");
            assert_eq!(found["digest"], digest.as_str(), "in C");
            agreed += 1;
        }
        if let Some(python) = &python {
            let found = json(
                Command::new(python).arg(package().join("../../tests/read_journal.py")).arg(dir.join(stream.name())),
            );
            assert_eq!((&found["records"], &found["last_sequence"]), (&count.into(), &last.into()), "in Python");
            assert_eq!(found["digest"], digest.as_str(), "in Python");
            assert!(found["segments"].as_u64() > Some(4), "rolls among them: {found}");
            assert!(found["packed"].as_u64() > Some(0), "compressed segments among them: {found}");
            agreed += 1;
        }
        eprintln!("{} readers agree on {count} records of {}: {digest}", agreed, stream.name());
    }
}
