//! A venue of its own and a client of it, for the tests of REST.

#![allow(dead_code)] // each test file uses its own part

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use hoga::feed::kis::rest::{Client, Keys, RestSection};
use hoga::feed::kis::session::Account;
use hoga::secret::{Credentials, Secret};
use kis_sim::{AppKey, Limits, OpenWhen, RestFault, RestFaultSpec, SimConfig, Venue};
use serde_json::json;
use tungstenite::Message;

/// A venue whose market never opens, and which doesn't count calls.
pub fn sim() -> SimConfig {
    SimConfig {
        symbols: 40,
        open_when: OpenWhen::Registrations { count: 100_000 },
        close_wait_s: 0.2,
        limits: Limits { requests_per_second: 0, ..Limits::default() },
        ..SimConfig::default()
    }
}

/// Settings without waits that tests would have to sit out.
pub fn settings(folder: &Path) -> RestSection {
    RestSection {
        calls_per_second: Some(500.0),
        keys_dir: Some(folder.join("keys")),
        retry_delay_ms: 2,
        call_timeout_s: 20,
        ..RestSection::default()
    }
}

pub fn account(key: &AppKey) -> Account {
    let credentials = Credentials { app_key: Secret::new(&*key.app_key), app_secret: Secret::new(&*key.app_secret) };
    Account { name: "test".to_owned(), credentials }
}

/// A client of the first `keys` app keys of a venue.
pub fn client(venue: &Venue, settings: &RestSection, keys: usize) -> Client {
    let accounts: Vec<Account> = venue.config().app_keys[..keys].iter().map(account).collect();
    Client::new(&venue.rest_url(), &accounts, settings).expect("a client")
}

/// `times` requests to a path, from the first on, meet a fault.
pub fn fault(path: &str, times: u64, fault: RestFault) -> RestFaultSpec {
    RestFaultSpec { path: path.to_owned(), from: 1, times, fault }
}

pub fn refuse(status: u16, code: &str) -> RestFault {
    RestFault::Refuse { status, code: code.to_owned(), text: "scripted".to_owned() }
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// Registers trades of KRX for symbols, and returns all data frames to the end of the run.
pub fn record_trades(venue: &Venue, symbols: &[&str]) -> Vec<String> {
    let feeds: Vec<(&str, &str)> = symbols.iter().map(|symbol| ("H0STCNT0", *symbol)).collect();
    record(venue, &feeds)
}

/// Registers transactions with their keys, and returns all data frames to the end of the run.
pub fn record(venue: &Venue, feeds: &[(&str, &str)]) -> Vec<String> {
    let key = &venue.config().app_keys[1];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys = Keys::open(&venue.rest_url(), account(key).credentials, &settings(folder.path())).expect("keys");
    let approval = keys.approval_key(None, soon()).expect("an approval key");
    let stream = TcpStream::connect(venue.ws_url().trim_start_matches("ws://")).expect("the venue listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let (mut ws, _) = tungstenite::client(venue.ws_url(), stream).expect("a handshake");
    for (tr_id, tr_key) in feeds {
        let header = json!({
            "approval_key": approval.expose(), "custtype": "P", "tr_type": "1", "content-type": "utf-8"
        });
        let text = json!({"header": header, "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}}});
        ws.send(Message::text(text.to_string())).expect("sent");
    }
    let mut frames = Vec::new();
    while let Ok(message) = ws.read() {
        match message {
            Message::Text(text) if text.starts_with('0') => frames.push(text.to_string()),
            Message::Text(text) if text.contains("PINGPONG") => ws.send(Message::Text(text)).expect("sent"),
            _ => {}
        }
    }
    frames
}

/// Hour, price, quantity and cumulative volume of each trade of a symbol.
pub fn trades_of(frames: &[String], symbol: &str) -> Vec<(String, i64, u64, u64)> {
    let mut trades = Vec::new();
    for frame in frames.iter().filter(|frame| frame.starts_with("0|H0STCNT0|")) {
        let mut parts = frame.splitn(4, '|').skip(2);
        let (count, payload) = (parts.next().expect("a count"), parts.next().expect("a payload"));
        let fields: Vec<&str> = payload.split('^').collect();
        let width = fields.len() / count.parse::<usize>().expect("a number");
        for record in fields.chunks(width).filter(|record| record[0] == symbol) {
            let number = |at: usize| record[at].parse::<u64>().expect("a number");
            trades.push((record[1].to_owned(), number(2) as i64, number(12), number(13)));
        }
    }
    trades
}
