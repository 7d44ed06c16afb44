//! The hot part of the journal allocates nothing: a counting allocator watches the appending thread, rolls included.

mod journal_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hoga::journal::{Journal, Start, Stream, Tailer};
use hoga::tick::words_of;
use journal_support::*;

thread_local! {
    static COUNT: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a thread-local `Cell` without a
// destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get().map(|count| count + 1)));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNT.with(|count| count.set(count.get().map(|count| count + 1)));
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
