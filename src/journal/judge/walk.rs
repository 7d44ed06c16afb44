//! Walking a segment from its front: which records are good, and what stands behind them.
//!
//! Recovery, `verify` and cold readers share this; it believes nothing it has not checked.

use std::fmt;

use crate::journal::decision::Case;
use crate::journal::format::{
    HeaderError, SEGMENT_HEADER_BYTES, SegmentHeader, Stream, padded, record_crc, segment_name,
};
use crate::journal::manifest::SealFault;
use crate::journal::packed::PackedError;
use crate::journal::segment::SegmentReader;
use crate::tick::{Flags, HEADER_BYTES, Header, Hole, RType};

/// What was found wrong in a segment or beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The header is none.
    Header(HeaderError),
    /// The file is shorter than its header says.
    ShortFile {
        /// Bytes there.
        bytes: u64,
        /// Bytes the header says.
        expected: u64,
    },
    /// Bytes stand behind the last committed record without being one.
    Uncommitted,
    /// A length word no writer wrote.
    Length(u32),
    /// The checksum does not match.
    Crc {
        /// In the record.
        found: u32,
        /// Computed.
        expected: u32,
    },
    /// Not the sequence that follows.
    Sequence {
        /// In the record.
        found: u64,
        /// The one that follows.
        expected: u64,
    },
    /// Bytes between a record's end and the next multiple of eight are not zero.
    Padding,
    /// Bytes stand behind the `End`.
    AfterEnd,
    /// Bytes of the header that have no meaning are not zero.
    HeaderPadding,
    /// A later segment is in use, or this one is sealed, but it has no `End`.
    NoEnd,
    /// A segment between two others is not there.
    Missing,
    /// A segment that is not in use stands before one that is.
    NotActive,
    /// The stream does not reach the record that was marked durable.
    BelowDurable {
        /// The record marked.
        sequence: u64,
    },
    /// The control page can't be used.
    Control,
    /// The compressed file can't be unpacked here.
    Packed(PackedError),
    /// The seek table of the compressed file is damaged; readers make their own of its frames.
    SeekTable,
    /// The index beside the segment does not say what the segment holds; readers make their own.
    Index,
    /// Not what was sealed.
    Seal(SealFault),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Header(error) => write!(f, "header: {error}"),
            Reason::ShortFile { bytes, expected } => write!(f, "the file has {bytes} of {expected} bytes"),
            Reason::Uncommitted => f.write_str("bytes of a record that was never committed"),
            Reason::Length(length) => write!(f, "no record can have {length} bytes here"),
            Reason::Crc { found, expected } => write!(f, "checksum {found:08x}, computed {expected:08x}"),
            Reason::Sequence { found, expected } => write!(f, "sequence {found} where {expected} follows"),
            Reason::Padding => f.write_str("padding behind a record is not zero"),
            Reason::AfterEnd => f.write_str("bytes behind the end of the segment"),
            Reason::HeaderPadding => f.write_str("unused bytes of the header are not zero"),
            Reason::NoEnd => f.write_str("the segment has no end, but a later one is in use or it is sealed"),
            Reason::Missing => f.write_str("the segment is missing"),
            Reason::NotActive => f.write_str("the segment is not in use, but a later one is"),
            Reason::BelowDurable { sequence } => write!(f, "record {sequence} was marked durable and is not there"),
            Reason::Control => f.write_str("the control page is damaged"),
            Reason::Packed(error) => write!(f, "{error}"),
            Reason::SeekTable => f.write_str(
                "the seek table of the compressed file is damaged: readers make their own of its frames, which are good",
            ),
            Reason::Index => f.write_str("the index does not fit the segment: readers make their own; delete it"),
            Reason::Seal(fault) => write!(f, "{fault}"),
        }
    }
}

/// What stands behind the good records of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// An `End`, then zeros: the segment is complete.
    Ended,
    /// Zeros: the segment is not ended.
    Open,
    /// Something else.
    Bad {
        /// What.
        reason: Reason,
        /// Whether a valid record of this segment stands behind it.
        followed: bool,
        /// Offset behind the last byte that is not zero.
        end: usize,
    },
}

