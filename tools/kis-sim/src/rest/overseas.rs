//! Stocks of overseas exchanges, derived from seed, symbol and market time. A stock that isn't listed gets blank fields, as
//! the real server gives them, which calls that a success. Changes come without their sign, which has a field of its own.

use serde_json::{Value, json};

use super::derived::{date_of, day_number, read_date, yyyymmdd};
use super::exchanges::{Abroad, EXCHANGES, Exchange, Minutes};
use super::http::Request;
use super::quotations::{hhmmss, missing, second};
use super::rows::{Fields, list, strength};
use super::{Answer, Rest, Route, output};
use crate::market::line::sign;

pub(super) const ROUTES: &[Route] = &[
    ("price", "HHDFS00000300", true, Rest::abroad_price),
    ("inquire-asking-price", "HHDFS76200100", false, Rest::abroad_book),
    ("inquire-ccnl", "HHDFS76200300", false, Rest::abroad_trades),
    ("inquire-time-itemchartprice", "HHDFS76950200", false, Rest::abroad_minutes),
    ("dailyprice", "HHDFS76240000", true, Rest::abroad_days),
];
pub(super) const DAYS: &[Route] = &[("countries-holiday", "CTOS5011R", false, Rest::countries_holiday)];

const MINUTE_ROWS: usize = 120;
/// Days for which minutes are kept.
const MINUTE_DAYS: i64 = 5;
const TRADE_ROWS: usize = 30;
const DAY_ROWS: usize = 100;
/// Rows of a page of settlement dates.
const PAGE_ROWS: usize = 5;

fn local_time(moment: i64) -> String {
    hhmmss(moment.rem_euclid(86_400) as u32)
}

fn local_date(moment: i64) -> String {
    yyyymmdd(date_of(moment.div_euclid(86_400)))
}

/// Sign, change without it, and rate.
fn change(row: Fields, price: i64, base: i64, decimals: u32) -> Fields {
    let by = price - base;
    row.text("sign", char::from(sign(by))).decimal("diff", by.abs(), decimals).percent("rate", by, base)
}

impl Rest {
    /// The stock of a call, `None` when it isn't listed.
    fn asked_abroad(&self, request: &Request) -> Result<Option<Abroad>, Answer> {
        let exchange = request.query("EXCD").ok_or_else(|| missing("EXCD"))?;
        let symbol = request.query("SYMB").ok_or_else(|| missing("SYMB"))?;
        Ok(Abroad::find(self.seed, exchange, symbol, self.date, self.chronicle.second()))
    }

    /// Answers for a listed stock; for another with the same fields, blank, and no rows.
    fn abroad(
        &self,
        request: &Request,
        answer: impl Fn(&Abroad) -> Option<(Vec<Fields>, Option<Vec<Fields>>)>,
    ) -> Answer {
        let asked = match self.asked_abroad(request) {
            Ok(asked) => asked,
            Err(refusal) => return refusal,
        };
        let any = || Abroad::find(self.seed, "NAS", "AAPL", self.date, 0);
        let listed = asked.is_some();
        let (heads, rows) = asked.or_else(any).and_then(|stock| answer(&stock)).unwrap_or_default();
        let mut outputs: Vec<Value> =
            heads.into_iter().map(|head| Value::from(if listed { head } else { head.blank() })).collect();
        outputs.extend(rows.map(|rows| if listed { list(rows) } else { json!([]) }));
        let names = ["output1", "output2", "output3"].into_iter().map(str::to_owned);
        output(Value::Object(names.zip(outputs).collect()))
    }

    /// Last price.
    fn abroad_price(&self, request: &Request) -> Answer {
        let mut answer = self.abroad(request, |stock| {
            let decimals = stock.exchange.decimals;
            let day = stock.day(stock.now)?;
            let before = stock.day_before(&day)?;
            let row = head(stock)
                .decimals(decimals, [("base", before.span.close), ("last", day.span.close)])
                .ints([("pvol", before.volume), ("tvol", day.volume), ("tamt", day.turnover)])
                .text("ordy", "Y");
            Some((vec![change(row, day.span.close, before.span.close, decimals)], None))
        });
        // One output has no number.
        if let Some(fields) = answer.body.as_object_mut()
            && let Some(row) = fields.remove("output1")
        {
            fields.insert("output".to_owned(), row);
        }
        answer
    }

