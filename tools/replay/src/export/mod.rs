//! Journals as typed columns, one file a kind, or as a new journal.
//!
//! One thread reads the journals, checks every record and lays it out as a row; another turns batches of rows into columns
//! and writes them; the columns of a batch are made by as many threads as there are processors. What is in memory is
//! bounded: a batch a kind, two on their way and one that comes back to be filled again.

pub mod arrays;
mod files;
#[doc(hidden)]
pub mod naive;
mod new_journal;
pub mod rows;
pub mod schema;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::datatypes::SchemaRef;
use hoga::journal::{Filter, build::BuildError};
use hoga::tick::columns::row_bytes;
use hoga::tick::{RType, view};

use self::files::KindFile;
use self::rows::{Instruments, Rows};
use self::schema::schema_of;
use crate::control::Controls;
use crate::merge::{By, Merge, ReadError};

/// A row group ends with the hour at the latest, so that its statistics tell its time.
const GROUP_NS: u64 = 3_600_000_000_000;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Parquet files, compressed with zstd.
    Parquet,
    /// Arrow IPC files (Feather V2), not compressed: to be mapped.
    Arrow,
    /// CSV files.
    Csv,
    /// A new journal.
    Journal,
}

impl Format {
    /// Name as on the command line, and of files.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
            Format::Csv => "csv",
            Format::Journal => "journal",
        }
    }
}

/// Why an export failed. Files that were not complete are gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A journal.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is an export already.
    #[error("{0} is there already: name another folder, or replace it with --force")]
    Exists(PathBuf),
    /// The new journal would take the place of what it is made of, or lie in it.
    #[error("{out} and {journal} are the same, or one lies in the other: name another folder")]
    Source {
        /// Where it was to be.
        out: PathBuf,
        /// The journal.
        journal: PathBuf,
    },
    /// Someone writes what would be replaced.
    #[error("{0} is being written: name another folder")]
    Live(PathBuf),
    /// What would be replaced holds what no export makes.
    #[error("{out} holds `{entry}`, which no export made: it is not replaced, name another folder")]
    Foreign {
        /// Where the new journal was to be.
        out: PathBuf,
        /// What is there.
        entry: String,
    },
    /// A new journal of several.
    #[error(
        "a new journal keeps the sequences of its records, and {0} journals have the same ones: export each by itself"
    )]
    Several(usize),
    /// The new journal.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A decimal of more than 18 digits; [`export`] begins again with wider columns.
    #[error("a price or turnover of {} has more than 18 digits", .0.name())]
    TooWide(RType),
    /// Parquet.
    #[error("Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow.
    #[error("Arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The end was asked for.
    #[error("ended before it was complete")]
    Ended,
    /// The system refused something; a full disk shows here.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What to export where.
#[derive(Clone, Debug)]
pub struct Export {
    /// The journals, each with its filter.
    pub journals: Vec<(PathBuf, Filter)>,
    /// What to write.
    pub format: Format,
    /// Folder of the files, or of the new journal.
    pub out: PathBuf,
    /// Replace files of an export before.
    pub force: bool,
}

/// A file written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Kind of its records; `None` = a whole journal.
    pub kind: Option<RType>,
    /// Where it is.
    pub path: PathBuf,
    /// Records in it.
    pub rows: u64,
    /// Its size; 0 of a journal.
    pub bytes: u64,
}

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files, by kind.
    pub files: Vec<ExportedFile>,
    /// Records written.
    pub records: u64,
    /// Records of kinds this build does not know: they have no columns.
    pub unknown: u64,
}

