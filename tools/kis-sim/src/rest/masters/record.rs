//! A row, byte by byte.

use encoding_rs::EUC_KR;

/// Bytes of a Korean name.
pub(super) const NAME_BYTES: usize = 40;

/// A row of a fixed width while it is made.
#[derive(Debug, Default)]
pub(super) struct Record(Vec<u8>);

impl Record {
    /// ASCII, blanks behind it.
    pub(super) fn text(mut self, text: &str, bytes: usize) -> Self {
        assert!(text.is_ascii() && text.len() <= bytes, "{text} in {bytes} bytes");
        self.0.extend_from_slice(text.as_bytes());
        self.blanks(bytes - text.len())
    }

    /// A number with zeros before it.
    pub(super) fn number(self, number: i64, bytes: usize) -> Self {
        self.text(&format!("{number:0bytes$}"), bytes)
    }

    /// `Y` or `N`.
    pub(super) fn flag(self, flag: bool) -> Self {
        self.text(if flag { "Y" } else { "N" }, 1)
    }

    /// So many times the same letter.
    pub(super) fn fill(self, letter: &str, bytes: usize) -> Self {
        self.text(&letter.repeat(bytes), bytes)
    }

    /// Nothing.
    pub(super) fn blanks(mut self, bytes: usize) -> Self {
        self.0.resize(self.0.len() + bytes, b' ');
        self
    }

    /// Korean text in cp949, cut where the field ends, in the middle of a character too.
    pub(super) fn korean(mut self, text: &str, bytes: usize) -> Self {
        let encoded = cp949(text);
        let fits = encoded.len().min(bytes);
        self.0.extend_from_slice(&encoded[..fits]);
        self.blanks(bytes - fits)
    }

    /// The row as a line of a file; it must have the width that the broker documents.
    pub(super) fn end(mut self, width: usize, into: &mut Vec<u8>) {
        assert_eq!(self.0.len(), width, "a row has the documented width");
        self.0.push(b'\n');
        into.append(&mut self.0);
    }
}

/// Text in cp949.
pub(super) fn cp949(text: &str) -> Vec<u8> {
    let (bytes, _, unknown) = EUC_KR.encode(text);
    assert!(!unknown, "{text} is in cp949");
    bytes.into_owned()
}

/// A name as far as a field holds it.
pub(super) fn held(name: &str) -> String {
    let mut text = String::new();
    let mut bytes = 0;
    for letter in name.chars() {
        bytes += if letter.is_ascii() { 1 } else { 2 };
        if bytes > NAME_BYTES {
            break;
        }
        text.push(letter);
    }
    text.trim().to_owned()
}

/// Invented names of all lengths: syllables of cp949 beyond EUC-KR, blanks inside, names as long as the field, and one letter
/// longer, so that its last character is cut in two.
pub(super) fn name(number: usize) -> String {
    const WORDS: [&str; 8] = ["모의", "한강", "똠방", "펲시", "백두", "KR", "햏햏", "동해"];
    let word = WORDS[number % WORDS.len()];
    match number % 50 {
        7 => format!("{word} 가나다 &(주) {number}"),
        13 => format!("{}{word}", "가나다라마바사아자차카타파하거너더러".chars().collect::<String>()),
        29 => format!("A{}", "가나다라마바사아자차카타파하거너더러머버서".chars().collect::<String>()),
        _ => format!("{word}종목{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_as_far_as_it_fits() {
        for number in 0..200 {
            let (name, held) = (name(number), held(&name(number)));
            assert!(name.starts_with(&held) && cp949(&held).len() <= NAME_BYTES);
            assert!(cp949(&name).len() <= NAME_BYTES || cp949(&held).len() >= NAME_BYTES - 1);
        }
        assert!((0..200).any(|number| cp949(&name(number)).len() > NAME_BYTES));
    }
}
