//! Service records: gaps, rejects, sessions, clocks, the end of a segment, raw frames.

use bytemuck::{Pod, Zeroable};

use super::header::Header;

/// Most bytes of a rejected frame kept in a `Reject` record (the raw frame has all).
pub const REJECT_BYTES: usize = 512;
/// Bytes of a `Reject` before its text.
pub const REJECT_PREFIX_BYTES: usize = size_of::<RejectPrefix>();
/// Bytes of a `Raw` record before its payload.
pub const RAW_PREFIX_BYTES: usize = size_of::<RawPrefix>();

macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant = $number),* }

        impl $name {
            /// All values in the order of their numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// Name as in JSON and counters.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            /// The value of a number, if this build knows it.
            pub fn from_number(number: u8) -> Option<$name> {
                match number { $($number => Some($name::$variant),)* _ => None }
            }
        }
    };
}

numbered! {
    /// Why a frame or record could not be read.
    RejectReason {
        /// The frame is not `enc|tr_id|count|payload`.
        BadFrame = 1 "bad_frame",
        /// The transaction is not in the table.
        UnknownTr = 2 "unknown_tr",
        /// The count is not 1..=999.
        BadCount = 3 "bad_count",
        /// The number of values is no multiple of the count.
        CountMismatch = 4 "count_mismatch",
        /// Fewer fields a record than any known layout has.
        TooNarrow = 5 "too_narrow",
        /// A later record does not begin with a plausible key: the split would be a guess.
        KeyMismatch = 6 "key_mismatch",
        /// The instrument key is empty or too long.
        BadKey = 7 "bad_key",
        /// More fields than the index holds.
        TooManyFields = 8 "too_many_fields",
        /// The instrument table is full.
        InstrumentsFull = 9 "instruments_full",
        /// An encrypted frame on a plain feed, or one that is not recorded here.
        Encrypted = 10 "encrypted",
        /// A control message that is not JSON.
        BadJson = 11 "bad_json",
        /// Neither data nor control.
        UnknownMessage = 12 "unknown_message",
        /// A mandatory field (price, quantity) holds no number.
        BadNumber = 13 "bad_number",
    }
}

numbered! {
    /// Why volume is missing.
    GapReason {
        /// Cumulative volume advanced by more than the trade's quantity.
        VolumeJump = 1 "volume_jump",
        /// The connection was lost in between.
        Disconnect = 2 "disconnect",
    }
}

numbered! {
    /// What happened to a connection.
    SessionEvent {
        /// Connected and upgraded; declares the line.
        Connected = 1 "connected",
        /// A registration was sent.
        Subscribed = 2 "subscribed",
        /// The broker confirmed a registration.
        Acked = 3 "acked",
        /// The broker refused a registration.
        Refused = 4 "refused",
        /// A full ring stopped the reading of this socket.
        Stalled = 5 "stalled",
        /// Reading goes on; `value` is how long it stood, ns.
        Resumed = 6 "resumed",
        /// Closed by the peer, by us or by a fault; see `reason`.
        Disconnected = 7 "disconnected",
        /// A transaction's width is not the table's; `value` is the width.
        SchemaChanged = 8 "schema_changed",
        /// The engine stops taking ticks, all lines: its last word. `reason` is a [`StopReason`], `code` the stream that
        /// can't go on, `text` says why, `value` counts the frames that came while the lines were being closed and are
        /// in neither stream.
        Stopped = 9 "stopped",
        /// Little room is left where stream `code` is written; `value` is how much, bytes.
        LowSpace = 10 "low_space",
        /// There is room again; `value` is how much, bytes.
        SpaceReturned = 11 "space_returned",
        /// The next segment of stream `code` can't be prepared; `value` is the system's error number. The present one is
        /// written on.
        NoSegment = 12 "no_segment",
        /// It could be prepared now.
        SegmentReturned = 13 "segment_returned",
        /// Writing stream `code` back to the disk fails and is tried again; `value` is the system's error number.
        SyncFailing = 14 "sync_failing",
        /// It succeeded.
        SyncReturned = 15 "sync_returned",
        /// The withdrawal of a registration was sent.
        Unsubscribed = 16 "unsubscribed",
        /// The broker confirmed that a registration is not in force any more.
        Withdrawn = 17 "withdrawn",
        /// The line waits before it connects; `value` is how long, ns, `code` the broker's code that caused it, `text` says
        /// why.
        BackingOff = 18 "backing_off",
        /// Nothing came on the line in session hours, keep-alives neither; `value` is how long, ns. It is closed and made
        /// anew.
        Silent = 19 "silent",
        /// Keep-alives came, but no data, though registrations of the line should tick; `value` is how long, ns. It is
        /// closed and made anew.
        NoData = 20 "no_data",
        /// A registration in force doesn't tick in a phase in which it should; `value` is how long, ns, `text` the phase.
        PairSilent = 21 "pair_silent",
        /// It ticks again; `value` is how long it had not, ns.
        PairTicks = 22 "pair_ticks",
        /// A registration is wanted and will not be in force; `text` says why. `line` 0: no line has room for it.
        LeftOut = 23 "left_out",
        /// A connection was held against what is wanted of it; `value` counts the registrations that are not in force or
        /// don't tick though they should, 0: all is well. `text` has the figures.
        Verified = 24 "verified",
        /// The list of what to record was changed, all lines; `value` counts the registrations wanted now, `text` says how
        /// many came and left.
        ListChanged = 25 "list_changed",
        /// Our calendar was held against the broker's, all lines; `value` counts the dates on which they part.
        CalendarChecked = 26 "calendar_checked",
        /// They part on a date; `text` says which and how.
        CalendarDiffers = 27 "calendar_differs",
        /// The line has been down for so long, `value` ns, that its symbols are polled: snapshots follow, not ticks.
        PollingBegan = 28 "polling_began",
        /// The line is back, or its session over; `value` counts the snapshots taken.
        PollingEnded = 29 "polling_ended",
        /// A registration for which this line has no room is moved; `value` is the line that takes it.
        Moved = 30 "moved",
        /// A registration is not changed before its turn, since it changed too often; `value` is how long, ns.
        ChangeDelayed = 31 "change_delayed",
        /// An approval key the broker did not know is replaced without leaving the line.
        ApprovalRenewed = 32 "approval_renewed",
        /// Account notices are not asked for any more: the broker closes the line each time. Is the HTS id right?
        NoticesDropped = 33 "notices_dropped",
        /// A registration, or all that the line has left to ask, is asked for later on the same connection, whose others go
        /// on; `value` is how long, ns, `text` says why, `code` is the broker's where it refuses the whole line.
        Postponed = 44 "postponed",
        /// The broker refuses the line's app key, `value` times in a row with `code`: it stays closed until the next
        /// trading day, another list or a restart.
        Barred = 45 "barred",
        /// Another program of this host holds the session of the line's app key; the line waits for its end.
        AppKeyHeld = 54 "app_key_held",
        /// Account notices could not be read and are kept as they came; `value` counts them, `text` says why.
        NoticeUnread = 55 "notice_unread",
    }
}

