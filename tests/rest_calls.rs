//! What calls over REST return, held against what the venue trades and against what it was asked.

mod rest_rig;

use std::collections::BTreeMap;

use hoga::feed::kis::rest::quotations::{Prices, Venue as Market};
use hoga::feed::kis::rest::{Priority, RestError};
use hoga::tick::PX_SCALE;
use kis_sim::{OpenWhen, SimConfig, Venue};
use rest_rig::{client, record_trades, settings, sim, trades_of};

const CLOSE_OF_DAY: u32 = 20 * 3600;

/// A short run from 10:00 with a few trades a market second, so that no second fills a page of 30.
fn trading() -> SimConfig {
    SimConfig {
        symbols: 2,
        seconds: 2.0,
        rate: 200.0,
        time_scale: 60.0,
        wild_symbols: 0,
        max_records_per_frame: 3,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 1 },
        spin: false,
        ..sim()
    }
}

#[test]
fn trades_walked_back_over_pages_are_those_that_were_sent() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(trading()).unwrap();
    let symbol = venue.symbols()[0].code.clone();
    let sent = trades_of(&record_trades(&venue, &[&symbol]), &symbol);
    assert!(sent.len() > 200, "{} trades", sent.len());
    let client = client(&venue, &settings(folder.path()), 1).with_priority(Priority::Backfill);
    let mut found = BTreeMap::new();
    let mut until = CLOSE_OF_DAY;
    let mut pages = 0;
    loop {
        let page = client.trades_until(Market::Krx, &symbol, until).unwrap();
        pages += 1;
        let before = found.len();
        for trade in &page {
            let hour = format!("{:02}{:02}{:02}", trade.time / 3600, trade.time / 60 % 60, trade.time % 60);
            found.insert(trade.volume, (hour, trade.px / PX_SCALE, trade.quantity));
        }
        match page.last() {
            Some(last) if found.len() > before => until = last.time,
            _ => break,
        }
    }
    assert!(pages > 5, "{pages} pages");
    for (hour, px, quantity, volume) in &sent {
        assert_eq!(found.get(volume), Some(&(hour.clone(), *px, *quantity)), "at volume {volume}");
    }
    // Two more: what the venue says was traded before its run.
    assert_eq!(found.len(), sent.len() + 2);
}

#[test]
fn minutes_polls_and_quotes_tell_of_the_same_trades() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(trading()).unwrap();
    let symbols: Vec<String> = venue.symbols().iter().map(|symbol| symbol.code.clone()).collect();
    let sent = trades_of(&record_trades(&venue, &[&symbols[0]]), &symbols[0]);
    let (_, px, _, volume) = sent.last().unwrap().clone();
    let client = client(&venue, &settings(folder.path()), 1);
    let minutes = client.minutes_until(Market::Krx, &symbols[0], 10 * 3600 + 300).unwrap();
    assert_eq!(minutes.iter().map(|minute| minute.volume).sum::<u64>(), volume);
    assert_eq!(minutes[0].close_px, px * PX_SCALE);
    assert_eq!((minutes[0].date, minutes[0].volume), (20_261_120, 0), "a minute to come is filled up");
    let polled = client.poll(&[(Market::Krx, &symbols[1]), (Market::Krx, &symbols[0])]).unwrap();
    assert_eq!(polled[0].symbol, symbols[1]);
    assert_eq!((polled[1].px, polled[1].volume), (px * PX_SCALE, volume));
    let quote = client.quote(Market::Krx, &symbols[0]).unwrap();
    let base = venue.symbols()[0].base_px * PX_SCALE;
    assert_eq!((quote.px, quote.base_px, quote.halted), (px * PX_SCALE, base, false));
    assert!(quote.lower_px < quote.px && quote.px < quote.upper_px);
    let latest = client.latest_trades(Market::Krx, &symbols[0]).unwrap();
    assert_eq!((latest.len(), latest[0].px, latest[0].quantity), (30, px * PX_SCALE, sent.last().unwrap().2));
    let today = client.days_between(Market::Krx, &symbols[0], 20_261_120, 20_261_120, Prices::Raw).unwrap();
    assert_eq!((today[0].volume, today[0].close_px), (volume, px * PX_SCALE));
}

#[test]
fn days_stop_at_closures_and_a_hundred_rows() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let symbol = &venue.symbols()[0];
    let days = client.days_between(Market::Krx, &symbol.code, 20_260_101, 20_261_119, Prices::Adjusted).unwrap();
    assert_eq!(days.len(), 100);
    assert!(days.windows(2).all(|pair| pair[0].date > pair[1].date));
    assert!(days.iter().all(|day| day.low_px <= day.open_px.min(day.close_px) && day.high_px >= day.close_px));
    assert_eq!(days[0].close_px, symbol.base_px * PX_SCALE, "yesterday closed at today's base");
    assert!(!days.iter().any(|day| [20_261_009, 20_261_005].contains(&day.date)), "Hangul Day and its like");
    assert!(client.days_between(Market::Krx, &symbol.code, 20_260_101, 20_261_319, Prices::Raw).is_err());
}

