//! The table of message layouts: `layouts.json`, the one place where the broker's transactions are written down.
//!
//! Each transaction has its fields in wire order (`fields`), the field counts seen or documented (`widths`, each with the
//! day from which it holds where that is known) and the narrowest count accepted (`min_prefix`); the broker appends
//! fields without notice, so a width is never tested for equality. `form` says which decoder reads it. Transactions of
//! form `table` are read by this file alone: `map` names the wire field of each field of the record, `levels` those of
//! the levels of a book, with `{}` for the level.
//!
//! `turnover_unit` is how many currency units one unit of turnover is, 0 where the broker doesn't say (derivatives and
//! index programs): turnover is then kept as sent.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `layouts.json`.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct LayoutTable {
    /// Version of the table, +1 with each change of its content.
    pub version: u32,
    /// Day from which the newest layout in it holds.
    pub valid_from: String,
    /// All transactions, by name.
    pub transactions: Vec<Layout>,
}

/// One transaction.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Layout {
    /// Its id on the wire.
    pub tr: String,
    /// What it is.
    pub title: String,
    /// Venue, as [`Publisher::venue`](crate::tick::Publisher::venue).
    pub publisher: String,
    /// Kind of record, as [`RType::name`](crate::tick::RType::name); `notice` for account notices.
    pub kind: String,
    /// Which decoder reads it.
    pub form: Form,
    /// Market of the instrument key; empty where the frame names it (overseas stocks).
    #[serde(default)]
    pub market: String,
    /// Wire field of the symbol.
    #[serde(default)]
    pub key: String,
    /// What a key looks like.
    #[serde(default)]
    pub key_class: KeyClass,
    /// Wire field of the time of day.
    pub time: Option<String>,
    /// Wire field of the date.
    pub date: Option<String>,
    /// Currency of prices, ISO 4217; empty where there is none or the frame tells.
    #[serde(default)]
    pub currency: String,
    /// Currency units in one unit of turnover; 0 = not told.
    #[serde(default)]
    pub turnover_unit: u64,
    /// The change is sent without a sign: the sign code has its direction.
    #[serde(default)]
    pub change_unsigned: bool,
    /// Record field to wire field.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
    /// Wire fields of a book's levels.
    pub levels: Option<Levels>,
    /// Fewest fields a record may have.
    pub min_prefix: u16,
    /// Field counts seen or documented, narrowest first.
    pub widths: Vec<Width>,
    /// What to know of it.
    #[serde(default)]
    pub note: String,
    /// Names of the fields in wire order.
    pub fields: Vec<String>,
}

/// Which decoder reads a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `trade.rs`.
    StockTrade,
    /// `book.rs`.
    StockBook,
    /// `expected.rs`.
    StockExpected,
    /// `expected.rs`, of an index.
    IndexExpected,
    /// `status.rs`.
    Status,
    /// `misc.rs`.
    Member,
    /// `misc.rs`.
    Program,
    /// `misc.rs`, of an index.
    IndexProgram,
    /// `misc.rs`.
    Index,
    /// `misc.rs`.
    Nav,
    /// `table.rs`, driven by `map` and `levels`.
    Table,
    /// Kept as its bytes: no layout is certain.
    Other,
    /// An account notice: never decoded here.
    Notice,
}

/// What the key of a transaction looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyClass {
    /// Short code of a stock: letters and digits.
    Stock,
    /// Any other code: letters and digits.
    #[default]
    Code,
    /// `D` or `R`, the exchange's three letters, the symbol; the symbol again in the next field.
    Overseas,
}

/// A field count of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Width {
    /// Fields of a record.
    pub width: u16,
    /// Day from which it holds; `None` = from before the table begins, or not known.
    pub valid_from: Option<String>,
}

/// Wire fields of a book's levels, `{}` standing for the level from 1.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Levels {
    /// Levels of the widest layout.
    pub count: u16,
    /// Bid price.
    pub bid_px: String,
    /// Ask price.
    pub ask_px: String,
    /// Bid quantity.
    pub bid_qty: String,
    /// Ask quantity.
    pub ask_qty: String,
    /// Orders at the bid.
    pub bid_count: Option<String>,
    /// Orders at the ask.
    pub ask_count: Option<String>,
}

/// Why a file is no table of layouts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Not JSON of that form.
    #[error("not a table of layouts: {0}")]
    Form(#[from] serde_json::Error),
    /// A transaction no decoder can be made of.
    #[error("layout of {tr}: {what}")]
    Transaction {
        /// Its id.
        tr: String,
        /// What is wrong.
        what: String,
    },
}

impl LayoutTable {
    /// The table of this build.
    ///
    /// # Panics
    ///
    /// When the file in the program is not well-formed, which a test rules out.
    pub fn builtin() -> LayoutTable {
        serde_json::from_str(include_str!("layouts.json")).expect("layouts.json is well-formed")
    }

    /// A table from a file of the form of the built-in one.
    ///
    /// # Errors
    ///
    /// What is wrong with it: its form, or a transaction that a decoder could not be made of.
    pub fn from_json(bytes: &[u8]) -> Result<LayoutTable, LayoutError> {
        let table: LayoutTable = serde_json::from_slice(bytes)?;
        let mut seen = std::collections::BTreeSet::new();
        for layout in &table.transactions {
            let fail = |what: &str| Err(LayoutError::Transaction { tr: layout.tr.clone(), what: what.to_owned() });
            if layout.tr.len() != 8 || !seen.insert(&layout.tr) {
                return fail("an id has eight characters and stands once");
            }
            if let Err(what) = super::plan::check(layout) {
                return fail(&what);
            }
        }
        Ok(table)
    }

    /// A transaction by its id.
    pub fn get(&self, tr: &str) -> Option<&Layout> {
        self.transactions.iter().find(|layout| layout.tr == tr)
    }
}

impl Layout {
    /// Place of a field on the wire.
    pub fn position(&self, field: &str) -> Option<u16> {
        self.fields.iter().position(|name| name == field).map(|index| index as u16)
    }

    /// Fields of the widest layout known.
    pub fn width_max(&self) -> u16 {
        self.widths.iter().map(|width| width.width).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::{Publisher, RType, tr_name, tr_number};

    #[test]
    fn the_table_holds_every_transaction_of_the_registry_once_and_is_consistent() {
        let table = LayoutTable::builtin();
        let numbers: Vec<u16> = table.transactions.iter().filter_map(|layout| tr_number(&layout.tr)).collect();
        assert_eq!(numbers, (1..=63).collect::<Vec<u16>>());
        assert_eq!(tr_name(64), None, "a new transaction needs a layout");
        for layout in &table.transactions {
            let tr = &layout.tr;
            assert_eq!(tr.len(), 8, "{tr}");
            assert!(Publisher::ALL.iter().any(|publisher| publisher.venue() == layout.publisher), "{tr}");
            let known = RType::ALL.iter().any(|kind| kind.name() == layout.kind);
            assert_eq!(known, layout.form != Form::Notice, "{tr}");
            assert!(layout.widths.is_sorted_by_key(|width| width.width), "{tr}");
            assert!(layout.min_prefix <= layout.widths[0].width, "{tr}");
            assert!(layout.fields.len() <= 128, "{tr}");
            for name in layout.time.iter().chain(&layout.date).chain(layout.map.values()) {
                assert!(layout.position(name).is_some(), "{tr} has no {name}");
            }
            if layout.form != Form::Notice {
                assert!(layout.position(&layout.key).is_some_and(|at| at < layout.min_prefix), "{tr}");
            }
        }
    }
}
