//! The venue's thread: accepts, answers, paces. One loop over a poll that never waits longer than the next frame.

use std::io::ErrorKind;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use jiff::civil::DateTime;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::auth::{Auth, session_secrets};
use crate::ban::Bans;
use crate::chaos::Turmoil;
use crate::config::{OpenWhen, SimConfig};
use crate::delivery::deliver;
use crate::error::SimError;
use crate::fault::{Fault, PendingFaults};
use crate::lateness::Lateness;
use crate::ledger::Ledger;
use crate::session::{Connection, State, reset_when_dropped};
use crate::source::{Demand, FrameSource, Next, Registrations, TimedFrame};
use crate::venue::{Control, Summary, anchor, wall_ns};

const LISTENER: Token = Token(usize::MAX);
/// Frames handed out between two looks at the sockets.
const BATCH: usize = 128;
/// The sockets are looked at this often while frames flow.
const POLL_EVERY_NS: u64 = 200_000;
/// Keep-alive, faults by time and counters by TR are looked at this often.
const TIMERS_EVERY_NS: u64 = 2_000_000;
/// A sleep ends this long before the next frame; the rest is spun away.
const SLEEP_EARLY_NS: u64 = 60_000;
/// Wait between the last of N registrations and the opening.
const OPEN_DELAY_NS: u64 = 100_000_000;

/// What the source said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upcoming {
    Ask,
    Frame,
    Idle { until_ns: u64, version: u64 },
    End,
}

/// All state of a running venue.
pub(crate) struct EventLoop {
    pub(crate) config: SimConfig,
    pub(crate) auth: Arc<Auth>,
    pub(crate) connections: Vec<Option<Connection>>,
    pub(crate) registrations: Registrations,
    pub(crate) ledger: Ledger,
    /// Connection slot that holds each app key.
    pub(crate) holders: Vec<Option<usize>>,
    /// Until when a dead connection still holds each app key.
    pub(crate) lingers_ns: Vec<u64>,
    pub(crate) bans: Bans,
    turmoil: Option<Turmoil>,
    pub(crate) last_registration_ns: u64,
    control: Arc<Control>,
    listener: TcpListener,
    poll: Poll,
    source: Box<dyn FrameSource>,
    frame: TimedFrame,
    upcoming: Upcoming,
    frames_given: u64,
    start: Instant,
    wall_start_ns: u64,
    accepted: u64,
    reached_count_ns: Option<u64>,
    opened_ns: Option<u64>,
    last_frame_ns: u64,
    closing: bool,
    progress_ns: u64,
    lateness: Lateness,
    closed_cleanly: u64,
}

impl EventLoop {
    pub(crate) fn new(
        config: SimConfig,
        listener: StdListener,
        source: Box<dyn FrameSource>,
        ledger: Ledger,
        auth: Arc<Auth>,
        control: Arc<Control>,
    ) -> Result<Self, SimError> {
        listener.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(listener);
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let apps = config.app_keys.len();
        let turmoil = config.chaos.map(|chaos| Turmoil::new(chaos, config.seed));
        Ok(Self {
            config,
            auth,
            connections: Vec::new(),
            registrations: Registrations::default(),
            ledger,
            holders: vec![None; apps],
            lingers_ns: vec![0; apps],
            bans: Bans::default(),
            turmoil,
            last_registration_ns: 0,
            control,
            listener,
            poll,
            source,
            frame: TimedFrame::default(),
            upcoming: Upcoming::Ask,
            frames_given: 0,
            start: Instant::now(),
            wall_start_ns: wall_ns(),
            accepted: 0,
            reached_count_ns: None,
            opened_ns: None,
            last_frame_ns: 0,
            closing: false,
            progress_ns: 0,
            lateness: Lateness::default(),
            closed_cleanly: 0,
        })
    }

    /// Nanoseconds since the start of the thread.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Seconds of KIS's own time limits in nanoseconds of the wall.
    pub(crate) fn scaled_ns(&self, seconds: f64) -> u64 {
        (seconds / self.config.clock_scale * 1e9) as u64
    }

