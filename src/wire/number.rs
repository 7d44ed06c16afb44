//! Integers out of text, eight digits at a time.
//!
//! # The grammar
//!
//! ```text
//! number = blank* [ "+" | "-" ] digit* [ "." digit* ] blank*      with at least one digit
//! ```
//!
//! A blank is the space; nothing else is skipped. So `00093000`, `+0.11`, ` 123`, `.5` and `5.` are numbers, and `-`,
//! `.`, `--1`, `1-`, `1 2`, `1.2.3`, `1e5`, `0x10`, `1,000`, `inf` and anything with another byte are
//! [`NumberError::Junk`]. Empty and all-blank text is *absent*: `Ok(None)`.
//!
//! When several things are wrong the first of these is reported: [`Junk`](NumberError::Junk),
//! [`Overflow`](NumberError::Overflow), [`Inexact`](NumberError::Inexact).
//!
//! # The algorithm, told once
//!
//! Digits are wanted right-aligned: then a short number is a long one with leading zeros. A field of up to eight bytes is
//! fetched by one load of the eight bytes that *end* where the field ends; the bytes below the field, which belong to
//! its neighbour, are masked to zero digits. Reading in front of the field is always possible except in the first eight
//! bytes of the payload, where the bytes are gathered one by one. Longer fields take a second load in front of it.
//!
//! `word ^ "00000000"` turns digits into 0..=9, and adding 0x76 to each byte sets its high bit if it was anything else,
//! so one test tells whether all eight are digits. Then neighbours are joined three times, ones to pairs, pairs to
//! fours, fours to eight, with the last two joined in one multiplication.
//!
//! NB: the steps are `inline(always)`, because a [`Text`] is three words and so passed by memory: as calls they cost more
//! than the digits.
//!
//! Whatever is not a plain run of up to sixteen digits (blanks, fractions, longer numbers, junk) leaves by a cold
//! function that walks the bytes by the grammar above.

pub(super) use crate::simd::scalar::{join_pairs, join8, not_digits};

/// Why a text is not a number of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
pub enum NumberError {
    /// Not a number at all, by the grammar of the kind.
    #[error("not a number")]
    Junk = 1,
    /// A number outside the range of the result; for an unsigned result also any number below zero.
    #[error("a number out of range")]
    Overflow = 2,
    /// A number with digits other than zero past the last place the result can hold.
    #[error("a number with more digits than can be kept")]
    Inexact = 3,
}

/// A field together with the payload it stands in.
///
/// Holding one proves that the field lies inside the payload. The neighbours of the field are kept so that it can be
/// fetched by whole words; their content never changes a result.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The payload up to the end of the field.
    head: &'a [u8],
    /// Bytes of the field; at most those of `head`.
    len: usize,
}

impl<'a> Text<'a> {
    /// The field `bytes[start..end]`, or `None` when that isn't inside `bytes` or `start` is after `end`.
    #[inline(always)]
    pub fn new(bytes: &'a [u8], start: u32, end: u32) -> Option<Text<'a>> {
        let len = end.checked_sub(start)? as usize;
        Some(Text { head: bytes.get(..end as usize)?, len })
    }

    /// The bytes of the field.
    #[inline(always)]
    pub fn as_bytes(self) -> &'a [u8] {
        &self.head[self.head.len() - self.len..]
    }

    /// Bytes in the field.
    #[inline(always)]
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether the field has no bytes.
    #[inline(always)]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The first byte, or a blank if there is none.
    #[inline(always)]
    pub(super) fn first(self) -> u8 {
        if self.is_empty() { b' ' } else { self.head[self.head.len() - self.len] }
    }

    /// The text without its first `count` bytes, of which there are as many.
    #[inline(always)]
    pub(super) fn skip(self, count: usize) -> Text<'a> {
        debug_assert!(count <= self.len);
        Text { len: self.len - count, ..self }
    }

    /// The last eight bytes of a text of 1 to 8, as digit values in a little-endian word: the last byte on top, places
    /// in front of the text zero. A byte that was no digit is above 9.
    #[inline(always)]
    pub(super) fn digits8(self) -> u64 {
        debug_assert!((1..=8).contains(&self.len));
        let chunk = match self.head.last_chunk::<8>() {
            Some(chunk) => *chunk,
            None => gather(self.as_bytes()),
        };
        (u64::from_le_bytes(chunk) ^ ZEROS) & (u64::MAX << (64 - 8 * self.len))
    }

    /// As [`Self::digits8`] for a text of 9 to 16 bytes: the eight in front, and the last eight.
    #[inline(always)]
    pub(super) fn digits16(self) -> (u64, u64) {
        debug_assert!((9..=16).contains(&self.len));
        let chunk = match self.head.last_chunk::<16>() {
            Some(chunk) => chunk,
            None => &gather(self.as_bytes()),
        };
        let [front, back] =
            [0, 8].map(|at| u64::from_le_bytes(*chunk[at..].first_chunk().expect("eight bytes from there")));
        ((front ^ ZEROS) & (u64::MAX << (128 - 8 * self.len)), back ^ ZEROS)
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    /// A text without neighbours.
    #[inline(always)]
    fn from(bytes: &'a [u8]) -> Self {
        Text { head: bytes, len: bytes.len() }
    }
}

