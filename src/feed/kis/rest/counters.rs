//! What happened over REST, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::breaker::BreakerState;

/// Counts since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests sent, repetitions among them.
    pub requests: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Refusals that the broker worded, whatever their code.
    pub refusals: u64,
    /// Of them: too many calls in a second (EGW00201).
    pub too_fast: u64,
    /// Requests that did not reach the server, or whose answer broke off.
    pub unreached: u64,
    /// Calls not made because the breaker was open.
    pub not_tried: u64,
    /// Times the breaker opened.
    pub breaker_opened: u64,
    /// Tokens issued.
    pub tokens: u64,
    /// Approval keys issued.
    pub approval_keys: u64,
}

/// What a client has done and how it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
    /// The breaker of the server.
    pub breaker: BreakerState,
    /// Each app key.
    pub app_keys: Vec<AppKeyReport>,
}

/// How an app key stands.
#[derive(Clone, Debug, Serialize)]
pub struct AppKeyReport {
    /// The account's name for logs.
    pub name: String,
    /// Calls a second at present.
    pub calls_per_second: f64,
    /// Whether the broker refused the app key itself.
    pub refused: bool,
}

/// One thing to count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Request,
    Retry,
    Refusal,
    TooFast,
    Unreached,
    NotTried,
    BreakerOpened,
    Token,
    ApprovalKey,
}

#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; Event::ApprovalKey as usize + 1]);

impl Counters {
    pub(super) fn add(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn issued(&self, token: bool) {
        self.add(if token { Event::Token } else { Event::ApprovalKey });
    }

    pub(super) fn counts(&self) -> Counts {
        let count = |event: Event| self.0[event as usize].load(Ordering::Relaxed);
        Counts {
            requests: count(Event::Request),
            retries: count(Event::Retry),
            refusals: count(Event::Refusal),
            too_fast: count(Event::TooFast),
            unreached: count(Event::Unreached),
            not_tried: count(Event::NotTried),
            breaker_opened: count(Event::BreakerOpened),
            tokens: count(Event::Token),
            approval_keys: count(Event::ApprovalKey),
        }
    }
}
