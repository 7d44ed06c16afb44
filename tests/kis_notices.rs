//! Account notices: encrypted on the session of an app key, kept in a folder of their own, nowhere else.
//!
//! Method: a simulated venue that sends notices of an invented customer, encrypted with the key of each session; the engine
//! in this process; its folders read back, and searched for what must not be there.

mod rig;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hoga::clock::{MarketClock, wall_ns};
use hoga::config::{Config, Placement};
use hoga::engine::{Engine, Options};
use hoga::feed::kis::account::NoticesSection;
use hoga::feed::kis::session::Leave;
use hoga::journal::Stream;
use hoga::metrics::Counter;
use hoga::tick::{RejectReason, Session, SessionEvent};
use kis_sim::{At, Fault, FaultSpec, NoticeConfig, OpenWhen, SimConfig, Target};
use rig::{Record, Stage, read, reference, sessions, sim, trades, wait_until};

const HTS_ID: &str = "invented7";

fn venue(notices: NoticeConfig, faults: Vec<FaultSpec>, scale: f64) -> SimConfig {
    SimConfig {
        market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
        open_when: OpenWhen::Immediately,
        time_scale: scale,
        clock_scale: scale,
        notices: Some(NoticeConfig { hts_id: HTS_ID.to_owned(), every_ms: 20, ..notices }),
        faults,
        ..sim(2, 600.0, 100.0)
    }
}

/// A stage whose engine asks for the notices of this id.
fn stage(sim: SimConfig, hts_id: &str) -> Stage {
    let mut stage = Stage::new(sim, &["H0STCNT0"]);
    let file = stage.folder.path().join("hts_id");
    std::fs::write(&file, format!("{hts_id}\n")).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its owner's");
    stage.config.kis.notices = Some(NoticesSection { hts_id_file: Some(file), ..NoticesSection::default() });
    stage
}

fn start(stage: &Stage, scale: f64) -> Engine {
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, 9 * 3600 + 1800);
    let market = MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale };
    let options = Options { market, leave: Leave::WhenStopped };
    Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine")
}

fn folder(config: &Config) -> PathBuf {
    config.kis.notices.as_ref().expect("notices").folder(&config.journal.dir)
}

fn kept(folder: &Path) -> Vec<serde_json::Value> {
    let Ok(text) = std::fs::read_to_string(folder.join("20261120.jsonl")) else { return Vec::new() };
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn of(ticks: &[Record], event: SessionEvent) -> Vec<Session> {
    sessions(ticks).into_iter().filter(|session| session.event == event as u8).collect()
}

/// Files below a folder that hold these bytes.
fn holding(folder: &Path, part: &[u8], found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holding(&path, part, found);
        } else if std::fs::read(&path).expect("a file").windows(part.len()).any(|window| window == part) {
            found.push(path);
        }
    }
}

