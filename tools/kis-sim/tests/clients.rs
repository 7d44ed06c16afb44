//! What real clients of KIS demand of a venue, one point a test: spelling of headers, credentials, the shape of answers,
//! the ways to answer a keep-alive, handshakes, values that can be parsed.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Client, approval, post, records};
use kis_sim::{AppKey, OpenWhen, SimConfig, Venue, Widths};
use serde_json::{Value, json};
use tungstenite::Message;

/// A venue whose market never opens.
fn quiet() -> SimConfig {
    SimConfig { open_when: OpenWhen::Registrations { count: 100_000 }, close_wait_s: 0.3, ..SimConfig::default() }
}

fn token(venue: &Venue, key: &AppKey) -> Value {
    let body = json!({"grant_type": "client_credentials", "appkey": key.app_key, "appsecret": key.app_secret});
    let (status, answer) = post(&format!("{}/oauth2/tokenP", venue.rest_url()), &body);
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Sends a request as written and returns status line, headers as written, and the body.
fn raw(venue: &Venue, head: &str) -> (String, Vec<(String, String)>, Value) {
    let mut socket = TcpStream::connect(venue.rest_url().trim_start_matches("http://")).unwrap();
    socket.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().to_owned();
    let headers = lines.map(|line| line.split_once(": ").unwrap_or((line.trim_end_matches(':'), "")));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (status, headers, serde_json::from_str(body).unwrap())
}

#[test]
fn headers_that_clients_turn_into_identifiers_are_in_lower_case_and_the_others_are_not() {
    let venue = Venue::start(quiet()).unwrap();
    let key = &venue.config().app_keys[0];
    let bearer = token(&venue, key)["access_token"].as_str().unwrap().to_owned();
    let code = &venue.symbols()[0].code;
    let request = format!(
        "GET /uapi/domestic-stock/v1/quotations/inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code} HTTP/1.1\r\n\
         Host: x\r\nauthorization: Bearer {bearer}\r\nappkey: {}\r\nappsecret: {}\r\ntr_id: FHKST01010100",
        key.app_key, key.app_secret
    );
    let (status, headers, body) = raw(&venue, &request);
    assert!(status.contains("200"), "{status} {body}");
    let identifiers: Vec<&str> = headers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.bytes().all(|b| !b.is_ascii_uppercase()))
        .collect();
    assert_eq!(identifiers, ["tr_id", "tr_cont", "gt_uid"], "no hyphen stands in them");
    for name in ["Content-Type", "Content-Length", "Date"] {
        assert!(headers.iter().any(|(known, value)| known == name && !value.is_empty()), "{name}");
    }
    assert_eq!(["rt_cd", "msg_cd"].map(|name| body[name].as_str()), [Some("0"), Some("MCA00000")]);
    assert!(body["msg1"].is_string());
}

#[test]
fn requests_may_be_spelled_in_any_case_and_leave_out_what_does_not_matter() {
    let venue = Venue::start(quiet()).unwrap();
    let key = &venue.config().app_keys[0];
    let bearer = token(&venue, key)["access_token"].as_str().unwrap().to_owned();
    let code = &venue.symbols()[0].code;
    for (market, symbol, names) in [
        ("FID_COND_MRKT_DIV_CODE", "FID_INPUT_ISCD", ["authorization", "appkey", "appsecret", "tr_id"]),
        ("fid_cond_mrkt_div_code", "fid_input_iscd", ["Authorization", "appKey", "appSecret", "TR_ID"]),
        ("Fid_Cond_Mrkt_Div_Code", "fid_input_iscd", ["AUTHORIZATION", "AppKey", "APPSECRET", "Tr_Id"]),
    ] {
        let [authorization, app_key, secret, tr_id] = names;
        let request = format!(
            "GET /uapi/domestic-stock/v1/quotations/inquire-price?{market}=J&{symbol}={code} HTTP/1.1\r\n\
             Host: x\r\n{authorization}: Bearer {bearer}\r\n{app_key}: {}\r\n{secret}: {}\r\n{tr_id}: FHKST01010100",
            key.app_key, key.app_secret
        );
        let (status, _, body) = raw(&venue, &request);
        assert!(status.contains("200"), "{names:?}: {status} {body}");
        assert_ne!(body["output"]["stck_prpr"], "0");
    }
}

