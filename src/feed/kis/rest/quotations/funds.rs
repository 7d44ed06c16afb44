//! Funds and their net asset values.

use super::super::{Client, RestError, Row};
use super::{Venue, each, yyyymmdd};

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

/// A fund over the day, by price and by net asset value.
#[derive(Clone, Debug)]
pub struct FundDay {
    /// Last price.
    pub px: i64,
    /// Shares traded.
    pub volume: u64,
    /// Net asset value of a share.
    pub nav_px: i64,
    /// Net asset value at the close before.
    pub previous_nav_px: i64,
    /// First net asset value of the day.
    pub open_nav_px: i64,
    /// Highest of the day.
    pub high_nav_px: i64,
    /// Lowest of the day.
    pub low_nav_px: i64,
    /// The prices as sent.
    pub prices: Row,
    /// The net asset values as sent.
    pub navs: Row,
}

/// A fund at a moment of the day, or at the close of a day.
#[derive(Clone, Debug)]
pub struct NavPoint {
    /// Date; `None` for moments of today.
    pub date: Option<u32>,
    /// Second of the day; `None` for days.
    pub time: Option<u32>,
    /// Price.
    pub px: i64,
    /// Net asset value of a share.
    pub nav_px: i64,
    /// Shares traded on the day so far.
    pub volume: u64,
    /// Everything.
    pub row: Row,
}

impl Client {
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

    /// A fund's day, by price and by net asset value (`etfetn/nav-comparison-trend`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn fund_day(&self, symbol: &str) -> Result<FundDay, RestError> {
        let parameters = [("FID_COND_MRKT_DIV_CODE", Venue::Krx.code()), ("FID_INPUT_ISCD", symbol)];
        let answer = self.call("etfetn/nav-comparison-trend", &parameters)?;
        let (prices, navs) = (answer.row("output1")?, answer.row("output2")?);
        Ok(FundDay {
            px: prices.px("stck_prpr")?,
            volume: prices.quantity("acml_vol")?,
            nav_px: navs.px("nav")?,
            previous_nav_px: navs.px("prdy_clpr_nav")?,
            open_nav_px: navs.px("oprc_nav")?,
            high_nav_px: navs.px("hprc_nav")?,
            low_nav_px: navs.px("lprc_nav")?,
            prices,
            navs,
        })
    }

    /// A fund every `seconds` of today, a multiple of 60, newest first (`etfetn/nav-comparison-time-trend`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn navs_every(&self, symbol: &str, seconds: u32) -> Result<Vec<NavPoint>, RestError> {
        let seconds = seconds.to_string();
        // This call names the market of funds by a letter of its own.
        let parameters =
            [("FID_COND_MRKT_DIV_CODE", "E"), ("FID_INPUT_ISCD", symbol), ("FID_HOUR_CLS_CODE", seconds.as_str())];
        each(self.call("etfetn/nav-comparison-time-trend", &parameters)?.rows("output")?, |row| {
            Ok(NavPoint {
                date: None,
                time: Some(row.time("bsop_hour")?),
                px: row.px("stck_prpr")?,
                nav_px: row.px("nav")?,
                volume: row.quantity("acml_vol")?,
                row,
            })
        })
    }

    /// Closes of a fund between two dates, newest first (`etfetn/nav-comparison-daily-trend`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn nav_days(&self, symbol: &str, from: u32, to: u32) -> Result<Vec<NavPoint>, RestError> {
        let (from, to) = (yyyymmdd("nav_days", "from", from)?, yyyymmdd("nav_days", "to", to)?);
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", Venue::Krx.code()),
            ("FID_INPUT_ISCD", symbol),
            ("FID_INPUT_DATE_1", from.as_str()),
            ("FID_INPUT_DATE_2", to.as_str()),
        ];
        each(self.call("etfetn/nav-comparison-daily-trend", &parameters)?.rows("output")?, |row| {
            Ok(NavPoint {
                date: Some(row.date("stck_bsop_date")?),
                time: None,
                px: row.px("stck_clpr")?,
                nav_px: row.px("nav")?,
                volume: row.quantity("acml_vol")?,
                row,
            })
        })
    }
}
