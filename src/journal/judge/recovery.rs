//! Putting a stream in order when its journal is opened: everything that may be unfinished is looked at, the decision
//! table says what it is, and only when all of it may be put in order is anything changed. Cold; the caller holds the
//! journal's lock.
//!
//! Only what no durable mark, no seal and no boot vouches for is read: within one boot the newest segment, else what lies
//! from the mark's segment on and behind those that are sealed, the newest in any case. The order of the changes is such that dying in the middle of them leaves what can be opened
//! again: bytes are copied away and synced before they are zeroed, later segments go before the one before them is
//! ended, the newest first.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::journal::control::{CONTROL_NAME, Control, ControlError, ControlReader, SyncState};
use crate::journal::decision::{Action, Case, Circumstances, Decision, Place};
use crate::journal::durability::dirty_segments;
use crate::journal::examine::{
    Examined, Look, control_evidence, control_is_torn, examine, missing, newer_major, open_segment,
};
use crate::journal::format::{END_BYTES, SegmentHeader, Stream, packed_name, padded, segment_name};
use crate::journal::manifest::Manifest;
use crate::journal::quarantine::{Why, keep_copy, keep_segment, keep_tail};
use crate::journal::recent::Recent;
use crate::journal::retention::Pruned;
use crate::journal::segment::SegmentWriter;
use crate::journal::walk::{Finding, Reason, Tail, Verdict, walk};
use crate::journal::writer::end_record;
use crate::journal::{OpenError, io_error, list_segments};
use crate::sys::file::{allocate, sync_file, sync_folder};
use crate::sys::map::WriteMap;
use crate::tick::{EndReason, RType};

pub use crate::journal::recent::LastFrame;

/// A boot that never was.
const NO_BOOT: [u8; 16] = [0xff; 16];
/// What is said of a segment that is put away only because the stream is cut before it.
const BEHIND_A_CUT: &str = "it stands behind the cut";

/// Most looks at a stream whose segments are taken away meanwhile: a pruning takes one day after the other.
const LOOKS: usize = 1000;

/// What the opening found in a stream.
#[derive(Clone, Debug)]
pub struct StreamRecovery {
    /// `Clean`, or `Torn`: something was cut.
    pub verdict: Verdict,
    /// The case of the decision table.
    pub case: Case,
    /// Why, when torn.
    pub findings: Vec<Finding>,
    /// Bytes moved to `quarantine/`.
    pub quarantined_bytes: u64,
    /// Last committed sequence; 0 = none.
    pub last_sequence: u64,
    /// Whether the last writer had closed the stream, or there was none.
    pub was_closed: bool,
}

/// What the rest of the opening needs.
#[derive(Debug)]
pub(in crate::journal) struct Recovered {
    pub(in crate::journal) report: StreamRecovery,
    pub(in crate::journal) next_ordinal: u64,
    pub(in crate::journal) next_sequence: u64,
    pub(in crate::journal) epoch_max: u64,
    /// What the segments that were read tell.
    pub(in crate::journal) recent: Recent,
    /// Segments in use that were not read, ascending.
    pub(in crate::journal) unread: Vec<u64>,
}

/// What was found, before anything is changed.
struct Plan {
    /// Segments in use that were looked at, ascending; the last one may have to be cut or ended.
    walked: Vec<Examined>,
    /// Segments behind them, ascending, with what is done to each.
    behind: Vec<Examined>,
    recent: Recent,
    unread: Vec<u64>,
    /// Why the newest segment ended, as its `End` says.
    end_reason: Option<u8>,
    epoch_max: u64,
}

