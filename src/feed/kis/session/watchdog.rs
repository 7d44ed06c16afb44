//! The watchdogs: lines on which nothing comes, pairs that don't tick though they should.
//!
//! A line shows when its last message of any kind came by the traffic half of the connection table; which pairs tick is
//! read off the journal, behind the tail, as any other process would: the tick path knows nothing of it. Ages are counted
//! by the monotonic clock from the moment a change was seen, so that a step of wall time looks like nothing.
//!
//! The broker asks an idle client whether it is there and forgets to while data flows: so a missing keep-alive counts only
//! while nothing else comes either. A line that is asked but brings no data is another matter: its registrations are dead,
//! though all were confirmed, or nothing is traded: `quiet.rs` beside this file tells.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::SessionSection;
use super::expect::{Expectations, Moment};
use super::ledger::Registration;
use super::poll::{Symbol, pollable};
use super::quiet::Quiet;
use super::witness::{Testimony, Witness};
use crate::clock::{MarketClock, wall_ns};
use crate::journal::{Start, Stream, Tailer};
use crate::market::calendar::Calendar;
use crate::market::phase::Phase;
use crate::metrics::ConnectionWatch;
use crate::tick::{HEADER_BYTES, MARKET_PREFIX_BYTES, Market, RType, tr_name};

/// No line is given up for silence sooner, however fast market time runs: a busy machine is no dead line.
const WALL_MIN: Duration = Duration::from_secs(1);
/// Pause between two looks, of the venue's clock and bounded by the wall's.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_WALL_MIN: Duration = Duration::from_millis(20);
/// Records read in one look; what is more waits for the next.
const RECORDS_MAX: usize = 2_000_000;
/// Of the patience with lines that bring no data: after so much of it is asked whether anything is traded, and so long may
/// what was traded be under way.
const ASK_AFTER: u32 = 2;
const GRACE: u32 = 12;
/// What was traded may be under way so long, however fast market time runs.
const GRACE_WALL_MIN: Duration = Duration::from_millis(300);

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No message of any kind came on a line for so long.
    Silent {
        /// Which.
        line: u16,
        /// How long.
        age: Duration,
    },
    /// Keep-alives come on a line, but no data, though its pairs were traded, or all ticked before and fell silent together.
    NoData {
        /// Which.
        line: u16,
        /// How long.
        age: Duration,
    },
    /// A pair in force doesn't tick.
    PairSilent {
        /// On which line.
        line: u16,
        /// Which.
        pair: Registration,
        /// How long.
        age: Duration,
        /// The phase in which it should.
        phase: Phase,
    },
    /// A pair said to be silent ticks.
    PairTicks {
        /// On which line.
        line: u16,
        /// Which.
        pair: Registration,
        /// How long it had not.
        age: Duration,
    },
    /// A connection was held against what was wanted of it: all pairs that should tick do, or time is up.
    Verified {
        /// Which line.
        line: u16,
        /// Pairs in force.
        in_force: usize,
        /// Of those, how many should tick in the present phase.
        expected: usize,
        /// Of those, how many did.
        ticking: usize,
    },
}

/// All lines and their pairs in force.
#[derive(Debug)]
pub struct Watchdog {
    silence: Option<Duration>,
    data_silence: Option<Duration>,
    pair_silence: Option<Duration>,
    /// Longest the pairs of a new connection may take to tick.
    verify_within: Duration,
    expectations: Expectations,
    /// Whether anything is traded; `None` where the broker doesn't tell.
    witness: Option<Witness>,
    calendar: Arc<Calendar>,
    market: MarketClock,
    dir: PathBuf,
    tailer: Option<Tailer>,
    lines: HashMap<u16, LineWatch>,
    pairs: HashMap<Registration, PairWatch>,
    next_look: Instant,
    look_every: Duration,
}

#[derive(Debug)]
struct LineWatch {
    traffic: Option<ConnectionWatch>,
    is_up: bool,
    /// The stamp of the last message, and when it was seen to have changed.
    stamp: u64,
    message_at: Instant,
    quiet: Quiet,
    /// All registrations were answered then; `None` once it was verified.
    verify_since: Option<Instant>,
}

#[derive(Debug)]
struct PairWatch {
    line: u16,
    /// Ticked last, was confirmed, or need not have ticked until then.
    quiet_since: Instant,
    has_ticked: bool,
    said: bool,
}

