//! From records to rows, in the order of the journal, with memory for the open intervals alone.

use std::collections::{BTreeMap, HashMap};

use hoga::journal::{Bound, Filter, RecordRef};
use hoga::market::calendar::Calendar;
use hoga::market::phase::{Phase, phase_in, phase_of_trade_in};
use hoga::tick::{Book, Flags, Header, InstrumentKey, Level, Market, Publisher, RType, RecordView, Side, Trade, view};

use super::columns::{Bar, BookSample, RowKey};
use super::grid::{Every, KoreanTime, trading_day};
use crate::event::{EventClock, event_time, market_of};
use hoga_table::{OutputError, RowSink};

/// Event times are whole seconds: a step of the clock is one at least.
const STEP_MIN_NS: u64 = 1_000_000_000;
const LEVELS_MAX: usize = hoga::tick::BOOK_LEVELS;

/// How bars are made.
#[derive(Clone, Copy, Debug)]
pub struct BarConfig {
    /// Length of the intervals.
    pub every: Every,
    /// How far event time must have passed an interval's end before it is closed, ns.
    pub late_ns: u64,
    /// Levels a side of sampled books, 1 to 10; 0 = no books.
    pub book_levels: usize,
}

/// What was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Trades in bars.
    pub trades: u64,
    /// Trades left out because they came twice or were only asked for.
    pub trades_left_out: u64,
    /// Trades and books that came after their interval was closed: in no row.
    pub late: u64,
    /// Trades and books of an instrument the journal does not declare: in no row.
    pub unnamed: u64,
    /// Books read.
    pub books: u64,
    /// Bars written.
    pub bars: u64,
    /// Sampled books written.
    pub samples: u64,
    /// Most intervals open at once: what was held in memory.
    pub open_max: u64,
}

/// Order of a trade or book within its interval.
type Place = (u64, u64);

#[derive(Clone, Copy, Debug)]
struct OpenBar {
    first: Place,
    last: Place,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: u64,
    cost: i128,
    trades: u64,
    buy_volume: u64,
    sell_volume: u64,
    gaps: u64,
}

#[derive(Clone, Copy, Debug)]
struct Snapshot {
    place: Place,
    phase: Phase,
    total_bid_qty: u64,
    total_ask_qty: u64,
    count: usize,
    levels: [Level; LEVELS_MAX],
}

type BarKey = (u64, InstrumentKey, u16, Phase);
type BookKey = (u64, InstrumentKey, u16);

/// Takes records in the order of their journals and hands rows to two sinks, ordered by interval, market, symbol, venue and
/// session.
#[derive(Debug)]
pub struct BarBuilder {
    config: BarConfig,
    calendar: Calendar,
    korean: KoreanTime,
    bars: BTreeMap<BarKey, OpenBar>,
    /// `None`: something was traded, no book came.
    books: BTreeMap<BookKey, Option<Box<Snapshot>>>,
    /// The book that was newest at the end of the last closed interval.
    newest: HashMap<(InstrumentKey, u16), Box<Snapshot>>,
    records: u64,
    clock: EventClock,
    /// Only intervals are wanted that begin, as it is shown, from the first time on and before the second.
    range: (u64, u64),
    /// Intervals that begin before this are closed.
    closed_before: u64,
    totals: Totals,
}

impl BarBuilder {
    /// Nothing read yet; sessions are those of the calendar.
    pub fn new(config: BarConfig, calendar: Calendar) -> BarBuilder {
        let config = BarConfig { book_levels: config.book_levels.min(LEVELS_MAX), ..config };
        BarBuilder {
            config,
            calendar,
            korean: KoreanTime::default(),
            bars: BTreeMap::new(),
            books: BTreeMap::new(),
            newest: HashMap::new(),
            records: 0,
            clock: EventClock::new(config.late_ns.max(STEP_MIN_NS)),
            range: (0, u64::MAX),
            closed_before: 0,
            totals: Totals::default(),
        }
    }

