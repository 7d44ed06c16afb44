//! Retention: sealed days are deleted, oldest first, by an explicit policy alone; days under a legal hold are not. Every
//! deletion stands in `audit.log`, on the disk, before the first file of it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::clock::wall_ns;
use crate::journal::format::{Stream, index_name, packed_name, segment_name};
use crate::journal::manifest::{Manifest, SealFault, SealedSegment, ZEROS, sha256, store_whole};
use crate::journal::seal::{SealError, io_at, maintenance_lock, manifest_name, newest_in_use};
use crate::sys::file::{LockedFile, sync_file, sync_folder};

/// Name of the log of deletions.
pub(crate) const AUDIT_NAME: &str = "audit.log";
/// Folder of legal holds.
pub(crate) const HOLDS_NAME: &str = "holds";

/// What is kept. Nothing is deleted that is not named here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Trading days to keep: the newest of those recorded. `None`: all.
    pub keep_days: Option<u32>,
    /// Bytes of segment files to keep, about: the oldest days go until no more than this is left. `None`: all.
    pub keep_bytes: Option<u64>,
}

/// A day deleted, or to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedDay {
    /// The trading day.
    pub day: Date,
    /// Its segments that are there.
    pub segments: usize,
    /// Bytes of their files.
    pub bytes: u64,
    /// Which part of the policy.
    pub why: String,
}

/// What a pruning did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Days deleted, oldest first.
    pub pruned: Vec<PrunedDay>,
    /// Days that the policy would delete, but for a hold.
    pub held: Vec<Date>,
    /// Days that the policy would delete, but that are not sealed wholly, or written to.
    pub unsealed: Vec<Date>,
    /// Manifests that can't be read, by file, relative to the journal. Their days count as not sealed.
    pub damaged_manifests: Vec<(String, SealFault)>,
    /// Bytes of segment files left.
    pub bytes_left: u64,
}

/// A line of the log: a deletion, a hold, a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AuditLine {
    time: String,
    time_ns: u64,
    action: String,
    day: String,
    why: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    segments: Vec<AuditSegment>,
    /// SHA-256 of the line before, without its end; zeros for the first.
    previous: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AuditSegment {
    stream: String,
    ordinal: u64,
    first_sequence: u64,
    last_sequence: u64,
    bytes: u64,
    digest: String,
    seal: String,
}

/// Deletes the days that a policy does not keep; with `dry_run` it only says which.
///
/// Whole sealed days alone, oldest first; never the newest day, nor the newest segment of a stream, from which its numbers
/// go on: of the day of that, the rest goes. Their manifests stay. `progress` is told each file before it goes.
///
/// # Errors
///
/// As [`seal`](crate::journal::seal()). What was deleted before it stands in the log.
pub fn prune(
    dir: &Path,
    policy: Policy,
    dry_run: bool,
    mut progress: impl FnMut(&Path),
) -> Result<PruneReport, SealError> {
    prune_with(dir, policy, dry_run, &mut |path| {
        progress(path);
        Ok(())
    })
}

/// As [`prune`]; an error of `watch` ends it before that file goes, as being killed there would.
#[doc(hidden)]
pub fn prune_with(
    dir: &Path,
    policy: Policy,
    dry_run: bool,
    watch: &mut dyn FnMut(&Path) -> io::Result<()>,
) -> Result<PruneReport, SealError> {
    let _lock = locked(dir)?;
    let mut report = PruneReport::default();
    let days = days_of(dir, &mut report.damaged_manifests)?;
    let holds = holds(dir).map_err(io_at(&dir.join(HOLDS_NAME)))?;
    report.bytes_left = days.values().map(|day| day.bytes).sum();
    let keep_days = policy.keep_days.map_or(usize::MAX, |days| days.max(1) as usize);
    let keep_bytes = policy.keep_bytes.unwrap_or(u64::MAX);
    let count = days.len();
    // The newest day is never among them.
    for (age, (day, found)) in days.iter().enumerate().take(count.saturating_sub(1)) {
        let why = if count - age > keep_days {
            format!("keep_days {keep_days}")
        } else if report.bytes_left > keep_bytes {
            format!("keep_bytes {keep_bytes}")
        } else {
            continue;
        };
        if found.is_sealed && found.entries.is_empty() {
            // Only the newest segment of a stream that is no longer written is left of it.
        } else if holds.contains(day) {
            report.held.push(*day);
        } else if !found.is_sealed {
            report.unsealed.push(*day);
        } else {
            if !dry_run {
                delete(dir, *day, found, &why, watch)?;
            }
            let bytes = found.bytes - found.kept_bytes;
            report.bytes_left -= bytes;
            report.pruned.push(PrunedDay { day: *day, segments: found.entries.len(), bytes, why });
        }
    }
    Ok(report)
}

