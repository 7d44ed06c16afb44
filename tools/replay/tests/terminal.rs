//! `hoga-replay play` on a terminal: its keys, its signals, and the mode it leaves behind.

mod support;

use std::process::Command;

use support::{Line, MS, NINE, journal, text};

#[test]
fn keys_and_signals_pause_step_and_end_a_replay_and_the_terminal_gets_its_mode_back() {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("HOGA_ALL").is_none(), "python3 is not there");
        eprintln!("skipped: keys of a terminal, because python3 is not there");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Ten records a second for five minutes: it is never over before it is ended.
    let trades: Vec<Line<'_>> = (0..3000).map(|at| ("005930", NINE + at * 100 * MS, NINE, at as i64 + 1)).collect();
    let dir = journal(&folder.path().join("journal"), 20_261_123, &trades);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/terminal.py");
    let output = Command::new("python3")
        .args([script, env!("CARGO_BIN_EXE_hoga-replay"), text(&dir)])
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen.len(), 13, "{seen:?}");
    assert!(seen.values().all(|held| held.as_bool() == Some(true)), "{seen:#?}");
}
