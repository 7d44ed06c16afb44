//! The functions as a program of C sees them: codes, texts, lent records, null and wrong arguments, allocations.

mod built;
#[path = "../../../tests/counting/mod.rs"]
mod counting;

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};

use built::*;
use counting::{ARMED, COUNT};
use hoga_capi::codes::*;
use hoga_capi::handle::*;
use hoga_capi::query::*;
use hoga_capi::reading::*;
use hoga_capi::text::hoga_format_px;
use hoga_reader::journal::Journal;
use hoga_reader::tick::{UNDEF_PX, words_of};

fn options() -> HogaOptions {
    HogaOptions {
        size: size_of::<HogaOptions>() as u32,
        record_size: size_of::<HogaRecord>() as u32,
        stream: HOGA_TICKS,
        start: HOGA_START_BEGINNING,
        at: 0,
        check_crc: 0,
        durable: 0,
        symbols: null(),
        kinds: null(),
        venues: null(),
        from: null(),
        to: null(),
    }
}

fn open(dir: &Path, options: &HogaOptions) -> Result<*mut HogaTailer, i32> {
    let dir = CString::new(dir.to_str().unwrap()).unwrap();
    let mut tailer = null_mut();
    // SAFETY: every pointer is valid.
    match unsafe { hoga_open(dir.as_ptr(), options, &mut tailer) } {
        HOGA_NONE => Ok(tailer),
        code => {
            assert!(tailer.is_null(), "no reader beside an error");
            Err(code)
        }
    }
}

fn text(pointer: *const c_char) -> String {
    // SAFETY: the library's texts end with NUL.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap().to_owned()
}

fn last_error(tailer: *const HogaTailer) -> String {
    // SAFETY: null or open.
    text(unsafe { hoga_last_error(tailer) })
}

fn no_record() -> HogaRecord {
    HogaRecord { data: null(), length: 0, position: HogaPosition::default() }
}

fn next(tailer: *mut HogaTailer) -> (i32, HogaRecord) {
    let mut record = no_record();
    // SAFETY: null or open; `record` is valid.
    (unsafe { hoga_next(tailer, &mut record) }, record)
}

fn close(tailer: *mut HogaTailer) {
    // SAFETY: open, and not used behind this.
    assert_eq!(unsafe { hoga_close(tailer) }, HOGA_NONE);
}

#[test]
fn null_pointers_are_refused_and_never_followed() {
    let folder = scratch();
    journal(folder.path(), 3);
    let dir = CString::new(folder.path().to_str().unwrap()).unwrap();
    let (good, mut tailer) = (options(), null_mut());
    // SAFETY: null is allowed everywhere, that is the test.
    assert_eq!(unsafe { hoga_open(null(), &good, &mut tailer) }, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_open(dir.as_ptr(), null(), &mut tailer) }, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_open(dir.as_ptr(), &good, null_mut()) }, HOGA_ERROR_NULL);
    assert_eq!(next(null_mut()).0, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_poll(null_mut(), 1, Some(count), null_mut()) }, i64::from(HOGA_ERROR_NULL));
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_seek_sequence(null_mut(), 1, null_mut()) }, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_state(null_mut()) }, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert!(unsafe { hoga_find_instrument(null_mut(), 1) }.is_null());
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_close(null_mut()) }, HOGA_NONE);
    let tailer = open(folder.path(), &good).unwrap();
    // SAFETY: open, and null where the test wants it.
    assert_eq!(unsafe { hoga_next(tailer, null_mut()) }, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_lookup(tailer, 1, null_mut()) }, HOGA_ERROR_NULL);
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_poll(tailer, 1, None, null_mut()) }, i64::from(HOGA_ERROR_NULL));
    close(tailer);
}

