//! The simulated market as a source of frames.
//!
//! It trades only what someone is registered for, so that each frame made is a frame sent and the rate asked for is
//! the rate on the wire. Each event (an execution or sweep, a change of a book, an auction's step) gives one frame for
//! each registered feed that shows it: an execution on KRX goes to H0STCNT0 and to H0UNCNT0. Events of a feed are
//! never left out while it is registered, so a subscriber sees cumulative figures advance without a hole.

pub mod book;
pub mod book_fields;
pub mod chronicle;
pub mod days;
pub mod line;
pub mod other_fields;
pub mod phases;
mod plan;
mod quotes;
pub mod stock;
pub mod tape;
pub mod tick;
pub mod trade_fields;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::civil::Date;

use crate::config::{Burst, NxtBookWidth, SimConfig, VenueName, Widths};
use crate::pace::Schedule;
use crate::rng::Rng;
use crate::source::{Demand, FrameSource, Next, TimedFrame};
use chronicle::{Chronicle, Morning};
use days::{Day, TradingDays};
use line::Line;
use other_fields::Index;
use phases::Phase;
use plan::{Feed, Plan};
use quotes::symbols_of;
pub use quotes::{QuoteBoard, SymbolInfo};
use stock::{Execution, KRX, NXT, Stock};
use tape::Tape;
use trade_fields::Context;

const VENUES: [VenueName; 2] = [VenueName::Krx, VenueName::Nxt];

