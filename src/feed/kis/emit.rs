//! From a body that was read to the records of the journal: instrument, gap, headers, rejects, alerts.

use super::Event;
use super::decoder::{DecodeCounters, DecoderConfig, head_reason};
use super::layout::KeyClass;
use super::plan::continuity_venue;
use super::plan::{Kind, Plan};
use super::row::Row;
use super::snapshots::Snapshot;
use super::time::EventClock;
use crate::feed::{FrameContext, RecordSink};
use crate::market::instruments::{Instruments, Resolved};
use crate::quality::continuity::{Continuity, Missing};
use crate::tick::{
    Book, Findings, Flags, Gap, Header, Instrument, InstrumentKey, Level, Market, OtherPrefix, Publisher,
    RECORD_VERSION, REJECT_BYTES, REJECT_PREFIX_BYTES, RType, RejectPrefix, RejectReason, SYMBOL_BYTES, Session,
    SessionEvent, TR_NONE, Trade, words_of,
};
use crate::wire::SplitError;

/// What all records of a frame share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub ctx: &'a FrameContext,
    pub bytes: &'a [u8],
    pub tr: u16,
    pub publisher: u16,
    pub count: u16,
    pub width: u16,
    pub flags: u32,
}

/// Both prefixes of market data.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Prefix {
    header: Header,
    market: Market,
}

const PREFIX_WORDS: usize = size_of::<Prefix>() / 8;

/// What lives from frame to frame.
#[derive(Debug)]
pub(super) struct Emitter {
    pub counters: DecodeCounters,
    instruments: Instruments,
    continuity: Option<Continuity>,
    gap_id: u64,
    clock: EventClock,
    /// The last short symbol, its market and its id: records of one frame are of one symbol, and frames come in runs.
    last: ([u8; 8], [u8; 16], u32),
    /// Widths reported, by transaction number; 0 = place is free.
    reported: Box<[[u16; Emitter::REPORTS]]>,
}

impl Emitter {
    /// Widths of one transaction that are reported; further ones are counted only.
    const REPORTS: usize = 8;

    pub fn new(config: DecoderConfig) -> Emitter {
        let instruments = Instruments::with_capacity(config.instruments_max);
        let continuity = config.continuity.then(|| Continuity::with_capacity(instruments.capacity()));
        Emitter {
            counters: DecodeCounters::default(),
            instruments,
            continuity,
            gap_id: config.gap_id_first,
            clock: EventClock::default(),
            last: ([0; 8], [0; 16], 0),
            reported: vec![[0; Emitter::REPORTS]; 256].into(),
        }
    }

    pub fn seed_instruments(&mut self, instruments: &[Instrument]) -> usize {
        self.instruments.seed(instruments)
    }

    pub fn resume(&mut self, trade: &Trade) {
        if let (Some(venue), Some(continuity)) = (continuity_venue(trade.market.tr), &mut self.continuity) {
            continuity.check(venue.into(), trade);
        }
    }

    pub fn connection_lost(&mut self) {
        if let Some(continuity) = &mut self.continuity {
            continuity.connection_lost();
        }
    }

    /// Completes the prefixes of a record that was read and hands it on.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one call, all of it the state of one frame")]
    pub fn emit<S: RecordSink>(
        &mut self,
        plan: &Plan,
        frame: &Frame<'_>,
        place: u16,
        row: &Row<'_>,
        event: Event,
        words: &mut [u64],
        stamp: &mut impl FnMut() -> u32,
        sink: &mut S,
    ) {
        let Some(instrument_id) = self.instrument(plan, frame, row, sink) else { return };
        let (rtype, length) = shape(plan.kind, words);
        let mut prefix = self.prefix(plan, frame, place, row, event, rtype, length, instrument_id);
        prefix.market.decoded_ns = stamp();
        words[..PREFIX_WORDS].copy_from_slice(words_of(&mut prefix));
        sink.record(words);
    }

