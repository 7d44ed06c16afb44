//! Reading a stream: the tailer, where it may begin, what it hands over, and forms for people and programs.

pub(super) mod filter;
pub(super) mod follow;
pub(super) mod index;
pub(super) mod lines;
mod look;
mod onward;
pub(super) mod reader;
pub(super) mod record;
pub(super) mod seek;
mod start;
pub(super) mod visit;
