//! What a segment holds and where: its summary, and a sparse index by sequence and time. Kept beside a sealed segment
//! (`.idx`, byte map in [`format`](crate::journal::format)), made anew in memory by a scan where that is missing or unusable.
//!
//! A file is believed after its checksum, its segment's salt and the record it points to were looked at; `verify`
//! compares all of it. It never makes a reader fail.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::journal::filter::{Bound, Filter};
use crate::journal::format::{SEGMENT_HEADER_BYTES, SegmentHeader, index_name, padded};
use crate::journal::record::INSTRUMENT_ID_MAX;
use crate::journal::segment::{BadLength, SegmentReader};
use crate::journal::walk::is_unnumbered;
use crate::simd::crc32c::crc32c;
use crate::sys::file::sync_file;
use crate::tick::{Flags, HEADER_BYTES, Header, Instrument, InstrumentKey, RType};

const MAGIC: [u8; 8] = *b"hogaIDX\0";
const VERSION: u32 = 1;
/// Bytes of records between two entries, about.
const GRAIN_BYTES: usize = 64 << 10;
const HEAD_BYTES: usize = 128;
const ENTRY_BYTES: usize = 24;
const COUNT_BYTES: usize = 16;
const INSTRUMENT_BYTES: usize = 56;

/// What a segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Offset behind the last record: the bytes that are committed, the header among them.
    pub bytes: u64,
    /// Sequence of the first numbered record, or of the one that would follow when there is none.
    pub first_sequence: u64,
    /// Sequence of the last numbered record; `first_sequence - 1` when there is none.
    pub last_sequence: u64,
    /// Numbered records.
    pub records: u64,
    /// Earliest and latest `ts_recv` of the numbered records, ns since the UNIX epoch; (`u64::MAX`, 0) when there is none.
    pub ts_recv: (u64, u64),
    /// Records by kind (`rtype`), without restated ones and the `End`.
    pub kinds: BTreeMap<u8, u64>,
    /// Those records by publisher.
    pub publishers: BTreeMap<u16, u64>,
    /// Instruments of which there are records, by id.
    pub instruments: BTreeMap<u32, InstrumentKey>,
}

impl Summary {
    /// Whether a record here may pass a filter. `true` where committed records were lost: that is never passed over.
    pub(in crate::journal) fn may_match(&self, filter: &Filter) -> bool {
        if self.kinds.values().sum::<u64>() != self.records {
            return true;
        }
        let after_from = match filter.from {
            Some(Bound::Sequence(from)) => self.last_sequence >= from,
            Some(Bound::Time(from)) => self.ts_recv.1 >= from,
            None => true,
        };
        let before_to = match filter.to {
            Some(Bound::Sequence(to)) => self.first_sequence <= to,
            Some(Bound::Time(to)) => self.ts_recv.0 < to,
            None => true,
        };
        self.records > 0
            && after_from
            && before_to
            && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| self.kinds.contains_key(&(*kind as u8))))
            && (filter.venues.is_empty()
                || filter.venues.iter().any(|venue| self.publishers.contains_key(&(venue.publisher() as u16))))
            && (filter.symbols.is_empty()
                || self.instruments.values().any(|key| filter.takes_symbol(key.symbol().as_ref())))
    }
}

/// A numbered record to begin from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Entry {
    pub(in crate::journal) sequence: u64,
    pub(in crate::journal) offset: u32,
    /// Highest `ts_recv` of the numbered records of the segment before this one.
    pub(in crate::journal) ts_max: u64,
}

/// Summary, sparse index and places of the definitions of a segment; as far as it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::journal) struct SegmentIndex {
    pub(in crate::journal) salt: u32,
    stream: u32,
    ordinal: u64,
    pub(in crate::journal) summary: Summary,
    pub(in crate::journal) entries: Vec<Entry>,
    /// Offsets of the definitions that are numbered; restated ones stand at the front.
    pub(in crate::journal) definitions: Vec<u32>,
    /// Whether the last record is the `End`.
    pub(in crate::journal) ended: bool,
    known: BTreeMap<u32, InstrumentKey>,
}

impl SegmentIndex {
    /// Of a segment of which nothing was looked at.
    pub(in crate::journal) fn new(header: &SegmentHeader) -> SegmentIndex {
        let first_sequence = header.activation.map_or(0, |activation| activation.base_sequence);
        let summary = Summary {
            bytes: SEGMENT_HEADER_BYTES as u64,
            first_sequence,
            last_sequence: first_sequence.saturating_sub(1),
            ts_recv: (u64::MAX, 0),
            ..Summary::default()
        };
        let prepared = &header.prepared;
        SegmentIndex {
            salt: prepared.salt,
            stream: prepared.stream,
            ordinal: prepared.ordinal,
            summary,
            entries: Vec::new(),
            definitions: Vec::new(),
            ended: false,
            known: BTreeMap::new(),
        }
    }

