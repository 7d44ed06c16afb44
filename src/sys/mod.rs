//! System calls, each behind a safe function. Nothing here decides anything: policy lives with the callers.

pub mod clock;
pub mod file;
pub mod map;
pub mod priority;
pub mod process;
pub mod shared;
pub mod socket;
#[doc(hidden)]
pub mod watch;
