//! What the engine makes of each misbehaviour of a session: silence, lost and late answers, codes, loops, bans, limits; and
//! what it does when the list of what to record changes.
//!
//! Method: a simulated venue on loopback, the engine in this process, the journal read back. The venue's clock and the
//! engine's run faster where the broker's seconds would be waited for. The venue judges: it counts what a broker would
//! punish.

mod rig;

use std::os::unix::fs::DirBuilderExt as _;
use std::time::{Duration, Instant};

use hoga::clock::{MarketClock, wall_ns};
use hoga::config::KisSubscription;
use hoga::engine::{Engine, Options, ReloadError};
use hoga::feed::kis::session::{Leave, SessionSection};
use hoga::journal::Stream;
use hoga::metrics::Counter;
use hoga::net::DisconnectReason;
use hoga::tick::{RecordView, Session, SessionEvent};
use kis_sim::{AppKey, At, BanRules, Fault, FaultSpec, OpenWhen, RestFault, RestFaultSpec, SimConfig, Target};
use rig::{Record, Stage, at_frame, read, reference, sessions, sim, trades, wait_until};

const TRADES: &[&str] = &["H0STCNT0"];

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

fn at_registration(n: u64, fault: Fault) -> FaultSpec {
    FaultSpec { at: At::Registration(n), connection: Target::All, fault }
}

fn market(scale: f64) -> MarketClock {
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, 9 * 3600 + 1800);
    MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale }
}

