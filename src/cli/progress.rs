//! Progress bars of long work: on stderr, and only where someone looks on.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::journal::Stream;

/// Less than this is done before a bar could be read.
const WORTH_SHOWING: u64 = 64 << 20;

/// A bar over the bytes of a journal's streams. Gone when dropped.
#[derive(Debug)]
pub(super) struct JournalBar {
    bar: ProgressBar,
    stream: Option<Stream>,
}

impl JournalBar {
    /// A bar that says what is being done: `verify`.
    pub(super) fn new(what: &'static str) -> JournalBar {
        // Hidden by itself where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden()).with_prefix(what);
        let style = "{prefix} {msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        JournalBar { bar, stream: None }
    }

    /// Shows where the work is; as a journal's functions tell it.
    pub(super) fn at(&mut self, stream: Stream, ordinal: u64, done: u64, total: u64) {
        if self.stream != Some(stream) {
            self.stream = Some(stream);
            self.bar.reset();
        }
        if total >= WORTH_SHOWING && self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(200));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(format!("{} segment {ordinal}", stream.name()));
    }
}

impl Drop for JournalBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How often a line is written where nobody looks at a bar.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar over the units of a download, shared by threads; lines on stderr where that is no terminal. Gone when dropped.
#[derive(Debug)]
pub(super) struct UnitBar {
    bar: ProgressBar,
    what: &'static str,
    units: usize,
    /// Units at the beginning, then when the last line was written.
    told: Mutex<Option<(usize, Instant, Instant)>>,
    is_terminal: bool,
}

impl UnitBar {
    /// A bar that says what is downloaded, over so many units.
    pub(super) fn new(what: &'static str, units: usize) -> UnitBar {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(units as u64), target).with_prefix(what);
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos} of {len} units, {msg}, {eta} left") {
            bar.set_style(style);
        }
        UnitBar { bar, what, units, told: Mutex::new(None), is_terminal }
    }

    /// Shows how far it is: units, those of earlier runs included, and rows.
    pub(super) fn at(&self, units: usize, rows: u64) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Some((first, began, last)) = told.as_mut() else {
            *told = Some((units, now, now));
            self.bar.set_position(units as u64);
            self.bar.reset_eta();
            if self.is_terminal {
                self.bar.enable_steady_tick(Duration::from_millis(200));
            }
            return;
        };
        self.bar.set_position(units as u64);
        self.bar.set_message(format!("{} rows", super::units::count(rows)));
        if !self.is_terminal && now - *last >= LINE_EVERY {
            *last = now;
            let done = units.saturating_sub(*first).max(1) as f64;
            let left = (now - *began).as_secs_f64() / done * self.units.saturating_sub(units) as f64;
            let left = super::units::nanos((left * 1e9) as u64);
            eprintln!(
                "{}: {units} of {} units, {} rows, {left} left",
                self.what,
                self.units,
                super::units::count(rows)
            );
        }
    }
}

impl Drop for UnitBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
