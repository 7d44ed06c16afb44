//! The pace of one app key: calls go out one at a time, evenly spaced, the most urgent first.
//!
//! A process may keep to a part of the pace. That binds it alone: to others the file of turns tells the period of the app key.
//!
//! Turns, and how far refusals have slowed the pace, are shared with all processes that share the folder of keys. The broker's
//! second isn't aligned with ours, so nothing is sent in bursts: the limiter (GCRA) gives one turn at a time. A refusal for
//! too many calls slows the pace by three tenths after a pause of a second; then it rises again by a twentieth of the full
//! pace a second.

mod turns;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde::Serialize;

use self::turns::{Held, Slowed, Turns};
use crate::sys::file::monotonic_ns;

/// Who goes first when several calls wait for their turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// What a session needs now.
    Session,
    /// What somebody waits for.
    #[default]
    Interactive,
    /// What can wait: it yields to all others.
    Backfill,
}

const SLOWED_BY: f64 = 0.7;
const RAISED_BY: f64 = 0.05;
/// The slowest that refusals make a pace, as a part of the full one.
const LEAST_PART: f64 = 0.1;
/// The broker counts over a second; refusals of calls already under way are one refusal.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest that the file of turns is waited for at once: its holders read and write some bytes.
const FILE_PATIENCE: Duration = Duration::from_millis(2);
/// After it was held for longer it is looked at again so soon.
const FILE_BUSY: Duration = Duration::from_millis(5);
/// Longest that a refusal waits to be told to others at once; it is with the next turn.
const REFUSAL_PATIENCE: Duration = Duration::from_millis(50);
/// A file held for so long is worth a word.
const STUCK: Duration = Duration::from_secs(2);

type Limiter = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Instant>>;

#[derive(Debug)]
pub(super) struct Pacer {
    /// Calls a second of this process, unless refusals have slowed them.
    full: f64,
    state: Mutex<State>,
    turn: Condvar,
}

#[derive(Debug)]
struct State {
    limiter: Limiter,
    /// Calls a second of the app key, over all processes.
    of_all: f64,
    /// What other processes took.
    turns: Option<Arc<Turns>>,
    /// Of this process's pace, as far as it knows; the newest word of all is kept to.
    slowed: Slowed,
    /// Since when another process holds the file of turns, and whether that was said.
    busy: Option<(Instant, bool)>,
    waiting: BTreeSet<(Priority, u64)>,
    tickets: u64,
}

/// The wait would have been longer than the caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoTurn;

fn limiter(rate: f64) -> Limiter {
    let period = Duration::from_secs_f64(1.0 / rate);
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota, MonotonicClock)
}

