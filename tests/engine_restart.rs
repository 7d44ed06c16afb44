//! What a journal holds after its engine died, at any point, and was started again.
//!
//! The promise: every data frame of stream `raw` has all its records in `ticks` exactly once, in the order of the frames,
//! and sequences have no hole. Method: a journal recorded in order is written again but for its last records, as a writer
//! that dies leaves it, for each number of records short; and a true process is killed (`SIGKILL`) while it records, again
//! and again. `HOGA_LONG=1` kills it 50 times instead of 5.

mod rig;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use hoga::config::{Config, KisAccount, Placement};
use hoga::engine::{Engine, EngineError, Options};
use hoga::feed::kis::session::Leave;
use hoga::journal::{Journal, JournalConfig, OpenError, Stream, Verdict, verify};
use hoga::metrics::Counter;
use hoga::tick::{Flags, HEADER_BYTES, Header, MARKET_PREFIX_BYTES, RType, RecordView, SessionEvent, StopReason};
use kis_sim::{OpenWhen, SimConfig, TimedFrame};
use rig::compare::assert_all_frames_are_decoded;
use rig::{Played, Record, Stage, play, read, sim, wait_until};

const FEEDS: &[&str] = &["H0STCNT0", "H0STASP0", "H0UNCNT0"];
/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// A journal on a venue that does not exist: opens, recovers, stops.
fn open_and_stop(config: &Config, played: &rig::Stage) -> Engine {
    Engine::start_with(config, played.accounts.clone(), Options { market: rig::market(), leave: Leave::WhenStopped })
        .expect("an engine")
}

/// A record of a frame without what differs when it is decoded again: sequence, checksum, stamps, flags of circumstance.
fn essence(record: &Record) -> Vec<u8> {
    let mut bytes = record.bytes.clone();
    bytes[4..16].fill(0);
    let header = record.header();
    let flags = header.flags & !(Flags::RECOVERED | Flags::GAP_BEFORE);
    bytes[28..32].copy_from_slice(&flags.to_le_bytes());
    if record.market().is_some() {
        bytes[HEADER_BYTES + 24..HEADER_BYTES + 32].fill(0);
    }
    bytes
}

/// What frames became: market records and rejects.
fn from_frames(ticks: &[Record]) -> Vec<Vec<u8>> {
    let is_reject = |record: &Record| record.header().rtype == RType::Reject as u8;
    ticks.iter().filter(|record| record.market().is_some() || is_reject(record)).map(essence).collect()
}

/// Writes a journal as an engine would that dies when `kept` records of `ticks` are committed: no close.
fn write_unfinished(dir: &Path, played: &Played, kept: usize) {
    let mut journal = Journal::open(dir, JournalConfig::with_segment_bytes(2 << 20)).expect("a journal");
    let append = |writer: &mut hoga::journal::StreamWriter, record: &Record| {
        let mut words = vec![0_u64; record.bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..record.bytes.len()].copy_from_slice(&record.bytes);
        let sequence = writer.append(&mut words).expect("there is room");
        assert_eq!(sequence, record.header().sequence);
    };
    let raw = journal.raw.as_mut().expect("stream raw");
    played.raw.iter().for_each(|record| append(raw, record));
    played.ticks[..kept].iter().for_each(|record| append(&mut journal.ticks, record));
}

/// Writes a journal short of its last records, for each number kept, opens it, and holds what it has then against the
/// whole. `has_rejects`: not every frame became all its records.
fn cut_and_open(played: &Played, cuts: impl Iterator<Item = usize>, has_rejects: bool) {
    let whole = from_frames(&played.ticks);
    let total = played.ticks.len();
    let stage = Stage::new(SimConfig { open_when: OpenWhen::AfterDelay { ms: 600_000 }, ..sim(1, 1.0, 1.0) }, FEEDS);
    for kept in cuts {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("journal");
        write_unfinished(&dir, played, kept);
        let mut config = stage.config.clone();
        config.journal.dir.clone_from(&dir);
        (config.kis.rest_url, config.kis.ws_url) = (format!("http://{NOWHERE}"), format!("ws://{NOWHERE}"));
        config.engine.placement = if kept % 2 == 0 { Placement::Fused } else { Placement::Split };
        let engine = open_and_stop(&config, &stage);
        assert_eq!(engine.recovery().ticks.last_sequence, kept as u64);
        assert!(!engine.recovery().ticks.was_closed);
        engine.stop();
        engine.join().expect("it ends well");
        let ticks = read(&dir, Stream::Ticks);
        let found = from_frames(&ticks);
        assert_eq!(found.len(), whole.len(), "{kept} of {total} records kept");
        let differs = found.iter().zip(&whole).position(|(found, whole)| found != whole);
        assert_eq!(differs, None, "{kept} of {total} records kept");
        if !has_rejects {
            let present = played.ticks[..kept].iter().filter(|record| record.market().is_some()).count();
            assert_eq!(assert_all_frames_are_decoded(&dir), whole.len() - present);
        }
        // An orderly end leaves nothing to do.
        let engine = open_and_stop(&config, &stage);
        assert!(engine.recovery().ticks.was_closed);
        engine.stop();
        engine.join().expect("it ends well");
        assert_eq!(from_frames(&read(&dir, Stream::Ticks)).len(), whole.len());
    }
}

