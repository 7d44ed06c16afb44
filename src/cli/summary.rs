//! A run's figures, for people and for scripts: what `demo` and `run` print while they go and when they end.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

use super::units::{count, nanos};
use crate::engine::Summary;
use crate::metrics::Counter;
use crate::tick::RejectReason;

/// The latency part of the JSON object: `p50`, `p90`, `p99`, `p999`, `max` of each stage, ns.
pub fn latency_json(summary: &Summary) -> Value {
    let mut object = Map::new();
    for (latency, values) in &summary.latency {
        let quantiles =
            json!({ "p50": values.p50, "p90": values.p90, "p99": values.p99, "p999": values.p999, "max": values.max });
        object.insert(latency.name().to_owned(), quantiles);
    }
    Value::Object(object)
}

/// Rejects by reason, those that occurred.
pub fn rejects_json(summary: &Summary) -> Value {
    let mut object = Map::new();
    for reason in RejectReason::ALL {
        let rejects = summary.counters.rejects(*reason);
        if rejects > 0 {
            object.insert(reason.name().to_owned(), rejects.into());
        }
    }
    Value::Object(object)
}

/// What a run recorded, where its stages ran, and their latencies.
pub fn say_recorded(summary: &Summary, frames: u64, records: u64, placement: &str) {
    say!("recorded  {:>12} frames {:>12} records   (the journal)", count(frames), count(records));
    say!(
        "rejects {}, gaps {}, stalls {}",
        summary.get(Counter::Rejects),
        summary.get(Counter::Gaps),
        summary.get(Counter::Stalls)
    );
    say!("placement: {placement}");
    say!("{}", latency_table(summary));
}

/// The table of stages and their latencies.
fn latency_table(summary: &Summary) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header(["latency", "p50", "p90", "p99", "p99.9", "max"]);
    for (latency, values) in &summary.latency {
        let name = latency.name().replace("_to_", " → ");
        table.add_row([
            name,
            nanos(values.p50),
            nanos(values.p90),
            nanos(values.p99),
            nanos(values.p999),
            nanos(values.max),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One line on stderr that is overwritten on a terminal, or a line every ten seconds where there is none.
#[derive(Debug, Default)]
pub struct ProgressLine {
    shown_at: Option<Duration>,
    open: bool,
}

impl ProgressLine {
    /// Shows the state after `elapsed`.
    pub fn show(&mut self, elapsed: Duration, head: &str, summary: &Summary) {
        let terminal = std::io::stderr().is_terminal();
        let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if self.shown_at.is_some_and(|at| elapsed < at + pause) {
            return;
        }
        self.shown_at = Some(elapsed);
        let (_, all) = summary.latency[3];
        let text = format!(
            "{head}  frames {}  records {}  rejects {}  gaps {}  kernel → committed p50 {} p99 {}",
            count(summary.get(Counter::FramesReceived)),
            count(summary.get(Counter::RecordsJournaled)),
            summary.get(Counter::Rejects),
            summary.get(Counter::Gaps),
            nanos(all.p50),
            nanos(all.p99),
        );
        let mut stderr = std::io::stderr().lock();
        // Progress that can't be shown is not worth stopping for.
        let _ = if terminal { write!(stderr, "\r\x1b[2K{text}") } else { writeln!(stderr, "{text}") };
        let _ = stderr.flush();
        self.open = terminal;
    }

    /// Ends the line.
    pub fn finish(&mut self) {
        if std::mem::take(&mut self.open) {
            eprintln!();
        }
    }
}
