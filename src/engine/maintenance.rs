//! Maintenance: days that are over are sealed, compressed and deleted as configured. Cold: a thread of the lowest
//! priority that looks once a minute whether the day has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use crate::config::RetentionSection;
use crate::journal::{Policy, SealError, SealFault, SealOptions, SealReport, prune, seal_into};
use crate::metrics::{Counter, Counters};

/// Between two looks at the flag that ends it.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the end of a day is waited for before that is said.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// The thread. Dropping it stops and joins it; a segment half compressed is left for the next run.
#[derive(Debug)]
pub(super) struct Maintenance {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts it, unless nothing is to be done. `date` is the trading date, decimal YYYYMMDD; `every` the time between
    /// two attempts.
    pub(super) fn start(
        dir: &Path,
        config: RetentionSection,
        date: Arc<AtomicU32>,
        every: Duration,
        counters: Counters,
    ) -> std::io::Result<Option<Maintenance>> {
        if !config.seal {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let dir = dir.to_owned();
        let thread = std::thread::Builder::new().name("hoga-maintain".into()).spawn(move || {
            crate::sys::priority::lowest_of_thread();
            let mut round = Round { dir, config, counters, done_for: 0, waiting: None, damaged: Vec::new() };
            let mut next = Instant::now();
            // Relaxed: a flag and a date alone.
            while !stopped.load(Ordering::Relaxed) {
                if Instant::now() >= next {
                    round.run(date.load(Ordering::Relaxed), &stopped);
                    next = Instant::now() + every;
                }
                std::thread::sleep(PAUSE);
            }
        })?;
        Ok(Some(Maintenance { stop, thread: Some(thread) }))
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by it; recording does not depend on it.
            let _ = thread.join();
        }
    }
}

struct Round {
    dir: PathBuf,
    config: RetentionSection,
    counters: Counters,
    /// The trading date for which everything before was seen to.
    done_for: u32,
    /// Since when something is waited for, with the date; `None` in it: that was said.
    waiting: Option<(u32, Option<Instant>)>,
    /// Damaged manifests, as they were last told of.
    damaged: Vec<String>,
}

impl Round {
    /// Sees to the days before a date, until that is done.
    fn run(&mut self, date: u32, stop: &AtomicBool) {
        if date == self.done_for {
            return;
        }
        let Some(today) = crate::market::kst::date_of(date) else { return };
        match self.attempt(today, stop) {
            Ok(()) => self.done_for = date,
            Err(_) if stop.load(Ordering::Relaxed) => {}
            // The other stream changes to the new day with its next record; a command may hold the lock.
            Err(error @ (SealError::NotOver { .. } | SealError::Locked(_))) => {
                if self.is_late(date, Instant::now()) {
                    tracing::warn!(%error, "days that are over can't be sealed yet; still trying");
                }
            }
            Err(SealError::NoSuchDay { .. }) => self.done_for = date,
            Err(error) => {
                self.counters.add(Counter::MaintenanceFailures, 1);
                tracing::error!(%error, "days that are over could not all be sealed or pruned; trying again tomorrow");
                self.done_for = date;
            }
        }
    }

    /// Whether it is time to say that something has been waited for since long; once for a date.
    fn is_late(&mut self, date: u32, now: Instant) -> bool {
        let waiting = self.waiting.filter(|(of, _)| *of == date).unwrap_or((date, Some(now)));
        let is_late = waiting.1.is_some_and(|since| now.duration_since(since) >= PATIENCE);
        self.waiting = Some(if is_late { (date, None) } else { waiting });
        is_late
    }

    /// Says which manifests are damaged, once while they are the same ones.
    fn tell_damaged(&mut self, found: &[(String, SealFault)]) {
        self.counters.set(Counter::ManifestsDamaged, found.len() as u64);
        let names: Vec<String> = found.iter().map(|(file, _)| file.clone()).collect();
        if names != self.damaged {
            for (file, fault) in found {
                tracing::error!(%file, %fault, "a sealed day is left alone: put its manifest back from a copy");
            }
            self.damaged = names;
        }
    }

