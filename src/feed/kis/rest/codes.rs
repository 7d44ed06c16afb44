//! Every code of the gateway (EGW), the query server (OPSQ) and the real-time server (OPSP), with what is done about it.
//!
//! HTTP status 500 alone says nothing: the broker uses it for calls too fast, tokens expired and symbols unknown alike.
//! Only the code decides; one that isn't listed is given up.
//!
#![doc = include_str!("codes.md")]

use serde::Serialize;

/// What a code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Nothing: the registration is in force.
    Registered,
    /// Nothing: the registration is not in force (any more).
    Withdrawn,
    /// The same call again, after a growing wait.
    Retry,
    /// The same call again, at a slower pace.
    SlowDown,
    /// The same call again, once, with a new token.
    RenewToken,
    /// The same registration again after minutes: it may be refused for good, or only for now.
    Later,
    /// A token later: the minute of the last one isn't over.
    WaitForToken,
    /// The same registration again, once, with a new approval key.
    RenewApproval,
    /// A new connection, after 20 seconds or more.
    BackOff,
    /// The registration of the lowest priority goes.
    Shed,
    /// This app key is of no use; another may be.
    DropKey,
    /// The caller has to change something.
    GiveUp,
}

/// A code of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    /// As `EGW00201`.
    pub code: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What is done.
    pub reaction: Reaction,
    /// What else is known, or what to do; may be empty.
    pub note: &'static str,
}

const fn code(code: &'static str, meaning: &'static str, reaction: Reaction, note: &'static str) -> Code {
    Code { code, meaning, reaction, note }
}

