//! The manager: all lines, stepped in turn by one thread.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, TryRecvError};
use crossbeam::queue::ArrayQueue;

use super::super::control::is_notice;
use super::super::notices::{Answered, Notices};
use super::super::rest::{Client, is_mock};
use super::super::snapshots::Snapshots;
use super::answers::Answers;
use super::backoff::{CEILING, STABLE, unit_random};
use super::care::Care;
use super::churn::Churn;
use super::guard::{Guard, Held};
use super::ledger::{Ledger, Outcome, Registration, Wanted};
use super::line::{Account, Attempt, BARRED_MAX, Failure, Line, LineState, State, message};
use super::plan::{Plan, plan, wanted};
use super::records::{Cold, shown};
use super::watchdog::Watchdog;
use super::witness::Witness;
use crate::clock::{MarketClock, wall_ns};
use crate::config::{Config, KisSection, KisSubscription};
use crate::market::calendar::Calendar;
use crate::metrics::{ConnectionWatch, Counter};
use crate::net::{Command, ConnectionConfig, ReaderHandle};
use crate::secret::Secret;
use crate::stage::Rest;
use crate::tick::SessionEvent;

/// The manager's pause between two rounds while registrations are under way.
const ROUND_BUSY: Duration = Duration::from_micros(500);
/// The manager's pause between two rounds otherwise.
const ROUND_IDLE: Duration = Duration::from_millis(10);

/// Registrations that go unanswered in a row, with none in force, before the connection is taken for dead.
const UNANSWERED_MAX: u8 = 3;

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

/// The registrations of account notices, and the line that carries them: that of the customer's own app key.
#[derive(Debug, Default)]
pub(super) struct Notice {
    pub(super) pairs: Vec<Registration>,
    pub(super) line: usize,
    pub(super) answers: Answers,
}

impl Notice {
    fn of(kis: &KisSection, hts_id: Option<&Secret>) -> Notice {
        let names: Vec<String> = kis.account.iter().map(|account| account.name.clone()).collect();
        match (&kis.notices, hts_id) {
            (Some(section), Some(id)) => Notice {
                pairs: section.registrations(&kis.rest_url, id),
                line: section.account_index(&names),
                ..Notice::default()
            },
            _ => Notice::default(),
        }
    }

    /// These before the pairs of market data, which are never in their place.
    fn before(&self, market: Vec<Wanted>) -> Vec<Wanted> {
        let own = self.pairs.iter().map(|pair| Wanted { registration: pair.clone(), priority: u8::MAX });
        own.chain(market).collect()
    }
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

/// Where the manager meets the rest of the engine.
#[expect(missing_debug_implementations, reason = "holds a closure and the ends of queues")]
pub struct Seams {
    /// The owner of the sockets.
    pub reader: ReaderHandle,
    /// REST of the same accounts: approval keys.
    pub rest: Client,
    /// Trading days and hours.
    pub calendar: Arc<Calendar>,
    /// Tells hot threads to park while no session is near.
    pub parking: Rest,
    /// Snapshots of symbols whose line is down, to the data path.
    pub snapshots: Arc<Snapshots>,
    /// HTS id of account notices, if they are asked for.
    pub hts_id: Option<Secret>,
    /// Answers and losses, from the data path.
    pub notices: Arc<Notices>,
    /// Approval keys, to be kept out of the journal.
    pub secrets: Arc<ArrayQueue<Secret>>,
    /// Records and counters.
    pub cold: Cold,
    /// Told of each change of a line.
    pub observer: LineObserver,
    /// When messages came, by line.
    pub traffic: Vec<ConnectionWatch>,
    /// New lists of what to record.
    pub changes: Receiver<Vec<KisSubscription>>,
    /// The journal's folder: where ticks are seen, and connects kept.
    pub dir: PathBuf,
    /// Market time: phases, and how fast the venue's clock runs.
    pub market: MarketClock,
}

/// The manager; [`run`](Self::run) is its thread's body.
pub struct SessionManager {
    pub(super) lines: Vec<Line>,
    pub(super) seams: Seams,
    pub(super) guards: Vec<Guard>,
    pub(super) churn: Churn,
    pub(super) watchdog: Watchdog,
    pub(super) care: Care,
    pub(super) of_notices: Notice,
    ws_url: String,
    pace: Duration,
    registrations_max: usize,
    connection: ConnectionConfig,
    pub(super) leave: Leave,
    progress: Progress,
}

impl std::fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionManager").field("lines", &self.lines.len()).field("progress", &self.progress).finish()
    }
}