/// A finished frame that waits for its slot of the schedule.
#[derive(Debug)]
struct Ready {
    tr_id: &'static str,
    key: Key,
    records: u32,
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Key {
    Stock(u32),
    Index(u8),
}

/// The simulated market.
#[derive(Debug)]
pub struct SimMarket {
    stocks: Vec<Stock>,
    by_code: HashMap<String, u32>,
    indices: [Index; 2],
    rng: Rng,
    plan: Plan,
    ready: VecDeque<Ready>,
    /// Buffers of frames already sent.
    spare: Vec<Vec<u8>>,
    schedule: Schedule,
    /// Frames sent when the schedule was laid.
    schedule_base: u64,
    frames_total: f64,
    end_ns: u64,
    burst: Burst,
    burst_ns: f64,
    start_second_ns: u64,
    time_scale: f64,
    date: Date,
    date_text: [u8; 8],
    /// Days since that of the start.
    days: u32,
    day: Day,
    trading_days: TradingDays,
    second: u32,
    phase: [Phase; 2],
    trades_here: [bool; 2],
    /// So many symbols are on NXT since it trades.
    nxt_symbols: usize,
    widths: Widths,
    nxt_book_width: NxtBookWidth,
    records_min: usize,
    records_max: usize,
    vi_seconds: u32,
    interrupted: usize,
    wild_symbols: usize,
    halted_symbols: usize,
    /// Until when the venue was told to wait; a registration may end the wait.
    idle_until_ns: Option<u64>,
    board: Arc<QuoteBoard>,
    tape: Arc<Tape>,
    chronicle: Arc<Chronicle>,
}

const SECONDS_OF_DAY: u32 = 86_400;
const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = SECONDS_OF_DAY as u64 * SECOND_NS;
/// From when to when symbols are halted that are, in seconds of the day.
const HALT_FROM: u32 = 11 * 3600;
const HALT_TO: u32 = HALT_FROM + 1800;

impl SimMarket {
    /// The market of a configuration, closed until it is first asked for a frame.
    pub fn new(config: &SimConfig) -> Self {
        let start = config.market_start;
        let start_second_ns = start.duration_since(start.date().at(0, 0, 0, 0)).as_nanos() as u64;
        let second = (start_second_ns / 1_000_000_000) as u32;
        let trades_here = VENUES.map(|venue| config.venues.contains(&venue));
        let codes =
            if config.codes.is_empty() { stock::codes(config.symbols, config.seed) } else { config.codes.clone() };
        let count = codes.len();
        let nxt_symbols = if trades_here[NXT] { count.saturating_sub(config.krx_only_symbols) } else { 0 };
        let mut stocks: Vec<Stock> = codes
            .into_iter()
            .enumerate()
            .map(|(i, code)| {
                let mut stock = Stock::new(code, i, config.seed, i > 0 && i + config.wild_symbols >= count);
                stock.on = [trades_here[KRX], is_on_nxt(i, nxt_symbols, start.date())];
                stock
            })
            .collect();
        let trading_days = TradingDays::new(&config.closures, &config.openings);
        let day = Day::of(start.date(), &trading_days);
        if trades_here[KRX] && day.regular().is_some_and(|(_, close)| second >= close) {
            stocks.iter_mut().for_each(|stock| stock.close = stock.base);
        }
        let tape = Tape::new(stocks.len());
        for venue in [KRX, NXT] {
            if day.has_traded(VENUES[venue], second) {
                for (i, stock) in stocks.iter_mut().enumerate().filter(|(_, stock)| stock.on[venue]) {
                    let trades = stock.seed_history(venue, second.saturating_sub(60));
                    trades.iter().for_each(|trade| tape.push(i, venue, trade, stock));
                }
            }
        }
        let end_ns = (config.run_seconds() * 1e9) as u64;
        let opening_ns = (9.0 * 3600.0 * 1e9 - start_second_ns as f64) / config.time_scale;
        let burst_ns = if (0.0..end_ns as f64).contains(&opening_ns) { opening_ns } else { 0.0 };
        let frames_total = config.rate * config.run_seconds();
        let board = QuoteBoard::new(stocks.len());
        let indices = Index::both(config.seed);
        let previous = indices.each_ref().map(Index::previous);
        let morning = Morning { date: start.date(), symbols: symbols_of(&stocks), previous, past: Vec::new() };
        let chronicle = Chronicle::new(second, morning);
        for (i, stock) in stocks.iter().enumerate() {
            board.set(i, stock);
            chronicle.keep(i, stock);
        }
        let date = start.date();
        let mut market = Self {
            by_code: stocks.iter().enumerate().map(|(i, s)| (s.code.clone(), i as u32)).collect(),
            stocks,
            indices,
            rng: Rng::new(config.seed ^ 0x3A4D_5E0F),
            plan: Plan::default(),
            ready: VecDeque::new(),
            spare: Vec::new(),
            schedule: Schedule::new(frames_total, 0.0, end_ns as f64, config.burst, burst_ns),
            schedule_base: 0,
            frames_total,
            end_ns,
            burst: config.burst,
            burst_ns,
            start_second_ns,
            time_scale: config.time_scale,
            date,
            date_text: date_text(date),
            days: 0,
            day,
            trading_days,
            second,
            phase: [Phase::Closed; 2],
            trades_here,
            nxt_symbols,
            widths: config.widths,
            nxt_book_width: config.nxt_book_width,
            records_min: config.min_records_per_frame,
            records_max: config.max_records_per_frame,
            vi_seconds: config.vi_seconds,
            interrupted: 0,
            wild_symbols: config.wild_symbols,
            halted_symbols: config.halted_symbols,
            idle_until_ns: None,
            board: Arc::new(board),
            tape: Arc::new(tape),
            chronicle: Arc::new(chronicle),
        };
        market.phase = [KRX, NXT].map(|venue| market.phase_of(venue, second));
        let open = market.open();
        market.stocks.iter_mut().for_each(|stock| stock.remember_totals(open));
        market.stocks.iter().enumerate().for_each(|(i, stock)| market.tape.keep_book(i, second, open, stock));
        for venue in [KRX, NXT] {
            if market.phase[venue].is_auction() {
                let stocks = market.stocks.iter_mut().filter(|stock| stock.on[venue]);
                stocks.for_each(|stock| stock.expect(venue));
            }
        }
        market
    }

    /// The symbols it trades.
    pub fn symbols(&self) -> Vec<SymbolInfo> {
        symbols_of(&self.stocks)
    }

    /// Last prices, readable from other threads.
    pub fn board(&self) -> Arc<QuoteBoard> {
        Arc::clone(&self.board)
    }

    /// The day's executions, readable from other threads.
    pub fn tape(&self) -> Arc<Tape> {
        Arc::clone(&self.tape)
    }

    /// What the day has come to, readable from other threads.
    pub fn chronicle(&self) -> Arc<Chronicle> {
        Arc::clone(&self.chronicle)
    }

    fn phase_of(&self, venue: usize, second: u32) -> Phase {
        if self.trades_here[venue] { self.day.phase_at(VENUES[venue], second) } else { Phase::Closed }
    }

