//! Numbers for people: three digits and a unit.

/// Nanoseconds as `412 ns`, `4.80 µs`, `1.20 ms`, `3.40 s`, `12 m 05 s`, `3 h 07 m`, `2 d 04 h`.
pub(super) fn nanos(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", three_digits(ns as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three_digits(ns as f64 / 1e6)),
        _ if seconds < 60 => format!("{} s", three_digits(ns as f64 / 1e9)),
        _ if seconds < 3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Bytes as `512 B`, `1.50 KiB`, `128 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), UNITS[unit])
}

/// A count with separators: `1,234,567`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Things a second: `0 /s`, `950 /s`, `12.3 k/s`, `3.90 M/s`.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate < 999.5 => format!("{} /s", three_digits(rate)),
        rate if rate < 999_500.0 => format!("{} k/s", three_digits(rate / 1e3)),
        rate => format!("{} M/s", three_digits(rate / 1e6)),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_their_unit() {
        let times = [0, 999, 4_800, 999_949, 1_200_000, 59_900_000_000, 725_000_000_000, 11_220_000_000_000];
        let shown = ["0 ns", "999 ns", "4.80 µs", "1000 µs", "1.20 ms", "59.9 s", "12 m 05 s", "3 h 07 m"];
        assert_eq!(times.map(nanos), shown);
        assert_eq!([0, 1023, 1536, 134_217_728].map(bytes), ["0 B", "1023 B", "1.50 KiB", "128 MiB"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 0.5, 950.0, 12_345.0, 3_900_000.0].map(rate),
            ["0 /s", "0.50 /s", "950 /s", "12.3 k/s", "3.90 M/s"]
        );
    }
}
