//! Phases of a trading day: what a venue does at a time of day, from which date on, and in which phase a trade happened.
//!
//! Which days are trading days, and which of them are special, [`calendar`](super::calendar) knows; a day is open or closed here
//! as there. The tables are data with dates. Sources:
//!
//! - KRX until 2026-09-11: auction from 08:30 (from 08:00 before 2019-04-29: etoday 1750105), continuous 09:00-15:20, closing
//!   auction to 15:30, closing-price trading 15:40-16:00, single price each ten minutes 16:00-18:00. Until 2016-07-29 the close
//!   was at 15:00, and what follows it half an hour earlier, but for the end at 18:00 (wowtv X20160728181845).
//! - KRX from 2026-09-14: after-market 16:00-20:00, continuous; the single-price session is abolished (notice of the
//!   exchange of June 2026, the broker's of 2026-09-09; first trades seen that day).
//! - NXT from 2025-03-04: pre-market 08:00-08:50, main market 09:00:30-15:20, auction 15:30-15:40, after-market to 20:00.
//! - KRX derivatives on stock indices: auction 08:30-08:45, day session to 15:35, closing auction to 15:45; opening at 09:00 until
//!   2023-07-28 (fnnews 202307061335562628, mediapen 834196), end at 15:15 until 2016-07-29. The tables are of these. The opening at
//!   08:45 holds for the large indices alone first, from 2024-11-04 for stocks, sectors and funds, too (economy21 1014215); contracts
//!   on interest, currencies and commodities open at 09:00 still. On the exam's day those on currencies and gold open an hour
//!   later, and close as ever (etoday 2298674).
//! - Night session of derivatives, KRX's own from 2025-06-09: 18:00-06:00, on the evening of every trading day (newsis
//!   NISX20250528_0003193347) but those the calendar names. Its auctions (order entry from 17:50, last ten minutes) are not told
//!   apart. The earlier night markets were those of CME and Eurex, and are not known here.
//! - First trading day of a year: the opening an hour later, at 10:00, the close as ever; derivatives a quarter of an hour
//!   before that, as on other days; NXT without a pre-market, its main market from 10:00:30 (notices of both exchanges of December
//!   2025; newspim 20220103000022, launchdog 8787277).
//! - Day of the college entrance exam: KRX 10:00-16:30, closing-price trading 16:40-17:00, single price 17:00-18:00;
//!   derivatives 09:45-16:45, their night session from 19:00; NXT without a pre-market, main market 10:00-16:20, auction
//!   16:30-16:40, after-market to 20:00 (notices for 2025-11-13). Before 2019-04-29 what precedes the opening an hour later, too
//!   (notice for 2017-11-16).
//!
//! The tables hold one phase at a time. Closing-price trading before the opening runs beside the opening auction (08:30-08:40,
//! before 2019-04-29 07:30-08:30; an hour later on both special days: sedaily 260PZ9EMKT, edaily 05520246642365064), that of NXT beside
//! its break and auction (15:30-16:00; an hour later on the exam's day: mediapen 1053536): a trade of it is told by its session
//! code, see [`phase_of_trade`], and a day of the calendar lists it beside the others.
//!
//! Assumed, since no notice was found, and said so of a day ([`Day::assumed`](super::calendar::Day::assumed)):
//!
//! - on the exam's day the after-market of KRX begins an hour later, at 17:00, and ends at 20:00 as ever;
//! - on both special days the opening auction takes as long as ever;
//! - before 2016-08-01 closing-price trading took twenty minutes from 15:10, and the auctions as long as later;
//! - derivatives took orders from 08:00 before 2019-04-29, as the stock market did;
//! - a night session is held on the evening before a holiday unless the calendar names it. Of an evening that it names without a notice
//!   of the exchange the night feed's hours are [`Phase::Untold`].

mod tables;

pub use self::tables::DayKind;
pub(super) use self::tables::{assumed, at, beside, table};
use super::calendar::{Calendar, Plan};
use super::kst;
use crate::tick::{Flags, Publisher, Trade, tr_name};

/// A print may be stamped this long after its session's end: auctions end at random within 30 s, and matching takes time.
const LATE: u32 = 60;
/// Until then in the morning a night session, and what is stamped late of it, is that of the evening before.
const NIGHT_ENDS: u32 = at(7, 0, 0);

