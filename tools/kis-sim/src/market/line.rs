//! Fields of a frame, each followed by a `^` until the line is closed.

/// Appends fields to a buffer. The buffer keeps its capacity over frames, so nothing is allocated once it has grown.
#[derive(Debug)]
pub struct Line<'a>(pub &'a mut Vec<u8>);

impl Line<'_> {
    /// `0|TR|nnn|`
    pub fn open(&mut self, tr_id: &str, records: usize) {
        self.0.clear();
        self.0.extend_from_slice(b"0|");
        self.0.extend_from_slice(tr_id.as_bytes());
        let digit = |n: usize| b'0' + (n % 10) as u8;
        self.0.extend_from_slice(&[b'|', digit(records / 100), digit(records / 10), digit(records), b'|']);
    }

    /// Takes the last `^` away; an empty last field stays empty.
    pub fn close(&mut self) {
        self.0.pop();
    }

    /// Text as it is.
    pub fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
        self.0.push(b'^');
    }

    /// One character.
    pub fn code(&mut self, code: u8) {
        self.0.extend_from_slice(&[code, b'^']);
    }

    /// A field without a value.
    pub fn empty(&mut self) {
        self.0.push(b'^');
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        let mut buffer = itoa::Buffer::new();
        self.0.extend_from_slice(buffer.format(value).as_bytes());
        self.0.push(b'^');
    }

    /// Integers.
    pub fn ints(&mut self, values: &[i64]) {
        for value in values {
            self.int(*value);
        }
    }

    /// A number given in hundredths, with two digits after the point.
    pub fn hundredths(&mut self, value: i64) {
        if value < 0 {
            self.0.push(b'-');
        }
        let value = value.unsigned_abs();
        let mut buffer = itoa::Buffer::new();
        self.0.extend_from_slice(buffer.format(value / 100).as_bytes());
        let cents = (value % 100) as u8;
        self.0.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10, b'^']);
    }

    /// A second of the day as HHMMSS.
    pub fn time(&mut self, second: u32) {
        let pair = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        let (h, m, s) = (pair(second / 3600), pair(second / 60 % 60), pair(second % 60));
        self.0.extend_from_slice(&[h[0], h[1], m[0], m[1], s[0], s[1], b'^']);
    }
}

/// `numerator / denominator` in hundredths of a percent, rounded half away from zero; 0 for a zero denominator.
pub fn percent(numerator: i64, denominator: i64) -> i64 {
    ratio(numerator.saturating_mul(100), denominator)
}

/// `numerator / denominator` in hundredths, rounded half away from zero; 0 for a zero denominator.
pub fn ratio(numerator: i64, denominator: i64) -> i64 {
    if denominator == 0 {
        return 0;
    }
    let scaled = i128::from(numerator) * 200;
    let denominator = i128::from(denominator);
    let rounded = (scaled.abs() + denominator) / (2 * denominator);
    (if scaled < 0 { -rounded } else { rounded }) as i64
}

/// PRDY_VRSS_SIGN of a change: 2 up, 3 unchanged, 5 down.
pub fn sign(change: i64) -> u8 {
    match change.signum() {
        1 => b'2',
        0 => b'3',
        _ => b'5',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_read_as_the_wire_writes_them() {
        let mut buffer = Vec::new();
        let mut line = Line(&mut buffer);
        line.open("H0STCNT0", 12);
        line.int(-5);
        line.hundredths(-8);
        line.hundredths(12345);
        line.time(9 * 3600 + 61);
        line.empty();
        line.close();
        assert_eq!(buffer, b"0|H0STCNT0|012|-5^-0.08^123.45^090101^");
    }

    #[test]
    fn rates_round_half_away_from_zero() {
        assert_eq!(percent(-184_000, 2_180_000), -844);
        assert_eq!(percent(395, 2525), 1564);
        assert_eq!(ratio(1, 200), 1);
        assert_eq!(ratio(1, 0), 0);
    }
}
