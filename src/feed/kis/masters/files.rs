//! Which master files there are.

use super::layout::{self, Layout};
use crate::market::security::Board;

/// How the rows of a file are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    /// Stocks, funds, notes and warrants.
    Stocks(&'static Layout, Board),
    /// As stocks, but only the codes count: they are traded on Nextrade.
    Nextrade(&'static Layout, Board),
    /// Indices.
    Indices,
    /// Equity-linked warrants.
    Elw,
    /// Futures and options, columns between `|`.
    Contracts(ContractTypes),
    /// Futures and options on interest, currencies and commodities.
    Commodities,
    /// Bonds.
    Bonds,
    /// Stocks abroad, columns between tabs.
    Overseas(Board),
}

/// Whose table of `info_type` holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum ContractTypes {
    Indices,
    Stocks,
}

/// A master file.
#[derive(Clone, Copy, Debug)]
pub struct MasterFile {
    /// Name inside the archive, in lower case; the archive has `.zip` behind it.
    pub name: &'static str,
    pub(super) format: Format,
}

impl MasterFile {
    /// Name of the archive.
    pub fn archive(&self) -> String {
        format!("{}.zip", self.name)
    }

    /// Markets that it says something of.
    pub(super) fn boards(&self) -> Vec<Board> {
        match self.format {
            Format::Stocks(_, board) | Format::Overseas(board) => vec![board],
            Format::Nextrade(..) => vec![Board::Kospi, Board::Kosdaq],
            Format::Indices => vec![Board::Index],
            Format::Elw => vec![Board::Kospi],
            Format::Contracts(_) | Format::Commodities => vec![Board::Derivatives],
            Format::Bonds => vec![Board::Bonds],
        }
    }

    /// The market of which it says what Nextrade trades.
    pub(super) fn marks_nextrade_of(&self) -> Option<Board> {
        match self.format {
            Format::Nextrade(_, board) => Some(board),
            _ => None,
        }
    }

    /// The file of a name.
    pub fn find(name: &str) -> Option<&'static MasterFile> {
        FILES.iter().find(|file| file.name == name)
    }
}

const fn file(name: &'static str, format: Format) -> MasterFile {
    MasterFile { name, format }
}

/// All files that are read. What an earlier one lists is not taken from a later one, so those that say more come first, and
/// Nextrade's come behind the lists that they mark.
///
/// Left out are the lists of the night sessions, whose layout the broker doesn't publish and whose codes are those of the day,
/// and themes and members, which are no instruments.
pub static FILES: [MasterFile; 22] = [
    file("kospi_code.mst", Format::Stocks(&layout::KOSPI, Board::Kospi)),
    file("kosdaq_code.mst", Format::Stocks(&layout::KOSDAQ, Board::Kosdaq)),
    file("konex_code.mst", Format::Stocks(&layout::KONEX, Board::Konex)),
    file("nxt_kospi_code.mst", Format::Nextrade(&layout::KOSPI, Board::Kospi)),
    file("nxt_kosdaq_code.mst", Format::Nextrade(&layout::KOSDAQ, Board::Kosdaq)),
    file("idxcode.mst", Format::Indices),
    file("elw_code.mst", Format::Elw),
    file("fo_idx_code_mts.mst", Format::Contracts(ContractTypes::Indices)),
    file("fo_stk_code_mts.mst", Format::Contracts(ContractTypes::Stocks)),
    file("fo_com_code.mst", Format::Commodities),
    file("bond_code.mst", Format::Bonds),
    file("nasmst.cod", Format::Overseas(Board::Nasdaq)),
    file("nysmst.cod", Format::Overseas(Board::Nyse)),
    file("amsmst.cod", Format::Overseas(Board::Amex)),
    file("shsmst.cod", Format::Overseas(Board::Shanghai)),
    file("shimst.cod", Format::Overseas(Board::Shanghai)),
    file("szsmst.cod", Format::Overseas(Board::Shenzhen)),
    file("szimst.cod", Format::Overseas(Board::Shenzhen)),
    file("tsemst.cod", Format::Overseas(Board::Tokyo)),
    file("hksmst.cod", Format::Overseas(Board::HongKong)),
    file("hnxmst.cod", Format::Overseas(Board::Hanoi)),
    file("hsxmst.cod", Format::Overseas(Board::HoChiMinh)),
];
