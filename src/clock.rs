//! Clocks: wall time, monotonic ticks, and market time.
//!
//! - **Wall time** is `CLOCK_REALTIME` in nanoseconds since the UNIX epoch: the clock of the kernel's receive stamps. One
//!   read a socket read, no more.
//! - **Ticks** are the processor's time-stamp counter, calibrated at start; latencies between stages are tick deltas, so
//!   a step of wall time never shows up as latency.
//! - **Market time** is what the calendar, the watchdogs and the inference of dates go by: `anchor + (wall − start) ×
//!   scale`, 1:1 in production and set by demo and tests. `ts_recv` never uses it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds of wall time since the UNIX epoch.
pub fn wall_ns() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// The calibrated time-stamp counter. Cheap to copy; any thread may read it (about 10 ns).
///
/// Calibration happens once a process, at the first `new` (up to 200 ms), so make one at start.
#[derive(Clone, Debug)]
pub struct TickClock {
    counter: quanta::Clock,
}

impl TickClock {
    /// The process's counter; calibrates it at the first call.
    pub fn new() -> TickClock {
        TickClock { counter: quanta::Clock::new() }
    }

    /// The counter now.
    #[inline]
    pub fn now(&self) -> u64 {
        self.counter.raw()
    }

    /// Nanoseconds from `start` to `end`; 0 when `end` is before `start` (counters of two sockets may differ a little).
    #[inline]
    pub fn delta_ns(&self, start: u64, end: u64) -> u64 {
        self.counter.delta_as_nanos(start, end)
    }
}

impl Default for TickClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Market time: a line through an anchor. Immutable; a new anchor is a new value and a `Clock` record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarketClock {
    /// Wall time of the anchor, ns.
    pub anchor_wall_ns: u64,
    /// Market time at the anchor, ns since the UNIX epoch.
    pub anchor_market_ns: u64,
    /// Market seconds a wall second; 1 in production.
    pub scale: f64,
}

impl MarketClock {
    /// Market time is wall time.
    pub const REAL: MarketClock = MarketClock { anchor_wall_ns: 0, anchor_market_ns: 0, scale: 1.0 };

    /// Market time at a wall time, ns since the UNIX epoch.
    #[inline]
    pub fn market_ns(&self, wall_ns: u64) -> u64 {
        let since = wall_ns as i128 - self.anchor_wall_ns as i128;
        let scaled = if self.scale == 1.0 { since } else { (since as f64 * self.scale) as i128 };
        u64::try_from(self.anchor_market_ns as i128 + scaled).unwrap_or(0)
    }

    /// The scale as stored in a `Clock` record: market nanoseconds a wall second.
    pub fn scale_ppb(&self) -> u64 {
        (self.scale * 1e9).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn market_time_is_wall_time_in_production() {
        assert_eq!(MarketClock::REAL.market_ns(1_800_000_000_123_456_789), 1_800_000_000_123_456_789);
    }

    #[test]
    fn market_time_runs_at_its_scale_from_its_anchor() {
        let clock = MarketClock { anchor_wall_ns: 1_000, anchor_market_ns: 50_000, scale: 10.0 };
        assert_eq!(clock.market_ns(1_000), 50_000);
        assert_eq!(clock.market_ns(1_100), 51_000);
        assert_eq!(clock.market_ns(900), 49_000);
        assert_eq!(clock.scale_ppb(), 10_000_000_000);
    }

    #[test]
    fn ticks_never_run_backwards_as_a_duration() {
        let clock = TickClock::new();
        let start = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let elapsed = clock.delta_ns(start, clock.now());
        assert!(elapsed > 4_000_000, "{elapsed}");
        assert_eq!(clock.delta_ns(start + 1_000_000, start), 0);
    }
}
