//! Compressed segments read as the segments they were; a damaged file is named and never read.

mod journal_support;

use std::fs;
use std::path::Path;

use hoga::journal::repair::{ActionKind, Policy, repair};
use hoga::journal::{
    Finding, Journal, Reason, SealOptions, Seek, SegmentReader, Sought, Start, Stream, TailError, TailState, Tailer,
    Verdict, seal, verify,
};
use hoga::tick::words_of;
use journal_support::*;

const DAY: u32 = 20_261_123;

fn day() -> jiff::civil::Date {
    "2026-11-23".parse().unwrap()
}

/// One day that is over, in segments of that size, and the next being written.
fn journal(dir: &Path, segment_bytes: u64, records: u64) -> Journal {
    let mut journal = Journal::open(dir, small(segment_bytes)).unwrap();
    journal.ticks.append(words_of(&mut instrument(1))).unwrap();
    for number in 1..=records {
        append_pair(&mut journal, number);
    }
    journal.ticks.set_trading_date(DAY + 1).unwrap();
    journal.raw.as_mut().unwrap().set_trading_date(DAY + 1).unwrap();
    journal
}

fn compress(dir: &Path) -> usize {
    seal(dir, day(), SealOptions { compress_to: Some(day()) }, |_| {}).unwrap().packed.len()
}

fn packed(dir: &Path, ordinal: u64) -> std::path::PathBuf {
    segment(dir, Stream::Ticks, ordinal).with_extension("seg.zst")
}

#[test]
fn a_tailer_reads_compressed_segments_as_if_nothing_had_happened() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = journal(dir, 64 << 10, 3000);
    let before = [Stream::Ticks, Stream::Raw].map(|stream| read_all(dir, stream));
    let mut standing = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_crc_check(true);
    let mut seen = Vec::new();
    standing.poll(100, |record| seen.push((record.position.sequence, record.bytes.to_vec()))).unwrap();
    assert!(compress(dir) > 10);
    assert!(!segment(dir, Stream::Ticks, 1).exists() && packed(dir, 1).exists());
    let of_all: u64 = (1..5).map(|ordinal| fs::metadata(packed(dir, ordinal)).unwrap().len()).sum();
    assert!(of_all < 4 * (64 << 10) / 3, "{of_all}");
    assert_eq!([Stream::Ticks, Stream::Raw].map(|stream| read_all(dir, stream)), before);
    // It reads on in the map of the file that is gone, then in the compressed ones, then live.
    append_pair(&mut journal, 3001);
    while standing.poll(777, |record| seen.push((record.position.sequence, record.bytes.to_vec()))).unwrap().state
        == TailState::More
    {}
    assert_eq!(seen.len(), before[0].len() + 1);
    assert_eq!(seen[..before[0].len()], before[0]);
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    drop(journal);
    // An opening that has to look at everything reads them, too.
    let journal = Journal::open_in_boot(dir, small(64 << 10), [7; 16]).unwrap();
    assert_eq!(journal.recovery.ticks.last_sequence, 3002);
    journal.close().unwrap();
    let journal = Journal::open(dir, small(64 << 10)).unwrap();
    assert_eq!(journal.recovery.instruments.len(), 1);
    journal.close().unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
}

#[test]
fn the_segment_unpacks_to_the_very_bytes_and_shows_its_full_size() {
    let folder = scratch();
    let dir = folder.path();
    let journal = journal(dir, 1 << 20, 9000);
    let plain = fs::read(segment(dir, Stream::Ticks, 1)).unwrap();
    compress(dir);
    let reader = SegmentReader::open_in(&dir.join("ticks"), 1).unwrap();
    assert!(reader.is_packed() && reader.len() == plain.len());
    // From the back: only what is asked for is unpacked, in any order, by any thread.
    let mut offsets = Vec::new();
    let mut at = 4096;
    while plain[at..at + 4] != [0; 4] {
        offsets.push(at);
        let length = u32::from_le_bytes(plain[at..at + 4].try_into().unwrap()) as usize;
        at += length.next_multiple_of(8);
    }
    std::thread::scope(|scope| {
        for backwards in [true, false] {
            let (reader, offsets, plain) = (&reader, &offsets, &plain);
            scope.spawn(move || {
                let order: Box<dyn Iterator<Item = &usize>> =
                    if backwards { Box::new(offsets.iter().rev()) } else { Box::new(offsets.iter()) };
                for &offset in order {
                    let record = reader.record(offset).unwrap().unwrap();
                    assert_eq!(record, &plain[offset..offset + record.len()]);
                }
            });
        }
    });
    assert_eq!(reader.record(at).unwrap(), None);
    assert_eq!(reader.record(plain.len() - 64).unwrap(), None);
    drop(journal);
}

