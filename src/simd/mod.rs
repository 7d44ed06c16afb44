//! The kernels that use vector or checksum instructions: positions of a delimiter, values of
//! many short numbers, and CRC-32C.
//!
//! What this folder promises: every kernel gives the same answer as its scalar twin in [`scalar`], for every length,
//! alignment and content; it reads nothing outside the slices it is given; it allocates nothing and blocks nowhere.
//!
//! The choice is made once, at start: [`Splitter::new`], [`Digits::new`] and [`Crc32c::new`] ask the processor and return a
//! small `Copy` value that a stage keeps. Holding a kernel's value ([`avx2::Index`], [`avx512::Index`], [`digits::Avx512`], [`crc32c::Hardware`]) proves
//! that the processor has its instructions, so safe code can't run a kernel on a processor that lacks them.
//!
//! # The index, told once
//!
//! Compare a block of 64 bytes with the delimiter in all lanes at once; the result is a 64-bit mask with one bit per
//! byte. The position of each set bit, plus the offset of the block, is a position of a delimiter. Two things cost time:
//!
//! - *Walking the bits.* A loop "until the mask is empty" mispredicts its exit about once per block, because the number
//!   of fields in 64 bytes of market data varies. So positions are written eight (AVX2) or sixteen (AVX-512) at a time
//!   whether or not there are that many, and only the count advances exactly; what was written too much is
//!   overwritten by the next block. That needs 64 spare places behind the last position; where `out` hasn't them, a
//!   bounded loop takes over. AVX-512 does without the walk: `vpcompressb` packs the lane numbers of the set bits.
//! - *The tail.* The last, partial block is read as the *last whole* block of the payload (AVX2) and shifted, or by a
//!   masked load (AVX-512), so that no byte outside the payload is touched and no byte loop is run.

pub mod crc32c;
pub mod digits;
pub mod scalar;

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;

pub use self::crc32c::Crc32c;
pub use self::digits::Digits;

/// An instruction set that has an index kernel here, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Isa {
    /// Plain integer code; every processor.
    Scalar = 0,
    /// AVX2 with BMI1 and POPCNT.
    Avx2 = 1,
    /// AVX-512 F, BW and VBMI2, with POPCNT.
    Avx512 = 2,
}

impl Isa {
    /// Every instruction set, slowest first.
    pub const ALL: [Isa; 3] = [Isa::Scalar, Isa::Avx2, Isa::Avx512];

    /// The fastest one this processor has. Asks the processor; meant for the start, not for the hot path.
    pub fn detect() -> Isa {
        Splitter::new().isa()
    }

    /// A short name for logs and benches.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }
}

/// Finds every position of a delimiter. Chosen once at start, copied to whoever splits.
#[derive(Clone, Copy, Debug)]
pub struct Splitter {
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Index),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Index),
}

impl Splitter {
    /// The fastest kernel of this processor.
    pub fn new() -> Splitter {
        let [scalar, avx2, avx512] = Isa::ALL.map(Splitter::with_isa);
        avx512.or(avx2).or(scalar).unwrap_or(Splitter { kernel: Kernel::Scalar })
    }

