//! Distributions of nanoseconds and how they are shown.

use std::fmt;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A distribution in the making, 1 ns to 100 s, three digits.
#[derive(Debug)]
pub struct Recorder(Histogram<u64>);

impl Recorder {
    /// An empty one.
    ///
    /// # Panics
    /// Never: the bounds are constants that are valid.
    #[must_use]
    pub fn new() -> Recorder {
        Recorder(Histogram::new_with_bounds(1, 100_000_000_000, 3).expect("constant bounds are valid"))
    }

    /// Adds a sample, ns.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns.max(1));
    }

    /// Its figures.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Quantiles {
            count: self.0.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            p999999: at(0.999_999),
            max: self.0.max(),
        }
    }
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

/// Figures of a distribution, ns.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Samples.
    pub count: u64,
    /// Half are at or below.
    pub p50: u64,
    /// 99 % are at or below.
    pub p99: u64,
    /// 99.9 % are at or below.
    pub p999: u64,
    /// 99.99 % are at or below.
    pub p9999: u64,
    /// 99.9999 % are at or below.
    pub p999999: u64,
    /// The largest.
    pub max: u64,
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quantiles { count, p50, p99, p999, p9999, p999999, max } = self;
        write!(
            f,
            "p50 {p50:>6}  p99 {p99:>6}  p99.9 {p999:>7}  p99.99 {p9999:>8}  p99.9999 {p999999:>9}  max {max:>10} ns  ({count})"
        )
    }
}

/// The middle of several figures.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
