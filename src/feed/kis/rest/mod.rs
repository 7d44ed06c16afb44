//! REST of KIS: tokens, approval keys, quotations.
//!
//! What is promised of [`Client`]:
//!
//! - *The broker's limits hold.* Calls of an app key go out evenly, at most at its pace, the most urgent first; a token is
//!   asked for at most once a minute, over all processes that share the folder of [`Keys`].
//! - *What fails is repeated only where that helps.* [`codes`] is the one table of the broker's codes and what is done
//!   about each. All calls are queries, so that a repetition does nothing twice; posts for keys are never repeated.
//! - *A server that can't be reached is left alone.* After failures in a row calls are refused at once, and one call at a
//!   time tries again.
//! - *No secret is shown.* Headers are marked, texts of the broker are scrubbed, keys lie in files of mode 0600.
//!
//! Everything blocks and allocates: for cold threads.

mod agent;
mod answer;
mod breaker;
mod client;
pub mod codes;
mod counters;
mod endpoints;
mod error;
mod keys;
mod pacer;
mod pages;
pub mod quotations;
mod reach;
mod settings;

pub(in crate::feed::kis) use self::agent::is_loopback;
pub(crate) use self::agent::{check_address, is_websocket};
pub use self::answer::{Answer, Row};
pub use self::breaker::BreakerState;
pub use self::client::Client;
pub(crate) use self::client::same_app_key;
pub use self::counters::{AppKeyReport, Counts, Report};
pub use self::endpoints::{Endpoint, endpoints};
pub use self::error::RestError;
pub use self::keys::{KeyError, Keys, key_file_name};
pub use self::pacer::Priority;
pub use self::pages::Pages;
pub use self::reach::{Reached, reach};
pub use self::settings::{RestSection, is_mock};
