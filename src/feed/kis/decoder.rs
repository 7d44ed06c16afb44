//! The decoder of market data frames: splits, checks, reads, and hands records to the sink.

use super::Event;
use super::book::{self, Tail, stock_book};
use super::emit::{Emitter, Frame};
use super::expected::{index_expected, stock_expected};
use super::layout::{Form, KeyClass, LayoutTable};
use super::misc::{index, index_program, member, nav, program};
use super::plan::{Kind, Plan, Plans};
use super::row::{Row, Values};
use super::snapshots::Snapshot;
use super::status::status;
use super::trade::{self, stock_trade};
use crate::feed::{FrameContext, RecordSink};
use crate::simd::{Digits, Splitter};
use crate::tick::{
    BookBuffer, Expected, Flags, Index, Instrument, Member, Nav, Program, Publisher, RejectReason, SYMBOL_BYTES,
    Status, TR_NONE, Trade,
};
use crate::wire::{Fields, FrameHead, Split, SplitError, parse_hhmmss};

/// Sizes of a [`Decoder`], fixed at start.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DecoderConfig {
    /// Most instruments of the journal; a further one is rejected (`InstrumentsFull`).
    pub instruments_max: usize,
    /// Most fields of a frame; a frame with more is rejected (`TooManyFields`). Four bytes each.
    pub fields_max: usize,
    /// Whether trades are held against cumulative volume, and gaps recorded.
    pub continuity: bool,
    /// Number of the first gap; a journal that was opened again goes on from its last.
    pub gap_id_first: u64,
}

impl Default for DecoderConfig {
    /// 8,192 instruments (2 MiB with continuity), the fullest frame, continuity on.
    fn default() -> Self {
        DecoderConfig { instruments_max: 8192, fields_max: Fields::CAPACITY_MAX, continuity: true, gap_id_first: 1 }
    }
}

/// What a decoder has seen. Written by the decoder's thread alone; plain numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeCounters {
    /// Frames given, control frames not counted.
    pub frames: u64,
    /// Control frames given; they are left to [`control`](super::control).
    pub control_frames: u64,
    /// Records by kind: index is the number of [`RType`](crate::tick::RType), market kinds only.
    pub records: [u64; 11],
    /// Rejects by reason: index is the number of [`RejectReason`].
    pub rejects: [u64; 16],
    /// Records with more fields than the table knows.
    pub schema_extra: u64,
    /// `SchemaChanged` records: new pairs of transaction and width.
    pub schema_changes: u64,
    /// Records with a field that could not be read.
    pub fields_unreadable: u64,
    /// Instruments declared.
    pub instruments: u64,
    /// Gaps recorded.
    pub gaps: u64,
    /// Shares missing in them.
    pub gap_qty: u64,
    /// Trades that came again.
    pub duplicates: u64,
    /// Trades whose cumulative volume went back.
    pub cum_backwards: u64,
    /// Trades whose time went back.
    pub time_backwards: u64,
}

impl DecodeCounters {
    /// Market records of all kinds.
    pub fn records_total(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Rejects of all reasons.
    pub fn rejects_total(&self) -> u64 {
        self.rejects.iter().sum()
    }
}

/// Decodes market data frames. Owned by one thread; after construction it allocates nothing, blocks nowhere and never
/// panics, whatever the bytes.
///
/// Everything has a bound: instruments and fields by [`DecoderConfig`] (beyond it: `Reject`), bytes of a `Reject` by
/// `REJECT_BYTES` (cut), reported widths of a transaction (counted, no longer reported).
///
/// # Examples
///
/// ```
/// use hoga::feed::kis::{Decoder, DecoderConfig};
/// use hoga::feed::{FrameContext, RecordSink};
/// use hoga::tick::{RecordView, view};
///
/// struct Print;
/// impl RecordSink for Print {
///     fn record(&mut self, words: &mut [u64]) {
///         if let Some(RecordView::Nav(nav)) = view(bytemuck::cast_slice(words)) {
///             assert_eq!(nav.px, 37_235_460_000_000);
///         }
///     }
///     fn record_with_tail(&mut self, _: &mut [u64], _: &[u8]) {
///         unreachable!("nothing is rejected here");
///     }
/// }
///
/// let mut decoder = Decoder::new(DecoderConfig::default());
/// let frame = b"0|H0STNAV0|001|069500^37235.46^5^-381.26^-1.01^37646.25^37646.25^37202.10";
/// decoder.decode(&FrameContext::default(), frame, || 0, &mut Print);
/// assert_eq!(decoder.counters().records_total(), 1);
/// ```
#[derive(Debug)]
pub struct Decoder {
    splitter: Splitter,
    digits: Digits,
    fields: Fields,
    values: Box<Values>,
    plans: Plans,
    scratch: Scratch,
    emitter: Emitter,
}

/// A record of each kind, reused: the typed decoders write every field each time.
#[derive(Debug)]
struct Scratch {
    trade: Trade,
    book: Box<BookBuffer>,
    expected: Expected,
    status: Status,
    index: Index,
    nav: Nav,
    program: Program,
    member: Member,
}

impl Decoder {
    /// Compiles the built-in table and allocates everything.
    pub fn new(config: DecoderConfig) -> Decoder {
        Decoder::with_layouts(config, &LayoutTable::builtin())
    }

