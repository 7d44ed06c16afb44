//! Sends every WebSocket message back as it came, so that a conformance suite can judge the reader.
//!
//! ```text
//! ws_echo ws://127.0.0.1:9001/runCase?case=1&agent=hoga     one connection
//! ws_echo --cases 0 ws://127.0.0.1:9001                     all cases of an Autobahn fuzzing server, then its report
//! ws_echo --cases 12 ws://127.0.0.1:9001                    the first twelve
//! ```
//!
//! Exits with 1 when a connection cannot be opened.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use hoga::net::{
    Command, Connection, ConnectionConfig, FrameMeta, FrameSink, LineEvent, LineProtocol, NoReply, Reader,
    ReaderConfig, connect,
};

/// The suite's longest message is 16 MiB.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

struct Echo;

impl LineProtocol for Echo {
    fn reply(&self, _payload: &[u8]) -> bool {
        true
    }
}

/// Keeps the last message, which is the answer where one is asked for.
#[derive(Default)]
struct Last {
    payload: Vec<u8>,
    gone: Option<LineEvent>,
}

impl FrameSink for Last {
    fn has_room(&self, _len: usize) -> bool {
        true
    }

    fn frame(&mut self, _meta: &FrameMeta, payload: &[u8]) {
        self.payload.clear();
        self.payload.extend_from_slice(payload);
    }

    fn line_event(&mut self, _line: u16, event: LineEvent) {
        if matches!(event, LineEvent::Disconnected { .. }) {
            self.gone = Some(event);
        }
    }
}

/// Reads one connection to its end.
fn run(url: &str, protocol: impl LineProtocol) -> Result<Last, Box<dyn std::error::Error>> {
    let commands = Arc::new(ArrayQueue::new(4));
    let mut reader = Reader::new(ReaderConfig::default(), protocol, Arc::clone(&commands))?;
    let config = ConnectionConfig {
        message_bytes_max: MESSAGE_BYTES_MAX,
        outbound_bytes: 2 * MESSAGE_BYTES_MAX,
        ..ConnectionConfig::default()
    };
    let connection = Connection::prepare(connect(url, &[], Duration::from_secs(10))?, &config)?;
    reader.handle().send(Command::Add { line: 0, connection }).map_err(|_| "the command queue is full")?;
    let mut last = Last::default();
    while last.gone.is_none() {
        if reader.poll(&mut last) == 0 {
            reader.park(Duration::from_millis(100));
        }
    }
    Ok(last)
}

fn run_cases(base: &str, first: u32) -> Result<(), Box<dyn std::error::Error>> {
    let base = base.trim_end_matches('/');
    let count = run(&format!("{base}/getCaseCount"), NoReply)?.payload;
    let count: u32 = std::str::from_utf8(&count)?.trim().parse()?;
    let last = if first == 0 { count } else { first.min(count) };
    for case in 1..=last {
        let ended = run(&format!("{base}/runCase?case={case}&agent=hoga"), Echo)?.gone;
        println!("case {case} of {count}: {ended:?}");
    }
    run(&format!("{base}/updateReports?agent=hoga"), NoReply)?;
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [url] if !url.starts_with('-') => run(url, Echo).map(|last| println!("{:?}", last.gone)),
        ["--cases", count, base] => match count.parse() {
            Ok(count) => run_cases(base, count),
            Err(_) => Err(format!("--cases wants a number, 0 for all, not `{count}`").into()),
        },
        _ => Err("usage: ws_echo URL | ws_echo --cases N BASE_URL".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ws_echo: {error}");
            ExitCode::FAILURE
        }
    }
}
