//! Both tick streams held against each other, frame by frame.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;

use hoga::journal::{RecordRef, Start, Stream, TailError, TailState, Tailer};
use hoga::tick::{
    Flags, Gap, HEADER_BYTES, Header, JsonForm, MARKET_PREFIX_BYTES, Market, Names, RType, RecordView, SessionEvent,
    view, write_json,
};
use serde_json::{Map, Value, json};

use super::drive::{Frames, raw_sequence};
use super::{Config, ReparseError};

const BATCH: usize = 1024;

/// A difference, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The frame.
    pub raw_sequence: u64,
    /// Kind of record.
    pub kind: String,
    /// Place of the record in its frame; of gaps and rejects among those of the frame.
    pub index: u64,
    /// `missing` (only in the old ticks), `extra` (only in the new), `changed`.
    pub what: &'static str,
    /// Fields that differ, with both values; of a missing or extra record all of them.
    pub fields: Value,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Frames decoded.
    pub frames: u64,
    /// Records of frames in the old ticks.
    pub records_old: u64,
    /// Records of frames in the new ticks.
    pub records_new: u64,
    /// Records that are the same.
    pub equal: u64,
    /// Records only in the old ticks, by kind.
    pub missing: BTreeMap<String, u64>,
    /// Records only in the new ticks, by kind.
    pub extra: BTreeMap<String, u64>,
    /// Records that differ, by kind.
    pub changed: BTreeMap<String, u64>,
    /// Fields that differ: kind, then field.
    pub fields: BTreeMap<String, BTreeMap<String, u64>>,
    /// Old records whose frame is gone from stream `raw`: not compared.
    pub frames_absent: u64,
    /// The first differences.
    pub examples: Vec<Example>,
}

impl Report {
    /// Whether anything differs.
    pub fn is_different(&self) -> bool {
        !self.missing.is_empty() || !self.extra.is_empty() || !self.changed.is_empty()
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let example = |example: &Example| {
            json!({
                "raw_sequence": example.raw_sequence,
                "type": example.kind,
                "index": example.index,
                "what": example.what,
                "fields": example.fields,
            })
        };
        json!({
            "different": self.is_different(),
            "frames": self.frames,
            "records_old": self.records_old,
            "records_new": self.records_new,
            "equal": self.equal,
            "missing": self.missing,
            "extra": self.extra,
            "changed": self.changed,
            "fields": self.fields,
            "frames_absent": self.frames_absent,
            "examples": self.examples.iter().map(example).collect::<Vec<_>>(),
        })
    }
}

/// A record of a frame.
struct Record {
    bytes: Vec<u8>,
    symbol: String,
    market: String,
    rtype: u8,
    index: u64,
}

impl Record {
    fn kind(&self) -> String {
        RType::from_number(self.rtype).map_or("unknown", RType::name).to_owned()
    }

    fn fields(&self) -> Map<String, Value> {
        let Some(record) = view(&self.bytes) else { return Map::new() };
        let mut text = Vec::new();
        let names = Names { symbol: &self.symbol, market: &self.market };
        write_json(&mut text, &record, names, JsonForm::Journal);
        match serde_json::from_slice(&text) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        }
    }
}

type Group = (u64, Vec<Record>);
/// Answers and changes of schema by content: how often in the old ticks, and in the new.
type Said = HashMap<Vec<u8>, (u64, u64)>;

/// A tick stream by frame.
struct Groups<'a> {
    tailer: Option<Tailer>,
    ready: VecDeque<Group>,
    open: Option<Group>,
    said: &'a mut dyn FnMut(Vec<u8>),
}

impl Groups<'_> {
    fn next(&mut self) -> Result<Option<Group>, TailError> {
        while self.ready.is_empty() {
            let Some(tailer) = &mut self.tailer else { return Ok(self.open.take()) };
            let (ready, open, said) = (&mut self.ready, &mut self.open, &mut *self.said);
            let polled = tailer.poll(BATCH, |record| {
                let header = *record.header();
                let Some(sequence) = raw_sequence(&header, record.bytes) else {
                    if let Some(key) = said_key(&record) {
                        said(key);
                    }
                    return;
                };
                if open.as_ref().is_none_or(|(of, _)| *of != sequence) {
                    ready.extend(open.replace((sequence, Vec::new())));
                }
                if let Some((_, records)) = open {
                    let masked = masked(&record, records);
                    records.push(masked);
                }
            })?;
            if polled.state != TailState::More {
                self.tailer = None;
            }
        }
        Ok(self.ready.pop_front())
    }
}