    /// What was read and written so far.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Begins a journal: its records are to come through the filter that is returned. Times of the one given choose whole
    /// intervals by their beginning; what is read is wider by `late_ns`, since records come after what they tell of.
    ///
    /// # Errors
    ///
    /// Those of the sinks, which get the rows of the journals before if their range was another one.
    pub fn begin(
        &mut self,
        filter: Filter,
        bars: &mut dyn RowSink<Bar>,
        books: &mut dyn RowSink<BookSample>,
    ) -> Result<Filter, OutputError> {
        let BarConfig { every, late_ns, .. } = self.config;
        let mut range = (0, u64::MAX);
        let mut wider = filter;
        if let Some(Bound::Time(from)) = &mut wider.from {
            range.0 = *from;
            *from = from.saturating_sub(late_ns);
        }
        if let Some(Bound::Time(to)) = &mut wider.to {
            range.1 = *to;
            *to = every.last_end(*to).saturating_add(late_ns);
        }
        if range != self.range {
            let last_bar = self.bars.last_key_value().map(|(key, _)| key.0);
            let last_book = self.books.last_key_value().map(|(key, _)| key.0);
            if let Some(last) = last_bar.max(last_book) {
                self.close_before(last.saturating_add(every.ns()), bars, books)?;
            }
            self.range = range;
        }
        Ok(wider)
    }

    /// Takes a record of stream `ticks`; kinds other than trades and books only move event time on.
    pub fn record(&mut self, record: &RecordRef<'_>) {
        let header = record.header();
        let rtype = header.rtype;
        if rtype >= RType::Instrument as u8 {
            return;
        }
        self.records += 1;
        let instrument = || record.instrument(header.instrument_id).map(|known| known.key);
        match view(record.bytes) {
            Some(RecordView::Trade(trade)) => {
                let ts = self.event(&trade.header, &trade.market);
                self.trade(&trade, ts, instrument());
            }
            Some(RecordView::Book(book, levels)) => {
                let ts = self.event(&book.header, &book.market);
                if self.config.book_levels > 0 {
                    self.book(&book, &levels, ts, instrument());
                }
            }
            Some(RecordView::Expected(_) | RecordView::Index(_) | RecordView::Program(_) | RecordView::Status(_)) => {
                if let Some(time) = market_of(header, record.bytes).and_then(|market| event_time(header, &market)) {
                    self.clock.see(time);
                }
            }
            _ => {}
        }
    }

    /// When a record happened; moves event time on.
    fn event(&mut self, header: &Header, market: &Market) -> u64 {
        let ts = event_time(header, market).unwrap_or(header.ts_recv);
        self.clock.see(ts);
        ts
    }

    /// Whether the rows of an interval are wanted.
    fn is_wanted(&self, start: u64) -> bool {
        (self.range.0..self.range.1).contains(&self.config.every.shown(start))
    }

    fn is_late(&mut self, start: u64) -> bool {
        let late = start < self.closed_before;
        self.totals.late += u64::from(late);
        late
    }

    fn trade(&mut self, trade: &Trade, ts: u64, instrument: Option<InstrumentKey>) {
        let start = self.config.every.start_of(ts);
        if !self.is_wanted(start) {
            return;
        }
        if !trade.counts() {
            self.totals.trades_left_out += 1;
            return;
        }
        let Some(instrument) = instrument else {
            self.totals.unnamed += 1;
            return;
        };
        if self.is_late(start) {
            return;
        }
        let publisher = trade.header.publisher;
        let (date, second) = self.korean.of(ts);
        let phase = Publisher::from_number(publisher)
            .map_or(Phase::Untold, |publisher| phase_of_trade_in(&self.calendar, publisher, trade, date, second));
        let place = (ts, self.records);
        let bar = self.bars.entry((start, instrument, publisher, phase)).or_insert(OpenBar {
            first: place,
            last: place,
            open: trade.px,
            high: trade.px,
            low: trade.px,
            close: trade.px,
            volume: 0,
            cost: 0,
            trades: 0,
            buy_volume: 0,
            sell_volume: 0,
            gaps: 0,
        });
        if place < bar.first {
            (bar.first, bar.open) = (place, trade.px);
        }
        if place > bar.last {
            (bar.last, bar.close) = (place, trade.px);
        }
        bar.high = bar.high.max(trade.px);
        bar.low = bar.low.min(trade.px);
        bar.volume = bar.volume.saturating_add(trade.qty);
        bar.cost += i128::from(trade.px) * i128::from(trade.qty);
        bar.trades += 1;
        bar.buy_volume += if trade.side == Side::Buy as u8 { trade.qty } else { 0 };
        bar.sell_volume += if trade.side == Side::Sell as u8 { trade.qty } else { 0 };
        bar.gaps += u64::from(trade.header.flags & Flags::GAP_BEFORE != 0);
        self.totals.trades += 1;
        if self.config.book_levels > 0 {
            self.books.entry((start, instrument, publisher)).or_insert(None);
        }
    }