impl Watchdog {
    /// A watchdog over the journal in `dir`; `traffic` of the lines, by number from 1.
    pub fn new(
        section: &SessionSection,
        dir: &Path,
        market: MarketClock,
        calendar: Arc<Calendar>,
        traffic: Vec<ConnectionWatch>,
    ) -> Watchdog {
        let now = Instant::now();
        let wall = |seconds: u64| match seconds {
            0 => None,
            seconds => Some(Duration::from_secs(seconds).div_f64(market.scale).max(WALL_MIN)),
        };
        let line = |(number, traffic)| {
            let watch = LineWatch {
                traffic: Some(traffic),
                is_up: false,
                stamp: 0,
                message_at: now,
                quiet: Quiet::new(now),
                verify_since: None,
            };
            (number, watch)
        };
        let pair_silence = wall(section.pair_silence_s);
        Watchdog {
            silence: wall(section.silence_s),
            data_silence: wall(section.data_silence_s),
            pair_silence,
            verify_within: pair_silence.or_else(|| wall(300)).unwrap_or(WALL_MIN),
            expectations: Expectations::new(),
            witness: None,
            market,
            calendar,
            dir: dir.to_owned(),
            tailer: None,
            lines: (1..).zip(traffic).map(line).collect(),
            pairs: HashMap::new(),
            next_look: now,
            look_every: LOOK_EVERY.div_f64(market.scale).clamp(LOOK_WALL_MIN, LOOK_EVERY),
        }
    }

    /// Before a line is given up that brings no data, REST is asked whether anything is traded.
    pub(super) fn ask(&mut self, witness: Witness) {
        self.witness = Some(witness);
    }

    /// A line is connected.
    pub fn line_up(&mut self, line: u16, now: Instant) {
        // From here on: what was recorded before is of no line that is watched.
        if self.tailer.is_none() {
            self.open_tailer();
        }
        if let Some(watch) = self.lines.get_mut(&line) {
            (watch.is_up, watch.message_at, watch.verify_since) = (true, now, None);
            watch.quiet.connected(now);
        }
    }

    /// Every registration of a line is answered.
    pub fn line_live(&mut self, line: u16, now: Instant) {
        if let Some(watch) = self.lines.get_mut(&line) {
            watch.verify_since = Some(now);
        }
    }

    /// A line is gone, and all its pairs.
    pub fn line_down(&mut self, line: u16) {
        if let Some(watch) = self.lines.get_mut(&line) {
            (watch.is_up, watch.verify_since) = (false, None);
        }
        if let Some(witness) = &mut self.witness {
            witness.forget(line);
        }
        self.pairs.retain(|_, pair| pair.line != line);
    }

    /// A pair is in force.
    pub fn pair_in_force(&mut self, line: u16, pair: &Registration, now: Instant) {
        let watch = PairWatch { line, quiet_since: now, has_ticked: false, said: false };
        self.pairs.insert(pair.clone(), watch);
    }

    /// A pair is not in force on this line any more; it may be on another.
    pub fn pair_gone(&mut self, line: u16, pair: &Registration) {
        if self.pairs.get(pair).is_some_and(|watch| watch.line == line) {
            self.pairs.remove(pair);
        }
    }

    /// Looks, if it is time to.
    pub fn look(&mut self, now: Instant) -> Vec<Finding> {
        if now < self.next_look || !self.lines.values().any(|line| line.is_up) {
            return Vec::new();
        }
        self.next_look = now + self.look_every;
        let mut found = Vec::new();
        let moment = Moment::at(&self.calendar, self.market.market_ns(wall_ns()));
        self.read_journal(now, &moment, &mut found);
        self.look_at_pairs(now, &moment, &mut found);
        self.look_at_lines(now, &moment, &mut found);
        found
    }

    fn open_tailer(&mut self) {
        match Tailer::open(&self.dir, Stream::Ticks, Start::End) {
            Ok(tailer) => self.tailer = Some(tailer),
            Err(error) => tracing::debug!(%error, "the watchdog can't read the journal yet"),
        }
    }