    /// Scans on to what is committed by now.
    pub(in crate::journal) fn extend(&mut self, reader: &SegmentReader) -> Result<(), BadLength> {
        let mut kinds = [0_u64; 256];
        let mut publisher = (u16::MAX, 0_u64);
        let mut scanned = Ok(());
        while !self.ended {
            let record = match reader.record(self.summary.bytes as usize) {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(bad) => {
                    scanned = Err(bad);
                    break;
                }
            };
            let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
            let offset = self.summary.bytes as usize;
            self.summary.bytes += padded(record.len()) as u64;
            if head.rtype == RType::End as u8 {
                self.ended = true;
                break;
            }
            if head.rtype == RType::Instrument as u8 {
                self.note_definition(head, record, offset);
            }
            if head.sequence == 0 && Flags(head.flags).has(Flags::RESTATED) {
                continue;
            }
            kinds[usize::from(head.rtype)] += 1;
            if head.publisher != publisher.0 {
                count(&mut self.summary.publishers, publisher);
                publisher = (head.publisher, 0);
            }
            publisher.1 += 1;
            if is_unnumbered(head) {
                continue;
            }
            let due = self.entries.last().map_or(0, |entry| entry.offset as usize + GRAIN_BYTES);
            if offset >= due {
                self.entries.push(Entry {
                    sequence: head.sequence,
                    offset: offset as u32,
                    ts_max: self.summary.ts_recv.1,
                });
            }
            let summary = &mut self.summary;
            if summary.records == 0 {
                // Behind a hole it is not the one the header promised.
                summary.first_sequence = head.sequence;
            }
            summary.records += 1;
            summary.last_sequence = head.sequence;
            summary.ts_recv = (summary.ts_recv.0.min(head.ts_recv), summary.ts_recv.1.max(head.ts_recv));
            let id = head.instrument_id;
            if id != 0
                && id <= INSTRUMENT_ID_MAX
                && !summary.instruments.contains_key(&id)
                && let Some(key) = self.known.get(&id)
            {
                summary.instruments.insert(id, *key);
            }
        }
        count(&mut self.summary.publishers, publisher);
        for (kind, records) in kinds.into_iter().enumerate().filter(|(_, records)| *records > 0) {
            *self.summary.kinds.entry(kind as u8).or_default() += records;
        }
        scanned
    }

    fn note_definition(&mut self, head: &Header, record: &[u8], offset: usize) {
        let key = std::mem::offset_of!(Instrument, key);
        if let Some(bytes) = record.get(key..key + size_of::<InstrumentKey>())
            && head.instrument_id <= INSTRUMENT_ID_MAX
        {
            self.known.insert(head.instrument_id, bytemuck::pod_read_unaligned(bytes));
        }
        if head.sequence != 0 {
            self.definitions.push(offset as u32);
        }
    }

    /// The entry at or before the record with a sequence, or the first with it or a higher one.
    pub(in crate::journal) fn before_sequence(&self, sequence: u64) -> Option<Entry> {
        let behind = self.entries.partition_point(|entry| entry.sequence <= sequence);
        self.entries.get(behind.saturating_sub(1)).copied()
    }

    /// The entry at or before the first record whose `ts_recv` reaches a time.
    pub(in crate::journal) fn before_time(&self, time: u64) -> Option<Entry> {
        let behind = self.entries.partition_point(|entry| entry.ts_max < time);
        self.entries.get(behind.saturating_sub(1)).copied()
    }

    /// Reads the file beside a segment; `None` when there is none that can be used for it.
    pub(in crate::journal) fn load(folder: &Path, header: &SegmentHeader) -> Option<SegmentIndex> {
        let bytes = fs::read(folder.join(index_name(header.prepared.ordinal))).ok()?;
        let index = decode(&bytes)?;
        index.is_of(header).then_some(index)
    }

    /// Reads the part that tells sequences and times; `None` as for [`load`](Self::load).
    pub(in crate::journal) fn load_head(folder: &Path, header: &SegmentHeader) -> Option<Summary> {
        let mut bytes = [0; HEAD_BYTES];
        File::open(folder.join(index_name(header.prepared.ordinal))).ok()?.read_exact(&mut bytes).ok()?;
        let (index, _) = decode_head(&bytes)?;
        index.is_of(header).then_some(index.summary)
    }

    fn is_of(&self, header: &SegmentHeader) -> bool {
        let prepared = &header.prepared;
        (self.salt, self.stream, self.ordinal) == (prepared.salt, prepared.stream, prepared.ordinal)
            && self.summary.bytes <= prepared.segment_bytes
            && header.activation.is_some_and(|activation| self.summary.first_sequence >= activation.base_sequence)
    }