/// Eight times the character '0'.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Parses an unsigned integer; `Ok(None)` when the text is empty or blank.
///
/// A sign is allowed, and so is a fraction of nothing but zeros. `-0` is 0. The whole of `u64` is returned as it is,
/// also the value that records use as the sentinel of an unknown quantity.
///
/// # Errors
///
/// [`NumberError`] by the grammar of this module: [`Overflow`](NumberError::Overflow) above `u64::MAX` and below 0,
/// [`Inexact`](NumberError::Inexact) for a fraction that isn't zero.
///
/// # Examples
///
/// ```
/// use hoga::wire::{NumberError, Text, parse_u64};
///
/// let parse = |text: &'static str| parse_u64(Text::from(text.as_bytes()));
/// assert_eq!(parse("00093000"), Ok(Some(93_000)));
/// assert_eq!(parse("93000.0000"), Ok(Some(93_000)));
/// assert_eq!(parse("  "), Ok(None));
/// assert_eq!(parse("-"), Err(NumberError::Junk));
/// assert_eq!(parse("-1"), Err(NumberError::Overflow));
/// assert_eq!(parse("0.5"), Err(NumberError::Inexact));
/// ```
#[inline(always)]
pub fn parse_u64(text: Text<'_>) -> Result<Option<u64>, NumberError> {
    match plain(text) {
        Some(value) => Ok(Some(value)),
        None => parse_u64_slow(text.as_bytes()),
    }
}

/// Parses a signed integer; `Ok(None)` when the text is empty or blank.
///
/// As [`parse_u64`], for the whole range of `i64`.
///
/// # Errors
///
/// [`NumberError`] by the grammar of this module.
///
/// # Examples
///
/// ```
/// use hoga::wire::{NumberError, Text, parse_i64};
///
/// let parse = |text: &'static str| parse_i64(Text::from(text.as_bytes()));
/// assert_eq!(parse("-100.00"), Ok(Some(-100)));
/// assert_eq!(parse("+7"), Ok(Some(7)));
/// assert_eq!(parse("--7"), Err(NumberError::Junk));
/// ```
#[inline(always)]
pub fn parse_i64(text: Text<'_>) -> Result<Option<i64>, NumberError> {
    let (negative, magnitude) = split_sign(text);
    match plain(magnitude) {
        // At most sixteen digits, so it fits.
        Some(value) => Ok(Some(apply_sign(value.cast_signed(), negative))),
        None => parse_i64_slow(text.as_bytes()),
    }
}

/// Whether the text begins with a minus, and the text behind its sign if it has one.
#[inline(always)]
pub(super) fn split_sign(text: Text<'_>) -> (bool, Text<'_>) {
    let first = text.first();
    let negative = first == b'-';
    (negative, text.skip(usize::from(negative | (first == b'+'))))
}

/// `value` or its negative, without a branch.
#[inline(always)]
pub(super) fn apply_sign(value: i64, negative: bool) -> i64 {
    let mask = -i64::from(negative);
    (value ^ mask) - mask
}

/// The value of a text that is nothing but 1 to 16 digits.
#[inline(always)]
pub(super) fn plain(text: Text<'_>) -> Option<u64> {
    match text.len() {
        1..=8 => {
            let digits = text.digits8();
            all_digits(digits).then(|| join8(digits))
        }
        9..=16 => {
            let (front, back) = text.digits16();
            (all_digits(front) & all_digits(back)).then(|| join8(front) * 100_000_000 + join8(back))
        }
        _ => None,
    }
}

