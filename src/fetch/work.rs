//! The work: units by several threads, one for each app key, until all are done or can't be.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::journal::{self, JournalError};
use super::sink::{SinkError, keep};
use super::state::{Done, Folder, StateError};
use super::walk::{WalkError, Walked, Walker};
use super::{Format, Moment, Plan, Request, What};
use crate::feed::kis::rest::codes::Reaction;
use crate::feed::kis::rest::{Client, KeyError, Priority, RestError};
use crate::market::kst;

/// Times that a unit is tried when the server is not reached for it though it is for others.
const TRIES_MAX: u32 = 5;
/// Refusals of a symbol in a row after which its other units are left alone.
const REFUSALS_MAX: u32 = 3;
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How soon a wait notices that the program is to end.
const SLICE: Duration = Duration::from_millis(50);

/// What is to be done, and with what.
#[derive(Debug)]
pub struct Job<'a> {
    /// What was asked for.
    pub request: &'a Request,
    /// Its units.
    pub plan: &'a Plan,
    /// Calls with the priority of backfill.
    pub client: &'a Client,
    /// Threads: one for each app key.
    pub workers: usize,
    /// Which moment it is.
    pub moment: Moment,
    /// How long the server may be out of reach until the download ends, to be resumed.
    pub patience: Duration,
    /// Set when the program is to end.
    pub stop: &'a AtomicBool,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units that are done or failed, those of earlier runs included.
    pub units: usize,
    /// Rows of this run.
    pub rows: u64,
}

/// A symbol that could not be had in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Units of it.
    pub units: usize,
    /// Why the last of them was not.
    pub error: String,
}

/// What became of a download.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Units done in this run.
    pub units: usize,
    /// Rows of them.
    pub rows: u64,
    /// Units that were done before.
    pub resumed: usize,
    /// Units whose day is not over: the next run downloads them again.
    pub partial: usize,
    /// Shares that the broker did not show, over all units.
    pub missing: u64,
    /// Symbols that could not be had in full.
    pub failures: BTreeMap<String, Failure>,
    /// What ended the download early.
    pub fatal: Option<String>,
    /// Somebody ended it.
    pub is_interrupted: bool,
    /// Market records of the journal, where one was made.
    pub journal_records: Option<u64>,
}

#[derive(Debug)]
struct Shared<'a> {
    folder: &'a mut Folder,
    outcome: Outcome,
    refusals: BTreeMap<usize, u32>,
    /// When the server answered last, or the work began.
    reached: Instant,
}

/// What becomes of a unit.
enum Ended {
    Done(Walked),
    Failed { error: String, is_refusal: bool },
    Fatal(String),
    Stopped,
}

/// Downloads what is not done yet, and makes the journal where one is asked for. `progress` is told after each unit.
///
/// Failures of symbols don't end it; those of the server, the app keys and the disk do, and are in the outcome.
pub fn work(job: &Job<'_>, folder: &mut Folder, progress: &(dyn Fn(Progress) + Sync)) -> Outcome {
    let files = if job.request.format == Format::Journal { folder.parts() } else { folder.data() };
    let lost = folder.forget_lost(|unit| match job.plan.units.get(unit) {
        Some(unit) => files.join(job.plan.path(job.request, unit)),
        None => files.clone(),
    });
    let lost = match lost {
        Ok(lost) => lost,
        Err(error) => return Outcome { fatal: Some(error.to_string()), ..Outcome::default() },
    };
    if lost > 0 || folder.damaged() > 0 {
        tracing::warn!(
            lost,
            damaged = folder.damaged(),
            "files or notes of units are not there; they are downloaded again"
        );
    }
    let pending: Vec<usize> = (0..job.plan.units.len()).filter(|unit| !folder.is_done(*unit)).collect();
    let resumed = job.plan.units.len() - pending.len();
    let next = AtomicUsize::new(0);
    let outcome = Outcome { resumed, ..Outcome::default() };
    let shared = Mutex::new(Shared { folder, outcome, refusals: BTreeMap::new(), reached: Instant::now() });
    let halt = AtomicBool::new(false);
    progress(Progress { units: resumed, rows: 0 });
    std::thread::scope(|scope| {
        for _ in 0..job.workers.clamp(1, pending.len().max(1)) {
            let (shared, halt, next, pending, files) = (&shared, &halt, &next, &pending, &files);
            scope.spawn(move || {
                let client = job.client.with_priority(Priority::Backfill);
                // Relaxed: a counter and flags alone; results go through the lock.
                while let Some(unit) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if halt.load(Ordering::Relaxed) || job.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let ended = download(job, &client, *unit, shared, files, halt);
                    settle(job, *unit, ended, shared, files, halt, resumed, progress);
                }
            });
        }
    });
    let Shared { folder, mut outcome, .. } = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Relaxed: a flag alone, and the threads have ended.
    outcome.is_interrupted = job.stop.load(Ordering::Relaxed);
    let done = || folder.done().values();
    // Trades of a day that is over stay as they are, and failed.
    let grows = job.request.what != What::Ticks || job.request.to == job.moment.date();
    outcome.partial = done().filter(|done| done.until.is_some() && grows).count();
    outcome.missing = done().map(|done| done.missing).sum();
    if job.request.format == Format::Journal && outcome.fatal.is_none() && !outcome.is_interrupted {
        finish_journal(job, folder, &mut outcome);
    }
    outcome
}

