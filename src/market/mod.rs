//! What is known of the market itself.

pub mod calendar;
pub mod instruments;
pub mod kst;
pub mod phase;
pub mod price;
pub mod security;
