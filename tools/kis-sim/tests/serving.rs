//! What a client sees of a run without faults: every frame of the ledger, and nothing else.

mod common;

use common::{Client, tr_id};
use kis_sim::{Burst, OpenWhen, SimConfig, TimedFrame, Venue, unescape};

#[test]
fn the_client_receives_exactly_what_the_ledger_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.tsv");
    let venue = Venue::start(SimConfig {
        symbols: 10,
        seconds: 2.0,
        rate: 2_000.0,
        burst: Burst::Opening { factor: 10.0, share: 0.05 },
        open_when: OpenWhen::Registrations { count: 30 },
        ledger: Some(path.clone()),
        ..SimConfig::default()
    })
    .unwrap();
    assert!(venue.market_anchor().is_none());
    let codes: Vec<String> = venue.symbols().iter().map(|s| s.code.clone()).collect();
    let mut client = Client::connect(&venue, 0);
    for code in &codes {
        for tr in ["H0STCNT0", "H0STASP0", "H0UNCNT0"] {
            client.subscribe(tr, code);
        }
    }
    let (frames, end) = client.read_to_end();
    assert_eq!(end, "close 1000");
    let summary = venue.join();
    assert_eq!(summary.counts.frames_sent, frames.len() as u64);
    assert_eq!(summary.closed_cleanly, 1);
    // The last event may end a few frames past the total.
    assert!((4_000..4_020).contains(&frames.len()), "{}", frames.len());
    let ledger = std::fs::read(&path).unwrap();
    let sent: Vec<Vec<u8>> = ledger
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty() && line[0] != b'#')
        .map(|line| unescape(line.splitn(3, |b| *b == b'\t').nth(2).unwrap()).unwrap())
        .collect();
    assert_eq!(sent, frames);
    let books = frames.iter().filter(|f| tr_id(f) == "H0STASP0").count();
    assert!(books * 4 > frames.len(), "{books} books of {}", frames.len());
}

#[test]
fn any_iterator_of_timed_frames_is_played_at_its_moments() {
    let text = |i: u64| format!("0|H0STCNT0|001|005930^{i:06}^100").into_bytes();
    let frames: Vec<TimedFrame> = (0..50).map(|i| TimedFrame::from_text(i * 4_000_000, &text(i)).unwrap()).collect();
    let other = TimedFrame::from_text(0, b"0|H0STCNT0|001|000660^1").unwrap();
    let source = kis_sim::IterSource(std::iter::once(other).chain(frames));
    let config = SimConfig { open_when: OpenWhen::Registrations { count: 1 }, ..SimConfig::default() };
    let venue = Venue::start_with(config, Box::new(source)).unwrap();
    let mut client = Client::connect(&venue, 0);
    client.subscribe("H0STCNT0", "005930");
    let (frames, end) = client.read_to_end();
    assert_eq!(end, "close 1000");
    assert_eq!(frames, (0..50).map(text).collect::<Vec<_>>());
    let summary = venue.join();
    assert!(summary.seconds > 0.19, "{}", summary.seconds);
}