fn start(stage: &Stage, scale: f64) -> Engine {
    let options = Options { market: market(scale), leave: Leave::WhenStopped };
    Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn of(ticks: &[Record], event: SessionEvent) -> Vec<Session> {
    sessions(ticks).into_iter().filter(|session| session.event == event as u8).collect()
}

fn keys_of(sessions: &[Session]) -> Vec<String> {
    sessions.iter().map(|session| text(&session.tr_key)).collect()
}

/// Waits until the journal shows what `done` asks for.
fn until(stage: &Stage, what: &str, done: impl Fn(&[Record]) -> bool) {
    let dir = stage.dir();
    wait_until(what, || done(&read(&dir, Stream::Ticks)));
}

/// Trades behind the last session record of this kind.
fn trades_since(ticks: &[Record], event: SessionEvent) -> usize {
    let is = |record: &Record| matches!(record.view(), RecordView::Session(s) if s.event == event as u8);
    ticks.iter().rposition(is).map_or(0, |place| trades(&ticks[place..]).len())
}

fn list(keys: &[(&str, u8)]) -> Vec<KisSubscription> {
    let one = |(key, priority): &(&str, u8)| KisSubscription {
        tr: "H0STCNT0".to_owned(),
        keys: vec![(*key).to_owned()],
        priority: *priority,
        ..KisSubscription::default()
    };
    keys.iter().map(one).collect()
}

#[test]
fn a_half_open_connection_is_found_after_ninety_seconds_and_made_anew() {
    let scale = 60.0;
    let stage = Stage::new(endless(scale, vec![at_frame(40, Fault::HalfOpen)]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "the line is back", |ticks| {
        of(ticks, SessionEvent::Silent).len() == 1
            && of(ticks, SessionEvent::Verified).len() == 2
            && trades_since(ticks, SessionEvent::Verified) > 20
    });
    let played = stage.end(engine);
    let silent = played.events(SessionEvent::Silent);
    assert!(silent[0].value as f64 * scale >= 90e9, "{} ns", silent[0].value);
    assert_eq!(played.events(SessionEvent::Disconnected)[0].reason, DisconnectReason::CloseTimeout.number());
    assert_eq!(text(&played.events(SessionEvent::BackingOff)[0].text), "nothing came");
    assert_eq!(played.summary.get(Counter::SilentLines), 1);
    let verified = played.events(SessionEvent::Verified);
    let told: Vec<(u64, String)> = verified.iter().map(|session| (session.value, text(&session.text))).collect();
    assert_eq!(
        told,
        vec![(0, "2 of 2 in force, 2 of 2 tick".to_owned()); 2],
        "held against what is wanted, both times"
    );
    played.assert_volume_is_accounted_for();
}

#[test]
fn a_connection_on_which_no_registration_is_answered_is_made_anew() {
    let dead = FaultSpec { connection: Target::Number(1), ..at_registration(1, Fault::HalfOpen) };
    let stage = Stage::new(endless(20.0, vec![dead]), TRADES);
    let engine = start(&stage, 20.0);
    until(&stage, "trades", |ticks| trades(ticks).len() > 20);
    let played = stage.end(engine);
    assert_eq!(text(&played.events(SessionEvent::BackingOff)[0].text), "no registration is answered");
    assert_eq!(played.events(SessionEvent::Connected).len(), 2);
    assert_eq!((played.summary.sessions.confirmed_max, played.summary.sessions.refused), (2, 0));
}

#[test]
fn a_line_with_keep_alives_but_without_data_is_made_anew() {
    let scale = 60.0;
    let stage = Stage::new(endless(scale, vec![at_frame(40, Fault::Drop { n: u64::MAX })]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "the line is back", |ticks| {
        of(ticks, SessionEvent::Connected).len() == 2 && trades_since(ticks, SessionEvent::Connected) > 20
    });
    let played = stage.end(engine);
    let no_data = played.events(SessionEvent::NoData);
    assert_eq!(no_data.len(), 1);
    assert!(no_data[0].value as f64 * scale >= 180e9, "{} ns", no_data[0].value);
    assert!(played.events(SessionEvent::Silent).is_empty(), "keep-alives came");
    assert!(played.summary.get(Counter::Pingpongs) > 5);
    assert_eq!(played.events(SessionEvent::Disconnected)[0].reason, DisconnectReason::LocalClosed.number());
    let asked = of(&played.ticks, SessionEvent::Subscribed);
    assert_eq!(asked.len(), 4, "twice two, never again on the same connection");
}

/// A frame each four minutes of the venue, a single symbol: the pause is longer than any patience with a dead line.
#[test]
fn a_line_that_hardly_trades_is_not_made_anew_however_long_it_is_quiet() {
    let scale = 60.0;
    let mut config = endless(scale, Vec::new());
    (config.symbols, config.rate) = (1, 0.25);
    config.market_start = jiff::civil::date(2026, 11, 20).at(16, 30, 0, 0);
    let stage = Stage::new(config, TRADES);
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, 16 * 3600 + 1800);
    let market = MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale };
    let options = Options { market, leave: Leave::WhenStopped };
    let engine = Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine");
    until(&stage, "four trades", |ticks| trades(ticks).len() >= 4);
    assert!(stage.venue.rest_counts().requests_of("intstock-multprice") > 2, "it was asked whether anything is traded");
    let played = stage.end(engine);
    assert!(played.events(SessionEvent::NoData).is_empty());
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
}

/// The venue's market goes on, and its server says nothing of volumes: what is known is that all pairs fell silent at once.
#[test]
fn where_volumes_cannot_be_had_pairs_that_fell_silent_together_make_their_line_begin_anew() {
    let scale = 60.0;
    let mut config = endless(scale, vec![at_frame(40, Fault::Drop { n: u64::MAX })]);
    config.mock = true;
    let stage = Stage::new(config, TRADES);
    let engine = start(&stage, scale);
    until(&stage, "the line is back", |ticks| {
        of(ticks, SessionEvent::Connected).len() == 2 && trades_since(ticks, SessionEvent::Connected) > 20
    });
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::NoData).len(), 1);
}

#[test]
fn without_keep_alives_under_load_the_line_is_left_alone_and_the_engine_never_pings() {
    let scale = 60.0;
    let stop = FaultSpec { at: At::Seconds(0.0), connection: Target::All, fault: Fault::StopPingpong };
    let stage = Stage::new(endless(scale, vec![stop]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "trades", |ticks| trades(ticks).len() > 20);
    // Twice the time after which a silent line is given up.
    std::thread::sleep(Duration::from_secs(3));
    let played = stage.end(engine);
    assert!(played.events(SessionEvent::Silent).is_empty() && played.events(SessionEvent::NoData).is_empty());
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert!(played.ledger.notes.iter().all(|note| note.get("client_ping").is_none()));
}

#[test]
fn a_registration_that_is_confirmed_and_stays_dark_is_said_and_its_line_stays() {
    let scale = 60.0;
    let mut stage = Stage::new(endless(scale, Vec::new()), TRADES);
    stage.config.kis.subscribe[0].keys.push("999999".to_owned());
    let engine = start(&stage, scale);
    until(&stage, "the silence is said", |ticks| !of(ticks, SessionEvent::Verified).is_empty());
    std::thread::sleep(Duration::from_secs(1));
    let played = stage.end(engine);
    let silent = played.events(SessionEvent::PairSilent);
    assert_eq!((keys_of(&silent), text(&silent[0].text)), (vec!["999999".to_owned()], "regular".to_owned()));
    assert!(silent[0].value as f64 * scale >= 300e9);
    assert_eq!(played.summary.get(Counter::SilentPairs), 1, "once");
    let verified = played.events(SessionEvent::Verified);
    assert_eq!((verified[0].value, text(&verified[0].text)), (1, "3 of 3 in force, 2 of 3 tick".to_owned()));
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 3, "it is not asked for again and again");
}

