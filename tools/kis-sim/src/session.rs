//! One client's connection: handshake, frames in, bytes out. Knows RFC 6455, nothing of the market.

use std::collections::VecDeque;
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown};

use mio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::fault::PendingFaults;
use crate::ledger::Ledger;

/// Longest message of a client; longer ones close the connection with 1009.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// What is read of one connection before the others have their turn.
const TURN_BYTES: usize = 16 << 10;
/// Written bytes at the front of the output that are kept before the rest moves down.
const COMPACT_BYTES: usize = 1 << 20;

/// What a client said.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// The handshake is done.
    Opened,
    /// A whole text or binary message.
    Message(Vec<u8>),
    /// A ping of the client's own, which the real server does not like; answered.
    Ping,
    /// A pong; official clients answer PINGPONG with it.
    Pong,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Request not read yet.
    Handshake,
    /// Frames go both ways.
    Open,
    /// Our Close is queued or sent; the client's is awaited.
    Closing,
    /// Done when the output is flushed.
    Draining,
    /// To be removed.
    Dead,
}

/// A data frame in the output whose last byte has not been written.
#[derive(Debug)]
struct Queued {
    start: usize,
    text: usize,
    end: usize,
    tr: usize,
    records: u32,
    /// The text where the bytes on the wire are not it: masked or fragmented frames.
    plain: Option<Vec<u8>>,
}

/// What a fault does to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// It is not sent.
    Lost,
    /// It is sent at this moment.
    Late(u64),
}

/// A slow writer's budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drip {
    pub(crate) bytes: usize,
    pub(crate) every_ns: u64,
    pub(crate) until_ns: Option<u64>,
    pub(crate) next_ns: u64,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: IpAddr,
    /// From 1 in order of acceptance.
    pub(crate) number: u64,
    pub(crate) state: State,
    /// Index of the app key, bound by the first valid registration.
    pub(crate) app: Option<usize>,
    /// Registered (TR, key) pairs.
    pub(crate) feeds: Vec<(String, String)>,
    pub(crate) secrets: (String, String),
    /// Account notices sent, and when the next is due.
    pub(crate) notices: u64,
    pub(crate) notice_at_ns: u64,
    pub(crate) faults: PendingFaults,
    /// Data frames meant for this connection, those left out by faults included.
    pub(crate) frames: u64,
    pub(crate) registrations_seen: u64,
    pub(crate) drop_left: u64,
    /// Fields that each record has more.
    pub(crate) widened: usize,
    pub(crate) stalled_until_ns: u64,
    pub(crate) drip: Option<Drip>,
    pub(crate) pingpong: bool,
    /// Gone without a word: nothing is sent, nothing heard but the end of the stream.
    pub(crate) half_open: bool,
    /// The next registration stays without data.
    pub(crate) dark: bool,
    /// What becomes of the next answer.
    pub(crate) ack: Option<Ack>,
    /// Answers held back, with the moment at which they are sent.
    pub(crate) late: Vec<(u64, String)>,
    /// Judged as a connect of its app key.
    pub(crate) judged: bool,
    pub(crate) last_rx_ns: u64,
    pub(crate) last_tx_ns: u64,
    pub(crate) unanswered_since_ns: Option<u64>,
    /// The client's Close has come: the slot of its app key is free at once.
    pub(crate) close_received: bool,
    /// The socket may hold more than has been read.
    pub(crate) unread: bool,
    /// Since when the connection waits for its client: for the request at its begin, for Close or the last bytes at its end.
    pub(crate) waiting_since_ns: Option<u64>,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    queued: VecDeque<Queued>,
    fragments: Option<Vec<u8>>,
    blocked: bool,
}

