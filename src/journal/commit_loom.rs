//! The commit protocol on an array of loom's, in every order its loads and stores may take effect.
//!
//! Goal: a reader that finds a length, a state or an `End` finds all that was written before it, and never reads a byte
//! while it is written. Method: the words the protocol treats atomically are loom's atomics; each word of a record's
//! body is a plain value under a loom cell that reports a write and an access unordered to each other, as two accesses
//! of a mapped file would race. The other half of the tests weakens one rule at a time and demands that loom finds it:
//! a model that can't fail proves nothing.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64 as PlainU64, Ordering};

use bytemuck::Zeroable as _;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, AtomicU64};
use loom::thread;

use super::super::format::{FORMAT_MAJOR, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, STATE_PREPARED, Stream, record_crc};
use super::*;
use crate::tick::{End, Header, RType};

const SALT: u32 = 0x5eed_5a17;
const BASE: usize = SEGMENT_HEADER_BYTES;
/// Bytes of the records of these tests: a header and one word.
const RECORD: usize = HEADER_BYTES + 8;
const END: usize = size_of::<End>();

/// A word of eight bytes, by the way the protocol treats it.
enum Word {
    /// Written before anybody knows the file.
    Fixed(u64),
    /// Length and CRC, or state: two words of four bytes. The cell stands for the CRC, which readers load plainly.
    Halves(AtomicU32, AtomicU32, UnsafeCell<()>),
    /// Of the activation.
    Whole(AtomicU64),
    /// Of a record's body.
    Plain(PlainU64, UnsafeCell<()>),
}

/// What of the protocol is in force.
trait Rules: 'static {
    /// What becomes of a store's ordering.
    fn store(order: Ordering) -> Ordering {
        order
    }
    /// What becomes of a load's ordering.
    fn load(order: Ordering) -> Ordering {
        order
    }
    /// Whether the length is stored before the body.
    const LENGTH_FIRST: bool = false;
}

struct Sound;
impl Rules for Sound {}

struct RelaxedStores;
impl Rules for RelaxedStores {
    fn store(_: Ordering) -> Ordering {
        Ordering::Relaxed
    }
}

struct RelaxedLoads;
impl Rules for RelaxedLoads {
    fn load(_: Ordering) -> Ordering {
        Ordering::Relaxed
    }
}

struct LengthFirst;
impl Rules for LengthFirst {
    const LENGTH_FIRST: bool = true;
}

/// A segment: its header, and records of given sizes.
struct Array<R> {
    words: BTreeMap<usize, Word>,
    rules: PhantomData<R>,
}

impl<R: Rules> Array<R> {
    fn new(prepared: &Prepared, records: &[usize]) -> Arc<Array<R>> {
        let mut words = BTreeMap::new();
        for (index, word) in bytemuck::bytes_of(prepared).as_chunks::<8>().0.iter().enumerate() {
            words.insert(8 * index, Word::Fixed(u64::from_le_bytes(*word)));
        }
        for offset in [ACTIVATION_OFFSET, ACTIVATION_OFFSET + 8] {
            words.insert(offset, Word::Whole(AtomicU64::new(0)));
        }
        let halves = |low| Word::Halves(AtomicU32::new(low), AtomicU32::new(0), UnsafeCell::new(()));
        words.insert(STATE_OFFSET, halves(STATE_PREPARED));
        let mut offset = BASE;
        for bytes in records {
            words.insert(offset, halves(0));
            for body in (offset + 8..offset + padded(*bytes)).step_by(8) {
                words.insert(body, Word::Plain(PlainU64::new(0), UnsafeCell::new(())));
            }
            offset += padded(*bytes);
        }
        // Behind the last record: nothing there.
        words.insert(offset, halves(0));
        Arc::new(Array { words, rules: PhantomData })
    }

    fn halves(&self, offset: usize) -> (&AtomicU32, &UnsafeCell<()>) {
        match &self.words[&(offset / 8 * 8)] {
            Word::Halves(low, _, cell) if offset.is_multiple_of(8) => (low, cell),
            Word::Halves(_, high, cell) => (high, cell),
            _ => panic!("no word of four bytes at {offset}"),
        }
    }
}

impl<R: Rules> Words for Array<R> {
    type Record<'a> = Vec<u8>;

    fn len(&self) -> usize {
        2 * BASE
    }

    fn load_u32(&self, offset: usize, order: Ordering) -> u32 {
        self.halves(offset).0.load(R::load(order))
    }

    fn load_u64(&self, offset: usize, order: Ordering) -> u64 {
        match &self.words[&offset] {
            Word::Fixed(word) => *word,
            Word::Whole(word) => word.load(R::load(order)),
            _ => panic!("no atomic word of eight bytes at {offset}"),
        }
    }

