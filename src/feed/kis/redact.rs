//! Secrets in control frames, overwritten before anything is kept.

/// Overwrites secrets in place by `*` of equal length; whether there were any.
///
/// Secrets are the values of the keys `iv` and `key` at any depth of a JSON text (any case, any blanks, names written
/// with escapes too; a string that doesn't end is overwritten to the end), and everything equal to one of `secrets`
/// (an approval key, say, which the broker echoes in the text of an error), written with JSON escapes or without.
/// Empty secrets are ignored.
///
/// Works on any bytes: what is no JSON is searched for `secrets` alone. The structure of a JSON text is kept.
pub fn redact(bytes: &mut [u8], secrets: &[&[u8]]) -> bool {
    let mut found = redact_values(bytes);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let mut at = 0;
        while at < bytes.len() {
            match escaped_match(&bytes[at..], secret) {
                Some(length) => {
                    bytes[at..at + length].fill(b'*');
                    found = true;
                    at += length;
                }
                None => at += 1,
            }
        }
    }
    found
}

fn redact_values(bytes: &mut [u8]) -> bool {
    let mut found = false;
    let mut at = 0;
    while let Some(quote) = position(bytes, at, b'"') {
        let end = string_end(bytes, quote + 1);
        let colon = skip_blanks(bytes, (end + 1).min(bytes.len()));
        if bytes.get(colon) != Some(&b':') || !is_secret_name(&bytes[quote + 1..end]) {
            at = end + 1;
            continue;
        }
        let value = skip_blanks(bytes, colon + 1);
        let (start, stop) = match bytes.get(value) {
            Some(b'"') => (value + 1, string_end(bytes, value + 1)),
            // What is inside is looked at in its turn.
            Some(b'{' | b'[') | None => (value, value),
            Some(_) => (value, scalar_end(bytes, value)),
        };
        if start < stop && bytes[start..stop] != *b"null" {
            bytes[start..stop].fill(b'*');
            found = true;
        }
        at = if bytes.get(stop) == Some(&b'"') { stop + 1 } else { stop };
    }
    found
}

fn position(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    bytes.get(from..)?.iter().position(|other| *other == byte).map(|place| from + place)
}

/// Place of the quote that ends a string begun before `from`, or the end of the bytes.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn scalar_end(bytes: &[u8], from: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' | b'"');
    bytes[from..].iter().position(ends).map_or(bytes.len(), |place| from + place)
}

fn skip_blanks(bytes: &[u8], from: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    from + bytes.get(from..).unwrap_or_default().iter().take_while(blank).count()
}

/// Whether a name between quotes, perhaps with escapes, is `iv` or `key`.
fn is_secret_name(name: &[u8]) -> bool {
    [&b"iv"[..], b"key"].iter().any(|secret| {
        let lower = match_with(name, secret, |got, want| got.to_ascii_lowercase() == want);
        lower == Some(name.len())
    })
}

/// Bytes at the beginning of `bytes` that stand for `secret`.
fn escaped_match(bytes: &[u8], secret: &[u8]) -> Option<usize> {
    match_with(bytes, secret, |got, want| got == want)
}

fn match_with(bytes: &[u8], wanted: &[u8], equal: impl Fn(u8, u8) -> bool) -> Option<usize> {
    let mut at = 0;
    for want in wanted {
        let plain = *bytes.get(at)?;
        if plain != b'\\' {
            if !equal(plain, *want) {
                return None;
            }
            at += 1;
            continue;
        }
        let (meant, length) = unescape(&bytes[at..]);
        if meant.is_some_and(|meant| equal(meant, *want)) {
            at += length;
        } else if equal(b'\\', *want) {
            // The secret has a backslash of its own, in bytes that are no JSON.
            at += 1;
        } else {
            return None;
        }
    }
    Some(at)
}

