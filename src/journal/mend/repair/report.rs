//! What a repair may do, what it did, and why it could not.

use std::io;
use std::path::PathBuf;

use crate::journal::build::BuildError;
use crate::journal::rebuild::Loss;
use crate::journal::verify::{Report, VerifyError};

/// What a repair may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Puts torn tails in order, as opening the journal for writing would: nothing committed is touched.
    #[default]
    Cut,
    /// And writes damaged segments anew without what is lost, with `Hole` records in its place.
    Skip,
    /// Changes nothing and says what would be done.
    Abort,
}

/// Something a repair did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The file, relative to the journal.
    pub file: String,
    /// What.
    pub kind: ActionKind,
    /// Why: what was found.
    pub reason: String,
    /// Where its bytes were put, relative to the journal; `None` where there were none, or nothing was done.
    pub quarantine: Option<String>,
    /// Numbered records of a segment written anew.
    pub records: u64,
    /// Of them, records whose damaged length word was told from their checksum.
    pub mended: u64,
    /// What is lost.
    pub losses: Vec<Loss>,
}

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// A torn tail is put away, and the segment ended.
    Cut,
    /// The segment is written anew with every valid record it has.
    Rebuild,
    /// A segment that is not there is made, with nothing in it but a hole.
    Fill,
    /// The control page is made anew, or its damaged slots are cleared.
    Control,
    /// An index that does not fit is taken away.
    Index,
    /// The uncompressed form of a segment is put away: it is damaged, and the compressed one beside it is whole.
    KeepPacked,
    /// A compressed segment is compressed anew, whose seek table is damaged while its frames are good.
    SeekTable,
}

impl ActionKind {
    /// Name as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Cut => "cut",
            ActionKind::Rebuild => "rebuild",
            ActionKind::Fill => "fill",
            ActionKind::Control => "control",
            ActionKind::Index => "index",
            ActionKind::KeepPacked => "keep_packed",
            ActionKind::SeekTable => "seek_table",
        }
    }
}

/// What a repair found, did, and left.
#[derive(Clone, Debug)]
pub struct RepairReport {
    /// As it was.
    pub before: Report,
    /// What was done; with [`Policy::Abort`], what would be.
    pub actions: Vec<Action>,
    /// As it is now.
    pub after: Report,
}

/// Why a repair could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// There is nothing to repair, or it can't be read.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A writer holds the journal.
    #[error("{dir} is being written: stop the recorder first (process {holder})")]
    Live {
        /// The journal.
        dir: PathBuf,
        /// What the lock file says of it.
        holder: String,
    },
    /// Another process seals, compresses or prunes.
    #[error("{0} is being sealed or pruned by another process: wait for it to end")]
    Maintained(PathBuf),
    /// Written by a newer program.
    #[error("{file}: format {major} is newer than this program knows: repair it with a newer hoga")]
    Version {
        /// The file.
        file: String,
        /// Its major number.
        major: u16,
    },
    /// Segments are named so far apart that this is no loss.
    #[error("{count} segments from {first} on are missing: is a file misnamed? Move it away and repair again")]
    TooMany {
        /// The first that is missing.
        first: u64,
        /// How many are.
        count: u64,
    },
    /// A segment could not be written anew; the one there was not touched.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
