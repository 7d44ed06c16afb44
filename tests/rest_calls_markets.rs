//! Calls about whole markets: indices, interruptions, rankings, funds, derivatives, markets abroad. What they return is held
//! against the frames that the venue sent, and where it sends none, against other calls: no two may contradict each other.

mod rest_rig;

use std::collections::BTreeMap;

use hoga::feed::kis::rest::Client;
use hoga::feed::kis::rest::quotations::{Prices, Venue as Market};
use hoga::tick::{PX_SCALE, UNDEF_PX, UNDEF_TURNOVER};
use kis_sim::{OpenWhen, SimConfig, Venue};
use rest_rig::{client, record, record_trades, settings, sim, trades_of};

const TODAY: u32 = 20_261_120;
const HUNDREDTH: i64 = PX_SCALE / 100;

/// A short run from 10:00 at `scale` times the speed, opened by `registrations`.
fn run(symbols: usize, scale: f64, registrations: usize) -> SimConfig {
    SimConfig {
        symbols,
        seconds: 2.0,
        rate: 1_500.0,
        time_scale: scale,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: registrations },
        spin: false,
        ..sim()
    }
}

fn second(hour: &str) -> u32 {
    let number: u32 = hour.parse().expect("a time");
    number / 10_000 * 3600 + number / 100 % 100 * 60 + number % 100
}

/// A price with up to two decimals, in hundredths.
fn hundredths(text: &str) -> i64 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{rest:0<2}").parse().expect("a price")
}

/// Time, level in hundredths, change, cumulative volume of each record of an index.
fn levels_of(frames: &[String], index: &str) -> Vec<(u32, i64, i64, u64)> {
    let payloads = frames.iter().filter_map(|frame| frame.strip_prefix("0|H0UPCNT0|001|"));
    let records = payloads.map(|payload| payload.split('^').collect::<Vec<_>>()).filter(|fields| fields[0] == index);
    records
        .map(|fields| {
            (second(fields[1]), hundredths(fields[2]), hundredths(fields[4]), fields[5].parse().expect("volume"))
        })
        .collect()
}

#[test]
fn an_index_is_where_its_last_record_was() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(run(2, 60.0, 2)).unwrap();
    let sent = levels_of(&record(&venue, &[("H0UPCNT0", "0001"), ("H0UPCNT0", "1001")]), "0001");
    assert!(sent.len() > 500, "{} levels", sent.len());
    let (last, previous) = (sent.last().unwrap(), sent[0].1 - sent[0].2);
    let client = client(&venue, &settings(folder.path()), 1);

    let now = client.index("0001").unwrap();
    assert_eq!((now.px, now.volume, now.time), (last.1 * HUNDREDTH, last.3, None));
    let ticks: Vec<_> = client.index_ticks("0001").unwrap().iter().map(|t| (t.time, t.px, t.volume)).collect();
    let newest: Vec<_> = sent.iter().rev().take(30).map(|(at, px, _, v)| (Some(*at), px * HUNDREDTH, *v)).collect();
    assert_eq!(ticks, newest);

    let mut minutes: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    sent.iter().for_each(|(at, px, ..)| minutes.entry(at / 60 * 60).or_default().push(px * HUNDREDTH));
    let every: Vec<_> = client.index_every("0001", 60).unwrap().iter().rev().map(|m| (m.time.unwrap(), m.px)).collect();
    assert_eq!(every, minutes.iter().map(|(at, levels)| (*at, *levels.last().unwrap())).collect::<Vec<_>>());
    let bars = client.index_bars("0001", 60).unwrap();
    for (bar, (at, levels)) in bars.iter().rev().zip(&minutes) {
        let of = (*levels.iter().max().unwrap(), *levels.iter().min().unwrap());
        assert_eq!((bar.date, bar.time, bar.high_px, bar.low_px), (TODAY, Some(*at), of.0, of.1));
        assert_eq!((bar.open_px, bar.close_px), (levels[0], *levels.last().unwrap()));
    }
    assert_eq!(bars.len(), minutes.len());

    let days = client.index_days("0001", 20_260_801, TODAY).unwrap();
    assert_eq!((days.len(), days[0].date, days[0].close_px), (50, TODAY, now.px));
    assert_eq!((days[1].date, days[1].close_px), (20_261_119, previous * HUNDREDTH), "yesterday's close");
    assert!(days.windows(2).all(|pair| pair[0].date > pair[1].date));
    assert!(days.iter().all(|day| day.low_px <= day.open_px.min(day.close_px) && day.high_px >= day.close_px));
    // KOSPI 200 follows KOSPI.
    let of_200 = client.index("2001").unwrap().px;
    assert_eq!(of_200, last.1 * 134 / 1_000 * HUNDREDTH);
    assert_eq!(client.index("9999").unwrap().px, UNDEF_PX, "not an index");
    assert!(client.index_ticks("9999").unwrap().is_empty());
}

