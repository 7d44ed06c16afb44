//! Days, product data, interruptions, rankings; and calls whose rows stay as they are sent.

use super::super::{Answer, Client, RestError, Row};
use super::{each, yyyymmdd};

/// A day of the broker's calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// Date.
    pub date: u32,
    /// Whether banks work.
    pub business_day: bool,
    /// Whether securities are traded.
    pub trading_day: bool,
    /// Whether the market opens.
    pub open: bool,
    /// Whether trades are settled.
    pub settlement_day: bool,
}

/// What the broker knows of a stock besides prices.
#[derive(Clone, Debug)]
pub struct StockInfo {
    /// Short Korean name.
    pub name: String,
    /// Whether Nextrade trades it, halted or not.
    pub on_nxt: bool,
    /// Whether it is halted on Nextrade.
    pub nxt_halted: bool,
    /// Whether it is halted.
    pub halted: bool,
    /// Whether it is under administration.
    pub administered: bool,
    /// Everything.
    pub row: Row,
}

/// A volatility interruption.
#[derive(Clone, Debug)]
pub struct VolatilityEvent {
    /// Symbol.
    pub symbol: String,
    /// Date.
    pub date: u32,
    /// Second of the day at which it began.
    pub begun_at: u32,
    /// Second of the day at which it ended; `None` while it runs.
    pub ended_at: Option<u32>,
    /// The broker's code of its kind, `vi_kind_code`.
    pub kind: String,
    /// Price that set it off.
    pub px: i64,
    /// Reference of the static interruption.
    pub static_reference_px: i64,
    /// Reference of the dynamic interruption.
    pub dynamic_reference_px: i64,
    /// Everything.
    pub row: Row,
}

/// A stock in the ranking by volume.
#[derive(Clone, Debug)]
pub struct RankedStock {
    /// Place, from 1.
    pub rank: u64,
    /// Symbol.
    pub symbol: String,
    /// Korean name.
    pub name: String,
    /// Last price.
    pub px: i64,
    /// Shares traded.
    pub volume: u64,
    /// Won traded.
    pub turnover: i64,
    /// Everything.
    pub row: Row,
}

impl Holiday {
    /// The days of one page of `chk-holiday`.
    ///
    /// # Errors
    ///
    /// A field that is no such value.
    pub fn of(page: &Answer) -> Result<Vec<Holiday>, RestError> {
        each(page.rows("output")?, |row| {
            Ok(Holiday {
                date: row.date("bass_dt")?,
                business_day: row.yes("bzdy_yn")?,
                trading_day: row.yes("tr_day_yn")?,
                open: row.yes("opnd_yn")?,
                settlement_day: row.yes("sttl_day_yn")?,
            })
        })
    }
}

impl Client {
    /// Days from a date on (`chk-holiday`), over as many pages as it takes. The broker asks for one such call a day; the
    /// mock server refuses it.
    ///
    /// # Errors
    ///
    /// As [`pages`](Client::pages), or a field that is no such value.
    pub fn holidays(&self, from: u32, pages_max: usize) -> Result<Vec<Holiday>, RestError> {
        let from = yyyymmdd("holidays", "from", from)?;
        let mut days = Vec::new();
        for page in self.pages("domestic-stock/chk-holiday", &[("BASS_DT", &from)], pages_max)? {
            days.extend(Holiday::of(&page?)?);
        }
        Ok(days)
    }

