//! What can be traded, or followed as an index: an entry of a list that an exchange or broker publishes each day.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use super::price::{self, Limits, TickTable};
use crate::tick::PX_SCALE;

/// Names of a set of values as text, in both directions.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$item_doc:meta])* $item:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$item_doc])* $item),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$item),*];

            /// The name in text and JSON.
            pub fn name(self) -> &'static str {
                match self { $($name::$item => $text),* }
            }
        }

        impl FromStr for $name {
            type Err = String;

            /// Reads the name, in any case.
            fn from_str(text: &str) -> Result<$name, String> {
                let found = $name::ALL.iter().find(|item| item.name().eq_ignore_ascii_case(text));
                let names = || $name::ALL.iter().map(|item| item.name()).collect::<Vec<_>>().join(", ");
                found.copied().ok_or_else(|| format!("no {} {text}: it is one of {}", $what, names()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named! {
    /// Where something is listed.
    Board, "market" {
        /// Stocks, funds, notes and warrants of the main market of KRX.
        Kospi = "KOSPI",
        /// Those of its growth market.
        Kosdaq = "KOSDAQ",
        /// Those of its market for small firms.
        Konex = "KONEX",
        /// Indices of KRX and of others that the broker computes nothing of.
        Index = "INDEX",
        /// Futures, spreads and options of KRX.
        Derivatives = "DERIVATIVES",
        /// Bonds of KRX.
        Bonds = "BONDS",
        /// Nasdaq.
        Nasdaq = "NASDAQ",
        /// New York.
        Nyse = "NYSE",
        /// NYSE American.
        Amex = "AMEX",
        /// Shanghai.
        Shanghai = "SHANGHAI",
        /// Shenzhen.
        Shenzhen = "SHENZHEN",
        /// Tokyo.
        Tokyo = "TOKYO",
        /// Hong Kong.
        HongKong = "HONGKONG",
        /// Hanoi.
        Hanoi = "HANOI",
        /// Ho Chi Minh City.
        HoChiMinh = "HOCHIMINH",
    }
}

named! {
    /// What it is.
    Kind, "kind" {
        /// Stock, preferred ones too.
        Stock = "stock",
        /// Stock of a foreign firm.
        ForeignStock = "foreign_stock",
        /// Depositary receipt.
        Receipt = "receipt",
        /// Real-estate investment trust.
        Reit = "reit",
        /// Investment company: securities, ships, infrastructure.
        Fund = "fund",
        /// Beneficiary certificate.
        Certificate = "certificate",
        /// Exchange-traded fund.
        Etf = "etf",
        /// Exchange-traded note.
        Etn = "etn",
        /// Equity-linked warrant.
        Elw = "elw",
        /// Subscription right.
        Right = "right",
        /// Subscription warrant, or a warrant abroad.
        Warrant = "warrant",
        /// Index.
        Index = "index",
        /// Future.
        Future = "future",
        /// Spread between two months of a future.
        Spread = "spread",
        /// Option.
        Option = "option",
        /// Bond.
        Bond = "bond",
        /// None of these, or a group that is not known here.
        Other = "other",
    }
}

impl Board {
    /// Whether it is a market of stocks of KRX; their codes are one space.
    pub fn is_stocks(self) -> bool {
        matches!(self, Board::Kospi | Board::Kosdaq | Board::Konex)
    }
}

/// A set of named bits.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident($word:ty) { $($(#[$item_doc:meta])* $item:ident = $bit:literal $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name($word);

        impl $name {
            $($(#[$item_doc])* pub const $item: $name = $name(1 << $bit);)*
            const NAMES: &'static [($name, &'static str)] = &[$(($name::$item, $text)),*];

            /// Nothing.
            pub const fn none() -> $name {
                $name(0)
            }

            /// Whether nothing is in it.
            pub fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether all of `other` is in it.
            pub fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// Puts `other` in if `really`.
            pub fn insert_if(&mut self, other: $name, really: bool) {
                self.0 |= if really { other.0 } else { 0 };
            }

            /// What is in this and not in `other`.
            pub fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }

            /// The names of what is in it.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| *name)
            }

            /// The one of this name, in any case.
            pub fn named(name: &str) -> Option<$name> {
                Self::NAMES.iter().find(|(_, text)| text.eq_ignore_ascii_case(name)).map(|(bit, _)| *bit)
            }

            /// All names.
            pub fn all_names() -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().map(|(_, name)| *name)
            }
        }
    };
}

