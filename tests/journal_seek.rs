//! Going to a place: by sequence and by time, held against a linear scan over everything.

mod journal_support;

use std::fs;
use std::path::Path;

use hoga::journal::{
    Bound, Filter, Journal, Position, SealOptions, Seek, Sought, Start, Stream, TailError, Tailer, Venue, Verdict,
    seal, verify,
};
use hoga::tick::{Publisher, RType, words_of};
use journal_support::*;
use proptest::prelude::*;

const DAY: u32 = 20_261_123;

/// Everything a linear scan sees: (sequence, ts_recv).
fn scan(dir: &Path, stream: Stream) -> Vec<(u64, u64)> {
    let mut seen = Vec::new();
    let mut tailer = Tailer::open(dir, stream, Start::Beginning).unwrap();
    tailer.poll(usize::MAX, |record| seen.push((record.position.sequence, record.header().ts_recv))).unwrap();
    seen
}

/// What a seek must say and hand over next, by looking at every record.
fn slow_twin(all: &[(u64, u64)], to: Seek, base: u64) -> (Sought, Option<u64>) {
    let last = all.last().map_or(base - 1, |record| record.0);
    let found = match to {
        Seek::Sequence(sequence) => all.iter().find(|record| record.0 >= sequence),
        Seek::Time(time) => {
            let mut most = 0;
            all.iter().find(|record| {
                most = most.max(record.1);
                most >= time
            })
        }
    };
    let Some(&(sequence, ts_recv)) = found else { return (Sought::AfterLast { last }, None) };
    let is_exact = match to {
        Seek::Sequence(wanted) => wanted == sequence,
        Seek::Time(time) => sequence != all[0].0 || ts_recv == time,
    };
    (if is_exact { Sought::Exact } else { Sought::BeforeFirst { first: sequence } }, Some(sequence))
}

fn assert_seeks(tailer: &mut Tailer, all: &[(u64, u64)], to: Seek) {
    let (sought, next) = slow_twin(all, to, 1);
    assert_eq!(tailer.seek(to).unwrap(), sought, "{to:?}");
    let mut got = None;
    let expected = next.unwrap_or(all.last().map_or(1, |record| record.0 + 1));
    assert_eq!(tailer.position().sequence, expected, "{to:?}");
    tailer.poll(1, |record| got = Some(record.position.sequence)).unwrap();
    assert_eq!(got, next, "{to:?}");
}

/// A trade whose time is its own.
fn timed(number: u64, ts_recv: u64) -> hoga::tick::Trade {
    let mut trade = trade(number);
    trade.header.ts_recv = ts_recv;
    trade
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn random_seeks_find_what_a_linear_scan_finds_whether_live_sealed_or_compressed(
        steps in prop::collection::vec((-40_i64..60, 0_u8..40), 150..500),
        seeks in prop::collection::vec((any::<bool>(), any::<u16>()), 40),
        packed in any::<bool>(),
    ) {
        let folder = scratch();
        let dir = folder.path();
        let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
        let mut now = 1_000_i64;
        let mut declared = 0;
        for (at, (step, what)) in steps.iter().enumerate() {
            now += step;
            match what {
                0 => {
                    declared += 1;
                    journal.ticks.append(words_of(&mut instrument(declared))).unwrap();
                }
                1 => {
                    // The end of an opening: closed or dead.
                    if at % 2 == 0 { journal.close().unwrap() } else { drop(journal) }
                    journal = Journal::open(dir, small(8 << 10)).unwrap();
                }
                2 if at > steps.len() / 2 => journal.ticks.set_trading_date(DAY + 1).unwrap(),
                _ => {
                    journal.ticks.append(words_of(&mut timed(at as u64, now.max(0) as u64))).unwrap();
                }
            }
        }
        journal.ticks.set_trading_date(DAY + 1).unwrap();
        journal.raw.as_mut().unwrap().set_trading_date(DAY + 1).unwrap();
        let all = scan(dir, Stream::Ticks);
        let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
        let seek_all = |tailer: &mut Tailer| {
            for (by_time, at) in &seeks {
                let (sequence, ts_recv) = all[usize::from(*at) % all.len()];
                let near = u64::from(*at) % 3;
                let to = if *by_time {
                    Seek::Time((ts_recv + near).saturating_sub(1))
                } else {
                    Seek::Sequence((sequence + near).saturating_sub(1))
                };
                assert_seeks(tailer, &all, to);
            }
            for to in [Seek::Sequence(0), Seek::Sequence(u64::MAX), Seek::Time(0), Seek::Time(u64::MAX)] {
                assert_seeks(tailer, &all, to);
            }
        };
        seek_all(&mut tailer);
        let day = "2026-11-23".parse().unwrap();
        let options = SealOptions { compress_to: packed.then_some(day) };
        seal(dir, day, options, |_| {}).unwrap();
        seek_all(&mut tailer);
        let mut fresh = Tailer::open(dir, Stream::Ticks, Start::End).unwrap().with_crc_check(true);
        seek_all(&mut fresh);
        prop_assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    }
}

