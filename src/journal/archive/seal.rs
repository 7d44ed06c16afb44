//! Sealing: the segments of days that are over get a summary, a digest each in a chain, a day's manifest, and, when
//! wanted, a compressed form. Cold; for any process, while the journal is written or not.
//!
//! Every step leaves a journal that reads the same and verifies clean, so being killed between any two costs nothing but
//! the work: the next run begins where it has to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::clock::wall_ns;
use crate::journal::compress::compress;
use crate::journal::format::{SegmentHeader, Stream, index_name, segment_name};
use crate::journal::index::SegmentIndex;
use crate::journal::list_segments;
use crate::journal::manifest::{Manifest, SEALS_NAME, SealFault, SealedSegment, ZEROS, sha256};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Finding, Reason, Tail, Verdict, walk};
use crate::market::kst;
use crate::sys::file::{LockedFile, sync_file, sync_folder};

/// Held by whoever seals, compresses or prunes; the writer has a lock of its own.
pub(crate) const MAINTENANCE_LOCK_NAME: &str = "maintenance.lock";

/// How to seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealOptions {
    /// Compress sealed segments of days up to this one. The newest segment of a stream stays as it is.
    pub compress_to: Option<Date>,
}

/// Something done, or to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealEvent {
    /// A segment is read.
    Progress {
        /// Its stream.
        stream: Stream,
        /// Its ordinal.
        ordinal: u64,
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A step is on the disk.
    Step(&'static str),
}

/// A segment compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedSegment {
    /// File, relative to the journal.
    pub segment: String,
    /// Committed bytes.
    pub bytes: u64,
    /// Bytes of the compressed file.
    pub packed_bytes: u64,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealReport {
    /// Days that got seals, with the segments that were sealed now.
    pub sealed: BTreeMap<Date, Vec<SealedSegment>>,
    /// Segments of the day asked for that were sealed before.
    pub already: usize,
    /// Segments compressed now.
    pub packed: Vec<PackedSegment>,
    /// Manifests that can't be read, by file, relative to the journal. Their days were left alone.
    pub damaged_manifests: Vec<(String, SealFault)>,
}

/// Why nothing, or not all, was sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is no journal.
    #[error("no journal in {0}: expected a folder with `ticks/` in it, as `hoga run` makes")]
    NoJournal(PathBuf),
    /// Nothing was ever recorded on that day.
    #[error("no segment of {day} or before it in {dir}: its first day is {first}", first = first.map_or_else(|| "not there".to_owned(), |first| first.to_string()))]
    NoSuchDay {
        /// The journal.
        dir: PathBuf,
        /// The day.
        day: Date,
        /// The first there is.
        first: Option<Date>,
    },
    /// Another process seals or prunes.
    #[error("{0} is being sealed or pruned by another process: wait for it to end")]
    Locked(PathBuf),
    /// The day is written to, or its last writer died and nobody opened the journal since.
    #[error(
        "{day} is not over: {segment} has no end yet. It ends when the recorder changes to the next day or is closed; \
         after a crash, when the journal is opened again"
    )]
    NotOver {
        /// The day.
        day: Date,
        /// The segment that is open.
        segment: String,
    },
    /// Damage is never sealed.
    #[error("{} is corrupt at offset {}: {}; see `hoga verify`", .0.segment, .0.offset, .0.reason)]
    Damaged(Finding),
    /// A manifest there is damaged: the first such one. Its day was left alone, the others are seen to.
    #[error("{path}: {fault}; that day is left alone. Put the file back from a copy")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: SealFault,
    },
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

pub(in crate::journal) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> SealError {
    let path = path.to_owned();
    move |source| SealError::Io { path, source }
}

/// Seals the segments of a trading day in both streams, and those before them that are not sealed yet, so that the chain
/// has no hole. Seals that are there stay as they are.
///
/// # Errors
///
/// See [`SealError`]. The days before the one it is of are sealed all the same, and of damage in one stream the other; of a
/// damaged manifest all days but its own.
pub fn seal(
    dir: &Path,
    day: Date,
    options: SealOptions,
    mut progress: impl FnMut(SealEvent),
) -> Result<SealReport, SealError> {
    seal_with(dir, day, options, &mut |event| {
        progress(event);
        Ok(())
    })
}

