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
