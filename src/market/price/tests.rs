//! Published examples, the rules against a twin in decimals, and what must hold of every price.

use jiff::civil::date;
use proptest::prelude::*;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::super::phase::Phase;
use super::*;

const TODAY: Date = date(2026, 11, 23);
const OLD: Date = date(2022, 6, 1);

/// Ticks as published: first price above the band, then KOSPI and KOSDAQ until 2023-01-24, then all three markets.
const PUBLISHED: [(&str, [u64; 3]); 10] = [
    ("1000", [1, 1, 1]),
    ("2000", [5, 5, 1]),
    ("5000", [5, 5, 5]),
    ("10000", [10, 10, 10]),
    ("20000", [50, 50, 10]),
    ("50000", [50, 50, 50]),
    ("100000", [100, 100, 100]),
    ("200000", [500, 100, 100]),
    ("500000", [500, 100, 500]),
    ("99999999", [1000, 100, 1000]),
];

fn slow_tick(market: Market, on: Date, price: Decimal) -> Decimal {
    let five = Decimal::from(5);
    let column = match market {
        Market::Elw => return five,
        Market::Etf | Market::Etn => {
            let cheap = price < Decimal::from(2_000) && on >= date(2023, 12, 18);
            return if cheap { Decimal::ONE } else { five };
        }
        _ if on >= date(2023, 1, 25) => 2,
        Market::Kospi => 0,
        Market::Kosdaq | Market::Konex => 1,
    };
    let (_, ticks) = PUBLISHED.iter().find(|(below, _)| price < below.parse().unwrap()).unwrap();
    Decimal::from(ticks[column])
}

fn slow_floor(market: Market, on: Date, price: Decimal) -> Decimal {
    let tick = slow_tick(market, on, price);
    (price / tick).floor() * tick
}

fn slow_limits(market: Market, on: Date, base: u64, multiple: Decimal) -> (Decimal, Decimal) {
    let base = Decimal::from(base);
    let rate = match market {
        Market::Konex => Decimal::new(15, 2),
        _ if on < date(2015, 6, 15) => Decimal::new(15, 2),
        _ => Decimal::new(30, 2),
    };
    let tick = slow_tick(market, on, base);
    let amount = (base * rate * multiple / tick).floor() * tick;
    (slow_floor(market, on, base - amount), slow_floor(market, on, base + amount))
}

#[test]
fn every_published_band_begins_where_it_is_published_to() {
    let mut from = 1;
    for (below, ticks) in PUBLISHED {
        let below: u64 = below.parse().unwrap();
        for price in [from, below - 1] {
            for (market, on, tick) in [
                (Market::Kospi, date(2023, 1, 24), ticks[0]),
                (Market::Kosdaq, date(2023, 1, 24), ticks[1]),
                (Market::Konex, OLD, ticks[1]),
                (Market::Kospi, date(2023, 1, 25), ticks[2]),
                (Market::Kosdaq, TODAY, ticks[2]),
                (Market::Konex, TODAY, ticks[2]),
            ] {
                assert_eq!(TickTable::of(market, on).unwrap().size(price), Some(tick), "{market:?} {on} {price}");
            }
        }
        from = below;
    }
}

#[test]
fn where_sources_part_the_tick_of_a_cheap_fund_is_not_known() {
    let size = |on, price| TickTable::of(Market::Etf, on).unwrap().size(price);
    assert_eq!(size(date(2023, 12, 7), 1_999), Some(5));
    assert_eq!((size(date(2023, 12, 11), 1_999), size(date(2023, 12, 11), 2_000)), (None, Some(5)));
    assert_eq!((size(date(2023, 12, 18), 1_999), size(date(2023, 12, 18), 2_000)), (Some(1), Some(5)));
    assert_eq!(daily_limits(Market::Etf, date(2023, 12, 11), 1_500, 100), None);
    assert_eq!(TickTable::of(Market::Kospi, date(2014, 12, 31)), None);
}

#[test]
fn the_exchange_s_examples_of_daily_limits() {
    // GLB0602020202T2, with the ticks of its time and with those since 2023.
    let kosdaq = |on| daily_limits(Market::Kosdaq, on, 9_940, 100).unwrap();
    assert_eq!(kosdaq(OLD), Limits { lower: 6_960, upper: 12_900 });
    assert_eq!(kosdaq(TODAY), Limits { lower: 6_960, upper: 12_920 });
    // GLB0602010201T5, whose upper limit of 12,970 is one of the ticks since 2023.
    assert_eq!(daily_limits(Market::Kospi, TODAY, 9_980, 100), Some(Limits { lower: 6_990, upper: 12_970 }));
    assert_eq!(daily_limits(Market::Kospi, OLD, 9_980, 100), Some(Limits { lower: 6_990, upper: 12_950 }));
    // The same page: a fund of twice its index has 60%.
    assert_eq!(daily_limits(Market::Etf, TODAY, 10_000, 200), Some(Limits { lower: 4_000, upper: 16_000 }));
    assert_eq!(daily_limits(Market::Elw, TODAY, 1_000, 100), None);
}

