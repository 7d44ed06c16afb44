//! The report for people. Colour is left out by itself when the output is no terminal, and when NO_COLOR is set.

use std::fmt::Write;

use comfy_table::{Cell, CellAlignment, Color, LineStyle, Table, TableStyle};

use crate::cli::units;
use crate::metrics::{ConnectionState, Counter, Health, Latency, LatencySet, ThreadCounters, Unit};

use super::report::{RATES, RINGS, Report};

/// A line below the heads and no other: live figures should fit on a screen.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Shown even when zero: that there is none is the news.
const ALWAYS: [Counter; 5] =
    [Counter::Gaps, Counter::MissingQty, Counter::Rejects, Counter::Stalls, Counter::InboxFull];

/// No fault if they grow.
const HARMLESS: [Counter; 19] = [
    Counter::ControlFrames,
    Counter::Reads,
    Counter::RawJournaledBytes,
    Counter::Pings,
    Counter::Pingpongs,
    Counter::DateInferred,
    Counter::Instruments,
    Counter::ServiceRecordsJournaled,
    Counter::JournaledBytes,
    Counter::InboxDrained,
    Counter::SegmentRolls,
    Counter::Connects,
    Counter::RegistrationsSent,
    Counter::StagesParked,
    Counter::CalendarChecks,
    Counter::NoticesKept,
    Counter::ReaderCycleNsMax,
    Counter::ParserCycleNsMax,
    Counter::JournalCycleNsMax,
];

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = head(&mut out, report);
    let _ = write!(out, "\n{}", rates(report));
    let _ = write!(out, "\n\n{}", latencies(report));
    let _ = write!(out, "\n\n{}", counters(report));
    for (title, table) in [("connections", connections(report)), ("journal", streams(report))] {
        if let Some(table) = table {
            let _ = write!(out, "\n\n{title}\n{table}");
        }
    }
    out
}

fn head(out: &mut String, report: &Report) -> std::fmt::Result {
    let snapshot = &report.snapshot;
    let uptime = units::nanos(report.uptime_ns());
    let folder = report.folder.display();
    let pid = snapshot.pid;
    match report.health {
        Health::Running => writeln!(out, "{folder}: engine running, pid {pid}, up {uptime}")?,
        Health::Stopped { age_ns } => writeln!(
            out,
            "{folder}: engine NOT RUNNING, stopped in order {} ago after {uptime}; figures are final",
            units::nanos(age_ns)
        )?,
        Health::Silent { age_ns } => writeln!(
            out,
            "{folder}: engine SILENT for {} (pid {pid} is there but suspended or starved); figures are that old",
            units::nanos(age_ns)
        )?,
        Health::Dead { age_ns } => writeln!(
            out,
            "{folder}: engine NOT RUNNING, killed or crashed (pid {pid} is gone); last sign of life {} ago, after {uptime}",
            units::nanos(age_ns)
        )?,
    }
    let parked = |thread: &&ThreadCounters| thread.values.get(Counter::StagesParked) == 1;
    let parked: Vec<&str> = snapshot.threads.iter().filter(parked).map(|thread| thread.name.as_str()).collect();
    if !parked.is_empty() && report.health == Health::Running {
        writeln!(out, "  parked until a session is near: {}", parked.join(", "))?;
    }
    for (key, value) in &snapshot.info {
        writeln!(out, "  {key}: {value}")?;
    }
    write!(out, "{}", super::disk::text(&report.disk))?;
    Ok(())
}

fn rates(report: &Report) -> Table {
    let window = window_name(report);
    let mut table = table(&["traffic", &window, "total", "ring high water"]);
    for (index, counter) in RATES.into_iter().enumerate() {
        let total = report.snapshot.counters.get(counter);
        let (rate, total) = match counter.unit() {
            Unit::Bytes => (format!("{}/s", units::bytes(report.rates[index] as u64)), units::bytes(total)),
            _ => (units::rate(report.rates[index]), units::count(total)),
        };
        let ring = match counter {
            Counter::FramesReceived => ring(report, 0),
            Counter::RecordsDecoded => ring(report, 1),
            _ => Cell::new(""),
        };
        table.add_row(vec![Cell::new(label(counter.name())), right(rate), right(total), ring]);
    }
    table
}

fn ring(report: &Report, index: usize) -> Cell {
    let (name, high_water, capacity) = RINGS[index];
    let (high_water, capacity) = (report.snapshot.counters.get(high_water), report.snapshot.counters.get(capacity));
    if capacity == 0 {
        return Cell::new("");
    }
    let percent = high_water as f64 * 100.0 / capacity as f64;
    let cell = right(format!("{name}: {} of {} ({percent:.0} %)", units::bytes(high_water), units::bytes(capacity)));
    match percent {
        90.0.. => cell.fg(Color::Red),
        50.0.. => cell.fg(Color::Yellow),
        _ => cell,
    }
}

