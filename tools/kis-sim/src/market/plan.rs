//! Which events someone can see, rebuilt at each change of the registrations.

use std::collections::HashMap;

use crate::market::other_fields::Index;
use crate::market::phases::Phase;
use crate::market::stock::{KRX, NXT, Stock};
use crate::rng::Rng;
use crate::source::Registrations;

/// A feed of stocks; its number is its bit in a symbol's mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed(u8);

const TR_IDS: [&str; 20] = [
    "H0STCNT0", "H0NXCNT0", "H0UNCNT0", "H0STASP0", "H0NXASP0", "H0UNASP0", "H0STANC0", "H0NXANC0", "H0UNANC0",
    "H0STMKO0", "H0NXMKO0", "H0UNMKO0", "H0STPGM0", "H0NXPGM0", "H0UNPGM0", "H0STMBC0", "H0NXMBC0", "H0UNMBC0",
    "H0STOUP0", "H0STOAC0",
];

impl Feed {
    /// Trades of KRX, NXT (0, 1) or both (2).
    pub const fn trade(venue: usize) -> Self {
        Self(venue as u8)
    }

    /// Books.
    pub const fn book(venue: usize) -> Self {
        Self(3 + venue as u8)
    }

    /// Expected executions.
    pub const fn expected(venue: usize) -> Self {
        Self(6 + venue as u8)
    }

    /// Market status.
    pub const fn status(venue: usize) -> Self {
        Self(9 + venue as u8)
    }

    /// Trades of KRX's single-price session.
    pub const SINGLE_PRICE: Self = Self(18);
    /// Expected executions of the same.
    pub const SINGLE_PRICE_EXPECTED: Self = Self(19);

    /// The TR that carries it.
    pub fn tr_id(self) -> &'static str {
        TR_IDS[usize::from(self.0)]
    }

    const fn bit(self) -> u32 {
        1 << self.0
    }
}

/// What happens next: the symbol's index, and the venue or feed.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Executions on a venue.
    Trade(usize, usize),
    /// A step of an auction on a venue.
    Expected(usize, usize),
    /// A step of the auction of the single-price session.
    SinglePrice(usize),
    /// A change of a venue's book.
    Book(usize, usize),
    /// Programme trading.
    Program(usize, Feed),
    /// Members.
    Members(usize, Feed),
    /// An index.
    Index(usize),
}

/// The registered feeds, sorted by what can happen.
#[derive(Debug, Default)]
pub struct Plan {
    version: Option<u64>,
    masks: Vec<u32>,
    trades: [Vec<u32>; 2],
    expected: [Vec<u32>; 2],
    books: [Vec<u32>; 2],
    single_price: Vec<u32>,
    quiet: Vec<Quiet>,
}

#[derive(Clone, Copy, Debug)]
enum Quiet {
    Program(u32, Feed),
    Members(u32, Feed),
    Index(usize),
}

impl Plan {
    /// Sorts the registrations; those of other symbols and TRs are left aside.
    pub fn new(
        registrations: &Registrations,
        by_code: &HashMap<String, u32>,
        stocks: &[Stock],
        indices: &[Index; 2],
    ) -> Self {
        let mut plan =
            Self { version: Some(registrations.version()), masks: vec![0; by_code.len()], ..Self::default() };
        let mut order: Vec<(&str, &str)> = registrations.feeds().collect();
        // The map's own order differs from run to run; the market's must not.
        order.sort_unstable();
        for (tr_id, key) in order {
            if tr_id == "H0UPCNT0" {
                if let Some(i) = indices.iter().position(|index| index.code == key) {
                    plan.quiet.push(Quiet::Index(i));
                }
                continue;
            }
            let feed = TR_IDS.iter().position(|tr| *tr == tr_id).map(|i| Feed(i as u8));
            let (Some(feed), Some(stock)) = (feed, by_code.get(key)) else { continue };
            plan.masks[*stock as usize] |= feed.bit();
            match feed.0 {
                12..15 => plan.quiet.push(Quiet::Program(*stock, feed)),
                15..18 => plan.quiet.push(Quiet::Members(*stock, feed)),
                _ => {}
            }
        }
        for (i, mask) in plan.masks.iter().enumerate() {
            if mask & Feed::SINGLE_PRICE_EXPECTED.bit() != 0 && !stocks[i].on[NXT] {
                plan.single_price.push(i as u32);
            }
            for venue in (0..2).filter(|venue| stocks[i].on[*venue]) {
                let seen = |feed: fn(usize) -> Feed| mask & (feed(venue).bit() | feed(2).bit()) != 0;
                let lists = [
                    (seen(Feed::trade), &mut plan.trades[venue]),
                    (seen(Feed::expected), &mut plan.expected[venue]),
                    (seen(Feed::book), &mut plan.books[venue]),
                ];
                for (seen, list) in lists {
                    if seen {
                        list.push(i as u32);
                    }
                }
            }
        }
        plan
    }

    /// Of the registrations it was made from; `None` when it is to be made.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// It is to be made anew, for symbols have changed venues.
    pub fn outdate(&mut self) {
        self.version = None;
    }

    /// Whether someone is registered for a feed of a symbol.
    pub fn wants(&self, stock: usize, feed: Feed) -> bool {
        self.masks.get(stock).is_some_and(|mask| mask & feed.bit() != 0)
    }

