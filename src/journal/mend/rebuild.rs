//! A segment written anew from what is valid of it: what `repair` puts in the place of a damaged one, and what
//! `recover` makes a new journal of.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::journal::build::{BuildError, BuiltSegment, HOLE_BYTES, SegmentBuilder, SegmentSpec};
use crate::journal::format::{
    END_BYTES, SEGMENT_BYTES_MIN, SEGMENT_GRAIN, SEGMENT_HEADER_BYTES, SegmentHeader, Stream, padded,
};
use crate::journal::salvage::{Place, Scanned, Window, record_at, scan, solve, suspects};
use crate::journal::segment::SegmentReader;
use crate::journal::source::Source;
use crate::journal::walk::{hole, is_unnumbered};
use crate::tick::{EndReason, Flags, HEADER_BYTES, Header, Hole, HoleReason, Instrument, RType};

/// Records that are lost, and where they stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// File they stood in, relative to the journal.
    pub segment: String,
    /// Offset of the first damaged byte; `None` = the whole file is not there.
    pub offset: Option<u64>,
    /// Damaged bytes there.
    pub bytes: u64,
    /// Sequence of the first record lost.
    pub first_sequence: u64,
    /// Sequence of the last; `first_sequence` - 1: no record is known to be.
    pub last_sequence: u64,
    /// Why.
    pub reason: HoleReason,
    /// Symbols, or ids of instruments not known by symbol, which the damaged bytes still name: some may be missing.
    pub instruments: Vec<String>,
}

impl Loss {
    /// How many records are known to be lost.
    pub fn records(&self) -> u64 {
        self.last_sequence.wrapping_add(1).saturating_sub(self.first_sequence)
    }
}

/// What a segment written anew holds.
#[derive(Debug)]
pub(in crate::journal) struct Rebuilt {
    pub(in crate::journal) built: BuiltSegment,
    /// Numbered records.
    pub(in crate::journal) records: u64,
    /// Of them, those whose length word was damaged.
    pub(in crate::journal) mended: u64,
    pub(in crate::journal) losses: Vec<Loss>,
    /// Bytes behind the last valid record that are none, with no record known to be lost in them.
    pub(in crate::journal) left_over: u64,
}

/// Writes segments of one stream anew, one after the other.
#[derive(Debug)]
pub(in crate::journal) struct Rebuilder<'a> {
    pub(in crate::journal) folder: &'a Path,
    pub(in crate::journal) stream: Stream,
    /// Definitions known from anywhere in the stream.
    pub(in crate::journal) known: BTreeMap<u32, Instrument>,
    /// What the last header said that could be read, for segments whose own can't be.
    pub(in crate::journal) like: SegmentSpec,
}

/// What is asked for of one segment.
#[derive(Debug)]
pub(in crate::journal) struct Job<'a> {
    pub(in crate::journal) source: &'a Source,
    /// The file, opened for this job alone; `None`: it is not there.
    pub(in crate::journal) reader: Option<&'a SegmentReader>,
    /// Name in reports: `ticks/0000000042.seg`.
    pub(in crate::journal) name: String,
    /// Number of the new segment.
    pub(in crate::journal) ordinal: u64,
    /// Sequence that follows the segment before; `None` = this is the first.
    pub(in crate::journal) expected: Option<u64>,
    /// Sequence the segment behind begins with, or the one behind the last that was marked durable: up to it, what is
    /// not there is lost.
    pub(in crate::journal) until: Option<u64>,
    /// Whether `until` bounds what may be in it (a segment behind does, a mark does not).
    pub(in crate::journal) is_bounded: bool,
}