    /// Which pairs ticked since the last look.
    fn read_journal(&mut self, now: Instant, moment: &Moment, found: &mut Vec<Finding>) {
        let Some(tailer) = &mut self.tailer else { return self.open_tailer() };
        // A key is made once an instrument and transaction, not once a record.
        let mut ticked: HashMap<(u16, u32), (u16, Registration)> = HashMap::new();
        let polled = tailer.poll(RECORDS_MAX, |record| {
            let header = record.header();
            if header.rtype >= RType::Instrument as u8 || record.bytes.len() < HEADER_BYTES + MARKET_PREFIX_BYTES {
                return;
            }
            let prefix = &record.bytes[HEADER_BYTES..HEADER_BYTES + MARKET_PREFIX_BYTES];
            let market: Market = bytemuck::pod_read_unaligned(prefix);
            let place = (market.tr, header.instrument_id);
            if ticked.contains_key(&place) {
                return;
            }
            let instrument = record.instrument(header.instrument_id);
            let (Some(tr), Some(instrument)) = (tr_name(market.tr), instrument) else { return };
            let tr_key = instrument.key.symbol().into_owned();
            ticked.insert(place, (header.line, Registration { tr_id: tr.to_owned(), tr_key }));
        });
        if let Err(error) = polled {
            tracing::warn!(%error, "the watchdog reads the journal anew from its end");
            self.tailer = None;
        }
        for (line, pair) in ticked.into_values() {
            if let Some(watch) = self.lines.get_mut(&line) {
                watch.quiet.came(self.data_silence, now);
                if let Some(phase) = self.expectations.ticks(&pair.tr_id, moment) {
                    watch.quiet.ticked(&pair, phase);
                }
            }
            let Some(watch) = self.pairs.get_mut(&pair).filter(|watch| watch.line == line) else { continue };
            let age = now.duration_since(std::mem::replace(&mut watch.quiet_since, now));
            watch.has_ticked = true;
            if std::mem::take(&mut watch.said) {
                found.push(Finding::PairTicks { line, pair, age });
            }
        }
    }

    fn look_at_pairs(&mut self, now: Instant, moment: &Moment, found: &mut Vec<Finding>) {
        for (pair, watch) in &mut self.pairs {
            let Some(phase) = self.expectations.ticks(&pair.tr_id, moment) else {
                (watch.quiet_since, watch.said) = (now, false);
                continue;
            };
            let age = now.duration_since(watch.quiet_since);
            if self.pair_silence.is_some_and(|silence| age >= silence) && !std::mem::replace(&mut watch.said, true) {
                found.push(Finding::PairSilent { line: watch.line, pair: pair.clone(), age, phase });
            }
        }
    }

