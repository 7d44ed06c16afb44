//! Whether a server answers at all, and what time it has: without keys, without a call that counts.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::fmt::rfc2822;

use super::agent::Agent;
use super::settings::RestSection;

/// A server that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// HTTP status; any is good.
    pub status: u16,
    /// Second since the UNIX epoch by the server's clock, of its header `Date`.
    pub date: Option<i64>,
    /// Wall time before the request was sent, ns.
    pub before_ns: i128,
    /// Wall time after the head of the answer had come, ns.
    pub after_ns: i128,
}

impl Reached {
    /// How far this host's clock is ahead of the server's at least and at most, ns: the header has whole seconds.
    pub fn clock_ahead_ns(&self) -> Option<(i128, i128)> {
        const SECOND: i128 = 1_000_000_000;
        let date = i128::from(self.date?) * SECOND;
        Some((self.before_ns - (date + SECOND), self.after_ns - date))
    }
}

/// Asks for the root page.
///
/// # Errors
///
/// What the HTTP library says, of name, connection, TLS or answer.
pub fn reach(rest_url: &str, settings: &RestSection) -> Result<Reached, String> {
    let agent = Agent::new(rest_url, settings, 0);
    let before_ns = wall_ns();
    let (status, date) = agent.look().map_err(|unreached| unreached.message)?;
    let after_ns = wall_ns();
    let date = date.and_then(|text| rfc2822::parse(&text).ok()).map(|at| at.timestamp().as_second());
    Ok(Reached { status, date, before_ns, after_ns })
}

fn wall_ns() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_of_the_server_leave_a_range() {
        let reached = |date| Reached { status: 404, date, before_ns: 100_400_000_000, after_ns: 100_500_000_000 };
        assert_eq!(reached(Some(100)).clock_ahead_ns(), Some((-600_000_000, 500_000_000)), "no offset is among them");
        assert_eq!(reached(Some(90)).clock_ahead_ns(), Some((9_400_000_000, 10_500_000_000)));
        assert_eq!(reached(None).clock_ahead_ns(), None);
    }
}
