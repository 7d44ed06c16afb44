//! A client made of tungstenite and ureq, and the few helpers each test needs.

#![allow(dead_code)] // each test file uses its own part

use std::net::TcpStream;
use std::time::{Duration, Instant};

use kis_sim::{AppKey, Venue};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// A connected client.
pub struct Client {
    pub ws: WebSocket<TcpStream>,
    pub approval_key: String,
    /// Data frames that came while an ack was awaited.
    pub early: Vec<Vec<u8>>,
}

/// POSTs JSON and returns status and body, whatever the status.
pub fn post(url: &str, body: &Value) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(url).send_json(body).expect("the venue answers");
    (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
}

/// An access token of the first app key.
pub fn token(venue: &Venue) -> String {
    token_of(venue, &venue.config().app_keys[0])
}

/// An access token of an app key.
pub fn token_of(venue: &Venue, key: &AppKey) -> String {
    let body = json!({"grant_type": "client_credentials", "appkey": key.app_key, "appsecret": key.app_secret});
    let (status, answer) = post(&format!("{}/oauth2/tokenP", venue.rest_url()), &body);
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// Status and body of a quotation by the first app key; `target` is its path and query.
pub fn ask(venue: &Venue, token: &str, tr_id: &str, target: &str) -> (u16, Value) {
    let (status, _, body) = ask_page(venue, &venue.config().app_keys[0], token, tr_id, target, "");
    (status, body)
}

/// Status, header `tr_cont` and body of a quotation.
pub fn ask_page(
    venue: &Venue,
    key: &AppKey,
    token: &str,
    tr_id: &str,
    target: &str,
    tr_cont: &str,
) -> (u16, String, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent
        .get(format!("{}{target}", venue.rest_url()))
        .header("authorization", format!("Bearer {token}"))
        .header("appkey", &key.app_key)
        .header("appsecret", &key.app_secret)
        .header("tr_id", tr_id)
        .header("tr_cont", tr_cont)
        .call()
        .expect("the venue answers");
    let more = answer.headers().get("tr_cont").and_then(|more| more.to_str().ok()).unwrap_or_default().to_owned();
    (answer.status().as_u16(), more, answer.body_mut().read_json().expect("JSON"))
}

pub fn approval(venue: &Venue, key: &AppKey) -> String {
    let body = json!({"grant_type": "client_credentials", "appkey": key.app_key, "secretkey": key.app_secret});
    let (status, answer) = post(&format!("{}/oauth2/Approval", venue.rest_url()), &body);
    assert_eq!(status, 200, "{answer}");
    answer["approval_key"].as_str().expect("a key").to_owned()
}

impl Client {
    /// Connects with the credentials of app `app`.
    pub fn connect(venue: &Venue, app: usize) -> Self {
        let approval_key = approval(venue, &venue.config().app_keys[app]);
        Self::connect_with(venue, approval_key)
    }

    pub fn connect_with(venue: &Venue, approval_key: String) -> Self {
        let url = format!("{}/tryitout/H0STCNT0", venue.ws_url());
        let stream = TcpStream::connect(venue.ws_url().trim_start_matches("ws://")).expect("the venue listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let (ws, _) = tungstenite::client(url, stream).expect("a handshake");
        Self { ws, approval_key, early: Vec::new() }
    }

    pub fn send(&mut self, text: String) {
        self.ws.send(Message::text(text)).expect("sent");
    }

    pub fn request(&mut self, tr_type: &str, tr_id: &str, tr_key: &str) {
        let header =
            json!({"approval_key": self.approval_key, "custtype": "P", "tr_type": tr_type, "content-type": "utf-8"});
        self.send(json!({"header": header, "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}}}).to_string());
    }

    /// The next control message that is not PINGPONG; data frames on the way are kept in `early`.
    pub fn answer(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.ws.read().expect("an answer") {
                if text.starts_with('{') {
                    let value: Value = serde_json::from_str(&text).expect("JSON");
                    if value["header"]["tr_id"] != "PINGPONG" {
                        return value;
                    }
                } else {
                    self.early.push(text.as_bytes().to_vec());
                }
            }
        }
    }

    /// Registers or unregisters and returns `msg_cd`.
    pub fn register(&mut self, tr_type: &str, tr_id: &str, tr_key: &str) -> String {
        self.request(tr_type, tr_id, tr_key);
        self.answer()["body"]["msg_cd"].as_str().expect("msg_cd").to_owned()
    }

    pub fn subscribe(&mut self, tr_id: &str, tr_key: &str) {
        assert_eq!(self.register("1", tr_id, tr_key), "OPSP0000");
    }

    /// All data frames until Close, an error or the end of the stream, with the error's text or close code.
    pub fn read_to_end(&mut self) -> (Vec<Vec<u8>>, String) {
        let mut frames = std::mem::take(&mut self.early);
        let until = Instant::now() + Duration::from_secs(60);
        let mut end = String::from("timed out");
        while Instant::now() < until {
            match self.ws.read() {
                Ok(Message::Text(text)) if !text.starts_with('{') => frames.push(text.as_bytes().to_vec()),
                Ok(Message::Close(frame)) => {
                    end = frame.map_or("close".into(), |f| format!("close {}", u16::from(f.code)));
                    // The answer to Close is written by the next reads.
                    while self.ws.read().is_ok() {}
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    end = error.to_string();
                    break;
                }
            }
        }
        (frames, end)
    }
}

/// Fields of each record of a frame.
pub fn records(frame: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(frame).expect("UTF-8");
    let mut parts = text.splitn(4, '|');
    let (_, _, count, payload) = (parts.next(), parts.next(), parts.next().unwrap(), parts.next().unwrap());
    let fields: Vec<String> = payload.split('^').map(str::to_owned).collect();
    let count: usize = count.parse().unwrap();
    assert_eq!(fields.len() % count, 0, "{text}");
    fields.chunks(fields.len() / count).map(<[String]>::to_vec).collect()
}

pub fn tr_id(frame: &[u8]) -> String {
    String::from_utf8_lossy(&frame[2..10]).into_owned()
}
