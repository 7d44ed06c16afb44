//! Ten levels a side. Both venues quote on one price ladder, each with its own quantities, so that the merged book of
//! the unified feed is never crossed and its quantities are plain sums.

use crate::market::tick::{down, up};
use crate::rng::Rng;

/// Levels a side.
pub const LEVELS: usize = 10;

/// Prices of the levels, best first; 0 where a level would lie outside the daily limits.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// Bid prices, falling.
    pub bid: [i64; LEVELS],
    /// Ask prices, rising.
    pub ask: [i64; LEVELS],
    lower: i64,
    upper: i64,
}

impl Ladder {
    /// A ladder whose best bid is `price`, or the step below the upper limit.
    pub fn around(price: i64, lower: i64, upper: i64) -> Self {
        let best_bid = price.clamp(lower, down(upper));
        let mut ladder = Self { bid: [0; LEVELS], ask: [0; LEVELS], lower, upper };
        ladder.bid[0] = best_bid;
        ladder.ask[0] = up(best_bid);
        for i in 1..LEVELS {
            ladder.bid[i] = ladder.below(ladder.bid[i - 1]);
            ladder.ask[i] = ladder.above(ladder.ask[i - 1]);
        }
        ladder
    }

    fn below(&self, price: i64) -> i64 {
        if price == 0 || down(price) < self.lower { 0 } else { down(price) }
    }

    fn above(&self, price: i64) -> i64 {
        if price == 0 || up(price) > self.upper { 0 } else { up(price) }
    }

    /// Moves one step up; false when the best ask is at the upper limit.
    fn shift_up(&mut self) -> bool {
        if self.ask[1] == 0 {
            return false;
        }
        self.bid.rotate_right(1);
        self.bid[0] = self.ask[0];
        self.ask.rotate_left(1);
        self.ask[LEVELS - 1] = self.above(self.ask[LEVELS - 2]);
        true
    }

    /// Moves one step down; false when the best bid is at the lower limit.
    fn shift_down(&mut self) -> bool {
        if self.bid[1] == 0 {
            return false;
        }
        self.ask.rotate_right(1);
        self.ask[0] = self.bid[0];
        self.bid.rotate_left(1);
        self.bid[LEVELS - 1] = self.below(self.bid[LEVELS - 2]);
        true
    }

    /// Half of best bid and best ask where that is a whole number of won, else 0.
    pub fn mid(&self) -> i64 {
        let sum = self.bid[0] + self.ask[0];
        if sum % 2 == 0 { sum / 2 } else { 0 }
    }
}

/// Quantities of one venue on the ladder; a level without a price has none.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    /// Bid quantities, best first.
    pub bid: [i64; LEVELS],
    /// Ask quantities, best first.
    pub ask: [i64; LEVELS],
    /// Quantity resting at the mid price.
    pub mid: i64,
    /// MIDP_CLS_CODE: 0 nothing rests, 1 and 2 the side.
    pub mid_class: u8,
}

impl Depth {
    fn fill(ladder: &Ladder, rng: &mut Rng, scale: i64) -> Self {
        let mut depth = Self { mid_class: b'0', ..Self::default() };
        for i in 0..LEVELS {
            depth.bid[i] = if ladder.bid[i] == 0 { 0 } else { rng.quantity(scale) };
            depth.ask[i] = if ladder.ask[i] == 0 { 0 } else { rng.quantity(scale) };
        }
        depth
    }

    /// Ask and bid totals over the levels.
    pub fn totals(&self) -> (i64, i64) {
        (self.ask.iter().sum(), self.bid.iter().sum())
    }

    /// Level by level sum of two venues.
    pub fn merged(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for i in 0..LEVELS {
            sum.bid[i] += other.bid[i];
            sum.ask[i] += other.ask[i];
        }
        sum
    }

    fn clear_mid(&mut self) {
        self.mid = 0;
        self.mid_class = b'0';
    }
}

/// The book of a symbol on both venues.
#[derive(Clone, Debug)]
pub struct Book {
    /// Prices of both.
    pub ladder: Ladder,
    /// Quantities of KRX and NXT.
    pub depth: [Depth; 2],
    /// Usual quantity of a level.
    pub scale: i64,
}

impl Book {
    /// A full book around a price.
    pub fn around(price: i64, lower: i64, upper: i64, scale: i64, rng: &mut Rng) -> Self {
        let ladder = Ladder::around(price, lower, upper);
        let depth = [Depth::fill(&ladder, rng, scale), Depth::fill(&ladder, rng, scale)];
        Self { ladder, depth, scale }
    }

