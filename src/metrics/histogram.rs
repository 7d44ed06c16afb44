//! Latency distributions: recorded on hot threads, added up on the metrics thread.
//!
//! A hot thread owns a [`StageHistogram`]: one live [`LatencySet`] and the ends of two rings to the collector. A second
//! set travels. While the collector holds it, the hot thread records undisturbed; when the collector wants figures it
//! sends the empty set down, and the hot thread, finding it, swaps and sends the full one up. The empty set *is* the
//! request: there is no flag beside it, nothing is ever waited for, and no sample can be lost or counted twice, because
//! each set has one owner at any time.

use std::mem;

use hdrhistogram::Histogram;
use rtrb::{Consumer, Producer, RingBuffer};

/// Smallest latency told apart from zero, ns.
pub const LATENCY_NS_MIN: u64 = 1;
/// Largest latency told, ns; larger ones are counted here.
pub const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Significant decimal digits kept: a value read back is off by less than 1 %.
pub const LATENCY_DIGITS: u8 = 2;
/// Quantiles of a [`LatencySummary`], in its order.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// Stretches of the data path that are timed. Numbers stand in the metrics file and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Latency {
    /// From the kernel's receive stamp to the return of the read. Negative ones are clamped and counted.
    KernelToRead = 0,
    /// From that return to the decoded record.
    ReadToDecoded = 1,
    /// From the decoded record to its commit in the journal.
    DecodedToCommitted = 2,
    /// The whole way: from the kernel's stamp to the commit.
    KernelToCommitted = 3,
}

impl Latency {
    /// All of them, in the order of their numbers.
    pub const ALL: [Latency; 4] =
        [Latency::KernelToRead, Latency::ReadToDecoded, Latency::DecodedToCommitted, Latency::KernelToCommitted];

    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Latency::KernelToRead => "kernel_to_read",
            Latency::ReadToDecoded => "read_to_decoded",
            Latency::DecodedToCommitted => "decoded_to_committed",
            Latency::KernelToCommitted => "kernel_to_committed",
        }
    }
}

/// One distribution per [`Latency`], nanoseconds, of fixed range and size (30 KiB each).
#[derive(Clone, Debug)]
pub struct LatencySet {
    histograms: [Histogram<u64>; Latency::ALL.len()],
}

impl LatencySet {
    /// A set without samples. The only place where its memory is allocated.
    pub fn new() -> LatencySet {
        LatencySet { histograms: std::array::from_fn(|_| empty_histogram()) }
    }

    /// Adds a sample; above [`LATENCY_NS_MAX`] it counts as that. Allocates nothing.
    #[inline]
    pub fn record(&mut self, latency: Latency, ns: u64) {
        self.histograms[latency as usize].saturating_record(ns.min(LATENCY_NS_MAX));
    }

    /// The distribution of one latency.
    pub fn histogram(&self, latency: Latency) -> &Histogram<u64> {
        &self.histograms[latency as usize]
    }

    /// Puts a distribution in the place of one latency's; `false` (and nothing done) when its range is another.
    pub(super) fn replace(&mut self, latency: Latency, histogram: Histogram<u64>) -> bool {
        let same_range = histogram.low() == LATENCY_NS_MIN
            && histogram.high() == LATENCY_NS_MAX
            && histogram.sigfig() == LATENCY_DIGITS;
        if same_range {
            self.histograms[latency as usize] = histogram;
        }
        same_range
    }

    /// Adds all samples of another set.
    pub fn add(&mut self, other: &LatencySet) {
        for (mine, theirs) in self.histograms.iter_mut().zip(&other.histograms) {
            mine.add(theirs).expect("all sets have one range");
        }
    }

    /// The samples that came after `earlier`, a former state of the same totals; `None` when it is not one (the engine
    /// was started anew).
    pub fn since(&self, earlier: &LatencySet) -> Option<LatencySet> {
        let mut rest = self.clone();
        for (mine, theirs) in rest.histograms.iter_mut().zip(&earlier.histograms) {
            mine.subtract(theirs).ok()?;
        }
        Some(rest)
    }

    /// Whether no latency has a sample.
    pub fn is_empty(&self) -> bool {
        self.histograms.iter().all(Histogram::is_empty)
    }

    /// Forgets all samples; untouched distributions cost nothing.
    pub fn reset(&mut self) {
        for histogram in self.histograms.iter_mut().filter(|histogram| !histogram.is_empty()) {
            histogram.reset();
        }
    }