/// Whether each byte is 0..=9. A byte from 0x0a on gets a high bit from the sum, a byte from 0x80 on has its own; the
/// sum carries into the next byte only from a byte that already fails.
#[inline(always)]
pub(super) const fn all_digits(digits: u64) -> bool {
    not_digits(digits) & 0x8080_8080_8080_8080 == 0
}

/// The bytes of a text of up to `N` as an array, the last byte at its end.
#[cold]
#[inline(never)]
fn gather<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut whole = [b'0'; N];
    for (to, from) in whole.iter_mut().rev().zip(bytes.iter().rev()) {
        *to = *from;
    }
    whole
}

/// A text taken apart by the grammar: sign, digits in front of the dot, digits behind it.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub negative: bool,
    pub whole: &'a [u8],
    pub fraction: &'a [u8],
}

impl Parts<'_> {
    /// The whole part and `decimals` places of the fraction as one integer, and whether nothing but zeros was left
    /// out; `None` when the integer is above `u64::MAX`.
    pub(super) fn scaled(self, decimals: u32) -> Option<(u64, bool)> {
        let places = decimals as usize;
        let kept = self.fraction.len().min(places);
        let (kept, surplus) = self.fraction.split_at(kept);
        let mut value = 0u64;
        for digit in self.whole.iter().chain(kept) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        for _ in kept.len()..places {
            if value == 0 {
                break;
            }
            value = value.checked_mul(10)?;
        }
        Some((value, surplus.iter().all(|&digit| digit == b'0')))
    }
}

/// Takes a text apart; `None` when it is empty or blank.
pub(super) fn parts(bytes: &[u8]) -> Result<Option<Parts<'_>>, NumberError> {
    let bytes = trim(bytes);
    let (negative, bytes) = match bytes {
        [] => return Ok(None),
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let (whole, fraction) = match bytes.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&bytes[..dot], &bytes[dot + 1..]),
        None => (bytes, &[][..]),
    };
    let digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if !digits || whole.len() + fraction.len() == 0 {
        return Err(NumberError::Junk);
    }
    Ok(Some(Parts { negative, whole, fraction }))
}

/// The text without blanks at its ends.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

#[cold]
#[inline(never)]
fn parse_u64_slow(bytes: &[u8]) -> Result<Option<u64>, NumberError> {
    let Some(parts) = parts(bytes)? else { return Ok(None) };
    let (value, exact) = parts.scaled(0).ok_or(NumberError::Overflow)?;
    if parts.negative && value != 0 {
        return Err(NumberError::Overflow);
    }
    if exact { Ok(Some(value)) } else { Err(NumberError::Inexact) }
}

