//! The decoding: frames in their order, driven by the old tick stream, which tells what stood between them.

use std::collections::{HashMap, HashSet, VecDeque};

use hoga::clock::MarketClock;
use hoga::engine::pipeline::{Keeper, Pipeline, PipelineConfig};
use hoga::engine::redecode::Opening;
use hoga::feed::kis::LayoutTable;
use hoga::journal::{JournalConfig, Position, RecordRef, SegmentReader, Start, Stream, TailError, TailState, Tailer};
use hoga::tick::{
    Flags, HEADER_BYTES, Header, Instrument, MARKET_PREFIX_BYTES, Market, RType, RawPrefix, RecordView, SessionEvent,
    Trade, UNDEF_QTY, view,
};

use super::{Config, ReparseError};

/// Records read in one go.
const BATCH: usize = 1024;
/// Segments an engine reads back for the cumulative volumes of the day, the one it begins included.
const RESUME_SEGMENTS: u64 = 5;
/// Places for instruments beside those known.
const INSTRUMENTS_ROOM: usize = 16_384;

/// What was decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    /// First frame of stream `raw` that is there; 0 = none.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// Frames decoded.
    pub decoded: u64,
    /// End of the frames.
    pub end: Position,
}

/// Stream `raw`, a frame at a time.
struct RawFrames {
    tailer: Tailer,
    ahead: VecDeque<(RawPrefix, Vec<u8>)>,
    is_done: bool,
    /// Frames behind this came while we read: left to the next time.
    last: u64,
}

impl RawFrames {
    fn fill(&mut self) -> Result<(), TailError> {
        while self.ahead.is_empty() && !self.is_done {
            let (ahead, last) = (&mut self.ahead, self.last);
            let polled = self.tailer.poll(BATCH, |record| {
                if let Some(RecordView::Raw(prefix, payload)) = view(record.bytes)
                    && prefix.header.sequence <= last
                {
                    ahead.push_back((*prefix, payload.to_vec()));
                }
            })?;
            self.is_done = polled.state != TailState::More;
        }
        Ok(())
    }
}

struct Drive<'a> {
    config: &'a Config,
    frames: RawFrames,
    pipeline: Pipeline,
    keeper: Keeper,
    /// Frames by (`ts_recv`, line) that are control messages: what an answer's record does not tell.
    control: HashMap<(u64, u16), u64>,
    instruments: Vec<Instrument>,
    instruments_max: usize,
    /// The last trade of each instrument and transaction, and the old segment it stands in.
    trades: HashMap<(u32, u16), (Trade, u64)>,
    /// Changes of schema said since the last change of the trading date.
    said: HashSet<(u16, u64)>,
    dates: VecDeque<(u64, u32)>,
    epoch: u64,
    ordinal: u64,
    /// Newest frame of which the old ticks told.
    reached: u64,
    decoded: u64,
    total: u64,
}

