//! Records to text, at a pace.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use hoga::journal::{CsvTable, write_json_line};
use hoga::tick::RType;

use crate::control::Controls;
use crate::merge::{Merge, ReadError, Taken};
use crate::pace::{Lateness, Pacer, Speed};

/// Bytes gathered before they are written.
const OUT_BYTES: usize = 1 << 16;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line, as `hoga dump --json` prints.
    #[default]
    Jsonl,
    /// Rows under one header; with one --kind that kind's columns, else those of all kinds wanted.
    Csv,
}

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// A journal.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output.
    #[error("standard output: {0}")]
    Out(#[from] io::Error),
}

/// What was played.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played {
    /// Records.
    pub records: u64,
    /// Time of the first, ns since the UNIX epoch; 0 = there was none.
    pub first_time: u64,
    /// Time of the last.
    pub last_time: u64,
    /// Wall time it took.
    pub elapsed: Duration,
    /// How exactly, at a given speed.
    pub lateness: Option<Lateness>,
    /// The end was asked for before the records ended.
    pub was_ended: bool,
    /// Records on the way that retention had deleted, as the journals' logs say.
    pub pruned: u64,
}

/// Plays what is merged. `on_record` is told of each record after it was written.
///
/// # Errors
///
/// See [`PlayError`]; what came before was written.
pub fn play(
    merge: &mut Merge,
    lines: &mut Lines<impl Write>,
    speed: Speed,
    controls: &Controls,
    mut on_record: impl FnMut(&Taken<'_>),
) -> Result<Played, PlayError> {
    let started = Instant::now();
    let mut played = Played::default();
    let mut pacer = match speed {
        Speed::Times(times) => Some(Pacer::new(times)),
        Speed::Max | Speed::Step => None,
    };
    let end = loop {
        let record = match merge.next() {
            Ok(Some(record)) => record,
            Ok(None) => {
                // A merge ends early when it is asked to.
                played.was_ended = controls.has_quit();
                break Ok(());
            }
            Err(error) => break Err(error),
        };
        let goes_on = match &mut pacer {
            Some(pacer) => {
                if !pacer.is_due(record.time) || controls.is_paused() {
                    lines.flush()?;
                }
                pacer.wait(record.time, controls)
            }
            None if speed == Speed::Step => {
                lines.flush()?;
                controls.wait_for_step()
            }
            None if controls.is_paused() => {
                lines.flush()?;
                controls.wait_while_paused()
            }
            None => !controls.has_quit(),
        };
        if !goes_on {
            played.was_ended = true;
            break Ok(());
        }
        lines.write(&record)?;
        if played.records == 0 {
            played.first_time = record.time;
        }
        played.last_time = record.time;
        played.records += 1;
        on_record(&record);
    };
    lines.flush()?;
    end?;
    played.pruned = merge.pruned();
    played.elapsed = started.elapsed();
    played.lateness = pacer.map(|pacer| pacer.lateness());
    Ok(played)
}

/// Writes records as lines.
pub struct Lines<W: Write> {
    out: W,
    table: Option<CsvTable>,
    /// Quotes the cells of a row.
    csv: csv::Writer<Vec<u8>>,
    text: Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// Lines of a format; `kinds` as in [`CsvTable::new`].
    ///
    /// # Errors
    ///
    /// What `out` said of the header.
    pub fn new(out: W, format: Format, kinds: &[RType]) -> io::Result<Lines<W>> {
        let table = (format == Format::Csv).then(|| CsvTable::new(kinds));
        let mut csv = csv::Writer::from_writer(Vec::new());
        if let Some(table) = &table {
            csv.write_record(table.header()).map_err(io::Error::other)?;
        }
        Ok(Lines { out, table, csv, text: Vec::with_capacity(2 * OUT_BYTES) })
    }

    fn write(&mut self, record: &Taken<'_>) -> io::Result<()> {
        match &mut self.table {
            None => write_json_line(&mut self.text, record.bytes, record.instrument),
            Some(table) => {
                let csv = &mut self.csv;
                if table
                    .cells(record.bytes, record.instrument, |cell| csv.write_field(cell))
                    .map_err(io::Error::other)?
                {
                    csv.write_record(None::<&[u8]>).map_err(io::Error::other)?;
                }
            }
        }
        if self.text.len() + self.csv.get_ref().len() >= OUT_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.table.is_some() {
            self.csv.flush()?;
            let csv = std::mem::replace(&mut self.csv, csv::Writer::from_writer(Vec::new()));
            self.text.append(&mut csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?);
        }
        self.out.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.out.flush()
    }
}

impl<W: Write> std::fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("table", &self.table).finish_non_exhaustive()
    }
}
