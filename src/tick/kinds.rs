//! The kinds of record and their numbers.

/// Kind of a record: [`Header::rtype`](crate::tick::Header). A number is never reused; an unknown one is skipped by
/// readers.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RType {
    /// An execution.
    Trade = 1,
    /// A snapshot of the order book.
    Book = 2,
    /// Expected price and quantity of a call auction.
    Expected = 3,
    /// Session, volatility interruption, halt.
    Status = 4,
    /// Value of an index.
    Index = 5,
    /// Net asset value of a fund.
    Nav = 6,
    /// Program trading.
    Program = 7,
    /// Most active members (brokers) of an instrument.
    Member = 8,
    /// A bar from the broker's REST service (backfill).
    Bar = 9,
    /// A record whose meaning has no kind of its own: its bytes.
    Other = 10,
    /// Declares an instrument id.
    Instrument = 32,
    /// Volume is missing.
    Gap = 33,
    /// A gap was filled, wholly or in part.
    Repair = 34,
    /// A frame or record that could not be read, with its bytes.
    Reject = 35,
    /// What happened to a connection.
    Session = 36,
    /// Relation of clocks, market-time anchor.
    Clock = 37,
    /// Last record of a segment.
    End = 38,
    /// Committed records that were lost to damage stood here.
    Hole = 39,
    /// A frame verbatim (stream `raw`).
    Raw = 64,
}

impl RType {
    /// All kinds in the order of their numbers.
    pub const ALL: [RType; 19] = [
        RType::Trade,
        RType::Book,
        RType::Expected,
        RType::Status,
        RType::Index,
        RType::Nav,
        RType::Program,
        RType::Member,
        RType::Bar,
        RType::Other,
        RType::Instrument,
        RType::Gap,
        RType::Repair,
        RType::Reject,
        RType::Session,
        RType::Clock,
        RType::End,
        RType::Hole,
        RType::Raw,
    ];

    /// The kind of a number, if this build knows it.
    pub fn from_number(number: u8) -> Option<RType> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Name as in JSON (`type`) and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            RType::Trade => "trade",
            RType::Book => "book",
            RType::Expected => "expected",
            RType::Status => "status",
            RType::Index => "index",
            RType::Nav => "nav",
            RType::Program => "program",
            RType::Member => "member",
            RType::Bar => "bar",
            RType::Other => "other",
            RType::Instrument => "instrument",
            RType::Gap => "gap",
            RType::Repair => "repair",
            RType::Reject => "reject",
            RType::Session => "session",
            RType::Clock => "clock",
            RType::End => "end",
            RType::Hole => "hole",
            RType::Raw => "raw",
        }
    }

    /// Whether records of this kind carry the [`Market`](crate::tick::Market) prefix.
    pub const fn is_market(self) -> bool {
        (self as u8) < RType::Instrument as u8
    }
}
