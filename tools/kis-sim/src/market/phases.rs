//! Sessions of both venues over the day, as they are since 2026-09-14.

use crate::config::VenueName;

/// What a venue does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is traded or quoted.
    Closed,
    /// NXT before the regular session.
    PreMarket,
    /// Call auction before 09:00 with expected prices.
    OpeningAuction,
    /// Continuous trading in the regular session.
    Regular,
    /// Call auction before the close.
    ClosingAuction,
    /// NXT's auction before its after-market.
    AfterAuction,
    /// Continuous trading after the close.
    AfterMarket,
}

impl Phase {
    /// Orders meet at once.
    pub fn is_continuous(self) -> bool {
        matches!(self, Self::PreMarket | Self::Regular | Self::AfterMarket)
    }

    /// Orders gather and an expected price is published.
    pub fn is_auction(self) -> bool {
        matches!(self, Self::OpeningAuction | Self::ClosingAuction | Self::AfterAuction)
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
            Self::PreMarket | Self::OpeningAuction => b'1',
            Self::Regular => b'2',
            Self::AfterAuction | Self::AfterMarket => b'3',
            Self::ClosingAuction | Self::Closed => b'5',
        }
    }

    /// NEW_MKOP_CLS_CODE: first 1 before open, 2 in session, 3 after close; second 0 normal.
    pub fn session_code(self) -> &'static [u8] {
        match self {
            Self::PreMarket | Self::OpeningAuction => b"10",
            Self::Regular | Self::ClosingAuction => b"20",
            Self::AfterAuction | Self::AfterMarket | Self::Closed => b"30",
        }
    }
}

const fn at(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3600 + minute * 60 + second
}

/// Starts of phases in seconds of the day, in order; the day begins closed.
const KRX: &[(u32, Phase)] = &[
    (at(8, 50, 0), Phase::OpeningAuction),
    (at(9, 0, 0), Phase::Regular),
    (at(15, 20, 0), Phase::ClosingAuction),
    (at(15, 30, 0), Phase::Closed),
    (at(16, 0, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

const NXT: &[(u32, Phase)] = &[
    (at(8, 0, 0), Phase::PreMarket),
    (at(8, 50, 0), Phase::Closed),
    (at(9, 0, 30), Phase::Regular),
    (at(15, 20, 0), Phase::Closed),
    (at(15, 30, 0), Phase::AfterAuction),
    (at(15, 40, 0), Phase::AfterMarket),
    (at(20, 0, 0), Phase::Closed),
];

fn table(venue: VenueName) -> &'static [(u32, Phase)] {
    match venue {
        VenueName::Krx => KRX,
        VenueName::Nxt => NXT,
    }
}

/// The phase of a venue at a second of the day.
pub fn phase_at(venue: VenueName, second: u32) -> Phase {
    table(venue).iter().rev().find(|(start, _)| *start <= second).map_or(Phase::Closed, |(_, phase)| *phase)
}

/// The first second after `second` at which either venue changes phase.
pub fn next_change(second: u32) -> Option<u32> {
    KRX.iter().chain(NXT).map(|(start, _)| *start).filter(|start| *start > second).min()
}

/// Whether a venue has traded before `second` on that day.
pub fn has_traded(venue: VenueName, second: u32) -> bool {
    table(venue).iter().any(|(start, phase)| phase.is_continuous() && *start < second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_the_calendar() {
        assert_eq!(phase_at(VenueName::Krx, at(8, 49, 59)), Phase::Closed);
        assert_eq!(phase_at(VenueName::Krx, at(8, 59, 59)), Phase::OpeningAuction);
        assert_eq!(phase_at(VenueName::Krx, at(9, 0, 0)), Phase::Regular);
        assert_eq!(phase_at(VenueName::Nxt, at(9, 0, 29)), Phase::Closed);
        assert_eq!(phase_at(VenueName::Nxt, at(9, 0, 30)), Phase::Regular);
        assert_eq!(phase_at(VenueName::Krx, at(17, 0, 0)), Phase::AfterMarket);
        assert_eq!(next_change(at(9, 0, 0)), Some(at(9, 0, 30)));
        assert_eq!(next_change(at(20, 0, 0)), None);
        assert!(has_traded(VenueName::Nxt, at(8, 59, 59)) && !has_traded(VenueName::Krx, at(8, 59, 59)));
    }
}
