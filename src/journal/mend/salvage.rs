//! What is still good in a damaged segment: every valid record, wherever it lies, and what is lost between them.
//!
//! A record is valid when its checksum is, and the checksum covers the segment's salt. Where the header that holds the
//! salt is damaged, the salt follows from the records: CRC-32C can be run backwards, from a record's checksum through its
//! bytes to the four it began with, and two neighbours that give the same four are no accident.

use crate::journal::format::{SEGMENT_HEADER_BYTES, padded, record_crc};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{hole, is_unnumbered};
use crate::tick::{HEADER_BYTES, Header, Hole, RType};

/// Longest restated definition, `End` or `Hole` looked for.
const UNNUMBERED_BYTES_MAX: usize = 4096;
/// Longest record looked for where nothing bounds its sequence.
const BYTES_MAX: usize = 1 << 20;
/// Most instruments named of a lost range.
const SUSPECTS_MAX: usize = 64;

/// A valid record of a damaged segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Place {
    pub(in crate::journal) offset: usize,
    pub(in crate::journal) bytes: usize,
    /// Its length word was damaged, and only one length fits its checksum.
    pub(in crate::journal) is_mended: bool,
}

/// What a scan found.
#[derive(Clone, Debug, Default)]
pub(in crate::journal) struct Scanned {
    /// In the order of their offsets; sequences ascend.
    pub(in crate::journal) records: Vec<Place>,
    /// Offset behind the last byte that is not zero.
    pub(in crate::journal) end: usize,
}

/// Which sequences may be in a segment.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Window {
    /// The first that may come.
    pub(in crate::journal) from: u64,
    /// The first that belongs to a later segment, if that is known.
    pub(in crate::journal) until: Option<u64>,
}

/// The header of a record at an offset, believed or not.
fn head_at(reader: &SegmentReader, offset: usize) -> Option<Header> {
    reader.candidate(offset, HEADER_BYTES).map(bytemuck::pod_read_unaligned)
}

/// Finds every valid record of a segment nobody writes.
pub(in crate::journal) fn scan(reader: &SegmentReader, salt: u32, window: Window) -> Scanned {
    let end = reader.last_nonzero(SEGMENT_HEADER_BYTES.min(reader.len() / 8 * 8), reader.len()).min(reader.len());
    let mut scanned = Scanned { records: Vec::new(), end };
    let mut next = window.from;
    let mut offset = SEGMENT_HEADER_BYTES;
    let mut bad_from = None;
    while offset < end {
        let Some((head, bytes)) = valid_at(reader, salt, offset, next, window.until) else {
            bad_from.get_or_insert(offset);
            offset += 8;
            continue;
        };
        if let Some(from) = bad_from.take()
            && let Some(mended) = mend(reader, salt, from, offset, next)
        {
            scanned.records.push(mended);
            next += 1;
        }
        scanned.records.push(Place { offset, bytes, is_mended: false });
        if !is_unnumbered(&head) {
            next = head.sequence + 1;
        } else if head.rtype == RType::Hole as u8
            && let Some(hole) = reader.candidate(offset, bytes).and_then(hole)
        {
            next = hole.last_sequence.saturating_add(1).max(next);
        }
        offset += padded(bytes);
    }
    scanned
}

/// The valid record at an offset, if there is one with a sequence that may be here.
fn valid_at(
    reader: &SegmentReader,
    salt: u32,
    offset: usize,
    next: u64,
    until: Option<u64>,
) -> Option<(Header, usize)> {
    let head = head_at(reader, offset)?;
    let bytes = head.length as usize;
    if bytes < HEADER_BYTES {
        return None;
    }
    // Before the checksum is taken, so that arbitrary bytes do not cost a checksum of megabytes each.
    let plausible = if is_unnumbered(&head) {
        bytes <= UNNUMBERED_BYTES_MAX
    } else {
        let near = head.sequence - next.min(head.sequence) <= (reader.len() / HEADER_BYTES) as u64;
        let bounded = until.is_some_and(|until| head.sequence < until) || until.is_none() && near;
        head.sequence >= next && (bounded || until.is_none() && bytes <= BYTES_MAX)
    };
    let record = reader.candidate(offset, bytes).filter(|_| plausible)?;
    if record_crc(salt, record, head.length) != head.crc32c {
        return None;
    }
    let is_hole = is_unnumbered(&head) && head.rtype == RType::Hole as u8;
    // A hole that goes back or beyond the segment's own records was never written by us.
    let fits = |hole: Hole| {
        hole.last_sequence.checked_add(1).is_some_and(|after| after >= next && until.is_none_or(|until| after <= until))
    };
    (!is_hole || hole(record).is_some_and(fits)).then_some((head, bytes))
}

/// The one record between two places whose length word alone was damaged: its checksum tells which length it had.
fn mend(reader: &SegmentReader, salt: u32, from: usize, to: usize, next: u64) -> Option<Place> {
    let head = head_at(reader, from).filter(|head| head.sequence == next)?;
    let room = to - from;
    let fits = |bytes: &usize| {
        let record = reader.candidate(from, *bytes);
        record.is_some_and(|record| record_crc(salt, record, *bytes as u32) == head.crc32c)
    };
    let bytes = (room.saturating_sub(7).max(HEADER_BYTES)..=room).find(fits)?;
    Some(Place { offset: from, bytes, is_mended: true })
}

