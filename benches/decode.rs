//! How much faster is the decoder than the usual way of reading such a frame?
//!
//! Goals: from a frame's bytes to a complete record in a sink, for the two messages that make up nearly all traffic (a
//! trade of 47 fields, a book of 63), against a twin that checks UTF-8, splits into strings and parses each with the
//! standard library, into the same record. Not goals: sockets, rings, the journal.
//!
//! `frame/…` is one frame of one record; `batch/…` one of nineteen trades. `harness` is the loop with a sink that is given
//! a finished record. Ratios within one run count; times are the machine's.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hoga::feed::kis::{Decoder, DecoderConfig};
use hoga::feed::{FrameContext, RecordSink};
use hoga::tick::{BookBuffer, Trade, UNDEF_COUNT, words_of};

/// Copies each record, as a ring would.
struct Copy {
    ring: Box<[u64; 512]>,
    hash: u64,
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

/// The usual way: strings, and the standard library's parsers.
mod twin {
    use super::*;

    fn px(text: &str) -> i64 {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let negative = whole.starts_with('-');
        let whole: i64 = whole.parse().unwrap_or(0);
        let nanos: i64 = format!("{fraction:0<9}").parse().unwrap_or(0);
        whole * 1_000_000_000 + if negative { -nanos } else { nanos }
    }

    /// The price of a field without a fraction, which is most of them: no formatting.
    fn won(text: &str) -> i64 {
        if text.contains('.') { px(text) } else { text.parse::<i64>().unwrap_or(0) * 1_000_000_000 }
    }

    fn number<T: std::str::FromStr>(text: &str, absent: T) -> T {
        text.parse().unwrap_or(absent)
    }

    fn seconds(text: &str) -> u64 {
        number(&text[..2], 0) * 3600 + number(&text[2..4], 0) * 60 + number(&text[4..6], 0)
    }

    fn fields(frame: &[u8]) -> (usize, Vec<&str>) {
        let text = std::str::from_utf8(frame).unwrap();
        let mut parts = text.splitn(4, '|');
        let (_, _, count, payload) = (parts.next(), parts.next(), parts.next().unwrap(), parts.next().unwrap());
        (count.parse().unwrap(), payload.split('^').collect())
    }

    pub fn trades(frame: &[u8], sink: &mut Copy) {
        let (count, fields) = fields(frame);
        let width = fields.len() / count;
        for f in fields.chunks_exact(width) {
            let mut t = Trade::UNDEF;
            t.market.ts_event = seconds(f[1]);
            (t.px, t.qty, t.cum_qty) = (won(f[2]), number(f[12], 0), number(f[13], 0));
            t.cum_turnover = number(f[14], 0) * 10_000;
            (t.cum_sell_qty, t.cum_buy_qty) = (number(f[19], 0), number(f[20], 0));
            (t.open_px, t.high_px, t.low_px) = (won(f[7]), won(f[8]), won(f[9]));
            (t.vwap_px, t.change_px, t.vi_px) = (won(f[6]), won(f[4]), won(f[45]));
            (t.ask_px, t.bid_px) = (won(f[10]), won(f[11]));
            (t.ask_qty, t.bid_qty) = (number(f[36], 0), number(f[37], 0));
            (t.total_ask_qty, t.total_bid_qty) = (number(f[38], 0), number(f[39], 0));
            (t.sell_count, t.buy_count) = (number(f[15], 0), number(f[16], 0));
            t.business_date = number(f[33], 0);
            t.side = f[21].as_bytes()[0];
            sink.record(words_of(&mut t));
        }
    }

    pub fn books(frame: &[u8], sink: &mut Copy) {
        let (count, fields) = fields(frame);
        let width = fields.len() / count;
        for f in fields.chunks_exact(width) {
            let mut b = BookBuffer::UNDEF;
            b.book.market.ts_event = seconds(f[1]);
            for (i, level) in b.levels.iter_mut().enumerate() {
                (level.ask_px, level.bid_px) = (won(f[3 + i]), won(f[13 + i]));
                (level.ask_qty, level.bid_qty) = (number(f[23 + i], 0), number(f[33 + i], 0));
                level.bid_count = UNDEF_COUNT;
            }
            (b.book.total_ask_qty, b.book.total_bid_qty) = (number(f[43], 0), number(f[44], 0));
            (b.book.overtime_ask_qty, b.book.overtime_bid_qty) = (number(f[45], 0), number(f[46], 0));
            (b.book.expected_px, b.book.expected_qty) = (won(f[47]), number(f[48], 0));
            (b.book.expected_volume, b.book.expected_change_px) = (number(f[49], 0), won(f[50]));
            b.book.cum_qty = number(f[53], 0);
            (b.book.total_ask_change, b.book.total_bid_change) = (number(f[54], 0), number(f[55], 0));
            (b.book.overtime_ask_change, b.book.overtime_bid_change) = (number(f[56], 0), number(f[57], 0));
            (b.book.krx_mid.px, b.book.krx_mid.qty) = (won(f[59]), number(f[60], 0));
            sink.record(words_of(&mut b));
        }
    }
}

fn decode(c: &mut Criterion) {
    let mut sink = Copy { ring: Box::new([0; 512]), hash: 0 };
    let mut config = DecoderConfig::default();
    config.instruments_max = 4096;
    let mut decoder = Decoder::new(config);
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

    type Case = (&'static str, &'static str, Vec<Vec<u8>>, u64, fn(&[u8], &mut Copy));
    let cases: [Case; 3] = [
        ("frame", "trade_47", frames("H0STCNT0", 1, &trades), 1, twin::trades),
        ("frame", "book_63", frames("H0STASP0", 1, &books), 1, twin::books),
        ("batch", "trade_47_x19", frames("H0STCNT0", 19, &trades), 19, twin::trades),
    ];
    for (group, name, frames, records, twin) in cases {
        let mut group = c.benchmark_group(format!("{group}/{name}"));
        group.throughput(Throughput::Elements(records));
        let mut next = frames.iter().cycle();
        let mut frame = || black_box(next.next().map_or(&[][..], Vec::as_slice));
        group.bench_function("hoga", |b| b.iter(|| decoder.decode(&context, frame(), || 7, &mut sink)));
        group.bench_function("twin", |b| b.iter(|| twin(frame(), &mut sink)));
        group.finish();
        let mut twin_sink = Copy { ring: Box::new([0; 512]), hash: 0 };
        let (ours, twins) = ratio(
            || frames.iter().for_each(|frame| decoder.decode(&context, black_box(frame), || 7, &mut sink)),
            || frames.iter().for_each(|frame| twin(black_box(frame), &mut twin_sink)),
        );
        let each = 1e9 / (frames.len() as f64 * records as f64);
        println!("{name}: {:.0} ns a record, twin {:.0} ns, {:.1} times", ours * each, twins * each, twins / ours);
    }
    println!("hash of the records {:016x}", sink.hash);
}

/// Loops over the same frames by turns, and says how many times faster the decoder is by the fastest loop of each: on a
/// machine shared with others the turns share its bad moments.
fn ratio(mut ours: impl FnMut(), mut twin: impl FnMut()) -> (f64, f64) {
    let turns = if std::env::args().any(|arg| arg == "--bench") { 400 } else { 1 };
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