#[test]
fn a_token_says_its_end_in_seconds_and_on_the_clock_of_seoul() {
    let venue = Venue::start(SimConfig { clock_scale: 60.0, ..quiet() }).unwrap();
    let answer = token(&venue, &venue.config().app_keys[0]);
    assert_eq!(answer["token_type"], "Bearer");
    let left = answer["expires_in"].as_i64().expect("a number");
    let said =
        jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", answer["access_token_token_expired"].as_str().unwrap());
    let seoul = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).datetime();
    let told = said.unwrap().duration_since(seoul).as_secs();
    assert!((left - told).abs() <= 2, "{left} {told}");
    assert!((86_000..=86_400).contains(&left), "unscaled, so that nobody asks again at each call: {left}");
}

#[test]
fn a_token_and_an_approval_key_are_given_to_whoever_asks_where_any_app_key_is_taken() {
    let config = SimConfig { accept: kis_sim::Accept::AnyKey, ..quiet() };
    let venue = Venue::start(config).unwrap();
    let mine = AppKey { app_key: "P".repeat(36), app_secret: "s".repeat(180) };
    assert!(token(&venue, &mine)["access_token"].is_string());
    let mut client = Client::connect_with(&venue, approval(&venue, &mine));
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0000");
    assert_eq!(client.register("1", "H0XXXXX0", "005930"), "OPSP8991", "what does not exist does not exist");
}

#[test]
fn an_approval_key_for_each_message_of_a_full_session_is_within_the_burst() {
    let venue = Venue::start(quiet()).unwrap();
    let key = venue.config().app_keys[0].clone();
    let mut client = Client::connect(&venue, 0);
    for number in 0..41 {
        client.approval_key = approval(&venue, &key);
        client.subscribe("H0STCNT0", &format!("{number:06}"));
    }
    // So does one that takes all of them away again.
    for number in 0..41 {
        client.approval_key = approval(&venue, &key);
        assert_eq!(client.register("2", "H0STCNT0", &format!("{number:06}")), "OPSP0001");
    }
}

#[test]
fn the_body_of_an_order_gets_a_digest_of_its_own() {
    let venue = Venue::start(quiet()).unwrap();
    let key = &venue.config().app_keys[0];
    let hash = |app_key: &str, body: Value| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(format!("{}/uapi/hashkey", venue.rest_url()));
        let request = request.header("appKey", app_key).header("appSecret", &key.app_secret);
        let answer: Value = request.send_json(&body).unwrap().body_mut().read_json().unwrap();
        answer
    };
    let orders = ["1", "2"].map(|quantity| json!({"CANO": "00000000", "PDNO": "005930", "ORD_QTY": quantity}));
    let answers = orders.each_ref().map(|order| hash(&key.app_key, order.clone()));
    for (order, answer) in orders.iter().zip(&answers) {
        assert_eq!((&answer["BODY"], answer["HASH"].as_str().unwrap().len()), (order, 64));
    }
    assert_ne!(answers[0]["HASH"], answers[1]["HASH"]);
    assert_eq!(hash("unknown", orders[0].clone())["msg_cd"], "EGW00103");
}

