//! Bytes to fields: splitting delimited frames, and numbers out of text.
//!
//! What this folder promises: nothing here opens a socket, reads a clock, starts a thread, allocates after
//! construction, formats text or panics on input. A malformed message is data: it comes back as a small `Copy` error
//! with one variant per reason, for the caller to count.
//!
//! ```
//! use hoga::simd::Splitter;
//! use hoga::wire::{Fields, FrameHead, parse_hhmmss, parse_px, parse_u64};
//!
//! let splitter = Splitter::new();
//! let mut fields = Fields::with_capacity(128);
//!
//! let head = FrameHead::parse(b"0|H0STCNT0|001|005930^093354^71900^5^-0.14^").unwrap();
//! let split = fields.split(splitter, head.payload, 128).unwrap();
//! assert_eq!(split.get(0), b"005930");
//! assert_eq!(parse_hhmmss(split.text(1)), Ok(Some(9 * 3600 + 33 * 60 + 54)));
//! assert_eq!(parse_u64(split.text(2)), Ok(Some(71_900)));
//! assert_eq!(parse_px(split.text(4)), Ok(Some(-140_000_000)));
//! assert_eq!(parse_px(split.text(5)), Ok(None)); // sent, and empty
//! assert!(split.record(0, 6).field(6).is_none()); // not sent
//! ```

mod decimal;
mod delimited;
mod number;
mod time;
#[cfg(test)]
mod twin;

pub use self::decimal::{PX_DECIMALS, parse_px, parse_scaled};
pub use self::delimited::{Fields, FrameHead, Record, Split, SplitError};
pub use self::number::{NumberError, Text, parse_i64, parse_u64};
pub use self::time::{parse_hhmmss, parse_yyyymmdd};
