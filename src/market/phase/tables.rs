//! What each venue does when, on each kind of day; sources and assumptions stand above [`phase_at`](super::phase_at)'s module.

use super::Phase;
use crate::tick::Publisher;

/// Beginnings of phases in seconds since midnight, ascending; a day begins closed. A night that ends the next morning ends
/// beyond 24 hours.
pub(in crate::market) type Table = &'static [(u32, Phase)];

pub(in crate::market) const fn at(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3600 + minute * 60 + second
}

const MINUTE: u32 = 60;

/// A day of KRX: the closing auction takes the last ten minutes, closing-price trading begins ten minutes after the close and
/// takes twenty, the evening follows.
const fn krx(auction: u32, open: u32, close: u32, evening: Phase, end: u32) -> [(u32, Phase); 7] {
    [
        (auction, Phase::OpeningAuction),
        (open, Phase::Regular),
        (close - 10 * MINUTE, Phase::ClosingAuction),
        (close, Phase::Closed),
        (close + 10 * MINUTE, Phase::ClosingPrice),
        (close + 30 * MINUTE, evening),
        (end, Phase::Closed),
    ]
}

/// The same before 2019-04-29: closing-price trading began half an hour before the order entry for the opening auction, and
/// went on beside it for another half ([`BESIDE`]).
const fn krx_before_2019(auction: u32, open: u32, close: u32) -> [(u32, Phase); 8] {
    let [a, b, c, d, e, f, g] = krx(auction, open, close, Phase::SinglePrice, at(18, 0, 0));
    [(auction - 30 * MINUTE, Phase::ClosingPrice), a, b, c, d, e, f, g]
}

const fn nxt(open: u32, close: u32) -> [(u32, Phase); 5] {
    [
        (open, Phase::Regular),
        (close - 10 * MINUTE, Phase::Closed),
        (close, Phase::AfterAuction),
        (close + 10 * MINUTE, Phase::AfterMarket),
        (at(20, 0, 0), Phase::Closed),
    ]
}

/// Both exchanges on one feed: what one does while the other is closed, KRX where both are open. KRX's closing print may be
/// stamped up to a minute after the close.
const fn unified(auction: u32, open: u32, close: u32) -> [(u32, Phase); 6] {
    [
        (auction, Phase::OpeningAuction),
        (open, Phase::Regular),
        (close - 10 * MINUTE, Phase::ClosingAuction),
        (close + MINUTE, Phase::AfterAuction),
        (close + 10 * MINUTE, Phase::AfterMarket),
        (at(20, 0, 0), Phase::Closed),
    ]
}

const fn derivatives(auction: u32, open: u32, close: u32) -> [(u32, Phase); 4] {
    [
        (auction, Phase::OpeningAuction),
        (open, Phase::Regular),
        (close - 10 * MINUTE, Phase::ClosingAuction),
        (close, Phase::Closed),
    ]
}

const fn night(open: u32) -> [(u32, Phase); 2] {
    [(open, Phase::Night), (at(30, 0, 0), Phase::Closed)]
}

