//! What scripts may rely on: help, exit status, the keys of machine-readable output.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SUBCOMMANDS: [&str; 16] = [
    "demo",
    "init",
    "doctor",
    "run",
    "decode",
    "stat",
    "tail",
    "dump",
    "verify",
    "repair",
    "recover",
    "seal",
    "prune",
    "calendar",
    "instruments",
    "fetch",
];

fn hoga(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hoga")).args(args).stdin(Stdio::null()).output().expect("hoga")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn last_json(output: &Output) -> Value {
    let text = text(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a line")).expect("the last line is a JSON object")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn decode(args: &[&str], lines: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
    command.args(["decode", "--feed", "kis"]).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hoga decode");
    child.stdin.take().expect("its input").write_all(lines.as_bytes()).expect("it reads");
    child.wait_with_output().expect("its output")
}

#[test]
fn help_of_every_subcommand_teaches_by_example() {
    let overview = hoga(&["--help"]);
    assert_eq!(overview.status.code(), Some(0));
    for name in SUBCOMMANDS {
        assert!(text(&overview.stdout).contains(name), "{name} is in the overview");
        let help = hoga(&[name, "--help"]);
        let said = text(&help.stdout);
        assert_eq!(help.status.code(), Some(0), "{name}");
        let example = said.split_once("Example").map(|(_, rest)| rest).unwrap_or_default();
        assert!(example.contains(&format!("hoga {name}")), "help of {name} has an example:\n{said}");
    }
}

#[test]
fn wrong_use_is_status_2_and_says_what_was_wrong() {
    for name in SUBCOMMANDS {
        let output = hoga(&[name, "--no-such-option"]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(text(&output.stderr).contains("--no-such-option"), "{name}");
    }
    assert_eq!(hoga(&["no-such-subcommand"]).status.code(), Some(2));
    assert_eq!(hoga(&["demo", "--wait", "sleepily"]).status.code(), Some(2));
    assert_eq!(hoga(&["decode", "--feed", "nobody"]).status.code(), Some(2));
}

#[test]
fn a_folder_without_a_journal_is_status_2_and_nothing_is_made_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    for place in [folder.path(), missing.as_path()] {
        for name in ["verify", "dump", "tail", "stat", "repair"] {
            let output = hoga(&[name, place.to_str().expect("text")]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{name}: {said}");
            assert!(said.contains(place.to_str().expect("text")), "{name} names the folder: {said}");
            assert!(output.stdout.is_empty(), "{name}");
        }
    }
    assert!(!missing.exists() && folder.path().read_dir().expect("a folder").next().is_none());
}

#[test]
fn a_configuration_that_is_not_there_or_wrong_is_status_2_and_repeats_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hoga.toml");
    let path = file.to_str().expect("text");
    assert_eq!(hoga(&["run", "--config", path]).status.code(), Some(2));
    std::fs::write(&file, "[journal]\ndir = \"j\"\n[[kis.account]]\napp_key = \"PSverysecret\"\n").expect("written");
    let output = hoga(&["run", "--config", path]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("app_key_env") && !said.contains("verysecret"), "{said}");
    // Credentials that others may read are refused before anything is made.
    let secrets = folder.path().join("secrets.toml");
    std::fs::write(&secrets, "app_key = \"PSverysecret\"\napp_secret = \"x\"\n").expect("written");
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o644)).expect("for everyone");
    let journal = folder.path().join("journal");
    let config = format!(
        "[journal]\ndir = {journal:?}\n[kis]\n[[kis.account]]\nname = \"a\"\ncredentials_file = {secrets:?}\n\
         [[kis.subscribe]]\ntr = \"H0STCNT0\"\nkeys = [\"005930\"]\n"
    );
    std::fs::write(&file, config).expect("written");
    let output = hoga(&["run", "--config", path]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("chmod 600") && !said.contains("verysecret"), "{said}");
    assert!(!journal.exists());
}

#[test]
fn decode_counts_on_its_last_line_and_is_strict_when_asked() {
    let good = "0|H0STNAV0|001|069500^37235.46^5^-381.26^-1.01^37646.25^37646.25^37202.10\n";
    let bad = "0|H0STNAV0|002|069500^37235.46^5^-381.26^-1.01^37646.25^37646.25\n";
    let output = decode(&["--strict"], good);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(last_json(&output)["symbol"], "069500");
    assert!(text(&output.stderr).lines().last().expect("a line").starts_with("0 rejects, 1 frames, 1 records"));
    for (args, status) in [(&[][..], 0), (&["--strict"][..], 1)] {
        let output = decode(args, &format!("{good}{bad}{good}"));
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        let said = text(&output.stderr);
        let (reject, counts) = said.trim_end().rsplit_once('\n').expect("two lines");
        assert!(counts.starts_with("1 rejects, 3 frames, 2 records"), "{counts}");
        let reject: Value = serde_json::from_str(reject).expect("JSON");
        assert_eq!((&reject["type"], &reject["reason"]), (&"reject".into(), &"count_mismatch".into()), "{reject}");
        assert_eq!(text(&output.stdout).lines().count(), 2, "the good ones go on");
    }
}

