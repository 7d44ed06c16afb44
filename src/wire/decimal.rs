//! Decimals out of text as scaled integers, without floating point.
//!
//! The grammar and the order of errors are those of the integers in `number.rs`. A value is `text * 10^decimals`; places the
//! text hasn't are zeros, places past `decimals` must be zeros.
//!
//! A plain run of digits is the integer parser and one checked multiplication. A text of up to sixteen bytes with a dot
//! is fetched as a right-aligned word like an integer; the dot is found by the usual "which byte is zero" trick, the
//! digits in front of it are moved up by one place to close the hole, and what remains is a plain run of digits with
//! a known number of places. All else goes by the cold way.

use super::number::{NumberError, Text, all_digits, apply_sign, join8, parts, plain, split_sign};

/// Decimal places of a price: 1 unit is 1e-9.
pub const PX_DECIMALS: u32 = 9;

/// Parses a price; the result counts units of 1e-9. `Ok(None)` when the text is empty or blank.
///
/// As [`parse_scaled`] with [`PX_DECIMALS`].
///
/// # Errors
///
/// As [`parse_scaled`]. The largest price is 9,223,372,036.854775806.
///
/// # Examples
///
/// ```
/// use hoga::wire::{NumberError, Text, parse_px};
///
/// let parse = |text: &'static str| parse_px(Text::from(text.as_bytes()));
/// assert_eq!(parse("71900"), Ok(Some(71_900_000_000_000)));
/// assert_eq!(parse("-0.14"), Ok(Some(-140_000_000)));
/// assert_eq!(parse(".5"), Ok(Some(500_000_000)));
/// assert_eq!(parse("0.1234567890"), Ok(Some(123_456_789)));
/// assert_eq!(parse("0.1234567891"), Err(NumberError::Inexact));
/// assert_eq!(parse("9223372036.854775807"), Err(NumberError::Overflow)); // would be the sentinel
/// assert_eq!(parse("1e5"), Err(NumberError::Junk));
/// ```
#[inline]
pub fn parse_px(text: Text<'_>) -> Result<Option<i64>, NumberError> {
    parse_scaled(text, PX_DECIMALS)
}

/// Parses a decimal; the result counts units of `10^-decimals`. `Ok(None)` when the text is empty or blank.
///
/// The result lies strictly between `-i64::MAX` and `i64::MAX`, so it is never the sentinel of an unknown price. `-0` is
/// 0.
///
/// # Errors
///
/// [`Junk`](NumberError::Junk) for what is no number, [`Overflow`](NumberError::Overflow) outside that range,
/// [`Inexact`](NumberError::Inexact) for a digit other than zero past `decimals` places.
///
/// # Examples
///
/// ```
/// use hoga::wire::{Text, parse_scaled};
///
/// assert_eq!(parse_scaled(Text::from(&b"219853241700"[..]), 4), Ok(Some(2_198_532_417_000_000)));
/// ```
#[inline]
pub fn parse_scaled(text: Text<'_>, decimals: u32) -> Result<Option<i64>, NumberError> {
    let (negative, magnitude) = split_sign(text);
    let fast = match plain(magnitude) {
        Some(value) => scale(value, decimals),
        None => dotted(magnitude).and_then(|(value, places)| scale(value, decimals.checked_sub(places)?)),
    };
    match fast {
        Some(value) => Ok(Some(apply_sign(value, negative))),
        None => parse_scaled_slow(text.as_bytes(), decimals),
    }
}

/// `value * 10^power` where that is in range.
#[inline]
fn scale(value: u64, power: u32) -> Option<i64> {
    let scaled = value.checked_mul(*POWERS.get(power as usize)?)?;
    (scaled < i64::MAX.cast_unsigned()).then_some(scaled.cast_signed())
}

static POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// The value of a text of up to sixteen bytes that is digits and one dot, with the dot left out, and the number of
/// digits behind the dot.
#[inline]
fn dotted(text: Text<'_>) -> Option<(u64, u32)> {
    // What '.' becomes when '0' becomes 0.
    const DOT: u8 = b'.' ^ b'0';
    match text.len() {
        2..=8 => {
            const DOTS: u64 = u64::from_le_bytes([DOT; 8]);
            const LOW: u64 = u64::from_le_bytes([1; 8]);
            let digits = text.digits8();
            let equal = digits ^ DOTS;
            // The lowest set bit marks the first dot; bits above it may be wrong, but a second dot fails as no digit.
            let at = (equal.wrapping_sub(LOW) & !equal & (LOW << 7)).trailing_zeros() & !7;
            if at == 64 {
                return None;
            }
            let front = !(u64::MAX << at);
            let closed = ((digits & front) << 8) | (digits & (!front << 7 << 1));
            all_digits(closed).then(|| (join8(closed), 7 - at / 8))
        }
        9..=16 => {
            const DOTS: u128 = u128::from_le_bytes([DOT; 16]);
            const LOW: u128 = u128::from_le_bytes([1; 16]);
            let (front, back) = text.digits16();
            let digits = u128::from(front) | u128::from(back) << 64;
            let equal = digits ^ DOTS;
            let at = (equal.wrapping_sub(LOW) & !equal & (LOW << 7)).trailing_zeros() & !7;
            if at == 128 {
                return None;
            }
            let front = !(u128::MAX << at);
            let closed = ((digits & front) << 8) | (digits & (!front << 7 << 1));
            let (front, back) = (closed as u64, (closed >> 64) as u64);
            (all_digits(front) & all_digits(back)).then(|| (join8(front) * 100_000_000 + join8(back), 15 - at / 8))
        }
        _ => None,
    }
}

