//! A venue, a configuration of its app keys, and `hoga fetch` run as a program.

#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hoga::feed::kis::rest::Client;
use kis_sim::{AppKey, SimConfig, Venue};
use serde_json::Value;
use tempfile::TempDir;

use crate::rest_rig::{client, settings};

/// An evening after the simulated day.
pub const EVENING: &str = "2026-11-20T21:00:00";

pub struct Rig {
    pub folder: TempDir,
    pub venue: Venue,
    pub config: PathBuf,
}

impl Rig {
    /// A venue and a configuration that names its first `keys` app keys, calling so often a second with each.
    pub fn new(sim: SimConfig, keys: usize, per_second: f64) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let venue = Venue::start(sim).unwrap();
        let mut text = format!(
            "[journal]\ndir = {:?}\n[kis]\nrest_url = {:?}\n",
            folder.path().join("recorder"),
            venue.rest_url()
        );
        text += &format!(
            "[kis.rest]\ncalls_per_second = {per_second:?}\nkeys_dir = {:?}\nretry_delay_ms = 2\nbreaker_pause_ms = 20\ntoken_interval_s = 1\n",
            folder.path().join("keys")
        );
        for (number, key) in venue.config().app_keys[..keys].iter().enumerate() {
            let file = folder.path().join(format!("key{number}.toml"));
            write_secret(&file, key);
            text += &format!("[[kis.account]]\nname = \"k{number}\"\ncredentials_file = {file:?}\n");
        }
        text += "[[kis.subscribe]]\ntr = \"H0STCNT0\"\nkeys = [\"005930\"]\n";
        let config = folder.path().join("hoga.toml");
        fs::write(&config, text).unwrap();
        Rig { folder, venue, config }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client of the first app key, with the keys' folder of the program.
    pub fn client(&self) -> Client {
        client(&self.venue, &settings(self.folder.path()), 1)
    }

    pub fn symbols(&self, count: usize) -> Vec<String> {
        self.venue.symbols()[..count].iter().map(|symbol| symbol.code.clone()).collect()
    }

    /// `hoga fetch WHAT --config ... --as-of EVENING --json`, and more.
    pub fn command(&self, what: &str, out: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoga"));
        command.args(["fetch", what, "--config"]).arg(&self.config).arg("--out").arg(self.path(out)).arg("--json");
        if !args.contains(&"--as-of") {
            command.args(["--as-of", EVENING]);
        }
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end; exit status, the object, and what it said on stderr.
    pub fn fetch(&self, what: &str, out: &str, args: &[&str]) -> (i32, Value, String) {
        ended(self.command(what, out, args).output().unwrap())
    }

    /// Runs it and expects all of it to be had.
    pub fn whole(&self, what: &str, out: &str, args: &[&str]) -> Value {
        let (status, object, said) = self.fetch(what, out, args);
        assert_eq!(status, 0, "{said}{object}");
        object
    }
}

pub fn ended(output: Output) -> (i32, Value, String) {
    let text = String::from_utf8(output.stdout).unwrap();
    let object = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null);
    (output.status.code().unwrap_or(-1), object, String::from_utf8(output.stderr).unwrap())
}

fn write_secret(file: &Path, key: &AppKey) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(file, format!("app_key = {:?}\napp_secret = {:?}\n", key.app_key, key.app_secret)).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// All files of a folder by their path below it.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop().filter(|next| next.is_dir()) {
        for entry in fs::read_dir(&next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

/// The rows of a CSV file, each by the names of its columns.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    lines.map(|cells| names.iter().cloned().zip(cells).collect()).collect()
}

/// Won as a column shows it, from units of 1e-9.
pub fn won(px: i64) -> String {
    (px / hoga::tick::PX_SCALE).to_string()
}
