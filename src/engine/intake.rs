//! What happens to each frame on the reader's thread: it is counted, kept verbatim in stream `raw`, and handed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::{Pod, Zeroable};
use crossbeam::queue::ArrayQueue;

use super::ending::{Ending, Gate, Verdict, cause_of, raw_bytes};
use crate::clock::wall_ns;
use crate::feed::kis::account::{Private, PrivateQueue};
use crate::feed::kis::control::{Answer, Control};
use crate::feed::kis::redact;
use crate::journal::format::padded;
use crate::journal::{AppendError, StreamWriter};
use crate::metrics::{ConnectionTraffic, Counter, Counters, Latency, StageHistogram};
use crate::net::{FrameMeta, LineEvent};
use crate::secret::Secret;
use crate::tick::{Flags, Header, RECORD_VERSION, RType, RawPrefix, SessionEvent, StopReason, words_of};

/// Which frames stream `raw` keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Every inbound frame.
    All,
    /// Only those that could not be read: their bytes would be nowhere else.
    Rejected,
}

/// Rejected frames on their way back to the writer of stream `raw`; one that finds it full is left to its `Reject` record.
pub(super) type Rejected = Arc<ArrayQueue<(FrameMeta, Box<[u8]>)>>;

/// The reader's side of the data path.
#[derive(Debug)]
pub(super) struct Intake {
    /// Stream `raw`; `None` in a pipeline without one.
    pub raw: Option<StreamWriter>,
    /// Ordinal of the segment this opening of it began with; 0 without one.
    pub raw_first_ordinal: u64,
    /// Which frames go there.
    pub keep: Keep,
    /// With [`Keep::Rejected`]: frames the parser could not read.
    pub rejected: Rejected,
    pub counters: Counters,
    pub latency: StageHistogram,
    /// By line, from 1.
    pub traffic: Vec<ConnectionTraffic>,
    /// Room to overwrite secrets in a copy of a control message.
    pub scratch: Vec<u8>,
    /// Values that must not reach the journal, wherever they stand.
    pub secrets: Vec<Secret>,
    /// Secrets learnt since (approval keys), sent before the connection that may echo them.
    pub new_secrets: Arc<ArrayQueue<Secret>>,
    /// Where account notices go, if they are asked for; here they are overwritten all the same.
    pub private: Option<Arc<PrivateQueue>>,
    /// The trading date of market time, decimal YYYYMMDD, as the metrics thread keeps it.
    pub trading_date: Arc<AtomicU32>,
    /// Why stream `raw` takes no more.
    pub failure: Option<AppendError>,
    /// Before stream `raw`; open when it keeps rejected frames only, which may be left out.
    pub gate: Gate,
    pub ending: Arc<Ending>,
}

/// A line's event in the form that crosses the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineNote {
    pub ts: u64,
    pub line: u16,
    pub event: SessionEvent,
    pub reason: u8,
    pub close_code: u16,
    pub value: u64,
}

impl LineNote {
    /// What of a line's events is journaled; `None` for those that another record tells.
    pub fn new(line: u16, event: LineEvent) -> Option<LineNote> {
        let note =
            |event, reason, close_code, value| Some(LineNote { ts: wall_ns(), line, event, reason, close_code, value });
        match event {
            LineEvent::Connected => note(SessionEvent::Connected, 0, 0, 0),
            LineEvent::Disconnected { reason, code } => note(SessionEvent::Disconnected, reason.number(), code, 0),
            LineEvent::Stalled => note(SessionEvent::Stalled, 0, 0, 0),
            LineEvent::Resumed { stalled_ns } => note(SessionEvent::Resumed, 0, 0, stalled_ns),
            LineEvent::PeerClosing { .. } | LineEvent::Violated { .. } | LineEvent::SendRefused => None,
        }
    }
}

impl Intake {
    /// Whether frames can be taken: stream `raw` has not failed.
    pub fn is_open(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether a frame of so many bytes can go to stream `raw`.
    #[inline]
    pub fn verdict(&self, payload: usize) -> Verdict {
        match &self.raw {
            Some(writer) if self.keep == Keep::All => self.gate.verdict(writer, raw_bytes(payload), &self.ending),
            _ => Verdict::Take,
        }
    }

    /// A frame for which there is no room any more; none is taken after it.
    #[cold]
    pub fn leave_out(&mut self) {
        self.gate.seal();
        self.ending.leave_out();
        self.counters.add(Counter::FramesLeftOut, 1);
    }

    /// Takes a frame: returns its metadata with `raw_sequence` filled in, and the bytes to hand on, in which secrets of
    /// control messages are overwritten.
    #[inline]
    pub fn take<'a>(&'a mut self, meta: &FrameMeta, payload: &'a [u8]) -> (FrameMeta, &'a [u8]) {
        let is_data = matches!(payload.first(), Some(b'0' | b'1'));
        if is_data {
            self.counters.add(Counter::FramesReceived, 1);
            if meta.flags & Flags::RECV_TS_USER == 0 {
                self.latency.record(Latency::KernelToRead, meta.read_ns.into());
            }
        } else {
            self.counters.add(Counter::ControlFrames, 1);
        }
        if let Some(traffic) = usize::from(meta.line).checked_sub(1).and_then(|index| self.traffic.get(index)) {
            traffic.received(1, payload.len() as u64, meta.ts_recv);
        }
        let mut meta = *meta;
        if is_data && !is_private(payload) {
            if self.keep == Keep::All {
                meta.raw_sequence = self.journal(&meta, payload, 0);
            }
            return (meta, payload);
        }
        let redacted = self.guard(&meta, payload);
        if self.keep == Keep::All {
            meta.raw_sequence = self.journal_scratch(&meta, redacted);
        }
        (meta, &self.scratch)
    }

