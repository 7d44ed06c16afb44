//! The hot part of the journal allocates nothing: a counting allocator watches the appending thread, rolls included. It
//! also tells how much an opening holds at a time.

mod journal_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hoga::journal::{Journal, Start, Stream, Tailer};
use hoga::tick::words_of;
use journal_support::*;

thread_local! {
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
    /// Bytes held since the count began, and the most there were.
    static HELD: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

fn note(bytes: i64) {
    COUNT.with(|count| count.set(count.get().map(|count| count + 1)));
    HELD.with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches only thread-local `Cell`s without
// destructors, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as i64);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as i64));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn counted<T>(work: impl FnOnce() -> T) -> (T, u64) {
    COUNT.set(Some(0));
    let result = work();
    (result, COUNT.replace(None).unwrap_or(0))
}

#[test]
fn an_append_allocates_nothing_not_even_at_a_roll_or_for_an_instrument() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(64 << 10)).unwrap();
    let payload = [7_u8; 300];
    let mut instruments: Vec<_> = (1..=20).map(instrument).collect();
    let ((), count) = counted(|| {
        for number in 1..=2000 {
            if number % 100 == 0 {
                journal.ticks.append(words_of(&mut instruments[number as usize / 100 - 1])).unwrap();
            }
            journal.ticks.append(words_of(&mut trade(number))).unwrap();
            append_raw(journal.raw.as_mut().unwrap(), &payload);
            journal.ticks.batch_end();
        }
    });
    assert!(journal.ticks.ordinal() > 5);
    assert_eq!(count, 0);
}

#[test]
fn a_poll_within_a_segment_allocates_nothing() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(1 << 20)).unwrap();
    let mut tailer = Tailer::open(folder.path(), Stream::Ticks, Start::Beginning).unwrap();
    for number in 1..=1000 {
        append_pair(&mut journal, number);
    }
    let (polled, count) = counted(|| tailer.poll(1000, |_| {}).unwrap());
    assert_eq!((polled.records, count), (1000, 0));
}

#[test]
fn an_opening_holds_no_more_however_many_frames_did_not_reach_ticks() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(1 << 20)).unwrap();
    append_pair(&mut journal, 1);
    let payload = vec![b'1'; 10_000];
    for _ in 0..2000 {
        append_raw(journal.raw.as_mut().unwrap(), &payload);
    }
    drop(journal);
    HELD.set((0, 0));
    let mut journal = Journal::open(dir, small(1 << 20)).unwrap();
    let (mut count, mut bytes) = (0, 0);
    let Journal { ticks, recovery, .. } = &mut journal;
    let decoded = recovery.raw_frames.for_each(|frame| {
        count += 1;
        bytes += frame.payload.len() as u64;
        ticks.append(words_of(&mut trade(frame.prefix.header.sequence))).unwrap();
    });
    decoded.unwrap();
    let (_, most) = HELD.get();
    assert_eq!((count, bytes), (2000, 20_000_000));
    assert_eq!((recovery.raw_frames.count(), recovery.raw_frames.payload_bytes()), (count, bytes));
    assert!(most < 1 << 20, "{most} bytes held at a time");
}
