//! What the broker's message codes mean to a session: the one table of [`rest::codes`](super::super::rest::codes), as far
//! as it concerns registrations and their line.

use super::super::rest::codes::{self, Code};

/// What a code means for the registration that was asked, or for its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The registration is in force.
    InForce,
    /// The registration is not in force (any more).
    Withdrawn,
    /// Asked again after the others, a few times; then as [`Later`](Self::Later).
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
    /// The app key itself is refused: the line waits as long as lines wait, and stays closed after the third time.
    Barred,
}

impl Reaction {
    /// Whether the line is meant, not a registration.
    pub fn is_of_line(self) -> bool {
        matches!(self, Reaction::RenewKey | Reaction::InUse | Reaction::Barred)
    }
}

/// The reaction to a code. Of one that is not in the table nobody knows whether it passes.
pub fn reaction(code: &str) -> Reaction {
    match Code::find(code).map(|known| known.reaction) {
        Some(codes::Reaction::Registered) => Reaction::InForce,
        Some(codes::Reaction::Withdrawn) => Reaction::Withdrawn,
        Some(codes::Reaction::Retry) => Reaction::Again,
        Some(codes::Reaction::Shed) => Reaction::Shed,
        Some(codes::Reaction::GiveUp) => Reaction::GiveUp,
        Some(codes::Reaction::RenewApproval) => Reaction::RenewKey,
        Some(codes::Reaction::BackOff) => Reaction::InUse,
        Some(codes::Reaction::DropKey) => Reaction::Barred,
        // Tokens and the pace of calls are no matter of a session.
        Some(
            codes::Reaction::Later
            | codes::Reaction::SlowDown
            | codes::Reaction::RenewToken
            | codes::Reaction::WaitForToken,
        )
        | None => Reaction::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_good_news_are_taken_as_such_and_unknown_codes_may_pass() {
        assert_eq!(reaction("OPSP0002"), Reaction::InForce);
        assert_eq!(reaction("OPSP0003"), Reaction::Withdrawn);
        assert_eq!(reaction("OPSP8996"), Reaction::InUse);
        assert_eq!(reaction("OPSP7777"), Reaction::Later);
        assert_eq!(reaction(""), Reaction::Later);
    }

    #[test]
    fn every_code_of_the_documented_table_that_speaks_of_the_app_key_is_the_lines() {
        let of_line: Vec<&str> =
            codes::CODES.iter().map(|known| known.code).filter(|code| reaction(code).is_of_line()).collect();
        let sessions: Vec<&str> = of_line.into_iter().filter(|code| code.starts_with("OPSP")).collect();
        let expected = ["OPSP0010", "OPSP0011", "OPSP8994", "OPSP8995", "OPSP8996", "OPSP9994", "OPSP9996"];
        assert_eq!(sessions, expected);
    }
}