/// What a venue does at a moment; of a trade: the session it belongs to.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Continuous trading before the regular session (NXT).
    PreMarket = 0,
    /// Call auction that opens the regular session.
    OpeningAuction = 1,
    /// Continuous trading of the regular session.
    Regular = 2,
    /// Call auction within continuous trading: a volatility interruption, or the resumption after a halt.
    MiddayAuction = 3,
    /// Call auction that closes the regular session.
    ClosingAuction = 4,
    /// Trading at a closing price, before the opening (the previous day's) or after the close.
    ClosingPrice = 5,
    /// Single-price trading each ten minutes after the close (KRX until 2026-09-11).
    SinglePrice = 6,
    /// Call auction that opens the after-market (NXT).
    AfterAuction = 7,
    /// Continuous trading after the close.
    AfterMarket = 8,
    /// Night session of derivatives.
    Night = 9,
    /// Negotiated: block and basket trades.
    Block = 10,
    /// Outside every session of the venue.
    Closed = 11,
    /// The venue's sessions are not known here (bonds, overseas), or not on that date.
    Untold = 12,
}

impl Phase {
    /// All phases in the order of their numbers.
    pub const ALL: [Phase; 13] = [
        Phase::PreMarket,
        Phase::OpeningAuction,
        Phase::Regular,
        Phase::MiddayAuction,
        Phase::ClosingAuction,
        Phase::ClosingPrice,
        Phase::SinglePrice,
        Phase::AfterAuction,
        Phase::AfterMarket,
        Phase::Night,
        Phase::Block,
        Phase::Closed,
        Phase::Untold,
    ];

    /// Name as in columns.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::PreMarket => "pre_market",
            Phase::OpeningAuction => "opening_auction",
            Phase::Regular => "regular",
            Phase::MiddayAuction => "midday_auction",
            Phase::ClosingAuction => "closing_auction",
            Phase::ClosingPrice => "closing_price",
            Phase::SinglePrice => "single_price",
            Phase::AfterAuction => "after_auction",
            Phase::AfterMarket => "after_market",
            Phase::Night => "night",
            Phase::Block => "block",
            Phase::Closed => "closed",
            Phase::Untold => "untold",
        }
    }

    /// Name in a calendar, where the regular session is what it is to an order: continuous.
    pub const fn calendar_name(self) -> &'static str {
        match self {
            Phase::Regular => "continuous",
            _ => self.name(),
        }
    }

    /// Whether orders are gathered and matched at one price.
    pub const fn is_auction(self) -> bool {
        matches!(self, Phase::OpeningAuction | Phase::MiddayAuction | Phase::ClosingAuction | Phase::AfterAuction)
    }

    /// Whether an order may be executed the moment it comes.
    pub const fn is_continuous(self) -> bool {
        matches!(self, Phase::PreMarket | Phase::Regular | Phase::AfterMarket | Phase::Night)
    }
}

/// The phase of a venue on a date (decimal YYYYMMDD, Korean) at a second since midnight, Korean time, as of a print: the minute
/// after a session belongs to it when nothing follows.
///
/// [`Phase::Closed`] on days on which the venue is closed. [`Phase::Untold`] for venues without a table, before a venue began,
/// and outside the years the calendar knows. What a venue does at an instant, without that minute, is
/// [`Calendar::phase_at`].
pub fn phase_at(publisher: Publisher, date: u32, second: u32) -> Phase {
    phase_in(Calendar::shipped(), publisher, date, second)
}

/// As [`phase_at`], by a calendar of one's own.
pub fn phase_in(calendar: &Calendar, publisher: Publisher, date: u32, second: u32) -> Phase {
    match Hours::of(calendar, publisher, date, second) {
        Err(phase) => phase,
        Ok(hours) => hours.phase(),
    }
}

/// The table that holds at a moment, and the moment in it.
struct Hours<'a> {
    table: &'a [(u32, Phase)],
    second: u32,
}

