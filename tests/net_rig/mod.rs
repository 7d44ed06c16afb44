//! A reader with its sink, and servers of one connection, for the tests over loopback.

use std::cell::Cell;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam::queue::ArrayQueue;
use hoga::net::{
    Command, Connection, ConnectionConfig, DisconnectReason, FrameMeta, FrameSink, LineEvent, LineProtocol, Reader,
    ReaderConfig, ReaderHandle, connect,
};
use tungstenite::handshake::derive_accept_key;
use tungstenite::{Error, Message, WebSocket};

pub const SECONDS: Duration = Duration::from_secs(20);

/// The keep-alive of a feed as an example: a text `{"header":{"tr_id":"PINGPONG", ...}}`, written with any spaces.
pub struct JsonPingPong;

impl LineProtocol for JsonPingPong {
    fn reply(&self, payload: &[u8]) -> bool {
        if payload.first() != Some(&b'{') || payload.len() > 256 {
            return false;
        }
        let key = b"\"tr_id\"";
        let spaceless = |bytes: &[u8]| bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
        payload.windows(key.len()).enumerate().filter(|(_, window)| window == key).any(|(at, _)| {
            let rest = &payload[at + key.len()..];
            let rest = &rest[spaceless(rest)..];
            let Some(rest) = rest.strip_prefix(b":") else { return false };
            rest[spaceless(rest)..].starts_with(b"\"PINGPONG\"")
        })
    }
}

#[derive(Default)]
pub struct Recorder {
    pub frames: Vec<(FrameMeta, Vec<u8>)>,
    pub events: Vec<(u16, LineEvent)>,
    pub reasons: Vec<Vec<u8>>,
    /// Frames still taken; `None` for any number.
    pub room: Option<Cell<usize>>,
}

impl FrameSink for Recorder {
    fn has_room(&self, _len: usize) -> bool {
        self.room.as_ref().is_none_or(|room| room.get() > 0)
    }
    fn frame(&mut self, meta: &FrameMeta, payload: &[u8]) {
        if let Some(room) = &self.room {
            room.set(room.get() - 1);
        }
        self.frames.push((*meta, payload.to_vec()));
    }
    fn line_event(&mut self, line: u16, event: LineEvent) {
        self.events.push((line, event));
    }
    fn close_reason(&mut self, _line: u16, reason: &[u8]) {
        self.reasons.push(reason.to_vec());
    }
}

impl Recorder {
    pub fn texts(&self, line: u16) -> Vec<String> {
        let of_line = self.frames.iter().filter(|(meta, _)| meta.line == line);
        of_line.map(|(_, payload)| String::from_utf8(payload.clone()).unwrap()).collect()
    }
    pub fn ended(&self, line: u16) -> Option<(DisconnectReason, u16)> {
        self.events.iter().find_map(|&(of, event)| match event {
            LineEvent::Disconnected { reason, code } if of == line => Some((reason, code)),
            _ => None,
        })
    }
}

pub struct Rig {
    pub reader: Reader<JsonPingPong>,
    pub handle: ReaderHandle,
    pub sink: Recorder,
    pub parks: bool,
}

impl Rig {
    /// `asks`: by epoll, parking when idle; else every socket each poll, spinning.
    pub fn new(asks: bool) -> Self {
        let config = ReaderConfig {
            direct_reads_max: if asks { 0 } else { usize::MAX },
            close_timeout: Duration::from_millis(400),
            ..ReaderConfig::default()
        };
        let reader = Reader::new(config, JsonPingPong, Arc::new(ArrayQueue::new(256))).unwrap();
        Self { handle: reader.handle(), reader, sink: Recorder::default(), parks: asks }
    }

    pub fn add(&mut self, line: u16, url: &str) {
        let connection = Connection::prepare(connect(url, &[], SECONDS).unwrap(), &ConnectionConfig::default());
        self.handle.send(Command::Add { line, connection: connection.unwrap() }).unwrap();
    }

    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&Recorder) -> bool) {
        let began = Instant::now();
        while !done(&self.sink) {
            assert!(began.elapsed() < SECONDS, "{what}: not in time; events {:?}", self.sink.events);
            if self.reader.poll(&mut self.sink) == 0 {
                if self.parks {
                    self.reader.park(Duration::from_millis(50));
                } else {
                    std::thread::yield_now();
                }
            }
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        let began = Instant::now();
        self.run_until("time passes", |_| began.elapsed() >= time);
    }
}

/// Runs a check in both ways of reading.
pub fn both(check: impl Fn(Rig)) {
    check(Rig::new(false));
    check(Rig::new(true));
}

/// A server of one connection.
pub fn raw_server<T: Send + 'static>(script: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/tryitout/H0STCNT0?a=b", listener.local_addr().unwrap());
    (url, std::thread::spawn(move || script(listener.accept().unwrap().0)))
}

pub fn server<T: Send + 'static>(
    script: impl FnOnce(WebSocket<TcpStream>) -> T + Send + 'static,
) -> (String, JoinHandle<T>) {
    raw_server(|stream| {
        stream.set_nodelay(true).unwrap();
        script(tungstenite::accept(stream).unwrap())
    })
}

pub fn head_for(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
}

pub fn text_frame(text: &str) -> Vec<u8> {
    assert!(text.len() < 126);
    [&[0x81, text.len() as u8][..], text.as_bytes()].concat()
}

/// Reads as a server until the closing handshake is over.
pub fn read_to_close(socket: &mut WebSocket<TcpStream>) -> (Vec<Message>, Error) {
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(message) => messages.push(message),
            Err(error) => return (messages, error),
        }
    }
}

pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}
