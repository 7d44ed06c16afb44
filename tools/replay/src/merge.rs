//! Several journals as one stream of records in the order of time.
//!
//! Each journal is read in batches and never as a whole. Two orders:
//!
//! - **By receipt**: a journal keeps its own order, that of `sequence`. A record's time is the highest `ts_recv` up to it
//!   (stamps of several connections step back a little), so times never go back.
//! - **By event**: a journal's records are put in the order of `ts_event`, those of one instant in that of `sequence`. The
//!   reordering looks [`EVENT_WINDOW_NS`] of event time and [`EVENT_WINDOW_RECORDS`] records ahead and no further; what
//!   comes later than that takes its place at once, with the time of the record before it, so times never go back. How far
//!   event time has come is told by an [`EventClock`]: one record with a wrong date ends no waiting. A time of day without a
//!   date is of the day nearest to `ts_recv`. A record without an event time (service records) has that of the last record
//!   before it of the same instrument, else of any; the first ones of a journal have the first event time that follows
//!   among [`FIRST_EVENT_RECORDS`] records, else their `ts_recv`.
//!
//! Where times of several journals are the same, the journal named first comes first, and in a journal the lower sequence.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::{Path, PathBuf};

use hoga::journal::{Filter, Position, Start, Stream, TailError, TailState, Tailer};
use hoga::tick::{HEADER_BYTES, Header, Instrument};

use crate::control::Controls;
use crate::event::{EventClock, event_time, market_of};

/// Event time that reordering looks ahead.
pub const EVENT_WINDOW_NS: u64 = 5_000_000_000;
/// Records that reordering looks ahead, at most.
pub const EVENT_WINDOW_RECORDS: usize = 65_536;
/// Records looked through for the first event time of a journal.
pub const FIRST_EVENT_RECORDS: usize = 4096;
/// Garbage that is not worth collecting, words.
const ROOM_WORDS: usize = 1 << 16;
/// Records taken from a journal at once.
const BATCH: usize = 256;
/// Records looked at, wanted or not, between two looks at whether the end was asked for.
const SLICE: usize = 65_536;

/// Which time orders records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// When they were received.
    #[default]
    Recv,
    /// When they happened, by the exchange's clock.
    Event,
}

/// Reading a journal failed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", dir.display())]
pub struct ReadError {
    /// The journal.
    pub dir: PathBuf,
    /// What is wrong.
    pub source: TailError,
}

/// A record and where it comes from, lent until the next call.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// Its exact bytes.
    pub bytes: &'a [u8],
    /// Its place in its journal.
    pub position: Position,
    /// Its journal, by the order they were named in.
    pub journal: usize,
    /// The time it is ordered by, ns since the UNIX epoch; never less than that of the record before.
    pub time: u64,
    /// What its `instrument_id` stands for in its journal.
    pub instrument: Option<&'a Instrument>,
}

/// Records of journals, merged.
#[derive(Debug)]
pub struct Merge {
    inputs: Vec<Input>,
    /// Time and number of the inputs that have a record.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// The input whose record is lent.
    lent: Option<usize>,
    controls: Controls,
}

