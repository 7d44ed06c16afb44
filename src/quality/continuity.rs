//! Continuity: did a trade get lost?
//!
//! The feeds carry no sequence number, but a trade carries its quantity and the day's cumulative quantity, itself
//! included. So on one feed of one instrument
//!
//! ```text
//! cum[n] = cum[n-1] + qty[n]
//! ```
//!
//! and where it does not hold, the difference is what is missing, in shares. The first trade seen, and the first of a new
//! business date, sets the base: what was before it is not known and not claimed.
//!
//! A trade whose cumulative quantity goes back may be an old one sent again, or begin a lower count. So both are gone on
//! from: what follows the highest quantity seen is as good as what follows the last one, and between the two nothing is
//! missing that was seen already.
//!
//! The table has one 64-byte state per instrument and venue, allocated at start; a check touches one cache line.

use crate::tick::{Findings, Flags, GapReason, Trade, UNDEF_COUNT, UNDEF_QTY, UNDEF_TS, UNDEF_TURNOVER};

/// What is kept of the last trade of an instrument on a venue.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct State {
    cum_qty: u64,
    qty: u64,
    cum_turnover: i64,
    /// Executions of the day, sellers' and buyers'; `UNDEF_QTY` = not told.
    trades: u64,
    ts_recv: u64,
    /// `UNDEF_TS` = none.
    ts_event: u64,
    /// Decimal YYYYMMDD; 0 = not told.
    business_date: u32,
    /// Losses of the connection seen when this was written.
    losses: u32,
    /// Highest `cum_qty` of the business date so far; above `cum_qty` only after that went back.
    highest: u64,
}

/// One cache line.
const _: () = assert!(size_of::<State>() == 64);

/// Volume that is missing between two trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Cumulative quantity of the last trade before.
    pub cum_qty_before: u64,
    /// Cumulative quantity just before the trade after.
    pub cum_qty_after: u64,
    /// Missing turnover, 1 unit = 1e-4; `UNDEF_TURNOVER` where either trade didn't tell.
    pub turnover: i64,
    /// Missing trades by the feed's counts; `UNDEF_QTY` where either trade didn't tell.
    pub trades: u64,
    /// `ts_recv` of the last trade before.
    pub from_ts: u64,
    /// Whether a connection was lost in between.
    pub reason: GapReason,
}

/// What a trade's cumulative quantity says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Bits of [`Findings`].
    pub findings: u32,
    /// What is missing before the trade.
    pub missing: Option<Missing>,
}

/// Last trade of every instrument on every venue. Owned by one thread.
#[derive(Debug)]
pub struct Continuity {
    states: Box<[State]>,
    losses: u32,
}

impl Continuity {
    /// Venues (feeds of one instrument) that are told apart.
    pub const VENUES: usize = 3;

    /// Allocates states for instruments `1 ..= instruments` on each venue, 64 bytes each.
    pub fn with_capacity(instruments: usize) -> Continuity {
        Continuity { states: vec![State::default(); (instruments + 1) * Self::VENUES].into(), losses: 0 }
    }

    /// From now on a gap in a trade sequence that began before has the reason `Disconnect`.
    pub fn connection_lost(&mut self) {
        self.losses = self.losses.wrapping_add(1);
    }