    /// Day of the run and second of that day at a moment of the run.
    fn second_at(&self, at_ns: u64) -> (u32, u32) {
        let ns = self.start_second_ns + (at_ns as f64 * self.time_scale) as u64;
        ((ns / DAY_NS) as u32, (ns % DAY_NS / SECOND_NS) as u32)
    }

    /// Moment of the run at which a second of the present day, or after it, begins.
    fn moment_of(&self, second: u32) -> u64 {
        let since_midnight = u64::from(self.days) * DAY_NS + u64::from(second) * SECOND_NS;
        let market_ns = since_midnight.saturating_sub(self.start_second_ns);
        (market_ns as f64 / self.time_scale).ceil() as u64
    }

    /// Moves the market clock and does what falls due on the way: auctions execute, interruptions end, days pass.
    fn advance_to(&mut self, (day, second): (u32, u32)) {
        while self.days < day {
            self.advance_within(SECONDS_OF_DAY - 1);
            self.begin_day();
        }
        self.advance_within(second);
    }

    fn begin_day(&mut self) {
        // A run ends long before the calendar of dates does.
        self.date = self.date.tomorrow().unwrap_or(self.date);
        self.date_text = date_text(self.date);
        self.day = Day::of(self.date, &self.trading_days);
        (self.days, self.second) = (self.days + 1, 0);
        if self.trading_days.contains(self.date) {
            self.stocks.iter().enumerate().for_each(|(i, stock)| self.chronicle.keep(i, stock));
            for (i, stock) in self.stocks.iter_mut().enumerate() {
                stock.begin_day();
                stock.on[NXT] = is_on_nxt(i, self.nxt_symbols, self.date);
            }
            self.plan.outdate();
            self.indices.iter_mut().for_each(Index::begin_day);
            self.tape.clear();
            self.chronicle.begin_day(self.date, self.symbols(), self.indices.each_ref().map(Index::previous));
            for (i, stock) in self.stocks.iter().enumerate() {
                self.board.set(i, stock);
                self.chronicle.keep(i, stock);
                self.tape.keep_book(i, 0, [false; 2], stock);
            }
        }
    }

    fn advance_within(&mut self, second: u32) {
        while let Some(change) = self.next_change().filter(|change| *change <= second) {
            self.second = change;
            self.end_interruptions();
            self.halts();
            for venue in [KRX, NXT] {
                if self.trades_here[venue] && self.day.begins(VENUES[venue], change) {
                    let next = self.phase_of(venue, change);
                    let before = std::mem::replace(&mut self.phase[venue], next);
                    self.change_phase(venue, before, next);
                }
            }
        }
        if second > self.second {
            self.second = second;
            self.end_interruptions();
        }
        // On days without trading REST goes on telling of the last one, as it ended.
        if self.chronicle.morning().date == self.date {
            self.chronicle.advance_to(self.second);
        }
    }

    /// The first second after now at which a phase begins, or a halt begins or ends.
    fn next_change(&self) -> Option<u32> {
        let is_open = self.halted_symbols > 0 && self.day.next_change(0).is_some();
        let halts = [HALT_FROM, HALT_TO].into_iter().filter(|second| is_open && *second > self.second);
        self.day.next_change(self.second).into_iter().chain(halts).min()
    }

    /// The last symbols that are not wild are halted for a while each day, at the same time on both venues.
    fn halts(&mut self) {
        if self.second == HALT_FROM && self.phase.iter().any(|phase| phase.is_continuous()) {
            let end = self.stocks.len() - self.wild_symbols.min(self.stocks.len() - 1);
            for i in end.saturating_sub(self.halted_symbols).max(1)..end {
                if self.stocks[i].vi_until.take().is_some() {
                    self.interrupted -= 1;
                    self.chronicle.released(i, self.second);
                    self.stocks[i].expected = Default::default();
                }
                self.stocks[i].halt_until = Some(HALT_TO);
                self.emit_status(i);
            }
        }
        if self.second == HALT_TO {
            for i in 0..self.stocks.len() {
                if self.stocks[i].halt_until.take().is_some() {
                    self.emit_status(i);
                    self.resume(i);
                }
            }
        }
    }

