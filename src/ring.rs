//! Rings between stages: length-prefixed messages over `rtrb`, one producer, one consumer, no locks, no allocation.
//!
//! A message is a fixed head ([`Pod`]) and a tail of units (`u8` for frames, `u64` for records). It is pushed whole or not
//! at all: a full ring gives `false` and the stage before it waits, so nothing is dropped. The consumer borrows the tail
//! from the ring; only a message that straddles the ring's end (once a lap) is copied to a scratch buffer first.
//!
//! Bound: `capacity` units. What happens at it: [`MessageProducer::has_room`] is false and the caller keeps its input
//! (the reader leaves bytes in the socket, so that TCP holds the sender).

use std::marker::PhantomData;

use bytemuck::Pod;
use rtrb::{Consumer, Producer, RingBuffer};

/// A unit of a ring: a byte or a word.
pub trait Unit: Pod + Default {}
impl Unit for u8 {}
impl Unit for u64 {}

/// A ring of `capacity` units for messages with head `H` and at most `max_tail` units of tail.
///
/// # Panics
///
/// When a message of `max_tail` would not fit into the ring: a configuration fault, found at start.
pub fn message_ring<U: Unit, H: Pod>(
    capacity: usize,
    max_tail: usize,
) -> (MessageProducer<U, H>, MessageConsumer<U, H>) {
    assert!(size_of::<H>().is_multiple_of(size_of::<U>()), "the head is whole units");
    assert!(max_tail + head_units::<U, H>() <= capacity, "the largest message fits into the ring");
    let (producer, consumer) = RingBuffer::new(capacity);
    let scratch = vec![U::default(); max_tail + head_units::<U, H>()].into_boxed_slice();
    (
        MessageProducer { ring: producer, capacity, high_water: 0, head: PhantomData },
        MessageConsumer { ring: consumer, scratch, head: PhantomData },
    )
}

const fn head_units<U, H>() -> usize {
    size_of::<H>() / size_of::<U>() + length_units::<U>()
}

const fn length_units<U>() -> usize {
    size_of::<u64>() / size_of::<U>()
}

/// The writing end; one thread.
#[derive(Debug)]
pub struct MessageProducer<U: Unit, H: Pod> {
    ring: Producer<U>,
    capacity: usize,
    high_water: usize,
    head: PhantomData<H>,
}

impl<U: Unit, H: Pod> MessageProducer<U, H> {
    /// Whether a message with a tail of `tail` units fits now. Stays true until the next push.
    #[inline]
    pub fn has_room(&self, tail: usize) -> bool {
        self.ring.slots() >= tail + head_units::<U, H>()
    }

    /// Pushes a message whose tail is the given parts, one after the other; `false` (and nothing pushed) when it does
    /// not fit.
    #[inline]
    pub fn push(&mut self, head: &H, parts: [&[U]; 2]) -> bool {
        let tail = parts[0].len() + parts[1].len();
        let free = self.ring.slots();
        if free < tail + head_units::<U, H>() {
            return false;
        }
        self.high_water = self.high_water.max(self.capacity - free + tail + head_units::<U, H>());
        // The length goes first and the consumer waits for all of it, so that each push below may show by itself.
        let length = tail as u64;
        self.put(bytemuck::cast_slice(std::slice::from_ref(&length)));
        self.put(bytemuck::cast_slice(std::slice::from_ref(head)));
        self.put(parts[0]);
        self.put(parts[1]);
        true
    }

    fn put(&mut self, units: &[U]) {
        if !units.is_empty() {
            let pushed = self.ring.push_entire_slice(units);
            debug_assert!(pushed.is_ok(), "room was checked for the whole message");
        }
    }

    /// Most units ever in use, this ring's high-water mark.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// Units the ring holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether the consumer is gone.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }
}

/// The reading end; one thread.
#[derive(Debug)]
pub struct MessageConsumer<U: Unit, H: Pod> {
    ring: Consumer<U>,
    scratch: Box<[U]>,
    head: PhantomData<H>,
}

