//! The session manager of KIS: connections, registrations, reconnects. Cold: one thread, never on the tick path.
//!
//! One app key is one connection (*line*). The manager spreads the wanted registrations over the lines, asks for an
//! approval key, connects, registers one pair at a time, paced, each after the answer to the one before (an error names no
//! registration, so only the pending one can be meant), and keeps a ledger of what the broker confirmed. A lost line comes
//! back after a backoff with jitter, never faster: the broker blocks connect loops.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use crossbeam::channel::{Receiver, TryRecvError, bounded};
use crossbeam::queue::ArrayQueue;

use super::control::is_notice;
use super::ledger::{Ledger, Outcome, Registration};
use super::notices::{Answered, Notices};
use super::rest::approval_key;
use crate::clock::wall_ns;
use crate::config::KisSection;
use crate::metrics::{Counter, Counters};
use crate::net::{Command, Connection, ConnectionConfig, ReaderHandle, connect};
use crate::secret::{Credentials, Secret};
use crate::tick::{Header, RType, Session, SessionEvent, boxed_record, tr_number};

/// Longest a connection attempt may take, each of its steps.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shortest wait before a line is connected again.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Shortest wait when the broker says that the app key is in use: the old slot lingers, and knocking keeps it alive.
const BACKOFF_IN_USE: Duration = Duration::from_secs(20);
/// Longest wait before a line is connected again.
const BACKOFF_MAX: Duration = Duration::from_secs(120);
/// An approval key older than this is not used again (valid 24 hours).
const APPROVAL_AGE_MAX: Duration = Duration::from_secs(23 * 3600);
/// Longest the manager waits for room in the journal's inbox.
const INBOX_WAIT: Duration = Duration::from_millis(200);
/// The manager's pause between two rounds while registrations are under way.
const ROUND_BUSY: Duration = Duration::from_micros(500);
/// The manager's pause between two rounds otherwise.
const ROUND_IDLE: Duration = Duration::from_millis(10);

/// One account of the plan.
#[derive(Clone, Debug)]
pub struct Account {
    /// Name for logs.
    pub name: String,
    /// App key and secret.
    pub credentials: Credentials,
}

/// What became of the registrations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Wanted on all lines.
    pub wanted: usize,
    /// Confirmed by the broker, at most at one time.
    pub confirmed_max: usize,
    /// Confirmed by the broker.
    pub confirmed: usize,
    /// Refused by the broker.
    pub refused: usize,
    /// Connections lost, or attempts that failed.
    pub disconnects: usize,
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
    /// Closed for good.
    Closed,
}

/// What a cold thread needs to be seen: records for the journal's inbox, counters.
#[derive(Debug)]
pub struct Cold {
    /// Finished records waiting for the one writer.
    pub inbox: Arc<ArrayQueue<Box<[u64]>>>,
    /// The manager's own block.
    pub counters: Counters,
}

/// Told of each change of a line: its number, state, wanted and confirmed registrations.
pub type LineObserver = Box<dyn FnMut(u16, LineState, usize, usize) + Send>;

/// When the manager leaves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Only when told to: lost lines come back.
    WhenStopped,
    /// When the venue closed every line (a simulated market ends so).
    WhenClosed,
}

/// The manager; [`run`](Self::run) is its thread's body.
pub struct SessionManager {
    lines: Vec<Line>,
    reader: ReaderHandle,
    notices: Arc<Notices>,
    secrets: Arc<ArrayQueue<Secret>>,
    cold: Cold,
    rest_url: String,
    ws_url: String,
    pace: Duration,
    connection: ConnectionConfig,
    leave: Leave,
    observer: LineObserver,
    progress: Progress,
}

impl std::fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionManager").field("lines", &self.lines.len()).field("progress", &self.progress).finish()
    }
}

struct Line {
    number: u16,
    /// Its losses taken into account, as counted by [`Notices::losses`].
    losses: u32,
    account: Account,
    ledger: Ledger,
    approval: Option<(Secret, Instant)>,
    state: State,
    failures: u32,
    backoff_floor: Duration,
}

