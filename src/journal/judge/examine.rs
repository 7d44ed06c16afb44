//! Looking at a segment: the evidence for the decision table, gathered in the same way for an opening and for `verify`.

use std::io;
use std::path::Path;

use crate::journal::control::{CONTROL_NAME, ControlError, ControlReader};
use crate::journal::decision::{Behind, Circumstances, ControlPage, Decision, Evidence, FileFound, HeaderIs, decide};
use crate::journal::format::{FORMAT_MINOR, HeaderError, SEGMENT_HEADER_BYTES, SegmentHeader, Stream, segment_name};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Finding, Reason, Tail, Walked, has_numbered_record, walk, walk_data};
use crate::sys::file::data_end;
use crate::tick::Header;

/// The control page as evidence.
pub(in crate::journal) fn control_evidence(page: &io::Result<Result<ControlReader, ControlError>>) -> ControlPage {
    match page {
        Ok(Ok(page)) if page.has_lost_mark() => ControlPage::Damaged,
        Ok(Ok(_)) => ControlPage::Good,
        Ok(Err(ControlError::Version(_))) => ControlPage::Newer,
        Ok(Err(ControlError::Damaged)) => ControlPage::Damaged,
        Err(_) => ControlPage::Absent,
    }
}

/// Whether there is something in the control page to be put away and cleared: damage, or a slot written halfway.
pub(in crate::journal) fn control_is_torn(page: &io::Result<Result<ControlReader, ControlError>>) -> bool {
    match page {
        Ok(Ok(page)) => page.has_broken_slot(),
        Ok(Err(_)) => true,
        Err(_) => false,
    }
}

/// How a segment is looked at.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Look {
    /// What else the evidence depends on.
    pub(in crate::journal) at: Circumstances,
    /// The number the segment must begin with, if the one before was looked at.
    pub(in crate::journal) follows: Option<u64>,
    /// Whether somebody writes it at this moment: then only what is committed is looked at.
    pub(in crate::journal) is_written: bool,
}

/// A segment that was looked at.
#[derive(Debug)]
pub(in crate::journal) struct Examined {
    pub(in crate::journal) ordinal: u64,
    pub(in crate::journal) decision: Decision,
    /// The file and its header, when there is a good one.
    pub(in crate::journal) segment: Option<(SegmentReader, SegmentHeader)>,
    /// What stands in it, when it is in use.
    pub(in crate::journal) walked: Option<Walked>,
    /// What is worst, for people.
    pub(in crate::journal) reason: Reason,
    /// Where.
    pub(in crate::journal) offset: usize,
}

impl Examined {
    /// What was decided, as a finding.
    pub(in crate::journal) fn finding(&self, stream: Stream) -> Finding {
        let finding = Finding::of_case(stream, self.ordinal, self.offset, self.decision.case, self.reason.clone());
        if self.reason != Reason::Control {
            return finding;
        }
        // Nothing is wrong with the segment.
        Finding { segment: format!("{}/{CONTROL_NAME}", stream.name()), offset: 0, ..finding }
    }

    /// Epoch in the header, 0 = there is no good one.
    pub(in crate::journal) fn epoch(&self) -> u64 {
        self.segment.as_ref().map_or(0, |(_, header)| header.prepared.epoch)
    }
}

/// A segment that must be there and is not.
pub(in crate::journal) fn missing(ordinal: u64, at: &Circumstances, reason: Reason) -> Examined {
    let decision = decide(&at.without_header(HeaderIs::Missing));
    Examined { ordinal, decision, segment: None, walked: None, reason, offset: 0 }
}

/// Opens a segment, and tells the offset behind which nothing was ever written: what was only allocated reads as zeros,
/// and not to look at it is most of the speed of an opening.
pub(in crate::journal) fn open_segment(folder: &Path, ordinal: u64) -> io::Result<(SegmentReader, usize)> {
    let reader = SegmentReader::open_in(folder, ordinal)?;
    // A compressed one holds what was written and nothing else.
    if reader.is_packed() {
        let end = reader.len();
        return Ok((reader, end));
    }
    match data_end(&folder.join(segment_name(ordinal))) {
        // Its compressed form took its place meanwhile; the one mapped is as good.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let end = reader.len();
            Ok((reader, end))
        }
        end => Ok((reader, end?)),
    }
}

