//! Columns of a batch of rows as Arrow arrays: a loop a column over words that lie side by side, no allocation a row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, PrimitiveArray, StringArray, StringBuilder};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Decimal128Type, Int32Type, Int64Type,
    Time64NanosecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use hoga::tick::columns::{Column, ColumnType, NameList, Value};
use hoga::tick::{Flags, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TS};
use jiff::civil::{Date, date};

use super::rows::{Instruments, Rows};
use super::schema::{DIGITS, ZONE, type_of};

/// Largest magnitude of a decimal of [`DIGITS`] digits.
const FITS: u64 = 10_u64.pow(DIGITS as u32) - 1;
/// Codes this long are keys of a dictionary as they are.
const SHORT_CODE_BYTES: usize = 8;
/// Key of a null.
const NO_KEY: i32 = -1;

/// A decimal needs more digits than the file's schema gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooWide;

/// How decimals of [`DIGITS`] digits lie in memory. Wider ones have 128 bits in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimals {
    /// As Parquet stores them.
    Bits64,
    /// As the schema says.
    Bits128,
}

/// The array of a column. Texts come as dictionaries whether the schema says so or not: what writes Parquet takes both.
///
/// # Errors
///
/// [`TooWide`] when a value does not fit and `is_wide` is not set.
pub fn array_of(
    rows: &Rows,
    column: &Column,
    instruments: &Instruments,
    is_wide: bool,
    decimals: Decimals,
) -> Result<ArrayRef, TooWide> {
    let field = Field::new(rows, column);
    let undef_i64 = UNDEF_PX as u64;
    Ok(match column.ty {
        ColumnType::Px | ColumnType::Turnover | ColumnType::MarketTurnover => {
            let ty = type_of(column, is_wide);
            let DataType::Decimal128(digits, scale) = ty else { unreachable!("prices and turnovers are decimals") };
            let fits = |units: u64| (units as i64).unsigned_abs() <= FITS || units == undef_i64;
            if digits == DIGITS && !field.values().all(fits) {
                return Err(TooWide);
            }
            let units = |units: u64| if units == undef_i64 { 0 } else { units as i64 };
            if digits == DIGITS && decimals == Decimals::Bits64 {
                let array = numbers::<Decimal64Type>(&field, Some(undef_i64), units);
                Arc::new(array.with_data_type(DataType::Decimal64(digits, scale)))
            } else {
                let array = numbers::<Decimal128Type>(&field, Some(undef_i64), |word| i128::from(units(word)));
                Arc::new(array.with_data_type(ty))
            }
        }
        ColumnType::Qty => Arc::new(numbers::<UInt64Type>(&field, Some(UNDEF_QTY), |word| word)),
        ColumnType::Change => Arc::new(numbers::<Int64Type>(&field, Some(undef_i64), |word| word as i64)),
        ColumnType::Count => Arc::new(numbers::<UInt32Type>(&field, Some(u64::from(UNDEF_COUNT)), |word| word as u32)),
        ColumnType::Number => match column.width {
            1 => Arc::new(numbers::<UInt8Type>(&field, None, |word| word as u8)),
            2 => Arc::new(numbers::<UInt16Type>(&field, None, |word| word as u16)),
            4 => Arc::new(numbers::<UInt32Type>(&field, None, |word| word as u32)),
            _ => Arc::new(numbers::<UInt64Type>(&field, None, |word| word)),
        },
        ColumnType::Timestamp => Arc::new(timestamps(&field, |_| true)),
        ColumnType::EventTimestamp => Arc::new(timestamps(&field, |row| !field.is_time_only(row))),
        ColumnType::EventTime => Arc::new(optional::<Time64NanosecondType>(rows.len(), |row| {
            let ns = field.get(row);
            (field.is_time_only(row) && ns < 86_400_000_000_000).then_some(ns as i64)
        })),
        ColumnType::Date => Arc::new(dates(&field)),
        ColumnType::Symbol => {
            by_instrument(rows, &instruments.symbols, |number| instruments.places.get(number as usize).map(|at| at.0))
        }
        ColumnType::Market => {
            by_instrument(rows, &instruments.markets, |number| instruments.places.get(number as usize).map(|at| at.1))
        }
        ColumnType::Name(list) => names(&field, list),
        ColumnType::Code if column.width > SHORT_CODE_BYTES => texts(rows, column, instruments),
        ColumnType::Tail => {
            let offsets = std::iter::once(0).chain(rows.tail_ends.iter().copied()).collect::<Vec<i32>>();
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            Arc::new(BinaryArray::new(offsets, Buffer::from(rows.tails.as_slice()), None))
        }
        // Flags, findings, codes: few distinct ones.
        _ => distinct(&field, column, rows, instruments),
    })
}

