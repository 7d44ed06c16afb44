//! Messages to bytes: the bounded outgoing buffer of one connection. No socket.
//!
//! Frames are masked as RFC 6455 §5.3 asks of a client, each with a mask of its own: SipHash, keyed by the operating
//! system's entropy at construction, over a counter. No system call and no allocation after [`Outbound::new`].

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::frames::{CONTROL_PAYLOAD_MAX, HEADER_BYTES_MAX, OPCODE_BINARY};

/// Room always kept for the one Close frame, so that it never fails for want of it.
const CLOSE_BYTES_MAX: usize = 2 + 4 + CONTROL_PAYLOAD_MAX;

/// Why a frame was not queued. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SendRefused {
    /// The buffer holds too much that the socket has not taken yet.
    Full = 0,
    /// A Close frame was queued before; nothing may follow it.
    Closed = 1,
}

/// Outgoing bytes of one connection, in order, until the socket takes them.
///
/// Bounded: a frame that does not fit whole is refused and the caller counts it; what is queued is never dropped.
#[derive(Debug)]
pub struct Outbound {
    bytes: Vec<u8>,
    /// Bytes of `bytes` already sent.
    sent: usize,
    bound: usize,
    closed: bool,
    keys: RandomState,
    frames: u64,
}

impl Outbound {
    /// A buffer for at most `bound` bytes of frames, and a Close besides.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        let mut bytes = vec![1; bound + CLOSE_BYTES_MAX]; // not zero, so that the pages get their memory now
        bytes.clear();
        Self { bytes, sent: 0, bound, closed: false, keys: RandomState::new(), frames: 0 }
    }

    /// Queues a text message. The caller answers for its being UTF-8.
    ///
    /// # Errors
    /// [`SendRefused`], and nothing is queued.
    pub fn push_text(&mut self, payload: &[u8]) -> Result<(), SendRefused> {
        self.push(OpCode::Data(Data::Text), payload, self.bound)
    }

    /// Queues a message of opcode 1 (text) or 2 (binary).
    ///
    /// # Errors
    /// [`SendRefused`], and nothing is queued.
    pub fn push_message(&mut self, opcode: u8, payload: &[u8]) -> Result<(), SendRefused> {
        let data = if opcode == OPCODE_BINARY { Data::Binary } else { Data::Text };
        self.push(OpCode::Data(data), payload, self.bound)
    }

    /// Queues the answer to a ping, at most 125 bytes of it.
    ///
    /// # Errors
    /// [`SendRefused`], and nothing is queued; the protocol allows to answer only the newest ping.
    pub fn push_pong(&mut self, payload: &[u8]) -> Result<(), SendRefused> {
        let payload = &payload[..payload.len().min(CONTROL_PAYLOAD_MAX)];
        self.push(OpCode::Control(Control::Pong), payload, self.bound)
    }

    /// Queues the Close frame, after which nothing else is taken. There is always room for it. Without a code it is
    /// empty; of the reason at most 123 bytes go out.
    ///
    /// # Errors
    /// [`SendRefused::Closed`] the second time.
    pub fn push_close(&mut self, code: Option<u16>, reason: &[u8]) -> Result<(), SendRefused> {
        let mut payload = [0; CONTROL_PAYLOAD_MAX];
        let len = match code {
            Some(code) => {
                let reason = &reason[..reason.len().min(CONTROL_PAYLOAD_MAX - 2)];
                payload[..2].copy_from_slice(&code.to_be_bytes());
                payload[2..2 + reason.len()].copy_from_slice(reason);
                2 + reason.len()
            }
            None => 0,
        };
        self.push(OpCode::Control(Control::Close), &payload[..len], self.bound + CLOSE_BYTES_MAX)?;
        self.closed = true;
        Ok(())
    }

    /// What the socket should take next; empty when all is sent.
    #[inline]
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The socket took the first `len` bytes of [`pending`](Self::pending).
    ///
    /// # Panics
    /// When that is more than was pending.
    pub fn sent(&mut self, len: usize) {
        assert!(len <= self.bytes.len() - self.sent, "sent more than was pending");
        self.sent += len;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Gives up what is pending, for a socket that takes no more.
    pub fn abandon(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.closed = true;
    }

    /// Whether a Close frame was queued.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn push(&mut self, opcode: OpCode, payload: &[u8], bound: usize) -> Result<(), SendRefused> {
        if self.closed {
            return Err(SendRefused::Closed);
        }
        if self.pending().len() + HEADER_BYTES_MAX + payload.len() > bound {
            return Err(SendRefused::Full);
        }
        if self.sent > 0 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        let mask = self.next_mask();
        let header = FrameHeader { is_final: true, opcode, mask: Some(mask), ..FrameHeader::default() };
        let header_written = header.format(payload.len() as u64, &mut self.bytes);
        debug_assert!(header_written.is_ok(), "writing to memory does not fail");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        apply_mask(&mut self.bytes[start..], mask);
        Ok(())
    }

    fn next_mask(&mut self) -> [u8; 4] {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u64(self.frames);
        self.frames += 1;
        (hasher.finish() as u32).to_be_bytes()
    }
}

fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let mut chunks = payload.chunks_exact_mut(4);
    for chunk in &mut chunks {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read, Write};
    use tungstenite::Message;
    use tungstenite::protocol::{Role, WebSocket};

    struct Peer(Cursor<Vec<u8>>);

    impl Read for Peer {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buf)
        }
    }

    impl Write for Peer {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            Ok(buf.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn read_as_server(bytes: Vec<u8>) -> Vec<Message> {
        let mut server = WebSocket::from_raw_socket(Peer(Cursor::new(bytes)), Role::Server, None);
        std::iter::from_fn(|| server.read().ok()).collect()
    }

    #[test]
    fn a_server_reads_what_was_pushed_at_every_length() {
        for len in (0..300).chain([65_535, 65_536, 70_001]) {
            let payload = vec![b'x'; len];
            let mut out = Outbound::new(1 << 18);
            out.push_text(&payload).unwrap();
            out.push_message(OPCODE_BINARY, &payload).unwrap();
            out.push_pong(&payload).unwrap();
            let read = read_as_server(out.pending().to_vec());
            assert_eq!(read[0], Message::text(String::from_utf8(payload.clone()).unwrap()));
            assert_eq!(read[1], Message::binary(payload.clone()));
            assert_eq!(read[2], Message::Pong(payload[..len.min(125)].to_vec().into()));
        }
    }

    #[test]
    fn a_close_always_fits_and_nothing_follows_it() {
        let mut out = Outbound::new(64);
        while out.push_text(b"fill").is_ok() {}
        assert_eq!(out.push_text(b"fill"), Err(SendRefused::Full));
        let capacity = out.bytes.capacity();
        out.push_close(Some(1000), &[b'r'; 200]).unwrap();
        assert_eq!(out.bytes.capacity(), capacity);
        assert_eq!(out.push_text(b""), Err(SendRefused::Closed));
        assert_eq!(out.push_close(None, b""), Err(SendRefused::Closed));
        let read = read_as_server(out.pending().to_vec());
        let Some(Message::Close(Some(frame))) = read.last() else { panic!("no close: {read:?}") };
        assert_eq!((u16::from(frame.code), frame.reason.len()), (1000, 123));
    }

    #[test]
    fn partial_sends_keep_the_rest_in_order() {
        let mut out = Outbound::new(1024);
        let mut wire = Vec::new();
        for index in 0..200_u32 {
            out.push_text(index.to_string().as_bytes()).unwrap();
            let take = out.pending().len().min(5 + index as usize % 9);
            wire.extend_from_slice(&out.pending()[..take]);
            out.sent(take);
            if index % 50 == 49 {
                wire.extend_from_slice(out.pending());
                out.sent(out.pending().len());
            }
        }
        let read = read_as_server(wire);
        let expected: Vec<_> = (0..200).map(|index: u32| Message::text(index.to_string())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn masks_differ_from_frame_to_frame() {
        let mut out = Outbound::new(1024);
        let masks: std::collections::HashSet<_> = (0..64).map(|_| out.next_mask()).collect();
        assert!(masks.len() > 60);
    }
}
