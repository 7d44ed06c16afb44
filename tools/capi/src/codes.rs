//! What the functions return: from 0 on what happened, below 0 why nothing could.

use std::ffi::{CStr, c_char};

/// Nothing new at present. A writer has the journal open: call again.
pub const HOGA_NONE: i32 = 0;
/// A record was handed over.
pub const HOGA_RECORD: i32 = 1;
/// Nothing new; a writer has the journal open but shows no sign of life for two seconds.
pub const HOGA_SILENT: i32 = 2;
/// Nothing new; the writer is gone and has not closed the stream. A later writer's records will come.
pub const HOGA_GONE: i32 = 3;
/// Nothing new; the stream was closed. A later writer's records will come.
pub const HOGA_CLOSED: i32 = 4;
/// The end of the range asked for was passed: nothing more will come.
pub const HOGA_PAST_END: i32 = 5;
/// hoga_seek_*: the reader stands before what was asked for.
pub const HOGA_EXACT: i32 = 6;
/// hoga_seek_*: what was asked for lies before the oldest record; the reader stands before that one.
pub const HOGA_BEFORE_FIRST: i32 = 7;
/// hoga_seek_*: what was asked for is not there yet; the reader stands behind the newest record.
pub const HOGA_AFTER_LAST: i32 = 8;

/// A pointer that must not be null is.
pub const HOGA_ERROR_NULL: i32 = -1;
/// The program was compiled with a header of another library: sizes of structs differ.
pub const HOGA_ERROR_SIZE: i32 = -2;
/// An argument or option can't be.
pub const HOGA_ERROR_ARGUMENT: i32 = -3;
/// There is no such stream, or nothing in it yet.
pub const HOGA_ERROR_NO_JOURNAL: i32 = -4;
/// A record or header is damaged; the reader stands before it.
pub const HOGA_ERROR_CORRUPT: i32 = -5;
/// The journal was written by a newer program.
pub const HOGA_ERROR_VERSION: i32 = -6;
/// The segment that follows was pruned while this reader stood before it: seek, or open again.
pub const HOGA_ERROR_MISSING: i32 = -7;
/// The system refused something.
pub const HOGA_ERROR_IO: i32 = -8;
/// Not allowed inside a callback of hoga_poll on the same reader.
pub const HOGA_ERROR_BUSY: i32 = -9;
/// A defect of this library was met; the reader can only be closed.
pub const HOGA_ERROR_PANIC: i32 = -10;
/// Another error; hoga_last_error says which.
pub const HOGA_ERROR_OTHER: i32 = -11;

/// What a code means, in a few words of ASCII; of a number that is no code, "unknown code". Never NULL, never freed.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn hoga_error_text(code: i32) -> *const c_char {
    let text: &CStr = match code {
        HOGA_NONE => c"nothing new at present",
        HOGA_RECORD => c"a record was handed over",
        HOGA_SILENT => c"nothing new, and the writer shows no sign of life",
        HOGA_GONE => c"nothing new, and the writer is gone without having closed the stream",
        HOGA_CLOSED => c"nothing new, and the stream was closed",
        HOGA_PAST_END => c"the end of the range was passed",
        HOGA_EXACT => c"found",
        HOGA_BEFORE_FIRST => c"before the oldest record",
        HOGA_AFTER_LAST => c"behind the newest record",
        HOGA_ERROR_NULL => c"a pointer that must not be null is null",
        HOGA_ERROR_SIZE => c"compiled with a header of another library: sizes of structs differ",
        HOGA_ERROR_ARGUMENT => c"an argument or option can't be",
        HOGA_ERROR_NO_JOURNAL => c"no journal there, or nothing in it yet",
        HOGA_ERROR_CORRUPT => c"a record or header is damaged",
        HOGA_ERROR_VERSION => c"the journal was written by a newer program",
        HOGA_ERROR_MISSING => c"the segment that follows was pruned",
        HOGA_ERROR_IO => c"the system refused something",
        HOGA_ERROR_BUSY => c"not allowed inside a callback of hoga_poll on the same reader",
        HOGA_ERROR_PANIC => c"a defect of the library was met: the reader can only be closed",
        HOGA_ERROR_OTHER => c"another error",
        _ => c"unknown code",
    };
    text.as_ptr()
}

/// Version of the library in use: major * 1000000 + minor * 1000 + patch; HOGA_VERSION is the header's. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn hoga_version() -> u32 {
    VERSION
}

/// The same as text, e.g. "0.1.0". Never NULL, never freed. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn hoga_version_text() -> *const c_char {
    const TEXT: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a version without NUL"),
    };
    TEXT.as_ptr()
}

const fn number(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let (mut value, mut at) = (0, 0);
    while at < bytes.len() {
        value = value * 10 + (bytes[at] - b'0') as u32;
        at += 1;
    }
    value
}

/// As [`hoga_version`] returns it.
pub const VERSION: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + number(env!("CARGO_PKG_VERSION_MINOR")) * 1000
    + number(env!("CARGO_PKG_VERSION_PATCH"));