/// Decodes everything into the new journal.
pub(super) fn decode(config: &Config, progress: &mut dyn FnMut(u64, u64)) -> Result<Frames, ReparseError> {
    let read = |source| ReparseError::Read { dir: config.dir.clone(), source };
    let open_raw = || match Tailer::open(&config.dir, Stream::Raw, Start::Beginning) {
        Err(TailError::NoJournal(_)) => Err(ReparseError::NoFrames(config.dir.clone())),
        opened => opened.map(|tailer| tailer.with_crc_check(true)).map_err(read),
    };
    // A first pass over the frames: where control messages are, and how many frames there are.
    let mut first_pass = open_raw()?;
    let (mut first, mut last, mut total) = (0, 0, 0_u64);
    let mut control = HashMap::new();
    loop {
        let polled = first_pass.poll(BATCH, |record| {
            let Some(RecordView::Raw(prefix, payload)) = view(record.bytes) else { return };
            let sequence = prefix.header.sequence;
            (first, last) = (if first == 0 { sequence } else { first }, sequence);
            total += 1;
            if payload.first() == Some(&b'{') {
                control.insert((prefix.header.ts_recv, prefix.header.line), sequence);
            }
        });
        if polled.map_err(read)?.state != TailState::More {
            break;
        }
    }
    let end = first_pass.position();
    let mut ticks = match Tailer::open(&config.dir, Stream::Ticks, Start::Beginning) {
        Err(TailError::NoJournal(_)) => None,
        opened => Some(opened.map_err(read)?.with_crc_check(true)),
    };
    let instruments = match &ticks {
        Some(_) => known_instruments(config).map_err(read)?,
        None => Vec::new(),
    };
    let instruments_max = instruments.len() + INSTRUMENTS_ROOM;
    let date = ticks.as_ref().map_or(0, |tailer| date_of_segment(config, tailer.position().ordinal));
    let defaults = JournalConfig::default();
    let (pipeline, keeper) = Pipeline::open(
        &config.out,
        &PipelineConfig {
            journal: JournalConfig {
                raw: None,
                trading_date: date,
                instruments_max: instruments_max.max(defaults.instruments_max),
                ..defaults
            },
            instruments_max,
            ..PipelineConfig::default()
        },
    )?;
    let frames = RawFrames { tailer: open_raw()?, ahead: VecDeque::new(), is_done: false, last };
    let mut drive = Drive {
        config,
        frames,
        pipeline,
        keeper,
        control,
        instruments,
        instruments_max,
        trades: HashMap::new(),
        said: HashSet::new(),
        dates: VecDeque::new(),
        epoch: 0,
        ordinal: 0,
        reached: 0,
        decoded: 0,
        total,
    };
    drive.declare();
    drive.begin_opening(1, &[]);
    while let Some(tailer) = &mut ticks {
        let mut outcome = Ok(());
        let polled = tailer.poll(BATCH, |record| {
            if outcome.is_ok() {
                outcome = drive.old_record(&record);
            }
        });
        let polled = polled.map_err(read)?;
        outcome?;
        drive.publish()?;
        progress(drive.decoded, drive.total);
        if polled.state != TailState::More {
            break;
        }
    }
    drive.decode_until(u64::MAX, false, progress)?;
    drive.publish()?;
    let Drive { pipeline, keeper, decoded, .. } = drive;
    keeper.close(pipeline)?;
    // The figures of a decoding are nobody's.
    let _ = std::fs::remove_file(config.out.join("metrics"));
    Ok(Frames { first, last, decoded, end })
}

/// Every instrument of the old journal, by id: the newest segment restates them all.
fn known_instruments(config: &Config) -> Result<Vec<Instrument>, TailError> {
    let newest = Tailer::open(&config.dir, Stream::Ticks, Start::End)?;
    Ok((1..).map_while(|id| newest.instrument(id).copied()).collect())
}

fn date_of_segment(config: &Config, ordinal: u64) -> u32 {
    let folder = config.dir.join(Stream::Ticks.name());
    let header = SegmentReader::open_in(&folder, ordinal).ok();
    let header = header.and_then(|reader| reader.checked_header(Stream::Ticks, ordinal).ok());
    header.and_then(|header| header.activation).map_or(0, |activation| activation.trading_date)
}

