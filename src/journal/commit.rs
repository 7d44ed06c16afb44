//! The commit protocol: how a record, a segment and a roll become visible to other processes.
//!
//! The protocol is generic over the array of words it runs on ([`Words`], [`WordsMut`]): a mapped file in
//! [`segment`](super::segment), an array of loom's in the tests below, which try every order in which the loads and
//! stores of writer and reader may take effect. What is tested is what runs.
//!
//! - **Record.** Its bytes from offset 8 on and its CRC are written while its length word is zero, by plain stores;
//!   then the length is stored with Release (SYNC POINT A). A reader loads the length with Acquire (SYNC POINT B,
//!   partner of A): not zero means that all bytes of the record are there and will never change again.
//! - **Segment.** What activation adds to the header is written before the state word is stored with Release (SYNC
//!   POINT C); a reader loads the state with Acquire (SYNC POINT D, partner of C) before it reads the activation. The
//!   same store publishes the records restated before it.
//! - **Roll.** The `End` of a segment is committed before the next is activated; a reader goes on only past an `End`.

use std::sync::atomic::Ordering;

use super::format::{ACTIVATION_OFFSET, Activation, Prepared, STATE_ACTIVE, STATE_OFFSET, UncheckedHeader, padded};
use crate::tick::HEADER_BYTES;

/// A length word that no writer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLength(pub u32);

/// A range whose length word was found committed: its bytes are there and never change. Made here alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    offset: usize,
    bytes: usize,
}

/// A range that is inside the array, behind a zero length word, and the writer's own. Made here alone.
#[derive(Debug)]
pub(super) struct Claim {
    offset: usize,
    bytes: usize,
}

impl Committed {
    /// Where the record begins, and its bytes.
    #[inline]
    pub(super) fn range(self) -> (usize, usize) {
        (self.offset, self.bytes)
    }
}

impl Claim {
    /// Where the record begins, and its bytes.
    #[inline]
    pub(super) fn range(&self) -> (usize, usize) {
        (self.offset, self.bytes)
    }
}

/// The words of a segment, to read. Offsets are in bytes.
pub(super) trait Words {
    /// What borrowing a record gives.
    type Record<'a>
    where
        Self: 'a;

    /// Bytes of the array.
    fn len(&self) -> usize;

    /// Loads an aligned word inside the array.
    fn load_u32(&self, offset: usize, order: Ordering) -> u32;

    /// Loads an aligned word inside the array.
    fn load_u64(&self, offset: usize, order: Ordering) -> u64;

    /// Borrows a committed record: plain loads, no atomics.
    fn record(&self, committed: Committed) -> Self::Record<'_>;
}

/// The words of a segment, to write: one value a segment.
pub(super) trait WordsMut {
    /// Bytes of the array.
    fn len(&self) -> usize;

    /// Stores an aligned word inside the array.
    fn store_u32(&mut self, offset: usize, value: u32, order: Ordering);

    /// Stores an aligned word inside the array.
    fn store_u64(&mut self, offset: usize, value: u64, order: Ordering);

    /// Copies the bytes of `head` from 8 on and those of `tail` to their place in the claim, by plain stores, and
    /// returns the CRC of the record they make in a segment with that salt.
    fn fill(&mut self, claim: Claim, salt: u32, head: &[u8], tail: &[u8]) -> u32;
}

/// Commits the record that consists of `head` and `tail` at an offset where nothing is committed. Returns the offset
/// behind it.
///
/// # Panics
///
/// When the record does not fit, or `offset` is no multiple of eight, or `head` is shorter than a header.
#[inline]
pub(super) fn commit<W: WordsMut>(words: &mut W, salt: u32, offset: usize, head: &[u8], tail: &[u8]) -> usize {
    let bytes = head.len() + tail.len();
    let end = offset + padded(bytes);
    assert!(offset.is_multiple_of(8) && head.len() >= HEADER_BYTES && end <= words.len());
    let crc = words.fill(Claim { offset, bytes }, salt, head, tail);
    words.store_u32(offset + 4, crc, Ordering::Relaxed);
    // SYNC POINT A, partner of B: publishes the record.
    words.store_u32(offset, bytes as u32, Ordering::Release);
    end
}

/// The committed record at an offset: `None` when there is none (yet). Its CRC is not checked here.
#[inline]
pub(super) fn record<W: Words>(words: &W, offset: usize) -> Result<Option<W::Record<'_>>, BadLength> {
    if !offset.is_multiple_of(8) || offset.saturating_add(HEADER_BYTES) > words.len() {
        return Ok(None);
    }
    // SYNC POINT B, partner of A: the record's bytes are there.
    let length = words.load_u32(offset, Ordering::Acquire);
    if length == 0 {
        return Ok(None);
    }
    let bytes = length as usize;
    if bytes < HEADER_BYTES || padded(bytes) > words.len() - offset {
        return Err(BadLength(length));
    }
    Ok(Some(words.record(Committed { offset, bytes })))
}

/// Writes what activation adds to the header and publishes the segment with all that was committed in it.
pub(super) fn activate<W: WordsMut>(words: &mut W, prepared: &Prepared, base_sequence: u64, trading_date: u32) {
    let mut activation = Activation { base_sequence, trading_date, activation_crc: 0 };
    activation.activation_crc = activation.crc(prepared);
    let (whole, _) = bytemuck::bytes_of(&activation).as_chunks::<8>();
    for (index, word) in whole.iter().enumerate() {
        words.store_u64(ACTIVATION_OFFSET + 8 * index, u64::from_le_bytes(*word), Ordering::Relaxed);
    }
    // SYNC POINT C, partner of D.
    words.store_u32(STATE_OFFSET, STATE_ACTIVE, Ordering::Release);
}

/// Reads the header as it is: an active segment's activation is whole.
pub(super) fn header<W: Words>(words: &W) -> UncheckedHeader {
    let mut prepared: Prepared = bytemuck::zeroed();
    let mut activation: Activation = bytemuck::zeroed();
    // SYNC POINT D, partner of C: an active segment's activation is there.
    let state = words.load_u32(STATE_OFFSET, Ordering::Acquire);
    copy_out(words, 0, bytemuck::bytes_of_mut(&mut prepared));
    copy_out(words, ACTIVATION_OFFSET, bytemuck::bytes_of_mut(&mut activation));
    UncheckedHeader { prepared, activation, state }
}

/// Where a roll goes: what the next segment's activation says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next<'a> {
    /// Its header as prepared.
    pub(super) prepared: &'a Prepared,
    /// Sequence of its first numbered record.
    pub(super) base_sequence: u64,
    /// Decimal YYYYMMDD; 0 = not told.
    pub(super) trading_date: u32,
}

/// Ends a segment with the record `end` at `offset` and goes on in the next. Returns the offset behind the end.
///
/// In this order: who is past the `End` may look at the next segment, and finds it prepared or active with the right
/// base; who finds it active finds the `End` before it.
pub(super) fn roll<W: WordsMut>(
    old: &mut W,
    salt: u32,
    offset: usize,
    end: &[u8],
    next: &mut W,
    begin: Next<'_>,
) -> usize {
    let behind = commit(old, salt, offset, end, &[]);
    activate(next, begin.prepared, begin.base_sequence, begin.trading_date);
    behind
}

fn copy_out<W: Words>(words: &W, offset: usize, bytes: &mut [u8]) {
    for (index, word) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        *word = words.load_u64(offset + 8 * index, Ordering::Relaxed).to_le_bytes();
    }
}

#[cfg(test)]
#[path = "commit_loom.rs"]
mod loom_tests;
