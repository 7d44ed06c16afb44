//! What is in force goes on, whatever is asked for beside it: lists that change while a change is under way, refusals of a
//! line that brings data, refusals that pass.
//!
//! Method: as `kis_sessions`: a simulated venue on loopback, the engine in this process, the journal read back.

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hoga::clock::{MarketClock, wall_ns};
use hoga::config::KisSubscription;
use hoga::engine::{Engine, Options};
use hoga::feed::kis::session::Leave;
use hoga::journal::Stream;
use hoga::metrics::Counter;
use hoga::tick::{Session, SessionEvent};
use kis_sim::{AppKey, At, Fault, FaultSpec, OpenWhen, RestFault, RestFaultSpec, SimConfig, Target};
use rig::{Record, Stage, read, reference, sessions, sim, wait_until};

const TRADES: &[&str] = &["H0STCNT0"];

/// Trades of so many symbols for as long as the test likes, in continuous trading; a second of the venue lasts
/// `1 / scale`.
fn endless(scale: f64, symbols: usize, faults: Vec<FaultSpec>) -> SimConfig {
    SimConfig {
        max_records_per_frame: 1,
        market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
        open_when: OpenWhen::Immediately,
        time_scale: scale,
        clock_scale: scale,
        faults,
        ..sim(symbols, 600.0, 100.0)
    }
}

fn start(stage: &Stage, scale: f64) -> Engine {
    start_at(stage, scale, 9 * 3600 + 1800)
}

/// An engine for which it is so many seconds after midnight.
fn start_at(stage: &Stage, scale: f64, second: u32) -> Engine {
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, second);
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

/// Another list of trades.
fn list<'a>(stage: &Stage, engine: &mut Engine, keys: impl IntoIterator<Item = &'a String>) {
    let mut config = stage.config.clone();
    let keys = keys.into_iter().cloned().collect();
    config.kis.subscribe = vec![KisSubscription { tr: "H0STCNT0".to_owned(), keys, ..KisSubscription::default() }];
    engine.reload(&config).expect("it is taken over");
}

fn refuse(n: u64, code: &str) -> FaultSpec {
    let fault = Fault::Refuse { code: code.to_owned() };
    FaultSpec { at: At::Registration(n), connection: Target::Number(1), fault }
}

