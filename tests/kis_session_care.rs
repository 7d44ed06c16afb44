//! What the session manager does besides holding lines: approval keys that are shared and renewed, the calendar held against
//! the broker's, threads that park, symbols polled while their line is down, pairs that move, lists that change too often.
//!
//! Method: as `kis_sessions`: a simulated venue on loopback, the engine in this process, the journal read back.

mod rig;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hoga::clock::{MarketClock, wall_ns};
use hoga::config::{KisSubscription, MarketTime, Placement};
use hoga::engine::{Engine, Options};
use hoga::feed::kis::session::Leave;
use hoga::journal::Stream;
use hoga::metrics::Counter;
use hoga::stage::WaitStrategy;
use hoga::tick::{Flags, RecordView, Session, SessionEvent};
use kis_sim::{AppKey, At, Fault, FaultSpec, OpenWhen, RestFault, RestFaultSpec, SimConfig, Target};
use rig::{Record, Stage, read, reference, sessions, sim, trades, wait_until};

const TRADES: &[&str] = &["H0STCNT0"];
/// The broker is right.
const CORRECTION: &str = "[[close]]\ndate = 2026-11-24\nreason = \"notice of the exchange\"\n";

/// Trades of two symbols for as long as the test likes, in continuous trading; a second of the venue lasts `1 / scale`.
fn endless(scale: f64, faults: Vec<FaultSpec>) -> SimConfig {
    SimConfig {
        max_records_per_frame: 1,
        market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
        open_when: OpenWhen::Immediately,
        time_scale: scale,
        clock_scale: scale,
        faults,
        ..sim(2, 600.0, 100.0)
    }
}

fn start(stage: &Stage, scale: f64) -> Engine {
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, 9 * 3600 + 1800);
    let market = MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale };
    let options = Options { market, leave: Leave::WhenStopped };
    Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn of(ticks: &[Record], event: SessionEvent) -> Vec<Session> {
    sessions(ticks).into_iter().filter(|session| session.event == event as u8).collect()
}

fn until(stage: &Stage, what: &str, done: impl Fn(&[Record]) -> bool) {
    let dir = stage.dir();
    wait_until(what, || done(&read(&dir, Stream::Ticks)));
}

fn trades_of(keys: &[String]) -> Vec<KisSubscription> {
    vec![KisSubscription { tr: "H0STCNT0".to_owned(), keys: keys.to_vec(), priority: 0, ..KisSubscription::default() }]
}

fn approvals(stage: &Stage) -> u64 {
    stage.venue.rest_counts().requests_of("/oauth2/Approval")
}

