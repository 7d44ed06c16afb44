//! What the engine does when the disk fills, is slow, or fails: it says so in time, ends in order with the reason as its
//! last record, and nothing that was taken is lost or doubled.
//!
//! Method: a simulated venue, and a small tmpfs or ext4 of its own (needs root) that recording fills; or the true program
//! under strace, which makes the allocation of segments slow or fail. Skipped with a message where these can't be had.

mod rig;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hoga::clock::MarketClock;
use hoga::config::{EngineSection, KisAccount, Placement};
use hoga::engine::{Engine, EngineError, Options, Stop};
use hoga::feed::kis::session::Leave;
use hoga::journal::{Durability, Journal, JournalConfig, SegmentReader, Start, Stream, Tailer, Verdict, verify};
use hoga::tick::{Session, SessionEvent, StopReason};
use kis_sim::{SimConfig, TimedFrame};
use rig::compare::{assert_all_frames_are_decoded, compare_received};
use rig::disk::{Disk, Kind, Running, ail, ail_at, has_strace, heal, under_strace};
use rig::ledger::Ledger;
use rig::{Record, Stage, read, reference, sessions, sim, wait_until};
use serde_json::Value;

const FEEDS: &[&str] = &["H0STCNT0", "H0STASP0"];

/// A busy venue and a journal of small segments on that disk.
fn stage(disk: &Disk, placement: Placement) -> Stage {
    let mut stage = Stage::new(sim(8, 600.0, 8_000.0), FEEDS);
    stage.config.journal.dir = disk.root.join("journal");
    stage.config.journal.segment_mib = 2;
    stage.config.journal.low_space_mib = 6;
    stage.config.engine.placement = placement;
    stage
}

/// What the engine ended with by itself.
fn stopped(engine: Engine) -> Box<Stop> {
    wait_until("the engine's end", || engine.is_finished());
    match engine.join() {
        Err(EngineError::Stopped(stop)) => stop,
        other => panic!("it stops by itself: {other:?}"),
    }
}