/// As [`seal`]; an error of `watch` ends it at that step, as being killed there would.
#[doc(hidden)]
pub fn seal_with(
    dir: &Path,
    day: Date,
    options: SealOptions,
    watch: &mut dyn FnMut(SealEvent) -> io::Result<()>,
) -> Result<SealReport, SealError> {
    let mut report = SealReport::default();
    seal_into(dir, day, options, &mut report, watch).map(|()| report)
}

/// As [`seal`]; what was done stands in `report` also when an error ends it, that of `watch` at its step.
///
/// # Errors
///
/// As [`seal`].
pub fn seal_into(
    dir: &Path,
    day: Date,
    options: SealOptions,
    report: &mut SealReport,
    watch: &mut dyn FnMut(SealEvent) -> io::Result<()>,
) -> Result<(), SealError> {
    if !dir.join(Stream::Ticks.name()).is_dir() {
        return Err(SealError::NoJournal(dir.to_owned()));
    }
    let _lock = maintenance_lock(dir)?;
    remove_parts(dir)?;
    let mut manifests = BTreeMap::new();
    // Days whose manifest can't be read are left alone: what it says can't be told from what it should.
    let mut left_alone = BTreeSet::new();
    let mut unreadable = None;
    for (path, manifest) in Manifest::read_all(dir).map_err(io_at(dir))? {
        match manifest {
            Ok(manifest) => {
                manifests.insert(manifest.day.clone(), manifest);
            }
            Err(fault) => {
                left_alone.extend(day_of_manifest(&path));
                report.damaged_manifests.push((manifest_name(&path), fault.clone()));
                unreadable.get_or_insert(SealError::Manifest { path, fault });
            }
        }
    }
    report.already = manifests.get(&day.to_string()).map_or(0, |manifest| manifest.segments.len());
    // Days go one after the other, both streams of each, so that what is wrong with one takes nothing from those before.
    let mut work = Vec::new();
    let mut first = None;
    let mut trouble = None;
    for stream in [Stream::Ticks, Stream::Raw] {
        let (segments, damage) = unsealed(dir, stream, day, &manifests, &mut first)?;
        trouble = trouble.or(damage);
        // Segments are sealed in their order, even where a clock went back.
        let in_order = segments.into_iter().scan(Date::MIN, |latest, segment| {
            *latest = segment.day.max(*latest);
            Some((*latest, segment))
        });
        work.extend(in_order);
    }
    work.sort_by_key(|(day, _)| *day);
    if work.is_empty()
        && trouble.is_none()
        && unreadable.is_none()
        && report.already == 0
        && first.is_none_or(|first| first > day)
    {
        return Err(SealError::NoSuchDay { dir: dir.to_owned(), day, first });
    }
    let total = work.iter().map(|(_, segment)| segment.header.prepared.segment_bytes).sum();
    let mut done = 0;
    let mut sealed: BTreeMap<Date, Vec<SealedSegment>> = BTreeMap::new();
    let mut last: BTreeMap<u32, String> = BTreeMap::new();
    let mut stopped = Vec::new();
    let mut present = Date::MIN;
    for (day, segment) in &work {
        if *day != present {
            store(dir, std::mem::take(&mut sealed), &mut manifests, report, watch)?;
            present = *day;
        }
        if stopped.contains(&segment.stream) {
            continue;
        }
        let (stream, ordinal) = (segment.stream, segment.header.prepared.ordinal);
        let told = watch(SealEvent::Progress { stream, ordinal, done, total });
        told.map_err(io_at(dir))?;
        let previous = match last.get(&stream.number()) {
            Some(seal) => seal.clone(),
            None => chain_end(&manifests, stream),
        };
        let entry = match seal_segment(dir, segment, &previous, watch) {
            Ok(entry) => entry,
            // The chain of this stream ends here until it is repaired; the other one goes on.
            Err(damaged @ SealError::Damaged(_)) => {
                stopped.push(stream);
                trouble.get_or_insert(damaged);
                continue;
            }
            // Of a day that is not over nothing is sealed.
            Err(not_over @ SealError::NotOver { .. }) => {
                sealed.clear();
                trouble.get_or_insert(not_over);
                break;
            }
            Err(error) => return Err(error),
        };
        last.insert(stream.number(), entry.seal.clone());
        // Sealed again only for the chain: a seal follows from the bytes, so it is the one in the manifest.
        if !left_alone.contains(&segment.day) {
            sealed.entry(segment.day).or_default().push(entry);
        }
        done += segment.header.prepared.segment_bytes;
    }
    store(dir, sealed, &mut manifests, report, watch)?;
    restore_indexes(dir, &manifests).map_err(io_at(dir))?;
    if let Some(to) = options.compress_to {
        let damage = compress(dir, to, &manifests, report, watch)?;
        trouble = trouble.or(damage);
    }
    trouble.or(unreadable).map_or(Ok(()), Err)
}

