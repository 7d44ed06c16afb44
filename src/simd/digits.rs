//! Values of many short numbers at once.
//!
//! The fields of a message lie between positions of a delimiter, as [`Splitter::index`](super::Splitter::index) finds
//! them. Eight of them make a vector: one gather fetches for each the eight bytes that *end* with it, so that a short
//! number is a long one with leading zeros; the bytes in front of it, which are its neighbour's, are masked to zero
//! digits. Digits are then joined to pairs, fours and eights by multiply-and-add.
//!
//! A field that isn't one to eight digits (empty, signed, with a fraction, longer) makes no error and costs nothing: its
//! bit stays zero, and the caller reads it in another way. So does a field that ends within the first eight bytes of
//! the text, in front of which there is nothing to fetch.

use super::{Isa, scalar};

/// Reads many short numbers at once. Chosen once at start; `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    #[cfg(target_arch = "x86_64")]
    avx512: Option<Avx512>,
}

impl Digits {
    /// Most fields of one call.
    pub const FIELDS_MAX: usize = 64;

    /// The fastest kernel of this processor.
    pub fn new() -> Digits {
        Digits {
            #[cfg(target_arch = "x86_64")]
            avx512: Avx512::new(),
        }
    }

    /// The twin, which takes a word at a time, whatever the processor has. For tests and benches.
    pub const fn scalar() -> Digits {
        Digits {
            #[cfg(target_arch = "x86_64")]
            avx512: None,
        }
    }

    /// The instruction set in use.
    pub const fn isa(&self) -> Isa {
        #[cfg(target_arch = "x86_64")]
        if self.avx512.is_some() {
            return Isa::Avx512;
        }
        Isa::Scalar
    }

    /// Reads the fields of `text` between each position of `bounds` and the next, positions not included. Returns a
    /// bit for each field that is one to eight digits, nothing else, and ends at the eighth byte of `text` or behind it;
    /// place `i` of `out` is then the value of field `i`.
    ///
    /// Other places of `out` hold anything afterwards. There is one field less than bounds; the first may follow position
    /// -1, as a `u32` that wraps. Bounds that do not rise or are outside `text` give fields without a bit, or with one
    /// where the bytes between are digits all the same.
    ///
    /// # Panics
    ///
    /// When there are more than [`Self::FIELDS_MAX`] fields, or fewer places in `out` than fields, these rounded up to a
    /// multiple of eight.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut out = [0; 8];
    /// let plain = hoga::simd::Digits::new().convert(b"005930^71900^-5^12", &[6, 12, 15, 18], &mut out);
    /// assert_eq!(plain, 0b101);
    /// assert_eq!((out[0], out[2]), (71_900, 12));
    /// ```
    #[inline]
    pub fn convert(&self, text: &[u8], bounds: &[u32], out: &mut [u64]) -> u64 {
        let fields = bounds.len().saturating_sub(1);
        assert!(fields <= Self::FIELDS_MAX && fields.next_multiple_of(8) <= out.len(), "no place for all fields");
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = self.avx512 {
            return kernel.convert(text, bounds, out);
        }
        scalar::convert(text, bounds, out)
    }
}

impl Default for Digits {
    fn default() -> Self {
        Digits::new()
    }
}

