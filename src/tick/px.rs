//! Scaled integers as exact decimal text.

/// Units of a price in one currency unit: 1 px unit = 1e-9.
pub const PX_SCALE: i64 = 1_000_000_000;
/// Units of a turnover in one currency unit: 1 unit = 1e-4.
pub const TURNOVER_SCALE: i64 = 10_000;

/// Appends a price as the shortest exact decimal: `93000`, `169.785`, `-0.5`.
pub fn write_px(out: &mut Vec<u8>, px: i64) {
    write_scaled(out, px, 9);
}

/// Appends `value` × 10^-`decimals` (at most 18) as the shortest exact decimal.
pub fn write_scaled(out: &mut Vec<u8>, value: i64, decimals: u32) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    let mut place = 0;
    let mut significant = false;
    while rest > 0 || place <= decimals {
        if place == decimals && significant {
            // The fraction just written ends here.
            at -= 1;
            digits[at] = b'.';
            out.reserve(1);
        }
        let digit = (rest % 10) as u8;
        rest /= 10;
        if digit != 0 || place >= decimals {
            significant = true;
        }
        if significant {
            if at == 0 {
                break;
            }
            at -= 1;
            digits[at] = b'0' + digit;
        }
        place += 1;
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn text(value: i64, decimals: u32) -> String {
        let mut out = Vec::new();
        write_scaled(&mut out, value, decimals);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scaled_integers_print_as_the_shortest_exact_decimal() {
        assert_eq!(text(0, 9), "0");
        assert_eq!(text(93_000 * PX_SCALE, 9), "93000");
        assert_eq!(text(169_785_000_000, 9), "169.785");
        assert_eq!(text(-500_000_000, 9), "-0.5");
        assert_eq!(text(1, 9), "0.000000001");
        assert_eq!(text(100, 0), "100");
        assert_eq!(text(i64::MIN, 9), "-9223372036.854775808");
        assert_eq!(text(i64::MAX, 4), "922337203685477.5807");
    }

    proptest! {
        #[test]
        fn scaled_integers_agree_with_the_decimal_twin(value: i64, decimals in 0_u32..=18) {
            let twin = Decimal::from_i128_with_scale(i128::from(value), decimals).normalize().to_string();
            prop_assert_eq!(text(value, decimals), twin);
        }
    }
}
