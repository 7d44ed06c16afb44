//! Answers that bring the key of account notices, and those that don't.
//!
//! The key comes with the answer that takes the registration. Where that one was lost, the registration is asked for again, and
//! "already registered" brings none: in force it is of no use. So it is withdrawn and made anew, once a connection.

use super::super::control::is_notice;
use super::ledger::{Registration, Wanted};
use super::line::State;
use super::manager::SessionManager;
use super::records::shown;

/// The code of an answer with a key.
const TAKEN: &str = "OPSP0000";

/// The answers to registrations of notices on the present connection.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Their key came, or it was asked for anew.
    seen: Vec<Registration>,
    /// To be registered again once they are withdrawn.
    again: Vec<Wanted>,
}

impl SessionManager {
    /// A registration is in force by the answer with this code.
    pub(super) fn notice_in_force(&mut self, index: usize, pair: &Registration, code: &str) {
        let answers = &mut self.of_notices.answers;
        if !is_notice(&pair.tr_id) || answers.seen.contains(pair) {
            return;
        }
        answers.seen.push(pair.clone());
        if code == TAKEN {
            return;
        }
        let line = &mut self.lines[index];
        tracing::warn!(
            line = line.number,
            pair = shown(pair),
            code,
            "the answer with its key was lost: registered anew"
        );
        answers.again.extend(line.ledger.give(pair));
        if matches!(line.state, State::Live) {
            line.state = State::Subscribing;
        }
    }

    /// A registration is withdrawn.
    pub(super) fn notice_withdrawn(&mut self, index: usize, pair: &Registration) {
        let again = &mut self.of_notices.answers.again;
        if let Some(place) = again.iter().position(|wanted| wanted.registration == *pair) {
            let wanted = again.remove(place);
            self.lines[index].ledger.take(wanted);
        }
    }

    /// The connection is gone, and its keys; what was between withdrawal and registration is wanted as before.
    pub(super) fn notices_lost(&mut self, index: usize) {
        if index != self.of_notices.line {
            return;
        }
        let Answers { again, .. } = std::mem::take(&mut self.of_notices.answers);
        for wanted in again.into_iter().filter(|wanted| self.of_notices.pairs.contains(&wanted.registration)) {
            self.lines[index].ledger.take(wanted);
        }
    }
}