numbered! {
    /// Why the engine stopped by itself: the `reason` of [`SessionEvent::Stopped`].
    StopReason {
        /// The next segment of a stream can't be prepared, and the present one is nearly full.
        NoSegment = 1 "no_segment",
        /// The next segment of a stream was not there in time, though nothing failed.
        SlowDisk = 2 "slow_disk",
        /// Writing back to the disk failed: nobody knows what of the last records is on it.
        SyncFailed = 3 "sync_failed",
        /// A record could not be appended for another reason.
        AppendFailed = 4 "append_failed",
    }
}

numbered! {
    /// Why a segment ended.
    EndReason {
        /// It was full.
        Full = 1 "full",
        /// The writer closed the journal.
        Closed = 2 "closed",
        /// The trading date changed.
        DayChange = 3 "day_change",
        /// Written when the journal was opened after the writer died.
        Recovered = 4 "recovered",
        /// The writer of `ticks` closed the journal, but frames of `raw` behind the last record have not been decoded: the
        /// next opening does that.
        Unfinished = 5 "unfinished",
    }
}

impl EndReason {
    /// Whether a segment ended so was the last of a writer that closed its journal, by the reason's number.
    pub const fn is_closing(number: u8) -> bool {
        number == EndReason::Closed as u8 || number == EndReason::Unfinished as u8
    }
}

numbered! {
    /// Why committed records are not there.
    HoleReason {
        /// Their bytes were damaged.
        Damaged = 1 "damaged",
        /// Their segment was not there.
        Missing = 2 "missing",
        /// The stream ended before records that had been marked durable.
        CutShort = 3 "cut_short",
        /// Left out on purpose when this journal was made of another one.
        LeftOut = 4 "left_out",
    }
}