/// The bytes of a valid record, with the length it has.
pub(in crate::journal) fn record_at(reader: &SegmentReader, place: Place) -> Option<Vec<u8>> {
    let mut record = reader.candidate(place.offset, place.bytes)?.to_vec();
    record[..4].copy_from_slice(&(place.bytes as u32).to_le_bytes());
    Some(record)
}

/// Instruments that the damaged bytes of a range name, as far as their length words lead through it.
pub(in crate::journal) fn suspects(reader: &SegmentReader, from: usize, to: usize) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut offset = from;
    while offset + HEADER_BYTES <= to && ids.len() < SUSPECTS_MAX {
        let Some(head) = head_at(reader, offset) else { break };
        let bytes = head.length as usize;
        if head.instrument_id != 0 && RType::from_number(head.rtype).is_some() && !ids.contains(&head.instrument_id) {
            ids.push(head.instrument_id);
        }
        if bytes < HEADER_BYTES || bytes > to - offset {
            break;
        }
        offset += padded(bytes);
    }
    ids
}

/// What the records themselves say of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Solved {
    /// The salt.
    pub(in crate::journal) salt: u32,
    /// Lowest sequence that the segment can begin with.
    pub(in crate::journal) from: u64,
}

/// Tells the salt from two records that lie one behind the other.
pub(in crate::journal) fn solve(reader: &SegmentReader) -> Option<Solved> {
    let end = reader.len() / 8 * 8;
    let mut offset = SEGMENT_HEADER_BYTES;
    while offset + 2 * HEADER_BYTES <= end {
        if let Some((first, second)) = neighbours(reader, offset) {
            let salt = salt_of(first);
            if salt == salt_of(second) {
                let numbered = [first, second]
                    .map(|record| bytemuck::pod_read_unaligned::<Header>(&record[..HEADER_BYTES]))
                    .into_iter()
                    .find(|head| !is_unnumbered(head));
                let before = ((offset - SEGMENT_HEADER_BYTES) / HEADER_BYTES) as u64;
                let from = numbered.map_or(1, |head| head.sequence.saturating_sub(before).max(1));
                return Some(Solved { salt, from });
            }
        }
        offset += 8;
    }
    None
}

/// Two records that could be neighbours by their headers.
fn neighbours(reader: &SegmentReader, offset: usize) -> Option<(&[u8], &[u8])> {
    let plausible = |offset: usize| {
        let head = head_at(reader, offset)?;
        let bytes = head.length as usize;
        let most = if is_unnumbered(&head) { UNNUMBERED_BYTES_MAX } else { BYTES_MAX };
        let known = RType::from_number(head.rtype).is_some() && head.crc32c != 0;
        let record = reader.candidate(offset, bytes)?;
        (known && (HEADER_BYTES..=most).contains(&bytes)).then_some((head, record))
    };
    let (first, first_bytes) = plausible(offset)?;
    let (second, second_bytes) = plausible(offset + padded(first_bytes.len()))?;
    let follows = is_unnumbered(&first) || is_unnumbered(&second) || second.sequence == first.sequence.wrapping_add(1);
    follows.then_some((first_bytes, second_bytes))
}

/// The salt with which the record has the checksum it says.
fn salt_of(record: &[u8]) -> u32 {
    let head: Header = bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]);
    let mut state = !head.crc32c;
    for byte in record[8..].iter().rev().chain(head.length.to_le_bytes().iter().rev()) {
        state = step_back(state, *byte);
    }
    // Four zeros after a start of `salt ^ all ones` are the four bytes of the salt after all ones.
    (0..4).fold(state, |state, _| step_back(state, 0)) ^ u32::MAX
}

/// The CRC's state before a byte, from the state behind it.
fn step_back(state: u32, byte: u8) -> u32 {
    let index = TOP_OF[(state >> 24) as usize];
    (state ^ TABLE[index as usize]) << 8 | u32::from(index ^ byte)
}

/// CRC-32C of each byte.
const TABLE: [u32; 256] = table();
/// Which entry of the table has that top byte: each has another one.
const TOP_OF: [u8; 256] = tops();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

const fn tops() -> [u8; 256] {
    let mut tops = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        tops[(TABLE[byte] >> 24) as usize] = byte as u8;
        byte += 1;
    }
    tops
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_the_salt_it_was_written_with() {
        for (salt, length) in [(0_u32, 40_usize), (1, 41), (0xdead_beef, 256), (u32::MAX, 655)] {
            let mut record: Vec<u8> = (0..length).map(|at| (at as u8).wrapping_mul(37)).collect();
            record[..4].copy_from_slice(&(length as u32).to_le_bytes());
            let crc = record_crc(salt, &record, length as u32);
            record[4..8].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(salt_of(&record), salt);
        }
    }
}
