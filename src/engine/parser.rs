//! The parser stage's core: frames to records, control messages to notices, line events to `Session` records.

use std::sync::Arc;

use bytemuck::Zeroable;

use super::commit::ReadStamp;
use super::intake::{LineNote, Rejected};
use crate::clock::{MarketClock, TickClock, wall_ns};
use crate::feed::kis::control::{Control, is_control};
use crate::feed::kis::notices::{Answered, Notices};
use crate::feed::kis::session::codes::{Reaction, reaction};
use crate::feed::kis::snapshots::Snapshots;
use crate::feed::kis::{DecodeCounters, Decoder};
use crate::feed::{FrameContext, RecordSink};
use crate::metrics::{Counter, Counters, Latency, StageHistogram};
use crate::net::FrameMeta;
use crate::tick::{Header, Publisher, RECORD_VERSION, RType, RejectReason, Session, SessionEvent, tr_number, words_of};

/// Snapshots taken in one cycle, at most.
const SNAPSHOT_BATCH: usize = 16;

/// Decodes on whichever thread it is put.
#[derive(Debug)]
pub(super) struct Parser {
    pub decoder: Decoder,
    pub counters: Counters,
    pub latency: StageHistogram,
    pub clock: TickClock,
    pub market: MarketClock,
    pub notices: Arc<Notices>,
    /// Of symbols whose line is down.
    pub snapshots: Arc<Snapshots>,
    /// Where frames that can't be read go when stream `raw` does not keep all.
    pub rejected: Option<Rejected>,
    /// What the decoder had counted when it was last mirrored.
    pub mirrored: DecodeCounters,
}

/// A record sink that must be told which frame's records come next.
pub(super) trait StampedSink: RecordSink {
    /// The records that follow come from a frame read then.
    fn begin_frame(&mut self, stamp: ReadStamp);
}

impl StampedSink for super::commit::Committer {
    #[inline]
    fn begin_frame(&mut self, stamp: ReadStamp) {
        self.stamp = stamp;
    }
}

impl Parser {
    /// One frame, all its records.
    #[inline]
    pub fn frame(&mut self, meta: &FrameMeta, payload: &[u8], sink: &mut impl StampedSink) {
        if is_control(payload) {
            self.control(meta, payload, sink);
            return;
        }
        sink.begin_frame(ReadStamp::Ticks(meta.read_ticks));
        let context = self.context(meta, meta.flags);
        let (clock, latency) = (&self.clock, &mut self.latency);
        let (read_ticks, read_ns) = (meta.read_ticks, u64::from(meta.read_ns));
        let stamp = || {
            let since_read = clock.delta_ns(read_ticks, clock.now());
            latency.record(Latency::ReadToDecoded, since_read);
            u32::try_from(read_ns + since_read).unwrap_or(u32::MAX)
        };
        let rejects = self.decoder.counters().rejects_total();
        self.decoder.decode(&context, payload, stamp, sink);
        if self.rejected.is_some() && self.decoder.counters().rejects_total() > rejects {
            self.hand_back(meta, payload);
        }
    }

    /// Makes records of snapshots, a bounded batch; returns how many.
    #[cold]
    #[inline(never)]
    pub fn take_snapshots(&mut self, sink: &mut impl StampedSink) -> usize {
        sink.begin_frame(ReadStamp::Recovered);
        for taken in 0..SNAPSHOT_BATCH {
            let Some(snapshot) = self.snapshots.pop() else { return taken };
            self.decoder.snapshot(&snapshot, sink);
        }
        SNAPSHOT_BATCH
    }

    /// Gives a frame back to be kept verbatim. A full queue leaves it to its `Reject` record.
    #[cold]
    #[inline(never)]
    fn hand_back(&self, meta: &FrameMeta, payload: &[u8]) {
        if let Some(rejected) = &self.rejected {
            let _ = rejected.push((*meta, payload.into()));
        }
    }

    /// A frame of stream `raw` whose records the last writer did not get to commit.
    pub fn recovered_frame(&mut self, meta: &FrameMeta, payload: &[u8], sink: &mut impl StampedSink) {
        if is_control(payload) {
            return;
        }
        sink.begin_frame(ReadStamp::Recovered);
        let context = self.context(meta, meta.flags | crate::tick::Flags::RECOVERED);
        let read_ns = meta.read_ns;
        self.decoder.decode(&context, payload, || read_ns, sink);
    }

