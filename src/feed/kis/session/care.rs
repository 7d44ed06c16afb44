//! What the manager does besides lines and registrations: what watchdogs found, pairs that go to another line, symbols
//! polled while their line is down, the calendar held against the broker's, threads told to park.

use std::time::{Duration, Instant};

use jiff::civil::Date;

use super::backoff::later;
use super::codes::Reaction;
use super::expect::{Expectations, Moment};
use super::holidays::{Checked, Holidays};
use super::hours::is_near;
use super::ledger::{Registration, Wanted};
use super::line::{Line, State};
use super::manager::{Seams, SessionManager, scaled};
use super::poll::{Poller, pollable};
use super::records::{Cold, shown};
use super::watchdog::Finding;
use crate::clock::wall_ns;
use crate::config::Config;
use crate::feed::kis::control::is_notice;
use crate::feed::kis::rest::is_mock;
use crate::market::kst;
use crate::market::phase::Phase;
use crate::metrics::Counter;
use crate::tick::{Publisher, SessionEvent};

/// Pause between two looks, of the venue's clock and bounded by the wall's.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_WALL_MIN: Duration = Duration::from_millis(20);

/// A trading day begins so long before the first session: broker and lists are up by then.
const DAY_LEAD: Duration = Duration::from_secs(3600);

/// What lasts from look to look.
pub(super) struct Care {
    /// Session time after which the symbols of a line that is down are polled, by the wall's clock.
    poll_after: Option<Duration>,
    poll_every_s: u64,
    poller: Poller,
    /// Snapshots of lines that are no longer polled, and those counted so far.
    taken: u64,
    counted: u64,
    holidays: Option<Holidays>,
    expectations: Expectations,
    /// How long before an opening hot threads wait as configured; `None`: always.
    wake_before: Option<Duration>,
    is_parked: bool,
    /// The trading day that was begun last.
    day: Option<Date>,
    next_look: Instant,
    look_every: Duration,
}

impl Care {
    pub fn new(config: &Config, lines: &[Line], seams: &Seams) -> Care {
        let session = &config.kis.session;
        let every = scaled(Duration::from_secs(session.poll_every_s), seams.market);
        // The broker's mock server has neither call.
        let has_calls = !is_mock(&config.kis.rest_url);
        let holidays = || {
            let folder = config.kis.rest.keys_folder()?;
            let name = &lines.first()?.key;
            Some(Holidays::new(seams.rest.clone(), seams.calendar.clone(), &folder, name))
        };
        let poll_after = Duration::from_secs(session.poll_after_s);
        Care {
            poll_after: (has_calls && !poll_after.is_zero()).then(|| scaled(poll_after, seams.market)),
            poll_every_s: session.poll_every_s,
            poller: Poller::new(&seams.rest, seams.snapshots.clone(), every),
            taken: 0,
            counted: 0,
            holidays: (has_calls && session.check_calendar).then(holidays).flatten(),
            expectations: Expectations::new(),
            wake_before: config.engine.park_when_closed.then(|| Duration::from_secs(config.engine.wake_before_open_s)),
            is_parked: false,
            day: None,
            next_look: Instant::now(),
            look_every: LOOK_EVERY.div_f64(seams.market.scale).clamp(LOOK_WALL_MIN, LOOK_EVERY),
        }
    }
}

impl Care {
    /// The symbols of a line are polled no longer, if they were.
    fn end_polling(&mut self, line: u16, cold: &Cold) {
        if let Some(taken) = self.poller.end(line) {
            self.taken += taken;
            tracing::info!(line, taken, "no more snapshots of its symbols");
            cold.tell(line, SessionEvent::PollingEnded, taken, "", "");
        }
    }
}

impl SessionManager {
    /// Looks after all that is due now and then.
    pub(super) fn take_care(&mut self, now: Instant) {
        if now < self.care.next_look {
            return;
        }
        self.care.next_look = now + self.care.look_every;
        let market_ns = self.seams.market.market_ns(wall_ns());
        if let Some(checked) = self.care.holidays.as_mut().and_then(|holidays| holidays.look(now, market_ns)) {
            self.calendar_checked(checked);
        }
        self.look_at_hours(market_ns);
        self.look_at_day(market_ns);
        self.look_at_down_lines(now, market_ns);
        self.look_at_dead_lines(now);
    }