#[test]
fn wrong_options_are_told_by_name() {
    let folder = scratch();
    journal(folder.path(), 3);
    let wrong = |change: &dyn Fn(&mut HogaOptions)| {
        let mut options = options();
        change(&mut options);
        let code = open(folder.path(), &options).unwrap_err();
        (code, last_error(null()))
    };
    let (code, why) = wrong(&|options| options.size -= 8);
    assert_eq!(code, HOGA_ERROR_SIZE);
    assert!(why.contains("HOGA_OPTIONS_INIT"), "{why}");
    assert_eq!(wrong(&|options| options.record_size += 8).0, HOGA_ERROR_SIZE);
    assert_eq!(
        wrong(&|options| options.stream = 9),
        (HOGA_ERROR_ARGUMENT, "stream 9: give HOGA_TICKS or HOGA_RAW".into())
    );
    assert!(wrong(&|options| options.kinds = c"trade,tade".as_ptr()).1.contains("\"tade\""));
    assert!(wrong(&|options| options.venues = c"MOON".as_ptr()).1.contains("MOON"));
    assert!(wrong(&|options| options.from = c"yesterday".as_ptr()).1.starts_with("from: "));
    assert!(wrong(&|options| options.symbols = c"\xff".as_ptr()).1.contains("UTF-8"));
    assert_eq!(open(&folder.path().join("nowhere"), &options()).unwrap_err(), HOGA_ERROR_NO_JOURNAL);
    for code in -11..=8 {
        assert_ne!(text(hoga_error_text(code)), "unknown code", "{code}");
    }
    assert_eq!(text(hoga_error_text(99)), "unknown code");
    assert_eq!(text(hoga_version_text()), env!("CARGO_PKG_VERSION"));
}

unsafe extern "C" fn count(_: *const HogaRecord, context: *mut c_void) -> i32 {
    if !context.is_null() {
        // SAFETY: tests give a counter.
        unsafe { *context.cast::<u64>() += 1 };
    }
    0
}

#[test]
fn records_come_in_order_with_their_place_and_the_stream_says_that_it_is_closed() {
    let folder = scratch();
    journal(folder.path(), 1000);
    let tailer = open(folder.path(), &HogaOptions { check_crc: 1, ..options() }).unwrap();
    for sequence in 1..=1002 {
        let (code, record) = next(tailer);
        assert_eq!((code, record.position.sequence), (HOGA_RECORD, sequence));
        assert!(record.length >= 40 && record.data.is_aligned() && !record.data.is_null());
        // SAFETY: lent until the next call; it has at least a header.
        let head = unsafe { std::slice::from_raw_parts(record.data.cast::<u8>(), 16) };
        assert_eq!(head[8..], sequence.to_le_bytes());
    }
    assert_eq!(next(tailer).0, HOGA_CLOSED);
    // SAFETY: open.
    assert_eq!(unsafe { hoga_state(tailer) }, HOGA_CLOSED);
    let (mut lag, mut at) = (HogaLag { records: 9, segments: 9 }, HogaPosition::default());
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_get_lag(tailer, &mut lag) }, HOGA_NONE);
    assert_eq!((lag.records, lag.segments), (0, 0));
    let mut edge = 0;
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_seek_sequence(tailer, 500, &mut edge) }, HOGA_EXACT);
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_tell(tailer, &mut at) }, HOGA_NONE);
    assert_eq!(at.sequence, 500);
    assert_eq!(next(tailer).1.position.sequence, 500);
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_get_lag(tailer, &mut lag) }, HOGA_NONE);
    assert_eq!(lag.records, 502);
    assert!(lag.segments >= 1);
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_seek_sequence(tailer, 5000, &mut edge) }, HOGA_AFTER_LAST);
    assert_eq!(edge, 1002);
    // SAFETY: open; null is allowed.
    assert_eq!(unsafe { hoga_seek_time(tailer, 1_700_000_000_000_000_000 + 700_000, null_mut()) }, HOGA_EXACT);
    assert_eq!(next(tailer).1.position.sequence, 702);
    close(tailer);
    let started = HogaOptions { start: HOGA_START_SEQUENCE, at: 900, ..options() };
    let tailer = open(folder.path(), &started).unwrap();
    assert_eq!(next(tailer).1.position.sequence, 900);
    close(tailer);
}

