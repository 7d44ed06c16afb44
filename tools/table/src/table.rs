//! Where rows go: CSV, JSON lines or Parquet, to a file or to stdout.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use crate::Temporary;
use crate::columns::{Kind, Row, Value};
#[cfg(feature = "parquet")]
use crate::parquet_file::ParquetFile;

/// Form of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, a head line; decimals as the shortest exact text, times of Korea as `2026-11-20T09:00:00+09:00`,
    /// nothing where there is nothing.
    Csv,
    /// One JSON object a line; decimals as exact numbers, `null` where there is nothing.
    Jsonl,
    /// Typed columns: timestamps of nanoseconds in Asia/Seoul, decimal128, unsigned 64-bit, dictionaries of names.
    Parquet,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "csv" => Ok(Format::Csv),
            "jsonl" => Ok(Format::Jsonl),
            "parquet" => Ok(Format::Parquet),
            _ => Err("expected csv, jsonl or parquet".to_owned()),
        }
    }
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct OutputError {
    path: String,
    source: io::Error,
}

impl OutputError {
    /// Whether nobody reads on.
    pub fn is_closed(&self) -> bool {
        // The writer of CSV puts the system's error into one of its own.
        let of_csv = self.source.get_ref().and_then(|error| error.downcast_ref::<csv::Error>());
        let is_closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        is_closed(&self.source)
            || of_csv.is_some_and(|error| matches!(error.kind(), csv::ErrorKind::Io(error) if is_closed(error)))
    }
}

/// Takes rows of one kind in their order.
pub trait RowSink<R> {
    /// Takes a row.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn row(&mut self, row: &R) -> Result<(), OutputError>;
}

/// Takes rows nobody wants.
#[derive(Debug)]
pub struct Nowhere;

impl<R> RowSink<R> for Nowhere {
    fn row(&mut self, _: &R) -> Result<(), OutputError> {
        Ok(())
    }
}

/// A table being written. A file gets its name when it is whole: see [`finish`](Self::finish).
pub struct Table {
    name: String,
    /// The file; `None` = stdout.
    file: Option<Temporary>,
    body: Body,
    rows: u64,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({}, {} rows)", self.name, self.rows)
    }
}

pub(crate) type Sink = Box<dyn Write + Send>;
/// Names of columns, and what they hold.
pub type Columns = Vec<(Cow<'static, str>, Kind)>;

enum Body {
    Csv {
        writer: Box<csv::Writer<Sink>>,
        text: Vec<u8>,
    },
    Jsonl {
        writer: Sink,
        columns: Columns,
        line: Vec<u8>,
    },
    #[cfg(feature = "parquet")]
    Parquet(ParquetFile),
}

/// Opens a table; `-` is stdout. `notes` go into the schema's metadata (Parquet).
///
/// # Errors
///
/// When the file can't be made.
pub fn open_table(
    path: &Path,
    format: Format,
    columns: Columns,
    notes: &[(&str, String)],
) -> Result<Table, OutputError> {
    let name = path.display().to_string();
    let fail = |source| OutputError { path: name.clone(), source };
    let (sink, file): (Sink, _) = if path == Path::new("-") {
        (Box::new(BufWriter::with_capacity(1 << 18, io::stdout())), None)
    } else {
        let (temporary, file) = Temporary::create(path).map_err(fail)?;
        (Box::new(BufWriter::with_capacity(1 << 18, file)), Some(temporary))
    };
    let body = match format {
        Format::Csv => {
            let mut writer = Box::new(csv::Writer::from_writer(sink));
            writer.write_record(columns.iter().map(|(name, _)| name.as_bytes())).map_err(|error| fail(error.into()))?;
            Body::Csv { writer, text: Vec::new() }
        }
        Format::Jsonl => Body::Jsonl { writer: sink, columns, line: Vec::new() },
        #[cfg(feature = "parquet")]
        Format::Parquet => Body::Parquet(ParquetFile::create(sink, &columns, notes).map_err(fail)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            let text = "this program was built without Parquet; csv and jsonl are there";
            return Err(fail(io::Error::new(io::ErrorKind::Unsupported, text)));
        }
    };
    Ok(Table { name, file, body, rows: 0 })
}

impl Table {
    /// Rows taken.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn push(&mut self, values: &[Value<'_>]) -> io::Result<()> {
        self.rows += 1;
        match &mut self.body {
            Body::Csv { writer, text } => {
                for value in values {
                    text.clear();
                    write_text(text, value);
                    writer.write_field(&*text)?;
                }
                writer.write_record(None::<&[u8]>)?;
                Ok(())
            }
            Body::Jsonl { writer, columns, line } => {
                line.clear();
                line.push(b'{');
                for ((name, _), value) in columns.iter().zip(values) {
                    if line.len() > 1 {
                        line.push(b',');
                    }
                    serde_json::to_writer(&mut *line, name.as_ref())?;
                    line.push(b':');
                    match value {
                        Value::Null => line.extend_from_slice(b"null"),
                        Value::Text(text) => serde_json::to_writer(&mut *line, text.as_ref())?,
                        Value::Time(_) | Value::Date(_) => {
                            line.push(b'"');
                            write_text(line, value);
                            line.push(b'"');
                        }
                        Value::Decimal(..) | Value::Count(_) => write_text(line, value),
                    }
                }
                line.extend_from_slice(b"}\n");
                writer.write_all(line)
            }
            #[cfg(feature = "parquet")]
            Body::Parquet(file) => file.push(values),
        }
    }

    /// Writes what is left; a file is on disk and has its name when this returns.
    ///
    /// # Errors
    ///
    /// Those of writing; the file is gone then.
    pub fn finish(mut self) -> Result<u64, OutputError> {
        let name = self.name.clone();
        self.end().map_err(|source| OutputError { path: name, source })
    }

    fn end(&mut self) -> io::Result<u64> {
        match &mut self.body {
            Body::Csv { writer, .. } => writer.flush()?,
            Body::Jsonl { writer, .. } => writer.flush()?,
            #[cfg(feature = "parquet")]
            Body::Parquet(file) => file.end()?,
        }
        if let Some(file) = self.file.take() {
            file.sync()?;
            file.publish()?;
        }
        Ok(self.rows)
    }
}