    /// Draws an event: about half executions, half books, a few of the quiet feeds. `None` when nothing registered can
    /// happen in these phases.
    pub fn draw(&self, rng: &mut Rng, phase: &[Phase; 2], stocks: &[Stock], interrupted: usize) -> Option<Event> {
        let venue_of = |rng: &mut Rng, able: [bool; 2]| match able {
            [true, true] => Some(rng.below(3).min(1) as usize ^ 1),
            [true, false] => Some(0),
            [false, true] => Some(1),
            [false, false] => None,
        };
        let is_free = |i: u32| stocks[i as usize].halt_until.is_none();
        let able = |lists: &[Vec<u32>; 2], when: fn(Phase) -> bool| {
            [0, 1].map(|venue: usize| when(phase[venue]) && lists[venue].iter().any(|i| is_free(*i)))
        };
        let trades = able(&self.trades, Phase::trades);
        let auctions = able(&self.expected, Phase::is_auction);
        let books = able(&self.books, Phase::shows_book);
        let first = rng.below(100);
        // Classes in the order in which they are tried: the drawn one first, then whatever can happen.
        let classes: [u8; 3] = match first {
            0..49 => [0, 1, 2],
            49..98 => [1, 0, 2],
            _ => [2, 0, 1],
        };
        for class in classes {
            let event = match class {
                0 => self.execution(rng, venue_of, trades, auctions, phase, stocks, interrupted),
                1 => venue_of(rng, books).map(|venue| Event::Book(pick(rng, &self.books[venue], stocks), venue)),
                // The quiet feeds stay quiet while the others wait for their session.
                _ if first < 98 && !self.quiet_only() => None,
                _ => self.quiet(rng, phase),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    #[allow(clippy::too_many_arguments)] // one straight story, told in two parts
    fn execution(
        &self,
        rng: &mut Rng,
        venue_of: impl Fn(&mut Rng, [bool; 2]) -> Option<usize>,
        trades: [bool; 2],
        auctions: [bool; 2],
        phase: &[Phase; 2],
        stocks: &[Stock],
        interrupted: usize,
    ) -> Option<Event> {
        let auction = auctions.contains(&true) && (!trades.contains(&true) || rng.chance(500));
        if auction {
            let venue = venue_of(rng, auctions)?;
            return Some(Event::Expected(pick(rng, &self.expected[venue], stocks), venue));
        }
        let single_price = phase[KRX] == Phase::SinglePrice && !self.single_price.is_empty();
        if single_price && (!trades.contains(&true) || rng.chance(200)) {
            return Some(Event::SinglePrice(pick(rng, &self.single_price, stocks)));
        }
        if let Some(venue) = venue_of(rng, trades) {
            // A symbol under interruption shows expected prices instead; a few draws find another one.
            for _ in 0..8 {
                let i = pick(rng, &self.trades[venue], stocks);
                if interrupted == 0 || stocks[i].vi_until.is_none() || phase[venue] == Phase::ClosingPrice {
                    return Some(Event::Trade(i, venue));
                }
                if self.wants(i, Feed::expected(venue)) || self.wants(i, Feed::expected(2)) {
                    return Some(Event::Expected(i, venue));
                }
            }
            let is_free =
                |i: &&u32| stocks[**i as usize].vi_until.is_none() && stocks[**i as usize].halt_until.is_none();
            let free = self.trades[venue].iter().find(is_free);
            return free.map(|i| Event::Trade(*i as usize, venue));
        }
        // Registered for expected prices only: those of symbols under interruption.
        if interrupted > 0 {
            for (venue, list) in self.expected.iter().enumerate().filter(|(venue, _)| phase[*venue].is_continuous()) {
                if let Some(i) = list.iter().find(|i| stocks[**i as usize].vi_until.is_some()) {
                    return Some(Event::Expected(*i as usize, venue));
                }
            }
        }
        None
    }

    fn quiet_only(&self) -> bool {
        [&self.trades, &self.expected, &self.books].iter().all(|lists| lists.iter().all(Vec::is_empty))
    }

    fn quiet(&self, rng: &mut Rng, phase: &[Phase; 2]) -> Option<Event> {
        let runs = |venue: usize| match venue {
            2 => phase.iter().any(|phase| phase.shows_book()),
            venue => phase[venue].shows_book(),
        };
        let can_happen = |quiet: &&Quiet| match quiet {
            Quiet::Program(_, feed) | Quiet::Members(_, feed) => runs(usize::from(feed.0) % 3),
            Quiet::Index(_) => runs(KRX) && phase[KRX] != Phase::AfterMarket,
        };
        let count = self.quiet.iter().filter(can_happen).count();
        if count == 0 {
            return None;
        }
        let drawn = self.quiet.iter().filter(can_happen).nth(rng.below(count as u64) as usize)?;
        Some(match *drawn {
            Quiet::Program(i, feed) => Event::Program(i as usize, feed),
            Quiet::Members(i, feed) => Event::Members(i as usize, feed),
            Quiet::Index(i) => Event::Index(i),
        })
    }
}

/// One of a list, none that is halted if there is another.
fn pick(rng: &mut Rng, list: &[u32], stocks: &[Stock]) -> usize {
    let start = rng.below(list.len() as u64) as usize;
    let turned = list[start..].iter().chain(&list[..start]);
    let free = turned.map(|i| *i as usize).find(|i| stocks[*i].halt_until.is_none());
    free.unwrap_or(list[start] as usize)
}
