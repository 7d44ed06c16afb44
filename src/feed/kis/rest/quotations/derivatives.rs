//! Futures and options.

use super::super::{Answer, Client, RestError, Row};
use super::{BookSide, each, second_of_day, yyyymmdd};

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

/// A future or an option over a time of a day.
#[derive(Clone, Debug)]
pub struct DerivativeBar {
    /// Date of the trading day; a night belongs to the day on which it began.
    pub date: u32,
    /// Second of that day; from 86 400 on, the hours of a night after midnight.
    pub time: u32,
    /// First price.
    pub open_px: i64,
    /// Highest price.
    pub high_px: i64,
    /// Lowest price.
    pub low_px: i64,
    /// Last price.
    pub close_px: i64,
    /// Contracts.
    pub volume: u64,
    /// Everything.
    pub row: Row,
}

impl Client {
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

    /// Bars of `seconds` (30, 60 and so on) of a future or an option at or before a moment, newest first, 102 at most, and
    /// with `past` over the days before (`domestic-futureoption/inquire-time-fuopchartprice`). A contract that the broker
    /// doesn't know has none.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn derivative_bars(
        &self,
        market: &str,
        symbol: &str,
        seconds: u32,
        until: (u32, u32),
        past: bool,
    ) -> Result<Vec<DerivativeBar>, RestError> {
        let date = yyyymmdd("derivative_bars", "date", until.0)?;
        let (hour, seconds) = (second_of_day("derivative_bars", until.1)?, seconds.to_string());
        let parameters = [
            ("FID_COND_MRKT_DIV_CODE", market),
            ("FID_INPUT_ISCD", symbol),
            ("FID_HOUR_CLS_CODE", seconds.as_str()),
            ("FID_PW_DATA_INCU_YN", if past { "Y" } else { "N" }),
            ("FID_FAKE_TICK_INCU_YN", "N"),
            ("FID_INPUT_DATE_1", date.as_str()),
            ("FID_INPUT_HOUR_1", hour.as_str()),
        ];
        let answer = self.call("domestic-futureoption/inquire-time-fuopchartprice", &parameters)?;
        each(answer.rows("output2")?, |row| {
            Ok(DerivativeBar {
                date: row.date("stck_bsop_date")?,
                time: row.long_time("stck_cntg_hour")?,
                open_px: row.px("futs_oprc")?,
                high_px: row.px("futs_hgpr")?,
                low_px: row.px("futs_lwpr")?,
                close_px: row.px("futs_prpr")?,
                volume: row.quantity("cntg_vol")?,
                row,
            })
        })
    }
}
