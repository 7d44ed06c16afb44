//! How much faster is the decoder than the usual way of reading such a frame?
//!
//! Goals: from a frame's bytes to a complete record in a sink, for the two messages that make up nearly all traffic (a
//! trade of 47 fields, a book of 63), against a twin that checks UTF-8, splits into strings and parses each with the
//! standard library, into the same record, bit by bit: each run begins with holding the two against each other. Not
//! goals: sockets, rings, the journal.
//!
//! `frame/…` is one frame of one record; `batch/…` one of nineteen trades. `harness` is the loop with a sink that is given
//! a finished record. Ratios within one run count; times are the machine's.

use std::collections::HashMap;
use std::hint::black_box;
use std::str::FromStr;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hoga::feed::kis::{Decoder, DecoderConfig};
use hoga::feed::{FrameContext, RecordSink};
use hoga::tick::{
    BookBuffer, Findings, Flags, Header, Market, PX_SCALE, Publisher, RECORD_VERSION, RType, Side, Trade, UNDEF_CHANGE,
    UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TS, UNDEF_TURNOVER, tr_number, words_of,
};
use jiff::civil::Date;
use jiff::tz::Offset;

/// Copies each record, as a ring would.
struct Copy {
    ring: Box<[u64; 512]>,
    hash: u64,
}

impl Copy {
    fn new() -> Copy {
        Copy { ring: Box::new([0; 512]), hash: 0 }
    }
}

impl RecordSink for Copy {
    #[inline]
    fn record(&mut self, words: &mut [u64]) {
        let length = words.len().min(512);
        self.ring[..length].copy_from_slice(&words[..length]);
        self.hash = self.hash.rotate_left(1) ^ self.ring[12] ^ self.ring[length - 1];
    }

    fn record_with_tail(&mut self, _: &mut [u64], _: &[u8]) {
        panic!("nothing is rejected here");
    }
}

/// Frames of one loop: enough that no branch learns them by heart.
const FRAMES: usize = 256;

/// The n-th trade of a day; quantities add up.
fn trade(n: usize) -> String {
    let (px, qty, cum) =
        (71_900 + n % 7 * 100, 1 + n % 97 * 13, (0..=n).map(|n| 1 + n % 97 * 13).sum::<usize>() + 3_052_507);
    format!(
        "005930^0933{:02}^{px}^5^-{}^-0.14^72023.83^72100^72400^71700^{}^{}^{qty}^{cum}^{}^{}^6937^1832^84.90^1366314^1159996^{}^0.39^20.28^090020^5^-200^090820^5^-500^092619^2^200^20260914^20^N^{}^{}^1118750^2199206^0.05^2424142^125.92^0^^72100^2",
        n / 10 % 60,
        72_000 - px.min(71_990),
        px,
        px - 100,
        cum * 72_000,
        5105 + n,
        [1, 5][n % 2],
        65_945 + n * 131 % 9999,
        n * 977 % 216_924
    )
}

fn book(n: usize) -> String {
    let mut fields = vec!["005930".to_owned(), format!("0937{:02}", n / 10 % 60), "0".to_owned()];
    fields.extend((0..10).map(|level| (71_900 + level * 100).to_string()));
    fields.extend((0..10).map(|level| (71_800 - level * 100).to_string()));
    fields.extend((0..20_usize).map(|level| ((9_191 + n * 131 + level * 7_331) % 150_000).to_string()));
    let tail = "1159362^2095167^0^0^0^0^525579^-72000^5^-100.00^3159115^0^12^0^0^0^71850^0^0^2";
    fields.extend(tail.split('^').map(str::to_owned));
    fields.join("^")
}

/// The usual way: strings, the standard library's parsers, a hash map of instruments. Does the whole of the decoder's work
/// on these frames: its records are the same to the last bit, which [`check`] holds.
struct Twin {
    instruments: HashMap<String, u32>,
    /// The last trade of each instrument, by its id.
    last: Vec<State>,
    trade_tr: u16,
    book_tr: u16,
    midnight: (u32, u64),
    records: u64,
    gaps: u64,
}

