//! Going to a place in a stream, choosing what is handed over, and noticing that the place is gone.

use super::look::DurableMark;
use super::start::{Current, open_active};
use crate::journal::filter::{Bound, Filter, STEP_BACK_NS};
use crate::journal::format::{SEGMENT_HEADER_BYTES, Stream, padded};
use crate::journal::index::{Entry, SegmentIndex};
use crate::journal::list_segments;
use crate::journal::reader::{TailError, Tailer};
use crate::journal::record::{Position, Selection};
use crate::journal::segment::{BadLength, SegmentReader};
use crate::journal::walk::{Finding, Reason, Verdict, hole, is_unnumbered};
use crate::tick::{EndReason, HEADER_BYTES, Header, Hole, RType};

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The record with this sequence.
    Sequence(u64),
    /// The first record at which the running maximum of `ts_recv` (nanoseconds since the UNIX epoch) reaches this; so
    /// all records before it were received earlier.
    Time(u64),
}

/// What a seek found; the tailer stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// It stands before the record wanted.
    Exact,
    /// What was wanted lies before the oldest record that is there, or in a hole: it stands before the next that is
    /// there, and before the `Hole` record that says what is lost, if there is one.
    BeforeFirst {
        /// Sequence of the next record that is there.
        first: u64,
    },
    /// What was wanted is not there yet: it stands behind the newest record committed; or it lies in a hole at the end,
    /// and it stands before the `Hole` record.
    AfterLast {
        /// Its sequence; 0 = there is none.
        last: u64,
    },
}

/// A place in the stream: the record there, or the one that will come.
#[derive(Debug)]
struct Place {
    current: Current,
    offset: usize,
    /// That follows there; the first one lost, before a hole.
    sequence: u64,
    met: Met,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Record,
    /// A `Hole`, and the sequence of the next record of that segment, if there is one.
    Hole(Option<u64>),
    /// Nothing yet, or the `End` of the segment.
    End,
}

impl Tailer {
    /// Hands over only what the filter takes from here on; a poll then counts what it hands over. Begins at the filter's
    /// `from` if that lies ahead, and does not read segments of which a file beside them (made by sealing) says that
    /// they hold nothing wanted.
    pub fn with_filter(mut self, filter: Filter) -> Tailer {
        let from = match filter.from {
            Some(Bound::Sequence(from)) => {
                self.skip_below = self.skip_below.max(from);
                Some(Seek::Sequence(from))
            }
            Some(Bound::Time(from)) => Some(Seek::Time(from)),
            None => None,
        };
        // A place that can't be found is met, and told, by reading on.
        if let Some(Ok((_, place))) = from.map(|from| self.find(from))
            && (place.current.ordinal(), place.offset) > (self.current.ordinal(), self.offset)
        {
            let skip_below = self.skip_below;
            self.stand(place);
            self.skip_below = skip_below;
        }
        self.selection = (!filter.is_empty()).then(|| Box::new(Selection::new(filter)));
        self.is_past = false;
        if self.offset == SEGMENT_HEADER_BYTES
            && let Ok(Some(follows)) = self.passed_over(&self.current)
        {
            (self.ended, self.expected) = (Some(EndReason::Full as u8), follows);
            self.segments_read -= 1;
        }
        self
    }

    /// Stops at the newest record that is known to be on the disk, by the durable mark of the control page: what is
    /// handed over outlives the host's death, too. At level `process` the mark moves when the journal is closed.
    pub fn with_durable(mut self, durable: bool) -> Tailer {
        self.durable = if durable {
            self.lookout.renew_control(&self.folder, self.stream);
            DurableMark::Durable { sequence: 0 }
        } else {
            DurableMark::Unlimited
        };
        self
    }

    /// For readers of what is recorded, called after [`with_filter`](Self::with_filter): a poll looks at no more than
    /// `records` records, wanted or not, so that its caller may look around while nothing is wanted (it ends with
    /// [`TailState::More`](crate::journal::TailState::More) then, whatever it handed over); and a filter's end in time is an
    /// end of reading ([`is_past`](Self::is_past)), once a record is a minute later.
    ///
    /// Where the journal was opened again after the segment in which that could be, frames recovered by the opening have
    /// older stamps: then reading goes on to the end.
    pub fn with_slices(mut self, records: usize) -> Tailer {
        let Some(to) = self.selection.as_ref().map(|selection| selection.filter.to) else { return self };
        let ends_at = match to {
            Some(Bound::Time(to)) if self.has_one_opening() => to.saturating_add(STEP_BACK_NS),
            _ => u64::MAX,
        };
        if let Some(selection) = &mut self.selection {
            (selection.looks_max, selection.ends_at) = (records.max(1), ends_at);
        }
        self
    }

