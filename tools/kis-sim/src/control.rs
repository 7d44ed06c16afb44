//! Subscribe messages and their answers: every code of KIS's list, in the order in which a message is checked.

use serde_json::{Value, json};

use crate::config::Accept;

/// TRs of the venue: those of the public list.
pub const TR_IDS: &[&str] = &[
    "H0BICNT0", "H0BJASP0", "H0BJCNT0", "H0CFASP0", "H0CFCNT0", "H0EUANC0", "H0EUASP0", "H0EUCNI0", "H0EUCNT0",
    "H0EWANC0", "H0EWASP0", "H0EWCNT0", "H0GSCNI0", "H0GSCNI9", "H0IFASP0", "H0IFCNI0", "H0IFCNI9", "H0IFCNT0",
    "H0IOASP0", "H0IOCNT0", "H0MFASP0", "H0MFCNI0", "H0MFCNT0", "H0NXANC0", "H0NXASP0", "H0NXCNT0", "H0NXMBC0",
    "H0NXMKO0", "H0NXPGM0", "H0STANC0", "H0STASP0", "H0STCNI0", "H0STCNI9", "H0STCNT0", "H0STMBC0", "H0STMKO0",
    "H0STNAV0", "H0STOAA0", "H0STOAC0", "H0STOUP0", "H0STPGM0", "H0UNANC0", "H0UNASP0", "H0UNCNT0", "H0UNMBC0",
    "H0UNMKO0", "H0UNPGM0", "H0UPANC0", "H0UPCNT0", "H0UPPGM0", "H0ZFANC0", "H0ZFASP0", "H0ZFCNT0", "H0ZOANC0",
    "H0ZOASP0", "H0ZOCNT0", "HDFFF010", "HDFFF020", "HDFFF1C0", "HDFFF2C0", "HDFSASP0", "HDFSASP1", "HDFSCNT0",
];

/// TRs the mock server knows.
pub const MOCK_TR_IDS: [&str; 5] = ["H0STCNT0", "H0STASP0", "H0STCNI9", "H0GSCNI9", "H0IFCNI9"];

/// A code, its `rt_cd` and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `msg_cd`.
    pub msg_cd: &'static str,
    /// `rt_cd`.
    pub rt_cd: &'static str,
    /// `msg1`.
    pub msg1: &'static str,
}

const fn code(msg_cd: &'static str, rt_cd: &'static str, msg1: &'static str) -> Code {
    Code { msg_cd, rt_cd, msg1 }
}

/// Subscribed.
pub const SUBSCRIBED: Code = code("OPSP0000", "0", "SUBSCRIBE SUCCESS");
/// Unsubscribed.
pub const UNSUBSCRIBED: Code = code("OPSP0001", "0", "UNSUBSCRIBE SUCCESS");
/// Registered before.
pub const ALREADY: Code = code("OPSP0002", "1", "ALREADY IN SUBSCRIBE");
/// Not registered.
pub const NOT_FOUND: Code = code("OPSP0003", "1", "UNSUBSCRIBE ERROR(not found!)");
/// The limit of registrations.
pub const MAX_OVER: Code = code("OPSP0008", "1", "MAX SUBSCRIBE OVER");
/// Unknown approval key; the answer echoes it.
pub const INVALID_APPROVAL: Code = code("OPSP0011", "1", "invalid approval : NOT FOUND");
/// Another session of the app key.
pub const IN_USE: Code = code("OPSP8996", "9", "ALREADY IN USE appkey");
const INVALID_TR_ID: Code = code("OPSP8991", "1", "invalid tr_id");
const INVALID_TR_KEY: Code = code("OPSP8992", "1", "invalid tr_key");
const INVALID_TR_KEY_LENGTH: Code = code("OPSP8993", "1", "invalid tr_key length");
const INVALID_TR_TYPE: Code = code("OPSP8997", "1", "invalid tr_type");
const INVALID_CUSTTYPE: Code = code("OPSP8998", "1", "invalid custtype");
const NO_TR_KEY: Code = code("OPSP9990", "1", "tr_key not found");
const NO_INPUT: Code = code("OPSP9991", "1", "input not found");
const NO_BODY: Code = code("OPSP9992", "1", "body not found");
/// The approval key belongs to another app key than the session.
pub const INVALID_APPKEY: Code = code("OPSP9994", "1", "INVALID appkey");
const NO_APPKEY: Code = code("OPSP9996", "1", "appkey not found");
const NO_CUSTTYPE: Code = code("OPSP9997", "1", "custtype not found");
const NO_HEADER: Code = code("OPSP9998", "1", "header not found");
const INVALID_JSON: Code = code("OPSP9999", "1", "invalid json");

