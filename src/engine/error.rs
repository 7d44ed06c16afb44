//! Why an engine can't start or had to stop.

use std::path::PathBuf;

use super::ending::Stop;
use crate::config::ConfigError;
use crate::feed::kis::account::KeeperError;
use crate::feed::kis::rest::RestError;
use crate::journal::{AppendError, OpenError};
use crate::market::calendar::OverrideError;
use crate::metrics::MetricsError;
use crate::secret::SecretError;

/// Why an engine can't start or had to stop; says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal can't be opened.
    #[error("journal {dir}: {source}")]
    Journal {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// The journal takes no more records.
    #[error("journal {dir}, stream {stream}: {source}")]
    Append {
        /// Its folder.
        dir: PathBuf,
        /// Which stream.
        stream: &'static str,
        /// Why.
        source: AppendError,
    },
    /// A stream could not go on: the engine stopped by itself, in order.
    #[error("{0}")]
    Stopped(Box<Stop>),
    /// REST can't be used, e.g. for its folder of keys.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// Account notices can't be kept.
    #[error(transparent)]
    Notices(#[from] KeeperError),
    /// The HTS id of account notices can't be had.
    #[error("kis.notices: {0}")]
    HtsId(#[from] SecretError),
    /// The calendar's corrections can't be taken over.
    #[error(transparent)]
    Calendar(#[from] OverrideError),
    /// The metrics file can't be made.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The system refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// A thread died by a fault of ours; what was committed is in the journal.
    #[error("the {0} thread died by a fault of the program; the journal holds what was committed before")]
    ThreadDied(&'static str),
}
