//! A recorded day served again to clients that know nothing of it.

#[path = "../../../tests/rig/mod.rs"]
mod rig;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use hoga::engine::{Engine, Options};
use hoga::feed::kis::session::Leave;
use hoga::journal::{Filter, Stream};
use hoga::tick::{HEADER_BYTES, MARKET_PREFIX_BYTES, RType, RecordView};
use hoga_replay::serve::{Begin, Config, Served, Speed, loopback};
use kis_sim::AppKey;
use rig::{Played, Record, play, read, sim, wait_until};

const TRS: [&str; 3] = ["H0STCNT0", "H0STASP0", "H0STANC0"];

fn recorded() -> Played {
    play(sim(4, 2.0, 500.0), &TRS)
}

fn data_frames(raw: &[Record]) -> Vec<Vec<u8>> {
    let payload = |record: &Record| match record.view() {
        RecordView::Raw(_, payload) if payload.starts_with(b"0|") => Some(payload.to_vec()),
        _ => None,
    };
    raw.iter().filter_map(payload).collect()
}

/// Of each market record what the exchange said: symbol, place in its frame, body.
fn market_fields(ticks: &[Record]) -> Vec<(String, u64, u16, Vec<u8>)> {
    let fields = |record: &Record| {
        let market = record.market()?;
        let body = record.bytes[HEADER_BYTES + MARKET_PREFIX_BYTES..].to_vec();
        Some((record.symbol.clone(), market.ts_event, market.frame_index, body))
    };
    ticks.iter().filter_map(fields).collect()
}

fn symbols_of(played: &Played) -> Vec<String> {
    let known = played.ticks.iter().filter(|record| record.header().rtype == RType::Instrument as u8);
    known.map(|record| record.symbol.clone()).collect()
}

#[test]
fn an_unmodified_engine_sees_the_day_again_frame_for_frame() {
    let first = recorded();
    let keys = symbols_of(&first);
    let served = Served::start(&Config {
        dir: first.dir.clone(),
        filter: Filter::default(),
        speed: Speed::Times(4.0),
        ws: loopback(0),
        rest: loopback(0),
        begin: Begin::Registrations(keys.len() * TRS.len()),
        stay: false,
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Credentials the recording never saw.
    let accounts = rig::accounts(&AppKey::generate(3)[2..]);
    let config = rig::config(folder.path(), &served.rest_url(), &served.ws_url(), &keys, &TRS, 1);
    let options = Options { market: rig::market(), leave: Leave::WhenClosed };
    let engine = Engine::start_with(&config, accounts, options).unwrap();
    wait_until("the end of the served day", || engine.is_finished());
    engine.join().unwrap();
    let outcome = served.join();

    let (raw, ticks) = (read(&config.journal.dir, Stream::Raw), read(&config.journal.dir, Stream::Ticks));
    let frames = data_frames(&first.raw);
    assert!(frames.len() > 300, "{}", frames.len());
    assert_eq!(data_frames(&raw), frames, "all frames, verbatim, in order");
    assert_eq!(market_fields(&ticks), market_fields(&first.ticks));
    assert_eq!(outcome.frames_read, frames.len() as u64);
    assert_eq!(outcome.summary.counts.frames_sent, frames.len() as u64);
    assert!(outcome.control_frames > 0 && outcome.frames_unservable == 0 && outcome.failure.is_none());
}

/// A client written against the protocol alone: approval over REST, registration, frames until the Close.
fn plain_client(rest_url: &str, ws_url: &str, registrations: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let address = rest_url.strip_prefix("http://").unwrap();
    let body = r#"{"grant_type":"client_credentials","appkey":"any","secretkey":"any"}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "POST /oauth2/Approval HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let json = &answer[answer.find('{').unwrap_or_else(|| panic!("{answer}"))..=answer.rfind('}').unwrap()];
    let key = serde_json::from_str::<serde_json::Value>(json).unwrap()["approval_key"].as_str().unwrap().to_owned();

    let (mut socket, _) = tungstenite::connect(format!("{ws_url}/tryitout")).unwrap();
    for (tr_id, tr_key) in registrations {
        let text = serde_json::json!({
            "header": {"approval_key": key, "custtype": "P", "tr_type": "1", "content-type": "utf-8"},
            "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}},
        });
        socket.send(tungstenite::Message::text(text.to_string())).unwrap();
        let ack = socket.read().unwrap().into_text().unwrap();
        assert!(ack.contains("SUBSCRIBE SUCCESS"), "{ack}");
    }
    let mut frames = Vec::new();
    loop {
        match socket.read() {
            Ok(message) if message.is_text() => frames.push(message.into_data().to_vec()),
            Ok(message) if message.is_close() => {
                let _ = socket.flush();
                return frames;
            }
            Ok(_) => {}
            Err(error) => panic!("{error} before the Close"),
        }
    }
}

/// The program in the background, ended with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve_program(
    played: &Played,
    arguments: &[&str],
) -> (Program, BufReader<std::process::ChildStdout>, serde_json::Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hoga-replay"));
    command.arg("serve").arg(&played.dir).args(["--json", "--port", "0"]).args(arguments).stdout(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());
    let mut out = BufReader::new(program.0.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
    assert_eq!(ready["state"], "ready");
    (program, out, ready)
}

#[test]
fn a_plain_client_gets_what_it_registered_and_nothing_else() {
    let played = recorded();
    let keys = symbols_of(&played);
    let (mut program, mut out, ready) = serve_program(&played, &["--speed", "max", "--registrations", "2"]);
    let wanted = [("H0STCNT0", keys[0].as_str()), ("H0STASP0", keys[1].as_str())];
    let frames = plain_client(ready["rest_url"].as_str().unwrap(), ready["ws_url"].as_str().unwrap(), &wanted);
    let is_wanted = |frame: &Vec<u8>| {
        let text = String::from_utf8_lossy(frame);
        let key = text.splitn(4, '|').nth(3).and_then(|payload| payload.split('^').next()).map(str::to_owned);
        wanted.iter().any(|(tr, wanted)| text[2..].starts_with(tr) && key.as_deref() == Some(*wanted))
    };
    let expected: Vec<Vec<u8>> = data_frames(&played.raw).into_iter().filter(is_wanted).collect();
    assert!(expected.len() > 50 && expected.iter().any(|frame| !frame[11..].starts_with(b"001")), "several records");
    assert_eq!(frames, expected);
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ended: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&ended["state"], &ended["frames_sent"]), (&"ended".into(), &expected.len().into()));
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_ends_it_cleanly_while_it_waits() {
    let played = recorded();
    let (mut program, _out, _) = serve_program(&played, &["--stay"]);
    let pid = program.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
}
