//! What every subcommand reads: which journals, and which of their records.

use std::path::PathBuf;

/// Journals and filters.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Source {
    /// Folders of journals, or folders of days (2026-11-23 or 20261123) that hold a journal each.
    #[arg(value_name = "DIR", required = true)]
    pub(super) dirs: Vec<PathBuf>,
    /// Only records of this symbol, e.g. 005930; may be given several times.
    #[arg(long, value_name = "SYMBOL")]
    pub(super) symbol: Vec<String>,
    /// Only records of this kind, e.g. trade, book, gap, session; may be given several times.
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Vec<String>,
    /// Only records of this venue, e.g. KRX, NXT; may be given several times.
    #[arg(long, value_name = "VENUE")]
    pub(super) venue: Vec<String>,
    /// From this time on (KST: 2026-11-23T09:00, 2026-11-23, or 09:00 of each journal's day), or this sequence.
    #[arg(long, value_name = "TIME|SEQUENCE")]
    pub(super) from: Option<String>,
    /// To before this time (a date alone: to its end), or to this sequence, itself included.
    #[arg(long, value_name = "TIME|SEQUENCE")]
    pub(super) to: Option<String>,
}
