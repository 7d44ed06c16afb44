//! `hoga repair`: puts a damaged journal in order, in place.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output;
use super::progress::JournalBar;
use super::units::{bytes, count};
use super::verify;
use crate::journal::Verdict;
use crate::journal::rebuild::Loss;
use crate::journal::repair::{Action, ActionKind, Policy, RepairError, RepairReport, repair};

/// Puts a damaged journal in order, in place; never destroys a byte.
///
/// What is taken out is moved to `quarantine/` first, whole, with a `.json` beside it that says why. Policies:
///
///   cut    put torn tails in order, as opening the journal for writing would; damage to committed records stays
///   skip   and write damaged segments anew: all their valid records, and a `hole` record where others are lost
///   abort  change nothing, say what there is to do
///
/// Run twice it does nothing the second time; interrupted it is started again. The recorder must not be running.
/// `hoga recover` leaves the journal as it is and writes a new one.
///
/// Exit status: 0 the journal is good (with abort: there is no damage), 1 damage remains, 2 no journal there, or it is
/// being written.
///
/// Examples:
///   hoga repair journal --policy abort
///   hoga repair journal --policy skip --json | jq '.actions[].losses[]'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Folder of the journal.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// What may be done.
    #[arg(long, value_enum, default_value_t)]
    policy: PolicyName,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// A policy by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum PolicyName {
    /// Put torn tails in order
    #[default]
    Cut,
    /// And cut out what is damaged
    Skip,
    /// Change nothing
    Abort,
}

/// Runs the subcommand.
pub fn run(args: Args) -> ExitCode {
    let policy = match args.policy {
        PolicyName::Cut => Policy::Cut,
        PolicyName::Skip => Policy::Skip,
        PolicyName::Abort => Policy::Abort,
    };
    let mut bar = JournalBar::new("repair");
    let report = repair(&args.dir, policy, |stream, ordinal, done, total| bar.at(stream, ordinal, done, total));
    drop(bar);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("hoga repair: {error}");
            let wrong_use = match &error {
                RepairError::Verify(error) => verify::is_wrong_use(error),
                RepairError::Live { .. } | RepairError::Maintained(_) => true,
                _ => false,
            };
            return ExitCode::from(if wrong_use { 2 } else { 1 });
        }
    };
    let mut out = Vec::new();
    if args.json {
        out.extend_from_slice(to_json(&report, args.policy).to_string().as_bytes());
        out.push(b'\n');
    } else {
        write_text(&mut out, &report, policy);
    }
    if let Err(code) = output::write(&out) {
        return code;
    }
    ExitCode::from(u8::from(report.after.state == Verdict::Corrupt))
}

fn to_json(report: &RepairReport, policy: PolicyName) -> Value {
    let action = |action: &Action| {
        json!({
            "file": action.file,
            "action": action.kind.name(),
            "reason": action.reason,
            "quarantine": action.quarantine,
            "records": action.records,
            "mended": action.mended,
            "losses": action.losses.iter().map(loss_json).collect::<Vec<_>>(),
        })
    };
    let policy = match policy {
        PolicyName::Cut => "cut",
        PolicyName::Skip => "skip",
        PolicyName::Abort => "abort",
    };
    json!({
        "state": report.after.state.name(),
        "state_before": report.before.state.name(),
        "policy": policy,
        "lost_records": report.actions.iter().flat_map(|action| &action.losses).map(Loss::records).sum::<u64>(),
        "actions": report.actions.iter().map(action).collect::<Vec<_>>(),
        "before": verify::to_json(&report.before),
        "after": verify::to_json(&report.after),
    })
}

/// A loss as JSON, as `repair` and `recover` print it.
pub(super) fn loss_json(loss: &Loss) -> Value {
    json!({
        "segment": loss.segment,
        "offset": loss.offset,
        "bytes": loss.bytes,
        "first_sequence": loss.first_sequence,
        "last_sequence": loss.last_sequence,
        "records": loss.records(),
        "reason": loss.reason.name(),
        "instruments": loss.instruments,
    })
}

/// A loss in words.
pub(super) fn write_loss(out: &mut Vec<u8>, loss: &Loss) {
    let place = match loss.offset {
        Some(offset) => format!("{} of {} at {offset}", bytes(loss.bytes), loss.segment),
        None => format!("all of {}", loss.segment),
    };
    let what = match loss.records() {
        0 => "no record known".to_owned(),
        1 => format!("record {}", loss.first_sequence),
        records => format!("{} records, {} to {}", count(records), loss.first_sequence, loss.last_sequence),
    };
    // Writing to a `Vec` can't fail.
    let _ = write!(out, "  lost: {what} ({place}, {})", loss.reason.name());
    if !loss.instruments.is_empty() {
        let _ = write!(out, "; the damaged bytes name {}", loss.instruments.join(", "));
    }
    out.push(b'\n');
}

fn write_text(out: &mut Vec<u8>, report: &RepairReport, policy: Policy) {
    let would = if policy == Policy::Abort { "would be " } else { "" };
    for action in &report.actions {
        let what = match action.kind {
            ActionKind::Cut => "cut and ended",
            ActionKind::Rebuild => "written anew",
            ActionKind::Fill => "made with a hole in it",
            ActionKind::Control => "put in order",
            ActionKind::Index => "taken away: readers make their own",
            ActionKind::KeepPacked => "put away: the compressed form stays",
            ActionKind::SeekTable => "compressed anew with a seek table",
        };
        let _ = writeln!(out, "{}: {would}{what} ({})", action.file, action.reason);
        if action.kind == ActionKind::Rebuild && policy != Policy::Abort {
            let mended = match action.mended {
                0 => String::new(),
                mended => format!(", {mended} of them with a damaged length"),
            };
            let _ = writeln!(out, "  kept: {} records{mended}", count(action.records));
        }
        for loss in &action.losses {
            write_loss(out, loss);
        }
        if let Some(quarantine) = &action.quarantine {
            let _ = writeln!(out, "  the bytes as they were: {quarantine}");
        }
    }
    if report.actions.is_empty() {
        let _ = writeln!(out, "nothing to do");
    }
    if report.after.state == Verdict::Corrupt && policy != Policy::Abort {
        for finding in report.after.streams.iter().flat_map(|(_, stream)| &stream.findings) {
            let _ = writeln!(out, "remains: {} at {}: {}", finding.segment, finding.offset, finding.reason);
        }
        if policy == Policy::Cut {
            let _ = writeln!(
                out,
                "`hoga repair --policy skip` cuts out what is damaged; `hoga recover` writes a new journal"
            );
        }
    }
    let _ = writeln!(out, "{}", report.after.state.name());
}
