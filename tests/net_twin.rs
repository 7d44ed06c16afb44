//! Goal: our framing behaves as tungstenite's own `WebSocket` does. Method: random sequences of frames, valid and not,
//! are cut into random pieces and given to both; the messages, their order and the kind of ending must agree.
//!
//! Deliberate differences, kept out of what is generated or folded together where endings are compared:
//!
//! - bad UTF-8: tungstenite fails the connection, we pass it on (texts and reasons here are ASCII);
//! - close code 1014 (registered, but not known to tungstenite): we take it;
//! - a close code that must not be sent: tungstenite shows a Close of code 1002, we name a violation with that code;
//! - a length with its top bit set: too big there, a protocol error (`LengthTopBit`) here;
//! - a header is judged as soon as it is there; tungstenite waits for the payload, so that a stream that ends in the
//!   middle of a bad frame is cut off there and a violation here (only good frames are cut off).

use std::io::{self, Read, Write};

use hoga::net::frames::{Event, FrameBuffer};
use proptest::prelude::*;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Message, protocol::frame::coding::CloseCode};

const LIMIT: usize = 600;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    /// The connection is failed with this code.
    Failed(u16),
    /// The stream ended first.
    CutOff,
}

/// A frame as it is written, right or wrong.
#[derive(Clone, Debug)]
struct Frame {
    first: u8,
    masked: bool,
    /// How the length is written: 0 shortest, 1 in at least 16 bits, 2 in 64.
    length_form: u8,
    payload: Vec<u8>,
}

impl Frame {
    fn write(&self, wire: &mut Vec<u8>) {
        wire.push(self.first);
        let mask_bit = if self.masked { 0x80 } else { 0 };
        let len = self.payload.len();
        match (len, self.length_form) {
            (0..126, 0) => wire.push(mask_bit | len as u8),
            (_, 0 | 1) => {
                wire.push(mask_bit | 126);
                wire.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                wire.push(mask_bit | 127);
                wire.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        if self.masked {
            wire.extend_from_slice(&[0; 4]);
        }
        wire.extend_from_slice(&self.payload);
    }
}

fn ascii(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(0x20..0x7F_u8, 0..max.min(40)),
        1 => prop::collection::vec(0x20..0x7F_u8, 0..max),
    ]
}

fn good(first: u8, payload: Vec<u8>) -> Frame {
    Frame { first, masked: false, length_form: 0, payload }
}

/// Runs of frames that are right by themselves: a message, a fragmented one with controls between, a control frame.
fn valid() -> impl Strategy<Value = Vec<Frame>> {
    let control = || (prop_oneof![Just(0x89_u8), Just(0x8A)], ascii(126)).prop_map(|(first, p)| good(first, p));
    let fragment = || (ascii(200), prop::option::weighted(0.4, control()));
    prop_oneof![
        6 => (1..=2_u8, ascii(LIMIT), 0..3_u8).prop_map(|(opcode, payload, length_form)| vec![
            Frame { first: 0x80 | opcode, masked: false, length_form, payload }
        ]),
        2 => control().prop_map(|frame| vec![frame]),
        3 => (1..=2_u8, prop::collection::vec(fragment(), 2..6)).prop_map(|(opcode, parts)| {
            let count = parts.len();
            let mut frames = Vec::new();
            for (index, (payload, between)) in parts.into_iter().enumerate() {
                let opcode = if index == 0 { opcode } else { 0 };
                let last = index == count - 1;
                frames.push(good(opcode | if last { 0x80 } else { 0 }, payload));
                frames.extend(between.filter(|_| !last));
            }
            frames
        }),
    ]
}

/// Any frame at all: opcode, bits and mask at random, mostly unfit where it stands.
fn wild() -> impl Strategy<Value = Vec<Frame>> {
    let first = prop_oneof![any::<u8>(), (0..=2_u8).prop_map(|opcode| 0x80 | opcode), 0..=2_u8];
    (first, prop::bool::weighted(0.2), ascii(LIMIT + 40)).prop_map(|(first, masked, payload)| {
        // A close made at random has a code made at random, which is what `close` is for.
        let payload = if first & 0x0F == 8 { payload.into_iter().take(1).collect() } else { payload };
        vec![Frame { first, masked, length_form: 0, payload }]
    })
}

/// A message over the limit, in one frame or two.
fn too_big() -> impl Strategy<Value = Vec<Frame>> {
    (1..40_usize, prop::option::of(1..LIMIT)).prop_map(|(over, first)| {
        let payload = vec![b'x'; LIMIT + over];
        match first {
            None => vec![good(0x82, payload)],
            Some(first) => vec![good(2, payload[..first].to_vec()), good(0x80, payload[first..].to_vec())],
        }
    })
}

fn close() -> impl Strategy<Value = Vec<Frame>> {
    let code = prop_oneof![4 => 990..1020_u16, 1 => any::<u16>(), 1 => 2990..5010_u16]
        .prop_filter("1014 is a deliberate difference", |code| *code != 1014);
    prop_oneof![
        1 => Just(vec![good(0x88, Vec::new())]),
        5 => (code, ascii(123)).prop_map(|(code, reason)| {
            let mut payload = code.to_be_bytes().to_vec();
            payload.extend(reason);
            vec![good(0x88, payload)]
        }),
    ]
}

fn wire() -> impl Strategy<Value = Vec<u8>> {
    let runs = prop::collection::vec(prop_oneof![24 => valid(), 2 => wild(), 2 => close(), 1 => too_big()], 0..12);
    (runs, prop::option::weighted(0.3, (ascii(126), any::<prop::sample::Index>()))).prop_map(|(runs, cut)| {
        let mut wire = Vec::new();
        for frame in runs.iter().flatten() {
            frame.write(&mut wire);
        }
        // A last frame that never becomes whole: a ping, which is right wherever it stands.
        if let Some((payload, at)) = cut {
            let mut tail = Vec::new();
            good(0x89, payload).write(&mut tail);
            tail.truncate(at.index(tail.len()));
            wire.extend(tail);
        }
        wire
    })
}

fn pieces<'a>(wire: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = wire;
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(*size));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn ours(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut buffer = FrameBuffer::new(LIMIT, 256);
    let mut all = Vec::new();
    for piece in pieces {
        let mut piece = *piece;
        while !piece.is_empty() {
            let space = buffer.space();
            let len = space.len().min(piece.len());
            assert!(len > 0, "no space though nothing was left to take");
            space[..len].copy_from_slice(&piece[..len]);
            buffer.fill(len);
            piece = &piece[len..];
            loop {
                match buffer.next() {
                    Ok(None) => break,
                    Ok(Some(Event::Message { opcode: 1, payload })) => all.push(Seen::Text(payload.to_vec())),
                    Ok(Some(Event::Message { payload, .. })) => all.push(Seen::Binary(payload.to_vec())),
                    Ok(Some(Event::Ping(payload))) => all.push(Seen::Ping(payload.to_vec())),
                    Ok(Some(Event::Pong(payload))) => all.push(Seen::Pong(payload.to_vec())),
                    Ok(Some(Event::Close { code, reason })) => {
                        all.push(Seen::Close(code, reason.to_vec()));
                        return all;
                    }
                    Err(violation) => {
                        all.push(Seen::Failed(violation.close_code()));
                        return all;
                    }
                }
            }
        }
    }
    all.push(Seen::CutOff);
    all
}

