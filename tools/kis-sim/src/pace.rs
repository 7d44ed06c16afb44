//! The open-loop schedule: the intended moment of each frame follows from its number alone, never from how long the
//! frames before it took.

use crate::config::Burst;

/// Intended moments of `total` frames between `start_ns` and `end_ns`, with at most one faster stretch.
#[derive(Clone, Debug)]
pub struct Schedule {
    start_ns: f64,
    /// Frames per nanosecond outside the burst and inside it.
    slow: f64,
    fast: f64,
    burst_start_ns: f64,
    burst_end_ns: f64,
}

impl Schedule {
    /// Spreads `total` frames over the time. The burst begins at `burst_ns`, moved so that it ends inside the run.
    pub fn new(total: f64, start_ns: f64, end_ns: f64, burst: Burst, burst_ns: f64) -> Self {
        let span = (end_ns - start_ns).max(1.0);
        let even = total / span;
        match burst {
            Burst::Opening { factor, share } => {
                let burst_start_ns = burst_ns.clamp(start_ns, (end_ns - share * span).max(start_ns));
                let slow = even * (1.0 - factor * share) / (1.0 - share);
                let burst_end_ns = burst_start_ns + share * span;
                Self { start_ns, slow, fast: even * factor, burst_start_ns, burst_end_ns }
            }
            Burst::None => Self { start_ns, slow: even, fast: even, burst_start_ns: start_ns, burst_end_ns: start_ns },
        }
    }

    /// The moment of frame `index`, counted from 0; beyond the last frame the pace goes on past the end.
    pub fn at(&self, index: u64) -> u64 {
        let index = index as f64;
        let before = self.slow * (self.burst_start_ns - self.start_ns);
        let inside = self.fast * (self.burst_end_ns - self.burst_start_ns);
        let at = if index < before {
            self.start_ns + index / self.slow
        } else if index < before + inside {
            self.burst_start_ns + (index - before) / self.fast
        } else {
            self.burst_end_ns + (index - before - inside) / self.slow.max(1e-18)
        };
        at as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: f64 = 1e9;

    #[test]
    fn an_even_run_is_evenly_spaced() {
        let s = Schedule::new(1000.0, 0.0, SECOND, Burst::None, 0.0);
        assert_eq!((s.at(0), s.at(1), s.at(999)), (0, 1_000_000, 999_000_000));
        assert!(s.at(1000) >= 1_000_000_000);
    }

    #[test]
    fn a_burst_is_ten_times_as_fast_and_keeps_the_average() {
        let s = Schedule::new(10_000.0, 0.0, 10.0 * SECOND, Burst::Opening { factor: 10.0, share: 0.05 }, 2.0 * SECOND);
        let within = |from: f64, to: f64| (0..10_000).filter(|i| (from..to).contains(&(s.at(*i) as f64))).count();
        assert_eq!(within(2.0 * SECOND, 2.5 * SECOND), 5000);
        assert_eq!(within(0.0, 10.0 * SECOND), 10_000);
        assert!((0..9_999).all(|i| s.at(i) <= s.at(i + 1)));
    }
}
