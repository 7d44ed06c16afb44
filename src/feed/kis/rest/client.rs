//! The client: a call takes its turn, is sent with a valid token, and is repeated where the table of codes says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};

use super::RestError;
use super::agent::{Agent, Reply, Unreached};
use super::answer::{self, Answer};
use super::breaker::{Breaker, BreakerState, Pass};
use super::codes::Reaction;
use super::counters::{AppKeyReport, Counters, Event, Report};
use super::endpoints::Endpoint;
use super::keys::{KeyError, Keys, scrub};
use super::pacer::{Pacer, Priority};
use super::pages::Pages;
use super::settings::{RestSection, is_mock};
use crate::feed::kis::session::Account;
use crate::secret::{Credentials, Secret};

/// Longest wait between two repetitions.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// Idle connections kept for each app key: calls that wait for the server overlap a little.
const CONNECTIONS_PER_KEY: usize = 4;
/// How many times as long backfill may wait.
const BACKFILL_PATIENCE: u32 = 10;

/// REST of KIS over all app keys. Cheap to clone; clones share pace, tokens and connections. Calls block: for cold threads.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    priority: Priority,
    patience: Duration,
}

#[derive(Debug)]
struct Shared {
    agent: Arc<Agent>,
    breaker: Breaker,
    lanes: Vec<Lane>,
    next: AtomicUsize,
    counters: Arc<Counters>,
    retries_max: u32,
    retry_delay: Duration,
}

/// One app key.
#[derive(Debug)]
struct Lane {
    name: String,
    credentials: Credentials,
    keys: Keys,
    pacer: Pacer,
    /// The broker refused the app key itself.
    refused: AtomicBool,
}

/// What one attempt came to.
enum Attempt {
    Done(Answer),
    /// The server was not reached, or answered without a word of the broker.
    Unreached(RestError),
    /// Somebody before the broker refused; asked again, they refuse again.
    Barred(RestError),
    /// The broker refused.
    Refused(RestError, Reaction),
}

impl Client {
    /// A client of one server for some app keys. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// There is no app key, or one is named twice; the address would let secrets be read on their way; the folder of keys
    /// can't be used.
    pub fn new(rest_url: &str, accounts: &[Account], settings: &RestSection) -> Result<Client, RestError> {
        Client::with_part(rest_url, accounts, settings, 1.0)
    }

