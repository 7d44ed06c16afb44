//! Tokens and approval keys: issued as seldom as the broker wants, shared, kept for their owner alone, renewed in time.
//!
//! A venue whose clock runs 60 times as fast lets a minute pass in a second; `token_interval_s` is 1 there.

mod rest_rig;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hoga::feed::kis::rest::quotations::Venue as Market;
use hoga::feed::kis::rest::{KeyError, Keys, RestError, RestSection};
use hoga::secret::{Credentials, Secret};
use kis_sim::{RestFault, SimConfig, Venue};
use rest_rig::{account, client, fault, refuse, settings, sim, soon};

fn fast() -> SimConfig {
    SimConfig { clock_scale: 60.0, ..sim() }
}

fn minute_in_a_second(folder: &Path) -> RestSection {
    RestSection { token_interval_s: 1, approval_interval_s: 1, ..settings(folder) }
}

fn keys(venue: &Venue, settings: &RestSection) -> Keys {
    Keys::open(&venue.rest_url(), account(&venue.config().app_keys[0]).credentials, settings).unwrap()
}

fn key_file(folder: &Path) -> PathBuf {
    let files = folder.join("keys").read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).expect("a file of keys")
}

#[test]
fn a_token_is_asked_for_once_and_used_by_every_client_after() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let settings = settings(folder.path());
    let symbol = &venue.symbols()[0].code;
    for _ in 0..5 {
        client(&venue, &settings, 1).quote(Market::Krx, symbol).unwrap();
    }
    let first = keys(&venue, &settings).approval_key(None, soon()).unwrap();
    assert_eq!(keys(&venue, &settings).approval_key(None, soon()).unwrap(), first);
    let counts = venue.rest_counts();
    assert_eq!((counts.requests_of("tokenP"), counts.requests_of("Approval")), (1, 1));
}

/// Not a test of its own: the process that another test starts.
#[test]
#[ignore = "started by another test"]
fn a_process_of_its_own() {
    let Ok(url) = std::env::var("HOGA_TEST_URL") else { return };
    let read = |name: &str| std::env::var(name).unwrap();
    let credentials =
        Credentials { app_key: Secret::new(read("HOGA_TEST_KEY")), app_secret: Secret::new(read("HOGA_TEST_SECRET")) };
    let settings = settings(Path::new(&read("HOGA_TEST_FOLDER")));
    Keys::open(&url, credentials, &settings).unwrap().token(None, soon()).unwrap();
}

#[test]
fn processes_that_start_together_ask_for_one_token_between_them() {
    let folder = tempfile::tempdir().unwrap();
    // The broker takes its time, so that all of them wait for one.
    let venue = Venue::start(SimConfig { rest_faults: vec![fault("tokenP", 9, RestFault::Slow { ms: 700 })], ..sim() })
        .unwrap();
    let key = &venue.config().app_keys[0];
    let start = |_| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "a_process_of_its_own"])
            .env("HOGA_TEST_URL", venue.rest_url())
            .env("HOGA_TEST_KEY", &key.app_key)
            .env("HOGA_TEST_SECRET", &key.app_secret)
            .env("HOGA_TEST_FOLDER", folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..6).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let counts = venue.rest_counts();
    assert_eq!((counts.requests_of("tokenP"), counts.refusals_of("EGW00133")), (1, 0));
}

#[test]
fn files_are_their_owners_alone_and_hold_neither_app_key_nor_secret() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let token = keys(&venue, &settings(folder.path())).token(None, soon()).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("keys")), 0o700);
    let mut names = Vec::new();
    for entry in folder.path().join("keys").read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        let key = &venue.config().app_keys[0];
        for secret in [&key.app_key, &key.app_secret] {
            assert!(!text.contains(secret.as_str()) && !path.display().to_string().contains(secret.as_str()));
        }
        names.push(path.extension().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["json", "lock"]);
    assert!(std::fs::read_to_string(key_file(folder.path())).unwrap().contains(token.expose()));
}

