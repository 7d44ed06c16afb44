//! A new journal of the records that a filter takes.

use std::fs;

use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::journal::{Bound, Filter, Start, Stream, Tailer, newest_day};

use super::{Export, ExportError, Exported, ExportedFile};
use crate::control::Controls;
use crate::merge::{By, Merge, ReadError};

/// Records taken between two looks around.
const BATCH: usize = 4096;

/// Writes the records with the sequences they have; where some were left out, a `Hole` record says so. Every instrument of
/// the journal is declared. Stream `raw` goes along, the same range of times, unless records are chosen by instrument,
/// kind, venue or sequence.
pub(super) fn export(
    what: &Export,
    controls: &Controls,
    mut progress: impl FnMut(u64),
) -> Result<Exported, ExportError> {
    let [(dir, filter)] = what.journals.as_slice() else { return Err(ExportError::Several(what.journals.len())) };
    if what.force && what.out.join(Stream::Ticks.name()).is_dir() {
        fs::remove_dir_all(&what.out).map_err(|source| ExportError::Io { path: what.out.clone(), source })?;
    }
    let fail = |source| ReadError { dir: dir.clone(), source };
    let day = newest_day(dir).map_or(0, |day| {
        day.year() as u32 * 10_000 + u32::from(day.month().unsigned_abs()) * 100 + u32::from(day.day().unsigned_abs())
    });
    let newest = Tailer::open(dir, Stream::Ticks, Start::End).map_err(fail)?;
    let end = newest.next_sequence().saturating_sub(1);
    let mut journal = JournalBuilder::create(&what.out, JournalSpec { trading_date: day, ..JournalSpec::default() })?;
    // Ids are dense from 1. A definition may lie before what is taken.
    for id in 1.. {
        let Some(definition) = newest.instrument(id) else { break };
        journal.stream(Stream::Ticks)?.know(definition);
    }
    drop(newest);

    let mut records = 0_u64;
    let mut merge = Merge::open([(dir.as_path(), filter.clone())], By::Recv)?;
    while let Some(record) = merge.next()? {
        if record.position.sequence > end {
            break;
        }
        journal.append(Stream::Ticks, record.bytes)?;
        records += 1;
        if records.is_multiple_of(1 << 16) {
            progress(records);
            if controls.has_quit() {
                return Err(ExportError::Ended);
            }
        }
    }
    let mut frames = 0;
    if let Some(range) = raw_range(filter)
        && let Ok(tailer) = Tailer::open(dir, Stream::Raw, Start::Beginning)
    {
        let mut tailer = tailer.with_crc_check(true).with_filter(range);
        loop {
            let mut written = Ok(());
            let polled = tailer.poll(BATCH, |record| {
                if written.is_ok() {
                    written = journal.append(Stream::Raw, record.bytes);
                    frames += 1;
                }
            });
            written?;
            if polled.map_err(fail)?.records < BATCH {
                break;
            }
            progress(records + frames);
            if controls.has_quit() {
                return Err(ExportError::Ended);
            }
        }
    }
    journal.finish()?;
    let file = ExportedFile { kind: None, path: what.out.clone(), rows: records + frames, bytes: 0 };
    Ok(Exported { files: vec![file], records, unknown: 0 })
}

/// The frames that go along; `None` = none.
fn raw_range(filter: &Filter) -> Option<Filter> {
    let by_time = |bound: Option<Bound>| !matches!(bound, Some(Bound::Sequence(_)));
    let is_whole = filter.symbols.is_empty() && filter.kinds.is_empty() && filter.venues.is_empty();
    (is_whole && by_time(filter.from) && by_time(filter.to)).then(|| Filter {
        from: filter.from,
        to: filter.to,
        ..Filter::default()
    })
}