    /// A client that keeps to a part of the pace, and leaves the rest to others with the same app keys.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub(crate) fn with_part(
        rest_url: &str,
        accounts: &[Account],
        settings: &RestSection,
        part: f64,
    ) -> Result<Client, RestError> {
        if accounts.is_empty() {
            return Err(RestError::NoAppKey(": name one in [[kis.account]]".to_owned()));
        }
        if let Some((one, other)) = same_app_key(accounts) {
            return Err(RestError::SameAppKey { one: one.to_owned(), other: other.to_owned() });
        }
        let agent = Arc::new(Agent::new(rest_url, settings, accounts.len() * CONNECTIONS_PER_KEY));
        let counters = Arc::new(Counters::default());
        let lane = |account: &Account| {
            let credentials = account.credentials.clone();
            let keys = Keys::with(Arc::clone(&agent), Arc::clone(&counters), credentials.clone(), settings)?;
            let turns = keys.turns_path();
            let pacer = Pacer::new(settings.pace(rest_url), part, Some(&turns));
            let pacer = pacer.map_err(|source| KeyError::File { path: turns, source })?;
            Ok(Lane { name: account.name.clone(), credentials, keys, pacer, refused: AtomicBool::new(false) })
        };
        let lanes = accounts.iter().map(lane).collect::<Result<Vec<Lane>, KeyError>>()?;
        let breaker = Breaker::new(settings.breaker_failures, Duration::from_millis(settings.breaker_pause_ms));
        let shared = Shared {
            agent,
            breaker,
            lanes,
            next: AtomicUsize::new(0),
            counters,
            retries_max: settings.retries_max,
            retry_delay: Duration::from_millis(settings.retry_delay_ms),
        };
        let patience = Duration::from_secs(settings.call_timeout_s);
        Ok(Client { shared: Arc::new(shared), priority: Priority::default(), patience })
    }

    /// The same client, whose calls have another priority. Those of backfill may wait ten times as long.
    pub fn with_priority(&self, priority: Priority) -> Client {
        Client { priority, ..self.clone() }
    }

    /// The same client, whose calls may take so long in all.
    pub fn with_patience(&self, patience: Duration) -> Client {
        Client { patience, ..self.clone() }
    }

    /// Calls any endpoint by its short name (`domestic-stock/inquire-price`) or path. Parameters may be in any order and
    /// case; those left out are sent blank.
    ///
    /// # Errors
    ///
    /// What was wrong with names, keys, network, pace or answer. Whatever the broker allows to repeat has been.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn quote(client: &hoga::feed::kis::rest::Client) -> Result<(), hoga::feed::kis::rest::RestError> {
    /// let parameters = [("FID_COND_MRKT_DIV_CODE", "J"), ("FID_INPUT_ISCD", "005930")];
    /// let answer = client.call("domestic-stock/inquire-price", &parameters)?;
    /// println!("{}", answer.row("output")?.text("stck_prpr")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self, name: &str, parameters: &[(&str, &str)]) -> Result<Answer, RestError> {
        let endpoint = Endpoint::find(name)?;
        self.ask(endpoint, &endpoint.complete(parameters)?, false)
    }

    /// Calls an endpoint page by page, at most `pages_max` of them; when more follow, the last item says so.
    ///
    /// # Errors
    ///
    /// Names that don't exist. What happens to a page is an item of the iterator.
    pub fn pages(&self, name: &str, parameters: &[(&str, &str)], pages_max: usize) -> Result<Pages, RestError> {
        let endpoint = Endpoint::find(name)?;
        Ok(Pages::new(self.clone(), endpoint, endpoint.complete(parameters)?, pages_max))
    }

    /// Counts, breaker and app keys.
    pub fn report(&self) -> Report {
        let app_key = |lane: &Lane| AppKeyReport {
            name: lane.name.clone(),
            calls_per_second: lane.pacer.rate(),
            refused: lane.refused.load(Ordering::Relaxed),
        };
        Report {
            counts: self.shared.counters.counts(),
            breaker: self.breaker(),
            app_keys: self.shared.lanes.iter().map(app_key).collect(),
        }
    }

    /// The breaker of the server.
    pub fn breaker(&self) -> BreakerState {
        self.shared.breaker.state(Instant::now())
    }

    /// Token and approval key of an account, by its place in the configuration.
    pub fn keys(&self, account: usize) -> Option<&Keys> {
        self.shared.lanes.get(account).map(|lane| &lane.keys)
    }

    /// Where the day's call for the broker's calendar is noted: beside the keys of the first app key.
    #[cfg(feature = "cli")] // for downloads alone
    pub(crate) fn holiday_note(&self) -> crate::feed::kis::holiday_note::HolidayNote {
        use crate::feed::kis::holiday_note::HolidayNote;
        use crate::feed::kis::session::budget::Budget;
        // There is at least one, or there would be no client.
        let lane = &self.shared.lanes[0];
        HolidayNote::new(lane.keys.folder(), &Budget::name(&lane.credentials.app_key))
    }

    /// Whether the server is the broker's for paper trading.
    pub fn is_mock(&self) -> bool {
        is_mock(self.shared.agent.base())
    }

    /// The usable app key whose queue is shortest; of equals the next in turn.
    fn lane(&self) -> Result<&Lane, RestError> {
        let lanes = &self.shared.lanes;
        let first = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..lanes.len()).filter_map(|step| lanes.get((first + step) % lanes.len()));
        let usable = in_turn.filter(|lane| !lane.refused.load(Ordering::Relaxed));
        usable
            .map(|lane| (lane.pacer.queue_seconds(self.priority), lane))
            .reduce(|best, other| if other.0 < best.0 { other } else { best })
            .map(|(_, lane)| lane)
            .ok_or_else(|| RestError::NoAppKey(": the broker refused each of them; see the log".to_owned()))
    }

    /// The usable app key after another in the order of the configuration.
    fn after(&self, lane: &Lane) -> Result<&Lane, RestError> {
        let lanes = &self.shared.lanes;
        let at = lanes.iter().position(|other| std::ptr::eq(other, lane)).unwrap_or_default();
        let next = (1..=lanes.len()).filter_map(|step| lanes.get((at + step) % lanes.len()));
        let mut usable = next.filter(|lane| !lane.refused.load(Ordering::Relaxed));
        usable.next().map_or_else(|| self.lane(), Ok)
    }

    /// One call with all its repetitions.
    pub(super) fn ask(
        &self,
        endpoint: &'static Endpoint,
        parameters: &[(String, String)],
        next_page: bool,
    ) -> Result<Answer, RestError> {
        let shared = &*self.shared;
        let patience =
            if self.priority == Priority::Backfill { self.patience * BACKFILL_PATIENCE } else { self.patience };
        let deadline = Instant::now() + patience;
        let too_slow = || RestError::TooSlow { what: endpoint.name(), seconds: patience.as_secs() };
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(shared.retry_delay)
            .with_max_delay(DELAY_MAX)
            .with_max_times(shared.retries_max as usize)
            .build();
        let mut lane = self.lane()?;
        let mut refused: Option<Secret> = None;
        let mut waiting = 0;
        loop {
            let open = |retry_in| {
                shared.counters.add(Event::NotTried);
                RestError::CircuitOpen { what: endpoint.name(), host: shared.agent.base().to_owned(), retry_in }
            };
            if let Some(retry_in) = shared.breaker.left_alone(Instant::now()) {
                return Err(open(retry_in));
            }
            // While an app key waits for the minute of its token to pass, another may serve.
            let last = waiting + 1 >= shared.lanes.len();
            let token = match lane.keys.token(refused.as_ref(), if last { deadline } else { Instant::now() }) {
                Err(KeyError::Refused { code, .. }) if self.drop_lane(lane, &code) => {
                    lane = self.lane()?;
                    continue;
                }
                Err(KeyError::TooSoon { .. }) if !last => {
                    waiting += 1;
                    refused = None;
                    lane = self.after(lane)?;
                    continue;
                }
                Err(error @ KeyError::Transport { perhaps_sent, .. }) => {
                    if let Ok(pass) = shared.breaker.enter(Instant::now()) {
                        self.unreached(pass);
                    }
                    // What was not sent may be sent again.
                    let delay = if perhaps_sent { None } else { delays.next() };
                    let wait = delay.map(|delay| delay.mul_f64(fastrand::f64()));
                    match wait.filter(|wait| Instant::now() + *wait <= deadline) {
                        Some(wait) => std::thread::sleep(wait),
                        None => return Err(error.into()),
                    }
                    continue;
                }
                token => token?,
            };
            lane.pacer.acquire(self.priority, deadline).map_err(|_| too_slow())?;
            let pass = shared.breaker.enter(Instant::now()).map_err(open)?;
            let begun = Instant::now();
            shared.counters.add(Event::Request);
            let reply =
                shared.agent.query(endpoint.path, endpoint.tr_id, parameters, next_page, &lane.credentials, &token);
            let attempt = read(endpoint, reply, &lane.credentials, &token);
            match &attempt {
                Attempt::Unreached(_) | Attempt::Barred(_) => self.unreached(pass),
                _ => pass.reached(),
            }
            let took_ms = begun.elapsed().as_millis() as u64;
            let (error, reaction) = match attempt {
                Attempt::Done(answer) => {
                    tracing::debug!(endpoint = answer.endpoint, account = lane.name, took_ms, "answered");
                    return Ok(answer);
                }
                Attempt::Unreached(error) => (error, Reaction::Retry),
                Attempt::Barred(error) => (error, Reaction::GiveUp),
                Attempt::Refused(error, reaction) => {
                    shared.counters.add(Event::Refusal);
                    (error, reaction)
                }
            };
            tracing::warn!(account = lane.name, took_ms, reaction = reaction.words(), %error, "call failed");
            let wait = match reaction {
                // The pace is the wait.
                Reaction::SlowDown => {
                    shared.counters.add(Event::TooFast);
                    lane.pacer.refused();
                    if delays.next().is_none() {
                        return Err(error);
                    }
                    Duration::ZERO
                }
                Reaction::RenewToken if refused.is_none() => {
                    refused = Some(token);
                    Duration::ZERO
                }
                Reaction::Retry => match delays.next() {
                    // Full jitter: clients that failed together come back apart.
                    Some(delay) => delay.mul_f64(fastrand::f64()),
                    None => return Err(error),
                },
                Reaction::DropKey if error.code().is_some_and(|code| self.drop_lane(lane, code)) => Duration::ZERO,
                _ => return Err(error),
            };
            if Instant::now() + wait > deadline {
                return Err(error);
            }
            std::thread::sleep(wait);
            shared.counters.add(Event::Retry);
            // A new token is of the app key that was refused; all else may go another way.
            if refused.is_none() || reaction != Reaction::RenewToken {
                lane = self.lane()?;
                refused = None;
            }
        }
    }

    fn unreached(&self, pass: Pass<'_>) {
        let shared = &*self.shared;
        shared.counters.add(Event::Unreached);
        if pass.failed(Instant::now()) {
            shared.counters.add(Event::BreakerOpened);
            tracing::warn!(
                host = shared.agent.base(),
                "the server was not reached, or did not answer as the broker; calls pause"
            );
        }
    }

    /// Takes an app key out of use when a code says that it is wrong; whether there is another.
    fn drop_lane(&self, lane: &Lane, code: &str) -> bool {
        if Reaction::to(code) != Reaction::DropKey {
            return false;
        }
        lane.refused.store(true, Ordering::Relaxed);
        tracing::error!(account = lane.name, code, "the broker refuses the app key; it is not used any more");
        self.shared.lanes.iter().any(|lane| !lane.refused.load(Ordering::Relaxed))
    }
}

