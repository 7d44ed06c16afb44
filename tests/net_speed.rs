//! What the reader's parts cost, by themselves. Not run by default:
//! `cargo test --release --test net_speed -- --ignored --nocapture`.
//!
//! Goals: nanoseconds a frame of the framing, beside the header parse alone in the same run; the cost of an idle poll
//! by number of lines, and of a poll that finds a frame, in both ways of reading. Non-goals: the network, the stages
//! behind.

use std::hint::black_box;
use std::io::Cursor;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use hoga::net::frames::{Event, FrameBuffer};
use hoga::net::{
    Command, Connection, ConnectionConfig, FrameMeta, FrameSink, LineEvent, NoReply, Reader, ReaderConfig, connect,
};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::{Message, WebSocket};

/// Lines of a reader beside their servers' ends.
fn lines(count: u16, direct_reads_max: usize) -> (Reader<NoReply>, Vec<WebSocket<TcpStream>>) {
    let config = ReaderConfig { direct_reads_max, ..ReaderConfig::default() };
    let mut reader = Reader::new(config, NoReply, Arc::new(ArrayQueue::new(64))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut servers = Vec::new();
    for line in 0..count {
        let peer = listener.try_clone().unwrap();
        let accepting = std::thread::spawn(move || {
            let stream = peer.accept().unwrap().0;
            stream.set_nodelay(true).unwrap();
            tungstenite::accept(stream).unwrap()
        });
        let handshaken = connect(&url, &[], Duration::from_secs(5)).unwrap();
        servers.push(accepting.join().unwrap());
        let connection = Connection::prepare(handshaken, &ConnectionConfig::default()).unwrap();
        reader.handle().send(Command::Add { line, connection }).unwrap();
    }
    for _ in 0..1_000 {
        reader.poll(&mut Nowhere);
    }
    assert_eq!(reader.connections(), usize::from(count));
    (reader, servers)
}

struct Nowhere;

impl FrameSink for Nowhere {
    fn has_room(&self, _len: usize) -> bool {
        true
    }
    fn frame(&mut self, _meta: &FrameMeta, _payload: &[u8]) {}
    fn line_event(&mut self, _line: u16, _event: LineEvent) {}
}

fn text_frame(len: u16) -> Vec<u8> {
    [&[0x81, 126][..], &len.to_be_bytes(), &vec![b'0'; usize::from(len)]].concat()
}

/// The least of several rounds, in nanoseconds each of `count` took.
fn least_ns(count: u32, mut round: impl FnMut()) -> f64 {
    let one = |round: &mut dyn FnMut()| {
        let began = Instant::now();
        round();
        began.elapsed().as_nanos() as f64 / f64::from(count)
    };
    (0..15).map(|_| one(&mut round)).fold(f64::MAX, f64::min)
}

#[test]
#[ignore = "a measurement"]
fn framing() {
    let frame = text_frame(298);
    println!("298-byte text frames, ns a frame, least of 15 rounds");

    let wire = frame.repeat(216);
    let alone = least_ns(216 * 200, || {
        for _ in 0..200 {
            let mut cursor = Cursor::new(&wire[..]);
            while let Ok(Some((_, length))) = FrameHeader::parse(&mut cursor) {
                cursor.set_position(cursor.position() + black_box(length));
            }
        }
    });
    println!("  header parse alone                     {alone:6.1}");

    for (name, wire) in [("one frame a read", frame.clone()), ("216 frames a read", wire.clone())] {
        let mut buffer = FrameBuffer::new(1 << 20, 64 << 10);
        let mut bytes = 0;
        let frames = (wire.len() / frame.len()) as u32;
        let reads = 43_200 / frames;
        let copied = least_ns(frames * reads, || {
            for _ in 0..reads {
                let space = buffer.space();
                space[..wire.len()].copy_from_slice(black_box(&wire));
                buffer.fill(wire.len());
                while let Ok(Some(Event::Message { payload, .. })) = buffer.next() {
                    bytes += payload.len();
                    black_box(payload);
                }
            }
        });
        let copy = least_ns(frames * reads, || {
            for _ in 0..reads {
                let space = buffer.space();
                space[..wire.len()].copy_from_slice(black_box(&wire));
                black_box(space);
            }
        });
        println!(
            "  {name:18} next {:6.1} (with the copy that stands for the read {copied:.1}, copy {copy:.1}; {bytes} bytes)",
            copied - copy
        );
    }

    // Frames cut at every place: reads of 4,000 bytes, a tail each time.
    let long: Vec<u8> = frame.repeat(4_000);
    let mut buffer = FrameBuffer::new(1 << 20, 64 << 10);
    let cut = least_ns(4_000, || {
        for piece in long.chunks(4_000) {
            buffer.space()[..piece.len()].copy_from_slice(piece);
            buffer.fill(piece.len());
            while let Ok(Some(event)) = buffer.next() {
                black_box(event);
            }
        }
    });
    println!("  cut by reads of 4,000 bytes, with copy {cut:6.1}");
}

#[test]
#[ignore = "a measurement"]
fn idle_polls() {
    println!("idle poll, ns, least of 15 rounds: lines, every socket read, epoll asked");
    for lines in [1, 2, 3, 4, 6, 8, 10, 16, 32_u16] {
        let mut costs = [0.0; 2];
        for (direct_reads_max, cost) in [usize::MAX, 0].into_iter().zip(&mut costs) {
            let (mut reader, _servers) = crate::lines(lines, direct_reads_max);
            *cost = least_ns(2_000, || {
                for _ in 0..2_000 {
                    black_box(reader.poll(&mut Nowhere));
                }
            });
        }
        println!("  {lines:3} {:8.0} {:8.0}", costs[0], costs[1]);
    }
}

/// Notes when a frame is handed on.
struct Arrivals {
    clock: quanta::Clock,
    at: Option<u64>,
}

impl FrameSink for Arrivals {
    fn has_room(&self, _len: usize) -> bool {
        true
    }
    fn frame(&mut self, _meta: &FrameMeta, _payload: &[u8]) {
        self.at = Some(self.clock.raw());
    }
    fn line_event(&mut self, _line: u16, _event: LineEvent) {}
}

/// One thread, so that a shared machine disturbs little: a frame is put into a socket, then the poll is timed that
/// finds it. A spinning reader adds half an idle poll on average, the time until that poll begins.
#[test]
#[ignore = "a measurement"]
fn polls_that_find_a_frame() {
    const COUNT: usize = 4_000;
    println!("from the start of the poll to the sink, a frame waiting, ns, p50: lines, every socket read, epoll asked");
    for count in [1, 2, 3, 4, 10] {
        let mut shown = [0; 2];
        for (direct_reads_max, p50) in [usize::MAX, 0].into_iter().zip(&mut shown) {
            let (mut reader, mut servers) = lines(count, direct_reads_max);
            let clock = quanta::Clock::new();
            let mut sink = Arrivals { clock: clock.clone(), at: None };
            let mut ns = Vec::with_capacity(COUNT);
            for index in 0..COUNT {
                let line = index * 7 % servers.len();
                servers[line].send(Message::text("0".repeat(298))).unwrap();
                loop {
                    let began = clock.raw();
                    reader.poll(&mut sink);
                    if let Some(at) = sink.at.take() {
                        ns.push(clock.delta_as_nanos(began, at));
                        break;
                    }
                }
            }
            ns.sort_unstable();
            *p50 = ns[COUNT / 2];
        }
        println!("  {count:3} {:8} {:8}", shown[0], shown[1]);
    }
}
