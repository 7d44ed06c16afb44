//! One line: a socket, its buffers, and where it stands between open and gone.

use std::io;
use std::os::fd::AsFd;

use super::frames::{Event, FrameBuffer, Violation};
use super::handshake::Handshaken;
use super::outbound::{Outbound, SendRefused};
use super::sink::{DisconnectReason, FrameMeta, FrameSink, LineEvent, LineProtocol, RECV_TS_USER, ReaderCounters};
use super::stream::Transport;
use crate::clock::wall_ns;
use crate::sys::socket;

/// The code reported for a Close frame without one (RFC 6455 §7.1.5).
const CODE_NONE: u16 = 1005;
/// The code reported where no Close frame came (RFC 6455 §7.1.5).
const CODE_ABNORMAL: u16 = 1006;
/// Sent in answer to a Close whose reason is not UTF-8.
const CODE_BAD_UTF8: u16 = 1007;

/// Sizes of one connection. All memory is allocated by [`Connection::prepare`].
#[derive(Clone, Copy, Debug)]
pub struct ConnectionConfig {
    /// Longest message taken, in bytes; a longer one fails the connection with 1009. Default 1 MiB.
    pub message_bytes_max: usize,
    /// Most bytes of one read, and so of one turn, in bytes. Larger serves bursts with fewer calls, smaller is fairer
    /// to the other lines. Default 64 KiB.
    pub read_bytes: usize,
    /// Most outgoing bytes waiting for the socket; beyond, messages are refused and counted. Default 64 KiB.
    pub outbound_bytes: usize,
    /// The kernel's receive buffer (`SO_RCVBUF`), in bytes; 0 leaves it to the system. Default 0.
    pub recv_buffer_bytes: usize,
    /// Microseconds a read polls the device (`SO_BUSY_POLL`); 0 leaves it to the system. Default 0.
    pub busy_poll_us: u32,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            message_bytes_max: 1 << 20,
            read_bytes: 64 << 10,
            outbound_bytes: 64 << 10,
            recv_buffer_bytes: 0,
            busy_poll_us: 0,
        }
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our Close is sent or queued; the peer's frames are still taken until its own Close.
    LocalClosing,
    /// Nothing it sends matters any more: read to the end of the stream, then gone for this reason.
    Draining(DisconnectReason, u16),
}

/// A WebSocket ready to be added to a reader. Made on a cold thread, used on the reader's.
#[derive(Debug)]
pub struct Connection {
    pub(super) transport: Transport,
    frames: FrameBuffer,
    out: Outbound,
    phase: Phase,
    /// Of the last read; what its frames carry.
    meta: FrameMeta,
    /// A moment at which nothing was in the socket that had not been read.
    empty_ns: u64,
    /// Bytes may be waiting in the socket.
    ready: bool,
    /// The end of the stream, or an error, is known to be behind what waits.
    ends: bool,
    /// The socket took less than it was given, and has not been writable since.
    send_blocked: bool,
    send_error: Option<(DisconnectReason, u16)>,
    /// The buffer may hold whole frames not handed on yet.
    undelivered: bool,
    stalled_ticks: Option<u64>,
    pub(super) closing_ticks: Option<u64>,
}

/// What the connections of a reader share during one poll.
#[derive(Debug)]
pub(super) struct Turn<'a, P> {
    pub counters: &'a mut ReaderCounters,
    pub clock: &'a quanta::Clock,
    pub protocol: &'a P,
    /// `CLOCK_REALTIME` at the start of the poll.
    pub polled_ns: u64,
    /// `CLOCK_REALTIME` as read last: at the start of the poll or after a read since.
    pub now_ns: u64,
    /// Read the socket without waiting to be told that it is ready.
    pub direct: bool,
    /// The system was asked who is ready after `polled_ns` was taken, and named all: the others were empty then.
    pub proven_empty: bool,
}

/// The result of a turn.
#[derive(Debug)]
pub(super) struct Served {
    pub work: usize,
    pub gone: Option<(DisconnectReason, u16)>,
}