fn latencies(report: &Report) -> Table {
    let mut table = table(&["latency", "of", "p50", "p90", "p99", "p99.9", "max", "samples"]);
    let window = window_name(report);
    for latency in Latency::ALL {
        let name = label(latency.name()).replace(" to ", " → ");
        if !report.is_since_start {
            table.add_row(latency_row(&name, &window, report.window_latencies.as_ref(), latency));
        }
        let name = if report.is_since_start { name.as_str() } else { "" };
        table.add_row(latency_row(name, "since start", report.snapshot.latencies.as_ref(), latency));
    }
    table
}

fn latency_row(name: &str, window: &str, set: Option<&LatencySet>, latency: Latency) -> Vec<Cell> {
    let mut row = vec![Cell::new(name), Cell::new(window)];
    match set.map(|set| set.summary(latency)) {
        Some(summary) if summary.count > 0 => {
            let values = [summary.p50, summary.p90, summary.p99, summary.p999, summary.max];
            row.extend(values.map(|ns| right(units::nanos(ns))));
            row.push(right(units::count(summary.count)));
        }
        Some(_) => row.extend(["", "", "", "", "", "0"].map(right)),
        None => row.extend(["?"; 6].map(right)),
    }
    row
}

fn counters(report: &Report) -> Table {
    let mut table = table(&["counter", "value", "which"]);
    let values = &report.snapshot.counters;
    let is_elsewhere =
        |counter| RATES.contains(&counter) || RINGS.iter().any(|(_, mark, size)| counter == *mark || counter == *size);
    for counter in Counter::ALL.iter().copied().filter(|counter| !is_elsewhere(*counter)) {
        let value = values.get(counter);
        if value == 0 && !ALWAYS.contains(&counter) {
            continue;
        }
        let text = match counter.unit() {
            Unit::Bytes => units::bytes(value),
            Unit::Nanoseconds => units::nanos(value),
            Unit::Count | Unit::Quantity => units::count(value),
        };
        let cell = match (value, HARMLESS.contains(&counter)) {
            (0, _) => right(text).fg(Color::Green),
            (_, true) => right(text),
            (_, false) => right(text).fg(Color::Yellow),
        };
        let which = if counter == Counter::Rejects { list(report.rejects()) } else { String::new() };
        table.add_row(vec![Cell::new(label(counter.name())), cell, Cell::new(which)]);
    }
    let findings = list(report.findings());
    if !findings.is_empty() {
        table.add_row(vec![Cell::new("findings"), Cell::new(""), Cell::new(findings)]);
    }
    table
}

fn connections(report: &Report) -> Option<Table> {
    let lines = &report.snapshot.connections;
    let heads = ["line", "to", "state", "for", "registered", "last message", "frames", "bytes", "reconnects"];
    let mut table = table(&heads);
    for line in lines {
        let state = line.state.map_or("?", ConnectionState::name);
        let color = match line.state {
            Some(ConnectionState::Live) => Color::Green,
            Some(ConnectionState::Closed | ConnectionState::BackingOff) | None => Color::Red,
            Some(_) => Color::Yellow,
        };
        let ago = |ns: u64| units::nanos(report.now_ns.saturating_sub(ns));
        let last = if line.last_message_ns == 0 { "none yet".to_owned() } else { ago(line.last_message_ns) + " ago" };
        table.add_row(vec![
            right(line.line),
            Cell::new(&line.label),
            Cell::new(label(state)).fg(color),
            right(ago(line.since_ns)),
            right(format!("{} of {}", line.confirmed, line.wanted)),
            right(last),
            right(units::count(line.frames)),
            right(units::bytes(line.bytes)),
            right(units::count(line.reconnects)),
        ]);
    }
    (!lines.is_empty()).then_some(table)
}

fn streams(report: &Report) -> Option<Table> {
    let mut table = table(&["stream", "segments", "on disk", "durability", "durable to", "syncs"]);
    for stream in &report.streams {
        let durable = stream.durable.as_ref();
        let syncs = durable.map(|durable| match durable.errno() {
            Some(errno) => format!("{}: {}", durable.sync.name(), std::io::Error::from_raw_os_error(errno)),
            None => durable.sync.name().to_owned(),
        });
        table.add_row(vec![
            Cell::new(&stream.name),
            right(units::count(stream.segments)),
            right(units::bytes(stream.bytes)),
            Cell::new(durable.map_or("-", |durable| &durable.durability)),
            right(durable.map_or_else(|| "-".to_owned(), |durable| units::count(durable.sequence))),
            Cell::new(syncs.as_deref().unwrap_or("-")),
        ]);
    }
    (!report.streams.is_empty()).then_some(table)
}

fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    table.set_header(heads.iter().map(Cell::new));
    table
}

fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A name of the library for people; its unit stands with the value.
fn label(name: &str) -> String {
    let name = name.replace("_cycle_ns_max", "_longest_cycle");
    name.strip_suffix("_ns").unwrap_or(&name).replace('_', " ")
}

fn list(pairs: impl Iterator<Item = (&'static str, u64)>) -> String {
    pairs.map(|(name, count)| format!("{name} {}", units::count(count))).collect::<Vec<_>>().join(", ")
}

fn window_name(report: &Report) -> String {
    if report.is_since_start { "since start".to_owned() } else { format!("last {}", units::nanos(report.window_ns)) }
}
