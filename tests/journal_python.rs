//! The format's documentation is enough: a reader in another language, written from the byte map, agrees with ours.

mod journal_support;

use std::path::Path;
use std::process::Command;

use hoga::journal::{Journal, Stream};
use hoga::tick::words_of;
use journal_support::*;
use serde_json::Value;

fn by_python(folder: &Path) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_journal.py");
    let output = match Command::new("python3").arg(script).arg(folder).output() {
        Ok(output) => output,
        Err(error) => {
            policy::skip("a reader in Python", format!("there is no `python3`: {error}"));
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
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
