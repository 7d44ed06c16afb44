//! What the reader gives out, and to whom: frames with their stamps, events of lines, counters.

use super::frames::Violation;

/// Flag of [`FrameMeta::flags`]: the kernel gave no stamp, `ts_recv` is the time of the read.
pub const RECV_TS_USER: u32 = 1 << 2;

/// Where and when a frame came. All frames completed by one read share all but the opcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameMeta {
    /// The kernel's receive stamp of the newest byte of the read that completed the frame, in nanoseconds since the
    /// UNIX epoch: an upper bound of the frame's arrival. With [`RECV_TS_USER`] the time of the read itself.
    pub ts_recv: u64,
    /// `ts_recv` less a moment at which this socket was known to be empty, in nanoseconds, saturating: the completing
    /// bytes came within this window before `ts_recv`. The moment is a `CLOCK_REALTIME` read taken before the call
    /// that found the socket empty, so that the window errs on the wide side only.
    pub recv_window_ns: u32,
    /// From `ts_recv` to the `CLOCK_REALTIME` read just after the read returned, in nanoseconds, saturating. A
    /// negative difference is 0 and counted.
    pub read_ns: u32,
    /// The raw time-stamp counter (`quanta`'s) at that same moment.
    pub read_ticks: u64,
    /// The connection, as named by the `Add` command.
    pub line: u16,
    /// [`RECV_TS_USER`] or 0.
    pub flags: u32,
    /// Always 0 here; a sink that journals raw frames puts its number in.
    pub raw_sequence: u64,
    /// 1 text, 2 binary.
    pub opcode: u8,
}

/// The next stage. Called on the reader's thread, between two reads: it must neither block nor allocate.
pub trait FrameSink {
    /// Whether a payload of `len` bytes can be taken now. `false` stops the reading of that connection; it is asked
    /// again on each poll. `true` obliges the sink to take the frame that follows.
    fn has_room(&self, len: usize) -> bool;

    /// One whole message, keep-alives and answers included, in the order received. The payload is lent for the call
    /// and is not known to be UTF-8.
    fn frame(&mut self, meta: &FrameMeta, payload: &[u8]);

    /// Something happened to a connection.
    fn line_event(&mut self, line: u16, event: LineEvent);

    /// The text of the peer's Close frame, before [`LineEvent::PeerClosing`] with its code: at most 123 bytes, not
    /// known to be UTF-8. Not called for an empty one.
    fn close_reason(&mut self, _line: u16, _reason: &[u8]) {}
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// The reader took it over; its frames follow.
    Connected,
    /// It is gone, the last event of this connection.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// The peer's close code: 1005 for a Close without one, 1006 where none came (RFC 6455 §7.1.5). For a
        /// [`DisconnectReason::Violation`] the code we sent, for [`DisconnectReason::Io`] the system's error number.
        code: u16,
    },
    /// The sink has no room for its next frame: the socket is no longer read.
    Stalled,
    /// All that had come before the stall was taken, and the socket is read again. A connection that ends while
    /// stalled has no such event.
    Resumed {
        /// How long the socket was not read, in nanoseconds.
        stalled_ns: u64,
    },
    /// The peer's Close frame came and was answered; no frames follow. 1005 stands for no code.
    PeerClosing {
        /// The peer's code.
        code: u16,
    },
    /// The peer broke the protocol and was told so; no frames follow. The line is free once it is disconnected, which
    /// waits for the peer's end of the stream, at most the close timeout.
    Violated {
        /// How.
        violation: Violation,
    },
    /// A `Send` command was not queued: the outgoing buffer was full, or the line was closing or unknown.
    SendRefused,
}

/// Why a connection ended. The numbers of [`number`](Self::number) are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The peer began the closing handshake.
    PeerClosed,
    /// We began it, and the peer answered.
    LocalClosed,
    /// The peer ended the stream without a Close frame.
    Eof,
    /// The peer reset the connection.
    Reset,
    /// We closed, and the peer did not answer in time.
    CloseTimeout,
    /// The system reported another error.
    Io,
    /// Another connection was added under the same line.
    Replaced,
    /// It was added after the reader had been told to stop.
    Stopped,
    /// The socket could not be registered for events.
    NotRegistered,
    /// The peer broke the protocol; it was told so by a Close frame.
    Violation(Violation),
}

impl DisconnectReason {
    /// A stable number: 1 to 31 for the plain reasons, 32 and up for the violations.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            DisconnectReason::PeerClosed => 1,
            DisconnectReason::LocalClosed => 2,
            DisconnectReason::Eof => 3,
            DisconnectReason::Reset => 4,
            DisconnectReason::CloseTimeout => 5,
            DisconnectReason::Io => 6,
            DisconnectReason::Replaced => 7,
            DisconnectReason::Stopped => 8,
            DisconnectReason::NotRegistered => 9,
            DisconnectReason::Violation(violation) => 32 + violation as u8,
        }
    }
}

/// The feed's own manners on the socket. Asked for each message, on the reader's thread: the first byte should decide
/// nearly always.
pub trait LineProtocol {
    /// Whether this message is a keep-alive to be sent back as it came. The payload is not known to be UTF-8.
    fn reply(&self, payload: &[u8]) -> bool;
}

/// A feed without a keep-alive of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoReply;

impl LineProtocol for NoReply {
    #[inline]
    fn reply(&self, _payload: &[u8]) -> bool {
        false
    }
}

/// Counts since the reader began. Plain fields of the reader's thread; whoever shows them copies them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderCounters {
    /// Messages handed to the sink.
    pub frames: u64,
    /// Payload bytes of those.
    pub frame_bytes: u64,
    /// Reads that brought bytes.
    pub reads: u64,
    /// Bytes those brought, headers and control frames included.
    pub read_bytes: u64,
    /// Reads that found the socket empty.
    pub reads_empty: u64,
    /// Reads without a kernel stamp.
    pub user_stamps: u64,
    /// Reads that seem to precede their own kernel stamp; their `read_ns` is 0.
    pub negative_latency_clamped: u64,
    /// Pings received.
    pub pings: u64,
    /// Pongs received.
    pub pongs: u64,
    /// Keep-alives of the feed's own that were sent back.
    pub replies: u64,
    /// Close frames received.
    pub closes: u64,
    /// Of those, with a reason that is not UTF-8 (answered with 1007).
    pub closes_bad_utf8: u64,
    /// Protocol violations by kind, indexed by `Violation as usize`.
    pub violations: [u64; Violation::COUNT],
    /// Times a connection stopped for want of room in the sink.
    pub stalls: u64,
    /// Frames queued by `Send` commands.
    pub sends: u64,
    /// `Send` commands, replies and pongs that were not queued because the outgoing buffer was full.
    pub send_overflow: u64,
    /// `Send` commands for a line that is closing or unknown.
    pub sends_refused: u64,
    /// Connections taken over.
    pub connects: u64,
    /// Connections gone.
    pub disconnects: u64,
    /// Received bytes not yet handed on when their connection was given up: of a stalled line at the end of a stop,
    /// or of a frame that never became whole.
    pub abandoned_bytes: u64,
}