impl Merge {
    /// Opens the journals, each with its filter. Checksums are checked.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn open<'a>(journals: impl IntoIterator<Item = (&'a Path, Filter)>, by: By) -> Result<Merge, ReadError> {
        Merge::open_with(journals, by, &Controls::default())
    }

    /// As [`open`](Self::open); when the end is asked for, what was read is the end, however little a filter takes.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn open_with<'a>(
        journals: impl IntoIterator<Item = (&'a Path, Filter)>,
        by: By,
        controls: &Controls,
    ) -> Result<Merge, ReadError> {
        let controls = controls.clone();
        let mut merge = Merge { inputs: Vec::new(), heads: BinaryHeap::new(), lent: None, controls };
        for (dir, filter) in journals {
            let fail = |source| ReadError { dir: dir.to_owned(), source };
            let tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).map_err(fail)?;
            let tailer = tailer.with_crc_check(true).with_filter(filter).with_slices(SLICE);
            merge.inputs.push(Input::new(dir, tailer, by));
        }
        for index in 0..merge.inputs.len() {
            merge.refill(index)?;
        }
        Ok(merge)
    }

    /// Records that were gone past because retention had deleted their days, of all journals, as far as read.
    pub fn pruned(&self) -> u64 {
        self.inputs.iter().map(|input| input.tailer.pruned()).sum()
    }

    /// The next record; `None` at the end of what was committed.
    ///
    /// # Errors
    ///
    /// See [`ReadError`]; the records before it were lent.
    #[allow(clippy::should_implement_trait, reason = "an iterator can't lend")]
    pub fn next(&mut self) -> Result<Option<Taken<'_>>, ReadError> {
        if let Some(index) = self.lent.take() {
            self.refill(index)?;
        }
        let Some(Reverse((time, index))) = self.heads.pop() else { return Ok(None) };
        self.lent = Some(index);
        let input = &mut self.inputs[index];
        let Some(held) = input.ready.pop_front() else { return Ok(None) };
        input.lent = held;
        let held = &input.lent;
        let bytes: &[u8] = &bytemuck::cast_slice(&input.words[held.start..])[..held.bytes];
        let header: &Header = bytemuck::from_bytes(&bytes[..HEADER_BYTES]);
        let instrument = input.tailer.instrument(header.instrument_id);
        Ok(Some(Taken { bytes, position: held.position, journal: index, time, instrument }))
    }

    fn refill(&mut self, index: usize) -> Result<(), ReadError> {
        let input = &mut self.inputs[index];
        if let Some(time) = input.head(&self.controls)? {
            self.heads.push(Reverse((time, index)));
        }
        Ok(())
    }
}

/// A record in an input's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    time: u64,
    /// Number of the record as read: what keeps the journal's order.
    number: u64,
    start: usize,
    bytes: usize,
    position: Position,
}

/// One journal.
#[derive(Debug)]
struct Input {
    dir: PathBuf,
    tailer: Tailer,
    is_done: bool,
    /// Bytes of the records that are ready, waiting or lent.
    words: Vec<u64>,
    ready: VecDeque<Held>,
    lent: Held,
    read: u64,
    /// Time of the newest record made ready.
    clock: u64,
    events: Option<Events>,
}

/// What ordering by event time needs.
#[derive(Debug)]
struct Events {
    waiting: BinaryHeap<Reverse<Held>>,
    clock: EventClock,
    /// Event time of the last record that had one and was not far ahead of the others; 0 = none yet.
    last: u64,
    by_instrument: Vec<u64>,
    /// Records before the first event time.
    leading: Vec<Held>,
}

impl Input {
    fn new(dir: &Path, tailer: Tailer, by: By) -> Input {
        Input {
            dir: dir.to_owned(),
            tailer,
            is_done: false,
            words: Vec::new(),
            ready: VecDeque::new(),
            lent: Held::default(),
            read: 0,
            clock: 0,
            events: (by == By::Event).then(Events::new),
        }
    }

    /// Time of the next record, after reading as far as that takes.
    fn head(&mut self, controls: &Controls) -> Result<Option<u64>, ReadError> {
        loop {
            if let Some(held) = self.ready.front() {
                return Ok(Some(held.time));
            }
            if let Some(events) = &mut self.events {
                events.release(self.is_done, &mut self.ready);
            }
            for held in &mut self.ready {
                self.clock = self.clock.max(held.time);
                held.time = self.clock;
            }
            if self.ready.is_empty() {
                if self.is_done {
                    return Ok(None);
                }
                if controls.has_quit() {
                    self.is_done = true;
                    continue;
                }
                self.read_batch()?;
            }
        }
    }

