//! A line that brings no data: when that is the line's doing, and how long it is waited for.
//!
//! The wait is as configured, doubled by each time it was in vain, and never shorter than three times the longest pause the
//! line has made in this phase. What the wait is worth is the [`witness`](super::witness)' to say; where it knows nothing, all
//! pairs of a line fell silent at once or it stays: one symbol alone may be halted.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::ledger::Registration;
use super::witness::Testimony;
use crate::market::phase::Phase;

/// A line that brings no data is made anew after so many times the patience, at most; and has to bring data for so many times
/// the patience, until it is waited for as at first.
const PATIENCE_MAX: u32 = 16;
/// A pause is nothing new until it is so many times as long as the longest.
const USUAL: u32 = 3;
/// Symbols that fell silent together, where volumes are not known.
const KEYS_MIN: usize = 2;

/// The data of one line.
#[derive(Debug)]
pub(super) struct Quiet {
    data_at: Instant,
    /// Since when data came without a pause worth waiting.
    flows_since: Instant,
    patience: u32,
    pause_max: Duration,
    /// Pairs that ticked in the phase that still goes on, on this connection or one before.
    ticked: HashMap<Registration, Phase>,
    /// That nothing is traded was said.
    is_said: bool,
}

impl Quiet {
    pub fn new(now: Instant) -> Quiet {
        Quiet {
            data_at: now,
            flows_since: now,
            patience: 1,
            pause_max: Duration::ZERO,
            ticked: HashMap::new(),
            is_said: false,
        }
    }

    /// A new connection: its data has as long to come as any.
    pub fn connected(&mut self, now: Instant) {
        self.data_at = now;
    }

    /// Nothing need come now; what comes next is of another phase.
    pub fn rests(&mut self, now: Instant) {
        (self.data_at, self.pause_max) = (now, Duration::ZERO);
    }

    /// Data came.
    pub fn came(&mut self, silence: Option<Duration>, now: Instant) {
        let pause = now.duration_since(std::mem::replace(&mut self.data_at, now));
        self.pause_max = self.pause_max.max(pause);
        self.is_said = false;
        let Some(silence) = silence else { return };
        if pause >= silence {
            self.flows_since = now;
        } else if now.duration_since(self.flows_since) >= silence * PATIENCE_MAX {
            self.patience = 1;
        }
    }

    /// A pair ticked, in a phase in which it should.
    pub fn ticked(&mut self, pair: &Registration, phase: Phase) {
        if self.ticked.get(pair) != Some(&phase) {
            self.ticked.insert(pair.clone(), phase);
        }
    }

    /// Forgets what ticked in phases that are over.
    pub fn keep(&mut self, phase_of: impl Fn(&Registration) -> Option<Phase>) {
        self.ticked.retain(|pair, phase| phase_of(pair) == Some(*phase));
    }

    /// How long no data came.
    pub fn age(&self, now: Instant) -> Duration {
        now.duration_since(self.data_at)
    }

    /// Whether the line is to be made anew. `grace`: how long what was traded may be under way.
    pub fn is_dead(
        &mut self,
        line: u16,
        silence: Duration,
        testimony: Testimony,
        grace: Duration,
        now: Instant,
    ) -> bool {
        let age = self.age(now);
        if age < (silence * self.patience).max(self.pause_max * USUAL) {
            return false;
        }
        let is_dead = match testimony {
            Testimony::Traded(since) => now.duration_since(since) >= grace,
            Testimony::Silent => {
                let keys: HashSet<&str> = self.ticked.keys().map(|pair| pair.tr_key.as_str()).collect();
                keys.len() >= KEYS_MIN
            }
            Testimony::Still | Testimony::Awaited => false,
        };
        if is_dead {
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
            self.flows_since = now;
        } else if testimony == Testimony::Still && !std::mem::replace(&mut self.is_said, true) {
            tracing::info!(line, ?age, "no data; nothing is traded, and the line stays");
        }
        is_dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(180);
    const GRACE: Duration = Duration::from_secs(15);

    fn after(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    fn pair(key: &str) -> Registration {
        Registration { tr_id: "H0STCNT0".to_owned(), tr_key: key.to_owned() }
    }

    #[test]
    fn a_line_on_which_nothing_is_traded_stays_however_long_and_one_that_misses_trades_does_not() {
        let begun = Instant::now();
        let mut quiet = Quiet::new(begun);
        let traded = Testimony::Traded(after(begun, 170));
        assert!(!quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 179)));
        for testimony in [Testimony::Still, Testimony::Awaited] {
            assert!(!quiet.is_dead(1, SILENCE, testimony, GRACE, after(begun, 20_000)), "{testimony:?}");
        }
        assert!(!quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 184)), "it may be under way");
        assert!(quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 185)));
    }

    #[test]
    fn where_volumes_are_not_known_several_symbols_have_to_have_ticked_in_the_same_phase() {
        let begun = Instant::now();
        let mut quiet = Quiet::new(begun);
        let is_dead = |quiet: &mut Quiet| quiet.is_dead(1, SILENCE, Testimony::Silent, GRACE, after(begun, 400));
        assert!(!is_dead(&mut quiet));
        quiet.ticked(&pair("A"), Phase::Regular);
        quiet.ticked(&Registration { tr_id: "H0STASP0".to_owned(), ..pair("A") }, Phase::Regular);
        assert!(!is_dead(&mut quiet), "one symbol may be halted");
        quiet.ticked(&pair("B"), Phase::Regular);
        quiet.keep(|_| Some(Phase::AfterMarket));
        assert!(!is_dead(&mut quiet), "of another phase");
        for key in ["A", "B"] {
            quiet.ticked(&pair(key), Phase::AfterMarket);
        }
        assert!(is_dead(&mut quiet));
    }

    #[test]
    fn a_line_that_pauses_is_waited_for_longer_and_one_tick_does_not_end_that() {
        let begun = Instant::now();
        let mut quiet = Quiet::new(begun);
        let traded = Testimony::Traded(begun);
        assert!(quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 180)));
        quiet.connected(after(begun, 190));
        quiet.came(Some(SILENCE), after(begun, 191));
        assert!(!quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 191 + 359)), "as after no tick");
        assert!(quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 191 + 360)));
        // It flows for long: as at first.
        quiet.connected(after(begun, 600));
        for second in (600..6000).step_by(10) {
            quiet.came(Some(SILENCE), after(begun, second));
        }
        quiet.rests(after(begun, 6000));
        assert!(quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 6180)));
        // A frame each four minutes is this line's way.
        let mut quiet = Quiet::new(begun);
        for minute in (4..40).step_by(4) {
            quiet.came(Some(SILENCE), after(begun, minute * 60));
        }
        assert!(!quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 36 * 60 + 719)));
        assert!(quiet.is_dead(1, SILENCE, traded, GRACE, after(begun, 36 * 60 + 720)));
    }
}
