//! What goes wrong with REST, by script, and what was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One line of the script: some requests, counted from 1, meet a fault.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RestFaultSpec {
    /// Requests whose path ends so are counted. Default: all.
    #[serde(default)]
    pub path: String,
    /// The first of them that meets the fault, from 1. Default 1.
    #[serde(default = "one")]
    pub from: u64,
    /// How many in a row do. Default 1.
    #[serde(default = "one")]
    pub times: u64,
    /// What happens.
    pub fault: RestFault,
}

fn one() -> u64 {
    1
}

/// What happens to a request.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RestFault {
    /// A refusal in the words of the gateway.
    Refuse {
        /// HTTP status. Default 500.
        #[serde(default = "status")]
        status: u16,
        /// As `EGW00201`.
        code: String,
        /// The text beside it.
        #[serde(default)]
        text: String,
    },
    /// The answer comes late.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection ends before the answer, or in its middle.
    Cut {
        /// Bytes of the answer that are sent. Default none.
        #[serde(default)]
        after: usize,
    },
    /// A page of a proxy instead of JSON.
    Page {
        /// HTTP status. Default 500.
        #[serde(default = "status")]
        status: u16,
    },
    /// An answer that is not the venue's, word for word.
    Answer {
        /// HTTP status. Default 200.
        #[serde(default = "good")]
        status: u16,
        /// The body.
        body: String,
        /// Whether the header `tr_cont` says that a page follows. Default false.
        #[serde(default)]
        more: bool,
    },
    /// All tokens have expired.
    ExpireTokens,
    /// The clock of the server is wrong, as the header `Date` of the answer tells.
    SkewDate {
        /// Seconds ahead; negative: behind.
        seconds: i64,
    },
}

/// Name under which is counted what has none.
const OTHER: &str = "other";
/// App keys that are counted apart.
const APPS_MAX: usize = 1024;

fn status() -> u16 {
    500
}

fn good() -> u16 {
    200
}

/// What REST was asked and how it answered.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct RestCounts {
    /// Connections accepted.
    pub connections: u64,
    /// Requests by path; those for paths that there are none of together as `other`.
    pub requests: BTreeMap<String, u64>,
    /// Refusals by code.
    pub refusals: BTreeMap<String, u64>,
    /// Requests for quotations by the last four characters of the app key; beyond a thousand of those as `other`.
    pub by_app: BTreeMap<String, u64>,
}

impl RestCounts {
    /// Requests of all paths that end so.
    pub fn requests_of(&self, path: &str) -> u64 {
        self.requests.iter().filter(|(known, _)| known.ends_with(path)).map(|(_, count)| count).sum()
    }

    /// Refusals with a code.
    pub fn refusals_of(&self, code: &str) -> u64 {
        self.refusals.get(code).copied().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
struct State {
    script: Vec<(RestFaultSpec, u64)>,
    counts: RestCounts,
}

/// Script and counts, shared by the connections.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<State>);

impl Shared {
    pub(crate) fn new(script: Vec<RestFaultSpec>) -> Self {
        let shared = Self(Mutex::default());
        shared.script(script);
        shared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn script(&self, script: Vec<RestFaultSpec>) {
        self.lock().script = script.into_iter().map(|spec| (spec, 0)).collect();
    }

    pub(crate) fn counts(&self) -> RestCounts {
        self.lock().counts.clone()
    }

    pub(crate) fn connected(&self) {
        self.lock().counts.connections += 1;
    }

    /// Counts a request and returns the faults it meets.
    pub(crate) fn asked(&self, path: &str, is_known: bool, app_key: Option<&str>) -> Vec<RestFault> {
        let mut state = self.lock();
        // What a client makes up must not fill the memory.
        let name = if is_known { path } else { OTHER };
        *state.counts.requests.entry(name.to_owned()).or_default() += 1;
        if let Some(key) = app_key {
            let by_app = &mut state.counts.by_app;
            let tail = key.get(key.len().saturating_sub(4)..).unwrap_or_default();
            let tail = if by_app.len() < APPS_MAX || by_app.contains_key(tail) { tail } else { OTHER };
            *by_app.entry(tail.to_owned()).or_default() += 1;
        }
        let mut met = Vec::new();
        for (spec, seen) in state.script.iter_mut().filter(|(spec, _)| path.ends_with(&spec.path)) {
            *seen += 1;
            if (spec.from..spec.from.saturating_add(spec.times)).contains(seen) {
                met.push(spec.fault.clone());
            }
        }
        met
    }

    pub(crate) fn refused(&self, code: &str) {
        *self.lock().counts.refusals.entry(code.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_requests_it_names_and_no_others() {
        let fault = RestFault::Cut { after: 0 };
        let spec = RestFaultSpec { path: "/b".into(), from: 2, times: 2, fault: fault.clone() };
        let shared = Shared::new(vec![spec]);
        let met: Vec<bool> =
            ["/b", "/a", "/b", "/x/b", "/b"].iter().map(|path| !shared.asked(path, true, None).is_empty()).collect();
        assert_eq!(met, [false, false, true, true, false]);
        assert_eq!(shared.counts().requests_of("/b"), 4);
    }

    #[test]
    fn paths_and_app_keys_that_somebody_makes_up_are_counted_together() {
        let shared = Shared::new(Vec::new());
        for n in 0..5_000 {
            shared.asked(&format!("/uapi/{n}"), false, Some(&format!("{n:036}")));
        }
        shared.asked("/oauth2/tokenP", true, None);
        let counts = shared.counts();
        assert_eq!((counts.requests.len(), counts.requests_of("other"), counts.requests_of("tokenP")), (2, 5_000, 1));
        assert_eq!((counts.by_app.len(), counts.by_app["other"]), (APPS_MAX + 1, 5_000 - APPS_MAX as u64));
    }

    #[test]
    fn the_script_reads_from_toml() {
        #[derive(Deserialize)]
        struct File {
            rest_faults: Vec<RestFaultSpec>,
        }
        let text =
            r#"rest_faults = [{ path = "tokenP", fault = { kind = "refuse", status = 403, code = "EGW00133" } }]"#;
        let file: File = toml::from_str(text).unwrap();
        assert_eq!((file.rest_faults[0].from, file.rest_faults[0].times), (1, 1));
    }
}
