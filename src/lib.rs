//! hoga (호가, "quote") records the Korean stock market off broker WebSocket feeds: every tick into a memory-mapped,
//! crash-proof journal, provably complete or provably not.
//!
//! ```text
//!  socket ─► net::Reader ─► engine ─► feed::kis::Decoder ─► journal::StreamWriter ──mmap──► journal::Tailer
//!            own buffer,    raw       SIMD split, exact     sequence, CRC-32C,              any process,
//!            kernel stamps  stream    prices, continuity    commit word last                no lock, no copy
//! ```
//!
//! # The contract
//!
//! - **Nothing is lost silently.** Backpressure reaches the sender's socket; a frame that can't be read is a `Reject` record
//!   with its bytes; missing volume is a `Gap` record with the exact quantity.
//! - **Nothing is guessed.** Widths come from the frame; absent values are sentinels; a time that the feed did not give is
//!   [`tick::UNDEF_TS`].
//! - **What a reader has seen survives the death of the process.**
//! - **Latency is told, record by record**: kernel's receive stamp, read, decode, commit.
//! - **Hot code** (reader, parser, journal writer) allocates nothing, takes no lock, formats nothing.
//!
//! # Where to begin
//!
//! - Record: [`Config`](config::Config) to [`Engine::start`](engine::Engine::start).
//! - Read: [`Tailer::open`](journal::Tailer::open), then [`tick::view`] for each record.
//! - Decode alone: [`feed::kis::Decoder`].
//! - What is listed: [`Masters::load`](feed::kis::masters::Masters::load).
//! - The journal's bytes: [`journal::format`](mod@journal::format).
//!
//! ```no_run
//! use hoga::journal::{Start, Stream, Tailer};
//! use hoga::tick::{RecordView, view};
//!
//! let mut tailer = Tailer::open("journal".as_ref(), Stream::Ticks, Start::Beginning)?;
//! loop {
//!     tailer.poll(256, |record| {
//!         if let Some(RecordView::Trade(trade)) = view(record.bytes) {
//!             println!("{} {}", trade.header.instrument_id, trade.px);
//!         }
//!     })?;
//! }
//! # #[allow(unreachable_code)]
//! # Ok::<(), hoga::journal::TailError>(())
//! ```
//!
//! # Features
//!
//! - `cli` (default): the program `hoga`, and the batch downloads of `hoga fetch`.
//! - `fetch-parquet` (default): those downloads to Parquet.
//! - `demo` (default): the simulated venue inside `hoga demo`.
//!
//! # Unsafe code
//!
//! The compiler refuses it but in three places: [`simd`] (vector instructions), [`sys`] (system calls, mappings), and
//! `journal::segment` (the mapped file's commit protocol).
#![deny(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod feed;
#[cfg(feature = "cli")]
pub mod fetch;
pub mod journal;
pub mod market;
pub mod metrics;
pub mod net;
pub mod quality;
pub mod ring;
pub mod secret;
#[allow(unsafe_code)]
pub mod simd;
pub mod stage;
#[allow(unsafe_code)]
pub mod sys;
pub mod tick;
pub mod wire;