impl SessionManager {
    /// A manager of one line for each account, with numbers from 1. Lines without registrations are not connected.
    pub fn new(
        config: &Config,
        accounts: Vec<Account>,
        connection: ConnectionConfig,
        leave: Leave,
        mut seams: Seams,
    ) -> SessionManager {
        let kis = &config.kis;
        let session = &kis.session;
        let of_notices = Notice::of(kis, seams.hts_id.as_ref());
        let mut current = vec![Vec::new(); accounts.len()];
        if let Some(carrier) = current.get_mut(of_notices.line) {
            carrier.clone_from(&of_notices.pairs);
        }
        let all = of_notices.before(wanted(&kis.subscribe));
        let Plan { lines, left_out } = plan(&current, all, kis.max_registrations);
        let scale = seams.market.scale;
        let lines: Vec<Line> = accounts
            .into_iter()
            .zip(lines)
            .zip(1_u16..)
            .map(|((account, wanted), number)| {
                Line::new(number, account, Ledger::new(wanted, kis.max_registrations, scale))
            })
            .collect();
        let traffic = std::mem::take(&mut seams.traffic);
        let change_window = Duration::from_secs(session.change_window_s).div_f64(seams.market.scale);
        let care = Care::new(config, &lines, &seams);
        let mut watchdog = Watchdog::new(session, &seams.dir, seams.market, Arc::clone(&seams.calendar), traffic);
        // The broker's mock server has no volumes to ask for.
        if !is_mock(&kis.rest_url) {
            watchdog.ask(Witness::new(&seams.rest));
        }
        let manager = SessionManager {
            guards: lines.iter().map(|line| Guard::new(config, line, seams.market.scale)).collect(),
            churn: Churn::new(session.changes_max, change_window),
            watchdog,
            care,
            of_notices,
            progress: Progress { wanted: lines.iter().map(|line| line.ledger.wanted()).sum(), ..Progress::default() },
            lines,
            ws_url: kis.ws_url.clone(),
            pace: Duration::from_millis(kis.subscribe_pace_ms),
            registrations_max: kis.max_registrations,
            connection,
            leave,
            seams,
        };
        manager.tell_left_out(&left_out);
        manager
    }

    /// Keeps the lines up until `stop` is set or [`Leave`] says so; then tells the reader to close what is open. The app keys
    /// are held until what is returned is dropped.
    pub fn run(mut self, stop: &AtomicBool) -> (Progress, Held) {
        loop {
            let mut busy = false;
            // Before the answers: those of a connection that is gone are taken before its loss.
            let losses: Vec<u32> = self.lines.iter().map(|line| self.seams.notices.losses(line.number)).collect();
            while let Some(answer) = self.seams.notices.next_answer() {
                self.answered(&answer);
            }
            for (index, losses) in losses.into_iter().enumerate() {
                self.lost(index, losses);
            }
            if let Ok(subscriptions) = self.seams.changes.try_recv() {
                self.change(&subscriptions);
            }
            for index in 0..self.lines.len() {
                busy |= self.step(index);
            }
            for finding in self.watchdog.look(Instant::now()) {
                self.found(finding);
            }
            self.take_care(Instant::now());
            let all_closed = self.lines.iter().all(|line| matches!(line.state, State::Closed | State::Idle));
            // Relaxed: a flag alone.
            if stop.load(Ordering::Relaxed) || (self.leave == Leave::WhenClosed && all_closed) {
                break;
            }
            std::thread::sleep(if busy { ROUND_BUSY } else { ROUND_IDLE });
        }
        self.end_care();
        self.seams.reader.stop();
        (self.progress, Held::of(&self.lines, self.guards))
    }

