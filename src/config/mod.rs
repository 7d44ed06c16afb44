//! Configuration: every field with unit, default and trade-off; checked once, then immutable.
//!
//! The file is TOML. Unknown keys are refused with a suggestion; secrets are named, never written: an environment
//! variable or a file of mode 0600 holds them. `examples/hoga.toml` shows every field.

mod broker;
mod check;
mod engine;
mod journal;
mod kis;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::engine::{EngineSection, Placement};
pub use self::journal::{JournalSection, RetentionSection};
pub use self::kis::{KisAccount, KisSection, KisSubscription, MarketTime};
use crate::feed::kis::rest::same_app_key;
use crate::feed::kis::session::Account;
use crate::secret::SecretError;

/// The whole configuration of an engine.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where and how ticks and frames are kept.
    pub journal: JournalSection,
    /// Threads, rings, limits.
    #[serde(default)]
    pub engine: EngineSection,
    /// What becomes of days that are over.
    #[serde(default)]
    pub retention: RetentionSection,
    /// Korea Investment & Securities.
    pub kis: KisSection,
}

/// Why a configuration is refused; says where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("configuration {path}: {source}; `hoga init` writes one to start from")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML of the expected shape.
    #[error("configuration {path}: {message}{suggestion}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        message: String,
        /// "did you mean", or empty.
        suggestion: String,
    },
    /// A value is out of its range.
    #[error("configuration: {field} = {value}: {expected}")]
    Value {
        /// Path of the field.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// Credentials can't be had.
    #[error("account {account}: {source}")]
    Secret {
        /// Name of the account.
        account: String,
        /// Why.
        source: SecretError,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what to do.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Config::parse(path, &text)
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what to do.
    pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text).map_err(|error| parse_error(path, text, &error))?;
        config.kis.complete();
        config.check()?;
        Ok(config)
    }

    /// The accounts with their credentials, from where they are kept.
    ///
    /// # Errors
    ///
    /// The first that can't be had, or two that name one app key: each holds one session at the broker.
    pub fn accounts(&self) -> Result<Vec<Account>, ConfigError> {
        let account = |account: &KisAccount| -> Result<Account, ConfigError> {
            Ok(Account { name: account.name.clone(), credentials: account.credentials()? })
        };
        let accounts = self.kis.account.iter().map(account).collect::<Result<Vec<Account>, ConfigError>>()?;
        match same_app_key(&accounts) {
            None => Ok(accounts),
            Some((one, other)) => Err(ConfigError::Value {
                field: "kis.account",
                value: format!("{one} and {other} with the same app key"),
                expected:
                    "one account for an app key, which holds one session at the broker: name another app key, or \
                           drop one of them"
                        .to_owned(),
            }),
        }
    }

    /// Checks that the lists that `[[kis.subscribe]]` names were looked up ([`universe::resolve`]).
    ///
    /// # Errors
    ///
    /// The first that wasn't.
    ///
    /// [`universe::resolve`]: crate::feed::kis::universe::resolve
    pub fn check_resolved(&self) -> Result<(), ConfigError> {
        match self.kis.subscribe.iter().find(|subscription| subscription.names_lists() && !subscription.is_resolved) {
            None => Ok(()),
            Some(subscription) => Err(ConfigError::Value {
                field: "kis.subscribe",
                value: subscription.tr.clone(),
                expected: "its lists must be looked up before it is recorded: feed::kis::universe::resolve".to_owned(),
            }),
        }
    }
}

/// The parser's error with its place, and the nearest known key where it met an unknown one.
///
/// Neither the line nor a value is quoted: somebody may have written a secret there.
fn parse_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let mut quoted = error.message().split('`').skip(1).step_by(2);
    let mut suggestion = String::new();
    if error.message().starts_with("unknown field")
        && let Some(unknown) = quoted.next()
    {
        let nearest = quoted
            .map(|known| (strsim::jaro_winkler(unknown, known), known))
            .max_by(|left, right| left.0.total_cmp(&right.0))
            .filter(|(likeness, _)| *likeness > 0.75);
        suggestion = match nearest {
            _ if unknown == "app_key" || unknown == "app_secret" => {
                "\nsecrets never stand in the configuration: name an environment variable (app_key_env, app_secret_env) \
                 or a credentials_file"
                    .to_owned()
            }
            Some((_, known)) => format!("\ndid you mean `{known}`?"),
            None => String::new(),
        };
    }
    let message = format!("line {line}: {}", without_value(error.message()));
    ConfigError::Parse { path: path.to_owned(), message, suggestion }
}

/// A message in the words of serde, `invalid type: string "...", expected ...`, without the value.
fn without_value(message: &str) -> Cow<'_, str> {
    let is_wrong_value =
        ["invalid type: ", "invalid value: ", "unknown variant "].iter().any(|word| message.starts_with(word));
    // What is expected stands last, and quotes nothing of the file.
    match message.rsplit_once(", expected ").filter(|_| is_wrong_value) {
        Some((found, expected)) => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            Cow::Owned(format!("{kind}, expected {expected}"))
        }
        None => Cow::Borrowed(message),
    }
}
