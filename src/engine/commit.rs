//! The journal stage's core: stamps, appends and counts each record; takes what cold threads left in the inbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;

use super::ending::{Cause, Ending, Gate, STOPPED_BYTES, cause_of};
use crate::clock::{TickClock, wall_ns};
use crate::feed::RecordSink;
use crate::journal::format::padded;
use crate::journal::{AppendError, StreamWriter};
use crate::metrics::{Counter, Counters, Latency, StageHistogram};
use crate::tick::{Findings, Flags, HEADER_BYTES, Header, Market, RType, StopReason, words_of};

/// Records taken from the inbox in one cycle, at most.
const INBOX_BATCH: usize = 16;
/// Longest a record that no gate was asked for waits for the next segment.
const LATE_MAX: Duration = Duration::from_secs(2);
/// The word of a record that holds `decoded_ns` and `committed_ns`.
const STAMPS_WORD: usize = Market::STAMPS_OFFSET / 8;
/// The word of the header that holds `length`.
const LENGTH_WORD: usize = 0;
/// The word of the header that holds `ts_recv`.
const TS_RECV_WORD: usize = 2;
/// The word of the market prefix that holds `recv_window_ns` and `read_ns`.
const READ_WORD: usize = Market::STAMPS_OFFSET / 8 - 1;
/// The word of the header that holds `instrument_id` and `flags`.
const FLAGS_WORD: usize = 3;
/// The word of the market prefix that holds `findings`, `tr` and `width`.
const FINDINGS_WORD: usize = Market::STAMPS_OFFSET / 8 + 1;
/// The word of the market prefix that begins with `frame_index`.
const PLACE_WORD: usize = (HEADER_BYTES + std::mem::offset_of!(Market, frame_index)) / 8;
/// The word of the header that holds `publisher`, `line`, `rtype`, `version`.
const KIND_WORD: usize = 4;

/// When the frame of a record was read: what later stamps are measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadStamp {
    /// Ticks at the read of the socket.
    Ticks(u64),
    /// Read in another life of the process: only wall time tells.
    Recovered,
}

/// Bodies finished by cold threads, waiting for the one writer.
pub(super) type Inbox = Arc<ArrayQueue<Box<[u64]>>>;

/// Owns the writer of stream `ticks`.
#[derive(Debug)]
pub(super) struct Committer {
    pub writer: StreamWriter,
    pub counters: Counters,
    pub latency: StageHistogram,
    pub clock: TickClock,
    pub inbox: Inbox,
    /// Ordinal of the segment this opening began with.
    pub first_ordinal: u64,
    /// Of the frame whose records come now.
    pub stamp: ReadStamp,
    /// The trading date of market time, decimal YYYYMMDD, as the metrics thread keeps it.
    pub trading_date: Arc<AtomicU32>,
    /// Why stream `ticks` takes no more.
    pub failure: Option<AppendError>,
    pub gate: Gate,
    pub ending: Arc<Ending>,
    /// Whether all frames are in stream `raw`, from where what is left out here comes at the next opening.
    pub has_raw: bool,
    /// Whether records of frames were left out.
    pub left_behind: bool,
}

impl Committer {
    /// Whether records can be taken: stream `ticks` has not failed.
    pub fn is_open(&self) -> bool {
        self.failure.is_none()
    }

    /// Takes records of cold threads, a bounded batch; returns how many.
    pub fn drain_inbox(&mut self) -> usize {
        for taken in 0..INBOX_BATCH {
            let Some(mut words) = self.inbox.pop() else { return taken };
            self.counters.add(Counter::InboxDrained, 1);
            self.record(&mut words);
        }
        INBOX_BATCH
    }

    /// After each cycle: publishes what was written, answers the metrics thread, and then gives a sign of life.
    #[inline]
    pub fn end_cycle(&mut self, work: usize) {
        let is_exchange = self.latency.exchange();
        if work > 0 || is_exchange {
            self.writer.batch_end();
        }
        if work > 0 {
            // A day change forces a roll; a day that has no segment yet begins later. Relaxed: a number alone.
            if self.writer.has_next() {
                let _ = self.writer.set_trading_date(self.trading_date.load(Ordering::Relaxed));
            }
        }
        self.gate.end_cycle(&mut self.writer, &self.ending);
        if is_exchange {
            self.mirror_rolls();
            self.counters.beat(wall_ns());
        }
    }

    /// Counts the rolls so far; at the end once more, so that the last figures are exact.
    pub fn mirror_rolls(&self) {
        self.counters.set(Counter::SegmentRolls, self.writer.ordinal() - self.first_ordinal);
        self.counters.set(Counter::RollStalls, self.writer.stalls());
    }

    /// Writes `committed_ns` into a market record; the last thing before it is appended.
    #[inline]
    fn stamp(&mut self, words: &mut [u64]) -> Option<(u32, u32)> {
        let decoded_ns = words[STAMPS_WORD] as u32;
        let read_ns = (words[READ_WORD] >> 32) as u32;
        let committed_ns = match self.stamp {
            ReadStamp::Ticks(read) => u64::from(read_ns).saturating_add(self.clock.delta_ns(read, self.clock.now())),
            ReadStamp::Recovered => wall_ns().saturating_sub(words[TS_RECV_WORD]),
        };
        let committed_ns = u32::try_from(committed_ns).unwrap_or(u32::MAX);
        words[STAMPS_WORD] = u64::from(decoded_ns) | u64::from(committed_ns) << 32;
        (self.stamp != ReadStamp::Recovered).then_some((decoded_ns, committed_ns))
    }