/// Makes the journal unless it has all that is noted; the units' files go when nothing is to come.
fn finish_journal(job: &Job<'_>, folder: &mut Folder, outcome: &mut Outcome) {
    let made =
        if folder.is_journal_made() { Ok(None) } else { journal::assemble(folder, job.request, job.plan).map(Some) };
    match made {
        Ok(records) => {
            outcome.journal_records = records;
            let is_whole = outcome.partial == 0 && outcome.failures.is_empty();
            let noted = if records.is_some() { folder.note_journal() } else { Ok(()) };
            if let Err(error) = noted.and_then(|()| if is_whole { folder.note_complete() } else { Ok(()) }) {
                outcome.fatal = Some(error.to_string());
            }
        }
        Err(JournalError::Damaged(path)) => outcome.fatal = Some(JournalError::Damaged(path).to_string()),
        Err(error) => outcome.fatal = Some(format!("the journal could not be made: {error}")),
    }
}

fn lock<'s, 'a>(shared: &'s Mutex<Shared<'a>>) -> MutexGuard<'s, Shared<'a>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One unit with all its tries.
fn download(
    job: &Job<'_>,
    client: &Client,
    at: usize,
    shared: &Mutex<Shared<'_>>,
    files: &Path,
    halt: &AtomicBool,
) -> Ended {
    let Some(unit) = job.plan.units.get(at) else {
        return Ended::Fatal(format!("unit {at} is not in the plan"));
    };
    let refused = lock(shared).refusals.get(&unit.symbol).copied().unwrap_or(0);
    if refused >= REFUSALS_MAX {
        let error = "left alone after refusals of its other days".to_owned();
        return Ended::Failed { error, is_refusal: true };
    }
    let walker = Walker::new(client, job.moment, job.stop);
    let mut tries = 0;
    loop {
        // Relaxed: a flag alone.
        if halt.load(Ordering::Relaxed) {
            return Ended::Stopped;
        }
        let calls_before = walker.calls();
        let error = match walker.walk(job.request, unit) {
            Ok(walked) => return Ended::Done(walked),
            Err(WalkError::Stopped) => return Ended::Stopped,
            Err(WalkError::Rest(error)) => error,
            Err(gone @ WalkError::Gone(_)) => {
                let path = files.join(job.plan.path(job.request, unit));
                return match kept(lock(shared).folder, at, &path) {
                    Ok(kept) => Ended::Failed { error: format!("{gone}; {kept}"), is_refusal: false },
                    Err(error) => Ended::Fatal(error.to_string()),
                };
            }
            Err(error) => {
                return Ended::Failed { is_refusal: matches!(error, WalkError::NoSymbol(_)), error: error.to_string() };
            }
        };
        // Of several calls all but the last were answered.
        if walker.calls() > calls_before + 1 {
            lock(shared).reached = Instant::now();
        }
        let wait = match &error {
            RestError::CircuitOpen { retry_in, .. } => (*retry_in).max(SLICE),
            // Somebody before the broker refuses everything.
            RestError::Unreadable { status: 400..500, .. } => return Ended::Fatal(error.to_string()),
            // All units wait for the same token: no try of this one.
            RestError::Keys(KeyError::TooSoon { wait, .. }) => *wait,
            RestError::Keys(keys) if keys.may_pass() => Duration::from_secs(1),
            RestError::Transport { .. } | RestError::Unreadable { .. } | RestError::TooSlow { .. } => {
                tries += 1;
                Duration::from_secs(1)
            }
            RestError::Refused { code, .. } => {
                lock(shared).reached = Instant::now();
                if !matches!(Reaction::to(code), Reaction::Retry | Reaction::SlowDown | Reaction::RenewToken) {
                    return Ended::Failed { error: error.to_string(), is_refusal: true };
                }
                tries += 1;
                Duration::from_secs(1)
            }
            RestError::Keys(_) | RestError::NoAppKey(_) => return Ended::Fatal(error.to_string()),
            _ => return Ended::Failed { error: error.to_string(), is_refusal: false },
        };
        let unreached = lock(shared).reached.elapsed();
        if unreached > job.patience {
            return Ended::Fatal(out_of_patience(&error, unreached.as_secs()));
        }
        if tries >= TRIES_MAX {
            return Ended::Failed { error: error.to_string(), is_refusal: false };
        }
        pause(wait.min(WAIT_MAX), job.stop);
    }
}