/// The day that a manifest's name says.
pub(in crate::journal) fn day_of_manifest(path: &Path) -> Option<Date> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// Name of a manifest, relative to the journal.
pub(in crate::journal) fn manifest_name(path: &Path) -> String {
    format!("{SEALS_NAME}/{}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Puts what was sealed into the manifests.
fn store(
    dir: &Path,
    sealed: BTreeMap<Date, Vec<SealedSegment>>,
    manifests: &mut BTreeMap<String, Manifest>,
    report: &mut SealReport,
    watch: &mut dyn FnMut(SealEvent) -> io::Result<()>,
) -> Result<(), SealError> {
    for (day, mut entries) in sealed {
        let name = day.to_string();
        let manifest = manifests.entry(name.clone()).or_insert_with(|| Manifest::new(&name));
        manifest.segments.extend(entries.iter().cloned());
        manifest.sealed_ns = wall_ns();
        manifest.store(dir).map_err(io_at(&dir.join(SEALS_NAME)))?;
        report.sealed.entry(day).or_default().append(&mut entries);
        watch(SealEvent::Step("manifest")).map_err(io_at(dir))?;
    }
    Ok(())
}

/// A segment to be sealed.
struct Unsealed {
    stream: Stream,
    day: Date,
    header: SegmentHeader,
    reader: SegmentReader,
}

/// Takes the lock of those who seal, compress or prune.
pub(in crate::journal) fn maintenance_lock(dir: &Path) -> Result<LockedFile, SealError> {
    let path = dir.join(MAINTENANCE_LOCK_NAME);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(io_at(&path))?;
    LockedFile::take(file).map_err(io_at(&path))?.map_err(|_| SealError::Locked(dir.to_owned()))
}

/// Removes what a run that was killed had half written.
fn remove_parts(dir: &Path) -> Result<(), SealError> {
    for folder in [Stream::Ticks.name(), Stream::Raw.name(), SEALS_NAME].map(|name| dir.join(name)) {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.map_err(io_at(&folder))?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(&path).map_err(io_at(&path))?;
            }
        }
    }
    Ok(())
}

/// The trading day of a segment in use; of one that was told none, the day on which it was made.
pub(in crate::journal) fn day_of(header: &SegmentHeader) -> Date {
    let told = header.activation.and_then(|activation| kst::date_of(activation.trading_date));
    told.unwrap_or_else(|| kst::trading_date(header.prepared.anchor_realtime_ns))
}

/// Segments to be sealed so that all of a day are, in order, up to a header that is damaged.
fn unsealed(
    dir: &Path,
    stream: Stream,
    day: Date,
    manifests: &BTreeMap<String, Manifest>,
    first: &mut Option<Date>,
) -> Result<(Vec<Unsealed>, Option<SealError>), SealError> {
    let folder = dir.join(stream.name());
    if !folder.is_dir() {
        return Ok((Vec::new(), None));
    }
    let mut damage = None;
    let done = manifests.values().flat_map(|manifest| &manifest.segments);
    let done = done.filter(|entry| entry.stream == stream.name()).map(|entry| entry.ordinal).max().unwrap_or(0);
    let mut found = Vec::new();
    let told =
        manifests.values().filter(|manifest| manifest.segments.iter().any(|entry| entry.stream == stream.name()));
    *first = told.filter_map(|manifest| manifest.day.parse().ok()).min().or(*first);
    for ordinal in list_segments(&folder).map_err(io_at(&folder))?.into_iter().filter(|ordinal| *ordinal > done) {
        let reader = match SegmentReader::open_in(&folder, ordinal) {
            Ok(reader) => reader,
            // The helper's segment that was never used.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(SealError::Io { path: folder.join(segment_name(ordinal)), source }),
        };
        let header = match reader.checked_header(stream, ordinal) {
            Ok(header) => header,
            Err(error) => {
                let reason = Reason::Header(error);
                damage = Some(SealError::Damaged(Finding::new(stream, ordinal, 0, Verdict::Corrupt, reason)));
                break;
            }
        };
        if header.activation.is_none() {
            continue;
        }
        let segment = Unsealed { stream, day: day_of(&header), header, reader };
        *first = Some(first.map_or(segment.day, |first: Date| first.min(segment.day)));
        found.push(segment);
    }
    let wanted = found.iter().rposition(|segment| segment.day <= day).map_or(0, |last| last + 1);
    found.truncate(wanted);
    Ok((found, damage))
}

