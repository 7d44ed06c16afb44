//! Counters: the registry of everything countable, and the cells that hold it.
//!
//! Each stage or thread owns one block of cells and is its only writer, so adding is a load and a store without a lock
//! prefix. Readers add the blocks up, or take the largest for marks and gauges ([`Kind`]).

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::shared::SharedBlock;
use crate::tick::{Findings, RejectReason};

/// Words of a block: a header of [`BLOCK_HEADER_WORDS`], then [`CELLS`]. A whole number of 128-byte pairs of lines, so
/// that no two writers share one.
pub(super) const BLOCK_WORDS: usize = 256;
/// Words before the cells: name (4), heartbeat, reserved.
pub(super) const BLOCK_HEADER_WORDS: usize = 16;
/// Bytes of a block's name, zero padded.
pub(super) const NAME_BYTES: usize = 32;
/// Word of a block that holds its last heartbeat, wall ns.
pub(super) const BLOCK_BEAT: usize = NAME_BYTES / 8;
/// Cells of a block; [`Counter`] numbers, reject reasons and finding bits index them.
pub const CELLS: usize = BLOCK_WORDS - BLOCK_HEADER_WORDS;

/// First cell of the rejects by [`RejectReason`] number; 64 are reserved.
const REJECT_FIRST: usize = 128;
const REJECT_CELLS: usize = 64;
/// First cell of the findings by bit of [`Findings`]; 32 are reserved.
const FINDING_FIRST: usize = REJECT_FIRST + REJECT_CELLS;
const FINDING_CELLS: usize = 32;

const _: () = assert!(BLOCK_WORDS.is_multiple_of(16) && NAME_BYTES / 8 < BLOCK_HEADER_WORDS);
const _: () = assert!(FINDING_FIRST + FINDING_CELLS <= CELLS);

/// How blocks of several writers make one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; the blocks are added.
    Sum,
    /// A high-water mark, capacity or gauge; the largest block counts.
    Max,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Shares or contracts.
    Quantity,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $kind:ident $unit:ident $name:literal),* $(,)?) => {
        /// Everything countable. The number is the cell in a block and is never reused; groups leave room to grow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Counter { $($(#[$doc])* $variant = $number),* }

        impl Counter {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant),*];

            /// Name as in JSON.
            pub fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name),* }
            }

            /// How blocks make one figure.
            pub fn kind(self) -> Kind {
                match self { $(Counter::$variant => Kind::$kind),* }
            }

            /// What it counts.
            pub fn unit(self) -> Unit {
                match self { $(Counter::$variant => Unit::$unit),* }
            }
        }
    };
}

