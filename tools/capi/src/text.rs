//! Scaled integers as text.

use std::ffi::c_char;

use hoga_reader::tick::{UNDEF_PX, write_px};

use crate::codes::*;

/// Writes a price as the shortest exact decimal ("93000", "169.785"), "-" when there is none, and a NUL. Returns the
/// bytes before the NUL; HOGA_ERROR_ARGUMENT when `size` is too small (22 always suffices); HOGA_ERROR_NULL. Any thread.
///
/// # Safety
///
/// `text` is null or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_format_px(px: i64, text: *mut c_char, size: usize) -> i32 {
    if text.is_null() {
        return HOGA_ERROR_NULL;
    }
    let mut out = Vec::with_capacity(22);
    if px == UNDEF_PX {
        out.push(b'-')
    } else {
        write_px(&mut out, px)
    }
    if out.len() >= size {
        return HOGA_ERROR_ARGUMENT;
    }
    let length = out.len() as i32;
    out.push(0);
    // SAFETY: there is room by the check above, and a fresh vector does not overlap.
    unsafe { std::ptr::copy_nonoverlapping(out.as_ptr(), text.cast(), out.len()) };
    length
}
