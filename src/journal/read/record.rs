//! A committed record and its place, as readers see them.

use crate::journal::filter::{Bound, Filter};
use crate::tick::{HEADER_BYTES, Header, Instrument};

/// Ids beyond this are not kept: damaged bytes must not make us allocate.
pub(in crate::journal) const INSTRUMENT_ID_MAX: u32 = 1 << 22;

/// Place of a record. Ordered by (epoch, sequence).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Opening that wrote it.
    pub epoch: u64,
    /// Its sequence; 0 = not numbered.
    pub sequence: u64,
    /// Its segment.
    pub ordinal: u64,
    /// Its offset there.
    pub offset: u64,
}

/// A committed record, borrowed from the map.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// The record's exact bytes, the first at a multiple of eight. They never change.
    pub bytes: &'a [u8],
    /// Its place.
    pub position: Position,
    pub(in crate::journal) instruments: &'a Instruments,
}

impl<'a> RecordRef<'a> {
    /// The record's header.
    pub fn header(&self) -> &'a Header {
        // `SegmentReader::record` gives at least a header, aligned.
        bytemuck::from_bytes(&self.bytes[..HEADER_BYTES])
    }

    /// What an id stands for, if it was declared.
    pub fn instrument(&self, id: u32) -> Option<&'a Instrument> {
        self.instruments.get(id)
    }
}

/// Definitions by id.
#[derive(Debug, Default)]
pub(in crate::journal) struct Instruments {
    by_id: Vec<Instrument>,
}

impl Instruments {
    pub(in crate::journal) fn get(&self, id: u32) -> Option<&Instrument> {
        self.by_id.get(id as usize).filter(|definition| definition.header.instrument_id == id && id != 0)
    }

    pub(in crate::journal) fn note(&mut self, id: u32, record: &[u8]) {
        if id == 0 || id > INSTRUMENT_ID_MAX {
            return;
        }
        let at = id as usize;
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, bytemuck::zeroed());
        }
        let bytes = record.len().min(size_of::<Instrument>());
        bytemuck::bytes_of_mut(&mut self.by_id[at])[..bytes].copy_from_slice(&record[..bytes]);
    }
}

/// A filter, and what was found out about instruments: a symbol is compared once an id.
#[derive(Debug)]
pub(in crate::journal) struct Selection {
    pub(in crate::journal) filter: Filter,
    /// By id: 0 not looked at, 1 wanted, 2 not.
    wanted: Vec<u8>,
    /// Records looked at by the present poll, and how many one may look at.
    pub(in crate::journal) looks: usize,
    pub(in crate::journal) looks_max: usize,
    /// `ts_recv` from which on nothing that follows can be taken; `u64::MAX`: reading goes on to the end.
    pub(in crate::journal) ends_at: u64,
}

impl Selection {
    pub(in crate::journal) fn new(filter: Filter) -> Selection {
        Selection { filter, wanted: Vec::new(), looks: 0, looks_max: usize::MAX, ends_at: u64::MAX }
    }

    /// Whether nothing behind a record can be taken.
    pub(in crate::journal) fn is_past(&self, head: &Header) -> bool {
        head.ts_recv >= self.ends_at || matches!(self.filter.to, Some(Bound::Sequence(to)) if head.sequence > to)
    }

    /// Counts a record looked at; whether the poll has looked at as many as it may.
    pub(in crate::journal) fn counts_full(&mut self) -> bool {
        self.looks += 1;
        self.looks >= self.looks_max
    }

    pub(in crate::journal) fn takes(&mut self, record: &RecordRef<'_>) -> bool {
        if !self.filter.symbols.is_empty() {
            let id = record.header().instrument_id;
            match self.wanted.get(id as usize) {
                Some(1) => {}
                Some(2) => return false,
                _ => return self.look(record, id),
            }
        }
        self.filter.takes_but_symbol(record)
    }

    #[cold]
    fn look(&mut self, record: &RecordRef<'_>, id: u32) -> bool {
        let Some(known) = record.instrument(id) else { return false };
        let wanted = self.filter.takes_symbol(known.key.symbol().as_ref());
        if self.wanted.len() <= id as usize {
            self.wanted.resize(id as usize + 1, 0);
        }
        self.wanted[id as usize] = if wanted { 1 } else { 2 };
        wanted && self.filter.takes_but_symbol(record)
    }
}
