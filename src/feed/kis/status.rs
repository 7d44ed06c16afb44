//! Market operation of a stock: `H0STMKO0`, `H0NXMKO0` (10 or 11 fields), `H0UNMKO0` (10).
//!
//! On the wire the symbol comes first, on the unified feed too, whose published table leaves it out: read by that table
//! every value is off by one, and halts and interruptions are seen that never were.

use super::Event;
use super::row::Row;
use super::trade::halt_flag;
use crate::tick::{Flags, Status, StatusSource};

/// Fills the body of `status`, all of it. The exchange class is the 11th field, where `exchange` says there is one.
#[inline]
pub(super) fn status(row: &mut Row<'_>, exchange: bool, status: &mut Status) -> Event {
    status.halt = row.byte(1);
    status.reason = if row.bytes(2) == b"(null)" { [0; 64] } else { row.code(2) };
    status.mkop_cls = row.code(3);
    status.expected_mkop_cls = row.code(4);
    status.time_cls = row.code(5);
    status.allotment_cls = row.code(6);
    status.issue_status = row.code(7);
    status.vi_cls = row.byte(8);
    status.overtime_vi_cls = row.byte(9);
    status.exchange_cls = if exchange { row.code(10) } else { [0; 4] };
    status.source = StatusSource::Feed as u8;
    let vi = status.vi_cls == b'Y' || status.overtime_vi_cls == b'Y';
    let halted = if status.issue_status == *b"58\0\0" { Flags::HALT } else { 0 };
    let flags = halt_flag(status.halt) | halted | if vi { Flags::VI } else { 0 };
    Event { seconds: super::row::NO_TIME, date: 0, flags }
}
