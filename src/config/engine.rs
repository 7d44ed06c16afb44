//! `[engine]`.

use serde::{Deserialize, Serialize};

use crate::stage::WaitStrategy;

/// `[engine]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSection {
    /// `fused`: reader, parser and journal on one thread, least latency for one core; `split`: a thread each, most
    /// throughput; `auto` (default): split where the process may use four cores or more.
    pub placement: Placement,
    /// What hot threads do without work: `spin`, `yield` (default) or `park`.
    pub wait: WaitStrategy,
    /// Cores to pin hot threads to, in the order reader, parser, journal; empty (default): not pinned. Name isolated cores
    /// where there are some.
    pub cores: Vec<usize>,
    /// MiB of the ring from reader to parser (split only); default 8. When it is full the reader leaves bytes in the
    /// socket.
    pub frame_ring_mib: u32,
    /// MiB of the ring from parser to journal (split only); default 8.
    pub record_ring_mib: u32,
    /// Instruments the journal can hold; default 16384. One more is rejected, and said so.
    pub max_instruments: u32,
    /// Largest message, KiB; default 1024. A larger one closes the connection with code 1009.
    pub max_message_kib: u32,
    /// Whether hot threads park while no venue subscribed to has a session or will soon, whatever `wait` says; default true.
    pub park_when_closed: bool,
    /// Seconds before a venue opens at which they wait as `wait` says again; default 300.
    pub wake_before_open_s: u64,
    /// Slots of the inbox of cold threads; default 1024. When it is full they wait
    /// a moment, then the record is left out and counted.
    pub inbox_slots: usize,
}

impl Default for EngineSection {
    fn default() -> Self {
        EngineSection {
            placement: Placement::Auto,
            wait: WaitStrategy::Yield,
            cores: Vec::new(),
            frame_ring_mib: 8,
            record_ring_mib: 8,
            max_instruments: 16_384,
            max_message_kib: 1024,
            park_when_closed: true,
            wake_before_open_s: 300,
            inbox_slots: 1024,
        }
    }
}

/// Where the stages run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// By the cores the process may use.
    #[default]
    Auto,
    /// All stages on one thread.
    Fused,
    /// One thread a stage.
    Split,
}

/// By the names of the configuration.
impl std::str::FromStr for Placement {
    type Err = serde::de::value::Error;

    fn from_str(name: &str) -> Result<Placement, Self::Err> {
        Placement::deserialize(serde::de::IntoDeserializer::into_deserializer(name))
    }
}