const NXT_ORDINARY: Table = &[
    (at(8, 0, 0), Phase::PreMarket),
    (at(8, 50, 0), Phase::Closed),
    (at(9, 0, 30), Phase::Regular),
    (at(15, 20, 0), Phase::Closed),
    (at(15, 30, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const UNIFIED_ORDINARY: Table = &[
    (at(8, 0, 0), Phase::PreMarket),
    (at(8, 50, 0), Phase::OpeningAuction),
    (at(9, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 31, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

/// What kind of trading day a date is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayKind {
    /// Any other.
    Ordinary,
    /// First trading day of the year: the opening ceremony, trading begins an hour later.
    FirstTradingDay,
    /// College entrance exam: trading begins and ends an hour later.
    CollegeEntranceExam,
}

impl DayKind {
    /// Why the hours are other than usual.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            DayKind::Ordinary => None,
            DayKind::FirstTradingDay => Some("first trading day of the year"),
            DayKind::CollegeEntranceExam => Some("college entrance exam (CSAT)"),
        }
    }
}

use DayKind::{CollegeEntranceExam as Exam, FirstTradingDay as First, Ordinary};
use Phase::{AfterMarket, SinglePrice};
use Publisher::{KisKrx, KisKrxDeriv, KisKrxNight, KisNxt, KisUn};

/// Which table holds for a venue on a kind of day from a date (decimal YYYYMMDD) on; of several the last that has begun. A
/// special day without a table of its own is as an ordinary one, a date before the first is before the venue.
pub(super) const TABLES: [(Publisher, DayKind, u32, Table); 32] = [
    (KisKrx, Ordinary, 0, &krx_before_2019(at(8, 0, 0), at(9, 0, 0), at(15, 0, 0))),
    (KisKrx, Ordinary, 20_160_801, &krx_before_2019(at(8, 0, 0), at(9, 0, 0), at(15, 30, 0))),
    (KisKrx, Ordinary, 20_190_429, &krx(at(8, 30, 0), at(9, 0, 0), at(15, 30, 0), SinglePrice, at(18, 0, 0))),
    (KisKrx, Ordinary, 20_260_914, &krx(at(8, 30, 0), at(9, 0, 0), at(15, 30, 0), AfterMarket, at(20, 0, 0))),
    (KisKrx, First, 0, &krx_before_2019(at(9, 0, 0), at(10, 0, 0), at(15, 0, 0))),
    (KisKrx, First, 20_160_801, &krx_before_2019(at(9, 0, 0), at(10, 0, 0), at(15, 30, 0))),
    (KisKrx, First, 20_190_429, &krx(at(9, 30, 0), at(10, 0, 0), at(15, 30, 0), SinglePrice, at(18, 0, 0))),
    (KisKrx, First, 20_260_914, &krx(at(9, 30, 0), at(10, 0, 0), at(15, 30, 0), AfterMarket, at(20, 0, 0))),
    (KisKrx, Exam, 0, &krx_before_2019(at(9, 0, 0), at(10, 0, 0), at(16, 0, 0))),
    (KisKrx, Exam, 20_160_801, &krx_before_2019(at(9, 0, 0), at(10, 0, 0), at(16, 30, 0))),
    (KisKrx, Exam, 20_190_429, &krx(at(9, 30, 0), at(10, 0, 0), at(16, 30, 0), SinglePrice, at(18, 0, 0))),
    (KisKrx, Exam, 20_260_914, &krx(at(9, 30, 0), at(10, 0, 0), at(16, 30, 0), AfterMarket, at(20, 0, 0))),
    (KisNxt, Ordinary, 20_250_304, NXT_ORDINARY),
    (KisNxt, First, 20_250_304, &nxt(at(10, 0, 30), at(15, 30, 0))),
    // The main market begins on the hour.
    (KisNxt, Exam, 20_250_304, &nxt(at(10, 0, 0), at(16, 30, 0))),
    (KisUn, Ordinary, 20_250_304, UNIFIED_ORDINARY),
    // Without a pre-market, KRX's opening auction is all there is before the opening.
    (KisUn, First, 20_250_304, &unified(at(9, 30, 0), at(10, 0, 0), at(15, 30, 0))),
    (KisUn, Exam, 20_250_304, &unified(at(9, 30, 0), at(10, 0, 0), at(16, 30, 0))),
    (KisKrxDeriv, Ordinary, 0, &derivatives(at(8, 0, 0), at(9, 0, 0), at(15, 15, 0))),
    (KisKrxDeriv, Ordinary, 20_160_801, &derivatives(at(8, 0, 0), at(9, 0, 0), at(15, 45, 0))),
    (KisKrxDeriv, Ordinary, 20_190_429, &derivatives(at(8, 30, 0), at(9, 0, 0), at(15, 45, 0))),
    (KisKrxDeriv, Ordinary, 20_230_731, &derivatives(at(8, 30, 0), at(8, 45, 0), at(15, 45, 0))),
    (KisKrxDeriv, First, 0, &derivatives(at(9, 0, 0), at(10, 0, 0), at(15, 15, 0))),
    (KisKrxDeriv, First, 20_160_801, &derivatives(at(9, 0, 0), at(10, 0, 0), at(15, 45, 0))),
    (KisKrxDeriv, First, 20_190_429, &derivatives(at(9, 30, 0), at(10, 0, 0), at(15, 45, 0))),
    (KisKrxDeriv, First, 20_230_731, &derivatives(at(9, 30, 0), at(9, 45, 0), at(15, 45, 0))),
    (KisKrxDeriv, Exam, 0, &derivatives(at(9, 0, 0), at(10, 0, 0), at(16, 15, 0))),
    (KisKrxDeriv, Exam, 20_160_801, &derivatives(at(9, 0, 0), at(10, 0, 0), at(16, 45, 0))),
    (KisKrxDeriv, Exam, 20_190_429, &derivatives(at(9, 30, 0), at(10, 0, 0), at(16, 45, 0))),
    (KisKrxDeriv, Exam, 20_230_731, &derivatives(at(9, 30, 0), at(9, 45, 0), at(16, 45, 0))),
    (KisKrxNight, Ordinary, 20_250_609, &night(at(18, 0, 0))),
    (KisKrxNight, Exam, 20_250_609, &night(at(19, 0, 0))),
];

/// Closing-price trading that runs beside other phases, from when to when, by venue, kind of day and date as in [`TABLES`].
pub(super) const BESIDE: [(Publisher, DayKind, u32, (u32, u32)); 8] = [
    (KisKrx, Ordinary, 0, (at(7, 30, 0), at(8, 30, 0))),
    (KisKrx, Ordinary, 20_190_429, (at(8, 30, 0), at(8, 40, 0))),
    (KisKrx, First, 0, (at(8, 30, 0), at(9, 30, 0))),
    (KisKrx, First, 20_190_429, (at(9, 30, 0), at(9, 40, 0))),
    (KisKrx, Exam, 0, (at(8, 30, 0), at(9, 30, 0))),
    (KisKrx, Exam, 20_190_429, (at(9, 30, 0), at(9, 40, 0))),
    (KisNxt, Ordinary, 20_250_304, (at(15, 30, 0), at(16, 0, 0))),
    (KisNxt, Exam, 20_250_304, (at(16, 30, 0), at(17, 0, 0))),
];

/// When closing-price trading runs beside what the table tells; `None` where it does not.
pub(in crate::market) fn beside(publisher: Publisher, kind: DayKind, date: u32) -> Option<(u32, u32)> {
    latest(&BESIDE, publisher, kind, date)
}

/// What of a venue's day is assumed: on which kinds of day, from which date on and before which.
const ASSUMED: [(Publisher, &[DayKind], u32, u32, &str); 5] = [
    (KisKrx, &[Exam], 20_260_914, u32::MAX, "the after-market begins an hour later, and ends at 20:00"),
    (KisKrx, &[First, Exam], 0, u32::MAX, "the opening auction takes as long as ever"),
    (KisKrx, &[Ordinary, First, Exam], 0, 20_160_801, "closing-price trading and auctions took as long as later"),
    (KisKrxDeriv, &[First, Exam], 0, u32::MAX, "the opening auction takes as long as ever"),
    (KisKrxDeriv, &[Ordinary, First, Exam], 0, 20_190_429, "orders were taken when the stock market took them"),
];

/// What of a venue's day is assumed.
pub(in crate::market) fn assumed(publisher: Publisher, kind: DayKind, date: u32) -> impl Iterator<Item = &'static str> {
    let of_day = move |(venue, kinds, from, before, _): &&(Publisher, &[DayKind], u32, u32, &str)| {
        *venue == publisher && kinds.contains(&kind) && (*from..*before).contains(&date)
    };
    ASSUMED.iter().filter(of_day).map(|(.., what)| *what)
}

/// What holds for a venue on a kind of day; `None` for one that is not known here, or not yet open on that date.
pub(in crate::market) fn table(publisher: Publisher, kind: DayKind, date: u32) -> Option<Table> {
    latest(&TABLES, publisher, kind, date)
}

fn latest<T: Copy>(rows: &[(Publisher, DayKind, u32, T)], publisher: Publisher, kind: DayKind, date: u32) -> Option<T> {
    let of = |kind| {
        let holds = |(venue, of_kind, from, _): &&_| *venue == publisher && *of_kind == kind && *from <= date;
        rows.iter().rev().find(holds).map(|(.., found)| *found)
    };
    of(kind).or_else(|| of(Ordinary))
}
