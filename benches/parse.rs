//! How long does it take to find the fields of a frame, to read its numbers, and to checksum a record?
//!
//! Goals: hold each kernel against its scalar twin and against what a reader would use without it (`memchr_iter`,
//! `str::split`, `str::parse`, the crate `crc32c`), in one run on one machine, over frames of the size and shape of a
//! trade and an order book. Only ratios within a run mean anything.
//! Non-goals: caches that miss, whole frames through the pipeline, latency as a distribution.
//!
//! `cargo bench --bench parse` measures; under `cargo test --benches` each function runs once.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hoga::simd::{Crc32c, Isa, Splitter};
use hoga::wire::{Fields, FrameHead, Text, parse_hhmmss, parse_i64, parse_px, parse_u64, parse_yyyymmdd};

/// A trade: 47 fields.
const TRADE: &str = "0|H0STCNT0|001|005930^093354^71900^5^-100^-0.14^72023.83^72100^72400^71700^71900^71800^1^3052507\
    ^219853241700^5105^6937^1832^84.90^1366314^1159996^1^0.39^20.28^090020^5^-200^090820^5^-500^092619^2^200^20230612\
    ^20^N^65945^216924^1118750^2199206^0.05^2424142^125.92^0^^72100^1";

/// An order book: 63 fields.
const BOOK: &str = "0|H0STASP0|001|005930^093730^0^71900^72000^72100^72200^72300^72400^72500^72600^72700^72800^71800\
    ^71700^71600^71500^71400^71300^71200^71100^71000^70900^91918^117942^92673^79708^106729^141988^176192^113906^134077\
    ^104229^95221^159371^220746^284657^212742^195370^182710^209747^376432^158171^1159362^2095167^0^0^0^0^525579^-72000\
    ^5^-100.00^3159115^0^8^0^0^0^0^0^0^0";

fn index(c: &mut Criterion) {
    for (name, frame) in [("trade", TRADE), ("book", BOOK)] {
        let payload = FrameHead::parse(frame.as_bytes()).expect("a sound frame").payload;
        let text = str::from_utf8(payload).expect("ASCII");
        let mut out = [0u32; 256];
        let mut group = c.benchmark_group(format!("index/{name}/{}B/{}", payload.len(), text.split('^').count()));
        for splitter in Isa::ALL.into_iter().filter_map(Splitter::with_isa) {
            group.bench_function(splitter.isa().name(), |b| {
                b.iter(|| splitter.index(black_box(payload), b'^', black_box(&mut out)))
            });
        }
        group.bench_function("memchr_iter", |b| {
            b.iter(|| {
                let mut found = 0;
                for (slot, at) in out.iter_mut().zip(memchr::memchr_iter(b'^', black_box(payload))) {
                    *slot = at as u32;
                    found += 1;
                }
                black_box(&mut out);
                found
            })
        });
        let mut parts = [""; 256];
        group.bench_function("str_split", |b| {
            b.iter(|| {
                let mut found = 0;
                for (slot, part) in parts.iter_mut().zip(black_box(text).split('^')) {
                    *slot = part;
                    found += 1;
                }
                black_box(&mut parts);
                found
            })
        });
        group.finish();
    }
}

/// Columns of a trade that a record keeps, by what they are.
const INTEGERS: [usize; 16] = [3, 4, 12, 13, 14, 15, 16, 17, 19, 20, 26, 29, 32, 36, 37, 38];
const PRICES: [usize; 8] = [2, 6, 7, 8, 9, 10, 11, 45];