    #[inline]
    fn commit(&mut self, words: &mut [u64], tail: &[u8]) {
        let rtype = (words[KIND_WORD] >> 32) as u8;
        let is_market = rtype < RType::Instrument as u8;
        if self.writer.room() < self.gate.last() && !self.admits(words, tail) {
            return;
        }
        let stamps = if is_market { self.stamp(words) } else { None };
        let result =
            if tail.is_empty() { self.writer.append(words) } else { self.writer.append_with_tail(words, tail) };
        if let Err(error) = result {
            self.refused(error);
            return;
        }
        let length = words[LENGTH_WORD] as u32 as usize;
        self.counters.add(Counter::JournaledBytes, padded(length) as u64);
        if !is_market {
            self.counters.add(Counter::ServiceRecordsJournaled, 1);
            return;
        }
        self.counters.add(Counter::RecordsJournaled, 1);
        let findings = words[FINDINGS_WORD] as u32;
        if findings != 0 {
            self.counters.findings(Findings(findings));
        }
        let flags = (words[FLAGS_WORD] >> 32) as u32;
        self.counters.add(Counter::DateInferred, u64::from(flags & Flags::EVENT_DATE_INFERRED != 0));
        if let Some((decoded_ns, committed_ns)) = stamps {
            self.latency.record(Latency::DecodedToCommitted, u64::from(committed_ns.saturating_sub(decoded_ns)));
            self.latency.record(Latency::KernelToCommitted, u64::from(committed_ns));
        }
    }
}

impl Committer {
    /// The record was not appended: nothing of its frame or a later one is.
    #[cold]
    fn refused(&mut self, error: AppendError) {
        self.left_behind = true;
        if self.gate.is_on() {
            let cause = cause_of(error, &self.writer);
            self.ending.request(cause);
            self.gate.seal();
            if cause.reason != StopReason::AppendFailed {
                return;
            }
        }
        self.failure.get_or_insert(error);
    }

    /// Whether a record may take of the last room, or is left out.
    #[cold]
    #[inline(never)]
    fn admits(&mut self, words: &[u64], tail: &[u8]) -> bool {
        if !self.gate.is_sealed() && self.writer.has_next() {
            return true;
        }
        // What decoding a frame again brings again.
        let rtype = (words[KIND_WORD] >> 32) as u8;
        let is_of_frame = rtype <= RType::Instrument as u8 || rtype == RType::Gap as u8 || rtype == RType::Reject as u8;
        let bytes = padded(words.len() * 8 + tail.len()) + STOPPED_BYTES;
        if self.writer.room() < bytes && !self.ending.is_requested() {
            // The gate was not asked: records of a recovery, or of a cold thread.
            self.writer.stalled();
            let late = Instant::now();
            while !self.writer.has_next() && self.writer.failure().is_none() && late.elapsed() < LATE_MAX {
                std::thread::yield_now();
            }
            if self.writer.has_next() {
                return true;
            }
            self.ending.request(cause_of(AppendError::NoSegment, &self.writer));
        }
        if self.writer.room() >= bytes && !(is_of_frame && self.gate.is_sealed()) {
            return true;
        }
        if is_of_frame {
            self.gate.seal();
            self.left_behind = true;
            let is_first = rtype < RType::Instrument as u8 && words[PLACE_WORD] as u16 == 0;
            if !self.has_raw && is_first {
                self.ending.leave_out();
                self.counters.add(Counter::FramesLeftOut, 1);
            }
        }
        false
    }

    /// Says why the engine stops, in the room kept for that.
    pub fn say_stopped(&mut self, cause: Cause) {
        let mut record = cause.record(self.ending.left_out());
        match self.writer.append(words_of(&mut record)) {
            Ok(_) => {
                self.counters.add(Counter::ServiceRecordsJournaled, 1);
                self.counters.add(Counter::JournaledBytes, STOPPED_BYTES as u64);
            }
            // A stream that is read-only since a sync failed.
            Err(error) => tracing::error!(%error, "why recording stops is not in the journal"),
        }
    }
}

impl RecordSink for Committer {
    #[inline]
    fn record(&mut self, words: &mut [u64]) {
        self.commit(words, &[]);
    }

    #[inline]
    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        self.commit(prefix, tail);
    }
}

const _: () = {
    assert!(std::mem::offset_of!(Header, rtype) == KIND_WORD * 8 + 4);
    assert!(std::mem::offset_of!(Header, ts_recv) == TS_RECV_WORD * 8);
    assert!(std::mem::offset_of!(Header, flags) == FLAGS_WORD * 8 + 4);
    assert!(HEADER_BYTES + std::mem::offset_of!(Market, findings) == FINDINGS_WORD * 8);
    assert!(HEADER_BYTES + std::mem::offset_of!(Market, read_ns) == READ_WORD * 8 + 4);
};
