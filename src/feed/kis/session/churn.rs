//! A bound on how often a registration may change, whatever changes the list: the broker blocks who subscribes and
//! unsubscribes without end.
//!
//! Counted are withdrawals, and registrations of a pair that was withdrawn within the window. The first registration of a
//! connection is not a change: connects have their own [`budget`](super::budget).

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::ledger::{Registration, Request};

/// The changes of all pairs.
#[derive(Debug)]
pub(super) struct Churn {
    changes_max: usize,
    window: Duration,
    changes: HashMap<Registration, VecDeque<Instant>>,
    /// Pairs whose wait was said.
    said: HashSet<Registration>,
}

impl Churn {
    /// `changes_max` of a pair within `window`; 0 lets all through.
    pub fn new(changes_max: usize, window: Duration) -> Churn {
        Churn { changes_max, window, changes: HashMap::new(), said: HashSet::new() }
    }

    /// How long this change has to wait; `None` when it may be made now.
    pub fn wait(&self, request: &Request, now: Instant) -> Option<Duration> {
        let changes = self.changes.get(&request.registration).filter(|_| self.changes_max > 0)?;
        // The oldest of the last `changes_max` has to leave the window.
        let oldest = changes.get(changes.len().checked_sub(self.changes_max)?)?;
        let wait = (*oldest + self.window).saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// Whether the wait of this pair is news.
    pub fn is_news(&mut self, pair: &Registration) -> bool {
        self.said.insert(pair.clone())
    }

    /// The change was made.
    pub fn changed(&mut self, request: &Request, now: Instant) {
        let window = self.window;
        self.changes.retain(|_, changes| changes.back().is_some_and(|last| now.duration_since(*last) < window));
        self.said.remove(&request.registration);
        self.said.retain(|pair| self.changes.contains_key(pair));
        if request.subscribe && !self.changes.contains_key(&request.registration) {
            return;
        }
        let changes = self.changes.entry(request.registration.clone()).or_default();
        changes.push_back(now);
        while changes.len() > self.changes_max.max(1) {
            changes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key: &str, subscribe: bool) -> Request {
        Request { registration: Registration { tr_id: "H0STCNT0".to_owned(), tr_key: key.to_owned() }, subscribe }
    }

    #[test]
    fn the_fifth_change_of_a_pair_waits_until_the_first_is_out_of_the_window_and_others_go() {
        let mut churn = Churn::new(4, Duration::from_secs(600));
        let begun = Instant::now();
        churn.changed(&request("A", true), begun);
        for (second, subscribe) in [(1, false), (2, true), (3, false), (4, true)] {
            let now = begun + Duration::from_secs(second);
            assert_eq!(churn.wait(&request("A", subscribe), now), None);
            churn.changed(&request("A", subscribe), now);
        }
        let now = begun + Duration::from_secs(11);
        assert_eq!(churn.wait(&request("A", false), now), Some(Duration::from_secs(590)));
        assert_eq!(churn.wait(&request("B", false), now), None);
        assert!(churn.is_news(&request("A", false).registration) && !churn.is_news(&request("A", false).registration));
        assert_eq!(churn.wait(&request("A", false), begun + Duration::from_secs(601)), None);
    }

    #[test]
    fn a_wait_is_news_again_once_the_changes_before_it_are_out_of_the_window() {
        let mut churn = Churn::new(1, Duration::from_secs(600));
        let begun = Instant::now();
        churn.changed(&request("A", false), begun);
        assert!(churn.is_news(&request("A", true).registration));
        // The list took it back: the change that was said is never made.
        churn.changed(&request("B", false), begun + Duration::from_secs(300));
        assert!(!churn.is_news(&request("A", true).registration));
        churn.changed(&request("B", true), begun + Duration::from_secs(601));
        assert!(churn.is_news(&request("A", true).registration));
    }

    #[test]
    fn registrations_of_new_connections_are_no_changes() {
        let mut churn = Churn::new(2, Duration::from_secs(600));
        let now = Instant::now();
        for _ in 0..50 {
            assert_eq!(churn.wait(&request("A", true), now), None);
            churn.changed(&request("A", true), now);
        }
    }
}