/// What the twin remembers of an instrument's last trade.
#[derive(Clone, Copy, Default)]
struct State {
    cum_qty: u64,
    qty: u64,
    ts_event: u64,
    business_date: u32,
}

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;
const KST_NS: u64 = 9 * 3600 * SECOND_NS;

/// The fields of one record; remembers whether one could not be read.
struct Row<'a> {
    fields: &'a [&'a str],
    findings: u32,
}

impl Row<'_> {
    fn read<T>(&mut self, field: usize, absent: T, parse: impl Fn(&str) -> Option<T>) -> T {
        let Some(text) = self.fields.get(field).filter(|text| !text.is_empty()) else { return absent };
        // Blanks are rare: looked for when it can't be read with them.
        if let Some(value) = parse(text) {
            return value;
        }
        let text = text.trim_matches(' ');
        parse(text).unwrap_or_else(|| {
            self.findings |= if text.is_empty() { 0 } else { Findings::FIELD_UNREADABLE };
            absent
        })
    }

    fn number<T: FromStr>(&mut self, field: usize, absent: T) -> T {
        self.read(field, absent, |text| text.parse().ok())
    }

    fn qty(&mut self, field: usize) -> u64 {
        self.number(field, UNDEF_QTY)
    }

    fn px(&mut self, field: usize) -> i64 {
        self.read(field, UNDEF_PX, |text| {
            if let Ok(whole) = text.parse::<i64>() {
                return whole.checked_mul(PX_SCALE);
            }
            let (whole, fraction) = text.split_once('.')?;
            let nanos = fraction.parse::<i64>().ok()? * 10_i64.pow(9_u32.checked_sub(fraction.len() as u32)?);
            let px = whole.parse::<i64>().ok()?.checked_mul(PX_SCALE)?;
            px.checked_add(if whole.starts_with('-') { -nanos } else { nanos })
        })
    }

    fn seconds(&mut self, field: usize) -> Option<u64> {
        self.read(field, None, |text| {
            let part = |at: usize| text.get(at..at + 2)?.parse::<u64>().ok();
            let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
            (text.len() == 6 && hour < 24 && minute < 60 && second < 60)
                .then(|| Some(hour * 3600 + minute * 60 + second))
        })
    }

    fn byte(&self, field: usize) -> u8 {
        match self.fields.get(field).map(|text| text.as_bytes()) {
            Some([byte]) => *byte,
            _ => 0,
        }
    }
}

fn hour_flags(hour_cls: u8) -> u32 {
    match hour_cls {
        b'A' | b'B' | b'D' => Flags::AUCTION,
        b'C' => Flags::AUCTION | Flags::VI,
        _ => 0,
    }
}

impl Twin {
    fn new() -> Twin {
        let tr = |name| tr_number(name).expect("a transaction of the table");
        let (trade_tr, book_tr) = (tr("H0STCNT0"), tr("H0STASP0"));
        Twin {
            instruments: HashMap::new(),
            last: vec![State::default()],
            trade_tr,
            book_tr,
            midnight: (0, 0),
            records: 0,
            gaps: 0,
        }
    }