    /// Judges a trade and remembers it. `trade` has its header's `ts_recv` and `instrument_id` and its `ts_event` set;
    /// `venue` is below [`Self::VENUES`]. A trade without quantity or cumulative quantity is not judged.
    #[inline]
    pub fn check(&mut self, venue: usize, trade: &Trade) -> Verdict {
        let index = trade.header.instrument_id as usize * Self::VENUES + venue;
        let Some(state) = self.states.get_mut(index) else { return Verdict::default() };
        if trade.qty == UNDEF_QTY || trade.cum_qty == UNDEF_QTY {
            return Verdict::default();
        }
        let trades = match (trade.sell_count, trade.buy_count) {
            (UNDEF_COUNT, _) | (_, UNDEF_COUNT) => UNDEF_QTY,
            (sells, buys) => u64::from(sells) + u64::from(buys),
        };
        let time_only = trade.header.flags & Flags::EVENT_TIME_ONLY != 0;
        let now = State {
            cum_qty: trade.cum_qty,
            qty: trade.qty,
            cum_turnover: trade.cum_turnover,
            trades,
            ts_recv: trade.header.ts_recv,
            ts_event: if time_only { UNDEF_TS } else { trade.market.ts_event },
            business_date: trade.business_date,
            losses: self.losses,
            highest: trade.cum_qty,
        };
        let last = std::mem::replace(state, now);
        if last.cum_qty == 0 || last.business_date != now.business_date {
            return Verdict::default();
        }
        state.highest = last.highest.max(now.cum_qty);
        let backwards = now.ts_event != UNDEF_TS && last.ts_event != UNDEF_TS && now.ts_event < last.ts_event;
        let mut verdict = Verdict { findings: u32::from(backwards) * Findings::TIME_BACKWARDS, missing: None };
        if last.cum_qty.checked_add(now.qty) != Some(now.cum_qty) {
            judge(&last, &now, trade.px, &mut verdict);
        }
        verdict
    }
}

/// The law does not hold: says how.
#[cold]
#[inline(never)]
fn judge(last: &State, now: &State, px: i64, verdict: &mut Verdict) {
    if now.cum_qty == last.cum_qty && now.qty == last.qty {
        verdict.findings |= Findings::DUPLICATE;
        return;
    }
    // After a step back, what is missing follows the highest quantity where the trade lies beyond it.
    let behind = last.cum_qty < last.highest;
    match now.cum_qty.checked_sub(now.qty) {
        Some(base) if behind && base == last.highest => {}
        Some(base) if base > last.cum_qty => {
            let is_beyond = behind && base > last.highest;
            verdict.findings |= Findings::VOLUME_GAP;
            let reason = if last.losses == now.losses { GapReason::VolumeJump } else { GapReason::Disconnect };
            verdict.missing = Some(Missing {
                cum_qty_before: if is_beyond { last.highest } else { last.cum_qty },
                cum_qty_after: base,
                turnover: if is_beyond { UNDEF_TURNOVER } else { missing_turnover(last, now, px) },
                trades: if is_beyond { UNDEF_QTY } else { missing_trades(last, now) },
                from_ts: last.ts_recv,
                reason,
            });
        }
        _ => verdict.findings |= Findings::CUM_BACKWARDS,
    }
}

fn missing_turnover(last: &State, now: &State, px: i64) -> i64 {
    if last.cum_turnover == UNDEF_TURNOVER || now.cum_turnover == UNDEF_TURNOVER {
        return UNDEF_TURNOVER;
    }
    // 1e-9 × 1 to 1e-4.
    let own = i128::from(px) * i128::from(now.qty) / 100_000;
    let missing = i128::from(now.cum_turnover) - own - i128::from(last.cum_turnover);
    i64::try_from(missing).ok().filter(|missing| *missing >= 0).unwrap_or(UNDEF_TURNOVER)
}