impl<U: Unit, H: Pod> MessageConsumer<U, H> {
    /// Calls `take` with the next message, if there is a whole one, and removes it.
    #[inline]
    pub fn pop<R>(&mut self, take: impl FnOnce(&H, &mut [U]) -> R) -> Option<R> {
        let available = self.ring.slots();
        if available < head_units::<U, H>() {
            return None;
        }
        let start = self.ring.read_chunk(length_units::<U>()).ok()?;
        let mut length = 0_u64;
        let bytes: &mut [U] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut length));
        let (first, second) = start.as_slices();
        bytes[..first.len()].copy_from_slice(first);
        bytes[first.len()..].copy_from_slice(second);
        let units = usize::try_from(length).ok()? + head_units::<U, H>();
        if available < units {
            return None;
        }
        let mut chunk = self.ring.read_chunk(units).ok()?;
        let (first, second) = chunk.as_mut_slices();
        let message: &mut [U] = if second.is_empty() {
            first
        } else {
            let scratch = &mut self.scratch[..units];
            scratch[..first.len()].copy_from_slice(first);
            scratch[first.len()..].copy_from_slice(second);
            scratch
        };
        let (head, tail) = message[length_units::<U>()..].split_at_mut(head_units::<U, H>() - length_units::<U>());
        let head: H = bytemuck::pod_read_unaligned(bytemuck::cast_slice(head));
        let result = take(&head, tail);
        chunk.commit_all();
        Some(result)
    }

    /// Whether nothing is left and nothing can come: the producer is gone and the ring empty.
    pub fn is_finished(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_ring_refuses_and_loses_nothing() {
        let (mut producer, mut consumer) = message_ring::<u8, [u8; 8]>(64, 40);
        assert!(producer.push(&[1; 8], [&[7; 40], &[]]));
        assert!(!producer.has_room(0) && !producer.push(&[2; 8], [&[], &[]]));
        assert_eq!(consumer.pop(|head, tail| (*head, tail.len())), Some(([1; 8], 40)));
        assert!(producer.push(&[2; 8], [&[9; 20], &[8; 20]]));
        assert_eq!(consumer.pop(|head, tail| (*head, tail[19], tail[20])), Some(([2; 8], 9, 8)));
        assert_eq!(consumer.pop(|_, _| ()), None);
        assert!(!consumer.is_finished());
        drop(producer);
        assert!(consumer.is_finished());
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in(tails in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..20), 1..200)) {
            let (mut producer, mut consumer) = message_ring::<u64, u64>(53, 20);
            let mut expected = std::collections::VecDeque::new();
            for tail in tails {
                let head = tail.len() as u64 * 3;
                while !producer.push(&head, [&tail, &[]]) {
                    let popped = consumer.pop(|head, tail| (*head, tail.to_vec()));
                    prop_assert_eq!(popped, expected.pop_front());
                }
                expected.push_back((head, tail));
            }
            while let Some(next) = expected.pop_front() {
                prop_assert_eq!(consumer.pop(|head, tail| (*head, tail.to_vec())), Some(next));
            }
        }
    }

    #[test]
    fn messages_cross_threads_whole_and_in_order() {
        let (mut producer, mut consumer) = message_ring::<u8, u64>(256, 100);
        let sender = std::thread::spawn(move || {
            for number in 0..50_000_u64 {
                let tail = vec![number as u8; (number % 101) as usize];
                while !producer.push(&number, [&tail[..tail.len() / 2], &tail[tail.len() / 2..]]) {
                    std::hint::spin_loop();
                }
            }
        });
        let mut expected = 0;
        while expected < 50_000 {
            let seen = consumer.pop(|head, tail| {
                assert_eq!((*head, tail.len() as u64), (expected, expected % 101));
                assert!(tail.iter().all(|byte| *byte == expected as u8));
            });
            expected += u64::from(seen.is_some());
        }
        sender.join().unwrap();
    }
}
