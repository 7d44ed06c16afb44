//! Troubles that users of the broker's interface report, played by their names (`kis-sim --faults`), and what the engine makes
//! of each. Troubles of sessions are in `kis_sessions.rs`, those of single frames in `engine_faults.rs`, of connections in
//! `engine_lines.rs`, of REST in `rest_faults.rs`, `rest_keys.rs` and `rest_limits.rs`; the table of all of them stands in
//! `tools/kis-sim/TROUBLES.md`.
//!
//! Method: as in `kis_sessions.rs`; a second of the venue's clock and of the engine's lasts `1 / scale` where the broker's
//! seconds would be waited for.

mod rig;

use std::collections::BTreeMap;
use std::time::Duration;

use hoga::clock::{MarketClock, wall_ns};
use hoga::config::KisSubscription;
use hoga::engine::{Engine, Options};
use hoga::feed::kis::rest::quotations::{DailyBar, Prices, Venue as Market};
use hoga::feed::kis::rest::{Client, RestSection};
use hoga::feed::kis::session::Leave;
use hoga::journal::Stream;
use hoga::metrics::Counter;
use hoga::net::DisconnectReason;
use hoga::tick::{Flags, Publisher, RType, RecordView, Session, SessionEvent, Trade};
use kis_sim::{Burst, OpenWhen, SCRIPTS, Script, SimConfig, Venue};
use rig::{Record, Stage, play, read, reference, sessions, sim, symbols, trades, wait_until};

const TRADES: &[&str] = &["H0STCNT0"];
const BOTH: &[&str] = &["H0STCNT0", "H0STASP0"];

/// Two symbols in continuous trading, and this trouble.
fn troubled(name: &str, sim: SimConfig) -> SimConfig {
    let mut config = SimConfig { market_start: jiff::civil::date(2026, 11, 20).at(9, 30, 0, 0), ..sim };
    Script::find(name).expect("a trouble of this name").apply(&mut config);
    config
}

/// The same for as long as the test likes, from the start on.
fn endless(name: &str, scale: f64) -> SimConfig {
    let config =
        SimConfig { open_when: OpenWhen::Immediately, max_records_per_frame: 1, ..sim(2, f64::INFINITY, 100.0) };
    troubled(name, SimConfig { time_scale: scale, clock_scale: scale, ..config })
}

/// An engine on the stage's market.
fn start(stage: &Stage, scale: f64) -> Engine {
    let second = stage.venue.config().market_start.time().duration_since(jiff::civil::Time::midnight()).as_secs();
    let anchor_market_ns = reference::kst_ns(reference::MARKET_DATE, u32::try_from(second).expect("of a day"));
    let market = MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns, scale };
    let options = Options { market, leave: Leave::WhenStopped };
    Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine")
}

fn until(stage: &Stage, what: &str, done: impl Fn(&[Record]) -> bool) {
    let dir = stage.dir();
    wait_until(what, || done(&read(&dir, Stream::Ticks)));
}

