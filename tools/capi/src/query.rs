//! Where a reader is, where it can go, what ids stand for.

use std::ffi::c_char;

use hoga_reader::journal::{ControlReader, Seek, Sought};
use hoga_reader::tick::Instrument;

use crate::codes::*;
use crate::handle::{Failure, HogaTailer, with_tailer};
use crate::reading::{HogaPosition, state_code};

/// What an instrument id stands for, as texts that end with NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HogaName {
    /// Symbol as on the feed, e.g. "005930".
    pub symbol: [c_char; 40],
    /// Market, e.g. "KRX".
    pub market: [c_char; 24],
}

/// How far a reader is behind the writer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HogaLag {
    /// Records committed and not yet read, as of the writer's last batch.
    pub records: u64,
    /// Segments between the one read and the one written.
    pub segments: u64,
}

/// Goes to the record with this sequence, backwards or forwards; filters stay in force. HOGA_EXACT; or HOGA_BEFORE_FIRST
/// or HOGA_AFTER_LAST, where `*edge` (if not NULL) becomes the sequence of the first or last record there is; or an error.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `edge` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_seek_sequence(tailer: *mut HogaTailer, sequence: u64, edge: *mut u64) -> i32 {
    // SAFETY: by contract.
    unsafe { seek(tailer, Seek::Sequence(sequence), edge) }
}

/// Goes to the first record at which the running maximum of `ts_recv` reaches `time_ns` (nanoseconds since the UNIX
/// epoch). Returns as hoga_seek_sequence does.
///
/// # Safety
///
/// As for `hoga_seek_sequence`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_seek_time(tailer: *mut HogaTailer, time_ns: u64, edge: *mut u64) -> i32 {
    // SAFETY: by contract.
    unsafe { seek(tailer, Seek::Time(time_ns), edge) }
}

/// # Safety
///
/// As for `hoga_seek_sequence`.
unsafe fn seek(tailer: *mut HogaTailer, to: Seek, edge: *mut u64) -> i32 {
    // SAFETY: valid or null by contract.
    let edge = unsafe { edge.as_mut() };
    let work = |handle: &mut HogaTailer| {
        if handle.polling {
            return Ok(HOGA_ERROR_BUSY);
        }
        let (code, at) = match handle.tailer.seek(to)? {
            Sought::Exact => return Ok(HOGA_EXACT),
            Sought::BeforeFirst { first } => (HOGA_BEFORE_FIRST, first),
            Sought::AfterLast { last } => (HOGA_AFTER_LAST, last),
        };
        if let Some(edge) = edge {
            *edge = at;
        }
        Ok(code)
    };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, work) }
}

/// Place of the next record: where it is, or will be. HOGA_NONE or an error. Leaves records lent.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `out` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_tell(tailer: *mut HogaTailer, out: *mut HogaPosition) -> i32 {
    // SAFETY: valid or null by contract.
    let Some(out) = (unsafe { out.as_mut() }) else { return HOGA_ERROR_NULL };
    let work = |handle: &mut HogaTailer| {
        *out = handle.tailer.position().into();
        Ok(HOGA_NONE)
    };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, work) }
}

/// State of the writer at the last call that found nothing new: HOGA_NONE (it lives), HOGA_SILENT, HOGA_GONE or
/// HOGA_CLOSED. Leaves records lent.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_state(tailer: *mut HogaTailer) -> i32 {
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, |handle| Ok(state_code(handle.state))) }
}

/// How far the reader is behind the writer. HOGA_NONE or an error. Leaves records lent; allocates nothing.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `out` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_get_lag(tailer: *mut HogaTailer, out: *mut HogaLag) -> i32 {
    // SAFETY: valid or null by contract.
    let Some(out) = (unsafe { out.as_mut() }) else { return HOGA_ERROR_NULL };
    let work = |handle: &mut HogaTailer| {
        if !handle.control.as_ref().is_some_and(ControlReader::is_current) {
            // It was not there, or half made, when the reader was opened, or is another one by now.
            let opened = ControlReader::open(&handle.folder, handle.stream);
            let opened = opened.map_err(|error| Failure::new(HOGA_ERROR_IO, format!("control page: {error}")))?;
            let opened = opened.map_err(|error| Failure::new(HOGA_ERROR_CORRUPT, error.to_string()))?;
            handle.control = Some(opened);
        }
        let Some(control) = &handle.control else { return Ok(HOGA_ERROR_OTHER) };
        let at = handle.tailer.position();
        *out = HogaLag {
            records: (control.last_sequence() + 1).saturating_sub(at.sequence),
            segments: control.active_ordinal().saturating_sub(at.ordinal),
        };
        Ok(HOGA_NONE)
    };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, work) }
}

/// Records between those read that were not there any more: retention deleted their days, as the journal's audit.log
/// says. The sequences jump there; those before the place where reading began are not counted. HOGA_NONE or an error.
/// Leaves records lent; allocates nothing.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `out` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_tailer_pruned(tailer: *mut HogaTailer, out: *mut u64) -> i32 {
    // SAFETY: valid or null by contract.
    let Some(out) = (unsafe { out.as_mut() }) else { return HOGA_ERROR_NULL };
    let work = |handle: &mut HogaTailer| {
        *out = handle.tailer.pruned();
        Ok(HOGA_NONE)
    };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, work) }
}

/// What an instrument id stands for, as far as read: HOGA_RECORD when it is known, HOGA_NONE when not. Leaves records
/// lent; allocates nothing; may be called inside a callback of hoga_poll.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `out` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_lookup(tailer: *mut HogaTailer, instrument_id: u32, out: *mut HogaName) -> i32 {
    // SAFETY: valid or null by contract.
    let Some(out) = (unsafe { out.as_mut() }) else { return HOGA_ERROR_NULL };
    *out = HogaName { symbol: [0; 40], market: [0; 24] };
    let work = |handle: &mut HogaTailer| {
        let Some(known) = handle.tailer.instrument(instrument_id) else { return Ok(HOGA_NONE) };
        copy(&known.key.symbol, &mut out.symbol);
        copy(&known.key.market, &mut out.market);
        Ok(HOGA_RECORD)
    };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, work) }
}

/// The record that declared an instrument id, as far as read; NULL when it is not known. Lent as a record is.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_find_instrument(tailer: *mut HogaTailer, instrument_id: u32) -> *const Instrument {
    let mut found = std::ptr::null();
    let work = |handle: &mut HogaTailer| {
        found = handle.tailer.instrument(instrument_id).map_or(std::ptr::null(), |known| &raw const *known);
        Ok(HOGA_NONE)
    };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, work) };
    found
}

/// Copies zero-padded bytes; the rest of `to` is zero.
fn copy(from: &[u8], to: &mut [c_char]) {
    for (place, byte) in to.iter_mut().zip(from) {
        *place = byte.cast_signed() as c_char;
    }
}
