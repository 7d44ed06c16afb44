//! The broker's limits hold whoever calls, judged by a venue that counts like the broker.

mod rest_rig;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hoga::feed::kis::rest::quotations::Venue as Market;
use hoga::feed::kis::rest::{Client, Priority, RestSection};
use kis_sim::{Limits, SimConfig, Venue};
use rest_rig::{client, settings, sim};

fn counting(per_second: u32) -> Venue {
    let limits = Limits { requests_per_second: per_second, ..Limits::default() };
    Venue::start(SimConfig { limits, ..sim() }).unwrap()
}

/// Calls from several threads for a while; how many were answered.
fn hammer(client: &Client, venue: &Venue, threads: usize, long: Duration) -> u64 {
    let symbol = venue.symbols()[0].code.clone();
    let answered = AtomicU64::new(0);
    // The token's minute isn't part of the time.
    client.quote(Market::Krx, &symbol).unwrap();
    let until = Instant::now() + long;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while Instant::now() < until {
                    client.quote(Market::Krx, &symbol).unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    answered.into_inner()
}

#[test]
fn eight_threads_at_the_usual_pace_are_never_refused() {
    let folder = tempfile::tempdir().unwrap();
    let venue = counting(18);
    let settings = RestSection { calls_per_second: None, ..settings(folder.path()) };
    let client = client(&venue, &settings, 1);
    let answered = hammer(&client, &venue, 8, Duration::from_secs(3));
    assert_eq!(venue.rest_counts().refusals_of("EGW00201"), 0);
    assert_eq!(client.report().counts.too_fast, 0);
    // 15 a second, and those that waited when the time was over.
    assert!((30..=54).contains(&answered), "{answered}");
}

/// Needs a machine that does nothing else: `just rest-rate`.
#[test]
#[ignore = "measures the pace; run it alone"]
fn a_pace_set_close_to_the_limit_reaches_95_percent_of_it_without_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let venue = counting(18);
    let client = client(&venue, &RestSection { calls_per_second: Some(17.6), ..settings(folder.path()) }, 1);
    let begun = Instant::now();
    let answered = hammer(&client, &venue, 4, Duration::from_secs(20));
    let rate = answered as f64 / begun.elapsed().as_secs_f64();
    println!("{rate:.2} of 18 calls a second");
    assert_eq!(venue.rest_counts().refusals_of("EGW00201"), 0);
    assert!(rate >= 0.95 * 18.0, "{rate:.2}");
}

/// Two clients at 17 calls a second each for four seconds.
fn two_at_once(clients: &[Client; 2], venue: &Venue) {
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| hammer(client, venue, 4, Duration::from_secs(4)));
        }
    });
}

#[test]
fn two_programs_that_share_the_folder_of_keys_share_the_pace() {
    let folder = tempfile::tempdir().unwrap();
    let venue = counting(18);
    let settings = RestSection { calls_per_second: Some(17.0), ..settings(folder.path()) };
    // Nothing but the folder is common to them, as to two processes.
    let clients = [client(&venue, &settings, 1), client(&venue, &settings, 1)];
    two_at_once(&clients, &venue);
    let counts = venue.rest_counts();
    assert_eq!(counts.refusals_of("EGW00201"), 0);
    assert_eq!(counts.requests_of("tokenP"), 1, "the token is shared");
    let each = clients.each_ref().map(|client| client.report().counts.requests);
    assert!(each.iter().all(|calls| *calls > 5), "none starves: {each:?}");
    assert!(each.iter().sum::<u64>() > 50, "{each:?}");
}

#[test]
fn two_programs_apart_on_one_app_key_slow_down_until_both_fit() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let venue = counting(18);
    let settings = folders.each_ref().map(|folder| RestSection {
        calls_per_second: Some(17.0),
        retries_max: 8,
        ..settings(folder.path())
    });
    let first = client(&venue, &settings[0], 1);
    first.quote(Market::Krx, &venue.symbols()[0].code).unwrap();
    // As if on another host: the token was carried there, the turns are not.
    let second = client(&venue, &settings[1], 1);
    for entry in std::fs::read_dir(folders[0].path().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            std::fs::copy(&path, folders[1].path().join("keys").join(path.file_name().unwrap())).unwrap();
        }
    }
    let clients = [first, second];
    two_at_once(&clients, &venue);
    let refused = venue.rest_counts().refusals_of("EGW00201");
    assert!(refused > 0, "34 calls a second don't fit");
    let reports = clients.each_ref().map(Client::report);
    assert_eq!(reports.iter().map(|report| report.counts.too_fast).sum::<u64>(), refused);
    assert!(reports.iter().any(|report| report.app_keys[0].calls_per_second < 17.0));
}

#[test]
fn a_call_that_somebody_waits_for_overtakes_the_backfill() {
    let folder = tempfile::tempdir().unwrap();
    let venue = counting(0);
    let client = client(&venue, &RestSection { calls_per_second: Some(10.0), ..settings(folder.path()) }, 1);
    let symbol = venue.symbols()[0].code.clone();
    client.quote(Market::Krx, &symbol).unwrap();
    let backfill = client.with_priority(Priority::Backfill);
    let session = client.with_priority(Priority::Session);
    let until = Instant::now() + Duration::from_secs(3);
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                while Instant::now() < until {
                    backfill.quote(Market::Krx, &symbol).unwrap();
                }
            });
        }
        // Ten wait in line, a second's worth of turns.
        std::thread::sleep(Duration::from_millis(300));
        for caller in [&client, &session, &client, &session] {
            let begun = Instant::now();
            caller.quote(Market::Krx, &symbol).unwrap();
            assert!(begun.elapsed() < Duration::from_millis(500), "{:?} in line", begun.elapsed());
        }
    });
}

#[test]
fn calls_are_spread_over_the_app_keys() {
    let folder = tempfile::tempdir().unwrap();
    let venue = counting(18);
    let client = client(&venue, &RestSection { calls_per_second: None, ..settings(folder.path()) }, 2);
    let answered = hammer(&client, &venue, 8, Duration::from_secs(3));
    let counts = venue.rest_counts();
    assert_eq!((counts.refusals_of("EGW00201"), counts.requests_of("tokenP")), (0, 2));
    assert!(answered > 60, "two app keys allow twice as much, not {answered}");
    let each: Vec<u64> = counts.by_app.values().copied().collect();
    assert!(each.len() == 2 && each[0].abs_diff(each[1]) * 5 < each[0] + each[1], "{each:?}");
}

#[test]
fn the_mock_server_is_called_once_a_second() {
    let pace = RestSection::default().pace("https://openapivts.koreainvestment.com:29443");
    assert!((0.95..0.99).contains(&pace), "{pace}: on their way calls come closer to each other");
    let folder = tempfile::tempdir().unwrap();
    let venue = counting(1);
    let client = client(&venue, &RestSection { calls_per_second: Some(pace), ..rest_rig::settings(folder.path()) }, 1);
    let begun = Instant::now();
    for _ in 0..3 {
        client.quote(Market::Krx, &venue.symbols()[0].code).unwrap();
    }
    assert!(begun.elapsed() > Duration::from_secs(2));
    assert_eq!(venue.rest_counts().refusals_of("EGW00201"), 0);
}
