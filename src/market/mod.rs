//! What is known of the market itself.

pub mod instruments;
pub mod phase;
