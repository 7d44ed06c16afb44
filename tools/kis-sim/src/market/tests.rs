//! Goal: whatever the seed and the time of day, the figures of every feed add up. Method: play the source directly,
//! registered for everything, and check each record against the ones before it and against the other venue's.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::source::Registrations;

const ALL: [&str; 13] = [
    "H0STCNT0", "H0NXCNT0", "H0UNCNT0", "H0STASP0", "H0NXASP0", "H0UNASP0", "H0STANC0", "H0NXANC0", "H0UNANC0",
    "H0STMKO0", "H0UNMKO0", "H0STPGM0", "H0STMBC0",
];

struct Played {
    tr_id: String,
    records: Vec<Vec<String>>,
}

fn play(config: &SimConfig, trs: &[&str]) -> (Vec<Played>, Vec<SymbolInfo>) {
    let mut market = SimMarket::new(config);
    let symbols = market.symbols();
    let mut registrations = Registrations::default();
    for symbol in &symbols {
        for tr in trs {
            registrations.add(tr, &symbol.code, 0);
        }
    }
    registrations.add("H0UPCNT0", "0001", 0);
    let mut frame = TimedFrame::default();
    let (mut frames_sent, mut now_ns, mut last_ns) = (0, 0, 0);
    let mut played = Vec::new();
    loop {
        match market.next(&Demand { registrations: &registrations, frames_sent, now_ns }, &mut frame) {
            Next::End => break,
            Next::IdleUntil(until) => now_ns = now_ns.max(until),
            Next::Frame => {
                assert!(frame.at_ns >= last_ns, "time steps back");
                last_ns = frame.at_ns;
                now_ns = now_ns.max(frame.at_ns);
                frames_sent += 1;
                played.push(split(&frame));
            }
        }
    }
    (played, symbols)
}

fn split(frame: &TimedFrame) -> Played {
    let text = std::str::from_utf8(&frame.text).unwrap();
    let mut parts = text.splitn(4, '|');
    assert_eq!(parts.next(), Some("0"));
    assert_eq!(parts.next(), Some(frame.tr_id.as_str()));
    let count: usize = parts.next().unwrap().parse().unwrap();
    assert_eq!(count, frame.records as usize);
    let fields: Vec<String> = parts.next().unwrap().split('^').map(str::to_owned).collect();
    assert_eq!(fields.len() % count, 0, "{text}");
    let records: Vec<Vec<String>> = fields.chunks(fields.len() / count).map(<[String]>::to_vec).collect();
    assert!(records.iter().all(|r| r[0] == frame.tr_key), "{text}");
    Played { tr_id: frame.tr_id.clone(), records }
}

fn int(record: &[String], index: usize) -> i64 {
    record[index].parse().unwrap_or_else(|_| panic!("field {index} of {record:?}"))
}

fn venue_of(tr_id: &str) -> &str {
    &tr_id[2..4]
}

/// Cumulative figures of one (symbol, venue).
#[derive(Clone, Copy, Default)]
struct Sums {
    volume: i64,
    turnover: i64,
    counts: [i64; 2],
    shares: [i64; 2],
    high: i64,
    low: i64,
}

