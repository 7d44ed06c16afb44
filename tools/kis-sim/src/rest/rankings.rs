//! Rankings of the simulated day, 30 rows each, by what has traded on the market asked for.

use std::cmp::Reverse;

use super::derived::yyyymmdd;
use super::http::Request;
use super::quotations::{asked_market, hhmmss};
use super::rows::{Fields, list, strength};
use super::{Answer, Rest, Route, success};
use crate::market::SymbolInfo;
use crate::market::line::percent;
use crate::market::stock::Stats;

pub(super) const ROUTES: &[Route] = &[
    ("fluctuation", "FHPST01700000", false, Rest::fluctuation),
    ("market-cap", "FHPST01740000", false, Rest::market_cap),
    ("volume-power", "FHPST01680000", false, Rest::volume_power),
];

/// The one that stands among the quotations.
pub(super) const BY_VOLUME: &[Route] = &[("volume-rank", "FHPST01710000", false, Rest::volume_rank)];

const ROWS: usize = 30;
/// Market capitalisations are told in units of 100 million won.
const CAPITAL_UNIT: i64 = 100_000_000;

/// A symbol that a ranking may show.
struct Candidate<'a> {
    symbol: &'a SymbolInfo,
    price: i64,
    stats: Stats,
    listed: i64,
    previous_volume: i64,
}

impl Candidate<'_> {
    /// Change against the day before, in hundredths of a percent.
    fn rate(&self) -> i64 {
        percent(self.price - self.symbol.base_px, self.symbol.base_px)
    }

    fn capital(&self) -> i64 {
        self.price * self.listed / CAPITAL_UNIT
    }

    /// What all rankings tell of a symbol.
    fn row(&self, rank: i64, code: &str) -> Fields {
        Fields::new()
            .text(code, &self.symbol.code)
            .int("data_rank", rank)
            .text("hts_kor_isnm", &self.symbol.name)
            .int("stck_prpr", self.price)
            .change(["prdy_vrss", "prdy_vrss_sign", "prdy_ctrt"], self.price, self.symbol.base_px, 0)
            .int("acml_vol", self.stats.volume)
    }
}

