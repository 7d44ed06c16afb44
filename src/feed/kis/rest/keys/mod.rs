//! Tokens and approval keys: one of each for an app key and environment, kept in a file that all processes share.
//!
//! - A key is valid for 24 hours and renewed an hour before; while it can't be renewed the old one is used to its end.
//! - It is asked for at most once a minute, over all processes: the time of the last attempt is written *before* the
//!   attempt, under the file's lock.
//! - Within six hours the broker gives the same token again. One that it refuses and gives again is an error, not a loop: it
//!   is not asked for again until they are over.

mod file;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use self::file::{Kept, Place, Slot};
use super::agent::{Agent, Unreached, check_address, post_patience};
use super::answer;
use super::codes::Reaction;
use super::counters::Counters;
use super::settings::RestSection;
use crate::secret::{Credentials, Secret};

/// How often the file is looked at while somebody else's issue is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A token is valid for 24 hours by the broker's documents, whatever an answer says beyond.
const TOKEN_LIFETIME_S: u64 = 86_400;
/// The broker says no lifetime of approval keys: 24 hours by its documents.
const APPROVAL_LIFETIME_S: u64 = 86_400;

/// Why a token or an approval key can't be had; says what to do. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No folder is configured and the environment names none.
    #[error("no folder for tokens: set kis.rest.keys_dir, or HOME")]
    NoFolder,
    /// Secrets could be read on their way there.
    #[error("{url}: expected {expected}")]
    Address {
        /// Where keys were to be asked for.
        url: String,
        /// What to write.
        expected: &'static str,
    },
    /// The folder can't be made or read.
    #[error("folder of keys {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the file or the folder.
    #[error("{path} has mode {mode:o}: others could read keys in it; run chmod {wanted:o} on it")]
    Mode {
        /// File or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// The file can't be read or written.
    #[error("file of keys {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process holds the file for too long.
    #[error("{path} is held by another process; is one of them stuck?")]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// A key was asked for less than a minute ago.
    #[error("a {kind} was asked for a moment ago; the next may be in {} s", wait.as_secs().max(1))]
    TooSoon {
        /// `token` or `approval key`.
        kind: &'static str,
        /// Until the next may be asked for.
        wait: Duration,
    },
    /// The server was not reached.
    #[error("POST {url}: {message}; is the address right and the network up?")]
    Transport {
        /// Where.
        url: String,
        /// What the HTTP library said.
        message: String,
        /// Whether the request may have reached it all the same.
        perhaps_sent: bool,
    },
    /// The server refused.
    #[error("POST {url}: HTTP {status} {code} {text}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// Broker's code, e.g. `EGW00103`.
        code: String,
        /// Broker's text, secrets overwritten.
        text: String,
    },
    /// A 200 that holds no key.
    #[error("POST {url}: the answer has no {field}")]
    NoKey {
        /// Where.
        url: String,
        /// What is missing.
        field: &'static str,
    },
    /// The broker refuses a key and gives the same one again.
    #[error(
        "the broker refuses its own {kind} and gives the same one again, as it does for six hours after an issue; was it \
         revoked? Try again later or with another app key"
    )]
    SameAgain {
        /// `token` or `approval key`.
        kind: &'static str,
    },
}

/// Token or approval key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Token,
    Approval,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Token => "token",
            Kind::Approval => "approval key",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Kind::Token => "/oauth2/tokenP",
            Kind::Approval => "/oauth2/Approval",
        }
    }

    /// So long after an issue the broker gives the same again.
    fn same_for_s(self) -> u64 {
        match self {
            Kind::Token => 6 * 3600,
            // Not that anybody knows of.
            Kind::Approval => 0,
        }
    }

    fn slot(self, kept: &mut Kept) -> &mut Slot {
        match self {
            Kind::Token => &mut kept.token,
            Kind::Approval => &mut kept.approval,
        }
    }
}