fn of(ticks: &[Record], event: SessionEvent) -> Vec<Session> {
    sessions(ticks).into_iter().filter(|session| session.event == event as u8).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn subscribe(tr: &str, keys: &[&str], priority: u8) -> KisSubscription {
    toml::from_str(&format!("tr = {tr:?}\nkeys = {keys:?}\npriority = {priority}"))
        .expect("an entry of the configuration")
}

/// Trades by symbol and publisher.
fn by_feed(ticks: &[Record]) -> BTreeMap<(String, u16), Vec<Trade>> {
    let mut feeds = BTreeMap::<_, Vec<Trade>>::new();
    for (symbol, trade) in trades(ticks) {
        feeds.entry((symbol, trade.header.publisher)).or_default().push(trade);
    }
    feeds
}

fn assert_continuous(feeds: &BTreeMap<(String, u16), Vec<Trade>>) {
    for ((symbol, publisher), trades) in feeds {
        for pair in trades.windows(2) {
            assert_eq!(pair[0].cum_qty + pair[1].qty, pair[1].cum_qty, "{symbol} of {publisher}");
        }
    }
}

#[test]
fn every_trouble_has_its_line_in_the_table() {
    let table = include_str!("../tools/kis-sim/TROUBLES.md");
    for script in SCRIPTS {
        assert!(table.contains(&format!("`{}`", script.name)), "{} is missing in TROUBLES.md", script.name);
    }
    let tests = [
        "engine_faults",
        "engine_lines",
        "kis_sessions",
        "kis_session_care",
        "kis_session_steady",
        "kis_notices",
        "reported_troubles",
        "rest_calls",
        "rest_faults",
    ];
    let more = ["rest_keys", "rest_limits", "fetch", "secrets", "soak", "hot_path_allocations"];
    let mut sources = String::new();
    for name in tests.iter().chain(&more) {
        let path = format!("{}/tests/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        sources.push_str(&std::fs::read_to_string(path).expect("a file of tests"));
    }
    for path in ["src/feed/kis/tests.rs", "src/feed/kis/session/plan.rs", "tools/kis-sim/tests/clients.rs"] {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        sources.push_str(&std::fs::read_to_string(path).expect("a file of tests"));
    }
    let named = table.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(3));
    let named: Vec<&str> = named.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 50, "{}", named.len());
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "no test is named {name}");
    }
}

#[test]
fn no_record_of_a_frame_with_many_is_left_out() {
    let played = play(troubled("several_records", sim(2, 1.0, 300.0)), TRADES);
    assert!(played.venue.counts.records_sent >= 6 * played.venue.counts.frames_sent);
    played.assert_nothing_is_lost();
    assert!(played.trades().iter().all(|(_, trade)| trade.header.flags & Flags::BATCHED != 0));
    played.assert_volume_is_accounted_for();
}

#[test]
fn a_field_more_while_it_runs_costs_no_record_and_is_said_once() {
    let played = play(troubled("widened", sim(2, 1.5, 400.0)), BOTH);
    assert_eq!(played.ledger.faults("widen").len(), 1);
    let widths: BTreeMap<u16, usize> = played.trades().iter().fold(BTreeMap::new(), |mut widths, (_, trade)| {
        *widths.entry(trade.market.width).or_default() += 1;
        widths
    });
    assert_eq!(widths.keys().copied().collect::<Vec<_>>(), [47, 48], "{widths:?}");
    for (_, trade) in played.trades() {
        assert_eq!(trade.header.flags & Flags::SCHEMA_EXTRA != 0, trade.market.width == 48);
    }
    let changes = played.events(SessionEvent::SchemaChanged);
    let told: Vec<u64> = changes.iter().map(|session| session.value).collect();
    assert_eq!(told.len(), 2, "once a transaction: {told:?}");
    assert!(told.contains(&48) && told.contains(&64), "{told:?}");
    assert!(played.rejects().is_empty() && played.gaps().is_empty());
    assert_eq!(played.summary.get(Counter::RecordsJournaled), played.venue.counts.records_sent);
    played.assert_volume_is_accounted_for();
}

#[test]
fn lost_frames_are_missed_to_the_last_share() {
    let mut config = troubled("lost_frames", sim(2, 1.0, 400.0));
    config.max_records_per_frame = 1;
    let played = play(config, TRADES);
    assert_eq!(played.ledger.dropped().len(), 7);
    assert!(!played.gaps().is_empty());
    played.assert_volume_is_accounted_for();
}

#[test]
fn what_is_confirmed_and_dark_is_said_and_never_becomes_a_loop_of_registrations() {
    let scale = 120.0;
    let mut config = endless("dark", scale);
    Script::find("registration_loop").expect("a trouble").apply(&mut config);
    let stage = Stage::new(config, TRADES);
    let engine = start(&stage, scale);
    until(&stage, "the silence is said", |ticks| !of(ticks, SessionEvent::PairSilent).is_empty());
    // Ten minutes of the venue and more, with those before.
    std::thread::sleep(Duration::from_millis(3_500));
    let counts = stage.venue.ledger();
    let played = stage.end(engine);
    assert_eq!((counts.bans, counts.connections), (0, 1), "{counts:?}");
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 2);
    assert_eq!(played.events(SessionEvent::PairSilent).len(), 1, "once");
    let lit = played.trades().first().expect("the other one trades").0.clone();
    assert_ne!(text(&played.events(SessionEvent::PairSilent)[0].tr_key), lit);
}