    /// The book: ten levels for the United States, one for others.
    fn abroad_book(&self, request: &Request) -> Answer {
        self.abroad(request, |stock| {
            let decimals = stock.exchange.decimals;
            let day = stock.day(stock.now)?;
            let before = stock.day_before(&day)?;
            let (span, base) = (day.span, before.span.close);
            let at = stock.begin_before(stock.now, 1)?;
            let tick = 10_i64.pow(decimals.saturating_sub(2));
            let mut book = Fields::new();
            let mut totals = [0, 0];
            for level in 1..=stock.exchange.levels {
                let sides = [("bid", -1, 0), ("ask", 1, 1)];
                for (side, way, index) in sides {
                    let quantity = 1 + stock.walk.draw(10 + (level * 2 + index) as u64, at, 800);
                    totals[index as usize] += quantity;
                    book = book
                        .decimal(&format!("p{side}{level}"), span.close + way * level * tick, decimals)
                        .int(&format!("v{side}{level}"), quantity)
                        .int(&format!("d{side}{level}"), 0);
                }
            }
            let first = head(stock)
                .text("curr", stock.exchange.currency)
                .text("code", stock.symbol)
                .text("dymd", local_date(at))
                .text("dhms", local_time(at))
                .decimals(decimals, [("base", base), ("open", span.open), ("high", span.high), ("low", span.low)])
                .decimal("last", span.close, decimals)
                .percent("ropen", span.open - base, base)
                .percent("rhigh", span.high - base, base)
                .percent("rlow", span.low - base, base)
                .percent("rclose", span.close - base, base)
                .ints([("bvol", totals[0]), ("avol", totals[1]), ("bdvl", 0), ("advl", 0)]);
            // Of Hong Kong's auctions and its brake, which don't happen here.
            let auctions = Fields::new().each(&["vstm", "vetm", "csbp", "cshi", "cslo", "iep", "iev"], "");
            Some((vec![first, book, auctions], None))
        })
    }

    /// The newest 30 executions of the day, or of the day before with `TDAY` 0.
    fn abroad_trades(&self, request: &Request) -> Answer {
        self.abroad(request, |stock| {
            let decimals = stock.exchange.decimals;
            let today = stock.day(stock.now)?;
            let day = if request.query("TDAY") == Some("0") { stock.day_before(&today)? } else { today };
            let before = stock.day_before(&day)?;
            let behind = stock.exchange.behind_s(date_of(day.begin.div_euclid(86_400)));
            let tick = 10_i64.pow(decimals.saturating_sub(2));
            let mut volume = day.volume;
            let mut rows = Vec::new();
            let mut begin = stock.begin_before(stock.now.min((day.begin.div_euclid(86_400) + 1) * 86_400 - 1), 1)?;
            while rows.len() < TRADE_ROWS && begin >= day.begin {
                let minute = stock.minutes(begin, 1)?;
                let price = minute.span.close;
                let (bought, sold) = (minute.volume * 11 / 20, minute.volume * 9 / 20);
                let row = Fields::new()
                    .text("khms", local_time(minute.begin + behind + 59))
                    .decimals(decimals, [("last", price), ("pbid", price - tick), ("pask", price + tick)])
                    .ints([("evol", minute.volume), ("tvol", volume)])
                    .text("mtyp", "")
                    .decimal("vpow", strength(bought, sold), 2);
                rows.push(change(row, price, before.span.close, decimals));
                volume -= minute.volume;
                begin = stock.begin_before(begin - 1, 1)?;
            }
            Some((Vec::new(), Some(rows)))
        })
    }

    /// Minutes, newest first: the first page, or with `NEXT` 1 those at or before `KEYB`. `next` says whether more are kept;
    /// `more` is 0, as it is on full pages of the real server.
    fn abroad_minutes(&self, request: &Request) -> Answer {
        let number = |name| request.query(name).and_then(|text| text.parse::<usize>().ok());
        let Some(minutes) = number("NMIN").filter(|minutes| (1..=120).contains(minutes)) else {
            return missing("NMIN");
        };
        let most = number("NREC").unwrap_or(MINUTE_ROWS).min(MINUTE_ROWS);
        let key = request.query("KEYB").filter(|_| request.query("NEXT") == Some("1")).and_then(moment_of);
        let before = request.query("PINC") == Some("1");
        self.abroad(request, |stock| {
            let span = minutes as i64;
            let newest = stock.begin_before(stock.now, span)?;
            let days = if before { MINUTE_DAYS } else { 1 };
            let mut oldest = stock.day(newest)?;
            for _ in 1..days {
                oldest = stock.day_before(&oldest)?;
            }
            let behind = stock.exchange.behind_s(date_of(newest.div_euclid(86_400)));
            let mut rows = Vec::new();
            let mut begin = stock.begin_before(key.unwrap_or(stock.now).min(stock.now), span)?;
            while rows.len() < most && begin >= oldest.begin {
                rows.push(minute_row(&stock.minutes(begin, span)?, stock.exchange));
                begin = stock.begin_before(begin - 1, span)?;
            }
            let (opens, closes) = (stock.exchange.sessions.first()?.0, stock.exchange.sessions.last()?.1);
            let head = head(stock)
                .text("stim", local_time(opens))
                .text("etim", local_time(closes))
                .text("sktm", local_time(opens + behind))
                .text("ektm", local_time(closes + behind))
                .text("next", if begin >= oldest.begin { "1" } else { "0" })
                .text("more", "0")
                .int("nrec", rows.len() as i64);
            Some((vec![head], Some(rows)))
        })
    }

