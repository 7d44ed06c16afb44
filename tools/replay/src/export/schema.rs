//! The Arrow schema of a kind's columns.
//!
//! | Column | Arrow | Parquet |
//! | --- | --- | --- |
//! | price, share | decimal128(18, 9) | INT64, decimal |
//! | turnover of an instrument | decimal128(18, 4) | INT64, decimal |
//! | turnover of a market | decimal128(20, 4) | fixed bytes, decimal |
//! | quantity | uint64 | INT64, unsigned |
//! | change, net | int64 | INT64 |
//! | time | timestamp\[ns, Asia/Seoul\]: an instant, shown in Korean time | INT64, UTC |
//! | time of day | time64\[ns\] | INT64 |
//! | date | date32 | INT32 |
//! | symbol, market, venue, transaction, side, reason, ... | dictionary(int32, utf8) | BYTE_ARRAY |
//! | codes as sent, flags, findings | utf8 | BYTE_ARRAY |
//! | bytes as on the wire | binary | BYTE_ARRAY |
//!
//! Prices from 1e9 on and turnovers from 1e14 on do not fit into 18 digits: the file of a kind that has one is written with
//! 20 digits in all columns of that type.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use hoga::tick::RType;
use hoga::tick::columns::{Column, ColumnType, columns};

/// Digits of a decimal that Parquet keeps in 64 bits.
pub const DIGITS: u8 = 18;
/// Digits that any value fits in.
pub const DIGITS_WIDE: u8 = 20;
/// Zone of timestamps.
pub const ZONE: &str = "Asia/Seoul";

/// The schema of a kind's file. `is_wide`: every decimal in the wide form.
pub fn schema_of(kind: RType, is_wide: bool, format: &str, journals: &str) -> Schema {
    let fields: Vec<Field> = columns(kind).iter().map(|column| field_of(kind, column, is_wide)).collect();
    let metadata = HashMap::from([
        ("hoga.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("hoga.format".to_owned(), format.to_owned()),
        ("hoga.kind".to_owned(), kind.name().to_owned()),
        ("hoga.journal".to_owned(), journals.to_owned()),
        ("hoga.price_scale".to_owned(), "1e-9".to_owned()),
        ("hoga.turnover_scale".to_owned(), "1e-4".to_owned()),
        ("hoga.time_zone".to_owned(), ZONE.to_owned()),
    ]);
    Schema::new_with_metadata(fields, metadata)
}

fn field_of(kind: RType, column: &Column, is_wide: bool) -> Field {
    let source = match column.ty {
        ColumnType::Symbol => "the journal's instrument".to_owned(),
        ColumnType::Market => "the journal's instrument".to_owned(),
        ColumnType::Tail => format!("bytes behind {} bytes of {}", column.offset, kind.name()),
        _ => format!("{} bytes at {} of {}", column.width, column.offset, kind.name()),
    };
    let metadata = HashMap::from([("hoga.source".to_owned(), source)]);
    Field::new(column.name.as_ref(), type_of(column, is_wide), is_nullable(column)).with_metadata(metadata)
}

/// The Arrow type of a column.
pub fn type_of(column: &Column, is_wide: bool) -> DataType {
    let digits = if is_wide { DIGITS_WIDE } else { DIGITS };
    match column.ty {
        ColumnType::Px => DataType::Decimal128(digits, 9),
        ColumnType::Turnover => DataType::Decimal128(digits, 4),
        ColumnType::MarketTurnover => DataType::Decimal128(DIGITS_WIDE, 4),
        ColumnType::Qty => DataType::UInt64,
        ColumnType::Change => DataType::Int64,
        ColumnType::Count => DataType::UInt32,
        ColumnType::Number => match column.width {
            1 => DataType::UInt8,
            2 => DataType::UInt16,
            4 => DataType::UInt32,
            _ => DataType::UInt64,
        },
        ColumnType::Timestamp | ColumnType::EventTimestamp => {
            DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::from(ZONE)))
        }
        ColumnType::EventTime => DataType::Time64(TimeUnit::Nanosecond),
        ColumnType::Date => DataType::Date32,
        ColumnType::Name(_) | ColumnType::Symbol | ColumnType::Market => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
        }
        ColumnType::Tail => DataType::Binary,
        // Flags, findings, codes.
        _ => DataType::Utf8,
    }
}

fn is_nullable(column: &Column) -> bool {
    !matches!(column.ty, ColumnType::Number | ColumnType::Flags | ColumnType::Findings | ColumnType::Tail)
}