fn notices_come(placement: Placement, width: usize) {
    let mut stage = stage(venue(NoticeConfig { width, ..NoticeConfig::default() }, Vec::new(), 1.0), HTS_ID);
    stage.config.engine.placement = placement;
    let folder = folder(&stage.config);
    let engine = start(&stage, 1.0);
    wait_until("notices", || kept(&folder).len() > 20);
    let played = stage.end(engine);
    let notices = kept(&folder);
    assert_eq!(played.summary.get(Counter::NoticesKept), notices.len() as u64);
    assert!(played.ledger.notices.len() >= notices.len(), "the venue has a line for each that it sent");
    assert_eq!((played.summary.get(Counter::NoticesRejected), played.summary.get(Counter::NoticesLost)), (0, 0));
    for (notice, n) in notices.iter().zip(1..) {
        assert_eq!((notice["tr"].as_str(), notice["width"].as_u64()), (Some("H0STCNI0"), Some(width as u64)));
        let fields = notice["fields"].as_object().expect("fields");
        assert_eq!((fields.len(), &fields["CUST_ID"]), (width, &HTS_ID.into()));
        assert_eq!(fields["ODER_NO"], format!("{n:010}"));
        assert_eq!(fields["ACNT_NAME"], "홍길동");
        assert_eq!(fields.contains_key("ODER_PRC"), width == 26, "only of the widest are all names known");
    }
    // What is of an account is in that folder, and its owner's alone.
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("20261120.jsonl"))), (0o700, 0o600));
    for part in [HTS_ID.as_bytes(), "홍길동".as_bytes()] {
        let mut found = Vec::new();
        holding(&played.dir, part, &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
    let rejects = played.rejects();
    assert!(rejects.iter().all(|(reject, bytes)| reject.reason == RejectReason::Encrypted as u8 && bytes.is_empty()));
    assert_eq!(rejects.len(), notices.len(), "in the market's stream each is a place without content");
    assert!(played.trades().len() > 20, "the market goes on");
}

#[test]
fn notices_are_decrypted_and_kept_apart_from_the_market_fused() {
    notices_come(Placement::Fused, 26);
}

#[test]
fn notices_are_decrypted_and_kept_apart_from_the_market_split() {
    notices_come(Placement::Split, 26);
}

#[test]
fn notices_of_the_width_before_march_2025_and_of_a_wider_one_are_read() {
    notices_come(Placement::Fused, 23);
}

#[test]
fn each_session_has_a_key_and_answers_of_other_registrations_do_not_replace_it() {
    let reset = FaultSpec { at: At::Frame(40), connection: Target::Number(1), fault: Fault::Rst };
    let notices = NoticeConfig { decoys: true, ..NoticeConfig::default() };
    let stage = stage(venue(notices, vec![reset], 20.0), HTS_ID);
    let folder = folder(&stage.config);
    let mut engine = start(&stage, 20.0);
    let dir = stage.dir();
    wait_until("the second session", || of(&read(&dir, Stream::Ticks), SessionEvent::Connected).len() == 2);
    wait_until("its answers", || of(&read(&dir, Stream::Ticks), SessionEvent::Acked).len() == 6);
    // Another registration behind that of the notices.
    let mut config = stage.config.clone();
    config.kis.subscribe[0].keys.push("999999".to_owned());
    engine.reload(&config).expect("it is taken over");
    wait_until("its answer", || of(&read(&dir, Stream::Ticks), SessionEvent::Acked).len() == 7);
    let before = kept(&folder).len();
    wait_until("more notices", || kept(&folder).len() > before + 20);
    let played = stage.end(engine);
    assert_eq!(played.summary.get(Counter::NoticesRejected), 0);
}

#[test]
fn a_notice_that_cannot_be_decrypted_is_counted_and_the_next_is_kept() {
    let stage = stage(venue(NoticeConfig { spoil_each: 3, ..NoticeConfig::default() }, Vec::new(), 1.0), HTS_ID);
    let folder = folder(&stage.config);
    let engine = start(&stage, 1.0);
    wait_until("notices", || kept(&folder).len() > 20);
    let played = stage.end(engine);
    let numbers: Vec<u64> =
        kept(&folder).iter().map(|notice| notice["fields"]["ODER_NO"].as_str().unwrap().parse().unwrap()).collect();
    assert!(numbers.iter().all(|number| number % 3 != 0), "{numbers:?}");
    let rejected = played.summary.get(Counter::NoticesRejected);
    assert!((9..=numbers.len() as u64).contains(&rejected), "{rejected} of {}", numbers.len());
    // As they came, beside those that could be read; the journal knows that they were.
    let told: u64 = played.events(SessionEvent::NoticeUnread).iter().map(|session| session.value).sum();
    assert_eq!(told, rejected);
    let unread = folder.join("20261120.unread.jsonl");
    assert_eq!(std::fs::metadata(&unread).expect("there").permissions().mode() & 0o777, 0o600);
    let unread = std::fs::read_to_string(&unread).expect("text");
    assert_eq!(unread.lines().count() as u64, rejected);
    for line in unread.lines() {
        let frame: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let frame = frame["frame"].as_str().expect("a frame");
        assert!(frame.starts_with("1|H0STCNI0|001|"));
        let (payload, mut found) = (frame.split('|').nth(3).expect("a payload"), Vec::new());
        holding(&played.dir, payload.as_bytes(), &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}

/// Notices whose registration is answered by a connection's third answer, which never comes.
fn lost_key(decoys: bool) -> (Stage, PathBuf) {
    let lose = FaultSpec { at: At::Registration(3), connection: Target::Number(1), fault: Fault::LoseAck };
    let stage = stage(venue(NoticeConfig { decoys, ..NoticeConfig::default() }, vec![lose], 1.0), HTS_ID);
    let folder = folder(&stage.config);
    (stage, folder)
}

#[test]
fn notices_whose_key_was_lost_are_read_by_that_of_other_answers_and_registered_anew_once() {
    let (stage, folder) = lost_key(false);
    let engine = start(&stage, 1.0);
    let dir = stage.dir();
    wait_until("they are read before their own key comes", || {
        !kept(&folder).is_empty() && of(&read(&dir, Stream::Ticks), SessionEvent::Withdrawn).is_empty()
    });
    wait_until("they are registered anew", || of(&read(&dir, Stream::Ticks), SessionEvent::Acked).len() == 4);
    let before = kept(&folder).len();
    wait_until("more notices", || kept(&folder).len() > before + 20);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Withdrawn).len(), 1);
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 5, "two, thrice the notices");
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert_eq!(played.summary.get(Counter::NoticesRejected), 0);
}

#[test]
fn notices_that_no_other_key_fits_wait_for_their_own_and_none_is_lost() {
    let (stage, folder) = lost_key(true);
    let engine = start(&stage, 1.0);
    wait_until("notices", || kept(&folder).len() > 40);
    let played = stage.end(engine);
    let numbers: Vec<u64> =
        kept(&folder).iter().map(|notice| notice["fields"]["ODER_NO"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "from the first on, in order");
    assert_eq!(played.summary.get(Counter::NoticesRejected), 0);
}

#[test]
fn over_a_wrong_id_the_notices_are_dropped_and_said_so_and_the_market_goes_on() {
    let scale = 40.0;
    let stage = stage(venue(NoticeConfig::default(), Vec::new(), scale), "somebodyelse");
    let folder = folder(&stage.config);
    let engine = start(&stage, scale);
    let dir = stage.dir();
    wait_until("they are dropped", || of(&read(&dir, Stream::Ticks), SessionEvent::NoticesDropped).len() == 1);
    wait_until("the market goes on", || {
        let ticks = read(&dir, Stream::Ticks);
        let last =
            ticks.iter().rposition(|record| !of(std::slice::from_ref(record), SessionEvent::Connected).is_empty());
        last.is_some_and(|last| trades(&ticks[last..]).len() > 20)
    });
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Connected).len(), 4, "three strikes");
    for session in played.events(SessionEvent::NoticesDropped) {
        assert!(session.tr_key.iter().all(|byte| *byte == 0), "the id is not told");
    }
    assert!(kept(&folder).is_empty());
    let mut found = Vec::new();
    holding(&played.dir, b"somebodyelse", &mut found);
    assert!(found.is_empty(), "{found:?}");
}