/// Gives the pieces one a read, then the end of the stream; takes what is written nowhere.
struct Pieces<'a>(std::iter::Copied<std::slice::Iter<'a, &'a [u8]>>, &'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.next().unwrap_or_default();
        }
        let len = buf.len().min(self.1.len());
        buf[..len].copy_from_slice(&self.1[..len]);
        self.1 = &self.1[len..];
        Ok(len)
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tungstenites(pieces: &[&[u8]]) -> Vec<Seen> {
    let config =
        WebSocketConfig::default().read_buffer_size(256).max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let stream = Pieces(pieces.iter().copied(), &[]);
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, Some(config));
    let mut all = Vec::new();
    loop {
        all.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.as_bytes().to_vec()),
            Ok(Message::Binary(payload)) => Seen::Binary(payload.to_vec()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(None)) => Seen::Close(None, Vec::new()),
            Ok(Message::Close(Some(frame)))
                if frame.code == CloseCode::Protocol && frame.reason.as_str() == "Protocol violation" =>
            {
                Seen::Failed(1002)
            }
            Ok(Message::Close(Some(frame))) => Seen::Close(Some(frame.code.into()), frame.reason.as_bytes().to_vec()),
            Ok(Message::Frame(_)) => unreachable!("never read"),
            Err(Error::Capacity(_)) => Seen::Failed(1009),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Seen::CutOff,
            Err(Error::Protocol(_)) => Seen::Failed(1002),
            Err(other) => panic!("an ending not thought of: {other:?}"),
        });
        if matches!(all.last(), Some(Seen::Close(..) | Seen::Failed(_) | Seen::CutOff)) {
            return all;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_frames_in_random_pieces_read_as_in_tungstenite(
        wire in wire(),
        sizes in prop::collection::vec(prop_oneof![1..4_usize, 1..40_usize, 1..1500_usize], 1..20),
    ) {
        let pieces = pieces(&wire, &sizes);
        prop_assert_eq!(ours(&pieces), tungstenites(&pieces));
    }

    #[test]
    fn the_pieces_make_no_difference(
        wire in wire(),
        sizes in prop::collection::vec(1..300_usize, 1..20),
    ) {
        prop_assert_eq!(ours(&pieces(&wire, &sizes)), ours(&[&wire[..]]));
    }
}

/// The generator reaches every kind of ending and of message; otherwise the comparison proves little.
#[test]
fn the_generator_reaches_every_ending() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut endings = [0_u32; 4];
    for _ in 0..2_000 {
        let wire = wire().new_tree(&mut runner).unwrap().current();
        endings[match ours(&[&wire[..]]).last() {
            Some(Seen::Close(..)) => 0,
            Some(Seen::Failed(1002)) => 1,
            Some(Seen::Failed(_)) => 2,
            _ => 3,
        }] += 1;
    }
    assert!(endings.iter().all(|count| *count > 20), "close, protocol, too big, cut off: {endings:?}");
}
