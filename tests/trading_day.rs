//! Simulated trading days from before the first phase to after the last: an ordinary one with KRX's after-market, one with
//! its single-price session, an exam's, a year's first, a holiday, several in a row.
//!
//! Method: a venue on loopback that keeps its own table of days plays a date at many market seconds a wall second, from
//! hours before the first phase on, and an engine records it by the same clock, under `kis.session` as shipped. What the
//! venue says of its phases (market status, session and hour codes of trades, books and expected prices) is held against
//! the engine's calendar, by record; whether hot threads are parked is looked at all the while.
//!
//! At 1:3600 a watchdog's patience, a second of the wall at least, is an hour: that no silence is mistaken is tried around
//! the opening and the close at 1:200, where it is as configured. `HOGA_LONG=1` plays every day whole at 1:100.

mod rig;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use hoga::clock::{MarketClock, wall_ns};
use hoga::config::KisSubscription;
use hoga::engine::{Engine, Options};
use hoga::feed::kis::session::Leave;
use hoga::journal::{SealOptions, SegmentReader, Stream, seal};
use hoga::market::calendar::{Calendar, Venue};
use hoga::market::phase::{Phase, phase_at, phase_of_trade};
use hoga::metrics::Counter;
use hoga::stage::WaitStrategy;
use hoga::tick::{Flags, Publisher, RecordView, SessionEvent, Status};
use jiff::civil::{Date, date};
use kis_sim::{OpenWhen, SimConfig, Widths};
use rig::{Played, Record, Stage, compare, policy, read, reference, sessions, sim};

const SECOND_NS: u64 = 1_000_000_000;
/// What both venues and the unified feed have, and the single-price session.
const FEEDS: [&str; 12] = [
    "H0STCNT0", "H0STASP0", "H0STANC0", "H0STMKO0", "H0NXCNT0", "H0NXASP0", "H0NXANC0", "H0NXMKO0", "H0UNCNT0",
    "H0UNASP0", "H0UNANC0", "H0UNMKO0",
];
const SINGLE_PRICE: [&str; 2] = ["H0STOUP0", "H0STOAC0"];

/// A run over one or more days.
struct Run {
    first: Date,
    /// Seconds since the midnight of `first` at which the run begins and ends.
    from: u32,
    to: u32,
    scale: f64,
    wait: WaitStrategy,
    sim: SimConfig,
    /// Transactions of all symbols, and of those that KRX alone trades.
    feeds: &'static [&'static str],
    krx_only_feeds: &'static [&'static str],
}

/// Whether hot threads were seen parked at a market time, ns since the UNIX epoch.
type Sample = (u64, bool);

struct Recorded {
    played: Played,
    market: MarketClock,
    end_ns: u64,
    samples: Vec<Sample>,
    symbols: Vec<String>,
}

const fn at(hour: u32, minute: u32) -> u32 {
    hour * 3600 + minute * 60
}

/// A whole day of one symbol that does nothing special, one that is halted for a while and one that is interrupted.
fn whole(day: Date) -> Run {
    let (from, to, scale) =
        if policy::is_long() { (at(7, 15), at(20, 45), 100.0) } else { (at(5, 0), at(21, 10), 3600.0) };
    // A halted symbol is silent, which at this pace would be said.
    let halted_symbols = if policy::is_long() { 0 } else { 1 };
    let rate = if policy::is_long() { 200.0 } else { 600.0 };
    let sim = SimConfig { wild_symbols: 1, halted_symbols, ..sim(3, 1.0, rate) };
    Run { first: day, from, to, scale, wait: WaitStrategy::Park, sim, feeds: &FEEDS, krx_only_feeds: &[] }
}

/// Part of a day at a pace at which watchdogs are as patient as configured.
fn part(day: Date, from: u32, to: u32) -> Run {
    let sim = SimConfig { halted_symbols: 0, ..whole(day).sim };
    Run { from, to, scale: 200.0, sim, ..whole(day) }
}

/// As the day until 2026-09-11 was: other widths, a single-price session for symbols that NXT does not trade.
fn with_single_price(run: Run) -> Run {
    let sim = SimConfig {
        symbols: 2,
        wild_symbols: 0,
        krx_only_symbols: 1,
        widths: Widths::Before20260914,
        halted_symbols: 0,
        ..run.sim
    };
    Run {
        sim,
        krx_only_feeds: &["H0STCNT0", "H0STASP0", "H0STANC0", "H0STMKO0", SINGLE_PRICE[0], SINGLE_PRICE[1]],
        ..run
    }
}