/// What a walk found.
#[derive(Clone, Debug)]
pub struct Walked {
    /// Numbered records.
    pub records: u64,
    /// Records lost in holes.
    pub lost: u64,
    /// `Hole` records.
    pub holes: u64,
    /// Records with a market prefix.
    pub market_records: u64,
    /// Sequence that follows the last numbered record.
    pub next_sequence: u64,
    /// Offset behind the last good record.
    pub position: usize,
    /// Whether that is an `End`.
    pub ended: bool,
    /// What stands there.
    pub tail: Tail,
}

/// Walks a segment in use. `judge_tail` = look behind the last committed record, which only makes sense when nobody
/// writes; else what is there is [`Tail::Open`].
pub fn walk(
    reader: &SegmentReader,
    header: &SegmentHeader,
    judge_tail: bool,
    on_record: impl FnMut(usize, &Header, &[u8]),
) -> Walked {
    walk_data(reader, header, judge_tail.then_some(reader.len()), on_record)
}

/// As [`walk`]; `data_end` = nobody writes, and there is nothing but zeros from this offset on.
pub(in crate::journal) fn walk_data(
    reader: &SegmentReader,
    header: &SegmentHeader,
    data_end: Option<usize>,
    mut on_record: impl FnMut(usize, &Header, &[u8]),
) -> Walked {
    let base = header.activation.map_or(1, |activation| activation.base_sequence);
    let mut walked = Walked {
        records: 0,
        lost: 0,
        holes: 0,
        market_records: 0,
        next_sequence: base,
        position: SEGMENT_HEADER_BYTES,
        ended: false,
        tail: Tail::Open,
    };
    let bad = loop {
        let offset = walked.position;
        let record = match reader.record(offset) {
            Ok(Some(record)) => record,
            Ok(None) => break None,
            Err(bad) => break Some(reader.reason(bad)),
        };
        let head = match check_record(reader, header, offset, record, walked.next_sequence) {
            Ok(head) => head,
            Err(reason) => break Some(reason),
        };
        on_record(offset, &head, record);
        walked.position = offset + padded(record.len());
        if head.rtype == RType::End as u8 {
            (walked.ended, walked.tail) = (true, Tail::Ended);
            break None;
        }
        walked.market_records += u64::from(head.rtype < RType::Instrument as u8);
        if head.sequence != 0 {
            walked.records += 1;
            walked.next_sequence += 1;
        } else if head.rtype == RType::Hole as u8 {
            let next = after_hole(record, walked.next_sequence).unwrap_or(walked.next_sequence);
            walked.holes += 1;
            walked.lost += next - walked.next_sequence;
            walked.next_sequence = next;
        }
    };
    let Some(data_end) = data_end else {
        if let Some(reason) = bad {
            // Its length word says that it was committed: no writer's half-done work.
            walked.tail = Tail::Bad { reason, followed: true, end: walked.position };
        }
        return walked;
    };
    let end = reader.last_nonzero(walked.position, data_end);
    match (bad, &walked.tail) {
        (None, _) if end == walked.position => {}
        (None, Tail::Ended) => walked.tail = Tail::Bad { reason: Reason::AfterEnd, followed: false, end },
        (bad, _) => {
            let followed = followed_by_a_record(reader, header, &walked, end);
            walked.tail = Tail::Bad { reason: bad.unwrap_or(Reason::Uncommitted), followed, end };
        }
    }
    walked
}

/// Checks one record against its segment. `expected` is the sequence a numbered record must have.
pub(in crate::journal) fn check_record(
    reader: &SegmentReader,
    header: &SegmentHeader,
    offset: usize,
    record: &[u8],
    expected: u64,
) -> Result<Header, Reason> {
    let head: Header = bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]);
    let crc = record_crc(header.prepared.salt, record, head.length);
    if crc != head.crc32c {
        return Err(Reason::Crc { found: head.crc32c, expected: crc });
    }
    if head.sequence != expected && !is_unnumbered(&head) {
        return Err(Reason::Sequence { found: head.sequence, expected });
    }
    if head.sequence == 0 && head.rtype == RType::Hole as u8 && after_hole(record, expected).is_none() {
        let found = hole(record).map_or(0, |hole| hole.first_sequence);
        return Err(Reason::Sequence { found, expected });
    }
    let padding = padded(record.len()) - record.len();
    if padding > 0 && reader.word(offset + padded(record.len()) - 8) >> (64 - 8 * padding) != 0 {
        return Err(Reason::Padding);
    }
    Ok(head)
}