fn check_day(played: &[Played], symbols: &[SymbolInfo], widths: Widths, fresh: bool) -> HashSet<char> {
    let by_code: HashMap<&str, &SymbolInfo> = symbols.iter().map(|s| (s.code.as_str(), s)).collect();
    let mut sums: HashMap<(String, String), Sums> = HashMap::new();
    let mut classes = HashSet::new();
    for frame in played {
        let kind = &frame.tr_id[4..];
        let venue = venue_of(&frame.tr_id);
        for r in &frame.records {
            match kind {
                "CNT0" if venue != "UP" => {
                    let key = (r[0].clone(), venue.to_owned());
                    let known = sums.contains_key(&key) || fresh;
                    check_trade(r, sums.entry(key).or_default(), by_code[r[0].as_str()], widths, known);
                    classes.insert(r[21].chars().next().unwrap());
                }
                "ASP0" => {
                    check_book(r, venue, by_code[r[0].as_str()], widths);
                    let known = sums.get(&(r[0].clone(), venue.to_owned())).copied();
                    if let Some(known) = known {
                        assert_eq!(int(r, 53), known.volume, "the book repeats the volume of the trades");
                    }
                }
                "ANC0" => {
                    assert_eq!(r.len(), if widths == Widths::Sample { 45 } else { 46 });
                    assert!(tick::on_grid(int(r, 2)) && int(r, 13) > 0);
                    assert_eq!(int(r, 14), int(r, 2) * int(r, 13));
                    assert!(["A", "B", "C"].contains(&r[43].as_str()));
                }
                "MKO0" => assert_eq!(r.len(), if venue == "UN" { 10 } else { 11 }),
                "PGM0" => {
                    assert_eq!(r.len(), 11);
                    assert_eq!((int(r, 6), int(r, 7)), (int(r, 4) - int(r, 2), int(r, 5) - int(r, 3)));
                }
                "MBC0" => {
                    assert_eq!(r.len(), 78);
                    assert!(r[68..].iter().all(String::is_empty));
                }
                _ => assert_eq!(r.len(), 30),
            }
        }
    }
    if fresh {
        for symbol in symbols {
            let of = |venue: &str| sums.get(&(symbol.code.clone(), venue.into())).copied().unwrap_or_default();
            let (krx, nxt, both) = (of("ST"), of("NX"), of("UN"));
            assert_eq!(both.volume, krx.volume + nxt.volume);
            assert_eq!(both.turnover, krx.turnover + nxt.turnover);
            assert_eq!(
                [both.counts[0], both.counts[1]],
                [krx.counts[0] + nxt.counts[0], krx.counts[1] + nxt.counts[1]]
            );
        }
    }
    classes
}

fn check_trade(r: &[String], sums: &mut Sums, symbol: &SymbolInfo, widths: Widths, known: bool) {
    assert_eq!(r.len(), if widths == Widths::After20260914 { 47 } else { 46 });
    let (price, quantity) = (int(r, 2), int(r, 12));
    assert!(quantity > 0);
    assert!((symbol.lower_px..=symbol.upper_px).contains(&price));
    let half_tick = (price * 2) % tick::tick_size(price) == 0;
    assert!(tick::on_grid(price) || half_tick, "{price}");
    let now = Sums {
        volume: int(r, 13),
        turnover: int(r, 14),
        counts: [int(r, 15), int(r, 16)],
        shares: [int(r, 19), int(r, 20)],
        high: int(r, 8),
        low: int(r, 9),
    };
    let (sell, buy) = (r[21] == "5", r[21] == "1");
    if known {
        assert_eq!(now.volume, sums.volume + quantity, "{r:?}");
        assert_eq!(now.turnover, sums.turnover + price * quantity);
        assert_eq!(now.counts, [sums.counts[0] + i64::from(sell), sums.counts[1] + i64::from(buy)]);
        let of = |side: bool| if side { quantity } else { 0 };
        assert_eq!(now.shares, [sums.shares[0] + of(sell), sums.shares[1] + of(buy)]);
        assert_eq!(now.high, sums.high.max(price));
        assert_eq!(now.low, if sums.low == 0 { price } else { sums.low.min(price) });
    }
    *sums = now;
    assert_eq!(int(r, 17), now.counts[1] - now.counts[0]);
    let change = price - symbol.base_px;
    assert_eq!(int(r, 4), change);
    let sign = if price == symbol.upper_px {
        "1"
    } else if price == symbol.lower_px {
        "4"
    } else if change > 0 {
        "2"
    } else if change < 0 {
        "5"
    } else {
        "3"
    };
    assert_eq!(r[3], sign);
    let vwap: f64 = r[6].parse().unwrap();
    assert!((vwap - now.turnover as f64 / now.volume as f64).abs() <= 0.006);
    assert!(int(r, 10) > int(r, 11));
    assert!(r[1].len() == 6 && r[33] == "20261120" && ["1", "2", "3"].contains(&&r[34][..1]));
    assert!(r.iter().enumerate().all(|(i, field)| i == 44 || !field.is_empty()), "{r:?}");
    for (index, reference) in [(26, 7), (29, 8), (32, 9)] {
        assert_eq!(int(r, index), price - int(r, reference));
    }
}