#[cold]
#[inline(never)]
fn parse_i64_slow(bytes: &[u8]) -> Result<Option<i64>, NumberError> {
    let Some(parts) = parts(bytes)? else { return Ok(None) };
    let (value, exact) = parts.scaled(0).ok_or(NumberError::Overflow)?;
    let signed = if parts.negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
    match signed {
        None => Err(NumberError::Overflow),
        Some(_) if !exact => Err(NumberError::Inexact),
        signed => Ok(signed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::twin;
    use super::*;

    fn check_at(text: Text<'_>) {
        let unsigned = twin::in_range(twin::number(text.as_bytes(), 0), 0..=i128::from(u64::MAX));
        let signed = twin::in_range(twin::number(text.as_bytes(), 0), i128::from(i64::MIN)..=i128::from(i64::MAX));
        assert_eq!(parse_u64(text).map(|v| v.map(i128::from)), unsigned, "{}", text.as_bytes().escape_ascii());
        assert_eq!(parse_i64(text).map(|v| v.map(i128::from)), signed, "{}", text.as_bytes().escape_ascii());
    }

    fn check(text: &[u8]) {
        twin::everywhere(text, check_at);
    }

    fn u64_of(text: &str) -> Result<Option<u64>, NumberError> {
        parse_u64(Text::from(text.as_bytes()))
    }

    fn i64_of(text: &str) -> Result<Option<i64>, NumberError> {
        parse_i64(Text::from(text.as_bytes()))
    }

    #[test]
    fn the_surprises_of_the_feeds_parse() {
        assert_eq!(u64_of("00093000"), Ok(Some(93_000)));
        assert_eq!(u64_of("0"), Ok(Some(0)));
        assert_eq!(u64_of(" 123"), Ok(Some(123)));
        assert_eq!(u64_of("123 "), Ok(Some(123)));
        assert_eq!(u64_of("93000.0000"), Ok(Some(93_000)));
        assert_eq!(u64_of("+7"), Ok(Some(7)));
        assert_eq!(u64_of("-0"), Ok(Some(0)));
        assert_eq!(u64_of("00000000000000000000000000042"), Ok(Some(42)));
        assert_eq!(i64_of("-100.00"), Ok(Some(-100)));
        assert_eq!(i64_of("-61900"), Ok(Some(-61_900)));
        assert_eq!(i64_of(" -30 "), Ok(Some(-30)));
        assert_eq!(i64_of("+0.11"), Err(NumberError::Inexact));
    }

    #[test]
    fn empty_and_blank_text_is_absent() {
        for text in ["", " ", "        ", "                 "] {
            assert_eq!(u64_of(text), Ok(None));
            assert_eq!(i64_of(text), Ok(None));
        }
    }

    #[test]
    fn what_is_no_number_is_junk() {
        for text in [
            "-",
            "+",
            ".",
            "-.",
            "--1",
            "+-1",
            "1-",
            "1 2",
            "1.2.3",
            "..",
            "1e5",
            "0x10",
            "inf",
            "nan",
            "1,000",
            "1_0",
            "\t1",
            "\u{661}",
            "1\0",
            "12345678a",
            "- 1",
            ":",
            "/",
        ] {
            assert_eq!(u64_of(text), Err(NumberError::Junk), "{text:?}");
            assert_eq!(i64_of(text), Err(NumberError::Junk), "{text:?}");
        }
    }

    #[test]
    fn the_edges_of_the_ranges_hold() {
        assert_eq!(u64_of("18446744073709551615"), Ok(Some(u64::MAX)));
        assert_eq!(u64_of("18446744073709551616"), Err(NumberError::Overflow));
        assert_eq!(u64_of("99999999999999999999.5"), Err(NumberError::Overflow));
        assert_eq!(i64_of("9223372036854775807"), Ok(Some(i64::MAX)));
        assert_eq!(i64_of("-9223372036854775808"), Ok(Some(i64::MIN)));
        assert_eq!(i64_of("9223372036854775808"), Err(NumberError::Overflow));
        assert_eq!(i64_of("-9223372036854775809"), Err(NumberError::Overflow));
    }

    #[test]
    fn every_power_of_two_and_ten_and_its_neighbours_equal_the_twin() {
        let powers = (0..64).map(|bit| 1u64 << bit).chain((0..20).map(|power| 10u64.pow(power)));
        for edge in powers.chain([0, u64::MAX]) {
            for value in [edge.wrapping_sub(1), edge, edge.wrapping_add(1)] {
                assert_eq!(u64_of(&value.to_string()), Ok(Some(value)));
                check(value.to_string().as_bytes());
                check(format!("-{value}").as_bytes());
                check(format!("+{value}.0").as_bytes());
                check(format!("{value:0>16}").as_bytes());
            }
        }
    }

    #[test]
    fn every_byte_at_every_place_equals_the_twin() {
        for length in 1..=20 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'1'; length];
                    text[place] = byte;
                    check_at(Text::from(&text[..]));
                    let payload = [b"99999999999999999", &text[..], b"99999999"].concat();
                    check_at(Text::new(&payload, 17, 17 + length as u32).unwrap());
                }
            }
        }
    }

    #[test]
    fn every_short_text_equals_the_twin() {
        for text in twin::short_texts() {
            check_at(Text::from(&text[..]));
            let payload = [b"99999999", &text[..], b"9"].concat();
            check_at(Text::new(&payload, 8, 8 + text.len() as u32).unwrap());
        }
    }

    #[test]
    fn a_text_outside_its_payload_is_refused() {
        assert!(Text::new(b"abc", 0, 4).is_none());
        assert!(Text::new(b"abc", 2, 1).is_none());
        assert!(Text::new(b"abc", 3, 3).is_some_and(Text::is_empty));
        assert_eq!(Text::new(b"abc", 1, 3).map(Text::as_bytes), Some(&b"bc"[..]));
    }

    #[test]
    fn a_word_of_digits_is_told_from_any_other() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                let mut digits = [9; 8];
                digits[place] = byte;
                assert_eq!(all_digits(u64::from_le_bytes(digits)), byte <= 9, "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn random_texts_equal_the_twin(text in twin::texts()) {
            check(&text);
        }

        #[test]
        fn random_words_are_judged_byte_by_byte(word in any::<u64>()) {
            prop_assert_eq!(all_digits(word), word.to_le_bytes().iter().all(|&digit| digit <= 9));
        }
    }
}
