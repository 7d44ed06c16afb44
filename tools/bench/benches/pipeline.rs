//! The one-thread pipeline flat out with everything on, beside an idiomatic client; see `hoga_bench::pipeline`.
//!
//! `cargo bench -p hoga-bench --bench pipeline` measures; under `cargo test --benches` it runs once over few frames.

use hoga_bench::machine::Machine;
use hoga_bench::pipeline::{Parameters, run};

fn main() -> Result<(), hoga_bench::Error> {
    let bench = std::env::args().any(|argument| argument == "--bench");
    let parameters = if bench {
        Parameters { frames: 400_000, rounds: 7, seed: 20_261_123, segment_mib: 32 }
    } else {
        Parameters { frames: 4_000, rounds: 1, seed: 20_261_123, segment_mib: 1 }
    };
    println!("pipeline, one thread, {}", Machine::this());
    println!("{}", run(parameters)?);
    Ok(())
}
