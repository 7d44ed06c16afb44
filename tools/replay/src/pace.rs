//! The pace of a replay: open loop, from the first record's time on.

use std::str::FromStr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::control::Controls;

/// Longest sleep at a stretch: how late a pause or an end is noticed.
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// What a sleep may be late: this much before the moment, waiting is done by looking at the clock.
const SPIN: Duration = Duration::from_micros(200);

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the reader of the output takes it.
    Max,
    /// One record a step.
    Step,
    /// So many times as fast as recorded.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        match text {
            "max" => Ok(Speed::Max),
            "step" => Ok(Speed::Step),
            _ => match text.parse::<f64>() {
                Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
                _ => Err("a number above 0 (1 = as recorded, 10 = ten times as fast), max or step".to_owned()),
            },
        }
    }
}

/// Waits for the moment of each record.
#[derive(Debug)]
pub struct Pacer {
    times: f64,
    /// Time of the first record, and when it was played; moved on by pauses.
    first: Option<(u64, Instant)>,
    seen: Instant,
    late: Histogram<u64>,
}

/// How exactly records were played: how long after their moment, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lateness {
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// Worst.
    pub max_ns: u64,
}

impl Pacer {
    /// A pacer at so many times the recorded speed.
    pub fn new(times: f64) -> Pacer {
        // Three significant digits up to an hour; what is later counts as an hour.
        let late = Histogram::new_with_bounds(1, 3_600_000_000_000, 3);
        let late = late.unwrap_or_else(|_| unreachable!("the bounds are constants that a histogram can have"));
        Pacer { times, first: None, seen: Instant::now(), late }
    }

    /// Whether the moment of a record at `time` has come.
    pub fn is_due(&self, time: u64) -> bool {
        self.moment(time).is_none_or(|moment| Instant::now() >= moment)
    }

    /// Waits until the moment of a record at `time`, pauses included. `false`: the replay is to end.
    pub fn wait(&mut self, time: u64, controls: &Controls) -> bool {
        if self.first.is_none() {
            self.first = Some((time, Instant::now()));
        }
        self.seen = Instant::now();
        loop {
            let now = Instant::now();
            if controls.has_quit() {
                return false;
            }
            if controls.was_stopped() {
                // The process stood still (SIGSTOP, Ctrl-Z) since it was last here.
                self.shift(now - self.seen);
            }
            self.seen = now;
            if controls.is_paused() {
                std::thread::sleep(Duration::from_millis(5));
                self.shift(now.elapsed());
                continue;
            }
            let left = self.moment(time).map_or(Duration::ZERO, |moment| moment.saturating_duration_since(now));
            if left.is_zero() {
                break;
            }
            if left > SPIN {
                std::thread::sleep((left - SPIN).min(SLEEP_MAX));
            } else {
                std::hint::spin_loop();
            }
        }
        if let Some(moment) = self.moment(time) {
            let late = Instant::now().saturating_duration_since(moment).as_nanos();
            self.late.saturating_record(u64::try_from(late).unwrap_or(u64::MAX));
        }
        true
    }

    /// How exactly it went so far.
    pub fn lateness(&self) -> Lateness {
        Lateness {
            p50_ns: self.late.value_at_quantile(0.5),
            p99_ns: self.late.value_at_quantile(0.99),
            max_ns: self.late.max(),
        }
    }

    fn moment(&self, time: u64) -> Option<Instant> {
        let (first, at) = self.first?;
        let wait = Duration::from_nanos(time.saturating_sub(first)).as_secs_f64() / self.times;
        // A moment beyond what a clock holds never comes.
        Some(at + Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_secs(u64::from(u32::MAX))))
    }

    fn shift(&mut self, by: Duration) {
        if let Some((_, at)) = &mut self.first {
            *at += by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_positive_number_or_a_word() {
        assert_eq!("10".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
        assert_eq!(("max".parse(), "step".parse()), (Ok(Speed::Max), Ok(Speed::Step)));
        for wrong in ["0", "-1", "inf", "NaN", "fast", ""] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn records_keep_their_spacing_at_a_multiple_of_the_speed() {
        let controls = Controls::default();
        let mut pacer = Pacer::new(4.0);
        let started = Instant::now();
        for time in [1_000_000_000, 1_040_000_000, 1_040_000_000, 1_200_000_000] {
            assert!(pacer.wait(time, &controls));
        }
        assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
        assert!(pacer.is_due(1_200_000_000) && !pacer.is_due(u64::MAX));
        assert_eq!(pacer.late.len(), 4);
    }

    #[test]
    fn a_pause_moves_every_moment_on_and_an_end_ends_the_wait() {
        let controls = Controls::default();
        let mut pacer = Pacer::new(1.0);
        assert!(pacer.wait(0, &controls));
        controls.pause(true);
        let other = controls.clone();
        let resumer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            other.pause(false);
        });
        let started = Instant::now();
        assert!(pacer.wait(20_000_000, &controls));
        assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
        resumer.join().unwrap();
        controls.quit();
        assert!(!pacer.wait(u64::MAX, &controls));
    }
}
