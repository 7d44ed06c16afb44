//! `hoga stat` as its users meet it: output, exit status, what it says of engines that are gone.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hoga::metrics::{ConnectionState, Counter, EngineState, FILE_NAME, Latency, Metrics};
use hoga::tick::RejectReason;
use serde_json::Value;

fn stat(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hoga")).arg("stat").arg(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `look` beside an engine that counts a frame each millisecond, then stops it in order.
fn beside_an_engine(folder: &Path, look: impl FnOnce()) {
    let (metrics, mut collector) = Metrics::create(folder, &[("placement", "one thread")]).unwrap();
    let counters = metrics.counters("reader").unwrap();
    let (status, traffic) = metrics.connection(3, "127.0.0.1:21000").unwrap();
    status.set_state(ConnectionState::Live, 1);
    status.set_registrations(2, 1);
    counters.set(Counter::FrameRingCapacityBytes, 1 << 20);
    counters.max(Counter::FrameRingHighWaterBytes, 1 << 18);
    counters.reject(RejectReason::UnknownTr);
    metrics.set_state(EngineState::Running);
    let stop = AtomicBool::new(false);
    let should_stop = &stop;
    let mut stage = collector.stage_histogram();
    thread::scope(|scope| {
        scope.spawn(move || {
            while !should_stop.load(Ordering::Relaxed) {
                counters.add(Counter::FramesReceived, 1);
                traffic.received(1, 300, 1);
                stage.record(Latency::KernelToRead, 4_800);
                stage.exchange();
                collector.poll();
                thread::sleep(Duration::from_millis(1));
            }
            stage.finish();
            collector.finish();
        });
        // Stops the engine when a look fails, too.
        let _stop = StopOnDrop(&stop);
        look();
    });
}

#[test]
fn json_of_a_running_engine_has_rates_latencies_rings_rejects_and_connections() {
    let folder = tempfile::tempdir().unwrap();
    beside_an_engine(folder.path(), || {
        let output = stat(folder.path(), &["--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["health"], "running");
        assert_eq!(report["state"], "running");
        assert_eq!(report["pid"], std::process::id());
        assert_eq!(report["info"]["placement"], "one thread");
        assert_eq!(report["stopped_ns"], Value::Null);
        assert_eq!(report["window_is_since_start"], false);
        let rate = report["rates_per_second"]["frames_received"].as_f64().unwrap();
        assert!((1.0..=1000.0).contains(&rate), "{rate}");
        assert!(report["counters"]["frames_received"].as_u64().unwrap() > 0);
        assert_eq!(report["counters"]["rejects"], 1);
        assert_eq!(report["rejects_by_reason"], serde_json::json!({"unknown_tr": 1}));
        assert_eq!(report["rings"]["frame"]["capacity_bytes"], 1 << 20);
        assert_eq!(report["rings"]["frame"]["high_water_bytes"], 1 << 18);
        let total = &report["latencies_ns"]["kernel_to_read"]["total"];
        let p50 = total["p50"].as_u64().unwrap();
        assert!((4_800..4_848).contains(&p50), "{p50}");
        assert!(total["count"].as_u64().unwrap() > 0);
        assert!(report["latencies_ns"]["kernel_to_read"]["window"]["count"].is_u64());
        let line = &report["connections"][0];
        assert_eq!((&line["line"], &line["label"]), (&Value::from(3), &Value::from("127.0.0.1:21000")));
        assert_eq!((&line["state"], &line["registrations_confirmed"]), (&Value::from("live"), &Value::from(1)));
    });
}

#[test]
fn watch_with_json_gives_one_object_a_line_until_the_engine_stops() {
    let folder = tempfile::tempdir().unwrap();
    let watching = thread::scope(|scope| {
        let mut watching = None;
        beside_an_engine(folder.path(), || {
            watching = Some(scope.spawn(|| stat(folder.path(), &["--json", "--watch=0.1"])));
            thread::sleep(Duration::from_millis(800));
        });
        watching.unwrap().join().unwrap()
    });
    assert_eq!(watching.status.code(), Some(0));
    let lines: Vec<Value> = text(&watching.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() >= 2, "{} lines", lines.len());
    assert_eq!(lines.last().unwrap()["health"], "stopped");
}

#[test]
fn text_into_a_pipe_is_plain_and_says_that_the_engine_stopped() {
    let folder = tempfile::tempdir().unwrap();
    beside_an_engine(folder.path(), || {
        let output = text(&stat(folder.path(), &[]).stdout);
        assert!(output.contains("engine running"), "{output}");
        assert!(output.contains("frames received") && output.contains("unknown_tr 1"), "{output}");
        assert!(output.contains("frame: 256 KiB of 1.00 MiB (25 %)"), "{output}");
        assert!(!output.contains('\x1b'), "{output}");
    });
    let output = stat(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("NOT RUNNING, stopped in order"), "{}", text(&output.stdout));
}

/// Not a test of its own: an engine that dies without a word.
#[test]
fn engine_that_is_killed() {
    let Some(folder) = std::env::var_os("HOGA_TEST_KILLED_FOLDER") else { return };
    let (metrics, mut collector) = Metrics::create(Path::new(&folder), &[]).unwrap();
    metrics.set_state(EngineState::Running);
    metrics.counters("reader").unwrap().add(Counter::FramesReceived, 41);
    collector.poll();
    std::process::abort();
}

#[test]
fn a_killed_engine_is_called_dead_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine_that_is_killed"])
        .env("HOGA_TEST_KILLED_FOLDER", folder.path())
        .output()
        .unwrap();
    assert!(!died.status.success());
    let report: Value = serde_json::from_slice(&stat(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!((&report["health"], &report["state"]), (&Value::from("dead"), &Value::from("running")));
    assert_eq!(report["counters"]["frames_received"], 41);
    let shown = text(&stat(folder.path(), &[]).stdout);
    assert!(shown.contains("NOT RUNNING, killed or crashed"), "{shown}");
}

#[test]
fn a_folder_without_metrics_is_exit_2_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = stat(folder.path(), &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("Give the journal's folder"), "{}", text(&output.stderr));
    std::fs::write(folder.path().join(FILE_NAME), b"not a metrics file, but long enough to look at").unwrap();
    let output = stat(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no sound metrics file"), "{}", text(&output.stderr));
}
