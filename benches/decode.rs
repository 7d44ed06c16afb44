//! How much faster is the decoder than the usual way of reading such a frame?
//!
//! Goals: from a frame's bytes to a complete record in a sink, for the two messages that make up nearly all traffic (a
//! trade of 47 fields, a book of 63), against a twin that checks UTF-8, splits into strings and parses each with the
//! standard library, into the same record. Not goals: sockets, rings, the journal.
//!
//! `frame/…` is one frame of one record; `batch/…` one of nineteen trades. `harness` is the loop with a sink that is given
//! a finished record. Ratios within one run count; times are the machine's.

use std::hint::black_box;

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

const TRADE: &str = "005930^093354^71900^5^-100^-0.14^72023.83^72100^72400^71700^71900^71800^1^3052507^219853241700^5105^6937^1832^84.90^1366314^1159996^1^0.39^20.28^090020^5^-200^090820^5^-500^092619^2^200^20260914^20^N^65945^216924^1118750^2199206^0.05^2424142^125.92^0^^72100^2^2";

fn book() -> String {
    let mut fields = vec!["005930".to_owned(), "093730".to_owned(), "0".to_owned()];
    fields.extend((0..10).map(|level| (71_900 + level * 100).to_string()));
    fields.extend((0..10).map(|level| (71_800 - level * 100).to_string()));
    fields.extend((0..20).map(|level| (91_918 + level * 7_331).to_string()));
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
    let trade = format!("0|H0STCNT0|001|{TRADE}").into_bytes();
    let batch = format!("0|H0STCNT0|019|{}", vec![TRADE; 19].join("^")).into_bytes();
    let book = format!("0|H0STASP0|001|{}", book()).into_bytes();

    let mut group = c.benchmark_group("harness");
    let mut finished = Trade::UNDEF;
    group.bench_function("trade", |b| b.iter(|| sink.record(black_box(words_of(&mut finished)))));
    group.finish();

    type Twin = fn(&[u8], &mut Copy);
    let cases: [(&str, &str, &[u8], u64, Twin); 3] = [
        ("frame", "trade_47", &trade, 1, twin::trades),
        ("frame", "book_63", &book, 1, twin::books),
        ("batch", "trade_47_x19", &batch, 19, twin::trades),
    ];
    for (group, name, frame, records, twin) in cases {
        let mut group = c.benchmark_group(format!("{group}/{name}"));
        group.throughput(Throughput::Elements(records));
        group.bench_function("hoga", |b| {
            b.iter(|| decoder.decode(&context, black_box(frame), || 7, &mut sink));
        });
        group.bench_function("twin", |b| b.iter(|| twin(black_box(frame), &mut sink)));
        group.finish();
    }
    println!("hash of the records {:016x}", sink.hash);
}

criterion_group!(benches, decode);
criterion_main!(benches);
