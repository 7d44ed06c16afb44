//! Each scripted fault, seen from the other end of the wire.

mod common;

use std::time::{Duration, Instant};

use common::{Client, records};
use kis_sim::{At, CorruptPlace, Fault, FaultSpec, OpenWhen, SimConfig, Summary, Target, Venue};
use tungstenite::Message;

fn spec(at: At, fault: Fault) -> FaultSpec {
    FaultSpec { at, connection: Target::All, fault }
}

/// A second of 400 frames in continuous trading, to one client registered for two feeds of one symbol.
fn config(faults: Vec<FaultSpec>) -> SimConfig {
    SimConfig {
        symbols: 1,
        seconds: 1.0,
        rate: 400.0,
        max_records_per_frame: 1,
        wild_symbols: 0,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 2 },
        close_wait_s: 0.5,
        faults,
        ..SimConfig::default()
    }
}

fn registered(config: SimConfig) -> (Venue, Client) {
    let venue = Venue::start(config).unwrap();
    let mut client = Client::connect(&venue, 0);
    let code = venue.symbols()[0].code.clone();
    client.subscribe("H0STCNT0", &code);
    client.subscribe("H0STASP0", &code);
    (venue, client)
}

fn run(fault: Fault) -> (Vec<Vec<u8>>, String, Summary) {
    let (venue, mut client) = registered(config(vec![spec(At::Frame(100), fault)]));
    let (frames, end) = client.read_to_end();
    drop(client);
    (frames, end, venue.join())
}

#[test]
fn a_cut_mid_frame_ends_the_stream_inside_frame_100() {
    let (frames, end, summary) = run(Fault::CutMidFrame);
    assert_eq!(frames.len(), 99);
    assert!(!end.starts_with("close"), "{end}");
    assert_eq!((summary.counts.frames_sent, summary.counts.faults), (99, 1));
}

#[test]
fn a_reset_arrives_as_a_reset() {
    let (frames, end, summary) = run(Fault::Rst);
    assert!(frames.len() <= 99);
    assert!(end.to_lowercase().contains("reset"), "{end}");
    assert!(summary.counts.frames_sent <= 99);
}

#[test]
fn a_close_carries_its_code_and_reason() {
    let (frames, end, _) = run(Fault::Close { code: 1011, reason: "why".into() });
    assert_eq!((frames.len(), end.as_str()), (99, "close 1011"));
}

#[test]
fn a_stall_delays_and_loses_nothing() {
    let (venue, mut client) = registered(config(vec![spec(At::Frame(100), Fault::Stall { ms: 400 })]));
    let (mut longest, mut last, mut frames) = (Duration::ZERO, Instant::now(), 0);
    while let Ok(message) = client.ws.read() {
        if message.is_close() {
            break;
        }
        if frames > 0 {
            longest = longest.max(last.elapsed());
        }
        last = Instant::now();
        frames += 1;
    }
    drop(client);
    let sent = venue.join().counts.frames_sent;
    assert!(longest >= Duration::from_millis(350), "{longest:?}");
    assert_eq!(frames, sent);
    assert!(sent >= 400);
}

#[test]
fn dropped_frames_leave_a_hole_as_large_as_what_they_carried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let faults = vec![spec(At::Frame(100), Fault::Drop { n: 30 })];
    let (venue, mut client) = registered(SimConfig { ledger: Some(path.clone()), ..config(faults) });
    let (frames, _) = client.read_to_end();
    drop(client);
    let summary = venue.join();
    assert_eq!(summary.counts.frames_dropped, 30);
    assert_eq!(summary.counts.frames_sent, frames.len() as u64);
    let ledger = std::fs::read_to_string(path).unwrap();
    let dropped: i64 = ledger
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.strip_prefix('#')?).ok())
        .filter(|note| note.get("dropped").is_some())
        .map(|note| note["frame"].as_str().unwrap().to_owned())
        .filter(|frame| frame.contains("H0STCNT0"))
        .map(|frame| records(frame.as_bytes())[0][12].parse::<i64>().unwrap())
        .sum();
    let mut missing = 0;
    let mut volume = None;
    for trade in frames.iter().filter(|f| f.starts_with(b"0|H0STCNT0")).flat_map(|f| records(f)) {
        let (quantity, total): (i64, i64) = (trade[12].parse().unwrap(), trade[13].parse().unwrap());
        missing += volume.map_or(0, |before: i64| total - before - quantity);
        volume = Some(total);
    }
    assert!(dropped > 0);
    assert_eq!(missing, dropped);
}