counters! {
    // Reader.
    /// Data frames taken off sockets.
    FramesReceived = 0 Sum Count "frames_received",
    /// Control messages of the feed: answers and keep-alives. Frames of WebSocket itself are not among them.
    ControlFrames = 1 Sum Count "control_frames",
    /// Bytes read from sockets, after TLS.
    BytesReceived = 2 Sum Bytes "bytes_received",
    /// Reads of sockets that brought bytes.
    Reads = 3 Sum Count "reads",
    /// Reads without a kernel receive stamp: user-space time was taken.
    UserStamps = 4 Sum Count "user_stamps",
    /// Reads whose kernel stamp lay after the read; the latency was clamped to zero.
    NegativeLatencyClamped = 5 Sum Count "negative_latency_clamped",
    /// Records written to stream `raw`.
    RawJournaled = 6 Sum Count "raw_journaled",
    /// Bytes of those records, headers and padding included.
    RawJournaledBytes = 7 Sum Bytes "raw_journaled_bytes",
    /// Times a full ring stopped the reading of a socket.
    Stalls = 8 Sum Count "stalls",
    /// How long sockets stood unread in all.
    StalledNs = 9 Sum Nanoseconds "stalled_ns",
    /// WebSocket pings answered.
    Pings = 10 Sum Count "pings",
    /// Application keep-alives (`PINGPONG`) answered.
    Pingpongs = 11 Sum Count "pingpongs",
    /// Messages to a broker that did not fit into the send buffer and were given up.
    SendOverflow = 12 Sum Count "send_overflow",
    /// Most bytes ever waiting in the ring from reader to parser.
    FrameRingHighWaterBytes = 13 Max Bytes "frame_ring_high_water_bytes",
    /// Size of that ring.
    FrameRingCapacityBytes = 14 Max Bytes "frame_ring_capacity_bytes",
    /// Longest duty cycle of the reader.
    ReaderCycleNsMax = 15 Max Nanoseconds "reader_cycle_ns_max",
    /// Received bytes not yet handed on when their connection was given up.
    AbandonedBytes = 16 Sum Bytes "abandoned_bytes",
    /// Messages to a broker for a connection that was closing or gone.
    SendsRefused = 17 Sum Count "sends_refused",
    /// Violations of the WebSocket protocol, of every kind.
    Violations = 18 Sum Count "violations",

    // Parser and validator.
    /// Records decoded from frames.
    RecordsDecoded = 32 Sum Count "records_decoded",
    /// Frames and records that could not be read, whatever the reason.
    Rejects = 33 Sum Count "rejects",
    /// Records with more fields than the table knows.
    SchemaExtra = 34 Sum Count "schema_extra",
    /// Records whose date was inferred from the time of receipt.
    DateInferred = 35 Sum Count "date_inferred",
    /// Instruments known.
    Instruments = 36 Max Count "instruments",
    /// Gaps found.
    Gaps = 37 Sum Count "gaps",
    /// Quantity missing in those gaps, exact.
    MissingQty = 38 Sum Quantity "missing_qty",
    /// Most bytes ever waiting in the ring from parser to journal.
    RecordRingHighWaterBytes = 39 Max Bytes "record_ring_high_water_bytes",
    /// Size of that ring.
    RecordRingCapacityBytes = 40 Max Bytes "record_ring_capacity_bytes",
    /// Longest duty cycle of the parser.
    ParserCycleNsMax = 41 Max Nanoseconds "parser_cycle_ns_max",
    /// Records that found no room in that ring: more than 0 is a fault of the program, since room is asked for before a
    /// frame is taken.
    RecordRingOverflow = 42 Sum Count "record_ring_overflow",

    // Journal.
    /// Market records committed to stream `ticks`.
    RecordsJournaled = 64 Sum Count "records_journaled",
    /// Other records committed to it: sessions, gaps, rejects, definitions. Ends of segments are not counted.
    ServiceRecordsJournaled = 65 Sum Count "service_records_journaled",
    /// Bytes of both, headers and padding included.
    JournaledBytes = 66 Sum Bytes "journaled_bytes",
    /// Bodies taken from the inbox of cold threads.
    InboxDrained = 67 Sum Count "inbox_drained",
    /// Bodies a cold thread could not leave because the inbox was full.
    InboxFull = 68 Sum Count "inbox_full",
    /// Segments ended and followed by the next, both streams; as of the last exchange with the metrics thread.
    SegmentRolls = 69 Sum Count "segment_rolls",
    /// Rolls that found the next segment not prepared yet, both streams.
    RollStalls = 70 Sum Count "roll_stalls",
    // 71 is taken: it was `consumer_dropped`.
    /// Longest duty cycle of the journal writer.
    JournalCycleNsMax = 72 Max Nanoseconds "journal_cycle_ns_max",
    /// Frames that came while the lines were being closed for want of room, and are in neither stream.
    FramesLeftOut = 73 Sum Count "frames_left_out",

    // Sessions and other cold work.
    /// Connections made and upgraded.
    Connects = 96 Sum Count "connects",
    /// Those that followed a loss.
    Reconnects = 97 Sum Count "reconnects",
    /// Connections lost or closed.
    Disconnects = 98 Sum Count "disconnects",
    /// Registrations sent.
    RegistrationsSent = 99 Sum Count "registrations_sent",
    /// Registrations the broker refused.
    RegistrationsRefused = 100 Sum Count "registrations_refused",
    // 101 is taken: it was `repairs`.
    /// Manifests of sealed days that could not be read when maintenance last looked: those days are left alone.
    ManifestsDamaged = 102 Max Count "manifests_damaged",
    /// Times that days that are over could not all be sealed, compressed or deleted as configured, other than for waiting.
    MaintenanceFailures = 103 Sum Count "maintenance_failures",
    /// Lines closed because nothing, or no data, came on them though it should.
    SilentLines = 104 Sum Count "silent_lines",
    /// Times a registration in force was found not to tick though it should.
    SilentPairs = 105 Sum Count "silent_pairs",
    /// Registrations wanted that will not be in force: no room, or refused at least until the next trading day.
    RegistrationsLeftOut = 106 Sum Count "registrations_left_out",
    /// Whether hot threads park since no session is near: 1 while they do.
    StagesParked = 107 Max Count "stages_parked",
    /// Dates on which the broker's calendar and ours part, as of the last check.
    CalendarDifferences = 108 Max Count "calendar_differences",
    /// Checks of our calendar against the broker's that came to an answer.
    CalendarChecks = 109 Sum Count "calendar_checks",
    /// Lines now down for so long that their symbols are polled.
    LinesPolled = 110 Max Count "lines_polled",
    /// Snapshots taken by polling.
    Snapshots = 111 Sum Count "snapshots",
    /// Polls that brought no snapshot.
    PollsFailed = 112 Sum Count "polls_failed",
    /// Snapshots the parser could not be given: its queue was full.
    SnapshotsLost = 113 Sum Count "snapshots_lost",
    /// Registrations moved to an app key with room.
    RegistrationsMoved = 114 Sum Count "registrations_moved",
    /// Changes of the list held back, since their registration changed too often.
    ChangesDelayed = 115 Sum Count "changes_delayed",
    /// Account notices kept.
    NoticesKept = 116 Sum Count "notices_kept",
    /// Account notices that could not be read: no key yet, or not to be decrypted.
    NoticesRejected = 117 Sum Count "notices_rejected",
    /// Account notices that found no room on their way and are lost.
    NoticesLost = 118 Sum Count "notices_lost",
    /// Approval keys renewed on the broker's word that the old one is not known.
    ApprovalsRenewed = 119 Sum Count "approvals_renewed",
    /// Times a line was closed for the day, its app key having been refused again and again.
    LinesBarred = 127 Sum Count "lines_barred",
}