    /// The broker answered a registration.
    fn answered(&mut self, answer: &Answered) {
        let Answered { line, tr_id, tr_key, code, text } = answer;
        let Some(index) = self.lines.iter().position(|candidate| candidate.number == *line) else { return };
        let line = &mut self.lines[index];
        line.unanswered = 0;
        match line.ledger.answer(tr_id, tr_key, code) {
            Outcome::OfLine(reaction) if line.ledger.in_force() > 0 => self.refused_with_data(index, reaction, code),
            Outcome::OfLine(reaction) => {
                tracing::warn!(line = line.number, account = line.account.name, code, text, "session refused");
                line.react(reaction, code, &self.seams.reader);
            }
            outcome => {
                if outcome.is_refusal() {
                    tracing::warn!(line = line.number, tr_id, code, text, "registration refused");
                }
                self.settle(index, outcome, code);
            }
        }
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
        let blamed = line.ledger.reset();
        (line.renewal, line.held_until, line.holds) = (None, None, 0);
        line.shed.drain(..).for_each(|wanted| line.ledger.take(wanted));
        let moving = std::mem::take(&mut line.moving);
        self.watchdog.line_down(line.number);
        match blamed {
            Some(pair) if is_notice(&pair.tr_id) => {
                self.of_notices.pairs.retain(|other| *other != pair);
                tracing::error!(
                    line = self.lines[index].number,
                    pair = shown(&pair),
                    "not asked for any more: the broker closes the line over it each time; is the HTS id right?"
                );
                self.seams.cold.counters.add(Counter::RegistrationsLeftOut, 1);
                let why = "the broker closes the line over it";
                self.seams.cold.tell_pair(self.lines[index].number, SessionEvent::NoticesDropped, &pair, 0, why);
            }
            Some(pair) => self.left_out(index, &pair, "the broker closes the line over it"),
            None => {}
        }
        self.notices_lost(index);
        // What was to be withdrawn before is not in force now.
        for wanted in moving {
            self.hand_over(index, wanted);
        }
        self.count();
        let line = &mut self.lines[index];
        let held = line.live_since.take().map(|since| since.elapsed());
        if held.is_some_and(|held| held >= scaled(STABLE, self.seams.market)) {
            line.backoff.succeeded();
        }
        match self.leave {
            Leave::WhenClosed => line.state = State::Closed,
            Leave::WhenStopped if line.ledger.wanted() == 0 => line.state = State::Idle,
            Leave::WhenStopped if line.barred >= BARRED_MAX => self.bar(index),
            Leave::WhenStopped => self.back_off(index),
        }
        self.show(index);
    }

    /// The line waits before it is connected again.
    fn back_off(&mut self, index: usize) {
        let line = &mut self.lines[index];
        let (code, why) = std::mem::replace(&mut line.cause, (String::new(), "connection lost"));
        let why = if why.is_empty() { "connection lost" } else { why };
        let wait = scaled(line.backoff.next(unit_random()), self.seams.market);
        self.wait(index, wait, &code, why);
    }

    /// The line is connected in so long, by this process or the next.
    fn wait(&mut self, index: usize, wait: Duration, code: &str, why: &str) {
        let line = &mut self.lines[index];
        line.state = State::Waiting { until: Instant::now() + wait };
        let wait_ns = wait.as_nanos() as u64;
        self.guards[index].leave_alone(wall_ns().saturating_add(wait_ns));
        tracing::info!(line = line.number, account = line.account.name, ?wait, code, why, "waits before it connects");
        self.seams.cold.tell(line.number, SessionEvent::BackingOff, wait_ns, code, why);
    }

