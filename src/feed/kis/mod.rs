//! KIS, Korea Investment & Securities: frames `encrypted|transaction|count|payload` to records.
//!
//! What is promised of [`Decoder::decode`], the hot part:
//!
//! - *Every record of a frame.* The width of a record is the number of values divided by the count, and it must divide
//!   exactly. All records come out, in order.
//! - *Tolerant of growth.* Surplus fields are accepted and flagged `SCHEMA_EXTRA`; a width that the table doesn't know
//!   is reported once by a `Session` record; a tail that wasn't sent is absent. Bytes need not be UTF-8.
//! - *Never a guess.* A frame that can't be split, or whose later records don't begin with a plausible key, is a
//!   `Reject` with its bytes. A layout that sources contradict each other on comes out as `Other`, verbatim.
//! - *Nothing private.* Account notices (encrypted) are counted; their `Reject` has transaction and length only.
//!
//! Codes are kept as sent. Prices of 0 are kept as sent, too: the broker writes 0 where there is none.
//!
//! The traps of this feed and what is done about them stand in `tests.rs`. [`LayoutTable`] is the table of layouts;
//! [`control`] reads the JSON messages between the frames and is cold.

pub mod account;
mod book;
pub mod control;
mod decoder;
mod emit;
pub mod environment;
mod expected;
pub(crate) mod holiday_note;
mod layout;
pub mod masters;
mod misc;
pub mod notices;
mod plan;
#[cfg(test)]
mod proptests;
mod redact;
pub mod rest;
mod row;
pub mod session;
pub mod snapshots;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod trade;
#[cfg(test)]
mod twin;
pub mod universe;

use crate::net::LineProtocol;

pub use self::decoder::{DecodeCounters, Decoder, DecoderConfig};
pub use self::layout::{Form, KeyClass, Layout, LayoutError, LayoutTable, Levels, Width};
pub use self::redact::redact;

/// The broker's manners on the socket: PINGPONG goes back as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct KisLine;

impl LineProtocol for KisLine {
    #[inline]
    fn reply(&self, payload: &[u8]) -> bool {
        control::is_pingpong(payload)
    }
}

/// What a typed decoder tells of a record besides its body.
#[derive(Clone, Copy, Debug)]
struct Event {
    /// Time of day in seconds, or `NO_TIME`.
    seconds: u32,
    /// Decimal YYYYMMDD; 0 = not sent.
    date: u32,
    /// Bits of `Flags`.
    flags: u32,
}