fn frame(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    group.bench_function("head", |b| b.iter(|| FrameHead::parse(black_box(TRADE.as_bytes()))));
    let mut fields = Fields::with_capacity(Fields::CAPACITY_MAX);
    for splitter in Isa::ALL.into_iter().filter_map(Splitter::with_isa) {
        group.bench_function(format!("trade_26_columns/{}", splitter.isa().name()), |b| {
            b.iter(|| {
                let head = FrameHead::parse(black_box(TRADE.as_bytes())).expect("a sound frame");
                let split = fields.split(splitter, head.payload, 64).expect("47 fields");
                let record = split.record(0, 47);
                let mut sum = 0i64;
                for at in INTEGERS {
                    sum ^= parse_i64(record.text(at)).expect("a number").unwrap_or(0);
                }
                for at in PRICES {
                    sum ^= parse_px(record.text(at)).expect("a price").unwrap_or(0);
                }
                let time = parse_hhmmss(record.text(1)).expect("a time").unwrap_or(0);
                let date = parse_yyyymmdd(record.text(33)).expect("a date").unwrap_or(0);
                (sum, time, date)
            })
        });
    }
    group.bench_function("trade_26_columns/str_split_and_parse", |b| {
        b.iter(|| {
            let text = str::from_utf8(black_box(TRADE.as_bytes())).expect("ASCII");
            let payload = text.splitn(4, '|').nth(3).expect("a payload");
            let mut parts = [""; 64];
            for (slot, part) in parts.iter_mut().zip(payload.split('^')) {
                *slot = part;
            }
            let mut sum = 0i64;
            for at in INTEGERS {
                sum ^= parts[at].parse::<i64>().expect("a number");
            }
            let mut prices = 0.0;
            for at in PRICES {
                prices += parts[at].parse::<f64>().expect("a price");
            }
            let time: u32 = parts[1].parse().expect("a time");
            let date: u32 = parts[33].parse().expect("a date");
            (sum, prices, time, date)
        })
    });
    group.finish();
}

fn number(c: &mut Criterion) {
    let mut group = c.benchmark_group("number");
    let padded = |text: &str| format!("005930^{text}^9999999").into_bytes();
    let text = |payload: &'static [u8], length: usize| Text::new(payload, 7, 7 + length as u32).expect("inside");
    for sample in ["5", "71900", "3052507", "219853241700", "18446744073709551615"] {
        let text = text(padded(sample).leak(), sample.len());
        group.bench_function(format!("u64/{sample}/swar"), |b| b.iter(|| parse_u64(black_box(text))));
        group.bench_function(format!("u64/{sample}/str_parse"), |b| b.iter(|| black_box(sample).parse::<u64>()));
    }
    for sample in ["-100", "-61900"] {
        let text = text(padded(sample).leak(), sample.len());
        group.bench_function(format!("i64/{sample}/swar"), |b| b.iter(|| parse_i64(black_box(text))));
        group.bench_function(format!("i64/{sample}/str_parse"), |b| b.iter(|| black_box(sample).parse::<i64>()));
    }
    for sample in ["71900", "-0.14", "72023.83", "1234567.8900"] {
        let text = text(padded(sample).leak(), sample.len());
        group.bench_function(format!("px/{sample}/swar"), |b| b.iter(|| parse_px(black_box(text))));
        group.bench_function(format!("px/{sample}/f64_parse"), |b| b.iter(|| black_box(sample).parse::<f64>()));
    }
    let time = text(padded("093354").leak(), 6);
    group.bench_function("hhmmss", |b| b.iter(|| parse_hhmmss(black_box(time))));
    let date = text(padded("20230612").leak(), 8);
    group.bench_function("yyyymmdd", |b| b.iter(|| parse_yyyymmdd(black_box(date))));
    group.finish();
}

fn checksum(c: &mut Criterion) {
    let source: Vec<u8> = (0..4096u32).map(|at| (at * 31 + at / 7) as u8).collect();
    let mut place = vec![0u8; 4096];
    for length in [64, 128, 192, 256, 640, 4096] {
        let body = &source[..length];
        let mut group = c.benchmark_group(format!("crc32c/{length}"));
        group.throughput(Throughput::Bytes(length as u64));
        for (name, way) in [("hardware", Crc32c::new()), ("scalar", Crc32c::scalar())] {
            group.bench_function(name, |b| b.iter(|| way.checksum(7, black_box(body))));
        }
        group.bench_function("crate_crc32c", |b| b.iter(|| crc32c::crc32c_append(7, black_box(body))));
        let way = Crc32c::new();
        group.bench_function("copy_fused", |b| {
            b.iter(|| way.copy_checksum(7, black_box(body), black_box(&mut place[..length])))
        });
        group.bench_function("copy_then_checksum_of_source", |b| {
            b.iter(|| {
                black_box(&mut place[..length]).copy_from_slice(black_box(body));
                way.checksum(7, black_box(body))
            })
        });
        group.bench_function("copy_then_crate_crc32c_of_copy", |b| {
            b.iter(|| {
                black_box(&mut place[..length]).copy_from_slice(black_box(body));
                crc32c::crc32c_append(7, black_box(&place[..length]))
            })
        });
        group.finish();
    }
}

fn short() -> Criterion {
    use std::time::Duration;
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(40)
}

criterion_group! { name = benches; config = short(); targets = index, frame, number, checksum }
criterion_main!(benches);
