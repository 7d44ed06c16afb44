//! Whether an engine lives, as far as its metrics file and the process table tell.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::EngineState;
use super::reader::Snapshot;

/// A heartbeat older than this is no sign of life, ns. The collector beats at each poll, some twenty times a second.
const SILENT_AFTER_NS: u64 = 3_000_000_000;

/// What to believe of an engine. Ages are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its heartbeat is fresh.
    Running,
    /// It said that it stopped, so long ago.
    Stopped {
        /// Since it said so.
        age_ns: u64,
    },
    /// Its process is there but gave no sign of life for so long: suspended, or its metrics thread starves.
    Silent {
        /// Since the last heartbeat.
        age_ns: u64,
    },
    /// Its process is gone and it did not say that it stopped: killed or crashed.
    Dead {
        /// Since the last heartbeat.
        age_ns: u64,
    },
}

impl Health {
    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Health::Running => "running",
            Health::Stopped { .. } => "stopped",
            Health::Silent { .. } => "silent",
            Health::Dead { .. } => "dead",
        }
    }

    /// Whether figures may still change.
    pub fn is_alive(self) -> bool {
        matches!(self, Health::Running | Health::Silent { .. })
    }
}

pub(super) fn judge(snapshot: &Snapshot, now_ns: u64) -> Health {
    if snapshot.state == EngineState::Stopped {
        return Health::Stopped { age_ns: now_ns.saturating_sub(snapshot.stopped_ns) };
    }
    let age_ns = now_ns.saturating_sub(snapshot.heartbeat_ns);
    let started = u32::try_from(snapshot.pid).ok().and_then(process_start_ticks);
    let is_process_there = started.is_some_and(|ticks| snapshot.pid_start == 0 || ticks == snapshot.pid_start);
    // The process table is proof only where it is the engine's: seen from another namespace the heartbeat decides.
    let is_process_gone = !is_process_there && snapshot.pid_namespace != 0 && snapshot.pid_namespace == pid_namespace();
    match age_ns < SILENT_AFTER_NS {
        _ if is_process_gone => Health::Dead { age_ns },
        true => Health::Running,
        false if is_process_there => Health::Silent { age_ns },
        false => Health::Dead { age_ns },
    }
}

/// Number of the namespace this process's ids belong to; 0 = not known.
pub(super) fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |facts| facts.ino())
}

/// When a process was started, clock ticks since boot; `None` when it is gone, a zombie, or can't be seen.
pub(super) fn process_start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; fields are counted after the last of them.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_start_time_and_no_process_has_none() {
        assert!(process_start_ticks(std::process::id()).is_some_and(|ticks| ticks > 0));
        assert_eq!(process_start_ticks(u32::MAX), None);
    }
}
