//! What changed between two days.

use std::collections::{HashMap, HashSet};

use super::Masters;
use crate::market::security::{Board, Cautions, Indices, Security};

/// A change of an instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The earlier day doesn't have it.
    Listed,
    /// The later day doesn't have it.
    Delisted,
    /// It has another name.
    Renamed {
        /// The earlier name.
        from: Box<str>,
    },
    /// It is on another market.
    Moved {
        /// The earlier market.
        from: Board,
    },
    /// Trading is halted.
    Halted,
    /// Trading is halted no longer.
    Resumed,
    /// The exchange warns of something more or less.
    Cautions {
        /// New ones.
        added: Cautions,
        /// Those that are gone.
        removed: Cautions,
    },
    /// Whether Nextrade trades it.
    Nextrade {
        /// Whether it does now.
        trades: bool,
    },
    /// It is a member of other indices.
    Indices {
        /// New ones.
        added: Indices,
        /// Those that are gone.
        removed: Indices,
    },
    /// Its prices go in other steps: of another table, or because the base price is in another band.
    TickSize {
        /// Step at the earlier base price, px units.
        from: Option<i64>,
        /// Step at the later one.
        to: Option<i64>,
    },
    /// It has another base price.
    BasePx {
        /// The earlier one, px units.
        from: Option<i64>,
        /// The later one.
        to: Option<i64>,
    },
}

impl Change {
    /// The name in text and JSON.
    pub fn name(&self) -> &'static str {
        Change::NAMES[self.order()]
    }

    /// Names of all changes, in the order they are reported.
    pub const NAMES: [&'static str; 11] = [
        "listed",
        "delisted",
        "renamed",
        "moved",
        "halted",
        "resumed",
        "cautions",
        "nextrade",
        "indices",
        "tick_size",
        "base_px",
    ];

    fn order(&self) -> usize {
        match self {
            Change::Listed => 0,
            Change::Delisted => 1,
            Change::Renamed { .. } => 2,
            Change::Moved { .. } => 3,
            Change::Halted => 4,
            Change::Resumed => 5,
            Change::Cautions { .. } => 6,
            Change::Nextrade { .. } => 7,
            Change::Indices { .. } => 8,
            Change::TickSize { .. } => 9,
            Change::BasePx { .. } => 10,
        }
    }
}

/// An instrument that changed; of one that changed in several ways there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// As it is in the later day; what was delisted as it was in the earlier one.
    pub security: &'a Security,
    /// How.
    pub change: Change,
}

/// What changed between two days.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    /// By kind of change, then in the order of the files.
    pub list: Vec<Changed<'a>>,
    /// Markets that were not compared: a file of theirs is missing or damaged on one of the days.
    pub left_out: Vec<Board>,
    /// Rows that could not be read on either day: what stood there may be among the listed and delisted.
    pub rejected: u64,
}

impl Masters {
    /// What changed from this day to a later one.
    pub fn changes<'a>(&'a self, later: &'a Masters) -> Changes<'a> {
        let left_out = self.not_comparable(later);
        let is_compared = |security: &&Security| !left_out.contains(&security.board);
        let before: HashMap<_, &Security> =
            self.all().iter().filter(is_compared).map(|security| (key(security), security)).collect();
        let mut list = Vec::new();
        let mut met = HashSet::new();
        for security in later.all().iter().filter(is_compared) {
            met.insert(key(security));
            match before.get(&key(security)) {
                None => list.push(Changed { security, change: Change::Listed }),
                Some(old) => compare(self, old, later, security, &mut list),
            }
        }
        let gone = self.all().iter().filter(is_compared).filter(|security| !met.contains(&key(security)));
        list.extend(gone.map(|security| Changed { security, change: Change::Delisted }));
        list.sort_by_key(|changed| changed.change.order());
        Changes { list, left_out, rejected: self.rejected() + later.rejected() }
    }

    /// Markets with a file that only one of the days has whole. Nextrade's lists mark KOSPI and KOSDAQ.
    fn not_comparable(&self, later: &Masters) -> Vec<Board> {
        let has = |masters: &Masters, file: &str| {
            masters.reports().iter().any(|report| report.file == file && report.damage.is_none())
        };
        let uneven = super::FILES.iter().filter(|file| has(self, file.name) != has(later, file.name));
        let mut boards: Vec<Board> = uneven.flat_map(|file| file.boards()).collect();
        boards.sort_unstable();
        boards.dedup();
        boards
    }
}

/// Codes of KRX's stocks stay when one moves between its markets.
fn key(security: &Security) -> (Option<Board>, &str) {
    (Some(security.board).filter(|board| !board.is_stocks()), &security.code)
}

