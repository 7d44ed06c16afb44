//! REST of KIS, as far as a WebSocket session needs it: the approval key.

use std::time::Duration;

use serde_json::{Value, json};

use crate::secret::{Credentials, Secret};

/// Why an approval key could not be had. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The server was not reached, or the answer broke off.
    #[error("POST {url}: {message}; is the address right and the network up?")]
    Transport {
        /// Where.
        url: String,
        /// What the HTTP library said.
        message: String,
    },
    /// The server refused.
    #[error("POST {url}: HTTP {status} {code} {text}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// Broker's code, e.g. `EGW00103`.
        code: String,
        /// Broker's text.
        text: String,
    },
    /// A 200 without an approval key.
    #[error("POST {url}: the answer has no approval_key")]
    NoKey {
        /// Where.
        url: String,
    },
}

/// Asks for an approval key (valid 24 hours, checked when subscribing).
///
/// Blocks at most `timeout`; for cold threads.
pub fn approval_key(rest_url: &str, credentials: &Credentials, timeout: Duration) -> Result<Secret, ApprovalError> {
    let url = format!("{}/oauth2/Approval", rest_url.trim_end_matches('/'));
    let config = ureq::Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
    // A proxy of the environment is for the world, not for a venue on this host.
    let is_loopback = url.contains("//127.0.0.1") || url.contains("//localhost") || url.contains("//[::1]");
    let config = if is_loopback { config.proxy(None) } else { config };
    let agent: ureq::Agent = config.build().into();
    let transport = |error: ureq::Error| ApprovalError::Transport { url: url.clone(), message: error.to_string() };
    let mut answer = agent
        .post(&url)
        .header("content-type", "application/json; charset=utf-8")
        .send_json(json!({
            "grant_type": "client_credentials",
            "appkey": credentials.app_key.expose(),
            "secretkey": credentials.app_secret.expose(),
        }))
        .map_err(transport)?;
    let status = answer.status().as_u16();
    let body: Value = match answer.body_mut().read_json() {
        Ok(body) => body,
        Err(_) if status != 200 => Value::Null,
        Err(error) => return Err(transport(error)),
    };
    if status != 200 {
        // Two shapes of errors: token endpoints, and the rest.
        let field = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| body.get(*name)).and_then(Value::as_str).unwrap_or_default();
            // A message may echo what was sent.
            text.trim().replace(credentials.app_key.expose(), "***").replace(credentials.app_secret.expose(), "***")
        };
        let (code, text) = (field(["error_code", "msg_cd"]), field(["error_description", "msg1"]));
        return Err(ApprovalError::Refused { url, status, code, text });
    }
    match body.get("approval_key").and_then(Value::as_str) {
        Some(key) if !key.is_empty() => Ok(Secret::new(key)),
        _ => Err(ApprovalError::NoKey { url }),
    }
}