    fn attempt(&mut self, today: Date, stop: &AtomicBool) -> Result<(), SealError> {
        let before = |days: Span| today.checked_sub(days).unwrap_or(Date::MIN);
        let compress_to = self.config.compress_after_days.map(|days| before(i64::from(days.max(1)).days()));
        let options = SealOptions { compress_to };
        let mut watch = |_| match stop.load(Ordering::Relaxed) {
            true => Err(std::io::ErrorKind::Interrupted.into()),
            false => Ok(()),
        };
        let mut report = SealReport::default();
        let sealed = seal_into(&self.dir, before(1.days()), options, &mut report, &mut watch);
        for (day, segments) in &report.sealed {
            tracing::info!(%day, segments = segments.len(), "sealed");
        }
        if !matches!(sealed, Err(SealError::Locked(_) | SealError::NoJournal(_))) {
            self.tell_damaged(&report.damaged_manifests);
        }
        if stop.load(Ordering::Relaxed) {
            return sealed;
        }
        // Whatever became of the rest: what is sealed goes as configured, or one damaged segment fills the disk.
        let policy = Policy { keep_days: self.config.keep_days, keep_bytes: self.config.keep_bytes };
        if policy != Policy::default() {
            let report = prune(&self.dir, policy, false, |_| {})?;
            for day in &report.pruned {
                tracing::warn!(day = %day.day, bytes = day.bytes, why = day.why, "deleted, as configured");
            }
        }
        sealed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Journal, JournalConfig, Verdict, verify};
    use crate::metrics::{Collector, Metrics};
    use crate::tick::{RType, Trade, words_of};

    fn append(journal: &mut Journal, count: usize) {
        for _ in 0..count {
            let mut trade = Trade::UNDEF;
            trade.header.length = size_of::<Trade>() as u32;
            trade.header.rtype = RType::Trade as u8;
            journal.ticks.append(words_of(&mut trade)).unwrap();
        }
    }

    /// The thread, ten times in a tenth of a second, and what it counts.
    fn start(dir: &Path, retention: RetentionSection, date: &Arc<AtomicU32>) -> (Maintenance, (Metrics, Collector)) {
        let (metrics, collector) = Metrics::create(dir, &[]).unwrap();
        let counters = metrics.counters("maintenance").unwrap();
        let every = Duration::from_millis(10);
        let maintenance = Maintenance::start(dir, retention, Arc::clone(date), every, counters).unwrap().unwrap();
        (maintenance, (metrics, collector))
    }

    fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !there() {
            assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_day_that_is_over_is_sealed_compressed_and_at_last_deleted_while_the_journal_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let config =
            JournalConfig { raw: None, trading_date: 20_261_123, ..JournalConfig::with_segment_bytes(8 << 10) };
        let mut journal = Journal::open(dir, config).unwrap();
        append(&mut journal, 60);
        let date = Arc::new(AtomicU32::new(20_261_123));
        let retention =
            RetentionSection { compress_after_days: Some(1), keep_days: Some(2), ..RetentionSection::default() };
        let (maintenance, _metrics) = start(dir, retention, &date);
        std::thread::sleep(Duration::from_millis(200));
        assert!(!dir.join("seals").exists(), "the day is not over");
        for (today, over) in [(20_261_124, "2026-11-23"), (20_261_125, "2026-11-24")] {
            date.store(today, Ordering::Relaxed);
            journal.ticks.set_trading_date(today).unwrap();
            append(&mut journal, 60);
            wait_for(over, || dir.join(format!("seals/{over}.json")).exists());
        }
        wait_for("compressed", || {
            !dir.join("ticks/0000000001.seg").exists() && !dir.join("ticks/0000000001.seg.zst").exists()
        });
        let log = std::fs::read_to_string(dir.join("audit.log")).unwrap();
        assert!(log.contains("\"day\":\"2026-11-23\"") && log.contains("keep_days 2"), "{log}");
        wait_for("compressed", || {
            std::fs::read_dir(dir.join("ticks"))
                .unwrap()
                .any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".seg.zst"))
        });
        drop(maintenance);
        journal.close().unwrap();
        assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    }

    #[test]
    fn a_damaged_manifest_is_counted_and_its_day_left_alone_while_the_others_are_sealed_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let config =
            JournalConfig { raw: None, trading_date: 20_261_123, ..JournalConfig::with_segment_bytes(8 << 10) };
        let mut journal = Journal::open(dir, config).unwrap();
        let date = Arc::new(AtomicU32::new(20_261_123));
        let retention = RetentionSection { keep_days: Some(2), ..RetentionSection::default() };
        let (maintenance, (_metrics, mut collector)) = start(dir, retention, &date);
        let manifest = |day: u32| dir.join(format!("seals/2026-11-{day}.json"));
        let mut rotten = Vec::new();
        for day in 23..=27 {
            date.store(20_261_100 + day, Ordering::Relaxed);
            journal.ticks.set_trading_date(20_261_100 + day).unwrap();
            append(&mut journal, 60);
            if day > 23 && day != 25 {
                wait_for("sealed", || manifest(day - 1).exists());
            } else if day == 25 {
                // The newest there is: the next seal follows from what it said.
                wait_for("sealed", || manifest(24).exists());
                rotten = std::fs::read(manifest(24)).unwrap();
                let at = rotten.len() / 2;
                rotten[at] ^= 1;
                std::fs::write(manifest(24), &rotten).unwrap();
            }
        }
        let counted = |collector: &mut Collector| {
            collector.poll();
            let counters = crate::metrics::MetricsReader::open(dir).unwrap().snapshot().unwrap().counters;
            (counters.get(Counter::ManifestsDamaged), counters.get(Counter::MaintenanceFailures) > 0)
        };
        wait_for("counted", || counted(&mut collector) == (1, true));
        drop(maintenance);
        assert_eq!(std::fs::read(manifest(24)).unwrap(), rotten, "left alone");
        assert!(!dir.join("ticks/0000000001.seg").exists(), "the day before it is deleted");
        journal.close().unwrap();
        let findings = verify(dir, |_, _, _, _| {}).unwrap().streams.remove(0).1.findings;
        assert!(findings.len() == 1 && findings[0].segment == "seals/2026-11-24.json", "{findings:?}");
        // Put back it fits: the seal behind it was made from the same bytes.
        let at = rotten.len() / 2;
        rotten[at] ^= 1;
        std::fs::write(manifest(24), &rotten).unwrap();
        assert_eq!(verify(dir, |_, _, _, _| {}).unwrap().state, Verdict::Clean);
    }

    #[test]
    fn waiting_for_hours_is_said_once_a_day() {
        let config = RetentionSection::default();
        let folder = tempfile::tempdir().unwrap();
        let (metrics, _collector) = Metrics::create(folder.path(), &[]).unwrap();
        let counters = metrics.counters("maintenance").unwrap();
        let (dir, damaged) = (PathBuf::new(), Vec::new());
        let mut round = Round { dir, config, counters, done_for: 0, waiting: None, damaged };
        let begin = Instant::now();
        let said = |round: &mut Round, date, hours: u64| round.is_late(date, begin + Duration::from_secs(hours * 3600));
        assert_eq!([0, 2, 4, 5].map(|hours| said(&mut round, 1, hours)), [false, false, true, false]);
        assert_eq!([6, 8, 10].map(|hours| said(&mut round, 2, hours)), [false, false, true]);
    }

    #[test]
    fn nothing_is_deleted_by_default() {
        let section = RetentionSection::default();
        assert!(section.seal && section.compress_after_days.is_none());
        assert!(section.keep_days.is_none() && section.keep_bytes.is_none());
    }
}
