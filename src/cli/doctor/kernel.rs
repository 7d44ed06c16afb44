//! Settings of the kernel that show in the latencies; `tuning/README.md` explains how to change and undo each.

use std::path::Path;

use super::Finding;
use super::machine::text;

/// Receive buffer that a burst of the opening wants.
const RMEM_BYTES: u64 = 4 << 20;
/// Pause between two rounds of write-back, hundredths of a second, below which journal pages are protected too often.
const WRITEBACK_CENTISECONDS: u64 = 500;
/// The most a host with a swap should be inclined to use it.
const SWAPPINESS: u64 = 10;

/// Reads below `root`, so that it can be another host's files.
pub(super) fn look(root: &Path, findings: &mut Vec<Finding>) {
    let number = |path: &str| text(root, path).parse::<u64>().ok();
    let source = text(root, "sys/devices/system/clocksource/clocksource0/current_clocksource");
    const SOURCE: &str = "kernel.clock_source";
    findings.push(match source.as_str() {
        "" => Finding::unknown(SOURCE, "it should be tsc: reading any other costs a system call"),
        "tsc" => Finding::ok(SOURCE, source),
        _ => Finding::warn(SOURCE, source, "tsc where the processor has a constant one: reading others is slower"),
    });
    for (check, path) in [
        ("kernel.huge_pages", "sys/kernel/mm/transparent_hugepage/enabled"),
        ("kernel.huge_pages_shared", "sys/kernel/mm/transparent_hugepage/shmem_enabled"),
    ] {
        let line = text(root, path);
        let chosen = line.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
        findings.push(match chosen {
            "" => Finding::unknown(check, format!("see /{path}")),
            "always" | "force" => {
                Finding::warn(check, chosen, format!("echo madvise > /{path}: compaction may stop a hot thread"))
            }
            _ => Finding::ok(check, chosen),
        });
    }
    const SWAP: &str = "kernel.swap";
    let swaps = text(root, "proc/swaps");
    findings.push(match (swaps.lines().count(), number("proc/sys/vm/swappiness")) {
        (0, _) => Finding::unknown(SWAP, "see swapon --show"),
        (1, _) => Finding::ok(SWAP, "none"),
        (_, Some(inclination)) if inclination <= SWAPPINESS => {
            Finding::ok(SWAP, format!("there, swappiness {inclination}"))
        }
        (_, inclination) => {
            let shown = inclination.map_or("unknown".to_owned(), |number| number.to_string());
            Finding::warn(
                SWAP,
                format!("there, swappiness {shown}"),
                format!("sysctl vm.swappiness={SWAPPINESS}, or swapoff"),
            )
        }
    });
    const DIRTY: &str = "kernel.write_back";
    let dirty = ["dirty_writeback_centisecs", "dirty_background_ratio", "dirty_ratio"];
    let dirty = dirty.map(|name| number(&format!("proc/sys/vm/{name}")));
    findings.push(match dirty {
        [Some(pause), Some(background), Some(most)] => {
            let found = format!("each {pause} hundredths of a second; begins at {background} %, stops writers at {most} %");
            if (1..WRITEBACK_CENTISECONDS).contains(&pause) {
                let advice = format!("sysctl vm.dirty_writeback_centisecs={WRITEBACK_CENTISECONDS}: each round protects journal pages again");
                Finding::warn(DIRTY, found, advice)
            } else {
                Finding::ok(DIRTY, found)
            }
        }
        _ => Finding::unknown(DIRTY, "see sysctl vm.dirty_writeback_centisecs vm.dirty_ratio"),
    });
    const BUFFER: &str = "network.receive_buffer";
    findings.push(match number("proc/sys/net/core/rmem_max") {
        None => Finding::unknown(BUFFER, "see sysctl net.core.rmem_max"),
        Some(most) if most < RMEM_BYTES => {
            Finding::warn(BUFFER, format!("at most {most} bytes"), format!("sysctl net.core.rmem_max={RMEM_BYTES}"))
        }
        Some(most) => Finding::ok(BUFFER, format!("at most {most} bytes")),
    });
    const POLL: &str = "network.busy_poll";
    findings.push(match number("proc/sys/net/core/busy_poll") {
        None => Finding::unknown(POLL, "see sysctl net.core.busy_poll"),
        Some(0) => Finding::new(
            super::State::Ok,
            POLL,
            "off",
            "50 spares some µs on a host with a real card, for processor time",
        ),
        Some(micros) => Finding::ok(POLL, format!("{micros} µs")),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    fn looked(files: &[(&str, &str)]) -> Vec<(String, State, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut findings = Vec::new();
        look(folder.path(), &mut findings);
        findings.into_iter().map(|finding| (finding.check, finding.state, finding.found)).collect()
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_unknown_and_never_guessed() {
        let found = looked(&[]);
        assert_eq!(found.len(), 7);
        assert!(
            found.iter().all(|(_, state, found)| (*state, found.as_str()) == (State::Warn, "unknown")),
            "{found:?}"
        );
    }

    #[test]
    fn good_settings_are_ok_and_each_bad_one_is_a_warning() {
        let good = [
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force\n"),
            ("proc/swaps", "Filename Type Size Used Priority\n"),
            ("proc/sys/vm/dirty_writeback_centisecs", "500\n"),
            ("proc/sys/vm/dirty_background_ratio", "10\n"),
            ("proc/sys/vm/dirty_ratio", "20\n"),
            ("proc/sys/net/core/rmem_max", "4194304\n"),
            ("proc/sys/net/core/busy_poll", "0\n"),
        ];
        assert!(looked(&good).iter().all(|(_, state, _)| *state == State::Ok), "{:?}", looked(&good));
        for (check, path, text) in [
            ("kernel.clock_source", good[0].0, "acpi_pm"),
            ("kernel.huge_pages", good[1].0, "[always] madvise never"),
            ("kernel.huge_pages_shared", good[2].0, "[always] within_size advise never deny force"),
            ("kernel.swap", good[3].0, "Filename\n/swapfile file 1 0 -2"),
            ("kernel.write_back", good[4].0, "100"),
            ("network.receive_buffer", good[7].0, "212992"),
        ] {
            let files = good.map(|(name, usual)| (name, if name == path { text } else { usual }));
            let bad: Vec<String> = looked(&files)
                .into_iter()
                .filter(|(_, state, _)| *state == State::Warn)
                .map(|(check, ..)| check)
                .collect();
            assert_eq!(bad, [check]);
        }
    }
}
