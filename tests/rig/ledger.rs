//! The venue's ledger file: what was sent, frame by frame, and what its faults left out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

/// A ledger read whole.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The day that records without a date belong to, decimal YYYYMMDD.
    pub date: u32,
    /// Frames by connection, in the order in which they were sent.
    pub frames: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Account notices, which the journal keeps no content of, of all connections.
    pub notices: Vec<Vec<u8>>,
    /// `#` lines.
    pub notes: Vec<Value>,
}

impl Ledger {
    pub fn read(path: &Path) -> Ledger {
        let mut ledger = Ledger { date: super::reference::MARKET_DATE, ..Ledger::default() };
        let mut reader = BufReader::new(File::open(path).expect("a ledger"));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).expect("a ledger is read") > 0 {
            let text = line.strip_suffix(b"\n").expect("a ledger ends with a line's end");
            if let Some(note) = text.strip_prefix(b"#") {
                ledger.notes.push(serde_json::from_slice(note).expect("a note is JSON"));
            } else {
                let mut columns = text.splitn(3, |byte| *byte == b'\t');
                let (_, connection, frame) = (columns.next(), columns.next(), columns.next());
                let connection = std::str::from_utf8(connection.expect("a connection")).expect("digits");
                let frame = kis_sim::unescape(frame.expect("a frame")).expect("escapes are whole");
                if frame.starts_with(b"1") {
                    ledger.notices.push(frame);
                } else {
                    ledger.frames.entry(connection.parse().expect("a number")).or_default().push(frame);
                }
            }
            line.clear();
        }
        ledger
    }

    /// Frames of all connections.
    pub fn frames_total(&self) -> usize {
        self.frames.values().map(Vec::len).sum()
    }

    /// Frames that a fault left out.
    pub fn dropped(&self) -> Vec<Vec<u8>> {
        let dropped = self.notes.iter().filter(|note| note.get("dropped").is_some());
        dropped.map(|note| note["frame"].as_str().expect("the frame").as_bytes().to_vec()).collect()
    }

    /// Frames (as they were meant) with which a fault of this kind came.
    pub fn faults(&self, kind: &str) -> Vec<Value> {
        self.notes.iter().filter(|note| note["fault"]["kind"] == kind).cloned().collect()
    }

    /// What the venue cut by itself.
    pub fn cuts(&self) -> Vec<&Value> {
        self.notes.iter().filter(|note| note.get("cut").is_some()).collect()
    }
}