/// Two days; the first is over. Returns the journal, still open.
fn two_days(dir: &Path, records: u64) -> Journal {
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    for id in 1..=7 {
        journal.ticks.append(words_of(&mut instrument(id))).unwrap();
    }
    for number in 1..=records {
        append_pair(&mut journal, number);
    }
    journal.ticks.set_trading_date(DAY + 1).unwrap();
    journal.raw.as_mut().unwrap().set_trading_date(DAY + 1).unwrap();
    for number in records + 1..=2 * records {
        append_pair(&mut journal, number);
    }
    journal
}

#[test]
fn a_seek_follows_what_is_written_while_the_journal_is_live() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(8 << 10)).unwrap();
    let mut tailer = Tailer::open(folder.path(), Stream::Ticks, Start::Beginning).unwrap();
    assert_eq!(tailer.seek(Seek::Sequence(1)).unwrap(), Sought::AfterLast { last: 0 });
    assert_eq!(tailer.seek(Seek::Time(5)).unwrap(), Sought::AfterLast { last: 0 });
    for number in 1..=200 {
        append_pair(&mut journal, number);
        assert_eq!(tailer.seek(Seek::Sequence(number)).unwrap(), Sought::Exact);
        assert_eq!(tailer.seek(Seek::Sequence(number + 1)).unwrap(), Sought::AfterLast { last: number });
        let time = trade(number).header.ts_recv;
        assert_eq!(tailer.seek(Seek::Time(time + 1)).unwrap(), Sought::AfterLast { last: number });
        assert_eq!(tailer.seek(Seek::Time(time)).unwrap(), Sought::Exact);
    }
    tailer.seek(Seek::Sequence(150)).unwrap();
    let mut next = 150;
    tailer
        .poll(usize::MAX, |record| {
            assert_eq!(record.position.sequence, next);
            next += 1;
        })
        .unwrap();
    assert_eq!(next, 201, "reading goes on from there");
    let opened = Tailer::open(folder.path(), Stream::Ticks, Start::Time(trade(77).header.ts_recv)).unwrap();
    assert_eq!(opened.position().sequence, 77);
}

#[test]
fn an_index_that_is_lost_or_damaged_changes_no_answer_and_is_named() {
    let folder = scratch();
    let dir = folder.path();
    let journal = two_days(dir, 200);
    let all = scan(dir, Stream::Ticks);
    let day = "2026-11-23".parse().unwrap();
    seal(dir, day, SealOptions::default(), |_| {}).unwrap();
    let index = dir.join("ticks/0000000002.idx");
    let good = fs::read(&index).unwrap();
    for damage in 0..good.len() + 2 {
        let mut bytes = good.clone();
        match damage.checked_sub(good.len()) {
            Some(0) => bytes.truncate(bytes.len() / 2),
            Some(_) => bytes.clear(),
            None => bytes[damage] ^= 1,
        }
        fs::write(&index, &bytes).unwrap();
        if damage % 16 < 15 && damage < good.len() {
            continue;
        }
        let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
        for (sequence, ts_recv) in all.iter().step_by(29) {
            assert_seeks(&mut tailer, &all, Seek::Sequence(*sequence));
            assert_seeks(&mut tailer, &all, Seek::Time(*ts_recv));
        }
        let report = verify(dir, |_, _, _, _| {}).unwrap();
        let named: Vec<_> = report.streams[0].1.findings.iter().map(|finding| finding.segment.as_str()).collect();
        assert_eq!(named, ["ticks/0000000002.idx"], "byte {damage}");
        assert_eq!(report.state, Verdict::Torn);
    }
    fs::remove_file(&index).unwrap();
    assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean, "a lost one is made anew by sealing");
    seal(dir, day, SealOptions::default(), |_| {}).unwrap();
    assert_eq!(fs::read(&index).unwrap(), good);
    drop(journal);
}

