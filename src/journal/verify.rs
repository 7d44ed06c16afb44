//! Judges a journal and changes nothing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::control::{ControlError, ControlReader};
use super::format::{DurableSlot, SEGMENT_HEADER_BYTES, SegmentHeader, Stream};
use super::retention::Pruned;
use super::seal_verify::check_seals;
use super::segment::SegmentReader;
use super::walk::{Circumstances, Finding, Reason, Verdict, judge, walk};
use super::{LOCK_NAME, list_segments};
use crate::sys::file::{boot_id, is_locked};

/// What `verify` says of a stream.
#[derive(Clone, Debug)]
pub struct StreamReport {
    /// Numbered records that are good, up to the first that is not in each segment.
    pub records: u64,
    /// `Hole` records: places where a repair cut lost records out.
    pub holes: u64,
    /// Records lost in them.
    pub lost: u64,
    /// Sequence of the first, 0 = none.
    pub first_sequence: u64,
    /// Sequence of the last, 0 = none.
    pub last_sequence: u64,
    /// Bytes of all good records, restated ones and ends included.
    pub bytes: u64,
    /// Segments in use.
    pub segments: u64,
    /// Whether the newest segment is not ended: a writer lives, or died.
    pub open: bool,
    /// Whether a writer holds the journal.
    pub live: bool,
    /// The worst of the findings.
    pub state: Verdict,
    /// Everything found wrong.
    pub findings: Vec<Finding>,
}

/// What `verify` says of a journal.
#[derive(Clone, Debug)]
pub struct Report {
    /// The worst of its streams.
    pub state: Verdict,
    /// The streams that are there.
    pub streams: Vec<(Stream, StreamReport)>,
}

/// Why there is nothing to judge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The folder holds no journal.
    #[error("no journal in {0}: expected a folder with `ticks/` in it, as `hoga run` makes")]
    NoJournal(PathBuf),
    /// A file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads every record of a journal and judges it. On a live one, only what is committed is judged. `progress` is told
/// stream, segment, and bytes done and in all.
///
/// # Errors
///
/// When there is no journal, or a file can't be read at all.
pub fn verify(dir: &Path, mut progress: impl FnMut(Stream, u64, u64, u64)) -> Result<Report, VerifyError> {
    verify_with_boot(dir, boot_id(), &mut progress)
}

/// As [`verify`] for one who holds the journal's lock, and so knows that nobody writes.
pub(super) fn verify_held(dir: &Path, progress: &mut dyn FnMut(Stream, u64, u64, u64)) -> Result<Report, VerifyError> {
    judge_journal(dir, boot_id(), false, progress)
}

/// As [`verify`], as if this were the boot `boot_id`.
pub(super) fn verify_with_boot(
    dir: &Path,
    boot_id: [u8; 16],
    progress: &mut dyn FnMut(Stream, u64, u64, u64),
) -> Result<Report, VerifyError> {
    if !dir.join(Stream::Ticks.name()).is_dir() {
        return Err(VerifyError::NoJournal(dir.to_owned()));
    }
    loop {
        let live = is_live(dir);
        let report = judge_journal(dir, boot_id, live, progress)?;
        // A writer that came in the middle may have been taken for damage: look again, now as a live one.
        if live || !is_live(dir) {
            return Ok(report);
        }
    }
}

fn judge_journal(
    dir: &Path,
    boot_id: [u8; 16],
    live: bool,
    progress: &mut dyn FnMut(Stream, u64, u64, u64),
) -> Result<Report, VerifyError> {
    let mut report = Report { state: Verdict::Clean, streams: Vec::new() };
    let fail = |source| VerifyError::Io { path: dir.to_owned(), source };
    let pruned = Pruned::read(dir).map_err(fail)?;
    for stream in [Stream::Ticks, Stream::Raw].into_iter().filter(|stream| dir.join(stream.name()).is_dir()) {
        let folder = dir.join(stream.name());
        let found = verify_stream(&folder, stream, boot_id, live, &pruned, progress)
            .map_err(|source| VerifyError::Io { path: folder.clone(), source })?;
        report.state = report.state.max(found.state);
        report.streams.push((stream, found));
    }
    check_seals(dir, &mut report, &pruned, progress).map_err(fail)?;
    Ok(report)
}

/// Whether a writer holds the journal's lock.
pub fn is_live(dir: &Path) -> bool {
    File::open(dir.join(LOCK_NAME)).and_then(|file| is_locked(&file)).unwrap_or(false)
}

