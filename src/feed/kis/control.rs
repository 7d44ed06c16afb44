//! Control frames: JSON between the data frames. Cold: a few a minute.
//!
//! An answer to a registration carries the key and vector of encrypted notices, and an error may echo the approval key:
//! none of the types here shows a secret when printed, and [`redact`](super::redact) overwrites them in the bytes that are
//! kept.

use std::fmt;

use simd_json::BorrowedValue;
use simd_json::prelude::*;

use crate::secret::Secret;
use crate::tick::RejectReason;

/// A control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// The broker asks whether we are there; answered by the same bytes.
    PingPong,
    /// A registration was taken or given up (`rt_cd` 0).
    Ack(Answer),
    /// Something was refused.
    Error(Answer),
    /// JSON of another shape.
    Unknown,
}

/// What the broker answers.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Transaction; empty where the broker doesn't say (`(null)`).
    pub tr_id: String,
    /// Key of the registration; empty where the broker doesn't say. An account's id on notices.
    pub tr_key: String,
    /// Message code, e.g. `OPSP0000`.
    pub code: String,
    /// Return code: `0` good, `1` and `9` bad.
    pub rt_cd: String,
    /// Text for people, blanks trimmed; words long enough to be a secret are overwritten.
    pub text: String,
    /// Whether the frames of the registration are encrypted.
    pub encrypted: bool,
    /// Initialisation vector of encrypted frames.
    pub iv: Option<Secret>,
    /// Key of encrypted frames.
    pub key: Option<Secret>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On notices the key names an account.
        let tr_key = if self.is_notice() { "***" } else { &self.tr_key };
        f.debug_struct("Answer")
            .field("tr_id", &self.tr_id)
            .field("tr_key", &tr_key)
            .field("code", &self.code)
            .field("rt_cd", &self.rt_cd)
            .field("text", &self.text)
            .field("encrypted", &self.encrypted)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// Whether the registration is of an account's notices: then `tr_key` names the account.
    pub fn is_notice(&self) -> bool {
        self.encrypted || is_notice(&self.tr_id)
    }
}

/// Whether a transaction is of an account's notices: the keys of its registrations name the account.
pub fn is_notice(tr_id: &str) -> bool {
    tr_id.contains("CNI") || matches!(tr_id, "HDFFF1C0" | "HDFFF2C0")
}

/// Whether a frame is meant as JSON: its first byte that isn't blank opens an object.
#[inline]
pub fn is_control(payload: &[u8]) -> bool {
    match payload {
        [b'{', ..] => true,
        [b' ' | b'\t' | b'\r' | b'\n', ..] => payload.trim_ascii_start().first() == Some(&b'{'),
        _ => false,
    }
}

/// Whether a frame asks whether we are there. One comparison for a data frame; a control frame is parsed, so that neither
/// the order of its members nor blanks matter.
#[inline]
pub fn is_pingpong(payload: &[u8]) -> bool {
    is_control(payload) && matches!(Control::parse(payload), Ok(Control::PingPong))
}

impl Control {
    /// Reads a control frame. Bytes that aren't UTF-8 are read as `?`.
    ///
    /// # Errors
    ///
    /// [`RejectReason::BadJson`] for what is not one JSON object.
    pub fn parse(payload: &[u8]) -> Result<Control, RejectReason> {
        let mut bytes = payload.to_vec();
        if std::str::from_utf8(&bytes).is_err() {
            for byte in bytes.iter_mut().filter(|byte| !byte.is_ascii()) {
                *byte = b'?';
            }
        }
        let value = simd_json::to_borrowed_value(&mut bytes).map_err(|_| RejectReason::BadJson)?;
        if value.as_object().is_none() {
            return Err(RejectReason::BadJson);
        }
        let header = value.get("header");
        let text = |object: Option<&BorrowedValue<'_>>, name: &str| -> Option<String> {
            object?.get(name)?.as_str().map(|text| text.trim().to_owned())
        };
        let tr_id = text(header, "tr_id").filter(|tr_id| tr_id != "(null)").unwrap_or_default();
        if tr_id == "PINGPONG" {
            return Ok(Control::PingPong);
        }
        let body = value.get("body");
        let Some(rt_cd) = text(body, "rt_cd") else { return Ok(Control::Unknown) };
        let output = body.and_then(|body| body.get("output"));
        let answer = Answer {
            tr_id,
            tr_key: text(header, "tr_key").unwrap_or_default(),
            code: text(body, "msg_cd").unwrap_or_default(),
            text: masked(&text(body, "msg1").unwrap_or_default()),
            encrypted: text(header, "encrypt").as_deref() == Some("Y"),
            iv: text(output, "iv").filter(|iv| !iv.is_empty()).map(Secret::new),
            key: text(output, "key").filter(|key| !key.is_empty()).map(Secret::new),
            rt_cd,
        };
        Ok(if answer.rt_cd == "0" { Control::Ack(answer) } else { Control::Error(answer) })
    }
}

