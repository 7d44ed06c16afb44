//! `hoga-replay`: recorded journals played again, exported for research, decoded again and served again.
//!
//! The engine knows nothing of this package; heavy libraries (Arrow, Parquet) live here.
#![deny(unsafe_code)]

pub mod bars;
pub mod cli;
pub mod control;
pub mod event;
pub mod export;
pub mod journals;
pub mod merge;
pub mod pace;
pub mod play;
pub mod reparse;
pub mod serve;
