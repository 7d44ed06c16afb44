//! A KIS venue on loopback, built from the broker's public protocol alone.
//!
//! [`Venue::start`] serves REST (tokens, approval keys, quotations of the day it simulates) and WebSocket (registrations, acks, PINGPONG,
//! data frames) on ports of 127.0.0.1, with a market whose figures add up and, by script, faults. What it sends is
//! counted, and on request written line by line, so that a recorder can be compared with it record by record.
//!
//! It shares no code with the engine it tests: the two check each other.
//!
//! ```no_run
//! use kis_sim::{SimConfig, Venue};
//!
//! let venue = Venue::start(SimConfig { symbols: 20, rate: 5_000.0, seconds: 8.0, ..SimConfig::default() })?;
//! println!("REST {}  WebSocket {}", venue.rest_url(), venue.ws_url());
//! let summary = venue.join();
//! println!("{} frames", summary.counts.frames_sent);
//! # Ok::<(), kis_sim::SimError>(())
//! ```
//!
//! Another source of frames than the simulated market is given to [`Venue::start_with`]: any iterator of
//! [`TimedFrame`]s through [`IterSource`].

#![forbid(unsafe_code)]

mod auth;
mod ban;
mod chaos;
mod config;
mod control;
mod delivery;
mod error;
mod event_loop;
mod fault;
mod lateness;
mod ledger;
pub mod market;
mod notices;
mod pace;
mod registration;
mod rest;
mod rng;
mod scripts;
mod session;
mod source;
mod venue;

pub use ban::BanRules;
pub use chaos::Chaos;
pub use config::{Accept, AppKey, Burst, Limits, MasterSizes, NxtBookWidth, OpenWhen, SimConfig, VenueName, Widths};
pub use error::SimError;
pub use fault::{At, CorruptPlace, Fault, FaultScript, FaultSpec, Target, TargetName};
pub use ledger::{LedgerCounts, unescape};
pub use market::SymbolInfo;
pub use notices::NoticeConfig;
pub use rest::{MasterArchive, MasterRow, MasterSet, RestCounts, RestFault, RestFaultSpec};
pub use scripts::{FaultFile, SCRIPTS, Script};
pub use source::{Demand, FrameSource, IterSource, Next, Registrations, TimedFrame};
pub use venue::{MarketAnchor, Summary, Venue};