impl Connection {
    /// Sizes the buffers and sets the socket's options. Cold: allocates.
    ///
    /// # Errors
    /// The system's, when it refuses an option; `busy_poll_us` needs `CAP_NET_ADMIN`.
    pub fn prepare(handshaken: Handshaken, config: &ConnectionConfig) -> io::Result<Box<Self>> {
        let Handshaken { stream, leftover, kernel_ns, read_realtime_ns, read_ticks, empty_ns } = handshaken;
        if config.recv_buffer_bytes > 0 {
            socket::set_recv_buffer(stream.as_fd(), config.recv_buffer_bytes)?;
        }
        if config.busy_poll_us > 0 {
            socket::set_busy_poll(stream.as_fd(), config.busy_poll_us)?;
        }
        let read_bytes = config.read_bytes.max(leftover.len());
        let mut frames = FrameBuffer::new(config.message_bytes_max, read_bytes);
        frames.space()[..leftover.len()].copy_from_slice(&leftover);
        frames.fill(leftover.len());
        let mut connection = Self {
            transport: Transport::tcp(stream)?,
            frames,
            out: Outbound::new(config.outbound_bytes),
            phase: Phase::Open,
            meta: FrameMeta::default(),
            empty_ns,
            ready: true,
            ends: false,
            send_blocked: false,
            send_error: None,
            undelivered: !leftover.is_empty(),
            stalled_ticks: None,
            closing_ticks: None,
        };
        connection.stamp(kernel_ns, read_realtime_ns, read_ticks);
        Ok(Box::new(connection))
    }

    /// Takes its name; what came with the handshake counts as one read.
    pub(super) fn begin(&mut self, line: u16, counters: &mut ReaderCounters) {
        self.meta.line = line;
        counters.connects += 1;
        if self.undelivered {
            counters.reads += 1;
            counters.read_bytes += self.frames.pending_bytes() as u64;
            counters.user_stamps += u64::from(self.meta.flags & RECV_TS_USER != 0);
        }
    }

    pub(super) fn line(&self) -> u16 {
        self.meta.line
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled_ticks.is_some()
    }

    /// Whether a turn may find something to do without an event of the socket.
    pub(super) fn has_more(&self) -> bool {
        (self.ready || self.undelivered) && !self.is_stalled()
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.frames.pending_bytes()
    }

    /// What happened to the socket, as told by the event loop.
    pub(super) fn on_event(&mut self, event: &mio::event::Event) {
        if event.is_writable() {
            self.send_blocked = false;
        }
        if event.is_read_closed() || event.is_error() {
            self.ends = true;
            self.ready = true;
        }
        if event.is_readable() {
            self.ready = true;
        }
    }

    /// Queues a text message; it goes out by [`flush`](Self::flush).
    pub(super) fn send(&mut self, text: &[u8]) -> Result<(), SendRefused> {
        self.out.push_text(text)
    }

    /// Begins the closing handshake, unless it has begun.
    pub(super) fn close(&mut self, code: u16, ticks: u64) {
        if self.phase == Phase::Open && self.out.push_close(Some(code), b"").is_ok() {
            self.phase = Phase::LocalClosing;
            self.closing_ticks = Some(ticks);
        }
        self.flush();
    }

    /// Why it is gone when its closing took too long.
    pub(super) fn overdue(&self) -> (DisconnectReason, u16) {
        match self.phase {
            Phase::Draining(reason, code) => (reason, code),
            _ => (DisconnectReason::CloseTimeout, CODE_ABNORMAL),
        }
    }

    /// One turn: sends what waits, hands on what is held, reads once, hands that on.
    pub(super) fn serve<P: LineProtocol>(&mut self, turn: &mut Turn<'_, P>, sink: &mut impl FrameSink) -> Served {
        let mut work = 0;
        if !self.out.pending().is_empty() && (turn.direct || !self.send_blocked) {
            self.flush();
        }
        if self.undelivered {
            work += self.deliver(turn, sink);
            if self.undelivered {
                return Served { work, gone: None };
            }
        }
        if !self.ready && !turn.direct {
            if turn.proven_empty {
                self.empty_ns = turn.polled_ns;
            }
            return Served { work, gone: None };
        }
        match self.receive(turn) {
            Ok(0) => Served { work, gone: None },
            Ok(_) => {
                work += 1 + self.deliver(turn, sink);
                Served { work, gone: None }
            }
            Err(gone) => Served { work: work + 1, gone: Some(gone) },
        }
    }