/// The write side of one block: one per stage or thread, `Send`, not `Sync`, not `Clone`, so that each cell has one
/// writer. Every method is a load and a store to memory of this process; nothing blocks, allocates or fails.
#[derive(Debug)]
pub struct Counters {
    block: SharedBlock<BLOCK_WORDS>,
    one_thread: PhantomData<Cell<()>>,
}

impl Counters {
    pub(super) fn new(block: SharedBlock<BLOCK_WORDS>, name: &str) -> Counters {
        super::layout::store_text(&block[..NAME_BYTES / 8], name);
        Counters { block, one_thread: PhantomData }
    }

    /// Adds `n`; wraps at 2^64.
    #[inline]
    pub fn add(&self, counter: Counter, n: u64) {
        add(self.cell(counter as usize), n);
    }

    /// Raises a high-water mark to `value` if that is higher.
    #[inline]
    pub fn max(&self, counter: Counter, value: u64) {
        let cell = self.cell(counter as usize);
        if value > cell.load(Ordering::Relaxed) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// Puts a gauge or capacity at `value`.
    #[inline]
    pub fn set(&self, counter: Counter, value: u64) {
        self.cell(counter as usize).store(value, Ordering::Relaxed);
    }

    /// Counts a reject by its reason and in [`Counter::Rejects`].
    #[inline]
    pub fn reject(&self, reason: RejectReason) {
        self.add(Counter::Rejects, 1);
        add(self.cell(reject_cell(reason as u8)), 1);
    }

    /// Counts every bit that is set; costs one comparison when none is.
    #[inline]
    pub fn findings(&self, findings: Findings) {
        let mut bits = findings.0;
        while bits != 0 {
            add(self.cell(FINDING_FIRST + bits.trailing_zeros() as usize), 1);
            bits &= bits - 1;
        }
    }

    /// Says that this writer is alive, at a wall time its caller has at hand anyway.
    #[inline]
    pub fn beat(&self, wall_ns: u64) {
        self.block[BLOCK_BEAT].store(wall_ns, Ordering::Relaxed);
    }

    /// This block's own figure; others may count the same elsewhere.
    #[inline]
    pub fn get(&self, counter: Counter) -> u64 {
        self.cell(counter as usize).load(Ordering::Relaxed)
    }

    #[inline]
    fn cell(&self, index: usize) -> &AtomicU64 {
        &self.block[BLOCK_HEADER_WORDS + index]
    }
}

#[inline]
pub(super) fn add(cell: &AtomicU64, n: u64) {
    // One writer: nobody stores between this load and this store.
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

fn reject_cell(number: u8) -> usize {
    REJECT_FIRST + usize::from(number) % REJECT_CELLS
}

/// Figures read at one time: of one block, or of all blocks added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterValues {
    cells: Box<[u64; CELLS]>,
}

impl CounterValues {
    /// All zero.
    pub fn zero() -> CounterValues {
        CounterValues { cells: Box::new([0; CELLS]) }
    }