/// Token and approval key of one app key in one environment. Blocks on files and network: for cold threads.
#[derive(Debug)]
pub struct Keys {
    agent: Arc<Agent>,
    counters: Arc<Counters>,
    credentials: Credentials,
    place: Place,
    token_interval_s: u64,
    approval_interval_s: u64,
    renew_before_s: u64,
    post_patience: Duration,
    memory: Mutex<[Option<(Secret, u64)>; 2]>,
}

impl KeyError {
    /// Whether the same may succeed later, without anybody changing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            KeyError::Transport { .. } | KeyError::TooSoon { .. } | KeyError::Busy { .. } => true,
            // A page of something before the broker has no code.
            KeyError::Refused { status, code, .. } if code.is_empty() => *status >= 500,
            KeyError::Refused { code, .. } => {
                matches!(Reaction::to(code), Reaction::Retry | Reaction::SlowDown | Reaction::WaitForToken)
            }
            _ => false,
        }
    }
}

impl Keys {
    /// Keys of an app key, in the folder of the settings. Nothing is asked for yet.
    ///
    /// # Errors
    ///
    /// The folder can't be made, or others may read it.
    pub fn open(rest_url: &str, credentials: Credentials, settings: &RestSection) -> Result<Keys, KeyError> {
        let agent = Arc::new(Agent::new(rest_url, settings, 0));
        Keys::with(agent, Arc::default(), credentials, settings)
    }

    pub(super) fn with(
        agent: Arc<Agent>,
        counters: Arc<Counters>,
        credentials: Credentials,
        settings: &RestSection,
    ) -> Result<Keys, KeyError> {
        if let Err(expected) = check_address(agent.base()) {
            return Err(KeyError::Address { url: agent.base().to_owned(), expected });
        }
        let folder = settings.keys_folder().ok_or(KeyError::NoFolder)?;
        let place = Place::new(Path::new(&folder), agent.base(), &digest(credentials.app_key.expose()))?;
        Ok(Keys {
            agent,
            counters,
            credentials,
            place,
            token_interval_s: settings.token_interval_s,
            approval_interval_s: settings.approval_interval_s,
            renew_before_s: settings.renew_before_s,
            post_patience: post_patience(settings),
            memory: Mutex::default(),
        })
    }

    /// The folder of keys.
    #[cfg(feature = "cli")] // for downloads alone
    pub(super) fn folder(&self) -> &Path {
        self.place.folder()
    }

    /// The file that says when the app key's next call may go out.
    pub(super) fn turns_path(&self) -> PathBuf {
        self.place.turns()
    }

    /// A token that is valid as far as is known, and isn't `refused`. Waits at most until `deadline` for its turn.
    ///
    /// # Errors
    ///
    /// What the file, the network or the broker said.
    pub fn token(&self, refused: Option<&Secret>, deadline: Instant) -> Result<Secret, KeyError> {
        self.key(Kind::Token, refused, deadline)
    }

    /// An approval key, likewise.
    ///
    /// # Errors
    ///
    /// What the file, the network or the broker said.
    pub fn approval_key(&self, refused: Option<&Secret>, deadline: Instant) -> Result<Secret, KeyError> {
        self.key(Kind::Approval, refused, deadline)
    }

