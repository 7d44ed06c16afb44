//! Overseas exchanges: hours, currencies, a few stocks of each at invented prices. Weekends are closed; holidays are not known.

use jiff::civil::{Date, Weekday, date};

use super::derived::{Span, Walk, date_of, day_number};

/// An exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    /// As `EXCD` names it.
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    /// Number and letters of its country, the broker's number of its products, its own number.
    pub(super) country: (&'static str, &'static str, &'static str),
    pub(super) product: &'static str,
    pub(super) market: &'static str,
    pub(super) currency: &'static str,
    pub(super) decimals: u32,
    /// Hours behind KST in winter.
    behind: i64,
    /// Whether its clocks go forward in summer, as those of the United States do.
    summer_time: bool,
    /// Seconds of the local day.
    pub(super) sessions: &'static [(i64, i64)],
    /// Days from a trade to its settlement there.
    pub(super) settles_in: usize,
    /// Levels of the book that the broker has.
    pub(super) levels: i64,
    /// Symbols and prices, in the last decimal.
    stocks: &'static [(&'static str, i64)],
}

const fn at(hour: i64, minute: i64) -> i64 {
    hour * 3600 + minute * 60
}

const US: Exchange = Exchange {
    code: "NAS",
    name: "나스닥",
    country: ("840", "US", "미국"),
    product: "512",
    market: "01",
    currency: "USD",
    decimals: 4,
    behind: 14,
    summer_time: true,
    sessions: &[(at(9, 30), at(16, 0))],
    settles_in: 1,
    levels: 10,
    stocks: &[("AAPL", 2_310_000), ("TSLA", 3_420_000), ("NVDA", 1_450_000), ("MSFT", 4_280_000), ("QQQ", 5_110_000)],
};

const ASIA: Exchange = Exchange {
    code: "HKS",
    name: "홍콩",
    country: ("344", "HK", "홍콩"),
    product: "501",
    currency: "HKD",
    decimals: 3,
    behind: 1,
    summer_time: false,
    sessions: &[(at(9, 30), at(12, 0)), (at(13, 0), at(16, 0))],
    settles_in: 2,
    levels: 1,
    stocks: &[("00700", 412_400), ("09988", 88_350), ("00005", 71_050)],
    ..US
};

const CHINA: Exchange = Exchange {
    country: ("156", "CN", "중국"),
    currency: "CNY",
    sessions: &[(at(9, 30), at(11, 30)), (at(13, 0), at(15, 0))],
    settles_in: 1,
    ..ASIA
};

const VIETNAM: Exchange = Exchange {
    country: ("704", "VN", "베트남"),
    currency: "VND",
    decimals: 0,
    behind: 2,
    sessions: &[(at(9, 0), at(11, 30)), (at(13, 0), at(14, 45))],
    ..ASIA
};

/// In the order in which the broker lists their settlement dates.
pub(super) const EXCHANGES: &[Exchange] = &[
    ASIA,
    Exchange {
        code: "HNX",
        name: "하노이거래소",
        product: "507",
        stocks: &[("SHB", 11_200), ("PVS", 38_400)],
        ..VIETNAM
    },
    Exchange {
        code: "HSX",
        name: "호치민거래소",
        product: "508",
        market: "02",
        stocks: &[("VNM", 66_300), ("HPG", 27_150)],
        ..VIETNAM
    },
    US,
    Exchange {
        code: "NYS",
        name: "뉴욕거래소",
        product: "513",
        market: "02",
        stocks: &[("IBM", 1_870_000), ("KO", 617_000), ("JPM", 2_090_000)],
        ..US
    },
    Exchange {
        code: "TSE",
        name: "도쿄거래소",
        country: ("392", "JP", "일본"),
        product: "515",
        currency: "JPY",
        decimals: 1,
        behind: 0,
        sessions: &[(at(9, 0), at(11, 30)), (at(12, 30), at(15, 30))],
        stocks: &[("7203", 28_405), ("6758", 31_160)],
        ..ASIA
    },
    Exchange {
        code: "AMS",
        name: "아멕스",
        product: "529",
        market: "05",
        stocks: &[("SPY", 5_720_000), ("GLD", 2_440_000)],
        ..US
    },
    Exchange {
        code: "SHS",
        name: "상해거래소",
        product: "551",
        stocks: &[("600519", 1_492_000), ("601398", 6_210)],
        ..CHINA
    },
    Exchange {
        code: "SZS",
        name: "심천거래소",
        product: "552",
        market: "02",
        stocks: &[("000001", 11_340), ("300750", 248_600)],
        ..CHINA
    },
];

/// A stock abroad at a moment. Times are seconds since 1970 of the exchange's own clock.
#[derive(Debug)]
pub(super) struct Abroad {
    pub(super) exchange: &'static Exchange,
    pub(super) symbol: &'static str,
    pub(super) walk: Walk,
    base: i64,
    pub(super) now: i64,
}

/// A time of a stock abroad.
#[derive(Clone, Copy, Debug)]
pub(super) struct Minutes {
    /// Where it begins, by the exchange's own clock.
    pub(super) begin: i64,
    pub(super) span: Span,
    pub(super) volume: i64,
    /// In whole units of the currency.
    pub(super) turnover: i64,
}

