//! What should tick when: the rhythm of a transaction, the phase of its venue.

use std::collections::HashMap;

use super::super::layout::LayoutTable;
use crate::market::phase::{Phase, phase_at};
use crate::tick::{Publisher, RType};

/// When a transaction's records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rhythm {
    /// All the time while a venue trades continuously: trades, books, indices.
    Trading,
    /// While orders are gathered: expected prices.
    Auction,
    /// When there is something to say; its silence says nothing.
    Sporadic,
}

/// The rhythms of all transactions.
#[derive(Debug)]
pub(super) struct Expectations {
    by_tr: HashMap<String, (Publisher, Rhythm)>,
}

/// What each venue does at one moment.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    phases: [(Publisher, Phase); 10],
}

impl Expectations {
    pub fn new() -> Expectations {
        let rhythm = |kind: &str| match kind {
            _ if kind == RType::Trade.name() || kind == RType::Book.name() || kind == RType::Index.name() => {
                Rhythm::Trading
            }
            _ if kind == RType::Expected.name() => Rhythm::Auction,
            _ => Rhythm::Sporadic,
        };
        let table = LayoutTable::builtin();
        let by_tr = table.transactions.iter().filter_map(|layout| {
            let publisher = Publisher::ALL.into_iter().find(|publisher| publisher.venue() == layout.publisher)?;
            Some((layout.tr.clone(), (publisher, rhythm(&layout.kind))))
        });
        Expectations { by_tr: by_tr.collect() }
    }

    /// The phase in which this transaction should tick now; `None` when it need not.
    pub fn ticks(&self, tr_id: &str, moment: &Moment) -> Option<Phase> {
        let (publisher, rhythm) = self.by_tr.get(tr_id)?;
        let phase = moment.phase(*publisher);
        let does = match rhythm {
            Rhythm::Trading => phase.is_continuous(),
            Rhythm::Auction => phase.is_auction(),
            Rhythm::Sporadic => false,
        };
        does.then_some(phase)
    }

    /// Whether the venue of this transaction has a session now. Where its hours are not known here, it may have.
    pub fn in_session(&self, tr_id: &str, moment: &Moment) -> bool {
        self.by_tr.get(tr_id).is_some_and(|(publisher, _)| moment.phase(*publisher) != Phase::Closed)
    }
}

impl Moment {
    /// At a market time, ns since the UNIX epoch. Saturdays and Sundays have no sessions.
    pub fn at(market_ns: u64) -> Moment {
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(market_ns)).unwrap_or_default();
        let korean = jiff::tz::offset(9).to_datetime(stamp);
        let date = korean.year() as u32 * 10_000 + korean.month() as u32 * 100 + korean.day() as u32;
        let second = korean.hour() as u32 * 3600 + korean.minute() as u32 * 60 + korean.second() as u32;
        let is_weekend = matches!(korean.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday);
        let phases = Publisher::ALL.map(|publisher| match phase_at(publisher, date, second) {
            // The night session of derivatives ends on a Saturday morning.
            phase if is_weekend && !matches!(phase, Phase::Untold | Phase::Night) => (publisher, Phase::Closed),
            phase => (publisher, phase),
        });
        Moment { phases }
    }

    fn phase(&self, publisher: Publisher) -> Phase {
        self.phases.iter().find(|(other, _)| *other == publisher).map_or(Phase::Untold, |(_, phase)| *phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: jiff::civil::Date, hour: i8, minute: i8) -> Moment {
        let zoned = date.at(hour, minute, 0, 0).to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).unwrap();
        Moment::at(zoned.timestamp().as_nanosecond() as u64)
    }

    #[test]
    fn trades_tick_in_continuous_trading_expected_prices_in_auctions_and_notices_of_status_whenever() {
        let expectations = Expectations::new();
        let friday = jiff::civil::date(2026, 11, 20);
        let (auction, trading, night) = (at(friday, 8, 45), at(friday, 10, 0), at(friday, 23, 0));
        assert_eq!(expectations.ticks("H0STCNT0", &trading), Some(Phase::Regular));
        assert_eq!(expectations.ticks("H0STCNT0", &auction), None);
        assert_eq!(expectations.ticks("H0STANC0", &auction), Some(Phase::OpeningAuction));
        assert_eq!(expectations.ticks("H0STANC0", &trading), None);
        assert_eq!(expectations.ticks("H0NXCNT0", &at(friday, 8, 15)), Some(Phase::PreMarket));
        assert_eq!(expectations.ticks("H0STMKO0", &trading), None);
        assert_eq!(expectations.ticks("X", &trading), None);
        assert!(expectations.in_session("H0STMKO0", &trading) && !expectations.in_session("H0STMKO0", &night));
        assert!(expectations.in_session("HDFSCNT0", &night), "hours that are not known");
    }

    #[test]
    fn a_weekend_has_no_session() {
        let expectations = Expectations::new();
        let saturday = at(jiff::civil::date(2026, 11, 21), 10, 0);
        assert!(expectations.ticks("H0STCNT0", &saturday).is_none());
        assert!(!expectations.in_session("H0STCNT0", &saturday));
    }
}
