//! What keeps a line from connecting: another program that holds its app key, connects used up, no approval key to be had. And
//! where its pairs go when that lasts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::control::is_notice;
use super::backoff::{Backoff, CEILING, unit_random};
use super::ledger::Registration;
use super::line::{Line, State};
use super::manager::{Leave, SessionManager, scaled};
use super::slot::{Slot, SlotError};
use crate::clock::wall_ns;
use crate::config::Config;
use crate::tick::SessionEvent;

/// Between two looks at whether another program let go of an app key, by the wall's clock.
const SLOT_POLL: Duration = Duration::from_millis(500);
/// Between two attempts to write what has to be written before a connect, by the wall's clock.
const COUNT_AGAIN: Duration = Duration::from_secs(30);
/// Pairs of a line on which nothing has been in force for so long go to lines that live.
const HAND_OVER_AFTER: Duration = Duration::from_secs(300);
/// No line is given up sooner, however fast market time runs.
const HAND_OVER_WALL_MIN: Duration = Duration::from_secs(4);

/// What stands before one line.
#[derive(Debug)]
pub(super) struct Guard {
    slot: Arc<Slot>,
    /// Failures in a row to have an approval key: they say nothing of the WebSocket, nor it of them.
    keys: Backoff,
    /// That another program holds the app key was said.
    is_said: bool,
    /// Since when something was wanted and nothing was in force.
    dead_since: Option<Instant>,
}

impl Guard {
    pub fn new(config: &Config, line: &Line, scale: f64) -> Guard {
        let slot = Slot::of(config, &line.account.credentials.app_key, scale);
        Guard { slot: Arc::new(slot), keys: Backoff::default(), is_said: false, dead_since: None }
    }

    /// For the attempt that counts itself there.
    pub fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }

    /// Whether the next attempt is one after a failure to have an approval key.
    pub fn is_retry(&self) -> bool {
        self.keys.is_retry()
    }

    /// The wait goes on in the next process.
    pub fn leave_alone(&self, until_ns: u64) {
        if let Err(error) = self.slot.leave_alone(until_ns) {
            tracing::warn!(%error, "a wait can't be kept for the next run");
        }
    }

    /// An approval key was had, or not.
    pub fn asked_for_key(&mut self, is_there: bool) {
        if is_there {
            self.keys.succeeded();
        }
    }
}

/// The app keys of an engine that ends, until its connections are closed. Dropped, they are free for other programs.
#[derive(Debug)]
pub struct Held {
    /// With those whose session was open at the end.
    slots: Vec<(Arc<Slot>, bool)>,
}

impl Held {
    pub(super) fn of(lines: &[Line], guards: Vec<Guard>) -> Held {
        let is_open = |line: &Line| matches!(line.state, State::Subscribing | State::Live);
        Held { slots: guards.into_iter().zip(lines).map(|(guard, line)| (guard.slot, is_open(line))).collect() }
    }

    /// The connections are closed: the next start needs no wait for them.
    pub fn closed(self) {
        for (slot, _) in self.slots.iter().filter(|(_, is_open)| *is_open) {
            if let Err(error) = slot.ended_well() {
                tracing::warn!(%error, "the next start takes this end for a crash, and may wait");
            }
        }
    }
}

impl SessionManager {
    /// Whether the line may connect now; if not it waits, and that is said.
    pub(super) fn may_connect(&mut self, index: usize) -> bool {
        let (line, guard) = (&mut self.lines[index], &mut self.guards[index]);
        let account = &line.account.name;
        match guard.slot.take() {
            Ok(true) => guard.is_said = false,
            Ok(false) => {
                line.state = State::Waiting { until: Instant::now() + SLOT_POLL };
                if !std::mem::replace(&mut guard.is_said, true) {
                    tracing::warn!(
                        line = line.number,
                        account,
                        "another program on this host holds the session of this app key: waiting until it ends"
                    );
                    self.seams.cold.tell(line.number, SessionEvent::AppKeyHeld, 0, "", "");
                }
                return false;
            }
            Err(error) => return self.uncounted(index, &error),
        }
        match guard.slot.wait(wall_ns()) {
            Ok(None) => true,
            Ok(Some((wait, why))) => {
                tracing::warn!(line = line.number, account, ?wait, why, "may not connect yet");
                line.state = State::Waiting { until: Instant::now() + wait };
                self.seams.cold.tell(line.number, SessionEvent::BackingOff, wait.as_nanos() as u64, "", why);
                false
            }
            Err(error) => self.uncounted(index, &error),
        }
    }