/// The record with what must differ set to zero.
fn masked(record: &RecordRef<'_>, before: &[Record]) -> Record {
    let mut bytes = record.bytes.to_vec();
    let mut header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
    (header.sequence, header.crc32c) = (0, 0);
    header.flags &= !Flags::RECOVERED;
    bytes[..HEADER_BYTES].copy_from_slice(bytemuck::bytes_of(&header));
    let rtype = header.rtype;
    let mut index = before.iter().filter(|record| record.rtype == rtype).count() as u64;
    if RType::from_number(rtype).is_some_and(RType::is_market) {
        let range = HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES;
        let mut market: Market = bytemuck::pod_read_unaligned(&bytes[range.clone()]);
        (market.decoded_ns, market.committed_ns) = (0, 0);
        index = market.frame_index.into();
        bytes[range].copy_from_slice(bytemuck::bytes_of(&market));
    } else if rtype == RType::Gap as u8 {
        let at = std::mem::offset_of!(Gap, gap_id);
        bytes[at..at + 8].fill(0);
    }
    let known = record.instrument(header.instrument_id);
    let name = |name: Option<std::borrow::Cow<'_, str>>| name.map(|name| name.into_owned()).unwrap_or_default();
    let symbol = name(known.map(|known| known.key.symbol()));
    Record { bytes, symbol, market: name(known.map(|known| known.key.market())), rtype, index }
}

/// What an answer or a change of schema says, without its sequence; `None` for other records.
fn said_key(record: &RecordRef<'_>) -> Option<Vec<u8>> {
    let Some(RecordView::Session(session)) = view(record.bytes) else { return None };
    let derived = [SessionEvent::Acked, SessionEvent::Refused, SessionEvent::SchemaChanged];
    derived.iter().any(|event| *event as u8 == session.event).then(|| {
        let mut session = *session;
        (session.header.sequence, session.header.crc32c) = (0, 0);
        session.header.flags &= !Flags::RECOVERED;
        bytemuck::bytes_of(&session).to_vec()
    })
}

/// Compares the ticks of both journals.
pub(super) fn compare(config: &Config, frames: &Frames) -> Result<Report, ReparseError> {
    let (mut old_said, mut new_said) = (Vec::new(), Vec::new());
    let mut report = Report { frames: frames.decoded, ..Report::default() };
    {
        let mut note_old = |key| old_said.push(key);
        let mut note_new = |key| new_said.push(key);
        let mut old = groups(&config.dir, &mut note_old)?;
        let mut new = groups(&config.out, &mut note_new)?;
        let read_old = |source| ReparseError::Read { dir: config.dir.clone(), source };
        let read_new = |source| ReparseError::Read { dir: config.out.clone(), source };
        let (mut left, mut right) = (old.next().map_err(read_old)?, new.next().map_err(read_new)?);
        loop {
            let order = match (&left, &right) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let from_old = if order.is_le() { left.take() } else { None };
            let from_new = if order.is_ge() { right.take() } else { None };
            if order.is_le() {
                left = old.next().map_err(read_old)?;
            }
            if order.is_ge() {
                right = new.next().map_err(read_new)?;
            }
            let sequence = from_old.as_ref().or(from_new.as_ref()).map_or(0, |(sequence, _)| *sequence);
            let records = |group: Option<Group>| group.map(|(_, records)| records).unwrap_or_default();
            let (from_old, from_new) = (records(from_old), records(from_new));
            if frames.first == 0 || !(frames.first..=frames.last).contains(&sequence) {
                report.frames_absent += from_old.len() as u64;
                continue;
            }
            compare_frame(&mut report, config.examples_max, sequence, from_old, from_new);
        }
    }
    compare_said(&mut report, config.examples_max, old_said, new_said);
    Ok(report)
}

