//! REST of the venue: pages, limits, faults by script, counts.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::{ask_page, token_of};
use kis_sim::{AppKey, Limits, OpenWhen, RestFault, RestFaultSpec, SimConfig, Venue};
use serde_json::Value;

fn quiet() -> SimConfig {
    SimConfig { open_when: OpenWhen::Registrations { count: 100_000 }, close_wait_s: 0.3, ..SimConfig::default() }
}

/// Status, header `tr_cont` and body of a quotation, of domestic stocks where no folder is named.
fn ask(venue: &Venue, key: &AppKey, token: &str, tr_id: &str, target: &str, tr_cont: &str) -> (u16, String, Value) {
    let folder = if target.starts_with('/') { "" } else { "/uapi/domestic-stock/v1/quotations/" };
    ask_page(venue, key, token, tr_id, &format!("{folder}{target}"), tr_cont)
}

#[test]
fn days_come_25_a_page_and_the_last_page_says_so() {
    let venue = Venue::start(quiet()).unwrap();
    let key = &venue.config().app_keys[0];
    let token = token_of(&venue, key);
    let page = |mark: &str, tr_cont: &str| {
        let target = format!("chk-holiday?BASS_DT=20261201&CTX_AREA_NK={mark}&CTX_AREA_FK=");
        ask(&venue, key, &token, "CTCA0903R", &target, tr_cont)
    };
    let (_, more, first) = page("", "");
    assert_eq!((more.as_str(), first["output"].as_array().unwrap().len()), ("M", 25));
    let christmas = &first["output"][24];
    assert_eq!((christmas["bass_dt"].as_str(), christmas["opnd_yn"].as_str()), (Some("20261225"), Some("N")));
    let (_, more, last) = page(first["ctx_area_nk"].as_str().unwrap().trim(), "N");
    assert_eq!((more.as_str(), last["output"].as_array().unwrap().len()), ("E", 6));
}

#[test]
fn the_mark_of_a_page_may_come_back_as_it_is_and_encoded() {
    let venue = Venue::start(quiet()).unwrap();
    let key = &venue.config().app_keys[0];
    let token = token_of(&venue, key);
    let abroad = "/uapi/overseas-stock/v1/quotations/countries-holiday?TRAD_DT=20261120";
    for (tr_id, target, rows) in [
        ("CTCA0903R", "chk-holiday?BASS_DT=20261201", [("M", 25), ("E", 6)]),
        ("CTOS5011R", abroad, [("M", 5), ("E", 4)]),
    ] {
        for blank in ["+", "%20"] {
            let mut mark = String::new();
            for ((more, count), tr_cont) in rows.into_iter().zip(["", "N"]) {
                let target = format!("{target}&CTX_AREA_FK=&CTX_AREA_NK={}", mark.replace(' ', blank));
                let (_, told, page) = ask(&venue, key, &token, tr_id, &target, tr_cont);
                assert_eq!((told.as_str(), page["output"].as_array().unwrap().len()), (more, count), "{tr_id} {mark}");
                mark = page["ctx_area_nk"].as_str().unwrap().to_owned();
                assert_eq!(mark.len(), 20);
            }
        }
    }
}

#[test]
fn a_note_has_an_isin_of_twelve_characters() {
    let venue = Venue::start(SimConfig { codes: vec!["Q530031".into()], ..quiet() }).unwrap();
    let key = &venue.config().app_keys[0];
    let token = token_of(&venue, key);
    let target = "search-stock-info?PDNO=Q530031&PRDT_TYPE_CD=300";
    assert_eq!(ask(&venue, key, &token, "CTPF1002R", target, "").2["output"]["std_pdno"], "KRG530031003");
    let url = format!("{}/common/master/kospi_code.mst.zip", venue.rest_url());
    assert_eq!(ureq::get(url).call().unwrap().status(), 200);
}

#[test]
fn a_token_belongs_to_its_app_key() {
    let venue = Venue::start(quiet()).unwrap();
    let keys = &venue.config().app_keys;
    let token = token_of(&venue, &keys[0]);
    let target = format!("inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={}", venue.symbols()[0].code);
    assert_eq!(ask(&venue, &keys[0], &token, "FHKST01010100", &target, "").0, 200);
    let (status, _, body) = ask(&venue, &keys[1], &token, "FHKST01010100", &target, "");
    assert_eq!((status, body["msg_cd"].as_str()), (500, Some("EGW00121")));
    assert_eq!(ask(&venue, &keys[0], &token, "FHKST99999999", &target, "").2["msg_cd"], "EGW00202");
}

#[test]
fn scripted_refusals_and_limits_are_counted() {
    let limits = Limits { requests_per_second: 3, ..Limits::default() };
    let refuse = RestFault::Refuse { status: 500, code: "EGW00300".into(), text: "routing".into() };
    let script = vec![RestFaultSpec { path: "inquire-price".into(), from: 2, times: 1, fault: refuse }];
    let venue = Venue::start(SimConfig { limits, rest_faults: script, ..quiet() }).unwrap();
    let key = &venue.config().app_keys[0];
    let token = token_of(&venue, key);
    let target = format!("inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={}", venue.symbols()[0].code);
    let codes: Vec<String> = (0..5)
        .map(|_| ask(&venue, key, &token, "FHKST01010100", &target, "").2["msg_cd"].as_str().unwrap().to_owned())
        .collect();
    // What a script refuses doesn't reach the count of the limit.
    assert_eq!(codes, ["MCA00000", "EGW00300", "MCA00000", "MCA00000", "EGW00201"]);
    let counts = venue.rest_counts();
    assert_eq!((counts.requests_of("inquire-price"), counts.requests_of("tokenP")), (5, 1));
    assert_eq!((counts.refusals_of("EGW00201"), counts.refusals_of("EGW00300")), (1, 1));
    assert_eq!(counts.by_app.get(&key.app_key[32..]), Some(&5));
}