/// Looks at a segment. `on_record` is told every good record: offset, header, bytes.
///
/// # Errors
///
/// When the file can't be read at all.
pub(in crate::journal) fn examine(
    folder: &Path,
    stream: Stream,
    ordinal: u64,
    look: Look,
    on_record: impl FnMut(usize, &Header, &[u8]),
) -> io::Result<Examined> {
    let (reader, data_end) = match open_segment(folder, ordinal) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(missing(ordinal, &look.at, Reason::Missing));
        }
        Err(error) => return Err(error),
    };
    let header = match reader.checked_header(stream, ordinal) {
        Ok(header) => header,
        Err(error) => {
            let decision = decide(&look.at.bad_header(error));
            return Ok(Examined {
                ordinal,
                decision,
                segment: None,
                walked: None,
                reason: Reason::Header(error),
                offset: 0,
            });
        }
    };
    Ok(if header.activation.is_some() {
        examine_active(reader, header, data_end, look, on_record)
    } else {
        examine_unused(reader, header, data_end, look)
    })
}

fn examine_unused(reader: SegmentReader, header: SegmentHeader, data_end: usize, look: Look) -> Examined {
    let ordinal = header.prepared.ordinal;
    let restated = walk(&reader, &header, false, |_, _, _| {});
    let end = reader.last_nonzero(restated.position, data_end);
    let behind = match () {
        () if has_numbered_record(&reader, &header, SEGMENT_HEADER_BYTES, end) => Behind::Record,
        () if end > restated.position => Behind::Bytes,
        () => Behind::Zeros,
    };
    let decision = decide(&look.at.unused(ordinal, header.prepared.boot_id, behind, reader.is_packed()));
    let segment = Some((reader, header));
    Examined { ordinal, decision, segment, walked: None, reason: Reason::NotActive, offset: 0 }
}

fn examine_active(
    reader: SegmentReader,
    header: SegmentHeader,
    data_end: usize,
    look: Look,
    on_record: impl FnMut(usize, &Header, &[u8]),
) -> Examined {
    let ordinal = header.prepared.ordinal;
    reader.advise_sequential();
    let walked = walk_data(&reader, &header, (!look.is_written).then_some(data_end), on_record);
    let base = header.activation.map_or(0, |activation| activation.base_sequence);
    let (bytes, expected) = (reader.len() as u64, header.prepared.segment_bytes);
    let follows = look.follows.is_none_or(|next| next == base);
    let file = FileFound { short: bytes < expected, packed: reader.is_packed() };
    let evidence = look.at.walked(ordinal, header.prepared.boot_id, &walked, follows, file);
    let stray = stray_header_byte(&reader, &header);
    let evidence = if stray.is_some() { Evidence { header: HeaderIs::Damaged, ..evidence } } else { evidence };
    let (reason, offset) = match (&walked.tail, look.follows) {
        _ if stray.is_some() => (Reason::HeaderPadding, stray.unwrap_or(0)),
        (_, Some(next)) if next != base => (Reason::Sequence { found: base, expected: next }, 0),
        (Tail::Bad { reason, .. }, _) => (reason.clone(), walked.position),
        _ if evidence.is_below_the_mark() && look.at.is_sealed(ordinal, file.packed) => {
            (Reason::NoEnd, walked.position)
        }
        _ if evidence.is_below_the_mark() => {
            let sequence = look.at.durable.map_or(0, |slot| slot.sequence);
            (Reason::BelowDurable { sequence }, walked.position)
        }
        _ if bytes < expected => (Reason::ShortFile { bytes, expected }, reader.len()),
        (Tail::Open, _) if !look.at.is_newest() => (Reason::NoEnd, walked.position),
        _ => (Reason::Control, walked.position),
    };
    let decision = decide(&evidence);
    Examined { ordinal, decision, segment: Some((reader, header)), walked: Some(walked), reason, offset }
}

/// The first unused byte of the header that is not zero. Of a later minor they may have a meaning.
fn stray_header_byte(reader: &SegmentReader, header: &SegmentHeader) -> Option<usize> {
    if header.prepared.format_minor > FORMAT_MINOR {
        return None;
    }
    let unused = |offset: &usize| matches!(offset, 96..128 | 144..192 | 200..SEGMENT_HEADER_BYTES);
    let state_rest = (reader.word(192) >> 32 != 0).then_some(192);
    (0..SEGMENT_HEADER_BYTES).step_by(8).filter(unused).find(|offset| reader.word(*offset) != 0).or(state_rest)
}

/// Makes a header's error the one of the file's version, if it is that.
pub(in crate::journal) fn newer_major(reason: &Reason) -> Option<u16> {
    match reason {
        Reason::Header(HeaderError::Version(major)) => Some(*major),
        _ => None,
    }
}
