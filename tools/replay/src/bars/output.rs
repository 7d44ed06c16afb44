//! Where rows go: CSV, JSON lines or Parquet, to a file or to stdout.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Builder, RecordBatch, StringDictionaryBuilder, TimestampNanosecondBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use hoga::tick::write_scaled;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::columns::{Kind, Row, Value};
use crate::temporary::Temporary;

/// Rows of a row group: some megabytes, and a short range of time.
const GROUP_ROWS: usize = 1 << 16;
/// The zone of times in Parquet.
const ZONE: &str = "Asia/Seoul";

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

type Sink = Box<dyn Write + Send>;
type Columns = Vec<(Cow<'static, str>, Kind)>;

enum Body {
    Csv { writer: Box<csv::Writer<Sink>>, text: Vec<u8> },
    Jsonl { writer: Sink, columns: Columns, line: Vec<u8> },
    Parquet { writer: Box<ArrowWriter<Sink>>, schema: SchemaRef, columns: Vec<Column>, rows: usize },
}

enum Column {
    Time(TimestampNanosecondBuilder),
    Text(StringDictionaryBuilder<Int32Type>),
    Decimal(Decimal128Builder),
    Count(UInt64Builder),
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
        Format::Parquet => {
            let metadata: std::collections::HashMap<_, _> =
                notes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
            let fields: Vec<Field> =
                columns.iter().map(|(name, kind)| Field::new(name.as_ref(), data_type(*kind), true)).collect();
            let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_max_row_group_row_count(Some(GROUP_ROWS))
                .build();
            let writer = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties));
            let writer = Box::new(writer.map_err(|error| fail(io::Error::other(error)))?);
            let columns = columns.iter().map(|(_, kind)| Column::new(*kind)).collect();
            Body::Parquet { writer, schema, columns, rows: 0 }
        }
    };
    Ok(Table { name, file, body, rows: 0 })
}

/// Digits of a decimal: prices fit 64 bits, sums need more.
fn precision(places: u8) -> u8 {
    match places {
        9 => 19,
        6 => 7,
        _ => 38,
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some(ZONE.into())),
        Kind::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Decimal(places) => DataType::Decimal128(precision(places), places as i8),
        Kind::Count => DataType::UInt64,
    }
}

impl Column {
    fn new(kind: Kind) -> Column {
        match kind {
            Kind::Time => Column::Time(TimestampNanosecondBuilder::new().with_timezone(ZONE)),
            Kind::Text => Column::Text(StringDictionaryBuilder::new()),
            Kind::Decimal(_) => Column::Decimal(Decimal128Builder::new().with_data_type(data_type(kind))),
            Kind::Count => Column::Count(UInt64Builder::new()),
        }
    }

    fn push(&mut self, value: &Value<'_>) {
        match (self, value) {
            (Column::Time(builder), Value::Time(ns)) => builder.append_value(*ns as i64),
            (Column::Text(builder), Value::Text(text)) => builder.append_value(text),
            (Column::Decimal(builder), Value::Decimal(units, _)) => builder.append_value(*units),
            (Column::Count(builder), Value::Count(count)) => builder.append_value(*count),
            (Column::Time(builder), _) => builder.append_null(),
            (Column::Text(builder), _) => builder.append_null(),
            (Column::Decimal(builder), _) => builder.append_null(),
            (Column::Count(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Time(builder) => Arc::new(builder.finish()),
            Column::Text(builder) => Arc::new(builder.finish()),
            Column::Decimal(builder) => Arc::new(builder.finish()),
            Column::Count(builder) => Arc::new(builder.finish()),
        }
    }
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
                        Value::Time(_) => {
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
            Body::Parquet { columns, rows, .. } => {
                for (column, value) in columns.iter_mut().zip(values) {
                    column.push(value);
                }
                *rows += 1;
                if *rows >= GROUP_ROWS { self.write_group() } else { Ok(()) }
            }
        }
    }

    fn write_group(&mut self) -> io::Result<()> {
        let Body::Parquet { writer, schema, columns, rows } = &mut self.body else { return Ok(()) };
        *rows = 0;
        let arrays = columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(schema), arrays).map_err(io::Error::other)?;
        writer.write(&batch).map_err(io::Error::other)?;
        writer.flush().map_err(io::Error::other)
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
        match &self.body {
            Body::Parquet { rows, .. } if *rows > 0 => self.write_group()?,
            _ => {}
        }
        match &mut self.body {
            Body::Csv { writer, .. } => writer.flush()?,
            Body::Jsonl { writer, .. } => writer.flush()?,
            Body::Parquet { writer, .. } => {
                writer.finish().map_err(io::Error::other)?;
                writer.inner_mut().flush()?;
            }
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
        Value::Decimal(units, places) => write_decimal(out, *units, (*places).into()),
    }
}

/// The shortest exact decimal of units of 10^-`places`.
fn write_decimal(out: &mut Vec<u8>, units: i128, places: u32) {
    if let Ok(units) = i64::try_from(units) {
        return write_scaled(out, units, places);
    }
    let scale = 10_u128.pow(places);
    let (whole, fraction) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
    let sign = if units < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{fraction:0width$}", width = places as usize);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    out.extend_from_slice(text.as_bytes());
}

fn write_kst(out: &mut Vec<u8>, ns: u64) {
    let civil = hoga::market::kst::civil(ns);
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
    }

    #[test]
    fn times_are_of_korea() {
        let mut out = Vec::new();
        write_kst(&mut out, 1_669_952_101_000_000_000);
        assert_eq!(out, b"2022-12-02T12:35:01+09:00");
    }
}
