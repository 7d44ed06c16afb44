//! What the metrics file promises to other threads and processes, whatever the file holds.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hoga::metrics::{
    ConnectionState, Counter, EngineState, FILE_NAME, Health, Latency, Metrics, MetricsError, MetricsReader,
};
use hoga::tick::{Findings, RejectReason};

const FOLDER_VARIABLE: &str = "HOGA_TEST_METRICS_FOLDER";

fn now_ns() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

#[test]
fn counters_of_several_threads_add_up_and_marks_take_the_largest() {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, mut collector) = Metrics::create(folder.path(), &[]).unwrap();
    thread::scope(|scope| {
        for index in 0..4_u64 {
            let counters = metrics.counters(&format!("thread {index}")).unwrap();
            scope.spawn(move || {
                for _ in 0..10_000 {
                    counters.add(Counter::FramesReceived, 2);
                    counters.reject(RejectReason::ALL[index as usize]);
                    counters.findings(Findings(Findings::DUPLICATE));
                }
                counters.max(Counter::FrameRingHighWaterBytes, 100 + index);
                counters.max(Counter::FrameRingHighWaterBytes, 5);
            });
        }
    });
    collector.poll();
    let snapshot = MetricsReader::open(folder.path()).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.counters, metrics.counter_values());
    assert_eq!(snapshot.counters.get(Counter::FramesReceived), 80_000);
    assert_eq!(snapshot.counters.get(Counter::Rejects), 40_000);
    assert_eq!(snapshot.counters.rejects(RejectReason::ALL[3]), 10_000);
    assert_eq!(snapshot.counters.findings(2), 40_000);
    assert_eq!(snapshot.counters.get(Counter::FrameRingHighWaterBytes), 103);
    let names: Vec<_> = snapshot.threads.iter().map(|thread| thread.name.as_str()).collect();
    assert_eq!(names, ["thread 0", "thread 1", "thread 2", "thread 3"]);
}

/// Goal: between an odd and the next even version a reader never mixes publications. Method: each publication holds the
/// same number of samples in all four histograms; a torn read would show different ones or bytes that are no histogram.
#[test]
fn a_reader_never_sees_a_torn_histogram() {
    let folder = tempfile::tempdir().unwrap();
    let (_metrics, mut collector) = Metrics::create(folder.path(), &[]).unwrap();
    collector.set_period(Duration::ZERO);
    let mut stage = collector.stage_histogram();
    let reader = MetricsReader::open(folder.path()).unwrap();
    let stop = AtomicBool::new(false);
    let rounds = if cfg!(debug_assertions) { 400 } else { 1_000 };
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let (mut looks, mut last) = (0_u64, 0);
            while !stop.load(Ordering::Relaxed) || looks < 20 {
                let Some(latencies) = reader.snapshot().unwrap().latencies else { continue };
                let counts = Latency::ALL.map(|latency| latencies.summary(latency).count);
                assert!(counts.iter().all(|count| *count == counts[0]), "torn: {counts:?}");
                assert!(counts[0] >= last, "went back from {last} to {}", counts[0]);
                last = counts[0];
                looks += 1;
            }
            looks
        });
        for round in 0..rounds {
            for sample in 0..50_u64 {
                let ns = (round * 50 + sample).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (sample % 40 + 24);
                Latency::ALL.into_iter().for_each(|latency| stage.record(latency, ns));
            }
            stage.exchange();
            collector.poll();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(looking.join().unwrap() >= 20);
    });
    drop(stage);
    let count = collector.finish().summary(Latency::ReadToDecoded).count;
    assert_eq!(count, rounds * 50);
    let latencies = reader.snapshot().unwrap().latencies.unwrap();
    assert_eq!(latencies.summary(Latency::ReadToDecoded).count, count);
}

/// Not a test of its own: what the other process does in `another_process_reads_while_the_engine_writes`.
#[test]
fn read_from_another_process() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let snapshot = MetricsReader::open(Path::new(&folder)).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.health(now_ns()), Health::Running);
    assert_ne!(snapshot.pid, u64::from(std::process::id()));
    assert_eq!(snapshot.info("placement"), Some("2 threads"));
    assert_eq!(snapshot.counters.get(Counter::RecordsJournaled), 12);
    assert_eq!(snapshot.connections[0].label, "127.0.0.1:21000");
    assert_eq!(snapshot.connections[0].state, Some(ConnectionState::Live));
    assert_eq!((snapshot.connections[0].frames, snapshot.connections[0].confirmed), (3, 40));
    assert_eq!(snapshot.latencies.unwrap().summary(Latency::KernelToRead).count, 1);
}

