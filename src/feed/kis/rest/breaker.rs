//! The circuit breaker of a host: who can't be reached, or doesn't answer as the broker, is left alone for a while, then tried by one call.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Longest pause between two probes.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What the breaker does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Lets it through.
    Closed,
    /// Refuses it: the host could not be reached several times in a row.
    Open,
    /// Lets one through, whose fate decides.
    HalfOpen,
}

/// Counts failures to reach a host. A refusal that the broker words is an answer, not a failure.
#[derive(Debug)]
pub(super) struct Breaker {
    failures_max: u32,
    pause_first: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    pause: Duration,
    /// Until when an open breaker refuses; `None` when it is closed.
    open_until: Option<Instant>,
    probing: bool,
}

/// A call that was let through; says how it went. Dropped unsaid, it frees the place of the probe.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    pub(super) fn new(failures_max: u32, pause: Duration) -> Breaker {
        let state = State { failures: 0, pause, open_until: None, probing: false };
        Breaker { failures_max, pause_first: pause, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        let state = self.lock();
        match state.open_until {
            None => BreakerState::Closed,
            Some(until) if now < until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// How long the host is left alone yet; `None` when a call may try.
    pub(super) fn left_alone(&self, now: Instant) -> Option<Duration> {
        self.lock().open_until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Lets a call through, or says how long the host is left alone.
    pub(super) fn enter(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.lock();
        let Some(until) = state.open_until else { return Ok(Pass { breaker: self, probe: false }) };
        if now < until {
            return Err(until - now);
        }
        if state.probing {
            return Err(state.pause);
        }
        state.probing = true;
        Ok(Pass { breaker: self, probe: true })
    }
}

impl Pass<'_> {
    /// The host answered.
    pub(super) fn reached(self) {
        let mut state = self.breaker.lock();
        if state.open_until.is_none() || self.probe {
            state.failures = 0;
            state.pause = self.breaker.pause_first;
            state.open_until = None;
        }
    }

    /// The host could not be reached; whether that opened the breaker.
    pub(super) fn failed(self, now: Instant) -> bool {
        let mut state = self.breaker.lock();
        state.failures += 1;
        if self.probe {
            state.pause = (state.pause * 2).min(PAUSE_MAX);
        } else if state.open_until.is_some() || state.failures < self.breaker.failures_max {
            return false;
        }
        state.open_until = Some(now + state.pause);
        true
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_probes_once_and_closes_again() {
        let breaker = Breaker::new(3, Duration::from_secs(5));
        let start = Instant::now();
        let fail = |at: Instant| breaker.enter(at).unwrap().failed(at);
        assert!(!fail(start) && !fail(start));
        breaker.enter(start).unwrap().reached();
        assert!(!fail(start) && !fail(start) && fail(start), "three in a row open it");
        assert_eq!(breaker.state(start), BreakerState::Open);
        assert_eq!(breaker.enter(start).unwrap_err(), Duration::from_secs(5));
        let later = start + Duration::from_secs(5);
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let probe = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_err(), "one probe at a time");
        assert!(probe.failed(later));
        assert_eq!(breaker.enter(later).unwrap_err(), Duration::from_secs(10), "the pause doubles");
        let again = later + Duration::from_secs(10);
        breaker.enter(again).unwrap().reached();
        assert_eq!(breaker.state(again), BreakerState::Closed);
        assert!(!fail(again), "and counts from nothing");
    }

    #[test]
    fn a_probe_that_says_nothing_frees_its_place() {
        let breaker = Breaker::new(1, Duration::from_secs(1));
        let start = Instant::now();
        breaker.enter(start).unwrap().failed(start);
        let later = start + Duration::from_secs(1);
        drop(breaker.enter(later).unwrap());
        assert!(breaker.enter(later).is_ok());
    }
}
