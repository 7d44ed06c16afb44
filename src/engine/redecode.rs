//! Decoding frames of stream `raw` again into another journal's ticks, by the very cores an engine runs.
//!
//! What drives it (`hoga-replay reparse`) tells what a decoder of that time knew: openings, market time, lost connections.

use std::sync::atomic::Ordering;

use super::commit::{Committer, ReadStamp};
use super::parser::StampedSink;
use super::pipeline::Pipeline;
use super::resume::meta_of;
use crate::clock::MarketClock;
use crate::feed::RecordSink;
use crate::feed::kis::control::is_control;
use crate::feed::kis::{Decoder, DecoderConfig, LayoutTable};
use crate::journal::AppendError;
use crate::tick::{Instrument, RawPrefix, Trade};

/// What a decoder starts from when a journal is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Number of the opening: gaps are numbered by it.
    pub epoch: u64,
    /// Most instruments.
    pub instruments_max: usize,
    /// Instruments known.
    pub instruments: &'a [Instrument],
    /// The last trades of the day, of which continuity goes on.
    pub trades: &'a [Trade],
    /// Layouts to decode by; `None` = the built-in table.
    pub layouts: Option<&'a LayoutTable>,
}

impl Pipeline {
    /// Begins as an engine does that opens a journal: a new decoder that knows these instruments and trades; connections
    /// were lost in between.
    pub fn begin_opening(&mut self, opening: &Opening<'_>) {
        let config = DecoderConfig {
            instruments_max: opening.instruments_max,
            gap_id_first: opening.epoch << 32 | 1,
            ..DecoderConfig::default()
        };
        let mut decoder = match opening.layouts {
            Some(table) => Decoder::with_layouts(config, table),
            None => Decoder::new(config),
        };
        decoder.seed_instruments(opening.instruments);
        for trade in opening.trades {
            decoder.resume(trade);
        }
        decoder.connection_lost();
        self.parser.mirrored = Default::default();
        self.parser.decoder = decoder;
    }

    /// Market time of the frames that follow.
    pub fn set_market(&mut self, market: MarketClock) {
        self.parser.market = market;
    }

    /// Trading date of the records that follow, decimal YYYYMMDD: a change begins a new segment.
    pub fn set_trading_date(&mut self, date: u32) {
        // Relaxed: a number alone.
        self.committer.trading_date.store(date, Ordering::Relaxed);
        self.committer.end_cycle(1);
    }

    /// Gaps over a connection lost before now have that as their reason.
    pub fn connection_lost(&mut self) {
        self.parser.decoder.connection_lost();
    }

    /// Appends a finished record of stream `ticks` as it is, but for its sequence and, of market data, `committed_ns`.
    pub fn append_record(&mut self, record: &[u8]) {
        let mut words = vec![0_u64; record.len().div_ceil(8)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        bytes[..record.len()].copy_from_slice(record);
        self.committer.begin_frame(ReadStamp::Recovered);
        if record.len().is_multiple_of(8) {
            self.committer.record(&mut words);
        } else {
            let whole = record.len() / 8;
            self.committer.record_with_tail(&mut words[..whole], &record[whole * 8..]);
        }
    }

    /// Decodes a frame of stream `raw` again: its records are appended with flag RECOVERED, those of control frames
    /// without. `take` sees each record (prefix words, bytes behind them) and says whether it is appended.
    ///
    /// Latencies of such records mean nothing: `committed_ns` tells the time since receipt, at most 4.3 s.
    pub fn redecode(&mut self, prefix: &RawPrefix, payload: &[u8], take: &mut dyn FnMut(&[u64], &[u8]) -> bool) {
        let meta = meta_of(prefix);
        let mut sink = Chosen { committer: &mut self.committer, take };
        if is_control(payload) {
            self.parser.frame(&meta, payload, &mut sink);
        } else {
            self.parser.recovered_frame(&meta, payload, &mut sink);
        }
    }

    /// After some frames: publishes what was written.
    ///
    /// # Errors
    ///
    /// Why stream `ticks` takes no more.
    pub fn publish(&mut self) -> Result<(), AppendError> {
        self.parser.end_cycle(1);
        self.committer.end_cycle(1);
        match &self.committer.failure {
            Some(failure) => Err(*failure),
            None => Ok(()),
        }
    }
}

/// Passes on what is chosen.
struct Chosen<'a> {
    committer: &'a mut Committer,
    take: &'a mut dyn FnMut(&[u64], &[u8]) -> bool,
}

impl RecordSink for Chosen<'_> {
    fn record(&mut self, words: &mut [u64]) {
        if (self.take)(words, &[]) {
            self.committer.record(words);
        }
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        if (self.take)(prefix, tail) {
            self.committer.record_with_tail(prefix, tail);
        }
    }
}

impl StampedSink for Chosen<'_> {
    fn begin_frame(&mut self, stamp: ReadStamp) {
        self.committer.begin_frame(stamp);
    }
}