#[test]
fn before_nine_only_the_feeds_that_carry_nextrade_tick_and_nobody_is_alarmed() {
    let scale = 60.0;
    let mut config = endless("pre_market", scale);
    config.rate = 200.0;
    let stage = Stage::new(config, &["H0STCNT0", "H0NXCNT0", "H0UNCNT0"]);
    let engine = start(&stage, scale);
    until(&stage, "trades", |ticks| trades(ticks).len() > 50);
    // Beyond the silence after which a pair that should tick is told of: 300 s.
    std::thread::sleep(Duration::from_secs(6));
    let played = stage.end(engine);
    let feeds = by_feed(&played.ticks);
    let publishers: Vec<u16> = feeds.keys().map(|(_, publisher)| *publisher).collect();
    assert!(publishers.contains(&(Publisher::KisNxt as u16)) && publishers.contains(&(Publisher::KisUn as u16)));
    assert!(!publishers.contains(&(Publisher::KisKrx as u16)), "KRX does not trade yet");
    assert_continuous(&feeds);
    assert!(played.events(SessionEvent::PairSilent).is_empty() && played.events(SessionEvent::NoData).is_empty());
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
}

#[test]
fn volumes_of_krx_nextrade_and_both_are_kept_apart() {
    let config = SimConfig { max_records_per_frame: 1, ..sim(2, 1.5, 900.0) };
    let config = troubled("several_records", config);
    let played = play(config, &["H0STCNT0", "H0NXCNT0", "H0UNCNT0"]);
    played.assert_nothing_is_lost();
    let feeds = by_feed(&played.ticks);
    assert_eq!(feeds.len(), 6);
    assert_continuous(&feeds);
    for symbol in feeds.keys().map(|(symbol, _)| symbol) {
        let sum = |publisher: Publisher| feeds[&(symbol.clone(), publisher as u16)].last().expect("trades").cum_qty;
        assert_eq!(sum(Publisher::KisKrx) + sum(Publisher::KisNxt), sum(Publisher::KisUn), "{symbol}");
    }
}

#[test]
fn after_hours_trades_come_on_the_regular_transactions_with_their_market_class() {
    let scale = 30.0;
    let mut stage = Stage::new(endless("after_market", scale), TRADES);
    let keys = symbols(&stage.venue);
    stage.config.kis.subscribe.push(subscribe("H0STOUP0", &[&keys[0]], 0));
    let engine = start(&stage, scale);
    until(&stage, "trades", |ticks| trades(ticks).len() > 50);
    std::thread::sleep(Duration::from_secs(2));
    let played = stage.end(engine);
    assert!(played.trades().iter().all(|(_, trade)| trade.market_cls == b'3'), "the after-market");
    assert!(played.trades().iter().all(|(_, trade)| trade.header.publisher == Publisher::KisKrx as u16));
    assert_eq!(played.events(SessionEvent::Connected).len(), 1, "the quiet transaction costs nothing");
    assert_eq!(played.events(SessionEvent::Subscribed).len(), 3);
    played.assert_volume_is_accounted_for();
}