    /// As [`new`](Self::new), with another table: what a build of another day would read.
    ///
    /// # Panics
    ///
    /// When the table contradicts itself: see [`LayoutTable`].
    pub fn with_layouts(config: DecoderConfig, layouts: &LayoutTable) -> Decoder {
        let plans = Plans::new(layouts);
        Decoder {
            splitter: Splitter::new(),
            digits: Digits::new(),
            values: Box::new([0; 72]),
            fields: Fields::with_capacity(config.fields_max),
            emitter: Emitter::new(config),
            plans,
            scratch: Scratch {
                trade: Trade::UNDEF,
                book: Box::new(BookBuffer::UNDEF),
                expected: Expected::UNDEF,
                status: Status::UNDEF,
                index: Index::UNDEF,
                nav: Nav::UNDEF,
                program: Program::UNDEF,
                member: Member::UNDEF,
            },
        }
    }

    /// Takes over the instrument ids of an earlier run. Returns how many did not fit: see
    /// [`Instruments::seed`](crate::market::instruments::Instruments::seed).
    pub fn seed_instruments(&mut self, instruments: &[Instrument]) -> usize {
        self.emitter.seed_instruments(instruments)
    }

    /// Takes a trade that an earlier run recorded as the one before the next of its instrument and venue, so that what was
    /// missed in between is a gap. Trades are given in the order of the journal.
    pub fn resume(&mut self, trade: &Trade) {
        self.emitter.resume(trade);
    }

    /// Gaps found over a connection lost before now have that as their reason.
    pub fn connection_lost(&mut self) {
        self.emitter.connection_lost();
    }

    /// Hands on a `Reject` of a frame that is not market data, such as a control frame that can't be read.
    #[cold]
    pub fn reject<S: RecordSink>(&mut self, ctx: &FrameContext, bytes: &[u8], reason: RejectReason, sink: &mut S) {
        let publisher = Publisher::Hoga as u16;
        let frame = Frame { ctx, bytes, tr: TR_NONE, publisher, count: 0, width: 0, flags: ctx.flags };
        self.emitter.reject(&frame, reason, bytes, sink);
    }

    /// What was seen so far.
    pub fn counters(&self) -> &DecodeCounters {
        &self.emitter.counters
    }

    /// A snapshot that was asked for by REST: hands its record to `sink`, before it its instrument. It tells continuity
    /// nothing.
    pub fn snapshot<S: RecordSink>(&mut self, snapshot: &Snapshot, sink: &mut S) {
        let trades = match snapshot.publisher {
            Publisher::KisNxt => b"H0NXCNT0",
            Publisher::KisUn => b"H0UNCNT0",
            _ => b"H0STCNT0",
        };
        if let Some(plan) = self.plans.find_word(*trades) {
            self.emitter.snapshot(plan, snapshot, sink);
        }
    }

