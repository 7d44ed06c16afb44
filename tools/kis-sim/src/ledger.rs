//! What was sent: counters that others read live, and a file with a line for each data frame.
//!
//! Lines are `<wall ns of the write of its last byte>\t<connection>\t<text>`; in the text each byte outside printable
//! ASCII, and the backslash, is `\xNN`. Faults are lines of `#` and JSON. A thread of its own writes the file; the venue
//! only fills buffers, and hands them over every tenth of a second.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::SimError;

/// What a venue has sent so far.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct LedgerCounts {
    /// Data frames whose last byte was written to a socket; a frame for two connections counts twice.
    pub frames_sent: u64,
    /// Records in those frames.
    pub records_sent: u64,
    /// Bytes of those frames, WebSocket headers included.
    pub bytes_sent: u64,
    /// Frames by TR id; up to 5 ms old while the venue runs.
    pub frames_by_tr: BTreeMap<String, u64>,
    /// Records by TR id; as fresh.
    pub records_by_tr: BTreeMap<String, u64>,
    /// Faults injected.
    pub faults: u64,
    /// Frames left out by faults, or lost with a connection that was cut.
    pub frames_dropped: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Registrations active now.
    pub registrations: u64,
    /// App keys and addresses blocked because they connected or registered too often.
    pub bans: u64,
    /// Registrations refused because the session held all it may.
    pub over_limit: u64,
    /// Registrations refused because another session held the app key, or its slot was not free yet.
    pub in_use: u64,
    /// Those of them while the other session was alive.
    pub two_sessions: u64,
}

/// Counters shared with other threads; all relaxed, since they are only read for display and after the join.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    frames: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    faults: AtomicU64,
    dropped: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) registrations: AtomicU64,
    pub(crate) bans: AtomicU64,
    pub(crate) over_limit: AtomicU64,
    pub(crate) in_use: AtomicU64,
    pub(crate) two_sessions: AtomicU64,
    by_tr: Mutex<Vec<TrCount>>,
}

#[derive(Clone, Debug)]
struct TrCount {
    tr_id: String,
    frames: u64,
    records: u64,
}

impl Shared {
    pub(crate) fn counts(&self) -> LedgerCounts {
        let by_tr = self.by_tr.lock().map(|list| list.clone()).unwrap_or_default();
        LedgerCounts {
            frames_sent: self.frames.load(Ordering::Relaxed),
            records_sent: self.records.load(Ordering::Relaxed),
            bytes_sent: self.bytes.load(Ordering::Relaxed),
            frames_by_tr: by_tr.iter().map(|c| (c.tr_id.clone(), c.frames)).collect(),
            records_by_tr: by_tr.iter().map(|c| (c.tr_id.clone(), c.records)).collect(),
            faults: self.faults.load(Ordering::Relaxed),
            frames_dropped: self.dropped.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            registrations: self.registrations.load(Ordering::Relaxed),
            bans: self.bans.load(Ordering::Relaxed),
            over_limit: self.over_limit.load(Ordering::Relaxed),
            in_use: self.in_use.load(Ordering::Relaxed),
            two_sessions: self.two_sessions.load(Ordering::Relaxed),
        }
    }
}

const CHUNK_BYTES: usize = 256 << 10;
/// Lines wait this long at most before they are handed to the writer.
const HAND_OVER_EVERY: Duration = Duration::from_millis(100);

/// The venue's end of the ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) shared: Arc<Shared>,
    by_tr: Vec<TrCount>,
    file: Option<Lines>,
}

#[derive(Debug)]
struct Lines {
    chunk: Vec<u8>,
    handed_over: Instant,
    full: Sender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    writer: JoinHandle<()>,
}

impl Ledger {
    pub(crate) fn new(path: Option<&Path>) -> Result<Self, SimError> {
        let file = path.map(Lines::create).transpose()?;
        Ok(Self { shared: Arc::default(), by_tr: Vec::new(), file })
    }

    /// A data frame is on its way whole. `tr` is a number from [`Ledger::tr_number`].
    pub(crate) fn sent(&mut self, wall_ns: u64, connection: u64, tr: usize, records: u32, bytes: usize, text: &[u8]) {
        self.shared.frames.fetch_add(1, Ordering::Relaxed);
        self.shared.records.fetch_add(u64::from(records), Ordering::Relaxed);
        self.shared.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.by_tr[tr].frames += 1;
        self.by_tr[tr].records += u64::from(records);
        if let Some(lines) = &mut self.file {
            lines.frame(wall_ns, connection, text);
        }
    }

    /// A small number for a TR id, the same for the whole run.
    pub(crate) fn tr_number(&mut self, tr_id: &str) -> usize {
        if let Some(i) = self.by_tr.iter().position(|c| c.tr_id == tr_id) {
            return i;
        }
        self.by_tr.push(TrCount { tr_id: tr_id.to_owned(), frames: 0, records: 0 });
        self.by_tr.len() - 1
    }