impl Run {
    fn ns(&self, second: u32) -> u64 {
        hoga::market::kst::instant(self.first, second).expect("a date of our time")
    }

    /// Plays it. A machine too busy to have all registrations in force before the first phase plays it again.
    fn play(&self) -> Recorded {
        for _ in 0..3 {
            if let Some(recorded) = self.attempt() {
                return recorded;
            }
        }
        panic!("registrations took hours of market time, three times");
    }

    fn attempt(&self) -> Option<Recorded> {
        let sim = SimConfig {
            market_start: self.first.at(0, 0, 0, 0) + jiff::SignedDuration::from_secs(self.from.into()),
            time_scale: self.scale,
            // Ends by the test, not by itself.
            seconds: f64::from(self.to - self.from) / self.scale + 600.0,
            open_when: OpenWhen::Immediately,
            // Asked each tenth of a wall second whether they are there, lines have an hour to say so.
            clock_scale: 100.0,
            silence_cut_s: 360_000.0,
            spin: false,
            ..self.sim.clone()
        };
        let mut stage = Stage::new(sim, &[]);
        let symbols = rig::symbols(&stage.venue);
        let both = symbols.len() - self.sim.krx_only_symbols;
        let subscription = |keys: &[String]| {
            let keys = keys.to_vec();
            move |tr: &&str| KisSubscription {
                tr: (*tr).to_owned(),
                keys: keys.clone(),
                priority: 0,
                ..KisSubscription::default()
            }
        };
        let of_both = self.feeds.iter().map(subscription(&symbols[..both]));
        let of_krx = self.krx_only_feeds.iter().map(subscription(&symbols[both..]));
        stage.config.kis.subscribe = of_both.chain(of_krx).collect();
        let pairs: usize = stage.config.kis.subscribe.iter().map(|one| one.keys.len()).sum();
        stage.config.engine.wait = self.wait;
        stage.config.kis.session.check_calendar = true;
        if self.from >= at(7, 30) {
            // A line that begins while venues trade was down for minutes of their time.
            stage.config.kis.session.poll_after_s = 0;
        }

        rig::wait_until("the opening", || stage.venue.market_anchor().is_some());
        let anchor = stage.venue.market_anchor().expect("it is open");
        let market =
            MarketClock { anchor_wall_ns: anchor.wall_ns, anchor_market_ns: anchor.market_ns, scale: anchor.scale };
        let options = Options { market, leave: Leave::WhenStopped };
        let mut engine = Engine::start_with(&stage.config, stage.accounts.clone(), options).expect("an engine");
        let (end, mut samples) = (self.ns(self.to), Vec::new());
        let limit = Instant::now() + Duration::from_secs_f64(f64::from(self.to - self.from) / self.scale + 60.0);
        loop {
            // The figure may be older than the time of the sample, never newer.
            let is_parked = engine.summary().get(Counter::StagesParked) > 0;
            let now = market.market_ns(wall_ns());
            samples.push((now, is_parked));
            assert!(!engine.is_finished() && Instant::now() < limit, "the engine runs to the end of the day");
            if now >= end {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let played = stage.end(engine);
        let in_force = played.events(SessionEvent::Acked);
        assert_eq!(in_force.len(), pairs);
        let last = in_force.iter().map(|acked| market.market_ns(acked.header.ts_recv)).max().unwrap_or(0);
        let begins = if self.from < at(7, 30) { self.ns(at(8, 0)) } else { end };
        (last < begins).then_some(Recorded { played, market, end_ns: end, samples, symbols })
    }

    /// Each change of phase of a venue within the run by the engine's calendar: when, and from when on what.
    fn changes(&self, publisher: Publisher) -> Vec<(u64, Phase, Phase)> {
        let venue = if publisher == Publisher::KisKrx { Venue::Krx } else { Venue::Nxt };
        let calendar = Calendar::shipped();
        let phase = |second| calendar.phase_at(venue, self.ns(second)).expect("a year that is known");
        let seconds = (self.from + 1..self.to).filter(|second| phase(*second) != phase(*second - 1));
        seconds.map(|second| (self.ns(second), phase(second - 1), phase(second))).collect()
    }
}

/// MKOP_CLS_CODE of the messages by which a venue tells a change of phase; `AB1` where no code is documented.
fn codes(before: Phase, next: Phase) -> &'static [&'static str] {
    use Phase::*;
    match (before, next) {
        (_, OpeningAuction) => &["110", "110"],
        (_, Regular) => &["112"],
        (_, ClosingAuction) => &["121"],
        (ClosingAuction | Regular, Closed) => &["129"],
        (Closed, PreMarket) => &["130"],
        (PreMarket, Closed) => &["139"],
        (Closed, ClosingPrice) => &["140"],
        (ClosingPrice, SinglePrice) => &["149", "150"],
        (ClosingPrice, AfterMarket) => &["149", "AB1"],
        (SinglePrice, Closed) => &["159"],
        (_, AfterAuction | AfterMarket) | (AfterMarket, Closed) => &["AB1"],
        other => panic!("no venue goes through {other:?}"),
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("codes are ASCII").trim_end_matches('\0')
}

fn publisher(record: &Record) -> Publisher {
    Publisher::from_number(record.header().publisher).expect("a publisher")
}

/// Korean date (decimal YYYYMMDD) and second of an instant.
fn korean(ns: u64) -> (u32, u32) {
    let civil = hoga::market::kst::civil(ns);
    let second = civil.hour() as u32 * 3600 + civil.minute() as u32 * 60 + civil.second() as u32;
    (hoga::market::kst::number_of(civil.date()), second)
}

/// Whether a status tells a change of phase; else of an interruption or a halt.
fn is_change(status: &Status) -> bool {
    let unnamed = text(&status.mkop_cls) == "AB1" && !text(&status.expected_mkop_cls).is_empty();
    !unnamed && text(&status.mkop_cls) != "164" && status.halt == b'N'
}

impl Recorded {
    /// The journal has the status of every phase of each venue in order, and between two of them records of that phase
    /// alone.
    fn assert_phases_in_order(&self, run: &Run) {
        for venue in [Publisher::KisKrx, Publisher::KisNxt] {
            let changes = run.changes(venue);
            assert!(changes.len() >= 5, "{venue:?} goes through its phases: {changes:?}");
            let told =
                changes.iter().flat_map(|(at, before, next)| codes(*before, *next).iter().map(|code| (*at, *code)));
            let told: Vec<(u64, &str)> = told.collect();
            for (index, symbol) in self.symbols.iter().enumerate() {
                if venue == Publisher::KisNxt && index + run.sim.krx_only_symbols >= self.symbols.len() {
                    continue;
                }
                let about = format!("{venue:?} {symbol} {}", run.first);
                let mut expected = told.iter();
                // Orders of the opening auction are taken before anything is shown of it.
                let (mut since, mut records) = (run.ns(run.from), 0_u64);
                for record in self.played.ticks.iter().filter(|record| record.symbol == *symbol) {
                    let Some(market) = record.market().filter(|_| publisher(record) == venue) else { continue };
                    match record.view() {
                        RecordView::Status(status) if is_change(&status) => {
                            let (at, code) = expected.next().unwrap_or_else(|| panic!("{about}: one more {status:?}"));
                            assert_eq!(text(&status.mkop_cls), *code, "{about}");
                            since = *at;
                        }
                        RecordView::Status(_) => {}
                        _ => {
                            let until = expected.as_slice().first().map_or(u64::MAX, |(at, _)| *at);
                            let shown = format!("{about}: {} not in {since}..{until}", market.ts_event);
                            // The second message of a change comes a little later where the first one is of 08:30.
                            assert!((since..until.max(since + 1)).contains(&market.ts_event), "{shown}");
                            records += 1;
                        }
                    }
                }
                assert_eq!(expected.as_slice(), [], "{about}: not told");
                assert!(records > 50, "{about}: {records} records");
            }
        }
        let unified = self.played.ticks.iter().filter(|record| record.symbol == self.symbols[0]);
        let unified = unified.filter(|record| publisher(record) == Publisher::KisUn);
        let told = unified.filter(|record| matches!(record.view(), RecordView::Status(status) if is_change(&status)));
        let both = [Publisher::KisKrx, Publisher::KisNxt].map(|venue| run.changes(venue));
        let both: usize = both.iter().flatten().map(|(_, before, next)| codes(*before, *next).len()).sum();
        assert_eq!(told.count(), both, "the unified feed tells the changes of both");
    }

    /// What each record says of its phase is what the calendar says of its time. Returns the phases of each feed's trades.
    fn assert_phases_agree(&self) -> Vec<(Publisher, Phase)> {
        let mut seen = Vec::new();
        for record in &self.played.ticks {
            let Some(market) = record.market().filter(|market| market.ts_event != hoga::tick::UNDEF_TS) else {
                continue;
            };
            let publisher = publisher(record);
            let (date, second) = korean(market.ts_event);
            let clock = phase_at(publisher, date, second);
            let about = format!("{publisher:?} at {date} {second}");
            let by_hour_class = |class: u8| match class {
                b'A' => matches!(clock, Phase::ClosingAuction | Phase::AfterAuction),
                b'B' => clock == Phase::OpeningAuction,
                b'C' | b'0' => clock.is_continuous(),
                _ => false,
            };
            match record.view() {
                RecordView::Trade(trade) => {
                    let phase = phase_of_trade(publisher, &trade, date, second);
                    let is_auction = trade.header.flags & Flags::AUCTION != 0;
                    let fits = match text(&trade.mkop_cls) {
                        "10" => matches!(phase, Phase::PreMarket | Phase::MiddayAuction),
                        "20" => {
                            use Phase::{ClosingAuction, MiddayAuction, OpeningAuction, Regular};
                            matches!(phase, Regular | OpeningAuction | MiddayAuction | ClosingAuction)
                        }
                        "30" => matches!(phase, Phase::AfterMarket | Phase::AfterAuction | Phase::MiddayAuction),
                        "31" => phase == Phase::ClosingPrice && clock != Phase::Regular,
                        "40" => phase == Phase::SinglePrice && clock == Phase::SinglePrice,
                        other => panic!("{about}: session code {other}"),
                    };
                    assert!(fits, "{about}: {phase:?} of {trade:?}");
                    let class_fits = match trade.market_cls {
                        0 => true,
                        b'1' => matches!(phase, Phase::PreMarket | Phase::MiddayAuction),
                        b'2' => matches!(phase, Phase::Regular | Phase::OpeningAuction | Phase::MiddayAuction),
                        b'3' => matches!(phase, Phase::AfterMarket | Phase::AfterAuction | Phase::MiddayAuction),
                        b'5' => matches!(phase, Phase::ClosingAuction | Phase::ClosingPrice),
                        other => panic!("{about}: market class {other}"),
                    };
                    assert!(class_fits, "{about}: {phase:?} of {trade:?}");
                    assert_eq!(is_auction, phase.is_auction() || phase == Phase::SinglePrice, "{about}: {trade:?}");
                    if !seen.contains(&(publisher, phase)) {
                        seen.push((publisher, phase));
                    }
                }
                RecordView::Book(book, _) => assert!(by_hour_class(book.hour_cls), "{about}: {clock:?} of {book:?}"),
                RecordView::Expected(expected) if text(&expected.mkop_cls) == "40" => {
                    assert_eq!(clock, Phase::SinglePrice, "{about}");
                }
                RecordView::Expected(expected) => {
                    assert!(by_hour_class(expected.hour_cls) && expected.hour_cls != b'0', "{about}: {clock:?}");
                }
                _ => {}
            }
        }
        seen
    }

    /// Nobody was alarmed: no watchdog, no connection made anew, no difference of calendars, nothing missing.
    fn assert_calm(&self) {
        let all = sessions(&self.played.ticks);
        // The venue ends with the run; what that brings about is no part of the day.
        let end = all.iter().position(|session| session.event == SessionEvent::Disconnected as u8).unwrap_or(all.len());
        let last = all.get(end).map_or(u64::MAX, |session| self.market.market_ns(session.header.ts_recv));
        assert!(last >= self.end_ns, "the connection lasts to the end of the day");
        let calm = [
            SessionEvent::Connected,
            SessionEvent::Subscribed,
            SessionEvent::Acked,
            SessionEvent::Verified,
            SessionEvent::CalendarChecked,
        ];
        let alarms = all[..end].iter().filter(|session| !calm.iter().any(|event| *event as u8 == session.event));
        let alarms: Vec<String> = alarms
            .map(|session| format!("event {} {} {}", session.event, text(&session.tr_key), text(&session.text)))
            .collect();
        assert!(alarms.is_empty(), "{alarms:#?}");
        // Once a trading day, weekends too.
        assert!(!self.played.events(SessionEvent::CalendarChecked).is_empty());
        for counter in [Counter::SilentLines, Counter::SilentPairs, Counter::CalendarDifferences] {
            assert_eq!(self.played.summary.get(counter), 0, "{counter:?}");
        }
        assert!(self.played.gaps().is_empty() && self.played.rejects().is_empty());
    }

    /// Hot threads wait as configured from `from` to `to`, and park until an hour before and from an hour after.
    fn assert_parked_outside(&self, run: &Run, open: Option<(u32, u32)>) {
        // Started, the manager needs a moment to look at the hours; so do threads to follow.
        let begin = run.ns(run.from) + (0.7 * run.scale * SECOND_NS as f64) as u64;
        let slack = ((0.7 * run.scale) as u32).max(1200);
        let of = |range: std::ops::Range<u64>| {
            let samples: Vec<bool> =
                self.samples.iter().filter(|(at, _)| range.contains(at)).map(|(_, is)| *is).collect();
            assert!(samples.len() > 3, "{} samples of {range:?}", samples.len());
            samples
        };
        let Some((from, to)) = open else {
            assert!(of(begin..u64::MAX).into_iter().all(|parked| parked), "nothing is expected all day");
            return;
        };
        assert!(of(begin..run.ns(from - 360)).into_iter().all(|parked| parked), "before the day");
        assert!(of(run.ns(from + slack)..run.ns(to)).into_iter().all(|parked| !parked), "in the day");
        assert!(of(run.ns(to + slack)..u64::MAX).into_iter().all(|parked| parked), "after the day");
    }

    /// Every frame of the ledger is in `raw`, every record of it in `ticks`, nothing else.
    fn assert_nothing_is_lost(&mut self, run: &Run) {
        self.played.ledger.date = hoga::market::kst::number_of(run.first);
        let compared = compare::compare(&self.played.ledger, &self.played.dir);
        assert_eq!(compared.frames, self.played.venue.counts.frames_sent);
        assert_eq!(compared.records, self.played.venue.counts.records_sent);
    }
}

/// A whole day in which all is as it should be; `open`: the seconds at which the first phase begins and the last one ends.
fn assert_good_day(run: &Run, open: (u32, u32), phases: &[(Publisher, Phase)]) {
    let mut recorded = run.play();
    recorded.assert_calm();
    recorded.assert_nothing_is_lost(run);
    recorded.assert_phases_in_order(run);
    let seen = recorded.assert_phases_agree();
    let absent: Vec<_> = phases.iter().filter(|phase| !seen.contains(phase)).collect();
    assert!(absent.is_empty(), "{absent:?} in none of {seen:?}");
    recorded.assert_parked_outside(run, Some(open));
}

#[test]
fn an_ordinary_day_goes_through_all_phases_of_both_venues() {
    use Phase::*;
    use Publisher::{KisKrx, KisNxt, KisUn};
    let run = Run { wait: WaitStrategy::Yield, ..whole(date(2026, 11, 20)) };
    let phases = [
        (KisNxt, PreMarket),
        (KisKrx, OpeningAuction),
        (KisKrx, Regular),
        (KisNxt, Regular),
        (KisKrx, MiddayAuction),
        (KisKrx, ClosingAuction),
        (KisKrx, ClosingPrice),
        (KisKrx, AfterMarket),
        (KisNxt, AfterAuction),
        (KisNxt, AfterMarket),
        (KisUn, PreMarket),
        (KisUn, OpeningAuction),
        (KisUn, ClosingAuction),
        (KisUn, AfterAuction),
        (KisUn, AfterMarket),
    ];
    assert_good_day(&run, (at(8, 0), at(20, 0)), &phases);
}

#[test]
fn before_2026_09_14_krx_ends_with_its_single_price_session() {
    let run = with_single_price(whole(date(2026, 9, 10)));
    let phases = [(Publisher::KisKrx, Phase::SinglePrice), (Publisher::KisNxt, Phase::AfterMarket)];
    assert_good_day(&run, (at(8, 0), at(20, 0)), &phases);
}

#[test]
fn on_the_day_of_the_exam_all_but_the_end_is_an_hour_later() {
    let phases = [(Publisher::KisKrx, Phase::OpeningAuction), (Publisher::KisKrx, Phase::AfterMarket)];
    assert_good_day(&whole(date(2026, 11, 19)), (at(9, 30), at(20, 0)), &phases);
}

#[test]
fn on_the_first_trading_day_of_a_year_the_opening_is_an_hour_later() {
    let run = with_single_price(whole(date(2026, 1, 2)));
    let phases = [(Publisher::KisKrx, Phase::ClosingPrice), (Publisher::KisKrx, Phase::SinglePrice)];
    assert_good_day(&run, (at(9, 30), at(20, 0)), &phases);
}

#[test]
fn on_a_holiday_nothing_is_expected_and_nothing_alarms() {
    let mut run = whole(date(2026, 12, 25));
    run.scale *= 2.0;
    let recorded = run.play();
    recorded.assert_calm();
    assert_eq!(recorded.played.venue.counts.frames_sent, 0);
    assert!(recorded.played.ticks.iter().all(|record| record.market().is_none()));
    recorded.assert_parked_outside(&run, None);
}

#[test]
fn no_silence_is_mistaken_before_and_after_the_opening() {
    let run = part(date(2026, 11, 20), at(8, 20), at(9, 10));
    let mut recorded = run.play();
    recorded.assert_calm();
    recorded.assert_nothing_is_lost(&run);
    recorded.assert_phases_agree();
}

#[test]
fn no_silence_is_mistaken_around_the_close() {
    let run = part(date(2026, 11, 20), at(15, 10), at(16, 10));
    let mut recorded = run.play();
    recorded.assert_calm();
    recorded.assert_nothing_is_lost(&run);
    recorded.assert_phases_agree();
}

/// Trading dates of the segments of a stream.
fn dates(dir: &Path, stream: Stream) -> Vec<u32> {
    let mut dates = Vec::new();
    for ordinal in 1_u64.. {
        let path = dir.join(stream.name()).join(format!("{ordinal:010}.seg"));
        let Ok(segment) = SegmentReader::open(&path) else { break };
        let header = segment.checked_header(stream, ordinal).expect("a header");
        dates.extend(header.activation.map(|activation| activation.trading_date));
    }
    dates.dedup();
    dates
}

/// From the evening before the exam's Thursday to Saturday morning.
#[test]
fn days_in_a_row_are_segments_of_their_own_dates_and_can_be_sealed_once_over() {
    let scale = if policy::is_long() { 1500.0 } else { 14_400.0 };
    let mut run = Run { scale, to: at(24 + 24 + 24 + 10, 0), from: at(21, 0), ..whole(date(2026, 11, 18)) };
    // Their time tells its date.
    run.feeds = &["H0STCNT0", "H0STANC0", "H0STMKO0", "H0NXCNT0", "H0NXMKO0"];
    run.sim.halted_symbols = 0;
    let mut recorded = run.play();
    recorded.assert_calm();
    recorded.assert_nothing_is_lost(&run);
    recorded.assert_phases_agree();
    let traded: BTreeSet<u32> = recorded.played.trades().iter().map(|(_, trade)| trade.business_date).collect();
    assert_eq!(traded.into_iter().collect::<Vec<_>>(), [20_261_119, 20_261_120]);
    let dir = &recorded.played.dir;
    for stream in [Stream::Ticks, Stream::Raw] {
        assert_eq!(dates(dir, stream), [20_261_118, 20_261_119, 20_261_120, 20_261_121], "{stream:?}");
    }
    let night = |day: i8| run_ns(date(2026, 11, day), at(20, 45))..run_ns(date(2026, 11, day + 1), at(7, 45));
    for range in [night(19), night(20)] {
        let parked: Vec<bool> =
            recorded.samples.iter().filter(|(at, _)| range.contains(at)).map(|(_, parked)| *parked).collect();
        let share = parked.iter().filter(|parked| **parked).count() as f64 / parked.len() as f64;
        assert!(share > 0.5, "parked in {share:.2} of the night");
    }
    let report = seal(dir, date(2026, 11, 20), SealOptions::default(), |_| {}).expect("the days are over");
    // Each wall minute the engine looks for days that are over.
    let days: &[Date] =
        if policy::is_long() { &[date(2026, 11, 20)] } else { &[18, 19, 20].map(|day| date(2026, 11, day)) };
    assert_eq!(report.sealed.keys().copied().collect::<Vec<_>>(), days);
    assert!(!read(dir, Stream::Ticks).is_empty());
}

fn run_ns(day: Date, second: u32) -> u64 {
    reference::kst_ns(hoga::market::kst::number_of(day), second)
}
