//! A full disk is an error that comes before the segment is full, never a signal.
//!
//! Method: a small tmpfs is mounted (needs root; skipped with a message otherwise), filled by the journal, and given
//! room again.

mod journal_support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hoga::journal::{AppendError, Journal, OpenError, Stream, Verdict, verify};
use hoga::tick::words_of;
use journal_support::*;

struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path, size: &str) -> Option<Mounted> {
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Mounted(path.to_owned())),
            other => {
                eprintln!("skipped: no tmpfs can be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: maps may outlive a failed assertion.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_told_ahead_then_refused_and_forgotten_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(folder.path(), "64m") else { return };
    let dir = mounted.0.join("journal");
    let ballast = mounted.0.join("ballast");
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
    assert!(begin.elapsed() < Duration::from_millis(100));

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
    let folder = tempfile::tempdir().unwrap();
    let Some(mounted) = Mounted::new(folder.path(), "4m") else { return };
    let dir = mounted.0.join("journal");
    let Err(OpenError::Io { source, .. }) = Journal::open(&dir, small(8 << 20)) else { panic!("no room") };
    assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
    assert!(Journal::open(&dir, small(64 << 10)).is_ok(), "what was begun is no obstacle");
}
