//! Bars and sampled books for research, exact and by session.
//!
//! # A bar
//!
//! One row for an interval, an instrument, a *venue* and a *session* in which something was traded; no row where nothing was.
//! The unified feed is a venue of its own (`UN`): its trades are those of KRX and NXT again, and the three are never added
//! together. Sessions are those of [`Phase`](hoga::market::phase::Phase): auctions, continuous trading, pre-market, after-market,
//! single price and closing price are apart, so that a bar never mixes them.
//!
//! | Column | |
//! | --- | --- |
//! | `start` | beginning of the interval, Korean time; of a day bar the trading date's midnight |
//! | `symbol`, `market`, `venue`, `session` | |
//! | `open`, `high`, `low`, `close` | prices of the first, highest, lowest, last trade |
//! | `volume` | sum of quantities |
//! | `turnover` | sum of price × quantity, computed in units of 1e-9, rounded once to 1e-4 (half away from zero) |
//! | `vwap` | that exact sum / volume, rounded once to 1e-9 (half away from zero) |
//! | `trades` | executions |
//! | `buy_volume`, `sell_volume` | by the aggressor; what is in neither was matched in an auction or is not told |
//! | `gaps` | trades before which volume is missing (flag GAP_BEFORE): the bar is not whole |
//!
//! # Which trades count
//!
//! Every `trade` record but: those found to have come twice (finding DUPLICATE: sent again, or by a second line), those asked
//! for by REST (flag POLLED) unless they fill a gap (BACKFILLED), and those without a price or a quantity. A trade whose cumulative volume went
//! back (CUM_BACKWARDS) is an execution like any other and counts. The feeds send neither corrections nor cancellations.
//!
//! # Time
//!
//! A trade belongs to the interval of its `ts_event`, cut at the boundaries of Korean wall time. Where the feed gave a time
//! without a date, the date that brings it nearest to `ts_recv` is taken; without a time, `ts_recv` itself. A day bar is of the
//! trading day, which begins at 07:00, so that a night session is one bar.
//!
//! Event times are whole seconds on the feeds of today and may step back a little from record to record: within a bar, trades
//! are ordered by (`ts_event`, place in the journal). An interval is closed when event time has passed its end by `late`
//! (default five minutes): memory is bounded by the trades of that time. A trade that comes later still is in no bar; it is
//! counted, and said so. Event time moves on with the market records when two of them say so, by at most `late` at once
//! unless 32 in a row lie further ahead: one record with a wrong date closes nothing.
//!
//! A range of times (`--from`, `--to`) chooses whole intervals by their beginning, in event time; the journal is read from
//! `late` before it to `late` behind it.
//!
//! # A sampled book
//!
//! One row for an interval, an instrument and a venue in which a book came or something was traded: the newest book before the
//! interval's end, by (`ts_event`, place in the journal); where none came in the interval, the one before, of the same trading
//! day (`book_ts` says of when it is). `mid` is (best bid + best ask) / 2, `imbalance` (bid − ask) / (bid + ask) of the best
//! quantities, rounded to 1e-6 (half away from zero). Levels that are empty are empty.

mod build;
mod columns;
mod grid;

pub use hoga_table::{Format, Kind, Nowhere, OutputError, Row, RowSink, Table, Value, open_table};

pub use self::build::{BarBuilder, BarConfig, Totals};
pub use self::columns::{Bar, BookSample};
pub use self::grid::{Every, EveryError};