fn place(ticks: &[Record], event: SessionEvent) -> usize {
    let is_event = |record: &Record| sessions(std::slice::from_ref(record)).iter().any(|s| s.event == event as u8);
    ticks.iter().position(is_event).unwrap_or_else(|| panic!("{} is journaled", event.name()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn assert_last_is_stopped(ticks: &[Record], reason: StopReason) -> Session {
    let last = sessions(&ticks[ticks.len() - 1..]).pop().expect("the last record is a session's");
    assert_eq!((last.event, last.reason), (SessionEvent::Stopped as u8, reason as u8), "{}", text(&last.text));
    last
}

/// Both streams are there, clean and closed.
fn assert_closed(dir: &Path) {
    let report = verify(dir, |_, _, _, _| {}).expect("a journal");
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    assert!(report.streams.iter().all(|(_, stream)| !stream.open && !stream.live), "closed: {report:?}");
}

/// Ends the venue; how many connections ended by the closing handshake, and what it had sent.
fn end_venue(stage: Stage) -> (u64, Ledger, tempfile::TempDir) {
    stage.venue.stop();
    wait_until("the venue's end", || stage.venue.is_finished());
    let closed = stage.venue.join().closed_cleanly;
    (closed, Ledger::read(&stage.folder.path().join("ledger")), stage.folder)
}

fn record_until_full(kind: Kind, placement: Placement) {
    let Some(disk) = Disk::mount(kind, 32) else { return };
    let ballast = disk.fill_but(18);
    let stage = stage(&disk, placement);
    let dir = stage.dir();
    let config = stage.config.clone();
    let accounts = stage.accounts.clone();
    let stop = stopped(stage.engine(Leave::WhenStopped));
    assert_eq!((stop.reason, stop.errno), (StopReason::NoSegment, Some(libc::ENOSPC)), "{stop}");
    assert!(stop.to_string().contains("No space left on device") && stop.close_error.is_none(), "{stop}");

    let ticks = read(&dir, Stream::Ticks);
    let last = assert_last_is_stopped(&ticks, StopReason::NoSegment);
    assert_eq!((text(&last.code).as_str(), last.value), (stop.stream.name(), stop.left_out));
    let (low, no_segment) = (place(&ticks, SessionEvent::LowSpace), place(&ticks, SessionEvent::NoSegment));
    // How much fits behind the failure depends on when the helper got to the disk.
    assert!(low + 2000 < ticks.len() && low < no_segment, "{low}, {no_segment} of {}", ticks.len());
    let disconnected = place(&ticks, SessionEvent::Disconnected);
    assert!(disconnected > no_segment, "the line was closed behind it");
    assert_closed(&dir);

    // Started again without room it says so and takes no more.
    let rest = disk.fill_up();
    let start =
        || Engine::start_with(&config, accounts.clone(), Options { market: rig::market(), leave: Leave::WhenStopped });
    let refused = start().expect_err("no room").to_string();
    assert!(refused.contains("No space left on device"), "{refused}");
    let (closed, ledger, _folder) = end_venue(stage);
    assert_eq!(closed, 1, "by the closing handshake");

    // With room it goes on where it was; frames that only stream `raw` had are decoded.
    std::fs::remove_file(&ballast).expect("room");
    std::fs::remove_file(&rest).expect("room");
    let engine = start().expect("an engine");
    engine.stop();
    engine.join().expect("it ends well");
    assert_all_frames_are_decoded(&dir);
    let compared = compare_received(&ledger, &dir);
    assert!(compared.frames > 1000 && compared.records >= compared.frames, "{compared:?}");
    // The venue goes on for as long as our Close is under way, but no longer.
    let missing = ledger.frames_total() as u64 - compared.frames;
    assert!(missing <= stop.left_out + 4000, "{missing} of {} are missing", ledger.frames_total());
    assert_closed(&dir);
}

#[test]
fn a_full_tmpfs_ends_the_recording_in_order_with_all_stages_on_one_thread() {
    record_until_full(Kind::Tmpfs, Placement::Fused);
}

#[test]
fn a_full_tmpfs_ends_the_recording_in_order_with_a_thread_for_each_stage() {
    record_until_full(Kind::Tmpfs, Placement::Split);
}

#[test]
fn a_full_ext4_ends_the_recording_in_order_with_all_stages_on_one_thread() {
    record_until_full(Kind::Ext4, Placement::Fused);
}

#[test]
fn a_full_ext4_ends_the_recording_in_order_with_a_thread_for_each_stage() {
    record_until_full(Kind::Ext4, Placement::Split);
}

#[test]
fn room_made_in_time_lets_the_recording_go_on() {
    let Some(disk) = Disk::mount(Kind::Tmpfs, 64) else { return };
    let mut stage = stage(&disk, Placement::Fused);
    // Some 12 MiB a second at most would be too fast to make room by hand.
    stage.config.journal.segment_mib = 4;
    stage.config.journal.low_space_mib = 20;
    let ballast = disk.fill_but(20);
    let dir = stage.dir();
    let engine = stage.engine(Leave::WhenStopped);
    let has =
        |event: SessionEvent| sessions(&rig::try_read(&dir, Stream::Ticks)).iter().any(|s| s.event == event as u8);
    wait_until("the warning", || has(SessionEvent::LowSpace) && has(SessionEvent::NoSegment));
    std::fs::remove_file(&ballast).expect("room");
    wait_until("the all-clear", || has(SessionEvent::SpaceReturned) && has(SessionEvent::SegmentReturned));
    let before = read(&dir, Stream::Ticks).len();
    wait_until("more records", || read(&dir, Stream::Ticks).len() > before + 500);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Stopped).len(), 0);
    played.assert_nothing_is_lost();
    assert_closed(&played.dir);
}

/// The trading date of the newest segment in use.
fn newest_date(dir: &Path, stream: Stream) -> u32 {
    let mut newest = 0;
    for ordinal in 1..100 {
        let path = dir.join(stream.name()).join(format!("{ordinal:010}.seg"));
        let Ok(segment) = SegmentReader::open(&path) else { break };
        let header = segment.checked_header(stream, ordinal).expect("a header");
        newest = header.activation.map_or(newest, |activation| activation.trading_date);
    }
    newest
}

#[test]
fn a_day_that_begins_without_a_segment_begins_when_there_is_one() {
    let Some(disk) = Disk::mount(Kind::Tmpfs, 32) else { return };
    let market_start = jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0);
    let sample = rig::play(SimConfig { market_start, ..sim(3, 0.4, 300.0) }, &["H0STCNT0"]);
    let frame = &sample.ledger.frames.values().next().expect("a connection")[0];
    // More than a segment at once, then a few a second.
    let times = (0..2200).map(|_| 0).chain((1..400).map(|n| n * 20_000_000_u64));
    let frames: Vec<TimedFrame> = times.map(|at| TimedFrame::from_text(at, frame).expect("a frame")).collect();
    let key = text(frame).split('|').nth(3).expect("fields").split('^').next().expect("a key").to_owned();
    let mut stage = Stage::with_frames(frames, &[key], &["H0STCNT0"]);
    stage.config.journal.dir = disk.root.join("journal");
    stage.config.journal.segment_mib = 1;
    stage.config.journal.low_space_mib = 0;
    // Room for two segments of each stream and the rest, not for three.
    let ballast = disk.fill_but(6);
    // The trading day begins at seven.
    let seven = reference::kst_ns(reference::MARKET_DATE, 7 * 3600);
    let wall_ns = hoga::clock::wall_ns();
    let begins = Duration::from_millis(2500);
    let market =
        MarketClock { anchor_wall_ns: wall_ns, anchor_market_ns: seven - begins.as_nanos() as u64, scale: 1.0 };
    let dir = stage.dir();
    let options = Options { market, leave: Leave::WhenStopped };
    let engine = Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine");
    let started = Instant::now();
    let before = newest_date(&dir, Stream::Ticks);
    wait_until("the want of a segment", || {
        sessions(&read(&dir, Stream::Ticks)).iter().any(|session| session.event == SessionEvent::NoSegment as u8)
    });
    wait_until("the new day", || started.elapsed() > begins + Duration::from_millis(500));
    assert!(!engine.is_finished(), "the want of a segment is no reason to end while there is room");
    std::fs::remove_file(&ballast).expect("room");
    for stream in [Stream::Ticks, Stream::Raw] {
        wait_until("the day's segment", || newest_date(&dir, stream) == reference::MARKET_DATE);
    }
    assert_ne!(before, reference::MARKET_DATE);
    engine.stop();
    engine.join().expect("it ends well");
    assert_all_frames_are_decoded(&dir);
    assert_closed(&dir);
}