    /// One read; the bytes it brought, 0 when the socket was empty.
    #[inline]
    fn receive<P>(&mut self, turn: &mut Turn<'_, P>) -> Result<usize, (DisconnectReason, u16)> {
        let before_ns = turn.now_ns;
        match self.transport.recv(&mut self.frames) {
            Ok(recv) if recv.len > 0 => {
                let ticks = turn.clock.raw();
                turn.now_ns = wall_ns();
                if self.stamp(recv.kernel_ns, turn.now_ns, ticks) {
                    turn.counters.negative_latency_clamped += 1;
                }
                if recv.kernel_ns.is_none() {
                    turn.counters.user_stamps += 1;
                }
                if !recv.is_full {
                    self.empty_ns = before_ns;
                    self.ready = self.ends;
                }
                turn.counters.reads += 1;
                turn.counters.read_bytes += recv.len as u64;
                self.undelivered = true;
                Ok(recv.len)
            }
            Ok(_) => Err(self.ended(DisconnectReason::Eof, CODE_ABNORMAL)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.empty_ns = before_ns;
                self.ready = false;
                turn.counters.reads_empty += 1;
                Ok(0)
            }
            Err(error) => {
                let (reason, code) = io_reason(&error);
                Err(self.ended(reason, code))
            }
        }
    }

    /// Notes when the last read came; whether it seems to precede its own stamp.
    #[inline]
    fn stamp(&mut self, kernel_ns: Option<u64>, read_realtime_ns: u64, read_ticks: u64) -> bool {
        let ts_recv = kernel_ns.unwrap_or(read_realtime_ns);
        self.meta.ts_recv = ts_recv;
        self.meta.flags = if kernel_ns.is_none() { RECV_TS_USER } else { 0 };
        self.meta.recv_window_ns = saturate(ts_recv.saturating_sub(self.empty_ns));
        self.meta.read_ns = saturate(read_realtime_ns.saturating_sub(ts_recv));
        self.meta.read_ticks = read_ticks;
        ts_recv > read_realtime_ns
    }

    /// Hands on what the buffer holds, until it is empty or the sink is full; how many messages.
    #[inline]
    fn deliver<P: LineProtocol>(&mut self, turn: &mut Turn<'_, P>, sink: &mut impl FrameSink) -> usize {
        let mut count = 0;
        loop {
            if matches!(self.phase, Phase::Draining(..)) {
                self.frames.discard();
                self.undelivered = false;
                self.resume(turn, sink);
                break;
            }
            match self.frames.next() {
                Ok(Some(Event::Message { opcode, payload })) => {
                    if !sink.has_room(payload.len()) {
                        self.frames.hold();
                        self.stall(turn, sink);
                        break;
                    }
                    count += 1;
                    turn.counters.frames += 1;
                    turn.counters.frame_bytes += payload.len() as u64;
                    self.meta.opcode = opcode;
                    sink.frame(&self.meta, payload);
                    if turn.protocol.reply(payload) {
                        match self.out.push_message(opcode, payload) {
                            Ok(()) => turn.counters.replies += 1,
                            Err(SendRefused::Full) => turn.counters.send_overflow += 1,
                            Err(SendRefused::Closed) => {}
                        }
                    }
                }
                Ok(Some(Event::Ping(payload))) => {
                    turn.counters.pings += 1;
                    if self.out.push_pong(payload) == Err(SendRefused::Full) {
                        turn.counters.send_overflow += 1;
                    }
                }
                Ok(Some(Event::Pong(_))) => turn.counters.pongs += 1,
                Ok(Some(Event::Close { code, reason })) => {
                    turn.counters.closes += 1;
                    let is_utf8 = std::str::from_utf8(reason).is_ok();
                    turn.counters.closes_bad_utf8 += u64::from(!is_utf8);
                    if !reason.is_empty() {
                        sink.close_reason(self.meta.line, reason);
                    }
                    self.answer_close(code, is_utf8, turn.clock.raw());
                    sink.line_event(self.meta.line, LineEvent::PeerClosing { code: code.unwrap_or(CODE_NONE) });
                }
                Ok(None) => {
                    self.undelivered = false;
                    self.resume(turn, sink);
                    break;
                }
                Err(violation) => {
                    turn.counters.violations[violation as usize] += 1;
                    self.fail(violation, turn.clock.raw());
                    sink.line_event(self.meta.line, LineEvent::Violated { violation });
                }
            }
        }
        if !self.out.pending().is_empty() && !self.send_blocked {
            self.flush();
        }
        count
    }

