//! Journals written offline: given sequences, holes where they jump, segments that roll; and who reads them.

mod journal_support;

use std::path::Path;
use std::process::Command;

use hoga::journal::build::{BuildError, JournalBuilder, JournalSpec, SegmentBuilder, SegmentSpec};
use hoga::journal::{Journal, Start, Stream, TailState, Tailer, Verdict, verify};
use hoga::tick::{EndReason, Hole, HoleReason, RType, RecordView, view, words_of};
use journal_support::*;

fn numbered(sequence: u64) -> Vec<u8> {
    let mut record = trade(sequence);
    record.header.sequence = sequence;
    bytemuck::bytes_of(&record).to_vec()
}

fn spec(segment_bytes: u64) -> JournalSpec {
    JournalSpec { segment_bytes, trading_date: 20_261_123, ..JournalSpec::default() }
}

/// Sequences of a stream, holes as (first, last).
fn story(dir: &Path) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut sequences, mut holes) = (Vec::new(), Vec::new());
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_crc_check(true);
    let polled = tailer.poll(usize::MAX, |record| match view(record.bytes).unwrap() {
        RecordView::Hole(hole) => {
            assert_eq!(record.position.sequence, 0);
            holes.push((hole.first_sequence, hole.last_sequence));
        }
        _ => sequences.push(record.position.sequence),
    });
    assert_eq!(polled.unwrap().state, TailState::Closed);
    (sequences, holes)
}

#[test]
fn a_journal_built_offline_verifies_clean_reads_like_any_other_and_is_appended_to() {
    let folder = scratch();
    let dir = folder.path().join("built");
    let mut journal = JournalBuilder::create(&dir, spec(16 << 10)).unwrap();
    let mut declared = instrument(3);
    declared.header.sequence = 1;
    journal.append(Stream::Ticks, bytemuck::bytes_of(&declared)).unwrap();
    for sequence in 2..=200 {
        journal.append(Stream::Ticks, &numbered(sequence)).unwrap();
    }
    journal.finish().unwrap();
    let report = verify(&dir, |_, _, _, _| {}).unwrap();
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    let (_, ticks) = &report.streams[0];
    assert_eq!((ticks.records, ticks.holes, ticks.last_sequence), (200, 0, 200));
    assert!(ticks.segments > 3, "it rolls");
    // A reader that begins in the middle knows the instrument.
    let mut tailer = Tailer::open(&dir, Stream::Ticks, Start::Sequence(190)).unwrap();
    tailer.poll(1, |record| assert_eq!(record.instrument(3).unwrap().key.symbol(), "000003")).unwrap();

    let mut journal = Journal::open(&dir, small(16 << 10)).unwrap();
    assert_eq!(journal.recovery.epoch, 2);
    assert!(journal.recovery.ticks.was_closed);
    assert_eq!(journal.ticks.append(words_of(&mut trade(201))).unwrap(), 201);
    journal.close().unwrap();
    assert_eq!(story(&dir), ((1..=201).collect(), vec![]));
}