/// The configuration of a program of its own, with small segments.
fn write_config(stage: &Stage, slow_disk_seconds: u64) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let mut config = stage.config.clone();
    let key = &stage.venue.config().app_keys[0];
    let secrets = stage.folder.path().join("credentials.toml");
    std::fs::write(&secrets, format!("app_key = \"{}\"\napp_secret = \"{}\"\n", key.app_key, key.app_secret))
        .expect("written");
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).expect("for the owner only");
    config.kis.account =
        vec![KisAccount { name: "test".to_owned(), credentials_file: Some(secrets), ..KisAccount::default() }];
    config.journal.segment_mib = 1;
    config.journal.slow_disk_seconds = slow_disk_seconds;
    config.engine = EngineSection { max_instruments: 64, max_message_kib: 64, ..config.engine };
    let file = stage.folder.path().join("hoga.toml");
    std::fs::write(&file, toml::to_string(&config).expect("TOML")).expect("written");
    file
}

fn committed(dir: &Path) -> u64 {
    Tailer::open(dir, Stream::Ticks, Start::End).map_or(0, |tailer| tailer.next_sequence() - 1)
}

fn hoga() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hoga"))
}

fn spawn(mut command: Command) -> Running {
    Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a program"))
}

/// `hoga run` on the stage's venue.
fn run(stage: &Stage, slow_disk_seconds: u64) -> Running {
    let mut command = Command::new(hoga());
    command.args(["run", "--json", "--config"]).arg(write_config(stage, slow_disk_seconds));
    let child = spawn(command);
    wait_until("records", || committed(&stage.dir()) > 50);
    child
}

/// Stops the recorder of a journal as an operator would.
fn interrupt(dir: &Path) {
    let pid = std::fs::read_to_string(dir.join("lock")).expect("the writer's number");
    let sent = Command::new("kill").args(["-s", "INT", pid.trim()]).status().expect("kill");
    assert!(sent.success());
}

