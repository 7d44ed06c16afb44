//! What the figures were measured on; nothing that names the host.

use std::fmt;
use std::process::Command;

use serde::Serialize;

/// The machine beside the figures.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of the first processor.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// The compiler, if it is there.
    pub rustc: String,
}

impl Machine {
    /// Asks the system.
    #[must_use]
    pub fn this() -> Machine {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let rustc = Command::new("rustc").arg("-V").output().map(|output| output.stdout).unwrap_or_default();
        Machine {
            cpu: model.map_or("unknown", |(_, model)| model).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: kernel.trim().to_owned(),
            rustc: String::from_utf8_lossy(&rustc).trim().to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores, Linux {}, {}", self.cpu, self.cores, self.kernel, self.rustc)
    }
}
