//! The REST side: credentials, the few quotations that clients ask before they subscribe, errors as KIS words them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::{Auth, Denied};
use crate::config::SimConfig;
use crate::market::tick::tick_size;
use crate::market::{QuoteBoard, SymbolInfo};

const BODY_BYTES_MAX: usize = 64 << 10;
const CONNECTIONS_MAX: usize = 64;
/// How soon an idle connection notices the end of the server.
const READ_TIMEOUT: Duration = Duration::from_millis(100);
const IDLE_READS_MAX: u32 = 300;

/// What REST answers from.
#[derive(Debug)]
pub(crate) struct Rest {
    auth: Arc<Auth>,
    symbols: Vec<SymbolInfo>,
    board: Arc<QuoteBoard>,
    mock: bool,
}

/// A request as far as it matters here; header names in lower case.
#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A query value; clients write the names in either case.
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

type Answer = (u16, Value);

impl Rest {
    pub(crate) fn new(config: &SimConfig, auth: Arc<Auth>, symbols: Vec<SymbolInfo>, board: Arc<QuoteBoard>) -> Self {
        Self { auth, symbols, board, mock: config.mock }
    }

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/oauth2/tokenP") => self.token(request),
            ("POST", "/oauth2/Approval") => self.approval(request),
            ("POST", "/oauth2/revokeP") => self.revoke(request),
            ("GET", "/uapi/domestic-stock/v1/quotations/inquire-price") => {
                self.quotation(request, "FHKST01010100", Self::inquire_price)
            }
            ("GET", "/uapi/domestic-stock/v1/quotations/search-info") => {
                self.quotation(request, "CTPF1604R", Self::search_info)
            }
            (_, path) if path.starts_with("/uapi/") => match self.authorised(request) {
                Err(denied) => refusal(denied),
                Ok(()) if self.mock => failure(500, "EGW00213", "모의투자 TR 이 아닙니다."),
                Ok(()) => failure(500, "EGW00202", "GW라우팅 중 오류가 발생했습니다."),
            },
            _ => (404, json!({ "rt_cd": "1", "msg_cd": "EGW00202", "msg1": "unknown path" })),
        }
    }

    /// `appkey` and a secret from a body, whose form is checked first.
    fn credentials(request: &Request, secret: &str) -> Result<(Value, String, String), Answer> {
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|_| oauth_failure(403, "EGW00132", "Content-type이 유효하지 않습니다."))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let missing = |code: &str, text: &str| oauth_failure(403, code, text);
        let key = text("appkey").ok_or_else(|| missing("EGW00103", "유효하지 않은 AppKey입니다."))?;
        let secret = text(secret).ok_or_else(|| missing("EGW00105", "유효하지 않은 AppSecret입니다."))?;
        Ok((body, key, secret))
    }

    fn grant_type_ok(body: &Value) -> bool {
        body.get("grant_type").and_then(Value::as_str) == Some("client_credentials")
    }

    fn token(&self, request: &Request) -> Answer {
        let (body, key, secret) = match Self::credentials(request, "appsecret") {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        if !Self::grant_type_ok(&body) {
            return oauth_failure(403, "EGW00101", "유효하지 않은 요청입니다.");
        }
        match self.auth.token(&key, &secret) {
            Ok((token, left_s)) => {
                // KST wall clock, which is not scaled.
                let kst = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
                let expiry = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(left_s as i64);
                let expiry = expiry.to_zoned(kst).strftime("%Y-%m-%d %H:%M:%S").to_string();
                let body = json!({
                    "access_token": token,
                    "access_token_token_expired": expiry,
                    "token_type": "Bearer",
                    "expires_in": left_s as i64,
                });
                (200, body)
            }
            Err(denied) => oauth_refusal(denied),
        }
    }

    fn approval(&self, request: &Request) -> Answer {
        let (body, key, secret) = match Self::credentials(request, "secretkey") {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        if !Self::grant_type_ok(&body) {
            return oauth_failure(403, "EGW00101", "유효하지 않은 요청입니다.");
        }
        match self.auth.approval(&key, &secret) {
            Ok(approval_key) => (200, json!({ "approval_key": approval_key })),
            Err(denied) => oauth_refusal(denied),
        }
    }

    fn revoke(&self, request: &Request) -> Answer {
        let (body, _, _) = match Self::credentials(request, "appsecret") {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let token = body.get("token").and_then(Value::as_str).unwrap_or("");
        if self.auth.revoke(token) {
            (200, json!({ "code": 200, "message": "접근토큰 폐기에 성공하였습니다" }))
        } else {
            oauth_refusal(Denied::TokenInvalid)
        }
    }

    fn authorised(&self, request: &Request) -> Result<(), Denied> {
        let bearer = request.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).map(str::trim);
        let key = request.header("appkey").unwrap_or("");
        let secret = request.header("appsecret").unwrap_or("");
        self.auth.check(bearer, key, secret)
    }

    fn quotation(&self, request: &Request, tr_id: &str, answer: fn(&Self, &Request) -> Answer) -> Answer {
        if let Err(denied) = self.authorised(request) {
            return refusal(denied);
        }
        match request.header("tr_id") {
            Some(id) if id == tr_id => answer(self, request),
            _ => failure(500, "EGW00202", "GW라우팅 중 오류가 발생했습니다."),
        }
    }

    fn symbol(&self, code: Option<&str>) -> Option<(usize, &SymbolInfo)> {
        self.symbols.iter().enumerate().find(|(_, s)| Some(s.code.as_str()) == code)
    }

    fn inquire_price(&self, request: &Request) -> Answer {
        let Some((index, symbol)) = self.symbol(request.query("FID_INPUT_ISCD")) else {
            return failure(500, "OPSQ2001", "ERROR INPUT FIELD NOT FOUND [FID_INPUT_ISCD]");
        };
        let (price, volume) = self.board.get(index).unwrap_or((symbol.base_px, 0));
        let change = price - symbol.base_px;
        let sign = match change.signum() {
            1 => "2",
            0 => "3",
            _ => "5",
        };
        let text = |n: i64| n.to_string();
        success(json!({
            "iscd_stat_cls_code": "55",
            "temp_stop_yn": "N",
            "stck_shrn_iscd": symbol.code,
            "stck_prpr": text(price),
            "prdy_vrss": text(change),
            "prdy_vrss_sign": sign,
            "prdy_ctrt": format!("{:.2}", change as f64 * 100.0 / symbol.base_px as f64),
            "acml_vol": text(volume),
            "stck_sdpr": text(symbol.base_px),
            "stck_mxpr": text(symbol.upper_px),
            "stck_llam": text(symbol.lower_px),
            "aspr_unit": text(tick_size(price)),
            "vi_cls_code": "N",
        }))
    }

    fn search_info(&self, request: &Request) -> Answer {
        let Some((_, symbol)) = self.symbol(request.query("PDNO")) else {
            return failure(500, "KIOK0460", "조회할 자료가 없습니다.");
        };
        success(json!({
            "pdno": format!("00000A{}", symbol.code),
            "shtn_pdno": symbol.code,
            "std_pdno": format!("KR7{}003", symbol.code),
            "prdt_type_cd": "300",
            "prdt_name": symbol.name,
            "prdt_name120": symbol.name,
            "prdt_abrv_name": symbol.name,
            "prdt_eng_name": format!("SIMULATED {}", symbol.code),
            "prdt_eng_name120": format!("SIMULATED {}", symbol.code),
            "prdt_eng_abrv_name": format!("SIM {}", symbol.code),
        }))
    }
}

fn success(output: Value) -> Answer {
    // The real server pads the text with blanks.
    let msg1 = format!("{:<80}", "정상처리 되었습니다.");
    (200, json!({ "output": output, "rt_cd": "0", "msg_cd": "MCA00000", "msg1": msg1 }))
}

fn failure(status: u16, msg_cd: &str, msg1: &str) -> Answer {
    (status, json!({ "rt_cd": "1", "msg_cd": msg_cd, "msg1": msg1 }))
}

fn oauth_failure(status: u16, code: &str, text: &str) -> Answer {
    (status, json!({ "error_description": text, "error_code": code }))
}

fn words(denied: Denied) -> (&'static str, &'static str) {
    match denied {
        Denied::AppKey => ("EGW00103", "유효하지 않은 AppKey입니다."),
        Denied::AppSecret => ("EGW00105", "유효하지 않은 AppSecret입니다."),
        Denied::TokenTooSoon => ("EGW00133", "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)"),
        Denied::TooFast => ("EGW00201", "초당 거래건수를 초과하였습니다."),
        Denied::TokenInvalid => ("EGW00121", "유효하지 않은 token 입니다."),
        Denied::TokenMissing => ("EGW00122", "token 을 찾을 수 없습니다."),
        Denied::TokenExpired => ("EGW00123", "기간이 만료된 token 입니다."),
    }
}

fn refusal(denied: Denied) -> Answer {
    let (code, text) = words(denied);
    failure(500, code, text)
}

fn oauth_refusal(denied: Denied) -> Answer {
    let (code, text) = words(denied);
    oauth_failure(403, code, text)
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
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("kis-sim-rest".into())
            .spawn(move || accept(&listener, &Arc::new(rest), &stopped))?;
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

fn accept(listener: &TcpListener, rest: &Arc<Rest>, stop: &Arc<AtomicBool>) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if busy.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
            continue;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        let (rest, stop, left) = (Arc::clone(rest), Arc::clone(stop), Arc::clone(&busy));
        let spawned = std::thread::Builder::new().name("kis-sim-rest-client".into()).spawn(move || {
            let _ = serve(stream, &rest, &stop);
            left.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Requests of one connection, one after the other.
fn serve(mut stream: TcpStream, rest: &Rest, stop: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    let mut idle = 0;
    while !stop.load(Ordering::Relaxed) && idle < IDLE_READS_MAX {
        match parse(&input) {
            Ok(Some((request, used))) => {
                input.drain(..used);
                idle = 0;
                let (status, body) = rest.answer(&request);
                let close = request.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
                respond(&mut stream, &request, status, &body, close)?;
                if close {
                    break;
                }
                continue;
            }
            Ok(None) => {}
            Err(status) => {
                let (_, body) = failure(status, "EGW00002", "bad request");
                let empty = Request {
                    method: String::new(),
                    path: String::new(),
                    query: Vec::new(),
                    headers: Vec::new(),
                    body: Vec::new(),
                };
                respond(&mut stream, &empty, status, &body, true)?;
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
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (method, path) = (head.method.unwrap_or("").to_owned(), path.to_owned());
    Ok(Some((Request { method, path, query, headers, body }, used)))
}

/// A chunked body and the bytes it took.
fn chunked(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, u16> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let (start, size) = match httparse::parse_chunk_size(&input[at..]) {
            Ok(httparse::Status::Complete((start, size))) => (at + start, size as usize),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(400),
        };
        if body.len() + size > BODY_BYTES_MAX {
            return Err(413);
        }
        let Some(chunk) = input.get(start..start + size + 2) else { return Ok(None) };
        body.extend_from_slice(&chunk[..size]);
        at = start + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

/// Header names exactly as the real server spells them: some clients turn the lower-case ones into identifiers.
fn respond(stream: &mut TcpStream, request: &Request, status: u16, body: &Value, close: bool) -> std::io::Result<()> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Payload Too Large",
        _ => "Internal Server Error",
    };
    let body = body.to_string();
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let mut head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\nDate: {date}\r\n",
        body.len()
    );
    if let Some(tr_id) = request.header("tr_id") {
        let gt_uid = request.header("gt_uid").unwrap_or("");
        head.push_str(&format!("tr_id: {tr_id}\r\ntr_cont: \r\ngt_uid: {gt_uid}\r\n"));
    }
    if close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head.push_str(&body);
    stream.write_all(head.as_bytes())
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
}
