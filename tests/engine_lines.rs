//! What the engine makes of each fault of a connection: cut, reset, closed with any code, protocol broken, registration
//! refused, keep-alive.
//!
//! Method: as `engine_faults.rs`. Where a line is to come back, the engine runs until it is stopped, and the test waits
//! for the journal to say so.

mod rig;

use hoga::feed::kis::session::Leave;
use hoga::metrics::Counter;
use hoga::net::DisconnectReason;
use hoga::net::frames::Violation;
use hoga::tick::{GapReason, Session, SessionEvent};
use kis_sim::{At, Fault, FaultSpec, OpenWhen, SimConfig, Target};
use rig::{Played, Record, at_frame, play, play_until, sessions, sim, wait_until};

const TRADES: &[&str] = &["H0STCNT0"];
/// Code of a connection that ended without a Close frame (RFC 6455).
const ABNORMAL: u16 = 1006;

/// Trades of two symbols, one a frame, for as long as the test likes.
fn endless(faults: Vec<FaultSpec>) -> SimConfig {
    SimConfig {
        max_records_per_frame: 1,
        market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0),
        faults,
        ..sim(2, 600.0, 100.0)
    }
}

/// The same for half a second.
fn brief(faults: Vec<FaultSpec>) -> SimConfig {
    SimConfig { seconds: 0.5, rate: 200.0, ..endless(faults) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn count(sessions: &[Session], event: SessionEvent) -> usize {
    sessions.iter().filter(|session| session.event == event as u8).count()
}

/// Both symbols are registered for the n-th time, and trades came since.
fn is_back(ticks: &[Record], times: usize) -> bool {
    let acked = SessionEvent::Acked as u8;
    let is_ack = |record: &Record| matches!(record.view(), hoga::tick::RecordView::Session(s) if s.event == acked);
    let Some(last) = ticks.iter().rposition(is_ack) else { return false };
    count(&sessions(ticks), SessionEvent::Acked) >= 2 * times && rig::trades(&ticks[last..]).len() > 50
}

/// First thing that happened to the line after it was connected: reason number and close code of its end.
fn first_end(played: &Played) -> (u8, u16) {
    let ends = played.events(SessionEvent::Disconnected);
    (ends[0].reason, ends[0].close_code)
}

fn comes_back(fault: Fault) -> Played {
    let played = play_until(endless(vec![at_frame(40, fault)]), TRADES, |_, ticks| is_back(ticks, 2));
    let events: Vec<u8> = played.sessions().iter().map(|session| session.event).collect();
    let place = |event| events.iter().position(|number| *number == event as u8).expect("the event");
    assert!(place(SessionEvent::Connected) < place(SessionEvent::Disconnected));
    assert_eq!(played.events(SessionEvent::Connected).len(), 2);
    assert!(played.sessions().iter().all(|session| session.header.line == 1), "the line keeps its number");
    assert_eq!(played.summary.get(Counter::Disconnects), 2, "the fault and the venue's own close");
    played.assert_volume_is_accounted_for();
    played
}

#[test]
fn a_cut_mid_frame_is_a_disconnect_with_reason_eof_and_the_line_comes_back() {
    let played = comes_back(Fault::CutMidFrame);
    assert_eq!(first_end(&played), (DisconnectReason::Eof.number(), ABNORMAL));
    let gaps = played.gaps();
    assert!(!gaps.is_empty(), "the frame that was cut is missing");
    assert!(gaps.iter().all(|(_, gap)| gap.reason == GapReason::Disconnect as u8), "{gaps:?}");
    let half = played.ledger.faults("cut_mid_frame")[0]["frame"].as_str().expect("the frame").to_owned();
    let fields: Vec<&str> = half.split('|').nth(3).expect("a payload").split('^').collect();
    let own: u64 = gaps.iter().filter(|(symbol, _)| symbol == fields[0]).map(|(_, gap)| gap.missing_qty).sum();
    assert!(own >= fields[12].parse().expect("a quantity"), "{own} of {}", fields[12]);
    assert!(played.rejects().is_empty(), "half a frame is no frame");
}

#[test]
fn a_reset_is_a_disconnect_with_reason_reset_and_the_line_comes_back() {
    let played = comes_back(Fault::Rst);
    assert_eq!(first_end(&played), (DisconnectReason::Reset.number(), ABNORMAL));
    assert!(played.gaps().iter().all(|(_, gap)| gap.reason == GapReason::Disconnect as u8));
}

#[test]
fn an_oversize_frame_closes_with_1009_and_says_so() {
    let played = comes_back(Fault::Oversize { bytes: (1 << 20) + 1 });
    let reason = DisconnectReason::Violation(Violation::MessageTooBig);
    assert_eq!(first_end(&played), (reason.number(), 1009));
    assert!(played.raw.iter().all(|record| record.bytes.len() < 1 << 20), "nothing of it is in raw");
}

#[test]
fn a_masked_frame_closes_with_1002_and_says_so() {
    let played = play(brief(vec![at_frame(20, Fault::Masked)]), TRADES);
    assert_eq!(first_end(&played), (DisconnectReason::Violation(Violation::MaskedFrame).number(), 1002));
    assert_eq!(played.trades().len(), 19, "the frames before it are journaled, it is not");
}

#[test]
fn reserved_bits_close_with_1002_and_say_so() {
    let played = play(brief(vec![at_frame(20, Fault::ReservedBits)]), TRADES);
    assert_eq!(first_end(&played), (DisconnectReason::Violation(Violation::ReservedBits).number(), 1002));
    assert_eq!(played.trades().len(), 19, "the frames before it are journaled, it is not");
}

#[test]
fn every_close_code_of_the_venue_is_journaled() {
    let peer = DisconnectReason::PeerClosed.number();
    for code in [1000, 1001, 1008, 1011, 1012, 3000, 4999] {
        let fault = Fault::Close { code, reason: "maintenance".to_owned() };
        let played = play(brief(vec![at_frame(10, fault)]), TRADES);
        let ends: Vec<_> = played.events(SessionEvent::Disconnected).iter().map(|s| (s.reason, s.close_code)).collect();
        assert_eq!(ends, [(peer, code)]);
        assert!(played.trades().len() >= 9, "what came before is journaled");
        assert_eq!(played.venue.closed_cleanly, 1, "the close was answered");
    }
}

#[test]
fn a_close_code_that_must_not_be_sent_is_a_violation() {
    for code in [999, 1005, 1006, 1015, 2999] {
        let played = play(brief(vec![at_frame(10, Fault::Close { code, reason: String::new() })]), TRADES);
        assert_eq!(first_end(&played), (DisconnectReason::Violation(Violation::CloseCodeInvalid).number(), 1002));
    }
}

#[test]
fn refused_registrations_are_session_records_and_the_rest_goes_on() {
    // Internal errors and resources the broker lacks: asked again after the others, and taken.
    let passing = ["OPSP0007", "OPSP8999", "OPSP9993", "OPSP9995"];
    let codes = ["OPSP0007", "OPSP0008", "OPSP0009", "OPSP8992", "OPSP8999", "OPSP9993", "OPSP9995"];
    let refuse = |(n, code): (u64, &&str)| FaultSpec {
        at: At::Registration(n),
        connection: Target::All,
        fault: Fault::Refuse { code: (*code).to_owned() },
    };
    let faults = (2..).step_by(2).zip(&codes).map(refuse).collect();
    let mut config = SimConfig { symbols: 16, open_when: OpenWhen::Registrations { count: 10 }, ..brief(faults) };
    config.seconds = 1.0;
    let played = play(config, TRADES);
    let refused: Vec<Session> = played.events(SessionEvent::Refused);
    let told: Vec<String> = refused.iter().map(|session| text(&session.code)).collect();
    assert_eq!(told, codes);
    let acked = played.events(SessionEvent::Acked);
    assert_eq!(acked.len(), 13);
    assert!(acked.iter().all(|session| text(&session.code) == "OPSP0000"));
    let key = |session: &Session| text(&session.tr_key);
    let active: Vec<String> = acked.iter().map(key).collect();
    assert!(refused.iter().all(|session| session.tr == 34));
    for session in &refused {
        assert_eq!(active.contains(&key(session)), passing.contains(&text(&session.code).as_str()), "{session:?}");
    }
    assert_eq!((played.summary.sessions.confirmed_max, played.summary.sessions.refused), (13, 3));
    assert_eq!(played.summary.get(Counter::RegistrationsRefused), 7);
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 20, "each was sent, four twice");
    let trades = played.trades();
    assert!(!trades.is_empty() && trades.iter().all(|(symbol, _)| active.contains(symbol)));
}

#[test]
fn a_registration_that_was_there_already_counts_as_confirmed() {
    let fault = Fault::Refuse { code: "OPSP0002".to_owned() };
    let fault = FaultSpec { at: At::Registration(1), connection: Target::All, fault };
    let played = play(SimConfig { open_when: OpenWhen::Quiet { ms: 200 }, ..brief(vec![fault]) }, TRADES);
    assert!(played.events(SessionEvent::Refused).is_empty());
    assert_eq!(played.summary.sessions.confirmed_max, 2);
}

#[test]
fn an_expired_approval_key_is_refused_then_replaced_and_the_line_comes_back() {
    let reset = FaultSpec { at: At::Frame(100), connection: Target::All, fault: Fault::Rst };
    let expired = std::cell::Cell::new(false);
    let played = play_until(endless(vec![reset]), TRADES, |stage, ticks| {
        if is_back(ticks, 1) && !expired.replace(true) {
            stage.venue.expire_approval_keys();
        }
        let sessions = sessions(ticks);
        let refused = sessions.iter().position(|session| text(&session.code) == "OPSP0011");
        refused.is_some_and(|at| count(&sessions[at..], SessionEvent::Acked) >= 2)
    });
    let refused = played.events(SessionEvent::Refused);
    assert!(refused.iter().all(|session| text(&session.code) == "OPSP0011"));
    let told = text(&refused[0].text);
    assert!(told.starts_with("invalid approval : ***") && !told.contains('-'), "the key it echoes is hidden: {told}");
    let ends: Vec<u8> = played.events(SessionEvent::Disconnected).iter().map(|session| session.reason).collect();
    assert!(ends.contains(&DisconnectReason::LocalClosed.number()), "we left to come back with a new key: {ends:?}");
}

#[test]
fn a_second_session_of_an_app_key_is_told_so_and_journals_it() {
    let stage = rig::Stage::new(endless(Vec::new()), TRADES);
    let first = stage.engine(Leave::WhenStopped);
    let dir = stage.dir();
    wait_until("trades", || is_back(&rig::read(&dir, hoga::journal::Stream::Ticks), 1));
    let mut config = stage.config.clone();
    config.journal.dir = stage.folder.path().join("second");
    // Of another host: on this one the second would wait for the first.
    config.kis.rest.keys_dir = Some(stage.folder.path().join("keys of another host"));
    let options = hoga::engine::Options { market: rig::market(), leave: Leave::WhenStopped };
    let second = hoga::engine::Engine::start_with(&config, stage.accounts.clone(), options).expect("an engine");
    let refused = || {
        let sessions = sessions(&rig::read(&config.journal.dir, hoga::journal::Stream::Ticks));
        sessions.into_iter().find(|session| session.event == SessionEvent::Refused as u8)
    };
    wait_until("the refusal", || refused().is_some());
    assert_eq!(text(&refused().expect("a refusal").code), "OPSP8996");
    second.stop();
    let summary = second.join().expect("it ends well");
    assert_eq!(summary.get(Counter::RecordsJournaled), 0);
    let played = stage.end(first);
    assert_eq!(played.events(SessionEvent::Disconnected).len(), 1, "the first session was left alone");
    played.assert_nothing_is_lost();
}

#[test]
fn pingpong_is_echoed_and_the_venue_keeps_the_line() {
    let quiet = SimConfig { rate: 1.0, seconds: 5.0, ping_interval_s: 0.1, silence_cut_s: 3.0, ..endless(Vec::new()) };
    let played = play(quiet, TRADES);
    assert!(played.summary.get(Counter::Pingpongs) > 5, "the venue asked, {}", played.summary.get(Counter::Pingpongs));
    assert!(played.ledger.cuts().is_empty(), "{:?}", played.ledger.cuts());
    assert_eq!(first_end(&played), (DisconnectReason::PeerClosed.number(), 1000));
    assert_eq!(played.summary.get(Counter::RecordsJournaled), played.venue.counts.records_sent);
}

#[test]
fn a_venue_that_stops_pingpong_is_still_listened_to() {
    let stop = FaultSpec { at: At::Seconds(0.0), connection: Target::All, fault: Fault::StopPingpong };
    let quiet = SimConfig { rate: 20.0, seconds: 1.5, ping_interval_s: 0.01, ..endless(vec![stop]) };
    let played = play(quiet, TRADES);
    assert_eq!(played.ledger.faults("stop_pingpong").len(), 1);
    assert_eq!(first_end(&played), (DisconnectReason::PeerClosed.number(), 1000));
    played.assert_nothing_is_lost();
}
