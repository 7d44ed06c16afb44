//! What `hoga stat` tells, as data: two samples of the metrics file and what lies between them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::disk::{self, StreamDisk};
use crate::clock::wall_ns;
use crate::journal::{ControlReader, Stream, SyncState};
use crate::metrics::{
    ConnectionLine, Counter, CounterValues, EngineState, Health, Latency, LatencySet, LatencySummary, MetricsError,
    MetricsReader, Snapshot,
};
use crate::tick::{Findings, RejectReason};

/// Counters shown as rates.
pub(super) const RATES: [Counter; 5] = [
    Counter::FramesReceived,
    Counter::BytesReceived,
    Counter::RecordsDecoded,
    Counter::RecordsJournaled,
    Counter::RawJournaled,
];

/// The rings between stages: name, high-water mark, capacity.
pub(super) const RINGS: [(&str, Counter, Counter); 2] = [
    ("frame", Counter::FrameRingHighWaterBytes, Counter::FrameRingCapacityBytes),
    ("record", Counter::RecordRingHighWaterBytes, Counter::RecordRingCapacityBytes),
];

/// A snapshot and when it was taken.
pub(super) struct Sample {
    snapshot: Snapshot,
    health: Health,
    now_ns: u64,
}

impl Sample {
    pub(super) fn take(reader: &MetricsReader) -> Result<Sample, MetricsError> {
        let snapshot = reader.snapshot()?;
        let now_ns = wall_ns();
        Ok(Sample { health: snapshot.health(now_ns), snapshot, now_ns })
    }

    /// Whether its figures may still change.
    pub(super) fn is_alive(&self) -> bool {
        self.health.is_alive()
    }

    /// Until when the figures reach.
    fn as_of_ns(&self) -> u64 {
        match self.health {
            Health::Stopped { .. } => self.snapshot.stopped_ns,
            _ => self.snapshot.heartbeat_ns,
        }
    }
}

/// Segments of one stream.
pub(super) struct StreamFacts {
    pub(super) name: String,
    pub(super) segments: u64,
    pub(super) bytes: u64,
    /// What is on the disk for certain; `None` when the control page can't be read.
    pub(super) durable: Option<DurableFacts>,
}

/// How far a stream is durable.
pub(super) struct DurableFacts {
    /// The level it is written with.
    pub(super) durability: String,
    /// Last record that outlives the host; 0 = none.
    pub(super) sequence: u64,
    /// Last record committed, as of the writer's last batch.
    pub(super) last_sequence: u64,
    /// When the mark was moved to it, ns since the UNIX epoch; 0 = never.
    pub(super) time_ns: u64,
    /// How the syncs go, and the error of those that fail.
    pub(super) sync: SyncState,
}

impl DurableFacts {
    fn of(folder: &Path, name: &str) -> Option<DurableFacts> {
        let stream = [Stream::Ticks, Stream::Raw].into_iter().find(|stream| stream.name() == name)?;
        let page = ControlReader::open(folder, stream).ok()?.ok()?;
        let slot = page.durable();
        Some(DurableFacts {
            durability: page.durability().into(),
            sequence: slot.map_or(0, |slot| slot.sequence),
            last_sequence: page.last_sequence(),
            time_ns: slot.map_or(0, |slot| slot.time_ns),
            sync: page.sync_state(),
        })
    }

    /// The error of syncs that fail, an `errno`.
    pub(super) fn errno(&self) -> Option<i32> {
        match self.sync {
            SyncState::Retrying(errno) | SyncState::Failed(errno) => Some(errno),
            SyncState::Off | SyncState::Good => None,
        }
    }
}