    fn calendar_checked(&self, checked: Checked) {
        let cold = &self.seams.cold;
        let differences = match checked {
            Checked::Failed(error) => {
                return tracing::warn!(error, "the broker's calendar could not be asked for; later");
            }
            Checked::Refused(error) => return tracing::warn!(error, "no calendar of the broker today"),
            Checked::Before(differences) => {
                cold.counters.set(Counter::CalendarDifferences, differences.len() as u64);
                differences.iter().for_each(|text| tracing::warn!("calendar, as told before today: {text}"));
                return;
            }
            Checked::Now(differences) => differences,
        };
        cold.counters.add(Counter::CalendarChecks, 1);
        cold.counters.set(Counter::CalendarDifferences, differences.len() as u64);
        for text in &differences {
            tracing::warn!("calendar: {text}; correct it by kis.calendar_overrides if the broker is right");
            cold.tell(0, SessionEvent::CalendarDiffers, 1, "", text);
        }
        cold.tell(0, SessionEvent::CalendarChecked, differences.len() as u64, "", "");
    }

    /// Hot threads park while nothing subscribed to has a session, or soon will.
    fn look_at_hours(&mut self, market_ns: u64) {
        let Some(lead) = self.care.wake_before else { return };
        let pairs = self.lines.iter().flat_map(|line| line.ledger.registrations());
        // Notices of an account need no processor of their own: they may come at night, and wake the reader.
        let publishers = pairs
            .filter_map(|pair| self.care.expectations.publisher(&pair.tr_id))
            .filter(|publisher| *publisher != Publisher::KisAccount);
        let parked = !is_near(&self.seams.calendar, publishers, market_ns, lead);
        if std::mem::replace(&mut self.care.is_parked, parked) != parked {
            self.seams.parking.set(parked);
            let what = if parked {
                "no session is near: hot threads park"
            } else {
                "a session is near: hot threads wait as configured"
            };
            tracing::info!("{what}");
        }
    }

    /// What was given up for the day is asked again before the next one begins.
    fn look_at_day(&mut self, market_ns: u64) {
        let today = kst::trading_date(market_ns);
        if self.care.day == Some(today) {
            return;
        }
        let pairs = self.lines.iter().flat_map(|line| line.ledger.registrations());
        let publishers = pairs.filter_map(|pair| self.care.expectations.publisher(&pair.tr_id));
        if !is_near(&self.seams.calendar, publishers, market_ns, DAY_LEAD) {
            return;
        }
        self.care.day = Some(today);
        for index in 0..self.lines.len() {
            let line = &mut self.lines[index];
            let asks_again = line.ledger.new_day();
            match line.state {
                State::Live if asks_again => line.state = State::Subscribing,
                State::Barred => line.unbar(),
                _ => {}
            }
            self.show(index);
        }
    }

    /// Lines on which nothing is in force for long in session hours are polled until they are back.
    fn look_at_down_lines(&mut self, now: Instant, market_ns: u64) {
        let Some(poll_after) = self.care.poll_after else { return };
        let moment = Moment::at(&self.seams.calendar, market_ns);
        for line in &mut self.lines {
            let is_open = |pair: &Registration| self.care.expectations.phase(&pair.tr_id, &moment);
            let has_session = line.ledger.registrations().any(|pair| {
                pollable(pair).is_some()
                    && is_open(pair).is_some_and(|phase| !matches!(phase, Phase::Closed | Phase::Untold))
            });
            let is_down =
                has_session && line.ledger.in_force() == 0 && !matches!(line.state, State::Closed | State::Idle);
            if !is_down {
                line.down_since = None;
                self.care.end_polling(line.number, &self.seams.cold);
                continue;
            }
            let age = now.duration_since(*line.down_since.get_or_insert(now));
            if age < poll_after {
                continue;
            }
            let mut symbols: Vec<_> = line.ledger.registrations().filter_map(pollable).collect();
            symbols.sort_by(|left, right| (left.0 as u16, &left.1).cmp(&(right.0 as u16, &right.1)));
            symbols.dedup();
            if self.care.poller.is_polled(line.number) {
                self.care.poller.renew(line.number, symbols);
                continue;
            }
            let text = format!("{} symbols each {} s: snapshots, not ticks", symbols.len(), self.care.poll_every_s);
            if self.care.poller.begin(line.number, symbols) {
                tracing::warn!(line = line.number, ?age, text, "down for long: its symbols are polled");
                self.seams.cold.tell(line.number, SessionEvent::PollingBegan, age.as_nanos() as u64, "", &text);
            }
        }
        self.count_polls();
    }

    /// The manager ends: what is polled is over.
    pub(super) fn end_care(&mut self) {
        for line in &self.lines {
            self.care.end_polling(line.number, &self.seams.cold);
        }
        self.count_polls();
    }