fn chain_end(manifests: &BTreeMap<String, Manifest>, stream: Stream) -> String {
    let entries = manifests.values().flat_map(|manifest| &manifest.segments);
    let last = entries.filter(|entry| entry.stream == stream.name()).max_by_key(|entry| entry.ordinal);
    last.map_or_else(|| ZEROS.to_owned(), |entry| entry.seal.clone())
}

/// Checks every record of a segment, syncs it, writes its index, and makes its entry.
fn seal_segment(
    dir: &Path,
    segment: &Unsealed,
    previous: &str,
    watch: &mut dyn FnMut(SealEvent) -> io::Result<()>,
) -> Result<SealedSegment, SealError> {
    let Unsealed { stream, day, header, reader } = segment;
    let ordinal = header.prepared.ordinal;
    let folder = dir.join(stream.name());
    let damaged = |offset, reason| SealError::Damaged(Finding::new(*stream, ordinal, offset, Verdict::Corrupt, reason));
    reader.advise_sequential();
    // What stands behind the last record is looked at only once there is an end: before, a writer may be at work.
    let walked = walk(reader, header, false, |_, _, _| {});
    match walked.tail {
        Tail::Ended => {}
        Tail::Open => {
            let segment = format!("{}/{}", stream.name(), segment_name(ordinal));
            return Err(SealError::NotOver { day: *day, segment });
        }
        Tail::Bad { reason, .. } => return Err(damaged(walked.position, reason)),
    }
    if reader.last_nonzero(walked.position, reader.len()) != walked.position {
        return Err(damaged(walked.position, Reason::AfterEnd));
    }
    let mut index = SegmentIndex::new(header);
    index.extend(reader).map_err(|bad| damaged(index.summary.bytes as usize, reader.reason(bad)))?;
    let bytes = reader.settled(0, walked.position);
    let bytes = bytes.ok_or_else(|| damaged(0, Reason::Seal(SealFault::Manifest("unreadable".to_owned()))))?;
    let digest = sha256(bytes);
    if !reader.is_packed() {
        // What is sealed is on the disk.
        let path = folder.join(segment_name(ordinal));
        File::open(&path).and_then(|file| sync_file(&file)).map_err(io_at(&path))?;
    }
    index.store(&folder).and_then(|()| sync_folder(&folder)).map_err(io_at(&folder))?;
    watch(SealEvent::Step("index")).map_err(io_at(dir))?;
    Ok(SealedSegment::new(*stream, header, &index.summary, digest, previous))
}

/// Writes the indexes of sealed segments that went lost.
fn restore_indexes(dir: &Path, manifests: &BTreeMap<String, Manifest>) -> io::Result<()> {
    for entry in manifests.values().flat_map(|manifest| &manifest.segments) {
        let Some(stream) = [Stream::Ticks, Stream::Raw].into_iter().find(|stream| stream.name() == entry.stream) else {
            continue;
        };
        let folder = dir.join(stream.name());
        if folder.join(index_name(entry.ordinal)).exists() {
            continue;
        }
        let reader = match SegmentReader::open_in(&folder, entry.ordinal) {
            Ok(reader) => reader,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // What is damaged is for `verify` to name.
        let Ok(header) = reader.checked_header(stream, entry.ordinal) else { continue };
        let mut index = SegmentIndex::new(&header);
        if index.extend(&reader).is_ok() && index.ended {
            index.store(&folder)?;
            sync_folder(&folder)?;
        }
    }
    Ok(())
}

/// The newest segment in use of a stream.
pub(in crate::journal) fn newest_in_use(folder: &Path, stream: Stream) -> io::Result<Option<u64>> {
    let ordinals = match list_segments(folder) {
        Ok(ordinals) => ordinals,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let in_use = |ordinal: &u64| {
        let header = SegmentReader::open_in(folder, *ordinal).ok()?.checked_header(stream, *ordinal).ok()?;
        header.activation
    };
    Ok(ordinals.into_iter().rev().find(|ordinal| in_use(ordinal).is_some()))
}
