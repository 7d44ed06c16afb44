//! Secrets never reach the journal's folder, a log or an error: app key, app secret, approval keys, and the vectors and
//! keys of encrypted feeds that answers carry.
//!
//! Method: a venue that says all of them, in answers, in refusals that echo, in broken JSON, in messages of no known
//! kind and in encrypted frames; then every file of the journal is searched for their bytes. An approval key is not known
//! to the test, but it is a UUID, and nothing else in a journal is written as one.

mod rig;
mod traces;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hoga::config::{KisAccount, Placement};
use hoga::feed::kis::account::NoticesSection;
use hoga::feed::kis::session::Leave;
use hoga::journal::Stream;
use hoga::tick::{Flags, RecordView, RejectReason, SessionEvent, tr_name};
use kis_sim::{
    AppKey, At, Chaos, Fault, FaultSpec, IterSource, OpenWhen, RestFault, RestFaultSpec, Script, SimConfig, Target,
    TimedFrame, Venue,
};
use rig::{Record, Stage, read, sessions, sim, wait_until};

/// All files below a folder, but the ledger.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("a file")));
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == part[0]) {
        if rest[at..].starts_with(part) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Whether 8-4-4-4-12 hexadecimal digits stand somewhere.
fn has_uuid(bytes: &[u8]) -> bool {
    let is_uuid = |text: &[u8]| {
        text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let dashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'-').map(|(at, _)| at);
    dashes.filter_map(|at| bytes.get(at.checked_sub(8)?..at + 28)).any(is_uuid)
}

fn assert_no_secret(journal: &Path, key: &AppKey) {
    let mut found = Vec::new();
    files(journal, &mut found);
    assert!(found.len() >= 4, "a journal has files");
    for (name, bytes) in &found {
        for secret in [&key.app_key, &key.app_secret] {
            assert!(!contains(bytes, secret.as_bytes()), "{name} holds app key or secret");
        }
        assert!(!has_uuid(bytes), "{name} holds an approval key");
    }
}

/// Tokens and approval keys in a folder of keys.
fn kept_keys(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    files(folder, &mut found);
    let kept = found.iter().filter_map(|(_, bytes)| serde_json::from_slice::<serde_json::Value>(bytes).ok());
    let values = kept.flat_map(|kept| [&kept["token"]["value"], &kept["approval"]["value"]].map(Clone::clone));
    let values: Vec<String> =
        values.filter_map(|value| value.as_str().filter(|value| !value.is_empty()).map(str::to_owned)).collect();
    assert!(!values.is_empty(), "a run keeps the keys it was given");
    values
}

/// Answers in stream `raw` whose fields `iv` and `key` are overwritten.
fn overwritten(raw: &[Record]) -> usize {
    let hidden = |record: &&Record| {
        let RecordView::Raw(_, payload) = record.view() else { return false };
        let text = String::from_utf8_lossy(payload).replace(' ', "");
        let Some((_, iv)) = text.split_once("\"iv\":\"") else { return false };
        let (_, key) = text.split_once("\"key\":\"").expect("the key stands beside it");
        assert!(iv.starts_with("****") && key.starts_with("****"), "{text}");
        record.has_flag(Flags::REDACTED)
    };
    raw.iter().filter(hidden).count()
}

#[test]
fn the_search_finds_what_it_looks_for() {
    assert!(has_uuid(b"x 01234567-89ab-cdef-0123-456789abcdef") && !has_uuid(b"2026-11-20 - 01234567-89ab"));
    assert!(contains(b"aab", b"ab") && !contains(b"aa", b"ab"));
}

#[test]
fn answers_and_refusals_that_echo_the_approval_key_leave_no_trace_of_it() {
    let reset = FaultSpec { at: At::Frame(60), connection: Target::All, fault: Fault::Rst };
    let stage = Stage::new(SimConfig { faults: vec![reset], ..sim(2, 600.0, 100.0) }, &["H0STCNT0"]);
    let (dir, key) = (stage.dir(), stage.venue.config().app_keys[0].clone());
    let engine = stage.engine(Leave::WhenStopped);
    let acked =
        |ticks: &[Record]| sessions(ticks).iter().filter(|session| session.event == SessionEvent::Acked as u8).count();
    wait_until("registrations", || acked(&read(&dir, Stream::Ticks)) >= 2);
    stage.venue.expire_approval_keys();
    wait_until("the refusal", || {
        sessions(&read(&dir, Stream::Ticks)).iter().any(|session| session.code.starts_with(b"OPSP0011"))
    });
    let played = stage.end(engine);
    assert!(overwritten(&played.raw) >= 2);
    assert_no_secret(&played.dir, &key);
}

fn hostile(placement: Placement, raw: bool) {
    let keys = AppKey::generate(1);
    let (app, secret) = (&keys[0].app_key, &keys[0].app_secret);
    let texts = [
        format!(
            "{{\"header\":{{\"tr_id\":\"(null)\"}},\"body\":{{\"rt_cd\":\"1\",\"msg_cd\":\"OPSP9994\",\"msg1\":\"INVALID appkey {app}\"}}}}"
        ),
        format!("{{\"header\":{{\"tr_id\":\"(null)\"}},\"body\":{{\"msg1\":\"{secret}\""),
        format!("{{\"unheard of\":\"{app}\",\"secret\":\"{secret}\"}}"),
        format!("neither data nor JSON: {app} {secret}"),
        format!("1|H0STCNI0|001|{app}^{secret}"),
        format!("1{secret}"),
    ];
    let frame = |(n, text): (u64, &String)| TimedFrame {
        at_ns: n * 1_000_000,
        tr_id: "H0STCNT0".to_owned(),
        tr_key: "000001".to_owned(),
        records: 0,
        text: text.clone().into_bytes(),
    };
    let frames: Vec<TimedFrame> = (1..).zip(&texts).map(frame).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let sim = SimConfig { open_when: OpenWhen::Registrations { count: 1 }, ..sim(1, 1.0, 1.0) };
    let venue = Venue::start_with(sim, Box::new(IterSource(frames.into_iter()))).expect("a venue");
    let names = ["000001".to_owned()];
    let mut config = rig::config(folder.path(), &venue.rest_url(), &venue.ws_url(), &names, &["H0STCNT0"], 1);
    config.engine.placement = placement;
    config.journal.raw = raw;
    let options = hoga::engine::Options { market: rig::market(), leave: Leave::WhenClosed };
    let engine = hoga::engine::Engine::start_with(&config, rig::accounts(&keys), options).expect("an engine");
    wait_until("the venue's end", || venue.is_finished() && engine.is_finished());
    let summary = engine.join().expect("it ends well");
    for reason in [RejectReason::BadJson, RejectReason::Encrypted] {
        assert!(summary.counters.rejects(reason) >= 1, "{} was met", reason.name());
    }
    assert_eq!(venue.join().counts.frames_sent, texts.len() as u64);
    assert_no_secret(&config.journal.dir, &keys[0]);
}

#[test]
fn messages_that_cannot_be_read_are_rejected_without_their_secrets() {
    hostile(Placement::Fused, true);
}

#[test]
fn so_they_are_with_a_thread_for_each_stage() {
    hostile(Placement::Split, true);
}

#[test]
fn so_they_are_without_stream_raw() {
    hostile(Placement::Fused, false);
}

/// Appends the configuration of a stage, whose secrets stand in the environment.
fn recorder<'a>(stage: &Stage, key: &AppKey, command: &'a mut Command) -> &'a mut Command {
    let mut config = stage.config.clone();
    let env = |name: &str| Some(name.to_owned());
    config.kis.account = vec![KisAccount {
        name: "a".to_owned(),
        app_key_env: env("TEST_KEY"),
        app_secret_env: env("TEST_SECRET"),
        ..KisAccount::default()
    }];
    let file = stage.folder.path().join("hoga.toml");
    std::fs::write(&file, toml::to_string(&config).expect("TOML")).expect("written");
    command.arg("--config").arg(&file).env("TEST_KEY", &key.app_key).env("TEST_SECRET", &key.app_secret);
    command.stdout(Stdio::piped()).stderr(Stdio::piped())
}

