//! Goal: after the warm-up the data path allocates nothing per frame: buffer, framing, stream `raw` with its checksum,
//! decoder with continuity, stamps, histograms, stream `ticks`; fused, split over its rings, and behind a real socket.
//! Method: an allocator that counts what the measured thread asks for; segments roll inside the counted stretch.

mod counting;

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use counting::{ARMED, COUNT};
use crossbeam::queue::ArrayQueue;
use hoga::clock::TickClock;
use hoga::engine::Summary;
use hoga::engine::pipeline::{Pipeline, PipelineConfig};
use hoga::feed::kis::KisLine;
use hoga::journal::{JournalConfig, StreamConfig};
use hoga::metrics::{Counter, Latency};
use hoga::net::frames::{Event, FrameBuffer};
use hoga::net::{Command, Connection, ConnectionConfig, FrameMeta, Reader, ReaderConfig, connect};

/// Calls of the allocator by this thread during `work`, releases included.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNT.set(0);
    ARMED.set(true);
    work();
    ARMED.set(false);
    COUNT.get()
}

const FRAMES: usize = 20_000;
const WARM_UP: usize = 2_000;
const SYMBOLS: usize = 20;

/// Trades of 47 fields whose volumes add up (each hundredth frame leaves one out, which makes a gap), books of 63, every
/// tenth frame of several trades, and frames that nobody can read.
fn frames() -> Vec<String> {
    let mut cums = [1_000_u64; SYMBOLS];
    let mut trade = |n: usize, index: usize| {
        let (qty, px) = (1 + n as u64 % 97, 71_900 + n % 7 * 100);
        cums[index] += qty + if n % 100 == 99 { 50 } else { 0 };
        format!(
            "{:06}^0933{:02}^{px}^5^-100^-0.14^72023.83^72100^72400^71700^{}^{px}^{qty}^{}^{}^5105^6937^1832^84.90^1366314^1159996^1^0.39^20.28^090020^5^-200^090820^5^-500^092619^2^200^20261120^20^N^65945^216924^1118750^2199206^0.05^2424142^125.92^0^^72100^2",
            5_930 + index,
            n / 1000 % 60,
            px + 100,
            cums[index],
            cums[index] * 72_000
        )
    };
    let frame = |n: usize| {
        let index = n * 7 % SYMBOLS;
        if n % 1_000 == 998 {
            return "0|H0STCNT0|002|no^frame".to_owned();
        }
        if n % 10 == 9 {
            return format!("0|H0STCNT0|003|{}^{}^{}", trade(n, index), trade(n + 1, index), trade(n + 2, index));
        }
        if n % 3 == 1 {
            let levels = |from: usize, step: isize| -> String {
                (0..10).map(|level| format!("^{}", from as isize + level * step)).collect()
            };
            return format!(
                "0|H0STASP0|001|{:06}^093730^0{}{}{}{}^1159362^2095167^0^0^0^0^525579^-72000^5^-100.00^3159115^0^12^0^0^0^71850^0^0^2",
                5_930 + index,
                levels(72_000, 100),
                levels(71_900, -100),
                levels(4_000 + n % 100, 311),
                levels(9_000 + n % 100, -17),
            );
        }
        format!("0|H0STCNT0|001|{}", trade(n, index))
    };
    (0..FRAMES).map(frame).collect()
}

fn wire(frames: &[String]) -> Vec<u8> {
    let mut wire = Vec::new();
    for frame in frames {
        wire.extend_from_slice(&[0x81, 126]);
        wire.extend_from_slice(&(frame.len() as u16).to_be_bytes());
        wire.extend_from_slice(frame.as_bytes());
    }
    wire
}

/// Small segments: they roll many times inside the counted stretch.
fn config() -> PipelineConfig {
    let stream = StreamConfig { segment_bytes: 256 << 10, touch_ahead_bytes: 64 << 10 };
    let stall_max = Duration::from_secs(20);
    let journal = JournalConfig { ticks: stream, raw: Some(stream), stall_max, ..JournalConfig::default() };
    PipelineConfig { journal, instruments_max: 64, ..PipelineConfig::default() }
}

