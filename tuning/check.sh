#!/usr/bin/env bash
# Reads (never changes) what matters to a low-latency process on this machine; one line a knob: what it is, what is better.
# tuning/README.md explains each and how to change and undo it.
set -u

say() { printf '%-34s %-26s %s\n' "$1" "$2" "$3"; }
read_or() { [ -r "$1" ] && tr '\n' ' ' <"$1" 2>/dev/null | sed 's/ *$//' || printf '%s' "$2"; }

say "knob" "now" "better"
say "processors" "$(nproc)" "4 or more: a core a stage and one for the rest"
say "isolated cores (isolcpus)" "$(read_or /sys/devices/system/cpu/isolated none)" "the cores named in engine.cores"
say "full tickless cores (nohz_full)" "$(read_or /sys/devices/system/cpu/nohz_full none)" "the same cores"
say "frequency governor" "$(read_or /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 'not controllable')" "performance"
say "deepest idle state" "$(cat /sys/devices/system/cpu/cpu0/cpuidle/state*/name 2>/dev/null | tail -n 1 | grep . || echo 'not controllable')" "C1 on hot cores"
say "hyper-threads (smt)" "$(read_or /sys/devices/system/cpu/smt/control unknown)" "off, or the sibling of a hot core left idle"
say "clock source" "$(read_or /sys/devices/system/clocksource/clocksource0/current_clocksource unknown)" "tsc"
say "transparent huge pages" "$(read_or /sys/kernel/mm/transparent_hugepage/enabled unknown)" "madvise or never: no compaction in the hot path"
say "swappiness" "$(read_or /proc/sys/vm/swappiness unknown)" "0 to 10"
say "dirty write-back (centisecs)" "$(read_or /proc/sys/vm/dirty_writeback_centisecs unknown)" "500 or more: write-back protects journal pages again"
say "socket busy poll (us)" "$(read_or /proc/sys/net/core/busy_poll unknown)" "50 on hosts with a real network card"
say "largest receive buffer (bytes)" "$(read_or /proc/sys/net/core/rmem_max unknown)" "4194304 or more"
say "clock synchronised" "$(timedatectl show -p NTPSynchronized --value 2>/dev/null || echo unknown)" "yes: ts_recv is this host's clock"
