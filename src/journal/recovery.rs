//! Putting a stream in order when its journal is opened: the last good record is found, a torn tail is moved to
//! `quarantine/`, the segment is ended. Cold; the caller holds the journal's lock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::control::Control;
use super::format::{DurableSlot, END_BYTES, HeaderError, SegmentHeader, Stream, padded, segment_name};
use super::retention::Pruned;
use super::segment::{SegmentReader, SegmentWriter};
use super::walk::{Circumstances, Finding, Reason, Tail, Verdict, Walked, judge, walk};
use super::writer::end_record;
use super::{OpenError, QUARANTINE_NAME, io_error, list_segments};
use crate::clock::wall_ns;
use crate::sys::file::{allocate, sync_folder};
use crate::sys::map::WriteMap;
use crate::tick::{
    EndReason, Flags, Gap, HEADER_BYTES, Header, Instrument, MARKET_PREFIX_BYTES, Market, RType, RejectPrefix,
};

/// The last frame of stream `raw` that reached stream `ticks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastFrame {
    /// Its sequence in `raw`; 0 = none.
    pub raw_sequence: u64,
    /// Records of it that are in `ticks`: those with a lower `frame_index`.
    pub records_present: u16,
    /// Records in the frame; 0 = only rejects or a gap of it are there.
    pub frame_count: u16,
    /// `Reject` records of it that are in `ticks`.
    pub rejects_present: u16,
    /// Whether the last of it in `ticks` is a `Gap` whose trade is not there.
    pub is_gap_pending: bool,
    /// Whether records of frames that are not in `raw` came behind it, stream `raw` being switched off: then an engine
    /// went on after it had completed what `raw` held.
    pub is_passed: bool,
}

impl LastFrame {
    /// Whether records of the frame may be missing: the writer died between them, or a `Reject` is among them, which
    /// does not tell its place, or a `Gap` stands without its trade.
    pub fn is_partial(&self) -> bool {
        let may_lack = self.records_present < self.frame_count || self.rejects_present > 0 || self.is_gap_pending;
        may_lack && !self.is_passed
    }
}

/// What the opening found in a stream.
#[derive(Clone, Debug)]
pub struct StreamRecovery {
    /// `Clean`, or `Torn`: something was cut.
    pub verdict: Verdict,
    /// Why, when torn.
    pub findings: Vec<Finding>,
    /// Bytes moved to `quarantine/`.
    pub quarantined_bytes: u64,
    /// Last committed sequence; 0 = none.
    pub last_sequence: u64,
    /// Whether the last writer had closed the stream, or there was none.
    pub was_closed: bool,
}

/// What the rest of the opening needs.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) report: StreamRecovery,
    pub(super) next_ordinal: u64,
    pub(super) next_sequence: u64,
    pub(super) epoch_max: u64,
    pub(super) instruments: BTreeMap<u32, Instrument>,
    pub(super) last_frame: LastFrame,
}

struct Segment {
    ordinal: u64,
    path: PathBuf,
    reader: SegmentReader,
    header: SegmentHeader,
}

