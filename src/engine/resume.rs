//! Where an engine begins on an old journal: continuity goes on from today's records, and frames that the last writer
//! did not get to decode are decoded now.

use std::path::Path;

use super::commit::{Committer, ReadStamp};
use super::parser::{Parser, StampedSink};
use crate::feed::RecordSink;
use crate::journal::{LastFrame, OpenError, RecoveryReport, Start, Stream, Tailer};
use crate::net::FrameMeta;
use crate::tick::{
    Flags, Gap, HEADER_BYTES, Header, MARKET_PREFIX_BYTES, Market, RType, RawPrefix, RecordView, Session, SessionEvent,
    view, words_of,
};

/// Segments read back at the start for the cumulative volumes of today: half a GiB, well under a second.
const RESUME_SEGMENTS_MAX: usize = 5;
/// Frames decoded again between two signs of life: there may be gigabytes of them.
const CYCLE_FRAMES: usize = 1024;

/// Tells the decoder where the cumulative volumes of today stood, so that what was traded while no engine ran is a gap.
///
/// Instruments that did not trade in the newest segments begin anew: opening must not take long while the market goes on.
///
/// Returns the changes of schema that were said today: transaction and width.
pub(super) fn resume_continuity(dir: &Path, date: u32, parser: &mut Parser) -> Vec<(u16, u64)> {
    let mut said = Vec::new();
    let start = Start::Day { date, segments_max: RESUME_SEGMENTS_MAX };
    let resumed = Tailer::open(dir, Stream::Ticks, start).and_then(|mut tailer| {
        tailer.poll(usize::MAX, |record| {
            let rtype = record.header().rtype;
            if rtype != RType::Trade as u8 && rtype != RType::Session as u8 {
                return;
            }
            match view(record.bytes) {
                Some(RecordView::Trade(trade)) => parser.decoder.resume(&trade),
                Some(RecordView::Session(session)) => said.extend(schema_change(&session)),
                _ => {}
            }
        })
    });
    if let Err(error) = resumed {
        tracing::warn!(%error, "continuity starts anew: today's records could not be read");
    }
    parser.decoder.connection_lost();
    said
}

/// Transaction and width of a change of schema.
fn schema_change(session: &Session) -> Option<(u16, u64)> {
    (session.event == SessionEvent::SchemaChanged as u8).then_some((session.tr, session.value))
}

/// The stamps of a frame of stream `raw` that is decoded again.
pub(super) fn meta_of(prefix: &RawPrefix) -> FrameMeta {
    FrameMeta {
        ts_recv: prefix.header.ts_recv,
        recv_window_ns: prefix.recv_window_ns,
        read_ns: prefix.read_ns,
        read_ticks: 0,
        line: prefix.header.line,
        flags: prefix.header.flags & Flags::RECV_TS_USER,
        raw_sequence: prefix.header.sequence,
        opcode: prefix.opcode,
    }
}

/// Decodes raw frames past the last committed tick again. Of a frame whose records were half committed only the missing
/// ones are appended. `said`: changes of schema that are in the journal.
///
/// That frame's trades are held against cumulative volume once more from the first, so the base is its last present trade
/// again when the first missing one comes.
///
/// # Errors
///
/// [`OpenError`]: stream `raw` could not be read on. What was decoded by then is in `ticks`; the next opening goes on there.
pub(super) fn recover(
    recovery: &RecoveryReport,
    said: &[(u16, u64)],
    parser: &mut Parser,
    committer: &mut Committer,
) -> Result<(), OpenError> {
    let mut cycle = 0;
    let recovered = recovery.raw_frames.for_each(|frame| {
        let meta = meta_of(frame.prefix);
        let last = if frame.is_partial { recovery.last_frame } else { LastFrame::default() };
        let mut missing = Missing {
            committer,
            present: last.records_present,
            rejects: last.rejects_present,
            is_gap_pending: last.is_gap_pending,
            said,
            gap: None,
            gaps_present: (0, 0),
        };
        parser.recovered_frame(&meta, frame.payload, &mut missing);
        missing.end_gap(false);
        // An earlier run counted them.
        parser.mirrored.gaps += missing.gaps_present.0;
        parser.mirrored.gap_qty = parser.mirrored.gap_qty.saturating_add(missing.gaps_present.1);
        cycle += 1;
        if cycle == CYCLE_FRAMES {
            committer.end_cycle(cycle);
            cycle = 0;
        }
    });
    committer.end_cycle(1);
    recovered
}

/// Passes on the records of a frame but those that are in the journal already.
struct Missing<'a> {
    committer: &'a mut Committer,
    /// Market records present: those with a lower place.
    present: u16,
    /// Rejects present: the first.
    rejects: u16,
    /// Whether the gap before the first missing market record is present.
    is_gap_pending: bool,
    /// Changes of schema present.
    said: &'a [(u16, u64)],
    /// A gap whose trade comes next and tells whether it is present: it doesn't tell its place itself.
    gap: Option<Gap>,
    /// Gaps that were present, and what is missing by them.
    gaps_present: (u64, u64),
}

impl Missing<'_> {
    /// Passes on the gap that waits, unless it is present.
    fn end_gap(&mut self, is_present: bool) {
        let Some(mut gap) = self.gap.take() else { return };
        if is_present {
            self.gaps_present.0 += 1;
            self.gaps_present.1 = self.gaps_present.1.saturating_add(gap.missing_qty);
        } else {
            self.committer.record(words_of(&mut gap));
        }
    }

    /// Whether a record is in the journal already; a gap waits for its trade.
    fn is_held(&mut self, words: &[u64]) -> bool {
        match view(bytemuck::cast_slice(words)) {
            Some(RecordView::Gap(gap)) => {
                self.gap = Some(gap.into_owned());
                true
            }
            Some(RecordView::Session(session)) => {
                schema_change(&session).is_some_and(|change| self.said.contains(&change))
            }
            _ => self.is_present(words),
        }
    }

    fn is_present(&mut self, words: &[u64]) -> bool {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES]);
        let is_market = RType::from_number(header.rtype).is_some_and(RType::is_market);
        if !is_market {
            let is_present = header.rtype == RType::Reject as u8 && self.rejects > 0;
            self.rejects -= u16::from(is_present);
            return is_present;
        }
        let market: Market = bytemuck::pod_read_unaligned(&bytes[HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES]);
        let is_present = market.frame_index < self.present;
        let is_gap_present = is_present || self.is_gap_pending;
        self.is_gap_pending &= is_present;
        self.end_gap(is_gap_present);
        is_present
    }
}

impl RecordSink for Missing<'_> {
    fn record(&mut self, words: &mut [u64]) {
        if !self.is_held(words) {
            self.committer.record(words);
        }
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        if !self.is_present(prefix) {
            self.committer.record_with_tail(prefix, tail);
        }
    }
}

impl StampedSink for Missing<'_> {
    fn begin_frame(&mut self, stamp: ReadStamp) {
        self.committer.begin_frame(stamp);
    }
}
