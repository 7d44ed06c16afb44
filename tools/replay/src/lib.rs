//! `hoga-replay`: recorded journals played again, exported for research, decoded again and served again.
//!
//! The engine knows nothing of this package; heavy libraries (Arrow, Parquet) live here.
#![deny(unsafe_code)]

pub mod bars;
pub mod cli;
pub mod journals;