    /// Quantiles of one latency.
    pub fn summary(&self, latency: Latency) -> LatencySummary {
        let histogram = self.histogram(latency);
        let mut values = histogram.value_at_quantiles(QUANTILES);
        let mut next = || values.next().unwrap_or(0);
        LatencySummary {
            p50: next(),
            p90: next(),
            p99: next(),
            p999: next(),
            max: histogram.max(),
            count: histogram.len(),
        }
    }
}

impl Default for LatencySet {
    fn default() -> LatencySet {
        LatencySet::new()
    }
}

fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, LATENCY_DIGITS).expect("constant bounds are valid")
}

/// Quantiles of a latency in nanoseconds, each the upper edge of its 1 % bucket. All zero when `count` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LatencySummary {
    /// Half of the samples are at or below.
    pub p50: u64,
    /// 90 % are at or below.
    pub p90: u64,
    /// 99 % are at or below.
    pub p99: u64,
    /// 99.9 % are at or below.
    pub p999: u64,
    /// The largest.
    pub max: u64,
    /// Number of samples.
    pub count: u64,
}

/// The hot side: one per recording thread, made by [`Collector::stage_histogram`](super::Collector::stage_histogram).
///
/// `Send`, not `Sync`. [`record`](Self::record) and [`exchange`](Self::exchange) never block and never allocate. When the
/// collector is late or gone, recording goes on into the live set. Dropping it, like [`finish`](Self::finish), hands over
/// what it holds: the collector's totals are exact after it next looks.
#[derive(Debug)]
pub struct StageHistogram {
    live: Box<LatencySet>,
    full: Producer<Box<LatencySet>>,
    empty: Consumer<Box<LatencySet>>,
}

impl StageHistogram {
    /// Adds a sample, ns; saturates at [`LATENCY_NS_MAX`].
    #[inline]
    pub fn record(&mut self, latency: Latency, ns: u64) {
        self.live.record(latency, ns);
    }

    /// Once per duty cycle: hands the samples over if the collector asked for them, and says whether it did.
    #[inline]
    pub fn exchange(&mut self) -> bool {
        match self.empty.pop() {
            Ok(empty) => {
                self.hand_over(empty);
                true
            }
            Err(_) => false,
        }
    }

    /// Hands over everything; call it when the thread stops. The same as dropping.
    pub fn finish(self) {}

    #[cold]
    #[inline(never)]
    fn hand_over(&mut self, next: Box<LatencySet>) {
        let samples = mem::replace(&mut self.live, next);
        // Two sets exist and this ring has room for two, so it is never full while the collector lives. Without one it
        // fills: then nobody will read the samples anyway.
        let _ = self.full.push(samples);
    }
}

impl Drop for StageHistogram {
    fn drop(&mut self) {
        self.hand_over(Box::default());
    }
}

/// The collector's side of a [`StageHistogram`].
#[derive(Debug)]
pub(super) struct CollectorEnd {
    full: Consumer<Box<LatencySet>>,
    empty: Producer<Box<LatencySet>>,
    /// The travelling set while it is here, without samples.
    held: Option<Box<LatencySet>>,
}

/// Makes both sides; the travelling set begins at the collector.
pub(super) fn pair() -> (StageHistogram, CollectorEnd) {
    let (full_in, full_out) = RingBuffer::new(2);
    let (empty_in, empty_out) = RingBuffer::new(1);
    let stage = StageHistogram { live: Box::default(), full: full_in, empty: empty_out };
    (stage, CollectorEnd { full: full_out, empty: empty_in, held: Some(Box::default()) })
}

impl CollectorEnd {
    /// Asks the stage for its samples by sending the empty set; does nothing while an earlier request is unanswered.
    pub(super) fn request(&mut self) {
        if let Some(set) = self.held.take() {
            // The ring holds one and there is only one: it has room.
            let _ = self.empty.push(set);
        }
    }

    /// Adds what the stage handed over to `totals` and empties it for the next request. Returns the number of sets.
    pub(super) fn collect(&mut self, totals: &mut LatencySet) -> usize {
        let mut sets = 0;
        while let Ok(mut set) = self.full.pop() {
            totals.add(&set);
            set.reset();
            self.held = Some(set);
            sets += 1;
        }
        sets
    }

    /// Whether a request is unanswered.
    pub(super) fn is_waiting(&self) -> bool {
        self.held.is_none()
    }