bits! {
    /// What the exchange warns of. A halt stands beside them.
    Cautions(u16) {
        /// 관리종목: administration issue.
        ADMINISTRATION = 0 "administration",
        /// 정리매매: the last days before delisting, without daily limits.
        LIQUIDATION = 1 "liquidation",
        /// 투자주의: investment caution.
        CAUTION = 2 "caution",
        /// 투자경고: investment warning.
        WARNING = 3 "warning",
        /// 투자위험: investment risk.
        RISK = 4 "risk",
        /// 경고예고: notice that a warning may follow.
        WARNING_NOTICE = 5 "warning_notice",
        /// 불성실공시: unfaithful disclosure.
        UNFAITHFUL_DISCLOSURE = 6 "unfaithful_disclosure",
        /// 우회상장: listed by the back door.
        BACKDOOR_LISTING = 7 "backdoor_listing",
        /// 단기과열 예고: notice of short-term overheating.
        OVERHEATING_NOTICE = 8 "overheating_notice",
        /// 단기과열: short-term overheating, or its extension; traded in auctions.
        OVERHEATING = 9 "overheating",
        /// 공매도과열: overheated short selling.
        SHORT_SALE_OVERHEATING = 10 "short_sale_overheating",
        /// 이상급등: abnormal rise.
        ABNORMAL_RISE = 11 "abnormal_rise",
        /// 투자주의환기: KOSDAQ's call for attention.
        KOSDAQ_ATTENTION = 12 "kosdaq_attention",
        /// 저유동성: low liquidity.
        LOW_LIQUIDITY = 13 "low_liquidity",
        /// A code for which there is no name here.
        UNKNOWN = 15 "unknown",
    }
}

bits! {
    /// Indices of KRX it is a member of.
    Indices(u32) {
        /// KOSPI 200.
        KOSPI200 = 0 "KOSPI200",
        /// KOSPI 100.
        KOSPI100 = 1 "KOSPI100",
        /// KOSPI 50.
        KOSPI50 = 2 "KOSPI50",
        /// KOSDAQ 150.
        KOSDAQ150 = 3 "KOSDAQ150",
        /// KRX 300.
        KRX300 = 4 "KRX300",
        /// KRX 100.
        KRX100 = 5 "KRX100",
        /// KRX cars.
        KRX_CARS = 6 "KRX-CARS",
        /// KRX semiconductors.
        KRX_SEMICONDUCTORS = 7 "KRX-SEMICONDUCTORS",
        /// KRX health care.
        KRX_HEALTH = 8 "KRX-HEALTH",
        /// KRX banks.
        KRX_BANKS = 9 "KRX-BANKS",
        /// KRX energy and chemicals.
        KRX_ENERGY = 10 "KRX-ENERGY",
        /// KRX steel.
        KRX_STEEL = 11 "KRX-STEEL",
        /// KRX media and telecommunication.
        KRX_MEDIA = 12 "KRX-MEDIA",
        /// KRX construction.
        KRX_CONSTRUCTION = 13 "KRX-CONSTRUCTION",
        /// KRX securities firms.
        KRX_SECURITIES = 14 "KRX-SECURITIES",
        /// KRX machinery, ships before.
        KRX_MACHINERY = 15 "KRX-MACHINERY",
        /// KRX insurance.
        KRX_INSURANCE = 16 "KRX-INSURANCE",
        /// KRX transport.
        KRX_TRANSPORT = 17 "KRX-TRANSPORT",
    }
}

impl Indices {
    /// Index codes of those that have one.
    const CODES: [(&'static str, Indices); 18] = [
        ("2001", Indices::KOSPI200),
        ("2007", Indices::KOSPI100),
        ("2008", Indices::KOSPI50),
        ("3003", Indices::KOSDAQ150),
        ("4300", Indices::KRX300),
        ("4001", Indices::KRX100),
        ("4002", Indices::KRX_CARS),
        ("4003", Indices::KRX_SEMICONDUCTORS),
        ("4004", Indices::KRX_HEALTH),
        ("4005", Indices::KRX_BANKS),
        ("4007", Indices::KRX_ENERGY),
        ("4008", Indices::KRX_STEEL),
        ("4010", Indices::KRX_MEDIA),
        ("4011", Indices::KRX_CONSTRUCTION),
        ("4013", Indices::KRX_SECURITIES),
        ("4014", Indices::KRX_MACHINERY),
        ("4015", Indices::KRX_INSURANCE),
        ("4016", Indices::KRX_TRANSPORT),
    ];

    /// The index of a code of four digits.
    pub fn of_code(code: &str) -> Option<Indices> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, index)| *index)
    }
}

