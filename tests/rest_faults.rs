//! What the broker refuses, delays and cuts: repeated where the table says so, and never otherwise.

mod rest_rig;
mod traces;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hoga::feed::kis::rest::codes::{CODES, Reaction};
use hoga::feed::kis::rest::quotations::{Period, Prices, Venue as Market};
use hoga::feed::kis::rest::{BreakerState, Client, RestError, RestSection};
use hoga::feed::kis::session::Account;
use kis_sim::{RestFault, RestFaultSpec, SimConfig, Venue};
use rest_rig::{client, fault, refuse, settings, sim};

#[test]
fn each_code_with_http_500_gets_the_reaction_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { clock_scale: 60.0, ..sim() }).unwrap();
    let settings = RestSection { token_interval_s: 1, ..settings(folder.path()) };
    let symbol = venue.symbols()[0].code.clone();
    let mut repeated = 0;
    for code in CODES.iter().filter(|code| !code.code.starts_with("OPSP")) {
        // Those that cost a second each have tests of their own.
        if matches!(code.reaction, Reaction::RenewToken | Reaction::SlowDown) {
            continue;
        }
        let client = client(&venue, &settings, 1);
        let before = venue.rest_counts().requests_of("inquire-price");
        venue.script_rest(vec![fault("inquire-price", 1, refuse(500, code.code))]);
        let outcome = client.quote(Market::Krx, &symbol);
        let asked = venue.rest_counts().requests_of("inquire-price") - before;
        let repeats = code.reaction == Reaction::Retry;
        assert_eq!((outcome.is_ok(), asked), (repeats, 1 + u64::from(repeats)), "{}", code.code);
        if let Err(error) = outcome {
            assert_eq!(error.code(), Some(code.code));
        }
        repeated += usize::from(repeats);
    }
    assert!(repeated > 20, "{repeated} codes");
}

#[test]
fn a_code_nobody_knows_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { rest_faults: vec![fault("price", 9, refuse(500, "KIOK0460"))], ..sim() });
    let venue = venue.unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    assert_eq!(client.quote(Market::Krx, "000010").unwrap_err().code(), Some("KIOK0460"));
    assert_eq!(venue.rest_counts().requests_of("inquire-price"), 1);
}

#[test]
fn repetitions_end_at_their_bound() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { rest_faults: vec![fault("price", 99, refuse(500, "EGW00300"))], ..sim() });
    let venue = venue.unwrap();
    let client = client(&venue, &RestSection { retries_max: 3, ..settings(folder.path()) }, 1);
    assert!(client.quote(Market::Krx, "000010").is_err());
    assert_eq!(venue.rest_counts().requests_of("inquire-price"), 4);
    assert_eq!((client.report().counts.requests, client.report().counts.retries), (4, 3));
}

#[test]
fn cut_slow_and_foreign_answers_are_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let settings = RestSection { answer_timeout_ms: 300, breaker_failures: 100, ..settings(folder.path()) };
    let client = client(&venue, &settings, 1);
    let symbol = &venue.symbols()[0].code;
    client.quote(Market::Krx, symbol).unwrap();
    for trouble in [
        RestFault::Cut { after: 0 },
        RestFault::Cut { after: 40 },
        RestFault::Cut { after: 300 },
        RestFault::Slow { ms: 700 },
        RestFault::Page { status: 502 },
        RestFault::Page { status: 200 },
    ] {
        venue.script_rest(vec![fault("inquire-price", 2, trouble.clone())]);
        let before = client.report().counts.unreached;
        let begun = Instant::now();
        client.quote(Market::Krx, symbol).unwrap();
        assert_eq!(client.report().counts.unreached - before, 2, "{trouble:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{trouble:?} took {:?}", begun.elapsed());
    }
}

/// An answer of somebody's own.
fn answer(status: u16, body: &str) -> RestFault {
    RestFault::Answer { status, body: body.to_owned(), more: false }
}