/// Volume of an instrument on a venue is missing: a record, so that nobody has to infer it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Gap {
    /// Common header.
    pub header: Header,
    /// Number of the gap in this journal, from 1.
    pub gap_id: u64,
    /// Cumulative quantity of the last record before.
    pub cum_qty_before: u64,
    /// Cumulative quantity just before the first record after (its own quantity taken off).
    pub cum_qty_after: u64,
    /// Quantity missing, exact.
    pub missing_qty: u64,
    /// Turnover missing, exact; [`UNDEF_TURNOVER`](crate::tick::UNDEF_TURNOVER).
    pub missing_turnover: i64,
    /// Trades missing by the feed's counts; [`UNDEF_QTY`](crate::tick::UNDEF_QTY).
    pub missing_trades: u64,
    /// `ts_recv` of the last record before.
    pub from_ts: u64,
    /// `ts_recv` of the first record after.
    pub to_ts: u64,
    /// Sequence in stream `raw` of the first record after.
    pub raw_sequence: u64,
    /// See [`GapReason`].
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// A gap was filled, wholly or in part.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Repair {
    /// Common header.
    pub header: Header,
    /// The gap repaired.
    pub gap_id: u64,
    /// Cumulative quantity at the beginning of what was filled.
    pub cum_qty_before: u64,
    /// Cumulative quantity at its end.
    pub cum_qty_after: u64,
    /// Quantity filled.
    pub filled_qty: u64,
    /// Turnover filled.
    pub filled_turnover: i64,
    /// Trades filled.
    pub filled_trades: u64,
    /// `ts_event` of the first record filled in.
    pub from_ts: u64,
    /// `ts_event` of the last record filled in.
    pub to_ts: u64,
    /// Quantity still missing.
    pub missing_qty: u64,
    /// Zero.
    pub reserved: u64,
}

/// A frame or record that could not be read: this prefix, then [`stored`](Self::stored) bytes of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct RejectPrefix {
    /// Common header.
    pub header: Header,
    /// Sequence of the frame in stream `raw`; 0 = none.
    pub raw_sequence: u64,
    /// Bytes of the whole frame.
    pub frame_bytes: u32,
    /// Bytes that follow, at most [`REJECT_BYTES`].
    pub stored: u16,
    /// Transaction, if it could be read.
    pub tr: u16,
    /// See [`RejectReason`].
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// The body of an `Other` record: the common prefixes, this, then `stored` bytes of the record as on the wire.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct OtherPrefix {
    /// Common header.
    pub header: Header,
    /// Common market prefix.
    pub market: super::header::Market,
    /// Bytes that follow.
    pub stored: u32,
    /// Zero.
    pub reserved: u32,
}

/// What happened to a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Session {
    /// Common header; `line` is the connection.
    pub header: Header,
    /// Duration, width or count, see [`SessionEvent`].
    pub value: u64,
    /// Key of the registration, zero padded.
    pub tr_key: [u8; 32],
    /// Broker's message code, e.g. `OPSP0000`, zero padded.
    pub code: [u8; 16],
    /// Text for people (no secrets), zero padded.
    pub text: [u8; 64],
    /// Transaction of the registration; 0 = none.
    pub tr: u16,
    /// WebSocket close code; 0 = none.
    pub close_code: u16,
    /// See [`SessionEvent`].
    pub event: u8,
    /// Reason of a disconnect, `net::DisconnectReason` as a number; of a stop, [`StopReason`]; 0 = none.
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// Relation of clocks.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Clock {
    /// Common header.
    pub header: Header,
    /// Wall clock minus reference, ns.
    pub offset_ns: i64,
    /// Bound of the error of `offset_ns`, ns; `u64::MAX` = not known.
    pub error_ns: u64,
    /// Wall time of the market-time anchor, ns.
    pub anchor_wall_ns: u64,
    /// Market time at that instant, ns since the UNIX epoch.
    pub anchor_market_ns: u64,
    /// Market nanoseconds a wall second, i.e. the scale × 1e9 (1e9 in production).
    pub scale_ppb: u64,
    /// 0 = system clock undisciplined or unknown, 1 = kernel says synchronised.
    pub source: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// Last record of a segment: a tailer moves on only past it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct End {
    /// Common header.
    pub header: Header,
    /// Ordinal of the segment that follows; 0 = none yet (the journal was closed).
    pub next_ordinal: u64,
    /// Market records in the segment.
    pub market_records: u64,
    /// See [`EndReason`].
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// Committed records stood here and are lost: written by a repair in their place, so that nobody has to infer it. It has
/// no sequence of its own; the next numbered record has `last_sequence` + 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Hole {
    /// Common header; `ts_recv` is when it was written.
    pub header: Header,
    /// Sequence of the first record lost.
    pub first_sequence: u64,
    /// Sequence of the last record lost; `first_sequence` - 1: bytes were lost, but no record is known to be.
    pub last_sequence: u64,
    /// Bytes of the stream they took; 0 = not known.
    pub bytes: u64,
    /// See [`HoleReason`].
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// A frame verbatim (stream `raw`): this prefix, then `payload_bytes` bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct RawPrefix {
    /// Common header.
    pub header: Header,
    /// As in `Market`: arrival lies within this many ns before `ts_recv`.
    pub recv_window_ns: u32,
    /// From `ts_recv` to the read of the socket, ns, saturating.
    pub read_ns: u32,
    /// Bytes that follow.
    pub payload_bytes: u32,
    /// WebSocket opcode: 1 text, 2 binary.
    pub opcode: u8,
    /// Zero.
    pub reserved: [u8; 3],
}