    /// Copies a control or encrypted message to `scratch` with its secrets overwritten; of an encrypted frame only the
    /// head is kept. Whether there were any.
    #[cold]
    #[inline(never)]
    fn guard(&mut self, meta: &FrameMeta, payload: &[u8]) -> bool {
        self.scratch.clear();
        self.scratch.extend_from_slice(payload);
        if is_private(payload) {
            self.hand_over(meta, payload);
            let head = payload.iter().enumerate().filter(|(_, byte)| **byte == b'|').nth(2);
            self.scratch[head.map_or(payload.len().min(2), |(at, _)| at + 1)..].fill(b'*');
            return true;
        }
        while let Some(secret) = self.new_secrets.pop() {
            if !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        }
        let mut secrets: Vec<&[u8]> = self.secrets.iter().map(|secret| secret.expose().as_bytes()).collect();
        let answer = match Control::parse(payload) {
            Ok(Control::Ack(answer) | Control::Error(answer)) => Some(answer),
            _ => None,
        };
        // Any answer of the session may bring the key of its notices.
        if answer.as_ref().is_some_and(|answer| answer.is_notice() || answer.key.is_some()) && self.private.is_some() {
            self.counters.add(Counter::NoticesLost, hand_over(self.private.as_deref(), meta, payload));
        }
        // The key of account notices names the account.
        let answer = answer.filter(Answer::is_notice);
        secrets.extend(answer.iter().map(|answer| answer.tr_key.as_bytes()));
        redact(&mut self.scratch, &secrets)
    }

    /// Gives an account's frame to whoever keeps them.
    fn hand_over(&self, meta: &FrameMeta, payload: &[u8]) {
        self.counters.add(Counter::NoticesLost, hand_over(self.private.as_deref(), meta, payload));
    }

    /// A connection is gone, and with it the keys of its notices.
    pub fn line_event(&self, line: u16, event: &LineEvent) {
        if let (Some(private), LineEvent::Disconnected { .. }) = (&self.private, event) {
            // Without room the keys are left: the next answer replaces them.
            let _ = private.push(Private::Ended { line });
        }
    }

    /// Appends what [`guard`](Self::guard) left.
    #[cold]
    fn journal_scratch(&mut self, meta: &FrameMeta, redacted: bool) -> u64 {
        let kept = if self.keep == Keep::Rejected { Flags::KEPT_REJECTED } else { 0 };
        let scratch = std::mem::take(&mut self.scratch);
        let sequence = self.journal(meta, &scratch, (if redacted { Flags::REDACTED } else { 0 }) | kept);
        self.scratch = scratch;
        sequence
    }

    #[inline]
    fn journal(&mut self, meta: &FrameMeta, payload: &[u8], flags: u32) -> u64 {
        let Some(writer) = &mut self.raw else { return 0 };
        let mut prefix = RawPrefix {
            header: Header {
                length: (size_of::<RawPrefix>() + payload.len()) as u32,
                ts_recv: meta.ts_recv,
                flags: meta.flags | flags,
                line: meta.line,
                rtype: RType::Raw as u8,
                version: RECORD_VERSION,
                ..Header::zeroed()
            },
            recv_window_ns: meta.recv_window_ns,
            read_ns: meta.read_ns,
            payload_bytes: payload.len() as u32,
            opcode: meta.opcode,
            reserved: [0; 3],
        };
        match writer.append_with_tail(words_of(&mut prefix), payload) {
            Ok(sequence) => {
                self.counters.add(Counter::RawJournaled, 1);
                let bytes = padded(size_of::<RawPrefix>() + payload.len());
                self.counters.add(Counter::RawJournaledBytes, bytes as u64);
                sequence
            }
            // Only rejected frames are kept here: the next one may find room again.
            Err(AppendError::NoSegment) if self.keep == Keep::Rejected => 0,
            Err(error) => {
                if self.gate.is_on() {
                    let cause = cause_of(error, writer);
                    self.ending.request(cause);
                    self.gate.seal();
                    if cause.reason != StopReason::AppendFailed {
                        return 0;
                    }
                }
                self.failure.get_or_insert(error);
                0
            }
        }
    }

