//! CRC-32C (Castagnoli), alone and fused with a copy.
//!
//! The `crc32` instruction takes eight bytes, but each waits three cycles for the one before. So a longer body is cut
//! into three streams of equal length that run side by side, and their checksums are put together at the end: with
//! `A`, `B`, `C` the checksums of the streams as polynomials and `n` the bits of a stream,
//!
//! ```text
//! crc(a b c) = A * x^2n + B * x^n + C   (mod P)
//! ```
//!
//! A product by a power of x is a carry-less multiplication by `x^n mod P` (`pclmulqdq`) and a reduction, and the
//! reduction is again `crc32` of the 64-bit product. That instruction multiplies by x^32 itself and the reflected
//! product is one bit short, so the table holds `x^(n - 33) mod P` for each stream length.
//!
//! NB: no load here is wider than eight bytes. A record is checked right after it was written, by stores of eight bytes
//! and less; a wider load of the same line can't be forwarded from the store buffer and waits until the stores have
//! left it, which costs more than the whole checksum. [`Crc32c::copy_checksum`] goes one step further: each word is read
//! once from the source, stored and fed to the checksum, so the destination is never read at all.

use super::scalar;

/// CRC-32C by the fastest way of this processor. Chosen once at start; `Copy`.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c {
    #[cfg(target_arch = "x86_64")]
    hardware: Option<Hardware>,
}

impl Crc32c {
    /// Asks the processor; falls back to tables.
    pub fn new() -> Crc32c {
        Crc32c {
            #[cfg(target_arch = "x86_64")]
            hardware: Hardware::new(),
        }
    }

    /// The table-driven twin, whatever the processor has. For tests and benches.
    pub const fn scalar() -> Crc32c {
        Crc32c {
            #[cfg(target_arch = "x86_64")]
            hardware: None,
        }
    }

    /// Whether the checksum instruction is in use.
    pub const fn is_hardware(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.hardware.is_some();
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// CRC-32C of `bytes`, continued from `seed`: 0 starts a new checksum, the checksum of the bytes before continues
    /// it, so `checksum(checksum(0, a), b)` is that of `a` followed by `b`.
    ///
    /// # Examples
    ///
    /// ```
    /// let crc = hoga::simd::Crc32c::new();
    /// assert_eq!(crc.checksum(0, b"123456789"), 0xe306_9283);
    /// assert_eq!(crc.checksum(crc.checksum(0, b"1234"), b"56789"), 0xe306_9283);
    /// ```
    #[inline]
    pub fn checksum(&self, seed: u32, bytes: &[u8]) -> u32 {
        #[cfg(target_arch = "x86_64")]
        if let Some(hardware) = self.hardware {
            return hardware.checksum(seed, bytes);
        }
        scalar::crc32c(seed, bytes)
    }

    /// Copies `src` to `dst` and returns the CRC-32C of `src`, continued from `seed` as [`Self::checksum`] does; `dst`
    /// is written and never read.
    ///
    /// # Panics
    ///
    /// When the two differ in length.
    #[inline]
    pub fn copy_checksum(&self, seed: u32, src: &[u8], dst: &mut [u8]) -> u32 {
        #[cfg(target_arch = "x86_64")]
        if let Some(hardware) = self.hardware {
            return hardware.copy_checksum(seed, src, dst);
        }
        scalar::copy_crc32c(seed, src, dst)
    }
}

impl Default for Crc32c {
    fn default() -> Self {
        Crc32c::new()
    }
}

/// [`Crc32c::checksum`] for callers that keep no [`Crc32c`]: looks the processor's answer up (one relaxed load) each
/// time.
#[inline]
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    Crc32c::new().checksum(seed, bytes)
}

/// [`Crc32c::copy_checksum`] for callers that keep no [`Crc32c`].
///
/// # Panics
///
/// When the two differ in length.
#[inline]
pub fn copy_crc32c(seed: u32, src: &[u8], dst: &mut [u8]) -> u32 {
    Crc32c::new().copy_checksum(seed, src, dst)
}

#[cfg(target_arch = "x86_64")]
pub use self::hardware::Hardware;

#[cfg(target_arch = "x86_64")]
mod hardware {
    use std::arch::x86_64::{
        _mm_clmulepi64_si128, _mm_crc32_u8, _mm_crc32_u64, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_xor_si128,
    };

    use super::scalar::times_x;

