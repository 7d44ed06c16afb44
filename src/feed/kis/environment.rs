//! Which server is meant: one word for hosts, ports, pace and what may be registered.

use serde::{Deserialize, Serialize};

use super::rest::{is_loopback, is_mock};

/// What the mock server lets a session register: trades and books of KRX, and the notices of its own accounts.
pub const MOCK_TRS: [&str; 5] = ["H0STCNT0", "H0STASP0", "H0STCNI9", "H0GSCNI9", "H0IFCNI9"];

/// A server of the broker, or a simulated one. App keys of one environment are unknown in the others.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// The broker's server: all transactions, 15 calls a second; REST over TLS, WebSocket without.
    #[default]
    Real,
    /// The broker's server for paper trading: five transactions ([`MOCK_TRS`]), one call a second.
    Mock,
    /// `kis-sim` on this host, on the ports that its manual names; nothing is encrypted.
    Simulator,
}

/// By the names of the configuration.
impl std::str::FromStr for Environment {
    type Err = serde::de::value::Error;

    fn from_str(name: &str) -> Result<Environment, Self::Err> {
        Environment::deserialize(serde::de::IntoDeserializer::into_deserializer(name))
    }
}

impl Environment {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Environment::Real => "real",
            Environment::Mock => "mock",
            Environment::Simulator => "simulator",
        }
    }

    /// REST base address.
    pub fn rest_url(self) -> &'static str {
        match self {
            Environment::Real => "https://openapi.koreainvestment.com:9443",
            Environment::Mock => "https://openapivts.koreainvestment.com:29443",
            Environment::Simulator => "http://127.0.0.1:9443",
        }
    }

    /// WebSocket address.
    pub fn ws_url(self) -> &'static str {
        match self {
            Environment::Real => "ws://ops.koreainvestment.com:21000",
            Environment::Mock => "ws://ops.koreainvestment.com:31000",
            Environment::Simulator => "ws://127.0.0.1:21000",
        }
    }

    /// Whether both addresses are the broker's, but of different environments: keys of one are unknown at the other.
    pub fn are_mixed(rest_url: &str, ws_url: &str) -> bool {
        let ours = |url: &str| url.contains("koreainvestment.com");
        ours(rest_url) && ours(ws_url) && is_mock(rest_url) != ws_url.ends_with(":31000")
    }
}

/// Where the broker's servers are, those of its master files included.
const DOMAINS: [&str; 2] = ["koreainvestment.com", "dws.co.kr"];

/// Whether an address is one of the broker's.
pub fn is_brokers(url: &str) -> bool {
    let host = host(url);
    DOMAINS.iter().any(|domain| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Whose data an address has: `real`, `mock`, `simulator` (on this host), or the host it names.
pub fn server_of(url: &str) -> String {
    match (is_brokers(url), is_mock(url)) {
        (true, true) => Environment::Mock.name().to_owned(),
        (true, false) => Environment::Real.name().to_owned(),
        (false, _) if is_loopback(url) => Environment::Simulator.name().to_owned(),
        (false, _) => host(url),
    }
}

fn host(url: &str) -> String {
    let uri = url.parse::<ureq::http::Uri>().ok();
    uri.and_then(|uri| uri.host().map(str::to_ascii_lowercase)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_environment_has_hosts_of_its_own_kind() {
        for environment in [Environment::Real, Environment::Mock, Environment::Simulator] {
            assert_eq!(environment.name().parse(), Ok(environment));
            assert_eq!(is_mock(environment.rest_url()), environment == Environment::Mock);
            assert!(!Environment::are_mixed(environment.rest_url(), environment.ws_url()));
        }
        assert!(Environment::are_mixed(Environment::Mock.rest_url(), Environment::Real.ws_url()));
        assert!(Environment::are_mixed(Environment::Real.rest_url(), Environment::Mock.ws_url()));
        assert!(!Environment::are_mixed("http://127.0.0.1:1", Environment::Mock.ws_url()), "a venue of our own");
        for (url, server) in [
            (Environment::Real.rest_url(), "real"),
            (Environment::Mock.rest_url(), "mock"),
            (super::super::masters::DOWNLOAD_URL, "real"),
            (Environment::Simulator.rest_url(), "simulator"),
            ("http://[::1]:9443", "simulator"),
            ("http://user@venue.example:9443/x", "venue.example"),
            ("https://notkoreainvestment.com", "notkoreainvestment.com"),
        ] {
            assert_eq!((server_of(url), is_brokers(url)), (server.to_owned(), ["real", "mock"].contains(&server)));
        }
        assert!("paper".parse::<Environment>().unwrap_err().to_string().contains("expected one of"));
    }
}
