//! hoga records the Korean stock market off broker WebSocket feeds.
#![deny(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod journal;
#[allow(unsafe_code)]
pub mod simd;
#[allow(unsafe_code)]
pub mod sys;
pub mod tick;
pub mod wire;