    /// Words of the longest stream; a longer body is taken in rounds of three such streams.
    const STREAM_WORDS_MAX: usize = 128;

    /// Words from which three streams and their joining beat one stream; measured by `benches/parse.rs`.
    const INTERLEAVE_WORDS_MIN: usize = 24;

    /// `SHIFT[n]` is `x^(64 n - 33) mod P`: moves a checksum past `n` words. Entry 0 is unused.
    static SHIFT: [u32; 2 * STREAM_WORDS_MAX + 1] = {
        let mut table = [0; 2 * STREAM_WORDS_MAX + 1];
        let mut power = 1; // x^31, reflected
        let mut words = 1;
        while words < table.len() {
            table[words] = power;
            let mut bit = 0;
            while bit < 64 {
                power = times_x(power);
                bit += 1;
            }
            words += 1;
        }
        table
    };

    /// Proof that this processor has SSE4.2 and PCLMULQDQ.
    #[derive(Clone, Copy, Debug)]
    pub struct Hardware(());

    impl Hardware {
        /// `None` where the processor lacks one of the instruction sets.
        #[inline]
        pub fn new() -> Option<Hardware> {
            let all = is_x86_feature_detected!("sse4.2") && is_x86_feature_detected!("pclmulqdq");
            all.then_some(Hardware(()))
        }

        /// As [`super::Crc32c::checksum`].
        #[inline]
        pub fn checksum(self, seed: u32, bytes: &[u8]) -> u32 {
            // SAFETY: `self` exists only because `new` found the features this function is compiled for.
            unsafe { checksum(seed, bytes) }
        }

        /// As [`super::Crc32c::copy_checksum`].
        ///
        /// # Panics
        ///
        /// When the two differ in length.
        #[inline]
        pub fn copy_checksum(self, seed: u32, src: &[u8], dst: &mut [u8]) -> u32 {
            assert_eq!(src.len(), dst.len(), "source and destination differ in length");
            // SAFETY: `self` exists only because `new` found the features this function is compiled for.
            unsafe { copy_checksum(seed, src, dst) }
        }
    }

    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn checksum(seed: u32, bytes: &[u8]) -> u32 {
        let (mut words, tail) = bytes.as_chunks::<8>();
        let mut crc = u64::from(!seed);
        while words.len() >= INTERLEAVE_WORDS_MIN {
            let n = (words.len() / 3).min(STREAM_WORDS_MAX);
            let (a, rest) = words.split_at(n);
            let (b, rest) = rest.split_at(n);
            let (c, rest) = rest.split_at(n);
            let (mut crc_b, mut crc_c) = (0, 0);
            for ((a, b), c) in a.iter().zip(b).zip(c) {
                crc = _mm_crc32_u64(crc, u64::from_le_bytes(*a));
                crc_b = _mm_crc32_u64(crc_b, u64::from_le_bytes(*b));
                crc_c = _mm_crc32_u64(crc_c, u64::from_le_bytes(*c));
            }
            crc = join(crc, crc_b, crc_c, n);
            words = rest;
        }
        for word in words {
            crc = _mm_crc32_u64(crc, u64::from_le_bytes(*word));
        }
        let mut crc = crc as u32;
        for byte in tail {
            crc = _mm_crc32_u8(crc, *byte);
        }
        !crc
    }

    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn copy_checksum(seed: u32, src: &[u8], dst: &mut [u8]) -> u32 {
        let (mut words, tail) = src.as_chunks::<8>();
        let (mut places, places_tail) = dst.as_chunks_mut::<8>();
        let mut crc = u64::from(!seed);
        while words.len() >= INTERLEAVE_WORDS_MIN {
            let n = (words.len() / 3).min(STREAM_WORDS_MAX);
            let (a, rest) = words.split_at(n);
            let (b, rest) = rest.split_at(n);
            let (c, rest) = rest.split_at(n);
            let (to_a, to_rest) = places.split_at_mut(n);
            let (to_b, to_rest) = to_rest.split_at_mut(n);
            let (to_c, to_rest) = to_rest.split_at_mut(n);
            let (mut crc_b, mut crc_c) = (0, 0);
            for (((((a, b), c), to_a), to_b), to_c) in a.iter().zip(b).zip(c).zip(to_a).zip(to_b).zip(to_c) {
                crc = feed(crc, a, to_a);
                crc_b = feed(crc_b, b, to_b);
                crc_c = feed(crc_c, c, to_c);
            }
            crc = join(crc, crc_b, crc_c, n);
            (words, places) = (rest, to_rest);
        }
        for (word, place) in words.iter().zip(places) {
            crc = feed(crc, word, place);
        }
        let mut crc = crc as u32;
        for (byte, place) in tail.iter().zip(places_tail) {
            *place = *byte;
            crc = _mm_crc32_u8(crc, *byte);
        }
        !crc
    }