/// Codes a venue of this kind never has a reason for, known so that a script can refuse with them.
const BY_SCRIPT_ONLY: [Code; 8] = [
    code("OPSP0007", "1", "SUBSCRIBE INTERNAL ERROR"),
    code("OPSP0009", "1", "SUBSCRIBE ERROR : mci send failed"),
    code("OPSP0010", "1", "invalid appkey warning"),
    code("OPSP8994", "1", "personalseckey not found"),
    code("OPSP8995", "1", "appsecret not found"),
    code("OPSP8999", "1", "resource not available"),
    code("OPSP9993", "1", "internal error"),
    code("OPSP9995", "1", "resource error"),
];

/// The code a script asks for; an unknown one gets `rt_cd` 1 and a plain text.
pub fn refusal(msg_cd: &str) -> (String, String, String) {
    let known = [
        ALREADY,
        NOT_FOUND,
        MAX_OVER,
        INVALID_APPROVAL,
        IN_USE,
        INVALID_TR_ID,
        INVALID_TR_KEY,
        INVALID_TR_KEY_LENGTH,
        INVALID_TR_TYPE,
        INVALID_CUSTTYPE,
        NO_TR_KEY,
        NO_INPUT,
        NO_BODY,
        INVALID_APPKEY,
        NO_APPKEY,
        NO_CUSTTYPE,
        NO_HEADER,
        INVALID_JSON,
    ];
    let found = known.iter().chain(&BY_SCRIPT_ONLY).find(|c| c.msg_cd == msg_cd);
    found.map_or_else(
        || (msg_cd.to_owned(), "1".to_owned(), "refused".to_owned()),
        |c| (c.msg_cd.to_owned(), c.rt_cd.to_owned(), c.msg1.to_owned()),
    )
}

/// A well-formed message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The answer to PINGPONG, in any spelling.
    PingPong,
    /// Subscribe or unsubscribe; the approval key is yet to be checked.
    Register(Registration),
}

/// One (TR, key) to add or remove.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// Never shown, but echoed to the client by OPSP0011 as the real server does.
    pub approval_key: String,
    /// False to unsubscribe.
    pub subscribe: bool,
    /// Known TR id.
    pub tr_id: String,
    /// Well-formed key.
    pub tr_key: String,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registration({} {} {})", if self.subscribe { "+" } else { "-" }, self.tr_id, self.tr_key)
    }
}

/// A refusal with as much of the request as was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// TR id where it was read, else `(null)`.
    pub tr_id: String,
    /// Key where it was read, else empty.
    pub tr_key: String,
}

/// What may be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Only the TRs of the mock server.
    pub mock: bool,
    /// TRs and keys that exist, or any.
    pub accept: Accept,
}

