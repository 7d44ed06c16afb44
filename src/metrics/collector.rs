//! The metrics thread's work: copy counters, gather histograms, publish both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counters::CounterValues;
use super::file::EncodedSet;
use super::histogram::{self, CollectorEnd, Latency, LatencySet, LatencySummary, StageHistogram};
use super::{EngineState, Shared};

/// How often samples are asked for unless said otherwise.
pub const PERIOD: Duration = Duration::from_millis(250);

/// Adds up what the hot threads recorded and writes the metrics file. Owned and polled by one cold thread.
///
/// A poll takes some 10 µs, each publication some 100 µs more. Between polls the thread should sleep 10 to 50 ms: that
/// is how old the counters in the file may be.
#[derive(Debug)]
pub struct Collector {
    shared: Arc<Shared>,
    stages: Vec<CollectorEnd>,
    totals: LatencySet,
    encoded: EncodedSet,
    unpublished: bool,
    period: Duration,
    due: Instant,
}

/// Everything counted and timed since the start.
#[derive(Clone, Debug)]
pub struct Totals {
    /// All samples of all threads.
    pub latencies: LatencySet,
    /// All counters of all threads.
    pub counters: CounterValues,
}

impl Totals {
    /// Quantiles of one latency.
    pub fn summary(&self, latency: Latency) -> LatencySummary {
        self.latencies.summary(latency)
    }
}

impl Collector {
    pub(super) fn new(shared: Arc<Shared>) -> Collector {
        Collector {
            shared,
            stages: Vec::new(),
            totals: LatencySet::new(),
            encoded: EncodedSet::new(),
            unpublished: false,
            period: PERIOD,
            due: Instant::now(),
        }
    }

    /// Asks for samples this often instead of each [`PERIOD`].
    pub fn set_period(&mut self, period: Duration) {
        self.period = period;
    }

    /// Makes the recorder of a hot thread (250 KiB, allocated here); its samples come with later polls.
    pub fn stage_histogram(&mut self) -> StageHistogram {
        let (stage, end) = histogram::pair();
        self.stages.push(end);
        stage
    }

    /// One cycle: copies the counters that changed to the file, takes in the samples handed over, and when the period is
    /// over asks for more. Publishes once all stages answered, at the latest a period after. Returns how much there was
    /// to do.
    pub fn poll(&mut self) -> usize {
        let work = self.shared.file.mirror(&self.shared.live) + self.collect();
        let now = Instant::now();
        let is_due = now >= self.due;
        if self.unpublished && (is_due || !self.stages.iter().any(CollectorEnd::is_waiting)) {
            self.publish();
        }
        if is_due {
            self.stages.iter_mut().for_each(CollectorEnd::request);
            self.due = now + self.period;
        }
        work
    }

    /// All samples taken in so far.
    pub fn latencies(&self) -> &LatencySet {
        &self.totals
    }

    /// Quantiles of one latency over them.
    pub fn summary(&self, latency: Latency) -> LatencySummary {
        self.totals.summary(latency)
    }

    /// Takes in and publishes the rest and marks the engine as stopped. The totals are exact when every
    /// [`StageHistogram`] was finished or dropped and every writer of counters rests.
    pub fn finish(mut self) -> Totals {
        self.collect();
        self.publish();
        self.shared.file.mirror(&self.shared.live);
        self.shared.file.set_state(EngineState::Stopped);
        let counters = self.shared.counter_values();
        Totals { latencies: self.totals, counters }
    }

    fn collect(&mut self) -> usize {
        let (totals, unpublished) = (&mut self.totals, &mut self.unpublished);
        let mut sets = 0;
        self.stages.retain_mut(|stage| {
            // Asked before collecting: what a stage left before it went is taken in now.
            let finished = stage.is_finished();
            sets += stage.collect(totals);
            !finished
        });
        *unpublished |= sets > 0;
        sets
    }

    fn publish(&mut self) {
        self.encoded.encode(&self.totals);
        self.shared.file.publish(&self.encoded);
        self.unpublished = false;
    }
}
