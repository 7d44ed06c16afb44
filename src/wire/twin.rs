//! The slow twins of the number parsers: strings, `u128` and no tricks; and the ways tests put a text in front of a parser.

use proptest::prelude::*;

use super::{NumberError, Text};

/// A number as the grammar sees it, at a scale.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    pub negative: bool,
    /// `None` when it has more than thirty digits.
    pub value: Option<u128>,
    pub exact: bool,
}

/// The grammar of `number.rs`, in strings.
pub fn number(bytes: &[u8], decimals: usize) -> Result<Option<Number>, NumberError> {
    let text = str::from_utf8(bytes).map_err(|_| NumberError::Junk)?.trim_matches(' ');
    if text.is_empty() {
        return Ok(None);
    }
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let pieces: Vec<&str> = body.split('.').collect();
    if pieces.len() > 2 || pieces.concat().is_empty() || !pieces.concat().chars().all(|c| c.is_ascii_digit()) {
        return Err(NumberError::Junk);
    }
    let fraction = format!("{:0<decimals$}", pieces.get(1).unwrap_or(&""));
    let digits = format!("0{}{}", pieces[0], &fraction[..decimals]);
    let digits = digits.trim_start_matches('0');
    let value = if digits.len() > 30 { None } else { Some(format!("0{digits}").parse().unwrap()) };
    let exact = fraction[decimals..].chars().all(|c| c == '0');
    Ok(Some(Number { negative: text.starts_with('-'), value, exact }))
}

/// A number that must lie in a range.
pub fn in_range(
    number: Result<Option<Number>, NumberError>,
    range: std::ops::RangeInclusive<i128>,
) -> Result<Option<i128>, NumberError> {
    let Some(number) = number? else { return Ok(None) };
    let magnitude = i128::try_from(number.value.ok_or(NumberError::Overflow)?).unwrap();
    let value = if number.negative { -magnitude } else { magnitude };
    if !range.contains(&value) {
        return Err(NumberError::Overflow);
    }
    if number.exact { Ok(Some(value)) } else { Err(NumberError::Inexact) }
}

/// Calls `check` with the text alone, and inside payloads at every alignment from 0 to 63, between neighbours that
/// would matter if they were read.
pub fn everywhere(text: &[u8], mut check: impl FnMut(Text<'_>)) {
    check(Text::from(text));
    for before in 0..64 {
        for neighbour in [b'9', b'.', b'^', 0xff] {
            let payload = [&vec![neighbour; before], text, &[neighbour; 9]].concat();
            let start = u32::try_from(before).unwrap();
            let end = start + u32::try_from(text.len()).unwrap();
            check(Text::new(&payload, start, end).unwrap());
        }
    }
}

/// Texts near the grammar: well-formed, made of its letters, and plain noise of up to 300 bytes.
pub fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => " {0,2}[+-]?[0-9]{0,22}(\\.[0-9]{0,14})? {0,2}".prop_map(String::into_bytes),
        4 => "[+-]?[0-9]{1,10}(\\.[0-9]{0,6})?".prop_map(String::into_bytes),
        2 => "[-+. 0-9]{0,20}".prop_map(String::into_bytes),
        1 => "[-+. 0-9eExX,_^|/:;]{0,17}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..=300),
    ]
}

/// All texts of up to five letters of the grammar and two that are beside it.
pub fn short_texts() -> impl Iterator<Item = Vec<u8>> {
    const LETTERS: &[u8] = b"059+-. /";
    (0..=5u32).flat_map(|length| {
        (0..LETTERS.len().pow(length)).map(move |mut code| {
            let letter = |_| {
                let letter = LETTERS[code % LETTERS.len()];
                code /= LETTERS.len();
                letter
            };
            (0..length).map(letter).collect()
        })
    })
}
