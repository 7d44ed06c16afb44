//! Why a venue could not start.

use std::io;
use std::path::PathBuf;

/// Errors of [`Venue::start`](crate::Venue::start) and of reading a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// An address could not be bound.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for any free one")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A value of the configuration is out of its range.
    #[error("configuration: {0}")]
    Config(String),
    /// The configuration file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration file is not valid TOML, or names an unknown key.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and expected keys, as the parser reports them.
        message: String,
    },
    /// The ledger file could not be created.
    #[error("cannot create the ledger {path}: {source}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A thread, poll or timer could not be made.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