/// Waits for a program's end: its status, what it said on stderr, and the last line of stdout.
fn end(mut child: Running) -> (ExitStatus, String, Value) {
    let mut pipes = (child.0.stdout.take().expect("stdout"), child.0.stderr.take().expect("stderr"));
    let errors = std::thread::spawn(move || std::io::read_to_string(&mut pipes.1).expect("text"));
    let output = std::thread::spawn(move || std::io::read_to_string(&mut pipes.0).expect("text"));
    wait_until("the program's end", || child.0.try_wait().expect("its status").is_some());
    let (errors, stdout) = (errors.join().expect("text"), output.join().expect("text"));
    let said = stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
    (child.0.wait().expect("its status"), errors, said)
}

/// Every frame in stream `raw` became its records, and of each connection what is there is what was sent, from the first.
fn assert_nothing_is_lost(ledger: &Ledger, dir: &Path) {
    use hoga::tick::RecordView;
    assert_all_frames_are_decoded(dir);
    let frames: Vec<Vec<u8>> = read(dir, Stream::Raw)
        .iter()
        .filter_map(|record| match record.view() {
            RecordView::Raw(_, payload) if payload.first() == Some(&b'0') => Some(payload.to_vec()),
            _ => None,
        })
        .collect();
    let sent = &ledger.frames[&1];
    assert!(!frames.is_empty() && frames.len() <= sent.len());
    assert!(frames.iter().eq(&sent[..frames.len()]), "frame for frame");
}

fn stat(dir: &Path) -> Value {
    let stat = Command::new(hoga()).arg("stat").arg(dir).args(["--once", "--json"]).output().expect("hoga stat");
    serde_json::from_slice(&stat.stdout).expect("JSON")
}

#[test]
fn a_disk_that_is_late_with_segments_makes_the_lines_wait_and_loses_nothing() {
    if !has_strace() {
        return;
    }
    let stage = Stage::new(sim(8, 600.0, 4000.0), FEEDS);
    let dir = stage.dir();
    let child = run(&stage, 30);
    let _strace = ail(child.0.id(), "fallocate:delay_enter=1200ms");
    wait_until("a stall", || dir.join("metrics").exists() && stat(&dir)["counters"]["roll_stalls"].as_u64() >= Some(1));
    let before = committed(&dir);
    wait_until("records behind it", || committed(&dir) > before + 2000);
    interrupt(&dir);
    let (output, errors, said) = end(child);
    assert_eq!((output.code(), &said["stopped"]), (Some(0), &Value::Null), "{errors}");
    let (_, ledger, _folder) = end_venue(stage);
    assert_nothing_is_lost(&ledger, &dir);
    assert_closed(&dir);
}

#[test]
fn a_disk_that_hangs_ends_the_recording_in_order_after_the_time_configured() {
    if !has_strace() {
        return;
    }
    let stage = Stage::new(sim(8, 600.0, 4000.0), FEEDS);
    let dir = stage.dir();
    let child = run(&stage, 1);
    let _strace = ail(child.0.id(), "fallocate:delay_enter=4000ms");
    let (output, errors, said) = end(child);
    assert_eq!((output.code(), &said["stopped"]["reason"]), (Some(1), &"slow_disk".into()), "{errors}");
    assert!(errors.contains("is late") && !errors.contains("panicked"), "{errors}");
    assert_last_is_stopped(&read(&dir, Stream::Ticks), StopReason::SlowDisk);
    let (closed, ledger, _folder) = end_venue(stage);
    assert_eq!(closed, 1, "by the closing handshake");
    assert_nothing_is_lost(&ledger, &dir);
    assert_closed(&dir);
}

#[test]
fn frames_that_found_no_room_in_ticks_before_the_end_are_decoded_at_the_next_start() {
    if !has_strace() {
        return;
    }
    let mut stage = Stage::new(sim(8, 600.0, 6000.0), FEEDS);
    stage.config.engine.placement = Placement::Split;
    let dir = stage.dir();
    let child = run(&stage, 2);
    // The rings fill with more than the last segment of `ticks` has room for, while `raw` goes on.
    let segments: Vec<PathBuf> = (2..40).map(|n| dir.join("ticks").join(format!("{n:010}.seg.tmp"))).collect();
    let _strace = ail_at(child.0.id(), "fallocate:delay_enter=8000ms", &segments);
    let (status, errors, said) = end(child);
    assert_eq!((status.code(), &said["stopped"]["reason"]), (Some(1), &"slow_disk".into()), "{errors}");
    assert_eq!(said["stopped"]["is_unfinished"], true, "{said}");
    assert!(errors.contains("in stream raw alone"), "{errors}");
    assert_last_is_stopped(&read(&dir, Stream::Ticks), StopReason::SlowDisk);
    assert_closed(&dir);
    let before = read(&dir, Stream::Ticks).len();

    let engine = stage.engine(Leave::WhenStopped);
    engine.stop();
    engine.join().expect("it ends well");
    assert!(read(&dir, Stream::Ticks).len() > before + 500);
    let (_, ledger, _folder) = end_venue(stage);
    assert_nothing_is_lost(&ledger, &dir);
    assert_closed(&dir);
}

