//! The twins: each kernel's algorithm in its plainest form. They are the choice on processors without the vector
//! instructions and the measure of the others in tests.

/// Positions of `delimiter` in `bytes`, the first `out.len()` of them written to `out`; returns how many there are.
pub fn positions(bytes: &[u8], delimiter: u8, out: &mut [u32]) -> usize {
    let mut found = 0;
    for (at, &byte) in (0u32..).zip(bytes) {
        if byte == delimiter {
            if let Some(slot) = out.get_mut(found) {
                *slot = at;
            }
            found += 1;
        }
    }
    found
}

/// CRC-32C of `bytes` continued from `seed`, one byte at a time by table.
pub fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!seed, |crc, &byte| crc_step(crc, byte))
}

/// Copies `src` to `dst` and returns the CRC-32C of `src` continued from `seed`.
///
/// # Panics
///
/// When the two differ in length.
pub fn copy_crc32c(seed: u32, src: &[u8], dst: &mut [u8]) -> u32 {
    assert_eq!(src.len(), dst.len(), "source and destination differ in length");
    let mut crc = !seed;
    for (&from, to) in src.iter().zip(dst) {
        *to = from;
        crc = crc_step(crc, from);
    }
    !crc
}

/// The polynomial of Castagnoli, bit-reflected: the coefficient of x^31 is bit 0.
pub(super) const POLYNOMIAL: u32 = 0x82f6_3b78;

static CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = times_x(crc);
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// `polynomial * x mod POLYNOMIAL`.
pub(super) const fn times_x(polynomial: u32) -> u32 {
    (polynomial >> 1) ^ if polynomial & 1 == 1 { POLYNOMIAL } else { 0 }
}

#[inline]
fn crc_step(crc: u32, byte: u8) -> u32 {
    (crc >> 8) ^ CRC_OF_BYTE[usize::from(crc as u8 ^ byte)]
}

/// As [`super::Digits::convert`], a word at a time; fields past the 64th are left out.
pub fn convert(text: &[u8], bounds: &[u32], out: &mut [u64]) -> u64 {
    let mut plain = 0;
    let mut before = bounds.first().copied().unwrap_or_default();
    for ((place, &end), value) in bounds.iter().skip(1).take(64).enumerate().zip(out) {
        // One less than the length, so that an empty field is as wrong as one that is too long.
        let places = end.wrapping_sub(before).wrapping_sub(2);
        // Only in front of the eighth byte is there no whole word.
        if let Some(chunk) = text.get(..end as usize).and_then(|head| head.last_chunk::<8>()) {
            let digits = digits_of(*chunk, places);
            let good = (places <= 7) & (not_digits(digits) & HIGH == 0);
            plain |= u64::from(good) << place;
            *value = join8(digits);
        }
        before = end;
    }
    plain
}

/// Eight times the character '0'.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The high bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The bytes of a text as digit values, of the chunk that ends with it. `places` is one less than
/// the text's length; what isn't in `0..8` gives anything. The mask comes from a table: a shift by a variable count is
/// three steps where BMI2 isn't assumed.
#[inline(always)]
fn digits_of(chunk: [u8; 8], places: u32) -> u64 {
    (u64::from_le_bytes(chunk) ^ ZEROS) & MASKS[(places & 7) as usize]
}

/// Masks of the last bytes of a word, by one less than their number.
static MASKS: [u64; 8] = {
    let mut masks = [0; 8];
    let mut places = 0;
    while places < 8 {
        masks[places] = u64::MAX << (56 - 8 * places);
        places += 1;
    }
    masks
};

/// A word with the high bit set in the lowest byte that isn't 0..=9, and in none when all are; which needs all eight.
#[inline(always)]
pub(crate) const fn not_digits(digits: u64) -> u64 {
    digits.wrapping_add(0x7676_7676_7676_7676) | digits
}

/// Neighbours joined to pairs: bytes 0, 2, 4 and 6 hold two digits each, the bytes between them hold nothing of use.
#[inline(always)]
pub(crate) const fn join_pairs(digits: u64) -> u64 {
    digits.wrapping_mul(10).wrapping_add(digits >> 8)
}

/// The number of eight digit values, the first in the lowest byte.
#[inline(always)]
pub(crate) const fn join8(digits: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = join_pairs(digits);
    let outer = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let inner = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    outer.wrapping_add(inner) >> 32
}
