//! The broker's message codes of a session, each with its reaction.
//!
//! Codes and meanings are those of the broker's portal; `OPSP0002` and `OPSP0003` are errors to it and good news to us.

/// What a code means for the registration that was asked, or for its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The registration is in force.
    InForce,
    /// The registration is not in force (any more).
    Withdrawn,
    /// Asked again after the others, a few times.
    Again,
    /// Asked again after minutes: it may be refused for good, or only for now.
    Later,
    /// The app key holds all it may: the least important pair gives way.
    Shed,
    /// Not asked again before the next trading day: it would be refused each time.
    GiveUp,
    /// The approval key is not known: a new one is fetched, once; then as [`Barred`](Self::Barred).
    RenewKey,
    /// Another session holds the app key, or the slot of a dead one lingers: the line leaves it alone for 20 s at least.
    InUse,
    /// The app key itself is refused: the line waits as long as lines wait.
    Barred,
}

/// A code of the table.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// As sent.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What is done about it.
    pub reaction: Reaction,
}

const fn code(code: &'static str, meaning: &'static str, reaction: Reaction) -> Code {
    Code { code, meaning, reaction }
}

/// Every code there is.
pub const CODES: [Code; 28] = [
    code("OPSP0000", "registered", Reaction::InForce),
    code("OPSP0001", "withdrawn", Reaction::Withdrawn),
    code("OPSP0002", "registered before", Reaction::InForce),
    code("OPSP0003", "was not registered", Reaction::Withdrawn),
    code("OPSP0007", "internal error while registering", Reaction::Again),
    code("OPSP0008", "more registrations than an app key may hold", Reaction::Shed),
    code("OPSP0009", "a feed that has to be paid for, or the backend", Reaction::Later),
    code("OPSP0010", "invalid app key", Reaction::Barred),
    code("OPSP0011", "approval key not found", Reaction::RenewKey),
    code("OPSP8991", "invalid transaction", Reaction::GiveUp),
    code("OPSP8992", "invalid key", Reaction::GiveUp),
    code("OPSP8993", "invalid key", Reaction::GiveUp),
    code("OPSP8994", "personal secret key missing", Reaction::Barred),
    code("OPSP8995", "app secret missing", Reaction::Barred),
    code("OPSP8996", "app key in use", Reaction::InUse),
    code("OPSP8997", "invalid kind of message", Reaction::GiveUp),
    code("OPSP8998", "invalid kind of customer", Reaction::GiveUp),
    code("OPSP8999", "resource not available", Reaction::Again),
    code("OPSP9990", "key not found", Reaction::GiveUp),
    code("OPSP9991", "input not found", Reaction::GiveUp),
    code("OPSP9992", "body not found", Reaction::GiveUp),
    code("OPSP9993", "internal error", Reaction::Again),
    code("OPSP9994", "app key of another session", Reaction::Barred),
    code("OPSP9995", "resource error", Reaction::Again),
    code("OPSP9996", "app key not found", Reaction::Barred),
    code("OPSP9997", "kind of customer not found", Reaction::GiveUp),
    code("OPSP9998", "header not found", Reaction::GiveUp),
    code("OPSP9999", "not JSON", Reaction::GiveUp),
];

/// The reaction to a code. Of one that is not in the table nobody knows whether it passes.
pub fn reaction(code: &str) -> Reaction {
    CODES.iter().find(|known| known.code == code).map_or(Reaction::Later, |known| known.reaction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_in_order() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(CODES.iter().all(|known| known.code.len() == 8 && !known.meaning.is_empty()));
    }

    #[test]
    fn errors_that_are_good_news_are_taken_as_such_and_unknown_codes_may_pass() {
        assert_eq!(reaction("OPSP0002"), Reaction::InForce);
        assert_eq!(reaction("OPSP0003"), Reaction::Withdrawn);
        assert_eq!(reaction("OPSP8996"), Reaction::InUse);
        assert_eq!(reaction("OPSP7777"), Reaction::Later);
        assert_eq!(reaction(""), Reaction::Later);
    }
}