    /// Whether what comes was written by one opening of the journal.
    fn has_one_opening(&self) -> bool {
        let of = |ordinal: u64| {
            let reader = SegmentReader::open_in(&self.folder, ordinal).ok()?;
            Some(reader.checked_header(self.stream, ordinal).ok()?.prepared.epoch)
        };
        let newest = self.ordinals().ok().and_then(|ordinals| ordinals.into_iter().rev().find_map(of));
        newest == Some(self.current.header.prepared.epoch)
    }

    /// Whether the filter's end was passed (a sequence; a time, for those who read [in slices](Self::with_slices)):
    /// nothing more will be handed over.
    pub fn is_past(&self) -> bool {
        self.is_past
    }

    /// Segments that were entered so far, those passed over not among them.
    pub fn segments_read(&self) -> u64 {
        self.segments_read
    }

    /// Goes to a record, backwards or forwards; definitions of instruments before it are known then.
    ///
    /// # Errors
    ///
    /// See [`TailError`]; the tailer stands where it stood.
    pub fn seek(&mut self, to: Seek) -> Result<Sought, TailError> {
        let (sought, place) = self.find(to)?;
        self.stand(place);
        Ok(sought)
    }

    /// Goes on where a reader stood.
    pub(in crate::journal) fn resume(&mut self, position: Position) -> Result<(), TailError> {
        let read = position.sequence.saturating_sub(1);
        if read > 0 {
            let (sought, place) = self.find(Seek::Sequence(read))?;
            // The same number in a later opening is another record.
            let is_cut = match sought {
                Sought::Exact => place.current.header.prepared.epoch > position.epoch,
                Sought::BeforeFirst { .. } => false,
                // Not one that lies in a hole, nor before it: a loss that a repair found is told by the hole.
                Sought::AfterLast { .. } => place.met == Met::End && place.sequence <= read,
            };
            if is_cut {
                let last = self.last_before(|header| header.prepared.epoch <= position.epoch)?;
                return Err(TailError::Rewound { last });
            }
        }
        self.seek(Seek::Sequence(position.sequence.max(1))).map(|_| ())
    }

    fn stand(&mut self, place: Place) {
        let entered = (place.current.ordinal() != self.current.ordinal()) || place.offset < self.offset;
        self.segments_read += u64::from(entered);
        self.offset = place.offset;
        self.expected = place.sequence;
        self.early_at = 0;
        self.current = place.current;
        (self.next, self.ended, self.skip_below, self.is_past) = (None, None, 0, false);
    }

    fn find(&mut self, to: Seek) -> Result<(Sought, Place), TailError> {
        match to {
            Seek::Sequence(sequence) => self.find_sequence(sequence),
            Seek::Time(time) => self.find_time(time),
        }
    }

    pub(super) fn ordinals(&self) -> Result<Vec<u64>, TailError> {
        list_segments(&self.folder).map_err(|source| TailError::Io { path: self.folder.clone(), source })
    }

    pub(super) fn open_at(&self, ordinal: u64) -> Result<Option<Current>, TailError> {
        open_active(&self.folder, self.stream, ordinal)
    }