    /// Market time; it stands still before the opening.
    pub(crate) fn market_time(&self, now: u64) -> DateTime {
        let since = self.opened_ns.map_or(0, |opened| now.saturating_sub(opened)) as f64 * self.config.time_scale;
        let start = self.config.market_start;
        start.checked_add(SignedDuration::from_nanos(since as i64)).unwrap_or(start)
    }

    pub(crate) fn run(mut self) -> Summary {
        let mut events = Events::with_capacity(256);
        let (mut next_poll, mut next_timers) = (0, 0);
        loop {
            let now = self.now();
            let worked = if self.opened_ns.is_some() && !self.closing { self.play(now) } else { 0 };
            let now = self.now();
            if now >= next_poll || worked == 0 {
                next_poll = now + POLL_EVERY_NS;
                self.poll_sockets(&mut events, Duration::ZERO);
            }
            if now >= next_timers {
                next_timers = now + TIMERS_EVERY_NS;
                self.timers(now);
                if self.closing && self.finish_connections(now) {
                    break;
                }
            }
            if worked == 0 && !self.has_unread() {
                self.wait(&mut events);
            }
        }
        self.summary()
    }

    /// Hands out the frames that are due, at most a batch.
    fn play(&mut self, now: u64) -> usize {
        let Some(opened) = self.opened_ns else { return 0 };
        if self.is_held() {
            return 0;
        }
        let since = now.saturating_sub(opened);
        let mut given = 0;
        let mut passed_over = 0;
        while given < BATCH && passed_over < 4 * BATCH {
            match self.upcoming {
                Upcoming::Idle { until_ns, version } if since < until_ns && version == self.registrations.version() => {
                    break;
                }
                Upcoming::Ask | Upcoming::Idle { .. } => {
                    let demand =
                        Demand { registrations: &self.registrations, frames_sent: self.frames_given, now_ns: since };
                    self.upcoming = match self.source.next(&demand, &mut self.frame) {
                        Next::Frame => Upcoming::Frame,
                        Next::IdleUntil(until_ns) => Upcoming::Idle { until_ns, version: self.registrations.version() },
                        Next::End => Upcoming::End,
                    };
                }
                Upcoming::End => {
                    self.begin_closing(now);
                    break;
                }
                Upcoming::Frame => {
                    if self.frame.at_ns > since {
                        break;
                    }
                    self.upcoming = Upcoming::Ask;
                    let slots = self.registrations.subscribers(&self.frame.tr_id, &self.frame.tr_key);
                    if slots.is_empty() {
                        passed_over += 1;
                        continue;
                    }
                    let tr = self.ledger.tr_number(&self.frame.tr_id);
                    for slot in slots {
                        let Some(connection) = self.connections.get_mut(*slot).and_then(Option::as_mut) else {
                            continue;
                        };
                        let wall = self.wall_start_ns + now;
                        let queued = deliver(connection, &mut self.ledger, &self.frame, tr, now, wall);
                        // A frame that a fault left out has had its moment: the market's clock goes by them.
                        self.frames_given += queued.max(1);
                    }
                    self.lateness.record(since - self.frame.at_ns);
                    given += 1;
                }
            }
        }
        if given > 0 {
            self.last_frame_ns = now;
            self.flush_all();
        }
        given + passed_over
    }

    /// Whether a client has so much to read that the source waits for it.
    fn is_held(&self) -> bool {
        let Some(limit) = self.config.hold_backlog_bytes else { return false };
        self.connections.iter().flatten().any(|c| c.state == State::Open && !c.half_open && c.backlog() > limit)
    }

    fn flush_all(&mut self) {
        let (start, wall_start) = (self.start, self.wall_start_ns);
        let clock = || wall_start + start.elapsed().as_nanos() as u64;
        let now = self.now();
        for connection in self.connections.iter_mut().flatten() {
            if connection.backlog() > 0 || connection.state == State::Draining {
                let before = connection.backlog();
                connection.flush(now, clock, &mut self.ledger);
                if connection.backlog() < before {
                    self.progress_ns = now;
                }
                // The silence of one that is gone without a word ends with its client alone.
                if connection.backlog() > self.config.backlog_bytes_max && !connection.half_open {
                    let what = serde_json::json!({ "cut": "client does not read", "bytes": connection.backlog() });
                    self.ledger.note(clock(), connection.number, &what, None);
                    connection.state = State::Dead;
                }
            }
        }
        self.remove_dead(now);
    }

