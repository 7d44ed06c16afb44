//! A new journal of everything that is valid in a damaged one, which is only read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::journal::build::BuildError;
use crate::journal::build_journal::{new_folder, write_control};
use crate::journal::control::ControlReader;
use crate::journal::format::{Stream, segment_name};
use crate::journal::rebuild::{Job, Loss, Rebuilder};
use crate::journal::retention::Pruned;
use crate::journal::source::Source;
use crate::journal::verify::VerifyError;
use crate::journal::{LOCK_NAME, is_live, list_segments};

/// What was saved of a stream.
#[derive(Clone, Debug, Default)]
pub struct RescuedStream {
    /// Segments read.
    pub segments: u64,
    /// Numbered records in the new journal.
    pub records: u64,
    /// Of them, records whose damaged length word was told from their checksum.
    pub mended: u64,
    /// Sequence of the last record, or of the last one lost; 0 = none.
    pub last_sequence: u64,
    /// What is not there, each a `Hole` record of the new journal.
    pub losses: Vec<Loss>,
    /// Bytes behind the last valid record of a segment that belong to no record known: torn tails.
    pub left_over: u64,
    /// Files that can't be read at all, and why.
    pub unreadable: Vec<(String, String)>,
}

impl RescuedStream {
    /// Records known to be lost.
    pub fn lost(&self) -> u64 {
        self.losses.iter().map(Loss::records).sum()
    }
}

/// What was saved.
#[derive(Clone, Debug)]
pub struct RescueReport {
    /// The streams that are there.
    pub streams: Vec<(Stream, RescuedStream)>,
}

/// Why nothing could be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RescueError {
    /// The folder holds no journal.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A writer holds the journal.
    #[error("{dir} is being written: stop the recorder first (process {holder})")]
    Live {
        /// The journal.
        dir: PathBuf,
        /// What the lock file says of it.
        holder: String,
    },
    /// Written by a newer program.
    #[error("{file}: format {major} is newer than this program knows: use a newer hoga")]
    Version {
        /// The file.
        file: String,
        /// Its major number.
        major: u16,
    },
    /// The new journal could not be written.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> RescueError {
    |source| RescueError::Io { path: path.to_owned(), source }
}

/// Writes every valid record of a journal, under the sequence it has, into a new journal in `out`, which must not exist
/// or be empty. Damaged headers, torn tails and missing files are no hindrance; what is lost is said by `Hole` records
/// there and in the report. The damaged journal is not changed. `progress` is told stream, segment, and bytes done and
/// in all.
///
/// # Errors
///
/// See [`RescueError`]. What is in `out` then is no whole journal: its control pages are missing.
pub fn rescue(
    dir: &Path,
    out: &Path,
    mut progress: impl FnMut(Stream, u64, u64, u64),
) -> Result<RescueReport, RescueError> {
    let there: Vec<Stream> =
        [Stream::Ticks, Stream::Raw].into_iter().filter(|stream| dir.join(stream.name()).is_dir()).collect();
    if there.is_empty() {
        return Err(VerifyError::NoJournal(dir.to_owned()).into());
    }
    if is_live(dir) {
        let holder = fs::read_to_string(dir.join(LOCK_NAME)).unwrap_or_default().trim().to_owned();
        return Err(RescueError::Live { dir: dir.to_owned(), holder });
    }
    let _lock = new_folder(out)?;
    let mut report = RescueReport { streams: Vec::new() };
    for stream in there {
        let rescued = rescue_stream(dir, &out.join(stream.name()), stream, &mut progress)?;
        report.streams.push((stream, rescued));
    }
    // A journal has a stream of ticks, be it empty.
    let ticks = out.join(Stream::Ticks.name());
    fs::create_dir_all(&ticks).map_err(io_at(&ticks))?;
    Ok(report)
}

fn rescue_stream(
    dir: &Path,
    out: &Path,
    stream: Stream,
    progress: &mut dyn FnMut(Stream, u64, u64, u64),
) -> Result<RescuedStream, RescueError> {
    let folder = &dir.join(stream.name());
    let mut rescued = RescuedStream::default();
    let mut sources = Vec::new();
    for ordinal in list_segments(folder).map_err(io_at(folder))? {
        let name = format!("{}/{}", stream.name(), segment_name(ordinal));
        let better = |found: Source| Ok(found.better_form(stream)?.unwrap_or(found));
        match Source::look(folder, stream, ordinal).and_then(better) {
            Ok(source) => match source.newer() {
                Some(major) => return Err(RescueError::Version { file: name, major }),
                None => sources.push(source),
            },
            Err(error) => rescued.unreadable.push((name, error.to_string())),
        }
    }
    while sources.last().is_some_and(Source::is_unused) {
        sources.pop();
    }
    fs::create_dir_all(out).map_err(io_at(out))?;
    let mark = match ControlReader::open(folder, stream) {
        Ok(Ok(control)) => control.durable().map(|slot| slot.sequence + 1),
        _ => None,
    };
    let total: u64 = sources.iter().map(|source| source.bytes).sum();
    let mut rebuilder = Rebuilder::new(out, stream);
    // Definitions are restated in every segment: the newest that can be read knows the most.
    for source in sources.iter().filter(|source| source.header.is_some()).take(1) {
        rebuilder.learn(source).map_err(io_at(folder))?;
    }
    if let Some(newest) = sources.iter().rev().find(|source| source.header.is_some()) {
        rebuilder.learn(newest).map_err(io_at(folder))?;
    }
    if let Some(first) = sources.iter().find_map(|source| source.header.as_ref()) {
        rebuilder.like_that(first);
    }
    let pruned = Pruned::read(dir).map_err(io_at(dir))?;
    // Of a beginning that is not there and was not pruned, everything is lost.
    let first = sources.first().map_or(1, |source| source.ordinal);
    let mut expected = (first > 1 && pruned.beyond(stream, (1, 1), first).0 != first).then_some(1);
    let mut last = None;
    let mut done = 0;
    for (index, source) in sources.iter().enumerate() {
        progress(stream, source.ordinal, done, total);
        done += source.bytes;
        let is_last = index + 1 == sources.len();
        let behind = sources.get(index + 1).and_then(Source::base);
        let until = behind.or(mark.filter(|_| is_last));
        let reader = source.open().map_err(io_at(folder))?;
        let job = Job {
            source,
            reader: reader.as_ref(),
            name: format!("{}/{}", stream.name(), segment_name(source.ordinal)),
            ordinal: index as u64 + 1,
            expected,
            until: until.filter(|until| expected.is_none_or(|expected| *until >= expected)),
            is_bounded: behind.is_some(),
        };
        let rebuilt = rebuilder.rebuild(&job, &mut |_, _| Ok(()))?;
        expected = Some(rebuilt.built.next_sequence);
        last = Some(rebuilt.built);
        rescued.segments += 1;
        rescued.records += rebuilt.records;
        rescued.mended += rebuilt.mended;
        rescued.left_over += rebuilt.left_over;
        rescued.losses.extend(rebuilt.losses);
        rescued.last_sequence = rebuilt.built.next_sequence - 1;
    }
    if let Some(last) = last {
        write_control(out, stream, rebuilder.like.epoch, rebuilder.like.boot_id, last)?;
    }
    progress(stream, 0, total, total);
    Ok(rescued)
}