enum State {
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
struct Attempt {
    approval: Option<(Secret, Instant)>,
    outcome: Result<Box<Connection>, String>,
}

/// Spreads the registrations over `accounts` lines evenly, at most the configured number on each. All of one key go
/// to one line where they fit, so that trade and book of a symbol share its order.
pub fn spread(kis: &KisSection, accounts: usize) -> Vec<Vec<Registration>> {
    let mut all: Vec<Registration> = kis
        .subscribe
        .iter()
        .flat_map(|subscription| {
            let tr = subscription.tr.clone();
            subscription.keys.iter().map(move |key| Registration { tr_id: tr.clone(), tr_key: key.clone() })
        })
        .collect();
    all.sort_by(|left, right| left.tr_key.cmp(&right.tr_key));
    let mut queue = VecDeque::from(all);
    let max = kis.max_registrations;
    let share = queue.len().div_ceil(accounts.max(1)).min(max);
    let mut lines: Vec<Vec<Registration>> = Vec::new();
    for left in (0..accounts).rev() {
        // What the lines after this one can't take has to go here.
        let least = queue.len().saturating_sub(left * max);
        let mut line: Vec<Registration> = queue.drain(..share.max(least).min(queue.len())).collect();
        while line.len() < max
            && queue.front().is_some_and(|next| line.last().is_some_and(|last| last.tr_key == next.tr_key))
        {
            line.extend(queue.pop_front());
        }
        lines.push(line);
    }
    lines
}

impl SessionManager {
    /// A manager of one line for each account, with numbers from 1. Lines without registrations are not connected.
    ///
    /// `notices` come from the data path; approval keys go to `secrets`, so that it can keep them out of the journal.
    #[expect(clippy::too_many_arguments, reason = "each is a seam to another thread, named at the one call")]
    pub fn new(
        kis: &KisSection,
        accounts: Vec<Account>,
        connection: ConnectionConfig,
        leave: Leave,
        reader: ReaderHandle,
        notices: Arc<Notices>,
        secrets: Arc<ArrayQueue<Secret>>,
        cold: Cold,
        observer: LineObserver,
    ) -> SessionManager {
        let plans = spread(kis, accounts.len());
        let now = Instant::now();
        let lines: Vec<Line> = accounts
            .into_iter()
            .zip(plans)
            .zip(1_u16..)
            .filter(|((_, plan), _)| !plan.is_empty())
            .map(|((account, wanted), number)| Line {
                number,
                losses: 0,
                account,
                ledger: Ledger::new(wanted),
                approval: None,
                state: State::Waiting { until: now },
                failures: 0,
                backoff_floor: BACKOFF_MIN,
            })
            .collect();
        let progress =
            Progress { wanted: lines.iter().map(|line| line.ledger.wanted().len()).sum(), ..Progress::default() };
        SessionManager {
            lines,
            reader,
            notices,
            secrets,
            cold,
            rest_url: kis.rest_url.clone(),
            ws_url: kis.ws_url.clone(),
            pace: Duration::from_millis(kis.subscribe_pace_ms),
            connection,
            leave,
            observer,
            progress,
        }
    }

    /// Keeps the lines up until `stop` is set or [`Leave`] says so; then tells the reader to close what is open.
    pub fn run(mut self, stop: &AtomicBool) -> Progress {
        loop {
            let mut busy = false;
            // Before the answers: those of a connection that is gone are taken before its loss.
            let losses: Vec<u32> = self.lines.iter().map(|line| self.notices.losses(line.number)).collect();
            while let Some(answer) = self.notices.next_answer() {
                self.answered(&answer);
            }
            for (index, losses) in losses.into_iter().enumerate() {
                self.lost(index, losses);
            }
            for index in 0..self.lines.len() {
                busy |= self.step(index);
            }
            let all_closed = self.lines.iter().all(|line| matches!(line.state, State::Closed));
            // Relaxed: a flag alone.
            if stop.load(Ordering::Relaxed) || (self.leave == Leave::WhenClosed && all_closed) {
                break;
            }
            std::thread::sleep(if busy { ROUND_BUSY } else { ROUND_IDLE });
        }
        self.reader.stop();
        self.progress
    }