    /// A phase ends on a venue and the next one, or the next round of the same, begins.
    fn change_phase(&mut self, venue: usize, before: Phase, next: Phase) {
        for i in 0..self.stocks.len() {
            if !self.stocks[i].on[venue] {
                continue;
            }
            // An interruption doesn't outlive the session it began in.
            if before.is_continuous() && self.stocks[i].vi_until.take().is_some() {
                self.interrupted -= 1;
                self.chronicle.released(i, self.second);
                self.stocks[i].expected = Default::default();
                self.emit_status(i);
            }
            if before != next {
                self.emit_change(i, venue, before.notices(next));
            }
            if before == Phase::SinglePrice && !self.stocks[i].on[NXT] {
                let print = self.stocks[i].print(KRX, self.second);
                self.emit_single_price(i, &print);
            }
            if before.is_auction() && before != next {
                let cx_phase = if next == Phase::Closed { before } else { next };
                let print = self.stocks[i].print(venue, self.second);
                if venue == KRX && before == Phase::ClosingAuction {
                    self.stocks[i].close = print.price;
                }
                self.emit_trade(i, venue, cx_phase, &print);
            }
            if next.is_auction() {
                self.stocks[i].expect(venue);
            }
        }
    }

    fn end_interruptions(&mut self) {
        if self.interrupted == 0 {
            return;
        }
        for i in 0..self.stocks.len() {
            if self.stocks[i].vi_until.is_some_and(|until| until <= self.second) {
                self.stocks[i].vi_until = None;
                self.interrupted -= 1;
                self.chronicle.released(i, self.second);
                self.resume(i);
                self.emit_status(i);
            }
        }
    }

    /// Trading goes on by an auction on each venue that trades now.
    fn resume(&mut self, i: usize) {
        for venue in [KRX, NXT] {
            if self.phase[venue].is_continuous() && self.stocks[i].expected[venue].price != 0 {
                let print = self.stocks[i].print(venue, self.second);
                self.emit_trade(i, venue, self.phase[venue], &print);
            }
            if !self.phase[venue].is_auction() {
                self.stocks[i].expected[venue] = Default::default();
            }
        }
    }

    fn interrupt(&mut self, i: usize) {
        self.chronicle.interrupted(i, self.second, &self.stocks[i]);
        self.stocks[i].start_vi(self.second, self.vi_seconds);
        self.interrupted += 1;
        for venue in [KRX, NXT] {
            if self.phase[venue].is_continuous() && self.stocks[i].on[venue] {
                self.stocks[i].expect(venue);
            }
        }
        self.emit_status(i);
    }

    /// One random event among those someone can see now; false when there is none.
    fn generate(&mut self) -> bool {
        let Some(event) = self.plan.draw(&mut self.rng, &self.phase, &self.stocks, self.interrupted) else {
            return false;
        };
        match event {
            plan::Event::Trade(i, venue) => self.trade(i, venue),
            plan::Event::Expected(i, venue) => {
                self.stocks[i].expect(venue);
                self.emit_expected(i, venue);
            }
            plan::Event::SinglePrice(i) => {
                self.stocks[i].expect(KRX);
                let cx = self.context(KRX, Phase::SinglePrice);
                self.emit(i, Feed::SINGLE_PRICE_EXPECTED, 1, |line, stock| {
                    trade_fields::expected(line, stock, KRX, &cx);
                });
            }
            plan::Event::Book(i, venue) => {
                self.stocks[i].stir(venue);
                self.emit_book(i, venue);
            }
            plan::Event::Program(i, feed) => {
                self.stocks[i].advance_flows();
                let second = self.second;
                self.emit(i, feed, 1, |line, stock| other_fields::program(line, stock, second));
            }
            plan::Event::Members(i, feed) => {
                self.stocks[i].advance_flows();
                self.emit(i, feed, 1, |line, stock| other_fields::members(line, stock));
            }
            plan::Event::Index(which) => {
                let mut text = self.spare.pop().unwrap_or_default();
                let mut line = Line(&mut text);
                line.open("H0UPCNT0", 1);
                self.chronicle.push_tick(which, self.indices[which].step(&mut line, self.second));
                line.close();
                self.ready.push_back(Ready { tr_id: "H0UPCNT0", key: Key::Index(which as u8), records: 1, text });
            }
        }
        true
    }