    fn poll_sockets(&mut self, events: &mut Events, timeout: Duration) {
        if let Err(error) = self.poll.poll(events, Some(timeout))
            && error.kind() != ErrorKind::Interrupted
        {
            eprintln!("kis-sim: poll failed: {error}");
            return;
        }
        let mut touched = false;
        for event in events.iter() {
            touched = true;
            if event.token() == LISTENER {
                self.accept();
                continue;
            }
            let Some(connection) = self.connections.get_mut(event.token().0).and_then(Option::as_mut) else { continue };
            if event.is_writable() {
                connection.unblock();
            }
            connection.unread |= event.is_readable() || event.is_read_closed() || event.is_error();
        }
        for slot in 0..self.connections.len() {
            if self.connections[slot].as_ref().is_some_and(|c| c.unread) {
                touched = true;
                self.read(slot);
            }
        }
        if touched {
            self.flush_all();
        }
    }

    /// Whether a turn ended before a socket was empty.
    fn has_unread(&self) -> bool {
        self.connections.iter().flatten().any(|c| c.unread)
    }

    fn accept(&mut self) {
        loop {
            let (mut stream, peer) = match self.listener.accept() {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if self.closing {
                continue;
            }
            self.accepted += 1;
            self.ledger.shared.connections.store(self.accepted, Ordering::Relaxed);
            let number = self.accepted;
            if self.is_shut_out(number, peer, self.now()) {
                reset_when_dropped(&stream);
                continue;
            }
            let _ = stream.set_nodelay(true);
            let slot = self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(slot), interest).is_err() {
                continue;
            }
            let mut faults = PendingFaults::new(&self.config.faults, number);
            if let Some((registration, fault)) = self.turmoil.as_mut().and_then(Turmoil::answer_fault) {
                faults.arm_registration_at(registration, fault);
            }
            let secrets = session_secrets(self.config.seed ^ number);
            let connection = Connection::new((stream, peer), number, faults, secrets, self.now());
            if slot == self.connections.len() {
                self.connections.push(Some(connection));
            } else {
                self.connections[slot] = Some(connection);
            }
        }
    }

