//! What an opening learns from the records it reads: the instruments, and the last frame that reached stream `ticks`.

use std::collections::BTreeMap;

use crate::tick::{Flags, Gap, HEADER_BYTES, Header, Instrument, MARKET_PREFIX_BYTES, Market, RType, RejectPrefix};

/// The last frame of stream `raw` that reached stream `ticks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastFrame {
    /// Its sequence in `raw`; 0 = none.
    pub raw_sequence: u64,
    /// The opening in which its records were appended to `ticks`.
    pub epoch: u64,
    /// Records of it that are in `ticks`: those with a lower `frame_index`.
    pub records_present: u16,
    /// Records in the frame; 0 = only rejects or a gap of it are there.
    pub frame_count: u16,
    /// `Reject` records of it that are in `ticks`.
    pub rejects_present: u16,
    /// Whether the last of it in `ticks` is a `Gap` whose trade is not there.
    pub is_gap_pending: bool,
    /// Whether records of frames that are not in `raw` came behind it, stream `raw` being switched off: then an engine
    /// went on after it had completed what `raw` held.
    pub is_passed: bool,
}

impl LastFrame {
    /// Whether records of the frame may be missing: the writer died between them, or a `Reject` is among them, which
    /// does not tell its place, or a `Gap` stands without its trade.
    pub fn is_partial(&self) -> bool {
        let may_lack = self.records_present < self.frame_count || self.rejects_present > 0 || self.is_gap_pending;
        may_lack && !self.is_passed
    }
}

/// What the records read so far tell.
#[derive(Debug, Default)]
pub(in crate::journal) struct Recent {
    pub(in crate::journal) instruments: BTreeMap<u32, Instrument>,
    epoch: u64,
    last_frame: LastFrame,
    /// Of the epochs before the one read now.
    earlier: LastFrame,
}

impl Recent {
    /// A segment of that epoch is read next, records of later ones behind those of earlier ones.
    pub(in crate::journal) fn enter(&mut self, epoch: u64) {
        // NB: numbers of `raw` may begin again below those that `ticks` names already: when a host died the two streams
        // are cut at places of their own. So a frame of a later epoch is later, whatever its number.
        if epoch != self.epoch {
            self.earlier = self.last_frame();
            self.last_frame = LastFrame { epoch, ..LastFrame::default() };
            self.epoch = epoch;
        }
    }

    /// The last frame that reached `ticks`.
    pub(in crate::journal) fn last_frame(&self) -> LastFrame {
        if self.last_frame.raw_sequence > 0 {
            return self.last_frame;
        }
        LastFrame { is_passed: self.earlier.is_passed || self.last_frame.is_passed, ..self.earlier }
    }

    /// Takes what segments before all that were read tell of the last frame.
    pub(in crate::journal) fn set_earlier(&mut self, earlier: LastFrame) {
        self.earlier = LastFrame { is_passed: earlier.is_passed || self.earlier.is_passed, ..earlier };
    }

    /// Notes a record that was found good.
    pub(in crate::journal) fn note(&mut self, head: &Header, record: &[u8]) {
        note(head, record, &mut self.instruments, &mut self.last_frame);
    }
}

/// Remembers instruments and the last frame of a record that was found good.
fn note(head: &Header, record: &[u8], instruments: &mut BTreeMap<u32, Instrument>, last: &mut LastFrame) {
    if head.rtype == RType::Instrument as u8 {
        let mut definition: Instrument = bytemuck::zeroed();
        let bytes = record.len().min(size_of::<Instrument>());
        bytemuck::bytes_of_mut(&mut definition)[..bytes].copy_from_slice(&record[..bytes]);
        instruments.insert(head.instrument_id, definition);
    } else if RType::from_number(head.rtype).is_some_and(RType::is_market) {
        let Some(prefix) = record.get(HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES) else { return };
        let market: Market = bytemuck::pod_read_unaligned(prefix);
        if market.raw_sequence == 0 {
            last.is_passed |= head.flags & (Flags::POLLED | Flags::BACKFILLED) == 0;
        } else if market.raw_sequence >= last.raw_sequence {
            *last = LastFrame {
                raw_sequence: market.raw_sequence,
                epoch: last.epoch,
                records_present: market.frame_index.saturating_add(1),
                frame_count: market.frame_count,
                rejects_present: if market.raw_sequence == last.raw_sequence { last.rejects_present } else { 0 },
                is_gap_pending: false,
                is_passed: false,
            };
        }
    } else if head.rtype == RType::Reject as u8 {
        let Some(prefix) = record.get(..size_of::<RejectPrefix>()) else { return };
        let reject: RejectPrefix = bytemuck::pod_read_unaligned(prefix);
        if reject.raw_sequence > last.raw_sequence {
            let fresh = LastFrame { epoch: last.epoch, ..LastFrame::default() };
            *last = LastFrame { raw_sequence: reject.raw_sequence, rejects_present: 1, ..fresh };
        } else if reject.raw_sequence == last.raw_sequence && last.raw_sequence > 0 {
            last.rejects_present = last.rejects_present.saturating_add(1);
        }
    } else if head.rtype == RType::Gap as u8 {
        let Some(bytes) = record.get(..size_of::<Gap>()) else { return };
        let gap: Gap = bytemuck::pod_read_unaligned(bytes);
        if gap.raw_sequence > last.raw_sequence {
            let fresh = LastFrame { epoch: last.epoch, ..LastFrame::default() };
            *last = LastFrame { raw_sequence: gap.raw_sequence, is_gap_pending: true, ..fresh };
        } else if gap.raw_sequence == last.raw_sequence && last.raw_sequence > 0 {
            last.is_gap_pending = true;
        }
    }
}

/// The frame of stream `raw` that a record of stream `ticks` names; 0 = none.
pub(in crate::journal) fn named_frame(head: &Header, record: &[u8]) -> u64 {
    if RType::from_number(head.rtype).is_some_and(RType::is_market) {
        let prefix = record.get(HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES);
        prefix.map_or(0, |prefix| bytemuck::pod_read_unaligned::<Market>(prefix).raw_sequence)
    } else if head.rtype == RType::Reject as u8 {
        let prefix = record.get(..size_of::<RejectPrefix>());
        prefix.map_or(0, |prefix| bytemuck::pod_read_unaligned::<RejectPrefix>(prefix).raw_sequence)
    } else if head.rtype == RType::Gap as u8 {
        let bytes = record.get(..size_of::<Gap>());
        bytes.map_or(0, |bytes| bytemuck::pod_read_unaligned::<Gap>(bytes).raw_sequence)
    } else {
        0
    }
}
