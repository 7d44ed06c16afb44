//! Batch downloads: past bars, days and trades of many symbols, resumable at any instant.
//!
//! # What is promised
//!
//! - *Nothing is lost and nothing comes twice, however it ends.* A download is a [`Plan`] of units: a symbol on a day, or a
//!   symbol over a range. A unit's rows are one file, written under another name, synced and renamed; only then the unit
//!   is noted as done, in a state file of checksummed lines. A unit that was under way when the program died is
//!   downloaded again in full, to the same file.
//! - *A folder holds one request, to one server.* Another one is refused there ([`StateError::OtherRequest`]): what a simulator
//!   made up is not gone on with at the broker.
//! - *A journal has all that is noted, or is made anew*: units' files go when a line of the state says that it was made of them.
//! - *No call is made for a closed day*, as the calendar has it.
//! - *What is not there isn't made up.* A minute that has not ended, that the broker filled up, or that shows the volume of
//!   the one before is no bar; see [`walk`]. Trades that the broker does not show are counted by their volume, exactly.
//! - *Others go first.* Calls have the priority of backfill, and go out at the pace of their app key; where a recorder of the
//!   same configuration is alive, at half of it: the broker counts both together.
//!
//! # The folder
//!
//! ```text
//! OUT/fetch.state             the request, and a line for each unit that is done
//! OUT/lock                    held while a download runs
//! OUT/data/20261120/005930.csv (or .parquet)
//! OUT/data/005930.csv          of `daily`
//! OUT/parts/...                with --format journal: records of each unit, until the journal has all of them
//! OUT/journal/                 the journal made of them
//! ```

pub mod holidays;
mod journal;
mod moment;
mod plan;
mod rows;
mod sink;
mod state;
pub mod walk;
mod work;

pub use self::moment::Moment;
pub use self::plan::{Format, Market, Plan, PlanError, Request, Unit, What};
pub use self::rows::{Day, Minute, Rows, Tick};
pub use self::sink::SinkError;
pub use self::state::{Done, Folder, StateError};
pub use self::work::{Failure, Job, Outcome, Progress, work};