    fn book(&mut self, book: &Book, levels: &[Level], ts: u64, instrument: Option<InstrumentKey>) {
        let start = self.config.every.start_of(ts);
        let is_wanted = self.is_wanted(start);
        // A book before the range is the newest one for its first intervals.
        if !is_wanted && (self.config.every.shown(start) >= self.range.1 || start < self.closed_before) {
            return;
        }
        let Some(instrument) = instrument else {
            self.totals.unnamed += 1;
            return;
        };
        if self.is_late(start) {
            return;
        }
        self.totals.books += u64::from(is_wanted);
        let place = (ts, self.records);
        let entry = self.books.entry((start, instrument, book.header.publisher)).or_insert(None);
        if entry.as_ref().is_some_and(|present| present.place > place) {
            return;
        }
        let (date, second) = self.korean.of(ts);
        let phase = Publisher::from_number(book.header.publisher)
            .map_or(Phase::Untold, |publisher| phase_in(&self.calendar, publisher, date, second));
        let count = levels.len().min(LEVELS_MAX);
        let mut snapshot = Snapshot {
            place,
            phase,
            total_bid_qty: book.total_bid_qty,
            total_ask_qty: book.total_ask_qty,
            count,
            levels: bytemuck::Zeroable::zeroed(),
        };
        snapshot.levels[..count].copy_from_slice(&levels[..count]);
        match entry {
            Some(present) => **present = snapshot,
            None => *entry = Some(Box::new(snapshot)),
        }
    }

    /// Closes the intervals whose time has passed and hands their rows over. To be called every few thousand records.
    ///
    /// # Errors
    ///
    /// Those of the sinks.
    pub fn close_passed(
        &mut self,
        bars: &mut dyn RowSink<Bar>,
        books: &mut dyn RowSink<BookSample>,
    ) -> Result<(), OutputError> {
        self.totals.open_max = self.totals.open_max.max((self.bars.len() + self.books.len()) as u64);
        let passed = self.clock.now().saturating_sub(self.config.late_ns);
        // The interval that holds `passed` is open.
        let before = self.config.every.start_of(passed);
        if before > self.closed_before {
            self.close_before(before, bars, books)?;
        }
        Ok(())
    }

    /// Closes all intervals.
    ///
    /// # Errors
    ///
    /// Those of the sinks.
    pub fn finish(
        &mut self,
        bars: &mut dyn RowSink<Bar>,
        books: &mut dyn RowSink<BookSample>,
    ) -> Result<(), OutputError> {
        self.totals.open_max = self.totals.open_max.max((self.bars.len() + self.books.len()) as u64);
        self.close_before(u64::MAX, bars, books)
    }

    fn close_before(
        &mut self,
        before: u64,
        bars: &mut dyn RowSink<Bar>,
        books: &mut dyn RowSink<BookSample>,
    ) -> Result<(), OutputError> {
        self.closed_before = before;
        let every = self.config.every;
        while let Some(entry) = self.bars.first_entry().filter(|entry| entry.key().0 < before) {
            let ((start, instrument, publisher, phase), open) = entry.remove_entry();
            self.totals.bars += 1;
            bars.row(&Bar {
                key: RowKey { start: every.shown(start), instrument, publisher, phase },
                open: open.open,
                high: open.high,
                low: open.low,
                close: open.close,
                volume: open.volume,
                cost: open.cost,
                trades: open.trades,
                buy_volume: open.buy_volume,
                sell_volume: open.sell_volume,
                gaps: open.gaps,
            })?;
        }
        while let Some(entry) = self.books.first_entry().filter(|entry| entry.key().0 < before) {
            let ((start, instrument, publisher), came) = entry.remove_entry();
            let newest = self.newest.entry((instrument, publisher));
            let snapshot: &Snapshot = match (came, newest) {
                (Some(came), newest) => &*newest.insert_entry(came).into_mut(),
                (None, std::collections::hash_map::Entry::Occupied(held)) => &*held.into_mut(),
                (None, std::collections::hash_map::Entry::Vacant(_)) => continue,
            };
            let is_wanted = (self.range.0..self.range.1).contains(&every.shown(start));
            if !is_wanted || trading_day(snapshot.place.0) != trading_day(start) {
                continue;
            }
            self.totals.samples += 1;
            books.row(&BookSample {
                key: RowKey { start: every.shown(start), instrument, publisher, phase: snapshot.phase },
                book_ts: snapshot.place.0,
                total_bid_qty: snapshot.total_bid_qty,
                total_ask_qty: snapshot.total_ask_qty,
                levels: snapshot.levels[..snapshot.count].to_vec(),
                depth: self.config.book_levels,
            })?;
        }
        Ok(())
    }
}