    /// Figures given cell by cell.
    pub(super) fn from_cells(cell: impl Fn(usize) -> u64) -> CounterValues {
        CounterValues { cells: Box::new(std::array::from_fn(cell)) }
    }

    /// One figure.
    pub fn get(&self, counter: Counter) -> u64 {
        self.cells[counter as usize]
    }

    /// Rejects of one reason.
    pub fn rejects(&self, reason: RejectReason) -> u64 {
        self.cells[reject_cell(reason as u8)]
    }

    /// Records with the finding of this bit (0 for the lowest); 0 for a bit there is not.
    pub fn findings(&self, bit: usize) -> u64 {
        if bit < FINDING_CELLS { self.cells[FINDING_FIRST + bit] } else { 0 }
    }

    /// Takes another writer's figures in: sums are added, of marks and gauges the larger counts.
    pub fn merge(&mut self, other: &CounterValues) {
        let mut kinds = [Kind::Sum; CELLS];
        for counter in Counter::ALL {
            kinds[*counter as usize] = counter.kind();
        }
        for ((mine, theirs), kind) in self.cells.iter_mut().zip(other.cells.iter()).zip(kinds) {
            *mine = match kind {
                Kind::Sum => mine.wrapping_add(*theirs),
                Kind::Max => (*mine).max(*theirs),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_numbers_rise_and_stay_clear_of_the_families() {
        for pair in Counter::ALL.windows(2) {
            assert!((pair[0] as u8) < pair[1] as u8, "{:?}", pair[1]);
        }
        assert!(Counter::ALL.iter().all(|counter| (*counter as usize) < REJECT_FIRST));
        let names: std::collections::HashSet<_> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        assert_eq!(names.len(), Counter::ALL.len());
    }

    #[test]
    fn every_reject_reason_and_finding_has_a_cell_of_its_own() {
        assert!(RejectReason::ALL.iter().all(|reason| usize::from(*reason as u8) < REJECT_CELLS));
        assert!(Findings::NAMES.len() <= FINDING_CELLS);
    }

    #[test]
    fn merging_adds_sums_and_takes_the_larger_mark() {
        let with = |sum, mark| {
            CounterValues::from_cells(|cell| match cell {
                cell if cell == Counter::FramesReceived as usize => sum,
                cell if cell == Counter::Instruments as usize => mark,
                _ => 0,
            })
        };
        let mut all = with(3, 9);
        all.merge(&with(4, 2));
        assert_eq!((all.get(Counter::FramesReceived), all.get(Counter::Instruments)), (7, 9));
    }

    /// Goal: a figure for the page; run with `--release -- --nocapture`. No bound: machines differ.
    #[test]
    fn the_cost_of_counting_is_reported() {
        let words = std::sync::Arc::new(crate::sys::shared::SharedWords::anonymous(BLOCK_WORDS).unwrap());
        let counters = Counters::new(words.block(0).unwrap(), "test");
        let rounds: u64 = if cfg!(debug_assertions) { 100_000 } else { 100_000_000 };
        let start = std::time::Instant::now();
        for round in 0..rounds {
            counters.add(Counter::FramesReceived, std::hint::black_box(round & 1));
        }
        eprintln!("add {:.2} ns", start.elapsed().as_secs_f64() * 1e9 / rounds as f64);
        assert_eq!(counters.get(Counter::FramesReceived), rounds / 2);
    }
}
