//! Records read by the table alone: derivatives, ELW, bonds, overseas.
//!
//! At start each field named in the table becomes a [`Step`]: where it stands on the wire, where in the record, and how it
//! is converted. A record is read by walking the steps.

use std::mem::offset_of;

use super::Event;
use super::layout::Layout;
use super::row::{NO_TIME, Row};
use super::{expected, trade};
use crate::tick::{Book, BookBuffer, Expected, Index, Level, Trade, UNDEF_COUNT, UNDEF_PX, UNDEF_QTY};

/// How a wire field becomes a record field.
#[derive(Clone, Copy, Debug)]
enum Conversion {
    Px,
    Qty,
    Change,
    Count,
    Turnover,
    Byte,
    Code4,
    Date,
}

/// One field of a record.
#[derive(Clone, Copy, Debug)]
struct Step {
    field: u16,
    offset: u16,
    conversion: Conversion,
}

/// Wire fields of one level; [`ABSENT`] where there is none.
#[derive(Clone, Copy, Debug)]
struct LevelSteps {
    bid_px: u16,
    ask_px: u16,
    bid_qty: u16,
    ask_qty: u16,
    bid_count: u16,
    ask_count: u16,
    /// Fewest fields that hold the level.
    width: u16,
}

/// No field: past the end of any record, so it reads as not sent.
const ABSENT: u16 = u16::MAX;

/// How a transaction is read, compiled from its layout.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    steps: Box<[Step]>,
    levels: Box<[LevelSteps]>,
    time: u16,
    date: u16,
    change_unsigned: bool,
}

