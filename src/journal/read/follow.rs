//! Following a journal as it is written: how to wait for the next record, and how far one is behind.

use std::time::{Duration, Instant};

use crate::clock::wall_ns;
use crate::journal::control::ControlReader;
use crate::journal::format::SEGMENT_HEADER_BYTES;
use crate::journal::list_segments;
use crate::journal::reader::{Polled, TailError, TailState, Tailer};
use crate::journal::record::RecordRef;
use crate::journal::visit::Visit;
use crate::stage::{Stage, WaitStrategy, Waiter};

/// A tailer that waits.
///
/// What a wait costs is the choice of the [`WaitStrategy`], the same as that of the engine's own threads:
///
/// | strategy | from commit to the reader's hands                              | median | costs                                 |
/// |----------|----------------------------------------------------------------|--------|---------------------------------------|
/// | `Spin`   | one cache line from one processor to the other                 | 0.1 µs | a whole processor                     |
/// | `Yield`  | the same while nobody else wants the processor, else his slice | 0.4 µs | what others leave of a processor      |
/// | `Park`   | as `Yield` within some 400 empty looks, then up to 1 ms more   | 0.5 ms | next to nothing while nothing happens |
///
/// The medians are of 1,000 records a second on two processors of a virtual machine (`benches/record/`).
/// `hoga-bench wait` measures all three on the machine it runs on. No strategy costs the recorder anything.
///
/// ```
/// use std::time::Duration;
///
/// use hoga::journal::{Follower, Start, Stream, TailState, Tailer};
/// use hoga::stage::WaitStrategy;
/// # use hoga::journal::{Journal, JournalConfig};
/// # use hoga::tick::{RType, Trade, words_of};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let dir = folder.path();
/// # let mut journal = Journal::open(dir, JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) })?;
/// # let mut trade = Trade::UNDEF;
/// # trade.header.length = size_of::<Trade>() as u32;
/// # trade.header.rtype = RType::Trade as u8;
/// # journal.ticks.append(words_of(&mut trade))?;
///
/// let tailer = Tailer::open(dir, Stream::Ticks, Start::Beginning)?;
/// let mut follower = Follower::new(tailer, WaitStrategy::Yield);
/// let polled = follower.next_batch(100, Some(Duration::from_secs(1)), |record| println!("{:?}", record.position))?;
/// assert_eq!((polled.records, polled.state), (1, TailState::Live));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Follower {
    tailer: Tailer,
    strategy: WaitStrategy,
    told: TailState,
}

/// A stage with nothing to wait on: it sleeps.
struct Asleep;

impl Stage for Asleep {
    fn poll(&mut self) -> usize {
        0
    }

    fn is_done(&self) -> bool {
        false
    }
}

impl Follower {
    /// Follows from where the tailer stands.
    pub fn new(tailer: Tailer, strategy: WaitStrategy) -> Follower {
        Follower { tailer, strategy, told: TailState::Live }
    }

    /// The tailer, to seek or ask for its place.
    pub fn tailer(&mut self) -> &mut Tailer {
        &mut self.tailer
    }

    /// The tailer back.
    pub fn into_tailer(self) -> Tailer {
        self.tailer
    }

    /// Hands over the next records, at most `max`, waiting until there is one.
    ///
    /// Returns without a record when `timeout` is over, when a filter's end was passed, or when the state of the writer
    /// is another one than at the last return without a record (told once: a journal that was closed may be opened again, and the next
    /// call waits for that).
    ///
    /// # Errors
    ///
    /// As [`Tailer::poll`].
    pub fn next_batch(
        &mut self,
        max: usize,
        timeout: Option<Duration>,
        mut on_record: impl FnMut(RecordRef<'_>),
    ) -> Result<Polled, TailError> {
        let mut waiter = Waiter::new(self.strategy);
        let mut deadline = None;
        loop {
            let polled = self.tailer.poll(max, &mut on_record)?;
            if polled.records > 0 {
                // A state that comes with records is told again without them: so an end can't be missed.
                return Ok(polled);
            }
            if polled.state != TailState::More && polled.state != self.told {
                self.told = polled.state;
                return Ok(polled);
            }
            if max == 0 || self.tailer.is_past() {
                return Ok(polled);
            }
            if let Some(timeout) = timeout {
                let now = Instant::now();
                if now >= *deadline.get_or_insert(now + timeout) {
                    return Ok(polled);
                }
            }
            waiter.after(&mut Asleep, 0);
        }
    }

    /// As [`next_batch`](Self::next_batch), each record handed to the method of its kind.
    ///
    /// # Errors
    ///
    /// As [`Tailer::poll`].
    pub fn visit_batch(
        &mut self,
        max: usize,
        timeout: Option<Duration>,
        visitor: &mut impl Visit,
    ) -> Result<Polled, TailError> {
        self.next_batch(max, timeout, |record| record.visit(visitor))
    }
}

/// How far a reader is behind the writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Records committed, as of the writer's last batch, that were not handed over.
    pub records: u64,
    /// Bytes of the stream between the two.
    pub bytes: u64,
    /// Segments between the two; 0 = both are in the same.
    pub segments: u64,
    /// Age of the next record, nanoseconds since its `ts_recv`; 0 when there is none.
    pub ns: u64,
}

impl Tailer {
    /// How far this reader is behind: the report of a slow one. It makes a system call or some and looks at the clock,
    /// so now and then, not for every record. Zeros when the control page can't be read; a filter is not considered.
    pub fn lag(&self) -> Lag {
        let at = self.position();
        let mut opened = None;
        let Some(control) = self.lookout.current_control().or_else(|| {
            opened = ControlReader::open(self.folder(), self.stream()).ok().and_then(Result::ok);
            opened.as_ref()
        }) else {
            return Lag::default();
        };
        // The ordinal first: a roll in between then counts too little, never another segment's position.
        let (ordinal, position) = (control.active_ordinal(), control.position());
        let records = (control.last_sequence() + 1).saturating_sub(at.sequence);
        let bytes = if ordinal <= at.ordinal {
            if ordinal == at.ordinal { position.saturating_sub(at.offset) } else { 0 }
        } else {
            let between = self.bytes_between(at.ordinal, ordinal);
            let rest = self.segment_bytes().saturating_sub(at.offset);
            rest + between + position.saturating_sub(SEGMENT_HEADER_BYTES as u64)
        };
        let ns = self.next_ts().map_or(0, |ts| wall_ns().saturating_sub(ts));
        Lag { records, bytes, segments: ordinal.saturating_sub(at.ordinal), ns }
    }

    /// Bytes of the segments between two, not counting those.
    fn bytes_between(&self, first: u64, last: u64) -> u64 {
        let between = list_segments(self.folder()).unwrap_or_default();
        let segments = between.into_iter().filter(|ordinal| (first + 1..last).contains(ordinal)).count() as u64;
        segments * self.segment_bytes().saturating_sub(SEGMENT_HEADER_BYTES as u64)
    }
}
