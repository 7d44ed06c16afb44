//! Every endpoint answers with the fields that the broker's own samples name: no fewer, no others, all of them texts.
//! `data/rest_fields.tsv` holds the names.

mod common;

use std::collections::BTreeSet;

use common::{Client, ask, token};
use kis_sim::{Limits, OpenWhen, SimConfig, Venue};
use serde_json::Value;

/// Before this date the single-price session was held: its calls have nothing to list after it.
const WITHOUT_ROWS: [&str; 1] = ["inquire-time-overtimeconclusion"];

struct Endpoint {
    path: &'static str,
    tr_id: &'static str,
    on_mock: bool,
    query: &'static str,
    outputs: BTreeSet<&'static str>,
    fields: BTreeSet<&'static str>,
}

fn endpoints() -> Vec<Endpoint> {
    let lines = include_str!("data/rest_fields.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let [path, tr_id, mock, query, outputs, fields] = columns[..] else { panic!("{line}") };
            let (on_mock, query) = (mock == "mock", if query == "-" { "" } else { query });
            let (outputs, fields) = (outputs.split(',').collect(), fields.split(' ').collect());
            Endpoint { path, tr_id, on_mock, query, outputs, fields }
        })
        .collect()
}

/// Two seconds from 10:00 at thirty times the speed, with a symbol that is driven into interruptions.
fn config() -> SimConfig {
    SimConfig {
        symbols: 3,
        seconds: 2.0,
        rate: 1_500.0,
        time_scale: 30.0,
        market_start: jiff::civil::date(2026, 11, 20).at(10, 0, 0, 0),
        open_when: OpenWhen::Registrations { count: 5 },
        limits: Limits { requests_per_second: 0, ..Limits::default() },
        close_wait_s: 0.3,
        spin: false,
        ..SimConfig::default()
    }
}

/// Rows of all outputs together.
fn rows(body: &Value) -> impl Iterator<Item = (&String, &serde_json::Map<String, Value>)> {
    let outputs = body.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("output"));
    outputs.flat_map(|(name, output)| {
        let rows: Vec<&Value> = output.as_array().map_or_else(|| vec![output], |list| list.iter().collect());
        rows.into_iter().map(move |row| (name, row.as_object().unwrap()))
    })
}