fn check_book(r: &[String], venue: &str, symbol: &SymbolInfo, widths: Widths) {
    let width = match (venue, widths) {
        ("ST", Widths::Sample) => 59,
        ("ST", Widths::Before20260914) => 62,
        ("ST", Widths::After20260914) => 63,
        ("UN", Widths::After20260914) => 66,
        _ => 65,
    };
    assert_eq!(r.len(), width);
    let level = |from: usize| -> Vec<i64> { (from..from + 10).map(|i| int(r, i)).collect() };
    let (asks, bids, ask_sizes, bid_sizes) = (level(3), level(13), level(23), level(33));
    assert!(asks[0] > bids[0] && bids[0] > 0, "{r:?}");
    for (prices, sizes, total) in [(&asks, &ask_sizes, int(r, 43)), (&bids, &bid_sizes, int(r, 44))] {
        assert_eq!(sizes.iter().sum::<i64>(), total);
        for (price, size) in prices.iter().zip(sizes) {
            assert_eq!(*price == 0, *size == 0);
            assert!(*price == 0 || (tick::on_grid(*price) && (symbol.lower_px..=symbol.upper_px).contains(price)));
        }
    }
    assert!(asks.windows(2).all(|p| p[1] == 0 || p[1] > p[0]) && bids.windows(2).all(|p| p[1] < p[0] || p[1] == 0));
    if int(r, 47) == 0 {
        assert_eq!((int(r, 50), &*r[51], &*r[52]), (-symbol.base_px, "5", "-100.00"));
    } else {
        assert!(["A", "B", "C"].contains(&r[2].as_str()), "{r:?}");
    }
    if width > 59 {
        let mid = int(r, 59);
        assert!(mid == 0 || mid * 2 == asks[0] + bids[0]);
    }
}

#[test]
fn a_whole_day_adds_up_on_every_feed() {
    for seed in 1..=4 {
        let config = SimConfig { symbols: 6, seconds: 40.0, rate: 1_000.0, seed, ..SimConfig::default() }.whole_day();
        let (played, symbols) = play(&config, &ALL);
        let classes = check_day(&played, &symbols, Widths::After20260914, true);
        assert_eq!(classes, HashSet::from(['1', '3', '5']));
        let seen: HashSet<&str> = played.iter().map(|p| p.tr_id.as_str()).collect();
        assert!(ALL.iter().all(|tr| seen.contains(tr)), "{seen:?}");
        let trades = played.iter().filter(|p| p.tr_id == "H0STCNT0").flat_map(|p| &p.records);
        assert!(trades.filter(|r| !tick::on_grid(int(r, 2))).count() > 20, "seed {seed} had no mid-price trades");
        let status = |field: usize, is: &str| played.iter().any(|p| p.tr_id == "H0STMKO0" && p.records[0][field] == is);
        assert!(status(8, "Y"), "seed {seed} had no interruption");
        assert!(status(1, "Y") && status(7, "58"), "seed {seed} had no halt");
    }
}

#[test]
fn a_day_from_its_first_minute_sums_both_venues() {
    let start = jiff::civil::date(2026, 11, 20).at(7, 59, 0, 0);
    let config = SimConfig {
        symbols: 6,
        seconds: 20.0,
        rate: 3_000.0,
        market_start: start,
        time_scale: 2_200.0,
        ..SimConfig::default()
    };
    let (played, symbols) = play(&config, &ALL);
    check_day(&played, &symbols, Widths::After20260914, true);
    let both = played.iter().filter(|p| p.tr_id == "H0NXCNT0").count();
    assert!(both > 1_000);
}

#[test]
fn every_width_is_as_its_time_had_it() {
    for widths in [Widths::Sample, Widths::Before20260914, Widths::After20260914] {
        let config = SimConfig { symbols: 3, seconds: 2.0, rate: 2_000.0, widths, ..SimConfig::default() }.whole_day();
        let (played, symbols) = play(&config, &ALL);
        check_day(&played, &symbols, widths, false);
    }
}

#[test]
fn the_default_run_opens_with_an_auction_and_goes_on_continuously() {
    let config = SimConfig { symbols: 5, seconds: 5.0, rate: 2_000.0, ..SimConfig::default() };
    let (played, _) = play(&config, &["H0STCNT0", "H0STASP0", "H0STANC0"]);
    assert!((10_000..10_020).contains(&played.len()), "{}", played.len());
    let first_trade = played.iter().position(|p| p.tr_id == "H0STCNT0").unwrap();
    assert!((1_900..2_100).contains(&first_trade), "{first_trade}");
    for print in &played[first_trade..first_trade + 5] {
        assert_eq!((print.tr_id.as_str(), print.records[0][21].as_str()), ("H0STCNT0", "3"));
        assert_eq!(print.records[0][1], "090000");
    }
    let sweep = played.iter().map(|p| p.records.len()).max().unwrap();
    assert!((4..=20).contains(&sweep), "{sweep}");
}

