//! KOSPI, KOSDAQ and KONEX, and what of them Nextrade trades.

use std::collections::HashSet;

use super::record::{NAME_BYTES, Record, held, name};
use super::{Files, MasterRow, draw, isin};
use crate::VenueName;
use crate::market::SymbolInfo;
use crate::market::days::NXT_SINCE;
use crate::market::tick::tick_size;

/// Sectors as indices have them: large, middle.
const KOSPI_SECTORS: [(&str, &str); 5] =
    [("0027", "0008"), ("0027", "0013"), ("0027", "0015"), ("0000", "0016"), ("0021", "0024")];
const KOSDAQ_SECTORS: [(&str, &str); 4] = [("1009", "1028"), ("1009", "1024"), ("1006", "1033"), ("1009", "1029")];

/// A stock with all that a row says; its name is whole, the field may hold less.
struct Stock {
    row: MasterRow,
    group: &'static str,
    /// `3` for notes.
    product: &'static str,
    sectors: (&'static str, &'static str),
    base: i64,
}

pub(super) fn add(files: &mut Files, symbols: &[SymbolInfo]) {
    let traded = |market: &str, file| -> Vec<Stock> {
        symbols.iter().filter(|symbol| symbol.market == market).map(|symbol| simulated(file, symbol)).collect()
    };
    let (mut kospi, mut kosdaq) = (traded("KOSPI", "kospi_code.mst"), traded("KOSDAQ", "kosdaq_code.mst"));
    let padding = |full: usize, have: usize| full.saturating_sub(have);
    let more_kospi = files.count(40, padding(2_500, kospi.len()));
    let more_kosdaq = files.count(30, padding(1_850, kosdaq.len()));
    let given: HashSet<&str> = symbols.iter().map(|symbol| symbol.code.as_str()).collect();
    let invented = |files: &Files, file, first: usize, count: usize| -> Vec<Stock> {
        let rows = (first..first + count).map(|number| synthetic(files, file, number));
        rows.filter(|stock| !given.contains(stock.row.code.as_str())).collect()
    };
    kospi.extend(invented(files, "kospi_code.mst", 0, more_kospi));
    kosdaq.extend(invented(files, "kosdaq_code.mst", 3_000, more_kosdaq));
    let count = files.count(6, 120);
    let konex = invented(files, "konex_code.mst", 6_000, count);
    type Write = fn(&Stock, &mut Vec<u8>);
    let lists: [(&'static str, &[Stock], Write, bool); 5] = [
        ("kospi_code.mst", &kospi, kospi_row, false),
        ("kosdaq_code.mst", &kosdaq, kosdaq_row, false),
        ("konex_code.mst", &konex, konex_row, false),
        ("nxt_kospi_code.mst", &kospi, kospi_row, true),
        ("nxt_kosdaq_code.mst", &kosdaq, kosdaq_row, true),
    ];
    for (file, stocks, write, only_nextrade) in lists {
        let mut bytes = Vec::new();
        stocks.iter().filter(|stock| stock.row.nxt || !only_nextrade).for_each(|stock| write(stock, &mut bytes));
        files.list.push((file, bytes));
    }
    let told = |stock: Stock| MasterRow { name: held(&stock.row.name), ..stock.row };
    files.rows.extend([kospi, kosdaq, konex].into_iter().flatten().map(told));
}

/// A symbol as it is traded: nothing is wrong with it.
fn simulated(file: &'static str, symbol: &SymbolInfo) -> Stock {
    let row = MasterRow {
        isin: Some(isin(&symbol.code)),
        name: symbol.name.clone(),
        nxt: symbol.venues.contains(&VenueName::Nxt),
        ..MasterRow::default()
    };
    finish(file, symbol.code.clone(), row, "ST", symbol.base_px)
}

/// A row that is not traded here. Its code ends as none does that the simulator chooses.
fn synthetic(files: &Files, file: &'static str, number: usize) -> Stock {
    let (group, code) = match number % 40 {
        _ if file == "konex_code.mst" => ("ST", format!("{number:05}5")),
        3 => ("EF", format!("{number:05}5")),
        5 => ("EN", format!("Q{:06}", 500_000 + number)),
        9 => ("BC", format!("F7{number:04}B9A")),
        11 => ("RT", format!("{number:05}5")),
        17 => ("FS", format!("{number:05}5")),
        21 => ("ST", format!("{number:04}A5")),
        _ => ("ST", format!("{number:05}5")),
    };
    let mut today = files.day_draw(&code, 1);
    let mut always = draw(&code, 2);
    let close = always.between(500, 300_000) * today.between(97, 103) / 100;
    let row = MasterRow {
        isin: Some(match group {
            "BC" => format!("KR57{number:05}B9A"),
            "EN" => format!("KRG{:06}000", 500_000 + number),
            _ => format!("KR7{code}009"),
        }),
        name: match group {
            "EF" if number % 80 == 3 => format!("모의 레버리지 {number}"),
            "EN" => format!("모의 인버스 2X {number} ETN"),
            _ => name(number),
        },
        halted: today.chance(30),
        administration: always.chance(20),
        liquidation: always.chance(10),
        alarm: if always.chance(60) { always.between(1, 3) as u8 } else { 0 },
        nxt: group == "ST" && file != "konex_code.mst" && always.chance(140) && files.date >= NXT_SINCE,
        ..MasterRow::default()
    };
    finish(file, code, row, group, close - close % tick_size(close))
}

fn finish(file: &'static str, code: String, mut row: MasterRow, group: &'static str, base: i64) -> Stock {
    let mut always = draw(&code, 3);
    let is_stock = group == "ST";
    row.kospi200 = is_stock && file == "kospi_code.mst" && always.chance(200);
    row.kosdaq150 = is_stock && file == "kosdaq_code.mst" && always.chance(80);
    row.krx300 = row.kospi200 || row.kosdaq150 && always.chance(500);
    row.file = file;
    row.base = base.to_string();
    let product = if group == "EN" { "3" } else { " " };
    let at = always.below(60) as usize;
    let sectors = match (is_stock, file) {
        (true, "kospi_code.mst") => KOSPI_SECTORS[at % KOSPI_SECTORS.len()],
        (true, "kosdaq_code.mst") => KOSDAQ_SECTORS[at % KOSDAQ_SECTORS.len()],
        _ => ("0000", "0000"),
    };
    row.code = code;
    Stock { row, group, product, sectors, base }
}

fn head(stock: &Stock) -> Record {
    let row = &stock.row;
    Record::default()
        .text(&row.code, 9)
        .text(row.isin.as_deref().unwrap_or_default(), 12)
        .korean(&row.name, NAME_BYTES)
        .text(stock.group, 2)
}

/// From the units of quantity to the end of what all three markets have.
fn middle(record: Record, stock: &Stock) -> Record {
    let row = &stock.row;
    let mut always = draw(&row.code, 4);
    record
        .number(stock.base, 9)
        .number(1, 5)
        .number(1, 5)
        .flag(row.halted)
        .flag(row.liquidation)
        .flag(row.administration)
        .number(i64::from(row.alarm), 2)
        .fill("N", 3)
        .text("000000", 6)
        .number(100, 3)
        .text("N", 1)
        .number(90, 3)
        .number(always.between(0, 9_000_000), 12)
        .number(5_000, 12)
        .text("20150630", 8)
        .number(always.between(1_000, 600_000), 15)
        .number(always.between(1, 900_000) * 1_000_000, 21)
        .text("12", 2)
        .blanks(7)
        .text("0", 1)
        .text(" N", 2)
}

/// Figures of the firm, a negative one among them.
fn figures(record: Record, stock: &Stock) -> Record {
    let mut always = draw(&stock.row.code, 5);
    record
        .number(always.between(1, 900_000), 9)
        .number(-always.between(1, 9_000), 9)
        .number(always.between(1, 9_000), 9)
        .number(-always.between(1, 900), 5)
        .text("000054.83", 9)
        .text("20260630", 8)
        .number(always.between(10, 900_000), 9)
}

fn kospi_row(stock: &Stock, into: &mut Vec<u8>) {
    let row = &stock.row;
    let sector = if row.kospi200 { "5" } else { "0" };
    let record = head(stock)
        .text("1", 1)
        .text(stock.sectors.0, 4)
        .text(stock.sectors.1, 4)
        .text("0000", 4)
        .text(" NN", 3)
        .text(sector, 1)
        .fill("N", 3)
        .text(stock.product, 1)
        .fill("N", 9)
        .text("0", 1)
        .fill("N", 8);
    let record = middle(record, stock).flag(row.krx300).text("Y", 1);
    figures(record, stock).blanks(3).fill("N", 3).end(288, into);
}

fn kosdaq_row(stock: &Stock, into: &mut Vec<u8>) {
    let row = &stock.row;
    let record = head(stock)
        .text("1", 1)
        .text(stock.sectors.0, 4)
        .text(stock.sectors.1, 4)
        .text("0000", 4)
        .text(" NY", 3)
        .text(stock.product, 1)
        .text("N    N  0  N    ", 16)
        .flag(row.kosdaq150);
    let record = middle(record, stock).flag(row.krx300);
    figures(record, stock).blanks(3).fill("N", 3).end(282, into);
}

fn konex_row(stock: &Stock, into: &mut Vec<u8>) {
    let record = middle(head(stock), stock).text(" ", 1);
    figures(record, stock).fill("N", 3).end(245, into);
}