#[test]
fn an_answer_that_does_not_say_that_it_succeeded_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let symbol = venue.symbols()[0].code.clone();
    let days = || client.bars_between(Market::Krx, &symbol, Period::Day, 20_261_102, 20_261_119, Prices::Raw);
    const PATH: &str = "inquire-daily-itemchartprice";
    for body in [r#"{"rt_cd":1,"msg_cd":"EGW00206","msg1":"no"}"#, r#"{"rt_cd":"1","msg_cd":"EGW00206","msg1":"no"}"#] {
        venue.script_rest(vec![fault(PATH, 1, answer(200, body))]);
        assert_eq!(days().unwrap_err().code(), Some("EGW00206"), "{body}");
    }
    for body in ["{}", r#"{"output1":{},"output2":[]}"#, r#"{"rt_cd":true,"output1":{},"output2":[]}"#] {
        venue.script_rest(vec![fault(PATH, 1, answer(200, body))]);
        assert!(matches!(days(), Err(RestError::Unreadable { status: 200, .. })), "{body}");
    }
    // That it succeeded, without what was asked for.
    venue.script_rest(vec![fault(PATH, 1, answer(200, r#"{"rt_cd":"0","msg_cd":"MCA00000"}"#))]);
    let error = days().unwrap_err().to_string();
    assert!(error.contains("output2 is missing"), "{error}");
    let numbers = r#"{"rt_cd":0,"output1":{},"output2":[{"stck_bsop_date":"20261119","stck_oprc":100,"stck_hgpr":101,
        "stck_lwpr":99.5,"stck_clpr":100,"acml_vol":5,"acml_tr_pbmn":500}]}"#;
    venue.script_rest(vec![fault(PATH, 1, answer(200, numbers))]);
    let found = days().unwrap();
    let day = &found[0];
    assert_eq!((day.open_px, day.low_px, day.volume), (100_000_000_000, 99_500_000_000, 5));
}

#[test]
fn a_page_that_refuses_is_not_asked_for_again_and_opens_the_breaker() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let settings = RestSection { breaker_failures: 2, ..settings(folder.path()) };
    let client = client(&venue, &settings, 1);
    let symbol = venue.symbols()[0].code.clone();
    client.quote(Market::Krx, &symbol).unwrap();
    venue.script_rest(vec![fault("inquire-price", 99, RestFault::Page { status: 403 })]);
    let before = venue.rest_counts().requests_of("inquire-price");
    for _ in 0..2 {
        let error = client.quote(Market::Krx, &symbol).unwrap_err();
        assert!(matches!(error, RestError::Unreadable { status: 403, .. }), "{error}");
    }
    let error = client.quote(Market::Krx, &symbol).unwrap_err().to_string();
    assert!(error.contains("did not answer as the broker"), "{error}");
    assert_eq!(venue.rest_counts().requests_of("inquire-price") - before, 2);
}

#[test]
fn pages_that_do_not_lead_on_end_at_the_first_that_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let page = r#"{"rt_cd":"0","msg_cd":"MCA00000","msg1":"ok","ctx_area_nk":"SAME","ctx_area_fk":"","output":[
        {"bass_dt":"20261101","bzdy_yn":"Y","tr_day_yn":"Y","opnd_yn":"Y","sttl_day_yn":"Y"}]}"#;
    let same = RestFault::Answer { status: 200, body: page.to_owned(), more: true };
    let venue = Venue::start(SimConfig { rest_faults: vec![fault("chk-holiday", 999, same)], ..sim() }).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let error = client.holidays(20_261_101, 200).unwrap_err();
    assert!(matches!(error, RestError::SamePage { page: 2, .. }), "{error}");
    assert_eq!(venue.rest_counts().requests_of("chk-holiday"), 2);
}

#[test]
fn a_connection_for_the_token_that_is_refused_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let address = venue.rest_url().trim_start_matches("http://").parse().unwrap();
    let symbol = venue.symbols()[0].code.clone();
    let settings =
        RestSection { retries_max: 8, retry_delay_ms: 200, breaker_failures: 100, ..settings(folder.path()) };
    let client = client(&venue, &settings, 1);
    drop(venue);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.quote(Market::Krx, &symbol));
        std::thread::sleep(Duration::from_millis(300));
        let venue = Venue::start(SimConfig { rest_listen: address, ..sim() }).unwrap();
        asking.join().unwrap().unwrap();
        assert_eq!(venue.rest_counts().requests_of("tokenP"), 1);
    });
    assert!(client.report().counts.unreached > 0);
}

#[test]
fn two_accounts_with_one_app_key_are_refused_and_both_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = kis_sim::AppKey::generate(1).remove(0);
    let named = |name: &str| Account { name: name.to_owned(), ..rest_rig::account(&key) };
    let other = rest_rig::account(&kis_sim::AppKey::generate(2).remove(1));
    let accounts = [other, named("one"), named("two")];
    let error = Client::new("http://127.0.0.1:1", &accounts, &settings(folder.path())).unwrap_err();
    assert!(matches!(&error, RestError::SameAppKey { one, other } if one == "one" && other == "two"), "{error}");
    assert!(Client::new("http://127.0.0.1:1", &accounts[..2], &settings(folder.path())).is_ok());
    let in_clear = Client::new("http://192.0.2.1", &accounts[..2], &settings(folder.path())).unwrap_err();
    assert!(in_clear.to_string().contains("https://"), "{in_clear}");
}