impl<'a> Rebuilder<'a> {
    pub(in crate::journal) fn new(folder: &'a Path, stream: Stream) -> Rebuilder<'a> {
        let like = SegmentSpec {
            stream,
            ordinal: 0,
            epoch: 1,
            boot_id: crate::sys::file::boot_id(),
            trading_date: 0,
            base_sequence: 1,
            segment_bytes: SEGMENT_BYTES_MIN,
        };
        Rebuilder { folder, stream, known: BTreeMap::new(), like }
    }

    /// Learns what a segment's header and definitions say, so far as they are good.
    pub(in crate::journal) fn learn(&mut self, source: &Source) -> io::Result<()> {
        let (Some(reader), Some(header)) = (source.open()?, &source.header) else { return Ok(()) };
        self.like_that(header);
        crate::journal::walk::walk(&reader, header, false, |_, head, record| self.note(head, record));
        Ok(())
    }

    /// Takes a good header for what the next one says, if that can't be read.
    pub(in crate::journal) fn like_that(&mut self, header: &SegmentHeader) {
        self.like.epoch = header.prepared.epoch;
        self.like.boot_id = header.prepared.boot_id;
        self.like.segment_bytes = header.prepared.segment_bytes;
        if let Some(activation) = header.activation {
            self.like.trading_date = activation.trading_date;
        }
    }

    fn note(&mut self, head: &Header, record: &[u8]) {
        if head.rtype == RType::Instrument as u8
            && let Some(definition) = record.get(..size_of::<Instrument>())
        {
            self.known.insert(head.instrument_id, bytemuck::pod_read_unaligned(definition));
        }
    }

    /// Writes a segment anew. `before` is told the file, complete and on the disk, and the bytes in it, before it takes
    /// the place of the one there.
    pub(in crate::journal) fn rebuild(
        &mut self,
        job: &Job<'_>,
        before: &mut dyn FnMut(&Path, u64) -> io::Result<()>,
    ) -> Result<Rebuilt, BuildError> {
        let mut spec = SegmentSpec { ordinal: job.ordinal, ..self.like };
        if let Some(header) = &job.source.header {
            spec.epoch = header.prepared.epoch;
            spec.boot_id = header.prepared.boot_id;
            spec.segment_bytes = header.prepared.segment_bytes;
            spec.trading_date = header.activation.map_or(spec.trading_date, |activation| activation.trading_date);
        }
        self.like = spec;
        let window_until = job.until.filter(|_| job.is_bounded);
        let (scanned, first) = match job.reader {
            Some(reader) => self.scan(job, reader, window_until),
            None => (Scanned::default(), None),
        };
        let bottom = if job.source.ordinal == 1 { Some(1) } else { None };
        let base = job.expected.or(job.source.base()).or(bottom).or(first).or(job.until).unwrap_or(1);
        spec.base_sequence = base;
        if let Some(reader) = job.reader {
            for place in &scanned.records {
                if let Some(record) = record_at(reader, *place) {
                    let head: Header = bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]);
                    if is_unnumbered(&head) {
                        self.note(&head, &record);
                    }
                }
            }
        }
        // A whole missing segment needs no room but for what it says.
        let size = if job.reader.is_some() { spec.segment_bytes } else { SEGMENT_BYTES_MIN };
        spec.segment_bytes = size.max(self.needed(&scanned.records)).next_multiple_of(SEGMENT_GRAIN);
        let mut segment = SegmentBuilder::create(self.folder, spec)?;
        if self.stream == Stream::Ticks {
            for definition in self.known.values() {
                segment.restate(definition)?;
            }
        }
        let mut rebuilt = Filling { job, segment, records: 0, mended: 0, losses: Vec::new(), known: &self.known };
        let mut end_reason = EndReason::Recovered;
        let mut behind = SEGMENT_HEADER_BYTES;
        if let Some(reader) = job.reader {
            for place in &scanned.records {
                if let Some(reason) = rebuilt.take(reader, *place, behind)? {
                    end_reason = reason;
                }
                behind = place.offset + padded(place.bytes);
            }
        }
        let end = scanned.end.max(behind);
        if let Some(until) = job.until.filter(|until| *until > rebuilt.segment.next_sequence()) {
            let reason = if job.is_bounded { None } else { Some(HoleReason::CutShort) };
            rebuilt.lose(job.reader, behind..end, until - 1, reason)?;
            behind = end;
        }
        let unknown = job.expected.is_none() && job.source.base().is_none();
        if unknown && rebuilt.records == 0 && end > SEGMENT_HEADER_BYTES && rebuilt.losses.is_empty() {
            // Nothing tells which records these bytes were: that some are lost is said all the same.
            let none = rebuilt.segment.next_sequence() - 1;
            rebuilt.lose(job.reader, SEGMENT_HEADER_BYTES..end, none, None)?;
        }
        let Filling { segment, records, mended, losses, .. } = rebuilt;
        for place in &scanned.records {
            if let Some(record) = job.reader.and_then(|reader| record_at(reader, *place)) {
                self.note(&bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]), &record);
            }
        }
        let next_ordinal = if EndReason::is_closing(end_reason as u8) { 0 } else { job.ordinal + 1 };
        let left_over = end.saturating_sub(behind) as u64;
        Ok(Rebuilt {
            built: segment.finish_with(end_reason, next_ordinal, before)?,
            records,
            mended,
            losses,
            left_over,
        })
    }

    /// The valid records, and the sequence the first numbered one has.
    fn scan(&self, job: &Job<'_>, reader: &SegmentReader, until: Option<u64>) -> (Scanned, Option<u64>) {
        let solved = if job.source.header.is_none() { solve(reader) } else { None };
        let said = reader.header().ok();
        let salt = job.source.header.map(|header| header.prepared.salt).or(solved.map(|solved| solved.salt));
        let Some(salt) = salt.or(said.map(|header| header.prepared.salt)) else {
            return (Scanned { records: Vec::new(), end: reader.len() }, None);
        };
        let base = job.source.base().or(solved.map(|solved| solved.from)).unwrap_or(1);
        // What the segment before has is not here again, even if the header says so.
        let from = job.expected.unwrap_or(base.max(1));
        let scanned = scan(reader, salt, Window { from, until });
        let sequence = |place: &Place| {
            let record = reader.candidate(place.offset, HEADER_BYTES)?;
            let head: Header = bytemuck::pod_read_unaligned(record);
            (!is_unnumbered(&head)).then_some(head.sequence)
        };
        let first = scanned.records.iter().find_map(sequence);
        (scanned, first)
    }

    /// Bytes a segment with these records can take at most.
    fn needed(&self, records: &[Place]) -> u64 {
        let definitions = self.known.len() * padded(size_of::<Instrument>());
        // Before every record and behind the last there may be a hole.
        let jumps = records.windows(2).filter(|pair| pair[0].offset + padded(pair[0].bytes) != pair[1].offset).count();
        let bytes: usize = records.iter().map(|place| padded(place.bytes)).sum();
        (SEGMENT_HEADER_BYTES + definitions + bytes + (jumps + 4) * HOLE_BYTES + END_BYTES) as u64
    }
}