#[test]
fn pages_that_cannot_be_had_end_their_segment_before_the_writer_gets_there() {
    if !has_strace() {
        return;
    }
    let stage = Stage::new(sim(8, 600.0, 4000.0), FEEDS);
    let dir = stage.dir();
    let child = run(&stage, 30);
    // As a file system says that copies on write and is full.
    let strace = ail(child.0.id(), "madvise:error=EFAULT");
    let ended_early = |stream: Stream| {
        (1..60).any(|ordinal| {
            let path = dir.join(stream.name()).join(format!("{ordinal:010}.seg"));
            let Ok(segment) = SegmentReader::open(&path) else { return false };
            let Ok(header) = segment.checked_header(stream, ordinal) else { return false };
            let walked = header.activation.map(|_| hoga::journal::walk(&segment, &header, false, |_, _, _| {}));
            walked.is_some_and(|walked| walked.ended && walked.position < segment.len() / 2)
        })
    };
    wait_until("a segment ended early", || ended_early(Stream::Ticks) || ended_early(Stream::Raw));
    heal(strace);
    let before = committed(&dir);
    wait_until("records behind it", || committed(&dir) > before + 3000);
    interrupt(&dir);
    let (status, errors, _) = end(child);
    assert_eq!(status.code(), Some(0), "{errors}");
    let (_, ledger, _folder) = end_venue(stage);
    assert_nothing_is_lost(&ledger, &dir);
    assert_closed(&dir);
}

#[test]
fn a_disk_that_fails_now_and_then_is_told_and_tried_again() {
    if !has_strace() {
        return;
    }
    let stage = Stage::new(sim(8, 600.0, 2000.0), FEEDS);
    let dir = stage.dir();
    let child = run(&stage, 30);
    let strace = ail(child.0.id(), "fallocate:error=EIO");
    let has =
        |event: SessionEvent| sessions(&rig::try_read(&dir, Stream::Ticks)).iter().any(|s| s.event == event as u8);
    wait_until("the failure", || has(SessionEvent::NoSegment));
    heal(strace);
    wait_until("the all-clear", || has(SessionEvent::SegmentReturned));
    let before = committed(&dir);
    wait_until("records behind it", || committed(&dir) > before + 500);
    interrupt(&dir);
    let (output, errors, _) = end(child);
    assert_eq!(output.code(), Some(0), "{errors}");
    assert!(errors.contains("Input/output error"), "{errors}");
    let (_, ledger, _folder) = end_venue(stage);
    assert_nothing_is_lost(&ledger, &dir);
    assert_closed(&dir);
}

#[test]
fn a_disk_that_fails_for_good_ends_the_recording_in_order() {
    if !has_strace() {
        return;
    }
    let stage = Stage::new(sim(8, 600.0, 4000.0), FEEDS);
    let dir = stage.dir();
    let child = run(&stage, 30);
    let _strace = ail(child.0.id(), "fallocate:error=EIO");
    let (output, errors, said) = end(child);
    assert_eq!(output.code(), Some(1), "{errors}");
    assert_eq!((&said["stopped"]["reason"], &said["stopped"]["errno"]), (&"no_segment".into(), &libc::EIO.into()));
    assert!(errors.contains("recording stopped") && errors.contains("Input/output error"), "{errors}");
    assert_last_is_stopped(&read(&dir, Stream::Ticks), StopReason::NoSegment);
    let (_, ledger, _folder) = end_venue(stage);
    assert_nothing_is_lost(&ledger, &dir);
    assert_closed(&dir);
}