#[test]
fn interruptions_are_those_that_the_status_feed_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { vi_seconds: 20, ..run(2, 120.0, 4) }).unwrap();
    let codes: Vec<String> = venue.symbols().iter().map(|symbol| symbol.code.clone()).collect();
    let feeds: Vec<(&str, &str)> =
        codes.iter().flat_map(|code| [("H0STCNT0", code.as_str()), ("H0STMKO0", code.as_str())]).collect();
    let frames = record(&venue, &feeds);
    // The last price of a symbol, and whether it is interrupted.
    let (mut begun, mut ended) = (Vec::new(), 0);
    let mut traded: Vec<String> = Vec::new();
    for frame in frames {
        let Some(payload) = frame.strip_prefix("0|H0STMKO0|001|") else {
            traded.push(frame);
            continue;
        };
        let fields: Vec<&str> = payload.split('^').collect();
        match fields[8] {
            "Y" => {
                let (hour, px, ..) = trades_of(&traded, fields[0]).pop().expect("a trade sets it off");
                begun.push((fields[0].to_owned(), second(&hour), px * PX_SCALE));
            }
            _ => ended += 1,
        }
    }
    assert!(begun.len() > 1 && ended > 0, "{begun:?}");
    let client = client(&venue, &settings(folder.path()), 1);
    let told = client.volatility_events(TODAY, "").unwrap();
    let events: Vec<_> = told.iter().rev().map(|event| (event.symbol.clone(), event.begun_at, event.px)).collect();
    assert_eq!(events, begun);
    assert_eq!(told.iter().filter(|event| event.ended_at.is_some()).count(), ended);
    for event in &told {
        let away = (event.px - event.static_reference_px).abs();
        assert!(away * 10 >= event.static_reference_px && event.kind == "1" && event.dynamic_reference_px == 0);
        assert!(event.ended_at.is_none_or(|ended| (20..=25).contains(&(ended - event.begun_at))), "{event:?}");
        assert_eq!(event.date, TODAY);
    }
    let wild = &begun[0].0;
    let of_wild = begun.iter().filter(|(code, ..)| code == wild).count();
    assert_eq!(client.volatility_events(TODAY, wild).unwrap().len(), of_wild);
    assert!(client.volatility_events(20_261_119, "").unwrap().is_empty(), "another day");
    let running = told.iter().any(|event| event.symbol == *wild && event.ended_at.is_none());
    let quote = client.quote(Market::Krx, wild).unwrap();
    assert_eq!(quote.row.get("vi_cls_code"), Some(if running { "Y" } else { "N" }));
}