/// All known codes, in order.
pub const CODES: &[Code] = &[
    code("EGW00001", "transient error", Reaction::Retry, ""),
    code("EGW00002", "server error", Reaction::Retry, ""),
    code("EGW00003", "access refused", Reaction::GiveUp, ""),
    code("EGW00004", "customer without permission", Reaction::GiveUp, "apply for the API at the portal"),
    code("EGW00101", "invalid request", Reaction::GiveUp, ""),
    code("EGW00102", "app key missing", Reaction::GiveUp, ""),
    code(
        "EGW00103",
        "invalid app key",
        Reaction::DropKey,
        "check the app key and whether it is of this environment: real and mock have their own",
    ),
    code("EGW00104", "app secret missing", Reaction::GiveUp, ""),
    code("EGW00105", "invalid app secret", Reaction::DropKey, "check the app secret"),
    code("EGW00106", "redirect_uri missing", Reaction::GiveUp, ""),
    code("EGW00107", "invalid redirect_uri", Reaction::GiveUp, ""),
    code("EGW00108", "invalid service", Reaction::GiveUp, ""),
    code("EGW00109", "scope missing", Reaction::GiveUp, ""),
    code("EGW00110", "invalid scope", Reaction::GiveUp, ""),
    code("EGW00111", "invalid state", Reaction::GiveUp, ""),
    code("EGW00112", "invalid grant", Reaction::GiveUp, ""),
    code("EGW00113", "response_type missing", Reaction::GiveUp, ""),
    code("EGW00114", "unsupported response_type", Reaction::GiveUp, ""),
    code("EGW00115", "grant_type missing", Reaction::GiveUp, ""),
    code("EGW00116", "unsupported grant_type", Reaction::GiveUp, ""),
    code("EGW00117", "unsupported token_type", Reaction::GiveUp, ""),
    code("EGW00118", "invalid code", Reaction::GiveUp, ""),
    code("EGW00119", "code not found", Reaction::GiveUp, ""),
    code("EGW00120", "code expired (also seen for orders without cash)", Reaction::GiveUp, ""),
    code("EGW00121", "invalid token", Reaction::RenewToken, ""),
    code("EGW00122", "token not found", Reaction::RenewToken, ""),
    code("EGW00123", "token expired", Reaction::RenewToken, "comes with HTTP 500"),
    code("EGW00124", "invalid session_key", Reaction::GiveUp, ""),
    code("EGW00125", "session_key not found", Reaction::GiveUp, ""),
    code("EGW00126", "session_key expired", Reaction::GiveUp, ""),
    code("EGW00127", "corpno missing", Reaction::GiveUp, ""),
    code("EGW00128", "acctno missing", Reaction::GiveUp, ""),
    code("EGW00129", "HTS id missing", Reaction::GiveUp, ""),
    code("EGW00130", "invalid user", Reaction::GiveUp, ""),
    code("EGW00131", "invalid hashkey", Reaction::GiveUp, ""),
    code("EGW00132", "invalid content type", Reaction::GiveUp, ""),
    code(
        "EGW00133",
        "one token a minute",
        Reaction::WaitForToken,
        "another program with this app key asked for a token: share the folder of keys with it",
    ),
    code(
        "EGW00201",
        "too many calls in a second",
        Reaction::SlowDown,
        "comes with HTTP 500; the allowance belongs to the app key, over all programs",
    ),
    code("EGW00202", "gateway routing failed", Reaction::Retry, ""),
    code("EGW00203", "routing to the quotation server failed", Reaction::Retry, ""),
    code("EGW00204", "wrong gateway instance", Reaction::GiveUp, ""),
    code("EGW00205", "invalid credentials_type", Reaction::GiveUp, ""),
    code("EGW00206", "no permission for this API", Reaction::GiveUp, "apply for it at the portal"),
    code("EGW00207", "IP address missing or invalid", Reaction::GiveUp, ""),
    code("EGW00208", "invalid custtype", Reaction::GiveUp, ""),
    code("EGW00209", "invalid seq_no", Reaction::GiveUp, ""),
    code("EGW00210", "corporate customers have no mock server", Reaction::GiveUp, ""),
    code("EGW00211", "personalname missing", Reaction::GiveUp, ""),
    code("EGW00212", "personalphone missing", Reaction::GiveUp, ""),
    code(
        "EGW00213",
        "not for the mock server, or corpname missing",
        Reaction::GiveUp,
        "the mock server knows few transactions; ask the real one",
    ),
    code("EGW00300", "gateway routing failed", Reaction::Retry, ""),
    code(
        "EGW00301",
        "connection timed out",
        Reaction::Retry,
        "a query may be asked again; after an order look it up first",
    ),
    code("EGW00302", "call timed out", Reaction::Retry, "a query may be asked again; after an order look it up first"),
    code("EGW00303", "IP address not allowed for the company", Reaction::GiveUp, ""),
    code("EGW00304", "invalid customer key", Reaction::DropKey, "check the app secret"),
    code("OPSP0000", "subscribed", Reaction::Registered, ""),
    code("OPSP0001", "unsubscribed", Reaction::Withdrawn, ""),
    code(
        "OPSP0002",
        "already subscribed",
        Reaction::Registered,
        "an error to the broker; only notices whose key was lost are asked for anew",
    ),
    code("OPSP0003", "was not subscribed", Reaction::Withdrawn, "an error to the broker; the registration is gone"),
    code("OPSP0007", "internal error while subscribing", Reaction::Retry, ""),
    code("OPSP0008", "too many registrations", Reaction::Shed, "41 a session over all transactions"),
    code(
        "OPSP0009",
        "backend refused: the paid feed is not applied for, or it is down",
        Reaction::Later,
        "apply for the feed at the portal",
    ),
    code("OPSP0010", "invalid app key", Reaction::DropKey, ""),
    code("OPSP0011", "unknown approval key", Reaction::RenewApproval, "the text holds the key: never log it"),
    code("OPSP8991", "invalid tr_id", Reaction::GiveUp, ""),
    code("OPSP8992", "invalid tr_key", Reaction::GiveUp, ""),
    code("OPSP8993", "invalid tr_key", Reaction::GiveUp, ""),
    code("OPSP8994", "personalseckey missing", Reaction::DropKey, ""),
    code("OPSP8995", "appsecret missing", Reaction::DropKey, ""),
    code(
        "OPSP8996",
        "the app key has a session",
        Reaction::BackOff,
        "at least 20 seconds: quick attempts keep it locked",
    ),
    code("OPSP8997", "invalid tr_type", Reaction::GiveUp, ""),
    code("OPSP8998", "invalid custtype", Reaction::GiveUp, ""),
    code("OPSP8999", "out of resources", Reaction::Retry, ""),
    code("OPSP9990", "tr_key missing", Reaction::GiveUp, ""),
    code("OPSP9991", "input missing", Reaction::GiveUp, ""),
    code("OPSP9992", "body missing", Reaction::GiveUp, ""),
    code("OPSP9993", "internal error", Reaction::Retry, ""),
    code("OPSP9994", "invalid app key", Reaction::DropKey, ""),
    code("OPSP9995", "out of resources", Reaction::Retry, ""),
    code("OPSP9996", "app key missing", Reaction::DropKey, ""),
    code("OPSP9997", "custtype missing", Reaction::GiveUp, ""),
    code("OPSP9998", "header missing", Reaction::GiveUp, ""),
    code("OPSP9999", "invalid JSON", Reaction::GiveUp, ""),
    code("OPSQ0001", "preparing the call failed", Reaction::GiveUp, ""),
    code("OPSQ0002", "no such service", Reaction::GiveUp, "check tr_id and path"),
    code("OPSQ0003", "the call failed", Reaction::Retry, ""),
    code("OPSQ0004", "finishing the call failed", Reaction::Retry, ""),
    code("OPSQ0005", "finishing the call failed", Reaction::Retry, ""),
    code("OPSQ0006", "finishing the call failed", Reaction::Retry, ""),
    code("OPSQ0007", "finishing the call failed: headers", Reaction::Retry, ""),
    code("OPSQ0008", "finishing the call failed: sending", Reaction::Retry, ""),
    code("OPSQ0009", "finishing the call failed: receiving", Reaction::Retry, ""),
    code("OPSQ0010", "out of resources", Reaction::Retry, ""),
    code("OPSQ0011", "out of resources", Reaction::Retry, ""),
    code("OPSQ1002", "no session to the back end", Reaction::Retry, ""),
    code("OPSQ2000", "invalid account", Reaction::GiveUp, ""),
    code(
        "OPSQ2001",
        "a parameter is missing or its market code is invalid",
        Reaction::GiveUp,
        "compare the parameters with the endpoint",
    ),
    code("OPSQ2002", "a parameter has the wrong length", Reaction::GiveUp, "compare the parameters with the endpoint"),
    code("OPSQ2003", "composing the call failed", Reaction::GiveUp, ""),
    code("OPSQ3001", "composing the answer failed", Reaction::Retry, ""),
    code("OPSQ3002", "length of the call unknown", Reaction::Retry, ""),
    code("OPSQ3003", "composing the answer failed", Reaction::Retry, ""),
    code("OPSQ3004", "no memory for the answer", Reaction::Retry, ""),
    code("OPSQ9995", "body not found", Reaction::GiveUp, ""),
    code("OPSQ9996", "header not found", Reaction::GiveUp, ""),
    code("OPSQ9997", "invalid JSON", Reaction::GiveUp, ""),
    code("OPSQ9998", "seq_no not found", Reaction::GiveUp, ""),
    code("OPSQ9999", "tr_id not found", Reaction::GiveUp, ""),
];