    fn remembered(&self) -> MutexGuard<'_, [Option<(Secret, u64)>; 2]> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, kind: Kind, refused: Option<&Secret>, deadline: Instant) -> Result<Secret, KeyError> {
        let fresh = |value: &str, expires: u64| {
            refused.is_none_or(|refused| refused.expose() != value) && wall_s() + self.renew_before_s < expires
        };
        if let Some((key, expires)) = &self.remembered()[kind as usize]
            && fresh(key.expose(), *expires)
        {
            return Ok(key.clone());
        }
        loop {
            let locked = self.place.lock(deadline + self.post_patience)?;
            let mut kept = locked.read()?;
            let slot = kind.slot(&mut kept);
            let usable = !slot.value.is_empty()
                && wall_s() < slot.expires
                && refused.is_none_or(|refused| refused.expose() != slot.value);
            let is_refused = refused.is_some_and(|refused| refused.expose() == slot.value);
            if is_refused && slot.refused > 0 && wall_s() < slot.issued.saturating_add(kind.same_for_s()) {
                return Err(KeyError::SameAgain { kind: kind.name() });
            }
            if usable && fresh(&slot.value, slot.expires) {
                return Ok(self.remember(kind, slot));
            }
            let old = usable.then(|| self.remember(kind, slot));
            let mut wait = self.wait(kind, slot.asked);
            if wait.is_zero() {
                let asked_before = std::mem::replace(&mut slot.asked, wall_s());
                locked.write(&kept)?;
                let slot = kind.slot(&mut kept);
                match self.issue(kind, slot) {
                    Ok(()) => {
                        let again = refused.is_some_and(|refused| refused.expose() == slot.value);
                        if again {
                            slot.refused = wall_s();
                        }
                        locked.write(&kept)?;
                        if again {
                            return Err(KeyError::SameAgain { kind: kind.name() });
                        }
                        return Ok(self.remember(kind, kind.slot(&mut kept)));
                    }
                    // Somebody who doesn't share the folder was first.
                    Err(KeyError::Refused { code, .. }) if Reaction::to(&code) == Reaction::WaitForToken => {
                        tracing::warn!(kind = kind.name(), %code, "another program asked for a key; waiting a minute");
                        wait = Duration::from_secs(self.interval(kind));
                    }
                    Err(error) => match old {
                        _ if matches!(error, KeyError::Transport { perhaps_sent: false, .. }) => {
                            // Nothing was asked for, so that the minute need not be waited for.
                            kind.slot(&mut kept).asked = asked_before;
                            locked.write(&kept)?;
                            return old.ok_or(error);
                        }
                        Some(old) => {
                            tracing::warn!(kind = kind.name(), %error, "not renewed; the old one is used to its end");
                            return Ok(old);
                        }
                        None => return Err(error),
                    },
                }
            }
            if let Some(old) = old {
                return Ok(old);
            }
            drop(locked);
            if Instant::now() + wait > deadline {
                return Err(KeyError::TooSoon { kind: kind.name(), wait });
            }
            std::thread::sleep(wait.min(LOOK_AGAIN));
        }
    }

    fn remember(&self, kind: Kind, slot: &Slot) -> Secret {
        let key = Secret::new(&*slot.value);
        self.remembered()[kind as usize] = Some((key.clone(), slot.expires));
        key
    }

    fn interval(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Token => self.token_interval_s,
            Kind::Approval => self.approval_interval_s,
        }
    }

    /// Until the next may be asked for. A time far ahead of the clock is of a clock that was wrong, and is not kept to.
    fn wait(&self, kind: Kind, asked: u64) -> Duration {
        let (now, interval) = (wall_ms(), self.interval(kind) * 1000);
        // The file keeps whole seconds: the attempt may have been made at the end of its second.
        let next = if asked == 0 { 0 } else { asked.saturating_mul(1000).saturating_add(1000 + interval) };
        let wait = next.saturating_sub(now);
        if wait > 2 * interval + 1000 { Duration::ZERO } else { Duration::from_millis(wait) }
    }

    /// Asks the broker for a key and fills the slot.
    fn issue(&self, kind: Kind, slot: &mut Slot) -> Result<(), KeyError> {
        let url = format!("{}{}", self.agent.base(), kind.path());
        // The same value has another name at the other endpoint.
        let secret_name = if kind == Kind::Token { "appsecret" } else { "secretkey" };
        let body = credentials_body(secret_name, &self.credentials);
        let asked = wall_s();
        let sent = self.agent.post(kind.path(), &body);
        let reply = sent.map_err(|Unreached { message, perhaps_sent }| KeyError::Transport {
            url: url.clone(),
            message,
            perhaps_sent,
        })?;
        let mut body = answer::parse_private(&reply.body).unwrap_or_default();
        if let Some(refusal) = answer::refusal(&body).or_else(|| worded(reply.status)) {
            let text = scrub(refusal.text, &self.credentials, None);
            return Err(KeyError::Refused { url, status: reply.status, code: refusal.code, text });
        }
        let (field, lifetime) = match kind {
            Kind::Token => ("access_token", lifetime(body.get("expires_in"))),
            Kind::Approval => ("approval_key", APPROVAL_LIFETIME_S),
        };
        let value = match body.get_mut(field).map(Value::take) {
            Some(Value::String(value)) if !value.is_empty() => Zeroizing::new(value),
            _ => return Err(KeyError::NoKey { url, field }),
        };
        if *value != slot.value {
            slot.value.zeroize();
            slot.value.push_str(&value);
            slot.issued = asked;
            slot.refused = 0;
        }
        slot.expires = asked.saturating_add(lifetime);
        self.counters.issued(kind == Kind::Token);
        tracing::info!(kind = kind.name(), lifetime_s = lifetime, "key issued");
        Ok(())
    }
}