#[test]
fn the_nxt_book_comes_in_both_widths_of_the_documents() {
    let start = jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0);
    for (nxt_book_width, width) in [(NxtBookWidth::Wide65, 65), (NxtBookWidth::Narrow62, 62)] {
        let config =
            SimConfig { symbols: 2, seconds: 1.0, market_start: start, nxt_book_width, ..SimConfig::default() };
        let (played, _) = play(&config, &["H0NXASP0"]);
        let mut books = played.iter().filter(|p| p.tr_id == "H0NXASP0").peekable();
        assert!(books.peek().is_some() && books.all(|book| book.records[0].len() == width));
    }
}

#[test]
fn a_registration_ends_an_idle_wait() {
    let start = jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0);
    let mut market = SimMarket::new(&SimConfig { symbols: 1, market_start: start, ..SimConfig::default() });
    let mut registrations = Registrations::default();
    let mut frame = TimedFrame::default();
    let idle = market.next(&Demand { registrations: &registrations, frames_sent: 0, now_ns: 0 }, &mut frame);
    assert_eq!(idle, Next::IdleUntil(1_000_000_000));
    registrations.add("H0STCNT0", &market.symbols()[0].code, 0);
    let now_ns = 300_000_000;
    let next = market.next(&Demand { registrations: &registrations, frames_sent: 0, now_ns }, &mut frame);
    assert_eq!((next, frame.at_ns), (Next::Frame, now_ns));
}

#[test]
fn one_seed_gives_one_market() {
    let config = SimConfig { symbols: 8, seconds: 3.0, rate: 3_000.0, ..SimConfig::default() };
    let text = |seed| -> Vec<Vec<String>> {
        let (played, _) = play(&SimConfig { seed, ..config.clone() }, &ALL);
        played.into_iter().flat_map(|p| p.records).collect()
    };
    assert_eq!(text(5), text(5));
    assert_ne!(text(5), text(6));
}

#[test]
fn a_rate_is_kept_by_who_waits_for_trades_only() {
    // Nothing can be sent in the auction's second; the frames come in the rest.
    let config = SimConfig { symbols: 5, seconds: 3.0, rate: 1_000.0, ..SimConfig::default() };
    let (played, _) = play(&config, &["H0STCNT0"]);
    let trades = played.iter().filter(|p| p.tr_id == "H0STCNT0").count();
    assert!(trades > 2_800 && (2_999..3_010).contains(&played.len()), "{trades} of {}", played.len());
}

/// MKOP_CLS_CODE of what a feed of market status said of the first symbol, which is never interrupted nor halted.
fn codes(played: &[Played], symbols: &[SymbolInfo], tr_id: &str) -> String {
    let told = played.iter().filter(|p| p.tr_id == tr_id && p.records[0][0] == symbols[0].code);
    told.map(|p| p.records[0][3].as_str()).collect::<Vec<_>>().join(" ")
}

fn day_of(year: i16, month: i8, day: i8) -> SimConfig {
    let market_start = jiff::civil::date(year, month, day).at(7, 50, 0, 0);
    let config =
        SimConfig { symbols: 4, wild_symbols: 0, seconds: 20.0, rate: 500.0, market_start, ..SimConfig::default() };
    config.whole_day()
}

#[test]
fn market_status_tells_each_change_of_each_venue_and_the_unified_feed_those_of_both() {
    let played = |config: SimConfig| play(&config, &ALL);
    let (day, symbols) = played(day_of(2026, 11, 20));
    assert_eq!(codes(&day, &symbols, "H0STMKO0"), "110 110 112 121 129 140 149 AB1 AB1");
    let both = "130 110 139 110 112 112 121 129 129 AB1 140 AB1 149 AB1 AB1 AB1";
    let sorted = |text: &str| {
        let mut codes: Vec<String> = text.split(' ').map(str::to_owned).collect();
        codes.sort();
        codes
    };
    assert_eq!(sorted(&codes(&day, &symbols, "H0UNMKO0")), sorted(both));
    let (exam, symbols) = played(day_of(2026, 11, 19));
    assert_eq!(codes(&exam, &symbols, "H0STMKO0"), "110 110 112 121 129 140 149 AB1 AB1");
    let (before, symbols) = played(day_of(2026, 9, 10));
    assert_eq!(codes(&before, &symbols, "H0STMKO0"), "110 110 112 121 129 140 149 150 159");
}