impl<'a> Hours<'a> {
    /// The phase itself where no table holds.
    fn of(calendar: &'a Calendar, publisher: Publisher, date: u32, second: u32) -> Result<Hours<'a>, Phase> {
        // A night session belongs to the day on which it began.
        let (date, second) = match publisher {
            Publisher::KisKrxNight if second < NIGHT_ENDS => {
                match kst::date_of(date).and_then(|date| date.yesterday().ok()) {
                    Some(yesterday) => (kst::number_of(yesterday), second + 86_400),
                    None => return Err(Phase::Untold),
                }
            }
            _ => (date, second),
        };
        match calendar.plan(publisher, date) {
            Plan::Untold => Err(Phase::Untold),
            Plan::Closed => Err(Phase::Closed),
            Plan::Table(table) => Ok(Hours { table, second }),
        }
    }

    /// Index of what began last.
    fn place(&self) -> Option<usize> {
        self.table.iter().rposition(|(start, _)| *start <= self.second)
    }

    fn phase(&self) -> Phase {
        match self.place() {
            None => Phase::Closed,
            Some(index) => match self.table[index] {
                (start, Phase::Closed) if index > 0 && self.second - start < LATE => self.table[index - 1].1,
                (_, phase) => phase,
            },
        }
    }

    /// What ran before, when another phase began within the last minute.
    fn before(&self) -> Option<Phase> {
        let index = self.place().filter(|index| *index > 0 && self.second - self.table[*index].0 < LATE)?;
        Some(self.table[index - 1].1)
    }
}

/// The session a trade belongs to; `date` and `second` are its event time, Korean.
///
/// - What the feed's session code says goes first: single price (`4.`), closing price (`.1`), block and basket (`.2`, `.3`);
///   a trade of the overtime session's own transaction is single price.
/// - A trade that the feed marks as matched in an auction (flag AUCTION) belongs to the auction that runs, or that ended within
///   the last minute; in the middle of continuous trading to a midday auction.
/// - A trade without that mark within the first minute of an auction belongs to the continuous trading before: an auction
///   matches at its end, and event times are whole seconds, late ones too.
/// - On the unified feed a trade of the minute after 15:30 whose market class is 3 is of the after-market's auction, and one
///   marked 5 between the closes is the closing auction's.
/// - Everything else goes by the clock.
pub fn phase_of_trade(publisher: Publisher, trade: &Trade, date: u32, second: u32) -> Phase {
    phase_of_trade_in(Calendar::shipped(), publisher, trade, date, second)
}

/// As [`phase_of_trade`], by a calendar of one's own.
pub fn phase_of_trade_in(calendar: &Calendar, publisher: Publisher, trade: &Trade, date: u32, second: u32) -> Phase {
    if trade.mkop_cls[0] == b'4' || tr_name(trade.market.tr) == Some("H0STOUP0") {
        return Phase::SinglePrice;
    }
    match trade.mkop_cls[1] {
        b'1' => return Phase::ClosingPrice,
        b'2' | b'3' => return Phase::Block,
        _ => {}
    }
    let hours = match Hours::of(calendar, publisher, date, second) {
        Err(phase) => return phase,
        Ok(hours) => hours,
    };
    let phase = hours.phase();
    if publisher == Publisher::KisUn {
        match (phase, trade.market_cls) {
            (Phase::ClosingAuction, b'3') => return Phase::AfterAuction,
            (Phase::AfterAuction | Phase::ClosingAuction, b'5') => return Phase::ClosingAuction,
            _ => {}
        }
    }
    let before = hours.before();
    match (trade.header.flags & Flags::AUCTION != 0, phase.is_continuous()) {
        (true, true) => before.filter(|before| before.is_auction()).unwrap_or(Phase::MiddayAuction),
        (false, false) if phase.is_auction() => before.filter(|before| before.is_continuous()).unwrap_or(phase),
        _ => phase,
    }
}

#[cfg(test)]
mod tests {
    use super::tables::TABLES;
    use super::*;

    const KRX: Publisher = Publisher::KisKrx;

    fn trade(flags: u32, mkop: &[u8; 2], market_cls: u8) -> Trade {
        let mut trade = Trade::UNDEF;
        trade.header.flags = flags;
        trade.mkop_cls[..2].copy_from_slice(mkop);
        trade.market_cls = market_cls;
        trade
    }

    #[test]
    fn the_evening_of_krx_changed_on_2026_09_14() {
        assert_eq!(phase_at(KRX, 20_260_911, at(16, 0, 0)), Phase::SinglePrice);
        assert_eq!(phase_at(KRX, 20_260_911, at(18, 0, 59)), Phase::SinglePrice);
        assert_eq!(phase_at(KRX, 20_260_911, at(18, 1, 0)), Phase::Closed);
        assert_eq!(phase_at(KRX, 20_260_914, at(16, 0, 0)), Phase::AfterMarket);
        assert_eq!(phase_at(KRX, 20_260_914, at(19, 59, 59)), Phase::AfterMarket);
    }

