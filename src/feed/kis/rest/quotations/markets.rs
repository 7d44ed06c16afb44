//! Indices, funds, derivatives, the single-price session, overseas markets.

use super::super::{Answer, Client, RestError, Row};
use super::{BookSide, Venue, each, yyyymmdd};

/// An index, whole or at a moment of the day.
#[derive(Clone, Debug)]
pub struct IndexLevel {
    /// Level, in units of 1e-9 points.
    pub px: i64,
    /// Volume of the day, in the unit of the call (thousands of shares for most).
    pub volume: u64,
    /// Everything.
    pub row: Row,
}

/// An index over a minute or a day.
#[derive(Clone, Debug)]
pub struct IndexBar {
    /// Date.
    pub date: u32,
    /// Second of the day; `None` for days.
    pub time: Option<u32>,
    /// First level.
    pub open_px: i64,
    /// Highest level.
    pub high_px: i64,
    /// Lowest level.
    pub low_px: i64,
    /// Last level.
    pub close_px: i64,
    /// Everything.
    pub row: Row,
}

/// A fund and its net asset value.
#[derive(Clone, Debug)]
pub struct FundQuote {
    /// Last price.
    pub px: i64,
    /// Net asset value of a share.
    pub nav_px: i64,
    /// Net asset value at the close before.
    pub previous_nav_px: i64,
    /// Base price of the day.
    pub base_px: i64,
    /// Shares traded.
    pub volume: u64,
    /// Everything.
    pub row: Row,
}

/// A future or an option.
#[derive(Clone, Debug)]
pub struct DerivativeQuote {
    /// Last price.
    pub px: i64,
    /// Base price of the day.
    pub base_px: i64,
    /// Upper limit of the day.
    pub upper_px: i64,
    /// Lower limit of the day.
    pub lower_px: i64,
    /// Contracts traded.
    pub volume: u64,
    /// Contracts open.
    pub open_interest: u64,
    /// Everything of `output1`.
    pub row: Row,
}

/// The book of a future or an option.
#[derive(Clone, Debug)]
pub struct DerivativeBook {
    /// Second of the day of its last order.
    pub accepted_at: u32,
    /// Asks, best first.
    pub asks: [BookSide; 5],
    /// Bids, best first.
    pub bids: [BookSide; 5],
    /// Everything of `output2`.
    pub row: Row,
}

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

fn level(row: Row) -> Result<IndexLevel, RestError> {
    Ok(IndexLevel { px: row.px("bstp_nmix_prpr")?, volume: row.quantity("acml_vol")?, row })
}

fn bar(row: Row, time: bool) -> Result<IndexBar, RestError> {
    Ok(IndexBar {
        date: row.date("stck_bsop_date")?,
        time: if time { Some(row.time("stck_cntg_hour")?) } else { None },
        open_px: row.px("bstp_nmix_oprc")?,
        high_px: row.px("bstp_nmix_hgpr")?,
        low_px: row.px("bstp_nmix_lwpr")?,
        close_px: row.px("bstp_nmix_prpr")?,
        row,
    })
}