/// The byte that an escape stands for, if it is ASCII, and the escape's length.
fn unescape(bytes: &[u8]) -> (Option<u8>, usize) {
    match bytes.get(1) {
        Some(b'n') => (Some(b'\n'), 2),
        Some(b't') => (Some(b'\t'), 2),
        Some(b'r') => (Some(b'\r'), 2),
        Some(b'b') => (Some(8), 2),
        Some(b'f') => (Some(12), 2),
        Some(b'u') => {
            let digits = bytes.get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
            let code = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
            (code.and_then(|code| u8::try_from(code).ok()).filter(u8::is_ascii), 6)
        }
        Some(byte) => (Some(*byte), 2),
        None => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(text: &str, secrets: &[&str]) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.as_bytes()).collect();
        let found = redact(&mut bytes, &secrets);
        assert_eq!(bytes.len(), text.len());
        assert_eq!(found, bytes != text.as_bytes(), "{text}");
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_values_of_iv_and_key_are_overwritten_and_nothing_else() {
        let ack = r#"{"header":{"tr_id":"H0STCNT0","tr_key":"005930"},"body":{"output":{"iv":"0123abc","key":"secretword"}}}"#;
        let want = r#"{"header":{"tr_id":"H0STCNT0","tr_key":"005930"},"body":{"output":{"iv":"*******","key":"**********"}}}"#;
        assert_eq!(redacted(ack, &[]), want);
        assert_eq!(redacted(want.replace('*', "a").as_str(), &[]), want);
    }

    #[test]
    fn blanks_escapes_case_and_shape_do_not_hide_a_value() {
        assert_eq!(
            redacted("{ \"key\" \t:\r\n \"ab\\\"c\" , \"x\":\"y\"}", &[]),
            "{ \"key\" \t:\r\n \"*****\" , \"x\":\"y\"}"
        );
        assert_eq!(
            redacted(r#"{"\u006bey":"abc","KEY":"abc","\u0069\u0076":"d"}"#, &[]),
            r#"{"\u006bey":"***","KEY":"***","\u0069\u0076":"*"}"#
        );
        assert_eq!(
            redacted(r#"{"key":12345,"iv":null,"x":[{"key":"abc"}]}"#, &[]),
            r#"{"key":*****,"iv":null,"x":[{"key":"***"}]}"#
        );
        assert_eq!(redacted(r#"{"key":"abc"#, &[]), r#"{"key":"***"#, "a string that does not end");
        assert_eq!(redacted(r#"{"a":"key","b":"iv"}"#, &[]), r#"{"a":"key","b":"iv"}"#, "values that look like names");
        assert_eq!(redacted(r#"{"key":{"iv":"abc"}}"#, &[]), r#"{"key":{"iv":"***"}}"#);
    }

    #[test]
    fn a_known_secret_is_found_wherever_it_is_echoed() {
        let text = r#"{"body":{"msg_cd":"OPSP0011","msg1":"invalid approval : ab/cd-12"}}"#;
        assert_eq!(redacted(text, &["ab/cd-12", ""]), text.replace("ab/cd-12", "********"));
        let text = r#"{"msg1":"invalid approval : ab\/cd\u002d12 ab/cd-1"}"#;
        assert_eq!(redacted(text, &["ab/cd-12"]), r#"{"msg1":"invalid approval : ************** ab/cd-1"}"#);
        assert_eq!(redacted("plain ab/cd-12ab/cd-12", &["ab/cd-12"]), "plain ****************");
    }

    proptest! {
        #[test]
        fn any_bytes_keep_their_length_and_lose_the_secret(
            mut bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'\\'), Just(b':'), Just(b'k')], 0..200),
            place in 0_usize..200,
        ) {
            let place = place.min(bytes.len());
            bytes.splice(place..place, *b"s3cret");
            let length = bytes.len();
            prop_assert!(redact(&mut bytes, &[b"s3cret"]));
            prop_assert_eq!(bytes.len(), length);
            prop_assert!(!bytes.windows(6).any(|window| window == b"s3cret"));
            let again = bytes.clone();
            redact(&mut bytes, &[b"s3cret"]);
            prop_assert_eq!(bytes, again);
        }
    }
}