    #[test]
    fn a_closing_print_is_stamped_after_the_close_and_belongs_to_the_auction() {
        assert_eq!(phase_at(KRX, 20_261_120, at(15, 30, 29)), Phase::ClosingAuction);
        assert_eq!(phase_at(KRX, 20_261_120, at(15, 31, 0)), Phase::Closed);
        assert_eq!(phase_at(KRX, 20_261_120, at(8, 29, 59)), Phase::Closed);
    }

    #[test]
    fn nxt_has_its_own_day_and_none_before_it_began() {
        assert_eq!(phase_at(Publisher::KisNxt, 20_250_303, at(9, 1, 0)), Phase::Untold);
        assert_eq!(phase_at(Publisher::KisNxt, 20_250_304, at(8, 0, 0)), Phase::PreMarket);
        assert_eq!(phase_at(Publisher::KisNxt, 20_250_304, at(8, 59, 0)), Phase::Closed);
        assert_eq!(phase_at(Publisher::KisNxt, 20_250_304, at(9, 0, 30)), Phase::Regular);
        assert_eq!(phase_at(Publisher::KisNxt, 20_250_304, at(15, 35, 0)), Phase::AfterAuction);
        assert_eq!(phase_at(Publisher::KisKrxBond, 20_250_304, at(10, 0, 0)), Phase::Untold);
    }

    #[test]
    fn an_auction_trade_just_after_nine_is_the_opening_and_later_a_midday_auction() {
        let auction = trade(Flags::AUCTION, b"20", b'2');
        assert_eq!(phase_of_trade(KRX, &auction, 20_261_120, at(9, 0, 0)), Phase::OpeningAuction);
        assert_eq!(phase_of_trade(KRX, &auction, 20_261_120, at(9, 1, 0)), Phase::MiddayAuction);
        assert_eq!(phase_of_trade(KRX, &auction, 20_261_120, at(15, 30, 4)), Phase::ClosingAuction);
        assert_eq!(phase_of_trade(Publisher::KisNxt, &auction, 20_261_120, at(9, 0, 31)), Phase::MiddayAuction);
        assert_eq!(phase_of_trade(Publisher::KisNxt, &auction, 20_261_120, at(15, 40, 1)), Phase::AfterAuction);
        let plain = trade(0, b"20", b'2');
        assert_eq!(phase_of_trade(KRX, &plain, 20_261_120, at(9, 0, 0)), Phase::Regular);
    }

    #[test]
    fn the_session_code_goes_before_the_clock() {
        assert_eq!(phase_of_trade(KRX, &trade(0, b"11", 0), 20_261_120, at(8, 35, 0)), Phase::ClosingPrice);
        assert_eq!(phase_of_trade(KRX, &trade(0, b"22", 0), 20_261_120, at(11, 0, 0)), Phase::Block);
        assert_eq!(phase_of_trade(KRX, &trade(0, b"40", 0), 20_260_910, at(17, 10, 0)), Phase::SinglePrice);
        let unified = Publisher::KisUn;
        assert_eq!(phase_of_trade(unified, &trade(0, b"30", b'3'), 20_261_120, at(15, 30, 5)), Phase::AfterAuction);
        assert_eq!(phase_of_trade(unified, &trade(0, b"20", b'5'), 20_261_120, at(15, 30, 5)), Phase::ClosingAuction);
    }

    #[test]
    fn a_closed_day_is_closed_all_day_and_an_unknown_one_untold() {
        for date in [20_261_121, 20_260_717, 20_251_231] {
            for publisher in [KRX, Publisher::KisNxt, Publisher::KisUn, Publisher::KisKrxDeriv] {
                for second in [at(8, 35, 0), at(10, 0, 0), at(15, 30, 10), at(19, 0, 0)] {
                    assert_eq!(phase_at(publisher, date, second), Phase::Closed, "{publisher:?} {date} {second}");
                }
            }
        }
        for date in [0, 20_141_231, 20_280_103, 20_261_131, u32::MAX] {
            assert_eq!(phase_at(KRX, date, at(10, 0, 0)), Phase::Untold, "{date}");
        }
        let plain = trade(0, b"20", b'2');
        assert_eq!(phase_of_trade(KRX, &plain, 20_260_717, at(10, 0, 0)), Phase::Closed);
        assert_eq!(phase_of_trade(KRX, &plain, 20_280_103, at(10, 0, 0)), Phase::Untold);
    }

