//! The ledger of a line's registrations: what is wanted, what was asked, what the broker confirmed. No socket, no clock of
//! its own.
//!
//! One registration is asked at a time, since an error of the broker may name none: then the pending one is meant. An
//! unanswered or temporarily refused one is asked again after the others, three times in all; then it counts as
//! refused, and is said so.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Longest the answer to a registration is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often one registration is asked on one connection.
const ATTEMPTS_MAX: u8 = 3;

/// A registration: transaction and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Transaction, e.g. `H0STCNT0`.
    pub tr_id: String,
    /// Key, e.g. a symbol.
    pub tr_key: String,
}

/// What an answer, or the want of one, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In force.
    Confirmed,
    /// Asked again later.
    Again,
    /// Given up; by its place in [`Ledger::wanted`].
    Refused(usize),
    /// An answer to nothing that was asked.
    Unasked,
}

/// The registrations of one line.
#[derive(Debug)]
pub struct Ledger {
    wanted: Vec<Registration>,
    confirmed: Vec<bool>,
    queue: VecDeque<Turn>,
    pending: Option<(Turn, Instant)>,
}

/// A registration's place and how often it was asked.
#[derive(Clone, Copy, Debug)]
struct Turn {
    index: usize,
    attempts: u8,
}

impl Ledger {
    /// A ledger of what is wanted; nothing is queued before [`begin`](Self::begin).
    pub fn new(wanted: Vec<Registration>) -> Ledger {
        let confirmed = vec![false; wanted.len()];
        Ledger { wanted, confirmed, queue: VecDeque::new(), pending: None }
    }

    /// A new connection: nothing is confirmed, all is to be asked.
    pub fn begin(&mut self) {
        self.reset();
        self.queue.extend((0..self.wanted.len()).map(|index| Turn { index, attempts: 0 }));
    }

    /// The connection is gone: nothing is in force.
    pub fn reset(&mut self) {
        self.confirmed.fill(false);
        self.queue.clear();
        self.pending = None;
    }

    /// All that is wanted.
    pub fn wanted(&self) -> &[Registration] {
        &self.wanted
    }

    /// How many are in force.
    pub fn confirmed(&self) -> usize {
        self.confirmed.iter().filter(|confirmed| **confirmed).count()
    }

    /// The next to ask; `None` while an answer is awaited, or when all were asked.
    pub fn next(&self) -> Option<&Registration> {
        if self.pending.is_some() {
            return None;
        }
        self.queue.front().map(|turn| &self.wanted[turn.index])
    }

    /// The one given by [`next`](Self::next) was sent.
    pub fn sent(&mut self, now: Instant) {
        if let Some(turn) = self.queue.pop_front() {
            self.pending = Some((Turn { attempts: turn.attempts + 1, ..turn }, now));
        }
    }

    /// Whether every registration was confirmed or given up.
    pub fn is_settled(&self) -> bool {
        self.pending.is_none() && self.queue.is_empty()
    }

    /// Gives up waiting for an answer that is overdue.
    pub fn expire(&mut self, now: Instant) -> Option<Outcome> {
        let (turn, since) = self.pending?;
        if now.duration_since(since) < ANSWER_TIMEOUT {
            return None;
        }
        self.pending = None;
        Some(self.again(turn))
    }

    /// The broker answered: `tr_id` and `tr_key` as far as it named them.
    pub fn answer(&mut self, tr_id: &str, tr_key: &str, code: &str, active: bool) -> Outcome {
        let named = |turn: &Turn| self.wanted[turn.index].tr_id == tr_id && self.wanted[turn.index].tr_key == tr_key;
        let turn = match self.pending {
            Some((turn, _)) if tr_key.is_empty() || named(&turn) => {
                self.pending = None;
                turn
            }
            // A late answer to one that was given up waiting for.
            _ => match self.queue.iter().position(named) {
                Some(place) if active => match self.queue.remove(place) {
                    Some(turn) => turn,
                    None => return Outcome::Unasked,
                },
                _ => return Outcome::Unasked,
            },
        };
        if active {
            self.confirmed[turn.index] = true;
            return Outcome::Confirmed;
        }
        match code {
            // Internal error of the broker: later.
            "OPSP0007" => self.again(turn),
            _ => Outcome::Refused(turn.index),
        }
    }

    fn again(&mut self, turn: Turn) -> Outcome {
        if turn.attempts >= ATTEMPTS_MAX {
            return Outcome::Refused(turn.index);
        }
        self.queue.push_back(turn);
        Outcome::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(keys: &[&str]) -> Ledger {
        let wanted = keys.iter().map(|key| Registration { tr_id: "H0STCNT0".to_owned(), tr_key: (*key).to_owned() });
        let mut ledger = Ledger::new(wanted.collect());
        ledger.begin();
        ledger
    }

    fn send(ledger: &mut Ledger) -> String {
        let key = ledger.next().expect("one to ask").tr_key.clone();
        ledger.sent(Instant::now());
        key
    }

    #[test]
    fn one_is_asked_at_a_time_and_all_are_confirmed() {
        let mut ledger = ledger(&["A", "B"]);
        for key in ["A", "B"] {
            assert_eq!(send(&mut ledger), key);
            assert!(ledger.next().is_none(), "an answer is awaited");
            assert_eq!(ledger.answer("H0STCNT0", key, "OPSP0000", true), Outcome::Confirmed);
        }
        assert!(ledger.is_settled());
        assert_eq!(ledger.confirmed(), 2);
        assert_eq!(ledger.answer("H0STCNT0", "B", "OPSP0000", true), Outcome::Unasked);
        assert_eq!(ledger.confirmed(), 2, "an answer that comes twice counts once");
    }

    #[test]
    fn an_error_without_a_name_means_the_pending_one() {
        let mut ledger = ledger(&["A", "B"]);
        send(&mut ledger);
        assert_eq!(ledger.answer("", "", "OPSP8991", false), Outcome::Refused(0));
        assert_eq!(send(&mut ledger), "B");
    }

    #[test]
    fn an_internal_error_and_silence_are_asked_again_after_the_others_and_then_given_up() {
        let mut ledger = ledger(&["A", "B"]);
        assert_eq!(send(&mut ledger), "A");
        assert_eq!(ledger.answer("H0STCNT0", "A", "OPSP0007", false), Outcome::Again);
        assert_eq!(send(&mut ledger), "B");
        assert_eq!(ledger.answer("H0STCNT0", "B", "OPSP0000", true), Outcome::Confirmed);
        assert_eq!(send(&mut ledger), "A");
        assert_eq!(ledger.expire(Instant::now()), None);
        assert_eq!(ledger.expire(Instant::now() + ANSWER_TIMEOUT), Some(Outcome::Again));
        assert_eq!(send(&mut ledger), "A");
        assert_eq!(ledger.expire(Instant::now() + ANSWER_TIMEOUT), Some(Outcome::Refused(0)));
        assert!(ledger.is_settled());
    }

    #[test]
    fn a_late_answer_settles_the_registration_it_names() {
        let mut ledger = ledger(&["A", "B"]);
        send(&mut ledger);
        ledger.expire(Instant::now() + ANSWER_TIMEOUT);
        assert_eq!(send(&mut ledger), "B");
        assert_eq!(ledger.answer("H0STCNT0", "A", "OPSP0000", true), Outcome::Confirmed);
        assert_eq!(ledger.answer("H0STCNT0", "B", "OPSP0000", true), Outcome::Confirmed);
        assert!(ledger.is_settled());
        ledger.reset();
        assert_eq!(ledger.confirmed(), 0);
    }
}
