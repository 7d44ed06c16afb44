//! hoga.
#![deny(unsafe_code)]

pub mod net;
pub mod sys;