#[test]
fn a_file_or_folder_that_others_may_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let settings = settings(folder.path());
    keys(&venue, &settings).token(None, soon()).unwrap();
    let open_to = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    open_to(&key_file(folder.path()), 0o640);
    let error = keys(&venue, &settings).token(None, soon()).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    open_to(&folder.path().join("keys"), 0o755);
    let account = account(&venue.config().app_keys[0]);
    let error = Keys::open(&venue.rest_url(), account.credentials, &settings).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

#[test]
fn a_damaged_file_is_set_aside_and_counts_as_an_issue_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(fast()).unwrap();
    let settings = minute_in_a_second(folder.path());
    let first = keys(&venue, &settings).token(None, soon()).unwrap();
    for damage in ["", "{\"version\":1}", "nonsense", &"x".repeat(100_000)] {
        let file = key_file(folder.path());
        std::fs::write(&file, damage).unwrap();
        let begun = Instant::now();
        assert_eq!(keys(&venue, &settings).token(None, soon()).unwrap(), first, "the venue gives the same again");
        assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
        assert_eq!(std::fs::read_to_string(file.with_extension("damaged")).unwrap(), damage);
    }
    assert_eq!(venue.rest_counts().refusals_of("EGW00133"), 0);
}

#[test]
fn a_file_of_another_app_key_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(fast()).unwrap();
    let settings = minute_in_a_second(folder.path());
    let first = keys(&venue, &settings).token(None, soon()).unwrap();
    let file = key_file(folder.path());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let other = account(&venue.config().app_keys[1]).credentials;
    let other = Keys::open(&venue.rest_url(), other, &settings).unwrap();
    other.token(None, soon()).unwrap();
    std::fs::write(key_file(folder.path()), text).unwrap();
    let again = Keys::open(&venue.rest_url(), account(&venue.config().app_keys[1]).credentials, &settings).unwrap();
    assert_ne!(again.token(None, soon()).unwrap(), first);
}

#[test]
fn within_a_minute_nothing_is_asked_for_again_even_after_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec![fault("tokenP", 99, refuse(500, "EGW00002"))];
    let venue = Venue::start(SimConfig { rest_faults: faults, ..sim() }).unwrap();
    let settings = settings(folder.path());
    let refused = keys(&venue, &settings).token(None, soon()).unwrap_err();
    assert!(matches!(&refused, KeyError::Refused { code, status: 500, .. } if code == "EGW00002"), "{refused}");
    for _ in 0..3 {
        let error = keys(&venue, &settings).token(None, Instant::now()).unwrap_err();
        assert!(matches!(error, KeyError::TooSoon { wait, .. } if wait > Duration::from_secs(50)), "{error}");
    }
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 1);
}

#[test]
fn a_server_that_was_not_reached_costs_no_minute() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let address = venue.rest_url().trim_start_matches("http://").parse().unwrap();
    let keys = keys(&venue, &settings(folder.path()));
    drop(venue);
    for _ in 0..2 {
        let error = keys.token(None, Instant::now()).unwrap_err();
        assert!(matches!(error, KeyError::Transport { perhaps_sent: false, .. }), "{error}");
    }
    let venue = Venue::start(SimConfig { rest_listen: address, ..sim() }).unwrap();
    keys.token(None, Instant::now()).unwrap();
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 1);
}

#[test]
fn a_token_that_somebody_else_has_just_asked_for_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec![fault("tokenP", 1, refuse(403, "EGW00133"))];
    let venue = Venue::start(SimConfig { rest_faults: faults, ..fast() }).unwrap();
    let begun = Instant::now();
    keys(&venue, &minute_in_a_second(folder.path())).token(None, soon()).unwrap();
    assert!(begun.elapsed() > Duration::from_secs(1));
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 2);
}