#[test]
fn master_files_are_archives_that_want_no_key() {
    let venue = Venue::start(quiet()).unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |name: &str| agent.get(format!("{}/common/master/{name}", venue.rest_url())).call().unwrap();
    let plain = |name: &str| {
        let bytes = get(name).body_mut().read_to_vec().unwrap();
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut archive.by_index(0).unwrap(), &mut bytes).unwrap();
        bytes
    };
    let symbol = venue.symbols().iter().find(|symbol| symbol.market == "KOSPI").unwrap();
    let kospi = plain("kospi_code.mst.zip");
    let row = kospi.chunks(289).find(|row| row.starts_with(symbol.code.as_bytes())).unwrap();
    assert_eq!((row.len(), row[288], &row[102..111]), (289, b'\n', format!("{:09}", symbol.base_px).as_bytes()));
    // A Hangul syllable is two bytes, and the field is 40 of them.
    assert_eq!(encoding_rs::EUC_KR.decode(&row[21..61]).0.trim(), symbol.name);
    let nasdaq = plain("nasmst.cod.zip");
    let columns = |row: &[u8]| row.split(|byte| *byte == b'\t').count();
    assert!(nasdaq.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()).all(|row| columns(row) == 24));
    assert_eq!(get("nothing.mst.zip").status(), 404);
    assert_eq!(venue.rest_counts().requests_of("kospi_code.mst.zip"), 1);
}

#[test]
fn no_request_however_broken_takes_a_place_for_good() {
    let venue = Venue::start(quiet()).unwrap();
    let address = venue.rest_url().trim_start_matches("http://").to_owned();
    let huge: &[u8] =
        b"POST /oauth2/Approval HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nFFFFFFFFFFFFFFFF\r\n";
    // More than the connections there may be at a time.
    for _ in 0..70 {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(huge).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:?}");
    }
    token_of(&venue, &venue.config().app_keys[0]);
}

#[test]
fn in_a_run_over_several_days_rest_tells_of_the_day_that_has_come() {
    // Tuesday 15:00 to Wednesday 10:00.
    let config = SimConfig {
        symbols: 2,
        wild_symbols: 0,
        market_start: jiff::civil::date(2026, 11, 17).at(15, 0, 0, 0),
        seconds: 4.0,
        time_scale: 19.0 * 3600.0 / 4.0,
        rate: 1_000.0,
        open_when: OpenWhen::Registrations { count: 2 },
        limits: Limits { requests_per_second: 0, ..Limits::default() },
        ..SimConfig::default()
    };
    let venue = Venue::start(config).unwrap();
    let key = &venue.config().app_keys[0];
    let token = token_of(&venue, key);
    let code = venue.symbols()[0].code.clone();
    let daily = format!("inquire-daily-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}&FID_PERIOD_DIV_CODE=D");
    let days = || ask(&venue, key, &token, "FHKST01010400", &daily, "").2["output"].as_array().unwrap().clone();
    let price = || {
        let target = format!("inquire-price?FID_COND_MRKT_DIV_CODE=UN&FID_INPUT_ISCD={code}");
        ask(&venue, key, &token, "FHKST01010100", &target, "").2["output"].clone()
    };
    let index = || {
        let target = "inquire-index-price?FID_COND_MRKT_DIV_CODE=U&FID_INPUT_ISCD=0001";
        ask(&venue, key, &token, "FHPUP02100000", target, "").2["output"].clone()
    };
    let (days_before, index_before) = (days(), index());
    assert_eq!(days_before[0]["stck_bsop_date"], "20261116");
    assert_eq!(price()["stck_sdpr"], venue.symbols()[0].base_px.to_string());
    let mut client = common::Client::connect(&venue, 1);
    client.subscribe("H0UNCNT0", &code);
    client.subscribe("H0UPCNT0", "0001");
    let (frames, _) = client.read_to_end();
    let trades: Vec<Vec<String>> = frames
        .iter()
        .filter(|frame| frame.starts_with(b"0|H0UNCNT0"))
        .flat_map(|frame| common::records(frame))
        .collect();
    let newest = trades.last().unwrap();
    assert_eq!(newest[33], "20261118");
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();

    let today = price();
    let base = number(&today["stck_prpr"]) - number(&today["prdy_vrss"]);
    let traded = |trade: &Vec<String>, field: usize| trade[field].parse::<i64>().unwrap();
    assert_eq!(number(&today["stck_prpr"]), traded(newest, 2));
    assert_eq!((base, number(&today["stck_sdpr"])), (traded(newest, 2) - traded(newest, 4), base));
    let after = days();
    assert_eq!((&after[0]["stck_bsop_date"], number(&after[0]["stck_clpr"])), (&"20261117".into(), base));
    let tuesday = trades.iter().rfind(|trade| trade[33] == "20261117").unwrap();
    assert_eq!(number(&after[0]["acml_vol"]), traded(tuesday, 13), "as many shares as were sent");
    assert_eq!(after[1], days_before[0], "what lies before the run stays as it was");
    let at = |row: &Value| row["bstp_nmix_prpr"].as_str().unwrap().parse::<f64>().unwrap();
    let change = |row: &Value| row["bstp_nmix_prdy_vrss"].as_str().unwrap().parse::<f64>().unwrap();
    let (close_before, close) = (at(&index_before) - change(&index_before), at(&index()) - change(&index()));
    assert!((close - close_before).abs() > 0.005, "{close_before} {close}");
    let hours = ask(&venue, key, &token, "HHMCM000002C0", "market-time", "").2["output1"].clone();
    assert_eq!(hours["today"], "20261118");
}