#[test]
fn a_recorder_that_crashes_leaves_no_core_file_of_its_memory() {
    let stage = Stage::new(SimConfig { open_when: OpenWhen::Immediately, ..sim(2, 600.0, 200.0) }, &["H0STCNT0"]);
    let key = stage.venue.config().app_keys[0].clone();
    // Somebody who wants core files of everything.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_hoga"), "run"]);
    let child = recorder(&stage, &key, &mut command).current_dir(stage.folder.path()).spawn().expect("hoga run");
    let dir = stage.dir();
    wait_until("trades", || dir.join("raw").is_dir() && rig::try_read(&dir, Stream::Ticks).len() > 20);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("its limits");
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");
    let sent = Command::new("kill").args(["-s", "ABRT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let status = child.wait_with_output().expect("its output").status;
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

#[test]
fn the_most_talkative_log_shows_no_secret() {
    let refused = |n, code: &str| FaultSpec {
        at: At::Registration(n),
        connection: Target::All,
        fault: Fault::Refuse { code: code.to_owned() },
    };
    let faults = vec![refused(1, "OPSP0008"), refused(2, "OPSP9993")];
    let open_when = OpenWhen::Registrations { count: 2 };
    let stage = Stage::new(SimConfig { faults, open_when, ..sim(4, 600.0, 200.0) }, &["H0STCNT0"]);
    let key = stage.venue.config().app_keys[0].clone();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
    let child = recorder(&stage, &key, command.arg("run")).env("HOGA_LOG", "trace").spawn().expect("hoga run");
    let dir = stage.dir();
    wait_until("trades", || dir.join("raw").is_dir() && rig::try_read(&dir, Stream::Ticks).len() > 20);
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success());
    let kept = kept_keys(&stage.folder.path().join("keys"));
    for text in [&output.stdout, &output.stderr] {
        for secret in [&key.app_key, &key.app_secret].into_iter().chain(&kept) {
            assert_eq!(traces::trace_of(text, secret), None);
        }
        assert!(!has_uuid(text), "{}", String::from_utf8_lossy(text));
    }
    assert!(contains(&output.stderr, b"OPSP0008"), "the log tells of refusals");
    assert_no_secret(&dir, &key);
}

/// Runs the program and gives both its outputs.
fn shown(args: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_hoga")).args(args).stdin(Stdio::null()).output().expect("hoga");
    [output.stdout, output.stderr].concat()
}

#[test]
fn a_run_in_which_everything_goes_wrong_leaves_no_secret_anywhere() {
    const HTS_ID: &str = "hts-id-of-nobody";
    let key = AppKey::generate(1).remove(0);
    let echo = RestFault::Refuse {
        status: 403,
        code: "EGW00002".to_owned(),
        text: format!("{} and {}", key.app_key, key.app_secret),
    };
    let approval = |from, fault| RestFaultSpec { path: "Approval".to_owned(), from, times: 1, fault };
    // The program lives in real time: noon of today is nearer to now than that of any other day.
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let mut sim = SimConfig {
        rest_faults: vec![approval(1, echo), approval(4, RestFault::Page { status: 502 })],
        chaos: Some(Chaos { every_s: 5.0, ..Chaos::default() }),
        market_start: now.date().at(12, 0, 0, 0),
        open_when: OpenWhen::Immediately,
        ..sim(3, f64::INFINITY, 300.0)
    };
    for name in ["key_echoed", "wrong_hts_id", "several_records"] {
        Script::find(name).expect("a trouble").apply(&mut sim);
    }
    let stage = Stage::new(sim, &["H0STCNT0", "H0STASP0"]);
    let mut config = stage.config.clone();
    // What the program is told by hand stands in a folder of its own.
    let told = stage.folder.path().join("told");
    std::fs::create_dir(&told).expect("a folder");
    let credentials = told.join("credentials.toml");
    std::fs::write(&credentials, format!("app_key = \"{}\"\napp_secret = \"{}\"\n", key.app_key, key.app_secret))
        .expect("written");
    let hts_id = told.join("hts_id");
    std::fs::write(&hts_id, format!("{HTS_ID}\n")).expect("written");
    for secret in [&credentials, &hts_id] {
        std::fs::set_permissions(secret, Permissions::from_mode(0o600)).expect("for the owner only");
    }
    config.kis.notices = Some(NoticesSection { hts_id_file: Some(hts_id), ..NoticesSection::default() });
    config.kis.account =
        vec![KisAccount { name: "a".to_owned(), credentials_file: Some(credentials), ..KisAccount::default() }];
    let file = told.join("hoga.toml");
    std::fs::write(&file, toml::to_string(&config).expect("TOML")).expect("written");
    let home = stage.folder.path().join("home");
    std::fs::create_dir(&home).expect("a folder");
    let child = Command::new(env!("CARGO_BIN_EXE_hoga"))
        .args(["run", "--json", "--config"])
        .arg(&file)
        .current_dir(&home)
        .env("HOME", &home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("HOGA_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("hoga run");
    // Read while it runs: a full pipe would hold it.
    let id = child.id().to_string();
    let reading = std::thread::spawn(move || child.wait_with_output().expect("its output"));
    let dir = stage.dir();
    let is_known = |code: &[u8]| {
        let ticks = rig::try_read(&dir, Stream::Ticks);
        sessions(&ticks).iter().any(|session| session.code.starts_with(code)) && rig::trades(&ticks).len() > 50
    };
    wait_until("trades, and the refusal that echoes", || dir.join("raw").is_dir() && is_known(b"OPSP0011"));
    let is_over_notices = |ticks: &[Record]| {
        let sessions = sessions(ticks);
        let asked = sessions.iter().position(|session| tr_name(session.tr) == Some("H0STCNI0"));
        asked.is_some_and(|at| sessions[at..].iter().any(|session| session.event == SessionEvent::Disconnected as u8))
    };
    wait_until("the end over the HTS id", || is_over_notices(&rig::try_read(&dir, Stream::Ticks)));
    let shown_while_it_runs = shown(&["stat", dir.to_str().expect("text"), "--once", "--json"]);
    let sent = Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill");
    assert!(sent.success());
    let output = reading.join().expect("its output");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let journal = dir.to_str().expect("text");
    let mut found = vec![
        ("its standard output".to_owned(), output.stdout),
        ("its log".to_owned(), output.stderr),
        ("hoga stat --json of the living".to_owned(), shown_while_it_runs),
    ];
    for args in [["stat", journal, "--once"], ["verify", journal, "--json"], ["dump", journal, "--json"]] {
        found.push((format!("hoga {}", args[0]), shown(&args)));
    }
    let raw = ["dump", journal, "--stream", "raw", "--json"];
    found.push(("hoga dump of raw".to_owned(), shown(&raw)));
    files(&dir, &mut found);
    files(&home, &mut found);
    let of = |name: &str| &found.iter().find(|(known, _)| known == name).expect("it was kept").1;
    for word in ["EGW00002", "OPSP0011"] {
        assert!(contains(of("its log"), word.as_bytes()), "the log tells of {word}");
    }
    assert!(of("hoga dump of raw").len() > 10_000 && of("hoga dump").len() > 10_000);
    let kept = kept_keys(&stage.folder.path().join("keys"));
    let told = [("the app key", key.app_key.as_str()), ("the app secret", &key.app_secret), ("the HTS id", HTS_ID)];
    for (name, bytes) in &found {
        for (what, secret) in told.into_iter().chain(kept.iter().map(|key| ("a key of the broker", key.as_str()))) {
            assert_eq!(traces::trace_of(bytes, secret), None, "{name} holds a part of {what}");
        }
        assert!(!has_uuid(bytes), "{name} holds an approval key");
    }
}