#[test]
fn a_filter_skips_segments_that_hold_nothing_it_takes() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    // Twenty segments of one instrument, one record of another in the middle.
    for id in 1..=2 {
        journal.ticks.append(words_of(&mut instrument(id))).unwrap();
    }
    let mut number = 0;
    while journal.ticks.ordinal() < 21 {
        number += 1;
        let mut trade = trade(number);
        trade.header.instrument_id = 1;
        trade.header.publisher = Publisher::KisKrx as u16;
        if journal.ticks.ordinal() == 10 && number % 16 == 0 {
            trade.header.instrument_id = 2;
            trade.header.publisher = Publisher::KisNxt as u16;
        }
        journal.ticks.append(words_of(&mut trade)).unwrap();
    }
    journal.ticks.set_trading_date(DAY + 1).unwrap();
    journal.raw.as_mut().unwrap().set_trading_date(DAY + 1).unwrap();
    let time = |number| Bound::Time(trade(number).header.ts_recv);
    let filters = [
        Filter { symbols: vec!["000002".to_owned()], kinds: vec![RType::Trade], ..Filter::default() },
        Filter { venues: vec![Venue::Nxt], ..Filter::default() },
        Filter { kinds: vec![RType::Gap], ..Filter::default() },
        Filter { from: Some(Bound::Sequence(90)), to: Some(Bound::Sequence(95)), ..Filter::default() },
        Filter { from: Some(time(90)), to: Some(time(95)), ..Filter::default() },
    ];
    let read = |filter: &Filter| {
        let mut taken = Vec::new();
        let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_filter(filter.clone());
        tailer.poll(usize::MAX, |record| taken.push(record.position.sequence)).unwrap();
        (taken, tailer.segments_read())
    };
    let slowly = |filter: &Filter| {
        let mut taken = Vec::new();
        let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
        let take = |record: hoga::journal::RecordRef<'_>| {
            taken.extend(filter.takes(&record).then_some(record.position.sequence));
        };
        tailer.poll(usize::MAX, take).unwrap();
        taken
    };
    let before: Vec<_> = filters.iter().map(read).collect();
    seal(dir, "2026-11-23".parse().unwrap(), SealOptions::default(), |_| {}).unwrap();
    for (filter, (taken, _)) in filters.iter().zip(before) {
        let (sealed, segments) = read(filter);
        assert_eq!(taken, slowly(filter), "{filter:?}");
        assert_eq!(sealed, taken, "{filter:?}");
        // That with the records, the open one, and at most the one where the tailer was opened.
        assert!(segments <= 4, "{filter:?} read {segments} of 22 segments");
    }
    assert!(read(&Filter::default()).1 >= 22);
    assert!(!slowly(&filters[0]).is_empty() && slowly(&filters[3]) == [90, 91, 92, 93, 94, 95]);
}

#[test]
fn definitions_before_the_place_are_known_after_a_seek() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(512 << 10)).unwrap();
    // More than two steps of the index in one segment, a definition in each.
    for number in 1..=1500 {
        if number % 500 == 1 {
            journal.ticks.append(words_of(&mut instrument(number as u32 / 500 + 1))).unwrap();
        }
        append_pair(&mut journal, number);
    }
    let mut tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    assert_eq!(tailer.seek(Seek::Sequence(1400)).unwrap(), Sought::Exact);
    let mut known = Vec::new();
    tailer.poll(1, |record| known.extend((1..5).filter(|id| record.instrument(*id).is_some()))).unwrap();
    assert_eq!(known, [1, 2, 3]);
}

