//! The connection table: one line per connection, readable while it lives and after.
//!
//! A line has two halves with one writer each: the session side tells state and registrations, the reading thread tells
//! traffic. The halves are 128 bytes apart, so neither slows the other.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use crate::sys::shared::SharedBlock;

use super::counters::add;
use super::layout;

/// Lines of the table; a connection past it is refused by
/// [`Metrics::connection`](super::Metrics::connection).
pub const CONNECTIONS: usize = 256;
/// Words of half a line.
pub(super) const HALF_WORDS: usize = 16;
/// Words of a line: status, then traffic.
pub(super) const LINE_WORDS: usize = 2 * HALF_WORDS;
/// Longest label, bytes; longer ones are cut.
pub const LABEL_BYTES: usize = 80;

// Words of the status half.
pub(super) const STATE: usize = 0;
pub(super) const SINCE: usize = 1;
pub(super) const WANTED: usize = 2;
pub(super) const CONFIRMED: usize = 3;
pub(super) const RECONNECTS: usize = 4;
pub(super) const LABEL: usize = 5;
// Words of the traffic half, counted from the line's first word.
pub(super) const LAST_MESSAGE: usize = HALF_WORDS;
pub(super) const FRAMES: usize = HALF_WORDS + 1;
pub(super) const BYTES: usize = HALF_WORDS + 2;

const _: () = assert!(LABEL + LABEL_BYTES / 8 < HALF_WORDS + 1);

/// Where a connection stands. Numbers are stored; 0 is a line never used, 2, 4 and 5 are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ConnectionState {
    /// Resolving, connecting, WebSocket upgrade.
    Connecting = 1,
    /// Messages may come.
    Live = 3,
    /// Closed for good.
    Closed = 6,
    /// Lost; waiting for the next attempt.
    BackingOff = 7,
}

impl ConnectionState {
    /// All states in the order of their numbers.
    pub const ALL: [ConnectionState; 4] =
        [ConnectionState::Connecting, ConnectionState::Live, ConnectionState::Closed, ConnectionState::BackingOff];

    /// Name as in JSON and tables.
    pub fn name(self) -> &'static str {
        match self {
            ConnectionState::Connecting => "connecting",
            ConnectionState::Live => "live",
            ConnectionState::Closed => "closed",
            ConnectionState::BackingOff => "backing_off",
        }
    }

    /// The state of a number, if this build knows it.
    pub fn from_number(number: u64) -> Option<ConnectionState> {
        Self::ALL.into_iter().find(|state| *state as u64 == number)
    }
}

/// The session's half of a line: state and registrations. `Send`, not `Sync`; stores only.
#[derive(Debug)]
pub struct ConnectionStatus {
    half: SharedBlock<HALF_WORDS>,
    /// It was live before; also what makes this `!Sync`.
    was_live: Cell<bool>,
}

impl ConnectionStatus {
    pub(super) fn new(half: SharedBlock<HALF_WORDS>, label: &str) -> ConnectionStatus {
        layout::store_text(&half[LABEL..LABEL + LABEL_BYTES / 8], label);
        ConnectionStatus { half, was_live: Cell::new(false) }
    }

    /// Moves to a state, at a wall time, and counts a reconnect when the line is live again. Saying the same state again
    /// keeps the time of the first.
    pub fn set_state(&self, state: ConnectionState, wall_ns: u64) {
        if self.half[STATE].load(Ordering::Relaxed) != state as u64 {
            self.half[SINCE].store(wall_ns, Ordering::Relaxed);
            self.half[STATE].store(state as u64, Ordering::Relaxed);
            if state == ConnectionState::Live && self.was_live.replace(true) {
                add(&self.half[RECONNECTS], 1);
            }
        }
    }

    /// Registrations asked for and confirmed by the broker.
    pub fn set_registrations(&self, wanted: u64, confirmed: u64) {
        self.half[WANTED].store(wanted, Ordering::Relaxed);
        self.half[CONFIRMED].store(confirmed, Ordering::Relaxed);
    }
}

