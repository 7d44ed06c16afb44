//! HTTP of the venue: one thread a connection, requests one after the other, headers spelled as the real server does.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fault::RestFault;
use super::{Answer, Days, Rest, failure, oauth_failure};

const BODY_BYTES_MAX: usize = 64 << 10;
/// A request with its head and whatever is between the chunks of its body.
const REQUEST_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
const CONNECTIONS_MAX: usize = 64;
/// How soon an idle connection notices the end of the server.
const READ_TIMEOUT: Duration = Duration::from_millis(100);
const IDLE_READS_MAX: u32 = 300;

/// A request as far as it matters here; header names in lower case.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A query value; clients write the names in either case.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The listening thread.
#[derive(Debug)]
pub(crate) struct RestServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RestServer {
    pub(crate) fn start(listener: TcpListener, rest: Rest) -> std::io::Result<Self> {
        let days = Arc::new(Days::new(rest));
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("kis-sim-rest".into())
            .spawn(move || accept(&listener, &days, &stopped))?;
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

impl Drop for RestServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A connection wakes the thread from its accept.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, days: &Arc<Days>, stop: &Arc<AtomicBool>) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if busy.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        days.today().shared.connected();
        let seat = Seat::taken(&busy);
        let (days, stop) = (Arc::clone(days), Arc::clone(stop));
        // A thread that can't be made drops the connection and its seat.
        let _ = std::thread::Builder::new().name("kis-sim-rest-client".into()).spawn(move || {
            let _seat = seat;
            let _ = serve(stream, &days, &stop);
        });
    }
}

/// One of the connections there may be; free again however its thread ends.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn taken(busy: &Arc<AtomicUsize>) -> Self {
        busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(busy))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Requests of one connection, one after the other.
fn serve(mut stream: TcpStream, days: &Days, stop: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    let mut idle = 0;
    while !stop.load(Ordering::Relaxed) && idle < IDLE_READS_MAX {
        match parse(&input) {
            Ok(Some((request, used))) => {
                input.drain(..used);
                idle = 0;
                let close = request.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
                let open = match met(&request, &days.today(), stop) {
                    Met::Answer(answer) => respond(&mut stream, &request, &answer, close).map(|()| true)?,
                    Met::Bytes(bytes) => stream.write_all(&bytes).map(|()| false)?,
                };
                if close || !open {
                    break;
                }
                continue;
            }
            Ok(None) => {}
            Err(status) => {
                let answer = failure(status, "EGW00002", "bad request");
                let empty = Request {
                    method: String::new(),
                    path: String::new(),
                    query: Vec::new(),
                    headers: Vec::new(),
                    body: Vec::new(),
                };
                respond(&mut stream, &empty, &answer, true)?;
                break;
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => input.extend_from_slice(&chunk[..n]),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => idle += 1,
            Err(e) => return Err(e),
        }
    }
    stream.shutdown(Shutdown::Write)
}

/// What a request comes to: an answer, or bytes after which the connection ends.
enum Met {
    Answer(Answer),
    Bytes(Vec<u8>),
}

/// Answers a request, unless a fault of the script is met.
fn met(request: &Request, rest: &Rest, stop: &AtomicBool) -> Met {
    let mut cut = None;
    let mut refusal = None;
    let mut date_skew_s = 0;
    for fault in rest.shared.asked(&request.path, rest.is_known(&request.path), request.header("appkey")) {
        match fault {
            RestFault::Slow { ms } => {
                let until = Instant::now() + Duration::from_millis(ms);
                while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5).min(until.saturating_duration_since(Instant::now())));
                }
            }
            RestFault::ExpireTokens => rest.auth.expire_tokens(),
            RestFault::Refuse { status, code, text } if request.path.starts_with("/oauth2/") => {
                refusal = Some(oauth_failure(status, &code, &text));
            }
            RestFault::Refuse { status, code, text } => refusal = Some(failure(status, &code, &text)),
            RestFault::Cut { after } => cut = Some(after),
            RestFault::SkewDate { seconds } => date_skew_s = seconds,
            RestFault::Page { status } => {
                let page = "<html><body>Bad Gateway</body></html>";
                return Met::Bytes(foreign(status, "Content-Type: text/html", page));
            }
            RestFault::Answer { status, body, more } => {
                let tr_cont = if more { "M" } else { "D" };
                let head = format!("Content-Type: application/json; charset=utf-8\r\ntr_cont: {tr_cont}");
                return Met::Bytes(foreign(status, &head, &body));
            }
        }
    }
    let answer = Answer { date_skew_s, ..refusal.unwrap_or_else(|| rest.answer(request)) };
    if let Some(code) = answer.refusal() {
        rest.shared.refused(code);
    }
    match cut {
        Some(after) => {
            let mut bytes = response(request, &answer, false);
            bytes.truncate(after);
            Met::Bytes(bytes)
        }
        None => Met::Answer(answer),
    }
}