    /// The bytes of the file.
    pub(in crate::journal) fn encode(&self) -> Vec<u8> {
        let summary = &self.summary;
        let mut out = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES);
        out.extend_from_slice(&MAGIC);
        let counts = [
            self.entries.len(),
            summary.kinds.len(),
            summary.publishers.len(),
            summary.instruments.len(),
            self.definitions.len(),
        ];
        for word in [VERSION, self.stream, self.salt, GRAIN_BYTES as u32] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let (first, last) = (summary.first_sequence, summary.last_sequence);
        let ts = summary.ts_recv;
        for word in [self.ordinal, summary.bytes, first, last, summary.records, ts.0, ts.1] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        for number in counts {
            out.extend_from_slice(&(number as u32).to_le_bytes());
        }
        out.resize(HEAD_BYTES - 4, 0);
        out.extend_from_slice(&crc32c(0, &out).to_le_bytes());
        for entry in &self.entries {
            out.extend_from_slice(&entry.sequence.to_le_bytes());
            out.extend_from_slice(&u64::from(entry.offset).to_le_bytes());
            out.extend_from_slice(&entry.ts_max.to_le_bytes());
        }
        let numbers = summary.kinds.iter().map(|(kind, records)| (u64::from(*kind), *records));
        for (number, records) in
            numbers.chain(summary.publishers.iter().map(|(at, records)| (u64::from(*at), *records)))
        {
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(&records.to_le_bytes());
        }
        for (id, key) in &summary.instruments {
            out.extend_from_slice(&u64::from(*id).to_le_bytes());
            out.extend_from_slice(bytemuck::bytes_of(key));
        }
        for offset in &self.definitions {
            out.extend_from_slice(&offset.to_le_bytes());
        }
        out.extend_from_slice(&crc32c(0, &out[HEAD_BYTES..]).to_le_bytes());
        out
    }

    /// Writes the file beside the segment: whole under another name, synced, then renamed. The caller syncs the folder.
    pub(in crate::journal) fn store(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(index_name(self.ordinal));
        let fresh = path.with_extension("idx.part");
        let mut file = File::create(&fresh)?;
        file.write_all(&self.encode())?;
        sync_file(&file)?;
        fs::rename(&fresh, &path)
    }

    /// Whether the file beside the segment, if there is one, says the same.
    pub(in crate::journal) fn is_stored_well(&self, folder: &Path) -> io::Result<bool> {
        match fs::read(folder.join(index_name(self.ordinal))) {
            Ok(bytes) => Ok(bytes == self.encode()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn count(counts: &mut BTreeMap<u16, u64>, (number, records): (u16, u64)) {
    if records > 0 {
        *counts.entry(number).or_default() += records;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The head of a file, and how many rows of each table follow.
fn decode_head(bytes: &[u8]) -> Option<(SegmentIndex, [usize; 5])> {
    let head = bytes.get(..HEAD_BYTES)?;
    let good = head[..8] == MAGIC
        && u32_at(head, 8)? == VERSION
        && u32_at(head, HEAD_BYTES - 4)? == crc32c(0, &head[..HEAD_BYTES - 4]);
    if !good {
        return None;
    }
    let word = |index: usize| u64_at(head, 24 + 8 * index);
    let mut counts = [0; 5];
    for (index, rows) in counts.iter_mut().enumerate() {
        *rows = u32_at(head, 80 + 4 * index)? as usize;
    }
    let summary = Summary {
        bytes: word(1)?,
        first_sequence: word(2)?,
        last_sequence: word(3)?,
        records: word(4)?,
        ts_recv: (word(5)?, word(6)?),
        ..Summary::default()
    };
    let index = SegmentIndex {
        salt: u32_at(head, 16)?,
        stream: u32_at(head, 12)?,
        ordinal: word(0)?,
        summary,
        entries: Vec::new(),
        definitions: Vec::new(),
        // Written for ended segments alone.
        ended: true,
        known: BTreeMap::new(),
    };
    Some((index, counts))
}

fn decode(bytes: &[u8]) -> Option<SegmentIndex> {
    let (mut index, [entries, kinds, publishers, instruments, definitions]) = decode_head(bytes)?;
    let body = &bytes[HEAD_BYTES..];
    let rows = entries * ENTRY_BYTES
        + (kinds + publishers) * COUNT_BYTES
        + instruments * INSTRUMENT_BYTES
        + definitions * size_of::<u32>();
    if body.len() != rows + 4 || u32_at(body, rows)? != crc32c(0, &body[..rows]) {
        return None;
    }
    let mut at = 0;
    let mut take = |bytes: usize| {
        at += bytes;
        at - bytes
    };
    for _ in 0..entries {
        let row = take(ENTRY_BYTES);
        let offset = u32::try_from(u64_at(body, row + 8)?).ok()?;
        index.entries.push(Entry { sequence: u64_at(body, row)?, offset, ts_max: u64_at(body, row + 16)? });
    }
    for _ in 0..kinds {
        let row = take(COUNT_BYTES);
        index.summary.kinds.insert(u8::try_from(u64_at(body, row)?).ok()?, u64_at(body, row + 8)?);
    }
    for _ in 0..publishers {
        let row = take(COUNT_BYTES);
        index.summary.publishers.insert(u16::try_from(u64_at(body, row)?).ok()?, u64_at(body, row + 8)?);
    }
    for _ in 0..instruments {
        let row = take(INSTRUMENT_BYTES);
        let key = bytemuck::pod_read_unaligned(body.get(row + 8..row + INSTRUMENT_BYTES)?);
        index.summary.instruments.insert(u32::try_from(u64_at(body, row)?).ok()?, key);
    }
    for _ in 0..definitions {
        index.definitions.push(u32_at(body, take(4))?);
    }
    Some(index)
}
