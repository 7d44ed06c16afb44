//! What the data path tells the session manager: answers of the broker through a bounded queue, lost lines through a
//! count a line, which can't be full. An answer that finds no room is as one that never came: the manager asks again. A
//! loss that went missing would leave its line dead for good.

use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam::queue::ArrayQueue;

/// Answers that may wait for the session manager.
const ANSWER_SLOTS: usize = 4096;

/// An answer of the broker to a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Connection.
    pub line: u16,
    /// Transaction, as far as the broker named it.
    pub tr_id: String,
    /// Key, as far as the broker named it.
    pub tr_key: String,
    /// Message code, e.g. `OPSP0000`.
    pub code: String,
    /// Text, for logs; secrets are gone from it.
    pub text: String,
}

/// The way from the data path, one thread, to the session manager, another.
#[derive(Debug)]
pub struct Notices {
    answers: ArrayQueue<Answered>,
    /// How often each line was lost, by number.
    losses: Box<[AtomicU32]>,
}

impl Notices {
    /// For lines numbered from 1.
    pub fn new(lines: u16) -> Notices {
        Notices::with_slots(lines, ANSWER_SLOTS)
    }

    fn with_slots(lines: u16, slots: usize) -> Notices {
        let losses = (0..=lines).map(|_| AtomicU32::new(0)).collect();
        Notices { answers: ArrayQueue::new(slots), losses }
    }

    /// The broker answered. A full queue means that the manager is far behind; it asks again after its own timeout.
    pub fn answered(&self, answer: Answered) {
        let _ = self.answers.push(answer);
    }

    /// The connection is gone.
    pub fn lost(&self, line: u16) {
        if let Some(losses) = self.losses.get(usize::from(line)) {
            // Release: pairs with the Acquire of `losses`; the answers of the connection were pushed before.
            losses.fetch_add(1, Ordering::Release);
        }
    }

    /// The next answer.
    pub fn next_answer(&self) -> Option<Answered> {
        self.answers.pop()
    }

    /// How often the line was lost so far, wrapping. To be asked before its answers are taken: then those of a connection
    /// that is gone are among them.
    pub fn losses(&self, line: u16) -> u32 {
        self.losses.get(usize::from(line)).map_or(0, |losses| losses.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_of_answers_hides_no_loss() {
        let notices = Notices::with_slots(2, 1);
        let answer = |line| Answered {
            line,
            tr_id: String::new(),
            tr_key: String::new(),
            code: String::new(),
            text: String::new(),
        };
        notices.answered(answer(1));
        notices.answered(answer(2));
        notices.lost(2);
        notices.lost(2);
        notices.lost(7);
        assert_eq!((notices.losses(1), notices.losses(2), notices.losses(7)), (0, 2, 0));
        assert_eq!(notices.next_answer(), Some(answer(1)));
        assert_eq!(notices.next_answer(), None, "the second found no room");
    }
}
