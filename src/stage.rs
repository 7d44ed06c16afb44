//! The duty cycle of a stage and what a thread does between two of them.
//!
//! A stage does a bounded batch of work a cycle and returns how much it did; it knows nothing of threads. [`run`] turns
//! stages into a thread's loop: the wait strategy acts on a cycle without work. The same stage code runs fused on one
//! thread or split over several.

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

/// A wait strategy at work: counts empty cycles.
#[derive(Debug)]
pub struct Waiter {
    strategy: WaitStrategy,
    empty_cycles: u32,
}

impl Waiter {
    /// A waiter that has seen no empty cycle.
    pub fn new(strategy: WaitStrategy) -> Waiter {
        Waiter { strategy, empty_cycles: 0 }
    }

    /// After a cycle that did `work`.
    #[inline]
    pub fn after<S: Stage>(&mut self, stage: &mut S, work: usize) {
        if work > 0 {
            self.empty_cycles = 0;
            return;
        }
        self.empty_cycles = self.empty_cycles.saturating_add(1);
        match self.strategy {
            WaitStrategy::Yield if self.empty_cycles > SPIN_CYCLES => std::thread::yield_now(),
            WaitStrategy::Park if self.empty_cycles > YIELD_CYCLES => stage.park(PARK_TIMEOUT),
            WaitStrategy::Park if self.empty_cycles > SPIN_CYCLES => std::thread::yield_now(),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Runs a stage on this thread until it is done.
pub fn run<S: Stage>(stage: &mut S, strategy: WaitStrategy, clock: &TickClock) {
    let mut waiter = Waiter::new(strategy);
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
    }

    #[test]
    fn a_stage_runs_until_it_is_done() {
        let mut stage = Countdown { left: 10, parked: 0 };
        run(&mut stage, WaitStrategy::Yield, &TickClock::new());
        assert_eq!((stage.left, stage.parked), (0, 0));
    }

    #[test]
    fn only_park_sleeps_and_only_after_it_spun() {
        for (strategy, parks) in [(WaitStrategy::Spin, 0), (WaitStrategy::Yield, 0), (WaitStrategy::Park, 100)] {
            let mut stage = Countdown { left: 0, parked: 0 };
            let mut waiter = Waiter::new(strategy);
            for _ in 0..YIELD_CYCLES + 100 {
                waiter.after(&mut stage, 0);
            }
            assert_eq!(stage.parked, parks, "{strategy:?}");
        }
    }
}