    fn find_sequence(&mut self, wanted: u64) -> Result<(Sought, Place), TailError> {
        let ordinals = self.ordinals()?;
        // The last segment that begins at or before it; those only prepared, or gone meanwhile, lie behind every record.
        let (mut low, mut high) = (0, ordinals.len());
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.open_at(ordinals[middle])? {
                Some(current) if current.base_sequence() <= wanted => {
                    (found, low) = (Some((middle, current)), middle + 1)
                }
                _ => high = middle,
            }
        }
        let reached = |head: &Header, hole: Option<&Hole>| match hole {
            Some(hole) => hole.last_sequence >= wanted,
            None => head.sequence >= wanted,
        };
        let Some((at, current)) = found else { return self.find_first(&ordinals, 0, 0, reached) };
        let index = self.index(&current)?;
        let last = index.summary.last_sequence;
        // None that lies behind it: a hole at the front comes before every entry.
        let entry = index.before_sequence(wanted).filter(|entry| entry.sequence <= wanted);
        let place = self.place(current, entry, reached)?;
        let sought = match place.met {
            Met::Record if place.sequence == wanted => Sought::Exact,
            Met::Record => Sought::BeforeFirst { first: place.sequence },
            Met::Hole(Some(first)) => Sought::BeforeFirst { first },
            Met::Hole(None) => self.find_first(&ordinals, at + 1, last, |_, hole| hole.is_none())?.0,
            Met::End => return self.find_first(&ordinals, at + 1, last, reached),
        };
        Ok((sought, place))
    }

    fn find_time(&mut self, wanted: u64) -> Result<(Sought, Place), TailError> {
        let ordinals = self.ordinals()?;
        let mut first = None;
        let mut last = 0;
        for (at, &ordinal) in ordinals.iter().enumerate() {
            let Some(current) = self.open_at(ordinal)? else { continue };
            let head = match self.indexes.contains_key(&ordinal) {
                false => SegmentIndex::load_head(&self.folder, &current.header),
                true => None,
            };
            let summary = match head {
                Some(head) => head,
                None => self.index(&current)?.summary.clone(),
            };
            last = summary.last_sequence;
            if summary.records == 0 {
                continue;
            }
            first.get_or_insert(summary.first_sequence);
            if summary.ts_recv.1 < wanted {
                continue;
            }
            let entry = self.index(&current)?.before_time(wanted);
            let mut reached = 0;
            let place = self.place(current, entry, |head, hole| {
                reached = if hole.is_none() { head.ts_recv } else { reached };
                reached >= wanted
            })?;
            if reached < wanted {
                // An index that lied; the record is further on.
                let reaches = |head: &Header, hole: Option<&Hole>| hole.is_none() && head.ts_recv >= wanted;
                return self.find_first(&ordinals, at + 1, last, reaches);
            }
            let sequence = place.sequence;
            let is_before = first == Some(sequence) && reached > wanted;
            return Ok((if is_before { Sought::BeforeFirst { first: sequence } } else { Sought::Exact }, place));
        }
        self.find_first(&ordinals, ordinals.len(), last, |_, _| true)
    }

    /// The first record or hole from a segment on that will do, or the end.
    fn find_first(
        &mut self,
        ordinals: &[u64],
        from: usize,
        mut last: u64,
        wanted: impl Fn(&Header, Option<&Hole>) -> bool,
    ) -> Result<(Sought, Place), TailError> {
        let mut before = None;
        for &ordinal in &ordinals[from..] {
            let Some(current) = self.open_at(ordinal)? else { continue };
            let index = self.index(&current)?;
            if index.summary.records > 0 {
                last = index.summary.last_sequence;
            }
            let place = self.place(current, None, &wanted)?;
            let first = match place.met {
                Met::Record => Some(place.sequence),
                Met::Hole(first) => first,
                Met::End => continue,
            };
            // Behind a hole that fills its segment the next record is further on.
            let place = before.take().unwrap_or(place);
            match first {
                Some(first) => return Ok((Sought::BeforeFirst { first }, place)),
                None => before = Some(place),
            }
        }
        if let Some(place) = before {
            return Ok((Sought::AfterLast { last }, place));
        }
        for &ordinal in ordinals.iter().rev() {
            if let Some(current) = self.open_at(ordinal)? {
                let entry = self.index(&current)?.entries.last().copied();
                return Ok((Sought::AfterLast { last }, self.place(current, entry, |_, _| false)?));
            }
        }
        Err(TailError::NoJournal(self.folder.clone()))
    }

    /// Goes from an entry to the first record or hole that will do, or to the end of what is committed, and learns the
    /// definitions before it.
    fn place(
        &mut self,
        current: Current,
        entry: Option<Entry>,
        mut wanted: impl FnMut(&Header, Option<&Hole>) -> bool,
    ) -> Result<Place, TailError> {
        let stream = self.stream;
        let corrupt = |bad| corrupt(stream, &current, current.reader.reason(bad));
        let mut sequence = current.base_sequence();
        let mut offset = SEGMENT_HEADER_BYTES;
        // The front first: restated definitions, up to the first record or hole.
        while let Some(record) = current.reader.record(offset).map_err(corrupt)? {
            let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
            if head.sequence != 0 || head.rtype != RType::Instrument as u8 {
                break;
            }
            self.instruments.note(head.instrument_id, record);
            offset += padded(record.len());
        }
        if let Some(entry) = entry
            && entry.offset as usize > offset
        {
            let ordinal = current.ordinal();
            let definitions = self.indexes.get(&ordinal).map(|index| index.definitions.clone()).unwrap_or_default();
            for at in definitions.into_iter().take_while(|at| *at < entry.offset) {
                if let Some(record) = current.reader.record(at as usize).map_err(corrupt)? {
                    let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
                    self.instruments.note(head.instrument_id, record);
                }
            }
            (offset, sequence) = (entry.offset as usize, entry.sequence);
        }
        let mut met = Met::End;
        while let Some(record) = current.reader.record(offset).map_err(corrupt)? {
            let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
            if head.rtype == RType::End as u8 {
                break;
            }
            if !is_unnumbered(head) {
                sequence = head.sequence;
                if wanted(head, None) {
                    met = Met::Record;
                    break;
                }
                sequence += 1;
            } else if let Some(hole) = hole(record).filter(|_| head.rtype == RType::Hole as u8) {
                sequence = hole.first_sequence;
                if wanted(head, Some(&hole)) {
                    met = Met::Hole(next_numbered(&current.reader, offset).map_err(corrupt)?);
                    break;
                }
                sequence = hole.last_sequence.wrapping_add(1);
            }
            if head.rtype == RType::Instrument as u8 {
                self.instruments.note(head.instrument_id, record);
            }
            offset += padded(record.len());
        }
        Ok(Place { current, offset, sequence, met })
    }

    /// The index of a segment, as far as it is committed: of the file beside it, else by a scan.
    fn index(&mut self, current: &Current) -> Result<&SegmentIndex, TailError> {
        let ordinal = current.ordinal();
        let salt = current.header.prepared.salt;
        let known = self.indexes.remove(&ordinal).filter(|known| known.salt == salt);
        let mut index = match known {
            Some(known) => known,
            None => SegmentIndex::load(&self.folder, &current.header)
                .filter(|index| points_right(index, &current.reader))
                .unwrap_or_else(|| SegmentIndex::new(&current.header)),
        };
        if !index.ended {
            index.extend(&current.reader).map_err(|bad| corrupt(self.stream, current, current.reader.reason(bad)))?;
        }
        Ok(self.indexes.entry(ordinal).or_insert(index))
    }

    /// The sequence that follows a segment in which the filter takes nothing, if a later one is in use.
    pub(in crate::journal) fn passed_over(&self, segment: &Current) -> Result<Option<u64>, TailError> {
        let Some(selection) = &self.selection else { return Ok(None) };
        let Some(index) = SegmentIndex::load(&self.folder, &segment.header) else { return Ok(None) };
        if index.summary.may_match(&selection.filter) || !points_right(&index, &segment.reader) {
            return Ok(None);
        }
        Ok(self.open_at(segment.ordinal() + 1)?.map(|_| index.summary.last_sequence + 1))
    }
}

