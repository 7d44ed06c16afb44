//! How long a line waits before it connects again: exponential, with a floor and full jitter above it.

use std::time::Duration;

/// Shortest wait before a line is connected again.
pub const FLOOR: Duration = Duration::from_secs(1);
/// Shortest wait when the app key is in use: the old slot lingers, and knocking keeps it alive.
pub const FLOOR_IN_USE: Duration = Duration::from_secs(20);
/// Longest wait but for jitter; the floor where the broker refuses the app key itself.
pub const CEILING: Duration = Duration::from_secs(120);
/// Shortest wait when the app key is in use again and again, or refused a second time: knocking doesn't help.
pub const FLOOR_HOPELESS: Duration = Duration::from_secs(600);
/// In use so often in a row, and it is no dead session whose slot lingers.
pub const IN_USE_MAX: u8 = 6;
/// A connection that held this long was a success: the next loss begins anew.
pub const STABLE: Duration = Duration::from_secs(60);

/// Waits of what the broker refuses for now while its line goes on: once, twice, and from then on.
const LATER: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(900)];

/// How long what was refused `times` times before is left alone now.
pub fn later(times: u8) -> Duration {
    LATER[usize::from(times).min(LATER.len() - 1)]
}

/// A line's failures in a row.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    failures: u32,
    /// Of the next wait alone.
    floor: Duration,
    /// Of each wait, until something is in force.
    lasting: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { failures: 0, floor: FLOOR, lasting: FLOOR }
    }
}

impl Backoff {
    /// The next wait is this long at least.
    pub fn raise_floor(&mut self, floor: Duration) {
        self.floor = self.floor.max(floor);
    }

    /// Every wait is this long at least, until [`lower_floor`](Self::lower_floor).
    pub fn keep_floor(&mut self, floor: Duration) {
        self.lasting = self.lasting.max(floor);
    }

    /// The reason of a floor is gone: the broker took a registration.
    pub fn lower_floor(&mut self) {
        self.lasting = FLOOR;
    }

    /// The line did what it is for.
    pub fn succeeded(&mut self) {
        *self = Backoff::default();
    }

    /// Whether the next connection is one after a failure.
    pub fn is_retry(&self) -> bool {
        self.failures > 0
    }

    /// One more failure: how long to wait. `random` in `0.0 ..= 1.0` spreads lines that were lost at one time.
    pub fn next(&mut self, random: f64) -> Duration {
        let exponential = FLOOR.saturating_mul(2 << self.failures.min(7)).min(CEILING);
        let floor = std::mem::replace(&mut self.floor, FLOOR).max(self.lasting);
        let ceiling = exponential.max(floor * 2);
        self.failures += 1;
        floor + (ceiling - floor).mul_f64(random)
    }
}

/// A number in `0.0 .. 1.0`, from the hasher's random keys.
pub(super) fn unit_random() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    (RandomState::new().hash_one(std::time::Instant::now()) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_end_and_never_fall_below_the_floor() {
        let mut least = Backoff::default();
        let mut most = Backoff::default();
        let waits: Vec<(Duration, Duration)> = (0..12).map(|_| (least.next(0.0), most.next(1.0))).collect();
        assert!(waits.iter().all(|(low, _)| *low == FLOOR), "full jitter reaches down to the floor, not below");
        assert!(waits.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        assert_eq!((waits[0].1, waits[1].1, waits[11].1), (FLOOR * 2, FLOOR * 4, CEILING));
    }

    #[test]
    fn an_app_key_in_use_is_left_alone_for_twenty_seconds_until_it_is_taken_over_whatever_fails_between() {
        let mut backoff = Backoff::default();
        backoff.keep_floor(FLOOR_IN_USE);
        backoff.keep_floor(FLOOR);
        assert_eq!(backoff.next(0.0), FLOOR_IN_USE);
        assert_eq!(backoff.next(0.0), FLOOR_IN_USE, "an attempt that did not get as far says nothing of it");
        backoff.lower_floor();
        assert_eq!(backoff.next(0.0), FLOOR);
        backoff.keep_floor(CEILING);
        assert_eq!(backoff.next(1.0), CEILING * 2);
        backoff.succeeded();
        assert!(!backoff.is_retry());
    }

    #[test]
    fn a_wait_that_is_told_holds_once() {
        let mut backoff = Backoff::default();
        backoff.raise_floor(FLOOR_IN_USE);
        assert_eq!((backoff.next(0.0), backoff.next(0.0)), (FLOOR_IN_USE, FLOOR));
    }

    #[test]
    fn random_numbers_lie_in_the_unit_interval_and_differ() {
        let numbers: Vec<f64> = (0..100).map(|_| unit_random()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number < 0.5) && numbers.iter().any(|number| *number >= 0.5));
    }
}