#[cold]
#[inline(never)]
fn parse_scaled_slow(bytes: &[u8], decimals: u32) -> Result<Option<i64>, NumberError> {
    let Some(parts) = parts(bytes)? else { return Ok(None) };
    let (value, exact) = parts.scaled(decimals).ok_or(NumberError::Overflow)?;
    if value >= i64::MAX.cast_unsigned() {
        return Err(NumberError::Overflow);
    }
    if exact { Ok(Some(apply_sign(value.cast_signed(), parts.negative))) } else { Err(NumberError::Inexact) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;
    use rust_decimal::prelude::ToPrimitive;

    use super::super::twin;
    use super::*;

    fn check_at(text: Text<'_>, decimals: u32) {
        let bytes = text.as_bytes();
        let limit = i128::from(i64::MAX) - 1;
        let expected = twin::in_range(twin::number(bytes, decimals as usize), -limit..=limit);
        let got = parse_scaled(text, decimals);
        assert_eq!(got.map(|v| v.map(i128::from)), expected, "{} at {decimals}", bytes.escape_ascii());
        if decimals == PX_DECIMALS {
            assert_eq!(parse_px(text), got);
        }
    }

    fn check(text: &[u8]) {
        for decimals in [0, 2, 4, PX_DECIMALS] {
            twin::everywhere(text, |text| check_at(text, decimals));
        }
    }

    fn px(text: &str) -> Result<Option<i64>, NumberError> {
        parse_px(Text::from(text.as_bytes()))
    }

    #[test]
    fn prices_as_the_feeds_write_them_parse() {
        assert_eq!(px("71900"), Ok(Some(71_900 * 1_000_000_000)));
        assert_eq!(px("72023.83"), Ok(Some(72_023_830_000_000)));
        assert_eq!(px("-100.00"), Ok(Some(-100_000_000_000)));
        assert_eq!(px("+0.11"), Ok(Some(110_000_000)));
        assert_eq!(px("-0.14"), Ok(Some(-140_000_000)));
        assert_eq!(px(".5"), Ok(Some(500_000_000)));
        assert_eq!(px("5."), Ok(Some(5_000_000_000)));
        assert_eq!(px("-.5"), Ok(Some(-500_000_000)));
        assert_eq!(px(" 12.5 "), Ok(Some(12_500_000_000)));
        assert_eq!(px("0"), Ok(Some(0)));
        assert_eq!(px("-0.00"), Ok(Some(0)));
        assert_eq!(px(""), Ok(None));
        assert_eq!(px("   "), Ok(None));
    }

    #[test]
    fn surplus_places_must_be_zeros() {
        assert_eq!(px("0.000000001"), Ok(Some(1)));
        assert_eq!(px("0.0000000010000000000000000000000000000"), Ok(Some(1)));
        assert_eq!(px("0.0000000001"), Err(NumberError::Inexact));
        assert_eq!(px("0.00000000000000000000000000000001"), Err(NumberError::Inexact));
        assert_eq!(parse_scaled(Text::from(&b"1.5"[..]), 0), Err(NumberError::Inexact));
    }

    #[test]
    fn the_sentinel_is_out_of_range() {
        assert_eq!(px("9223372036.854775806"), Ok(Some(i64::MAX - 1)));
        assert_eq!(px("9223372036.854775807"), Err(NumberError::Overflow));
        assert_eq!(px("-9223372036.854775806"), Ok(Some(1 - i64::MAX)));
        assert_eq!(px("-9223372036.854775807"), Err(NumberError::Overflow));
        assert_eq!(px("-9223372036.854775808"), Err(NumberError::Overflow));
        assert_eq!(px("9223372036.8547758069"), Err(NumberError::Inexact));
        assert_eq!(px("9223372036.8547758079"), Err(NumberError::Overflow));
        assert_eq!(px("9223372037"), Err(NumberError::Overflow));
        assert_eq!(px("18446744073.709551616"), Err(NumberError::Overflow)); // 2^64 wraps to 0
        assert_eq!(px("18446744073709551616"), Err(NumberError::Overflow));
    }

    #[test]
    fn what_is_no_decimal_is_junk() {
        for text in [
            "-",
            "+",
            ".",
            "-.",
            "+.",
            "..",
            "1..2",
            "1.2.3",
            ".1.",
            "--1",
            "1.-2",
            "1.+2",
            "1e5",
            "1.5e3",
            "0x1.8",
            "inf",
            "-inf",
            "NaN",
            "1 .5",
            "1. 5",
            "- 1",
            "1,5",
            "1.5a",
            "a1.5",
            "123456789.1.3",
        ] {
            assert_eq!(px(text), Err(NumberError::Junk), "{text:?}");
        }
    }

    #[test]
    fn a_dot_at_every_place_equals_the_twin() {
        for length in 1..=24 {
            for dot in 0..length {
                for digit in [b'0', b'1', b'9'] {
                    let mut text = vec![digit; length];
                    text[dot] = b'.';
                    check(&text);
                    let mut two = text.clone();
                    two[length - 1] = b'.';
                    check(&two);
                }
            }
        }
    }

    #[test]
    fn every_byte_at_every_place_equals_the_twin() {
        for length in 1..=18 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'0'; length];
                    text[length / 2] = b'.';
                    text[place] = byte;
                    check_at(Text::from(&text[..]), PX_DECIMALS);
                    let payload = [b"99999999999999999", &text[..], b"99999999"].concat();
                    check_at(Text::new(&payload, 17, 17 + length as u32).unwrap(), PX_DECIMALS);
                }
            }
        }
    }

    #[test]
    fn every_short_text_equals_the_twin() {
        for text in twin::short_texts() {
            let payload = [b"99999999", &text[..], b"9"].concat();
            for decimals in [0, 1, PX_DECIMALS] {
                check_at(Text::from(&text[..]), decimals);
                check_at(Text::new(&payload, 8, 8 + text.len() as u32).unwrap(), decimals);
            }
        }
    }

    proptest! {
        #[test]
        fn random_texts_equal_the_twin(text in twin::texts(), decimals in 0u32..25) {
            check(&text);
            check_at(Text::from(&text[..]), decimals);
        }

        #[test]
        fn a_printed_decimal_comes_back(units in any::<i64>(), places in 0u32..=9) {
            let decimal = Decimal::from_i128_with_scale(i128::from(units) , places);
            let text = decimal.to_string();
            let scaled = (decimal * Decimal::from(1_000_000_000)).to_i128().filter(|v| v.abs() < i128::from(i64::MAX));
            match scaled {
                Some(value) => prop_assert_eq!(px(&text).map(|v| v.map(i128::from)), Ok(Some(value))),
                None => prop_assert_eq!(px(&text), Err(NumberError::Overflow)),
            }
        }
    }
}