    fn count_polls(&mut self) {
        let (polled, taken) = self.care.poller.counts();
        let (tally, counters) = (self.care.poller.tally(), &self.seams.cold.counters);
        counters.set(Counter::LinesPolled, polled as u64);
        counters.add(Counter::PollsFailed, tally.failed);
        counters.add(Counter::SnapshotsLost, tally.lost);
        let taken = self.care.taken + taken;
        counters.add(Counter::Snapshots, taken.saturating_sub(std::mem::replace(&mut self.care.counted, taken)));
    }

    /// The broker refuses the line as a whole, and what is in force goes on all the same: the approval key is checked when
    /// registering alone. What is left to ask is asked later.
    pub(super) fn refused_with_data(&mut self, index: usize, reaction: Reaction, code: &str) {
        let line = &mut self.lines[index];
        if reaction == Reaction::RenewKey {
            let is_first = !line.is_renewed;
            line.renew(&self.seams.rest);
            if is_first {
                let account = &line.account.name;
                return tracing::warn!(line = line.number, account, code, "approval key expired; it is renewed");
            }
        }
        self.hold(index, code, "refused while others are in force");
    }

    /// The broker refuses the app key again and again, and would count who goes on knocking.
    pub(super) fn bar(&mut self, index: usize) {
        let line = &mut self.lines[index];
        let (code, _) = std::mem::take(&mut line.cause);
        line.state = State::Barred;
        let (why, account) = ("the broker refuses the app key", &line.account.name);
        tracing::error!(
            line = line.number,
            account,
            code,
            "the broker refuses the app key each time: the line stays closed until the next trading day, SIGHUP or a restart"
        );
        self.seams.cold.counters.add(Counter::LinesBarred, 1);
        self.seams.cold.tell(line.number, SessionEvent::Barred, line.barred.into(), &code, why);
    }

    /// Asks again what had to wait until now; whether there is such.
    pub(super) fn resume(&mut self, index: usize) -> bool {
        let line = &mut self.lines[index];
        let resumes = line.resumes(Instant::now());
        if resumes {
            line.state = State::Subscribing;
            self.show(index);
        }
        resumes
    }

    /// Nothing is asked on the line for a while; what is in force goes on.
    pub(super) fn hold(&mut self, index: usize, code: &str, why: &str) {
        let line = &mut self.lines[index];
        let wait = scaled(later(line.holds), self.seams.market);
        line.holds = line.holds.saturating_add(1);
        line.held_until = Some(Instant::now() + wait);
        tracing::warn!(line = line.number, account = line.account.name, ?wait, code, why, "asks for nothing meanwhile");
        self.seams.cold.tell(line.number, SessionEvent::Postponed, wait.as_nanos() as u64, code, why);
    }

    /// The line holds all it may: a pair that has to give way goes to another one with room, or is left out.
    pub(super) fn shed(&mut self, index: usize, pair: &Registration) {
        let line = &mut self.lines[index];
        let priority = line.ledger.priority(pair);
        let is_asked = line.ledger.give(pair);
        let in_force = || Wanted { registration: pair.clone(), priority };
        // Notices come on the session of their customer's app key alone.
        if is_notice(&pair.tr_id) || self.line_with_room(index).is_none() {
            // Wanted all the same: a new connection may take it.
            let line = &mut self.lines[index];
            match is_asked {
                Some(wanted) => line.ledger.put_off(wanted),
                None => line.shed.push(in_force()),
            }
            return self.left_out(index, pair, "more than the app key may hold");
        }
        match is_asked {
            Some(wanted) => self.hand_over(index, wanted),
            // In force here: it is withdrawn first, so that no tick comes twice.
            None => self.lines[index].moving.push(in_force()),
        }
    }

    /// A pair is withdrawn here: another line takes it, or it waits for a place, if that was why.
    pub(super) fn moved_out(&mut self, index: usize, pair: &Registration) {
        let line = &mut self.lines[index];
        let is_it = |wanted: &mut Wanted| wanted.registration == *pair;
        if let Some(wanted) = line.shed.extract_if(.., is_it).next() {
            line.ledger.put_off(wanted);
        }
        let moved = line.moving.extract_if(.., is_it).next();
        if let Some(wanted) = moved {
            self.hand_over(index, wanted);
        }
    }

