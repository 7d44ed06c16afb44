//! Records for people and for programs: what `dump` and `tail` share.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::journal::{RecordRef, Stream, write_json_line};
use crate::tick::{JsonForm, Names, RType, RecordView, UNDEF_PX, UNDEF_QTY, UNDEF_TS, view, write_json, write_px};

/// A stream by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum StreamName {
    /// Ticks and service records.
    #[default]
    Ticks,
    /// Inbound frames verbatim.
    Raw,
}

impl From<StreamName> for Stream {
    fn from(name: StreamName) -> Stream {
        match name {
            StreamName::Ticks => Stream::Ticks,
            StreamName::Raw => Stream::Raw,
        }
    }
}

/// Which records are wanted.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only records of this symbol, e.g. 005930; may be given several times.
    #[arg(long, value_name = "SYMBOL")]
    symbol: Vec<String>,
    /// Only records of this kind, e.g. trade, book, gap, session; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<RType>,
}

fn kind(name: &str) -> Result<RType, String> {
    let known = RType::ALL.map(RType::name).join(", ");
    RType::ALL.into_iter().find(|kind| kind.name() == name).ok_or(format!("one of: {known}"))
}

impl Filter {
    /// Whether every record passes.
    pub(super) fn is_empty(&self) -> bool {
        self.symbol.is_empty() && self.kind.is_empty()
    }

    /// Whether a record passes.
    pub(super) fn takes(&self, record: &RecordRef<'_>) -> bool {
        let header = record.header();
        if !self.kind.is_empty() && !self.kind.iter().any(|kind| *kind as u8 == header.rtype) {
            return false;
        }
        self.symbol.is_empty()
            || record
                .instrument(header.instrument_id)
                .is_some_and(|known| self.symbol.iter().any(|symbol| *symbol == known.key.symbol()))
    }
}

/// Appends a record as one line, as JSON or for people.
pub(super) fn write_line(out: &mut Vec<u8>, record: &RecordRef<'_>, json: bool) {
    let known = record.instrument(record.header().instrument_id);
    if json {
        return write_json_line(out, record.bytes, known);
    }
    let Some(seen) = view(record.bytes) else { return };
    let (symbol, market) = known.map(|known| (known.key.symbol(), known.key.market())).unwrap_or_default();
    let names = Names { symbol: &symbol, market: &market };
    // Writing to a `Vec` can't fail.
    let header = record.header();
    let kind = RType::from_number(header.rtype).map_or("unknown", RType::name);
    let _ = write!(out, "{:>10}  {}  {kind:<10} {symbol:<12}", header.sequence, korean_time(header.ts_recv));
    match &seen {
        RecordView::Trade(trade) => px_qty(out, trade.px, trade.qty),
        RecordView::Expected(expected) => px_qty(out, expected.px, expected.qty),
        RecordView::Index(index) => px_qty(out, index.px, index.tick_qty),
        RecordView::Nav(nav) => px_qty(out, nav.px, UNDEF_QTY),
        RecordView::Book(_, levels) => {
            if let Some(best) = levels.first() {
                px_qty(out, best.bid_px, best.bid_qty);
                out.extend_from_slice(b"  / ");
                px_qty(out, best.ask_px, best.ask_qty);
            }
        }
        RecordView::Raw(_, payload) => text(out, payload),
        RecordView::Reject(_, bytes) => text(out, bytes),
        RecordView::Gap(gap) => {
            let _ = write!(out, "missing {}", gap.missing_qty);
        }
        // The rest says what it has to say in its own words.
        RecordView::Session(_) | RecordView::Instrument(_) | RecordView::Clock(_) | RecordView::Status(_) => {
            write_json(out, &seen, names, JsonForm::Decoded);
        }
        _ => {}
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
    out.push(b'\n');
}

fn px_qty(out: &mut Vec<u8>, px: i64, qty: u64) {
    let mut price = Vec::new();
    if px == UNDEF_PX {
        price.push(b'-');
    } else {
        write_px(&mut price, px);
    }
    let _ = write!(out, "{:>12} ", String::from_utf8_lossy(&price));
    if qty != UNDEF_QTY {
        let _ = write!(out, "x {qty}");
    }
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    for character in String::from_utf8_lossy(bytes).chars().take(160) {
        let character = if character.is_control() { '.' } else { character };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Time of day in Korea with microseconds.
fn korean_time(ns: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(stamp) if ns != UNDEF_TS => {
            let civil = Offset::constant(9).to_datetime(stamp);
            let micros = civil.subsec_nanosecond() / 1000;
            format!("{} {:02}:{:02}:{:02}.{micros:06}", civil.date(), civil.hour(), civil.minute(), civil.second())
        }
        _ => "-".to_owned(),
    }
}
