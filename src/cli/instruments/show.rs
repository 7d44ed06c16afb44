//! Instruments and their changes as tables and JSON.

use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle};
use serde_json::{Value, json};

use crate::feed::kis::masters::{Change, Changed, Masters};
use crate::market::security::Security;
use crate::tick::{PX_SCALE, write_px};

pub(super) fn json(masters: &Masters, rows: &[&Security]) -> String {
    let row = |security: &&Security| {
        let limits = security.limits(masters.date());
        json!({
            "code": security.code,
            "isin": security.isin,
            "name": security.name,
            "name_en": security.name_en,
            "market": security.board.name(),
            "kind": security.kind.name(),
            "sector": masters.sector(security),
            "base_px": px_json(security.base_px),
            "upper_px": limits.map(|limits| limits.upper),
            "lower_px": limits.map(|limits| limits.lower),
            "tick_size": px_json(security.tick_size(masters.date())),
            "halted": security.is_halted,
            "cautions": security.cautions.names().collect::<Vec<_>>(),
            "nxt": masters.on_nextrade(security),
        })
    };
    format!("{}\n", Value::Array(rows.iter().map(row).collect()))
}

pub(super) fn table(masters: &Masters, rows: &[&Security]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table =
        new_table(&["code", "name", "market", "kind", "sector", "base", "lower", "upper", "tick", "nxt", "state"]);
    for security in rows {
        let limits = security.limits(masters.date());
        let won = |price: Option<u64>| price.map(|price| price.to_string()).unwrap_or_default();
        let halted = security.is_halted.then_some("halted");
        let state: Vec<&str> = halted.into_iter().chain(security.cautions.names()).collect();
        table.add_row([
            security.code.to_string(),
            security.name.to_string(),
            security.board.to_string(),
            security.kind.to_string(),
            masters.sector(security).unwrap_or_default().to_owned(),
            px_text(security.base_px),
            won(limits.map(|limits| limits.lower)),
            won(limits.map(|limits| limits.upper)),
            px_text(security.tick_size(masters.date())),
            masters.on_nextrade(security).map_or("?", |trades| if trades { "nxt" } else { "" }).to_owned(),
            state.join(", "),
        ]);
    }
    for column in 5..9 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n", table.trim_fmt())
}

pub(super) fn changes_json(rows: &[&Changed<'_>]) -> String {
    let row = |changed: &&Changed<'_>| {
        let (from, to) = sides(changed);
        json!({
            "change": changed.change.name(),
            "code": changed.security.code,
            "name": changed.security.name,
            "market": changed.security.board.name(),
            "from": from,
            "to": to,
        })
    };
    format!("{}\n", Value::Array(rows.iter().map(row).collect()))
}

pub(super) fn changes_table(rows: &[&Changed<'_>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = new_table(&["change", "code", "name", "market", "from", "to"]);
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    for changed in rows {
        let (from, to) = sides(changed);
        let security = changed.security;
        table.add_row([
            changed.change.name().to_owned(),
            security.code.to_string(),
            security.name.to_string(),
            security.board.to_string(),
            text(from),
            text(to),
        ]);
    }
    format!("{}\n", table.trim_fmt())
}

/// How many of each: `3 listed, 1 halted`.
pub(super) fn change_counts(rows: &[&Changed<'_>]) -> String {
    let count = |name: &str| rows.iter().filter(|changed| changed.change.name() == name).count();
    let counts: Vec<String> = Change::NAMES
        .iter()
        .map(|name| (count(name), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() { "nothing changed".to_owned() } else { counts.join(", ") }
}

/// What it was and what it is. Of sets: what is gone, and what is new.
fn sides(changed: &Changed<'_>) -> (Value, Value) {
    let security = changed.security;
    match &changed.change {
        Change::Listed | Change::Delisted | Change::Halted | Change::Resumed => (Value::Null, Value::Null),
        Change::Renamed { from } => (json!(from), json!(security.name)),
        Change::Moved { from } => (json!(from.name()), json!(security.board.name())),
        Change::Cautions { added, removed } => {
            (json!(removed.names().collect::<Vec<_>>()), json!(added.names().collect::<Vec<_>>()))
        }
        Change::Indices { added, removed } => {
            (json!(removed.names().collect::<Vec<_>>()), json!(added.names().collect::<Vec<_>>()))
        }
        Change::Nextrade { trades } => (json!(!trades), json!(trades)),
        Change::TickSize { from, to } | Change::BasePx { from, to } => (px_json(*from), px_json(*to)),
    }
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn px_text(px: Option<i64>) -> String {
    let mut text = Vec::new();
    if let Some(px) = px {
        write_px(&mut text, px);
    }
    String::from_utf8(text).unwrap_or_default()
}

/// A price as a number. A base price has at most twelve digits, which a double holds and prints as they are.
fn px_json(px: Option<i64>) -> Value {
    match px {
        None => Value::Null,
        Some(px) if px % PX_SCALE == 0 => json!(px / PX_SCALE),
        Some(px) => px_text(Some(px)).parse::<f64>().map_or(Value::Null, |number| json!(number)),
    }
}
