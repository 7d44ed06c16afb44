//! The example programs do what they say, on journals whose content is known.

mod journal_support;
#[path = "../examples/strategy.rs"]
mod strategy;
#[path = "../examples/vwap.rs"]
mod vwap;

use std::time::Duration;

use hoga::clock::wall_ns;
use hoga::journal::{Journal, Start, StreamWriter, TailState};
use hoga::stage::WaitStrategy;
use hoga::tick::{BookBuffer, Findings, Flags, PX_SCALE, Publisher, RType, Trade, UNDEF_PX, UNDEF_QTY, words_of};
use journal_support::*;

fn append_trade(writer: &mut StreamWriter, id: u32, publisher: Publisher, px: i64, qty: u64) {
    let mut record = trade(1);
    record.header.instrument_id = id;
    record.header.publisher = publisher as u16;
    (record.px, record.qty) = (px, qty);
    writer.append(words_of(&mut record)).unwrap();
}

#[test]
fn vwap_is_exact_and_apart_by_venue() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(16 << 10)).unwrap();
    for id in [1, 2] {
        journal.ticks.append(words_of(&mut instrument(id))).unwrap();
    }
    let mut add = |id, publisher, px: i64, qty| append_trade(&mut journal.ticks, id, publisher, px * PX_SCALE, qty);
    add(1, Publisher::KisKrx, 93_000, 10);
    add(1, Publisher::KisKrx, 93_100, 30);
    add(1, Publisher::KisNxt, 92_900, 7);
    add(2, Publisher::KisKrx, 1_000, 1);
    add(2, Publisher::KisKrx, 1_001, 2);
    journal.close().unwrap();
    let sums = vwap::vwap(folder.path()).unwrap();
    let px = |symbol: &str, venue| sums.traded[&(symbol.to_owned(), venue)].vwap_px().unwrap();
    assert_eq!(px("000001", "KRX"), 93_075 * PX_SCALE);
    assert_eq!(px("000001", "NXT"), 92_900 * PX_SCALE);
    assert_eq!(px("000002", "KRX"), 1_000_666_666_667, "rounded to the nearest unit");
    assert_eq!(sums.traded[&("000001".to_owned(), "KRX")].qty, 40);
    assert_eq!((sums.missing_qty, sums.lost_records), (0, 0));
}

#[test]
fn vwap_counts_what_bars_count() {
    let folder = scratch();
    let mut journal = Journal::open(folder.path(), small(16 << 10)).unwrap();
    journal.ticks.append(words_of(&mut instrument(1))).unwrap();
    let mut add = |px: i64, qty, change: fn(&mut Trade)| {
        let mut record = trade(1);
        (record.header.instrument_id, record.header.publisher) = (1, Publisher::KisKrx as u16);
        (record.px, record.qty) = (px * PX_SCALE, qty);
        change(&mut record);
        assert_eq!(record.counts(), px < 9_000, "{px}");
        journal.ticks.append(words_of(&mut record)).unwrap();
    };
    add(1_000, 10, |_| {});
    add(9_001, 10, |trade| trade.market.findings |= Findings::DUPLICATE);
    add(9_002, 10, |trade| trade.header.flags |= Flags::POLLED);
    add(2_000, 20, |trade| trade.header.flags |= Flags::POLLED | Flags::BACKFILLED);
    add(3_000, 10, |trade| trade.market.findings |= Findings::CUM_BACKWARDS);
    add(9_003, 0, |_| {});
    add(9_004, 10, |trade| trade.px = UNDEF_PX);
    add(9_005, 10, |trade| trade.qty = UNDEF_QTY);
    journal.close().unwrap();
    let sums = vwap::vwap(folder.path()).unwrap();
    let traded = sums.traded[&("000001".to_owned(), "KRX")];
    assert_eq!((traded.trades, traded.qty, traded.vwap_px()), (3, 40, Some(2_000 * PX_SCALE)));
}

fn append_book(writer: &mut StreamWriter, id: u32, bid: i64, ask: i64) {
    let mut buffer = BookBuffer::UNDEF;
    buffer.book.header.length = size_of::<BookBuffer>() as u32;
    buffer.book.header.rtype = RType::Book as u8;
    buffer.book.header.instrument_id = id;
    buffer.book.header.ts_recv = wall_ns();
    buffer.book.market.committed_ns = 0;
    buffer.book.levels = 1;
    let level = &mut buffer.levels[0];
    (level.bid_px, level.ask_px) = (bid * PX_SCALE, ask * PX_SCALE);
    (level.bid_qty, level.ask_qty) = (5, 6);
    writer.append(words_of(&mut buffer)).unwrap();
    writer.batch_end();
}

#[test]
fn the_strategy_sees_every_change_of_the_best_prices_of_its_symbol_and_ends_with_the_recorder() {
    for wait in [WaitStrategy::Yield, WaitStrategy::Park] {
        let folder = scratch();
        let dir = folder.path().to_owned();
        let mut journal = Journal::open(&dir, small(16 << 10)).unwrap();
        for id in [1, 2] {
            journal.ticks.append(words_of(&mut instrument(id))).unwrap();
        }
        let follower = std::thread::spawn(move || {
            let mut printed = Vec::new();
            let mut strategy = strategy::Strategy::new("000001", &mut printed);
            let state = strategy::follow(&dir, Start::Beginning, wait, &mut strategy).unwrap();
            (state, strategy.changes, strategy.best().unwrap(), String::from_utf8(printed).unwrap())
        });
        for step in 0..50 {
            append_book(&mut journal.ticks, 1, 93_000 + step / 2, 93_100);
            append_book(&mut journal.ticks, 2, 10 + step, 2_000);
            std::thread::sleep(Duration::from_micros(200));
        }
        journal.close().unwrap();
        let (state, changes, best, printed) = follower.join().unwrap();
        assert_eq!((state, changes, best.bid_px), (TailState::Closed, 25, 93_024 * PX_SCALE));
        assert_eq!(printed.lines().count(), 25);
        assert!(printed.lines().all(|line| line.contains("ns after the commit")), "{printed}");
        assert!(printed.starts_with("000001  93000 x 5  |  93100 x 6"), "{printed}");
    }
}