/// The reading thread's half of a line: traffic. `Send`, not `Sync`; three stores, no allocation.
#[derive(Debug)]
pub struct ConnectionTraffic {
    half: SharedBlock<HALF_WORDS>,
    one_thread: PhantomData<Cell<()>>,
}

impl ConnectionTraffic {
    pub(super) fn new(half: SharedBlock<HALF_WORDS>) -> ConnectionTraffic {
        ConnectionTraffic { half, one_thread: PhantomData }
    }

    /// The same half for a thread that only looks.
    pub fn watch(&self) -> ConnectionWatch {
        ConnectionWatch { half: self.half.clone() }
    }

    /// Once per read: frames and bytes it brought, and when (wall ns).
    #[inline]
    pub fn received(&self, frames: u64, bytes: u64, wall_ns: u64) {
        add(&self.half[FRAMES - HALF_WORDS], frames);
        add(&self.half[BYTES - HALF_WORDS], bytes);
        self.half[LAST_MESSAGE - HALF_WORDS].store(wall_ns, Ordering::Relaxed);
    }
}

/// A line's traffic as seen by another thread of the process.
#[derive(Debug)]
pub struct ConnectionWatch {
    half: SharedBlock<HALF_WORDS>,
}

impl ConnectionWatch {
    /// When the last message of any kind came, wall ns; 0 before the first.
    pub fn last_message_ns(&self) -> u64 {
        // Relaxed: a number alone.
        self.half[LAST_MESSAGE - HALF_WORDS].load(Ordering::Relaxed)
    }
}

/// One line as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLine {
    /// Number of the line, as in `Header::line` of records.
    pub line: u16,
    /// `host:port` or another name without secrets.
    pub label: String,
    /// `None` for a number this build does not know.
    pub state: Option<ConnectionState>,
    /// When it came to that state, wall ns.
    pub since_ns: u64,
    /// Registrations asked for.
    pub wanted: u64,
    /// Registrations the broker confirmed.
    pub confirmed: u64,
    /// How often this line was live again after a loss.
    pub reconnects: u64,
    /// When the last message came, wall ns; 0 = none yet.
    pub last_message_ns: u64,
    /// Frames received.
    pub frames: u64,
    /// Bytes received.
    pub bytes: u64,
}

impl ConnectionLine {
    /// Reads a line word by word; `None` when it was never used.
    pub(super) fn from_words(line: u16, word: impl Fn(usize) -> u64) -> Option<ConnectionLine> {
        let state = word(STATE);
        (state != 0).then(|| ConnectionLine {
            line,
            label: layout::text_of((LABEL..LABEL + LABEL_BYTES / 8).map(&word)),
            state: ConnectionState::from_number(state),
            since_ns: word(SINCE),
            wanted: word(WANTED),
            confirmed: word(CONFIRMED),
            reconnects: word(RECONNECTS),
            last_message_ns: word(LAST_MESSAGE),
            frames: word(FRAMES),
            bytes: word(BYTES),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back_by_their_numbers_and_no_others_do() {
        for state in ConnectionState::ALL {
            assert_eq!(ConnectionState::from_number(state as u64), Some(state));
        }
        assert!([0, 2, 4, 5, 8].into_iter().all(|number| ConnectionState::from_number(number).is_none()));
    }

    #[test]
    fn a_line_that_is_live_again_counts_a_reconnect() {
        let words = std::sync::Arc::new(crate::sys::shared::SharedWords::anonymous(HALF_WORDS).unwrap());
        let status = ConnectionStatus::new(words.block(0).unwrap(), "somewhere");
        let path = [
            (ConnectionState::Connecting, 0),
            (ConnectionState::BackingOff, 0),
            (ConnectionState::Connecting, 0),
            (ConnectionState::Live, 0),
            (ConnectionState::Live, 0),
            (ConnectionState::BackingOff, 0),
            (ConnectionState::Live, 1),
        ];
        for (state, reconnects) in path {
            status.set_state(state, 1);
            assert_eq!(status.half[RECONNECTS].load(Ordering::Relaxed), reconnects, "{state:?}");
        }
    }
}
