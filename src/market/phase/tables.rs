//! What each venue does when, on each kind of day; sources and assumptions stand above [`phase_at`](super::phase_at)'s module.

use super::Phase;
use crate::tick::Publisher;

/// Beginnings of phases in seconds since midnight, ascending; a day begins closed.
pub(super) type Table = &'static [(u32, Phase)];

pub(super) const fn at(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3600 + minute * 60 + second
}

const KRX: Table = &[
    (at(8, 30, 0), Phase::OpeningAuction),
    (at(9, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 30, 0), Phase::Closed),
    (at(15, 40, 0), Phase::ClosingPrice),
    (at(16, 0, 0), Phase::SinglePrice),
    (at(18, 0, 0), Phase::Closed),
];

const KRX_FROM_2026_09_14: Table = &[
    (at(8, 30, 0), Phase::OpeningAuction),
    (at(9, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 30, 0), Phase::Closed),
    (at(15, 40, 0), Phase::ClosingPrice),
    (at(16, 0, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const NXT: Table = &[
    (at(8, 0, 0), Phase::PreMarket),
    (at(8, 50, 0), Phase::Closed),
    (at(9, 0, 30), Phase::Regular),
    (at(15, 20, 0), Phase::Closed),
    (at(15, 30, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

/// Both exchanges on one feed: what one does while the other is closed, KRX where both are open. KRX's closing print may be
/// stamped up to a minute after 15:30.
const UNIFIED: Table = &[
    (at(8, 0, 0), Phase::PreMarket),
    (at(8, 50, 0), Phase::OpeningAuction),
    (at(9, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 31, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const DERIVATIVES: Table = &[
    (at(8, 30, 0), Phase::OpeningAuction),
    (at(8, 45, 0), Phase::Regular),
    (at(15, 35, 0), Phase::ClosingAuction),
    (at(15, 45, 0), Phase::Closed),
];

const NIGHT: Table = &[(0, Phase::Night), (at(6, 0, 0), Phase::Closed), (at(18, 0, 0), Phase::Night)];

const KRX_FIRST_DAY: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(10, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 30, 0), Phase::Closed),
    (at(15, 40, 0), Phase::ClosingPrice),
    (at(16, 0, 0), Phase::SinglePrice),
    (at(18, 0, 0), Phase::Closed),
];

const KRX_FIRST_DAY_FROM_2027: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(10, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 30, 0), Phase::Closed),
    (at(15, 40, 0), Phase::ClosingPrice),
    (at(16, 0, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const KRX_EXAM: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(10, 0, 0), Phase::Regular),
    (at(16, 20, 0), Phase::ClosingAuction),
    (at(16, 30, 0), Phase::Closed),
    (at(16, 40, 0), Phase::ClosingPrice),
    (at(17, 0, 0), Phase::SinglePrice),
    (at(18, 0, 0), Phase::Closed),
];

const KRX_EXAM_FROM_2026: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(10, 0, 0), Phase::Regular),
    (at(16, 20, 0), Phase::ClosingAuction),
    (at(16, 30, 0), Phase::Closed),
    (at(16, 40, 0), Phase::ClosingPrice),
    (at(17, 0, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const NXT_FIRST_DAY: Table = &[
    (at(10, 0, 30), Phase::Regular),
    (at(15, 20, 0), Phase::Closed),
    (at(15, 30, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

/// The main market begins on the hour.
const NXT_EXAM: Table = &[
    (at(10, 0, 0), Phase::Regular),
    (at(16, 20, 0), Phase::Closed),
    (at(16, 30, 0), Phase::AfterAuction),
    (at(16, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

/// Without a pre-market, KRX's opening auction is all there is before the opening.
const UNIFIED_FIRST_DAY: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(10, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 31, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const UNIFIED_EXAM: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(10, 0, 0), Phase::Regular),
    (at(16, 20, 0), Phase::ClosingAuction),
    (at(16, 31, 0), Phase::AfterAuction),
    (at(16, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const DERIVATIVES_FIRST_DAY: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(9, 45, 0), Phase::Regular),
    (at(15, 35, 0), Phase::ClosingAuction),
    (at(15, 45, 0), Phase::Closed),
];

const DERIVATIVES_EXAM: Table = &[
    (at(9, 30, 0), Phase::OpeningAuction),
    (at(9, 45, 0), Phase::Regular),
    (at(16, 35, 0), Phase::ClosingAuction),
    (at(16, 45, 0), Phase::Closed),
];

const NIGHT_EXAM: Table = &[(0, Phase::Night), (at(6, 0, 0), Phase::Closed), (at(19, 0, 0), Phase::Night)];

/// What kind of trading day a date is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    Ordinary,
    /// First trading day of the year.
    First,
    /// College entrance exam.
    Exam,
}

/// Which table holds for a venue on a kind of day from a date (decimal YYYYMMDD) on; of several the last that has begun. A
/// special day without a table of its own is as an ordinary one.
pub(super) const TABLES: [(Publisher, Day, u32, Table); 17] = [
    (Publisher::KisKrx, Day::Ordinary, 0, KRX),
    (Publisher::KisKrx, Day::Ordinary, 20_260_914, KRX_FROM_2026_09_14),
    (Publisher::KisKrx, Day::First, 0, KRX_FIRST_DAY),
    (Publisher::KisKrx, Day::First, 20_260_914, KRX_FIRST_DAY_FROM_2027),
    (Publisher::KisKrx, Day::Exam, 0, KRX_EXAM),
    (Publisher::KisKrx, Day::Exam, 20_260_914, KRX_EXAM_FROM_2026),
    (Publisher::KisNxt, Day::Ordinary, 20_250_304, NXT),
    (Publisher::KisNxt, Day::First, 20_250_304, NXT_FIRST_DAY),
    (Publisher::KisNxt, Day::Exam, 20_250_304, NXT_EXAM),
    (Publisher::KisUn, Day::Ordinary, 20_250_304, UNIFIED),
    (Publisher::KisUn, Day::First, 20_250_304, UNIFIED_FIRST_DAY),
    (Publisher::KisUn, Day::Exam, 20_250_304, UNIFIED_EXAM),
    (Publisher::KisKrxDeriv, Day::Ordinary, 0, DERIVATIVES),
    (Publisher::KisKrxDeriv, Day::First, 0, DERIVATIVES_FIRST_DAY),
    (Publisher::KisKrxDeriv, Day::Exam, 0, DERIVATIVES_EXAM),
    (Publisher::KisKrxNight, Day::Ordinary, 0, NIGHT),
    (Publisher::KisKrxNight, Day::Exam, 0, NIGHT_EXAM),
];

/// The special days, decimal YYYYMMDD. 2027 is projected: the exchange publishes its list each December.
const SPECIAL_DAYS: [(u32, Day); 8] = [
    (20_240_102, Day::First),
    (20_241_114, Day::Exam),
    (20_250_102, Day::First),
    (20_251_113, Day::Exam),
    (20_260_102, Day::First),
    (20_261_119, Day::Exam),
    (20_270_104, Day::First),
    (20_271_118, Day::Exam),
];

pub(super) fn table(publisher: Publisher, date: u32) -> Option<Table> {
    let day = SPECIAL_DAYS.iter().find(|(special, _)| *special == date).map_or(Day::Ordinary, |(_, day)| *day);
    let of = |day| {
        let holds = |(venue, kind, from, _): &&_| *venue == publisher && *kind == day && *from <= date;
        TABLES.iter().rev().find(holds).map(|(.., table)| *table)
    };
    of(day).or_else(|| of(Day::Ordinary))
}
