//! A run's figures, for people and for scripts: what `demo` and `run` print while they go and when they end.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

use crate::engine::Summary;
use crate::metrics::Counter;
use crate::tick::RejectReason;

/// Nanoseconds as people read them: `830 ns`, `4.2 µs`, `1.3 ms`.
pub fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// A whole number with thousands apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The latency part of the JSON object: `p50`, `p90`, `p99`, `p999`, `max` of each stage, ns.
pub fn latency_json(summary: &Summary) -> Value {
    let mut object = Map::new();
    for (latency, values) in &summary.latency {
        let quantiles = json!({ "p50": values.p50, "p90": values.p90, "p99": values.p99, "p999": values.p999, "max": values.max });
        object.insert(latency.name().to_owned(), quantiles);
    }
    Value::Object(object)
}

/// Rejects by reason, those that occurred.
pub fn rejects_json(summary: &Summary) -> Value {
    let mut object = Map::new();
    for reason in RejectReason::ALL {
        let count = summary.counters.rejects(*reason);
        if count > 0 {
            object.insert(reason.name().to_owned(), count.into());
        }
    }
    Value::Object(object)
}

/// The table of stages and their latencies.
pub fn latency_table(summary: &Summary) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(["latency", "p50", "p90", "p99", "p99.9", "max"]);
    for (latency, values) in &summary.latency {
        let name = latency.name().replace("_to_", " → ");
        table.add_row([
            name,
            duration(values.p50),
            duration(values.p90),
            duration(values.p99),
            duration(values.p999),
            duration(values.max),
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
            grouped(summary.get(Counter::FramesReceived)),
            grouped(summary.get(Counter::RecordsJournaled)),
            summary.get(Counter::Rejects),
            summary.get(Counter::Gaps),
            duration(all.p50),
            duration(all.p99),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_counts_read_well() {
        assert_eq!(duration(830), "830 ns");
        assert_eq!(duration(4_230), "4.2 µs");
        assert_eq!(duration(1_300_000), "1.3 ms");
        assert_eq!(duration(2_500_000_000), "2.50 s");
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
    }
}