/// Seconds that a token is valid, as the answer says by a number or a text, or as the documents say.
fn lifetime(told: Option<&Value>) -> u64 {
    let number = told.and_then(|told| match told {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    });
    match number {
        // Saturates.
        Some(seconds) if seconds >= 1.0 => (seconds as u64).min(TOKEN_LIFETIME_S),
        _ => {
            tracing::warn!("the answer does not say how long the token is valid; taken for a day, as documented");
            TOKEN_LIFETIME_S
        }
    }
}

/// A refusal that has no words of the broker.
fn worded(status: u16) -> Option<answer::Refusal> {
    (status != 200).then(|| answer::Refusal { code: String::new(), text: "no words of the broker".to_owned() })
}

/// Overwrites secrets that a text of the broker echoes.
pub(super) fn scrub(text: String, credentials: &Credentials, token: Option<&Secret>) -> String {
    [Some(&credentials.app_key), Some(&credentials.app_secret), token]
        .into_iter()
        .flatten()
        .filter(|secret| !secret.expose().is_empty())
        .fold(text, |text, secret| text.replace(secret.expose(), "***"))
}

/// The body that asks for a key; the app secret has another name at each endpoint. Written once, into memory that is
/// overwritten when it is dropped.
fn credentials_body(secret_name: &str, credentials: &Credentials) -> Zeroizing<Vec<u8>> {
    let (key, secret) = (credentials.app_key.expose(), credentials.app_secret.expose());
    let fields = BTreeMap::from([("grant_type", "client_credentials"), ("appkey", key), (secret_name, secret)]);
    // Room for all of it: growing would leave copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(256 + 6 * (key.len() + secret.len())));
    serde_json::to_writer(&mut *body, &fields).expect("texts become JSON, and memory takes them");
    body
}

/// How the files of an app key on a server are named, without an ending: it tells nothing of the key.
pub fn key_file_name(rest_url: &str, app_key: &Secret) -> String {
    file_name(rest_url.trim_end_matches('/'), &digest(app_key.expose()))
}

fn file_name(environment: &str, app: &str) -> String {
    let name = digest(&format!("{environment}\n{app}"));
    format!("kis-{}", &name[..24])
}

/// SHA-256, hexadecimal.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn wall_s() -> u64 {
    wall_ms() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_may_be_a_text_and_is_never_longer_than_documented() {
        let of = |json: &str| lifetime(Some(&serde_json::from_str(json).unwrap()));
        assert_eq!((of("3600"), of("\"3600\""), of("\" 60.0 \"")), (3600, 3600, 60));
        for odd in ["18446744073709551615", "1e300", "0", "-5", "\"soon\"", "null", "[]", "\"\""] {
            assert_eq!(of(odd), TOKEN_LIFETIME_S, "{odd}");
        }
        assert_eq!(lifetime(None), TOKEN_LIFETIME_S);
    }
}