    /// Keeps the frames the parser could not read; returns how many. The engine calls it last, so it counts rolls.
    #[cold]
    pub fn keep_rejected(&mut self) -> usize {
        let mut kept = 0;
        while let Some((meta, payload)) = self.rejected.pop() {
            // Without room it is left to its `Reject` record: that is no reason to wait.
            let finds_room = |raw: &StreamWriter| raw.room() >= raw_bytes(payload.len()) || raw.has_next();
            if !self.raw.as_ref().is_some_and(finds_room) {
                continue;
            }
            // A notice went its way when it was received; these bytes are overwritten already.
            let private = self.private.take();
            let redacted = self.guard(&meta, &payload);
            self.private = private;
            self.journal_scratch(&meta, redacted);
            kept += 1;
        }
        self.mirror_rolls();
        kept
    }

    /// Counts the rolls so far; at the end once more, so that the last figures are exact.
    pub fn mirror_rolls(&self) {
        if let Some(writer) = &self.raw {
            self.counters.set(Counter::SegmentRolls, writer.ordinal() - self.raw_first_ordinal);
            self.counters.set(Counter::RollStalls, writer.stalls());
        }
    }

    /// After each cycle: publishes what was written, answers the metrics thread, and then gives a sign of life.
    #[inline]
    pub fn end_cycle(&mut self, mut work: usize) {
        if self.keep == Keep::Rejected && !self.rejected.is_empty() {
            work += self.keep_rejected();
        }
        let is_exchange = self.latency.exchange();
        if (work > 0 || is_exchange)
            && let Some(writer) = &mut self.raw
        {
            writer.batch_end();
            // Relaxed: a number alone. A day that has no segment yet begins later.
            let date = self.trading_date.load(Ordering::Relaxed);
            if work > 0 && date != writer.trading_date() && writer.has_next() {
                let _ = writer.set_trading_date(date);
            }
        }
        if let Some(writer) = &mut self.raw {
            self.gate.end_cycle(writer, &self.ending);
        }
        if is_exchange {
            self.mirror_rolls();
            self.counters.beat(wall_ns());
        }
    }
}

/// Copies a message to the keeper of notices, if there is one; how many were lost.
#[cold]
fn hand_over(private: Option<&PrivateQueue>, meta: &FrameMeta, payload: &[u8]) -> u64 {
    let Some(private) = private else { return 0 };
    let bytes = zeroize::Zeroizing::new(payload.to_vec());
    let message = Private::Message { line: meta.line, ts_recv: meta.ts_recv, bytes };
    private.push(message).is_err().into()
}

/// Whether a data frame is an account's: encrypted, or a notice (`H0STCNI0` and its like) that came in the clear.
#[inline]
fn is_private(payload: &[u8]) -> bool {
    match payload.first() {
        Some(b'1') => true,
        Some(b'0') => payload.get(6..9) == Some(b"CNI"),
        _ => false,
    }
}

/// Head of a message in the ring from reader to parser.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct RingFrame {
    ts_recv: u64,
    read_ticks: u64,
    raw_sequence: u64,
    recv_window_ns: u32,
    read_ns: u32,
    flags: u32,
    line: u16,
    opcode: u8,
    /// 0: a frame; else a `SessionEvent`.
    event: u8,
}

impl RingFrame {
    /// A frame's head.
    pub fn frame(meta: &FrameMeta) -> RingFrame {
        RingFrame {
            ts_recv: meta.ts_recv,
            read_ticks: meta.read_ticks,
            raw_sequence: meta.raw_sequence,
            recv_window_ns: meta.recv_window_ns,
            read_ns: meta.read_ns,
            flags: meta.flags,
            line: meta.line,
            opcode: meta.opcode,
            event: 0,
        }
    }

    /// An event's head; it has no tail.
    pub fn note(note: &LineNote) -> RingFrame {
        RingFrame {
            ts_recv: note.ts,
            read_ticks: 0,
            raw_sequence: note.value,
            recv_window_ns: 0,
            read_ns: note.close_code.into(),
            flags: note.reason.into(),
            line: note.line,
            opcode: 0,
            event: note.event as u8,
        }
    }

    /// What went in.
    pub fn unpack(&self) -> Result<FrameMeta, LineNote> {
        match SessionEvent::from_number(self.event) {
            None => Ok(FrameMeta {
                ts_recv: self.ts_recv,
                recv_window_ns: self.recv_window_ns,
                read_ns: self.read_ns,
                read_ticks: self.read_ticks,
                line: self.line,
                flags: self.flags,
                raw_sequence: self.raw_sequence,
                opcode: self.opcode,
            }),
            Some(event) => Err(LineNote {
                ts: self.ts_recv,
                line: self.line,
                event,
                reason: self.flags as u8,
                close_code: self.read_ns as u16,
                value: self.raw_sequence,
            }),
        }
    }
}