    /// Takes `quantity` from the best ask (`buy`) or bid of a venue; at most what is there. An empty best level moves
    /// the ladder a step, or is refilled when the daily limit forbids the step.
    pub fn take(&mut self, venue: usize, buy: bool, quantity: i64, rng: &mut Rng) {
        let depth = &mut self.depth[venue];
        let best = if buy { &mut depth.ask[0] } else { &mut depth.bid[0] };
        *best -= quantity;
        if *best == 0 && !self.shift(buy, rng) {
            let refill = rng.quantity(self.scale);
            let depth = &mut self.depth[venue];
            *(if buy { &mut depth.ask[0] } else { &mut depth.bid[0] }) = refill;
        }
    }

    /// Moves the ladder a step and gives both venues fresh quantities where a level is new.
    pub fn shift(&mut self, upward: bool, rng: &mut Rng) -> bool {
        let moved = if upward { self.ladder.shift_up() } else { self.ladder.shift_down() };
        if !moved {
            return false;
        }
        for depth in &mut self.depth {
            let (ahead, behind) =
                if upward { (&mut depth.ask, &mut depth.bid) } else { (&mut depth.bid, &mut depth.ask) };
            ahead.rotate_left(1);
            let far = if upward { self.ladder.ask[LEVELS - 1] } else { self.ladder.bid[LEVELS - 1] };
            ahead[LEVELS - 1] = if far == 0 { 0 } else { rng.quantity(self.scale) };
            behind.rotate_right(1);
            behind[0] = rng.quantity(self.scale);
            depth.clear_mid();
        }
        true
    }

    /// Orders come and go on a venue: one or two levels change.
    pub fn stir(&mut self, venue: usize, rng: &mut Rng) {
        let mid = self.ladder.mid();
        let depth = &mut self.depth[venue];
        for _ in 0..=rng.below(2) {
            let level = rng.below(LEVELS as u64) as usize;
            let (prices, sizes) =
                if rng.chance(500) { (&self.ladder.ask, &mut depth.ask) } else { (&self.ladder.bid, &mut depth.bid) };
            if prices[level] != 0 {
                sizes[level] = rng.quantity(self.scale);
            }
        }
        if rng.chance(60) {
            depth.clear_mid();
            if mid != 0 && rng.chance(700) {
                depth.mid = rng.quantity(self.scale);
                depth.mid_class = if rng.chance(500) { b'1' } else { b'2' };
            }
        }
    }

    /// Takes `quantity` from what rests at the mid price of a venue.
    pub fn take_mid(&mut self, venue: usize, quantity: i64) {
        let depth = &mut self.depth[venue];
        depth.mid -= quantity;
        if depth.mid == 0 {
            depth.clear_mid();
        }
    }

    /// Lays the ladder anew around a price, as after an auction.
    pub fn recentre(&mut self, price: i64, rng: &mut Rng) {
        *self = Self::around(price, self.ladder.lower, self.ladder.upper, self.scale, rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::tick::{on_grid, price_limits};

    fn check(book: &Book, lower: i64, upper: i64) {
        let ladder = &book.ladder;
        assert!(ladder.ask[0] > ladder.bid[0]);
        for i in 0..LEVELS {
            for (price, sizes) in [
                (ladder.bid[i], [book.depth[0].bid[i], book.depth[1].bid[i]]),
                (ladder.ask[i], [book.depth[0].ask[i], book.depth[1].ask[i]]),
            ] {
                if price == 0 {
                    assert_eq!(sizes, [0, 0]);
                } else {
                    assert!(on_grid(price) && (lower..=upper).contains(&price));
                    assert!(sizes.iter().all(|s| *s > 0));
                }
            }
            if i > 0 {
                assert!(ladder.bid[i] == 0 || ladder.bid[i] < ladder.bid[i - 1]);
                assert!(ladder.ask[i] == 0 || ladder.ask[i] > ladder.ask[i - 1]);
            }
        }
    }

    #[test]
    fn a_long_walk_stays_on_the_grid_inside_the_limits_and_uncrossed() {
        for (seed, base) in [(1, 1_995), (2, 4_990), (3, 19_990), (4, 199_800), (5, 777_000), (6, 130)] {
            let mut rng = Rng::new(seed);
            let (lower, upper) = price_limits(base);
            let mut book = Book::around(base, lower, upper, 100, &mut rng);
            for step in 0..50_000 {
                // Long one-sided stretches reach both limits.
                let buy = rng.chance(if step / 5_000 % 2 == 0 { 900 } else { 100 });
                let venue = rng.below(2) as usize;
                let there = if buy { book.depth[venue].ask[0] } else { book.depth[venue].bid[0] };
                book.take(venue, buy, there, &mut rng);
                book.stir(venue, &mut rng);
                check(&book, lower, upper);
            }
        }
    }
}