impl<R: Row> RowSink<R> for Table {
    fn row(&mut self, row: &R) -> Result<(), OutputError> {
        let mut values = Vec::with_capacity(64);
        row.values(&mut values);
        self.push(&values).map_err(|source| OutputError { path: self.name.clone(), source })
    }
}

fn write_text(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => {}
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Count(count) => out.extend_from_slice(count.to_string().as_bytes()),
        Value::Time(ns) => write_kst(out, *ns),
        Value::Date(date) => out.extend_from_slice(date.to_string().as_bytes()),
        Value::Decimal(units, places) => write_decimal(out, *units, (*places).into()),
    }
}

/// The shortest exact decimal of units of 10^-`places`.
fn write_decimal(out: &mut Vec<u8>, units: i128, places: u32) {
    let scale = 10_u128.pow(places);
    let (whole, fraction) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
    let sign = if units < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{fraction:0width$}", width = places as usize);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    out.extend_from_slice(text.as_bytes());
}

fn write_kst(out: &mut Vec<u8>, ns: u64) {
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default();
    let civil = jiff::tz::offset(9).to_datetime(stamp);
    let fraction = civil.subsec_nanosecond();
    let text = if fraction == 0 { String::new() } else { format!(".{fraction:09}") };
    let text = format!("{}{text}+09:00", civil.strftime("%Y-%m-%dT%H:%M:%S"));
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_beyond_64_bits_are_exact_too() {
        let text = |units, places| {
            let mut out = Vec::new();
            write_decimal(&mut out, units, places);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(930_000_000_000_000_000_000, 4), "93000000000000000");
        assert_eq!(text(-930_000_000_000_000_000_001, 4), "-93000000000000000.0001");
        assert_eq!(text(15, 4), "0.0015");
        assert_eq!(
            (text(0, 9), text(93_000_000_000_000, 9), text(-5, 1), text(100, 0)),
            ("0".into(), "93000".into(), "-0.5".into(), "100".into())
        );
    }

    #[test]
    fn times_are_of_korea() {
        let mut out = Vec::new();
        write_kst(&mut out, 1_669_952_101_000_000_000);
        assert_eq!(out, b"2022-12-02T12:35:01+09:00");
    }
}
