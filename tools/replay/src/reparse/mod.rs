//! Decodes the frames of a journal again with this build's tables, into a new journal, and says what is different.
//!
//! # The new journal
//!
//! - Stream `raw`: the segments of the old one, byte for byte, as far as they were committed: the same frames, sequences and
//!   stamps.
//! - Stream `ticks`: every data frame decoded anew by the engine's own cores (`hoga::engine::redecode`), continuity checks
//!   included, and every control frame's answer. Market data carries flag RECOVERED: its latencies mean nothing.
//! - What frames do not tell is copied from the old ticks, at its place: clocks (and with them market time), connections
//!   made and lost, registrations sent, stalls, the stop, records of REST. Openings of the old journal are repeated: a new
//!   decoder each, continuity resumed from the same trades, gap numbers by the old epoch. Instruments keep their ids: those
//!   of the old journal are declared first, with the attributes they had.
//! - Frames kept only because they were rejected, stream `raw` being switched off, are decoded, too.
//!
//! # What is compared
//!
//! Market records of both tick streams by (`raw_sequence`, `frame_index`), gaps and rejects by `raw_sequence` and their order
//! there, byte for byte but for what must differ: `sequence`, `crc32c`, `decoded_ns`, `committed_ns`, flag RECOVERED, and
//! `gap_id`. Of records that differ every field is named. Answers of the broker and changes of schema are compared by content.
//! Records of frames that stream `raw` no longer holds (pruned) can't be compared and are counted; they are not in the new
//! journal.

mod compare;
mod copy;
mod drive;

use std::path::PathBuf;

use hoga::engine::EngineError;
use hoga::feed::kis::LayoutTable;
use hoga::journal::{AppendError, TailError};

pub use self::compare::{Example, Report};

/// What is decoded again, and where to.
#[derive(Debug)]
pub struct Config {
    /// The journal.
    pub dir: PathBuf,
    /// Folder of the new one; must not hold anything.
    pub out: PathBuf,
    /// Layouts to decode by; `None` = this build's.
    pub layouts: Option<LayoutTable>,
    /// Differences shown whole.
    pub examples_max: usize,
}

/// Why a journal can't be decoded again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReparseError {
    /// The folder of the new journal is in use.
    #[error("{0} is not empty: name a folder that does not exist")]
    NotEmpty(PathBuf),
    /// No frames.
    #[error("{0} has no stream raw: there is nothing to decode again")]
    NoFrames(PathBuf),
    /// A journal can't be read.
    #[error("{dir}: {source}")]
    Read {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        source: TailError,
    },
    /// The new journal can't be written.
    #[error("{out}: {source}")]
    Append {
        /// Its folder.
        out: PathBuf,
        /// Why.
        source: AppendError,
    },
    /// The new journal can't be opened or closed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Decodes a journal again and compares. `progress` is told of frames done and to do.
///
/// # Errors
///
/// See [`ReparseError`]. The old journal is never changed.
pub fn reparse(config: &Config, mut progress: impl FnMut(u64, u64)) -> Result<Report, ReparseError> {
    let is_empty = std::fs::read_dir(&config.out).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(ReparseError::NotEmpty(config.out.clone()));
    }
    std::fs::create_dir_all(&config.out).map_err(|source| ReparseError::Io { path: config.out.clone(), source })?;
    let frames = drive::decode(config, &mut progress)?;
    copy::copy_raw(&config.dir, &config.out, frames.end)?;
    compare::compare(config, &frames)
}
