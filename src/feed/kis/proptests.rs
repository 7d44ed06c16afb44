//! The decoder against its twin on random frames, and on bytes that are no frames.

use proptest::prelude::*;

use super::twin::{Kept, Twin, any_width, decoded, frame, synthetic, twin};
use super::{Decoder, DecoderConfig};
use crate::feed::FrameContext;
use crate::tick::*;

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        any::<prop::sample::Index>(),
        prop_oneof![any::<u8>(), Just(b'^'), Just(b'|'), Just(b'-'), Just(b'9')],
        0..4_u8,
    );
    (any_width(), 1_usize..4, any::<u64>(), prop::collection::vec(edit, 0..6)).prop_map(
        |((layout, width), count, seed, edits)| {
            let records: Vec<_> = (0..count).map(|n| synthetic(&layout, width, seed.wrapping_add(n as u64))).collect();
            let mut bytes = frame(&layout.tr, &records);
            for (place, byte, how) in edits {
                let place = place.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
                match how {
                    _ if bytes.is_empty() => {}
                    0 => bytes[place] = byte,
                    1 => bytes.insert(place, byte),
                    2 => drop(bytes.remove(place)),
                    _ => bytes.truncate(place.max(1)),
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn typed_decoders_equal_the_twin_at_every_width((layout, width) in any_width(), count in 1_usize..=20, seed: u64) {
        let records: Vec<_> = (0..count).map(|n| synthetic(&layout, width, seed.wrapping_add(n as u64 * 3))).collect();
        let kept = decoded(&frame(&layout.tr, &records));
        let mut market = kept.market().into_iter();
        let mut rejects = 0;
        for record in &records {
            match twin(&layout, record) {
                None => return Ok(()),
                Some(Twin::Reject) => rejects += 1,
                Some(Twin::Other) => {
                    let Some(RecordView::Other(_, bytes)) = market.next().and_then(view) else { panic!("other") };
                    prop_assert_eq!(bytes, &record.join("^").into_bytes()[..]);
                }
                Some(Twin::Body(kind, body, unreadable)) => {
                    let bytes = market.next().unwrap();
                    prop_assert_eq!(bytes[36], kind as u8);
                    prop_assert_eq!(&bytes[HEADER_BYTES + MARKET_PREFIX_BYTES..], &body[..], "{} {}", layout.tr, record.join("^"));
                    let market: Market = bytemuck::pod_read_unaligned(&bytes[HEADER_BYTES..][..MARKET_PREFIX_BYTES]);
                    prop_assert_eq!(market.findings & Findings::FIELD_UNREADABLE != 0, unreadable);
                }
            }
        }
        prop_assert!(market.next().is_none());
        prop_assert_eq!(kept.reasons(), vec![RejectReason::BadNumber; rejects]);
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(noise in prop::collection::vec(any::<u8>(), 0..300), bytes in mutated()) {
        let mut decoder = Decoder::new(DecoderConfig { instruments_max: 4, fields_max: 512, ..DecoderConfig::default() });
        let mut kept = Kept::default();
        for frame in [&noise[..], &bytes, &[b"0|H0STCNT0|002|", &noise[..]].concat(), &bytes] {
            let before = (kept.0.len(), decoder.counters().control_frames);
            decoder.decode(&FrameContext { market_now_ns: Some(u64::from(noise.len() as u32)), ..FrameContext::default() }, frame, || 0, &mut kept);
            prop_assert!((kept.0.len(), decoder.counters().control_frames) > before, "a frame always leaves a trace");
        }
        for record in kept.views() {
            write_json(&mut Vec::new(), &record, Names::default(), JsonForm::Journal);
        }
    }
}