#[cfg(target_arch = "x86_64")]
pub use self::avx512::Avx512;

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m256i, __mmask8, _mm256_add_epi32, _mm256_mask_cmple_epu32_mask, _mm256_mask_cmplt_epu32_mask,
        _mm256_maskz_loadu_epi32, _mm256_set1_epi32, _mm256_sub_epi32, _mm512_add_epi64, _mm512_and_si512,
        _mm512_cvtepu32_epi64, _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_mask_i64gather_epi64,
        _mm512_mask_testn_epi64_mask, _mm512_mul_epu32, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32,
        _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_sllv_epi64, _mm512_srli_epi64,
        _mm512_storeu_epi64, _mm512_sub_epi64, _mm512_subs_epu8, _mm512_xor_si512,
    };

    /// Proof that this processor has AVX-512 F, BW and VL.
    #[derive(Clone, Copy, Debug)]
    pub struct Avx512(());

    impl Avx512 {
        /// `None` where the processor or the operating system lacks one of the instruction sets.
        pub fn new() -> Option<Avx512> {
            let all = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            all.then_some(Avx512(()))
        }

        /// As [`super::Digits::convert`]; fields that `out` has no place for are left out.
        #[inline]
        pub fn convert(self, text: &[u8], bounds: &[u32], out: &mut [u64]) -> u64 {
            // SAFETY: `self` exists only because `new` found the features this function is compiled for.
            unsafe { convert(text, bounds, out) }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn convert(text: &[u8], bounds: &[u32], out: &mut [u64]) -> u64 {
        let (places, _) = out.as_chunks_mut::<8>();
        let (mut plain, mut shift) = (0, 0);
        let mut rest = bounds;
        for place in places {
            let fields = rest.len().saturating_sub(1).min(8);
            if fields == 0 || shift == 64 {
                break;
            }
            plain |= u64::from(eight(text, &rest[..=fields], place)) << shift;
            rest = &rest[fields..];
            shift += 8;
        }
        plain
    }

    /// The fields between two to nine bounds, of which there must not be more.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn eight(text: &[u8], bounds: &[u32], out: &mut [u64; 8]) -> __mmask8 {
        let fields: __mmask8 = u8::MAX >> (9 - bounds.len());
        let (fronts, backs) = (&bounds[..bounds.len() - 1], &bounds[1..]);
        // SAFETY: `fields` has a bit for each word of `fronts` and for no other; a masked load touches and faults on the
        // selected words alone.
        let before: __m256i = unsafe { _mm256_maskz_loadu_epi32(fields, fronts.as_ptr().cast()) };
        // SAFETY: as above, `backs` has as many words.
        let end: __m256i = unsafe { _mm256_maskz_loadu_epi32(fields, backs.as_ptr().cast()) };

        // Signed 32 bits are enough for a length that was found to be 1 to 8.
        let length = _mm256_sub_epi32(_mm256_add_epi32(end, _mm256_set1_epi32(-1)), before);
        let short =
            _mm256_mask_cmplt_epu32_mask(fields, _mm256_add_epi32(length, _mm256_set1_epi32(-1)), _mm256_set1_epi32(8));
        let text_end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let inside = _mm256_mask_cmple_epu32_mask(short, end, _mm256_set1_epi32(text_end.cast_signed()));
        let inside = _mm256_mask_cmple_epu32_mask(inside, _mm256_set1_epi32(8), end);

        let offsets = _mm512_sub_epi64(_mm512_cvtepu32_epi64(end), _mm512_set1_epi64(8));
        let none = _mm512_setzero_si512();
        // SAFETY: a lane of `inside` has an end of at least 8 and at most the length of `text`, so the eight bytes from
        // its offset on are bytes of `text`; a masked gather touches and faults on the selected lanes alone.
        let words = unsafe { _mm512_mask_i64gather_epi64::<1>(none, inside, offsets, text.as_ptr().cast()) };

        // A shift by 64 and more, which only lanes without a bit have, gives zero.
        let bits = _mm512_slli_epi64::<3>(_mm512_cvtepu32_epi64(length));
        let own = _mm512_sllv_epi64(_mm512_set1_epi64(-1), _mm512_sub_epi64(_mm512_set1_epi64(64), bits));
        let digits = _mm512_and_si512(_mm512_xor_si512(words, _mm512_set1_epi8(0x30)), own);
        let plain =
            _mm512_mask_testn_epi64_mask(inside, _mm512_subs_epu8(digits, _mm512_set1_epi8(9)), _mm512_set1_epi8(-1));

        // The first digit stands in the lowest byte: it counts ten of the second, and so on.
        let pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010a));
        let fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0001_0064));
        let front = _mm512_mul_epu32(fours, _mm512_set1_epi64(10_000));
        let values = _mm512_add_epi64(front, _mm512_srli_epi64::<32>(fours));
        // SAFETY: the pointer comes from a reference to eight writable words, and the store needs no alignment.
        unsafe { _mm512_storeu_epi64(out.as_mut_ptr().cast(), values) };
        plain
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kernels() -> impl Iterator<Item = Digits> {
        let best = Digits::new();
        [Digits::scalar()].into_iter().chain((best.isa() != Isa::Scalar).then_some(best))
    }

    /// The slowest way to say it.
    fn naive(text: &[u8], bounds: &[u32]) -> Vec<Option<u64>> {
        let field = |pair: &[u32]| {
            let (start, end) = (pair[0].wrapping_add(1) as usize, pair[1] as usize);
            let field = text.get(start..end).filter(|field| end >= 8 && (1..=8).contains(&field.len()))?;
            str::from_utf8(field).ok().filter(|field| field.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
        };
        bounds.windows(2).map(field).collect()
    }

    fn check(text: &[u8], bounds: &[u32]) {
        let expected = naive(text, bounds);
        for kernel in kernels() {
            let mut out = [u64::MAX; 64];
            let plain = kernel.convert(text, bounds, &mut out[..expected.len().next_multiple_of(8)]);
            let got: Vec<_> = (0..expected.len()).map(|i| (plain >> i & 1 == 1).then(|| out[i])).collect();
            assert_eq!(got, expected, "{:?} {} {bounds:?}", kernel.isa(), text.escape_ascii());
            assert_eq!(plain.checked_shr(expected.len() as u32).unwrap_or(0), 0, "bits behind the last field");
        }
    }

    /// Checks all runs of up to 64 fields from each field on, or a few of them.
    fn check_fields(text: &[u8]) {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'^').map(|(at, _)| at as u32);
        let bounds: Vec<u32> = [u32::MAX].into_iter().chain(ends).chain([text.len() as u32]).collect();
        for bounds in bounds.chunks(65).chain([&bounds[bounds.len().saturating_sub(65)..]]) {
            check(text, bounds);
        }
    }

    #[test]
    fn every_number_of_fields_and_every_length_equals_the_twin() {
        for count in 0..=64_usize {
            for length in 0..=10 {
                let fields: Vec<String> = (0..count).map(|at| "123456789012"[at % 2..][..length].to_owned()).collect();
                check_fields(fields.join("^").as_bytes());
                check_fields(format!("00000000^{}", fields.join("^")).as_bytes());
            }
        }
        for kernel in kernels() {
            assert_eq!((kernel.convert(b"", &[], &mut []), kernel.convert(b"1", &[5], &mut [])), (0, 0));
        }
    }

    #[test]
    fn every_byte_at_every_place_of_every_lane_equals_the_twin() {
        for byte in 0..=255 {
            for place in 0..8 {
                for lane in 0..8 {
                    let mut text = *b"12345678^00000000^99999999^10000000^00000001^55555555^90909090^18181818";
                    text[9 * lane + place] = byte;
                    let bounds = [u32::MAX, 8, 17, 26, 35, 44, 53, 62, 71];
                    check(&text, &bounds);
                }
            }
        }
    }

    #[test]
    fn bytes_beside_a_field_never_change_it() {
        for beside in 0..=255 {
            let text = [[beside; 9], *b"123\0\x00045\xff", [beside; 9]].concat();
            for start in 0..text.len() as u32 {
                for end in start + 1..=text.len() as u32 {
                    check(&text, &[start, end]);
                }
            }
        }
    }

    #[test]
    fn bounds_outside_the_text_have_no_bit() {
        let text = b"0123456789012345";
        for end in [16, 17, 20, 24, 1 << 31, u32::MAX - 7, u32::MAX - 1, u32::MAX, 0, 1, 7, 8] {
            for length in 0..=10_u32 {
                check(text, &[end.wrapping_sub(length).wrapping_sub(1), end]);
            }
        }
        check(text, &[3, 15, 2, 9, 9, 8, 16, u32::MAX, 5]);
    }

    #[test]
    #[should_panic(expected = "no place for all fields")]
    fn an_output_too_short_is_refused() {
        Digits::new().convert(b"12345678^1", &[u32::MAX, 8, 10], &mut [0; 7]);
    }

    proptest! {
        #[test]
        fn random_fields_equal_the_twin(
            fields in prop::collection::vec(prop_oneof![8 => "[0-9]{1,8}", 2 => "[0-9.+ -]{0,18}"], 0..=130),
        ) {
            check_fields(fields.join("^").as_bytes());
        }

        #[test]
        fn random_bytes_and_bounds_equal_the_twin(
            bytes in prop::collection::vec(prop_oneof![3 => b'0'..=b'9', 1 => any::<u8>()], 0..=300),
            bounds in prop::collection::vec(prop_oneof![20 => 0_u32..310, 1 => any::<u32>()], 0..=65),
            align in 0_usize..16,
        ) {
            let mut rising = bounds.clone();
            rising.sort_unstable();
            check(&bytes[align.min(bytes.len())..], &rising);
            check(&bytes, &bounds);
        }
    }
}