/// Continuous trading of three symbols.
fn busy() -> SimConfig {
    SimConfig { market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0), ..sim(3, 0.4, 300.0) }
}

#[test]
fn whatever_ticks_lack_of_raw_is_decoded_again_when_the_journal_is_opened() {
    let played = play(busy(), FEEDS);
    let batched = played.ticks.iter().any(|record| record.market().is_some_and(|market| market.frame_count > 2));
    assert!(batched && from_frames(&played.ticks).len() > 80, "frames of several records are among many");
    assert_eq!(assert_all_frames_are_decoded(&played.dir), 0);
    let total = played.ticks.len();
    // Each of the last cuts; then at a distance; then nothing of ticks at all.
    cut_and_open(&played, (total - 24..=total).chain([total / 2, total / 3, 5, 0]), false);
}

#[test]
fn frames_with_rejected_records_are_completed_and_no_reject_is_said_twice() {
    let sample = play(busy(), &["H0STCNT0"]);
    let batch = sample.ledger.frames[&1].iter().find(|frame| &frame[11..14] >= b"003".as_slice());
    let text = String::from_utf8(batch.expect("a frame of three trades").clone()).expect("plain text");
    let (head, payload) = text.rsplit_once('|').expect("a payload");
    let count: usize = head[11..14].parse().expect("a count");
    let fields: Vec<&str> = payload.split('^').collect();
    let width = fields.len() / count;
    // No price in the first, the second, the last, the first two records; then a frame that can't be split.
    let spoilt = [&[0][..], &[1], &[count - 1], &[0, 1], &[]].map(|records| {
        let mut fields = fields.clone();
        records.iter().for_each(|record| fields[record * width + 2] = "?");
        format!("{head}|{}", fields.join("^")).into_bytes()
    });
    let cut_short = text.as_bytes()[..text.len() - 40].to_vec();
    let frames: Vec<TimedFrame> = (1..)
        .zip(spoilt.into_iter().chain([cut_short]))
        .map(|(n, text)| TimedFrame::from_text(n * 1_000_000, &text).expect("a frame"))
        .collect();
    let played = rig::play_frames(frames, &[fields[0].to_owned()], &["H0STCNT0"]);
    assert_eq!(played.rejects().len(), 6, "{:?}", played.rejects());
    assert_eq!(played.trades().len(), 5 * count - 5);
    let first = played.ticks.iter().position(|record| record.market().is_some()).expect("a record");
    cut_and_open(&played, first - 1..=played.ticks.len(), true);
}

#[test]
fn an_engine_on_an_old_journal_goes_on_with_sequences_and_instruments() {
    let stage = Stage::new(sim(2, 600.0, 200.0), FEEDS);
    let dir = stage.dir();
    let mut before = 0;
    let mut instruments = Vec::new();
    for opening in 1..=3 {
        let engine = stage.engine(Leave::WhenStopped);
        assert_eq!((engine.recovery().epoch, engine.recovery().ticks.last_sequence), (opening, before));
        wait_until("trades of this opening", || rig::trades(&read(&dir, Stream::Ticks)[before as usize..]).len() > 20);
        engine.stop();
        engine.join().expect("it ends well");
        let ticks = read(&dir, Stream::Ticks);
        before = ticks.len() as u64;
        let declared: Vec<u32> = ticks
            .iter()
            .filter(|record| record.header().rtype == RType::Instrument as u8)
            .map(|record| record.header().instrument_id)
            .collect();
        if opening == 1 {
            instruments = declared;
        } else {
            assert_eq!(declared, instruments, "known instruments keep their ids and are not declared again");
        }
    }
    assert_eq!(instruments.len(), 2);
    assert_eq!(assert_all_frames_are_decoded(&dir), 0);
    let report = verify(&dir, |_, _, _, _| {}).expect("a journal");
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
}

