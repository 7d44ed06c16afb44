//! One record's fields as values of records: absent where not sent or empty, absent and noted where not readable.

use crate::simd::Digits;
use crate::tick::{Findings, PX_SCALE, UNDEF_CHANGE, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};
use crate::wire::{NumberError, Record, parse_hhmmss, parse_i64, parse_px, parse_scaled, parse_u64, parse_yyyymmdd};

/// No time of day.
pub(super) const NO_TIME: u32 = u32::MAX;

/// Values of the first fields of a record. Behind the 64 that can be told are places for a whole vector.
pub(super) type Values = [u64; 72];

/// A record on the wire being read; remembers whether a field could not be.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    record: Record<'a>,
    /// Values of the fields that `plain` has a bit for.
    values: &'a Values,
    /// Fields that are one to eight digits and nothing else, and were read at once.
    plain: u64,
    /// Bits of [`Findings`].
    pub findings: u32,
}

impl<'a> Row<'a> {
    #[inline]
    pub fn new(record: Record<'a>) -> Row<'a> {
        Row { record, values: &[0; 72], plain: 0, findings: 0 }
    }

    /// As [`Self::new`]; the fields of `ranges` (first, number) are read at once as far as they are plain numbers.
    #[inline(always)]
    pub fn converted(record: Record<'a>, digits: Digits, ranges: &[(usize, usize)], values: &'a mut Values) -> Row<'a> {
        let mut plain = 0;
        for &(first, count) in ranges {
            plain |= record.plain_numbers(digits, first, count, &mut values[first..]) << first;
        }
        Row { record, values, plain, findings: 0 }
    }

    /// The value of a field that is one to eight digits and was read with the others.
    #[inline(always)]
    fn plain(&self, field: usize) -> Option<u64> {
        (field < 64 && self.plain >> field & 1 == 1).then(|| self.values[field])
    }

