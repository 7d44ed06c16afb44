//! Master files of the simulated market: the traded symbols as they are traded, and invented rows beside them, in the bytes and
//! widths of the real ones.

mod others;
mod record;
mod stocks;

use std::io::{Cursor, Write as _};

use jiff::civil::Date;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::config::MasterSizes;
use crate::market::SymbolInfo;

/// Where they are served.
pub(super) const FOLDER: &str = "/common/master/";

/// What a row says, as it was made: for tests that read the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MasterRow {
    /// Name of the file, as `kospi_code.mst`.
    pub file: &'static str,
    /// Short code.
    pub code: String,
    /// ISIN, where the file has one.
    pub isin: Option<String>,
    /// Korean name, as far as the field holds it.
    pub name: String,
    /// English name, where the file has one.
    pub name_en: Option<String>,
    /// Base price as a decimal; empty where the file has none, or 0.
    pub base: String,
    /// Trading is halted.
    pub halted: bool,
    /// Administration issue.
    pub administration: bool,
    /// Liquidation trading.
    pub liquidation: bool,
    /// 0 nothing, 1 caution, 2 warning, 3 risk.
    pub alarm: u8,
    /// In Nextrade's file.
    pub nxt: bool,
    /// Member of KOSPI 200.
    pub kospi200: bool,
    /// Member of KOSDAQ 150.
    pub kosdaq150: bool,
    /// Member of KRX 300.
    pub krx300: bool,
}

/// A file as it is served.
#[derive(Clone, Debug)]
pub struct MasterArchive {
    /// Name, as `kospi_code.mst.zip`.
    pub name: String,
    /// The archive.
    pub zip: Vec<u8>,
    /// What is in it.
    pub plain: Vec<u8>,
}

/// The files of a day.
#[derive(Clone, Debug)]
pub struct MasterSet {
    archives: Vec<MasterArchive>,
    rows: Vec<MasterRow>,
}

impl MasterSet {
    /// The files of a market on a date. Base prices and halts of rows that are not traded here change with the date.
    pub fn new(symbols: &[SymbolInfo], date: Date, sizes: MasterSizes) -> Self {
        let mut files = Files { date, sizes, list: Vec::new(), rows: Vec::new() };
        stocks::add(&mut files, symbols);
        others::add(&mut files);
        let archives = files.list.into_iter().map(|(name, plain)| archive(name, plain)).collect();
        Self { archives, rows: files.rows }
    }

    /// The files, in no order that matters.
    pub fn archives(&self) -> &[MasterArchive] {
        &self.archives
    }

    /// What is in them. Nextrade's files have no rows of their own here.
    pub fn rows(&self) -> &[MasterRow] {
        &self.rows
    }
}

/// The files while they are made.
#[derive(Debug)]
struct Files {
    date: Date,
    sizes: MasterSizes,
    list: Vec<(&'static str, Vec<u8>)>,
    rows: Vec<MasterRow>,
}

impl Files {
    /// So many rows that are not traded here.
    fn count(&self, small: usize, full: usize) -> usize {
        match self.sizes {
            MasterSizes::Small => small,
            MasterSizes::Full => full,
        }
    }

    /// A draw that depends on a code, a purpose and the date.
    fn day_draw(&self, code: &str, purpose: u64) -> crate::rng::Rng {
        let day = self.date.year() as u64 * 400 + self.date.day_of_year() as u64;
        draw(code, purpose ^ day << 8)
    }
}

/// A draw that depends on a code and a purpose.
fn draw(code: &str, purpose: u64) -> crate::rng::Rng {
    let hash = code
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    crate::rng::Rng::new(hash ^ purpose)
}

/// ISIN of a symbol that is traded: those of notes, `Q` and six digits, have a letter of their own.
pub(super) fn isin(code: &str) -> String {
    match code.strip_prefix('Q').filter(|number| number.len() == 6) {
        Some(number) => format!("KRG{number}003"),
        None => format!("KR7{code:.6}003"),
    }
}

fn archive(name: &'static str, plain: Vec<u8>) -> MasterArchive {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    // The real archives of other countries hold upper-case names.
    let inside = if name.ends_with(".cod") { name.to_ascii_uppercase() } else { name.to_owned() };
    let written = writer.start_file(inside, options).and_then(|()| Ok(writer.write_all(&plain)?));
    let zip = written.and_then(|()| writer.finish()).expect("writing to memory does not fail").into_inner();
    MasterArchive { name: format!("{name}.zip"), zip, plain }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::civil::date;

    use super::*;
    use crate::SimConfig;
    use crate::market::SimMarket;

    /// The files of a market, its date and its symbols.
    fn files(config: &SimConfig) -> MasterSet {
        MasterSet::new(&SimMarket::new(config).symbols(), config.market_start.date(), config.masters)
    }

    #[test]
    fn given_symbols_stand_in_the_files_once_and_notes_have_their_own_isin() {
        for masters in [MasterSizes::Small, MasterSizes::Full] {
            let codes = ["Q530031", "005930", "000155", "030035", "060005"].map(str::to_owned).to_vec();
            let set = files(&SimConfig { codes: codes.clone(), masters, ..SimConfig::default() });
            let stocks = ["kospi_code.mst", "kosdaq_code.mst", "konex_code.mst"];
            let rows = || set.rows().iter().filter(|row| stocks.contains(&row.file));
            let mut seen = HashSet::new();
            assert!(rows().all(|row| seen.insert(&row.code)), "a code stands twice");
            for (code, isin) in codes.iter().zip(["KRG530031003", "KR7005930003", "KR7000155003"]) {
                assert_eq!(rows().find(|row| row.code == *code).unwrap().isin.as_deref(), Some(isin));
            }
        }
    }

    #[test]
    fn nothing_is_on_nextrade_before_it_began() {
        for (day, begun) in [(date(2025, 2, 28), false), (date(2025, 3, 4), true)] {
            let set = files(&SimConfig { market_start: day.at(7, 0, 0, 0), symbols: 4, ..SimConfig::default() });
            assert_eq!(set.rows().iter().any(|row| row.nxt), begun);
            let nextrade = set.archives().iter().filter(|archive| archive.name.starts_with("nxt_"));
            assert!(nextrade.clone().count() == 2 && nextrade.clone().all(|archive| archive.plain.is_empty() != begun));
        }
    }
}
