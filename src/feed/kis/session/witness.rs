//! Whether anything was traded while a line brought no data: its symbols' volumes of the day, asked for by REST.
//!
//! A line on which nothing comes is dead, or nothing happens: shares that hardly trade, a circuit breaker. The broker's
//! volumes tell the two apart. They are asked for behind all other calls, thirty symbols a call, once a line is quiet for half
//! as long as is waited for, and again each time that long has passed; what moved between the first answer and a later one was
//! traded and did not come.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError, bounded};

use super::super::rest::quotations::{POLL_SYMBOLS_MAX, Venue};
use super::super::rest::{Client, Priority};
use super::poll::{Symbol, venue};

/// Longest a call may take its turn, before the patience of backfill.
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Symbols whose volume has to have moved, where there are so many: blocks that are negotiated count in the volume of one
/// symbol and are no tick of it.
const MOVED_MIN: usize = 2;

/// What the broker's volumes say of a quiet line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Testimony {
    /// Nothing: REST has no volumes of its symbols, or gives none.
    Silent,
    /// Nothing yet.
    Awaited,
    /// Nothing was traded.
    Still,
    /// Something was traded: so much is known since then.
    Traded(Instant),
}

/// Asks, each question on a thread of its own: they are rare.
#[derive(Debug)]
pub(super) struct Witness {
    rest: Client,
    lines: HashMap<u16, Inquiry>,
}

type Volumes = HashMap<Symbol, u64>;

#[derive(Debug)]
struct Inquiry {
    /// The first answer of this quiet time.
    base: Option<Volumes>,
    told: Testimony,
    /// When the answer that is told came, or the question was put.
    at: Instant,
    answer: Option<Receiver<Option<Volumes>>>,
}

impl Witness {
    pub fn new(rest: &Client) -> Witness {
        let rest = rest.with_priority(Priority::Backfill).with_patience(CALL_PATIENCE);
        Witness { rest, lines: HashMap::new() }
    }

    /// The line is not quiet, or gone: what was asked is of no use.
    pub fn forget(&mut self, line: u16) {
        self.lines.remove(&line);
    }

    /// What is known of a quiet line; asks if it is time to. `every`: between two questions.
    pub fn look(&mut self, line: u16, symbols: impl Fn() -> Vec<Symbol>, every: Duration, now: Instant) -> Testimony {
        let rest = &self.rest;
        let inquiry = self.lines.entry(line).or_insert_with(|| Inquiry {
            base: None,
            told: Testimony::Awaited,
            at: now,
            answer: Some(ask(rest, symbols())),
        });
        if let Some(answer) = &inquiry.answer {
            match answer.try_recv() {
                Err(TryRecvError::Empty) => {}
                answered => inquiry.take(answered.ok().flatten(), now),
            }
        } else if now.duration_since(inquiry.at) >= every {
            inquiry.at = now;
            inquiry.answer = Some(ask(rest, symbols()));
        }
        inquiry.told
    }
}

impl Inquiry {
    fn take(&mut self, answer: Option<Volumes>, now: Instant) {
        (self.answer, self.at) = (None, now);
        let Some(volumes) = answer else {
            self.told = Testimony::Silent;
            return;
        };
        let base = self.base.get_or_insert_with(|| volumes.clone());
        let moved = volumes.iter().filter(|(symbol, volume)| base.get(symbol).is_some_and(|before| *volume > before));
        let enough = MOVED_MIN.min(base.len());
        self.told = if moved.count() >= enough { Testimony::Traded(now) } else { Testimony::Still };
    }
}

/// The volumes of these symbols; `None` where one can't be had.
fn ask(rest: &Client, symbols: Vec<Symbol>) -> Receiver<Option<Volumes>> {
    let (sender, receiver) = bounded(1);
    if symbols.is_empty() {
        let _ = sender.send(None);
        return receiver;
    }
    let rest = rest.clone();
    let body = move || {
        let mut volumes = Volumes::new();
        for chunk in symbols.chunks(POLL_SYMBOLS_MAX) {
            let asked: Vec<(Venue, &str)> =
                chunk.iter().map(|(publisher, symbol)| (venue(*publisher), symbol.as_str())).collect();
            match rest.poll(&asked) {
                // The broker answers in the order asked for, and with a row of zeros where it knows none.
                Ok(rows) => volumes.extend(
                    chunk
                        .iter()
                        .zip(rows)
                        .filter(|(symbol, row)| row.symbol == symbol.1 && row.px != 0)
                        .map(|(symbol, row)| (symbol.clone(), row.volume)),
                ),
                Err(error) => {
                    tracing::debug!(%error, "whether anything is traded is not known");
                    let _ = sender.send(None);
                    return;
                }
            }
        }
        let _ = sender.send((!volumes.is_empty()).then_some(volumes));
    };
    // When no thread can be made the sender is dropped, and nothing is known.
    let _ = std::thread::Builder::new().name("hoga-volumes".to_owned()).spawn(body);
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::Publisher;

    fn volumes(all: &[(&str, u64)]) -> Option<Volumes> {
        Some(all.iter().map(|(symbol, volume)| ((Publisher::KisKrx, (*symbol).to_owned()), *volume)).collect())
    }

    fn told(answers: &[Option<Volumes>]) -> Vec<bool> {
        let now = Instant::now();
        let mut inquiry = Inquiry { base: None, told: Testimony::Awaited, at: now, answer: None };
        let mut tell = |answer: &Option<Volumes>| {
            inquiry.take(answer.clone(), now);
            matches!(inquiry.told, Testimony::Traded(_))
        };
        answers.iter().map(&mut tell).collect()
    }

    #[test]
    fn what_moved_since_the_first_answer_was_traded_whenever_it_did() {
        let still = volumes(&[("A", 10), ("B", 20), ("C", 0)]);
        let one = volumes(&[("A", 11), ("B", 20), ("C", 0)]);
        let two = volumes(&[("A", 11), ("B", 20), ("C", 5)]);
        assert_eq!(told(&[still.clone(), still, one, None, two]), [false, false, false, false, true]);
        assert_eq!(told(&[volumes(&[("A", 10)]), volumes(&[("A", 11)])]), [false, true], "where there is one alone");
    }
}