#[test]
fn holidays_come_over_pages_up_to_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { closures: vec![jiff::civil::date(2026, 11, 26)], ..sim() }).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let days = client.holidays(20_260_901, 20).unwrap();
    assert_eq!(days.len(), 122, "September to December");
    assert_eq!(venue.rest_counts().requests_of("chk-holiday"), 5);
    let open = |date| days.iter().find(|day| day.date == date).unwrap().open;
    assert!(open(20_261_125) && !open(20_261_126) && !open(20_261_225) && !open(20_260_905));
    let error = client.holidays(20_260_901, 2).unwrap_err();
    assert!(matches!(error, RestError::MorePages { pages_max: 2, .. }), "{error}");
}

#[test]
fn a_book_has_its_levels_in_order_and_their_sum() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(trading()).unwrap();
    let symbol = venue.symbols()[0].code.clone();
    record_trades(&venue, &[&symbol]);
    let client = client(&venue, &settings(folder.path()), 1);
    let [krx, nxt, both] =
        [Market::Krx, Market::Nxt, Market::Unified].map(|market| client.book(market, &symbol).unwrap());
    assert!(krx.bids[0].px < krx.asks[0].px && krx.bids[9].px < krx.bids[0].px && krx.asks[9].px > krx.asks[0].px);
    for book in [&krx, &nxt, &both] {
        assert_eq!(book.asks.iter().map(|level| level.quantity).sum::<u64>(), book.ask_quantity);
        assert_eq!(book.bids.iter().map(|level| level.quantity).sum::<u64>(), book.bid_quantity);
    }
    assert_eq!(krx.ask_quantity + nxt.ask_quantity, both.ask_quantity);
    assert_eq!(krx.expected_px, 0, "no auction runs");
    let days = client.last_days(Market::Krx, &symbol, Prices::Raw).unwrap();
    assert_eq!((days.len(), days[0].date), (30, 20_261_119));
}

#[test]
fn names_parameters_and_counts_are_checked_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    assert!(matches!(client.call("domestic-stock/inquire-prise", &[]), Err(RestError::UnknownEndpoint { .. })));
    let wrong = client.call("domestic-stock/inquire-price", &[("FID_INPUT_ISDC", "1")]);
    assert!(matches!(wrong, Err(RestError::UnknownParameter { .. })));
    let many = vec![(Market::Krx, "000010"); 31];
    assert!(matches!(client.poll(&many), Err(RestError::Argument { .. })));
    assert!(matches!(client.trades_until(Market::Krx, "000010", 86_400), Err(RestError::Argument { .. })));
    assert!(venue.rest_counts().requests.is_empty());
}

#[test]
fn any_endpoint_is_called_by_its_path_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let code = venue.symbols()[3].code.clone();
    let parameters = [("fid_cond_mrkt_div_code", "J"), ("fid_input_iscd", code.as_str())];
    let answer = client.call("/uapi/domestic-stock/v1/quotations/inquire-price", &parameters).unwrap();
    assert_eq!(answer.row("OUTPUT").unwrap().get("STCK_SHRN_ISCD"), Some(code.as_str()));
    let info = client.stock_info(&code).unwrap();
    assert!(info.on_nxt && !info.halted && info.name.starts_with("모의종목"));
    assert_eq!(client.product_info("300", &code).unwrap().get("shtn_pdno"), Some(code.as_str()));
    let error = client.call("domestic-stock/comp-interest", &[]).unwrap_err();
    assert_eq!(error.code(), Some("EGW00202"), "the venue doesn't serve it: {error}");
}

#[test]
fn calls_one_after_the_other_share_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    for symbol in &venue.symbols()[..20] {
        client.quote(Market::Krx, &symbol.code).unwrap();
    }
    // One for the token, one for all queries.
    assert_eq!(venue.rest_counts().connections, 2);
}

#[test]
fn the_ranking_is_by_shares_or_by_won_and_has_thirty_rows() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { symbols: 40, ..trading() }).unwrap();
    let symbols: Vec<&str> = venue.symbols().iter().map(|symbol| symbol.code.as_str()).collect();
    let frames = record_trades(&venue, &symbols[..20]);
    let client = client(&venue, &settings(folder.path()), 1);
    let by_shares = client.volume_ranking(&[]).unwrap();
    let by_won = client.volume_ranking(&[("fid_blng_cls_code", "3")]).unwrap();
    assert_eq!((by_shares.len(), by_won.len()), (30, 30));
    assert!(by_shares.windows(2).all(|pair| pair[0].volume >= pair[1].volume));
    assert!(by_won.windows(2).all(|pair| pair[0].turnover >= pair[1].turnover));
    assert!(by_won.iter().zip(1..).all(|(stock, rank)| stock.rank == rank));
    for (stock, symbol) in by_won.iter().flat_map(|stock| symbols[..20].iter().map(move |symbol| (stock, *symbol))) {
        if let Some((.., volume)) = trades_of(&frames, symbol).last().filter(|_| stock.symbol == symbol) {
            assert!(stock.volume >= *volume && stock.turnover > 0, "both venues' shares hold those of KRX: {stock:?}");
        }
    }
}