#[test]
fn a_filter_gives_what_it_names_and_says_when_its_end_is_passed() {
    let folder = scratch();
    journal(folder.path(), 400);
    let (symbols, kinds, to) = (c"000660", c"trade", c"200");
    let filtered = HogaOptions { symbols: symbols.as_ptr(), kinds: kinds.as_ptr(), to: to.as_ptr(), ..options() };
    let tailer = open(folder.path(), &filtered).unwrap();
    let mut seen = Vec::new();
    let end = loop {
        let (code, record) = next(tailer);
        if code != HOGA_RECORD {
            break code;
        }
        seen.push(record.position.sequence);
    };
    // Two definitions come first; of numbers 1..=198 the odd ones are 000660, every fourth is a book, which is even.
    let expected: Vec<u64> = (1..=198).filter(|number| number % 2 == 1).map(|number| number + 2).collect();
    assert_eq!((seen, end), (expected, HOGA_PAST_END));
    close(tailer);
}

struct Nested {
    tailer: *mut HogaTailer,
    name: String,
    refused: Vec<i32>,
}

unsafe extern "C" fn nested(record: *const HogaRecord, context: *mut c_void) -> i32 {
    // SAFETY: the test gives a `Nested`.
    let nested = unsafe { &mut *context.cast::<Nested>() };
    let mut name = HogaName { symbol: [0; 40], market: [0; 24] };
    // SAFETY: open; lookups are allowed here.
    if unsafe { hoga_lookup(nested.tailer, 2, &mut name) } == HOGA_RECORD {
        nested.name = text(name.symbol.as_ptr());
    }
    nested.refused.push(next(nested.tailer).0);
    // SAFETY: open; refused here.
    nested.refused.push(unsafe { hoga_close(nested.tailer) });
    // SAFETY: open; refused here.
    nested.refused.push(unsafe { hoga_seek_sequence(nested.tailer, 1, null_mut()) });
    // SAFETY: lent until this returns.
    i32::from(unsafe { (*record).position.sequence } == 3)
}

#[test]
fn a_callback_may_look_things_up_but_not_move_or_close_its_reader_and_can_stop() {
    let folder = scratch();
    journal(folder.path(), 10);
    let tailer = open(folder.path(), &options()).unwrap();
    let mut context = Nested { tailer, name: String::new(), refused: Vec::new() };
    // SAFETY: open; the callback is called with its context.
    let polled = unsafe { hoga_poll(tailer, 100, Some(nested), (&raw mut context).cast()) };
    assert_eq!((polled, context.name.as_str()), (3, "000660"));
    assert_eq!(context.refused, [HOGA_ERROR_BUSY; 9]);
    let mut rest = 0_u64;
    // SAFETY: as above.
    assert_eq!(unsafe { hoga_poll(tailer, 100, Some(count), (&raw mut rest).cast()) }, 9);
    assert_eq!(rest, 9);
    close(tailer);
}

#[test]
fn within_a_segment_reading_allocates_nothing() {
    let folder = scratch();
    let mut config = small();
    config.ticks.segment_bytes = 4 << 20;
    let mut journal = Journal::open(folder.path(), config).unwrap();
    journal.ticks.append(words_of(&mut instrument(1, "005930"))).unwrap();
    for number in 1..=5000 {
        journal.ticks.append(words_of(&mut trade(number))).unwrap();
    }
    journal.ticks.batch_end();
    let tailer = open(folder.path(), &HogaOptions { check_crc: 1, ..options() }).unwrap();
    let (mut counted, mut name) = (0_u64, HogaName { symbol: [0; 40], market: [0; 24] });
    let (mut lag, mut at) = (HogaLag { records: 0, segments: 0 }, HogaPosition::default());
    let mut codes = [0; 4];
    // A definition: the reader's table of instruments grows.
    assert_eq!(next(tailer).1.position.sequence, 1);
    COUNT.set(0);
    ARMED.set(true);
    for _ in 0..1000 {
        codes[0] |= i32::from(next(tailer).0 != HOGA_RECORD);
    }
    // SAFETY: open, with a counter.
    let polled = unsafe { hoga_poll(tailer, 3000, Some(count), (&raw mut counted).cast()) };
    // SAFETY: open, valid; here and below.
    codes[1] = unsafe { hoga_lookup(tailer, 1, &mut name) };
    // SAFETY: as above.
    codes[2] = unsafe { hoga_get_lag(tailer, &mut lag) };
    // SAFETY: as above.
    codes[3] = unsafe { hoga_tell(tailer, &mut at) };
    ARMED.set(false);
    assert_eq!((polled, counted, COUNT.get()), (3000, 3000, 0));
    assert_eq!(codes, [0, HOGA_RECORD, HOGA_NONE, HOGA_NONE]);
    assert_eq!((lag.records, at.sequence), (1000, 4002));
    assert_eq!(text(name.symbol.as_ptr()), "005930");
    close(tailer);
}