/// Checks the form of a client's text.
///
/// # Errors
/// The first thing that is wrong, in the order header, approval key, custtype, tr_type, body, input, tr_id, tr_key.
pub fn parse(text: &[u8], rules: Rules) -> Result<Request, Refused> {
    let nothing = |code| Refused { code, tr_id: "(null)".into(), tr_key: String::new() };
    let Ok(Value::Object(message)) = serde_json::from_slice::<Value>(text) else { return Err(nothing(INVALID_JSON)) };
    let Some(header) = message.get("header").and_then(Value::as_object) else { return Err(nothing(NO_HEADER)) };
    if header.get("tr_id").and_then(Value::as_str) == Some("PINGPONG") {
        return Ok(Request::PingPong);
    }
    let input = message.get("body").and_then(|body| body.get("input"));
    let field = |name: &str| input.and_then(|input| input.get(name)).and_then(Value::as_str);
    let refuse = |code| Refused {
        code,
        tr_id: field("tr_id").unwrap_or("(null)").to_owned(),
        tr_key: field("tr_key").unwrap_or("").to_owned(),
    };
    let Some(approval_key) = header.get("approval_key").and_then(Value::as_str) else { return Err(refuse(NO_APPKEY)) };
    match header.get("custtype").and_then(Value::as_str) {
        None => return Err(refuse(NO_CUSTTYPE)),
        Some("P" | "B") => {}
        Some(_) => return Err(refuse(INVALID_CUSTTYPE)),
    }
    let subscribe = match header.get("tr_type").and_then(Value::as_str) {
        Some("1") => true,
        Some("2") => false,
        _ => return Err(refuse(INVALID_TR_TYPE)),
    };
    if message.get("body").is_none_or(|body| !body.is_object()) {
        return Err(refuse(NO_BODY));
    }
    if input.is_none_or(|input| !input.is_object()) {
        return Err(refuse(NO_INPUT));
    }
    let any = rules.accept == Accept::Any;
    let allowed = if rules.mock { &MOCK_TR_IDS[..] } else { TR_IDS };
    let is_allowed = |tr: &&str| if any { is_printable(tr) } else { allowed.contains(tr) };
    let Some(tr_id) = field("tr_id").filter(is_allowed) else { return Err(refuse(INVALID_TR_ID)) };
    let Some(tr_key) = field("tr_key") else { return Err(refuse(NO_TR_KEY)) };
    if tr_key.len() > 20 {
        return Err(refuse(INVALID_TR_KEY_LENGTH));
    }
    if !(if any { is_printable(tr_key) } else { well_formed(tr_id, tr_key) }) {
        return Err(refuse(INVALID_TR_KEY));
    }
    Ok(Request::Register(Registration {
        approval_key: approval_key.to_owned(),
        subscribe,
        tr_id: tr_id.to_owned(),
        tr_key: tr_key.to_owned(),
    }))
}

