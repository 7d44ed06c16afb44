//! Rows of answers. The real server sends every value as a text, and all fields of a row whatever the symbol.

use serde_json::{Map, Value};

use crate::market::line::{percent, ratio, sign};

/// One object of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// As it is.
    pub(super) fn text(mut self, name: &str, text: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), Value::String(text.into()));
        self
    }

    /// An integer.
    pub(super) fn int(self, name: &str, value: i64) -> Self {
        self.text(name, value.to_string())
    }

    /// Integers.
    pub(super) fn ints<'a>(self, values: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        values.into_iter().fold(self, |row, (name, value)| row.int(name, value))
    }

    /// A number given in its last decimal.
    pub(super) fn decimal(self, name: &str, value: i64, decimals: u32) -> Self {
        self.text(name, decimal(value, decimals))
    }

    /// Numbers given in their last decimal.
    pub(super) fn decimals<'a>(self, decimals: u32, values: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        values.into_iter().fold(self, |row, (name, value)| row.decimal(name, value, decimals))
    }

    /// What part of `whole` a value is, in percent.
    pub(super) fn percent(self, name: &str, value: i64, whole: i64) -> Self {
        self.decimal(name, percent(value, whole), 2)
    }

    /// Change against a base, its sign, and in percent, under three names.
    pub(super) fn change(self, names: [&str; 3], value: i64, base: i64, decimals: u32) -> Self {
        let [change, sign_name, rate] = names;
        let by = value - base;
        let row = self.decimal(change, by, decimals).text(sign_name, char::from(sign(by)));
        row.percent(rate, by, base)
    }

    /// The same text under each name.
    pub(super) fn each(self, names: &[&str], text: &str) -> Self {
        names.iter().fold(self, |row, name| row.text(name, text))
    }

    /// The same fields, all blank: what comes for a symbol that the server doesn't know.
    pub(super) fn blank(mut self) -> Self {
        self.0.values_mut().for_each(|value| *value = Value::String(String::new()));
        self
    }

    /// The fields of another row besides.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Value::Object(fields.0)
    }
}

/// Rows as a list.
pub(super) fn list(rows: impl IntoIterator<Item = Fields>) -> Value {
    rows.into_iter().map(Value::from).collect()
}

/// A number given in its last decimal, as `-12.30` of -1230 and 2.
pub(super) fn decimal(value: i64, decimals: u32) -> String {
    if decimals == 0 {
        return value.to_string();
    }
    let unit = 10_u64.pow(decimals);
    let (whole, rest) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let minus = if value < 0 { "-" } else { "" };
    format!("{minus}{whole}.{rest:0width$}", width = decimals as usize)
}

/// Strength of buyers: shares bought for each 100 sold, 999.99 at most, in hundredths.
pub(super) fn strength(bought: i64, sold: i64) -> i64 {
    match (bought, sold) {
        (0, 0) => 0,
        (_, 0) => 99_999,
        _ => ratio(bought.saturating_mul(100), sold).min(99_999),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_sign_and_decimals() {
        assert_eq!([decimal(-8, 2), decimal(1_230, 2), decimal(-51, 0)], ["-0.08", "12.30", "-51"]);
        let row = Value::from(Fields::new().change(["vrss", "sign", "rate"], 990, 1_000, 2));
        assert_eq!(row, serde_json::json!({ "vrss": "-0.10", "sign": "5", "rate": "-1.00" }));
        assert_eq!([strength(3, 2), strength(1, 0), strength(0, 0)], [15_000, 99_999, 0]);
    }

    #[test]
    fn a_blank_row_has_the_fields_of_the_full_one() {
        let row = Value::from(Fields::new().int("a", 1).text("b", "x").blank());
        assert_eq!(row, serde_json::json!({ "a": "", "b": "" }));
    }
}