/// Exports. `progress` is told the records read so far, now and then.
///
/// # Errors
///
/// See [`ExportError`]. Nothing of it is at its name then, but files of kinds that were complete.
pub fn export(what: &Export, controls: &Controls, mut progress: impl FnMut(u64)) -> Result<Exported, ExportError> {
    if what.format == Format::Journal {
        return new_journal::export(what, controls, progress);
    }
    let old = old_files(what)?;
    let mut wide = BTreeSet::new();
    loop {
        match export_columns(what, &wide, controls, &mut progress) {
            // Rare: from a price of 1e9 on. The file is begun again with columns that any value fits in.
            Err(ExportError::TooWide(kind)) if wide.insert(kind as u8) => {}
            Ok(exported) => {
                for path in old {
                    // Of kinds that are not in this export.
                    if !exported.files.iter().any(|file| file.path == path) {
                        fs::remove_file(&path).map_err(|source| ExportError::Io { path, source })?;
                    }
                }
                sync_folder(&what.out)?;
                return Ok(exported);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Files of an export before; they stay until they are replaced.
fn old_files(what: &Export) -> Result<Vec<PathBuf>, ExportError> {
    let fail = |source| ExportError::Io { path: what.out.clone(), source };
    fs::create_dir_all(&what.out).map_err(fail)?;
    let name = |kind: &RType| what.out.join(format!("{}.{}", kind.name(), what.format.extension()));
    let old: Vec<PathBuf> = RType::ALL.iter().map(name).filter(|path| path.exists()).collect();
    match old.first() {
        Some(path) if !what.force => Err(ExportError::Exists(path.clone())),
        _ => Ok(old),
    }
}

fn export_columns(
    what: &Export,
    wide: &BTreeSet<u8>,
    controls: &Controls,
    progress: &mut impl FnMut(u64),
) -> Result<Exported, ExportError> {
    let instruments = Arc::new(Instruments::read(what.journals.iter().map(|(dir, _)| dir.as_path()))?);
    let inputs = what.journals.iter().map(|(dir, filter)| (dir.as_path(), filter.clone()));
    let mut merge = Merge::open_with(inputs, By::Recv, controls)?;
    let (send, receive) = sync_channel::<Rows>(2);
    // Memory that was touched once is cheaper than fresh memory, which the system clears page by page.
    let (give_back, used) = sync_channel::<Rows>(1);
    std::thread::scope(|scope| {
        let encoder = scope.spawn(|| write_batches(what, wide, &instruments, receive, give_back));
        let read = read_rows(&mut merge, &instruments, &send, &used, controls, progress);
        drop(send);
        let files = match encoder.join() {
            Ok(files) => files,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        // What writes ends first when both fail: reading then ends because nobody takes its rows.
        let files = match (read, files) {
            (_, Err(error)) => return Err(error),
            (Err(error), _) => return Err(error),
            (Ok(unknown), Ok(files)) => (files, unknown),
        };
        let (files, unknown) = files;
        let mut exported = Exported { unknown, ..Exported::default() };
        let mut files: Vec<KindFile> = files.into_values().collect();
        for file in &mut files {
            file.complete()?;
        }
        // All are whole: now each takes its name.
        for file in files {
            exported.records += file.rows();
            exported.files.push(file.publish()?);
        }
        Ok(exported)
    })
}

fn sync_folder(folder: &Path) -> Result<(), ExportError> {
    let fail = |source| ExportError::Io { path: folder.to_owned(), source };
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

/// Lays records out and sends full batches; returns the records without columns.
fn read_rows(
    merge: &mut Merge,
    instruments: &Instruments,
    send: &SyncSender<Rows>,
    used: &Receiver<Rows>,
    controls: &Controls,
    progress: &mut impl FnMut(u64),
) -> Result<u64, ExportError> {
    let mut batches: BTreeMap<u8, (Rows, u64)> = BTreeMap::new();
    let (mut records, mut unknown) = (0_u64, 0);
    while let Some(record) = merge.next()? {
        records += 1;
        if records.is_multiple_of(1 << 16) {
            progress(records);
            if controls.has_quit() {
                return Err(ExportError::Ended);
            }
        }
        // Written since the dictionary was read: a next export's.
        if record.position.sequence > instruments.end(record.journal) {
            continue;
        }
        let Some(seen) = view(record.bytes) else { continue };
        let header = seen.header();
        let hour = record.time / GROUP_NS;
        let (rows, began) = match batches.entry(header.rtype) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let Some(kind) = RType::from_number(header.rtype).filter(|kind| row_bytes(*kind) > 0) else {
                    unknown += 1;
                    continue;
                };
                entry.insert((Rows::new(kind), hour))
            }
        };
        if !rows.is_empty() && (rows.is_full() || *began != hour) {
            let kind = rows.kind;
            let empty = used.try_recv().ok().filter(|used| used.kind == kind).unwrap_or_else(|| Rows::new(kind));
            let mut full = std::mem::replace(rows, empty);
            full.complete();
            if send.send(full).is_err() {
                return Ok(unknown);
            }
        }
        *began = hour;
        rows.push(&seen, instruments.number(record.journal, header.instrument_id));
    }
    for (mut rows, _) in batches.into_values() {
        rows.complete();
        if send.send(rows).is_err() {
            break;
        }
    }
    progress(records);
    if controls.has_quit() {
        return Err(ExportError::Ended);
    }
    Ok(unknown)
}

/// Writes batches as they come, each kind into its file.
fn write_batches(
    what: &Export,
    wide: &BTreeSet<u8>,
    instruments: &Instruments,
    batches: Receiver<Rows>,
    give_back: SyncSender<Rows>,
) -> Result<BTreeMap<u8, KindFile>, ExportError> {
    let names: Vec<String> = what.journals.iter().map(|(dir, _)| dir.display().to_string()).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let begin = |kind: RType| {
        let is_wide = wide.contains(&(kind as u8));
        let schema = Arc::new(schema_of(kind, is_wide, what.format.extension(), &names.join(",")));
        let file = KindFile::create(&what.out, kind, what.format, &schema, is_wide)?;
        Ok::<_, ExportError>((file, schema))
    };
    let mut files: BTreeMap<u8, (KindFile, SchemaRef)> = BTreeMap::new();
    // A kind that was asked for has a file, records or not.
    let asked: BTreeSet<u8> =
        what.journals.iter().flat_map(|(_, filter)| &filter.kinds).map(|kind| *kind as u8).collect();
    for kind in asked.into_iter().filter_map(RType::from_number).filter(|kind| row_bytes(*kind) > 0) {
        files.insert(kind as u8, begin(kind)?);
    }
    for mut rows in batches {
        let (file, schema) = match files.entry(rows.kind as u8) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(begin(rows.kind)?),
        };
        file.write(&rows, schema, instruments, threads)?;
        rows.clear();
        // One that waits already is enough.
        let _ = give_back.try_send(rows);
    }
    Ok(files.into_iter().map(|(kind, (file, _))| (kind, file)).collect())
}
