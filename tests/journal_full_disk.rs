//! A full disk is an error that comes before the segment is full, never a signal.
//!
//! Method: a small tmpfs or ext4 is mounted (needs root; skipped with a message otherwise), filled by the journal, and
//! given room again.

#[path = "rig/disk.rs"]
#[allow(dead_code, reason = "strace is for the engine's tests")]
mod disk;
mod journal_support;

use std::process::Command;
use std::time::{Duration, Instant};

use disk::{Disk, Kind};
use hoga::journal::{AppendError, Journal, JournalConfig, OpenError, Stream, Verdict, verify};
use hoga::tick::words_of;
use journal_support::*;

#[test]
fn a_full_disk_is_told_ahead_then_refused_and_forgotten_when_there_is_room() {
    let Some(disk) = Disk::mount(Kind::Tmpfs, 64) else { return };
    let dir = disk.root.join("journal");
    let ballast = disk.root.join("ballast");
    std::fs::write(&ballast, vec![1; 24 << 20]).unwrap();
    let mut journal = Journal::open(&dir, small(8 << 20)).unwrap();
    let mut number = 0;
    let mut told_at = None;
    let refused = loop {
        number += 1;
        match journal.ticks.append(words_of(&mut trade(number))) {
            Ok(sequence) => assert_eq!(sequence, number),
            Err(error) => break error,
        }
        if told_at.is_none() && journal.ticks.failure().is_some() {
            told_at = Some(number);
        }
        if number % 1000 == 0 {
            journal.ticks.batch_end();
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    assert_eq!(refused, AppendError::NoSegment);
    assert_eq!(journal.ticks.failure().unwrap().raw_os_error(), Some(libc::ENOSPC));
    assert!(told_at.unwrap() + 10_000 < number, "told at {told_at:?}, refused at {number}");
    let report = verify(&dir, |_, _, _, _| {}).unwrap();
    assert_eq!((report.state, report.streams[0].1.records), (Verdict::Clean, number - 1));

    // Refused at once, not after a wait, as long as it is so.
    let begin = Instant::now();
    assert_eq!(journal.ticks.append(words_of(&mut trade(number))), Err(AppendError::NoSegment));
    assert!(begin.elapsed() < Duration::from_secs(1), "a wait is two seconds");

    std::fs::remove_file(&ballast).unwrap();
    while journal.ticks.failure().is_some() {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(journal.ticks.append(words_of(&mut trade(number))), Ok(number));
    journal.close().unwrap();
    assert_eq!(verify(&dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    assert_eq!(read_all(&dir, Stream::Ticks).len() as u64, number);
}

#[test]
fn a_journal_that_has_no_room_to_begin_says_so() {
    let Some(disk) = Disk::mount(Kind::Tmpfs, 4) else { return };
    let dir = disk.root.join("journal");
    let Err(OpenError::Io { source, .. }) = Journal::open(&dir, small(8 << 20)) else { panic!("no room") };
    assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
    assert!(Journal::open(&dir, small(64 << 10)).is_ok(), "what was begun is no obstacle");
}

#[test]
fn low_space_is_told_before_the_last_segment_and_taken_back_with_room() {
    for kind in [Kind::Tmpfs, Kind::Ext4] {
        let Some(disk) = Disk::mount(kind, 48) else { continue };
        let ballast = disk.fill_but(20);
        let dir = disk.root.join("journal");
        let config = JournalConfig { low_space_bytes: 10 << 20, ..small(2 << 20) };
        let mut journal = Journal::open(&dir, config).unwrap();
        let watch = journal.ticks.watch();
        let mut seen = Vec::new();
        let mut number = 0;
        let begin = Instant::now();
        let refused = loop {
            number += 1;
            if let Err(error) = journal.ticks.append(words_of(&mut trade(number))) {
                break error;
            }
            if number % 1000 == 0 {
                journal.ticks.batch_end();
                std::thread::sleep(Duration::from_millis(20));
                let trouble = journal.ticks.trouble();
                if seen.last() != Some(&trouble.map(|trouble| trouble.name())) {
                    seen.push(trouble.map(|trouble| trouble.name()));
                }
                assert!(begin.elapsed() < Duration::from_secs(30), "{seen:?}");
            }
        };
        assert_eq!(refused, AppendError::NoSegment);
        assert_eq!(seen, [None, Some("low_space"), Some("no_segment")], "{kind:?}");
        let space = watch.space().unwrap();
        assert!(space.is_low && space.watermark_bytes == 10 << 20 && space.free_bytes < 10 << 20, "{space:?}");
        std::fs::remove_file(&ballast).unwrap();
        let begin = Instant::now();
        while watch.trouble().is_some() {
            assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", watch.trouble());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(journal.ticks.append(words_of(&mut trade(number))), Ok(number));
        journal.close().unwrap();
        assert_eq!(verify(&dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    }
}

#[test]
fn attempts_to_open_where_there_is_room_for_one_stream_only_take_none() {
    let Some(disk) = Disk::mount(Kind::Tmpfs, 12) else { return };
    let dir = disk.root.join("journal");
    for _ in 0..3 {
        let Err(OpenError::Io { source, .. }) = Journal::open(&dir, small(8 << 20)) else { panic!("no room") };
        assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
        let free = hoga::sys::file::space(&disk.root).unwrap().unwrap().free;
        assert!(free > 11 << 20, "{free} bytes are left");
    }
    Journal::open(&dir, small(1 << 20)).unwrap().close().unwrap();
    assert_eq!(verify(&dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
}

#[test]
fn a_copy_whose_zeros_are_holes_is_opened_on_a_full_disk_without_a_signal() {
    // NB: on a full tmpfs a hole can't even be read: that takes a page.
    let Some(disk) = Disk::mount(Kind::Ext4, 16) else { return };
    let folder = scratch();
    let original = folder.path().join("journal");
    let mut journal = Journal::open(&original, JournalConfig { raw: None, ..small(4 << 20) }).unwrap();
    // Up to the end of a page: the `End` comes into one that is a hole in the copy.
    let mut number = 0;
    while 4096 + 248 * number as usize % 4096 != 0 && number < 5000 {
        number += 1;
        journal.ticks.append(words_of(&mut trade(number))).unwrap();
    }
    drop(journal);
    let dir = disk.root.join("journal");
    let copied = Command::new("cp").args(["-r", "--sparse=always"]).arg(&original).arg(&dir).status();
    assert!(copied.unwrap().success());
    let _ballast = disk.fill_but(1);
    let Err(OpenError::Io { source, .. }) = Journal::open(&dir, JournalConfig { raw: None, ..small(4 << 20) }) else {
        panic!("no room")
    };
    assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
    std::fs::remove_file(disk.root.join("ballast")).unwrap();
    let journal = Journal::open(&dir, JournalConfig { raw: None, ..small(4 << 20) }).unwrap();
    assert_eq!(journal.recovery.ticks.last_sequence, number);
    journal.close().unwrap();
}
