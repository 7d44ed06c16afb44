//! The two prefixes: [`Header`] of every record, [`Market`] of market data.

use bytemuck::{Pod, Zeroable};

/// Bytes of a [`Header`].
pub const HEADER_BYTES: usize = size_of::<Header>();
/// Bytes of the [`Market`] prefix.
pub const MARKET_PREFIX_BYTES: usize = size_of::<Market>();
/// Version written into [`Header::version`] by this build.
pub const RECORD_VERSION: u8 = 1;

/// The first 40 bytes of every record.
///
/// A record becomes visible to other processes by one Release store of [`length`](Self::length), last of all.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Header {
    /// Exact bytes of the record, this header included; the commit word: 0 = not there yet.
    pub length: u32,
    /// CRC-32C over all that follows this field, seeded with the segment's salt and `length`.
    pub crc32c: u32,
    /// Per stream, +1 each; 0 for restated records and `End`.
    pub sequence: u64,
    /// Kernel's stamp of the newest byte of the read that completed the frame: an upper bound of arrival
    /// (see [`Market::recv_window_ns`]). Records of cold threads: when they were made.
    pub ts_recv: u64,
    /// Dense number of the instrument in this journal; 0 = none.
    pub instrument_id: u32,
    /// Bits of [`Flags`](crate::tick::Flags).
    pub flags: u32,
    /// Feed and venue, see [`Publisher`](crate::tick::Publisher).
    pub publisher: u16,
    /// Connection, declared by a `Session` record; 0 = none.
    pub line: u16,
    /// Kind, see [`RType`](crate::tick::RType).
    pub rtype: u8,
    /// Version of the kind's layout, [`RECORD_VERSION`].
    pub version: u8,
    /// Zero.
    pub reserved: u16,
}

/// The 48 bytes that follow the header of market data.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Market {
    /// Exchange's time of the event, whole seconds on the feeds of today (flag EVENT_TS_SECOND).
    pub ts_event: u64,
    /// Sequence of the frame in stream `raw`; 0 = not from a frame.
    pub raw_sequence: u64,
    /// Arrival lies within this many ns before `ts_recv`: the time since the socket was last found empty.
    pub recv_window_ns: u32,
    /// From `ts_recv` to the read of the socket, ns, saturating.
    pub read_ns: u32,
    /// From `ts_recv` to the decoded record, ns, saturating.
    pub decoded_ns: u32,
    /// From `ts_recv` to just before the checksum of the commit, ns, saturating.
    pub committed_ns: u32,
    /// Bits of [`Findings`](crate::tick::Findings).
    pub findings: u32,
    /// Number of the transaction (message type), see [`tr_name`](crate::tick::tr_name).
    pub tr: u16,
    /// Fields of the record on the wire.
    pub width: u16,
    /// Place of the record in its frame, from 0.
    pub frame_index: u16,
    /// Records in the frame.
    pub frame_count: u16,
    /// Zero.
    pub reserved: u32,
}

impl Market {
    /// Offset in a record of the 8-byte word that holds `decoded_ns` (low) and `committed_ns` (high).
    pub const STAMPS_OFFSET: usize = HEADER_BYTES + std::mem::offset_of!(Market, decoded_ns);
}

const _: () = assert!(HEADER_BYTES == 40 && MARKET_PREFIX_BYTES == 48);
const _: () = assert!(Market::STAMPS_OFFSET.is_multiple_of(8), "the journal writes both stamps as one word");