pub(super) fn recover(
    dir: &Path,
    folder: &Path,
    stream: Stream,
    boot_id: [u8; 16],
    control: &Control,
) -> Result<Recovered, OpenError> {
    let durable = control.durable();
    let mut recovered = Recovered {
        report: StreamRecovery {
            verdict: Verdict::Clean,
            findings: Vec::new(),
            quarantined_bytes: 0,
            last_sequence: 0,
            was_closed: true,
        },
        next_ordinal: 1,
        next_sequence: 1,
        epoch_max: control.epoch(),
        instruments: BTreeMap::new(),
        last_frame: LastFrame::default(),
    };
    let ordinals = remove_unused(folder, stream, &mut recovered.epoch_max)?;
    let Some(&last) = ordinals.last() else {
        return match durable {
            None => Ok(recovered),
            Some(slot) => Err(below_durable(stream, &slot)),
        };
    };
    if let Some(slot) = durable.filter(|slot| slot.ordinal > last) {
        return Err(below_durable(stream, &slot));
    }
    // Within one boot the page cache has every store: only the newest segment can be unfinished. Of another boot,
    // everything behind the durable mark is looked at.
    let newest = open_segment(folder, stream, last)?;
    let from = match durable {
        _ if newest.header.prepared.boot_id == boot_id => last,
        Some(slot) => slot.ordinal,
        None => 0,
    };
    let walked: Vec<u64> = ordinals.iter().copied().filter(|ordinal| *ordinal >= from).collect();
    let mut follows: Option<(u64, u64)> = None;
    for (index, &ordinal) in walked.iter().enumerate() {
        let segment = open_segment(folder, stream, ordinal)?;
        let base_sequence = segment.header.activation.map_or(0, |activation| activation.base_sequence);
        if let Some(follows) = follows {
            let (next_ordinal, next_sequence) = match ordinal == follows.0 {
                true => follows,
                false => Pruned::read(dir).map_err(|error| io_error(dir, error))?.beyond(stream, follows, ordinal),
            };
            if ordinal != next_ordinal {
                return Err(corrupt(Finding::new(stream, next_ordinal, 0, Verdict::Corrupt, Reason::Missing)));
            }
            if base_sequence != next_sequence {
                let reason = Reason::Sequence { found: base_sequence, expected: next_sequence };
                return Err(corrupt(Finding::new(stream, ordinal, 0, Verdict::Corrupt, reason)));
            }
        }
        let mut end_reason = None;
        let found = walk(&segment.reader, &segment.header, true, |_, head, record| {
            note(head, record, &mut recovered.instruments, &mut recovered.last_frame);
            if head.rtype == RType::End as u8 {
                end_reason = record.get(56).copied();
            }
        });
        let at = Circumstances::of(&segment.header, index + 1 == walked.len(), boot_id, durable.as_ref());
        recovered.epoch_max = recovered.epoch_max.max(segment.header.prepared.epoch);
        recovered.next_sequence = found.next_sequence;
        recovered.next_ordinal = ordinal + 1;
        recovered.report.was_closed = end_reason == Some(EndReason::Closed as u8);
        follows = Some((ordinal + 1, found.next_sequence));
        let bytes = segment.reader.len() as u64;
        let expected = segment.header.prepared.segment_bytes;
        let short = at.last && bytes < expected;
        let judged = judge(&found, at, durable.as_ref());
        match judged.or(short.then_some((Verdict::Torn, Reason::ShortFile { bytes, expected }))) {
            Some((Verdict::Corrupt, reason)) => {
                return Err(corrupt(Finding::new(stream, ordinal, found.position, Verdict::Corrupt, reason)));
            }
            Some((verdict, reason)) => {
                let finding = Finding::new(stream, ordinal, found.position, verdict, reason);
                cut(dir, stream, &segment, &found, &finding, &mut recovered)?;
                for &lost in &walked[index + 1..] {
                    recovered.report.quarantined_bytes += put_away(dir, folder, stream, lost)?;
                }
                break;
            }
            None if found.tail == Tail::Open => end_segment(stream, &segment, &found, 0)?,
            None => {}
        }
    }
    recovered.report.last_sequence = recovered.next_sequence - 1;
    if stream == Stream::Ticks {
        // The newest segment may hold no tick at all, or none of a frame in `raw`.
        let mut is_passed = recovered.last_frame.is_passed;
        for &ordinal in ordinals.iter().rev().filter(|ordinal| **ordinal < from) {
            if recovered.last_frame.raw_sequence > 0 {
                break;
            }
            let segment = open_segment(folder, stream, ordinal)?;
            let mut ignored = BTreeMap::new();
            walk(&segment.reader, &segment.header, false, |_, head, record| {
                note(head, record, &mut ignored, &mut recovered.last_frame);
            });
            is_passed |= recovered.last_frame.is_passed;
        }
        recovered.last_frame.is_passed = is_passed;
    }
    Ok(recovered)
}