/// What an option pays for, and until when a contract runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    /// Code of what it is on, as the list has it.
    pub underlying: Box<str>,
    /// Strike in px units; `None` for what has none.
    pub strike: Option<i64>,
    /// `true` call, `false` put; `None` for what is neither.
    pub is_call: Option<bool>,
    /// Last trading day, or the day a bond is paid back, where the list has it.
    pub last_day: Option<Date>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// Short code without padding, letters among the digits: `005930`, `0004Y0`, `Q610062`, `AAPL`; of bonds the ISIN.
    pub code: Box<str>,
    /// ISIN, where the list has it.
    pub isin: Option<Box<str>>,
    /// Korean name.
    pub name: Box<str>,
    /// English name, where the list has it.
    pub name_en: Option<Box<str>>,
    /// Where it is listed.
    pub board: Board,
    /// What it is.
    pub kind: Kind,
    /// Codes of its sectors, from large to small, as indices have them; abroad the broker's own.
    pub sectors: Vec<Box<str>>,
    /// Base price of the day in px units: what limits and changes are counted from. `None` where the list has none, or 0.
    pub base_px: Option<i64>,
    /// Trading is halted.
    pub is_halted: bool,
    /// What the exchange warns of.
    pub cautions: Cautions,
    /// Traded on Nextrade, as far as the list is there that says so.
    pub is_nxt: bool,
    /// Indices it is a member of.
    pub indices: Indices,
    /// Of derivatives, warrants and bonds.
    pub contract: Option<Box<Contract>>,
    /// Symbol under which a foreign stock is registered in real time, behind a letter for its kind of session: `NASAAPL`.
    pub realtime_code: Option<Box<str>>,
    /// First trading day, where the list has it.
    pub listed_on: Option<Date>,
}

impl Security {
    /// Which price rules hold; `None` where none is known here.
    pub fn price_market(&self) -> Option<price::Market> {
        match (self.kind, self.board) {
            (Kind::Etf, Board::Kospi) => Some(price::Market::Etf),
            (Kind::Etn, Board::Kospi) => Some(price::Market::Etn),
            (Kind::Elw, _) => Some(price::Market::Elw),
            (Kind::Stock | Kind::ForeignStock | Kind::Receipt | Kind::Reit | Kind::Fund, board) => match board {
                Board::Kospi => Some(price::Market::Kospi),
                Board::Kosdaq => Some(price::Market::Kosdaq),
                Board::Konex => Some(price::Market::Konex),
                _ => None,
            },
            _ => None,
        }
    }

    /// The steps of its prices on a date.
    pub fn tick_table(&self, on: Date) -> Option<TickTable> {
        TickTable::of(self.price_market()?, on)
    }

    /// The step at its base price, in px units; where the list has none, as of ELW, that of all prices if there is one.
    pub fn tick_size(&self, on: Date) -> Option<i64> {
        let ticks = self.tick_table(on)?;
        let size = match self.base_px {
            None => ticks.single()?,
            Some(_) => ticks.size(self.base_won()?)?,
        };
        i64::try_from(size).ok()?.checked_mul(PX_SCALE)
    }

    /// The limits of a day. `None` where there are none (ELW, liquidation trading) and where the rule isn't known: funds and
    /// notes whose name says that they follow a multiple of their index, since the list doesn't say which. A stock whose listing
    /// date it is has those of a first trading day ([`price::listing_limits`]); that it came from another market, or of a firm
    /// that was divided, the list doesn't say.
    pub fn limits(&self, on: Date) -> Option<Limits> {
        let multiple = matches!(self.kind, Kind::Etf | Kind::Etn) && says_multiple(&self.name);
        if multiple || self.cautions.contains(Cautions::LIQUIDATION) {
            return None;
        }
        match self.price_market()? {
            market @ (price::Market::Kospi | price::Market::Kosdaq | price::Market::Konex)
                if self.listed_on == Some(on) =>
            {
                price::listing_limits(market, on, self.base_won()?)
            }
            market => price::daily_limits(market, on, self.base_won()?, 100),
        }
    }

    fn base_won(&self) -> Option<u64> {
        let base = self.base_px.filter(|base| base % PX_SCALE == 0)?;
        u64::try_from(base / PX_SCALE).ok()
    }
}

