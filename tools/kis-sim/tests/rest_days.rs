//! Days of REST: hours of special ones, and weeks, months and years that add up to their days.

mod common;

use common::{ask, token};
use jiff::civil::{Date, date};
use kis_sim::{Limits, OpenWhen, SimConfig, Venue};
use serde_json::Value;

const QUOTATIONS: &str = "/uapi/domestic-stock/v1/quotations";

fn venue(day: Date) -> Venue {
    let config = SimConfig {
        symbols: 2,
        market_start: day.at(8, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 100_000 },
        limits: Limits { requests_per_second: 0, ..Limits::default() },
        close_wait_s: 0.3,
        ..SimConfig::default()
    };
    Venue::start(config).unwrap()
}

fn list(body: &Value, output: &str) -> Vec<Value> {
    body[output].as_array().unwrap_or_else(|| panic!("{body}")).clone()
}

fn texts(rows: &[Value], names: [&str; 2]) -> Vec<[String; 2]> {
    rows.iter().map(|row| names.map(|name| row[name].as_str().unwrap().to_owned())).collect()
}

#[test]
fn the_market_keeps_the_hours_of_its_day() {
    for (day, hours) in [
        (date(2026, 11, 20), ["084500", "154500"]),
        (date(2027, 1, 4), ["094500", "154500"]),
        (date(2026, 11, 19), ["094500", "164500"]),
    ] {
        let venue = venue(day);
        let body = ask(&venue, &token(&venue), "HHMCM000002C0", &format!("{QUOTATIONS}/market-time")).1;
        assert_eq!(texts(&[body["output1"].clone()], ["s_time", "e_time"]), [hours], "{day}");
    }
}

#[test]
fn bars_of_past_days_lie_in_their_hours() {
    // The day before is that of the college entrance exam.
    let venue = venue(date(2026, 11, 20));
    let token = token(&venue);
    let code = &venue.symbols()[0].code;
    let minutes = |day: &str, hour: &str| {
        let target = format!(
            "{QUOTATIONS}/inquire-time-dailychartprice?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}\
             &FID_INPUT_DATE_1={day}&FID_INPUT_HOUR_1={hour}&FID_PW_DATA_INCU_YN=N&FID_FAKE_TICK_INCU_YN=Y"
        );
        let rows = list(&ask(&venue, &token, "FHKST03010230", &target).1, "output2");
        texts(&rows, ["stck_bsop_date", "stck_cntg_hour"]).into_iter().map(|[_, hour]| hour).collect::<Vec<_>>()
    };
    for (day, opens, closes) in
        [("20261119", "100000", "163000"), ("20261118", "090000", "153000"), ("20260102", "100000", "153000")]
    {
        assert_eq!(minutes(day, "200000").first().map(String::as_str), Some(closes), "{day}");
        assert_eq!(minutes(day, "103000").last().map(String::as_str), Some(opens), "{day}");
    }
    let target = format!(
        "{QUOTATIONS}/inquire-time-indexchartprice?FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=0001&FID_INPUT_HOUR_1=3600\
         &FID_PW_DATA_INCU_YN=Y&FID_ETC_CLS_CODE=0"
    );
    let bars = list(&ask(&venue, &token, "FHKUP03500200", &target).1, "output2");
    let bars = texts(&bars, ["stck_bsop_date", "stck_cntg_hour"]);
    let of_day =
        |day: &str| bars.iter().filter(|[date, _]| date == day).map(|[_, hour]| &hour[..2]).collect::<Vec<_>>();
    assert_eq!(of_day("20261119"), ["16", "15", "14", "13", "12", "11", "10"]);
    assert_eq!(of_day("20261118"), ["15", "14", "13", "12", "11", "10", "09"]);
}

/// A row as it is compared: date, then open, high, low, close and sums in the last decimal.
type Bar = (Date, [i64; 4], Vec<i64>);

fn bars(rows: &[Value], prices: [&str; 4], sums: &[&str]) -> Vec<Bar> {
    let number = |row: &Value, name: &str| row[name].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    rows.iter()
        .map(|row| {
            let date = Date::strptime("%Y%m%d", row["stck_bsop_date"].as_str().unwrap()).unwrap();
            (date, prices.map(|name| number(row, name)), sums.iter().map(|name| number(row, name)).collect())
        })
        .collect()
}

