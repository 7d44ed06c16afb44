//! The stages as threads run them. The cores ([`Intake`], [`Parser`], [`Committer`]) are the same in every placement;
//! what differs is only what stands between them: a call when fused, a ring when split.
//!
//! Ends travel by the rings: a producer that is gone ends the stage behind it once the ring is empty, a consumer that is
//! gone (its stage failed) ends the stage before it.

use std::time::Duration;

use bytemuck::{Pod, Zeroable};

use super::commit::{Committer, ReadStamp};
use super::ending::Verdict;
use super::intake::{Intake, LineNote, RingFrame};
use super::parser::{Parser, StampedSink};
use super::pipeline::Pipeline;
use crate::feed::RecordSink;
use crate::feed::kis::KisLine;
use crate::metrics::{Counter, Counters};
use crate::net::{FrameMeta, FrameSink, LineEvent, Reader, ReaderCounters};
use crate::ring::{MessageConsumer, MessageProducer};
use crate::stage::Stage;

/// Frames taken from the ring in one cycle of the parser, at most.
const FRAME_BATCH: usize = 64;
/// Records taken from the ring in one cycle of the journal, at most.
const RECORD_BATCH: usize = 256;
/// Line events that may wait for room in the frame ring. More are not possible: a line that waits is not read.
const PENDING_NOTES: usize = 1024;
/// Records a frame may hold (its count has three digits).
pub(super) const FRAME_RECORDS_MAX: usize = 999;
/// Words of the largest record with what may precede it: instrument, gap, ring heads.
pub(super) const RECORD_WORDS_MAX: usize = 128;

/// The ring from reader to parser: bytes of frames.
pub(super) type FrameProducer = MessageProducer<u8, RingFrame>;
/// Its other end.
pub(super) type FrameConsumer = MessageConsumer<u8, RingFrame>;
/// The ring from parser to journal: words of records.
pub(super) type RecordProducer = MessageProducer<u64, RingRecord>;
/// Its other end.
pub(super) type RecordConsumer = MessageConsumer<u64, RingRecord>;

/// Head of a message in the ring from parser to journal.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct RingRecord {
    /// Ticks at the read of the socket; 0 = recovered.
    read_ticks: u64,
}

/// Mirrors the reader's own counts into the mapped file.
#[derive(Debug, Default)]
struct ReaderMirror {
    seen: ReaderCounters,
}

impl ReaderMirror {
    fn update(&mut self, now: &ReaderCounters, counters: &Counters) {
        let seen = std::mem::replace(&mut self.seen, *now);
        counters.add(Counter::BytesReceived, now.read_bytes - seen.read_bytes);
        counters.add(Counter::Reads, now.reads - seen.reads);
        counters.add(Counter::UserStamps, now.user_stamps - seen.user_stamps);
        let clamped = now.negative_latency_clamped - seen.negative_latency_clamped;
        counters.add(Counter::NegativeLatencyClamped, clamped);
        counters.add(Counter::Pings, now.pings - seen.pings);
        counters.add(Counter::SendOverflow, now.send_overflow - seen.send_overflow);
        counters.add(Counter::AbandonedBytes, now.abandoned_bytes - seen.abandoned_bytes);
        counters.add(Counter::SendsRefused, now.sends_refused - seen.sends_refused);
        let violations = |of: &ReaderCounters| of.violations.iter().sum::<u64>();
        counters.add(Counter::Violations, violations(now) - violations(&seen));
    }
}

/// All stages on one thread: no ring, no copy of a frame between socket and record.
#[derive(Debug)]
pub(super) struct Fused {
    reader: Reader<KisLine>,
    mirror: ReaderMirror,
    pub pipeline: Pipeline,
}

impl Fused {
    pub fn new(reader: Reader<KisLine>, pipeline: Pipeline) -> Fused {
        Fused { reader, mirror: ReaderMirror::default(), pipeline }
    }
}

impl Stage for Fused {
    #[inline]
    fn poll(&mut self) -> usize {
        if self.pipeline.is_ending() {
            self.reader.stop();
        }
        let frames = self.reader.poll(&mut self.pipeline);
        let work = self.pipeline.end_cycle(frames);
        if work > 0 {
            self.mirror.update(self.reader.counters(), &self.pipeline.intake.counters);
        }
        work
    }

    fn is_done(&self) -> bool {
        self.reader.is_done()
    }

    fn note_rest(&mut self, resting: bool) {
        self.pipeline.intake.counters.set(Counter::StagesParked, resting.into());
    }

    fn note_cycle(&mut self, ns: u64) {
        self.pipeline.intake.counters.max(Counter::ReaderCycleNsMax, ns);
    }