    fn context(&self, meta: &FrameMeta, flags: u32) -> FrameContext {
        FrameContext {
            ts_recv: meta.ts_recv,
            recv_window_ns: meta.recv_window_ns,
            read_ns: meta.read_ns,
            raw_sequence: meta.raw_sequence,
            line: meta.line,
            flags,
            market_now_ns: Some(self.market.market_ns(meta.ts_recv)),
        }
    }

    /// An answer or keep-alive of the broker. Rare, and not market data: it may allocate.
    #[cold]
    #[inline(never)]
    fn control(&mut self, meta: &FrameMeta, payload: &[u8], sink: &mut impl StampedSink) {
        let answer = match Control::parse(payload) {
            Ok(Control::PingPong) => {
                self.counters.add(Counter::Pingpongs, 1);
                return;
            }
            Ok(Control::Ack(answer) | Control::Error(answer)) => answer,
            // JSON of a new kind: its bytes are all there is of it.
            Ok(_) => return self.hand_back(meta, payload),
            Err(reason) => {
                self.hand_back(meta, payload);
                let context = self.context(meta, meta.flags);
                self.decoder.reject(&context, payload, reason, sink);
                return;
            }
        };
        let event = match reaction(&answer.code) {
            Reaction::InForce => SessionEvent::Acked,
            Reaction::Withdrawn => SessionEvent::Withdrawn,
            _ => SessionEvent::Refused,
        };
        let is_notice = answer.is_notice();
        let (code, text) = (answer.code, answer.text);
        let mut session = Session {
            header: Header { ts_recv: meta.ts_recv, line: meta.line, ..session_header() },
            tr: tr_number(&answer.tr_id).unwrap_or_default(),
            event: event as u8,
            ..Session::zeroed()
        };
        // The key of account notices names the account.
        if !is_notice {
            copy_text(&mut session.tr_key, &answer.tr_key);
        }
        copy_text(&mut session.code, &code);
        copy_text(&mut session.text, &text);
        if event == SessionEvent::Refused {
            self.counters.add(Counter::RegistrationsRefused, 1);
        }
        sink.record(words_of(&mut session));
        let (tr_id, tr_key) = (answer.tr_id, answer.tr_key);
        self.notices.answered(Answered { line: meta.line, tr_id, tr_key, code, text });
    }

    /// Something happened to a line.
    #[cold]
    #[inline(never)]
    pub fn line_note(&mut self, note: &LineNote, sink: &mut impl StampedSink) {
        let mut session = Session {
            header: Header { ts_recv: note.ts, line: note.line, ..session_header() },
            value: note.value,
            close_code: note.close_code,
            event: note.event as u8,
            reason: note.reason,
            ..Session::zeroed()
        };
        sink.record(words_of(&mut session));
        match note.event {
            SessionEvent::Connected => self.counters.add(Counter::Connects, 1),
            SessionEvent::Disconnected => {
                self.counters.add(Counter::Disconnects, 1);
                self.decoder.connection_lost();
                self.notices.lost(note.line);
            }
            SessionEvent::Stalled => self.counters.add(Counter::Stalls, 1),
            SessionEvent::Resumed => self.counters.add(Counter::StalledNs, note.value),
            _ => {}
        }
    }

    /// After each cycle: mirrors the decoder's counts, answers the metrics thread.
    #[inline]
    pub fn end_cycle(&mut self, work: usize) {
        if work > 0 {
            self.mirror();
        }
        if self.latency.exchange() {
            self.counters.beat(wall_ns());
        }
    }

    fn mirror(&mut self) {
        let now = *self.decoder.counters();
        let before = std::mem::replace(&mut self.mirrored, now);
        let counters = &self.counters;
        counters.add(Counter::RecordsDecoded, now.records_total() - before.records_total());
        counters.add(Counter::SchemaExtra, now.schema_extra - before.schema_extra);
        counters.add(Counter::Gaps, now.gaps - before.gaps);
        counters.add(Counter::MissingQty, now.gap_qty - before.gap_qty);
        counters.max(Counter::Instruments, now.instruments);
        if now.rejects_total() != before.rejects_total() {
            for reason in RejectReason::ALL {
                let number = usize::from(*reason as u8);
                for _ in before.rejects[number]..now.rejects[number] {
                    counters.reject(*reason);
                }
            }
        }
    }
}

fn session_header() -> Header {
    Header {
        length: size_of::<Session>() as u32,
        publisher: Publisher::Hoga as u16,
        rtype: RType::Session as u8,
        version: RECORD_VERSION,
        ..Header::zeroed()
    }
}

/// Copies text into a zero-padded field, cut at a character's end.
pub(super) fn copy_text(field: &mut [u8], text: &str) {
    let mut end = text.len().min(field.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
}