impl Drive<'_> {
    /// Declares what the old journal declared, so that ids stay.
    fn declare(&mut self) {
        for instrument in &mut self.instruments {
            instrument.header.flags &= !Flags::RESTATED;
            instrument.header.length = size_of::<Instrument>() as u32;
            self.pipeline.append_record(bytemuck::bytes_of(instrument));
        }
    }

    fn begin_opening(&mut self, epoch: u64, trades: &[Trade]) {
        let layouts: Option<&LayoutTable> = self.config.layouts.as_ref();
        let (instruments, instruments_max) = (&self.instruments[..], self.instruments_max);
        self.pipeline.begin_opening(&Opening { epoch, instruments_max, instruments, trades, layouts });
        self.epoch = epoch;
    }

    /// A record of the old ticks: decodes the frames it tells of, and copies what no frame tells.
    fn old_record(&mut self, record: &RecordRef<'_>) -> Result<(), ReparseError> {
        if record.position.ordinal != self.ordinal {
            self.enter_segment(record.position)?;
        }
        let header = record.header();
        let recovered = header.flags & Flags::RECOVERED != 0;
        let raw_sequence = raw_sequence(header, record.bytes);
        if let Some(sequence) = raw_sequence {
            self.reached = self.reached.max(sequence);
            return self.decode_until(self.reached, recovered, &mut |_, _| {});
        }
        match view(record.bytes) {
            // Declared already; and what a repair cut out of the ticks may still be in the frames.
            Some(RecordView::Instrument(_) | RecordView::Hole(_)) => return Ok(()),
            Some(RecordView::Session(session)) => match SessionEvent::from_number(session.event) {
                Some(SessionEvent::SchemaChanged) => return Ok(()),
                Some(SessionEvent::Acked | SessionEvent::Refused) => {
                    // From the answer, if its frame is there; a registration given up for want of one has none.
                    if let Some(sequence) = self.control.get(&(header.ts_recv, header.line)).copied() {
                        self.reached = self.reached.max(sequence);
                        return self.decode_until(self.reached, false, &mut |_, _| {});
                    }
                }
                Some(SessionEvent::Disconnected) => self.pipeline.connection_lost(),
                _ => {}
            },
            Some(RecordView::Clock(clock)) => self.pipeline.set_market(MarketClock {
                anchor_wall_ns: clock.anchor_wall_ns,
                anchor_market_ns: clock.anchor_market_ns,
                scale: clock.scale_ppb as f64 / 1e9,
            }),
            _ => {}
        }
        self.pipeline.append_record(record.bytes);
        Ok(())
    }

    /// The old writer rolled, or opened the journal anew.
    fn enter_segment(&mut self, position: Position) -> Result<(), ReparseError> {
        self.ordinal = position.ordinal;
        let date = date_of_segment(self.config, position.ordinal);
        if self.dates.back().is_some_and(|(_, before)| *before != date) {
            self.said.clear();
        }
        self.dates.push_back((position.ordinal, date));
        while self.dates.len() as u64 > RESUME_SEGMENTS {
            self.dates.pop_front();
        }
        if position.epoch != self.epoch {
            let of_day = self.dates.iter().rev().skip(1).take_while(|(_, of)| *of == date);
            let oldest = of_day.map(|(ordinal, _)| *ordinal).last().unwrap_or(position.ordinal);
            let resumed: Vec<Trade> =
                self.trades.values().filter(|(_, ordinal)| *ordinal >= oldest).map(|(trade, _)| *trade).collect();
            self.begin_opening(position.epoch, &resumed);
        }
        if date != 0 {
            self.pipeline.set_trading_date(date);
        }
        Ok(())
    }

    /// Decodes the frames up to a sequence. `recovered`: the old journal decoded them when it was opened, and did not say a
    /// change of schema twice.
    fn decode_until(
        &mut self,
        last: u64,
        recovered: bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ReparseError> {
        loop {
            let read = |source| ReparseError::Read { dir: self.config.dir.clone(), source };
            self.frames.fill().map_err(read)?;
            if self.frames.ahead.front().is_none_or(|(prefix, _)| prefix.header.sequence > last) {
                return Ok(());
            }
            let Some((prefix, payload)) = self.frames.ahead.pop_front() else { return Ok(()) };
            let (trades, said, instruments) = (&mut self.trades, &mut self.said, &mut self.instruments);
            let ordinal = self.ordinal;
            self.pipeline.redecode(&prefix, &payload, &mut |words, _| {
                match view(bytemuck::cast_slice(words)) {
                    Some(RecordView::Trade(trade)) if trade.qty != UNDEF_QTY && trade.cum_qty != UNDEF_QTY => {
                        trades.insert((trade.header.instrument_id, trade.market.tr), (*trade, ordinal));
                    }
                    Some(RecordView::Instrument(instrument)) => instruments.push(*instrument),
                    Some(RecordView::Session(session)) if session.event == SessionEvent::SchemaChanged as u8 => {
                        return said.insert((session.tr, session.value)) || !recovered;
                    }
                    _ => {}
                }
                true
            });
            self.decoded += 1;
            if self.decoded.is_multiple_of(BATCH as u64) {
                self.publish()?;
                progress(self.decoded, self.total);
            }
        }
    }

    fn publish(&mut self) -> Result<(), ReparseError> {
        let published = self.pipeline.publish();
        self.keeper.poll();
        published.map_err(|source| ReparseError::Append { out: self.config.out.clone(), source })
    }
}

/// The frame a record was decoded from; `None` when it is not of one.
pub(super) fn raw_sequence(header: &Header, bytes: &[u8]) -> Option<u64> {
    let sequence = match RType::from_number(header.rtype)? {
        kind if kind.is_market() => {
            let market = bytes.get(HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES)?;
            bytemuck::pod_read_unaligned::<Market>(market).raw_sequence
        }
        _ => match view(bytes)? {
            RecordView::Gap(gap) => gap.raw_sequence,
            RecordView::Reject(reject, _) => reject.raw_sequence,
            _ => 0,
        },
    };
    (sequence != 0).then_some(sequence)
}