#[test]
fn a_reader_whose_records_were_cut_after_a_host_death_is_told_what_is_left() {
    let folder = scratch();
    let dir = folder.path();
    let config = small(8 << 10);
    let mut journal = Journal::open_in_boot(dir, config, [1; 16]).unwrap();
    for number in 1..=60 {
        append_pair(&mut journal, number);
    }
    let mut live = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    let mut early = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap();
    let mut last = Position::default();
    early.poll(20, |_| {}).unwrap();
    let mut cut_at = 0;
    live.poll(usize::MAX, |record| {
        last = record.position;
        if record.position.sequence == 25 {
            cut_at = record.position.offset;
        }
    })
    .unwrap();
    assert_eq!(last.sequence, 60);
    let kept = live.position();
    drop(journal);
    // The host dies: the page of record 25 never reached the disk, later ones did.
    let path = segment(dir, Stream::Ticks, 2);
    assert!(cut_at > 0 && last.ordinal > 2);
    {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0; 64], cut_at).unwrap();
    }
    let mut journal = Journal::open_in_boot(dir, config, [2; 16]).unwrap();
    assert_eq!(journal.recovery.ticks.last_sequence, 24);
    let told = |tailer: &mut Tailer| {
        for _ in 0..50 {
            match tailer.poll(usize::MAX, |_| {}) {
                Err(TailError::Rewound { last }) => return Some(last),
                Err(error) => panic!("{error}"),
                Ok(_) => std::thread::sleep(std::time::Duration::from_millis(2)),
            }
        }
        None
    };
    let left = told(&mut live).expect("the reader behind the cut is told");
    assert_eq!((left.sequence, left.epoch, left.ordinal), (24, 1, 2));
    for number in 25..=120 {
        append_pair(&mut journal, number);
    }
    assert_eq!(told(&mut live).expect("for as long as it stands there").sequence, 24);
    assert!(told(&mut early).is_none(), "one before the cut reads on");
    assert_eq!(early.next_sequence(), 121);
    live.seek(Seek::Sequence(left.sequence + 1)).unwrap();
    let mut next = 25;
    live.poll(usize::MAX, |record| {
        assert_eq!((record.position.sequence, record.position.epoch), (next, 2));
        next += 1;
    })
    .unwrap();
    assert_eq!(next, 121);
    // A position kept over the host's death, too.
    match Tailer::open(dir, Stream::Ticks, Start::Position(kept)) {
        Err(TailError::Rewound { last }) => assert_eq!(last.sequence, 24),
        other => panic!("{other:?}"),
    }
    let resumed = Tailer::open(dir, Stream::Ticks, Start::Position(live.position())).unwrap();
    assert_eq!(resumed.next_sequence(), 121);
}

#[test]
fn a_durable_tailer_stops_at_the_durable_mark() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    for number in 1..=50 {
        append_pair(&mut journal, number);
    }
    let mut durable = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_durable(true);
    assert_eq!(durable.poll(usize::MAX, |_| {}).unwrap().records, 0, "nothing was synced yet");
    journal.close().unwrap();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    append_pair(&mut journal, 51);
    assert_eq!(durable.poll(usize::MAX, |_| {}).unwrap().records, 50);
    assert_eq!(durable.next_sequence(), 51);
    let mut all = durable.with_durable(false);
    assert_eq!(all.poll(usize::MAX, |_| {}).unwrap().records, 1);
}

#[test]
fn a_durable_tailer_follows_the_mark_into_a_control_page_made_anew() {
    let folder = scratch();
    let dir = folder.path();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    append_pair(&mut journal, 1);
    journal.close().unwrap();
    let mut durable = Tailer::open(dir, Stream::Ticks, Start::Beginning).unwrap().with_durable(true);
    assert_eq!(durable.poll(usize::MAX, |_| {}).unwrap().records, 1);
    // Damaged in its head, it is replaced by the next opening.
    let path = dir.join("ticks/control");
    let mut page = fs::read(&path).unwrap();
    page[9] ^= 1;
    fs::write(dir.join("ticks/damaged"), page).unwrap();
    fs::rename(dir.join("ticks/damaged"), &path).unwrap();
    let mut journal = Journal::open(dir, small(8 << 10)).unwrap();
    append_pair(&mut journal, 2);
    assert_eq!(durable.poll(usize::MAX, |_| {}).unwrap().records, 0);
    journal.close().unwrap();
    let begun = std::time::Instant::now();
    while durable.poll(usize::MAX, |_| {}).unwrap().records == 0 {
        assert!(begun.elapsed().as_secs() < 30, "the page it mapped first tells nothing more");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
