//! Rows that could not be read, and what came of a file.

use std::fmt;

/// Rejects that are kept of a file; all are counted.
pub const REJECTS_KEPT: usize = 1_000;

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Name of the file.
    pub file: &'static str,
    /// Line, from 1.
    pub line: u64,
    /// Byte of the file at which the row, or the field that is wrong, begins; from 0.
    pub offset: u64,
    /// What is wrong.
    pub reason: RejectReason,
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The row has another number of bytes.
    Width {
        /// Bytes found.
        found: usize,
        /// Bytes of a row.
        expected: usize,
    },
    /// The row has another number of columns.
    Columns {
        /// Columns found.
        found: usize,
        /// Columns of a row.
        expected: usize,
    },
    /// A byte that no field but one of text may have.
    Byte {
        /// The byte.
        found: u8,
    },
    /// Bytes that are no cp949.
    Text {
        /// Name of the field.
        field: &'static str,
    },
    /// No number, or one out of range.
    Number {
        /// Name of the field.
        field: &'static str,
    },
    /// No date.
    Date {
        /// Name of the field.
        field: &'static str,
    },
    /// Neither yes nor no, or no code of a class.
    Flag {
        /// Name of the field.
        field: &'static str,
        /// The byte.
        found: u8,
    },
    /// No code, or one with blanks inside.
    Code {
        /// Name of the field.
        field: &'static str,
    },
    /// The file has the code already.
    Repeated,
    /// A list of what Nextrade trades names a code that KRX doesn't list.
    Unlisted,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RejectReason::Width { found, expected } => write!(f, "{found} bytes, a row has {expected}"),
            RejectReason::Columns { found, expected } => write!(f, "{found} columns, a row has {expected}"),
            RejectReason::Byte { found } => write!(f, "byte {found:#04x} outside of a text"),
            RejectReason::Text { field } => write!(f, "{field} is no cp949"),
            RejectReason::Number { field } => write!(f, "{field} is no number in range"),
            RejectReason::Date { field } => write!(f, "{field} is no date"),
            RejectReason::Flag { field, found } => write!(f, "{field} is {:?}", char::from(*found)),
            RejectReason::Code { field } => write!(f, "{field} is no code"),
            RejectReason::Repeated => f.write_str("the file has this code already"),
            RejectReason::Unlisted => f.write_str("KRX lists no such code"),
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {} byte {}: {}", self.file, self.line, self.offset, self.reason)
    }
}

/// What came of a file. `rows == taken + elsewhere + rejected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Name of the file.
    pub file: &'static str,
    /// Rows in it.
    pub rows: u64,
    /// Rows that are in the list, or that marked one.
    pub taken: u64,
    /// Rows whose code an earlier file has on the same market.
    pub elsewhere: u64,
    /// Rows that were not taken.
    pub rejected: u64,
    /// The first [`REJECTS_KEPT`] of those.
    pub rejects: Vec<Reject>,
    /// Names that end in the middle of a character, because the field is full; that half is left out.
    pub names_cut: u64,
    /// Why nothing could be read of it: the archive is damaged.
    pub damage: Option<String>,
}

impl FileReport {
    pub(super) fn new(file: &'static str) -> FileReport {
        let (rejects, damage) = (Vec::new(), None);
        FileReport { file, rows: 0, taken: 0, elsewhere: 0, rejected: 0, rejects, names_cut: 0, damage }
    }

    /// Whether all of it was read.
    pub fn is_whole(&self) -> bool {
        self.rejected == 0 && self.damage.is_none()
    }

    pub(super) fn reject(&mut self, at: Position, in_row: usize, reason: RejectReason) {
        self.rejected += 1;
        if self.rejects.len() < REJECTS_KEPT {
            let offset = at.offset + in_row as u64;
            self.rejects.push(Reject { file: self.file, line: at.line, offset, reason });
        }
    }
}

/// Where a row begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) offset: u64,
}