    /// The kernel of one instruction set, or `None` where the processor lacks it. For tests, benches, and an operator
    /// who wants less than the best.
    pub fn with_isa(isa: Isa) -> Option<Splitter> {
        let kernel = match isa {
            Isa::Scalar => Some(Kernel::Scalar),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Index::new().map(Kernel::Avx2),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::Index::new().map(Kernel::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => None,
        };
        kernel.map(|kernel| Splitter { kernel })
    }

    /// The instruction set in use.
    pub const fn isa(&self) -> Isa {
        match self.kernel {
            Kernel::Scalar => Isa::Scalar,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(_) => Isa::Avx2,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512(_) => Isa::Avx512,
        }
    }

    /// Writes the positions of every `delimiter` in `bytes` to `out`, in rising order, and returns how many there are.
    ///
    /// The count is of all delimiters, also of those that `out` had no place for: only the first `out.len()` positions
    /// are written, and a result above `out.len()` says that some are missing. Places of `out` behind the last position
    /// written hold anything afterwards. It is fastest when `out` has 64 places more than there are delimiters.
    ///
    /// # Panics
    ///
    /// When `bytes` is longer than `u32::MAX`.
    ///
    /// # Examples
    ///
    /// ```
    /// let splitter = hoga::simd::Splitter::new();
    /// let mut positions = [0; 2];
    /// assert_eq!(splitter.index(b"005930^093000^71900^", b'^', &mut positions), 3);
    /// assert_eq!(positions, [6, 13]); // the third had no place
    /// ```
    #[inline]
    pub fn index(&self, bytes: &[u8], delimiter: u8, out: &mut [u32]) -> usize {
        assert!(bytes.len() <= u32::MAX as usize, "positions are 32 bits wide");
        match self.kernel {
            Kernel::Scalar => scalar::positions(bytes, delimiter, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(kernel) => kernel.positions(bytes, delimiter, out),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512(kernel) => kernel.positions(bytes, delimiter, out),
        }
    }
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter::new()
    }
}

/// Writes the positions of the set bits of `mask`, plus `base`, to `out` from `found` on as far as there are places.
/// The slow way, for an `out` that is nearly full.
#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn write_bounded(mut mask: u64, base: u32, out: &mut [u32], found: usize) {
    for slot in out.iter_mut().skip(found) {
        if mask == 0 {
            return;
        }
        *slot = base + mask.trailing_zeros();
        mask &= mask - 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNTOUCHED: u32 = 0xdead_beef;

    fn kernels() -> Vec<Splitter> {
        Isa::ALL.into_iter().filter_map(Splitter::with_isa).collect()
    }

    /// The slowest way to say it; the scalar kernel is held against this, the others against both.
    fn naive(bytes: &[u8], delimiter: u8) -> Vec<u32> {
        (0..bytes.len()).filter(|&at| bytes[at] == delimiter).map(|at| u32::try_from(at).unwrap()).collect()
    }

    fn check(bytes: &[u8], delimiter: u8, capacity: usize) {
        let expected = naive(bytes, delimiter);
        for kernel in kernels() {
            let mut out = vec![UNTOUCHED; capacity];
            let found = kernel.index(bytes, delimiter, &mut out);
            let written = expected.len().min(capacity);
            assert_eq!(found, expected.len(), "{:?} length {} capacity {capacity}", kernel.isa(), bytes.len());
            assert_eq!(out[..written], expected[..written], "{:?} length {}", kernel.isa(), bytes.len());
        }
    }

    /// A small generator with a seed in sight, so that a failure repeats.
    fn noise(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    #[test]
    fn every_length_and_alignment_equals_the_twin() {
        for seed in [1u64, 0x9e37_79b9_7f4a_7c15] {
            let mut next = noise(seed);
            let bytes: Vec<u8> =
                (0..300 + 64).map(|_| if next() % 7 < 1 { b'^' } else { b'0' + (next() % 10) as u8 }).collect();
            for align in 0..64 {
                for length in 0..=300 {
                    let text = &bytes[align..align + length];
                    check(text, b'^', length + 64);
                }
            }
        }
    }

    #[test]
    fn every_density_equals_the_twin() {
        let mut next = noise(7);
        for per_mille in [0, 5, 100, 250, 500, 900, 1000] {
            for length in [0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 256, 1000] {
                let bytes: Vec<u8> = (0..length).map(|_| if next() % 1000 < per_mille { b'^' } else { b'7' }).collect();
                check(&bytes, b'^', length + 64);
                check(&bytes, b'^', length);
            }
        }
    }

    #[test]
    fn a_short_output_is_filled_and_the_count_stays_whole() {
        let bytes = b"^a^^bc^d".repeat(40);
        for capacity in 0..bytes.len() + 70 {
            check(&bytes, b'^', capacity);
        }
    }

    #[test]
    fn bytes_beside_the_text_are_never_reported() {
        let bytes = [b'^'; 400];
        for start in 0..64 {
            for length in 0..140 {
                check(&bytes[start..start + length], b'^', length + 64);
                check(&bytes[start..start + length], b'0', length + 64);
            }
        }
    }

    #[test]
    fn detection_returns_the_best_kernel_that_exists() {
        let best = kernels().last().unwrap().isa();
        assert_eq!(Isa::detect(), best);
        assert_eq!(Splitter::default().isa(), best);
        assert!(!best.name().is_empty());
    }

    proptest! {
        #[test]
        fn random_bytes_equal_the_twin(
            bytes in prop::collection::vec(any::<u8>(), 0..=700),
            few in prop::collection::vec(0u8..4, 0..=700),
            align in 0usize..64,
            delimiter in any::<u8>(),
            capacity in 0usize..800,
        ) {
            check(&bytes[align.min(bytes.len())..], delimiter, capacity);
            check(&few[align.min(few.len())..], delimiter % 4, capacity);
        }
    }
}