#[test]
fn rankings_are_in_order_and_of_what_was_traded() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(run(35, 60.0, 35)).unwrap();
    let codes: Vec<&str> = venue.symbols().iter().map(|symbol| symbol.code.as_str()).collect();
    let frames = record_trades(&venue, &codes);
    let client = client(&venue, &settings(folder.path()), 1);
    // Rate in hundredths of a percent, price and volume of each symbol.
    let mut expected: Vec<(i64, &str, i64, u64)> = Vec::new();
    for symbol in venue.symbols() {
        let Some((_, px, _, volume)) = trades_of(&frames, &symbol.code).pop() else { continue };
        expected.push((px * 10_000 / symbol.base_px, &symbol.code, px * PX_SCALE, volume));
    }
    assert_eq!(expected.len(), 35, "each has traded");
    let rising = client.change_ranking(&[]).unwrap();
    assert_eq!(rising.iter().map(|row| row.rank).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    let rates: Vec<i64> = rising.iter().map(|row| hundredths(row.row.get("prdy_ctrt").unwrap())).collect();
    assert!(rates.is_sorted_by(|one, next| one >= next) && rates[0] > 0, "{rates:?}");
    for row in &rising {
        let (_, _, px, volume) = expected.iter().find(|(_, code, ..)| *code == row.symbol).unwrap();
        assert_eq!((row.px, row.volume, row.turnover), (*px, *volume, UNDEF_TURNOVER), "{}", row.symbol);
    }
    expected.sort_unstable();
    let falling = client.change_ranking(&[("fid_rank_sort_cls_code", "1")]).unwrap();
    assert_eq!((falling[0].symbol.as_str(), rising[0].symbol.as_str()), (expected[0].1, expected[34].1));

    let strong = client.strength_ranking(&[]).unwrap();
    let strength = |row: &hoga::feed::kis::rest::Row| hundredths(row.get("tday_rltv").unwrap());
    assert!(strong.is_sorted_by(|one, next| strength(&one.row) >= strength(&next.row)) && strong.len() == 30);
    for row in strong.iter().map(|stock| &stock.row) {
        let [bought, sold] = ["shnu_cnqn_smtn", "seln_cnqn_smtn"].map(|field| row.quantity(field).unwrap() as f64);
        assert!((strength(row) as f64 - (bought / sold * 10_000.0).min(99_999.0)).abs() <= 1.0);
    }

    let large = client.capital_ranking(&[("fid_input_iscd", "0001")]).unwrap();
    let capital = |row: &hoga::feed::kis::rest::Row| row.quantity("stck_avls").unwrap();
    assert!(large.is_sorted_by(|one, next| capital(&one.row) >= capital(&next.row)) && large.len() == 18);
    let kospi = |code: &str| venue.symbols().iter().any(|symbol| symbol.code == code && symbol.market == "KOSPI");
    assert!(large.iter().all(|row| kospi(&row.symbol)));
    let shares = large[0].row.quantity("lstn_stcn").unwrap();
    assert_eq!(capital(&large[0].row), shares * (large[0].px / PX_SCALE) as u64 / 100_000_000);
}

#[test]
fn a_fund_is_worth_about_what_is_paid_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { wild_symbols: 0, ..run(1, 120.0, 1) }).unwrap();
    let code = venue.symbols()[0].code.clone();
    let (_, px, _, volume) = trades_of(&record_trades(&venue, &[&code]), &code).pop().unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let fund = client.fund(&code).unwrap();
    assert_eq!((fund.px, fund.volume, fund.base_px), (px * PX_SCALE, volume, venue.symbols()[0].base_px * PX_SCALE));
    let near = |px: i64, nav: i64| (px - nav).abs() * 1_000 <= px * 3;
    assert!(near(fund.px, fund.nav_px) && near(fund.base_px, fund.previous_nav_px));

    let day = client.fund_day(&code).unwrap();
    assert_eq!(
        (day.px, day.volume, day.nav_px, day.previous_nav_px),
        (fund.px, volume, fund.nav_px, fund.previous_nav_px)
    );
    assert!(day.low_nav_px <= day.open_nav_px && day.open_nav_px <= day.high_nav_px);

    let minutes = client.minutes_until(Market::Krx, &code, 20 * 3600).unwrap();
    let points = client.navs_every(&code, 60).unwrap();
    let traded = client.minutes_until(Market::Krx, &code, points[0].time.unwrap()).unwrap();
    assert!(minutes.len() == 30 && points.len() > 3);
    assert_eq!((points[0].px, points[0].nav_px, points[0].volume), (fund.px, fund.nav_px, volume));
    for point in &points {
        let minute = traded.iter().find(|minute| Some(minute.time) == point.time).unwrap();
        assert!(minute.close_px == point.px && near(point.px, point.nav_px));
    }
    assert_eq!(day.high_nav_px, points.iter().map(|point| point.nav_px).max().unwrap());
    assert!(client.navs_every(&code, 120).unwrap().len() < points.len());

    let days = client.nav_days(&code, 20_261_101, 20_261_119).unwrap();
    let closes = client.days_between(Market::Krx, &code, 20_261_101, 20_261_119, Prices::Raw).unwrap();
    assert_eq!(
        days.iter().map(|day| (day.date.unwrap(), day.px, day.volume)).collect::<Vec<_>>(),
        closes.iter().map(|day| (day.date, day.close_px, day.volume)).collect::<Vec<_>>()
    );
    assert_eq!(days[0].nav_px, fund.previous_nav_px);
    assert!(days.iter().all(|day| near(day.px, day.nav_px)));
}