fn missing_trades(last: &State, now: &State) -> u64 {
    if last.trades == UNDEF_QTY || now.trades == UNDEF_QTY {
        return UNDEF_QTY;
    }
    now.trades.checked_sub(last.trades).and_then(|trades| trades.checked_sub(1)).unwrap_or(UNDEF_QTY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(qty: u64, cum_qty: u64) -> Trade {
        let mut trade = Trade::UNDEF;
        trade.header.instrument_id = 1;
        trade.header.ts_recv = cum_qty.wrapping_mul(10);
        trade.market.ts_event = cum_qty;
        trade.business_date = 20_260_914;
        trade.px = 70_000_000_000_000;
        trade.qty = qty;
        trade.cum_qty = cum_qty;
        trade.cum_turnover = cum_qty.cast_signed().wrapping_mul(70_000 * 10_000);
        (trade.sell_count, trade.buy_count) = ((cum_qty / 10) as u32, 7);
        trade
    }

    fn table() -> Continuity {
        let mut table = Continuity::with_capacity(4);
        assert_eq!(table.check(0, &trade(10, 1000)), Verdict::default(), "the first sets the base");
        table
    }

    #[test]
    fn a_whole_sequence_has_no_finding() {
        let mut table = table();
        for cum in (1010..2000).step_by(10) {
            assert_eq!(table.check(0, &trade(10, cum)), Verdict::default());
        }
    }

    #[test]
    fn a_jump_is_missing_to_the_share_the_won_and_the_trade() {
        let mut table = table();
        let verdict = table.check(0, &trade(10, 1050));
        assert_eq!(verdict.findings, Findings::VOLUME_GAP);
        let missing = verdict.missing.unwrap();
        assert_eq!((missing.cum_qty_before, missing.cum_qty_after), (1000, 1040));
        assert_eq!(missing.turnover, 40 * 70_000 * 10_000);
        assert_eq!((missing.trades, missing.from_ts), (4, 10_000));
        assert_eq!(missing.reason, GapReason::VolumeJump);
        assert_eq!(table.check(0, &trade(10, 1060)), Verdict::default(), "the next one follows on");
    }

    #[test]
    fn a_jump_over_a_lost_connection_says_so_once() {
        let mut table = table();
        table.connection_lost();
        assert_eq!(table.check(0, &trade(10, 1050)).missing.unwrap().reason, GapReason::Disconnect);
        assert_eq!(table.check(0, &trade(10, 1100)).missing.unwrap().reason, GapReason::VolumeJump);
    }

    #[test]
    fn the_same_trade_again_is_a_duplicate_and_less_volume_goes_backwards() {
        let mut table = table();
        assert_eq!(table.check(0, &trade(10, 1000)).findings, Findings::DUPLICATE);
        assert_eq!(
            table.check(0, &trade(10, 900)).findings,
            Findings::CUM_BACKWARDS | Findings::TIME_BACKWARDS,
            "and is the new base"
        );
        assert_eq!(table.check(0, &trade(10, 910)), Verdict::default());
        assert_eq!(table.check(0, &trade(50, 920)).findings, Findings::CUM_BACKWARDS, "more sold than volume came");
        assert_eq!(table.check(0, &trade(1000, 930)).findings, Findings::CUM_BACKWARDS, "more sold than there is");
    }

    #[test]
    fn an_old_trade_sent_again_makes_nothing_missing_that_was_seen() {
        let mut table = table();
        assert_eq!(table.check(0, &trade(10, 1010)), Verdict::default());
        let back = Findings::CUM_BACKWARDS | Findings::TIME_BACKWARDS;
        assert_eq!(table.check(0, &trade(10, 980)).findings, back);
        assert_eq!(table.check(0, &trade(10, 1020)), Verdict::default(), "follows the highest");
        // A run of them, the last of which is the last that was seen.
        assert_eq!(table.check(0, &trade(10, 1000)).findings, back);
        assert_eq!(table.check(0, &trade(10, 1010)), Verdict::default());
        assert_eq!(table.check(0, &trade(10, 1020)), Verdict::default());
        assert_eq!(table.check(0, &trade(10, 1030)), Verdict::default());
        // Behind it what is beyond the highest is missing, and no more.
        assert_eq!(table.check(0, &trade(10, 990)).findings, back);
        let verdict = table.check(0, &trade(10, 1060));
        assert_eq!(verdict.findings, Findings::VOLUME_GAP);
        let missing = verdict.missing.unwrap();
        assert_eq!((missing.cum_qty_before, missing.cum_qty_after), (1030, 1050));
        assert_eq!((missing.turnover, missing.trades), (UNDEF_TURNOVER, UNDEF_QTY));
        assert_eq!(table.check(0, &trade(10, 1070)), Verdict::default());
    }

    proptest::proptest! {
        /// Trades, some of them lost, some sent again later, one by one or as runs: what is missing is what was lost.
        #[test]
        fn what_is_missing_is_what_was_lost(steps in proptest::collection::vec((1_u64..50, 0_u8..10, 1_usize..6), 1..200)) {
            let mut table = table();
            let (mut cum, mut known, mut again) = (1000, 1000, false);
            // Seen since the last loss: what comes again from before one shows that loss again, and so do two runs that
            // leave out trades between them.
            let mut seen: Vec<Trade> = Vec::new();
            for (qty, what, run) in steps {
                match what {
                    0 => {
                        cum += qty;
                        seen.clear();
                    }
                    1 | 2 if cum == known && !again => {
                        again = true;
                        let from = seen.len().saturating_sub(run);
                        for old in &seen[from..seen.len().min(from + run.div_ceil(2))] {
                            proptest::prop_assert_eq!(table.check(0, old).missing, None);
                        }
                    }
                    _ => {
                        cum += qty;
                        let verdict = table.check(0, &trade(qty, cum));
                        let missing = verdict.missing.map(|missing| (missing.cum_qty_before, missing.cum_qty_after));
                        proptest::prop_assert_eq!(missing, (cum - qty > known).then_some((known, cum - qty)));
                        (known, again) = (cum, false);
                        seen.push(trade(qty, cum));
                    }
                }
            }
        }
    }

    #[test]
    fn a_lower_count_is_gone_on_from_though_a_wild_one_stood_before() {
        let mut table = table();
        assert_eq!(table.check(0, &trade(10, u64::MAX / 2)).findings, Findings::VOLUME_GAP);
        table.check(0, &trade(10, 1010));
        assert_eq!(table.check(0, &trade(10, 1020)), Verdict::default());
        let missing = table.check(0, &trade(10, 1050)).missing.unwrap();
        assert_eq!((missing.cum_qty_before, missing.cum_qty_after), (1020, 1040), "still counted to the share");
    }

    #[test]
    fn a_new_business_date_another_venue_and_another_instrument_begin_anew() {
        let mut table = table();
        assert_eq!(table.check(1, &trade(10, 5000)), Verdict::default());
        assert_eq!(table.check(2, &trade(10, 9000)), Verdict::default());
        let mut other = trade(10, 9000);
        other.header.instrument_id = 2;
        assert_eq!(table.check(0, &other), Verdict::default());
        let mut tomorrow = trade(10, 10);
        tomorrow.business_date += 1;
        assert_eq!(table.check(0, &tomorrow), Verdict::default());
    }

    #[test]
    fn what_is_not_told_is_not_judged_and_ids_out_of_range_are_ignored() {
        let mut table = table();
        assert_eq!(table.check(0, &trade(UNDEF_QTY, 2000)), Verdict::default());
        assert_eq!(table.check(0, &trade(10, UNDEF_QTY)), Verdict::default());
        let mut beyond = trade(10, 2000);
        beyond.header.instrument_id = u32::MAX;
        assert_eq!(table.check(0, &beyond), Verdict::default());
        let mut untold = trade(10, 1050);
        (untold.cum_turnover, untold.sell_count) = (UNDEF_TURNOVER, UNDEF_COUNT);
        let missing = table.check(0, &untold).missing.unwrap();
        assert_eq!((missing.turnover, missing.trades), (UNDEF_TURNOVER, UNDEF_QTY));
    }

    #[test]
    fn the_largest_numbers_do_not_wrap() {
        let mut table = table();
        for (qty, cum) in [(u64::MAX - 1, u64::MAX - 1), (1, u64::MAX - 1), (u64::MAX - 1, 1)] {
            table.check(0, &trade(10, 1000));
            let mut huge = trade(10, 10);
            (huge.qty, huge.cum_qty, huge.px, huge.cum_turnover) = (qty, cum, i64::MAX - 1, i64::MIN);
            table.check(0, &huge);
        }
    }
}
