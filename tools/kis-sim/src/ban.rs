//! The judge of loops: an app key that connects, or registers and deregisters, too often is blocked for a while, as the
//! broker announced on 2026-01-15 without figures.

use std::collections::VecDeque;

use serde::Deserialize;

/// When an app key is blocked. Seconds are of the venue's clock.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BanRules {
    /// Connects within the window that are let through; the next one is the one too many.
    pub connects: usize,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// Seconds for which the app key is blocked: its connections are reset at their first registration.
    pub for_s: f64,
    /// Subscribe and unsubscribe messages within the window that are let through. Default: as many as it likes.
    #[serde(default)]
    pub messages: Option<usize>,
}

impl BanRules {
    /// Of a venue that counts nothing, and judges pauses alone.
    pub(crate) const SPACING_ALONE: BanRules =
        BanRules { connects: usize::MAX, window_s: 600.0, for_s: 3600.0, messages: None };
}

/// What the judge remembers of each app key.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    apps: Vec<Record>,
}

#[derive(Clone, Debug, Default)]
struct Record {
    connects: VecDeque<u64>,
    messages: VecDeque<u64>,
    last_message: Option<u64>,
    /// The pause before it was too short.
    was_short: bool,
    until_ns: u64,
}

/// What became of a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Fine,
    /// It was the one too many.
    Banned,
    /// It came while the app key was blocked.
    Blocked,
}

impl Bans {
    /// An app key connects. Times in nanoseconds of the wall, already scaled.
    pub(crate) fn judge(&mut self, app: usize, connects: usize, window_ns: u64, for_ns: u64, now: u64) -> Judgement {
        let record = self.record(app);
        if now < record.until_ns {
            return Judgement::Blocked;
        }
        record.connects.retain(|at| at + window_ns > now);
        record.connects.push_back(now);
        if record.connects.len() <= connects {
            return Judgement::Fine;
        }
        record.until_ns = now + for_ns;
        Judgement::Banned
    }

    /// An app key registers or deregisters; true when the pause before was too short twice in a row. Once is the network's
    /// doing, or of a machine that reads a message late and the next one in time.
    pub(crate) fn judge_spacing(&mut self, app: usize, least_ns: u64, for_ns: u64, now: u64) -> bool {
        let record = self.record(app);
        let before = record.last_message.replace(now);
        let is_short = before.is_some_and(|before| now < before + least_ns);
        let banned = std::mem::replace(&mut record.was_short, is_short) && is_short;
        if banned {
            record.until_ns = now + for_ns;
        }
        banned
    }

    /// An app key registers or deregisters; true when it was the one too many.
    pub(crate) fn judge_message(&mut self, app: usize, most: usize, window_ns: u64, for_ns: u64, now: u64) -> bool {
        let record = self.record(app);
        record.messages.retain(|at| at + window_ns > now);
        record.messages.push_back(now);
        let banned = record.messages.len() > most;
        if banned {
            record.until_ns = now + for_ns;
        }
        banned
    }

    fn record(&mut self, app: usize) -> &mut Record {
        if self.apps.len() <= app {
            self.apps.resize(app + 1, Record::default());
        }
        &mut self.apps[app]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connect_too_many_within_the_window_is_a_ban_for_its_time_and_of_its_app_key_alone() {
        let mut bans = Bans::default();
        let mut judge = |app, now| bans.judge(app, 2, 10, 50, now);
        assert_eq!([judge(0, 0), judge(0, 9), judge(0, 11)], [Judgement::Fine; 3]);
        assert_eq!(judge(0, 12), Judgement::Banned);
        assert_eq!((judge(0, 40), judge(1, 40)), (Judgement::Blocked, Judgement::Fine));
        assert_eq!(judge(0, 62), Judgement::Fine);
    }

    #[test]
    fn two_short_pauses_of_an_app_key_in_a_row_are_a_ban() {
        let mut bans = Bans::default();
        let mut judge = |app, now| bans.judge_spacing(app, 10, 50, now);
        assert_eq!([(0, 0), (1, 1), (0, 10), (0, 19), (0, 29)].map(|(app, now)| judge(app, now)), [false; 5]);
        assert_eq!([(0, 38), (1, 40), (0, 47)].map(|(app, now)| judge(app, now)), [false, false, true]);
        assert_eq!(bans.judge(0, 9, 10, 50, 48), Judgement::Blocked);
    }

    #[test]
    fn one_message_too_many_within_the_window_is_a_ban() {
        let mut bans = Bans::default();
        let judged: Vec<bool> = [0, 5, 11, 12].map(|now| bans.judge_message(0, 2, 10, 50, now)).to_vec();
        assert_eq!(judged, [false, false, false, true]);
        assert_eq!(bans.judge(0, 9, 10, 50, 13), Judgement::Blocked);
    }
}