impl Connection {
    pub(crate) fn new(
        (stream, peer): (TcpStream, IpAddr),
        number: u64,
        faults: PendingFaults,
        secrets: (String, String),
        now_ns: u64,
    ) -> Self {
        Self {
            stream,
            peer,
            number,
            state: State::Handshake,
            app: None,
            feeds: Vec::new(),
            secrets,
            notices: 0,
            notice_at_ns: 0,
            faults,
            frames: 0,
            registrations_seen: 0,
            drop_left: 0,
            widened: 0,
            stalled_until_ns: 0,
            drip: None,
            pingpong: true,
            half_open: false,
            dark: false,
            ack: None,
            late: Vec::new(),
            judged: false,
            last_rx_ns: now_ns,
            last_tx_ns: now_ns,
            unanswered_since_ns: None,
            close_received: false,
            unread: false,
            waiting_since_ns: Some(now_ns),
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            queued: VecDeque::new(),
            fragments: None,
            blocked: false,
        }
    }

    /// Reads until the socket is empty or its turn is over, and gives what it meant to `inbound`.
    pub(crate) fn read(&mut self, now_ns: u64, inbound: &mut Vec<Inbound>) {
        let mut chunk = [0; TURN_BYTES];
        let mut left = TURN_BYTES;
        while left > 0 {
            match self.stream.read(&mut chunk[..left]) {
                Ok(0) => {
                    self.state = State::Dead;
                    break;
                }
                Ok(n) => {
                    self.last_rx_ns = now_ns;
                    left -= n;
                    self.input.extend_from_slice(&chunk[..n]);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.unread = false;
                    break;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.state = State::Dead;
                    return;
                }
            }
        }
        // What comes behind the client's Close, or when nothing can change any more, is not looked at.
        if self.half_open || self.close_received || self.state == State::Draining {
            return self.input.clear();
        }
        if self.state == State::Handshake && self.handshake() {
            inbound.push(Inbound::Opened);
        }
        // A client may say Close and end its stream in one go: what it said still counts.
        if matches!(self.state, State::Open | State::Closing | State::Dead) {
            let dead = self.state == State::Dead;
            self.frames_in(inbound);
            if dead {
                self.state = State::Dead;
            }
        }
    }

