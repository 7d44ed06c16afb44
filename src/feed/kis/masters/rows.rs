//! A row of each kind of file to an entry of the list.

use std::ops::Range;

use super::files::ContractTypes;
use super::layout::Layout;
use super::reject::RejectReason;
use super::values::{Bad, Field, Text};
use crate::market::security::{Board, Cautions, Contract, Indices, Kind, Security};

/// Fields that say `Y` where the exchange warns.
const CAUTION_FLAGS: [(&str, Cautions); 9] = [
    ("low_current_yn", Cautions::LOW_LIQUIDITY),
    ("sltr_yn", Cautions::LIQUIDATION),
    ("mang_issu_yn", Cautions::ADMINISTRATION),
    ("mrkt_alrm_risk_adnt_yn", Cautions::WARNING_NOTICE),
    ("insn_pbnt_yn", Cautions::UNFAITHFUL_DISCLOSURE),
    ("byps_lstn_yn", Cautions::BACKDOOR_LISTING),
    ("ssts_hot_yn", Cautions::SHORT_SALE_OVERHEATING),
    ("stange_runup_yn", Cautions::ABNORMAL_RISE),
    ("invt_alrm_yn", Cautions::KOSDAQ_ATTENTION),
];

/// Fields that say `Y` for a member of an index.
const INDEX_FLAGS: [(&str, Indices); 17] = [
    ("kospi100_issu_yn", Indices::KOSPI100),
    ("kospi50_issu_yn", Indices::KOSPI50),
    ("ksq150_nmix_yn", Indices::KOSDAQ150),
    ("krx300_issu_yn", Indices::KRX300),
    ("krx100_issu_yn", Indices::KRX100),
    ("krx_car_yn", Indices::KRX_CARS),
    ("krx_smcn_yn", Indices::KRX_SEMICONDUCTORS),
    ("krx_bio_yn", Indices::KRX_HEALTH),
    ("krx_bank_yn", Indices::KRX_BANKS),
    ("krx_enrg_chms_yn", Indices::KRX_ENERGY),
    ("krx_stel_yn", Indices::KRX_STEEL),
    ("krx_medi_cmnc_yn", Indices::KRX_MEDIA),
    ("krx_cnst_yn", Indices::KRX_CONSTRUCTION),
    ("krx_scrt_yn", Indices::KRX_SECURITIES),
    ("krx_ship_yn", Indices::KRX_MACHINERY),
    ("krx_insu_yn", Indices::KRX_INSURANCE),
    ("krx_trnp_yn", Indices::KRX_TRANSPORT),
];

/// A field of a layout.
#[derive(Debug)]
struct Span {
    name: &'static str,
    range: Range<usize>,
}

impl Span {
    fn find(layout: &Layout, name: &'static str) -> Option<Span> {
        layout.find(name).map(|range| Span { name, range })
    }

    /// The field in a row; what was cut off is blank.
    fn of<'a>(&self, row: &'a [u8]) -> Field<'a> {
        let end = self.range.end.min(row.len());
        let bytes = row.get(self.range.start.min(end)..end).unwrap_or_default();
        Field { at: self.range.start, name: self.name, bytes }
    }
}

/// Rows of a fixed width, looked up by name once a file.
#[derive(Debug)]
pub(super) struct Fixed {
    layout: &'static Layout,
    plain: Vec<Range<usize>>,
    spans: Vec<Span>,
    cautions: Vec<(Span, Cautions)>,
    indices: Vec<(Span, Indices)>,
}

/// A row, and whether its name was cut.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) security: Security,
    pub(super) is_name_cut: bool,
}

impl Read {
    fn new(code: Box<str>, isin: Option<Box<str>>, name: Text, board: Board, kind: Kind) -> Read {
        let security = Security {
            code,
            isin,
            name: name.text,
            name_en: None,
            board,
            kind,
            sectors: Vec::new(),
            base_px: None,
            is_halted: false,
            cautions: Cautions::none(),
            is_nxt: false,
            indices: Indices::none(),
            contract: None,
            realtime_code: None,
            listed_on: None,
        };
        Read { security, is_name_cut: name.is_cut }
    }
}

