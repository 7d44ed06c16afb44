//! Records as lines: JSON objects and CSV rows, one way for `hoga dump`, `hoga tail` and `hoga-replay`.

use std::collections::HashMap;

use crate::tick::columns::{Column, Row, columns, lay_out};
use crate::tick::{Instrument, JsonForm, Names, RType, view, write_json};

/// Appends a record as one JSON object and a newline: the form of `hoga decode` with `sequence`, `ts_recv`,
/// `raw_sequence` and the stages' latencies. `instrument` is what the record's `instrument_id` stands for.
pub fn write_json_line(out: &mut Vec<u8>, record: &[u8], instrument: Option<&Instrument>) {
    let Some(seen) = view(record) else { return };
    let (symbol, market) = instrument.map(|known| (known.key.symbol(), known.key.market())).unwrap_or_default();
    write_json(out, &seen, Names { symbol: &symbol, market: &market }, JsonForm::Journal);
    out.push(b'\n');
}

/// Records of several kinds as rows of one table.
///
/// The table has `type` first, then the columns of its kinds in their order, one of each name; a cell that a record's kind
/// does not have is empty. So a program reads any journal as one rectangular table, and one kind without empty columns.
#[derive(Debug)]
pub struct CsvTable {
    names: Vec<&'static str>,
    /// Of each kind, the column for each place behind `type`.
    places: Vec<(RType, Vec<Option<&'static Column>>)>,
    words: Vec<u64>,
    cell: Vec<u8>,
}

impl CsvTable {
    /// A table of these kinds; of none: of all that stream `ticks` hands over.
    pub fn new(kinds: &[RType]) -> CsvTable {
        let all = RType::ALL.into_iter().filter(|kind| !matches!(kind, RType::End | RType::Raw));
        let mut kinds: Vec<RType> = if kinds.is_empty() { all.collect() } else { kinds.to_vec() };
        kinds.sort_by_key(|kind| *kind as u8);
        kinds.dedup();
        let mut names = Vec::new();
        let mut place_of = HashMap::new();
        for column in kinds.iter().flat_map(|kind| columns(*kind)) {
            place_of.entry(&*column.name).or_insert_with(|| {
                names.push(&*column.name);
                names.len() - 1
            });
        }
        let places_of = |kind: RType| {
            let mut places = vec![None; names.len()];
            for column in columns(kind) {
                places[place_of[&*column.name]] = Some(column);
            }
            (kind, places)
        };
        let places = kinds.into_iter().map(places_of).collect();
        CsvTable { names, places, words: Vec::new(), cell: Vec::new() }
    }

    /// Names of the columns.
    pub fn header(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once("type").chain(self.names.iter().copied())
    }

    /// Whether records of a kind, by its number, have a row.
    pub fn has(&self, rtype: u8) -> bool {
        self.places.iter().any(|(kind, _)| *kind as u8 == rtype)
    }

    /// Hands over the cells of a record's row as text that is not quoted yet. `false`, and nothing handed over, for a
    /// kind that is not in the table. `instrument` is what the record's `instrument_id` stands for.
    ///
    /// # Errors
    ///
    /// The first that `on_cell` gives.
    pub fn cells<E>(
        &mut self,
        record: &[u8],
        instrument: Option<&Instrument>,
        mut on_cell: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        let Some(seen) = view(record) else { return Ok(false) };
        let rtype = seen.header().rtype;
        let Some((kind, places)) = self.places.iter().find(|(kind, _)| *kind as u8 == rtype) else { return Ok(false) };
        self.words.clear();
        let Some(tail) = lay_out(&seen, &mut self.words) else { return Ok(false) };
        let (symbol, market) = instrument.map(|known| (known.key.symbol(), known.key.market())).unwrap_or_default();
        let row = Row { bytes: bytemuck::cast_slice(&self.words), tail, symbol: &symbol, market: &market };
        on_cell(kind.name().as_bytes())?;
        for column in places {
            self.cell.clear();
            if let Some(column) = column {
                column.write_text(&row, &mut self.cell);
            }
            on_cell(&self.cell)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::tick::{Gap, InstrumentKey, PX_SCALE, Trade};

    fn row(table: &mut CsvTable, record: &[u8], instrument: Option<&Instrument>) -> Vec<(String, String)> {
        let mut cells = Vec::new();
        let taken = table.cells(record, instrument, |cell| {
            cells.push(String::from_utf8(cell.to_vec()).unwrap());
            Ok::<_, Infallible>(())
        });
        assert_eq!(taken, Ok(!cells.is_empty()));
        table.header().map(str::to_owned).zip(cells).filter(|(_, cell)| !cell.is_empty()).collect()
    }

    #[test]
    fn records_of_two_kinds_share_the_columns_of_one_name() {
        let mut table = CsvTable::new(&[RType::Gap, RType::Trade, RType::Trade]);
        let names: Vec<_> = table.header().collect();
        assert_eq!(names.len(), columns(RType::Trade).len() + 1 + 9, "a gap has nine that a trade has not");
        assert_eq!(names[..5], ["type", "tr_id", "venue", "symbol", "market"]);

        let mut instrument: Instrument = bytemuck::Zeroable::zeroed();
        instrument.key = InstrumentKey::new(b"KRX", b"005930").unwrap();
        let mut trade = Trade::UNDEF;
        trade.header.rtype = RType::Trade as u8;
        trade.px = 93_000 * PX_SCALE;
        let cells = row(&mut table, bytemuck::bytes_of(&trade), Some(&instrument));
        let has = |cells: &[(String, String)], name: &str, cell: &str| cells.contains(&(name.into(), cell.into()));
        assert!(has(&cells, "type", "trade") && has(&cells, "symbol", "005930") && has(&cells, "px", "93000"));

        let mut gap: Gap = bytemuck::Zeroable::zeroed();
        gap.header.rtype = RType::Gap as u8;
        gap.missing_qty = 17;
        gap.header.sequence = 5;
        let cells = row(&mut table, bytemuck::bytes_of(&gap), None);
        assert!(has(&cells, "sequence", "5") && has(&cells, "missing_qty", "17"));
        assert!(!cells.iter().any(|(name, _)| name == "px" || name == "symbol"));
    }

    #[test]
    fn a_kind_that_is_not_in_the_table_has_no_row() {
        let mut gap: Gap = bytemuck::Zeroable::zeroed();
        gap.header.rtype = RType::Gap as u8;
        assert_eq!(row(&mut CsvTable::new(&[RType::Trade]), bytemuck::bytes_of(&gap), None), []);
        assert!(!row(&mut CsvTable::new(&[]), bytemuck::bytes_of(&gap), None).is_empty());
    }
}
