//! The reader's handle: opening, closing, errors.

use std::cell::RefCell;
use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hoga_reader::journal::{
    ControlReader, Filter, Seek, Start, Stream, TailError, TailState, Tailer, newest_day, parse_bound,
};
use hoga_reader::tick::RType;

use crate::codes::*;
use crate::reading::HogaRecord;

/// Stream of ticks and service records.
pub const HOGA_TICKS: u32 = 1;
/// Stream of inbound frames verbatim.
pub const HOGA_RAW: u32 = 2;

/// Begin with the oldest record.
pub const HOGA_START_BEGINNING: u32 = 0;
/// Begin behind the newest record.
pub const HOGA_START_END: u32 = 1;
/// Begin with the record whose sequence is `at`, or the first after it that is there.
pub const HOGA_START_SEQUENCE: u32 = 2;
/// Begin with the first record at which the running maximum of `ts_recv` reaches `at` (ns since the UNIX epoch).
pub const HOGA_START_TIME: u32 = 3;

/// What to read. Set it to HOGA_OPTIONS_INIT, then change what differs. Texts are read by hoga_open and not kept.
#[repr(C)]
#[derive(Debug)]
pub struct HogaOptions {
    /// sizeof(hoga_options), by HOGA_OPTIONS_INIT.
    pub size: u32,
    /// sizeof(hoga_record), by HOGA_OPTIONS_INIT.
    pub record_size: u32,
    /// HOGA_TICKS or HOGA_RAW.
    pub stream: u32,
    /// HOGA_START_BEGINNING, HOGA_START_END, HOGA_START_SEQUENCE or HOGA_START_TIME.
    pub start: u32,
    /// Sequence or time to start at, see `start`.
    pub at: u64,
    /// Not 0: check the checksum, sequence and padding of every record.
    pub check_crc: u32,
    /// Not 0: hand over only what is known to be on the disk and so outlives the host's death, too. At the writer's level
    /// `process` that moves when the journal is closed.
    pub durable: u32,
    /// Only these symbols, separated by commas, e.g. "005930,000660"; NULL: all.
    pub symbols: *const c_char,
    /// Only these kinds, separated by commas, e.g. "trade,book"; NULL: all.
    pub kinds: *const c_char,
    /// Only these venues, separated by commas, e.g. "KRX,NXT"; NULL: all.
    pub venues: *const c_char,
    /// From there on: a sequence, or a time of Korea such as "2026-11-23T09:00:00" or "09:00" (of the newest day); NULL:
    /// no bound.
    pub from: *const c_char,
    /// Up to there: a sequence (inclusive) or a time (exclusive) as for `from`; NULL: no bound.
    pub to: *const c_char,
}

/// A reader of one stream: opaque, for one thread at a time (it may move between threads). It never writes, takes no
/// lock and does not slow the writer down.
#[derive(Debug)]
pub struct HogaTailer {
    pub(crate) tailer: Tailer,
    pub(crate) control: Option<ControlReader>,
    pub(crate) folder: PathBuf,
    pub(crate) stream: Stream,
    pub(crate) state: TailState,
    /// Inside a callback of `hoga_poll`.
    pub(crate) polling: bool,
    /// A panic was caught: nothing is known of the tailer's state.
    broken: bool,
    error: CString,
}

thread_local! {
    /// Why the last `hoga_open` of this thread failed.
    static OPEN_ERROR: RefCell<CString> = RefCell::default();
}

/// An error with its text, before there is a place to keep it.
pub(crate) struct Failure {
    code: i32,
    text: String,
}

impl Failure {
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }
}

impl From<TailError> for Failure {
    fn from(error: TailError) -> Failure {
        let code = match &error {
            TailError::NoJournal(_) => HOGA_ERROR_NO_JOURNAL,
            TailError::Corrupt(_) => HOGA_ERROR_CORRUPT,
            TailError::Version(_) => HOGA_ERROR_VERSION,
            TailError::Missing(_) => HOGA_ERROR_MISSING,
            TailError::Io { .. } => HOGA_ERROR_IO,
            _ => HOGA_ERROR_OTHER,
        };
        Failure::new(code, error.to_string())
    }
}