impl Fixed {
    pub(super) fn new(layout: &'static Layout, names: &[&'static str]) -> Fixed {
        let span = |name| Span::find(layout, name);
        Fixed {
            layout,
            plain: layout.plain(),
            spans: names.iter().filter_map(|name| span(name)).collect(),
            cautions: CAUTION_FLAGS.into_iter().filter_map(|(name, bit)| Some((span(name)?, bit))).collect(),
            indices: INDEX_FLAGS.into_iter().filter_map(|(name, bit)| Some((span(name)?, bit))).collect(),
        }
    }

    /// Checks the width, and that what is no text is printable ASCII: fields that are shifted show there.
    pub(super) fn check(&self, row: &[u8]) -> Result<(), Bad> {
        let expected = self.layout.width();
        if row.len() > expected || row.len() < self.layout.least() {
            return Err((0, RejectReason::Width { found: row.len(), expected }));
        }
        for range in &self.plain {
            let end = range.end.min(row.len());
            let bytes = row.get(range.start.min(end)..end).unwrap_or_default();
            if let Some(at) = bytes.iter().position(|byte| !(b' '..=b'~').contains(byte)) {
                return Err((range.start + at, RejectReason::Byte { found: bytes[at] }));
            }
        }
        Ok(())
    }

    fn field<'a>(&self, row: &'a [u8], name: &'static str) -> Field<'a> {
        let span = self.spans.iter().find(|span| span.name == name);
        span.map_or(Field { at: 0, name, bytes: b"" }, |span| span.of(row))
    }

    /// A stock, fund, note or warrant.
    pub(super) fn stock(&self, row: &[u8], board: Board) -> Result<Read, Bad> {
        let field = |name| self.field(row, name);
        let kind = stock_kind(field("scrt_grp_cls_code").class()?, field("etp_prod_cls_code").class()?);
        let (code, isin) = (field("mksc_shrn_iscd").code()?, field("stnd_iscd").code_or_blank()?);
        let mut read = Read::new(code, isin, field("hts_kor_isnm").text()?, board, kind);
        let security = &mut read.security;
        for name in ["bstp_larg_div_code", "bstp_medm_div_code", "bstp_smal_div_code"] {
            if field(name).class()?.is_some() {
                security.sectors.extend(field(name).code_or_blank()?);
            }
        }
        security.base_px = field("stck_sdpr").px()?;
        security.is_halted = field("trht_yn").yes()?;
        security.listed_on = field("stck_lstn_date").date()?;
        let cautions = &mut security.cautions;
        for (span, bit) in &self.cautions {
            cautions.insert_if(*bit, span.of(row).yes()?);
        }
        for (span, bit) in &self.indices {
            security.indices.insert_if(*bit, span.of(row).yes()?);
        }
        match field("mrkt_alrm_cls_code").class()? {
            None => {}
            Some(b"01") => cautions.insert_if(Cautions::CAUTION, true),
            Some(b"02") => cautions.insert_if(Cautions::WARNING, true),
            Some(b"03") => cautions.insert_if(Cautions::RISK, true),
            Some(_) => cautions.insert_if(Cautions::UNKNOWN, true),
        }
        match field("short_over_cls_code").class()? {
            None => {}
            Some(b"1") => cautions.insert_if(Cautions::OVERHEATING_NOTICE, true),
            Some(b"2" | b"3") => cautions.insert_if(Cautions::OVERHEATING, true),
            Some(_) => cautions.insert_if(Cautions::UNKNOWN, true),
        }
        let is_member = field("kospi200_apnt_cls_code").class()?.is_some();
        security.indices.insert_if(Indices::KOSPI200, is_member);
        Ok(read)
    }

    /// The code of a row that says nothing else here.
    pub(super) fn stock_code(&self, row: &[u8]) -> Result<Box<str>, Bad> {
        self.field(row, "mksc_shrn_iscd").code()
    }

    /// An index. Its code is the four digits that registrations want; the digit before them is its family.
    pub(super) fn index(&self, row: &[u8]) -> Result<Read, Bad> {
        let field = |name| self.field(row, name);
        let family = field("idx_div").code()?;
        let mut read = Read::new(field("idx_code").code()?, None, field("idx_name").text()?, Board::Index, Kind::Index);
        read.security.sectors.push(family);
        Ok(read)
    }

    /// An equity-linked warrant.
    pub(super) fn elw(&self, row: &[u8]) -> Result<Read, Bad> {
        let field = |name| self.field(row, name);
        let (code, isin) = (field("mksc_shrn_iscd").code()?, field("stnd_iscd").code_or_blank()?);
        let mut read = Read::new(code, isin, field("hts_kor_isnm").text()?, Board::Kospi, Kind::Elw);
        read.security.contract = Some(Box::new(Contract {
            underlying: field("unas_iscd1").code_or_blank()?.unwrap_or_default(),
            strike: field("acpr").px()?,
            is_call: match field("rght_type_cls_code").class()? {
                Some(b"C") => Some(true),
                Some(b"P") => Some(false),
                _ => None,
            },
            last_day: field("stck_last_tr_month").date()?,
        }));
        Ok(read)
    }

    /// A contract on interest, a currency or a commodity.
    pub(super) fn commodity(&self, row: &[u8]) -> Result<Read, Bad> {
        let field = |name| self.field(row, name);
        let (kind, is_call) = match field("info_type").byte() {
            b'1' => (Kind::Future, None),
            b'2' => (Kind::Spread, None),
            b'5' => (Kind::Option, Some(true)),
            b'6' => (Kind::Option, Some(false)),
            _ => (Kind::Other, None),
        };
        let (code, isin) = (field("shrn_iscd").code()?, field("stnd_iscd").code_or_blank()?);
        let mut read = Read::new(code, isin, field("kor_name").text()?, Board::Derivatives, kind);
        field("prod_name").text()?;
        let underlying = field("prod_no").code_or_blank()?.unwrap_or_default();
        let strike = field("acpr").px()?;
        read.security.contract = Some(Box::new(Contract { underlying, strike, is_call, last_day: None }));
        Ok(read)
    }

    /// A bond.
    pub(super) fn bond(&self, row: &[u8]) -> Result<Read, Bad> {
        let field = |name| self.field(row, name);
        let isin = field("stnd_iscd").code()?;
        let mut read = Read::new(isin.clone(), Some(isin), field("sname").text()?, Board::Bonds, Kind::Bond);
        read.security.sectors.extend(field("type").code_or_blank()?);
        read.security.sectors.extend(field("bond_cls_code").code_or_blank()?);
        read.security.listed_on = field("lstn_date").date()?;
        let last_day = field("rdmp_date").date()?;
        read.security.contract = Some(Box::new(Contract { last_day, ..Contract::default() }));
        Ok(read)
    }
}

