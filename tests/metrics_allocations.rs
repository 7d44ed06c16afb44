//! Goal: recording metrics on a hot thread allocates nothing, neither while nobody listens nor when sets are swapped.
//! Method: an allocator that counts per thread; the warm-up registers everything, then every method of the hot side runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::mpsc;
use std::thread;

use hoga::metrics::{ConnectionState, Counter, Latency, Metrics};
use hoga::tick::{Findings, RejectReason};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a constant-initialised thread local, which
// itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, passed on as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `dealloc`, passed on as it is.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn the_hot_side_allocates_and_frees_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, mut collector) = Metrics::create(folder.path(), &[]).unwrap();
    collector.set_period(std::time::Duration::ZERO);
    let counters = metrics.counters("hot").unwrap();
    let (status, traffic) = metrics.connection(0, "127.0.0.1:21000").unwrap();
    status.set_state(ConnectionState::Live, 1);
    let mut histogram = collector.stage_histogram();
    let (said, heard) = mpsc::channel();

    let hot = thread::spawn(move || {
        let (mut samples, mut swaps) = (0_u64, 0);
        let before = ALLOCATIONS.with(Cell::get);
        while swaps < 20 || samples < 10_000 {
            for latency in Latency::ALL {
                histogram.record(latency, samples.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            }
            samples += 1;
            swaps += u64::from(histogram.exchange());
            counters.add(Counter::FramesReceived, 1);
            counters.max(Counter::FrameRingHighWaterBytes, samples);
            counters.set(Counter::Instruments, 7);
            counters.reject(RejectReason::BadCount);
            counters.findings(Findings(Findings::DUPLICATE | Findings::BOOK_CROSSED));
            counters.beat(samples);
            status.set_state(ConnectionState::BackingOff, samples);
            status.set_registrations(2, 1);
            traffic.received(1, 300, samples);
        }
        let after = ALLOCATIONS.with(Cell::get);
        histogram.finish();
        said.send((after - before, samples)).unwrap();
    });
    while !hot.is_finished() {
        collector.poll();
        thread::yield_now();
    }
    hot.join().unwrap();
    let (allocations, samples) = heard.recv().unwrap();
    assert_eq!(allocations, 0);
    let totals = collector.finish();
    assert_eq!(totals.summary(Latency::KernelToCommitted).count, samples);
    assert_eq!(totals.counters.get(Counter::Rejects), samples);
}
