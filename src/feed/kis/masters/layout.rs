//! Byte widths of the master files' fields, in their order.
//!
//! From the broker's headers and sample parsers, `stocks_info/` of github.com/koreainvestment/open-trading-api
//! (종목마스터정보(코스피), (코스닥), (코넥스), (ELW), (지수선물옵션), (주식선물옵션), (상품선물옵션), (채권), 업종코드정보,
//! 해외종목코드정보), and checked against files it has served. Names of fields are the broker's.

use std::ops::Range;

/// A file whose rows have a width in bytes.
#[derive(Debug)]
pub(super) struct Layout {
    fields: &'static [(&'static str, usize)],
    /// Fields that hold Korean text; all others are printable ASCII.
    text: &'static [&'static str],
    /// Bytes that every row has; the rest may have been cut off, being blank. Equal to the width where nothing may.
    least: usize,
}

impl Layout {
    /// Bytes of a whole row.
    pub(super) fn width(&self) -> usize {
        self.fields.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes that a row has at least.
    pub(super) fn least(&self) -> usize {
        self.least
    }

    /// Where a field stands; `None` where the file has no such field.
    pub(super) fn find(&self, name: &str) -> Option<Range<usize>> {
        let mut at = 0;
        for (field, bytes) in self.fields {
            if *field == name {
                return Some(at..at + bytes);
            }
            at += bytes;
        }
        None
    }

    /// What is not Korean text, as ranges in order.
    pub(super) fn plain(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        for (field, bytes) in self.fields {
            if !self.text.contains(field) {
                match ranges.last_mut() {
                    Some(last) if last.end == at => last.end = at + bytes,
                    _ => ranges.push(at..at + bytes),
                }
            }
            at += bytes;
        }
        ranges
    }
}

pub(super) static KOSPI: Layout = Layout {
    fields: &[
        ("mksc_shrn_iscd", 9),
        ("stnd_iscd", 12),
        ("hts_kor_isnm", 40),
        ("scrt_grp_cls_code", 2),
        ("avls_scal_cls_code", 1),
        ("bstp_larg_div_code", 4),
        ("bstp_medm_div_code", 4),
        ("bstp_smal_div_code", 4),
        ("mnin_cls_code_yn", 1),
        ("low_current_yn", 1),
        ("sprn_strr_nmix_issu_yn", 1),
        ("kospi200_apnt_cls_code", 1),
        ("kospi100_issu_yn", 1),
        ("kospi50_issu_yn", 1),
        ("krx_issu_yn", 1),
        ("etp_prod_cls_code", 1),
        ("elw_pblc_yn", 1),
        ("krx100_issu_yn", 1),
        ("krx_car_yn", 1),
        ("krx_smcn_yn", 1),
        ("krx_bio_yn", 1),
        ("krx_bank_yn", 1),
        ("etpr_undt_objt_co_yn", 1),
        ("krx_enrg_chms_yn", 1),
        ("krx_stel_yn", 1),
        ("short_over_cls_code", 1),
        ("krx_medi_cmnc_yn", 1),
        ("krx_cnst_yn", 1),
        ("krx_fnnc_svc_yn", 1),
        ("krx_scrt_yn", 1),
        ("krx_ship_yn", 1),
        ("krx_insu_yn", 1),
        ("krx_trnp_yn", 1),
        ("sri_nmix_yn", 1),
        ("stck_sdpr", 9),
        ("frml_mrkt_deal_qty_unit", 5),
        ("ovtm_mrkt_deal_qty_unit", 5),
        ("trht_yn", 1),
        ("sltr_yn", 1),
        ("mang_issu_yn", 1),
        ("mrkt_alrm_cls_code", 2),
        ("mrkt_alrm_risk_adnt_yn", 1),
        ("insn_pbnt_yn", 1),
        ("byps_lstn_yn", 1),
        ("flng_cls_code", 2),
        ("fcam_mod_cls_code", 2),
        ("icic_cls_code", 2),
        ("marg_rate", 3),
        ("crdt_able", 1),
        ("crdt_days", 3),
        ("prdy_vol", 12),
        ("stck_fcam", 12),
        ("stck_lstn_date", 8),
        ("lstn_stcn", 15),
        ("cpfn", 21),
        ("stac_month", 2),
        ("po_prc", 7),
        ("prst_cls_code", 1),
        ("ssts_hot_yn", 1),
        ("stange_runup_yn", 1),
        ("krx300_issu_yn", 1),
        ("kospi_issu_yn", 1),
        ("sale_account", 9),
        ("bsop_prfi", 9),
        ("op_prfi", 9),
        ("thtr_ntin", 5),
        ("roe", 9),
        ("base_date", 8),
        ("prdy_avls_scal", 9),
        ("grp_code", 3),
        ("co_crdt_limt_over_yn", 1),
        ("secu_lend_able_yn", 1),
        ("stln_able_yn", 1),
    ],
    text: &["hts_kor_isnm"],
    least: 288,
};

pub(super) static KOSDAQ: Layout = Layout {
    fields: &[
        ("mksc_shrn_iscd", 9),
        ("stnd_iscd", 12),
        ("hts_kor_isnm", 40),
        ("scrt_grp_cls_code", 2),
        ("avls_scal_cls_code", 1),
        ("bstp_larg_div_code", 4),
        ("bstp_medm_div_code", 4),
        ("bstp_smal_div_code", 4),
        ("vntr_issu_yn", 1),
        ("low_current_yn", 1),
        ("krx_issu_yn", 1),
        ("etp_prod_cls_code", 1),
        ("krx100_issu_yn", 1),
        ("krx_car_yn", 1),
        ("krx_smcn_yn", 1),
        ("krx_bio_yn", 1),
        ("krx_bank_yn", 1),
        ("etpr_undt_objt_co_yn", 1),
        ("krx_enrg_chms_yn", 1),
        ("krx_stel_yn", 1),
        ("short_over_cls_code", 1),
        ("krx_medi_cmnc_yn", 1),
        ("krx_cnst_yn", 1),
        ("invt_alrm_yn", 1),
        ("krx_scrt_yn", 1),
        ("krx_ship_yn", 1),
        ("krx_insu_yn", 1),
        ("krx_trnp_yn", 1),
        ("ksq150_nmix_yn", 1),
        ("stck_sdpr", 9),
        ("frml_mrkt_deal_qty_unit", 5),
        ("ovtm_mrkt_deal_qty_unit", 5),
        ("trht_yn", 1),
        ("sltr_yn", 1),
        ("mang_issu_yn", 1),
        ("mrkt_alrm_cls_code", 2),
        ("mrkt_alrm_risk_adnt_yn", 1),
        ("insn_pbnt_yn", 1),
        ("byps_lstn_yn", 1),
        ("flng_cls_code", 2),
        ("fcam_mod_cls_code", 2),
        ("icic_cls_code", 2),
        ("marg_rate", 3),
        ("crdt_able", 1),
        ("crdt_days", 3),
        ("prdy_vol", 12),
        ("stck_fcam", 12),
        ("stck_lstn_date", 8),
        ("lstn_stcn", 15),
        ("cpfn", 21),
        ("stac_month", 2),
        ("po_prc", 7),
        ("prst_cls_code", 1),
        ("ssts_hot_yn", 1),
        ("stange_runup_yn", 1),
        ("krx300_issu_yn", 1),
        ("sale_account", 9),
        ("bsop_prfi", 9),
        ("op_prfi", 9),
        ("thtr_ntin", 5),
        ("roe", 9),
        ("base_date", 8),
        ("prdy_avls_scal", 9),
        ("grp_code", 3),
        ("co_crdt_limt_over_yn", 1),
        ("secu_lend_able_yn", 1),
        ("stln_able_yn", 1),
    ],
    text: &["hts_kor_isnm"],
    least: 282,
};

pub(super) static KONEX: Layout = Layout {
    fields: &[
        ("mksc_shrn_iscd", 9),
        ("stnd_iscd", 12),
        ("hts_kor_isnm", 40),
        ("scrt_grp_cls_code", 2),
        ("stck_sdpr", 9),
        ("frml_mrkt_deal_qty_unit", 5),
        ("ovtm_mrkt_deal_qty_unit", 5),
        ("trht_yn", 1),
        ("sltr_yn", 1),
        ("mang_issu_yn", 1),
        ("mrkt_alrm_cls_code", 2),
        ("mrkt_alrm_risk_adnt_yn", 1),
        ("insn_pbnt_yn", 1),
        ("byps_lstn_yn", 1),
        ("flng_cls_code", 2),
        ("fcam_mod_cls_code", 2),
        ("icic_cls_code", 2),
        ("marg_rate", 3),
        ("crdt_able", 1),
        ("crdt_days", 3),
        ("prdy_vol", 12),
        ("stck_fcam", 12),
        ("stck_lstn_date", 8),
        ("lstn_stcn", 15),
        ("cpfn", 21),
        ("stac_month", 2),
        ("po_prc", 7),
        ("prst_cls_code", 1),
        ("ssts_hot_yn", 1),
        ("stange_runup_yn", 1),
        ("krx300_issu_yn", 1),
        ("sale_account", 9),
        ("bsop_prfi", 9),
        ("op_prfi", 9),
        ("thtr_ntin", 5),
        ("roe", 9),
        ("base_date", 8),
        ("prdy_avls_scal", 9),
        ("co_crdt_limt_over_yn", 1),
        ("secu_lend_able_yn", 1),
        ("stln_able_yn", 1),
    ],
    text: &["hts_kor_isnm"],
    least: 245,
};

pub(super) static INDEX: Layout =
    Layout { fields: &[("idx_div", 1), ("idx_code", 4), ("idx_name", 40)], text: &["idx_name"], least: 45 };

pub(super) static ELW: Layout = Layout {
    fields: &[
        ("mksc_shrn_iscd", 9),
        ("stnd_iscd", 12),
        ("hts_kor_isnm", 40),
        ("elw_nvlt_optn_cls_code", 1),
        ("elw_ko_barrier", 13),
        ("bskt_yn", 1),
        ("unas_iscd1", 9),
        ("unas_iscd2", 9),
        ("unas_iscd3", 9),
        ("unas_iscd4", 9),
        ("unas_iscd5", 9),
        ("elw_pblc_istu_name", 40),
        ("elw_pblc_mrkt_prtt_no", 5),
        ("acpr", 9),
        ("stck_last_tr_month", 8),
        ("rmnn_dynu", 4),
        ("rght_type_cls_code", 1),
        ("paym_date", 8),
        ("prdy_avls", 9),
        ("lstn_stcn", 15),
        ("mrkt_prtt_no1", 5),
        ("mrkt_prtt_no2", 5),
        ("mrkt_prtt_no3", 5),
        ("mrkt_prtt_no4", 5),
        ("mrkt_prtt_no5", 5),
        ("mrkt_prtt_no6", 5),
        ("mrkt_prtt_no7", 5),
        ("mrkt_prtt_no8", 5),
        ("mrkt_prtt_no9", 5),
        ("mrkt_prtt_no10", 5),
    ],
    text: &["hts_kor_isnm", "elw_pblc_istu_name"],
    least: 270,
};

/// The name of the underlying, at the end, may be cut off where blanks begin.
pub(super) static COMMODITY: Layout = Layout {
    fields: &[
        ("com_type", 1),
        ("info_type", 1),
        ("shrn_iscd", 9),
        ("stnd_iscd", 12),
        ("kor_name", 40),
        ("atm_cls_code", 1),
        ("acpr", 8),
        ("mmsc_cls_code", 1),
        ("prod_no", 3),
        ("prod_name", 40),
    ],
    text: &["kor_name", "prod_name"],
    least: 76,
};

/// What follows the redemption date is blank in the files, and the broker's own parser reads rows without it.
pub(super) static BOND: Layout = Layout {
    fields: &[
        ("type", 2),
        ("bond_cls_code", 2),
        ("stnd_iscd", 12),
        ("sname", 40),
        ("bond_int_cls_code", 2),
        ("lstn_date", 8),
        ("pblc_date", 8),
        ("rdmp_date", 8),
        ("sale_date", 8),
        ("srfc_intrt", 8),
        ("rdmt_rate", 8),
    ],
    text: &["sname"],
    least: 82,
};

/// Columns of futures and options on indices and stocks, between `|`.
pub(super) static CONTRACT_COLUMNS: [&str; 9] = [
    "info_type",
    "shrn_iscd",
    "stnd_iscd",
    "kor_name",
    "atm_cls_code",
    "acpr",
    "mmsc_cls_code",
    "unas_shrn_iscd",
    "unas_kor_name",
];

/// Columns of stocks abroad, between tabs.
pub(super) static OVERSEAS_COLUMNS: [&str; 24] = [
    "ncod", "exid", "excd", "exnm", "symb", "rsym", "knam", "enam", "stis", "curr", "zdiv", "ztyp", "base", "bnit",
    "anit", "mstm", "metm", "isdr", "drcd", "icod", "sjong", "ttyp", "etyp", "ttyp_sb",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_widths_of_served_files() {
        let widths = [&KOSPI, &KOSDAQ, &KONEX, &INDEX, &ELW, &COMMODITY, &BOND].map(Layout::width);
        assert_eq!(widths, [288, 282, 245, 45, 270, 116, 106]);
        assert_eq!((KOSPI.find("stck_sdpr"), KOSPI.find("krx300_issu_yn")), (Some(102..111), Some(222..223)));
        assert_eq!((KOSDAQ.find("ksq150_nmix_yn"), KOSDAQ.find("trht_yn")), (Some(96..97), Some(116..117)));
        assert_eq!((BOND.find("rdmp_date"), BOND.find("kospi50_issu_yn")), (Some(74..82), None));
        assert_eq!(ELW.plain(), [0..21, 61..121, 161..270]);
    }
}