#[test]
fn futures_and_options_follow_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(run(2, 60.0, 1)).unwrap();
    record(&venue, &[("H0UPCNT0", "0001")]);
    let client = client(&venue, &settings(folder.path()), 1);
    let index = client.index("2001").unwrap().px;
    let future = client.derivative("F", "A01612").unwrap();
    assert!(index < future.px && future.px < index * 102 / 100, "{index} {}", future.px);
    assert!(
        future.lower_px < future.px && future.px < future.upper_px && future.volume > 0 && future.open_interest > 0
    );
    assert_eq!(future.px % (5 * HUNDREDTH), 0, "on its grid");
    assert_eq!(future.row.get("futs_last_tr_date"), Some("20261210"), "the second Thursday");

    let book = client.derivative_book("F", "A01612").unwrap();
    assert!(book.accepted_at >= 10 * 3600);
    for level in 0..5 {
        let away = 5 * HUNDREDTH * (level as i64 + 1);
        assert_eq!((book.asks[level].px, book.bids[level].px), (future.px + away, future.px - away));
    }
    let offered = book.asks.iter().map(|level| level.quantity).sum::<u64>();
    assert_eq!(book.row.quantity("total_askp_rsqn").unwrap(), offered);

    let today = client.derivative_bars("F", "A01612", 60, (TODAY, 86_399), false).unwrap();
    let of_index = client.index_bars("2001", 60).unwrap();
    assert_eq!(today[0].close_px, future.px);
    let times = today.iter().map(|bar| (bar.date, Some(bar.time)));
    assert!(times.eq(of_index.iter().map(|bar| (bar.date, bar.time))));
    let back = client.derivative_bars("F", "A01612", 60, (TODAY, today[0].time - 60), true).unwrap();
    assert_eq!((back.len(), back[0].time), (102, today[1].time));
    assert!(back.is_sorted_by(|one, next| (one.date, one.time) > (next.date, next.time)));
    assert!(
        back.last().unwrap().date == 20_261_119 && back.iter().all(|bar| bar.low_px <= bar.close_px.min(bar.open_px))
    );
    let day_before = client.derivative_bars("F", "A01612", 60, (20_261_119, 12 * 3600), false).unwrap();
    assert!(day_before.iter().all(|bar| bar.date == 20_261_119) && day_before[0].time == 12 * 3600);

    // A call less a put is the future less the strike, discounted.
    let [call, put] = ["B01612550", "C01612550"].map(|code| client.derivative("O", code).unwrap());
    let parity = call.px - put.px - (future.px - 550 * PX_SCALE);
    assert!(parity.abs() < 20 * HUNDREDTH, "{} {} {}", call.px, put.px, future.px);
    let delta = |row: &hoga::feed::kis::rest::Row| row.get("delta_val").unwrap().parse::<f64>().unwrap();
    assert!((delta(&call.row) - delta(&put.row) - 1.0).abs() < 0.001);
    let falling = client.derivative_bars("O", "C01612550", 60, (TODAY, 86_399), false).unwrap();
    assert!(falling.iter().all(|bar| bar.low_px <= bar.close_px && bar.close_px <= bar.high_px));

    // The broker calls an unknown contract a success.
    let unknown = client.derivative("F", "101W12").unwrap();
    assert_eq!((unknown.px, unknown.base_px), (UNDEF_PX, UNDEF_PX));
    assert!(client.derivative_bars("F", "101W12", 60, (TODAY, 86_399), true).unwrap().is_empty());
    let error = client.derivative_book("F", "101W12").unwrap_err().to_string();
    assert!(error.contains("aspr_acpt_hour"), "{error}");

    let hours = client.derivatives_hours().unwrap();
    let dates = ["date1", "date2", "date3", "date4", "date5"].map(|field| hours.date(field).unwrap());
    assert_eq!(dates, [20_261_118, 20_261_119, TODAY, 20_261_123, 20_261_124]);
    assert_eq!((hours.time("s_time").unwrap(), hours.time("e_time").unwrap()), (31_500, 56_700));
    assert!(hours.time("time").unwrap() >= 10 * 3600);
}