fn c_text(text: String) -> CString {
    // A NUL inside ends the text, as it does in C.
    let mut bytes = text.into_bytes();
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    CString::new(bytes).unwrap_or_default()
}

/// Runs `work` on a reader: null, broken and busy readers are refused, errors kept, panics caught.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open`, was not closed, and no other call on it runs.
#[inline]
pub(crate) unsafe fn with_tailer(
    tailer: *mut HogaTailer,
    work: impl FnOnce(&mut HogaTailer) -> Result<i32, Failure>,
) -> i32 {
    // SAFETY: the caller's promise.
    let Some(handle) = (unsafe { tailer.as_mut() }) else { return HOGA_ERROR_NULL };
    if handle.broken {
        return HOGA_ERROR_PANIC;
    }
    match catch_unwind(AssertUnwindSafe(|| work(handle))) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            handle.error = c_text(failure.text);
            failure.code
        }
        Err(_) => {
            handle.broken = true;
            handle.error = c"a defect of the library was met: close this reader".into();
            HOGA_ERROR_PANIC
        }
    }
}

/// A text of C, if it is not null.
///
/// # Safety
///
/// `text` is null or NUL-terminated and lives as long as the result is used.
unsafe fn optional<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// The parts of a list, as text.
fn parts<'a>(list: Option<&'a CStr>, what: &str) -> Result<impl Iterator<Item = &'a str>, Failure> {
    let text = match list.map(CStr::to_str).transpose() {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => return Err(Failure::new(HOGA_ERROR_ARGUMENT, format!("{what}: not UTF-8"))),
    };
    Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()))
}

fn bound(
    text: Option<&CStr>,
    what: &str,
    dir: &Path,
    is_to: bool,
) -> Result<Option<hoga_reader::journal::Bound>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let wrong = |why: String| Failure::new(HOGA_ERROR_ARGUMENT, format!("{what}: {why}"));
    let text = text.to_str().map_err(|_| wrong("not UTF-8".into()))?;
    parse_bound(text, newest_day(dir), is_to).map(Some).map_err(|error| wrong(error.to_string()))
}

/// Opens a stream of the journal in the folder `dir` and sets `*out` to its reader, or to NULL when the result is below
/// 0 (hoga_last_error(NULL) then says why). Reading begins as the options say; with `from` not before that.
///
/// Returns HOGA_NONE or an error: HOGA_ERROR_NULL, HOGA_ERROR_SIZE, HOGA_ERROR_ARGUMENT, HOGA_ERROR_NO_JOURNAL (also
/// when nothing was ever written), HOGA_ERROR_CORRUPT, HOGA_ERROR_VERSION, HOGA_ERROR_IO.
///
/// # Safety
///
/// `dir` and the texts of `options` are NUL-terminated; `options` and `out` are valid or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_open(dir: *const c_char, options: *const HogaOptions, out: *mut *mut HogaTailer) -> i32 {
    // SAFETY: valid or null by contract.
    let Some(out) = (unsafe { out.as_mut() }) else { return HOGA_ERROR_NULL };
    *out = std::ptr::null_mut();
    let opened = catch_unwind(|| {
        // SAFETY: by contract.
        unsafe { open(dir, options) }
    });
    let failure = match opened {
        Ok(Ok(handle)) => {
            *out = Box::into_raw(Box::new(handle));
            return HOGA_NONE;
        }
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(HOGA_ERROR_PANIC, "a defect of the library was met"),
    };
    OPEN_ERROR.replace(c_text(failure.text));
    failure.code
}

