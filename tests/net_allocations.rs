//! Goal: once a connection is added, polling allocates nothing, whatever comes: messages, fragments, pings, keep-alives
//! sent back, a stall. Method: an allocator that counts what the polling thread asks for.

mod counting;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use counting::{ARMED, COUNT};
use crossbeam::queue::ArrayQueue;
use hoga::net::{
    Command, Connection, ConnectionConfig, FrameMeta, FrameSink, LineEvent, LineProtocol, Reader, ReaderConfig, connect,
};
use tungstenite::Message;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

struct Alive;

impl LineProtocol for Alive {
    fn reply(&self, payload: &[u8]) -> bool {
        payload.first() == Some(&b'{')
    }
}

#[derive(Default)]
struct Tally {
    frames: u64,
    bytes: u64,
    stalls: u64,
    full: bool,
    connected: bool,
}

impl FrameSink for Tally {
    fn has_room(&self, _len: usize) -> bool {
        !self.full
    }
    fn frame(&mut self, _meta: &FrameMeta, payload: &[u8]) {
        self.frames += 1;
        self.bytes += payload.len() as u64;
    }
    fn line_event(&mut self, _line: u16, event: LineEvent) {
        self.connected |= event == LineEvent::Connected;
        self.stalls += u64::from(event == LineEvent::Stalled);
    }
}

#[test]
fn polling_allocates_nothing_per_frame() {
    for direct_reads_max in [usize::MAX, 0] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let (go, wait) = mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
            wait.recv().unwrap();
            let fragment = |opcode, is_final| Message::Frame(Frame::message(vec![b'f'; 90_000], opcode, is_final));
            for index in 0..2_000 {
                socket.send(Message::text("0".repeat(298))).unwrap();
                if index % 100 == 0 {
                    socket.send(fragment(OpCode::Data(Data::Text), false)).unwrap();
                    socket.send(Message::Ping(vec![1; 100].into())).unwrap();
                    socket.send(fragment(OpCode::Data(Data::Continue), true)).unwrap();
                    socket.send(Message::text("{\"header\":{\"tr_id\":\"PINGPONG\"}}")).unwrap();
                }
            }
            for _ in 0..40 {
                socket.read().unwrap();
            }
        });

        let config = ReaderConfig { direct_reads_max, ..ReaderConfig::default() };
        let mut reader = Reader::new(config, Alive, Arc::new(ArrayQueue::new(4))).unwrap();
        let connection = connect(&url, &[], Duration::from_secs(10)).unwrap();
        let connection = Connection::prepare(connection, &ConnectionConfig::default()).unwrap();
        reader.handle().send(Command::Add { line: 0, connection }).unwrap();
        let mut sink = Tally::default();
        while !sink.connected {
            reader.poll(&mut sink);
        }
        go.send(()).unwrap();

        let began = Instant::now();
        COUNT.set(0);
        ARMED.set(true);
        let mut replied = false;
        let mut full_polls = 0;
        while sink.frames < 2_040 || !replied {
            sink.full = sink.frames >= 1_000 && full_polls < 50;
            full_polls += u32::from(sink.full);
            if reader.poll(&mut sink) == 0 {
                reader.park(Duration::from_millis(10));
            }
            replied = reader.counters().replies == 20;
            if began.elapsed() > Duration::from_secs(20) {
                break;
            }
        }
        ARMED.set(false);
        server.join().unwrap();
        assert_eq!((sink.frames, sink.bytes), (2_040, 2_000 * 298 + 20 * (180_000 + 31)));
        assert_eq!((reader.counters().pings, reader.counters().replies), (20, 20));
        assert!(sink.stalls > 0);
        assert_eq!(COUNT.get(), 0, "allocations while polling, direct up to {direct_reads_max}");
    }
}
