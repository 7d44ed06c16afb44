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

fn archive(name: &'static str, plain: Vec<u8>) -> MasterArchive {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    // The real archives of other countries hold upper-case names.
    let inside = if name.ends_with(".cod") { name.to_ascii_uppercase() } else { name.to_owned() };
    let written = writer.start_file(inside, options).and_then(|()| Ok(writer.write_all(&plain)?));
    let zip = written.and_then(|()| writer.finish()).expect("writing to memory does not fail").into_inner();
    MasterArchive { name: format!("{name}.zip"), zip, plain }
}
