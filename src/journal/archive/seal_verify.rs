//! Holds a journal against its seals: digests, the chain, the manifests, the indexes beside the segments.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::journal::format::{Stream, index_name, segment_name};
use crate::journal::index::SegmentIndex;
use crate::journal::manifest::{Manifest, SEALS_NAME, SealFault, SealedSegment, ZEROS, sha256};
use crate::journal::retention::{AUDIT_NAME, Pruned};
use crate::journal::segment::SegmentReader;
use crate::journal::verify::{Report, StreamReport};
use crate::journal::walk::{Finding, Reason, Verdict};

/// Adds what the seals have to say to a report. `progress` is told each sealed segment.
pub(in crate::journal) fn check_seals(
    dir: &Path,
    report: &mut Report,
    pruned: &Pruned,
    progress: &mut dyn FnMut(Stream, u64, u64, u64),
) -> io::Result<()> {
    let mut sealed: BTreeMap<(String, u64), SealedSegment> = BTreeMap::new();
    let mut unplaced = Vec::new();
    for (path, manifest) in Manifest::read_all(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match manifest {
            Ok(manifest) => {
                for entry in manifest.segments {
                    sealed.insert((entry.stream.clone(), entry.ordinal), entry);
                }
            }
            Err(fault) => unplaced.push((format!("{SEALS_NAME}/{name}"), fault)),
        }
    }
    if !pruned.is_whole {
        let what = "a line does not follow from the one before it".to_owned();
        unplaced.push((AUDIT_NAME.to_owned(), SealFault::Manifest(what)));
    }
    let has_bad = !unplaced.is_empty();
    for (stream, found) in &mut report.streams {
        // What belongs to no stream is told with the first.
        for (file, fault) in unplaced.drain(..) {
            let mut finding = Finding::new(*stream, 0, 0, Verdict::Corrupt, Reason::Seal(fault));
            finding.segment = file;
            found.add(finding);
        }
        let entries: Vec<&SealedSegment> = sealed.values().filter(|entry| entry.stream == stream.name()).collect();
        check_chain(*stream, &entries, has_bad, pruned, found);
        let total = entries.iter().map(|entry| entry.bytes).sum();
        let mut done = 0;
        for entry in entries {
            progress(*stream, entry.ordinal, done, total);
            done += entry.bytes;
            check_segment(&dir.join(stream.name()), *stream, entry, pruned, found)?;
        }
        for finding in &mut found.findings {
            // A segment that is there compressed alone is named so.
            if finding.segment.ends_with(".seg")
                && !dir.join(&finding.segment).exists()
                && dir.join(format!("{}.zst", finding.segment)).exists()
            {
                finding.segment.push_str(".zst");
            }
        }
        report.state = report.state.max(found.state);
    }
    Ok(())
}

/// `has_bad`: a manifest can't be read, which is found already; a chain that breaks where its entries stood is no more.
fn check_chain(stream: Stream, entries: &[&SealedSegment], has_bad: bool, pruned: &Pruned, found: &mut StreamReport) {
    let mut before: Option<&SealedSegment> = None;
    for entry in entries {
        let is_next = before.map_or(1, |before| before.ordinal + 1) == entry.ordinal;
        let follows = match before {
            _ if has_bad && !is_next => true,
            Some(before) => before.seal == entry.previous,
            None if entry.previous == ZEROS => true,
            // The manifest before this one was taken away; the log may still know.
            None => (1..entry.ordinal).rev().find_map(|at| pruned.seal(&entry.stream, at)) == Some(&entry.previous),
        };
        let which = if entry.seal != entry.expected_seal() {
            Some("the entry was changed")
        } else if !follows {
            Some("another seal stands before it")
        } else {
            None
        };
        if let Some(which) = which {
            let segment = format!("{}/{}", stream.name(), segment_name(entry.ordinal));
            let fault = SealFault::Chain { segment, which };
            found.add(Finding::new(stream, entry.ordinal, 0, Verdict::Corrupt, Reason::Seal(fault)));
        }
        before = Some(entry);
    }
}

fn check_segment(
    folder: &Path,
    stream: Stream,
    entry: &SealedSegment,
    pruned: &Pruned,
    found: &mut StreamReport,
) -> io::Result<()> {
    let ordinal = entry.ordinal;
    let at = |offset, verdict, reason| Finding::new(stream, ordinal, offset, verdict, reason);
    let reader = match SegmentReader::open_in(folder, ordinal) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let missing = at(0, Verdict::Corrupt, Reason::Missing);
            if pruned.seal(&entry.stream, ordinal) != Some(&entry.seal) && !found.findings.contains(&missing) {
                found.add(missing);
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    // A bad header was found by the walk.
    let Ok(header) = reader.checked_header(stream, ordinal) else { return Ok(()) };
    reader.advise_sequential();
    let digest = usize::try_from(entry.bytes).ok().and_then(|bytes| reader.settled(0, bytes)).map(sha256);
    if digest.as_ref() != Some(&entry.digest) {
        if let Some(quarantine) = crate::journal::repair::replaced(folder, stream, ordinal, &reader) {
            // Said, but no damage: what was lost of it stands in it as a hole.
            found.add(at(0, Verdict::Clean, Reason::Seal(SealFault::Repaired { quarantine })));
            return Ok(());
        }
        let found_digest = digest.unwrap_or_else(|| "of fewer bytes".to_owned());
        let fault = SealFault::Digest { found: found_digest, expected: entry.digest.clone() };
        found.add(at(0, Verdict::Corrupt, Reason::Seal(fault)));
        return Ok(());
    }
    let mut index = SegmentIndex::new(&header);
    if index.extend(&reader).is_err() {
        return Ok(());
    }
    let again = SealedSegment::new(stream, &header, &index.summary, entry.digest.clone(), &entry.previous);
    if again != *entry {
        let figures = |entry: &SealedSegment| {
            format!("{} records {}..={}", entry.records, entry.first_sequence, entry.last_sequence)
        };
        let fault = SealFault::Summary { found: figures(&again), expected: figures(entry) };
        found.add(at(0, Verdict::Corrupt, Reason::Seal(fault)));
    }
    if !index.is_stored_well(folder)? {
        let mut finding = at(0, Verdict::Torn, Reason::Index);
        finding.segment = format!("{}/{}", stream.name(), index_name(ordinal));
        found.add(finding);
    }
    Ok(())
}