    /// Decodes a frame: hands every record of it to `sink`, before them what they need (instruments, gaps, a schema
    /// change), or a `Reject`. `stamp` is asked once a market record for nanoseconds since `ts_recv`.
    ///
    /// A control frame (JSON) is counted and otherwise left alone.
    pub fn decode<S: RecordSink>(
        &mut self,
        ctx: &FrameContext,
        bytes: &[u8],
        mut stamp: impl FnMut() -> u32,
        sink: &mut S,
    ) {
        let Decoder { splitter, digits, fields, values: numbers, plans, scratch, emitter } = self;
        let (head, plan) = match usual_head(plans, bytes) {
            Some((head, plan)) => (head, Some(plan)),
            None => match FrameHead::parse(bytes) {
                Ok(head) => (head, plans.find(head.tr_id)),
                Err(error) => return emitter.reject_head(ctx, bytes, error, sink),
            },
        };
        emitter.counters.frames += 1;
        let mut frame =
            Frame { ctx, bytes, tr: TR_NONE, publisher: Publisher::Hoga as u16, count: 0, width: 0, flags: ctx.flags };
        let Some(plan) = plan else {
            let reason = if head.encrypted { RejectReason::Encrypted } else { RejectReason::UnknownTr };
            return emitter.reject(&frame, reason, if head.encrypted { &[] } else { bytes }, sink);
        };
        (frame.tr, frame.publisher) = (plan.tr, plan.publisher);
        if head.encrypted || plan.form == Form::Notice {
            return emitter.reject(&frame, RejectReason::Encrypted, &[], sink);
        }
        let Ok(split) = fields.split(*splitter, head.payload, usize::MAX) else {
            return emitter.reject(&frame, RejectReason::TooManyFields, bytes, sink);
        };
        let (values, count) = (split.len(), head.count as usize);
        let width = if count == 1 { values } else { values / count };
        if width * count != values {
            return emitter.reject(&frame, RejectReason::CountMismatch, bytes, sink);
        }
        if width < usize::from(plan.width_min) {
            return emitter.reject(&frame, RejectReason::TooNarrow, bytes, sink);
        }
        if let Err(reason) = check_keys(plan, &split, count, width) {
            return emitter.reject(&frame, reason, bytes, sink);
        }
        frame.count = count as u16;
        frame.width = width.min(usize::from(u16::MAX)) as u16;
        if count > 1 {
            frame.flags |= Flags::BATCHED;
        }
        if !plan.widths.contains(&frame.width) {
            emitter.note_width(&frame, plan, sink);
        }
        for place in 0..count {
            let record = split.record(place * width, width);
            let mut row = match plan.form {
                Form::StockTrade => Row::converted(record, *digits, &trade::NUMBERS, numbers),
                Form::StockBook => Row::converted(record, *digits, &book::NUMBERS, numbers),
                _ => Row::new(record),
            };
            scratch.decode(plan, &mut row, &frame, place as u16, emitter, &mut stamp, sink);
        }
    }
}

impl Scratch {
    /// Reads one record and emits it.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one call, all of it the state of one frame")]
    fn decode<S: RecordSink>(
        &mut self,
        plan: &Plan,
        row: &mut Row<'_>,
        frame: &Frame<'_>,
        place: u16,
        emitter: &mut Emitter,
        stamp: &mut impl FnMut() -> u32,
        sink: &mut S,
    ) {
        macro_rules! emit {
            ($event:expr, $record:expr) => {{
                let event: Event = $event;
                emitter.emit(plan, frame, place, row, event, crate::tick::words_of($record), stamp, sink)
            }};
        }
        match (plan.form, &plan.steps) {
            (Form::StockTrade, _) => match stock_trade(row, &mut self.trade) {
                Some(event) => emitter.emit_trade(plan, frame, place, row, event, &mut self.trade, stamp, sink),
                None => emitter.reject_record(frame, row, sink),
            },
            (Form::StockBook, _) => match stock_book(row, tail(plan), &mut self.book) {
                Some(event) => emit!(event, &mut *self.book),
                None => emitter.emit_other(plan, frame, place, row, stamp, sink),
            },
            (Form::StockExpected, _) => emit!(stock_expected(row, &mut self.expected), &mut self.expected),
            (Form::IndexExpected, _) => emit!(index_expected(row, &mut self.expected), &mut self.expected),
            (Form::Status, _) => {
                let exchange = plan.publisher != Publisher::KisUn as u16;
                emit!(status(row, exchange, &mut self.status), &mut self.status)
            }
            (Form::Member, _) => emit!(member(row, &mut self.member), &mut self.member),
            (Form::Program, _) => emit!(program(row, &mut self.program), &mut self.program),
            (Form::IndexProgram, _) => emit!(index_program(row, &mut self.program), &mut self.program),
            (Form::Index, _) => emit!(index(row, &mut self.index), &mut self.index),
            (Form::Nav, _) => emit!(nav(row, &mut self.nav), &mut self.nav),
            (Form::Table, Some(steps)) => match plan.kind {
                Kind::Trade => match steps.trade(row, &mut self.trade) {
                    Some(event) => emit!(event, &mut self.trade),
                    None => emitter.reject_record(frame, row, sink),
                },
                Kind::Book => emit!(steps.book(row, &mut self.book), &mut *self.book),
                Kind::Expected => emit!(steps.expected(row, &mut self.expected), &mut self.expected),
                Kind::Index => emit!(steps.index(row, &mut self.index), &mut self.index),
                _ => emitter.emit_other(plan, frame, place, row, stamp, sink),
            },
            (Form::Table | Form::Other | Form::Notice, _) => {
                emitter.emit_other(plan, frame, place, row, stamp, sink);
            }
        }
    }
}

/// The head of a plain frame with a known id and three digits of count: all but a few. Takes no loop.
#[inline]
fn usual_head<'a, 'p>(plans: &'p Plans, bytes: &'a [u8]) -> Option<(FrameHead<'a>, &'p Plan)> {
    let (head, payload) = bytes.split_first_chunk::<15>()?;
    let [b'0', b'|', tr_id @ .., b'|', a, b, c, b'|'] = head else { return None };
    let digits = [a, b, c].map(|digit| u32::from(digit.wrapping_sub(b'0')));
    let count = digits[0] * 100 + digits[1] * 10 + digits[2];
    if digits.iter().any(|digit| *digit > 9) || count == 0 {
        return None;
    }
    Some((FrameHead { encrypted: false, tr_id, count, payload }, plans.find_word(*tr_id)?))
}

/// What follows the common fields of a stock's book.
#[inline]
fn tail(plan: &Plan) -> Tail {
    if plan.width_min == 54 {
        Tail::Overtime
    } else if plan.publisher == Publisher::KisUn as u16 {
        Tail::Unified
    } else if plan.publisher == Publisher::KisNxt as u16 {
        Tail::Nxt
    } else {
        Tail::Krx
    }
}

/// Whether every record begins with what may be a key, so that the split is no guess.
#[inline]
fn check_keys(plan: &Plan, split: &Split<'_>, count: usize, width: usize) -> Result<(), RejectReason> {
    let first = split.get(0);
    if !is_key(first, plan) {
        return Err(RejectReason::BadKey);
    }
    for place in 1..count {
        let key = split.get(place * width);
        if key != first && !is_plausible(plan, split, place * width, first) {
            return Err(RejectReason::KeyMismatch);
        }
    }
    Ok(())
}

#[inline]
fn is_key(key: &[u8], plan: &Plan) -> bool {
    let length = usize::from(plan.key_min)..=SYMBOL_BYTES;
    // No early end: a key has few bytes.
    length.contains(&key.len()) && key.iter().fold(true, |good, byte| good & byte.is_ascii_graphic())
}

/// Whether a key that is not the first record's may be one: of the same length and class, and with a time where the
/// time belongs. Six digits alone would not do: prices and times look like that.
#[cold]
fn is_plausible(plan: &Plan, split: &Split<'_>, start: usize, first: &[u8]) -> bool {
    let key = split.get(start);
    let time = start + usize::from(plan.time);
    let timed = plan.time == u16::MAX || (time < split.len() && matches!(parse_hhmmss(split.text(time)), Ok(Some(_))));
    let alike = match plan.key_class {
        KeyClass::Stock | KeyClass::Code => key.len() == first.len() && key.iter().all(u8::is_ascii_alphanumeric),
        KeyClass::Overseas => super::emit::exchange(key).is_some(),
    };
    timed && alike && is_key(key, plan)
}

/// The reason of a head that can't be split: which of the three bars or what between them is wrong.
pub(super) fn head_reason(bytes: &[u8], error: SplitError) -> RejectReason {
    match error {
        SplitError::Encrypted => RejectReason::UnknownMessage,
        SplitError::Count if bytes.iter().filter(|byte| **byte == b'|').count() >= 3 => RejectReason::BadCount,
        SplitError::TooManyFields => RejectReason::TooManyFields,
        SplitError::Count | SplitError::TrId => RejectReason::BadFrame,
    }
}
