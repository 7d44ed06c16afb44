//! Records read back from bytes: the kind decides the struct, the length what of it is there.

use std::borrow::Cow;

use bytemuck::{Pod, bytes_of_mut};

use super::header::{HEADER_BYTES, Header, RECORD_VERSION};
use super::instrument::Instrument;
use super::kinds::RType;
use super::market_data::{BOOK_LEVELS, Bar, Book, Expected, Index, Level, Member, Nav, Program, Status, Trade};
use super::service::{Clock, End, Gap, Hole, OtherPrefix, RawPrefix, RejectPrefix, Repair, Session};

/// A record by kind, borrowed where it is aligned and whole.
///
/// A body shorter than this build's struct (an older writer) comes as a copy filled with sentinels; of a longer one
/// (a newer writer) the tail is ignored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RecordView<'a> {
    /// An execution.
    Trade(Cow<'a, Trade>),
    /// A book and its levels, best first.
    Book(Cow<'a, Book>, Cow<'a, [Level]>),
    /// An expected execution.
    Expected(Cow<'a, Expected>),
    /// Market operation.
    Status(Cow<'a, Status>),
    /// An index value.
    Index(Cow<'a, Index>),
    /// A net asset value.
    Nav(Cow<'a, Nav>),
    /// Program trading.
    Program(Cow<'a, Program>),
    /// Most active members.
    Member(Cow<'a, Member>),
    /// A bar.
    Bar(Cow<'a, Bar>),
    /// A record without a kind of its own, and its bytes.
    Other(Cow<'a, OtherPrefix>, &'a [u8]),
    /// An instrument id.
    Instrument(Cow<'a, Instrument>),
    /// Missing volume.
    Gap(Cow<'a, Gap>),
    /// A gap filled.
    Repair(Cow<'a, Repair>),
    /// An unreadable frame and its first bytes.
    Reject(Cow<'a, RejectPrefix>, &'a [u8]),
    /// A connection's event.
    Session(Cow<'a, Session>),
    /// Clocks.
    Clock(Cow<'a, Clock>),
    /// End of a segment.
    End(Cow<'a, End>),
    /// Lost records.
    Hole(Cow<'a, Hole>),
    /// A frame verbatim.
    Raw(Cow<'a, RawPrefix>, &'a [u8]),
    /// A kind this build does not know: skip it.
    Unknown(Header),
}

impl RecordView<'_> {
    /// The record's header.
    pub fn header(&self) -> &Header {
        match self {
            RecordView::Trade(r) => &r.header,
            RecordView::Book(r, _) => &r.header,
            RecordView::Expected(r) => &r.header,
            RecordView::Status(r) => &r.header,
            RecordView::Index(r) => &r.header,
            RecordView::Nav(r) => &r.header,
            RecordView::Program(r) => &r.header,
            RecordView::Member(r) => &r.header,
            RecordView::Bar(r) => &r.header,
            RecordView::Other(r, _) => &r.header,
            RecordView::Instrument(r) => &r.header,
            RecordView::Gap(r) => &r.header,
            RecordView::Repair(r) => &r.header,
            RecordView::Reject(r, _) => &r.header,
            RecordView::Session(r) => &r.header,
            RecordView::Clock(r) => &r.header,
            RecordView::End(r) => &r.header,
            RecordView::Hole(r) => &r.header,
            RecordView::Raw(r, _) => &r.header,
            RecordView::Unknown(header) => header,
        }
    }
}

/// Reads a record from its exact bytes (`length` of them). `None` when they are too few for a header.
pub fn view(bytes: &[u8]) -> Option<RecordView<'_>> {
    let header: Header = bytemuck::pod_read_unaligned(bytes.get(..HEADER_BYTES)?);
    let Some(kind) = RType::from_number(header.rtype) else { return Some(RecordView::Unknown(header)) };
    Some(match kind {
        RType::Trade => RecordView::Trade(part(bytes, &Trade::UNDEF)),
        RType::Book => {
            let book = part(bytes, &Book::UNDEF);
            let levels = usize::from(book.levels).min(BOOK_LEVELS);
            let tail = bytes.get(size_of::<Book>()..).unwrap_or_default();
            let tail = &tail[..(levels * size_of::<Level>()).min(tail.len() / size_of::<Level>() * size_of::<Level>())];
            let levels = match bytemuck::try_cast_slice(tail) {
                Ok(levels) => Cow::Borrowed(levels),
                Err(_) => Cow::Owned(bytemuck::allocation::pod_collect_to_vec(tail)),
            };
            RecordView::Book(book, levels)
        }
        RType::Expected => RecordView::Expected(part(bytes, &Expected::UNDEF)),
        RType::Status => RecordView::Status(part(bytes, &Status::UNDEF)),
        RType::Index => RecordView::Index(part(bytes, &Index::UNDEF)),
        RType::Nav => RecordView::Nav(part(bytes, &Nav::UNDEF)),
        RType::Program => RecordView::Program(part(bytes, &Program::UNDEF)),
        RType::Member => RecordView::Member(part(bytes, &Member::UNDEF)),
        RType::Bar => RecordView::Bar(part(bytes, &Bar::UNDEF)),
        RType::Other => {
            let prefix: Cow<'_, OtherPrefix> = part(bytes, &bytemuck::zeroed());
            let tail = tail(bytes, size_of::<OtherPrefix>(), prefix.stored as usize);
            RecordView::Other(prefix, tail)
        }
        RType::Instrument => RecordView::Instrument(part(bytes, &bytemuck::zeroed())),
        RType::Gap => RecordView::Gap(part(bytes, &bytemuck::zeroed())),
        RType::Repair => RecordView::Repair(part(bytes, &bytemuck::zeroed())),
        RType::Reject => {
            let prefix: Cow<'_, RejectPrefix> = part(bytes, &bytemuck::zeroed());
            let tail = tail(bytes, size_of::<RejectPrefix>(), usize::from(prefix.stored));
            RecordView::Reject(prefix, tail)
        }
        RType::Session => RecordView::Session(part(bytes, &bytemuck::zeroed())),
        RType::Clock => RecordView::Clock(part(bytes, &bytemuck::zeroed())),
        RType::End => RecordView::End(part(bytes, &bytemuck::zeroed())),
        RType::Hole => RecordView::Hole(part(bytes, &bytemuck::zeroed())),
        RType::Raw => {
            let prefix: Cow<'_, RawPrefix> = part(bytes, &bytemuck::zeroed());
            let tail = tail(bytes, size_of::<RawPrefix>(), prefix.payload_bytes as usize);
            RecordView::Raw(prefix, tail)
        }
    })
}

/// The words of a record in memory, as a sink takes them.
pub fn words_of<T: Pod>(record: &mut T) -> &mut [u64] {
    bytemuck::cast_slice_mut(std::slice::from_mut(record))
}

/// A finished record of a cold thread, for the journal's inbox: `length`, `rtype` and `version` filled in.
pub fn boxed_record<T: Pod>(mut record: T, rtype: RType) -> Box<[u64]> {
    let words = words_of(&mut record);
    let header: &mut [Header] = bytemuck::cast_slice_mut(&mut words[..HEADER_BYTES / 8]);
    header[0].length = size_of::<T>() as u32;
    header[0].rtype = rtype as u8;
    header[0].version = RECORD_VERSION;
    (&*words).into()
}

fn part<'a, T: Pod>(bytes: &'a [u8], undefined: &T) -> Cow<'a, T> {
    if let Some(whole) = bytes.get(..size_of::<T>()) {
        return match bytemuck::try_from_bytes(whole) {
            Ok(record) => Cow::Borrowed(record),
            Err(_) => Cow::Owned(bytemuck::pod_read_unaligned(whole)),
        };
    }
    let mut record = *undefined;
    bytes_of_mut(&mut record)[..bytes.len()].copy_from_slice(bytes);
    Cow::Owned(record)
}

fn tail(bytes: &[u8], start: usize, stored: usize) -> &[u8] {
    let tail = bytes.get(start..).unwrap_or_default();
    &tail[..stored.min(tail.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::UNDEF_PX;

    #[test]
    fn a_shorter_body_is_filled_with_sentinels() {
        let mut trade = Trade::UNDEF;
        trade.header.rtype = RType::Trade as u8;
        trade.px = 5;
        trade.qty = 7;
        let bytes = &bytemuck::bytes_of(&trade)[..96];
        let Some(RecordView::Trade(read)) = view(bytes) else { panic!("a trade") };
        assert_eq!(read.px, 5);
        assert_eq!(read.open_px, UNDEF_PX);
        assert_eq!(read.qty, crate::tick::UNDEF_QTY, "qty begins past the cut");
    }

    #[test]
    fn a_longer_body_and_an_unknown_kind_are_read_as_far_as_known() {
        let mut trade = Trade::UNDEF;
        trade.header.rtype = RType::Trade as u8;
        trade.px = 5;
        let mut bytes = bytemuck::bytes_of(&trade).to_vec();
        bytes.extend_from_slice(&[1; 16]);
        assert!(matches!(view(&bytes), Some(RecordView::Trade(read)) if read.px == 5));
        trade.header.rtype = 200;
        assert!(matches!(view(bytemuck::bytes_of(&trade)), Some(RecordView::Unknown(_))));
        assert!(view(&bytes[..39]).is_none());
    }

    #[test]
    fn a_book_yields_its_levels_and_never_more_than_there_are() {
        let mut buffer = crate::tick::BookBuffer::UNDEF;
        buffer.book.header.rtype = RType::Book as u8;
        buffer.book.levels = 200;
        buffer.levels[9].bid_px = 3;
        let bytes = bytemuck::bytes_of(&buffer);
        let Some(RecordView::Book(_, levels)) = view(bytes) else { panic!("a book") };
        assert_eq!((levels.len(), levels[9].bid_px), (10, 3));
        let Some(RecordView::Book(_, levels)) = view(&bytes[..size_of::<Book>() + 90]) else { panic!("a book") };
        assert_eq!(levels.len(), 2);
    }
}
