//! The host and this process: clock, limits, cores, priorities.

use std::collections::BTreeSet;
use std::path::Path;

use super::Finding;
use crate::cli::units::{bytes, nanos};
use crate::config::Config;
use crate::engine::placement::{available_cores, plan};
use crate::sys::clock::kernel_clock;

/// Descriptors of journal, metrics, logs; each line takes one more.
const DESCRIPTORS: u64 = 256;
/// Bound on the error of a disciplined clock from which it is worth a word, ns.
const CLOCK_ERROR_NS: u64 = 100_000_000;
/// Bit of the capability to take real-time priorities, `CAP_SYS_NICE`.
const SYS_NICE: u32 = 23;

/// Reads below `root`, so that it can be another host's files.
pub(super) fn look(root: &Path, config: Option<&Config>, findings: &mut Vec<Finding>) {
    findings.push(clock(root));
    limits(&text(root, "proc/self/limits"), config, findings);
    let status = text(root, "proc/self/status");
    findings.push(priority(&text(root, "proc/self/limits"), &status));
    cores(root, &status, config, findings);
}

/// A small file, without its last line break; empty where it can't be read.
pub(super) fn text(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).map(|text| text.trim_end().to_owned()).unwrap_or_default()
}

fn clock(root: &Path) -> Finding {
    const CHECK: &str = "clock.kernel";
    let advice = "run chrony or systemd-timesyncd: stamps in the journal are this clock's";
    match kernel_clock() {
        Ok(clock) if clock.is_synchronised => {
            let found = format!("synchronised, at most {} wrong", nanos(clock.error_ns));
            if clock.error_ns > CLOCK_ERROR_NS {
                Finding::warn(CHECK, found, advice)
            } else {
                Finding::ok(CHECK, found)
            }
        }
        // A daemon that steps the clock without telling the kernel leaves a mark of its own.
        Ok(_) if root.join("run/systemd/timesync/synchronized").exists() => {
            Finding::ok(CHECK, "synchronised, by systemd-timesyncd's own word")
        }
        Ok(_) => Finding::warn(CHECK, "not synchronised, by the kernel's word", advice),
        Err(_) => {
            Finding::unknown(CHECK, "the kernel does not say (a container?): look at the host's chronyc tracking")
        }
    }
}

/// Soft limit of a line of `/proc/self/limits`; `u64::MAX` is none.
fn limit(table: &str, name: &str) -> Option<u64> {
    let word = table.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
    if word == "unlimited" { Some(u64::MAX) } else { word.parse().ok() }
}

fn limits(table: &str, config: Option<&Config>, findings: &mut Vec<Finding>) {
    let lines = config.map_or(1, |config| config.kis.account.len() as u64);
    let shown = |value: u64, text: String| if value == u64::MAX { "unlimited".to_owned() } else { text };
    const FILES: &str = "limits.open_files";
    findings.push(match limit(table, "Max open files") {
        None => Finding::unknown(FILES, "see ulimit -n"),
        Some(files) if files < DESCRIPTORS + lines => Finding::fail(
            FILES,
            files.to_string(),
            format!("ulimit -n {}, or LimitNOFILE= of the service", 4 * DESCRIPTORS + lines),
        ),
        Some(files) => Finding::ok(FILES, shown(files, files.to_string())),
    });
    const LOCKED: &str = "limits.locked_memory";
    findings.push(match limit(table, "Max locked memory") {
        None => Finding::unknown(LOCKED, "see ulimit -l"),
        Some(locked) => Finding::ok(LOCKED, format!("{}; no memory is locked", shown(locked, bytes(locked)))),
    });
    const CORE: &str = "limits.core_file";
    findings.push(match limit(table, "Max core file size") {
        None => Finding::unknown(CORE, "see ulimit -c"),
        Some(0) => Finding::ok(CORE, "none is written"),
        Some(core) => Finding::warn(
            CORE,
            shown(core, bytes(core)),
            "a core file would hold app keys and tokens: ulimit -c 0, or LimitCORE=0 of the service",
        ),
    });
}

fn priority(limits: &str, status: &str) -> Finding {
    const CHECK: &str = "priority.realtime";
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    match (limit(limits, "Max realtime priority"), capabilities) {
        (_, Some(bits)) if bits >> SYS_NICE & 1 == 1 => Finding::ok(CHECK, "permitted (CAP_SYS_NICE)"),
        (Some(most), _) if most > 0 => Finding::ok(CHECK, format!("permitted up to {most}")),
        (Some(_), Some(_)) => Finding::warn(
            CHECK,
            "not permitted",
            "wanted only to start hoga by chrt -f: LimitRTPRIO= of the service, or ulimit -r",
        ),
        _ => Finding::unknown(CHECK, "see ulimit -r"),
    }
}

/// The cores of a list as `0-3,8`.
fn cores_of(list: &str) -> BTreeSet<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<usize>().ok()?..=last.trim().parse::<usize>().ok()?)
    };
    list.split(',').filter_map(range).flat_map(|range| range.take(1 << 16)).collect()
}

fn names(cores: impl IntoIterator<Item = usize>) -> String {
    cores.into_iter().map(|core| core.to_string()).collect::<Vec<_>>().join(", ")
}