    /// Whether the stage is gone. Nothing more comes once this was true *before* a [`collect`](Self::collect).
    pub(super) fn is_finished(&self) -> bool {
        self.full.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_swap_under_concurrent_recording_loses_nothing() {
        const SAMPLES: u64 = 2_000_000;
        let (mut stage, mut collector) = pair();
        let done = AtomicBool::new(false);
        let mut totals = LatencySet::new();
        let mut swaps = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for sample in 0..SAMPLES {
                    stage.record(Latency::KernelToRead, sample % 1000);
                    stage.record(Latency::KernelToCommitted, 5);
                    if sample % 64 == 0 {
                        stage.exchange();
                    }
                }
                stage.finish();
                done.store(true, Ordering::Release);
            });
            while !done.load(Ordering::Acquire) {
                collector.request();
                swaps += collector.collect(&mut totals);
                thread::yield_now();
            }
        });
        assert!(collector.is_finished());
        swaps += collector.collect(&mut totals);
        assert_eq!(totals.histogram(Latency::KernelToRead).len(), SAMPLES);
        assert_eq!(totals.histogram(Latency::KernelToCommitted).len(), SAMPLES);
        assert!(totals.histogram(Latency::ReadToDecoded).is_empty());
        for value in [0, 1, 17, 255] {
            assert_eq!(totals.histogram(Latency::KernelToRead).count_at(value), SAMPLES / 1000, "value {value}");
        }
        assert!(swaps > 1, "no swap took place");
    }

    #[test]
    fn recording_goes_on_when_the_collector_is_gone() {
        let (mut stage, mut collector) = pair();
        collector.request();
        drop(collector);
        for cycle in 0..10 {
            stage.record(Latency::ReadToDecoded, cycle);
            stage.exchange();
        }
        stage.finish();
    }

    #[test]
    fn an_unanswered_request_is_not_repeated_and_a_finish_still_hands_all_over() {
        let (mut stage, mut collector) = pair();
        let mut totals = LatencySet::new();
        stage.record(Latency::ReadToDecoded, 1);
        collector.request();
        collector.request();
        assert!(collector.is_waiting());
        assert!(stage.exchange());
        assert!(!stage.exchange());
        stage.record(Latency::ReadToDecoded, 2);
        stage.finish();
        assert_eq!(collector.collect(&mut totals), 2);
        assert_eq!(totals.summary(Latency::ReadToDecoded).count, 2);
    }

    #[test]
    fn latencies_past_the_range_count_as_its_end() {
        let mut set = LatencySet::new();
        set.record(Latency::KernelToRead, u64::MAX);
        set.record(Latency::KernelToRead, 0);
        let summary = set.summary(Latency::KernelToRead);
        assert_eq!(summary.count, 2);
        assert!(summary.max >= LATENCY_NS_MAX && summary.max < LATENCY_NS_MAX / 100 * 101);
        assert_eq!(summary.p50, 0);
        set.reset();
        assert_eq!(set.summary(Latency::KernelToRead), LatencySummary::default());
    }

    #[test]
    fn the_difference_of_two_totals_is_what_came_between() {
        let mut totals = LatencySet::new();
        totals.record(Latency::KernelToRead, 10_000);
        let before = totals.clone();
        totals.record(Latency::KernelToRead, 100);
        let between = totals.since(&before).unwrap();
        assert_eq!(between.summary(Latency::KernelToRead).max, 100);
        assert_eq!(between.summary(Latency::KernelToRead).count, 1);
        assert!(before.since(&totals).is_none());
    }

    /// Goal: a figure for the page; run with `--release -- --nocapture`. No bound: machines differ.
    #[test]
    fn the_cost_of_recording_is_reported() {
        let (mut stage, _collector) = pair();
        let samples: u64 = if cfg!(debug_assertions) { 100_000 } else { 50_000_000 };
        let start = Instant::now();
        for sample in 0..samples {
            stage.record(Latency::ReadToDecoded, 100 + (sample.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54));
        }
        let record = start.elapsed();
        let start = Instant::now();
        for _ in 0..samples {
            stage.exchange();
        }
        let exchange = start.elapsed();
        let each = |total: std::time::Duration| total.as_secs_f64() * 1e9 / samples as f64;
        eprintln!("record {:.2} ns, exchange without a request {:.2} ns", each(record), each(exchange));
        assert_eq!(stage.live.histogram(Latency::ReadToDecoded).len(), samples);
    }
}