/// Everything one look tells.
pub(super) struct Report {
    pub(super) folder: PathBuf,
    pub(super) health: Health,
    pub(super) now_ns: u64,
    pub(super) snapshot: Snapshot,
    /// What rates and window latencies are of, ns.
    pub(super) window_ns: u64,
    /// Whether that is all the time since the start: the engine no longer runs.
    pub(super) is_since_start: bool,
    /// A second, in the order of [`RATES`].
    pub(super) rates: [f64; RATES.len()],
    /// Latencies within the window; `None` when they can't be told.
    pub(super) window_latencies: Option<LatencySet>,
    pub(super) streams: Vec<StreamFacts>,
    pub(super) disk: Vec<StreamDisk>,
}

impl Report {
    pub(super) fn new(folder: &Path, before: &Sample, now: &Sample) -> Report {
        let is_since_start = !now.is_alive();
        let (from_ns, earlier, window_latencies) = if is_since_start {
            (now.snapshot.started_ns, CounterValues::zero(), now.snapshot.latencies.clone())
        } else {
            let latencies = match (&now.snapshot.latencies, &before.snapshot.latencies) {
                (Some(now), Some(before)) => now.since(before),
                _ => None,
            };
            (before.as_of_ns(), before.snapshot.counters.clone(), latencies)
        };
        let window_ns = now.as_of_ns().saturating_sub(from_ns);
        let rates = RATES.map(|counter| {
            let count = now.snapshot.counters.get(counter).saturating_sub(earlier.get(counter));
            if window_ns == 0 { 0.0 } else { count as f64 * 1e9 / window_ns as f64 }
        });
        Report {
            folder: folder.to_owned(),
            health: now.health,
            now_ns: now.now_ns,
            snapshot: now.snapshot.clone(),
            window_ns,
            is_since_start,
            rates,
            window_latencies,
            streams: streams(folder),
            disk: disk::look(folder),
        }
    }

    /// How long the engine has run, or ran.
    pub(super) fn uptime_ns(&self) -> u64 {
        let until = if self.health == Health::Running { self.now_ns } else { self.end_ns() };
        until.saturating_sub(self.snapshot.started_ns)
    }

    fn end_ns(&self) -> u64 {
        match self.health {
            Health::Stopped { .. } => self.snapshot.stopped_ns,
            _ => self.snapshot.heartbeat_ns,
        }
    }

    /// Reasons with at least one reject.
    pub(super) fn rejects(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |reason: &RejectReason| (reason.name(), self.snapshot.counters.rejects(*reason));
        RejectReason::ALL.iter().map(count).filter(|(_, count)| *count > 0)
    }

    /// Findings with at least one record.
    pub(super) fn findings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |(bit, name): (usize, &&'static str)| (*name, self.snapshot.counters.findings(bit));
        Findings::NAMES.iter().enumerate().map(count).filter(|(_, count)| *count > 0)
    }

