//! Times of day and dates as the feeds write them: `HHMMSS` and `YYYYMMDD`, fixed width, digits only.
//!
//! Both are fetched as one word like a number (see `number.rs`); after one step of joining, each pair of digits stands in a
//! byte of its own, so hours, minutes and the rest are shifts and need no division.

use super::number::{NumberError, Text, all_digits, join_pairs};

/// Parses a time of day `HHMMSS`; the result is seconds since midnight, in `0 .. 86_400`, in the clock the feed writes
/// (KST). `Ok(None)` when the text is empty or blank.
///
/// # Errors
///
/// [`NumberError::Junk`] when the text isn't six digits, or is no time of day: `240000` and a leap second `235960` are
/// not.
///
/// # Examples
///
/// ```
/// use hoga::wire::{NumberError, Text, parse_hhmmss};
///
/// assert_eq!(parse_hhmmss(Text::from(&b"153000"[..])), Ok(Some(15 * 3600 + 30 * 60)));
/// assert_eq!(parse_hhmmss(Text::from(&b"93000"[..])), Err(NumberError::Junk));
/// ```
#[inline]
pub fn parse_hhmmss(text: Text<'_>) -> Result<Option<u32>, NumberError> {
    if text.len() == 6 {
        let digits = text.digits8();
        let [_, _, hour, _, minute, _, second, _] = join_pairs(digits).to_le_bytes().map(u32::from);
        if all_digits(digits) && hour < 24 && minute < 60 && second < 60 {
            return Ok(Some(hour * 3600 + minute * 60 + second));
        }
    }
    absent_or_junk(text)
}

/// Parses a civil date `YYYYMMDD`; the result is the same number, so `20230612` for 12 June 2023. `Ok(None)` when the text is
/// empty or blank.
///
/// # Errors
///
/// [`NumberError::Junk`] when the text isn't eight digits, or is no date of the Gregorian calendar in the years 1 to
/// 9999: `00000000` and `20230229` are not.
///
/// # Examples
///
/// ```
/// use hoga::wire::{NumberError, Text, parse_yyyymmdd};
///
/// assert_eq!(parse_yyyymmdd(Text::from(&b"20240229"[..])), Ok(Some(20_240_229)));
/// assert_eq!(parse_yyyymmdd(Text::from(&b"20230229"[..])), Err(NumberError::Junk));
/// ```
#[inline]
pub fn parse_yyyymmdd(text: Text<'_>) -> Result<Option<u32>, NumberError> {
    if text.len() == 8 {
        let digits = text.digits8();
        let [century, _, year, _, month, _, day, _] = join_pairs(digits).to_le_bytes().map(u32::from);
        let year = century * 100 + year;
        // Evaluated only for digits, so the month is below a hundred.
        if all_digits(digits) && year > 0 && day > 0 && day <= days_in_month(year, month) {
            return Ok(Some(year * 10_000 + month * 100 + day));
        }
    }
    absent_or_junk(text)
}

/// Days in a month of the Gregorian calendar; 0 for a month outside `1..=12`.
#[inline]
fn days_in_month(year: u32, month: u32) -> u32 {
    const DAYS: [u8; 13] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    u32::from(DAYS.get(month as usize).copied().unwrap_or(0)) + u32::from(month == 2 && leap)
}

#[cold]
#[inline(never)]
fn absent_or_junk(text: Text<'_>) -> Result<Option<u32>, NumberError> {
    if text.as_bytes().iter().all(|&byte| byte == b' ') { Ok(None) } else { Err(NumberError::Junk) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use proptest::prelude::*;

    use super::super::twin;
    use super::*;

    fn all_ascii_digits(bytes: &[u8], length: usize) -> Option<u32> {
        (bytes.len() == length && bytes.iter().all(u8::is_ascii_digit))
            .then(|| str::from_utf8(bytes).unwrap().parse().unwrap())
    }

    fn slow(bytes: &[u8], value: Option<u32>) -> Result<Option<u32>, NumberError> {
        match value {
            None if bytes.iter().all(|&byte| byte == b' ') => Ok(None),
            None => Err(NumberError::Junk),
            value => Ok(value),
        }
    }

    fn slow_time(bytes: &[u8]) -> Result<Option<u32>, NumberError> {
        let value = all_ascii_digits(bytes, 6).and_then(|number| {
            let (hour, minute, second) = (number / 10_000, number / 100 % 100, number % 100);
            (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
        });
        slow(bytes, value)
    }

    fn slow_date(bytes: &[u8]) -> Result<Option<u32>, NumberError> {
        let value = all_ascii_digits(bytes, 8).filter(|number| {
            let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
            year > 0 && Date::new(year as i16, month as i8, day as i8).is_ok()
        });
        slow(bytes, value)
    }

    fn check(text: &[u8]) {
        twin::everywhere(text, |text| {
            assert_eq!(parse_hhmmss(text), slow_time(text.as_bytes()), "{}", text.as_bytes().escape_ascii());
            assert_eq!(parse_yyyymmdd(text), slow_date(text.as_bytes()), "{}", text.as_bytes().escape_ascii());
        });
    }

    #[test]
    fn every_six_digits_are_a_time_or_junk() {
        for number in 0..1_000_000 {
            let text = format!("{number:06}");
            assert_eq!(parse_hhmmss(Text::from(text.as_bytes())), slow_time(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn every_month_and_day_of_telling_years_is_judged_as_by_the_calendar() {
        for year in [0, 1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 2400, 9999] {
            for month_day in 0..10_000 {
                let text = format!("{year:04}{month_day:04}");
                assert_eq!(parse_yyyymmdd(Text::from(text.as_bytes())), slow_date(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn blank_is_absent_and_another_width_is_junk() {
        for text in ["", " ", "      ", "        "] {
            check(text.as_bytes());
            assert_eq!(parse_hhmmss(Text::from(text.as_bytes())), Ok(None));
        }
        for text in
            ["0", "93000", "0930000", "+93000", "09:30", " 93000", "093000 ", "20230612", "2023-06-12", "230612"]
        {
            check(text.as_bytes());
        }
    }

    #[test]
    fn every_byte_at_every_place_equals_the_twin() {
        for base in ["121212", "20121212"] {
            for place in 0..base.len() {
                for byte in 0..=255 {
                    let mut text = base.as_bytes().to_vec();
                    text[place] = byte;
                    check(&text);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn random_texts_equal_the_twin(
            text in prop_oneof![twin::texts(), "[0-9]{6}".prop_map(String::into_bytes), "[12][0-9]{3}[01][0-9][0-3][0-9]".prop_map(String::into_bytes)],
        ) {
            check(&text);
        }
    }
}