    /// An execution, or a sweep of several in one frame.
    fn trade(&mut self, i: usize, venue: usize) {
        let phase = self.phase[venue];
        let feeds = [venue, 2].map(|feed| (self.plan.wants(i, Feed::trade(feed)), self.context(feed, phase)));
        let at_close = phase == Phase::ClosingPrice;
        let length = if at_close { 1 } else { self.stocks[i].sweep_length(self.records_max).max(self.records_min) };
        let mut texts = feeds.map(|_| self.spare.pop().unwrap_or_default());
        texts.iter_mut().zip(&feeds).for_each(|(text, (_, cx))| Line(text).open(Feed::trade(cx.feed).tr_id(), length));
        let mut records = 0;
        while records < length {
            let trade = match at_close {
                true => self.stocks[i].trade_at_close(self.second),
                false => self.stocks[i].trade(venue, self.second),
            };
            self.tape.push(i, venue, &trade, &self.stocks[i]);
            records += 1;
            for (text, (wanted, cx)) in texts.iter_mut().zip(&feeds) {
                if *wanted {
                    trade_fields::trade(&mut Line(text), &self.stocks[i], &trade, cx);
                }
            }
            if !at_close && self.stocks[i].exceeds_vi() {
                break;
            }
        }
        for (mut text, (wanted, cx)) in texts.into_iter().zip(feeds) {
            if wanted {
                Line(&mut text).close();
                let tr_id = Feed::trade(cx.feed).tr_id();
                if records < length {
                    // The sweep was cut short by an interruption: the head says how many there are.
                    let count = format!("{records:03}");
                    let at = 2 + tr_id.len() + 1;
                    text[at..at + 3].copy_from_slice(count.as_bytes());
                }
                self.ready.push_back(Ready { tr_id, key: Key::Stock(i as u32), records: records as u32, text });
            } else {
                self.spare.push(text);
            }
        }
        self.board.set(i, &self.stocks[i]);
        self.chronicle.keep(i, &self.stocks[i]);
        if !at_close && self.stocks[i].exceeds_vi() {
            self.interrupt(i);
        }
    }

    fn context(&self, feed: usize, phase: Phase) -> Context {
        Context { feed, phase, second: self.second, date: self.date_text, widths: self.widths, open: self.open() }
    }

    fn open(&self) -> [bool; 2] {
        self.phase.map(Phase::shows_book)
    }