    fn look_at_lines(&mut self, now: Instant, moment: &Moment, found: &mut Vec<Finding>) {
        for watch in self.lines.values_mut() {
            watch.quiet.keep(|pair| self.expectations.ticks(&pair.tr_id, moment));
        }
        for (number, watch) in self.lines.iter_mut().filter(|(_, watch)| watch.is_up) {
            let own = || self.pairs.iter().filter(|(_, pair)| pair.line == *number);
            let stamp = watch.traffic.as_ref().map_or(0, ConnectionWatch::last_message_ns);
            if std::mem::replace(&mut watch.stamp, stamp) != stamp {
                watch.message_at = now;
            }
            let expected = own().filter(|(pair, _)| self.expectations.ticks(&pair.tr_id, moment).is_some());
            let (expected, ticking) =
                expected.fold((0, 0), |(all, ticking), (_, pair)| (all + 1, ticking + usize::from(pair.has_ticked)));
            if let Some(since) = watch.verify_since
                && (ticking == expected || now.duration_since(since) >= self.verify_within)
            {
                watch.verify_since = None;
                found.push(Finding::Verified { line: *number, in_force: own().count(), expected, ticking });
            }
            if expected == 0 {
                watch.quiet.rests(now);
            }
            let in_session = own().any(|(pair, _)| self.expectations.in_session(&pair.tr_id, moment));
            let age = now.duration_since(watch.message_at);
            if !in_session {
                watch.message_at = now;
            } else if self.silence.is_some_and(|silence| age >= silence) {
                watch.is_up = false;
                found.push(Finding::Silent { line: *number, age });
            } else if let Some(silence) = self.data_silence {
                let symbols = || -> Vec<Symbol> {
                    let mut symbols: Vec<Symbol> = own()
                        .filter(|(pair, _)| self.expectations.ticks(&pair.tr_id, moment).is_some())
                        .filter_map(|(pair, _)| pollable(pair))
                        .collect();
                    symbols.sort_by(|left, right| (left.0 as u16, &left.1).cmp(&(right.0 as u16, &right.1)));
                    symbols.dedup();
                    symbols
                };
                let (age, every) = (watch.quiet.age(now), silence / ASK_AFTER);
                let testimony = match &mut self.witness {
                    Some(witness) if age >= every => witness.look(*number, symbols, every, now),
                    Some(witness) => {
                        witness.forget(*number);
                        Testimony::Awaited
                    }
                    None => Testimony::Silent,
                };
                let grace = (silence / GRACE).max(GRACE_WALL_MIN);
                if watch.quiet.is_dead(*number, silence, testimony, grace, now) {
                    watch.is_up = false;
                    found.push(Finding::NoData { line: *number, age });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watchdog at ten o'clock of a trading day, over no journal.
    fn watchdog(traffic: bool) -> Watchdog {
        let section = SessionSection { silence_s: 90, data_silence_s: 180, pair_silence_s: 300, ..Default::default() };
        let ten = jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0);
        let ten = ten.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).unwrap().timestamp();
        let market =
            MarketClock { anchor_wall_ns: wall_ns(), anchor_market_ns: ten.as_nanosecond() as u64, scale: 1.0 };
        let mut watchdog = Watchdog::new(
            &section,
            Path::new("/nonexistent"),
            market,
            Arc::new(Calendar::shipped().clone()),
            Vec::new(),
        );
        let now = Instant::now();
        if traffic {
            let watch = LineWatch {
                traffic: None,
                is_up: false,
                stamp: 0,
                message_at: now,
                quiet: Quiet::new(now),
                verify_since: None,
            };
            watchdog.lines.insert(1, watch);
        }
        watchdog
    }

    fn pair(tr: &str) -> Registration {
        Registration { tr_id: tr.to_owned(), tr_key: "005930".to_owned() }
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_line_without_a_message_for_ninety_seconds_is_silent_once() {
        let mut watchdog = watchdog(true);
        let up = Instant::now();
        watchdog.line_up(1, up);
        watchdog.pair_in_force(1, &pair("H0STCNT0"), up);
        assert_eq!(watchdog.look(up + seconds(89)), []);
        assert_eq!(watchdog.look(up + seconds(91)), [Finding::Silent { line: 1, age: seconds(91) }]);
        assert_eq!(watchdog.look(up + seconds(99)), [], "it is being closed");
    }

    #[test]
    fn a_line_with_messages_but_no_data_is_given_up_ever_later() {
        let mut watchdog = watchdog(true);
        watchdog.silence = None;
        let mut up = Instant::now();
        for patience in [1, 2, 4] {
            watchdog.line_up(1, up);
            watchdog.pair_in_force(1, &pair("H0STCNT0"), up);
            for key in ["000660", "005930"] {
                let ticked = Registration { tr_key: key.to_owned(), ..pair("H0STCNT0") };
                watchdog.lines.get_mut(&1).unwrap().quiet.ticked(&ticked, Phase::Regular);
            }
            let due = seconds(180 * patience);
            let told =
                |found: Vec<Finding>| found.into_iter().filter(|one| matches!(one, Finding::NoData { .. })).count();
            assert_eq!(told(watchdog.look(up + due - seconds(2))), 0);
            assert_eq!(told(watchdog.look(up + due)), 1);
            watchdog.line_down(1);
            up += due + seconds(5);
        }
    }

    #[test]
    fn a_pair_that_is_withdrawn_from_one_line_is_watched_on_the_one_that_took_it() {
        let mut watchdog = watchdog(true);
        watchdog.silence = None;
        let up = Instant::now();
        watchdog.line_up(1, up);
        watchdog.pair_in_force(1, &pair("H0STCNT0"), up);
        watchdog.pair_gone(2, &pair("H0STCNT0"));
        let found = watchdog.look(up + seconds(301));
        assert!(found.iter().any(|one| matches!(one, Finding::PairSilent { line: 1, .. })), "{found:?}");
        watchdog.pair_gone(1, &pair("H0STCNT0"));
        assert!(watchdog.pairs.is_empty());
    }

    #[test]
    fn pairs_whose_silence_says_nothing_make_no_noise() {
        let mut watchdog = watchdog(true);
        (watchdog.silence, watchdog.data_silence) = (None, Some(seconds(180)));
        let up = Instant::now();
        watchdog.line_up(1, up);
        watchdog.pair_in_force(1, &pair("H0STMKO0"), up);
        assert_eq!(watchdog.look(up + seconds(3000)), []);
    }

    #[test]
    fn a_pair_that_does_not_tick_is_said_once_and_its_line_stays() {
        let mut watchdog = watchdog(true);
        (watchdog.silence, watchdog.data_silence) = (None, None);
        let up = Instant::now();
        watchdog.line_up(1, up);
        watchdog.pair_in_force(1, &pair("H0STCNT0"), up);
        watchdog.line_live(1, up);
        let found = watchdog.look(up + seconds(301));
        let (line, age, phase) = (1, seconds(301), Phase::Regular);
        assert!(found.contains(&Finding::PairSilent { line, pair: pair("H0STCNT0"), age, phase }), "{found:?}");
        assert!(found.contains(&Finding::Verified { line, in_force: 1, expected: 1, ticking: 0 }), "{found:?}");
        assert_eq!(watchdog.look(up + seconds(700)), []);
    }
}
