//! The duty cycle of a stage and what a thread does between two of them.
//!
//! A stage does a bounded batch of work a cycle and returns how much it did; it knows nothing of threads. [`run`] turns
//! stages into a thread's loop: the wait strategy acts on a cycle without work. The same stage code runs fused on one
//! thread or split over several.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::TickClock;

/// A part of the data path.
pub trait Stage {
    /// One duty cycle: a bounded batch; returns the work count, 0 for nothing to do.
    fn poll(&mut self) -> usize;

    /// Whether input is closed and empty, and all that was taken is handed on: the thread may end.
    fn is_done(&self) -> bool;

    /// Told how long a cycle with work took, ns.
    fn note_cycle(&mut self, _ns: u64) {}

    /// Told when the thread begins to park, whatever its strategy, since nothing is expected, and when that is over.
    fn note_rest(&mut self, _resting: bool) {}

    /// Waits for input at most `timeout`, if the stage has something to wait on (the reader's sockets); otherwise sleeps.
    fn park(&mut self, timeout: Duration) {
        std::thread::sleep(timeout);
    }
}

/// What a hot thread does in a cycle without work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitStrategy {
    /// Never leaves the processor: lowest latency, one whole core a thread.
    Spin,
    /// Spins for a while, then yields to other threads of the core: the choice where cores are few.
    #[default]
    Yield,
    /// Spins and yields for a while, then sleeps in the kernel for up to a millisecond: shares the machine. The reader is
    /// woken by input (some 5 µs and more after each pause); parser and journal, where they have threads of their own,
    /// look only when their millisecond is over, which adds up to that much each.
    Park,
}

/// By the names of the configuration.
impl std::str::FromStr for WaitStrategy {
    type Err = serde::de::value::Error;

    fn from_str(name: &str) -> Result<WaitStrategy, Self::Err> {
        serde::Deserialize::deserialize(serde::de::IntoDeserializer::into_deserializer(name))
    }
}

/// Empty cycles before [`WaitStrategy::Yield`] and [`WaitStrategy::Park`] give up the processor.
const SPIN_CYCLES: u32 = 200;
/// Empty cycles before [`WaitStrategy::Park`] sleeps.
const YIELD_CYCLES: u32 = 400;
/// Longest sleep of [`WaitStrategy::Park`]: the bound on how late a stage sees a command without a wake-up of its own.
const PARK_TIMEOUT: Duration = Duration::from_millis(1);

/// Longest sleep while nothing is expected.
const REST_TIMEOUT: Duration = Duration::from_millis(10);

/// Tells hot threads whether something is expected. While it is not, whoever runs out of work parks in the kernel, up to ten
/// milliseconds at a time; input ends that at the reader's. One thread sets it, any number look.
#[derive(Clone, Debug, Default)]
pub struct Rest(Arc<AtomicBool>);

impl Rest {
    /// Nothing is expected from now on, or something is.
    pub fn set(&self, resting: bool) {
        // Relaxed: a flag alone.
        self.0.store(resting, Ordering::Relaxed);
    }

    /// Whether nothing is expected.
    #[inline]
    pub fn is_on(&self) -> bool {
        // Relaxed: a flag alone.
        self.0.load(Ordering::Relaxed)
    }
}

/// A wait strategy at work: counts empty cycles.
#[derive(Debug)]
pub struct Waiter {
    strategy: WaitStrategy,
    empty_cycles: u32,
    rest: Rest,
    is_resting: bool,
}

impl Waiter {
    /// A waiter that has seen no empty cycle.
    pub fn new(strategy: WaitStrategy) -> Waiter {
        Waiter::resting_by(strategy, Rest::default())
    }

    /// The same, which parks while `rest` is on.
    pub fn resting_by(strategy: WaitStrategy, rest: Rest) -> Waiter {
        Waiter { strategy, empty_cycles: 0, rest, is_resting: false }
    }

    /// After a cycle that did `work`.
    #[inline]
    pub fn after<S: Stage>(&mut self, stage: &mut S, work: usize) {
        if work > 0 {
            self.empty_cycles = 0;
            return;
        }
        self.empty_cycles = self.empty_cycles.saturating_add(1);
        let resting = self.rest.is_on();
        if resting != self.is_resting {
            self.is_resting = resting;
            stage.note_rest(resting);
        }
        match self.strategy {
            _ if resting && self.empty_cycles > YIELD_CYCLES => stage.park(REST_TIMEOUT),
            WaitStrategy::Yield if self.empty_cycles > SPIN_CYCLES => std::thread::yield_now(),
            WaitStrategy::Park if self.empty_cycles > YIELD_CYCLES => stage.park(PARK_TIMEOUT),
            WaitStrategy::Park if self.empty_cycles > SPIN_CYCLES => std::thread::yield_now(),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Runs a stage on this thread until it is done.
pub fn run<S: Stage>(stage: &mut S, strategy: WaitStrategy, clock: &TickClock) {
    run_resting(stage, Waiter::new(strategy), clock);
}

/// The same with a waiter of one's own.
pub fn run_resting<S: Stage>(stage: &mut S, mut waiter: Waiter, clock: &TickClock) {
    while !stage.is_done() {
        let start = clock.now();
        let work = stage.poll();
        if work > 0 {
            stage.note_cycle(clock.delta_ns(start, clock.now()));
        }
        waiter.after(stage, work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Countdown {
        left: usize,
        parked: usize,
        told: Vec<bool>,
    }

    impl Stage for Countdown {
        fn poll(&mut self) -> usize {
            let work = self.left.min(3);
            self.left -= work;
            work
        }

        fn is_done(&self) -> bool {
            self.left == 0
        }

        fn park(&mut self, _: Duration) {
            self.parked += 1;
        }

        fn note_rest(&mut self, resting: bool) {
            self.told.push(resting);
        }
    }

    #[test]
    fn a_stage_runs_until_it_is_done() {
        let mut stage = Countdown { left: 10, parked: 0, told: Vec::new() };
        run(&mut stage, WaitStrategy::Yield, &TickClock::new());
        assert_eq!((stage.left, stage.parked), (0, 0));
    }

    #[test]
    fn only_park_sleeps_and_only_after_it_spun() {
        for (strategy, parks) in [(WaitStrategy::Spin, 0), (WaitStrategy::Yield, 0), (WaitStrategy::Park, 100)] {
            let mut stage = Countdown { left: 0, parked: 0, told: Vec::new() };
            let mut waiter = Waiter::new(strategy);
            for _ in 0..YIELD_CYCLES + 100 {
                waiter.after(&mut stage, 0);
            }
            assert_eq!(stage.parked, parks, "{strategy:?}");
        }
    }

    #[test]
    fn while_nothing_is_expected_every_strategy_parks_and_work_comes_first() {
        for strategy in [WaitStrategy::Spin, WaitStrategy::Yield, WaitStrategy::Park] {
            let mut stage = Countdown { left: 0, parked: 0, told: Vec::new() };
            let rest = Rest::default();
            let mut waiter = Waiter::resting_by(strategy, rest.clone());
            rest.set(true);
            for _ in 0..YIELD_CYCLES + 100 {
                waiter.after(&mut stage, 0);
            }
            assert_eq!((stage.parked, &stage.told[..]), (100, &[true][..]), "{strategy:?}");
            waiter.after(&mut stage, 1);
            waiter.after(&mut stage, 0);
            assert_eq!(stage.parked, 100, "it spins again behind work");
            rest.set(false);
            waiter.after(&mut stage, 0);
            assert_eq!(stage.told, [true, false]);
        }
    }
}
