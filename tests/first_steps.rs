//! The way of a newcomer: `hoga init`, `hoga doctor`, `hoga run`, against a venue on loopback.

#[allow(dead_code, reason = "other tests break the disk further")]
#[path = "rig/disk.rs"]
mod disk;
mod policy;

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hoga::feed::kis::session::budget::Rules;
use hoga::feed::kis::session::slot::Slot;
use hoga::journal::{Journal, JournalConfig};
use kis_sim::{Limits, OpenWhen, RestFault, RestFaultSpec, SimConfig, Venue};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of a newcomer, with a home of its own, so that no key of this host's user is touched.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Home {
        Home { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("KIS_APP_KEY").env_remove("KIS_APP_SECRET").env_remove("XDG_CACHE_HOME");
        command.env("HOME", self.folder.path()).env("XDG_STATE_HOME", self.path("state"));
        command
    }

    fn hoga(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("hoga")
    }

    fn good(&self, args: &[&str]) -> String {
        let output = self.hoga(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Puts `new` in the place of `old` in the configuration, as somebody with an editor would.
    fn edit(&self, old: &str, new: &str) {
        let path = self.path("hoga.toml");
        let before = std::fs::read_to_string(&path).expect("a configuration");
        assert!(before.contains(old), "{old}");
        std::fs::write(&path, before.replacen(old, new, 1)).expect("written");
    }

    /// A configuration for a venue whose ports the system chose.
    fn init_for(&self, venue: &Venue, more: &[&str]) {
        self.good(&[&["init", "--env", "simulator", "--yes"], more].concat());
        self.edit(
            "# rest_url = \"https://openapi.koreainvestment.com:9443\"",
            &format!("rest_url = \"{}\"", venue.rest_url()),
        );
        self.edit("# ws_url = \"ws://ops.koreainvestment.com:21000\"", &format!("ws_url = \"{}\"", venue.ws_url()));
        self.edit("segment_mib = 128 ", "segment_mib = 4 ");
    }

    /// Exit status and findings of `hoga doctor`.
    fn doctor(&self, args: &[&str]) -> (Option<i32>, Vec<Value>) {
        let output = self.hoga(&[&["doctor", "--config", "hoga.toml", "--json"], args].concat());
        let said = text(&output.stdout);
        (output.status.code(), serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{}", text(&output.stderr))))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// State, found and advice of a check.
fn finding(findings: &[Value], check: &str) -> [String; 3] {
    let found = findings.iter().find(|finding| finding["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} is looked at: {findings:#?}"));
    ["state", "found", "advice"].map(|key| found[key].as_str().expect("a text").to_owned())
}

fn failing(findings: &[Value]) -> Vec<&str> {
    findings
        .iter()
        .filter(|finding| finding["state"] == "fail")
        .filter_map(|finding| finding["check"].as_str())
        .collect()
}

/// A market that goes on for longer than any test, and opens when registrations have ceased to come.
fn endless() -> SimConfig {
    SimConfig { symbols: 40, seconds: 600.0, rate: 500.0, close_wait_s: 0.2, spin: false, ..SimConfig::default() }
}

/// A venue that is asked, and never opens.
fn quiet() -> SimConfig {
    SimConfig { open_when: OpenWhen::Registrations { count: 100_000 }, ..endless() }
}

fn fault(path: &str, fault: RestFault) -> RestFaultSpec {
    RestFaultSpec { path: path.to_owned(), from: 1, times: 1_000, fault }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn what_would_have_an_app_key_blocked_or_shown_is_refused_before_anything_is_sent() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    let written = std::fs::read_to_string(home.path("hoga.toml")).expect("a configuration");
    let file = written.lines().find(|line| line.starts_with("credentials_file")).expect("a file of credentials");
    let twin = format!("\n[[kis.account]]\nname = \"twin\"\n{file}\n");
    let secret = "PSsimGeycRFAFbUmcznSXxHGX7CRDi3Q2boC";
    let swapped = format!("app_key_env = \"{secret}\"\napp_secret_env = \"hunter2/hunter2\"");
    for (text, word) in
        [(format!("{written}{twin}"), "main and twin with the same app key"), (written.replace(file, &swapped), "NAME")]
    {
        std::fs::write(home.path("hoga.toml"), text).expect("written");
        for args in [
            &["run", "--config", "hoga.toml", "--check"][..],
            &["run", "--config", "hoga.toml", "--seconds", "1"],
            &["fetch", "holidays", "--config", "hoga.toml", "--out", "out"],
        ] {
            let output = home.hoga(args);
            let said = self::text(&output.stderr);
            assert!(
                output.status.code() == Some(2) && said.contains(word) && !said.contains(secret),
                "{args:?}: {said}"
            );
        }
    }
    assert!(venue.rest_counts().requests.is_empty() && !home.path("journal").exists());
}

#[test]
fn from_nothing_to_a_recorded_market_takes_three_commands() {
    let home = Home::new();
    let venue = Venue::start(endless()).expect("a venue");
    home.init_for(&venue, &[]);
    let said = home.good(&["run", "--config", "hoga.toml", "--check"]);
    assert!(said.contains("up to 20 by the ranking at the start on 1 app keys"), "{said}");
    assert!(
        !home.path("journal").exists() && venue.rest_counts().requests.is_empty(),
        "--check makes and asks nothing"
    );
    let begun = Instant::now();
    let said = home.good(&["run", "--config", "hoga.toml", "--seconds", "3", "--json"]);
    assert!(begun.elapsed() >= Duration::from_secs(3));
    let summary: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert!(
        summary["frames_received"].as_u64() > Some(100) && summary["records_journaled"].as_u64() > Some(100),
        "{summary}"
    );
    assert_eq!(
        (&summary["registrations_wanted"], &summary["registrations_confirmed"]),
        (&20.into(), &20.into()),
        "{summary}"
    );
    assert_eq!(
        (&summary["rejects"], &summary["stopped"], &summary["disconnects"]),
        (&0.into(), &Value::Null, &0.into())
    );
    assert!(summary["latency_ns"]["kernel_to_committed"]["p50"].as_u64() > Some(0), "{summary}");
    assert_eq!(venue.rest_counts().requests_of("volume-rank"), 1, "trades and books are of the same stocks");
    home.good(&["verify", "journal"]);
    drop(venue);
}

#[test]
fn a_run_that_ends_by_itself_says_what_it_recorded() {
    let home = Home::new();
    let venue = Venue::start(endless()).expect("a venue");
    let codes: Vec<String> = venue.symbols().iter().take(3).map(|symbol| symbol.code.clone()).collect();
    std::fs::write(home.path("watch.txt"), format!("# three\n{}\n", codes.join(" # one\n"))).expect("written");
    home.init_for(&venue, &["--symbols-file", "watch.txt"]);
    let said = home.good(&["run", "--config", "hoga.toml", "--seconds", "1.5"]);
    assert!(said.contains("6 of 6 registrations confirmed, 0 refused"), "{said}");
    for part in ["recorded", "(the journal)", "rejects 0, gaps 0", "placement: ", "kernel → committed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    std::fs::write(home.path("watch.txt"), "005930\n005 930\n").expect("written");
    let output = home.hoga(&["run", "--config", "hoga.toml", "--check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("watch.txt:2: `005 930` is no code"), "{}", text(&output.stderr));
}

#[test]
fn a_ranking_that_ends_early_is_said_and_a_change_of_the_list_is_taken_over_with_its_lists() {
    let home = Home::new();
    let venue = Venue::start(endless()).expect("a venue");
    home.init_for(&venue, &["--top-by-turnover", "35"]);
    home.edit("[[kis.subscribe]]\ntr = \"H0STASP0\"\ntop_by_turnover = 35\n", "");
    let mut command = home.command(&["run", "--config", "hoga.toml", "--seconds", "60", "--json"]);
    let child = command
        .env("HOGA_LOG", "info")
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("hoga run");
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("30 registrations", &|| venue.ledger().registrations == 30);
    home.edit("top_by_turnover = 35", "top_by_turnover = 12");
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill").success())
    };
    signal("-HUP");
    until("12 registrations", &|| venue.ledger().registrations == 12);
    signal("-TERM");
    let output = child.wait_with_output().expect("its end");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("ends before top_by_turnover does") && said.contains("given=30"), "{said}");
    assert_eq!(venue.rest_counts().requests_of("volume-rank"), 2);
}

#[test]
fn a_ranking_that_is_refused_stops_the_start_with_the_words_of_the_broker() {
    let home = Home::new();
    let refusal = RestFault::Refuse { status: 500, code: "EGW00213".to_owned(), text: "not here".to_owned() };
    let venue =
        Venue::start(SimConfig { rest_faults: vec![fault("volume-rank", refusal)], ..quiet() }).expect("a venue");
    home.init_for(&venue, &[]);
    let output = home.hoga(&["run", "--config", "hoga.toml", "--seconds", "1"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the 10 stocks traded most") && said.contains("EGW00213"), "{said}");
    assert!(!home.path("journal").exists());
}

#[test]
fn init_writes_one_file_refuses_to_replace_it_and_says_what_is_next() {
    let home = Home::new();
    let said = home.good(&["init"]);
    for part in
        ["written: hoga.toml (real)", "export KIS_APP_KEY=", "hoga doctor --config hoga.toml", "hoga run --config"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(std::fs::read_to_string(home.path("hoga.toml")).unwrap(), include_str!("../examples/hoga.toml"));
    assert_eq!(mode(&home.path("hoga.toml")) & 0o133, 0, "nobody else writes it");
    assert_eq!(std::fs::read_dir(home.folder.path()).unwrap().count(), 1);
    let again = home.hoga(&["init", "--env", "mock"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    home.good(&["init", "--env", "mock", "--app-keys", "2", "--force"]);
    let config = std::fs::read_to_string(home.path("hoga.toml")).unwrap();
    assert!(config.contains("environment = \"mock\"") && config.contains("KIS_APP_SECRET_2"), "{config}");
    let checked = |home: &Home| {
        let mut command = home.command(&["run", "--config", "hoga.toml", "--check"]);
        for number in ["", "_2"] {
            command
                .env(format!("KIS_APP_KEY{number}"), format!("k{number}"))
                .env(format!("KIS_APP_SECRET{number}"), "s");
        }
        command.output().expect("hoga").status.code()
    };
    assert_eq!(checked(&home), Some(0), "what is written is good once the secrets are there");
    let wrong = home.hoga(&["init", "--env", "mock", "--top-by-turnover", "5", "--out", "other.toml"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("no ranking") && !home.path("other.toml").exists(), "{}", text(&wrong.stderr));
    let nowhere = home.hoga(&["init", "--out", "no/such/folder/hoga.toml"]);
    assert_eq!(nowhere.status.code(), Some(1));
}

#[test]
fn the_simulators_keys_are_written_for_their_owner_alone() {
    let home = Home::new();
    home.good(&["init", "--env", "simulator", "--app-keys", "2"]);
    for name in ["simulator-key-1.toml", "simulator-key-2.toml"] {
        assert_eq!(mode(&home.path(name)), 0o600);
    }
    home.good(&["run", "--config", "hoga.toml", "--check"]);
}

#[test]
fn an_index_without_master_files_says_what_to_do() {
    let home = Home::new();
    home.good(&["init", "--env", "simulator", "--index", "KOSPI200"]);
    let output = home.hoga(&["run", "--config", "hoga.toml", "--check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("members of KOSPI200") && said.contains("hoga instruments --download"), "{said}");
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(finding(&findings, "lists")[0], "fail");
}

#[test]
fn members_of_an_index_are_recorded_by_the_master_files_of_the_day() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.good(&["instruments", "--download", "--base-url", &venue.rest_url(), "--limit", "1"]);
    let listed = home.good(&["instruments", "--index", "KOSPI200", "--json"]);
    let members = serde_json::from_str::<Vec<Value>>(&listed).expect("a JSON list").len();
    assert!(members > 0);
    home.init_for(&venue, &["--index", "KOSPI200"]);
    let said = home.good(&["run", "--config", "hoga.toml", "--check"]);
    let registrations = said.split(' ').skip_while(|word| *word != "good:").nth(1).and_then(|word| word.parse().ok());
    assert_eq!(registrations.map(|count: usize| count % members), Some(0), "of {members}: {said}");
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!((&*finding(&findings, "lists")[0], &*finding(&findings, "masters")[0]), ("ok", "ok"));
    // Invented codes are not recorded at the broker.
    let simulated = std::fs::read_to_string(home.path("hoga.toml")).unwrap();
    home.edit("environment = \"simulator\"", "environment = \"real\"");
    home.edit("\nrest_url = ", "\n# rest_url = ");
    home.edit("\nws_url = ", "\n# ws_url = ");
    home.edit("connect_budget = 0 ", "connect_budget = 10 ");
    let output = home.hoga(&["run", "--config", "hoga.toml", "--check"]);
    assert!(output.status.code() == Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("of the server `simulator`"), "{}", text(&output.stderr));
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(finding(&findings, "lists")[0], "fail");
    // Old ones are said to be old.
    std::fs::write(home.path("hoga.toml"), simulated).unwrap();
    let cache = home.path(".cache/hoga/masters");
    let today = std::fs::read_dir(&cache).unwrap().map(|day| day.unwrap().path()).find(|day| day.is_dir()).unwrap();
    std::fs::rename(today, cache.join("2026-01-23")).unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    let [state, found, advice] = finding(&findings, "masters");
    assert!(state == "warn" && found.ends_with("days old") && advice.contains("--download"), "{found}");
    let output = home.hoga(&["run", "--config", "hoga.toml", "--check"]);
    assert!(text(&output.stderr).contains("so many days old"), "{}", text(&output.stderr));
}

#[test]
fn a_doctor_without_a_configuration_looks_at_the_machine_alone() {
    let home = Home::new();
    let output = home.hoga(&["doctor", "--json"]);
    assert!(matches!(output.status.code(), Some(0 | 1)));
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a JSON list");
    for finding in &findings {
        let keys: Vec<&String> = finding.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["check", "state", "found", "advice"]);
        assert!(["ok", "warn", "fail"].contains(&finding["state"].as_str().expect("a text")), "{finding}");
        assert!(finding["state"] == "ok" || finding["advice"] != "", "what to do is said: {finding}");
    }
    for check in ["clock.kernel", "limits.open_files", "cores", "kernel.clock_source", "calendar"] {
        finding(&findings, check);
    }
    let [state, found, _] = finding(&findings, "limits.open_files");
    assert!(state != "ok" || found.parse::<u64>().is_ok() || found == "unlimited", "{found}");
    let table = text(&home.hoga(&["doctor"]).stdout);
    assert!(table.contains("clock.kernel") && table.contains(" warnings, "), "{table}");
    assert_eq!(home.hoga(&["doctor", "--config", "no-such.toml"]).status.code(), Some(2));
}

#[test]
fn a_doctor_finds_nothing_wrong_with_a_good_venue_and_asks_for_one_token_only() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &["--app-keys", "2"]);
    for _ in 0..2 {
        let (_, findings) = home.doctor(&[]);
        let expected = [
            "configuration",
            "environment",
            "lists",
            "account.main.secret",
            "account.key-2.secret",
            "journal.folder",
            "keys.folder",
            "rest.name",
            "rest.port",
            "rest.answer",
            "clock.server",
            "websocket.name",
            "websocket.handshake",
            "account.main.token",
            "account.key-2.token",
        ];
        for check in expected {
            let [state, found, _] = finding(&findings, check);
            assert_eq!(state, "ok", "{check}: {found}");
        }
        let shown = serde_json::to_string(&findings).unwrap();
        for key in &venue.config().app_keys {
            assert!(!shown.contains(&key.app_key) && !shown.contains(&key.app_secret));
        }
    }
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 2, "one an app key; the second time they are at hand");
    assert_eq!(
        (venue.ledger().registrations, venue.ledger().connections),
        (0, 2),
        "the WebSocket port is opened once a look"
    );
    assert_eq!(mode(&home.path("state/hoga/keys")), 0o700);
    assert!(!home.path("journal").exists(), "a doctor makes no journal");
}

#[test]
fn a_doctor_leaves_the_lines_alone_while_a_recorder_is_alive() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    let config = JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) };
    let _recorder = Journal::open(&home.path("journal"), config).expect("a journal");
    let (_, findings) = home.doctor(&[]);
    let [state, found, _] = finding(&findings, "websocket.handshake");
    assert!(state == "ok" && found.starts_with("not tried: a recorder is alive"), "{found}");
    assert_eq!(venue.ledger().connections, 0);
}

#[test]
fn a_doctor_finds_what_a_run_refuses() {
    let home = Home::new();
    home.good(&["init", "--env", "simulator"]);
    let refused = |args: &[&str]| {
        let output = home.hoga(&[&["run", "--config", "hoga.toml"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    home.edit("top_by_turnover = 10", "keys = [\"005930\"]");
    home.edit("top_by_turnover = 10", "keys = [\"005930\"]");
    home.edit("# calendar_overrides = \"calendar.toml\"", "calendar_overrides = \"calendar.toml\"");
    for args in [&["--check"][..], &["--seconds", "1"]] {
        assert!(refused(args).contains("calendar.toml"));
    }
    let (status, findings) = home.doctor(&["--offline"]);
    assert!(status == Some(1) && failing(&findings).contains(&"calendar.overrides"));
    std::fs::write(home.path("calendar.toml"), "").unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(finding(&findings, "calendar.overrides")[0], "ok");
    home.edit("[[kis.account]]", "[kis.notices]\nhts_id_env = \"HOGA_TEST_NO_SUCH\"\n\n[[kis.account]]");
    for args in [&["--check"][..], &["--seconds", "1"]] {
        let said = refused(args);
        assert!(said.contains("hts_id_file") && !said.contains("credentials_file"), "{said}");
    }
    let (status, findings) = home.doctor(&["--offline"]);
    assert!(status == Some(1) && failing(&findings).contains(&"notices.hts_id"));
    home.edit("hts_id_env = \"HOGA_TEST_NO_SUCH\"", "hts_id_file = \"id.txt\"");
    std::fs::write(home.path("id.txt"), "me").unwrap();
    std::fs::set_permissions(home.path("id.txt"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    assert!(finding(&findings, "notices.hts_id")[2].contains("chmod 600"));
    std::fs::set_permissions(home.path("id.txt"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(finding(&findings, "notices.hts_id")[..2], ["ok", "readable"]);
    for wrong in ["00 5930", "005930,,000660", "삼성전자"] {
        let output = home.hoga(&["init", "--env", "simulator", "--symbols", wrong, "--out", "wrong.toml"]);
        assert!(output.status.code() == Some(2) && text(&output.stderr).contains("kis.subscribe.keys"), "{wrong}");
        assert!(!home.path("wrong.toml").exists());
    }
}

#[test]
fn a_doctor_that_is_offline_asks_nobody() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(finding(&findings, "account.main.secret")[0], "ok");
    assert!(!findings.iter().any(|finding| finding["check"].as_str().is_some_and(|check| check.starts_with("rest."))));
    assert_eq!(venue.rest_counts().connections, 0);
    assert!(!home.path("state").exists());
}

#[test]
fn a_secret_that_others_may_read_one_that_is_cut_and_one_that_is_named_twice_are_found() {
    let home = Home::new();
    home.good(&["init", "--env", "simulator", "--app-keys", "2"]);
    let [one, two] = ["simulator-key-1.toml", "simulator-key-2.toml"].map(|name| home.path(name));
    std::fs::set_permissions(&one, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (status, findings) = home.doctor(&["--offline"]);
    let [state, _, advice] = finding(&findings, "account.main.secret");
    assert_eq!((status, state.as_str()), (Some(1), "fail"));
    assert!(advice.contains("chmod 600"), "{advice}");
    std::fs::set_permissions(&one, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::copy(&one, &two).unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    assert!(finding(&findings, "account.key-2.secret")[1].contains("the same app key as account main"));
    std::fs::write(&two, "app_key = \"PSshort\"\napp_secret = \"short\"\n").unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    let [state, found, _] = finding(&findings, "account.key-2.secret");
    assert_eq!(state, "warn");
    assert!(found.starts_with("7 and 5 characters") && !found.contains("short"), "{found}");
    std::fs::remove_file(&two).unwrap();
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(failing(&findings).first(), Some(&"account.key-2.secret"));
}

#[test]
fn an_app_key_of_another_environment_is_named_as_such_and_not_shown() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    let strange = "PSstrange".to_owned() + &"x".repeat(27);
    std::fs::write(
        home.path("simulator-key-1.toml"),
        format!("app_key = {strange:?}\napp_secret = {:?}\n", "y".repeat(180)),
    )
    .unwrap();
    let (status, findings) = home.doctor(&[]);
    let [state, found, advice] = finding(&findings, "account.main.token");
    assert_eq!((status, state.as_str()), (Some(1), "fail"), "{found}");
    assert!(found.contains("EGW00103") && advice.contains("Real and mock have keys of their own"), "{found} {advice}");
    assert!(!serde_json::to_string(&findings).unwrap().contains("PSstrange"));
    let (_, findings) = home.doctor(&[]);
    assert!(finding(&findings, "account.main.token")[1].starts_with("unknown: a token was asked for a moment ago"));
    assert_eq!(venue.rest_counts().requests_of("tokenP"), 1, "one a minute, whoever asks");
}

#[test]
fn a_host_that_is_gone_is_found_and_no_token_is_asked_for() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    drop(venue);
    let (status, findings) = home.doctor(&[]);
    assert_eq!(status, Some(1));
    for check in ["rest.port", "websocket.handshake"] {
        let [state, _, advice] = finding(&findings, check);
        assert!(state == "fail" && advice.contains("start the venue"), "{check}: {advice}");
    }
    assert_eq!(finding(&findings, "account.main.token")[..2], ["warn", "unknown"]);
    home.edit("ws_url = \"ws://127.0.0.1", "ws_url = \"ws://no-such-host.invalid");
    let (_, findings) = home.doctor(&[]);
    assert_eq!(finding(&findings, "websocket.name")[0], "fail");
}

#[test]
fn a_clock_that_differs_from_the_servers_is_found_with_its_direction() {
    for (seconds, state, words) in [(30, "fail", "behind"), (-30, "fail", "ahead of"), (0, "ok", "agrees")] {
        let home = Home::new();
        let skewed = vec![fault("/", RestFault::SkewDate { seconds })];
        let venue = Venue::start(SimConfig { rest_faults: skewed, ..quiet() }).expect("a venue");
        home.init_for(&venue, &[]);
        let (_, findings) = home.doctor(&[]);
        let [found_state, found, _] = finding(&findings, "clock.server");
        assert_eq!(found_state, state, "{found}");
        assert!(found.contains(words), "{found}");
        if seconds != 0 {
            let sure: f64 = found.split(' ').nth(2).and_then(|word| word.parse().ok()).expect("seconds");
            assert!((28.0..=30.0).contains(&sure), "whole seconds leave one open: {found}");
        }
    }
}

#[test]
fn a_port_that_speaks_no_websocket_is_found() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    home.edit(&venue.ws_url(), &venue.rest_url().replace("http:", "ws:"));
    let (_, findings) = home.doctor(&[]);
    let [state, found, _] = finding(&findings, "websocket.handshake");
    assert_eq!(state, "fail", "{found}");
}

#[test]
fn folders_without_room_or_right_are_found_before_they_are_needed() {
    let home = Home::new();
    home.good(&["init", "--env", "simulator"]);
    std::fs::create_dir_all(home.path("state/hoga/keys")).unwrap();
    std::fs::set_permissions(home.path("state/hoga/keys"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(home.path("journal"), "a file, no folder").unwrap();
    home.edit("low_space_mib = 1024 ", "low_space_mib = 4294967296 ");
    let (status, findings) = home.doctor(&["--offline"]);
    assert_eq!(status, Some(1));
    assert_eq!(finding(&findings, "journal.folder")[0], "fail");
    let [state, _, advice] = finding(&findings, "keys.folder");
    assert_eq!(state, "fail");
    assert!(advice.contains("chmod 700"), "{advice}");
    let [state, found, _] = finding(&findings, "journal.room");
    assert!(state == "warn" && found.contains("below low_space_mib"), "{state} {found}");
}

#[test]
fn a_wait_that_an_earlier_run_left_is_told_and_kept_to() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    home.edit("connect_budget = 0 ", "connect_budget = 10 ");
    let key = hoga::secret::Secret::new(&*venue.config().app_keys[0].app_key);
    let name = hoga::feed::kis::rest::key_file_name(&venue.rest_url(), &key);
    let until = hoga::clock::wall_ns() + 600_000_000_000;
    let folder = home.path("state/hoga/keys");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
    std::fs::write(folder.join(name).with_extension("connects"), format!("{{\"not_before_ns\":{until}}}")).unwrap();
    let (_, findings) = home.doctor(&[]);
    let [state, found, _] = finding(&findings, "account.main.connects");
    assert!(state == "warn" && found.contains("no connect for 9 m"), "{found}");
    assert!(finding(&findings, "websocket.handshake")[1].starts_with("not tried"));
}

#[test]
fn the_doctors_handshake_is_a_connect_like_any_other() {
    let home = Home::new();
    let venue = Venue::start(quiet()).expect("a venue");
    home.init_for(&venue, &[]);
    home.edit("connect_budget = 0 ", "connect_budget = 10 ");
    let (_, findings) = home.doctor(&[]);
    assert_eq!(finding(&findings, "websocket.handshake")[0], "ok");
    let key = hoga::secret::Secret::new(&*venue.config().app_keys[0].app_key);
    let folder = home.path("state/hoga/keys");
    let file = folder.join(hoga::feed::kis::rest::key_file_name(&venue.rest_url(), &key)).with_extension("connects");
    let kept: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let connects = kept["connects"].as_array().unwrap();
    assert_eq!((connects.len(), &connects[0]["ended_well"]), (1, &Value::Bool(true)));
    // A recorder of this host has the app key.
    let rules = Rules { connects_max: 10, window: Duration::from_secs(600), scale: 1.0 };
    let slot = Slot::new(&folder, &venue.rest_url(), &key, rules);
    assert!(slot.take().unwrap());
    let (_, findings) = home.doctor(&[]);
    let [state, found, _] = finding(&findings, "websocket.handshake");
    assert!(state == "warn" && found.contains("another program holds the session of account main"), "{found}");
}

#[test]
fn a_mock_server_with_what_it_does_not_know_is_refused_in_time() {
    let home = Home::new();
    let venue = Venue::start(SimConfig { mock: true, limits: Limits::default(), ..quiet() }).expect("a venue");
    home.init_for(&venue, &["--symbols", "005930"]);
    home.edit("environment = \"simulator\"", "environment = \"mock\"");
    home.good(&["run", "--config", "hoga.toml", "--check"]);
    home.edit("H0STASP0", "H0UNASP0");
    let (status, findings) = home.doctor(&[]);
    assert_eq!(status, Some(1));
    let [state, found, _] = finding(&findings, "configuration");
    assert!(state == "fail" && found.contains("the mock server knows H0STCNT0"), "{found}");
}

#[test]
fn a_full_disk_fails_and_a_file_system_in_memory_is_a_warning() {
    let Some(disk) = disk::Disk::mount(disk::Kind::Tmpfs, 64) else { return };
    let home = Home::new();
    home.good(&["init", "--env", "simulator", "--journal", disk.root.join("journal").to_str().expect("text")]);
    home.edit("segment_mib = 128 ", "segment_mib = 4 ");
    home.edit("low_space_mib = 1024 ", "low_space_mib = 1 ");
    let (_, findings) = home.doctor(&["--offline"]);
    assert_eq!(finding(&findings, "journal.file_system")[..2], ["warn", "tmpfs"]);
    assert_eq!(finding(&findings, "journal.room")[0], "warn", "the start fits, a busy day does not");
    disk.fill_but(2);
    let (status, findings) = home.doctor(&["--offline"]);
    let [state, found, advice] = finding(&findings, "journal.room");
    assert_eq!((status, state.as_str()), (Some(1), "fail"), "{found}");
    assert!(found.contains("allocated before the first record") && advice.contains("make room"), "{found} {advice}");
}