    fn decode(&mut self, ctx: &FrameContext, frame: &[u8], sink: &mut Copy) {
        let Ok(text) = std::str::from_utf8(frame) else { return };
        let mut parts = text.splitn(4, '|');
        let (Some("0"), Some(tr_id), Some(count), Some(payload)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let Ok(count) = count.parse::<usize>() else { return };
        let fields: Vec<&str> = payload.split('^').collect();
        if count == 0 || !fields.len().is_multiple_of(count) {
            return;
        }
        let width = fields.len() / count;
        for (place, fields) in fields.chunks_exact(width).enumerate() {
            let market = Market {
                ts_event: 0,
                raw_sequence: ctx.raw_sequence,
                recv_window_ns: ctx.recv_window_ns,
                read_ns: ctx.read_ns,
                decoded_ns: 7,
                committed_ns: 0,
                findings: 0,
                tr: 0,
                width: width as u16,
                frame_index: place as u16,
                frame_count: count as u16,
                reserved: 0,
            };
            let row = Row { fields, findings: 0 };
            match tr_id {
                "H0STCNT0" if width >= 46 => self.trade(ctx, row, market, sink),
                "H0STASP0" if width >= 59 => self.book(ctx, row, market, sink),
                _ => {}
            }
            self.records += 1;
        }
    }

    /// Id of an instrument, a new one when it wasn't seen.
    fn instrument(&mut self, symbol: &str) -> u32 {
        if let Some(id) = self.instruments.get(symbol) {
            return *id;
        }
        let id = self.last.len() as u32;
        self.instruments.insert(symbol.to_owned(), id);
        self.last.push(State::default());
        id
    }

    fn header<T>(&self, ctx: &FrameContext, rtype: RType, instrument_id: u32, flags: u32) -> Header {
        Header {
            length: size_of::<T>() as u32,
            crc32c: 0,
            sequence: 0,
            ts_recv: ctx.ts_recv,
            instrument_id,
            flags: ctx.flags | flags,
            publisher: Publisher::KisKrx as u16,
            line: ctx.line,
            rtype: rtype as u8,
            version: RECORD_VERSION,
            reserved: 0,
        }
    }

    /// The instant of a time of day, by the date where there is one and else by the date nearest to market time.
    fn instant(&mut self, ctx: &FrameContext, seconds: Option<u64>, date: u32) -> (u64, u32) {
        let Some(time_ns) = seconds.map(|seconds| seconds * SECOND_NS) else { return (UNDEF_TS, 0) };
        if date != 0 {
            if date != self.midnight.0 {
                let civil = Date::new((date / 10_000) as i16, (date / 100 % 100) as i8, (date % 100) as i8);
                let midnight = civil.and_then(|date| Offset::constant(9).to_timestamp(date.at(0, 0, 0, 0)));
                self.midnight = (date, midnight.map_or(0, |midnight| midnight.as_nanosecond() as u64));
            }
            return (self.midnight.1 + time_ns, Flags::EVENT_TS_SECOND);
        }
        let Some(now) = ctx.market_now_ns else { return (time_ns, Flags::EVENT_TS_SECOND | Flags::EVENT_TIME_ONLY) };
        let today = now - (now + KST_NS) % DAY_NS + time_ns;
        let nearest = match today {
            today if today + DAY_NS / 2 < now => today + DAY_NS,
            today if today > now + DAY_NS / 2 => today - DAY_NS,
            today => today,
        };
        (nearest, Flags::EVENT_TS_SECOND | Flags::EVENT_DATE_INFERRED)
    }

    fn trade(&mut self, ctx: &FrameContext, mut f: Row<'_>, market: Market, sink: &mut Copy) {
        let mut t = Trade { market, ..Trade::UNDEF };
        (t.px, t.qty, t.cum_qty) = (f.px(2), f.qty(12), f.qty(13));
        if t.px == UNDEF_PX || t.qty == UNDEF_QTY {
            return;
        }
        t.cum_turnover = f.read(14, UNDEF_TURNOVER, |text| text.parse::<i64>().ok()?.checked_mul(10_000));
        (t.cum_sell_qty, t.cum_buy_qty) = (f.qty(19), f.qty(20));
        (t.open_px, t.high_px, t.low_px) = (f.px(7), f.px(8), f.px(9));
        (t.vwap_px, t.change_px, t.vi_px) = (f.px(6), f.px(4), f.px(45));
        (t.ask_px, t.bid_px) = (f.px(10), f.px(11));
        (t.ask_qty, t.bid_qty) = (f.qty(36), f.qty(37));
        (t.total_ask_qty, t.total_bid_qty) = (f.qty(38), f.qty(39));
        (t.sell_count, t.buy_count) = (f.number(15, UNDEF_COUNT), f.number(16, UNDEF_COUNT));
        t.business_date = f.number(33, 0);
        (t.sign, t.hour_cls, t.market_cls, t.halt, t.side_code) =
            (f.byte(3), f.byte(43), f.byte(46), f.byte(35), f.byte(21));
        for (to, from) in t.mkop_cls.iter_mut().zip(f.fields[34].bytes()) {
            *to = from;
        }
        t.side = match t.side_code {
            b'1' => Side::Buy,
            b'5' => Side::Sell,
            b'3' => Side::Auction,
            _ => Side::Unknown,
        } as u8;
        let seconds = f.seconds(1);
        let (ts_event, mut flags) = self.instant(ctx, seconds, t.business_date);
        flags |= hour_flags(t.hour_cls);
        flags |= if t.market.frame_count > 1 { Flags::BATCHED } else { 0 };
        flags |= if t.halt == b'Y' { Flags::HALT } else { 0 };
        flags |= if t.side_code == b'3' { Flags::AUCTION } else { 0 };
        let tick = if t.px < 2000 * PX_SCALE { PX_SCALE } else { 5 * PX_SCALE };
        let between = t.bid_px > 0 && t.px > t.bid_px && t.ask_px > t.px && t.ask_px != UNDEF_PX;
        if between && t.ask_px - t.px == t.px - t.bid_px && t.px % tick != 0 {
            flags |= Flags::MID_PRICE;
        }
        let id = self.instrument(f.fields[0]);
        let now = State { cum_qty: t.cum_qty, qty: t.qty, ts_event, business_date: t.business_date };
        let last = std::mem::replace(&mut self.last[id as usize], now);
        if t.cum_qty != UNDEF_QTY && last.cum_qty != 0 && last.business_date == t.business_date {
            if ts_event < last.ts_event {
                f.findings |= Findings::TIME_BACKWARDS;
            }
            if t.cum_qty == last.cum_qty && t.qty == last.qty {
                f.findings |= Findings::DUPLICATE;
            } else if t.cum_qty < last.cum_qty.saturating_add(t.qty) {
                f.findings |= Findings::CUM_BACKWARDS;
            } else if t.cum_qty > last.cum_qty + t.qty {
                f.findings |= Findings::VOLUME_GAP;
                flags |= Flags::GAP_BEFORE;
                self.gaps += 1;
            }
        }
        (t.market.ts_event, t.market.tr, t.market.findings) = (ts_event, self.trade_tr, f.findings);
        t.header = self.header::<Trade>(ctx, RType::Trade, id, flags);
        sink.record(words_of(&mut t));
    }

    fn book(&mut self, ctx: &FrameContext, mut f: Row<'_>, market: Market, sink: &mut Copy) {
        let mut b = BookBuffer::UNDEF;
        b.book.market = market;
        for (i, level) in b.levels.iter_mut().enumerate() {
            (level.ask_px, level.bid_px) = (f.px(3 + i), f.px(13 + i));
            (level.ask_qty, level.bid_qty) = (f.qty(23 + i), f.qty(33 + i));
        }
        let book = &mut b.book;
        (book.total_ask_qty, book.total_bid_qty) = (f.qty(43), f.qty(44));
        (book.overtime_ask_qty, book.overtime_bid_qty) = (f.qty(45), f.qty(46));
        (book.expected_px, book.expected_qty) = (f.px(47), f.qty(48));
        (book.expected_volume, book.expected_change_px) = (f.qty(49), f.px(50));
        (book.expected_sign, book.cum_qty) = (f.byte(51), f.qty(53));
        (book.total_ask_change, book.total_bid_change) = (f.number(54, UNDEF_CHANGE), f.number(55, UNDEF_CHANGE));
        (book.overtime_ask_change, book.overtime_bid_change) = (f.number(56, UNDEF_CHANGE), f.number(57, UNDEF_CHANGE));
        (book.deal_cls, book.hour_cls, book.levels) = (f.byte(58), f.byte(2), 10);
        if f.fields.len() >= 62 {
            (book.krx_mid.px, book.krx_mid.qty, book.krx_mid_cls) = (f.px(59), f.qty(60), f.byte(61));
            book.market_cls = f.byte(62);
        }
        let seconds = f.seconds(1);
        let (ts_event, flags) = self.instant(ctx, seconds, 0);
        (book.market.ts_event, book.market.tr, book.market.findings) = (ts_event, self.book_tr, f.findings);
        let flags = flags | hour_flags(book.hour_cls);
        let id = self.instrument(f.fields[0]);
        b.book.header = self.header::<BookBuffer>(ctx, RType::Book, id, flags);
        sink.record(words_of(&mut b));
    }
}

/// Holds the last record of each frame by both against each other.
fn check(context: &FrameContext, frames: &[Vec<u8>]) {
    let (mut decoder, mut twin) = (Decoder::new(config()), Twin::new());
    let (mut sink, mut twin_sink) = (Copy::new(), Copy::new());
    for frame in frames {
        decoder.decode(context, frame, || 7, &mut sink);
        twin.decode(context, frame, &mut twin_sink);
        assert!(sink.ring == twin_sink.ring, "the twin's record differs: {}", frame.escape_ascii());
    }
    assert_eq!((twin.records, twin.gaps), (decoder.counters().records_total(), decoder.counters().gaps));
}

fn config() -> DecoderConfig {
    let mut config = DecoderConfig::default();
    config.instruments_max = 4096;
    config
}

fn decode(c: &mut Criterion) {
    let mut sink = Copy::new();
    let mut decoder = Decoder::new(config());
    let context = FrameContext { market_now_ns: Some(1_789_347_600_000_000_000), ..FrameContext::default() };
    let trades: Vec<String> = (0..FRAMES * 19).map(trade).collect();
    let frames = |tr: &str, per_frame: usize, records: &[String]| -> Vec<Vec<u8>> {
        let frames = records.chunks_exact(per_frame).take(FRAMES);
        frames.map(|records| format!("0|{tr}|{per_frame:03}|{}", records.join("^")).into_bytes()).collect()
    };
    let books: Vec<String> = (0..FRAMES).map(book).collect();

    let mut group = c.benchmark_group("harness");
    let mut finished = Trade::UNDEF;
    group.bench_function("trade", |b| b.iter(|| sink.record(black_box(words_of(&mut finished)))));
    group.finish();

    type Case = (&'static str, &'static str, Vec<Vec<u8>>, u64);
    let cases: [Case; 3] = [
        ("frame", "trade_47", frames("H0STCNT0", 1, &trades), 1),
        ("frame", "book_63", frames("H0STASP0", 1, &books), 1),
        ("batch", "trade_47_x19", frames("H0STCNT0", 19, &trades), 19),
    ];
    for (group, name, frames, records) in cases {
        check(&context, &frames);
        let mut twin = Twin::new();
        let mut group = c.benchmark_group(format!("{group}/{name}"));
        group.throughput(Throughput::Elements(records));
        let mut next = frames.iter().cycle();
        let mut frame = || black_box(next.next().map_or(&[][..], Vec::as_slice));
        group.bench_function("hoga", |b| b.iter(|| decoder.decode(&context, frame(), || 7, &mut sink)));
        group.bench_function("twin", |b| b.iter(|| twin.decode(&context, frame(), &mut sink)));
        group.finish();
        let mut twin_sink = Copy::new();
        let (ours, twins) = ratio(
            || frames.iter().for_each(|frame| decoder.decode(&context, black_box(frame), || 7, &mut sink)),
            || frames.iter().for_each(|frame| twin.decode(&context, black_box(frame), &mut twin_sink)),
        );
        let each = 1e9 / (frames.len() as f64 * records as f64);
        println!("{name}: {:.0} ns a record, twin {:.0} ns, {:.1} times", ours * each, twins * each, twins / ours);
    }
    println!("hash of the records {:016x}", sink.hash);
}

/// Loops over the same frames by turns, and says how many times faster the decoder is by the fastest loop of each: on a
/// machine shared with others the turns share its bad moments.
fn ratio(mut ours: impl FnMut(), mut twin: impl FnMut()) -> (f64, f64) {
    let arg = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    let turns = if arg("--bench") && !arg("--profile-time") { 400 } else { 1 };
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let (mut best_ours, mut best_twin) = (f64::MAX, f64::MAX);
    for _ in 0..turns {
        best_ours = best_ours.min(time(&mut ours));
        best_twin = best_twin.min(time(&mut twin));
    }
    (best_ours, best_twin)
}

criterion_group!(benches, decode);
criterion_main!(benches);
