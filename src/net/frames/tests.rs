use super::*;

/// An event by value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message(u8, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    Broken(Violation),
}

fn seen(event: Event<'_>) -> Seen {
    match event {
        Event::Message { opcode, payload } => Seen::Message(opcode, payload.to_vec()),
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close { code, reason } => Seen::Close(code, reason.to_vec()),
    }
}

fn drain(buffer: &mut FrameBuffer, all: &mut Vec<Seen>) {
    loop {
        match buffer.next() {
            Ok(None) => return,
            Ok(Some(event)) => all.push(seen(event)),
            Err(violation) => {
                if all.last() != Some(&Seen::Broken(violation)) {
                    all.push(Seen::Broken(violation));
                }
                return;
            }
        }
    }
}

/// Feeds pieces as a socket would: a piece may be taken in several reads.
fn feed(buffer: &mut FrameBuffer, mut piece: &[u8], all: &mut Vec<Seen>) {
    while !piece.is_empty() {
        let space = buffer.space();
        if space.is_empty() {
            return;
        }
        let len = space.len().min(piece.len());
        space[..len].copy_from_slice(&piece[..len]);
        buffer.fill(len);
        piece = &piece[len..];
        drain(buffer, all);
        if matches!(all.last(), Some(Seen::Close(..) | Seen::Broken(_))) {
            return;
        }
    }
}