fn locked(dir: &Path) -> Result<LockedFile, SealError> {
    if !dir.join(Stream::Ticks.name()).is_dir() {
        return Err(SealError::NoJournal(dir.to_owned()));
    }
    maintenance_lock(dir)
}

/// What is there of a day.
#[derive(Default)]
struct DayFound {
    /// Sealed segments that may go.
    entries: Vec<SealedSegment>,
    bytes: u64,
    /// Of them, those of segments that stay, being the newest of their streams.
    kept_bytes: u64,
    /// Whether all that may go are sealed.
    is_sealed: bool,
}

/// The days of which segments are there, ascending.
fn days_of(dir: &Path, damaged: &mut Vec<(String, SealFault)>) -> Result<BTreeMap<Date, DayFound>, SealError> {
    let mut sealed: BTreeMap<(String, u64), (Date, SealedSegment)> = BTreeMap::new();
    for (path, manifest) in Manifest::read_all(dir).map_err(io_at(dir))? {
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(fault) => {
                damaged.push((manifest_name(&path), fault));
                continue;
            }
        };
        let Ok(day) = manifest.day.parse::<Date>() else { continue };
        for entry in manifest.segments {
            sealed.insert((entry.stream.clone(), entry.ordinal), (day, entry));
        }
    }
    let mut days: BTreeMap<Date, DayFound> = BTreeMap::new();
    for stream in [Stream::Ticks, Stream::Raw] {
        let folder = dir.join(stream.name());
        let newest = newest_in_use(&folder, stream).map_err(io_at(&folder))?;
        let ordinals =
            if newest.is_some() { crate::journal::list_segments(&folder).map_err(io_at(&folder))? } else { Vec::new() };
        for ordinal in ordinals.into_iter().filter(|ordinal| Some(*ordinal) <= newest) {
            let files = files_of(&folder, ordinal);
            let bytes: u64 = files.iter().filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).sum();
            let (day, entry) = match sealed.remove(&(stream.name().to_owned(), ordinal)) {
                Some((day, entry)) => (day, Some(entry)),
                None => {
                    let opened = crate::journal::segment::SegmentReader::open_in(&folder, ordinal);
                    let header = opened.ok().and_then(|reader| reader.checked_header(stream, ordinal).ok());
                    // What can't be told is of the newest day: it stays.
                    (header.map_or(Date::MAX, |header| crate::journal::seal::day_of(&header)), None)
                }
            };
            let found = days.entry(day).or_insert_with(|| DayFound { is_sealed: true, ..DayFound::default() });
            found.bytes += bytes;
            if Some(ordinal) == newest {
                found.kept_bytes += bytes;
                continue;
            }
            found.is_sealed &= entry.is_some();
            found.entries.extend(entry);
        }
    }
    Ok(days)
}

/// The files of a segment that are there, its records last.
fn files_of(folder: &Path, ordinal: u64) -> Vec<PathBuf> {
    let names = [index_name(ordinal), segment_name(ordinal), packed_name(ordinal)];
    names.into_iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect()
}

fn delete(
    dir: &Path,
    day: Date,
    found: &DayFound,
    why: &str,
    watch: &mut dyn FnMut(&Path) -> io::Result<()>,
) -> Result<(), SealError> {
    let segments = found.entries.iter().map(|entry| AuditSegment {
        stream: entry.stream.clone(),
        ordinal: entry.ordinal,
        first_sequence: entry.first_sequence,
        last_sequence: entry.last_sequence,
        bytes: entry.bytes,
        digest: entry.digest.clone(),
        seal: entry.seal.clone(),
    });
    append(dir, "prune", day, why, segments.collect()).map_err(io_at(&dir.join(AUDIT_NAME)))?;
    let mut folders = BTreeSet::new();
    for entry in &found.entries {
        let folder = dir.join(&entry.stream);
        for path in files_of(&folder, entry.ordinal) {
            watch(&path).map_err(io_at(&path))?;
            fs::remove_file(&path).map_err(io_at(&path))?;
        }
        folders.insert(folder);
    }
    folders.iter().try_for_each(|folder| sync_folder(folder).map_err(io_at(folder)))
}