#[test]
fn while_one_app_key_waits_for_its_minute_the_other_serves() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec![fault("tokenP", 1, refuse(403, "EGW00133"))];
    let venue = Venue::start(SimConfig { rest_faults: faults, ..sim() }).unwrap();
    let client = client(&venue, &settings(folder.path()), 2);
    let begun = Instant::now();
    for _ in 0..4 {
        client.quote(Market::Krx, &venue.symbols()[0].code).unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let counts = venue.rest_counts();
    assert_eq!((counts.requests_of("tokenP"), counts.by_app.len()), (2, 1));
}

#[test]
fn an_expired_token_is_renewed_once_and_the_call_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(fast()).unwrap();
    let client = client(&venue, &minute_in_a_second(folder.path()), 1);
    let symbol = &venue.symbols()[0].code;
    client.quote(Market::Krx, symbol).unwrap();
    venue.expire_tokens();
    client.quote(Market::Krx, symbol).unwrap();
    client.quote(Market::Krx, symbol).unwrap();
    let counts = venue.rest_counts();
    assert_eq!((counts.requests_of("tokenP"), counts.refusals_of("EGW00123")), (2, 1));
    assert_eq!((client.report().counts.tokens, client.report().counts.retries), (2, 1));
}

#[test]
fn a_token_that_expires_during_a_burst_is_renewed_once_for_all_threads() {
    let folder = tempfile::tempdir().unwrap();
    let expiry = kis_sim::RestFaultSpec { from: 20, ..fault("inquire-price", 1, RestFault::ExpireTokens) };
    let venue = Venue::start(SimConfig { rest_faults: vec![expiry], ..fast() }).unwrap();
    let client = client(&venue, &minute_in_a_second(folder.path()), 1);
    let symbol = venue.symbols()[0].code.clone();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..20).for_each(|_| drop(client.quote(Market::Krx, &symbol).unwrap())));
        }
    });
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 2);
}

#[test]
fn a_token_that_is_refused_and_given_again_is_an_error_and_no_loop() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec![fault("inquire-price", 99, refuse(500, "EGW00121"))];
    let venue = Venue::start(SimConfig { rest_faults: faults, ..fast() }).unwrap();
    let client = client(&venue, &minute_in_a_second(folder.path()), 1);
    let error = client.quote(Market::Krx, &venue.symbols()[0].code).unwrap_err();
    assert!(matches!(error, RestError::Keys(KeyError::SameAgain { .. })), "{error}");
    let counts = venue.rest_counts();
    assert_eq!((counts.requests_of("tokenP"), counts.requests_of("inquire-price")), (2, 1));
}

#[test]
fn a_token_that_was_refused_and_given_again_is_not_asked_for_again_until_six_hours_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec![fault("inquire-price", 99, refuse(500, "EGW00121"))];
    let venue = Venue::start(SimConfig { rest_faults: faults, ..fast() }).unwrap();
    let settings = minute_in_a_second(folder.path());
    let symbol = &venue.symbols()[0].code;
    for _ in 0..3 {
        // Another program each time, after the minute.
        let error = client(&venue, &settings, 1).quote(Market::Krx, symbol).unwrap_err();
        assert!(matches!(error, RestError::Keys(KeyError::SameAgain { .. })), "{error}");
        std::thread::sleep(Duration::from_millis(2_100));
    }
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 2);
    // As if the first issue were long ago.
    let file = key_file(folder.path());
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let issued = kept["token"]["issued"].as_u64().unwrap();
    kept["token"]["issued"] = (issued - 6 * 3600).into();
    std::fs::write(&file, kept.to_string()).unwrap();
    client(&venue, &settings, 1).quote(Market::Krx, symbol).unwrap_err();
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 3);
}