    /// The broker answered a registration.
    fn answered(&mut self, answer: &Answered) {
        let Answered { line, tr_id, tr_key, code, text, active } = answer;
        let Some(index) = self.lines.iter().position(|candidate| candidate.number == *line) else { return };
        let line = &mut self.lines[index];
        let outcome = line.ledger.answer(tr_id, tr_key, code, *active);
        if !*active {
            tracing::warn!(line = line.number, tr_id, code, text, "registration refused");
        }
        // Both mean the whole app key: going on would only knock at a closed door.
        match code.as_str() {
            "OPSP8996" => line.backoff_floor = BACKOFF_IN_USE,
            "OPSP0011" => line.approval = None,
            _ => {}
        }
        if matches!(code.as_str(), "OPSP8996" | "OPSP0011") {
            line.leave(&self.reader);
        }
        self.settle(index, outcome);
        self.show(index);
    }

    /// The line's connection was lost, if its count says so.
    fn lost(&mut self, index: usize, losses: u32) {
        let line = &mut self.lines[index];
        let lost = losses.wrapping_sub(std::mem::replace(&mut line.losses, losses));
        if lost == 0 {
            return;
        }
        self.progress.disconnects += lost as usize;
        line.ledger.reset();
        match self.leave {
            Leave::WhenClosed => line.state = State::Closed,
            Leave::WhenStopped => line.back_off(),
        }
        self.show(index);
    }

    /// Takes an outcome of the ledger into account.
    fn settle(&mut self, index: usize, outcome: Outcome) {
        let line = &self.lines[index];
        if let Outcome::Refused(place) = outcome {
            self.progress.refused += 1;
            let Registration { tr_id, tr_key } = &line.ledger.wanted()[place];
            // The key of account notices names the account.
            let key = if is_notice(tr_id) { "***" } else { tr_key };
            tracing::warn!(line = line.number, tr_id, key, "not recorded: the broker did not take the registration");
        }
        self.progress.confirmed = self.lines.iter().map(|line| line.ledger.confirmed()).sum();
        self.progress.confirmed_max = self.progress.confirmed_max.max(self.progress.confirmed);
    }

    /// One step of a line; whether another should follow soon.
    fn step(&mut self, index: usize) -> bool {
        let line = &mut self.lines[index];
        match &mut line.state {
            State::Waiting { until } if *until <= Instant::now() => {
                let result = line.attempt(&self.rest_url, &self.ws_url, self.connection);
                line.state = State::Connecting { result };
                if line.failures > 0 {
                    self.cold.counters.add(Counter::Reconnects, 1);
                }
                self.show(index);
                true
            }
            State::Connecting { result } => {
                let died =
                    || Attempt { approval: None, outcome: Err("the attempt's thread could not be made".to_owned()) };
                let attempt = match result.try_recv() {
                    Ok(attempt) => attempt,
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => died(),
                };
                if let Some((key, _)) = &attempt.approval {
                    // Before the connection on which the broker may echo it.
                    self.secrets.force_push(key.clone());
                }
                line.approval = attempt.approval;
                let added = attempt.outcome.and_then(|connection| {
                    let command = Command::Add { line: line.number, connection };
                    self.reader.send(command).map_err(|_| "the reader's command queue is full".to_owned())
                });
                match added {
                    Ok(()) => {
                        line.ledger.begin();
                        line.state = State::Subscribing { send_at: Instant::now() };
                    }
                    Err(reason) => {
                        tracing::warn!(
                            line = line.number,
                            account = line.account.name,
                            reason,
                            "connection attempt failed"
                        );
                        self.progress.disconnects += 1;
                        line.back_off();
                    }
                }
                self.show(index);
                true
            }
            State::Subscribing { send_at } => {
                let now = Instant::now();
                if let Some(outcome) = line.ledger.expire(now) {
                    tracing::warn!(line = line.number, "no answer to a registration");
                    self.settle(index, outcome);
                    return true;
                }
                if line.ledger.is_settled() {
                    line.state = State::Live;
                    // Only a line that carries something was worth connecting: else the next attempt waits longer.
                    if line.ledger.confirmed() > 0 {
                        line.failures = 0;
                        line.backoff_floor = BACKOFF_MIN;
                    }
                    self.show(index);
                    return false;
                }
                if now < *send_at {
                    return true;
                }
                if let (Some(registration), Some((key, _))) = (line.ledger.next(), &line.approval) {
                    let text = subscribe_message(key, registration);
                    if self.reader.send(Command::Send { line: line.number, text }).is_ok() {
                        self.cold.subscribed(line.number, registration);
                        line.ledger.sent(now);
                        *send_at = now + self.pace;
                    }
                }
                true
            }
            State::Waiting { .. } | State::Live | State::Leaving | State::Closed => false,
        }
    }