#[test]
fn an_index_changes_against_its_last_close_and_its_two_codes_are_two_instruments() {
    let config = troubled("several_records", sim(1, f64::INFINITY, 200.0));
    let mut stage = Stage::new(config, TRADES);
    stage.config.kis.subscribe = vec![subscribe("H0UPCNT0", &["0001", "1001"], 0)];
    let engine = start(&stage, 1.0);
    let indices = |ticks: &[Record]| -> Vec<(String, i64, i64, u8)> {
        let index = |record: &Record| match record.view() {
            RecordView::Index(index) => Some((record.symbol.clone(), index.px, index.change_px, index.sign)),
            _ => None,
        };
        ticks.iter().filter_map(index).collect()
    };
    until(&stage, "values of both", |ticks| indices(ticks).len() > 100);
    let played = stage.end(engine);
    // The venue's closes of the day before.
    let closes = BTreeMap::from([("0001", 4_123_450_000_000), ("1001", 987_650_000_000)]);
    let seen = indices(&played.ticks);
    for (symbol, px, change_px, sign) in &seen {
        assert_eq!(px - change_px, closes[symbol.as_str()], "{symbol}");
        assert_eq!(*sign, [b'5', b'3', b'2'][(change_px.signum() + 1) as usize], "{change_px}");
    }
    assert!(closes.keys().all(|code| seen.iter().any(|(symbol, ..)| symbol == code)));
}

#[test]
fn each_keep_alive_of_an_idle_line_is_answered_in_time() {
    let scale = 20.0;
    let mut config = endless("strict_ping", scale);
    config.open_when = OpenWhen::Registrations { count: 1_000 };
    let stage = Stage::new(config, TRADES);
    let engine = start(&stage, scale);
    until(&stage, "both are in force", |ticks| of(ticks, SessionEvent::Acked).len() == 2);
    // A minute of the venue, twelve times what it bears.
    std::thread::sleep(Duration::from_secs(3));
    let played = stage.end(engine);
    assert!(played.ledger.cuts().is_empty(), "{:?}", played.ledger.cuts());
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
    assert!(played.summary.get(Counter::Pingpongs) >= 20);
}

#[test]
fn the_engine_has_no_ping_of_its_own() {
    let scale = 60.0;
    let mut config = endless("client_ping", scale);
    Script::find("no_pingpong").expect("a trouble").apply(&mut config);
    let stage = Stage::new(config, TRADES);
    let engine = start(&stage, scale);
    until(&stage, "trades", |ticks| trades(ticks).len() > 20);
    std::thread::sleep(Duration::from_secs(3));
    let played = stage.end(engine);
    assert!(played.ledger.cuts().is_empty(), "{:?}", played.ledger.cuts());
    assert_eq!(played.events(SessionEvent::Connected).len(), 1);
}

#[test]
fn a_venue_that_bears_no_backlog_is_read_fast_enough_through_a_burst() {
    let config = SimConfig { burst: Burst::Opening { factor: 10.0, share: 0.05 }, ..sim(10, 2.0, 4_000.0) };
    let played = play(troubled("impatient", config), BOTH);
    assert!(played.ledger.cuts().is_empty(), "{:?}", played.ledger.cuts());
    played.assert_nothing_is_lost();
}

#[test]
fn an_end_without_a_close_is_a_disconnect_and_the_line_comes_back() {
    let scale = 20.0;
    let stage = Stage::new(endless("no_close_frame", scale), TRADES);
    let engine = start(&stage, scale);
    until(&stage, "it is back", |ticks| {
        of(ticks, SessionEvent::Connected).len() == 2 && of(ticks, SessionEvent::Verified).len() == 2
    });
    let played = stage.end(engine);
    let end = &played.events(SessionEvent::Disconnected)[0];
    assert_eq!((end.reason, end.close_code), (DisconnectReason::Eof.number(), 1006));
    played.assert_volume_is_accounted_for();
}

#[test]
fn an_approval_that_hangs_leaves_no_connection_without_registrations_behind() {
    let mut stage = Stage::new(endless("approval_slow", 1.0), TRADES);
    stage.config.kis.rest.connect_timeout_ms = 300;
    stage.config.kis.rest.call_timeout_s = 1;
    let engine = start(&stage, 20.0);
    until(&stage, "a wait", |ticks| !of(ticks, SessionEvent::BackingOff).is_empty());
    assert_eq!(stage.venue.ledger().connections, 0, "first the key, then the connection");
    until(&stage, "trades", |ticks| trades(ticks).len() > 20);
    assert_eq!(stage.venue.ledger().connections, 1);
    let played = stage.end(engine);
    assert_eq!(played.events(SessionEvent::Acked).len(), 2);
}