/// The slow twin: each period by itself out of all days.
fn joined(days: &[Bar], period: &str) -> Vec<Bar> {
    let of = |date: Date| match period {
        "D" => (date.year(), i16::from(date.month()) * 100 + i16::from(date.day())),
        "W" => (date.iso_week_date().year(), i16::from(date.iso_week_date().week())),
        "M" => (date.year(), i16::from(date.month())),
        _ => (date.year(), 0),
    };
    let mut periods: Vec<_> = days.iter().map(|day| of(day.0)).collect();
    periods.dedup();
    let one = |period| {
        let days: Vec<&Bar> = days.iter().filter(|day| of(day.0) == period).collect();
        let (newest, oldest) = (days[0], days[days.len() - 1]);
        let high = days.iter().map(|day| day.1[1]).max().unwrap();
        let low = days.iter().map(|day| day.1[2]).min().unwrap();
        let sums = (0..newest.2.len()).map(|sum| days.iter().map(|day| day.2[sum]).sum()).collect();
        (newest.0, [oldest.1[0], high, low, newest.1[3]], sums)
    };
    periods.into_iter().map(one).collect()
}

#[test]
fn weeks_months_and_years_are_made_of_their_days() {
    let venue = venue(date(2026, 11, 20));
    let token = token(&venue);
    let code = &venue.symbols()[0].code;
    let prices = ["stck_oprc", "stck_hgpr", "stck_lwpr", "stck_clpr"];
    let chart = |from: Date, to: Date, period: &str| {
        let target = format!(
            "{QUOTATIONS}/inquire-daily-itemchartprice?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}\
             &FID_INPUT_DATE_1={}&FID_INPUT_DATE_2={}&FID_PERIOD_DIV_CODE={period}&FID_ORG_ADJ_PRC=0",
            from.strftime("%Y%m%d"),
            to.strftime("%Y%m%d"),
        );
        bars(&list(&ask(&venue, &token, "FHKST03010100", &target).1, "output2"), prices, &["acml_vol"])
    };
    let index = |from: Date, to: Date, period: &str| {
        let target = format!(
            "{QUOTATIONS}/inquire-daily-indexchartprice?FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=2001\
             &FID_INPUT_DATE_1={}&FID_INPUT_DATE_2={}&FID_PERIOD_DIV_CODE={period}",
            from.strftime("%Y%m%d"),
            to.strftime("%Y%m%d"),
        );
        let prices = ["bstp_nmix_oprc", "bstp_nmix_hgpr", "bstp_nmix_lwpr", "bstp_nmix_prpr"];
        let rows = list(&ask(&venue, &token, "FHKUP03500100", &target).1, "output2");
        bars(&rows, prices, &["acml_vol", "acml_tr_pbmn"])
    };
    // A page of days holds a month.
    let days = |chart: &dyn Fn(Date, Date, &str) -> Vec<Bar>, first: Date, last: Date| {
        let mut days = Vec::new();
        let mut month = last.first_of_month();
        while month.last_of_month() >= first {
            days.extend(chart(month.max(first), month.last_of_month().min(last), "D"));
            month = month.yesterday().unwrap().first_of_month();
        }
        days
    };
    let (first, last) = (date(2023, 3, 15), date(2026, 11, 18));
    let of_stock = days(&chart, first, last);
    assert!(of_stock.len() > 800);
    assert_eq!((chart(first, last, "M"), chart(first, last, "Y")), (joined(&of_stock, "M"), joined(&of_stock, "Y")));
    assert_eq!(chart(first, last, "W"), joined(&of_stock, "W")[..100]);

    let first = date(2025, 12, 10);
    let of_index = days(&index, first, last);
    for period in ["W", "M", "Y"] {
        assert_eq!(index(first, last, period), joined(&of_index, period), "{period}");
    }

    let of_stock = days(&chart, date(2023, 1, 1), date(2026, 11, 19));
    let newest = |period: &str| {
        let target = format!(
            "{QUOTATIONS}/inquire-daily-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}\
             &FID_PERIOD_DIV_CODE={period}&FID_ORG_ADJ_PRC=1"
        );
        ask(&venue, &token, "FHKST01010400", &target).1
    };
    for period in ["D", "W", "M"] {
        let rows = list(&newest(period), "output");
        let periods = joined(&of_stock, period);
        assert_eq!(bars(&rows, prices, &["acml_vol"]), periods[..30], "{period}");
        let changes = rows.iter().map(|row| row["prdy_vrss"].as_str().unwrap().parse::<i64>().unwrap());
        let expected = periods.windows(2).take(30).map(|pair| pair[0].1[3] - pair[1].1[3]);
        assert_eq!(changes.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{period}");
    }
    assert_eq!(newest("Y")["msg_cd"], "OPSQ2001", "years are not among its periods");
}
