//! Members, program trading, indices and net asset values.

use super::Event;
use super::row::{NO_TIME, Row};
use crate::tick::{Index, Member, Nav, Program, UNDEF_CHANGE, UNDEF_QTY, UNDEF_TURNOVER};

/// Most active members of a stock: `H0STMBC0`, `H0UNMBC0`, `H0NXMBC0`, 78 fields. Fills all of the body.
pub(super) fn member(row: &mut Row<'_>, member: &mut Member) -> Event {
    for index in 0..5 {
        for (side, entry) in [&mut member.sellers[index], &mut member.buyers[index]].into_iter().enumerate() {
            let field = index + side * 5;
            entry.qty = row.qty(11 + field);
            entry.foreign = row.byte(21 + field);
            entry.code = row.code(31 + field);
            entry.share = row.px(41 + field);
            entry.qty_change = row.change(51 + field);
        }
    }
    member.foreign_sell_qty = row.qty(61);
    member.foreign_buy_qty = row.qty(62);
    member.foreign_sell_change = row.change(63);
    member.foreign_buy_change = row.change(64);
    member.foreign_net_qty = row.change(65);
    Event { seconds: NO_TIME, date: 0, flags: 0 }
}

/// Program trading of a stock: `H0STPGM0`, `H0UNPGM0`, `H0NXPGM0`, 11 fields. Fills all of the body.
pub(super) fn program(row: &mut Row<'_>, program: &mut Program) -> Event {
    program.sell_qty = row.qty(2);
    program.sell_turnover = row.turnover(3, 4);
    program.buy_qty = row.qty(4);
    program.buy_turnover = row.turnover(5, 4);
    program.net_qty = row.change(6);
    program.net_turnover = row.turnover(7, 4);
    program.sell_resting_qty = row.qty(8);
    program.buy_resting_qty = row.qty(9);
    program.resting_net_qty = row.change(10);
    (program.arbitrage_net_qty, program.arbitrage_net_turnover) = (UNDEF_CHANGE, UNDEF_TURNOVER);
    (program.other_net_qty, program.other_net_turnover) = (UNDEF_CHANGE, UNDEF_TURNOVER);
    (program.cum_qty, program.cum_turnover) = (UNDEF_QTY, UNDEF_TURNOVER);
    Event { seconds: row.seconds(1), date: 0, flags: 0 }
}

/// Program trading of an index: `H0UPPGM0`, 88 fields. Fills all of the body.
///
/// The broker doesn't say in which units these quantities and turnovers are: they are kept as sent.
pub(super) fn index_program(row: &mut Row<'_>, program: &mut Program) -> Event {
    program.arbitrage_net_qty = row.change(26);
    program.arbitrage_net_turnover = row.turnover(28, 4);
    program.other_net_qty = row.change(38);
    program.other_net_turnover = row.turnover(40, 4);
    program.sell_qty = row.qty(66);
    program.sell_turnover = row.turnover(68, 4);
    program.buy_qty = row.qty(70);
    program.buy_turnover = row.turnover(72, 4);
    program.net_qty = row.change(74);
    program.net_turnover = row.turnover(76, 4);
    program.cum_qty = row.qty(86);
    program.cum_turnover = row.turnover(87, 4);
    (program.sell_resting_qty, program.buy_resting_qty) = (UNDEF_QTY, UNDEF_QTY);
    program.resting_net_qty = UNDEF_CHANGE;
    Event { seconds: row.seconds(1), date: 0, flags: 0 }
}

/// Value of an index: `H0UPCNT0`, 30 fields. Fills all of the body. The feed sends thousands of shares and millions of
/// won; what came since the last value (`tick_…`) is kept as sent.
pub(super) fn index(row: &mut Row<'_>, index: &mut Index) -> Event {
    index.px = row.px(2);
    index.sign = row.byte(3);
    index.change_px = row.px(4);
    index.cum_qty = row.qty_thousands(5);
    index.cum_turnover = row.turnover(6, 10);
    index.tick_qty = row.qty(7);
    index.tick_turnover = row.qty(8);
    index.open_px = row.px(10);
    index.high_px = row.px(11);
    index.low_px = row.px(12);
    index.upper_limit_count = row.count(22);
    index.up_count = row.count(23);
    index.unchanged_count = row.count(24);
    index.down_count = row.count(25);
    index.lower_limit_count = row.count(26);
    index.tick_change_px = row.px(29);
    index.business_date = 0;
    index.reserved = [0; 7];
    Event { seconds: row.seconds(1), date: 0, flags: 0 }
}

/// Net asset value of a fund: `H0STNAV0`, 8 fields without a time. Fills all of the body.
pub(super) fn nav(row: &mut Row<'_>, nav: &mut Nav) -> Event {
    nav.px = row.px(1);
    nav.sign = row.byte(2);
    nav.change_px = row.px(3);
    nav.open_px = row.px(5);
    nav.high_px = row.px(6);
    nav.low_px = row.px(7);
    nav.reserved = [0; 7];
    Event { seconds: NO_TIME, date: 0, flags: 0 }
}