/// What is kept of trades that can't be had any more.
fn kept(folder: &mut Folder, at: usize, path: &Path) -> Result<String, StateError> {
    // The program may have ended between a file and its note.
    if !folder.done().contains_key(&at) && !folder.note_found(at, path)? {
        return Ok("none are kept".to_owned());
    }
    let until = folder.done().get(&at).and_then(|done| done.until).filter(|until| *until > 0);
    Ok(until.map_or("those of an earlier run are kept".to_owned(), |until| {
        format!("those up to {} are kept", kst::time_text(until))
    }))
}

/// Why a download ends that got no answer for so long.
fn out_of_patience(error: &RestError, seconds: u64) -> String {
    match error {
        // A turn or a key was waited for, not the server.
        RestError::TooSlow { .. } | RestError::Keys(KeyError::TooSoon { .. } | KeyError::Busy { .. }) => {
            format!("no call could be made for {seconds} s: {error}")
        }
        _ => format!("the server was out of reach for {seconds} s, at last: {error}"),
    }
}

/// Waits, unless the program is to end.
fn pause(wait: Duration, stop: &AtomicBool) {
    let until = Instant::now() + wait;
    // Relaxed: a flag alone.
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(SLICE));
    }
}

/// Keeps a unit's rows and notes it as done, or why it is not.
#[expect(clippy::too_many_arguments, reason = "the state of one loop")]
fn settle(
    job: &Job<'_>,
    at: usize,
    ended: Ended,
    shared: &Mutex<Shared<'_>>,
    files: &Path,
    halt: &AtomicBool,
    resumed: usize,
    progress: &(dyn Fn(Progress) + Sync),
) {
    let Some(unit) = job.plan.units.get(at) else { return };
    let symbol = || job.request.symbols.get(unit.symbol).cloned().unwrap_or_default();
    let end_all = |shared: &mut Shared<'_>, error: String| {
        shared.outcome.fatal.get_or_insert(error);
        // Relaxed: a flag alone.
        halt.store(true, Ordering::Relaxed);
    };
    match ended {
        Ended::Stopped => return,
        Ended::Fatal(error) => return end_all(&mut lock(shared), error),
        Ended::Done(walked) => {
            // The file first, outside of the lock: workers wait for the disk side by side.
            let kept = keep(&files.join(job.plan.path(job.request, unit)), job.request, unit, &walked.rows);
            let mut shared = lock(shared);
            let rows = walked.rows.len() as u64;
            let noted = kept.map_err(Trouble::from).and_then(|bytes| {
                let done = Done { unit: at, rows, bytes, until: walked.until, missing: walked.missing };
                shared.folder.note(done).map_err(Trouble::from)
            });
            if let Err(trouble) = noted {
                return end_all(&mut shared, trouble.to_string());
            }
            shared.reached = Instant::now();
            shared.refusals.remove(&unit.symbol);
            shared.outcome.units += 1;
            shared.outcome.rows += rows;
        }
        Ended::Failed { error, is_refusal } => {
            let mut shared = lock(shared);
            if is_refusal {
                *shared.refusals.entry(unit.symbol).or_default() += 1;
            }
            let was_left_alone = shared.refusals.get(&unit.symbol).copied().unwrap_or(0) > REFUSALS_MAX;
            let failure = shared.outcome.failures.entry(symbol()).or_insert(Failure { units: 0, error: String::new() });
            failure.units += 1;
            if !was_left_alone || failure.error.is_empty() {
                failure.error = error;
            }
        }
    }
    let shared = lock(shared);
    let failed: usize = shared.outcome.failures.values().map(|failure| failure.units).sum();
    let units = resumed + shared.outcome.units + failed;
    let rows = shared.outcome.rows;
    drop(shared);
    progress(Progress { units, rows });
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    State(#[from] StateError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_for_a_turn_or_a_key_is_not_told_that_the_server_was_away() {
        let busy = RestError::Keys(KeyError::Busy { path: "lock".into() });
        let soon = RestError::Keys(KeyError::TooSoon { kind: "token", wait: Duration::from_secs(60) });
        for error in [RestError::TooSlow { what: "quote".to_owned(), seconds: 600 }, soon, busy] {
            assert_eq!(out_of_patience(&error, 301), format!("no call could be made for 301 s: {error}"));
        }
        let away = RestError::Transport { what: "quote".to_owned(), message: "refused".to_owned() };
        assert!(out_of_patience(&away, 301).starts_with("the server was out of reach for 301 s"));
    }
}