/// The approval key of a message that need not be well-formed otherwise.
pub fn approval_key(text: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(text).ok()?;
    Some(message.get("header")?.get("approval_key")?.as_str()?.to_owned())
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Shape of a key by TR: indices have four digits, domestic stocks six or seven letters and digits, those abroad and
/// customers whatever can be printed, as `DNYSBRK/B`, the rest letters and digits.
fn well_formed(tr_id: &str, tr_key: &str) -> bool {
    let alphanumeric = tr_key.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_notice(tr_id) || tr_id.starts_with("HDFS") {
        !tr_key.is_empty() && tr_key.bytes().all(|b| b.is_ascii_graphic())
    } else if tr_id.starts_with("H0UP") {
        tr_key.len() == 4 && tr_key.bytes().all(|b| b.is_ascii_digit())
    } else if ["H0ST", "H0NX", "H0UN"].iter().any(|family| tr_id.starts_with(family)) {
        (6..=7).contains(&tr_key.len()) && alphanumeric
    } else {
        !tr_key.is_empty() && alphanumeric
    }
}

/// Account notices, whose acks say `encrypt` Y.
pub(crate) fn is_notice(tr_id: &str) -> bool {
    tr_id.contains("CNI") || tr_id.starts_with("HDFFF") && tr_id != "HDFFF010" && tr_id != "HDFFF020"
}

/// The answer to a message. `secrets` are iv and key, sent with every success.
pub fn answer(
    msg_cd: &str,
    rt_cd: &str,
    msg1: &str,
    tr_id: &str,
    tr_key: &str,
    secrets: Option<(&str, &str)>,
) -> String {
    let encrypt = if is_notice(tr_id) { "Y" } else { "N" };
    let mut body = json!({ "rt_cd": rt_cd, "msg_cd": msg_cd, "msg1": msg1 });
    if let Some((iv, key)) = secrets {
        body["output"] = json!({ "iv": iv, "key": key });
    }
    json!({ "header": { "tr_id": tr_id, "tr_key": tr_key, "encrypt": encrypt }, "body": body }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: Rules = Rules { mock: false, accept: Accept::Listed };

    #[test]
    fn with_any_accepted_only_the_form_counts() {
        let text = |tr: &str, key: &str| {
            let header = json!({"approval_key":"k","custtype":"P","tr_type":"1","content-type":"utf-8"});
            message(header, json!({"input":{"tr_id":tr,"tr_key":key}}))
        };
        let any = Rules { accept: Accept::Any, ..REAL };
        let parsed = parse(text("X9NEWTR0", "DNAS@1").as_bytes(), any);
        assert!(matches!(parsed, Ok(Request::Register(r)) if r.tr_id == "X9NEWTR0" && r.tr_key == "DNAS@1"));
        assert_eq!(parse(text("X9NEWTR0", "").as_bytes(), any).unwrap_err().code.msg_cd, "OPSP8992");
        assert_eq!(parse(text("", "005930").as_bytes(), any).unwrap_err().code.msg_cd, "OPSP8991");
    }

    fn message(header: Value, body: Value) -> String {
        json!({ "header": header, "body": body }).to_string()
    }

    #[test]
    fn each_missing_or_wrong_part_has_its_code() {
        let good_header = || json!({"approval_key":"k","custtype":"P","tr_type":"1","content-type":"utf-8"});
        let good_body = || json!({"input":{"tr_id":"H0STCNT0","tr_key":"005930"}});
        let without = |mut value: Value, name: &str| {
            value.as_object_mut().unwrap().remove(name);
            value
        };
        let with = |mut value: Value, name: &str, new: Value| {
            value[name] = new;
            value
        };
        let input = |tr: &str, key: &str| json!({"input":{"tr_id":tr,"tr_key":key}});
        let cases = [
            ("{".to_owned(), "OPSP9999"),
            ("[]".to_owned(), "OPSP9999"),
            (json!({"body":good_body()}).to_string(), "OPSP9998"),
            (message(without(good_header(), "approval_key"), good_body()), "OPSP9996"),
            (message(without(good_header(), "custtype"), good_body()), "OPSP9997"),
            (message(with(good_header(), "custtype", json!("X")), good_body()), "OPSP8998"),
            (message(with(good_header(), "tr_type", json!("0")), good_body()), "OPSP8997"),
            (json!({"header":good_header()}).to_string(), "OPSP9992"),
            (message(good_header(), json!({})), "OPSP9991"),
            (message(good_header(), json!({"input":{"tr_id":"H0STCNT0"}})), "OPSP9990"),
            (message(good_header(), input("H0XXXXX0", "005930")), "OPSP8991"),
            (message(good_header(), input("H0STCNT0", "5930")), "OPSP8992"),
            (message(good_header(), input("H0UPCNT0", "005930")), "OPSP8992"),
            (message(good_header(), input("H0STCNT0", "005930005930005930005930")), "OPSP8993"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text.as_bytes(), REAL).unwrap_err().code.msg_cd, expected, "{text}");
        }
        for key in ["DNYSBRK/B", "RNASAAPL", "DHKS00700"] {
            assert!(parse(message(good_header(), input("HDFSCNT0", key)).as_bytes(), REAL).is_ok(), "{key}");
        }
        assert!(parse(message(good_header(), input("HDFSCNT0", "DNYS BRK")).as_bytes(), REAL).is_err());
        let index = message(good_header(), input("H0UPCNT0", "0001"));
        assert!(parse(index.as_bytes(), REAL).is_ok());
        assert_eq!(parse(index.as_bytes(), Rules { mock: true, ..REAL }).unwrap_err().code.msg_cd, "OPSP8991");
    }

    #[test]
    fn an_ack_has_the_shape_of_a_real_one() {
        let text = answer("OPSP0000", "0", "SUBSCRIBE SUCCESS", "H0STCNT0", "005930", Some(("iv", "key")));
        let expected = r#"{"header":{"tr_id":"H0STCNT0","tr_key":"005930","encrypt":"N"},"body":{"rt_cd":"0","msg_cd":"OPSP0000","msg1":"SUBSCRIBE SUCCESS","output":{"iv":"iv","key":"key"}}}"#;
        assert_eq!(text, expected);
    }
}
