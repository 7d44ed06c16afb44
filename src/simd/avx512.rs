//! The field index with AVX-512: one compare and one `vpcompressb` per 64 bytes; see the algorithm in [`super`].
//!
//! The compress goes to a register and whole registers are stored: `vpcompressb` with a memory operand is microcoded on
//! AMD processors and many times slower.

use std::arch::x86_64::{
    __m128i, __m512i, _mm512_add_epi32, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cvtepu8_epi32,
    _mm512_extracti32x4_epi32, _mm512_loadu_epi8, _mm512_mask_cmpeq_epi8_mask, _mm512_maskz_compress_epi8,
    _mm512_maskz_loadu_epi8, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_storeu_epi32,
};

use super::write_bounded;

/// Proof that this processor has AVX-512 F, BW and VBMI2, and POPCNT.
#[derive(Clone, Copy, Debug)]
pub struct Index(());

impl Index {
    /// `None` where the processor or the operating system lacks one of the instruction sets.
    pub fn new() -> Option<Index> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("popcnt");
        all.then_some(Index(()))
    }

    /// As [`super::Splitter::index`]; positions of texts longer than `u32::MAX` wrap.
    #[inline]
    pub fn positions(self, bytes: &[u8], delimiter: u8, out: &mut [u32]) -> usize {
        // SAFETY: `self` exists only because `new` found the features this function is compiled for.
        unsafe { positions(bytes, delimiter, out) }
    }
}

/// The number of each lane.
static LANES: [i8; 64] = {
    let mut lanes = [0; 64];
    let mut at = 0;
    while at < 64 {
        lanes[at] = at as i8;
        at += 1;
    }
    lanes
};

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn positions(bytes: &[u8], delimiter: u8, out: &mut [u32]) -> usize {
    let needle = _mm512_set1_epi8(delimiter.cast_signed());
    // SAFETY: `LANES` is 64 readable bytes, and the load needs no alignment.
    let lanes = unsafe { _mm512_loadu_epi8(LANES.as_ptr()) };
    let (blocks, tail) = bytes.as_chunks::<64>();
    let mut found = 0;
    let mut base = 0u32;
    for block in blocks {
        // SAFETY: the pointer comes from a reference to 64 readable bytes, and the load needs no alignment.
        let block = unsafe { _mm512_loadu_epi8(block.as_ptr().cast()) };
        found = write(_mm512_cmpeq_epi8_mask(block, needle), lanes, base, out, found);
        base = base.wrapping_add(64);
    }
    if tail.is_empty() {
        return found;
    }
    let inside = u64::MAX >> (64 - tail.len());
    // SAFETY: `inside` has a bit for each of the readable bytes of `tail` and for no other; a masked load touches and
    // faults on the selected bytes alone.
    let block = unsafe { _mm512_maskz_loadu_epi8(inside, tail.as_ptr().cast()) };
    write(_mm512_mask_cmpeq_epi8_mask(inside, block, needle), lanes, base, out, found)
}

/// Appends the positions of `mask`; returns the new count.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn write(mask: u64, lanes: __m512i, base: u32, out: &mut [u32], found: usize) -> usize {
    let count = mask.count_ones() as usize;
    match out.get_mut(found..).and_then(|free| free.first_chunk_mut::<64>()) {
        Some(slots) => {
            let packed = _mm512_maskz_compress_epi8(mask, lanes);
            let (sixteens, _) = slots.as_chunks_mut::<16>();
            store(_mm512_castsi512_si128(packed), base, &mut sixteens[0]);
            if count > 16 {
                store(_mm512_extracti32x4_epi32::<1>(packed), base, &mut sixteens[1]);
                if count > 32 {
                    store(_mm512_extracti32x4_epi32::<2>(packed), base, &mut sixteens[2]);
                    store(_mm512_extracti32x4_epi32::<3>(packed), base, &mut sixteens[3]);
                }
            }
        }
        None => write_bounded(mask, base, out, found),
    }
    found + count
}

/// Stores sixteen lane numbers as positions.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn store(lanes: __m128i, base: u32, slots: &mut [u32; 16]) {
    let positions = _mm512_add_epi32(_mm512_cvtepu8_epi32(lanes), _mm512_set1_epi32(base.cast_signed()));
    // SAFETY: the pointer comes from a reference to sixteen writable words, and the store needs no alignment.
    unsafe { _mm512_storeu_epi32(slots.as_mut_ptr().cast(), positions) }
}
