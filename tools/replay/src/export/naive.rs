//! The twin of the columnar export for benches: every value appended to a builder, row by row, on one thread.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
    UInt64Builder,
};
use arrow::datatypes::{Field, Schema};
use hoga::tick::columns::{Row, Value, columns, lay_out};
use hoga::tick::{RType, view};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::ExportError;
use super::schema::type_of;
use crate::merge::Merge;

/// Rows of a batch.
const BATCH: usize = 65_536;

enum Builder {
    Decimal(Decimal128Builder),
    Unsigned(UInt64Builder),
    Signed(Int64Builder),
    Time(TimestampNanosecondBuilder),
    Text(StringBuilder),
}

/// Writes the trades of what is merged; returns how many.
///
/// # Errors
///
/// See [`ExportError`].
pub fn write_row_by_row(merge: &mut Merge, file: File) -> Result<u64, ExportError> {
    let columns = columns(RType::Trade);
    let fresh = || -> Vec<Builder> {
        let builder = |column| match type_of(column, true) {
            ty @ arrow::datatypes::DataType::Decimal128(..) => {
                Builder::Decimal(Decimal128Builder::new().with_data_type(ty))
            }
            arrow::datatypes::DataType::Timestamp(..) => Builder::Time(TimestampNanosecondBuilder::new()),
            arrow::datatypes::DataType::Int64 => Builder::Signed(Int64Builder::new()),
            ty if ty.is_unsigned_integer() => Builder::Unsigned(UInt64Builder::new()),
            _ => Builder::Text(StringBuilder::new()),
        };
        columns.iter().map(builder).collect()
    };
    let mut builders = fresh();
    let finished = |builders: &mut Vec<Builder>| -> Vec<ArrayRef> {
        let finish = |builder: &mut Builder| -> ArrayRef {
            match builder {
                Builder::Decimal(builder) => ArrayBuilder::finish(builder),
                Builder::Unsigned(builder) => ArrayBuilder::finish(builder),
                Builder::Signed(builder) => ArrayBuilder::finish(builder),
                Builder::Time(builder) => ArrayBuilder::finish(builder),
                Builder::Text(builder) => ArrayBuilder::finish(builder),
            }
        };
        builders.iter_mut().map(finish).collect()
    };
    let fields: Vec<Field> = columns
        .iter()
        .zip(finished(&mut builders))
        .map(|(column, array)| Field::new(column.name.as_ref(), array.data_type().clone(), true))
        .collect();
    builders = fresh();
    let schema = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
    let (mut rows, mut words) = (0, Vec::new());
    while let Some(record) = merge.next()? {
        let Some(seen) = view(record.bytes) else { continue };
        words.clear();
        let Some(tail) = lay_out(&seen, &mut words) else { continue };
        let known = record.instrument.map(|known| (known.key.symbol(), known.key.market())).unwrap_or_default();
        let row = Row { bytes: bytemuck::cast_slice(&words), tail, symbol: &known.0, market: &known.1 };
        for (column, builder) in columns.iter().zip(&mut builders) {
            let value = column.value(&row);
            match (builder, value) {
                (Builder::Decimal(builder), Some(Value::Decimal { units, .. })) => builder.append_value(units.into()),
                (Builder::Decimal(builder), _) => builder.append_null(),
                (Builder::Unsigned(builder), Some(Value::Unsigned(number))) => builder.append_value(number),
                (Builder::Unsigned(builder), _) => builder.append_null(),
                (Builder::Signed(builder), Some(Value::Signed(number))) => builder.append_value(number),
                (Builder::Signed(builder), _) => builder.append_null(),
                (Builder::Time(builder), Some(Value::Timestamp(ns))) => builder.append_value(ns as i64),
                (Builder::Time(builder), _) => builder.append_null(),
                (Builder::Text(builder), Some(Value::Text(text))) => builder.append_value(text),
                (Builder::Text(builder), Some(Value::Date(date))) => builder.append_value(date.to_string()),
                (Builder::Text(builder), _) => builder.append_null(),
            }
        }
        rows += 1;
        if rows % BATCH as u64 == 0 {
            writer.write(&RecordBatch::try_new(Arc::clone(&schema), finished(&mut builders))?)?;
        }
    }
    writer.write(&RecordBatch::try_new(Arc::clone(&schema), finished(&mut builders))?)?;
    writer.close()?;
    Ok(rows)
}