    /// Answers the request once its empty line is there; true when it was accepted.
    fn handshake(&mut self) -> bool {
        let Some(end) = self.input.windows(4).position(|w| w == b"\r\n\r\n").map(|i| i + 4) else {
            if self.input.len() > HANDSHAKE_BYTES_MAX {
                self.state = State::Dead;
            }
            return false;
        };
        let head: Vec<u8> = self.input.drain(..end).collect();
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(&head).is_ok();
        let value = |name: &str| {
            let header = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let says = |name: &str, word: &str| {
            value(name).is_some_and(|v| v.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
        };
        let upgrade = parsed
            && request.method == Some("GET")
            && says("Upgrade", "websocket")
            && says("Connection", "Upgrade")
            && value("Sec-WebSocket-Version") == Some("13");
        let (Some(key), true) = (value("Sec-WebSocket-Key"), upgrade) else {
            self.output.extend_from_slice(
                b"HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            );
            self.state = State::Draining;
            return false;
        };
        // No Sec-WebSocket-Extensions: compression is declined whatever was offered.
        let accept = derive_accept_key(key.trim().as_bytes());
        self.output.extend_from_slice(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .as_bytes(),
        );
        self.state = State::Open;
        true
    }

    fn frames_in(&mut self, inbound: &mut Vec<Inbound>) {
        let mut consumed = 0;
        while !self.close_received {
            let mut cursor = Cursor::new(&self.input[consumed..]);
            let (header, length) = match FrameHeader::parse(&mut cursor) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => break,
                Err(_) => return self.fail(1002, "bad opcode"),
            };
            let start = consumed + cursor.position() as usize;
            if length > MESSAGE_BYTES_MAX as u64 {
                return self.fail(1009, "message too big");
            }
            let end = start + length as usize;
            if header.rsv1 || header.rsv2 || header.rsv3 {
                return self.fail(1002, "reserved bits");
            }
            let Some(mask) = header.mask else { return self.fail(1002, "frame not masked") };
            if self.input.len() < end {
                break;
            }
            let payload: Vec<u8> = self.input[start..end].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
            consumed = end;
            match header.opcode {
                OpCode::Control(control) => {
                    if !header.is_final || payload.len() > 125 {
                        return self.fail(1002, "bad control frame");
                    }
                    self.control_in(control, payload, inbound);
                }
                OpCode::Data(Data::Continue) => {
                    let Some(mut message) = self.fragments.take() else {
                        return self.fail(1002, "continuation of nothing");
                    };
                    message.extend_from_slice(&payload);
                    if message.len() > MESSAGE_BYTES_MAX {
                        return self.fail(1009, "message too big");
                    }
                    if header.is_final {
                        inbound.push(Inbound::Message(message));
                    } else {
                        self.fragments = Some(message);
                    }
                }
                OpCode::Data(_) => {
                    if self.fragments.is_some() {
                        return self.fail(1002, "message inside a message");
                    }
                    if header.is_final {
                        inbound.push(Inbound::Message(payload));
                    } else {
                        self.fragments = Some(payload);
                    }
                }
            }
        }
        self.input.drain(..consumed);
    }

    fn control_in(&mut self, control: Control, payload: Vec<u8>, inbound: &mut Vec<Inbound>) {
        match control {
            Control::Ping => {
                inbound.push(Inbound::Ping);
                // Nothing follows a Close.
                if self.state == State::Open {
                    self.push(OpCode::Control(Control::Pong), &payload);
                }
            }
            Control::Pong => inbound.push(Inbound::Pong),
            _ => {
                self.close_received = true;
                if self.state == State::Open {
                    // Echo the code, as the protocol asks, without judging it.
                    let code = payload.get(..2).unwrap_or(&[]).to_vec();
                    self.push(OpCode::Control(Control::Close), &code);
                }
                self.state = State::Draining;
            }
        }
    }

    /// A breach of the protocol by the client.
    fn fail(&mut self, code: u16, reason: &str) {
        self.input.clear();
        self.close(code, reason);
        self.state = State::Draining;
    }

    /// Queues a Close; the connection ends with the client's.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        if self.state != State::Open {
            return;
        }
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(reason.bytes().take(123));
        self.push(OpCode::Control(Control::Close), &payload);
        self.state = State::Closing;
    }

    /// Queues a frame that is not a data frame.
    pub(crate) fn push(&mut self, opcode: OpCode, payload: &[u8]) {
        put_header(&mut self.output, opcode, true, payload.len());
        self.output.extend_from_slice(payload);
    }

    /// Queues a control text of KIS.
    pub(crate) fn push_text(&mut self, text: &str) {
        self.push(OpCode::Data(Data::Text), text.as_bytes());
    }

    /// Queues a data frame; it counts when its last byte is written.
    pub(crate) fn push_data(&mut self, tr: usize, records: u32, text: &[u8]) {
        let start = self.output.len();
        put_header(&mut self.output, OpCode::Data(Data::Text), true, text.len());
        let at = self.output.len();
        self.output.extend_from_slice(text);
        self.queued.push_back(Queued { start, text: at, end: self.output.len(), tr, records, plain: None });
    }

    /// Queues bytes that are a data frame in an unusual form.
    pub(crate) fn push_odd(&mut self, tr: usize, records: u32, text: &[u8], wire: &[u8]) {
        let start = self.output.len();
        self.output.extend_from_slice(wire);
        let end = self.output.len();
        self.queued.push_back(Queued { start, text: start, end, tr, records, plain: Some(text.to_vec()) });
    }

