//! A journal of trades to Parquet, beside the same rows as CSV, beside a builder that goes row by row, and beside reading
//! the journal and nothing else.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use hoga::journal::build::{JournalBuilder, JournalSpec};
use hoga::journal::{Filter, Stream};
use hoga::tick::{Instrument, InstrumentKey, PX_SCALE, Publisher, RType, TURNOVER_SCALE, Trade, tr_number, words_of};
use hoga_replay::control::Controls;
use hoga_replay::export::{Export, Format, export, naive::write_row_by_row};
use hoga_replay::merge::{By, Merge};
use serde::Serialize;

use crate::Error;
use crate::quantiles::median;

/// Instruments that trade.
const SYMBOLS: u32 = 200;
/// 2026-11-23T09:00:00 in Korea.
const NINE: u64 = 1_795_392_000_000_000_000;

/// What a run gives: medians of the rounds, records a second.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Trades, of 46 columns each.
    pub records: u64,
    /// Read, checked and merged, not written.
    pub read_per_second: f64,
    /// As Parquet.
    pub parquet_per_second: f64,
    /// As Arrow IPC.
    pub arrow_per_second: f64,
    /// As CSV.
    pub csv_per_second: f64,
    /// As Parquet by builders that append value by value, on one thread.
    pub row_by_row_per_second: f64,
    /// Bytes of a record in the Parquet file.
    pub parquet_bytes_a_record: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |name: &str, rate: f64| format!("{name:<22}{:>8.2} M records/s", rate / 1e6);
        writeln!(f, "{} trades", self.records)?;
        writeln!(f, "{}", row("read alone", self.read_per_second))?;
        writeln!(
            f,
            "{} (goal 2), {:.1} bytes a record",
            row("Parquet", self.parquet_per_second),
            self.parquet_bytes_a_record
        )?;
        writeln!(f, "{}", row("Arrow IPC", self.arrow_per_second))?;
        writeln!(f, "{}", row("CSV", self.csv_per_second))?;
        writeln!(f, "{}", row("Parquet, row by row", self.row_by_row_per_second))?;
        let ratio = |base: f64| self.parquet_per_second / base;
        write!(
            f,
            "Parquet / CSV: {:.1}, / row by row: {:.1}",
            ratio(self.csv_per_second),
            ratio(self.row_by_row_per_second)
        )
    }
}

/// Writes so many trades, then exports them in every way in `rounds` rounds.
///
/// # Errors
/// When the journal or a file can't be made or read.
pub fn run(records: u64, rounds: usize) -> Result<Report, Error> {
    let folder = crate::scratch()?;
    let dir = folder.path().join("journal");
    write_journal(&dir, records)?;
    let mut rates = [(); 5].map(|()| Vec::new());
    let mut bytes = 0;
    for _ in 0..rounds {
        for (way, rates) in rates.iter_mut().enumerate() {
            let out = folder.path().join("out");
            let begin = Instant::now();
            match way {
                0 => read_alone(&dir, records)?,
                4 => {
                    std::fs::create_dir_all(&out)?;
                    let mut merge = Merge::open([(dir.as_path(), trades())], By::Recv)?;
                    write_row_by_row(&mut merge, File::create(out.join("trade.parquet"))?)?;
                }
                _ => {
                    let format = [Format::Parquet, Format::Arrow, Format::Csv][way - 1];
                    let journals = vec![(dir.clone(), trades())];
                    let what = Export { journals, format, out: out.clone(), force: false };
                    let exported = export(&what, &Controls::default(), |_| {})?;
                    if exported.records != records {
                        return Err(format!("{} of {records} records were exported", exported.records).into());
                    }
                    if format == Format::Parquet {
                        bytes = exported.files.iter().map(|file| file.bytes).sum();
                    }
                }
            }
            rates.push(records as f64 / begin.elapsed().as_secs_f64());
            if out.exists() {
                std::fs::remove_dir_all(&out)?;
            }
        }
    }
    let [read, parquet, arrow, csv, row_by_row] = rates.map(median);
    Ok(Report {
        records,
        read_per_second: read,
        parquet_per_second: parquet,
        arrow_per_second: arrow,
        csv_per_second: csv,
        row_by_row_per_second: row_by_row,
        parquet_bytes_a_record: bytes as f64 / records as f64,
    })
}

