//! Korea Investment & Securities.
pub mod rest;
pub mod session;
