//! Progress bars of long work: on stderr, and only where someone looks on.

use std::time::Duration;

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
