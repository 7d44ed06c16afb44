//! The REST side: credentials, quotations of the simulated day, errors as KIS words them, faults by script.

mod charts;
mod credentials;
mod derivatives;
mod derived;
mod exchanges;
mod fault;
mod funds;
mod holidays;
mod http;
mod indices;
mod interruptions;
mod masters;
mod overseas;
mod overtime;
mod past;
mod periods;
mod quotations;
mod rankings;
mod rows;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::auth::{Auth, Denied};
use crate::config::{MasterSizes, SimConfig};
use crate::market::chronicle::{Chronicle, Morning};
use crate::market::days::TradingDays;
use crate::market::tape::Tape;
use crate::market::{QuoteBoard, SymbolInfo};
use crate::venue::Quotes;

pub(crate) use fault::Shared;
pub use fault::{RestCounts, RestFault, RestFaultSpec};
use http::Request;
pub(crate) use http::RestServer;
pub use masters::{MasterArchive, MasterRow, MasterSet};

/// What REST answers from on a day.
#[derive(Debug)]
pub(crate) struct Rest {
    auth: Arc<Auth>,
    /// With the base prices of the day.
    symbols: Vec<SymbolInfo>,
    /// The first day of the run: what lies before it is derived from there, so that it stays the same.
    first: Arc<Morning>,
    /// The simulated day.
    today: Arc<Morning>,
    board: Arc<QuoteBoard>,
    tape: Arc<Tape>,
    chronicle: Arc<Chronicle>,
    seed: u64,
    shared: Arc<Shared>,
    /// That of `today`.
    date: Date,
    trading_days: TradingDays,
    /// Each share was split in two.
    split: Date,
    mock: bool,
    master_sizes: MasterSizes,
    /// Made when they are first asked for.
    masters: OnceLock<MasterSet>,
}

/// REST of the present day, made anew when the market begins another.
#[derive(Debug)]
pub(crate) struct Days(Mutex<Arc<Rest>>);

impl Days {
    pub(crate) fn new(rest: Rest) -> Self {
        Self(Mutex::new(Arc::new(rest)))
    }

    fn today(&self) -> Arc<Rest> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let morning = rest.chronicle.morning();
        if !Arc::ptr_eq(&morning, &rest.today) {
            *rest = Arc::new(rest.of_day(morning));
        }
        Arc::clone(&rest)
    }
}

/// Status, body, and the header that says whether more pages follow.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
    tr_cont: &'static str,
    /// Seconds by which the header `Date` is ahead.
    date_skew_s: i64,
    /// Takes the place of the body.
    archive: Option<Box<Archive>>,
}

/// A file, and when it was made.
#[derive(Debug)]
struct Archive {
    bytes: Vec<u8>,
    made: Option<Timestamp>,
}

