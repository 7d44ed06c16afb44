//! The receive buffer and the WebSocket framing over it (RFC 6455, client side). No socket, no clock.
//!
//! The caller reads into [`FrameBuffer::space`], says how much came by [`FrameBuffer::fill`] and takes events by
//! [`FrameBuffer::next`] until it says `None`. An unfragmented payload is borrowed from the buffer as it came: not
//! copied, not checked for UTF-8 (a feed is known to send other encodings in text frames). Fragments are put together
//! in a second buffer. Both are allocated by [`FrameBuffer::new`] and never grow.
//!
//! Frame headers are parsed by tungstenite. Lengths that could have been written shorter are accepted, as there.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Largest payload of a control frame, in bytes (RFC 6455 §5.5).
pub const CONTROL_PAYLOAD_MAX: usize = 125;
/// Largest header of a frame, mask included, in bytes.
pub const HEADER_BYTES_MAX: usize = 14;
/// Opcode of a text message.
pub const OPCODE_TEXT: u8 = 1;
/// Opcode of a binary message.
pub const OPCODE_BINARY: u8 = 2;

/// An incomplete tail up to this long is moved to the front as soon as that frees something: cheaper than to let the
/// writes wander through memory that is not in cache.
const MOVE_BYTES_CHEAP: usize = 4096;

/// What the peer did that the protocol forbids; the connection must be failed with [`Violation::close_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Violation {
    /// One of the reserved bits is set, though no extension was agreed on.
    ReservedBits = 0,
    /// Opcode 3 to 7 or 11 to 15.
    ReservedOpcode = 1,
    /// A server must not mask.
    MaskedFrame = 2,
    /// A ping, pong or close without the final bit.
    FragmentedControl = 3,
    /// A ping, pong or close of more than 125 bytes.
    ControlTooLong = 4,
    /// A continuation frame where no fragmented message is open.
    UnexpectedContinuation = 5,
    /// A new text or binary frame inside a fragmented message.
    ExpectedContinuation = 6,
    /// A message longer than the limit of this buffer.
    MessageTooBig = 7,
    /// A 64-bit length with its top bit set.
    LengthTopBit = 8,
    /// A Close with a payload of one byte.
    CloseTooShort = 9,
    /// A Close with a code that must not be sent.
    CloseCodeInvalid = 10,
}

impl Violation {
    /// Number of variants; `violation as usize` is below it.
    pub const COUNT: usize = 11;

    /// The code of the Close frame this is answered with.
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Violation::MessageTooBig => 1009,
            _ => 1002,
        }
    }
}

/// One thing the peer sent, borrowed from the buffer until its next use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text or binary message.
    Message {
        /// [`OPCODE_TEXT`] or [`OPCODE_BINARY`].
        opcode: u8,
        /// Its bytes as they came; a text is not known to be UTF-8.
        payload: &'a [u8],
    },
    /// To be answered by a Pong with the same payload.
    Ping(&'a [u8]),
    /// Needs no answer.
    Pong(&'a [u8]),
    /// The last event: what follows it in the buffer is not looked at.
    Close {
        /// `None` when the frame had no payload. Otherwise a code that may be sent.
        code: Option<u16>,
        /// At most 123 bytes, not known to be UTF-8.
        reason: &'a [u8],
    },
}

/// An event by its place, so that it can be given out again.
#[derive(Clone, Copy, Debug)]
struct Found {
    opcode: u8,
    assembled: bool,
    start: usize,
    end: usize,
}

const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;

/// The receive buffer of one connection with the state of its framing.
///
/// Capacity: one message of the limit, its header and one read. As long as the events are taken after each read, only
/// the first pages are used, which have their memory from the start; the rest gets it when a long message comes.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Box<[u8]>,
    /// First byte not yet given out, in `0 ..= end`.
    start: usize,
    /// First free byte.
    end: usize,
    /// Bytes from `start` below which the frame there is known to be incomplete.
    needed: usize,
    /// Fragments so far; never beyond its capacity, the message limit.
    assembly: Vec<u8>,
    /// Opcode of the fragmented message that is open, 0 for none.
    open: u8,
    message_bytes_max: usize,
    read_bytes: usize,
    /// The event given out last, when it was held back.
    held: Option<Found>,
    last: Option<Found>,
    ended: Option<Ended>,
}

