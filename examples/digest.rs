//! The SHA-256 digest of a stream: over the bytes 8..length of each numbered record, in order. Readers in other
//! languages print the same (`tests/read_journal.py`, `tools/capi/examples/digest.c`).
//!
//! ```text
//! cargo run --release --example digest -- DIR [ticks|raw]
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use hoga::journal::{Start, Stream, TailError, Tailer};
use sha2::{Digest as _, Sha256};

/// Numbered records, the last sequence, and the digest.
fn digest(dir: &Path, stream: Stream) -> Result<(u64, u64, String), TailError> {
    let mut tailer = Tailer::open(dir, stream, Start::Beginning)?.with_crc_check(true);
    let (mut records, mut last, mut hash) = (0, 0, Sha256::new());
    let take = |record: hoga::journal::RecordRef<'_>| {
        if record.position.sequence > 0 {
            records += 1;
            last = record.position.sequence;
            hash.update(&record.bytes[8..]);
        }
    };
    tailer.poll(usize::MAX, take)?;
    let text = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok((records, last, text))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let stream = match arguments.get(1).map(String::as_str) {
        None | Some("ticks") => Stream::Ticks,
        Some("raw") => Stream::Raw,
        Some(_) => return usage(),
    };
    let Some(dir) = arguments.first() else { return usage() };
    match digest(Path::new(dir), stream) {
        Ok((records, last, digest)) => {
            println!(r#"{{"records": {records}, "last_sequence": {last}, "digest": "{digest}"}}"#);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("digest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: digest DIR [ticks|raw]");
    ExitCode::from(2)
}