    fn park(&mut self, timeout: Duration) {
        self.reader.park(timeout);
    }
}

/// The reader on a thread of its own.
#[derive(Debug)]
pub(super) struct ReaderStage {
    reader: Reader<KisLine>,
    mirror: ReaderMirror,
    pub intake: Intake,
    ring: FrameProducer,
    /// Events that found no room; sent before anything else.
    pending: Vec<LineNote>,
}

/// The reader's sink in the split form.
pub(super) struct RingSink<'a> {
    pub intake: &'a mut Intake,
    pub ring: &'a mut FrameProducer,
    pub pending: &'a mut Vec<LineNote>,
}

impl FrameSink for RingSink<'_> {
    #[inline]
    fn has_room(&self, len: usize) -> bool {
        let admits =
            if self.intake.gate.is_on() { self.intake.verdict(len) != Verdict::Wait } else { self.intake.is_open() };
        admits && self.pending.is_empty() && self.ring.has_room(len)
    }

    #[inline]
    fn frame(&mut self, meta: &FrameMeta, payload: &[u8]) {
        if self.intake.ending.is_requested() && self.intake.verdict(payload.len()) == Verdict::LeaveOut {
            return self.intake.leave_out();
        }
        let (meta, payload) = self.intake.take(meta, payload);
        let pushed = self.ring.push(&RingFrame::frame(&meta), [payload, &[]]);
        debug_assert!(pushed, "the reader asked for room");
    }

    fn line_event(&mut self, line: u16, event: LineEvent) {
        self.intake.line_event(line, &event);
        let Some(note) = LineNote::new(line, event) else { return };
        if !self.pending.is_empty() || !self.ring.push(&RingFrame::note(&note), [&[], &[]]) {
            self.pending.push(note);
        }
    }
}

impl ReaderStage {
    pub fn new(reader: Reader<KisLine>, intake: Intake, ring: FrameProducer) -> ReaderStage {
        intake.counters.set(Counter::FrameRingCapacityBytes, ring.capacity() as u64);
        let pending = Vec::with_capacity(PENDING_NOTES);
        ReaderStage { reader, mirror: ReaderMirror::default(), intake, ring, pending }
    }
}

impl Stage for ReaderStage {
    fn poll(&mut self) -> usize {
        let sent = self.pending.iter().take_while(|note| self.ring.push(&RingFrame::note(note), [&[], &[]])).count();
        self.pending.drain(..sent);
        if self.intake.ending.is_requested() {
            self.reader.stop();
        }
        let ReaderStage { reader, intake, ring, pending, .. } = self;
        let work = sent + reader.poll(&mut RingSink { intake, ring, pending });
        intake.end_cycle(work);
        if work > 0 {
            self.mirror.update(self.reader.counters(), &self.intake.counters);
            self.intake.counters.max(Counter::FrameRingHighWaterBytes, self.ring.high_water() as u64);
        }
        work
    }

    fn is_done(&self) -> bool {
        (self.reader.is_done() && self.pending.is_empty()) || self.ring.is_abandoned()
    }

    fn note_rest(&mut self, resting: bool) {
        self.intake.counters.set(Counter::StagesParked, resting.into());
    }

    fn note_cycle(&mut self, ns: u64) {
        self.intake.counters.max(Counter::ReaderCycleNsMax, ns);
    }

    fn park(&mut self, timeout: Duration) {
        self.reader.park(timeout);
    }
}

/// The parser on a thread of its own.
#[derive(Debug)]
pub(super) struct ParserStage {
    pub parser: Parser,
    frames: FrameConsumer,
    sink: RecordRing,
    /// Words that must be free before a frame is taken: the most one can become.
    frame_words_max: usize,
}

/// Pushes records into the ring to the journal.
#[derive(Debug)]
struct RecordRing {
    ring: RecordProducer,
    stamp: RingRecord,
    /// Room to join a record's prefix and tail.
    staging: Vec<u64>,
    /// Records that found no room: none, since room is asked for before a frame is taken.
    overflow: u64,
}

impl RecordRing {
    #[cold]
    fn overflowed(&mut self) {
        debug_assert!(false, "room was asked for before the frame was taken");
        self.overflow += 1;
    }
}

impl RecordSink for RecordRing {
    #[inline]
    fn record(&mut self, words: &mut [u64]) {
        let used = (words[0] as u32 as usize).div_ceil(8).min(words.len());
        if !self.ring.push(&self.stamp, [&words[..used], &[]]) {
            self.overflowed();
        }
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        self.staging.clear();
        self.staging.resize(tail.len().div_ceil(8), 0);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.staging);
        bytes[..tail.len()].copy_from_slice(tail);
        if !self.ring.push(&self.stamp, [prefix, &self.staging]) {
            self.overflowed();
        }
    }
}

