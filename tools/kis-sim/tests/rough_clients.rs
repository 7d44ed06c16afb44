//! Clients that misbehave, and what it costs the venue and everybody else.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Client, approval};
use kis_sim::{At, BanRules, Fault, FaultSpec, OpenWhen, SimConfig, Target, Venue};

/// A venue whose market never opens.
fn quiet() -> SimConfig {
    SimConfig { open_when: OpenWhen::Registrations { count: 100_000 }, close_wait_s: 0.3, ..SimConfig::default() }
}

fn raw(venue: &Venue) -> TcpStream {
    let stream = TcpStream::connect(venue.ws_url().trim_start_matches("ws://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn open(venue: &Venue) -> TcpStream {
    let mut stream = raw(venue);
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 1024];
    let n = stream.read(&mut head).unwrap();
    assert!(head[..n].starts_with(b"HTTP/1.1 101"));
    stream
}

/// MiB of memory that this process, and so the venue, holds.
fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Writes until the other end has had enough, 64 MiB at most; MiB that it took.
fn pour(stream: &mut TcpStream, piece: &[u8]) -> usize {
    let most = (64 << 20) / piece.len();
    let taken = (0..most).take_while(|_| stream.write_all(piece).is_ok()).count();
    (taken * piece.len()) >> 20
}

fn assert_ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well; a timeout is none.
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_client_that_sends_without_a_pause_keeps_nobody_waiting_and_is_cut_at_the_bound() {
    let venue = Venue::start(SimConfig { backlog_bytes_max: 4 << 20, ..quiet() }).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let (mut stream, over) = (open(&venue), Arc::clone(&over));
            std::thread::spawn(move || {
                // `{}`, masked with zeros: the answer is a hundred times as long, and never read.
                let piece = [0x81, 0x82, 0, 0, 0, 0, b'{', b'}'].repeat(8_192);
                while !over.load(Ordering::Relaxed) && stream.write_all(&piece).is_ok() {}
                !over.load(Ordering::Relaxed)
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    Client::connect(&venue, 0).subscribe("H0STCNT0", "005930");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until && !floods.iter().all(|flood| flood.is_finished()) {
        std::thread::sleep(Duration::from_millis(10));
    }
    over.store(true, Ordering::Relaxed);
    assert!(floods.into_iter().all(|flood| flood.join().unwrap()), "the venue ends them");
    assert!(resident_mib() < 200, "{}", resident_mib());
}

#[test]
fn what_is_no_handshake_is_not_kept() {
    let venue = Venue::start(quiet()).unwrap();
    let took = pour(&mut raw(&venue), &[b'x'; 65_536]);
    assert!(took < 16, "{took} MiB");
}

#[test]
fn what_comes_behind_the_end_is_not_kept() {
    let stall = Fault::Stall { ms: 600_000 };
    let faults = vec![FaultSpec { at: At::Registration(1), connection: Target::All, fault: stall }];
    let venue = Venue::start(SimConfig { faults, ..quiet() }).unwrap();
    let mut stream = open(&venue);
    let text = br#"{"header":{"approval_key":"x","custtype":"P","tr_type":"1"},"body":{"input":{"tr_id":"H0STCNT0","tr_key":"005930"}}}"#;
    stream.write_all(&[0x81, 0x80 | 126, 0, text.len() as u8, 0, 0, 0, 0]).unwrap();
    stream.write_all(text).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while venue.ledger().faults == 0 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = resident_mib();
    // A frame without a mask ends it, and its Close can't be sent.
    stream.write_all(&[0x81, 2, b'h', b'i']).unwrap();
    assert_eq!(pour(&mut stream, &[0; 65_536]), 64, "it is read");
    let more = resident_mib().saturating_sub(before);
    assert!(more < 40, "{more} MiB");
}

#[test]
fn a_handshake_that_is_never_finished_is_cut() {
    let venue = Venue::start(SimConfig { handshake_wait_s: 0.3, ..quiet() }).unwrap();
    let mut stream = raw(&venue);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
    assert_ends(&mut stream);
    // One that is finished has its time for itself.
    let mut client = Client::connect(&venue, 0);
    std::thread::sleep(Duration::from_millis(600));
    client.subscribe("H0STCNT0", "005930");
}

#[test]
fn who_never_answers_a_close_gives_up_its_app_key_after_a_while() {
    let close = Fault::Close { code: 1001, reason: String::new() };
    let faults = vec![FaultSpec { at: At::Registration(2), connection: Target::Number(1), fault: close }];
    let venue = Venue::start(SimConfig { faults, slot_linger_s: 0.3, ..quiet() }).unwrap();
    let mut first = Client::connect(&venue, 0);
    first.subscribe("H0STCNT0", "005930");
    let closed = Instant::now();
    first.request("1", "H0STASP0", "005930");
    let mut second = Client::connect(&venue, 0);
    let until = Instant::now() + Duration::from_secs(5);
    while second.register("1", "H0STCNT0", "005930") != "OPSP0000" {
        assert!(Instant::now() < until, "the slot stays taken");
        // Pings are no answer, and get none behind a Close.
        let _ = first.ws.get_mut().write_all(&[0x89, 0x80, 0, 0, 0, 0]);
        std::thread::sleep(Duration::from_millis(10));
    }
    // The time for the answer, and that for which a slot lingers.
    assert!(closed.elapsed() > Duration::from_millis(600), "{:?}", closed.elapsed());
    drop(first);
}

/// How often somebody did it until it was a ban.
fn until_banned(venue: &Venue, mut once: impl FnMut()) -> usize {
    (1..=40)
        .find(|_| {
            once();
            let until = Instant::now() + Duration::from_millis(50);
            while venue.ledger().bans == 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
            venue.ledger().bans > 0
        })
        .expect("a ban")
}

/// A venue with one app key that may connect five times and say ten things.
fn strict() -> SimConfig {
    let ban = BanRules { connects: 5, window_s: 600.0, for_s: 3600.0, messages: Some(10) };
    SimConfig { ban: Some(ban), app_keys: kis_sim::AppKey::generate(1), ..quiet() }
}

#[test]
fn a_loop_of_connections_that_say_nothing_is_a_ban_of_the_address() {
    let venue = Venue::start(strict()).unwrap();
    assert_eq!(until_banned(&venue, || drop(open_or_not(&venue))), 6);
    assert!(open_or_not(&venue).is_none(), "nobody is let in from there");
    // All app keys together may connect as often as each of them.
    let venue = Venue::start(SimConfig { app_keys: kis_sim::AppKey::generate(3), ..strict() }).unwrap();
    assert_eq!(until_banned(&venue, || drop(open_or_not(&venue))), 16);
}

/// A connection, unless it is reset.
fn open_or_not(venue: &Venue) -> Option<TcpStream> {
    let mut stream = raw(venue);
    let _ = stream.write_all(
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let mut head = [0; 12];
    stream.read_exact(&mut head).is_ok().then_some(stream)
}

#[test]
fn a_loop_of_connections_with_an_expired_approval_key_is_a_ban_of_its_app_key() {
    let venue = Venue::start(SimConfig { app_keys: kis_sim::AppKey::generate(2), ..strict() }).unwrap();
    let stale = approval(&venue, &venue.config().app_keys[0]);
    venue.expire_approval_keys();
    approval(&venue, &venue.config().app_keys[0]);
    let connect = || {
        Client::connect_with(&venue, stale.clone()).request("1", "H0STCNT0", "005930");
    };
    assert_eq!(until_banned(&venue, connect), 6);
    // The other one has done nothing.
    Client::connect(&venue, 1).subscribe("H0STCNT0", "005930");
}

#[test]
fn a_loop_of_refused_messages_is_a_ban() {
    let bad = |tr_type: &str, tr_id: &str| {
        let venue = Venue::start(strict()).unwrap();
        let mut client = Client::connect(&venue, 0);
        until_banned(&venue, || client.request(tr_type, tr_id, "005930"))
    };
    assert_eq!((bad("1", "H0XXXXX0"), bad("0", "H0STCNT0")), (11, 11));
    // What names no app key is its address's.
    let venue = Venue::start(strict()).unwrap();
    let mut client = Client::connect(&venue, 0);
    assert_eq!(until_banned(&venue, || client.send("{".into())), 11);
    assert!(open_or_not(&venue).is_none());
}
