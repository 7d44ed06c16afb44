//! What is appended is read back, over rolls, closings and reopenings.

mod journal_support;

use std::path::Path;

use hoga::journal::{Journal, JournalConfig, OpenError, Start, Stream, TailState, Tailer, Verdict, verify};
use hoga::tick::words_of;
use journal_support::*;
use proptest::prelude::*;

fn state(dir: &Path) -> Verdict {
    let report = verify(dir, |_, _, _, _| {}).unwrap();
    for (stream, found) in &report.streams {
        assert_eq!(found.state == Verdict::Clean, found.findings.is_empty(), "{stream:?} {:?}", found.findings);
        if found.records > 0 {
            assert_eq!(found.last_sequence - found.first_sequence + 1, found.records);
        }
    }
    report.state
}

#[test]
fn records_survive_rolls_a_close_and_a_reopening_without_a_hole_in_the_sequence() {
    let folder = scratch();
    let dir = folder.path();
    let mut number = 0;
    for epoch in 1..=3 {
        let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
        assert_eq!(journal.recovery.epoch, epoch);
        assert_eq!(journal.recovery.ticks.last_sequence, number);
        for _ in 0..200 {
            number += 1;
            append_pair(&mut journal, number);
        }
        assert_eq!(state(dir), Verdict::Clean, "while it is written");
        if epoch == 2 {
            drop(journal);
        } else {
            journal.close().unwrap();
        }
        assert_eq!(state(dir), Verdict::Clean);
    }
    let read = read_all(dir, Stream::Ticks);
    assert_eq!(read.len(), 600);
    for (index, (sequence, bytes)) in read.iter().enumerate() {
        let mut expected = trade(index as u64 + 1);
        expected.header.sequence = index as u64 + 1;
        expected.header.version = hoga::tick::RECORD_VERSION;
        assert_eq!(*sequence, expected.header.sequence);
        let mut bytes = bytes.clone();
        bytes[4..8].fill(0);
        assert_eq!(bytes, bytemuck::bytes_of(&expected));
    }
    assert_eq!(read_all(dir, Stream::Raw).len(), 600);
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let folder = scratch();
    let journal = Journal::open(folder.path(), small(16 << 10)).unwrap();
    let Err(OpenError::Locked { holder, .. }) = Journal::open(folder.path(), small(16 << 10)) else { panic!("locked") };
    assert_eq!(holder, std::process::id().to_string());
    let Journal { ticks, raw, helper, .. } = journal;
    drop(helper);
    assert!(Journal::open(folder.path(), small(16 << 10)).is_err(), "writers hold the lock, not the helper");
    drop((ticks, raw));
    Journal::open(folder.path(), small(16 << 10)).unwrap();
}

#[test]
fn every_segment_restates_all_instruments_at_its_head() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
    for number in 1..=400_u64 {
        if number % 40 == 1 {
            journal.ticks.append(words_of(&mut instrument(number as u32 / 40 + 1))).unwrap();
        }
        append_pair(&mut journal, number);
    }
    let last_ordinal = journal.ticks.ordinal();
    assert!(last_ordinal > 5);
    journal.close().unwrap();
    // Each segment alone, under the name of the first: all definitions made before it are known.
    let mut known = 0;
    for ordinal in 1..=last_ordinal {
        let bytes = std::fs::read(segment(dir, Stream::Ticks, ordinal)).unwrap();
        let mut offset = 4096;
        let mut restated = Vec::new();
        let mut declared = 0;
        loop {
            let length = u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize;
            let (rtype, id) =
                (bytes[offset + 36], u32::from_le_bytes(bytes[offset + 24..offset + 28].try_into().unwrap()));
            if rtype == 38 {
                break;
            }
            if rtype == 32 {
                if is_restated(&bytes[offset..]) { restated.push(id) } else { declared += 1 }
            }
            offset += length.next_multiple_of(8);
        }
        assert_eq!(restated, (1..=known).collect::<Vec<_>>(), "segment {ordinal}");
        known += declared;
    }
    assert_eq!(known, 10);
    let journal = Journal::open(dir, small(16 << 10)).unwrap();
    let ids: Vec<u32> = journal.recovery.instruments.iter().map(|known| known.header.instrument_id).collect();
    assert_eq!(ids, (1..=10).collect::<Vec<_>>());
    let tailer = Tailer::open(dir, Stream::Ticks, Start::End).unwrap();
    assert_eq!(tailer.instrument(10).unwrap().key.symbol(), "000010");
    assert!(tailer.instrument(11).is_none());
}

