//! A file to the entries in it: rows are cut as bytes, text is decoded after.

use super::files::{Format, MasterFile};
use super::layout;
use super::reject::{FileReport, Position};
use super::rows::{self, Fixed, Read, STOCK_FIELDS};
use crate::market::security::Security;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) report: FileReport,
    /// Entries with the place of their row.
    pub(super) securities: Vec<(Security, Position)>,
    /// Codes that it marks as traded on Nextrade.
    pub(super) nextrade: Vec<(Box<str>, Position)>,
}

/// What a row is.
enum Row {
    Entry(Read),
    Mark(Box<str>),
}

/// Reads a file; every row is an entry, a mark or a reject.
pub(super) fn parse(file: &'static MasterFile, bytes: &[u8]) -> Parsed {
    let entry = |row: Result<Read, _>| row.map(Row::Entry);
    match file.format {
        Format::Stocks(layout, board) => {
            let mut names = STOCK_FIELDS.to_vec();
            names.push("kospi200_apnt_cls_code");
            let fixed = Fixed::new(layout, &names);
            each(file, bytes, |row| fixed.check(row).and_then(|()| entry(fixed.stock(row, board))))
        }
        Format::Nextrade(layout, _) => {
            let fixed = Fixed::new(layout, &["mksc_shrn_iscd"]);
            each(file, bytes, |row| fixed.check(row).and_then(|()| fixed.stock_code(row).map(Row::Mark)))
        }
        Format::Indices => {
            let fixed = Fixed::new(&layout::INDEX, &["idx_div", "idx_code", "idx_name"]);
            each(file, bytes, |row| fixed.check(row).and_then(|()| entry(fixed.index(row))))
        }
        Format::Elw => {
            let names = [
                "mksc_shrn_iscd",
                "stnd_iscd",
                "hts_kor_isnm",
                "unas_iscd1",
                "acpr",
                "stck_last_tr_month",
                "rght_type_cls_code",
            ];
            let fixed = Fixed::new(&layout::ELW, &names);
            each(file, bytes, |row| fixed.check(row).and_then(|()| entry(fixed.elw(row))))
        }
        Format::Contracts(types) => each(file, bytes, |row| entry(rows::contract(row, types))),
        Format::Commodities => {
            let names = ["info_type", "shrn_iscd", "stnd_iscd", "kor_name", "acpr", "prod_no", "prod_name"];
            let fixed = Fixed::new(&layout::COMMODITY, &names);
            each(file, bytes, |row| fixed.check(row).and_then(|()| entry(fixed.commodity(row))))
        }
        Format::Bonds => {
            let names = ["type", "bond_cls_code", "stnd_iscd", "sname", "lstn_date", "rdmp_date"];
            let fixed = Fixed::new(&layout::BOND, &names);
            each(file, bytes, |row| fixed.check(row).and_then(|()| entry(fixed.bond(row))))
        }
        Format::Overseas(board) => each(file, bytes, |row| entry(rows::overseas(row, board))),
    }
}

fn each(file: &'static MasterFile, bytes: &[u8], read: impl Fn(&[u8]) -> Result<Row, super::values::Bad>) -> Parsed {
    let mut parsed = Parsed { report: FileReport::new(file.name), securities: Vec::new(), nextrade: Vec::new() };
    let mut at = Position { line: 1, offset: 0 };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (row, after) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        let used = rest.len() - after.len();
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        parsed.report.rows += 1;
        match read(row) {
            Ok(Row::Entry(entry)) => {
                parsed.report.names_cut += u64::from(entry.is_name_cut);
                parsed.securities.push((entry.security, at));
            }
            Ok(Row::Mark(code)) => parsed.nextrade.push((code, at)),
            Err((in_row, reason)) => parsed.report.reject(at, in_row, reason),
        }
        at = Position { line: at.line + 1, offset: at.offset + used as u64 };
        rest = after;
    }
    parsed
}