    fn read(&mut self, slot: usize) {
        let now = self.now();
        let mut inbound = Vec::new();
        if let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) {
            connection.read(now, &mut inbound);
        }
        for message in inbound {
            self.handle(slot, message, now);
        }
    }

    /// Takes out the registrations of connections that no data goes to any more.
    fn withdraw_ended(&mut self) {
        for (slot, connection) in self.connections.iter_mut().enumerate() {
            let Some(connection) = connection.as_mut().filter(|c| c.state != State::Open) else { continue };
            for (tr_id, tr_key) in connection.feeds.drain(..) {
                self.registrations.remove(&tr_id, &tr_key, slot);
            }
        }
        self.ledger.shared.registrations.store(self.registrations.count() as u64, Ordering::Relaxed);
    }

    /// Frees what dead connections held.
    fn remove_dead(&mut self, now: u64) {
        self.withdraw_ended();
        for slot in 0..self.connections.len() {
            let Some(connection) = self.connections[slot].take_if(|c| c.state == State::Dead) else { continue };
            self.ledger.dropped(connection.frames_waiting());
            if connection.close_received {
                self.closed_cleanly += 1;
            }
            if let Some(app) = connection.app {
                self.holders[app] = None;
                if !connection.close_received {
                    self.lingers_ns[app] = now + self.scaled_ns(self.config.slot_linger_s);
                }
            }
        }
    }

    fn timers(&mut self, now: u64) {
        self.ledger.publish();
        if self.control.stop.load(Ordering::Relaxed) && !self.closing {
            self.begin_closing(now);
        }
        if self.opened_ns.is_none() && !self.closing {
            self.open_when_due(now);
        }
        self.send_late(now);
        self.send_notices(now);
        self.keep_alive(now);
        self.end_overdue(now);
        self.faults_by_time(now);
        self.faults_at_random(now);
        self.flush_all();
    }

    fn open_when_due(&mut self, now: u64) {
        let due = match self.config.open_when {
            OpenWhen::Immediately => true,
            OpenWhen::AfterDelay { ms } => now >= ms * 1_000_000,
            OpenWhen::Registrations { count } => {
                if self.registrations.count() >= count {
                    now >= *self.reached_count_ns.get_or_insert(now) + OPEN_DELAY_NS
                } else {
                    false
                }
            }
            OpenWhen::Quiet { ms } => {
                self.registrations.count() > 0 && now >= self.last_registration_ns + ms * 1_000_000
            }
        };
        if due {
            let now = self.now();
            self.opened_ns = Some(now);
            let _ = self.control.anchor.set(anchor(&self.config, self.wall_start_ns + now));
        } else if now.saturating_sub(self.last_registration_ns) as f64 > self.config.opening_wait_s * 1e9 {
            let what = serde_json::json!({ "end": "the market did not open: too few registrations" });
            self.ledger.note(self.wall_start_ns + now, 0, &what, None);
            self.begin_closing(now);
        }
    }

    /// Sends the answers that were held back long enough.
    fn send_late(&mut self, now: u64) {
        for connection in self.connections.iter_mut().flatten().filter(|c| !c.late.is_empty()) {
            for (_, text) in connection.late.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
                connection.push_text(&text);
            }
        }
    }

    fn keep_alive(&mut self, now: u64) {
        let (interval, cut) = (self.scaled_ns(self.config.ping_interval_s), self.scaled_ns(self.config.silence_cut_s));
        for connection in self.connections.iter_mut().flatten().filter(|c| c.state == State::Open && !c.half_open) {
            if let Some(since) = connection.unanswered_since_ns {
                // Anything the client says shows that it lives.
                if connection.last_rx_ns > since {
                    connection.unanswered_since_ns = None;
                } else if now.saturating_sub(since) >= cut {
                    let what = serde_json::json!({ "cut": "no answer to PINGPONG" });
                    self.ledger.note(self.wall_start_ns + now, connection.number, &what, None);
                    connection.state = State::Dead;
                    continue;
                }
            }
            if connection.pingpong && now.saturating_sub(connection.last_tx_ns) >= interval && connection.backlog() == 0
            {
                connection.push_text(&pingpong_text());
                connection.unanswered_since_ns.get_or_insert(now);
            }
        }
    }

    /// Ends connections whose client never says what is waited for. At the end of the run all are waited for together.
    fn end_overdue(&mut self, now: u64) {
        if self.closing {
            return;
        }
        let [handshake, close] = [self.config.handshake_wait_s, self.config.close_wait_s].map(|s| (s * 1e9) as u64);
        for connection in self.connections.iter_mut().flatten() {
            if connection.is_overdue(now, handshake, close) {
                let what =
                    serde_json::json!({ "cut": format!("{:?} without an end", connection.state).to_lowercase() });
                self.ledger.note(self.wall_start_ns + now, connection.number, &what, None);
                connection.state = State::Dead;
            }
        }
    }

    fn faults_by_time(&mut self, now: u64) {
        let Some(opened) = self.opened_ns else { return };
        let since = now.saturating_sub(opened);
        let wall = self.wall_start_ns + now;
        for connection in self.connections.iter_mut().flatten() {
            if connection.faults.next_at().is_none_or(|at| at > since) {
                continue;
            }
            for fault in connection.faults.take_until(since) {
                if fault == Fault::ExpireApprovals {
                    self.auth.expire_approvals();
                }
                apply_by_time(connection, &mut self.ledger, fault, now, wall);
            }
        }
    }

    fn faults_at_random(&mut self, now: u64) {
        let (Some(opened), Some(turmoil)) = (self.opened_ns, &mut self.turmoil) else { return };
        let open: Vec<usize> = (0..self.connections.len())
            .filter(|slot| {
                self.connections[*slot]
                    .as_ref()
                    .is_some_and(|c| c.state == State::Open && !c.half_open && !c.feeds.is_empty())
            })
            .collect();
        let Some((slot, fault)) = turmoil.strike(now.saturating_sub(opened), &open) else { return };
        if fault == Fault::ExpireApprovals {
            self.auth.expire_approvals();
        }
        if let Some(connection) = self.connections[slot].as_mut() {
            apply_by_time(connection, &mut self.ledger, fault, now, self.wall_start_ns + now);
        }
    }

    fn begin_closing(&mut self, now: u64) {
        self.closing = true;
        self.progress_ns = now;
        for connection in self.connections.iter_mut().flatten() {
            match connection.state {
                State::Handshake => connection.state = State::Dead,
                _ => connection.close(1000, ""),
            }
        }
        self.flush_all();
    }

    /// True when nobody is left, or nothing has moved for the time clients are given.
    fn finish_connections(&mut self, now: u64) -> bool {
        self.flush_all();
        let bound = (self.config.close_wait_s * 1e9) as u64;
        self.connections.iter().all(Option::is_none) || now.saturating_sub(self.progress_ns) > bound
    }

    /// Waits for the next frame or timer, whichever comes first; sockets wake it when there is a millisecond to wait.
    fn wait(&mut self, events: &mut Events) {
        let now = self.now();
        let next = match (self.opened_ns, self.upcoming) {
            _ if self.closing || self.is_held() => now + TIMERS_EVERY_NS,
            (Some(opened), Upcoming::Frame) => opened + self.frame.at_ns,
            (Some(opened), Upcoming::Idle { until_ns, .. }) => opened.saturating_add(until_ns),
            _ => now + TIMERS_EVERY_NS,
        };
        let left = next.saturating_sub(now).min(TIMERS_EVERY_NS);
        if left >= 1_500_000 {
            // The poll counts whole milliseconds, rounded up.
            self.poll_sockets(events, Duration::from_millis((left - 500_000) / 1_000_000));
        } else if left > SLEEP_EARLY_NS + 20_000 || !self.config.spin {
            std::thread::sleep(Duration::from_nanos(left.saturating_sub(SLEEP_EARLY_NS).max(1)));
        } else {
            // NB: yielding here costs milliseconds when anything else wants the processor.
            std::hint::spin_loop();
        }
    }

    fn summary(mut self) -> Summary {
        let now = self.now();
        for connection in self.connections.iter_mut().flatten() {
            connection.state = State::Dead;
        }
        self.remove_dead(now);
        let seconds = self.opened_ns.map_or(0.0, |opened| self.last_frame_ns.saturating_sub(opened) as f64 / 1e9);
        let shared = Arc::clone(&self.ledger.shared);
        self.ledger.finish();
        let counts = shared.counts();
        Summary {
            frames_per_second: if seconds > 0.0 { counts.frames_sent as f64 / seconds } else { 0.0 },
            counts,
            seconds,
            lateness_ns_max: self.lateness.max,
            lateness_ns_p50: self.lateness.quantile(0.5),
            lateness_ns_p99: self.lateness.quantile(0.99),
            closed_cleanly: self.closed_cleanly,
        }
    }
}

/// Does at once what needs no data frame; the rest waits for the next one.
pub(crate) fn apply_by_time(connection: &mut Connection, ledger: &mut Ledger, fault: Fault, now: u64, wall: u64) {
    if fault.needs_frame() {
        connection.faults.arm(fault);
    } else if fault.needs_registration() {
        connection.faults.arm_registration(fault);
    } else {
        ledger.fault(wall, connection.number, &fault, None);
        crate::delivery::apply(connection, &fault, now);
    }
}

fn pingpong_text() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9)));
    let text = now.strftime("%Y%m%d%H%M%S");
    format!(r#"{{"header":{{"tr_id":"PINGPONG","datetime":"{text}"}}}}"#)
}
