//! One line: an app key's connection, from the wait before it to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};

use super::super::rest::{Client, KeyError};
use super::backoff::{Backoff, CEILING, FLOOR_HOPELESS, FLOOR_IN_USE, IN_USE_MAX};
use super::budget::Budget;
use super::codes::Reaction;
use super::ledger::{Ledger, Request, Wanted};
use super::slot::Slot;
use crate::clock::wall_ns;
use crate::net::{Command, Connection, ConnectionConfig, ReaderHandle, connect};
use crate::secret::{Credentials, Secret};

/// Longest a connection attempt may take, each of its steps.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest an attempt waits for its turn to ask for an approval key; another process may be asking for the same one.
const APPROVAL_PATIENCE: Duration = Duration::from_secs(5);
/// The same while a line goes on meanwhile: longer than the interval between two issues.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(75);
/// An app key that is refused so often in a row is left alone.
pub(super) const BARRED_MAX: u8 = 3;
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
    /// The app key's name in files.
    pub key: String,
    pub ledger: Ledger,
    /// The approval key that registrations are sent with.
    pub approval: Option<Secret>,
    /// An approval key that the broker refused: it is not used again.
    pub refused: Option<Secret>,
    /// The approval key was renewed since a registration was last in force.
    pub is_renewed: bool,
    pub state: State,
    pub backoff: Backoff,
    /// Registrations in a row that went unanswered.
    pub unanswered: u8,
    /// Since when every registration is answered.
    pub live_since: Option<Instant>,
    /// Pairs that another line takes once they are withdrawn here.
    pub moving: Vec<Wanted>,
    /// Pairs that wait here for a place once they are withdrawn: no line has room for them.
    pub shed: Vec<Wanted>,
    /// Since when nothing is in force in session hours.
    pub down_since: Option<Instant>,
    /// A new approval key on its way, while the line goes on.
    pub renewal: Option<Receiver<Result<Secret, Failure>>>,
    /// The next message may be sent then, whatever the line did meanwhile.
    pub send_at: Instant,
    /// Nothing is asked before then: the broker refuses the line, whose pairs in force go on.
    pub held_until: Option<Instant>,
    /// How often in a row that was so.
    pub holds: u8,
    /// How often in a row another session held the app key.
    pub in_use: u8,
    /// How often in a row the broker refused the app key itself.
    pub barred: u8,
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
    Subscribing,
    /// Every registration was answered.
    Live,
    /// Close was asked for; the disconnect is awaited.
    Leaving,
    /// The broker refuses the app key again and again: not connected before the next trading day, or another list.
    Barred,
    /// For good.
    Closed,
}

