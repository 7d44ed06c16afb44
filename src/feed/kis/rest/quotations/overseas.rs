//! Stocks of overseas markets.

use jiff::ToSpan as _;
use jiff::civil::DateTime;

use super::super::{Client, RestError, Row};
use super::{BookSide, Prices, each, yyyymmdd};

/// Most levels of a book.
const LEVELS_MAX: usize = 10;

/// A stock of an overseas market.
#[derive(Clone, Debug)]
pub struct OverseasQuote {
    /// Last price, in units of 1e-9 of its currency.
    pub px: i64,
    /// Close of the day before.
    pub base_px: i64,
    /// Shares traded, of what the feed covers.
    pub volume: u64,
    /// Everything.
    pub row: Row,
}

/// Minutes of an overseas stock, a page of 120 at most.
#[derive(Clone, Debug)]
pub struct OverseasMinutes {
    /// The rows as sent, newest first: `xymd`, `xhms` (local), `kymd`, `khms` (KST), `open`, `high`, `low`, `last`, `evol`.
    pub rows: Vec<Row>,
    /// What to give as `before` for the page before; `None` when there is none.
    pub before: Option<String>,
}

/// The book of an overseas stock.
#[derive(Clone, Debug)]
pub struct OverseasBook {
    /// Local date of its last order; `None` for a stock that the broker doesn't know.
    pub date: Option<u32>,
    /// Local second of the day of its last order; as the date.
    pub time: Option<u32>,
    /// Last price.
    pub px: i64,
    /// Asks, best first: ten in the United States, one elsewhere.
    pub asks: Vec<BookSide>,
    /// Bids, best first.
    pub bids: Vec<BookSide>,
    /// The quote as sent.
    pub quote: Row,
    /// The book as sent.
    pub book: Row,
}

/// A trade of an overseas stock.
#[derive(Clone, Debug)]
pub struct OverseasTrade {
    /// Second of the day (KST).
    pub time: u32,
    /// Price.
    pub px: i64,
    /// Shares.
    pub quantity: u64,
    /// Shares of the day up to and with it.
    pub volume: u64,
    /// Best ask after it.
    pub ask_px: i64,
    /// Best bid after it.
    pub bid_px: i64,
    /// Everything.
    pub row: Row,
}

/// A day of an overseas stock.
#[derive(Clone, Debug)]
pub struct OverseasDay {
    /// Local date.
    pub date: u32,
    /// First price.
    pub open_px: i64,
    /// Highest price.
    pub high_px: i64,
    /// Lowest price.
    pub low_px: i64,
    /// Last price.
    pub close_px: i64,
    /// Shares.
    pub volume: u64,
    /// Money traded.
    pub turnover: i64,
    /// Everything.
    pub row: Row,
}

/// What the broker wants as the mark of the page before: a minute earlier than the oldest of this one, in local time.
fn minute_before(oldest: &Row) -> Result<String, RestError> {
    let (date, time) = (oldest.date("xymd")?, oldest.time("xhms")?);
    let minute = format!("{date}{:02}{:02}{:02}", time / 3600, time / 60 % 60, time % 60);
    let minute = DateTime::strptime("%Y%m%d%H%M%S", &minute).and_then(|minute| minute.checked_sub(1.minute()));
    minute.map(|minute| minute.strftime("%Y%m%d%H%M%S").to_string()).map_err(|_| RestError::Field {
        what: "overseas-price/inquire-time-itemchartprice".to_owned(),
        field: "xymd".to_owned(),
        found: date.to_string(),
    })
}