impl Client {
    /// An index, by its four-digit code: 0001 KOSPI, 1001 KOSDAQ, 2001 KOSPI 200, 3003 KOSDAQ 150 (`inquire-index-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn index(&self, code: &str) -> Result<IndexLevel, RestError> {
        let parameters = [("FID_COND_MRKT_DIV_CODE", "U"), ("FID_INPUT_ISCD", code)];
        level(self.call("domestic-stock/inquire-index-price", &parameters)?.row("output")?)
    }

    /// The newest levels of an index (`inquire-index-tickprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn index_ticks(&self, code: &str) -> Result<Vec<IndexLevel>, RestError> {
        let parameters = [("FID_COND_MRKT_DIV_CODE", "U"), ("FID_INPUT_ISCD", code)];
        each(self.call("domestic-stock/inquire-index-tickprice", &parameters)?.rows("output")?, level)
    }

    /// Levels of an index every `seconds`, 60, 300 or 600 (`inquire-index-timeprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn index_every(&self, code: &str, seconds: u32) -> Result<Vec<IndexLevel>, RestError> {
        let seconds = seconds.to_string();
        let parameters =
            [("FID_COND_MRKT_DIV_CODE", "U"), ("FID_INPUT_ISCD", code), ("FID_INPUT_HOUR_1", seconds.as_str())];
        each(self.call("domestic-stock/inquire-index-timeprice", &parameters)?.rows("output")?, level)
    }

    /// Bars of an index of 30, 60, 600 or 3600 `seconds` (`inquire-time-indexchartprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn index_bars(&self, code: &str, seconds: u32) -> Result<Vec<IndexBar>, RestError> {
        let seconds = seconds.to_string();
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", "U"),
            ("FID_INPUT_ISCD", code),
            ("FID_INPUT_HOUR_1", seconds.as_str()),
            ("FID_PW_DATA_INCU_YN", "N"),
            ("FID_ETC_CLS_CODE", "0"),
        ];
        let answer = self.call("domestic-stock/inquire-time-indexchartprice", &parameters)?;
        each(answer.rows("output2")?, |row| bar(row, true))
    }

    /// Days of an index between two dates (`inquire-daily-indexchartprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn index_days(&self, code: &str, from: u32, to: u32) -> Result<Vec<IndexBar>, RestError> {
        let (from, to) = (yyyymmdd("index_days", "from", from)?, yyyymmdd("index_days", "to", to)?);
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", "U"),
            ("FID_INPUT_ISCD", code),
            ("FID_INPUT_DATE_1", from.as_str()),
            ("FID_INPUT_DATE_2", to.as_str()),
            ("FID_PERIOD_DIV_CODE", "D"),
        ];
        let answer = self.call("domestic-stock/inquire-daily-indexchartprice", &parameters)?;
        each(answer.rows("output2")?, |row| bar(row, false))
    }

    /// A stock in the single-price session, which existed until 2026-09-11 (`inquire-overtime-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call).
    pub fn overtime_quote(&self, symbol: &str) -> Result<Row, RestError> {
        let parameters = [("FID_COND_MRKT_DIV_CODE", Venue::Krx.code()), ("FID_INPUT_ISCD", symbol)];
        self.call("domestic-stock/inquire-overtime-price", &parameters)?.row("output")
    }

    /// A fund with its net asset value (`etfetn/inquire-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn fund(&self, symbol: &str) -> Result<FundQuote, RestError> {
        let parameters = [("FID_COND_MRKT_DIV_CODE", Venue::Krx.code()), ("FID_INPUT_ISCD", symbol)];
        let row = self.call("etfetn/inquire-price", &parameters)?.row("output")?;
        Ok(FundQuote {
            px: row.px("stck_prpr")?,
            nav_px: row.px("nav")?,
            previous_nav_px: row.px("prdy_last_nav")?,
            base_px: row.px("stck_sdpr")?,
            volume: row.quantity("acml_vol")?,
            row,
        })
    }

    fn of_derivative(&self, name: &str, market: &str, symbol: &str) -> Result<Answer, RestError> {
        self.call(name, &[("FID_COND_MRKT_DIV_CODE", market), ("FID_INPUT_ISCD", symbol)])
    }

    /// A future or an option (`domestic-futureoption/inquire-price`). `market` is F, O (index), JF, JO (stock), CF
    /// (commodity), CM, EU (night).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn derivative(&self, market: &str, symbol: &str) -> Result<DerivativeQuote, RestError> {
        let row = self.of_derivative("domestic-futureoption/inquire-price", market, symbol)?.row("output1")?;
        Ok(DerivativeQuote {
            px: row.px("futs_prpr")?,
            base_px: row.px("futs_sdpr")?,
            upper_px: row.px("futs_mxpr")?,
            lower_px: row.px("futs_llam")?,
            volume: row.quantity("acml_vol")?,
            open_interest: row.quantity("hts_otst_stpl_qty")?,
            row,
        })
    }

    /// The book of a future or an option (`domestic-futureoption/inquire-asking-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn derivative_book(&self, market: &str, symbol: &str) -> Result<DerivativeBook, RestError> {
        let row = self.of_derivative("domestic-futureoption/inquire-asking-price", market, symbol)?.row("output2")?;
        let side = |px: &str, quantity: &str| -> Result<[BookSide; 5], RestError> {
            let mut levels = [BookSide { px: 0, quantity: 0 }; 5];
            for (level, number) in levels.iter_mut().zip(1..) {
                level.px = row.px(&format!("{px}{number}"))?;
                level.quantity = row.quantity(&format!("{quantity}{number}"))?;
            }
            Ok(levels)
        };
        Ok(DerivativeBook {
            accepted_at: row.time("aspr_acpt_hour")?,
            asks: side("futs_askp", "askp_rsqn")?,
            bids: side("futs_bidp", "bidp_rsqn")?,
            row,
        })
    }

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
        // The broker names a page by the local time of its oldest minute.
        let oldest = rows.last().and_then(|row| Some(format!("{}{}", row.get("xymd")?, row.get("xhms")?)));
        let more = answer.row("output1").is_ok_and(|head| head.get("more") == Some("1"));
        Ok(OverseasMinutes { rows, before: oldest.filter(|_| more) })
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
}