/// Whether the name of a fund or note says `레버리지`, or a number before an X: `인버스 2X`, `-0.5X`.
fn says_multiple(name: &str) -> bool {
    let times = |pair: &[u8]| pair[0].is_ascii_digit() && pair[1].eq_ignore_ascii_case(&b'X');
    name.contains("레버리지") || name.as_bytes().windows(2).any(times)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    pub(crate) fn security(kind: Kind, board: Board, name: &str, won: i64) -> Security {
        Security {
            code: "005930".into(),
            isin: None,
            name: name.into(),
            name_en: None,
            board,
            kind,
            sectors: Vec::new(),
            base_px: Some(won * PX_SCALE),
            is_halted: false,
            cautions: Cautions::none(),
            is_nxt: false,
            indices: Indices::none(),
            contract: None,
            realtime_code: None,
            listed_on: None,
        }
    }

    #[test]
    fn ticks_and_limits_are_those_of_the_price_rules() {
        let on = date(2026, 11, 23);
        let stock = security(Kind::Stock, Board::Kospi, "삼성전자", 269_000);
        assert_eq!(stock.tick_size(on), Some(500 * PX_SCALE));
        assert_eq!(stock.limits(on), price::daily_limits(price::Market::Kospi, on, 269_000, 100));
        let konex = security(Kind::Stock, Board::Konex, "태양3C", 2_930);
        let limits = konex.limits(on).unwrap();
        assert_eq!((limits.lower, limits.upper), (2_495, 3_365));
        assert_eq!(security(Kind::Elw, Board::Kospi, "한국KD55삼성전자콜", 100).limits(on), None);
        assert_eq!(security(Kind::Bond, Board::Bonds, "국고채", 10_000).tick_size(on), None);
        // The list of ELW has no base prices; their tick is one at all prices, that of a stock is not.
        let without = |kind| {
            let mut security = security(kind, Board::Kospi, "한국KD55삼성전자콜", 100);
            security.base_px = None;
            security.tick_size(on)
        };
        assert_eq!((without(Kind::Elw), without(Kind::Stock), without(Kind::Etf)), (Some(5 * PX_SCALE), None, None));
    }

    #[test]
    fn a_stock_that_is_listed_that_day_trades_from_60_to_400_percent_of_its_offering_price() {
        let on = date(2026, 11, 23);
        let listed = |kind, board, on, won| {
            let mut security = security(kind, board, "새내기", won);
            security.listed_on = Some(on);
            security
        };
        let stock = listed(Kind::Stock, Board::Kosdaq, on, 10_000);
        let bounds = |limits: Limits| (limits.lower, limits.upper);
        assert_eq!(stock.limits(on).map(bounds), Some((6_000, 40_000)));
        assert_eq!(stock.limits(date(2026, 11, 24)).map(bounds), Some((7_000, 13_000)), "the day after");
        assert_eq!(listed(Kind::Stock, Board::Kospi, on, 10_000).limits(on).map(bounds), Some((6_000, 40_000)));
        // A fund has no such day; of KONEX, and before the rule, the list doesn't have the base.
        assert_eq!(listed(Kind::Etf, Board::Kospi, on, 10_000).limits(on).map(bounds), Some((7_000, 13_000)));
        assert_eq!(listed(Kind::Stock, Board::Konex, on, 10_000).limits(on), None);
        let (before, first) = (date(2023, 6, 23), date(2023, 6, 26));
        assert_eq!(listed(Kind::Stock, Board::Kospi, before, 10_000).limits(before), None);
        assert_eq!(listed(Kind::Stock, Board::Kospi, first, 10_000).limits(first).map(bounds), Some((6_000, 40_000)));
    }

    #[test]
    fn what_the_list_does_not_say_is_not_guessed() {
        let on = date(2026, 11, 23);
        let limits = |kind, name| security(kind, Board::Kospi, name, 10_000).limits(on);
        assert!(limits(Kind::Etf, "KODEX 200").is_some() && limits(Kind::Etf, "KODEX 인버스").is_some());
        for name in
            ["KODEX 레버리지", "KODEX 200선물인버스2X", "메리츠 인버스 3X 국채30년 ETN", "하나 -0.5X S&P500 VIX"]
        {
            assert!(limits(Kind::Etn, name).is_none() && limits(Kind::Etf, name).is_none(), "{name}");
        }
        let mut last_days = security(Kind::Stock, Board::Kospi, "정리", 10_000);
        last_days.cautions = Cautions::LIQUIDATION;
        assert_eq!((last_days.limits(on), last_days.tick_size(on)), (None, Some(10 * PX_SCALE)));
    }

    #[test]
    fn names_go_both_ways() {
        for board in Board::ALL {
            assert_eq!(board.name().to_lowercase().parse(), Ok(*board));
        }
        assert!("KSE".parse::<Board>().unwrap_err().contains("KOSPI, KOSDAQ"));
        for name in Indices::all_names() {
            let index = Indices::named(&name.to_lowercase()).unwrap();
            assert_eq!(index.names().collect::<Vec<_>>(), [name]);
            assert!(Indices::CODES.iter().any(|(_, of)| *of == index), "{name}");
        }
        assert_eq!(Indices::of_code("2001"), Some(Indices::KOSPI200));
    }
}
