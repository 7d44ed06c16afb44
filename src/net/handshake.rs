//! Opening a connection: TCP, then the WebSocket handshake. Cold: it blocks, up to its timeout, and allocates.
//!
//! tungstenite makes the request and judges the answer, but is fed only up to the answer's empty line: what the server
//! sent right behind it, often in the same segment, comes back as [`Handshaken::leftover`] with its own stamps.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use thiserror::Error;
use tungstenite::client::IntoClientRequest;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::{ClientHandshake, Request};
use tungstenite::http::{HeaderName, HeaderValue, Uri};

use crate::clock::wall_ns;
use crate::sys::socket::{self, Received};

/// An answer longer than this before its empty line is refused.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Of an error answer's body this much goes into the message.
const BODY_BYTES_SHOWN: usize = 256;

/// Why a connection was not opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The address is not `ws://host[:port][/path][?query]`.
    #[error("`{url}` is no WebSocket address ({why}); write ws://host:port/path")]
    Url {
        /// The address as given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// TLS is not built in yet.
    #[error("`{url}` asks for TLS, which is not available yet; use ws:// or a local TLS proxy")]
    TlsNotAvailable {
        /// The address as given.
        url: String,
    },
    /// A header given by the caller cannot be sent.
    #[error("the header `{name}` cannot be sent; names are tokens, values have no line ends")]
    Header {
        /// Its name.
        name: String,
    },
    /// The name has no address.
    #[error("cannot find the host `{host}`: {source}; check the name and the resolver")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("{address} refused the connection; is the server up and the port right?")]
    Refused {
        /// Host and port.
        address: String,
    },
    /// TCP failed otherwise.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// It took too long.
    #[error("{address}: no {stage} within {timeout:?}; raise the timeout or check the way there")]
    Timeout {
        /// Host and port.
        address: String,
        /// What was waited for.
        stage: &'static str,
        /// The time allowed for all of it.
        timeout: Duration,
    },
    /// The server answered, but not by switching protocols.
    #[error("{address} answered HTTP {status} instead of 101{}; check path and credentials", shown(.body))]
    Status {
        /// Host and port.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body, as far as it came with the head.
        body: String,
    },
    /// The accept key does not belong to our request.
    #[error("{address} answered with a wrong Sec-WebSocket-Accept: it, or a proxy before it, does not speak WebSocket")]
    AcceptKey {
        /// Host and port.
        address: String,
    },
    /// The answer is no valid handshake otherwise.
    #[error("{address}: bad handshake ({why}); is it a WebSocket server?")]
    Answer {
        /// Host and port.
        address: String,
        /// tungstenite's reason.
        why: String,
    },
    /// The connection broke on the way.
    #[error("{address}: the connection broke during the handshake: {source}")]
    Io {
        /// Host and port.
        address: String,
        /// The system's error.
        source: io::Error,
    },
}

fn shown(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(" (`{body}`)") }
}

/// An open WebSocket, before any frame was looked at.
#[derive(Debug)]
pub struct Handshaken {
    /// The socket, non-blocking, without Nagle's delay, its receive stamps on.
    pub stream: TcpStream,
    /// What came behind the answer's empty line.
    pub leftover: Vec<u8>,
    /// Kernel stamp of the newest byte read, leftover or head.
    pub kernel_ns: Option<u64>,
    /// `CLOCK_REALTIME` just after that read, nanoseconds since the UNIX epoch.
    pub read_realtime_ns: u64,
    /// Raw time-stamp counter (`quanta`) at that moment.
    pub read_ticks: u64,
    /// `CLOCK_REALTIME` just before the request was sent: nothing had come by then.
    pub empty_ns: u64,
}

/// Opens `url` (`ws://host[:port][/path][?query]`), offering no extensions, with extra request `headers`.
///
/// `timeout` is for all of it but the resolving of the name, which the system does in its own time. Each address the
/// name has is tried in turn.
///
/// # Errors
/// See [`HandshakeError`]; each names the remedy.
pub fn connect(url: &str, headers: &[(&str, &str)], timeout: Duration) -> Result<Handshaken, HandshakeError> {
    let deadline = Instant::now() + timeout;
    let (request, host, port) = request_for(url, headers)?;
    let address = format!("{host}:{port}");
    let stream = connect_tcp(&host, port, &address, timeout, deadline)?;
    let broken = |source| HandshakeError::Io { address: address.clone(), source };
    socket::enable_recv_timestamps(stream.as_fd()).map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;

    let mut feed = HeadFeed::new(stream, deadline);
    if let Err(error) = shake(&mut feed, request) {
        return Err(explain(error, &feed, address, timeout));
    }
    feed.stream.set_read_timeout(None).map_err(broken)?;
    feed.stream.set_write_timeout(None).map_err(broken)?;
    feed.stream.set_nonblocking(true).map_err(broken)?;
    Ok(Handshaken {
        leftover: feed.received.split_off(feed.head_bytes.unwrap_or(0)),
        kernel_ns: feed.kernel_ns,
        read_realtime_ns: feed.read_realtime_ns,
        read_ticks: feed.read_ticks,
        empty_ns: feed.empty_ns,
        stream: feed.stream,
    })
}