#[test]
fn an_approval_key_serves_one_run_after_the_other_and_lies_in_a_file_of_its_owner() {
    let stage = Stage::new(endless(1.0, Vec::new()), TRADES);
    for run in 1..=3 {
        let engine = start(&stage, 1.0);
        until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2 * run);
        engine.stop();
        engine.join().expect("it ends well");
    }
    assert_eq!(approvals(&stage), 1, "not one for each attempt");
    let folder = stage.config.kis.rest.keys_folder().expect("a folder");
    let files: Vec<_> = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    assert!(files.iter().any(|file| file.extension().is_some_and(|ending| ending == "json")));
    for file in files {
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn an_approval_key_that_expired_is_renewed_by_the_next_connection_and_never_twice_within_the_interval() {
    let scale = 20.0;
    let mut stage = Stage::new(endless(scale, Vec::new()), TRADES);
    stage.config.kis.rest.approval_interval_s = 3;
    let engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    engine.stop();
    engine.join().expect("it ends well");
    stage.venue.expire_approval_keys();
    let begun = std::time::Instant::now();
    let engine = start(&stage, scale);
    until(&stage, "they are again", |ticks| of(ticks, SessionEvent::Acked).len() == 4);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(approvals(&stage), 2);
    let played = stage.end(engine);
    let refused = played.events(SessionEvent::Refused);
    assert_eq!(refused.iter().map(|session| text(&session.code)).collect::<Vec<_>>(), ["OPSP0011"]);
}

#[test]
fn the_calendar_is_held_against_the_brokers_once_a_day_over_restarts() {
    let mut config = endless(1.0, Vec::new());
    config.closures = vec![jiff::civil::date(2026, 11, 24)];
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.session.check_calendar = true;
    for run in 1..=2 {
        let mut engine = start(&stage, 1.0);
        wait_until("the check", || engine.summary().get(Counter::CalendarDifferences) == 1);
        assert_eq!(engine.summary().get(Counter::CalendarChecks), u64::from(run == 1));
        until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2 * run);
        if run == 1 {
            until(&stage, "its record", |ticks| of(ticks, SessionEvent::CalendarChecked).len() == 1);
        }
        engine.stop();
        engine.join().expect("it ends well");
    }
    assert_eq!(stage.venue.rest_counts().requests_of("chk-holiday"), 1);
    let ticks = read(&stage.dir(), Stream::Ticks);
    assert_eq!(of(&ticks, SessionEvent::CalendarChecked)[0].value, 1);
    let differs = of(&ticks, SessionEvent::CalendarDiffers);
    let told: Vec<String> = differs.iter().map(|session| text(&session.text)).collect();
    assert_eq!(told, ["2026-11-24: closed at the broker, a trading day in the calendar"]);
}

#[test]
fn a_correction_of_the_calendar_settles_the_difference_on_the_same_day() {
    let mut config = endless(1.0, Vec::new());
    config.closures = vec![jiff::civil::date(2026, 11, 24)];
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.session.check_calendar = true;
    let corrections = stage.folder.path().join("corrections.toml");
    std::fs::write(&corrections, CORRECTION).expect("written");
    for (run, is_corrected) in [(1, false), (2, true)] {
        stage.config.kis.calendar_overrides = is_corrected.then(|| corrections.clone());
        let mut engine = start(&stage, 1.0);
        until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2 * run);
        if is_corrected {
            // It is looked at again within moments.
            std::thread::sleep(Duration::from_millis(700));
            assert_eq!(engine.summary().get(Counter::CalendarDifferences), 0);
        } else {
            wait_until("the check", || engine.summary().get(Counter::CalendarDifferences) == 1);
        }
        engine.stop();
        engine.join().expect("it ends well");
    }
    assert_eq!(stage.venue.rest_counts().requests_of("chk-holiday"), 1);
}

#[test]
fn a_broker_that_gives_no_calendar_is_asked_once_a_day_all_the_same() {
    let mut config = endless(1.0, Vec::new());
    let fault = RestFault::Refuse { status: 500, code: "EGW00213".to_owned(), text: String::new() };
    config.rest_faults = vec![RestFaultSpec { path: "chk-holiday".to_owned(), from: 1, times: 100, fault }];
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.session.check_calendar = true;
    for _ in 0..2 {
        let engine = start(&stage, 1.0);
        wait_until("the call", || stage.venue.rest_counts().requests_of("chk-holiday") == 1);
        std::thread::sleep(Duration::from_millis(500));
        engine.stop();
        engine.join().expect("it ends well");
    }
    assert_eq!(stage.venue.rest_counts().requests_of("chk-holiday"), 1);
    assert!(of(&read(&stage.dir(), Stream::Ticks), SessionEvent::CalendarChecked).is_empty());
}