    fn show(&mut self, index: usize) {
        let line = &self.lines[index];
        let state = match line.state {
            State::Waiting { .. } => LineState::Backoff,
            State::Connecting { .. } => LineState::Connecting,
            State::Subscribing { .. } => LineState::Subscribing,
            State::Live | State::Leaving => LineState::Live,
            State::Closed => LineState::Closed,
        };
        (self.observer)(line.number, state, line.ledger.wanted().len(), line.ledger.confirmed());
    }
}

impl Cold {
    /// Says in the journal that a registration was sent. Waits while the inbox is full, [`INBOX_WAIT`] at most: beyond, the
    /// record is given up and counted (the answer's record follows anyway).
    fn subscribed(&self, line: u16, registration: &Registration) {
        self.counters.add(Counter::RegistrationsSent, 1);
        let mut session = Session {
            header: Header { ts_recv: wall_ns(), line, ..Header::zeroed() },
            tr: tr_number(&registration.tr_id).unwrap_or_default(),
            event: SessionEvent::Subscribed as u8,
            ..Session::zeroed()
        };
        // The key of account notices names the account.
        let key = if is_notice(&registration.tr_id) { &[] } else { registration.tr_key.as_bytes() };
        let kept = key.len().min(session.tr_key.len());
        session.tr_key[..kept].copy_from_slice(&key[..kept]);
        let begun = Instant::now();
        let mut record = boxed_record(session, RType::Session);
        while let Err(back) = self.inbox.push(record) {
            if begun.elapsed() > INBOX_WAIT {
                self.counters.add(Counter::InboxFull, 1);
                return;
            }
            record = back;
            std::thread::sleep(ROUND_BUSY);
        }
    }
}

impl Line {
    /// Begins the closing handshake; the line comes back by its disconnect, after its backoff.
    fn leave(&mut self, reader: &ReaderHandle) {
        if !matches!(self.state, State::Leaving)
            && reader.send(Command::Close { line: self.number, code: 1000 }).is_ok()
        {
            self.state = State::Leaving;
        }
    }