/// An answer that the venue did not make.
fn foreign(status: u16, head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Foreign\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A request and the bytes it took, `None` while it is not whole, or the HTTP status of its fault.
fn parse(input: &[u8]) -> Result<Option<(Request, usize)>, u16> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(input) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if input.len() <= BODY_BYTES_MAX => return Ok(None),
        _ => return Err(400),
    };
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).trim().to_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let (body, used) = if find("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        match chunked(&input[length..])? {
            Some((body, used)) => (body, length + used),
            None if input.len() > REQUEST_BYTES_MAX => return Err(413),
            None => return Ok(None),
        }
    } else {
        let size: usize = find("content-length").map_or(Ok(0), str::parse).map_err(|_| 400_u16)?;
        if size > BODY_BYTES_MAX {
            return Err(413);
        }
        match input.get(length..length + size) {
            Some(body) => (body.to_vec(), length + size),
            None => return Ok(None),
        }
    };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (method, path) = (head.method.unwrap_or("").to_owned(), path.to_owned());
    Ok(Some((Request { method, path, query, headers, body }, used)))
}

/// A chunked body and the bytes it took.
fn chunked(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (start, size) = match httparse::parse_chunk_size(&input[at..]) {
            Ok(httparse::Status::Complete((start, size))) => (at + start, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(400),
        };
        // A size may be as large as a number gets: no sum with it before it is known to be small.
        if size > (BODY_BYTES_MAX - body.len()) as u64 {
            return Err(413);
        }
        let size = size as usize;
        let Some(chunk) = input.get(start..start + size + 2) else { return Ok(None) };
        body.extend_from_slice(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

/// Header names exactly as the real server spells them: some clients turn the lower-case ones into identifiers.
fn respond(stream: &mut TcpStream, request: &Request, answer: &Answer, close: bool) -> std::io::Result<()> {
    stream.write_all(&response(request, answer, close))
}

fn response(request: &Request, answer: &Answer, close: bool) -> Vec<u8> {
    let Answer { status, body, tr_cont, date_skew_s, archive } = answer;
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Payload Too Large",
        _ => "Internal Server Error",
    };
    let (content, body) = match archive {
        Some(archive) => ("application/x-zip-compressed", archive.bytes.clone()),
        None => ("application/json; charset=utf-8", body.to_string().into_bytes()),
    };
    let now = jiff::Timestamp::now();
    let text = |at: jiff::Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let date = text(now.checked_add(jiff::SignedDuration::from_secs(*date_skew_s)).unwrap_or(now));
    let mut head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content}\r\nContent-Length: {}\r\nDate: {date}\r\n",
        body.len()
    );
    if let Some(tr_id) = request.header("tr_id") {
        let gt_uid = request.header("gt_uid").unwrap_or("");
        head.push_str(&format!("tr_id: {tr_id}\r\ntr_cont: {tr_cont}\r\ngt_uid: {gt_uid}\r\n"));
    }
    if let Some(made) = archive.as_ref().and_then(|archive| archive.made) {
        head.push_str(&format!("Last-Modified: {}\r\n", text(made)));
    }
    if close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_read_whole_or_not_at_all() {
        let text = b"POST /x?A=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for cut in 0..text.len() {
            assert!(parse(&text[..cut]).unwrap().is_none(), "{cut}");
        }
        let (request, used) = parse(text).unwrap().unwrap();
        assert_eq!((request.body.as_slice(), used, request.query("a")), (&b"abcde"[..], text.len(), Some("1")));
    }

    #[test]
    fn names_and_values_of_a_query_are_decoded() {
        let text = b"GET /x?A=1+2%20%203&%42=%EA%B0%80&c=100%&D HTTP/1.1\r\n\r\n";
        let (request, _) = parse(text).unwrap().unwrap();
        let values = ["a", "b", "c", "d", "e"].map(|name| request.query(name));
        assert_eq!(values, [Some("1 2  3"), Some("가"), Some("100%"), Some(""), None]);
    }

    /// Bodies put together at random from what chunked ones are made of, right and wrong.
    #[test]
    fn no_chunked_body_is_more_than_refused() {
        let parts: [&[u8]; 12] = [
            b"1\r\na\r\n",
            b"3;name=value\r\nabc\r\n",
            b"0\r\n\r\n",
            b"FFFFFFFFFFFFFFFF\r\n",
            b"FFFFFFFFFFFFFFFE\r\nab",
            b"10000\r\n",
            b"ffff\r\n",
            b"fffffffffffffffff\r\n",
            b"-1\r\n",
            b"\r\n",
            b"\xFF",
            b"0",
        ];
        let mut rng = crate::rng::Rng::new(7);
        let mut refused = 0;
        for _ in 0..20_000 {
            let count = 1 + rng.below(5) as usize;
            let input: Vec<u8> =
                (0..count).flat_map(|_| parts[rng.below(parts.len() as u64) as usize]).copied().collect();
            match chunked(&input) {
                Ok(Some((body, used))) => assert!(used <= input.len() && body.len() <= BODY_BYTES_MAX),
                Ok(None) => {}
                Err(status) => {
                    refused += 1;
                    assert!([400, 413].contains(&status));
                }
            }
        }
        assert!(refused > 1_000);
        assert_eq!(chunked(b"1\r\na\r\nFFFFFFFFFFFFFFFF\r\n").unwrap_err(), 413);
    }
}
