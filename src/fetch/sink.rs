//! A unit's file: rows as CSV or Parquet, or records of the tick journal.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hoga_table::{OutputError, RowSink as _, Temporary, open_table};

use super::journal;
use super::plan::{Format, Request, Unit, What, prices_name};
use super::rows::{Rows, Shown, columns};
use crate::sys::file::sync_folder;

/// Why a unit could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// Writing failed.
    #[error(transparent)]
    Table(#[from] OutputError),
    /// Writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes a unit's file in the place of one that is there; bytes of it. It is on the disk, under its name, when this returns.
pub(super) fn keep(path: &Path, request: &Request, unit: &Unit, rows: &Rows) -> Result<u64, SinkError> {
    let fail = |source| SinkError::Io { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder).map_err(fail)?;
    let symbol = request.symbols.get(unit.symbol).map_or("", String::as_str);
    match request.format {
        Format::Journal => write_part(path, &journal::records(request, unit, rows)).map_err(fail)?,
        Format::Csv | Format::Parquet => {
            let format =
                if request.format == Format::Csv { hoga_table::Format::Csv } else { hoga_table::Format::Parquet };
            let mut table = open_table(path, format, columns(request.what), &notes(request, symbol))?;
            match rows {
                Rows::Minutes(rows) => {
                    for row in rows {
                        table.row(&Shown { row, symbol, request })?;
                    }
                }
                Rows::Days(rows) => {
                    for row in rows {
                        table.row(&Shown { row, symbol, request })?;
                    }
                }
                Rows::Ticks(rows) => {
                    for row in rows {
                        table.row(&Shown { row, symbol, request })?;
                    }
                }
            }
            table.finish()?;
        }
    }
    sync_folder(folder).map_err(fail)?;
    Ok(fs::metadata(path).map_err(fail)?.len())
}

/// What a file says of itself.
fn notes(request: &Request, symbol: &str) -> Vec<(&'static str, String)> {
    let mut notes = vec![
        ("hoga.fetch", request.what.name().to_owned()),
        ("hoga.symbol", symbol.to_owned()),
        ("hoga.venue", request.market.name().to_owned()),
    ];
    if let What::Daily { period, prices } = request.what {
        notes.push(("hoga.period", period.code().to_owned()));
        notes.push(("hoga.prices", prices_name(prices).to_owned()));
    }
    notes
}

/// Makes a folder that will be there after a power loss.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    folder.ancestors().skip(1).take(2).filter(|above| above.is_dir()).try_for_each(sync_folder)
}

fn write_part(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (temporary, mut file) = Temporary::create(path)?;
    file.write_all(bytes)?;
    temporary.sync()?;
    temporary.publish()
}