/// The text with every word of 20 bytes or more overwritten: approval keys are longer, words of messages shorter.
fn masked(text: &str) -> String {
    let mask = |word: &str| if word.len() >= 20 { "*".repeat(word.len()) } else { word.to_owned() };
    text.split(' ').map(mask).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pingpong_is_known_by_its_content_not_by_its_beginning() {
        for text in [
            r#"{"header":{"tr_id":"PINGPONG","datetime":"20260914090000"}}"#,
            r#"{"header":{"datetime":"20260914090000","tr_id":"PINGPONG"}}"#,
            " {\n \"header\" : { \"tr_id\" : \"PING\\u0050ONG\" } }\r\n",
        ] {
            assert!(is_pingpong(text.as_bytes()), "{text}");
        }
        for text in [
            r#"{"header":{"tr_id":"H0STCNT0","tr_key":"PINGPONG"}}"#,
            r#"{"header":{"tr_id":"PINGPONG""#,
            r#"PINGPONG"#,
            "0|H0STCNT0|001|PINGPONG",
            "",
            "{",
        ] {
            assert!(!is_pingpong(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_ack_has_its_registration_and_hides_its_secrets() {
        let text = r#"{"header":{"tr_id":"H0STCNT0","tr_key":"005930","encrypt":"N"},"body":{"rt_cd":"0","msg_cd":"OPSP0000","msg1":"SUBSCRIBE SUCCESS   ","output":{"iv":"vectorvector","key":"keykeykey"}}}"#;
        let Ok(Control::Ack(answer)) = Control::parse(text.as_bytes()) else { panic!("an ack") };
        assert_eq!(
            (answer.tr_id.as_str(), answer.tr_key.as_str(), answer.code.as_str()),
            ("H0STCNT0", "005930", "OPSP0000")
        );
        assert_eq!((answer.text.as_str(), answer.rt_cd.as_str(), answer.encrypted), ("SUBSCRIBE SUCCESS", "0", false));
        assert_eq!(answer.key.as_ref().map(Secret::expose), Some("keykeykey"));
        assert_eq!(answer.iv.as_ref().map(Secret::expose), Some("vectorvector"));
        let shown = format!("{answer:?} {:?}", answer.key);
        assert!(!shown.contains("keykey") && !shown.contains("vector"), "{shown}");
    }

    #[test]
    fn a_notice_hides_the_account_and_an_error_hides_the_key_it_echoes() {
        let text = r#"{"header":{"tr_id":"H0STCNI0","tr_key":"someone","encrypt":"Y"},"body":{"rt_cd":"0","msg_cd":"OPSP0000","msg1":"SUBSCRIBE SUCCESS"}}"#;
        let Ok(Control::Ack(answer)) = Control::parse(text.as_bytes()) else { panic!("an ack") };
        assert!(answer.is_notice() && answer.key.is_none());
        assert!(!format!("{answer:?}").contains("someone"));
        let text = r#"{"body":{"rt_cd":"1","msg_cd":"OPSP0011","msg1":"invalid approval : 01234567-89ab-cdef-0123-456789abcdef"}}"#;
        let Ok(Control::Error(answer)) = Control::parse(text.as_bytes()) else { panic!("an error") };
        assert_eq!(answer.text, format!("invalid approval : {}", "*".repeat(36)));
        assert!(answer.tr_id.is_empty());
    }

    #[test]
    fn an_error_without_a_registration_is_an_error_all_the_same() {
        let text = r#"{"header":{"tr_id":"(null)","tr_key":"","encrypt":"N"},"body":{"rt_cd":"9","msg_cd":"OPSP8996","msg1":"ALREADY IN USE appkey"}}"#;
        let Ok(Control::Error(answer)) = Control::parse(text.as_bytes()) else { panic!("an error") };
        assert_eq!((answer.tr_id.as_str(), answer.code.as_str(), answer.rt_cd.as_str()), ("", "OPSP8996", "9"));
    }

    #[test]
    fn bytes_that_are_not_utf8_do_not_lose_an_answer() {
        let text = b"{\"body\":{\"rt_cd\":\"1\",\"msg_cd\":\"OPSP0007\",\"msg1\":\"\xb0\xa1\xb3\xaa\"}}";
        let Ok(Control::Error(answer)) = Control::parse(text) else { panic!("an error") };
        assert_eq!((answer.code.as_str(), answer.text.as_str()), ("OPSP0007", "????"));
    }

    #[test]
    fn what_is_no_object_is_bad_json_and_another_object_is_unknown() {
        for bytes in [&b""[..], b"{", b"[1]", b"nonsense", b"\"PINGPONG\"", b"{\"a\":}"] {
            assert_eq!(Control::parse(bytes), Err(RejectReason::BadJson), "{}", bytes.escape_ascii());
        }
        assert_eq!(Control::parse(b"{\"a\":1}"), Ok(Control::Unknown));
        assert_eq!(Control::parse(b"{\"header\":5,\"body\":[]}"), Ok(Control::Unknown));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(noise in prop::collection::vec(any::<u8>(), 0..200), text in "[{}\":a-z0-9, \\\\\\[\\]]{0,80}") {
            let _ = Control::parse(&noise);
            let _ = is_pingpong(text.as_bytes());
            let _ = Control::parse(&[b"{\"header\":", &noise[..], b"}"].concat());
        }
    }
}
