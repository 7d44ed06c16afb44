//! Frames of the form `encrypted|tr_id|count|payload`, where the payload is values between carets.
//!
//! Only the first three bars are delimiters: a payload may hold bars of its own. A payload with N carets has N + 1
//! values, empty ones included, also at its end.
//!
//! [`Fields`] keeps for each payload the position of each delimiter, framed by a virtual delimiter just before the
//! payload and one just behind it. Field `i` then lies between entries `i` and `i + 1`, and neither the first nor the
//! last field is a special case.

use std::fmt;

use super::number::Text;
use crate::simd::{Digits, Splitter};

/// Why a frame or a payload can't be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
pub enum SplitError {
    /// The frame doesn't begin with `0|` or `1|`. JSON control frames end here.
    #[error("a frame that doesn't begin with 0| or 1|")]
    Encrypted = 1,
    /// The TR id isn't 1 to 12 graphic ASCII bytes with a bar behind them.
    #[error("a TR id that isn't 1 to 12 graphic bytes")]
    TrId = 2,
    /// The count isn't 1 to 3 digits with a bar behind them, or is zero.
    #[error("a count that isn't 1 to 999")]
    Count = 3,
    /// The payload has more fields than the caller allows or the index has places for.
    #[error("more fields than there are places for")]
    TooManyFields = 4,
}

/// The head of a frame `encrypted|tr_id|count|payload`, and what follows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FrameHead<'a> {
    /// Whether the payload is encrypted (`1`) and so can't be split yet.
    pub encrypted: bool,
    /// The name of the message layout, 1 to 12 graphic ASCII bytes without a bar.
    pub tr_id: &'a [u8],
    /// Records in the payload as the frame claims, in `1..=999`.
    pub count: u32,
    /// All bytes behind the third bar; may be empty.
    pub payload: &'a [u8],
}

impl<'a> FrameHead<'a> {
    /// Longest TR id, bytes.
    pub const TR_ID_BYTES_MAX: usize = 12;

    /// Splits the head off a frame. The count is accepted with 1 to 3 digits (the wire has 3).
    ///
    /// # Errors
    ///
    /// The first part that is wrong, from the left; see [`SplitError`].
    #[inline]
    pub fn parse(frame: &'a [u8]) -> Result<FrameHead<'a>, SplitError> {
        let (encrypted, rest) = match frame {
            [b'0', b'|', rest @ ..] => (false, rest),
            [b'1', b'|', rest @ ..] => (true, rest),
            _ => return Err(SplitError::Encrypted),
        };
        let (tr_id, rest) = split_tr_id(rest).ok_or(SplitError::TrId)?;
        let digit = |byte: &u8| u32::from(byte.wrapping_sub(b'0'));
        let (count, payload) = match rest {
            [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'|', payload @ ..] => {
                (digit(a) * 100 + digit(b) * 10 + digit(c), payload)
            }
            [a @ b'0'..=b'9', b @ b'0'..=b'9', b'|', payload @ ..] => (digit(a) * 10 + digit(b), payload),
            [a @ b'0'..=b'9', b'|', payload @ ..] => (digit(a), payload),
            _ => return Err(SplitError::Count),
        };
        if count == 0 {
            return Err(SplitError::Count);
        }
        Ok(FrameHead { encrypted, tr_id, count, payload })
    }
}

impl fmt::Debug for FrameHead<'_> {
    /// The payload of an account's frame is private, so only its length is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameHead")
            .field("encrypted", &self.encrypted)
            .field("tr_id", &self.tr_id.escape_ascii().to_string())
            .field("count", &self.count)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// The TR id in front of the first bar, and what is behind that bar.
#[inline]
fn split_tr_id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let window = &bytes[..bytes.len().min(FrameHead::TR_ID_BYTES_MAX + 1)];
    let bar = window.iter().position(|&byte| byte == b'|')?;
    let (tr_id, rest) = (&bytes[..bar], &bytes[bar + 1..]);
    (bar > 0 && tr_id.iter().all(u8::is_ascii_graphic)).then_some((tr_id, rest))
}

