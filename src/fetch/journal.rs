//! Downloaded rows as records of the tick journal.
//!
//! Each unit's records wait in a file of their own. The journal is made of all of them at the end, in the order of market
//! time, under another name, and gets its own when it is whole. As long as units are missing that failed, the files stay
//! and the next download makes the journal anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytemuck::Zeroable as _;
use jiff::civil::Date;

use super::plan::{Plan, Request, Unit};
use super::rows::{Day, Minute, Rows, Tick};
use super::state::{Folder, remove_tree};
use crate::clock::wall_ns;
use crate::journal::build::{BuildError, JournalBuilder, JournalSpec};
use crate::journal::format::{SEGMENT_HEADER_BYTES, padded};
use crate::journal::{Stream, is_live};
use crate::market::kst;
use crate::simd::Crc32c;
use crate::sys::file::sync_folder;
use crate::tick::{
    Bar, Flags, Gap, GapReason, HEADER_BYTES, Header, Instrument, InstrumentKey, RECORD_VERSION, RType, Trade,
    UNDEF_QTY, UNDEF_TURNOVER,
};

const MINUTE_NS: u64 = 60_000_000_000;
/// Asked for by REST, and filled in after the fact; the stamp is ours.
const FLAGS: u32 = Flags::POLLED | Flags::BACKFILLED | Flags::RECV_TS_USER;
const MAGIC: &[u8; 8] = b"HOGAPRT1";
const SEGMENT_MIN: u64 = 1 << 20;
const SEGMENT_MAX: u64 = 128 << 20;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file of records is not what was written.
    #[error("{0} is damaged: remove it, and download again")]
    Damaged(PathBuf),
    /// Somebody writes to the journal of an earlier download.
    #[error("{0}: a writer has this journal open")]
    Live(PathBuf),
    /// The builder refused something.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The system refused something.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    |source| JournalError::Io { path: path.to_owned(), source }
}

fn header(rtype: RType, bytes: usize, request: &Request, flags: u32) -> Header {
    Header {
        length: bytes as u32,
        flags,
        publisher: request.market.publisher() as u16,
        rtype: rtype as u8,
        version: RECORD_VERSION,
        ..Header::zeroed()
    }
}

fn minute(row: &Minute, request: &Request) -> Bar {
    let mut bar = Bar::UNDEF;
    bar.header = header(RType::Bar, size_of::<Bar>(), request, FLAGS);
    bar.market.ts_event = row.start;
    bar.interval_ns = MINUTE_NS;
    [bar.open_px, bar.high_px, bar.low_px, bar.close_px] = row.prices;
    (bar.qty, bar.turnover, bar.cum_turnover) = (row.volume, row.turnover, row.day_turnover);
    bar
}

fn day(row: &Day, request: &Request) -> Bar {
    let mut bar = Bar::UNDEF;
    bar.header = header(RType::Bar, size_of::<Bar>(), request, FLAGS);
    // Its date was read from a row, which is a date of the calendar of instants.
    bar.market.ts_event = kst::instant(row.date, 0).unwrap_or_default();
    bar.interval_ns = kst::DAY_NS;
    [bar.open_px, bar.high_px, bar.low_px, bar.close_px] = row.prices;
    (bar.qty, bar.turnover) = (row.volume, row.turnover);
    (bar.cum_qty, bar.cum_turnover) = (row.volume, row.turnover);
    bar
}

fn tick(row: &Tick, request: &Request, date: Option<Date>) -> Trade {
    let mut trade = Trade::UNDEF;
    let gap = if row.missing_before > 0 { Flags::GAP_BEFORE } else { 0 };
    trade.header = header(RType::Trade, size_of::<Trade>(), request, FLAGS | Flags::EVENT_TS_SECOND | gap);
    trade.market.ts_event = row.ts;
    (trade.px, trade.qty, trade.cum_qty) = (row.px, row.qty, row.cum_qty);
    (trade.ask_px, trade.bid_px) = (row.ask_px, row.bid_px);
    trade.business_date = date.map_or(0, kst::number_of);
    trade
}

