//! The ledger of a line's registrations: what is wanted, what was asked, what the broker confirmed. No socket, no clock of
//! its own.
//!
//! One registration is asked at a time, since an error of the broker may name none: then the pending one is meant. An
//! unanswered or temporarily refused one is asked again after the others, three times in all; then after one, five, and
//! each fifteen minutes, and that is said. One that would be refused each time is given up until the next trading day. What is in force and no longer wanted is withdrawn before anything new is asked, since it holds a place.

use std::time::{Duration, Instant};

use super::super::control::is_notice;
use super::backoff::later;
use super::codes::{Reaction, reaction};

/// Longest the answer to a registration is waited for.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often one registration is asked on one connection before it is left alone for minutes.
const ATTEMPTS_MAX: u8 = 3;
/// Connections in a row that may end while one pair is pending, before it is blamed.
const STRIKES_MAX: u8 = 3;

/// A line that is lost so soon after account notices were taken is lost over them.
const SUSPECT_FOR: Duration = Duration::from_secs(5);

/// A registration: transaction and key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Registration {
    /// Transaction, e.g. `H0STCNT0`.
    pub tr_id: String,
    /// Key, e.g. a symbol.
    pub tr_key: String,
}

impl Registration {
    /// Whether an answer means this one. The key of account notices is overwritten before anybody reads the answer, and
    /// there is one a transaction.
    fn is_named(&self, tr_id: &str, tr_key: &str) -> bool {
        self.tr_id == tr_id && (self.tr_key == tr_key || is_notice(tr_id))
    }
}

/// The key of account notices names the account, and is not shown.
impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = if is_notice(&self.tr_id) { "***" } else { &self.tr_key };
        write!(f, "{} {key}", self.tr_id)
    }
}

/// A registration and how much it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What.
    pub registration: Registration,
    /// Higher is kept first.
    pub priority: u8,
}

/// What is to be sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What.
    pub registration: Registration,
    /// False: it is withdrawn.
    pub subscribe: bool,
}

/// What an answer, or the want of one, came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In force.
    InForce(Registration),
    /// Not in force any more, as we wished.
    Withdrawn(Registration),
    /// Asked again later.
    Again,
    /// Not asked again before the next trading day.
    GivenUp(Registration),
    /// Asked again on this connection, after so long.
    Postponed {
        /// Which.
        pair: Registration,
        /// How long it is left alone, by the venue's clock.
        wait: Duration,
        /// How often that was so before, on this connection.
        before: u8,
    },
    /// The line holds all it may: this pair gives way, the one asked for or a less important one.
    Shed(Registration),
    /// What is in force can't be known any more: a withdrawal goes unanswered.
    Adrift,
    /// The code is the line's, not a registration's.
    OfLine(Reaction),
    /// An answer to nothing that was asked.
    Unasked,
}

impl Outcome {
    /// Whether a registration or withdrawal was refused. What was postponed is said with its wait; an answer to nothing, as
    /// one that comes late and again, refuses nothing.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Outcome::Again | Outcome::GivenUp(_) | Outcome::Shed(_) | Outcome::Adrift)
    }
}

/// The registrations of one line.
#[derive(Debug)]
pub struct Ledger {
    /// How many the app key may hold.
    places: usize,
    /// How many the broker lets this connection hold, once it has said that there are too many.
    room: Option<usize>,
    /// How fast the venue's clock runs.
    scale: f64,
    entries: Vec<Entry>,
    pending: Option<(Request, Instant)>,
    /// Asked for on this connection; nothing is before [`begin`](Ledger::begin).
    is_open: bool,
}

#[derive(Debug)]
struct Entry {
    registration: Registration,
    priority: u8,
    is_wanted: bool,
    state: State,
    /// How often it was asked on this connection in its present direction.
    attempts: u8,
    /// How often it was postponed on this connection.
    postponed: u8,
    /// Connections in a row that ended while it was pending, or, of account notices, soon after it was taken.
    strikes: u8,
    /// When it was taken.
    taken_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    InForce,
    /// Not asked again on this connection before a place is free.
    NoPlace,
    /// Not asked again before then.
    Postponed(Instant),
    /// Not asked again before the next trading day.
    GivenUp,
}