/// All minutes that the broker keeps of a stock abroad, newest first.
fn all_minutes(client: &Client, exchange: &str, symbol: &str) -> Vec<(String, u64, i64)> {
    let mut minutes = Vec::new();
    let mut before: Option<String> = None;
    loop {
        let page = client.overseas_minutes(exchange, symbol, before.as_deref()).unwrap();
        assert!(page.rows.len() == 120 || page.before.is_none());
        minutes.extend(page.rows.iter().map(|row| {
            let moment = format!("{}{}", row.get("xymd").unwrap(), row.get("xhms").unwrap());
            (moment, row.quantity("evol").unwrap(), row.px("last").unwrap())
        }));
        before = page.before;
        if before.is_none() {
            return minutes;
        }
    }
}

#[test]
fn a_stock_abroad_has_one_history_whichever_call_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let venue =
        Venue::start(SimConfig { market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0), ..sim() }).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    for (exchange, symbol, of_day, today) in [("NAS", "AAPL", 390, 20_261_119), ("TSE", "7203", 330, TODAY)] {
        let minutes = all_minutes(&client, exchange, symbol);
        assert!(minutes.is_sorted_by(|one, next| one.0 > next.0), "no minute comes twice");
        // Today's hour in Tokyo has 61 minutes.
        let expected = if today == TODAY { 4 * of_day + 61 } else { 5 * of_day };
        assert_eq!(minutes.len(), expected, "{symbol}");
        let days = client.overseas_days(exchange, symbol, None, Prices::Raw).unwrap();
        assert_eq!((days.len(), days[0].date), (100, today));
        for day in &days[..5] {
            let of_day = minutes.iter().filter(|(moment, ..)| moment.starts_with(&day.date.to_string()));
            assert_eq!(of_day.clone().map(|(_, volume, _)| volume).sum::<u64>(), day.volume, "{}", day.date);
            assert_eq!(of_day.clone().next().unwrap().2, day.close_px);
        }
        let quote = client.overseas(exchange, symbol).unwrap();
        assert_eq!((quote.px, quote.base_px, quote.volume), (days[0].close_px, days[1].close_px, days[0].volume));
        let trades = client.overseas_trades(exchange, symbol, true).unwrap();
        assert_eq!((trades.len(), trades[0].px, trades[0].volume), (30, quote.px, quote.volume));
        assert!(trades.windows(2).all(|pair| pair[0].volume == pair[1].volume + pair[0].quantity));
        let yesterday = client.overseas_trades(exchange, symbol, false).unwrap();
        assert_eq!((yesterday[0].px, yesterday[0].volume), (days[1].close_px, days[1].volume));
        let book = client.overseas_book(exchange, symbol).unwrap();
        let levels = if exchange == "NAS" { 10 } else { 1 };
        assert_eq!((book.px, book.date, book.asks.len(), book.bids.len()), (quote.px, Some(today), levels, levels));
        assert!(book.bids[0].px < book.px && book.px < book.asks[0].px);
        assert_eq!(book.quote.quantity("avol").unwrap(), book.asks.iter().map(|level| level.quantity).sum::<u64>());
        let older = client.overseas_days(exchange, symbol, Some(20_261_113), Prices::Raw).unwrap();
        assert_eq!(
            (older[0].date, older[0].close_px),
            (20_261_113, days.iter().find(|d| d.date == 20_261_113).unwrap().close_px)
        );
    }
    let new_york = client.overseas_minutes("NAS", "AAPL", None).unwrap();
    let newest = &new_york.rows[0];
    assert_eq!(newest.get("xhms"), Some("155900"));
    assert_eq!((newest.get("kymd"), newest.get("khms")), (Some("20261120"), Some("055900")), "14 hours later in Seoul");

    assert_eq!(client.overseas("NAS", "NONE").unwrap().px, UNDEF_PX);
    assert!(client.overseas_trades("XXX", "AAPL", true).unwrap().is_empty());
    assert!(client.overseas_minutes("NAS", "NONE", None).unwrap().rows.is_empty());
    let none = client.overseas_book("NAS", "NONE").unwrap();
    assert!(none.date.is_none() && none.asks.is_empty() && none.bids.is_empty());
}