#[test]
fn each_endpoint_answers_with_the_fields_of_the_samples() {
    let venue = Venue::start(config()).unwrap();
    let mut client = Client::connect(&venue, 1);
    let symbols: Vec<String> = venue.symbols().iter().map(|symbol| symbol.code.clone()).collect();
    symbols.iter().for_each(|code| client.subscribe("H0STCNT0", code));
    client.subscribe("H0STASP0", &symbols[0]);
    client.subscribe("H0UPCNT0", "0001");
    client.read_to_end();
    let token = token(&venue);
    let mut wrong = Vec::new();
    for Endpoint { path, tr_id, query, outputs, fields, .. } in endpoints() {
        let target = format!("{path}?{}", query.replace('$', &symbols[0]));
        let (status, body) = ask(&venue, &token, tr_id, &target);
        assert_eq!((status, body["rt_cd"].as_str()), (200, Some("0")), "{path}: {body}");
        let mut found = BTreeSet::new();
        for (_, row) in rows(&body) {
            assert!(row.values().all(Value::is_string), "{path}: {row:?}");
            found.extend(row.keys().map(String::as_str));
        }
        let named: BTreeSet<&str> =
            body.as_object().unwrap().keys().map(String::as_str).filter(|name| name.starts_with("output")).collect();
        assert_eq!(named, outputs, "{path}");
        if WITHOUT_ROWS.iter().any(|name| path.ends_with(name)) {
            assert!(found.is_subset(&fields) && !found.is_empty(), "{path}");
            continue;
        }
        let missing: Vec<_> = fields.difference(&found).collect();
        let unknown: Vec<_> = found.difference(&fields).collect();
        if !missing.is_empty() || !unknown.is_empty() {
            wrong.push(format!("{path}: missing {missing:?}, unknown {unknown:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_mock_server_refuses_what_it_does_not_know_and_serves_the_rest() {
    let venue = Venue::start(SimConfig { mock: true, ..config() }).unwrap();
    let token = token(&venue);
    let symbol = venue.symbols()[0].code.clone();
    for Endpoint { path, tr_id, on_mock, query, .. } in endpoints() {
        let (status, body) = ask(&venue, &token, tr_id, &format!("{path}?{}", query.replace('$', &symbol)));
        let expected = if on_mock { (200, "MCA00000") } else { (500, "EGW00213") };
        assert_eq!((status, body["msg_cd"].as_str().unwrap()), expected, "{path}");
    }
}

#[test]
fn what_is_not_listed_gets_blank_fields_and_a_wrong_market_a_refusal() {
    let venue = Venue::start(config()).unwrap();
    let token = token(&venue);
    let quotations = "/uapi/domestic-futureoption/v1/quotations";
    let blanks = [
        (
            "FHMIF10000000",
            format!("{quotations}/inquire-price?FID_COND_MRKT_DIV_CODE=F&FID_INPUT_ISCD=101W12"),
            "output1",
        ),
        (
            "FHMIF10010000",
            format!("{quotations}/inquire-asking-price?FID_COND_MRKT_DIV_CODE=F&FID_INPUT_ISCD=A01612550"),
            "output2",
        ),
        ("HHDFS00000300", "/uapi/overseas-price/v1/quotations/price?AUTH=&EXCD=NAS&SYMB=NONE".into(), "output"),
        (
            "FHPUP02100000",
            "/uapi/domestic-stock/v1/quotations/inquire-index-price?FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=9999"
                .into(),
            "output",
        ),
    ];
    for (tr_id, target, output) in blanks {
        let (status, body) = ask(&venue, &token, tr_id, &target);
        assert_eq!((status, body["rt_cd"].as_str()), (200, Some("0")), "{target}");
        let row = body[output].as_object().unwrap();
        assert!(row.len() > 10 && row.values().all(|value| value == ""), "{target}: {row:?}");
    }
    let target = format!("{quotations}/inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=A01612");
    assert_eq!(ask(&venue, &token, "FHMIF10000000", &target).1["msg_cd"], "OPSQ2001");
    let code = &venue.symbols()[0].code;
    let stocks = "/uapi/domestic-stock/v1/quotations";
    for (tr_id, call) in [
        ("FHKST01010100", format!("inquire-price?FID_COND_MRKT_DIV_CODE=X&FID_INPUT_ISCD={code}")),
        ("FHKST11300006", format!("intstock-multprice?FID_COND_MRKT_DIV_CODE_1=X&FID_INPUT_ISCD_1={code}")),
        ("FHPST01710000", "volume-rank?FID_COND_MRKT_DIV_CODE=X&FID_INPUT_ISCD=0000".into()),
    ] {
        assert_eq!(ask(&venue, &token, tr_id, &format!("{stocks}/{call}")).1["msg_cd"], "OPSQ2001", "{call}");
    }
    // A code that nobody trades has a row of the same fields.
    let call = format!(
        "FID_COND_MRKT_DIV_CODE_1=J&FID_INPUT_ISCD_1={code}&FID_COND_MRKT_DIV_CODE_2=J&FID_INPUT_ISCD_2=999999"
    );
    let polled = ask(&venue, &token, "FHKST11300006", &format!("{stocks}/intstock-multprice?{call}")).1;
    let fields = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(fields(&polled["output"][0]), fields(&polled["output"][1]));
    assert_eq!((&polled["output"][1]["inter2_prpr"], &polled["output"][1]["acml_vol"]), (&"0".into(), &"0".into()));
}

/// A run from an afternoon that had the single-price session, so many hours long, of a symbol on NXT and one that isn't;
/// and the rounds of the latter as they were sent, newest first.
fn afternoon(hours: f64) -> (Venue, Vec<Vec<String>>) {
    let venue = Venue::start(SimConfig {
        symbols: 2,
        krx_only_symbols: 1,
        wild_symbols: 0,
        rate: 500.0,
        time_scale: hours * 3_600.0 / 2.0,
        market_start: jiff::civil::date(2026, 9, 10).at(15, 50, 0, 0),
        open_when: OpenWhen::Registrations { count: 2 },
        ..config()
    })
    .unwrap();
    let mut client = Client::connect(&venue, 1);
    ["H0STOUP0", "H0STOAC0"].iter().for_each(|tr_id| client.subscribe(tr_id, &venue.symbols()[1].code));
    let (frames, _) = client.read_to_end();
    let sent = frames.iter().filter(|frame| common::tr_id(frame) == "H0STOUP0");
    let mut sent: Vec<Vec<String>> = sent.flat_map(|frame| common::records(frame)).collect();
    sent.reverse();
    (venue, sent)
}

#[test]
fn rounds_of_single_price_are_told_as_they_were_sent() {
    let (venue, sent) = afternoon(70.0 / 60.0);
    assert!(sent.len() >= 4, "{} rounds", sent.len());
    let [on_both, on_krx] = [0, 1].map(|index| &venue.symbols()[index]);
    let token = token(&venue);
    let answer = |name: &str, code: &str| {
        let endpoint = endpoints().into_iter().find(|endpoint| endpoint.path.ends_with(name)).unwrap();
        let target = format!("{}?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}", endpoint.path);
        let (status, body) = ask(&venue, &token, endpoint.tr_id, &target);
        assert_eq!(status, 200, "{body}");
        (endpoint, body)
    };

    let (endpoint, body) = answer("inquire-time-overtimeconclusion", &on_krx.code);
    let fields: BTreeSet<&str> = rows(&body).flat_map(|(_, row)| row.keys().map(String::as_str)).collect();
    assert_eq!(fields, endpoint.fields);
    let told: Vec<Vec<&str>> = body["output2"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            ["stck_cntg_hour", "stck_prpr", "cntg_vol", "acml_vol"].map(|name| row[name].as_str().unwrap()).into()
        })
        .collect();
    let sent_of = |record: &Vec<String>| [1, 2, 12, 13].map(|field| record[field].clone()).to_vec();
    assert_eq!(told, sent.iter().map(sent_of).collect::<Vec<_>>());

    let (_, body) = answer("inquire-overtime-price", &on_krx.code);
    let shares: i64 = sent.iter().map(|record| record[12].parse::<i64>().unwrap()).sum();
    assert_eq!(
        (&body["output"]["ovtm_untp_prpr"], &body["output"]["ovtm_untp_vol"]),
        (&sent[0][2].as_str().into(), &shares.to_string().into())
    );
    let (_, body) = answer("/domestic-stock/v1/quotations/inquire-price", &on_krx.code);
    assert_eq!(body["output"]["acml_vol"], sent[0][13].as_str(), "the day's shares are those that were sent");

    let (_, body) = answer("inquire-time-overtimeconclusion", &on_both.code);
    assert_eq!((&body["output1"]["ovtm_untp_vol"], body["output2"].as_array().unwrap().len()), (&"0".into(), 0));
}

#[test]
fn the_list_of_days_has_the_rounds_of_a_day_that_was_played() {
    let (venue, sent) = afternoon(17.0);
    assert_eq!(sent.len(), 12);
    let code = &venue.symbols()[1].code;
    let target = format!(
        "/uapi/domestic-stock/v1/quotations/inquire-daily-overtimeprice?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}"
    );
    let body = ask(&venue, &token(&venue), "FHPST02320000", &target).1;
    let day = ["stck_bsop_date", "ovtm_untp_prpr", "ovtm_untp_vol"].map(|name| body["output2"][0][name].clone());
    let shares: i64 = sent.iter().map(|record| record[12].parse::<i64>().unwrap()).sum();
    assert_eq!(day, ["20260910", &sent[0][2], &shares.to_string()]);
    assert_eq!(body["output1"]["ovtm_untp_vol"], "0", "the day that has come has had no round");
}