fn groups<'a>(dir: &Path, said: &'a mut dyn FnMut(Vec<u8>)) -> Result<Groups<'a>, ReparseError> {
    let tailer = match Tailer::open(dir, Stream::Ticks, Start::Beginning) {
        Ok(tailer) => Some(tailer.with_crc_check(true)),
        Err(TailError::NoJournal(_)) => None,
        Err(source) => return Err(ReparseError::Read { dir: dir.to_owned(), source }),
    };
    Ok(Groups { tailer, ready: VecDeque::new(), open: None, said })
}

fn compare_frame(report: &mut Report, examples_max: usize, sequence: u64, old: Vec<Record>, new: Vec<Record>) {
    report.records_old += old.len() as u64;
    report.records_new += new.len() as u64;
    // Market records of a place may be of another kind now; gaps and rejects stay among their own.
    let place = |record: &Record| {
        let of_market = RType::from_number(record.rtype).is_some_and(RType::is_market);
        (if of_market { 0 } else { record.rtype }, record.index)
    };
    let mut rest: BTreeMap<(u8, u64), Record> = new.into_iter().map(|record| (place(&record), record)).collect();
    for before in old {
        let Some(after) = rest.remove(&place(&before)) else {
            report.note(examples_max, sequence, &before, "missing", before.fields().into());
            continue;
        };
        if before.bytes == after.bytes {
            report.equal += 1;
            continue;
        }
        let fields = differing(&before, &after);
        let of_kind = report.fields.entry(before.kind()).or_default();
        for name in fields.keys() {
            *of_kind.entry(name.clone()).or_default() += 1;
        }
        report.note(examples_max, sequence, &before, "changed", fields.into());
    }
    for after in rest.into_values() {
        report.note(examples_max, sequence, &after, "extra", after.fields().into());
    }
}

/// Fields with different values: `{"name": {"old": .., "new": ..}}`.
fn differing(before: &Record, after: &Record) -> Map<String, Value> {
    let (old, mut new) = (before.fields(), after.fields());
    let mut fields = Map::new();
    for (name, value) in old {
        let other = new.remove(&name).unwrap_or(Value::Null);
        if other != value {
            fields.insert(name, json!({ "old": value, "new": other }));
        }
    }
    for (name, value) in new {
        fields.insert(name, json!({ "old": null, "new": value }));
    }
    if fields.is_empty() {
        // A byte that the JSON form does not show, e.g. of a reserved field.
        fields.insert("bytes".to_owned(), json!({ "old": before.bytes.len(), "new": after.bytes.len() }));
    }
    fields
}

impl Report {
    fn note(&mut self, examples_max: usize, raw_sequence: u64, record: &Record, what: &'static str, fields: Value) {
        let kind = record.kind();
        let counts = match what {
            "missing" => &mut self.missing,
            "extra" => &mut self.extra,
            _ => &mut self.changed,
        };
        *counts.entry(kind.clone()).or_default() += 1;
        if self.examples.len() < examples_max {
            self.examples.push(Example { raw_sequence, kind, index: record.index, what, fields });
        }
    }
}

fn compare_said(report: &mut Report, examples_max: usize, old: Vec<Vec<u8>>, new: Vec<Vec<u8>>) {
    let mut said = Said::new();
    let mut order = Vec::new();
    for (keys, is_new) in [(old, false), (new, true)] {
        for key in keys {
            let counts = said.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                (0, 0)
            });
            *(if is_new { &mut counts.1 } else { &mut counts.0 }) += 1;
        }
    }
    for key in order {
        let (old, new) = said[&key];
        report.equal += old.min(new);
        let record =
            Record { rtype: RType::Session as u8, index: 0, symbol: String::new(), market: String::new(), bytes: key };
        for _ in new..old {
            report.note(examples_max, 0, &record, "missing", record.fields().into());
        }
        for _ in old..new {
            report.note(examples_max, 0, &record, "extra", record.fields().into());
        }
    }
}
