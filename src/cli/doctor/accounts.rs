//! App keys: whether they are there, nobody else's, whole, each once, known to the broker, and free to connect.

use std::time::Instant;

use super::Finding;
use crate::cli::units::nanos;
use crate::clock::wall_ns;
use crate::config::Config;
use crate::feed::kis::rest::{KeyError, Keys};
use crate::feed::kis::session::slot::Slot;
use crate::secret::{Credentials, SecretError};

/// Characters of an app key and of its secret, as the broker issues them.
const LENGTHS: [usize; 2] = [36, 180];

/// An account whose secrets could be read.
#[derive(Debug)]
pub(super) struct Known {
    pub name: String,
    pub credentials: Credentials,
    /// How long it must not connect yet.
    pub wait_ns: Option<u64>,
    /// Its session on this host, and the count of its connects.
    pub slot: Slot,
}

/// Reads the secrets, and what earlier runs left to wait for.
pub(super) fn credentials(config: &Config, findings: &mut Vec<Finding>) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    let scale = config.kis.market_time.as_ref().map_or(1.0, |time| time.scale);
    for account in &config.kis.account {
        let check = format!("account.{}.secret", account.name);
        let credentials = match account.credentials() {
            Ok(credentials) => credentials,
            Err(error) => {
                let advice = match &error {
                    crate::config::ConfigError::Secret { source: SecretError::Mode { path, .. }, .. } => {
                        format!("chmod 600 {}", path.display())
                    }
                    _ => "name two environment variables that are set, or a credentials_file of mode 0600".to_owned(),
                };
                findings.push(Finding::fail(check, error.to_string(), advice));
                continue;
            }
        };
        findings.push(shape(check, &credentials, &known));
        let slot = Slot::of(config, &credentials.app_key, scale);
        let wait = slot.wait(wall_ns()).unwrap_or_else(|error| {
            let advice = "mend it: a recorder connects only when it can count its connects";
            findings.push(Finding::fail(format!("account.{}.connects", account.name), error.to_string(), advice));
            None
        });
        if let Some((wait, why)) = wait {
            let found = format!("{why}: no connect for {}", nanos(wait.as_nanos() as u64));
            let advice = "wait: the broker blocks app keys that connect in a loop, and a recorder waits by itself";
            findings.push(Finding::warn(format!("account.{}.connects", account.name), found, advice));
        }
        let wait_ns = wait.map(|(wait, _)| wait.as_nanos() as u64);
        known.push(Known { name: account.name.clone(), credentials, wait_ns, slot });
    }
    known
}

/// Where the HTS id of account notices is, if they are asked for.
pub(super) fn notices(config: &Config) -> Option<Finding> {
    const CHECK: &str = "notices.hts_id";
    Some(match config.kis.notices.as_ref()?.hts_id() {
        Ok(_) => Finding::ok(CHECK, "readable"),
        Err(error) => {
            let advice = match &error {
                SecretError::Mode { path, .. } => format!("chmod 600 {}", path.display()),
                _ => "name an environment variable that is set (hts_id_env), or a file of mode 0600 with the id alone \
                      (hts_id_file)"
                    .to_owned(),
            };
            Finding::fail(CHECK, error.to_string(), advice)
        }
    })
}

fn shape(check: String, credentials: &Credentials, others: &[Known]) -> Finding {
    let (key, secret) = (credentials.app_key.expose(), credentials.app_secret.expose());
    if let Some(other) = others.iter().find(|other| other.credentials.app_key == credentials.app_key) {
        let found = format!("the same app key as account {}", other.name);
        return Finding::fail(check, found, "an app key holds one session: name another, or drop the account");
    }
    let lengths = [key.chars().count(), secret.chars().count()];
    if lengths != LENGTHS {
        let found =
            format!("{} and {} characters, usual are {} and {}", lengths[0], lengths[1], LENGTHS[0], LENGTHS[1]);
        return Finding::warn(check, found, "was it copied whole, without quotes, and not the one for the other?");
    }
    if [key, secret].iter().any(|text| text.chars().any(|c| c.is_whitespace() || c.is_control())) {
        return Finding::fail(check, "holds blanks or control characters", "copy it again, on one line");
    }
    Finding::ok(check, "readable, of the usual lengths, nobody else's")
}

/// Has a token for each app key: the one at hand, or a new one where the broker's minute allows.
pub(super) fn tokens(config: &Config, accounts: &[Known], is_reached: bool, findings: &mut Vec<Finding>) {
    let kis = &config.kis;
    for account in accounts {
        let check = format!("account.{}.token", account.name);
        if !is_reached {
            findings.push(Finding::unknown(check, "the REST server was not reached"));
            continue;
        }
        let asked = Keys::open(&kis.rest_url, account.credentials.clone(), &kis.rest)
            .and_then(|keys| keys.token(None, Instant::now()));
        findings.push(match asked {
            Ok(_) => Finding::ok(check, "the broker knows the app key"),
            Err(error @ KeyError::TooSoon { .. }) => {
                Finding::warn(check, format!("unknown: {error}"), "look again in a minute")
            }
            Err(error @ KeyError::Refused { .. }) => {
                let advice = format!(
                    "is this an app key of the {} server? Real and mock have keys of their own, that are unknown at the \
                     other; set kis.environment, or issue it anew",
                    kis.environment.name()
                );
                Finding::fail(check, error.to_string(), advice)
            }
            Err(error) => Finding::fail(check, error.to_string(), "see what the message names"),
        });
    }
}
