#!/bin/sh
# Figures of the journal, each command before its own: journal.sh [SECONDS of the paced runs]
#
# What a page of memory costs decides what a writer flat out can do. So where this may be done, the journals in memory lie
# on a tmpfs with pages of 2 MiB, seen by this script alone: see tuning/README.md. Let nothing else run.
set -eu
cd "$(dirname "$0")/../.."
if [ -z "${HOGA_BENCH_MOUNTED:-}" ] && unshare -m true 2> /dev/null; then
    exec unshare -m sh -c 'mount -t tmpfs -o huge=always none /dev/shm && HOGA_BENCH_MOUNTED=1 exec "$@"' - "$0" "$@"
fi
[ -n "${HOGA_BENCH_MOUNTED:-}" ] && echo "journals in memory: pages of 2 MiB" || echo "journals in memory: /dev/shm as it is"
seconds=${1:-60}
count=$((20000 * seconds))

measure() {
    printf '\n$ hoga-bench %s\n' "$*"
    target/release/hoga-bench "$@"
}

measure append
measure append --rate 20000 --count $count
measure append --rate 20000 --count $count --watched
measure append --rate 20000 --count $count --durability periodic:100 --disk
measure tail
measure wait
measure scan
measure recovery
TMPDIR=/dev/shm measure recovery
measure export
