//! `hoga run` told to stop: connections are closed by the closing handshake, what came is committed, the journal is closed,
//! the summary is printed, the exit status is 0. Also against a server that can't be reached.
//!
//! Method: the true program against a venue in this process, stopped by signals as an operator would.

mod rig;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hoga::config::{Config, KisAccount};
use hoga::journal::{Start, Stream, Tailer, Verdict, verify};
use kis_sim::{AppKey, SimConfig};
use rig::ledger::Ledger;
use rig::{Stage, compare, sim, wait_until};
use serde_json::Value;

const FEEDS: &[&str] = &["H0STCNT0", "H0STASP0"];

fn credentials(folder: &Path, keys: &[AppKey]) -> Vec<KisAccount> {
    let account = |(index, key): (usize, &AppKey)| {
        let file = folder.join(format!("credentials-{index}.toml"));
        let text = format!("app_key = \"{}\"\napp_secret = \"{}\"\n", key.app_key, key.app_secret);
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("for the owner only");
        KisAccount { name: format!("account-{index}"), credentials_file: Some(file), ..KisAccount::default() }
    };
    keys.iter().enumerate().map(account).collect()
}

fn write_config(folder: &Path, config: &Config) -> PathBuf {
    let file = folder.join("hoga.toml");
    std::fs::write(&file, toml::to_string(config).expect("TOML")).expect("written");
    file
}

fn start(file: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
    command.arg("run").arg("--config").arg(file).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("HOGA_LOG", "debug").spawn().expect("hoga run")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

fn end(mut child: Child) -> Output {
    wait_until("the program's end", || child.try_wait().expect("its status").is_some());
    child.wait_with_output().expect("its output")
}

fn committed(dir: &Path) -> u64 {
    Tailer::open(dir, Stream::Ticks, Start::End).map_or(0, |tailer| tailer.next_sequence() - 1)
}

fn stopped_by(name: &str, placement: &str) {
    // The program lives in real time: noon of today is nearer to now than that of any other day.
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let market_start = now.date().at(12, 0, 0, 0);
    // A weekend, too.
    let openings = vec![now.date()];
    let sim = SimConfig { app_keys: AppKey::generate(3), market_start, openings, ..sim(30, 600.0, 2000.0) };
    let stage = Stage::new(sim, FEEDS);
    let mut config = stage.config.clone();
    config.kis.account = credentials(stage.folder.path(), &stage.venue.config().app_keys);
    let text = toml::to_string(&config).expect("TOML").replace("\"fused\"", &format!("\"{placement}\""));
    let file = stage.folder.path().join("hoga.toml");
    std::fs::write(&file, text).expect("written");
    let child = start(&file, &["--json"]);
    let dir = stage.dir();
    wait_until("records", || committed(&dir) > 500);
    signal(&child, name);
    let output = end(child);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{errors}");

    let stdout = String::from_utf8(output.stdout).expect("text");
    let said: Value = serde_json::from_str(stdout.lines().last().expect("a summary")).expect("JSON");
    assert_eq!((&said["registrations_wanted"], &said["registrations_confirmed"]), (&60.into(), &60.into()), "{said}");
    assert_eq!((&said["rejects"], &said["gaps"]), (&0.into(), &0.into()), "{said}");

    let report = verify(&dir, |_, _, _, _| {}).expect("a journal");
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    assert!(report.streams.iter().all(|(_, stream)| !stream.open && !stream.live), "closed: {report:?}");

    stage.venue.stop();
    wait_until("the venue's end", || stage.venue.is_finished());
    let venue = stage.venue.join();
    assert_eq!((venue.closed_cleanly, venue.counts.connections), (3, 3), "each connection's Close came");
    // The venue goes on for as long as our Close is under way: what it counts as sent then comes behind our end.
    let mut ledger = Ledger::read(&stage.folder.path().join("ledger"));
    ledger.date = market_start.strftime("%Y%m%d").to_string().parse().expect("a date");
    let compared = compare::compare_received(&ledger, &dir);
    assert_eq!(said["frames_received"], compared.frames, "{said}");
    assert_eq!(said["records_journaled"], compared.records, "{said}");

    for key in AppKey::generate(3) {
        for secret in [&key.app_key, &key.app_secret] {
            assert!(!stdout.contains(secret.as_str()) && !errors.contains(secret.as_str()), "a secret is shown");
        }
    }
}

#[test]
fn sigterm_closes_every_connection_and_the_journal_and_prints_the_summary() {
    stopped_by("TERM", "fused");
}

#[test]
fn sigint_does_the_same_with_a_thread_for_each_stage() {
    stopped_by("INT", "split");
}

#[test]
fn a_server_that_cannot_be_reached_is_tried_again_and_the_program_still_stops_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = "127.0.0.1:1";
    let keys = ["005930".to_owned()];
    let (rest, ws) = (format!("http://{nowhere}"), format!("ws://{nowhere}"));
    let mut config = rig::config(folder.path(), &rest, &ws, &keys, FEEDS, 1);
    config.kis.account = credentials(folder.path(), &AppKey::generate(1));
    let child = start(&write_config(folder.path(), &config), &["--json"]);
    let dir = config.journal.dir.clone();
    wait_until("two attempts", || {
        let stat = Command::new(env!("CARGO_BIN_EXE_hoga")).arg("stat").arg(&dir).args(["--once", "--json"]).output();
        let said: Option<Value> = stat.ok().and_then(|stat| serde_json::from_slice(&stat.stdout).ok());
        said.is_some_and(|said| said.to_string().contains("\"reconnects\":") && reconnects(&said) >= 1)
    });
    signal(&child, "INT");
    let output = end(child);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(errors.contains("connection attempt failed"), "{errors}");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let said: Value = serde_json::from_str(stdout.lines().last().expect("a summary")).expect("JSON");
    assert_eq!((&said["frames_received"], &said["registrations_confirmed"]), (&0.into(), &0.into()), "{said}");
    assert!(said["disconnects"].as_u64() >= Some(1), "{said}");
    assert_eq!(verify(&dir, |_, _, _, _| {}).expect("a journal").state, Verdict::Clean);
}

/// The counter wherever it stands in the object.
fn reconnects(value: &Value) -> u64 {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| if name == "reconnects" { member.as_u64().unwrap_or(0) } else { reconnects(member) })
            .max()
            .unwrap_or(0),
        _ => 0,
    }
}