/// Names of the fields that a row of stocks is read from, besides the flags.
pub(super) const STOCK_FIELDS: [&str; 13] = [
    "mksc_shrn_iscd",
    "stnd_iscd",
    "hts_kor_isnm",
    "scrt_grp_cls_code",
    "etp_prod_cls_code",
    "bstp_larg_div_code",
    "bstp_medm_div_code",
    "bstp_smal_div_code",
    "stck_sdpr",
    "trht_yn",
    "stck_lstn_date",
    "mrkt_alrm_cls_code",
    "short_over_cls_code",
];

fn stock_kind(group: Option<&[u8]>, product: Option<&[u8]>) -> Kind {
    match (group, product) {
        (Some(b"EN"), _) | (_, Some(b"3" | b"4")) => Kind::Etn,
        (Some(b"ST" | b"KN"), _) => Kind::Stock,
        (Some(b"FS"), _) => Kind::ForeignStock,
        (Some(b"DR"), _) => Kind::Receipt,
        (Some(b"RT"), _) => Kind::Reit,
        (Some(b"MF" | b"SC" | b"IF"), _) => Kind::Fund,
        (Some(b"BC"), _) => Kind::Certificate,
        (Some(b"EF" | b"FE"), _) => Kind::Etf,
        (Some(b"EW"), _) => Kind::Elw,
        (Some(b"SR"), _) => Kind::Right,
        (Some(b"SW"), _) => Kind::Warrant,
        _ => Kind::Other,
    }
}