    /// Product data of a stock (`search-stock-info`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn stock_info(&self, symbol: &str) -> Result<StockInfo, RestError> {
        let answer = self.call("domestic-stock/search-stock-info", &[("PRDT_TYPE_CD", "300"), ("PDNO", symbol)])?;
        let row = answer.row("output")?;
        Ok(StockInfo {
            name: row.text("prdt_abrv_name")?,
            on_nxt: row.yes("cptt_trad_tr_psbl_yn")?,
            nxt_halted: row.yes("nxt_tr_stop_yn")?,
            halted: row.yes("tr_stop_yn")?,
            administered: row.yes("admn_item_yn")?,
            row,
        })
    }

    /// Basic product data (`search-info`); `product_type` is `300` for stocks.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call).
    pub fn product_info(&self, product_type: &str, product: &str) -> Result<Row, RestError> {
        self.call("domestic-stock/search-info", &[("PDNO", product), ("PRDT_TYPE_CD", product_type)])?.row("output")
    }

    /// Volatility interruptions of a day (`inquire-vi-status`), of one symbol or, when it is empty, of all.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn volatility_events(&self, date: u32, symbol: &str) -> Result<Vec<VolatilityEvent>, RestError> {
        let date = yyyymmdd("volatility_events", "date", date)?;
        let parameters = [
            ("FID_DIV_CLS_CODE", "0"),
            ("FID_COND_SCR_DIV_CODE", "20139"),
            ("FID_MRKT_CLS_CODE", "0"),
            ("FID_INPUT_ISCD", symbol),
            ("FID_RANK_SORT_CLS_CODE", "0"),
            ("FID_INPUT_DATE_1", &date),
        ];
        each(self.call("domestic-stock/inquire-vi-status", &parameters)?.rows("output")?, |row| {
            let runs = matches!(row.get("vi_cncl_hour").unwrap_or_default(), "" | "000000");
            Ok(VolatilityEvent {
                symbol: row.text("mksc_shrn_iscd")?,
                date: row.date("bsop_date")?,
                begun_at: row.time("cntg_vi_hour")?,
                ended_at: if runs { None } else { Some(row.time("vi_cncl_hour")?) },
                kind: row.text("vi_kind_code")?,
                px: row.px("vi_prc")?,
                static_reference_px: row.px("vi_stnd_prc")?,
                dynamic_reference_px: row.px("vi_dmc_stnd_prc")?,
                row,
            })
        })
    }

    /// The stocks that traded most shares, some 30 (`volume-rank`). `filters` overrides or adds parameters.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn volume_ranking(&self, filters: &[(&str, &str)]) -> Result<Vec<RankedStock>, RestError> {
        const USUAL: [(&str, &str); 7] = [
            ("FID_COND_MRKT_DIV_CODE", "J"),
            ("FID_COND_SCR_DIV_CODE", "20171"),
            ("FID_INPUT_ISCD", "0000"),
            ("FID_DIV_CLS_CODE", "0"),
            ("FID_BLNG_CLS_CODE", "0"),
            ("FID_TRGT_CLS_CODE", "111111111"),
            ("FID_TRGT_EXLS_CLS_CODE", "0000000000"),
        ];
        let overridden = |name: &str| filters.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let usual = USUAL.iter().filter(|(name, _)| !overridden(name));
        let parameters: Vec<(&str, &str)> = usual.chain(filters).copied().collect();
        each(self.call("domestic-stock/volume-rank", &parameters)?.rows("output")?, |row| {
            Ok(RankedStock {
                rank: row.quantity("data_rank")?,
                symbol: row.text("mksc_shrn_iscd")?,
                name: row.text("hts_kor_isnm")?,
                px: row.px("stck_prpr")?,
                volume: row.quantity("acml_vol")?,
                turnover: row.turnover("acml_tr_pbmn")?,
                row,
            })
        })
    }

    /// Business days and hours of the derivatives market (`market-time`).
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call).
    pub fn derivatives_hours(&self) -> Result<Row, RestError> {
        self.call("domestic-stock/market-time", &[])?.row("output1")
    }

    /// All rows of one output of any endpoint, over its pages: indices, rankings, funds, derivatives, overseas markets.
    ///
    /// # Errors
    ///
    /// As [`pages`](Client::pages).
    pub fn all_rows(
        &self,
        name: &str,
        parameters: &[(&str, &str)],
        output: &str,
        pages_max: usize,
    ) -> Result<Vec<Row>, RestError> {
        let mut rows = Vec::new();
        for page in self.pages(name, parameters, pages_max)? {
            rows.extend(page?.rows(output)?);
        }
        Ok(rows)
    }
}
