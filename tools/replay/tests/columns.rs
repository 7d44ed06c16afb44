//! A day recorded by the real engine, exported, and read back: by polars, pandas and pyarrow from the registry, by the
//! CSV reader, and by `hoga verify`.
//!
//! The Python libraries are installed once, into a folder beside the program; without a registry that part says so and
//! passes.

#[path = "../../../tests/rig/mod.rs"]
mod rig;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hoga::journal::{Start, Stream, Tailer, Verdict, verify};
use hoga::tick::RType;
use support::{NINE, SECOND, journal, lines, run, text};

const TRS: [&str; 2] = ["H0STCNT0", "H0STASP0"];
/// What researchers use; pinned, so that a test that fails means us.
const PACKAGES: [&str; 3] = ["polars==2.1.0", "pandas==3.1.1", "pyarrow==26.0.1"];

/// Python with the libraries; `None`, said, when the registry can't be reached.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_hoga-replay")).parent()?.parent()?;
    let venv = target.join("venv-columns");
    let python = venv.join("bin/python");
    let ready = venv.join(PACKAGES.join("-"));
    if ready.exists() {
        return Some(python);
    }
    let did = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let made = did(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        && did(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    if !made {
        rig::policy::skip("polars, pandas and pyarrow", "there is no python3 with venv, or no registry of packages");
        return None;
    }
    fs::write(&ready, "").expect("a mark");
    Some(python)
}

#[test]
fn polars_and_pandas_read_the_export_with_types_prices_and_times_intact() {
    let played = rig::play(rig::sim(12, 2.0, 1500.0), &TRS);
    let dir = text(&played.dir);
    let path = |name: &str| played.folder.path().join(name);
    let jsonl = lines(&["play", dir]);
    assert_eq!(jsonl.len(), played.ticks.len());
    fs::write(path("lines"), jsonl.join("\n")).unwrap();
    for format in ["parquet", "arrow", "csv"] {
        let out = path(format);
        let output = run(&["export", dir, "--format", format, "--out", text(&out), "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["records"], played.ticks.len());
        let again = run(&["export", dir, "--format", format, "--out", text(&out)]);
        assert_eq!(again.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));
        assert!(run(&["export", dir, "--format", format, "--out", text(&out), "--force"]).status.success());
    }
    csv_agrees(&path("csv"), &jsonl);
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_columns.py");
    let output = Command::new(python)
        .arg(script)
        .args([path("lines"), path("parquet"), path("arrow")])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("values agree"), "{said}");
}

/// Every cell of what CSV and JSON both have.
fn csv_agrees(folder: &Path, jsonl: &[String]) {
    let mut compared = 0;
    for kind in ["trade", "session", "instrument"] {
        let mut reader = csv::Reader::from_path(folder.join(format!("{kind}.csv"))).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        let wanted: Vec<serde_json::Value> = jsonl
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|record: &serde_json::Value| record["type"] == kind)
            .collect();
        assert_eq!(rows.len(), wanted.len(), "{kind}");
        for (row, record) in rows.iter().zip(&wanted) {
            for (name, cell) in header.iter().zip(row) {
                let expected = match &record[name] {
                    serde_json::Value::Null => String::new(),
                    serde_json::Value::String(text) => text.clone(),
                    serde_json::Value::Array(names) => {
                        names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join("|")
                    }
                    other => other.to_string(),
                };
                assert_eq!(cell, expected, "{kind}.{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1000);
}

#[test]
fn a_new_journal_keeps_sequences_and_verifies_clean_whole_or_in_part() {
    let played = rig::play(rig::sim(5, 3.0, 800.0), &TRS);
    let dir = text(&played.dir);
    let bytes_of = |dir: &Path, stream| -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap().with_crc_check(true);
        // Behind length and checksum, which has another salt.
        tailer.poll(usize::MAX, |record| records.push(record.bytes[8..].to_vec())).unwrap();
        records
    };
    let whole = played.folder.path().join("whole");
    assert!(run(&["export", dir, "--format", "journal", "--out", text(&whole)]).status.success());
    for stream in [Stream::Ticks, Stream::Raw] {
        assert_eq!(bytes_of(&whole, stream), bytes_of(&played.dir, stream), "{}", stream.name());
    }
    let part = played.folder.path().join("part");
    let symbol = &played.trades()[0].0;
    let args = ["--symbol", symbol, "--kind", "trade", "--from", "50"];
    assert!(
        run(&[["export", dir, "--format", "journal", "--out", text(&part)].as_slice(), &args].concat())
            .status
            .success()
    );
    for made in [&whole, &part] {
        let report = verify(made, |_, _, _, _| {}).unwrap();
        assert_eq!(report.state, Verdict::Clean, "{report:?}");
    }
    let is_hole = |line: &String| line.contains(&format!("\"type\":\"{}\"", RType::Hole.name()));
    let of_part: Vec<_> = lines(&["play", text(&part)]).into_iter().filter(|line| !is_hole(line)).collect();
    assert_eq!(of_part, lines(&[["play", dir].as_slice(), &args].concat()), "the same lines, sequences and symbols");
    assert!(!of_part.is_empty());
    let several =
        run(&["export", dir, text(&whole), "--format", "journal", "--out", text(&played.folder.path().join("both"))]);
    assert_eq!(several.status.code(), Some(2), "two journals have the same sequences");
}

#[test]
fn journals_go_into_one_file_with_one_instrument_a_market_and_symbol_and_prices_of_any_size() {
    let folder = tempfile::tempdir().unwrap();
    // Beyond 18 digits: the columns widen, nothing is rounded.
    let huge = 9_223_372_036;
    let one = journal(&folder.path().join("one"), 0, &[("A", NINE, NINE, 1), ("B", NINE + 2, NINE, huge)]);
    let two = journal(&folder.path().join("two"), 0, &[("B", NINE + 1, NINE, 3), ("A", NINE + 3600 * SECOND, NINE, 4)]);
    let out = folder.path().join("out");
    let output =
        run(&["export", text(&one), text(&two), "--kind", "trade", "--format", "parquet", "--out", text(&out)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["trade.parquet"], "no other kind, no temporary file");

    use arrow::array::{AsArray as _, cast::as_dictionary_array};
    use arrow::datatypes::{Decimal128Type, Int32Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = fs::File::open(out.join("trade.parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(builder.metadata().num_row_groups(), 2, "a group ends with the hour");
    let (mut px, mut symbols) = (Vec::new(), Vec::new());
    for batch in builder.build().unwrap() {
        let batch = batch.unwrap();
        px.extend(batch["px"].as_primitive::<Decimal128Type>().values().iter().map(|px| px / 1_000_000_000));
        let column = as_dictionary_array::<Int32Type>(&batch["symbol"]);
        let names = column.downcast_dict::<arrow::array::StringArray>().unwrap();
        symbols.extend(names.into_iter().map(|name| name.unwrap().to_owned()));
    }
    assert_eq!(px, [1, 3, i128::from(huge), 4]);
    assert_eq!(symbols, ["A", "B", "B", "A"]);
}