/// A field of the rows as words.
struct Field<'a> {
    words: &'a [u64],
    flags: &'a [u64],
    shift: u32,
    mask: u64,
}

impl<'a> Field<'a> {
    fn new(rows: &'a Rows, column: &Column) -> Field<'a> {
        // Fields are aligned to their width, so none crosses a word; shorter arrays of bytes may, and are not read so.
        let bits = 8 * column.width.clamp(1, 8) as u32;
        Field {
            words: rows.words(column.offset / 8),
            // Flags are the high half of the fourth word of every record.
            flags: rows.words(3),
            shift: 8 * (column.offset % 8) as u32,
            mask: u64::MAX >> (64 - bits),
        }
    }

    fn rows(&self) -> usize {
        self.words.len()
    }

    #[inline]
    fn get(&self, row: usize) -> u64 {
        (self.words[row] >> self.shift) & self.mask
    }

    #[inline]
    fn values(&self) -> impl ExactSizeIterator<Item = u64> {
        let (shift, mask) = (self.shift, self.mask);
        self.words.iter().map(move |word| (word >> shift) & mask)
    }

    #[inline]
    fn is_time_only(&self, row: usize) -> bool {
        (self.flags[row] >> 32) as u32 & Flags::EVENT_TIME_ONLY != 0
    }
}

fn numbers<T: ArrowPrimitiveType>(
    field: &Field<'_>,
    undefined: Option<u64>,
    value: impl Fn(u64) -> T::Native,
) -> PrimitiveArray<T> {
    let values: Vec<T::Native> = field.values().map(value).collect();
    let nulls = undefined.and_then(|undefined| valid(field.rows(), |row| field.get(row) != undefined));
    PrimitiveArray::new(ScalarBuffer::from(values), nulls)
}

/// Which rows have a value; `None`: all.
fn valid(rows: usize, is_valid: impl Fn(usize) -> bool) -> Option<NullBuffer> {
    let all = (0..rows).all(&is_valid);
    (!all).then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, is_valid)))
}

fn optional<T: ArrowPrimitiveType>(rows: usize, value: impl Fn(usize) -> Option<T::Native>) -> PrimitiveArray<T> {
    let values: Vec<T::Native> = (0..rows).map(|row| value(row).unwrap_or_default()).collect();
    PrimitiveArray::new(ScalarBuffer::from(values), valid(rows, |row| value(row).is_some()))
}

/// Stamps beyond the year 2262, which no journal holds but a damaged one, are null, too.
fn timestamps(field: &Field<'_>, is_whole: impl Fn(usize) -> bool) -> PrimitiveArray<TimestampNanosecondType> {
    let known = |row: usize| {
        let ns = field.get(row);
        if ns != UNDEF_TS && is_whole(row) { i64::try_from(ns).ok() } else { None }
    };
    optional::<TimestampNanosecondType>(field.rows(), known).with_timezone(ZONE)
}

/// Days since 1970; what is no date is null.
fn dates(field: &Field<'_>) -> PrimitiveArray<Date32Type> {
    let mut last = (0, None);
    let day = |number: u64| {
        if last.0 != number {
            last = (number, days_of(number as u32));
        }
        last.1
    };
    PrimitiveArray::from_iter(field.values().map(day))
}

fn days_of(number: u32) -> Option<i32> {
    let year = i16::try_from(number / 10_000).ok()?;
    let day = Date::new(year, (number / 100 % 100) as i8, (number % 100) as i8).ok()?;
    Some((day - date(1970, 1, 1)).get_days())
}

