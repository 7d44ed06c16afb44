//! Bars of minutes and days.

use super::super::{Client, RestError, Row};
use super::{Venue, each, second_of_day, yyyymmdd};

/// Whether past prices are adjusted for splits and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prices {
    /// As they were paid.
    Raw,
    /// Comparable with today's.
    Adjusted,
}

/// How long a bar of [`bars_between`](Client::bars_between) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// A trading day.
    Day,
    /// A week of the calendar.
    Week,
    /// A month of the calendar.
    Month,
}

impl Period {
    /// The broker's code, `FID_PERIOD_DIV_CODE`.
    pub fn code(self) -> &'static str {
        match self {
            Period::Day => "D",
            Period::Week => "W",
            Period::Month => "M",
        }
    }
}

/// A minute.
#[derive(Clone, Debug)]
pub struct MinuteBar {
    /// Date.
    pub date: u32,
    /// Second of the day, as the broker names the minute.
    pub time: u32,
    /// First price.
    pub open_px: i64,
    /// Highest price.
    pub high_px: i64,
    /// Lowest price.
    pub low_px: i64,
    /// Last price.
    pub close_px: i64,
    /// Shares of the minute.
    pub volume: u64,
    /// Won of the day up to its end.
    pub turnover: i64,
    /// Everything.
    pub row: Row,
}

/// A day, week, month or year.
#[derive(Clone, Debug)]
pub struct DailyBar {
    /// Date.
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
    /// Won; [`UNDEF_TURNOVER`](crate::tick::UNDEF_TURNOVER) where the call doesn't tell.
    pub turnover: i64,
    /// Everything.
    pub row: Row,
}

fn minute(row: Row) -> Result<MinuteBar, RestError> {
    Ok(MinuteBar {
        date: row.date("stck_bsop_date")?,
        time: row.time("stck_cntg_hour")?,
        open_px: row.px("stck_oprc")?,
        high_px: row.px("stck_hgpr")?,
        low_px: row.px("stck_lwpr")?,
        close_px: row.px("stck_prpr")?,
        volume: row.quantity("cntg_vol")?,
        turnover: row.turnover("acml_tr_pbmn")?,
        row,
    })
}

fn day(row: Row) -> Result<DailyBar, RestError> {
    Ok(DailyBar {
        date: row.date("stck_bsop_date")?,
        open_px: row.px("stck_oprc")?,
        high_px: row.px("stck_hgpr")?,
        low_px: row.px("stck_lwpr")?,
        close_px: row.px("stck_clpr")?,
        volume: row.quantity("acml_vol")?,
        turnover: row.turnover("acml_tr_pbmn")?,
        row,
    })
}

/// Rows without a date fill up a page that has fewer.
fn filled(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().filter(|row| row.get("stck_bsop_date").is_some_and(|date| !date.is_empty())).collect()
}

impl Client {
    /// Today's minutes at or before a second of the day, newest first, 30 at most (`inquire-time-itemchartprice`). A time
    /// that is still to come yields minutes at the current price that never were, and the newest minute shows the volume of
    /// the one before until its first trade: both are the broker's ways.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn minutes_until(&self, venue: Venue, symbol: &str, second: u32) -> Result<Vec<MinuteBar>, RestError> {
        let hour = second_of_day("minutes_until", second)?;
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", venue.code()),
            ("FID_INPUT_ISCD", symbol),
            ("FID_INPUT_HOUR_1", &hour),
            ("FID_PW_DATA_INCU_YN", "N"),
        ];
        each(filled(self.call("domestic-stock/inquire-time-itemchartprice", &parameters)?.rows("output2")?), minute)
    }

    /// Minutes of a past day at or before a second of it, newest first, 120 at most, for about a year back
    /// (`inquire-time-dailychartprice`; not on the mock server).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn past_minutes_until(
        &self,
        venue: Venue,
        symbol: &str,
        date: u32,
        second: u32,
    ) -> Result<Vec<MinuteBar>, RestError> {
        let (date, hour) =
            (yyyymmdd("past_minutes_until", "date", date)?, second_of_day("past_minutes_until", second)?);
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", venue.code()),
            ("FID_INPUT_ISCD", symbol),
            ("FID_INPUT_DATE_1", &date),
            ("FID_INPUT_HOUR_1", &hour),
            ("FID_PW_DATA_INCU_YN", "Y"),
            ("FID_FAKE_TICK_INCU_YN", "N"),
        ];
        each(filled(self.call("domestic-stock/inquire-time-dailychartprice", &parameters)?.rows("output2")?), minute)
    }

    /// Days between two dates, newest first, 100 at most (`inquire-daily-itemchartprice`). To go on, ask up to the day
    /// before the last one.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn days_between(
        &self,
        venue: Venue,
        symbol: &str,
        from: u32,
        to: u32,
        prices: Prices,
    ) -> Result<Vec<DailyBar>, RestError> {
        self.bars_between(venue, symbol, Period::Day, from, to, prices)
    }

    /// Days, weeks or months between two dates, newest first, 100 at most (`inquire-daily-itemchartprice`). To go on, ask up
    /// to the day before the last one began: the broker doesn't say which of its days a week or month is named after.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn bars_between(
        &self,
        venue: Venue,
        symbol: &str,
        period: Period,
        from: u32,
        to: u32,
        prices: Prices,
    ) -> Result<Vec<DailyBar>, RestError> {
        let (from, to) = (yyyymmdd("bars_between", "from", from)?, yyyymmdd("bars_between", "to", to)?);
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", venue.code()),
            ("FID_INPUT_ISCD", symbol),
            ("FID_INPUT_DATE_1", &from),
            ("FID_INPUT_DATE_2", &to),
            ("FID_PERIOD_DIV_CODE", period.code()),
            ("FID_ORG_ADJ_PRC", if prices == Prices::Adjusted { "0" } else { "1" }),
        ];
        each(filled(self.call("domestic-stock/inquire-daily-itemchartprice", &parameters)?.rows("output2")?), day)
    }

    /// The last 30 days, newest first (`inquire-daily-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn last_days(&self, venue: Venue, symbol: &str, prices: Prices) -> Result<Vec<DailyBar>, RestError> {
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", venue.code()),
            ("FID_INPUT_ISCD", symbol),
            ("FID_PERIOD_DIV_CODE", "D"),
            ("FID_ORG_ADJ_PRC", if prices == Prices::Adjusted { "1" } else { "0" }),
        ];
        each(filled(self.call("domestic-stock/inquire-daily-price", &parameters)?.rows("output")?), day)
    }
}