#[test]
fn a_list_that_takes_back_what_it_dropped_leaves_in_force_what_was_not_withdrawn_yet() {
    let config = SimConfig { app_keys: AppKey::generate(2), ..endless(1.0, 20, Vec::new()) };
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.session.changes_max = 0;
    stage.config.kis.subscribe_pace_ms = 100;
    let mut engine = start(&stage, 1.0);
    until(&stage, "all are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 20);
    list(&stage, &mut engine, &keys[..2]);
    until(&stage, "a withdrawal", |ticks| !of(ticks, SessionEvent::Withdrawn).is_empty());
    // The other way around: who goes by the order alone puts them elsewhere.
    list(&stage, &mut engine, keys.iter().rev());
    until(&stage, "all are again", |ticks| {
        of(ticks, SessionEvent::ListChanged).len() == 2
            && of(ticks, SessionEvent::Acked).len() == 20 + of(ticks, SessionEvent::Withdrawn).len()
    });
    std::thread::sleep(Duration::from_secs(1));
    let played = stage.end(engine);
    let mut lines: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for session in sessions(&played.ticks) {
        let on = lines.entry(text(&session.tr_key)).or_default();
        match SessionEvent::from_number(session.event) {
            Some(SessionEvent::Acked) => drop(on.insert(session.header.line)),
            Some(SessionEvent::Withdrawn) => drop(on.remove(&session.header.line)),
            _ => {}
        }
        assert!(on.len() < 2, "{} comes twice", text(&session.tr_key));
    }
    assert!(keys.iter().all(|key| lines[key].len() == 1), "all are in force in the end");
    let withdrawn = played.events(SessionEvent::Withdrawn).len();
    assert!(withdrawn < 12, "what had not been withdrawn stays where it was: {withdrawn} of 18");
}

#[test]
fn a_line_that_brings_data_is_never_left_over_a_refusal_of_what_is_asked_beside_it() {
    let scale = 300.0;
    let faults =
        [(3, "OPSP8996"), (4, "OPSP9994"), (5, "OPSP0011"), (6, "OPSP0010")].map(|(n, code)| refuse(n, code)).to_vec();
    let mut stage = Stage::new(endless(scale, 3, faults), TRADES);
    // Market minutes, at this pace of the clock.
    (stage.config.kis.session.silence_s, stage.config.kis.session.data_silence_s) = (0, 0);
    let engine = start(&stage, scale);
    until(&stage, "the third is in force in the end", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    let waits = played.events(SessionEvent::Postponed);
    // The broker gives the approval key again that it has just refused, and so it is tried again later.
    let codes: Vec<String> = waits.iter().map(|wait| text(&wait.code)).collect();
    assert_eq!(codes, ["OPSP8996", "OPSP9994", "", "OPSP0010"]);
    for (wait, seconds) in waits.iter().zip([60.0, 300.0, 900.0, 900.0]) {
        assert!((wait.value as f64 * scale / 1e9 - seconds).abs() < 0.1, "{} ns", wait.value);
    }
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 7, "each refusal was an answer, and none is waited for");
    played.assert_nothing_is_lost();
}

#[test]
fn while_no_new_approval_key_is_to_be_had_what_is_in_force_goes_on_and_what_came_waits() {
    let scale = 60.0;
    let mut config = endless(scale, 3, Vec::new());
    let page = RestFault::Page { status: 502 };
    config.rest_faults = vec![RestFaultSpec { path: "Approval".to_owned(), from: 2, times: 1, fault: page }];
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe[0].keys.truncate(2);
    let mut engine = start(&stage, scale);
    until(&stage, "two are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    stage.venue.expire_approval_keys();
    list(&stage, &mut engine, &keys);
    until(&stage, "the third is, too", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert_eq!(played.events(SessionEvent::Postponed).len(), 1);
    assert_eq!(played.events(SessionEvent::ApprovalRenewed).len(), 1);
    played.assert_nothing_is_lost();
}

#[test]
fn what_came_waits_for_the_place_of_a_pair_whose_withdrawal_is_delayed() {
    let scale = 60.0;
    let mut config = endless(scale, 3, Vec::new());
    config.max_registrations = 2;
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    (stage.config.kis.max_registrations, stage.config.kis.subscribe[0].keys) = (2, keys[..2].to_vec());
    let session = &mut stage.config.kis.session;
    (session.changes_max, session.change_window_s) = (2, 240);
    let mut engine = start(&stage, scale);
    until(&stage, "two are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    // The second leaves, comes back, and leaves once more: too often.
    for (count, list_of) in [(3, [&keys[0], &keys[2]]), (4, [&keys[0], &keys[1]]), (5, [&keys[0], &keys[2]])] {
        list(&stage, &mut engine, list_of);
        until(&stage, "the change", |ticks| of(ticks, SessionEvent::Acked).len() == count);
    }
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    assert_eq!((counts.over_limit, counts.registrations), (0, 2));
    let delayed = played.events(SessionEvent::ChangeDelayed);
    assert_eq!(delayed.iter().map(|wait| text(&wait.tr_key)).collect::<Vec<_>>(), [keys[1].clone()]);
    assert!(played.events(SessionEvent::LeftOut).is_empty() && played.events(SessionEvent::Refused).is_empty());
}

#[test]
fn what_the_broker_cannot_do_for_now_is_asked_again_on_the_same_connection_until_it_can() {
    // What is postponed comes back behind the third silence of two seconds.
    let scale = 5.0;
    // Of three: the first is refused thrice in a row, the second by the backend, the third goes unanswered thrice.
    let mut faults = vec![refuse(1, "OPSP0007"), refuse(2, "OPSP0009"), refuse(4, "OPSP0007"), refuse(6, "OPSP0007")];
    let lose = |n| FaultSpec { at: At::Registration(n), connection: Target::Number(1), fault: Fault::LoseAck };
    faults.extend([lose(3), lose(5), lose(7)]);
    let stage = Stage::new(endless(scale, 3, faults), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "all are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    let postponed = played.events(SessionEvent::Postponed);
    let mut told: Vec<String> = postponed.iter().map(|wait| text(&wait.text)).collect();
    told.sort();
    assert_eq!(told, ["no answer", "refused for now, OPSP0007", "refused for now, OPSP0009"]);
    assert!(postponed.iter().all(|wait| (wait.value as f64 * scale - 60e9).abs() < 1e9));
    assert!(played.events(SessionEvent::LeftOut).is_empty());
}

#[test]
fn what_was_given_up_is_asked_again_an_hour_before_the_next_trading_day() {
    let scale = 1200.0;
    let config = SimConfig {
        open_when: OpenWhen::AfterDelay { ms: 600_000 },
        time_scale: 1.0,
        ..endless(scale, 2, vec![refuse(1, "OPSP8992")])
    };
    let mut stage = Stage::new(config, TRADES);
    (stage.config.kis.session.silence_s, stage.config.kis.session.data_silence_s) = (0, 0);
    let engine = start_at(&stage, scale, 6 * 3600 + 600);
    until(&stage, "one is given up", |ticks| of(ticks, SessionEvent::LeftOut).len() == 1);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 3);
}

#[test]
fn an_app_key_that_is_refused_each_time_is_left_alone_after_the_third_until_the_list_is_read_again() {
    let scale = 600.0;
    let of_connection = |n| FaultSpec { connection: Target::Number(n), ..refuse(1, "OPSP0010") };
    let faults = (1..=3).map(of_connection).collect();
    let mut stage = Stage::new(endless(scale, 2, faults), TRADES);
    stage.config.kis.session.silence_s = 0;
    let mut engine = start(&stage, scale);
    until(&stage, "the line stays closed", |ticks| of(ticks, SessionEvent::Barred).len() == 1);
    // Market hours, at this pace of the clock.
    std::thread::sleep(Duration::from_secs(6));
    let waits = of(&read(&stage.dir(), Stream::Ticks), SessionEvent::BackingOff);
    assert_eq!(waits.iter().map(|wait| text(&wait.text)).collect::<Vec<_>>(), ["app key refused"; 2]);
    for (wait, seconds) in waits.iter().zip([120.0, 600.0]) {
        assert!(wait.value as f64 * scale >= seconds * 1e9 - 1e3, "{} ns", wait.value);
    }
    assert_eq!(stage.venue.ledger().connections, 3);
    let keys = rig::symbols(&stage.venue);
    list(&stage, &mut engine, &keys);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let played = stage.end(engine);
    let barred = played.events(SessionEvent::Barred);
    assert_eq!((barred[0].value, text(&barred[0].code)), (3, "OPSP0010".to_owned()));
    assert_eq!(played.summary.get(Counter::LinesBarred), 1);
}

#[test]
fn an_approval_key_that_the_broker_stands_by_is_offered_again_after_a_long_wait() {
    let scale = 100.0;
    let stage = Stage::new(endless(scale, 2, vec![refuse(1, "OPSP0011")]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let played = stage.end(engine);
    let waits = played.events(SessionEvent::BackingOff);
    let told: Vec<String> = waits.iter().map(|wait| text(&wait.text)).collect();
    assert_eq!(told[..2], ["approval key expired", "app key refused"]);
    assert!(waits[1].value as f64 * scale >= 120e9 - 1e3, "{} ns", waits[1].value);
    assert_eq!(played.events(SessionEvent::Connected).len(), 2);
}

#[test]
fn a_line_on_which_nothing_is_in_force_is_left_when_the_list_empties_it() {
    let config = SimConfig { app_keys: AppKey::generate(2), ..endless(1.0, 2, vec![refuse(1, "OPSP8992")]) };
    let stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    let mut engine = start(&stage, 1.0);
    until(&stage, "one is in force, the other is not", |ticks| {
        of(ticks, SessionEvent::Acked).len() == 1 && of(ticks, SessionEvent::LeftOut).len() == 1
    });
    let left_out = of(&read(&stage.dir(), Stream::Ticks), SessionEvent::LeftOut)[0];
    list(&stage, &mut engine, keys.iter().filter(|key| **key != text(&left_out.tr_key)));
    until(&stage, "its end", |ticks| of(ticks, SessionEvent::Disconnected).len() == 1);
    let played = stage.end(engine);
    let line = left_out.header.line;
    assert_eq!(played.events(SessionEvent::Disconnected)[0].header.line, line);
    assert!(played.events(SessionEvent::BackingOff).iter().all(|wait| wait.header.line != line));
    assert_eq!(played.events(SessionEvent::Connected).len(), 2);
}

#[test]
fn a_line_that_the_list_empties_while_it_connects_does_not_connect_again() {
    let scale = 100.0;
    let mut stage = Stage::new(SimConfig { app_keys: AppKey::generate(2), ..endless(scale, 2, Vec::new()) }, TRADES);
    // It takes connections, and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    stage.config.kis.ws_url = format!("ws://{}", mute.local_addr().expect("an address"));
    let mut engine = start(&stage, scale);
    let attempts = [mute.accept().expect("a connection"), mute.accept().expect("a connection")];
    list(&stage, &mut engine, &rig::symbols(&stage.venue)[..1]);
    until(&stage, "the list", |ticks| of(ticks, SessionEvent::ListChanged).len() == 1);
    drop((mute, attempts));
    let waits_of = |ticks: &[Record], line| {
        of(ticks, SessionEvent::BackingOff).iter().filter(|wait| wait.header.line == line).count()
    };
    until(&stage, "the other goes on", |ticks| waits_of(ticks, 1) >= 5 && waits_of(ticks, 2) >= 1);
    let played = stage.end(engine);
    assert_eq!(waits_of(&played.ticks, 2), 1);
}

#[test]
fn the_pace_of_registrations_is_kept_over_changes_of_the_list() {
    let mut config = endless(1.0, 6, Vec::new());
    // Far less than the pace: a busy venue reads a message late, and the next one in time.
    config.message_spacing_ms = Some(150);
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.subscribe_pace_ms = 600;
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe[0].keys.truncate(1);
    let mut engine = start(&stage, 1.0);
    for count in 1..=6 {
        // All that was asked for is answered: the line is at rest, and its pace all the same.
        until(&stage, "the registrations", |ticks| of(ticks, SessionEvent::Acked).len() == count);
        list(&stage, &mut engine, &keys[..(count + 1).min(6)]);
    }
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    assert_eq!((counts.bans, counts.registrations), (0, 6));
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    let sent: Vec<u64> = played.events(SessionEvent::Subscribed).iter().map(|sent| sent.header.ts_recv).collect();
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 590_000_000), "{sent:?}");
}

#[test]
fn the_venue_does_ban_who_registers_without_a_pause() {
    let mut config = endless(1.0, 6, Vec::new());
    config.message_spacing_ms = Some(10_000);
    let stage = Stage::new(config, TRADES);
    let engine = start(&stage, 1.0);
    wait_until("the ban", || stage.venue.ledger().bans == 1);
    stage.end(engine);
}

#[test]
fn an_app_key_that_stays_in_use_is_asked_for_once_in_ten_minutes_after_the_sixth_time() {
    let scale = 600.0;
    let faults = (1..=7).map(|n| FaultSpec { connection: Target::Number(n), ..refuse(1, "OPSP8996") }).collect();
    let mut stage = Stage::new(endless(scale, 2, faults), TRADES);
    stage.config.kis.session.silence_s = 0;
    let engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let played = stage.end(engine);
    let waits: Vec<f64> =
        played.events(SessionEvent::BackingOff).iter().map(|wait| wait.value as f64 * scale / 1e9).collect();
    assert!(waits[..5].iter().all(|wait| (19.9..=240.0).contains(wait)), "{waits:?}");
    assert!(waits[5..7].iter().all(|wait| *wait >= 599.9), "{waits:?}");
}