fn verify_stream(
    folder: &Path,
    stream: Stream,
    boot_id: [u8; 16],
    live: bool,
    pruned: &Pruned,
    progress: &mut dyn FnMut(Stream, u64, u64, u64),
) -> io::Result<StreamReport> {
    let mut report = StreamReport {
        records: 0,
        holes: 0,
        lost: 0,
        first_sequence: 0,
        last_sequence: 0,
        bytes: 0,
        segments: 0,
        open: false,
        live,
        state: Verdict::Clean,
        findings: Vec::new(),
    };
    let durable = verify_control(folder, stream, &mut report)?;
    let mut segments = Vec::new();
    for ordinal in list_segments(folder)? {
        let reader = SegmentReader::open_in(folder, ordinal)?;
        match reader.checked_header(stream, ordinal) {
            Ok(header) => segments.push((ordinal, reader, header)),
            Err(error) => {
                report.add(Finding::new(stream, ordinal, 0, Verdict::Corrupt, Reason::Header(error)));
            }
        }
    }
    let in_use = segments.iter().rposition(|(_, _, header)| header.activation.is_some()).map_or(0, |at| at + 1);
    let total: u64 = segments.iter().take(in_use).map(|(_, reader, _)| reader.len() as u64).sum();
    let mut done = 0;
    let mut follows: Option<(u64, u64)> = None;
    for (index, (ordinal, reader, header)) in segments.iter().enumerate().take(in_use) {
        progress(stream, *ordinal, done, total);
        done += reader.len() as u64;
        let mut find = |offset, verdict, reason| report.add(Finding::new(stream, *ordinal, offset, verdict, reason));
        let last = index + 1 == in_use;
        check_frame(reader, header, last, &mut find);
        let Some(activation) = header.activation else {
            find(0, Verdict::Corrupt, Reason::NotActive);
            continue;
        };
        // The first segment of a journal may begin at any sequence; what was pruned stands in the log.
        let begin = follows.unwrap_or((1, activation.base_sequence));
        let (next_ordinal, next_sequence) = pruned.beyond(stream, begin, *ordinal);
        if *ordinal != next_ordinal {
            report.add(Finding::new(stream, next_ordinal, 0, Verdict::Corrupt, Reason::Missing));
        } else if activation.base_sequence != next_sequence {
            let reason = Reason::Sequence { found: activation.base_sequence, expected: next_sequence };
            report.add(Finding::new(stream, *ordinal, 0, Verdict::Corrupt, reason));
        }
        reader.advise_sequential();
        let walked = walk(reader, header, !(live && last), |_, _, _| {});
        let circumstances = Circumstances::of(header, last, boot_id, durable.as_ref());
        let judged = judge(&walked, circumstances, durable.as_ref());
        // Torn before the newest segment: the host died, and the next opening cuts here.
        let cut = !last && matches!(judged, Some((Verdict::Torn, _)));
        if let Some((verdict, reason)) = judged {
            report.add(Finding::new(stream, *ordinal, walked.position, verdict, reason));
        }
        report.segments += 1;
        report.records += walked.records;
        report.holes += walked.holes;
        report.lost += walked.lost;
        report.bytes += (walked.position - SEGMENT_HEADER_BYTES) as u64;
        report.open = (last || cut) && !walked.ended;
        if walked.records > 0 {
            if report.first_sequence == 0 {
                report.first_sequence = activation.base_sequence;
            }
            report.last_sequence = walked.next_sequence - 1;
        }
        follows = Some((ordinal + 1, walked.next_sequence));
        if cut {
            break;
        }
    }
    if let Some(slot) = durable
        && follows.is_none_or(|(next, _)| slot.ordinal >= next)
    {
        let reason = Reason::BelowDurable { sequence: slot.sequence };
        report.add(Finding::new(stream, slot.ordinal, 0, Verdict::Corrupt, reason));
    }
    Ok(report)
}

/// Checks what the walk does not look at: the unused bytes of the header, the size of the file.
fn check_frame(
    reader: &SegmentReader,
    header: &SegmentHeader,
    last: bool,
    find: &mut impl FnMut(usize, Verdict, Reason),
) {
    let unused = |offset: &usize| matches!(offset, 96..128 | 144..192 | 200..SEGMENT_HEADER_BYTES);
    let first = (0..SEGMENT_HEADER_BYTES).step_by(8).filter(unused).find(|offset| reader.word(*offset) != 0);
    let state_rest = (reader.word(192) >> 32 != 0).then_some(192);
    if header.prepared.format_minor == super::format::FORMAT_MINOR
        && let Some(offset) = first.or(state_rest)
    {
        find(offset, Verdict::Corrupt, Reason::HeaderPadding);
    }
    let (bytes, expected) = (reader.len() as u64, header.prepared.segment_bytes);
    if bytes < expected {
        // The records that are there are judged on their own. A last segment is made whole again at the next opening.
        let verdict = if last { Verdict::Torn } else { Verdict::Corrupt };
        find(reader.len(), verdict, Reason::ShortFile { bytes, expected });
    }
}

fn verify_control(folder: &Path, stream: Stream, report: &mut StreamReport) -> io::Result<Option<DurableSlot>> {
    let segment = format!("{}/{}", stream.name(), super::control::CONTROL_NAME);
    let mut find = |offset, verdict| {
        report.add(Finding { segment: segment.clone(), offset, verdict, reason: Reason::Control });
    };
    let control = match ControlReader::open(folder, stream) {
        Ok(Ok(control)) => control,
        Ok(Err(ControlError::Damaged | ControlError::Version(_))) => {
            find(0, Verdict::Corrupt);
            return Ok(None);
        }
        // Made before the first segment: without segments, an opening that died at once.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !list_segments(folder)?.is_empty() {
                find(0, Verdict::Corrupt);
            }
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let bad = control.slots().into_iter().filter(|slot| !slot.is_empty() && !slot.is_valid()).count();
    if bad > 0 {
        // One may have been cut short by the host's death; then the other counts.
        find(256, if control.durable().is_some() { Verdict::Torn } else { Verdict::Corrupt });
    }
    Ok(control.durable())
}

impl StreamReport {
    pub(super) fn add(&mut self, finding: Finding) {
        self.state = self.state.max(finding.verdict);
        self.findings.push(finding);
    }
}