impl Rest {
    /// The symbols within market, prices and volume of a call.
    fn candidates(&self, request: &Request) -> Result<Vec<Candidate<'_>>, Answer> {
        let feed = asked_market(request.query("FID_COND_MRKT_DIV_CODE"))?;
        let market = match request.query("FID_INPUT_ISCD") {
            Some("0001") => Some("KOSPI"),
            Some("1001") => Some("KOSDAQ"),
            _ => None,
        };
        let number = |name| request.query(name).and_then(|text| text.parse::<i64>().ok());
        let (low, high) =
            (number("FID_INPUT_PRICE_1").unwrap_or(0), number("FID_INPUT_PRICE_2").filter(|high| *high > 0));
        let volume = number("FID_VOL_CNT").unwrap_or(0);
        let all = self.symbols.iter().enumerate().map(|(index, symbol)| {
            let (stats, listed, previous_volume) = self.sums(index, Some(feed));
            let newest = self.tape.before(index, feed, u32::MAX, 1);
            let price = newest.first().map_or(symbol.base_px, |print| print.price);
            Candidate { symbol, price, stats, listed, previous_volume }
        });
        let wanted = |one: &Candidate<'_>| {
            let in_price = one.price >= low && high.is_none_or(|high| one.price <= high);
            in_price && one.stats.volume >= volume && market.is_none_or(|market| market == one.symbol.market)
        };
        Ok(all.filter(wanted).collect())
    }

    /// By change: against the day before (`FID_RANK_SORT_CLS_CODE` 0 rises first, 1 falls first), against the opening price
    /// (2, 3), or by its size (4).
    fn fluctuation(&self, request: &Request) -> Answer {
        let mut all = match self.candidates(request) {
            Ok(all) => all,
            Err(refusal) => return refusal,
        };
        let bound =
            |name| request.query(name).and_then(|text| text.parse::<f64>().ok()).map(|rate| (rate * 100.0) as i64);
        let (least, most) = (bound("FID_RSFL_RATE1"), bound("FID_RSFL_RATE2"));
        all.retain(|one| least.is_none_or(|least| one.rate() >= least) && most.is_none_or(|most| one.rate() <= most));
        let since_open = |one: &Candidate<'_>| percent(one.price - one.stats.open, one.stats.open);
        match request.query("FID_RANK_SORT_CLS_CODE") {
            Some("1") => all.sort_by_key(Candidate::rate),
            Some("2") => all.sort_by_key(|one| Reverse(since_open(one))),
            Some("3") => all.sort_by_key(since_open),
            Some("4") => all.sort_by_key(|one| Reverse(one.rate().abs())),
            _ => all.sort_by_key(|one| Reverse(one.rate())),
        }
        let date = yyyymmdd(self.date);
        let row = |(rank, one): (i64, &Candidate<'_>)| {
            let (stats, base) = (&one.stats, one.symbol.base_px);
            let rise = one.price - base;
            one.row(rank, "stck_shrn_iscd")
                .ints([("stck_hgpr", stats.high), ("stck_lwpr", stats.low)])
                .text("hgpr_hour", hhmmss(stats.high_at))
                .text("lwpr_hour", hhmmss(stats.low_at))
                .text("acml_hgpr_date", &date)
                .text("acml_lwpr_date", &date)
                .percent("lwpr_vrss_prpr_rate", one.price - stats.low, stats.low)
                .percent("hgpr_vrss_prpr_rate", one.price - stats.high, stats.high)
                .percent("dsgt_date_clpr_vrss_prpr_rate", rise, base)
                .ints([("cnnt_ascn_dynu", i64::from(rise > 0)), ("cnnt_down_dynu", i64::from(rise < 0))])
                .change(["oprc_vrss_prpr", "oprc_vrss_prpr_sign", "oprc_vrss_prpr_rate"], one.price, stats.open, 0)
                .text("prd_rsfl", "0")
                .text("prd_rsfl_rate", "0.00")
        };
        success(list((1..).zip(all.iter().take(ROWS)).map(row)))
    }

    /// By shares, or by won where the call asks for that order (`FID_BLNG_CLS_CODE` 3). An average is that of the day and the
    /// one before; what is turned over in several days is that of one.
    fn volume_rank(&self, request: &Request) -> Answer {
        let mut all = match self.candidates(request) {
            Ok(all) => all,
            Err(refusal) => return refusal,
        };
        if request.query("FID_BLNG_CLS_CODE") == Some("3") {
            all.sort_by_key(|one| Reverse(one.stats.turnover));
        } else {
            all.sort_by_key(|one| Reverse(one.stats.volume));
        }
        let row = |(rank, one): (i64, &Candidate<'_>)| {
            let (volume, turnover, before) = (one.stats.volume, one.stats.turnover, one.previous_volume);
            let capital = one.price * one.listed;
            one.row(rank, "mksc_shrn_iscd")
                .ints([("acml_tr_pbmn", turnover), ("prdy_vol", before), ("lstn_stcn", one.listed)])
                .ints([("avrg_vol", (volume + before) / 2)])
                .int("avrg_tr_pbmn", (turnover + before.saturating_mul(one.symbol.base_px)) / 2)
                .decimal("n_befr_clpr_vrss_prpr_rate", one.rate(), 2)
                .percent("vol_inrt", volume - before, before)
                .percent("vol_tnrt", volume, one.listed)
                .percent("nday_vol_tnrt", volume, one.listed)
                .percent("tr_pbmn_tnrt", turnover, capital)
                .percent("nday_tr_pbmn_tnrt", turnover, capital)
        };
        success(list((1..).zip(all.iter().take(ROWS)).map(row)))
    }

    /// By market capitalisation.
    fn market_cap(&self, request: &Request) -> Answer {
        let mut all = match self.candidates(request) {
            Ok(all) => all,
            Err(refusal) => return refusal,
        };
        let whole: i64 = all.iter().map(Candidate::capital).sum();
        all.sort_by_key(|one| Reverse(one.capital()));
        let row = |(rank, one): (i64, &Candidate<'_>)| {
            one.row(rank, "mksc_shrn_iscd").ints([("lstn_stcn", one.listed), ("stck_avls", one.capital())]).percent(
                "mrkt_whol_avls_rlim",
                one.capital(),
                whole,
            )
        };
        success(list((1..).zip(all.iter().take(ROWS)).map(row)))
    }

    /// By shares bought for each share sold; auctions count in neither.
    fn volume_power(&self, request: &Request) -> Answer {
        let mut all = match self.candidates(request) {
            Ok(all) => all,
            Err(refusal) => return refusal,
        };
        let power = |one: &Candidate<'_>| strength(one.stats.buy_volume, one.stats.sell_volume);
        all.sort_by_key(|one| Reverse(power(one)));
        let row = |(rank, one): (i64, &Candidate<'_>)| {
            one.row(rank, "stck_shrn_iscd")
                .decimal("tday_rltv", power(one), 2)
                .ints([("seln_cnqn_smtn", one.stats.sell_volume), ("shnu_cnqn_smtn", one.stats.buy_volume)])
        };
        success(list((1..).zip(all.iter().take(ROWS)).map(row)))
    }
}