#[derive(Clone, Copy, Debug)]
enum Ended {
    Closed,
    Broken(Violation),
}

impl FrameBuffer {
    /// A buffer for messages of at most `message_bytes_max`, read in pieces of at most `read_bytes` (at least 256 of
    /// either). Allocates all it will ever have.
    #[must_use]
    pub fn new(message_bytes_max: usize, read_bytes: usize) -> Self {
        let message_bytes_max = message_bytes_max.max(256);
        let read_bytes = read_bytes.max(256);
        let mut bytes = vec![0; message_bytes_max + HEADER_BYTES_MAX + read_bytes].into_boxed_slice();
        // The pages that everyday traffic uses get their memory now, not under the first burst.
        for page in bytes.chunks_mut(4096).take(2 * read_bytes / 4096) {
            page[0] = 1;
        }
        Self {
            bytes,
            start: 0,
            end: 0,
            needed: 2,
            assembly: Vec::with_capacity(message_bytes_max),
            open: 0,
            message_bytes_max,
            read_bytes,
            held: None,
            last: None,
            ended: None,
        }
    }

    /// Where the next bytes go: at most one read, never empty when [`next`](Self::next) last said `None`, empty while
    /// an event is [held](Self::hold). Moves an incomplete tail to the front when that is cheap or needed.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.held.is_some() {
            return &mut [];
        }
        self.last = None;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start > 0 {
            let tail = self.end - self.start;
            let room = self.bytes.len() - self.end;
            if room < self.read_bytes || tail <= MOVE_BYTES_CHEAP.min(self.start) {
                self.bytes.copy_within(self.start..self.end, 0);
                self.start = 0;
                self.end = tail;
            }
        }
        let limit = self.bytes.len().min(self.end + self.read_bytes);
        &mut self.bytes[self.end..limit]
    }

    /// The first `len` bytes of [`space`](Self::space) have been written.
    ///
    /// # Panics
    /// When that is more than there was.
    #[inline]
    pub fn fill(&mut self, len: usize) {
        assert!(len <= self.bytes.len() - self.end, "filled beyond the space");
        self.end += len;
    }

    /// Bytes not yet given out as events, those of an event held back included.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        let held =
            self.held.map_or(0, |found| if found.assembled { self.assembly.len() } else { found.end - found.start });
        self.end - self.start + held
    }

    /// The next event, `None` when more bytes are needed (or after a Close). Events come in the order of the frames'
    /// last bytes: a ping between fragments comes before the message.
    ///
    /// # Errors
    /// A [`Violation`], and from then on always the same.
    // It lends what it returns, so it cannot be an `Iterator`.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, Violation> {
        let found = match self.held.take() {
            Some(found) => found,
            None => match self.advance()? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        self.last = Some(found);
        let payload = if found.assembled { &self.assembly[..] } else { &self.bytes[found.start..found.end] };
        Ok(Some(match found.opcode {
            OPCODE_TEXT | OPCODE_BINARY => Event::Message { opcode: found.opcode, payload },
            OPCODE_CLOSE => match payload {
                [high, low, reason @ ..] => Event::Close { code: Some(u16::from_be_bytes([*high, *low])), reason },
                _ => Event::Close { code: None, reason: &[] },
            },
            OPCODE_PING => Event::Ping(payload),
            _ => Event::Pong(payload),
        }))
    }

    /// The event [`next`](Self::next) returned last could not be taken: it is returned again by the next call. Until
    /// then [`space`](Self::space) is empty, so that its bytes stay.
    pub fn hold(&mut self) {
        self.held = self.last;
    }

    /// Forgets everything received, for a connection whose further bytes do not matter.
    pub fn discard(&mut self) {
        self.start = 0;
        self.end = 0;
        self.held = None;
    }

    /// Steps to the next whole event. The order of the checks is tungstenite's.
    #[inline]
    fn advance(&mut self) -> Result<Option<Found>, Violation> {
        loop {
            let available = self.end - self.start;
            if available < self.needed {
                return Ok(None);
            }
            if let Some(ended) = self.ended {
                return match ended {
                    Ended::Closed => Ok(None),
                    Ended::Broken(violation) => Err(violation),
                };
            }
            let mut cursor = Cursor::new(&self.bytes[self.start..self.end]);
            let (header, length) = match FrameHeader::parse(&mut cursor) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return Ok(None),
                Err(_) => return Err(self.fail(Violation::ReservedOpcode)),
            };
            let header_bytes = cursor.position() as usize;
            if let Some(violation) = self.judge(&header, length) {
                return Err(self.fail(violation));
            }
            let length = length as usize;
            let whole = header_bytes + length;
            if available < whole {
                self.needed = whole;
                return Ok(None);
            }
            let start = self.start + header_bytes;
            let end = start + length;
            self.start = end;
            self.needed = 2;
            let opcode = u8::from(header.opcode);
            if opcode >= OPCODE_CLOSE {
                if opcode == OPCODE_CLOSE {
                    if let Some(violation) = judge_close(&self.bytes[start..end]) {
                        return Err(self.fail(violation));
                    }
                    self.ended = Some(Ended::Closed);
                    self.needed = 0;
                }
                return Ok(Some(Found { opcode, assembled: false, start, end }));
            }
            if opcode != 0 && header.is_final {
                return Ok(Some(Found { opcode, assembled: false, start, end }));
            }
            if let Some(opcode) = self.assemble(opcode, header.is_final, start, end) {
                return Ok(Some(Found { opcode, assembled: true, start, end }));
            }
        }
    }

    /// Adds a fragment; the opcode of the message when it is whole.
    #[cold]
    fn assemble(&mut self, opcode: u8, is_final: bool, start: usize, end: usize) -> Option<u8> {
        if opcode != 0 {
            self.open = opcode;
            self.assembly.clear();
        }
        self.assembly.extend_from_slice(&self.bytes[start..end]);
        is_final.then(|| std::mem::take(&mut self.open))
    }

    /// What a header breaks, judged before its payload is here.
    #[inline]
    fn judge(&self, header: &FrameHeader, length: u64) -> Option<Violation> {
        let data = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        let odd = header.rsv1 | header.rsv2 | header.rsv3 | header.mask.is_some() | !data | (self.open != 0);
        if !odd && length <= self.message_bytes_max as u64 {
            return None;
        }
        self.judge_odd(header, length)
    }

    #[cold]
    fn judge_odd(&self, header: &FrameHeader, length: u64) -> Option<Violation> {
        if length >> 63 != 0 {
            return Some(Violation::LengthTopBit);
        }
        if length > self.message_bytes_max as u64 {
            return Some(Violation::MessageTooBig);
        }
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Some(Violation::ReservedBits);
        }
        if header.mask.is_some() {
            return Some(Violation::MaskedFrame);
        }
        match header.opcode {
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => Some(Violation::ReservedOpcode),
            OpCode::Control(_) if !header.is_final => Some(Violation::FragmentedControl),
            OpCode::Control(_) if length > CONTROL_PAYLOAD_MAX as u64 => Some(Violation::ControlTooLong),
            OpCode::Control(_) => None,
            OpCode::Data(Data::Continue) if self.open == 0 => Some(Violation::UnexpectedContinuation),
            OpCode::Data(Data::Continue) if self.assembly.len() as u64 + length > self.message_bytes_max as u64 => {
                Some(Violation::MessageTooBig)
            }
            OpCode::Data(Data::Continue) => None,
            OpCode::Data(_) if self.open != 0 => Some(Violation::ExpectedContinuation),
            OpCode::Data(_) => None,
        }
    }

    #[cold]
    fn fail(&mut self, violation: Violation) -> Violation {
        self.ended = Some(Ended::Broken(violation));
        self.needed = 0;
        violation
    }
}

fn judge_close(payload: &[u8]) -> Option<Violation> {
    match payload {
        [] => None,
        [_] => Some(Violation::CloseTooShort),
        [high, low, ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            (!close_code_may_be_sent(code)).then_some(Violation::CloseCodeInvalid)
        }
    }
}

/// Whether a code may stand in a Close frame: the registered ones (1000 to 1003, 1007 to 1014) and 3000 to 4999.
#[must_use]
pub fn close_code_may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
