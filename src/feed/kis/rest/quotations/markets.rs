//! Indices, the single-price session.

use super::super::{Client, RestError, Row};
use super::{LatestTrade, Venue, each, yyyymmdd};

/// An index, whole or at a moment of the day.
#[derive(Clone, Debug)]
pub struct IndexLevel {
    /// Second of the day; `None` for the index as it is now.
    pub time: Option<u32>,
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

/// A day with the single-price session.
#[derive(Clone, Debug)]
pub struct OvertimeDay {
    /// Date.
    pub date: u32,
    /// Last price of the session.
    pub px: i64,
    /// Shares traded in it.
    pub volume: u64,
    /// Close of the day before it.
    pub close_px: i64,
    /// Everything.
    pub row: Row,
}

fn level(row: Row) -> Result<IndexLevel, RestError> {
    let hour = ["stck_cntg_hour", "bsop_hour"].into_iter().find(|field| row.get(field).is_some());
    let time = hour.map(|field| row.time(field)).transpose()?;
    Ok(IndexLevel { time, px: row.px("bstp_nmix_prpr")?, volume: row.quantity("acml_vol")?, row })
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

    /// Trades of the last single-price session, newest first (`inquire-time-overtimeconclusion`); none since 2026-09-14.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overtime_trades(&self, symbol: &str) -> Result<Vec<LatestTrade>, RestError> {
        let parameters =
            [("FID_COND_MRKT_DIV_CODE", Venue::Krx.code()), ("FID_INPUT_ISCD", symbol), ("FID_HOUR_CLS_CODE", "1")];
        each(self.call("domestic-stock/inquire-time-overtimeconclusion", &parameters)?.rows("output2")?, |row| {
            Ok(LatestTrade {
                time: row.time("stck_cntg_hour")?,
                px: row.px("stck_prpr")?,
                quantity: row.quantity("cntg_vol")?,
                row,
            })
        })
    }

    /// The last 30 days with the single-price session, newest first (`inquire-daily-overtimeprice`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn overtime_days(&self, symbol: &str) -> Result<Vec<OvertimeDay>, RestError> {
        let parameters = [("FID_COND_MRKT_DIV_CODE", Venue::Krx.code()), ("FID_INPUT_ISCD", symbol)];
        each(self.call("domestic-stock/inquire-daily-overtimeprice", &parameters)?.rows("output2")?, |row| {
            Ok(OvertimeDay {
                date: row.date("stck_bsop_date")?,
                px: row.px("ovtm_untp_prpr")?,
                volume: row.quantity("ovtm_untp_vol")?,
                close_px: row.px("stck_clpr")?,
                row,
            })
        })
    }
}