/// The columns of a row, as fields with their names; or how many there are.
pub(super) fn columns<'a, const N: usize>(
    row: &'a [u8],
    separator: u8,
    names: &[&'static str; N],
    text: &[&str],
) -> Result<[Field<'a>; N], Bad> {
    let found = row.split(|byte| *byte == separator).count();
    if found != N {
        return Err((0, RejectReason::Columns { found, expected: N }));
    }
    let mut fields = [Field { at: 0, name: "", bytes: b"" }; N];
    let mut at = 0;
    for ((field, bytes), name) in fields.iter_mut().zip(row.split(|byte| *byte == separator)).zip(names) {
        *field = Field { at, name, bytes };
        if !text.contains(name)
            && let Some(wrong) = bytes.iter().position(|byte| !(b' '..=b'~').contains(byte))
        {
            return Err((at + wrong, RejectReason::Byte { found: bytes[wrong] }));
        }
        at += bytes.len() + 1;
    }
    Ok(fields)
}

/// A future, spread or option on an index or a stock.
pub(super) fn contract(row: &[u8], types: ContractTypes) -> Result<Read, Bad> {
    let fields = columns(row, b'|', &super::layout::CONTRACT_COLUMNS, &["kor_name", "unas_kor_name"])?;
    let [info_type, code, isin, name, _atm, strike, _month, underlying, underlying_name] = fields;
    underlying_name.text()?;
    let info_type = info_type.byte();
    let (kind, is_call) = match (types, info_type) {
        (ContractTypes::Indices, b'1' | b'3' | b'7' | b'9' | b'B' | b'H') => (Kind::Future, None),
        (ContractTypes::Indices, b'2' | b'4' | b'8' | b'A' | b'C' | b'I') => (Kind::Spread, None),
        (ContractTypes::Indices, b'5' | b'D' | b'J' | b'L' | b'N') => (Kind::Option, Some(true)),
        (ContractTypes::Indices, b'6' | b'E' | b'K' | b'M' | b'O') => (Kind::Option, Some(false)),
        (ContractTypes::Stocks, b'1' | b'3') => (Kind::Future, None),
        (ContractTypes::Stocks, b'2' | b'4') => (Kind::Spread, None),
        (ContractTypes::Stocks, b'5') => (Kind::Option, Some(true)),
        (ContractTypes::Stocks, b'6') => (Kind::Option, Some(false)),
        _ => (Kind::Other, None),
    };
    let mut read = Read::new(code.code()?, isin.code_or_blank()?, name.text()?, Board::Derivatives, kind);
    let underlying = underlying.code_or_blank()?.unwrap_or_default();
    let contract = Contract { underlying, strike: strike.px()?, is_call, last_day: None };
    read.security.contract = Some(Box::new(contract));
    Ok(read)
}

/// A stock, fund, warrant or index abroad.
pub(super) fn overseas(row: &[u8], board: Board) -> Result<Read, Bad> {
    let fields = columns(row, b'\t', &super::layout::OVERSEAS_COLUMNS, &["exnm", "knam", "enam"])?;
    let [_, _, _, exchange, symbol, realtime, name, name_en, class, ..] = fields;
    let (base, industry, product) = (fields[12], fields[19], fields[22]);
    exchange.text()?;
    let kind = match (class.byte(), product.trimmed()) {
        (b'1', _) => Kind::Index,
        (b'2', _) => Kind::Stock,
        (b'3', b"002" | b"006") => Kind::Etn,
        (b'3', _) => Kind::Etf,
        (b'4', _) => Kind::Warrant,
        _ => Kind::Other,
    };
    let mut read = Read::new(symbol.code()?, None, name.text()?, board, kind);
    let english = name_en.text()?;
    read.is_name_cut |= english.is_cut;
    let security = &mut read.security;
    security.name_en = Some(english.text).filter(|name| !name.is_empty());
    security.realtime_code = realtime.code_or_blank()?;
    security.base_px = base.px()?;
    if industry.class()?.is_some() {
        security.sectors.extend(industry.code_or_blank()?);
    }
    Ok(read)
}