#[test]
fn another_process_reads_while_the_engine_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, mut collector) = Metrics::create(folder.path(), &[("placement", "2 threads")]).unwrap();
    let counters = metrics.counters("journal").unwrap();
    let (status, traffic) = metrics.connection(0, "127.0.0.1:21000").unwrap();
    let mut stage = collector.stage_histogram();
    metrics.set_state(EngineState::Running);
    status.set_state(ConnectionState::Live, now_ns());
    status.set_registrations(40, 40);
    traffic.received(3, 900, now_ns());
    counters.add(Counter::RecordsJournaled, 12);
    stage.record(Latency::KernelToRead, 4_800);
    collector.poll();
    stage.exchange();
    collector.poll();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "read_from_another_process", "--nocapture"])
        .env(FOLDER_VARIABLE, folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_new_engine_replaces_the_file_and_the_old_mapping_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, collector) = Metrics::create(folder.path(), &[]).unwrap();
    let counters = metrics.counters("old").unwrap();
    counters.add(Counter::FramesReceived, 5);
    let old = MetricsReader::open(folder.path()).unwrap();
    assert!(!old.is_replaced());
    drop(collector.finish());
    let (_metrics, _collector) = Metrics::create(folder.path(), &[]).unwrap();
    assert!(old.is_replaced());
    let snapshot = old.snapshot().unwrap();
    assert!(matches!(snapshot.health(now_ns()), Health::Stopped { .. }));
    assert_eq!(snapshot.counters.get(Counter::FramesReceived), 5);
    let new = MetricsReader::open(folder.path()).unwrap().snapshot().unwrap();
    assert_eq!(new.state, EngineState::Starting);
    assert_eq!(new.counters.get(Counter::FramesReceived), 0);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [FILE_NAME], "a draft was left behind");
}

#[test]
fn blocks_and_lines_are_bounded_and_never_shared() {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, _collector) = Metrics::create(folder.path(), &[]).unwrap();
    let line = metrics.connection(255, "a").unwrap();
    assert!(matches!(metrics.connection(255, "b"), Err(MetricsError::Line { line: 255 })));
    assert!(matches!(metrics.connection(256, "c"), Err(MetricsError::Line { line: 256 })));
    let blocks: Vec<_> = (0..hoga::metrics::COUNTER_BLOCKS).map(|_| metrics.counters("x").unwrap()).collect();
    assert!(matches!(metrics.counters("one more"), Err(MetricsError::TooManyWriters { .. })));
    drop((line, blocks));
}

fn sound_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (metrics, mut collector) = Metrics::create(folder.path(), &[("placement", "one thread")]).unwrap();
    metrics.counters("reader").unwrap().add(Counter::FramesReceived, 1);
    metrics.connection(0, "127.0.0.1:21000").unwrap().0.set_state(ConnectionState::Live, 1);
    let mut stage = collector.stage_histogram();
    (0..500).for_each(|ns| stage.record(Latency::KernelToRead, ns * ns));
    stage.finish();
    collector.finish();
    fs::read(folder.path().join(FILE_NAME)).unwrap()
}

/// Opens and reads a file of these bytes; whatever it says, it must say it without a panic.
fn look_at(folder: &Path, bytes: &[u8]) -> Result<(), MetricsError> {
    fs::write(folder.join(FILE_NAME), bytes).unwrap();
    look(folder)
}

fn look(folder: &Path) -> Result<(), MetricsError> {
    let snapshot = MetricsReader::open(folder)?.snapshot()?;
    let _ = snapshot.health(now_ns());
    if let Some(latencies) = &snapshot.latencies {
        assert!(Latency::ALL.iter().all(|latency| latencies.summary(*latency).count <= 1 << 60));
    }
    Ok(())
}

#[test]
fn a_hostile_file_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(MetricsReader::open(folder.path()), Err(MetricsError::Open { .. })));
    let sound = sound_file();
    look_at(folder.path(), &sound).unwrap();
    for cut in [0, 1, 7, 8, 64, 256, 4096, sound.len() / 2, sound.len() - 8, sound.len() - 1] {
        let error = look_at(folder.path(), &sound[..cut]).unwrap_err();
        assert!(matches!(error, MetricsError::Malformed { .. } | MetricsError::Version { .. }), "cut {cut}: {error}");
    }

    let seed = std::env::var("HOGA_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x2545_F491_4F6C_DD1D);
    println!("seed {seed} (HOGA_TEST_SEED takes it back)");
    let mut state: u64 = seed;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let noise: Vec<u8> = (0..sound.len()).map(|_| random() as u8).collect();
    assert!(look_at(folder.path(), &noise).is_err());
    // Random words in a sound file, most where the parsing is: head, text, the first block, the head of a histogram.
    let latencies = 16_896 * 8;
    fs::write(folder.path().join(FILE_NAME), &sound).unwrap();
    let file = fs::OpenOptions::new().write(true).open(folder.path().join(FILE_NAME)).unwrap();
    for round in 0..3_000 {
        let bent: Vec<(usize, u8)> = (0..1 + random() % 3)
            .map(|_| {
                let at = match random() % 4 {
                    0 => random() as usize % 512,
                    1 => latencies + random() as usize % 1024,
                    2 => random() as usize % 32_768,
                    _ => random() as usize % sound.len(),
                };
                (at, if round % 2 == 0 { 0xff } else { random() as u8 })
            })
            .collect();
        bent.iter().for_each(|(at, value)| file.write_all_at(&[*value], *at as u64).unwrap());
        let _ = look(folder.path());
        bent.iter().for_each(|(at, _)| file.write_all_at(&sound[*at..=*at], *at as u64).unwrap());
    }
    look(folder.path()).unwrap();
}
