//! Stocks: price, book, executions, polls.

use super::super::{Client, RestError, Row};
use super::{POLL_SYMBOLS_MAX, Venue, each, second_of_day};

/// A stock's price and limits of the day.
#[derive(Clone, Debug)]
pub struct Quote {
    /// Last price.
    pub px: i64,
    /// Base price of the day, from which its limits follow.
    pub base_px: i64,
    /// Upper limit of the day.
    pub upper_px: i64,
    /// Lower limit of the day.
    pub lower_px: i64,
    /// Tick size at the last price.
    pub tick_px: i64,
    /// First price of the day.
    pub open_px: i64,
    /// Highest price of the day.
    pub high_px: i64,
    /// Lowest price of the day.
    pub low_px: i64,
    /// Shares traded.
    pub volume: u64,
    /// Won traded.
    pub turnover: i64,
    /// Whether trading is halted.
    pub halted: bool,
    /// The broker's code of the stock's state, `iscd_stat_cls_code`: 55 is the usual one.
    pub state: String,
    /// Everything.
    pub row: Row,
}

/// One level of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookSide {
    /// Price; 0 where the broker has no level.
    pub px: i64,
    /// Quantity.
    pub quantity: u64,
}

/// A book at a moment.
#[derive(Clone, Debug)]
pub struct BookSnapshot {
    /// Second of the day of its last order.
    pub accepted_at: u32,
    /// Asks, best first.
    pub asks: [BookSide; 10],
    /// Bids, best first.
    pub bids: [BookSide; 10],
    /// Shares offered in all.
    pub ask_quantity: u64,
    /// Shares bid for in all.
    pub bid_quantity: u64,
    /// Expected price of a running auction.
    pub expected_px: i64,
    /// Shares that would trade at it.
    pub expected_quantity: u64,
    /// The book as sent.
    pub book: Row,
    /// The expectation as sent.
    pub expected: Row,
}

/// One of the newest trades; without cumulative volume, so it can't prove that nothing lies between two calls.
#[derive(Clone, Debug)]
pub struct LatestTrade {
    /// Second of the day.
    pub time: u32,
    /// Price.
    pub px: i64,
    /// Shares.
    pub quantity: u64,
    /// Everything.
    pub row: Row,
}

/// One trade with the day's volume after it.
#[derive(Clone, Debug)]
pub struct TimedTrade {
    /// Second of the day.
    pub time: u32,
    /// Price.
    pub px: i64,
    /// Shares.
    pub quantity: u64,
    /// Best ask after it.
    pub ask_px: i64,
    /// Best bid after it.
    pub bid_px: i64,
    /// Shares of the day up to and with it.
    pub volume: u64,
    /// Everything.
    pub row: Row,
}

/// One symbol of a poll.
#[derive(Clone, Debug)]
pub struct Polled {
    /// Symbol.
    pub symbol: String,
    /// Last price; 0 for a symbol the broker doesn't know.
    pub px: i64,
    /// Shares traded.
    pub volume: u64,
    /// Best ask.
    pub ask_px: i64,
    /// Best bid.
    pub bid_px: i64,
    /// Base price of the day.
    pub base_px: i64,
    /// Upper limit of the day.
    pub upper_px: i64,
    /// Lower limit of the day.
    pub lower_px: i64,
    /// Everything.
    pub row: Row,
}

impl Client {
    fn of_symbol(&self, name: &str, venue: Venue, symbol: &str) -> Result<super::super::Answer, RestError> {
        self.call(name, &[("FID_COND_MRKT_DIV_CODE", venue.code()), ("FID_INPUT_ISCD", symbol)])
    }

