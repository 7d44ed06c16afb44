//! The format's documentation is enough: a reader in another language, written from the byte map, agrees with ours.

mod journal_support;

use std::path::Path;
use std::process::Command;

use hoga::journal::{Journal, JournalConfig, Policy, SealOptions, Start, Stream, Tailer, hold, prune, seal};
use hoga::tick::words_of;
use journal_support::*;
use serde_json::Value;

fn by_python(folder: &Path) -> Option<Value> {
    let found = tried_by_python(folder)?;
    Some(found.unwrap_or_else(|error| panic!("{error}")))
}

/// What the reader in Python found, or why it stopped; `None` where there is no Python.
fn tried_by_python(folder: &Path) -> Option<Result<Value, String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_journal.py");
    let output = match Command::new("python3").arg(script).arg(folder).output() {
        Ok(output) => output,
        Err(error) => {
            policy::skip("a reader in Python", format!("there is no `python3`: {error}"));
            return None;
        }
    };
    if !output.status.success() {
        return Some(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Some(Ok(serde_json::from_slice(&output.stdout).unwrap()))
}

/// The digest Python takes, of the records we read.
fn digest_of(records: &[(u64, Vec<u8>)]) -> Option<String> {
    let folder = scratch();
    let path = folder.path().join("records");
    std::fs::write(&path, records.iter().flat_map(|(_, bytes)| bytes[8..].to_vec()).collect::<Vec<u8>>()).unwrap();
    let code = "import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],'rb').read()).hexdigest())";
    let output = Command::new("python3").args(["-c", code]).arg(path).output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_reader_written_from_the_byte_map_alone_reads_the_same_records() {
    let folder = scratch();
    let dir = folder.path();
    let mut number = 0;
    for _ in 0..2 {
        let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
        for _ in 0..100 {
            number += 1;
            if number % 50 == 1 {
                journal.ticks.append(words_of(&mut instrument(number as u32 / 50 + 1))).unwrap();
            }
            append_pair(&mut journal, number);
        }
        journal.close().unwrap();
    }
    for stream in [Stream::Ticks, Stream::Raw] {
        let Some(found) = by_python(&dir.join(stream.name())) else { return };
        let records = read_all(dir, stream);
        assert_eq!(found["records"], records.len());
        assert_eq!(found["last_sequence"], records.last().unwrap().0);
        assert_eq!(found["trading_date"], 20_261_123);
        assert_eq!(found["digest"].as_str(), digest_of(&records).as_deref());
        assert_eq!(found["restated"].as_u64().unwrap() > 0, stream == Stream::Ticks);
    }
}

#[test]
fn a_reader_written_from_the_byte_map_goes_past_deleted_days_as_the_log_explains_them() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, JournalConfig { trading_date: 20_261_121, ..small(8 << 10) }).unwrap();
    for at in 0..5 {
        let date = 20_261_121 + at;
        journal.ticks.set_trading_date(date).unwrap();
        journal.raw.as_mut().unwrap().set_trading_date(date).unwrap();
        (1..=60).for_each(|number| append_pair(&mut journal, u64::from(at) * 60 + number));
    }
    let day = |number: u32| format!("2026-11-{number}").parse().unwrap();
    seal(dir, day(24), SealOptions::default(), |_| {}).unwrap();
    // The oldest stays, two behind it go.
    hold(dir, day(21), "a case").unwrap();
    let report = prune(dir, Policy { keep_days: Some(2), ..Policy::default() }, false, |_| {}).unwrap();
    assert_eq!(report.pruned.len(), 2);
    for stream in [Stream::Ticks, Stream::Raw] {
        let Some(found) = by_python(&dir.join(stream.name())) else { return };
        let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap();
        tailer.poll(usize::MAX, |_| {}).unwrap();
        assert_eq!((found["pruned"].as_u64(), tailer.pruned()), (Some(120), 120));
        let records = read_all(dir, stream);
        assert_eq!((found["records"].as_u64(), records.len()), (Some(180), 180));
        assert_eq!(found["digest"].as_str(), digest_of(&records).as_deref());
    }
    // Without the log a hole is a loss.
    std::fs::remove_file(dir.join("audit.log")).unwrap();
    let refused = tried_by_python(&dir.join("ticks")).unwrap().unwrap_err();
    assert!(refused.contains("audit.log does not say that it was pruned"), "{refused}");
}