#[test]
fn a_tailer_starts_where_it_is_told_and_tells_how_the_stream_stands() {
    let folder = scratch();
    let dir = folder.path();
    assert!(Tailer::open(dir, Stream::Ticks, Start::Beginning).is_err());
    let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
    for number in 1..=300 {
        append_pair(&mut journal, number);
    }
    let first = |start| {
        let mut first = 0;
        let mut tailer = Tailer::open(dir, Stream::Ticks, start).unwrap();
        tailer.poll(1, |record| first = record.position.sequence).unwrap();
        first
    };
    assert_eq!(first(Start::Beginning), 1);
    assert_eq!(first(Start::Sequence(0)), 1);
    for sequence in [1, 47, 100, 299, 300] {
        assert_eq!(first(Start::Sequence(sequence)), sequence);
    }
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::End).unwrap();
    assert_eq!(tailer.next_sequence(), 301);
    assert_eq!(tailer.poll(10, |_| {}).unwrap().state, TailState::Live);
    append_pair(&mut journal, 301);
    let polled = tailer.poll(10, |record| assert_eq!(record.position.sequence, 301)).unwrap();
    assert_eq!(polled.records, 1);
    journal.close().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert_eq!(tailer.poll(10, |_| {}).unwrap().state, TailState::Closed);
    let mut journal = Journal::open(dir, small(16 << 10)).unwrap();
    append_pair(&mut journal, 302);
    let mut seen = Vec::new();
    tailer.poll(10, |record| seen.push((record.position.epoch, record.position.sequence))).unwrap();
    assert_eq!(seen, [(2, 302)], "the same tailer goes on after a reopening");
    drop(journal);
    // As long as the last sign of life is believed without a look at the lock.
    std::thread::sleep(std::time::Duration::from_millis(60));
    assert_eq!(tailer.poll(10, |_| {}).unwrap().state, TailState::Gone);
}

#[test]
fn frames_behind_the_last_tick_are_handed_over_after_a_crash_and_not_after_a_close() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(64 << 10)).unwrap();
    for number in 1..=10 {
        append_pair(&mut journal, number);
    }
    let raw = journal.raw.as_mut().unwrap();
    assert_eq!(append_raw(raw, b"eleven"), 11);
    assert_eq!(append_raw(raw, b"twelve"), 12);
    drop(journal);
    let mut journal = Journal::open(dir, small(64 << 10)).unwrap();
    assert_eq!(frames_again(&journal), [(11, b"eleven".to_vec()), (12, b"twelve".to_vec())]);
    assert_eq!((journal.recovery.raw_frames.count(), journal.recovery.raw_frames.payload_bytes()), (2, 12));
    // The first of three records of frame 12, then another death.
    let mut half = trade(12);
    half.market.frame_count = 3;
    journal.ticks.append(words_of(&mut half)).unwrap();
    drop(journal);
    let mut journal = Journal::open(dir, small(64 << 10)).unwrap();
    assert!(journal.recovery.last_frame.is_partial());
    assert_eq!(journal.recovery.last_frame.records_present, 1);
    assert_eq!(frames_again(&journal), [(12, b"twelve".to_vec())]);
    // What is written meanwhile is not of the frames left behind.
    append_raw(journal.raw.as_mut().unwrap(), b"thirteen");
    append_pair(&mut journal, 14);
    assert_eq!(frames_again(&journal), [(12, b"twelve".to_vec())]);
    journal.close().unwrap();
    assert!(Journal::open(dir, small(64 << 10)).unwrap().recovery.raw_frames.is_empty());
}

