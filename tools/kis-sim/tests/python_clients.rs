//! Published clients of KIS, made by others, believe this venue: they log in, subscribe and receive every record that was
//! sent at the widths they know.
//!
//! Method: the packages as they are on PyPI, in an environment of their own beside the build, pointed at a venue on loopback;
//! what they gave their user is held against the ledger, record for record. Skipped, said loudly, where PyPI can't be reached.

#[path = "../../../tests/policy/mod.rs"]
mod policy;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use kis_sim::{AppKey, LedgerCounts, NoticeConfig, OpenWhen, SimConfig, Venue, Widths};
use serde_json::Value;

/// The clients, and what each of them needs and does not name.
const PACKAGES: [&str; 4] = ["python-kis==2.1.6", "mojito2==0.1.6", "typing_extensions", "pandas"];

/// A Python with the clients, made once; `None`, said, where they can't be had.
fn python() -> Option<&'static PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, &str>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-clients");
        let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
        if std::fs::read_to_string(&ready).is_ok_and(|packages| packages == PACKAGES.join(" ")) {
            return Ok(python);
        }
        let venv = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
        if !venv.is_ok_and(|output| output.status.success()) {
            return Err("there is no python3 with venv");
        }
        let pip = Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES).output().expect("pip");
        if !pip.status.success() {
            let errors = String::from_utf8_lossy(&pip.stderr);
            let unreached = ["Retrying", "ConnectionError", "Connection refused", "name resolution", "timed out"];
            assert!(unreached.iter().any(|word| errors.contains(word)), "PyPI was reached, and yet: {errors}");
            return Err("PyPI can't be reached");
        }
        std::fs::write(&ready, PACKAGES.join(" ")).expect("a mark");
        Ok(python)
    });
    if let Err(why) = made {
        policy::skip("whether python-kis and mojito2 believe the simulated venue", why);
    }
    made.as_ref().ok()
}

const CODES: [&str; 2] = ["005930", "0074K0"];

/// Two symbols, trades and books, several records in a frame.
fn market() -> SimConfig {
    SimConfig {
        app_keys: AppKey::generate(1),
        codes: CODES.map(str::to_owned).to_vec(),
        wild_symbols: 0,
        seconds: 4.0,
        rate: 250.0,
        min_records_per_frame: 2,
        widths: Widths::Sample,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 30, 0, 0),
        ping_interval_s: 0.5,
        open_when: OpenWhen::Registrations { count: 4 },
        ..SimConfig::default()
    }
}

/// What a client told in the end, and what was sent to it.
fn play(client: &str, config: SimConfig) -> Option<(Value, LedgerCounts)> {
    let python = python()?;
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = folder.path().join("sent.tsv");
    let venue = Venue::start(SimConfig { ledger: Some(ledger.clone()), ..config }).expect("a venue");
    let key = &venue.config().app_keys[0];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_clients.py");
    let mut child = Command::new(python)
        .arg(script)
        .args([client, &venue.rest_url(), &venue.ws_url()])
        .arg(&ledger)
        .args([&key.app_key, &key.app_secret])
        .args(CODES)
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs");
    let begun = std::time::Instant::now();
    while !venue.is_finished() {
        let alive = child.try_wait().expect("its status").is_none();
        if !alive || begun.elapsed().as_secs() > 60 {
            let _ = child.kill();
            let output = child.wait_with_output().expect("its output");
            panic!("{client} did not come so far: {}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let refusals = venue.rest_counts().refusals;
    let counts = venue.join().counts;
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("its output");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let said = String::from_utf8(output.stdout).expect("text");
    let told: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!(told["sent"], counts.records_sent, "{told}");
    assert_eq!([&told["received"], &told["same"]], [&told["sent"]; 2], "{told}\n{errors}");
    assert_eq!(counts.connections, 1, "one session from the first record to the last");
    assert!(refusals.is_empty(), "{refusals:?}");
    Some((told, counts))
}

fn believes(client: &str) {
    let Some((told, counts)) = play(client, market()) else { return };
    assert!(counts.records_sent > 500 && counts.frames_by_tr.len() == 2, "{counts:?}");
    assert_eq!(told["facts"].as_array().expect("a list").len(), 2);
}

#[test]
fn python_kis_receives_every_record_that_was_sent() {
    believes("python-kis");
}

#[test]
fn python_kis_reads_each_notice_of_the_widths_it_knows() {
    let notices = NoticeConfig { hts_id: "someone".into(), every_ms: 100, width: 23, ..NoticeConfig::default() };
    let config = SimConfig { notices: Some(notices), open_when: OpenWhen::Registrations { count: 2 }, ..market() };
    let Some((_, counts)) = play("python-kis notices", config) else { return };
    assert!(counts.frames_by_tr["H0STCNI0"] > 20 && counts.frames_by_tr["H0GSCNI0"] > 20, "{counts:?}");
}

#[test]
fn mojito_receives_every_record_that_was_sent() {
    believes("mojito2");
}