    /// Takes an outcome of the ledger into account.
    fn settle(&mut self, index: usize, outcome: Outcome, code: &str) {
        let line = &mut self.lines[index];
        match outcome {
            Outcome::InForce(pair) => {
                line.taken();
                self.watchdog.pair_in_force(line.number, &pair, Instant::now());
                self.notice_in_force(index, &pair, code);
            }
            Outcome::Withdrawn(pair) => {
                self.notice_withdrawn(index, &pair);
                self.watchdog.pair_gone(self.lines[index].number, &pair);
                self.moved_out(index, &pair);
            }
            Outcome::GivenUp(pair) => {
                self.progress.refused += 1;
                self.left_out(index, &pair, "refused by the broker");
            }
            Outcome::Postponed { pair, wait, before } => {
                self.progress.refused += usize::from(before == 0);
                let why = if code.is_empty() { "no answer".to_owned() } else { format!("refused for now, {code}") };
                tracing::warn!(line = line.number, pair = shown(&pair), ?wait, why, "not recorded meanwhile");
                let wait_ns = wait.as_nanos() as u64;
                self.seams.cold.tell_pair(line.number, SessionEvent::Postponed, &pair, wait_ns, &why);
            }
            Outcome::Shed(pair) => {
                self.progress.refused += 1;
                self.shed(index, &pair);
            }
            Outcome::Adrift => {
                line.leave(&self.seams.reader, "", "a withdrawal went unanswered");
            }
            Outcome::Again | Outcome::Unasked | Outcome::OfLine(_) => {}
        }
        self.count();
    }

    fn count(&mut self) {
        self.progress.confirmed = self.lines.iter().map(|line| line.ledger.in_force()).sum();
        self.progress.confirmed_max = self.progress.confirmed_max.max(self.progress.confirmed);
    }

    /// One step of a line; whether another should follow soon.
    fn step(&mut self, index: usize) -> bool {
        let line = &mut self.lines[index];
        match &mut line.state {
            State::Waiting { .. } if line.ledger.wanted() == 0 => {
                line.state = State::Idle;
                self.show(index);
                false
            }
            State::Waiting { until } if *until <= Instant::now() => {
                self.connect(index);
                true
            }
            State::Connecting { result } => {
                let died = || {
                    let failure = Failure::new("the attempt's thread could not be made".to_owned());
                    Attempt { approval: None, outcome: Err(failure) }
                };
                let attempt = match result.try_recv() {
                    Ok(attempt) => attempt,
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => died(),
                };
                self.attempted(index, attempt);
                true
            }
            State::Subscribing => self.subscribe(index),
            State::Live => self.resume(index),
            State::Waiting { .. } | State::Leaving | State::Barred | State::Closed | State::Idle => false,
        }
    }

    /// Begins an attempt, if the app key may connect now.
    fn connect(&mut self, index: usize) {
        if !self.may_connect(index) {
            return self.show(index);
        }
        let line = &mut self.lines[index];
        let result = line.attempt(&self.seams.rest, &self.ws_url, self.connection, self.guards[index].slot());
        line.state = State::Connecting { result };
        if line.backoff.is_retry() || self.guards[index].is_retry() {
            self.seams.cold.counters.add(Counter::Reconnects, 1);
        }
        self.show(index);
    }

    /// Takes over what an attempt came to.
    fn attempted(&mut self, index: usize, attempt: Attempt) {
        let line = &mut self.lines[index];
        if let Some(key) = &attempt.approval {
            // Before the connection on which the broker may echo it.
            self.seams.secrets.force_push(key.clone());
        }
        self.guards[index].asked_for_key(attempt.approval.is_some());
        let is_of_keys = attempt.approval.is_none();
        line.approval = attempt.approval;
        let added = attempt.outcome.and_then(|connection| {
            let command = Command::Add { line: line.number, connection };
            self.seams.reader.send(command).map_err(|_| Failure::new("the reader's command queue is full".to_owned()))
        });
        match added {
            Ok(()) => {
                line.ledger.begin();
                line.unanswered = 0;
                line.cause = Default::default();
                line.state = State::Subscribing;
                self.watchdog.line_up(line.number, Instant::now());
            }
            Err(Failure { text, why, not_before }) => {
                tracing::warn!(
                    line = line.number,
                    account = line.account.name,
                    reason = text,
                    "connection attempt failed"
                );
                self.progress.disconnects += 1;
                if is_of_keys {
                    if not_before >= CEILING {
                        // The broker stands by the key that it refused: it may take it by then.
                        line.refused = None;
                    }
                    self.key_failed(index, why, not_before);
                    return self.show(index);
                }
                line.cause.1 = why;
                if not_before < CEILING {
                    // Of the wall's clock, as the keys' interval is.
                    line.backoff.raise_floor(not_before.mul_f64(self.seams.market.scale));
                } else {
                    line.backoff.raise_floor(not_before);
                }
                self.back_off(index);
            }
        }
        self.show(index);
    }