    /// The 100 days up to `BYMD`, or up to now when it is blank, newest first.
    fn abroad_days(&self, request: &Request) -> Answer {
        if request.query("GUBN").is_none_or(|period| period != "0") {
            return missing("GUBN");
        }
        let until = request.query("BYMD").and_then(read_date).map(|date| (day_number(date) + 1) * 86_400 - 1);
        self.abroad(request, |stock| {
            let decimals = stock.exchange.decimals;
            let tick = 10_i64.pow(decimals.saturating_sub(2));
            let mut day = stock.day(until.unwrap_or(stock.now))?;
            let mut rows = Vec::new();
            while rows.len() < DAY_ROWS {
                let before = stock.day_before(&day)?;
                let close = day.span.close;
                let row = Fields::new()
                    .text("xymd", local_date(day.begin))
                    .decimals(decimals, [("clos", close), ("open", day.span.open), ("high", day.span.high)])
                    .decimals(decimals, [("low", day.span.low), ("pbid", close - tick), ("pask", close + tick)])
                    .ints([("tvol", day.volume), ("tamt", day.turnover)])
                    .ints([
                        ("vbid", 1 + stock.walk.draw(3, day.begin, 500)),
                        ("vask", 1 + stock.walk.draw(4, day.begin, 500)),
                    ]);
                rows.push(change(row, close, before.span.close, decimals));
                day = before;
            }
            Some((vec![head(stock).int("nrec", rows.len() as i64)], Some(rows)))
        })
    }

    /// Settlement dates of trades of a day on all exchanges, five a page; the next page is asked for with `CTX_AREA_NK` and
    /// `tr_cont: N`.
    fn countries_holiday(&self, request: &Request) -> Answer {
        let Some(traded) = request.query("TRAD_DT").and_then(read_date) else { return missing("TRAD_DT") };
        let key = request.query("CTX_AREA_NK").map(str::trim).filter(|_| request.header("tr_cont") == Some("N"));
        let first = key.and_then(|key| key.parse::<usize>().ok()).unwrap_or(0).min(EXCHANGES.len());
        let row = |exchange: &Exchange| {
            let (number, letters, country) = exchange.country;
            let traded = day_number(traded);
            let there =
                (traded + 1..).filter(|day| Exchange::is_open(*day)).nth(exchange.settles_in - 1).unwrap_or(traded);
            // Here it is settled on the next day that is one here, as the clocks are ahead.
            let from = if exchange.behind_s(date_of(there)) > 6 * 3600 { there + 1 } else { there };
            let here = (from..).map(date_of).find(|date| self.is_open(*date)).unwrap_or(self.date);
            Fields::new()
                .text("prdt_type_cd", exchange.product)
                .text("tr_natn_cd", number)
                .text("tr_natn_name", country)
                .text("natn_eng_abrv_cd", letters)
                .text("tr_mket_cd", exchange.market)
                .text("tr_mket_name", exchange.name)
                .text("acpl_sttl_dt", yyyymmdd(date_of(there)))
                .text("dmst_sttl_dt", yyyymmdd(here))
        };
        let last = (first + PAGE_ROWS).min(EXCHANGES.len());
        let more = last < EXCHANGES.len();
        let mark = if more { last.to_string() } else { String::new() };
        let mut answer = output(json!({
            // Padded with blanks, as the real server does.
            "ctx_area_fk": format!("{:<20}", yyyymmdd(traded)),
            "ctx_area_nk": format!("{mark:<20}"),
            "output": list(EXCHANGES[first..last].iter().map(row)),
        }));
        answer.tr_cont = match (more, key.is_some()) {
            (true, _) => "M",
            (false, true) => "E",
            (false, false) => "D",
        };
        answer
    }
}

/// What all answers begin with.
fn head(stock: &Abroad) -> Fields {
    Fields::new().text("rsym", stock.live_code()).int("zdiv", i64::from(stock.exchange.decimals))
}

fn minute_row(minute: &Minutes, exchange: &Exchange) -> Fields {
    let korean = minute.begin + exchange.behind_s(date_of(minute.begin.div_euclid(86_400)));
    let span = minute.span;
    Fields::new()
        .text("tymd", local_date(minute.begin))
        .text("xymd", local_date(minute.begin))
        .text("xhms", local_time(minute.begin))
        .text("kymd", local_date(korean))
        .text("khms", local_time(korean))
        .decimals(
            exchange.decimals,
            [("open", span.open), ("high", span.high), ("low", span.low), ("last", span.close)],
        )
        .ints([("evol", minute.volume), ("eamt", minute.turnover)])
}

/// A moment from YYYYMMDDHHMMSS.
fn moment_of(text: &str) -> Option<i64> {
    let (date, hour) = text.split_at_checked(8)?;
    Some(day_number(read_date(date)?) * 86_400 + i64::from(second(hour)?))
}