#[test]
fn a_new_trading_date_begins_a_new_segment() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(64 << 10)).unwrap();
    append_pair(&mut journal, 1);
    journal.ticks.set_trading_date(20_261_123).unwrap();
    assert_eq!(journal.ticks.ordinal(), 1);
    journal.ticks.set_trading_date(20_261_124).unwrap();
    assert_eq!(journal.ticks.ordinal(), 2);
    append_pair(&mut journal, 2);
    journal.close().unwrap();
    let bytes = std::fs::read(segment(folder.path(), Stream::Ticks, 2)).unwrap();
    assert_eq!(bytes[136..140], 20_261_124_u32.to_le_bytes());
    assert_eq!(bytes[128..136], 2_u64.to_le_bytes());
    assert_eq!(state(folder.path()), Verdict::Clean);
}

#[test]
fn what_is_no_record_is_refused_and_uses_no_sequence() {
    use hoga::journal::AppendError;
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), JournalConfig { instruments_max: 1, ..small(16 << 10) }).unwrap();
    let ticks = &mut journal.ticks;
    assert_eq!(ticks.append(&mut []), Err(AppendError::BadRecord));
    let mut long = trade(1);
    long.header.length += 1;
    assert_eq!(ticks.append(words_of(&mut long)), Err(AppendError::BadRecord));
    let mut end = trade(1);
    end.header.rtype = 38;
    assert_eq!(ticks.append(words_of(&mut end)), Err(AppendError::BadRecord));
    assert_eq!(ticks.append_with_tail(&mut [0; 5], &[0; 16 << 10]), Err(AppendError::TooLarge));
    assert_eq!(ticks.append(words_of(&mut instrument(1))), Ok(1));
    assert_eq!(ticks.append(words_of(&mut instrument(2))), Err(AppendError::InstrumentsFull));
    assert_eq!(ticks.append(words_of(&mut trade(1))), Ok(2));
    journal.close().unwrap();
    assert_eq!(state(folder.path()), Verdict::Clean);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn records_of_any_size_come_back_byte_for_byte(
        records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3000), 0_usize..3, any::<bool>()), 1..80),
    ) {
        let folder = scratch();
        let mut journal = Journal::open(folder.path(), JournalConfig { raw: None, ..small(12 << 10) }).unwrap();
        let mut expected = Vec::new();
        for (tail, extra, whole) in &records {
            let mut words = vec![0_u64; 5 + extra];
            words[4] = 10 << 32; // rtype
            words[3] = expected.len() as u64;
            if *whole {
                // The same bytes as one slice of words, with an exact length.
                let length = 8 * words.len() + tail.len();
                words.resize(length.div_ceil(8), 0);
                let at = 8 * (5 + extra);
                bytemuck::cast_slice_mut::<u64, u8>(&mut words)[at..at + tail.len()].copy_from_slice(tail);
                words[0] = length as u64;
                journal.ticks.append(&mut words).unwrap();
                expected.push(bytemuck::cast_slice::<u64, u8>(&words)[8..length].to_vec());
            } else {
                journal.ticks.append_with_tail(&mut words, tail).unwrap();
                let mut bytes = bytemuck::cast_slice::<u64, u8>(&words)[8..].to_vec();
                bytes.extend_from_slice(tail);
                expected.push(bytes);
            }
        }
        let read: Vec<Vec<u8>> = read_all(folder.path(), Stream::Ticks).into_iter().map(|(_, bytes)| bytes[8..].to_vec()).collect();
        prop_assert_eq!(&read, &expected);
        prop_assert_eq!(state(folder.path()), Verdict::Clean);
    }
}
