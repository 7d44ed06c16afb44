//! Looks for a secret in what a program wrote, as it is, in part, and as the digits of its bytes.

use std::collections::HashSet;

/// As many characters of a secret are a trace of it: what a dump of bytes shows on a line.
const PART: usize = 16;

/// What of a secret stands in a text: any 16 characters in a row, or their hexadecimal digits, whatever blanks are between.
pub fn trace_of(text: &[u8], secret: &str) -> Option<String> {
    let part = PART.min(secret.len());
    let parts: HashSet<&[u8]> = secret.as_bytes().windows(part).collect();
    let digits: HashSet<Vec<u8>> = parts.iter().map(|part| hex(part)).collect();
    let plain = text.windows(part).find(|window| parts.contains(window));
    let found = plain.map(<[u8]>::to_vec).or_else(|| {
        let dense: Vec<u8> =
            text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect();
        dense.windows(2 * part).find(|window| digits.contains(*window)).map(<[u8]>::to_vec)
    });
    found.map(|found| String::from_utf8_lossy(&found).into_owned())
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

#[test]
fn a_secret_is_found_whole_in_part_and_in_digits() {
    let secret = "PSabcdefghijklmnopqrstuvwxyz0123";
    let lines = "4142 5053 6162 6364 6566 6768 696a 6b6c AB\n6d6e --\n";
    for text in
        [secret, "x ghijklmnopqrstuv y", "506162", &format!("{lines}67686970 676869 6a6b6c6d6e6F 7071 72737475 76")]
    {
        assert_eq!(trace_of(text.as_bytes(), secret).is_some(), text != "506162", "{text}");
    }
    assert_eq!(trace_of(b"PSabcdefghijklm PSabcdefghijklm", secret), None, "fifteen are none");
    assert!(trace_of(b"the id is short", "short").is_some());
}
