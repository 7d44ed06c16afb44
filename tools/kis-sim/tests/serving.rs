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

#[test]
fn a_client_that_does_not_read_is_cut_at_the_bound_and_the_ledger_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.tsv");
    let venue = Venue::start(SimConfig {
        symbols: 1,
        seconds: 4.0,
        rate: 20_000.0,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 1 },
        backlog_bytes_max: 100_000,
        ledger: Some(path.clone()),
        ..SimConfig::default()
    })
    .unwrap();
    let mut client = Client::connect(&venue, 0);
    client.subscribe("H0STASP0", &venue.symbols()[0].code.clone());
    let summary = venue.join();
    drop(client);
    let ledger = std::fs::read_to_string(path).unwrap();
    assert!(ledger.lines().any(|l| l.starts_with('#') && l.contains("client does not read")));
    assert!(summary.counts.frames_dropped > 0);
    let lines = ledger.lines().filter(|l| !l.starts_with('#')).count() as u64;
    assert_eq!(lines, summary.counts.frames_sent);
}

#[test]
fn two_registrations_of_one_feed_both_get_every_frame() {
    let venue = Venue::start(SimConfig {
        symbols: 1,
        seconds: 1.0,
        rate: 1_000.0,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 2 },
        ..SimConfig::default()
    })
    .unwrap();
    let code = venue.symbols()[0].code.clone();
    let clients = [0, 1].map(|app| {
        let mut client = Client::connect(&venue, app);
        client.subscribe("H0UNCNT0", &code);
        std::thread::spawn(move || client.read_to_end().0)
    });
    let [first, second] = clients.map(|client| client.join().unwrap());
    assert!(first.len() >= 500);
    assert_eq!(first, second);
    assert_eq!(venue.join().counts.frames_sent, 2 * first.len() as u64);
}

#[test]
fn the_program_reads_a_file_and_ends_with_a_summary_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venue.toml");
    let text = r#"
        seconds = 0.2
        market_start = "2026-11-20T10:00:00"
        widths = "before_2026_09_14"
        nxt_book_width = "62"
        burst = { kind = "opening", factor = 10.0, share = 0.05 }
        open_when = { kind = "immediately" }
        [limits]
        approval_burst = 5
        [[faults]]
        at = { frame = 10 }
        fault = { kind = "corrupt", place = "digits" }
    "#;
    std::fs::write(&path, text).unwrap();
    let program = env!("CARGO_BIN_EXE_kis-sim");
    let output =
        std::process::Command::new(program).args(["--json", "--symbols", "3", "--config"]).arg(&path).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let summary: serde_json::Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert_eq!(summary["frames_sent"], 0);
    std::fs::write(&path, "secnods = 1").unwrap();
    let output = std::process::Command::new(program).arg("--config").arg(&path).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && complaint.contains("secnods") && complaint.contains("seconds"), "{complaint}");
}
