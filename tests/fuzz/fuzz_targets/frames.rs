//! Any bytes from a server, in any cut: no panic, no event beyond its limit, the same events as from one piece.
//!
//! Input: limit of a message (byte 0), of a read (byte 1), seed of the cuts (byte 2), then the wire.
#![no_main]

use hoga::net::frames::{CONTROL_PAYLOAD_MAX, Event, FrameBuffer, Violation};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, PartialEq)]
enum Owned {
    Message(u8, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
}

fn owned(event: Event<'_>, message_bytes_max: usize) -> Owned {
    let (owned, bytes, limit) = match event {
        Event::Message { opcode, payload } => (Owned::Message(opcode, payload.to_vec()), payload, message_bytes_max),
        Event::Ping(payload) => (Owned::Ping(payload.to_vec()), payload, CONTROL_PAYLOAD_MAX),
        Event::Pong(payload) => (Owned::Pong(payload.to_vec()), payload, CONTROL_PAYLOAD_MAX),
        Event::Close { code, reason } => (Owned::Close(code, reason.to_vec()), reason, CONTROL_PAYLOAD_MAX - 2),
    };
    assert!(bytes.len() <= limit, "{} bytes where {limit} is the limit", bytes.len());
    owned
}

struct Cuts(u32);

impl Cuts {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // Short cuts are the interesting ones: headers come apart.
        if self.0 & 3 == 0 { self.0 as usize >> 8 & 0x3ff } else { self.0 as usize >> 8 & 7 }
    }
}

/// All events of a wire, and how it ended. Now and then an event is held back and must come again as it was.
fn run(
    wire: &[u8],
    message_bytes_max: usize,
    read_bytes: usize,
    mut cuts: Option<Cuts>,
) -> (Vec<Owned>, Option<Violation>) {
    let mut buffer = FrameBuffer::new(message_bytes_max, read_bytes);
    let mut events = Vec::new();
    let mut left = wire;
    loop {
        let space = buffer.space();
        assert!(!space.is_empty() && space.len() <= read_bytes, "room for one read");
        let cut = cuts.as_mut().map_or(usize::MAX, |cuts| cuts.next().max(1));
        let len = left.len().min(space.len()).min(cut);
        space[..len].copy_from_slice(&left[..len]);
        left = &left[len..];
        buffer.fill(len);
        loop {
            let event = match buffer.next() {
                Ok(Some(event)) => owned(event, message_bytes_max),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(buffer.next(), Err(violation), "a violation stays");
                    return (events, Some(violation));
                }
            };
            if cuts.as_mut().is_some_and(|cuts| cuts.next() == 0) {
                buffer.hold();
                assert!(buffer.space().is_empty(), "nothing is read while an event is held");
                let again = buffer.next().expect("no violation").map(|event| owned(event, message_bytes_max));
                assert_eq!(again.as_ref(), Some(&event));
            }
            let closed = matches!(event, Owned::Close(..));
            events.push(event);
            if closed {
                assert_eq!(buffer.next(), Ok(None), "nothing after a Close");
                return (events, None);
            }
        }
        if left.is_empty() {
            return (events, None);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let [limit, read, seed, wire @ ..] = input else { return };
    let message_bytes_max = 256 + usize::from(*limit) * 8;
    let read_bytes = 256 + usize::from(*read) * 8;
    let cut = run(wire, message_bytes_max, read_bytes, Some(Cuts(u32::from(*seed) + 1)));
    let whole = run(wire, message_bytes_max, wire.len().max(256), None);
    assert_eq!(cut, whole);
});
