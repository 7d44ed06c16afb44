//! The duty cycle over all connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use mio::{Events, Interest, Poll, Token, Waker};

use super::connection::{Connection, Served, Turn};
use super::outbound::SendRefused;
use super::sink::{DisconnectReason, FrameSink, LineEvent, LineProtocol, ReaderCounters};
use crate::clock::wall_ns;

const WAKER: Token = Token(usize::MAX);
const NO_SLOT: usize = usize::MAX;
/// Code of the Close frames sent at a stop.
const CODE_NORMAL: u16 = 1000;
/// Code reported for a connection that had no closing handshake.
const CODE_ABNORMAL: u16 = 1006;
/// Longest [`Reader::park`] while a connection waits for room in the sink, which wakes nobody.
const PARK_STALLED_MAX: Duration = Duration::from_micros(100);
/// Longest [`Reader::park`] while a closing handshake runs against its deadline.
const PARK_CLOSING_MAX: Duration = Duration::from_millis(10);

/// How a reader goes about its sockets.
#[derive(Clone, Copy, Debug)]
pub struct ReaderConfig {
    /// Up to this many connections each poll reads every socket without asking which are ready; beyond, it asks
    /// `epoll` first. 0 always asks. Default 1. NB: measured (`tests/net_speed.rs`), a stamped read of an empty socket
    /// costs 460 ns, an `epoll_wait` that finds nothing 200 ns, whatever the number of sockets. From a waiting frame
    /// to the sink, half an idle poll included, one line gains 600 ns by direct reads, two are even, more lose.
    pub direct_reads_max: usize,
    /// How long a closing handshake may take, at a stop and otherwise. Default 5 s.
    pub close_timeout: Duration,
    /// Most commands taken in one poll. Default 16.
    pub commands_per_poll: usize,
    /// Most socket events taken in one poll. Default 1024.
    pub events_per_poll: usize,
}

impl Default for ReaderConfig {
    fn default() -> Self {
        Self {
            direct_reads_max: 1,
            close_timeout: Duration::from_secs(5),
            commands_per_poll: 16,
            events_per_poll: 1024,
        }
    }
}

/// What cold threads ask of a reader.
#[derive(Debug)]
pub enum Command {
    /// Take over a connection. Its line must be free; otherwise the older one is dropped as `Replaced`.
    Add {
        /// The name of the connection in all that follows.
        line: u16,
        /// Made by [`Connection::prepare`].
        connection: Box<Connection>,
    },
    /// Send a text message, which must be UTF-8.
    Send {
        /// To whom.
        line: u16,
        /// The message.
        text: Box<[u8]>,
    },
    /// Begin the closing handshake; what the peer still sends is taken until its own Close.
    Close {
        /// Whose.
        line: u16,
        /// The code to send.
        code: u16,
    },
    /// Close all connections, read them to their end or the deadline, take no new ones. Then the reader is done.
    Stop,
}

/// The way to a reader from any thread.
#[derive(Clone, Debug)]
pub struct ReaderHandle {
    commands: Arc<ArrayQueue<Command>>,
    waker: Arc<Waker>,
}

impl ReaderHandle {
    /// Hands over a command and ends the reader's [`park`](Reader::park). Never blocks.
    ///
    /// # Errors
    /// Gives the command back when the queue is full.
    // The command is what is given back, whatever its size.
    #[allow(clippy::result_large_err)]
    pub fn send(&self, command: Command) -> Result<(), Command> {
        self.commands.push(command)?;
        self.wake();
        Ok(())
    }

    /// Hands over [`Command::Stop`]; a full queue gives up its oldest command for it. Never fails, whether the reader lives
    /// or not.
    pub fn stop(&self) {
        // What is given up was asked of connections that are to be closed now.
        let _ = self.commands.force_push(Command::Stop);
        self.wake();
    }

    /// Ends the reader's [`park`](Reader::park), or its next one.
    pub fn wake(&self) {
        // The counter behind it takes 2^64 wakes without a poll before it fails, and then the reader is awake anyway.
        let _ = self.waker.wake();
    }
}