type Target = (&'static str, usize, Conversion);

macro_rules! targets {
    ($name:ident, $record:ty: $($field:ident $conversion:ident),* $(,)?) => {
        const $name: &[Target] = &[$((stringify!($field), offset_of!($record, $field), Conversion::$conversion)),*];
    };
}

targets!(TRADE, Trade: px Px, qty Qty, cum_qty Qty, cum_turnover Turnover, cum_sell_qty Qty, cum_buy_qty Qty, open_px Px,
    high_px Px, low_px Px, vwap_px Px, change_px Px, bid_px Px, ask_px Px, bid_qty Qty, ask_qty Qty, total_bid_qty Qty,
    total_ask_qty Qty, sell_count Count, buy_count Count, sign Byte, hour_cls Byte, mkop_cls Code4, halt Byte,
    side_code Byte, business_date Date);
targets!(BOOK, Book: total_bid_qty Qty, total_ask_qty Qty, total_bid_change Change, total_ask_change Change,
    expected_px Px, expected_qty Qty, expected_volume Qty, expected_change_px Px, expected_sign Byte, hour_cls Byte);
targets!(EXPECTED, Expected: px Px, qty Qty, cum_qty Qty, cum_turnover Turnover, change_px Px, bid_px Px, ask_px Px,
    bid_qty Qty, ask_qty Qty, total_bid_qty Qty, total_ask_qty Qty, sign Byte, mkop_cls Code4, halt Byte, business_date Date);
targets!(INDEX, Index: px Px, open_px Px, high_px Px, low_px Px, change_px Px, sign Byte, business_date Date);

impl Steps {
    /// Compiles a layout of form `table`.
    ///
    /// # Errors
    ///
    /// The name that the record or the wire doesn't have.
    pub fn compile(layout: &Layout) -> Result<Steps, String> {
        let targets = match layout.kind.as_str() {
            "trade" => TRADE,
            "book" => BOOK,
            "expected" => EXPECTED,
            "index" => INDEX,
            kind => return Err(kind.to_owned()),
        };
        let position = |name: &str| layout.position(name).ok_or_else(|| name.to_owned());
        let mut steps = Vec::new();
        for (name, wire) in &layout.map {
            let target = targets.iter().find(|target| target.0 == name).ok_or_else(|| name.clone())?;
            steps.push(Step { field: position(wire)?, offset: target.1 as u16, conversion: target.2 });
        }
        // In wire order, so that the payload is read forwards.
        steps.sort_by_key(|step| step.field);
        let mut levels = Vec::new();
        if let Some(table) = &layout.levels {
            for level in 1..=table.count {
                let at = |pattern: &str| position(&pattern.replace("{}", &level.to_string()));
                let optional = |pattern: &Option<String>| pattern.as_deref().map_or(Ok(ABSENT), at);
                let (bid_px, ask_px) = (at(&table.bid_px)?, at(&table.ask_px)?);
                let (bid_qty, ask_qty) = (at(&table.bid_qty)?, at(&table.ask_qty)?);
                levels.push(LevelSteps {
                    bid_px,
                    ask_px,
                    bid_qty,
                    ask_qty,
                    bid_count: optional(&table.bid_count)?,
                    ask_count: optional(&table.ask_count)?,
                    width: bid_px.max(ask_px).max(bid_qty).max(ask_qty) + 1,
                });
            }
        }
        let optional = |name: &Option<String>| name.as_deref().map_or(Ok(ABSENT), position);
        Ok(Steps {
            steps: steps.into(),
            levels: levels.into(),
            time: optional(&layout.time)?,
            date: optional(&layout.date)?,
            change_unsigned: layout.change_unsigned,
        })
    }

    fn walk(&self, row: &mut Row<'_>, bytes: &mut [u8]) {
        for step in &self.steps {
            let field = usize::from(step.field);
            let at = usize::from(step.offset);
            match step.conversion {
                Conversion::Px => put(bytes, at, row.px(field)),
                Conversion::Qty => put(bytes, at, row.qty(field)),
                Conversion::Change => put(bytes, at, row.change(field)),
                Conversion::Count => put(bytes, at, row.count(field)),
                Conversion::Turnover => put(bytes, at, row.turnover(field, 4)),
                Conversion::Byte => put(bytes, at, row.byte(field)),
                Conversion::Date => put(bytes, at, row.date(field)),
                Conversion::Code4 => put(bytes, at, row.code::<4>(field)),
            }
        }
    }

    fn event(&self, row: &mut Row<'_>, flags: u32) -> Event {
        let seconds = if self.time == ABSENT { NO_TIME } else { row.seconds(self.time.into()) };
        let date = if self.date == ABSENT { 0 } else { row.date(self.date.into()) };
        Event { seconds, date, flags }
    }

    /// Fills `trade` anew. `None` when price or quantity holds no number.
    pub fn trade(&self, row: &mut Row<'_>, trade: &mut Trade) -> Option<Event> {
        *trade = Trade::UNDEF;
        self.walk(row, bytemuck::bytes_of_mut(trade));
        if trade.px == UNDEF_PX || trade.qty == UNDEF_QTY {
            return None;
        }
        trade.side = trade::side(trade.side_code) as u8;
        if self.change_unsigned && matches!(trade.sign, b'4' | b'5') && trade.change_px != UNDEF_PX {
            trade.change_px = -trade.change_px.abs();
        }
        Some(self.event(row, trade::flags(trade)))
    }

    /// Fills `buffer` anew. A level that was not sent whole is not there.
    pub fn book(&self, row: &mut Row<'_>, buffer: &mut BookBuffer) -> Event {
        buffer.book = Book::UNDEF;
        self.walk(row, bytemuck::bytes_of_mut(&mut buffer.book));
        let sent = self.levels.iter().take_while(|level| usize::from(level.width) <= row.width()).count();
        for (level, steps) in buffer.levels.iter_mut().zip(&self.levels[..sent]) {
            *level = Level {
                bid_px: row.px(steps.bid_px.into()),
                ask_px: row.px(steps.ask_px.into()),
                bid_qty: row.qty(steps.bid_qty.into()),
                ask_qty: row.qty(steps.ask_qty.into()),
                bid_count: if steps.bid_count == ABSENT { UNDEF_COUNT } else { row.count(steps.bid_count.into()) },
                ask_count: if steps.ask_count == ABSENT { UNDEF_COUNT } else { row.count(steps.ask_count.into()) },
            };
        }
        buffer.book.levels = sent as u8;
        self.event(row, trade::hour_flags(buffer.book.hour_cls))
    }

    /// Fills `expected` anew.
    pub fn expected(&self, row: &mut Row<'_>, expected: &mut Expected) -> Event {
        *expected = Expected::UNDEF;
        self.walk(row, bytemuck::bytes_of_mut(expected));
        self.event(row, expected::flags(expected))
    }

    /// Fills `index` anew.
    pub fn index(&self, row: &mut Row<'_>, index: &mut Index) -> Event {
        *index = Index::UNDEF;
        self.walk(row, bytemuck::bytes_of_mut(index));
        self.event(row, 0)
    }
}

fn put<T: bytemuck::NoUninit>(bytes: &mut [u8], at: usize, value: T) {
    bytes[at..at + size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&value));
}
