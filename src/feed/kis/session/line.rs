//! One line: an app key's connection, from the wait before it to its end.

use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};

use super::super::rest::approval_key;
use super::backoff::{Backoff, FLOOR_IN_USE};
use super::budget::Budget;
use super::codes::Reaction;
use super::ledger::{Ledger, Request};
use crate::net::{Command, Connection, ConnectionConfig, ReaderHandle, connect};
use crate::secret::{Credentials, Secret};

/// Longest a connection attempt may take, each of its steps.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An approval key older than this is not used again (valid 24 hours).
const APPROVAL_AGE_MAX: Duration = Duration::from_secs(23 * 3600);
/// Close code of a session that is over.
const CODE_NORMAL: u16 = 1000;

/// One account of the plan.
#[derive(Clone, Debug)]
pub struct Account {
    /// Name for logs.
    pub name: String,
    /// App key and secret.
    pub credentials: Credentials,
}

/// State of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// Waiting to connect again.
    Backoff,
    /// Approval key, TCP and handshake under way.
    Connecting,
    /// Registrations under way.
    Subscribing,
    /// All registrations answered.
    Live,
    /// Closed for good, or with nothing to carry.
    Closed,
}

pub(super) struct Line {
    pub number: u16,
    /// Its losses taken into account, as counted by `Notices::losses`.
    pub losses: u32,
    pub account: Account,
    /// The app key's name in the [`Budget`].
    pub key: String,
    pub ledger: Ledger,
    pub approval: Option<(Secret, Instant)>,
    /// The approval key was fetched anew since a registration was last in force.
    pub is_renewed: bool,
    pub state: State,
    pub backoff: Backoff,
    /// Registrations in a row that went unanswered.
    pub unanswered: u8,
    /// Since when every registration is answered.
    pub live_since: Option<Instant>,
    /// Why it was left, if we left it: a code of the broker, and words.
    pub cause: (String, &'static str),
}

pub(super) enum State {
    /// Nothing is wanted here.
    Idle,
    Waiting {
        until: Instant,
    },
    Connecting {
        result: Receiver<Attempt>,
    },
    Subscribing {
        send_at: Instant,
    },
    /// Every registration was answered.
    Live,
    /// Close was asked for; the disconnect is awaited.
    Leaving,
    /// For good.
    Closed,
}

/// What a connection attempt came to: the approval key to keep, and the connection or why not.
pub(super) struct Attempt {
    pub approval: Option<(Secret, Instant)>,
    pub outcome: Result<Box<Connection>, String>,
}

impl Line {
    pub fn new(number: u16, account: Account, ledger: Ledger) -> Line {
        let state = if ledger.wanted() == 0 { State::Idle } else { State::Waiting { until: Instant::now() } };
        Line {
            number,
            losses: 0,
            key: Budget::name(&account.credentials.app_key),
            account,
            ledger,
            approval: None,
            is_renewed: false,
            state,
            backoff: Backoff::default(),
            unanswered: 0,
            live_since: None,
            cause: Default::default(),
        }
    }

    /// Begins the closing handshake; the line comes back by its disconnect, after its backoff. Whether it was begun now.
    pub fn leave(&mut self, reader: &ReaderHandle, code: &str, why: &'static str) -> bool {
        let is_connected = matches!(self.state, State::Subscribing { .. } | State::Live);
        let command = Command::Close { line: self.number, code: CODE_NORMAL };
        let left = is_connected && reader.send(command).is_ok();
        if left {
            self.state = State::Leaving;
            self.cause = (code.to_owned(), why);
        }
        left
    }

    /// A code that means the whole line.
    pub fn react(&mut self, reaction: Reaction, code: &str, reader: &ReaderHandle) {
        let why = match reaction {
            Reaction::RenewKey if !std::mem::replace(&mut self.is_renewed, true) => "approval key expired",
            Reaction::InUse => {
                self.backoff.raise_floor(FLOOR_IN_USE);
                "app key in use"
            }
            _ => {
                self.backoff.raise_floor(super::backoff::CEILING);
                "app key refused"
            }
        };
        if reaction != Reaction::InUse {
            self.approval = None;
        }
        self.leave(reader, code, why);
    }

    /// Starts an attempt on a thread of its own: it blocks on DNS, TCP, HTTP.
    pub fn attempt(&self, rest_url: &str, ws_url: &str, config: ConnectionConfig) -> Receiver<Attempt> {
        let (sender, receiver) = bounded(1);
        let credentials = self.account.credentials.clone();
        let kept = self.approval.clone().filter(|(_, since)| since.elapsed() < APPROVAL_AGE_MAX);
        let (rest_url, ws_url) = (rest_url.to_owned(), ws_url.to_owned());
        let body = move || {
            let approval = match kept {
                Some(kept) => Ok(kept),
                None => fresh_approval(&rest_url, &credentials),
            };
            let attempt = match approval {
                Err(error) => Attempt { approval: None, outcome: Err(error) },
                Ok(approval) => {
                    let outcome = connect(&ws_url, &[], CONNECT_TIMEOUT)
                        .map_err(|error| error.to_string())
                        .and_then(|shaken| Connection::prepare(shaken, &config).map_err(|error| error.to_string()));
                    Attempt { approval: Some(approval), outcome }
                }
            };
            let _ = sender.send(attempt);
        };
        // When no thread can be made the sender is dropped, and the attempt is made again later.
        let _ = std::thread::Builder::new().name(format!("hoga-connect-{}", self.number)).spawn(body);
        receiver
    }
}

/// The one place that asks for an approval key.
fn fresh_approval(rest_url: &str, credentials: &Credentials) -> Result<(Secret, Instant), String> {
    approval_key(rest_url, credentials, CONNECT_TIMEOUT)
        .map(|key| (key, Instant::now()))
        .map_err(|error| error.to_string())
}

/// The message that registers or withdraws, as the broker documents it: `tr_type` 1 and 2 (its samples say 0 for the
/// latter, which withdraws nothing).
pub(super) fn message(approval: &Secret, request: &Request) -> Box<[u8]> {
    let tr_type = if request.subscribe { "1" } else { "2" };
    serde_json::json!({
        "header": { "approval_key": approval.expose(), "custtype": "P", "tr_type": tr_type, "content-type": "utf-8" },
        "body": { "input": { "tr_id": request.registration.tr_id, "tr_key": request.registration.tr_key } },
    })
    .to_string()
    .into_bytes()
    .into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Registration;
    use super::*;

    #[test]
    fn the_messages_are_what_the_broker_documents() {
        let registration = Registration { tr_id: "H0STCNT0".to_owned(), tr_key: "005930".to_owned() };
        for (subscribe, tr_type) in [(true, "1"), (false, "2")] {
            let text = message(&Secret::new("KEY"), &Request { registration: registration.clone(), subscribe });
            let message: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(message["header"]["tr_type"], tr_type);
            assert_eq!(message["header"]["approval_key"], "KEY");
            assert_eq!(message["body"]["input"]["tr_id"], "H0STCNT0");
            assert_eq!(message["body"]["input"]["tr_key"], "005930");
        }
    }
}