/// # Safety
///
/// As [`hoga_open`].
unsafe fn open(dir: *const c_char, options: *const HogaOptions) -> Result<HogaTailer, Failure> {
    let null = |what: &str| Failure::new(HOGA_ERROR_NULL, format!("{what} is null"));
    // SAFETY: by contract.
    let dir = unsafe { optional(dir) }.ok_or_else(|| null("dir"))?;
    if options.is_null() {
        return Err(null("options"));
    }
    // SAFETY: not null; the two sizes are the first words of every version of the struct.
    let [size, record_size] = unsafe { options.cast::<[u32; 2]>().read() };
    if size as usize != size_of::<HogaOptions>() || record_size as usize != size_of::<HogaRecord>() {
        let text = format!(
            "options of {size} and records of {record_size} bytes, but this library's have {} and {}: begin with \
             HOGA_OPTIONS_INIT and compile with the header of library {}",
            size_of::<HogaOptions>(),
            size_of::<HogaRecord>(),
            env!("CARGO_PKG_VERSION"),
        );
        return Err(Failure::new(HOGA_ERROR_SIZE, text));
    }
    // SAFETY: not null, of the right size, valid by contract.
    let options = unsafe { &*options };
    // SAFETY: texts are NUL-terminated by contract, here and below.
    let symbols = unsafe { optional(options.symbols) };
    // SAFETY: as above.
    let kinds = unsafe { optional(options.kinds) };
    // SAFETY: as above.
    let venues = unsafe { optional(options.venues) };
    // SAFETY: as above.
    let from = unsafe { optional(options.from) };
    // SAFETY: as above.
    let to = unsafe { optional(options.to) };

    let dir = Path::new(OsStr::from_bytes(dir.to_bytes()));
    let wrong = |text: String| Failure::new(HOGA_ERROR_ARGUMENT, text);
    let stream = match options.stream {
        HOGA_TICKS => Stream::Ticks,
        HOGA_RAW => Stream::Raw,
        other => return Err(wrong(format!("stream {other}: give HOGA_TICKS or HOGA_RAW"))),
    };
    let start = match options.start {
        HOGA_START_BEGINNING | HOGA_START_TIME => Start::Beginning,
        HOGA_START_END => Start::End,
        HOGA_START_SEQUENCE => Start::Sequence(options.at),
        other => return Err(wrong(format!("start {other}: give one of HOGA_START_*"))),
    };
    let mut filter = Filter { symbols: parts(symbols, "symbols")?.map(str::to_owned).collect(), ..Filter::default() };
    for kind in parts(kinds, "kinds")? {
        let known = RType::ALL.into_iter().find(|known| known.name() == kind);
        filter.kinds.push(known.ok_or_else(|| wrong(format!("kinds: {kind:?} is no kind of record")))?);
    }
    for venue in parts(venues, "venues")? {
        filter.venues.push(venue.parse().map_err(|error| wrong(format!("venues: {error}")))?);
    }
    filter.from = bound(from, "from", dir, false)?;
    filter.to = bound(to, "to", dir, true)?;

    let mut tailer = Tailer::open(dir, stream, start)?.with_crc_check(options.check_crc != 0);
    if options.start == HOGA_START_TIME {
        tailer.seek(Seek::Time(options.at))?;
    }
    let folder = dir.join(stream.name());
    Ok(HogaTailer {
        tailer: tailer.with_durable(options.durable != 0).with_filter(filter),
        control: ControlReader::open(&folder, stream).ok().and_then(Result::ok),
        folder,
        stream,
        state: TailState::Live,
        polling: false,
        broken: false,
        error: CString::default(),
    })
}

/// Closes a reader and frees it; what it lent is gone. Of NULL: nothing. Inside a callback of hoga_poll on the same
/// reader it is HOGA_ERROR_BUSY and the reader stays open. Else HOGA_NONE.
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_close(tailer: *mut HogaTailer) -> i32 {
    // SAFETY: the caller's promise.
    match unsafe { tailer.as_ref() } {
        None => return HOGA_NONE,
        Some(handle) if handle.polling => return HOGA_ERROR_BUSY,
        Some(_) => {}
    }
    // SAFETY: it came from `Box::into_raw` and nobody uses it any more.
    let handle = unsafe { Box::from_raw(tailer) };
    match catch_unwind(AssertUnwindSafe(|| drop(handle))) {
        Ok(()) => HOGA_NONE,
        Err(_) => HOGA_ERROR_PANIC,
    }
}

/// Text of the last error of a reader, UTF-8; of NULL: of this thread's last hoga_open that failed. Never NULL; empty
/// when there was none. Valid until the next error of that reader (that thread's hoga_open).
///
/// # Safety
///
/// `tailer` is null or came from `hoga_open` and was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hoga_last_error(tailer: *const HogaTailer) -> *const c_char {
    // SAFETY: the caller's promise.
    match unsafe { tailer.as_ref() } {
        Some(handle) => handle.error.as_ptr(),
        None => OPEN_ERROR.with_borrow(|text| text.as_ptr()),
    }
}
