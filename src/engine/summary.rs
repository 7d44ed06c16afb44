//! What a run came to.

use crate::feed::kis::session::Progress;
use crate::metrics::{Counter, CounterValues, Latency, LatencySet, LatencySummary};

/// Figures of a run; exact once the engine has ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Counters of all threads.
    pub counters: CounterValues,
    /// Latency distributions, in the order of [`Latency::ALL`].
    pub latency: [(Latency, LatencySummary); 4],
    /// Of the records journaled, those decoded again from stream `raw` when the journal was opened.
    pub recovered_records: u64,
    /// What the session manager came to; all zero while it runs.
    pub sessions: Progress,
}

pub(super) fn summary_of(counters: CounterValues, latencies: &LatencySet, sessions: Progress) -> Summary {
    let latency = Latency::ALL.map(|latency| (latency, latencies.summary(latency)));
    Summary { counters, latency, recovered_records: 0, sessions }
}

impl Summary {
    /// A counter's figure.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }
}
