//! The session manager of KIS: connections, registrations, reconnects. Cold: one thread, never on the tick path.
//!
//! What it promises:
//!
//! - *One session an app key.* An app key is one connection (*line*), and one program of a host holds its [`slot`]; on exit
//!   each is closed by the closing handshake, so that the broker's slot is free at once.
//! - *Never a connect loop.* A lost line comes back after a [`backoff`] with a floor and full jitter, and only while its app
//!   key has connects left in a [`budget`] that outlives the process: a program that dies and is started again and again
//!   counts as one that reconnects, and ever more slowly.
//! - *What is wanted is held against what the broker confirmed.* The [`ledger`] of a line is driven by answers; pairs are
//!   asked for one at a time, paced, each after the answer to the one before (an error names no registration, so only the
//!   pending one can be meant). What is not in force and why is a record. What is in force is never given up for what is not:
//!   a refusal of what is asked beside it waits, 1, 5, 15 minutes.
//! - *Every code has its reaction*, in one table, that of [`rest::codes`](super::rest::codes).
//! - *Silence is seen.* The [`watchdog`] closes a line on which nothing comes, says which pairs don't tick in a phase in which
//!   they should, and says after each connect whether all that was wanted ticks again.
//! - *The list may change while it runs*: the [`plan`] gives the least difference; what stays keeps its line. One pair changes a
//!   few times within ten minutes, then it waits.
//! - *What an app key has no room for goes to another*, and is said to be left out only where none has; so do the pairs of one
//!   that is kept out for long.
//! - *A line that is down for long is stood in for* by polling its symbols: snapshots, marked as such.
//! - *Trading days come from the calendar*, which is held against the broker's once a day; outside them hot threads park.

mod answers;
pub mod backoff;
pub mod budget;
mod care;
mod churn;
pub mod codes;
mod config;
mod expect;
mod guard;
mod holidays;
mod hours;
pub mod ledger;
mod line;
mod manager;
pub mod plan;
mod poll;
mod quiet;
mod records;
pub mod slot;
pub mod watchdog;
mod witness;

pub use self::config::SessionSection;
pub use self::guard::Held;
pub use self::line::{Account, LineState};
pub use self::manager::{Leave, LineObserver, Progress, Seams, SessionManager};
pub use self::records::Cold;
