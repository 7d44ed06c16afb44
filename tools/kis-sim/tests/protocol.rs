//! Registrations, acks, sessions and keep-alive, as the broker's rules have them.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Client, approval, post};
use kis_sim::{AppKey, Limits, OpenWhen, SimConfig, Venue};
use serde_json::json;
use tungstenite::Message;

/// A venue whose market never opens.
fn quiet() -> SimConfig {
    SimConfig { open_when: OpenWhen::Registrations { count: 100_000 }, close_wait_s: 0.3, ..SimConfig::default() }
}

#[test]
fn registrations_are_acked_repeated_removed_and_limited() {
    let venue = Venue::start(quiet()).unwrap();
    let mut client = Client::connect(&venue, 0);
    client.request("1", "H0STCNT0", "005930");
    let ack = client.answer();
    assert_eq!(ack["header"], json!({"tr_id": "H0STCNT0", "tr_key": "005930", "encrypt": "N"}));
    assert_eq!(ack["body"]["msg1"], "SUBSCRIBE SUCCESS");
    let (iv, key) = (ack["body"]["output"]["iv"].as_str().unwrap(), ack["body"]["output"]["key"].as_str().unwrap());
    assert!(iv.len() == 16 && iv.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(key.len() == 32 && key.bytes().all(|b| b.is_ascii_lowercase()));
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0002");
    assert_eq!(client.register("2", "H0STCNT0", "000660"), "OPSP0003");
    for i in 1..41 {
        client.subscribe("H0STASP0", &format!("{i:06}"));
    }
    assert_eq!(client.register("1", "H0STASP0", "000041"), "OPSP0008");
    assert_eq!(client.register("2", "H0STASP0", "000001"), "OPSP0001");
    client.subscribe("H0STCNI0", "myhtsid");
    assert_eq!(venue.ledger().registrations, 41);
}

#[test]
fn an_app_key_has_one_session_and_is_free_after_a_close() {
    let venue = Venue::start(quiet()).unwrap();
    let mut first = Client::connect(&venue, 0);
    first.subscribe("H0STCNT0", "005930");
    let mut second = Client::connect(&venue, 0);
    second.request("1", "H0STCNT0", "005930");
    let refusal = second.answer();
    assert_eq!((refusal["body"]["msg_cd"].as_str(), refusal["body"]["rt_cd"].as_str()), (Some("OPSP8996"), Some("9")));
    assert_eq!(refusal["header"]["tr_id"], "(null)");
    first.ws.close(None).unwrap();
    while first.ws.read().is_ok() {}
    let until = Instant::now() + Duration::from_secs(2);
    while second.register("1", "H0STCNT0", "005930") != "OPSP0000" {
        assert!(Instant::now() < until, "the slot stays taken");
    }
}

#[test]
fn a_slot_lingers_after_a_connection_that_died() {
    let venue = Venue::start(SimConfig { slot_linger_s: 0.3, ..quiet() }).unwrap();
    let mut first = Client::connect(&venue, 0);
    first.subscribe("H0STCNT0", "005930");
    drop(first);
    std::thread::sleep(Duration::from_millis(50));
    let mut second = Client::connect(&venue, 0);
    assert_eq!(second.register("1", "H0STCNT0", "005930"), "OPSP8996");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(second.register("1", "H0STCNT0", "005930"), "OPSP0000");
}

#[test]
fn an_unknown_or_expired_approval_key_is_echoed() {
    let venue = Venue::start(quiet()).unwrap();
    let mut stranger = Client::connect_with(&venue, "00000000-0000-0000-0000-000000000000".into());
    stranger.request("1", "H0STCNT0", "005930");
    let body = &stranger.answer()["body"];
    assert_eq!(body["msg_cd"], "OPSP0011");
    assert_eq!(body["msg1"], "invalid approval : 00000000-0000-0000-0000-000000000000");
    let mut client = Client::connect(&venue, 0);
    venue.expire_approval_keys();
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0011");
    client.approval_key = approval(&venue, &venue.config().app_keys[1]);
    assert_eq!(client.register("1", "H0STCNT0", "005930"), "OPSP0000");
    client.approval_key = approval(&venue, &venue.config().app_keys[0]);
    assert_eq!(client.register("1", "H0STCNT0", "000660"), "OPSP9994");
}

#[test]
fn malformed_messages_get_their_codes_and_the_session_goes_on() {
    let venue = Venue::start(SimConfig { mock: true, ..quiet() }).unwrap();
    let mut client = Client::connect(&venue, 0);
    client.send("{".into());
    let refusal = client.answer();
    assert_eq!(refusal["body"]["msg_cd"], "OPSP9999");
    assert_eq!(refusal["header"]["encrypt"], "N");
    client.send(json!({"body": {}}).to_string());
    assert_eq!(client.answer()["body"]["msg_cd"], "OPSP9998");
    assert_eq!(client.register("1", "H0UNCNT0", "005930"), "OPSP8991");
    client.subscribe("H0STCNT0", "005930");
}

#[test]
fn silence_after_pingpong_is_cut_and_any_answer_keeps_the_session() {
    let config = SimConfig { ping_interval_s: 10.0, silence_cut_s: 100.0, clock_scale: 200.0, ..quiet() };
    let venue = Venue::start(config).unwrap();
    let mut silent = Client::connect(&venue, 0);
    silent.subscribe("H0STCNT0", "005930");
    let mut polite = Client::connect(&venue, 1);
    polite.subscribe("H0STCNT0", "005930");
    let answering = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_millis(1_500);
        let mut answers = 0;
        while Instant::now() < until {
            match polite.ws.read() {
                Ok(Message::Text(text)) if text.contains("PINGPONG") => {
                    assert_eq!(text.len(), 59, "{text}");
                    answers += 1;
                    // The three ways clients are known to answer.
                    let reply = match answers % 3 {
                        0 => Message::text(text.to_string()),
                        1 => Message::Pong(text.as_bytes().to_vec().into()),
                        _ => Message::text(text.replace(':', ": ")),
                    };
                    polite.ws.send(reply).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        answers
    });
    // 100 s of the venue's clock are half a second here.
    let start = Instant::now();
    let end = loop {
        match silent.ws.read() {
            Ok(Message::Text(_)) => {}
            other => break other,
        }
    };
    assert!(end.is_err(), "{end:?}");
    let after = start.elapsed();
    assert!((Duration::from_millis(450)..Duration::from_millis(1_000)).contains(&after), "{after:?}");
    assert!(answering.join().unwrap() > 10);
}

#[test]
fn clients_must_mask_and_offers_of_compression_are_declined() {
    let venue = Venue::start(quiet()).unwrap();
    let mut socket = TcpStream::connect(venue.ws_url().trim_start_matches("ws://")).unwrap();
    socket
        .write_all(
            b"GET /any/path HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\nCONNECTION: keep-alive, Upgrade\r\n\
              Origin: http://x\r\nSec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut head = vec![0; 1024];
    let n = socket.read(&mut head).unwrap();
    let head = String::from_utf8_lossy(&head[..n]).into_owned();
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(!head.to_lowercase().contains("extensions"));
    // A text frame without a mask.
    socket.write_all(&[0x81, 2, b'h', b'i']).unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    assert_eq!(&rest[..4], &[0x88, rest.len() as u8 - 2, 0x03, 0xEA]);
    let mut plain = TcpStream::connect(venue.ws_url().trim_start_matches("ws://")).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn tokens_follow_their_limits_and_errors_have_their_bodies() {
    let venue = Venue::start(SimConfig { app_keys: AppKey::generate(1), ..quiet() }).unwrap();
    let key = venue.config().app_keys[0].clone();
    let url = |path: &str| format!("{}{path}", venue.rest_url());
    let body = json!({"grant_type": "client_credentials", "appkey": key.app_key, "appsecret": key.app_secret});
    let (status, token) = post(&url("/oauth2/tokenP"), &body);
    assert_eq!((status, token["token_type"].as_str()), (200, Some("Bearer")));
    assert_eq!(token["expires_in"], 86_399.max(token["expires_in"].as_i64().unwrap()));
    assert_eq!(token["access_token_token_expired"].as_str().unwrap().len(), 19);
    let (status, again) = post(&url("/oauth2/tokenP"), &body);
    assert_eq!((status, again["error_code"].as_str()), (403, Some("EGW00133")));
    assert!(again["error_description"].is_string());
    let wrong = json!({"grant_type": "client_credentials", "appkey": "x", "appsecret": key.app_secret});
    assert_eq!(post(&url("/oauth2/tokenP"), &wrong).1["error_code"], "EGW00103");

    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let code = venue.symbols()[0].code.clone();
    let get = |bearer: &str, tr_id: &str, path: &str| {
        let mut answer = agent
            .get(url(path))
            .header("Authorization", format!("Bearer {bearer}"))
            .header("appKey", &key.app_key)
            .header("appSecret", &key.app_secret)
            .header("tr_id", tr_id)
            .call()
            .unwrap();
        let value: serde_json::Value = answer.body_mut().read_json().unwrap();
        (answer.status().as_u16(), value)
    };
    let bearer = token["access_token"].as_str().unwrap();
    let price =
        format!("/uapi/domestic-stock/v1/quotations/inquire-price?fid_cond_mrkt_div_code=J&fid_input_iscd={code}");
    let (status, quote) = get(bearer, "FHKST01010100", &price);
    assert_eq!((status, quote["rt_cd"].as_str()), (200, Some("0")));
    assert_eq!(quote["output"]["stck_prpr"], venue.symbols()[0].base_px.to_string());
    let info = format!("/uapi/domestic-stock/v1/quotations/search-info?PDNO={code}&PRDT_TYPE_CD=300");
    assert_eq!(get(bearer, "CTPF1604R", &info).1["output"]["shtn_pdno"], code);
    assert_eq!(get("nonsense", "FHKST01010100", &price).1["msg_cd"], "EGW00121");
    venue.expire_tokens();
    let (status, expired) = get(bearer, "FHKST01010100", &price);
    assert_eq!((status, expired["msg_cd"].as_str()), (500, Some("EGW00123")));

    let (status, fresh) = post(&url("/oauth2/tokenP"), &body);
    assert_eq!(status, 200);
    let token = fresh["access_token"].clone();
    let revoke = json!({"appkey": key.app_key, "appsecret": key.app_secret, "token": token});
    assert_eq!(post(&url("/oauth2/revokeP"), &revoke).1["code"], 200);
    let (status, gone) = get(token.as_str().unwrap(), "FHKST01010100", &price);
    assert_eq!((status, gone["msg_cd"].as_str()), (500, Some("EGW00121")));
}

#[test]
fn rest_answers_keep_the_case_of_their_headers_and_limit_the_rate() {
    let limits = Limits { requests_per_second: 2, approval_burst: 2, ..Limits::default() };
    let venue = Venue::start(SimConfig { limits, ..quiet() }).unwrap();
    let key = &venue.config().app_keys[0];
    let mut socket = TcpStream::connect(venue.rest_url().trim_start_matches("http://")).unwrap();
    let body = json!({"grant_type": "client_credentials", "appkey": key.app_key, "secretkey": key.app_secret});
    let body = body.to_string();
    let mut ask = || {
        let request = format!(
            "POST /oauth2/Approval HTTP/1.1\r\nHost: x\r\nTR_ID: T\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![0; 4096];
        let n = socket.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..n]).into_owned()
    };
    let answer = ask();
    for header in
        ["\r\nContent-Type: ", "\r\nContent-Length: ", "\r\nDate: ", "\r\ntr_id: T", "\r\ntr_cont: ", "\r\ngt_uid: "]
    {
        assert!(answer.contains(header), "{answer}");
    }
    assert!(answer.contains("approval_key"));
    ask();
    assert!(ask().contains("EGW00201"));
}
