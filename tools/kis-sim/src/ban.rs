//! The judge of connect loops: an app key that connects too often is blocked for a while, as the broker announced on
//! 2026-01-15 without figures.

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
}

/// What the judge remembers of each app key.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    apps: Vec<Record>,
}

#[derive(Clone, Debug, Default)]
struct Record {
    connects: VecDeque<u64>,
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
        if self.apps.len() <= app {
            self.apps.resize(app + 1, Record::default());
        }
        let record = &mut self.apps[app];
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
}