fn request_for(url: &str, headers: &[(&str, &str)]) -> Result<(Request, String, u16), HandshakeError> {
    let wrong = |why: &dyn std::fmt::Display| HandshakeError::Url { url: url.to_owned(), why: why.to_string() };
    let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
    match uri.scheme_str() {
        Some("ws") => {}
        Some("wss") => return Err(HandshakeError::TlsNotAvailable { url: url.to_owned() }),
        Some(other) => return Err(wrong(&format_args!("the scheme is `{other}`"))),
        None => return Err(wrong(&"it has no scheme")),
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err(wrong(&"it has no host"));
    }
    let port = uri.port_u16().unwrap_or(80);
    let mut request = uri.into_client_request().map_err(|error| wrong(&error))?;
    for &(name, value) in headers {
        let unsendable = || HandshakeError::Header { name: name.to_owned() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        request.headers_mut().insert(key, HeaderValue::from_str(value).map_err(|_| unsendable())?);
    }
    Ok((request, host, port))
}

fn connect_tcp(
    host: &str,
    port: u16,
    address: &str,
    timeout: Duration,
    deadline: Instant,
) -> Result<TcpStream, HandshakeError> {
    let resolve = |source| HandshakeError::Resolve { host: host.to_owned(), source };
    let mut last = None;
    for candidate in (host, port).to_socket_addrs().map_err(resolve)? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            last = Some(io::ErrorKind::TimedOut.into());
            break;
        }
        match TcpStream::connect_timeout(&candidate, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let address = address.to_owned();
    Err(match last {
        None => resolve(io::Error::other("the name has no address")),
        Some(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => HandshakeError::Refused { address },
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                HandshakeError::Timeout { address, stage: "TCP connection", timeout }
            }
            _ => HandshakeError::Connect { address, source: error },
        },
    })
}

/// Runs tungstenite's handshake over the feed; the WebSocket it makes is not wanted.
fn shake(feed: &mut HeadFeed, request: Request) -> Result<(), tungstenite::Error> {
    match ClientHandshake::start(feed, request, None)?.handshake() {
        Ok(_) => Ok(()),
        Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
        // A blocking socket with a timeout says `WouldBlock` when the time is over.
        Err(tungstenite::HandshakeError::Interrupted(_)) => Err(tungstenite::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

fn explain(error: tungstenite::Error, feed: &HeadFeed, address: String, timeout: Duration) -> HandshakeError {
    match error {
        tungstenite::Error::Http(response) => {
            let body = &feed.received[feed.head_bytes.unwrap_or(0)..];
            let body = String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_SHOWN)]).trim().to_owned();
            HandshakeError::Status { address, status: response.status().as_u16(), body }
        }
        tungstenite::Error::Io(source) => match source.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                HandshakeError::Timeout { address, stage: "answer to the WebSocket request", timeout }
            }
            _ => HandshakeError::Io { address, source },
        },
        tungstenite::Error::Protocol(ProtocolError::SecWebSocketAcceptKeyMismatch) => {
            HandshakeError::AcceptKey { address }
        }
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up before its answer was whole");
            HandshakeError::Io { address, source }
        }
        other => HandshakeError::Answer { address, why: other.to_string() },
    }
}

/// The socket as tungstenite sees it: reads end at the empty line of the answer's head.
#[derive(Debug)]
struct HeadFeed {
    stream: TcpStream,
    deadline: Instant,
    clock: quanta::Clock,
    received: Vec<u8>,
    /// Bytes up to and including the empty line, once seen.
    head_bytes: Option<usize>,
    given: usize,
    kernel_ns: Option<u64>,
    read_realtime_ns: u64,
    read_ticks: u64,
    empty_ns: u64,
}

impl HeadFeed {
    fn new(stream: TcpStream, deadline: Instant) -> Self {
        Self {
            stream,
            deadline,
            clock: quanta::Clock::new(),
            received: Vec::new(),
            head_bytes: None,
            given: 0,
            kernel_ns: None,
            read_realtime_ns: 0,
            read_ticks: 0,
            empty_ns: wall_ns(),
        }
    }

    fn time_left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Waits for bytes, then reads them with their stamp.
    fn receive(&mut self) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.time_left()?))?;
        loop {
            match self.stream.peek(&mut [0]) {
                Ok(0) => return Ok(0),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut piece = [0; 4096];
        let Received { len, kernel_ns } = socket::recv_with_stamp(self.stream.as_fd(), &mut piece)?;
        self.read_realtime_ns = wall_ns();
        self.read_ticks = self.clock.raw();
        self.kernel_ns = kernel_ns;
        self.received.extend_from_slice(&piece[..len]);
        self.head_bytes = self.received.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        Ok(len)
    }
}

impl Read for HeadFeed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.head_bytes.is_none() {
            if self.received.len() > HEAD_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer's head has no end"));
            }
            if self.receive()? == 0 {
                return Ok(0);
            }
        }
        let head = &self.received[self.given..self.head_bytes.unwrap_or(0)];
        let len = head.len().min(buf.len());
        buf[..len].copy_from_slice(&head[..len]);
        self.given += len;
        Ok(len)
    }
}

impl Write for HeadFeed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.time_left()?))?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
