//! Measurements of the whole path, each beside a baseline in the same run: machines wander, so only ratios within a run
//! mean anything.
//!
//! - [`frames`]: the market the clients read, from a seed.
//! - [`baseline`]: the client most programs are: tokio-tungstenite, `split`, serde, `BufWriter`.
//! - [`pipeline`]: both flat out over the same bytes in memory.
//! - [`loopback`]: both behind a socket, under an open-loop sender in another process.
//! - [`append`]: one record into the journal, beside a `BufWriter` and beside nothing at all.
//! - [`tail`]: from an append to a tailer in another process, beside a bare cache line and a pipe.
//! - [`wait`]: the same by each way of waiting for a record, and what it costs of a processor.
//! - [`scan`]: a whole journal read warm, beside a `BufReader`.
//! - [`recovery`]: a journal opened after a death, beside reading it once.
//! - [`masters`]: the broker's lists of instruments, beside decoding them whole and beside touching every byte.

#![forbid(unsafe_code)]

pub mod append;
pub mod baseline;
pub mod export;
pub mod frames;
pub mod loopback;
pub mod machine;
pub mod masters;
pub mod pipeline;
pub mod quantiles;
pub mod recovery;
pub mod scan;
pub mod tail;
pub mod wait;

/// What a measurement may fail with: any cold error, told to the user.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A scratch folder in memory where there is such a place, so that a disk is no part of the figures.
///
/// # Errors
/// When no folder can be made.
pub fn scratch() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}