    /// The report as one line of JSON. Keys of counters, states and latencies are those of the library.
    pub(super) fn to_json(&self) -> Value {
        let snapshot = &self.snapshot;
        let object = |pairs: &mut dyn Iterator<Item = (String, Value)>| Value::Object(pairs.collect::<Map<_, _>>());
        let counter = |counter: Counter| snapshot.counters.get(counter);
        let summary =
            |set: Option<&LatencySet>, latency| set.map(|set: &LatencySet| -> LatencySummary { set.summary(latency) });
        let latencies = Latency::ALL.into_iter().map(|latency| {
            let total = summary(snapshot.latencies.as_ref(), latency);
            let window = summary(self.window_latencies.as_ref(), latency);
            (latency.name().to_owned(), json!({ "total": total, "window": window }))
        });
        let rings = RINGS.into_iter().map(|(name, high_water, capacity)| {
            let (high_water, capacity) = (counter(high_water), counter(capacity));
            (name.to_owned(), json!({ "high_water_bytes": high_water, "capacity_bytes": capacity }))
        });
        let numbers = |pairs: &mut dyn Iterator<Item = (&'static str, u64)>| {
            object(&mut pairs.map(|(name, count)| (name.to_owned(), json!(count))))
        };
        json!({
            "folder": self.folder,
            "health": self.health.name(),
            "disk": disk::json(&self.disk),
            "state": state_name(snapshot.state),
            "pid": snapshot.pid,
            "now_ns": self.now_ns,
            "started_ns": snapshot.started_ns,
            "stopped_ns": present(snapshot.stopped_ns),
            "heartbeat_age_ns": self.now_ns.saturating_sub(snapshot.heartbeat_ns),
            "uptime_ns": self.uptime_ns(),
            "info": object(&mut snapshot.info.iter().map(|(key, value)| (key.clone(), json!(value)))),
            "window_ns": self.window_ns,
            "window_is_since_start": self.is_since_start,
            "rates_per_second": object(&mut RATES.iter().zip(self.rates).map(|(counter, rate)| (counter.name().to_owned(), json!(rate)))),
            "latencies_ns": object(&mut latencies.into_iter()),
            "latencies_published_ns": present(snapshot.published_ns),
            "rings": object(&mut rings.into_iter()),
            "counters": numbers(&mut Counter::ALL.iter().map(|c| (c.name(), counter(*c)))),
            "rejects_by_reason": numbers(&mut self.rejects()),
            "findings": numbers(&mut self.findings()),
            "threads": snapshot.threads.iter().map(|thread| json!({
                "name": thread.name,
                "heartbeat_ns": present(thread.heartbeat_ns),
                "is_parked": thread.values.get(Counter::StagesParked) == 1,
            })).collect::<Vec<_>>(),
            "connections": snapshot.connections.iter().map(connection_json).collect::<Vec<_>>(),
            "streams": self.streams.iter().map(|stream| json!({
                "name": stream.name, "segments": stream.segments, "bytes": stream.bytes,
                "durability": stream.durable.as_ref().map(|durable| &durable.durability),
                "durable_sequence": stream.durable.as_ref().map(|durable| durable.sequence),
                "durable_age_ns": stream.durable.as_ref().filter(|durable| durable.time_ns > 0)
                    .map(|durable| self.now_ns.saturating_sub(durable.time_ns)),
                "last_sequence": stream.durable.as_ref().map(|durable| durable.last_sequence),
                "sync_state": stream.durable.as_ref().map(|durable| durable.sync.name()),
                "sync_errno": stream.durable.as_ref().and_then(DurableFacts::errno),
            })).collect::<Vec<_>>(),
        })
    }
}

fn connection_json(line: &ConnectionLine) -> Value {
    json!({
        "line": line.line,
        "label": line.label,
        "state": line.state.map(|state| state.name()),
        "since_ns": line.since_ns,
        "registrations_wanted": line.wanted,
        "registrations_confirmed": line.confirmed,
        "reconnects": line.reconnects,
        "last_message_ns": present(line.last_message_ns),
        "frames": line.frames,
        "bytes": line.bytes,
    })
}

/// A time, or null for 0.
fn present(ns: u64) -> Option<u64> {
    (ns != 0).then_some(ns)
}

fn state_name(state: EngineState) -> &'static str {
    match state {
        EngineState::Starting => "starting",
        EngineState::Running => "running",
        EngineState::Stopped => "stopped",
    }
}

/// Streams of a journal: folders with segment files in them. What can't be read is left out.
fn streams(folder: &Path) -> Vec<StreamFacts> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut streams: Vec<StreamFacts> = entries
        .flatten()
        .filter_map(|entry| {
            let mut facts = StreamFacts {
                name: entry.file_name().to_string_lossy().into_owned(),
                segments: 0,
                bytes: 0,
                durable: None,
            };
            for file in fs::read_dir(entry.path()).ok()?.flatten() {
                let name = file.file_name();
                let name = name.to_string_lossy();
                if (name.ends_with(".seg") || name.ends_with(".seg.zst"))
                    && let Ok(meta) = file.metadata()
                {
                    facts.segments += 1;
                    facts.bytes += meta.len();
                }
            }
            facts.durable = DurableFacts::of(&entry.path(), &facts.name);
            (facts.segments > 0).then_some(facts)
        })
        .collect();
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    streams
}
