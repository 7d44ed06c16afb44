//! Columns of a batch against their slow twin, one value of one row at a time ([`Column::value`]): batches end before, at
//! and behind the edge of a block of rows, words are random ones and sentinels, and memory is used again.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal64Type, Decimal128Type, Int64Type, UInt64Type};
use hoga::tick::columns::{Value, columns};
use hoga::tick::{Flags, RType, Trade, view};
use hoga_replay::export::arrays::{Decimals, TooWide, array_of};
use hoga_replay::export::rows::{Instruments, Rows};

/// Words of a header: they stay as they are.
const HEADER_WORDS: usize = 5;

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state ^ *state >> 29
}

/// A trade of which every second word, about, is random, of a size that 18 digits hold.
fn trade(state: &mut u64) -> Vec<u64> {
    let mut trade = Trade::UNDEF;
    trade.header.length = size_of::<Trade>() as u32;
    trade.header.rtype = RType::Trade as u8;
    trade.header.version = 1;
    trade.header.flags = if random(state) & 64 == 0 { Flags::EVENT_TIME_ONLY } else { 1 };
    let mut words: Vec<u64> = bytemuck::cast_slice(bytemuck::bytes_of(&trade)).to_vec();
    for word in &mut words[HEADER_WORDS..] {
        if random(state) & 64 == 0 {
            *word = random(state) >> 5;
        }
    }
    words
}

/// Whether a row of an array is what the twin says.
fn agrees(array: &ArrayRef, row: usize, value: Option<Value<'_>>) -> bool {
    let as_type = |ty: DataType| cast(&array.slice(row, 1), &ty).expect("a cast");
    match value {
        None => array.is_null(row),
        // Stamps and dates that there are not are null in a file.
        Some(Value::Timestamp(ns)) if i64::try_from(ns).is_err() => array.is_null(row),
        Some(Value::Date(_)) if array.is_null(row) => true,
        _ if array.is_null(row) => false,
        Some(Value::Decimal { units, .. }) => match array.data_type() {
            DataType::Decimal64(..) => array.as_primitive::<Decimal64Type>().value(row) == units,
            _ => array.as_primitive::<Decimal128Type>().value(row) == i128::from(units),
        },
        Some(Value::Unsigned(number)) => as_type(DataType::UInt64).as_primitive::<UInt64Type>().value(0) == number,
        Some(Value::Signed(number)) => as_type(DataType::Int64).as_primitive::<Int64Type>().value(0) == number,
        Some(Value::Timestamp(ns) | Value::Time(ns)) => {
            as_type(DataType::Int64).as_primitive::<Int64Type>().value(0) as u64 == ns
        }
        Some(Value::Date(date)) => {
            let text = format!("{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100);
            as_type(DataType::Utf8).as_string::<i32>().value(0) == text
        }
        Some(Value::Text(text)) => as_type(DataType::Utf8).as_string::<i32>().value(0) == text,
        Some(Value::Bytes(bytes)) => array.as_binary::<i32>().value(row) == bytes,
    }
}

#[test]
fn every_column_of_every_row_is_what_the_row_says() {
    let (mut state, instruments) = (20_261_123, Instruments::default());
    let (mut rows, mut room) = (Rows::new(RType::Trade), Vec::new());
    for count in [0, 1, 63, 64, 65, 128, 1000] {
        rows.clear();
        let trades: Vec<Vec<u64>> = (0..count).map(|_| trade(&mut state)).collect();
        for words in &trades {
            assert!(rows.push(&view(bytemuck::cast_slice(words)).expect("a trade"), 0));
        }
        rows.complete();
        assert_eq!(rows.len(), count);
        for (row, words) in trades.iter().enumerate() {
            assert_eq!(rows.row(row, &instruments, &mut room).bytes, bytemuck::cast_slice::<u64, u8>(words));
        }
        for column in columns(RType::Trade) {
            for (decimals, is_wide) in [(Decimals::Bits64, false), (Decimals::Bits128, false), (Decimals::Bits64, true)]
            {
                let array = array_of(&rows, column, &instruments, is_wide, decimals).expect("18 digits are enough");
                assert_eq!(array.len(), count, "{}", column.name);
                for row in 0..count {
                    let value = column.value(&rows.row(row, &instruments, &mut room));
                    assert!(agrees(&array, row, value.clone()), "{} of row {row} of {count}: {value:?}", column.name);
                }
            }
        }
    }
}

#[test]
fn a_price_of_more_digits_than_the_schema_has_is_told_in_either_form() {
    let mut trade = Trade::UNDEF;
    trade.header.length = size_of::<Trade>() as u32;
    trade.header.rtype = RType::Trade as u8;
    trade.header.version = 1;
    trade.px = 10_i64.pow(18);
    let words: Vec<u64> = bytemuck::cast_slice(bytemuck::bytes_of(&trade)).to_vec();
    let mut rows = Rows::new(RType::Trade);
    rows.push(&view(bytemuck::cast_slice(&words)).expect("a trade"), 0);
    rows.complete();
    let px = columns(RType::Trade).iter().find(|column| column.name == "px").expect("a price");
    for decimals in [Decimals::Bits64, Decimals::Bits128] {
        let narrow = array_of(&rows, px, &Instruments::default(), false, decimals);
        assert_eq!(narrow.err(), Some(TooWide));
        assert!(array_of(&rows, px, &Instruments::default(), true, decimals).is_ok());
    }
}
