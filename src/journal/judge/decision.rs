//! What an opening does with what it finds: one table over typed evidence.
//!
//! Recovery and `verify` gather an [`Evidence`] for each segment they look at and ask [`decide`]. Every combination of
//! evidence matches exactly one row of the table (`decision/table.rs`); a test walks them all. The idea behind the rows:
//!
//! - Within one boot of the kernel the page cache has every store in the order it was made. So what a death of the
//!   *process* leaves is at most bytes of one record behind the last committed one, in the newest segment.
//! - Pages that were not synced when the *host* died come back in any mixture of versions. So above the durable mark,
//!   in a segment of another boot, anything may be missing; at or below the mark, nothing. Nor in a sealed or compressed
//!   segment, whatever the mark says: sealing waits for the disk.
//! - Everything else is damage. It is named and left alone: only torn tails are cut without being asked.

mod evidence;
mod table;
#[cfg(test)]
mod tests;

pub(in crate::journal) use self::evidence::{Behind, Circumstances, ControlPage, Evidence, FileFound, HeaderIs, Place};
use self::table::{ANY, TABLE};
use crate::journal::format::HeaderError;
use crate::journal::walk::{Reason, Verdict};

/// What was found, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// Every byte is accounted for.
    Clean,
    /// The process died inside a record; nothing committed is touched.
    TornByProcessDeath,
    /// The host died, or lost its power, with pages not yet on the disk; nothing marked durable is touched.
    TornByHostDeath,
    /// Committed records, or what tells them, are damaged.
    CorruptMiddle,
    /// A file that is no segment stands under a segment's name.
    Foreign,
    /// Written by a newer program.
    NewerVersion,
    /// A segment that must be there is not.
    MissingSegment,
}

impl Case {
    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Case::Clean => "clean",
            Case::TornByProcessDeath => "torn_by_process_death",
            Case::TornByHostDeath => "torn_by_host_death",
            Case::CorruptMiddle => "corrupt_middle",
            Case::Foreign => "foreign",
            Case::NewerVersion => "newer_version",
            Case::MissingSegment => "missing_segment",
        }
    }

    /// What it means for people, in one line.
    pub fn explanation(self) -> &'static str {
        match self {
            Case::Clean => "every byte is accounted for",
            Case::TornByProcessDeath => "the writing process died inside a record; every committed record is there",
            Case::TornByHostDeath => {
                "the host died before everything was on the disk; every record marked durable is there"
            }
            Case::CorruptMiddle => "committed records are damaged",
            Case::Foreign => "a file that is no segment stands under a segment's name",
            Case::NewerVersion => "it was written by a newer program",
            Case::MissingSegment => "a segment that must be there is missing",
        }
    }

    /// How bad it is.
    pub fn verdict(self) -> Verdict {
        match self {
            Case::Clean => Verdict::Clean,
            Case::TornByProcessDeath | Case::TornByHostDeath => Verdict::Torn,
            Case::CorruptMiddle | Case::Foreign | Case::NewerVersion | Case::MissingSegment => Verdict::Corrupt,
        }
    }

    /// The case of a damage that was found without the table, as by a reader.
    pub(in crate::journal) fn of_damage(reason: &Reason) -> Case {
        match reason {
            Reason::Header(HeaderError::Magic) => Case::Foreign,
            Reason::Header(HeaderError::Version(_)) => Case::NewerVersion,
            Reason::Missing => Case::MissingSegment,
            _ => Case::CorruptMiddle,
        }
    }
}

/// What an opening does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Action {
    /// Nothing; a control page that is not good is made anew.
    Keep,
    /// Writes the `End` that is missing.
    End,
    /// Removes a segment that was made and never used.
    Discard,
    /// Moves what stands behind the last good record to `quarantine/`, zeroes it, writes the `End`. Later segments are
    /// put away.
    Cut,
    /// Moves the whole file, and all later ones, to `quarantine/`.
    PutAway,
    /// Changes nothing and refuses to open.
    Refuse,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Decision {
    pub(in crate::journal) case: Case,
    pub(in crate::journal) action: Action,
    /// The row, in words.
    pub(in crate::journal) row: &'static str,
}

/// Looks the evidence up.
pub(in crate::journal) fn decide(evidence: &Evidence) -> Decision {
    // A combination without a row can't be (the test walks them all); were there one, nothing must be touched.
    let row = TABLE.iter().find(|row| row.matches(evidence)).unwrap_or(&ANY);
    Decision { case: row.case, action: row.action, row: row.name }
}