#[test]
fn the_rate_doubled_on_2015_06_15_but_not_on_konex() {
    assert_eq!(limit_percent(Market::Kospi, date(2015, 6, 14)), Some(15));
    assert_eq!(limit_percent(Market::Kosdaq, date(2015, 6, 15)), Some(30));
    assert_eq!(limit_percent(Market::Konex, TODAY), Some(15));
    assert_eq!(limit_percent(Market::Kospi, date(2014, 12, 31)), None);
}

#[test]
fn a_rate_below_a_tick_and_a_base_off_its_tick_give_no_limits() {
    assert_eq!(daily_limits(Market::Kospi, TODAY, 3, 100), None);
    assert_eq!(daily_limits(Market::Kospi, TODAY, 4, 100), Some(Limits { lower: 3, upper: 5 }));
    assert_eq!(daily_limits(Market::Kospi, TODAY, 0, 100), None);
    assert_eq!(daily_limits(Market::Kospi, TODAY, 20_010, 100), None);
    assert_eq!(daily_limits(Market::Kospi, TODAY, u64::MAX - 615, 100), None);
}

#[test]
fn a_first_trading_day_goes_from_60_to_400_percent_on_ticks() {
    let limits = |offering| listing_limits(Market::Kosdaq, TODAY, offering).map(|limits| (limits.lower, limits.upper));
    assert_eq!(limits(14_000), Some((8_400, 56_000)));
    // 50,040 lies where ticks are 100.
    assert_eq!(limits(12_510), Some((7_510, 50_000)));
    assert_eq!((limits(12_515), limits(1), limits(u64::MAX - 615)), (None, None, None));
    let market = |market, on| listing_limits(market, on, 14_000);
    assert_eq!(market(Market::Kospi, date(2023, 6, 25)), None);
    assert!(market(Market::Kospi, date(2023, 6, 26)).is_some());
    for other in [Market::Konex, Market::Etf, Market::Etn, Market::Elw] {
        assert_eq!(market(other, TODAY), None, "{other:?}");
    }
}

#[test]
fn there_is_no_interruption_on_the_day_of_a_listing() {
    for kind in [ViKind::Dynamic, ViKind::Static] {
        let percent = |on, day| vi_percent(kind, ViClass::Other, Phase::Regular, on, day);
        assert_eq!(percent(TODAY, ViDay::Listing), None);
        assert!(percent(TODAY, ViDay::Ordinary).is_some() && percent(date(2021, 10, 15), ViDay::Listing).is_some());
        assert_eq!(percent(date(2021, 10, 18), ViDay::Listing), None);
    }
}

#[test]
fn interruptions_have_the_published_rates() {
    use ViClass::{Kospi200, Other};
    use ViKind::{Dynamic, Static};
    let last_of_single_price = date(2026, 9, 11);
    let percent = |kind, class, phase| vi_percent(kind, class, phase, last_of_single_price, ViDay::Ordinary);
    let published = [
        (Phase::Regular, [Some(3), Some(6), Some(10)]),
        (Phase::ClosingAuction, [Some(2), Some(4), Some(10)]),
        (Phase::SinglePrice, [Some(3), Some(6), None]),
        (Phase::OpeningAuction, [None, None, Some(10)]),
        (Phase::AfterMarket, [None, None, None]),
        (Phase::ClosingPrice, [None, None, None]),
    ];
    for (phase, rates) in published {
        let found = [percent(Dynamic, Kospi200, phase), percent(Dynamic, Other, phase), percent(Static, Other, phase)];
        assert_eq!(found, rates, "{phase:?}");
    }
    for class in [Kospi200, Other] {
        assert_eq!(vi_percent(Dynamic, class, Phase::SinglePrice, date(2026, 9, 14), ViDay::Ordinary), None);
        assert!(vi_percent(Dynamic, class, Phase::Regular, date(2026, 9, 14), ViDay::Ordinary).is_some());
    }
    assert_eq!(vi_percent(Dynamic, Other, Phase::ClosingAuction, TODAY, ViDay::Expiry), Some(1));
    assert_eq!(vi_percent(Static, Other, Phase::Regular, date(2015, 6, 14), ViDay::Ordinary), None);
}

#[test]
fn an_interruption_begins_at_the_first_price_that_is_far_enough() {
    let ticks = TickTable::of(Market::Kospi, TODAY).unwrap();
    assert_eq!(vi_band(10_000, 10, ticks), Some(ViBand { lower: 9_000, upper: 11_000 }));
    // 12,710.2 and 11,969.8.
    assert_eq!(vi_band(12_340, 3, ticks), Some(ViBand { lower: 11_960, upper: 12_720 }));
    // Across a bound of the ticks: 20,009 lies where they are 50.
    assert_eq!(vi_band(18_190, 10, ticks), Some(ViBand { lower: 16_370, upper: 20_050 }));
    assert_eq!(vi_band(1, 100, ticks), None);
}