/// The stage: any number of connections, read in turns.
///
/// [`poll`](Self::poll) gives each connection one turn of at most one read (`read_bytes`), starting at another one
/// each time. Only adding a connection may allocate.
///
/// A stalled connection is asked again each poll. Pings and keep-alives behind the frame that finds no room wait with
/// it: a stall longer than the peer's patience (KIS: about 100 s) costs the connection.
#[derive(Debug)]
pub struct Reader<P> {
    config: ReaderConfig,
    protocol: P,
    commands: Arc<ArrayQueue<Command>>,
    poll: Poll,
    events: Events,
    /// `events` were taken by `park` and are marked on the connections already.
    events_fresh: bool,
    waker: Arc<Waker>,
    clock: quanta::Clock,
    counters: ReaderCounters,
    slots: Vec<Option<Box<Connection>>>,
    /// Slot by line.
    lines: Vec<usize>,
    live: usize,
    /// The slot that has the first turn.
    first: usize,
    stopping: bool,
    any_stalled: bool,
    any_closing: bool,
    any_more: bool,
}

impl<P: LineProtocol> Reader<P> {
    /// A reader without connections that takes its commands from `commands`.
    ///
    /// # Errors
    /// The system's, when it has no event queue to give.
    pub fn new(config: ReaderConfig, protocol: P, commands: Arc<ArrayQueue<Command>>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            events: Events::with_capacity(config.events_per_poll.max(1)),
            config,
            protocol,
            commands,
            poll,
            events_fresh: false,
            waker,
            clock: quanta::Clock::new(),
            counters: ReaderCounters::default(),
            slots: Vec::with_capacity(64),
            lines: Vec::with_capacity(64),
            live: 0,
            first: 0,
            stopping: false,
            any_stalled: false,
            any_closing: false,
            any_more: false,
        })
    }

    /// The way to this reader from other threads.
    #[must_use]
    pub fn handle(&self) -> ReaderHandle {
        ReaderHandle { commands: Arc::clone(&self.commands), waker: Arc::clone(&self.waker) }
    }

    /// What ends a [`park`](Self::park) early.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// The counts so far.
    #[must_use]
    pub fn counters(&self) -> &ReaderCounters {
        &self.counters
    }

    /// Connections held.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.live
    }

    /// A `Stop` was taken and the last connection is gone.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stopping && self.live == 0 && self.commands.is_empty()
    }

    /// As [`Command::Stop`], from the reader's own thread; again is nothing new.
    #[cold]
    pub fn stop(&mut self) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        let ticks = self.clock.raw();
        for connection in self.slots.iter_mut().flatten() {
            connection.close(CODE_NORMAL, ticks);
        }
    }

    /// One cycle; how much there was to do, 0 when it may be waited.
    pub fn poll(&mut self, sink: &mut impl FrameSink) -> usize {
        let mut work = 0;
        if !self.commands.is_empty() {
            work += self.take_commands(sink);
        }
        let now_ns = wall_ns();
        let direct = self.live <= self.config.direct_reads_max;
        let mut proven_empty = false;
        if !direct && !self.events_fresh {
            proven_empty = self.wait(Duration::ZERO);
        }
        self.events_fresh = false;

        let slots = self.slots.len();
        if self.first >= slots {
            self.first = 0;
        }
        self.any_stalled = false;
        self.any_closing = false;
        self.any_more = false;
        let mut turn = Turn {
            counters: &mut self.counters,
            clock: &self.clock,
            protocol: &self.protocol,
            polled_ns: now_ns,
            now_ns,
            direct,
            proven_empty,
        };
        let mut gone_any = false;
        for step in 0..slots {
            let slot = if self.first + step < slots { self.first + step } else { self.first + step - slots };
            let Some(connection) = self.slots[slot].as_deref_mut() else { continue };
            let Served { work: done, mut gone } = connection.serve(&mut turn, sink);
            work += done;
            self.any_stalled |= connection.is_stalled();
            self.any_more |= connection.has_more();
            if let Some(since) = connection.closing_ticks {
                self.any_closing = true;
                let late = turn.clock.delta_as_nanos(since, turn.clock.raw());
                if gone.is_none() && u128::from(late) > self.config.close_timeout.as_nanos() {
                    gone = Some(connection.overdue());
                }
            }
            if let Some((reason, code)) = gone {
                gone_any = true;
                work += 1;
                turn.counters.disconnects += 1;
                turn.counters.abandoned_bytes += connection.pending_bytes() as u64;
                let line = connection.line();
                drop_slot(&self.poll, &mut self.slots, &mut self.lines, slot);
                self.live -= 1;
                sink.line_event(line, LineEvent::Disconnected { reason, code });
            }
        }
        if gone_any {
            while let Some(None) = self.slots.last() {
                self.slots.pop();
            }
        }
        self.first += 1;
        work
    }

    /// Waits until a socket or a command wants attention, at most `timeout`. Returns at once when the last poll left
    /// something to do. Shortened while a sink is full (which wakes nobody) or a closing handshake runs.
    pub fn park(&mut self, timeout: Duration) {
        if !self.commands.is_empty() || self.any_more {
            return;
        }
        let mut timeout = timeout;
        if self.any_closing {
            timeout = timeout.min(PARK_CLOSING_MAX);
        }
        if self.any_stalled {
            timeout = timeout.min(PARK_STALLED_MAX);
        }
        self.wait(timeout);
        self.events_fresh = true;
    }

    /// Asks the system which sockets are ready and marks them; whether the answer was complete.
    fn wait(&mut self, timeout: Duration) -> bool {
        if self.poll.poll(&mut self.events, Some(timeout)).is_err() {
            return false;
        }
        let mut count = 0;
        for event in &self.events {
            count += 1;
            if let Some(Some(connection)) = self.slots.get_mut(event.token().0) {
                connection.on_event(event);
            }
        }
        count < self.events.capacity()
    }

    #[cold]
    fn take_commands(&mut self, sink: &mut impl FrameSink) -> usize {
        for taken in 0..self.config.commands_per_poll {
            let Some(command) = self.commands.pop() else { return taken };
            match command {
                Command::Add { line, connection } => self.add(line, connection, sink),
                Command::Send { line, text } => self.send(line, &text, sink),
                Command::Close { line, code } => {
                    let ticks = self.clock.raw();
                    if let Some(connection) = self.connection(line) {
                        connection.close(code, ticks);
                    }
                }
                Command::Stop => self.stop(),
            }
        }
        self.config.commands_per_poll
    }

    fn connection(&mut self, line: u16) -> Option<&mut Connection> {
        let slot = *self.lines.get(usize::from(line))?;
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    fn add(&mut self, line: u16, mut connection: Box<Connection>, sink: &mut impl FrameSink) {
        let gone = |reason| LineEvent::Disconnected { reason, code: CODE_ABNORMAL };
        if self.stopping {
            return sink.line_event(line, gone(DisconnectReason::Stopped));
        }
        if let Some(older) = self.connection(line) {
            let abandoned = older.pending_bytes() as u64;
            self.counters.abandoned_bytes += abandoned;
            self.counters.disconnects += 1;
            let slot = self.lines[usize::from(line)];
            drop_slot(&self.poll, &mut self.slots, &mut self.lines, slot);
            self.live -= 1;
            sink.line_event(line, gone(DisconnectReason::Replaced));
        }
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let interests = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut connection.transport, Token(slot), interests).is_err() {
            return sink.line_event(line, gone(DisconnectReason::NotRegistered));
        }
        connection.begin(line, &mut self.counters);
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(connection);
        if self.lines.len() <= usize::from(line) {
            self.lines.resize(usize::from(line) + 1, NO_SLOT);
        }
        self.lines[usize::from(line)] = slot;
        self.live += 1;
        sink.line_event(line, LineEvent::Connected);
    }

    fn send(&mut self, line: u16, text: &[u8], sink: &mut impl FrameSink) {
        let result = self.connection(line).map(|connection| {
            let result = connection.send(text);
            connection.flush();
            result
        });
        match result {
            Some(Ok(())) => {
                self.counters.sends += 1;
                return;
            }
            Some(Err(SendRefused::Full)) => self.counters.send_overflow += 1,
            Some(Err(SendRefused::Closed)) | None => self.counters.sends_refused += 1,
        }
        sink.line_event(line, LineEvent::SendRefused);
    }
}

/// Closes the socket of a slot and frees it.
#[cold]
fn drop_slot(poll: &Poll, slots: &mut [Option<Box<Connection>>], lines: &mut [usize], slot: usize) {
    if let Some(mut connection) = slots[slot].take() {
        // It fails only when the socket was never registered; closing it deregisters it anyway.
        let _ = poll.registry().deregister(&mut connection.transport);
        lines[usize::from(connection.line())] = NO_SLOT;
    }
}
