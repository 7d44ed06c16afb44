//! Dense ids of instruments, in a table of fixed capacity.
//!
//! Ids are local to a journal, begin at 1, are never reused and are kept over restarts: the newest segment's dictionary
//! is given to [`Instruments::seed`] before the first frame. Owned by one thread; after construction nothing here
//! allocates or blocks.

use crate::tick::{Instrument, InstrumentKey};

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The id it already had.
    Known(u32),
    /// The id it just got: an `Instrument` record must precede its first use.
    New(u32),
    /// It has none, and there is no place for another.
    Full,
}

/// Keys to ids: open addressing with linear probing, at most half full.
#[derive(Debug)]
pub struct Instruments {
    /// Ids, 0 = empty; a power of two of them.
    slots: Box<[u32]>,
    /// Key of each id, the first is that of id 1; an id that no seed named has an empty key.
    keys: Vec<InstrumentKey>,
    capacity: usize,
}

const EMPTY_KEY: InstrumentKey = InstrumentKey { market: [0; 16], symbol: [0; 32] };

impl Instruments {
    /// Allocates places for `capacity` instruments; at least one.
    pub fn with_capacity(capacity: usize) -> Instruments {
        let capacity = capacity.clamp(1, 1 << 28);
        let slots = vec![0; (capacity * 2).next_power_of_two()].into_boxed_slice();
        Instruments { slots, keys: Vec::with_capacity(capacity), capacity }
    }

    /// Instruments that have an id; ids that no seed named count too.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no instrument has an id yet.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Most instruments there can be; ids are in `1 ..= capacity`.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The key of an id.
    pub fn key(&self, id: u32) -> Option<&InstrumentKey> {
        self.keys.get((id as usize).checked_sub(1)?).filter(|key| **key != EMPTY_KEY)
    }

    /// Takes over the ids of an earlier run. A key that already has an id keeps it. Returns how many did not fit (id 0, or
    /// above the capacity): then the capacity must be raised, else their ids could be given out again.
    pub fn seed(&mut self, instruments: &[Instrument]) -> usize {
        let mut refused = 0;
        for instrument in instruments {
            let id = instrument.header.instrument_id;
            let index = id as usize;
            if index == 0 || index > self.capacity {
                refused += 1;
                continue;
            }
            let Err(slot) = self.find(&instrument.key) else { continue };
            if self.keys.len() < index {
                self.keys.resize(index, EMPTY_KEY);
            }
            if self.keys[index - 1] == EMPTY_KEY {
                self.keys[index - 1] = instrument.key;
                self.slots[slot] = id;
            }
        }
        refused
    }

    /// The id of a key, a new one if it has none.
    #[inline]
    pub fn resolve(&mut self, key: &InstrumentKey) -> Resolved {
        match self.find(key) {
            Ok(id) => Resolved::Known(id),
            Err(slot) => self.add(key, slot),
        }
    }

    /// The id of a key, or the slot where it would stand.
    #[inline]
    fn find(&self, key: &InstrumentKey) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(key) & mask;
        loop {
            let id = self.slots[slot];
            if id == 0 {
                return Err(slot);
            }
            if self.keys[id as usize - 1] == *key {
                return Ok(id);
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, key: &InstrumentKey, slot: usize) -> Resolved {
        if self.keys.len() >= self.capacity {
            return Resolved::Full;
        }
        self.keys.push(*key);
        let id = self.keys.len() as u32;
        self.slots[slot] = id;
        Resolved::New(id)
    }
}

/// Mixes the six words of a key. The multiplier is 2^64 / φ; most symbols differ in their first word only.
#[inline]
fn hash(key: &InstrumentKey) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let market: [u64; 2] = bytemuck::cast(key.market);
    let symbol: [u64; 4] = bytemuck::cast(key.symbol);
    let head = symbol[0] ^ market[0].rotate_left(32) ^ market[1].rotate_left(16);
    let tail = symbol[1] ^ symbol[2].rotate_left(21) ^ symbol[3].rotate_left(42);
    let mixed = (head.wrapping_mul(GOLDEN) ^ tail).wrapping_mul(GOLDEN);
    (mixed >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(symbol: &str) -> InstrumentKey {
        InstrumentKey::new(b"KRX", symbol.as_bytes()).unwrap()
    }

    fn declared(id: u32, symbol: &str) -> Instrument {
        let mut instrument: Instrument = bytemuck::Zeroable::zeroed();
        instrument.header.instrument_id = id;
        instrument.key = key(symbol);
        instrument
    }

    #[test]
    fn ids_are_dense_from_one_and_a_key_keeps_its_own() {
        let mut table = Instruments::with_capacity(5000);
        for n in 0..5000_u32 {
            assert_eq!(table.resolve(&key(&format!("{n:06}"))), Resolved::New(n + 1));
        }
        for n in (0..5000_u32).rev() {
            assert_eq!(table.resolve(&key(&format!("{n:06}"))), Resolved::Known(n + 1));
            assert_eq!(table.key(n + 1), Some(&key(&format!("{n:06}"))));
        }
        assert_eq!((table.len(), table.key(0), table.key(5001)), (5000, None, None));
    }

    #[test]
    fn a_full_table_says_so_and_still_knows_what_it_has() {
        let mut table = Instruments::with_capacity(2);
        table.resolve(&key("005930"));
        table.resolve(&key("000660"));
        assert_eq!(table.resolve(&key("035720")), Resolved::Full);
        assert_eq!(table.resolve(&key("000660")), Resolved::Known(2));
    }

    #[test]
    fn one_symbol_on_two_markets_is_two_instruments() {
        let mut table = Instruments::with_capacity(8);
        let night = InstrumentKey::new(b"KRX-deriv", b"005930").unwrap();
        assert_eq!(table.resolve(&key("005930")), Resolved::New(1));
        assert_eq!(table.resolve(&night), Resolved::New(2));
    }

    #[test]
    fn seeded_ids_are_kept_and_never_given_out_again() {
        let mut table = Instruments::with_capacity(4);
        let seeds = [declared(3, "C"), declared(1, "A"), declared(9, "X"), declared(0, "Y"), declared(2, "A")];
        assert_eq!(table.seed(&seeds), 2);
        assert_eq!(table.resolve(&key("A")), Resolved::Known(1));
        assert_eq!(table.resolve(&key("C")), Resolved::Known(3));
        assert_eq!(table.resolve(&key("B")), Resolved::New(4));
        assert_eq!(table.key(2), None, "an id that was lost stays lost");
        assert_eq!(table.resolve(&key("D")), Resolved::Full);
    }
}