/// A Monday from ten to eight on, ten minutes of it a second: hot threads park until five minutes before the first auction.
#[test]
fn hot_threads_park_before_the_trading_day_and_wait_as_configured_from_five_minutes_before_it() {
    let mut config = endless(1.0, Vec::new());
    config.open_when = OpenWhen::AfterDelay { ms: 600_000 };
    let mut stage = Stage::new(config, TRADES);
    stage.config.engine.wait = WaitStrategy::Spin;
    stage.config.kis.market_time = Some(MarketTime { start: "2026-11-23T07:50:00".to_owned(), scale: 600.0 });
    stage.config.check().expect("a good configuration");
    let begun = std::time::Instant::now();
    let mut engine = Engine::start_with(&stage.config, stage.accounts.clone(), Options::default()).expect("an engine");
    wait_until("they park", || engine.summary().get(Counter::StagesParked) == 1);
    let stat = |dir: &std::path::Path| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hoga")).args(["stat", "--json"]).arg(dir).output();
        let output = output.expect("hoga stat").stdout;
        serde_json::from_slice::<serde_json::Value>(&output).expect("JSON")
    };
    let is_parked = |report: &serde_json::Value| {
        report["threads"].as_array().expect("threads").iter().any(|thread| thread["is_parked"] == true)
    };
    assert!(is_parked(&stat(&stage.dir())));
    until(&stage, "registrations come through all the same", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    wait_until("they wait as configured", || engine.summary().get(Counter::StagesParked) == 0);
    // 35 minutes of market time; how much later is the machine's affair.
    let woken = begun.elapsed().as_secs_f64() * 600.0 / 60.0;
    assert!(woken >= 35.0, "after {woken:.1} minutes");
    assert!(!is_parked(&stat(&stage.dir())));
    stage.end(engine);
}

#[test]
fn symbols_of_a_line_that_is_down_for_long_are_polled_until_it_is_back() {
    let scale = 60.0;
    let resets = (1..=2).map(|number| FaultSpec {
        at: At::Registration(1),
        connection: Target::Number(number),
        fault: Fault::Rst,
    });
    let mut config = endless(scale, resets.collect());
    // Down until the test has seen enough, and then for two more connections.
    let fault = RestFault::Page { status: 502 };
    config.rest_faults = vec![RestFaultSpec { path: "Approval".to_owned(), from: 1, times: u64::MAX, fault }];
    let mut stage = Stage::new(config, &["H0STCNT0", "H0STASP0"]);
    stage.config.kis.session.poll_after_s = 20;
    let mut engine = start(&stage, scale);
    wait_until("two polls", || engine.summary().get(Counter::Snapshots) >= 4);
    stage.venue.script_rest(Vec::new());
    until(&stage, "it is back", |ticks| {
        of(ticks, SessionEvent::PollingEnded).len() == 1 && of(ticks, SessionEvent::Acked).len() == 4
    });
    until(&stage, "ticks", |ticks| trades(ticks).len() > 20);
    let calls = stage.venue.rest_counts().requests_of("intstock-multprice");
    let played = stage.end(engine);
    assert!(calls >= 2, "{calls}");
    let (began, ended) = (played.events(SessionEvent::PollingBegan), played.events(SessionEvent::PollingEnded));
    assert_eq!((began.len(), ended.len()), (1, 1));
    assert!(began[0].value as f64 * scale >= 20e9, "{} ns", began[0].value);
    assert_eq!(text(&began[0].text), "2 symbols each 10 s: snapshots, not ticks", "trade and book are one symbol");
    let polled: Vec<&Record> = played.ticks.iter().filter(|record| record.has_flag(Flags::POLLED)).collect();
    assert_eq!(polled.len() as u64, ended[0].value);
    assert_eq!(polled.len() as u64, played.summary.get(Counter::Snapshots));
    assert!(polled.len() >= 4, "{}", polled.len());
    for record in &polled {
        let RecordView::Trade(trade) = record.view() else { panic!("{:?}", record.view()) };
        assert!(!trade.counts() && trade.px > 0 && trade.header.line == 0 && trade.market.raw_sequence == 0);
    }
    let pushed = |record: &&Record| matches!(record.view(), RecordView::Trade(trade) if trade.counts());
    let pushed: Vec<&Record> = played.ticks.iter().filter(pushed).collect();
    assert!(pushed.iter().all(|record| !record.has_flag(Flags::POLLED)));
    for record in &polled {
        let same = pushed.iter().find(|other| other.symbol == record.symbol).expect("its ticks");
        assert_eq!(same.header().instrument_id, record.header().instrument_id, "the instrument is the same");
        assert_eq!(same.header().publisher, record.header().publisher);
    }
    assert!(played.gaps().is_empty(), "a snapshot says nothing of continuity");
    assert_eq!(played.summary.get(Counter::LinesPolled), 0);
}