#[test]
fn nothing_is_sent_outside_the_phases_and_nothing_at_all_on_a_holiday() {
    let time = |p: &Played| int(&p.records[0], 1);
    let (day, _) = play(&day_of(2026, 11, 20), &ALL);
    let of = |tr: &str| day.iter().filter(|p| p.tr_id == tr).map(time).collect::<Vec<_>>();
    assert!(of("H0STASP0").iter().all(|at| (85_000..153_000).contains(at) || (160_000..200_000).contains(at)));
    let none = |at: &i64| (85_000..90_030).contains(at) || (152_000..153_000).contains(at);
    assert!(of("H0NXASP0").iter().chain(&of("H0NXCNT0")).all(|at| !none(at)));
    let closing = of("H0STCNT0").into_iter().filter(|at| (154_000..160_000).contains(at)).count();
    assert!(closing > 0, "closing-price trading");
    assert!(of("H0STANC0").iter().all(|at| (85_000..90_000).contains(at) || (152_000..153_000).contains(at)));
    for holiday in [day_of(2026, 12, 25), day_of(2026, 11, 21)] {
        let (played, _) = play(&holiday, &ALL);
        assert!(played.is_empty(), "{} frames", played.len());
    }
}

#[test]
fn closing_price_trades_are_at_the_price_of_the_closing_auction() {
    let (day, symbols) = play(&day_of(2026, 11, 20), &["H0STCNT0", "H0STASP0"]);
    for symbol in &symbols {
        let trades = day.iter().filter(|p| p.tr_id == "H0STCNT0").flat_map(|p| &p.records);
        let trades: Vec<_> = trades.filter(|r| r[0] == symbol.code).collect();
        let close = trades.iter().find(|r| r[1] == "153000").expect("a closing print");
        let later: Vec<_> = trades.iter().filter(|r| r[34] == "31").collect();
        assert!(!later.is_empty() && later.iter().all(|r| r[2] == close[2] && r[46] == "5"), "{}", symbol.code);
    }
}

#[test]
fn until_2026_09_11_symbols_that_krx_alone_trades_have_rounds_of_single_price() {
    let config = SimConfig { krx_only_symbols: 2, ..day_of(2026, 9, 10) };
    let (day, symbols) = play(&config, &["H0STCNT0", "H0NXCNT0", "H0UNCNT0", "H0STASP0", "H0STOUP0", "H0STOAC0"]);
    assert_eq!(symbols.iter().map(|symbol| symbol.venues.len()).collect::<Vec<_>>(), [2, 2, 1, 1]);
    let of = |tr: &str, code: &str| {
        let records = day.iter().filter(|p| p.tr_id == tr).flat_map(|p| p.records.clone());
        records.filter(|r| r[0] == code).collect::<Vec<_>>()
    };
    for symbol in &symbols[..2] {
        assert!(of("H0STOUP0", &symbol.code).is_empty() && !of("H0NXCNT0", &symbol.code).is_empty());
    }
    for symbol in &symbols[2..] {
        let prints = of("H0STOUP0", &symbol.code);
        let times: Vec<&str> = prints.iter().map(|r| r[1].as_str()).collect();
        assert_eq!((times.len(), times[0], times[11]), (12, "161000", "180000"));
        assert!(prints.iter().all(|r| r.len() == 43 && r[34] == "40" && int(r, 12) > 0));
        assert!(of("H0STOAC0", &symbol.code).iter().all(|r| r.len() == 43));
        assert!(of("H0NXCNT0", &symbol.code).is_empty());
    }
    assert!(day.iter().any(|p| p.tr_id == "H0STOAC0"));
}