/// What a connection attempt came to: the approval key to keep, and the connection or why not.
pub(super) struct Attempt {
    pub approval: Option<Secret>,
    pub outcome: Result<Box<Connection>, Failure>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Failure {
    /// For logs.
    pub text: String,
    /// In a word, for the journal.
    pub why: &'static str,
    /// Another attempt is in vain sooner.
    pub not_before: Duration,
}

impl Failure {
    pub fn new(text: String) -> Failure {
        Failure { text, why: "connection attempt failed", not_before: Duration::ZERO }
    }
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
            refused: None,
            is_renewed: false,
            state,
            backoff: Backoff::default(),
            unanswered: 0,
            live_since: None,
            moving: Vec::new(),
            shed: Vec::new(),
            down_since: None,
            renewal: None,
            send_at: Instant::now(),
            held_until: None,
            holds: 0,
            in_use: 0,
            barred: 0,
            cause: Default::default(),
        }
    }

    /// Begins the closing handshake; the line comes back by its disconnect, after its backoff. Whether it was begun now.
    pub fn leave(&mut self, reader: &ReaderHandle, code: &str, why: &'static str) -> bool {
        let is_connected = matches!(self.state, State::Subscribing | State::Live);
        let command = Command::Close { line: self.number, code: CODE_NORMAL };
        let left = is_connected && reader.send(command).is_ok();
        if left {
            self.state = State::Leaving;
            self.cause = (code.to_owned(), why);
        }
        left
    }

    /// The broker took a registration: what it had against the line is over.
    pub fn taken(&mut self) {
        (self.is_renewed, self.refused) = (false, None);
        (self.holds, self.in_use, self.barred) = (0, 0, 0);
        self.backoff.lower_floor();
    }

    /// Nothing may be asked for now.
    pub fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }

    /// Whether something is in force on it.
    pub fn lives(&self) -> bool {
        matches!(self.state, State::Subscribing | State::Live) && self.ledger.in_force() > 0
    }

    /// Whether there is something to ask that had to wait until now, or was taken for settled.
    pub fn resumes(&mut self, now: Instant) -> bool {
        if self.is_held(now) {
            return false;
        }
        self.held_until = None;
        self.ledger.wake(now);
        !self.ledger.is_settled()
    }

    /// A code that means the whole line, on which nothing is in force.
    pub fn react(&mut self, reaction: Reaction, code: &str, reader: &ReaderHandle) {
        let why = match reaction {
            Reaction::RenewKey if !std::mem::replace(&mut self.is_renewed, true) => "approval key expired",
            Reaction::InUse => {
                self.in_use = self.in_use.saturating_add(1);
                self.backoff.keep_floor(if self.in_use < IN_USE_MAX { FLOOR_IN_USE } else { FLOOR_HOPELESS });
                "app key in use"
            }
            _ => {
                self.barred = self.barred.saturating_add(1);
                self.backoff.keep_floor(if self.barred == 1 { CEILING } else { FLOOR_HOPELESS });
                "app key refused"
            }
        };
        if reaction == Reaction::RenewKey {
            self.refused = self.approval.take().or(self.refused.take());
        }
        self.leave(reader, code, why);
    }

    /// An app key that was refused is tried again.
    pub fn unbar(&mut self) {
        self.barred = 0;
        self.state = if self.ledger.wanted() == 0 { State::Idle } else { State::Waiting { until: Instant::now() } };
    }

    /// Starts an attempt on a thread of its own: it blocks on DNS, TCP, HTTP. What fails before the WebSocket is touched is
    /// not counted as a connect.
    pub fn attempt(&self, rest: &Client, ws_url: &str, config: ConnectionConfig, slot: Arc<Slot>) -> Receiver<Attempt> {
        let (sender, receiver) = bounded(1);
        let (rest, index, refused) = (rest.clone(), usize::from(self.number) - 1, self.refused.clone());
        let ws_url = ws_url.to_owned();
        let body = move || {
            let attempt = match fresh_approval(&rest, index, refused.as_ref(), APPROVAL_PATIENCE) {
                Err(failure) => Attempt { approval: None, outcome: Err(failure) },
                Ok(approval) => {
                    let dial = || {
                        connect(&ws_url, &[], CONNECT_TIMEOUT)
                            .map_err(|error| error.to_string())
                            .and_then(|shaken| Connection::prepare(shaken, &config).map_err(|error| error.to_string()))
                            .map_err(Failure::new)
                    };
                    let counted = slot.connects(wall_ns()).map_err(|error| Failure {
                        why: "connects can't be counted",
                        ..Failure::new(error.to_string())
                    });
                    Attempt { approval: Some(approval), outcome: counted.and_then(|()| dial()) }
                }
            };
            let _ = sender.send(attempt);
        };
        // When no thread can be made the sender is dropped, and the attempt is made again later.
        let _ = std::thread::Builder::new().name(format!("hoga-connect-{}", self.number)).spawn(body);
        receiver
    }

    /// Fetches a new approval key in place of the one the broker refuses, while the line goes on with what it has.
    pub fn renew(&mut self, rest: &Client) {
        self.is_renewed = true;
        self.refused = self.approval.take().or(self.refused.take());
        let (sender, receiver) = bounded(1);
        let (rest, index, refused) = (rest.clone(), usize::from(self.number) - 1, self.refused.clone());
        let body = move || {
            let _ = sender.send(fresh_approval(&rest, index, refused.as_ref(), RENEWAL_PATIENCE));
        };
        // When no thread can be made the sender is dropped, and the key fetched later.
        let _ = std::thread::Builder::new().name(format!("hoga-approve-{}", self.number)).spawn(body);
        self.renewal = Some(receiver);
    }
}

/// The one place that asks for an approval key. The one that is kept serves as long as it is valid and not `refused`: so it
/// is asked for neither once for good nor for each attempt.
fn fresh_approval(
    rest: &Client,
    account: usize,
    refused: Option<&Secret>,
    patience: Duration,
) -> Result<Secret, Failure> {
    let keys = rest.keys(account).ok_or_else(|| Failure::new("the account has no keys".to_owned()))?;
    keys.approval_key(refused, Instant::now() + patience).map_err(|error| {
        let (why, not_before) = match &error {
            KeyError::TooSoon { wait, .. } => ("approval key asked for a moment ago", *wait),
            // The broker stands by the key that it refuses: its reason is another one, and asking on changes nothing.
            KeyError::SameAgain { .. } => ("app key refused", CEILING),
            _ => ("connection attempt failed", Duration::ZERO),
        };
        Failure { text: error.to_string(), why, not_before }
    })
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