fn cores(root: &Path, status: &str, config: Option<&Config>, findings: &mut Vec<Finding>) {
    let available = available_cores();
    let engine = config.map(|config| config.engine.clone()).unwrap_or_default();
    let placement = plan(&engine, available).text;
    findings.push(match available {
        1 => Finding::warn(
            "cores",
            format!("1 may be used: {placement}"),
            "a second one keeps everything else off the hot thread",
        ),
        _ => Finding::ok("cores", format!("{available} may be used: {placement}")),
    });
    let isolated = cores_of(&text(root, "sys/devices/system/cpu/isolated"));
    let pinned: BTreeSet<usize> = engine.cores.iter().copied().collect();
    const PINNED: &str = "cores.pinned";
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(cores_of);
    let siblings =
        |core: usize| cores_of(&text(root, &format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")));
    let shared: BTreeSet<usize> =
        pinned.iter().flat_map(|core| siblings(*core)).filter(|core| !pinned.contains(core)).collect();
    let twins = pinned.iter().any(|core| siblings(*core).iter().any(|other| other != core && pinned.contains(other)));
    let outside: Vec<usize> = allowed.iter().flat_map(|allowed| pinned.difference(allowed).copied()).collect();
    findings.push(if pinned.is_empty() {
        match isolated.len() {
            0 => Finding::ok(PINNED, "none, and none isolated"),
            _ => Finding::warn(
                PINNED,
                format!("none, isolated are {}", names(isolated)),
                "name the isolated cores in engine.cores",
            ),
        }
    } else if !outside.is_empty() {
        let advice = "name cores that are there, in engine.cores, or widen taskset, the cgroup or the container";
        Finding::fail(PINNED, format!("{} may not be used by this process", names(outside)), advice)
    } else if twins {
        let advice = "two hot threads share one core's units: name cores that are no siblings";
        Finding::warn(PINNED, format!("{}, some of them siblings", names(pinned.iter().copied())), advice)
    } else if !pinned.is_subset(&isolated) {
        let advice = "other programs may run there: isolcpus= and nohz_full= keep them off (tuning/README.md)";
        Finding::warn(PINNED, format!("{}, not isolated", names(pinned.iter().copied())), advice)
    } else if !shared.is_empty() {
        let advice = "leave the siblings of hot cores idle, or switch SMT off";
        Finding::warn(
            PINNED,
            format!("{}, whose siblings are {}", names(pinned.iter().copied()), names(shared)),
            advice,
        )
    } else {
        Finding::ok(PINNED, format!("{}, isolated, without siblings", names(pinned.iter().copied())))
    });
    const GOVERNOR: &str = "cores.governor";
    let looked: BTreeSet<usize> = if pinned.is_empty() { BTreeSet::from([0]) } else { pinned };
    let governors: BTreeSet<String> = looked
        .iter()
        .map(|core| text(root, &format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor")))
        .filter(|name| !name.is_empty())
        .collect();
    let found = governors.iter().cloned().collect::<Vec<_>>().join(", ");
    findings.push(match found.as_str() {
        "" => {
            Finding::unknown(GOVERNOR, "a guest's frequency is its host's matter; on a host: cpupower frequency-info")
        }
        "performance" => Finding::ok(GOVERNOR, found),
        _ => Finding::warn(GOVERNOR, found, "performance: cpupower frequency-set -g performance"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max core file size        unlimited            unlimited            bytes
Max open files            200                  1048576              files
Max locked memory         8388608              8388608              bytes
Max realtime priority     0                    0";

    fn find<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
        findings.iter().find(|finding| finding.check == check).unwrap()
    }

    #[test]
    fn limits_are_those_of_the_kernels_table() {
        let mut findings = Vec::new();
        limits(LIMITS, None, &mut findings);
        assert_eq!(find(&findings, "limits.open_files").state, State::Fail);
        assert!(find(&findings, "limits.core_file").advice.contains("app keys"));
        assert!(find(&findings, "limits.locked_memory").found.starts_with("8.00 MiB"));
        let mut findings = Vec::new();
        limits("", None, &mut findings);
        assert!(findings.iter().all(|finding| finding.state == State::Warn && finding.found == "unknown"));
    }

    #[test]
    fn real_time_priority_comes_from_the_limit_or_a_capability() {
        assert_eq!(priority(LIMITS, "CapEff:\t0000000000000000").state, State::Warn);
        assert_eq!(priority(LIMITS, "CapEff:\t0000000000800000").state, State::Ok);
        assert_eq!(priority("Max realtime priority     50   50", "CapEff:\t0").state, State::Ok);
        assert_eq!(priority("", "").found, "unknown");
    }

    #[test]
    fn pinned_cores_are_held_against_what_is_allowed_isolated_and_shared() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("sys/devices/system/cpu/isolated", "2-3,6-7\n");
        for (core, siblings) in [(1, "1"), (2, "2,6"), (3, "3"), (6, "2,6")] {
            put(&format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"), siblings);
            put(&format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"), "performance\n");
        }
        let mut config = Config::load(Path::new("examples/hoga.toml")).unwrap();
        let mut with = |pinned: &[usize]| {
            config.engine.cores = pinned.to_vec();
            let mut findings = Vec::new();
            cores(folder.path(), "Cpus_allowed_list:\t0-7", Some(&config), &mut findings);
            assert_eq!(
                find(&findings, "cores.governor").found,
                if pinned.is_empty() { "unknown" } else { "performance" }
            );
            let finding = find(&findings, "cores.pinned");
            (finding.state, finding.found.clone())
        };
        assert_eq!(with(&[3]).0, State::Ok);
        assert_eq!(with(&[2]), (State::Warn, "2, whose siblings are 6".to_owned()));
        assert_eq!(with(&[2, 6]), (State::Warn, "2, 6, some of them siblings".to_owned()));
        assert_eq!(with(&[1]), (State::Warn, "1, not isolated".to_owned()));
        assert_eq!(with(&[3, 9]), (State::Fail, "9 may not be used by this process".to_owned()));
        assert_eq!(with(&[]).1, "none, isolated are 2, 3, 6, 7");
    }
}