/// Removes what a dead writer prepared and never used; returns the ordinals of the segments in use.
fn remove_unused(folder: &Path, stream: Stream, epoch_max: &mut u64) -> Result<Vec<u64>, OpenError> {
    for entry in fs::read_dir(folder).map_err(|error| io_error(folder, error))? {
        let path = entry.map_err(|error| io_error(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(&path).map_err(|error| io_error(&path, error))?;
        }
    }
    let mut ordinals = list_segments(folder).map_err(|error| io_error(folder, error))?;
    while let Some(&ordinal) = ordinals.last() {
        let segment = open_segment(folder, stream, ordinal)?;
        *epoch_max = (*epoch_max).max(segment.header.prepared.epoch);
        if segment.header.activation.is_some() {
            break;
        }
        fs::remove_file(&segment.path).map_err(|error| io_error(&segment.path, error))?;
        ordinals.pop();
    }
    Ok(ordinals)
}

fn open_segment(folder: &Path, stream: Stream, ordinal: u64) -> Result<Segment, OpenError> {
    let path = folder.join(segment_name(ordinal));
    let reader = SegmentReader::open_in(folder, ordinal).map_err(|error| io_error(&path, error))?;
    match reader.checked_header(stream, ordinal) {
        Ok(header) => Ok(Segment { ordinal, path, reader, header }),
        Err(HeaderError::Version(major)) => Err(OpenError::Version { path, major }),
        Err(error) => Err(corrupt(Finding::new(stream, ordinal, 0, Verdict::Corrupt, Reason::Header(error)))),
    }
}

/// Remembers instruments and the last frame of a record that was found good.
fn note(head: &Header, record: &[u8], instruments: &mut BTreeMap<u32, Instrument>, last: &mut LastFrame) {
    if head.rtype == RType::Instrument as u8 {
        let mut definition: Instrument = bytemuck::zeroed();
        let bytes = record.len().min(size_of::<Instrument>());
        bytemuck::bytes_of_mut(&mut definition)[..bytes].copy_from_slice(&record[..bytes]);
        instruments.insert(head.instrument_id, definition);
    } else if RType::from_number(head.rtype).is_some_and(RType::is_market) {
        let Some(prefix) = record.get(HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES) else { return };
        let market: Market = bytemuck::pod_read_unaligned(prefix);
        if market.raw_sequence == 0 {
            last.is_passed |= head.flags & (Flags::POLLED | Flags::BACKFILLED) == 0;
        } else if market.raw_sequence >= last.raw_sequence {
            *last = LastFrame {
                raw_sequence: market.raw_sequence,
                records_present: market.frame_index.saturating_add(1),
                frame_count: market.frame_count,
                rejects_present: if market.raw_sequence == last.raw_sequence { last.rejects_present } else { 0 },
                is_gap_pending: false,
                is_passed: false,
            };
        }
    } else if head.rtype == RType::Reject as u8 {
        let Some(prefix) = record.get(..size_of::<RejectPrefix>()) else { return };
        let reject: RejectPrefix = bytemuck::pod_read_unaligned(prefix);
        if reject.raw_sequence > last.raw_sequence {
            *last = LastFrame { raw_sequence: reject.raw_sequence, rejects_present: 1, ..LastFrame::default() };
        } else if reject.raw_sequence == last.raw_sequence && last.raw_sequence > 0 {
            last.rejects_present = last.rejects_present.saturating_add(1);
        }
    } else if head.rtype == RType::Gap as u8 {
        let Some(bytes) = record.get(..size_of::<Gap>()) else { return };
        let gap: Gap = bytemuck::pod_read_unaligned(bytes);
        if gap.raw_sequence > last.raw_sequence {
            *last = LastFrame { raw_sequence: gap.raw_sequence, is_gap_pending: true, ..LastFrame::default() };
        } else if gap.raw_sequence == last.raw_sequence && last.raw_sequence > 0 {
            last.is_gap_pending = true;
        }
    }
}

/// Moves a torn tail to `quarantine/` and ends the segment before it.
fn cut(
    dir: &Path,
    stream: Stream,
    segment: &Segment,
    found: &Walked,
    finding: &Finding,
    recovered: &mut Recovered,
) -> Result<(), OpenError> {
    let fail = |error| io_error(&segment.path, error);
    let mut bytes = read_from(&segment.path, found.position).map_err(fail)?;
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    if !bytes.is_empty() {
        let about = serde_json::json!({
            "segment": finding.segment,
            "offset": finding.offset,
            "bytes": bytes.len(),
            "verdict": finding.verdict.name(),
            "reason": finding.reason.to_string(),
            "next_sequence": found.next_sequence,
            "cut_ns": wall_ns(),
        });
        let name = format!("{}-{:010}-{}", stream.name(), segment.ordinal, found.position);
        keep(dir, &name, &bytes, &about).map_err(|error| io_error(&dir.join(QUARANTINE_NAME), error))?;
        recovered.report.quarantined_bytes += bytes.len() as u64;
    }
    recovered.report.verdict = Verdict::Torn;
    recovered.report.findings.push(finding.clone());
    end_segment(stream, segment, found, bytes.len())
}

/// Writes bytes and what they are under a free name of `quarantine/`, durably; returns the file, relative to the journal.
pub(super) fn keep(dir: &Path, name: &str, bytes: &[u8], about: &serde_json::Value) -> io::Result<String> {
    let folder = dir.join(QUARANTINE_NAME);
    fs::create_dir_all(&folder)?;
    let mut attempt = 0;
    let (mut file, kept) = loop {
        let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        match OpenOptions::new().write(true).create_new(true).open(folder.join(format!("{name}{suffix}.bin"))) {
            Ok(file) => {
                fs::write(folder.join(format!("{name}{suffix}.json")), format!("{about}\n"))?;
                break (file, format!("{QUARANTINE_NAME}/{name}{suffix}.bin"));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            Err(error) => return Err(error),
        }
    };
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder(&folder)?;
    sync_folder(dir)?;
    Ok(kept)
}

/// Makes a shortened file whole, zeroes `torn` bytes behind the good records (they were copied away), and writes the
/// `End` if there is none.
fn end_segment(stream: Stream, segment: &Segment, found: &Walked, torn: usize) -> Result<(), OpenError> {
    let fail = |error| io_error(&segment.path, error);
    let bytes = segment.header.prepared.segment_bytes;
    let file = OpenOptions::new().read(true).write(true).open(&segment.path).map_err(fail)?;
    // A shortened file, or a copy whose zeros are holes: a store there on a full disk would be a signal.
    allocate(&file, bytes).map_err(fail)?;
    if found.ended {
        return file.sync_all().map_err(fail);
    }
    if found.position + END_BYTES > bytes as usize {
        // The room for an `End` was taken: no writer of ours did that.
        return Err(corrupt(Finding::new(stream, segment.ordinal, found.position, Verdict::Corrupt, Reason::NoEnd)));
    }
    let map = Arc::new(WriteMap::new(&file).map_err(fail)?);
    let mut writer = SegmentWriter::new(map, segment.header.prepared);
    if torn > 0 {
        writer.zero(found.position, padded(found.position + torn));
        // Zeros first: an `End` with a torn tail behind it would be damage.
        writer.map().sync(found.position, torn).map_err(fail)?;
    }
    let end = end_record(segment.ordinal + 1, found.market_records, EndReason::Recovered);
    writer.commit(found.position, bytemuck::bytes_of(&end), &[]);
    writer.map().sync(found.position, END_BYTES).map_err(fail)
}

fn read_from(path: &Path, offset: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset as u64))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Moves a whole segment away that stands behind a cut (pages of a host that died come back in any order).
fn put_away(dir: &Path, folder: &Path, stream: Stream, ordinal: u64) -> Result<u64, OpenError> {
    let quarantine = dir.join(QUARANTINE_NAME);
    let from = folder.join(segment_name(ordinal));
    let to = quarantine.join(format!("{}-{}", stream.name(), segment_name(ordinal)));
    let moved = || {
        let bytes = fs::metadata(&from)?.len();
        fs::create_dir_all(&quarantine)?;
        fs::rename(&from, &to)?;
        sync_folder(&quarantine)?;
        sync_folder(folder)?;
        Ok(bytes)
    };
    moved().map_err(|error| io_error(&from, error))
}

fn corrupt(finding: Finding) -> OpenError {
    OpenError::Corrupt { finding }
}

fn below_durable(stream: Stream, slot: &DurableSlot) -> OpenError {
    let reason = Reason::BelowDurable { sequence: slot.sequence };
    corrupt(Finding::new(stream, slot.ordinal, 0, Verdict::Corrupt, reason))
}