    /// Gives a pair to the emptiest line with room; else it waits for a place where it was, and is left out.
    pub(super) fn hand_over(&mut self, from: usize, wanted: Wanted) {
        let pair = wanted.registration.clone();
        match self.line_with_room(from) {
            Some(to) => self.give_to(from, to, wanted, "more than the app key may hold"),
            None => {
                self.lines[from].ledger.put_off(wanted);
                self.left_out(from, &pair, "no app key has room");
            }
        }
    }

    /// Changes that have to wait are said, each once.
    pub(super) fn delayed(&mut self, index: usize, changes: Vec<(Registration, Duration)>) {
        let line = self.lines[index].number;
        for (pair, wait) in changes {
            if !self.churn.is_news(&pair) {
                continue;
            }
            tracing::warn!(line, pair = shown(&pair), ?wait, "changes too often: it waits");
            self.seams.cold.counters.add(Counter::ChangesDelayed, 1);
            let wait_ns = wait.as_nanos() as u64;
            self.seams.cold.tell_pair(line, SessionEvent::ChangeDelayed, &pair, wait_ns, "changes too often");
        }
    }

    /// Gives a pair to another line.
    pub(super) fn give_to(&mut self, from: usize, to: usize, wanted: Wanted, why: &str) {
        let pair = wanted.registration.clone();
        let target = &mut self.lines[to];
        target.ledger.take(wanted);
        match target.state {
            State::Live => target.state = State::Subscribing,
            State::Idle => target.state = State::Waiting { until: Instant::now() },
            _ => {}
        }
        let (from_number, to_number) = (self.lines[from].number, self.lines[to].number);
        tracing::info!(line = from_number, to = to_number, pair = shown(&pair), why, "moved to an app key with room");
        self.seams.cold.counters.add(Counter::RegistrationsMoved, 1);
        self.seams.cold.tell_pair(from_number, SessionEvent::Moved, &pair, to_number.into(), why);
        self.show(from);
        self.show(to);
    }

    /// The emptiest line with room, of those that live if there is one.
    fn line_with_room(&self, except: usize) -> Option<usize> {
        let fit = |(index, line): &(usize, &Line)| {
            *index != except
                && !matches!(line.state, State::Barred | State::Closed)
                && line.ledger.wanted() < line.ledger.room()
        };
        let lines = self.lines.iter().enumerate().filter(fit);
        lines.min_by_key(|(_, line)| (!line.lives(), line.ledger.wanted())).map(|(index, _)| index)
    }

    /// A watchdog found something.
    pub(super) fn found(&mut self, finding: Finding) {
        let cold = &self.seams.cold;
        let nanos = |age: Duration| age.as_nanos() as u64;
        match finding {
            Finding::Silent { line, age } => {
                self.abandon(line, SessionEvent::Silent, age, "nothing came", Counter::SilentLines);
            }
            Finding::NoData { line, age } => {
                self.abandon(line, SessionEvent::NoData, age, "keep-alives, but no data", Counter::SilentLines);
            }
            Finding::PairSilent { line, pair, age, phase } => {
                tracing::warn!(line, pair = shown(&pair), ?age, phase = phase.name(), "registered, but doesn't tick");
                cold.counters.add(Counter::SilentPairs, 1);
                cold.tell_pair(line, SessionEvent::PairSilent, &pair, nanos(age), phase.name());
            }
            Finding::PairTicks { line, pair, age } => {
                tracing::info!(line, pair = shown(&pair), ?age, "ticks again");
                cold.tell_pair(line, SessionEvent::PairTicks, &pair, nanos(age), "");
            }
            Finding::Verified { line, in_force, expected, ticking } => {
                let own = self.lines.iter().find(|own| own.number == line);
                let wanted = own.map_or(0, |own| own.ledger.wanted());
                let short = wanted.saturating_sub(in_force) + (expected - ticking);
                let text = format!("{in_force} of {wanted} in force, {ticking} of {expected} tick");
                if short > 0 {
                    tracing::warn!(line, text, "not all that is wanted comes");
                }
                cold.tell(line, SessionEvent::Verified, short as u64, "", &text);
            }
        }
    }

    /// A line is as good as dead: it is closed, and comes back.
    fn abandon(&mut self, line: u16, event: SessionEvent, age: Duration, why: &'static str, counter: Counter) {
        tracing::warn!(line, ?age, why, "the line is made anew");
        self.seams.cold.counters.add(counter, 1);
        self.seams.cold.tell(line, event, age.as_nanos() as u64, "", "");
        if let Some(line) = self.lines.iter_mut().find(|own| own.number == line) {
            line.leave(&self.seams.reader, "", why);
        }
    }
}