    /// Starts an attempt on a thread of its own: it blocks on DNS, TCP, HTTP.
    fn attempt(&self, rest_url: &str, ws_url: &str, config: ConnectionConfig) -> Receiver<Attempt> {
        let (sender, receiver) = bounded(1);
        let credentials = self.account.credentials.clone();
        let kept = self.approval.clone().filter(|(_, since)| since.elapsed() < APPROVAL_AGE_MAX);
        let (rest_url, ws_url) = (rest_url.to_owned(), ws_url.to_owned());
        let body = move || {
            let approval = match kept {
                Some(kept) => Ok(kept),
                None => approval_key(&rest_url, &credentials, CONNECT_TIMEOUT).map(|key| (key, Instant::now())),
            };
            let attempt = match approval {
                Err(error) => Attempt { approval: None, outcome: Err(error.to_string()) },
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

    /// Exponential, with a floor and jitter of a quarter.
    fn back_off(&mut self) {
        let exponential = BACKOFF_MIN.saturating_mul(1 << self.failures.min(7));
        let base = exponential.clamp(self.backoff_floor, BACKOFF_MAX);
        self.failures += 1;
        let jitter = base.mul_f64(0.25 * unit_random());
        self.state = State::Waiting { until: Instant::now() + base + jitter };
    }
}

/// A number in `0.0 .. 1.0`, from the hasher's random keys.
fn unit_random() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    (RandomState::new().hash_one(Instant::now()) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The subscribe message, as the broker documents it.
fn subscribe_message(approval: &Secret, registration: &Registration) -> Box<[u8]> {
    serde_json::json!({
        "header": { "approval_key": approval.expose(), "custtype": "P", "tr_type": "1", "content-type": "utf-8" },
        "body": { "input": { "tr_id": registration.tr_id, "tr_key": registration.tr_key } },
    })
    .to_string()
    .into_bytes()
    .into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KisSubscription;

    fn kis(trs: &[&str], keys: usize) -> KisSection {
        let keys: Vec<String> = (0..keys).map(|key| format!("{key:06}")).collect();
        KisSection {
            rest_url: String::new(),
            ws_url: String::new(),
            subscribe_pace_ms: 1,
            max_registrations: 41,
            rest: Default::default(),
            account: Vec::new(),
            subscribe: trs.iter().map(|tr| KisSubscription { tr: (*tr).to_owned(), keys: keys.clone() }).collect(),
        }
    }

    #[test]
    fn registrations_are_spread_evenly_and_none_is_left_out() {
        let plan = spread(&kis(&["H0STCNT0", "H0STASP0"], 200), 10);
        assert_eq!(plan.iter().map(Vec::len).sum::<usize>(), 400);
        assert!(plan.iter().all(|line| line.len() <= 41));
        for pair in plan.windows(2) {
            let (last, first) = (pair[0].last().unwrap(), pair[1].first().unwrap());
            assert_ne!(last.tr_key, first.tr_key, "a symbol's feeds share a line");
        }
        let full = spread(&kis(&["H0STCNT0", "H0STASP0", "H0STANC0"], 41), 3);
        assert_eq!(full.iter().map(Vec::len).collect::<Vec<_>>(), [41, 41, 41], "no room to keep feeds together");
    }

    #[test]
    fn backoff_grows_has_a_floor_and_an_end() {
        let credentials = Credentials { app_key: Secret::new("k"), app_secret: Secret::new("s") };
        let mut line = Line {
            number: 1,
            losses: 0,
            account: Account { name: String::new(), credentials },
            ledger: Ledger::new(Vec::new()),
            approval: None,
            state: State::Live,
            failures: 0,
            backoff_floor: BACKOFF_IN_USE,
        };
        let mut waits = Vec::new();
        for _ in 0..12 {
            line.back_off();
            let State::Waiting { until } = line.state else { panic!("waits") };
            waits.push(until.duration_since(Instant::now()));
        }
        assert!(waits.iter().all(|wait| *wait > BACKOFF_IN_USE - Duration::from_secs(1)));
        assert!(waits[11] > Duration::from_secs(100) && waits[11] <= BACKOFF_MAX.mul_f64(1.25));
    }

    #[test]
    fn the_subscribe_message_is_what_the_broker_documents() {
        let registration = Registration { tr_id: "H0STCNT0".to_owned(), tr_key: "005930".to_owned() };
        let text = subscribe_message(&Secret::new("KEY"), &registration);
        let message: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(message["header"]["tr_type"], "1");
        assert_eq!(message["header"]["approval_key"], "KEY");
        assert_eq!(message["body"]["input"]["tr_key"], "005930");
    }
}
