//! Parquet: typed columns, row groups of some megabytes.

use std::io;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Decimal128Builder, RecordBatch, StringDictionaryBuilder, TimestampNanosecondBuilder,
    UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use jiff::civil::date;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::table::{Columns, Sink};
use crate::{Kind, Value};

/// Rows of a row group: some megabytes, and a short range of time.
const GROUP_ROWS: usize = 1 << 16;
/// The zone of times.
const ZONE: &str = "Asia/Seoul";

pub(crate) struct ParquetFile {
    writer: Box<ArrowWriter<Sink>>,
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    Time(TimestampNanosecondBuilder),
    Date(Date32Builder),
    Text(StringDictionaryBuilder<Int32Type>),
    Decimal(Decimal128Builder),
    Count(UInt64Builder),
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
        Kind::Date => DataType::Date32,
        Kind::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Decimal(places) => DataType::Decimal128(precision(places), places as i8),
        Kind::Count => DataType::UInt64,
    }
}

impl Column {
    fn new(kind: Kind) -> Column {
        match kind {
            Kind::Time => Column::Time(TimestampNanosecondBuilder::new().with_timezone(ZONE)),
            Kind::Date => Column::Date(Date32Builder::new()),
            Kind::Text => Column::Text(StringDictionaryBuilder::new()),
            Kind::Decimal(_) => Column::Decimal(Decimal128Builder::new().with_data_type(data_type(kind))),
            Kind::Count => Column::Count(UInt64Builder::new()),
        }
    }

    fn push(&mut self, value: &Value<'_>) {
        match (self, value) {
            (Column::Time(builder), Value::Time(ns)) => builder.append_value(*ns as i64),
            (Column::Date(builder), Value::Date(day)) => {
                // Dates lie within 20,000 years.
                let days = day.since(date(1970, 1, 1)).map_or(0, |span| span.get_days());
                builder.append_value(days);
            }
            (Column::Text(builder), Value::Text(text)) => builder.append_value(text),
            (Column::Decimal(builder), Value::Decimal(units, _)) => builder.append_value(*units),
            (Column::Count(builder), Value::Count(count)) => builder.append_value(*count),
            (Column::Time(builder), _) => builder.append_null(),
            (Column::Date(builder), _) => builder.append_null(),
            (Column::Text(builder), _) => builder.append_null(),
            (Column::Decimal(builder), _) => builder.append_null(),
            (Column::Count(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Column::Time(builder) => Arc::new(builder.finish()),
            Column::Date(builder) => Arc::new(builder.finish()),
            Column::Text(builder) => Arc::new(builder.finish()),
            Column::Decimal(builder) => Arc::new(builder.finish()),
            Column::Count(builder) => Arc::new(builder.finish()),
        }
    }
}

impl ParquetFile {
    pub(crate) fn create(sink: Sink, columns: &Columns, notes: &[(&str, String)]) -> io::Result<ParquetFile> {
        let metadata: std::collections::HashMap<_, _> =
            notes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let fields: Vec<Field> =
            columns.iter().map(|(name, kind)| Field::new(name.as_ref(), data_type(*kind), true)).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties)).map_err(io::Error::other)?;
        let columns = columns.iter().map(|(_, kind)| Column::new(*kind)).collect();
        Ok(ParquetFile { writer: Box::new(writer), schema, columns, rows: 0 })
    }

    pub(crate) fn push(&mut self, values: &[Value<'_>]) -> io::Result<()> {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> io::Result<()> {
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)?;
        self.writer.flush().map_err(io::Error::other)
    }

    pub(crate) fn end(&mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.finish().map_err(io::Error::other)?;
        self.writer.inner_mut().flush()
    }
}