impl Pacer {
    /// A pace of so many calls a second, of which this process keeps to a `part`; its turns shared with all who name the same
    /// file; `None`: of this process alone.
    ///
    /// # Errors
    ///
    /// The file can't be made or opened.
    pub(super) fn new(per_second: f64, part: f64, shared: Option<&Path>) -> std::io::Result<Pacer> {
        let full = per_second * part;
        let state = State {
            limiter: limiter(full),
            of_all: per_second,
            turns: shared.map(Turns::open).transpose()?.map(Arc::new),
            slowed: Slowed::NOT,
            busy: None,
            waiting: BTreeSet::new(),
            tickets: 0,
        };
        Ok(Pacer { full, state: Mutex::new(state), turn: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, at most until `deadline`.
    pub(super) fn acquire(&self, priority: Priority, deadline: Instant) -> Result<(), NoTurn> {
        let mut state = self.lock();
        let ticket = (priority, state.tickets);
        state.tickets += 1;
        state.waiting.insert(ticket);
        let outcome = loop {
            let now = Instant::now();
            let mut wait = deadline.saturating_duration_since(now);
            if state.waiting.first() == Some(&ticket) {
                match state.take(self.full) {
                    None => break Ok(()),
                    // Nobody waits for a turn that comes too late.
                    Some(until) if until > wait => break Err(NoTurn),
                    Some(until) => wait = until,
                }
            } else if wait.is_zero() {
                break Err(NoTurn);
            }
            state = self.turn.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting.remove(&ticket);
        drop(state);
        self.turn.notify_all();
        outcome
    }

    /// The broker refused a call of this app key for too many in a second.
    pub(super) fn refused(&self) {
        self.lock().refused(self.full);
    }

    /// Calls a second at present.
    pub(super) fn rate(&self) -> f64 {
        self.full * self.lock().slowed.part
    }

    /// Seconds that a call of a priority would wait, roughly: what stands before it at the present pace.
    pub(super) fn queue_seconds(&self, priority: Priority) -> f64 {
        let state = self.lock();
        let before = state.waiting.iter().filter(|(other, _)| *other <= priority).count();
        let paused = Duration::from_nanos(state.slowed.since.saturating_sub(monotonic_ns())).as_secs_f64();
        paused + before as f64 / (self.full * state.slowed.part)
    }
}

impl State {
    /// Takes the next turn, or says how long until there is one.
    fn take(&mut self, full: f64) -> Option<Duration> {
        let Some(shared) = self.turns.clone() else { return self.take_own(full, None) };
        match shared.lock(FILE_PATIENCE) {
            Ok(Some(held)) => {
                self.busy = None;
                self.take_own(full, Some(held))
            }
            Ok(None) => Some(self.file_is_busy()),
            Err(error) => {
                tracing::warn!(%error, "from here on turns are not shared with other processes");
                // The broker's refusals are what is left to keep to.
                self.turns = None;
                Some(Duration::ZERO)
            }
        }
    }

    /// How soon the file of turns is looked at again; who holds it for long is said once.
    fn file_is_busy(&mut self) -> Duration {
        let (since, was_said) = self.busy.get_or_insert((Instant::now(), false));
        if !*was_said && since.elapsed() > STUCK {
            *was_said = true;
            tracing::warn!("another process holds the file of turns, and calls wait for it; is one of them stuck?");
        }
        FILE_BUSY
    }

    /// Takes the next turn of this process, if the time of the one of all has come.
    fn take_own(&mut self, full: f64, turns: Option<Held<'_>>) -> Option<Duration> {
        let now = turns.as_ref().map_or_else(monotonic_ns, Held::now);
        if let Some(turns) = &turns {
            self.hear(turns.slowed(), full);
        }
        if now < self.slowed.since {
            return Some(Duration::from_nanos(self.slowed.since - now));
        }
        if let Some(wait) = turns.as_ref().map(Held::wait).filter(|wait| !wait.is_zero()) {
            return Some(wait);
        }
        if let Err(not_until) = self.limiter.check() {
            return Some(not_until.wait_time_from(MonotonicClock.now()).max(Duration::from_micros(50)));
        }
        let period = Duration::from_secs_f64(1.0 / (self.of_all * self.slowed.part));
        let since = Duration::from_nanos(now - self.slowed.since);
        if self.slowed.part < 1.0 && since >= PAUSE {
            // Additive, a step for each second, with a turn taken from the new limiter: this one.
            let steps = since.as_secs_f64().floor();
            self.slowed = Slowed { part: (self.slowed.part + RAISED_BY * steps).min(1.0), since: now };
            self.limiter = limiter(full * self.slowed.part);
            let _ = self.limiter.check();
        }
        if let Some(Err(error)) = turns.map(|turns| turns.take(period, self.slowed)) {
            tracing::warn!(%error, "a turn is not told to other processes");
        }
        None
    }

    /// Keeps to what another process knows, if it is newer.
    fn hear(&mut self, told: Slowed, full: f64) {
        if told.since > self.slowed.since {
            self.slowed = told;
            self.limiter = limiter(full * told.part);
        }
    }

    fn refused(&mut self, full: f64) {
        let shared = self.turns.clone();
        let turns = shared.as_ref().and_then(|turns| turns.lock(REFUSAL_PATIENCE).ok().flatten());
        if let Some(turns) = &turns {
            self.hear(turns.slowed(), full);
        }
        let now = monotonic_ns();
        // Within the pause it is of a call that was under way before, by whichever process.
        if now >= self.slowed.since {
            let part = (self.slowed.part * SLOWED_BY).max(LEAST_PART);
            self.slowed = Slowed { part, since: now + PAUSE.as_nanos() as u64 };
            self.limiter = limiter(full * part);
            if let Some(Err(error)) = turns.map(|turns| turns.slow(self.slowed)) {
                tracing::warn!(%error, "a slower pace is not told to other processes");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(per_second: f64) -> Pacer {
        Pacer::new(per_second, 1.0, None).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn turns_are_evenly_spaced_from_the_first_on() {
        let pacer = alone(50.0);
        let mut at = Vec::new();
        for _ in 0..10 {
            pacer.acquire(Priority::Interactive, soon()).unwrap();
            at.push(Instant::now());
        }
        // A thread that was held up between its turn and the clock comes closer to the next one, never the turns.
        let least = at.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
        assert!(least >= Duration::from_millis(8), "{least:?}");
        assert!(at[9] - at[0] >= Duration::from_millis(170), "{:?}", at[9] - at[0]);
    }

    #[test]
    fn backfill_yields_to_whoever_comes_later() {
        let pacer = Arc::new(alone(20.0));
        pacer.acquire(Priority::Session, soon()).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let wait_in_line = |priority| {
            let (pacer, order) = (Arc::clone(&pacer), Arc::clone(&order));
            let before = pacer.lock().waiting.len();
            let thread = std::thread::spawn({
                let pacer = Arc::clone(&pacer);
                move || {
                    pacer.acquire(priority, soon()).unwrap();
                    order.lock().unwrap().push(priority);
                }
            });
            while pacer.lock().waiting.len() == before && !thread.is_finished() {
                std::thread::yield_now();
            }
            thread
        };
        // The turn is held until all are in line.
        pacer.lock().slowed.since = monotonic_ns() + 300_000_000;
        let threads =
            [Priority::Backfill, Priority::Backfill, Priority::Interactive, Priority::Session, Priority::Interactive]
                .map(wait_in_line);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let order = order.lock().unwrap().clone();
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(order, sorted);
    }

    #[test]
    fn a_refusal_slows_the_pace_once_and_it_comes_back_step_by_step() {
        let pacer = alone(100.0);
        pacer.refused();
        pacer.refused();
        assert!((pacer.rate() - 70.0).abs() < 1e-9, "one second's refusals are one");
        let begun = Instant::now();
        pacer.acquire(Priority::Session, soon()).unwrap();
        assert!(begun.elapsed() > Duration::from_millis(900), "the broker's second is waited for");
        std::thread::sleep(Duration::from_millis(1_050));
        pacer.acquire(Priority::Session, soon()).unwrap();
        // A step of 5 a second, however late the thread wakes.
        assert!((74.9..90.1).contains(&pacer.rate()), "{}", pacer.rate());
        for _ in 0..40 {
            pacer.lock().slowed.since = 0;
            pacer.refused();
        }
        assert!((pacer.rate() - 10.0).abs() < 1e-9, "never slower than a tenth");
    }

    #[test]
    fn a_turn_that_would_come_too_late_is_not_waited_for() {
        let pacer = alone(0.1);
        pacer.acquire(Priority::Interactive, soon()).unwrap();
        let begun = Instant::now();
        assert_eq!(pacer.acquire(Priority::Interactive, begun + Duration::from_secs(1)), Err(NoTurn));
        assert!(begun.elapsed() < Duration::from_millis(500));
        assert!(pacer.lock().waiting.is_empty());
    }

    #[test]
    fn a_file_that_is_held_for_long_is_waited_for_and_shared_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let pacer = Pacer::new(5.0, 1.0, Some(&path)).unwrap();
        let stuck = std::fs::File::open(&path).unwrap();
        stuck.lock().unwrap();
        let begun = Instant::now();
        assert_eq!(pacer.acquire(Priority::Session, begun + Duration::from_millis(300)), Err(NoTurn));
        assert!(begun.elapsed() >= Duration::from_millis(200) && begun.elapsed() < Duration::from_secs(2));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pacer.acquire(Priority::Session, soon()));
            std::thread::sleep(Duration::from_millis(300));
            stuck.unlock().unwrap();
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
        let other = Pacer::new(5.0, 1.0, Some(&path)).unwrap();
        let begun = Instant::now();
        other.acquire(Priority::Session, soon()).unwrap();
        assert!(begun.elapsed() > Duration::from_millis(100), "the turn of the first is known to the other");
    }

    #[test]
    fn who_keeps_to_a_part_of_the_pace_takes_no_more_than_a_turn_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let half = Pacer::new(0.1, 0.5, Some(&path)).unwrap();
        half.acquire(Priority::Backfill, soon()).unwrap();
        assert!((half.rate() - 0.05).abs() < 1e-9);
        let turns = Turns::open(&path).unwrap();
        let wait = turns.lock(FILE_BUSY).unwrap().unwrap().wait();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(10), "{wait:?}");
        // Its own next turn is not so soon.
        let alone = Pacer::new(0.1, 0.5, None).unwrap();
        alone.acquire(Priority::Backfill, soon()).unwrap();
        let in_a_period = Instant::now() + Duration::from_secs(15);
        assert_eq!(alone.acquire(Priority::Backfill, in_a_period), Err(NoTurn));
    }

    #[test]
    fn a_refusal_slows_all_who_share_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turns");
        let [one, other] = [Pacer::new(100.0, 1.0, Some(&path)).unwrap(), Pacer::new(100.0, 1.0, Some(&path)).unwrap()];
        let begun = Instant::now();
        one.refused();
        other.refused();
        other.acquire(Priority::Session, soon()).unwrap();
        assert!(begun.elapsed() > Duration::from_millis(900), "the broker's second is waited for by all");
        assert!((other.rate() - 70.0).abs() < 1e-3, "one second's refusals are one: {}", other.rate());
        // One that comes later begins there, too.
        let third = Pacer::new(100.0, 1.0, Some(&path)).unwrap();
        third.acquire(Priority::Session, soon()).unwrap();
        assert!(third.rate() < 80.0, "{}", third.rate());
    }
}