    /// As [`Self::plain`] for `N` fields from `first` on.
    #[inline(always)]
    fn plains<const N: usize>(&self, first: usize) -> Option<&'a [u64; N]> {
        let all = (u64::MAX >> (64 - N)) << first;
        if self.plain & all == all { self.values[first..].first_chunk() } else { None }
    }

    /// Fields of the record.
    #[inline(always)]
    pub fn width(&self) -> usize {
        self.record.width()
    }

    /// The first field as the head of a zero-padded symbol, when it has one to eight bytes and the record eight.
    #[inline(always)]
    pub fn short_symbol(&self) -> Option<[u8; 8]> {
        let length = self.bytes(0).len();
        let chunk = self.record.as_bytes().first_chunk::<8>()?;
        let mask = u64::MAX.checked_shr(64_u32.wrapping_sub(8 * length as u32))?;
        Some((u64::from_le_bytes(*chunk) & mask).to_le_bytes())
    }

    /// Bytes of the whole record.
    pub fn record_bytes(&self) -> &'a [u8] {
        self.record.as_bytes()
    }

    /// Bytes of a field; empty when it wasn't sent.
    #[inline(always)]
    pub fn bytes(&self, field: usize) -> &'a [u8] {
        self.record.text(field).as_bytes()
    }

    #[inline(always)]
    fn or<T>(&mut self, result: Result<Option<T>, NumberError>, absent: T) -> T {
        match result {
            Ok(Some(value)) => value,
            Ok(None) => absent,
            Err(_) => {
                self.findings |= Findings::FIELD_UNREADABLE;
                absent
            }
        }
    }

    /// A price, 1e-9.
    #[inline(always)]
    pub fn px(&mut self, field: usize) -> i64 {
        if let Some(value) = self.plain(field) {
            return px_of(value);
        }
        let result = parse_px(self.record.text(field));
        self.or(result, UNDEF_PX)
    }

    /// A price that must be there.
    #[inline(always)]
    pub fn px_needed(&self, field: usize) -> Option<i64> {
        match self.plain(field) {
            Some(value) => Some(px_of(value)),
            None => parse_px(self.record.text(field)).ok().flatten(),
        }
    }

    /// A quantity.
    #[inline(always)]
    pub fn qty(&mut self, field: usize) -> u64 {
        if let Some(value) = self.plain(field) {
            return value;
        }
        let result = parse_u64(self.record.text(field));
        self.or(result, UNDEF_QTY)
    }

    /// A quantity sent in thousands.
    #[inline]
    pub fn qty_thousands(&mut self, field: usize) -> u64 {
        let result = match parse_u64(self.record.text(field)) {
            Ok(Some(value)) => value.checked_mul(1000).ok_or(NumberError::Overflow).map(Some),
            result => result,
        };
        self.or(result, UNDEF_QTY)
    }

    /// Prices of `N` fields from `first` on.
    #[inline(always)]
    pub fn pxs<const N: usize>(&mut self, first: usize) -> [i64; N] {
        match self.plains::<N>(first) {
            Some(run) => {
                let mut px = [0; N];
                for (px, value) in px.iter_mut().zip(run) {
                    *px = px_of(*value);
                }
                px
            }
            None => self.pxs_slow(first),
        }
    }

    /// Quantities of `N` fields from `first` on.
    #[inline(always)]
    pub fn qtys<const N: usize>(&mut self, first: usize) -> [u64; N] {
        match self.plains::<N>(first) {
            Some(run) => *run,
            None => self.qtys_slow(first),
        }
    }

    #[inline(never)]
    fn pxs_slow<const N: usize>(&mut self, first: usize) -> [i64; N] {
        std::array::from_fn(|place| self.px(first + place))
    }

    #[inline(never)]
    fn qtys_slow<const N: usize>(&mut self, first: usize) -> [u64; N] {
        std::array::from_fn(|place| self.qty(first + place))
    }

    /// A signed quantity.
    #[inline(always)]
    pub fn change(&mut self, field: usize) -> i64 {
        if let Some(value) = self.plain(field) {
            return value.cast_signed();
        }
        let result = parse_i64(self.record.text(field));
        self.or(result, UNDEF_CHANGE)
    }

    /// A number of things.
    #[inline(always)]
    pub fn count(&mut self, field: usize) -> u32 {
        if let Some(value) = self.plain(field) {
            return value as u32;
        }
        let result = match parse_u64(self.record.text(field)) {
            Ok(Some(value)) => u32::try_from(value).map(Some).map_err(|_| NumberError::Overflow),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        self.or(result, UNDEF_COUNT)
    }

    /// A turnover in units of 10^-`decimals`: 4 of currency units, 10 of millions.
    #[inline(always)]
    pub fn turnover(&mut self, field: usize, decimals: u32) -> i64 {
        let result = parse_scaled(self.record.text(field), decimals);
        self.or(result, UNDEF_TURNOVER)
    }

    /// A code of one byte; 0 when it wasn't sent, is empty or longer.
    #[inline(always)]
    pub fn byte(&self, field: usize) -> u8 {
        match self.bytes(field) {
            [byte] => *byte,
            _ => 0,
        }
    }

    /// A code, zero padded, cut at its place.
    #[inline]
    pub fn code<const N: usize>(&self, field: usize) -> [u8; N] {
        let mut code = [0; N];
        for (to, from) in code.iter_mut().zip(self.bytes(field)) {
            *to = *from;
        }
        code
    }

    /// A time of day in seconds, or [`NO_TIME`].
    #[inline]
    pub fn seconds(&mut self, field: usize) -> u32 {
        let result = parse_hhmmss(self.record.text(field));
        self.or(result, NO_TIME)
    }

    /// A date as decimal YYYYMMDD, or 0.
    #[inline]
    pub fn date(&mut self, field: usize) -> u32 {
        let result = parse_yyyymmdd(self.record.text(field));
        self.or(result, 0)
    }
}

/// A plain number as a price. Eight digits at most: far from the end of the range, and both factors have 32 bits.
#[inline(always)]
fn px_of(value: u64) -> i64 {
    (u64::from(value as u32) * PX_SCALE.unsigned_abs()).cast_signed()
}
