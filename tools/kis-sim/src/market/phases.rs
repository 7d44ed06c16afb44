//! What a venue may be doing, and the codes by which its messages say so. When it does what, [`days`](super::days) knows.

/// What a venue does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is traded or quoted.
    Closed,
    /// NXT before the regular session.
    PreMarket,
    /// Orders for the opening auction are taken; nothing is shown yet.
    OrderEntry,
    /// Call auction before the opening with expected prices.
    OpeningAuction,
    /// Continuous trading in the regular session.
    Regular,
    /// Call auction before the close.
    ClosingAuction,
    /// Trading at the closing price.
    ClosingPrice,
    /// An auction each ten minutes, on transactions of its own, for symbols that NXT does not trade.
    SinglePrice,
    /// NXT's auction before its after-market.
    AfterAuction,
    /// Continuous trading after the close.
    AfterMarket,
}

/// MKOP_CLS_CODE of a change that no document names; seen on the wire.
const UNNAMED: &[u8] = b"AB1";

impl Phase {
    /// Orders meet at once.
    pub fn is_continuous(self) -> bool {
        matches!(self, Self::PreMarket | Self::Regular | Self::AfterMarket)
    }

    /// Orders gather and an expected price is published.
    pub fn is_auction(self) -> bool {
        matches!(self, Self::OpeningAuction | Self::ClosingAuction | Self::AfterAuction)
    }

    /// Orders meet, at once or at the closing price.
    pub fn trades(self) -> bool {
        self.is_continuous() || self == Self::ClosingPrice
    }

    /// Books change and are shown.
    pub fn shows_book(self) -> bool {
        self.is_continuous() || self.is_auction()
    }

    /// HOUR_CLS_CODE, without regard to volatility interruptions.
    pub fn hour_class(self) -> u8 {
        match self {
            Self::OpeningAuction => b'B',
            Self::ClosingAuction | Self::AfterAuction => b'A',
            _ => b'0',
        }
    }

    /// MARKET_CLS_CODE: 1 pre-market, 2 regular, 3 after-market, 5 closing.
    pub fn market_class(self) -> u8 {
        match self {
            Self::PreMarket | Self::OrderEntry | Self::OpeningAuction => b'1',
            Self::Regular => b'2',
            Self::AfterAuction | Self::AfterMarket | Self::SinglePrice => b'3',
            Self::ClosingAuction | Self::ClosingPrice | Self::Closed => b'5',
        }
    }

    /// NEW_MKOP_CLS_CODE: first 1 before open, 2 in session, 3 after close, 4 single price; second 0 normal, 1 closing price.
    pub fn session_code(self) -> &'static [u8] {
        match self {
            Self::PreMarket | Self::OrderEntry | Self::OpeningAuction => b"10",
            Self::Regular | Self::ClosingAuction => b"20",
            Self::AfterAuction | Self::AfterMarket | Self::Closed => b"30",
            Self::ClosingPrice => b"31",
            Self::SinglePrice => b"40",
        }
    }

    /// What market status says when a venue goes from this phase to the next: pairs of MKOP_CLS_CODE and
    /// ANTC_MKOP_CLS_CODE, one a message. Documented codes where there are any.
    pub fn notices(self, next: Self) -> &'static [(&'static [u8], &'static [u8])] {
        match (self, next) {
            (_, Self::OrderEntry) => &[(b"110", b"")],
            (_, Self::OpeningAuction) => &[(b"110", b"311")],
            (Self::OpeningAuction, Self::Regular) => &[(b"112", b"112")],
            (_, Self::Regular) => &[(b"112", b"")],
            (_, Self::ClosingAuction) => &[(b"121", b"121")],
            (Self::ClosingAuction, _) => &[(b"129", b"129")],
            (Self::Regular, _) => &[(b"129", b"")],
            (_, Self::PreMarket) => &[(b"130", b"")],
            (Self::PreMarket, _) => &[(b"139", b"")],
            (_, Self::ClosingPrice) => &[(b"140", b"")],
            (Self::ClosingPrice, Self::SinglePrice) => &[(b"149", b""), (b"150", b"")],
            (Self::ClosingPrice, Self::AfterMarket) => &[(b"149", b""), (UNNAMED, b"")],
            (Self::ClosingPrice, _) => &[(b"149", b"")],
            (Self::SinglePrice, _) => &[(b"159", b"")],
            _ => &[(UNNAMED, b"")],
        }
    }
}