    /// One word to its place and into the checksum.
    #[inline]
    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn feed(crc: u64, word: &[u8; 8], place: &mut [u8; 8]) -> u64 {
        let word = u64::from_le_bytes(*word);
        *place = word.to_le_bytes();
        _mm_crc32_u64(crc, word)
    }

    /// The checksum of three streams of `n` words each, one behind the other.
    #[inline]
    #[target_feature(enable = "sse4.2,pclmulqdq")]
    fn join(a: u64, b: u64, c: u64, n: usize) -> u64 {
        let times = |crc: u64, words: usize| {
            let power = i64::from(SHIFT[words]);
            _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(crc.cast_signed()), _mm_cvtsi64_si128(power))
        };
        let moved = _mm_xor_si128(times(a, 2 * n), times(b, n));
        c ^ _mm_crc32_u64(0, _mm_cvtsi128_si64(moved).cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1du64;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect()
    }

    fn check(seed: u32, bytes: &[u8]) {
        let expected = scalar::crc32c(seed, bytes);
        assert_eq!(expected, ::crc32c::crc32c_append(seed, bytes), "length {}", bytes.len());
        assert_eq!(crc32c(seed, bytes), expected, "length {}", bytes.len());
        for way in [Crc32c::new(), Crc32c::scalar()] {
            let mut copy = vec![0xa5; bytes.len()];
            assert_eq!(way.checksum(seed, bytes), expected, "length {}", bytes.len());
            assert_eq!(way.copy_checksum(seed, bytes, &mut copy), expected, "length {}", bytes.len());
            assert_eq!(copy, bytes);
        }
    }

    #[test]
    fn the_published_vectors_hold() {
        for way in [Crc32c::new(), Crc32c::scalar()] {
            assert_eq!(way.checksum(0, b""), 0);
            assert_eq!(way.checksum(0, b"123456789"), 0xe306_9283);
            assert_eq!(way.checksum(0, &[0; 32]), 0x8a91_36aa); // RFC 3720, B.4
            assert_eq!(way.checksum(0, &[0xff; 32]), 0x62a8_ab43);
        }
    }

    #[test]
    fn every_length_equals_the_twin() {
        let bytes = noise(2048);
        for length in 0..=2048 {
            check(0, &bytes[..length]);
        }
    }

    #[test]
    fn every_alignment_of_source_and_destination_equals_the_twin() {
        let bytes = noise(800);
        let mut place = vec![0; 800];
        for from in 0..16 {
            for to in 0..16 {
                for length in [0, 1, 7, 8, 9, 63, 64, 191, 192, 193, 256, 257, 640, 700] {
                    let source = &bytes[from..from + length];
                    place.fill(0x77);
                    let crc = copy_crc32c(9, source, &mut place[to..to + length]);
                    assert_eq!(crc, scalar::crc32c(9, source));
                    assert_eq!(&place[to..to + length], source);
                    assert!(place[..to].iter().chain(&place[to + length..]).all(|&byte| byte == 0x77));
                }
            }
        }
    }

    #[test]
    fn bodies_of_several_rounds_equal_the_twin() {
        let bytes = noise(20_000);
        for length in [3071, 3072, 3073, 3071 + 3072, 6144, 9999, 20_000] {
            check(0x1234_5678, &bytes[..length]);
        }
    }

    #[test]
    #[should_panic(expected = "differ in length")]
    fn a_destination_of_another_length_is_refused() {
        copy_crc32c(0, &[1, 2, 3], &mut [0; 2]);
    }

    proptest! {
        #[test]
        fn random_bytes_and_seeds_equal_the_twin(
            seed in any::<u32>(),
            bytes in prop::collection::vec(any::<u8>(), 0..4000),
            cut in 0usize..4000,
        ) {
            check(seed, &bytes);
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(crc32c(crc32c(seed, head), tail), crc32c(seed, &bytes));
        }
    }
}
