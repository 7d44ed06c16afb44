//! Where the stages run: decided once at start, from the configuration and the cores the process may use.

use core_affinity::CoreId;

use crate::config::{EngineSection, Placement};

/// Cores from which `auto` gives each stage a thread of its own: three hot ones and one for everything cold.
const SPLIT_CORES_MIN: usize = 4;

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One thread a stage; otherwise all stages on one.
    pub split: bool,
    /// Core of each hot thread, in the order reader, parser, journal; `None` = not pinned.
    pub cores: [Option<usize>; 3],
    /// The decision and its reason, for people.
    pub text: String,
}

/// Decides from the configuration and the number of cores available.
pub fn plan(engine: &EngineSection, available: usize) -> Plan {
    let (split, reason) = match engine.placement {
        Placement::Fused => (false, "configured".to_owned()),
        Placement::Split => (true, "configured".to_owned()),
        Placement::Auto => {
            (available >= SPLIT_CORES_MIN, format!("auto: {available} cores, split needs {SPLIT_CORES_MIN}"))
        }
    };
    let mut cores = [None; 3];
    for (slot, core) in cores.iter_mut().zip(&engine.cores) {
        *slot = Some(*core);
    }
    let name = if split { "split" } else { "fused" };
    let pinned = match (split, cores) {
        (_, [None, None, None]) => "not pinned".to_owned(),
        (false, [core, ..]) => format!("pinned to core {}", core.unwrap_or_default()),
        (true, cores) => {
            let cores: Vec<String> =
                cores.iter().map(|core| core.map_or("any".to_owned(), |core| core.to_string())).collect();
            format!("reader, parser, journal on cores {}", cores.join(", "))
        }
    };
    Plan { split, cores, text: format!("{name} ({reason}; {pinned})") }
}

/// Cores this process may use.
pub fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Pins the calling thread; says so when the system refuses, since latency will show it.
pub fn pin(core: Option<usize>, thread: &str) {
    if let Some(id) = core
        && !core_affinity::set_for_current(CoreId { id })
    {
        tracing::warn!(thread, core = id, "the thread could not be pinned: is the core there, and allowed?");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_splits_only_where_cores_allow() {
        let engine = EngineSection::default();
        assert!(!plan(&engine, 2).split && !plan(&engine, 3).split && plan(&engine, 4).split);
        assert!(plan(&engine, 2).text.starts_with("fused (auto: 2 cores"));
    }

    #[test]
    fn the_configuration_decides_where_it_speaks() {
        let engine = EngineSection { placement: Placement::Split, cores: vec![1, 2], ..EngineSection::default() };
        let plan = plan(&engine, 1);
        assert!(plan.split);
        assert_eq!(plan.cores, [Some(1), Some(2), None]);
        assert!(plan.text.ends_with("on cores 1, 2, any)"), "{}", plan.text);
    }
}