fn trades() -> Filter {
    Filter { kinds: vec![RType::Trade], ..Filter::default() }
}

fn read_alone(dir: &Path, records: u64) -> Result<(), Error> {
    let mut merge = Merge::open([(dir, trades())], By::Recv)?;
    let mut read = 0;
    while let Some(record) = merge.next()? {
        std::hint::black_box(record.bytes);
        read += 1;
    }
    if read == records { Ok(()) } else { Err(format!("{read} of {records} records were read").into()) }
}

/// A walk of prices, a second's worth of trades in a second.
fn write_journal(dir: &Path, records: u64) -> Result<(), Error> {
    let mut journal = JournalBuilder::create(dir, JournalSpec { trading_date: 20_261_123, ..JournalSpec::default() })?;
    let mut sequence = 0;
    for id in 1..=SYMBOLS {
        let mut instrument: Instrument = bytemuck::Zeroable::zeroed();
        instrument.header.length = size_of::<Instrument>() as u32;
        instrument.header.rtype = RType::Instrument as u8;
        instrument.header.instrument_id = id;
        sequence += 1;
        instrument.header.sequence = sequence;
        let symbol = format!("{:06}", 5930 + id);
        instrument.key = InstrumentKey::new(b"KRX", symbol.as_bytes()).ok_or("a symbol that fits")?;
        journal.append(Stream::Ticks, bytemuck::bytes_of(&instrument))?;
    }
    let mut walks = vec![(50_000_i64, 0_u64, 0_i64); SYMBOLS as usize];
    let mut random = 20_261_123_u64;
    for index in 0..records {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = (random >> 33) as u32 % SYMBOLS;
        let (px, volume, turnover) = &mut walks[id as usize];
        *px = (*px + ((random >> 50) % 3) as i64 * 100 - 100).max(1000);
        let qty = (random >> 40) % 200 + 1;
        *volume += qty;
        *turnover += *px * qty as i64;
        let mut trade = Trade::UNDEF;
        sequence += 1;
        trade.header.length = size_of::<Trade>() as u32;
        trade.header.rtype = RType::Trade as u8;
        trade.header.version = 1;
        trade.header.sequence = sequence;
        trade.header.ts_recv = NINE + index * 50_000 + (random >> 45) % 40_000;
        trade.header.instrument_id = id + 1;
        trade.header.publisher = Publisher::KisKrx as u16;
        trade.header.flags = 1 | (random >> 20 & 8) as u32;
        trade.market.ts_event = (NINE + index * 50_000) / 1_000_000_000 * 1_000_000_000;
        trade.market.raw_sequence = index + 1;
        trade.market.tr = tr_number("H0STCNT0").unwrap_or(0);
        (trade.market.width, trade.market.frame_count) = (46, 1);
        (trade.market.read_ns, trade.market.decoded_ns) = (3000 + (random >> 55) as u32, 5000 + (random >> 54) as u32);
        trade.market.committed_ns = 6000 + (random >> 53) as u32;
        (trade.px, trade.qty) = (*px * PX_SCALE, qty);
        (trade.cum_qty, trade.cum_turnover) = (*volume, *turnover * TURNOVER_SCALE);
        (trade.bid_px, trade.ask_px) = ((*px - 100) * PX_SCALE, (*px + 100) * PX_SCALE);
        (trade.bid_qty, trade.ask_qty) = (random >> 51, random >> 52);
        (trade.open_px, trade.high_px, trade.low_px) = (50_000 * PX_SCALE, 60_000 * PX_SCALE, 40_000 * PX_SCALE);
        trade.change_px = (*px - 50_000) * PX_SCALE;
        (trade.total_bid_qty, trade.total_ask_qty) = (random >> 44, random >> 43);
        (trade.sell_count, trade.buy_count) = (index as u32 / 2, index as u32 / 2 + 1);
        (trade.business_date, trade.side) = (20_261_123, 1 + (random >> 60) as u8 % 2);
        (trade.sign, trade.hour_cls, trade.mkop_cls, trade.halt) = (b'2', b'0', *b"20\0\0", b'N');
        journal.append(Stream::Ticks, bytemuck::cast_slice(words_of(&mut trade)))?;
    }
    journal.finish()?;
    Ok(())
}