#[test]
fn a_run_of_several_days_begins_each_trading_day_anew_at_the_close_of_the_last() {
    // Friday, the weekend, Monday.
    let market_start = jiff::civil::date(2026, 11, 20).at(7, 0, 0, 0);
    let (seconds, time_scale) = (40.0, 4.0 * 86_400.0 / 40.0);
    let config = SimConfig {
        symbols: 3,
        wild_symbols: 0,
        seconds,
        rate: 400.0,
        market_start,
        time_scale,
        ..SimConfig::default()
    };
    let (played, symbols) = play(&config, &["H0STCNT0", "H0UNCNT0"]);
    let trades = played.iter().filter(|p| p.tr_id == "H0STCNT0").flat_map(|p| &p.records);
    let trades: Vec<_> = trades.filter(|r| r[0] == symbols[0].code).collect();
    let mut dates: Vec<&str> = trades.iter().map(|r| r[33].as_str()).collect();
    dates.dedup();
    assert_eq!(dates, ["20261120", "20261123"]);
    let close = trades.iter().find(|r| r[1] == "153000").expect("a closing print");
    let monday = trades.iter().find(|r| r[33] == "20261123").expect("a first trade");
    assert_eq!(int(monday, 13), int(monday, 12), "cumulative figures begin anew");
    assert_eq!(int(monday, 2) - int(monday, 4), int(close, 2), "the change counts from Friday's close");
}

#[test]
fn a_run_that_starts_after_the_close_goes_on_from_it_the_next_day() {
    // Friday's after-market to Monday's opening.
    let market_start = jiff::civil::date(2026, 11, 20).at(16, 30, 0, 0);
    let (seconds, time_scale) = (10.0, 66.0 * 3600.0 / 10.0);
    let config = SimConfig {
        symbols: 2,
        wild_symbols: 0,
        seconds,
        rate: 400.0,
        market_start,
        time_scale,
        ..SimConfig::default()
    };
    let (played, symbols) = play(&config, &["H0STCNT0"]);
    let trades = played.iter().filter(|p| p.tr_id == "H0STCNT0").flat_map(|p| &p.records);
    let trades: Vec<_> = trades.filter(|r| r[0] == symbols[0].code).collect();
    let last = trades.iter().rfind(|r| r[33] == "20261120").expect("a trade of the after-market");
    let monday = trades.iter().find(|r| r[33] == "20261123").expect("a first trade");
    assert_ne!(int(last, 2), symbols[0].base_px);
    assert_eq!(int(monday, 2) - int(monday, 4), symbols[0].base_px);
}

#[test]
fn before_nextrade_began_all_symbols_have_rounds_of_single_price() {
    // Friday, three days without trading, the Tuesday on which Nextrade began.
    let (seconds, time_scale) = (50.0, 5.0 * 86_400.0 / 50.0);
    let market_start = jiff::civil::date(2025, 2, 28).at(7, 0, 0, 0);
    let config = SimConfig {
        symbols: 3,
        krx_only_symbols: 1,
        wild_symbols: 0,
        seconds,
        rate: 200.0,
        market_start,
        time_scale,
        ..SimConfig::default()
    };
    let (played, symbols) = play(&config, &["H0STOUP0", "H0NXCNT0"]);
    assert!(symbols.iter().all(|symbol| symbol.venues == [VenueName::Krx]));
    for (index, symbol) in symbols.iter().enumerate() {
        let count = |tr: &str, date: &str| {
            let records = played.iter().filter(|p| p.tr_id == tr).flat_map(|p| &p.records);
            records.filter(|r| r[0] == symbol.code && r[33] == date).count()
        };
        assert_eq!((count("H0STOUP0", "20250228"), count("H0NXCNT0", "20250228")), (12, 0));
        let rounds = if index == 2 { 12 } else { 0 };
        assert_eq!((count("H0STOUP0", "20250304"), count("H0NXCNT0", "20250304") > 0), (rounds, index < 2));
    }
}

#[test]
fn a_halt_ends_an_interruption_for_all_who_ask() {
    let market_start = jiff::civil::date(2026, 11, 20).at(10, 59, 0, 0);
    let config = SimConfig { symbols: 3, wild_symbols: 0, halted_symbols: 1, market_start, ..SimConfig::default() };
    let mut market = SimMarket::new(&config);
    market.advance_to((0, HALT_FROM - 10));
    market.interrupt(2);
    market.advance_to((0, HALT_FROM));
    let told = market.chronicle().interruptions();
    assert_eq!((told.len(), told[0].symbol, told[0].ended), (1, 2, Some(HALT_FROM)));
}
