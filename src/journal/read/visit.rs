//! Records by kind, handed to the method for it.

use crate::journal::reader::{Polled, TailError, Tailer};
use crate::journal::record::RecordRef;
use crate::tick::{
    Bar, Book, Clock, Expected, Gap, Header, Hole, Index, Instrument, Level, Member, Nav, OtherPrefix, Program,
    RawPrefix, RecordView, RejectPrefix, Repair, Session, Status, Trade, view,
};

/// What a reader does with each kind of record. Every method does nothing unless it is written.
///
/// `at` is the record with its bytes, its place and the names of instruments; the typed record beside it is borrowed from
/// the map, without a copy (but of a record that another version wrote shorter than this one knows it).
///
/// ```
/// use hoga::journal::{RecordRef, Visit};
/// use hoga::tick::Trade;
///
/// #[derive(Default)]
/// struct Volume(u64);
///
/// impl Visit for Volume {
///     fn trade(&mut self, _at: &RecordRef<'_>, trade: &Trade) {
///         self.0 += trade.qty;
///     }
/// }
/// # use hoga::journal::{Journal, JournalConfig, Start, Stream, Tailer};
/// # use hoga::tick::{RType, words_of};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let dir = folder.path();
/// # let mut journal = Journal::open(dir, JournalConfig { raw: None, ..JournalConfig::with_segment_bytes(1 << 20) })?;
/// # let mut trade = Trade::UNDEF;
/// # trade.header.length = size_of::<Trade>() as u32;
/// # trade.header.rtype = RType::Trade as u8;
/// # trade.qty = 7;
/// # journal.ticks.append(words_of(&mut trade))?;
/// # journal.ticks.append(words_of(&mut trade))?;
///
/// let mut volume = Volume::default();
/// Tailer::open(dir, Stream::Ticks, Start::Beginning)?.visit(usize::MAX, &mut volume)?;
/// assert_eq!(volume.0, 14);
/// # Ok(())
/// # }
/// ```
#[allow(unused_variables)]
pub trait Visit {
    /// An execution.
    fn trade(&mut self, at: &RecordRef<'_>, trade: &Trade) {}
    /// A snapshot of the order book; the best level comes first.
    fn book(&mut self, at: &RecordRef<'_>, book: &Book, levels: &[Level]) {}
    /// Expected price and quantity of a call auction.
    fn expected(&mut self, at: &RecordRef<'_>, expected: &Expected) {}
    /// Session, volatility interruption, halt.
    fn status(&mut self, at: &RecordRef<'_>, status: &Status) {}
    /// Value of an index.
    fn index(&mut self, at: &RecordRef<'_>, index: &Index) {}
    /// Net asset value of a fund.
    fn nav(&mut self, at: &RecordRef<'_>, nav: &Nav) {}
    /// Program trading.
    fn program(&mut self, at: &RecordRef<'_>, program: &Program) {}
    /// Most active members of an instrument.
    fn member(&mut self, at: &RecordRef<'_>, member: &Member) {}
    /// A bar.
    fn bar(&mut self, at: &RecordRef<'_>, bar: &Bar) {}
    /// A record whose meaning has no kind of its own, and its bytes as on the wire.
    fn other(&mut self, at: &RecordRef<'_>, other: &OtherPrefix, wire: &[u8]) {}
    /// Declares an instrument id. Already known to [`RecordRef::instrument`].
    fn instrument(&mut self, at: &RecordRef<'_>, instrument: &Instrument) {}
    /// Volume is missing.
    fn gap(&mut self, at: &RecordRef<'_>, gap: &Gap) {}
    /// A gap was filled.
    fn repair(&mut self, at: &RecordRef<'_>, repair: &Repair) {}
    /// A frame that could not be read, and its first bytes.
    fn reject(&mut self, at: &RecordRef<'_>, reject: &RejectPrefix, wire: &[u8]) {}
    /// What happened to a connection.
    fn session(&mut self, at: &RecordRef<'_>, session: &Session) {}
    /// Relation of clocks.
    fn clock(&mut self, at: &RecordRef<'_>, clock: &Clock) {}
    /// Records of the journal are lost here.
    fn hole(&mut self, at: &RecordRef<'_>, hole: &Hole) {}
    /// A frame verbatim (stream `raw`).
    fn raw(&mut self, at: &RecordRef<'_>, raw: &RawPrefix, payload: &[u8]) {}
    /// A kind this build does not know.
    fn unknown(&mut self, at: &RecordRef<'_>, header: &Header) {}
}

impl RecordRef<'_> {
    /// Hands the record to the method of its kind.
    #[inline]
    pub fn visit(&self, visitor: &mut impl Visit) {
        match view(self.bytes) {
            Some(RecordView::Trade(trade)) => visitor.trade(self, &trade),
            Some(RecordView::Book(book, levels)) => visitor.book(self, &book, &levels),
            Some(RecordView::Expected(expected)) => visitor.expected(self, &expected),
            Some(RecordView::Status(status)) => visitor.status(self, &status),
            Some(RecordView::Index(index)) => visitor.index(self, &index),
            Some(RecordView::Nav(nav)) => visitor.nav(self, &nav),
            Some(RecordView::Program(program)) => visitor.program(self, &program),
            Some(RecordView::Member(member)) => visitor.member(self, &member),
            Some(RecordView::Bar(bar)) => visitor.bar(self, &bar),
            Some(RecordView::Other(other, wire)) => visitor.other(self, &other, wire),
            Some(RecordView::Instrument(instrument)) => visitor.instrument(self, &instrument),
            Some(RecordView::Gap(gap)) => visitor.gap(self, &gap),
            Some(RecordView::Repair(repair)) => visitor.repair(self, &repair),
            Some(RecordView::Reject(reject, wire)) => visitor.reject(self, &reject, wire),
            Some(RecordView::Session(session)) => visitor.session(self, &session),
            Some(RecordView::Clock(clock)) => visitor.clock(self, &clock),
            Some(RecordView::Hole(hole)) => visitor.hole(self, &hole),
            Some(RecordView::Raw(raw, payload)) => visitor.raw(self, &raw, payload),
            Some(RecordView::Unknown(header)) => visitor.unknown(self, &header),
            // An `End` is the journal's own and is not handed over; less than a header can't be.
            Some(RecordView::End(_)) | None => {}
        }
    }
}

impl Tailer {
    /// As [`poll`](Self::poll), each record handed to the method of its kind.
    ///
    /// # Errors
    ///
    /// As [`poll`](Self::poll).
    #[inline]
    pub fn visit(&mut self, max: usize, visitor: &mut impl Visit) -> Result<Polled, TailError> {
        self.poll(max, |record| record.visit(visitor))
    }
}
