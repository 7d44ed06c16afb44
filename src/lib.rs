//! hoga records the Korean stock market off broker WebSocket feeds.
#![deny(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod feed;
pub mod market;
pub mod quality;
#[allow(unsafe_code)]
pub mod simd;
pub mod tick;
pub mod wire;
