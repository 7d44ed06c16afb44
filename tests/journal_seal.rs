//! Sealing: what is over is sealed, once, in a chain; being killed between any two steps changes nothing but the time.

mod journal_support;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use hoga::journal::{
    Journal, Manifest, SealError, SealEvent, SealOptions, Start, Stream, Tailer, Verdict, seal, seal_with, verify,
};
use hoga::tick::words_of;
use journal_support::*;

const DAYS: [u32; 3] = [20_261_123, 20_261_124, 20_261_125];

fn day(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

/// Three days of `records` pairs each; the third is being written.
fn three_days(dir: &Path, records: u64) -> Journal {
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    journal.ticks.append(words_of(&mut instrument(1))).unwrap();
    for (at, date) in DAYS.into_iter().enumerate() {
        journal.ticks.set_trading_date(date).unwrap();
        journal.raw.as_mut().unwrap().set_trading_date(date).unwrap();
        for number in 1..=records {
            append_pair(&mut journal, at as u64 * records + number);
        }
    }
    journal
}

fn findings(dir: &Path) -> Vec<String> {
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    let findings = report.streams.into_iter().flat_map(|(_, found)| found.findings);
    findings.map(|finding| format!("{} {}: {}", finding.verdict.name(), finding.segment, finding.reason)).collect()
}

fn read_both(dir: &Path) -> [Vec<(u64, Vec<u8>)>; 2] {
    [Stream::Ticks, Stream::Raw].map(|stream| read_all(dir, stream))
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["ticks", "raw", "seals"] {
        for entry in fs::read_dir(dir.join(folder)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name != "control") {
                let mut bytes = fs::read(&path).unwrap();
                if folder == "seals" {
                    // When, and what is computed over it.
                    let text = String::from_utf8(bytes).unwrap();
                    let lines =
                        text.lines().filter(|line| !line.contains("sealed_ns") && !line.starts_with("  \"digest\""));
                    bytes = lines.collect::<Vec<_>>().join("\n").into_bytes();
                }
                found.insert(path.strip_prefix(dir).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

#[test]
fn a_day_that_is_over_is_sealed_once_and_verifies() {
    let folder = scratch();
    let dir = folder.path();
    let journal = three_days(dir, 100);
    let before = read_both(dir);
    // The second day brings the first with it: the chain has no hole.
    let report = seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    let days: Vec<String> = report.sealed.keys().map(ToString::to_string).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-24"]);
    let records: u64 = report.sealed.values().flatten().map(|entry| entry.records).sum();
    assert_eq!(records, 401, "two streams of two days, and a definition");
    assert_eq!(findings(dir), [""; 0]);
    let manifest = fs::read(dir.join("seals/2026-11-23.json")).unwrap();
    let again = seal(dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    assert!(again.sealed.is_empty() && again.already > 0);
    assert_eq!(fs::read(dir.join("seals/2026-11-23.json")).unwrap(), manifest, "nothing sealed is sealed anew");
    assert_eq!(read_both(dir), before);
    for stream in [Stream::Ticks, Stream::Raw] {
        assert!(report.sealed.values().flatten().any(|entry| entry.stream == stream.name()));
    }
    drop(journal);
}

#[test]
fn a_day_that_is_written_or_whose_writer_died_is_not_sealed() {
    let folder = scratch();
    let dir = folder.path();
    assert!(matches!(seal(dir, day("2026-11-23"), SealOptions::default(), |_| {}), Err(SealError::NoJournal(_))));
    let journal = three_days(dir, 100);
    let refused = |what: &str| {
        let error = seal(dir, day("2026-11-25"), SealOptions::default(), |_| {}).unwrap_err();
        assert!(matches!(error, SealError::NotOver { .. }), "{what}: {error}");
        assert!(!dir.join("seals/2026-11-25.json").exists(), "{what}");
        assert!(dir.join("seals/2026-11-24.json").exists(), "{what}: the days before are over");
    };
    refused("live");
    drop(journal);
    refused("dead");
    Journal::open(dir, small(8 << 10)).unwrap().close().unwrap();
    seal(dir, day("2026-11-25"), SealOptions::default(), |_| {}).unwrap();
    assert_eq!(findings(dir), [""; 0]);
    let error = seal(dir, day("2026-11-22"), SealOptions::default(), |_| {}).unwrap_err();
    assert!(matches!(error, SealError::NoSuchDay { .. }), "{error}");
    // The same day goes on after its seal: what comes is sealed by the next run, into the same manifest.
    let mut journal =
        Journal::open(dir, hoga::journal::JournalConfig { trading_date: DAYS[2], ..small(8 << 10) }).unwrap();
    append_pair(&mut journal, 301);
    journal.close().unwrap();
    let report = seal(dir, day("2026-11-25"), SealOptions::default(), |_| {}).unwrap();
    assert!(report.sealed.values().flatten().count() >= 2 && report.already > 0);
    assert_eq!(findings(dir), [""; 0]);
}

#[test]
fn a_seal_killed_at_any_step_leaves_a_clean_journal_and_the_next_run_ends_it() {
    let folder = scratch();
    let whole = folder.path().join("whole");
    let journal = three_days(&whole, 100);
    journal.close().unwrap();
    let killed = folder.path().join("killed");
    let before = read_both(&whole);
    copy(&whole, &killed);
    let options = SealOptions { compress_to: Some(day("2026-11-24")) };
    let mut steps = 0;
    seal_with(&whole, day("2026-11-24"), options, &mut |event| {
        steps += u32::from(matches!(event, SealEvent::Step(_)));
        Ok(())
    })
    .unwrap();
    assert!(steps > 20, "{steps}");
    let expected = files(&whole);
    assert!(expected.keys().any(|path| path.to_string_lossy().ends_with("seg.zst")));
    for at in 0..steps {
        let dir = folder.path().join("copy");
        copy(&killed, &dir);
        let mut left = at;
        let died = seal_with(&dir, day("2026-11-24"), options, &mut |event| match event {
            SealEvent::Step(_) if left == 0 => Err(io::ErrorKind::Interrupted.into()),
            SealEvent::Step(_) => {
                left -= 1;
                Ok(())
            }
            _ => Ok(()),
        });
        assert!(matches!(died, Err(SealError::Io { .. })), "step {at}");
        assert_eq!(findings(&dir), [""; 0], "step {at}");
        assert_eq!(read_both(&dir), before, "step {at}");
        seal(&dir, day("2026-11-24"), options, |_| {}).unwrap();
        assert_eq!(files(&dir), expected, "step {at}");
        fs::remove_dir_all(&dir).unwrap();
    }
    // Half a file of a run that died while it wrote.
    fs::write(killed.join("ticks/0000000001.seg.zst.part"), b"half").unwrap();
    fs::write(killed.join("ticks/0000000001.idx.part"), b"half").unwrap();
    seal(&killed, day("2026-11-24"), options, |_| {}).unwrap();
    assert_eq!(files(&killed), expected);
}

#[test]
fn any_change_of_what_was_sealed_is_named() {
    let folder = scratch();
    let good = folder.path().join("good");
    three_days(&good, 100).close().unwrap();
    seal(&good, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap();
    let after = |change: &dyn Fn(&Path)| {
        let dir = folder.path().join("changed");
        copy(&good, &dir);
        change(&dir);
        let found = findings(&dir);
        fs::remove_dir_all(&dir).unwrap();
        found
    };
    let edit = |dir: &Path, name: &str, from: &str, to: &str| {
        let text = fs::read_to_string(dir.join(name)).unwrap();
        assert!(text.contains(from), "{from} in {name}");
        fs::write(dir.join(name), text.replacen(from, to, 1)).unwrap();
    };
    let manifest = "seals/2026-11-23.json";
    let changed = after(&|dir| edit(dir, manifest, "\"records\": ", "\"records\":  "));
    assert!(changed.len() == 1 && changed[0].contains("manifest is damaged: digest"), "{changed:?}");
    let changed = after(&|dir| fs::write(dir.join(manifest), "{").unwrap());
    assert!(changed.iter().any(|finding| finding.starts_with(&format!("corrupt {manifest}"))), "{changed:?}");
    // A manifest taken away whole breaks the chain of the next.
    let changed = after(&|dir| fs::remove_file(dir.join(manifest)).unwrap());
    assert!(changed.iter().any(|finding| finding.contains("another seal stands before it")), "{changed:?}");
    // A record replaced by another good one, its checksum right: only the digest knows.
    let changed = after(&|dir| {
        let other = folder.path().join("other");
        let journal = three_days(&other, 101);
        drop(journal);
        fs::copy(segment(&other, Stream::Ticks, 1), segment(dir, Stream::Ticks, 1)).unwrap();
        fs::remove_dir_all(&other).unwrap();
    });
    assert!(changed.iter().any(|finding| finding.contains("was sealed with")), "{changed:?}");
    let changed = after(&|dir| fs::remove_file(segment(dir, Stream::Raw, 1)).unwrap());
    assert_eq!(changed, ["corrupt raw/0000000001.seg: the segment is missing"]);
    // Damage is never sealed.
    let dir = folder.path().join("damaged");
    three_days(&dir, 100).close().unwrap();
    let path = segment(&dir, Stream::Ticks, 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = seal(&dir, day("2026-11-24"), SealOptions::default(), |_| {}).unwrap_err();
    assert!(matches!(&error, SealError::Damaged(finding) if finding.segment == "ticks/0000000002.seg"), "{error}");
    // What stands before it is, and the other stream.
    let manifests = Manifest::read_all(&dir).unwrap();
    let sealed = manifests.iter().flat_map(|(_, manifest)| &manifest.as_ref().unwrap().segments);
    let ticks: Vec<u64> = sealed.filter(|entry| entry.stream == "ticks").map(|entry| entry.ordinal).collect();
    assert_eq!(ticks, [1]);
}

#[test]
fn plain_tools_check_digest_chain_and_manifest() {
    if !policy::has(&["python3"], "digests and manifests checked by plain tools") {
        return;
    }
    // Without it the script leaves out the bytes of compressed segments alone.
    policy::has(&["zstd"], "digests of compressed segments checked by plain tools");
    let folder = scratch();
    let dir = folder.path();
    three_days(dir, 100).close().unwrap();
    seal(dir, day("2026-11-24"), SealOptions { compress_to: Some(day("2026-11-23")) }, |_| {}).unwrap();
    let script = r#"
import hashlib, json, os, subprocess, sys
dir = sys.argv[1]
sealed, previous = 0, {}
for name in sorted(os.listdir(dir + "/seals")):
    text = open(dir + "/seals/" + name).read()
    day = json.loads(text)
    at = text.rindex(day["digest"])
    assert hashlib.sha256((text[:at] + "0" * 64 + text[at + 64:]).encode()).hexdigest() == day["digest"]
    for entry in day["segments"]:
        stream, ordinal = entry["stream"], entry["ordinal"]
        path = f"{dir}/{stream}/{ordinal:010}.seg"
        if os.path.exists(path):
            data = open(path, "rb").read()[:entry["bytes"]]
        else:
            try:
                data = subprocess.run(["zstd", "-dc", path + ".zst"], capture_output=True, check=True).stdout
            except FileNotFoundError:
                data = None
        if data is not None:
            assert len(data) == entry["bytes"]
            assert hashlib.sha256(data).hexdigest() == entry["digest"], path
        said = ["hoga-seal 1", previous.get(stream, "0" * 64), stream, ordinal, entry["trading_date"],
                entry["first_sequence"], entry["last_sequence"], entry["bytes"], entry["digest"]]
        seal = hashlib.sha256("".join(f"{line}\n" for line in said).encode()).hexdigest()
        assert seal == entry["seal"]
        previous[stream] = seal
        sealed += 1
print(sealed)
"#;
    let output = Command::new("python3").arg("-c").arg(script).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sealed: usize = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let manifests = Manifest::read_all(dir).unwrap();
    assert_eq!(sealed, manifests.iter().map(|(_, manifest)| manifest.as_ref().unwrap().segments.len()).sum::<usize>());
    assert!(sealed > 8);
}

#[test]
fn the_command_seals_and_tells_in_json_what() {
    let folder = scratch();
    let dir = folder.path().to_str().unwrap();
    let hoga = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_hoga")).args(args).output().unwrap();
    assert_eq!(hoga(&["seal", dir, "--day", "2026-11-23"]).status.code(), Some(2), "no journal");
    let journal = three_days(folder.path(), 100);
    assert_eq!(hoga(&["seal", dir, "--day", "23.11."]).status.code(), Some(2), "no day");
    let output = hoga(&["seal", dir, "--day", "20261124", "--compress", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["day"], "2026-11-24");
    assert_eq!(said["sealed"][0]["manifest"], "seals/2026-11-23.json");
    assert!(said["packed"].as_array().unwrap().len() > 8);
    assert_eq!(findings(folder.path()), [""; 0]);
    let text = String::from_utf8(hoga(&["seal", dir, "--day", "2026-11-24"]).stdout).unwrap();
    assert!(text.contains("sealed before"), "{text}");
    assert_eq!(hoga(&["seal", dir, "--day", "2026-11-25"]).status.code(), Some(1), "not over");
    drop(journal);
    assert_eq!(verify(folder.path(), |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    let mut tailer = Tailer::open(folder.path(), Stream::Ticks, Start::Beginning).unwrap();
    assert_eq!(tailer.poll(usize::MAX, |_| {}).unwrap().records, 301);
}

#[test]
fn the_command_tells_what_it_sealed_also_when_an_error_ends_it() {
    let folder = scratch();
    let (json, text) = (folder.path().join("json"), folder.path().join("text"));
    let hoga = |dir: &Path, args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hoga")).arg("seal").arg(dir).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "not over");
        assert!(String::from_utf8_lossy(&output.stderr).contains("2026-11-25 is not over"), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let journals = [three_days(&json, 100), three_days(&text, 100)];
    let said = hoga(&json, &["--day", "2026-11-25", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let days: Vec<_> = said["sealed"].as_array().unwrap().iter().map(|day| day["day"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-24"]);
    assert!(said["error"].as_str().unwrap().contains("is not over"), "{said}");
    let said = hoga(&text, &["--day", "2026-11-25"]);
    assert!(said.contains("2026-11-23: ") && said.contains("seals/2026-11-24.json"), "{said}");
    drop(journals);
}
