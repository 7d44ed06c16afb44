//! HTTP: pooled connections for queries, a fresh one for each post; secrets in headers that no log shows.
//!
//! At level `trace` the HTTP library logs the bytes of heads and bodies, whatever is marked as sensitive: that level is not
//! compiled, by a feature of the crate `log`.

use std::io::Read as _;
use std::net::IpAddr;
use std::time::Duration;

use ureq::http::{HeaderValue, Response};
use zeroize::Zeroizing;

use super::settings::RestSection;
use crate::secret::{Credentials, Secret};

const _: () = assert!(log::STATIC_MAX_LEVEL as usize <= log::LevelFilter::Debug as usize, "bytes would be logged");

/// Longest answer; the longest known are under 1 MiB.
const BODY_BYTES_MAX: u64 = 16 << 20;
/// Longer than any answer of the token endpoints.
const BODY_BYTES_FIRST: usize = 16 << 10;

/// Calls one server.
#[derive(Debug)]
pub(super) struct Agent {
    queries: ureq::Agent,
    /// A post that meets a connection the server has just closed could act twice, so it never uses a pooled one.
    posts: ureq::Agent,
    base: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether the header `tr_cont` says that pages follow.
    pub(super) more: bool,
    /// Overwritten when it is dropped: it may hold a token.
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// The server was not reached, or its answer broke off.
#[derive(Debug)]
pub(super) struct Unreached {
    pub(super) message: String,
    /// Whether the request may have reached it: false when there was no connection.
    pub(super) perhaps_sent: bool,
}

impl Unreached {
    fn new(error: &ureq::Error) -> Unreached {
        let no_connection = match error {
            ureq::Error::Io(error) => is_before_connection(error),
            ureq::Error::Timeout(at) => matches!(at, ureq::Timeout::Connect | ureq::Timeout::Resolve),
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
            _ => false,
        };
        Unreached { message: error.to_string(), perhaps_sent: !no_connection }
    }
}

/// Whether the system found no address or no way; the library passes its errors on as they are. A connection that stands
/// doesn't end by them within our timeouts.
fn is_before_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    let has_no_way = matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
    );
    // The standard library gives failed lookups no kind of their own.
    has_no_way || error.to_string().starts_with("failed to lookup address information")
}

impl Agent {
    pub(super) fn new(rest_url: &str, settings: &RestSection, connections: usize) -> Agent {
        let base = rest_url.trim_end_matches('/').to_owned();
        let build = |idle: usize| -> ureq::Agent {
            let config = ureq::Agent::config_builder()
                .timeout_connect(Some(settings.connect_timeout()))
                .timeout_recv_response(Some(settings.answer_timeout()))
                .timeout_recv_body(Some(settings.answer_timeout()))
                .timeout_global(Some(settings.connect_timeout() + settings.answer_timeout()))
                .max_idle_connections(idle)
                .max_idle_connections_per_host(idle)
                // Secrets are for this server, not for where it may point to.
                .max_redirects(0)
                .max_redirects_will_error(false)
                .http_status_as_error(false);
            // A proxy of the environment is for the world, not for a venue on this host.
            let config = if is_loopback(&base) { config.proxy(None) } else { config };
            config.build().into()
        };
        Agent { queries: build(connections), posts: build(0), base }
    }

    /// The server, for messages and as the environment of keys.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Queries a path with the headers of the broker.
    pub(super) fn query(
        &self,
        path: &str,
        tr_id: &str,
        parameters: &[(String, String)],
        next_page: bool,
        credentials: &Credentials,
        token: &Secret,
    ) -> Result<Reply, Unreached> {
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
        let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = self
            .queries
            .get(format!("{}{path}", self.base))
            .query_pairs(pairs)
            .header("content-type", "application/json; charset=utf-8")
            .header("authorization", secret_header(&bearer)?)
            .header("appkey", secret_header(credentials.app_key.expose())?)
            .header("appsecret", secret_header(credentials.app_secret.expose())?)
            .header("tr_id", tr_id)
            .header("tr_cont", if next_page { "N" } else { "" })
            .header("custtype", "P");
        reply(request.call())
    }

    /// Asks for the root page, whose status and `Date` are all that is looked at.
    pub(super) fn look(&self) -> Result<(u16, Option<String>), Unreached> {
        let response = self.queries.get(format!("{}/", self.base)).call().map_err(|error| Unreached::new(&error))?;
        let date = response.headers().get("date").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok((response.status().as_u16(), date))
    }

    /// Posts JSON to a token endpoint.
    pub(super) fn post(&self, path: &str, body: &[u8]) -> Result<Reply, Unreached> {
        let url = format!("{}{path}", self.base);
        let request = self.posts.post(&url).header("content-type", "application/json; charset=utf-8");
        reply(request.send(body))
    }
}

