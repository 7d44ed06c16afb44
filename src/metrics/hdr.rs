//! A check of serialised histograms that come from outside, before hdrhistogram reads them.
//!
//! Its reader trusts some numbers: it allocates the length it is told, negates a count of zeros without looking, and its
//! quantiles add counts without looking. What passes here can do none of that harm.

use super::histogram::{LATENCY_DIGITS, LATENCY_NS_MAX, LATENCY_NS_MIN};

const HEADER_BYTES: usize = 40;
const COOKIE_V2: u32 = 0x1c84_9303 | 0x10;
/// Bounds the sum of counts far from overflow: at ten million samples a second it lasts three thousand years.
const SAMPLES_MAX: u64 = 1 << 60;
const BUCKETS_MAX: u64 = 3840;

/// Whether the bytes are one V2 histogram of our range whose counts stay within bounds.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    let Some((header, mut counts)) = bytes.split_at_checked(HEADER_BYTES) else { return false };
    let u32_at = |at: usize| u32::from_be_bytes(std::array::from_fn(|index| header[at + index]));
    let u64_at = |at: usize| u64::from_be_bytes(std::array::from_fn(|index| header[at + index]));
    let head_sound = u32_at(0) == COOKIE_V2
        && u32_at(4) as usize == counts.len()
        && u32_at(12) == u32::from(LATENCY_DIGITS)
        && u64_at(16) == LATENCY_NS_MIN
        && u64_at(24) == LATENCY_NS_MAX;
    if !head_sound {
        return false;
    }
    let (mut buckets, mut samples) = (0_u64, 0_u64);
    while let Some((number, rest)) = take_number(counts) {
        let runs = if number < 0 { number.unsigned_abs() } else { 1 };
        buckets = buckets.saturating_add(runs);
        samples = samples.saturating_add(number.max(0).unsigned_abs());
        counts = rest;
    }
    counts.is_empty() && buckets <= BUCKETS_MAX && samples <= SAMPLES_MAX
}

/// A ZigZag LEB128 number of at most nine bytes, the ninth whole; `None` at the end or in the middle of one.
fn take_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        let last = index == 8;
        let bits = if last { *byte } else { byte & 0x7f };
        value |= u64::from(bits) << (7 * index);
        if last || byte & 0x80 == 0 {
            let signed = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            return Some((signed, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

    use super::*;
    use crate::metrics::{Latency, LatencySet};

    fn sample_bytes() -> (LatencySet, Vec<u8>) {
        let mut set = LatencySet::new();
        for exponent in 0..36 {
            for _ in 0..=exponent * 40 {
                set.record(Latency::KernelToRead, 1 << exponent);
            }
        }
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(set.histogram(Latency::KernelToRead), &mut bytes).unwrap();
        (set, bytes)
    }

    #[test]
    fn what_is_serialised_is_sound_and_comes_back() {
        let (set, bytes) = sample_bytes();
        assert!(is_sound(&bytes));
        let back: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(&back, set.histogram(Latency::KernelToRead));
    }

    #[test]
    fn no_cut_and_no_flipped_byte_of_a_sound_histogram_makes_the_reader_panic() {
        let (_, bytes) = sample_bytes();
        for cut in 0..bytes.len() {
            assert!(!is_sound(&bytes[..cut]), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 0x40] {
                let mut bent = bytes.clone();
                bent[at] = value;
                if is_sound(&bent) {
                    let Ok(histogram) = Deserializer::new().deserialize::<u64, _>(&mut bent.as_slice()) else {
                        continue;
                    };
                    let mut set = LatencySet::new();
                    assert!(set.replace(Latency::KernelToRead, histogram));
                    let _ = (set.summary(Latency::KernelToRead), set.since(&LatencySet::new()));
                }
            }
        }
    }

    #[test]
    fn a_run_of_zeros_without_end_and_a_sum_without_end_are_refused() {
        let (_, bytes) = sample_bytes();
        for number in [[0xff_u8; 9], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            let mut bent = bytes[..HEADER_BYTES].to_vec();
            bent.extend_from_slice(&number);
            bent[4..8].copy_from_slice(&9_u32.to_be_bytes());
            assert!(!is_sound(&bent));
        }
    }
}
