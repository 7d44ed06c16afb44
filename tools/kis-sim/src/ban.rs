//! The judge of loops: an app key or an address that connects, or registers and deregisters, too often is blocked for a
//! while, as the broker announced on 2026-01-15 without figures.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use serde::Deserialize;

/// When an app key is blocked. Seconds are of the venue's clock.
///
/// So is an address, which may connect as often as all app keys together: what never gets as far as a registration is
/// counted there, and several programs on one host are no loop.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BanRules {
    /// Connects of an app key within the window that are let through; the next one is the one too many.
    pub connects: usize,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// Seconds for which it is blocked: connections of the app key are reset at their first message, those of the address at
    /// once.
    pub for_s: f64,
    /// Messages of an app key within the window that are let through, those that are refused included and answers to
    /// PINGPONG excluded; so many, too, of an address that name no app key. Default: as many as it likes.
    #[serde(default)]
    pub messages: Option<usize>,
}

impl BanRules {
    /// Of a venue that counts nothing, and judges pauses alone.
    pub(crate) const SPACING_ALONE: BanRules =
        BanRules { connects: usize::MAX, window_s: 600.0, for_s: 3600.0, messages: None };
}

/// Who is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// An app key by its number.
    App(usize),
    /// A client's address.
    Address(IpAddr),
}

/// What the judge remembers of each.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    records: HashMap<Who, Record>,
}

#[derive(Debug, Default)]
struct Record {
    connects: VecDeque<u64>,
    messages: VecDeque<u64>,
    last_message: Option<u64>,
    /// The pause before it was too short.
    was_short: bool,
    until_ns: u64,
}

/// What became of a connect or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Fine,
    /// It was the one too many.
    Banned,
    /// It came while its sender was blocked.
    Blocked,
}

impl Bans {
    /// Somebody connects. Times in nanoseconds of the wall, already scaled.
    pub(crate) fn judge(&mut self, who: Who, connects: usize, window_ns: u64, for_ns: u64, now: u64) -> Judgement {
        self.count(who, |record| &mut record.connects, connects, window_ns, for_ns, now)
    }

    /// Somebody registers, deregisters, or says what nobody understands.
    pub(crate) fn judge_message(&mut self, who: Who, most: usize, window_ns: u64, for_ns: u64, now: u64) -> Judgement {
        self.count(who, |record| &mut record.messages, most, window_ns, for_ns, now)
    }

    fn count(
        &mut self,
        who: Who,
        list: fn(&mut Record) -> &mut VecDeque<u64>,
        most: usize,
        window_ns: u64,
        for_ns: u64,
        now: u64,
    ) -> Judgement {
        let record = self.records.entry(who).or_default();
        if now < record.until_ns {
            return Judgement::Blocked;
        }
        let times = list(record);
        times.retain(|at| at + window_ns > now);
        times.push_back(now);
        if times.len() <= most {
            return Judgement::Fine;
        }
        record.until_ns = now + for_ns;
        Judgement::Banned
    }

    /// Somebody registers or deregisters; banned when the pause before was too short twice in a row. Once is the network's
    /// doing, or of a machine that reads a message late and the next one in time.
    pub(crate) fn judge_spacing(&mut self, who: Who, least_ns: u64, for_ns: u64, now: u64) -> Judgement {
        let record = self.records.entry(who).or_default();
        let before = record.last_message.replace(now);
        let is_short = before.is_some_and(|before| now < before + least_ns);
        if !(std::mem::replace(&mut record.was_short, is_short) && is_short) {
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
        let mut judge = |app, now| bans.judge(Who::App(app), 2, 10, 50, now);
        assert_eq!([judge(0, 0), judge(0, 9), judge(0, 11)], [Judgement::Fine; 3]);
        assert_eq!(judge(0, 12), Judgement::Banned);
        assert_eq!((judge(0, 40), judge(1, 40)), (Judgement::Blocked, Judgement::Fine));
        assert_eq!(judge(0, 62), Judgement::Fine);
    }

    #[test]
    fn two_short_pauses_of_an_app_key_in_a_row_are_a_ban() {
        let mut bans = Bans::default();
        let mut judge = |app, now| bans.judge_spacing(Who::App(app), 10, 50, now);
        let fine = Judgement::Fine;
        assert_eq!([(0, 0), (1, 1), (0, 10), (0, 19), (0, 29)].map(|(app, now)| judge(app, now)), [fine; 5]);
        assert_eq!([(0, 38), (1, 40), (0, 47)].map(|(app, now)| judge(app, now)), [fine, fine, Judgement::Banned]);
        assert_eq!(bans.judge(Who::App(0), 9, 10, 50, 48), Judgement::Blocked);
    }

    #[test]
    fn one_message_too_many_within_the_window_is_a_ban() {
        let mut bans = Bans::default();
        let mut judge = |now| bans.judge_message(Who::App(0), 2, 10, 50, now);
        assert_eq!([judge(0), judge(5), judge(11)], [Judgement::Fine; 3]);
        assert_eq!((judge(12), judge(13)), (Judgement::Banned, Judgement::Blocked));
        assert_eq!(bans.judge(Who::App(0), 9, 10, 50, 13), Judgement::Blocked);
    }

    #[test]
    fn an_address_is_judged_apart_from_its_app_keys() {
        let mut bans = Bans::default();
        let [here, there] = [1, 2].map(|last| Who::Address(IpAddr::from([127, 0, 0, last])));
        assert_eq!(bans.judge(here, 0, 10, 50, 0), Judgement::Banned);
        assert_eq!(bans.judge(there, 1, 10, 50, 1), Judgement::Fine);
        assert_eq!(bans.judge(Who::App(0), 1, 10, 50, 1), Judgement::Fine);
    }
}
