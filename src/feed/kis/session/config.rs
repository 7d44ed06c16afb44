//! `[kis.session]`.

use serde::{Deserialize, Serialize};

/// How sessions are watched and how often they may be begun. Seconds are of the venue's clock, which a simulation may let
/// run faster.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSection {
    /// Seconds without a message of any kind, in session hours, after which a line is closed and made anew; default 90, at
    /// least 15 (the broker asks each 10 to 14 s whether an idle client is there), 0: never.
    pub silence_s: u64,
    /// Seconds without data on a line whose pairs should tick, though it is asked whether it is there; then it is made anew, if
    /// its symbols were traded meanwhile by their volumes over REST (where there are none: if several ticked in this phase and
    /// all fell silent), the next time after twice as long, and so on; default 180, with the broker at least
    /// 60, 0: never.
    pub data_silence_s: u64,
    /// Seconds after which a pair that should tick in the present phase and doesn't is said to be silent, once; the line
    /// stays; default 300, 0: never.
    pub pair_silence_s: u64,
    /// Connects an app key may make within `connect_window_s`, over restarts of the program; default 10. The broker blocks
    /// connect loops, and doesn't say from how many on, so that with it more than 20 are refused. Behind ends that were not in
    /// order, as a crash, each next connect has to be later still. 0: any number at any pace, for simulated venues alone.
    pub connect_budget: usize,
    /// Seconds of that window; default 600, with the broker at least 60 a connect.
    pub connect_window_s: u64,
    /// Seconds in session hours after which the symbols of a line that is down are polled by REST, 30 a call, behind all
    /// other calls; default 60, 0: never. What comes are snapshots, not ticks.
    pub poll_after_s: u64,
    /// Seconds between two polls of a symbol, at best; default 10.
    pub poll_every_s: u64,
    /// Changes (withdrawals, and registrations after one) a pair may go through within `change_window_s`; beyond, they wait.
    /// Default 4, with the broker at most 20: it blocks endless subscribing and unsubscribing. 0: any number, for simulated
    /// venues alone.
    pub changes_max: usize,
    /// Seconds of that window; default 600, with the broker at least 60 a change.
    pub change_window_s: u64,
    /// Whether the calendar is held against the broker's once a day, by one call of REST; default true. The broker's mock
    /// server does not have it, and is not asked.
    pub check_calendar: bool,
}

impl Default for SessionSection {
    fn default() -> Self {
        SessionSection {
            silence_s: 90,
            data_silence_s: 180,
            pair_silence_s: 300,
            connect_budget: 10,
            connect_window_s: 600,
            poll_after_s: 60,
            poll_every_s: 10,
            changes_max: 4,
            change_window_s: 600,
            check_calendar: true,
        }
    }
}

impl SessionSection {
    /// The first value out of its range: its field, what it is, what it may be.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        if (1..15).contains(&self.silence_s) {
            let expected = "0, or at least 15: an idle line hears of the broker each 10 to 14 s";
            return Err(("kis.session.silence_s", self.silence_s.to_string(), expected));
        }
        if !(1..=86_400).contains(&self.connect_window_s) {
            return Err(("kis.session.connect_window_s", self.connect_window_s.to_string(), "1 to 86400"));
        }
        if !(1..=86_400).contains(&self.change_window_s) {
            return Err(("kis.session.change_window_s", self.change_window_s.to_string(), "1 to 86400"));
        }
        if !(1..=3_600).contains(&self.poll_every_s) {
            return Err(("kis.session.poll_every_s", self.poll_every_s.to_string(), "1 to 3600"));
        }
        Ok(())
    }
}