fn meta(clock: &TickClock) -> FrameMeta {
    FrameMeta { ts_recv: hoga::clock::wall_ns(), read_ticks: clock.now(), line: 1, opcode: 1, ..FrameMeta::default() }
}

fn assert_everything_was_on(summary: &Summary) {
    assert_eq!(summary.get(Counter::FramesReceived), FRAMES as u64);
    assert_eq!(summary.get(Counter::RawJournaled), FRAMES as u64);
    assert!(summary.get(Counter::RecordsJournaled) > FRAMES as u64);
    assert!(summary.get(Counter::Gaps) > 50, "continuity is on");
    assert!(summary.get(Counter::SegmentRolls) > 10, "segments roll: {}", summary.get(Counter::SegmentRolls));
    for (latency, seen) in &summary.latency {
        assert!(seen.count >= FRAMES as u64 / 2, "{latency:?}");
    }
    assert_eq!(summary.latency[3].0, Latency::KernelToCommitted);
}

#[test]
fn the_fused_path_allocates_nothing_per_frame() {
    let (frames, folder) = (frames(), tempfile::tempdir().unwrap());
    let (mut pipeline, keeper) = Pipeline::open(folder.path(), &config()).unwrap();
    let clock = TickClock::new();
    let mut buffer = FrameBuffer::new(1 << 20, 64 << 10);
    let mut run = |wire: &[u8]| {
        for piece in wire.chunks(7_001) {
            buffer.space()[..piece.len()].copy_from_slice(piece);
            buffer.fill(piece.len());
            let (meta, mut work) = (meta(&clock), 0);
            while let Ok(Some(Event::Message { payload, .. })) = buffer.next() {
                pipeline.feed(&meta, payload);
                work += 1;
            }
            pipeline.end_cycle(work);
        }
    };
    let (warm, counted) = (wire(&frames[..WARM_UP]), wire(&frames[WARM_UP..]));
    run(&warm);
    assert_eq!(allocations(|| run(&counted)), 0);
    assert_everything_was_on(&keeper.close(pipeline).unwrap());
}

#[test]
fn the_split_path_allocates_nothing_per_frame() {
    let (frames, folder) = (frames(), tempfile::tempdir().unwrap());
    let (pipeline, keeper) = Pipeline::open(folder.path(), &config()).unwrap();
    let clock = TickClock::new();
    let mut split = pipeline.split(1 << 20, 1 << 20, 64 << 10);
    let mut run = |frames: &[String]| {
        for batch in frames.chunks(50) {
            for frame in batch {
                assert!(split.feed(&meta(&clock), frame.as_bytes()));
            }
            while split.poll() > 0 {}
        }
    };
    run(&frames[..WARM_UP]);
    assert_eq!(allocations(|| run(&frames[WARM_UP..])), 0);
    assert_everything_was_on(&keeper.close(split.join()).unwrap());
}

#[test]
fn the_path_from_a_socket_allocates_nothing_per_frame() {
    let (frames, folder) = (frames(), tempfile::tempdir().unwrap());
    let (mut pipeline, keeper) = Pipeline::open(folder.path(), &config()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let sent = wire(&frames);
    let server = std::thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        for piece in sent.chunks(3_001) {
            socket.get_mut().write_all(piece).unwrap();
        }
        while socket.read().is_ok() {}
    });
    let mut reader = Reader::new(ReaderConfig::default(), KisLine, Arc::new(ArrayQueue::new(4))).unwrap();
    let connection = connect(&url, &[], Duration::from_secs(10)).unwrap();
    let connection = Connection::prepare(connection, &ConnectionConfig::default()).unwrap();
    let handle = reader.handle();
    handle.send(Command::Add { line: 1, connection }).unwrap();
    let began = Instant::now();
    let mut until = |frames: usize| {
        while reader.counters().frames < frames as u64 && began.elapsed() < Duration::from_secs(60) {
            let work = reader.poll(&mut pipeline);
            pipeline.end_cycle(work);
        }
    };
    until(WARM_UP);
    assert_eq!(allocations(|| until(FRAMES)), 0);
    handle.send(Command::Stop).unwrap();
    while !reader.is_done() {
        reader.poll(&mut pipeline);
    }
    server.join().unwrap();
    assert_everything_was_on(&keeper.close(pipeline).unwrap());
}
