//! Damaged journals: repair in place, rescue into a new journal, and the offline writing of whole journals both need.

pub mod build;
pub(super) mod build_journal;
pub mod rebuild;
pub mod repair;
pub mod rescue;
pub(super) mod salvage;
pub(super) mod source;