impl Code {
    /// What is known of a code.
    pub fn find(code: &str) -> Option<&'static Code> {
        let at = CODES.binary_search_by(|known| known.code.cmp(code)).ok()?;
        CODES.get(at)
    }
}

impl Reaction {
    /// The reaction to a code: to one that isn't known, [`GiveUp`](Reaction::GiveUp).
    pub fn to(code: &str) -> Reaction {
        Code::find(code).map_or(Reaction::GiveUp, |known| known.reaction)
    }

    /// In a few words.
    pub fn words(self) -> &'static str {
        match self {
            Reaction::Registered => "none: it is in force",
            Reaction::Withdrawn => "none: it is not in force",
            Reaction::Retry => "retry with backoff",
            Reaction::SlowDown => "slow down, retry",
            Reaction::RenewToken => "renew the token once",
            Reaction::Later => "again after minutes",
            Reaction::WaitForToken => "wait for the minute to pass",
            Reaction::RenewApproval => "renew the approval key once",
            Reaction::BackOff => "back off 20 s or more",
            Reaction::Shed => "shed the lowest priority",
            Reaction::DropKey => "use another app key",
            Reaction::GiveUp => "give up",
        }
    }
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut text = String::from("| Code | Meaning | Reaction | Note |\n| --- | --- | --- | --- |\n");
    for known in CODES {
        let line = format!("| {} | {} | {} | {} |", known.code, known.meaning, known.reaction.words(), known.note);
        text.push_str(&line.replace("|  |", "| |"));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_in_order_and_each_stands_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!(Code::find("EGW00201").unwrap().reaction, Reaction::SlowDown);
        assert_eq!(Code::find("OPSP9999").unwrap().reaction, Reaction::GiveUp);
        assert_eq!(Reaction::to("KIOK0460"), Reaction::GiveUp);
    }

    /// Rewrites the table with `HOGA_BLESS=1`.
    #[test]
    fn the_documented_table_is_the_one_in_use() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/feed/kis/rest/codes.md");
        if std::env::var_os("HOGA_BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), markdown(), "HOGA_BLESS=1 writes it anew");
    }
}
