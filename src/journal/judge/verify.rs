//! Judges a journal and changes nothing.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::journal::control::{CONTROL_NAME, ControlReader};
use crate::journal::decision::{Case, Circumstances, ControlPage, Place};
use crate::journal::examine::{Look, control_evidence, examine, missing, open_segment};
use crate::journal::format::{DurableSlot, SEGMENT_HEADER_BYTES, Stream, packed_name};
use crate::journal::manifest::{Manifest, SealedTo};
use crate::journal::retention::Pruned;
use crate::journal::seal_verify::check_seals;
use crate::journal::walk::{Finding, Reason, Verdict};
use crate::journal::{LOCK_NAME, list_segments};
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
pub(in crate::journal) fn verify_held(
    dir: &Path,
    progress: &mut dyn FnMut(Stream, u64, u64, u64),
) -> Result<Report, VerifyError> {
    judge_journal(dir, boot_id(), false, progress)
}

/// As [`verify`], as if this were the boot `boot_id`.
pub(in crate::journal) fn verify_with_boot(
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
    let sealed = Manifest::sealed_to(dir).map_err(fail)?;
    for stream in [Stream::Ticks, Stream::Raw].into_iter().filter(|stream| dir.join(stream.name()).is_dir()) {
        let folder = dir.join(stream.name());
        let found = verify_stream(&folder, stream, boot_id, live, (&pruned, sealed), progress)
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
    (pruned, sealed): (&Pruned, SealedTo),
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
    let (control, durable) = look_at_control(folder, stream, live)?;
    let ordinals = list_segments(folder)?;
    let at = Circumstances { place: Place::Newest, boot_id, control, durable, sealed_to: sealed.of(stream) };
    if control != ControlPage::Good && !ordinals.is_empty() {
        let segment = format!("{}/{CONTROL_NAME}", stream.name());
        let case = at.control_alone();
        report.add(Finding { segment, offset: 0, verdict: case.verdict(), case, reason: Reason::Control });
    }
    let mut segments = Vec::new();
    for &ordinal in &ordinals {
        let (reader, _) = open_segment(folder, ordinal)?;
        let is_active = reader.checked_header(stream, ordinal).ok().map(|header| header.activation.is_some());
        segments.push((reader.len() as u64, is_active));
    }
    let in_use = segments.iter().rposition(|(_, active)| *active == Some(true)).map_or(0, |at| at + 1);
    let total: u64 = segments.iter().take(in_use).map(|(bytes, _)| bytes).sum();
    let mut done = 0;
    let mut follows: Option<(u64, Option<u64>)> = None;
    for (index, &ordinal) in ordinals.iter().enumerate() {
        let (bytes, is_active) = segments[index];
        let last = index + 1 >= in_use;
        if index >= in_use && live && is_active == Some(false) {
            // What the helper prepares at this moment.
            continue;
        }
        progress(stream, ordinal, done, total);
        done += bytes;
        let at = Circumstances { place: if last { Place::Newest } else { Place::Earlier }, ..at };
        // The first segment of a journal may begin at any sequence; what was pruned stands in the log.
        let (expected, next) = follows.unwrap_or((1, None));
        let (expected, next) = pruned.beyond(stream, (expected, next.unwrap_or(0)), ordinal);
        let next = (next > 0).then_some(next);
        if expected != ordinal && index < in_use {
            report.add(missing(expected, &at, Reason::Missing).finding(stream));
        }
        let next = next.filter(|_| expected == ordinal);
        let found =
            examine(folder, stream, ordinal, Look { at, follows: next, is_written: live && last }, |_, _, _| {})?;
        let finding = found.finding(stream);
        // Torn before the newest segment: the host died, and the next opening cuts here.
        let cut = finding.verdict == Verdict::Torn && !last && finding.reason != Reason::Control;
        if finding.verdict != Verdict::Clean && finding.reason != Reason::Control {
            report.add(finding);
        }
        if found.segment.as_ref().is_some_and(|(reader, _)| reader.has_damaged_table()) {
            // Said, but no damage to what is recorded: every record is there.
            let mut finding = Finding::new(stream, ordinal, 0, Verdict::Clean, Reason::SeekTable);
            finding.segment = format!("{}/{}", stream.name(), packed_name(ordinal));
            report.add(finding);
        }
        let Some(walked) = &found.walked else {
            follows = Some((ordinal + 1, None));
            if cut {
                break;
            }
            continue;
        };
        report.segments += 1;
        report.records += walked.records;
        report.holes += walked.holes;
        report.lost += walked.lost;
        report.bytes += (walked.position - SEGMENT_HEADER_BYTES) as u64;
        report.open = (last || cut) && !walked.ended;
        if walked.records > 0 {
            if report.first_sequence == 0 {
                report.first_sequence = walked.next_sequence - walked.records - walked.lost;
            }
            report.last_sequence = walked.next_sequence - 1;
        }
        follows = Some((ordinal + 1, Some(walked.next_sequence)));
        if cut {
            break;
        }
    }
    // A segment that is there and can't be read was judged above.
    let reaches = |slot: &DurableSlot| {
        let is_there =
            |(ordinal, (_, active)): (&u64, &(u64, Option<bool>))| *ordinal >= slot.ordinal && *active != Some(false);
        ordinals.iter().zip(&segments).any(is_there)
    };
    if let Some(slot) = durable
        && !reaches(&slot)
    {
        report.add(missing(slot.ordinal, &at, Reason::BelowDurable { sequence: slot.sequence }).finding(stream));
    }
    Ok(report)
}

/// The control page as evidence, and its durable mark.
fn look_at_control(folder: &Path, stream: Stream, live: bool) -> io::Result<(ControlPage, Option<DurableSlot>)> {
    let mut tries = 0;
    loop {
        let page = ControlReader::open(folder, stream);
        let evidence = control_evidence(&page);
        if live && evidence == ControlPage::Damaged && tries < 10 {
            // A slot being written at this moment.
            tries += 1;
            std::thread::sleep(std::time::Duration::from_millis(1));
            continue;
        }
        return match page {
            Ok(Ok(page)) => Ok((evidence, page.durable())),
            Ok(Err(_)) => Ok((evidence, None)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((evidence, None)),
            Err(error) => Err(error),
        };
    }
}

impl StreamReport {
    /// The worst of the findings, as a case of the decision table.
    pub fn case(&self) -> Case {
        self.findings.iter().map(|finding| finding.case).max().unwrap_or(Case::Clean)
    }

    pub(in crate::journal) fn add(&mut self, finding: Finding) {
        self.state = self.state.max(finding.verdict);
        self.findings.push(finding);
    }
}
