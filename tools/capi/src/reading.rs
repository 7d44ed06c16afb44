//! Reading on: one record, or many.

use std::ffi::c_void;

use hoga_reader::journal::{Position, RecordRef, TailState};

use crate::codes::*;
use crate::handle::{Failure, HogaTailer, with_tailer};

/// Place of a record. Ordered by (epoch, sequence).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct HogaPosition {
    /// Opening of the journal that wrote it, from 1.
    pub epoch: u64,
    /// Its sequence in the stream; 0 = not numbered (a hole).
    pub sequence: u64,
    /// Its segment.
    pub ordinal: u64,
    /// Its offset there, bytes.
    pub offset: u64,
}

impl From<Position> for HogaPosition {
    fn from(position: Position) -> HogaPosition {
        let Position { epoch, sequence, ordinal, offset } = position;
        HogaPosition { epoch, sequence, ordinal, offset }
    }
}

/// A committed record. `data` is lent: it points into the journal (nothing is copied), its bytes never change, and it is
/// valid until the next call that takes the reader and is not said to leave records lent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HogaRecord {
    /// The record's bytes, the first at a multiple of 8; they begin with a hoga_header. hoga_as_trade and its likes give
    /// it as a struct.
    pub data: *const c_void,
    /// How many they are, at least sizeof(hoga_header).
    pub length: u64,
    /// Its place.
    pub position: HogaPosition,
}

impl From<RecordRef<'_>> for HogaRecord {
    #[inline]
    fn from(record: RecordRef<'_>) -> HogaRecord {
        HogaRecord {
            data: record.bytes.as_ptr().cast(),
            length: record.bytes.len() as u64,
            position: record.position.into(),
        }
    }
}

pub(crate) fn state_code(state: TailState) -> i32 {
    match state {
        TailState::Silent => HOGA_SILENT,
        TailState::Gone => HOGA_GONE,
        TailState::Closed => HOGA_CLOSED,
        TailState::More | TailState::Live => HOGA_NONE,
    }
}

/// The next record, without the checks of the handle.
#[inline]
fn next(handle: &mut HogaTailer, out: &mut HogaRecord) -> Result<i32, Failure> {
    let (found, state) = handle.tailer.next_record()?;
    handle.state = state;
    if let Some(record) = found {
        *out = record.into();
        return Ok(HOGA_RECORD);
    }
    Ok(if handle.tailer.is_past() { HOGA_PAST_END } else { state_code(state) })
}

/// Hands over the next record that is committed, if there is one, and does not wait.
///
/// HOGA_RECORD: `*out` is the record. HOGA_NONE, HOGA_SILENT, HOGA_GONE, HOGA_CLOSED: nothing new, call again later or at
/// once. HOGA_PAST_END: nothing more will come. Below 0: an error, see hoga_last_error; the reader stands before what it
/// could not read, and the next call tries again.
///
/// Within a segment it makes no system call and allocates nothing. It does when it enters a segment, when it learns of an
/// instrument and, with nothing new, at most once a millisecond, when it looks whether there is still a writer.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `out` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_next(tailer: *mut HogaTailer, out: *mut HogaRecord) -> i32 {
    // SAFETY: valid or null by contract.
    let Some(out) = (unsafe { out.as_mut() }) else { return HOGA_ERROR_NULL };
    // SAFETY: by contract.
    unsafe { with_tailer(tailer, |handle| if handle.polling { Ok(HOGA_ERROR_BUSY) } else { next(handle, out) }) }
}

/// What hoga_poll calls for each record: 0 goes on, anything else stops behind this record. The record is lent until it
/// returns. It must return: no longjmp, no exception. It may look instruments up, but not move or close the reader.
pub type HogaOnRecord = Option<unsafe extern "C" fn(record: *const HogaRecord, context: *mut c_void) -> i32>;

/// Hands over at most `max` records that are committed by now to `on_record`. Returns how many were handed over, or an
/// error below 0; then those before were handed over, and the next call tries again. Fewer than `max`: nothing new at
/// present, hoga_state says why; or `on_record` stopped it.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed; `on_record` may be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_poll(
    tailer: *mut HogaTailer,
    max: u64,
    on_record: HogaOnRecord,
    context: *mut c_void,
) -> i64 {
    let Some(on_record) = on_record else { return i64::from(HOGA_ERROR_NULL) };
    let mut record = HogaRecord { data: std::ptr::null(), length: 0, position: HogaPosition::default() };
    let mut count = 0;
    while count < max.min(i64::MAX as u64) {
        let step = |handle: &mut HogaTailer| {
            if handle.polling {
                return Ok(HOGA_ERROR_BUSY);
            }
            let code = next(handle, &mut record)?;
            handle.polling = code == HOGA_RECORD;
            Ok(code)
        };
        // SAFETY: by contract. The reader is not borrowed while the callback runs, so that it may look things up.
        let code = unsafe { with_tailer(tailer, step) };
        if code < 0 {
            return i64::from(code);
        }
        if code != HOGA_RECORD {
            break;
        }
        count += 1;
        // SAFETY: by contract; the record is lent until the next call that moves the reader, which `polling` refuses.
        let stop = unsafe { on_record(&raw const record, context) };
        let done = |handle: &mut HogaTailer| {
            handle.polling = false;
            Ok(HOGA_NONE)
        };
        // SAFETY: by contract; `hoga_close` refused to free it meanwhile.
        unsafe { with_tailer(tailer, done) };
        if stop != 0 {
            break;
        }
    }
    count as i64
}