    /// Sends the next registration or withdrawal, if it is time; whether there is more to do soon.
    fn subscribe(&mut self, index: usize) -> bool {
        let line = &mut self.lines[index];
        let now = Instant::now();
        line.ledger.wake(now);
        if let Some(outcome) = line.ledger.expire(now) {
            tracing::warn!(line = line.number, "no answer to a registration");
            line.unanswered = line.unanswered.saturating_add(1);
            if line.unanswered >= UNANSWERED_MAX && line.ledger.in_force() == 0 {
                return line.leave(&self.seams.reader, "", "no registration is answered");
            }
            self.settle(index, outcome, "");
            return true;
        }
        if line.ledger.is_settled() || line.is_held(now) {
            if line.ledger.wanted() == 0 {
                line.leave(&self.seams.reader, "", "nothing is wanted on it");
                return true;
            }
            line.state = State::Live;
            line.live_since.get_or_insert(now);
            self.watchdog.line_live(line.number, now);
            self.show(index);
            return false;
        }
        if line.approval.is_none() && line.renewal.is_none() {
            line.renew(&self.seams.rest);
        }
        if let Some(renewal) = &line.renewal {
            let renewed = match renewal.try_recv() {
                Ok(renewed) => renewed,
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => Err(Failure::new("its thread could not be made".to_owned())),
            };
            line.renewal = None;
            match renewed {
                Ok(key) => {
                    self.seams.secrets.force_push(key.clone());
                    line.approval = Some(key);
                    self.seams.cold.counters.add(Counter::ApprovalsRenewed, 1);
                    self.seams.cold.tell(line.number, SessionEvent::ApprovalRenewed, 0, "", "");
                }
                Err(Failure { text, why, not_before }) => {
                    tracing::warn!(line = line.number, reason = text, "no new approval key");
                    if line.ledger.in_force() == 0 {
                        return line.leave(&self.seams.reader, "", why);
                    }
                    if not_before >= CEILING {
                        // The broker stands by the key that it refused: it may take it later.
                        line.approval = line.refused.take();
                    }
                    self.hold(index, "", why);
                    return true;
                }
            }
        }
        if now < line.send_at {
            return true;
        }
        let mut delayed = Vec::new();
        let request = line.ledger.due().find(|request| {
            let wait = self.churn.wait(request, now);
            delayed.extend(wait.map(|wait| (request.registration.clone(), wait)));
            wait.is_none()
        });
        self.delayed(index, delayed);
        let line = &mut self.lines[index];
        let Some(request) = request else { return line.ledger.next().is_none() };
        if let Some(key) = &line.approval {
            let text = message(key, &request);
            if self.seams.reader.send(Command::Send { line: line.number, text }).is_ok() {
                let event = if request.subscribe { SessionEvent::Subscribed } else { SessionEvent::Unsubscribed };
                self.seams.cold.counters.add(Counter::RegistrationsSent, 1);
                self.seams.cold.tell_pair(line.number, event, &request.registration, 0, "");
                line.send_at = now + self.pace;
                self.churn.changed(&request, now);
                line.ledger.sent(request, now);
            }
        }
        true
    }

