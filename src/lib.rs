//! hoga.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod simd;
pub mod wire;