#[test]
fn a_tailer_reads_past_a_hole() {
    let folder = scratch();
    let dir = folder.path().join("built");
    let mut journal = JournalBuilder::create(&dir, spec(16 << 10)).unwrap();
    let kept: Vec<u64> = (100..=400).filter(|sequence| sequence % 50 > 3).collect();
    for sequence in &kept {
        journal.append(Stream::Ticks, &numbered(*sequence)).unwrap();
    }
    journal.finish().unwrap();
    let (sequences, holes) = story(&dir);
    assert_eq!(sequences, kept);
    assert_eq!(holes, [(150, 153), (200, 203), (250, 253), (300, 303), (350, 353)]);
    let report = verify(&dir, |_, _, _, _| {}).unwrap();
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    let (_, ticks) = &report.streams[0];
    assert_eq!((ticks.holes, ticks.lost), (5, 20));
    // Only what is behind the place asked for, and the hole that reaches over it.
    for (from, first) in [(151, (150, 0)), (154, (0, 154)), (203, (200, 0)), (204, (0, 204))] {
        let mut tailer = Tailer::open(&dir, Stream::Ticks, Start::Sequence(from)).unwrap();
        tailer
            .poll(1, |record| match view(record.bytes).unwrap() {
                RecordView::Hole(hole) => assert_eq!((hole.first_sequence, 0), first),
                _ => assert_eq!((0, record.position.sequence), first),
            })
            .unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_journal.py");
    if policy::has(&["python3"], "holes read by Python") {
        let output = Command::new("python3").arg(script).arg(dir.join("ticks")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((found["lost"].as_u64(), found["records"].as_u64()), (Some(20), Some(kept.len() as u64)));
    }
}

#[test]
fn a_hole_that_does_not_stand_where_it_says_is_damage() {
    let folder = scratch();
    let dir = folder.path().join("built");
    let mut journal = JournalBuilder::create(&dir, spec(16 << 10)).unwrap();
    for sequence in [1, 2, 5, 6] {
        journal.append(Stream::Ticks, &numbered(sequence)).unwrap();
    }
    journal.finish().unwrap();
    let path = segment(&dir, Stream::Ticks, 1);
    let mut bytes = std::fs::read(&path).unwrap();
    let salt = u32::from_le_bytes(bytes[20..24].try_into().unwrap());
    let at = 4096 + 2 * size_of_val(&trade(1));
    assert_eq!(bytes[at + 36], RType::Hole as u8);
    // A valid checksum over a wrong beginning.
    bytes[at + 40] = 2;
    let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let crc = hoga::journal::format::record_crc(salt, &bytes[at..at + size_of::<Hole>()], length);
    bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let report = verify(&dir, |_, _, _, _| {}).unwrap();
    assert_eq!(report.state, Verdict::Corrupt);
    assert!(report.streams[0].1.findings[0].reason.to_string().contains("sequence 2 where 3"), "{report:?}");
}

#[test]
fn the_live_writer_refuses_what_is_the_builders_own() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(16 << 10)).unwrap();
    let mut hole: Hole = bytemuck::zeroed();
    hole.header.length = size_of::<Hole>() as u32;
    hole.header.rtype = RType::Hole as u8;
    assert!(journal.ticks.append(words_of(&mut hole)).is_err());
}

#[test]
fn a_builder_refuses_what_can_not_be_and_leaves_nothing_half_done() {
    let folder = scratch();
    let dir = folder.path().join("built");
    let mut journal = JournalBuilder::create(&dir, spec(16 << 10)).unwrap();
    assert!(matches!(JournalBuilder::create(&dir, spec(16 << 10)), Err(BuildError::Exists(_))));
    journal.append(Stream::Ticks, &numbered(5)).unwrap();
    let again = journal.append(Stream::Ticks, &numbered(5));
    assert!(matches!(again, Err(BuildError::Sequence { found: 5, expected: 6 })));
    assert!(matches!(journal.append(Stream::Ticks, &[1; 30]), Err(BuildError::BadRecord)));
    let mut large = vec![0; 20 << 10];
    large[..4].copy_from_slice(&(20_u32 << 10).to_le_bytes());
    large[8] = 6;
    assert!(matches!(journal.append(Stream::Ticks, &large), Err(BuildError::TooLarge { .. })));
    assert_eq!(journal.stream(Stream::Ticks).unwrap().append_next(&numbered(1)).unwrap(), 6);
    journal.finish().unwrap();
    assert_eq!(story(&dir), (vec![5, 6], vec![]));

    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let bad = SegmentSpec {
        stream: Stream::Ticks,
        ordinal: 4,
        epoch: 1,
        boot_id: [0; 16],
        trading_date: 0,
        base_sequence: 1,
        segment_bytes: 5000,
    };
    assert!(matches!(SegmentBuilder::create(&other, bad), Err(BuildError::SegmentBytes(5000))));
    let mut segment = SegmentBuilder::create(&other, SegmentSpec { segment_bytes: 8192, ..bad }).unwrap();
    segment.hole(9, 0, HoleReason::Missing).unwrap();
    drop(segment);
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    let segment = SegmentBuilder::create(&other, SegmentSpec { segment_bytes: 8192, ..bad }).unwrap();
    assert_eq!(segment.finish(EndReason::Recovered, 5).unwrap().next_sequence, 1);
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
}