/// Whether a record stands outside the numbering: restated, the `End`, or a `Hole`.
pub(in crate::journal) fn is_unnumbered(head: &Header) -> bool {
    let own = head.rtype == RType::End as u8 || head.rtype == RType::Hole as u8;
    head.sequence == 0 && (own || Flags(head.flags).has(Flags::RESTATED))
}

/// Reads a `Hole` record; `None` when it is too short to be one.
pub(in crate::journal) fn hole(record: &[u8]) -> Option<Hole> {
    record.get(..size_of::<Hole>()).map(bytemuck::pod_read_unaligned)
}

/// Sequence that follows a `Hole` standing where `expected` would; `None` when it is not a hole at that place.
pub(in crate::journal) fn after_hole(record: &[u8], expected: u64) -> Option<u64> {
    let hole = hole(record)?;
    let next = hole.last_sequence.checked_add(1)?;
    (hole.first_sequence == expected && next >= expected).then_some(next)
}

/// Searches every place behind the last good record for a valid one.
fn followed_by_a_record(reader: &SegmentReader, header: &SegmentHeader, walked: &Walked, end: usize) -> bool {
    // No later record of this segment can have a sequence beyond this.
    let most = walked.next_sequence + (reader.len() / HEADER_BYTES) as u64;
    let next = walked.next_sequence;
    has_record(reader, header, walked.position + 8, end, |head| {
        (next..=most).contains(&head.sequence) || is_unnumbered(head)
    })
}

/// Whether a valid numbered record stands anywhere in a range of a segment nobody writes.
pub(in crate::journal) fn has_numbered_record(
    reader: &SegmentReader,
    header: &SegmentHeader,
    from: usize,
    end: usize,
) -> bool {
    has_record(reader, header, from, end, |head| head.sequence != 0)
}

fn has_record(
    reader: &SegmentReader,
    header: &SegmentHeader,
    from: usize,
    end: usize,
    is_plausible: impl Fn(&Header) -> bool,
) -> bool {
    let valid = |offset: usize| {
        let word = reader.word(offset);
        let length = word as u32 as usize;
        if length < HEADER_BYTES {
            return false;
        }
        let Some(record) = reader.candidate(offset, length) else { return false };
        let head: Header = bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]);
        is_plausible(&head) && head.crc32c == record_crc(header.prepared.salt, record, head.length)
    };
    (from..end).step_by(8).any(valid)
}

/// How a stream, segment or tail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every byte is accounted for.
    Clean,
    /// What a death of the process or host leaves behind; the next opening puts it in order.
    Torn,
    /// Damage: committed records are wrong or missing.
    Corrupt,
}

impl Verdict {
    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Torn => "torn",
            Verdict::Corrupt => "corrupt",
        }
    }
}

/// Something found, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// File, relative to the journal: `ticks/0000000042.seg`.
    pub segment: String,
    /// Offset in it.
    pub offset: u64,
    /// How bad.
    pub verdict: Verdict,
    /// The case of the decision table.
    pub case: Case,
    /// What.
    pub reason: Reason,
}

impl Finding {
    /// A finding made without the decision table, as by a reader.
    pub(in crate::journal) fn new(
        stream: Stream,
        ordinal: u64,
        offset: usize,
        verdict: Verdict,
        reason: Reason,
    ) -> Finding {
        let case = match verdict {
            Verdict::Clean => Case::Clean,
            Verdict::Torn => Case::TornByHostDeath,
            Verdict::Corrupt => Case::of_damage(&reason),
        };
        Finding::of_case(stream, ordinal, offset, case, reason)
    }

    /// A finding of the decision table in a segment of a stream.
    pub(in crate::journal) fn of_case(
        stream: Stream,
        ordinal: u64,
        offset: usize,
        case: Case,
        reason: Reason,
    ) -> Finding {
        let segment = format!("{}/{}", stream.name(), segment_name(ordinal));
        Finding { segment, offset: offset as u64, verdict: case.verdict(), case, reason }
    }
}
