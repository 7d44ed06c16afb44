//! Volatility interruptions: a price too far from its reference turns continuous trading into a call auction of two minutes,
//! which ends at random within 30 seconds more, and extends a call auction as long; as often as it happens.
//!
//! KRX GLB0602010204T9 and GLB0602020204T7. Dynamic since 2014-09-01: the reference is the last execution price. Static since
//! 2015-06-15: the reference is the price of the last call auction, before the opening the base price. Neither on the day of a
//! listing (since 2021-10-18).
//!
//! Not published, as far as was found: the rates in the after-market of KRX from 2026-09-14, and those of Nextrade.

use jiff::civil::{Date, date};

use super::super::phase::Phase;
use super::{KNOWN_FROM, TickTable};

/// Which rates hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViClass {
    /// Stocks of the KOSPI 200; funds of KOSPI 200, 100, 50, KRX 100, of bonds, and inverse ones.
    Kospi200,
    /// Other stocks of KOSPI, all of KOSDAQ; leveraged funds, of sectors, foreign indices and commodities.
    Other,
}

/// What the price is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViKind {
    /// The last execution price.
    Dynamic,
    /// The price of the last call auction.
    Static,
}

/// What the day is to the security.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ViDay {
    /// Any other.
    Ordinary,
    /// Its first trading day.
    Listing,
    /// It underlies derivatives, or an index of theirs, and this is their last trading day.
    Expiry,
}

/// Prices at which an interruption begins, both on a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViBand {
    /// This price, or one below.
    pub lower: u64,
    /// This price, or one above.
    pub upper: u64,
}

/// The rate in percent in a phase of KRX's day; `None` where there is no interruption, or its rate is not known.
pub fn vi_percent(kind: ViKind, class: ViClass, phase: Phase, on: Date, day: ViDay) -> Option<u32> {
    if on < KNOWN_FROM || (day == ViDay::Listing && on >= date(2021, 10, 18)) {
        return None;
    }
    // Held for the last time on 2026-09-11.
    if phase == Phase::SinglePrice && on >= date(2026, 9, 14) {
        return None;
    }
    match (kind, phase, class) {
        (ViKind::Dynamic, Phase::ClosingAuction, _) if day == ViDay::Expiry => Some(1),
        (ViKind::Dynamic, Phase::Regular | Phase::SinglePrice, ViClass::Kospi200) => Some(3),
        (ViKind::Dynamic, Phase::Regular | Phase::SinglePrice, ViClass::Other) => Some(6),
        (ViKind::Dynamic, Phase::ClosingAuction, ViClass::Kospi200) => Some(2),
        (ViKind::Dynamic, Phase::ClosingAuction, ViClass::Other) => Some(4),
        (ViKind::Static, Phase::OpeningAuction | Phase::Regular | Phase::MiddayAuction | Phase::ClosingAuction, _)
            if on >= date(2015, 6, 15) =>
        {
            Some(10)
        }
        _ => None,
    }
}

/// The prices that are `percent` away from a reference price, or the next on a tick beyond; `None` where ticks are not known or no
/// price is that low.
pub fn vi_band(reference: u64, percent: u32, ticks: TickTable) -> Option<ViBand> {
    let (reference, percent) = (u128::from(reference), u128::from(percent));
    let upper = u64::try_from((reference * (100 + percent)).div_ceil(100)).ok()?;
    let lower = u64::try_from(reference * 100_u128.checked_sub(percent)? / 100).ok()?;
    let band = ViBand { lower: ticks.floor(lower)?, upper: ticks.ceil(upper)? };
    (band.lower > 0).then_some(band)
}
