//! From a frame of the source to bytes of one connection, with the faults scripted for it.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::fault::{Fault, mutate, widen};
use crate::ledger::Ledger;
use crate::session::{Connection, Drip, State, put_header};
use crate::source::TimedFrame;

/// Queues a frame on a connection; returns how many frames were queued, which faults may make 0 or several.
pub(crate) fn deliver(
    connection: &mut Connection,
    ledger: &mut Ledger,
    frame: &TimedFrame,
    tr: usize,
    now_ns: u64,
    wall_ns: u64,
) -> u64 {
    if connection.state != State::Open {
        return 0;
    }
    connection.frames += 1;
    if connection.half_open {
        ledger.dropped(1);
        ledger.note(wall_ns, connection.number, &serde_json::json!({ "dropped": 1 }), Some(&frame.text));
        return 0;
    }
    if connection.faults.no_frame_faults() && connection.drop_left == 0 && connection.widened == 0 {
        connection.push_data(tr, frame.records, &frame.text);
        return 1;
    }
    faulty(connection, ledger, frame, tr, now_ns, wall_ns)
}

#[cold]
#[inline(never)]
fn faulty(
    connection: &mut Connection,
    ledger: &mut Ledger,
    frame: &TimedFrame,
    tr: usize,
    now_ns: u64,
    wall_ns: u64,
) -> u64 {
    let due = connection.faults.take_frame(connection.frames);
    let mut text = frame.text.clone();
    if connection.widened > 0 {
        widen(&mut text, frame.records, connection.widened);
    }
    let mut copies = 1;
    let mut wire = None;
    for fault in due {
        if fault.needs_registration() {
            connection.faults.arm_registration(fault);
            continue;
        }
        ledger.fault(wall_ns, connection.number, &fault, Some(&text));
        match &fault {
            Fault::Drop { n } => connection.drop_left = *n,
            Fault::Duplicate { n } => copies += n,
            Fault::CutMidFrame => {
                let mut half = Vec::new();
                put_header(&mut half, OpCode::Data(Data::Text), true, text.len());
                half.extend_from_slice(&text[..text.len() / 2]);
                connection.push_last(&half);
                ledger.dropped(1);
                return 0;
            }
            Fault::Fragmented { parts } => wire = Some(fragmented(&text, *parts)),
            Fault::Masked => wire = Some(masked(&text)),
            Fault::ReservedBits => wire = Some(reserved(&text)),
            Fault::Widen { fields } => {
                connection.widened += fields;
                widen(&mut text, frame.records, *fields);
            }
            other if other.needs_frame() => mutate(other, &mut text),
            other => apply(connection, other, now_ns),
        }
    }
    if connection.state != State::Open {
        ledger.dropped(1);
        return 0;
    }
    if connection.drop_left > 0 {
        connection.drop_left -= 1;
        ledger.dropped(1);
        ledger.note(wall_ns, connection.number, &serde_json::json!({ "dropped": 1 }), Some(&text));
        return 0;
    }
    for _ in 0..copies {
        match &wire {
            Some(wire) => connection.push_odd(tr, frame.records, &text, wire),
            None => connection.push_data(tr, frame.records, &text),
        }
    }
    copies
}

/// A fault that needs no frame.
pub(crate) fn apply(connection: &mut Connection, fault: &Fault, now_ns: u64) {
    match fault {
        Fault::Stall { ms } => connection.stalled_until_ns = now_ns + ms * 1_000_000,
        Fault::Rst => connection.reset(),
        Fault::Close { code, reason } => connection.close(*code, reason),
        Fault::SlowDrip { bytes, every_ms, for_ms } => {
            connection.drip = Some(Drip {
                bytes: (*bytes).max(1),
                every_ns: every_ms * 1_000_000,
                until_ns: for_ms.map(|ms| now_ns + ms * 1_000_000),
                next_ns: now_ns,
            });
        }
        Fault::Ping { payload } => connection.push(OpCode::Control(Control::Ping), clip(payload)),
        Fault::Pong => connection.push(OpCode::Control(Control::Pong), b"unasked"),
        Fault::StopPingpong => connection.pingpong = false,
        Fault::HalfOpen => connection.half_open = true,
        Fault::Widen { fields } => connection.widened += fields,
        Fault::End => connection.end(),
        _ => {}
    }
}

fn clip(payload: &str) -> &[u8] {
    &payload.as_bytes()[..payload.len().min(125)]
}

/// A message in fragments with a ping between the first two, which RFC 6455 allows.
fn fragmented(text: &[u8], parts: usize) -> Vec<u8> {
    let size = text.len().div_ceil(parts.max(2)).max(1);
    let count = text.len().div_ceil(size);
    let mut wire = Vec::new();
    for (i, part) in text.chunks(size).enumerate() {
        let opcode = if i == 0 { Data::Text } else { Data::Continue };
        put_header(&mut wire, OpCode::Data(opcode), i + 1 == count, part.len());
        wire.extend_from_slice(part);
        if i == 0 {
            put_header(&mut wire, OpCode::Control(Control::Ping), true, 7);
            wire.extend_from_slice(b"between");
        }
    }
    wire
}

fn masked(text: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let header = FrameHeader { opcode: OpCode::Data(Data::Text), mask: Some(mask), ..FrameHeader::default() };
    let mut wire = Vec::new();
    // Writing to a vector does not fail.
    let _ = header.format(text.len() as u64, &mut wire);
    wire.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, m)| byte ^ m));
    wire
}

fn reserved(text: &[u8]) -> Vec<u8> {
    let header = FrameHeader { rsv1: true, opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let mut wire = Vec::new();
    let _ = header.format(text.len() as u64, &mut wire);
    wire.extend_from_slice(text);
    wire
}