#[test]
fn an_approval_key_that_is_given_again_is_asked_for_again_after_its_minute() {
    let folder = tempfile::tempdir().unwrap();
    let answer = RestFault::Answer { status: 200, body: r#"{"approval_key":"same"}"#.to_owned(), more: false };
    let venue = Venue::start(SimConfig { rest_faults: vec![fault("Approval", 9, answer)], ..sim() }).unwrap();
    let keys = keys(&venue, &minute_in_a_second(folder.path()));
    let first = keys.approval_key(None, soon()).unwrap();
    for asked in 2..4 {
        let error = keys.approval_key(Some(&first), soon()).unwrap_err();
        assert!(matches!(error, KeyError::SameAgain { .. }), "{error}");
        assert_eq!(venue.rest_counts().requests_of("Approval"), asked);
    }
}

#[test]
fn a_lifetime_that_is_no_number_or_beyond_all_bounds_costs_no_token() {
    for lifetime in ["\"86400\"", "18446744073709551615", "\"soon\"", "0"] {
        let folder = tempfile::tempdir().unwrap();
        let body = format!(r#"{{"Access_Token":"{}","token_type":"Bearer","expires_in":{lifetime}}}"#, "T".repeat(300));
        let answer = RestFault::Answer { status: 200, body, more: false };
        let venue = Venue::start(SimConfig { rest_faults: vec![fault("tokenP", 9, answer)], ..sim() }).unwrap();
        let first = keys(&venue, &settings(folder.path())).token(None, soon()).unwrap();
        assert_eq!(first.expose().len(), 300);
        assert_eq!(keys(&venue, &settings(folder.path())).token(None, soon()).unwrap(), first, "{lifetime}");
        assert_eq!(venue.rest_counts().requests_of("tokenP"), 1, "{lifetime}");
        // Neither does a time in the file that no clock shows.
        let file = key_file(folder.path());
        let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        kept["token"]["asked"] = u64::MAX.into();
        kept["token"]["expires"] = 0.into();
        std::fs::write(&file, kept.to_string()).unwrap();
        keys(&venue, &settings(folder.path())).token(None, soon()).unwrap();
    }
}

#[test]
fn a_key_near_its_end_is_renewed_and_kept_when_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let faults = vec![kis_sim::RestFaultSpec { from: 2, ..fault("tokenP", 1, refuse(500, "EGW00001")) }];
    let venue = Venue::start(SimConfig { rest_faults: faults, ..fast() }).unwrap();
    // A life of 24 hours is wholly "near its end" for somebody who renews 24 hours before it.
    let settings = RestSection { renew_before_s: 100_000, ..minute_in_a_second(folder.path()) };
    let keys = keys(&venue, &settings);
    let first = keys.token(None, soon()).unwrap();
    assert_eq!(keys.token(None, soon()).unwrap(), first, "within the minute the old one is used");
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 1);
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(keys.token(None, soon()).unwrap(), first, "the renewal fails, the old one is used");
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 2);
}

#[test]
fn an_approval_key_that_is_refused_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(fast()).unwrap();
    let keys = keys(&venue, &minute_in_a_second(folder.path()));
    let first = keys.approval_key(None, soon()).unwrap();
    venue.expire_approval_keys();
    let second = keys.approval_key(Some(&first), soon()).unwrap();
    assert_ne!(first, second);
    assert_eq!(keys.approval_key(None, soon()).unwrap(), second);
    assert_eq!(venue.rest_counts().requests_of("Approval"), 2);
}

#[test]
fn a_wrong_app_key_is_taken_out_of_use_and_the_other_serves() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let wrong = hoga::feed::kis::session::Account {
        name: "wrong".to_owned(),
        credentials: Credentials { app_key: Secret::new("PSnobody"), app_secret: Secret::new("nothing") },
    };
    let accounts = [wrong.clone(), account(&venue.config().app_keys[0])];
    let settings = settings(folder.path());
    let client = hoga::feed::kis::rest::Client::new(&venue.rest_url(), &accounts, &settings).unwrap();
    for _ in 0..4 {
        client.quote(Market::Krx, &venue.symbols()[0].code).unwrap();
    }
    let report = client.report();
    assert_eq!(report.app_keys.iter().map(|key| key.refused).collect::<Vec<_>>(), [true, false]);
    assert_eq!(venue.rest_counts().refusals_of("EGW00103"), 1);
    let alone = hoga::feed::kis::rest::Client::new(&venue.rest_url(), &[wrong], &settings).unwrap();
    assert!(alone.quote(Market::Krx, "000010").is_err());
}
