//! Secrets: values that never reach a log, a journal, an error or a test file.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A secret text. `Debug` and `Display` show stars; only [`expose`](Secret::expose) gives the value. Overwritten in memory
/// when it is dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why credentials can't be used; says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// An environment variable is not set.
    #[error("environment variable {name} is not set: export it, or name a file of mode 0600 in {file_field} instead")]
    NotSet {
        /// The variable.
        name: String,
        /// The field that names a file in its place.
        file_field: &'static str,
    },
    /// The file holds nothing.
    #[error("{0} holds nothing")]
    Empty(PathBuf),
    /// What should name a variable may be the secret itself, so that it isn't shown.
    #[error(
        "{field} names no environment variable that is set, and looks like no name of one: write the NAME of a variable there, \
         never the secret, or name a file instead"
    )]
    NoName {
        /// The field of the configuration.
        field: &'static str,
    },
    /// The file can't be read.
    #[error("credentials file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("credentials file {path} has mode {mode:o}: others could read it; run chmod 600 on it")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not `app_key = "..."`, `app_secret = "..."`.
    #[error("credentials file {0}: expected two lines of TOML, app_key = \"...\" and app_secret = \"...\"")]
    Format(PathBuf),
}

/// Characters from which on a word is rather a secret than the name of a variable.
const NAME_CHARS_MAX: usize = 32;

/// The secret that an environment variable holds, which a field of the configuration names.
///
/// # Errors
///
/// It is not set. A name that could be a secret is not shown.
pub(crate) fn from_variable(field: &'static str, name: &str, file_field: &'static str) -> Result<Secret, SecretError> {
    let value = std::env::var(name).map(Zeroizing::new);
    match value.as_ref().map(|value| value.trim()) {
        Ok(value) if !value.is_empty() => Ok(Secret::new(value)),
        _ => {
            let is_start = |c: char| c.is_ascii_alphabetic() || c == '_';
            let is_name = name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
            // The id of a customer looks like a word, and the name of a variable has several.
            let may_be_id = field == "hts_id_env" && !name.contains('_');
            if is_name && name.len() < NAME_CHARS_MAX && !may_be_id {
                Err(SecretError::NotSet { name: name.to_owned(), file_field })
            } else {
                Err(SecretError::NoName { field })
            }
        }
    }
}

/// App key and secret of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The app key (36 characters at KIS).
    pub app_key: Secret,
    /// The app secret (180 characters at KIS).
    pub app_secret: Secret,
}

impl Credentials {
    /// From two environment variables.
    pub fn from_env(key_name: &str, secret_name: &str) -> Result<Credentials, SecretError> {
        Ok(Credentials {
            app_key: from_variable("app_key_env", key_name, "credentials_file")?,
            app_secret: from_variable("app_secret_env", secret_name, "credentials_file")?,
        })
    }

    /// From a file that only its owner may read.
    pub fn from_file(path: &Path) -> Result<Credentials, SecretError> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |source| SecretError::Read { path: path.to_owned(), source };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretError::Mode { path: path.to_owned(), mode });
        }
        // The parser's error would quote the text, so it is not passed on.
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let table: toml::Table = text.parse().map_err(|_| SecretError::Format(path.to_owned()))?;
        match (
            table.get("app_key").and_then(toml::Value::as_str),
            table.get("app_secret").and_then(toml::Value::as_str),
        ) {
            (Some(key), Some(secret)) => Ok(Credentials { app_key: Secret::new(key), app_secret: Secret::new(secret) }),
            _ => Err(SecretError::Format(path.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_shows_stars() {
        let credentials = Credentials { app_key: Secret::new("PSabc"), app_secret: Secret::new("xyz") };
        let shown = format!("{credentials:?} {}", credentials.app_key);
        assert!(!shown.contains("PSabc") && !shown.contains("xyz"), "{shown}");
    }

    #[test]
    fn secrets_are_overwritten_when_they_are_dropped_and_a_panic_over_them_shows_stars() {
        fn overwritten<T: ZeroizeOnDrop>(_: &T) {}
        let credentials = Credentials { app_key: Secret::new("PSabc"), app_secret: Secret::new("xyzzy") };
        overwritten(&credentials.app_key);
        let lookup = |name: &str| if name == "known" { Ok(()) } else { Err(&credentials) };
        let panicked = std::panic::catch_unwind(|| lookup("unknown").expect("an answer")).unwrap_err();
        let said = panicked.downcast_ref::<String>().unwrap();
        assert!(said.contains("an answer") && said.contains("***"), "{said}");
        assert!(!said.contains("PSabc") && !said.contains("xyzzy"), "{said}");
    }

    #[test]
    fn a_credentials_file_must_be_its_owners_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "app_key = \"k\"\napp_secret = \"s\"\n").unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Credentials::from_file(file.path()), Err(SecretError::Mode { mode: 0o640, .. })));
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Credentials::from_file(file.path()).unwrap().app_key.expose(), "k");
    }

    #[test]
    fn errors_name_the_remedy_and_never_quote_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(file.path(), "app_key = hunter2 unquoted").unwrap();
        let error = Credentials::from_file(file.path()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(Credentials::from_env("HOGA_TEST_NO_SUCH", "X").unwrap_err().to_string().contains("credentials_file"));
        // A key where its variable's name belongs.
        for secret in ["PSsimGeycRFAFbUmcznSXxHGX7CRDi3Q2boC", "hunter2+hunter2/", "2hunter", "hunter 2", ""] {
            let error = Credentials::from_env(secret, "X").unwrap_err();
            assert!(secret.is_empty() || !format!("{error} {error:?}").contains(secret), "{error}");
            assert!(error.to_string().starts_with("app_key_env"), "{error}");
        }
    }
}
