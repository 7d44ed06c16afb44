//! The instruments a writer declared, for the helper to restate: a preallocated list that only grows.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::tick::{Flags, Header, Instrument, RType};

const WORDS: usize = size_of::<Instrument>() / 8;
const _: () = assert!(size_of::<Instrument>().is_multiple_of(8));

/// One writer pushes, any thread reads what is published.
#[derive(Debug)]
pub(in crate::journal) struct Dictionary {
    words: Vec<AtomicU64>,
    count: AtomicUsize,
}

impl Dictionary {
    /// Room for `capacity` definitions, taken now.
    pub(in crate::journal) fn with_capacity(capacity: usize) -> Dictionary {
        let words = std::iter::repeat_with(|| AtomicU64::new(0)).take(capacity * WORDS).collect();
        Dictionary { words, count: AtomicUsize::new(0) }
    }

    /// Definitions published.
    pub(in crate::journal) fn count(&self) -> usize {
        // Acquire, partner of the Release in `push`: their words are there.
        self.count.load(Ordering::Acquire)
    }

    /// Adds the definition in the words of an `Instrument` record; `false` when the list is full. One thread only.
    pub(in crate::journal) fn push(&self, record: &[u64]) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        let Some(place) = self.words.get(count * WORDS..(count + 1) * WORDS) else { return false };
        for (to, from) in place.iter().zip(record) {
            to.store(*from, Ordering::Relaxed);
        }
        // Release, partner of `count`.
        self.count.store(count + 1, Ordering::Release);
        true
    }

    /// A published definition as the record that restates it.
    pub(in crate::journal) fn restated(&self, index: usize) -> Instrument {
        debug_assert!(index < self.count());
        let mut words = [0_u64; WORDS];
        for (to, from) in words.iter_mut().zip(&self.words[index * WORDS..]) {
            *to = from.load(Ordering::Relaxed);
        }
        let mut record: Instrument = bytemuck::cast(words);
        record.header = Header {
            length: size_of::<Instrument>() as u32,
            sequence: 0,
            flags: record.header.flags | Flags::RESTATED,
            rtype: RType::Instrument as u8,
            ..record.header
        };
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_dictionary_refuses_and_restates_what_it_has() {
        let dictionary = Dictionary::with_capacity(1);
        let mut record: Instrument = bytemuck::zeroed();
        record.header.sequence = 9;
        record.header.instrument_id = 3;
        assert!(dictionary.push(crate::tick::words_of(&mut record)));
        assert!(!dictionary.push(crate::tick::words_of(&mut record)));
        let restated = dictionary.restated(0);
        assert_eq!((restated.header.sequence, restated.header.instrument_id), (0, 3));
        assert!(Flags(restated.header.flags).has(Flags::RESTATED));
    }
}
