//! What the environment asks of the tests: their long forms (`HOGA_LONG=1`), and that nothing is left out (`HOGA_ALL=1`).
#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Display;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Whether the long forms are asked for.
pub fn is_long() -> bool {
    is_set("HOGA_LONG")
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value == "1")
}

/// Says on stderr what is not tested here, and why; where nothing may be left out that is a failure.
pub fn skip(what: &str, why: impl Display) {
    assert!(!is_set("HOGA_ALL"), "HOGA_ALL=1, but not to be tested here: {what}, because {why}");
    // Not by a macro: the test harness would keep it for itself.
    let _ = writeln!(std::io::stderr(), "skipped: {what}, because {why}");
}

/// Whether all these programs are here; if not, says what is skipped because of that.
pub fn has(programs: &[&str], what: &str) -> bool {
    let absent = |program: &&&str| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    };
    match programs.iter().find(absent) {
        None => true,
        Some(program) => {
            skip(what, format!("there is no `{program}`"));
            false
        }
    }
}
