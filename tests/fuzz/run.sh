#!/usr/bin/env bash
# Runs every fuzz target for SECONDS each (default 60) from the seeds and what earlier runs found; fails on a fault.
# Needs a nightly compiler and a C++ compiler; `cargo install cargo-fuzz` if it is not there.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
fuzz=tests/fuzz
status=0
PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

if ! command -v c++ >/dev/null; then
  apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq g++ >/dev/null 2>&1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cargo +nightly fuzz build --fuzz-dir "$fuzz" >"$log" 2>&1; then
  tail -n 40 "$log"
  echo "fuzz: the targets don't build"
  exit 1
fi
for target in frames decode journal_open; do
  mkdir -p "$fuzz/corpus/$target"
  # Leaks are looked for at the end only: one run of the journal has threads of its own.
  cargo +nightly fuzz run --fuzz-dir "$fuzz" "$target" "$fuzz/corpus/$target" "$fuzz/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -max_len=8192 -len_control=0 -print_final_stats=1 >"$log" 2>&1
  code=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
  if [ "$code" -eq 0 ]; then
    echo "fuzz $target: clean for $seconds s, ${runs:-?} runs, ${covered:-cov: ?}"
  else
    status=1
    echo "fuzz $target: FAILED (exit $code)"
    grep -v '^#' "$log" | tail -n 60
  fi
done
exit $status