impl Ledger {
    /// A ledger of what is wanted, of which `places` at most are in force at one time; nothing is asked before
    /// [`begin`](Self::begin). The venue's clock runs `scale` times as fast as ours.
    pub fn new(wanted: Vec<Wanted>, places: usize, scale: f64) -> Ledger {
        let mut ledger = Ledger { places, room: None, scale, entries: Vec::new(), pending: None, is_open: false };
        ledger.want(wanted);
        ledger
    }

    /// Another list: what is new will be asked, what left is withdrawn. How many came and how many left.
    pub fn want(&mut self, wanted: Vec<Wanted>) -> (usize, usize) {
        let before: Vec<bool> = self.entries.iter_mut().map(|entry| std::mem::take(&mut entry.is_wanted)).collect();
        for Wanted { registration, priority } in wanted {
            match self.entry_mut(&registration) {
                Some(entry) => (entry.is_wanted, entry.priority) = (true, priority),
                None => self.entries.push(Entry {
                    registration,
                    priority,
                    is_wanted: true,
                    state: State::Idle,
                    attempts: 0,
                    postponed: 0,
                    strikes: 0,
                    taken_at: None,
                }),
            }
        }
        let (mut added, mut removed) = (0, 0);
        let pending = self.pending.as_ref().map(|(request, _)| &request.registration);
        for (place, entry) in self.entries.iter_mut().enumerate() {
            match (before.get(place).copied().unwrap_or(false), entry.is_wanted) {
                (false, true) => {
                    added += 1;
                    // Its withdrawal went unanswered: nobody knows whether it is in force. Asked again, it is.
                    if entry.state == State::InForce && entry.attempts > 0 && pending != Some(&entry.registration) {
                        (entry.state, entry.attempts) = (State::Idle, 0);
                    }
                }
                (true, false) => {
                    removed += 1;
                    entry.attempts = 0;
                }
                _ => {}
            }
        }
        self.forget_unwanted();
        (added, removed)
    }

    /// A new connection: nothing is in force, all is to be asked.
    pub fn begin(&mut self) {
        // Its pending one was judged when the last connection was lost.
        self.pending = None;
        self.reset();
        self.is_open = true;
    }

    /// The connection is gone: nothing is in force. A pair that was pending on three connections in a row when they ended,
    /// though others were taken, is given up, and returned: the broker closes the line over it (so it does over a wrong
    /// account of notices).
    pub fn reset(&mut self) -> Option<Registration> {
        (self.is_open, self.room) = (false, None);
        let others_taken = self.in_force() > 0;
        let pending = self.pending.take().filter(|(request, _)| request.subscribe);
        let mut suspect = pending.map(|(request, _)| request.registration);
        for entry in self.entries.iter_mut().filter(|entry| entry.state == State::InForce) {
            match entry.taken_at.filter(|_| is_notice(&entry.registration.tr_id)) {
                Some(at) if at.elapsed() < SUSPECT_FOR => suspect = suspect.or(Some(entry.registration.clone())),
                _ => entry.strikes = 0,
            }
        }
        for entry in &mut self.entries {
            (entry.attempts, entry.postponed) = (0, 0);
            if entry.state != State::GivenUp {
                entry.state = State::Idle;
            }
        }
        self.forget_unwanted();
        let entry = self.entry_mut(&suspect?)?;
        entry.strikes = entry.strikes.saturating_add(1);
        if entry.strikes < STRIKES_MAX || !others_taken {
            return None;
        }
        entry.state = State::GivenUp;
        Some(entry.registration.clone())
    }

