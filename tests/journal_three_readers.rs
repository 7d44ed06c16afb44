//! Independent readers agree: the Python script written from the byte map, the C example and the Rust reader print the
//! same digest of the same journal.
//!
//! Method: a journal of two openings and many rolls, of trades and frames of any size; each reader takes the SHA-256 of
//! the bytes 8..length of each numbered record. A few 100,000 records, with `HOGA_LONG=1` five million.

mod journal_support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hoga::journal::{Journal, Start, Stream, Tailer};
use hoga::tick::words_of;
use journal_support::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output
}

fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&run(command).stdout).expect("one JSON object")
}

/// A Python with what the script wants for compressed segments and for speed.
fn python(folder: &Path) -> Option<PathBuf> {
    let venv = folder.join("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: python3 -m venv");
        return None;
    }
    let python = venv.join("bin/python3");
    let install = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "zstandard", "google-crc32c"])
        .output();
    if !install.is_ok_and(|install| install.status.success()) {
        eprintln!("skipped: no zstandard from the registry");
        return None;
    }
    Some(python)
}

/// The C example, linked to the static library cargo makes of the C API.
fn c_program(folder: &Path) -> Option<PathBuf> {
    if Command::new("gcc").arg("--version").output().is_err() {
        eprintln!("skipped: no gcc");
        return None;
    }
    // Beside this program's own folder: cargo's lock is free while tests run, and `hoga-capi` has its files there.
    let target =
        std::env::current_exe().expect("this program").ancestors().nth(2).expect("the profile's folder").to_owned();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(["build", "--quiet", "-p", "hoga-capi"]);
    if target.ends_with("release") {
        cargo.arg("--release");
    }
    run(&mut cargo);
    let program = folder.join("digest");
    let capi = root().join("tools/capi");
    run(Command::new("gcc")
        .args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(capi.join("include"))
        .arg(capi.join("examples/digest.c"))
        .arg(target.join("libhoga_capi.a"))
        .args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc", "-o"])
        .arg(&program));
    Some(program)
}

/// Numbered records, last sequence, digest: of the Rust reader.
fn by_rust(dir: &Path, stream: Stream) -> (u64, u64, String) {
    let (mut records, mut last, mut hash) = (0_u64, 0, Sha256::new());
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
    let take = |record: hoga::journal::RecordRef<'_>| {
        records += 1;
        last = record.position.sequence;
        hash.update(&record.bytes[8..]);
    };
    tailer.poll(usize::MAX, take).unwrap();
    (records, last, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Two openings, trades of two days, frames of any size up to a few hundred bytes.
fn write(dir: &Path, records: u64) {
    let segment_bytes = (records * 100).next_multiple_of(4096).clamp(64 << 10, 32 << 20);
    let payload: Vec<u8> = (0..700_u32).map(|at| (at * 7) as u8).collect();
    let mut number = 0;
    for day in [20_261_123, 20_261_124] {
        let mut journal =
            Journal::open(dir, hoga::journal::JournalConfig { trading_date: day, ..small(segment_bytes) }).unwrap();
        for _ in 0..records / 2 {
            number += 1;
            if number % (records / 8) == 1 {
                journal.ticks.append(words_of(&mut instrument((number / (records / 8)) as u32 + 1))).unwrap();
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

#[test]
fn python_c_and_rust_print_the_same_digest_of_one_journal() {
    let records = if std::env::var_os("HOGA_LONG").is_some() { 5_000_000 } else { 200_000 };
    // Gigabytes in the long form: not in memory.
    let folder = if records > 1_000_000 { tempfile::tempdir().unwrap() } else { scratch() };
    let dir = folder.path().join("journal");
    write(&dir, records);
    let c = c_program(folder.path());
    let python = python(folder.path());
    for stream in [Stream::Ticks, Stream::Raw] {
        let (count, last, digest) = by_rust(&dir, stream);
        assert!(count >= records / 5 && last == count, "{count} records up to {last}");
        let mut agreed = 1;
        if let Some(program) = &c {
            let found = json(Command::new(program).arg(&dir).arg(stream.name()));
            assert_eq!((&found["records"], &found["last_sequence"]), (&count.into(), &last.into()), "in C");
            assert_eq!(found["digest"], digest.as_str(), "in C");
            agreed += 1;
        }
        if let Some(python) = &python {
            let found =
                json(Command::new(python).arg(root().join("tests/read_journal.py")).arg(dir.join(stream.name())));
            assert_eq!((&found["records"], &found["last_sequence"]), (&count.into(), &last.into()), "in Python");
            assert_eq!(found["digest"], digest.as_str(), "in Python");
            assert!(found["segments"].as_u64() > Some(4), "rolls among them: {found}");
            agreed += 1;
        }
        eprintln!("{} readers agree on {count} records of {}: {digest}", agreed, stream.name());
    }
}
