//! Feeds: one folder a broker.
pub mod kis;
