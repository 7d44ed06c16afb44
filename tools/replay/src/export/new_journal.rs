//! A new journal of the records that a filter takes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::journal::{Bound, Filter, SegmentReader, Start, Stream, TailError, TailState, Tailer, is_live, newest_day};

use super::{Export, ExportError, Exported, ExportedFile};
use crate::control::Controls;
use crate::merge::{By, Merge, ReadError};

/// Records taken between two looks around.
const BATCH: usize = 4096;
/// Records looked at between two looks around.
const SLICE: usize = 65_536;
/// All that a journal made here consists of.
const OWN_ENTRIES: [&str; 3] = ["lock", "raw", "ticks"];

/// Writes the records with the sequences they have; where some were left out, a `Hole` record says so. Every instrument of
/// the journal is declared, and segments keep their trading dates. Stream `raw` goes along, the same range of times, unless
/// records are chosen by instrument, kind, venue or sequence.
///
/// The journal is written under another name beside its own, and renamed when it is complete.
pub(super) fn export(what: &Export, controls: &Controls, progress: impl FnMut(u64)) -> Result<Exported, ExportError> {
    let [(dir, filter)] = what.journals.as_slice() else { return Err(ExportError::Several(what.journals.len())) };
    let out = resolved(&what.out).map_err(|source| ExportError::Io { path: what.out.clone(), source })?;
    check_place(&out, dir, what.force)?;
    let partial = Partial::begin(beside(&out, ".tmp"))?;
    let (records, frames) = write(dir, filter, &partial.0, controls, progress)?;
    partial.take_place(&out)?;
    let file = ExportedFile { kind: None, path: what.out.clone(), rows: records + frames, bytes: 0 };
    Ok(Exported { files: vec![file], records, unknown: 0 })
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        known => return known,
    }
    let path = std::path::absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(resolved(parent)?.join(name)),
        // `..` behind what is not there.
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a folder that is not there has no parent")),
    }
}

/// Refuses a place where something would be lost that an export did not make.
fn check_place(out: &Path, source: &Path, force: bool) -> Result<(), ExportError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Io { path, source }
    };
    let source = fs::canonicalize(source).map_err(fail(source))?;
    if out.starts_with(&source) || source.starts_with(out) {
        return Err(ExportError::Source { out: out.to_owned(), journal: source });
    }
    let entries = match entries(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail(out))?,
    };
    if entries.is_empty() {
        return Ok(());
    }
    if is_live(out) {
        return Err(ExportError::Live(out.to_owned()));
    }
    if let Some(entry) = entries.into_iter().find(|name| !OWN_ENTRIES.contains(&name.as_str())) {
        return Err(ExportError::Foreign { out: out.to_owned(), entry });
    }
    if force { Ok(()) } else { Err(ExportError::Exists(out.to_owned())) }
}

fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn beside(out: &Path, suffix: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A journal that is not complete: gone when dropped.
struct Partial(PathBuf);

impl Partial {
    /// Makes room for it: what an export that was killed left there is removed, nothing else is.
    fn begin(path: PathBuf) -> Result<Partial, ExportError> {
        clear(&path)?;
        Ok(Partial(path))
    }

    /// Puts it where it is to be, in the place of an export before.
    fn take_place(self, out: &Path) -> Result<(), ExportError> {
        let fail = |source| ExportError::Io { path: out.to_owned(), source };
        let old = beside(out, ".old.tmp");
        clear(&old)?;
        let has_old = match fs::rename(out, &old) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(fail(source)),
        };
        if let Err(source) = fs::rename(&self.0, out) {
            if has_old {
                let _ = fs::rename(&old, out);
            }
            return Err(fail(source));
        }
        if let Some(parent) = out.parent() {
            super::sync_folder(parent)?;
        }
        if has_old { fs::remove_dir_all(&old).map_err(fail) } else { Ok(()) }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Renamed, it is no longer there.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what an export left under a temporary name.
fn clear(path: &Path) -> Result<(), ExportError> {
    let fail = |source| ExportError::Io { path: path.to_owned(), source };
    let entries = match entries(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    if is_live(path) {
        return Err(ExportError::Live(path.to_owned()));
    }
    if let Some(entry) = entries.into_iter().find(|name| !OWN_ENTRIES.contains(&name.as_str())) {
        return Err(ExportError::Foreign { out: path.to_owned(), entry });
    }
    fs::remove_dir_all(path).map_err(fail)
}

/// Writes the journal; the records of stream `ticks`, and the frames.
fn write(
    dir: &Path,
    filter: &Filter,
    out: &Path,
    controls: &Controls,
    mut progress: impl FnMut(u64),
) -> Result<(u64, u64), ExportError> {
    let fail = |source| ReadError { dir: dir.to_owned(), source };
    let day = newest_day(dir).map_or(0, |day| {
        day.year() as u32 * 10_000 + u32::from(day.month().unsigned_abs()) * 100 + u32::from(day.day().unsigned_abs())
    });
    let newest = Tailer::open(dir, Stream::Ticks, Start::End).map_err(fail)?;
    let end = newest.next_sequence().saturating_sub(1);
    let mut journal = JournalBuilder::create(out, JournalSpec { trading_date: day, ..JournalSpec::default() })?;
    // Ids are dense from 1. A definition may lie before what is taken.
    for id in 1.. {
        let Some(definition) = newest.instrument(id) else { break };
        journal.stream(Stream::Ticks)?.know(definition);
    }
    drop(newest);

    let mut records = 0_u64;
    let mut dates = Dates::new(dir, Stream::Ticks, day);
    let mut merge = Merge::open_with([(dir, filter.clone())], By::Recv, controls)?;
    while let Some(record) = merge.next()? {
        if record.position.sequence > end {
            break;
        }
        if let Some(date) = dates.enter(record.position.ordinal) {
            journal.stream(Stream::Ticks)?.set_trading_date(date)?;
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
    if let Some(range) = raw_range(filter) {
        match Tailer::open(dir, Stream::Raw, Start::Beginning) {
            Ok(tailer) => {
                let mut tailer = tailer.with_crc_check(true).with_filter(range).with_slices(SLICE);
                let mut dates = Dates::new(dir, Stream::Raw, day);
                loop {
                    let mut written = Ok(());
                    let polled = tailer.poll(BATCH, |record| {
                        if written.is_ok() {
                            written = dates.enter(record.position.ordinal).map_or(Ok(()), |date| {
                                journal.stream(Stream::Raw).and_then(|raw| raw.set_trading_date(date))
                            });
                        }
                        if written.is_ok() {
                            written = journal.append(Stream::Raw, record.bytes);
                            frames += 1;
                        }
                    });
                    written?;
                    if polled.map_err(fail)?.state != TailState::More || tailer.is_past() {
                        break;
                    }
                    progress(records + frames);
                    if controls.has_quit() {
                        break;
                    }
                }
            }
            // Frames were not kept.
            Err(TailError::NoJournal(_)) => {}
            Err(error) => return Err(fail(error).into()),
        }
    }
    if controls.has_quit() {
        return Err(ExportError::Ended);
    }
    journal.finish()?;
    Ok((records, frames))
}

/// Trading dates of the segments read.
struct Dates {
    folder: PathBuf,
    stream: Stream,
    ordinal: u64,
    /// Of segments that were told none.
    untold: u32,
}

impl Dates {
    fn new(dir: &Path, stream: Stream, untold: u32) -> Dates {
        Dates { folder: dir.join(stream.name()), stream, ordinal: 0, untold }
    }

    /// The date of a segment, decimal YYYYMMDD, when it is another segment than the one before.
    fn enter(&mut self, ordinal: u64) -> Option<u32> {
        if self.ordinal == ordinal {
            return None;
        }
        self.ordinal = ordinal;
        let header = SegmentReader::open_in(&self.folder, ordinal).ok()?.checked_header(self.stream, ordinal).ok()?;
        let told = header.activation.map_or(0, |activation| activation.trading_date);
        Some(if told == 0 { self.untold } else { told })
    }
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