impl Client {
    /// A stock of an overseas market, by the broker's code of the exchange (NAS, NYS, AMS, HKS, TSE, ...).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overseas(&self, exchange: &str, symbol: &str) -> Result<OverseasQuote, RestError> {
        let row = self.call("overseas-price/price", &[("EXCD", exchange), ("SYMB", symbol)])?.row("output")?;
        Ok(OverseasQuote { px: row.px("last")?, base_px: row.px("base")?, volume: row.quantity("tvol")?, row })
    }

    /// Minutes of an overseas stock, 120 at most, newest first; with `before` of a page, those before it
    /// (`overseas-price/inquire-time-itemchartprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overseas_minutes(
        &self,
        exchange: &str,
        symbol: &str,
        before: Option<&str>,
    ) -> Result<OverseasMinutes, RestError> {
        let parameters = [
            ("EXCD", exchange),
            ("SYMB", symbol),
            ("NMIN", "1"),
            ("PINC", "1"),
            ("NEXT", if before.is_some() { "1" } else { "" }),
            ("NREC", "120"),
            ("FILL", ""),
            ("KEYB", before.unwrap_or_default()),
        ];
        let answer = self.call("overseas-price/inquire-time-itemchartprice", &parameters)?;
        let rows = answer.rows("output2")?;
        // `next` says that there are further pages; `more`, which sounds like it, is 0 on full ones.
        let more = answer.row("output1").is_ok_and(|head| head.get("next") == Some("1"));
        let before = rows.last().filter(|_| more).map(minute_before).transpose()?;
        Ok(OverseasMinutes { rows, before })
    }

    /// Settlement dates of overseas markets (`countries-holiday`).
    ///
    /// # Errors
    ///
    /// As [`pages`](Client::pages).
    pub fn settlement_dates(&self, date: u32, pages_max: usize) -> Result<Vec<Row>, RestError> {
        let date = yyyymmdd("settlement_dates", "date", date)?;
        self.all_rows("overseas-stock/countries-holiday", &[("TRAD_DT", &date)], "output", pages_max)
    }

    /// The book of an overseas stock (`overseas-price/inquire-asking-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overseas_book(&self, exchange: &str, symbol: &str) -> Result<OverseasBook, RestError> {
        let answer = self.call("overseas-price/inquire-asking-price", &[("EXCD", exchange), ("SYMB", symbol)])?;
        let (quote, book) = (answer.row("output1")?, answer.row("output2")?);
        let is_there = |field: &str| quote.get(field).is_some_and(|text| !text.is_empty());
        let side = |px: &str, quantity: &str| -> Result<Vec<BookSide>, RestError> {
            let field = |name: &str, level: usize| format!("{name}{level}");
            let sent = |level: &usize| book.get(&field(px, *level)).is_some_and(|text| !text.is_empty());
            let level = |level| {
                Ok(BookSide { px: book.px(&field(px, level))?, quantity: book.quantity(&field(quantity, level))? })
            };
            (1..=LEVELS_MAX).take_while(sent).map(level).collect()
        };
        Ok(OverseasBook {
            date: if is_there("dymd") { Some(quote.date("dymd")?) } else { None },
            time: if is_there("dhms") { Some(quote.time("dhms")?) } else { None },
            px: quote.px("last")?,
            asks: side("pask", "vask")?,
            bids: side("pbid", "vbid")?,
            quote,
            book,
        })
    }

    /// The newest trades of an overseas stock, of today or of the day before (`overseas-price/inquire-ccnl`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overseas_trades(&self, exchange: &str, symbol: &str, today: bool) -> Result<Vec<OverseasTrade>, RestError> {
        let parameters = [("EXCD", exchange), ("SYMB", symbol), ("TDAY", if today { "1" } else { "0" })];
        each(self.call("overseas-price/inquire-ccnl", &parameters)?.rows("output1")?, |row| {
            Ok(OverseasTrade {
                time: row.time("khms")?,
                px: row.px("last")?,
                quantity: row.quantity("evol")?,
                volume: row.quantity("tvol")?,
                ask_px: row.px("pask")?,
                bid_px: row.px("pbid")?,
                row,
            })
        })
    }

    /// Days of an overseas stock up to a date, or up to now, newest first, 100 at most (`overseas-price/dailyprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overseas_days(
        &self,
        exchange: &str,
        symbol: &str,
        until: Option<u32>,
        prices: Prices,
    ) -> Result<Vec<OverseasDay>, RestError> {
        let until = until.map(|date| yyyymmdd("overseas_days", "until", date)).transpose()?.unwrap_or_default();
        let parameters = [
            ("EXCD", exchange),
            ("SYMB", symbol),
            ("GUBN", "0"),
            ("BYMD", until.as_str()),
            ("MODP", if prices == Prices::Adjusted { "1" } else { "0" }),
        ];
        each(self.call("overseas-price/dailyprice", &parameters)?.rows("output2")?, |row| {
            Ok(OverseasDay {
                date: row.date("xymd")?,
                open_px: row.px("open")?,
                high_px: row.px("high")?,
                low_px: row.px("low")?,
                close_px: row.px("clos")?,
                volume: row.quantity("tvol")?,
                turnover: row.turnover("tamt")?,
                row,
            })
        })
    }
}
