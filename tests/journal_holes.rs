//! Readers and holes: a seek that lands in one, a reader that stood behind one when the journal was repaired.

mod journal_support;

use std::fs;
use std::path::Path;

use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::journal::repair::{Policy, repair};
use hoga::journal::{Journal, Seek, Sought, Start, Stream, TailError, Tailer, Verdict, verify};
use hoga::tick::{RecordView, view, words_of};
use journal_support::*;

/// Sequences that an item of a stream stands for: a record for one, a hole for those lost.
type Span = (u64, u64);

fn span(record: &hoga::journal::RecordRef<'_>) -> Span {
    match view(record.bytes) {
        Some(RecordView::Hole(hole)) => (hole.first_sequence, hole.last_sequence),
        _ => (record.position.sequence, record.position.sequence),
    }
}

fn is_hole(span: Span) -> bool {
    span.0 != span.1
}

/// The next item.
fn next(tailer: &mut Tailer) -> Option<Span> {
    let mut met = None;
    tailer.poll(1, |record| met = Some(span(&record))).unwrap();
    met
}

/// A journal of small segments whose sequences jump: within segments, at their fronts, and in the first place.
fn with_holes(dir: &Path) -> Vec<Span> {
    let spec = JournalSpec { segment_bytes: 8 << 10, ..JournalSpec::default() };
    let mut journal = JournalBuilder::create(dir, spec).unwrap();
    let kept = (5..=30).chain(35..=36).chain((40..=120).step_by(4)).chain(160..=170);
    for sequence in kept {
        let mut trade = trade(sequence);
        trade.header.sequence = sequence;
        journal.append(Stream::Ticks, bytemuck::bytes_of(&trade)).unwrap();
    }
    journal.finish().unwrap();
    let mut all = Vec::new();
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_crc_check(true);
    tailer.poll(usize::MAX, |record| all.push(span(&record))).unwrap();
    all
}

#[test]
fn a_seek_into_a_hole_hands_the_hole_over() {
    let folder = scratch();
    let dir = &folder.path().join("journal");
    let all = with_holes(dir);
    assert!(all.iter().filter(|item| is_hole(**item)).count() > 20);
    assert!(dir.join("ticks/0000000004.seg").exists(), "some holes stand at the front of a segment");
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_crc_check(true);
    for wanted in (5..=170).rev().chain(5..=170) {
        let at = all.iter().position(|item| item.1 >= wanted).unwrap();
        let expected = all[at];
        let first = all[at..].iter().find(|item| !is_hole(**item)).unwrap().0;
        let sought = if is_hole(expected) { Sought::BeforeFirst { first } } else { Sought::Exact };
        assert_eq!(tailer.seek(Seek::Sequence(wanted)).unwrap(), sought, "{wanted}");
        let position = tailer.position();
        assert_eq!(position.sequence, expected.0, "{wanted}");
        assert_eq!(next(&mut tailer), Some(expected), "{wanted}");
        // What follows, too, checked; and the same from a position kept.
        assert_eq!(next(&mut tailer), all.get(at + 1).copied(), "behind {wanted}");
        let mut resumed = Tailer::open(dir, Stream::Ticks, Start::Position(position)).unwrap().with_crc_check(true);
        assert_eq!(next(&mut resumed), Some(expected), "{wanted}");
    }
    assert_eq!(tailer.seek(Seek::Sequence(171)).unwrap(), Sought::AfterLast { last: 170 });
    assert_eq!((tailer.position().sequence, next(&mut tailer)), (171, None));
}

#[test]
fn a_reader_behind_a_hole_at_the_end_goes_on_there_and_nothing_was_cut() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    for number in 1..=60 {
        append_pair(&mut journal, number);
    }
    journal.close().unwrap();
    // The last two records, durable by the mark, are zeros; a repair says so with a hole.
    let mut places = Vec::new();
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    tailer.poll(usize::MAX, |record| places.push(record.position)).unwrap();
    let cut = places[58];
    let path = segment(dir, Stream::Ticks, cut.ordinal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[cut.offset as usize..].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_eq!(repair(dir, Policy::Skip, |_, _, _, _| {}).unwrap().after.state, Verdict::Clean);
    let mut reader = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_crc_check(true);
    let mut met = Vec::new();
    reader.poll(usize::MAX, |record| met.push(span(&record))).unwrap();
    assert_eq!(met.last(), Some(&(59, 60)));
    let kept = reader.position();
    assert_eq!(kept.sequence, 61);
    let mut resumed = Tailer::open(dir, Stream::Ticks, Start::Position(kept)).unwrap().with_crc_check(true);
    assert_eq!((resumed.position().sequence, next(&mut resumed)), (61, None));
    let mut sought = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_crc_check(true);
    assert_eq!(sought.seek(Seek::Sequence(60)).unwrap(), Sought::AfterLast { last: 58 });
    assert_eq!((sought.position().sequence, next(&mut sought)), (59, Some((59, 60))));
    assert_eq!(sought.seek(Seek::Time(u64::MAX)).unwrap(), Sought::AfterLast { last: 58 });
    assert_eq!(sought.position().sequence, 61);
    // With records behind it, all of them go on in the next segment without a jump.
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    assert_eq!(journal.ticks.append(words_of(&mut trade(61))).unwrap(), 61);
    for tailer in [&mut resumed, &mut sought, &mut reader] {
        assert_eq!(next(tailer), Some((61, 61)));
    }
    assert_eq!(sought.seek(Seek::Sequence(59)).unwrap(), Sought::BeforeFirst { first: 61 });
    assert_eq!((next(&mut sought), next(&mut sought)), (Some((59, 60)), Some((61, 61))));
    // Numbers that never were are still told as cut.
    let beyond = hoga::journal::Position { sequence: 70, ..kept };
    let error = Tailer::open(dir, Stream::Ticks, Start::Position(beyond)).unwrap_err();
    assert!(matches!(error, TailError::Rewound { last } if last.sequence == 58), "{error}");
    journal.close().unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
}