#[test]
fn the_mock_server_sends_the_same_records_as_the_real_one() {
    let played = play(troubled("mock", sim(2, 1.0, 400.0)), BOTH);
    played.assert_nothing_is_lost();
    assert!(played.trades().iter().all(|(_, trade)| trade.market.width == 47));
    let books = |record: &&Record| record.header().rtype == RType::Book as u8;
    let book = played.ticks.iter().find(books).expect("books").market().expect("a market record");
    assert_eq!(book.width, 63);
}

#[test]
fn an_app_key_of_a_new_customer_is_served_at_its_own_pace() {
    let mut config = troubled("new_customer", sim(4, f64::INFINITY, 10.0));
    config.open_when = OpenWhen::Registrations { count: 1_000 };
    let venue = Venue::start(config).expect("a venue");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = RestSection { keys_dir: Some(folder.path().join("keys")), ..RestSection::default() };
    let accounts = rig::accounts(&venue.config().app_keys);
    let client = Client::new(&venue.rest_url(), &accounts, &settings).expect("a client");
    let code = venue.symbols()[0].code.clone();
    for _ in 0..8 {
        client.quote(Market::Krx, &code).expect("answered, whatever it was refused before");
    }
    let counts = venue.rest_counts();
    assert!(counts.refusals_of("EGW00201") <= 6, "it learns: {counts:?}");
    assert_eq!(counts.refusals.len(), usize::from(counts.refusals_of("EGW00201") > 0), "and nothing else");
}

/// What is asked for through what the trouble puts in its way.
fn asked<T>(name: &str, ask: impl Fn(&Client, &str) -> T) -> (kis_sim::RestCounts, T) {
    let mut config = troubled(name, sim(1, f64::INFINITY, 50.0));
    (config.clock_scale, config.open_when) = (60.0, OpenWhen::Registrations { count: 1_000 });
    let folder = tempfile::tempdir().expect("a folder");
    let venue = Venue::start(config).expect("a venue");
    let keys_dir = Some(folder.path().join("keys"));
    let settings = RestSection { keys_dir, token_interval_s: 1, retry_delay_ms: 5, ..RestSection::default() };
    let client = Client::new(&venue.rest_url(), &rig::accounts(&venue.config().app_keys), &settings).expect("a client");
    let answer = ask(&client, &venue.symbols()[0].code);
    (venue.rest_counts(), answer)
}

#[test]
fn prices_are_adjusted_or_raw_as_asked_for_by_either_call() {
    let (_, days) = asked("split", |client, code| {
        [Prices::Adjusted, Prices::Raw].map(|prices| {
            let between = client.days_between(Market::Krx, code, 20_261_101, 20_261_119, prices).expect("days");
            let last = client.last_days(Market::Krx, code, prices).expect("days");
            let closes = |days: &[DailyBar]| -> BTreeMap<u32, i64> {
                days.iter().filter(|day| day.date >= 20_261_101).map(|day| (day.date, day.close_px)).collect()
            };
            assert_eq!(closes(&between), closes(&last), "{prices:?}: one word, one meaning");
            closes(&last)
        })
    });
    let [adjusted, raw] = days;
    for (date, close) in &adjusted {
        let factor = if *date < 20_261_110 { 2 } else { 1 };
        assert_eq!(raw[date], factor * close, "{date}");
    }
    assert!(adjusted.keys().any(|date| *date < 20_261_110) && adjusted.keys().any(|date| *date > 20_261_110));
}

#[test]
fn a_rate_that_others_use_up_and_a_token_that_another_program_has_just_asked_for_are_waited_out() {
    let quote = |client: &Client, code: &str| client.quote(Market::Krx, code).expect("in the end it is answered");
    let (counts, _) = asked("rate_used_up", quote);
    assert_eq!((counts.refusals_of("EGW00201"), counts.requests_of("inquire-price")), (3, 4));
    let (counts, _) = asked("token_minute", quote);
    assert_eq!((counts.refusals_of("EGW00133"), counts.requests_of("tokenP")), (1, 2));
}
