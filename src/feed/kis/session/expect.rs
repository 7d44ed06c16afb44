//! What should tick when: the rhythm of a transaction, the phase of its venue.

use std::collections::HashMap;

use super::super::layout::LayoutTable;
use crate::market::calendar::Calendar;
use crate::market::kst;
use crate::market::phase::{Phase, phase_in};
use crate::tick::{Publisher, RType};

/// When a transaction's records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rhythm {
    /// All the time while a venue trades continuously: trades, books, indices.
    Trading,
    /// In the regular session alone: indices, and ELWs, which the exchange's after-market leaves out.
    Regular,
    /// While derivatives of every kind trade: those on interest, currencies and commodities, whose hours differ by product.
    Common,
    /// While expected prices are shown.
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
    /// Of those, whose opening auction takes orders, but shows nothing yet.
    unshown: [Option<Publisher>; 3],
    /// Whether derivatives of every kind trade.
    is_common: bool,
}

/// Since 2025-03-04 KRX shows expected prices in the last ten minutes of the opening auction alone, though it takes orders
/// for half an hour; of derivatives from 08:40, when they open at 08:45 (fnnews 202307061335562628).
const SHOWN_BEFORE_OPENING_S: [(Publisher, u32); 3] =
    [(Publisher::KisKrx, 600), (Publisher::KisUn, 600), (Publisher::KisKrxDeriv, 300)];

/// When the closing auction of derivatives begins that close at 15:45 on every day, the exam's too.
const COMMON_UNTIL_S: u32 = (15 * 60 + 35) * 60;

impl Expectations {
    pub fn new() -> Expectations {
        let rhythm = |tr: &str, kind: &str| match kind {
            // The single-price session was of few symbols, and is abolished.
            _ if tr.starts_with("H0STO") => Rhythm::Sporadic,
            _ if kind == RType::Index.name() => Rhythm::Regular,
            _ if kind == RType::Trade.name() || kind == RType::Book.name() => match tr {
                _ if tr.starts_with("H0EW") => Rhythm::Regular,
                _ if tr.starts_with("H0CF") => Rhythm::Common,
                _ => Rhythm::Trading,
            },
            _ if kind == RType::Expected.name() => Rhythm::Auction,
            _ => Rhythm::Sporadic,
        };
        let table = LayoutTable::builtin();
        let by_tr = table.transactions.iter().filter_map(|layout| {
            let publisher = Publisher::ALL.into_iter().find(|publisher| publisher.venue() == layout.publisher)?;
            Some((layout.tr.clone(), (publisher, rhythm(&layout.tr, &layout.kind))))
        });
        Expectations { by_tr: by_tr.collect() }
    }

    /// The phase in which this transaction should tick now; `None` when it need not.
    pub fn ticks(&self, tr_id: &str, moment: &Moment) -> Option<Phase> {
        let (publisher, rhythm) = self.by_tr.get(tr_id)?;
        let phase = moment.phase(*publisher);
        let does = match rhythm {
            Rhythm::Trading => phase.is_continuous(),
            Rhythm::Regular => phase == Phase::Regular,
            Rhythm::Common => moment.is_common,
            Rhythm::Auction => phase.is_auction() && !moment.unshown.contains(&Some(*publisher)),
            Rhythm::Sporadic => false,
        };
        does.then_some(phase)
    }

    /// The feed of a transaction.
    pub fn publisher(&self, tr_id: &str) -> Option<Publisher> {
        self.by_tr.get(tr_id).map(|(publisher, _)| *publisher)
    }

    /// The phase of a transaction's venue.
    pub fn phase(&self, tr_id: &str, moment: &Moment) -> Option<Phase> {
        self.by_tr.get(tr_id).map(|(publisher, _)| moment.phase(*publisher))
    }

    /// Whether the venue of this transaction has a session now. Where its hours are not known here, it may have;
    /// notices of an account have none.
    pub fn in_session(&self, tr_id: &str, moment: &Moment) -> bool {
        let session =
            |publisher: Publisher| publisher != Publisher::KisAccount && moment.phase(publisher) != Phase::Closed;
        self.by_tr.get(tr_id).is_some_and(|(publisher, _)| session(*publisher))
    }
}

