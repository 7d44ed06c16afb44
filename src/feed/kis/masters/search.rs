//! Search by code, name and initial consonants.

use std::cmp::Reverse;

use super::Masters;
use crate::market::security::Security;

/// First syllable of Hangul; 588 syllables share an initial consonant.
const SYLLABLES: std::ops::RangeInclusive<char> = '가'..='힣';
const PER_INITIAL: u32 = 588;
/// Initial consonants in the order of the syllables.
const INITIALS: [char; 19] =
    ['ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ', 'ㅎ'];

impl Masters {
    /// Entries that a text finds, the best first: by code, by ISIN, by the beginning of a code or name, by a part of the Korean
    /// or English name. Case doesn't count, nor do blanks. A consonant finds the syllables that begin with it: `ㅅㅅㅈㅈ`
    /// finds 삼성전자.
    pub fn search(&self, query: &str) -> Vec<&Security> {
        let query = Query::new(query);
        if query.folded.is_empty() {
            return self.all().iter().collect();
        }
        let mut buffer = Vec::new();
        let ranked = self.all().iter().enumerate();
        let mut found: Vec<(Reverse<u8>, usize, &Security)> = ranked
            .filter_map(|(place, security)| Some((Reverse(query.rank(security, &mut buffer)?), place, security)))
            .collect();
        found.sort_unstable_by_key(|(rank, place, _)| (*rank, *place));
        found.into_iter().map(|(_, _, security)| security).collect()
    }
}

/// What [`Masters::search`] looks for, in the form it is compared in.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    folded: Vec<char>,
}

impl Query {
    /// Of a text: a code or its beginning, an ISIN, a part of a name, initial consonants.
    pub fn new(text: &str) -> Query {
        let mut folded = Vec::new();
        fold(text, &mut folded);
        Query { text: text.trim().to_owned(), folded }
    }

    /// Whether it finds an entry; an empty one finds all.
    pub fn finds(&self, security: &Security) -> bool {
        self.folded.is_empty() || self.rank(security, &mut Vec::new()).is_some()
    }

    /// How well an entry is met; higher is better.
    fn rank(&self, security: &Security, buffer: &mut Vec<char>) -> Option<u8> {
        let code = security.code.as_bytes();
        let text = self.text.as_bytes();
        if code.eq_ignore_ascii_case(text) {
            return Some(6);
        }
        if security.isin.as_deref().is_some_and(|isin| isin.eq_ignore_ascii_case(&self.text)) {
            return Some(5);
        }
        fold(&security.name, buffer);
        let in_name = self.place(buffer);
        if in_name == Some(0) {
            return Some(if buffer.len() == self.folded.len() { 4 } else { 3 });
        }
        if code.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text)) {
            return Some(2);
        }
        if in_name.is_some() {
            return Some(1);
        }
        fold(security.name_en.as_deref()?, buffer);
        self.place(buffer).map(|place| if place == 0 { 3 } else { 1 })
    }

    /// Where the query begins in a text.
    fn place(&self, text: &[char]) -> Option<usize> {
        let meets =
            |(asked, found): (&char, &char)| asked == found || (SYLLABLES.contains(found) && initial(*found) == *asked);
        text.windows(self.folded.len()).position(|part| self.folded.iter().zip(part).all(meets))
    }
}

/// Lower case without blanks.
fn fold(text: &str, into: &mut Vec<char>) {
    into.clear();
    into.extend(text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase));
}

/// The consonant that a syllable begins with.
fn initial(syllable: char) -> char {
    INITIALS[((u32::from(syllable) - u32::from(*SYLLABLES.start())) / PER_INITIAL) as usize % INITIALS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syllable_begins_with_its_consonant() {
        let initials: String = "삼성전자하이닉스까힣".chars().map(initial).collect();
        assert_eq!(initials, "ㅅㅅㅈㅈㅎㅇㄴㅅㄲㅎ");
    }

    #[test]
    fn consonants_stand_for_syllables_and_others_for_themselves() {
        let place = |query: &str, name: &str| {
            let mut folded = Vec::new();
            fold(name, &mut folded);
            Query::new(query).place(&folded)
        };
        assert_eq!(place("ㅅㅅㅈㅈ", "삼성전자"), Some(0));
        assert_eq!(place("sk하ㅇ", "SK하이닉스"), Some(0));
        assert_eq!(place("전 자", "삼성전자우"), Some(2));
        assert_eq!((place("ㅅㅅㅈㅈ", "삼성전기"), place("현대", "삼성전자")), (None, None));
        assert_eq!(place("현대차우", "현대차"), None);
    }
}
