//! Putting a damaged journal in order, in place, without destroying a byte.
//!
//! What is taken out goes to `quarantine/` first, whole, durably, with a `.json` beside it that says why; only then is
//! anything changed. Each step leaves a journal that the next run of the repair takes up, so a repair that was
//! interrupted is simply started again, and one that has nothing to do changes nothing.

mod replace;
mod report;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use crate::clock::wall_ns;
use crate::journal::control::{CONTROL_NAME, Control, ControlError, ControlReader};
use crate::journal::format::{DurableSlot, Stream, index_name, packed_name, segment_name, segment_ordinal};
use crate::journal::quarantine::keep_copy;
use crate::journal::rebuild::{Job, Rebuilder};
use crate::journal::recovery::recover;
use crate::journal::retention::Pruned;
use crate::journal::seal::{SealError, maintenance_lock};
use crate::journal::source::Source;
use crate::journal::verify::{StreamReport, VerifyError};
use crate::journal::walk::{Finding, Reason, Verdict, walk};
use crate::journal::{LOCK_NAME, OpenError, QUARANTINE_NAME, is_live, list_segments, take_lock};
use crate::sys::file::{LockedFile, boot_id, sync_file, sync_folder};

use self::replace::remove_form;
pub(in crate::journal) use self::replace::replaced;
pub use self::report::{Action, ActionKind, Policy, RepairError, RepairReport};

/// Most segments in a row that are missing and are made anew: more is a file with a wrong name, not damage.
const MISSING_MAX: u64 = 100_000;
/// Rounds of looking and putting in order. Two do what there is to do; more say that something else is wrong.
const ROUNDS: usize = 4;

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> RepairError {
    |source| RepairError::Io { path: path.to_owned(), source }
}

/// Repairs a journal. Takes the writer's lock and that of those who seal and prune, but with [`Policy::Abort`], which changes nothing. `progress` is told
/// stream, segment, and bytes done and in all, of each look at the whole.
///
/// # Errors
///
/// See [`RepairError`]. Nothing is ever lost by one: what was taken out before is in `quarantine/`.
pub fn repair(
    dir: &Path,
    policy: Policy,
    mut progress: impl FnMut(Stream, u64, u64, u64),
) -> Result<RepairReport, RepairError> {
    if !dir.join(Stream::Ticks.name()).is_dir() {
        return Err(VerifyError::NoJournal(dir.to_owned()).into());
    }
    let live = || RepairError::Live {
        dir: dir.to_owned(),
        holder: fs::read_to_string(dir.join(LOCK_NAME)).unwrap_or_default().trim().to_owned(),
    };
    if is_live(dir) {
        return Err(live());
    }
    let lock = if policy == Policy::Abort { None } else { Some(take_lock(dir)) };
    let _lock = match lock.transpose() {
        Ok(lock) => lock,
        Err(OpenError::Io { path, source }) => return Err(RepairError::Io { path, source }),
        Err(_) => return Err(live()),
    };
    let _maintenance = if policy == Policy::Abort { None } else { Some(maintenance(dir)?) };
    let before = crate::journal::verify::verify_held(dir, &mut progress)?;
    let mut repair = Repair { dir, actions: Vec::new() };
    if policy == Policy::Abort {
        for (stream, report) in &before.streams {
            repair.foretell(*stream, report)?;
        }
        return Ok(RepairReport { after: before.clone(), before, actions: repair.actions });
    }
    let mut after = before.clone();
    for _ in 0..ROUNDS {
        let done = repair.actions.len();
        for (stream, report) in &after.streams {
            repair.stream(*stream, report, policy)?;
        }
        if repair.actions.len() == done {
            break;
        }
        after = crate::journal::verify::verify_held(dir, &mut progress)?;
    }
    Ok(RepairReport { before, actions: repair.actions, after })
}

/// Keeps those out who seal, compress or prune.
fn maintenance(dir: &Path) -> Result<LockedFile, RepairError> {
    maintenance_lock(dir).map_err(|error| match error {
        SealError::Io { path, source } => RepairError::Io { path, source },
        _ => RepairError::Maintained(dir.to_owned()),
    })
}

/// Whether a file of a finding is the stream's control page.
fn is_control(finding: &Finding) -> bool {
    finding.segment.ends_with(CONTROL_NAME)
}

/// Ordinal of the segment a finding names.
fn ordinal_of(finding: &Finding) -> Option<u64> {
    let name = finding.segment.rsplit('/').next()?;
    segment_ordinal(name.strip_suffix(".zst").unwrap_or(name))
}

struct Repair<'a> {
    dir: &'a Path,
    actions: Vec<Action>,
}