    /// A fault was done.
    pub(crate) fn fault(&mut self, wall_ns: u64, connection: u64, fault: &impl Serialize, text: Option<&[u8]>) {
        self.shared.faults.fetch_add(1, Ordering::Relaxed);
        self.note(wall_ns, connection, &serde_json::json!({ "fault": fault }), text);
    }

    /// Frames are lost: left out by a fault, or queued on a connection that died.
    pub(crate) fn dropped(&mut self, count: u64) {
        self.shared.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// A `#` line.
    pub(crate) fn note(&mut self, wall_ns: u64, connection: u64, what: &serde_json::Value, text: Option<&[u8]>) {
        let Some(lines) = &mut self.file else { return };
        let mut line = serde_json::json!({ "wall_ns": wall_ns, "connection": connection });
        if let (Some(line), Some(what)) = (line.as_object_mut(), what.as_object()) {
            line.extend(what.clone());
            if let Some(text) = text {
                line.insert("frame".into(), String::from_utf8_lossy(text).into());
            }
        }
        let _ = writeln!(lines.chunk, "#{line}");
        lines.hand_over_when_full();
    }

    /// Makes the counts by TR visible to other threads, and the lines to whoever reads the file.
    pub(crate) fn publish(&mut self) {
        if let Some(lines) = self.file.as_mut().filter(|lines| lines.handed_over.elapsed() >= HAND_OVER_EVERY) {
            lines.hand_over();
        }
        if let Ok(mut list) = self.shared.by_tr.lock() {
            list.clone_from(&self.by_tr);
        }
    }

    /// Writes what is left and waits for the file.
    pub(crate) fn finish(mut self) {
        self.publish();
        if let Some(lines) = self.file.take() {
            let Lines { chunk, full, writer, .. } = lines;
            // A writer that has gone has said why on standard error.
            let _ = full.send(chunk);
            drop(full);
            let _ = writer.join();
        }
    }
}

impl Lines {
    fn create(path: &Path) -> Result<Self, SimError> {
        let fail = |source| SimError::Ledger { path: path.into(), source };
        let mut file = File::create(path).map_err(fail)?;
        let (full, chunks) = channel::<Vec<u8>>();
        let (give_back, empty) = channel();
        let name = path.to_owned();
        let writer = std::thread::Builder::new()
            .name("kis-sim-ledger".into())
            .spawn(move || {
                for mut chunk in chunks {
                    if let Err(error) = file.write_all(&chunk) {
                        eprintln!("kis-sim: the ledger {} is incomplete: {error}", name.display());
                        return;
                    }
                    chunk.clear();
                    let _ = give_back.send(chunk);
                }
            })
            .map_err(fail)?;
        let chunk = Vec::with_capacity(2 * CHUNK_BYTES);
        Ok(Self { chunk, handed_over: Instant::now(), full, empty, writer })
    }

    fn frame(&mut self, wall_ns: u64, connection: u64, text: &[u8]) {
        let mut buffer = itoa::Buffer::new();
        self.chunk.extend_from_slice(buffer.format(wall_ns).as_bytes());
        self.chunk.push(b'\t');
        self.chunk.extend_from_slice(buffer.format(connection).as_bytes());
        self.chunk.push(b'\t');
        escape(text, &mut self.chunk);
        self.chunk.push(b'\n');
        self.hand_over_when_full();
    }

    fn hand_over_when_full(&mut self) {
        if self.chunk.len() >= CHUNK_BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        self.handed_over = Instant::now();
        if !self.chunk.is_empty() {
            let next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(2 * CHUNK_BYTES));
            let _ = self.full.send(std::mem::replace(&mut self.chunk, next));
        }
    }
}

/// Appends `text`, each byte outside printable ASCII and each backslash as `\xNN`.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let plain = |b: u8| (0x20..0x7F).contains(&b) && b != b'\\';
    if text.iter().all(|b| plain(*b)) {
        out.extend_from_slice(text);
        return;
    }
    for byte in text {
        if plain(*byte) {
            out.push(*byte);
        } else {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
}

/// The text of a ledger line's third column as it was sent.
///
/// Returns `None` where an escape is broken.
pub fn unescape(column: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(column.len());
    let mut rest = column;
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'\\' {
            let hex = tail.strip_prefix(b"x")?.get(..2)?;
            out.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = &tail[3..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_is_undone_for_every_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let mut escaped = Vec::new();
        escape(&all, &mut escaped);
        assert!(!escaped.contains(&b'\n') && !escaped.contains(&b'\t'));
        assert_eq!(unescape(&escaped).unwrap(), all);
    }
}