/// Waits for the end of a run that should take a second.
fn ended(venue: Venue) -> Summary {
    let until = Instant::now() + Duration::from_secs(6);
    while !venue.is_finished() {
        assert!(Instant::now() < until, "it goes on: {:?}", venue.ledger());
        std::thread::sleep(Duration::from_millis(10));
    }
    venue.join()
}

#[test]
fn frames_that_a_fault_leaves_out_take_their_time_and_the_run_ends() {
    let (venue, mut client) = registered(config(vec![spec(At::Frame(100), Fault::Drop { n: u64::MAX })]));
    let reader = std::thread::spawn(move || client.read_to_end());
    let counts = ended(venue).counts;
    let (frames, end) = reader.join().unwrap();
    assert_eq!((frames.len(), end.as_str()), (99, "close 1000"));
    assert!((250..=310).contains(&counts.frames_dropped), "{counts:?}");
}

#[test]
fn a_closed_connection_takes_no_frames_and_the_run_ends() {
    let close = Fault::Close { code: 1001, reason: String::new() };
    // The client never answers the Close.
    let (venue, client) = registered(config(vec![spec(At::Frame(100), close)]));
    let until = Instant::now() + Duration::from_secs(5);
    while venue.ledger().registrations > 0 {
        assert!(Instant::now() < until, "{:?}", venue.ledger());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(venue.ledger().frames_sent < 110);
    ended(venue);
    drop(client);
}

#[test]
fn a_half_open_connection_stays_silent_and_is_never_cut_for_its_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let faults = vec![spec(At::Frame(100), Fault::HalfOpen)];
    let config = SimConfig { backlog_bytes_max: 4_000, ledger: Some(path.clone()), ..config(faults) };
    let (venue, mut client) = registered(config);
    let reader = std::thread::spawn(move || (client.read_to_end().0.len(), Instant::now()));
    let summary = ended(venue);
    let (frames, end) = reader.join().unwrap();
    assert!(frames <= 100 && end.elapsed() < Duration::from_secs(1), "the venue's own end is its first");
    assert!((250..=320).contains(&summary.counts.frames_dropped), "{:?}", summary.counts);
    let ledger = std::fs::read_to_string(path).unwrap();
    assert!(!ledger.contains("does not read"), "a peer that is gone cuts nobody");
    assert!(ledger.lines().filter(|line| line.contains("\"dropped\":1")).count() >= 250);
}

#[test]
fn a_duplicate_comes_right_after_its_original() {
    let (frames, _, summary) = run(Fault::Duplicate { n: 2 });
    assert_eq!(frames[99], frames[100]);
    assert_eq!(frames[99], frames[101]);
    assert_eq!(summary.counts.frames_sent, frames.len() as u64);
}

#[test]
fn corruption_hits_header_digits_or_separator() {
    let (frames, _, _) = run(Fault::Corrupt { place: CorruptPlace::Header });
    assert!(frames[99].starts_with(b"0|H0?T"));
    let (frames, _, _) = run(Fault::Corrupt { place: CorruptPlace::Digits });
    assert!(records(&frames[99])[0][1].starts_with('x'));
    let (frames, _, _) = run(Fault::Corrupt { place: CorruptPlace::Separator });
    let separators = |frame: &[u8]| frame.iter().filter(|b| **b == b'^').count();
    let usual: Vec<usize> = frames.iter().filter(|f| f[..10] == frames[99][..10]).map(|f| separators(f)).collect();
    assert_eq!(separators(&frames[99]) + 1, usual[0]);
}

#[test]
fn a_strict_client_refuses_text_that_is_not_utf8() {
    let (frames, end, _) = run(Fault::InvalidUtf8);
    assert_eq!(frames.len(), 99);
    assert!(end.to_lowercase().contains("utf"), "{end}");
}