    fn record(&self, committed: Committed) -> Vec<u8> {
        let (offset, bytes) = committed.range();
        let mut copy = Vec::new();
        for at in (offset..offset + padded(bytes)).step_by(8) {
            match &self.words[&at] {
                Word::Halves(low, high, cell) => {
                    cell.with(|_| ());
                    copy.extend(low.load(Ordering::Relaxed).to_le_bytes());
                    copy.extend(high.load(Ordering::Relaxed).to_le_bytes());
                }
                Word::Plain(word, cell) => {
                    cell.with(|_| copy.extend(word.load(Ordering::Relaxed).to_le_bytes()));
                }
                _ => panic!("no record at {at}"),
            }
        }
        copy.truncate(bytes);
        copy
    }
}

/// The one writer of an array.
struct Writer<R>(Arc<Array<R>>);

impl<R: Rules> WordsMut for Writer<R> {
    fn len(&self) -> usize {
        Words::len(&*self.0)
    }

    fn store_u32(&mut self, offset: usize, value: u32, order: Ordering) {
        let (word, cell) = self.0.halves(offset);
        if offset % 8 == 4 {
            cell.with_mut(|_| ());
        }
        word.store(value, R::store(order));
    }

    fn store_u64(&mut self, offset: usize, value: u64, order: Ordering) {
        match &self.0.words[&offset] {
            Word::Whole(word) => word.store(value, R::store(order)),
            _ => panic!("no atomic word of eight bytes at {offset}"),
        }
    }

    fn fill(&mut self, claim: Claim, salt: u32, head: &[u8], tail: &[u8]) -> u32 {
        let (offset, bytes) = claim.range();
        if R::LENGTH_FIRST {
            self.store_u32(offset, bytes as u32, Ordering::Release);
        }
        let mut record = [head, tail].concat();
        let crc = record_crc(salt, &record, bytes as u32);
        record.resize(padded(bytes), 0);
        for (index, word) in record.as_chunks::<8>().0.iter().enumerate().skip(1) {
            let Word::Plain(place, cell) = &self.0.words[&(offset + 8 * index)] else { panic!("no body there") };
            cell.with_mut(|_| place.store(u64::from_le_bytes(*word), Ordering::Relaxed));
        }
        crc
    }
}

fn prepared(ordinal: u64) -> Prepared {
    let mut prepared = Prepared {
        magic: SEGMENT_MAGIC,
        format_major: FORMAT_MAJOR,
        header_bytes: SEGMENT_HEADER_BYTES as u32,
        stream: Stream::Ticks.number(),
        salt: SALT,
        ordinal,
        epoch: 1,
        segment_bytes: 2 * BASE as u64,
        ..Prepared::zeroed()
    };
    prepared.prepared_crc = prepared.crc();
    prepared
}

fn numbered(sequence: u64) -> Vec<u8> {
    let header = Header { sequence, ts_recv: 7 * sequence, rtype: RType::Trade as u8, ..Header::zeroed() };
    [bytemuck::bytes_of(&header), &sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()].concat()
}

fn end() -> Vec<u8> {
    let mut end = End::zeroed();
    end.header.rtype = RType::End as u8;
    bytemuck::bytes_of(&end).to_vec()
}

/// Requires that a record read is the one written, to the last byte and its CRC.
fn require(read: &[u8], written: &[u8]) {
    let length = written.len() as u32;
    assert_eq!(read[..4], length.to_le_bytes());
    assert_eq!(read[4..8], record_crc(SALT, written, length).to_le_bytes(), "the CRC is not the record's");
    assert_eq!(read[8..], written[8..], "the body is not the record's");
}

/// Reads records from an offset on until there is none, and requires that they are those with these sequences.
fn scan<R: Rules>(array: &Array<R>, mut offset: usize, sequences: std::ops::RangeInclusive<u64>) -> usize {
    let mut count = 0;
    for sequence in sequences {
        let Some(read) = record(array, offset).unwrap() else { break };
        require(&read, &numbered(sequence));
        offset += padded(read.len());
        count += 1;
    }
    count
}

/// A writer commits two records; readers scan twice.
fn records_are_whole<R: Rules>(readers: usize) {
    loom::model(move || {
        let array = Array::<R>::new(&prepared(1), &[RECORD, RECORD]);
        let scanners: Vec<_> = (0..readers)
            .map(|_| {
                let array = Arc::clone(&array);
                thread::spawn(move || {
                    let first = scan(&array, BASE, 1..=2);
                    assert!(scan(&array, BASE, 1..=2) >= first, "a record that was there went away");
                })
            })
            .collect();
        let mut writer = Writer(Arc::clone(&array));
        let behind = commit(&mut writer, SALT, BASE, &numbered(1), &[]);
        let (head, tail) = (&numbered(2)[..HEADER_BYTES], &numbered(2)[HEADER_BYTES..]);
        commit(&mut writer, SALT, behind, head, tail);
        for scanner in scanners {
            scanner.join().unwrap();
        }
        assert_eq!(scan(&array, BASE, 1..=2), 2);
    });
}

