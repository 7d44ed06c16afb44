//! Times for people.

use jiff::Timestamp;
use jiff::tz::Offset;

/// Date and time of day in Korea, whole seconds.
pub fn kst(ns: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(stamp) => Offset::constant(9).to_datetime(stamp).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "-".to_owned(),
    }
}