    /// As [`Self::emit`], and holds the trade against the cumulative volume.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one call, all of it the state of one frame")]
    pub fn emit_trade<S: RecordSink>(
        &mut self,
        plan: &Plan,
        frame: &Frame<'_>,
        place: u16,
        row: &Row<'_>,
        event: Event,
        trade: &mut Trade,
        stamp: &mut impl FnMut() -> u32,
        sink: &mut S,
    ) {
        let Some(instrument_id) = self.instrument(plan, frame, row, sink) else { return };
        let length = size_of::<Trade>() as u32;
        let prefix = self.prefix(plan, frame, place, row, event, RType::Trade, length, instrument_id);
        (trade.header, trade.market) = (prefix.header, prefix.market);
        if let (Some(venue), Some(continuity)) = (plan.continuity, &mut self.continuity) {
            let verdict = continuity.check(venue.into(), trade);
            if verdict.findings != 0 {
                self.note_verdict(frame, trade, verdict.findings, verdict.missing, sink);
            }
        }
        trade.market.decoded_ns = stamp();
        sink.record(words_of(trade));
    }

    /// Hands on the record's bytes.
    #[cold]
    pub fn emit_other<S: RecordSink>(
        &mut self,
        plan: &Plan,
        frame: &Frame<'_>,
        place: u16,
        row: &Row<'_>,
        stamp: &mut impl FnMut() -> u32,
        sink: &mut S,
    ) {
        let Some(instrument_id) = self.instrument(plan, frame, row, sink) else { return };
        let mut row = *row;
        let seconds = row.seconds(plan.time.into());
        let tail = row.record_bytes();
        let length = (size_of::<OtherPrefix>() + tail.len()) as u32;
        let event = Event { seconds, date: 0, flags: 0 };
        let prefix = self.prefix(plan, frame, place, &row, event, RType::Other, length, instrument_id);
        let (header, market) = (prefix.header, Market { decoded_ns: stamp(), ..prefix.market });
        let mut other = OtherPrefix { header, market, stored: tail.len() as u32, reserved: 0 };
        sink.record_with_tail(words_of(&mut other), tail);
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one call, all of it the state of one frame")]
    fn prefix(
        &mut self,
        plan: &Plan,
        frame: &Frame<'_>,
        place: u16,
        row: &Row<'_>,
        event: Event,
        rtype: RType,
        length: u32,
        instrument_id: u32,
    ) -> Prefix {
        let ctx = frame.ctx;
        let (ts_event, ts_flags) = self.clock.resolve(event.seconds, event.date, ctx.market_now_ns);
        let mut flags = frame.flags | event.flags | ts_flags;
        if frame.width > plan.width_max {
            flags |= Flags::SCHEMA_EXTRA;
            self.counters.schema_extra += 1;
        }
        if plan.key_class == KeyClass::Overseas && (plan.delayed || is_delayed(row.bytes(0))) {
            flags |= Flags::DELAYED;
        }
        if row.findings != 0 {
            self.counters.fields_unreadable += 1;
        }
        self.counters.records[rtype as usize] += 1;
        Prefix {
            header: Header {
                length,
                crc32c: 0,
                sequence: 0,
                ts_recv: ctx.ts_recv,
                instrument_id,
                flags,
                publisher: plan.publisher,
                line: ctx.line,
                rtype: rtype as u8,
                version: RECORD_VERSION,
                reserved: 0,
            },
            market: Market {
                ts_event,
                raw_sequence: ctx.raw_sequence,
                recv_window_ns: ctx.recv_window_ns,
                read_ns: ctx.read_ns,
                decoded_ns: 0,
                committed_ns: 0,
                findings: row.findings,
                tr: plan.tr,
                width: frame.width,
                frame_index: place,
                frame_count: frame.count,
                reserved: 0,
            },
        }
    }

    /// Id of the record's instrument; declares a new one. `None` after a reject.
    #[inline]
    fn instrument<S: RecordSink>(
        &mut self,
        plan: &Plan,
        frame: &Frame<'_>,
        row: &Row<'_>,
        sink: &mut S,
    ) -> Option<u32> {
        let mut key = InstrumentKey { market: plan.market, symbol: [0; SYMBOL_BYTES] };
        match row.short_symbol().filter(|_| plan.key == 0) {
            Some(symbol) => {
                if symbol == self.last.0 && plan.market == self.last.1 {
                    return Some(self.last.2);
                }
                key.symbol[..8].copy_from_slice(&symbol);
            }
            None => {
                let symbol = row.bytes(plan.key.into());
                // The first field was looked at before the frame was split into records; overseas the symbol is the second.
                if plan.key_class == KeyClass::Overseas {
                    let sound = (1..=SYMBOL_BYTES).contains(&symbol.len()) && symbol.iter().all(u8::is_ascii_graphic);
                    let Some(exchange) = exchange(row.bytes(0)).filter(|_| sound) else {
                        self.reject(frame, RejectReason::BadKey, row.record_bytes(), sink);
                        return None;
                    };
                    key.market[..3].copy_from_slice(&exchange);
                }
                for (to, from) in key.symbol.iter_mut().zip(symbol) {
                    *to = *from;
                }
            }
        }
        match self.instruments.resolve(&key) {
            Resolved::Known(id) => {
                if plan.key == 0 && key.symbol[8..] == [0; SYMBOL_BYTES - 8] {
                    self.last = (key.symbol[..8].try_into().unwrap_or_default(), key.market, id);
                }
                Some(id)
            }
            Resolved::New(id) => {
                self.declare(plan, frame, &key, id, sink);
                Some(id)
            }
            Resolved::Full => {
                self.reject(frame, RejectReason::InstrumentsFull, row.record_bytes(), sink);
                None
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn declare<S: RecordSink>(&mut self, plan: &Plan, frame: &Frame<'_>, key: &InstrumentKey, id: u32, sink: &mut S) {
        self.counters.instruments += 1;
        let overseas = plan.key_class == KeyClass::Overseas;
        let mut instrument = Instrument {
            header: service_header(frame, RType::Instrument, size_of::<Instrument>(), id),
            key: *key,
            currency: if overseas { currency(&key.market[..3]) } else { plan.currency },
            qty_decimals: 0,
            px_decimals: u8::MAX,
            tick_rule: 0,
            reserved: 0,
            turnover_unit: plan.turnover_unit,
        };
        sink.record(words_of(&mut instrument));
    }

    /// A snapshot that was asked for by REST, under the instrument of its feed: a trade without a quantity, flag POLLED, of no
    /// line and no transaction, so that nothing takes it for one that was pushed.
    #[cold]
    pub fn snapshot<S: RecordSink>(&mut self, plan: &Plan, snapshot: &Snapshot, sink: &mut S) {
        let ctx = FrameContext { ts_recv: snapshot.ts_recv, flags: Flags::RECV_TS_USER, ..Default::default() };
        let frame = Frame {
            ctx: &ctx,
            bytes: &[],
            tr: TR_NONE,
            publisher: plan.publisher,
            count: 1,
            width: 0,
            flags: ctx.flags,
        };
        let key = InstrumentKey { market: plan.market, symbol: snapshot.symbol };
        let instrument_id = match self.instruments.resolve(&key) {
            Resolved::Known(id) => id,
            Resolved::New(id) => {
                self.declare(plan, &frame, &key, id, sink);
                id
            }
            Resolved::Full => return self.reject(&frame, RejectReason::InstrumentsFull, &[], sink),
        };
        self.counters.records[RType::Trade as usize] += 1;
        let mut header = service_header(&frame, RType::Trade, size_of::<Trade>(), instrument_id);
        header.flags |= Flags::POLLED;
        let market = Market { ts_event: snapshot.ts_recv, tr: TR_NONE, frame_count: 1, ..bytemuck::Zeroable::zeroed() };
        let mut trade = Trade {
            header,
            market,
            px: snapshot.px,
            cum_qty: snapshot.cum_qty,
            cum_turnover: snapshot.cum_turnover,
            open_px: snapshot.open_px,
            high_px: snapshot.high_px,
            low_px: snapshot.low_px,
            bid_px: snapshot.bid_px,
            ask_px: snapshot.ask_px,
            total_bid_qty: snapshot.total_bid_qty,
            total_ask_qty: snapshot.total_ask_qty,
            ..Trade::UNDEF
        };
        sink.record(words_of(&mut trade));
    }

    #[cold]
    #[inline(never)]
    fn note_verdict<S: RecordSink>(
        &mut self,
        frame: &Frame<'_>,
        trade: &mut Trade,
        findings: u32,
        missing: Option<Missing>,
        sink: &mut S,
    ) {
        trade.market.findings |= findings;
        let found = |bit: u32| u64::from(findings & bit != 0);
        self.counters.duplicates += found(Findings::DUPLICATE);
        self.counters.cum_backwards += found(Findings::CUM_BACKWARDS);
        self.counters.time_backwards += found(Findings::TIME_BACKWARDS);
        let Some(missing) = missing else { return };
        trade.header.flags |= Flags::GAP_BEFORE;
        let missing_qty = missing.cum_qty_after - missing.cum_qty_before;
        self.counters.gaps += 1;
        self.counters.gap_qty = self.counters.gap_qty.saturating_add(missing_qty);
        let mut gap = Gap {
            header: service_header(frame, RType::Gap, size_of::<Gap>(), trade.header.instrument_id),
            gap_id: self.gap_id,
            cum_qty_before: missing.cum_qty_before,
            cum_qty_after: missing.cum_qty_after,
            missing_qty,
            missing_turnover: missing.turnover,
            missing_trades: missing.trades,
            from_ts: missing.from_ts,
            to_ts: trade.header.ts_recv,
            raw_sequence: frame.ctx.raw_sequence,
            reason: missing.reason as u8,
            reserved: [0; 7],
        };
        self.gap_id += 1;
        sink.record(words_of(&mut gap));
    }

    /// A width that the table doesn't know: said once, by a `Session` record.
    #[cold]
    #[inline(never)]
    pub fn note_width<S: RecordSink>(&mut self, frame: &Frame<'_>, plan: &Plan, sink: &mut S) {
        let reported = &mut self.reported[usize::from(plan.tr) % 256];
        if reported.contains(&frame.width) {
            return;
        }
        let Some(place) = reported.iter_mut().find(|width| **width == 0) else { return };
        *place = frame.width;
        self.counters.schema_changes += 1;
        let mut session: Session = bytemuck::Zeroable::zeroed();
        session.header = service_header(frame, RType::Session, size_of::<Session>(), 0);
        session.value = u64::from(frame.width);
        session.tr = plan.tr;
        session.event = SessionEvent::SchemaChanged as u8;
        sink.record(words_of(&mut session));
    }

    /// A head that can't be split: a control frame is counted, anything else rejected.
    #[cold]
    #[inline(never)]
    pub fn reject_head<S: RecordSink>(&mut self, ctx: &FrameContext, bytes: &[u8], error: SplitError, sink: &mut S) {
        if super::control::is_control(bytes) {
            self.counters.control_frames += 1;
            return;
        }
        self.counters.frames += 1;
        let publisher = Publisher::Hoga as u16;
        let frame = Frame { ctx, bytes, tr: TR_NONE, publisher, count: 0, width: 0, flags: ctx.flags };
        // Whatever is wrong with it, an encrypted frame is an account's.
        let stored = if bytes.starts_with(b"1|") { &[] } else { bytes };
        self.reject(&frame, head_reason(bytes, error), stored, sink);
    }

    /// A record without a price or quantity; the others of its frame go on.
    #[cold]
    #[inline(never)]
    pub fn reject_record<S: RecordSink>(&mut self, frame: &Frame<'_>, row: &Row<'_>, sink: &mut S) {
        self.reject(frame, RejectReason::BadNumber, row.record_bytes(), sink);
    }

    /// Hands on a `Reject` with the first of `bytes`.
    #[cold]
    #[inline(never)]
    pub fn reject<S: RecordSink>(&mut self, frame: &Frame<'_>, reason: RejectReason, bytes: &[u8], sink: &mut S) {
        self.counters.rejects[usize::from(reason as u8) % 16] += 1;
        let stored = &bytes[..bytes.len().min(REJECT_BYTES)];
        let mut reject = RejectPrefix {
            header: service_header(frame, RType::Reject, REJECT_PREFIX_BYTES + stored.len(), 0),
            raw_sequence: frame.ctx.raw_sequence,
            frame_bytes: u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX),
            stored: stored.len() as u16,
            tr: frame.tr,
            reason: reason as u8,
            reserved: [0; 7],
        };
        sink.record_with_tail(words_of(&mut reject), stored);
    }
}

/// Kind and exact bytes of a record of fixed size.
#[inline]
fn shape(kind: Kind, words: &[u64]) -> (RType, u32) {
    let whole = size_of_val(words) as u32;
    match kind {
        Kind::Trade => (RType::Trade, whole),
        Kind::Book => {
            let book: &Book = bytemuck::from_bytes(&bytemuck::cast_slice(words)[..size_of::<Book>()]);
            (RType::Book, (size_of::<Book>() + usize::from(book.levels) * size_of::<Level>()) as u32)
        }
        Kind::Expected => (RType::Expected, whole),
        Kind::Status => (RType::Status, whole),
        Kind::Index => (RType::Index, whole),
        Kind::Nav => (RType::Nav, whole),
        Kind::Program => (RType::Program, whole),
        Kind::Member => (RType::Member, whole),
        Kind::Other => (RType::Other, whole),
    }
}

fn service_header(frame: &Frame<'_>, rtype: RType, length: usize, instrument_id: u32) -> Header {
    Header {
        length: length as u32,
        crc32c: 0,
        sequence: 0,
        ts_recv: frame.ctx.ts_recv,
        instrument_id,
        flags: frame.ctx.flags,
        publisher: frame.publisher,
        line: frame.ctx.line,
        rtype: rtype as u8,
        version: RECORD_VERSION,
        reserved: 0,
    }
}

/// The exchange in an overseas key: `D` or `R`, three letters, the symbol.
pub(super) fn exchange(key: &[u8]) -> Option<[u8; 3]> {
    match key {
        [b'D' | b'R', a, b, c, _, ..] if [a, b, c].iter().all(|letter| letter.is_ascii_uppercase()) => {
            Some([*a, *b, *c])
        }
        _ => None,
    }
}

/// Whether an overseas key is of a delayed feed: prefix `D` on an Asian exchange (in the United States `D` is the free
/// part of the real-time feed).
fn is_delayed(key: &[u8]) -> bool {
    key.first() == Some(&b'D') && matches!(key.get(1..4), Some(b"TSE" | b"HKS" | b"SHS" | b"SZS" | b"HSX" | b"HNX"))
}

/// Currency of an overseas exchange; zeros = not known.
fn currency(exchange: &[u8]) -> [u8; 4] {
    match exchange {
        b"NAS" | b"NYS" | b"AMS" | b"BAQ" | b"BAY" | b"BAA" => *b"USD\0",
        b"TSE" => *b"JPY\0",
        b"HKS" => *b"HKD\0",
        b"SHS" | b"SZS" => *b"CNY\0",
        b"HSX" | b"HNX" => *b"VND\0",
        _ => [0; 4],
    }
}
