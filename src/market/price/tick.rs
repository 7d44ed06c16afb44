//! Tick sizes: the steps in which a price may be given.
//!
//! - Stocks: KRX GLB0602010201T3 (KOSPI), GLB0602020201 (KOSDAQ); one table for all three markets since 2023-01-25
//!   (ekn 20230117, etoday 2213548).
//! - ETF and ETN: 5 won at every price; below 2,000 won 1 since December 2023. Two first days were announced on 2023-10-05, 12-08
//!   (etoday 2289674) and 12-18 (mediapen 860330): between them the tick of such a price is not known.
//! - ELW: 5 won (chosun 2022-11-01).

use jiff::civil::{Date, date};

use super::{KNOWN_FROM, Market};

/// Tick sizes of a market on a date: a price from which on a tick holds, and that tick, ascending from 0. Each tick divides the
/// next, and the bounds are on both, so that every price on a tick of its own is one of a single ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickTable {
    bands: &'static [(u64, u64)],
    /// Below this price the tick is not known.
    known_from: u64,
}

const KOSPI_UNTIL_2023: &[(u64, u64)] =
    &[(0, 1), (1_000, 5), (5_000, 10), (10_000, 50), (50_000, 100), (100_000, 500), (500_000, 1_000)];
const KOSDAQ_UNTIL_2023: &[(u64, u64)] = &[(0, 1), (1_000, 5), (5_000, 10), (10_000, 50), (50_000, 100)];
const STOCKS: &[(u64, u64)] =
    &[(0, 1), (2_000, 5), (5_000, 10), (20_000, 50), (50_000, 100), (200_000, 500), (500_000, 1_000)];
const FIVE: &[(u64, u64)] = &[(0, 5)];
const FUNDS: &[(u64, u64)] = &[(0, 1), (2_000, 5)];

impl TickTable {
    /// The table of a market on a date; `None` before [`KNOWN_FROM`].
    pub fn of(market: Market, on: Date) -> Option<TickTable> {
        let all = |bands| TickTable { bands, known_from: 0 };
        let unified = on >= date(2023, 1, 25);
        let table = match market {
            Market::Kospi | Market::Kosdaq | Market::Konex if unified => all(STOCKS),
            Market::Kospi => all(KOSPI_UNTIL_2023),
            Market::Kosdaq | Market::Konex => all(KOSDAQ_UNTIL_2023),
            Market::Etf | Market::Etn if on < date(2023, 12, 8) => all(FIVE),
            Market::Etf | Market::Etn if on < date(2023, 12, 18) => TickTable { bands: FIVE, known_from: 2_000 },
            Market::Etf | Market::Etn => all(FUNDS),
            Market::Elw => all(FIVE),
        };
        (on >= KNOWN_FROM).then_some(table)
    }

    /// The tick at a price, on it or not; `None` where it is not known.
    pub fn size(self, price: u64) -> Option<u64> {
        let band = self.bands.iter().rev().find(|(from, _)| *from <= price).filter(|_| price >= self.known_from);
        band.map(|(_, tick)| *tick)
    }

    /// The tick that holds at every price; `None` where it goes by the price, or is not known.
    pub fn single(self) -> Option<u64> {
        match self.bands {
            [(_, tick)] if self.known_from == 0 => Some(*tick),
            _ => None,
        }
    }

    /// Whether a price may be given.
    pub fn is_on_tick(self, price: u64) -> bool {
        price > 0 && self.size(price).is_some_and(|tick| price.is_multiple_of(tick))
    }

    /// The highest price on a tick that is not above `price`; 0 when there is none.
    pub fn floor(self, price: u64) -> Option<u64> {
        Some(price - price % self.size(price)?)
    }

    /// The lowest price on a tick that is not below `price`.
    pub fn ceil(self, price: u64) -> Option<u64> {
        let tick = self.size(price)?;
        price.checked_next_multiple_of(tick)
    }

    /// The next price above.
    pub fn up(self, price: u64) -> Option<u64> {
        self.ceil(price.checked_add(1)?)
    }

    /// The next price below; `None` at the lowest.
    pub fn down(self, price: u64) -> Option<u64> {
        self.floor(price.checked_sub(1)?).filter(|price| *price > 0)
    }
}