    fn emit(&mut self, i: usize, feed: Feed, records: usize, write: impl FnOnce(&mut Line<'_>, &mut Stock)) {
        if !self.plan.wants(i, feed) {
            return;
        }
        let mut text = self.spare.pop().unwrap_or_default();
        let mut line = Line(&mut text);
        line.open(feed.tr_id(), records);
        write(&mut line, &mut self.stocks[i]);
        line.close();
        self.ready.push_back(Ready { tr_id: feed.tr_id(), key: Key::Stock(i as u32), records: records as u32, text });
    }

    fn emit_trade(&mut self, i: usize, venue: usize, phase: Phase, trade: &Execution) {
        self.tape.push(i, venue, trade, &self.stocks[i]);
        for feed in [venue, 2] {
            let mut cx = self.context(feed, phase);
            cx.open[venue] = true;
            self.emit(i, Feed::trade(feed), 1, |line, stock| trade_fields::trade(line, stock, trade, &cx));
        }
        self.board.set(i, &self.stocks[i]);
        self.chronicle.keep(i, &self.stocks[i]);
    }

    /// What a round of the single-price session came to.
    fn emit_single_price(&mut self, i: usize, trade: &Execution) {
        self.tape.push(i, KRX, trade, &self.stocks[i]);
        let cx = self.context(KRX, Phase::SinglePrice);
        self.emit(i, Feed::SINGLE_PRICE, 1, |line, stock| trade_fields::trade(line, stock, trade, &cx));
        self.board.set(i, &self.stocks[i]);
        self.chronicle.keep(i, &self.stocks[i]);
        self.chronicle.keep_round(i, trade);
    }

    fn emit_expected(&mut self, i: usize, venue: usize) {
        for feed in [venue, 2] {
            let cx = self.context(feed, self.phase[venue]);
            self.emit(i, Feed::expected(feed), 1, |line, stock| trade_fields::expected(line, stock, venue, &cx));
        }
    }

    fn emit_book(&mut self, i: usize, venue: usize) {
        self.tape.keep_book(i, self.second, self.open(), &self.stocks[i]);
        let width = self.nxt_book_width;
        for feed in [venue, 2] {
            let cx = self.context(feed, self.phase[venue]);
            self.emit(i, Feed::book(feed), 1, |line, stock| book_fields::book(line, stock, venue, width, &cx));
        }
    }

    /// An interruption or a halt of a symbol began or ended, which holds on every venue that trades it.
    fn emit_status(&mut self, i: usize) {
        for (feed, exchange) in [(KRX, Some(b'1')), (NXT, Some(b'2')), (2, None)] {
            if feed == 2 || self.stocks[i].on[feed] {
                self.emit(i, Feed::status(feed), 1, |line, stock| other_fields::status(line, stock, exchange, None));
            }
        }
    }

    /// A venue changed its phase.
    fn emit_change(&mut self, i: usize, venue: usize, notices: &[(&[u8], &[u8])]) {
        let exchange = if venue == KRX { b'1' } else { b'2' };
        for codes in notices {
            for (feed, exchange) in [(venue, Some(exchange)), (2, None)] {
                self.emit(i, Feed::status(feed), 1, |line, stock| {
                    other_fields::status(line, stock, exchange, Some(*codes));
                });
            }
        }
    }

    /// Lays the rest of the frames over the rest of the run, after a time in which nothing could be sent.
    fn relay(&mut self, now_ns: u64, sent: u64) {
        let left = (self.frames_total - sent as f64).max(1.0);
        let burst = if (now_ns as f64) <= self.burst_ns + 1e9 { self.burst } else { Burst::None };
        self.schedule = Schedule::new(left, now_ns as f64, self.end_ns as f64, burst, self.burst_ns);
        self.schedule_base = sent;
    }
}

/// Whether NXT trades a symbol on a date, of the first `nxt_symbols` that it trades since it began.
fn is_on_nxt(i: usize, nxt_symbols: usize, date: Date) -> bool {
    i < nxt_symbols && date >= days::NXT_SINCE
}

fn date_text(date: Date) -> [u8; 8] {
    let number = date.year().unsigned_abs() as u32 * 10_000 + date.month() as u32 * 100 + date.day() as u32;
    std::array::from_fn(|place| b'0' + (number / 10_u32.pow(7 - place as u32) % 10) as u8)
}

impl FrameSource for SimMarket {
    fn next(&mut self, demand: &Demand<'_>, frame: &mut TimedFrame) -> Next {
        if self.plan.version() != Some(demand.registrations.version()) {
            self.plan = Plan::new(demand.registrations, &self.by_code, &self.stocks, &self.indices);
        }
        if self.idle_until_ns.take().is_some_and(|until| demand.now_ns < until) {
            self.relay(demand.now_ns, demand.frames_sent);
        }
        let mut at_ns = self.schedule.at(demand.frames_sent - self.schedule_base).max(frame.at_ns);
        if self.ready.is_empty() {
            if at_ns >= self.end_ns {
                return Next::End;
            }
            self.advance_to(self.second_at(at_ns));
            if self.ready.is_empty() && !self.generate() {
                // Nothing can be seen now: move to the next second, and when a change of phase gives something, the
                // frames missed are spread over what is left.
                let idle_until = self.moment_of(self.second + 1).max(demand.now_ns + 1_000_000);
                if demand.now_ns >= self.end_ns {
                    return Next::End;
                }
                let idle_until = idle_until.min(self.end_ns);
                self.relay(idle_until, demand.frames_sent);
                self.idle_until_ns = Some(idle_until);
                return Next::IdleUntil(idle_until);
            }
        }
        let Some(ready) = self.ready.pop_front() else { return Next::IdleUntil(at_ns) };
        at_ns = at_ns.min(self.end_ns);
        frame.at_ns = at_ns;
        frame.tr_id.clear();
        frame.tr_id.push_str(ready.tr_id);
        frame.tr_key.clear();
        frame.tr_key.push_str(match ready.key {
            Key::Stock(i) => &self.stocks[i as usize].code,
            Key::Index(i) => self.indices[usize::from(i)].code,
        });
        frame.records = ready.records;
        let used = std::mem::replace(&mut frame.text, ready.text);
        if self.spare.len() < 64 {
            self.spare.push(used);
        }
        Next::Frame
    }
}

#[cfg(test)]
mod tests;