#[test]
fn demo_and_the_readers_of_its_journal_keep_their_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let dir = journal.to_str().expect("text");
    let demo = hoga(&["demo", "--seconds", "0.5", "--rate", "500", "--symbols", "5", "--journal", dir, "--json"]);
    assert_eq!(demo.status.code(), Some(0), "{}", text(&demo.stderr));
    let said = last_json(&demo);
    let contract = [
        "frames_sent",
        "records_sent",
        "frames_received",
        "records_journaled",
        "rejects",
        "gaps",
        "placement",
        "latency_ns",
    ];
    let told: Vec<&str> = keys(&said).into_iter().filter(|key| *key != "rejects_by_reason").collect();
    assert_eq!(told, contract);
    assert!(contract[..6].iter().all(|key| said[key].is_u64()) && said["placement"].is_string(), "{said}");
    let stages = ["kernel_to_read", "read_to_decoded", "decoded_to_committed", "kernel_to_committed"];
    assert_eq!(keys(&said["latency_ns"]), stages);
    for stage in stages {
        let values = &said["latency_ns"][stage];
        assert_eq!(keys(values), ["p50", "p90", "p99", "p999", "max"]);
        let values: Vec<u64> =
            ["p50", "p90", "p99", "p999", "max"].iter().filter_map(|key| values[key].as_u64()).collect();
        assert!(values.len() == 5 && values.is_sorted() && values[4] > 0, "{stage}: {values:?}");
    }
    assert_eq!((&said["frames_sent"], &said["records_sent"]), (&said["frames_received"], &said["records_journaled"]));

    let verify = hoga(&["verify", dir, "--json"]);
    assert_eq!(verify.status.code(), Some(0));
    let report = last_json(&verify);
    assert_eq!(report["state"], "clean");
    for stream in ["ticks", "raw"] {
        let found = &report["streams"][stream];
        let counts = ["records", "first_sequence", "last_sequence", "bytes"];
        assert!(counts.iter().all(|key| found[key].as_u64() > Some(0)), "{stream}: {found}");
        assert_eq!(found["findings"], Value::Array(Vec::new()));
        let dump = hoga(&["dump", dir, "--json", "--stream", stream]);
        assert_eq!(dump.status.code(), Some(0));
        let lines = text(&dump.stdout);
        assert_eq!(Some(lines.lines().count() as u64), found["records"].as_u64());
        for (line, sequence) in lines.lines().zip(1_u64..) {
            let record: Value = serde_json::from_str(line).expect("each line is a JSON object");
            assert_eq!(record["sequence"], sequence);
        }
    }
    let books = hoga(&["dump", dir, "--kind", "book", "--json", "--limit", "3"]);
    let books = text(&books.stdout);
    assert_eq!(books.lines().count(), 3);
    assert!(books.lines().all(|line| line.contains("\"type\":\"book\"")), "{books}");
    let tail = hoga(&["tail", dir, "--records", "4", "--json"]);
    assert_eq!((tail.status.code(), text(&tail.stdout).lines().count()), (Some(0), 4));
    assert_eq!(hoga(&["stat", dir, "--once", "--json"]).status.code(), Some(0));
    damaged_records_are_status_1(&journal);
}

fn damaged_records_are_status_1(journal: &Path) {
    let segment = journal.join("ticks/0000000001.seg");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[4096 + 60] ^= 0x40;
    std::fs::write(&segment, bytes).expect("written");
    let dir = journal.to_str().expect("text");
    let verify = hoga(&["verify", dir, "--json"]);
    assert_eq!(verify.status.code(), Some(1));
    let report = last_json(&verify);
    assert_eq!(
        (&report["state"], &report["streams"]["raw"]["state"]),
        (&"corrupt".into(), &"clean".into()),
        "{report}"
    );
    assert!(!report["streams"]["ticks"]["findings"].as_array().expect("a list").is_empty());
    assert_eq!(hoga(&["dump", dir]).status.code(), Some(1));
}