/// A reusable index of fields: allocated once, filled anew for each payload.
///
/// Owned by one thread; [`Self::split`] neither allocates nor blocks. A payload of more fields than there are places is
/// refused whole, with [`SplitError::TooManyFields`]; the index never grows.
#[derive(Clone, Debug)]
pub struct Fields {
    /// Entry 0 is the virtual delimiter in front of the payload: -1, as a `u32` that wraps. Behind the places for
    /// `capacity` delimiters stand `SLACK` more, so that the kernels can write whole vectors.
    bounds: Box<[u32]>,
    capacity: usize,
}

impl Fields {
    const SLACK: usize = 64;

    /// Fields of the fullest frame: 999 records of 128 fields (and half a MiB of index).
    pub const CAPACITY_MAX: usize = 999 * 128;

    /// Allocates places for `capacity` fields, four bytes each; at least one.
    pub fn with_capacity(capacity: usize) -> Fields {
        let capacity = capacity.max(1);
        let mut bounds = vec![0; 1 + capacity + Fields::SLACK].into_boxed_slice();
        bounds[0] = u32::MAX;
        Fields { bounds, capacity }
    }

    /// Most fields a payload may have.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Splits a payload on carets. The result borrows both, so the index can't be filled anew while it is in use.
    ///
    /// An empty payload has one empty field.
    ///
    /// # Errors
    ///
    /// [`SplitError::TooManyFields`] when there are more fields than `fields_max` or than the capacity, or when the
    /// payload has `u32::MAX` bytes or more.
    #[inline]
    pub fn split<'a>(
        &'a mut self,
        splitter: Splitter,
        payload: &'a [u8],
        fields_max: usize,
    ) -> Result<Split<'a>, SplitError> {
        let Some(end) = u32::try_from(payload.len()).ok().filter(|&end| end != u32::MAX) else {
            return Err(SplitError::TooManyFields);
        };
        let carets = splitter.index(payload, b'^', &mut self.bounds[1..]);
        if carets >= fields_max.min(self.capacity) {
            return Err(SplitError::TooManyFields);
        }
        self.bounds[1 + carets] = end;
        Ok(Split { payload, bounds: &self.bounds[..carets + 2] })
    }
}

/// A payload and where its fields lie. At least one field.
#[derive(Clone, Copy)]
pub struct Split<'a> {
    payload: &'a [u8],
    /// One entry more than fields.
    bounds: &'a [u32],
}

impl<'a> Split<'a> {
    /// Fields in the payload, empty ones included; at least 1.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The bytes of field `i`.
    ///
    /// # Panics
    ///
    /// When `i` isn't below [`Self::len`].
    #[inline(always)]
    pub fn get(&self, i: usize) -> &'a [u8] {
        self.text(i).as_bytes()
    }

    /// Field `i` as the number parsers take it.
    ///
    /// # Panics
    ///
    /// When `i` isn't below [`Self::len`].
    #[inline(always)]
    pub fn text(&self, i: usize) -> Text<'a> {
        let [before, end] = self.bounds[i..][..2] else { unreachable!("a slice of two has two entries") };
        Text::new(self.payload, before.wrapping_add(1), end).expect("bounds rise and end at the payload's end")
    }

    /// The view of `width` fields from `start` on. Fields past the payload's end are absent, not an error.
    #[inline]
    pub fn record(&self, start: usize, width: usize) -> Record<'a> {
        let start = start.min(self.len());
        Record { split: *self, start, width: width.min(self.len() - start) }
    }

    /// The whole payload.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

impl fmt::Debug for Split<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len()).map(|i| self.get(i).escape_ascii().to_string())).finish()
    }
}

