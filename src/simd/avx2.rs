//! The field index with AVX2: two compares and two `movemask` per 64 bytes; see the algorithm in [`super`].

use std::arch::x86_64::{__m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8};

use super::write_bounded;

/// Proof that this processor has AVX2, BMI1 and POPCNT.
#[derive(Clone, Copy, Debug)]
pub struct Index(());

impl Index {
    /// `None` where the processor or the operating system lacks one of the instruction sets.
    pub fn new() -> Option<Index> {
        let all =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt");
        all.then_some(Index(()))
    }

    /// As [`super::Splitter::index`]; positions of texts longer than `u32::MAX` wrap.
    #[inline]
    pub fn positions(self, bytes: &[u8], delimiter: u8, out: &mut [u32]) -> usize {
        // SAFETY: `self` exists only because `new` found the features this function is compiled for.
        unsafe { positions(bytes, delimiter, out) }
    }
}

#[target_feature(enable = "avx2,bmi1,popcnt")]
fn positions(bytes: &[u8], delimiter: u8, out: &mut [u32]) -> usize {
    let needle = _mm256_set1_epi8(delimiter.cast_signed());
    let (blocks, tail) = bytes.as_chunks::<64>();
    let mut found = 0;
    let mut base = 0u32;
    for block in blocks {
        found = write(matches(block, needle), base, out, found);
        base = base.wrapping_add(64);
    }
    if tail.is_empty() {
        return found;
    }
    let mask = match bytes.last_chunk::<64>() {
        Some(last) => matches(last, needle) >> (64 - tail.len()),
        None => {
            let mut block = [!delimiter; 64];
            block[..tail.len()].copy_from_slice(tail);
            matches(&block, needle)
        }
    };
    write(mask, base, out, found)
}

/// One bit per byte of `block` that equals the needle.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn matches(block: &[u8; 64], needle: __m256i) -> u64 {
    let (halves, _) = block.as_chunks::<32>();
    let half = |at: usize| -> u64 {
        // SAFETY: the pointer comes from a reference to 32 readable bytes, and the load needs no alignment.
        let lanes = unsafe { _mm256_loadu_si256(halves[at].as_ptr().cast()) };
        u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(lanes, needle)).cast_unsigned())
    };
    half(0) | half(1) << 32
}

/// Appends the positions of `mask`; returns the new count.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn write(mut mask: u64, base: u32, out: &mut [u32], found: usize) -> usize {
    let count = mask.count_ones() as usize;
    match out.get_mut(found..).and_then(|free| free.first_chunk_mut::<64>()) {
        Some(slots) => {
            let (eights, _) = slots.as_chunks_mut::<8>();
            for (written, eight) in (0..).step_by(8).zip(eights) {
                for slot in eight {
                    *slot = base.wrapping_add(mask.trailing_zeros());
                    mask &= mask.wrapping_sub(1);
                }
                if count <= written + 8 {
                    break;
                }
            }
        }
        None => write_bounded(mask, base, out, found),
    }
    found + count
}