    fn read_batch(&mut self) -> Result<(), ReadError> {
        self.make_room();
        let (words, read) = (&mut self.words, &mut self.read);
        let (ready, events, clock) = (&mut self.ready, &mut self.events, &mut self.clock);
        let polled = self.tailer.poll(BATCH, |record| {
            let header = record.header();
            let start = words.len();
            let whole = record.bytes.len() / 8 * 8;
            words.extend_from_slice(bytemuck::cast_slice(&record.bytes[..whole]));
            if whole < record.bytes.len() {
                let mut last = [0; 8];
                last[..record.bytes.len() - whole].copy_from_slice(&record.bytes[whole..]);
                words.push(u64::from_le_bytes(last));
            }
            *read += 1;
            let mut held = Held {
                time: header.ts_recv,
                number: *read,
                start,
                bytes: record.bytes.len(),
                position: record.position,
            };
            match events {
                Some(events) => events.take(held, header, record.bytes),
                None => {
                    *clock = (*clock).max(held.time);
                    held.time = *clock;
                    ready.push_back(held);
                }
            }
        });
        let polled = polled.map_err(|source| ReadError { dir: self.dir.clone(), source })?;
        self.is_done = polled.state != TailState::More || self.tailer.is_past();
        Ok(())
    }

    /// Forgets the bytes of what was lent; what waits is moved to the front.
    fn make_room(&mut self) {
        let Some(events) = &mut self.events else { return self.words.clear() };
        let live = events.waiting.iter().map(|Reverse(held)| held).chain(&events.leading);
        let live: usize = live.map(|held| held.bytes.div_ceil(8)).sum();
        // Half at least is garbage: what is moved was paid for by what came.
        if self.words.len() < 2 * live + ROOM_WORDS {
            return;
        }
        let mut kept: Vec<Held> = events.waiting.drain().map(|Reverse(held)| held).collect();
        let leading = kept.len();
        kept.append(&mut events.leading);
        let mut words = Vec::with_capacity(self.words.len());
        for held in &mut kept {
            let start = words.len();
            words.extend_from_slice(&self.words[held.start..held.start + held.bytes.div_ceil(8)]);
            held.start = start;
        }
        events.leading = kept.split_off(leading);
        events.waiting = kept.into_iter().map(Reverse).collect();
        self.words = words;
    }
}

impl Events {
    fn new() -> Events {
        Events {
            waiting: BinaryHeap::new(),
            clock: EventClock::new(EVENT_WINDOW_NS),
            last: 0,
            by_instrument: Vec::new(),
            leading: Vec::new(),
        }
    }

    fn take(&mut self, mut held: Held, header: &Header, bytes: &[u8]) {
        let id = header.instrument_id as usize;
        match market_of(header, bytes).and_then(|market| event_time(header, &market)) {
            Some(time) => {
                held.time = time;
                let is_far = self.clock.now() > 0 && self.clock.is_far(time);
                self.clock.see(time);
                for mut first in self.leading.drain(..) {
                    first.time = time;
                    self.waiting.push(Reverse(first));
                }
                if !is_far || self.last == 0 {
                    self.last = time;
                }
                if !is_far && id > 0 && id < 1 << 22 {
                    if self.by_instrument.len() <= id {
                        self.by_instrument.resize(id + 1, 0);
                    }
                    self.by_instrument[id] = time;
                }
            }
            None if self.last == 0 => {
                self.leading.push(held);
                if self.leading.len() >= FIRST_EVENT_RECORDS {
                    self.waiting.extend(self.leading.drain(..).map(Reverse));
                }
                return;
            }
            None => held.time = self.by_instrument.get(id).copied().filter(|time| *time > 0).unwrap_or(self.last),
        }
        self.waiting.push(Reverse(held));
    }

    /// Makes ready what nothing that follows can come before.
    fn release(&mut self, is_done: bool, ready: &mut VecDeque<Held>) {
        if is_done {
            self.waiting.extend(self.leading.drain(..).map(Reverse));
        }
        while let Some(Reverse(first)) = self.waiting.peek() {
            let is_settled = first.time.saturating_add(EVENT_WINDOW_NS) <= self.clock.now();
            if !(is_done || is_settled || self.waiting.len() > EVENT_WINDOW_RECORDS || self.last == 0) {
                break;
            }
            ready.push_back(*first);
            self.waiting.pop();
        }
    }
}
