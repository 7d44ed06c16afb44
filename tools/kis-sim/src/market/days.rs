//! Which dates are trading days, which of them are special, and what both venues do when: a table of the simulator's own,
//! so that it and a client's calendar check each other.
//!
//! - KRX: orders for the opening auction from 08:30, its expected prices and books shown for the last ten minutes, continuous
//!   09:00-15:20, closing auction to 15:30, closing-price trading 15:40-16:00; then the after-market to 20:00, until
//!   2026-09-11 a single price each ten minutes to 18:00. Closing-price trading before the opening is not played.
//! - NXT from 2025-03-04: pre-market 08:00-08:50, main market 09:00:30-15:20, auction 15:30-15:40, after-market to 20:00.
//! - First trading day of a year: the opening an hour later, NXT without a pre-market.
//! - College entrance exam: the same, and all up to the after-market an hour later; its end stays. NXT opens on the hour.
//!
//! Dates before 2019-04-29, whose mornings were others, are played by the hours of that day.

use jiff::civil::{Date, Weekday};

use crate::config::VenueName;
use crate::market::phases::Phase;

/// Seconds of a day at which phases begin; a day begins closed. A phase named twice in a row begins a new round.
type Table = &'static [(u32, Phase)];

const fn at(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3600 + minute * 60 + second
}

/// Rounds of single price on an ordinary day, and their end.
const ROUNDS: usize = 13;

const fn krx(open: u32, close: u32) -> [(u32, Phase); 8] {
    [
        (open - at(0, 30, 0), Phase::OrderEntry),
        (open - at(0, 10, 0), Phase::OpeningAuction),
        (open, Phase::Regular),
        (close - at(0, 10, 0), Phase::ClosingAuction),
        (close, Phase::Closed),
        (close + at(0, 10, 0), Phase::ClosingPrice),
        (close + at(0, 30, 0), Phase::AfterMarket),
        (at(20, 0, 0), Phase::Closed),
    ]
}

/// The same with a round of single-price trading each ten minutes to 18:00; what is left of the table is closed.
const fn krx_single_price(open: u32, close: u32) -> [(u32, Phase); 6 + ROUNDS] {
    let day = krx(open, close);
    let mut table = [(at(18, 0, 0), Phase::Closed); 6 + ROUNDS];
    let mut index = 0;
    while index < 6 {
        table[index] = day[index];
        index += 1;
    }
    let mut round = close + at(0, 30, 0);
    while round < at(18, 0, 0) {
        table[index] = (round, Phase::SinglePrice);
        index += 1;
        round += at(0, 10, 0);
    }
    table
}

const fn nxt(open: u32, close: u32) -> [(u32, Phase); 5] {
    [
        (open, Phase::Regular),
        (close - at(0, 10, 0), Phase::Closed),
        (close, Phase::AfterAuction),
        (close + at(0, 10, 0), Phase::AfterMarket),
        (at(20, 0, 0), Phase::Closed),
    ]
}

const KRX: Table = &krx(at(9, 0, 0), at(15, 30, 0));
const KRX_FIRST: Table = &krx(at(10, 0, 0), at(15, 30, 0));
const KRX_EXAM: Table = &krx(at(10, 0, 0), at(16, 30, 0));
const KRX_UNTIL_2026: Table = &krx_single_price(at(9, 0, 0), at(15, 30, 0));
const KRX_FIRST_UNTIL_2026: Table = &krx_single_price(at(10, 0, 0), at(15, 30, 0));
const KRX_EXAM_UNTIL_2026: Table = &krx_single_price(at(10, 0, 0), at(16, 30, 0));

