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