fn read_in(pieces: &[&[u8]], limit: usize) -> Vec<Seen> {
    let mut buffer = FrameBuffer::new(limit, 256);
    let mut all = Vec::new();
    for piece in pieces {
        feed(&mut buffer, piece, &mut all);
    }
    all
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(len as u8),
        len @ 126..65_536 => {
            bytes.push(126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

const FIN: u8 = 0x80;

/// Every way a sequence may be cut gives the same events.
fn holds_at_every_split(wire: &[u8], expected: &[Seen]) {
    for at in 0..=wire.len() {
        assert_eq!(read_in(&[&wire[..at], &wire[at..]], 1024), expected, "cut at {at}");
    }
    for size in 1..=wire.len().clamp(1, 40) {
        let pieces: Vec<_> = wire.chunks(size).collect();
        assert_eq!(read_in(&pieces, 1024), expected, "pieces of {size}");
    }
}

#[test]
fn messages_of_every_length_form_come_whole_at_every_split() {
    let mut wire = Vec::new();
    let mut expected = Vec::new();
    for len in [0, 1, 125, 126, 300] {
        let payload = vec![b'a' + len as u8 % 26; len];
        wire.extend(frame(FIN | 1, &payload));
        expected.push(Seen::Message(OPCODE_TEXT, payload.clone()));
        wire.extend(frame(FIN | 2, &payload));
        expected.push(Seen::Message(OPCODE_BINARY, payload));
    }
    holds_at_every_split(&wire, &expected);
}

#[test]
fn control_frames_between_fragments_come_before_the_message() {
    let wire = [
        frame(1, b"0|H0ST"),
        frame(FIN | 9, b"here?"),
        frame(0, b""),
        frame(FIN | 10, b"here."),
        frame(FIN, b"CNT0"),
        frame(FIN | 2, b"next"),
        frame(FIN | 8, &[0x03, 0xE8, b'b', b'y', b'e']),
    ]
    .concat();
    holds_at_every_split(
        &wire,
        &[
            Seen::Ping(b"here?".to_vec()),
            Seen::Pong(b"here.".to_vec()),
            Seen::Message(OPCODE_TEXT, b"0|H0STCNT0".to_vec()),
            Seen::Message(OPCODE_BINARY, b"next".to_vec()),
            Seen::Close(Some(1000), b"bye".to_vec()),
        ],
    );
}

#[test]
fn each_violation_is_named_at_every_split_and_what_preceded_it_was_given_out() {
    let good = frame(FIN | 1, b"good");
    let open = frame(1, b"open");
    let long = vec![b'x'; 126];
    let masked = vec![FIN | 1, 0x80 | 1, 1, 2, 3, 4, b'x'];
    let top_bit = vec![FIN | 1, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    let cases: Vec<(Vec<u8>, Violation)> = vec![
        (frame(FIN | 0x41, b""), Violation::ReservedBits),
        (frame(FIN | 0x21, b""), Violation::ReservedBits),
        (frame(FIN | 0x19, b""), Violation::ReservedBits),
        (frame(FIN | 3, b""), Violation::ReservedOpcode),
        (frame(FIN | 7, b"x"), Violation::ReservedOpcode),
        (frame(FIN | 11, b""), Violation::ReservedOpcode),
        (frame(FIN | 15, b"x"), Violation::ReservedOpcode),
        (masked, Violation::MaskedFrame),
        (frame(9, b""), Violation::FragmentedControl),
        (frame(8, b""), Violation::FragmentedControl),
        (frame(FIN | 9, &long), Violation::ControlTooLong),
        (frame(FIN | 8, &long), Violation::ControlTooLong),
        (frame(FIN, b""), Violation::UnexpectedContinuation),
        (frame(0, b"x"), Violation::UnexpectedContinuation),
        ([open.clone(), frame(FIN | 1, b"")].concat(), Violation::ExpectedContinuation),
        ([open.clone(), frame(2, b"")].concat(), Violation::ExpectedContinuation),
        (frame(FIN | 1, &[b'x'; 1025]), Violation::MessageTooBig),
        ([open.clone(), frame(FIN, &[b'x'; 1021])].concat(), Violation::MessageTooBig),
        (top_bit, Violation::LengthTopBit),
        (frame(FIN | 8, b"x"), Violation::CloseTooShort),
        (frame(FIN | 8, &1005_u16.to_be_bytes()), Violation::CloseCodeInvalid),
    ];
    for (bad, violation) in cases {
        let wire = [good.clone(), bad, good.clone()].concat();
        let expected = [Seen::Message(OPCODE_TEXT, b"good".to_vec()), Seen::Broken(violation)];
        holds_at_every_split(&wire, &expected);
    }
}

#[test]
fn a_message_of_exactly_the_limit_passes_whole_or_in_fragments() {
    let payload = vec![b'x'; 1024];
    holds_at_every_split(&frame(FIN | 1, &payload), &[Seen::Message(OPCODE_TEXT, payload.clone())]);
    let wire = [frame(2, &payload[..1000]), frame(FIN, &payload[1000..])].concat();
    holds_at_every_split(&wire, &[Seen::Message(OPCODE_BINARY, payload)]);
}

#[test]
fn close_codes_are_judged_as_the_registry_has_them() {
    for code in 0..=u16::MAX {
        let registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].contains(&code);
        let allowed = registered || code / 1000 == 3 || code / 1000 == 4;
        let read = read_in(&[&frame(FIN | 8, &code.to_be_bytes())], 256);
        let expected =
            if allowed { Seen::Close(Some(code), Vec::new()) } else { Seen::Broken(Violation::CloseCodeInvalid) };
        assert_eq!(read, [expected], "code {code}");
    }
    assert_eq!(read_in(&[&frame(FIN | 8, b"")], 256), [Seen::Close(None, Vec::new())]);
}

#[test]
fn what_is_not_utf8_is_passed_on() {
    let cp949 = b"\xC7\xD1\xB1\xB9";
    let wire = [frame(FIN | 1, cp949), frame(FIN | 8, b"\x03\xE8\xFF")].concat();
    let expected = [Seen::Message(OPCODE_TEXT, cp949.to_vec()), Seen::Close(Some(1000), b"\xFF".to_vec())];
    assert_eq!(read_in(&[&wire], 256), expected);
}

#[test]
fn a_violation_stays_and_a_close_is_the_end() {
    let mut buffer = FrameBuffer::new(256, 256);
    let mut all = Vec::new();
    feed(&mut buffer, &frame(FIN | 3, b""), &mut all);
    assert_eq!(buffer.next(), Err(Violation::ReservedOpcode));
    assert_eq!(buffer.next(), Err(Violation::ReservedOpcode));

    let mut buffer = FrameBuffer::new(256, 256);
    let wire = [frame(FIN | 8, b""), frame(FIN | 1, b"late")].concat();
    feed(&mut buffer, &wire, &mut all);
    assert_eq!(buffer.next(), Ok(None));
    assert_eq!(buffer.next(), Ok(None));
}

#[test]
fn an_event_held_back_comes_again_and_keeps_its_bytes() {
    for wire in [frame(FIN | 1, b"held"), [frame(1, b"he"), frame(FIN, b"ld")].concat()] {
        let mut buffer = FrameBuffer::new(256, 256);
        let wire = [wire, frame(FIN | 1, b"after")].concat();
        buffer.space()[..wire.len()].copy_from_slice(&wire);
        buffer.fill(wire.len());
        for _ in 0..3 {
            let event = buffer.next().unwrap().map(seen);
            assert_eq!(event, Some(Seen::Message(OPCODE_TEXT, b"held".to_vec())));
            buffer.hold();
            assert!(buffer.space().is_empty());
            assert_eq!(buffer.pending_bytes(), 4 + 7);
        }
        assert_eq!(buffer.next().unwrap().map(seen), Some(Seen::Message(OPCODE_TEXT, b"held".to_vec())));
        assert_eq!(buffer.next().unwrap().map(seen), Some(Seen::Message(OPCODE_TEXT, b"after".to_vec())));
        assert_eq!(buffer.next(), Ok(None));
        assert!(!buffer.space().is_empty());
    }
}

#[test]
fn the_space_is_never_empty_while_a_frame_is_incomplete() {
    // The largest frame, starting at each offset a previous frame can leave it at, arriving a read at a time.
    for lead in 0..300 {
        let payload = vec![b'y'; 2048];
        let wire = [frame(FIN | 1, &vec![b'x'; lead]), frame(FIN | 1, &payload)].concat();
        let mut buffer = FrameBuffer::new(2048, 256);
        let mut all = Vec::new();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let space = buffer.space();
            assert!(!space.is_empty());
            let len = space.len().min(rest.len());
            space[..len].copy_from_slice(&rest[..len]);
            buffer.fill(len);
            rest = &rest[len..];
            drain(&mut buffer, &mut all);
        }
        assert_eq!(all.last(), Some(&Seen::Message(OPCODE_TEXT, payload)));
    }
}

#[test]
fn a_buffer_that_is_emptied_each_time_stays_at_its_front() {
    let wire = frame(FIN | 1, &[b'x'; 200]);
    let mut buffer = FrameBuffer::new(1 << 20, 64 << 10);
    let mut all = Vec::new();
    for _ in 0..10_000 {
        // A tail of ten bytes stays each time.
        feed(&mut buffer, &wire[..10], &mut all);
        feed(&mut buffer, &wire[10..], &mut all);
        feed(&mut buffer, &wire[..10], &mut all);
        feed(&mut buffer, &wire[10..], &mut all);
        assert!(buffer.end < 1024);
    }
    assert_eq!(all.len(), 20_000);
}
