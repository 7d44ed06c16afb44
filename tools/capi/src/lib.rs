//! The journal's reader for C and C++: `include/hoga.h`, `libhoga.a`, `libhoga.so`.
//!
//! The header is generated from this crate and from the records of `hoga::tick` by `tests/header.rs`, which fails when
//! the committed one is not what it would write (`HOGA_UPDATE_HEADER=1` writes it). So a fresh clone has the header, and
//! a build needs no generator.
//!
//! Every function takes raw pointers and is safe to call as its documentation in the header says; a panic never leaves
//! one ([`HOGA_ERROR_PANIC`](codes::HOGA_ERROR_PANIC)).

pub mod codes;
pub mod handle;
pub mod query;
pub mod reading;
pub mod text;
