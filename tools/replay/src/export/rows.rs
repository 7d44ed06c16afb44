//! Batches of rows, each word of the row a column, and the instruments they name.
//!
//! A row is laid out as one; columns of it are read down the batch. Rows one behind the other are far apart in memory, and
//! each of some fifty columns would fetch all of them again: so a few rows at a time, while they are in the first cache, are
//! turned into columns of words.

use std::collections::HashMap;
use std::path::Path;

use hoga::journal::{Start, Stream, TailError, Tailer};
use hoga::tick::columns::{Row, lay_out, row_bytes};
use hoga::tick::{InstrumentKey, RType, RecordView};

use crate::merge::ReadError;

/// Bytes of a batch of a kind, about; a batch is a row group.
const BATCH_BYTES: usize = 32 << 20;
/// Rows of a batch, at least and at most.
const BATCH_ROWS: (usize, usize) = (4096, 131_072);
/// Rows that are turned into columns at a time: a few dozen KiB.
const BLOCK_ROWS: usize = 64;

/// Instruments of several journals under one numbering, by market and symbol.
#[derive(Debug, Default)]
pub struct Instruments {
    /// Symbols, each once.
    pub symbols: Vec<String>,
    /// Markets, each once.
    pub markets: Vec<String>,
    /// Place of symbol and market by number; number 0 is none.
    pub places: Vec<(i32, i32)>,
    /// Number by the id in each journal.
    numbers: Vec<Vec<u32>>,
    /// Sequence each journal ends with.
    ends: Vec<u64>,
}

impl Instruments {
    /// What the journals know at present. Reads the newest segment of each: it begins with all definitions before it.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub fn read<'a>(journals: impl Iterator<Item = &'a Path>) -> Result<Instruments, ReadError> {
        let mut all = Instruments { places: vec![(-1, -1)], ..Instruments::default() };
        let mut number_of = HashMap::<InstrumentKey, u32>::new();
        let mut symbol_of = HashMap::<String, i32>::new();
        let mut market_of = HashMap::<String, i32>::new();
        for dir in journals {
            let fail = |source: TailError| ReadError { dir: dir.to_owned(), source };
            let tailer = Tailer::open(dir, Stream::Ticks, Start::End).map_err(fail)?;
            let mut numbers = vec![0];
            // Ids are dense from 1.
            for id in 1.. {
                let Some(definition) = tailer.instrument(id) else { break };
                let number = *number_of.entry(definition.key).or_insert_with(|| {
                    let symbol = place(&mut symbol_of, &mut all.symbols, definition.key.symbol().into_owned());
                    let market = place(&mut market_of, &mut all.markets, definition.key.market().into_owned());
                    all.places.push((symbol, market));
                    (all.places.len() - 1) as u32
                });
                numbers.push(number);
            }
            all.numbers.push(numbers);
            all.ends.push(tailer.next_sequence().saturating_sub(1));
        }
        Ok(all)
    }

    /// The number of a journal's id; 0 = none.
    pub fn number(&self, journal: usize, id: u32) -> u32 {
        self.numbers.get(journal).and_then(|numbers| numbers.get(id as usize)).copied().unwrap_or(0)
    }

    /// The last sequence a journal had when this was read.
    pub fn end(&self, journal: usize) -> u64 {
        self.ends.get(journal).copied().unwrap_or(u64::MAX)
    }

    /// Symbol and market of a number; empty = none.
    pub fn names<'a>(&'a self, number: u32) -> (&'a str, &'a str) {
        let (symbol, market) = self.places.get(number as usize).copied().unwrap_or((-1, -1));
        let text = |texts: &'a [String], at: i32| usize::try_from(at).ok().and_then(|at| texts.get(at));
        let (symbol, market) = (text(&self.symbols, symbol), text(&self.markets, market));
        (symbol.map_or("", String::as_str), market.map_or("", String::as_str))
    }
}

fn place(place_of: &mut HashMap<String, i32>, texts: &mut Vec<String>, text: String) -> i32 {
    // Empty symbols are none.
    if text.is_empty() {
        return -1;
    }
    *place_of.entry(text).or_insert_with_key(|text| {
        texts.push(text.clone());
        (texts.len() - 1) as i32
    })
}

/// Rows of one kind. What is pushed is read after [`complete`](Rows::complete).
#[derive(Debug)]
pub struct Rows {
    /// Their kind.
    pub kind: RType,
    /// Number of each row's instrument.
    pub instruments: Vec<u32>,
    /// Bytes behind the rows' fixed parts.
    pub tails: Vec<u8>,
    /// End of each row's bytes in `tails`.
    pub tail_ends: Vec<i32>,
    /// The last rows, one behind the other, not in `columns` yet.
    block: Vec<u64>,
    /// The rows before them, by word.
    columns: Vec<Vec<u64>>,
    /// Rows of a full batch.
    most: usize,
}

impl Rows {
    /// No rows.
    pub fn new(kind: RType) -> Rows {
        let (least, most) = BATCH_ROWS;
        Rows {
            kind,
            instruments: Vec::new(),
            tails: Vec::new(),
            tail_ends: Vec::new(),
            block: Vec::new(),
            columns: vec![Vec::new(); row_bytes(kind) / 8],
            most: (BATCH_BYTES / row_bytes(kind).max(1)).clamp(least, most),
        }
    }

    /// Takes all rows away and keeps their memory.
    pub fn clear(&mut self) {
        self.instruments.clear();
        self.tails.clear();
        self.tail_ends.clear();
        self.block.clear();
        self.columns.iter_mut().for_each(Vec::clear);
    }

    /// Appends a record. `false`: of a kind without columns.
    pub fn push(&mut self, record: &RecordView<'_>, instrument: u32) -> bool {
        let Some(tail) = lay_out(record, &mut self.block) else { return false };
        self.tails.extend_from_slice(tail);
        self.tail_ends.push(i32::try_from(self.tails.len()).unwrap_or(i32::MAX));
        self.instruments.push(instrument);
        if self.block.len() >= BLOCK_ROWS * self.columns.len() {
            self.complete();
        }
        true
    }

    /// Turns the last rows into columns.
    pub fn complete(&mut self) {
        let stride = self.columns.len();
        for (word, column) in self.columns.iter_mut().enumerate() {
            column.extend(self.block.chunks_exact(stride).map(|row| row[word]));
        }
        self.block.clear();
    }

    /// Rows there are.
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    /// Whether it is time to write them.
    pub fn is_full(&self) -> bool {
        self.len() >= self.most || self.tails.len() >= BATCH_BYTES
    }

    /// A word of every row; none behind the fixed part.
    ///
    /// # Panics
    ///
    /// When rows were pushed since [`complete`](Rows::complete).
    pub fn words(&self, word: usize) -> &[u64] {
        assert!(self.block.is_empty(), "rows are complete before they are read");
        self.columns.get(word).map_or(&[], Vec::as_slice)
    }

    /// One row, put together in `room`.
    pub fn row<'a>(&'a self, index: usize, instruments: &'a Instruments, room: &'a mut Vec<u64>) -> Row<'a> {
        room.clear();
        room.extend((0..self.columns.len()).map(|word| self.words(word)[index]));
        let (symbol, market) = instruments.names(self.instruments[index]);
        let from = index.checked_sub(1).map_or(0, |before| self.tail_ends[before]) as usize;
        Row {
            bytes: bytemuck::cast_slice(room),
            tail: &self.tails[from..self.tail_ends[index] as usize],
            symbol,
            market,
        }
    }
}