impl Repair<'_> {
    /// Says what would be done, with [`Policy::Skip`] where something is corrupt.
    fn foretell(&mut self, stream: Stream, report: &StreamReport) -> Result<(), RepairError> {
        let folder = self.dir.join(stream.name());
        let mut seen = BTreeSet::new();
        let is_table = |finding: &Finding| finding.reason == Reason::SeekTable;
        // What is only said is nothing to be done.
        for finding in report.findings.iter().filter(|finding| finding.verdict != Verdict::Clean || is_table(finding)) {
            let kind = match (ordinal_of(finding), finding.verdict) {
                _ if is_control(finding) => ActionKind::Control,
                _ if is_table(finding) => ActionKind::SeekTable,
                (_, Verdict::Torn) => ActionKind::Cut,
                (Some(ordinal), _)
                    if Source::look(&folder, stream, ordinal).map_err(io_at(&folder))?.path.is_none() =>
                {
                    ActionKind::Fill
                }
                _ => ActionKind::Rebuild,
            };
            if seen.insert(finding.segment.clone()) {
                self.act(finding.segment.clone(), kind, format!("at {}: {}", finding.offset, finding.reason));
            }
        }
        Ok(())
    }

    fn act(&mut self, file: String, kind: ActionKind, reason: String) -> &mut Action {
        let quarantine = None;
        self.actions.push(Action { file, kind, reason, quarantine, records: 0, mended: 0, losses: Vec::new() });
        // Just pushed.
        let last = self.actions.len() - 1;
        &mut self.actions[last]
    }

    /// One round over one stream: damage first, if that is allowed, since a tail is only judged by what stands before.
    fn stream(&mut self, stream: Stream, report: &StreamReport, policy: Policy) -> Result<(), RepairError> {
        if let Some(finding) = report.findings.iter().find(|finding| is_control(finding)) {
            self.control(stream, finding)?;
        }
        for finding in report.findings.iter().filter(|finding| finding.reason == Reason::Index) {
            self.index(finding)?;
        }
        for finding in report.findings.iter().filter(|finding| finding.reason == Reason::SeekTable) {
            self.pack_anew(stream, finding)?;
        }
        // A seal that does not fit good records is nothing that writing them anew would mend.
        let apart = |finding: &&Finding| {
            is_control(finding) || matches!(finding.reason, Reason::Index | Reason::Seal(_) | Reason::SeekTable)
        };
        let damaged = report.findings.iter().filter(|finding| !apart(finding));
        let corrupt: Vec<&Finding> = damaged.clone().filter(|finding| finding.verdict == Verdict::Corrupt).collect();
        if !corrupt.is_empty() && policy == Policy::Skip {
            return self.skip(stream, &corrupt);
        }
        let torn: Vec<&Finding> = damaged.filter(|finding| finding.verdict == Verdict::Torn).collect();
        if torn.is_empty() { Ok(()) } else { self.cut(stream) }
    }

    /// Makes a control page usable, the damaged one put away first.
    fn control(&mut self, stream: Stream, finding: &Finding) -> Result<(), RepairError> {
        let folder = self.dir.join(stream.name());
        let path = folder.join(CONTROL_NAME);
        if let Ok(Err(ControlError::Version(major))) = ControlReader::open(&folder, stream) {
            return Err(RepairError::Version { file: finding.segment.clone(), major });
        }
        let mut quarantine = None;
        if path.exists() {
            let about = json!({ "file": finding.segment, "reason": finding.reason.to_string(), "cut_ns": wall_ns() });
            let kept = keep_copy(self.dir, &path, &format!("{}-control", stream.name()), &about);
            quarantine = Some(kept.map_err(io_at(&self.dir.join(QUARANTINE_NAME)))?);
        }
        let control = Control::open_or_create(&folder, stream).map_err(io_at(&folder))?;
        control.clear_damaged().map_err(io_at(&path))?;
        if control.epoch() == 0 {
            self.restore_control(&folder, stream, &control)?;
        }
        let action = self.act(finding.segment.clone(), ActionKind::Control, finding.reason.to_string());
        action.quarantine = quarantine;
        Ok(())
    }

    /// Takes an index away that does not fit its segment: readers make their own.
    fn index(&mut self, finding: &Finding) -> Result<(), RepairError> {
        let quarantine = self.put_away(&finding.segment)?;
        let action = self.act(finding.segment.clone(), ActionKind::Index, finding.reason.to_string());
        action.quarantine = quarantine;
        Ok(())
    }

    /// Moves a file that is not needed any more to `quarantine/`, if it is there.
    fn put_away(&self, file: &str) -> Result<Option<String>, RepairError> {
        let quarantine = self.dir.join(QUARANTINE_NAME);
        fs::create_dir_all(&quarantine).map_err(io_at(&quarantine))?;
        let name = file.replace('/', "-");
        let free = (0..).map(|at| if at == 0 { name.clone() } else { format!("{name}-{at}") });
        let kept = free.into_iter().find(|kept| !quarantine.join(kept).exists()).unwrap_or(name);
        match fs::rename(self.dir.join(file), quarantine.join(&kept)) {
            Ok(()) => {
                // The new name first: were only the removal of the old one durable, the bytes would be gone.
                let from = self.dir.join(file);
                sync_folder(&quarantine)
                    .and_then(|()| from.parent().map_or(Ok(()), sync_folder))
                    .map_err(io_at(&quarantine))?;
                Ok(Some(format!("{QUARANTINE_NAME}/{kept}")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_at(&self.dir.join(file))(error)),
        }
    }

    /// Says in a fresh page what the segments say of the last writer.
    fn restore_control(&self, folder: &Path, stream: Stream, control: &Control) -> Result<(), RepairError> {
        for ordinal in list_segments(folder).map_err(io_at(folder))?.into_iter().rev() {
            let source = Source::look(folder, stream, ordinal).map_err(io_at(folder))?;
            if let (Some(reader), Some(header)) = (source.open().map_err(io_at(folder))?, &source.header)
                && header.activation.is_some()
            {
                let walked = walk(&reader, header, false, |_, _, _| {});
                let last = walked.next_sequence - 1;
                control.opened(header.prepared.epoch, ordinal, last, walked.position as u64);
                control.closed();
                return control.sync().map_err(io_at(folder));
            }
        }
        Ok(())
    }

    /// Puts torn tails in order as an opening does.
    fn cut(&mut self, stream: Stream) -> Result<(), RepairError> {
        match recover(self.dir, stream, boot_id()) {
            Ok((recovered, _)) => {
                for finding in &recovered.report.findings {
                    let about = format!("at {}: {}", finding.offset, finding.reason);
                    let action = self.act(finding.segment.clone(), ActionKind::Cut, about);
                    action.quarantine = (recovered.report.quarantined_bytes > 0).then(|| format!("{QUARANTINE_NAME}/"));
                }
                Ok(())
            }
            // Damage in front of it: that remains, and the report says so.
            Err(OpenError::Corrupt { .. }) => Ok(()),
            Err(OpenError::Version { path, major }) => {
                Err(RepairError::Version { file: path.display().to_string(), major })
            }
            Err(OpenError::Io { path, source }) => Err(RepairError::Io { path, source }),
            Err(error) => Err(io_at(&self.dir.join(stream.name()))(io::Error::other(error))),
        }
    }

    /// Writes what is damaged anew.
    fn skip(&mut self, stream: Stream, findings: &[&Finding]) -> Result<(), RepairError> {
        let folder = self.dir.join(stream.name());
        let durable = match ControlReader::open(&folder, stream) {
            Ok(Ok(control)) => control.durable(),
            _ => None,
        };
        let mut bad: BTreeSet<u64> = findings.iter().filter_map(|finding| ordinal_of(finding)).collect();
        let there = list_segments(&folder).map_err(io_at(&folder))?;
        let mut sources = Vec::new();
        for ordinal in there {
            let source = Source::look(&folder, stream, ordinal).map_err(io_at(&folder))?;
            if let Some(major) = source.newer() {
                let file = format!("{}/{}", stream.name(), segment_name(ordinal));
                return Err(RepairError::Version { file, major });
            }
            sources.push(source);
        }
        // What was prepared and never used is nobody's loss; the next opening removes it.
        while sources.last().is_some_and(Source::is_unused) {
            sources.pop();
        }
        let pruned = Pruned::read(self.dir).map_err(io_at(self.dir))?;
        let mut kept_packed = false;
        for source in sources.iter().filter(|source| bad.contains(&source.ordinal)) {
            if source.better_form(stream).map_err(io_at(&folder))?.is_some() {
                self.keep_packed(&folder, stream, source, findings)?;
                kept_packed = true;
            }
        }
        if kept_packed {
            // What was found of others may have come of those: the next look tells.
            return Ok(());
        }
        let sources = with_missing(stream, sources, &mut bad, &pruned)?;
        let mark = durable.map(|slot| slot.sequence + 1);
        let mut rebuilder = Rebuilder::new(&folder, stream);
        let is_bad = |ordinal: u64| bad.contains(&ordinal);
        // Definitions of instruments are restated in every segment: the neighbours of a bad one know them all.
        let beside_bad = |ordinal: u64| is_bad(ordinal + 1) || is_bad(ordinal.saturating_sub(1));
        for source in sources.iter().filter(|source| !is_bad(source.ordinal) && beside_bad(source.ordinal)) {
            rebuilder.learn(source).map_err(io_at(&folder))?;
        }
        let mut expected: Option<u64> = None;
        let mut last = None;
        let newest = sources.last().map_or(0, |source| source.ordinal);
        for (index, source) in sources.iter().enumerate() {
            if index > 0 && sources[index - 1].ordinal + 1 != source.ordinal {
                // Behind segments that were pruned it begins where its header says.
                expected = None;
            }
            if !is_bad(source.ordinal) {
                if !is_bad(source.ordinal + 1) && source.ordinal != newest {
                    expected = None;
                    continue;
                }
                let reader = source.open().map_err(io_at(&folder))?;
                let Some((header, reader)) = source.header.as_ref().zip(reader) else { continue };
                let walked = walk(&reader, header, false, |_, _, _| {});
                expected = Some(walked.next_sequence);
                rebuilder.like_that(header);
                last = Some((source.ordinal, walked.next_sequence, walked.position as u64));
                continue;
            }
            let next = sources.get(index + 1).filter(|next| next.ordinal == source.ordinal + 1);
            let behind = next.and_then(Source::base);
            let name = format!("{}/{}", stream.name(), segment_name(source.ordinal));
            let until = behind.or(mark.filter(|_| source.ordinal == newest));
            let reader = source.open().map_err(io_at(&folder))?;
            let job = Job {
                source,
                reader: reader.as_ref(),
                name: name.clone(),
                ordinal: source.ordinal,
                expected,
                until: until.filter(|until| expected.is_none_or(|expected| *until >= expected)),
                is_bounded: behind.is_some(),
            };
            let kept = self.put_by(&folder, stream, source, findings)?;
            let rebuilt = rebuilder.rebuild(&job, &mut |fresh, end| kept.note_replaced(fresh, end))?;
            self.put_away(&format!("{}/{}", stream.name(), index_name(source.ordinal)))?;
            // One that was compressed stands uncompressed now.
            remove_form(&folder, &packed_name(source.ordinal))?;
            let quarantine = kept.file;
            expected = Some(rebuilt.built.next_sequence);
            last = Some((source.ordinal, rebuilt.built.next_sequence, rebuilt.built.position));
            let why = findings.iter().filter(|finding| ordinal_of(finding) == Some(source.ordinal));
            let why: Vec<String> = why.map(|finding| format!("at {}: {}", finding.offset, finding.reason)).collect();
            let kind = if source.path.is_some() { ActionKind::Rebuild } else { ActionKind::Fill };
            let reason = if why.is_empty() { "the segment is missing".to_owned() } else { why.join("; ") };
            let action = self.act(name, kind, reason);
            (action.records, action.mended, action.losses) = (rebuilt.records, rebuilt.mended, rebuilt.losses);
            action.quarantine = quarantine;
        }
        if let (Some((ordinal, next_sequence, position)), Some(slot)) = (last, durable) {
            self.mark(&folder, stream, DurableSlot { ordinal, sequence: next_sequence - 1, position, ..slot })?;
        }
        Ok(())
    }

    /// Says in the control page where the last durable record is now: everything is synced before.
    fn mark(&self, folder: &Path, stream: Stream, slot: DurableSlot) -> Result<(), RepairError> {
        let fail = io_at(folder);
        let sync = || {
            for ordinal in list_segments(folder)? {
                let path = folder.join(segment_name(ordinal));
                if path.exists() {
                    sync_file(&fs::File::open(path)?)?;
                }
            }
            sync_folder(folder)
        };
        sync().map_err(fail)?;
        let control = Control::open_or_create(folder, stream).map_err(io_at(folder))?;
        let slot = DurableSlot { time_ns: wall_ns(), boot_id: boot_id(), ..slot };
        control.reset_durable(slot).map_err(io_at(folder))
    }
}

/// Puts what is not there among what is, up to the newest segment that is spoken of.
fn with_missing(
    stream: Stream,
    sources: Vec<Source>,
    bad: &mut BTreeSet<u64>,
    pruned: &Pruned,
) -> Result<Vec<Source>, RepairError> {
    let first = sources.first().map(|source| source.ordinal);
    let Some(mut next) = first.into_iter().chain(bad.first().copied()).min() else { return Ok(sources) };
    let newest = bad.last().copied().unwrap_or(0);
    let missing = Source::missing;
    let mut all = Vec::with_capacity(sources.len());
    let check = |first: u64, until: u64| {
        let count = until.saturating_sub(first);
        if count > MISSING_MAX { Err(RepairError::TooMany { first, count }) } else { Ok(()) }
    };
    for source in sources {
        // What the log of deletions explains is not missing.
        next = pruned.beyond(stream, (next, 1), source.ordinal).0;
        check(next, source.ordinal)?;
        for ordinal in next..source.ordinal {
            bad.insert(ordinal);
            all.push(missing(ordinal));
        }
        next = source.ordinal + 1;
        all.push(source);
    }
    check(next, newest.saturating_add(1))?;
    for ordinal in next..=newest {
        bad.insert(ordinal);
        all.push(missing(ordinal));
    }
    Ok(all)
}
