# The list of commands; `just` shows it.
default:
    @just --list

# What must hold before a change lands, without the tests
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# All tests
test:
    cargo test --workspace

# All tests, and a failure where a tool is absent that one of them needs
test-all:
    HOGA_ALL=1 cargo test --workspace --no-fail-fast

# All tests that need longer: a minute of demo against its ledger, many kills
test-long:
    HOGA_LONG=1 cargo test --release --workspace

# The promises of the journal, in full: a thousand kills, thousands of power losses, damage, readers that must agree
torture:
    HOGA_LONG=1 cargo test --release -p hoga \
        --test journal_crash --test journal_power_loss --test journal_stress --test journal_repair \
        --test journal_recover --test journal_durability --test journal_full_disk --test journal_retention \
        --test journal_seal --test journal_seek --test journal_cases --test engine_disk
    HOGA_LONG=1 cargo test --release -p hoga-capi --test three_readers
    HOGA_LONG=1 cargo test --release -p hoga-replay --tests

# An hour of a venue that misbehaves at random; every record must be accounted for at the end
soak SECONDS="3600":
    HOGA_SOAK_SECONDS={{SECONDS}} cargo test --release -p hoga --test soak -- --nocapture

# Simulated trading days through the engine at 1:100, some nine minutes: an ordinary one, an exam's, a year's first, a holiday
trading-day:
    HOGA_LONG=1 cargo test --release -p hoga --test trading_day -- --test-threads 8

# Every interleaving of the commit protocol
loom:
    cargo test -p hoga --lib journal::commit

# Figures of the journal beside their baselines; nothing else may run
bench-journal SECONDS="60":
    cargo build --release -p hoga-bench
    tools/bench/journal.sh {{SECONDS}}

# The simulated market through the engine; `just demo --seconds 60 --rate 20000 --symbols 200 --burst`
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Fuzz every target, 10 minutes each unless told otherwise
fuzz SECONDS="600":
    tests/fuzz/run.sh {{SECONDS}}

# Criterion benches, each beside its slow twin
bench *ARGS:
    cargo bench --workspace {{ARGS}}

# Licences, bans, sources of the dependencies
deny:
    cargo deny check bans licenses sources

# How close REST comes to the allowed rate without a refusal; nothing else may run
rest-rate:
    cargo test --release -p hoga --test rest_limits -- --ignored --nocapture

# What this machine offers a low-latency process; changes nothing
tuning:
    tuning/check.sh

# What CI runs
ci:
    .ci/run