    #[test]
    fn the_close_moved_on_2016_08_01_and_order_entry_on_2019_04_29() {
        assert_eq!(phase_at(KRX, 20_160_729, at(14, 55, 0)), Phase::ClosingAuction);
        assert_eq!(phase_at(KRX, 20_160_729, at(15, 5, 0)), Phase::Closed);
        assert_eq!(phase_at(KRX, 20_160_729, at(15, 45, 0)), Phase::SinglePrice);
        assert_eq!(phase_at(KRX, 20_160_801, at(15, 5, 0)), Phase::Regular);
        assert_eq!(phase_at(KRX, 20_190_426, at(7, 45, 0)), Phase::ClosingPrice);
        assert_eq!(phase_at(KRX, 20_190_426, at(8, 5, 0)), Phase::OpeningAuction);
        assert_eq!(phase_at(KRX, 20_190_429, at(8, 5, 0)), Phase::Closed);
        assert_eq!(phase_at(KRX, 20_151_112, at(15, 55, 0)), Phase::ClosingAuction);
        let derivatives = Publisher::KisKrxDeriv;
        assert_eq!(phase_at(derivatives, 20_230_728, at(8, 50, 0)), Phase::OpeningAuction);
        assert_eq!(phase_at(derivatives, 20_230_731, at(8, 50, 0)), Phase::Regular);
        assert_eq!(phase_at(derivatives, 20_160_729, at(15, 10, 0)), Phase::ClosingAuction);
    }

    #[test]
    fn a_night_belongs_to_the_trading_day_before_and_ends_at_six() {
        let night = Publisher::KisKrxNight;
        // Friday's night ends on Saturday; a Sunday evening has none, nor has Monday's small hours.
        assert_eq!(phase_at(night, 20_261_120, at(18, 0, 0)), Phase::Night);
        assert_eq!(phase_at(night, 20_261_121, at(5, 59, 59)), Phase::Night);
        assert_eq!(phase_at(night, 20_261_121, at(6, 0, 30)), Phase::Night);
        assert_eq!(phase_at(night, 20_261_121, at(6, 1, 0)), Phase::Closed);
        assert_eq!(phase_at(night, 20_261_122, at(19, 0, 0)), Phase::Closed);
        assert_eq!(phase_at(night, 20_261_123, at(3, 0, 0)), Phase::Closed);
        assert_eq!(phase_at(night, 20_260_213, at(20, 0, 0)), Phase::Closed, "the eve of long holidays");
        assert_eq!(phase_at(night, 20_250_605, at(20, 0, 0)), Phase::Untold, "not the exchange's own yet");
    }

    #[test]
    fn special_days_begin_an_hour_later() {
        assert_eq!(phase_at(KRX, 20_260_102, at(9, 59, 59)), Phase::OpeningAuction);
        assert_eq!(phase_at(KRX, 20_260_102, at(10, 1, 0)), Phase::Regular);
        assert_eq!(phase_at(KRX, 20_260_102, at(15, 25, 0)), Phase::ClosingAuction);
        let auction = trade(Flags::AUCTION, b"20", b'2');
        assert_eq!(phase_of_trade(KRX, &auction, 20_260_102, at(10, 0, 1)), Phase::OpeningAuction);
        assert_eq!(phase_at(KRX, 20_251_113, at(15, 25, 0)), Phase::Regular);
        assert_eq!(phase_at(KRX, 20_251_113, at(16, 25, 0)), Phase::ClosingAuction);
        assert_eq!(phase_at(KRX, 20_261_119, at(16, 50, 0)), Phase::ClosingPrice);
        assert_eq!(phase_at(KRX, 20_261_119, at(19, 59, 0)), Phase::AfterMarket);
        assert_eq!(phase_at(Publisher::KisNxt, 20_251_113, at(10, 0, 0)), Phase::Regular);
        assert_eq!(phase_at(Publisher::KisKrxDeriv, 20_251_113, at(16, 40, 0)), Phase::ClosingAuction);
        assert_eq!(phase_at(Publisher::KisKrxNight, 20_251_113, at(18, 30, 0)), Phase::Closed);
    }

