//! The journal beside the metrics: what a stream's files say of themselves, when no engine tells it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::units::{bytes, count};
use crate::journal::{ControlReader, QUARANTINE_NAME, SegmentReader, Stream, WriterState, is_live, list_segments};

/// What the folder of a journal holds, by headers and control pages alone: no record is read.
#[derive(Debug)]
pub(super) struct JournalLook {
    is_live: bool,
    streams: Vec<StreamLook>,
    quarantined_files: u64,
    quarantined_bytes: u64,
}

#[derive(Debug, Default)]
struct StreamLook {
    name: &'static str,
    segments: u64,
    bytes: u64,
    epoch: u64,
    first_sequence: u64,
    last_sequence: u64,
    durable_sequence: Option<u64>,
    state: Option<WriterState>,
    /// Oldest and newest trading date that is told, decimal YYYYMMDD.
    dates: Option<(u32, u32)>,
    /// Files that can't be used, and why.
    damaged: Vec<(String, String)>,
}

impl JournalLook {
    /// Looks at a folder; `None` when there is no journal in it.
    pub(super) fn take(dir: &Path) -> Option<JournalLook> {
        let there = |stream: &Stream| dir.join(stream.name()).is_dir();
        let streams: Vec<StreamLook> = [Stream::Ticks, Stream::Raw]
            .into_iter()
            .filter(there)
            .map(|stream| StreamLook::take(&dir.join(stream.name()), stream))
            .collect();
        if streams.is_empty() {
            return None;
        }
        let (mut quarantined_files, mut quarantined_bytes) = (0, 0);
        for entry in fs::read_dir(dir.join(QUARANTINE_NAME)).into_iter().flatten().flatten() {
            if entry.path().extension().is_none_or(|extension| extension != "json") {
                quarantined_files += 1;
                quarantined_bytes += entry.metadata().map_or(0, |meta| meta.len());
            }
        }
        Some(JournalLook { is_live: is_live(dir), streams, quarantined_files, quarantined_bytes })
    }

    /// Whether a file was found that can't be used.
    pub(super) fn is_damaged(&self) -> bool {
        self.streams.iter().any(|stream| !stream.damaged.is_empty())
    }

    pub(super) fn to_json(&self) -> Value {
        let mut streams = Map::new();
        for stream in &self.streams {
            let damaged: Vec<Value> =
                stream.damaged.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
            let object = json!({
                "state": stream.state_name(self.is_live),
                "segments": stream.segments,
                "bytes": stream.bytes,
                "epoch": stream.epoch,
                "first_sequence": stream.first_sequence,
                "last_sequence": stream.last_sequence,
                "durable_sequence": stream.durable_sequence,
                "first_date": stream.dates.map(|dates| dates.0),
                "last_date": stream.dates.map(|dates| dates.1),
                "damaged": damaged,
            });
            streams.insert(stream.name.to_owned(), object);
        }
        json!({
            "live": self.is_live,
            "streams": streams,
            "quarantine": { "files": self.quarantined_files, "bytes": self.quarantined_bytes },
        })
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for stream in &self.streams {
            // Writing to a `String` can't fail.
            let _ = write!(
                text,
                "{}: {}, {} in {} segments, records {} to {}, opened {} times",
                stream.name,
                stream.state_name(self.is_live),
                bytes(stream.bytes),
                count(stream.segments),
                stream.first_sequence,
                stream.last_sequence,
                count(stream.epoch)
            );
            match stream.dates {
                Some((first, last)) if first == last => drop(write!(text, ", trading date {first}")),
                Some((first, last)) => drop(write!(text, ", trading dates {first} to {last}")),
                None => {}
            }
            if let Some(durable) = stream.durable_sequence {
                let _ = write!(text, ", durable to {durable}");
            }
            text.push('\n');
            for (file, reason) in &stream.damaged {
                let _ = writeln!(text, "  damaged: {file}: {reason}");
            }
        }
        if self.quarantined_files > 0 {
            let (files, size) = (count(self.quarantined_files), bytes(self.quarantined_bytes));
            let _ = writeln!(text, "{QUARANTINE_NAME}: {size} in {files} files, taken out by repairs or openings");
        }
        text.push_str(match self.is_damaged() {
            true => "`hoga verify` judges every record; `hoga repair --policy abort` says what can be done",
            false => "`hoga verify` judges every record",
        });
        text
    }
}

impl StreamLook {
    fn take(folder: &Path, stream: Stream) -> StreamLook {
        let mut look = StreamLook { name: stream.name(), ..StreamLook::default() };
        let control = format!("{}/control", stream.name());
        match ControlReader::open(folder, stream) {
            Ok(Ok(page)) => {
                look.state = Some(page.state());
                look.epoch = page.epoch();
                look.last_sequence = page.last_sequence();
                look.durable_sequence = page.durable().map(|slot| slot.sequence);
            }
            Ok(Err(error)) => look.damaged.push((control, error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                look.damaged.push((control, "it is missing".to_owned()));
            }
            Err(error) => look.damaged.push((control, error.to_string())),
        }
        let mut before = None;
        for ordinal in list_segments(folder).unwrap_or_default() {
            let file = format!("{}/segment {ordinal}", stream.name());
            if let Some(before) = before.replace(ordinal).filter(|before| before + 1 < ordinal) {
                let missing = format!("{}/segments {} to {}", stream.name(), before + 1, ordinal - 1);
                look.damaged.push((missing, "missing".to_owned()));
            }
            let checked =
                SegmentReader::open_in(folder, ordinal).map_err(|error| error.to_string()).and_then(|reader| {
                    let header = reader.checked_header(stream, ordinal).map_err(|error| error.to_string())?;
                    Ok((header, reader.len() as u64))
                });
            match checked {
                Ok((header, size)) => {
                    let Some(activation) = header.activation else { continue };
                    if look.segments == 0 {
                        look.first_sequence = activation.base_sequence;
                    }
                    look.segments += 1;
                    look.bytes += size;
                    let date = activation.trading_date;
                    if date != 0 {
                        let (first, last) = look.dates.unwrap_or((date, date));
                        look.dates = Some((first.min(date), last.max(date)));
                    }
                    if size < header.prepared.segment_bytes {
                        let expected = header.prepared.segment_bytes;
                        look.damaged.push((file, format!("{size} of {expected} bytes are there")));
                    }
                }
                Err(reason) => look.damaged.push((file, reason)),
            }
        }
        look
    }

    fn state_name(&self, is_live: bool) -> &'static str {
        match (is_live, self.state) {
            (true, _) => "being written",
            (false, Some(WriterState::Closed)) => "closed",
            (false, Some(WriterState::New)) => "never written",
            (false, Some(WriterState::Open)) => "not closed",
            (false, None) => "unknown",
        }
    }
}