impl Answer {
    fn new(status: u16, body: Value) -> Self {
        Self { status, body, tr_cont: "", date_skew_s: 0, archive: None }
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

/// Last part of the path, TR id, whether the mock server knows it, answer.
type Route = (&'static str, &'static str, bool, Handler);

/// The rest of the path, and what it leads to.
const FAMILIES: &[(&str, &[Route])] = &[
    ("/uapi/domestic-stock/v1/quotations/", QUOTATIONS),
    ("/uapi/domestic-stock/v1/quotations/", indices::ROUTES),
    ("/uapi/domestic-stock/v1/quotations/", interruptions::ROUTES),
    ("/uapi/domestic-stock/v1/quotations/", overtime::ROUTES),
    ("/uapi/domestic-stock/v1/quotations/", rankings::BY_VOLUME),
    ("/uapi/domestic-stock/v1/ranking/", rankings::ROUTES),
    ("/uapi/etfetn/v1/quotations/", funds::ROUTES),
    ("/uapi/domestic-futureoption/v1/quotations/", derivatives::ROUTES),
    ("/uapi/overseas-price/v1/quotations/", overseas::ROUTES),
    ("/uapi/overseas-stock/v1/quotations/", overseas::DAYS),
];

const QUOTATIONS: &[Route] = &[
    ("inquire-price", "FHKST01010100", true, Rest::inquire_price),
    ("inquire-asking-price-exp-ccn", "FHKST01010200", true, Rest::inquire_asking_price),
    ("inquire-daily-price", "FHKST01010400", true, Rest::inquire_daily_price),
    ("inquire-ccnl", "FHKST01010300", true, Rest::inquire_ccnl),
    ("inquire-time-itemconclusion", "FHPST01060000", true, Rest::inquire_time_itemconclusion),
    ("inquire-time-itemchartprice", "FHKST03010200", true, Rest::inquire_time_itemchartprice),
    ("inquire-time-dailychartprice", "FHKST03010230", false, Rest::inquire_time_dailychartprice),
    ("inquire-daily-itemchartprice", "FHKST03010100", true, Rest::inquire_daily_itemchartprice),
    ("intstock-multprice", "FHKST11300006", false, Rest::intstock_multprice),
    ("chk-holiday", "CTCA0903R", false, Rest::chk_holiday),
    ("search-info", "CTPF1604R", false, Rest::search_info),
    ("search-stock-info", "CTPF1002R", false, Rest::search_stock_info),
    ("market-time", "HHMCM000002C0", false, Rest::market_time),
];

impl Rest {
    pub(crate) fn new(config: &SimConfig, auth: Arc<Auth>, quotes: Quotes, shared: Arc<Shared>) -> Self {
        let Quotes { symbols, board, tape, chronicle } = quotes;
        let trading_days = TradingDays::new(&config.closures, &config.openings);
        let morning = chronicle.morning();
        let a_year_before = config.market_start.date().checked_sub(365.days()).unwrap_or(Date::MIN);
        Self {
            auth,
            symbols,
            first: Arc::clone(&morning),
            date: morning.date,
            today: morning,
            board,
            tape,
            chronicle,
            seed: config.seed,
            shared,
            trading_days,
            split: config.split.unwrap_or(a_year_before),
            mock: config.mock,
            master_sizes: config.masters,
            masters: OnceLock::new(),
        }
    }

    /// The same on another day.
    fn of_day(&self, morning: Arc<Morning>) -> Self {
        Self {
            auth: Arc::clone(&self.auth),
            symbols: morning.symbols.clone(),
            first: Arc::clone(&self.first),
            date: morning.date,
            today: morning,
            board: Arc::clone(&self.board),
            tape: Arc::clone(&self.tape),
            chronicle: Arc::clone(&self.chronicle),
            seed: self.seed,
            shared: Arc::clone(&self.shared),
            trading_days: self.trading_days.clone(),
            split: self.split,
            mock: self.mock,
            master_sizes: self.master_sizes,
            masters: OnceLock::new(),
        }
    }

    /// Whether there is such a path.
    fn is_known(&self, path: &str) -> bool {
        let credentials = ["/oauth2/tokenP", "/oauth2/Approval", "/oauth2/revokeP", "/uapi/hashkey"];
        credentials.contains(&path) || route(path).is_some() || self.archive(path).is_some()
    }

    fn answer(&self, request: &Request) -> Answer {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/oauth2/tokenP") => self.token(request),
            ("POST", "/oauth2/Approval") => self.approval(request),
            ("POST", "/oauth2/revokeP") => self.revoke(request),
            ("POST", "/uapi/hashkey") => self.hashkey(request),
            ("GET", path) if path.starts_with("/uapi/") => self.quotation(request),
            ("GET", path) if path.starts_with(masters::FOLDER) => self.master(path),
            _ => Answer::new(404, json!({ "rt_cd": "1", "msg_cd": "EGW00202", "msg1": "unknown path" })),
        }
    }

    /// A master file; the real server has them on a host of their own, and wants no key for them.
    fn master(&self, path: &str) -> Answer {
        match self.archive(path) {
            Some(archive) => {
                // On the morning of the day, before it trades.
                let made = self.date.at(6, 30, 0, 0).to_zoned(TimeZone::fixed(offset(9))).ok().map(|at| at.timestamp());
                let archive = Archive { bytes: archive.zip.clone(), made };
                Answer { archive: Some(Box::new(archive)), ..Answer::new(200, Value::Null) }
            }
            None => Answer::new(404, Value::Null),
        }
    }

    fn archive(&self, path: &str) -> Option<&MasterArchive> {
        let name = path.strip_prefix(masters::FOLDER)?;
        let masters = self.masters.get_or_init(|| MasterSet::new(&self.symbols, self.date, self.master_sizes));
        masters.archives().iter().find(|archive| archive.name == name)
    }

    fn quotation(&self, request: &Request) -> Answer {
        if let Err(denied) = self.authorised(request) {
            return refusal(denied);
        }
        match route(&request.path) {
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
}

fn route(path: &str) -> Option<&'static Route> {
    FAMILIES.iter().find_map(|(folder, routes)| {
        let name = path.strip_prefix(folder)?;
        routes.iter().find(|(known, ..)| *known == name)
    })
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