/// Puts a stream in order, and opens or makes its control page.
pub(in crate::journal) fn recover(
    dir: &Path,
    stream: Stream,
    boot_id: [u8; 16],
) -> Result<(Recovered, Control), OpenError> {
    let folder = &dir.join(stream.name());
    let page = ControlReader::open(folder, stream);
    let evidence = control_evidence(&page);
    let (epoch, durable) = match &page {
        Ok(Ok(page)) => (page.epoch(), page.durable()),
        Ok(Err(ControlError::Version(major))) => {
            return Err(OpenError::Version { path: folder.join(CONTROL_NAME), major: *major });
        }
        Ok(Err(ControlError::Damaged)) => (0, None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (0, None),
        Err(error) => return Err(io_error(folder, io::Error::new(error.kind(), error.to_string()))),
    };
    // After a failed sync the kernel takes pages for clean that never reached the disk, and may drop them from memory:
    // then this boot vouches for nothing above the mark, as after the host's death.
    let has_failed =
        matches!(&page, Ok(Ok(page)) if matches!(page.sync_state(), SyncState::Retrying(_) | SyncState::Failed(_)));
    let boot_id = if has_failed { NO_BOOT } else { boot_id };
    let sealed_to = Manifest::sealed_to(dir).map_err(|error| io_error(dir, error))?.of(stream);
    let at = Circumstances { place: Place::Newest, boot_id, control: evidence, durable, sealed_to };
    let plan = plan_steadily(dir, stream, at, epoch)?;
    if has_failed {
        dirty_segments(folder, durable.map_or(0, |slot| slot.ordinal), u64::MAX);
    }
    let made = |error| io_error(&folder.join(CONTROL_NAME), error);
    let torn = control_is_torn(&page);
    if torn {
        let about = serde_json::json!({
            "file": format!("{}/{CONTROL_NAME}", stream.name()),
            "reason": Reason::Control.to_string(),
            "cut_ns": crate::clock::wall_ns(),
        });
        keep_copy(dir, &folder.join(CONTROL_NAME), &format!("{}-control", stream.name()), &about).map_err(made)?;
    }
    let control = Control::open_or_create(folder, stream).map_err(made)?;
    if torn {
        // Told once: the copy is kept, and a slot that is none says nothing.
        control.clear_damaged().map_err(made)?;
    }
    // The epoch outlives the segments that say it: they may be put away before the next one is made.
    control.note_epoch(plan.epoch_max).map_err(made)?;
    Ok((carry_out(dir, folder, stream, plan)?, control))
}

/// As [`plan`], again when segments were pruned or compressed meanwhile: that needs no lock of the writer's.
fn plan_steadily(dir: &Path, stream: Stream, at: Circumstances, epoch: u64) -> Result<Plan, OpenError> {
    let folder = &dir.join(stream.name());
    let list = || list_segments(folder).map_err(|error| io_error(folder, error));
    let mut attempt = 0;
    loop {
        let before = list()?;
        let found = plan(dir, stream, at, epoch, u64::MAX);
        attempt += 1;
        let is_gone = match &found {
            Err(OpenError::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
            Err(OpenError::Corrupt { finding }) => finding.reason == Reason::Missing,
            _ => false,
        };
        if !is_gone || attempt == LOOKS || before == list()? {
            return found;
        }
    }
}

/// Looks at everything that may be unfinished, and changes nothing; from segment `from_at_most` on, or an earlier one.
fn plan(dir: &Path, stream: Stream, at: Circumstances, epoch: u64, from_at_most: u64) -> Result<Plan, OpenError> {
    let folder = &dir.join(stream.name());
    let fail = |error| io_error(folder, error);
    let mut plan = Plan {
        walked: Vec::new(),
        behind: Vec::new(),
        recent: Recent::default(),
        unread: Vec::new(),
        end_reason: None,
        epoch_max: epoch,
    };
    let mut ordinals = list_segments(folder).map_err(fail)?;
    // From the back: what a dead writer prepared and never used, then the newest segment in use.
    let look = Look { at, follows: None, is_written: false };
    let mut newest_boot = None;
    while let Some(&ordinal) = ordinals.last() {
        let header = header_of(folder, stream, ordinal).map_err(fail)?;
        if let Some(header) = header.filter(|header| header.activation.is_some()) {
            newest_boot = Some(header.prepared.boot_id);
            break;
        }
        let found = examine(folder, stream, ordinal, look, |_, _, _| {}).map_err(fail)?;
        plan.accept(stream, folder, &found)?;
        plan.behind.insert(0, found);
        ordinals.pop();
    }
    if let Some(slot) = at.durable.filter(|slot| ordinals.last().is_none_or(|last| *last < slot.ordinal)) {
        return Err(refused(
            stream,
            folder,
            &missing(slot.ordinal, &at, Reason::BelowDurable { sequence: slot.sequence }),
        ));
    }
    if ordinals.last().is_some_and(|last| *last < at.sealed_to) {
        let pruned = Pruned::read(dir).map_err(|error| io_error(dir, error))?;
        let last = ordinals.last().copied().unwrap_or(0);
        let (expected, _) = pruned.beyond(stream, (last + 1, 1), at.sealed_to + 1);
        if expected <= at.sealed_to {
            return Err(refused(stream, folder, &missing(expected, &at, Reason::Missing)));
        }
    }
    // Within one boot the page cache has every store: only the newest segment can be unfinished. Of another boot,
    // everything behind the durable mark and behind what is sealed is looked at.
    let Some(&last) = ordinals.last() else {
        return plan.check_beginning(stream);
    };
    let from = match at.durable {
        _ if newest_boot == Some(at.boot_id) => last,
        slot => slot.map_or(0, |slot| slot.ordinal).max((at.sealed_to + 1).min(last)),
    }
    .min(from_at_most);
    let split = ordinals.partition_point(|ordinal| *ordinal < from);
    let walked = ordinals.split_off(split);
    plan.unread = ordinals;
    let mut next = (!plan.unread.is_empty()).then_some((from, None));
    for (index, &ordinal) in walked.iter().enumerate() {
        let place = if index + 1 == walked.len() { Place::Newest } else { Place::Earlier };
        let at = Circumstances { place, ..at };
        if let Some((expected, sequence)) = next
            && expected != ordinal
        {
            // What was pruned stands in the log of deletions, with the numbers it took along.
            let pruned = Pruned::read(dir).map_err(|error| io_error(dir, error))?;
            let (expected, sequence) = pruned.beyond(stream, (expected, sequence.unwrap_or(0)), ordinal);
            if expected != ordinal {
                return Err(refused(stream, folder, &missing(expected, &at, Reason::Missing)));
            }
            next = Some((ordinal, (sequence > 0).then_some(sequence)));
        }
        let follows = next.and_then(|(_, sequence)| sequence);
        let header = header_of(folder, stream, ordinal).map_err(fail)?;
        plan.recent.enter(header.map_or(0, |header| header.prepared.epoch));
        let (recent, mut end_reason) = (&mut plan.recent, None);
        let found = examine(folder, stream, ordinal, Look { at, follows, is_written: false }, |_, head, record| {
            recent.note(head, record);
            if head.rtype == RType::End as u8 {
                end_reason = record.get(56).copied();
            }
        })
        .map_err(fail)?;
        plan.accept(stream, folder, &found)?;
        next = Some((ordinal + 1, found.walked.as_ref().map(|walked| walked.next_sequence)));
        let action = found.decision.action;
        if action != Action::PutAway {
            plan.end_reason = end_reason;
        }
        match action {
            Action::PutAway => plan.behind.insert(0, found),
            _ => plan.walked.push(found),
        }
        if matches!(action, Action::Cut | Action::PutAway) {
            // Whatever stands behind a cut goes with it, good or not.
            let at_behind = usize::from(action == Action::PutAway);
            for (place, &lost) in walked[index + 1..].iter().enumerate() {
                let decision = plan.cut_by().unwrap_or(Decision { case: Case::Clean, action, row: "" });
                let decision = Decision { action: Action::PutAway, row: BEHIND_A_CUT, ..decision };
                let header = header_of(folder, stream, lost).map_err(fail)?;
                plan.epoch_max = plan.epoch_max.max(header.map_or(0, |header| header.prepared.epoch));
                let lost =
                    Examined { ordinal: lost, decision, segment: None, walked: None, reason: Reason::NoEnd, offset: 0 };
                plan.behind.insert(at_behind + place, lost);
            }
            break;
        }
    }
    // Nothing that was looked at stays: the numbering goes on from the last one that was not.
    if plan.walked.is_empty()
        && let Some(&kept) = plan.unread.last()
    {
        return self::plan(dir, stream, at, epoch, kept);
    }
    plan.check_kept(stream, folder, &at)?.check_beginning(stream)
}

/// The header of a segment, if it is a good one.
fn header_of(folder: &Path, stream: Stream, ordinal: u64) -> io::Result<Option<SegmentHeader>> {
    let (reader, _) = open_segment(folder, ordinal)?;
    Ok(reader.checked_header(stream, ordinal).ok())
}

impl Plan {
    /// Remembers the epoch of a segment, or refuses it.
    fn accept(&mut self, stream: Stream, folder: &Path, found: &Examined) -> Result<(), OpenError> {
        self.epoch_max = self.epoch_max.max(found.epoch());
        if found.decision.action == Action::Refuse { Err(refused(stream, folder, found)) } else { Ok(()) }
    }

    /// The decision that cuts the stream, if one does.
    fn cut_by(&self) -> Option<Decision> {
        let cuts = |found: &&Examined| matches!(found.decision.action, Action::Cut | Action::PutAway);
        self.walked.iter().chain(&self.behind).find(cuts).map(|found| found.decision)
    }

    /// What is sealed or compressed is on the disk: nothing of it is ever cut or put away, whatever led here.
    fn check_kept(self, stream: Stream, folder: &Path, at: &Circumstances) -> Result<Plan, OpenError> {
        let loses = |found: &&Examined| match found.decision.action {
            // A complete one is only made as long as it was.
            Action::Cut => found.walked.as_ref().is_none_or(|walked| walked.tail != Tail::Ended),
            action => action == Action::PutAway,
        };
        let packed = |ordinal| folder.join(packed_name(ordinal)).exists();
        let is_kept = |found: &&Examined| at.is_sealed(found.ordinal, packed(found.ordinal));
        let cuts = || self.walked.iter().chain(&self.behind).filter(loses);
        if cuts().any(|found| is_kept(&found)) {
            // Named is what the cut was for, which stands first.
            let found = cuts().min_by_key(|found| found.ordinal);
            let (ordinal, offset, reason) =
                found.map_or((0, 0, Reason::NoEnd), |found| (found.ordinal, found.offset, found.reason.clone()));
            let finding = Finding::new(stream, ordinal, offset, Verdict::Corrupt, reason);
            return Err(OpenError::Corrupt { finding });
        }
        Ok(self)
    }

    /// A segment that is not in use tells no number: with nothing before it, numbering begins only where the stream does.
    fn check_beginning(self, stream: Stream) -> Result<Plan, OpenError> {
        match self.behind.first() {
            Some(found) if self.walked.is_empty() && found.ordinal > 1 => {
                let finding = Finding::new(stream, found.ordinal - 1, 0, Verdict::Corrupt, Reason::Missing);
                Err(OpenError::Corrupt { finding })
            }
            _ => Ok(self),
        }
    }
}

fn refused(stream: Stream, folder: &Path, found: &Examined) -> OpenError {
    match newer_major(&found.reason) {
        Some(major) => OpenError::Version { path: folder.join(segment_name(found.ordinal)), major },
        None => OpenError::Corrupt { finding: found.finding(stream) },
    }
}

/// Does what the plan says.
fn carry_out(dir: &Path, folder: &Path, stream: Stream, plan: Plan) -> Result<Recovered, OpenError> {
    let fail = |error| io_error(folder, error);
    remove_half_made(folder).map_err(fail)?;
    let newest = plan.walked.last().and_then(|found| found.walked.as_ref());
    let next_sequence = newest.map_or(1, |walked| walked.next_sequence);
    let mut report = StreamRecovery {
        verdict: Verdict::Clean,
        case: Case::Clean,
        findings: Vec::new(),
        quarantined_bytes: 0,
        last_sequence: next_sequence - 1,
        was_closed: plan.walked.is_empty() || plan.end_reason == Some(EndReason::Closed as u8),
    };
    for found in plan.walked.iter().chain(&plan.behind) {
        let finding = found.finding(stream);
        if finding.case != Case::Clean && found.decision.row != BEHIND_A_CUT && !report.findings.contains(&finding) {
            report.case = report.case.max(finding.case);
            report.findings.push(finding);
        }
    }
    report.verdict = report.case.verdict();
    for found in plan.behind.iter().rev() {
        let path = folder.join(segment_name(found.ordinal));
        match found.decision.action {
            Action::PutAway => {
                let why = Why { finding: &found.finding(stream), row: found.decision.row, next_sequence };
                report.was_closed = false;
                report.quarantined_bytes +=
                    keep_segment(dir, stream, found.ordinal, &why).map_err(|error| io_error(&path, error))?;
            }
            // Durably, too, before the one before it goes: else a later one could come back without it.
            _ => fs::remove_file(&path).and_then(|()| sync_folder(folder)).map_err(|error| io_error(&path, error))?,
        }
    }
    if let Some(found) = plan.walked.last() {
        report.quarantined_bytes += finish(dir, folder, stream, found, next_sequence)?;
        report.was_closed &= found.decision.action != Action::Cut;
    }
    Ok(Recovered {
        report,
        next_ordinal: plan.walked.last().map_or(1, |found| found.ordinal + 1),
        next_sequence,
        epoch_max: plan.epoch_max,
        recent: plan.recent,
        unread: plan.unread,
    })
}

/// Removes files that were never part of the journal.
fn remove_half_made(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Cuts and ends the newest segment kept, as decided; returns the bytes moved to `quarantine/`.
fn finish(dir: &Path, folder: &Path, stream: Stream, found: &Examined, next_sequence: u64) -> Result<u64, OpenError> {
    let (Some((_, header)), Some(walked)) = (&found.segment, &found.walked) else { return Ok(0) };
    let path = folder.join(segment_name(found.ordinal));
    let fail = |error| io_error(&path, error);
    let torn = match found.decision.action {
        Action::Cut => {
            let why = Why { finding: &found.finding(stream), row: found.decision.row, next_sequence };
            keep_tail(dir, stream, found.ordinal, walked.position, &why).map_err(fail)?
        }
        Action::End => 0,
        _ => return Ok(0),
    };
    let bytes = header.prepared.segment_bytes;
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(fail)?;
    // A shortened file, or a copy whose zeros are holes: a store there on a full disk would be a signal.
    allocate(&file, bytes).map_err(fail)?;
    if walked.ended {
        return sync_file(&file).map(|()| torn as u64).map_err(fail);
    }
    if walked.position + END_BYTES > bytes as usize {
        // The room for an `End` was taken: no writer of ours did that.
        let finding = Finding::new(stream, found.ordinal, walked.position, Verdict::Corrupt, Reason::NoEnd);
        return Err(OpenError::Corrupt { finding });
    }
    let map = Arc::new(WriteMap::new(&file).map_err(fail)?);
    let mut writer = SegmentWriter::new(map, header.prepared);
    if torn > 0 {
        writer.zero(walked.position, padded(walked.position + torn));
        // Zeros first: an `End` with a torn tail behind it would be damage.
        writer.map().sync(walked.position, torn).map_err(fail)?;
    }
    let end = end_record(found.ordinal + 1, walked.market_records, EndReason::Recovered);
    writer.commit(walked.position, bytemuck::bytes_of(&end), &[]);
    writer.map().sync(walked.position, END_BYTES).map_err(fail)?;
    Ok(torn as u64)
}

impl Recovered {
    /// The last frame of stream `raw` that reached this one. The newest segment may hold no tick at all, or none of a
    /// frame in `raw`: then those before it are read, the newest first. Only where `raw` holds frames is it worth that.
    pub(in crate::journal) fn last_frame(
        &mut self,
        folder: &Path,
        stream: Stream,
        has_frames: bool,
    ) -> Result<LastFrame, OpenError> {
        for &ordinal in self.unread.iter().rev() {
            if !has_frames || self.recent.last_frame().raw_sequence > 0 {
                break;
            }
            let (reader, _) = open_segment(folder, ordinal).map_err(|error| io_error(folder, error))?;
            let Ok(header) = reader.checked_header(stream, ordinal) else { break };
            let mut segment = Recent::default();
            segment.enter(header.prepared.epoch);
            walk(&reader, &header, false, |_, head, record| segment.note(head, record));
            self.recent.set_earlier(segment.last_frame());
        }
        Ok(self.recent.last_frame())
    }
}
