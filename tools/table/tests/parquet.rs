//! What was written to Parquet is read back by the library's own reader, value by value.
#![cfg(feature = "parquet")]

use std::borrow::Cow;
use std::fs::{self, File};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Int32Type, TimestampNanosecondType, UInt64Type};
use hoga_table::{Format, Kind, Row, RowSink as _, Value, open_table};
use jiff::civil::date;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

struct Numbered(u64);

impl Row for Numbered {
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>) {
        let n = self.0;
        let day = date(2026, 11, 20).checked_add(jiff::Span::new().days(n as i64)).unwrap();
        out.extend([Value::Time(1_000_000_000 * n), Value::Date(day), Value::Text(Cow::Owned(format!("00{}", n % 3)))]);
        out.extend([Value::Decimal(i128::from(n) * 500_000_000, 9), Value::Count(n)]);
        out.push(if n == 1 { Value::Null } else { Value::Count(7) });
    }
}

fn columns() -> hoga_table::Columns {
    let columns = [
        ("time", Kind::Time),
        ("date", Kind::Date),
        ("symbol", Kind::Text),
        ("price", Kind::Decimal(9)),
        ("count", Kind::Count),
        ("maybe", Kind::Count),
    ];
    columns.into_iter().map(|(name, kind)| (name.into(), kind)).collect()
}

#[test]
fn every_kind_of_value_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let mut table = open_table(&path, Format::Parquet, columns(), &[("note", "x".to_owned())]).unwrap();
    for n in 0..3 {
        table.row(&Numbered(n)).unwrap();
    }
    assert!(!path.exists(), "it gets its name when it is whole");
    assert_eq!(table.finish().unwrap(), 3);
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    assert_eq!(builder.schema().metadata().get("note").map(String::as_str), Some("x"));
    let batch = builder.build().unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<TimestampNanosecondType>().values()[2], 2_000_000_000);
    // 2026-11-20 is 20,777 days after the epoch.
    assert_eq!(batch.column(1).as_primitive::<Date32Type>().values().to_vec(), [20_777, 20_778, 20_779]);
    let symbols = batch.column(2).as_dictionary::<Int32Type>();
    assert_eq!(symbols.downcast_dict::<arrow::array::StringArray>().unwrap().values().value(1), "001");
    assert_eq!(batch.column(3).as_primitive::<Decimal128Type>().values()[1], 500_000_000);
    assert_eq!(batch.column(4).as_primitive::<UInt64Type>().values().to_vec(), [0, 1, 2]);
    assert!(batch.column(5).is_null(1) && !batch.column(5).is_null(0));
}

#[test]
fn the_same_rows_are_exact_text_in_csv_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, format| {
        let path = folder.path().join(name);
        let mut table = open_table(&path, format, columns(), &[]).unwrap();
        table.row(&Numbered(1)).unwrap();
        table.finish().unwrap();
        fs::read_to_string(path).unwrap()
    };
    let csv = write("rows.csv", Format::Csv);
    assert_eq!(csv, "time,date,symbol,price,count,maybe\n1970-01-01T09:00:01+09:00,2026-11-21,001,0.5,1,\n");
    let json = write("rows.jsonl", Format::Jsonl);
    assert_eq!(
        json,
        "{\"time\":\"1970-01-01T09:00:01+09:00\",\"date\":\"2026-11-21\",\"symbol\":\"001\",\"price\":0.5,\"count\":1,\"maybe\":null}\n"
    );
}
