//! hoga records the Korean stock market off broker WebSocket feeds.
#![deny(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod metrics;
pub mod sys;
pub mod tick;