fn by_instrument(rows: &Rows, values: &[String], place: impl Fn(u32) -> Option<i32>) -> ArrayRef {
    let place = |row: usize| place(rows.instruments[row]).filter(|at| *at >= 0);
    dictionary(optional::<Int32Type>(rows.len(), place), StringArray::from_iter_values(values))
}

fn names(field: &Field<'_>, list: NameList) -> ArrayRef {
    let all = list.names();
    let key_of = |_: usize, number: u64| {
        let name = list.name(number)?;
        all.iter().position(|other| *other == name).map(|at| at as i32)
    };
    let keys = keys(field.values(), key_of);
    dictionary(keys, StringArray::from_iter_values(all.iter()))
}

/// Texts of few distinct values: the text is made once for each.
fn distinct(field: &Field<'_>, column: &Column, rows: &Rows, instruments: &Instruments) -> ArrayRef {
    let mut texts = StringBuilder::new();
    let (mut count, mut room) = (0, Vec::new());
    let key_of = |row: usize, _: u64| {
        let Some(Value::Text(text)) = column.value(&rows.row(row, instruments, &mut room)) else { return None };
        texts.append_value(text);
        count += 1;
        Some(count - 1)
    };
    let keys = if column.offset % 8 + column.width > 8 {
        keys((0..rows.len()).map(|row| code_across(rows, column, row)), key_of)
    } else {
        keys(field.values(), key_of)
    };
    dictionary(keys, texts.finish())
}

/// A short code that crosses a word.
fn code_across(rows: &Rows, column: &Column, row: usize) -> u64 {
    let word = column.offset / 8;
    let (low, high) = (rows.words(word)[row], rows.words(word + 1)[row]);
    let both = (u128::from(high) << 64 | u128::from(low)) >> (8 * (column.offset % 8));
    both as u64 & (u64::MAX >> (64 - 8 * column.width))
}

fn texts(rows: &Rows, column: &Column, instruments: &Instruments) -> ArrayRef {
    let mut texts = StringBuilder::with_capacity(rows.len(), rows.len() * 8);
    let mut room = Vec::new();
    for row in 0..rows.len() {
        match column.value(&rows.row(row, instruments, &mut room)) {
            Some(Value::Text(text)) => texts.append_value(text),
            _ => texts.append_null(),
        }
    }
    Arc::new(texts.finish())
}

/// Key of each row's value; `key_of` is asked once for each distinct value, with the first row that has it.
fn keys(values: impl ExactSizeIterator<Item = u64>, mut key_of: impl FnMut(usize, u64) -> Option<i32>) -> Int32Array {
    let mut known = HashMap::<u64, i32>::new();
    // Values seen of late by a few bits of them: two or three that take turns, as flags do, need no look into the map.
    let mut recent = [None::<(u64, i32)>; 64];
    let key = |(row, value): (usize, u64)| {
        let slot = &mut recent[(value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize];
        match *slot {
            Some((seen, key)) if seen == value => key,
            _ => {
                let key = *known.entry(value).or_insert_with(|| key_of(row, value).unwrap_or(NO_KEY));
                *slot = Some((value, key));
                key
            }
        }
    };
    let mut keys: Vec<i32> = values.enumerate().map(key).collect();
    let nulls = valid(keys.len(), |row| keys[row] != NO_KEY);
    if nulls.is_some() {
        // Readers may look a null's key up before they see that it is one.
        keys.iter_mut().for_each(|key| *key = (*key).max(0));
    }
    Int32Array::new(ScalarBuffer::from(keys), nulls)
}

fn dictionary(keys: Int32Array, values: StringArray) -> ArrayRef {
    // Keys are places in `values`: made so above.
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values)))
}

/// The array in the very type of the schema.
///
/// # Errors
///
/// Those of the cast; there is none for the types here.
pub fn exact(array: ArrayRef, ty: &DataType) -> Result<ArrayRef, arrow::error::ArrowError> {
    if array.data_type() == ty { Ok(array) } else { arrow::compute::cast(&array, ty) }
}