/// The gap that stands before a trade.
fn gap(row: &Tick, request: &Request) -> Gap {
    let mut gap = Gap::zeroed();
    gap.header = header(RType::Gap, size_of::<Gap>(), request, FLAGS);
    gap.cum_qty_after = row.cum_qty.saturating_sub(row.qty);
    gap.cum_qty_before = gap.cum_qty_after.saturating_sub(row.missing_before);
    gap.missing_qty = row.missing_before;
    gap.missing_turnover = UNDEF_TURNOVER;
    gap.missing_trades = UNDEF_QTY;
    gap.reason = GapReason::VolumeJump as u8;
    gap
}

/// The file of a unit: magic, CRC-32C of the rest, then records one after the other, without instrument and sequence.
pub(super) fn records(request: &Request, unit: &Unit, rows: &Rows) -> Vec<u8> {
    let mut bytes = Vec::new();
    match rows {
        Rows::Minutes(rows) => rows.iter().for_each(|row| bytes.extend(bytemuck::bytes_of(&minute(row, request)))),
        Rows::Days(rows) => rows.iter().for_each(|row| bytes.extend(bytemuck::bytes_of(&day(row, request)))),
        Rows::Ticks(rows) => {
            for row in rows {
                if row.missing_before > 0 {
                    bytes.extend(bytemuck::bytes_of(&gap(row, request)));
                }
                bytes.extend(bytemuck::bytes_of(&tick(row, request, unit.date)));
            }
        }
    }
    let crc = Crc32c::new().checksum(0, &bytes);
    [MAGIC.as_slice(), &crc.to_le_bytes(), &bytes].concat()
}

/// The records of a unit's file.
fn read_part(path: &Path) -> Result<Vec<u8>, JournalError> {
    let damaged = || JournalError::Damaged(path.to_owned());
    let bytes = fs::read(path).map_err(io_at(path))?;
    let (head, records) = bytes.split_at_checked(MAGIC.len() + 4).ok_or_else(damaged)?;
    let (magic, crc) = head.split_at(MAGIC.len());
    let expected = Crc32c::new().checksum(0, records).to_le_bytes();
    if magic == MAGIC && crc == expected { Ok(records.to_vec()) } else { Err(damaged()) }
}

/// A market record with the gaps before it, in the bytes of one unit.
struct Group {
    ts_event: u64,
    symbol: usize,
    part: usize,
    from: usize,
    to: usize,
}

fn groups(records: &[u8], symbol: usize, part: usize, out: &mut Vec<Group>) -> Option<()> {
    let (mut from, mut at) = (0, 0);
    while at < records.len() {
        let head: Header = bytemuck::pod_read_unaligned(records.get(at..at + HEADER_BYTES)?);
        let to = at.checked_add(head.length as usize).filter(|to| *to <= records.len() && *to > at)?;
        if RType::from_number(head.rtype)?.is_market() {
            let ts = records.get(at + HEADER_BYTES..at + HEADER_BYTES + 8)?;
            let ts_event = u64::from_le_bytes(ts.try_into().ok()?);
            out.push(Group { ts_event, symbol, part, from, to });
            from = to;
        }
        at = to;
    }
    Some(())
}

/// Makes the journal of all units that are done, in the place of one that is there; market records in it.
pub(super) fn assemble(folder: &Folder, request: &Request, plan: &Plan) -> Result<u64, JournalError> {
    let out = folder.journal();
    if out.exists() && is_live(&out) {
        return Err(JournalError::Live(out));
    }
    let (partial, old) = (out.with_extension("tmp"), out.with_extension("old.tmp"));
    for path in [&partial, &old] {
        remove_tree(path).map_err(io_at(path))?;
    }
    let records = build(&partial, folder, request, plan)?;
    if out.exists() {
        fs::rename(&out, &old).map_err(io_at(&out))?;
    }
    fs::rename(&partial, &out).map_err(io_at(&out))?;
    sync_folder(out.parent().unwrap_or(Path::new("."))).map_err(io_at(&out))?;
    remove_tree(&old).map_err(io_at(&old))?;
    Ok(records)
}

