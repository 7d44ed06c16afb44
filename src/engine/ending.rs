//! How the engine stops by itself when a stream can't go on: in time, both streams together, in order.
//!
//! Each writer has a [`Gate`] before it. While the next segment is prepared it takes everything. Without one it keeps a
//! reserve of the present segment: a disk that is only late makes the lines wait (they are not read, TCP holds the
//! sender), a disk that refuses is reason to end. The end is asked for once ([`Ending`]) and seen by every stage: the
//! reader closes its lines by the closing handshake, and what comes until they are closed goes into the reserve. When
//! that is used up too, frames are left out and counted. Last of all the `Stopped` record says why, in room that nothing
//! else may take.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytemuck::Zeroable as _;

use super::Summary;
use super::stages::{FRAME_RECORDS_MAX, RECORD_WORDS_MAX};
use crate::clock::wall_ns;
use crate::journal::format::padded;
use crate::journal::{AppendError, Stream, StreamWriter, Trouble};
use crate::tick::{Header, Publisher, RAW_PREFIX_BYTES, Session, SessionEvent, StopReason};

/// Most of a segment kept for what still comes while the lines are being closed.
const RESERVE_BYTES_MAX: usize = 16 << 20;
/// Most of a segment kept for the last service records.
const LAST_BYTES_MAX: usize = 64 << 10;
/// What the `Stopped` record takes.
pub(super) const STOPPED_BYTES: usize = padded(size_of::<Session>());
/// A thing that is always true of a sealed gate: no room is enough.
const NEVER: usize = usize::MAX / 2;

/// Why the engine stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub reason: StopReason,
    pub stream: Stream,
    /// What the system said; 0 = nothing.
    pub errno: i32,
}

/// The one place where stages ask for the end and see that it was asked for.
#[derive(Debug)]
pub(super) struct Ending {
    /// 0: nobody asked. Reason, stream, and in the upper half the error.
    cause: AtomicU64,
    left_out: AtomicU64,
    /// Ends the session manager: no line is to come back.
    stop: Arc<AtomicBool>,
}

impl Ending {
    /// Nobody asked yet; who asks sets `stop` too.
    pub fn new(stop: Arc<AtomicBool>) -> Ending {
        Ending { cause: AtomicU64::new(0), left_out: AtomicU64::new(0), stop }
    }

    /// Asks for the end; who is first says why.
    #[cold]
    pub fn request(&self, cause: Cause) {
        let word = u64::from(cause.reason as u8)
            | u64::from(cause.stream.number()) << 8
            | u64::from(cause.errno.cast_unsigned()) << 32;
        // Relaxed: nobody concludes anything from it about other memory.
        let _ = self.cause.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    #[inline]
    pub fn is_requested(&self) -> bool {
        self.cause.load(Ordering::Relaxed) != 0
    }

    /// Why.
    pub fn cause(&self) -> Option<Cause> {
        let word = self.cause.load(Ordering::Relaxed);
        let stream = if word >> 8 & 0xff == u64::from(Stream::Raw.number()) { Stream::Raw } else { Stream::Ticks };
        let reason = StopReason::from_number(word as u8)?;
        Some(Cause { reason, stream, errno: ((word >> 32) as u32).cast_signed() })
    }

    /// A frame came that is in neither stream.
    #[cold]
    pub fn leave_out(&self) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

/// What a gate says to so many bytes; the worst of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// They find room.
    Take,
    /// Not now.
    Wait,
    /// Never again.
    LeaveOut,
}

/// Stands before a stream's writer, on its thread.
#[derive(Debug)]
pub(super) struct Gate {
    is_on: bool,
    /// Room below which no frame is taken when no segment follows.
    reserve: usize,
    /// Of that, what frames may not even take while the lines are being closed.
    last: usize,
    /// Longest the lines wait for a segment that is only late.
    patience: Duration,
    waited: Cell<bool>,
    late_since: Option<Instant>,
}

impl Gate {
    /// A gate that always says yes: whoever feeds the stream looks out himself.
    pub fn open() -> Gate {
        let patience = Duration::MAX;
        Gate { is_on: false, reserve: 0, last: 0, patience, waited: Cell::new(false), late_since: None }
    }

    /// A gate for streams of such segments.
    pub fn new(segment_bytes: usize, patience: Duration) -> Gate {
        Gate {
            is_on: true,
            reserve: (segment_bytes / 4).min(RESERVE_BYTES_MAX),
            last: (segment_bytes / 64).min(LAST_BYTES_MAX),
            patience,
            ..Gate::open()
        }
    }

    /// Whether there is a gate at all.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Room that is kept for the last service records.
    #[inline]
    pub fn last(&self) -> usize {
        self.last
    }

    /// Nothing but service records goes through from now on.
    pub fn seal(&mut self) {
        if self.is_on {
            (self.reserve, self.last) = (NEVER, NEVER);
        }
    }

    /// Whether that was said.
    pub fn is_sealed(&self) -> bool {
        self.last == NEVER
    }

    /// Whether so many bytes can be appended now.
    #[inline]
    pub fn verdict(&self, writer: &StreamWriter, bytes: usize, ending: &Ending) -> Verdict {
        if writer.room() >= bytes + self.reserve { Verdict::Take } else { self.consider(writer, bytes, ending) }
    }

