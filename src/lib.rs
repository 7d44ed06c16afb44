//! hoga records the Korean stock market off broker WebSocket feeds.
#![deny(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod feed;
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