#[test]
fn settlement_dates_come_over_pages() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let rows = client.settlement_dates(TODAY, 5).unwrap();
    assert_eq!(venue.rest_counts().requests_of("countries-holiday"), 2);
    let mut products: Vec<String> = rows.iter().map(|row| row.text("prdt_type_cd").unwrap()).collect();
    products.sort();
    products.dedup();
    assert_eq!((rows.len(), products.len()), (9, 9));
    let new_york = rows.iter().find(|row| row.get("prdt_type_cd") == Some("513")).unwrap();
    // Traded on Friday.
    assert_eq!(
        (new_york.date("acpl_sttl_dt").unwrap(), new_york.date("dmst_sttl_dt").unwrap()),
        (20_261_123, 20_261_124)
    );
    assert!(rows.iter().all(|row| row.date("acpl_sttl_dt").unwrap() <= row.date("dmst_sttl_dt").unwrap()));
    assert!(client.settlement_dates(TODAY, 1).is_err(), "more pages than allowed");
}

#[test]
fn the_single_price_session_ends_with_its_last_day() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(sim()).unwrap();
    let client = client(&venue, &settings(folder.path()), 1);
    let symbol = &venue.symbols()[0];
    let quote = client.overtime_quote(&symbol.code).unwrap();
    assert_eq!((quote.px("ovtm_untp_prpr").unwrap(), quote.quantity("ovtm_untp_vol").unwrap()), (0, 0));
    assert_eq!(quote.px("ovtm_untp_sdpr").unwrap(), symbol.base_px * PX_SCALE);
    let [lower, upper] = ["ovtm_untp_llam", "ovtm_untp_mxpr"].map(|field| quote.px(field).unwrap() / PX_SCALE);
    assert!(symbol.lower_px < lower && lower < symbol.base_px && symbol.base_px < upper && upper < symbol.upper_px);
    assert!(client.overtime_trades(&symbol.code).unwrap().is_empty());
    let days = client.overtime_days(&symbol.code).unwrap();
    assert_eq!((days.len(), days[0].date), (30, 20_260_911));
    let closes = client.days_between(Market::Krx, &symbol.code, 20_260_701, 20_260_911, Prices::Raw).unwrap();
    assert!(days.iter().zip(&closes).all(|(day, close)| (day.date, day.close_px) == (close.date, close.close_px)));
    assert!(client.overtime_quote("999999").is_err());
}

#[test]
fn a_quote_has_the_extremes_and_sums_of_its_market() {
    let folder = tempfile::tempdir().unwrap();
    let venue = Venue::start(SimConfig { wild_symbols: 0, ..run(1, 30.0, 1) }).unwrap();
    let symbol = venue.symbols()[0].clone();
    let sent = trades_of(&record_trades(&venue, &[&symbol.code]), &symbol.code);
    let client = client(&venue, &settings(folder.path()), 1);
    let quote = client.quote(Market::Krx, &symbol.code).unwrap();
    // The venue says that it has traded at the base before its run.
    let prices = || sent.iter().map(|(_, px, ..)| *px).chain([symbol.base_px]);
    let extremes = (symbol.base_px, prices().max().unwrap(), prices().min().unwrap());
    assert_eq!(
        (quote.open_px, quote.high_px, quote.low_px),
        (extremes.0 * PX_SCALE, extremes.1 * PX_SCALE, extremes.2 * PX_SCALE)
    );
    let before = (sent[0].3 - sent[0].2) as i64;
    let paid = before * symbol.base_px + sent.iter().map(|(_, px, quantity, _)| px * *quantity as i64).sum::<i64>();
    assert_eq!((quote.volume, quote.turnover), (sent.last().unwrap().3, paid * 10_000));
    let days = client.last_days(Market::Krx, &symbol.code, Prices::Raw).unwrap();
    assert_eq!((days[0].close_px, days[0].turnover), (quote.base_px, UNDEF_TURNOVER));
}
