//! Rankings besides the one by volume.

use super::super::{Client, RestError, Row};
use super::{RankedStock, each};

/// Parameters with which all stocks are ranked, in the spelling of these calls.
const ALL: [(&str, &str); 5] = [
    ("fid_cond_mrkt_div_code", "J"),
    ("fid_input_iscd", "0000"),
    ("fid_div_cls_code", "0"),
    ("fid_trgt_cls_code", "0"),
    ("fid_trgt_exls_cls_code", "0"),
];

fn ranked(row: Row) -> Result<RankedStock, RestError> {
    // The calls differ in the name of the symbol alone.
    let symbol = row.text("stck_shrn_iscd").or_else(|_| row.text("mksc_shrn_iscd"))?;
    Ok(RankedStock {
        rank: row.quantity("data_rank")?,
        symbol,
        name: row.text("hts_kor_isnm")?,
        px: row.px("stck_prpr")?,
        volume: row.quantity("acml_vol")?,
        turnover: row.turnover("acml_tr_pbmn")?,
        row,
    })
}

impl Client {
    fn ranking(
        &self,
        name: &str,
        usual: &[(&str, &str)],
        filters: &[(&str, &str)],
    ) -> Result<Vec<RankedStock>, RestError> {
        let overridden = |name: &str| filters.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let usual = usual.iter().chain(&ALL).filter(|(name, _)| !overridden(name));
        let parameters: Vec<(&str, &str)> = usual.chain(filters).copied().collect();
        each(self.call(name, &parameters)?.rows("output")?, ranked)
    }

    /// The stocks that have changed most, some 30, the largest rise first (`ranking/fluctuation`); with
    /// `fid_rank_sort_cls_code` 1 the largest fall. Turnovers are undefined. `filters` overrides or adds parameters.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn change_ranking(&self, filters: &[(&str, &str)]) -> Result<Vec<RankedStock>, RestError> {
        const USUAL: [(&str, &str); 4] = [
            ("fid_cond_scr_div_code", "20170"),
            ("fid_rank_sort_cls_code", "0"),
            ("fid_input_cnt_1", "0"),
            ("fid_prc_cls_code", "0"),
        ];
        self.ranking("domestic-stock/fluctuation", &USUAL, filters)
    }

    /// The stocks of the largest market capitalisation, some 30 (`ranking/market-cap`); `stck_avls` of the row is that, in
    /// units of 100 million won. Turnovers are undefined. `filters` overrides or adds parameters.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn capital_ranking(&self, filters: &[(&str, &str)]) -> Result<Vec<RankedStock>, RestError> {
        self.ranking("domestic-stock/market-cap", &[("fid_cond_scr_div_code", "20174")], filters)
    }

    /// The stocks of which most shares were bought for each share sold, some 30 (`ranking/volume-power`); `tday_rltv` of the
    /// row is that, in percent, 999.99 at most. Turnovers are undefined. `filters` overrides or adds parameters.
    ///
    /// # Errors
    ///
    /// As [`call`](Client::call), or a field that is no such value.
    pub fn strength_ranking(&self, filters: &[(&str, &str)]) -> Result<Vec<RankedStock>, RestError> {
        self.ranking("domestic-stock/volume-power", &[("fid_cond_scr_div_code", "20168")], filters)
    }
}