/// One record of a payload that may hold several: `width` fields from `start` on.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    split: Split<'a>,
    start: usize,
    width: usize,
}

impl<'a> Record<'a> {
    /// Field `i` of this record. `None` when the record is narrower: a tail that wasn't sent is absent, and never read from the
    /// record behind it.
    #[inline(always)]
    pub fn field(&self, i: usize) -> Option<&'a [u8]> {
        (i < self.width).then(|| self.split.get(self.start + i))
    }

    /// Field `i` as the number parsers take it. A field that wasn't sent is empty text, which the parsers call absent.
    #[inline(always)]
    pub fn text(&self, i: usize) -> Text<'a> {
        if i < self.width { self.split.text(self.start + i) } else { Text::from(&[][..]) }
    }

    /// Reads up to 64 fields from `first` on as plain numbers; see [`Digits::convert`]. Bit `i` of the result and place
    /// `i` of `out` are field `first + i`. Fields that weren't sent are not plain.
    ///
    /// For messages of many short numbers: there is one call for all of them instead of several branches for each.
    #[inline(always)]
    pub fn plain_numbers(&self, digits: Digits, first: usize, count: usize, out: &mut [u64]) -> u64 {
        let Some(rest) = self.width.checked_sub(first) else { return 0 };
        let bounds = &self.split.bounds[self.start + first..][..=rest.min(count)];
        digits.convert(self.split.payload, bounds, out)
    }

    /// Fields present in this record.
    #[inline]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The record's bytes with the carets between its fields, without one at the end; empty when the record has no field.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        if self.width == 0 {
            return &[];
        }
        let first = self.split.bounds[self.start].wrapping_add(1) as usize;
        &self.split.payload[first..self.split.bounds[self.start + self.width] as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd::Isa;

    /// The twin: split in strings, and judge each part.
    fn slow_head(frame: &[u8]) -> Result<(bool, Vec<u8>, u32, Vec<u8>), SplitError> {
        let parts: Vec<&[u8]> = frame.splitn(4, |&byte| byte == b'|').collect();
        let encrypted = match parts[0] {
            b"0" if parts.len() > 1 => false,
            b"1" if parts.len() > 1 => true,
            _ => return Err(SplitError::Encrypted),
        };
        let graphic = |id: &&[u8]| (1..=12).contains(&id.len()) && id.iter().all(|byte| (0x21..0x7f).contains(byte));
        let tr_id = parts.get(1).filter(|id| graphic(id) && parts.len() > 2).ok_or(SplitError::TrId)?;
        let is_count = |count: &&&[u8]| (1..=3).contains(&count.len()) && count.iter().all(u8::is_ascii_digit);
        let count = parts.get(2).filter(is_count).ok_or(SplitError::Count)?;
        let payload = parts.get(3).ok_or(SplitError::Count)?;
        match str::from_utf8(count).unwrap().parse().unwrap() {
            0 => Err(SplitError::Count),
            count => Ok((encrypted, tr_id.to_vec(), count, payload.to_vec())),
        }
    }

    fn check_head(frame: &[u8]) {
        let got = FrameHead::parse(frame).map(|h| (h.encrypted, h.tr_id.to_vec(), h.count, h.payload.to_vec()));
        assert_eq!(got, slow_head(frame), "{}", frame.escape_ascii());
    }

    fn splitters() -> impl Iterator<Item = Splitter> {
        Isa::ALL.into_iter().filter_map(Splitter::with_isa)
    }

    fn check_split(payload: &[u8], fields: &mut Fields) {
        let expected: Vec<&[u8]> = payload.split(|&byte| byte == b'^').collect();
        for splitter in splitters() {
            let split = fields.split(splitter, payload, usize::MAX).unwrap();
            let got: Vec<&[u8]> = (0..split.len()).map(|i| split.get(i)).collect();
            assert_eq!(got, expected);
            assert_eq!(split.payload(), payload);
        }
    }

    #[test]
    fn a_head_is_split_at_the_first_three_bars_only() {
        let head = FrameHead::parse(b"1|H0STCNI0|004|a|b^c|").unwrap();
        let expected = FrameHead { encrypted: true, tr_id: b"H0STCNI0", count: 4, payload: b"a|b^c|" };
        assert_eq!(head, expected);
        assert_eq!(FrameHead::parse(b"0|X|7|").unwrap().payload, b"");
        assert_eq!(FrameHead::parse(b"0|ABCDEFGHIJKL|99|").unwrap().count, 99);
    }

    #[test]
    fn each_wrong_part_of_a_head_has_its_reason() {
        use SplitError::{Count, Encrypted, TrId};
        for (frame, reason) in [
            (&b""[..], Encrypted),
            (b"0", Encrypted),
            (b"2|H0STCNT0|001|x", Encrypted),
            (b"00|H0STCNT0|001|x", Encrypted),
            (b"{\"header\":{}}", Encrypted),
            (b"0|", TrId),
            (b"0||001|x", TrId),
            (b"0|H0STCNT0", TrId),
            (b"0|H0 STCNT|001|x", TrId),
            (b"0|H0STCNT0\x80|001|x", TrId),
            (b"0|ABCDEFGHIJKLM|001|x", TrId),
            (b"0|H0STCNT0|", Count),
            (b"0|H0STCNT0|001", Count),
            (b"0|H0STCNT0||x", Count),
            (b"0|H0STCNT0|000|x", Count),
            (b"0|H0STCNT0|0001|x", Count),
            (b"0|H0STCNT0|+1|x", Count),
            (b"0|H0STCNT0|1a1|x", Count),
        ] {
            assert_eq!(FrameHead::parse(frame), Err(reason), "{}", frame.escape_ascii());
            check_head(frame);
        }
    }

    #[test]
    fn every_cut_and_every_flipped_byte_of_a_head_equals_the_twin() {
        let frame = b"0|H0STCNT0|001|005930^093354|^";
        for length in 0..=frame.len() {
            check_head(&frame[..length]);
        }
        for place in 0..frame.len() {
            for byte in 0..=255 {
                let mut frame = frame.to_vec();
                frame[place] = byte;
                check_head(&frame);
            }
        }
    }

    #[test]
    fn the_payload_of_a_head_is_not_shown_by_debug() {
        let shown = format!("{:?}", FrameHead::parse(b"1|H0STCNI0|001|secret").unwrap());
        assert!(shown.contains("H0STCNI0") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn carets_make_one_field_more_than_there_are_of_them() {
        let mut fields = Fields::with_capacity(1000);
        for payload in ["", "^", "a", "a^", "^a", "a^^b", "^^^^", &"12345^".repeat(99)] {
            check_split(payload.as_bytes(), &mut fields);
            let split = fields.split(Splitter::new(), payload.as_bytes(), 1000).unwrap();
            assert_eq!(split.len(), payload.matches('^').count() + 1);
        }
    }

    #[test]
    fn a_payload_of_too_many_fields_is_refused_at_the_exact_bound() {
        for splitter in splitters() {
            let mut fields = Fields::with_capacity(5);
            assert_eq!(fields.capacity(), 5);
            assert_eq!(fields.split(splitter, b"1^2^3^4^5", 9).unwrap().len(), 5);
            assert_eq!(fields.split(splitter, b"1^2^3^4^5^", 9).unwrap_err(), SplitError::TooManyFields);
            assert_eq!(fields.split(splitter, &b"^".repeat(10_000), 9).unwrap_err(), SplitError::TooManyFields);
            assert_eq!(fields.split(splitter, b"1^2^3", 3).unwrap().len(), 3);
            assert_eq!(fields.split(splitter, b"1^2^3", 2).unwrap_err(), SplitError::TooManyFields);
            assert_eq!(fields.split(splitter, b"", 0).unwrap_err(), SplitError::TooManyFields);
            // A refusal leaves the index usable.
            assert_eq!(fields.split(splitter, b"a^b", 9).unwrap().get(1), b"b");
        }
    }

    #[test]
    fn the_fullest_frame_fits_the_largest_index() {
        let payload = [b"1234^".repeat(Fields::CAPACITY_MAX - 1), b"9".to_vec()].concat();
        let mut fields = Fields::with_capacity(Fields::CAPACITY_MAX);
        let split = fields.split(Splitter::new(), &payload, Fields::CAPACITY_MAX).unwrap();
        assert_eq!(split.len(), Fields::CAPACITY_MAX);
        assert_eq!(split.get(Fields::CAPACITY_MAX - 1), b"9");
    }

    #[test]
    fn a_record_ends_at_its_width_and_at_the_end_of_the_payload() {
        let mut fields = Fields::with_capacity(16);
        let split = fields.split(Splitter::new(), b"a^b^c^d^e", 16).unwrap();
        let (first, second, beyond) = (split.record(0, 3), split.record(3, 3), split.record(9, 3));
        assert_eq!((first.width(), second.width(), beyond.width()), (3, 2, 0));
        assert_eq!(first.field(2), Some(&b"c"[..]));
        assert_eq!(first.field(3), None); // belongs to the second
        assert_eq!(second.field(1), Some(&b"e"[..]));
        assert_eq!(second.field(2), None); // wasn't sent
        assert!(second.text(2).is_empty());
        assert_eq!(second.text(1).as_bytes(), b"e");
        assert_eq!(beyond.field(0), None);
        assert_eq!((first.as_bytes(), second.as_bytes(), beyond.as_bytes()), (&b"a^b^c"[..], &b"d^e"[..], &b""[..]));
        assert_eq!(split.record(1, usize::MAX).width(), 4);
    }

    #[test]
    fn plain_numbers_of_a_record_are_told_from_the_others() {
        let mut fields = Fields::with_capacity(16);
        let split = fields.split(Splitter::new(), b"005930^093354^71900^^-1^99999999^1.5^7", 16).unwrap();
        let read = |start, width, first, count| {
            let mut out = [0; 8];
            let plain = split.record(start, width).plain_numbers(Digits::new(), first, count, &mut out);
            (plain, std::array::from_fn(|i| if plain >> i & 1 == 1 { out[i] } else { 0 }))
        };
        assert_eq!(read(0, 8, 1, 8), (0b101_0011, [93_354, 71_900, 0, 0, 99_999_999, 0, 7, 0].map(|v: u64| v)));
        assert_eq!(read(0, 8, 1, 2), (0b11, [93_354, 71_900, 0, 0, 0, 0, 0, 0]));
        assert_eq!(read(1, 2, 1, 8), (0b1, [71_900, 0, 0, 0, 0, 0, 0, 0]), "not of the record behind it");
        assert_eq!(read(0, 8, 8, 8).0, 0, "not sent");
        assert_eq!(read(0, 8, 9, 8).0, 0, "not sent");
    }

    proptest! {
        #[test]
        fn random_payloads_split_as_by_the_standard_library(
            noise in prop::collection::vec(any::<u8>(), 0..=300),
            dense in prop::collection::vec(prop_oneof![Just(b'^'), Just(b'|'), Just(b'5')], 0..=300),
            align in 0usize..64,
        ) {
            let mut fields = Fields::with_capacity(400);
            for bytes in [noise, dense] {
                check_split(&bytes, &mut fields);
                check_split(&bytes[align.min(bytes.len())..], &mut fields);
            }
        }

        #[test]
        fn random_heads_equal_the_twin(
            frame in "[012]{0,2}\\|?[A-Z0-9 ]{0,14}\\|?[0-9a]{0,4}\\|?[0-9^|]{0,9}",
            noise in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            check_head(frame.as_bytes());
            check_head(&noise);
        }
    }
}