    #[test]
    fn nxt_has_no_pre_market_on_special_days() {
        for date in [20_251_113, 20_260_102, 20_261_119, 20_270_104] {
            for second in [at(8, 0, 0), at(8, 30, 0), at(9, 0, 0), at(9, 29, 59)] {
                assert_eq!(phase_at(Publisher::KisNxt, date, second), Phase::Closed, "{date} {second}");
                assert_eq!(phase_at(Publisher::KisUn, date, second), Phase::Closed, "{date} {second}");
            }
            for second in [at(9, 30, 0), at(9, 49, 59), at(9, 59, 59)] {
                assert_eq!(phase_at(Publisher::KisNxt, date, second), Phase::Closed, "{date} {second}");
                assert_eq!(phase_at(Publisher::KisUn, date, second), Phase::OpeningAuction, "{date} {second}");
            }
            assert_eq!(phase_at(Publisher::KisUn, date, at(10, 0, 0)), Phase::Regular);
        }
        assert_eq!(phase_at(Publisher::KisNxt, 20_260_102, at(10, 0, 29)), Phase::Closed);
        assert_eq!(phase_at(Publisher::KisNxt, 20_260_102, at(10, 0, 30)), Phase::Regular);
        assert_eq!(phase_at(Publisher::KisNxt, 20_260_102, at(15, 40, 0)), Phase::AfterMarket);
        for (second, phase) in [
            (at(16, 19, 59), Phase::Regular),
            (at(16, 25, 0), Phase::Closed),
            (at(16, 30, 0), Phase::AfterAuction),
            (at(16, 40, 0), Phase::AfterMarket),
            (at(19, 59, 59), Phase::AfterMarket),
        ] {
            assert_eq!(phase_at(Publisher::KisNxt, 20_251_113, second), phase, "{second}");
        }
    }

    #[test]
    fn a_trade_stamped_as_an_auction_begins_belongs_to_the_session_before_unless_matched_in_an_auction() {
        let (plain, auction) = (trade(0, b"20", b'2'), trade(Flags::AUCTION, b"20", b'2'));
        assert_eq!(phase_of_trade(KRX, &plain, 20_261_120, at(15, 20, 0)), Phase::Regular);
        assert_eq!(phase_of_trade(KRX, &plain, 20_261_120, at(15, 20, 59)), Phase::Regular);
        assert_eq!(phase_of_trade(KRX, &plain, 20_261_120, at(15, 21, 0)), Phase::ClosingAuction);
        assert_eq!(phase_of_trade(KRX, &auction, 20_261_120, at(15, 20, 0)), Phase::ClosingAuction);
        assert_eq!(phase_of_trade(KRX, &plain, 20_251_113, at(16, 20, 0)), Phase::Regular);
        assert_eq!(phase_of_trade(KRX, &plain, 20_261_120, at(15, 30, 0)), Phase::ClosingAuction);
        assert_eq!(phase_of_trade(Publisher::KisUn, &plain, 20_261_120, at(8, 50, 0)), Phase::PreMarket);
        assert_eq!(phase_of_trade(Publisher::KisNxt, &plain, 20_261_120, at(15, 20, 0)), Phase::Regular);
        assert_eq!(phase_of_trade(Publisher::KisKrxDeriv, &plain, 20_261_120, at(15, 35, 0)), Phase::Regular);
        // No continuous trading goes before the opening auction.
        assert_eq!(phase_of_trade(KRX, &plain, 20_261_120, at(8, 30, 0)), Phase::OpeningAuction);
        let closing = trade(0, b"20", b'5');
        assert_eq!(phase_of_trade(Publisher::KisUn, &closing, 20_261_120, at(15, 20, 0)), Phase::ClosingAuction);
    }

    #[test]
    fn every_phase_has_a_name_of_its_own_and_every_table_ascends() {
        let names: std::collections::BTreeSet<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
        assert_eq!(names.len(), Phase::ALL.len());
        assert!(Phase::ALL.iter().enumerate().all(|(number, phase)| *phase as usize == number));
        assert!(TABLES.iter().all(|(.., table)| table.is_sorted_by_key(|(start, _)| *start)));
    }
}
