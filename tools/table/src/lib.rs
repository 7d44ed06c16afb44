//! Rows with typed columns, to CSV, JSON lines or Parquet: one way for the tables of `hoga fetch` and `hoga-replay bars`.
//!
//! It knows nothing of markets and imports nothing of the engine, so that both may use it. Parquet needs the feature
//! `parquet`: without it [`open_table`] refuses that form.

mod columns;
#[cfg(feature = "parquet")]
mod parquet_file;
mod table;
mod temporary;

pub use columns::{Kind, Row, Value};
pub use table::{Columns, Format, Nowhere, OutputError, RowSink, Table, open_table};
pub use temporary::Temporary;