#[test]
fn a_lost_answer_is_asked_for_again_and_already_registered_is_success() {
    let stage = Stage::new(endless(1.0, vec![at_registration(1, Fault::LoseAck)]), TRADES);
    let engine = start(&stage, 1.0);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    std::thread::sleep(Duration::from_millis(300));
    let played = stage.end(engine);
    let codes: Vec<String> = played.events(SessionEvent::Acked).iter().map(|session| text(&session.code)).collect();
    assert_eq!(codes, ["OPSP0000", "OPSP0002"]);
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 3, "asked again once, and not after it was in force");
    assert_eq!((played.summary.sessions.confirmed_max, played.summary.sessions.refused), (2, 0));
}

#[test]
fn answers_out_of_order_and_data_before_them_confuse_nobody() {
    let stage = Stage::new(endless(1.0, vec![at_registration(1, Fault::DelayAck { ms: 2500 })]), TRADES);
    let engine = start(&stage, 1.0);
    until(&stage, "all answers", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    let played = stage.end(engine);
    let acked = keys_of(&played.events(SessionEvent::Acked));
    assert_eq!(acked[1], acked[2], "asked again, and then the first answer after all");
    assert_ne!(acked[0], acked[1], "the second registration was answered first");
    let acked_at = |record: &Record| matches!(record.view(), RecordView::Session(s) if s.event == SessionEvent::Acked as u8 && text(&s.tr_key) == acked[1]);
    let ack = played.ticks.iter().position(acked_at).expect("an answer");
    assert!(
        trades(&played.ticks[..ack]).iter().any(|(symbol, _)| *symbol == acked[1]),
        "data before its answer is data"
    );
    assert_eq!((played.summary.sessions.confirmed_max, played.summary.sessions.refused), (2, 0));
    played.assert_volume_is_accounted_for();
}

#[test]
fn an_app_key_in_use_is_left_alone_for_twenty_seconds_and_taken_over_when_it_is_free() {
    let scale = 20.0;
    let stage = Stage::new(endless(scale, Vec::new()), TRADES);
    let first = start(&stage, scale);
    until(&stage, "trades", |ticks| trades(ticks).len() > 20);
    let mut config = stage.config.clone();
    config.journal.dir = stage.folder.path().join("second");
    // Another host: what programs of one host share would keep it from knocking.
    config.kis.rest.keys_dir = Some(stage.folder.path().join("keys of another host"));
    let options = Options { market: market(scale), leave: Leave::WhenStopped };
    let begun = Instant::now();
    let second = Engine::start_with(&config, stage.accounts.clone(), options).expect("an engine");
    let waits = || of(&read(&config.journal.dir, Stream::Ticks), SessionEvent::BackingOff);
    wait_until("two waits", || waits().len() >= 2);
    let knocks = stage.venue.ledger().in_use;
    let allowed = begun.elapsed().as_secs_f64() * scale / 20.0 + 1.0;
    assert!(knocks as f64 <= allowed, "{knocks} knocks, {allowed} at most");
    for wait in waits() {
        assert_eq!((text(&wait.code), text(&wait.text)), ("OPSP8996".to_owned(), "app key in use".to_owned()));
        assert!(wait.value as f64 * scale >= 20e9 - 1e3, "{} ns", wait.value);
    }
    assert!(of(&read(&stage.dir(), Stream::Ticks), SessionEvent::Disconnected).is_empty(), "the first is left alone");
    first.stop();
    first.join().expect("it ends well");
    wait_until("the second has it", || trades(&read(&config.journal.dir, Stream::Ticks)).len() > 20);
    second.stop();
    second.join().expect("it ends well");
}

#[test]
fn an_approval_key_is_renewed_once_and_then_the_line_waits_long() {
    let scale = 100.0;
    let refuse = at_registration(1, Fault::Refuse { code: "OPSP0011".to_owned() });
    let stage = Stage::new(endless(scale, vec![refuse]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "two waits", |ticks| of(ticks, SessionEvent::BackingOff).len() >= 2);
    let played = stage.end(engine);
    let waits = played.events(SessionEvent::BackingOff);
    assert_eq!(text(&waits[0].text), "approval key expired");
    assert!((waits[0].value as f64) * scale < 20e9, "the new key is tried soon");
    assert_eq!(text(&waits[1].text), "app key refused");
    assert!(waits[1].value as f64 * scale >= 120e9 - 1e3, "{} ns", waits[1].value);
}

#[test]
fn an_approval_key_that_expires_is_replaced_while_the_line_goes_on() {
    let scale = 20.0;
    let expire = FaultSpec { at: At::Registration(2), connection: Target::Number(1), fault: Fault::ExpireApprovals };
    let stage = Stage::new(endless(scale, vec![expire]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let played = stage.end(engine);
    let refused = played.events(SessionEvent::Refused);
    assert_eq!(refused.iter().map(|session| text(&session.code)).collect::<Vec<_>>(), ["OPSP0011"]);
    assert_eq!(played.events(SessionEvent::ApprovalRenewed).len(), 1);
    assert_eq!(played.events(SessionEvent::Connected).len(), 1, "what was in force goes on");
    assert_eq!(played.summary.get(Counter::ApprovalsRenewed), 1);
}

#[test]
fn a_venue_that_resets_every_connection_is_not_knocked_into_a_ban() {
    let scale = 150.0;
    let mut config = endless(scale, vec![at_registration(1, Fault::Rst)]);
    // The venue counts when a registration comes, the engine when it begins to connect: at this pace of the clock a busy
    // machine puts market minutes between the two.
    config.ban = Some(BanRules { connects: 12, window_s: 600.0, for_s: 3600.0, messages: None });
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.session = SessionSection::default();
    let engine = start(&stage, scale);
    // More than two windows.
    std::thread::sleep(Duration::from_secs(9));
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    assert!(counts.connections >= 5, "it goes on trying: {}", counts.connections);
    assert_eq!(counts.bans, 0, "{} connections", counts.connections);
    assert!(played.events(SessionEvent::BackingOff).len() >= 5, "each wait is journaled");
}

#[test]
fn the_venue_does_ban_who_connects_too_often() {
    let mut config = endless(1.0, vec![at_registration(1, Fault::Rst)]);
    config.ban = Some(BanRules { connects: 2, window_s: 600.0, for_s: 3600.0, messages: None });
    let stage = Stage::new(config, TRADES);
    let engine = start(&stage, 20.0);
    wait_until("the ban", || stage.venue.ledger().bans == 1);
    stage.end(engine);
}

#[test]
fn a_program_that_is_started_again_and_again_connects_no_oftener_than_one_that_runs() {
    let mut config = endless(1.0, Vec::new());
    config.ban = Some(BanRules { connects: 4, window_s: 600.0, for_s: 3600.0, messages: None });
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.session.connect_budget = 4;
    for run in 1..=6 {
        let engine = start(&stage, 1.0);
        until(&stage, "a connection, or the word that there will be none", |ticks| {
            of(ticks, SessionEvent::Connected).len() == run.min(4)
                && of(ticks, SessionEvent::BackingOff).len() + 4 >= run
        });
        engine.stop();
        engine.join().expect("it ends well");
    }
    let counts = stage.venue.ledger();
    assert_eq!((counts.connections, counts.bans), (4, 0));
    let waits = of(&read(&stage.dir(), Stream::Ticks), SessionEvent::BackingOff);
    assert_eq!(waits.len(), 2);
    assert!(waits.iter().all(|wait| text(&wait.text) == "connects used up" && wait.value > 500_000_000_000));
}

/// The program as a supervisor runs it.
fn spawn(stage: &Stage, dir: &str) -> std::process::Child {
    let mut config = stage.config.clone();
    config.journal.dir = stage.folder.path().join(dir);
    let account = &mut config.kis.account[0];
    (account.app_key_env, account.app_secret_env) = (Some("HOGA_TEST_KEY".into()), Some("HOGA_TEST_SECRET".into()));
    let file = stage.folder.path().join("hoga.toml");
    std::fs::write(&file, toml::to_string(&config).expect("TOML")).expect("written");
    let key = &stage.venue.config().app_keys[0];
    std::process::Command::new(env!("CARGO_BIN_EXE_hoga"))
        .args(["run", "--config"])
        .arg(&file)
        .envs([("HOGA_TEST_KEY", &key.app_key), ("HOGA_TEST_SECRET", &key.app_secret)])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("hoga run")
}

#[test]
fn a_program_that_dies_while_it_records_is_let_in_ever_more_slowly_whatever_its_journal() {
    let mut stage = Stage::new(endless(1.0, Vec::new()), TRADES);
    stage.config.kis.session.connect_budget = 10;
    let begun = Instant::now();
    let mut lives = 0;
    while begun.elapsed() < Duration::from_secs(8) {
        // Another folder each time: it is the app key that counts.
        let mut program = spawn(&stage, &format!("life {lives}"));
        std::thread::sleep(Duration::from_millis(500));
        program.kill().expect("it is killed");
        program.wait().expect("it ends");
        lives += 1;
    }
    let connections = stage.venue.ledger().connections;
    // After 0, 2, 6 seconds, and none in between.
    assert!((2..=3).contains(&connections), "{connections} connections in {lives} lives");
}

#[test]
fn an_approval_key_that_cannot_be_had_spends_no_connect() {
    let scale = 20.0;
    let mut config = endless(scale, Vec::new());
    let fault = RestFault::Page { status: 502 };
    config.rest_faults = vec![RestFaultSpec { path: "Approval".to_owned(), from: 1, times: 4, fault }];
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.session.connect_budget = 1;
    let engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let played = stage.end(engine);
    let waits: Vec<String> = played.events(SessionEvent::BackingOff).iter().map(|wait| text(&wait.text)).collect();
    assert!(waits.len() >= 4 && waits.iter().all(|why| !why.contains("used up")), "{waits:?}");
}

#[test]
fn a_connect_that_cannot_be_counted_is_not_made() {
    let mut stage = Stage::new(endless(1.0, Vec::new()), TRADES);
    stage.config.kis.session.connect_budget = 10;
    let key = &stage.accounts[0].credentials.app_key;
    let folder = stage.config.kis.rest.keys_folder().expect("a folder");
    std::fs::DirBuilder::new().mode(0o700).create(&folder).expect("made");
    // What is written beside the file can't be: a folder is in its place.
    let name = hoga::feed::kis::rest::key_file_name(&stage.config.kis.rest_url, key);
    std::fs::create_dir(folder.join(name).with_extension("connects-new")).expect("made");
    let engine = start(&stage, 1.0);
    until(&stage, "a wait", |ticks| !of(ticks, SessionEvent::BackingOff).is_empty());
    let connections = stage.venue.ledger().connections;
    let played = stage.end(engine);
    assert_eq!(text(&played.events(SessionEvent::BackingOff)[0].text), "connects can't be counted");
    assert_eq!(connections, 0);
}

#[test]
fn two_programs_of_a_host_never_hold_two_sessions_of_one_app_key_and_its_pairs_go_to_another() {
    let scale = 60.0;
    let mut config = endless(scale, Vec::new());
    (config.symbols, config.app_keys) = (5, AppKey::generate(2));
    config.open_when = OpenWhen::Immediately;
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe[0].keys.truncate(4);
    let mut other = stage.config.clone();
    other.journal.dir = stage.folder.path().join("other");
    other.kis.account.truncate(1);
    let options = || Options { market: market(scale), leave: Leave::WhenStopped };
    let first = Engine::start_with(&other, stage.accounts[..1].to_vec(), options()).expect("an engine");
    wait_until("the first records", || trades(&rig::try_read(&other.journal.dir, Stream::Ticks)).len() > 20);
    let mut second = start(&stage, scale);
    until(&stage, "the pairs of the app key that is held come by the other", |ticks| {
        of(ticks, SessionEvent::Moved).len() == 2 && of(ticks, SessionEvent::Acked).len() == 4
    });
    let counts = stage.venue.ledger();
    assert_eq!((counts.in_use, counts.connections), (0, 2));
    let ticks = read(&stage.dir(), Stream::Ticks);
    let held = of(&ticks, SessionEvent::AppKeyHeld);
    assert_eq!(held.iter().map(|session| session.header.line).collect::<Vec<_>>(), [1], "said once");
    assert_eq!(text(&of(&ticks, SessionEvent::Moved)[0].text), "its app key is kept out");
    let disconnects = of(&read(&other.journal.dir, Stream::Ticks), SessionEvent::Disconnected);
    assert!(disconnects.is_empty(), "the first is left alone");
    // What a new list puts on the line that is out goes to the other at once, however long that one had nothing to carry.
    std::thread::sleep(Duration::from_millis(300));
    let mut config = stage.config.clone();
    config.kis.subscribe[0].keys = keys;
    second.reload(&config).expect("it is taken over");
    until(&stage, "what came is in force", |ticks| of(ticks, SessionEvent::Acked).len() == 5);
    let ticks = read(&stage.dir(), Stream::Ticks);
    let told_at = |event| of(&ticks, event).last().map(|session| session.header.ts_recv).expect("a record");
    assert!(told_at(SessionEvent::Moved) - told_at(SessionEvent::ListChanged) < 4_000_000_000);
    second.stop();
    second.join().expect("it ends well");
    // One that waits connects when the first ends in order.
    let mut third = stage.config.clone();
    third.journal.dir = stage.folder.path().join("third");
    third.kis.account.truncate(1);
    let third_engine = Engine::start_with(&third, stage.accounts[..1].to_vec(), options()).expect("an engine");
    let dir = third.journal.dir.clone();
    wait_until("it waits", || of(&rig::try_read(&dir, Stream::Ticks), SessionEvent::AppKeyHeld).len() == 1);
    first.stop();
    first.join().expect("it ends well");
    wait_until("it has the app key", || trades(&read(&dir, Stream::Ticks)).len() > 20);
    assert_eq!(stage.venue.ledger().in_use, 0);
    stage.end(third_engine);
}

#[test]
fn a_clean_end_frees_the_app_key_at_once() {
    let mut config = endless(1.0, Vec::new());
    config.slot_linger_s = 3600.0;
    let stage = Stage::new(config, TRADES);
    for run in 1..=2 {
        let engine = start(&stage, 1.0);
        until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2 * run);
        engine.stop();
        engine.join().expect("it ends well");
    }
    assert!(of(&read(&stage.dir(), Stream::Ticks), SessionEvent::Refused).is_empty());
    assert_eq!(stage.venue.ledger().in_use, 0);
}

#[test]
fn over_the_brokers_limit_the_least_important_pair_gives_way() {
    let mut config = endless(1.0, Vec::new());
    (config.symbols, config.max_registrations) = (3, 2);
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe = list(&[(&keys[0], 1), (&keys[1], 0)]);
    let mut engine = start(&stage, 1.0);
    until(&stage, "two are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    let mut config = stage.config.clone();
    config.kis.subscribe = list(&[(&keys[0], 1), (&keys[1], 0), (&keys[2], 9)]);
    engine.reload(&config).expect("it is taken over");
    until(&stage, "the third is in force", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    until(&stage, "its trades", |ticks| trades(ticks).iter().any(|(symbol, _)| *symbol == keys[2]));
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    assert_eq!((counts.over_limit, counts.registrations), (1, 2), "it knocked once, and holds two");
    let left_out = played.events(SessionEvent::LeftOut);
    assert_eq!(keys_of(&left_out), [keys[1].clone()]);
    assert_eq!(text(&left_out[0].text), "more than the app key may hold");
    assert_eq!(keys_of(&played.events(SessionEvent::Withdrawn)), [keys[1].clone()]);
    assert_eq!(played.summary.get(Counter::RegistrationsLeftOut), 1);
}

#[test]
fn the_engine_never_asks_for_more_than_an_app_key_may_hold_and_says_what_it_leaves_out() {
    let mut config = endless(1.0, Vec::new());
    config.symbols = 43;
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    let (first, rest) = keys.split_first().expect("symbols");
    let subscription = |keys: &[String], priority| KisSubscription {
        tr: "H0STCNT0".to_owned(),
        keys: keys.to_vec(),
        priority,
        ..KisSubscription::default()
    };
    stage.config.kis.subscribe = vec![subscription(std::slice::from_ref(first), 0), subscription(rest, 1)];
    let engine = start(&stage, 1.0);
    until(&stage, "41 are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 41);
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    assert_eq!((counts.over_limit, counts.registrations), (0, 41));
    assert_eq!(keys_of(&played.events(SessionEvent::LeftOut)), [keys[42].clone(), first.clone()]);
    assert_eq!(played.summary.sessions.wanted, 41);
}

#[test]
fn a_change_of_the_list_touches_what_came_and_what_left_alone() {
    let mut config = endless(1.0, Vec::new());
    config.symbols = 4;
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe = list(&[(&keys[0], 0), (&keys[1], 0), (&keys[2], 0)]);
    let mut engine = start(&stage, 1.0);
    until(&stage, "three are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 3);
    let mut config = stage.config.clone();
    config.kis.subscribe = list(&[(&keys[1], 0), (&keys[2], 0), (&keys[3], 0)]);
    engine.reload(&config).expect("it is taken over");
    until(&stage, "the fourth is in force", |ticks| of(ticks, SessionEvent::Acked).len() == 4);
    until(&stage, "trades since", |ticks| trades_since(ticks, SessionEvent::Acked) > 40);
    let mut other = config.clone();
    other.kis.max_registrations = 7;
    let refused = engine.reload(&other).expect_err("it is not taken over");
    assert!(
        matches!(refused, ReloadError::Fixed(_)) && refused.to_string().contains("kis.max_registrations"),
        "{refused}"
    );
    let played = stage.end(engine);
    assert_eq!(keys_of(&played.events(SessionEvent::Unsubscribed)), [keys[0].clone()]);
    let withdrawn = played.events(SessionEvent::Withdrawn);
    assert_eq!((keys_of(&withdrawn), text(&withdrawn[0].code)), (vec![keys[0].clone()], "OPSP0001".to_owned()));
    assert_eq!(keys_of(&played.events(SessionEvent::Subscribed))[3..], [keys[3].clone()]);
    assert_eq!(played.events(SessionEvent::Connected).len(), 1, "the connection stays");
    let changed = played.events(SessionEvent::ListChanged);
    assert_eq!((changed[0].value, text(&changed[0].text)), (3, "1 came, 1 left".to_owned()));
    let is_end =
        |record: &Record| matches!(record.view(), RecordView::Session(s) if s.event == SessionEvent::Acked as u8);
    let last = played.ticks.iter().rposition(is_end).expect("an answer");
    let since = trades(&played.ticks[last..]);
    assert!(since.iter().all(|(symbol, _)| *symbol != keys[0]), "what was withdrawn comes no more");
    assert!(since.iter().any(|(symbol, _)| *symbol == keys[3]));
}

#[test]
fn a_hangup_makes_the_program_read_its_list_again() {
    let mut config = endless(1.0, Vec::new());
    config.symbols = 3;
    let mut stage = Stage::new(config, TRADES);
    let keys = rig::symbols(&stage.venue);
    stage.config.kis.subscribe = list(&[(&keys[0], 0), (&keys[1], 0)]);
    let account = &mut stage.config.kis.account[0];
    (account.app_key_env, account.app_secret_env) = (Some("HOGA_TEST_KEY".into()), Some("HOGA_TEST_SECRET".into()));
    let file = stage.folder.path().join("hoga.toml");
    let write =
        |config: &hoga::config::Config| std::fs::write(&file, toml::to_string(config).expect("TOML")).expect("written");
    write(&stage.config);
    let key = &stage.venue.config().app_keys[0];
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_hoga"))
        .args(["run", "--json", "--config"])
        .arg(&file)
        .envs([("HOGA_TEST_KEY", &key.app_key), ("HOGA_TEST_SECRET", &key.app_secret)])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("hoga run");
    let dir = stage.dir();
    let seen = |event, count| of(&rig::try_read(&dir, Stream::Ticks), event).len() >= count;
    wait_until("two are in force", || seen(SessionEvent::Acked, 2));
    stage.config.kis.subscribe = list(&[(&keys[1], 0), (&keys[2], 0)]);
    write(&stage.config);
    let signal = |name: &str| {
        let done = std::process::Command::new("kill").args([name, &program.id().to_string()]).status();
        assert!(done.expect("kill").success());
    };
    signal("-HUP");
    wait_until("the change", || seen(SessionEvent::Acked, 3) && seen(SessionEvent::Withdrawn, 1));
    signal("-TERM");
    assert!(program.wait().expect("it ends").success());
    assert_eq!(of(&read(&dir, Stream::Ticks), SessionEvent::Connected).len(), 1);
}

#[test]
fn a_hangup_while_lists_are_looked_up_ends_nothing_and_is_followed_afterwards() {
    let mut config = endless(1.0, Vec::new());
    let fault = RestFault::Slow { ms: 3_000 };
    config.rest_faults = vec![RestFaultSpec { path: "tokenP".to_owned(), from: 1, times: 1, fault }];
    let mut stage = Stage::new(config, TRADES);
    let ranked = KisSubscription { tr: "H0STCNT0".to_owned(), top_by_turnover: Some(2), ..KisSubscription::default() };
    stage.config.kis.subscribe = vec![ranked];
    stage.config.journal.dir = stage.folder.path().join("ranked");
    let mut program = spawn(&stage, "ranked");
    wait_until("it asks the broker", || stage.venue.rest_counts().requests_of("tokenP") == 1);
    let done = std::process::Command::new("kill").args(["-HUP", &program.id().to_string()]).status();
    assert!(done.expect("kill").success());
    let dir = stage.dir();
    wait_until("it records, by the list read again", || {
        assert!(program.try_wait().expect("a state").is_none(), "it lives");
        let ticks = rig::try_read(&dir, Stream::Ticks);
        of(&ticks, SessionEvent::Acked).len() == 2 && of(&ticks, SessionEvent::ListChanged).len() == 1
    });
    let done = std::process::Command::new("kill").args(["-TERM", &program.id().to_string()]).status();
    assert!(done.expect("kill").success() && program.wait().expect("it ends").success());
}

#[test]
fn a_pair_over_which_the_venue_closes_the_line_is_given_up_and_the_others_come() {
    let scale = 40.0;
    let stage = Stage::new(endless(scale, vec![at_registration(2, Fault::Rst)]), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "the others come", |ticks| {
        of(ticks, SessionEvent::LeftOut).len() == 1 && trades_since(ticks, SessionEvent::Verified) > 20
    });
    let played = stage.end(engine);
    let left_out = played.events(SessionEvent::LeftOut);
    assert_eq!(text(&left_out[0].text), "the broker closes the line over it");
    assert_eq!(played.events(SessionEvent::Connected).len(), 4, "three strikes");
}

#[test]
fn what_the_mock_server_does_not_have_is_asked_once_and_left_out() {
    let mut config = endless(1.0, Vec::new());
    config.mock = true;
    let stage = Stage::new(config, &["H0STMBC0", "H0STCNT0"]);
    let engine = start(&stage, 1.0);
    until(&stage, "trades", |ticks| trades(ticks).len() > 20);
    let played = stage.end(engine);
    let refused = played.events(SessionEvent::Refused);
    assert_eq!(refused.iter().map(|session| text(&session.code)).collect::<Vec<_>>(), ["OPSP8991"; 2]);
    assert_eq!(played.events(SessionEvent::LeftOut).len(), 2);
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 4);
}

#[test]
fn a_message_far_larger_than_usual_is_a_frame_like_any_other() {
    let stage = Stage::new(endless(1.0, vec![at_frame(40, Fault::Oversize { bytes: 300_000 })]), TRADES);
    let engine = start(&stage, 1.0);
    until(&stage, "trades", |ticks| trades(ticks).len() > 80);
    let played = stage.end(engine);
    assert!(played.raw.iter().any(|record| record.bytes.len() > 300_000), "verbatim in raw");
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    played.assert_volume_is_accounted_for();
}
