//! What columns hold.

use std::borrow::Cow;

use jiff::civil::Date;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nanoseconds since the UNIX epoch.
    Time,
    /// A date of the calendar.
    Date,
    /// A name that repeats.
    Text,
    /// A number with so many decimal places, exact.
    Decimal(u8),
    /// A whole number.
    Count,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing there.
    Null,
    /// Nanoseconds since the UNIX epoch.
    Time(u64),
    /// A date of the calendar.
    Date(Date),
    /// A name.
    Text(Cow<'a, str>),
    /// Units of 10^-places, and the places.
    Decimal(i128, u8),
    /// A whole number.
    Count(u64),
}

/// A row: its values in the order of its columns.
pub trait Row {
    /// Appends the values.
    fn values<'a>(&'a self, out: &mut Vec<Value<'a>>);
}
