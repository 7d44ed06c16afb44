//! How long a line waits before it connects again: exponential, with a floor and full jitter above it.

use std::time::Duration;

/// Shortest wait before a line is connected again.
pub const FLOOR: Duration = Duration::from_secs(1);
/// Shortest wait when the app key is in use: the old slot lingers, and knocking keeps it alive.
pub const FLOOR_IN_USE: Duration = Duration::from_secs(20);
/// Longest wait but for jitter; the floor where the broker refuses the app key itself.
pub const CEILING: Duration = Duration::from_secs(120);
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
    floor: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { failures: 0, floor: FLOOR }
    }
}

impl Backoff {
    /// The next wait is this long at least.
    pub fn raise_floor(&mut self, floor: Duration) {
        self.floor = self.floor.max(floor);
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
        let ceiling = exponential.max(self.floor * 2);
        self.failures += 1;
        // A floor holds for one wait: the next connection shows whether its reason does.
        let floor = std::mem::replace(&mut self.floor, FLOOR);
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
    fn an_app_key_in_use_is_left_alone_for_twenty_seconds_and_then_it_is_as_before() {
        let mut backoff = Backoff::default();
        backoff.raise_floor(FLOOR_IN_USE);
        backoff.raise_floor(FLOOR);
        assert_eq!(backoff.next(0.0), FLOOR_IN_USE);
        assert_eq!(backoff.next(0.0), FLOOR);
        backoff.raise_floor(FLOOR_IN_USE);
        assert_eq!(backoff.next(1.0), FLOOR_IN_USE * 2);
        backoff.succeeded();
        assert!(!backoff.is_retry());
    }

    #[test]
    fn random_numbers_lie_in_the_unit_interval_and_differ() {
        let numbers: Vec<f64> = (0..100).map(|_| unit_random()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number < 0.5) && numbers.iter().any(|number| *number >= 0.5));
    }
}