fn secret_header(value: &str) -> Result<HeaderValue, Unreached> {
    // The error of the HTTP library could show the value.
    let refused = |_| {
        let message = "a secret holds characters that no header can carry".to_owned();
        Unreached { message, perhaps_sent: false }
    };
    let mut header = HeaderValue::from_str(value).map_err(refused)?;
    header.set_sensitive(true);
    Ok(header)
}

fn reply(outcome: Result<Response<ureq::Body>, ureq::Error>) -> Result<Reply, Unreached> {
    let mut response = outcome.map_err(|error| Unreached::new(&error))?;
    let status = response.status().as_u16();
    let tr_cont = response.headers().get("tr_cont").map(|value| value.as_bytes().trim_ascii());
    let more = matches!(tr_cont, Some(b"F" | b"M"));
    // Room for any answer with a token: growing would leave copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES_FIRST));
    let mut reader = response.body_mut().with_config().limit(BODY_BYTES_MAX).reader();
    reader.read_to_end(&mut body).map_err(|error| Unreached::new(&ureq::Error::from(error)))?;
    Ok(Reply { status, more, body })
}

/// Whether secrets may go to an address: over TLS, or without it to this host alone. Otherwise what to write instead.
pub(crate) fn check_address(rest_url: &str) -> Result<(), &'static str> {
    let uri = rest_url.parse::<ureq::http::Uri>().ok();
    let has_host = uri.as_ref().and_then(|uri| uri.host()).is_some_and(|host| !host.is_empty());
    match uri.as_ref().and_then(|uri| uri.scheme_str()) {
        Some("https") if has_host => Ok(()),
        Some("http") if is_loopback(rest_url) => Ok(()),
        Some("http") => {
            Err("https://...: without TLS app key, secret and token could be read on their way; http:// is for a \
                             venue on this host, as http://127.0.0.1:9443")
        }
        _ => Err("an address as https://openapi.koreainvestment.com:9443"),
    }
}

/// Whether an address is of a WebSocket without TLS, which is all that the broker offers.
pub(crate) fn is_websocket(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { return false };
    uri.scheme_str() == Some("ws") && uri.host().is_some_and(|host| !host.is_empty())
}

/// Whether an address is of this host.
pub(in crate::feed::kis) fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// How long a token endpoint may take.
pub(super) fn post_patience(settings: &RestSection) -> Duration {
    settings.connect_timeout() + settings.answer_timeout()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_not_for_this_host() {
        assert!(is_loopback("http://127.0.0.1:80") && is_loopback("http://[::1]:1") && is_loopback("http://localhost"));
        assert!(
            !is_loopback("https://openapi.koreainvestment.com:9443") && !is_loopback("http://127.0.0.1.example.com")
        );
    }

    #[test]
    fn without_an_address_or_a_way_nothing_was_sent() {
        use std::io::ErrorKind;
        let perhaps_sent = |kind: ErrorKind| Unreached::new(&ureq::Error::Io(kind.into())).perhaps_sent;
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::NetworkDown,
            ErrorKind::AddrNotAvailable,
        ] {
            assert!(!perhaps_sent(kind), "{kind}");
        }
        for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof] {
            assert!(perhaps_sent(kind), "{kind}");
        }
        // A label that no name can have fails without asking anybody.
        let nowhere = format!("http://{}.invalid:1", "a".repeat(64));
        let agent = Agent::new(&nowhere, &RestSection::default(), 0);
        let unreached = agent.post("/oauth2/tokenP", b"{}").unwrap_err();
        assert!(!unreached.perhaps_sent, "{unreached:?}");
    }

    #[test]
    fn secrets_go_over_tls_or_to_this_host_alone() {
        for good in
            ["https://openapi.koreainvestment.com:9443", "http://127.0.0.1:1", "http://[::1]:9", "http://localhost"]
        {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for plain in ["http://openapi.koreainvestment.com:9443", "http://192.0.2.1", "http://127.0.0.1@192.0.2.1"] {
            assert!(check_address(plain).unwrap_err().contains("https://"), "{plain}");
        }
        for wrong in ["ftp://x", "openapi.koreainvestment.com:9443", "https://", "", "file:///etc", "ws://127.0.0.1"] {
            assert!(check_address(wrong).is_err(), "{wrong}");
        }
        assert!(is_websocket("ws://ops.koreainvestment.com:21000") && !is_websocket("ops.koreainvestment.com:21000"));
        assert!(!is_websocket("https://ops.koreainvestment.com") && !is_websocket("ws://"));
    }

    #[test]
    fn a_secret_that_is_no_header_is_not_shown() {
        let error = secret_header("hunter2\n").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(!format!("{:?}", secret_header("hunter2").unwrap()).contains("hunter2"));
    }
}