    /// Pairs wanted here.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration> {
        self.entries.iter().filter(|entry| entry.is_wanted).map(|entry| &entry.registration)
    }

    /// Pairs in force here, wanted or not, and the one that is being asked for.
    pub fn held(&self) -> impl Iterator<Item = Registration> {
        let pending = self.pending.iter().filter(|(request, _)| request.subscribe);
        let in_force = self.entries.iter().filter(|entry| entry.state == State::InForce);
        in_force.map(|entry| &entry.registration).chain(pending.map(|(request, _)| &request.registration)).cloned()
    }

    /// How many are wanted.
    pub fn wanted(&self) -> usize {
        self.entries.iter().filter(|entry| entry.is_wanted).count()
    }

    /// How many may be in force, as far as is known.
    pub fn room(&self) -> usize {
        self.room.map_or(self.places, |room| room.min(self.places))
    }

    /// How many are in force.
    pub fn in_force(&self) -> usize {
        self.entries.iter().filter(|entry| entry.state == State::InForce).count()
    }

    /// The next to send; `None` while an answer is awaited, or when there is nothing to say.
    pub fn next(&self) -> Option<Request> {
        self.due().next()
    }

    /// All that may be sent now, the most urgent first: who must not send one yet takes the one after.
    pub fn due(&self) -> impl Iterator<Item = Request> {
        let may_ask = self.pending.is_none() && self.is_open;
        let entries = || self.entries.iter().filter(move |_| may_ask);
        let withdrawn = entries().filter(|entry| !entry.is_wanted && entry.state == State::InForce);
        // What is to be withdrawn holds its place until it is.
        let is_full = self.in_force() >= self.places;
        let waits = |entry: &&Entry| entry.is_wanted && entry.state == State::Idle && !is_full;
        let mut asked: Vec<&Entry> = entries().filter(waits).collect();
        // Suspects last, then what was asked before, then by importance; else by the order of the list. Account notices
        // behind all: over a wrong account the broker closes the line.
        asked.sort_by_key(|entry| {
            (is_notice(&entry.registration.tr_id), entry.strikes, entry.attempts, u8::MAX - entry.priority)
        });
        let request = |entry: &Entry, subscribe| Request { registration: entry.registration.clone(), subscribe };
        let requests: Vec<Request> = withdrawn
            .map(|entry| request(entry, false))
            .chain(asked.into_iter().map(|entry| request(entry, true)))
            .collect();
        requests.into_iter()
    }

    /// One more pair is wanted.
    pub fn take(&mut self, wanted: Wanted) {
        let mut all = self.wanted_pairs();
        all.push(wanted);
        self.want(all);
    }

    /// A pair is not wanted here any more; how it was wanted.
    pub fn give(&mut self, pair: &Registration) -> Option<Wanted> {
        let mut all = self.wanted_pairs();
        let place = all.iter().position(|wanted| wanted.registration == *pair)?;
        let given = all.remove(place);
        self.want(all);
        Some(given)
    }

    /// Asks again what was postponed until now; whether there is such.
    pub fn wake(&mut self, now: Instant) -> bool {
        let is_due = |entry: &&mut Entry| matches!(entry.state, State::Postponed(until) if until <= now);
        let due = self.entries.iter_mut().filter(is_due).map(|entry| entry.state = State::Idle);
        due.count() > 0
    }

    /// Another trading day: what was given up, or had no place, is asked again. Account notices are not: over them the
    /// broker closes the line.
    pub fn new_day(&mut self) -> bool {
        self.room = None;
        let left_out = |entry: &&mut Entry| match entry.state {
            State::GivenUp => !is_notice(&entry.registration.tr_id),
            state => state == State::NoPlace,
        };
        let again = self.entries.iter_mut().filter(left_out).map(|entry| {
            // Who closes the line over it once more is believed at once.
            (entry.state, entry.attempts, entry.strikes) = (State::Idle, 0, entry.strikes.min(STRIKES_MAX - 1));
        });
        again.count() > 0
    }

    /// A pair is wanted, and not asked again on this connection before a place is free.
    pub fn put_off(&mut self, wanted: Wanted) {
        let pair = wanted.registration.clone();
        self.take(wanted);
        if let Some(entry) = self.entry_mut(&pair) {
            entry.state = State::NoPlace;
        }
        self.fill_places();
    }

    fn wanted_pairs(&self) -> Vec<Wanted> {
        let wanted = self.entries.iter().filter(|entry| entry.is_wanted);
        wanted.map(|entry| Wanted { registration: entry.registration.clone(), priority: entry.priority }).collect()
    }

    /// How important a pair is, wanted or still in force.
    pub fn priority(&self, pair: &Registration) -> u8 {
        self.entries.iter().find(|entry| entry.registration == *pair).map_or(0, |entry| entry.priority)
    }

    /// The one given by [`next`](Self::next) was sent.
    pub fn sent(&mut self, request: Request, now: Instant) {
        if let Some(entry) = self.entry_mut(&request.registration) {
            entry.attempts = entry.attempts.saturating_add(1);
        }
        self.pending = Some((request, now));
    }

    /// Whether nothing is left to ask and no answer is awaited.
    pub fn is_settled(&self) -> bool {
        self.pending.is_none() && self.next().is_none()
    }

    /// Gives up waiting for an answer that is overdue.
    pub fn expire(&mut self, now: Instant) -> Option<Outcome> {
        let (_, since) = self.pending.as_ref()?;
        if now.duration_since(*since) < ANSWER_TIMEOUT {
            return None;
        }
        let (request, _) = self.pending.take()?;
        Some(self.again(&request))
    }

    /// The broker answered: `tr_id` and `tr_key` as far as it named them.
    pub fn answer(&mut self, tr_id: &str, tr_key: &str, code: &str) -> Outcome {
        let meaning = reaction(code);
        if meaning.is_of_line() {
            // Where nothing was asked, nothing is refused: a line that brings data is not left over a stray message.
            let Some((request, _)) = self.pending.take() else { return Outcome::Unasked };
            // Not that registration was refused: it is asked again as if it had not been asked.
            if let Some(entry) = self.entry_mut(&request.registration) {
                entry.attempts = entry.attempts.saturating_sub(1);
            }
            self.forget_unwanted();
            return Outcome::OfLine(meaning);
        }
        let names = |registration: &Registration| registration.is_named(tr_id, tr_key);
        match self.pending.take() {
            Some((request, since)) if tr_key.is_empty() || names(&request.registration) => {
                match (request.subscribe, meaning) {
                    // The late answer to a withdrawal before it: its own is still to come.
                    (true, Reaction::Withdrawn) => {
                        self.pending = Some((request, since));
                        Outcome::Unasked
                    }
                    (true, _) => self.asked(&request, meaning),
                    (false, _) => self.withdrew(&request, meaning),
                }
            }
            pending => {
                self.pending = pending;
                self.late(tr_id, tr_key, meaning)
            }
        }
    }

    /// The answer to a registration.
    fn asked(&mut self, request: &Request, meaning: Reaction) -> Outcome {
        let registration = request.registration.clone();
        match meaning {
            Reaction::InForce => self.take_in(registration),
            Reaction::Again => self.again(request),
            Reaction::Later => self.postpone(registration),
            Reaction::Shed => self.shed(registration),
            _ => {
                if let Some(entry) = self.entry_mut(&registration) {
                    entry.state = State::GivenUp;
                }
                self.fill_places();
                Outcome::GivenUp(registration)
            }
        }
    }

    /// The answer to a withdrawal.
    fn withdrew(&mut self, request: &Request, meaning: Reaction) -> Outcome {
        if meaning != Reaction::Withdrawn {
            return self.again(request);
        }
        self.let_go(request.registration.clone())
    }

    /// An answer that is not the pending one's: a late one to what was given up waiting for.
    fn late(&mut self, tr_id: &str, tr_key: &str, meaning: Reaction) -> Outcome {
        let names = |entry: &&Entry| entry.registration.is_named(tr_id, tr_key);
        let Some(entry) = self.entries.iter().find(names) else { return Outcome::Unasked };
        let registration = entry.registration.clone();
        match (meaning, entry.state) {
            (Reaction::InForce, State::Idle | State::Postponed(_)) if entry.attempts > 0 => self.take_in(registration),
            // Wanted again meanwhile, it is asked again: that does no harm if it is in force.
            (Reaction::Withdrawn, State::InForce) => self.let_go(registration),
            _ => Outcome::Unasked,
        }
    }

    fn take_in(&mut self, registration: Registration) -> Outcome {
        if let Some(entry) = self.entry_mut(&registration) {
            (entry.state, entry.taken_at) = (State::InForce, Some(Instant::now()));
            (entry.attempts, entry.postponed) = (0, 0);
            // Over a wrong account the broker closes the line behind its answer, too.
            if !is_notice(&entry.registration.tr_id) {
                entry.strikes = 0;
            }
        }
        Outcome::InForce(registration)
    }

    fn let_go(&mut self, registration: Registration) -> Outcome {
        if let Some(entry) = self.entry_mut(&registration) {
            (entry.state, entry.attempts) = (State::Idle, 0);
        }
        self.forget_unwanted();
        self.fill_places();
        Outcome::Withdrawn(registration)
    }

    /// Places may be free: those for which there was none take what is left by those to be asked anyway.
    fn fill_places(&mut self) {
        let is_asked = |entry: &&Entry| entry.is_wanted && entry.state == State::Idle;
        let taken = self.in_force() + self.entries.iter().filter(is_asked).count();
        for _ in taken..self.room() {
            let waiting = self.entries.iter_mut().filter(|entry| entry.is_wanted && entry.state == State::NoPlace);
            // Among equals the first of the list.
            let Some(entry) = waiting.rev().max_by_key(|entry| entry.priority) else { break };
            (entry.state, entry.attempts) = (State::Idle, 0);
        }
    }

    /// Refused for now, or unanswered: asked once more after minutes.
    fn postpone(&mut self, pair: Registration) -> Outcome {
        let scale = self.scale;
        let Some(entry) = self.entry_mut(&pair) else { return Outcome::Unasked };
        let before = entry.postponed;
        let wait = later(before).div_f64(scale);
        (entry.state, entry.postponed) = (State::Postponed(Instant::now() + wait), before.saturating_add(1));
        Outcome::Postponed { pair, wait, before }
    }

    /// No room: a less important pair that is in force makes place, else the one asked for is given up.
    fn shed(&mut self, registration: Registration) -> Outcome {
        self.room = Some(self.in_force());
        let priority = self.entry_mut(&registration).map_or(0, |entry| entry.priority);
        let less = self
            .entries
            .iter_mut()
            .filter(|entry| entry.is_wanted && entry.state == State::InForce && entry.priority < priority);
        // Among equals the last of the list.
        let Some(victim) = less.rev().min_by_key(|entry| entry.priority) else {
            if let Some(entry) = self.entry_mut(&registration) {
                entry.state = State::NoPlace;
            }
            return Outcome::Shed(registration);
        };
        victim.is_wanted = false;
        victim.attempts = 0;
        let victim = victim.registration.clone();
        if let Some(entry) = self.entry_mut(&registration) {
            entry.attempts = 0;
        }
        Outcome::Shed(victim)
    }

    fn again(&mut self, request: &Request) -> Outcome {
        let Some(entry) = self.entry_mut(&request.registration) else { return Outcome::Unasked };
        if !request.subscribe && entry.is_wanted {
            // Wanted again meanwhile. Nobody knows whether it is in force; asked again, it is.
            (entry.state, entry.attempts) = (State::Idle, 0);
            return Outcome::Again;
        }
        match (entry.attempts >= ATTEMPTS_MAX, request.subscribe) {
            (false, _) => Outcome::Again,
            (true, true) => self.postpone(request.registration.clone()),
            (true, false) => Outcome::Adrift,
        }
    }

    fn entry_mut(&mut self, registration: &Registration) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.registration == *registration)
    }

    fn forget_unwanted(&mut self) {
        let pending = self.pending.as_ref().map(|(request, _)| request.registration.clone());
        self.entries.retain(|entry| {
            entry.is_wanted || entry.state == State::InForce || pending.as_ref() == Some(&entry.registration)
        });
    }
}

#[cfg(test)]
mod tests;