/// A segment being filled with what is valid of another.
struct Filling<'a> {
    job: &'a Job<'a>,
    segment: SegmentBuilder,
    records: u64,
    mended: u64,
    losses: Vec<Loss>,
    known: &'a BTreeMap<u32, Instrument>,
}

impl Filling<'_> {
    /// Takes a record over; says so when it is the `End`. `behind` is the offset behind the valid record before it.
    fn take(&mut self, reader: &SegmentReader, place: Place, behind: usize) -> Result<Option<EndReason>, BuildError> {
        let Some(record) = record_at(reader, place) else { return Ok(None) };
        let head: Header = bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]);
        if is_unnumbered(&head) {
            if head.rtype == RType::End as u8 {
                return Ok(record.get(56).and_then(|reason| EndReason::from_number(*reason)));
            }
            // Definitions were restated already, all that are known; a hole stays.
            if let Some(hole) = hole(&record).filter(|_| head.rtype == RType::Hole as u8) {
                let next = self.segment.next_sequence();
                if hole.first_sequence > next {
                    self.lose(Some(reader), behind..place.offset, hole.first_sequence - 1, None)?;
                }
                // Of one that begins with what was said before, the rest counts; all of it may be said already.
                if hole.first_sequence >= next {
                    self.segment.append(&record)?;
                } else if hole.last_sequence >= next {
                    let mut rest = record;
                    let rest_of = Hole { first_sequence: next, ..hole };
                    rest[..size_of::<Hole>()].copy_from_slice(bytemuck::bytes_of(&rest_of));
                    self.segment.append(&rest)?;
                }
            }
            return Ok(None);
        }
        if head.sequence > self.segment.next_sequence() {
            self.lose(Some(reader), behind..place.offset, head.sequence - 1, None)?;
        }
        self.segment.append(&record)?;
        self.records += 1;
        self.mended += u64::from(place.is_mended);
        debug_assert!(!Flags(head.flags).has(Flags::RESTATED) || head.sequence > 0);
        Ok(None)
    }

    fn lose(
        &mut self,
        reader: Option<&SegmentReader>,
        range: std::ops::Range<usize>,
        last_sequence: u64,
        reason: Option<HoleReason>,
    ) -> Result<(), BuildError> {
        let bytes = range.len() as u64;
        // A jump without a damaged byte is a segment, or the end of one, that is not there.
        let reason = reason.unwrap_or(if bytes > 0 { HoleReason::Damaged } else { HoleReason::Missing });
        let first_sequence = self.segment.next_sequence();
        self.segment.hole(last_sequence, bytes, reason)?;
        let ids = reader.map(|reader| suspects(reader, range.start, range.end)).unwrap_or_default();
        let name = |id: u32| self.known.get(&id).map_or(id.to_string(), |known| known.key.symbol().into_owned());
        self.losses.push(Loss {
            segment: self.job.name.clone(),
            offset: reader.map(|_| range.start as u64),
            bytes,
            first_sequence,
            last_sequence,
            reason,
            instruments: ids.into_iter().map(name).collect(),
        });
        Ok(())
    }
}
