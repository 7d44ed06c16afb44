//! What may be asked of the broker's own hosts: within its published limits, and short of what it is known to block.
//!
//! A simulated venue takes any of it.

use super::kis::KisSection;
use crate::feed::kis::environment::is_brokers;
use crate::feed::kis::rest::is_mock;

/// Field, value, and what it may be.
type Wrong = (&'static str, String, &'static str);

/// The first value that would have app keys blocked.
pub(super) fn check(kis: &KisSection) -> Result<(), Wrong> {
    if is_brokers(&kis.rest_url) {
        check_rest(kis)?;
    }
    if is_brokers(&kis.ws_url) { check_sessions(kis) } else { Ok(()) }
}

fn check_rest(kis: &KisSection) -> Result<(), Wrong> {
    let rest = &kis.rest;
    let (calls_max, calls) = match (is_mock(&kis.rest_url), rest.new_customer) {
        (true, _) => (1.0, "at most 1: so many calls a second the mock server allows"),
        (false, true) => (3.0, "at most 3: so many calls a second the broker allows a new customer"),
        (false, false) => (18.0, "at most 18: so many calls a second the broker allows"),
    };
    if let Some(rate) = rest.calls_per_second.filter(|rate| *rate > calls_max) {
        return Err(("kis.rest.calls_per_second", rate.to_string(), calls));
    }
    let (tokens, approvals) = (
        "at least 60: the broker issues one token a minute",
        "at least 60: an approval key is valid for a day, and who asks for many is held up",
    );
    within("kis.rest.token_interval_s", rest.token_interval_s, 60..=u64::MAX, tokens)?;
    within("kis.rest.approval_interval_s", rest.approval_interval_s, 60..=u64::MAX, approvals)
}

fn check_sessions(kis: &KisSection) -> Result<(), Wrong> {
    let session = &kis.session;
    let (budget, changes) = (session.connect_budget as u64, session.changes_max as u64);
    within(
        "kis.max_registrations",
        kis.max_registrations as u64,
        0..=41,
        "at most 41: so many registrations the broker allows an app key",
    )?;
    within(
        "kis.subscribe_pace_ms",
        kis.subscribe_pace_ms,
        50..=u64::MAX,
        "at least 50: the broker wants registrations paced, its own samples by 100",
    )?;
    within(
        "kis.session.connect_budget",
        budget,
        1..=20,
        "1 to 20: the broker blocks app keys that connect in a loop; any number is for simulated venues alone",
    )?;
    within(
        "kis.session.connect_window_s",
        session.connect_window_s,
        60 * budget..=u64::MAX,
        "at least 60 for each connect of connect_budget: the broker blocks app keys that connect in a loop",
    )?;
    within(
        "kis.session.changes_max",
        changes,
        1..=20,
        "1 to 20: the broker blocks endless subscribing and unsubscribing; any number is for simulated venues alone",
    )?;
    within(
        "kis.session.change_window_s",
        session.change_window_s,
        60 * changes..=u64::MAX,
        "at least 60 for each change of changes_max: the broker blocks endless subscribing and unsubscribing",
    )?;
    if session.data_silence_s > 0 {
        let expected = "0, or at least 60: a line without data is connected anew, and the broker blocks connect loops";
        within("kis.session.data_silence_s", session.data_silence_s, 60..=u64::MAX, expected)?;
    }
    Ok(())
}

fn within(
    field: &'static str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
    expected: &'static str,
) -> Result<(), Wrong> {
    if range.contains(&value) { Ok(()) } else { Err((field, value.to_string(), expected)) }
}