#[test]
fn a_second_engine_on_a_journal_is_refused_and_told_who_holds_it() {
    let stage = Stage::new(sim(1, 600.0, 50.0), FEEDS);
    let engine = stage.engine(Leave::WhenStopped);
    let second = Engine::start_with(
        &stage.config,
        stage.accounts.clone(),
        Options { market: rig::market(), leave: Leave::WhenStopped },
    );
    let error = second.expect_err("one writer");
    assert!(matches!(&error, EngineError::Journal { source: OpenError::Locked { .. }, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&std::process::id().to_string()) && text.contains("stop it first"), "{text}");
    wait_until("trades", || rig::trades(&read(&stage.dir(), Stream::Ticks)).len() > 5);
    stage.end(engine).assert_nothing_is_lost();
}

#[test]
fn a_journal_that_takes_no_more_ends_the_engine_in_order_with_its_reason_and_nothing_of_raw_is_lost() {
    for placement in [Placement::Fused, Placement::Split] {
        let mut stage = Stage::new(sim(4, 600.0, 4000.0), FEEDS);
        stage.config.journal.segment_mib = 1;
        stage.config.engine.placement = placement;
        let dir = stage.dir();
        let engine = stage.engine(Leave::WhenStopped);
        wait_until("records", || read(&dir, Stream::Ticks).len() > 100);
        // Where the next segments are to be made there is no folder any more: as a full disk, they can't be prepared.
        std::fs::rename(dir.join("ticks"), dir.join("away")).expect("renamed");
        wait_until("the end of the engine", || engine.is_finished());
        let error = engine.join().expect_err("it says why");
        let EngineError::Stopped(stop) = &error else { panic!("{error:?}") };
        assert_eq!((stop.reason, stop.stream, stop.errno), (StopReason::NoSegment, Stream::Ticks, Some(libc::ENOENT)));
        std::fs::rename(dir.join("away"), dir.join("ticks")).expect("renamed");
        let last = read(&dir, Stream::Ticks).pop().expect("records");
        assert!(matches!(last.view(), RecordView::Session(stopped) if stopped.event == SessionEvent::Stopped as u8));
        stage.venue.stop();
        wait_until("the venue's end", || stage.venue.is_finished());
        let engine = stage.engine(Leave::WhenStopped);
        engine.stop();
        engine.join().expect("it ends well");
        assert_all_frames_are_decoded(&dir);
    }
}

/// The configuration of a program of its own, on the stage's venue.
fn program(stage: &Stage, placement: &str) -> Command {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = stage.folder.path();
    let mut config = stage.config.clone();
    let key = &stage.venue.config().app_keys[0];
    let secrets = folder.join("credentials.toml");
    std::fs::write(&secrets, format!("app_key = \"{}\"\napp_secret = \"{}\"\n", key.app_key, key.app_secret))
        .expect("written");
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).expect("for the owner only");
    config.kis.account =
        vec![KisAccount { name: "test".to_owned(), credentials_file: Some(secrets), ..KisAccount::default() }];
    config.engine.placement = if placement == "split" { Placement::Split } else { Placement::Fused };
    let file = folder.join("hoga.toml");
    std::fs::write(&file, toml::to_string(&config).expect("TOML")).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
    command.args(["run", "--json", "--config"]).arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn kill_again_and_again(placement: &str, times: u64) {
    let stage = Stage::new(sim(8, 3600.0, 2000.0), FEEDS);
    let dir = stage.dir();
    for round in 0..times {
        let before = if round == 0 { 0 } else { read(&dir, Stream::Ticks).len() };
        let mut child: Child = program(&stage, placement).spawn().expect("hoga run");
        let grown = || {
            hoga::journal::Tailer::open(&dir, Stream::Ticks, hoga::journal::Start::End)
                .is_ok_and(|tailer| tailer.next_sequence() > before as u64 + 200 + 137 * (round % 7))
        };
        wait_until("records of this round", grown);
        child.kill().expect("SIGKILL");
        child.wait().expect("it is dead");
        let report = verify(&dir, |_, _, _, _| {}).expect("a journal");
        assert_ne!(report.state, Verdict::Corrupt, "{report:?}");
    }
    let engine = stage.engine(Leave::WhenStopped);
    assert_eq!(engine.recovery().epoch, times + 1);
    let played = stage.end(engine);
    assert_all_frames_are_decoded(&played.dir);
    assert_eq!(verify(&played.dir, |_, _, _, _| {}).expect("a journal").state, Verdict::Clean);
    assert_eq!(played.summary.get(Counter::Rejects), 0);
}

#[test]
fn a_process_killed_again_and_again_loses_no_frame_with_all_stages_on_one_thread() {
    kill_again_and_again("fused", if rig::policy::is_long() { 25 } else { 3 });
}

#[test]
fn a_process_killed_again_and_again_loses_no_frame_with_a_thread_for_each_stage() {
    kill_again_and_again("split", if rig::policy::is_long() { 25 } else { 2 });
}

#[test]
fn the_prefixes_are_where_this_test_blanks_them() {
    assert_eq!(std::mem::offset_of!(Header, flags), 28);
    assert_eq!(std::mem::offset_of!(hoga::tick::Market, decoded_ns), 24);
    assert_eq!(MARKET_PREFIX_BYTES, 48);
}