/// A writer restates a record in a prepared segment, activates it and commits the first of its own.
fn activation_is_whole<R: Rules>() {
    loom::model(|| {
        let own = prepared(3);
        let array = Array::<R>::new(&own, &[RECORD, RECORD]);
        let reader = Arc::clone(&array);
        let reader = thread::spawn(move || {
            let header =
                header(&*reader).check(Stream::Ticks, 3).expect("a header is prepared or active, never between");
            if let Some(activation) = header.activation {
                assert_eq!((activation.base_sequence, activation.trading_date), (2, 20_261_123));
                assert!(scan(&reader, BASE, 1..=2) >= 1, "active without what was restated");
            }
        });
        let mut writer = Writer(array);
        let behind = commit(&mut writer, SALT, BASE, &numbered(1), &[]);
        activate(&mut writer, &own, 2, 20_261_123);
        commit(&mut writer, SALT, behind, &numbered(2), &[]);
        reader.join().unwrap();
    });
}

type Roll<R> = fn(&mut Writer<R>, usize, &mut Writer<R>, &Prepared);

fn roll_as_it_is<R: Rules>(old: &mut Writer<R>, offset: usize, next: &mut Writer<R>, prepared: &Prepared) {
    roll(old, SALT, offset, &end(), next, Next { prepared, base_sequence: 2, trading_date: 0 });
}

/// A writer rolls between two records; a reader does something with both segments meanwhile.
fn rolls<R: Rules>(roll: Roll<R>, reader: fn(&Array<R>, &Array<R>)) {
    loom::model(move || {
        let own = prepared(2);
        let old = Array::<R>::new(&prepared(1), &[RECORD, END]);
        let next = Array::<R>::new(&own, &[RECORD]);
        let (first, second) = (Arc::clone(&old), Arc::clone(&next));
        let reader = thread::spawn(move || reader(&first, &second));
        let (mut old, mut next) = (Writer(old), Writer(next));
        let behind = commit(&mut old, SALT, BASE, &numbered(1), &[]);
        roll(&mut old, behind, &mut next, &own);
        commit(&mut next, SALT, BASE, &numbered(2), &[]);
        reader.join().unwrap();
    });
}

/// Reads on past the `End`.
fn follow<R: Rules>(old: &Array<R>, next: &Array<R>) {
    if scan(old, BASE, 1..=1) == 0 {
        return;
    }
    let Some(last) = record(old, BASE + RECORD).unwrap() else { return };
    require(&last, &end());
    let header = header(next).check(Stream::Ticks, 2).expect("prepared or active");
    if let Some(activation) = header.activation {
        assert_eq!(activation.base_sequence, 2);
        scan(next, BASE, 2..=2);
    }
}

/// Looks at the next segment first.
fn look_ahead<R: Rules>(old: &Array<R>, next: &Array<R>) {
    if header(next).state == STATE_ACTIVE {
        let last = record(old, BASE + RECORD).unwrap();
        require(&last.expect("a segment is active and the one before has no end"), &end());
    }
}

#[test]
fn a_reader_that_sees_a_length_sees_the_whole_record() {
    records_are_whole::<Sound>(1);
}

#[test]
fn two_readers_see_whole_records() {
    records_are_whole::<Sound>(2);
}

#[test]
fn a_reader_that_sees_an_active_segment_sees_its_activation_and_what_was_restated() {
    activation_is_whole::<Sound>();
}

#[test]
fn a_reader_past_an_end_finds_the_next_segment_prepared_or_active() {
    rolls::<Sound>(roll_as_it_is, follow);
}

#[test]
fn before_an_active_segment_stands_an_end() {
    rolls::<Sound>(roll_as_it_is, look_ahead);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loom_finds_a_length_stored_without_release() {
    records_are_whole::<RelaxedStores>(1);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loom_finds_a_length_loaded_without_acquire() {
    records_are_whole::<RelaxedLoads>(1);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loom_finds_a_length_stored_before_the_body() {
    records_are_whole::<LengthFirst>(1);
}

#[test]
#[should_panic(expected = "never between")]
fn loom_finds_a_state_stored_without_release() {
    activation_is_whole::<RelaxedStores>();
}

#[test]
#[should_panic(expected = "never between")]
fn loom_finds_a_state_loaded_without_acquire() {
    activation_is_whole::<RelaxedLoads>();
}

#[test]
#[should_panic(expected = "the one before has no end")]
fn loom_finds_a_segment_activated_before_the_end_of_the_one_before() {
    let reversed = |old: &mut Writer<Sound>, offset, next: &mut Writer<Sound>, prepared: &Prepared| {
        activate(next, prepared, 2, 0);
        commit(old, SALT, offset, &end(), &[]);
    };
    rolls::<Sound>(reversed, look_ahead);
}
