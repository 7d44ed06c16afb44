//! Which moment it is for a download.

use std::time::Instant;

use jiff::civil::{Date, DateTime};

use crate::clock::wall_ns;
use crate::market::kst;

/// Seconds by which our clock may differ from the broker's: what is younger is not asked for.
const CLOCKS_DIFFER: u64 = 5;

/// The present, or a moment of a simulated venue from which time goes on.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    simulated: Option<(u64, Instant)>,
}

impl Moment {
    /// The present.
    pub fn now() -> Moment {
        Moment { simulated: None }
    }

    /// As if it were that Korean time now; `None` where the calendar of instants ends.
    pub fn simulated(time: DateTime) -> Option<Moment> {
        let ns = kst::timestamp(time)?.as_nanosecond();
        Some(Moment { simulated: Some((u64::try_from(ns).ok()?, Instant::now())) })
    }

    /// ns since the UNIX epoch.
    pub fn ns(&self) -> u64 {
        match self.simulated {
            None => wall_ns(),
            Some((ns, since)) => ns + since.elapsed().as_nanos() as u64,
        }
    }

    /// The Korean date.
    pub fn date(&self) -> Date {
        kst::civil(self.ns()).date()
    }

    /// The last second of a date, from midnight, that is over on the broker's clock too; `None` when none is, and beyond the
    /// day when the day is over.
    pub fn settled(&self, date: Date) -> Option<u32> {
        let midnight = kst::instant(date, 0)?;
        let since = self.ns().checked_sub(midnight)? / 1_000_000_000;
        u32::try_from(since.checked_sub(CLOCKS_DIFFER + 1)?.min(2 * 86_400)).ok()
    }
}