fn corrupt(stream: Stream, current: &Current, reason: Reason) -> TailError {
    TailError::Corrupt(Finding::new(stream, current.ordinal(), SEGMENT_HEADER_BYTES, Verdict::Corrupt, reason))
}

/// Sequence of the first numbered record of a segment from an offset on.
fn next_numbered(reader: &SegmentReader, mut offset: usize) -> Result<Option<u64>, BadLength> {
    while let Some(record) = reader.record(offset)? {
        let head: &Header = bytemuck::from_bytes(&record[..HEADER_BYTES]);
        if head.rtype == RType::End as u8 {
            break;
        }
        if !is_unnumbered(head) {
            return Ok(Some(head.sequence));
        }
        offset += padded(record.len());
    }
    Ok(None)
}

/// Whether an index points to the records it says: the last entry, and every definition.
fn points_right(index: &SegmentIndex, reader: &SegmentReader) -> bool {
    let head = |offset: u32| -> Option<Header> {
        let record = reader.record(offset as usize).ok()??;
        Some(bytemuck::pod_read_unaligned(&record[..HEADER_BYTES]))
    };
    if reader.is_packed() {
        // Looking would unpack; a compressed segment and its index were made from the same bytes and both carry sums.
        return true;
    }
    let entry = index.entries.last();
    entry.is_none_or(|entry| head(entry.offset).is_some_and(|head| head.sequence == entry.sequence))
        && index
            .definitions
            .iter()
            .all(|at| head(*at).is_some_and(|head| head.rtype == RType::Instrument as u8 && head.sequence != 0))
}
