//! Market data: the kinds that carry the [`Market`] prefix.

mod bar;
mod book;
mod flow;
mod state;
mod trade;

pub use self::bar::Bar;
pub(in crate::tick) use self::book::UNDEF_LEVEL;
pub use self::book::{BOOK_LEVELS, Book, BookBuffer, Expected, Level};
pub use self::flow::{Member, MemberEntry, Program};
pub use self::state::{Index, Nav, Status, StatusSource};
pub use self::trade::{MidPrice, Side, Trade};
use super::header::{Header, Market};

const UNDEF_HEADER: Header = Header {
    length: 0,
    crc32c: 0,
    sequence: 0,
    ts_recv: 0,
    instrument_id: 0,
    flags: 0,
    publisher: 0,
    line: 0,
    rtype: 0,
    version: 0,
    reserved: 0,
};

const UNDEF_MARKET: Market = Market {
    ts_event: super::UNDEF_TS,
    raw_sequence: 0,
    recv_window_ns: 0,
    read_ns: 0,
    decoded_ns: 0,
    committed_ns: 0,
    findings: 0,
    tr: 0,
    width: 0,
    frame_index: 0,
    frame_count: 0,
    reserved: 0,
};
