//! Records: what a tick is, byte for byte.
//!
//! Every record is a `repr(C)` struct of little-endian fields without hidden padding ([`bytemuck::Pod`]), begins with a
//! [`Header`] and, when it tells of the market, goes on with a [`Market`] prefix of stamps. Layouts are asserted by
//! tests in `layout.rs`; fields are only ever appended (see `journal::format` for the rules of evolution).
//!
//! Units, once for all kinds:
//!
//! - **px**: `i64`, 1 unit = 1e-9 of the currency (or index point); [`UNDEF_PX`] where the feed gave none.
//! - **quantity**: `u64`, shares or contracts (an instrument may declare a decimal scale); [`UNDEF_QTY`].
//! - **turnover**: `i64`, 1 unit = 1e-4 of the currency; [`UNDEF_TURNOVER`]. Feeds that send millions are normalised.
//! - **change** and **net** fields: `i64` in the unit of what they change; [`UNDEF_CHANGE`].
//! - **time**: `u64` nanoseconds since the UNIX epoch; [`UNDEF_TS`].
//!
//! This module imports nothing else of the crate.

pub mod columns;
mod flags;
mod header;
mod instrument;
mod json;
mod kinds;
#[cfg(test)]
mod layout;
mod market_data;
mod px;
mod registry;
mod service;
mod view;

pub use flags::{Findings, Flags};
pub use header::{HEADER_BYTES, Header, MARKET_PREFIX_BYTES, Market, RECORD_VERSION};
pub use instrument::{Instrument, InstrumentKey, SYMBOL_BYTES};
pub use json::{JsonForm, Names, write_json};
pub use kinds::RType;
pub use market_data::{
    BOOK_LEVELS, Bar, Book, BookBuffer, Expected, Index, Level, Member, MemberEntry, MidPrice, Nav, Program, Side,
    Status, StatusSource, Trade,
};
pub use px::{PX_SCALE, TURNOVER_SCALE, write_px, write_scaled};
pub use registry::{Feed, Publisher, TR_NONE, tr_name, tr_number};
pub use service::{
    Clock, End, EndReason, Gap, GapReason, Hole, HoleReason, OtherPrefix, RAW_PREFIX_BYTES, REJECT_BYTES,
    REJECT_PREFIX_BYTES, RawPrefix, RejectPrefix, RejectReason, Repair, Session, SessionEvent,
};
pub use view::{RecordView, boxed_record, view, words_of};

/// No price: the feed gave none.
pub const UNDEF_PX: i64 = i64::MAX;
/// No quantity: the feed gave none.
pub const UNDEF_QTY: u64 = u64::MAX;
/// No time: the feed gave none.
pub const UNDEF_TS: u64 = u64::MAX;
/// No turnover: the feed gave none.
pub const UNDEF_TURNOVER: i64 = i64::MAX;
/// No change or net value: the feed gave none.
pub const UNDEF_CHANGE: i64 = i64::MAX;
/// No count: the feed gave none.
pub const UNDEF_COUNT: u32 = u32::MAX;