impl Moment {
    /// At a market time, ns since the UNIX epoch, by the calendar: trading days, days of other hours, what an operator added.
    pub fn at(calendar: &Calendar, market_ns: u64) -> Moment {
        let korean = kst::civil(market_ns);
        let date = kst::number_of(korean.date());
        let second = korean.hour() as u32 * 3600 + korean.minute() as u32 * 60 + korean.second() as u32;
        let phases = Publisher::ALL.map(|publisher| (publisher, phase_in(calendar, publisher, date, second)));
        let gathers = |publisher, second| phase_in(calendar, publisher, date, second) == Phase::OpeningAuction;
        let unshown = SHOWN_BEFORE_OPENING_S.map(|(publisher, shown)| {
            (gathers(publisher, second) && gathers(publisher, second + shown)).then_some(publisher)
        });
        // Those on interest, currencies and commodities begin with the stock market, a quarter of an hour after the others.
        let is_common = phase_in(calendar, Publisher::KisKrxDeriv, date, second) == Phase::Regular
            && !gathers(Publisher::KisKrx, second)
            && second < COMMON_UNTIL_S;
        Moment { phases, unshown, is_common }
    }

    fn phase(&self, publisher: Publisher) -> Phase {
        self.phases.iter().find(|(other, _)| *other == publisher).map_or(Phase::Untold, |(_, phase)| *phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: jiff::civil::Date, hour: i8, minute: i8) -> Moment {
        let second = hour as u32 * 3600 + minute as u32 * 60;
        Moment::at(Calendar::shipped(), kst::instant(date, second).unwrap())
    }

    #[test]
    fn trades_tick_in_continuous_trading_expected_prices_in_auctions_and_notices_of_status_whenever() {
        let expectations = Expectations::new();
        let friday = jiff::civil::date(2026, 11, 20);
        let (auction, trading, night) = (at(friday, 8, 55), at(friday, 10, 0), at(friday, 23, 0));
        assert_eq!(expectations.ticks("H0STCNT0", &trading), Some(Phase::Regular));
        assert_eq!(expectations.ticks("H0STCNT0", &auction), None);
        assert_eq!(expectations.ticks("H0STANC0", &auction), Some(Phase::OpeningAuction));
        assert_eq!(expectations.ticks("H0STANC0", &trading), None);
        assert_eq!(expectations.ticks("H0NXCNT0", &at(friday, 8, 15)), Some(Phase::PreMarket));
        assert_eq!(expectations.ticks("H0STMKO0", &trading), None);
        assert_eq!(expectations.ticks("X", &trading), None);
        assert!(expectations.in_session("H0STMKO0", &trading) && !expectations.in_session("H0STMKO0", &night));
        assert!(expectations.in_session("HDFSCNT0", &night), "hours that are not known");
        assert!(!expectations.in_session("H0STCNI0", &trading) && !expectations.in_session("H0STCNI0", &night));
    }

    #[test]
    fn expected_prices_are_awaited_from_ten_minutes_before_the_opening_and_not_while_orders_are_merely_taken() {
        let expectations = Expectations::new();
        let friday = jiff::civil::date(2026, 11, 20);
        for tr in ["H0STANC0", "H0UNANC0"] {
            assert_eq!(expectations.ticks(tr, &at(friday, 8, 30)), None, "{tr}");
            assert_eq!(expectations.ticks(tr, &at(friday, 8, 49)), None, "{tr}");
            assert_eq!(expectations.ticks(tr, &at(friday, 8, 50)), Some(Phase::OpeningAuction), "{tr}");
            assert_eq!(expectations.ticks(tr, &at(friday, 15, 25)), Some(Phase::ClosingAuction), "{tr}");
        }
    }

    #[test]
    fn derivatives_show_expected_prices_from_five_minutes_before_the_opening() {
        let expectations = Expectations::new();
        for (day, hour) in [(jiff::civil::date(2026, 11, 20), 8), (jiff::civil::date(2026, 11, 19), 9)] {
            for tr in ["H0ZFANC0", "H0ZOANC0"] {
                assert_eq!(expectations.ticks(tr, &at(day, hour, 39)), None, "{tr} {day}");
                assert_eq!(expectations.ticks(tr, &at(day, hour, 40)), Some(Phase::OpeningAuction), "{tr} {day}");
            }
        }
    }

    #[test]
    fn contracts_on_currencies_are_awaited_when_those_on_indices_have_traded_for_a_quarter_of_an_hour() {
        let expectations = Expectations::new();
        let ordinary = jiff::civil::date(2026, 11, 20);
        for tr in ["H0CFCNT0", "H0CFASP0"] {
            for (hour, minute, awaited) in
                [(8, 46, false), (8, 59, false), (9, 0, true), (15, 34, true), (15, 35, false)]
            {
                let moment = at(ordinary, hour, minute);
                assert_eq!(expectations.ticks(tr, &moment).is_some(), awaited, "{tr} {hour}:{minute:02}");
                assert!(expectations.in_session(tr, &moment), "{tr} {hour}:{minute:02}");
            }
            // On the exam's day they begin an hour later, and end as ever.
            let exam = jiff::civil::date(2026, 11, 19);
            for (hour, minute, awaited) in [(9, 50, false), (10, 0, true), (15, 34, true), (15, 50, false)] {
                assert_eq!(
                    expectations.ticks(tr, &at(exam, hour, minute)).is_some(),
                    awaited,
                    "{tr} {hour}:{minute:02}"
                );
            }
            assert_eq!(expectations.ticks(tr, &at(jiff::civil::date(2026, 11, 21), 10, 0)), None, "a Saturday");
        }
        assert_eq!(expectations.ticks("H0IFCNT0", &at(ordinary, 8, 46)), Some(Phase::Regular));
        assert_eq!(expectations.ticks("H0ZFCNT0", &at(ordinary, 8, 46)), Some(Phase::Regular));
    }

    #[test]
    fn indices_and_elws_are_silent_after_the_close_and_the_single_price_session_whenever_it_likes() {
        let expectations = Expectations::new();
        let friday = jiff::civil::date(2026, 11, 20);
        for tr in ["H0UPCNT0", "H0EWCNT0", "H0EWASP0"] {
            assert_eq!(expectations.ticks(tr, &at(friday, 10, 0)), Some(Phase::Regular), "{tr}");
            assert_eq!(expectations.ticks(tr, &at(friday, 17, 0)), None, "{tr}");
        }
        assert_eq!(expectations.ticks("H0STCNT0", &at(friday, 17, 0)), Some(Phase::AfterMarket));
        for tr in ["H0STOUP0", "H0STOAC0", "H0STOAA0"] {
            assert!([8, 10, 17].iter().all(|hour| expectations.ticks(tr, &at(friday, *hour, 5)).is_none()), "{tr}");
        }
    }

    #[test]
    fn weekends_and_holidays_have_no_session_and_an_operator_may_add_one() {
        let expectations = Expectations::new();
        // A Saturday, Christmas, the last day of a year.
        for day in [jiff::civil::date(2026, 11, 21), jiff::civil::date(2026, 12, 25), jiff::civil::date(2026, 12, 31)] {
            let closed = at(day, 10, 0);
            assert!(expectations.ticks("H0STCNT0", &closed).is_none(), "{day}");
            assert!(!expectations.in_session("H0STCNT0", &closed), "{day}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[[close]]\ndate = 2026-11-24\nreason = \"a snow storm\"\n").unwrap();
        let calendar = Calendar::shipped().with_overrides(file.path()).unwrap();
        let ten = kst::instant(jiff::civil::date(2026, 11, 24), 36_000).unwrap();
        assert!(expectations.in_session("H0STCNT0", &Moment::at(Calendar::shipped(), ten)));
        assert!(!expectations.in_session("H0STCNT0", &Moment::at(&calendar, ten)));
    }

    #[test]
    fn on_the_exams_day_and_the_first_of_a_year_trading_begins_an_hour_later() {
        let expectations = Expectations::new();
        for day in [jiff::civil::date(2026, 11, 19), jiff::civil::date(2026, 1, 2)] {
            assert_eq!(expectations.ticks("H0STCNT0", &at(day, 9, 30)), None, "{day}");
            assert_eq!(expectations.ticks("H0STANC0", &at(day, 9, 45)), None, "{day}");
            assert_eq!(expectations.ticks("H0STANC0", &at(day, 9, 55)), Some(Phase::OpeningAuction), "{day}");
            assert_eq!(expectations.ticks("H0STCNT0", &at(day, 10, 1)), Some(Phase::Regular), "{day}");
        }
        let exam = jiff::civil::date(2026, 11, 19);
        assert_eq!(expectations.ticks("H0STCNT0", &at(exam, 15, 45)), Some(Phase::Regular), "it ends later, too");
    }
}