impl StampedSink for RecordRing {
    #[inline]
    fn begin_frame(&mut self, stamp: ReadStamp) {
        self.stamp.read_ticks = match stamp {
            ReadStamp::Ticks(ticks) => ticks,
            ReadStamp::Recovered => 0,
        };
    }
}

impl ParserStage {
    /// `message_bytes_max`: the longest frame. The record ring must hold [`frame_words_max`] of it.
    pub fn new(parser: Parser, frames: FrameConsumer, ring: RecordProducer, message_bytes_max: usize) -> ParserStage {
        parser.counters.set(Counter::RecordRingCapacityBytes, ring.capacity() as u64 * 8);
        let staging = Vec::with_capacity(message_bytes_max.div_ceil(8));
        let sink = RecordRing { ring, stamp: RingRecord { read_ticks: 0 }, staging, overflow: 0 };
        ParserStage { parser, frames, sink, frame_words_max: frame_words_max(message_bytes_max) }
    }
}

/// Words of the record ring one frame can fill at most.
pub(super) fn frame_words_max(message_bytes_max: usize) -> usize {
    FRAME_RECORDS_MAX * RECORD_WORDS_MAX + message_bytes_max.div_ceil(8)
}

impl Stage for ParserStage {
    fn poll(&mut self) -> usize {
        let mut work = 0;
        while work < FRAME_BATCH && self.sink.ring.has_room(self.frame_words_max) {
            let (parser, sink) = (&mut self.parser, &mut self.sink);
            let taken = self.frames.pop(|head, payload| match head.unpack() {
                Ok(meta) => parser.frame(&meta, payload, sink),
                Err(note) => parser.line_note(&note, sink),
            });
            if taken.is_none() {
                break;
            }
            work += 1;
        }
        if !self.parser.snapshots.is_empty() && self.sink.ring.has_room(self.frame_words_max) {
            work += self.parser.take_snapshots(&mut self.sink);
        }
        self.parser.end_cycle(work);
        if work > 0 {
            self.parser.counters.max(Counter::RecordRingHighWaterBytes, self.sink.ring.high_water() as u64 * 8);
            self.parser.counters.set(Counter::RecordRingOverflow, self.sink.overflow);
        }
        work
    }

    fn is_done(&self) -> bool {
        self.frames.is_finished() || self.sink.ring.is_abandoned()
    }

    fn note_rest(&mut self, resting: bool) {
        self.parser.counters.set(Counter::StagesParked, resting.into());
    }

    fn note_cycle(&mut self, ns: u64) {
        self.parser.counters.max(Counter::ParserCycleNsMax, ns);
    }
}

/// The journal writer on a thread of its own.
#[derive(Debug)]
pub(super) struct JournalStage {
    pub committer: Committer,
    records: RecordConsumer,
}

impl JournalStage {
    pub fn new(committer: Committer, records: RecordConsumer) -> JournalStage {
        JournalStage { committer, records }
    }
}

impl JournalStage {
    /// Whether the next record may be taken from the ring: to be appended, or to be left out for good.
    #[inline]
    fn takes_next(&mut self) -> bool {
        if !self.committer.gate.is_on() {
            return self.committer.is_open();
        }
        let committer = &mut self.committer;
        // The largest there is first: whether it finds room can be told without a look at the ring.
        match committer.gate.verdict(&committer.writer, 8 * RECORD_WORDS_MAX, &committer.ending) {
            Verdict::Take => {}
            Verdict::Wait => return false,
            // The committer knows which kinds to leave out.
            Verdict::LeaveOut => committer.gate.seal(),
        }
        true
    }
}

impl Stage for JournalStage {
    fn poll(&mut self) -> usize {
        let mut work = 0;
        while work < RECORD_BATCH && self.takes_next() {
            let committer = &mut self.committer;
            let taken = self.records.pop(|head, words| {
                committer.stamp = match head.read_ticks {
                    0 => ReadStamp::Recovered,
                    ticks => ReadStamp::Ticks(ticks),
                };
                committer.record(words);
            });
            if taken.is_none() {
                break;
            }
            work += 1;
        }
        if !self.committer.inbox.is_empty() {
            work += self.committer.drain_inbox();
        }
        self.committer.end_cycle(work);
        work
    }

    fn is_done(&self) -> bool {
        self.records.is_finished()
    }

    fn note_rest(&mut self, resting: bool) {
        self.committer.counters.set(Counter::StagesParked, resting.into());
    }

    fn note_cycle(&mut self, ns: u64) {
        self.committer.counters.max(Counter::JournalCycleNsMax, ns);
    }
}
