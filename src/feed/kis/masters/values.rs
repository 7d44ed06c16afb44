//! Bytes of a field to its value. Nothing here knows a file.

use encoding_rs::EUC_KR;
use jiff::civil::Date;

use super::reject::RejectReason;
use crate::tick::PX_SCALE;

/// A field of a row: where it begins, its name, its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) at: usize,
    pub(super) name: &'static str,
    pub(super) bytes: &'a [u8],
}

/// What is wrong with a row, and at which of its bytes.
pub(super) type Bad = (usize, RejectReason);

/// Text, and whether its last character was cut in two.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: Box<str>,
    pub(super) is_cut: bool,
}

impl<'a> Field<'a> {
    /// Bytes without the blanks around them.
    pub(super) fn trimmed(&self) -> &'a [u8] {
        self.bytes.trim_ascii()
    }

    /// The first byte; a blank where there is none.
    pub(super) fn byte(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(b' ')
    }

    fn bad(&self, reason: RejectReason) -> Bad {
        (self.at, reason)
    }

    /// Text in cp949, blanks at its ends left out. A field that is full may end in the first half of a character.
    pub(super) fn text(&self) -> Result<Text, Bad> {
        let decode = |bytes: &[u8]| -> Option<Box<str>> {
            let text = EUC_KR.decode_without_bom_handling_and_without_replacement(bytes)?;
            // Controls stand for bytes that no name has: two bytes of one character never decode to them.
            (!text.contains(|c: char| c.is_control())).then(|| text.trim().into())
        };
        if let Some(text) = decode(self.bytes) {
            return Ok(Text { text, is_cut: false });
        }
        let cut = self.bytes.split_last().filter(|(last, _)| (0x81..=0xfe).contains(*last));
        match cut.and_then(|(_, whole)| decode(whole)) {
            Some(text) => Ok(Text { text, is_cut: true }),
            None => Err(self.bad(RejectReason::Text { field: self.name })),
        }
    }

    /// A code: printable ASCII without blanks inside, not empty.
    pub(super) fn code(&self) -> Result<Box<str>, Bad> {
        let code = self.code_or_blank()?;
        code.ok_or_else(|| self.bad(RejectReason::Code { field: self.name }))
    }

    /// As [`Field::code`], or nothing where the field is blank.
    pub(super) fn code_or_blank(&self) -> Result<Option<Box<str>>, Bad> {
        let code = self.trimmed();
        if !code.iter().all(u8::is_ascii_graphic) {
            return Err(self.bad(RejectReason::Code { field: self.name }));
        }
        Ok(std::str::from_utf8(code).ok().filter(|code| !code.is_empty()).map(Box::from))
    }

    /// Whether it says `Y`; a blank means no.
    pub(super) fn yes(&self) -> Result<bool, Bad> {
        match self.byte() {
            b'Y' => Ok(true),
            b'N' | b' ' => Ok(false),
            found => Err(self.bad(RejectReason::Flag { field: self.name, found })),
        }
    }

    /// The code of a class; `None` where it is blank or of zeros.
    pub(super) fn class(&self) -> Result<Option<&'a [u8]>, Bad> {
        let class = self.trimmed();
        match class.iter().find(|byte| !byte.is_ascii_alphanumeric()) {
            Some(found) => Err(self.bad(RejectReason::Flag { field: self.name, found: *found })),
            None => Ok(Some(class).filter(|class| class.iter().any(|byte| *byte != b'0'))),
        }
    }

    /// A price in px units, decimals allowed; `None` where it is blank or 0.
    pub(super) fn px(&self) -> Result<Option<i64>, Bad> {
        let bad = || self.bad(RejectReason::Number { field: self.name });
        let digits = self.trimmed();
        if digits.is_empty() {
            return Ok(None);
        }
        let mut parts = digits.splitn(2, |byte| *byte == b'.');
        let (whole, part) = (parts.next().unwrap_or_default(), parts.next());
        if whole.is_empty() || part.is_some_and(|part| part.is_empty() || part.len() > 9) {
            return Err(bad());
        }
        let number = |digits: &[u8]| -> Option<i64> {
            digits.iter().try_fold(0_i64, |number, digit| {
                let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
                number.checked_mul(10)?.checked_add(digit)
            })
        };
        let part = part.unwrap_or_default();
        let scale = 10_i64.pow(9 - part.len() as u32);
        let px = number(whole)
            .and_then(|whole| whole.checked_mul(PX_SCALE))
            .and_then(|whole| whole.checked_add(number(part)?.checked_mul(scale)?));
        px.map(|px| Some(px).filter(|px| *px != 0)).ok_or_else(bad)
    }

    /// A date of eight digits; `None` where it is blank or of zeros, or of nines, which stands for never.
    pub(super) fn date(&self) -> Result<Option<Date>, Bad> {
        let digits = self.trimmed();
        if digits.iter().all(|digit| *digit == b'0') || digits == b"99999999" || digits == b"99991231" {
            return Ok(None);
        }
        let bad = || self.bad(RejectReason::Date { field: self.name });
        let number = |range| -> Option<u32> {
            let digits: &[u8] = digits.get(range)?;
            digits
                .iter()
                .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
        };
        let (Some(year), Some(month), Some(day), 8) = (number(0..4), number(4..6), number(6..8), digits.len()) else {
            return Err(bad());
        };
        Date::new(year as i16, month as i8, day as i8).map(Some).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(bytes: &[u8]) -> Field<'_> {
        Field { at: 7, name: "field", bytes }
    }

    #[test]
    fn prices_are_exact_and_what_is_none_is_refused() {
        let px = |text: &str| field(text.as_bytes()).px();
        assert_eq!(px("000269000"), Ok(Some(269_000 * PX_SCALE)));
        assert_eq!(px("201.3600"), Ok(Some(201_360_000_000)));
        assert_eq!(px("0.0066"), Ok(Some(6_600_000)));
        assert_eq!((px("00000.00"), px("         "), px("")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(px("999999999"), Ok(Some(999_999_999 * PX_SCALE)));
        for wrong in ["0000-1000", "12a", "1 2", ".5", "5.", "1.2.3", "1.0123456789", "99999999999999"] {
            assert_eq!(px(wrong), Err((7, RejectReason::Number { field: "field" })), "{wrong}");
        }
    }

    #[test]
    fn text_is_cp949_and_half_a_character_at_the_end_is_left_out() {
        // 똠 and 펲 are in cp949 and not in EUC-KR.
        let (bytes, _, _) = EUC_KR.encode("똠방각하 펲시  ");
        let text = field(&bytes).text().unwrap();
        assert_eq!((&*text.text, text.is_cut), ("똠방각하 펲시", false));
        let (bytes, _, _) = EUC_KR.encode("삼성전자");
        let text = field(&bytes[..7]).text().unwrap();
        assert_eq!((&*text.text, text.is_cut), ("삼성전", true));
        for wrong in [&b"\xff\xff"[..], b"\xb0 A", b"\x80", b"a\0b", b"\xc9\xff"] {
            assert!(field(wrong).text().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn dates_codes_and_flags_are_themselves_or_refused() {
        let date = |text: &str| field(text.as_bytes()).date();
        assert_eq!(date("20261123"), Ok(Some(jiff::civil::date(2026, 11, 23))));
        assert_eq!((date("00000000"), date("        "), date("99991231")), (Ok(None), Ok(None), Ok(None)));
        for wrong in ["20260230", "2026112", "2026112a", "202611231"] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
        assert_eq!(field(b"0004Y0   ").code().as_deref(), Ok("0004Y0"));
        assert!(field(b"         ").code().is_err() && field(b"0059 30").code().is_err());
        assert_eq!((field(b"Y").yes(), field(b" ").yes()), (Ok(true), Ok(false)));
        assert_eq!(field(b"2").yes(), Err((7, RejectReason::Flag { field: "field", found: b'2' })));
        assert_eq!((field(b"00").class(), field(b"02").class()), (Ok(None), Ok(Some(&b"02"[..]))));
        assert!(field(b"-1").class().is_err());
    }
}