#[test]
fn a_damaged_compressed_segment_is_named_and_none_of_it_is_taken_for_good() {
    let folder = scratch();
    let good = folder.path().join("good");
    let journal = journal(&good, 64 << 10, 1500);
    journal.close().unwrap();
    assert!(compress(&good) > 4);
    let all = read_all(&good, Stream::Ticks);
    let bytes = fs::read(packed(&good, 2)).unwrap();
    let dir = folder.path().join("bad");
    copy(&good, &dir);
    let mut cases: Vec<Vec<u8>> = [0, 5, 9, 30, bytes.len() / 2, bytes.len() - 1].map(|at| bytes[..at].to_vec()).into();
    for at in (0..bytes.len()).step_by(211).chain(bytes.len() - 40..bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        cases.push(flipped);
    }
    let (mut named, mut mended) = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        fs::write(packed(&dir, 2), case).unwrap();
        let report = verify(&dir, |_, _, _, _| {}).unwrap();
        let found = &report.streams[0].1.findings;
        let mut read = Vec::new();
        let mut tailer = Tailer::open(&dir, Stream::Ticks, Start::Beginning).unwrap();
        let result = tailer.poll(usize::MAX, |record| read.push((record.position.sequence, record.bytes.to_vec())));
        assert_eq!(read[..], all[..read.len()], "case {number}");
        if read.len() == all.len() {
            // The seek table, which is made anew, or a bit without meaning of it or of a frame's checksum.
            mended += usize::from(found.iter().any(|finding| finding.reason == Reason::SeekTable));
            assert_eq!(report.state, Verdict::Clean, "case {number}");
            continue;
        }
        named += 1;
        assert!(matches!(result, Err(TailError::Corrupt(_))), "case {number}: {result:?}");
        assert_eq!(report.state, Verdict::Corrupt, "case {number}");
        assert!(found.iter().any(|finding| finding.segment == "ticks/0000000002.seg.zst"), "case {number}: {found:?}");
        let sought = Tailer::open(&dir, Stream::Ticks, Start::Beginning).unwrap().seek(Seek::Sequence(u64::MAX));
        assert!(matches!(sought, Ok(Sought::AfterLast { .. }) | Err(TailError::Corrupt(_))), "{sought:?}");
    }
    assert!((named + mended) * 10 > cases.len() * 8, "{named} and {mended} of {}", cases.len());
    assert!(mended > 10, "{mended}");
}

#[test]
fn a_damaged_seek_table_is_made_anew_of_the_frames_and_named_while_every_record_is_read() {
    let folder = scratch();
    let dir = folder.path();
    // Some frames each.
    let journal = journal(dir, 1 << 20, 9000);
    journal.close().unwrap();
    compress(dir);
    let all = read_all(dir, Stream::Ticks);
    let bytes = fs::read(packed(dir, 1)).unwrap();
    let footer = bytes.len() - 9;
    let frames = u32::from_le_bytes(bytes[footer..footer + 4].try_into().unwrap()) as usize;
    assert!(frames > 3, "{frames}");
    // The table: 8 bytes that make it a frame to skip, then two sizes a frame, then the footer.
    let entry_bytes = (0..).map(|extra| 8 + 4 * extra).find(|bytes_each| {
        let at = footer - frames * bytes_each - 8;
        bytes[at..at + 4] == 0x184d_2a5e_u32.to_le_bytes()
    });
    let table = footer - frames * entry_bytes.unwrap();
    let mut cases = vec![("cut away", bytes[..table - 8].to_vec()), ("half there", bytes[..table + 3].to_vec())];
    let mut zeroed = bytes.clone();
    zeroed[table - 8..].fill(0);
    cases.push(("zeroed", zeroed));
    for at in (table - 8..bytes.len()).filter(|at| *at != bytes.len() - 5) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x08;
        cases.push(("flipped", flipped));
    }
    for (number, (name, case)) in cases.iter().enumerate() {
        fs::write(packed(dir, 1), case).unwrap();
        assert_eq!(read_all(dir, Stream::Ticks), all, "{name} {number}");
        let report = verify(dir, |_, _, _, _| {}).unwrap();
        let found = &report.streams[0].1.findings;
        let is_named =
            |finding: &Finding| finding.segment == "ticks/0000000001.seg.zst" && finding.reason == Reason::SeekTable;
        assert!(found.len() == 1 && is_named(&found[0]), "{name} {number}: {found:?}");
        assert_eq!(report.state, Verdict::Clean);
        if number % 7 == 0 {
            let told = repair(dir, Policy::Abort, |_, _, _, _| {}).unwrap();
            assert_eq!((told.actions.len(), told.actions[0].kind), (1, ActionKind::SeekTable), "{name} {number}");
            let done = repair(dir, Policy::Cut, |_, _, _, _| {}).unwrap();
            assert_eq!((done.actions.len(), done.actions[0].kind), (1, ActionKind::SeekTable), "{name} {number}");
            assert_eq!(done.after.streams[0].1.findings, [], "{name} {number}");
            let kept = done.actions[0].quarantine.as_ref().unwrap();
            assert_eq!(fs::read(dir.join(kept)).unwrap(), *case, "what was there is kept");
            assert_eq!(read_all(dir, Stream::Ticks), all, "{name} {number}");
        }
    }
    // Cut short between two frames: what is missing is not told by those that are there.
    let first = table - 8 - entries_from(&bytes, table, frames, entry_bytes.unwrap(), 2);
    fs::write(packed(dir, 1), &bytes[..first]).unwrap();
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning);
    let polled = tailer.as_mut().map(|tailer| tailer.poll(usize::MAX, |_| {}));
    assert!(!matches!(polled, Ok(Ok(_))), "{polled:?}");
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Corrupt);
}

/// Compressed bytes of the last frames, as the seek table tells.
fn entries_from(bytes: &[u8], table: usize, frames: usize, entry_bytes: usize, last: usize) -> usize {
    let size = |frame: usize| {
        let at = table + frame * entry_bytes;
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    };
    (frames - last..frames).map(size).sum()
}

#[test]
fn the_newest_segment_of_a_stream_is_never_compressed() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    for number in 1..=100 {
        append_pair(&mut journal, number);
    }
    let newest = journal.ticks.ordinal();
    journal.close().unwrap();
    compress(dir);
    assert!(segment(dir, Stream::Ticks, newest).exists() && packed(dir, newest - 1).exists());
    assert_eq!(read_all(dir, Stream::Ticks).len(), 100);
}