    #[cold]
    #[inline(never)]
    fn consider(&self, writer: &StreamWriter, bytes: usize, ending: &Ending) -> Verdict {
        if !self.is_on {
            return Verdict::Take;
        }
        if self.is_sealed() {
            return Verdict::LeaveOut;
        }
        if writer.has_next() {
            return Verdict::Take;
        }
        if ending.is_requested() {
            return if writer.room() >= bytes + self.last { Verdict::Take } else { Verdict::LeaveOut };
        }
        // A segment that is only late may use half of the reserve before the lines have to wait.
        if writer.failure().is_none() && writer.room() >= bytes + self.reserve / 2 {
            return Verdict::Take;
        }
        self.waited.set(true);
        Verdict::Wait
    }

    /// After each cycle: asks for the end when there is no other way.
    #[inline]
    pub fn end_cycle(&mut self, writer: &mut StreamWriter, ending: &Ending) {
        if writer.room() < self.reserve || self.waited.get() {
            self.watch(writer, ending);
        }
    }

    #[cold]
    #[inline(never)]
    fn watch(&mut self, writer: &mut StreamWriter, ending: &Ending) {
        let waited = self.waited.take();
        if ending.is_requested() || writer.has_next() {
            self.late_since = None;
            return;
        }
        let stream = writer.stream();
        if let Some(Trouble::NoSegment { errno }) = writer.trouble() {
            return ending.request(Cause { reason: StopReason::NoSegment, stream, errno });
        }
        if !waited {
            return;
        }
        let since = *self.late_since.get_or_insert_with(|| {
            writer.stalled();
            Instant::now()
        });
        if since.elapsed() > self.patience {
            ending.request(Cause { reason: StopReason::SlowDisk, stream, errno: 0 });
        }
    }
}

/// Why an append failed, as a reason to end.
#[cold]
pub(super) fn cause_of(error: AppendError, writer: &StreamWriter) -> Cause {
    let stream = writer.stream();
    let (reason, errno) = match (error, writer.trouble()) {
        (AppendError::NoSegment, Some(Trouble::NoSegment { errno })) => (StopReason::NoSegment, errno),
        (_, Some(Trouble::SyncFailed { errno })) => (StopReason::SyncFailed, errno),
        (AppendError::NoSegment, _) => (StopReason::SlowDisk, 0),
        _ => (StopReason::AppendFailed, 0),
    };
    Cause { reason, stream, errno }
}

/// Bytes a frame takes in stream `raw`.
#[inline]
pub(super) fn raw_bytes(payload: usize) -> usize {
    padded(RAW_PREFIX_BYTES + payload)
}

/// Bytes the records of a frame can take in stream `ticks` at most: a record has a key and at least ten fields more on
/// the wire, and the bytes of one that is kept as it came or rejected stand in the stream.
#[inline]
pub(super) fn ticks_bytes_max(payload: usize) -> usize {
    (payload / 8 + 1).min(FRAME_RECORDS_MAX) * (8 * RECORD_WORDS_MAX) + payload
}

impl Cause {
    /// Why, in a sentence's second half.
    pub fn text(&self) -> String {
        let (stream, system) = (self.stream.name(), io::Error::from_raw_os_error(self.errno));
        match self.reason {
            StopReason::NoSegment => format!("no next segment of stream {stream}: {system}"),
            StopReason::SlowDisk => format!("the next segment of stream {stream} is late"),
            StopReason::SyncFailed => format!("stream {stream} could not be synced: {system}"),
            StopReason::AppendFailed => format!("stream {stream} did not take a record"),
        }
    }

    /// The engine's last word in the journal.
    pub fn record(&self, left_out: u64) -> Session {
        let header = Header {
            length: size_of::<Session>() as u32,
            ts_recv: wall_ns(),
            publisher: Publisher::Hoga as u16,
            rtype: crate::tick::RType::Session as u8,
            version: crate::tick::RECORD_VERSION,
            ..Header::zeroed()
        };
        let (event, reason) = (SessionEvent::Stopped as u8, self.reason as u8);
        let mut session = Session { header, value: left_out, event, reason, ..Session::zeroed() };
        super::parser::copy_text(&mut session.code, self.stream.name());
        super::parser::copy_text(&mut session.text, &self.text());
        session
    }
}

/// The engine stopped by itself, in order: why, and what it had done by then.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stop {
    /// The journal's folder.
    pub dir: PathBuf,
    /// Why.
    pub reason: StopReason,
    /// The stream that could not go on.
    pub stream: Stream,
    /// What the system said of it.
    pub errno: Option<i32>,
    /// Frames that came while the lines were being closed and are in neither stream.
    pub left_out: u64,
    /// Whether frames of stream `raw` are to be decoded when the journal is opened again.
    pub is_unfinished: bool,
    /// Why the streams could not be synced when they were closed, if they could not.
    pub close_error: Option<String>,
    /// Figures of the run.
    pub summary: Summary,
}

impl Stop {
    pub(super) fn cause(&self) -> Cause {
        Cause { reason: self.reason, stream: self.stream, errno: self.errno.unwrap_or(0) }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "recording stopped: {}. What was taken until then is in journal {}",
            self.cause().text(),
            self.dir.display()
        )?;
        if self.is_unfinished {
            f.write_str(", the last frames in stream raw alone: they are decoded when it is opened again")?;
        }
        if self.left_out > 0 {
            write!(f, "; {} frames that came while the lines were being closed are not", self.left_out)?;
        }
        if let Some(error) = &self.close_error {
            write!(f, "; closing it failed: {error}")?;
        }
        f.write_str(match self.reason {
            StopReason::NoSegment => ". Make room (hoga prune) or mend the disk, then start again",
            StopReason::SlowDisk => ". Look at what keeps the disk busy, then start again",
            StopReason::SyncFailed => ". Don't trust the disk: check it (dmesg), then `hoga verify`",
            StopReason::AppendFailed => ". This is a fault of the program or its configuration",
        })
    }
}