#[test]
fn a_sync_that_fails_now_and_then_is_told_and_one_that_fails_for_good_ends_the_recording() {
    if !has_strace() {
        return;
    }
    for for_good in [false, true] {
        let mut stage = Stage::new(sim(8, 600.0, 1000.0), FEEDS);
        stage.config.journal.durability = Durability::Periodic(Duration::from_millis(50));
        let dir = stage.dir();
        let child = run(&stage, 30);
        let strace = ail(child.0.id(), "msync:error=EIO");
        let has =
            |event: SessionEvent| sessions(&rig::try_read(&dir, Stream::Ticks)).iter().any(|s| s.event == event as u8);
        wait_until("the failure", || has(SessionEvent::SyncFailing));
        if for_good {
            let (status, errors, said) = end(child);
            assert_eq!((status.code(), &said["stopped"]["reason"]), (Some(1), &"sync_failed".into()), "{errors}");
            assert!(errors.contains("could not be synced: Input/output error"), "{errors}");
        } else {
            heal(strace);
            wait_until("the all-clear", || has(SessionEvent::SyncReturned));
            interrupt(&dir);
            let (status, errors, _) = end(child);
            assert_eq!(status.code(), Some(0), "{errors}");
            assert_closed(&dir);
        }
        let (_, ledger, _folder) = end_venue(stage);
        assert_ne!(verify(&dir, |_, _, _, _| {}).expect("a journal").state, Verdict::Corrupt);
        drop(Journal::open(&dir, JournalConfig::with_segment_bytes(1 << 20)).expect("it opens again"));
        assert!(!ledger.frames.is_empty() && committed(&dir) > 50);
    }
}

#[test]
fn a_file_system_that_cannot_allocate_gets_segments_that_are_written_out() {
    use std::os::unix::fs::MetadataExt as _;
    if !has_strace() {
        return;
    }
    let stage = Stage::new(sim(8, 600.0, 2000.0), FEEDS);
    let dir = stage.dir();
    let mut command = under_strace(hoga(), "fallocate:error=EOPNOTSUPP");
    command.args(["run", "--json", "--config"]).arg(write_config(&stage, 30));
    let child = spawn(command);
    wait_until("records", || committed(&dir) > 500);
    let mut files = vec![dir.join("metrics")];
    for stream in ["ticks", "raw"] {
        files.extend(["control", "0000000001.seg", "0000000002.seg"].map(|name| dir.join(stream).join(name)));
    }
    for path in files.iter().filter(|path| path.exists()) {
        let facts = std::fs::metadata(path).expect("a file");
        assert!(facts.blocks() * 512 >= facts.len(), "{} is sparse", path.display());
    }
    interrupt(&dir);
    let (output, errors, _) = end(child);
    assert_eq!(output.code(), Some(0), "{errors}");
    assert_closed(&dir);
}

#[test]
fn the_program_ends_with_status_1_and_a_message_when_its_disk_is_full() {
    let Some(disk) = Disk::mount(Kind::Tmpfs, 20) else { return };
    let demo = |journal: &str, mib: &str| {
        let mut command = Command::new(hoga());
        command.args([
            "demo",
            "--seconds",
            "60",
            "--rate",
            "12000",
            "--symbols",
            "20",
            "--segment-mib",
            mib,
            "--journal",
        ]);
        command.arg(disk.root.join(journal));
        end(spawn(command))
    };
    let (output, errors, _) = demo("large", "64");
    assert_eq!(output.code(), Some(1), "{errors}");
    assert!(errors.contains("No space left on device") && !errors.contains("panicked"), "{errors}");
    std::fs::remove_dir_all(disk.root.join("large")).expect("removed");

    let (output, errors, _) = demo("small", "3");
    assert_eq!(output.code(), Some(1), "{errors}");
    assert!(errors.contains("recording stopped") && errors.contains("No space left on device"), "{errors}");
    let dir = disk.root.join("small");
    assert_last_is_stopped(&read(&dir, Stream::Ticks), StopReason::NoSegment);
    assert_closed(&dir);
    let said = stat(&dir);
    assert_eq!(said["disk"]["state"], "no_segment", "{said}");
    assert!(said["disk"]["streams"][0]["free_bytes"].as_u64() < Some(20 << 20), "{said}");
}