#[test]
fn an_oversize_frame_is_as_long_as_asked() {
    let (frames, _, _) = run(Fault::Oversize { bytes: 2 << 20 });
    assert_eq!(frames[99].len(), 2 << 20);
    assert!(frames.len() >= 400);
}

#[test]
fn a_wrong_count_says_one_more() {
    let (frames, _, _) = run(Fault::WrongCount);
    assert_eq!(&frames[99][10..15], b"|002|");
    assert_eq!(&frames[98][10..15], b"|001|");
}

#[test]
fn a_slow_drip_delivers_everything_in_small_pieces() {
    let drip = Fault::SlowDrip { bytes: 40, every_ms: 5, for_ms: Some(300) };
    let (frames, end, summary) = run(drip);
    assert_eq!(end, "close 1000");
    assert_eq!(summary.counts.frames_sent, frames.len() as u64);
}

#[test]
fn pings_pongs_and_fragments_are_within_the_protocol() {
    let faults = vec![
        spec(At::Frame(50), Fault::Ping { payload: "are you there".into() }),
        spec(At::Frame(60), Fault::Pong),
        spec(At::Frame(70), Fault::Fragmented { parts: 3 }),
    ];
    let (venue, mut client) = registered(config(faults));
    let (mut pings, mut pongs, mut texts) = (0, 0, 0);
    while let Ok(message) = client.ws.read() {
        match message {
            Message::Ping(_) => pings += 1,
            Message::Pong(_) => pongs += 1,
            Message::Text(_) => texts += 1,
            _ => break,
        }
    }
    drop(client);
    assert_eq!((pings, pongs), (2, 1));
    assert_eq!(venue.join().counts.frames_sent, texts);
}

#[test]
fn masks_and_reserved_bits_break_the_protocol() {
    for (fault, word) in [(Fault::Masked, "mask"), (Fault::ReservedBits, "reserved")] {
        let (frames, end, _) = run(fault);
        assert_eq!(frames.len(), 99);
        assert!(end.to_lowercase().contains(word), "{end}");
    }
}

#[test]
fn a_registration_is_refused_with_the_code_asked_for() {
    let refuse = |code: &str| Fault::Refuse { code: code.into() };
    let faults = vec![spec(At::Registration(1), refuse("OPSP0007")), spec(At::Registration(3), refuse("OPSP8996"))];
    let venue = Venue::start(config(faults)).unwrap();
    let mut client = Client::connect(&venue, 0);
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0007");
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0000");
    assert_eq!(client.register("1", "H0STASP0", "005930"), "OPSP8996");
    assert_eq!(venue.ledger().faults, 2);
}

#[test]
fn faults_by_seconds_and_by_connection_hit_only_theirs() {
    let close = Fault::Close { code: 1001, reason: String::new() };
    let faults = vec![FaultSpec { at: At::Seconds(0.3), connection: Target::Number(2), fault: close }];
    let config = SimConfig { open_when: OpenWhen::Registrations { count: 3 }, ..config(faults) };
    let (venue, mut first) = registered(config);
    let mut second = Client::connect(&venue, 1);
    let code = venue.symbols()[0].code.clone();
    second.subscribe("H0STASP0", &code);
    let other = std::thread::spawn(move || second.read_to_end());
    let (all, end) = first.read_to_end();
    let (some, early) = other.join().unwrap();
    assert_eq!((end.as_str(), early.as_str()), ("close 1000", "close 1001"));
    assert!(some.len() < all.len() / 2);
    drop(first);
    drop(venue);
}

#[test]
fn pingpong_stops_when_told_to() {
    let quiet = |faults| SimConfig {
        ping_interval_s: 0.05,
        open_when: OpenWhen::Registrations { count: 99 },
        ..config(faults)
    };
    let count = |faults| {
        let (venue, mut client) = registered(quiet(faults));
        let until = Instant::now() + Duration::from_millis(400);
        client.ws.get_ref().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut pings = 0;
        while Instant::now() < until {
            pings += usize::from(client.ws.read().is_ok());
        }
        drop(client);
        drop(venue);
        pings
    };
    assert!(count(vec![]) >= 4);
    assert!(count(vec![spec(At::Registration(2), Fault::StopPingpong)]) <= 1);
}