/// The names of two accounts with one app key, where there are such.
pub(crate) fn same_app_key(accounts: &[Account]) -> Option<(&str, &str)> {
    accounts.iter().enumerate().find_map(|(at, one)| {
        let mut others = accounts.get(at + 1..)?.iter();
        let other = others.find(|other| other.credentials.app_key == one.credentials.app_key)?;
        Some((one.name.as_str(), other.name.as_str()))
    })
}

/// Judges what came back.
fn read(endpoint: &Endpoint, reply: Result<Reply, Unreached>, credentials: &Credentials, token: &Secret) -> Attempt {
    let what = endpoint.name();
    let mut reply = match reply {
        Ok(reply) => reply,
        Err(Unreached { message, .. }) => return Attempt::Unreached(RestError::Transport { what, message }),
    };
    let status = reply.status;
    let body = match answer::parse(&mut reply.body) {
        Ok(body) => body,
        // A page of something before the broker: a proxy that finds no way may find one later, one that refuses does not.
        Err(message) => {
            let error = RestError::Unreadable { what, status, message };
            return if (400..500).contains(&status) { Attempt::Barred(error) } else { Attempt::Unreached(error) };
        }
    };
    match answer::refusal(&body) {
        Some(refusal) => {
            let text = scrub(refusal.text, credentials, Some(token));
            let reaction = Reaction::to(&refusal.code);
            Attempt::Refused(RestError::Refused { what, status, code: refusal.code, text }, reaction)
        }
        None if status == 200 && answer::succeeded(&body) => {
            Attempt::Done(Answer { endpoint: what, body, more: reply.more })
        }
        None => {
            let message = "it says neither that the call succeeded nor why not".to_owned();
            Attempt::Refused(RestError::Unreadable { what, status, message }, Reaction::GiveUp)
        }
    }
}