fn compare<'a>(earlier: &Masters, old: &Security, later: &Masters, new: &'a Security, list: &mut Vec<Changed<'a>>) {
    let mut tell = |really: bool, change: Change| {
        if really {
            list.push(Changed { security: new, change });
        }
    };
    tell(old.name != new.name, Change::Renamed { from: old.name.clone() });
    tell(old.board != new.board, Change::Moved { from: old.board });
    tell(!old.is_halted && new.is_halted, Change::Halted);
    tell(old.is_halted && !new.is_halted, Change::Resumed);
    let (added, removed) = (new.cautions.without(old.cautions), old.cautions.without(new.cautions));
    tell(!added.is_empty() || !removed.is_empty(), Change::Cautions { added, removed });
    tell(old.is_nxt != new.is_nxt, Change::Nextrade { trades: new.is_nxt });
    let (added, removed) = (new.indices.without(old.indices), old.indices.without(new.indices));
    tell(!added.is_empty() || !removed.is_empty(), Change::Indices { added, removed });
    let (from, to) = (old.tick_size(earlier.date()), new.tick_size(later.date()));
    let is_other_table = old.tick_table(earlier.date()) != new.tick_table(later.date());
    tell(from != to || is_other_table, Change::TickSize { from, to });
    tell(old.base_px != new.base_px, Change::BasePx { from: old.base_px, to: new.base_px });
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// A row of KOSPI: code, name, base price, and what is written at other places.
    fn row(code: &str, name: &str, base: u32, at: &[(usize, &str)]) -> Vec<u8> {
        let mut row = vec![b' '; 288];
        let mut put = |at: usize, text: &[u8]| row[at..at + text.len()].copy_from_slice(text);
        put(0, code.as_bytes());
        put(21, &encoding_rs::EUC_KR.encode(name).0);
        put(61, b"ST");
        put(102, format!("{base:09}").as_bytes());
        at.iter().for_each(|(at, text)| put(*at, text.as_bytes()));
        row.push(b'\n');
        row
    }

    fn day(day: i8, kospi: &[Vec<u8>], nextrade: &[Vec<u8>], kosdaq: Option<&[u8]>) -> Masters {
        let (kospi, nextrade) = (kospi.concat(), nextrade.concat());
        let mut files = vec![("kospi_code.mst", &*kospi), ("nxt_kospi_code.mst", &*nextrade)];
        files.extend(kosdaq.map(|bytes| ("kosdaq_code.mst", bytes)));
        Masters::read(date(2026, 11, day), files)
    }

    #[test]
    fn each_change_between_two_days_is_told_once() {
        let row_a = |at: &[(usize, &str)]| row("000010", "가나다", 19_990, at);
        let monday = [
            row_a(&[]),
            row("000020", "떠나는회사", 1_000, &[]),
            row("000030", "옛이름", 1_000, &[(121, "Y"), (123, "Y")]),
            row("000040", "그대로", 1_000, &[(79, "5")]),
        ];
        let tuesday = [
            row("000010", "가나다", 20_000, &[(121, "Y"), (124, "02")]),
            row("000030", "새이름", 1_000, &[(122, "Y")]),
            row("000040", "그대로", 1_000, &[(222, "Y")]),
            row("0005A0", "새회사", 1_000, &[]),
        ];
        let (monday, tuesday) = (day(23, &monday, &monday[3..], None), day(24, &tuesday, &tuesday[..1], None));
        assert_eq!(monday.rejected() + tuesday.rejected(), 0, "{:?}", monday.reports());
        let changes = monday.changes(&tuesday);
        let told: Vec<(&str, &Change)> =
            changes.list.iter().map(|changed| (&*changed.security.code, &changed.change)).collect();
        let won = crate::tick::PX_SCALE;
        let expected = [
            ("0005A0", Change::Listed),
            ("000020", Change::Delisted),
            ("000030", Change::Renamed { from: "옛이름".into() }),
            ("000010", Change::Halted),
            ("000030", Change::Resumed),
            ("000010", Change::Cautions { added: Cautions::WARNING, removed: Cautions::none() }),
            ("000030", Change::Cautions { added: Cautions::LIQUIDATION, removed: Cautions::ADMINISTRATION }),
            ("000010", Change::Nextrade { trades: true }),
            ("000040", Change::Nextrade { trades: false }),
            ("000040", Change::Indices { added: Indices::KRX300, removed: Indices::KOSPI200 }),
            ("000010", Change::TickSize { from: Some(10 * won), to: Some(50 * won) }),
            ("000010", Change::BasePx { from: Some(19_990 * won), to: Some(20_000 * won) }),
        ];
        assert_eq!(told, expected.iter().map(|(code, change)| (*code, change)).collect::<Vec<_>>());
        assert_eq!(monday.changes(&monday).list, []);
    }

    #[test]
    fn a_market_that_one_day_does_not_have_is_left_out_not_delisted() {
        let rows = [row("000010", "가나다", 1_000, &[])];
        let mut kosdaq = row("000660", "코스닥", 1_000, &[]);
        kosdaq.truncate(281);
        kosdaq.splice(97..106, *b"000001000");
        kosdaq.splice(106..111, *b"     ");
        kosdaq.extend(b" \n");
        let (whole, part) = (day(23, &rows, &[], Some(&kosdaq)), day(24, &rows, &[], None));
        assert_eq!((whole.all().len(), whole.rejected()), (2, 0), "{:?}", whole.reports());
        let changes = whole.changes(&part);
        assert_eq!((changes.list, changes.left_out), (vec![], vec![Board::Kosdaq]));
    }

    #[test]
    fn a_stock_that_moves_to_another_market_is_not_delisted() {
        let mut kosdaq = row("000010", "가나다", 0, &[]);
        kosdaq.truncate(282);
        kosdaq.splice(97..111, *b"000001000     ");
        kosdaq.push(b'\n');
        let (before, after) =
            (day(23, &[], &[], Some(&kosdaq)), day(24, &[row("000010", "가나다", 1_000, &[])], &[], Some(b"")));
        let changes = before.changes(&after);
        assert_eq!(changes.list.len(), 1, "{changes:?}");
        assert_eq!(changes.list[0].change, Change::Moved { from: Board::Kosdaq });
    }
}
