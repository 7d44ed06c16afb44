//! Tokens and approval keys.

use serde_json::{Value, json};

use super::http::Request;
use super::{Answer, Rest, failure, oauth_failure, oauth_refusal, refusal};
use crate::auth::Denied;
use crate::rng::Rng;

impl Rest {
    /// `appkey` and a secret from a body, whose form is checked first.
    fn credentials(request: &Request, secret: &str) -> Result<(Value, String, String), Answer> {
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|_| oauth_failure(403, "EGW00132", "Content-type이 유효하지 않습니다."))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let missing = |code: &str, text: &str| oauth_failure(403, code, text);
        let key = text("appkey").ok_or_else(|| missing("EGW00103", "유효하지 않은 AppKey입니다."))?;
        let secret = text(secret).ok_or_else(|| missing("EGW00105", "유효하지 않은 AppSecret입니다."))?;
        Ok((body, key, secret))
    }

    fn grant_type_ok(body: &Value) -> bool {
        body.get("grant_type").and_then(Value::as_str) == Some("client_credentials")
    }

    pub(super) fn token(&self, request: &Request) -> Answer {
        let (body, key, secret) = match Self::credentials(request, "appsecret") {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        if !Self::grant_type_ok(&body) {
            return oauth_failure(403, "EGW00101", "유효하지 않은 요청입니다.");
        }
        match self.auth.token(&key, &secret) {
            Ok((token, left_s)) => {
                // KST wall clock, which is not scaled.
                let kst = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
                let expiry = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(left_s as i64);
                let expiry = expiry.to_zoned(kst).strftime("%Y-%m-%d %H:%M:%S").to_string();
                let body = json!({
                    "access_token": token,
                    "access_token_token_expired": expiry,
                    "token_type": "Bearer",
                    "expires_in": left_s as i64,
                });
                Answer::new(200, body)
            }
            Err(denied) => oauth_refusal(denied),
        }
    }

    pub(super) fn approval(&self, request: &Request) -> Answer {
        let (body, key, secret) = match Self::credentials(request, "secretkey") {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        if !Self::grant_type_ok(&body) {
            return oauth_failure(403, "EGW00101", "유효하지 않은 요청입니다.");
        }
        match self.auth.approval(&key, &secret) {
            Ok(approval_key) => Answer::new(200, json!({ "approval_key": approval_key })),
            Err(denied) => oauth_refusal(denied),
        }
    }

    /// The digest of an order's body, which some clients ask for and send along. The real server's algorithm is not known:
    /// this one is 64 hexadecimal digits that differ from body to body.
    pub(super) fn hashkey(&self, request: &Request) -> Answer {
        let header = |name| request.header(name).unwrap_or("");
        if let Err(denied) = self.auth.knows(header("appkey"), header("appsecret")) {
            return refusal(denied);
        }
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return failure(500, "EGW00132", "Content-type이 유효하지 않습니다.");
        };
        let seed = request
            .body
            .iter()
            .fold(0xCBF2_9CE4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3));
        let mut rng = Rng::new(seed);
        let hash: String = (0..4).map(|_| format!("{:016x}", rng.next_u64())).collect();
        Answer::new(200, json!({ "BODY": body, "HASH": hash }))
    }

    pub(super) fn revoke(&self, request: &Request) -> Answer {
        let (body, _, _) = match Self::credentials(request, "appsecret") {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let token = body.get("token").and_then(Value::as_str).unwrap_or("");
        if self.auth.revoke(token) {
            Answer::new(200, json!({ "code": 200, "message": "접근토큰 폐기에 성공하였습니다" }))
        } else {
            oauth_refusal(Denied::TokenInvalid)
        }
    }
}