    /// A connect that can't be counted is not made.
    fn uncounted(&mut self, index: usize, error: &SlotError) -> bool {
        let line = &mut self.lines[index];
        tracing::error!(line = line.number, account = line.account.name, "no connect: {error}");
        line.state = State::Waiting { until: Instant::now() + COUNT_AGAIN };
        let wait_ns = COUNT_AGAIN.as_nanos() as u64;
        self.seams.cold.tell(line.number, SessionEvent::BackingOff, wait_ns, "", "connects can't be counted");
        false
    }

    /// There was no approval key, and so no connect: the next attempt is after a wait of its own.
    pub(super) fn key_failed(&mut self, index: usize, why: &str, not_before: Duration) {
        let (line, guard) = (&mut self.lines[index], &mut self.guards[index]);
        // Of the wall's clock, as the keys' interval is; but for the longest.
        let scale = if not_before < CEILING { self.seams.market.scale } else { 1.0 };
        guard.keys.raise_floor(not_before.mul_f64(scale));
        let wait = scaled(guard.keys.next(unit_random()), self.seams.market);
        line.state = State::Waiting { until: Instant::now() + wait };
        tracing::info!(line = line.number, account = line.account.name, ?wait, why, "waits for an approval key");
        self.seams.cold.tell(line.number, SessionEvent::BackingOff, wait.as_nanos() as u64, "", why);
    }

    /// Pairs of lines that are kept out for long go to lines that live, the most important first.
    pub(super) fn look_at_dead_lines(&mut self, now: Instant) {
        if self.leave == Leave::WhenClosed {
            return;
        }
        let patience = scaled(HAND_OVER_AFTER, self.seams.market).max(HAND_OVER_WALL_MIN);
        for index in 0..self.lines.len() {
            let (line, guard) = (&self.lines[index], &mut self.guards[index]);
            if matches!(line.state, State::Idle) {
                guard.slot.release();
            }
            let is_out = matches!(line.state, State::Waiting { .. } | State::Barred | State::Closed);
            if line.ledger.in_force() > 0 {
                guard.dead_since = None;
                continue;
            }
            // A line that lost its pairs to others is as dead as it was, whatever a new list puts on it.
            if line.ledger.wanted() == 0 {
                continue;
            }
            let since = *guard.dead_since.get_or_insert(now);
            if is_out && now.duration_since(since) >= patience {
                self.hand_all_over(index);
            }
        }
    }

    fn hand_all_over(&mut self, from: usize) {
        let ledger = &self.lines[from].ledger;
        // Notices come on the session of their customer's app key alone.
        let mut pairs: Vec<Registration> =
            ledger.registrations().filter(|pair| !is_notice(&pair.tr_id)).cloned().collect();
        pairs.sort_by_key(|pair| u8::MAX - ledger.priority(pair));
        for pair in pairs {
            let Some(to) = self.living_with_room(from) else { break };
            if let Some(wanted) = self.lines[from].ledger.give(&pair) {
                self.give_to(from, to, wanted, "its app key is kept out");
            }
        }
        let line = &mut self.lines[from];
        if line.ledger.wanted() == 0 && matches!(line.state, State::Waiting { .. }) {
            line.state = State::Idle;
            self.show(from);
        }
    }

    /// The emptiest line with room on which something is in force.
    fn living_with_room(&self, except: usize) -> Option<usize> {
        let fits = |line: &Line| line.lives() && line.ledger.wanted() < line.ledger.room();
        let lines = self.lines.iter().enumerate().filter(|(index, line)| *index != except && fits(line));
        lines.min_by_key(|(_, line)| line.ledger.wanted()).map(|(index, _)| index)
    }
}