#[test]
fn a_post_whose_answer_broke_off_is_not_sent_again_within_the_minute() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { rest_faults: vec![fault("tokenP", 9, RestFault::Cut { after: 0 })], ..sim() });
    let venue = venue.unwrap();
    let client = client(&venue, &settings(folder.path()), 1).with_patience(Duration::from_secs(1));
    for _ in 0..3 {
        assert!(matches!(client.quote(Market::Krx, "000010"), Err(RestError::Keys(_))));
    }
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 1);
}

#[test]
fn a_venue_that_is_gone_is_left_alone_and_found_again_by_one_probe() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let settings = RestSection {
        retries_max: 0,
        breaker_failures: 3,
        breaker_pause_ms: 400,
        token_interval_s: 1,
        ..settings(folder.path())
    };
    let client = client(&venue, &settings, 1);
    let symbol = venue.symbols()[0].code.clone();
    client.quote(Market::Krx, &symbol).unwrap();
    assert_eq!(client.breaker(), BreakerState::Closed);
    let address = venue.rest_url().trim_start_matches("http://").parse().unwrap();
    drop(venue);
    for _ in 0..3 {
        assert!(matches!(client.quote(Market::Krx, &symbol), Err(RestError::Transport { .. })));
    }
    assert_eq!(client.breaker(), BreakerState::Open);
    let begun = Instant::now();
    let error = client.quote(Market::Krx, &symbol).unwrap_err();
    assert!(matches!(error, RestError::CircuitOpen { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_millis(100), "it is refused at once");
    std::thread::sleep(Duration::from_millis(420));
    assert_eq!(client.breaker(), BreakerState::HalfOpen);
    assert!(matches!(client.quote(Market::Krx, &symbol), Err(RestError::Transport { .. })), "a probe");
    assert_eq!(client.breaker(), BreakerState::Open, "which failed");
    let counts = client.report().counts;
    assert_eq!((counts.unreached, counts.not_tried, counts.breaker_opened), (4, 1, 2));
    let venue = Venue::start(SimConfig { rest_listen: address, ..sim() }).unwrap();
    std::thread::sleep(Duration::from_millis(820));
    // The new venue doesn't know the old token.
    client.quote(Market::Krx, &symbol).unwrap();
    assert_eq!(client.breaker(), BreakerState::Closed);
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 1);
}

#[test]
fn the_mock_server_refuses_what_it_does_not_know_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { mock: true, ..sim() }).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    client.quote(Market::Krx, &venue.symbols()[0].code).unwrap();
    let error = client.holidays(20_261_101, 3).unwrap_err();
    assert!(error.code() == Some("EGW00213") && error.to_string().contains("mock server"), "{error}");
    assert_eq!(venue.rest_counts().requests_of("chk-holiday"), 1);
}

/// Everything the subscriber is given.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_secret_is_in_any_log_error_or_foreign_file() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    let folder = tempfile::tempdir().unwrap();
    let key = kis_sim::AppKey::generate(1).remove(0);
    let echo = |status, code: &str| RestFault::Refuse {
        status,
        code: code.to_owned(),
        text: format!("{} and {}", key.app_key, key.app_secret),
    };
    let at = |from, path: &str, fault| RestFaultSpec { path: path.to_owned(), from, times: 1, fault };
    let rest_faults = vec![
        at(1, "tokenP", echo(403, "EGW00002")),
        at(1, "inquire-price", echo(500, "EGW00206")),
        at(2, "inquire-price", echo(500, "EGW00123")),
        at(4, "inquire-price", RestFault::Cut { after: 20 }),
        at(5, "inquire-price", RestFault::Page { status: 502 }),
    ];
    let venue = Venue::start(SimConfig { clock_scale: 60.0, rest_faults, ..sim() }).unwrap();
    let settings = RestSection { token_interval_s: 1, approval_interval_s: 1, ..settings(folder.path()) };
    let client = client(&venue, &settings, 1);
    let mut shown = format!("{client:?} {settings:?}");
    for _ in 0..6 {
        if let Err(error) = client.quote(Market::Krx, &venue.symbols()[0].code) {
            shown.push_str(&format!("{error} {error:?}\n"));
        }
    }
    let keys = client.keys(0).unwrap();
    let (token, approval) =
        (keys.token(None, rest_rig::soon()).unwrap(), keys.approval_key(None, rest_rig::soon()).unwrap());
    shown.push_str(&format!("{keys:?} {token:?} {approval} {:?}", client.report()));
    shown.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    for code in ["EGW00002", "EGW00206", "EGW00123", "ureq"] {
        assert!(shown.contains(code), "{code} is told of");
    }
    for (name, secret) in [
        ("app key", key.app_key.as_str()),
        ("app secret", &key.app_secret),
        ("token", token.expose()),
        ("approval key", approval.expose()),
    ] {
        assert_eq!(traces::trace_of(shown.as_bytes(), secret), None, "of the {name}");
    }
}