    /// Another list of what to record: the least difference, by each line at its own pace.
    fn change(&mut self, subscriptions: &[KisSubscription]) {
        let held: HashMap<Registration, usize> = self.held().collect();
        let is_here = |pair: &Registration, index: usize| held.get(pair).is_none_or(|holder| *holder == index);
        let of_line = |(index, line): (usize, &Line)| {
            let wanted = line.ledger.registrations().filter(|pair| is_here(pair, index)).cloned();
            let own = |(pair, holder): (&Registration, &usize)| (*holder == index).then(|| pair.clone());
            wanted.chain(held.iter().filter_map(own)).collect()
        };
        let current: Vec<Vec<Registration>> = self.lines.iter().enumerate().map(of_line).collect();
        let Plan { lines, left_out } =
            plan(&current, self.of_notices.before(wanted(subscriptions)), self.registrations_max);
        for line in &mut self.lines {
            line.moving.clear();
            line.shed.clear();
        }
        let (mut came, mut left) = (0, 0);
        for (index, mut wanted) in lines.into_iter().enumerate() {
            // In force elsewhere: it is withdrawn there first, so that no tick comes twice.
            for pair in wanted.extract_if(.., |wanted| !is_here(&wanted.registration, index)) {
                let holder = held[&pair.registration];
                self.lines[holder].moving.push(pair);
            }
            let line = &mut self.lines[index];
            let (added, removed) = line.ledger.want(wanted);
            (came, left) = (came + added, left + removed);
            match line.state {
                State::Live if !line.ledger.is_settled() || line.ledger.wanted() == 0 => {
                    line.state = State::Subscribing;
                }
                State::Idle if line.ledger.wanted() > 0 => line.state = State::Waiting { until: Instant::now() },
                State::Barred => line.unbar(),
                State::Waiting { .. } if line.ledger.wanted() == 0 => line.state = State::Idle,
                _ => {}
            }
            self.show(index);
        }
        self.progress.wanted = self.lines.iter().map(|line| line.ledger.wanted()).sum();
        tracing::info!(came, left, wanted = self.progress.wanted, "the list of what to record changed");
        let text = format!("{came} came, {left} left");
        self.seams.cold.tell(0, SessionEvent::ListChanged, self.progress.wanted as u64, "", &text);
        self.tell_left_out(&left_out);
    }

    /// Pairs that are in force, or asked for, whether they are wanted or not, each with its line.
    fn held(&self) -> impl Iterator<Item = (Registration, usize)> {
        let of_line =
            |(index, line): (usize, &Line)| line.ledger.held().map(move |pair| (pair, index)).collect::<Vec<_>>();
        self.lines.iter().enumerate().flat_map(of_line)
    }

    /// A pair is wanted and not registered.
    pub(super) fn left_out(&self, index: usize, pair: &Registration, why: &str) {
        let line = self.lines[index].number;
        tracing::warn!(line, pair = shown(pair), why, "not recorded");
        self.seams.cold.counters.add(Counter::RegistrationsLeftOut, 1);
        self.seams.cold.tell_pair(line, SessionEvent::LeftOut, pair, 0, why);
    }

    /// Pairs for which the plan had no place.
    fn tell_left_out(&self, pairs: &[Wanted]) {
        for Wanted { registration, priority } in pairs {
            tracing::warn!(pair = shown(registration), priority, "not recorded: no app key has room");
            self.seams.cold.counters.add(Counter::RegistrationsLeftOut, 1);
            self.seams.cold.tell_pair(0, SessionEvent::LeftOut, registration, 0, "no app key has room");
        }
    }

    pub(super) fn show(&mut self, index: usize) {
        let line = &self.lines[index];
        let state = match line.state {
            State::Waiting { .. } => LineState::Backoff,
            State::Connecting { .. } => LineState::Connecting,
            State::Subscribing => LineState::Subscribing,
            State::Live | State::Leaving => LineState::Live,
            State::Barred | State::Closed | State::Idle => LineState::Closed,
        };
        (self.seams.observer)(line.number, state, line.ledger.wanted(), line.ledger.in_force());
    }
}

/// A time of the venue's clock as wall time.
pub(super) fn scaled(time: Duration, market: MarketClock) -> Duration {
    time.div_f64(market.scale)
}