/// Appends a line to the log and waits for the disk.
fn append(dir: &Path, action: &str, day: Date, why: &str, segments: Vec<AuditSegment>) -> io::Result<()> {
    let path = dir.join(AUDIT_NAME);
    let before = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let is_torn = before.last().is_some_and(|last| *last != b'\n');
    let whole = before.strip_suffix(b"\n").unwrap_or(&before);
    let previous = match whole.rsplit(|byte| *byte == b'\n').next() {
        Some(last) if !last.is_empty() => sha256(last),
        _ => ZEROS.to_owned(),
    };
    let now = wall_ns();
    let time = Timestamp::from_nanosecond(i128::from(now)).map(|time| time.to_string()).unwrap_or_default();
    let line = AuditLine {
        time,
        time_ns: now,
        action: action.to_owned(),
        day: day.to_string(),
        why: why.to_owned(),
        segments,
        previous,
    };
    // What a death left of a line is ended, not taken away.
    let mut text = if is_torn { "\n".to_owned() } else { String::new() };
    text.push_str(&serde_json::to_string(&line)?);
    text.push('\n');
    let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
    file.write_all(text.as_bytes())?;
    sync_file(&file)?;
    sync_folder(dir)
}

/// Puts a day under legal hold: no policy deletes it until it is released.
///
/// # Errors
///
/// As [`prune`].
pub fn hold(dir: &Path, day: Date, why: &str) -> Result<(), SealError> {
    let _lock = locked(dir)?;
    let folder = dir.join(HOLDS_NAME);
    let since = Timestamp::from_nanosecond(i128::from(wall_ns())).map(|time| time.to_string()).unwrap_or_default();
    let text = format!("{}\n", serde_json::json!({ "day": day.to_string(), "since": since, "why": why }));
    fs::create_dir_all(&folder)
        .and_then(|()| sync_folder(dir))
        .and_then(|()| store_whole(&folder.join(format!("{day}.json")), text.as_bytes()))
        .and_then(|()| append(dir, "hold", day, why, Vec::new()))
        .map_err(io_at(&folder))
}

/// Takes a hold away; `false` when there was none.
///
/// # Errors
///
/// As [`prune`].
pub fn release(dir: &Path, day: Date, why: &str) -> Result<bool, SealError> {
    let _lock = locked(dir)?;
    let folder = dir.join(HOLDS_NAME);
    let path = folder.join(format!("{day}.json"));
    if !path.exists() {
        return Ok(false);
    }
    append(dir, "release", day, why, Vec::new())
        .and_then(|()| fs::remove_file(&path))
        .and_then(|()| sync_folder(&folder))
        .map_err(io_at(&path))?;
    Ok(true)
}

/// The days under hold.
///
/// # Errors
///
/// Those of reading the folder.
pub fn holds(dir: &Path) -> io::Result<BTreeSet<Date>> {
    let entries = match fs::read_dir(dir.join(HOLDS_NAME)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let mut days = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        days.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|day| day.parse::<Date>().ok()));
    }
    Ok(days)
}

/// What the log says was deleted, by stream and ordinal.
#[derive(Debug, Default)]
pub(in crate::journal) struct Pruned {
    segments: BTreeMap<(String, u64), (u64, String)>,
    /// Whether each line follows from the one before.
    pub(in crate::journal) is_whole: bool,
}

impl Pruned {
    /// Reads the log; a journal without one has deleted nothing.
    pub(in crate::journal) fn read(dir: &Path) -> io::Result<Pruned> {
        let mut pruned = Pruned { is_whole: true, ..Pruned::default() };
        let bytes = match fs::read(dir.join(AUDIT_NAME)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(pruned),
            Err(error) => return Err(error),
        };
        let mut previous = ZEROS.to_owned();
        for line in bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n') {
            // A line that a death cut short explains nothing; the next one carries its digest all the same.
            if let Ok(read) = serde_json::from_slice::<AuditLine>(line) {
                pruned.is_whole &= read.previous == previous;
                if read.action == "prune" {
                    pruned.segments.extend(
                        read.segments.into_iter().map(|at| ((at.stream, at.ordinal), (at.last_sequence, at.seal))),
                    );
                }
            }
            previous = sha256(line);
        }
        Ok(pruned)
    }

    /// Where a stream goes on, as the log explains it: (`ordinal`, `sequence`) are those that would follow, `found` is
    /// the segment that is there.
    pub(in crate::journal) fn beyond(&self, stream: Stream, mut follows: (u64, u64), found: u64) -> (u64, u64) {
        while follows.0 < found
            && let Some((last_sequence, _)) = self.segments.get(&(stream.name().to_owned(), follows.0))
        {
            follows = (follows.0 + 1, last_sequence + 1);
        }
        follows
    }

    /// The seal of a deleted segment.
    pub(in crate::journal) fn seal(&self, stream: &str, ordinal: u64) -> Option<&str> {
        self.segments.get(&(stream.to_owned(), ordinal)).map(|(_, seal)| seal.as_str())
    }
}