impl Exchange {
    /// Seconds by which its clocks are behind those of KST on a local date.
    pub(super) fn behind_s(&self, local: Date) -> i64 {
        let sunday =
            |month, nth| date(local.year(), month, 1).nth_weekday_of_month(nth, Weekday::Sunday).unwrap_or(local);
        let summer = self.summer_time && (sunday(3, 2)..sunday(11, 1)).contains(&local);
        (self.behind - i64::from(summer)) * 3600
    }

    pub(super) fn is_open(day: i64) -> bool {
        !matches!(date_of(day).weekday(), Weekday::Saturday | Weekday::Sunday)
    }
}

impl Abroad {
    /// A listed stock at a second of a day of KST.
    pub(super) fn find(seed: u64, exchange: &str, symbol: &str, today: Date, second: u32) -> Option<Self> {
        let exchange = EXCHANGES.iter().find(|known| known.code == exchange)?;
        let (symbol, base) = *exchange.stocks.iter().find(|(known, _)| *known == symbol)?;
        let kst = day_number(today) * 86_400 + i64::from(second);
        let local = date_of((kst - exchange.behind * 3600).div_euclid(86_400));
        let now = kst - exchange.behind_s(local);
        Some(Self { exchange, symbol, walk: Walk::new(seed, &format!("{}/{symbol}", exchange.code)), base, now })
    }

    /// Where the newest span of `minutes` at or before a moment begins.
    pub(super) fn begin_before(&self, moment: i64, minutes: i64) -> Option<i64> {
        let today = moment.div_euclid(86_400);
        let days = (0..10).map(|back| today - back).filter(|day| Exchange::is_open(*day));
        let mut opened =
            days.flat_map(|day| self.exchange.sessions.iter().rev().map(move |(from, to)| (day, *from, *to)));
        opened.find_map(|(day, from, to)| {
            let within = (moment - day * 86_400).min(to - 1);
            (within >= from).then(|| day * 86_400 + from + (within - from) / (minutes * 60) * (minutes * 60))
        })
    }

    /// The span of `minutes` that begins somewhere, as far as it has come.
    pub(super) fn minutes(&self, begin: i64, minutes: i64) -> Option<Minutes> {
        const STEP: i64 = 15;
        let of_day = begin.rem_euclid(86_400);
        let (_, closes) = self.exchange.sessions.iter().find(|(from, to)| (*from..*to).contains(&of_day))?;
        let end = (begin + minutes * 60).min(begin - of_day + closes).min(self.now + 1);
        let unit = 10_i64.pow(self.exchange.decimals);
        let (mut volume, mut turnover) = (0, 0);
        let steps = (begin..end).step_by(STEP as usize).map(|moment| {
            let (price, quantity) = (self.walk.price(self.base, moment), self.walk.draw(1, moment, 900));
            (volume, turnover) = (volume + quantity, turnover + quantity * price / unit);
            price
        });
        let span = Span::of(steps)?;
        Some(Minutes { begin, span, volume, turnover })
    }

    /// The newest day at or before a moment.
    pub(super) fn day(&self, moment: i64) -> Option<Minutes> {
        let day = self.begin_before(moment.min(self.now), 1)?.div_euclid(86_400);
        let of_session = |(from, to): &(i64, i64)| self.minutes(day * 86_400 + from, (to - from) / 60);
        self.exchange.sessions.iter().filter_map(of_session).reduce(|day, after| Minutes {
            begin: day.begin,
            span: day.span.then(after.span),
            volume: day.volume + after.volume,
            turnover: day.turnover + after.turnover,
        })
    }

    /// The day before one.
    pub(super) fn day_before(&self, day: &Minutes) -> Option<Minutes> {
        self.day(day.begin.div_euclid(86_400) * 86_400 - 1)
    }

    /// The code under which its real-time data come, as `DNASAAPL`.
    pub(super) fn live_code(&self) -> String {
        format!("D{}{}", self.exchange.code, self.symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_york_is_an_hour_nearer_in_summer() {
        let hours = |month, day| US.behind_s(date(2026, month, day)) / 3600;
        assert_eq!([hours(1, 5), hours(3, 7), hours(3, 8), hours(10, 31), hours(11, 1)], [14, 14, 13, 13, 14]);
    }

    #[test]
    fn minutes_add_up_to_the_day_and_skip_lunch_and_weekends() {
        // Monday 09:10 in Tokyo: Friday's last minute is the one before Monday's first.
        let stock = Abroad::find(1, "TSE", "7203", date(2026, 11, 23), at(9, 10) as u32).unwrap();
        let mut begin = stock.begin_before(stock.now, 1).unwrap();
        let mut seen = Vec::new();
        while seen.len() < 11 + 330 {
            seen.push(stock.minutes(begin, 1).unwrap());
            begin = stock.begin_before(begin - 1, 1).unwrap();
        }
        let friday = stock.day(seen[11].begin).unwrap();
        let of_friday = &seen[11..];
        assert_eq!(friday.volume, of_friday.iter().map(|one| one.volume).sum::<i64>());
        assert_eq!(friday.turnover, of_friday.iter().map(|one| one.turnover).sum::<i64>());
        assert_eq!(friday.span.close, of_friday[0].span.close);
        assert_eq!(friday.span.high, of_friday.iter().map(|one| one.span.high).max().unwrap());
        assert_eq!(friday.begin, of_friday[329].begin);
        assert!(!of_friday.iter().any(|one| (at(11, 30)..at(12, 30)).contains(&one.begin.rem_euclid(86_400))));
    }
}