const NXT: Table = &[
    (at(8, 0, 0), Phase::PreMarket),
    (at(8, 50, 0), Phase::Closed),
    (at(9, 0, 30), Phase::Regular),
    (at(15, 20, 0), Phase::Closed),
    (at(15, 30, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];
const NXT_FIRST: Table = &nxt(at(10, 0, 30), at(15, 30, 0));
const NXT_EXAM: Table = &nxt(at(10, 0, 0), at(16, 30, 0));

/// Days of the college entrance exam, 2015 to 2027; 2017-11-16 was held open an hour later all the same.
const EXAMS: &str = "2015-11-12 2016-11-17 2017-11-16 2017-11-23 2018-11-15 2019-11-14 2020-12-03 2021-11-18 2022-11-17 \
    2023-11-16 2024-11-14 2025-11-13 2026-11-19 2027-11-18";

/// Which dates are trading days.
#[derive(Clone, Debug)]
pub struct TradingDays {
    closures: Vec<Date>,
    openings: Vec<Date>,
}

impl TradingDays {
    /// Weekdays but those on which KRX was or will be closed, less `closures`, and `openings` whatever they are.
    pub fn new(closures: &[Date], openings: &[Date]) -> Self {
        let listed = include_str!("../../data/closures.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(str::split_whitespace)
            .filter_map(|date| date.parse().ok());
        Self { closures: listed.chain(closures.iter().copied()).collect(), openings: openings.to_vec() }
    }

    /// Whether the venues trade on a date.
    pub fn contains(&self, date: Date) -> bool {
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        self.openings.contains(&date) || !is_weekend && !self.closures.contains(&date)
    }
}

/// The first day of Nextrade.
pub const NXT_SINCE: Date = jiff::civil::date(2025, 3, 4);

/// What both venues do on a date.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    krx: Table,
    nxt: Table,
}

impl Day {
    /// The day of a date.
    pub fn of(date: Date, days: &TradingDays) -> Self {
        if !days.contains(date) {
            return Self { krx: &[], nxt: &[] };
        }
        let is_exam = EXAMS.split_whitespace().any(|exam| exam.parse().is_ok_and(|exam: Date| exam == date));
        let mut earlier = date.first_of_year().series(jiff::Span::new().days(1)).take_while(|day| *day < date);
        let is_first = !earlier.any(|day| days.contains(day));
        let has_after_market = date >= jiff::civil::date(2026, 9, 14);
        let krx = match (is_exam, is_first, has_after_market) {
            (true, _, true) => KRX_EXAM,
            (true, _, false) => KRX_EXAM_UNTIL_2026,
            (_, true, true) => KRX_FIRST,
            (_, true, false) => KRX_FIRST_UNTIL_2026,
            (_, _, true) => KRX,
            (_, _, false) => KRX_UNTIL_2026,
        };
        let nxt = match (is_exam, is_first) {
            _ if date < NXT_SINCE => &[],
            (true, _) => NXT_EXAM,
            (_, true) => NXT_FIRST,
            _ => NXT,
        };
        Self { krx, nxt }
    }

    fn table(&self, venue: VenueName) -> Table {
        match venue {
            VenueName::Krx => self.krx,
            VenueName::Nxt => self.nxt,
        }
    }

    /// The phase of a venue at a second of the day.
    pub fn phase_at(&self, venue: VenueName, second: u32) -> Phase {
        self.table(venue).iter().rev().find(|(start, _)| *start <= second).map_or(Phase::Closed, |(_, phase)| *phase)
    }

    /// The first second after `second` at which either venue changes phase or begins a new round of one.
    pub fn next_change(&self, second: u32) -> Option<u32> {
        self.krx.iter().chain(self.nxt).map(|(start, _)| *start).filter(|start| *start > second).min()
    }

    /// Whether a phase, or a round of one, begins on a venue at a second.
    pub fn begins(&self, venue: VenueName, second: u32) -> bool {
        self.table(venue).iter().any(|(start, _)| *start == second)
    }

    /// When KRX opens, and when its closing auction is over; `None` on a day without trading.
    pub fn regular(&self) -> Option<(u32, u32)> {
        let place = |phase| self.krx.iter().position(|(_, known)| *known == phase);
        let (opening, auction) = (place(Phase::Regular)?, place(Phase::ClosingAuction)?);
        Some((self.krx[opening].0, self.krx.get(auction + 1)?.0))
    }

    /// When the single-price session of KRX begins; `None` on a day without one.
    pub fn single_price(&self) -> Option<u32> {
        self.krx.iter().find(|(_, phase)| *phase == Phase::SinglePrice).map(|(start, _)| *start)
    }

    /// Whether a venue has traded before `second` on that day.
    pub fn has_traded(&self, venue: VenueName, second: u32) -> bool {
        self.table(venue).iter().any(|(start, phase)| phase.is_continuous() && *start < second)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use VenueName::{Krx, Nxt};

    fn day(year: i16, month: i8, day: i8) -> Day {
        Day::of(date(year, month, day), &TradingDays::new(&[], &[]))
    }

    #[test]
    fn an_ordinary_day_since_the_after_market_of_krx() {
        let day = day(2026, 11, 20);
        for (second, phase) in [
            (at(8, 29, 59), Phase::Closed),
            (at(8, 30, 0), Phase::OrderEntry),
            (at(8, 59, 59), Phase::OpeningAuction),
            (at(9, 0, 0), Phase::Regular),
            (at(15, 20, 0), Phase::ClosingAuction),
            (at(15, 35, 0), Phase::Closed),
            (at(15, 40, 0), Phase::ClosingPrice),
            (at(17, 0, 0), Phase::AfterMarket),
            (at(20, 0, 0), Phase::Closed),
        ] {
            assert_eq!(day.phase_at(Krx, second), phase, "{second}");
        }
        assert_eq!(day.phase_at(Nxt, at(9, 0, 29)), Phase::Closed);
        assert_eq!(day.phase_at(Nxt, at(9, 0, 30)), Phase::Regular);
        assert_eq!(day.next_change(at(9, 0, 0)), Some(at(9, 0, 30)));
        assert_eq!(day.next_change(at(20, 0, 0)), None);
        assert!(day.has_traded(Nxt, at(8, 59, 59)) && !day.has_traded(Krx, at(8, 59, 59)));
    }

    #[test]
    fn until_2026_09_11_a_round_of_single_prices_ends_each_ten_minutes() {
        let day = day(2026, 9, 11);
        assert_eq!(day.phase_at(Krx, at(17, 59, 59)), Phase::SinglePrice);
        assert_eq!(day.phase_at(Krx, at(18, 0, 0)), Phase::Closed);
        let rounds = (0..86_400).filter(|second| *second >= at(16, 0, 0) && day.begins(Krx, *second));
        assert_eq!(
            rounds.map(|second| second / 60 % 60).collect::<Vec<_>>(),
            [0, 10, 20, 30, 40, 50].repeat(2).into_iter().chain([0]).collect::<Vec<_>>()
        );
        assert_eq!(self::day(2026, 9, 14).phase_at(Krx, at(17, 0, 0)), Phase::AfterMarket);
    }

    #[test]
    fn special_days_begin_at_ten_and_only_the_exam_ends_later() {
        for day in [day(2026, 1, 2), day(2027, 1, 4), day(2026, 11, 19)] {
            assert_eq!(day.phase_at(Krx, at(9, 59, 59)), Phase::OpeningAuction);
            assert_eq!(day.phase_at(Krx, at(10, 0, 0)), Phase::Regular);
            assert_eq!(day.phase_at(Nxt, at(8, 30, 0)), Phase::Closed);
        }
        assert_eq!(day(2026, 1, 2).phase_at(Krx, at(15, 25, 0)), Phase::ClosingAuction);
        assert_eq!(day(2026, 1, 2).phase_at(Krx, at(16, 5, 0)), Phase::SinglePrice);
        assert_eq!(day(2027, 1, 4).phase_at(Krx, at(16, 5, 0)), Phase::AfterMarket);
        assert_eq!(day(2026, 11, 19).phase_at(Krx, at(16, 25, 0)), Phase::ClosingAuction);
        assert_eq!(day(2026, 11, 19).phase_at(Krx, at(17, 0, 0)), Phase::AfterMarket);
        assert_eq!(day(2025, 11, 13).phase_at(Krx, at(17, 55, 0)), Phase::SinglePrice);
        assert_eq!(day(2026, 1, 5).phase_at(Krx, at(9, 0, 0)), Phase::Regular, "the second trading day");
    }

    #[test]
    fn the_regular_session_is_known_on_every_kind_of_day() {
        for (date, hours) in [
            (day(2026, 11, 20), Some((at(9, 0, 0), at(15, 30, 0)))),
            (day(2026, 9, 11), Some((at(9, 0, 0), at(15, 30, 0)))),
            (day(2027, 1, 4), Some((at(10, 0, 0), at(15, 30, 0)))),
            (day(2026, 11, 19), Some((at(10, 0, 0), at(16, 30, 0)))),
            (day(2025, 11, 13), Some((at(10, 0, 0), at(16, 30, 0)))),
            (day(2026, 11, 21), None),
        ] {
            assert_eq!(date.regular(), hours);
        }
        let begins = [day(2026, 9, 11), day(2025, 11, 13), day(2026, 9, 14)].map(|day| day.single_price());
        assert_eq!(begins, [Some(at(16, 0, 0)), Some(at(17, 0, 0)), None]);
    }

    #[test]
    fn holidays_weekends_and_closures_of_the_configuration_are_closed_all_day() {
        let closed = |date: Date, more: &[Date]| Day::of(date, &TradingDays::new(more, &[])).next_change(0).is_none();
        assert!(closed(date(2026, 12, 25), &[]) && closed(date(2026, 11, 21), &[]));
        assert!(!closed(date(2026, 11, 24), &[]) && closed(date(2026, 11, 24), &[date(2026, 11, 24)]));
        let saturday = date(2026, 11, 21);
        assert!(TradingDays::new(&[], &[saturday]).contains(saturday));
    }

    #[test]
    fn every_table_ascends_and_nxt_began_in_2025() {
        let tables =
            [KRX, KRX_FIRST, KRX_EXAM, KRX_UNTIL_2026, KRX_FIRST_UNTIL_2026, KRX_EXAM_UNTIL_2026, NXT, NXT_FIRST];
        assert!(tables.iter().all(|table| table.is_sorted_by_key(|(start, _)| *start)));
        assert!(KRX_UNTIL_2026.ends_with(&[(at(18, 0, 0), Phase::Closed)]));
        assert_eq!(day(2025, 3, 3).phase_at(Nxt, at(10, 0, 0)), Phase::Closed);
        assert_eq!(day(2025, 2, 28).phase_at(Nxt, at(10, 0, 0)), Phase::Closed);
        assert_eq!(day(2025, 3, 4).phase_at(Nxt, at(10, 0, 0)), Phase::Regular);
    }
}