fn build(dir: &Path, folder: &Folder, request: &Request, plan: &Plan) -> Result<u64, JournalError> {
    let mut days: BTreeMap<Option<Date>, Vec<&Unit>> = BTreeMap::new();
    let mut largest: BTreeMap<Option<Date>, u64> = BTreeMap::new();
    for (at, done) in folder.done() {
        let Some(unit) = plan.units.get(*at) else { continue };
        days.entry(unit.date).or_default().push(unit);
        // A gap before each trade would be half as much again.
        *largest.entry(unit.date).or_default() += done.bytes;
    }
    let declared = request.symbols.len() * padded(size_of::<Instrument>());
    let bytes = largest.values().max().copied().unwrap_or(0) * 5 / 4 + (declared + SEGMENT_HEADER_BYTES) as u64 + 4096;
    let segment_bytes = bytes.next_multiple_of(4096).clamp(SEGMENT_MIN, SEGMENT_MAX);
    let first = days.keys().flatten().next().copied().unwrap_or(request.from);
    let spec = JournalSpec { segment_bytes, trading_date: kst::number_of(first), ..JournalSpec::default() };
    let mut journal = JournalBuilder::create(dir, spec)?;
    let ticks = journal.stream(Stream::Ticks)?;
    let now = wall_ns();
    for (id, symbol) in (1..).zip(&request.symbols) {
        // Symbols were checked: 1 to 12 letters and digits.
        let Some(key) = InstrumentKey::new(b"KRX", symbol.as_bytes()) else { continue };
        let mut header = header(RType::Instrument, size_of::<Instrument>(), request, 0);
        (header.instrument_id, header.ts_recv) = (id, now);
        let instrument = Instrument {
            header,
            key,
            currency: *b"KRW\0",
            qty_decimals: 0,
            px_decimals: u8::MAX,
            tick_rule: 0,
            reserved: 0,
            turnover_unit: 1,
        };
        ticks.append_next(bytemuck::bytes_of(&instrument))?;
    }
    let (mut market_records, mut gaps) = (0, 0_u64);
    for (date, units) in days {
        if let Some(date) = date {
            ticks.set_trading_date(kst::number_of(date))?;
        }
        let (mut parts, mut order) = (Vec::new(), Vec::new());
        for unit in units {
            let path = folder.parts().join(plan.path(request, unit));
            let records = read_part(&path)?;
            groups(&records, unit.symbol, parts.len(), &mut order).ok_or(JournalError::Damaged(path))?;
            parts.push(records);
        }
        // Stable: what is of one second keeps its order in its unit.
        order.sort_by_key(|group| (group.ts_event, group.symbol));
        for group in &order {
            let records = parts.get(group.part).and_then(|records| records.get(group.from..group.to));
            let mut rest = records.unwrap_or_default().to_vec();
            while !rest.is_empty() {
                let mut head: Header = bytemuck::pod_read_unaligned(&rest[..HEADER_BYTES]);
                let next = rest.split_off(head.length as usize);
                (head.instrument_id, head.ts_recv) = (group.symbol as u32 + 1, now);
                rest[..HEADER_BYTES].copy_from_slice(bytemuck::bytes_of(&head));
                if head.rtype == RType::Gap as u8 {
                    gaps += 1;
                    let mut gap: Gap = bytemuck::pod_read_unaligned(&rest);
                    (gap.gap_id, gap.from_ts, gap.to_ts) = (gaps, now, now);
                    rest.copy_from_slice(bytemuck::bytes_of(&gap));
                } else {
                    market_records += 1;
                }
                ticks.append_next(&rest)?;
                rest = next;
            }
        }
    }
    journal.finish()?;
    Ok(market_records)
}
