//! Lateness of frames against their intended moments.

/// How late frames were, in buckets of powers of two nanoseconds.
#[derive(Debug)]
pub(crate) struct Lateness {
    buckets: [u64; 64],
    count: u64,
    /// The latest of all, ns.
    pub(crate) max: u64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self { buckets: [0; 64], count: 0, max: 0 }
    }
}

impl Lateness {
    /// Notes one.
    pub(crate) fn record(&mut self, ns: u64) {
        self.buckets[(64 - ns.leading_zeros()).min(63) as usize] += 1;
        self.count += 1;
        self.max = self.max.max(ns);
    }

    /// Upper edge of the bucket that holds a quantile.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        let rank = (self.count as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (power, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && rank > 0 {
                return (1 << power).min(self.max);
            }
        }
        0
    }
}
