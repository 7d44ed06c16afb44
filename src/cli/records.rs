//! Which records, and in which form: what `dump` and `tail` share.

use std::path::Path;

use super::text::write_text;
use crate::journal::{
    Bound, BoundError, CsvTable, Filter, RecordRef, Seek, Start, Stream, TailError, Tailer, Venue, newest_day,
    parse_bound, write_json_line,
};
use crate::tick::RType;

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
pub(super) struct Wanted {
    /// Only records of this symbol, e.g. 005930; may be given several times.
    #[arg(long, value_name = "SYMBOL")]
    symbol: Vec<String>,
    /// Only records of this kind, e.g. trade, book, gap, session; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<RType>,
    /// Only records of this venue, e.g. KRX, NXT; may be given several times.
    #[arg(long, value_name = "VENUE")]
    venue: Vec<Venue>,
    /// From this time on (KST: 2026-11-23T09:00, 2026-11-23, or 09:00 of the newest day), or this sequence.
    #[arg(long, value_name = "TIME|SEQUENCE")]
    from: Option<String>,
    /// To before this time (a date alone: to its end), or to this sequence, itself included.
    #[arg(long, value_name = "TIME|SEQUENCE")]
    to: Option<String>,
    /// As --from, a sequence.
    #[arg(long, value_name = "N", hide = true, conflicts_with = "from")]
    from_sequence: Option<u64>,
    /// As --to, a sequence.
    #[arg(long, value_name = "N", hide = true, conflicts_with = "to")]
    to_sequence: Option<u64>,
}

fn kind(name: &str) -> Result<RType, String> {
    let known = RType::ALL.map(RType::name).join(", ");
    RType::ALL.into_iter().find(|kind| kind.name() == name).ok_or(format!("one of: {known}"))
}

impl Wanted {
    /// The filter these arguments mean for a journal.
    pub(super) fn filter(&self, dir: &Path) -> Result<Filter, BoundError> {
        let bound = |text: &Option<String>, sequence: Option<u64>, is_to| match text {
            Some(text) => parse_bound(text, newest_day(dir), is_to).map(Some),
            None => Ok(sequence.map(Bound::Sequence)),
        };
        Ok(Filter {
            symbols: self.symbol.clone(),
            kinds: self.kind.clone(),
            venues: self.venue.clone(),
            from: bound(&self.from, self.from_sequence, false)?,
            to: bound(&self.to, self.to_sequence, true)?,
        })
    }

    /// Kinds asked for; none = all.
    pub(super) fn kinds(&self) -> &[RType] {
        &self.kind
    }
}

/// Opens a stream at the first record that a filter takes, or as near before it as its index leads.
pub(super) fn open(dir: &Path, stream: Stream, filter: Filter, crc_check: bool) -> Result<Tailer, TailError> {
    let start = match filter.from {
        Some(Bound::Sequence(sequence)) => Start::Sequence(sequence),
        _ => Start::Beginning,
    };
    let mut tailer = Tailer::open(dir, stream, start)?.with_crc_check(crc_check);
    if let Some(Bound::Time(time)) = filter.from {
        tailer.seek(Seek::Time(time))?;
    }
    Ok(tailer.with_filter(filter))
}

/// A form records are printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// One line a record, for people
    #[default]
    Text,
    /// One object a line, with everything the record holds; prices are exact numbers
    Json,
    /// Rows under one header; with one --kind that kind's columns
    Csv,
}

/// How records are printed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(super) struct Form {
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Short for --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// Prints records in one form.
#[derive(Debug)]
pub(super) struct Printer {
    format: Format,
    table: CsvTable,
}

impl Printer {
    /// A printer of these kinds (none = all) of a stream.
    pub(super) fn new(form: Form, kinds: &[RType], stream: Stream) -> Printer {
        let raw = [RType::Raw];
        let kinds = if stream == Stream::Raw && kinds.is_empty() { &raw } else { kinds };
        let format = if form.json { Format::Json } else { form.format };
        Printer { format, table: CsvTable::new(kinds) }
    }

    /// Appends what stands before the first record.
    pub(super) fn head(&self, out: &mut Vec<u8>) {
        if self.format == Format::Csv {
            row(out, |writer| self.table.header().try_for_each(|name| writer.write_field(name)));
        }
    }

    /// Appends a record.
    pub(super) fn record(&mut self, out: &mut Vec<u8>, record: &RecordRef<'_>) {
        let known = record.instrument(record.header().instrument_id);
        match self.format {
            Format::Text => write_text(out, record),
            Format::Json => write_json_line(out, record.bytes, known),
            Format::Csv => {
                let rtype = record.header().rtype;
                if self.table.has(rtype) {
                    row(out, |writer| self.table.cells(record.bytes, known, |cell| writer.write_field(cell)).map(drop));
                }
            }
        }
    }
}

/// Appends a row, quoted where that is needed.
fn row(out: &mut Vec<u8>, cells: impl FnOnce(&mut csv::Writer<&mut Vec<u8>>) -> csv::Result<()>) {
    let mut writer = csv::WriterBuilder::new().has_headers(false).buffer_capacity(512).from_writer(out);
    // Writing to a `Vec` can't fail, and a row is ended once.
    let _ = cells(&mut writer).and_then(|()| writer.write_record(None::<&[u8]>));
    let _ = writer.flush();
}
