//! Faults at random: which, when and on whom follows from the seed and from who is connected.

use serde::Deserialize;

use crate::fault::{CorruptPlace, Fault};
use crate::rng::Rng;

/// A venue that misbehaves by itself, again and again.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    /// Wall seconds between two faults on average; each pause is between half and one and a half of it. Default 3.
    pub every_s: f64,
    /// No faults after so many wall seconds from the opening. Default: to the end.
    pub for_s: f64,
}

impl Default for Chaos {
    fn default() -> Self {
        Self { every_s: 3.0, for_s: f64::INFINITY }
    }
}

/// What the next fault is, and when.
#[derive(Debug)]
pub(crate) struct Turmoil {
    chaos: Chaos,
    rng: Rng,
    next_ns: u64,
}

impl Turmoil {
    pub(crate) fn new(chaos: Chaos, seed: u64) -> Self {
        let mut turmoil = Self { chaos, rng: Rng::new(seed ^ 0xC4A0_5C4A), next_ns: 0 };
        turmoil.next_ns = turmoil.pause();
        turmoil
    }

    fn pause(&mut self) -> u64 {
        let per_mille = self.rng.between(500, 1_500) as f64;
        (self.chaos.every_s.max(0.01) * per_mille * 1e6) as u64
    }

    /// The fault that is due at a moment from the opening, and which of the open connections it hits.
    pub(crate) fn strike(&mut self, since_ns: u64, open: &[usize]) -> Option<(usize, Fault)> {
        if since_ns < self.next_ns || since_ns as f64 > self.chaos.for_s * 1e9 {
            return None;
        }
        self.next_ns = since_ns + self.pause();
        // Whoever comes back is not struck at the door.
        if open.is_empty() {
            return None;
        }
        let slot = open[self.rng.below(open.len() as u64) as usize];
        Some((slot, self.fault()))
    }

    /// What happens to one of a new connection's answers; most connections are spared.
    pub(crate) fn answer_fault(&mut self) -> Option<(u64, Fault)> {
        let fault = match self.rng.below(8) {
            0 => Fault::LoseAck,
            1 => Fault::DelayAck { ms: self.rng.below(200) },
            2 => Fault::Refuse { code: "OPSP0007".to_owned() },
            _ => return None,
        };
        Some((1 + self.rng.below(4), fault))
    }

    fn fault(&mut self) -> Fault {
        let some = 1 + self.rng.below(20);
        match self.rng.below(22) {
            0 => Fault::CutMidFrame,
            1 => Fault::Stall { ms: 20 * some },
            2 => Fault::Drop { n: some },
            3 => Fault::Duplicate { n: 1 + some % 3 },
            4 => Fault::Corrupt { place: CorruptPlace::Header },
            5 => Fault::Corrupt { place: CorruptPlace::Digits },
            6 => Fault::Corrupt { place: CorruptPlace::Separator },
            7 => Fault::InvalidUtf8,
            8 => Fault::Oversize { bytes: some as usize * 8_192 },
            9 => Fault::Rst,
            10 => Fault::Close { code: 1001, reason: "maintenance".to_owned() },
            11 => Fault::Close { code: 1011, reason: String::new() },
            12 => Fault::WrongCount,
            13 => Fault::SlowDrip { bytes: 200, every_ms: 2, for_ms: Some(20 * some) },
            14 => Fault::Ping { payload: "are you there".to_owned() },
            15 => Fault::Fragmented { parts: 2 + some as usize % 4 },
            16 => Fault::Masked,
            17 => Fault::ReservedBits,
            18 => Fault::HalfOpen,
            19 => Fault::ExpireApprovals,
            20 => Fault::Widen { fields: 1 },
            _ => Fault::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(seed: u64) -> Vec<(u64, usize, Fault)> {
        let mut turmoil = Turmoil::new(Chaos { every_s: 2.0, for_s: 600.0 }, seed);
        let mut strikes = Vec::new();
        for second in 0..1_000_u64 {
            if let Some((slot, fault)) = turmoil.strike(second * 1_000_000_000, &[3, 5]) {
                strikes.push((second, slot, fault));
            }
        }
        strikes
    }

    #[test]
    fn one_seed_gives_one_row_of_faults_with_pauses_on_every_connection_and_of_many_kinds_until_its_end() {
        let first = strikes(1);
        assert_eq!(first, strikes(1));
        assert_ne!(first, strikes(2));
        assert!(first.len() > 150 && first.iter().all(|(second, ..)| *second <= 600));
        assert!(first.windows(2).all(|pair| pair[1].0 > pair[0].0));
        assert!([3, 5].iter().all(|slot| first.iter().any(|(_, struck, _)| struck == slot)));
        let mut kinds: Vec<String> =
            first.iter().map(|(.., fault)| format!("{:?}", std::mem::discriminant(fault))).collect();
        kinds.sort();
        kinds.dedup();
        assert!(kinds.len() >= 17, "{kinds:?}");
    }
}