#[test]
fn what_is_polled_of_a_line_that_is_down_follows_the_list() {
    let scale = 60.0;
    let reset = FaultSpec { at: At::Registration(1), connection: Target::All, fault: Fault::Rst };
    let mut stage = Stage::new(SimConfig { symbols: 3, ..endless(scale, vec![reset]) }, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe = trades_of(&keys[..2]);
    stage.config.kis.session.poll_after_s = 20;
    let polled_of = |ticks: &[Record], key: &str| {
        let is_it = |record: &&Record| record.has_flag(Flags::POLLED) && record.symbol == key;
        ticks.iter().filter(is_it).count()
    };
    let mut engine = start(&stage, scale);
    until(&stage, "both are polled", |ticks| keys[..2].iter().all(|key| polled_of(ticks, key) > 0));
    let mut config = stage.config.clone();
    config.kis.subscribe = trades_of(&keys[1..]);
    engine.reload(&config).expect("it is taken over");
    until(&stage, "the third is polled", |ticks| polled_of(ticks, &keys[2]) >= 2);
    let played = stage.end(engine);
    let since = played.ticks.iter().position(|record| record.has_flag(Flags::POLLED) && record.symbol == keys[2]);
    assert_eq!(polled_of(&played.ticks[since.expect("a snapshot")..], &keys[0]), 0, "the first is not any more");
    assert_eq!(played.events(SessionEvent::PollingBegan).len(), 1);
}

#[test]
fn polling_is_said_to_end_when_the_engine_does_and_works_with_stages_apart() {
    let scale = 60.0;
    let reset = FaultSpec { at: At::Registration(1), connection: Target::All, fault: Fault::Rst };
    let mut stage = Stage::new(endless(scale, vec![reset]), TRADES);
    stage.config.engine.placement = Placement::Split;
    stage.config.kis.session.poll_after_s = 20;
    let mut engine = start(&stage, scale);
    wait_until("snapshots", || engine.summary().get(Counter::Snapshots) >= 6);
    assert_eq!(engine.summary().get(Counter::LinesPolled), 1);
    let played = stage.end(engine);
    let ended = played.events(SessionEvent::PollingEnded);
    let polled = played.ticks.iter().filter(|record| record.has_flag(Flags::POLLED)).count() as u64;
    assert_eq!((ended.len(), ended[0].value), (1, polled));
    assert_eq!(played.summary.get(Counter::Snapshots), polled);
}

#[test]
fn a_pair_for_which_an_app_key_has_no_room_moves_to_another() {
    let full = FaultSpec {
        at: At::Registration(2),
        connection: Target::Number(1),
        fault: Fault::Refuse { code: "OPSP0008".to_owned() },
    };
    let mut config = endless(1.0, vec![full]);
    (config.symbols, config.app_keys) = (4, AppKey::generate(2));
    let stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    let engine = start(&stage, 1.0);
    until(&stage, "all are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 4);
    until(&stage, "trades of all", |ticks| {
        let traded = trades(ticks);
        keys.iter().all(|key| traded.iter().any(|(symbol, _)| symbol == key))
    });
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    let moved = played.events(SessionEvent::Moved);
    assert_eq!(moved.len(), 1);
    assert_ne!(moved[0].value, u64::from(moved[0].header.line));
    assert_eq!(counts.registrations, 4);
    assert!(played.events(SessionEvent::LeftOut).is_empty());
    assert_eq!(played.summary.get(Counter::RegistrationsMoved), 1);
}

fn at(connection: u64, n: u64, fault: Fault) -> FaultSpec {
    FaultSpec { at: At::Registration(n), connection: Target::Number(connection), fault }
}

fn full() -> Fault {
    Fault::Refuse { code: "OPSP0008".to_owned() }
}

fn important(key: &str) -> KisSubscription {
    KisSubscription { priority: 9, ..trades_of(&[key.to_owned()]).remove(0) }
}

#[test]
fn a_pair_that_gave_way_is_asked_for_again_by_the_next_connection() {
    // The line is lost while it is withdrawn, and behind that.
    for lost_at in [4, 5] {
        let scale = 20.0;
        let faults = vec![at(1, 3, full()), at(1, lost_at, Fault::Rst)];
        let mut stage = Stage::new(SimConfig { symbols: 3, ..endless(scale, faults) }, TRADES);
        let keys = rig::symbols(&stage.venue);
        stage.config.kis.subscribe = trades_of(&keys[..2]);
        let mut engine = start(&stage, scale);
        until(&stage, "two are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
        let mut config = stage.config.clone();
        config.kis.subscribe.push(important(&keys[2]));
        engine.reload(&config).expect("it is taken over");
        until(&stage, "all are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 5);
        let played = stage.end(engine);
        let left_out = played.events(SessionEvent::LeftOut);
        assert_eq!((left_out.len(), text(&left_out[0].tr_key)), (1, keys[1].clone()), "said once");
        assert_eq!(played.events(SessionEvent::Connected).len(), 2);
    }
}

#[test]
fn a_pair_that_was_to_move_stays_wanted_when_there_is_no_room_any_more() {
    // Of both app keys: two in force, one more that is important, no room. On the first connection the withdrawal is
    // answered long after the second is full, too; the registration behind it breaks the line.
    let first = [at(1, 3, full()), at(1, 4, Fault::LoseAck), at(1, 5, Fault::LoseAck), at(1, 7, Fault::Rst)];
    let second = [at(2, 3, Fault::LoseAck), at(2, 4, full())];
    let config =
        SimConfig { symbols: 6, app_keys: AppKey::generate(2), ..endless(5.0, [&first[..], &second].concat()) };
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe = trades_of(&keys[..4]);
    let mut engine = start(&stage, 5.0);
    until(&stage, "four are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 4);
    let mut config = stage.config.clone();
    config.kis.subscribe.extend(keys[4..].iter().map(|key| important(key)));
    engine.reload(&config).expect("it is taken over");
    until(&stage, "the next connection has all three of its app key", |ticks| {
        of(ticks, SessionEvent::Connected).len() == 3 && of(ticks, SessionEvent::Acked).len() == 4 + 1 + 3
    });
    let played = stage.end(engine);
    let told: Vec<String> = played.events(SessionEvent::LeftOut).iter().map(|session| text(&session.text)).collect();
    assert_eq!(told, ["more than the app key may hold", "no app key has room"], "each once");
    assert!(played.events(SessionEvent::Moved).is_empty());
}

#[test]
fn a_pair_without_room_goes_to_a_line_that_lives_not_to_one_that_is_kept_out() {
    let mut config = endless(1.0, vec![at(2, 3, full())]);
    (config.symbols, config.app_keys) = (9, AppKey::generate(3));
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe = trades_of(&keys[..6]);
    // Another program holds the first app key.
    let mut other = stage.config.clone();
    other.journal.dir = stage.folder.path().join("other");
    (other.kis.subscribe, other.kis.account) = (trades_of(&keys[..1]), vec![stage.config.kis.account[0].clone()]);
    let market = MarketClock {
        anchor_wall_ns: wall_ns(),
        anchor_market_ns: reference::kst_ns(reference::MARKET_DATE, 9 * 3600 + 1800),
        scale: 1.0,
    };
    let options = Options { market, leave: Leave::WhenStopped };
    let first = Engine::start_with(&other, stage.accounts[..1].to_vec(), options).expect("an engine");
    wait_until("the first records", || !trades(&rig::try_read(&other.journal.dir, Stream::Ticks)).is_empty());
    let mut second = start(&stage, 1.0);
    until(&stage, "four are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 4);
    let mut config = stage.config.clone();
    config.kis.subscribe = trades_of(&keys);
    second.reload(&config).expect("it is taken over");
    // Three of one, and the one that had no room by the other.
    until(&stage, "what came is in force", |ticks| of(ticks, SessionEvent::Acked).len() == 6);
    let moved = of(&read(&stage.dir(), Stream::Ticks), SessionEvent::Moved);
    assert_eq!(moved.len(), 1);
    assert_ne!(moved[0].value, 1);
    first.stop();
    first.join().expect("it ends well");
    stage.end(second);
}

#[test]
fn each_change_that_has_to_wait_is_said() {
    let scale = 60.0;
    let mut stage = Stage::new(SimConfig { symbols: 3, ..endless(scale, Vec::new()) }, TRADES);
    let keys = rig::symbols(&stage.venue);
    let session = &mut stage.config.kis.session;
    (session.changes_max, session.change_window_s) = (2, 3600);
    let mut engine = start(&stage, scale);
    let events = |event, count| until(&stage, "the change", |ticks| of(ticks, event).len() == count);
    let mut list = |keys: &[String]| {
        let mut config = stage.config.clone();
        config.kis.subscribe = trades_of(keys);
        engine.reload(&config).expect("it is taken over");
    };
    events(SessionEvent::Acked, 3);
    list(&keys[..1]);
    events(SessionEvent::Withdrawn, 2);
    list(&keys);
    events(SessionEvent::Acked, 5);
    list(&keys[..1]);
    events(SessionEvent::ChangeDelayed, 2);
    let played = stage.end(engine);
    let delayed = played.events(SessionEvent::ChangeDelayed);
    let mut said: Vec<String> = delayed.iter().map(|session| text(&session.tr_key)).collect();
    said.sort();
    let mut expected = keys[1..].to_vec();
    expected.sort();
    assert_eq!(said, expected);
    assert_eq!(played.summary.get(Counter::ChangesDelayed), 2);
}

#[test]
fn a_list_that_changes_back_and_forth_is_followed_a_few_times_and_then_by_and_by() {
    let scale = 60.0;
    let mut stage = Stage::new(endless(scale, Vec::new()), TRADES);
    let keys = rig::symbols(&stage.venue);
    let session = &mut stage.config.kis.session;
    (session.changes_max, session.change_window_s) = (2, 240);
    let mut engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let begun = std::time::Instant::now();
    let mut list = |keys: &[String]| {
        let mut config = stage.config.clone();
        config.kis.subscribe = trades_of(keys);
        engine.reload(&config).expect("it is taken over");
    };
    list(&keys[..1]);
    until(&stage, "it is withdrawn", |ticks| of(ticks, SessionEvent::Withdrawn).len() == 1);
    list(&keys);
    until(&stage, "it is back", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    list(&keys[..1]);
    until(&stage, "the third change waits", |ticks| of(ticks, SessionEvent::ChangeDelayed).len() == 1);
    assert_eq!(of(&read(&stage.dir(), Stream::Ticks), SessionEvent::Withdrawn).len(), 1);
    until(&stage, "it is made in the end", |ticks| of(ticks, SessionEvent::Withdrawn).len() == 2);
    assert!(begun.elapsed() > Duration::from_millis(3900), "{:?}", begun.elapsed());
    let played = stage.end(engine);
    let delayed = played.events(SessionEvent::ChangeDelayed);
    assert_eq!((delayed.len(), text(&delayed[0].tr_key)), (1, keys[1].clone()), "said once");
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert_eq!(played.summary.get(Counter::ChangesDelayed), 1);
}