    #[cold]
    fn stall<P>(&mut self, turn: &mut Turn<'_, P>, sink: &mut impl FrameSink) {
        if self.stalled_ticks.is_none() {
            self.stalled_ticks = Some(turn.clock.raw());
            turn.counters.stalls += 1;
            sink.line_event(self.meta.line, LineEvent::Stalled);
        }
    }

    /// Ends a stall once all that had come before it is handed on, so that a sink that takes a frame at a time makes
    /// one episode of it.
    #[inline]
    fn resume<P>(&mut self, turn: &Turn<'_, P>, sink: &mut impl FrameSink) {
        if let Some(since) = self.stalled_ticks.take() {
            let stalled_ns = turn.clock.delta_as_nanos(since, turn.clock.raw());
            sink.line_event(self.meta.line, LineEvent::Resumed { stalled_ns });
        }
    }

    #[cold]
    fn answer_close(&mut self, code: Option<u16>, is_utf8: bool, ticks: u64) {
        let reason = match self.phase {
            Phase::LocalClosing => DisconnectReason::LocalClosed,
            _ => DisconnectReason::PeerClosed,
        };
        let answer = if is_utf8 { code } else { Some(CODE_BAD_UTF8) };
        // Refused when ours went out before, which is then the answer.
        let _ = self.out.push_close(answer, b"");
        self.drain(reason, code.unwrap_or(CODE_NONE), ticks);
    }

    #[cold]
    fn fail(&mut self, violation: Violation, ticks: u64) {
        // Refused when ours went out before; the stream ends all the same.
        let _ = self.out.push_close(Some(violation.close_code()), b"");
        self.drain(DisconnectReason::Violation(violation), violation.close_code(), ticks);
        self.flush();
    }

    fn drain(&mut self, reason: DisconnectReason, code: u16, ticks: u64) {
        self.phase = Phase::Draining(reason, code);
        self.closing_ticks = Some(ticks);
    }

    /// Gives the socket what waits. An error is kept for the read that will meet it.
    pub(super) fn flush(&mut self) {
        while !self.out.pending().is_empty() {
            match self.transport.send(self.out.pending()) {
                Ok(0) => break,
                Ok(len) => self.out.sent(len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.send_blocked = true;
                    return;
                }
                Err(error) => {
                    self.send_error = Some(io_reason(&error));
                    self.out.abandon();
                    self.ready = true;
                }
            }
        }
        // A peer that broke the protocol is not waited for; the others end the stream first (RFC 6455 §7.1.1).
        if matches!(self.phase, Phase::Draining(DisconnectReason::Violation(_), _)) {
            self.transport.shutdown_send();
        }
    }

    /// Why it is gone when the stream ended for `reason`.
    #[cold]
    fn ended(&mut self, reason: DisconnectReason, code: u16) -> (DisconnectReason, u16) {
        match self.phase {
            Phase::Draining(reason, code) => (reason, code),
            _ => self.send_error.unwrap_or((reason, code)),
        }
    }
}

fn io_reason(error: &io::Error) -> (DisconnectReason, u16) {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            (DisconnectReason::Reset, CODE_ABNORMAL)
        }
        _ => (DisconnectReason::Io, error.raw_os_error().map_or(0, |number| number.unsigned_abs() as u16)),
    }
}

#[inline]
fn saturate(ns: u64) -> u32 {
    u32::try_from(ns).unwrap_or(u32::MAX)
}
