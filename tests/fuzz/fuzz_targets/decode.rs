//! Any bytes as frames of the broker: no panic, sound records only, control messages read or refused, secrets gone.
//!
//! Input: frames, one a line; a decoder's state goes on from one to the next, and over some hundred inputs.
#![no_main]

use std::cell::RefCell;

use hoga::feed::kis::control::{Control, is_control, is_pingpong};
use hoga::feed::kis::{Decoder, DecoderConfig, redact};
use hoga::feed::{FrameContext, RecordSink};
use hoga::tick::{HEADER_BYTES, Header, JsonForm, MARKET_PREFIX_BYTES, Market, Names, RType, view, write_json};
use libfuzzer_sys::fuzz_target;

const TS_RECV: u64 = 1_763_000_000_000_000_000;

#[derive(Default)]
struct Judge {
    records: Vec<u8>,
    json: Vec<u8>,
    market: u64,
    rejects: u64,
}

impl Judge {
    fn judge(&mut self, bytes: &[u8]) {
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
        assert_eq!(header.length as usize, bytes.len(), "length");
        assert_eq!((header.sequence, header.crc32c), (0, 0), "the journal's own fields");
        assert_eq!(header.ts_recv, TS_RECV);
        let rtype = RType::from_number(header.rtype).expect("a kind of the registry");
        if rtype.is_market() {
            self.market += 1;
            let market: Market = bytemuck::pod_read_unaligned(&bytes[HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES]);
            assert!(market.frame_index < market.frame_count, "{} of {}", market.frame_index, market.frame_count);
            assert_eq!((market.decoded_ns, market.raw_sequence), (7, 9));
        } else {
            self.rejects += u64::from(rtype == RType::Reject);
            let service = [RType::Instrument, RType::Gap, RType::Reject, RType::Session];
            assert!(service.contains(&rtype), "a decoder makes no {rtype:?}");
        }
        // Records are read at multiples of eight.
        let mut words = vec![0_u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        let record = view(&bytemuck::cast_slice(&words)[..bytes.len()]).expect("a record that can be viewed");
        for form in [JsonForm::Decoded, JsonForm::Journal] {
            self.json.clear();
            write_json(&mut self.json, &record, Names::default(), form);
            assert!(!self.json.contains(&b'\n'), "one line");
            if let Err(error) = serde_json::from_slice::<serde_json::Value>(&self.json) {
                panic!("{error}: {}", String::from_utf8_lossy(&self.json));
            }
        }
    }
}

impl RecordSink for Judge {
    fn record(&mut self, words: &mut [u64]) {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let length = words[0] as u32 as usize;
        assert!((HEADER_BYTES..=bytes.len()).contains(&length), "length {length} of {}", bytes.len());
        self.judge(&bytes[..length]);
        // A sink may write into it.
        words[1] = u64::MAX;
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        let mut whole = std::mem::take(&mut self.records);
        whole.clear();
        whole.extend_from_slice(bytemuck::cast_slice(prefix));
        whole.extend_from_slice(tail);
        self.judge(&whole);
        self.records = whole;
    }
}

const SECRET: &[u8] = b"s3cr3t-key";

fn redacts(bytes: &[u8]) {
    let mut copy = bytes.to_vec();
    redact(&mut copy, &[SECRET, b""]);
    assert_eq!(copy.len(), bytes.len());
    assert!(!copy.windows(SECRET.len()).any(|window| window == SECRET), "a secret is left");
}

/// Inputs that one decoder sees: making one costs more than a run, and its state is part of what is tried.
const INPUTS: u32 = 500;

thread_local! {
    static DECODER: RefCell<(u32, Option<Decoder>)> = const { RefCell::new((0, None)) };
}

fn new_decoder() -> Decoder {
    let mut config = DecoderConfig::default();
    (config.instruments_max, config.fields_max) = (64, 2048);
    Decoder::new(config)
}

fuzz_target!(|input: &[u8]| {
    DECODER.with_borrow_mut(|(inputs, decoder)| {
        *inputs += 1;
        if *inputs % INPUTS == 0 {
            *decoder = None;
        }
        run(input, decoder.get_or_insert_with(new_decoder));
    });
});

fn run(input: &[u8], decoder: &mut Decoder) {
    let mut judge = Judge::default();
    let seen = *decoder.counters();
    for (number, frame) in input.split(|byte| *byte == b'\n').enumerate() {
        if is_control(frame) {
            let _ = Control::parse(frame);
            let _ = is_pingpong(frame);
        }
        redacts(frame);
        let context = FrameContext {
            ts_recv: TS_RECV,
            read_ns: 3,
            raw_sequence: 9,
            line: 1,
            market_now_ns: (number % 2 == 0).then_some(TS_RECV),
            ..FrameContext::default()
        };
        let before = (judge.market, judge.rejects);
        decoder.decode(&context, frame, || 7, &mut judge);
        if !is_control(frame) {
            assert_ne!(before, (judge.market, judge.rejects), "a frame without a record: dropped silently");
        }
    }
    let now = decoder.counters();
    assert_eq!(now.records_total() - seen.records_total(), judge.market);
    assert_eq!(now.rejects_total() - seen.rejects_total(), judge.rejects);
}
