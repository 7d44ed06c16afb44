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
    /// Seconds without data on a line whose pairs should tick, though it is asked whether it is there; then it is made anew,
    /// the second time in a row after twice as long, and so on; default 180, 0: never.
    pub data_silence_s: u64,
    /// Seconds after which a pair that should tick in the present phase and doesn't is said to be silent, once; the line
    /// stays; default 300, 0: never.
    pub pair_silence_s: u64,
    /// Connects an app key may make within `connect_window_s`, over restarts of the program; default 10. The broker blocks
    /// connect loops, and doesn't say from how many on. 0: any number, for simulated venues alone.
    pub connect_budget: usize,
    /// Seconds of that window; default 600.
    pub connect_window_s: u64,
}

impl Default for SessionSection {
    fn default() -> Self {
        SessionSection {
            silence_s: 90,
            data_silence_s: 180,
            pair_silence_s: 300,
            connect_budget: 10,
            connect_window_s: 600,
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
        Ok(())
    }
}