#[test]
fn circuit_breakers_ask_for_one_percent_more_than_the_level_before() {
    let threshold = |level, before| breaker_threshold(level, TODAY, 250_000, before);
    assert_eq!(threshold(1, None), Some(230_000));
    assert_eq!(threshold(2, Some(229_000)), Some(212_500));
    // The index fell to 214,000 at once: the second level begins 1% below that.
    assert_eq!(threshold(2, Some(214_000)), Some(211_860));
    assert_eq!(threshold(3, Some(212_000)), Some(200_000));
    assert_eq!((threshold(2, None), threshold(0, None), threshold(4, Some(1))), (None, None, None));
    assert_eq!(breaker_threshold(1, date(2015, 6, 14), 250_000, None), None);
}

fn markets() -> impl Strategy<Value = Market> {
    prop::sample::select(Market::ALL.to_vec())
}

fn dates() -> impl Strategy<Value = Date> {
    // Both sides of every change of a rule.
    prop::sample::select(vec![
        date(2015, 6, 14),
        date(2015, 6, 15),
        date(2023, 1, 24),
        date(2023, 1, 25),
        date(2023, 12, 7),
        date(2023, 12, 18),
        TODAY,
    ])
}

fn prices() -> impl Strategy<Value = u64> {
    prop_oneof![
        1_u64..3_000,
        1_u64..60_000,
        1_u64..1_500_000,
        prop::sample::select(vec![
            999, 1_000, 1_999, 2_000, 4_999, 5_000, 9_999, 10_000, 19_999, 20_000, 49_999, 50_000, 99_999, 100_000,
            199_999, 200_000, 499_999, 500_000,
        ])
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn ticks_and_limits_equal_the_decimal_twin(market in markets(), on in dates(), price in prices(), multiple in 1_u32..=3) {
        let ticks = TickTable::of(market, on).unwrap();
        prop_assert_eq!(Decimal::from(ticks.size(price).unwrap()), slow_tick(market, on, price.into()));
        let base = ticks.floor(price).unwrap();
        if let Some(limits) = daily_limits(market, on, base, multiple * 100) {
            let (lower, upper) = slow_limits(market, on, base, multiple.into());
            prop_assert_eq!((Some(limits.lower), Some(limits.upper)), (lower.to_u64(), upper.to_u64()));
        }
    }

    #[test]
    fn limits_lie_on_ticks_around_the_base_and_never_beyond_the_rate(market in markets(), on in dates(), price in prices()) {
        let ticks = TickTable::of(market, on).unwrap();
        let base = ticks.floor(price).unwrap();
        if let Some(Limits { lower, upper }) = daily_limits(market, on, base, 100) {
            prop_assert!(ticks.is_on_tick(lower) && ticks.is_on_tick(upper), "{lower} {upper}");
            prop_assert!(lower < base && base <= upper);
            let percent = u64::from(limit_percent(market, on).unwrap());
            prop_assert!((upper - base) * 100 <= base * percent && (base - lower) * 100 <= base * percent);
        }
    }

    #[test]
    fn a_higher_base_never_has_lower_limits(market in markets(), on in dates(), price in prices()) {
        let ticks = TickTable::of(market, on).unwrap();
        let base = ticks.ceil(price).unwrap();
        let next = ticks.up(base).unwrap();
        if let (Some(here), Some(above)) = (daily_limits(market, on, base, 100), daily_limits(market, on, next, 100)) {
            prop_assert!(here.lower <= above.lower && here.upper <= above.upper, "{base} {here:?}, {next} {above:?}");
        }
    }

    #[test]
    fn the_ladder_of_prices_has_no_gap_and_no_turn(market in markets(), on in dates(), price in prices()) {
        let ticks = TickTable::of(market, on).unwrap();
        let (floor, ceil) = (ticks.floor(price).unwrap(), ticks.ceil(price).unwrap());
        prop_assert!(floor <= price && price <= ceil);
        prop_assert!(ticks.is_on_tick(ceil));
        let up = ticks.up(ceil).unwrap();
        prop_assert_eq!(ticks.down(up), Some(ceil));
        prop_assert_eq!(ticks.is_on_tick(price), floor == ceil);
    }

    #[test]
    fn an_interruption_s_prices_are_the_nearest_that_reach_the_rate(market in markets(), on in dates(), price in prices(), percent in 1_u32..=10) {
        let ticks = TickTable::of(market, on).unwrap();
        if let Some(band) = vi_band(price, percent, ticks) {
            let (price, percent) = (u128::from(price), u128::from(percent));
            let reaches_up = |at: u64| u128::from(at) * 100 >= price * (100 + percent);
            let reaches_down = |at: u64| u128::from(at) * 100 <= price * (100 - percent);
            prop_assert!(reaches_up(band.upper) && !ticks.down(band.upper).is_some_and(reaches_up));
            prop_assert!(reaches_down(band.lower) && !reaches_down(ticks.up(band.lower).unwrap()));
        }
    }
}