#[test]
fn prices_are_written_exactly_and_never_past_their_room() {
    let write = |px: i64, size: usize| {
        let mut room = [0x55_i8 as c_char; 24];
        // SAFETY: there is room for `size` bytes.
        let code = unsafe { hoga_format_px(px, room.as_mut_ptr(), size) };
        assert!(room[size..].iter().all(|byte| *byte == 0x55), "past its room");
        (code, if code > 0 { text(room.as_ptr()) } else { String::new() })
    };
    assert_eq!(write(93_000_500_000_000, 24), (7, "93000.5".into()));
    assert_eq!(write(93_000_500_000_000, 8), (7, "93000.5".into()));
    assert_eq!(write(93_000_500_000_000, 7).0, HOGA_ERROR_ARGUMENT);
    assert_eq!(write(UNDEF_PX, 24), (1, "-".into()));
    assert_eq!(write(i64::MIN, 22), (21, "-9223372036.854775808".into()));
    // SAFETY: null is refused.
    assert_eq!(unsafe { hoga_format_px(1, null_mut(), 24) }, HOGA_ERROR_NULL);
}

#[test]
fn what_retention_deleted_between_two_records_is_counted() {
    use hoga_reader::journal::{JournalConfig, Policy, SealOptions, hold, prune, seal};
    use hoga_reader::tick::{RType, Trade};

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let config = JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(8 << 10) };
    let mut journal = Journal::open(dir, config).unwrap();
    for day in 21..=24 {
        journal.ticks.set_trading_date(20_261_100 + day).unwrap();
        for _ in 0..10 {
            let mut trade = Trade::UNDEF;
            trade.header.length = size_of::<Trade>() as u32;
            trade.header.rtype = RType::Trade as u8;
            journal.ticks.append(words_of(&mut trade)).unwrap();
        }
    }
    journal.close().unwrap();
    let day = |day: u32| format!("2026-11-{day}").parse().unwrap();
    seal(dir, day(23), SealOptions::default(), |_| {}).unwrap();
    hold(dir, day(21), "a case").unwrap();
    prune(dir, Policy { keep_days: Some(1), ..Policy::default() }, false, |_| {}).unwrap();

    let tailer = open(dir, &options()).unwrap();
    let mut pruned = 9;
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_tailer_pruned(tailer, &mut pruned) }, HOGA_NONE);
    assert_eq!(pruned, 0);
    let read: Vec<u64> = (0..20).map(|_| next(tailer).1.position.sequence).collect();
    assert_eq!(read, (1..=10).chain(31..=40).collect::<Vec<_>>());
    // SAFETY: open, valid.
    assert_eq!(unsafe { hoga_tailer_pruned(tailer, &mut pruned) }, HOGA_NONE);
    assert_eq!(pruned, 20);
    // SAFETY: null is allowed.
    assert_eq!(unsafe { hoga_tailer_pruned(tailer, null_mut()) }, HOGA_ERROR_NULL);
    // SAFETY: open.
    unsafe { hoga_close(tailer) };
}

#[test]
fn a_durable_reader_stops_at_the_durable_mark() {
    let folder = scratch();
    let mut open_journal = Journal::open(folder.path(), built::small()).unwrap();
    for number in 1..=10 {
        open_journal.ticks.append(words_of(&mut trade(number))).unwrap();
    }
    let all = open(folder.path(), &options()).unwrap();
    let durable = open(folder.path(), &HogaOptions { durable: 1, ..options() }).unwrap();
    let count = |tailer| (0..20).filter(|_| next(tailer).0 == HOGA_RECORD).count();
    assert_eq!((count(all), count(durable)), (10, 0), "at level `process` nothing is durable before the close");
    open_journal.close().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(count(durable), 10);
    for tailer in [all, durable] {
        // SAFETY: open, and not used again.
        assert_eq!(unsafe { hoga_close(tailer) }, HOGA_NONE);
    }
}