#[test]
fn every_answer_has_every_field_and_a_key_never_comes_without_its_vector() {
    let venue = Venue::start(quiet()).unwrap();
    let mut client = Client::connect(&venue, 0);
    let good = client.approval_key.clone();
    let subscribe = |key: &str, tr_type: &str, tr_id: &str| {
        let header = json!({"approval_key": key, "custtype": "P", "tr_type": tr_type, "content-type": "utf-8"});
        json!({"header": header, "body": {"input": {"tr_id": tr_id, "tr_key": "005930"}}}).to_string()
    };
    let texts = [
        subscribe(&good, "1", "H0STCNT0"),
        subscribe(&good, "1", "H0STCNT0"),
        subscribe(&good, "2", "H0STCNT0"),
        subscribe(&good, "2", "H0STCNT0"),
        subscribe(&good, "0", "H0STCNT0"),
        subscribe(&good, "1", "H0XXXXX0"),
        subscribe(&good, "1", "H0STCNI0"),
        subscribe("unknown", "1", "H0STCNT0"),
        "{}".to_owned(),
        "nonsense".to_owned(),
    ];
    let mut codes = Vec::new();
    for text in texts {
        client.send(text.clone());
        let answer = client.answer();
        for name in ["tr_id", "tr_key", "encrypt"] {
            assert!(answer["header"][name].is_string(), "{text}: {answer}");
        }
        for name in ["rt_cd", "msg_cd", "msg1"] {
            assert!(answer["body"][name].is_string(), "{text}: {answer}");
        }
        let output = &answer["body"]["output"];
        assert_eq!(output["iv"].is_string(), output["key"].is_string(), "{answer}");
        assert_eq!(answer["body"]["rt_cd"] == "0", output.is_object(), "{answer}");
        codes.push(answer["body"]["msg_cd"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        codes,
        [
            "OPSP0000", "OPSP0002", "OPSP0001", "OPSP0003", "OPSP8997", "OPSP8991", "OPSP0000", "OPSP0011", "OPSP9998",
            "OPSP9999"
        ]
    );
}

#[test]
fn a_deregistration_with_the_type_of_the_published_samples_takes_nothing_away() {
    let venue = Venue::start(quiet()).unwrap();
    let mut client = Client::connect(&venue, 0);
    client.subscribe("H0STCNT0", "005930");
    assert_eq!(client.register("0", "H0STCNT0", "005930"), "OPSP8997");
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0002", "it is in force as before");
    assert_eq!(client.register("2", "H0STCNT0", "005930"), "OPSP0001");
}

#[test]
fn each_way_to_show_life_keeps_a_session_and_a_clients_own_ping_is_answered() {
    // A hundred seconds of the venue's clock are half a second.
    let ways: [fn(&str) -> Option<Message>; 4] = [
        |text| Some(Message::text(text.to_owned())),
        |text| Some(Message::text(text.replace(':', ": ").replace(',', ", "))),
        |text| Some(Message::Pong(text.as_bytes().to_vec().into())),
        |_| None,
    ];
    let config = SimConfig { app_keys: AppKey::generate(5), clock_scale: 200.0, ..quiet() };
    let venue = Venue::start(config).unwrap();
    let sessions: Vec<_> = (0..5)
        .map(|app| {
            let mut client = Client::connect(&venue, app);
            client.subscribe("H0STCNT0", "005930");
            client.ws.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            std::thread::spawn(move || {
                let (mut pongs, mut pinged) = (0, Instant::now());
                let until = Instant::now() + Duration::from_millis(1_500);
                while Instant::now() < until {
                    // The fourth says nothing to a keep-alive and pings by itself; the fifth does neither.
                    if app == 3 && pinged.elapsed() > Duration::from_millis(150) {
                        client.ws.send(Message::Ping(b"mine".to_vec().into())).unwrap();
                        pinged = Instant::now();
                    }
                    match client.ws.read() {
                        Ok(Message::Text(text)) if text.contains("PINGPONG") => {
                            if let Some(answer) = ways.get(app).and_then(|way| way(&text)) {
                                client.ws.send(answer).unwrap();
                            }
                        }
                        Ok(Message::Pong(payload)) => pongs += usize::from(&payload[..] == b"mine"),
                        Ok(_) => {}
                        Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(_) => return (false, pongs),
                    }
                }
                (true, pongs)
            })
        })
        .collect();
    let ends: Vec<(bool, usize)> = sessions.into_iter().map(|session| session.join().unwrap()).collect();
    assert_eq!(ends.iter().map(|(alive, _)| *alive).collect::<Vec<_>>(), [true, true, true, true, false]);
    assert!(ends[3].1 >= 5, "{ends:?}");
}

#[test]
fn any_path_any_origin_and_an_offer_of_compression_make_a_plain_session() {
    let venue = Venue::start(quiet()).unwrap();
    for path in ["/", "/tryitout", "/tryitout/H0STCNT0", "/anything?x=1"] {
        let mut socket = TcpStream::connect(venue.ws_url().trim_start_matches("ws://")).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: ops.koreainvestment.com:21000\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Origin: http://ops.koreainvestment.com\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut head = vec![0; 1024];
        let n = socket.read(&mut head).unwrap();
        let head = String::from_utf8_lossy(&head[..n]).into_owned();
        assert!(head.starts_with("HTTP/1.1 101") && !head.to_lowercase().contains("extensions"), "{path}: {head}");
    }
}

#[test]
fn in_trades_of_46_fields_times_signs_and_session_codes_are_valid_and_no_number_is_empty() {
    let config = SimConfig {
        symbols: 3,
        seconds: 1.5,
        rate: 3_000.0,
        widths: Widths::Sample,
        open_when: OpenWhen::Registrations { count: 6 },
        ..SimConfig::default()
    }
    .whole_day();
    let venue = Venue::start(config).unwrap();
    let mut client = Client::connect(&venue, 0);
    for symbol in venue.symbols() {
        client.subscribe("H0STCNT0", &symbol.code);
        client.subscribe("H0STASP0", &symbol.code);
    }
    let (frames, _) = client.read_to_end();
    let time = |text: &str| text.len() == 6 && jiff::civil::Time::strptime("%H%M%S", text).is_ok();
    let mut sessions = BTreeMap::new();
    for frame in &frames {
        for r in records(frame) {
            if frame.starts_with(b"0|H0STASP0") {
                assert_eq!(r.len(), 59);
                continue;
            }
            assert_eq!(r.len(), 46);
            assert!([1, 24, 27, 30].iter().all(|at| time(&r[*at])), "{r:?}");
            assert!([3, 25, 28, 31].iter().all(|at| ("0"..="5").contains(&r[*at].as_str())), "{r:?}");
            assert!(jiff::civil::Date::strptime("%Y%m%d", &r[33]).is_ok(), "{r:?}");
            assert!(r[34].starts_with(['1', '2', '3', '4']), "{r:?}");
            *sessions.entry(r[34][..1].to_owned()).or_insert(0) += 1;
            let numbers = (2..46).filter(|at| ![35, 43, 44].contains(at));
            for at in numbers {
                assert!(r[at].parse::<f64>().is_ok(), "field {at}: {r:?}");
            }
        }
    }
    assert!(sessions.len() >= 2, "{sessions:?}");
}

#[test]
fn a_product_tells_its_names_and_its_price_is_never_zero() {
    let venue = Venue::start(SimConfig { codes: vec!["005930".into(), "0074K0".into()], ..quiet() }).unwrap();
    let key = &venue.config().app_keys[0];
    let bearer = token(&venue, key)["access_token"].as_str().unwrap().to_owned();
    let get = |tr_id: &str, query: &str| {
        let request = format!(
            "GET /uapi/domestic-stock/v1/quotations/{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\
             appkey: {}\r\nappsecret: {}\r\ntr_id: {tr_id}",
            key.app_key, key.app_secret
        );
        raw(&venue, &request).2["output"].clone()
    };
    for code in ["005930", "0074K0"] {
        let product = get("CTPF1604R", &format!("search-info?PDNO={code}&PRDT_TYPE_CD=300"));
        assert_eq!(product["shtn_pdno"], code);
        for name in
            ["std_pdno", "prdt_abrv_name", "prdt_name120", "prdt_eng_abrv_name", "prdt_eng_name120", "prdt_type_cd"]
        {
            assert!(product[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {product}");
        }
        let price = get("FHKST01010100", &format!("inquire-price?fid_cond_mrkt_div_code=J&fid_input_iscd={code}"));
        assert!(price["stck_prpr"].as_str().unwrap().parse::<i64>().unwrap() > 0);
    }
}