    /// Price and limits of a stock (`inquire-price`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn quote(&self, venue: Venue, symbol: &str) -> Result<Quote, RestError> {
        let row = self.of_symbol("domestic-stock/inquire-price", venue, symbol)?.row("output")?;
        Ok(Quote {
            px: row.px("stck_prpr")?,
            base_px: row.px("stck_sdpr")?,
            upper_px: row.px("stck_mxpr")?,
            lower_px: row.px("stck_llam")?,
            tick_px: row.px("aspr_unit")?,
            open_px: row.px("stck_oprc")?,
            high_px: row.px("stck_hgpr")?,
            low_px: row.px("stck_lwpr")?,
            volume: row.quantity("acml_vol")?,
            turnover: row.turnover("acml_tr_pbmn")?,
            halted: row.yes("temp_stop_yn")?,
            state: row.text("iscd_stat_cls_code")?,
            row,
        })
    }

    /// Book and expected price of a stock (`inquire-asking-price-exp-ccn`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn book(&self, venue: Venue, symbol: &str) -> Result<BookSnapshot, RestError> {
        let answer = self.of_symbol("domestic-stock/inquire-asking-price-exp-ccn", venue, symbol)?;
        let (book, expected) = (answer.row("output1")?, answer.row("output2")?);
        let side = |name: &str| -> Result<[BookSide; 10], RestError> {
            let mut levels = [BookSide { px: 0, quantity: 0 }; 10];
            for (level, number) in levels.iter_mut().zip(1..) {
                level.px = book.px(&format!("{name}{number}"))?;
                level.quantity = book.quantity(&format!("{name}_rsqn{number}"))?;
            }
            Ok(levels)
        };
        Ok(BookSnapshot {
            accepted_at: book.time("aspr_acpt_hour")?,
            asks: side("askp")?,
            bids: side("bidp")?,
            ask_quantity: book.quantity("total_askp_rsqn")?,
            bid_quantity: book.quantity("total_bidp_rsqn")?,
            expected_px: expected.px("antc_cnpr")?,
            expected_quantity: expected.quantity("antc_vol")?,
            book,
            expected,
        })
    }

    /// The newest trades, some 30 (`inquire-ccnl`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn latest_trades(&self, venue: Venue, symbol: &str) -> Result<Vec<LatestTrade>, RestError> {
        each(self.of_symbol("domestic-stock/inquire-ccnl", venue, symbol)?.rows("output")?, |row| {
            Ok(LatestTrade {
                time: row.time("stck_cntg_hour")?,
                px: row.px("stck_prpr")?,
                quantity: row.quantity("cntg_vol")?,
                row,
            })
        })
    }

    /// Today's trades at or before a second of the day, newest first, some 30 (`inquire-time-itemconclusion`). To go on,
    /// ask with the second of the last one, and know trades by their cumulative volume: a second may span pages.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn trades_until(&self, venue: Venue, symbol: &str, second: u32) -> Result<Vec<TimedTrade>, RestError> {
        let hour = second_of_day("trades_until", second)?;
        let parameters =
            [("FID_COND_MRKT_DIV_CODE", venue.code()), ("FID_INPUT_ISCD", symbol), ("FID_INPUT_HOUR_1", &hour)];
        each(self.call("domestic-stock/inquire-time-itemconclusion", &parameters)?.rows("output2")?, |row| {
            Ok(TimedTrade {
                time: row.time("stck_cntg_hour")?,
                px: row.px("stck_pbpr")?,
                quantity: row.quantity("cnqn")?,
                ask_px: row.px("askp")?,
                bid_px: row.px("bidp")?,
                volume: row.quantity("acml_vol")?,
                row,
            })
        })
    }

    /// Up to 30 symbols in one call (`intstock-multprice`), in the order asked for.
    ///
    /// # Errors
    ///
    /// More than 30 symbols or none; as [`call`](Client::call), or a field that is no such value.
    pub fn poll(&self, symbols: &[(Venue, &str)]) -> Result<Vec<Polled>, RestError> {
        if symbols.is_empty() || symbols.len() > POLL_SYMBOLS_MAX {
            let value = symbols.len().to_string();
            return Err(RestError::Argument { what: "poll", field: "symbols", value, expected: "1 to 30 of them" });
        }
        let named: Vec<(String, &str)> = (1..)
            .zip(symbols)
            .flat_map(|(number, (venue, symbol))| {
                [
                    (format!("FID_COND_MRKT_DIV_CODE_{number}"), venue.code()),
                    (format!("FID_INPUT_ISCD_{number}"), *symbol),
                ]
            })
            .collect();
        let parameters: Vec<(&str, &str)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        each(self.call("domestic-stock/intstock-multprice", &parameters)?.rows("output")?, |row| {
            Ok(Polled {
                symbol: row.text("inter_shrn_iscd")?,
                px: row.px("inter2_prpr")?,
                volume: row.quantity("acml_vol")?,
                ask_px: row.px("inter2_askp")?,
                bid_px: row.px("inter2_bidp")?,
                base_px: row.px("inter2_sdpr")?,
                upper_px: row.px("inter2_mxpr")?,
                lower_px: row.px("inter2_llam")?,
                row,
            })
        })
    }
}
