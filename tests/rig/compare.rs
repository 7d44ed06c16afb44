//! A ledger against a journal: frame for frame, record for record, field for field.
//!
//! A connection of the ledger is found in the journal as the line whose first frame is the same; then the frames of
//! stream `raw` on that line must be the connection's, and the records of stream `ticks` on that line what the slow
//! reference makes of them, in the same order. Lines that were connected more than once are not compared here.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use hoga::journal::{Start, Stream, Tailer};
use hoga::tick::{Flags, RType, RecordView};

use super::Record;
use super::ledger::Ledger;
use super::reference::{self, Expected};

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    pub frames: u64,
    pub records: u64,
    /// Values of single fields.
    pub fields: u64,
}

#[derive(Debug, Default)]
struct Line {
    connection: u64,
    /// Sequence in `raw` of each frame.
    sequences: Vec<u64>,
    frames_decoded: usize,
    expected: VecDeque<Expected>,
}

/// Compares; panics at the first difference and says where it is.
pub fn compare(ledger: &Ledger, dir: &Path) -> Compared {
    let compared = compare_received(ledger, dir);
    assert_eq!(compared.frames, ledger.frames_total() as u64, "frames that were sent and not received");
    compared
}

/// As [`compare`], but a line's last frames may be missing: those the venue sent while the line was being closed.
pub fn compare_received(ledger: &Ledger, dir: &Path) -> Compared {
    let mut compared = Compared::default();
    let mut lines = BTreeMap::<u16, Line>::new();
    each(dir, Stream::Raw, |record| {
        let RecordView::Raw(prefix, payload) = record.view() else { panic!("stream raw holds frames") };
        if payload.first() != Some(&b'0') {
            return;
        }
        let line = lines.entry(prefix.header.line).or_insert_with(|| {
            let sender = ledger.frames.iter().find(|(_, frames)| frames[0] == payload);
            Line {
                connection: *sender.expect("a frame that the venue sent first on some connection").0,
                ..Line::default()
            }
        });
        let sent = &ledger.frames[&line.connection];
        let place = line.sequences.len();
        assert!(place < sent.len(), "line {}: more frames than were sent", prefix.header.line);
        assert_eq!(
            payload.escape_ascii().to_string(),
            sent[place].escape_ascii().to_string(),
            "frame {place} of line {}",
            prefix.header.line
        );
        line.sequences.push(prefix.header.sequence);
        compared.frames += 1;
    });
    each(dir, Stream::Ticks, |record| {
        let header = record.header();
        assert_ne!(header.rtype, RType::Reject as u8, "nothing is rejected: {:?}", record.view());
        let Some(market) = record.market() else { return };
        let line = lines.get_mut(&header.line).expect("a line that received frames");
        if line.expected.is_empty() {
            let frame = &ledger.frames[&line.connection][line.frames_decoded];
            line.expected = reference::split(frame).into();
            line.frames_decoded += 1;
        }
        let expected = line.expected.pop_front().expect("a frame has records");
        assert_eq!(market.raw_sequence, line.sequences[line.frames_decoded - 1], "the record's frame in raw");
        compared.fields += expected.check(record, ledger.date);
        compared.records += 1;
    });
    for (number, line) in &lines {
        assert!(line.expected.is_empty(), "records of the last frame of line {number} are missing");
        assert_eq!(line.frames_decoded, line.sequences.len(), "frames of line {number} that became records");
    }
    compared
}

/// Every plain data frame of `raw` has all its records in `ticks` exactly once and in order. Returns how many records
/// were decoded again.
pub fn assert_all_frames_are_decoded(dir: &Path) -> usize {
    let (raw, ticks) = (super::read(dir, Stream::Raw), super::read(dir, Stream::Ticks));
    let mut records = BTreeMap::<u64, Vec<u16>>::new();
    let mut last = (0, 0);
    for record in &ticks {
        if let Some(market) = record.market() {
            let place = (market.raw_sequence, market.frame_index);
            assert!(last < place, "{place:?} stands behind {last:?}");
            last = place;
            records.entry(market.raw_sequence).or_default().push(market.frame_index);
        }
    }
    let mut frames = 0;
    for record in &raw {
        let RecordView::Raw(prefix, payload) = record.view() else { panic!("stream raw holds frames") };
        if payload.first() != Some(&b'0') {
            continue;
        }
        let count: u16 = std::str::from_utf8(&payload[11..14]).expect("digits").parse().expect("a count");
        let found = records.remove(&prefix.header.sequence).unwrap_or_default();
        assert_eq!(found, (0..count).collect::<Vec<u16>>(), "records of frame {}", prefix.header.sequence);
        frames += 1;
    }
    assert!(frames > 0 && records.is_empty(), "records of frames that are not in raw: {records:?}");
    ticks.iter().filter(|record| record.has_flag(Flags::RECOVERED) && record.market().is_some()).count()
}

fn each(dir: &Path, stream: Stream, mut take: impl FnMut(&Record)) {
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).expect("a journal").with_crc_check(true);
    let mut sequence = 0;
    let polled = tailer.poll(usize::MAX, |record| {
        sequence += 1;
        assert_eq!(record.position.sequence, sequence, "sequences have no hole");
        let symbol = record.instrument(record.header().instrument_id).map(|known| known.key.symbol().into_owned());
        take(&Record { bytes: record.bytes.to_vec(), symbol: symbol.unwrap_or_default() });
    });
    polled.expect("every record is good");
}
