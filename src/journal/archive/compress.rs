//! The compressed form of sealed segments: packed, read back and held against the seal, before the other form goes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use jiff::civil::Date;

use crate::journal::format::{Stream, packed_name, segment_name};
use crate::journal::manifest::{Manifest, SealFault, SealedSegment, sha256};
use crate::journal::packed::pack;
use crate::journal::seal::{PackedSegment, SealError, SealEvent, SealReport, io_at, newest_in_use};
use crate::journal::segment::SegmentReader;
use crate::journal::walk::{Finding, Reason, Verdict};
use crate::sys::file::{sync_file, sync_folder};

/// Compresses sealed segments of days up to one, but the newest of each stream: that is where an opening looks.
/// Returns the first damage found.
pub(in crate::journal) fn compress(
    dir: &Path,
    to: Date,
    manifests: &BTreeMap<String, Manifest>,
    report: &mut SealReport,
    watch: &mut dyn FnMut(SealEvent) -> io::Result<()>,
) -> Result<Option<SealError>, SealError> {
    let mut damage = None;
    for stream in [Stream::Ticks, Stream::Raw] {
        let folder = dir.join(stream.name());
        let newest = newest_in_use(&folder, stream).map_err(io_at(&folder))?;
        let entries = manifests.values().filter(|manifest| manifest.day.parse().is_ok_and(|day: Date| day <= to));
        let entries: Vec<&SealedSegment> = entries
            .flat_map(|manifest| &manifest.segments)
            .filter(|entry| entry.stream == stream.name() && Some(entry.ordinal) < newest)
            .filter(|entry| folder.join(segment_name(entry.ordinal)).exists())
            .collect();
        let total = entries.iter().map(|entry| entry.bytes).sum();
        let mut done = 0;
        for entry in entries {
            let ordinal = entry.ordinal;
            watch(SealEvent::Progress { stream, ordinal, done, total }).map_err(io_at(dir))?;
            done += entry.bytes;
            let packed_bytes = match compress_segment(&folder, stream, entry, watch) {
                Ok(packed_bytes) => packed_bytes,
                // It stays as it is; the others are no worse for it.
                Err(damaged @ SealError::Damaged(_)) => {
                    damage.get_or_insert(damaged);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let segment = format!("{}/{}", stream.name(), packed_name(ordinal));
            report.packed.push(PackedSegment { segment, bytes: entry.bytes, packed_bytes });
        }
    }
    Ok(damage)
}

fn compress_segment(
    folder: &Path,
    stream: Stream,
    entry: &SealedSegment,
    watch: &mut dyn FnMut(SealEvent) -> io::Result<()>,
) -> Result<u64, SealError> {
    let plain = folder.join(segment_name(entry.ordinal));
    let packed = folder.join(packed_name(entry.ordinal));
    let mut step = |name| watch(SealEvent::Step(name)).map_err(io_at(&plain));
    if !is_good_copy(&packed, entry) {
        let part = folder.join(format!("{}.part", packed_name(entry.ordinal)));
        let reader = SegmentReader::open(&plain).map_err(io_at(&plain))?;
        let found = reader.settled(0, entry.bytes as usize).map(sha256).unwrap_or_default();
        if found != entry.digest {
            let fault = SealFault::Digest { found, expected: entry.digest.clone() };
            let finding = Finding::new(stream, entry.ordinal, 0, Verdict::Corrupt, Reason::Seal(fault));
            return Err(SealError::Damaged(finding));
        }
        let file = File::create(&part).map_err(io_at(&part))?;
        pack(&reader, entry.bytes as usize, io::BufWriter::with_capacity(1 << 16, &file)).map_err(io_at(&part))?;
        sync_file(&file).map_err(io_at(&part))?;
        step("packed")?;
        // Read back whole: the other form goes next.
        if !is_good_copy(&part, entry) {
            return Err(SealError::Io { path: part, source: io::Error::other("does not unpack to what was packed") });
        }
        fs::rename(&part, &packed).and_then(|()| sync_folder(folder)).map_err(io_at(&packed))?;
        step("renamed")?;
    }
    fs::remove_file(&plain).and_then(|()| sync_folder(folder)).map_err(io_at(&plain))?;
    step("unlinked")?;
    Ok(fs::metadata(&packed).map_err(io_at(&packed))?.len())
}

/// Whether a compressed file unpacks to the bytes that were sealed.
fn is_good_copy(path: &Path, entry: &SealedSegment) -> bool {
    let Ok(reader) = SegmentReader::open_packed(path) else { return false };
    let bytes =
        reader.settled(0, entry.bytes as usize).filter(|_| reader.content_bytes() == Some(entry.bytes as usize));
    // One with a damaged seek table is made again while the other form is there.
    bytes.is_some_and(|bytes| sha256(bytes) == entry.digest) && !reader.has_damaged_table()
}
