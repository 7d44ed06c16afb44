//! The REST side: credentials, quotations of the simulated day, errors as KIS words them, faults by script.

mod charts;
mod credentials;
mod fault;
mod holidays;
mod http;
mod quotations;

use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::auth::{Auth, Denied};
use crate::config::SimConfig;
use crate::market::days::TradingDays;
use crate::market::tape::Tape;
use crate::market::{QuoteBoard, SymbolInfo};
use crate::venue::Quotes;

pub(crate) use fault::Shared;
pub use fault::{RestCounts, RestFault, RestFaultSpec};
use http::Request;
pub(crate) use http::RestServer;

/// What REST answers from.
#[derive(Debug)]
pub(crate) struct Rest {
    auth: Arc<Auth>,
    symbols: Vec<SymbolInfo>,
    board: Arc<QuoteBoard>,
    tape: Arc<Tape>,
    shared: Arc<Shared>,
    /// The simulated day.
    date: Date,
    trading_days: TradingDays,
    mock: bool,
}

/// Status, body, and the header that says whether more pages follow.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
    tr_cont: &'static str,
}

impl Answer {
    fn new(status: u16, body: Value) -> Self {
        Self { status, body, tr_cont: "" }
    }

    /// The code of a refusal.
    fn refusal(&self) -> Option<&str> {
        let body = &self.body;
        let refused = body.get("error_code").is_some() || body.get("rt_cd").is_some_and(|code| code != "0");
        refused.then(|| body.get("error_code").or_else(|| body.get("msg_cd")).and_then(Value::as_str))?
    }
}

/// How a quotation is answered.
type Handler = fn(&Rest, &Request) -> Answer;

/// Path after `/uapi/domestic-stock/v1/quotations/`, TR id, whether the mock server knows it, answer.
const QUOTATIONS: [(&str, &str, bool, Handler); 11] = [
    ("inquire-price", "FHKST01010100", true, Rest::inquire_price),
    ("inquire-asking-price-exp-ccn", "FHKST01010200", true, Rest::inquire_asking_price),
    ("inquire-daily-price", "FHKST01010400", true, Rest::inquire_daily_price),
    ("inquire-ccnl", "FHKST01010300", true, Rest::inquire_ccnl),
    ("inquire-time-itemconclusion", "FHPST01060000", true, Rest::inquire_time_itemconclusion),
    ("inquire-time-itemchartprice", "FHKST03010200", true, Rest::inquire_time_itemchartprice),
    ("inquire-daily-itemchartprice", "FHKST03010100", true, Rest::inquire_daily_itemchartprice),
    ("intstock-multprice", "FHKST11300006", false, Rest::intstock_multprice),
    ("chk-holiday", "CTCA0903R", false, Rest::chk_holiday),
    ("search-info", "CTPF1604R", true, Rest::search_info),
    ("search-stock-info", "CTPF1002R", true, Rest::search_stock_info),
];

impl Rest {
    pub(crate) fn new(config: &SimConfig, auth: Arc<Auth>, quotes: Quotes, shared: Arc<Shared>) -> Self {
        let Quotes { symbols, board, tape } = quotes;
        let trading_days = TradingDays::new(&config.closures, &config.openings);
        Self { auth, symbols, board, tape, shared, date: config.market_start.date(), trading_days, mock: config.mock }
    }

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/oauth2/tokenP") => self.token(request),
            ("POST", "/oauth2/Approval") => self.approval(request),
            ("POST", "/oauth2/revokeP") => self.revoke(request),
            ("GET", path) if path.starts_with("/uapi/") => self.quotation(request),
            _ => Answer::new(404, json!({ "rt_cd": "1", "msg_cd": "EGW00202", "msg1": "unknown path" })),
        }
    }

    fn quotation(&self, request: &Request) -> Answer {
        if let Err(denied) = self.authorised(request) {
            return refusal(denied);
        }
        let name = request.path.strip_prefix("/uapi/domestic-stock/v1/quotations/");
        let known = QUOTATIONS.iter().find(|(known, ..)| Some(*known) == name);
        match known {
            Some((_, _, false, _)) | None if self.mock => failure(500, "EGW00213", "모의투자 TR 이 아닙니다."),
            Some((_, tr_id, _, answer)) if request.header("tr_id") == Some(tr_id) => answer(self, request),
            _ => failure(500, "EGW00202", "GW라우팅 중 오류가 발생했습니다."),
        }
    }

    fn authorised(&self, request: &Request) -> Result<(), Denied> {
        let bearer = request.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).map(str::trim);
        let key = request.header("appkey").unwrap_or("");
        let secret = request.header("appsecret").unwrap_or("");
        self.auth.check(bearer, key, secret)
    }

    fn symbol(&self, code: Option<&str>) -> Option<(usize, &SymbolInfo)> {
        self.symbols.iter().enumerate().find(|(_, s)| Some(s.code.as_str()) == code)
    }

    fn date_text(&self) -> String {
        self.date.strftime("%Y%m%d").to_string()
    }
}

fn success(rows: Value) -> Answer {
    output(json!({ "output": rows }))
}

/// Outputs under names of their own.
fn output(mut body: Value) -> Answer {
    if let Value::Object(fields) = &mut body {
        // The real server pads the text with blanks.
        let msg1 = format!("{:<80}", "정상처리 되었습니다.");
        fields.extend(
            [("rt_cd", "0".to_owned()), ("msg_cd", "MCA00000".into()), ("msg1", msg1)]
                .map(|(name, text)| (name.to_owned(), Value::String(text))),
        );
    }
    Answer::new(200, body)
}

fn failure(status: u16, msg_cd: &str, msg1: &str) -> Answer {
    Answer::new(status, json!({ "rt_cd": "1", "msg_cd": msg_cd, "msg1": msg1 }))
}

fn oauth_failure(status: u16, code: &str, text: &str) -> Answer {
    Answer::new(status, json!({ "error_description": text, "error_code": code }))
}

fn words(denied: Denied) -> (&'static str, &'static str) {
    match denied {
        Denied::AppKey => ("EGW00103", "유효하지 않은 AppKey입니다."),
        Denied::AppSecret => ("EGW00105", "유효하지 않은 AppSecret입니다."),
        Denied::TokenTooSoon => ("EGW00133", "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)"),
        Denied::TooFast => ("EGW00201", "초당 거래건수를 초과하였습니다."),
        Denied::TokenInvalid => ("EGW00121", "유효하지 않은 token 입니다."),
        Denied::TokenMissing => ("EGW00122", "token 을 찾을 수 없습니다."),
        Denied::TokenExpired => ("EGW00123", "기간이 만료된 token 입니다."),
    }
}

fn refusal(denied: Denied) -> Answer {
    let (code, text) = words(denied);
    failure(500, code, text)
}

fn oauth_refusal(denied: Denied) -> Answer {
    let (code, text) = words(denied);
    oauth_failure(403, code, text)
}
