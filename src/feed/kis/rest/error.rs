//! Why a call failed.

use std::time::Duration;

use super::codes::Code;
use super::keys::KeyError;

/// Why a call over REST failed; says what to do. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// There is no such endpoint.
    #[error("no endpoint {name}{suggestions}")]
    UnknownEndpoint {
        /// What was asked for.
        name: String,
        /// "did you mean", or empty.
        suggestions: String,
    },
    /// The endpoint has no such parameter, or it was given twice.
    #[error("{endpoint} has no parameter {name}{suggestions}")]
    UnknownParameter {
        /// Short name of the endpoint.
        endpoint: String,
        /// What was given.
        name: String,
        /// "did you mean", or empty.
        suggestions: String,
    },
    /// The server was not reached, or the answer broke off, each time it was tried.
    #[error("{what}: {message}; is the address right and the network up?")]
    Transport {
        /// Path that was called.
        what: String,
        /// What the HTTP library said.
        message: String,
    },
    /// The server was not reached, or did not answer as the broker, several times in a row and is left alone for a while.
    #[error("{what}: {host} is not asked for another {} ms: it was not reached, or did not answer as the broker", retry_in.as_millis())]
    CircuitOpen {
        /// Path that was to be called.
        what: String,
        /// The server.
        host: String,
        /// Until the next probe.
        retry_in: Duration,
    },
    /// No turn, or no token, came in the time the caller gave.
    #[error("{what}: no turn within the {seconds} s that the call may take; ask for less, or add an app key")]
    TooSlow {
        /// Path that was to be called.
        what: String,
        /// The time given.
        seconds: u64,
    },
    /// The broker refused.
    #[error("{what}: HTTP {status} {code} {text}{}", advice(code))]
    Refused {
        /// Path that was called.
        what: String,
        /// HTTP status.
        status: u16,
        /// Broker's code, e.g. `EGW00206`; the table of [`codes`](super::codes) says what it means.
        code: String,
        /// Broker's text, secrets overwritten.
        text: String,
    },
    /// The answer is not what the broker documents.
    #[error("{what}: HTTP {status}, and the answer can't be read: {message}")]
    Unreadable {
        /// Path that was called.
        what: String,
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        message: String,
    },
    /// A field that a typed row needs is missing or no such value.
    #[error("{what}: field {field} is {found}")]
    Field {
        /// Short name of the endpoint.
        what: String,
        /// Name of the field.
        field: String,
        /// What stands there, or that it is missing.
        found: String,
    },
    /// More pages followed than were allowed.
    #[error("{what}: more than {pages_max} pages; allow more, or ask for less")]
    MorePages {
        /// Short name of the endpoint.
        what: String,
        /// The bound.
        pages_max: usize,
    },
    /// The broker says that more pages follow, and sends the last one again.
    #[error("{what}: page {page} is the one before it again, and would be without end")]
    SamePage {
        /// Short name of the endpoint.
        what: String,
        /// Number of the page, from 1.
        page: usize,
    },
    /// A value that the call itself checks.
    #[error("{what}: {field} = {value}: {expected}")]
    Argument {
        /// Short name of the endpoint.
        what: &'static str,
        /// Name of the argument.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Token or approval key can't be had.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Two accounts name one app key.
    #[error(
        "accounts {one} and {other} have the same app key, which holds one session at the broker: name another app key, or \
         drop one of the accounts"
    )]
    SameAppKey {
        /// Name of the first.
        one: String,
        /// Name of the other.
        other: String,
    },
    /// There is no app key to call with, or the broker refused each of them.
    #[error("no usable app key{0}")]
    NoAppKey(String),
}

fn advice(code: &str) -> String {
    match Code::find(code) {
        Some(known) if known.note.is_empty() => format!(" ({})", known.meaning),
        Some(known) => format!(" ({}: {})", known.meaning, known.note),
        None => String::new(),
    }
}

impl RestError {
    /// The broker's code, where it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            RestError::Refused { code, .. } | RestError::Keys(KeyError::Refused { code, .. }) => Some(code),
            _ => None,
        }
    }
}