    /// The end of the stream behind what is queued, without a Close.
    pub(crate) fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Draining;
        }
    }

    /// Queues bytes as they are; nothing follows them.
    pub(crate) fn push_last(&mut self, wire: &[u8]) {
        self.output.extend_from_slice(wire);
        self.state = State::Draining;
    }

    /// Bytes waiting.
    pub(crate) fn backlog(&self) -> usize {
        self.output.len() - self.written
    }

    /// Data frames waiting.
    pub(crate) fn frames_waiting(&self) -> u64 {
        self.queued.len() as u64
    }

    /// The socket takes bytes again.
    pub(crate) fn unblock(&mut self) {
        self.blocked = false;
    }

    /// Writes what the socket, a stall and a drip allow. `wall` gives nanoseconds since the UNIX epoch.
    pub(crate) fn flush(&mut self, now_ns: u64, wall: impl Fn() -> u64, ledger: &mut Ledger) {
        if self.state == State::Dead || self.blocked || self.half_open || now_ns < self.stalled_until_ns {
            return;
        }
        let mut limit = self.output.len();
        if let Some(drip) = &mut self.drip {
            if drip.until_ns.is_some_and(|until| now_ns >= until) {
                self.drip = None;
            } else if now_ns < drip.next_ns {
                return;
            } else {
                drip.next_ns = now_ns + drip.every_ns;
                limit = limit.min(self.written + drip.bytes);
            }
        }
        let before = self.written;
        while self.written < limit {
            match self.stream.write(&self.output[self.written..limit]) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.state = State::Dead;
                    break;
                }
            }
        }
        if self.written > before {
            self.last_tx_ns = now_ns;
            self.account(wall(), ledger);
        }
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
            if self.state == State::Draining {
                let _ = self.stream.shutdown(Shutdown::Write);
                self.state = State::Dead;
            }
        } else if self.written > COMPACT_BYTES {
            self.compact();
        }
    }

    /// Enters the frames whose last byte is written into the ledger.
    fn account(&mut self, wall_ns: u64, ledger: &mut Ledger) {
        while let Some(frame) = self.queued.front().filter(|frame| frame.end <= self.written) {
            let text = frame.plain.as_deref().unwrap_or(&self.output[frame.text..frame.end]);
            ledger.sent(wall_ns, self.number, frame.tr, frame.records, frame.end - frame.start, text);
            self.queued.pop_front();
        }
    }

    /// Moves the unwritten rest down; the frame that is half written keeps its text.
    fn compact(&mut self) {
        let gone = self.queued.front().map_or(self.written, |frame| frame.start.min(self.written));
        self.output.drain(..gone);
        self.written -= gone;
        for frame in &mut self.queued {
            frame.start -= gone;
            frame.text -= gone;
            frame.end -= gone;
        }
    }

    /// Whether the client has kept the connection waiting for so long that it ends without it.
    pub(crate) fn is_overdue(&mut self, now_ns: u64, handshake_ns: u64, close_ns: u64) -> bool {
        let bound = match self.state {
            State::Handshake => handshake_ns,
            State::Closing | State::Draining => close_ns,
            State::Open | State::Dead => {
                self.waiting_since_ns = None;
                return false;
            }
        };
        let since = *self.waiting_since_ns.get_or_insert(now_ns);
        // Bytes on their way are no waiting, nor is a stall of the venue's own.
        let busy_ns = if self.state == State::Handshake { since } else { self.last_tx_ns.max(self.stalled_until_ns) };
        now_ns > since.max(busy_ns).saturating_add(bound)
    }

    /// Resets the connection instead of ending it.
    pub(crate) fn reset(&mut self) {
        reset_when_dropped(&self.stream);
        self.state = State::Dead;
    }
}

/// Makes the end of a socket a reset.
pub(crate) fn reset_when_dropped(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

/// A frame header as a server writes it.
pub(crate) fn put_header(out: &mut Vec<u8>, opcode: OpCode, is_final: bool, length: usize) {
    let header = FrameHeader { is_final, opcode, ..FrameHeader::default() };
    // Writing to a vector does not fail.
    let _ = header.format(length as u64, out);
}
